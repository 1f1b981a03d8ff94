/* json.c - text of strangers on a terminal and in JSON. */
/* SPDX-License-Identifier: ISC */

#include "tools/json.h"

#include <time.h>

size_t
text_utf8_length(struct slice s)
{
	const unsigned char *p = (const unsigned char *)s.p;
	size_t n;

	if (s.len == 0 || p[0] < ' ' || p[0] == 0x7f)
		return 0;
	if (p[0] < 0x80)
		return 1;
	n = p[0] >= 0xc2 && p[0] <= 0xdf ? 2 :
	    p[0] >= 0xe0 && p[0] <= 0xef ? 3 :
	    p[0] >= 0xf0 && p[0] <= 0xf4 ? 4 : 0;
	if (n == 0 || n > s.len)
		return 0;
	for (size_t i = 1; i < n; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	/* C1 controls, too long forms, surrogates, beyond U+10FFFF */
	if ((p[0] == 0xc2 && p[1] < 0xa0) || (p[0] == 0xe0 && p[1] < 0xa0) ||
	    (p[0] == 0xed && p[1] > 0x9f) || (p[0] == 0xf0 && p[1] < 0x90) ||
	    (p[0] == 0xf4 && p[1] > 0x8f))
		return 0;
	return n;
}

/* One character of s, escaped if need be; returns the bytes used. */
static size_t
put_character(FILE *out, struct slice s, const char *backslash)
{
	size_t n = text_utf8_length(s);

	if (n == 0) {
		fprintf(out, "%sx%02x", backslash, (unsigned char)s.p[0]);
		return 1;
	}
	fwrite(s.p, 1, n, out);
	return n;
}

void
text_put_escaped(FILE *out, struct slice s)
{
	while (s.len > 0)
		s = slice_skip(s, put_character(out, s, "\\"));
}

/* Seconds of "2026-11-21T22:35:01.123456Z"; -1: no such text. */
static time_t
utc_of(struct slice s)
{
	struct tm tm = { .tm_mday = 1 };
	const char *rest;
	char text[40];

	if (slice_to_cstr(s, text, sizeof(text)) == -1 ||
	    (rest = strptime(text, "%Y-%m-%dT%H:%M:%S", &tm)) == NULL)
		return -1;
	if (*rest == '.')
		rest += 1 + strspn(rest + 1, "0123456789");
	return strcmp(rest, "Z") == 0 ? timegm(&tm) : -1;
}

void
text_put_time(FILE *out, struct slice s)
{
	time_t t = utc_of(s);
	char text[40];
	struct tm tm;

	if (t == -1 || localtime_r(&t, &tm) == NULL || strftime(text,
	    sizeof(text), "%Y-%m-%d %H:%M:%S %z", &tm) == 0)
		text_put_escaped(out, s);
	else
		fputs(text, out);
}

void
json_put_string(FILE *out, struct slice s)
{
	putc('"', out);
	while (s.len > 0) {
		if (s.p[0] == '"' || s.p[0] == '\\')
			putc('\\', out);
		s = slice_skip(s, put_character(out, s, "\\\\"));
	}
	putc('"', out);
}
