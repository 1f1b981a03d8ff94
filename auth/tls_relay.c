/* tls_relay.c - carries bytes between a TLS client and a session, both ways. */
/* SPDX-License-Identifier: ISC */

#include "auth/tls.h"

#include <sys/socket.h>

#include <errno.h>
#include <poll.h>
#include <stdbool.h>

#include <openssl/err.h>

#include "auth/tls_memory.h"
#include "lib/buf.h"

#define RECORD 16384		/* bytes of plain text in a TLS record */
#define STALL_TIME 300000	/* ms for a client to read what waits for it */
#define LINGER_TIME 2000	/* ms for a client to answer our close_notify */
#define IDLE_TIME 1000		/* ms; who is silent for longer needs less memory */

/*
 * Each direction has one record's room and ends by itself: what one side has
 * said before it closed reaches the other. The session has deadlines; the relay
 * has one only for a client that does not read. A client that closes without a
 * close_notify is an end of input like any other: no message of our protocols
 * is whole because its connection ended, so nothing can be cut short unseen.
 */
struct stream {
	unsigned char data[RECORD];
	size_t start, len;
	bool ended;		/* no more input */
	bool shut;		/* and the other side knows */
};

struct relay {
	SSL *ssl;
	int client_fd, session_fd;
	short read_wants, write_wants;	/* poll events for SSL_read, SSL_write */
	struct stream up, down;		/* client to session, and back */
	bool client_ready, session_ready;	/* to be read without waiting */
	bool broken;			/* TLS can go on no more */
	bool is_trimmed;		/* memory was given back */
};

/* What SSL_read or SSL_write wait for; 0 when they never will go on. */
static short
wants(const struct relay *r, int result)
{
	switch (SSL_get_error(r->ssl, result)) {
	case SSL_ERROR_WANT_READ:
		return POLLIN;
	case SSL_ERROR_WANT_WRITE:
		return POLLOUT;
	default:
		return 0;
	}
}

static bool
read_client(struct relay *r)
{
	struct stream *s = &r->up;
	size_t n;
	int result;

	if (!r->client_ready || s->ended || s->len > 0)
		return false;
	ERR_clear_error();
	result = SSL_read_ex(r->ssl, s->data, sizeof(s->data), &n);
	/* What is left in the kernel shows at the next poll, which costs less
	 * than a read in vain; what OpenSSL has read ahead would not. */
	r->client_ready = result == 1 && SSL_has_pending(r->ssl) == 1;
	if (result == 1) {
		s->start = 0;
		s->len = n;
		return true;
	}
	if (SSL_get_error(r->ssl, result) == SSL_ERROR_ZERO_RETURN) {
		s->ended = true;
		return true;
	}
	if ((r->read_wants = wants(r, result)) == 0)
		r->broken = true;
	return false;
}

static bool
write_session(struct relay *r)
{
	struct stream *s = &r->up;
	ssize_t n;

	if (s->len == 0) {
		if (!s->ended || s->shut)
			return false;
		s->shut = true;
		(void)shutdown(r->session_fd, SHUT_WR);
		return true;
	}
	n = send(r->session_fd, s->data + s->start, s->len,
	    MSG_NOSIGNAL | MSG_DONTWAIT);
	if (n > 0) {
		s->start += (size_t)n;
		s->len -= (size_t)n;
		return true;
	}
	if (n == -1 && (errno == EAGAIN || errno == EINTR))
		return false;
	/* The session does not listen any more, but may have said something. */
	s->len = 0;
	s->ended = s->shut = true;
	return true;
}

static bool
read_session(struct relay *r)
{
	struct stream *s = &r->down;
	ssize_t n;

	if (!r->session_ready || s->ended || s->len > 0)
		return false;
	r->session_ready = false;
	n = recv(r->session_fd, s->data, sizeof(s->data), MSG_DONTWAIT);
	if (n == -1 && (errno == EAGAIN || errno == EINTR))
		return false;
	if (n > 0) {
		s->start = 0;
		s->len = (size_t)n;
	} else
		s->ended = true;
	return true;
}

