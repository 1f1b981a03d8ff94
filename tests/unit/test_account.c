/* test_account.c - records of accounts: there and back, and hostile ones. */
/* SPDX-License-Identifier: ISC */

#include "lib/account.h"

#include "lib/pack.h"
#include "tests/unit/tap.h"

#define UID "\2\10\0\0\0\160\21\1\0\0\0\0\0"	/* a good field: 70000 */
#define KEY32 "0123456789abcdef0123456789abcdef"

static unsigned char space[4096];
static struct packer k;

static struct slice
packed(void)
{
	return k.bad ? SLICE_EMPTY : pack_slice(&k);
}

static void
begin(void)
{
	pack_init(&k, space, sizeof(space));
}

static void
test_domain(void)
{
	struct domain_record d = { ACCOUNT_SUSPENDED, 70001, "fr", "x.test",
		"@y.test", 1800000000, 100, "dupont", 1000, 0,
		"CET-1CEST,M3.5.0,M10.5.0/3" };
	struct domain_record back;

	begin();
	domain_record_pack(&k, &d);
	ok(domain_record_unpack(SLICE("\1" UID), &back) == 0 &&
	    back.uid == 70000 && back.quota_warning == QUOTA_WARNING &&
	    back.zone[0] == '\0',
	    "the least of a domain");
	ok(domain_record_unpack(SLICE("\1" UID "\4\2\0\0\0.."), &back) == -1,
	    "a main domain that is a path");
	ok(domain_record_unpack(SLICE("\1" UID "\3\2\0\0\0F\n"), &back) == -1,
	    "a language that is none");
	ok(domain_record_unpack(SLICE("\1" UID "\46\3\0\0\0CET"),
	    &back) == -1 && domain_record_unpack(SLICE("\1" UID
	    "\46\6\0\0\0<\0aa>3"), &back) == -1, "a zone that is none");
	ok(domain_record_unpack(packed(), &back) == 0 &&
	    back.state == d.state && back.uid == d.uid &&
	    strcmp(back.language, "fr") == 0 &&
	    strcmp(back.alias_of, "x.test") == 0 &&
	    strcmp(back.catch_all, "@y.test") == 0 &&
	    back.refuse_from == 1800000000 && back.messages_day == 100 &&
	    strcmp(back.client, "dupont") == 0 &&
	    back.client_messages_day == 1000 && back.quota_warning == 0 &&
	    strcmp(back.zone, d.zone) == 0,
	    "a domain");
	ok(domain_record_unpack(SLICE("\1" UID "\21\3\0\0\0@/."),
	    &back) == -1, "a catch-all that is no domain");
}

static void
test_address(void)
{
	struct address_record a = {
		.kind = ADDRESS_ALIAS, .state = ACCOUNT_DISABLED,
		.targets = SLICE("a@b.test\nc@d.test"),
		.folder = SLICE_EMPTY, .senders = SLICE("domain"),
	};
	struct address_record box = {
		.kind = ADDRESS_MAILBOX, .quota_bytes = 1000,
		.quota_messages = 10, .targets = SLICE_EMPTY, .keep = true,
		.discard = true, .folder = SLICE("old.name"),
		.senders = SLICE_EMPTY, .answers = true, .answer_from = 5,
		.answer_until = 7, .messages_hour = 20, .recipients_hour = 30,
	};
	struct address_record back;

	begin();
	address_record_pack(&k, &a);
	ok(address_record_unpack(packed(), &back) == 0 &&
	    back.kind == ADDRESS_ALIAS && back.state == ACCOUNT_DISABLED &&
	    slice_eq(back.targets, a.targets) && !back.keep &&
	    !back.answers && slice_eq(back.senders, a.senders), "an alias");
	begin();
	address_record_pack(&k, &box);
	ok(address_record_unpack(packed(), &back) == 0 &&
	    back.kind == ADDRESS_MAILBOX && back.quota_bytes == 1000 &&
	    back.quota_messages == 10 && back.targets.len == 0 && back.keep &&
	    back.discard && slice_eq(back.folder, box.folder) &&
	    back.answers && back.answer_from == 5 &&
	    back.answer_until == 7 && back.messages_hour == 20 &&
	    back.recipients_hour == 30, "a mailbox");
	box.folder = SLICE("../bob");
	begin();
	address_record_pack(&k, &box);
	ok(address_record_unpack(packed(), &back) == -1,
	    "a folder that leads elsewhere");
	ok(address_record_unpack(SLICE("\1"), &back) == -1 &&
	    address_record_unpack(SLICE("\1\1\10\0\0\0\0\0\0\0\0\0\0\0"),
	    &back) == -1, "an address that does not say what it is");
	a.targets = SLICE_EMPTY;
	begin();
	address_record_pack(&k, &a);
	ok(address_record_unpack(packed(), &back) == -1,
	    "an alias that leads nowhere");
}

static void
test_answer(void)
{
	struct answer_record a = { SLICE("Absent"), SLICE("Revenu lundi.\n"),
		SLICE("Bob"), 7 };
	struct answer_record back;

	begin();
	answer_record_pack(&k, &a);
	ok(answer_record_unpack(packed(), &back) == 0 &&
	    slice_eq(back.subject, a.subject) && slice_eq(back.text, a.text) &&
	    slice_eq(back.full_name, a.full_name) && back.days == 7,
	    "an answer");
	ok(answer_record_unpack(SLICE("\2"), &back) == -1,
	    "an answer of another version");
}

#define APP_LINE "AAAAAAAAAAAAAAAAAAAAAA== " \
	"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA= pop3 1 0 x"

