/* registry.h - what malle-registryd asks of the queue. */
#ifndef QUEUE_REGISTRY_H
#define QUEUE_REGISTRY_H
/* SPDX-License-Identifier: ISC */

#include "queue/queue.h"

/* Reads the pair from now on, if there is one. 0, or -1 with errno. */
int registry_watch(struct manager *q) __attribute__((warn_unused_result));
/* The notice that came in is durable, or was not taken, and that was said: the
 * connection is closed. */
void registry_submitted(struct manager *q, struct conn *c,
    enum queue_result result);

#endif
