/* settle.h - makes a transaction durable and its tables visible. */
#ifndef REGISTRY_SETTLE_H
#define REGISTRY_SETTLE_H
/* SPDX-License-Identifier: ISC */

#include "registry/registry.h"

/*
 * Makes what the open transaction holds durable and visible. 0, or -1: it is
 * given up and nothing has changed. When the disk cannot be believed any more
 * the process ends: the next one recovers. lazy: what no table shows may be
 * lost in a crash.
 */
int settle(struct registry *r, bool lazy) __attribute__((warn_unused_result));
/* The same for tables that are found to be stale when the process starts. */
int settle_at_start(struct registry *r) __attribute__((warn_unused_result));

#endif
