/* stream.c - a conversation with another server, in the clear or over TLS. */
/* SPDX-License-Identifier: ISC */

#include "remote/stream.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/err.h>

#include "lib/buf.h"

void
stream_init(struct stream *s, int fd)
{
	s->fd = fd;
	s->ssl = NULL;
	s->deadline = 0;
	s->start = s->len = s->outlen = 0;
	s->error = 0;
}

void
stream_close(struct stream *s)
{
	SSL_free(s->ssl);
	s->ssl = NULL;
	if (s->fd != -1)
		close(s->fd);
	s->fd = -1;
}

void
stream_allow(struct stream *s, unsigned seconds)
{
	s->deadline = clock_ms() + (int64_t)seconds * 1000;
}

/* 0, or -1 with errno. */
static int
wait_for(const struct stream *s, short events)
{
	struct pollfd p = { .fd = s->fd, .events = events };
	int r;

	do {
		int64_t left = s->deadline - clock_ms();

		if (left <= 0) {
			errno = ETIMEDOUT;
			return -1;
		}
		r = poll(&p, 1, left > INT_MAX ? INT_MAX : (int)left);
	} while (r == 0 || (r == -1 && errno == EINTR));
	return r > 0 ? 0 : -1;
}

/* After an SSL function that did not succeed: 0 to call it again, else -1 with
 * errno (0: the other side has closed). */
static int
ssl_wait(struct stream *s, int r)
{
	int saved = errno;

	switch (SSL_get_error(s->ssl, r)) {
	case SSL_ERROR_WANT_READ:
		return wait_for(s, POLLIN);
	case SSL_ERROR_WANT_WRITE:
		return wait_for(s, POLLOUT);
	case SSL_ERROR_ZERO_RETURN:
		errno = 0;
		return -1;
	case SSL_ERROR_SYSCALL:
		errno = saved;
		return -1;
	default:
		errno = EPROTO;
		return -1;
	}
}

static ssize_t
read_some(struct stream *s, char *p, size_t len)
{
	for (;;) {
		ssize_t n;

		if (s->ssl == NULL) {
			if ((n = recv(s->fd, p, len, MSG_DONTWAIT)) >= 0)
				return n;
			if (errno == EINTR)
				continue;
			if (errno != EAGAIN || wait_for(s, POLLIN) == -1)
				return -1;
			continue;
		}
		ERR_clear_error();
		if ((n = SSL_read(s->ssl, p, (int)len)) > 0)
			return n;
		if (ssl_wait(s, (int)n) == -1)
			return errno == 0 ? 0 : -1;
	}
}

static int
write_all(struct stream *s, const char *p, size_t len)
{
	while (len > 0) {
		ssize_t n;

		if (s->ssl == NULL) {
			n = send(s->fd, p, len, MSG_NOSIGNAL | MSG_DONTWAIT);
			if (n == -1 && errno == EAGAIN &&
			    wait_for(s, POLLOUT) == -1)
				return -1;
			if (n == -1 && errno != EAGAIN && errno != EINTR)
				return -1;
		} else {
			ERR_clear_error();
			n = SSL_write(s->ssl, p, len > INT_MAX ? INT_MAX :
			    (int)len);
			if (n <= 0 && ssl_wait(s, (int)n) == -1) {
				errno = errno == 0 ? ECONNRESET : errno;
				return -1;
			}
		}
		if (n > 0) {
			p += n;
			len -= (size_t)n;
		}
	}
	return 0;
}

int
stream_flush(struct stream *s)
{
	if (s->error == 0 && s->outlen > 0 &&
	    write_all(s, s->out, s->outlen) == -1)
		s->error = errno;
	s->outlen = 0;
	if (s->error != 0) {
		errno = s->error;
		return -1;
	}
	return 0;
}

void
stream_put(struct stream *s, struct slice bytes)
{
	while (bytes.len > 0 && s->error == 0) {
		size_t room = sizeof(s->out) - s->outlen;
		size_t n = bytes.len < room ? bytes.len : room;

		memcpy(s->out + s->outlen, bytes.p, n);
		s->outlen += n;
		bytes = slice_skip(bytes, n);
		if (s->outlen == sizeof(s->out))
			stream_flush(s);
	}
}

void
stream_printf(struct stream *s, const char *fmt, ...)
{
	char text[4096];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (n < 0 || (size_t)n >= sizeof(text)) {
		s->error = EMSGSIZE;
		return;
	}
	stream_put(s, slice_make(text, (size_t)n));
}

/* More input behind what is there: bytes, 0 at the end, -1 with errno. */
static ssize_t
fill(struct stream *s)
{
	ssize_t n;

	if (stream_flush(s) == -1)
		return -1;
	if (s->start > 0) {
		memmove(s->in, s->in + s->start, s->len);
		s->start = 0;
	}
	n = read_some(s, s->in + s->len, sizeof(s->in) - s->len);
	if (n > 0)
		s->len += (size_t)n;
	return n;
}

static enum stream_line
failed(ssize_t n)
{
	return n == 0 ? STREAM_EOF :
	    errno == ETIMEDOUT ? STREAM_TIMEOUT : STREAM_ERROR;
}

enum stream_line
stream_getline(struct stream *s, size_t max, struct slice *line)
{
	size_t seen = 0;
	ssize_t n;

	for (;;) {
		const char *in = s->in + s->start;
		const char *lf = memchr(in + seen, '\n', s->len - seen);

		if (lf != NULL) {
			size_t len = (size_t)(lf - in);

			s->start += len + 1;
			s->len -= len + 1;
			if (len > 0 && in[len - 1] == '\r')
				len--;
			*line = slice_make(in, len);
			return len > max ? STREAM_LONG : STREAM_LINE;
		}
		if (s->len > max || s->len == sizeof(s->in))
			return STREAM_LONG;
		seen = s->len;
		if ((n = fill(s)) <= 0)
			return failed(n);
	}
}

bool
stream_is_stirred(struct stream *s)
{
	struct pollfd p = { .fd = s->fd, .events = POLLIN };
	char c;
	int r;

	if (s->len > 0)
		return true;
	if (s->ssl == NULL)
		return poll(&p, 1, 0) == 1;
	/* Session tickets and new keys are nobody's words. */
	ERR_clear_error();
	if ((r = SSL_peek(s->ssl, &c, 1)) > 0)
		return true;
	return SSL_get_error(s->ssl, r) != SSL_ERROR_WANT_READ;
}

void
stream_drop_input(struct stream *s)
{
	s->start = s->len = 0;
}

int
stream_starttls(struct stream *s, SSL *ssl)
{
	int r;

	s->ssl = ssl;
	if (SSL_set_fd(ssl, s->fd) != 1)
		return -1;
	for (;;) {
		ERR_clear_error();
		if ((r = SSL_connect(ssl)) == 1)
			return 0;
		if (ssl_wait(s, r) == -1) {
			errno = errno == 0 ? ECONNRESET : errno;
			return -1;
		}
	}
}
