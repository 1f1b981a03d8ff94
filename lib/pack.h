/* pack.h - typed fields in a byte string: our messages and table records. */
#ifndef LIB_PACK_H
#define LIB_PACK_H
/* SPDX-License-Identifier: ISC */

#include <stdint.h>

#include "lib/slice.h"

/*
 * Integers are little-endian, fixed width; bytes are a 32-bit length and the
 * bytes. Nothing is aligned, no struct is ever copied. Errors are sticky.
 */
struct packer {
	unsigned char *p;
	size_t len, cap;
	bool bad;		/* did not fit */
};

struct unpacker {
	const unsigned char *p;
	size_t len;
	bool bad;		/* too short, or a limit was passed */
};

void pack_init(struct packer *k, void *space, size_t cap);
void pack_u8(struct packer *k, uint8_t v);
void pack_u16(struct packer *k, uint16_t v);
void pack_u32(struct packer *k, uint32_t v);
void pack_u64(struct packer *k, uint64_t v);
void pack_bytes(struct packer *k, struct slice s);
/* Bytes without a length: only as the last field. */
void pack_raw(struct packer *k, struct slice s);

static inline struct slice
pack_slice(const struct packer *k)
{
	return (struct slice){ (const char *)k->p, k->len };
}

void unpack_init(struct unpacker *u, struct slice s);
/* After an error these give 0 or an empty slice, never stale data. */
uint8_t unpack_u8(struct unpacker *u);
uint16_t unpack_u16(struct unpacker *u);
uint32_t unpack_u32(struct unpacker *u);
uint64_t unpack_u64(struct unpacker *u);
/* At most max bytes, else bad. The slice points into the input. */
struct slice unpack_bytes(struct unpacker *u, size_t max);
/* The same, and a NUL, CR or LF inside is bad: for addresses and names. */
struct slice unpack_text(struct unpacker *u, size_t max);
/* The same as a C string in out[cap]; too long is bad. */
void unpack_cstr(struct unpacker *u, char *out, size_t cap);
/* All that is left. */
struct slice unpack_rest(struct unpacker *u);

/* True when nothing was bad and nothing is left over: ask before acting. */
bool unpack_end(const struct unpacker *u);

#endif
