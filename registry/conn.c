/* conn.c - a connection of malle-registryd: a request in, an answer out. */
/* SPDX-License-Identifier: ISC */

/*
 * Trusts: nobody who connects. Who a peer is follows from SO_PEERCRED and from
 * the socket it came by, never from what it says.
 * Limits: CONNS_MAX connections, of which RESERVED for those who administer;
 * PER_USER of a user who does not; IDLE_MS without progress; one request of a
 * connection at a time.
 */

#include "registry/conn.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/log.h"
#include "lib/proc.h"
#include "registry/rights.h"

#define PER_USER 8
#define RESERVED 16
#define IDLE_MS 60000
#define BATCH 256		/* messages of one connection in one turn */

/* Forgets the request; the connection stays. */
static void
request_free(struct conn *c)
{
	if (c->message != NULL)
		explicit_bzero(c->message, c->message_len);
	free(c->message);
	c->message = NULL;
	hash_job_free(c->job);
	c->job = NULL;
	spool_clear(&c->in);
	spool_clear(&c->out);
	if (c->q.give_fd > 0)
		close(c->q.give_fd);
	c->q.give_fd = 0;
}

void
conn_close(struct conn *c)
{
	request_free(c);
	close(c->fd);
	c->state = CONN_FREE;
}

static void
progress(struct conn *c)
{
	c->deadline = clock_ms() + IDLE_MS;
}

struct conn *
conn_new(struct service *s, int fd)
{
	for (size_t i = 0; i < CONNS_MAX; i++) {
		struct conn *c = &s->conns[i];

		if (c->state != CONN_FREE)
			continue;
		*c = (struct conn){ .state = CONN_IDLE, .fd = fd,
			.id = ++s->next_id, .in = SPOOL_INIT,
			.out = SPOOL_INIT };
		progress(c);
		return c;
	}
	return NULL;
}

void
conn_answer(struct conn *c, enum registry_result verdict)
{
	unsigned char space[REQUEST_TEXT + 64];
	struct packer k;

	if (verdict != REGISTRY_OK || c->out.bad)
		spool_clear(&c->out);	/* no rows with a refusal */
	pack_init(&k, space, sizeof(space));
	pack_u8(&k, (uint8_t)verdict);
	pack_bytes(&k, slice_of(c->q.text));
	spool_put(&c->out, REG_END, pack_slice(&k));
	c->verdict = verdict;
	c->state = CONN_ANSWERING;
	progress(c);
}

void
conn_next(struct conn *c)
{
	request_free(c);
	c->state = CONN_IDLE;
	progress(c);
}

void
conn_send(struct service *s, struct conn *c)
{
	struct packer k = { 0 };
	uint16_t type;
	size_t len;
	int r;

	for (int i = 0; i < BATCH; i++) {
		r = spool_take(&c->out, &type, s->space, sizeof(s->space),
		    &len);
		if (r == 0) {
			conn_next(c);
			return;
		}
		if (r == -1) {
			conn_close(c);	/* half an answer is none */
			return;
		}
		k = (struct packer){ (unsigned char *)s->space, len, len,
			false };
		if (ipc_send(c->fd, type, &k, &c->q.give_fd,
		    type == REG_END && c->q.give_fd > 0) == -1) {
			if (errno == EAGAIN)
				spool_untake(&c->out, len);
			else
				conn_close(c);
			return;
		}
		progress(c);
	}
}

void
conn_log(const struct conn *c)
{
	const struct request *q = &c->q;
	static const char *const words[] = { "ok", "refused", "invalid",
		"not-found", "exists", "temporary" };
	struct slice on = SLICE_EMPTY;

	if (q->op == NULL || !(q->op->flags & OP_WRITE) || c->is_pair)
		return;
	if (q->op->needs != NULL)
		on = field(q, q->op->needs);
	log_info(NULL, "change", "operation=%s on=%s uid=%u account=%s result=%s",
	    q->op->name, LOGQ(on.p != NULL ? on : SLICE_EMPTY), q->uid,
	    LOGS(q->account), words[c->verdict]);
}

