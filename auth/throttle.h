/* throttle.h - slows the guessing of passwords, never locks the owner out. */
#ifndef AUTH_THROTTLE_H
#define AUTH_THROTTLE_H
/* SPDX-License-Identifier: ISC */

#include "auth/memory.h"
#include "lib/addr.h"

/*
 * Two counters go up with each failure, one for the client's address (an IPv6
 * one by its /64) and one for the account's name, and halve every five
 * minutes. A failure is answered later the higher they are. Above a limit a
 * password is looked at only every few seconds, others are refused unseen. But
 * for a client that has once logged in to that account from that address the
 * password is always looked at. Names without an account have counters of
 * their own that behave the same, so that nothing tells them apart.
 * Times are milliseconds of a monotonic clock. All memory is bounded.
 */
#define THROTTLE_ADDRESS_LIMIT 20	/* failures */
#define THROTTLE_ACCOUNT_LIMIT 50
#define THROTTLE_AT_ONCE 128		/* unknown clients' logins in progress */
#define THROTTLE_HALF_LIFE 300000
#define THROTTLE_TRICKLE 5000		/* one look so often, above a limit */
#define THROTTLE_DELAY_MIN 300
#define THROTTLE_DELAY_MAX 5000

struct throttle {
	uint8_t secret[32];
	struct memory *addresses, *accounts, *names, *friends;
};

/* One login; filled by throttle_begin(). */
struct guess {
	struct memory_key address, account, both;
	bool exists, is_friend, is_local, counted;
};

/* 0, or -1 with errno. size: entries in each table. */
int throttle_init(struct throttle *t, size_t size)
    __attribute__((warn_unused_result));
void throttle_free(struct throttle *t);

/*
 * True when the password may be looked at: throttle_right() or
 * throttle_wrong() or throttle_undone() must follow. False: refuse it unseen.
 */
bool throttle_begin(struct throttle *t, struct guess *g, const struct ip *ip,
    struct slice account, bool exists, int64_t now);

/* The password was right. */
void throttle_right(struct throttle *t, struct guess *g);
/* It was wrong: returns how many milliseconds after its beginning to say so. */
int64_t throttle_wrong(struct throttle *t, struct guess *g, int64_t now);
/* It was not looked at after all. */
void throttle_undone(struct throttle *t, struct guess *g);

#endif
