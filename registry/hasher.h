/* hasher.h - the thread that hashes passwords, so that nobody waits for it. */
#ifndef REGISTRY_HASHER_H
#define REGISTRY_HASHER_H
/* SPDX-License-Identifier: ISC */

#include <stdbool.h>
#include <stdint.h>

#include "auth/password.h"

/*
 * One job: verify current against known (unless known is empty), then make
 * hash and keys of password (unless it is empty). Filled in by the asker, done
 * by the thread, read again by the asker; the thread touches nothing else.
 */
struct hash_job {
	struct hash_job *next;
	uint64_t owner;			/* the asker's own mark */
	char current[PASSWORD_MAX];	/* to verify */
	size_t current_len;
	char known[PASSWORD_HASH_MAX];	/* against this */
	char password[PASSWORD_MAX];	/* to hash */
	size_t password_len;

	bool verified;			/* or nothing was to be verified */
	bool failed;			/* no hash could be made */
	char hash[PASSWORD_HASH_MAX];
	char scram[SCRAM_TEXT_MAX];	/* empty: none for this password */
};

struct hasher;

/* Starts the thread. NULL with errno. */
struct hasher *hasher_start(void);
/* Readable when a job is done. */
int hasher_fd(const struct hasher *h);
/* Hands j over. */
void hasher_submit(struct hasher *h, struct hash_job *j);
/* A job that is done, or NULL. The caller owns it again: hash_job_free(). */
struct hash_job *hasher_done(struct hasher *h);
/* Wipes and frees; accepts NULL. */
void hash_job_free(struct hash_job *j);

#endif
