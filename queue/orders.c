/* orders.c - what is asked for a message: to hold, release, retry, delete it. */
/* SPDX-License-Identifier: ISC */
/*
 * Order: what is asked for is in the message's file before it is answered, a
 * reason before the state that says where it is.
 */
#include "queue/queue.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "lib/log.h"
#include "queue/remote.h"

/* Takes every job that only waits out of the scheduler. */
static void
cancel_jobs(struct manager *q, struct active *a)
{
	for (uint32_t i = 0; i < a->e->n_recipients; i++) {
		struct recipient *r = &a->e->recipients[i];

		if (r->job.entry == NULL)
			continue;
		sched_cancel(&q->sched, &r->job);
		a->outstanding--;
	}
}

void
life_reason(struct manager *q, const struct active *a, char *out, size_t cap)
{
	int fd = a->m->is_held && a->reason != 0 ?
	    store_file(&q->store, a->m->id, O_RDONLY) : -1;
	struct reply why;

	out[0] = '\0';
	if (fd == -1)
		return;
	if (store_read_reply(fd, a->reason, &why) == 0 &&
	    why.recipient == REPLY_OF_MESSAGE)
		snprintf(out, cap, "%s", why.text);
	close(fd);
}

/* Written with the state that says where it is. */
static void
keep_reason(struct manager *q, struct active *a, const char *by)
{
	struct reply why = { .recipient = REPLY_OF_MESSAGE, .when = q->wall,
	    .result = QUEUE_TEMPORARY };
	size_t at = a->replies.len;

	snprintf(why.text, sizeof(why.text), "%s", by);
	reply_encode(&a->replies, &why);
	a->reason = str_ok(&a->replies) ? a->tail + at : 0;
}

/* The flag and its reason, into the file. */
static void
save_held(struct manager *q, struct active *a, const char *by)
{
	a->reason = 0;
	if (a->m->is_held)
		keep_reason(q, a, by);
	life_save(q, a);
}

void
life_hold(struct manager *q, struct message *m, bool held, const char *by)
{
	struct active *a = m->active;

	if (m->is_held == held)
		return;
	log_notice(m->id, held ? "held" : "released", "by=%s", LOGS(by));
	m->is_held = held;
	if (!held) {
		m->kills = 0;
		m->is_suspect = false;
		m->is_retry = true;
	}
	if (a != NULL) {
		if (held)
			cancel_jobs(q, a);
		save_held(q, a, by);
		life_touch(q, a);
		return;
	}
	index_unschedule(&q->index, m);
	if (!held)
		index_schedule(&q->index, m, q->now);
	if ((a = life_open(q, m, false)) != NULL) {
		save_held(q, a, by);
		life_free_active(q, a);
	}
}

/* Due from now on, after a restart as well. */
static void
make_due(struct manager *q, struct active *a)
{
	for (uint32_t i = 0; i < a->e->n_recipients; i++) {
		struct recipient_state *s = &a->e->recipients[i].state;

		if (s->status != RCPT_WAITING || s->due <= q->wall)
			continue;
		s->due = q->wall;
		life_dirty(a, i);
	}
	life_save(q, a);
}

void
life_retry(struct manager *q, struct message *m, const char *by)
{
	struct active *a = m->active;

	log_notice(m->id, "retried", "by=%s", LOGS(by));
	m->is_retry = true;
	if (a != NULL) {
		make_due(q, a);
		remote_retry(q, a);
		life_touch(q, a);
		return;
	}
	if (!m->is_held)
		index_schedule(&q->index, m, q->now);
	if ((a = life_open(q, m, false)) != NULL) {
		make_due(q, a);
		life_free_active(q, a);
	}
}

void
life_delete(struct manager *q, struct message *m, const char *by)
{
	log_notice(m->id, "deleted", "by=%s", LOGS(by));
	if (m->active == NULL) {
		life_end(q, m);
		return;
	}
	cancel_jobs(q, m->active);
	m->active->is_doomed = true;
	/* Who has it has it open. */
	(void)!store_remove(&q->store, m->id);
	life_touch(q, m->active);
}
