/* sched.h - who is sent next: destinations, lanes and slots; no I/O. */
#ifndef QUEUE_SCHED_H
#define QUEUE_SCHED_H
/* SPDX-License-Identifier: ISC */

#include <sys/queue.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * A destination (a local domain, or one way to other servers) has four lanes.
 * A lane holds entries: one per message, with the jobs (recipients) of that
 * message for this destination, in the order in which they came.
 *
 * Lanes: the first that has anything is served, but one that was passed over
 * often enough gets a turn (SCHED_PATIENCE), so none starves.
 *
 * Slots, after Postfix's nqmgr: the oldest entry of a lane is the head. Each
 * SCHED_SLOT_COST of its jobs that are served earn a slot; a smaller entry that
 * came later may overtake when the head's slots (and a loan) are enough for all
 * that it still has waiting. So one letter passes a huge mailing at once, and a
 * stream of letters still leaves the mailing its share.
 */
#define SCHED_LANES 4
#define SCHED_BUCKETS 8		/* entries by size: 1, 2-4, 5-16, 17-64 ... */
#define SCHED_SLOT_COST 2
#define SCHED_SLOT_LOAN 3
#define SCHED_SLOT_MAX 1000

struct sched_entry;

/* One delivery that waits; part of the caller's struct of a recipient. */
struct sched_job {
	TAILQ_ENTRY(sched_job) link;
	struct sched_entry *entry;	/* NULL: not waiting here */
};
TAILQ_HEAD(sched_jobs, sched_job);

/* What one message has for one destination. */
struct sched_entry {
	TAILQ_ENTRY(sched_entry) link;
	struct sched_jobs jobs;
	struct sched_dest *dest;
	void *owner;		/* the message */
	uint64_t sequence;	/* age among all entries */
	uint32_t waiting;
	int32_t slots;		/* earned and not yet given away */
	uint32_t served;
	uint8_t lane, bucket;
};
TAILQ_HEAD(sched_entries, sched_entry);

struct sched_lane {
	struct sched_entries buckets[SCHED_BUCKETS];
	uint32_t entries;
	uint32_t passed;	/* times that a better lane was served instead */
};

struct sched_dest {
	TAILQ_ENTRY(sched_dest) ready;	/* in sched.ready when is_ready */
	struct sched_dest *next;	/* hash chain */
	struct sched_lane lanes[SCHED_LANES];
	struct sched_entry *newest;	/* last added to; NULL when it is gone */
	uint64_t waiting;	/* jobs in the lanes */
	uint64_t running;	/* jobs taken and not done */
	int64_t not_before;	/* ms: no job before then; 0 */
	unsigned failures;	/* in a row, for the back-off */
	bool is_ready, is_eager, is_parked;
	uint8_t kind;
	void *carrier;		/* of whoever delivers there; not ours */
	uint32_t hash;
	char key[];
};
TAILQ_HEAD(sched_dests, sched_dest);

struct sched {
	struct sched_dest **table;
	size_t table_size, dests;
	/* something waits, nobody works on it: of eager ones little waits */
	struct sched_dests ready, eager;
	unsigned eager_turns;		/* taken since one of the others was */
	uint64_t sequence;
	uint64_t waiting;		/* jobs everywhere */
};

/* 0, or -1: no memory. */
int sched_init(struct sched *s) __attribute__((warn_unused_result));
void sched_free(struct sched *s);

/* The destination with this kind and name; made when create is true. NULL:
 * there is none, or no memory. */
struct sched_dest *sched_dest(struct sched *s, uint8_t kind, const char *key,
    size_t len, bool create);
/* Each in turn; NULL begins and ends. */
struct sched_dest *sched_dest_next(const struct sched *s,
    const struct sched_dest *after);

/* Frees a destination with nothing waiting, running or attached. */
void sched_dest_release(struct sched *s, struct sched_dest *d);

/* Adds a job of a message. All jobs of one owner that are added one after the
 * other make one entry. 0, or -1: no memory. */
int sched_add(struct sched *s, struct sched_dest *d, unsigned lane,
    void *owner, struct sched_job *job) __attribute__((warn_unused_result));

/* The job to do next, or NULL. It counts as running until sched_done(). */
struct sched_job *sched_take(struct sched *s, struct sched_dest *d);
/* What sched_take() would return; nothing changes. */
struct sched_job *sched_peek(const struct sched_dest *d);
void sched_done(struct sched_dest *d);

/* Takes a waiting job out; does nothing when it is not waiting. */
void sched_cancel(struct sched *s, struct sched_job *job);

/* The next destination to work on, taken out of the ready list: one that has
 * only some letters before one that has a mailing, mostly. */
struct sched_dest *sched_next_ready(struct sched *s);
bool sched_has_ready(const struct sched *s);
/* Not now: no worker, or it has enough; until sched_wake(). */
void sched_park(struct sched *s, struct sched_dest *d);
void sched_wake(struct sched *s, struct sched_dest *d);

#endif
