/* compile.h - from the registry to the tables that sessions read. */
#ifndef REGISTRY_COMPILE_H
#define REGISTRY_COMPILE_H
/* SPDX-License-Identifier: ISC */

#include "registry/registry.h"

/* Notes which tables a change makes stale, if any. 0 or -1. */
int compile_note(struct registry *r, const struct object *before,
    const struct object *after) __attribute__((warn_unused_result));

/*
 * Inside the transaction: writes every stale table aside, durable. 0, or -1
 * with errno: the transaction must be given up, and compile_discard called.
 */
int compile_stage(struct registry *r) __attribute__((warn_unused_result));
/* After the commit: makes the new tables visible, all of them. 0, or -1 with
 * errno: the process must end; the next start compiles what is stale. */
int compile_publish(struct registry *r) __attribute__((warn_unused_result));
/* Instead: removes what was written aside. */
void compile_discard(struct registry *r);

/* Removes the files that are no table of ours. Inside a transaction that has
 * changed nothing: what it has deleted would be gone though it failed. 0 or
 * -1. */
int compile_tidy(struct registry *r) __attribute__((warn_unused_result));
/* Inside a transaction: notes every table that is not of the registry's state;
 * all of them when all is true. 0 or -1. */
int compile_find_stale(struct registry *r, bool all)
    __attribute__((warn_unused_result));

struct table_fault {
	char table[ADDR_DOMAIN_MAX + 32];
	struct slice key;	/* of a record; empty: the table itself */
	const char *english, *french;
};
/* Compares every record of every table with the registry. 0, or -1. */
int compile_compare(struct registry *r,
    void (*fault)(void *arg, const struct table_fault *f), void *arg)
    __attribute__((warn_unused_result));

#endif
