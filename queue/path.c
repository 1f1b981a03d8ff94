/* path.c - the ways to other servers, and who goes which. */
/* SPDX-License-Identifier: ISC */
#include "queue/remote.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/log.h"

#define LOOK_TIME 10000		/* ms between looks at how fast a path is */

/* Paths of a group that wait for a connection may have one now. */
void
path_wake_group(struct manager *q, struct dest_group *g)
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

void
path_starve(struct manager *q, struct path *p, bool patient)
{
	struct paths *list = &q->remote->starving;

	if (p->is_starving)
		return;
	p->is_starving = true;
	if (patient)
		TAILQ_INSERT_TAIL(list, p, of_starving);
	else
		TAILQ_INSERT_HEAD(list, p, of_starving);
}

static void
feed(struct manager *q, struct path *p)
{
	if (!p->is_starving)
		return;
	p->is_starving = false;
	TAILQ_REMOVE(&q->remote->starving, p, of_starving);
}

void
path_wake_starving(struct manager *q)
{
	struct path *p;

	while ((p = TAILQ_FIRST(&q->remote->starving)) != NULL) {
		feed(q, p);
		if (p->dest->is_parked && p->dest->waiting > 0 &&
		    p->n_carriers == 0) {
			sched_wake(&q->sched, p->dest);
			return;
		}
	}
}

static void
path_free(struct manager *q, struct path *p)
{
	feed(q, p);
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
	p->room = GROUP_ROOM_FIRST;
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
	snprintf(key, sizeof(key), "%s %u%u %s", group,
	    (unsigned)t->tls, (unsigned)t->implicit_tls, t->user);
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
	    (uintmax_t)d->route_hash, (unsigned)t->tls);
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

/* Paths of a group that somebody has asked to be tried now. */
static void
lift_pause(struct manager *q, struct dest_group *g)
{
	struct path *p;

	if (!group_lift(&g->limits, q->retried, q->now))
		return;
	log_notice(NULL, "destination", "group=%s event=lifted cause=retry",
	    LOGS(g->name));
	TAILQ_FOREACH(p, &g->paths, of_group)
		if (p->dest->is_parked && p->dest->waiting > 0)
			sched_wake(&q->sched, p->dest);
}

void
remote_retry(struct manager *q, struct active *a)
{
	for (uint32_t i = 0; i < a->e->n_recipients; i++) {
		const struct sched_entry *e = a->e->recipients[i].job.entry;

		if (e != NULL && e->dest->kind == RCPT_REMOTE &&
		    e->dest->carrier != NULL)
			lift_pause(q, ((struct path *)e->dest->carrier)->group);
	}
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
	if (a->is_urgent)
		lift_pause(q, p->group);
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

struct slice
address_domain(struct slice address)
{
	const char *at = address.len > 0 ?
	    memrchr(address.p, '@', address.len) : NULL;

	if (at == NULL)
		return SLICE_EMPTY;
	return slice_skip(address, (size_t)(at - address.p) + 1);
}

/* The servers of g refuse our address: the smarthost has another one. */
static void
begin_elsewhere(struct manager *q, struct active *a, struct recipient *r,
    const struct dest_group *g)
{
	const struct route_target *t = &q->remote->routes.fallback;
	char to[ADDR_TEXT_MAX];

	log_info(a->m->id, "rerouted", "to=%s host=%s through=%s reason=%s",
	    LOGS(recipient_text(r, to, sizeof(to))), LOGS(g->last.host),
	    LOGS(t->host), LOGS(g->last.text));
	begin_on(q, a, r, path_smarthost(q, t));
}

void
remote_begin(struct manager *q, struct active *a, struct recipient *r)
{
	struct remote_state *s = q->remote;
	const struct route_target *t = routes_find(&s->routes,
	    address_domain(a->e->sender), r->domain);
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
	if ((d = resolve_get(q, r->domain,
	    job_is_patient(a))) == NULL) {
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
		begin_elsewhere(q, a, r, g);
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
		life_again(q, job_recipient(job));
	}
	sched_dest_release(&q->sched, dest);
}

/* How many messages a path may have in memory: what it does in a minute. */
static void
look_at(struct manager *q, struct path *p)
{
	if (q->now - p->looked < LOOK_TIME)
		return;
	p->room = group_room(p->done - p->done_before, q->now - p->looked,
	    p->dest->waiting > 0, ACTIVE_MESSAGES);
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
		path_free(q, p);
	sched_dest_release(&q->sched, d);
	return true;
}
