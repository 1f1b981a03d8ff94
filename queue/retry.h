/* retry.h - when to try again, and how old a message is. No I/O. */
#ifndef QUEUE_RETRY_H
#define QUEUE_RETRY_H
/* SPDX-License-Identifier: ISC */

#include <stdint.h>

/*
 * Seconds until the attempt after this many attempts: first, doubled by halves
 * (1, 1.5, 2.25 ...) up to max, give or take an eighth. random is any number.
 */
uint64_t retry_delay(uint64_t first, uint64_t max, unsigned attempts,
    uint32_t random);

/* What a restart makes of a due time on the wall clock: seconds from now,
 * never more than max, whatever the clock has done since. */
uint64_t retry_remaining(int64_t due, int64_t now, uint64_t max);

/*
 * The age: what the wall clock says since arrival, or what the machine has
 * lived through, whichever is less. Never negative.
 */
int64_t message_age(int64_t arrival, int64_t now, int64_t lived);

#endif
