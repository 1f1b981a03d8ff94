/* store.h - an ordered, transactional map of bytes: all that a store must do. */
#ifndef REGISTRY_STORE_H
#define REGISTRY_STORE_H
/* SPDX-License-Identifier: ISC */

#include "lib/str.h"

/*
 * The one interface between the registry and what keeps it: another store has
 * to offer these functions and nothing else. Keys are ordered as bytes. One
 * process, one thread. Everything happens inside a transaction; transactions
 * nest, and an inner one that is given up leaves the outer one as it was.
 *
 * -1 with errno: EIO and the like mean that nothing may be assumed; the
 * transaction must be given up. ENOTRECOVERABLE: the process must end and
 * start again, which recovers.
 */
struct store;

#define STORE_KEY_MAX 512
#define STORE_VALUE_MAX 262144
#define STORE_DEPTH 3		/* transactions inside each other */

/* Opens or makes the store in the working folder, and recovers what a crash
 * left. NULL with errno; *why (static) says what failed. */
struct store *store_open(const char **why);
/* Makes all durable and closes; accepts NULL. */
void store_close(struct store *s);

int store_begin(struct store *s) __attribute__((warn_unused_result));
/* The outermost commit returns when all of it is durable. After -1 the
 * transaction is over, nothing of it is kept. */
int store_commit(struct store *s) __attribute__((warn_unused_result));
/* The same without waiting for the disk: for what may be lost in a crash. */
int store_commit_lazy(struct store *s) __attribute__((warn_unused_result));
void store_abort(struct store *s);

/* 1 with the bytes in *value (replaced), 0 not there, -1. */
int store_get(struct store *s, struct slice key, struct str *value)
    __attribute__((warn_unused_result));
int store_put(struct store *s, struct slice key, struct slice value)
    __attribute__((warn_unused_result));
/* 1 deleted, 0 was not there, -1. */
int store_delete(struct store *s, struct slice key)
    __attribute__((warn_unused_result));

/*
 * Calls each for every key that begins with prefix and comes after the key
 * after (empty: from the first), in order. The slices are valid during the
 * call. each returns 0 to go on, 1 to end the walk, -1 (errno) to fail; it may
 * read, but not write. Returns what ended it: 0, 1 or -1.
 */
int store_each(struct store *s, struct slice prefix, struct slice after,
    int (*each)(void *arg, struct slice key, struct slice value), void *arg)
    __attribute__((warn_unused_result));

/* The last key that begins with prefix: 1 in *key (replaced), 0, -1. */
int store_last(struct store *s, struct slice prefix, struct str *key)
    __attribute__((warn_unused_result));

/* True once ENOTRECOVERABLE was said, or will be said to whoever asks next. */
bool store_is_lost(const struct store *s);

/* Outside of transactions: writes back and removes old logs, when there is
 * reason to. 0 or -1. */
int store_checkpoint(struct store *s) __attribute__((warn_unused_result));

#endif
