/* group.c - deliveries that are made durable together. */
/* SPDX-License-Identifier: ISC */

/*
 * Order: all files are written in tmp; one sync; all are renamed into new; one
 * sync of the names; only then is anything a success. A rename before the sync
 * could leave an empty message after a crash. A failed sync is final: what it
 * should have covered is removed and tried again later by the queue, because
 * a second sync would succeed without having written the data.
 * A name is never replaced: when new has it, an earlier attempt delivered this
 * very message, and its name is made durable with the others.
 */

#include "deliver/group.h"

#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "deliver/failure.h"
#include "lib/fsx.h"

/* Up to so many files, and folders, are synced one by one: a sync of the whole
 * filesystem also waits for what others have written, but one does for all. */
#define SYNC_ALONE 2

struct group *
group_new(int mailfd, const char *domain, const char *hostname)
{
	struct group *g = calloc(1, sizeof(*g));
	struct timespec now;

	if (g == NULL)
		return NULL;
	clock_gettime(CLOCK_REALTIME, &now);
	g->hostname = hostname;
	g->copier.domain = domain;
	g->started = (uint64_t)now.tv_sec;
	/* Two workers never use the same name in tmp. */
	snprintf(g->process, sizeof(g->process), "%lld%09ldP%ld",
	    (long long)now.tv_sec, now.tv_nsec, (long)getpid());
	mailboxes_init(&g->mailboxes, mailfd);
	return g;
}

void
group_free(struct group *g)
{
	if (g == NULL)
		return;
	mailboxes_close(&g->mailboxes);
	free(g);
}

void
group_add(struct group *g, const struct local_job *j, int from)
{
	struct delivery *d = &g->v[g->n++];

	d->job = *j;
	d->from = from;
	d->to = -1;
	d->state = DELIVERY_FAILED;
	d->mailbox = NULL;
	d->size = 0;
	d->folder[0] = d->aside[0] = d->name[0] = '\0';
	memset(&d->result, 0, sizeof(d->result));
	d->result.tag = j->tag;
}

/* The end of a delivery that failed on a system call. */
static void
fail(struct delivery *d, int error)
{
	failure_system(&d->result, d->job.delivered_to, error);
	d->state = DELIVERY_FAILED;
}

/* Room for the copy, by the quota. False: the result is set. */
static bool
reserve(struct delivery *d)
{
	const struct local_job *j = &d->job;
	struct mailbox *b = d->mailbox;
	char prefix[COPY_PREFIX_MAX];

	d->size = copy_prefix(j, prefix) + j->length;
	if (j->quota_bytes == 0 && j->quota_messages == 0)
		return true;
	if (mailbox_count(b, j->quota_bytes, j->quota_messages) == -1 ||
	    (!mailbox_has_room(b, d->size) && mailbox_recount(b) == -1)) {
		fail(d, errno);
		return false;
	}
	b->warning = j->warning;
	memcpy(b->language, j->language, sizeof(b->language));
	memcpy(b->account, j->account, sizeof(b->account));
	if (mailbox_has_room(b, d->size))
		return true;
	failure_full(&d->result, j, b->usage.bytes, b->usage.messages,
	    d->size);
	return false;
}

/* Writes the copy into tmp and knows its name. False: the result is set. */
static bool
write_aside(struct group *g, struct delivery *d)
{
	char unique[COPY_UNIQUE_MAX + 1];
	uint64_t wire;

	if (copy_unique(d->job.id, d->job.recipient, g->hostname,
	    unique) == -1) {
		fail(d, EINVAL);
		return false;
	}
	snprintf(d->aside, sizeof(d->aside), "%s.%llu", g->process,
	    (unsigned long long)g->files++);
	d->to = openat(d->mailbox->tmp, d->aside, O_WRONLY | O_CREAT | O_EXCL |
	    O_NOFOLLOW | O_CLOEXEC, 0600);
	if (d->to == -1) {
		fail(d, errno);
		return false;
	}
	switch (copy_message(&g->copier, &d->job, d->from, d->to, &d->size,
	    &wire)) {
	case COPY_OK:
		if (maildir_name_make(unique, d->size, wire, d->name) == 0 &&
		    (!d->job.is_stray ||
		    maildir_name_mark_stray(d->name) == 0))
			return true;
		fail(d, ENAMETOOLONG);
		break;
	case COPY_LOOP:
		failure_set(&d->result, QUEUE_PERMANENT, "5.4.6",
		    "This message has been in the mailbox of %s before: it is "
		    "forwarded in a circle.", d->job.delivered_to);
		break;
	case COPY_SOURCE:
	case COPY_TARGET:
		fail(d, errno);
		break;
	}
	unlinkat(d->mailbox->tmp, d->aside, 0);
	return false;
}

