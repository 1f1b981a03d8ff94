/* ipc.c - messages between our own programs over SOCK_SEQPACKET. */
/* SPDX-License-Identifier: ISC */

#include "lib/ipc.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#define TYPE_LEN 2

/*
 * sun_path holds 107 bytes; a longer path is reached through its folder's
 * descriptor. *dirfd is -1 or must be closed after use.
 */
static int
unix_address(const char *path, struct sockaddr_un *sun, int *dirfd)
{
	const char *base = strrchr(path, '/');
	char folder[4096];
	int n;

	*dirfd = -1;
	memset(sun, 0, sizeof(*sun));
	sun->sun_family = AF_UNIX;
	if (strlen(path) < sizeof(sun->sun_path)) {
		memcpy(sun->sun_path, path, strlen(path));
		return 0;
	}
	if (base == NULL || (size_t)(base - path) >= sizeof(folder)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	memcpy(folder, path, (size_t)(base - path));
	folder[base - path] = '\0';
	if ((*dirfd = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC)) == -1)
		return -1;
	n = snprintf(sun->sun_path, sizeof(sun->sun_path),
	    "/proc/self/fd/%d/%s", *dirfd, base + 1);
	if (n < 0 || (size_t)n >= sizeof(sun->sun_path)) {
		close(*dirfd);
		*dirfd = -1;
		errno = ENAMETOOLONG;
		return -1;
	}
	return 0;
}

static void
close_keeping_errno(int fd)
{
	int saved = errno;

	if (fd != -1)
		close(fd);
	errno = saved;
}

int
ipc_connect(const char *path, int type)
{
	struct sockaddr_un sun;
	int fd, dirfd;

	if (unix_address(path, &sun, &dirfd) == -1)
		return -1;
	fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
	if (fd != -1 && connect(fd, (struct sockaddr *)&sun,
	    sizeof(sun)) == -1) {
		close_keeping_errno(fd);
		fd = -1;
	}
	close_keeping_errno(dirfd);
	return fd;
}

int
ipc_listen(const char *path, int type, mode_t mode)
{
	struct sockaddr_un sun;
	struct stat st;
	int fd, dirfd;

	if (lstat(path, &st) == 0) {
		if (!S_ISSOCK(st.st_mode)) {
			errno = EEXIST;
			return -1;
		}
		if (unlink(path) == -1)
			return -1;
	}
	if (unix_address(path, &sun, &dirfd) == -1)
		return -1;
	fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd != -1 &&
	    (bind(fd, (struct sockaddr *)&sun, sizeof(sun)) == -1 ||
	    chmod(path, mode) == -1 || listen(fd, SOMAXCONN) == -1)) {
		close_keeping_errno(fd);
		fd = -1;
	}
	close_keeping_errno(dirfd);
	return fd;
}

int
ipc_pair(int fd[2])
{
	return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fd);
}

/* Room for the descriptors of one message, aligned as the kernel wants it. */
union control {
	struct cmsghdr header;
	char space[CMSG_SPACE(sizeof(int) * IPC_FDS)];
};

static void
put_fds(struct msghdr *msg, union control *control, const int *fds,
    size_t nfds)
{
	struct cmsghdr *c = &control->header;

	memset(control, 0, sizeof(*control));
	msg->msg_control = control;
	msg->msg_controllen = CMSG_SPACE(sizeof(int) * nfds);
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int) * nfds);
	memcpy(CMSG_DATA(c), fds, sizeof(int) * nfds);
}

