/* retrieve.c - sends one message to a POP3 client: RETR and TOP. */
/* SPDX-License-Identifier: ISC */

#include "pop3d/retrieve.h"

#include <errno.h>
#include <unistd.h>

#include "pop3d/surrogate.h"

/* One message on its way. */
struct sending {
	struct reply *reply;
	struct wire_top *top;		/* NULL: all of it */
	struct wire wire;
};

static void
put_status(struct reply *r, const struct message *m, bool whole)
{
	if (!whole || m->wire == UINT64_MAX) {
		reply_puts(r, "+OK\r\n");
		return;
	}
	reply_puts(r, "+OK ");
	reply_number(r, m->wire);
	reply_puts(r, " octets\r\n");
}

/* Bytes as stored; a surrogate gives them in pieces of its own. */
static void
put_piece(void *arg, struct slice piece)
{
	struct sending *s = arg;
	char *room;

	if (s->top != NULL)
		piece.len = wire_top_feed(s->top, piece);
	room = reply_room(s->reply, WIRE_ROOM(piece.len));
	reply_added(s->reply, wire_feed(&s->wire, piece, room));
}

static ssize_t
read_piece(int fd, char *piece)
{
	ssize_t n;

	do
		n = read(fd, piece, REPLY_PIECE);
	while (n == -1 && errno == EINTR);
	return n;
}

/* All of fd up to its size or the top's end. As retrieve(). */
static int
send_file(int fd, uint64_t size, const struct message *m, bool utf8,
    struct sending *s)
{
	struct surrogate surrogate;
	char piece[REPLY_PIECE];
	uint64_t done = 0;
	ssize_t n = size == 0 ? 0 : read_piece(fd, piece);
	bool is_plain;

	/* Before the first word, so that a bad disk is an honest -ERR. */
	if (n == -1)
		return -1;
	is_plain = utf8 || !surrogate_is_needed(slice_make(piece, (size_t)n));
	if (!is_plain)
		surrogate_init(&surrogate, put_piece, s);
	put_status(s->reply, m, is_plain && s->top == NULL);
	while (n > 0 && s->reply->error == 0) {
		struct slice in = slice_make(piece, (size_t)n);

		done += in.len;
		if (is_plain)
			put_piece(s, in);
		else
			surrogate_feed(&surrogate, in);
		if (done >= size || (s->top != NULL && s->top->done))
			break;
		if ((n = read_piece(fd, piece)) == -1)
			return 1;
	}
	if (!is_plain)
		surrogate_end(&surrogate);
	reply_added(s->reply, wire_end(&s->wire,
	    reply_room(s->reply, WIRE_END_ROOM)));
	return 0;
}

int
retrieve(struct maildrop *d, struct message *m, struct wire_top *top,
    bool utf8, struct reply *r)
{
	struct sending s = { .reply = r, .top = top, .wire = WIRE_INIT };
	uint64_t size;
	int fd, result, saved;

	if ((fd = maildrop_read(d, m, &size)) == -1)
		return -1;
	result = send_file(fd, size, m, utf8, &s);
	saved = errno;
	close(fd);
	errno = saved;
	return result;
}