static bool
write_client(struct relay *r)
{
	struct stream *s = &r->down;
	size_t n;
	int result;

	if (s->len == 0)
		return false;
	ERR_clear_error();
	result = SSL_write_ex(r->ssl, s->data + s->start, s->len, &n);
	if (result == 1) {
		s->start += n;
		s->len -= n;
		return true;
	}
	if ((r->write_wants = wants(r, result)) == 0)
		r->broken = true;
	return false;
}

/* Remembers what a poll has found. Its result, as a truth. */
static bool
note_ready(struct relay *r, const struct pollfd *fds, int n)
{
	if (fds[0].revents != 0)
		r->client_ready = true;
	if (fds[1].revents != 0)
		r->session_ready = true;
	return n > 0;
}

static void
trim(struct relay *r)
{
	if (r->up.len == 0)
		tls_memory_forget(r->up.data, sizeof(r->up.data));
	if (r->down.len == 0)
		tls_memory_forget(r->down.data, sizeof(r->down.data));
	tls_memory_trim();
	r->is_trimmed = true;
}

/* Waits until one of the four can go on. False: it never will. */
static bool
wait_for_more(struct relay *r)
{
	struct pollfd fds[2] = {
		{ .fd = r->client_fd }, { .fd = r->session_fd }
	};
	int64_t deadline = 0;

	if (!r->up.ended && r->up.len == 0)
		fds[0].events |= r->read_wants;
	if (r->down.len > 0)
		fds[0].events |= r->write_wants;
	if (r->up.len > 0)
		fds[1].events |= POLLOUT;
	if (!r->down.ended && r->down.len == 0)
		fds[1].events |= POLLIN;
	/* A descriptor that nothing is wanted of would wake us for its end. */
	for (int i = 0; i < 2; i++)
		if (fds[i].events == 0)
			fds[i].fd = -1;
	if (!r->is_trimmed) {
		int n = tls_poll(fds, clock_ms() + IDLE_TIME);

		if (n != 0)
			return note_ready(r, fds, n);
		trim(r);
	}
	if (r->down.len > 0)
		deadline = clock_ms() + STALL_TIME;
	return note_ready(r, fds, tls_poll(fds, deadline));
}

/* Says goodbye; then waits a little, as closing with input unread would make
 * the kernel throw away what the client has not read yet. */
static void
finish(struct relay *r)
{
	struct pollfd fds[2] = {
		{ .fd = r->client_fd, .events = POLLIN }, { .fd = -1 }
	};
	int64_t deadline = clock_ms() + LINGER_TIME;
	ssize_t n;

	if (!r->broken)
		(void)SSL_shutdown(r->ssl);
	(void)shutdown(r->client_fd, SHUT_WR);
	if (r->up.ended && !r->broken && SSL_get_shutdown(r->ssl) ==
	    (SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN))
		return;
	do {
		n = recv(r->client_fd, r->up.data, sizeof(r->up.data),
		    MSG_DONTWAIT);
		if (n == 0 || (n == -1 && errno != EAGAIN && errno != EINTR))
			return;
	} while (tls_poll(fds, deadline) > 0);
}

void
tls_relay(SSL *ssl, int client_fd, int session_fd)
{
	static struct relay r;		/* one a process; wiped by its end */

	r.ssl = ssl;
	r.client_fd = client_fd;
	r.session_fd = session_fd;
	r.read_wants = r.write_wants = POLLIN;
	r.client_ready = SSL_has_pending(ssl) == 1;
	while (!r.broken && !(r.down.ended && r.down.len == 0)) {
		bool moved = read_client(&r);

		moved |= write_session(&r);
		moved |= read_session(&r);
		moved |= write_client(&r);
		if (moved)
			r.is_trimmed = false;
		else if (!r.broken && !wait_for_more(&r))
			return;
	}
	finish(&r);
}