static void
close_files(struct delivery *d)
{
	if (d->to != -1)
		close(d->to);
	if (d->from != -1)
		close(d->from);
	d->to = d->from = -1;
}

/* True when another worker may have delivered it, before it died. */
static bool
may_be_there(const struct group *g, const struct delivery *d)
{
	return copy_id_time(d->job.id) <= g->started;
}

/* True when new or cur of its folder, or of the inbox, has it. */
static bool
is_there(const struct group *g, const struct delivery *d)
{
	const char *folders[] = { ".", d->folder };
	size_t n = d->folder[0] != '\0' ? 2 : 1;
	char unique[COPY_UNIQUE_MAX + 1];

	if (copy_unique(d->job.id, d->job.recipient, g->hostname, unique) == -1)
		return false;
	for (size_t i = 0; i < n; i++)
		if (mailbox_has(d->mailbox, folders[i], "new", unique) ||
		    mailbox_has(d->mailbox, folders[i], "cur", unique))
			return true;
	return false;
}

/* Delivered by an earlier attempt. */
static void
be_known(struct group *g, struct delivery *d)
{
	d->state = DELIVERY_KNOWN;
	/* Its name may have come from somebody who died before the sync. */
	d->mailbox->published = g->mailboxes.made = true;
}

/* From a job to a whole file in tmp. */
static void
prepare(struct group *g, struct delivery *d)
{
	char account[ADDR_LOCAL_MAX + 1];

	/* Never a path that is not an account's name. */
	if (addr_account(slice_of(d->job.mailbox), account) == -1 ||
	    strcmp(account, d->job.mailbox) != 0 ||
	    d->job.length > INT64_MAX ||
	    d->job.offset > INT64_MAX - d->job.length) {
		fail(d, EINVAL);
		return;
	}
	if ((d->mailbox = mailbox_get(&g->mailboxes, account)) == NULL) {
		fail(d, errno);
		return;
	}
	if (d->job.detail[0] != '\0')
		(void)folder_find(d->mailbox->fd, d->job.detail, d->folder);
	if (!reserve(d)) {
		/* It may itself be what has filled the mailbox. */
		if (may_be_there(g, d) && is_there(g, d))
			be_known(g, d);
		return;
	}
	if (!write_aside(g, d))
		return;
	d->state = DELIVERY_WRITTEN;
	mailbox_add(d->mailbox, d->size);
}

/* Takes its name in new away. */
static void
unpublish(const struct delivery *d)
{
	int new;

	if (d->folder[0] == '\0') {
		unlinkat(d->mailbox->new, d->name, 0);
		return;
	}
	if ((new = folder_open_new(d->mailbox->fd, d->folder)) == -1)
		return;
	unlinkat(new, d->name, 0);
	close(new);
}

/* Takes back what was written, whatever its name is by now. */
static void
undo(struct delivery *d, int error)
{
	if (d->state == DELIVERY_WRITTEN)
		unlinkat(d->mailbox->tmp, d->aside, 0);
	else if (d->state == DELIVERY_PUBLISHED)
		unpublish(d);
	if (d->state != DELIVERY_KNOWN)
		mailbox_subtract(d->mailbox, d->size);
	fail(d, error);
}

/* Undoes every delivery that is not final yet. */
static void
undo_all(struct group *g, int error)
{
	for (size_t i = 0; i < g->n; i++)
		if (g->v[i].state != DELIVERY_FAILED)
			undo(&g->v[i], error);
}

static size_t
count_state(const struct group *g, enum delivery_state state)
{
	size_t n = 0;

	for (size_t i = 0; i < g->n; i++)
		n += g->v[i].state == state;
	return n;
}

/* Small groups keep their files open, to sync each alone. */
static bool
is_small(const struct group *g)
{
	return g->n <= SYNC_ALONE;
}

/* Makes the contents in tmp durable. */
static void
sync_contents(struct group *g)
{
	if (count_state(g, DELIVERY_WRITTEN) == 0)
		return;
	if (!is_small(g) || g->mailboxes.made) {
		if (syncfs(g->mailboxes.mailfd) == -1)
			undo_all(g, errno);
		return;
	}
	for (size_t i = 0; i < g->n; i++) {
		struct delivery *d = &g->v[i];

		if (d->state == DELIVERY_WRITTEN && fsync(d->to) == -1)
			undo(d, errno);
	}
}

