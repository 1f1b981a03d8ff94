/* peer.c - connections to the queue: who they are, what they may ask. */
/* SPDX-License-Identifier: ISC */
/*
 * Trusts: nobody. A peer is known by the uid that the kernel tells, or by the
 * connection having been made by us for malle-bounce. Whatever is wrong closes
 * that connection and nothing else.
 * Limits: CONNS_MAX connections, CONNS_OF_STRANGER of one local uid; silence
 * ends a message half-way after CONN_IDLE; answers are never waited for.
 */
#include "queue/queue.h"

#include <sys/epoll.h>
#include <sys/socket.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/log.h"

#define CONN_IDLE 300000	/* ms of silence inside a message */
#define CONN_LIFE 3600000	/* ms of silence between messages */
#define BATCH 4			/* messages of one system call */
#define ROUNDS 16		/* system calls for one peer in a turn */
#define PENDING_MAX 64		/* answers owed to one peer */
#define GROUPS_MAX 256

#define SUBMITTERS (PEER_NET | PEER_LOCAL | PEER_BOUNCE | PEER_REGISTRY)

/* What is asked, who may, and who does it: 0, or -1 to close the connection. */
static const struct op {
	uint16_t type;
	unsigned roles;
	int (*act)(struct manager *q, struct conn *c, struct ipc_msg *m);
} ops[] = {
	{ Q_MAIL, SUBMITTERS, submit_mail },
	{ Q_RCPT, SUBMITTERS, submit_rcpt },
	{ Q_DATA, SUBMITTERS, submit_data },
	{ Q_COMMIT, SUBMITTERS, submit_commit },
	{ Q_RESET, SUBMITTERS, submit_reset },
	{ Q_CHECK, PEER_NET, check_room },
	{ Q_LIST, PEER_ADMIN, control_request },
	{ Q_SHOW, PEER_ADMIN, control_request },
	{ Q_HOLD, PEER_ADMIN, control_request },
	{ Q_RELEASE, PEER_ADMIN, control_request },
	{ Q_RETRY, PEER_ADMIN, control_request },
	{ Q_DELETE, PEER_ADMIN, control_request },
	{ Q_STAT, PEER_ADMIN, control_request },
};

static void
refuse(const struct conn *c, const char *why)
{
	log_notice(NULL, "peer", "uid=%u closed=%s", (unsigned)c->uid,
	    LOGS(why));
}

static int
obey(struct manager *q, struct conn *c, struct ipc_msg *m)
{
	for (size_t i = 0; i < sizeof(ops) / sizeof(ops[0]); i++) {
		if (ops[i].type != m->type)
			continue;
		if ((c->roles & ops[i].roles) == 0) {
			refuse(c, "not allowed to this user");
			return -1;
		}
		if (ops[i].act(q, c, m) == 0)
			return 0;
		refuse(c, "request not understood");
		return -1;
	}
	refuse(c, "unknown request");
	return -1;
}

/* Up to BATCH messages at once; descriptors that come along are dropped by the
 * kernel because no room is offered. */
static unsigned char space[BATCH][IPC_MAX];

static int
receive(int fd, struct mmsghdr *v)
{
	static struct iovec iov[BATCH];
	int n;

	memset(v, 0, BATCH * sizeof(*v));
	for (size_t i = 0; i < BATCH; i++) {
		iov[i] = (struct iovec){ space[i], IPC_MAX };
		v[i].msg_hdr.msg_iov = &iov[i];
		v[i].msg_hdr.msg_iovlen = 1;
	}
	do
		n = recvmmsg(fd, v, BATCH, MSG_DONTWAIT | MSG_CMSG_CLOEXEC,
		    NULL);
	while (n == -1 && errno == EINTR);
	return n;
}

/* 1 when all was obeyed, 0 at the end of the connection, -1 on a mistake. */
static int
obey_batch(struct manager *q, struct conn *c, const struct mmsghdr *v, int n)
{
	for (int i = 0; i < n; i++) {
		struct ipc_msg m = { .nfds = 0 };
		unsigned len = v[i].msg_len;

		if (len == 0)
			return 0;
		if (len < 2 || (v[i].msg_hdr.msg_flags & MSG_TRUNC) != 0 ||
		    c->pending > PENDING_MAX) {
			refuse(c, "message cut off, or too many");
			return -1;
		}
		m.type = (uint16_t)(space[i][0] | space[i][1] << 8);
		unpack_init(&m.body, slice_make(space[i] + 2, len - 2));
		if (obey(q, c, &m) == -1)
			return -1;
		if (c->is_closed)
			return 1;
	}
	return 1;
}

static void
on_input(struct manager *q, struct conn *c)
{
	struct mmsghdr v[BATCH];

	c->last = q->now;
	TAILQ_REMOVE(&q->conns, c, link);
	TAILQ_INSERT_TAIL(&q->conns, c, link);
	for (int round = 0; round < ROUNDS; round++) {
		int n = receive(c->watch.fd, v);

		if (n == -1 && (errno == EAGAIN || errno == EWOULDBLOCK))
			return;
		if (n <= 0 || obey_batch(q, c, v, n) != 1) {
			peer_close(q, c);
			return;
		}
		if (c->is_closed || n < BATCH)
			return;
	}
}

