/* hops.c - counts the Received lines of a message: mail loops. No I/O. */
/* SPDX-License-Identifier: ISC */
#include "queue/hops.h"

static const char field[] = "received:";
#define FIELD_LEN (sizeof(field) - 1)

/* Looks at the beginning of a line, as far as it is there. */
static size_t
feed_start(struct hops *h, struct slice s)
{
	size_t i = 0;

	while (i < s.len && s.p[i] != '\n' && !h->differs &&
	    h->seen < FIELD_LEN) {
		char c = s.p[i++];

		if (c >= 'A' && c <= 'Z')
			c = (char)(c - 'A' + 'a');
		if (c != field[h->seen++])
			h->differs = true;
		else if (h->seen == FIELD_LEN) {
			h->count++;
			h->differs = true;
		}
	}
	return i;
}

void
hops_feed(struct hops *h, struct slice piece)
{
	while (piece.len > 0 && !h->is_over) {
		const char *end;

		piece = slice_skip(piece, feed_start(h, piece));
		end = memchr(piece.p, '\n', piece.len);
		if (end == NULL)
			return;
		if (h->seen == 0)
			h->is_over = true;
		h->seen = 0;
		h->differs = false;
		piece = slice_skip(piece, (size_t)(end - piece.p) + 1);
	}
}