/* Requests. */

void
conn_refuse(struct conn *c, enum registry_result verdict)
{
	if (c->q.op == NULL || !(c->q.op->flags & OP_LONG)) {
		conn_answer(c, verdict);
		conn_log(c);
		return;
	}
	/* An answer before its end would be lost with the connection that the
	 * asker still writes to. */
	c->refused = true;
	c->verdict = verdict;
	c->state = CONN_LOADING;
	progress(c);
}

void
conn_proved(struct conn *c)
{
	c->state = CONN_READY;
	if (!(c->q.op->flags & OP_LONG))
		return;
	if (!(c->q.op->roles & c->q.role)) {
		conn_refuse(c, rights_refuse(&c->q));
		return;
	}
	c->state = CONN_LOADING;
	progress(c);
}

/* True when this user is already having a password of the same account
 * verified: one at a time keeps guessing slow. */
static bool
is_guessing(const struct service *s, const struct conn *c)
{
	for (size_t i = 0; i < CONNS_MAX; i++) {
		const struct conn *o = &s->conns[i];

		if (o != c && o->uid == c->uid &&
		    (o->state == CONN_HASHING || o->state == CONN_DELAYED) &&
		    o->q.proving && strcmp(o->q.account, c->q.account) == 0)
			return true;
	}
	return false;
}

static void
begin_request(struct service *s, struct conn *c, struct slice operation)
{
	struct hash_job *job;
	enum registry_result result;

	result = operation_prepare(&c->q, operation, &job);
	if (result == REGISTRY_OK && c->q.proving && is_guessing(s, c)) {
		hash_job_free(job);
		result = say(&c->q, REGISTRY_TEMPORARY,
		    "Another password of yours is being verified: try again.",
		    "Un autre mot de passe est en cours de vérification : "
		    "réessayez.");
	}
	c->refused = false;
	c->objects = 0;
	c->objects_len = 0;
	if (result != REGISTRY_OK) {
		conn_refuse(c, result);
	} else if (job != NULL) {
		job->owner = c->id;
		hasher_submit(s->hasher, job);
		c->state = CONN_HASHING;
	} else {
		c->state = c->q.op->flags & OP_LONG ? CONN_LOADING : CONN_READY;
	}
}

/* A first message of a request; what is malformed closes the connection. */
static int
take_request(struct service *s, struct conn *c, const struct ipc_msg *m)
{
	struct slice all = { (const char *)m->body.p, m->body.len }, operation;
	struct unpacker u;

	if (m->type != REG_REQUEST)
		return -1;
	/* One byte more: an empty body is a body. */
	if ((c->message = malloc(all.len + 1)) == NULL)
		return -1;
	memcpy(c->message, all.p, all.len);
	c->message_len = all.len;
	unpack_init(&u, slice_make(c->message, all.len));
	c->q = (struct request){ .r = s->r, .role = c->role, .uid = c->uid,
		.in = &c->in, .out = &c->out };
	if (unpack_u16(&u) != REGISTRY_PROTOCOL)
		return -1;
	operation = unpack_text(&u, REGISTRY_NAME_MAX);
	if (registry_fields_unpack(&u, &c->q.f) == -1 || !unpack_end(&u))
		return -1;
	begin_request(s, c, operation);
	return 0;
}

/* Counts one more object. Lines stay in memory: they may hold passwords. */
static bool
is_too_long(struct conn *c, size_t len)
{
	c->objects++;
	c->objects_len += len;
	return (c->q.op->flags & OP_LINES) &&
	    (c->objects > REGISTRY_LINES_MAX ||
	    c->objects_len > REGISTRY_LINES_BYTES);
}

