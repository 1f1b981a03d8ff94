/* outbound.h - who has sent how much: counters of an hour and of a day. No I/O. */
#ifndef QUEUE_OUTBOUND_H
#define QUEUE_OUTBOUND_H
/* SPDX-License-Identifier: ISC */

#include <sys/queue.h>

#include <stdbool.h>
#include <stdint.h>

#include "lib/str.h"

/*
 * The hour: what an account sends fills a vessel that drains at the allowed
 * rate. As long as it holds no more than an hour's worth, mail goes at once;
 * up to two hours' worth it goes when the vessel will have drained so far,
 * which spreads it at the rate, in the order in which it came; up to three it
 * is held; beyond, refused. So an account that is idle again starts afresh, and
 * one that never stops adds to the held mail no faster than it may send.
 *
 * The day: a plain count that begins anew at midnight. Midnight is believed
 * when half a day has passed since the last one: a clock that jumps there and
 * back can neither give a day away nor keep one for ever.
 *
 * Limits: OUTBOUND_ACCOUNTS entries; the one that was silent longest goes.
 */
#define OUTBOUND_ACCOUNTS 65536u
#define OUTBOUND_KEY_MAX 400
#define OUTBOUND_HOUR INT64_C(3600000)	/* ms */
#define OUTBOUND_SLOW_FACTOR 2		/* times an hour's worth: then held */
#define OUTBOUND_HOLD_FACTOR 3		/* then refused */
#define OUTBOUND_FILE_MAX (48u << 20)

enum outbound_verdict {
	OUTBOUND_PASS,
	OUTBOUND_SLOW,
	OUTBOUND_HOLD,
	OUTBOUND_REFUSE
};

enum outbound_what { OUTBOUND_MESSAGES, OUTBOUND_RECIPIENTS, OUTBOUND_WHATS };

struct outbound_entry {
	TAILQ_ENTRY(outbound_entry) link;	/* the longest silent first */
	TAILQ_ENTRY(outbound_entry) restless;	/* state is not PASS */
	struct outbound_entry *next;		/* hash chain */
	uint32_t hash;
	enum outbound_verdict state;		/* of its last message */
	bool was_held;				/* since it last passed */
	uint64_t level[OUTBOUND_WHATS];		/* in 1/OUTBOUND_HOUR of one */
	int64_t seen;				/* boottime ms: level is of then */
	int64_t day, day_began;			/* number; boottime ms */
	uint64_t today;
	char key[];
};
TAILQ_HEAD(outbound_entries, outbound_entry);

struct outbound {
	struct outbound_entry **table;
	struct outbound_entries silent, restless;
	uint32_t count, max;
	bool is_changed;		/* since it was last written */
	bool has_moved;			/* so has the state of somebody */
};

/* What an account may send in an hour; 0: any number. */
struct outbound_limits {
	uint64_t max[OUTBOUND_WHATS];
};

struct outbound_answer {
	enum outbound_verdict verdict;
	int64_t delay;			/* ms, when slowed */
	enum outbound_what what;	/* which limit it is that says so */
	uint64_t used, max;		/* of it, this message included */
	enum outbound_verdict before;	/* the state until now */
	bool is_first_held;		/* held, as none was since it passed */
};

/* When: boottime in ms; the number of the local day and the ms since its
 * midnight. */
struct outbound_time {
	int64_t now, day, since_midnight;
};

/* 0, or -1: no memory. max: entries. */
int outbound_init(struct outbound *o, uint32_t max)
    __attribute__((warn_unused_result));
void outbound_free(struct outbound *o);

/* Whether another message of an account would be refused. */
bool outbound_is_over(const struct outbound *o, const char *key,
    const struct outbound_limits *l, int64_t now);
/* A message to so many recipients: counts it unless it is refused. Without
 * memory it passes. */
struct outbound_answer outbound_take(struct outbound *o, const char *key,
    const struct outbound_limits *l, uint64_t recipients, int64_t now);

/*
 * Asks for the limits of every account that was slowed, held or refused, and
 * calls eased for those whose next message would pass: these are so from now
 * on.
 */
struct outbound_watcher {
	void (*limits)(void *arg, const char *key, struct outbound_limits *l);
	void (*eased)(void *arg, const char *key);
	void *arg;
};
void outbound_ease(struct outbound *o, const struct outbound_watcher *w,
    int64_t now);

/* What is used of an hour's limits: how full the vessels are, rounded up. */
void outbound_hour(const struct outbound *o, const char *key,
    const struct outbound_limits *l, int64_t now,
    uint64_t used[OUTBOUND_WHATS]);

/* Messages of today; and one more. */
uint64_t outbound_today(const struct outbound *o, const char *key,
    const struct outbound_time *t);
void outbound_add_today(struct outbound *o, const char *key,
    const struct outbound_time *t);

/*
 * All of it as the bytes of queue/outbound (malle-queue(5)), wall being the
 * clock in seconds; and back. A wrong checksum, version or length: -1, and
 * nothing is taken. What time has passed is believed up to the time that can
 * matter, so a jump of the clock while we were away is harmless.
 */
void outbound_encode(const struct outbound *o, int64_t now, int64_t wall,
    struct str *out);
int outbound_decode(struct outbound *o, struct slice bytes,
    const struct outbound_time *t, int64_t wall)
    __attribute__((warn_unused_result));

#endif
