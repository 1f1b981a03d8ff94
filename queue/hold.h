/* hold.h - an account whose mail is held is told so, once. */
#ifndef QUEUE_HOLD_H
#define QUEUE_HOLD_H
/* SPDX-License-Identifier: ISC */

#include "queue/hold_text.h"
#include "queue/queue.h"

/* m has just been accepted, or nobody could be told until now. */
void hold_tell(struct manager *q, struct message *m);
/* After a start: what the notices in the queue tell of needs no other. */
void hold_recall(struct manager *q);
/* Tries again what did not work. */
void hold_expire(struct manager *q);

/* On a connection of ours with PEER_HOLD: the notice is durable as message id,
 * or was not taken. The connection is gone afterwards. */
void hold_submitted(struct manager *q, struct conn *c,
    enum queue_result result, const char *id);
/* The message that it tells of. */
const char *hold_about(const struct conn *c);

#endif
