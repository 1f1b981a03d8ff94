/* test_route_rules.c - every rule of the way from an address to mailboxes. */
/* SPDX-License-Identifier: ISC */

#include "lib/route.h"

#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "lib/pack.h"
#include "tests/unit/scratch.h"
#include "tests/unit/tap.h"

#define PAST 1000
#define FUTURE INT64_C(100000000000)

struct row {
	const char *local, *targets;
	enum address_kind kind;
	bool copy, discard, answers;
	int64_t from, until;
	const char *senders;
};

#define MAILBOX(...) ADDRESS_MAILBOX, __VA_ARGS__
#define NO_COPY MAILBOX(false, false, false, 0, 0, NULL)
#define COPY MAILBOX(true, false, false, 0, 0, NULL)
#define DISCARD MAILBOX(true, true, false, 0, 0, NULL)
#define AWAY(from, until) MAILBOX(true, false, true, from, until, NULL)
#define ONLY(kind, who) kind, true, false, false, 0, 0, who
#define ALIAS ONLY(ADDRESS_ALIAS, NULL)
#define ROBOT ADDRESS_ROBOT, true, false, true, 0, 0, NULL

/* clang-format off */
static const struct row rows[] = {
	{ "bob", NULL, COPY }, { "eve", NULL, COPY }, { "dan", NULL, COPY },
	{ "copy", "bob@a.test", COPY }, { "move", "bob@a.test", NO_COPY },
	{ "many", "bob@a.test\nx@out.test\neve@a2.test", COPY },
	{ "bin", NULL, DISCARD },
	{ "binmove", "bob@a.test", DISCARD },
	{ "self", "self@a.test", COPY }, { "self2", "SELF2+x@a2.test", NO_COPY },
	{ "ring1", "ring2@a.test", NO_COPY }, { "ring2", "ring1@a2.test", NO_COPY },
	{ "way1", "way2@a.test\nbob@a.test", NO_COPY },
	{ "way2", "way1@a.test", NO_COPY },
	/* a circle that is entered from another side, when it was seen once */
	{ "knot", "in@a.test\nside@a.test\nbob@a.test", ALIAS },
	{ "in", "loop1@a.test", ALIAS }, { "loop2", "loop1@a.test", ALIAS },
	{ "loop1", "loop2@a.test\nknot@a.test", ALIAS },
	{ "side", "only@a.test", ALIAS }, { "only", "loop2@a.test", NO_COPY },
	{ "late", "nobody@a.test", NO_COPY }, { "later", "late@a.test", NO_COPY },
	{ "ringteam", "bob@a.test\nring1@a.test", ALIAS },
	{ "away", NULL, AWAY(PAST, 0) }, { "soon", NULL, AWAY(FUTURE, 0) },
	{ "back", NULL, AWAY(PAST, PAST + 1) }, { "gone", NULL, AWAY(PAST, FUTURE) },
	{ "all", "bob@a.test", AWAY(PAST, 0) },
	{ "auto", NULL, ROBOT }, { "info", "bob@a.test\ny@out.test", ROBOT },
	{ "boss", NULL, ONLY(ADDRESS_MAILBOX, "domain") },
	{ "team", "bob@a.test\neve@a.test", ONLY(ADDRESS_ALIAS, "domain") },
	{ "one", "bob@a.test", ONLY(ADDRESS_ALIAS, "domain") },
	{ "named", NULL, ONLY(ADDRESS_MAILBOX, "Zoe@free.test\nbob+x@a2.test") },
	{ "house", NULL, ONLY(ADDRESS_MAILBOX, "@free.test\n@a2.test") },
	{ "mixed", "boss@a.test\nbob@a.test", ALIAS },
	{ "tobox", "nobody@box.test", ALIAS }, { "toboss", "boss@a.test", ALIAS }, { "fwboss", "boss@a.test", NO_COPY },
	{ NULL, NULL, COPY }
};

