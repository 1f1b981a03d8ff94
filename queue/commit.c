/* commit.c - a message that is whole: synced, answered, told of in the log. */
/* SPDX-License-Identifier: ISC */
/*
 * Order: the file is in the hands of the sync thread until both it and its name
 * are durable; only then is the client told OK. A failed sync is final.
 */
#include "queue/queue.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/log.h"
#include "queue/hold.h"
#include "queue/remote.h"
#include "queue/submission.h"

/* A commit in the hands of the sync thread. */
struct commit {
	struct sync_item item;	/* first: the thread gives it back */
	struct conn *c;
	struct active *a;
	struct sending_why why;	/* it is slowed or held */
	int64_t delay;
	struct str left_out;	/* as in the submission */
};

static struct active *
active_new(struct manager *q, const struct submission *s)
{
	struct active *a = calloc(1, sizeof(*a));
	uint64_t tail = s->h.content_offset + s->h.content_length;

	if (a == NULL)
		return NULL;
	a->h = s->h;
	a->tail = tail + s->draft.replies.len;
	a->replies = STR_INIT(ENVELOPE_MAX);
	a->e = envelope_parse(str_slice(&s->draft.records), s->h.originals,
	    s->h.recipients);
	a->m = a->e != NULL ? index_add(&q->index, s->id,
	    (uint8_t)s->h.lane) : NULL;
	if (a->m == NULL) {
		envelope_free(a->e);
		free(a);
		return NULL;
	}
	for (uint32_t i = 0; i < s->draft.n; i++) {
		struct recipient_state *state = &a->e->recipients[i].state;

		a->e->recipients[i].is_caught = s->draft.v[i].is_caught;
		state->due = q->wall + s->sending.delay;
		if (s->draft.v[i].reply == 0)
			continue;
		state->status = RCPT_FAILED;
		state->attempts = 1;
		state->last = q->wall;
		state->reply = tail + s->draft.v[i].reply - 1;
		envelope_failed(a->e, i);
	}
	a->m->arrival = q->wall;
	a->m->born = q->now / 1000;
	a->m->is_coming = true;
	a->m->is_verified = true;
	a->m->notice = s->h.notice;
	a->m->size = (uint32_t)(s->h.content_length / 1024);
	a->m->recipients = (uint16_t)(s->draft.n < UINT16_MAX ? s->draft.n :
	    UINT16_MAX);
	a->m->is_held = s->sending.is_held;
	a->m->owes_notice = s->sending.is_first_held;
	a->is_fresh = true;
	return a;
}

int
submission_commit(struct manager *q, struct conn *c, struct submission *s)
{
	struct commit *k = malloc(sizeof(*k));

	if (k == NULL || (k->a = active_new(q, s)) == NULL) {
		free(k);
		return -1;
	}
	k->c = c;
	k->why = s->sending.why;
	k->delay = s->sending.delay;
	k->left_out = s->left_out;
	s->left_out = STR_INIT(LEFT_OUT_MAX);
	k->item.fd = s->fd;
	k->item.dirfd = q->store.shards[id_shard(s->id)];
	s->fd = -1;
	c->pending++;
	q->commits++;
	sync_submit(&q->sync, &k->item);
	return 0;
}

/* A failed sync is final: the file goes, the client tries again. */
static void
discard(struct manager *q, struct commit *k)
{
	char id[ID_LEN + 1];

	memcpy(id, k->a->m->id, sizeof(id));
	log_error(id, "error", "what=sync error=%s",
	    LOGS(strerror(k->item.error)));
	(void)store_remove(&q->store, id);
	index_remove(&q->index, k->a->m);
	envelope_free(k->a->e);
	free(k->a);
	submission_answer(q, k->c, QUEUE_TEMPORARY, "", "4.3.0",
	    "The message cannot be stored now: try again later");
}

