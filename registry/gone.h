/* gone.h - addresses that a request takes away, and what goes with them. */
#ifndef REGISTRY_GONE_H
#define REGISTRY_GONE_H
/* SPDX-License-Identifier: ISC */

#include "registry/operation.h"

struct gone {
	struct str names;	/* a NUL after each */
	size_t n;
	uint64_t lists;		/* of senders that they have left */
};

#define GONE_INIT ((struct gone){ STR_INIT(1 << 30), 0, 0 })

void gone_add(struct gone *g, const char *name);

/*
 * Once all is done that the request does: refuses it, unless forced, when
 * something leads to one of them, and takes them out of lists of senders. The
 * result until now is given back when it is another than REGISTRY_OK; g is
 * freed.
 */
enum registry_result gone_judge(struct request *q, struct gone *g,
    enum registry_result result);

/* The same of one address. */
enum registry_result gone_judge_one(struct request *q, const char *name);

/*
 * What is its owner's by the name of a mailbox that is deleted goes with it
 * (mentions.c): aliases that lead only there, unless it is redirected, hosts.
 * old may be "@domain": all mailboxes there are deleted, and their aliases.
 */
struct leaving {
	uint64_t aliases, relays;	/* that went */
	uint64_t lists;			/* of senders that it has left */
};
enum registry_result leave_mentions(struct request *q, const char *old,
    bool redirected, struct gone *gone, struct leaving *leaving);

/* The same of the hosts that mailboxes of a domain answer for. */
enum registry_result forget_relays(struct request *q, const char *domain);

#endif