static const struct {
	const char *name;
	struct domain_record record;
} domains[] = {
	{ "a.test", { .uid = 70000, .language = "fr" } },
	{ "a2.test", { .uid = 70000, .language = "fr", .alias_of = "a.test" } },
	{ "drop.test", { .uid = 1, .language = "fr", .catch_all = "discard" } },
	{ "box.test", { .uid = 1, .language = "fr", .catch_all = "bob@a2.test" } },
	{ "chain.test", { .uid = 1, .language = "fr", .catch_all = "@box.test" } },
	{ "far.test", { .uid = 1, .language = "fr", .catch_all = "x@out.test" } },
	{ "same.test", { .uid = 1, .language = "fr", .catch_all = "@a2.test" } },
	{ "sameout.test", { .uid = 1, .language = "fr", .catch_all = "@out.test" } },
	{ "same2.test", { .uid = 1, .language = "fr", .alias_of = "same.test" } },
	{ "ping.test", { .uid = 1, .language = "fr", .catch_all = "@pong.test" } },
	{ "pong.test", { .uid = 1, .language = "fr", .catch_all = "@ping.test" } },
	{ "wait.test", { .uid = 1, .language = "fr", .state = ACCOUNT_SUSPENDED,
	    .refuse_from = FUTURE } },
	{ "over.test", { .uid = 1, .language = "fr", .state = ACCOUNT_SUSPENDED,
	    .refuse_from = PAST } },
	{ "over2.test", { .uid = 1, .language = "fr", .state = ACCOUNT_SUSPENDED,
	    .refuse_from = PAST, .alias_of = "a.test" } },
};

