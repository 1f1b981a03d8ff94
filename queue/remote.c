/* remote.c - mail to other servers: who goes where, over which connection. */
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
#include "queue/remote.h"

#include <sys/epoll.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/fsx.h"
#include "lib/log.h"

#define CARRIERS_MAX 500
#define WINDOW_MIN 2		/* messages in flight on one connection */
#define WINDOW_MAX 32
#define WINDOW_TIME 200000	/* us of work that may be in flight */
#define IDLE_TIME 3000		/* ms that a connection is kept for more */
#define ANSWER_TIME 1800000	/* ms: it hangs */
#define PAUSE_LONG 5000		/* ms: those that wait go back to the disk */
#define SERVED_MAX 20		/* messages before it makes room for others */
#define JOB_ROOM 60000		/* bytes of recipients in one request */
#define ROOM_FIRST 5000		/* messages that may wait for one path */
#define ROOM_MIN 500
#define KILLS_MAX 5
#define GREY_MIN 300		/* s */
#define GREY_MAX 600
#define FULL_MIN 3600
#define CLEAR_TIME 86400000	/* ms that broken TLS is remembered */

/* What a carrier was given and has not answered. */
struct job {
	TAILQ_ENTRY(job) link;
	uint64_t tag;
	struct active *a;
	int64_t since;		/* ms */
	uint32_t messages;	/* transactions that it is */
	uint16_t n, left;
	struct recipient *r[];	/* NULL: answered */
};
TAILQ_HEAD(jobs, job);

struct carrier {
	struct watch watch;
	TAILQ_ENTRY(carrier) link, of_path, of_group;
	struct path *path;
	struct jobs jobs;
	uint32_t running;	/* messages in flight */
	uint32_t served;	/* messages given to it */
	int64_t last;		/* ms: last thing heard or sent */
	bool is_ready;		/* connected */
	bool is_leaving;	/* gets nothing more */
	bool is_alone;		/* has one suspect, takes no other */
	bool is_lost;		/* it has told that its connection broke */
};

static void carrier_close(struct manager *q, struct carrier *c);

static struct recipient *
recipient_of(struct sched_job *job)
{
	return (struct recipient *)(void *)((char *)job -
	    offsetof(struct recipient, job));
}

static struct active *
active_of(struct sched_job *job)
{
	return recipient_of(job)->active;
}

size_t
remote_running(const struct manager *q)
{
	const struct carrier *c;
	size_t n = 0;

	TAILQ_FOREACH(c, &q->remote->carriers, link)
		n += c->running;
	return n;
}

/* What a group goes through is told once, not for each message. */
static void
feed_group(struct manager *q, struct dest_group *g, enum group_event e,
    const struct remote_reply *why)
{
	if (e != GROUP_DELIVERED && why != NULL)
		g->last = *why;
	if (!group_event(&g->limits, e, q->now, arc4random()))
		return;
	if (e == GROUP_DELIVERED)
		log_notice(NULL, "destination", "group=%s event=resumed",
		    LOGS(g->name));
	else
		log_notice(NULL, "destination", "group=%s event=%s cause=%s "
		    "pause=%jd reason=%s", LOGS(g->name),
		    e == GROUP_SLOW_DOWN ? "slowed" : "paused",
		    group_event_name(e),
		    (intmax_t)(group_pause(&g->limits, q->now) / 1000),
		    LOGS(g->last.text));
}

/* Refused for our address: the smarthost has another one. */
static bool
begin_fallback(struct manager *q, struct path *p,
    const struct remote_reply *why)
{
	const struct routes *r = &q->remote->routes;
	struct dest_group *g = p->group;

	if (!r->has_fallback || p->is_smarthost)
		return false;
	if (q->now >= g->fallback_until)
		log_notice(NULL, "destination", "group=%s event=fallback "
		    "through=%s for=%u reason=%s", LOGS(g->name),
		    LOGS(r->fallback.host), r->fallback_time,
		    LOGS(why->text));
	g->fallback_until = q->now + (int64_t)r->fallback_time * 1000;
	return true;
}

