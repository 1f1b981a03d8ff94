/* import.h - what the two parts of malle user import share. */
#ifndef TOOLS_IMPORT_H
#define TOOLS_IMPORT_H
/* SPDX-License-Identifier: ISC */

#include "lib/addr.h"
#include "tools/account.h"
#include "tools/csv.h"
#include "tools/welcome.h"

#define IMPORT_LINES_MAX 100000

struct import_line {
	unsigned line;			/* of the file */
	bool is_good;			/* so far */
	char *reason;			/* it is not */
	char address[ADDR_TEXT_MAX];
	char password[SECRET_MAX + 1];	/* made here, or "" */
	uint64_t quota;
};

struct import {
	struct malle *m;
	int fd;				/* the registry */
	bool dry_run, all_or_nothing, random, must_change, force;
	const char *domain;		/* of names without one, or NULL */
	struct slice columns[CSV_CELLS];	/* their fields */
	size_t n_columns;
	struct import_line *lines;	/* IMPORT_LINES_MAX */
	size_t n, bad, made;
	bool judging;			/* as if they were made */
	size_t begin, end, heard;	/* lines of the request that is open */
	size_t sent, sent_bytes;	/* in it */
	void *addresses;		/* of the lines judged: tsearch(3) */
	unsigned cut_short;		/* the line that was the last, or 0 */
	int status;
	struct welcome welcome;
};

/* A line of the report: "ok", "bad", "made" or "unknown". */
void import_report(const struct import *i, const struct import_line *l,
    const char *result, const char *text);
/* Why a line is bad, or "". */
const char *import_reason(const struct import_line *l);

/* A row's cell in the column of that field, or an empty one. */
struct slice import_cell(const struct import *i, const struct csv_row *row,
    const char *field);

/*
 * What becomes of the next line: it is sent, to be judged or made; it is bad;
 * it was bad before. What is made is reported in its place. False: no use in
 * going on, i->status says why.
 */
bool import_send(struct import *i, const struct csv_row *row,
    struct import_line *l);
bool import_refuse(struct import *i, struct import_line *l, const char *text);
bool import_pass(struct import *i, const struct import_line *l);
/* Hears of all that were sent. */
bool import_finish(struct import *i);
/* True when a line that was judged has this address. */
bool import_has(const struct import *i, const char *address);

/* Whether what the good lines come to fits into the limits of their domains and
 * customers; a line of the report for each that is too small. False: the
 * connection is lost. */
bool import_room(struct import *i);

/* Wipes and frees the lines. */
void import_forget(struct import *i);

/* malle user import. */
int user_import(struct malle *m, int argc, char **argv);

#endif