#define ZOE "zoe@free.test", false
#define BOB "bob@a.test", true
static const struct {
	const char *item, *rcpt, *from;
	bool is_trusted;
	enum route_verdict verdict;
	const char *found;	/* m: mailbox, r: remote, a: answer, d: discard,
				 * -: left out */
} routes[] = {
	{ "2-17", "bob@a.test", ZOE, ROUTE_OK, "m:bob@a.test" },
	{ "2-17: forward and copy", "copy@a.test", ZOE, ROUTE_OK,
	  "m:copy@a.test m:bob@a.test" },
	{ "2-17: forward alone", "move@a2.test", ZOE, ROUTE_OK, "m:bob@a.test" },
	{ "8-06: several", "many@a.test", ZOE, ROUTE_OK,
	  "m:many@a.test m:bob@a.test r:x@out.test m:eve@a.test" },
	{ "2-17: deleted", "bin@a.test", ZOE, ROUTE_OK, "d:bin@a.test" },
	{ "2-17: deleted here, and sent on", "binmove@a.test", ZOE, ROUTE_OK,
	  "m:bob@a.test" },
	{ "8-15: to oneself, with a copy", "self@a.test", ZOE, ROUTE_OK, "m:self@a.test" },
	{ "8-15: to oneself alone is a copy", "self2@a.test", ZOE, ROUTE_OK,
	  "m:self2@a.test" },
	{ "8-15: two in a circle keep it", "ring1@a.test", ZOE, ROUTE_OK,
	  "m:ring2@a.test m:ring1@a.test" },
	{ "8-15: also where others get it", "ringteam@a.test", ZOE, ROUTE_OK,
	  "m:bob@a.test m:ring2@a.test m:ring1@a.test" },
	{ "8-15: a circle within a circle", "knot@a.test", ZOE, ROUTE_OK,
	  "m:bob@a.test" },
	{ "8-15: a circle with a way out", "way1@a.test", ZOE, ROUTE_OK, "m:bob@a.test" },
	{ "8-15: from its other side", "way2@a.test", ZOE, ROUTE_OK, "m:bob@a.test" },
	{ "2-25: forwarded to nobody stays", "late@a.test", ZOE, ROUTE_OK,
	  "-:nobody@a.test m:late@a.test" },
	{ "2-25: and further on", "later@a.test", ZOE, ROUTE_OK,
	  "-:nobody@a.test m:late@a.test" },
	{ "0-30: away without end", "away@a.test", ZOE, ROUTE_OK,
	  "m:away@a.test a:away@a.test" },
	{ "0-29: not yet", "soon@a.test", ZOE, ROUTE_OK, "m:soon@a.test" },
	{ "0-30: no longer", "back@a.test", ZOE, ROUTE_OK, "m:back@a.test" },
	{ "0-30: within", "gone@a.test", ZOE, ROUTE_OK, "m:gone@a.test a:gone@a.test" },
	{ "8-02: store, forward, answer", "all@a.test", ZOE, ROUTE_OK,
	  "m:all@a.test m:bob@a.test a:all@a.test" },
	{ "2-30: a robot", "auto@a.test", ZOE, ROUTE_OK, "a:auto@a.test" },
	{ "2-31: with copies", "info@a2.test", ZOE, ROUTE_OK,
	  "m:bob@a.test r:y@out.test a:info@a.test" },
	{ "2-13: refused", "nobody@a2.test", ZOE, ROUTE_UNKNOWN, "" },
	{ "2-13: deleted", "Nobody+x@drop.test", ZOE, ROUTE_OK, "d:Nobody+x@drop.test" },
	{ "2-13: a mailbox", "nobody@box.test", ZOE, ROUTE_OK, "m:bob@a.test" },
	{ "2-13: a name that can be nobody's", "\"a b\"@box.test", ZOE, ROUTE_OK,
	  "m:bob@a.test" },
	{ "2-13: elsewhere", "nobody@far.test", ZOE, ROUTE_OK, "r:x@out.test" },
	{ "2-13: the same name", "eve@same.test", ZOE, ROUTE_OK, "m:eve@a.test" },
	{ "2-13: which is not there either", "nobody@same.test", ZOE, ROUTE_UNKNOWN,
	  "-:nobody@a2.test" },
	{ "0-19: of a domain alias", "eve@same2.test", ZOE, ROUTE_OK, "m:eve@a.test" },
	{ "2-13: the same name elsewhere", "Any.Name+x@sameout.test", ZOE, ROUTE_OK,
	  "r:Any.Name+x@out.test" },
	{ "8-15: catch-alls to each other", "x@ping.test", ZOE, ROUTE_LOOP, "" },
	{ "suspended", "bob@wait.test", ZOE, ROUTE_SUSPENDED, "" },
	{ "suspended for long", "bob@over.test", ZOE, ROUTE_DISABLED, "" },
	{ "its alias alone", "bob@over2.test", ZOE, ROUTE_DISABLED, "" },
	{ "senders: a stranger", "boss@a.test", ZOE, ROUTE_NOT_ALLOWED, "" },
	{ "senders: the domain", "boss@a2.test", BOB, ROUTE_OK, "m:boss@a.test" },
	{ "senders: by its other name", "boss@a.test", "x@a2.test", true, ROUTE_OK,
	  "m:boss@a.test" },
	{ "senders: who only says so", "boss@a.test", "bob@a.test", false,
	  ROUTE_NOT_ALLOWED, "" },
	{ "senders: another domain", "boss@a.test", "x@box.test", true,
	  ROUTE_NOT_ALLOWED, "" },
	{ "senders: a bounce to a mailbox", "boss@a.test", "", false, ROUTE_OK,
	  "m:boss@a.test" },
	{ "senders: and to a list of people", "team@a.test", "", false,
	  ROUTE_NOT_ALLOWED, "" },
	{ "senders: one of our own", "team@a.test", "", true, ROUTE_OK,
	  "m:bob@a.test m:eve@a.test" },
	{ "senders: and to one's other name", "one@a.test", "", false, ROUTE_OK,
	  "m:bob@a.test" },
	{ "senders: named", "named@a.test", ZOE, ROUTE_OK, "m:named@a.test" },
	{ "senders: not named", "named@a.test", "max@free.test", false,
	  ROUTE_NOT_ALLOWED, "" },
	{ "senders: named, ours", "named@a.test", BOB, ROUTE_OK, "m:named@a.test" },
	{ "senders: named, ours, claimed", "named@a.test", "bob@a.test", false,
	  ROUTE_NOT_ALLOWED, "" },
	{ "senders: a whole domain", "house@a.test", "max@free.test", false, ROUTE_OK,
	  "m:house@a.test" },
	{ "senders: ours by its alias", "house@a.test", "eve@a.test", true, ROUTE_OK,
	  "m:house@a.test" },
	{ "senders: left out behind an alias", "mixed@a.test", ZOE, ROUTE_OK,
	  "-:boss@a.test m:bob@a.test" },
	{ "senders: alone behind an alias", "toboss@a.test", ZOE, ROUTE_NOT_ALLOWED,
	  "-:boss@a.test" },
	{ "senders: behind a forward, which keeps it", "fwboss@a.test", ZOE, ROUTE_OK,
	  "-:boss@a.test m:fwboss@a.test" },
};

