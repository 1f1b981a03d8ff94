/* proto_bounce.c - requests from malle-queued to malle-bounce. */
/* SPDX-License-Identifier: ISC */
#include "queue/proto_bounce.h"

/* A text field into a fixed array; too long or with a NUL is bad. */
static void
unpack_into(struct unpacker *u, char *dst, size_t cap)
{
	struct slice s = unpack_text(u, cap - 1);

	if (slice_to_cstr(s, dst, cap) == -1)
		u->bad = true;
}

void
bounce_notice_pack(struct packer *k, const struct bounce_notice *n)
{
	pack_u8(k, (uint8_t)n->kind);
	pack_bytes(k, slice_of(n->id));
	pack_bytes(k, slice_of(n->to));
	pack_u8(k, n->is_double);
	pack_bytes(k, slice_of(n->envid));
	pack_u32(k, n->flags);
	pack_bytes(k, slice_of(n->language));
	pack_bytes(k, slice_of(n->zone));
	pack_u64(k, (uint64_t)n->arrival);
	pack_u64(k, n->content_offset);
	pack_u64(k, n->content_length);
	pack_u32(k, n->recipients);
}

int
bounce_notice_unpack(struct unpacker *u, struct bounce_notice *out)
{
	struct bounce_notice n;
	uint8_t kind;

	memset(&n, 0, sizeof(n));
	kind = unpack_u8(u);
	unpack_into(u, n.id, sizeof(n.id));
	unpack_into(u, n.to, sizeof(n.to));
	n.is_double = unpack_u8(u) != 0;
	unpack_into(u, n.envid, sizeof(n.envid));
	n.flags = unpack_u32(u);
	unpack_into(u, n.language, sizeof(n.language));
	unpack_into(u, n.zone, sizeof(n.zone));
	n.arrival = (int64_t)unpack_u64(u);
	n.content_offset = unpack_u64(u);
	n.content_length = unpack_u64(u);
	n.recipients = unpack_u32(u);
	if (u->bad || kind > BOUNCE_SUCCESS || n.recipients == 0 ||
	    n.recipients > BOUNCE_RECIPIENTS_MAX)
		return -1;
	n.kind = (enum bounce_kind)kind;
	*out = n;
	return 0;
}

void
bounce_recipient_pack(struct packer *k, const struct bounce_recipient *r)
{
	pack_bytes(k, slice_of(r->address));
	pack_bytes(k, slice_of(r->original));
	pack_bytes(k, slice_of(r->orcpt));
	pack_u8(k, (uint8_t)r->action);
	pack_bytes(k, slice_of(r->status));
	pack_bytes(k, slice_of(r->text));
	pack_bytes(k, slice_of(r->remote));
	pack_u64(k, (uint64_t)r->last_attempt);
	pack_u64(k, (uint64_t)r->retry_until);
}

int
bounce_recipient_unpack(struct unpacker *u, struct bounce_recipient *out)
{
	struct bounce_recipient r;
	uint8_t action;

	memset(&r, 0, sizeof(r));
	unpack_into(u, r.address, sizeof(r.address));
	unpack_into(u, r.original, sizeof(r.original));
	unpack_into(u, r.orcpt, sizeof(r.orcpt));
	action = unpack_u8(u);
	unpack_into(u, r.status, sizeof(r.status));
	unpack_into(u, r.text, sizeof(r.text));
	unpack_into(u, r.remote, sizeof(r.remote));
	r.last_attempt = (int64_t)unpack_u64(u);
	r.retry_until = (int64_t)unpack_u64(u);
	if (u->bad || action > ACTION_EXPANDED)
		return -1;
	r.action = (enum bounce_action)action;
	*out = r;
	return 0;
}
