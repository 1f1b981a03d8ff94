/* resolve.c - where the mail of domains goes: look-ups and what is remembered. */
/* SPDX-License-Identifier: ISC */
/*
 * Children of malle-remote ask the DNS, each one question at a time; the rest
 * waits here. Only domains are asked for that have something due. A mailing may
 * have thousands of which nobody answers for: its questions come last, and not
 * to all children.
 *
 * Trusts: not the children. An answer without a question closes that child;
 * one that dies is replaced, and its questions are asked again.
 * Limits: RESOLVERS_MAX children with WINDOW questions, of which RESOLVERS_KEPT
 * have none of a mailing; DOMAINS_MAX domains remembered, each as long as its
 * records live.
 */
#include "queue/remote.h"

#include <sys/epoll.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/log.h"

#define RESOLVERS_KEPT 2
#define WINDOW 2		/* questions with one child */
#define TABLE_FIRST 1024
#define TRIES_MAX 3		/* children lost to a question */
#define TTL_MIN 30		/* s */
#define TTL_TEMPORARY 60
#define ANSWER_TIME 120000	/* ms: it hangs */

struct resolver {
	struct watch watch;
	struct domain *asked[WINDOW];
	uint32_t turn[WINDOW];
	unsigned running;
	int64_t last;
	size_t place;			/* in the manager's array */
	struct resolver *next_dead;
};

static void ask(struct manager *q);

static uint32_t
hash_name(struct slice s)
{
	uint32_t h = 2166136261u;

	for (size_t i = 0; i < s.len; i++)
		h = (h ^ (unsigned char)s.p[i]) * 16777619u;
	return h;
}

int
resolve_init(struct manager *q)
{
	struct remote_state *s = q->remote;

	TAILQ_INIT(&s->to_ask);
	TAILQ_INIT(&s->to_ask_later);
	TAILQ_INIT(&s->known);
	s->domains = calloc(TABLE_FIRST, sizeof(*s->domains));
	s->domains_size = TABLE_FIRST;
	return s->domains != NULL ? 0 : -1;
}

static struct domain *
find(const struct remote_state *s, struct slice name)
{
	uint32_t hash = hash_name(name);
	struct domain *d = s->domains[hash & (s->domains_size - 1)];

	for (; d != NULL; d = d->next)
		if (d->hash == hash && slice_eq(name, slice_of(d->name)))
			return d;
	return NULL;
}

static void
table_grow(struct remote_state *s)
{
	size_t size = s->domains_size * 2;
	struct domain **table = calloc(size, sizeof(*table));

	if (table == NULL)
		return;
	for (size_t i = 0; i < s->domains_size; i++)
		while (s->domains[i] != NULL) {
			struct domain *d = s->domains[i];

			s->domains[i] = d->next;
			d->next = table[d->hash & (size - 1)];
			table[d->hash & (size - 1)] = d;
		}
	free(s->domains);
	s->domains = table;
	s->domains_size = size;
}

/* A known domain is forgotten. */
static void
forget(struct remote_state *s, struct domain *d)
{
	struct domain **p = &s->domains[d->hash & (s->domains_size - 1)];

	while (*p != d)
		p = &(*p)->next;
	*p = d->next;
	TAILQ_REMOVE(&s->known, d, link);
	s->n_domains--;
	free(d->found);
	free(d->group);
	free(d);
}

static struct domain *
domain_new(struct remote_state *s, struct slice name)
{
	struct domain *d = calloc(1, sizeof(*d) + name.len + 1);

	if (d == NULL)
		return NULL;
	memcpy(d->name, name.p, name.len);
	d->hash = hash_name(name);
	if (s->n_domains >= DOMAINS_MAX && !TAILQ_EMPTY(&s->known))
		forget(s, TAILQ_FIRST(&s->known));
	if (s->n_domains >= s->domains_size)
		table_grow(s);
	d->next = s->domains[d->hash & (s->domains_size - 1)];
	s->domains[d->hash & (s->domains_size - 1)] = d;
	s->n_domains++;
	return d;
}

/* Those that a domain waits among until it is asked for. */
static struct domains *
questions(struct remote_state *s, const struct domain *d)
{
	return d->is_patient ? &s->to_ask_later : &s->to_ask;
}

/* A letter waits for it, too, now. */
static void
hurry(struct manager *q, struct domain *d)
{
	struct remote_state *s = q->remote;

	if (!d->is_asked)
		TAILQ_REMOVE(&s->to_ask_later, d, link);
	d->is_patient = false;
	if (d->is_asked)
		return;
	TAILQ_INSERT_TAIL(&s->to_ask, d, link);
	ask(q);
}

