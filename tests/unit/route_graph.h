/* route_graph.h - random graphs of addresses, and how they are written down. */
#ifndef TESTS_UNIT_ROUTE_GRAPH_H
#define TESTS_UNIT_ROUTE_GRAPH_H
/* SPDX-License-Identifier: ISC */

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "lib/account.h"
#include "lib/pack.h"
#include "lib/table.h"
#include "tests/unit/scratch.h"

#define DOMAINS 3
#define INNER 5			/* that lead on: with the ghosts below the depth
				 * that is allowed */
#define LEAVES 4		/* mailboxes that lead nowhere */
#define GHOSTS DOMAINS		/* a name that no domain has, in each */
#define REMOTES 3
#define NODES (INNER + LEAVES + GHOSTS + REMOTES)
#define EDGES 4

/* clang-format off */
static const char *const domain_names[DOMAINS] = { "a.test", "b.test", "c.test" };
static const char *const other_names[DOMAINS] = { "a2.test", "b2.test", NULL };
static const char *const remote_names[REMOTES] = { "x@out.test", "y@out.test",
	"ghost@out.test" };
static const char *const rules[] = { "", "", "", "", "domain", "zoe@free.test",
	"@free.test", "@a2.test", "N5@A2.test" };

static const struct {
	const char *local, *domain;
	bool is_trusted;
} senders[] = {
	{ "zoe", "free.test", false }, { "n5", "a.test", true },
	{ "N5+x", "a2.test", true }, { "n5", "a.test", false }, { "", "", false },
	{ "", "", true }, { "max", "else.test", true },
};
/* clang-format on */

enum kind { MAILBOX, ALIAS, ROBOT, GHOST, REMOTE };

struct node {
	enum kind kind;
	int domain;
	enum account_state state;
	bool keep, discard, answers;
	const char *rule;
	int edges[EDGES], n_edges;
	char name[40];		/* canonical */
};

struct graph {
	struct node nodes[NODES];
	int catch_all[DOMAINS];	/* a node; or one of these */
	bool leads[NODES][NODES];	/* in one step or more */
};
#define REFUSE (-1)
#define DISCARD (-2)
#define SAME_NAME (-3)		/* and below: at domain -3 - n */
#define SAME_NAME_OUT (-10)

static uint64_t seed_now;
static int domains_dir;

static unsigned
pick(unsigned n)
{
	seed_now ^= seed_now << 13;
	seed_now ^= seed_now >> 7;
	seed_now ^= seed_now << 17;
	return (unsigned)(seed_now >> 33) % n;
}

static bool
one_in(unsigned n)
{
	return pick(n) == 0;
}

/* The graph. */

static void
make_node(struct graph *g, int i)
{
	struct node *n = &g->nodes[i];

	memset(n, 0, sizeof(*n));
	n->domain = (int)pick(DOMAINS);
	n->rule = "";
	n->keep = true;
	if (i >= INNER + LEAVES + GHOSTS) {
		n->kind = REMOTE;
		snprintf(n->name, sizeof(n->name), "%s",
		    remote_names[i - INNER - LEAVES - GHOSTS]);
		return;
	}
	if (i >= INNER + LEAVES) {
		n->kind = GHOST;
		n->domain = i - INNER - LEAVES;
		snprintf(n->name, sizeof(n->name), "ghost@%s",
		    domain_names[n->domain]);
		return;
	}
	n->kind = i < INNER ? (enum kind)pick(3) : MAILBOX;
	if (one_in(12))
		n->state = one_in(3) ? ACCOUNT_SUSPENDED : ACCOUNT_DISABLED;
	n->rule = rules[pick(sizeof(rules) / sizeof(*rules))];
	n->answers = n->kind == ROBOT || one_in(4);
	n->discard = n->kind == MAILBOX && one_in(5);
	n->keep = n->kind != MAILBOX || one_in(3);
	snprintf(n->name, sizeof(n->name), "n%d@%s", i,
	    domain_names[n->domain]);
	if (i < INNER && (n->kind == ALIAS || !one_in(6)))
		n->n_edges = 1 + (int)pick(EDGES);
	for (int e = 0; e < n->n_edges; e++)
		n->edges[e] = (int)pick(one_in(2) ? INNER : NODES);
}

