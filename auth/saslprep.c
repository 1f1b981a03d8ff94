/* saslprep.c - one form for the many ways to type the same password. */
/* SPDX-License-Identifier: ISC */

#include "auth/saslprep.h"

#include <errno.h>
#include <stdlib.h>

#include <unictype.h>
#include <uninorm.h>
#include <unistr.h>

struct range {
	ucs4_t first, last;
};

/* RFC 3454 C.1.2: spaces that become an ASCII space. */
static const struct range spaces[] = {
	{ 0xa0, 0xa0 }, { 0x1680, 0x1680 }, { 0x2000, 0x200b },
	{ 0x202f, 0x202f }, { 0x205f, 0x205f }, { 0x3000, 0x3000 },
};

/* RFC 3454 B.1: what is left out. */
static const struct range nothing[] = {
	{ 0xad, 0xad }, { 0x34f, 0x34f }, { 0x1806, 0x1806 },
	{ 0x180b, 0x180d }, { 0x200c, 0x200d }, { 0x2060, 0x2060 },
	{ 0xfe00, 0xfe0f }, { 0xfeff, 0xfeff },
};

/* RFC 4013 2.3: C.1.2, C.2.1, C.2.2, C.3, C.4, C.6, C.7, C.8 and C.9 in one.
 * The last two code points of every plane are asked for apart. */
static const struct range prohibited[] = {
	{ 0x0, 0x1f }, { 0x7f, 0xa0 }, { 0x340, 0x341 }, { 0x6dd, 0x6dd },
	{ 0x70f, 0x70f }, { 0x1680, 0x1680 }, { 0x180e, 0x180e },
	{ 0x2000, 0x200f }, { 0x2028, 0x202f }, { 0x205f, 0x2063 },
	{ 0x206a, 0x206f }, { 0x2ff0, 0x2ffb }, { 0x3000, 0x3000 },
	{ 0xe000, 0xf8ff }, { 0xfdd0, 0xfdef }, { 0xfeff, 0xfeff },
	{ 0xfff9, 0xffff }, { 0x1d173, 0x1d17a }, { 0xe0001, 0xe0001 },
	{ 0xe0020, 0xe007f }, { 0xf0000, 0x10ffff },
};

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static bool
in_ranges(const struct range *r, size_t n, ucs4_t c)
{
	for (size_t i = 0; i < n; i++)
		if (c >= r[i].first && c <= r[i].last)
			return true;
	return false;
}

static bool
is_prohibited(ucs4_t c)
{
	return (c & 0xfffe) == 0xfffe ||
	    in_ranges(prohibited, COUNT(prohibited), c);
}

bool
utf8_is_valid(struct slice s)
{
	return memchr(s.p, '\0', s.len) == NULL &&
	    u8_check((const uint8_t *)s.p, s.len) == NULL;
}

static bool
is_ascii_printable(struct slice s)
{
	for (size_t i = 0; i < s.len; i++)
		if ((unsigned char)s.p[i] < 0x20 ||
		    (unsigned char)s.p[i] >= 0x7f)
			return false;
	return true;
}

/* RFC 4013 2.1. out has room for s.len bytes: nothing grows here. */
static size_t
map_characters(struct slice s, uint8_t *out)
{
	const uint8_t *p = (const uint8_t *)s.p;
	size_t left = s.len, len = 0;
	ucs4_t c;
	int n;

	while (left > 0) {
		n = u8_mbtoucr(&c, p, left);
		if (in_ranges(spaces, COUNT(spaces), c)) {
			out[len++] = ' ';
		} else if (!in_ranges(nothing, COUNT(nothing), c)) {
			memcpy(out + len, p, (size_t)n);
			len += (size_t)n;
		}
		p += n;
		left -= (size_t)n;
	}
	return len;
}

/* RFC 4013 2.3 and 2.4 (RFC 3454 section 6): nothing prohibited, and text that
 * runs from right to left does so from its first character to its last. */
static bool
is_allowed(const uint8_t *p, size_t len)
{
	bool right = false, left = false, first_right = false,
	    last_right = false, first = true;
	ucs4_t c;
	int n, class;

	for (; len > 0; p += n, len -= (size_t)n, first = false) {
		n = u8_mbtoucr(&c, p, len);
		if (n <= 0 || is_prohibited(c))
			return false;
		class = uc_bidi_class(c);
		last_right = class == UC_BIDI_R || class == UC_BIDI_AL;
		right = right || last_right;
		left = left || class == UC_BIDI_L;
		if (first)
			first_right = last_right;
	}
	return !right || (!left && first_right && last_right);
}

static int
prepare(struct slice s, uint8_t *mapped, char *out, size_t cap, size_t *len)
{
	size_t n, have = map_characters(s, mapped);
	uint8_t *normal = u8_normalize(UNINORM_NFKC, mapped, have, NULL, &n);
	int error = 0;

	if (normal == NULL)
		return -1;
	if (n == 0 || !is_allowed(normal, n))
		error = EILSEQ;
	else if (n > cap)
		error = ENOBUFS;
	if (error == 0) {
		memcpy(out, normal, n);
		*len = n;
	}
	explicit_bzero(normal, n);
	free(normal);
	errno = error;
	return error == 0 ? 0 : -1;
}

int
saslprep(struct slice s, char *out, size_t cap, size_t *len)
{
	uint8_t *mapped;
	int r, error;

	if (s.len == 0 || !utf8_is_valid(s)) {
		errno = EILSEQ;
		return -1;
	}
	if (is_ascii_printable(s)) {
		if (s.len > cap) {
			errno = ENOBUFS;
			return -1;
		}
		memcpy(out, s.p, s.len);
		*len = s.len;
		return 0;
	}
	if ((mapped = malloc(s.len)) == NULL)
		return -1;
	r = prepare(s, mapped, out, cap, len);
	error = errno;
	explicit_bzero(mapped, s.len);
	free(mapped);
	errno = error;
	return r;
}
