/* test_route.c - from an address to where its mail goes. */
/* SPDX-License-Identifier: ISC */

#include "lib/route.h"

#include <string.h>
#include <sys/stat.h>

#include "lib/pack.h"
#include "tests/unit/scratch.h"
#include "tests/unit/tap.h"

static unsigned char space[65536];

struct row {
	const char *local;
	enum account_state state;
	const char *targets;	/* NULL: a mailbox */
};

/* clang-format off */
static const struct {
	const char *name;
	struct domain_record record;
	struct row rows[20];
} domains[] = {
	{ "exemple.test", { .state = ACCOUNT_ACTIVE, .uid = 70000, .language = "fr",
	    .alias_of = "" }, {
		{ "bob", ACCOUNT_ACTIVE, NULL },
		{ "alice", ACCOUNT_ACTIVE, NULL },
		{ "asleep", ACCOUNT_SUSPENDED, NULL },
		{ "gone", ACCOUNT_DISABLED, NULL },
		{ "postmaster", ACCOUNT_ACTIVE, "bob@exemple.test" },
		{ "both", ACCOUNT_ACTIVE, "bob@exemple.test\nalice@exemple.test" },
		{ "twice", ACCOUNT_ACTIVE, "bob@exemple.test\nboth@exemple.test" },
		{ "out", ACCOUNT_ACTIVE, "bob@exemple.test\nx@ailleurs.test" },
		{ "half", ACCOUNT_ACTIVE, "nobody@exemple.test\nbob@exemple.test" },
		{ "dead", ACCOUNT_ACTIVE, "nobody@exemple.test" },
		{ "self", ACCOUNT_ACTIVE, "self@exemple.test" },
		{ "ring", ACCOUNT_ACTIVE, "ring2@exemple.test" },
		{ "ring2", ACCOUNT_ACTIVE, "RING@alias.test" },
		{ "selfbob", ACCOUNT_ACTIVE, "selfbob@exemple.test\nbob@exemple.test" },
		{ "bad", ACCOUNT_ACTIVE, "no address" },
		{ "wait", ACCOUNT_ACTIVE, "bob@exemple.test\nasleep@exemple.test" },
		{ "await", ACCOUNT_ACTIVE, "asleep@exemple.test\nbob@exemple.test" },
		{ NULL, ACCOUNT_ACTIVE, NULL } } },
	{ "alias.test", { .state = ACCOUNT_ACTIVE, .uid = 70000, .language = "fr",
	    .alias_of = "exemple.test" },
	  { { NULL, ACCOUNT_ACTIVE, NULL } } },
	{ "shut.test", { .state = ACCOUNT_DISABLED, .uid = 70001, .language = "en",
	    .alias_of = "" }, {
		{ "bob", ACCOUNT_ACTIVE, NULL },
		{ NULL, ACCOUNT_ACTIVE, NULL } } },
	{ "later.test", { .state = ACCOUNT_SUSPENDED, .uid = 70002, .language = "en",
	    .alias_of = "" }, {
		{ "bob", ACCOUNT_ACTIVE, NULL },
		{ NULL, ACCOUNT_ACTIVE, NULL } } },
	{ "alias2.test", { .state = ACCOUNT_ACTIVE, .uid = 70000, .language = "fr",
	    .alias_of = "alias.test" },
	  { { NULL, ACCOUNT_ACTIVE, NULL } } },
};

