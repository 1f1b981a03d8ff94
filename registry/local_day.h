/* local_day.h - a day alone, as the domain's people mean it. */
#ifndef REGISTRY_LOCAL_DAY_H
#define REGISTRY_LOCAL_DAY_H
/* SPDX-License-Identifier: ISC */

#include "lib/zone.h"
#include "registry/registry.h"

/* The zone of a domain, or of the one that it is another name of; one that is
 * not known counts as UTC. 0, or -1 with errno. */
int local_zone(struct registry *r, const char *name, struct zone *out)
    __attribute__((warn_unused_result));

/* The first, or the last (is_end), second of a day "2026-12-24" in the time zone
 * of an account's domain. 1, 0: it is no day, or -1 with errno. */
int local_moment(struct registry *r, const char *account, struct slice day,
    bool is_end, int64_t *out) __attribute__((warn_unused_result));
/* It takes the place of such a day that attribute of an account has; a moment
 * stays. 0, or -1 with errno. */
int local_day(struct registry *r, struct object *account,
    const char *attribute, bool is_end) __attribute__((warn_unused_result));

#endif
