/* mailbox.h - a recipient that is a mailbox of ours, as its account is now. */
#ifndef QUEUE_MAILBOX_H
#define QUEUE_MAILBOX_H
/* SPDX-License-Identifier: ISC */

#include "queue/queue.h"

/* Schedules its delivery, wherever the mailbox is now, or answers in its place:
 * suspended, gone, or moved to what is not one mailbox (5.1.6). */
void mailbox_begin(struct manager *q, struct active *a, struct recipient *r);

#endif
