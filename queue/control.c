/* control.c - malle queue: list, show, hold, release, retry, delete, stat. */
/* SPDX-License-Identifier: ISC */
/*
 * The answer is any number of rows and an end; malle-queue-protocol(7). A queue
 * may hold a million messages: rows are made a few at a time, when the peer
 * has room for them, so that nobody else waits.
 *
 * Order: what is held, released, retried or deleted is written at once; one
 * sync makes all of it durable; then the end is told.
 */
#include "queue/queue.h"

#include <sys/epoll.h>

#include <errno.h>
#include <stdio.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/log.h"
#include "queue/filter.h"
#include "queue/remote.h"
#include "queue/rows.h"

#define STEP 200		/* messages looked at in one go */
#define STAT_STEP 4096		/* chains of destinations */
#define STEP_OPEN 32		/* of them opened */

struct control {
	uint16_t type;
	struct queue_filter f;
	uint32_t slot;		/* the next one to look at */
	uint32_t in_chain;	/* destinations of it that were told */
	uint32_t touched;
	char by[32];
	bool is_watched;
	bool is_syncing;	/* all is done, but not durable yet */
};

/* What a request has changed, in the hands of the sync thread. */
struct change {
	struct sync_item item;	/* first: the thread gives it back */
	struct conn *c;
};

/* "*" stands for any bytes; letters without regard to case. */
static bool
matches(const char *pattern, struct slice text)
{
	const char *star = NULL;
	size_t i = 0, back = 0;

	while (i < text.len) {
		if (*pattern == '*') {
			star = ++pattern;
			back = i;
		} else if (*pattern != '\0' &&
		    strncasecmp(pattern, text.p + i, 1) == 0) {
			pattern++;
			i++;
		} else if (star != NULL) {
			pattern = star;
			i = ++back;
		} else
			return false;
	}
	while (*pattern == '*')
		pattern++;
	return *pattern == '\0';
}

static bool
recipient_matches(const struct envelope *e, const char *pattern)
{
	char text[ADDR_TEXT_MAX];

	for (uint32_t i = 0; i < e->n_originals; i++)
		if (matches(pattern, e->originals[i].address))
			return true;
	for (uint32_t i = 0; i < e->n_recipients; i++)
		if (matches(pattern, slice_of(recipient_text(
		    &e->recipients[i], text, sizeof(text)))))
			return true;
	return false;
}

/* All of one message: what a list says, who sent it, each recipient. A peer
 * that does not read is cut off: nobody asks for two messages at once. */
static int
show(struct manager *q, struct conn *c, const struct active *a)
{
	int fd = store_file(&q->store, a->m->id, O_RDONLY);
	struct row row;
	int r;

	row_begin(&row);
	row_message(q, &row, a->m, a);
	row_text(&row, "account", a->e->account);
	row_text(&row, "client", a->e->client);
	row_text(&row, "session", a->e->session);
	row_text(&row, "envid", a->e->envid);
	row_text(&row, "about", a->e->about);
	r = row_send(c, &row);
	for (uint32_t i = 0; i < a->e->n_recipients && r == 0; i++) {
		row_begin(&row);
		row_recipient(q, &row, a, i, fd);
		r = row_send(c, &row);
	}
	if (fd != -1)
		close(fd);
	return r;
}

static void
act(struct manager *q, struct control *k, struct message *m)
{
	switch (k->type) {
	case Q_HOLD:
		life_hold(q, m, true, k->by);
		break;
	case Q_RELEASE:
		life_hold(q, m, false, k->by);
		break;
	case Q_RETRY:
		life_retry(q, m, k->by);
		break;
	case Q_DELETE:
		life_delete(q, m, k->by);
		break;
	}
}

/* Whether the envelope is needed to answer. */
static bool
needs_envelope(const struct control *k)
{
	return k->type == Q_LIST || k->type == Q_SHOW ||
	    k->f.account[0] != '\0' || k->f.sender[0] != '\0' ||
	    k->f.recipient[0] != '\0';
}

