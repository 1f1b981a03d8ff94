/* dispatch.c - which connection is given what, and when there is one more. */
/* SPDX-License-Identifier: ISC */
/*
 * Limits: CARRIERS_MAX connections, but for CARRIERS_KEPT of them where a mailing
 * goes, which may have met as many servers that say nothing; those of the group
 * (group.h); WINDOW_MAX messages in flight on one.
 */
#include "queue/carrier.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/log.h"

#define WINDOW_MIN 2		/* messages in flight on one connection */
#define WINDOW_MAX 32
#define PAUSE_LONG 5000		/* ms: those that wait go back to the disk */
#define SERVED_MAX 20		/* messages before it makes room for others */

static uint32_t
window_of(const struct path *p)
{
	uint32_t n = p->pace > 0 ? GROUP_WORK / p->pace : WINDOW_MAX;

	return n < WINDOW_MIN ? WINDOW_MIN : n > WINDOW_MAX ? WINDOW_MAX : n;
}

/* a before b: for a letter, one that has had no mailing; the least busy. */
static bool
is_better(const struct carrier *a, const struct carrier *b, bool patient)
{
	if (!patient && a->is_patient != b->is_patient)
		return b->is_patient;
	return a->running < b->running;
}

/* One that can take more. */
static struct carrier *
choose(struct path *p, bool patient)
{
	struct carrier *c, *best = NULL;
	uint32_t window = window_of(p);

	TAILQ_FOREACH(c, &p->carriers, of_path)
		if (c->is_ready && !c->is_leaving && !c->is_alone &&
		    c->running < window &&
		    c->served < p->group->limits.limits.messages &&
		    (best == NULL || is_better(c, best, patient)))
			best = c;
	return best;
}

static bool
is_idle(const struct carrier *c)
{
	return c->running == 0 && c->is_ready && c->path->dest->waiting == 0;
}

/* Which of two makes room, if any: one that is not needed, or that has served
 * for the longest. */
static struct carrier *
less_needed(struct carrier *a, struct carrier *b)
{
	if (b->is_leaving || (a != NULL && is_idle(a)))
		return a;
	if (is_idle(b))
		return b;
	return b->served >= SERVED_MAX &&
	    (a == NULL || b->served > a->served) ? b : a;
}

/* For a path that has none: a connection of the group, or of any if NULL. */
static void
make_room(struct manager *q, const struct dest_group *g)
{
	struct carrier *c, *least = NULL;

	TAILQ_FOREACH(c, &q->remote->carriers, link)
		if (g == NULL || c->path->group == g)
			least = less_needed(least, c);
	if (least != NULL && is_idle(least))
		carrier_close(q, least);
	else if (least != NULL)
		least->is_leaving = true;
}

/* Finds a place among all connections for what is next on a path, or lets it
 * wait for one. */
static bool
find_place(struct manager *q, struct path *p)
{
	bool patient = job_is_patient(job_active(sched_peek(p->dest)));
	size_t most = CARRIERS_MAX - (patient ? CARRIERS_KEPT : 0);

	if (q->remote->n_carriers == most && p->n_carriers == 0)
		make_room(q, NULL);
	if (q->remote->n_carriers < most)
		return true;
	if (p->n_carriers == 0)
		path_starve(q, p, patient);
	return false;
}

/* One that is being made counts as there. */
static bool
wants_carrier(const struct manager *q, const struct path *p)
{
	const struct carrier *c;

	TAILQ_FOREACH(c, &p->carriers, of_path)
		if (c->is_leaving && p->n_carriers == 1)
			return true;
	return group_gains(p->dest->waiting, p->pace, p->n_carriers,
	    q->remote->n_carriers);
}

static void
start_more(struct manager *q, struct path *p)
{
	struct remote_state *s = q->remote;
	struct dest_group *g = p->group;

	while (wants_carrier(q, p) && !q->is_stopping) {
		if (q->now < s->not_before)
			return;
		if (!group_may_connect(&g->limits, q->now)) {
			g->starving++;
			if (p->n_carriers == 0 &&
			    group_pause(&g->limits, q->now) == 0)
				make_room(q, g);
			return;
		}
		if (!find_place(q, p) || carrier_start(q, p) == NULL)
			return;
	}
}

