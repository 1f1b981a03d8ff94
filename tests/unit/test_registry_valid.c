/* test_registry_valid.c - names and values that the registry takes. */
/* SPDX-License-Identifier: ISC */

#include "registry/quality.h"
#include "registry/valid.h"
#include "tests/unit/tap.h"

struct row {
	const char *attribute;
	attribute_valid *valid;
	const char *in;
	const char *want;	/* NULL: refused */
};

/* clang-format off */
static const struct row rows[] = {
	{ "state", valid_state, "active", "active" },
	{ "state", valid_state, "SUSPENDED", "suspended" },
	{ "state", valid_state, "", NULL },
	{ "state", valid_state, "actif", NULL },
	{ "language", valid_language, "FR", "fr" },
	{ "language", valid_language, "de", NULL },
	{ "switch", valid_switch, "yes", "yes" },
	{ "switch", valid_switch, "Non", "no" },
	{ "switch", valid_switch, "oui", "yes" },
	{ "switch", valid_switch, "1", NULL },
	{ "size", valid_size, "0", "0" },
	{ "size", valid_size, "1G", "1073741824" },
	{ "size", valid_size, "-1", NULL },
	{ "size", valid_size, "9223372036854775807", "9223372036854775807" },
	{ "size", valid_size, "9223372036854775808", NULL },
	{ "size", valid_size, "17179869184G", NULL },
	{ "count", valid_count, "12", "12" },
	{ "count", valid_count, "1k", NULL },
	{ "line", valid_line, "Élise Durand", "Élise Durand" },
	{ "line", valid_line, "two\nlines", NULL },
	{ "line", valid_line, "bad \xff utf-8", NULL },
	{ "line", valid_line, "tab\there", NULL },
	{ "line", valid_line, "C1: \xc2\x9b" "31m", NULL },
	{ "line", valid_line, "\xc2\xa0\xc3\x80", "\xc2\xa0\xc3\x80" },
	{ "body", valid_body, "two\r\nlines\n", "two\nlines\n" },
	{ "body", valid_body, "C1: \xc2\x85", NULL },
	{ "domain", valid_domain, "Exemple.TEST", "exemple.test" },
	{ "domain", valid_domain, "a..b", NULL },
	{ "uid", valid_uid, "64300", "64300" },
	{ "uid", valid_uid, "0", NULL },
	{ "uid", valid_uid, "4294967295", NULL },
	{ "hash", valid_hash, "!", "!" },
	{ "hash", valid_hash, "plain password", NULL },
	{ "hash", valid_hash, "$9$what$ever", NULL },
	{ "scram", valid_scram, "SCRAM-SHA-256$1:a$b:c", NULL },
	{ "time", valid_time, "2026-11-21", "2026-11-21" },
	{ "time", valid_time, "2026-11-21T22:35:01Z", "2026-11-21T22:35:01Z" },
	{ "time", valid_time, "2026-11-31", NULL },
	{ "time", valid_time, "2026-13-01", NULL },
	{ "time", valid_time, "2024-02-29", "2024-02-29" },
	{ "time", valid_time, "2026-02-29", NULL },
	{ "time", valid_time, "2026/11/21", NULL },
	{ "time", valid_time, "2026-11-21T25:00:00Z", NULL },
	{ "time", valid_time, "", NULL },
	{ "kinds", valid_kinds, "ALL", "domain\nuser\nalias\nrobot\nlist\nmailing" },
	{ "kinds", valid_kinds, "none", "none" },
	{ "kinds", valid_kinds, "alias, User;alias", "user\nalias" },
	{ "kinds", valid_kinds, "user none", NULL },
	{ "kinds", valid_kinds, "user planet", NULL },
	{ "kinds", valid_kinds, "", NULL },
	{ "domains", valid_domains, "B.test a.test b.test", "b.test\na.test" },
	{ "domains", valid_domains, "a.test ..", NULL },
	{ "domains", valid_domains, " ", NULL },
	{ "login", valid_login, "Acme", "acme" },
	{ "locals", valid_locals, "Abuse postmaster hostmaster",
	  "postmaster\nabuse\nhostmaster" },
	{ "locals", valid_locals, "abuse@a.test", NULL },
	{ "locals", valid_locals, "", NULL },
	{ "zone", valid_zone, "Europe/Paris", "Europe/Paris" },
	{ "zone", valid_zone, "America/Argentina/La_Rioja",
	  "America/Argentina/La_Rioja" },
	{ "zone", valid_zone, "/etc/passwd", NULL },
	{ "zone", valid_zone, "../x", NULL },
	{ "zone", valid_zone, "Europe/", NULL },
	{ "policy", valid_policy, "Trigger-Happy", "trigger-happy" },
	{ "policy", valid_policy, "mild", NULL },
	{ "login", valid_login, "a@b.test", NULL },
	/* inventory 8-06: all four separators */
	{ "targets", valid_targets, "a@b.fr", "a@b.fr" },
	{ "targets", valid_targets, "a@b.fr,c@d.fr;e@f.fr g@h.fr\ni@j.fr",
	  "a@b.fr\nc@d.fr\ne@f.fr\ng@h.fr\ni@j.fr" },
	{ "targets", valid_targets, " ,; a@b.fr ;, ", "a@b.fr" },
	{ "targets", valid_targets, "a@b.fr a@B.FR", "a@b.fr" },
	{ "targets", valid_targets, "\"x y\"@b.fr c@d.fr",
	  "\"x y\"@b.fr\nc@d.fr" },
	{ "targets", valid_targets, "\"open@b.fr c@d.fr", NULL },
	{ "targets", valid_targets, "a@b.fr c", NULL },
	{ "targets", valid_targets, "", NULL },
	{ "targets", valid_targets, " ; ", NULL },
	{ "targets", valid_targets, "|/bin/sh@b.fr /etc/passwd", NULL },
};

