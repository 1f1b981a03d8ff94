/* begin.c - what is due becomes active, a part of it a turn. */
/* SPDX-License-Identifier: ISC */
/*
 * Limits: ACTIVE_MESSAGES of a lane and ACTIVE_RECIPIENTS in memory, of which
 * LOADS_MAX messages are read and BEGIN_MAX recipients of one are scheduled in
 * a turn: nobody waits long for a huge mailing, nor for a long queue.
 */
#include "queue/queue.h"

#include <errno.h>
#include <stdlib.h>

#include "lib/log.h"
#include "queue/answer.h"
#include "queue/mailbox.h"

#define LOADS_MAX 64		/* messages begun in one turn */
#define BEGIN_MAX 200u		/* recipients of a message begun in one turn */

/* Its owner wants it thrown away; to the sender it has been delivered. */
static void
discard(struct manager *q, struct active *a, struct recipient *r)
{
	char to[ADDR_TEXT_MAX];

	r->state.status = RCPT_DELIVERED;
	r->state.last = q->wall;
	life_dirty(a, (uint32_t)(r - a->e->recipients));
	log_info(a->m->id, "discarded", "to=%s discard=%s",
	    LOGQ(a->e->originals[r->original].address),
	    LOGS(recipient_text(r, to, sizeof(to))));
}

static void
begin_recipient(struct manager *q, struct active *a, struct recipient *r)
{
	switch ((enum recipient_kind)r->kind) {
	case RCPT_MAILBOX:
		mailbox_begin(q, a, r);
		break;
	case RCPT_ANSWER:
		answer_begin(q, a, r);
		break;
	case RCPT_DISCARD:
		discard(q, a, r);
		break;
	case RCPT_REMOTE:
	case RCPT_KIND_END:
		remote_begin(q, a, r);
		break;
	}
}

/* False when this pass is for another domain. */
static bool
is_in_pass(const struct manager *q, const struct recipient *r)
{
	struct slice want = q->pass_domain, tail = r->domain;

	if (want.len == 0)
		return true;
	if (want.p[0] != '.')
		return slice_eq_nocase(tail, want);
	return tail.len > want.len && slice_eq_nocase(
	    slice_skip(tail, tail.len - want.len), want);
}

/* A clock that has gone back behind the last attempt was wrong then, or is now:
 * what it says of the next one may be years away. */
static bool
is_due(const struct manager *q, const struct active *a,
    const struct recipient_state *s)
{
	return s->due <= q->wall || a->m->is_retry ||
	    (s->last != 0 ? s->last : a->m->arrival) > q->wall;
}

/* Schedules the next recipients that are due; nobody waits long for those of
 * a huge mailing. */
static void
begin_some(struct manager *q, struct active *a)
{
	struct message *m = a->m;
	uint32_t left = a->e->n_recipients - a->begun;
	uint32_t end = a->begun + (left < BEGIN_MAX ? left : BEGIN_MAX);

	if (a->is_fresh)
		submit_log_recipients(a, a->begun, end);
	for (; a->begun < end; a->begun++) {
		struct recipient *r = &a->e->recipients[a->begun];

		if (r->state.status == RCPT_WAITING && is_in_pass(q, r) &&
		    is_due(q, a, &r->state))
			begin_recipient(q, a, r);
	}
	if (end == a->e->n_recipients) {
		m->is_retry = false;
		life_touch(q, a);
	}
}

static void
begin(struct manager *q, struct active *a)
{
	struct message *m = a->m;

	m->active = a;
	a->is_urgent = m->is_retry;
	q->n_active[m->lane]++;
	q->active_recipients += a->e->n_recipients;
	for (uint32_t i = 0; i < a->e->n_recipients; i++)
		a->e->recipients[i].active = a;
	begin_some(q, a);
	if (a->begun == a->e->n_recipients)
		return;
	a->is_beginning = true;
	TAILQ_INSERT_TAIL(&q->beginning, a, beginning);
}

/* The next part of one of those that do not fit a turn. */
static void
go_on_beginning(struct manager *q)
{
	struct active *a = TAILQ_FIRST(&q->beginning);

	if (a == NULL)
		return;
	TAILQ_REMOVE(&q->beginning, a, beginning);
	if (a->m->is_held || a->is_doomed) {
		if (a->is_fresh)
			submit_log_recipients(a, a->begun, a->e->n_recipients);
		a->begun = a->e->n_recipients;
		life_touch(q, a);
	} else
		begin_some(q, a);
	a->is_beginning = a->begun < a->e->n_recipients;
	if (a->is_beginning)
		TAILQ_INSERT_TAIL(&q->beginning, a, beginning);
}

bool
life_has_room(const struct manager *q, uint8_t lane)
{
	return q->n_active[lane] < ACTIVE_MESSAGES &&
	    (q->active_recipients < ACTIVE_RECIPIENTS ||
	    q->n_active[lane] == 0);
}

void
life_accept(struct manager *q, struct active *a)
{
	struct message *m = a->m;

	if (life_has_room(q, m->lane) && !q->is_stopping && !m->is_held) {
		begin(q, a);
		return;
	}
	submit_log_recipients(a, 0, a->e->n_recipients);
	str_free(&a->replies);
	envelope_free(a->e);
	free(a);
	if (!m->is_held)
		index_schedule(&q->index, m, q->now);
}

void
life_begin_due(struct manager *q)
{
	unsigned loads = 0;

	go_on_beginning(q);
	for (uint8_t lane = 0; lane < INDEX_LANES; lane++)
		while (life_has_room(q, lane)) {
			struct message *m = index_first(&q->index, lane);
			struct active *a;

			if (m == NULL || m->due > q->now ||
			    (q->is_one_pass && (m->due > q->pass_start ||
			    q->now >= q->pass_end)))
				break;
			if (++loads > LOADS_MAX)
				return;
			index_unschedule(&q->index, m);
			if (q->is_one_pass &&
			    life_age(q, m) < q->pass_older_than)
				continue;
			if (loads == 1 && tables_refresh(&q->tables) == -1)
				log_error(NULL, "error", "what=tables "
				    "error=%s", LOGS(strerror(errno)));
			if ((a = life_open(q, m, true)) != NULL)
				begin(q, a);
		}
}
