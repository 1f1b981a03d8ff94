/* sync_costs.h - one sync for all, or one for each file? No I/O, no clock. */
#ifndef QUEUE_SYNC_COSTS_H
#define QUEUE_SYNC_COSTS_H
/* SPDX-License-Identifier: ISC */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * What both ways have cost is remembered as moving averages. A way that is not
 * taken is not measured either: so that one slow sync of all, when somebody
 * else wrote much, is not held against that way for ever, what is known of it
 * counts a little less with every round of a group.
 */
struct sync_costs {
	uint64_t all, file;	/* microseconds; 0: not known */
	uint64_t rounds;
};

/* True when one sync of all is expected to cost less than n files alone. */
bool sync_costs_all(const struct sync_costs *c, size_t n);
/* A round of n files has taken us, one way or the other. */
void sync_costs_took(struct sync_costs *c, bool all, size_t n, uint64_t us);

#endif
