/* record.c - from an object to its records in the tables; pure functions. */
/* SPDX-License-Identifier: ISC */

#include "registry/record.h"

#include <stdio.h>

#include "auth/password.h"
#include "registry/valid.h"

enum account_state
record_state(const struct object *o)
{
	if (object_is(o, "state", "disabled"))
		return ACCOUNT_DISABLED;
	if (object_is(o, "state", "suspended"))
		return ACCOUNT_SUSPENDED;
	return ACCOUNT_ACTIVE;
}

/* An attribute that may be missing. */
static struct slice
text_of(const struct object *o, const char *attribute)
{
	struct slice value = object_get(o, attribute);

	return value.p != NULL ? value : SLICE_EMPTY;
}

static enum account_state
worse(enum account_state a, enum account_state b)
{
	return a > b ? a : b;
}

void
record_domain(struct packer *k, const struct object *d,
    const struct object *principal, const struct object *client)
{
	struct domain_record rec = {
		.state = worse(record_state(d), record_state(principal)),
		.uid = (uid_t)object_number(principal, "uid"),
		.messages_day = object_number(principal, "max-messages-day"),
	};
	struct slice language = object_get(d, "language");

	if (slice_to_cstr(language, rec.language, sizeof(rec.language)) == -1)
		memcpy(rec.language, "fr", sizeof("fr"));
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

bool
record_has_address(const struct object *o)
{
	return o->kind != &kind_robot || object_get(o, "copy").p != NULL;
}

void
record_address(struct packer *k, const struct object *o)
{
	struct address_record rec = {
		.kind = o->kind == &kind_user ? ADDRESS_MAILBOX : ADDRESS_ALIAS,
		.state = record_state(o),
		.targets = SLICE_EMPTY, .folder = SLICE_EMPTY,
		.senders = SLICE_EMPTY, .keep = true,
	};

	if (rec.kind == ADDRESS_ALIAS) {
		rec.targets = object_get(o,
		    o->kind == &kind_robot ? "copy" : "targets");
	} else {
		rec.quota_bytes = object_number(o, "quota-bytes");
		rec.quota_messages = object_number(o, "quota-messages");
		rec.folder = text_of(o, "folder");
		rec.messages_hour = object_number(o, "messages-hour");
		rec.recipients_hour = object_number(o, "recipients-hour");
	}
	address_record_pack(k, &rec);
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
