/* str.c - a growable string with a maximum. */
/* SPDX-License-Identifier: ISC */

#include "lib/str.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STR_FIRST 64

char *
str_room(struct str *s, size_t n)
{
	size_t need, cap;
	char *p;

	if (s->bad)
		return NULL;
	if (__builtin_add_overflow(s->len, n, &need) || need > s->max) {
		s->bad = true;
		return NULL;
	}
	if (s->p != NULL && need < s->cap)
		return s->p + s->len;
	cap = s->cap == 0 ? STR_FIRST : s->cap;
	while (cap <= need) {
		if (__builtin_mul_overflow(cap, 2, &cap)) {
			s->bad = true;
			return NULL;
		}
	}
	if (cap > s->max)
		cap = s->max + 1;
	if ((p = realloc(s->p, cap)) == NULL) {
		s->bad = true;
		return NULL;
	}
	s->p = p;
	s->cap = cap;
	s->p[s->len] = '\0';
	return s->p + s->len;
}

void
str_put(struct str *s, struct slice bytes)
{
	char *to = str_room(s, bytes.len);

	if (to == NULL)
		return;
	if (bytes.len > 0)
		memcpy(to, bytes.p, bytes.len);
	s->len += bytes.len;
	s->p[s->len] = '\0';
}

void
str_puts(struct str *s, const char *cstr)
{
	str_put(s, slice_of(cstr));
}

void
str_putc(struct str *s, char c)
{
	str_put(s, (struct slice){ &c, 1 });
}

void
str_printf(struct str *s, const char *fmt, ...)
{
	va_list ap;
	char *to;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (n < 0) {
		s->bad = true;
		return;
	}
	if ((to = str_room(s, (size_t)n)) == NULL)
		return;
	va_start(ap, fmt);
	vsnprintf(to, (size_t)n + 1, fmt, ap);
	va_end(ap);
	s->len += (size_t)n;
}

void
str_clear(struct str *s)
{
	s->len = 0;
	s->bad = false;
	if (s->p != NULL)
		s->p[0] = '\0';
}

void
str_free(struct str *s)
{
	free(s->p);
	*s = STR_INIT(s->max);
}

void
str_wipe(struct str *s)
{
	/* What was cleared is behind len, still. */
	if (s->p != NULL)
		explicit_bzero(s->p, s->cap);
	str_free(s);
}
