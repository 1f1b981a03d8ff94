/* hdr.c - header fields of a message and address lists (RFC 5322), pure. */
/* SPDX-License-Identifier: ISC */

#include "lib/hdr.h"

#include "lib/addr.h"

#define COMMENT_DEPTH 50

/* Length of the line at the start of s, its LF included. */
static size_t
line_length(struct slice s)
{
	const char *lf = memchr(s.p, '\n', s.len);

	return lf == NULL ? s.len : (size_t)(lf - s.p) + 1;
}

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* Length of a field name at the start of line, or 0; *colon gets its place. */
static size_t
name_length(struct slice line, size_t *colon)
{
	size_t i = 0, name;

	while (i < line.len && line.p[i] > ' ' && line.p[i] < 0x7f &&
	    line.p[i] != ':')
		i++;
	name = i;
	while (i < line.len && is_blank(line.p[i]))
		i++; /* RFC 5322 4.5: obsolete spaces before the colon */
	if (name == 0 || i == line.len || line.p[i] != ':')
		return 0;
	*colon = i;
	return name;
}

enum hdr_next
hdr_next(struct slice *rest, struct hdr_field *field)
{
	struct slice line;
	size_t name, colon = 0, len;

	if (rest->len == 0)
		return HDR_END;
	len = line_length(*rest);
	line = slice_make(rest->p, len);
	if (slice_trim(line).len == 0 && !is_blank(line.p[0])) {
		*rest = slice_skip(*rest, len);
		return HDR_END;
	}
	if ((name = name_length(line, &colon)) == 0)
		return HDR_NO_FIELD;
	while (len < rest->len && is_blank(rest->p[len]))
		len += line_length(slice_skip(*rest, len));
	field->whole = slice_make(rest->p, len);
	field->name = slice_make(rest->p, name);
	field->value = slice_trim(slice_skip(field->whole, colon + 1));
	*rest = slice_skip(*rest, len);
	return HDR_FIELD;
}

bool
hdr_is(const struct hdr_field *field, const char *name)
{
	return slice_eq_nocase(field->name, slice_of(name));
}

bool
hdr_was_delivered_to(struct slice text, struct slice address)
{
	static const struct slice field = SLICE("Delivered-To:");

	while (text.p != NULL && text.len > 0 && text.p[0] != '\n') {
		struct slice line = slice_cut(&text, '\n');

		if (slice_starts_nocase(line, field) &&
		    slice_eq_nocase(slice_trim(slice_skip(line, field.len)),
		    address))
			return true;
	}
	return false;
}

/* The walk over an address list. */
struct walk {
	struct slice rest;
	char spec[ADDR_TEXT_MAX]; /* the address so far */
	size_t len;
	bool after_word;	/* a word came last: another makes a phrase */
	bool is_phrase;		/* what came is a display name, no address */
	bool in_angle, had_angle, in_group;
};

static void
element_begin(struct walk *w)
{
	w->len = 0;
	w->after_word = w->is_phrase = w->in_angle = w->had_angle = false;
}

/* Skips a comment, nested ones and quoted pairs inside. rest is at "(". */
static int
skip_comment(struct walk *w)
{
	size_t depth = 0, i;

	for (i = 0; i < w->rest.len; i++) {
		switch (w->rest.p[i]) {
		case '\\':
			i++;
			break;
		case '(':
			if (++depth > COMMENT_DEPTH)
				return -1;
			break;
		case ')':
			if (--depth == 0) {
				w->rest = slice_skip(w->rest, i + 1);
				return 0;
			}
			break;
		default:
			break;
		}
	}
	return -1;
}

/* Length of a quoted string or a literal at rest, with its ends; 0: no end. */
static size_t
enclosed_length(struct slice s, char end)
{
	for (size_t i = 1; i < s.len; i++) {
		if (s.p[i] == '\\')
			i++;
		else if (s.p[i] == end)
			return i + 1;
	}
	return 0;
}

static bool
is_atom_byte(char c)
{
	return (unsigned char)c > ' ' && c != 0x7f &&
	    strchr("()<>[]:;@\\,.\"", c) == NULL;
}

static size_t
atom_length(struct slice s)
{
	size_t i = 0;

	while (i < s.len && is_atom_byte(s.p[i]))
		i++;
	return i;
}

/* Adds n bytes of rest to the address, without folding. A display name may
 * be of any length: what does not fit is an error only in an address. */
static void
take(struct walk *w, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		char c = w->rest.p[i];

		if (c == '\r' || c == '\n')
			continue;
		if (w->len == sizeof(w->spec)) {
			w->is_phrase = true;
			break;
		}
		w->spec[w->len++] = c;
	}
	w->rest = slice_skip(w->rest, n);
}

