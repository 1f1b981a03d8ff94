/* surrogate_field.c - what stands for a header field that is not ASCII. */
/* SPDX-License-Identifier: ISC */

#include "pop3d/surrogate_field.h"

#include <string.h>

#include "lib/encode.h"

#define OUT_MAX 32000
#define NOWHERE "<invalid@internationalized-address-removed.invalid>"

static bool
is_one_of(const struct hdr_field *f, const char *const *names)
{
	for (; *names != NULL; names++)
		if (hdr_is(f, *names))
			return true;
	return false;
}

/* Where the first of these marks stands in text, outside of quotes, comments
 * and angle brackets; or its length. */
static size_t
find_mark(struct slice text, const char *marks)
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
		else if (!angle && strchr(marks, c) != NULL && c != '\0')
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
		/* The colon and the semicolon are those of a group. */
		size_t n = find_mark(value, ",:;");
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

/* A value without its line ends. */
static struct str
unfolded(struct slice value)
{
	struct str flat = STR_INIT(SURROGATE_FIELD);

	for (size_t i = 0; i < value.len; i++)
		if (value.p[i] != '\r' && value.p[i] != '\n')
			str_putc(&flat, value.p[i]);
	return flat;
}

/* RFC 6858 2.2: parameters that are not ASCII are left out, the others stay. */
static void
put_parameters(struct str *out, struct slice name, struct slice value)
{
	for (bool first = true; value.len > 0; first = false) {
		size_t n = find_mark(value, ";");
		struct slice one = slice_trim(slice_make(value.p, n));

		value = slice_skip(value, n < value.len ? n + 1 : n);
		if (one.len > 0 && encode_is_ascii(one)) {
			if (first)
				str_put(out, name);
			str_puts(out, first ? ": " : ";\n ");
			str_put(out, one);
		} else if (first)
			return;
	}
	str_putc(out, '\n');
}

void
surrogate_field(struct str *out, const struct hdr_field *f)
{
	static const char *const lists[] = { "From", "Sender", "Reply-To", "To",
		"Cc", "Bcc", "Resent-From", "Resent-Sender", "Resent-To",
		"Resent-Cc", "Resent-Bcc", "Disposition-Notification-To",
		NULL };
	static const char *const texts[] = { "Subject", "Comments", "Keywords",
		"Content-Description", "Organization", NULL };
	static const char *const mime[] = { "Content-Type",
		"Content-Disposition", NULL };
	char clean[SURROGATE_FIELD], name[32];
	struct str flat = unfolded(f->value);

	if (is_one_of(f, lists))
		put_addresses(out, f->name, str_slice(&flat));
	else if (is_one_of(f, mime))
		put_parameters(out, f->name, str_slice(&flat));
	else if (is_one_of(f, texts) &&
	    slice_to_cstr(f->name, name, sizeof(name)) == 0) {
		(void)encode_clean(str_slice(&flat), false, clean,
		    sizeof(clean));
		encode_field_text(out, name, slice_of(clean), "");
	}
	str_free(&flat);
}

/* The value of a parameter without its quotes. 0, or -1: no boundary (RFC 2046
 * section 5.1.1: up to 70 characters). */
static int
take_boundary(struct slice value, char *boundary)
{
	struct str plain = STR_INIT(SURROGATE_BOUNDARY);
	int r = -1;

	put_unquoted(&plain, slice_trim(value));
	if (str_ok(&plain) && plain.len > 0 &&
	    encode_is_ascii(str_slice(&plain)))
		r = slice_to_cstr(str_slice(&plain), boundary,
		    SURROGATE_BOUNDARY + 1);
	str_free(&plain);
	return r;
}

enum surrogate_part
surrogate_part(const struct hdr_field *f, char *boundary)
{
	struct str flat = unfolded(f->value);
	struct slice rest = str_slice(&flat), type, name;
	enum surrogate_part part = PART_LEAF;
	size_t n = find_mark(rest, ";");

	type = slice_trim(slice_make(rest.p, n));
	if (slice_eq_nocase(type, SLICE("message/rfc822")) ||
	    slice_eq_nocase(type, SLICE("message/global")))
		part = PART_MESSAGE;
	while (slice_starts_nocase(type, SLICE("multipart/")) &&
	    part == PART_LEAF && n < rest.len) {
		struct slice one;

		rest = slice_skip(rest, n + 1);
		n = find_mark(rest, ";");
		one = slice_make(rest.p, n);
		name = slice_cut(&one, '=');
		if (one.p == NULL || !slice_eq_nocase(slice_trim(name),
		    SLICE("boundary")))
			continue;
		if (take_boundary(one, boundary) == -1)
			break;
		part = slice_eq_nocase(type, SLICE("multipart/digest")) ?
		    PART_DIGEST : PART_MULTIPART;
	}
	str_free(&flat);
	return part;
}