/* What a reply means for its recipient and for the group. */
struct judgement {
	enum queue_result result;
	enum group_event event;
	int64_t retry_min, retry_max;
	bool is_elsewhere;	/* through the smarthost, now */
};

static void
judge_meaning(struct manager *q, struct path *p,
    const struct remote_reply *why, struct judgement *j)
{
	const struct dest_group *g = p->group;

	switch (providers_judge(&q->remote->providers, g->provider, why->code,
	    why->enhanced, why->text)) {
	case MEANING_RETRY:
		j->result = QUEUE_TEMPORARY;
		break;
	case MEANING_SLOW_DOWN:
		j->result = QUEUE_TEMPORARY;
		j->event = GROUP_SLOW_DOWN;
		j->retry_min = g->limits.limits.slow_pause;
		break;
	case MEANING_BLOCKED:
		j->result = QUEUE_TEMPORARY;
		j->event = GROUP_BLOCKED;
		j->retry_min = g->limits.limits.blocked_pause;
		j->is_elsewhere = begin_fallback(q, p, why);
		/* Nobody waits for a way that is not used. */
		if (j->is_elsewhere)
			j->event = GROUP_NONE;
		break;
	case MEANING_GREYLISTED:
		if (j->result == QUEUE_TEMPORARY) {
			j->retry_min = GREY_MIN;
			j->retry_max = GREY_MAX;
		}
		break;
	case MEANING_MAILBOX_FULL:
		if (j->result == QUEUE_TEMPORARY)
			j->retry_min = FULL_MIN;
		break;
	case MEANING_NONE:
	case MEANING_NO_SUCH_USER:
	case MEANING_SPAM:
	case MEANING_AUTH:
	case MEANINGS:
		break;
	}
}

static void
judge(struct manager *q, struct path *p, const struct remote_reply *why,
    struct judgement *j)
{
	*j = (struct judgement){ .result = why->result };
	if (why->result == QUEUE_OK) {
		j->event = GROUP_DELIVERED;
		return;
	}
	switch (why->cause) {
	case CAUSE_LOST:
		j->event = GROUP_LOST;
		break;
	case CAUSE_DNS:
	case CAUSE_CONNECT:
	case CAUSE_TLS:
		j->event = GROUP_UNREACHABLE;
		break;
	case CAUSE_GREETING:
		/* It is about us, not about a letter. */
		j->result = QUEUE_TEMPORARY;
		j->event = GROUP_UNREACHABLE;
		break;
	case CAUSE_NONE:
	case CAUSE_REPLY:
	case CAUSE_UNSUPPORTED:
		break;
	}
	if (why->code != 0 && why->cause != CAUSE_UNSUPPORTED)
		judge_meaning(q, p, why, j);
}

/* A reply of another server as the queue keeps it. */
static void
fill_reply(const struct manager *q, const struct judgement *j,
    const struct remote_reply *why, struct reply *out)
{
	memset(out, 0, sizeof(*out));
	out->when = q->wall;
	out->result = j->result;
	memcpy(out->enhanced, why->enhanced, sizeof(out->enhanced));
	/* A 550 that is none: its own status would contradict what we do. */
	if (j->result == QUEUE_TEMPORARY && out->enhanced[0] == '5')
		out->enhanced[0] = '4';
	if (out->enhanced[0] == '\0')
		snprintf(out->enhanced, sizeof(out->enhanced), "%s",
		    j->result == QUEUE_OK ? "2.0.0" :
		    j->result == QUEUE_TEMPORARY ? "4.0.0" : "5.0.0");
	memcpy(out->text, why->text, sizeof(out->text));
	if (why->code != 0)
		memcpy(out->remote, why->host, sizeof(out->remote));
	out->said = why;
	out->retry_min = j->retry_min;
	out->retry_max = j->retry_max;
}

/* Goes through the smarthost at once. */
static void
rerouted(struct manager *q, struct recipient *r,
    const struct remote_reply *why)
{
	const struct active *a = r->active;
	char to[ADDR_TEXT_MAX];

	log_info(a->m->id, "rerouted", "to=%s host=%s through=%s reason=%s",
	    LOGS(recipient_text(r, to, sizeof(to))), LOGS(why->host),
	    LOGS(q->remote->routes.fallback.host), LOGS(why->text));
	life_again(q, r);
}

