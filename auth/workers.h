/* workers.h - the threads that do the slow hashing for malle-authd. */
#ifndef AUTH_WORKERS_H
#define AUTH_WORKERS_H
/* SPDX-License-Identifier: ISC */

#include <pthread.h>

#include "auth/memory.h"
#include "auth/password.h"

#define WORKERS 2
#define WORKERS_WAITING_MAX 256		/* jobs in each lane */

/* What is urgent is done first: clients that have logged in before are not
 * held up by a flood of strangers' guesses. */
enum lane { LANE_FRIEND, LANE_STRANGER, LANE_UPGRADE, LANES };

enum job_kind { JOB_VERIFY, JOB_UPGRADE };

/* One piece of work. Owned by the caller, but between workers_put() and
 * workers_take() nobody but a thread touches what is below "in" and "out". */
struct job {
	struct job *next;
	void *owner;			/* the caller's own business */
	struct memory_key key;		/* likewise */
	/* in */
	enum job_kind kind;
	char password[PASSWORD_MAX];
	size_t password_len;
	char hash[PASSWORD_HASH_MAX];	/* what is stored */
	/* out */
	bool right;			/* VERIFY */
	bool unknown;			/* VERIFY: there was no memory for it */
	bool made;			/* UPGRADE: new_hash is better */
	bool has_scram;
	char new_hash[PASSWORD_HASH_MAX];
	struct scram_keys scram;
};

struct lane_queue {
	struct job *first, **last;
	size_t n;
};

struct workers {
	pthread_mutex_t lock;
	pthread_cond_t wake;
	struct lane_queue lanes[LANES];
	struct lane_queue finished;
	int event_fd;		/* readable when something is finished */
};

/* Starts the threads, with all signals blocked. 0, or -1 with errno. */
int workers_start(struct workers *w) __attribute__((warn_unused_result));
/* 0, or -1 (EAGAIN): that lane is full. */
int workers_put(struct workers *w, enum lane lane, struct job *job)
    __attribute__((warn_unused_result));
/* The next finished job, or NULL. */
struct job *workers_take(struct workers *w);

/* Jobs with their secrets wiped at the end; NULL with errno. */
struct job *job_new(enum job_kind kind, struct slice password,
    const char *hash);
void job_free(struct job *job);

#endif
