/* test_registry_object.c - objects, their bytes, their records, the spool. */
/* SPDX-License-Identifier: ISC */

#include "registry/object.h"

#include <stdio.h>
#include <stdlib.h>

#include "lib/pack.h"
#include "registry/record.h"
#include "registry/spool.h"
#include "registry/worst.h"
#include "registry/zone.h"
#include "tests/unit/tap.h"

static void
test_round_trip(void)
{
	struct str bytes = STR_INIT(STORE_VALUE_MAX);
	struct object o, back;
	struct text why;
	int name;

	object_init(&o, &kind_user, "bob@a.test");
	name = kind_attribute(&kind_user, SLICE("full-name"));
	ok(object_is(&o, "state", "active") && object_is(&o, "hash", "!"),
	    "a new user has its initial values");
	ok(object_set(&o, name, slice_of("Bob É."), &why) == 0 &&
	    object_encode(&o, &bytes) == 0, "encoded");
	ok(object_decode(str_slice(&bytes), &back) == 0 &&
	    back.kind == &kind_user && strcmp(back.name, o.name) == 0 &&
	    object_is(&back, "full-name", "Bob É.") &&
	    object_is(&back, "quota-bytes", "0") &&
	    object_get(&back, "scram").p == NULL, "decoded the same");
	ok(object_set(&o, name, SLICE_EMPTY, &why) == 0 &&
	    object_get(&o, "full-name").p == NULL, "an empty name is none");
	name = kind_attribute(&kind_user, SLICE("state"));
	ok(object_set(&o, name, SLICE_EMPTY, &why) == -1 &&
	    object_is(&o, "state", "active"),
	    "a refused value changes nothing");
	object_free(&o);
	str_free(&bytes);
}

/* Every cut and every changed byte: never read past the end, never crash. */
static void
test_damage(void)
{
	struct str bytes = STR_INIT(STORE_VALUE_MAX);
	struct object o, back = { .kind = NULL };
	size_t taken = 0;
	char *copy;

	object_init(&o, &kind_alias, "info@a.test");
	ok(object_put(&o, "targets", SLICE("a@a.test\nb@a.test")) == 0 &&
	    object_encode(&o, &bytes) == 0, "an alias is encoded");
	for (size_t len = 0; len < bytes.len; len++) {
		copy = malloc(len + 1);
		memcpy(copy, bytes.p, len);
		taken += object_decode(slice_make(copy, len), &back) == 0;
		free(copy);
	}
	ok(taken == 0 && back.kind == NULL, "no cut object is taken");
	copy = malloc(bytes.len + 1);
	for (size_t i = 0; i < bytes.len; i++) {
		memcpy(copy, bytes.p, bytes.len);
		copy[i] ^= 0x41;
		(void)!object_decode(slice_make(copy, bytes.len), &back);
	}
	free(copy);
	str_putc(&bytes, 'x');
	ok(object_decode(str_slice(&bytes), &back) == -1,
	    "bytes behind the end are refused");
	object_free(&o);
	str_free(&bytes);
}

static void
test_keys(void)
{
	char key[STORE_KEY_MAX];
	size_t len = object_key(&kind_user, "bob@a.test", key);

	ok(slice_eq(slice_make(key, len), SLICE("address/a.test/bob")),
	    "a user's key");
	len = object_key(&kind_alias, "bob@a.test", key);
	ok(slice_eq(slice_make(key, len), SLICE("address/a.test/bob")),
	    "an alias of that name has the same key");
	len = object_key(&kind_removed, "a.test", key);
	ok(slice_eq(slice_make(key, len), SLICE("removed/a.test")),
	    "a removed domain's key");
}

#define APPS "AAAAAAAAAAAAAAAAAAAAAA== " \
	"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA= pop3 1 0 x"