static const struct {
	const char *rcpt;
	enum route_verdict verdict;
	const char *mailbox;	/* "local@domain+detail", or NULL */
} checks[] = {
	{ "bob@exemple.test", ROUTE_OK, "bob@exemple.test+" },
	{ "BOB@Exemple.Test", ROUTE_OK, "bob@exemple.test+" },
	{ "bob+Lists@exemple.test", ROUTE_OK, "bob@exemple.test+Lists" },
	{ "bob@alias.test", ROUTE_OK, "bob@exemple.test+" },
	{ "both@exemple.test", ROUTE_OK, NULL },
	{ "postmaster", ROUTE_OK, NULL },
	{ "PostMaster@alias.test", ROUTE_OK, NULL },
	{ "nobody@exemple.test", ROUTE_UNKNOWN, NULL },
	{ "\"b ob\"@exemple.test", ROUTE_UNKNOWN, NULL },
	{ "\"../bob\"@exemple.test", ROUTE_UNKNOWN, NULL },
	{ "gone@exemple.test", ROUTE_DISABLED, NULL },
	{ "asleep@exemple.test", ROUTE_SUSPENDED, NULL },
	{ "bob@shut.test", ROUTE_DISABLED, NULL },
	{ "bob@later.test", ROUTE_SUSPENDED, NULL },
	{ "bob@alias2.test", ROUTE_TEMPORARY, NULL },
	{ "bob@ailleurs.test", ROUTE_NOT_OURS, NULL },
	{ "bob@[192.0.2.1]", ROUTE_NOT_OURS, NULL },
};

static const struct {
	const char *rcpt;
	enum route_verdict verdict;
	const char *found;	/* in their order, with spaces between */
} expansions[] = {
	{ "bob@exemple.test", ROUTE_OK, "bob@exemple.test" },
	{ "postmaster", ROUTE_OK, "bob@exemple.test" },
	{ "both@alias.test", ROUTE_OK, "bob@exemple.test alice@exemple.test" },
	{ "twice@exemple.test", ROUTE_OK, "bob@exemple.test alice@exemple.test" },
	{ "out@exemple.test", ROUTE_OK, "bob@exemple.test x@ailleurs.test" },
	{ "half@exemple.test", ROUTE_OK, "bob@exemple.test" },
	{ "selfbob@exemple.test", ROUTE_OK, "bob@exemple.test" },
	{ "x@ailleurs.test", ROUTE_OK, "x@ailleurs.test" },
	{ "dead@exemple.test", ROUTE_UNKNOWN, NULL },
	{ "self@exemple.test", ROUTE_LOOP, NULL },
	{ "ring@exemple.test", ROUTE_LOOP, NULL },
	{ "bad@exemple.test", ROUTE_TEMPORARY, NULL },
	{ "wait@exemple.test", ROUTE_SUSPENDED, NULL },
};

static const struct {
	const char *account, *sender;	/* "": the null sender */
	enum route_verdict verdict;
} senders[] = { /* accounts of exemple.test */
	{ "bob", "bob@exemple.test", ROUTE_OK },
	{ "bob", "Bob+x@alias.test", ROUTE_OK },
	{ "bob", "postmaster@exemple.test", ROUTE_OK },
	{ "bob", "both@exemple.test", ROUTE_OK },
	{ "bob", "", ROUTE_OK },
	{ "bob", "alice@exemple.test", ROUTE_NOT_ALLOWED },
	{ "bob", "bob@ailleurs.test", ROUTE_NOT_ALLOWED },
	{ "bob", "nobody@exemple.test", ROUTE_NOT_ALLOWED },
	{ "bob", "self@exemple.test", ROUTE_NOT_ALLOWED },
	{ "bob", "bob@shut.test", ROUTE_NOT_ALLOWED },
	{ "bob", "asleep@exemple.test", ROUTE_NOT_ALLOWED },
	/* that another of its people is suspended is no matter */
	{ "bob", "wait@exemple.test", ROUTE_OK },
	{ "bob", "await@exemple.test", ROUTE_OK },
	{ "bob", "bad@exemple.test", ROUTE_TEMPORARY },
	{ "asleep", "asleep@exemple.test", ROUTE_SUSPENDED },
	{ "asleep", "", ROUTE_SUSPENDED },
	{ "gone", "gone@exemple.test", ROUTE_DISABLED },
	{ "gone", "", ROUTE_DISABLED },
	{ "never", "bob@exemple.test", ROUTE_UNKNOWN },
};
/* clang-format on */

