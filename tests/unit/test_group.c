/* test_group.c - how fast a group of destinations may be served. */
/* SPDX-License-Identifier: ISC */
#include "queue/group.h"
#include "tests/unit/tap.h"

static const struct group_limits limits = {
	.connections = 10, .messages = 100, .recipients = 50,
	.slow_pause = 60, .blocked_pause = 3600
};

static void
test_concurrency(void)
{
	struct group g;

	group_init(&g, &limits, 0);
	ok(group_allowed(&g) == 5, "starts with five");
	for (int i = 0; i < 5; i++)
		(void)group_event(&g, GROUP_DELIVERED, 0, 0);
	ok(group_allowed(&g) == 6, "five successes add one");
	for (int i = 0; i < 1000; i++)
		(void)group_event(&g, GROUP_DELIVERED, 0, 0);
	ok(group_allowed(&g) == 10, "up to the limit");
	g.connections = 10;
	ok(!group_may_connect(&g, 0), "and no more");
	g.connections = 3;
	ok(!group_event(&g, GROUP_UNREACHABLE, 0, 0) &&
	    group_allowed(&g) == 9 && group_pause(&g, 0) == 0,
	    "one too many costs one, and no pause");
	for (int i = 0; i < 20; i++)
		(void)group_event(&g, GROUP_UNREACHABLE, 0, 0);
	ok(group_allowed(&g) == 1, "never less than one");
}

static void
test_pauses(void)
{
	static const int64_t want[] = { 30, 60, 120, 240, 480, 960, 1920, 3600,
	    3600 };
	struct group g;
	int64_t now = 1000;

	group_init(&g, &limits, now);
	for (size_t i = 0; i < sizeof(want) / sizeof(want[0]); i++) {
		ok(group_event(&g, GROUP_UNREACHABLE, now, 0) &&
		    group_pause(&g, now) == want[i] * 1000,
		    "failure %zu: %jd s", i + 1, (intmax_t)want[i]);
		ok(!group_may_connect(&g, now), "no connection meanwhile");
		now += group_pause(&g, now);
		ok(group_may_connect(&g, now), "one after it");
	}
	ok(group_event(&g, GROUP_DELIVERED, now, 0), "a success is news");
	ok(!group_event(&g, GROUP_DELIVERED, now, 0), "once");
	ok(group_event(&g, GROUP_UNREACHABLE, now, 0) &&
	    group_pause(&g, now) == 30000, "and begins anew");
	group_init(&g, &limits, 0);
	ok(group_event(&g, GROUP_SLOW_DOWN, 0, 0) &&
	    group_pause(&g, 0) == 60000 && group_allowed(&g) == 1,
	    "slow down: one connection, the provider's pause");
	ok(group_event(&g, GROUP_BLOCKED, 0, 999) &&
	    group_pause(&g, 0) > 3600000 && group_pause(&g, 0) <= 4050000,
	    "blocked: longer, with a spread");
	ok(!group_event(&g, GROUP_SLOW_DOWN, 0, 0),
	    "a shorter pause does not end a longer one");
}

static void
test_lift(void)
{
	struct group g;

	group_init(&g, &limits, 0);
	ok(!group_lift(&g, 10, 20), "no pause: nothing to end");
	(void)group_event(&g, GROUP_UNREACHABLE, 1000, 0);
	ok(!group_lift(&g, 1000, 2000) && !group_lift(&g, 500, 2000) &&
	    group_pause(&g, 2000) > 0,
	    "a pause that began after somebody asked stays");
	ok(group_lift(&g, 1500, 2000) && group_may_connect(&g, 2000),
	    "one from before is over");
	ok(!group_lift(&g, 1500, 2000), "once");
	ok(group_event(&g, GROUP_UNREACHABLE, 2000, 0) &&
	    group_pause(&g, 2000) == 60000,
	    "what went wrong is not forgotten: the next one is longer");
	ok(!group_lift(&g, 1500, 2001), "and not ended by the same request");
}

