/* stream.h - a conversation with another server, in the clear or over TLS. */
#ifndef REMOTE_STREAM_H
#define REMOTE_STREAM_H
/* SPDX-License-Identifier: ISC */

#include <stdint.h>

#include <openssl/ssl.h>

#include "lib/slice.h"

#define STREAM_IN 8192
#define STREAM_OUT 32768

/* Blocking to its user, non-blocking beneath; every wait has a deadline.
 * Write errors are sticky; reading flushes first. */
struct stream {
	int fd;			/* owned; -1: none */
	SSL *ssl;		/* owned; NULL: in the clear */
	int64_t deadline;	/* monotonic ms for whatever is done next */
	size_t start, len, outlen;
	int error;
	char in[STREAM_IN];
	char out[STREAM_OUT];
};

enum stream_line { STREAM_LINE, STREAM_LONG, STREAM_EOF, STREAM_TIMEOUT,
	STREAM_ERROR };

/* Takes fd over, which must be non-blocking. */
void stream_init(struct stream *s, int fd);
/* Closes without a word of TLS or SMTP. */
void stream_close(struct stream *s);

/* Everything until the next call of it must be done in so many seconds. */
void stream_allow(struct stream *s, unsigned seconds);

/* A line of at most max bytes without its end (CRLF, or a bare LF as some
 * servers send); valid until the next read. */
enum stream_line stream_getline(struct stream *s, size_t max,
    struct slice *line);
/* True when the other side has said something unasked, or closed. */
bool stream_is_stirred(struct stream *s);
/* Forgets what was read and not used (RFC 3207 section 4.2). */
void stream_drop_input(struct stream *s);

void stream_put(struct stream *s, struct slice bytes);
void stream_printf(struct stream *s, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/* 0, or -1 with errno (ETIMEDOUT, EPROTO for TLS). */
int stream_flush(struct stream *s);

/* The client's side of a handshake; ssl is taken over. 0, or -1. */
int stream_starttls(struct stream *s, SSL *ssl);

#endif
