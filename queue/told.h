/* told.h - what a notice in the queue says of the message that it is about. */
#ifndef QUEUE_TOLD_H
#define QUEUE_TOLD_H
/* SPDX-License-Identifier: ISC */

#include "queue/queue.h"

/* The recipients that the notice on this connection tells of, as records of
 * its envelope. */
void told_records(const struct conn *c, struct str *out);

/*
 * After a start: whoever a notice in the queue tells of is marked in the
 * message that it is about, as far as that had not come to pass.
 */
void told_recall(struct manager *q);

/* The notice is about to leave the queue: the marks that it stands for must be
 * durable before it is gone. */
void told_leaves(struct manager *q, const struct active *a);

#endif
