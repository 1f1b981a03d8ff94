/* carrier.c - connections to other servers, and what they report. */
/* SPDX-License-Identifier: ISC */
/*
 * A destination of the scheduler is one exact way (hosts, TLS policy): a path.
 * Paths behind the same servers are a group, which has the limits. A carrier
 * is a connection, made by a child of malle-remote; we hold one end of a pair.
 *
 * Trusts: not the children. A carrier can report only what it has; anything
 * else closes it. When one dies, its jobs are tried again.
 * Order: a recipient is with one carrier at most; a result is taken once.
 * Limits: CARRIERS_MAX, and those of the group (group.h).
 */
#include "queue/carrier.h"

#include <sys/epoll.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/log.h"

#define IDLE_TIME 3000		/* ms that a connection is kept for more */
#define ANSWER_TIME 1800000	/* ms: it hangs */
#define KILLS_MAX 5
#define CLEAR_TIME 86400000	/* ms that broken TLS is remembered */

size_t
remote_running(const struct manager *q)
{
	const struct carrier *c;
	size_t n = 0;

	TAILQ_FOREACH(c, &q->remote->carriers, link)
		n += c->running;
	return n;
}

static void
job_free(struct carrier *c, struct job *job)
{
	TAILQ_REMOVE(&c->jobs, job, link);
	c->running -= job->messages;
	free(job);
}

/* How long a message takes this path, for the number of connections. */
static void
measure(struct manager *q, struct carrier *c, const struct job *job)
{
	struct path *p = c->path;
	int64_t since = c->last > job->since ? c->last : job->since;
	int64_t us = (q->now - since) * 1000 / job->messages;

	if (us > 60000000)
		us = 60000000;
	p->pace = (uint32_t)((p->pace * INT64_C(7) + us) / 8);
	p->done += job->messages;
}

/* One recipient's result. -1: it is not about a job of this carrier. */
static int
take_result(struct manager *q, struct carrier *c, struct job *job,
    struct unpacker *u)
{
	static struct remote_result result;
	struct judgement j;
	struct reply reply;
	struct recipient *r = NULL;
	uint16_t i;

	if (remote_result_unpack(u, &result) == -1)
		return -1;
	for (i = 0; i < job->n && r == NULL; i++)
		if (job->r[i] != NULL && (uint32_t)(job->r[i] -
		    job->a->e->recipients) == result.number) {
			r = job->r[i];
			job->r[i] = NULL;
		}
	if (r == NULL)
		return -1;
	job->left--;
	sched_done(c->path->dest);
	verdict_judge(q, c->path, &result.reply, &j);
	/* One connection that breaks is one event. */
	if (j.event == GROUP_LOST && c->is_lost)
		j.event = GROUP_NONE;
	c->is_lost |= j.event == GROUP_LOST;
	if (j.event != GROUP_NONE)
		verdict_feed(q, c->path->group, j.event, &result.reply);
	else if (j.result != QUEUE_OK)
		c->path->group->last = result.reply;
	job->a->m->is_suspect = false;
	job->a->m->kills = 0;
	if (j.is_elsewhere) {
		life_again(q, r);
		return 0;
	}
	verdict_reply(q, &j, &result.reply, &reply);
	reply.is_dsn_passed = result.dsn_passed;
	life_result(q, r, &reply);
	return 0;
}

static int
take_results(struct manager *q, struct carrier *c, struct unpacker *u)
{
	uint64_t tag = unpack_u64(u);
	bool more = unpack_u8(u) != 0;
	uint16_t n = unpack_u16(u);
	struct job *job;

	TAILQ_FOREACH(job, &c->jobs, link)
		if (job->tag == tag)
			break;
	if (job == NULL || u->bad)
		return -1;
	for (uint16_t i = 0; i < n; i++)
		if (take_result(q, c, job, u) == -1)
			return -1;
	if (!unpack_end(u) || more != (job->left > 0))
		return -1;
	if (!more) {
		measure(q, c, job);
		job_free(c, job);
	}
	return 0;
}

static void
take_ready(struct manager *q, struct carrier *c, const struct remote_reply *how)
{
	struct dest_group *g = c->path->group;

	c->is_ready = true;
	q->remote->failures = 0;
	if (how->tls_failed) {
		log_notice(NULL, "destination", "group=%s event=clear host=%s "
		    "reason=%s", LOGS(g->name), LOGS(how->host),
		    LOGS("TLS is broken there"));
		g->clear_until = q->now + CLEAR_TIME;
	}
}

