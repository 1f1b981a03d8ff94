/* reply.h - the answers of a mailbox session: gathered, sent in one piece. */
#ifndef POP3D_REPLY_H
#define POP3D_REPLY_H
/* SPDX-License-Identifier: ISC */

#include <stdint.h>

#include "lib/slice.h"
#include "lib/wire.h"

/*
 * lib/buf.h has room for command lines; this one has room for a piece of a
 * message with all of its line ends doubled, so that an ordinary message and
 * its status line leave in one write. Errors are sticky.
 */
#define REPLY_PIECE 32768	/* bytes of a message taken at a time */
#define REPLY_CAP (WIRE_ROOM(REPLY_PIECE) + 512)

struct reply {
	int fd;			/* borrowed */
	int timeout;		/* seconds for any one wait */
	int error;		/* sticky errno of a failed write; 0 */
	size_t len;
	uint64_t sent;		/* bytes handed to the kernel so far */
	char bytes[REPLY_CAP];
};

void reply_init(struct reply *r, int fd, int timeout);
/* Where at most n bytes (<= REPLY_CAP) may be written; then reply_added().
 * Sends what is pending when there is no room. Never NULL. */
char *reply_room(struct reply *r, size_t n);
void reply_added(struct reply *r, size_t n);
void reply_put(struct reply *r, struct slice bytes);
void reply_puts(struct reply *r, const char *s);
void reply_number(struct reply *r, uint64_t v);
/* Sends all that is pending. 0, or -1 with errno (now or earlier). */
int reply_flush(struct reply *r);

#endif
