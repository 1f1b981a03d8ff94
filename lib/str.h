/* str.h - a growable string with a maximum. */
#ifndef LIB_STR_H
#define LIB_STR_H
/* SPDX-License-Identifier: ISC */

#include "lib/slice.h"

/*
 * Always NUL-terminated once something was put. Errors are sticky: after a put
 * that would pass max or found no memory, bad is set, nothing more is added,
 * and str_ok() says so; so callers put without checks and ask once.
 * Growing may move the bytes: do not keep pointers into p over a put.
 */
struct str {
	char *p;
	size_t len, cap, max;
	bool bad;
};

/* max is in bytes, without the NUL. */
#define STR_INIT(maximum) ((struct str){ NULL, 0, 0, (maximum), false })

void str_put(struct str *s, struct slice bytes);
void str_puts(struct str *s, const char *cstr);
void str_putc(struct str *s, char c);
void str_printf(struct str *s, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* Makes room for n more bytes and returns where to write them (then add to
 * len by hand), or NULL (bad is set). */
char *str_room(struct str *s, size_t n);

/* Empties it, keeps the memory, forgets an error. */
void str_clear(struct str *s);
void str_free(struct str *s);
/* The same for what holds a secret: wipes it first. */
void str_wipe(struct str *s);

static inline bool
str_ok(const struct str *s)
{
	return !s->bad;
}

static inline struct slice
str_slice(const struct str *s)
{
	return (struct slice){ s->p != NULL ? s->p : "", s->len };
}

/* As a C string; "" when nothing was ever put. */
static inline const char *
str_c(const struct str *s)
{
	return s->p != NULL ? s->p : "";
}

#endif