static const struct {
	const char *sender;
	bool may;
} as[] = { /* bob@a.test */
	{ "bob@a.test", true }, { "one@a2.test", true }, { "team@a.test", true },
	{ "info@a.test", true },	/* whose copies he gets */
	{ "copy@a.test", false }, { "move@a.test", false }, { "many@a.test", false },
	{ "nobody@box.test", false }, { "bob@same.test", false }, { "auto@a.test", false },
	{ "x@out.test", false },
};
/* clang-format on */

static void
put(struct table_writer *w, const char *key, const struct packer *k)
{
	if (k->bad || table_put(w, slice_of(key), pack_slice(k)) == -1)
		err(1, "%s", key);
}

static void
put_row(struct table_writer *w, const struct row *r)
{
	static unsigned char space[8192];
	struct address_record a = {
		.kind = r->kind, .keep = r->copy, .discard = r->discard,
		.answers = r->answers, .answer_from = r->from,
		.answer_until = r->until, .folder = SLICE_EMPTY,
		.targets = slice_of(r->targets != NULL ? r->targets : ""),
		.senders = slice_of(r->senders != NULL ? r->senders : "")
	};
	struct packer k;

	pack_init(&k, space, sizeof(space));
	address_record_pack(&k, &a);
	put(w, r->local, &k);
}

static void
write_tables(int dir)
{
	static unsigned char space[8192];
	struct table_writer *all = table_create(dir, "domains.cdb", 0600), *w;
	struct packer k;
	char file[40];
	int domains_dir;

	if (mkdirat(dir, "domains", 0700) == -1 || (domains_dir = openat(dir,
	    "domains", O_RDONLY | O_DIRECTORY | O_CLOEXEC)) == -1)
		err(1, "domains");
	for (size_t i = 0; i < sizeof(domains) / sizeof(*domains); i++) {
		pack_init(&k, space, sizeof(space));
		domain_record_pack(&k, &domains[i].record);
		put(all, domains[i].name, &k);
		snprintf(file, sizeof(file), "%s.cdb", domains[i].name);
		w = table_create(domains_dir, file, 0600);
		for (const struct row *r = rows; i == 0 && r->local != NULL;
		    r++)
			put_row(w, r);
		if (table_commit(w) == -1)
			err(1, "%s", file);
	}
	if (table_commit(all) == -1)
		err(1, "domains.cdb");
}

static bool
note(void *arg, const struct destination *d)
{
	char *text = arg;
	size_t len = strlen(text);

	snprintf(text + len, 1000 - len, "%s%c:%s@%s", len > 0 ? " " : "",
	    "mrad-"[d->kind], d->local, d->domain);
	return true;
}

static struct addr
parsed(const char *text)
{
	struct addr a = { .local = "" };

	if (text[0] != '\0' && addr_parse(slice_of(text), &a) != ADDR_OK)
		errx(1, "%s", text);
	return a;
}

static void
test_routes(struct tables *t)
{
	for (size_t i = 0; i < sizeof(routes) / sizeof(*routes); i++) {
		struct addr to = parsed(routes[i].rcpt);
		struct addr from = parsed(routes[i].from);
		const struct route_sender sender = {
			&from, routes[i].is_trusted
		};
		struct destination own;
		char found[1000] = "";
		bool is_mailbox;
		enum route_verdict v = route_expand(t, &to, "", &sender, note,
		    found);

		ok(v == routes[i].verdict && strcmp(found, routes[i].found) ==
		    0, "%s: %s from <%s>: %d %s", routes[i].item,
		    routes[i].rcpt, routes[i].from, (int)v, found);
		ok(route_accept(t, &to, "", &sender, &own, &is_mailbox) == v,
		    "and so RCPT is told");
	}
}

