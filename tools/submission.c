/* submission.c - a local message made ready: header completed, recipients. */
/* SPDX-License-Identifier: ISC */

#include "tools/submission.h"

#include <stdio.h>
#include <stdlib.h>

#include "lib/base64.h"
#include "lib/hdr.h"

enum recipients_status
recipients_add(struct recipients *r, struct slice address, const char *domain)
{
	char text[ADDR_TEXT_MAX];
	struct addr a;
	char **grown;
	size_t cap;

	if (memchr(address.p, '@', address.len) == NULL) {
		char whole[ADDR_TEXT_MAX + ADDR_DOMAIN_MAX];

		snprintf(whole, sizeof(whole), "%.*s@%s", SLICE_FMT(address),
		    domain);
		if (address.len > ADDR_TEXT_MAX ||
		    memchr(address.p, '\0', address.len) != NULL ||
		    addr_parse(slice_of(whole), &a) != ADDR_OK)
			return RECIPIENTS_BAD;
	} else if (addr_parse(address, &a) != ADDR_OK)
		return RECIPIENTS_BAD;
	if (r->n == SUBMISSION_RECIPIENTS_MAX)
		return RECIPIENTS_TOO_MANY;
	if (r->n == r->cap) {
		cap = r->cap == 0 ? 16 : r->cap * 2;
		if ((grown = reallocarray(r->v, cap, sizeof(*r->v))) == NULL)
			return RECIPIENTS_TOO_MANY;
		r->v = grown;
		r->cap = cap;
	}
	if ((r->v[r->n] = strdup(addr_text(&a, text, sizeof(text)))) == NULL)
		return RECIPIENTS_TOO_MANY;
	r->n++;
	r->utf8 |= a.utf8;
	return RECIPIENTS_OK;
}

static int
by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

void
recipients_unique(struct recipients *r)
{
	size_t kept = 0;

	if (r->n == 0)
		return;
	qsort(r->v, r->n, sizeof(*r->v), by_text);
	for (size_t i = 1; i < r->n; i++) {
		if (strcmp(r->v[kept], r->v[i]) == 0)
			free(r->v[i]);
		else
			r->v[++kept] = r->v[i];
	}
	r->n = kept + 1;
}

void
recipients_free(struct recipients *r)
{
	for (size_t i = 0; i < r->n; i++)
		free(r->v[i]);
	free(r->v);
	*r = (struct recipients){ 0 };
}

/* What a look over the header finds. */
struct found {
	bool date, from, message_id, resent;
};

static bool
is_recipient_field(const struct hdr_field *f, bool resent)
{
	if (resent)
		return hdr_is(f, "Resent-To") || hdr_is(f, "Resent-Cc") ||
		    hdr_is(f, "Resent-Bcc");
	return hdr_is(f, "To") || hdr_is(f, "Cc") || hdr_is(f, "Bcc");
}

static struct found
survey(struct slice header)
{
	struct found s = { false, false, false, false };
	struct hdr_field f;

	while (hdr_next(&header, &f) == HDR_FIELD) {
		s.date |= hdr_is(&f, "Date");
		s.from |= hdr_is(&f, "From");
		s.message_id |= hdr_is(&f, "Message-ID");
		s.resent |= is_recipient_field(&f, true);
	}
	return s;
}

/* What hdr_addresses() calls for each address of a field. */
struct extraction {
	struct recipients *r;
	const char *domain;
	enum recipients_status status;
	char address[ADDR_TEXT_MAX + 1];
};

static bool
extract_one(void *arg, struct slice address)
{
	struct extraction *x = arg;

	x->status = recipients_add(x->r, address, x->domain);
	if (x->status != RECIPIENTS_OK &&
	    slice_to_cstr(address, x->address, sizeof(x->address)) == -1)
		x->address[0] = '\0';
	return x->status == RECIPIENTS_OK;
}

static int
extract_field(const struct hdr_field *f, struct recipients *r,
    const char *domain, char *why, size_t cap)
{
	struct extraction x = { .r = r, .domain = domain };
	struct slice bad;

	if (hdr_addresses(f->value, extract_one, &x, &bad) == 0)
		return 0;
	switch (x.status) {
	case RECIPIENTS_TOO_MANY:
		snprintf(why, cap, "more than %d recipients",
		    SUBMISSION_RECIPIENTS_MAX);
		break;
	case RECIPIENTS_BAD:
		snprintf(why, cap, "%.*s: \"%s\" is no address",
		    SLICE_FMT(f->name), x.address);
		break;
	case RECIPIENTS_OK:
		snprintf(why, cap, "%.*s: no list of addresses near \"%.*s\"",
		    SLICE_FMT(f->name), (int)(bad.len < 40 ? bad.len : 40),
		    bad.p);
		break;
	}
	return -1;
}