/* A word: an atom, a quoted string or a literal of n bytes. */
static int
take_word(struct walk *w, size_t n)
{
	if (n == 0 || w->had_angle)
		return -1;
	if (w->after_word)
		w->is_phrase = true;
	w->after_word = true;
	take(w, n);
	return w->in_angle && w->is_phrase ? -1 : 0;
}

static int
open_angle(struct walk *w)
{
	if (w->in_angle || w->had_angle)
		return -1;
	element_begin(w);
	w->in_angle = true;
	w->rest = slice_skip(w->rest, 1);
	return 0;
}

static int
close_angle(struct walk *w)
{
	if (!w->in_angle || w->len == 0)
		return -1;
	w->in_angle = false;
	w->had_angle = true;
	w->rest = slice_skip(w->rest, 1);
	return 0;
}

/* "name:" begins a group; "<@a,@b:" is a source route (RFC 5322 4.4). */
static int
colon(struct walk *w)
{
	if (w->in_angle) {
		if (w->len == 0 || w->spec[0] != '@')
			return -1;
		w->len = 0;
		w->after_word = false;
	} else {
		if (w->in_group || w->had_angle || w->len == 0)
			return -1;
		w->in_group = true;
		element_begin(w);
	}
	w->rest = slice_skip(w->rest, 1);
	return 0;
}

/* The end of an element: tells of its address, when it has one. */
static int
element_end(struct walk *w, bool (*found)(void *, struct slice), void *arg)
{
	bool is_empty = w->len == 0;

	if (w->in_angle || (w->is_phrase && !w->had_angle))
		return -1;
	if (!is_empty && !found(arg, slice_make(w->spec, w->len)))
		return -1;
	element_begin(w);
	return 0;
}

static int
comma_or_semicolon(struct walk *w, bool (*found)(void *, struct slice),
    void *arg)
{
	if (w->rest.p[0] == ',' && w->in_angle) {
		/* between the hosts of a source route */
		if (w->len == 0 || w->spec[0] != '@')
			return -1;
		w->after_word = false;
		take(w, 1);
		return 0;
	}
	if (w->rest.p[0] == ';' && !w->in_group)
		return -1;
	if (element_end(w, found, arg) == -1)
		return -1;
	if (w->rest.p[0] == ';')
		w->in_group = false;
	w->rest = slice_skip(w->rest, 1);
	return 0;
}

/* One token of the list. */
static int
step(struct walk *w, bool (*found)(void *, struct slice), void *arg)
{
	switch (w->rest.p[0]) {
	case ' ':
	case '\t':
	case '\r':
	case '\n':
		w->rest = slice_skip(w->rest, 1);
		return 0;
	case '(':
		return skip_comment(w);
	case '"':
		return take_word(w, enclosed_length(w->rest, '"'));
	case '[':
		return take_word(w, enclosed_length(w->rest, ']'));
	case '<':
		return open_angle(w);
	case '>':
		return close_angle(w);
	case ':':
		return colon(w);
	case ',':
	case ';':
		return comma_or_semicolon(w, found, arg);
	case '.':
	case '@':
		if (w->had_angle)
			return -1;
		w->after_word = false;
		take(w, 1);
		return w->in_angle && w->is_phrase ? -1 : 0;
	default:
		return take_word(w, atom_length(w->rest));
	}
}

int
hdr_addresses(struct slice value, bool (*found)(void *arg, struct slice address),
    void *arg, struct slice *bad)
{
	struct walk w = { .rest = value };

	while (w.rest.len > 0) {
		if (step(&w, found, arg) == -1) {
			*bad = w.rest;
			return -1;
		}
	}
	if (w.in_group || element_end(&w, found, arg) == -1) {
		*bad = value;
		return -1;
	}
	return 0;
}

void
hdr_put_quoted(struct str *out, const char *text)
{
	str_putc(out, '"');
	for (; *text != '\0'; text++) {
		if (*text == '"' || *text == '\\')
			str_putc(out, '\\');
		str_putc(out, *text);
	}
	str_putc(out, '"');
}

bool
hdr_is_message_id(struct slice s)
{
	size_t ats = 0;

	if (s.len < 5 || s.len > HDR_MESSAGE_ID_MAX || s.p[0] != '<' ||
	    s.p[1] == '@' || s.p[s.len - 2] == '@' || s.p[s.len - 1] != '>')
		return false;
	for (size_t i = 1; i + 1 < s.len; i++) {
		if (s.p[i] <= ' ' || s.p[i] >= 0x7f || s.p[i] == '<' ||
		    s.p[i] == '>' || s.p[i] == '"' || s.p[i] == '\\')
			return false;
		ats += s.p[i] == '@';
	}
	return ats == 1;
}