struct domain *
resolve_get(struct manager *q, struct slice name, bool patient)
{
	struct remote_state *s = q->remote;
	struct domain *d = find(s, name);

	if (d != NULL && d->is_known && q->now < d->expires)
		return d;
	errno = 0;
	if (d == NULL && (d = domain_new(s, name)) == NULL) {
		errno = ENOMEM;
		return NULL;
	}
	if (!d->is_waiting) {
		if (d->is_known)
			TAILQ_REMOVE(&s->known, d, link);
		d->is_known = false;
		d->is_waiting = true;
		s->n_waiting++;
		d->tries = 0;
		d->is_patient = patient;
		TAILQ_INSERT_TAIL(questions(s, d), d, link);
		ask(q);
	} else if (d->is_patient && !patient) {
		hurry(q, d);
	}
	return NULL;
}

/* What the answer comes to is remembered. */
static void
learn(struct manager *q, struct domain *d, struct remote_found *f)
{
	static unsigned char space[IPC_MAX];
	struct remote_state *s = q->remote;
	char group[1024];
	struct packer k;
	uint32_t ttl = f->ttl < TTL_MIN ? TTL_MIN : f->ttl;

	if (f->outcome == LOOKUP_TEMPORARY && ttl > TTL_TEMPORARY)
		ttl = TTL_TEMPORARY;
	free(d->found);
	free(d->group);
	d->found = NULL;
	d->group = NULL;
	/* What may change without the way being another is left out. */
	f->tag = 0;
	f->ttl = 0;
	pack_init(&k, space, sizeof(space));
	remote_found_pack(&k, f);
	if (f->outcome == LOOKUP_OK) {
		groups_name(&s->providers, f, group, sizeof(group));
		d->group = strdup(group);
		d->found = malloc(k.len);
		if (k.bad || d->group == NULL || d->found == NULL)
			f->outcome = LOOKUP_TEMPORARY;
		else
			memcpy(d->found, space, k.len);
		d->found_len = k.len;
	}
	d->route_hash = (uint64_t)hash_name(pack_slice(&k)) << 32 |
	    crc_add(0, space, k.len);
	if (f->sts != STS_NONE)
		d->route_hash += d->hash;
	d->outcome = f->outcome;
	d->expires = q->now + (int64_t)ttl * 1000;
	d->is_waiting = d->is_asked = false;
	s->n_waiting--;
	d->is_known = true;
	TAILQ_INSERT_TAIL(&s->known, d, link);
	remote_found(q, d);
}

/* Nobody can say it now. */
static void
learn_nothing(struct manager *q, struct domain *d)
{
	struct remote_found f = { .outcome = LOOKUP_TEMPORARY };

	learn(q, d, &f);
}

static void
resolver_close(struct manager *q, struct resolver *r)
{
	struct remote_state *s = q->remote;

	manager_unwatch(q, &r->watch);
	close(r->watch.fd);
	r->watch.fd = -1;
	s->resolvers[r->place] = NULL;
	r->next_dead = s->dead_resolvers;
	s->dead_resolvers = r;
	if (r->running > 0) {
		log_error(NULL, "resolver", "died=yes questions=%u",
		    r->running);
		s->resolver_not_before = q->now + 1000;
	}
	for (size_t i = 0; i < WINDOW; i++) {
		struct domain *d = r->asked[i];

		r->asked[i] = NULL;
		if (d == NULL)
			continue;
		d->is_asked = false;
		if (++d->tries >= TRIES_MAX)
			learn_nothing(q, d);
		else
			TAILQ_INSERT_HEAD(questions(s, d), d, link);
	}
	r->running = 0;
}

void
resolve_free_dead(struct manager *q)
{
	struct remote_state *s = q->remote;

	while (s->dead_resolvers != NULL) {
		struct resolver *r = s->dead_resolvers;

		s->dead_resolvers = r->next_dead;
		free(r);
	}
}

static int
take_found(struct manager *q, struct resolver *r, struct ipc_msg *m)
{
	static struct remote_found f;
	struct domain *d;
	size_t i;

	if (m->type != R_FOUND || remote_found_unpack(&m->body, &f) == -1 ||
	    !unpack_end(&m->body))
		return -1;
	i = f.tag % WINDOW;
	if ((d = r->asked[i]) == NULL || r->turn[i] != f.tag / WINDOW)
		return -1;
	r->asked[i] = NULL;
	r->turn[i]++;
	r->running--;
	r->last = q->now;
	learn(q, d, &f);
	return 0;
}

