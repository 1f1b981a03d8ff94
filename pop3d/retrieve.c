/* retrieve.c - sends one message to a POP3 client: RETR and TOP. */
/* SPDX-License-Identifier: ISC */

#include "pop3d/retrieve.h"

#include <errno.h>
#include <unistd.h>

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

static void
put_piece(struct reply *r, struct wire *w, struct slice piece)
{
	char *room = reply_room(r, WIRE_ROOM(piece.len));

	reply_added(r, wire_feed(w, piece, room));
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
send_file(int fd, uint64_t size, const struct message *m,
    struct wire_top *top, struct reply *r)
{
	struct wire w = WIRE_INIT;
	char piece[REPLY_PIECE];
	uint64_t done = 0;
	ssize_t n = size == 0 ? 0 : read_piece(fd, piece);

	/* Before the first word, so that a bad disk is an honest -ERR. */
	if (n == -1)
		return -1;
	put_status(r, m, top == NULL);
	while (n > 0 && r->error == 0) {
		struct slice in = slice_make(piece, (size_t)n);

		done += in.len;
		if (top != NULL)
			in.len = wire_top_feed(top, in);
		put_piece(r, &w, in);
		if (done >= size || (top != NULL && top->done))
			break;
		if ((n = read_piece(fd, piece)) == -1)
			return 1;
	}
	reply_added(r, wire_end(&w, reply_room(r, WIRE_END_ROOM)));
	return 0;
}

int
retrieve(struct maildrop *d, struct message *m, struct wire_top *top,
    struct reply *r)
{
	uint64_t size;
	int fd, result, saved;

	if ((fd = maildrop_read(d, m, &size)) == -1)
		return -1;
	result = send_file(fd, size, m, top, r);
	saved = errno;
	close(fd);
	errno = saved;
	return result;
}
