/* build.c - the records of the tables, one after the other. */
/* SPDX-License-Identifier: ISC */

#include "registry/build.h"

#include <errno.h>
#include <stdio.h>
#include <time.h>

#include "registry/valid.h"

static int
put_packed(struct build *b, enum table_name t, struct slice key,
    const struct packer *k)
{
	if (k->bad) {
		errno = EMSGSIZE;
		return -1;
	}
	return b->put(b->arg, t, key, pack_slice(k));
}

static int
put_answer(struct build *b, const struct object *o)
{
	char key[sizeof(ANSWER_KEY) + ADDR_LOCAL_MAX];
	struct packer k;

	snprintf(key, sizeof(key), ANSWER_KEY "%.*s",
	    SLICE_FMT(address_local(o->name)));
	pack_init(&k, b->space, RECORD_MAX);
	record_answer(&k, o);
	return put_packed(b, TABLE_ADDRESSES, slice_of(key), &k);
}

static int
put_address(struct build *b, const struct object *o)
{
	struct packer k;

	pack_init(&k, b->space, RECORD_MAX);
	record_address(&k, o);
	if (put_packed(b, TABLE_ADDRESSES, address_local(o->name), &k) == -1)
		return -1;
	return record_answers(o) ? put_answer(b, o) : 0;
}

static int
each_address(void *arg, struct slice key, struct slice value)
{
	struct build *b = arg;
	struct object o;
	struct packer k;

	(void)key;
	if (object_decode(value, &o) == -1)
		return -1;
	if ((b->tables & BIT(TABLE_ADDRESSES)) && put_address(b, &o) == -1)
		return -1;
	if (!(b->tables & BIT(TABLE_SECRETS)) || o.kind != &kind_user)
		return 0;
	pack_init(&k, b->space, RECORD_MAX);
	record_secret(&k, &o, &b->facts);
	return put_packed(b, TABLE_SECRETS, address_local(o.name), &k);
}

static int
put_domain_record(struct build *b, const struct object *d,
    const struct object *principal)
{
	struct str bytes = STR_INIT(STORE_VALUE_MAX);
	struct slice name = object_get(principal, "client");
	char client[ADDR_TEXT_MAX];
	struct object c;
	struct packer k;
	int found = 0;

	if (name.p != NULL && slice_to_cstr(name, client,
	    sizeof(client)) == 0)
		found = object_load(b->r->store, &kind_client, client, &bytes,
		    &c);
	if (found != -1) {
		pack_init(&k, b->space, RECORD_MAX);
		record_domain(&k, d, principal, found == 1 ? &c : NULL);
		found = put_packed(b, TABLE_DOMAINS, slice_of(d->name), &k);
	}
	str_free(&bytes);
	return found;
}

/* d, whose main domain is principal. */
static int
put_domain(struct build *b, const struct object *d,
    const struct object *principal)
{
	struct slice key = slice_of(d->name);
	struct packer k;

	if (b->tables & BIT(TABLE_MAINS)) {
		pack_init(&k, b->space, RECORD_MAX);
		pack_raw(&k, slice_of(principal->name));
		if (put_packed(b, TABLE_MAINS, key, &k) == -1)
			return -1;
	}
	return b->tables & BIT(TABLE_DOMAINS) ?
	    put_domain_record(b, d, principal) : 0;
}

static int
each_domain(void *arg, struct slice key, struct slice value)
{
	struct build *b = arg;
	struct object d, principal;
	struct str bytes = STR_INIT(STORE_VALUE_MAX);
	struct slice alias_of;
	char name[ADDR_DOMAIN_MAX + 1];
	int r = -1;

	(void)key;
	if (object_decode(value, &d) == -1)
		return -1;
	alias_of = object_get(&d, "alias-of");
	if (alias_of.p == NULL)
		return put_domain(b, &d, &d);
	if (slice_to_cstr(alias_of, name, sizeof(name)) == -1 ||
	    registry_domain(b->r, name, &bytes, &principal) != 1)
		errno = EBADMSG;	/* the operations see to it */
	else
		r = put_domain(b, &d, &principal);
	str_free(&bytes);
	return r;
}

/* What the customer who owns a host may send in a day. */
static int
owner_day(struct build *b, struct slice owner, uint64_t *out)
{
	struct str bytes = STR_INIT(STORE_VALUE_MAX);
	char name[ADDR_LOCAL_MAX + 1];
	struct object c;
	int found = 0;

	if (owner.len > 0 && memchr(owner.p, '@', owner.len) == NULL &&
	    slice_to_cstr(owner, name, sizeof(name)) == 0)
		found = object_load(b->r->store, &kind_client, name, &bytes,
		    &c);
	*out = found == 1 ? object_number(&c, "max-messages-day") : 0;
	str_free(&bytes);
	return found == -1 ? -1 : 0;
}

static int
each_relay(void *arg, struct slice key, struct slice value)
{
	struct access_record rec = { .may_relay = true };
	struct build *b = arg;
	int64_t until;
	struct object o;
	struct packer k;
	char text[64];

	(void)key;
	if (object_decode(value, &o) == -1)
		return -1;
	if (!record_access_valid(&o, b->now))
		return 0;
	if (object_get(&o, "until").p != NULL) {
		until = time_of_text(object_get(&o, "until")) + 1;
		if (b->until == 0 || until < b->until)
			b->until = until;
	}
	rec.owner = object_get(&o, "owner");
	if (rec.owner.p == NULL)
		rec.owner = SLICE_EMPTY;
	rec.messages_hour = object_number(&o, "rate");
	if (owner_day(b, rec.owner, &rec.owner_messages_day) == -1)
		return -1;
	pack_init(&k, b->space, RECORD_MAX);
	access_record_pack(&k, &rec);
	return put_packed(b, TABLE_ACCESS, record_access_key(&o, text), &k);
}

static int
build_facts(struct build *b, const char *domain)
{
	struct str bytes = STR_INIT(STORE_VALUE_MAX);
	struct object d;
	int r;

	if ((r = registry_domain(b->r, domain, &bytes, &d)) == 1) {
		b->facts.uid = (uid_t)object_number(&d, "uid");
		b->facts.state = record_state(&d);
		b->facts.apps = record_apps(&d);
	}
	str_free(&bytes);
	if (r == 0)
		errno = ENOENT;
	return r == 1 ? 0 : -1;
}

int
build_records(struct build *b, const char *domain)
{
	char prefix[STORE_KEY_MAX];

	b->now = time(NULL);
	if (b->tables & OF_DOMAIN) {
		if (build_facts(b, domain) == -1)
			return -1;
		snprintf(prefix, sizeof(prefix), "address/%s/", domain);
		return store_each(b->r->store, slice_of(prefix), SLICE_EMPTY,
		    each_address, b);
	}
	if (b->tables & OF_ALL)
		return store_each(b->r->store, SLICE("domain/"), SLICE_EMPTY,
		    each_domain, b);
	b->until = 0;
	return store_each(b->r->store, SLICE("relay/"), SLICE_EMPTY,
	    each_relay, b);
}
