/* envelope.c - the records of a queue file: malle-queue(5). No I/O. */
/* SPDX-License-Identifier: ISC */
#include "queue/envelope.h"

#include <errno.h>
#include <stdlib.h>

#define MUST_KNOW 128u
#define RECORD_VERSION 1
#define RECORD_HEAD 6		/* type, version, length */

/* Appends a record made of what body has packed. */
static void
put_record(struct str *s, enum record_type type, const struct packer *body)
{
	unsigned char head[RECORD_HEAD];
	struct packer k;

	if (body->bad) {
		s->bad = true;
		return;
	}
	pack_init(&k, head, sizeof(head));
	pack_u8(&k, (uint8_t)type);
	pack_u8(&k, RECORD_VERSION);
	pack_u32(&k, (uint32_t)body->len);
	str_put(s, pack_slice(&k));
	str_put(s, pack_slice(body));
}

void
record_text(struct str *s, enum record_type type, struct slice text)
{
	unsigned char space[2048];
	struct packer k;

	pack_init(&k, space, sizeof(space));
	pack_bytes(&k, text);
	put_record(s, type, &k);
}

void
record_original(struct str *s, struct slice address, uint8_t notify,
    struct slice orcpt)
{
	unsigned char space[2048];
	struct packer k;

	pack_init(&k, space, sizeof(space));
	pack_bytes(&k, address);
	pack_u8(&k, notify);
	pack_bytes(&k, orcpt);
	put_record(s, RECORD_ORIGINAL, &k);
}

void
record_recipient(struct str *s, enum recipient_kind kind, struct slice domain,
    struct slice local, struct slice detail, uint32_t original)
{
	unsigned char space[2048];
	struct packer k;

	pack_init(&k, space, sizeof(space));
	pack_u8(&k, (uint8_t)kind);
	pack_bytes(&k, domain);
	pack_bytes(&k, local);
	pack_bytes(&k, detail);
	pack_u32(&k, original);
	put_record(s, RECORD_RECIPIENT, &k);
}

void
record_also(struct str *s, uint32_t recipient, uint32_t original)
{
	unsigned char space[8];
	struct packer k;

	pack_init(&k, space, sizeof(space));
	pack_u32(&k, recipient);
	pack_u32(&k, original);
	put_record(s, RECORD_ALSO, &k);
}

void
record_stray(struct str *s, uint32_t recipient)
{
	unsigned char space[4];
	struct packer k;

	pack_init(&k, space, sizeof(space));
	pack_u32(&k, recipient);
	put_record(s, RECORD_STRAY, &k);
}

void
record_told(struct str *s, uint8_t kind, uint32_t first, uint32_t count)
{
	unsigned char space[16];
	struct packer k;

	pack_init(&k, space, sizeof(space));
	pack_u8(&k, kind);
	pack_u32(&k, first);
	pack_u32(&k, count);
	put_record(s, RECORD_TOLD, &k);
}

/* How many records of a kind there are: before any is stored. */
struct counts {
	uint32_t originals, recipients, alsos, tolds;
};

/* The next record: its type, its body. -1 when it is not one. */
static int
next_record(struct unpacker *u, uint8_t *type, struct unpacker *body)
{
	uint8_t version;
	struct slice bytes;

	*type = unpack_u8(u);
	version = unpack_u8(u);
	bytes = unpack_bytes(u, ENVELOPE_MAX);
	if (u->bad || (*type < MUST_KNOW && version != RECORD_VERSION) ||
	    *type >= MUST_KNOW)
		return -1;
	unpack_init(body, bytes);
	return 0;
}

static int
count_records(struct slice records, struct counts *c)
{
	struct unpacker u, body;
	uint8_t type;

	memset(c, 0, sizeof(*c));
	unpack_init(&u, records);
	while (u.len > 0) {
		if (next_record(&u, &type, &body) == -1)
			return -1;
		c->originals += type == RECORD_ORIGINAL;
		c->recipients += type == RECORD_RECIPIENT;
		c->alsos += type == RECORD_ALSO;
		c->tolds += type == RECORD_TOLD;
	}
	return 0;
}

