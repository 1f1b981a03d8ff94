/* surrogate.c - an internationalized message for who has not said UTF8. */
/* SPDX-License-Identifier: ISC */

#include "pop3d/surrogate.h"

#include <string.h>

#include "lib/encode.h"
#include "lib/hdr.h"

#define OUT_MAX 32000
#define DELIMITER_MAX 128	/* a boundary, dashes, spaces, a line end */

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

/* The field at hand is whole. */
static void
flush_field(struct surrogate *s)
{
	struct slice field = slice_make(s->field, s->len), rest = field;
	struct str out = STR_INIT(OUT_MAX);
	struct hdr_field f;
	bool is_field;

	s->len = 0;
	if (field.len == 0)
		return;
	is_field = hdr_next(&rest, &f) == HDR_FIELD;
	if (is_field && hdr_is(&f, "Content-Type"))
		s->part = surrogate_part(&f, s->boundary);
	if (encode_is_ascii(field))
		s->put(s->arg, field);
	else if (is_field)
		surrogate_field(&out, &f);
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

static void
begin_header(struct surrogate *s, enum surrogate_part part)
{
	s->in_header = true;
	s->too_long = false;
	s->part = part;
}

/* What comes behind the empty line depends on what the header has said. */
static void
end_header(struct surrogate *s)
{
	s->in_header = false;
	s->is_message = s->part == PART_MESSAGE;
	if ((s->part != PART_MULTIPART && s->part != PART_DIGEST) ||
	    s->depth == SURROGATE_DEPTH)
		return;
	memcpy(s->levels[s->depth].boundary, s->boundary, sizeof(s->boundary));
	s->levels[s->depth++].is_digest = s->part == PART_DIGEST;
}

/* The first byte of a line tells whether the field before it goes on. */
static void
begin_line(struct surrogate *s, char first)
{
	if (s->is_message) {
		s->is_message = false;
		begin_header(s, PART_LEAF);
	}
	if (s->in_header && (first == ' ' || first == '\t'))
		return;
	if (s->in_header)
		flush_field(s);
	s->too_long = false;
	s->is_dashed = s->depth > 0 && first == '-';
	if (s->in_header && (first == '\n' || first == '\r'))
		end_header(s);
}

/* True when line is the delimiter of a part (RFC 2046 section 5.1.1), of the
 * innermost multipart or of one around it, which ends those in it. */
static bool
is_delimiter(struct surrogate *s, struct slice line)
{
	line = slice_trim(line);
	for (size_t i = s->depth; i-- > 0; ) {
		struct slice boundary = slice_of(s->levels[i].boundary);
		struct slice tail;

		if (line.len < 2 + boundary.len || line.p[1] != '-' ||
		    memcmp(line.p + 2, boundary.p, boundary.len) != 0)
			continue;
		tail = slice_skip(line, 2 + boundary.len);
		if (tail.len > 0 && !slice_eq(tail, SLICE("--")))
			continue;
		s->depth = tail.len > 0 ? i : i + 1;
		s->in_header = false;
		if (tail.len == 0)
			begin_header(s, s->levels[i].is_digest ? PART_MESSAGE :
			    PART_LEAF);
		return true;
	}
	return false;
}

/* A line that begins like a delimiter waits in s->field until it is whole. */
static void
add_dashed(struct surrogate *s, struct slice bytes, bool is_whole)
{
	bool fits = bytes.len <= DELIMITER_MAX - s->len;

	if (fits) {
		memcpy(s->field + s->len, bytes.p, bytes.len);
		s->len += bytes.len;
		if (!is_whole)
			return;
	}
	s->is_dashed = false;
	if ((fits && is_delimiter(s, slice_make(s->field, s->len))) ||
	    !s->in_header) {
		s->put(s->arg, slice_make(s->field, s->len));
		s->len = 0;
	}
	if (!fits && s->in_header)
		add(s, bytes);
	else if (!fits)
		s->put(s->arg, bytes);
}

void
surrogate_init(struct surrogate *s,
    void (*put)(void *arg, struct slice bytes), void *arg)
{
	s->put = put;
	s->arg = arg;
	s->begun = s->is_dashed = s->is_message = false;
	s->len = s->depth = 0;
	begin_header(s, PART_LEAF);
}

void
surrogate_feed(struct surrogate *s, struct slice piece)
{
	while (piece.len > 0) {
		const char *end = memchr(piece.p, '\n', piece.len);
		size_t n = end == NULL ? piece.len :
		    (size_t)(end - piece.p) + 1;
		struct slice bytes;

		if (!s->begun)
			begin_line(s, piece.p[0]);
		/* No more headers: all the rest goes through. */
		if (!s->in_header && !s->is_message && s->depth == 0)
			n = piece.len;
		bytes = slice_make(piece.p, n);
		if (s->is_dashed)
			add_dashed(s, bytes, end != NULL);
		else if (s->in_header)
			add(s, bytes);
		else
			s->put(s->arg, bytes);
		s->begun = end == NULL;
		piece = slice_skip(piece, n);
	}
}

void
surrogate_end(struct surrogate *s)
{
	if (s->in_header)
		flush_field(s);
	else if (s->len > 0)
		s->put(s->arg, slice_make(s->field, s->len));
}