static const struct addr zoe = { .local = "zoe", .domain = "free.test" };
static const struct route_sender anybody = { &zoe, false };
static struct packer k;
static int domains_dir;

static void
put(struct table_writer *w, const char *key)
{
	if (k.bad || table_put(w, slice_of(key), pack_slice(&k)) == -1)
		err(1, "%s", key);
}

static void
write_domain(size_t i, struct table_writer *all)
{
	char name[300];
	struct table_writer *w;

	pack_init(&k, space, sizeof(space));
	domain_record_pack(&k, &domains[i].record);
	put(all, domains[i].name);
	if (domains[i].record.alias_of[0] != '\0')
		return;
	snprintf(name, sizeof(name), "%s.cdb", domains[i].name);
	if ((w = table_create(domains_dir, name, 0600)) == NULL)
		err(1, "%s", name);
	for (const struct row *r = domains[i].rows; r->local != NULL; r++) {
		struct address_record a = {
			.kind = r->targets != NULL ? ADDRESS_ALIAS :
			    ADDRESS_MAILBOX,
			.state = r->state, .quota_bytes = 1000,
			.quota_messages = 10, .keep = true,
			.targets = r->targets != NULL ?
			    slice_of(r->targets) : SLICE_EMPTY,
			.folder = SLICE_EMPTY, .senders = SLICE_EMPTY,
		};

		pack_init(&k, space, sizeof(space));
		address_record_pack(&k, &a);
		put(w, r->local);
	}
	if (table_commit(w) == -1)
		err(1, "%s", name);
}

static void
write_tables(int dir)
{
	struct table_writer *all;

	if (mkdirat(dir, "domains", 0700) == -1 ||
	    (domains_dir = openat(dir, "domains", O_RDONLY | O_DIRECTORY |
	    O_CLOEXEC)) == -1 ||
	    (all = table_create(dir, "domains.cdb", 0600)) == NULL)
		err(1, "domains");
	for (size_t i = 0; i < sizeof(domains) / sizeof(*domains); i++)
		write_domain(i, all);
	if (table_commit(all) == -1)
		err(1, "domains.cdb");
}

static struct addr
parsed(const char *text)
{
	struct addr a = { .local = "" };

	if (strchr(text, '@') == NULL)
		snprintf(a.local, sizeof(a.local), "%s", text);
	else if (addr_parse(slice_of(text), &a) != ADDR_OK)
		errx(1, "%s", text);
	return a;
}

static bool
note(void *arg, const struct destination *d)
{
	char *text = arg;
	size_t len = strlen(text);

	if (d->kind == DEST_LEFT_OUT)
		return true;
	snprintf(text + len, 1000 - len, "%s%s@%s", len > 0 ? " " : "",
	    d->local, d->domain);
	return true;
}

static bool
stop(void *arg, const struct destination *d)
{
	(void)arg;
	(void)d;
	return false;
}

static void
test_rows(struct tables *t)
{
	struct destination d;
	char text[1000];
	struct addr a;
	bool is_mailbox;

	for (size_t i = 0; i < sizeof(checks) / sizeof(*checks); i++) {
		a = parsed(checks[i].rcpt);
		enum route_verdict v = route_check(t, &a, "exemple.test", &d,
		    &is_mailbox);

		snprintf(text, sizeof(text), "%s@%s+%s", d.local, d.domain,
		    d.detail);
		ok(v == checks[i].verdict &&
		    is_mailbox == (checks[i].mailbox != NULL) && (!is_mailbox ||
		    (strcmp(text, checks[i].mailbox) == 0 && d.uid == 70000 &&
		    d.quota_bytes == 1000)), "check %s", checks[i].rcpt);
	}
	for (size_t i = 0; i < sizeof(expansions) / sizeof(*expansions); i++) {
		a = parsed(expansions[i].rcpt);
		text[0] = '\0';
		ok(route_expand(t, &a, "exemple.test", &anybody, note, text) ==
		    expansions[i].verdict && (expansions[i].found == NULL ||
		    strcmp(text, expansions[i].found) == 0), "expand %s: %s",
		    expansions[i].rcpt, text);
	}
	a = parsed("bob@exemple.test");
	ok(route_expand(t, &a, "", &anybody, stop, NULL) == ROUTE_TEMPORARY,
	    "a caller that cannot take it makes it temporary");
	for (size_t i = 0; i < sizeof(senders) / sizeof(*senders); i++) {
		a = parsed(senders[i].sender);
		ok(route_may_send_as(t, senders[i].account, "exemple.test",
		    &a) == senders[i].verdict, "%s as %s", senders[i].account,
		    senders[i].sender);
	}
}