static bool
is_ascii(const char *s)
{
	for (; *s != '\0'; s++)
		if ((unsigned char)*s < ' ' || (unsigned char)*s > '~')
			return false;
	return true;
}

/* An encoded word (RFC 2047) holds 75 bytes: pieces of 42 bytes, never cut
 * inside a UTF-8 sequence. */
static void
put_encoded(struct str *out, const char *name)
{
	struct slice rest = slice_of(name);
	char text[BASE64_LEN(48) + 1];
	size_t n;

	while (rest.len > 0) {
		n = rest.len < 42 ? rest.len : 42;
		while (n < rest.len && n > 1 && (rest.p[n] & 0xc0) == 0x80)
			n--;
		base64_encode(slice_make(rest.p, n), text);
		str_printf(out, "=?UTF-8?B?%s?=", text);
		rest = slice_skip(rest, n);
		if (rest.len > 0)
			str_puts(out, "\n ");
	}
}

/* A display name: a quoted string, or encoded words. */
static void
put_display_name(struct str *out, const char *name)
{
	if (is_ascii(name))
		hdr_put_quoted(out, name);
	else
		put_encoded(out, name);
}

static void
put_missing(struct str *out, const struct found *have,
    const struct submission_defaults *d)
{
	if (!have->date)
		str_printf(out, "Date: %s\n", d->date);
	if (!have->message_id)
		str_printf(out, "Message-ID: %s\n", d->message_id);
	if (have->from)
		return;
	str_puts(out, "From: ");
	if (*d->full_name != '\0') {
		put_display_name(out, d->full_name);
		str_puts(out, "\n ");
	}
	str_printf(out, "<%s>\n", d->sender);
}

/* Drops the "From " lines that a mailbox file has before a message. */
static struct slice
without_from_line(struct slice header)
{
	struct slice rest, line;
	struct hdr_field f;

	for (;;) {
		rest = header;
		if (hdr_next(&rest, &f) != HDR_NO_FIELD)
			return header;
		line = slice_cut(&rest, '\n');
		while (line.len > 0 && line.p[0] == '>')
			line = slice_skip(line, 1);
		if (!slice_starts_nocase(line, SLICE("From ")) ||
		    rest.p == NULL)
			return header;
		header = rest;
	}
}

int
submission_header(struct slice header, const struct submission_defaults *d,
    bool extract, struct recipients *r, struct str *out, struct slice *body,
    char *why, size_t cap)
{
	struct hdr_field f;
	struct found have;

	header = without_from_line(header);
	have = survey(header);
	put_missing(out, &have, d);
	while (hdr_next(&header, &f) == HDR_FIELD) {
		if (extract && is_recipient_field(&f, have.resent) &&
		    extract_field(&f, r, d->domain, why, cap) == -1)
			return -1;
		if (hdr_is(&f, "Bcc") || hdr_is(&f, "Resent-Bcc"))
			continue;
		str_put(out, f.whole);
		if (f.whole.p[f.whole.len - 1] != '\n')
			str_putc(out, '\n');
	}
	str_putc(out, '\n');
	*body = header;
	if (!str_ok(out)) {
		snprintf(why, cap, "the header is over %d bytes",
		    SUBMISSION_HEADER_MAX);
		return -1;
	}
	return 0;
}

static void
feed_byte(struct submission_input *in, char c, struct str *out)
{
	if (!in->ignore_dots && !in->in_line && c == '.') {
		in->dot = in->in_line = true;
		return;
	}
	if (in->dot) {
		in->dot = false;
		if (c == '\n') {
			in->ended = true;
			return;
		}
		str_putc(out, '.');
	}
	str_putc(out, c);
	in->in_line = c != '\n';
}

void
submission_feed(struct submission_input *in, struct slice bytes,
    struct str *out)
{
	for (size_t i = 0; i < bytes.len && !in->ended; i++) {
		char c = bytes.p[i];

		if (c == '\r') {
			in->cr = true;
			continue;
		}
		if (in->cr && c != '\n')
			feed_byte(in, '\n', out);
		in->cr = false;
		if (!in->ended)
			feed_byte(in, c, out);
	}
}

void
submission_finish(struct submission_input *in, struct str *out)
{
	if (in->cr && !in->ended)
		feed_byte(in, '\n', out);
	in->cr = false;
	in->ended = true;
}
