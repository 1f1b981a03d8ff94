/* pack.c - typed fields in a byte string: our messages and table records. */
/* SPDX-License-Identifier: ISC */

#include "lib/pack.h"

void
pack_init(struct packer *k, void *space, size_t cap)
{
	*k = (struct packer){ space, 0, cap, false };
}

static void
put(struct packer *k, const void *p, size_t len)
{
	if (k->bad || len > k->cap - k->len) {
		k->bad = true;
		return;
	}
	if (len > 0)
		memcpy(k->p + k->len, p, len);
	k->len += len;
}

static void
put_number(struct packer *k, uint64_t v, size_t width)
{
	unsigned char b[8];

	for (size_t i = 0; i < width; i++)
		b[i] = (unsigned char)(v >> (8 * i));
	put(k, b, width);
}

void
pack_u8(struct packer *k, uint8_t v)
{
	put_number(k, v, 1);
}

void
pack_u16(struct packer *k, uint16_t v)
{
	put_number(k, v, 2);
}

void
pack_u32(struct packer *k, uint32_t v)
{
	put_number(k, v, 4);
}

void
pack_u64(struct packer *k, uint64_t v)
{
	put_number(k, v, 8);
}

void
pack_bytes(struct packer *k, struct slice s)
{
	if (s.len > UINT32_MAX) {
		k->bad = true;
		return;
	}
	pack_u32(k, (uint32_t)s.len);
	put(k, s.p, s.len);
}

void
pack_raw(struct packer *k, struct slice s)
{
	put(k, s.p, s.len);
}

void
unpack_init(struct unpacker *u, struct slice s)
{
	*u = (struct unpacker){ (const unsigned char *)s.p, s.len, false };
}

static struct slice
get(struct unpacker *u, size_t len)
{
	struct slice s;

	if (u->bad || len > u->len) {
		u->bad = true;
		return SLICE_EMPTY;
	}
	s = slice_make(u->p, len);
	u->p += len;
	u->len -= len;
	return s;
}

static uint64_t
get_number(struct unpacker *u, size_t width)
{
	struct slice s = get(u, width);
	uint64_t v = 0;

	for (size_t i = 0; i < s.len; i++)
		v |= (uint64_t)(unsigned char)s.p[i] << (8 * i);
	return v;
}

uint8_t
unpack_u8(struct unpacker *u)
{
	return (uint8_t)get_number(u, 1);
}

uint16_t
unpack_u16(struct unpacker *u)
{
	return (uint16_t)get_number(u, 2);
}

uint32_t
unpack_u32(struct unpacker *u)
{
	return (uint32_t)get_number(u, 4);
}

uint64_t
unpack_u64(struct unpacker *u)
{
	return get_number(u, 8);
}

struct slice
unpack_bytes(struct unpacker *u, size_t max)
{
	uint32_t len = unpack_u32(u);

	if (len > max) {
		u->bad = true;
		return SLICE_EMPTY;
	}
	return get(u, len);
}

struct slice
unpack_text(struct unpacker *u, size_t max)
{
	struct slice s = unpack_bytes(u, max);

	for (size_t i = 0; i < s.len; i++) {
		if (s.p[i] == '\0' || s.p[i] == '\r' || s.p[i] == '\n') {
			u->bad = true;
			return SLICE_EMPTY;
		}
	}
	return s;
}

void
unpack_cstr(struct unpacker *u, char *out, size_t cap)
{
	if (slice_to_cstr(unpack_text(u, cap - 1), out, cap) == -1)
		u->bad = true;
}

struct slice
unpack_rest(struct unpacker *u)
{
	return get(u, u->len);
}

bool
unpack_end(const struct unpacker *u)
{
	return !u->bad && u->len == 0;
}