static void
make_graph(struct graph *g)
{
	for (int i = 0; i < NODES; i++)
		make_node(g, i);
	for (int d = 0; d < DOMAINS; d++) {
		switch (pick(6)) {
		case 0:
			g->catch_all[d] = DISCARD;
			break;
		case 1:
			g->catch_all[d] = SAME_NAME - (int)pick(DOMAINS);
			break;
		case 2:
			g->catch_all[d] = SAME_NAME_OUT;
			break;
		case 3:
			g->catch_all[d] = (int)pick(NODES);
			break;
		default:
			g->catch_all[d] = REFUSE;
		}
	}
}

/* Writing it down, in one of the ways that people write an address. */

static const char *
written(const struct node *n, char *out, size_t cap)
{
	char local[20], domain[20];

	sscanf(n->name, "%19[^@]@%19s", local, domain);
	if (n->kind == REMOTE || n->kind == GHOST) {
		snprintf(out, cap, "%s@%s", local, domain);
		return out;
	}
	if (one_in(2) && other_names[n->domain] != NULL)
		snprintf(domain, sizeof(domain), "%s", other_names[n->domain]);
	snprintf(out, cap, "%s%s@%s", one_in(3) ? "N" : "n", local + 1,
	    domain);
	if (one_in(3))
		snprintf(out, cap, "%s+x@%s", local, domain);
	return out;
}

static void
put_domain(struct table_writer *w, const struct graph *g, int d)
{
	static unsigned char space[4096];
	struct domain_record r = { .uid = 70000, .language = "fr" };
	struct packer k;
	int to = g->catch_all[d];

	if (to >= 0)
		written(&g->nodes[to], r.catch_all, sizeof(r.catch_all));
	else if (to == DISCARD)
		snprintf(r.catch_all, sizeof(r.catch_all), "discard");
	else if (to == SAME_NAME_OUT)
		snprintf(r.catch_all, sizeof(r.catch_all), "@out.test");
	else if (to <= SAME_NAME)
		snprintf(r.catch_all, sizeof(r.catch_all), "@%s",
		    domain_names[SAME_NAME - to]);
	pack_init(&k, space, sizeof(space));
	domain_record_pack(&k, &r);
	if (table_put(w, slice_of(domain_names[d]), pack_slice(&k)) == -1)
		err(1, "domain");
	if (other_names[d] == NULL)
		return;
	r.catch_all[0] = '\0';
	snprintf(r.alias_of, sizeof(r.alias_of), "%s", domain_names[d]);
	pack_init(&k, space, sizeof(space));
	domain_record_pack(&k, &r);
	if (table_put(w, slice_of(other_names[d]), pack_slice(&k)) == -1)
		err(1, "domain");
}

static void
put_node(struct table_writer *w, const struct graph *g, const struct node *n)
{
	static unsigned char space[4096];
	char targets[1000] = "", one[60], local[20];
	struct address_record a = {
		.kind = (enum address_kind)n->kind, .state = n->state,
		.keep = n->keep, .discard = n->discard,
		.answers = n->answers, .answer_from = n->answers ? 1000 : 0,
		.folder = SLICE_EMPTY, .senders = slice_of(n->rule)
	};
	struct packer k;
	size_t len = 0;

	for (int e = 0; e < n->n_edges; e++)
		len += (size_t)snprintf(targets + len, sizeof(targets) - len,
		    "%s%s", e > 0 ? "\n" : "", written(&g->nodes[n->edges[e]],
		    one, sizeof(one)));
	a.targets = slice_of(targets);
	pack_init(&k, space, sizeof(space));
	address_record_pack(&k, &a);
	sscanf(n->name, "%19[^@]", local);
	if (table_put(w, slice_of(local), pack_slice(&k)) == -1)
		err(1, "%s", n->name);
}

static void
write_graph(const struct graph *g, int dir)
{
	struct table_writer *w = table_create(dir, "domains.cdb", 0600);
	char file[40];

	for (int d = 0; d < DOMAINS; d++)
		put_domain(w, g, d);
	if (table_commit(w) == -1)
		err(1, "domains.cdb");
	for (int d = 0; d < DOMAINS; d++) {
		snprintf(file, sizeof(file), "%s.cdb", domain_names[d]);
		w = table_create(domains_dir, file, 0600);
		for (int i = 0; i < INNER + LEAVES; i++)
			if (g->nodes[i].domain == d)
				put_node(w, g, &g->nodes[i]);
		if (table_commit(w) == -1)
			err(1, "%s", file);
	}
}

#endif