static void
on_event(struct manager *q, struct watch *w, uint32_t events)
{
	struct conn *c = (struct conn *)(void *)w;

	if ((events & EPOLLOUT) != 0 && c->control != NULL)
		control_continue(q, c);
	if (!c->is_closed && (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0)
		on_input(q, c);
}

struct conn *
peer_new(struct manager *q, int fd, unsigned roles, uid_t uid)
{
	struct conn *c = calloc(1, sizeof(*c));

	if (c == NULL) {
		close(fd);
		return NULL;
	}
	c->watch = (struct watch){ fd, on_event, false };
	c->roles = roles;
	c->uid = uid;
	c->last = q->now;
	if (manager_watch(q, &c->watch, EPOLLIN) == -1) {
		close(fd);
		free(c);
		return NULL;
	}
	TAILQ_INSERT_TAIL(&q->conns, c, link);
	q->n_conns++;
	return c;
}

void
peer_close(struct manager *q, struct conn *c)
{
	if (c->is_closed)
		return;
	c->is_closed = true;
	close(c->watch.fd);	/* and with it the watch */
	c->watch.fd = -1;
	submit_forget(q, c);
	control_free(c->control);
	c->control = NULL;
	check_conn_closed(c);
	if (c->notice != NULL && c->pending == 0)
		notice_lost(q, c);
	q->n_conns--;
	TAILQ_REMOVE(&q->conns, c, link);
	TAILQ_INSERT_TAIL(&q->dead, c, link);
}

void
peer_settled(struct manager *q, struct conn *c)
{
	c->pending--;
	if (c->is_closed && c->pending == 0 && c->notice != NULL)
		notice_lost(q, c);
}

void
peer_free_dead(struct manager *q)
{
	struct conn *c, *next;

	for (c = TAILQ_FIRST(&q->dead); c != NULL; c = next) {
		next = TAILQ_NEXT(c, link);
		if (c->pending > 0)
			continue;
		TAILQ_REMOVE(&q->dead, c, link);
		free(c);
	}
}

void
peer_answer(struct manager *q, struct conn *c, uint16_t type,
    const struct packer *body)
{
	if (c->is_closed)
		return;
	if (ipc_send(c->watch.fd, type, body, NULL, 0) == -1) {
		refuse(c, strerror(errno));
		peer_close(q, c);
	}
}

/* True when the peer is a member of the group, by whichever way. */
static bool
is_member(int fd, gid_t primary, gid_t group)
{
	gid_t groups[GROUPS_MAX];
	socklen_t len = sizeof(groups);

	if (group == (gid_t)-1)
		return false;
	if (primary == group)
		return true;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &len) == -1)
		return false;
	for (size_t i = 0; i < len / sizeof(groups[0]); i++)
		if (groups[i] == group)
			return true;
	return false;
}

static unsigned
roles_of(const struct manager *q, int fd, uid_t uid, gid_t gid)
{
	unsigned roles = PEER_LOCAL;

	/* Without separation, all is done by one uid. */
	if (q->own_uid != 0 && uid == q->own_uid)
		return PEER_LOCAL | PEER_NET | PEER_ADMIN;
	if (uid == q->net_uid)
		roles = PEER_NET;
	if (uid == 0 || is_member(fd, gid, q->admin_gid))
		roles |= PEER_ADMIN | PEER_LOCAL;
	return roles;
}

/* A local user may not take all connections from the others. */
static bool
has_too_many(const struct manager *q, unsigned roles, uid_t uid)
{
	const struct conn *c;
	size_t n = 0;

	if (q->n_conns >= CONNS_MAX)
		return true;
	if ((roles & (PEER_NET | PEER_ADMIN)) != 0)
		return false;
	TAILQ_FOREACH(c, &q->conns, link)
		n += c->uid == uid;
	return n >= CONNS_OF_STRANGER;
}

/* No descriptor or no memory: whoever comes waits until the housekeeping. */
static void
pause_accept(struct manager *q, int error)
{
	log_error(NULL, "error", "what=accept error=%s",
	    LOGS(strerror(error)));
	q->is_deaf = true;
	manager_events(q, &q->listener, 0);
}

void
peer_accept(struct manager *q, struct watch *w, uint32_t events)
{
	(void)events;
	for (int i = 0; i < ROUNDS; i++) {
		int fd = accept4(w->fd, NULL, NULL,
		    SOCK_CLOEXEC | SOCK_NONBLOCK);
		unsigned roles;
		pid_t pid;
		uid_t uid;
		gid_t gid;

		if (fd == -1) {
			if (errno != EAGAIN && errno != ECONNABORTED &&
			    errno != EINTR)
				pause_accept(q, errno);
			return;
		}
		if (ipc_peer(fd, &pid, &uid, &gid) == -1) {
			close(fd);
			continue;
		}
		roles = roles_of(q, fd, uid, gid);
		if (has_too_many(q, roles, uid)) {
			log_notice(NULL, "peer", "uid=%u pid=%d refused=%s",
			    (unsigned)uid, (int)pid,
			    LOGS("too many connections"));
			close(fd);
			continue;
		}
		(void)peer_new(q, fd, roles, uid);
	}
}

void
peer_expire(struct manager *q)
{
	struct conn *c, *next;

	if (q->is_deaf && q->listener.fd != -1) {
		q->is_deaf = false;
		manager_events(q, &q->listener, EPOLLIN);
	}
	for (c = TAILQ_FIRST(&q->conns); c != NULL; c = next) {
		int64_t silent = q->now - c->last;

		next = TAILQ_NEXT(c, link);
		if (silent < CONN_IDLE)
			break;
		if (c->pending == 0 && (submit_is_open(c) ||
		    c->notice != NULL || silent >= CONN_LIFE)) {
			refuse(c, "silent for too long");
			peer_close(q, c);
		}
	}
}