static bool
is_wanted(const struct manager *q, const struct control *k,
    const struct message *m)
{
	if (m->is_coming || (m->active != NULL && m->active->is_doomed))
		return false;
	if (k->f.id[0] != '\0' && strcmp(k->f.id, m->id) != 0)
		return false;
	if (k->f.held_only && !m->is_held)
		return false;
	return life_age(q, m) >= (int64_t)k->f.older_than;
}

static bool
envelope_wanted(const struct control *k, const struct envelope *e)
{
	if (k->f.sender[0] != '\0' && !matches(k->f.sender, e->sender))
		return false;
	if (k->f.account[0] != '\0' && !matches(k->f.account, e->account))
		return false;
	return k->f.recipient[0] == '\0' ||
	    recipient_matches(e, k->f.recipient);
}

/* One message. 0, or -1 with errno EAGAIN: once more later. */
static int
do_message(struct manager *q, struct conn *c, struct message *m)
{
	struct control *k = c->control;
	struct active *a = m->active;
	struct row row;
	bool wanted = true;
	int r = 0;

	if (needs_envelope(k)) {
		if (a == NULL && (a = life_open(q, m, false)) == NULL)
			return 0;
		wanted = envelope_wanted(k, a->e);
		if (wanted && k->type == Q_SHOW)
			r = show(q, c, a);
		else if (wanted && k->type == Q_LIST) {
			row_begin(&row);
			row_message(q, &row, m, a);
			r = row_send(c, &row);
		}
		if (a != m->active)
			life_free_active(q, a);
	}
	if (r == -1 || !wanted)
		return r;
	k->touched++;
	act(q, k, m);
	return 0;
}

static void
end(struct manager *q, struct conn *c, enum queue_result result,
    const char *text)
{
	unsigned char space[256];
	struct packer k;
	uint32_t touched = c->control->touched;
	bool was_watched = c->control->is_watched;

	control_free(c->control);
	c->control = NULL;
	if (was_watched)
		manager_events(q, &c->watch, EPOLLIN);
	pack_init(&k, space, sizeof(space));
	pack_u8(&k, (uint8_t)result);
	pack_u32(&k, touched);
	pack_bytes(&k, slice_of(text));
	peer_answer(q, c, Q_END, &k);
}

static bool
is_change(const struct control *k)
{
	return k->touched > 0 && (k->type == Q_HOLD || k->type == Q_RELEASE ||
	    k->type == Q_RETRY || k->type == Q_DELETE);
}

/* Everything was done. What was changed is answered when it is durable. */
static void
finish(struct manager *q, struct conn *c)
{
	struct change *change;

	if (!is_change(c->control)) {
		end(q, c, QUEUE_OK, "");
		return;
	}
	if ((change = calloc(1, sizeof(*change))) == NULL) {
		end(q, c, QUEUE_TEMPORARY, "There is no memory now");
		return;
	}
	if (c->control->is_watched)
		manager_events(q, &c->watch, EPOLLIN);
	c->control->is_watched = false;
	c->control->is_syncing = true;
	change->item.fd = change->item.dirfd = -1;
	change->c = c;
	c->pending++;
	q->commits++;
	sync_submit(&q->sync, &change->item);
}

void
control_synced(struct manager *q, struct sync_item *i)
{
	struct change *change = (struct change *)(void *)i;
	struct conn *c = change->c;

	if (i->error != 0)
		log_error(NULL, "error", "what=sync error=%s",
		    LOGS(strerror(i->error)));
	if (c->control != NULL && i->error != 0)
		end(q, c, QUEUE_TEMPORARY, "The disk does not keep it: "
		    "see the log of the machine");
	else if (c->control != NULL)
		end(q, c, QUEUE_OK, "");
	q->commits--;
	peer_settled(q, c);
	free(change);
}

