/* num.h - strict text-to-integer conversion. */
#ifndef LIB_NUM_H
#define LIB_NUM_H
/* SPDX-License-Identifier: ISC */

#include <stdint.h>

#include "lib/slice.h"

/*
 * Convert all of s, decimal digits only, to *out with lo <= *out <= hi.
 * Returns 0, or -1 with *out untouched: empty, a sign, a space, any other
 * byte, or out of range.
 */
int num_parse(struct slice s, uint64_t lo, uint64_t hi, uint64_t *out)
    __attribute__((warn_unused_result));

/*
 * The same with an optional unit: k, M, G (powers of 1024) for sizes;
 * s, m, h, d (60, 60, 24) for durations, given in seconds.
 */
int num_parse_size(struct slice s, uint64_t lo, uint64_t hi, uint64_t *out)
    __attribute__((warn_unused_result));
int num_parse_duration(struct slice s, uint64_t lo, uint64_t hi, uint64_t *out)
    __attribute__((warn_unused_result));

/* The value of a hexadecimal digit, of either case; -1: it is none. */
int num_hex(char c);

#endif
