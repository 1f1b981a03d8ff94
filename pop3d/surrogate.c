/* surrogate.c - an internationalized message for who has not said UTF8. */
/* SPDX-License-Identifier: ISC */

#include "pop3d/surrogate.h"

#include <string.h>

#include "bounce/encode.h"
#include "lib/hdr.h"

#define OUT_MAX 32000
#define NOWHERE "<invalid@internationalized-address-removed.invalid>"

bool
surrogate_is_needed(struct slice text)
{
	static const char mark[] = "with UTF8SMTP";
	struct hdr_field f;

	while (hdr_next(&text, &f) == HDR_FIELD)
		if (hdr_is(&f, "Received") && memmem(f.value.p, f.value.len,
		    mark, sizeof(mark) - 1) != NULL)
			return true;
	return false;
}

static bool
is_one_of(const struct hdr_field *f, const char *const *names)
{
	for (; *names != NULL; names++)
		if (hdr_is(f, *names))
			return true;
	return false;
}

/* The end of the mailbox that text begins with: at a comma, or the colon or
 * semicolon of a group, outside of quotes, comments and angle brackets. */
static size_t
mailbox_end(struct slice text)
{
	bool quoted = false, angle = false;
	unsigned depth = 0;
	size_t i;

	for (i = 0; i < text.len; i++) {
		char c = text.p[i];

		if (c == '\\' && i + 1 < text.len)
			i++;
		else if (c == '"' && depth == 0)
			quoted = !quoted;
		else if (quoted)
			continue;
		else if (c == '(')
			depth++;
		else if (c == ')' && depth > 0)
			depth--;
		else if (depth > 0)
			continue;
		else if (c == '<' || c == '>')
			angle = c == '<';
		else if (!angle && strchr(",:;", c) != NULL && c != '\0')
			return i;
	}
	return i;
}

/* A name to show, without the quotes of a quoted string. */
static void
put_unquoted(struct str *out, struct slice name)
{
	for (size_t i = 0; i < name.len; i++) {
		if (name.p[i] == '\\' && i + 1 < name.len)
			i++;
		else if (name.p[i] == '"')
			continue;
		str_putc(out, name.p[i]);
	}
}

/* One mailbox, folded, behind a space, without a line end. An address that is
 * not ASCII is shown, beside one that leads nowhere. */
static void
put_mailbox(struct str *out, struct slice name, struct slice address)
{
	struct str shown = STR_INIT(SURROGATE_FIELD), folded = STR_INIT(OUT_MAX);
	char clean[2048], tail[1024] = " " NOWHERE;
	struct slice r;

	put_unquoted(&shown, slice_trim(name));
	/* The same for one that is too long or has a NUL. */
	if (!encode_is_ascii(address) ||
	    slice_to_cstr(address, tail + 1, sizeof(tail) - 1) == -1) {
		if (shown.len > 0)
			str_putc(&shown, ' ');
		str_put(&shown, address);
	}
	(void)encode_clean(str_slice(&shown), false, clean, sizeof(clean));
	if (encode_is_ascii(slice_of(clean))) {
		if (*clean != '\0') {
			str_putc(&folded, ' ');
			hdr_put_quoted(&folded, clean);
		}
		str_puts(&folded, tail);
		str_put(out, str_slice(&folded));
	} else {
		/* "X:" and the line end go. */
		encode_field_text(&folded, "X", slice_of(clean), tail);
		r = slice_skip(str_slice(&folded), 2);
		if (r.len > 0)
			r.len--;
		str_put(out, r);
	}
	str_free(&shown);
	str_free(&folded);
}

/* A list of addresses; groups lose their names. */
static void
put_addresses(struct str *out, struct slice name, struct slice value)
{
	bool first = true;

	str_put(out, name);
	str_putc(out, ':');
	while (value.len > 0) {
		size_t n = mailbox_end(value);
		struct slice one = slice_trim(slice_make(value.p, n));
		const char *angle = memrchr(one.p, '<', one.len);
		bool group = n < value.len && value.p[n] == ':';

		value = slice_skip(value, n < value.len ? n + 1 : n);
		if (one.len == 0 || group)
			continue;
		if (!first)
			str_puts(out, ",\n");
		first = false;
		if (angle == NULL)
			put_mailbox(out, SLICE_EMPTY, one);
		else
			put_mailbox(out, slice_make(one.p,
			    (size_t)(angle - one.p)),
			    slice_skip(one, (size_t)(angle - one.p)));
	}
	str_puts(out, first ? " undisclosed-recipients:;\n" : "\n");
}

