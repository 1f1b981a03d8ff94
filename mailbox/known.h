/* known.h - messages that were met, by their places. */
#ifndef MAILBOX_KNOWN_H
#define MAILBOX_KNOWN_H
/* SPDX-License-Identifier: ISC */

#include <stdbool.h>
#include <stdint.h>

#include "lib/slice.h"

#define KNOWN_MAX (1u << 22)	/* a mailbox with more is refused */

/* Hashes of folder and unique name; all zero is an empty one. */
struct known {
	uint64_t *v;		/* open addressing; 0 is a free place */
	size_t n, cap;		/* cap is a power of two */
};

bool known_has(const struct known *k, const char *folder, struct slice unique);
/* 0, or -1 with errno: there are too many. */
int known_add(struct known *k, const char *folder, struct slice unique)
    __attribute__((warn_unused_result));
void known_free(struct known *k);

#endif
