/* zone.h - time zones by name, without their files. */
#ifndef REGISTRY_ZONE_H
#define REGISTRY_ZONE_H
/* SPDX-License-Identifier: ISC */

#include <stdbool.h>

#include "lib/slice.h"

/* Reads what each zone of the database does from now on. The number of zones,
 * 0 when there is no such database, or -1 with errno. */
int zones_load(const char *folder) __attribute__((warn_unused_result));
/* The rule of lib/zone.h, less than ZONE_RULE_MAX bytes; NULL: there is no
 * such zone, as far as they are known. */
const char *zone_rule(struct slice name);
/* True when the database is not known at all. */
bool zones_are_unknown(void);

#endif
