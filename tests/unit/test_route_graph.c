/* test_route_graph.c - random graphs of addresses: none lost, none twice. */
/* SPDX-License-Identifier: ISC */

/*
 * Each graph has three domains, their other names, a few mailboxes, aliases and
 * robots that lead to each other in every way, catch-alls, rules of senders. A
 * model that knows nothing of walks, only which address leads to which and what
 * that comes to in the end, says where mail must go.
 * usage: test_route_graph [SEED [GRAPHS]]; without one, those of every day.
 */

#include "lib/route.h"

#include <inttypes.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "tests/unit/route_graph.h"
#include "tests/unit/tap.h"

#define SEED 20261122
#define GRAPHS 2000

/* The model. */

static bool
may_write(const struct node *n, unsigned s)
{
	bool ours = senders[s].domain[0] != '\0' &&
	    strcmp(senders[s].domain, "free.test") != 0 &&
	    strcmp(senders[s].domain, "else.test") != 0;

	if (n->rule[0] == '\0')
		return true;
	if (senders[s].local[0] == '\0')
		return senders[s].is_trusted || n->kind == MAILBOX ||
		    (n->kind == ALIAS && n->n_edges == 1);
	if (ours && !senders[s].is_trusted)
		return false;
	if (strcmp(n->rule, "domain") == 0)
		return ours && n->domain == 0;
	if (strstr(n->rule, "a2.test") != NULL || strstr(n->rule, "A2.test"))
		return ours;	/* the only ones of ours that write */
	return strcmp(senders[s].domain, "free.test") == 0;
}

/* What becomes of mail at a node itself. */
enum fate { TAKES, LEADS_ON, UNKNOWN, DISABLED, SUSPENDED, NOT_ALLOWED };

static enum fate
fate_of(const struct graph *g, int i, unsigned s)
{
	const struct node *n = &g->nodes[i];

	if (n->kind == REMOTE)
		return TAKES;
	if (n->kind == GHOST)
		return g->catch_all[n->domain] == REFUSE ? UNKNOWN :
		    g->catch_all[n->domain] == DISCARD ? TAKES : LEADS_ON;
	if (n->state != ACCOUNT_ACTIVE)
		return n->state == ACCOUNT_SUSPENDED ? SUSPENDED : DISABLED;
	if (!may_write(n, s))
		return NOT_ALLOWED;
	if (n->kind == ROBOT || (n->kind == MAILBOX &&
	    (n->n_edges == 0 || (n->keep && !n->discard))))
		return TAKES;
	return LEADS_ON;
}

/* Where node i leads in one step, in next[EDGES]; how many. */
static int
steps_of(const struct graph *g, int i, unsigned s, int *next)
{
	const struct node *n = &g->nodes[i];
	enum fate f = fate_of(g, i, s);
	int to;

	if (f != TAKES && f != LEADS_ON)
		return 0;
	if (n->kind != GHOST) {
		memcpy(next, n->edges, sizeof(n->edges));
		return n->n_edges;
	}
	if ((to = g->catch_all[n->domain]) == DISCARD)
		return 0;
	next[0] = to >= 0 ? to : to == SAME_NAME_OUT ? NODES - 1 :
	    INNER + LEAVES + (SAME_NAME - to);
	return 1;
}

/* Which nodes can be reached from which (Warshall). */
static void
close_graph(struct graph *g, unsigned s)
{
	int next[EDGES];

	memset(g->leads, 0, sizeof(g->leads));
	for (int i = 0; i < NODES; i++)
		for (int e = steps_of(g, i, s, next) - 1; e >= 0; e--)
			g->leads[i][next[e]] = true;
	for (int k = 0; k < NODES; k++)
		for (int i = 0; i < NODES; i++)
			for (int j = 0; j < NODES; j++)
				g->leads[i][j] |= g->leads[i][k] &&
				    g->leads[k][j];
}

/* A mailbox that only forwards keeps its mail when it leads to nobody that
 * takes it, nor to such a mailbox from where nothing leads back to it. */
static bool
keeps_after_all(const struct graph *g, int i, unsigned s)
{
	if (g->nodes[i].kind != MAILBOX || fate_of(g, i, s) != LEADS_ON)
		return false;
	for (int j = 0; j < NODES; j++) {
		if (!g->leads[i][j])
			continue;
		if (fate_of(g, j, s) == TAKES ||
		    (g->nodes[j].kind == MAILBOX &&
		    fate_of(g, j, s) == LEADS_ON && !g->leads[j][i]))
			return false;
	}
	return true;
}

struct result {
	bool store[NODES], discard[NODES], answer[NODES], remote[NODES];
	bool twice, stranger;
	int n;
};

