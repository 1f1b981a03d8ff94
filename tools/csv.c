/* csv.c - rows of a file of comma-separated values. */
/* SPDX-License-Identifier: ISC */

#include "tools/csv.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistr.h>

/* What Windows-1252 has where Latin-1 has control characters; 0: nothing. */
static const uint16_t between[32] = {
	0x20ac, 0, 0x201a, 0x0192, 0x201e, 0x2026, 0x2020, 0x2021,
	0x02c6, 0x2030, 0x0160, 0x2039, 0x0152, 0, 0x017d, 0,
	0, 0x2018, 0x2019, 0x201c, 0x201d, 0x2022, 0x2013, 0x2014,
	0x02dc, 0x2122, 0x0161, 0x203a, 0x0153, 0, 0x017e, 0x0178
};

static size_t
put_latin(char *out, unsigned char c)
{
	ucs4_t code = c;
	int n;

	if (c >= 0x80 && c < 0xa0)
		code = between[c - 0x80] != 0 ? between[c - 0x80] : 0xfffd;
	n = u8_uctomb((uint8_t *)out, code, 4);
	return n > 0 ? (size_t)n : 0;
}

/* The commonest of the separators in the first line, quotes aside. */
static char
find_separator(const char *s, size_t len)
{
	static const char separators[] = ";,\t";
	size_t count[3] = { 0 }, best = 0;
	bool quoted = false;
	const char *at;

	for (size_t i = 0; i < len && (quoted || s[i] != '\n'); i++) {
		if (s[i] == '"')
			quoted = !quoted;
		else if (!quoted && s[i] != '\0' &&
		    (at = strchr(separators, s[i])) != NULL)
			count[at - separators]++;
	}
	for (size_t i = 1; i < 3; i++)
		if (count[i] > count[best])
			best = i;
	return separators[best];
}

int
csv_open(struct csv *c, struct slice bytes)
{
	*c = (struct csv){ .line = 1 };
	if (memchr(bytes.p, '\0', bytes.len) != NULL) {
		errno = EINVAL;
		return -1;
	}
	if (bytes.len >= 3 && memcmp(bytes.p, "\xef\xbb\xbf", 3) == 0)
		bytes = slice_skip(bytes, 3);
	/* Three bytes at most for each, and one to end with. */
	if (bytes.len > SIZE_MAX / 4 ||
	    (c->text = calloc(3, bytes.len + 2)) == NULL) {
		errno = ENOMEM;
		return -1;
	}
	c->was_latin = u8_check((const uint8_t *)bytes.p, bytes.len) != NULL;
	if (!c->was_latin) {
		memcpy(c->text, bytes.p, bytes.len);
		c->len = bytes.len;
	}
	for (size_t i = 0; c->was_latin && i < bytes.len; i++)
		c->len += put_latin(c->text + c->len, (unsigned char)bytes.p[i]);
	c->separator = find_separator(c->text, c->len);
	return 0;
}

void
csv_close(struct csv *c)
{
	if (c->text != NULL)
		explicit_bzero(c->text, c->len);
	free(c->text);
	c->text = NULL;
}

/* The inside of quotes, moved together; c->at stands behind the last one. */
static int
quoted_cell(struct csv *c, struct slice *out)
{
	size_t start = ++c->at, to = start;

	for (; c->at < c->len; c->at++) {
		if (c->text[c->at] == '\n')
			c->line++;
		if (c->text[c->at] == '"') {
			if (c->at + 1 == c->len || c->text[c->at + 1] != '"') {
				c->at++;
				*out = slice_make(c->text + start, to - start);
				return 0;
			}
			c->at++;	/* two of them are one */
		}
		c->text[to++] = c->text[c->at];
	}
	return -1;
}

static bool
ends_cell(const struct csv *c)
{
	return c->at == c->len || c->text[c->at] == c->separator ||
	    c->text[c->at] == '\n';
}

static void
skip_blanks(struct csv *c)
{
	while (!ends_cell(c) && (c->text[c->at] == ' ' ||
	    c->text[c->at] == '\t' || c->text[c->at] == '\r'))
		c->at++;
}

static int
next_cell(struct csv *c, struct slice *out)
{
	size_t start;
	int r = 0;

	skip_blanks(c);
	if (!ends_cell(c) && c->text[c->at] == '"') {
		r = quoted_cell(c, out);
		skip_blanks(c);
		return r == 0 && ends_cell(c) ? 0 : -1;
	}
	for (start = c->at; !ends_cell(c); c->at++)
		continue;
	*out = slice_trim(slice_make(c->text + start, c->at - start));
	return 0;
}

static int
read_row(struct csv *c, struct csv_row *out)
{
	out->n = 0;
	out->line = c->line;
	for (;;) {
		if (out->n == CSV_CELLS ||
		    next_cell(c, &out->cells[out->n++]) == -1)
			return -1;
		if (c->at == c->len)
			return 0;
		if (c->text[c->at++] == '\n') {
			c->line++;
			return 0;
		}
	}
}

int
csv_next(struct csv *c, struct csv_row *out)
{
	while (c->at < c->len) {
		if (read_row(c, out) == -1)
			return -1;
		for (size_t i = 0; i < out->n; i++)
			if (out->cells[i].len > 0)
				return 1;
	}
	return 0;
}
