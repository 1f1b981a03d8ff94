/* usage.h - how much of everything a domain and a customer have. */
#ifndef REGISTRY_USAGE_H
#define REGISTRY_USAGE_H
/* SPDX-License-Identifier: ISC */

#include "registry/registry.h"

/* What is counted; a limit is the attribute "max-" and the name. */
enum usage_of {
	USED_DOMAINS,		/* of a customer only */
	USED_MAILBOXES,
	USED_ALIASES,		/* that lead to one address */
	USED_FORWARDS,		/* that lead to several */
	USED_ROBOTS,
	USED_BYTES,		/* sum of the quotas */
	USED_NO_QUOTA,		/* mailboxes that have none */
	USED_WHAT
};

struct usage {
	int64_t n[USED_WHAT];
};

extern const char *const usage_names[USED_WHAT];

/*
 * The counts are kept in the store with each change, so that a limit costs the
 * same in a large domain as in a small one. owner is a domain's or a client's
 * object or one of that name. 0 or -1.
 */
int usage_get(struct registry *r, const struct kind *k, const char *name,
    struct usage *out) __attribute__((warn_unused_result));
/* Before a change is written: counts what it makes more or less. 0 or -1. */
int usage_note(struct registry *r, const struct object *before,
    const struct object *after) __attribute__((warn_unused_result));
/* What the change of an address adds; false when it is none. */
bool usage_of_change(const struct object *before, const struct object *after,
    struct usage *out);

/* Counts all again. *wrong: how many counts were not right. 0 or -1. */
int usage_rebuild(struct registry *r, uint64_t *wrong)
    __attribute__((warn_unused_result));

#endif
