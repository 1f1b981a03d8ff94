/* test_routes.c - which way mail leaves. */
/* SPDX-License-Identifier: ISC */
#include "lib/routes.h"
#include "tests/unit/tap.h"

static const char table[] =
    "# comment\n"
    "to example.org direct tls=verify\n"
    "to .example.org smarthost mail.example.org tls=encrypt connections=3\n"
    "to six.test smarthost [2001:db8::1]:26\n"
    "from Exemple.TEST smarthost 192.0.2.1:587 user=me password=secret\n"
    "all direct tls=none\n"
    "fallback smarthost relay.test:465 tls=implicit user=a password=b\n"
    "fallback-time 2h\n";

static void
test_find(void)
{
	static const struct {
		const char *from, *to, *host;
		uint16_t port;
		enum remote_tls tls;
	} rows[] = {
		{ "a.test", "example.org", "", 0, TLS_VERIFY },
		{ "exemple.test", "example.org", "", 0, TLS_VERIFY },
		{ "a.test", "x.example.org", "mail.example.org", 25, TLS_ENCRYPT },
		{ "a.test", "y.x.example.org", "mail.example.org", 25, TLS_ENCRYPT },
		{ "a.test", "notexample.org", "", 0, TLS_NONE },
		{ "a.test", "six.test", "[IPv6:2001:db8::1]", 26, TLS_MAY },
		{ "exemple.test", "other.test", "[192.0.2.1]", 587, TLS_MAY },
		{ "", "other.test", "", 0, TLS_NONE },
	};
	struct str e = STR_INIT(4096);
	struct routes r;

	if (!ok(routes_parse(slice_of(table), -1, &r, &e) == 0, "%s", str_c(&e)))
		return;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct route_target *t = routes_find(&r,
		    slice_of(rows[i].from), slice_of(rows[i].to));

		ok(strcmp(t->host, rows[i].host) == 0 &&
		    t->port == rows[i].port && t->tls == rows[i].tls &&
		    t->is_smarthost == (rows[i].host[0] != '\0'),
		    "%s to %s: %s:%u", rows[i].from, rows[i].to, t->host,
		    t->port);
	}
	ok(r.has_fallback && r.fallback.implicit_tls &&
	    r.fallback.port == 465 && strcmp(r.fallback.user, "a") == 0 &&
	    r.fallback_time == 7200, "the fallback");
	routes_free(&r);
	str_free(&e);
}

static void
test_mistakes(void)
{
	static const struct {
		const char *text, *want;
	} rows[] = {
		{ "\n\nto\n", "3: which domain" },
		{ "to a_b direct\n", "1: " },
		{ "to a.test\n", "1: say direct" },
		{ "to a.test sideways\n", "1: sideways is neither" },
		{ "to a.test smarthost\n", "1: smarthost wants" },
		{ "to a.test smarthost h.test:0\n", "1: smarthost wants" },
		{ "to a.test direct tls=maybe\n", "1: tls is" },
		{ "to a.test direct user=x\n", "1: user is for a smarthost" },
		{ "to a.test smarthost h.test password-file=/x\n", "without a slash" },
		{ "to a.test smarthost h.test frob=1\n", "there is no option" },
		{ "to a.test smarthost h.test frob\n", "name=value" },
		{ "to a.test direct\nto A.test direct\n", "there twice" },
		{ "all direct\nall direct\n", "2: all was said" },
		{ "fallback direct\n", "a fallback is a smarthost" },
		{ "fallback-time 1s\n", "fallback-time is" },
		{ "perhaps\n", "not with perhaps" },
	};
	struct routes r = { .n = 42 };

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct str e = STR_INIT(4096);

		ok(routes_parse(slice_of(rows[i].text), -1, &r, &e) == -1 &&
		    strstr(str_c(&e), rows[i].want) != NULL && r.n == 42,
		    "%s: %s", rows[i].want, str_c(&e));
		str_free(&e);
	}
}

int
main(void)
{
	struct str e = STR_INIT(4096);
	struct routes r;

	test_find();
	test_mistakes();
	ok(routes_load(-1, "none", &r, &e) == 0 && r.n == 0 &&
	    !routes_find(&r, SLICE("a.test"), SLICE("b.test"))->is_smarthost,
	    "without a file all goes directly");
	routes_free(&r);
	return done();
}