/* Another worker may have delivered it, and it was read since. */
static bool
is_read(struct group *g, const struct delivery *d)
{
	struct mailbox *b = d->mailbox;

	if (!may_be_there(g, d))
		return false;
	if (d->folder[0] != '\0')
		return mailbox_has(b, d->folder, "cur", d->name);
	return mailbox_may_know(&g->mailboxes, b, d->name) &&
	    mailbox_has(b, ".", "cur", d->name);
}

/* 0, or -1 with errno. */
static int
rename_into(struct group *g, struct delivery *d)
{
	struct mailbox *b = d->mailbox;
	int new = b->new, r, saved;

	/* Who has removed the folder meanwhile finds it in the inbox. */
	if (d->folder[0] != '\0' &&
	    (new = folder_open_new(b->fd, d->folder)) == -1) {
		d->folder[0] = '\0';
		new = b->new;
	}
	r = fsx_rename_new(b->tmp, d->aside, new, d->name);
	if (new == b->new) {
		b->published |= r == 0;
		return r;
	}
	/* One sync for all makes this name durable, too. */
	g->mailboxes.made = true;
	saved = errno;
	close(new);
	errno = saved;
	return r;
}

/* Gives one file its name in new. */
static void
publish(struct group *g, struct delivery *d)
{
	struct mailbox *b = d->mailbox;

	if (is_read(g, d))
		errno = EEXIST;
	else if (rename_into(g, d) == 0) {
		d->state = DELIVERY_PUBLISHED;
		return;
	}
	if (errno != EEXIST) {
		undo(d, errno);
		return;
	}
	unlinkat(b->tmp, d->aside, 0);
	mailbox_subtract(b, d->size);
	be_known(g, d);
}

/* How many folders have new names. */
static size_t
count_published(const struct mailboxes *m)
{
	size_t n = 0;

	for (size_t i = 0; i < MAILBOXES_KEPT; i++)
		n += m->v[i].name[0] != '\0' && m->v[i].group == m->group &&
		    m->v[i].published;
	return n;
}

/* Makes the names in new durable. */
static void
sync_names(struct group *g)
{
	struct mailboxes *m = &g->mailboxes;

	if (m->made || count_published(m) > SYNC_ALONE) {
		if (syncfs(m->mailfd) == -1)
			undo_all(g, errno);
		return;
	}
	for (size_t i = 0; i < MAILBOXES_KEPT; i++) {
		struct mailbox *b = &m->v[i];

		if (b->name[0] != '\0' && b->group == m->group &&
		    b->published && fsync(b->new) == -1) {
			undo_all(g, errno);
			return;
		}
	}
}

/* The success of one delivery, with what the mailbox holds now. */
static void
succeed(struct delivery *d)
{
	struct mailbox *b = d->mailbox;

	failure_set(&d->result, QUEUE_OK, "2.1.5",
	    d->state == DELIVERY_KNOWN ?
	    "Delivered to the mailbox of %s by an earlier attempt." :
	    "Delivered to the mailbox of %s.", d->job.delivered_to);
	if (b->counted) {
		d->result.used_bytes = b->usage.bytes;
		d->result.used_messages = b->usage.messages;
	}
	/* The accounting mends itself: its failure matters to nobody. */
	if (b->added_messages != 0)
		(void)!maildir_usage_add(b->fd, b->added_bytes,
		    b->added_messages);
	if (b->added_messages > 0) {
		b->grown_bytes += (uint64_t)b->added_bytes;
		b->grown_messages += (uint64_t)b->added_messages;
	}
	b->added_bytes = b->added_messages = 0;
}

void
group_deliver(struct group *g)
{
	mailboxes_begin(&g->mailboxes);
	for (size_t i = 0; i < g->n; i++) {
		prepare(g, &g->v[i]);
		if (!is_small(g))
			close_files(&g->v[i]);
	}
	sync_contents(g);
	for (size_t i = 0; i < g->n; i++)
		if (g->v[i].state == DELIVERY_WRITTEN)
			publish(g, &g->v[i]);
	sync_names(g);
	for (size_t i = 0; i < g->n; i++) {
		if (g->v[i].state != DELIVERY_FAILED)
			succeed(&g->v[i]);
		close_files(&g->v[i]);
	}
}
