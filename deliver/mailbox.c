/* mailbox.c - the Maildirs that malle-local has open. */
/* SPDX-License-Identifier: ISC */

#include "deliver/mailbox.h"

#include <sys/stat.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "lib/fsx.h"

#define CLEAN_EVERY 3600
#define KNOWN_MAX 1000000	/* names remembered, in all Maildirs */

void
mailboxes_init(struct mailboxes *m, int mailfd)
{
	memset(m, 0, sizeof(*m));
	m->mailfd = mailfd;
}

static void
close_parts(struct mailbox *b)
{
	close(b->new);
	close(b->tmp);
	close(b->fd);
}

static void
forget_known(struct mailboxes *m, struct mailbox *b)
{
	m->known -= b->nknown;
	free(b->known);
	b->known = NULL;
	b->nknown = 0;
	b->has_known = false;
}

static void
mailbox_close(struct mailboxes *m, struct mailbox *b)
{
	if (b->name[0] == '\0')
		return;
	forget_known(m, b);
	close_parts(b);
	b->name[0] = '\0';
}

void
mailboxes_close(struct mailboxes *m)
{
	for (size_t i = 0; i < MAILBOXES_KEPT; i++)
		mailbox_close(m, &m->v[i]);
}

void
mailboxes_begin(struct mailboxes *m)
{
	m->group++;
	m->made = false;
}

/* Opens new and tmp below b->fd. 0, or -1 with errno and nothing open. */
static int
open_parts(struct mailbox *b)
{
	int saved;

	if ((b->tmp = fsx_open_dir(b->fd, "tmp")) == -1)
		return -1;
	if ((b->new = fsx_open_dir(b->fd, "new")) == -1) {
		saved = errno;
		close(b->tmp);
		errno = saved;
		return -1;
	}
	return 0;
}

/* Opens name/Maildir with its parts; create makes what is missing of it. */
static int
open_maildir(struct mailbox *b, int mailfd, const char *name, bool create)
{
	int user, saved;

	if (create && fsx_make_dir(mailfd, name, 0700) == -1)
		return -1;
	if ((user = fsx_open_dir(mailfd, name)) == -1)
		return -1;
	b->fd = maildir_open(user, "Maildir", create);
	saved = errno;
	close(user);
	errno = saved;
	if (b->fd == -1)
		return -1;
	if (open_parts(b) == -1) {
		saved = errno;
		close(b->fd);
		errno = saved;
		return -1;
	}
	return 0;
}

/* The place of name, or the one to use for it; NULL when all are held. */
static struct mailbox *
find_place(struct mailboxes *m, const char *name)
{
	struct mailbox *oldest = NULL;

	for (size_t i = 0; i < MAILBOXES_KEPT; i++) {
		struct mailbox *b = &m->v[i];

		if (strcmp(b->name, name) == 0)
			return b;
		if (b->name[0] != '\0' && b->group == m->group)
			continue;
		if (oldest == NULL || b->name[0] == '\0' ||
		    (oldest->name[0] != '\0' && b->used < oldest->used))
			oldest = b;
	}
	return oldest;
}

/* True when the account's new is the one that is open, and tmp is still a
 * folder: the account may have been deleted, put aside, or made again since, and
 * somebody may have tidied up. */
