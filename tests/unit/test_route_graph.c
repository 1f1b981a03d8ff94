/* test_route_graph.c - random graphs of addresses: none lost, none twice. */
/* SPDX-License-Identifier: ISC */

/*
 * Each graph has three domains, their other names, a few mailboxes, aliases and
 * robots that lead to each other in every way, catch-alls, rules of senders. A
 * model that knows nothing of walks, only which address leads to which and what
 * that comes to in the end, says where mail must go.
 * usage: test_route_graph [SEED [GRAPHS]]; the seed is printed.
 */

#include "lib/route.h"

#include <inttypes.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <time.h>

#include "lib/pack.h"
#include "tests/unit/scratch.h"
#include "tests/unit/tap.h"

#define GRAPHS 2000
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
leads_by_names(const struct graph *g, int i, int box, bool seen[NODES],
    bool *waits)
{
	const struct node *n = &g->nodes[i];
	bool found = i == box && n->state == ACCOUNT_ACTIVE;

	if (seen[i])
		return false;
	seen[i] = true;
	*waits |= i < INNER + LEAVES && n->state == ACCOUNT_SUSPENDED;
	if ((n->kind == ALIAS || n->kind == ROBOT) &&
	    n->state == ACCOUNT_ACTIVE)
		for (int e = 0; e < n->n_edges; e++)
			found |= leads_by_names(g, n->edges[e], box, seen,
			    waits);
	return found;
}

static bool
try_sending(struct tables *t, const struct graph *g, int i)
{
	bool seen[NODES] = { false }, waits = false, want, got;
	const struct node *box = &g->nodes[INNER];
	struct addr as;
	char text[60];

	want = leads_by_names(g, i, INNER, seen, &waits) && !waits;
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
	uint64_t seed = argc > 1 ? strtoull(argv[1], NULL, 0) :
	    (uint64_t)time(NULL), letters = 0, good = 0;
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
