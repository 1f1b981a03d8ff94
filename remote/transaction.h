/* transaction.h - messages over one SMTP session, pipelined. */
#ifndef REMOTE_TRANSACTION_H
#define REMOTE_TRANSACTION_H
/* SPDX-License-Identifier: ISC */

#include "remote/content.h"
#include "remote/session.h"

/* One MAIL, its RCPTs, one DATA: some recipients of one work. */
struct transaction {
	struct work *work;
	size_t first, n;
	size_t accepted;	/* recipients with a 2yz */
	bool has_result[REMOTE_RECIPIENTS_MAX];	/* or goes by another one */
};

/* Called once for each recipient that is decided. */
typedef void result_fn(void *arg, struct work *w,
    const struct remote_recipient *r, const struct remote_reply *reply);

struct carrier {
	struct session session;
	bool wants_reset;	/* the last transaction was left half open */
	bool has_served;	/* a MAIL was answered here */
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
 * Goes on up to the content. 0: it is waited for; 1: the transaction has ended
 * before (everybody has a result); -1: the connection is of no more use, with
 * *why. Then those recipients of t have no result whose transaction was not
 * begun: its MAIL was not answered, though the connection had served others. On
 * a fresh connection they get one, so that a server that hangs up at every MAIL
 * is not tried without end.
 */
int transaction_envelope(struct carrier *c, struct transaction *t,
    struct remote_reply *why) __attribute__((warn_unused_result));

/*
 * Queues the content and, in the same write, begins after, when there is one
 * and the server pipelines. 0, or -1 with *why: our own file cannot be read.
 */
int transaction_content(struct carrier *c, struct transaction *t,
    struct transaction *after, struct remote_reply *why)
    __attribute__((warn_unused_result));

/* The reply to the content: results for those that were accepted. 0 or -1. */
int transaction_finish(struct carrier *c, struct transaction *t,
    struct remote_reply *why) __attribute__((warn_unused_result));

#endif
