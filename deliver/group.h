/* group.h - deliveries that are made durable together. */
#ifndef DELIVER_GROUP_H
#define DELIVER_GROUP_H
/* SPDX-License-Identifier: ISC */

#include "deliver/copy.h"
#include "deliver/folder.h"
#include "deliver/mailbox.h"

#define GROUP_MAX (2 * LOCAL_BATCH)

enum delivery_state {
	DELIVERY_FAILED,	/* the result says why */
	DELIVERY_WRITTEN,	/* whole in tmp */
	DELIVERY_PUBLISHED,	/* named in new */
	DELIVERY_KNOWN		/* was there from an earlier attempt */
};

struct delivery {
	struct local_job job;
	int from;		/* the queue's file; owned */
	int to;			/* our file, if it is to be synced alone; -1 */
	enum delivery_state state;
	struct mailbox *mailbox;
	uint64_t size;
	char folder[FOLDER_NAME_MAX + 2];	/* "" or that of a sub-address */
	char aside[64];		/* name in tmp */
	char name[MAILDIR_NAME_MAX + 1];	/* name in new */
	struct local_result result;
};

struct group {
	const char *hostname;	/* for file names; borrowed */
	uint64_t started;	/* seconds: messages accepted before that may
				 * have been delivered by another worker */
	uint64_t files;		/* made so far, for names in tmp */
	char process[32];	/* the same, of this process alone */
	struct mailboxes mailboxes;
	struct copier copier;
	size_t n;
	struct delivery v[GROUP_MAX];
};

/* hostname must outlive g. NULL with errno. */
struct group *group_new(int mailfd, const char *domain, const char *hostname);
/* Accepts NULL. */
void group_free(struct group *g);

/* Adds a job; from belongs to g now. There must be room. */
void group_add(struct group *g, const struct local_job *j, int from);

/*
 * Delivers all: writes tmp, syncs, renames into new, syncs again. Afterwards
 * each result is filled, nothing is open, and a success is durable, content
 * and name. The caller sets n to 0 when it has read the results.
 */
void group_deliver(struct group *g);

#endif
