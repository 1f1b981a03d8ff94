/* table.c - compiled CDB tables: the only file that includes tinycdb. */
/* SPDX-License-Identifier: ISC */

#include "lib/table.h"

#include <cdb.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static int64_t
mtime_ns(const struct stat *st)
{
	return (int64_t)st->st_mtim.tv_sec * 1000000000 + st->st_mtim.tv_nsec;
}

int
table_open(struct table *t, int dirfd, const char *path)
{
	struct cdb *c = NULL;
	struct stat st;
	int fd, saved;

	fd = openat(dirfd, path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd == -1)
		return -1;
	if (fstat(fd, &st) == -1 || (c = malloc(sizeof(*c))) == NULL)
		goto bad;
	if (!S_ISREG(st.st_mode)) {
		errno = EBADMSG;
		goto bad;
	}
	if (cdb_init(c, fd) != 0) {
		errno = errno == EPROTO ? EBADMSG : errno;
		goto bad;
	}
	close(fd);		/* the mapping stays */
	c->cdb_fd = -1;
	table_close(t);
	t->impl = c;
	t->dev = st.st_dev;
	t->ino = st.st_ino;
	t->mtime_ns = mtime_ns(&st);
	return 0;
bad:
	saved = errno;
	free(c);
	close(fd);
	errno = saved;
	return -1;
}

int
table_refresh(struct table *t, int dirfd, const char *path)
{
	struct stat st;

	if (t->impl == NULL)
		return table_open(t, dirfd, path);
	if (fstatat(dirfd, path, &st, AT_SYMLINK_NOFOLLOW) == -1) {
		if (errno == ENOENT) {
			table_close(t);
			errno = ENOENT;
		}
		return -1;
	}
	if (st.st_dev == t->dev && st.st_ino == t->ino &&
	    mtime_ns(&st) == t->mtime_ns)
		return 0;
	return table_open(t, dirfd, path);
}

void
table_close(struct table *t)
{
	if (t->impl != NULL) {
		cdb_free(t->impl);
		free(t->impl);
	}
	*t = (struct table){ NULL, 0, 0, 0 };
}

int
table_get(const struct table *t, struct slice key, struct slice *value)
{
	struct cdb *c = t->impl;
	const void *p;
	int r;

	if (c == NULL) {
		errno = EBADF;
		return -1;
	}
	if (key.len > UINT_MAX)
		return 0;
	r = cdb_find(c, key.p, (unsigned)key.len);
	if (r < 0) {
		errno = EBADMSG;
		return -1;
	}
	if (r == 0)
		return 0;
	if ((p = cdb_getdata(c)) == NULL) {
		errno = EBADMSG;
		return -1;
	}
	*value = slice_make(p, cdb_datalen(c));
	return 1;
}

int
table_next(const struct table *t, unsigned *pos, struct slice *key,
    struct slice *value)
{
	struct cdb *c = t->impl;
	unsigned at = *pos;
	const void *k, *v;
	int r;

	if (c == NULL) {
		errno = EBADF;
		return -1;
	}
	if (at == 0)
		cdb_seqinit(&at, c);
	r = cdb_seqnext(&at, c);
	if (r == 0)
		return 0;
	if (r < 0 || (k = cdb_getkey(c)) == NULL ||
	    (v = cdb_getdata(c)) == NULL) {
		errno = EBADMSG;
		return -1;
	}
	*key = slice_make(k, cdb_keylen(c));
	*value = slice_make(v, cdb_datalen(c));
	*pos = at;
	return 1;
}

struct table_writer {
	struct cdb_make make;
	int dirfd, fd;
	bool started;
	char name[NAME_MAX + 1], aside[NAME_MAX + 1];
};

struct table_writer *
table_create(int dirfd, const char *name, mode_t mode)
{
	struct table_writer *w;
	int n;

	if ((w = calloc(1, sizeof(*w))) == NULL)
		return NULL;
	w->dirfd = dirfd;
	w->fd = -1;
	n = snprintf(w->aside, sizeof(w->aside), ".%s.new", name);
	if (n < 0 || (size_t)n >= sizeof(w->aside)) {
		errno = ENAMETOOLONG;
		goto bad;
	}
	memcpy(w->name, name, strlen(name) + 1);
	w->fd = openat(dirfd, w->aside,
	    O_RDWR | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, mode);
	if (w->fd == -1 || fchmod(w->fd, mode) == -1 ||
	    cdb_make_start(&w->make, w->fd) != 0)
		goto bad;
	w->started = true;
	return w;
bad:
	table_abandon(w);
	return NULL;
}

int
table_put(struct table_writer *w, struct slice key, struct slice value)
{
	if (key.len > UINT_MAX || value.len > UINT_MAX) {
		errno = EMSGSIZE;
		return -1;
	}
	return cdb_make_add(&w->make, key.p, (unsigned)key.len, value.p,
	    (unsigned)value.len) == 0 ? 0 : -1;
}

int
table_commit(struct table_writer *w)
{
	int dirfd = w->dirfd;

	w->started = false;
	if (cdb_make_finish(&w->make) != 0 || fsync(w->fd) == -1 ||
	    renameat(dirfd, w->aside, dirfd, w->name) == -1) {
		table_abandon(w);
		return -1;
	}
	close(w->fd);
	free(w);
	return fsync(dirfd);
}

void
table_abandon(struct table_writer *w)
{
	int saved = errno;

	if (w == NULL)
		return;
	if (w->started)
		cdb_make_finish(&w->make);	/* frees its memory */
	if (w->fd != -1) {
		close(w->fd);
		unlinkat(w->dirfd, w->aside, 0);
	}
	free(w);
	errno = saved;
}