static void
expect_at(const struct graph *g, int i, unsigned s, struct result *r)
{
	const struct node *n = &g->nodes[i];
	enum fate f = fate_of(g, i, s);

	if (f != TAKES && f != LEADS_ON)
		return;
	if (n->kind == REMOTE)
		r->remote[i] = true;
	else if (n->kind == GHOST)
		r->discard[i] = f == TAKES;
	else if (n->kind == MAILBOX && f == TAKES)
		(n->discard ? r->discard : r->store)[i] = true;
	else if (keeps_after_all(g, i, s))
		r->store[i] = true;
	r->answer[i] = n->answers && n->kind != GHOST && n->kind != REMOTE;
}

/* Who takes the mail; nobody when *why says so. */
static void
expect(const struct graph *g, int root, unsigned s, struct result *r,
    bool why[ROUTE_TEMPORARY + 1])
{
	bool taken = false;

	memset(r, 0, sizeof(*r));
	memset(why, 0, (ROUTE_TEMPORARY + 1) * sizeof(*why));
	for (int i = 0; i < NODES; i++) {
		if (i != root && !g->leads[root][i])
			continue;
		expect_at(g, i, s, r);
		why[ROUTE_UNKNOWN] |= fate_of(g, i, s) == UNKNOWN;
		why[ROUTE_DISABLED] |= fate_of(g, i, s) == DISABLED;
		why[ROUTE_SUSPENDED] |= fate_of(g, i, s) == SUSPENDED;
		why[ROUTE_NOT_ALLOWED] |= fate_of(g, i, s) == NOT_ALLOWED;
		taken |= r->store[i] || r->remote[i] || r->discard[i] ||
		    (r->answer[i] && g->nodes[i].kind == ROBOT);
	}
	if (why[ROUTE_SUSPENDED]) {
		memset(why, 0, (ROUTE_TEMPORARY + 1) * sizeof(*why));
		why[ROUTE_SUSPENDED] = true;
	} else if (taken) {
		memset(why, 0, (ROUTE_TEMPORARY + 1) * sizeof(*why));
		why[ROUTE_OK] = true;
	} else if (why[ROUTE_NOT_ALLOWED]) {
		why[ROUTE_UNKNOWN] = why[ROUTE_DISABLED] = false;
	} else if (!why[ROUTE_UNKNOWN] && !why[ROUTE_DISABLED]) {
		why[ROUTE_LOOP] = true;
	}
}

/* The code, and the comparison. */

struct walk {
	const struct graph *g;
	struct result r;
};

static bool
on_destination(void *arg, const struct destination *d)
{
	struct walk *w = arg;
	bool *at = d->kind == DEST_MAILBOX ? w->r.store :
	    d->kind == DEST_REMOTE ? w->r.remote :
	    d->kind == DEST_ANSWER ? w->r.answer : w->r.discard;
	char name[ADDR_TEXT_MAX];

	if (d->kind == DEST_LEFT_OUT)
		return true;
	snprintf(name, sizeof(name), "%s@%s", d->local, d->domain);
	for (int i = 0; i < NODES; i++) {
		if (strcasecmp(name, w->g->nodes[i].name) != 0)
			continue;
		w->r.twice |= at[i];
		at[i] = true;
		w->r.n++;
		return true;
	}
	w->r.stranger = true;
	return true;
}

static bool
is_same(const struct result *a, const struct result *b)
{
	return memcmp(a->store, b->store, sizeof(a->store)) == 0 &&
	    memcmp(a->remote, b->remote, sizeof(a->remote)) == 0 &&
	    memcmp(a->answer, b->answer, sizeof(a->answer)) == 0 &&
	    memcmp(a->discard, b->discard, sizeof(a->discard)) == 0;
}

static void
print_node(const struct graph *g, int i, const struct result *want,
    const struct result *got)
{
	const struct node *n = &g->nodes[i];
	static const char *const kinds[] = { "mailbox", "alias", "robot",
	    "ghost", "remote" };

	printf("# %s %s state=%d keep=%d discard=%d answers=%d senders=%s ->",
	    n->name, kinds[n->kind], (int)n->state, n->keep, n->discard,
	    n->answers, n->rule);
	for (int e = 0; e < n->n_edges; e++)
		printf(" %s", g->nodes[n->edges[e]].name);
	printf("; want %d%d%d%d got %d%d%d%d\n", want->store[i],
	    want->remote[i], want->answer[i], want->discard[i],
	    got->store[i], got->remote[i], got->answer[i], got->discard[i]);
}

