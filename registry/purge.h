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

/* In a transaction: begins with the next record whose time is over, if none is
 * under way and now is the time to look. 0, or -1 with errno. */
int purge_look(struct purge *p, struct registry *r, int64_t now)
    __attribute__((warn_unused_result));
/* In a transaction, when p->fd can be read: drops the record of what has gone.
 * 0, or -1 with errno. */
int purge_end(struct purge *p, struct registry *r)
    __attribute__((warn_unused_result));

#endif
