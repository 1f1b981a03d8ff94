/* table.h - compiled CDB tables: the only file that includes tinycdb. */
#ifndef LIB_TABLE_H
#define LIB_TABLE_H
/* SPDX-License-Identifier: ISC */

#include <stdint.h>
#include <sys/types.h>

#include "lib/slice.h"

/* A table opened for reading, mapped into memory. Zero it before first use. */
struct table {
	void *impl;		/* struct cdb, or NULL when not open */
	dev_t dev;
	ino_t ino;
	int64_t mtime_ns;
};

/* Opens dirfd/path read-only. 0, or -1 with errno (EBADMSG: not a CDB). */
int table_open(struct table *t, int dirfd, const char *path)
    __attribute__((warn_unused_result));
/* Opens it, or opens it again when the file at path is another one by now.
 * With -1 (errno) the old table stays open, unless the file is gone (ENOENT). */
int table_refresh(struct table *t, int dirfd, const char *path)
    __attribute__((warn_unused_result));
void table_close(struct table *t);

/* Returns 1 and the value (inside the mapping, valid until close or refresh),
 * 0 when there is no such key, -1 with errno when the file is damaged. */
int table_get(const struct table *t, struct slice key, struct slice *value)
    __attribute__((warn_unused_result));

/* Every record in turn: *pos starts at 0. 1, 0 at the end, -1 damaged. */
int table_next(const struct table *t, unsigned *pos, struct slice *key,
    struct slice *value) __attribute__((warn_unused_result));

/* Writing: all records go in, then one rename makes them visible. */
struct table_writer;
/* Begins dirfd/name aside. NULL with errno. */
struct table_writer *table_create(int dirfd, const char *name, mode_t mode);
/* Keys must be put once each. 0, or -1 with errno. */
int table_put(struct table_writer *w, struct slice key, struct slice value)
    __attribute__((warn_unused_result));
/* Syncs, renames, syncs the folder; frees w whatever happens. 0 or -1. */
int table_commit(struct table_writer *w) __attribute__((warn_unused_result));
/* Throws the new table away; accepts NULL. */
void table_abandon(struct table_writer *w);

#endif
