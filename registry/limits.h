/* limits.h - what a domain and a customer may have at most. */
#ifndef REGISTRY_LIMITS_H
#define REGISTRY_LIMITS_H
/* SPDX-License-Identifier: ISC */

#include "registry/operation.h"
#include "registry/usage.h"

/* After a change was written: refuses it when it made more of something than
 * the domain or its customer may have. What is above a limit that was lowered
 * stays. */
enum registry_result limits_judge(struct request *q,
    const struct object *before, const struct object *after);

/* Gives a new mailbox u of the domain d its quota: the default one, and where
 * storage is limited a small one to what a domain must have. */
enum registry_result limits_give_quota(struct request *q,
    const struct object *d, struct object *u, bool is_structural);
/* Before d is changed: when its storage is limited now, the mailboxes that have
 * no quota get the default one, if there is one. */
enum registry_result limits_give_quotas(struct request *q,
    const struct object *d);

/* What the fields of limits_row() point into. */
struct limits_text {
	char name[USED_WHAT][32], value[USED_WHAT][24];
};

/* Adds "used-mailboxes" and the like. 0 or -1. */
int limits_row(struct request *q, const struct object *owner,
    struct registry_fields *f, struct limits_text *text)
    __attribute__((warn_unused_result));

#endif
