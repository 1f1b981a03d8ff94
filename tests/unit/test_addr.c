/* test_addr.c - addresses, paths, domains, account names, IP addresses. */
/* SPDX-License-Identifier: ISC */

#include "lib/addr.h"

#include "tests/unit/tap.h"

#define L64 "abcdefghijabcdefghijabcdefghijabcdefghijabcdefghijabcdefghijabcd"
#define L63 "abcdefghijabcdefghijabcdefghijabcdefghijabcdefghijabcdefghijabc"
#define D253 L63 "." L63 "." L63 "." \
	"abcdefghijabcdefghijabcdefghijabcdefghijabcdefghijabcdefghija"

/* clang-format off */
static const struct {
	struct slice text;
	enum addr_status want;
	const char *canonical;	/* addr_text(), or NULL */
} addresses[] = {
	{ SLICE("bob@exemple.test"), ADDR_OK, "bob@exemple.test" },
	{ SLICE("Bob@Exemple.TEST"), ADDR_OK, "Bob@exemple.test" },
	{ SLICE("a.b+c=d@x.y"), ADDR_OK, "a.b+c=d@x.y" },
	{ SLICE("\"bob\"@x.y"), ADDR_OK, "bob@x.y" },
	{ SLICE("\"b\\o\\b\"@x.y"), ADDR_OK, "bob@x.y" },
	{ SLICE("\"a b\"@x.y"), ADDR_OK, "\"a b\"@x.y" },
	{ SLICE("\"a\\\"b\"@x.y"), ADDR_OK, "\"a\\\"b\"@x.y" },
	{ SLICE("\"a@b\"@x.y"), ADDR_OK, "\"a@b\"@x.y" },
	{ SLICE("\"..\"@x.y"), ADDR_OK, "\"..\"@x.y" },
	{ SLICE("bob@[192.0.2.1]"), ADDR_OK, "bob@[192.0.2.1]" },
	{ SLICE("bob@[IPv6:2001:db8::1]"), ADDR_OK, "bob@[IPv6:2001:db8::1]" },
	{ SLICE("bob@[IPv6:::ffff:192.0.2.1]"), ADDR_OK, "bob@[192.0.2.1]" },
	{ SLICE("bob@my_host.test"), ADDR_OK, "bob@my_host.test" },
	{ SLICE("zo\xc3\xa9@x.y"), ADDR_OK, "zo\xc3\xa9@x.y" },
	{ SLICE("bob@caf\xc3\xa9.test"), ADDR_OK, "bob@xn--caf-dma.test" },
	{ SLICE("bob@CAF\xc3\x89.test"), ADDR_OK, "bob@xn--caf-dma.test" },
	{ SLICE(L64 "@x.y"), ADDR_OK, L64 "@x.y" },
	{ SLICE("a" L64 "@x.y"), ADDR_TOO_LONG, NULL },
	{ SLICE(""), ADDR_BAD_SYNTAX, NULL },
	{ SLICE("bob"), ADDR_BAD_SYNTAX, NULL },
	{ SLICE("bob@"), ADDR_BAD_SYNTAX, NULL },
	{ SLICE("@x.y"), ADDR_BAD_SYNTAX, NULL },
	{ SLICE("\"\"@x.y"), ADDR_BAD_SYNTAX, NULL },
	{ SLICE("a@b@c"), ADDR_BAD_SYNTAX, NULL },
	{ SLICE(".a@x.y"), ADDR_BAD_SYNTAX, NULL },
	{ SLICE("a.@x.y"), ADDR_BAD_SYNTAX, NULL },
	{ SLICE("a..b@x.y"), ADDR_BAD_SYNTAX, NULL },
	{ SLICE("a b@x.y"), ADDR_BAD_SYNTAX, NULL },
	{ SLICE("a\0b@x.y"), ADDR_BAD_SYNTAX, NULL },
	{ SLICE("a@x.y\0"), ADDR_BAD_SYNTAX, NULL },
	{ SLICE("a@x.y\r\n"), ADDR_BAD_SYNTAX, NULL },
	{ SLICE("\"a\nb\"@x.y"), ADDR_BAD_SYNTAX, NULL },
	{ SLICE("\"a@x.y"), ADDR_BAD_SYNTAX, NULL },
	{ SLICE("\"a\\"), ADDR_BAD_SYNTAX, NULL },
	{ SLICE("<a@x.y>"), ADDR_BAD_SYNTAX, NULL },
	{ SLICE("a@-x.y"), ADDR_BAD_SYNTAX, NULL },
	{ SLICE("a@x-.y"), ADDR_BAD_SYNTAX, NULL },
	{ SLICE("a@x..y"), ADDR_BAD_SYNTAX, NULL },
	{ SLICE("a@.x"), ADDR_BAD_SYNTAX, NULL },
	{ SLICE("a@x/y"), ADDR_BAD_SYNTAX, NULL },
	{ SLICE("a@../../etc"), ADDR_BAD_SYNTAX, NULL },
	{ SLICE("a@[192.0.2.256]"), ADDR_BAD_SYNTAX, NULL },
	{ SLICE("a@[192.0.2.1"), ADDR_BAD_SYNTAX, NULL },
	{ SLICE("a@[x]"), ADDR_BAD_SYNTAX, NULL },
};

