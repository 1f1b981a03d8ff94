/* wire.c - from a stored message to the bytes that POP3 and SMTP send. */
/* SPDX-License-Identifier: ISC */

#include "lib/wire.h"

static char *
put_crlf(struct wire *w, char *out)
{
	w->in_line = false;
	w->cr = false;
	*out++ = '\r';
	*out++ = '\n';
	return out;
}

/* Part of a line: neither CR nor LF inside. */
static char *
put_text(struct wire *w, const char *p, size_t len, char *out)
{
	if (len == 0)
		return out;
	if (!w->in_line && !w->raw && *p == '.')
		*out++ = '.';
	w->in_line = true;
	memcpy(out, p, len);
	return out + len;
}

/* Text with LF as the only line end. */
static char *
put_lines(struct wire *w, const char *p, const char *end, char *out)
{
	const char *lf;

	while (p < end &&
	    (lf = memchr(p, '\n', (size_t)(end - p))) != NULL) {
		out = put_text(w, p, (size_t)(lf - p), out);
		out = put_crlf(w, out);
		p = lf + 1;
	}
	return put_text(w, p, (size_t)(end - p), out);
}

size_t
wire_feed(struct wire *w, struct slice in, char *out)
{
	const char *p = in.p, *end = in.p + in.len, *cr;
	char *start = out;

	while (p < end) {
		if (w->cr) {
			out = put_crlf(w, out);
			if (*p == '\n')
				p++;
			continue;
		}
		if ((cr = memchr(p, '\r', (size_t)(end - p))) == NULL) {
			out = put_lines(w, p, end, out);
			break;
		}
		out = put_lines(w, p, cr, out);
		w->cr = true;
		p = cr + 1;
	}
	return (size_t)(out - start);
}

size_t
wire_end(struct wire *w, char *out)
{
	char *start = out;

	if (w->cr || w->in_line)
		out = put_crlf(w, out);
	if (w->raw)
		return (size_t)(out - start);
	memcpy(out, ".\r\n", 3);
	return (size_t)(out + 3 - start);
}

static size_t
count(const char *p, size_t len, char c)
{
	size_t n = 0;

	for (size_t i = 0; i < len; i++)
		n += p[i] == c;
	return n;
}

void
wire_size_feed(struct wire_size *s, struct slice in)
{
	const char *p = in.p;
	size_t cr;

	if (in.len == 0)
		return;
	/* A CR at the end of the last piece was counted as a whole CRLF. */
	if (s->cr && *p == '\n')
		in = slice_skip(in, 1);
	if (in.len == 0) {
		s->cr = false;
		return;
	}
	cr = count(in.p, in.len, '\r');
	s->bytes += in.len + count(in.p, in.len, '\n') + cr;
	if (cr > 0)
		for (size_t i = 0; i + 1 < in.len; i++)
			if (in.p[i] == '\r' && in.p[i + 1] == '\n')
				s->bytes -= 2;
	s->cr = in.p[in.len - 1] == '\r';
	s->in_line = !s->cr && in.p[in.len - 1] != '\n';
}

uint64_t
wire_size_end(const struct wire_size *s)
{
	return s->bytes + (s->in_line ? 2 : 0);
}

struct wire_top
wire_top_init(uint64_t lines)
{
	return (struct wire_top){ .lines = lines };
}

/* A line has ended. */
static void
top_line(struct wire_top *t)
{
	if (t->body)
		t->lines--;
	else if (!t->in_line)
		t->body = true;
	t->in_line = false;
	t->done = t->body && t->lines == 0;
}

size_t
wire_top_feed(struct wire_top *t, struct slice in)
{
	size_t i = 0;

	while (i < in.len && !t->done) {
		char c = in.p[i];
		bool ends = c == '\n' && t->cr;	/* LF of a CRLF: seen as CR */

		t->cr = c == '\r';
		i++;
		if (ends)
			continue;
		if (c == '\r' || c == '\n')
			top_line(t);
		else
			t->in_line = true;
	}
	return i;
}
