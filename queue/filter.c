/* filter.c - which messages a control request is about, as bytes. */
/* SPDX-License-Identifier: ISC */
#include "queue/filter.h"

void
queue_filter_pack(struct packer *k, const struct queue_filter *f)
{
	pack_u16(k, QUEUE_PROTOCOL);
	pack_bytes(k, slice_of(f->id));
	pack_bytes(k, slice_of(f->sender));
	pack_bytes(k, slice_of(f->recipient));
	pack_u64(k, f->older_than);
	pack_u8(k, f->held_only);
	pack_bytes(k, slice_of(f->account));
}

int
queue_filter_unpack(struct unpacker *u, struct queue_filter *out)
{
	struct queue_filter f;

	if (unpack_u16(u) != QUEUE_PROTOCOL)
		return -1;
	unpack_cstr(u, f.id, sizeof(f.id));
	unpack_cstr(u, f.sender, sizeof(f.sender));
	unpack_cstr(u, f.recipient, sizeof(f.recipient));
	f.older_than = unpack_u64(u);
	f.held_only = unpack_u8(u) != 0;
	unpack_cstr(u, f.account, sizeof(f.account));
	if (!unpack_end(u))
		return -1;
	*out = f;
	return 0;
}
