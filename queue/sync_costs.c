/* sync_costs.c - one sync for all, or one for each file? No I/O, no clock. */
/* SPDX-License-Identifier: ISC */
#include "queue/sync_costs.h"

#define PROBE_EVERY 256		/* rounds between trials of the other way */
#define FORGET 16		/* rounds in which about two thirds remain */
#define FEW 4			/* files that are no group to try things on */

static uint64_t
average(uint64_t old, uint64_t sample)
{
	return old == 0 ? sample : (old * 7 + sample) / 8;
}

/* Whoever sends one letter waits for nothing but its files: what a sync of all
 * has to write for somebody else, a mailing's log above all, may take seconds.
 * So it is only tried with a group. */
bool
sync_costs_all(const struct sync_costs *c, size_t n)
{
	if (c->all == 0)
		return n > FEW;
	if (c->file == 0)
		return n > 1;
	if (n <= FEW && c->rounds % PROBE_EVERY == 0)
		return false;
	return c->all <= c->file * n;
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
	if (n > FEW && c->all > FORGET)
		c->all -= c->all / FORGET;
}