static const struct {
	int (*valid)(struct slice in, char *out, struct text *why);
	const char *in, *want;
} names[] = {
	{ name_domain, "Exemple.Test", "exemple.test" },
	{ name_domain, "société.fr", "xn--socit-esab.fr" },
	{ name_domain, "../etc", NULL },
	{ name_domain, "", NULL },
	{ name_address, "Bob@Exemple.Test", "bob@exemple.test" },
	{ name_address, "jean.dupont@a.fr", "jean.dupont@a.fr" },
	{ name_address, "jean..dupont@a.fr", NULL },	/* inventory 1-05 */
	{ name_address, ".jean@a.fr", NULL },
	{ name_address, "jean.@a.fr", NULL },
	{ name_address, "élise@a.fr", NULL },
	{ name_address, "a b@a.fr", NULL },
	{ name_address, "a+b@a.fr", NULL },
	{ name_address, "../x@a.fr", NULL },
	{ name_address, "bob", NULL },
	{ name_address, "@a.fr", NULL },
	{ name_address, "bob@", NULL },
	/* inventory 1-04: 64 characters */
	{ name_address,
	  "aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffff1234@a.fr",
	  "aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffff1234@a.fr" },
	{ name_address,
	  "aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffff12345@a.fr",
	  NULL },
	{ name_login, "Pierre", "pierre" },
	{ name_login, "Pierre@A.test", "pierre@a.test" },
	{ name_login, "", NULL },
	{ name_login, "a/b", NULL },
	{ name_relay, "192.0.2.7", "192.0.2.7/32" },
	{ name_relay, "192.0.2.7/24", "192.0.2.0/24" },
	{ name_relay, "2001:db8::1/32", "2001:db8::/32" },
	{ name_relay, "0.0.0.0/0", NULL },
	{ name_relay, "10.0.0.0/8", "10.0.0.0/8" },
	{ name_relay, "10.0.0.0/7", NULL },
	{ name_relay, "::/0", NULL },
	{ name_relay, "192.0.2.7/33", NULL },
	{ name_relay, "a.test", NULL },
};