static void
on_event(struct manager *q, struct watch *watch, uint32_t events)
{
	static unsigned char space[IPC_MAX];
	struct resolver *r = (struct resolver *)(void *)watch;
	struct ipc_msg m;
	int got;

	(void)events;
	while ((got = ipc_recv(watch->fd, space, &m)) == 1) {
		ipc_close_fds(&m);
		if (take_found(q, r, &m) == -1) {
			log_error(NULL, "resolver", "closed=%s",
			    LOGS("it answers what was not asked"));
			resolver_close(q, r);
			break;
		}
	}
	if (got == 0 || (got == -1 && errno != EAGAIN))
		resolver_close(q, r);
	ask(q);
}

static struct resolver *
resolver_start(struct manager *q, size_t place)
{
	struct remote_state *s = q->remote;
	struct resolver *r = calloc(1, sizeof(*r));
	int pair[2];

	if (r == NULL || ipc_pair(pair) == -1)
		goto failed;
	r->watch = (struct watch){ pair[0], on_event, false };
	if (fcntl(pair[0], F_SETFL, O_NONBLOCK) == -1 ||
	    ipc_send(q->remote_fd, REMOTE_RESOLVER, NULL, &pair[1], 1) == -1 ||
	    manager_watch(q, &r->watch, EPOLLIN) == -1) {
		close(pair[0]);
		close(pair[1]);
		goto failed;
	}
	close(pair[1]);
	r->place = place;
	s->resolvers[place] = r;
	return r;
failed:
	log_error(NULL, "resolver", "what=start error=%s",
	    LOGS(strerror(errno)));
	s->resolver_not_before = q->now + 1000;
	free(r);
	return NULL;
}

/* One that has room: an idle one, a new one, one that has a question. Among
 * equals it is one that no mailing asks. */
static struct resolver *
choose(struct manager *q, bool patient)
{
	size_t end = RESOLVERS_MAX - (patient ? RESOLVERS_KEPT : 0);
	struct remote_state *s = q->remote;
	struct resolver *best = NULL;
	size_t place = RESOLVERS_MAX;

	for (size_t i = end; i-- > 0;) {
		struct resolver *r = s->resolvers[i];

		if (r == NULL)
			place = i;
		else if (r->running < WINDOW &&
		    (best == NULL || r->running < best->running))
			best = r;
	}
	if (best != NULL && best->running == 0)
		return best;
	if (place < RESOLVERS_MAX && q->now >= s->resolver_not_before &&
	    q->remote_fd != -1) {
		struct resolver *r = resolver_start(q, place);

		if (r != NULL)
			return r;
	}
	return best;
}

static int
send_question(struct manager *q, struct resolver *r, struct domain *d)
{
	unsigned char space[ADDR_DOMAIN_MAX + 64];
	struct packer k;
	size_t i = 0;

	while (r->asked[i] != NULL)
		i++;
	pack_init(&k, space, sizeof(space));
	pack_u64(&k, (uint64_t)r->turn[i] * WINDOW + i);
	pack_bytes(&k, slice_of(d->name));
	if (ipc_send(r->watch.fd, R_LOOKUP, &k, NULL, 0) == -1)
		return -1;
	r->asked[i] = d;
	d->is_asked = true;
	r->running++;
	r->last = q->now;
	return 0;
}

/* As many of a list as there is room for. False: a child was lost over it. */
static bool
ask_some(struct manager *q, struct domains *list, bool patient)
{
	struct resolver *r;
	struct domain *d;

	while ((d = TAILQ_FIRST(list)) != NULL &&
	    (r = choose(q, patient)) != NULL) {
		TAILQ_REMOVE(list, d, link);
		if (send_question(q, r, d) == -1) {
			TAILQ_INSERT_HEAD(list, d, link);
			resolver_close(q, r);
			return false;
		}
	}
	return true;
}

static void
ask(struct manager *q)
{
	struct remote_state *s = q->remote;

	if (ask_some(q, &s->to_ask, false))
		(void)ask_some(q, &s->to_ask_later, true);
}

void
resolve_expire(struct manager *q)
{
	struct remote_state *s = q->remote;
	struct domain *d;

	for (size_t i = 0; i < RESOLVERS_MAX; i++) {
		struct resolver *r = s->resolvers[i];

		if (r != NULL && r->running > 0 &&
		    q->now - r->last > ANSWER_TIME)
			resolver_close(q, r);
	}
	/* Those that came first are mostly those that end first. */
	while ((d = TAILQ_FIRST(&s->known)) != NULL && d->expires < q->now)
		forget(s, d);
	ask(q);
}

void
resolve_forget(struct manager *q)
{
	struct remote_state *s = q->remote;
	struct domain *d, *next;

	for (d = TAILQ_FIRST(&s->known); d != NULL; d = next) {
		next = TAILQ_NEXT(d, link);
		forget(s, d);
	}
}
