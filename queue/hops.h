/* hops.h - counts the Received lines of a message: mail loops. No I/O. */
#ifndef QUEUE_HOPS_H
#define QUEUE_HOPS_H
/* SPDX-License-Identifier: ISC */

#include "lib/slice.h"

#define HOPS_MAX 100		/* RFC 5321 6.3 */

/* Zero it before the first piece. */
struct hops {
	unsigned count;
	bool is_over;		/* the header has ended */
	size_t seen;		/* bytes of this line that were looked at */
	bool differs;		/* this line is not a Received line */
};

/* The content, in pieces of any size. */
void hops_feed(struct hops *h, struct slice piece);

#endif
