/* proto_tls.c - how a session hands its client to malle-tls. */
/* SPDX-License-Identifier: ISC */

#include "lib/proto_tls.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "lib/ipc.h"

#define INFO_MAX 2048

/* One byte and the client's descriptor. */
static int
send_client(int fd, int client_fd)
{
	unsigned char protocol = TLS_PROTOCOL;
	struct iovec iov = { &protocol, 1 };
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int))];
	} control = { .space = { 0 } };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = &control, .msg_controllen = sizeof(control)
	};
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
	ssize_t n;

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &client_fd, sizeof(int));
	do
		n = sendmsg(fd, &msg, MSG_NOSIGNAL);
	while (n == -1 && errno == EINTR);
	return n == 1 ? 0 : -1;
}

/* Exactly len bytes. 0, or -1 with errno (EPROTO: closed before). */
static int
read_all(int fd, unsigned char *p, size_t len)
{
	while (len > 0) {
		ssize_t n = recv(fd, p, len, 0);

		if (n == 0)
			errno = EPROTO;
		if (n == 0 || (n == -1 && errno != EINTR))
			return -1;
		if (n > 0) {
			p += n;
			len -= (size_t)n;
		}
	}
	return 0;
}

static void
take_bytes(struct unpacker *u, uint8_t *out, size_t cap, size_t *len)
{
	struct slice s = unpack_bytes(u, cap);

	if (s.len > 0)
		memcpy(out, s.p, s.len);
	*len = s.len;
}

static int
read_info(int fd, struct tls_info *out)
{
	unsigned char head[2], space[INFO_MAX];
	struct tls_info info;
	struct unpacker u;
	size_t len;

	if (read_all(fd, head, sizeof(head)) == -1)
		return -1;
	len = (size_t)head[0] | (size_t)head[1] << 8;
	if (len > sizeof(space)) {
		errno = EPROTO;
		return -1;
	}
	if (read_all(fd, space, len) == -1)
		return -1;
	unpack_init(&u, slice_make(space, len));
	if (unpack_u8(&u) != 1)
		u.bad = true;
	unpack_cstr(&u, info.version, sizeof(info.version));
	unpack_cstr(&u, info.cipher, sizeof(info.cipher));
	unpack_cstr(&u, info.server_name, sizeof(info.server_name));
	take_bytes(&u, info.exporter, sizeof(info.exporter),
	    &info.exporter_len);
	take_bytes(&u, info.endpoint, sizeof(info.endpoint),
	    &info.endpoint_len);
	unpack_cstr(&u, info.client_subject, sizeof(info.client_subject));
	if (!unpack_end(&u)) {
		errno = EPROTO;
		return -1;
	}
	*out = info;
	return 0;
}

int
tls_take_over(const char *path, int client_fd, int timeout,
    struct tls_info *out)
{
	int fd = ipc_connect(path, SOCK_STREAM), sent = -1, saved = errno;

	if (fd != -1) {
		ipc_timeout(fd, timeout);
		sent = send_client(fd, client_fd);
		saved = errno;
	}
	close(client_fd);
	if (sent == 0 && read_info(fd, out) == 0) {
		ipc_timeout(fd, 0);
		return fd;
	}
	if (sent == 0)
		saved = errno;
	if (fd != -1)
		close(fd);
	errno = saved;
	return -1;
}
