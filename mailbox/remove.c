/* remove.c - removes one message, or all that there is. */
/* SPDX-License-Identifier: ISC */

/*
 * Order of a purge: the mailbox's folder gets another name first, one that no
 * account can have, and that name is made durable; then its files go. So who
 * takes the name again never sees the old mail, and a purge that was cut short
 * is ended by the next one in the same domain.
 * Limits: folders PURGE_DEPTH deep; links are removed, never followed.
 */

#include "mailbox/box.h"

#include <sys/stat.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "deliver/answer_memory.h"
#include "lib/fsx.h"

#define PURGE_DEPTH 64
#define ASIDE ".purged."

/* One message. */

struct removal {
	const char *unique;
	uint64_t size;
	bool done;
};

static int
remove_if_same(void *arg, const struct box_file *f)
{
	struct removal *r = arg;

	if (!slice_eq(f->parts.unique, slice_of(r->unique)))
		return 0;
	if (box_size(f, &r->size) == -1 || unlinkat(f->dirfd, f->name, 0) == -1)
		return errno == ENOENT ? 0 : -1;
	r->done = true;
	return fsync(f->dirfd) == -1 ? -1 : 1;
}

int
box_remove(struct box *b, struct ipc_msg *request)
{
	struct box_message m;
	struct removal r = { m.unique, 0, false };

	if (box_place_unpack(&request->body, &m) == -1 ||
	    !unpack_end(&request->body)) {
		errno = EBADMSG;
		return -1;
	}
	if (box_walk_folder(b, m.folder, remove_if_same, &r) == -1)
		return box_failed(b);
	if (!r.done)
		return box_done(b, BOX_NOT_FOUND, "");
	(void)!maildir_usage_add(b->maildir, -(int64_t)r.size, -1);
	return box_done(b, BOX_OK, "");
}

/* All of it. */

static int remove_names(int parent, const char *name, const char *prefix,
    unsigned depth);

/* A name of any kind below dirfd. 0 or -1; one that has gone is no failure. */
static int
remove_name(int dirfd, const char *name, unsigned depth)
{
	int r;

	if (unlinkat(dirfd, name, 0) == 0 || errno == ENOENT)
		return 0;
	if (errno != EISDIR && errno != EPERM && errno != EACCES)
		return -1;
	if (depth == PURGE_DEPTH) {
		errno = ELOOP;
		return -1;
	}
	/* A folder that its owner may not read any more. */
	(void)!fchmodat(dirfd, name, 0700, 0);
	r = remove_names(dirfd, name, "", depth + 1);
	if (r == 0)
		r = unlinkat(dirfd, name, AT_REMOVEDIR);
	return r == -1 && errno == ENOENT ? 0 : r;
}

static bool
is_self(const char *name)
{
	return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

/* Removes what is in a folder and begins with prefix. */
static int
remove_names(int parent, const char *name, const char *prefix, unsigned depth)
{
	DIR *d = fsx_open_list(parent, name);
	struct dirent *e;
	int r = 0;

	if (d == NULL)
		return -1;
	while (r == 0 && (e = fsx_next(d)) != NULL)
		if (!is_self(e->d_name) &&
		    strncmp(e->d_name, prefix, strlen(prefix)) == 0)
			r = remove_name(dirfd(d), e->d_name, depth);
	if (r == 0 && errno != 0)
		r = -1;
	fsx_close_list(d);
	return r;
}

/* Gives the mailbox's folder the name that no account can have. 0 or -1. */
static int
put_aside(struct box *b)
{
	char aside[64];
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	snprintf(aside, sizeof(aside), ASIDE "%lld%09ld.%ld",
	    (long long)now.tv_sec, now.tv_nsec, (long)getpid());
	if (renameat2(b->domain, b->name, b->domain, aside,
	    RENAME_NOREPLACE) == -1)
		return errno == ENOENT ? 0 : -1;
	return fsync(b->domain);
}

/* What is aside in the domain, from this purge or one that was cut short; with
 * all, everything. */
static int
remove_aside(struct box *b, bool all)
{
	return remove_names(b->domain, ".", all ? "" : ASIDE, 0);
}

/* Whom the account has answered by itself is beside the mailboxes. */
static int
forget_answers(const struct box *b)
{
	int fd = fsx_open_dir(b->domain, ANSWER_FOLDER), r, saved;

	if (fd == -1)
		return errno == ENOENT ? 0 : -1;
	r = unlinkat(fd, b->name, 0) == -1 && errno != ENOENT ? -1 : 0;
	saved = errno;
	close(fd);
	errno = saved;
	return r;
}

int
box_purge(struct box *b, struct ipc_msg *request)
{
	bool all = *b->name == '\0';

	if (!unpack_end(&request->body)) {
		errno = EBADMSG;
		return -1;
	}
	if ((!all && (put_aside(b) == -1 || forget_answers(b) == -1)) ||
	    remove_aside(b, all) == -1)
		return box_failed(b);
	return box_done(b, BOX_OK, "");
}