static int
send_message(int fd, uint16_t type, const struct packer *body, const int *fds,
    size_t nfds, int flags)
{
	unsigned char type_bytes[TYPE_LEN] = {
		(unsigned char)type, (unsigned char)(type >> 8)
	};
	struct iovec iov[2] = { { type_bytes, TYPE_LEN }, { NULL, 0 } };
	struct msghdr msg = { .msg_iov = iov, .msg_iovlen = 1 };
	union control control;
	ssize_t n;

	if (nfds > IPC_FDS || (body != NULL &&
	    (body->bad || body->len > IPC_MAX - TYPE_LEN))) {
		errno = EMSGSIZE;
		return -1;
	}
	if (body != NULL && body->len > 0) {
		iov[1] = (struct iovec){ body->p, body->len };
		msg.msg_iovlen = 2;
	}
	if (nfds > 0)
		put_fds(&msg, &control, fds, nfds);
	do
		n = sendmsg(fd, &msg, MSG_NOSIGNAL | flags);
	while (n == -1 && errno == EINTR);
	return n == -1 ? -1 : 0;
}

int
ipc_send(int fd, uint16_t type, const struct packer *body, const int *fds,
    size_t nfds)
{
	return send_message(fd, type, body, fds, nfds, 0);
}

int
ipc_answer(int fd, uint16_t type, const struct packer *body)
{
	return send_message(fd, type, body, NULL, 0, MSG_DONTWAIT);
}

int
ipc_send_pair(int fd, uint16_t type, const struct packer *body)
{
	int pair[2];

	if (ipc_pair(pair) == -1)
		return -1;
	if (ipc_send(fd, type, body, &pair[1], 1) == -1) {
		close_keeping_errno(pair[0]);
		pair[0] = -1;
	}
	close_keeping_errno(pair[1]);
	return pair[0];
}

/* Collects what descriptors came; more than m->fds holds cannot come, the
 * control space is no larger. */
static void
get_fds(struct msghdr *msg, struct ipc_msg *m)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c != NULL;
	    c = CMSG_NXTHDR(msg, c)) {
		size_t n;

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (size_t i = 0; i < n; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(c) + i * sizeof(int),
			    sizeof(int));
			if (m->nfds < IPC_FDS)
				m->fds[m->nfds++] = fd;
			else
				close(fd);
		}
	}
}

int
ipc_recv(int fd, void *space, struct ipc_msg *m)
{
	return ipc_recv_short(fd, space, IPC_MAX, m);
}

int
ipc_recv_short(int fd, void *space, size_t cap, struct ipc_msg *m)
{
	struct iovec iov = { space, cap };
	union control control;
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = &control, .msg_controllen = sizeof(control)
	};
	const unsigned char *p = space;
	ssize_t n;

	m->nfds = 0;
	do
		n = recvmsg(fd, &msg, MSG_CMSG_CLOEXEC);
	while (n == -1 && errno == EINTR);
	if (n == -1)
		return -1;
	get_fds(&msg, m);
	if (n == 0 && m->nfds == 0)
		return 0;
	if (n < TYPE_LEN || (msg.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0) {
		ipc_close_fds(m);
		errno = EBADMSG;
		return -1;
	}
	m->type = (uint16_t)(p[0] | p[1] << 8);
	unpack_init(&m->body,
	    slice_make(p + TYPE_LEN, (size_t)n - TYPE_LEN));
	return 1;
}

int
ipc_take_fd(struct ipc_msg *m, size_t i)
{
	int fd;

	if (i >= m->nfds)
		return -1;
	fd = m->fds[i];
	m->fds[i] = -1;
	return fd;
}

void
ipc_close_theirs(int fd)
{
	static const struct linger none;
	int saved = errno;

	if (fd == -1)
		return;
	(void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &none, sizeof(none));
	close(fd);
	errno = saved;
}

void
ipc_close_fds(struct ipc_msg *m)
{
	for (size_t i = 0; i < m->nfds; i++)
		ipc_close_theirs(m->fds[i]);
	m->nfds = 0;
}

int
ipc_peer(int fd, pid_t *pid, uid_t *uid, gid_t *gid)
{
	struct ucred cred;
	socklen_t len = sizeof(cred);

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) == -1)
		return -1;
	*pid = cred.pid;
	*uid = cred.uid;
	*gid = cred.gid;
	return 0;
}

int
ipc_timeout(int fd, int seconds)
{
	struct timeval tv = { .tv_sec = seconds };

	if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv)) == -1)
		return -1;
	return setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv));
}
