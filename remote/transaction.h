/* transaction.h - messages over one SMTP session, pipelined. */
#ifndef REMOTE_TRANSACTION_H
#define REMOTE_TRANSACTION_H
/* SPDX-License-Identifier: ISC */

#include "lib/str.h"
#include "remote/session.h"

#define CONTENT_KEPT (256u * 1024)	/* rendered once, kept for all recipients */

/* A job of malle-queued while it is worked on. */
struct work {
	struct remote_job job;
	struct remote_recipient *recipients;	/* job.n, owned */
	size_t next;		/* the first recipient without a transaction */
	int fd;			/* owned: the queue file */
	struct str content;	/* as it is sent, with the final dot; empty when
				 * it is too long to be kept */
	bool is_rendered;
	bool has_high;		/* bytes above 127 were seen in it */
};

/* One MAIL, its RCPTs, one DATA: some recipients of one work. */
struct transaction {
	struct work *work;
	size_t first, n;
	bool mail_answered;
	uint16_t mail_code;
	size_t accepted;	/* recipients with a 2yz */
	bool is_accepted[REMOTE_RECIPIENTS_MAX];
};

/* Called once for each recipient that is decided. */
typedef void result_fn(void *arg, struct work *w,
    const struct remote_recipient *r, const struct remote_reply *reply);

struct carrier {
	struct session session;
	bool wants_reset;	/* the last transaction was left half open */
	result_fn *result;
	void *arg;
};

/* The next recipients of w that share a transaction; false: none are left. */
bool transaction_next(const struct carrier *c, struct work *w,
    struct transaction *out);

/*
 * What this server cannot do for this message: then every recipient of t gets
 * its result, and true is returned.
 */
bool transaction_is_hopeless(struct carrier *c, struct transaction *t);

/* Queues MAIL, RCPT and DATA of t; without PIPELINING nothing yet. */
void transaction_begin(struct carrier *c, struct transaction *t);

/*
 * Goes on up to the content, queued whole; t_after, when there is one and the
 * server pipelines, is begun behind it in the same write. 0 when the content
 * was queued, 1 when the transaction ended before (everybody has a result), -1
 * when the connection is lost, with *why; recipients without a result then were
 * not begun.
 */
int transaction_send(struct carrier *c, struct transaction *t,
    struct transaction *after, struct remote_reply *why)
    __attribute__((warn_unused_result));

/* The reply to the content: results for those that were accepted. 0 or -1. */
int transaction_finish(struct carrier *c, struct transaction *t,
    struct remote_reply *why) __attribute__((warn_unused_result));

void work_free(struct work *w);

#endif