/* Inventory 8-08: what a domain says of application passwords. */
static void
test_app_records(const struct object *user, unsigned char *space)
{
	static const struct {
		const char *said;
		bool has, only;
	} rows[] = {
		{ "allowed", true, false }, { "required", true, true },
		{ "off", false, false },
	};
	struct object u = *user, d;
	struct domain_facts facts = { 64300, ACCOUNT_ACTIVE, APP_ALLOWED };
	struct secret_record secret;
	struct packer k;

	memset(u.owned, 0, sizeof(u.owned));
	ok(object_put(&u, "app-hashes", SLICE(APPS)) == 0, "8-08 one is set");
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		object_init(&d, &kind_domain, "a.test");
		ok(object_put(&d, "app-passwords", slice_of(rows[i].said)) == 0,
		    "8-08 app-passwords=%s", rows[i].said);
		facts.apps = record_apps(&d);
		pack_init(&k, space, RECORD_MAX);
		record_secret(&k, &u, &facts);
		ok(secret_record_unpack(pack_slice(&k), &secret) == 0 &&
		    secret.app_only == rows[i].only &&
		    slice_eq(secret.apps, rows[i].has ? SLICE(APPS) :
		    SLICE_EMPTY), "8-08 the record of such a domain's user");
		object_free(&d);
	}
	object_free(&u);
}

static void
test_records(void)
{
	const struct domain_facts suspended = { 64300, ACCOUNT_SUSPENDED,
		APP_ALLOWED };
	unsigned char *space = malloc(RECORD_MAX);
	struct secret_record secret;
	struct address_record address;
	struct domain_record domain;
	struct object u, d, m, c;
	struct packer k;
	char key[64];
	bool has_zones = zones_load("/usr/share/zoneinfo") > 0;

	object_init(&u, &kind_user, "bob@a.test");
	ok(object_put(&u, "quota-bytes", SLICE("1000")) == 0 &&
	    object_put(&u, "folder", SLICE("robert")) == 0 &&
	    object_put(&u, "messages-hour", SLICE("20")) == 0 &&
	    object_put(&u, "recipients-hour", SLICE("50")) == 0 &&
	    object_put(&u, "pop3", SLICE("no")) == 0, "a user");
	pack_init(&k, space, RECORD_MAX);
	record_secret(&k, &u, &suspended);
	ok(secret_record_unpack(pack_slice(&k), &secret) == 0 &&
	    secret.uid == 64300 && secret.state == ACCOUNT_SUSPENDED &&
	    !secret.may_pop3 && secret.may_smtp &&
	    slice_eq(secret.hash, SLICE("!")) && secret.scram_iterations == 0 &&
	    slice_eq(secret.folder, SLICE("robert")),
	    "a suspended domain suspends the login");
	test_app_records(&u, space);
	pack_init(&k, space, RECORD_MAX);
	record_address(&k, &u);
	ok(address_record_unpack(pack_slice(&k), &address) == 0 &&
	    address.kind == ADDRESS_MAILBOX && address.quota_bytes == 1000 &&
	    address.state == ACCOUNT_ACTIVE && address.messages_hour == 20 &&
	    address.recipients_hour == 50 &&
	    slice_eq(address.folder, SLICE("robert")), "its address");
	object_init(&m, &kind_domain, "a.test");
	object_init(&d, &kind_domain, "b.test");
	ok(object_put(&m, "uid", SLICE("64300")) == 0 &&
	    object_put(&m, "state", SLICE("disabled")) == 0 &&
	    object_put(&m, "max-messages-day", SLICE("7")) == 0 &&
	    object_put(&m, "time-zone", SLICE("Asia/Kathmandu")) == 0 &&
	    object_put(&d, "time-zone", SLICE("Europe/Paris")) == 0 &&
	    object_put(&d, "language", SLICE("en")) == 0, "two domains");
	object_init(&c, &kind_client, "acme");
	ok(object_put(&c, "max-messages-day", SLICE("9")) == 0, "a customer");
	pack_init(&k, space, RECORD_MAX);
	record_domain(&k, &d, &m, &c);
	ok(domain_record_unpack(pack_slice(&k), &domain) == 0 &&
	    domain.uid == 64300 && domain.state == ACCOUNT_DISABLED &&
	    strcmp(domain.alias_of, "a.test") == 0 &&
	    strcmp(domain.language, "en") == 0 && domain.messages_day == 7 &&
	    strcmp(domain.client, "acme") == 0 &&
	    domain.client_messages_day == 9 && strcmp(domain.zone,
	    has_zones ? "<+0545>-5:45" : "") == 0, "a domain alias");
	object_free(&u);
	object_free(&c);
	object_free(&m);
	object_free(&d);
	object_init(&d, &kind_relay, "192.0.2.0/24");
	ok(slice_eq(record_access_key(&d, key), SLICE("192.0.2.0/120")),
	    "the bits of a net count in the 128-bit form");
	ok(object_put(&d, "until", SLICE("1970-01-02")) == 0 &&
	    record_access_valid(&d, 2 * 86400 - 1) &&
	    !record_access_valid(&d, 2 * 86400), "a permission ends");
	object_free(&d);
	free(space);
}