/* Whose forward it was, and that a catch-all brought it. */
static bool
note_last(void *arg, const struct destination *d)
{
	*(struct destination *)arg = *d;
	return true;
}

/* 0-41: what nobody had addressed to anybody. */
static const struct {
	const char *rcpt, *why;
	bool want;
} strays[] = {
	{ "nobody@box.test", "a name that does not exist", true },
	{ "nobody@chain.test", "by two catch-alls", true },
	{ "bob@chain.test", "by two, and there is no such name on the way", true },
	{ "bob@same.test", "the same name in another domain", false },
	{ "bob@a2.test", "the mailbox itself", false },
	{ "tobox@a.test", "an alias that leads to no name", false },
};

static void
test_strays(struct tables *t)
{
	struct addr from = parsed("zoe@free.test"), to;
	const struct route_sender sender = { &from, false };
	struct destination d;

	for (size_t i = 0; i < sizeof(strays) / sizeof(strays[0]); i++) {
		to = parsed(strays[i].rcpt);
		ok(route_expand(t, &to, "", &sender, note_last, &d) ==
		    ROUTE_OK && d.kind == DEST_MAILBOX &&
		    strcmp(d.local, "bob") == 0 &&
		    d.is_stray == strays[i].want, "0-41: %s is %s: %s",
		    strays[i].rcpt, strays[i].want ? "stray" : "addressed",
		    strays[i].why);
	}
}

static void
test_marks(struct tables *t)
{
	struct addr from = parsed("zoe@free.test"), to = parsed("many@a2.test");
	const struct route_sender sender = { &from, false };
	struct destination d, own;
	bool is_mailbox;

	to = parsed("nobody@far.test");
	ok(route_expand(t, &to, "", &sender, note_last, &d) == ROUTE_OK &&
	    d.is_caught && strcmp(d.by, "nobody@far.test") == 0,
	    "2-13: caught, and forwarded by the name that there is not");
	to = parsed("INFO+x@a2.test");
	ok(route_expand(t, &to, "", &sender, note_last, &d) == ROUTE_OK &&
	    d.kind == DEST_ANSWER && !d.is_caught, "a robot is not caught");
	to = parsed("x@out.test");
	ok(route_expand(t, &to, "", &sender, note_last, &d) == ROUTE_OK &&
	    d.by[0] == '\0' && route_accept(t, &to, "", &sender, &own,
	    &is_mailbox) == ROUTE_NOT_OURS, "what is not ours is relayed");
	to = parsed("copy@a.test");
	ok(route_accept(t, &to, "", &sender, &own, &is_mailbox) == ROUTE_OK &&
	    is_mailbox && strcmp(own.local, "copy") == 0,
	    "room is asked for where a copy stays");
	to = parsed("move@a.test");
	ok(route_accept(t, &to, "", &sender, &own, &is_mailbox) == ROUTE_OK &&
	    !is_mailbox, "and not where none does");
}

int
main(void)
{
	int dir = scratch_open();
	struct tables t;
	struct addr a;

	write_tables(dir);
	memset(&t, 0, sizeof(t));
	if (tables_open(&t, dir) == -1)
		err(1, "tables");
	test_routes(&t);
	test_strays(&t);
	test_marks(&t);
	for (size_t i = 0; i < sizeof(as) / sizeof(*as); i++) {
		a = parsed(as[i].sender);
		ok(route_may_send_as(&t, "bob", "a.test", &a) == (as[i].may ?
		    ROUTE_OK : ROUTE_NOT_ALLOWED),
		    "bob as %s: %d", as[i].sender, as[i].may);
	}
	tables_close(&t);
	return done();
}