/* No connection came about. */
static void
take_failed(struct manager *q, struct carrier *c,
    const struct remote_reply *why)
{
	struct path *p = c->path;
	struct dest_group *g = p->group;
	struct judgement j;
	bool others = p->n_carriers > 1;

	verdict_judge(q, p, why, &j);
	if (j.result == QUEUE_OK)
		j.result = QUEUE_TEMPORARY;
	carrier_close(q, c);
	verdict_feed(q, g, j.event, why);
	/* With a connection that works, it was only one too many. */
	if (j.is_elsewhere || !others || group_pause(&g->limits, q->now) > 0)
		verdict_for_waiting(q, p, &j, why, false);
}

static int
take_ticket(struct manager *q, struct carrier *c, struct unpacker *u)
{
	struct slice ticket = unpack_bytes(u, REMOTE_TICKET_MAX);

	if (!unpack_end(u))
		return -1;
	ticket_keep(q, c->path, ticket);
	return 0;
}

static int
take_message(struct manager *q, struct carrier *c, struct ipc_msg *m)
{
	static struct remote_reply reply;

	ipc_close_fds(m);
	if (m->type == R_RESULT)
		return c->is_ready ? take_results(q, c, &m->body) : -1;
	if (m->type == R_TICKET)
		return c->is_ready ? take_ticket(q, c, &m->body) : -1;
	if (remote_reply_unpack(&m->body, &reply) == -1 ||
	    !unpack_end(&m->body))
		return -1;
	switch (m->type) {
	case R_READY:
		if (c->is_ready)
			return -1;
		take_ready(q, c, &reply);
		return 0;
	case R_FAILED:
		if (c->is_ready)
			return -1;
		take_failed(q, c, &reply);
		return 0;
	case R_CLOSED:
		/* What it has not begun was not its fault. */
		if (c->running > 0 || reply.code != 0) {
			struct judgement j;

			verdict_judge(q, c->path, &reply, &j);
			if (j.event == GROUP_UNREACHABLE)
				j.event = GROUP_LOST;
			if (!c->is_lost &&
			    (c->running > 0 || j.event != GROUP_LOST))
				verdict_feed(q, c->path->group, j.event, &reply);
		}
		carrier_close(q, c);
		return 0;
	default:
		return -1;
	}
}

/* Its child died over one of them, or lies: nobody knows over which, so they go
 * alone then. */
static void
suspect(struct carrier *c)
{
	struct job *job = TAILQ_FIRST(&c->jobs);
	bool is_only = job != NULL && TAILQ_NEXT(job, link) == NULL;

	TAILQ_FOREACH(job, &c->jobs, link) {
		struct message *m = job->a->m;

		if (is_only && m->is_suspect && m->kills < KILLS_MAX)
			m->kills++;
		m->is_suspect = true;
	}
}

/* Its end of the pair is closed, without a word. */
static void
died(struct manager *q, struct carrier *c)
{
	struct remote_state *s = q->remote;

	log_error(NULL, "carrier", "group=%s died=yes messages=%u",
	    LOGS(c->path->group->name), c->running);
	if (!c->is_ready) {
		unsigned shift = s->failures < 6 ? s->failures++ : 6;

		s->not_before = q->now + (INT64_C(500) << shift);
	}
	suspect(c);
	carrier_close(q, c);
}

static void
on_event(struct manager *q, struct watch *watch, uint32_t events)
{
	static unsigned char space[IPC_MAX];
	struct carrier *c = (struct carrier *)(void *)watch;
	struct sched_dest *d = c->path->dest;
	struct ipc_msg m;
	int r;

	(void)events;
	/* One that died with jobs unread leaves ECONNRESET in front of what it
	 * has reported. */
	while ((r = ipc_recv(watch->fd, space, &m)) == 1 ||
	    (r == -1 && errno == ECONNRESET)) {
		if (r == -1)
			continue;
		if (take_message(q, c, &m) == -1) {
			log_error(NULL, "carrier", "group=%s closed=%s",
			    LOGS(c->path->group->name),
			    LOGS("it reports what it has not"));
			suspect(c);
			carrier_close(q, c);
			return;
		}
		if (c->watch.fd == -1)
			return;
		c->last = q->now;
	}
	if (r == -1 && errno == EAGAIN)
		sched_wake(&q->sched, d);
	else
		died(q, c);
}