static const struct {
	const char *password;
	bool good;
} passwords[] = {
	{ "correct horse battery", true },
	{ "trois petits chats noirs", true },
	{ "Xk7#pQz!m2Lw", true },
	{ "пароль очень длинный", true },
	{ "court", false },
	{ "aaaaaaaaaaaaaaaa", false },
	{ "abababababababab", false },
	{ "123456789012345", false },
	{ "abcdefghijklmnop", false },
	{ "ponmlkjihgfedcba", false },
	{ "azertyuiop12", false },
	{ "azertqsdfgwx", false },		/* walks over keys */
	{ "1qaz2wsx3edc", false },
	{ "poiuytrezalkj", false },
	{ "poire aux dames", true },
	{ "essapedtom2026", false },		/* backwards */
	{ "Soleil!Marseille13", true },
	{ "soleilmarseille13", false },		/* two in a row */
	{ "jesaispasmotdepasse", false },
	{ "Motdepasse2026!", false },
	{ "m0tdep@sse2026!", false },
	{ "2026passwordpassword", false },
	{ "20261121193512", false },
	{ "my alice.martin 2026", false },
	{ "MY ALICE.MARTIN 2026", false },
	{ "bad \x01 control char", false },
	{ "bad \xff utf-8 here", false },
	{ "", false },
};
/* clang-format on */

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

static void
test_values(void)
{
	struct text why;

	for (size_t i = 0; i < COUNT(rows); i++) {
		const struct row *r = &rows[i];
		struct str out = STR_INIT(ATTRIBUTE_VALUE_MAX);

		why = (struct text){ NULL, NULL };
		if (r->valid(slice_of(r->in), &out, &why) == -1)
			ok(r->want == NULL && why.english != NULL &&
			    why.french != NULL, "row %zu: %s refused, and why",
			    i, r->attribute);
		else
			ok(r->want != NULL && strcmp(str_c(&out),
			    r->want) == 0, "row %zu: %s in canonical form", i,
			    r->attribute);
		str_free(&out);
	}
}

static void
test_names(void)
{
	char out[ADDR_TEXT_MAX];
	struct text why;

	for (size_t i = 0; i < COUNT(names); i++) {
		bool good = names[i].valid(slice_of(names[i].in), out,
		    &why) == 0;

		ok(good == (names[i].want != NULL) && (!good ||
		    strcmp(out, names[i].want) == 0), "name \"%.24s\" is %s",
		    names[i].in, good ? "taken" : "refused");
	}
}

static void
test_passwords(void)
{
	struct text why;

	for (size_t i = 0; i < COUNT(passwords); i++) {
		const char *p = passwords[i].password;

		ok((quality_check(slice_of(p), "alice.martin@a.fr", 12,
		    &why) == 0) == passwords[i].good, "password %zu is %s", i,
		    passwords[i].good ? "good" : "bad");
	}
	ok(quality_check(SLICE("Boulangerie2026!"), "x@boulangerie.fr", 12,
	    &why) == -1 && quality_check(SLICE("la Boulangerie au coin"),
	    "x@boulangerie.fr", 12, &why) == 0 &&
	    quality_check(SLICE("Boulangerie2026!"), "chief", 12, &why) ==
	    0, "1-06: the name of the domain needs more beside it");
	ok(quality_names(SLICE("a big DURAND battery"), "Élise Durand", &why) ==
	    -1 && quality_names(SLICE("a big battery"), "Li Durand", &why) == 0,
	    "no word of the person's name");
	ok(quality_check(slice_of("élève très"), "x@a.fr", 11, &why) == -1 &&
	    quality_check(slice_of("élève très"), "x@a.fr", 10, &why) == 0,
	    "characters are counted, not bytes");
}

static void
test_targets_limit(void)
{
	struct str in = STR_INIT(1 << 20), out = STR_INIT(1 << 20);
	struct text why;

	for (int i = 0; i < 1000; i++)
		str_printf(&in, "u%d@a.fr ", i);
	ok(valid_targets(str_slice(&in), &out, &why) == 0, "1000 targets");
	str_clear(&out);
	str_puts(&in, "more@a.fr");
	ok(valid_targets(str_slice(&in), &out, &why) == -1, "1001 targets");
	str_free(&in);
	str_free(&out);
}

int
main(void)
{
	test_values();
	test_names();
	test_passwords();
	test_targets_limit();
	ok(time_of_text(SLICE("1970-01-02")) == 2 * 86400 - 1,
	    "a day ends with its last second");
	ok(time_of_text(SLICE("1970-01-02T00:00:00Z")) == 86400, "a moment");
	ok(time_of_text(SLICE("what")) == 0, "no time");
	return done();
}