static void
log_recipient(const struct active *a, uint32_t i, uint32_t original)
{
	const struct recipient *r = &a->e->recipients[i];
	struct slice given = a->e->originals[original].address;
	bool is_forwarded = r->kind == RCPT_REMOTE && r->detail.len > 0;
	char to[ADDR_TEXT_MAX];

	log_info(a->m->id, "recipient", "n=%u to=%s %s=%s%s%s%s%s", i,
	    LOGQ(given), recipient_kind_name(r->kind),
	    LOGS(recipient_text(r, to, sizeof(to))),
	    is_forwarded ? " by=" : "", is_forwarded ? LOGQ(r->detail) : "",
	    r->is_caught ? " catch-all=" : "",
	    r->is_caught ? LOGQ(address_domain(given)) : "");
}

static void
log_left_out(const struct commit *k)
{
	struct slice rest = str_slice(&k->left_out);

	while (rest.len > 0) {
		struct slice to = slice_cut(&rest, '\n');

		log_info(k->a->m->id, "left-out", "to=%s text=%s", LOGQ(to),
		    LOGQ(slice_cut(&rest, '\n')));
	}
}

/* Every address that was given, those that share a mailbox too: trace finds a
 * message by any of them. */
void
submit_log_recipients(const struct active *a, uint32_t from, uint32_t to)
{
	const struct envelope *e = a->e;

	for (uint32_t i = from; i < to; i++)
		log_recipient(a, i, e->recipients[i].original);
	for (uint32_t i = 0; to == e->n_recipients && i < e->n_alsos; i++)
		log_recipient(a, e->alsos[i].recipient, e->alsos[i].original);
}

/* That its sender has sent too much; the account's own line is sending.c's. */
static void
log_waiting(const struct commit *k)
{
	const struct message *m = k->a->m;
	const struct sending_why *w = &k->why;

	if (w->what == NULL)
		return;
	if (m->is_held)
		log_notice(m->id, "held", "by=malle-queued account=%s what=%s "
		    "used=%ju max=%ju", LOGQ(k->a->e->account), w->what,
		    (uintmax_t)w->used, (uintmax_t)w->max);
	else
		log_info(m->id, "slowed", "account=%s what=%s used=%ju max=%ju "
		    "next=%jd", LOGQ(k->a->e->account), w->what,
		    (uintmax_t)w->used, (uintmax_t)w->max,
		    (intmax_t)k->delay);
}

static void
accept_commit(struct manager *q, struct commit *k)
{
	const struct envelope *e = k->a->e;
	struct message *m = k->a->m;
	const char *id = m->id;

	m->is_coming = false;
	q->accepted++;
	log_info(id, "accepted", "session=%s from=%s size=%ju "
	    "recipients=%u account=%s client=%s lane=%d",
	    LOGQ(e->session), LOGQ(e->sender),
	    (uintmax_t)k->a->h.content_length, e->n_recipients,
	    LOGQ(e->account), LOGQ(e->client), (int)k->a->h.lane);
	submission_answer(q, k->c, QUEUE_OK, id, "2.6.0", "Message accepted");
	log_left_out(k);
	log_waiting(k);
	if (k->c->notice != NULL)
		notice_done(q, k->c, id);
	life_accept(q, k->a);
	hold_tell(q, m);
}

void
submit_synced(struct manager *q, struct watch *w, uint32_t events)
{
	struct sync_items items;
	struct sync_item *i;

	(void)w;
	(void)events;
	STAILQ_INIT(&items);
	sync_collect(&q->sync, &items);
	while ((i = STAILQ_FIRST(&items)) != NULL) {
		struct commit *k = (struct commit *)(void *)i;

		STAILQ_REMOVE_HEAD(&items, link);
		if (i->fd == -1) {
			control_synced(q, i);
			continue;
		}
		close(i->fd);
		if (i->error != 0)
			discard(q, k);
		else
			accept_commit(q, k);
		q->commits--;
		peer_settled(q, k->c);
		str_free(&k->left_out);
		free(k);
	}
}