/* Everybody who waits for a path has this answer. */
static void
answer_waiting(struct manager *q, struct path *p,
    const struct judgement *j, const struct remote_reply *why,
    bool is_no_attempt)
{
	struct sched_job *job;
	struct reply reply;
	int64_t pause = group_pause(&p->group->limits, q->now) / 1000;

	fill_reply(q, j, why, &reply);
	reply.is_no_attempt = is_no_attempt;
	while ((job = sched_take(&q->sched, p->dest)) != NULL) {
		sched_done(p->dest);
		if (j->is_elsewhere) {
			rerouted(q, recipient_of(job), why);
			continue;
		}
		/* Not all in the same second. */
		if (pause > 0 && reply.retry_min < pause)
			reply.retry_min = pause +
			    arc4random_uniform((uint32_t)pause / 4 + 10);
		life_result(q, recipient_of(job), &reply);
	}
}

/* Paths of a group that wait for a connection may have one now. */
static void
wake_group(struct manager *q, struct dest_group *g)
{
	struct path *p;

	if (g->starving == 0)
		return;
	g->starving = 0;
	TAILQ_FOREACH(p, &g->paths, of_group)
		if (p->dest->is_parked && p->dest->waiting > 0)
			sched_wake(&q->sched, p->dest);
	/* Another one is first next time. */
	p = TAILQ_FIRST(&g->paths);
	TAILQ_REMOVE(&g->paths, p, of_group);
	TAILQ_INSERT_TAIL(&g->paths, p, of_group);
}

static void
path_free(struct path *p)
{
	TAILQ_REMOVE(&p->group->paths, p, of_group);
	explicit_bzero(p->route, p->route_len);
	p->dest->carrier = NULL;
	free(p);
}

/* The path with this key, made when it is not there; NULL: no memory. */
static struct path *
path_get(struct manager *q, const char *key, const char *group,
    uint32_t connections, const struct remote_route *route)
{
	static unsigned char space[IPC_MAX];
	struct sched_dest *d = sched_dest(&q->sched, RCPT_REMOTE, key,
	    strlen(key), true);
	struct dest_group *g;
	struct path *p;
	struct packer k;

	if (d == NULL)
		return NULL;
	if (d->carrier != NULL)
		return d->carrier;
	pack_init(&k, space, sizeof(space));
	remote_route_pack(&k, route);
	if (k.bad || (g = groups_get(q, group, connections)) == NULL ||
	    (p = calloc(1, sizeof(*p) + k.len)) == NULL) {
		sched_dest_release(&q->sched, d);
		return NULL;
	}
	memcpy(p->route, space, k.len);
	explicit_bzero(space, k.len);
	p->route_len = k.len;
	p->dest = d;
	p->group = g;
	p->room = ROOM_FIRST;
	p->looked = q->now;
	TAILQ_INIT(&p->carriers);
	TAILQ_INSERT_TAIL(&g->paths, p, of_group);
	d->carrier = p;
	return p;
}

static struct path *
path_smarthost(struct manager *q, const struct route_target *t)
{
	char key[ADDR_DOMAIN_MAX + 300], group[ADDR_DOMAIN_MAX + 32];
	static struct remote_route route;
	struct sched_dest *d;
	struct path *p;

	snprintf(group, sizeof(group), "smarthost %s:%u", t->host,
	    (unsigned)t->port);
	snprintf(key, sizeof(key), "%s %u%u %s", group, t->tls,
	    t->implicit_tls, t->user);
	d = sched_dest(&q->sched, RCPT_REMOTE, key, strlen(key), false);
	if (d != NULL && d->carrier != NULL)
		return d->carrier;
	memset(&route, 0, sizeof(route));
	memcpy(route.helo, q->conf.hostname, sizeof(route.helo));
	memcpy(route.user, t->user, sizeof(route.user));
	memcpy(route.password, t->password, sizeof(route.password));
	route.tls = t->tls;
	route.implicit_tls = t->implicit_tls;
	route.timeout_connect = (uint32_t)q->conf.connect_timeout;
	route.n = 1;
	route.hosts[0].port = t->port;
	memcpy(route.hosts[0].name, t->host, sizeof(route.hosts[0].name));
	p = path_get(q, key, group, t->connections, &route);
	explicit_bzero(&route, sizeof(route));
	if (p != NULL)
		p->is_smarthost = true;
	return p;
}

