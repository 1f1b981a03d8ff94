/* start.h - how malle-queued and malle-queue-run begin. */
#ifndef QUEUE_START_H
#define QUEUE_START_H
/* SPDX-License-Identifier: ISC */

#include "queue/queue.h"

/* As root: the folders, the group of administrators, who malle-smtpd is. Needs
 * q->conf. 0, or an exit status of sysexits.h with the reason on stderr. */
int start_open(struct manager *q) __attribute__((warn_unused_result));

#define START_BUSY 75	/* EX_TEMPFAIL: the other program holds the lock */

/* Gives all rights away, takes the lock, reads the queue: ready for
 * manager_loop(). keep[] are descriptors beside those of malle-start. */
int start_confined(struct manager *q, const int *keep, size_t n)
    __attribute__((warn_unused_result));

#endif