static void
test_secret(void)
{
	struct secret_record s = { 70001, ACCOUNT_ACTIVE, true, false,
		SLICE("old.name"), SLICE("$y$hash"), 4096, SLICE("12345678"), SLICE(KEY32),
		SLICE(KEY32), SLICE_EMPTY, false };
	struct secret_record back;

	begin();
	secret_record_pack(&k, &s);
	ok(secret_record_unpack(packed(), &back) == 0 && back.uid == 70001 &&
	    back.may_pop3 && !back.may_smtp && back.scram_iterations == 4096 &&
	    slice_eq(back.hash, s.hash) && slice_eq(back.folder, s.folder) &&
	    slice_eq(back.scram_salt, s.scram_salt) &&
	    slice_eq(back.scram_stored, s.scram_stored), "a secret");
	ok(back.apps.len == 0 && !back.app_only,
	    "8-08 a record of before application passwords has none");
	s.apps = SLICE(APP_LINE);
	s.app_only = true;
	begin();
	secret_record_pack(&k, &s);
	ok(secret_record_unpack(packed(), &back) == 0 && back.app_only &&
	    slice_eq(back.apps, s.apps), "8-08 a secret with application "
	    "passwords");
	s.apps.len--;
	begin();
	secret_record_pack(&k, &s);
	ok(secret_record_unpack(packed(), &back) == -1,
	    "8-08 a damaged application password");
	s.apps = SLICE_EMPTY;
	s.scram_stored.len = 31;
	begin();
	secret_record_pack(&k, &s);
	ok(secret_record_unpack(packed(), &back) == -1, "a short SCRAM key");
	s.scram_iterations = 0;
	begin();
	secret_record_pack(&k, &s);
	ok(secret_record_unpack(packed(), &back) == 0 &&
	    back.scram_iterations == 0 && back.scram_stored.len == 0,
	    "no SCRAM keys");
}

static void
test_access(void)
{
	struct access_record a = { true, SLICE("dupont"), 100, 1000, 0 };
	struct access_record back;

	begin();
	access_record_pack(&k, &a);
	ok(access_record_unpack(packed(), &back) == 0 && back.may_relay &&
	    slice_eq(back.owner, a.owner) && back.messages_hour == 100 &&
	    back.owner_messages_day == 1000,
	    "an access record");
}

/* All decoders refuse these, and leave what they were to fill. */
/* clang-format off */
static const struct {
	struct slice bytes;
	const char *what;
} hostile[] = {
	{ SLICE(""), "nothing" },
	{ SLICE("\2"), "another version" },
	{ SLICE("\0"), "version 0" },
	{ SLICE("\1\1"), "a tag and no length" },
	{ SLICE("\1\1\10\0\0\0"), "a length and no bytes" },
	{ SLICE("\1\1\10\0\0\0\0\0\0\0"), "bytes cut off" },
	{ SLICE("\1\1\xff\xff\xff\xff\0"), "a length of four gigabytes" },
	{ SLICE("\1" UID "\1\10\0\0\0\7\0\0\0\0\0\0\0"), "a state that is none" },
	{ SLICE("\1" UID "\1\10\0\0\0\0\0\0\0\1\0\0\0"), "a state of 64 bits" },
	{ SLICE("\1" UID "\1\1\0\0\0\0"), "a number of one byte" },
	{ SLICE("\1" UID "\1"), "a tag and no length, behind a good field" },
	{ SLICE("\1\2\10\0\0\0\xff\xff\xff\xff\0\0\0\0"), "uid -1" },
};
/* clang-format on */

static void
test_hostile(void)
{
	struct domain_record d, d2;
	struct secret_record s, s2;

	for (size_t i = 0; i < sizeof(hostile) / sizeof(*hostile); i++) {
		memset(&d, 'x', sizeof(d));
		memcpy(&d2, &d, sizeof(d));
		memset(&s, 'x', sizeof(s));
		memcpy(&s2, &s, sizeof(s));
		ok(domain_record_unpack(hostile[i].bytes, &d) == -1 &&
		    memcmp(&d, &d2, sizeof(d)) == 0, "domain: %s",
		    hostile[i].what);
		ok(secret_record_unpack(hostile[i].bytes, &s) == -1 &&
		    memcmp(&s, &s2, sizeof(s)) == 0, "secret: %s",
		    hostile[i].what);
	}
}

/* Every byte of a good record turned over, and every length of it. */
static void
test_damage(void)
{
	struct secret_record s = { 70001, ACCOUNT_ACTIVE, true, false,
		SLICE("old.name"), SLICE("$y$hash"), 4096, SLICE("12345678"), SLICE(KEY32),
		SLICE(KEY32), SLICE(APP_LINE), true };
	struct secret_record back;
	struct slice good;

	begin();
	secret_record_pack(&k, &s);
	good = packed();
	for (size_t i = 0; i < good.len; i++) {
		space[i] ^= 0xff;
		if (secret_record_unpack(good, &back) == 0 &&
		    back.hash.len > 0 && (back.hash.p < good.p ||
		    back.hash.p + back.hash.len > good.p + good.len))
			break;
		space[i] ^= 0xff;
		(void)!secret_record_unpack(slice_make(good.p, i), &back);
		if (i + 1 == good.len)
			ok(true, "no slice ever leaves the record");
	}
}

/* A tag of a later release is skipped. */
static void
test_unknown_tag(void)
{
	struct access_record back = { false };

	ok(access_record_unpack(SLICE("\1\xf0\3\0\0\0abc\20\10\0\0\0"
	    "\1\0\0\0\0\0\0\0"), &back) == 0 && back.may_relay,
	    "an unknown tag is skipped");
}

int
main(void)
{
	test_domain();
	test_address();
	test_answer();
	test_secret();
	test_access();
	test_hostile();
	test_damage();
	test_unknown_tag();
	return done();
}