static bool
is_current(const struct mailboxes *m, const struct mailbox *b)
{
	char path[ADDR_LOCAL_MAX + sizeof("/Maildir/new")];
	struct stat st;

	snprintf(path, sizeof(path), "%s/Maildir/new", b->name);
	return fstatat(m->mailfd, path, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    st.st_dev == b->dev && st.st_ino == b->ino &&
	    fstat(b->tmp, &st) == 0 && st.st_nlink > 0;
}

/* Puts an account's Maildir into a free place. */
static int
fill_place(struct mailboxes *m, struct mailbox *b, const char *name)
{
	struct stat st;
	int saved;

	if (open_maildir(b, m->mailfd, name, false) == -1) {
		if (errno != ENOENT ||
		    open_maildir(b, m->mailfd, name, true) == -1)
			return -1;
		m->made = true;
	}
	if (fstat(b->new, &st) == -1) {
		saved = errno;
		close_parts(b);
		errno = saved;
		return -1;
	}
	b->dev = st.st_dev;
	b->ino = st.st_ino;
	memcpy(b->name, name, strlen(name) + 1);
	b->cleaned = 0;
	return 0;
}

struct mailbox *
mailbox_get(struct mailboxes *m, const char *name)
{
	struct mailbox *b;
	time_t now;

	if (name[0] == '\0' || strlen(name) > ADDR_LOCAL_MAX) {
		errno = EINVAL;
		return NULL;
	}
	if ((b = find_place(m, name)) == NULL) {
		errno = ENFILE;
		return NULL;
	}
	b->used = ++m->clock;
	if (b->name[0] != '\0' && b->group == m->group)
		return b;
	if (strcmp(b->name, name) != 0 || !is_current(m, b)) {
		mailbox_close(m, b);
		if (fill_place(m, b, name) == -1)
			return NULL;
	}
	now = time(NULL);
	if (now - b->cleaned >= CLEAN_EVERY || now < b->cleaned) {
		maildir_clean_tmp(b->tmp, now);
		b->cleaned = now;
	}
	b->group = m->group;
	b->counted = b->published = false;
	b->added_bytes = b->added_messages = 0;
	b->grown_bytes = b->grown_messages = 0;
	b->warning = 0;
	return b;
}

int
mailbox_count(struct mailbox *b, uint64_t quota_bytes, uint64_t quota_messages)
{
	if (b->counted)
		return 0;
	if (maildir_usage(b->fd, quota_bytes, quota_messages, &b->usage) == -1)
		return -1;
	b->quota_bytes = quota_bytes;
	b->quota_messages = quota_messages;
	b->counted = true;
	return 0;
}

int
mailbox_recount(struct mailbox *b)
{
	struct maildir_usage u;

	if (!b->usage.stale)
		return 0;
	if (maildir_recount(b->fd, b->quota_bytes, b->quota_messages, &u) == -1)
		return -1;
	/* The group's own copies are still in tmp: not counted yet. */
	b->usage.bytes = u.bytes + (uint64_t)b->added_bytes;
	b->usage.messages = u.messages + (uint64_t)b->added_messages;
	b->usage.stale = false;
	return 0;
}

bool
mailbox_has_room(const struct mailbox *b, uint64_t size)
{
	return maildir_has_room(&b->usage, b->quota_bytes, b->quota_messages,
	    size);
}

void
mailbox_add(struct mailbox *b, uint64_t size)
{
	b->usage.bytes += size;
	b->usage.messages++;
	b->added_bytes += (int64_t)size;
	b->added_messages++;
}

void
mailbox_subtract(struct mailbox *b, uint64_t size)
{
	b->usage.bytes -= size;
	b->usage.messages--;
	b->added_bytes -= (int64_t)size;
	b->added_messages--;
}

/* FNV-1a. A clash only costs a look into cur. */
static uint64_t
hash_unique(const char *name)
{
	uint64_t h = 14695981039346656037u;

	for (; *name != '\0' && *name != ',' && *name != ':'; name++)
		h = (h ^ (unsigned char)*name) * 1099511628211u;
	return h;
}

static int
compare_hashes(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

/* Adds the names of one folder to what b knows. False: no memory, too many. */
static bool
learn_folder(struct mailboxes *m, struct mailbox *b, const char *folder)
{
	size_t cap = b->nknown;
	struct dirent *e;
	bool good = true;
	DIR *d;

	if ((d = fsx_open_list(b->fd, folder)) == NULL)
		return false;
	while (good && (e = readdir(d)) != NULL) {
		if (e->d_name[0] == '.')
			continue;
		if (b->nknown == cap) {
			uint64_t *p;

			cap = cap == 0 ? 64 : 2 * cap;
			p = m->known >= KNOWN_MAX ? NULL :
			    reallocarray(b->known, cap, sizeof(*p));
			if ((good = p != NULL) == false)
				break;
			b->known = p;
		}
		b->known[b->nknown++] = hash_unique(e->d_name);
		m->known++;
	}
	closedir(d);
	return good;
}

bool
mailbox_may_know(struct mailboxes *m, struct mailbox *b, const char *name)
{
	uint64_t h = hash_unique(name);

	if (!b->has_known) {
		if (m->known >= KNOWN_MAX / 2)
			for (size_t i = 0; i < MAILBOXES_KEPT; i++)
				forget_known(m, &m->v[i]);
		if (!learn_folder(m, b, "new") || !learn_folder(m, b, "cur")) {
			forget_known(m, b);
			return true;
		}
		if (b->nknown > 0)
			qsort(b->known, b->nknown, sizeof(h), compare_hashes);
		b->has_known = true;
	}
	return b->nknown > 0 && bsearch(&h, b->known, b->nknown, sizeof(h),
	    compare_hashes) != NULL;
}

bool
mailbox_has(const struct mailbox *b, const char *folder, const char *part,
    const char *name)
{
	size_t len = strcspn(name, ",:");
	struct maildir_name other;
	struct dirent *e;
	bool found = false;
	int dir = fsx_open_dir(b->fd, folder);
	DIR *d;

	if (dir == -1)
		return false;
	d = fsx_open_list(dir, part);
	close(dir);
	if (d == NULL)
		return false;
	while (!found && (e = readdir(d)) != NULL)
		found = maildir_name_parse(slice_of(e->d_name), &other) == 0 &&
		    slice_eq(other.unique, slice_make(name, len));
	closedir(d);
	return found;
}

int
mailbox_measure(struct mailboxes *m, const char *name, uint64_t quota_bytes,
    uint64_t quota_messages, uint64_t size, struct maildir_usage *out)
{
	int user, fd, r, saved;

	if ((user = fsx_open_dir(m->mailfd, name)) == -1) {
		if (errno != ENOENT)
			return -1;
		*out = (struct maildir_usage){ 0, 0, false };
		return 0;
	}
	fd = maildir_open(user, "Maildir", false);
	saved = errno;
	close(user);
	if (fd == -1) {
		errno = saved;
		if (errno != ENOENT)
			return -1;
		*out = (struct maildir_usage){ 0, 0, false };
		return 0;
	}
	r = maildir_usage(fd, quota_bytes, quota_messages, out);
	if (r == 0 && out->stale &&
	    !maildir_has_room(out, quota_bytes, quota_messages, size))
		r = maildir_recount(fd, quota_bytes, quota_messages, out);
	saved = errno;
	close(fd);
	errno = saved;
	return r;
}
