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