/* What stands for a field that is not ASCII; nothing when it is left out. */
static void
put_field(struct str *out, const struct hdr_field *f)
{
	static const char *const lists[] = { "From", "Sender", "Reply-To", "To",
		"Cc", "Bcc", "Resent-From", "Resent-Sender", "Resent-To",
		"Resent-Cc", "Resent-Bcc", "Disposition-Notification-To",
		NULL };
	static const char *const texts[] = { "Subject", "Comments", "Keywords",
		"Content-Description", "Organization", NULL };
	char clean[SURROGATE_FIELD], name[32];
	struct str flat = STR_INIT(SURROGATE_FIELD);

	/* On one line. */
	for (size_t i = 0; i < f->value.len; i++)
		if (f->value.p[i] != '\r' && f->value.p[i] != '\n')
			str_putc(&flat, f->value.p[i]);
	if (is_one_of(f, lists))
		put_addresses(out, f->name, str_slice(&flat));
	else if (is_one_of(f, texts) &&
	    slice_to_cstr(f->name, name, sizeof(name)) == 0) {
		(void)encode_clean(str_slice(&flat), false, clean,
		    sizeof(clean));
		encode_field_text(out, name, slice_of(clean), "");
	}
	str_free(&flat);
}

static void
flush_field(struct surrogate *s)
{
	struct slice field = slice_make(s->field, s->len), rest = field;
	struct str out = STR_INIT(OUT_MAX);
	struct hdr_field f;

	s->len = 0;
	if (field.len == 0)
		return;
	if (encode_is_ascii(field)) {
		s->put(s->arg, field);
		return;
	}
	if (hdr_next(&rest, &f) == HDR_FIELD)
		put_field(&out, &f);
	if (str_ok(&out) && out.len > 0)
		s->put(s->arg, str_slice(&out));
	str_free(&out);
}

/* Part of a field that is longer than any is taken apart: '?' for what is not
 * ASCII. */
static void
put_masked(struct surrogate *s, struct slice bytes)
{
	char masked[512];

	while (bytes.len > 0) {
		size_t n = bytes.len < sizeof(masked) ? bytes.len :
		    sizeof(masked);

		for (size_t i = 0; i < n; i++)
			masked[i] = (unsigned char)bytes.p[i] >= 0x80 ? '?' :
			    bytes.p[i];
		s->put(s->arg, slice_make(masked, n));
		bytes = slice_skip(bytes, n);
	}
}

static void
add(struct surrogate *s, struct slice bytes)
{
	if (!s->too_long && bytes.len <= sizeof(s->field) - s->len) {
		memcpy(s->field + s->len, bytes.p, bytes.len);
		s->len += bytes.len;
		return;
	}
	put_masked(s, slice_make(s->field, s->len));
	put_masked(s, bytes);
	s->len = 0;
	s->too_long = true;
}

/* The first byte of a line tells whether the field before it goes on. */
static void
begin_line(struct surrogate *s, char first)
{
	if (first == ' ' || first == '\t')
		return;
	flush_field(s);
	s->too_long = false;
	s->body = first == '\n' || first == '\r';
}

void
surrogate_init(struct surrogate *s,
    void (*put)(void *arg, struct slice bytes), void *arg)
{
	s->put = put;
	s->arg = arg;
	s->body = s->begun = s->too_long = false;
	s->len = 0;
}

void
surrogate_feed(struct surrogate *s, struct slice piece)
{
	while (piece.len > 0 && !s->body) {
		const char *end = memchr(piece.p, '\n', piece.len);
		size_t n = end == NULL ? piece.len :
		    (size_t)(end - piece.p) + 1;

		if (!s->begun)
			begin_line(s, piece.p[0]);
		if (s->body)
			break;
		add(s, slice_make(piece.p, n));
		s->begun = end == NULL;
		piece = slice_skip(piece, n);
	}
	if (piece.len > 0)
		s->put(s->arg, piece);
}

void
surrogate_end(struct surrogate *s)
{
	flush_field(s);
}
