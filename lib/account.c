/* account.c - records of the compiled tables: domains, addresses, secrets. */
/* SPDX-License-Identifier: ISC */

#include "lib/account.h"

#include <errno.h>
#include <string.h>

#include "lib/app_password.h"
#include "lib/pack.h"

/* A record: version, then fields of tag, length and bytes. */
enum tag {
	TAG_STATE = 1, TAG_UID, TAG_LANGUAGE, TAG_ALIAS_OF,
	TAG_KIND, TAG_QUOTA_BYTES, TAG_QUOTA_MESSAGES, TAG_TARGETS,
	TAG_POP3, TAG_SMTP, TAG_HASH, TAG_SCRAM_ITERATIONS, TAG_SCRAM_SALT,
	TAG_SCRAM_STORED, TAG_SCRAM_SERVER, TAG_MAY_RELAY,
	TAG_CATCH_ALL, TAG_REFUSE_FROM, TAG_MESSAGES_DAY, TAG_CLIENT,
	TAG_CLIENT_MESSAGES_DAY, TAG_KEEP, TAG_DISCARD, TAG_FOLDER,
	TAG_SENDERS, TAG_ANSWER_FROM, TAG_ANSWER_UNTIL, TAG_MESSAGES_HOUR,
	TAG_RECIPIENTS_HOUR, TAG_SUBJECT, TAG_TEXT, TAG_FULL_NAME, TAG_DAYS,
	TAG_OWNER, TAG_QUOTA_WARNING, TAG_APPS, TAG_APP_ONLY, TAG_ZONE
};

static void
put_number(struct packer *k, enum tag tag, uint64_t v)
{
	pack_u8(k, (uint8_t)tag);
	pack_u32(k, 8);
	pack_u64(k, v);
}

static void
put_bytes(struct packer *k, enum tag tag, struct slice s)
{
	pack_u8(k, (uint8_t)tag);
	pack_bytes(k, s);
}

/* What is zero or empty is left out: that is what a reader takes it for. */
static void
put_if(struct packer *k, enum tag tag, uint64_t v)
{
	if (v != 0)
		put_number(k, tag, v);
}

static void
put_some(struct packer *k, enum tag tag, struct slice s)
{
	if (s.len > 0)
		put_bytes(k, tag, s);
}

/* One field as it is read: the bytes, and their number when they are eight. */
struct field {
	uint8_t tag;
	struct slice bytes;
	uint64_t number;
	bool is_number;
};

/* 1, 0 at the end, -1 damaged. */
static int
next_field(struct unpacker *u, struct field *f)
{
	struct unpacker number;

	if (u->len == 0)
		return u->bad ? -1 : 0;
	f->tag = unpack_u8(u);
	f->bytes = unpack_bytes(u, SIZE_MAX);
	if (u->bad)
		return -1;
	unpack_init(&number, f->bytes);
	f->number = unpack_u64(&number);
	f->is_number = unpack_end(&number);
	return 1;
}

/* Decoders set *bad for a value out of its range. */
static uint64_t
number_upto(const struct field *f, uint64_t max, bool *bad)
{
	if (!f->is_number || f->number > max) {
		*bad = true;
		return 0;
	}
	return f->number;
}

static bool
begin(struct unpacker *u, struct slice value)
{
	unpack_init(u, value);
	return unpack_u8(u) == ACCOUNT_VERSION && !u->bad;
}

static int
damaged(void)
{
	errno = EBADMSG;
	return -1;
}

void
domain_record_pack(struct packer *k, const struct domain_record *d)
{
	pack_u8(k, ACCOUNT_VERSION);
	put_number(k, TAG_STATE, d->state);
	put_number(k, TAG_UID, d->uid);
	put_bytes(k, TAG_LANGUAGE, slice_of(d->language));
	put_some(k, TAG_ALIAS_OF, slice_of(d->alias_of));
	put_some(k, TAG_CATCH_ALL, slice_of(d->catch_all));
	put_if(k, TAG_REFUSE_FROM, (uint64_t)d->refuse_from);
	put_if(k, TAG_MESSAGES_DAY, d->messages_day);
	put_some(k, TAG_CLIENT, slice_of(d->client));
	put_if(k, TAG_CLIENT_MESSAGES_DAY, d->client_messages_day);
	if (d->quota_warning != QUOTA_WARNING)
		put_number(k, TAG_QUOTA_WARNING, d->quota_warning);
	put_some(k, TAG_ZONE, slice_of(d->zone));
}