static struct path *
path_direct(struct manager *q, const struct domain *d,
    const struct route_target *t)
{
	static struct remote_found f;
	static struct remote_route route;
	char key[1200];
	struct sched_dest *dest;
	struct unpacker u;

	snprintf(key, sizeof(key), "%s#%016jx%u", d->group,
	    (uintmax_t)d->route_hash, t->tls);
	dest = sched_dest(&q->sched, RCPT_REMOTE, key, strlen(key), false);
	if (dest != NULL && dest->carrier != NULL)
		return dest->carrier;
	unpack_init(&u, slice_make(d->found, d->found_len));
	if (remote_found_unpack(&u, &f) == -1)
		return NULL;
	memset(&route, 0, sizeof(route));
	memcpy(route.helo, q->conf.hostname, sizeof(route.helo));
	if (f.sts != STS_NONE)
		snprintf(route.domain, sizeof(route.domain), "%s", d->name);
	route.tls = t->tls;
	route.authentic = f.authentic;
	route.sts = f.sts;
	memcpy(route.sts_mx, f.sts_mx, sizeof(route.sts_mx));
	route.timeout_connect = (uint32_t)q->conf.connect_timeout;
	route.n = f.n;
	memcpy(route.hosts, f.hosts, sizeof(route.hosts));
	return path_get(q, key, d->group, 0, &route);
}

/* Messages that wait for a path in memory. */
static uint32_t
entries_of(const struct sched_dest *d)
{
	uint32_t n = 0;

	for (size_t l = 0; l < SCHED_LANES; l++)
		n += d->lanes[l].entries;
	return n;
}

/*
 * A destination that is slow must not fill the memory that all share: what
 * it cannot take within about a minute goes back to the disk.
 */
static bool
has_room(const struct manager *q, const struct path *p,
    const struct active *a)
{
	const struct sched_dest *d = p->dest;

	return q->is_one_pass || (d->newest != NULL && d->newest->owner == a) ||
	    entries_of(d) < p->room;
}

static void
begin_on(struct manager *q, struct active *a, struct recipient *r,
    struct path *p)
{
	if (p == NULL) {
		life_answer(q, a, r, QUEUE_TEMPORARY,
		    "4.3.0 There is no memory for it at the moment");
		return;
	}
	p->group->used = q->now;
	if (!has_room(q, p, a)) {
		life_postpone(q, r, 20 + arc4random_uniform(60));
		return;
	}
	(void)life_schedule(q, a, r, RCPT_REMOTE, slice_of(p->dest->key));
}

static void
answer_lookup(struct manager *q, struct active *a, struct recipient *r,
    const struct domain *d)
{
	char text[ADDR_DOMAIN_MAX + 128];
	bool is_final = false;
	const char *what = "4.4.3 The domain %s cannot be looked up now";

	if (d->outcome == LOOKUP_NO_DOMAIN) {
		what = "5.1.2 The domain %s does not exist, or has no mail "
		    "server";
		is_final = true;
	} else if (d->outcome == LOOKUP_NO_MAIL) {
		what = "5.1.10 The domain %s takes no mail";
		is_final = true;
	}
	snprintf(text, sizeof(text), what, d->name);
	life_answer(q, a, r, is_final ? QUEUE_PERMANENT : QUEUE_TEMPORARY,
	    text);
}

static struct slice
domain_of(struct slice address)
{
	const char *at = address.len > 0 ?
	    memrchr(address.p, '@', address.len) : NULL;

	if (at == NULL)
		return SLICE_EMPTY;
	return slice_skip(address, (size_t)(at - address.p) + 1);
}

