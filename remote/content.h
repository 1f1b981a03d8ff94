/* content.h - a job of malle-queued, and its content on the way out. */
#ifndef REMOTE_CONTENT_H
#define REMOTE_CONTENT_H
/* SPDX-License-Identifier: ISC */

#include "lib/proto_remote.h"
#include "lib/str.h"
#include "remote/stream.h"

#define CONTENT_KEPT (256u * 1024)	/* rendered once, kept for all recipients */

/* A job while it is worked on. */
struct work {
	struct remote_job job;
	struct remote_recipient *recipients;	/* n, owned */
	size_t n;		/* job.n, and those that are said once more */
	size_t next;		/* the first recipient without a transaction */
	int fd;			/* owned: the queue file */

	/* What goes before the content: Delivered-To of who forwards it. */
	char prefix[ADDR_TEXT_MAX + 16];
	size_t prefix_len;
	bool comes_back;	/* it has that line already */

	bool is_measured;
	uint64_t size;		/* on the wire (RFC 1870), without doubled dots */
	bool has_high;		/* bytes above 127 are in it */
	bool has_high_header;	/* and already in its header */
	bool is_raw;		/* goes by BDAT (RFC 3030) */
	struct str content;	/* as it is sent; empty when it is too long to be
				 * kept, or not rendered yet */
};

void work_free(struct work *w);

/* Reads all of the content once and fills in what is told of it above; it goes
 * raw if it has_high and may_chunk. 0, or -1 with errno. */
int work_measure(struct work *w, bool may_chunk)
    __attribute__((warn_unused_result));

/*
 * Queues BDAT and the content, or the content with its final dot, on s. Errors
 * of the connection are left to the reply that follows. -1 with errno: our own
 * file cannot be read; what went out is no whole message, so the connection
 * must be broken.
 */
int work_send(struct work *w, struct stream *s)
    __attribute__((warn_unused_result));

#endif