const char *
recipient_kind_name(uint8_t kind)
{
	static const char *const names[RCPT_KIND_END] = {
		[RCPT_MAILBOX] = "mailbox", [RCPT_REMOTE] = "remote",
		[RCPT_ANSWER] = "answer", [RCPT_DISCARD] = "discard"
	};

	return kind < RCPT_KIND_END ? names[kind] : "unknown";
}

static struct envelope *
envelope_new(struct slice records, const struct counts *c)
{
	struct envelope *e;
	size_t size = sizeof(*e), recipients, originals, alsos, tolds;

	/* All counts are at most RECIPIENTS_MAX or ENVELOPE_MAX / 6. */
	recipients = size;
	size += c->recipients * sizeof(*e->recipients);
	originals = size;
	size += c->originals * sizeof(*e->originals);
	alsos = size;
	size += c->alsos * sizeof(*e->alsos);
	tolds = size;
	size += c->tolds * sizeof(*e->tolds);
	if ((e = malloc(size + records.len)) == NULL)
		return NULL;
	memset(e, 0, size);
	e->recipients = (void *)((char *)e + recipients);
	e->originals = (void *)((char *)e + originals);
	e->alsos = (void *)((char *)e + alsos);
	e->tolds = (void *)((char *)e + tolds);
	e->records = (unsigned char *)e + size;
	memcpy(e->records, records.p, records.len);
	return e;
}

static void
take_original(struct envelope *e, struct unpacker *b)
{
	struct original *o = &e->originals[e->n_originals++];

	o->address = unpack_text(b, ADDR_TEXT_MAX - 1);
	o->notify = unpack_u8(b);
	o->orcpt = unpack_text(b, QUEUE_ORCPT_MAX);
}

static void
take_recipient(struct envelope *e, struct unpacker *b, uint32_t originals)
{
	struct recipient *r = &e->recipients[e->n_recipients++];

	r->kind = unpack_u8(b);
	r->domain = unpack_text(b, ADDR_DOMAIN_MAX);
	r->local = unpack_text(b, ADDR_LOCAL_MAX);
	r->detail = unpack_text(b, r->kind == RCPT_REMOTE ?
	    ADDR_TEXT_MAX - 1 : ADDR_LOCAL_MAX);
	r->original = unpack_u32(b);
	if (r->kind >= RCPT_KIND_END || r->original >= originals)
		b->bad = true;
}

static void
take_also(struct envelope *e, struct unpacker *b, const struct counts *c)
{
	struct also *a = &e->alsos[e->n_alsos++];

	a->recipient = unpack_u32(b);
	a->original = unpack_u32(b);
	if (a->recipient >= c->recipients || a->original >= c->originals)
		b->bad = true;
}

static void
take_told(struct envelope *e, struct unpacker *b)
{
	struct told *t = &e->tolds[e->n_tolds++];

	t->kind = unpack_u8(b);
	t->first = unpack_u32(b);
	t->count = unpack_u32(b);
}

static void
take_stray(struct envelope *e, struct unpacker *b, const struct counts *c)
{
	uint32_t recipient = unpack_u32(b);

	if (b->bad || recipient >= c->recipients)
		b->bad = true;
	else
		e->recipients[recipient].is_stray = true;
}

/* One record into e. -1 when its fields are wrong. */
static int
take_record(struct envelope *e, uint8_t type, struct unpacker *b,
    const struct counts *c)
{
	switch (type) {
	case RECORD_SENDER:
		e->sender = unpack_text(b, ADDR_TEXT_MAX - 1);
		break;
	case RECORD_ENVID:
		e->envid = unpack_text(b, QUEUE_ENVID_MAX);
		break;
	case RECORD_ACCOUNT:
		e->account = unpack_text(b, ADDR_TEXT_MAX - 1);
		break;
	case RECORD_CLIENT:
		e->client = unpack_text(b, IP_TEXT_MAX - 1);
		break;
	case RECORD_SESSION:
		e->session = unpack_text(b, QUEUE_ID_MAX);
		break;
	case RECORD_ABOUT:
		e->about = unpack_text(b, QUEUE_ID_MAX);
		break;
	case RECORD_ORIGINAL:
		take_original(e, b);
		break;
	case RECORD_RECIPIENT:
		take_recipient(e, b, c->originals);
		break;
	case RECORD_ALSO:
		take_also(e, b, c);
		break;
	case RECORD_TOLD:
		take_told(e, b);
		break;
	case RECORD_STRAY:
		take_stray(e, b, c);
		break;
	default:
		return 0;
	}
	return unpack_end(b) ? 0 : -1;
}

