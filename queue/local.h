/* local.h - what the files that deliver into mailboxes of ours share. */
#ifndef QUEUE_LOCAL_H
#define QUEUE_LOCAL_H
/* SPDX-License-Identifier: ISC */

#include "queue/queue.h"

#define WINDOW 2		/* batches in flight to one worker */
#define SLOTS (WINDOW * LOCAL_BATCH)
#define BACK_DELAY 2000		/* ms until jobs of a dead worker are tried */
#define BACKOFF_MAX 60000	/* ms between starts that come to nothing */

struct slot {
	struct recipient *r;	/* NULL: free */
	uint32_t turn;		/* so that an old tag fits no new job */
	uint8_t batch;
};

struct worker {
	struct watch watch;
	TAILQ_ENTRY(worker) link;	/* manager's list */
	TAILQ_ENTRY(worker) of_domain;
	struct sched_dest *dest;
	struct slot slots[SLOTS];
	unsigned running;		/* slots in use */
	unsigned in_batch[WINDOW];	/* jobs not yet reported of each */
	unsigned served;		/* batches since it was started */
	unsigned measures;		/* questions not yet answered */
	int64_t last;			/* ms: last thing heard or sent */
	bool is_alone;			/* has one suspect job, takes no other */
	bool is_leaving;		/* gets nothing more */
};

/* What a destination of ours keeps: its carrier. */
struct local {
	struct workers workers;
	size_t n;
};

static inline struct recipient *
recipient_of(struct sched_job *job)
{
	return (struct recipient *)(void *)((char *)job -
	    offsetof(struct recipient, job));
}

/* local.c: a job is no longer the worker's. */
void local_slot_free(struct worker *w, struct slot *s);

/* local_batch.c: gives the worker what waits, as batch of that number. False
 * when nothing could be given to it. */
bool local_send_batch(struct manager *q, struct worker *w, uint8_t number);
/* The same for one answer of an account. */
bool local_send_answer(struct manager *q, struct worker *w, uint8_t number);

#endif
