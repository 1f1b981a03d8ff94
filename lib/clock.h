/* clock.h - the clock that nobody can set, for deadlines and durations. */
#ifndef LIB_CLOCK_H
#define LIB_CLOCK_H
/* SPDX-License-Identifier: ISC */

#include <stdint.h>

/* CLOCK_MONOTONIC, in milliseconds and in microseconds. */
int64_t clock_ms(void);
int64_t clock_us(void);

#endif
