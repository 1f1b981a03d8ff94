/* apps.h - the application passwords of a mailbox. */
#ifndef REGISTRY_APPS_H
#define REGISTRY_APPS_H
/* SPDX-License-Identifier: ISC */

#include "registry/object.h"

/* Notes in u that the application password of that name was used. 1: u is
 * another now, 0: there is nothing to note, -1. */
int apps_note_use(struct object *u, struct slice name, int64_t when)
    __attribute__((warn_unused_result));

#endif
