/* record.c - from an object to its records in the tables; pure functions. */
/* SPDX-License-Identifier: ISC */

#include "registry/record.h"

#include <stdio.h>

#include "auth/password.h"
#include "registry/valid.h"
#include "registry/zone.h"

#define DAY_TEXT 10		/* 2026-11-21 */
#define DAYS_MAX 36500		/* longer is for ever */

enum account_state
record_state(const struct object *o)
{
	if (object_is(o, "state", "disabled"))
		return ACCOUNT_DISABLED;
	if (object_is(o, "state", "suspended"))
		return ACCOUNT_SUSPENDED;
	return ACCOUNT_ACTIVE;
}

enum app_mode
record_apps(const struct object *d)
{
	if (object_is(d, "app-passwords", "required"))
		return APP_REQUIRED;
	return object_is(d, "app-passwords", "off") ? APP_OFF : APP_ALLOWED;
}

/* An attribute that may be missing. */
static struct slice
text_of(const struct object *o, const char *attribute)
{
	struct slice value = object_get(o, attribute);

	return value.p != NULL ? value : SLICE_EMPTY;
}

/* A moment in seconds; a day alone is its last second, or its first. 0: none. */
static int64_t
moment_of(const struct object *o, const char *attribute, bool day_begins)
{
	struct slice text = object_get(o, attribute);
	int64_t at = text.p != NULL ? time_of_text(text) : 0;

	return at > 0 && day_begins && text.len == DAY_TEXT ? at - 86399 : at;
}

static enum account_state
worse(enum account_state a, enum account_state b)
{
	return a > b ? a : b;
}

/* When the senders to a suspended domain are no longer told to wait; 0: never. */
static int64_t
refuse_from(const struct object *d)
{
	uint64_t days = object_number(d, "refuse-after");
	const char *since = object_get(d, "since").p != NULL ? "since" :
	    "created";

	if (record_state(d) != ACCOUNT_SUSPENDED || days == 0 ||
	    days > DAYS_MAX)
		return 0;
	return moment_of(d, since, true) + (int64_t)days * 86400;
}

static int64_t
first_of(int64_t a, int64_t b)
{
	return a == 0 || (b != 0 && b < a) ? b : a;
}

/* One that was made when there was no such attribute has the usual one. */
static uint8_t
percent_of(const struct object *d)
{
	uint64_t n = object_get(d, "quota-warning").p == NULL ?
	    QUOTA_WARNING : object_number(d, "quota-warning");

	return n <= 100 ? (uint8_t)n : QUOTA_WARNING;
}

void
record_domain(struct packer *k, const struct object *d,
    const struct object *principal, const struct object *client)
{
	struct domain_record rec = {
		.state = worse(record_state(d), record_state(principal)),
		.uid = (uid_t)object_number(principal, "uid"),
		.messages_day = object_number(principal, "max-messages-day"),
		.quota_warning = percent_of(principal),
	};
	struct slice language = object_get(d, "language");
	struct slice catch_all = object_get(principal, "catch-all");
	const char *zone = zone_rule(text_of(principal, "time-zone"));

	if (rec.state == ACCOUNT_SUSPENDED)
		rec.refuse_from = first_of(refuse_from(d),
		    refuse_from(principal));
	if (catch_all.p == NULL || slice_eq(catch_all, SLICE("refuse")) ||
	    slice_to_cstr(catch_all, rec.catch_all,
	    sizeof(rec.catch_all)) == -1)
		rec.catch_all[0] = '\0';
	if (slice_to_cstr(language, rec.language, sizeof(rec.language)) == -1)
		memcpy(rec.language, "fr", sizeof("fr"));
	if (zone != NULL)
		snprintf(rec.zone, sizeof(rec.zone), "%s", zone);
	if (principal != d)
		snprintf(rec.alias_of, sizeof(rec.alias_of), "%.*s",
		    ADDR_DOMAIN_MAX, principal->name);
	if (client != NULL) {
		snprintf(rec.client, sizeof(rec.client), "%.*s",
		    ADDR_LOCAL_MAX, client->name);
		rec.client_messages_day =
		    object_number(client, "max-messages-day");
	}
	domain_record_pack(k, &rec);
}

