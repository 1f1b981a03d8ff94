/* maildir.h - Maildir++: names, folders, quota. Shared by delivery and POP3. */
#ifndef LIB_MAILDIR_H
#define LIB_MAILDIR_H
/* SPDX-License-Identifier: ISC */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

#include "lib/slice.h"

#define MAILDIR_NAME_MAX 255

/*
 * File names: "UNIQUE,S=<bytes>,W=<bytes with CRLF>[,C=1][:2,FLAGS]". UNIQUE
 * never changes and is the message's UID for ever. C=1: the message was to a
 * name that does not exist, and came by the catch-all of its domain alone.
 */
struct maildir_name {
	struct slice unique;	/* up to the first ',' or ':' */
	uint64_t size;		/* S=; UINT64_MAX when the name has none */
	uint64_t wire_size;	/* W=; UINT64_MAX when the name has none */
	struct slice flags;	/* after ":2,"; empty */
	bool is_stray;		/* C=1 */
};

/* 0, or -1 for a name that is no message: a dot first, '/' inside, too long. */
int maildir_name_parse(struct slice name, struct maildir_name *out)
    __attribute__((warn_unused_result));

/* UNIQUE,S=..,W=.. in out[MAILDIR_NAME_MAX + 1]; 0, or -1: too long. */
int maildir_name_make(const char *unique, uint64_t size, uint64_t wire_size,
    char *out) __attribute__((warn_unused_result));

/* Adds C=1 to such a name. 0, or -1: too long, and the name is as it was. */
int maildir_name_mark_stray(char name[MAILDIR_NAME_MAX + 1])
    __attribute__((warn_unused_result));

/* Makes a Maildir with tmp, new, cur below dirfd/name where anything of it is
 * missing; mode 0700. Returns its descriptor, or -1 with errno. */
int maildir_open(int dirfd, const char *name, bool create);

struct maildir_usage {
	uint64_t bytes, messages;
	/* What maildirsize says was last written a quarter of an hour ago or
	 * earlier, or by a clock that was ahead: recount before anybody is
	 * refused because of it. */
	bool stale;
};

/* True when a message of size bytes has room. A quota of 0 is none. */
bool maildir_has_room(const struct maildir_usage *u, uint64_t quota_bytes,
    uint64_t quota_messages, uint64_t size);

/*
 * The maildirsize file (Maildir++ quota): first line "<bytes>S,<count>C", then
 * one "<bytes> <count>" line a change. Reads it; recalculates from the file
 * names of new, cur and the folders (never opening a message; a stat only for
 * names without S=) when it is missing, damaged, over 5120 bytes, or tells of
 * another quota. 0, or -1 with errno.
 */
int maildir_usage(int maildirfd, uint64_t quota_bytes, uint64_t quota_messages,
    struct maildir_usage *out) __attribute__((warn_unused_result));

/* What the file says, whatever its quota is; when it is missing or damaged, a
 * count. Nothing is written. 0, or -1 with errno. */
int maildir_peek(int maildirfd, struct maildir_usage *out)
    __attribute__((warn_unused_result));

/* Counts anew whatever the file says, and replaces it. */
int maildir_recount(int maildirfd, uint64_t quota_bytes,
    uint64_t quota_messages, struct maildir_usage *out)
    __attribute__((warn_unused_result));

/* Appends one change. A missing maildirsize is left missing; one that is over
 * 5120 bytes, or that the change cannot be appended to, is removed, so that the
 * next question counts anew. 0, or -1: it could not even be removed. */
int maildir_usage_add(int maildirfd, int64_t bytes, int64_t messages)
    __attribute__((warn_unused_result));

/*
 * Puts a message of our own into new, durably, by a name that nothing has there
 * (EEXIST), and counts it. It is not asked whether there is room. 0, or -1 with
 * errno.
 */
int maildir_put(int maildirfd, const char *name, struct slice text)
    __attribute__((warn_unused_result));

/* The age at which a file in tmp belongs to nobody any more. */
#define MAILDIR_TMP_AGE (36 * 3600)
/* Removes from the folder tmp what is older than that at the time now: the
 * leavings of crashes. Looks at so many names at most; errors do not matter. */
void maildir_clean_tmp(int tmpfd, time_t now);

#endif
