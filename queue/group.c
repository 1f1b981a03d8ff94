/* group.c - how fast a group of destinations may be served; no I/O, no clock. */
/* SPDX-License-Identifier: ISC */
#include "queue/group.h"

#include <string.h>

#define ONE 1024u		/* a connection */
#define MESSAGE 60000		/* a message, in tokens: rate * ms */
#define PACE_LEAST 100		/* us */

static uint32_t
clamp(const struct group *g, uint32_t allowed)
{
	if (allowed > g->limits.connections * ONE)
		allowed = g->limits.connections * ONE;
	return allowed < ONE ? ONE : allowed;
}

uint32_t
group_room(uint64_t done, int64_t ms, bool any_wait, uint32_t most)
{
	uint64_t room;

	if (!any_wait || ms <= 0)
		return GROUP_ROOM_FIRST;
	room = done * 60000 / (uint64_t)ms;
	if (room < GROUP_ROOM_MIN)
		return GROUP_ROOM_MIN;
	return room > most / 4 * 3 ? most / 4 * 3 : (uint32_t)room;
}

/* A sixth of a minute's messages may go at once, one at least. */
static int64_t
burst(const struct group *g)
{
	int64_t most = (int64_t)g->limits.per_minute * MESSAGE / 6;

	return most < MESSAGE ? MESSAGE : most;
}

void
group_init(struct group *g, const struct group_limits *limits, int64_t now)
{
	memset(g, 0, sizeof(*g));
	g->limits = *limits;
	g->allowed = clamp(g, GROUP_START * ONE);
	g->tokens = burst(g);
	g->tokens_at = now;
}

void
group_limit(struct group *g, const struct group_limits *limits)
{
	g->limits = *limits;
	g->allowed = clamp(g, g->allowed);
}

int64_t
group_pause(const struct group *g, int64_t now)
{
	return g->not_before > now ? g->not_before - now : 0;
}

bool
group_lift(struct group *g, int64_t asked, int64_t now)
{
	if (group_pause(g, now) == 0 || g->rested >= asked)
		return false;
	/* What went wrong is not forgotten: another failure rests longer. */
	g->not_before = 0;
	return true;
}

uint32_t
group_allowed(const struct group *g)
{
	return g->allowed / ONE;
}

bool
group_may_connect(const struct group *g, int64_t now)
{
	return group_pause(g, now) == 0 &&
	    g->connections < group_allowed(g);
}

bool
group_gains(uint64_t waiting, uint32_t us, uint32_t n, uint32_t all)
{
	/* A pace that nobody has measured is none. */
	if (us < PACE_LEAST)
		us = PACE_LEAST;
	if (n > 0 && us < GROUP_NEAR && all >= GROUP_NEAR_ALL)
		return false;
	return n == 0 || waiting * us > (uint64_t)GROUP_WORK * n;
}

uint32_t
group_may_send(struct group *g, int64_t now, uint32_t wanted)
{
	int64_t n;

	if (g->limits.per_minute == 0)
		return wanted;
	g->tokens += (now - g->tokens_at) * g->limits.per_minute;
	g->tokens_at = now;
	if (g->tokens > burst(g))
		g->tokens = burst(g);
	n = g->tokens / MESSAGE;
	if (n <= 0)
		return 0;
	return n < (int64_t)wanted ? (uint32_t)n : wanted;
}

void
group_sent(struct group *g, uint32_t messages)
{
	if (g->limits.per_minute != 0)
		g->tokens -= (int64_t)messages * MESSAGE;
}

/* Lengthens the pause; never shortens it. */
static bool
rest(struct group *g, int64_t seconds, int64_t now, uint32_t random)
{
	int64_t ms = seconds * 1000, until;

	ms += (int64_t)(random % 1000) * ms / 8000;
	until = now + ms;
	if (until <= g->not_before)
		return false;
	g->not_before = until;
	g->rested = now;
	return true;
}

static int64_t
growing(uint32_t failures)
{
	uint32_t shift = failures > 1 ? failures - 1 : 0;
	int64_t s = (int64_t)GROUP_PAUSE_FIRST << (shift < 8 ? shift : 8);

	return s < GROUP_PAUSE_MAX ? s : GROUP_PAUSE_MAX;
}

static bool
delivered(struct group *g)
{
	bool news = g->failures > 0 || g->why != GROUP_NONE;
	uint32_t n = group_allowed(g);

	g->failures = 0;
	g->why = GROUP_NONE;
	g->allowed = clamp(g, g->allowed + ONE / n + 1);
	return news;
}

bool
group_event(struct group *g, enum group_event e, int64_t now, uint32_t random)
{
	switch (e) {
	case GROUP_NONE:
		return false;
	case GROUP_DELIVERED:
		return delivered(g);
	case GROUP_LOST:
		/* One that breaks may be chance; several are not. */
		g->allowed = clamp(g, g->allowed > ONE ? g->allowed - ONE : 0);
		g->failures++;
		if (g->failures < 3)
			return false;
		g->why = e;
		return rest(g, growing(g->failures - 2), now, random);
	case GROUP_UNREACHABLE:
		g->allowed = clamp(g, g->allowed > ONE ? g->allowed - ONE : 0);
		/* Others work: one too many was asked for, no more. */
		if (g->connections > 0)
			return false;
		g->failures++;
		g->why = e;
		return rest(g, growing(g->failures), now, random);
	case GROUP_SLOW_DOWN:
		g->allowed = ONE;
		g->why = e;
		return rest(g, g->limits.slow_pause, now, random);
	case GROUP_BLOCKED:
		g->allowed = ONE;
		g->why = e;
		return rest(g, g->limits.blocked_pause, now, random);
	}
	return false;
}

const char *
group_event_name(enum group_event e)
{
	static const char *const names[] = {
		[GROUP_NONE] = "none",
		[GROUP_DELIVERED] = "delivered",
		[GROUP_UNREACHABLE] = "unreachable",
		[GROUP_LOST] = "lost",
		[GROUP_SLOW_DOWN] = "slow-down",
		[GROUP_BLOCKED] = "blocked"
	};

	return names[e];
}