static void
undo(struct manager *q, struct carrier *c, struct job *job)
{
	for (uint16_t i = 0; i < job->n; i++) {
		sched_done(c->path->dest);
		life_back(q, job->r[i], 60000);
	}
	free(job);
}

/* Gives a carrier some recipients of one message. False: nothing was given. */
static bool
send_job(struct manager *q, struct carrier *c, uint32_t allowed)
{
	static unsigned char space[IPC_MAX], list[IPC_MAX];
	static struct remote_job out;
	struct path *p = c->path;
	const struct group_limits *limits = &p->group->limits.limits;
	struct active *a = job_active(sched_peek(p->dest));
	uint32_t max = limits->recipients;
	bool verp = (a->h.flags & QM_VERP) != 0 && a->e->sender.len > 0;
	struct packer k, recipients;
	struct job *job;
	int fd, r;

	/* With VERP each recipient is a message of its own. */
	if (verp && allowed < max)
		max = allowed;
	if (max > REMOTE_RECIPIENTS_MAX)
		max = REMOTE_RECIPIENTS_MAX;
	if (max == 0)
		return false;
	pack_init(&recipients, list, sizeof(list));
	if ((job = job_gather(q, p->dest, &recipients, max)) == NULL)
		return false;
	job->tag = q->remote->tags++;
	job->messages = verp ? job->n : 1;
	job->since = q->now;
	if ((fd = store_file(&q->store, a->m->id, O_RDONLY)) == -1) {
		log_error(a->m->id, "error", "what=open error=%s",
		    LOGS(strerror(errno)));
		undo(q, c, job);
		return true;
	}
	job_fill(q, a, job, &out);
	pack_init(&k, space, sizeof(space) - 2);
	remote_job_pack(&k, &out);
	pack_raw(&k, pack_slice(&recipients));
	r = ipc_send(c->watch.fd, R_JOB, &k, &fd, 1);
	close(fd);
	if (r == -1) {
		undo(q, c, job);
		return false;
	}
	TAILQ_INSERT_TAIL(&c->jobs, job, link);
	c->running += job->messages;
	c->served += job->messages;
	c->last = q->now;
	c->is_alone = a->m->is_suspect;
	c->is_patient |= out.is_patient;
	group_sent(&p->group->limits, job->messages);
	return true;
}

static void
close_if_done(struct manager *q, struct carrier *c)
{
	if (c->running == 0 && (c->is_leaving ||
	    c->served >= c->path->group->limits.limits.messages))
		carrier_close(q, c);
	else if (c->running == 0)
		c->is_alone = false;
}

/* Hands out what waits for a path as far as its connections take it. */
static void
fill_carriers(struct manager *q, struct path *p)
{
	struct sched_dest *d = p->dest;
	struct carrier *c;

	while (d->waiting > 0 && (c = choose(p,
	    job_is_patient(job_active(sched_peek(d))))) != NULL) {
		uint32_t window = window_of(p) - c->running;
		uint32_t left = p->group->limits.limits.messages - c->served;
		uint32_t allowed = group_may_send(&p->group->limits, q->now,
		    window < left ? window : left);
		bool suspect = job_active(sched_peek(d))->m->is_suspect;

		/* A suspect goes alone. */
		if (allowed == 0 || (suspect && c->running > 0))
			return;
		if (!send_job(q, c, allowed))
			return;
	}
}

/* While a group rests for long, nobody waits for it in memory. */
static bool
is_resting(struct manager *q, struct path *p)
{
	struct dest_group *g = p->group;
	struct judgement j = { .result = QUEUE_TEMPORARY };

	if (group_pause(&g->limits, q->now) <= PAUSE_LONG)
		return false;
	verdict_for_waiting(q, p, &j, &g->last, true);
	return true;
}

void
remote_dispatch(struct manager *q, struct sched_dest *d)
{
	struct path *p = d->carrier;
	struct carrier *c, *next;

	if (d->kind == DEST_LOOKUP || p == NULL) {
		sched_park(&q->sched, d);
		return;
	}
	for (c = TAILQ_FIRST(&p->carriers); c != NULL; c = next) {
		next = TAILQ_NEXT(c, of_path);
		close_if_done(q, c);
	}
	if (d->waiting > 0 && !q->is_stopping && !is_resting(q, p)) {
		fill_carriers(q, p);
		if (d->waiting > 0)
			start_more(q, p);
	}
	if (d->waiting > 0)
		sched_park(&q->sched, d);
}
