/* test_sync_costs.c - one sync for all, or one for each file? */
/* SPDX-License-Identifier: ISC */
#include "queue/sync_costs.h"
#include "tests/unit/tap.h"

/* A disk: what a sync of all and one of a file take on it. */
static size_t
work(struct sync_costs *c, uint64_t all, uint64_t file, size_t n,
    size_t rounds)
{
	size_t syncs = 0;

	for (size_t i = 0; i < rounds; i++) {
		bool one = sync_costs_all(c, n);

		sync_costs_took(c, one, n, one ? all : file * n);
		syncs += one ? 1 : 2 * n;
	}
	return syncs;
}

static void
test_first(void)
{
	struct sync_costs c = { 0, 0, 0 };

	ok(!sync_costs_all(&c, 1), "a file that comes alone first: by itself");
	ok(!sync_costs_all(&c, 4), "a few, too");
	ok(sync_costs_all(&c, 5), "a group: one sync");
	sync_costs_took(&c, false, 1, 300);
	ok(!sync_costs_all(&c, 4), "no letter is there to try the other way on");
	ok(sync_costs_all(&c, 5), "a group is");
	sync_costs_took(&c, true, 5, 900);
	ok(!sync_costs_all(&c, 2), "900 us for all, 300 for a file: not for two");
	ok(sync_costs_all(&c, 3) && sync_costs_all(&c, 50), "but for three");
}

static void
test_alone(void)
{
	struct sync_costs c = { 0, 0, 0 };
	size_t syncs;

	(void)work(&c, 900, 300, 1, 10);
	syncs = work(&c, 900, 300, 1, 10000);
	ok(syncs == 20000, "one at a time stays with files alone: %zu", syncs);
	(void)work(&c, 900, 300, 8, 10);
	syncs = work(&c, 900, 300, 1, 10000);
	ok(syncs == 20000, "when both ways are known, too: %zu", syncs);
}

static void
test_spike(void)
{
	struct sync_costs c = { 0, 0, 0 };
	size_t syncs;

	(void)work(&c, 600, 300, 8, 100);
	(void)work(&c, 600, 300, 1, 2);
	ok(sync_costs_all(&c, 8), "groups of eight: one sync");
	/* Somebody else writes a gigabyte. */
	for (int i = 0; i < 20; i++)
		sync_costs_took(&c, true, 8, 200000);
	ok(!sync_costs_all(&c, 8), "then each alone, as that is faster now");
	syncs = work(&c, 600, 300, 8, 200);
	ok(syncs < 16 * 200 / 2, "and it comes back to one: %zu", syncs);
	syncs = work(&c, 600, 300, 8, 1000);
	ok(syncs == 1000, "for good: %zu", syncs);
}

static void
test_busy(void)
{
	struct sync_costs c = { 0, 0, 0 };
	size_t few = 0, group = 0;

	(void)work(&c, 600, 300, 8, 10);
	(void)work(&c, 600, 300, 1, 2);
	for (size_t i = 0; i < 2000; i++) {
		size_t n = i % 2 == 0 ? 3 : 8;
		bool one = sync_costs_all(&c, n);

		sync_costs_took(&c, one, n, one ? 50000 : 300 * n);
		few += one && n == 3;
		group += one && n == 8;
	}
	ok(group > 0 && group < 60, "while somebody writes all the time, it is "
	    "seldom tried: %zu of 1000", group);
	ok(few <= 1, "and once it is known, never with a few: %zu of 1000", few);
}

static void
test_limits(void)
{
	struct sync_costs c = { 0, 0, 0 };

	sync_costs_took(&c, false, 1, 0);
	sync_costs_took(&c, true, 1, 0);
	ok(c.file > 0 && c.all > 0, "no time at all is known, too");
	(void)work(&c, 0, 0, 64, 1000);
	ok(c.file > 0 && c.all > 0, "and stays so");
}

int
main(void)
{
	test_first();
	test_alone();
	test_spike();
	test_busy();
	test_limits();
	return done();
}
