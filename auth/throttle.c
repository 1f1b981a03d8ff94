/* throttle.c - slows the guessing of passwords, never locks the owner out. */
/* SPDX-License-Identifier: ISC */

#include "auth/throttle.h"

#include <math.h>
#include <string.h>

#include <openssl/rand.h>

struct counter {
	double score;		/* failures, older ones count less */
	int64_t changed;	/* when score was right */
	int64_t looked;		/* at a password above the limit */
	int64_t open;		/* logins in progress */
};

int
throttle_init(struct throttle *t, size_t size)
{
	memset(t, 0, sizeof(*t));
	if (RAND_bytes(t->secret, sizeof(t->secret)) != 1)
		return -1;
	t->addresses = memory_new(size, sizeof(struct counter));
	t->accounts = memory_new(size, sizeof(struct counter));
	t->names = memory_new(size, sizeof(struct counter));
	t->friends = memory_new(size, sizeof(uint64_t));
	if (t->addresses == NULL || t->accounts == NULL || t->names == NULL ||
	    t->friends == NULL) {
		throttle_free(t);
		return -1;
	}
	return 0;
}

void
throttle_free(struct throttle *t)
{
	memory_free(t->addresses);
	memory_free(t->accounts);
	memory_free(t->names);
	memory_free(t->friends);
}

static bool
is_ipv4(const struct ip *ip)
{
	static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };

	return memcmp(ip->b, mapped, sizeof(mapped)) == 0;
}

/* A customer has a /64 for himself: all of it is one address. */
static struct slice
network_of(const struct ip *ip)
{
	return slice_make(ip->b, is_ipv4(ip) ? 16 : 8);
}

static void
decay(struct counter *c, int64_t now)
{
	c->score *= exp2((double)(c->changed - now) / THROTTLE_HALF_LIFE);
	c->changed = now;
}

static struct memory *
table_of(struct throttle *t, const struct guess *g)
{
	return g->exists ? t->accounts : t->names;
}

static bool
is_over(const struct counter *c, double limit)
{
	return c->score >= limit || c->open >= THROTTLE_AT_ONCE;
}

/* Above the limit one password in a while is looked at all the same. */
static bool
may_look(struct counter *c, double limit, int64_t now)
{
	return !is_over(c, limit) ||
	    (c->open < THROTTLE_AT_ONCE &&
	    now - c->looked >= THROTTLE_TRICKLE);
}

static struct counter *
counter_of(struct memory *m, const struct memory_key *key, int64_t now)
{
	struct counter *c = memory_get(m, key);

	if (c->changed == 0) {
		c->changed = now;
		c->looked = now - THROTTLE_TRICKLE;
	}
	decay(c, now);
	return c;
}

bool
throttle_begin(struct throttle *t, struct guess *g, const struct ip *ip,
    struct slice account, bool exists, int64_t now)
{
	struct slice parts[2] = { network_of(ip), account };
	struct counter *a, *b;

	memset(g, 0, sizeof(*g));
	g->exists = exists;
	g->is_local = ip_is_loopback(ip);
	memory_digest(t->secret, 'a', &parts[0], 1, &g->address);
	memory_digest(t->secret, 'n', &parts[1], 1, &g->account);
	memory_digest(t->secret, 'f', parts, 2, &g->both);
	g->is_friend = exists && memory_find(t->friends, &g->both) != NULL;
	a = counter_of(t->addresses, &g->address, now);
	b = counter_of(table_of(t, g), &g->account, now);
	if (!g->is_friend) {
		/* Behind a loopback address there may be a whole webmail. */
		if ((!g->is_local &&
		    !may_look(a, THROTTLE_ADDRESS_LIMIT, now)) ||
		    !may_look(b, THROTTLE_ACCOUNT_LIMIT, now))
			return false;
		a->looked = b->looked = now;
	}
	a->open++;
	b->open++;
	g->counted = true;
	return true;
}

static void
close_one(struct memory *m, const struct memory_key *key)
{
	struct counter *c = memory_find(m, key);

	/* It may have been forgotten, and have begun again. */
	if (c != NULL && c->open > 0)
		c->open--;
}

void
throttle_undone(struct throttle *t, struct guess *g)
{
	if (!g->counted)
		return;
	close_one(t->addresses, &g->address);
	close_one(table_of(t, g), &g->account);
	g->counted = false;
}

void
throttle_right(struct throttle *t, struct guess *g)
{
	throttle_undone(t, g);
	*(uint64_t *)memory_get(t->friends, &g->both) = 1;
}

/* The first failures cost little, each further one twice as much. */
static int64_t
delay_of(double score)
{
	double ms = THROTTLE_DELAY_MIN * exp2(score - 1);

	return ms > THROTTLE_DELAY_MAX ? THROTTLE_DELAY_MAX : (int64_t)ms;
}

int64_t
throttle_wrong(struct throttle *t, struct guess *g, int64_t now)
{
	struct counter *a = counter_of(t->addresses, &g->address, now);
	struct counter *b = counter_of(table_of(t, g), &g->account, now);
	double score;

	throttle_undone(t, g);
	a->score += 1;
	b->score += 1;
	/* An account is guessed at from many places: what one place does to it
	 * must not slow the others as much. */
	score = 1 + (b->score - 1) / 4;
	if (!g->is_local && a->score > score)
		score = a->score;
	return delay_of(score);
}