/* A mailbox that has the very name that was given: mail is delivered to it,
 * whoever gets copies beside it. */
static bool
is_named(const struct recipient *r, struct slice address)
{
	return r->kind == RCPT_MAILBOX &&
	    address.len == r->local.len + 1 + r->domain.len &&
	    slice_eq_nocase(r->local, slice_make(address.p, r->local.len)) &&
	    address.p[r->local.len] == '@' &&
	    slice_eq_nocase(r->domain, slice_skip(address, r->local.len + 1));
}

/* One more recipient of an original. */
static void
lead(struct envelope *e, uint32_t original, uint32_t recipient)
{
	struct original *o = &e->originals[original];
	const struct recipient *r = &e->recipients[recipient];
	bool has_name = o->speaker != UINT32_MAX &&
	    is_named(&e->recipients[o->speaker], o->address);

	if (r->kind != RCPT_MAILBOX && r->kind != RCPT_REMOTE &&
	    o->speaker != UINT32_MAX)
		return;
	if (o->speaker == UINT32_MAX)
		o->speaker = recipient;
	else if (is_named(r, o->address)) {
		o->speaker = recipient;
		o->is_expanded = false;
	} else
		o->is_expanded = !has_name;
}

uint8_t
envelope_wants(const struct envelope *e, uint32_t original,
    uint32_t recipient)
{
	const struct original *o = &e->originals[original];
	uint8_t wants = notify_wants(o->notify);

	return o->speaker == recipient ? wants :
	    wants & (uint8_t)~QN_SUCCESS;
}

static int
compare_alsos(const void *one, const void *two)
{
	const struct also *a = one, *b = two;

	if (a->recipient != b->recipient)
		return a->recipient < b->recipient ? -1 : 1;
	return (a->original > b->original) - (a->original < b->original);
}