static const struct {
	struct slice text;
	bool null_ok;
	enum addr_status want;
	const char *canonical, *rest;
} paths[] = {
	{ SLICE("<bob@x.y>"), false, ADDR_OK, "bob@x.y", "" },
	{ SLICE("<bob@x.y> SIZE=1"), false, ADDR_OK, "bob@x.y", " SIZE=1" },
	{ SLICE("<>"), true, ADDR_OK, "", "" },
	{ SLICE("<> BODY=7BIT"), true, ADDR_OK, "", " BODY=7BIT" },
	{ SLICE("<>"), false, ADDR_BAD_SYNTAX, NULL, NULL },
	{ SLICE("<@a.b,@c.d:bob@x.y>"), false, ADDR_OK, "bob@x.y", "" },
	{ SLICE("<@a.b:bob@x.y>"), false, ADDR_OK, "bob@x.y", "" },
	{ SLICE("<@a.b bob@x.y>"), false, ADDR_BAD_SYNTAX, NULL, NULL },
	{ SLICE("<\">\"@x.y>"), false, ADDR_OK, "\">\"@x.y", "" },
	{ SLICE("bob@x.y"), false, ADDR_BAD_SYNTAX, NULL, NULL },
	{ SLICE("<bob@x.y"), false, ADDR_BAD_SYNTAX, NULL, NULL },
	{ SLICE("< bob@x.y>"), false, ADDR_BAD_SYNTAX, NULL, NULL },
	{ SLICE("<bob@x.y >"), false, ADDR_BAD_SYNTAX, NULL, NULL },
	{ SLICE(""), true, ADDR_BAD_SYNTAX, NULL, NULL },
	{ SLICE("<"), true, ADDR_BAD_SYNTAX, NULL, NULL },
};

static const struct {
	struct slice text;
	const char *want;	/* NULL: refused */
} domains[] = {
	{ SLICE("exemple.test"), "exemple.test" },
	{ SLICE("EXEMPLE.Test"), "exemple.test" },
	{ SLICE("localhost"), "localhost" },
	{ SLICE("\xc3\xa9t\xc3\xa9.fr"), "xn--t-9fab.fr" },
	{ SLICE(L63 ".y"), L63 ".y" },
	{ SLICE("a" L63 ".y"), NULL },
	{ SLICE(D253), D253 },
	{ SLICE(""), NULL }, { SLICE("."), NULL }, { SLICE("a."), NULL },
	{ SLICE(".a"), NULL }, { SLICE("a..b"), NULL }, { SLICE("a b"), NULL },
	{ SLICE("a/b"), NULL }, { SLICE(".."), NULL }, { SLICE("a\0b"), NULL },
	{ SLICE("a_b.test"), NULL }, { SLICE("_a.test"), NULL },
	{ SLICE("-a.b"), NULL }, { SLICE("a-.b"), NULL }, { SLICE("a\n"), NULL },
	{ SLICE("\xc3\x28.fr"), NULL }, { SLICE("\xff.fr"), NULL },
}, accounts[] = { /* inventory 1-04, 1-05 */
	{ SLICE("bob"), "bob" }, { SLICE("Pierre.MARTIN"), "pierre.martin" },
	{ SLICE("a-b_c.9"), "a-b_c.9" }, { SLICE("0"), "0" },
	{ SLICE(L64), L64 }, { SLICE("a" L64), NULL }, { SLICE(""), NULL },
	{ SLICE(".a"), NULL }, { SLICE("a."), NULL }, { SLICE("a..b"), NULL },
	{ SLICE("a+b"), NULL }, { SLICE("a b"), NULL }, { SLICE("a/b"), NULL },
	{ SLICE("zo\xc3\xa9"), NULL }, { SLICE("a@b"), NULL },
	{ SLICE("a\0b"), NULL }, { SLICE("a\""), NULL }, { SLICE("a\n"), NULL },
};

