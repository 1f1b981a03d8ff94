/* slice.c - a view of bytes that somebody else owns. */
/* SPDX-License-Identifier: ISC */

#include "lib/slice.h"

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

struct slice
slice_trim(struct slice s)
{
	while (s.len > 0 && is_blank(s.p[0]))
		s = slice_skip(s, 1);
	while (s.len > 0 && is_blank(s.p[s.len - 1]))
		s.len--;
	return s;
}

struct slice
slice_cut(struct slice *rest, char c)
{
	struct slice part = *rest;
	const char *at;

	at = rest->len > 0 ? memchr(rest->p, c, rest->len) : NULL;
	if (at == NULL) {
		*rest = (struct slice){ NULL, 0 };
		return part;
	}
	part.len = (size_t)(at - part.p);
	*rest = slice_skip(*rest, part.len + 1);
	return part;
}

int
slice_to_cstr(struct slice s, char *dst, size_t cap)
{
	if (s.len >= cap || (s.len > 0 && memchr(s.p, '\0', s.len) != NULL))
		return -1;
	if (s.len > 0)
		memcpy(dst, s.p, s.len);
	dst[s.len] = '\0';
	return 0;
}

size_t
slice_utf8(struct slice s)
{
	const unsigned char *p = (const unsigned char *)s.p;
	size_t n = s.len == 0 ? 0 : p[0] < 0x80 ? 1 :
	    p[0] >= 0xc2 && p[0] < 0xe0 ? 2 : (p[0] & 0xf0) == 0xe0 ? 3 :
	    p[0] >= 0xf0 && p[0] < 0xf5 ? 4 : 0;

	if (n > s.len)
		return 0;
	for (size_t i = 1; i < n; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	if ((n == 2 && p[0] == 0xc2 && p[1] < 0xa0) ||
	    (n == 3 && p[0] == 0xe0 && p[1] < 0xa0) ||
	    (n == 3 && p[0] == 0xed && p[1] >= 0xa0) ||
	    (n == 4 && p[0] == 0xf0 && p[1] < 0x90) ||
	    (n == 4 && p[0] == 0xf4 && p[1] >= 0x90))
		return 0;
	return n;
}