uint32_t
envelope_alsos(const struct envelope *e, uint32_t recipient)
{
	uint32_t lo = 0;

	for (uint32_t hi = e->n_alsos; lo < hi; ) {
		uint32_t mid = lo + (hi - lo) / 2;

		if (e->alsos[mid].recipient < recipient)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static bool
may_speak(const struct recipient *r)
{
	return (r->kind == RCPT_MAILBOX || r->kind == RCPT_REMOTE) &&
	    r->state.status != RCPT_FAILED &&
	    r->state.status != RCPT_FAILED_TOLD;
}

/* Another recipient of an alias of several for the one that has failed. Those
 * of an original are mostly in a row, and none before it is left. */
static void
speak_next(struct envelope *e, struct original *o)
{
	uint32_t number = (uint32_t)(o - e->originals), next = UINT32_MAX;

	for (uint32_t i = o->speaker + 1; next == UINT32_MAX &&
	    i < e->n_recipients; i++)
		if (e->recipients[i].original == number &&
		    may_speak(&e->recipients[i]))
			next = i;
	for (uint32_t i = 0; next == UINT32_MAX && i < e->n_alsos; i++)
		if (e->alsos[i].original == number &&
		    may_speak(&e->recipients[e->alsos[i].recipient]))
			next = e->alsos[i].recipient;
	if (next == UINT32_MAX)
		return;
	o->speaker = next;
	e->recipients[next].wants |= QN_SUCCESS;
}

void
envelope_failed(struct envelope *e, uint32_t recipient)
{
	struct original *o = &e->originals[e->recipients[recipient].original];
	uint32_t i = envelope_alsos(e, recipient);

	for (;;) {
		if (o->is_expanded && o->speaker == recipient &&
		    (notify_wants(o->notify) & QN_SUCCESS) != 0)
			speak_next(e, o);
		if (i == e->n_alsos || e->alsos[i].recipient != recipient)
			return;
		o = &e->originals[e->alsos[i++].original];
	}
}

bool
envelope_has_waiting(const struct envelope *e)
{
	for (uint32_t i = 0; i < e->n_recipients; i++)
		if (e->recipients[i].state.status == RCPT_WAITING)
			return true;
	return false;
}

static void
set_wants(struct envelope *e)
{
	if (e->n_alsos > 1)
		qsort(e->alsos, e->n_alsos, sizeof(*e->alsos), compare_alsos);
	for (uint32_t i = 0; i < e->n_originals; i++)
		e->originals[i].speaker = UINT32_MAX;
	for (uint32_t i = 0; i < e->n_recipients; i++)
		lead(e, e->recipients[i].original, i);
	for (uint32_t i = 0; i < e->n_alsos; i++)
		lead(e, e->alsos[i].original, e->alsos[i].recipient);
	for (uint32_t i = 0; i < e->n_recipients; i++)
		e->recipients[i].wants =
		    envelope_wants(e, e->recipients[i].original, i);
	for (uint32_t i = 0; i < e->n_alsos; i++)
		e->recipients[e->alsos[i].recipient].wants |= envelope_wants(e,
		    e->alsos[i].original, e->alsos[i].recipient);
}

struct envelope *
envelope_parse(struct slice records, uint32_t originals, uint32_t recipients)
{
	struct envelope *e = NULL;
	struct unpacker u, body;
	struct counts c;
	uint8_t type;

	if (records.len > ENVELOPE_MAX || count_records(records, &c) == -1 ||
	    c.originals != originals || c.recipients != recipients ||
	    recipients == 0)
		goto damaged;
	if ((e = envelope_new(records, &c)) == NULL)
		return NULL;
	unpack_init(&u, slice_make(e->records, records.len));
	while (u.len > 0)
		if (next_record(&u, &type, &body) == -1 ||
		    take_record(e, type, &body, &c) == -1)
			goto damaged;
	set_wants(e);
	return e;
damaged:
	envelope_free(e);
	errno = EBADMSG;
	return NULL;
}

void
envelope_free(struct envelope *e)
{
	for (uint32_t i = 0; e != NULL && i < e->n_recipients; i++)
		free(e->recipients[i].folder);
	free(e);
}

void
reply_encode(struct str *s, const struct reply *r)
{
	unsigned char space[TAIL_RECORD_MAX];
	struct packer k, head;

	pack_init(&k, space + 8, sizeof(space) - 8);
	pack_u32(&k, r->recipient);
	pack_u64(&k, (uint64_t)r->when);
	pack_u8(&k, (uint8_t)r->result);
	pack_bytes(&k, slice_of(r->enhanced));
	pack_bytes(&k, slice_of(r->text));
	pack_bytes(&k, slice_of(r->remote));
	pack_init(&head, space, 8);
	pack_u32(&head, (uint32_t)k.len);
	pack_u32(&head, crc_add(0, k.p, k.len));
	str_put(s, slice_make(space, 8 + k.len));
}

size_t
reply_decode(struct slice bytes, struct reply *out)
{
	struct unpacker u;
	struct reply r;
	uint32_t len, crc;

	unpack_init(&u, bytes);
	len = unpack_u32(&u);
	crc = unpack_u32(&u);
	if (u.bad || len > u.len || len > TAIL_RECORD_MAX ||
	    crc != crc_add(0, u.p, len))
		return 0;
	u.len = len;
	memset(&r, 0, sizeof(r));
	r.recipient = unpack_u32(&u);
	r.when = (int64_t)unpack_u64(&u);
	r.result = (enum queue_result)unpack_u8(&u);
	if (slice_to_cstr(unpack_text(&u, 11), r.enhanced,
	    sizeof(r.enhanced)) == -1 ||
	    slice_to_cstr(unpack_text(&u, QUEUE_TEXT_MAX), r.text,
	    sizeof(r.text)) == -1 ||
	    slice_to_cstr(unpack_text(&u, ADDR_DOMAIN_MAX), r.remote,
	    sizeof(r.remote)) == -1 || !unpack_end(&u) ||
	    (unsigned)r.result > QUEUE_PERMANENT)
		return 0;
	*out = r;
	return 8 + (size_t)len;
}
