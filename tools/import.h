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
	char *reason;			/* it is not; NULL: not told yet */
	char address[ADDR_TEXT_MAX];
	char full_name[256];
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
	struct import_line *lines;
	size_t n, cap, bad, made;
	unsigned cut_short;		/* the line that was the last, or 0 */
	int status;
	struct welcome welcome;
};

/* A line of the report: "ok", "bad" or "made". */
void import_report(const struct import *i, unsigned line, const char *result,
    const struct import_line *l, const char *text);

/* Whether what the good lines come to fits into the limits of their domains and
 * customers; a line of the report for each that is too small. False: the
 * connection is lost. */
bool import_room(struct import *i);

/* Wipes and frees the lines. */
void import_forget(struct import *i);

/* malle user import. */
int user_import(struct malle *m, int argc, char **argv);

#endif
