/* journal.h - who changed what, when, before and after. */
#ifndef REGISTRY_JOURNAL_H
#define REGISTRY_JOURNAL_H
/* SPDX-License-Identifier: ISC */

#include "registry/registry.h"

#define JOURNAL_FROM_MAX 80

struct journal_entry {
	uint64_t id;
	uint64_t request;	/* id of the first entry of the same request */
	int64_t time;
	uint32_t uid;
	struct slice account;	/* that proved itself; empty */
	struct slice operation;
	struct slice from;	/* as it was told; empty */
	bool has_before, has_after;
	struct object before, after;	/* point into the entry's bytes */
};

/* Writes the entry of a change to the store and, pending, its line. 0 or -1. */
int journal_write(struct registry *r, const struct actor *who,
    const struct object *before, const struct object *after)
    __attribute__((warn_unused_result));

/* The entry's line in the text journal, secrets left out. */
void journal_line(const struct journal_entry *e, struct str *out);

/* Appends the pending lines to the text journal, after the commit. What fails
 * is made good at the next start. */
void journal_flush(struct registry *r);
/* Forgets pending lines: the transaction was given up. */
void journal_forget(struct registry *r, uint64_t next, size_t text_len);

/* One entry; bytes holds what it points into. 1, 0 no such, -1. */
int journal_get(struct registry *r, uint64_t id, struct str *bytes,
    struct journal_entry *out) __attribute__((warn_unused_result));

/* At start: finds the last entry, mends the text journal from the store, so
 * that it lacks none. 0, or -1 with errno. */
int journal_open(struct registry *r) __attribute__((warn_unused_result));

/* Calls each for the entries with an id above after, as store_each(). */
int journal_each(struct registry *r, uint64_t after,
    int (*each)(void *arg, const struct journal_entry *e), void *arg)
    __attribute__((warn_unused_result));

/* Puts a value into out as a JSON string, with its quotes. */
void json_string(struct str *out, struct slice value);

#endif