/* All of a chain of one of the two tables, from the place reached before. */
static int
stat_chain(struct manager *q, struct conn *c, uint32_t chain)
{
	const struct remote_state *s = q->remote;
	struct control *k = c->control;
	uint32_t i = 0;
	struct row row;

	if (chain < q->sched.table_size) {
		struct sched_dest *d = q->sched.table[chain];

		for (; d != NULL; d = d->next)
			if (d->kind == RCPT_MAILBOX && i++ >= k->in_chain) {
				if (row_local(c, &row, d) == -1)
					return -1;
				k->in_chain = i;
			}
	} else {
		struct dest_group *g = s->groups[chain - q->sched.table_size];

		for (; g != NULL; g = g->next)
			if (i++ >= k->in_chain) {
				if (row_group(q, c, &row, g) == -1)
					return -1;
				k->in_chain = i;
			}
	}
	return 0;
}

/* Goes over the destinations, a few at a time. True when it is done. */
static bool
stat_step(struct manager *q, struct conn *c, bool *blocked)
{
	struct control *k = c->control;
	size_t chains = q->sched.table_size + q->remote->groups_size;
	struct row row;

	*blocked = false;
	if (k->slot == 0 && row_queue(q, c, &row) == -1) {
		*blocked = errno == EAGAIN;
		return !*blocked;
	}
	if (k->slot == 0)
		k->slot = 1;
	for (size_t i = 0; i < STAT_STEP && k->slot <= chains; i++) {
		if (stat_chain(q, c, k->slot - 1) == -1) {
			*blocked = errno == EAGAIN;
			return !*blocked;
		}
		k->slot++;
		k->in_chain = 0;
	}
	return k->slot > chains;
}

/* Goes over the slots, a few at a time. True when it is done. */
static bool
step(struct manager *q, struct conn *c, bool *blocked)
{
	struct control *k = c->control;
	uint32_t opened = 0;

	*blocked = false;
	for (uint32_t i = 0; i < STEP && k->slot < q->index.slots; i++) {
		struct message *m = index_slot(&q->index, k->slot);

		if (m != NULL && is_wanted(q, k, m)) {
			if (do_message(q, c, m) == -1) {
				*blocked = errno == EAGAIN;
				return !*blocked;
			}
			if (needs_envelope(k) && ++opened >= STEP_OPEN) {
				k->slot++;
				break;
			}
		}
		k->slot++;
	}
	return k->slot >= q->index.slots;
}

void
control_continue(struct manager *q, struct conn *c)
{
	bool blocked;

	c->last = q->now;
	if (c->control->is_syncing)
		return;
	if (c->control->type == Q_STAT ? stat_step(q, c, &blocked) :
	    step(q, c, &blocked)) {
		finish(q, c);
		return;
	}
	/* Writable again, or simply the next turn: both come as EPOLLOUT. */
	if (!c->control->is_watched) {
		c->control->is_watched = true;
		manager_events(q, &c->watch, EPOLLIN | EPOLLOUT);
	}
}

void
control_free(struct control *k)
{
	free(k);
}

/* A single message is found by its id, without going over all. */
static void
one_message(struct manager *q, struct conn *c)
{
	struct message *m = index_find(&q->index,
	    slice_of(c->control->f.id));

	if (m == NULL || !is_wanted(q, c->control, m)) {
		end(q, c, QUEUE_PERMANENT, "There is no such message");
		return;
	}
	if (do_message(q, c, m) == -1)
		end(q, c, QUEUE_TEMPORARY, "The answer is too long");
	else
		finish(q, c);
}

int
control_request(struct manager *q, struct conn *c, struct ipc_msg *m)
{
	struct control *k;

	if (c->control != NULL || (k = calloc(1, sizeof(*k))) == NULL)
		return -1;
	k->type = m->type;
	if (queue_filter_unpack(&m->body, &k->f) == -1) {
		free(k);
		return -1;
	}
	snprintf(k->by, sizeof(k->by), "uid %u", (unsigned)c->uid);
	if (k->type == Q_RETRY)
		q->retried = q->now;
	c->control = k;
	if (k->type != Q_STAT && k->f.id[0] != '\0')
		one_message(q, c);
	else if (k->type == Q_SHOW)
		end(q, c, QUEUE_PERMANENT, "Which message?");
	else
		control_continue(q, c);
	return 0;
}
