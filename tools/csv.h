/* csv.h - rows of a file of comma-separated values. */
#ifndef TOOLS_CSV_H
#define TOOLS_CSV_H
/* SPDX-License-Identifier: ISC */

#include <stdbool.h>
#include <stddef.h>

#include "lib/slice.h"

#define CSV_CELLS 64

struct csv {
	char *text;		/* UTF-8; cells are cut out of it */
	size_t len, at;
	char separator;
	unsigned line;		/* of the next row */
	bool was_latin;		/* it was not UTF-8 */
};

struct csv_row {
	struct slice cells[CSV_CELLS];
	size_t n;
	unsigned line;		/* where it begins */
};

/*
 * Takes the bytes of a file: UTF-8 with or without a mark at its start, else
 * the Latin-1 of spreadsheets (Windows-1252). What separates is what the first
 * line has most of: comma, semicolon or tab. 0, or -1 (ENOMEM; EINVAL: a NUL).
 */
int csv_open(struct csv *c, struct slice bytes)
    __attribute__((warn_unused_result));
/* Wipes it: there may be passwords. */
void csv_close(struct csv *c);

/* The next row that is not empty; cells without their quotes (RFC 4180) and
 * without blanks around. 1, 0 at the end, -1: not well-formed. */
int csv_next(struct csv *c, struct csv_row *out)
    __attribute__((warn_unused_result));

#endif
