/* draft.c - the envelope of a message that is being received. No I/O. */
/* SPDX-License-Identifier: ISC */
#include "queue/draft.h"

#include <errno.h>
#include <stdlib.h>

#define SEEN_FIRST 64
#define KEEP_MAX (256 * 1024)	/* memory kept between messages */

void
draft_init(struct draft *d)
{
	memset(d, 0, sizeof(*d));
	d->records = STR_INIT(ENVELOPE_MAX);
	d->replies = STR_INIT(ENVELOPE_MAX);
}

void
draft_free(struct draft *d)
{
	str_free(&d->records);
	str_free(&d->replies);
	free(d->v);
	free(d->seen);
	memset(d, 0, sizeof(*d));
}

void
draft_clear(struct draft *d)
{
	if (d->records.cap + d->replies.cap > KEEP_MAX) {
		draft_free(d);
		draft_init(d);
		return;
	}
	str_clear(&d->records);
	str_clear(&d->replies);
	d->n = d->n_originals = d->n_refused = 0;
	if (d->seen != NULL)
		memset(d->seen, 0, d->seen_size * sizeof(*d->seen));
}

int
draft_original(struct draft *d, struct slice address, uint8_t notify,
    struct slice orcpt)
{
	if (d->n_originals >= RECIPIENTS_MAX) {
		errno = E2BIG;
		return -1;
	}
	record_original(&d->records, address, notify, orcpt);
	d->n_originals++;
	if (str_ok(&d->records))
		return 0;
	errno = ENOMEM;
	return -1;
}

static uint32_t
hash_destination(enum recipient_kind kind, struct slice domain,
    struct slice local)
{
	uint32_t h = crc_add((uint32_t)kind, domain.p, domain.len);

	return crc_add(h, local.p, local.len) * 2654435769u;
}

/* True when recipient i is this destination. */
static bool
is_same(const struct draft *d, uint32_t i, enum recipient_kind kind,
    struct slice domain, struct slice local)
{
	struct unpacker u;

	unpack_init(&u, slice_skip(str_slice(&d->records), d->v[i].record));
	(void)unpack_u16(&u);
	(void)unpack_u32(&u);
	return unpack_u8(&u) == (uint8_t)kind &&
	    slice_eq(unpack_bytes(&u, ADDR_DOMAIN_MAX), domain) &&
	    slice_eq(unpack_bytes(&u, ADDR_LOCAL_MAX), local);
}

/* The place in v of a destination that is there already; d->n without one. */
static uint32_t
find(const struct draft *d, uint32_t hash, enum recipient_kind kind,
    struct slice domain, struct slice local)
{
	uint32_t mask = d->seen_size - 1, at;

	if (d->seen_size == 0)
		return d->n;
	for (at = hash & mask; d->seen[at] != 0; at = (at + 1) & mask) {
		uint32_t i = d->seen[at] - 1;

		if (d->v[i].hash == hash &&
		    is_same(d, i, kind, domain, local))
			return i;
	}
	return d->n;
}

static void
seen_insert(struct draft *d, uint32_t i)
{
	uint32_t mask = d->seen_size - 1, at = d->v[i].hash & mask;

	while (d->seen[at] != 0)
		at = (at + 1) & mask;
	d->seen[at] = i + 1;
}

static int
seen_grow(struct draft *d)
{
	uint32_t size = d->seen_size > 0 ? d->seen_size * 2 : SEEN_FIRST;
	uint32_t *seen;

	if (d->n * 2 < d->seen_size)
		return 0;
	if ((seen = calloc(size, sizeof(*seen))) == NULL)
		return -1;
	free(d->seen);
	d->seen = seen;
	d->seen_size = size;
	for (uint32_t i = 0; i < d->n; i++)
		seen_insert(d, i);
	return 0;
}

/* Room for one more in v and in the hash table. */
static int
room(struct draft *d)
{
	uint32_t cap = d->cap > 0 ? d->cap * 2 : 16;
	struct draft_recipient *v;

	if (d->n >= RECIPIENTS_MAX) {
		errno = E2BIG;
		return -1;
	}
	if (d->n == d->cap) {
		v = reallocarray(d->v, cap, sizeof(*v));
		if (v == NULL)
			return -1;
		d->v = v;
		d->cap = cap;
	}
	return seen_grow(d);
}

static int
put_recipient(struct draft *d, uint32_t hash, enum recipient_kind kind,
    struct slice domain, struct slice local, struct slice detail)
{
	uint32_t i = d->n;

	if (room(d) == -1)
		return -1;
	d->v[i] = (struct draft_recipient){
		hash, (uint32_t)d->records.len, 0, false, false
	};
	record_recipient(&d->records, kind, domain, local, detail,
	    d->n_originals - 1);
	if (!str_ok(&d->records)) {
		errno = ENOMEM;
		return -1;
	}
	d->n++;
	seen_insert(d, i);
	return 0;
}

int
draft_add(struct draft *d, enum recipient_kind kind, struct slice domain,
    struct slice local, struct slice detail, bool is_stray)
{
	uint32_t hash = hash_destination(kind, domain, local);
	uint32_t i = find(d, hash, kind, domain, local);

	if (i == d->n) {
		if (put_recipient(d, hash, kind, domain, local, detail) == -1)
			return -1;
		d->v[i].is_stray = is_stray;
		return 0;
	}
	d->v[i].is_stray &= is_stray;
	record_also(&d->records, i, d->n_originals - 1);
	if (str_ok(&d->records))
		return 0;
	errno = ENOMEM;
	return -1;
}

/* A refused recipient: remote in name only, nobody will ever be asked. */
int
draft_refuse(struct draft *d, struct slice domain, struct slice local,
    struct reply *why)
{
	if (put_recipient(d, d->n, RCPT_REMOTE, domain, local,
	    SLICE_EMPTY) == -1)
		return -1;
	d->v[d->n - 1].reply = (uint32_t)d->replies.len + 1;
	why->recipient = d->n - 1;
	reply_encode(&d->replies, why);
	d->n_refused++;
	if (str_ok(&d->replies))
		return 0;
	errno = ENOMEM;
	return -1;
}

struct draft_mark
draft_mark(const struct draft *d)
{
	return (struct draft_mark){ d->records.len, d->n };
}

void
draft_rewind(struct draft *d, struct draft_mark m)
{
	d->records.len = m.records;
	d->n = m.n;
	if (d->seen == NULL)
		return;
	memset(d->seen, 0, d->seen_size * sizeof(*d->seen));
	for (uint32_t i = 0; i < d->n; i++)
		seen_insert(d, i);
}

int
draft_end(struct draft *d)
{
	for (uint32_t i = 0; i < d->n; i++)
		if (d->v[i].is_stray)
			record_stray(&d->records, i);
	if (str_ok(&d->records))
		return 0;
	errno = ENOMEM;
	return -1;
}

void
draft_states(const struct draft *d, uint64_t tail, int64_t now,
    unsigned char *out)
{
	for (uint32_t i = 0; i < d->n; i++) {
		struct recipient_state s = { .status = RCPT_WAITING,
		    .due = now };

		if (d->v[i].reply != 0) {
			s.status = RCPT_FAILED;
			s.reply = tail + d->v[i].reply - 1;
			s.attempts = 1;
			s.last = now;
		}
		recipient_state_encode(&s, out + (size_t)i *
		    RECIPIENT_STATE_LEN);
	}
}
