/* service.c - the loop of malle-registryd. */
/* SPDX-License-Identifier: ISC */

/*
 * Runs as: malle-registry, its root in registry/; role SANDBOX_REGISTRYD.
 * Trusts: nobody who connects (conn.c).
 * Order: all requests that wait are done in one transaction, each inside its
 * own; their tables are written aside; one commit makes all durable; the
 * tables become visible; the journal's lines are written; then each is
 * answered. A failure before the commit changes nothing and says so to all.
 */

#include "registry/service.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sysexits.h>
#include <time.h>

#include "lib/clock.h"
#include "lib/conf_pass.h"
#include "lib/log.h"
#include "lib/proc.h"
#include "registry/absence.h"
#include "registry/conn.h"
#include "registry/journal.h"
#include "registry/settle.h"

#define WRONG_MS 2000		/* what a wrong password costs */
#define STOP_MS 4000		/* for answers, once told to end */
#define RETRY 10		/* s, after what the clock asks for failed */
#define OTHERS 5		/* descriptors that are no connections */

static volatile sig_atomic_t told_to_stop, told_to_reload;

static void
on_signal(int number)
{
	if (number == SIGHUP)
		told_to_reload = 1;
	else
		told_to_stop = 1;
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
			conn_proved(c);
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
		conn_log(c);
		if (c->is_pair)
			conn_next(c);
		else
			conn_answer(c, c->verdict);
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

/* In how many ms a permission to relay is to end, at most 60000. */
static int64_t
access_wait(const struct service *s)
{
	int64_t left, pause = s->access_retry - clock_ms();

	if (s->r->access_until == 0)
		return 60000;
	left = (s->r->access_until - (int64_t)time(NULL)) * 1000;
	if (left < pause)
		left = pause;
	if (left < 0)
		return 0;
	return left < 60000 ? left : 60000;
}

static void
run_group(struct service *s)
{
	struct registry *r = s->r;
	uint64_t next = r->journal_next;
	bool failed, lazy = false, expired = access_wait(s) == 0;

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
	if (failed && expired)
		s->access_retry = clock_ms() + RETRY * 1000;
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
		r->absence_looked = now + RETRY;
	}
}

/* The loop. */

static void
reload(struct service *s)
{
	struct conf conf;

	told_to_reload = 0;
	switch (conf_receive(s->r->conf_fd, &conf, NULL)) {
	case 1:
		s->r->conf = conf;
		s->strays.next = 0;
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
		conn_refuse(c, say(&c->q, REGISTRY_REFUSED,
		    "The current password is not the one of this account.",
		    "Le mot de passe actuel n'est pas celui de ce compte."));
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

/* The shorter of two waits, in ms. */
static int64_t
sooner(int64_t wait, int64_t left)
{
	if (left < 0)
		return 0;
	return left < wait ? left : wait;
}

/* Fills p; p[i + OTHERS] is of conns[i]. Returns the time to wait, in ms. */
static int
prepare_poll(struct service *s, struct pollfd *p)
{
	int64_t now = clock_ms(), wait = access_wait(s), absence;

	p[0] = (struct pollfd){ .fd = told_to_stop ? -1 : s->listen_fd,
		.events = POLLIN };
	p[1] = (struct pollfd){ .fd = hasher_fd(s->hasher), .events = POLLIN };
	p[2] = (struct pollfd){ .fd = s->purge.fd, .events = POLLIN };
	p[3] = (struct pollfd){ .fd = s->notices.fd, .events = POLLIN };
	p[4] = (struct pollfd){ .fd = s->strays.fd, .events = POLLIN };
	if (s->purge.fd == -1)
		wait = sooner(wait, s->purge.next - now);
	if (s->strays.fd == -1)
		wait = sooner(wait, s->strays.next - now);
	if (s->notices.fd == -1 && s->notices.next != INT64_MAX)
		wait = sooner(wait, s->notices.next - now);
	for (size_t i = 0; i < CONNS_MAX; i++) {
		const struct conn *c = &s->conns[i];
		short events = events_of(c);

		p[i + OTHERS] = (struct pollfd){ .fd = events != 0 ? c->fd : -1,
			.events = events };
		if (c->state != CONN_FREE && c->state != CONN_HASHING &&
		    !c->is_pair)
			wait = sooner(wait, c->deadline - now);
	}
	absence = s->r->absence_next > s->r->absence_looked ?
	    s->r->absence_next : s->r->absence_looked;
	if (s->r->absence_next != INT64_MAX)
		wait = sooner(wait, (absence - (int64_t)time(NULL)) * 1000);
	return told_to_stop && wait > 100 ? 100 : (int)wait;
}

static void
turn(struct service *s, const sigset_t *unblocked)
{
	struct pollfd p[CONNS_MAX + OTHERS];
	int wait = prepare_poll(s, p);
	struct timespec t = { wait / 1000, wait % 1000 * 1000000L };
	int64_t now;

	if (ppoll(p, CONNS_MAX + OTHERS, &t, unblocked) == -1)
		return;		/* a signal: the loop looks at it */
	for (size_t i = 0; i < CONNS_MAX; i++) {
		struct conn *c = &s->conns[i];

		if (p[i + OTHERS].revents == 0)
			continue;
		if (c->state == CONN_IDLE || c->state == CONN_LOADING)
			conn_read(s, c);
		else if (c->state == CONN_ANSWERING)
			conn_send(s, c);
	}
	if (p[0].revents != 0)
		conn_accept(s);
	take_hashes(s);
	run_group(s);
	end_absences(s);
	purge_turn(&s->purge, s->r, p[2].revents != 0);
	strays_turn(&s->strays, s->r, p[4].revents != 0);
	notice_turn(&s->notices, s->r, p[3].revents != 0);
	now = clock_ms();
	for (size_t i = 0; i < CONNS_MAX; i++) {
		look_at_clock(&s->conns[i], now);
		if (s->conns[i].state == CONN_ANSWERING)
			conn_send(s, &s->conns[i]);
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
	s.strays = STRAYS_INIT;
	s.notices = (struct notices){ .fd = -1 };
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
	add_pair(&s, r->queue_fd, ROLE_QUEUED);
	if (r->spawn_fd != -1)
		fcntl(r->spawn_fd, F_SETFL,
		    fcntl(r->spawn_fd, F_GETFL) | O_NONBLOCK);
	proc_ready();
	while (!may_stop(&s)) {
		if (told_to_reload)
			reload(&s);
		turn(&s, &unblocked);
		if (store_is_lost(r->store)) {
			log_error(NULL, "fatal", "what=store error=%s",
			    LOGS(strerror(ENOTRECOVERABLE)));
			return EX_OSERR;	/* the next start recovers */
		}
	}
	return EX_OK;
}
