/* reply.c - the answers of a mailbox session: gathered, sent in one piece. */
/* SPDX-License-Identifier: ISC */

#include "pop3d/reply.h"

#include <sys/socket.h>

#include <errno.h>
#include <limits.h>
#include <poll.h>

#include "lib/buf.h"

void
reply_init(struct reply *r, int fd, int timeout)
{
	/* The array is left as it is: untouched pages cost nothing. */
	r->fd = fd;
	r->timeout = timeout;
	r->error = 0;
	r->len = 0;
	r->sent = 0;
}

/* Waits until the client takes more. 0, or -1 with errno. */
static int
wait_writable(const struct reply *r)
{
	struct pollfd p = { .fd = r->fd, .events = POLLOUT };
	int64_t until = clock_ms() + (int64_t)r->timeout * 1000;

	for (;;) {
		int64_t left = until - clock_ms();
		int n = poll(&p, 1, left < 0 ? 0 :
		    left > INT_MAX ? INT_MAX : (int)left);

		if (n > 0)
			return 0;
		if (n == 0) {
			errno = ETIMEDOUT;
			return -1;
		}
		if (errno != EINTR)
			return -1;
	}
}

int
reply_flush(struct reply *r)
{
	size_t done = 0;

	while (r->error == 0 && done < r->len) {
		ssize_t n = send(r->fd, r->bytes + done, r->len - done,
		    MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n >= 0)
			done += (size_t)n;
		else if (errno == EAGAIN ? wait_writable(r) == -1 :
		    errno != EINTR)
			r->error = errno;
	}
	r->sent += done;
	r->len = 0;
	errno = r->error;
	return r->error == 0 ? 0 : -1;
}

char *
reply_room(struct reply *r, size_t n)
{
	/* After an error the bytes go nowhere, and the caller learns of it. */
	if (n > REPLY_CAP - r->len)
		(void)reply_flush(r);
	return r->bytes + r->len;
}

void
reply_added(struct reply *r, size_t n)
{
	r->len += n;
}

void
reply_put(struct reply *r, struct slice bytes)
{
	while (bytes.len > 0) {
		size_t n = bytes.len < 512 ? bytes.len : 512;

		memcpy(reply_room(r, n), bytes.p, n);
		reply_added(r, n);
		bytes = slice_skip(bytes, n);
	}
}

void
reply_puts(struct reply *r, const char *s)
{
	reply_put(r, slice_of(s));
}

void
reply_number(struct reply *r, uint64_t v)
{
	char digits[20], *p = digits + sizeof(digits);

	do {
		*--p = (char)('0' + v % 10);
		v /= 10;
	} while (v > 0);
	reply_put(r, slice_make(p, (size_t)(digits + sizeof(digits) - p)));
}