static bool
is_language(struct slice s)
{
	return s.len == 2 && s.p[0] >= 'a' && s.p[0] <= 'z' &&
	    s.p[1] >= 'a' && s.p[1] <= 'z';
}

/* "discard", an address, or "@domain". */
static bool
is_catch_all(const char *text)
{
	char domain[ADDR_DOMAIN_MAX + 1];
	struct addr a;

	if (strcmp(text, "discard") == 0)
		return true;
	if (text[0] == '@')
		return addr_domain(slice_of(text + 1), domain) == 0;
	return addr_parse(slice_of(text), &a) == ADDR_OK;
}

static void
domain_field(struct domain_record *d, const struct field *f, bool *bad)
{
	struct zone zone;

	switch (f->tag) {
	case TAG_STATE:
		d->state = (enum account_state)number_upto(f,
		    ACCOUNT_DISABLED, bad);
		break;
	case TAG_UID:
		d->uid = (uid_t)number_upto(f, UINT32_MAX - 1, bad);
		break;
	case TAG_LANGUAGE:
		if (!is_language(f->bytes) || slice_to_cstr(f->bytes,
		    d->language, sizeof(d->language)) == -1)
			*bad = true;
		break;
	case TAG_ALIAS_OF:
		if (addr_domain(f->bytes, d->alias_of) == -1)
			*bad = true;
		break;
	case TAG_CATCH_ALL:
		if (slice_to_cstr(f->bytes, d->catch_all,
		    sizeof(d->catch_all)) == -1 ||
		    !is_catch_all(d->catch_all))
			*bad = true;
		break;
	case TAG_REFUSE_FROM:
		d->refuse_from = (int64_t)number_upto(f, INT64_MAX, bad);
		break;
	case TAG_MESSAGES_DAY:
		d->messages_day = number_upto(f, INT64_MAX, bad);
		break;
	case TAG_CLIENT:
		if (slice_to_cstr(f->bytes, d->client,
		    sizeof(d->client)) == -1)
			*bad = true;
		break;
	case TAG_CLIENT_MESSAGES_DAY:
		d->client_messages_day = number_upto(f, INT64_MAX, bad);
		break;
	case TAG_QUOTA_WARNING:
		d->quota_warning = (uint8_t)number_upto(f, 100, bad);
		break;
	case TAG_ZONE:
		if (zone_parse(f->bytes, &zone) == -1 ||
		    slice_to_cstr(f->bytes, d->zone, sizeof(d->zone)) == -1)
			*bad = true;
		break;
	}
}

int
domain_record_unpack(struct slice value, struct domain_record *out)
{
	struct domain_record d = { .uid = (uid_t)-1, .language = "en",
	    .quota_warning = QUOTA_WARNING };
	struct unpacker u;
	struct field f;
	bool bad = !begin(&u, value);
	int r = 0;

	while (!bad && (r = next_field(&u, &f)) == 1)
		domain_field(&d, &f, &bad);
	if (bad || r == -1 || d.uid == (uid_t)-1)
		return damaged();
	*out = d;
	return 0;
}

void
address_record_pack(struct packer *k, const struct address_record *a)
{
	pack_u8(k, ACCOUNT_VERSION);
	put_number(k, TAG_KIND, a->kind);
	put_number(k, TAG_STATE, a->state);
	put_if(k, TAG_QUOTA_BYTES, a->quota_bytes);
	put_if(k, TAG_QUOTA_MESSAGES, a->quota_messages);
	put_some(k, TAG_TARGETS, a->targets);
	put_if(k, TAG_KEEP, a->keep);
	put_if(k, TAG_DISCARD, a->discard);
	put_some(k, TAG_FOLDER, a->folder);
	put_some(k, TAG_SENDERS, a->senders);
	if (a->answers) {
		put_number(k, TAG_ANSWER_FROM, (uint64_t)a->answer_from);
		put_if(k, TAG_ANSWER_UNTIL, (uint64_t)a->answer_until);
	}
	put_if(k, TAG_MESSAGES_HOUR, a->messages_hour);
	put_if(k, TAG_RECIPIENTS_HOUR, a->recipients_hour);
}

/* A folder is named like an account, nothing that leads elsewhere. */
static struct slice
folder_name(const struct field *f, bool *bad)
{
	char name[ADDR_LOCAL_MAX + 1];

	if (addr_account(f->bytes, name) == -1 ||
	    !slice_eq(f->bytes, slice_of(name)))
		*bad = true;
	return f->bytes;
}