/* Eleven aliases, each to the next; and one to more than may be. */
static void
test_limits(struct tables *t)
{
	struct table_writer *w = table_create(domains_dir, "exemple.test.cdb",
	    0600);
	struct address_record alias = { .kind = ADDRESS_ALIAS };
	struct address_record box = {
		.targets = SLICE_EMPTY, .folder = SLICE_EMPTY,
		.senders = SLICE_EMPTY, .keep = true
	};
	char name[32], target[64], text[1000] = "";
	struct addr a;

	for (int i = 0; i < 12; i++) {
		snprintf(name, sizeof(name), "deep%d", i);
		snprintf(target, sizeof(target), "deep%d@exemple.test", i + 1);
		alias.targets = slice_of(target);
		pack_init(&k, space, sizeof(space));
		address_record_pack(&k, i == 11 ? &box : &alias);
		put(w, name);
	}
	if (table_commit(w) == -1 || tables_refresh(t) == -1)
		err(1, "exemple.test.cdb");
	a = parsed("deep1@exemple.test");
	ok(route_expand(t, &a, "", &anybody, note, text) == ROUTE_OK &&
	    strcmp(text, "deep11@exemple.test") == 0,
	    "ten aliases of aliases, read from a table just replaced");
	a = parsed("deep0@exemple.test");
	ok(route_expand(t, &a, "", &anybody, note, text) == ROUTE_LOOP,
	    "eleven are taken for a loop");
}

static void
test_unreadable(int dir, struct tables *t)
{
	struct destination d;
	bool is_mailbox;
	struct addr a = parsed("bob@exemple.test");

	scratch_write(dir, "domains/y", "rubbish", 7);
	tables_close(t);
	ok(tables_open(t, dir) == 0 && renameat(dir, "domains/y", dir,
	    "domains/exemple.test.cdb") == 0 &&
	    route_check(t, &a, "", &d, &is_mailbox) == ROUTE_TEMPORARY,
	    "a damaged table: try later, never \"unknown\"");
	ok(unlinkat(dir, "domains/exemple.test.cdb", 0) == 0 &&
	    tables_refresh(t) == 0 &&
	    route_check(t, &a, "", &d, &is_mailbox) == ROUTE_TEMPORARY,
	    "a table that is missing: the same");
}

static void
test_replies(void)
{
	static const int codes[] = { 250, 550, 550, 550, 450, 550, 550, 550,
	    451 };
	char text[600];

	for (size_t i = 0; i < sizeof(codes) / sizeof(*codes); i++)
		ok(route_reply((enum route_verdict)i, "bob@x.test", text,
		    sizeof(text)) == codes[i] && codes[i] / 100 + '0' ==
		    text[0] && strstr(text, "bob@x.test") != NULL,
		    "reply: %d %s", codes[i], text);
}

int
main(void)
{
	int dir = scratch_open();
	struct tables t;

	write_tables(dir);
	ok(tables_open(&t, dir) == 0, "open");
	test_rows(&t);
	test_limits(&t);
	test_unreadable(dir, &t);
	tables_close(&t);
	test_replies();
	return done();
}
