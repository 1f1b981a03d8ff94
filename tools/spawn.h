/* spawn.h - what the files of malle-spawn share. */
#ifndef TOOLS_SPAWN_H
#define TOOLS_SPAWN_H
/* SPDX-License-Identifier: ISC */

#include "lib/conf.h"
#include "lib/proto_spawn.h"

/* What the parent has opened before it confined itself. */
struct spawn {
	struct conf conf;
	int queue, auth, registry;	/* the pairs that requests come from;
				 * registry may be -1 */
	int mail;		/* the folder mail/ */
	int local, mailbox;	/* the programs malle-local, malle-mailbox */
};

/* spawn_child.c: what a forked child does; they never return. */
__attribute__((noreturn)) void child_local(const struct spawn *s,
    const char *domain, uid_t uid, int connection);
__attribute__((noreturn)) void child_mailbox(const struct spawn *s,
    const struct spawn_mailbox *who, int connection);
__attribute__((noreturn)) void child_pop3(const struct spawn *s,
    const struct spawn_pop3 *who, int client, int login);

#endif