void
remote_begin(struct manager *q, struct active *a, struct recipient *r)
{
	struct remote_state *s = q->remote;
	const struct route_target *t = routes_find(&s->routes,
	    domain_of(a->e->sender), r->domain);
	const struct dest_group *g;
	const struct domain *d;

	if (q->remote_fd == -1) {
		life_answer(q, a, r, QUEUE_TEMPORARY,
		    "4.3.5 malle-remote does not run here");
		return;
	}
	if (t->is_smarthost) {
		begin_on(q, a, r, path_smarthost(q, t));
		return;
	}
	if ((d = resolve_get(q, r->domain)) == NULL) {
		if (errno == ENOMEM)
			begin_on(q, a, r, NULL);
		else
			(void)life_schedule(q, a, r, DEST_LOOKUP, r->domain);
		return;
	}
	if (d->outcome != LOOKUP_OK) {
		answer_lookup(q, a, r, d);
		return;
	}
	g = s->routes.has_fallback ? groups_find(q, d->group) : NULL;
	if (g != NULL && q->now < g->fallback_until)
		begin_on(q, a, r, path_smarthost(q, &s->routes.fallback));
	else
		begin_on(q, a, r, path_direct(q, d, t));
}

/* Those who waited for the look-up go on. */
void
remote_found(struct manager *q, const struct domain *d)
{
	struct sched_dest *dest = sched_dest(&q->sched, DEST_LOOKUP, d->name,
	    strlen(d->name), false);
	struct sched_job *job;

	if (dest == NULL)
		return;
	while ((job = sched_take(&q->sched, dest)) != NULL) {
		sched_done(dest);
		life_again(q, recipient_of(job));
	}
	sched_dest_release(&q->sched, dest);
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
	judge(q, c->path, &result.reply, &j);
	/* One connection that breaks is one event. */
	if (j.event == GROUP_LOST && c->is_lost)
		j.event = GROUP_NONE;
	c->is_lost |= j.event == GROUP_LOST;
	if (j.event != GROUP_NONE)
		feed_group(q, c->path->group, j.event, &result.reply);
	else if (j.result != QUEUE_OK)
		c->path->group->last = result.reply;
	job->a->m->is_suspect = false;
	job->a->m->kills = 0;
	if (j.is_elsewhere) {
		rerouted(q, r, &result.reply);
		return 0;
	}
	fill_reply(q, &j, &result.reply, &reply);
	reply.is_dsn_passed = result.dsn_passed;
	life_result(q, r, &reply);
	return 0;
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

	judge(q, p, why, &j);
	if (j.result == QUEUE_OK)
		j.result = QUEUE_TEMPORARY;
	carrier_close(q, c);
	feed_group(q, g, j.event, why);
	/* With a connection that works, it was only one too many. */
	if (j.is_elsewhere || !others || group_pause(&g->limits, q->now) > 0)
		answer_waiting(q, p, &j, why, false);
}

static int
take_message(struct manager *q, struct carrier *c, struct ipc_msg *m)
{
	static struct remote_reply reply;

	ipc_close_fds(m);
	if (m->type == R_RESULT)
		return c->is_ready ? take_results(q, c, &m->body) : -1;
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

			judge(q, c->path, &reply, &j);
			if (j.event == GROUP_UNREACHABLE)
				j.event = GROUP_LOST;
			if (!c->is_lost &&
			    (c->running > 0 || j.event != GROUP_LOST))
				feed_group(q, c->path->group, j.event, &reply);
		}
		carrier_close(q, c);
		return 0;
	default:
		return -1;
	}
}

