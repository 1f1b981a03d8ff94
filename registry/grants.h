/* grants.h - what the owner of a mailbox was granted to do with it. */
#ifndef REGISTRY_GRANTS_H
#define REGISTRY_GRANTS_H
/* SPDX-License-Identifier: ISC */

#include "lib/date.h"
#include "registry/operation.h"
#include "registry/valid.h"

/*
 * Whether the request, of an owner, needs something that is not granted: what
 * the row of operations[] names, less what the field "want" leaves out.
 * q->granted becomes what is used of it.
 */
enum registry_result grants_judge(struct request *q);

/* Whether an owner may set an attribute that is theirs. */
enum registry_result grants_attribute(struct request *q,
    const struct attribute *a);

/* Adds "granted" and "granted-until" of a mailbox to a row; words lasts as long
 * as the row. 0 or -1. */
struct grants_text {
	char words[GRANTS_TEXT_MAX], until[DATE_MAX];
};
int grants_row(struct request *q, const struct object *u,
    struct registry_fields *f, struct grants_text *text)
    __attribute__((warn_unused_result));

/* All that the owner's attributes need together. */
unsigned grants_of_attributes(void);

#endif
