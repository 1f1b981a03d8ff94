/* buf.h - buffered input and output on one descriptor, with deadlines. */
#ifndef LIB_BUF_H
#define LIB_BUF_H
/* SPDX-License-Identifier: ISC */

#include <stdint.h>

#include "lib/clock.h"
#include "lib/slice.h"

#define BUF_IN 8192
#define BUF_OUT 8192

/*
 * One end of a conversation: a client's socket, a pair to malle-tls. Reading
 * flushes pending output first, so PIPELINING works by itself and a dialogue
 * never deadlocks. Write errors are sticky.
 */
struct buf {
	int fd;			/* borrowed; -1 when there is none */
	int timeout;		/* seconds for any one wait */
	int64_t end;		/* clock_ms() after which nothing waits; 0: none */
	size_t start, len;	/* input: in[start .. start + len) */
	size_t high;		/* nothing was ever read behind in[high - 1] */
	size_t outlen;
	int error;		/* sticky errno of a failed write; 0 */
	char in[BUF_IN];
	char out[BUF_OUT];
};

enum buf_line {
	BUF_LINE,		/* a line was read */
	BUF_TOO_LONG,		/* a line over the limit: read to its end, dropped */
	BUF_BARE,		/* a bare CR or a bare LF in it: read to its end */
	BUF_EOF,		/* the other side has closed */
	BUF_TIMEOUT,
	BUF_ERROR		/* errno */
};

/* fd may be in blocking or non-blocking mode. timeout in seconds. */
void buf_init(struct buf *b, int fd, int timeout);

/*
 * Reads one line that ends in CRLF. *line is the text without the CRLF, inside
 * the buffer, valid until the next call on b. max, with the CRLF, at most
 * BUF_IN. Only CRLF ends a line; a bare CR or LF makes BUF_BARE when the line
 * has been read up to its CRLF or its limit.
 */
enum buf_line buf_getline(struct buf *b, size_t max, struct slice *line);

/*
 * The bytes that are there, reading once when there is none (at most BUF_IN).
 * Returns their number (*bytes points into the buffer, valid until the next
 * call), 0 at the end of input, -1 with errno (ETIMEDOUT for a timeout).
 * They stay in the buffer until buf_consume().
 */
int buf_peek(struct buf *b, struct slice *bytes);
/* The same, but reads for more although some are there (there must be room). */
int buf_more(struct buf *b, struct slice *bytes);
void buf_consume(struct buf *b, size_t n);

/* True when input is in the buffer or waiting in the kernel: the other side
 * has sent something before our answer. Does not wait. */
bool buf_has_input(const struct buf *b);

/* Queues output; writes it out by itself when the buffer is full. */
void buf_put(struct buf *b, struct slice bytes);
void buf_puts(struct buf *b, const char *s);
void buf_printf(struct buf *b, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* Writes all that is pending. Returns 0, or -1 with errno (now or earlier). */
int buf_flush(struct buf *b);

#endif
