/* ipc.h - messages between our own programs over SOCK_SEQPACKET. */
#ifndef LIB_IPC_H
#define LIB_IPC_H
/* SPDX-License-Identifier: ISC */

#include <stdint.h>
#include <sys/types.h>

#include "lib/pack.h"

#define IPC_MAX 65536		/* bytes of one message, type included */
#define IPC_FDS 32		/* descriptors in one message */

/*
 * A message is a 16-bit type and packed fields. Both sides are hostile to each
 * other: a message that does not unpack to its end is an error of that peer,
 * and its connection is closed; a service never dies of it.
 */
struct ipc_msg {
	uint16_t type;
	struct unpacker body;	/* points into the buffer given to ipc_recv */
	int fds[IPC_FDS];	/* owned by the receiver, close-on-exec */
	size_t nfds;
};

/*
 * Connects to the socket at path (relative to the working folder; a long path
 * is no problem). type is SOCK_SEQPACKET, or SOCK_STREAM for malle-tls.
 * Returns the descriptor (blocking, close-on-exec), or -1 with errno.
 */
int ipc_connect(const char *path, int type);

/* A listening socket at path, replaced if one is there; mode as for chmod.
 * Returns the descriptor (non-blocking), or -1 with errno. */
int ipc_listen(const char *path, int type, mode_t mode);

/* A connected SOCK_SEQPACKET pair, close-on-exec. 0, or -1 with errno. */
int ipc_pair(int fd[2]);

/*
 * Sends one message; body may be NULL. The descriptors are copied, not closed.
 * Returns 0, or -1 with errno: EMSGSIZE when body is bad or too long, EAGAIN
 * on a non-blocking socket whose other side does not read.
 */
int ipc_send(int fd, uint16_t type, const struct packer *body, const int *fds,
    size_t nfds) __attribute__((warn_unused_result));

/* The same on a descriptor that somebody has sent: he does not decide whether it
 * waits, and who has no room for an answer gets none (EAGAIN). */
int ipc_answer(int fd, uint16_t type, const struct packer *body)
    __attribute__((warn_unused_result));

/*
 * Receives one message into space (IPC_MAX bytes, which m->body points into).
 * Returns 1, 0 when the other side has closed, -1 with errno (EAGAIN: nothing
 * there now; EBADMSG: cut off, too many descriptors, or no type; what came with
 * it is closed). Descriptors in m->fds must be closed by the caller, see
 * ipc_close_fds().
 */
int ipc_recv(int fd, void *space, struct ipc_msg *m)
    __attribute__((warn_unused_result));

/* The same for answers that are known to be short: space is cap bytes, and a
 * longer message is EBADMSG. */
int ipc_recv_short(int fd, void *space, size_t cap, struct ipc_msg *m)
    __attribute__((warn_unused_result));

/* Sends a message with one end of a new pair, for the answer. The other end, or
 * -1 with errno. */
int ipc_send_pair(int fd, uint16_t type, const struct packer *body)
    __attribute__((warn_unused_result));

/* Takes descriptor i out of m: the caller owns it now. -1 when there is none. */
int ipc_take_fd(struct ipc_msg *m, size_t i);
/* Closes those that were not taken. */
void ipc_close_fds(struct ipc_msg *m);
/* Closes one that somebody has sent (-1: none), without waiting: he may have
 * asked (SO_LINGER) that the last close(2) waits until his peer has read all. */
void ipc_close_theirs(int fd);

/* Who is at the other end (SO_PEERCRED). 0, or -1 with errno. */
int ipc_peer(int fd, pid_t *pid, uid_t *uid, gid_t *gid)
    __attribute__((warn_unused_result));

/* Limits how long a send or a receive on fd may block, in seconds. */
int ipc_timeout(int fd, int seconds);

#endif
