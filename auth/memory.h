/* memory.h - a bounded table that forgets what was not asked for longest. */
#ifndef AUTH_MEMORY_H
#define AUTH_MEMORY_H
/* SPDX-License-Identifier: ISC */

#include <stdint.h>

#include "lib/slice.h"

/*
 * Keys are digests with a secret key of the program's own, so that nobody
 * outside can choose keys that collide. Values are bytes of a fixed size, zero
 * at first. All memory is taken at once: it never fails later.
 */
struct memory;

struct memory_key {
	uint8_t b[32];
};

/* NULL with errno. */
struct memory *memory_new(size_t capacity, size_t value_size);
void memory_free(struct memory *m);

/* The value of key, which becomes the most recent one; NULL: not there. It is
 * valid until the next memory_get(). */
void *memory_find(struct memory *m, const struct memory_key *key);
/* The same, and when it is not there a new one, zeroed, takes the place of the
 * one that was not asked for longest. */
void *memory_get(struct memory *m, const struct memory_key *key);

/* HMAC-SHA-256 over kind and the parts, each with its length before it. */
void memory_digest(const uint8_t secret[32], char kind,
    const struct slice *parts, size_t n, struct memory_key *out);

#endif