/* Mail of one sender to one node. False: it does not go as it should. */
static bool
try_one(struct tables *t, const struct graph *g, int root, unsigned s)
{
	struct addr from = { .local = "" }, to;
	const struct route_sender sender = { &from, senders[s].is_trusted };
	struct walk w = { .g = g };
	struct result want;
	bool why[ROUTE_TEMPORARY + 1], is_mailbox, good;
	struct destination own;
	enum route_verdict v, accepted;
	char text[60];

	snprintf(from.local, sizeof(from.local), "%s", senders[s].local);
	snprintf(from.domain, sizeof(from.domain), "%s", senders[s].domain);
	if (addr_parse(slice_of(written(&g->nodes[root], text,
	    sizeof(text))), &to) != ADDR_OK)
		errx(1, "%s", text);
	expect(g, root, s, &want, why);
	v = route_expand(t, &to, "", &sender, on_destination, &w);
	accepted = route_accept(t, &to, "", &sender, &own, &is_mailbox);
	good = why[v] && (v != ROUTE_OK || (is_same(&want, &w.r) &&
	    !w.r.twice && !w.r.stranger)) &&
	    accepted == (g->nodes[root].kind == REMOTE ? ROUTE_NOT_OURS : v);
	/* Whose room is asked for is a mailbox that the mail goes to. */
	if (accepted == ROUTE_OK && is_mailbox)
		good = good && want.store[root];
	if (good)
		return true;
	printf("# to %s from <%s@%s> trusted=%d: verdict %d, %d at RCPT, "
	    "twice=%d stranger=%d\n", text, senders[s].local,
	    senders[s].domain, senders[s].is_trusted, (int)v, (int)accepted,
	    w.r.twice, w.r.stranger);
	for (int d = 0; d < DOMAINS; d++)
		printf("# catch-all of %s: %d\n", domain_names[d],
		    g->catch_all[d]);
	for (int i = 0; i < NODES; i++)
		print_node(g, i, &want, &w.r);
	return false;
}

/* May the mailbox n5 send as each address? Along aliases and robots alone. */
static bool
leads_by_names(const struct graph *g, int i, int box, bool seen[NODES])
{
	const struct node *n = &g->nodes[i];
	bool found = i == box;

	if (seen[i])
		return false;
	seen[i] = true;
	if ((n->kind == ALIAS || n->kind == ROBOT) &&
	    n->state == ACCOUNT_ACTIVE)
		for (int e = 0; e < n->n_edges; e++)
			found |= leads_by_names(g, n->edges[e], box, seen);
	return found;
}

static bool
try_sending(struct tables *t, const struct graph *g, int i)
{
	bool seen[NODES] = { false };
	enum route_verdict want = ROUTE_NOT_ALLOWED, got;
	const struct node *box = &g->nodes[INNER];
	struct addr as;
	char text[60];

	if (box->state != ACCOUNT_ACTIVE)
		want = box->state == ACCOUNT_SUSPENDED ? ROUTE_SUSPENDED :
		    ROUTE_DISABLED;
	else if (leads_by_names(g, i, INNER, seen))
		want = ROUTE_OK;
	if (addr_parse(slice_of(written(&g->nodes[i], text, sizeof(text))),
	    &as) != ADDR_OK)
		errx(1, "%s", text);
	got = route_may_send_as(t, "n5", domain_names[box->domain], &as);
	if (got != want)
		printf("# n5@%s as %s: %d\n", domain_names[box->domain], text,
		    got);
	return got == want;
}

static bool
try_graph(struct graph *g, int dir, uint64_t *letters, uint64_t *good)
{
	struct tables t;
	bool all = true;

	make_graph(g);
	write_graph(g, dir);
	memset(&t, 0, sizeof(t));
	if (tables_open(&t, dir) == -1)
		err(1, "tables");
	for (unsigned s = 0; s < sizeof(senders) / sizeof(*senders); s++) {
		close_graph(g, s);
		for (int i = 0; all && i < NODES; i++) {
			all = try_one(&t, g, i, s);
			*good += all;
			++*letters;
		}
	}
	for (int i = 0; all && i < NODES; i++)
		all = try_sending(&t, g, i);
	tables_close(&t);
	return all;
}

int
main(int argc, char **argv)
{
	uint64_t seed = argc > 1 ? strtoull(argv[1], NULL, 0) : SEED;
	uint64_t letters = 0, good = 0;
	int graphs = argc > 2 ? (int)strtol(argv[2], NULL, 10) : GRAPHS;
	int done_graphs = 0;
	int dir = scratch_open();
	static struct graph g;

	if (mkdirat(dir, "domains", 0700) == -1 ||
	    (domains_dir = openat(dir, "domains", O_RDONLY | O_DIRECTORY |
	    O_CLOEXEC)) == -1)
		err(1, "domains");
	seed_now = seed * 2 + 1;
	printf("# seed %" PRIu64 "\n", seed);
	while (done_graphs < graphs && try_graph(&g, dir, &letters, &good))
		done_graphs++;
	ok(done_graphs == graphs, "8-15: %d random graphs of addresses: %"
	    PRIu64 " letters go to all whom they should reach, once, and none "
	    "in a circle; who may send as whom (seed %" PRIu64 ")",
	    done_graphs, good, seed);
	return done();
}