static const struct {
	const char *local, *account, *detail; /* account NULL: no account's */
} details[] = {
	{ "bob", "bob", "" }, { "Bob+Lists", "bob", "Lists" },
	{ "bob+", "bob", "" }, { "bob+a+b", "bob", "a+b" },
	{ "+x", NULL, NULL }, { "", NULL, NULL }, { "a b", NULL, NULL },
	{ "a/../b", NULL, NULL }, { "b..c+x", NULL, NULL },
};

static const struct {
	const char *text, *want; /* ip_text(); NULL: refused */
} ips[] = {
	{ "192.0.2.1", "192.0.2.1" }, { "::ffff:192.0.2.1", "192.0.2.1" },
	{ "2001:DB8::1", "2001:db8::1" }, { "::1", "::1" }, { "::", "::" },
	{ "192.0.2", NULL }, { "192.0.2.256", NULL }, { "", NULL },
	{ "192.0.2.1 ", NULL }, { "2001:db8:::1", NULL }, { "x", NULL },
	{ "fe80::1%eth0", NULL },
};

static const struct {
	const char *net, *ip;
	bool good, match;
} nets[] = {
	{ "192.0.2.0/24", "192.0.2.77", true, true },
	{ "192.0.2.0/24", "192.0.3.77", true, false },
	{ "192.0.2.1", "192.0.2.1", true, true },
	{ "192.0.2.1", "192.0.2.2", true, false },
	{ "192.0.2.128/25", "192.0.2.127", true, false },
	{ "192.0.2.128/25", "192.0.2.200", true, true },
	{ "0.0.0.0/0", "203.0.113.9", true, true },
	{ "0.0.0.0/0", "2001:db8::1", true, false },
	{ "::/0", "2001:db8::1", true, true },
	{ "2001:db8::/33", "2001:db8:7fff::1", true, true },
	{ "2001:db8::/33", "2001:db8:8000::1", true, false },
	{ "192.0.2.0/33", "192.0.2.1", false, false },
	{ "2001:db8::/129", "::1", false, false },
	{ "192.0.2.0/", "::1", false, false },
	{ "/24", "::1", false, false },
	{ "192.0.2.0/-1", "::1", false, false },
	{ "192.0.2.0/24/24", "::1", false, false },
};
/* clang-format on */

static void
test_addresses(void)
{
	char text[ADDR_TEXT_MAX];
	struct addr a, again;
	enum addr_status s;

	for (size_t i = 0; i < sizeof(addresses) / sizeof(*addresses); i++) {
		memset(&a, 'x', sizeof(a));
		again = a;
		s = addr_parse(addresses[i].text, &a);
		if (addresses[i].canonical == NULL)
			ok(s == addresses[i].want &&
			    memcmp(&a, &again, sizeof(a)) == 0,
			    "refused, output untouched: row %zu", i);
		else
			ok(s == ADDR_OK && strcmp(addr_text(&a, text,
			    sizeof(text)), addresses[i].canonical) == 0,
			    "row %zu: %s", i, addresses[i].canonical);
		/* What is canonical parses to itself. */
		if (s == ADDR_OK)
			ok(addr_parse(slice_of(text), &again) == ADDR_OK &&
			    strcmp(a.local, again.local) == 0 &&
			    strcmp(a.domain, again.domain) == 0,
			    "row %zu again", i);
	}
	ok(addr_parse(SLICE("zo\xc3\xa9@x.y"), &a) == ADDR_OK && a.utf8,
	    "wants SMTPUTF8");
	ok(addr_parse(SLICE("bob@x.y"), &a) == ADDR_OK && !a.utf8 &&
	    !a.literal, "does not");
	ok(addr_parse(SLICE("b@[192.0.2.1]"), &a) == ADDR_OK && a.literal,
	    "a literal is known as one");
	ok(addr_parse(SLICE("\xc3\x28@x.y"), &a) != ADDR_OK, "bad UTF-8");
}

