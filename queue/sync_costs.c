/* sync_costs.c - one sync for all, or one for each file? No I/O, no clock. */
/* SPDX-License-Identifier: ISC */
#include "queue/sync_costs.h"

#define PROBE_EVERY 256		/* rounds between trials of the dearer way */
#define FORGET 16		/* rounds in which about two thirds remain */

static uint64_t
average(uint64_t old, uint64_t sample)
{
	return old == 0 ? sample : (old * 7 + sample) / 8;
}

bool
sync_costs_all(const struct sync_costs *c, size_t n)
{
	bool cheaper = c->all <= c->file * n;

	if (c->file == 0)
		return n > 1;
	if (c->all == 0)
		return true;
	/* The other way is tried now and then, but never for a large group. */
	if (c->rounds % PROBE_EVERY == 0 && n <= 4)
		return !cheaper;
	return cheaper;
}

void
sync_costs_took(struct sync_costs *c, bool all, size_t n, uint64_t us)
{
	/* 0 would mean that nothing is known. */
	if (us == 0)
		us = 1;
	c->rounds++;
	if (all) {
		c->all = average(c->all, us);
		return;
	}
	c->file = average(c->file, us / n > 0 ? us / n : 1);
	if (n > 1 && c->all > FORGET)
		c->all -= c->all / FORGET;
}