/* "everybody", or nothing, is the empty slice. */
static struct slice
senders_of(const struct object *o)
{
	struct slice senders = text_of(o, "senders");

	return slice_eq(senders, SLICE("everybody")) ? SLICE_EMPTY : senders;
}

static void
fill_user(struct address_record *rec, const struct object *o)
{
	int64_t end = moment_of(o, "vacation-end", false);

	rec->kind = ADDRESS_MAILBOX;
	rec->targets = text_of(o, "forward");
	rec->keep = !object_is(o, "keep", "no");
	rec->discard = object_is(o, "discard", "yes");
	rec->quota_bytes = object_number(o, "quota-bytes");
	rec->quota_messages = object_number(o, "quota-messages");
	rec->folder = text_of(o, "folder");
	rec->messages_hour = object_number(o, "messages-hour");
	rec->recipients_hour = object_number(o, "recipients-hour");
	rec->answers = record_answers(o);
	if (rec->answers) {
		rec->answer_from = moment_of(o, "vacation-start", true);
		rec->answer_until = end > 0 ? end + 1 : 0;
	}
}

void
record_address(struct packer *k, const struct object *o)
{
	struct address_record rec = {
		.kind = ADDRESS_ALIAS, .state = record_state(o), .keep = true,
		.targets = SLICE_EMPTY, .folder = SLICE_EMPTY,
		.senders = senders_of(o),
	};

	if (o->kind == &kind_user) {
		fill_user(&rec, o);
	} else if (o->kind == &kind_robot) {
		rec.kind = ADDRESS_ROBOT;
		rec.targets = text_of(o, "copy");
		rec.answers = true;
	} else {
		rec.targets = text_of(o, "targets");
	}
	address_record_pack(k, &rec);
}

bool
record_answers(const struct object *o)
{
	return o->kind == &kind_robot ||
	    (o->kind == &kind_user && object_is(o, "vacation", "yes"));
}

void
record_answer(struct packer *k, const struct object *o)
{
	bool is_robot = o->kind == &kind_robot;
	uint64_t days = object_number(o, is_robot ? "days" : "vacation-days");
	struct answer_record rec = {
		.subject = text_of(o, is_robot ? "subject" :
		    "vacation-subject"),
		.text = text_of(o, is_robot ? "text" : "vacation-text"),
		.full_name = is_robot ? SLICE_EMPTY : text_of(o, "full-name"),
		.days = days < UINT32_MAX ? (uint32_t)days : UINT32_MAX,
	};

	answer_record_pack(k, &rec);
}

void
record_secret(struct packer *k, const struct object *o,
    const struct domain_facts *d)
{
	struct slice scram = object_get(o, "scram");
	struct scram_keys keys = { 0 };
	struct secret_record rec = {
		.uid = d->uid,
		/* Who may not receive may not log in either. */
		.state = worse(record_state(o), d->state),
		.may_pop3 = object_is(o, "pop3", "yes"),
		.may_smtp = object_is(o, "smtp", "yes"),
		.folder = text_of(o, "folder"),
		.hash = object_get(o, "hash"),
		.apps = d->apps == APP_OFF ? SLICE_EMPTY :
		    text_of(o, "app-hashes"),
		.app_only = d->apps == APP_REQUIRED,
		.scram_salt = SLICE_EMPTY,
		.scram_stored = SLICE_EMPTY,
		.scram_server = SLICE_EMPTY,
	};

	if (scram.p != NULL && scram_keys_parse(scram, &keys) == 0) {
		rec.scram_iterations = keys.iterations;
		rec.scram_salt = slice_make(keys.salt, keys.salt_len);
		rec.scram_stored = slice_make(keys.stored, SCRAM_KEY);
		rec.scram_server = slice_make(keys.server, SCRAM_KEY);
	}
	secret_record_pack(k, &rec);
	explicit_bzero(&keys, sizeof(keys));
}

struct slice
record_access_key(const struct object *o, char *key)
{
	char text[IP_TEXT_MAX];
	struct ip net;
	unsigned bits;

	if (ip_parse_net(slice_of(o->name), &net, &bits) == -1)
		return SLICE_EMPTY;
	snprintf(key, 64, "%s/%u", ip_text(&net, text), bits);
	return slice_of(key);
}

bool
record_access_valid(const struct object *o, int64_t now)
{
	struct slice until = object_get(o, "until");

	return until.p == NULL || time_of_text(until) >= now;
}
