/* fields.h - lines of words, as our tables for people have them. */
#ifndef LIB_FIELDS_H
#define LIB_FIELDS_H
/* SPDX-License-Identifier: ISC */

#include "lib/slice.h"

/*
 * The next line of *rest that says something: without its end, without what
 * follows a '#' outside quotes; *number counts all lines. False: no more.
 */
bool fields_line(struct slice *rest, struct slice *line, size_t *number);

/*
 * The next word of *line: up to a space, or what is between two double quotes.
 * 1, 0 when the line is at its end, -1: a quote that is not closed.
 */
int fields_word(struct slice *line, struct slice *word);

#endif