static void
test_lost(void)
{
	struct group g;

	group_init(&g, &limits, 0);
	ok(!group_event(&g, GROUP_LOST, 0, 0) &&
	    !group_event(&g, GROUP_LOST, 0, 0), "two that break may be chance");
	ok(group_event(&g, GROUP_LOST, 0, 0), "three are not");
}

static void
test_rate(void)
{
	struct group_limits slow = limits;
	struct group g;
	uint32_t sent = 0;

	group_init(&g, &limits, 0);
	ok(group_may_send(&g, 0, 1000) == 1000, "no rate, no limit");
	slow.per_minute = 60;
	group_init(&g, &slow, 0);
	for (int64_t now = 0; now <= 60000; now += 100) {
		uint32_t n = group_may_send(&g, now, 5);

		group_sent(&g, n);
		sent += n;
	}
	ok(sent >= 60 && sent <= 71, "60 a minute and what may go at once: %u",
	    sent);
	slow.per_minute = 1;
	group_init(&g, &slow, 0);
	group_sent(&g, group_may_send(&g, 0, 9));
	ok(group_may_send(&g, 59000, 9) == 0, "not before its time");
	ok(group_may_send(&g, 60000, 9) == 1, "one after a minute");
}

static void
test_room(void)
{
	static const struct {
		const char *what;
		uint64_t done;
		int64_t ms;
		bool any_wait;
		uint32_t want;
	} rows[] = {
		{ "a minute's worth", 1000, 60000, true, 1000 },
		{ "of a shorter look", 1000, 10000, true, 6000 },
		{ "of a longer one", 6000, 120000, true, 3000 },
		{ "one that takes none", 0, 10000, true, GROUP_ROOM_MIN },
		{ "one that is slow", 83, 10000, true, GROUP_ROOM_MIN },
		{ "one a little faster", 84, 10000, true, 504 },
		{ "a fast one leaves a quarter", 9000, 10000, true, 15000 },
		{ "the most there can be", UINT64_MAX / 60000, 10000, true,
		    15000 },
		{ "nothing had to be done", 0, 10000, false, GROUP_ROOM_FIRST },
		{ "no time has passed", 9, 0, true, GROUP_ROOM_FIRST },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		ok(group_room(rows[i].done, rows[i].ms, rows[i].any_wait,
		    20000) == rows[i].want, "room of a path: %s",
		    rows[i].what);
}

static void
test_gains(void)
{
	static const struct {
		uint64_t waiting;
		uint32_t us, n, all;
		bool want;
		const char *what;
	} rows[] = {
		{ 1, 0, 0, 0, true, "the first" },
		{ 1, 0, 0, 499, true, "the first beside many" },
		{ 5, 100000, 1, 1, true, "half a second of work" },
		{ 2, 100000, 1, 1, false, "a fifth of a second of work" },
		{ 5, 100000, 3, 3, false, "the same on three" },
		{ 3000, 0, 1, 1, true, "a pace that is not known" },
		{ 2000, 0, 1, 1, false, "few, at the least pace" },
		{ 100000, 9999, 1, 15, true, "near, beside few" },
		{ 100000, 9999, 1, 16, false, "near, beside many" },
		{ 100000, 10000, 1, 499, true, "not near, beside many" },
		{ UINT32_MAX, UINT32_MAX, UINT32_MAX, 1, true, "the most" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		ok(group_gains(rows[i].waiting, rows[i].us, rows[i].n,
		    rows[i].all) == rows[i].want, "one connection more: %s",
		    rows[i].what);
}

static void
test_limit(void)
{
	struct group_limits fewer = limits;
	struct group g;

	group_init(&g, &limits, 0);
	fewer.connections = 2;
	group_limit(&g, &fewer);
	ok(group_allowed(&g) == 2, "a new limit counts at once");
}

int
main(void)
{
	test_concurrency();
	test_pauses();
	test_lift();
	test_gains();
	test_lost();
	test_rate();
	test_room();
	test_limit();
	return done();
}
