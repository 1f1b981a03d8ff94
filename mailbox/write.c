/* write.c - adds messages to the mailbox, each once. */
/* SPDX-License-Identifier: ISC */

/*
 * Order: a message is written in tmp of the inbox, the one that malle-local tidies
 * up, whatever folder it is for, and stays open. BOX_SYNC
 * makes all contents durable, gives them their names, makes the names durable,
 * counts them in maildirsize, and only then says so. After a crash a message is
 * whole in its folder or not there; what tmp has left is nobody's.
 * A message is known by the unique part of its name, in whatever folder: what
 * is there is never written again, so a restore can be repeated. Who has written
 * it may have died before it was durable: it is made so with the others.
 */

#include "mailbox/box.h"

#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "lib/fsx.h"
#include "lib/wire.h"

#define ANYWHERE ""		/* the same unique name is the same message */

/* What is there. */

static int
learn_file(void *arg, const struct box_file *f)
{
	struct box *b = arg;

	return known_add(&b->known, ANYWHERE, f->parts.unique);
}

/* Reads all names once. 1: it is there, 0: not, -1. */
static int
is_known(struct box *b, const char *unique)
{
	if (!b->knows_all) {
		if (box_walk(b, learn_file, NULL, b) == -1)
			return -1;
		b->knows_all = true;
	}
	return known_has(&b->known, ANYWHERE, slice_of(unique));
}

/* 1: it has room, 0: not, -1. */
static int
has_room(struct box *b, uint64_t size)
{
	if (b->quota_bytes == 0 && b->quota_messages == 0)
		return 1;
	if (!b->counted && (maildir_usage(b->maildir, b->quota_bytes,
	    b->quota_messages, &b->usage) == -1 || (b->usage.stale &&
	    maildir_recount(b->maildir, b->quota_bytes, b->quota_messages,
	    &b->usage) == -1)))
		return -1;
	b->counted = true;
	return maildir_has_room(&b->usage, b->quota_bytes, b->quota_messages,
	    size);
}

/* One message. */

struct writing {
	struct box_pending *p;
	struct wire_size wire;
	uint64_t left;
	int error;		/* errno of the first failure */
};

/* Other mail programs know a folder of a Maildir++ by this file. */
static void
mark_folder(int folderfd)
{
	int fd = openat(folderfd, "maildirfolder",
	    O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);

	if (fd != -1)
		close(fd);
}

/* A crash may have left a folder without its parts. */
static bool
is_whole(int folderfd)
{
	static const char *const parts[] = { "tmp", "new", "cur" };
	struct stat st;

	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		if (fstatat(folderfd, parts[i], &st, AT_SYMLINK_NOFOLLOW) ==
		    -1 || !S_ISDIR(st.st_mode))
			return false;
	return true;
}

static int
open_target(struct box *b, const char *folder)
{
	int fd = box_open_folder(b, folder, false);

	if (fd == -1 && errno != ENOENT)
		return -1;
	if (fd != -1 && is_whole(fd))
		return fd;
	if (fd != -1)
		close(fd);
	if ((fd = box_open_folder(b, folder, true)) != -1) {
		mark_folder(fd);
		if (fsync(fd) == -1 || fsync(b->maildir) == -1) {
			close(fd);
			return -1;
		}
	}
	return fd;
}

static void
path_of(const struct box_pending *p, char out[MAILDIR_NAME_MAX + 8])
{
	snprintf(out, MAILDIR_NAME_MAX + 8, "%s/%s", p->is_new ? "new" : "cur",
	    p->name);
}

/* Takes its name away, when it has one. */
static void
unpublish(const struct box_pending *p)
{
	char path[MAILDIR_NAME_MAX + 8];

	path_of(p, path);
	if (p->tmp[0] == '\0')
		unlinkat(p->folderfd, path, 0);
}

static void
forget(const struct box *b, struct box_pending *p)
{
	if (p->fd != -1)
		close(p->fd);
	if (p->tmp[0] != '\0')
		unlinkat(b->maildir, p->tmp, 0);
	if (p->folderfd != -1)
		close(p->folderfd);
	p->fd = p->folderfd = -1;
}

/* In tmp, which somebody may have tidied up. The descriptor or -1. */
static int
open_aside(const struct box *b, const char *name)
{
	const int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
	int fd = openat(b->maildir, name, flags, 0600);

	if (fd == -1 && errno == ENOENT &&
	    fsx_make_dir(b->maildir, "tmp", 0700) == 0)
		fd = openat(b->maildir, name, flags, 0600);
	return fd;
}

/* Makes the file in tmp. 0 or -1. */
static int
begin(struct box *b, const struct box_message *m, struct box_pending *p)
{
	*p = (struct box_pending){ .fd = -1, .is_new = m->is_new,
		.size = m->size };
	if ((p->folderfd = open_target(b, m->folder)) == -1)
		return -1;
	snprintf(p->tmp, sizeof(p->tmp), "tmp/%llx.%lx.%llx",
	    (unsigned long long)time(NULL), (unsigned long)getpid(),
	    (unsigned long long)b->serial++);
	if ((p->fd = open_aside(b, p->tmp)) == -1) {
		p->tmp[0] = '\0';
		return -1;
	}
	return 0;
}

/* One piece; what comes after a failure is only counted. */
static void
put_piece(struct writing *w, struct slice piece)
{
	if (piece.len > w->left) {
		w->error = EMSGSIZE;
		return;
	}
	w->left -= piece.len;
	if (w->error != 0)
		return;
	wire_size_feed(&w->wire, piece);
	if (fsx_write_all(w->p->fd, piece.p, piece.len) == -1)
		w->error = errno;
}

