/* proto_mailbox.c - what may be asked of malle-mailbox about one mailbox. */
/* SPDX-License-Identifier: ISC */

#include "lib/proto_mailbox.h"

bool
box_is_folder(struct slice s)
{
	if (s.len == 0)
		return true;
	if (s.len > BOX_FOLDER_MAX || s.len < 2 || s.p[0] != '.' ||
	    s.p[s.len - 1] == '.')
		return false;
	for (size_t i = 0; i < s.len; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (c < ' ' || c == 0x7f || c == '/' ||
		    (c == '.' && s.p[i + 1] == '.'))
			return false;
	}
	return true;
}

bool
box_is_unique(struct slice s)
{
	if (s.len == 0 || s.len > BOX_UNIQUE_MAX || s.p[0] == '.')
		return false;
	for (size_t i = 0; i < s.len; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (c <= ' ' || c >= 0x7f || c == '/' || c == ':' || c == ',')
			return false;
	}
	return true;
}

bool
box_is_flags(struct slice s)
{
	if (s.len > BOX_FLAGS_MAX)
		return false;
	for (size_t i = 0; i < s.len; i++) {
		char c = (char)(s.p[i] | 0x20);

		if (c < 'a' || c > 'z')
			return false;
	}
	return true;
}

void
box_place_pack(struct packer *k, const struct box_message *m)
{
	pack_bytes(k, slice_of(m->folder));
	pack_bytes(k, slice_of(m->unique));
}

/* Folder and unique; the reader asks later whether anything was bad. */
static bool
take_place(struct unpacker *u, struct box_message *m)
{
	struct slice folder = unpack_text(u, BOX_FOLDER_MAX);
	struct slice unique = unpack_text(u, BOX_UNIQUE_MAX);

	return !u->bad && box_is_folder(folder) && box_is_unique(unique) &&
	    slice_to_cstr(folder, m->folder, sizeof(m->folder)) == 0 &&
	    slice_to_cstr(unique, m->unique, sizeof(m->unique)) == 0;
}

int
box_place_unpack(struct unpacker *u, struct box_message *out)
{
	struct box_message m = { .size = 0 };

	if (!take_place(u, &m))
		return -1;
	*out = m;
	return 0;
}

void
box_message_pack(struct packer *k, const struct box_message *m)
{
	box_place_pack(k, m);
	pack_bytes(k, slice_of(m->flags));
	pack_u8(k, m->is_new);
	pack_u64(k, m->size);
	pack_u64(k, (uint64_t)m->time);
}

int
box_message_unpack(struct unpacker *u, struct box_message *out)
{
	struct box_message m;
	struct slice flags;
	uint64_t time;
	uint8_t is_new;

	if (!take_place(u, &m))
		return -1;
	flags = unpack_text(u, BOX_FLAGS_MAX);
	is_new = unpack_u8(u);
	m.size = unpack_u64(u);
	time = unpack_u64(u);
	if (u->bad || !box_is_flags(flags) || is_new > 1 ||
	    m.size > BOX_SIZE_MAX || time > INT64_MAX / 2 ||
	    slice_to_cstr(flags, m.flags, sizeof(m.flags)) == -1)
		return -1;
	m.is_new = is_new == 1;
	m.time = (int64_t)time;
	*out = m;
	return 0;
}

void
box_headers_pack(struct packer *k, const struct box_headers *h)
{
	pack_bytes(k, h->date);
	pack_bytes(k, h->from);
	pack_bytes(k, h->subject);
}

void
box_headers_unpack(struct unpacker *u, struct box_headers *out)
{
	out->date = unpack_text(u, BOX_HEADER_MAX);
	out->from = unpack_text(u, BOX_HEADER_MAX);
	out->subject = unpack_text(u, BOX_HEADER_MAX);
}

void
box_strays_pack(struct packer *k, const struct box_strays *s)
{
	pack_u32(k, s->days);
	pack_bytes(k, slice_of(s->address));
	pack_bytes(k, slice_of(s->hostname));
	pack_bytes(k, slice_of(s->language));
	pack_bytes(k, slice_of(s->zone));
}

int
box_strays_unpack(struct unpacker *u, struct box_strays *out)
{
	struct box_strays s;

	s.days = unpack_u32(u);
	unpack_cstr(u, s.address, sizeof(s.address));
	unpack_cstr(u, s.hostname, sizeof(s.hostname));
	unpack_cstr(u, s.language, sizeof(s.language));
	unpack_cstr(u, s.zone, sizeof(s.zone));
	if (!unpack_end(u) || s.days == 0)
		return -1;
	*out = s;
	return 0;
}
