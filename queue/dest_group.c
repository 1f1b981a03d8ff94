/* dest_group.c - destinations behind the same servers, by name. */
/* SPDX-License-Identifier: ISC */
#include "queue/remote.h"

#include <stdio.h>
#include <stdlib.h>

#define TABLE_SIZE 16384	/* chains: idle groups are forgotten */
#define IDLE 600000		/* ms that a group without trouble is kept */

static uint32_t
hash_name(const char *name)
{
	uint32_t h = 2166136261u;

	for (; *name != '\0'; name++)
		h = (h ^ (unsigned char)*name) * 16777619u;
	return h;
}

int
groups_init(struct manager *q)
{
	struct remote_state *s = q->remote;

	s->groups = calloc(TABLE_SIZE, sizeof(*s->groups));
	s->groups_size = TABLE_SIZE;
	return s->groups != NULL ? 0 : -1;
}

struct dest_group *
groups_find(struct manager *q, const char *name)
{
	struct remote_state *s = q->remote;
	uint32_t hash = hash_name(name);
	struct dest_group *g = s->groups[hash & (s->groups_size - 1)];

	while (g != NULL && (g->hash != hash || strcmp(g->name, name) != 0))
		g = g->next;
	return g;
}

static void
set_limits(const struct provider *v, uint32_t connections,
    struct group_limits *out)
{
	*out = (struct group_limits){
		.connections = connections > 0 ? connections : v->connections,
		.messages = v->messages,
		.recipients = v->recipients,
		.per_minute = v->per_minute,
		.slow_pause = v->slow_pause,
		.blocked_pause = v->blocked_pause
	};
}

struct dest_group *
groups_get(struct manager *q, const char *name, uint32_t connections)
{
	struct remote_state *s = q->remote;
	struct dest_group *g = groups_find(q, name);
	struct group_limits limits;
	size_t len = strlen(name);

	if (g != NULL)
		return g;
	if ((g = calloc(1, sizeof(*g) + len + 1)) == NULL)
		return NULL;
	memcpy(g->name, name, len);
	g->hash = hash_name(name);
	g->provider = providers_named(&s->providers, name);
	g->connections = connections;
	set_limits(g->provider, connections, &limits);
	group_init(&g->limits, &limits, q->now);
	TAILQ_INIT(&g->paths);
	g->used = q->now;
	g->next = s->groups[g->hash & (s->groups_size - 1)];
	s->groups[g->hash & (s->groups_size - 1)] = g;
	s->n_groups++;
	return g;
}

static bool
is_idle(const struct manager *q, const struct dest_group *g)
{
	return TAILQ_EMPTY(&g->paths) &&
	    q->now - g->used > IDLE && q->now >= g->limits.not_before &&
	    q->now >= g->fallback_until && q->now >= g->clear_until;
}

/* A part of the table at a time. */
void
groups_expire(struct manager *q)
{
	static size_t at;
	struct remote_state *s = q->remote;

	for (size_t i = 0; i < s->groups_size / 64; i++) {
		struct dest_group **p = &s->groups[at++ & (s->groups_size - 1)];

		while (*p != NULL) {
			struct dest_group *g = *p;

			if (is_idle(q, g)) {
				*p = g->next;
				s->n_groups--;
				ticket_forget(q, g);
				free(g);
			} else
				p = &g->next;
		}
	}
}

void
groups_reload(struct manager *q)
{
	struct remote_state *s = q->remote;
	struct group_limits limits;

	for (size_t i = 0; i < s->groups_size; i++)
		for (struct dest_group *g = s->groups[i]; g != NULL;
		    g = g->next) {
			g->provider = providers_named(&s->providers, g->name);
			set_limits(g->provider, g->connections, &limits);
			group_limit(&g->limits, &limits);
		}
}

/*
 * The part of a host's name that somebody has registered: two labels, or
 * three below such as "co.uk" and "com.au". A guess is enough here: it only
 * decides who shares a limit.
 */
static const char *
registered(const char *host)
{
	const char *end = host + strlen(host), *p = end, *label = end;
	unsigned labels = 0;

	while (p > host) {
		p--;
		if (*p != '.')
			continue;
		labels++;
		if (labels == 2 && (label - p > 4 || end - label > 3))
			return p + 1;
		if (labels == 3)
			return p + 1;
		label = p;
	}
	return host;
}

static int
compare_names(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

void
groups_name(const struct providers *p, const struct remote_found *f,
    char *out, size_t cap)
{
	const char *names[REMOTE_HOSTS_MAX] = { NULL };
	size_t n = 0, len = 0;

	for (uint16_t i = 0; i < f->n; i++) {
		const struct provider *v =
		    providers_of_host(p, f->hosts[i].name);

		if (v != &p->v[0]) {
			snprintf(out, cap, "%s", v->name);
			return;
		}
		if (f->hosts[i].preference != f->hosts[0].preference)
			continue;
		names[n] = f->hosts[i].name[0] == '[' ? f->hosts[i].name :
		    registered(f->hosts[i].name);
		n++;
	}
	qsort(names, n, sizeof(names[0]), compare_names);
	out[0] = '\0';
	for (size_t i = 0; i < n && len + 1 < cap; i++)
		if (i == 0 || strcmp(names[i], names[i - 1]) != 0)
			len += (size_t)snprintf(out + len, cap - len, "%s%s",
			    i > 0 ? "," : "", names[i]);
}
