/* group.h - how fast a group of destinations may be served; no I/O, no clock. */
#ifndef QUEUE_GROUP_H
#define QUEUE_GROUP_H
/* SPDX-License-Identifier: ISC */

#include <stdbool.h>
#include <stdint.h>

/*
 * All domains behind the same servers share these: how many connections, how
 * many messages a minute, and pauses by cause.
 *
 * Connections, after Postfix: from GROUP_START on, each success adds 1/n, so n
 * successes with n connections add one; what goes wrong takes one away at once.
 * Never less than one, never more than the limit of the provider.
 * Pauses: no connection at all before not_before. What cannot be reached is
 * tried after 30 s, 1 min, 2 min ... an hour.
 */
#define GROUP_START 5
#define GROUP_PAUSE_FIRST 30	/* s */
#define GROUP_PAUSE_MAX 3600

struct group_limits {
	uint32_t connections, messages, recipients, per_minute;
	uint32_t slow_pause, blocked_pause;	/* s */
};

enum group_event {
	GROUP_NONE,
	GROUP_DELIVERED,
	GROUP_UNREACHABLE,	/* DNS, connect, TLS: no connection comes about */
	GROUP_LOST,		/* a connection broke */
	GROUP_SLOW_DOWN,
	GROUP_BLOCKED
};

struct group {
	struct group_limits limits;
	uint32_t allowed;	/* connections, in 1/1024 */
	uint32_t connections;	/* there are now */
	uint32_t failures;	/* in a row */
	int64_t not_before;	/* ms; 0 */
	int64_t rested;		/* ms: when that pause began */
	int64_t tokens;		/* messages in 1/60000 */
	int64_t tokens_at;	/* ms */
	enum group_event why;	/* of the pause, or of being slow */
};

void group_init(struct group *g, const struct group_limits *limits,
    int64_t now);
/* Other limits, from a table that was read again. */
void group_limit(struct group *g, const struct group_limits *limits);

/* ms that it must rest; 0: it may go on. */
int64_t group_pause(const struct group *g, int64_t now);
/* Somebody has asked at that time (ms) for everything to be tried: a pause that
 * began before is over. True when there was one. */
bool group_lift(struct group *g, int64_t asked, int64_t now);
/* Connections that may be there now, 1 at least. */
uint32_t group_allowed(const struct group *g);
bool group_may_connect(const struct group *g, int64_t now);

/*
 * Whether a path with n connections, of all that there are to anywhere, gains
 * by one more when so many messages wait that take it us each: those that are
 * there would need more than GROUP_WORK for them. Where a message takes less
 * than GROUP_NEAR it is this machine that sets the pace: more connections than
 * GROUP_NEAR_ALL would only stand in each other's way, and in that of a letter.
 */
#define GROUP_WORK 200000	/* us */
#define GROUP_NEAR 10000	/* us */
#define GROUP_NEAR_ALL 16
bool group_gains(uint64_t waiting, uint32_t us, uint32_t n, uint32_t all);

/* How many messages may be sent now, at most wanted. */
uint32_t group_may_send(struct group *g, int64_t now, uint32_t wanted);
void group_sent(struct group *g, uint32_t messages);

/*
 * How many messages of a destination may be in memory when it has taken done
 * of them in ms: what it takes in a minute, but not too few to get faster with,
 * and never all of the places (most) that others need too. Without any that
 * wait nobody knows how fast it is.
 */
#define GROUP_ROOM_FIRST 5000
#define GROUP_ROOM_MIN 500
uint32_t group_room(uint64_t done, int64_t ms, bool any_wait, uint32_t most);

/*
 * Something has happened. Returns true when it begins or lengthens a pause, or
 * when it ends the trouble that there was (GROUP_DELIVERED): worth a line in
 * the log. random is any number: pauses are spread by an eighth.
 */
bool group_event(struct group *g, enum group_event e, int64_t now,
    uint32_t random);

const char *group_event_name(enum group_event e);

#endif
