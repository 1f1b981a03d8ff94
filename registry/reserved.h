/* reserved.h - names that are functions, not persons. */
#ifndef REGISTRY_RESERVED_H
#define REGISTRY_RESERVED_H
/* SPDX-License-Identifier: ISC */

#include "registry/operation.h"

/* True for a name that names a function, or a part of the service. */
bool reserved_is(struct slice local);
/* Refuses a mailbox of such a name, unless it is meant. */
enum registry_result reserved_judge(struct request *q, const char *address);

#endif
