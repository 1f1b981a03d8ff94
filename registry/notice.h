/* notice.h - mail from the registry to owners of mailboxes, and the postmaster. */
#ifndef REGISTRY_NOTICE_H
#define REGISTRY_NOTICE_H
/* SPDX-License-Identifier: ISC */

#include "lib/proto_registry.h"
#include "registry/registry.h"

/* What is under way to malle-queued. */
struct notices {
	int fd;			/* its answer comes here, or -1 */
	int64_t next;		/* monotonic ms: a look then */
	char key[REGISTRY_NOTICE_KEY_MAX + 1];	/* of the one under way */
};

/*
 * In the transaction of a change: if it gives somebody else than the owner the
 * password of a mailbox, or an application password, its owner is to be told.
 * 0 or -1 with errno.
 */
int notice_of_change(struct registry *r, const struct actor *who,
    const struct object *before, const struct object *after)
    __attribute__((warn_unused_result));
/* In a transaction: this absence has gone on for long. 0 or -1. */
int notice_of_absence(struct registry *r, const struct object *user)
    __attribute__((warn_unused_result));

/* In the transaction of a change: admin has got a password by the security code;
 * the postmaster is told, if there is one. 0 or -1. */
int notice_of_recovery(struct registry *r, struct slice from)
    __attribute__((warn_unused_result));

/* Outside of transactions, in each turn; answered: n->fd is readable. */
void notice_turn(struct notices *n, struct registry *r, bool answered);

#endif
