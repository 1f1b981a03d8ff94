/* submission.h - a message that is being received: submit*.c, commit.c. */
#ifndef QUEUE_SUBMISSION_H
#define QUEUE_SUBMISSION_H
/* SPDX-License-Identifier: ISC */

#include "queue/draft.h"
#include "queue/hops.h"
#include "queue/sending.h"

#define LEFT_OUT_MAX 65536	/* bytes of those told of in the log */

/* What is being received on one connection; kept from message to message. */
struct submission {
	bool is_open;		/* between Q_MAIL and Q_COMMIT */
	struct queue_mail mail;
	struct draft draft;
	struct addr from;		/* mail.sender */
	bool is_trusted;		/* as route_sender has it */
	char first[ADDR_TEXT_MAX], last[ADDR_TEXT_MAX]; /* recipients */
	struct str left_out;		/* of their targets; for the log */
	enum queue_result result;	/* sticky: told once, in Q_DONE */
	char enhanced[12];
	char text[QUEUE_TEXT_MAX + 1];
	/* once the content has begun */
	int fd;
	struct header h;
	char id[ID_LEN + 1];
	struct hops hops;
	struct sending sending;		/* what its sender may */
	size_t reason;			/* why it is held: where in replies + 1 */
};

/* The first thing that is wrong is what the client is told. */
__attribute__((format(printf, 4, 5)))
void submission_refuse(struct submission *s, enum queue_result result,
    const char *enhanced, const char *fmt, ...);
/* What failed here is logged as what; the client is told to come again. */
void submission_refuse_errno(struct submission *s, const char *what, int error);

/* Q_DONE. */
void submission_answer(struct manager *q, struct conn *c,
    enum queue_result result, const char *id, const char *enhanced,
    const char *text);

/* commit.c: hands the whole file to the sync thread; the answer comes after it.
 * 0, or -1: no memory. */
int submission_commit(struct manager *q, struct conn *c, struct submission *s)
    __attribute__((warn_unused_result));

#endif
