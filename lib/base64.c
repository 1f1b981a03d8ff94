/* base64.c - base64 (RFC 4648 section 4), strict. */
/* SPDX-License-Identifier: ISC */

#include "lib/base64.h"

#include <stdint.h>

static const char alphabet[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

size_t
base64_encode(struct slice s, char *out)
{
	const unsigned char *in = (const unsigned char *)s.p;
	size_t n = 0;

	for (size_t i = 0; i < s.len; i += 3) {
		size_t left = s.len - i;
		uint32_t v = (uint32_t)in[i] << 16 |
		    (left > 1 ? (uint32_t)in[i + 1] << 8 : 0) |
		    (left > 2 ? (uint32_t)in[i + 2] : 0);

		out[n++] = alphabet[v >> 18 & 63];
		out[n++] = alphabet[v >> 12 & 63];
		out[n++] = left > 1 ? alphabet[v >> 6 & 63] : '=';
		out[n++] = left > 2 ? alphabet[v & 63] : '=';
	}
	out[n] = '\0';
	return n;
}

/* The value of a letter, or -1. */
static int
value_of(char c)
{
	const char *at = c == '\0' ? NULL : strchr(alphabet, c);

	return at == NULL ? -1 : (int)(at - alphabet);
}

ssize_t
base64_decode(struct slice s, void *out, size_t cap)
{
	unsigned char *to = out;
	size_t n = 0;

	if (s.len % 4 != 0)
		return -1;
	for (size_t i = 0; i < s.len; i += 4) {
		uint32_t v = 0;
		size_t pad = 0;

		if (i + 4 == s.len) {
			pad = s.p[i + 3] != '=' ? 0 : s.p[i + 2] != '=' ? 1 : 2;
		}
		for (size_t k = 0; k < 4; k++) {
			int d = k >= 4 - pad ? 0 : value_of(s.p[i + k]);

			if (d == -1)
				return -1;
			v = v << 6 | (uint32_t)d;
		}
		/* Bits that no byte takes must be zero. */
		if ((pad == 1 && (v & 0xff) != 0) ||
		    (pad == 2 && (v & 0xffff) != 0) || 3 - pad > cap - n)
			return -1;
		for (size_t k = 0; k < 3 - pad; k++)
			to[n++] = (unsigned char)(v >> (16 - 8 * k));
	}
	return (ssize_t)n;
}