static void
address_field(struct address_record *a, const struct field *f, bool *bad)
{
	switch (f->tag) {
	case TAG_KIND:
		a->kind = (enum address_kind)number_upto(f, ADDRESS_ROBOT, bad);
		break;
	case TAG_STATE:
		a->state = (enum account_state)number_upto(f,
		    ACCOUNT_DISABLED, bad);
		break;
	case TAG_QUOTA_BYTES:
		a->quota_bytes = number_upto(f, INT64_MAX, bad);
		break;
	case TAG_QUOTA_MESSAGES:
		a->quota_messages = number_upto(f, INT64_MAX, bad);
		break;
	case TAG_TARGETS:
		a->targets = f->bytes;
		break;
	case TAG_KEEP:
		a->keep = number_upto(f, 1, bad) == 1;
		break;
	case TAG_DISCARD:
		a->discard = number_upto(f, 1, bad) == 1;
		break;
	case TAG_FOLDER:
		a->folder = folder_name(f, bad);
		break;
	case TAG_SENDERS:
		a->senders = f->bytes;
		break;
	case TAG_ANSWER_FROM:
		a->answers = true;
		a->answer_from = (int64_t)number_upto(f, INT64_MAX, bad);
		break;
	case TAG_ANSWER_UNTIL:
		a->answer_until = (int64_t)number_upto(f, INT64_MAX, bad);
		break;
	case TAG_MESSAGES_HOUR:
		a->messages_hour = number_upto(f, INT64_MAX, bad);
		break;
	case TAG_RECIPIENTS_HOUR:
		a->recipients_hour = number_upto(f, INT64_MAX, bad);
		break;
	}
}

int
address_record_unpack(struct slice value, struct address_record *out)
{
	struct address_record a = {
		.targets = SLICE_EMPTY, .folder = SLICE_EMPTY,
		.senders = SLICE_EMPTY
	};
	struct unpacker u;
	struct field f;
	bool bad = !begin(&u, value), has_kind = false;
	int r = 0;

	while (!bad && (r = next_field(&u, &f)) == 1) {
		address_field(&a, &f, &bad);
		has_kind |= f.tag == TAG_KIND;
	}
	if (bad || r == -1 || !has_kind ||
	    (a.kind == ADDRESS_ALIAS && a.targets.len == 0))
		return damaged();
	*out = a;
	return 0;
}

void
answer_record_pack(struct packer *k, const struct answer_record *a)
{
	pack_u8(k, ACCOUNT_VERSION);
	put_some(k, TAG_SUBJECT, a->subject);
	put_bytes(k, TAG_TEXT, a->text);
	put_some(k, TAG_FULL_NAME, a->full_name);
	put_if(k, TAG_DAYS, a->days);
}

static void
answer_field(struct answer_record *a, const struct field *f, bool *bad)
{
	switch (f->tag) {
	case TAG_SUBJECT:
		a->subject = f->bytes;
		break;
	case TAG_TEXT:
		a->text = f->bytes;
		break;
	case TAG_FULL_NAME:
		a->full_name = f->bytes;
		break;
	case TAG_DAYS:
		a->days = (uint32_t)number_upto(f, UINT32_MAX, bad);
		break;
	}
}

int
answer_record_unpack(struct slice value, struct answer_record *out)
{
	struct answer_record a = {
		.subject = SLICE_EMPTY, .text = SLICE_EMPTY,
		.full_name = SLICE_EMPTY
	};
	struct unpacker u;
	struct field f;
	bool bad = !begin(&u, value);
	int r = 0;

	while (!bad && (r = next_field(&u, &f)) == 1)
		answer_field(&a, &f, &bad);
	if (bad || r == -1)
		return damaged();
	*out = a;
	return 0;
}

void
secret_record_pack(struct packer *k, const struct secret_record *s)
{
	pack_u8(k, ACCOUNT_VERSION);
	put_number(k, TAG_UID, s->uid);
	put_number(k, TAG_STATE, s->state);
	put_number(k, TAG_POP3, s->may_pop3);
	put_number(k, TAG_SMTP, s->may_smtp);
	put_some(k, TAG_FOLDER, s->folder);
	put_bytes(k, TAG_HASH, s->hash);
	put_some(k, TAG_APPS, s->apps);
	put_if(k, TAG_APP_ONLY, s->app_only);
	if (s->scram_iterations == 0)
		return;
	put_number(k, TAG_SCRAM_ITERATIONS, s->scram_iterations);
	put_bytes(k, TAG_SCRAM_SALT, s->scram_salt);
	put_bytes(k, TAG_SCRAM_STORED, s->scram_stored);
	put_bytes(k, TAG_SCRAM_SERVER, s->scram_server);
}

