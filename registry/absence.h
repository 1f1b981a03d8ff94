/* absence.h - vacations that begin anew, and that are over. */
#ifndef REGISTRY_ABSENCE_H
#define REGISTRY_ABSENCE_H
/* SPDX-License-Identifier: ISC */

#include "registry/registry.h"

/*
 * A vacation that is switched on: dates of an earlier one that were not given
 * anew (has_start, has_end) are forgotten, and it begins now, so that everybody
 * is answered again. 0 or -1 (ENOMEM).
 */
int absence_begin(const struct object *before, struct object *after,
    bool has_start, bool has_end, int64_t now)
    __attribute__((warn_unused_result));

/* With a change: notes when there is something to do for an absence, and forgets
 * the reminder of one that is over. 0 or -1. */
int absence_note(struct registry *r, const struct object *before,
    const struct object *after) __attribute__((warn_unused_result));

/*
 * Inside a transaction, when absence_is_due(): switches off what is over, some
 * at a time, with entries in the journal, and finds out when the next one ends.
 * 0, or -1 with errno.
 */
bool absence_is_due(const struct registry *r, int64_t now);
int absence_end(struct registry *r, int64_t now)
    __attribute__((warn_unused_result));

#endif
