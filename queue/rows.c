/* rows.c - what a list, a show and a stat say of a message or a destination. */
/* SPDX-License-Identifier: ISC */
#include "queue/rows.h"

#include <stdio.h>

#include "lib/date.h"
#include "queue/remote.h"

void
row_begin(struct row *r)
{
	pack_init(&r->k, r->space, sizeof(r->space));
	pack_u16(&r->k, 0);
	r->n = 0;
}

void
row_text(struct row *r, const char *key, struct slice value)
{
	pack_bytes(&r->k, slice_of(key));
	pack_bytes(&r->k, value);
	r->n++;
}

void
row_number(struct row *r, const char *key, int64_t v)
{
	char text[32];

	snprintf(text, sizeof(text), "%jd", (intmax_t)v);
	row_text(r, key, slice_of(text));
}

int
row_send_to(int fd, struct row *r)
{
	r->space[0] = (unsigned char)r->n;
	r->space[1] = (unsigned char)(r->n >> 8);
	return ipc_send(fd, Q_ROW, &r->k, NULL, 0);
}

int
row_send(struct conn *c, struct row *r)
{
	return row_send_to(c->watch.fd, r);
}

static const char *
state_name(const struct message *m)
{
	return m->is_held ? "held" : m->active != NULL ? "active" : "waiting";
}

void
row_message(struct manager *q, struct row *r, const struct message *m,
    const struct active *a)
{
	static const char *const lanes[] = {
		"personal", "transactional", "list", "bulk"
	};
	char date[DATE_MAX], reason[QUEUE_TEXT_MAX + 1];
	uint32_t waiting = 0;

	for (uint32_t i = 0; i < a->e->n_recipients; i++)
		waiting += a->e->recipients[i].state.status == RCPT_WAITING;
	row_text(r, "id", slice_of(m->id));
	row_text(r, "state", slice_of(state_name(m)));
	row_text(r, "arrival", slice_of(date_iso((time_t)m->arrival, date)));
	row_number(r, "age", life_age(q, m));
	row_text(r, "lane", slice_of(lanes[m->lane]));
	row_number(r, "size", (int64_t)a->h.content_length);
	row_text(r, "sender", a->e->sender);
	row_number(r, "recipients", a->e->n_recipients);
	row_number(r, "waiting", waiting);
	if (a->e->n_originals > 0)
		row_text(r, "recipient", a->e->originals[0].address);
	life_reason(q, a, reason, sizeof(reason));
	if (reason[0] != '\0')
		row_text(r, "reason", slice_of(reason));
	row_number(r, "next", m->heap != 0 && m->due > q->now ?
	    (m->due - q->now) / 1000 : 0);
}

static const char *
status_name(enum recipient_status s)
{
	switch (s) {
	case RCPT_WAITING:
		return "waiting";
	case RCPT_DELIVERED:
	case RCPT_DELIVERED_TOLD:
		return "delivered";
	case RCPT_FAILED:
	case RCPT_FAILED_TOLD:
		return "failed";
	case RCPT_DELETED:
		return "deleted";
	case RCPT_STATUS_END:
		break;
	}
	return "unknown";
}

void
row_recipient(const struct manager *q, struct row *row, const struct active *a,
    uint32_t i, int fd)
{
	const struct recipient *r = &a->e->recipients[i];
	char text[ADDR_TEXT_MAX];
	struct reply reply;

	row_text(row, "id", slice_of(a->m->id));
	row_number(row, "n", i);
	row_text(row, "to", a->e->originals[r->original].address);
	row_text(row, recipient_kind_name(r->kind),
	    slice_of(recipient_text(r, text, sizeof(text))));
	row_text(row, "status", slice_of(status_name(r->state.status)));
	row_number(row, "attempts", r->state.attempts);
	row_number(row, "next", r->state.status == RCPT_WAITING &&
	    r->state.due > q->wall ? r->state.due - q->wall : 0);
	if (r->state.reply != 0 && fd != -1 &&
	    store_read_reply(fd, r->state.reply, &reply) == 0) {
		row_text(row, "dsn", slice_of(reply.enhanced));
		row_text(row, "text", slice_of(reply.text));
	}
}

int
row_queue(struct manager *q, struct conn *c, struct row *row)
{
	row_begin(row);
	row_text(row, "kind", SLICE("queue"));
	row_number(row, "messages", q->index.count);
	row_number(row, "active", (int64_t)(q->n_active[0] + q->n_active[1] +
	    q->n_active[2] + q->n_active[3]));
	row_number(row, "accepted", (int64_t)q->accepted);
	row_number(row, "delivered", (int64_t)q->delivered);
	row_number(row, "deferred", (int64_t)q->deferred);
	row_number(row, "failed", (int64_t)q->failed);
	row_number(row, "files", (int64_t)q->sync.files);
	row_number(row, "syncs", (int64_t)q->sync.syncs);
	row_number(row, "rounds", (int64_t)q->sync.groups);
	row_number(row, "workers", (int64_t)q->n_workers);
	row_number(row, "carriers", (int64_t)q->remote->n_carriers);
	row_number(row, "lookups", (int64_t)q->remote->n_waiting);
	row_number(row, "connections", (int64_t)q->n_conns);
	return row_send(c, row);
}

int
row_local(struct conn *c, struct row *row, const struct sched_dest *d)
{
	row_begin(row);
	row_text(row, "kind", SLICE("local"));
	row_text(row, "destination", slice_of(d->key));
	row_number(row, "waiting", (int64_t)d->waiting);
	row_number(row, "running", (int64_t)d->running);
	return row_send(c, row);
}

static const char *
state_of_group(const struct manager *q, const struct dest_group *g)
{
	if (q->now < g->fallback_until)
		return "fallback";
	if (group_pause(&g->limits, q->now) > 0)
		return "paused";
	return g->limits.why != GROUP_NONE ? "slow" : "open";
}

int
row_group(struct manager *q, struct conn *c, struct row *row,
    const struct dest_group *g)
{
	const struct path *p;
	uint64_t waiting = 0, running = 0, rate = 0;

	TAILQ_FOREACH(p, &g->paths, of_group) {
		waiting += p->dest->waiting;
		running += p->dest->running;
		if (q->now > p->looked)
			rate += (p->done - p->done_before) * 60000 /
			    (uint64_t)(q->now - p->looked);
	}
	row_begin(row);
	row_text(row, "kind", SLICE("remote"));
	row_text(row, "destination", slice_of(g->name));
	row_number(row, "waiting", (int64_t)waiting);
	row_number(row, "running", (int64_t)running);
	row_number(row, "connections", g->limits.connections);
	row_number(row, "allowed", group_allowed(&g->limits));
	row_number(row, "rate", (int64_t)rate);
	row_text(row, "state", slice_of(state_of_group(q, g)));
	row_number(row, "next", group_pause(&g->limits, q->now) / 1000);
	if (g->last.host[0] != '\0')
		row_text(row, "host", slice_of(g->last.host));
	if (g->last.text[0] != '\0')
		row_text(row, "text", slice_of(g->last.text));
	return row_send(c, row);
}
