/* buf.c - buffered input and output on one descriptor, with deadlines. */
/* SPDX-License-Identifier: ISC */

#include "lib/buf.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

void
buf_init(struct buf *b, int fd, int timeout)
{
	/* The arrays are left as they are: an idle session touches no page of
	 * them before it needs one. */
	b->fd = fd;
	b->timeout = timeout;
	b->end = 0;
	b->start = b->len = b->high = b->outlen = 0;
	b->error = 0;
}

/* Waits for events on fd until the wait's or the session's deadline.
 * 0, or -1 with errno. */
static int
wait_for(const struct buf *b, short events)
{
	struct pollfd p = { .fd = b->fd, .events = events };
	int64_t until = clock_ms() + (int64_t)b->timeout * 1000, left;
	int r;

	if (b->end != 0 && b->end < until)
		until = b->end;
	for (;;) {
		left = until - clock_ms();
		if (left < 0)
			left = 0;
		r = poll(&p, 1, left > INT_MAX ? INT_MAX : (int)left);
		if (r > 0)
			return 0;
		if (r == 0) {
			errno = ETIMEDOUT;
			return -1;
		}
		if (errno != EINTR)
			return -1;
	}
}

static int
write_some(struct buf *b, const char *p, size_t len)
{
	while (len > 0) {
		ssize_t n = send(b->fd, p, len, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n >= 0) {
			p += n;
			len -= (size_t)n;
		} else if (errno == EAGAIN) {
			if (wait_for(b, POLLOUT) == -1)
				return -1;
		} else if (errno != EINTR)
			return -1;
	}
	return 0;
}

int
buf_flush(struct buf *b)
{
	if (b->error == 0 && b->outlen > 0 &&
	    write_some(b, b->out, b->outlen) == -1)
		b->error = errno;
	b->outlen = 0;
	if (b->error != 0) {
		errno = b->error;
		return -1;
	}
	return 0;
}

void
buf_put(struct buf *b, struct slice bytes)
{
	if (b->error != 0)
		return;
	if (bytes.len > BUF_OUT - b->outlen)
		buf_flush(b);
	if (b->error == 0 && bytes.len > BUF_OUT) {
		if (write_some(b, bytes.p, bytes.len) == -1)
			b->error = errno;
		return;
	}
	if (b->error != 0 || bytes.len == 0)
		return;
	memcpy(b->out + b->outlen, bytes.p, bytes.len);
	b->outlen += bytes.len;
}

void
buf_puts(struct buf *b, const char *s)
{
	buf_put(b, slice_of(s));
}

void
buf_printf(struct buf *b, const char *fmt, ...)
{
	char text[2048];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (n < 0 || (size_t)n >= sizeof(text)) {
		b->error = EMSGSIZE;
		return;
	}
	buf_put(b, slice_make(text, (size_t)n));
}

/* Reads once behind what is there. Bytes read, 0 at the end, -1 with errno. */
static ssize_t
fill(struct buf *b)
{
	bool answered = b->outlen > 0;
	ssize_t n;

	if (buf_flush(b) == -1)
		return -1;
	if (b->start > 0) {
		memmove(b->in, b->in + b->start, b->len);
		b->start = 0;
	}
	/* Who has just been answered has not spoken yet: no read in vain. */
	if (answered && wait_for(b, POLLIN) == -1)
		return -1;
	for (;;) {
		n = recv(b->fd, b->in + b->len, BUF_IN - b->len, MSG_DONTWAIT);
		if (n >= 0) {
			b->len += (size_t)n;
			if (b->len > b->high)
				b->high = b->len;
			return n;
		}
		if (errno == EAGAIN) {
			if (wait_for(b, POLLIN) == -1)
				return -1;
		} else if (errno != EINTR)
			return -1;
	}
}

int
buf_more(struct buf *b, struct slice *bytes)
{
	ssize_t n;

	if (b->len == BUF_IN) {
		errno = ENOBUFS;
		return -1;
	}
	if ((n = fill(b)) <= 0)
		return (int)n;
	*bytes = slice_make(b->in + b->start, b->len);
	return (int)b->len;
}

int
buf_peek(struct buf *b, struct slice *bytes)
{
	if (b->len == 0)
		return buf_more(b, bytes);
	*bytes = slice_make(b->in + b->start, b->len);
	return (int)b->len;
}

void
buf_consume(struct buf *b, size_t n)
{
	b->start += n;
	b->len -= n;
	if (b->len == 0)
		b->start = 0;
}

/*
 * Looks for CRLF in the input from *seen on. Returns the offset of its CR, or
 * -1. *bare becomes true at a CR or LF that is not part of one.
 */
static ssize_t
find_crlf(const struct buf *b, size_t *seen, bool *bare)
{
	const char *in = b->in + b->start;
	size_t i = *seen;

	while (i < b->len) {
		if (in[i] == '\n') {
			if (i > 0 && in[i - 1] == '\r')
				return (ssize_t)i - 1;
			*bare = true;
		} else if (i > 0 && in[i - 1] == '\r')
			*bare = true;
		i++;
	}
	*seen = i;
	return -1;
}

/* The rest of a line that is too long: dropped up to its CRLF. */
static enum buf_line
skip_line(struct buf *b)
{
	bool bare = false;

	for (;;) {
		size_t seen = 0;
		bool cr = b->len > 0 && b->in[b->start + b->len - 1] == '\r';
		ssize_t at = find_crlf(b, &seen, &bare), n;

		if (at >= 0) {
			buf_consume(b, (size_t)at + 2);
			return BUF_TOO_LONG;
		}
		buf_consume(b, cr ? b->len - 1 : b->len);
		if ((n = fill(b)) == 0)
			return BUF_EOF;
		if (n == -1)
			return errno == ETIMEDOUT ? BUF_TIMEOUT : BUF_ERROR;
	}
}

enum buf_line
buf_getline(struct buf *b, size_t max, struct slice *line)
{
	bool bare = false;
	size_t seen = 0;
	ssize_t at, n;

	for (;;) {
		at = find_crlf(b, &seen, &bare);
		if (at >= 0 && (size_t)at + 2 <= max)
			break;
		if (at >= 0 || b->len >= max)
			return skip_line(b);
		if ((n = fill(b)) == 0)
			return BUF_EOF;
		if (n == -1)
			return errno == ETIMEDOUT ? BUF_TIMEOUT : BUF_ERROR;
	}
	*line = slice_make(b->in + b->start, (size_t)at);
	buf_consume(b, (size_t)at + 2);
	return bare ? BUF_BARE : BUF_LINE;
}

bool
buf_has_input(const struct buf *b)
{
	int n = 0;

	if (b->len > 0)
		return true;
	return ioctl(b->fd, FIONREAD, &n) == 0 && n > 0;
}
