/* purge.h - deleted mail goes when its time is over. */
#ifndef REGISTRY_PURGE_H
#define REGISTRY_PURGE_H
/* SPDX-License-Identifier: ISC */

#include "lib/proto_spawn.h"
#include "registry/registry.h"

#define GRACE_DAYS 30		/* for which a deletion can be taken back */

/*
 * Has malle-spawn open a mailbox; the asker's end of the pair is returned, or
 * -1 with errno (ENOTCONN: there is no malle-spawn to ask).
 */
int purge_spawn(const struct registry *r, const struct spawn_mailbox *who);

struct purge {
	int fd;			/* of the purge that is under way, or -1 */
	int64_t next;		/* monotonic ms of the next look */
	char after[ADDR_TEXT_MAX];	/* what this round has come to */
	bool again;		/* something went: a domain may be next */
};

#define PURGE_INIT ((struct purge){ .fd = -1 })

/* Begins with what is due; answered: p->fd can be read, malle-mailbox has ended
 * a purge. In a transaction of its own, once in each turn. */
void purge_turn(struct purge *p, struct registry *r, bool answered);

#endif
