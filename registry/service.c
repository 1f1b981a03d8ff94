/* service.c - the loop of malle-registryd. */
/* SPDX-License-Identifier: ISC */

/*
 * Runs as: malle-registry, its root in registry/; role SANDBOX_REGISTRYD.
 * Trusts: nobody who connects. Who a peer is follows from SO_PEERCRED and from
 * the socket it came by, never from what it says.
 * Order: all requests that wait are done in one transaction, each inside its
 * own; their tables are written aside; one commit makes all durable; the
 * tables become visible; the journal's lines are written; then each is
 * answered. A failure before the commit changes nothing and says so to all.
 * Limits: CONNS_MAX connections, PER_USER of a user who does not administer,
 * IDLE_MS without progress; one request of a connection at a time.
 */

#include "registry/service.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "lib/conf_pass.h"
#include "lib/buf.h"
#include "lib/log.h"
#include "lib/proc.h"
#include "registry/compile.h"
#include "registry/absence.h"
#include "registry/hasher.h"
#include "registry/journal.h"
#include "registry/operation.h"
#include "registry/purge.h"
#include "registry/settle.h"

#define CONNS_MAX 128
#define PER_USER 8
#define IDLE_MS 60000
#define WRONG_MS 2000		/* what a wrong password costs */
#define STOP_MS 4000		/* for answers, once told to end */
#define BATCH 256		/* messages of one connection in one turn */

enum state {
	CONN_FREE,
	CONN_IDLE,		/* waits for a request */
	CONN_LOADING,		/* a long request comes in */
	CONN_HASHING,		/* the thread works for it */
	CONN_READY,		/* to be done in this turn */
	CONN_DELAYED,		/* the answer waits */
	CONN_ANSWERING		/* the answer goes out */
};

struct conn {
	enum state state;
	int fd;
	uint64_t id;
	bool is_pair;		/* to a program of ours: never answered */
	bool refused;		/* a long request: read to its end all the same */
	unsigned role;		/* of the peer */
	uid_t uid;
	char *message;		/* of the request; its fields point into it */
	size_t message_len;
	struct request q;
	struct hash_job *job;	/* done */
	struct spool in, out;
	enum registry_result verdict;
	int64_t deadline;	/* monotonic ms */
};

struct service {
	struct registry *r;
	struct hasher *hasher;
	struct purge purge;
	struct conn conns[CONNS_MAX];
	uint64_t next_id;
	int listen_fd, etc_fd;
	int64_t stop_at;
	char space[IPC_MAX];
};

static volatile sig_atomic_t told_to_stop, told_to_reload;

static void
on_signal(int number)
{
	if (number == SIGHUP)
		told_to_reload = 1;
	else
		told_to_stop = 1;
}

/* One connection. */

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

static void
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

static struct conn *
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

/* The verdict, behind the rows, on its way. */
static void
answer(struct conn *c, enum registry_result verdict)
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

static void
next_request(struct conn *c)
{
	request_free(c);
	c->state = CONN_IDLE;
	progress(c);
}

