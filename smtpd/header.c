/* header.c - what a message's header has, and what it lacks. */
/* SPDX-License-Identifier: ISC */

#include "smtpd/header.h"

/*
 * Trusts: nothing. A line that is no field is tolerated behind the first
 * field, as real mail has them; as the very first line it says that there is
 * no header at all.
 */

static const struct {
	struct slice name;
	unsigned bit;
} known[] = {
	{ { "Date", 4 }, HEADER_DATE },
	{ { "From", 4 }, HEADER_FROM },
	{ { "Message-ID", 10 }, HEADER_MESSAGE_ID },
};

static void
note_field(struct header *h, struct slice name)
{
	h->any = true;
	if (slice_eq_nocase(name, SLICE("Received")))
		h->received++;
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (slice_eq_nocase(name, known[i].name))
			h->seen |= known[i].bit;
}

enum line_kind { LINE_FIELD, LINE_OTHER, LINE_UNDECIDED };

/* RFC 5322 2.2: printable ASCII but the colon; 4.5.8: spaces before it. */
static enum line_kind
line_kind(struct slice in, struct slice *name)
{
	size_t i = 0, n;

	while (i < in.len && in.p[i] > ' ' && in.p[i] < 0x7f && in.p[i] != ':')
		i++;
	n = i;
	while (i < in.len && (in.p[i] == ' ' || in.p[i] == '\t'))
		i++;
	if (i >= HEADER_NAME_MAX - 1)
		return LINE_OTHER;
	if (i == in.len)
		return LINE_UNDECIDED;
	if (n == 0 || in.p[i] != ':')
		return LINE_OTHER;
	*name = slice_make(in.p, n);
	return LINE_FIELD;
}

/* At the start of a line. False until there is more of it. */
static bool
begin_line(struct header *h, struct slice in)
{
	struct slice name;

	if (in.p[0] == '\n') {
		h->ended = h->blank = true;
		return false;
	}
	if (in.p[0] == ' ' || in.p[0] == '\t') {
		h->in_value = h->any;
		h->ended = !h->any;
		return h->any;
	}
	switch (line_kind(in, &name)) {
	case LINE_UNDECIDED:
		return false;
	case LINE_FIELD:
		note_field(h, name);
		break;
	case LINE_OTHER:
		if (!h->any) {
			h->ended = true;
			return false;
		}
		break;
	}
	h->in_value = true;
	return true;
}

size_t
header_scan(struct header *h, struct slice in)
{
	size_t at = 0;

	while (at < in.len && !h->ended) {
		const char *lf;

		if (!h->in_value && !begin_line(h, slice_skip(in, at)))
			return at;
		lf = memchr(in.p + at, '\n', in.len - at);
		if (lf == NULL)
			return in.len;
		at = (size_t)(lf - in.p) + 1;
		h->in_value = false;
	}
	return at;
}
