/* test_providers.c - the table of providers, and what replies mean. */
/* SPDX-License-Identifier: ISC */
#include "lib/providers.h"
#include "tests/unit/tap.h"

static struct providers built_in;

/* What the table that is shipped makes of replies. */
static void
test_replies(void)
{
	static const struct {
		const char *host;
		uint16_t code;
		const char *enhanced, *text;
		enum meaning want;
	} rows[] = {
		/* clang-format off */
		{ "smtp-in.orange.fr", 550, "", "550 Service refuse. OFR_102 [102]", MEANING_BLOCKED },
		{ "mx.wanadoo.fr", 421, "", "421 mwinf5c04 ME Trop de connexions, OFR004_104 [104]", MEANING_SLOW_DOWN },
		{ "smtp-in.orange.fr", 550, "5.1.1", "550 5.1.1 OFR_416 no such mailbox", MEANING_NO_SUCH_USER },
		{ "smtp-in.orange.fr", 452, "", "452 OFR_417 mailbox full", MEANING_MAILBOX_FULL },
		{ "smtp-in.orange.fr", 550, "", "550 OFR_506 spam", MEANING_SPAM },
		{ "smtpz4.laposte.net", 550, "5.5.0", "550 5.5.0 Service refuse. LPN007_510", MEANING_BLOCKED },
		{ "mx1.free.fr", 421, "", "421 Too many spams from your IP (192.0.2.1)", MEANING_BLOCKED },
		{ "smtp-in.sfr.fr", 421, "4.7.0", "421 4.7.0 too many errors", MEANING_SLOW_DOWN },
		{ "mx.bbox.fr", 554, "5.7.1", "554 5.7.1 Rejected for policy reason", MEANING_BLOCKED },
		{ "gmail-smtp-in.l.google.com", 421, "4.7.28", "421-4.7.28 unusual rate", MEANING_SLOW_DOWN },
		{ "gmail-smtp-in.l.google.com", 550, "5.7.26", "550-5.7.26 not authenticated", MEANING_AUTH },
		{ "hotmail-com.olc.protection.outlook.com", 550, "5.7.1", "550 5.7.1 part of their network is on our block list (S3150)", MEANING_BLOCKED },
		{ "mx-eu.mail.am0.yahoodns.net", 421, "4.7.0", "421 4.7.0 [TSS04] Messages temporarily deferred", MEANING_SLOW_DOWN },
		{ "mx01.mail.icloud.com", 550, "5.7.0", "550 5.7.0 Blocked - see support", MEANING_BLOCKED },
		{ "mx.small.example", 450, "4.2.0", "450 4.2.0 Greylisted, try later", MEANING_GREYLISTED },
		{ "mx.small.example", 452, "4.2.2", "452 4.2.2 over quota", MEANING_MAILBOX_FULL },
		{ "mx.small.example", 550, "5.1.1", "550 5.1.1 User unknown", MEANING_NO_SUCH_USER },
		{ "mx.small.example", 554, "5.7.1", "554 5.7.1 192.0.2.1 blocked using zen.spamhaus.org", MEANING_BLOCKED },
		{ "mx.small.example", 421, "", "421 too many connections from you", MEANING_SLOW_DOWN },
		{ "mx.small.example", 451, "4.3.0", "451 4.3.0 Try later", MEANING_NONE },
		{ "mx.small.example", 550, "5.6.0", "550 5.6.0 No", MEANING_NONE },
		/* clang-format on */
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct provider *v =
		    providers_of_host(&built_in, rows[i].host);
		enum meaning m = providers_judge(&built_in, v, rows[i].code,
		    rows[i].enhanced, rows[i].text);

		ok(m == rows[i].want, "%s: %s is %s, not %s", rows[i].host,
		    rows[i].text, meaning_name(rows[i].want), meaning_name(m));
	}
}

static void
test_hosts(void)
{
	static const struct {
		const char *host, *want;
	} rows[] = {
		{ "smtp-in.orange.fr", "orange" },
		{ "ORANGE.FR", "orange" },
		{ "aspmx.l.google.com", "gmail" },
		{ "a-com.mail.protection.outlook.com", "microsoft" },
		{ "notorange.fr", "*" },
		{ "orange.fr.example", "*" },
		{ "mx.example.org", "*" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		ok(strcmp(providers_of_host(&built_in, rows[i].host)->name,
		    rows[i].want) == 0, "%s is of %s", rows[i].host,
		    rows[i].want);
	ok(providers_named(&built_in, "orange")->connections == 2,
	    "Orange takes two connections");
	ok(strcmp(providers_named(&built_in, "nobody")->name, "*") == 0,
	    "nobody's is everybody's");
}

/* What is wrong in a table, and on which line. */
static void
test_mistakes(void)
{
	static const struct {
		const char *text, *want;
	} rows[] = {
		{ "connections 2\n", "1: the first row" },
		{ "provider a\nconnections 0\n", "2: connections" },
		{ "provider a\nrecipients 101\n", "2: recipients" },
		{ "provider a\nslow-pause soon\n", "2: slow-pause" },
		{ "provider a\nfrobs 2\n", "2: there is no row" },
		{ "provider a\nreply 550 \"x\" maybe\n", "2: reply ends with" },
		{ "provider a\nreply 550 \"x blocked\n", "2: reply ends with" },
		{ "provider a\nreply\n", "2: reply wants" },
		{ "provider a\nmx ..\n", "2: .. is not a host's name" },
		{ "provider a\nprovider a\n", "2: provider a is there twice" },
		{ "provider\n", "1: provider wants a name" },
	};
	struct providers p = { .n = 42 };

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct str e = STR_INIT(4096);

		ok(providers_parse(slice_of(rows[i].text), &p, &e) == -1 &&
		    strstr(str_c(&e), rows[i].want) != NULL && p.n == 42,
		    "%s: %s", rows[i].want, str_c(&e));
		str_free(&e);
	}
}

static void
test_presets(void)
{
	struct str e = STR_INIT(4096);
	struct providers p;

	if (!ok(providers_parse(SLICE("# nothing\n"), &p, &e) == 0,
	    "an empty table"))
		return;
	ok(p.n == 1 && strcmp(p.v[0].name, "*") == 0 &&
	    p.v[0].connections == 20, "has the one for everybody");
	providers_free(&p);
	ok(providers_parse(SLICE("provider a # x\nmx a.test\n"
	    "reply \"#1\" blocked\nprovider *\nconnections 7\n"), &p, &e) == 0,
	    "quotes and comments");
	ok(strcmp(p.v[0].name, "*") == 0 && p.v[0].connections == 7 &&
	    strcmp(p.v[1].rules[0].text, "#1") == 0,
	    "the one for everybody comes first");
	providers_free(&p);
	str_free(&e);
}

int
main(void)
{
	struct str e = STR_INIT(4096);

	ok(providers_parse(providers_text(), &built_in, &e) == 0,
	    "the table that is built in is right: %s", str_c(&e));
	test_hosts();
	test_replies();
	test_mistakes();
	test_presets();
	providers_free(&built_in);
	str_free(&e);
	return done();
}
