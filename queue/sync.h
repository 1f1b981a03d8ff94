/* sync.h - group commit: one thread makes files and their names durable. */
#ifndef QUEUE_SYNC_H
#define QUEUE_SYNC_H
/* SPDX-License-Identifier: ISC */

#include <sys/queue.h>

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "queue/sync_costs.h"

/* One file to be made durable; part of the caller's struct of a commit. */
struct sync_item {
	STAILQ_ENTRY(sync_item) link;
	int fd;			/* the file, open for writing; borrowed; -1:
				 * all that was written before */
	int dirfd;		/* the folder that its name is in; borrowed */
	int error;		/* errno of a failed sync; final, never retried */
};
STAILQ_HEAD(sync_items, sync_item);

struct sync {
	pthread_t thread;
	pthread_mutex_t mutex;
	pthread_cond_t work;
	struct sync_items waiting, done;	/* under mutex */
	bool stop, is_idle;			/* under mutex */
	int event;		/* readable when something is in done */
	int dirfd;		/* of the filesystem; borrowed */
	bool has_syncfs;	/* and it tells of errors */
	/* of the thread, read by others for statistics only */
	struct sync_costs costs;
	uint64_t groups, syncs, files;
	struct sync_items next;	/* of the submitter, before sync_flush() */
};

/* Starts the thread. 0, or -1 with errno. */
int sync_start(struct sync *s, int dirfd) __attribute__((warn_unused_result));
/* Hands over with the next sync_flush(). */
void sync_submit(struct sync *s, struct sync_item *i);
void sync_flush(struct sync *s);
/* Moves what is done to out, after event became readable. */
void sync_collect(struct sync *s, struct sync_items *out);
/* Finishes what was handed over, ends the thread. */
void sync_stop(struct sync *s);

#endif