/* Its end of the pair is closed, without a word. */
static void
died(struct manager *q, struct carrier *c)
{
	struct remote_state *s = q->remote;
	struct job *job = TAILQ_FIRST(&c->jobs);
	bool is_only = job != NULL && TAILQ_NEXT(job, link) == NULL;

	log_error(NULL, "carrier", "group=%s died=yes messages=%u",
	    LOGS(c->path->group->name), c->running);
	if (!c->is_ready) {
		unsigned shift = s->failures < 6 ? s->failures++ : 6;

		s->not_before = q->now + (INT64_C(500) << shift);
	}
	/* Nobody knows which of them killed it: they go alone then. */
	TAILQ_FOREACH(job, &c->jobs, link) {
		struct message *m = job->a->m;

		if (is_only && m->is_suspect && m->kills < KILLS_MAX)
			m->kills++;
		m->is_suspect = true;
	}
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
	while ((r = ipc_recv(watch->fd, space, &m)) == 1) {
		if (take_message(q, c, &m) == -1) {
			log_error(NULL, "carrier", "group=%s closed=%s",
			    LOGS(c->path->group->name),
			    LOGS("it reports what it has not"));
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

static void
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
	TAILQ_REMOVE(&p->group->carriers, c, of_group);
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
	wake_group(q, p->group);
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
	pack_init(&k, space, sizeof(space));
	remote_route_pack(&k, &route);
	r = ipc_send(fd, R_ROUTE, &k, NULL, 0);
	explicit_bzero(&route, sizeof(route));
	explicit_bzero(space, k.len);
	return r;
}

static struct carrier *
carrier_start(struct manager *q, struct path *p)
{
	struct remote_state *s = q->remote;
	struct carrier *c = calloc(1, sizeof(*c));
	int pair[2];

	if (c == NULL || ipc_pair(pair) == -1)
		goto failed;
	c->watch = (struct watch){ pair[0], on_event };
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
	TAILQ_INSERT_TAIL(&p->group->carriers, c, of_group);
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

static uint32_t
window_of(const struct path *p)
{
	uint32_t n = p->pace > 0 ? WINDOW_TIME / p->pace : WINDOW_MAX;

	return n < WINDOW_MIN ? WINDOW_MIN : n > WINDOW_MAX ? WINDOW_MAX : n;
}

/* One that can take more. */
static struct carrier *
choose(struct path *p)
{
	struct carrier *c, *best = NULL;
	uint32_t window = window_of(p);

	TAILQ_FOREACH(c, &p->carriers, of_path)
		if (c->is_ready && !c->is_leaving && !c->is_alone &&
		    c->running < window &&
		    c->served < p->group->limits.limits.messages &&
		    (best == NULL || c->running < best->running))
			best = c;
	return best;
}

/* A connection of another path that is not needed, or has served for long. */
static void
make_room(struct manager *q, struct carriers *list, const struct path *not_of)
{
	struct carrier *c, *oldest = NULL;

	TAILQ_FOREACH(c, list, of_group) {
		if (c->path == not_of || c->is_leaving)
			continue;
		if (c->running == 0 && c->is_ready &&
		    c->path->dest->waiting == 0) {
			carrier_close(q, c);
			return;
		}
		if (c->served >= SERVED_MAX &&
		    (oldest == NULL || c->served > oldest->served))
			oldest = c;
	}
	if (oldest != NULL)
		oldest->is_leaving = true;
}

/*
 * One connection more is worth its while when those that are there would need
 * more than a fifth of a second for all that waits. One that is being made
 * counts as there.
 */
static bool
wants_carrier(struct path *p)
{
	const struct carrier *c;
	uint64_t pace = p->pace > 100 ? p->pace : 100;

	if (p->n_carriers == 0)
		return true;
	TAILQ_FOREACH(c, &p->carriers, of_path)
		if (c->is_leaving && p->n_carriers == 1)
			return true;
	return p->dest->waiting * pace > (uint64_t)WINDOW_TIME * p->n_carriers;
}

static void
start_more(struct manager *q, struct path *p)
{
	struct remote_state *s = q->remote;
	struct dest_group *g = p->group;

	while (wants_carrier(p) && !q->is_stopping) {
		if (q->now < s->not_before)
			return;
		if (!group_may_connect(&g->limits, q->now)) {
			g->starving++;
			if (p->n_carriers == 0 &&
			    group_pause(&g->limits, q->now) == 0)
				make_room(q, &g->carriers, p);
			return;
		}
		if (s->n_carriers >= CARRIERS_MAX ||
		    carrier_start(q, p) == NULL)
			return;
	}
}

static void
copy_text(char *dst, struct slice s)
{
	/* The parser of the envelope has checked the lengths. */
	if (s.len > 0)
		memcpy(dst, s.p, s.len);
	dst[s.len] = '\0';
}

static void
fill_recipient(const struct active *a, const struct recipient *r,
    struct remote_recipient *out)
{
	const struct original *o = &a->e->originals[r->original];

	out->number = (uint32_t)(r - a->e->recipients);
	recipient_text(r, out->address, sizeof(out->address));
	out->notify = o->notify;
	copy_text(out->orcpt, o->orcpt);
}

/*
 * The domain of ours through which a letter of a stranger goes on: that of the
 * alias in its envelope. Empty: it has not come through an alias.
 */
static struct slice
forwarded_by(const struct active *a, const struct recipient *r)
{
	struct slice o = a->e->originals[r->original].address;
	struct slice domain = domain_of(o);

	if (a->e->sender.len == 0 || domain.len == 0 ||
	    (slice_eq_nocase(domain, r->domain) &&
	    slice_starts_nocase(o, r->local)))
		return SLICE_EMPTY;
	return domain;
}

/* SRS, so that it passes SPF; a sender of ours, or one that is too long for
 * it, stays. */
static void
rewrite_sender(struct manager *q, struct slice by, char *sender)
{
	char domain[ADDR_DOMAIN_MAX + 1];
	struct domain_record record;
	struct addr a, made;

	if (addr_parse(slice_of(sender), &a) != ADDR_OK ||
	    addr_domain(by, domain) == -1 ||
	    tables_domain(&q->tables, domain, &record) != 1 ||
	    tables_domain(&q->tables, a.domain, &record) != 0 ||
	    srs_make(q->srs_key, q->wall / 86400, &a, domain, &made) == -1)
		return;
	addr_text(&made, sender, ADDR_TEXT_MAX);
}

static void
fill_job(struct manager *q, const struct active *a, const struct job *job,
    struct remote_job *out)
{
	struct slice by = forwarded_by(a, job->r[0]);

	memset(out, 0, sizeof(*out));
	out->tag = job->tag;
	memcpy(out->id, a->m->id, sizeof(a->m->id));
	out->offset = a->h.content_offset;
	out->length = a->h.content_length;
	out->flags = a->h.flags;
	copy_text(out->sender, a->e->sender);
	if (by.len > 0)
		rewrite_sender(q, by, out->sender);
	out->verp = (a->h.flags & QM_VERP) != 0 && out->sender[0] != '\0';
	copy_text(out->envid, a->e->envid);
	out->n = job->n;
}

/* The next recipients of one message, as many as may go together. */
static struct job *
gather(struct manager *q, struct carrier *c, struct packer *k, uint32_t max)
{
	struct sched_dest *d = c->path->dest;
	struct sched_job *next = sched_peek(d);
	struct active *a = active_of(next);
	static struct remote_recipient r;
	struct slice by;
	struct job *job = calloc(1, sizeof(*job) +
	    max * sizeof(struct recipient *));

	if (job == NULL)
		return NULL;
	job->a = a;
	by = forwarded_by(a, recipient_of(next));
	while (job->n < max && next != NULL && active_of(next) == a &&
	    k->len < JOB_ROOM &&
	    slice_eq(by, forwarded_by(a, recipient_of(next)))) {
		next = sched_take(&q->sched, d);
		job->r[job->n] = recipient_of(next);
		job->r[job->n]->is_running = true;
		fill_recipient(a, job->r[job->n], &r);
		remote_recipient_pack(k, &r);
		job->n++;
		next = sched_peek(d);
	}
	job->left = job->n;
	return job;
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
	struct active *a = active_of(sched_peek(p->dest));
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
	if ((job = gather(q, c, &recipients, max)) == NULL)
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
	fill_job(q, a, job, &out);
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

	while (d->waiting > 0 && (c = choose(p)) != NULL) {
		uint32_t window = window_of(p) - c->running;
		uint32_t left = p->group->limits.limits.messages - c->served;
		uint32_t allowed = group_may_send(&p->group->limits, q->now,
		    window < left ? window : left);
		bool suspect = active_of(sched_peek(d))->m->is_suspect;

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
	answer_waiting(q, p, &j, &g->last, true);
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

/* How many messages a path may have in memory: what it does in a minute. */
static void
look_at(struct manager *q, struct path *p)
{
	uint64_t done, room;

	if (q->now - p->looked < 10000)
		return;
	done = p->done - p->done_before;
	room = done * 60000 / (uint64_t)(q->now - p->looked);
	p->room = room < ROOM_MIN ? ROOM_MIN :
	    room > ACTIVE_MESSAGES * 3 / 4 ? ACTIVE_MESSAGES * 3 / 4 :
	    (uint32_t)room;
	/* Nobody knows how fast it is when nothing had to be done. */
	if (p->dest->waiting == 0)
		p->room = ROOM_FIRST;
	p->done_before = p->done;
	p->looked = q->now;
}

bool
remote_forget(struct manager *q, struct sched_dest *d)
{
	struct path *p = d->carrier;

	if (p != NULL)
		look_at(q, p);
	if (d->waiting > 0) {
		if (d->is_parked && d->kind == RCPT_REMOTE)
			sched_wake(&q->sched, d);
		return false;
	}
	if (d->running > 0 || (p != NULL && p->n_carriers > 0))
		return false;
	if (p != NULL)
		path_free(p);
	sched_dest_release(&q->sched, d);
	return true;
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

/* The folder of a table stays open over the chroot. */
static void
open_table(const char *path, struct table_file *out)
{
	const char *slash = strrchr(path, '/');
	char folder[1024];

	out->dirfd = -1;
	if (slash == NULL || strlen(slash + 1) >= sizeof(out->name))
		return;
	snprintf(folder, sizeof(folder), "%.*s",
	    slash == path ? 1 : (int)(slash - path), path);
	snprintf(out->name, sizeof(out->name), "%s", slash + 1);
	out->dirfd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

/* Each mistake is a line of the log. */
static void
complain(const char *what, struct str *errors)
{
	struct slice rest = str_slice(errors);

	while (rest.p != NULL) {
		struct slice line = slice_cut(&rest, '\n');

		if (line.len > 0)
			log_error(NULL, "error", "what=%s line=%s hint=%s",
			    what, LOGQ(line), LOGS("malle check"));
	}
	str_clear(errors);
}

int
remote_prepare(struct manager *q)
{
	struct remote_state *s = q->remote = calloc(1, sizeof(*s));

	if (s == NULL)
		return -1;
	open_table(q->conf.providers, &s->providers_file);
	open_table(q->conf.routes, &s->routes_file);
	return 0;
}

size_t
remote_folders(const struct manager *q, int out[2])
{
	size_t n = 0;

	if (q->remote->providers_file.dirfd != -1)
		out[n++] = q->remote->providers_file.dirfd;
	if (q->remote->routes_file.dirfd != -1)
		out[n++] = q->remote->routes_file.dirfd;
	return n;
}

void
remote_reload(struct manager *q)
{
	struct remote_state *s = q->remote;
	struct str errors = STR_INIT(65536);
	struct providers providers;
	struct routes routes;

	if (providers_load(s->providers_file.dirfd, s->providers_file.name,
	    &providers, &errors) == 0) {
		providers_free(&s->providers);
		s->providers = providers;
		groups_reload(q);
		resolve_forget(q);
	} else
		complain("providers", &errors);
	if (routes_load(s->routes_file.dirfd, s->routes_file.name, &routes,
	    &errors) == 0) {
		routes_free(&s->routes);
		s->routes = routes;
	} else
		complain("routes", &errors);
	str_free(&errors);
}

int
remote_init(struct manager *q)
{
	struct remote_state *s = q->remote;
	struct str errors = STR_INIT(4096);
	int r;

	TAILQ_INIT(&s->carriers);
	TAILQ_INIT(&s->dead_carriers);
	if (groups_init(q) == -1 || resolve_init(q) == -1)
		return -1;
	/* What is built in serves until the file is right. */
	r = providers_parse(providers_text(), &s->providers, &errors);
	str_free(&errors);
	if (r == -1)
		return -1;
	routes_defaults(&s->routes);
	remote_reload(q);
	return 0;
}