/* What of an object goes into the record of its address. */
static void
test_address_records(void)
{
	/* clang-format off */
	static const struct {
		const struct kind *kind;
		const char *set[12];	/* attribute, value, ... */
		enum address_kind want;
		bool keep, discard, answers;
		int64_t from, until;
		const char *targets, *senders;
	} rows[] = {
		{ &kind_user, { NULL }, ADDRESS_MAILBOX, true, false, false, 0, 0, "", "" },
		{ &kind_user, { "forward", "a@b.test\nc@d.test", "keep", "no", NULL },
		  ADDRESS_MAILBOX, false, false, false, 0, 0, "a@b.test\nc@d.test", "" },
		{ &kind_user, { "discard", "yes", "senders", "everybody", NULL },
		  ADDRESS_MAILBOX, true, true, false, 0, 0, "", "" },
		{ &kind_user, { "senders", "domain", NULL },
		  ADDRESS_MAILBOX, true, false, false, 0, 0, "", "domain" },
		/* A day is all of it: from its first second to its last. */
		{ &kind_user, { "vacation", "yes", "vacation-text", "x", "vacation-start",
		    "1970-01-03", "vacation-end", "1970-01-04", NULL },
		  ADDRESS_MAILBOX, true, false, true, 2 * 86400, 4 * 86400, "", "" },
		{ &kind_user, { "vacation", "yes", "vacation-start", "1970-01-03T01:00:00Z",
		    "vacation-end", "1970-01-03T02:00:00Z", NULL },
		  ADDRESS_MAILBOX, true, false, true, 2 * 86400 + 3600,
		  2 * 86400 + 7201, "", "" },
		{ &kind_user, { "vacation", "yes", NULL },
		  ADDRESS_MAILBOX, true, false, true, 0, 0, "", "" },
		{ &kind_user, { "vacation", "no", "vacation-start", "1970-01-03", NULL },
		  ADDRESS_MAILBOX, true, false, false, 0, 0, "", "" },
		{ &kind_alias, { "targets", "a@b.test", "senders", "@c.test", NULL },
		  ADDRESS_ALIAS, true, false, false, 0, 0, "a@b.test", "@c.test" },
		{ &kind_robot, { "subject", "s", "text", "t", NULL },
		  ADDRESS_ROBOT, true, false, true, 0, 0, "", "" },
		{ &kind_robot, { "copy", "a@b.test", NULL },
		  ADDRESS_ROBOT, true, false, true, 0, 0, "a@b.test", "" },
	};
	/* clang-format on */
	static unsigned char space[RECORD_MAX];
	struct address_record a;
	struct object o;
	struct packer k;

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		object_init(&o, rows[i].kind, "bob@a.test");
		for (size_t j = 0; rows[i].set[j] != NULL; j += 2)
			if (object_put(&o, rows[i].set[j],
			    slice_of(rows[i].set[j + 1])) == -1)
				ok(false, "row %zu: %s", i, rows[i].set[j]);
		pack_init(&k, space, sizeof(space));
		record_address(&k, &o);
		ok(address_record_unpack(pack_slice(&k), &a) == 0 &&
		    a.kind == rows[i].want && a.keep == rows[i].keep &&
		    a.discard == rows[i].discard &&
		    a.answers == rows[i].answers &&
		    record_answers(&o) == rows[i].answers &&
		    a.answer_from == rows[i].from &&
		    a.answer_until == rows[i].until &&
		    slice_eq(a.targets, slice_of(rows[i].targets)) &&
		    slice_eq(a.senders, slice_of(rows[i].senders)),
		    "address record: row %zu: %jd to %jd", i,
		    (intmax_t)a.answer_from, (intmax_t)a.answer_until);
		object_free(&o);
	}
}

