/* strays.h - mailboxes of catch-alls are emptied when nobody does. */
#ifndef REGISTRY_STRAYS_H
#define REGISTRY_STRAYS_H
/* SPDX-License-Identifier: ISC */

#include "registry/registry.h"

struct strays {
	int fd;			/* of the mailbox that is at it, or -1 */
	int64_t next;		/* monotonic ms of the next one */
	char after[ADDR_TEXT_MAX];	/* what this round has come to */
	char mailbox[ADDR_TEXT_MAX];
};

#define STRAYS_INIT ((struct strays){ .fd = -1 })

/* Whether a catch-all that leads to this goes into a mailbox, which is emptied.
 * 1, 0, -1. */
int strays_is_mailbox(struct registry *r, struct slice to);

/* Begins with the next mailbox, when a day is over with the first one;
 * answered: s->fd can be read, malle-mailbox has ended one. Once in each turn. */
void strays_turn(struct strays *s, struct registry *r, bool answered);

#endif
