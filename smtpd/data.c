/* data.c - the content of a message as it comes over the wire. */
/* SPDX-License-Identifier: ISC */

#include "smtpd/data.h"

/*
 * Trusts: nothing; every byte is the client's.
 * Limits: none of its own: the caller looks at size and line_longest.
 *
 * Named states decide at line ends only; between them bytes are found with
 * memchr() and copied in one piece. A bare LF does not begin a line: a dot
 * behind it is content, so that what others might take for the end of the
 * message never is one here.
 */

void
data_init(struct data *d, bool is_chunk)
{
	*d = (struct data){ .state = DATA_LINE_START, .is_chunk = is_chunk };
}

/* Where CR and LF come next; searched again only when passed. */
struct marks {
	const char *cr, *lf;
};

static const char *
find_mark(const char *p, const char *end, char c)
{
	const char *found = memchr(p, c, (size_t)(end - p));

	return found != NULL ? found : end;
}

static void
end_line(struct data *d, char *out, size_t *len)
{
	out[(*len)++] = '\n';
	d->line = 0;
}

static void
note_bare(struct data *d, char *out, size_t *len)
{
	d->bare = true;
	d->size++;
	end_line(d, out, len);
}

/* Copies up to the next CR or LF. Returns what is left behind it. */
static const char *
copy_run(struct data *d, const char *p, const char *end, struct marks *m,
    char *out, size_t *len)
{
	size_t n;

	if (m->cr < p)
		m->cr = find_mark(p, end, '\r');
	if (m->lf < p)
		m->lf = find_mark(p, end, '\n');
	n = (size_t)((m->cr < m->lf ? m->cr : m->lf) - p);
	memcpy(out + *len, p, n);
	*len += n;
	d->size += n;
	d->line += n;
	if (d->line > d->line_longest)
		d->line_longest = d->line;
	p += n;
	if (p == end)
		return p;
	if (*p == '\r')
		d->state = DATA_CR;
	else
		note_bare(d, out, len);
	return p + 1;
}

/* A CR was held back; *p is what follows it. Returns what is left. */
static const char *
after_cr(struct data *d, const char *p, char *out, size_t *len)
{
	if (*p != '\n') {
		note_bare(d, out, len);
		d->state = DATA_IN_LINE;
		return p;
	}
	d->size += 2;
	end_line(d, out, len);
	d->state = DATA_LINE_START;
	return p + 1;
}

/* A dot and a CR were held back, *p follows: the end, or a stuffed dot that
 * is dropped in front of a bare CR. */
static const char *
after_dot_cr(struct data *d, const char *p, char *out, size_t *len)
{
	if (*p != '\n') {
		note_bare(d, out, len);
		d->state = DATA_IN_LINE;
		return p;
	}
	d->state = DATA_END;
	return p + 1;
}

size_t
data_feed(struct data *d, struct slice in, char *out, size_t *len)
{
	const char *p = in.p, *end = in.p + in.len;
	struct marks m;

	if (in.len == 0)
		return 0;
	m.cr = find_mark(p, end, '\r');
	m.lf = find_mark(p, end, '\n');
	while (p < end && d->state != DATA_END) {
		switch (d->state) {
		case DATA_LINE_START:
			d->state = DATA_IN_LINE;
			if (*p == '.' && !d->is_chunk) {
				d->state = DATA_DOT;
				p++;
			}
			break;
		case DATA_IN_LINE:
			p = copy_run(d, p, end, &m, out, len);
			break;
		case DATA_CR:
			p = after_cr(d, p, out, len);
			break;
		case DATA_DOT:
			/* RFC 5321 4.5.2: the first dot is dropped. */
			d->state = *p == '\r' ? DATA_DOT_CR : DATA_IN_LINE;
			if (*p == '\r')
				p++;
			break;
		case DATA_DOT_CR:
			p = after_dot_cr(d, p, out, len);
			break;
		case DATA_END:
			break;
		}
	}
	return (size_t)(p - in.p);
}

void
data_finish(struct data *d, char *out, size_t *len)
{
	if (d->state == DATA_CR)
		note_bare(d, out, len);
	d->state = DATA_END;
}