static void
test_domain_records(void)
{
	/* clang-format off */
	static const struct {
		const char *state, *since, *after, *catch_all;
		int64_t refuse_from;
		const char *want;
	} rows[] = {
		{ "active", "1970-01-03T00:00:00Z", "7", "refuse", 0, "" },
		{ "suspended", "1970-01-03T00:00:10Z", "7", "discard", 9 * 86400 + 10,
		  "discard" },
		{ "suspended", "1970-01-03T00:00:00Z", "0", "@b.test", 0, "@b.test" },
		{ "disabled", "1970-01-03T00:00:00Z", "7", "x@b.test", 0, "x@b.test" },
	};
	/* clang-format on */
	static unsigned char space[RECORD_MAX];
	struct domain_record rec;
	struct object d, other;
	struct packer k;

	object_init(&other, &kind_domain, "b.test");
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		object_init(&d, &kind_domain, "a.test");
		if (object_put(&d, "uid", SLICE("64300")) == -1 ||
		    object_put(&d, "state", slice_of(rows[i].state)) == -1 ||
		    object_put(&d, "since", slice_of(rows[i].since)) == -1 ||
		    object_put(&d, "refuse-after",
		    slice_of(rows[i].after)) == -1 || object_put(&d,
		    "catch-all", slice_of(rows[i].catch_all)) == -1)
			ok(false, "row %zu", i);
		for (int alias = 0; alias < 2; alias++) {
			pack_init(&k, space, sizeof(space));
			record_domain(&k, alias ? &other : &d, &d, NULL);
			ok(domain_record_unpack(pack_slice(&k), &rec) == 0 &&
			    rec.refuse_from == rows[i].refuse_from &&
			    strcmp(rec.catch_all, rows[i].want) == 0,
			    "%s: row %zu: refused from %jd, caught: %s",
			    alias ? "domain alias" : "domain", i,
			    (intmax_t)rec.refuse_from, rec.catch_all);
		}
		object_free(&d);
	}
	object_free(&other);
}

/* In memory and through a file, taken in the order they were put. */
static void
test_spool(size_t messages, size_t size)
{
	struct spool s = SPOOL_INIT;
	char *space = malloc(70000), *want = malloc(70000);
	uint16_t type = 0;
	size_t len = 0, good = 0;

	for (size_t i = 0; i < messages; i++) {
		memset(space, (int)(i % 251), size);
		spool_put(&s, (uint16_t)i, slice_make(space, size));
	}
	for (size_t i = 0; i < messages; i++) {
		memset(want, (int)(i % 251), size);
		if (spool_take(&s, &type, space, 70000, &len) != 1)
			break;
		if (i % 7 == 3) {	/* another try */
			spool_untake(&s, len);
			if (spool_take(&s, &type, space, 70000, &len) != 1)
				break;
		}
		good += type == (uint16_t)i && len == size &&
		    (size == 0 || memcmp(space, want, size) == 0);
	}
	ok(good == messages && spool_take(&s, &type, space, 70000, &len) == 0,
	    "%zu messages of %zu bytes%s", messages, size,
	    s.fd != -1 ? " through a file" : "");
	spool_clear(&s);
	free(space);
	free(want);
}

int
main(void)
{
	size_t sorted = 0;

	test_round_trip();
	test_damage();
	test_keys();
	test_records();
	test_address_records();
	test_domain_records();
	test_spool(0, 10);
	test_spool(10, 0);
	test_spool(100, 100);
	test_spool(3000, 200);
	test_spool(40, 65000);
	for (size_t i = 1; i < worst_count; i++)
		sorted += strcmp(worst_words[i - 1], worst_words[i]) < 0;
	ok(sorted == worst_count - 1, "the worst words are sorted");
	return done();
}
