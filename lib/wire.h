/* wire.h - from a stored message to the bytes that POP3 and SMTP send. */
#ifndef LIB_WIRE_H
#define LIB_WIRE_H
/* SPDX-License-Identifier: ISC */

#include <stdint.h>

#include "lib/slice.h"

/*
 * Pure functions: bytes in, bytes out. A stored message has LF line ends; on
 * the wire every line ends in CRLF and a leading dot is doubled (RFC 1939
 * section 3, RFC 5321 4.5.2), unless raw (BDAT, RFC 3030). Files from elsewhere
 * may have CRLF, which stays as it is, and a bare CR, which becomes CRLF:
 * neither a bare CR nor a bare LF ever leaves. Every other byte, NUL and 8-bit
 * included, is sent as it was stored.
 */
struct wire {
	bool in_line;		/* the line has begun: a dot is only a dot */
	bool cr;		/* a CR was the last byte, and is not sent yet */
	bool raw;		/* no dot is doubled, no dot ends it */
};

#define WIRE_INIT ((struct wire){ false, false, false })
#define WIRE_INIT_RAW ((struct wire){ false, false, true })
/* Room that wire_feed needs for n bytes, and wire_end. */
#define WIRE_ROOM(n) (2 * (n) + 2)
#define WIRE_END_ROOM 5

/* Turns the next piece of a message into out; returns the bytes written. */
size_t wire_feed(struct wire *w, struct slice in, char *out);
/* Ends the last line if it has no end, and, unless raw, the text: ".\r\n". */
size_t wire_end(struct wire *w, char *out);

/*
 * The size of a message as LIST and RETR announce it: the bytes of the wire
 * without doubled dots and without the final ".\r\n".
 */
struct wire_size {
	uint64_t bytes;
	bool cr, in_line;
};

#define WIRE_SIZE_INIT ((struct wire_size){ 0, false, false })

void wire_size_feed(struct wire_size *s, struct slice in);
/* The total, after the last piece. */
uint64_t wire_size_end(const struct wire_size *s);

/* Where TOP stops: the header, the empty line, and so many lines. */
struct wire_top {
	uint64_t lines;		/* still wanted of the body */
	bool body, done;
	bool in_line, cr;	/* the line is not empty; a CR was the last */
};

struct wire_top wire_top_init(uint64_t lines);
/* How many of these bytes still belong to the answer; t->done: no more. */
size_t wire_top_feed(struct wire_top *t, struct slice in);

#endif
