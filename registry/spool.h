/* spool.h - a row of messages that may be longer than memory should hold. */
#ifndef REGISTRY_SPOOL_H
#define REGISTRY_SPOOL_H
/* SPDX-License-Identifier: ISC */

#include <stdint.h>

#include "lib/str.h"

#define SPOOL_MEMORY (256 * 1024)	/* beyond it, a nameless file */
#define SPOOL_MAX (4ULL * 1024 * 1024 * 1024)

/*
 * Messages are appended, then taken in the same order: the answers to a
 * client that reads slowly, the objects of a long request. Errors are sticky.
 */
struct spool {
	struct str memory;	/* what is not yet in the file */
	size_t taken;		/* of memory */
	int fd;			/* -1: none */
	uint64_t written, read;	/* of the file */
	bool bad;
};

#define SPOOL_INIT \
	((struct spool){ STR_INIT(SPOOL_MEMORY + 70000), 0, -1, 0, 0, false })

/* Adds a message; type and bytes are given back as they are. */
void spool_put(struct spool *s, uint16_t type, struct slice bytes);
/* The next one, copied to space[cap]. 1, 0 when there is none (left), -1. */
int spool_take(struct spool *s, uint16_t *type, char *space, size_t cap,
    size_t *len) __attribute__((warn_unused_result));
/* Gives back the last one taken, for another try. len: as spool_take gave. */
void spool_untake(struct spool *s, size_t len);
/* Empties it and forgets an error. */
void spool_clear(struct spool *s);

#endif
