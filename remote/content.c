/* content.c - a job of malle-queued, and its content on the way out. */
/* SPDX-License-Identifier: ISC */

#include "remote/content.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/buf.h"
#include "lib/fsx.h"
#include "lib/hdr.h"
#include "lib/wire.h"

#define PIECE 16384
#define TIME_BLOCK 180		/* s for one piece (RFC 5321 4.5.3.2.5) */
#define TIME_CONTENT 600	/* s for all of it, and */
#define RATE_MIN 1024		/* bytes that another second is given for */

void
work_free(struct work *w)
{
	if (w == NULL)
		return;
	if (w->fd != -1)
		close(w->fd);
	str_free(&w->content);
	free(w->recipients);
	free(w);
}

/* The next piece of the file in in[PIECE]. -1 with errno. */
static ssize_t
read_piece(const struct work *w, uint64_t at, char *in)
{
	uint64_t left = w->job.length - at;
	size_t n = left < PIECE ? (size_t)left : PIECE;

	if (fsx_pread_all(w->fd, in, n, (off_t)(w->job.offset + at)) == -1)
		return -1;
	return (ssize_t)n;
}

/* Where the header of a message ends: a state machine over its bytes. */
struct look {
	bool body;		/* the empty line was seen */
	bool line_begins;
};

static void
look_at(struct work *w, struct look *l, struct slice in)
{
	for (size_t i = 0; i < in.len; i++) {
		char c = in.p[i];

		if ((unsigned char)c > 127) {
			w->has_high = true;
			w->has_high_header |= !l->body;
		}
		if (c == '\n' && l->line_begins)
			l->body = true;
		l->line_begins = c == '\n';
		if (l->body && w->has_high)
			return;
	}
}

static struct slice
make_prefix(struct work *w)
{
	int n = w->job.forwarder[0] == '\0' ? 0 : snprintf(w->prefix,
	    sizeof(w->prefix), "Delivered-To: %s\n", w->job.forwarder);

	w->prefix_len = (size_t)n;
	return slice_make(w->prefix, w->prefix_len);
}

int
work_measure(struct work *w, bool may_chunk)
{
	struct wire_size size = WIRE_SIZE_INIT;
	struct look look = { .line_begins = true };
	struct slice prefix = make_prefix(w);
	char in[PIECE];
	ssize_t n;

	wire_size_feed(&size, prefix);
	look_at(w, &look, prefix);
	for (uint64_t at = 0; at < w->job.length; at += (uint64_t)n) {
		if ((n = read_piece(w, at, in)) == -1)
			return -1;
		/* A header is seldom longer; then Received lines end a circle. */
		if (at == 0 && prefix.len > 0)
			w->comes_back = hdr_was_delivered_to(slice_make(in,
			    (size_t)n), slice_of(w->job.forwarder));
		wire_size_feed(&size, slice_make(in, (size_t)n));
		if (!look.body || !w->has_high)
			look_at(w, &look, slice_make(in, (size_t)n));
	}
	w->size = wire_size_end(&size);
	w->is_raw = may_chunk && w->has_high;
	w->is_measured = true;
	return 0;
}

static struct wire
wire_of(const struct work *w)
{
	return w->is_raw ? WIRE_INIT_RAW : WIRE_INIT;
}

/* All of a content that is short enough, once for all its recipients. */
static int
render(struct work *w)
{
	char in[PIECE], out[WIRE_ROOM(PIECE)];
	struct wire wire = wire_of(w);
	ssize_t n;

	w->content = STR_INIT(2 * (CONTENT_KEPT + sizeof(w->prefix)) +
	    WIRE_END_ROOM + 2);
	str_put(&w->content, slice_make(out,
	    wire_feed(&wire, slice_make(w->prefix, w->prefix_len), out)));
	for (uint64_t at = 0; at < w->job.length; at += (uint64_t)n) {
		if ((n = read_piece(w, at, in)) == -1) {
			str_clear(&w->content);
			return -1;
		}
		str_put(&w->content, slice_make(out,
		    wire_feed(&wire, slice_make(in, (size_t)n), out)));
	}
	str_put(&w->content, slice_make(out, wire_end(&wire, out)));
	return str_ok(&w->content) ? 0 : -1;
}

/* A long one, piece by piece. Each may take TIME_BLOCK, but a server that
 * takes a byte a minute does not hold us for ever. */
static int
send_pieces(struct work *w, struct stream *s)
{
	char in[PIECE], out[WIRE_ROOM(PIECE)];
	struct wire wire = wire_of(w);
	int64_t end = clock_ms() + ((int64_t)TIME_CONTENT +
	    (int64_t)(w->size / RATE_MIN)) * 1000;
	ssize_t n;

	stream_put(s, slice_make(out,
	    wire_feed(&wire, slice_make(w->prefix, w->prefix_len), out)));
	for (uint64_t at = 0; at < w->job.length; at += (uint64_t)n) {
		if ((n = read_piece(w, at, in)) == -1)
			return -1;
		stream_allow(s, TIME_BLOCK);
		if (s->deadline > end)
			s->deadline = end;
		stream_put(s, slice_make(out,
		    wire_feed(&wire, slice_make(in, (size_t)n), out)));
		if (s->error != 0)
			return 0;
	}
	stream_put(s, slice_make(out, wire_end(&wire, out)));
	return 0;
}

int
work_send(struct work *w, struct stream *s)
{
	stream_allow(s, TIME_BLOCK);
	if (w->is_raw)
		stream_printf(s, "BDAT %ju LAST\r\n", (uintmax_t)w->size);
	if (w->job.length > CONTENT_KEPT)
		return send_pieces(w, s);
	if (w->content.len == 0 && render(w) == -1)
		return -1;
	stream_put(s, str_slice(&w->content));
	return 0;
}
