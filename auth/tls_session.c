/* tls_session.c - one client of malle-tls: takes it over, handshakes, relays. */
/* SPDX-License-Identifier: ISC */

#include "auth/tls.h"

#include <sys/socket.h>

#include <netinet/in.h>
#include <netinet/tcp.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#include <openssl/err.h>

#include "lib/buf.h"
#include "lib/ipc.h"
#include "lib/log.h"
#include "lib/proto_tls.h"

#define TAKE_TIME 5		/* s for the session to send its client */
#define INFO_MAX 2048
#define EXPORTER_LABEL "EXPORTER-Channel-Binding"	/* RFC 9266 section 4 */

/* One byte and one descriptor. The descriptor, or -1. */
static int
take_client(int fd)
{
	unsigned char protocol = 0;
	struct iovec iov = { &protocol, 1 };
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int))];
	} control;
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = &control, .msg_controllen = sizeof(control)
	};
	struct cmsghdr *c;
	int client = -1;

	/* A second descriptor does not fit: the kernel closes it. */
	if (ipc_timeout(fd, TAKE_TIME) == -1 ||
	    recvmsg(fd, &msg, MSG_CMSG_CLOEXEC) != 1)
		return -1;
	c = CMSG_FIRSTHDR(&msg);
	if (c != NULL && c->cmsg_level == SOL_SOCKET &&
	    c->cmsg_type == SCM_RIGHTS && c->cmsg_len == CMSG_LEN(sizeof(int)))
		memcpy(&client, CMSG_DATA(c), sizeof(int));
	if (protocol != TLS_PROTOCOL)
		return -1;
	return client;
}

static const char *
peer_text(int fd, char *out)
{
	struct sockaddr_storage sa;
	socklen_t len = sizeof(sa);
	struct ip ip;

	if (getpeername(fd, (struct sockaddr *)&sa, &len) == -1 ||
	    ip_of_sockaddr((struct sockaddr *)&sa, &ip, NULL) == -1)
		return "-";
	return ip_text(&ip, out);
}

int
tls_poll(struct pollfd *fds, int64_t deadline)
{
	int64_t left = -1;
	int n;

	do {
		if (deadline != 0) {
			left = deadline - clock_ms();
			if (left <= 0)
				return 0;
		}
		n = poll(fds, 2, (int)left);
	} while (n == -1 && errno == EINTR);
	return n;
}

/* NULL when it is done, or why not. Also ends when the session goes away. */
static const char *
handshake(SSL *ssl, int client, int session)
{
	int64_t deadline = clock_ms() + TLS_HANDSHAKE_TIME;
	struct pollfd fds[2] = { { .fd = client }, { .fd = session } };

	for (;;) {
		int r;

		ERR_clear_error();
		if ((r = SSL_accept(ssl)) == 1)
			return NULL;
		switch (SSL_get_error(ssl, r)) {
		case SSL_ERROR_WANT_READ:
			fds[0].events = POLLIN;
			break;
		case SSL_ERROR_WANT_WRITE:
			fds[0].events = POLLOUT;
			break;
		case SSL_ERROR_ZERO_RETURN:
			return "closed by the client";
		case SSL_ERROR_SYSCALL:
			return errno != 0 ? strerror(errno) :
			    "closed by the client";
		default:
			return tls_error();
		}
		r = tls_poll(fds, deadline);
		if (r == 0)
			return "timeout";
		if (r == -1 || fds[1].revents != 0)
			return "the session has ended";
	}
}

/* Of TLS 1.2 only with an extended master secret (RFC 9266 section 4.2). */
static struct slice
exporter(SSL *ssl, uint8_t out[32])
{
	static const unsigned char no_context[1];

	if (SSL_version(ssl) < TLS1_3_VERSION &&
	    SSL_get_extms_support(ssl) != 1)
		return SLICE_EMPTY;
	if (SSL_export_keying_material(ssl, out, 32, EXPORTER_LABEL,
	    sizeof(EXPORTER_LABEL) - 1, no_context, 0, 1) != 1)
		return SLICE_EMPTY;
	return slice_make(out, 32);
}

static const struct tls_key *
key_of(const struct tls_keys *keys, SSL *ssl)
{
	const SSL_CTX *ctx = SSL_get_SSL_CTX(ssl);

	for (size_t i = 0; i < keys->n; i++)
		if (keys->v[i].ctx == ctx)
			return &keys->v[i];
	return &keys->v[0];
}

static int
send_info(const struct tls_keys *keys, SSL *ssl, int session)
{
	const char *sni = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
	const struct tls_key *key = key_of(keys, ssl);
	char name[ADDR_DOMAIN_MAX + 1] = "";
	unsigned char space[2 + INFO_MAX];
	uint8_t binding[32];
	struct packer k;
	ssize_t n;

	if (sni != NULL && addr_domain(slice_of(sni), name) == -1)
		name[0] = '\0';
	pack_init(&k, space + 2, INFO_MAX);
	pack_u8(&k, 1);
	pack_bytes(&k, slice_of(SSL_get_version(ssl)));
	pack_bytes(&k, slice_of(SSL_get_cipher_name(ssl)));
	pack_bytes(&k, slice_of(name));
	pack_bytes(&k, exporter(ssl, binding));
	pack_bytes(&k, slice_make(key->endpoint, key->endpoint_len));
	pack_bytes(&k, SLICE_EMPTY);
	if (k.bad)
		return -1;
	space[0] = (unsigned char)k.len;
	space[1] = (unsigned char)(k.len >> 8);
	n = send(session, space, k.len + 2, MSG_NOSIGNAL);
	return n == (ssize_t)k.len + 2 ? 0 : -1;
}

static int
prepare_client(int fd)
{
	int flags = fcntl(fd, F_GETFL), on = 1;

	/* A socket pair in a test is no TCP: that is fine. */
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (flags == -1)
		return -1;
	return (flags & O_NONBLOCK) != 0 ? 0 :
	    fcntl(fd, F_SETFL, flags | O_NONBLOCK);
}

void
tls_session(const struct tls_keys *keys, int fd)
{
	int client = take_client(fd);
	char ip[IP_TEXT_MAX];
	const char *why;
	SSL *ssl;

	if (client == -1) {
		log_notice(NULL, "bad-peer", "peer=session reason=no-client");
		return;
	}
	if (prepare_client(client) == -1 ||
	    (ssl = SSL_new(keys->v[0].ctx)) == NULL ||
	    SSL_set_fd(ssl, client) != 1) {
		log_error(NULL, "tls-failed", "client=%s reason=%s",
		    peer_text(client, ip), LOGS(tls_error()));
		return;
	}
	if ((why = handshake(ssl, client, fd)) != NULL) {
		log_info(NULL, "tls-failed", "client=%s reason=%s",
		    peer_text(client, ip), LOGS(why));
		return;
	}
	if (send_info(keys, ssl, fd) == 0)
		tls_relay(ssl, client, fd);
}