/* A job goes back: to be tried anew, at once. */
static void
job_back(struct manager *q, struct carrier *c, struct job *job)
{
	struct message *m = job->a->m;

	for (uint16_t i = 0; i < job->n; i++) {
		if (job->r[i] == NULL)
			continue;
		sched_done(c->path->dest);
		if (m->kills >= KILLS_MAX || m->is_suspect)
			life_back(q, job->r[i], 2000);
		else
			life_again(q, job->r[i]);
	}
	if (m->kills >= KILLS_MAX)
		life_hold(q, m, true, "malle-queued: it kills its carriers");
	job_free(c, job);
}

void
carrier_close(struct manager *q, struct carrier *c)
{
	struct remote_state *s = q->remote;
	struct path *p = c->path;
	struct job *job, *next;

	manager_unwatch(q, &c->watch);
	close(c->watch.fd);
	c->watch.fd = -1;
	TAILQ_REMOVE(&s->carriers, c, link);
	TAILQ_REMOVE(&p->carriers, c, of_path);
	p->n_carriers--;
	p->group->limits.connections--;
	p->group->used = q->now;
	s->n_carriers--;
	TAILQ_INSERT_TAIL(&s->dead_carriers, c, link);
	for (job = TAILQ_FIRST(&c->jobs); job != NULL; job = next) {
		next = TAILQ_NEXT(job, link);
		job_back(q, c, job);
	}
	sched_wake(&q->sched, p->dest);
	path_wake_group(q, p->group);
	path_wake_starving(q);
}

static int
send_route(struct manager *q, struct path *p, int fd)
{
	static struct remote_route route;
	static unsigned char space[IPC_MAX];
	struct unpacker u;
	struct packer k;
	int r = -1;

	unpack_init(&u, slice_make(p->route, p->route_len));
	if (remote_route_unpack(&u, &route) == -1)
		return -1;
	route.tls_broken = q->now < p->group->clear_until;
	ticket_take(q, p, &route);
	pack_init(&k, space, sizeof(space));
	remote_route_pack(&k, &route);
	r = ipc_send(fd, R_ROUTE, &k, NULL, 0);
	explicit_bzero(&route, sizeof(route));
	explicit_bzero(space, k.len);
	return r;
}

struct carrier *
carrier_start(struct manager *q, struct path *p)
{
	struct remote_state *s = q->remote;
	struct carrier *c = calloc(1, sizeof(*c));
	int pair[2];

	if (c == NULL || ipc_pair(pair) == -1)
		goto failed;
	c->watch = (struct watch){ pair[0], on_event, true };
	if (fcntl(pair[0], F_SETFL, O_NONBLOCK) == -1 ||
	    send_route(q, p, pair[0]) == -1 ||
	    ipc_send(q->remote_fd, REMOTE_CARRIER, NULL, &pair[1], 1) == -1 ||
	    manager_watch(q, &c->watch, EPOLLIN) == -1) {
		close(pair[0]);
		close(pair[1]);
		goto failed;
	}
	close(pair[1]);
	c->path = p;
	c->last = q->now;
	TAILQ_INIT(&c->jobs);
	TAILQ_INSERT_TAIL(&s->carriers, c, link);
	TAILQ_INSERT_TAIL(&p->carriers, c, of_path);
	p->n_carriers++;
	p->group->limits.connections++;
	s->n_carriers++;
	return c;
failed:
	log_error(NULL, "carrier", "group=%s what=start error=%s",
	    LOGS(p->group->name), LOGS(strerror(errno)));
	s->not_before = q->now + 1000;
	free(c);
	return NULL;
}

void
remote_free_dead(struct manager *q)
{
	struct carrier *c;

	while ((c = TAILQ_FIRST(&q->remote->dead_carriers)) != NULL) {
		TAILQ_REMOVE(&q->remote->dead_carriers, c, link);
		free(c);
	}
	resolve_free_dead(q);
}

void
remote_expire(struct manager *q)
{
	struct carrier *c, *next;

	for (c = TAILQ_FIRST(&q->remote->carriers); c != NULL; c = next) {
		next = TAILQ_NEXT(c, link);
		if (c->running == 0 && c->is_ready &&
		    c->path->dest->waiting == 0 &&
		    (q->is_stopping || q->now - c->last >= IDLE_TIME))
			carrier_close(q, c);
		else if (q->now - c->last >= ANSWER_TIME)
			died(q, c);
	}
	resolve_expire(q);
	groups_expire(q);
}

void
remote_stop(struct manager *q)
{
	struct carrier *c;

	TAILQ_FOREACH(c, &q->remote->carriers, link)
		c->is_leaving = true;
}
