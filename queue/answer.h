/* answer.h - what accounts answer by themselves: robots and absences. */
#ifndef QUEUE_ANSWER_H
#define QUEUE_ANSWER_H
/* SPDX-License-Identifier: ISC */

#include "queue/queue.h"

/* Schedules an answer, or says why there is none. */
void answer_begin(struct manager *q, struct active *a, struct recipient *r);
/* The job for a worker. 0, or -1: there is none any more, and r is done. */
int answer_pack(struct manager *q, struct recipient *r, uint64_t tag,
    struct packer *k) __attribute__((warn_unused_result));
/* What a worker has made of it; content is read during the call. */
void answer_result(struct manager *q, struct recipient *r,
    const struct answer_result *result);

/* On a connection of ours with PEER_ANSWER: the answer is durable as message
 * id, or was not taken. The connection is gone afterwards. */
void answer_submitted(struct manager *q, struct conn *c,
    enum queue_result result, const char *id);
/* The message that it answers. */
const char *answer_about(const struct conn *c);

#endif