static void
test_paths(void)
{
	char text[ADDR_TEXT_MAX];
	struct slice s;
	struct addr a;
	enum addr_status r;

	for (size_t i = 0; i < sizeof(paths) / sizeof(*paths); i++) {
		s = paths[i].text;
		r = addr_parse_path(&s, paths[i].null_ok, &a);
		ok(r == paths[i].want && (r != ADDR_OK ||
		    (strcmp(addr_text(&a, text, sizeof(text)),
		    paths[i].canonical) == 0 &&
		    slice_eq(s, slice_of(paths[i].rest)))), "path row %zu: %.*s",
		    i, SLICE_FMT(paths[i].text));
	}
	s = SLICE("<Postmaster>");
	ok(addr_parse_path(&s, false, &a) == ADDR_OK && a.domain[0] == '\0' &&
	    strcasecmp(a.local, "postmaster") == 0, "<Postmaster>");
	s = SLICE("<bob>");
	ok(addr_parse_path(&s, false, &a) != ADDR_OK, "no other bare name");
}

static void
test_names(void)
{
	char out[ADDR_DOMAIN_MAX + 1];
	struct slice detail;

	for (size_t i = 0; i < sizeof(domains) / sizeof(*domains); i++) {
		memcpy(out, "old", 4);
		int r = addr_domain(domains[i].text, out);
		ok(domains[i].want != NULL ?
		    r == 0 && strcmp(out, domains[i].want) == 0 :
		    r == -1 && strcmp(out, "old") == 0, "domain row %zu", i);
	}
	for (size_t i = 0; i < sizeof(accounts) / sizeof(*accounts); i++) {
		memcpy(out, "old", 4);
		int r = addr_account(accounts[i].text, out);
		ok(accounts[i].want != NULL ?
		    r == 0 && strcmp(out, accounts[i].want) == 0 :
		    r == -1 && strcmp(out, "old") == 0, "account row %zu", i);
	}
	for (size_t i = 0; i < sizeof(details) / sizeof(*details); i++) {
		int r = addr_account_of(details[i].local, out, &detail);
		ok(details[i].account == NULL ? r == -1 :
		    r == 0 && strcmp(out, details[i].account) == 0 &&
		    slice_eq(detail, slice_of(details[i].detail)),
		    "account of \"%s\"", details[i].local);
	}
}

static void
test_ips(void)
{
	char text[IP_TEXT_MAX];
	struct ip ip, net;
	unsigned bits;
	bool good;

	for (size_t i = 0; i < sizeof(ips) / sizeof(*ips); i++) {
		memset(&ip, 7, sizeof(ip));
		net = ip;
		good = ip_parse(slice_of(ips[i].text), &ip) == 0;
		ok(ips[i].want == NULL ?
		    !good && memcmp(&ip, &net, sizeof(ip)) == 0 :
		    good && strcmp(ip_text(&ip, text), ips[i].want) == 0,
		    "ip row %zu: %s", i, ips[i].text);
	}
	for (size_t i = 0; i < sizeof(nets) / sizeof(*nets); i++) {
		good = ip_parse_net(slice_of(nets[i].net), &net, &bits) == 0 &&
		    ip_parse(slice_of(nets[i].ip), &ip) == 0;
		ok(good == nets[i].good && (!good ||
		    ip_match(&ip, &net, bits) == nets[i].match),
		    "%s and %s", nets[i].net, nets[i].ip);
	}
	ok(ip_parse(SLICE("127.9.9.9"), &ip) == 0 && ip_is_loopback(&ip) &&
	    ip_parse(SLICE("::1"), &ip) == 0 && ip_is_loopback(&ip) &&
	    ip_parse(SLICE("192.0.2.1"), &ip) == 0 && !ip_is_loopback(&ip),
	    "loopback");
	ok(ip_parse(SLICE("2001:db8::1"), &ip) == 0 &&
	    ip_parse(SLICE("2001:db8::ffff:2"), &net) == 0 &&
	    ip_same_host(&ip, &net) &&
	    ip_parse(SLICE("2001:db8:0:1::1"), &net) == 0 &&
	    !ip_same_host(&ip, &net), "one /64 is one host");
	ok(ip_parse(SLICE("192.0.2.1"), &ip) == 0 &&
	    ip_same_host(&ip, &ip) && ip_parse(SLICE("192.0.2.2"), &net) == 0 &&
	    !ip_same_host(&ip, &net), "one address of IPv4 is one host");
}

int
main(void)
{
	test_addresses();
	test_paths();
	test_names();
	test_ips();
	return done();
}
