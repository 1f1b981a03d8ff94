/* slice.h - a view of bytes that somebody else owns. */
#ifndef LIB_SLICE_H
#define LIB_SLICE_H
/* SPDX-License-Identifier: ISC */

#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>

/* Bytes, not a string: no terminating NUL is promised, NULs may be inside. */
struct slice {
	const char *p;
	size_t len;
};

#define SLICE(literal) ((struct slice){ "" literal, sizeof(literal) - 1 })
#define SLICE_EMPTY ((struct slice){ "", 0 })
/* For printf's %.*s. */
#define SLICE_FMT(s) (int)(s).len, (s).p

/* The bytes of a NUL-terminated string, without the NUL. */
static inline struct slice
slice_of(const char *s)
{
	return (struct slice){ s, strlen(s) };
}

static inline struct slice
slice_make(const void *p, size_t len)
{
	return (struct slice){ p, len };
}

static inline bool
slice_eq(struct slice a, struct slice b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.p, b.p, a.len) == 0);
}

/* Equal, ASCII letters compared without regard to case. */
static inline bool
slice_eq_nocase(struct slice a, struct slice b)
{
	return a.len == b.len &&
	    (a.len == 0 || strncasecmp(a.p, b.p, a.len) == 0);
}

static inline bool
slice_starts_nocase(struct slice s, struct slice prefix)
{
	return s.len >= prefix.len &&
	    strncasecmp(s.p, prefix.p, prefix.len) == 0;
}

/* All but the first n bytes; n must not exceed s.len. */
static inline struct slice
slice_skip(struct slice s, size_t n)
{
	return (struct slice){ s.p + n, s.len - n };
}

/* Without leading and trailing spaces, tabs, CR and LF. */
struct slice slice_trim(struct slice s);

/*
 * Cuts *rest at the first byte c: returns what is before it and leaves in
 * *rest what is after it. Without a c returns all and leaves *rest empty with
 * a NULL pointer, so that a loop "while (rest.p != NULL)" sees each part once.
 */
struct slice slice_cut(struct slice *rest, char c);

/*
 * Copies s and a NUL into dst of cap bytes. Returns 0, or -1 with dst
 * untouched: too long, or a NUL inside s.
 */
int slice_to_cstr(struct slice s, char *dst, size_t cap)
    __attribute__((warn_unused_result));

/* The bytes of the character of UTF-8 (RFC 3629) at the start of s, 1 to 4; 0:
 * none, an overlong form, half of a pair, or a control character above ASCII. */
size_t slice_utf8(struct slice s);

#endif
