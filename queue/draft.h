/* draft.h - the envelope of a message that is being received. No I/O. */
#ifndef QUEUE_DRAFT_H
#define QUEUE_DRAFT_H
/* SPDX-License-Identifier: ISC */

#include "queue/envelope.h"

/* A destination found so far. */
struct draft_recipient {
	uint32_t hash;
	uint32_t record;	/* where its record begins in records */
	uint32_t reply;		/* where in replies + 1; 0: it has not failed */
	bool is_caught;		/* by a catch-all; for the log */
	bool is_stray;		/* every original came by a catch-all alone */
};

struct draft {
	struct str records;	/* envelope records, as they go into the file */
	struct str replies;	/* of recipients that failed at once */
	struct draft_recipient *v;
	uint32_t n, cap;
	uint32_t n_originals, n_refused;
	uint32_t *seen;		/* hash table: place in v + 1 */
	uint32_t seen_size;
};

/* A point to go back to. */
struct draft_mark {
	size_t records;
	uint32_t n;
};

void draft_init(struct draft *d);
void draft_clear(struct draft *d);	/* keeps the memory */
void draft_free(struct draft *d);

/* One recipient as it was given; draft_add() then refers to it. 0 or -1. */
int draft_original(struct draft *d, struct slice address, uint8_t notify,
    struct slice orcpt) __attribute__((warn_unused_result));

/*
 * Where the last original goes; is_stray as in struct destination. A mailbox or
 * address that is there already collapses: the message goes there once, but the
 * other original is noted; it is stray if both are.
 * 0, or -1 with errno: ENOMEM, E2BIG (more than RECIPIENTS_MAX).
 */
int draft_add(struct draft *d, enum recipient_kind kind, struct slice domain,
    struct slice local, struct slice detail, bool is_stray)
    __attribute__((warn_unused_result));
/* The last original can be delivered nowhere, and why. 0 or -1. */
int draft_refuse(struct draft *d, struct slice domain, struct slice local,
    struct reply *why) __attribute__((warn_unused_result));

struct draft_mark draft_mark(const struct draft *d);
/* Forgets what was added since; not over a draft_refuse(). */
void draft_rewind(struct draft *d, struct draft_mark m);

/* All is added: what it has come to is recorded. 0 or -1. */
int draft_end(struct draft *d) __attribute__((warn_unused_result));

/* The states of the recipients as they go into the file; tail is where the
 * replies will be in it. */
void draft_states(const struct draft *d, uint64_t tail, int64_t now,
    unsigned char *out);

#endif
