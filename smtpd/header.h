/* header.h - what a message's header has, and what it lacks. */
#ifndef SMTPD_HEADER_H
#define SMTPD_HEADER_H
/* SPDX-License-Identifier: ISC */

#include "lib/slice.h"

#define HEADER_NAME_MAX 128	/* a longer name is none */

#define HEADER_DATE 1u
#define HEADER_FROM 2u
#define HEADER_MESSAGE_ID 4u

/* Zero it before use. */
struct header {
	unsigned seen;		/* HEADER_DATE ... */
	unsigned received;	/* how many Received fields: hops */
	bool any;		/* there was a field */
	bool in_value;		/* inside a field or a line that is none */
	bool ended;
	bool blank;		/* ended by an empty line */
};

/*
 * Looks through content (LF line ends) until the header ends. Returns how many
 * bytes are decided; the rest, fewer than HEADER_NAME_MAX, must be given again
 * with more behind it. Once ended is true, the return value is where the header
 * ends: at its empty line, or at the first line of a body without a header.
 */
size_t header_scan(struct header *h, struct slice in);

#endif