static int
take_more(struct conn *c, const struct ipc_msg *m)
{
	if (m->type == REG_LAST && m->body.len == 0) {
		c->state = CONN_READY;
		if (c->refused) {
			conn_answer(c, c->verdict);
			conn_log(c);
		}
		return 0;
	}
	if (m->type != REG_MORE)
		return -1;
	if (c->refused)
		return 0;
	if (is_too_long(c, m->body.len)) {
		conn_refuse(c, say(&c->q, REGISTRY_INVALID,
		    "One request has at most %d lines of %d bytes together: "
		    "send several.",
		    "Une requête a au plus %d lignes, de %d octets ensemble : "
		    "envoyez-en plusieurs.", REGISTRY_LINES_MAX,
		    REGISTRY_LINES_BYTES));
		return 0;
	}
	spool_put(&c->in, REG_MORE, slice_make(m->body.p, m->body.len));
	return 0;
}

#define PEER_GONE (-2)

/* 1 when there may be more to read, 0 when not, -1: malformed, PEER_GONE. */
static int
read_one(struct service *s, struct conn *c)
{
	struct ipc_msg m;
	int r;

	r = ipc_recv(c->fd, s->space, &m);
	if (r == -1)
		return errno == EAGAIN || errno == EINTR ? 0 : -1;
	if (r == 0)
		return PEER_GONE;
	ipc_close_fds(&m);
	progress(c);
	if (c->state == CONN_LOADING)
		return take_more(c, &m) == -1 ? -1 : 1;
	return take_request(s, c, &m) == -1 ? -1 : 0;
}

void
conn_read(struct service *s, struct conn *c)
{
	int r = 1;

	for (int i = 0; i < BATCH && r == 1 &&
	    (c->state == CONN_IDLE || c->state == CONN_LOADING); i++)
		r = read_one(s, c);
	explicit_bzero(s->space, sizeof(s->space));
	/* The number of the pair is soon that of somebody who connects. */
	if (r == PEER_GONE && c->fd == s->r->queue_fd)
		s->r->queue_fd = -1;
	if (r == PEER_GONE || (r == -1 && !c->is_pair))
		conn_close(c);
	else if (r == -1 || (c->is_pair && c->state == CONN_ANSWERING))
		conn_next(c);	/* the pair is never answered */
}

static bool
too_many(const struct service *s, uid_t uid)
{
	size_t n = 0, others = 0;

	for (size_t i = 0; i < CONNS_MAX; i++) {
		if (s->conns[i].state == CONN_FREE ||
		    s->conns[i].role != ROLE_ANY)
			continue;
		if (s->conns[i].uid == uid)
			n++;
		else
			others++;
	}
	return n >= PER_USER || n + others >= CONNS_MAX - RESERVED;
}

static unsigned
role_of(const struct registry *r, uid_t uid, gid_t gid)
{
	if (uid == 0 || uid == geteuid())
		return ROLE_ROOT;
	if (uid == r->hooks_uid)
		return ROLE_HOOKS;
	return admins_has(&r->admins, uid, gid) ? ROLE_ADMIN : ROLE_ANY;
}

void
conn_accept(struct service *s)
{
	static const struct timespec pause = { .tv_nsec = 50 * 1000000 };
	struct conn *c;
	unsigned role;
	pid_t pid;
	uid_t uid;
	gid_t gid;
	int fd;

	fd = accept4(s->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (fd == -1) {
		/* The listening socket stays readable: do not spin. */
		if (errno != EAGAIN && errno != EINTR &&
		    errno != ECONNABORTED) {
			log_error(NULL, "accept-failed", "error=%s",
			    LOGS(strerror(errno)));
			nanosleep(&pause, NULL);
		}
		return;
	}
	if (ipc_peer(fd, &pid, &uid, &gid) == -1) {
		close(fd);
		return;
	}
	role = role_of(s->r, uid, gid);
	if ((role == ROLE_ANY && too_many(s, uid)) ||
	    (c = conn_new(s, fd)) == NULL) {
		log_notice(NULL, "too-many", "uid=%u", uid);
		close(fd);
		return;
	}
	c->role = role;
	c->uid = uid;
}