static void
secret_field(struct secret_record *s, const struct field *f, bool *bad)
{
	switch (f->tag) {
	case TAG_UID:
		s->uid = (uid_t)number_upto(f, UINT32_MAX - 1, bad);
		break;
	case TAG_STATE:
		s->state = (enum account_state)number_upto(f,
		    ACCOUNT_DISABLED, bad);
		break;
	case TAG_POP3:
		s->may_pop3 = number_upto(f, 1, bad) == 1;
		break;
	case TAG_SMTP:
		s->may_smtp = number_upto(f, 1, bad) == 1;
		break;
	case TAG_FOLDER:
		s->folder = folder_name(f, bad);
		break;
	case TAG_HASH:
		s->hash = f->bytes;
		break;
	case TAG_SCRAM_ITERATIONS:
		s->scram_iterations = (uint32_t)number_upto(f, 10000000, bad);
		break;
	case TAG_SCRAM_SALT:
		s->scram_salt = f->bytes;
		break;
	case TAG_SCRAM_STORED:
		s->scram_stored = f->bytes;
		break;
	case TAG_SCRAM_SERVER:
		s->scram_server = f->bytes;
		break;
	case TAG_APPS:
		s->apps = f->bytes;
		*bad |= !app_passwords_are_valid(f->bytes);
		break;
	case TAG_APP_ONLY:
		s->app_only = number_upto(f, 1, bad) == 1;
		break;
	}
}

/* Either no SCRAM keys at all, or whole ones. */
static bool
scram_is_sane(const struct secret_record *s)
{
	if (s->scram_iterations == 0)
		return true;
	return s->scram_salt.len >= 8 && s->scram_salt.len <= 64 &&
	    s->scram_stored.len == 32 && s->scram_server.len == 32;
}

int
secret_record_unpack(struct slice value, struct secret_record *out)
{
	struct secret_record s = {
		.uid = (uid_t)-1, .state = ACCOUNT_DISABLED,
		.folder = SLICE_EMPTY,
		.hash = SLICE_EMPTY, .apps = SLICE_EMPTY,
		.scram_salt = SLICE_EMPTY,
		.scram_stored = SLICE_EMPTY, .scram_server = SLICE_EMPTY
	};
	struct unpacker u;
	struct field f;
	bool bad = !begin(&u, value);
	int r = 0;

	while (!bad && (r = next_field(&u, &f)) == 1)
		secret_field(&s, &f, &bad);
	if (bad || r == -1 || s.uid == (uid_t)-1 || !scram_is_sane(&s))
		return damaged();
	*out = s;
	return 0;
}

void
access_record_pack(struct packer *k, const struct access_record *a)
{
	pack_u8(k, ACCOUNT_VERSION);
	put_number(k, TAG_MAY_RELAY, a->may_relay);
	put_some(k, TAG_OWNER, a->owner);
	put_if(k, TAG_MESSAGES_HOUR, a->messages_hour);
	put_if(k, TAG_MESSAGES_DAY, a->owner_messages_day);
}

static void
access_field(struct access_record *a, const struct field *f, bool *bad)
{
	switch (f->tag) {
	case TAG_MAY_RELAY:
		a->may_relay = number_upto(f, 1, bad) == 1;
		break;
	case TAG_OWNER:
		a->owner = f->bytes;
		break;
	case TAG_MESSAGES_HOUR:
		a->messages_hour = number_upto(f, INT64_MAX, bad);
		break;
	case TAG_MESSAGES_DAY:
		a->owner_messages_day = number_upto(f, INT64_MAX, bad);
		break;
	}
}

int
access_record_unpack(struct slice value, struct access_record *out)
{
	struct access_record a = { .owner = SLICE_EMPTY };
	struct unpacker u;
	struct field f;
	bool bad = !begin(&u, value);
	int r = 0;

	while (!bad && (r = next_field(&u, &f)) == 1)
		access_field(&a, &f, &bad);
	if (bad || r == -1)
		return damaged();
	*out = a;
	return 0;
}