/* Sends what the peer takes. */
static void
pump(struct service *s, struct conn *c)
{
	struct packer k = { 0 };
	uint16_t type;
	size_t len;
	int r;

	for (int i = 0; i < BATCH; i++) {
		r = spool_take(&c->out, &type, s->space, sizeof(s->space),
		    &len);
		if (r == 0) {
			next_request(c);
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

static void
log_request(const struct conn *c)
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
	c->refused = result != REGISTRY_OK;
	c->verdict = result;
	if (c->refused && c->q.op != NULL && (c->q.op->flags & OP_LONG)) {
		/* An answer before its end would be lost with the connection
		 * that the asker still writes to. */
		c->state = CONN_LOADING;
	} else if (c->refused) {
		answer(c, result);
		log_request(c);
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

static int
take_more(struct conn *c, const struct ipc_msg *m)
{
	if (m->type == REG_LAST && m->body.len == 0) {
		c->state = CONN_READY;
		if (c->refused)
			answer(c, c->verdict);
		return 0;
	}
	if (m->type != REG_MORE)
		return -1;
	if (c->refused)
		return 0;
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

static void
read_conn(struct service *s, struct conn *c)
{
	int r = 1;

	for (int i = 0; i < BATCH && r == 1 &&
	    (c->state == CONN_IDLE || c->state == CONN_LOADING); i++)
		r = read_one(s, c);
	explicit_bzero(s->space, sizeof(s->space));
	if (r == PEER_GONE || (r == -1 && !c->is_pair))
		conn_close(c);
	else if (r == -1 || (c->is_pair && c->state == CONN_ANSWERING))
		next_request(c);	/* the pair is never answered */
}

static bool
too_many(const struct service *s, uid_t uid)
{
	size_t n = 0;

	for (size_t i = 0; i < CONNS_MAX; i++)
		if (s->conns[i].state != CONN_FREE && s->conns[i].uid == uid &&
		    s->conns[i].role == ROLE_ANY)
			n++;
	return n >= PER_USER;
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

static void
accept_one(struct service *s)
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

static void
take_hashes(struct service *s)
{
	struct hash_job *job;
	struct conn *c;
	size_t i;

	while ((job = hasher_done(s->hasher)) != NULL) {
		for (i = 0; i < CONNS_MAX; i++)
			if (s->conns[i].state == CONN_HASHING &&
			    s->conns[i].id == job->owner)
				break;
		if (i == CONNS_MAX) {
			hash_job_free(job);	/* the asker is gone */
			continue;
		}
		c = &s->conns[i];
		c->job = c->q.hash = job;
		if (job->verified) {
			c->state = CONN_READY;
			continue;
		}
		c->state = CONN_DELAYED;
		c->deadline = clock_ms() + WRONG_MS;
		log_notice(NULL, "wrong-password", "uid=%u account=%s", c->uid,
		    LOGS(c->q.account));
	}
}

/* The group. */

/* Does every request that is ready. True when something is to be settled. */
static bool
run_ready(struct service *s, bool *lazy)
{
	bool changed = false;

	*lazy = true;
	for (size_t i = 0; i < CONNS_MAX; i++) {
		struct conn *c = &s->conns[i];

		if (c->state != CONN_READY)
			continue;
		c->verdict = operation_run(&c->q);
		if (c->verdict == REGISTRY_OK && (c->q.op->flags & OP_WRITE)) {
			changed = true;
			*lazy = *lazy && c->is_pair;
		}
	}
	return changed;
}

static void
answer_ready(struct service *s, bool failed)
{
	for (size_t i = 0; i < CONNS_MAX; i++) {
		struct conn *c = &s->conns[i];

		if (c->state != CONN_READY)
			continue;
		if (failed)
			c->verdict = say(&c->q, REGISTRY_TEMPORARY,
			    "Nothing was changed: the change could not be made "
			    "durable (is the disk full?). Try again.",
			    "Rien n'a changé : la modification n'a pas pu être "
			    "écrite (disque plein ?). Réessayez.");
		log_request(c);
		if (c->is_pair)
			next_request(c);
		else
			answer(c, c->verdict);
	}
}

static bool
has_ready(const struct service *s)
{
	for (size_t i = 0; i < CONNS_MAX; i++)
		if (s->conns[i].state == CONN_READY)
			return true;
	return false;
}

static void
run_group(struct service *s)
{
	struct registry *r = s->r;
	uint64_t next = r->journal_next;
	bool failed, lazy = false, expired;

	expired = r->access_until != 0 && time(NULL) >= r->access_until;
	if (!expired && !has_ready(s))
		return;
	failed = store_begin(r->store) == -1 || (expired &&
	    registry_stale(r, "", STALE_ACCESS) == -1);
	if (!failed) {
		if (run_ready(s, &lazy) || expired)
			failed = settle(r, lazy) == -1;
		else
			store_abort(r->store);
	}
	if (failed)
		journal_forget(r, next, 0);
	answer_ready(s, failed);
	if (store_checkpoint(r->store) == -1)
		log_error(NULL, "checkpoint", "error=%s",
		    LOGS(strerror(errno)));
}

/* Vacations that are over, in a transaction of their own. */
static void
end_absences(struct service *s)
{
	struct registry *r = s->r;
	uint64_t next = r->journal_next;
	int64_t now = (int64_t)time(NULL);
	bool failed;

	if (!absence_is_due(r, now))
		return;
	failed = store_begin(r->store) == -1;
	if (!failed && absence_end(r, now) == -1) {
		store_abort(r->store);
		failed = true;
	} else if (!failed) {
		failed = settle(r, false) == -1;
	}
	if (failed) {
		log_error(NULL, "vacation-failed", "error=%s",
		    LOGS(strerror(errno)));
		journal_forget(r, next, 0);
		r->absence_next = 0;
		r->absence_looked = now + IDLE_MS / 1000;
	}
}

/* The loop. */

static void
reload(struct service *s)
{
	struct conf conf;

	told_to_reload = 0;
	switch (conf_receive(s->r->conf_fd, &conf)) {
	case 1:
		s->r->conf = conf;
		break;
	case -1:
		log_error(NULL, "reload", "what=conf error=%s",
		    LOGS(strerror(errno)));
		break;
	}
	if (admins_load(s->etc_fd, s->r->conf.admin_group,
	    &s->r->admins) == -1)
		log_error(NULL, "reload", "error=%s", LOGS(strerror(errno)));
	else
		log_notice(NULL, "reload", "administrators=%zu",
		    s->r->admins.n);
}

/* What is late: an idle peer goes, a delayed answer goes out. */
static void
look_at_clock(struct conn *c, int64_t now)
{
	if (c->is_pair || now < c->deadline)
		return;
	switch (c->state) {
	case CONN_DELAYED:
		answer(c, say(&c->q, REGISTRY_REFUSED,
		    "The current password is not the one of this account.",
		    "Le mot de passe actuel n'est pas celui de ce compte."));
		log_request(c);
		break;
	case CONN_IDLE:
	case CONN_LOADING:
	case CONN_ANSWERING:
		conn_close(c);
		break;
	case CONN_FREE:
	case CONN_HASHING:
	case CONN_READY:
		break;
	}
}

static short
events_of(const struct conn *c)
{
	switch (c->state) {
	case CONN_IDLE:
	case CONN_LOADING:
		return POLLIN;
	case CONN_ANSWERING:
		return POLLOUT;
	case CONN_FREE:
	case CONN_HASHING:
	case CONN_READY:
	case CONN_DELAYED:
		break;
	}
	return 0;
}

/* Fills p; p[i + 3] is of conns[i]. Returns the time to wait, in ms. */
static int
prepare_poll(struct service *s, struct pollfd *p)
{
	int64_t now = clock_ms(), wait = 60000, left;

	p[0] = (struct pollfd){ .fd = told_to_stop ? -1 : s->listen_fd,
		.events = POLLIN };
	p[1] = (struct pollfd){ .fd = hasher_fd(s->hasher), .events = POLLIN };
	p[2] = (struct pollfd){ .fd = s->purge.fd, .events = POLLIN };
	if (s->purge.fd == -1 && s->purge.next - now < wait)
		wait = s->purge.next < now ? 0 : s->purge.next - now;
	for (size_t i = 0; i < CONNS_MAX; i++) {
		const struct conn *c = &s->conns[i];
		short events = events_of(c);

		p[i + 3] = (struct pollfd){ .fd = events != 0 ? c->fd : -1,
			.events = events };
		left = c->deadline - now;
		if (c->state == CONN_FREE || c->state == CONN_HASHING ||
		    c->is_pair)
			continue;
		if (left < wait)
			wait = left < 0 ? 0 : left;
	}
	left = s->r->absence_next > s->r->absence_looked ?
	    s->r->absence_next : s->r->absence_looked;
	if (s->r->absence_next != INT64_MAX &&
	    (left - (int64_t)time(NULL)) * 1000 < wait)
		wait = left <= (int64_t)time(NULL) ? 0 :
		    (left - (int64_t)time(NULL)) * 1000;
	if (s->r->access_until != 0) {
		left = (s->r->access_until - (int64_t)time(NULL)) * 1000;
		if (left < wait)
			wait = left < 0 ? 0 : left;
	}
	return told_to_stop && wait > 100 ? 100 : (int)wait;
}

static void
turn(struct service *s, const sigset_t *unblocked)
{
	struct pollfd p[CONNS_MAX + 3];
	int wait = prepare_poll(s, p);
	struct timespec t = { wait / 1000, wait % 1000 * 1000000L };
	int64_t now;

	if (ppoll(p, CONNS_MAX + 3, &t, unblocked) == -1)
		return;		/* a signal: the loop looks at it */
	for (size_t i = 0; i < CONNS_MAX; i++) {
		struct conn *c = &s->conns[i];

		if (p[i + 3].revents == 0)
			continue;
		if (c->state == CONN_IDLE || c->state == CONN_LOADING)
			read_conn(s, c);
		else if (c->state == CONN_ANSWERING)
			pump(s, c);
	}
	if (p[0].revents != 0)
		accept_one(s);
	take_hashes(s);
	run_group(s);
	end_absences(s);
	purge_turn(&s->purge, s->r, p[2].revents != 0);
	now = clock_ms();
	for (size_t i = 0; i < CONNS_MAX; i++) {
		look_at_clock(&s->conns[i], now);
		if (s->conns[i].state == CONN_ANSWERING)
			pump(s, &s->conns[i]);
	}
}

/* True when nobody waits for anything any more. */
static bool
may_stop(struct service *s)
{
	if (!told_to_stop)
		return false;
	if (s->stop_at == 0)
		s->stop_at = clock_ms() + STOP_MS;
	if (clock_ms() >= s->stop_at)
		return true;
	for (size_t i = 0; i < CONNS_MAX; i++)
		if (s->conns[i].state > CONN_LOADING)
			return false;
	return true;
}

static void
watch_signals(sigset_t *unblocked)
{
	struct sigaction a = { .sa_handler = on_signal };
	sigset_t ours;

	sigemptyset(&ours);
	sigaddset(&ours, SIGTERM);
	sigaddset(&ours, SIGINT);
	sigaddset(&ours, SIGHUP);
	sigprocmask(SIG_BLOCK, &ours, unblocked);
	sigaction(SIGTERM, &a, NULL);
	sigaction(SIGINT, &a, NULL);
	sigaction(SIGHUP, &a, NULL);
}

static void
add_pair(struct service *s, int fd, unsigned role)
{
	struct conn *pair;

	if (fd == -1 || (pair = conn_new(s, fd)) == NULL)
		return;
	fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
	pair->is_pair = true;
	pair->role = role;
}

int
service_run(struct registry *r, const struct service_fds *fds)
{
	static struct service s;
	sigset_t unblocked;

	s.r = r;
	s.purge = PURGE_INIT;
	s.listen_fd = fds->listening;
	s.etc_fd = fds->etc;
	watch_signals(&unblocked);
	if (settle_at_start(r) == -1) {
		log_error(NULL, "start", "error=%s",
		    LOGS("the tables cannot be compiled"));
		return EX_OSERR;
	}
	if ((s.hasher = hasher_start()) == NULL) {
		log_error(NULL, "start", "error=%s", LOGS(strerror(errno)));
		return EX_OSERR;
	}
	add_pair(&s, fds->auth, ROLE_AUTHD);
	add_pair(&s, fds->queue, ROLE_QUEUED);
	if (r->spawn_fd != -1)
		fcntl(r->spawn_fd, F_SETFL,
		    fcntl(r->spawn_fd, F_GETFL) | O_NONBLOCK);
	proc_ready();
	while (!may_stop(&s)) {
		if (told_to_reload)
			reload(&s);
		turn(&s, &unblocked);
	}
	return EX_OK;
}
