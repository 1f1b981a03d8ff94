/* update.h - the UPDATE state: what QUIT does to the Maildir. */
#ifndef POP3D_UPDATE_H
#define POP3D_UPDATE_H
/* SPDX-License-Identifier: ISC */

#include "pop3d/maildrop.h"

struct update {
	uint64_t deleted;	/* messages, their files removed by us */
	uint64_t bytes;		/* of these files */
	uint64_t failed;	/* marked, but still there */
	int error;		/* errno of the last failure, 0 */
};

/*
 * RFC 1939 section 6: removes the messages that DELE has marked, lowers
 * maildirsize, and makes the removals durable. A file that somebody else has
 * removed is no failure. Names that lack their sizes get them, where they were
 * measured in this session. Does all that it can whatever fails.
 */
void update_maildir(struct maildrop *d, int maildirfd, struct update *out);

#endif
