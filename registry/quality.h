/* quality.h - whether a password is good enough, and why not. */
#ifndef REGISTRY_QUALITY_H
#define REGISTRY_QUALITY_H
/* SPDX-License-Identifier: ISC */

#include "registry/schema.h"

/*
 * Judges a new password of address. 0, or -1 with *why. min is in characters
 * (the caller names it in its own sentence for the text "is too short").
 */
int quality_check(struct slice password, const char *address, uint64_t min,
    struct text *why) __attribute__((warn_unused_result));

/* The same for the name of the person: none of its words may be in it. */
int quality_names(struct slice password, const char *full_name,
    struct text *why) __attribute__((warn_unused_result));

#endif
