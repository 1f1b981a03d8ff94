/* json.h - text of strangers on a terminal and in JSON. */
#ifndef TOOLS_JSON_H
#define TOOLS_JSON_H
/* SPDX-License-Identifier: ISC */

#include <stdio.h>

#include "lib/slice.h"

/* Length of the well-formed UTF-8 sequence of 1 to 4 bytes at the start of s;
 * 0 for anything else, and for control characters. */
size_t text_utf8_length(struct slice s);

/* Writes s with control bytes and what is not UTF-8 as \xNN. */
void text_put_escaped(FILE *out, struct slice s);

/* A time of the log, "2026-11-21T22:35:01.123456Z", by the clock of whom it is
 * told to, with its offset: who wrote may have another. Anything else, as a time
 * with an offset of its own, as above. */
void text_put_time(FILE *out, struct slice s);

/* Writes a JSON string with its quotes (RFC 8259 section 7); what is not UTF-8
 * and control characters are first escaped as text_put_escaped() does. */
void json_put_string(FILE *out, struct slice s);

#endif