/* The pieces up to BOX_END. 0, or -1: the asker is gone. */
static int
take_content(struct box *b, struct writing *w)
{
	struct ipc_msg m;
	struct slice piece;
	int r;

	while ((r = ipc_recv(b->asker, b->in, &m)) == 1) {
		ipc_close_fds(&m);
		piece = unpack_rest(&m.body);
		if (m.type == BOX_END && piece.len == 0)
			return 0;
		if (m.type != BOX_DATA || piece.len > BOX_PIECE) {
			errno = EBADMSG;
			return -1;
		}
		put_piece(w, piece);
	}
	if (r == 0)
		errno = ECONNRESET;
	return -1;
}

/* The name, the time. 0 or -1. */
static int
finish(struct box_pending *p, const struct box_message *m, uint64_t wire)
{
	struct timespec times[2] = { { m->time, 0 }, { m->time, 0 } };
	size_t n;

	if (maildir_name_make(m->unique, m->size, wire, p->name) == -1)
		return -1;
	n = strlen(p->name);
	if (!m->is_new && (size_t)snprintf(p->name + n, sizeof(p->name) - n,
	    ":2,%s", m->flags) >= sizeof(p->name) - n) {
		errno = ENAMETOOLONG;
		return -1;
	}
	return m->time == 0 ? 0 : futimens(p->fd, times);
}

static int
write_one(struct box *b, const struct box_message *m)
{
	struct writing w = { &b->pending[b->npending], WIRE_SIZE_INIT, m->size,
		0 };

	if (begin(b, m, w.p) == -1) {
		int saved = errno;

		forget(b, w.p);
		errno = saved;
		return box_failed(b);
	}
	if (box_done(b, BOX_OK, "") == -1 || take_content(b, &w) == -1) {
		forget(b, w.p);
		return -1;
	}
	if (w.error == 0 && w.left > 0)
		w.error = ENODATA;
	if (w.error == 0 &&
	    (finish(w.p, m, wire_size_end(&w.wire)) == -1 ||
	    known_add(&b->known, ANYWHERE, slice_of(m->unique)) == -1))
		w.error = errno;
	if (w.error != 0) {
		forget(b, w.p);
		errno = w.error;
		return box_failed(b);
	}
	b->npending++;
	b->usage.bytes += m->size;
	b->usage.messages++;
	return box_done(b, BOX_OK, "");
}

int
box_write(struct box *b, struct ipc_msg *request)
{
	struct box_message m;
	int is;

	if (box_message_unpack(&request->body, &m) == -1 ||
	    !unpack_end(&request->body) || b->npending == BOX_BATCH)
		return box_done(b, BOX_INVALID, "");
	if ((is = is_known(b, m.unique)) == -1)
		return box_failed(b);
	if (is == 1) {
		b->all_durable = false;
		return box_done(b, BOX_EXISTS, "");
	}
	if ((is = has_room(b, m.size)) == -1)
		return box_failed(b);
	if (is == 0)
		return box_done(b, BOX_NO_ROOM, "quota");
	return write_one(b, &m);
}

/* All that waits. */

static int
publish(const struct box *b, struct box_pending *p)
{
	char path[MAILDIR_NAME_MAX + 8];

	path_of(p, path);
	if (fsx_rename_new(b->maildir, p->tmp, p->folderfd, path) == -1)
		return -1;
	p->tmp[0] = '\0';
	return 0;
}

/* The names of p's folder; other folders with the same are cheap then. */
static int
sync_names(const struct box_pending *p)
{
	int fd = fsx_open_dir(p->folderfd, p->is_new ? "new" : "cur"), r;
	int saved;

	if (fd == -1)
		return -1;
	r = fsync(fd);
	saved = errno;
	close(fd);
	errno = saved;
	return r;
}

/* Contents, names, durable names. 0, or -1: a part of it may be there. */
static int
settle(struct box *b, uint64_t *bytes)
{
	bool alone = b->npending <= 2 && b->all_durable;

	if (!alone && syncfs(b->maildir) == -1)
		return -1;
	for (size_t i = 0; i < b->npending; i++)
		if (alone && fsync(b->pending[i].fd) == -1)
			return -1;
	for (size_t i = 0; i < b->npending; i++) {
		if (publish(b, &b->pending[i]) == -1)
			return -1;
		*bytes += b->pending[i].size;
	}
	if (!alone)
		return syncfs(b->maildir);
	for (size_t i = 0; i < b->npending; i++)
		if (sync_names(&b->pending[i]) == -1)
			return -1;
	return 0;
}

void
box_forget_pending(struct box *b)
{
	for (size_t i = 0; i < b->npending; i++)
		forget(b, &b->pending[i]);
	b->npending = 0;
}

int
box_sync(struct box *b, struct ipc_msg *request)
{
	uint64_t bytes = 0;
	size_t n = b->npending;
	int r, saved;

	if (!unpack_end(&request->body)) {
		errno = EBADMSG;
		return -1;
	}
	if (n == 0 && b->all_durable)
		return box_done(b, BOX_OK, "");
	r = settle(b, &bytes);
	saved = errno;
	for (size_t i = 0; r == -1 && i < n; i++)
		unpublish(&b->pending[i]);
	box_forget_pending(b);
	if (r == -1) {
		/* What is there now is not known: it is all read again. */
		b->knows_all = b->counted = false;
		known_free(&b->known);
		unlinkat(b->maildir, "maildirsize", 0);
		errno = saved;
		return box_failed(b);
	}
	b->all_durable = true;
	if (n > 0)
		(void)!maildir_usage_add(b->maildir, (int64_t)bytes,
		    (int64_t)n);
	return box_done(b, BOX_OK, "");
}
