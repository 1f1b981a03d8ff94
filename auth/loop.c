/* loop.c - the event loop of malle-authd: connections, timers, signals. */
/* SPDX-License-Identifier: ISC */

#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/socket.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "auth/authd.h"
#include "lib/buf.h"
#include "lib/log.h"
#include "lib/proc.h"

#define EVENTS 64
#define ACCEPT_BURST 32		/* connections taken before others go on */
#define TICK 50			/* ms; timers are no finer */
#define ACCEPT_PAUSE 100	/* ms without accepting, when out of something */
#define END_TIME 3000		/* ms for logins under way at the end */

static int
watch(const struct authd *a, int fd, uint32_t events, void *tag)
{
	struct epoll_event e = { .events = events, .data.ptr = tag };

	return epoll_ctl(a->epoll_fd, EPOLL_CTL_ADD, fd, &e);
}

static void
accept_again(struct authd *a)
{
	if (a->is_accepting || a->is_ending || a->nlogins >= LOGINS_MAX ||
	    a->now < a->accept_after)
		return;
	if (watch(a, a->listen_fd, EPOLLIN, &a->listen_fd) == 0)
		a->is_accepting = true;
}

static void
accept_pause(struct authd *a)
{
	if (!a->is_accepting)
		return;
	(void)epoll_ctl(a->epoll_fd, EPOLL_CTL_DEL, a->listen_fd, NULL);
	a->is_accepting = false;
}

/*
 * Closes l. Its memory stays until the events at hand are through, as one of
 * them may still point to it.
 */
static void
login_end(struct authd *a, struct login *l)
{
	/* Who leaves before the answer is taken for a wrong guess: or else
	 * guesses could be had for nothing. */
	if (l->state == LOGIN_WORKING && l->guess.counted)
		(void)throttle_wrong(&a->throttle, &l->guess, a->now);
	throttle_undone(&a->throttle, &l->guess);
	check_leave(l);
	/* Closing is not enough: malle-spawn may have a copy, and epoll would
	 * go on telling of it. */
	if (l->is_watched)
		(void)epoll_ctl(a->epoll_fd, EPOLL_CTL_DEL, l->fd, NULL);
	close(l->fd);
	ipc_close_theirs(l->client_fd);
	*l->link = l->next;
	if (l->next != NULL)
		l->next->link = l->link;
	l->fd = -1;
	l->state = LOGIN_DONE;
	l->next = a->gone;
	a->gone = l;
	a->nlogins--;
}

static void
free_gone(struct authd *a)
{
	struct login *l;

	while ((l = a->gone) != NULL) {
		a->gone = l->next;
		if (l->leftover != NULL)
			explicit_bzero(l->leftover, l->leftover_len);
		free(l->leftover);
		if (l->scram != NULL)
			explicit_bzero(l->scram, sizeof(*l->scram));
		free(l->scram);
		explicit_bzero(l, sizeof(*l));
		free(l);
	}
}

/* After anything that was done to l: its end, or what it waits for. */
static void
settle(struct authd *a, struct login *l)
{
	if (l->state != LOGIN_DONE && !l->is_watched) {
		if (watch(a, l->fd, EPOLLIN | EPOLLRDHUP, l) == -1)
			l->state = LOGIN_DONE;
		l->is_watched = true;
	}
	if (l->state == LOGIN_DONE)
		login_end(a, l);
	else if (l->state != LOGIN_WORKING && l->due < a->next_due)
		a->next_due = l->due;
}

/* Reads what has come. While a login is worked on or delayed only an end may. */
static void
login_readable(struct authd *a, struct login *l)
{
	struct ipc_msg m;
	size_t len;
	int r;

	if (l->state == LOGIN_DONE)
		return;
	r = ipc_recv(l->fd, a->space, &m);
	if (r == -1 && errno == EAGAIN) {
		settle(a, l);
		return;
	}
	if (r == 1) {
		len = (size_t)(m.body.p - a->space) + m.body.len;
		if (l->state == LOGIN_WORKING || l->state == LOGIN_DELAYED)
			r = -1;
		else
			login_message(a, l, &m);
		ipc_close_fds(&m);
		explicit_bzero(a->space, len);
	}
	if (r != 1)
		login_end(a, l);
	else
		settle(a, l);
}

static void
login_accepted(struct authd *a, int fd)
{
	struct login *l = calloc(1, sizeof(*l));

	if (l == NULL) {
		close(fd);
		return;
	}
	l->fd = fd;
	l->client_fd = -1;
	l->due = a->now + START_TIME;
	l->next = a->logins;
	l->link = &a->logins;
	if (l->next != NULL)
		l->next->link = &l->next;
	a->logins = l;
	a->nlogins++;
	/* Most have sent their message by now: epoll need not know them. */
	login_readable(a, l);
}

static void
accept_all(struct authd *a)
{
	for (int i = 0; i < ACCEPT_BURST; i++) {
		int fd;

		if (a->nlogins >= LOGINS_MAX) {
			accept_pause(a);
			return;
		}
		fd = accept4(a->listen_fd, NULL, NULL,
		    SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd != -1) {
			login_accepted(a, fd);
			continue;
		}
		if (errno != EAGAIN && errno != EINTR &&
		    errno != ECONNABORTED) {
			log_error(NULL, "accept-failed", "error=%s",
			    LOGS(strerror(errno)));
			accept_pause(a);
			a->accept_after = a->now + ACCEPT_PAUSE;
		}
		return;
	}
}

static void
jobs_finished(struct authd *a)
{
	struct login *l, *next;
	struct job *job;
	uint64_t n;

	(void)!read(a->workers.event_fd, &n, sizeof(n));
	while ((job = workers_take(&a->workers)) != NULL)
		check_finished(a, job);
	for (l = a->logins; l != NULL; l = next) {
		next = l->next;
		settle(a, l);
	}
}

static void
timers(struct authd *a)
{
	struct login *l, *next;

	if (a->now < a->next_due)
		return;
	a->next_due = INT64_MAX;
	for (l = a->logins; l != NULL; l = next) {
		next = l->next;
		if (l->state != LOGIN_WORKING && l->due <= a->now) {
			if (l->state == LOGIN_DELAYED)
				verdict_due(a, l);
			l->state = LOGIN_DONE;
		}
		settle(a, l);
	}
}

/* No new logins; those under way get their answers, delays end now. */
static void
signalled(struct authd *a)
{
	struct signalfd_siginfo info;
	struct login *l;

	if (read(a->signal_fd, &info, sizeof(info)) != sizeof(info))
		return;
	log_info(NULL, "ending", "signal=%s logins=%zu",
	    info.ssi_signo == SIGHUP ? "HUP" : "TERM", a->nlogins);
	a->is_ending = true;
	a->ends = a->now + END_TIME;
	accept_pause(a);
	for (l = a->logins; l != NULL; l = l->next)
		if (l->state == LOGIN_DELAYED)
			l->due = a->now;
	a->next_due = a->now;
}

static void
dispatch(struct authd *a, const struct epoll_event *e)
{
	void *tag = e->data.ptr;

	if (tag == &a->listen_fd)
		accept_all(a);
	else if (tag == &a->workers)
		jobs_finished(a);
	else if (tag == &a->signal_fd)
		signalled(a);
	else
		login_readable(a, tag);
}

static int
wait_time(const struct authd *a)
{
	int64_t until = a->next_due;

	if (a->is_ending && a->ends < until)
		until = a->ends;
	if (!a->is_accepting && !a->is_ending && a->accept_after < until)
		until = a->accept_after;
	if (until == INT64_MAX)
		return -1;
	if (until - a->now > 60000)
		return 60000;
	/* Rounded up, so that many timers make few turns. */
	return until <= a->now ? TICK : (int)(until - a->now + TICK);
}

static int
prepare(struct authd *a)
{
	if ((a->signal_fd = proc_signals(false)) == -1 ||
	    (a->epoll_fd = epoll_create1(EPOLL_CLOEXEC)) == -1 ||
	    watch(a, a->signal_fd, EPOLLIN, &a->signal_fd) == -1 ||
	    watch(a, a->workers.event_fd, EPOLLIN, &a->workers) == -1)
		return -1;
	accept_again(a);
	return a->is_accepting ? 0 : -1;
}

int
loop_run(struct authd *a)
{
	struct epoll_event events[EVENTS];
	int n;

	a->next_due = INT64_MAX;
	a->now = clock_ms();
	if (prepare(a) == -1)
		return -1;
	while (!a->is_ending || (a->nlogins > 0 && a->now < a->ends)) {
		n = epoll_wait(a->epoll_fd, events, EVENTS, wait_time(a));
		a->now = clock_ms();
		if (n == -1 && errno != EINTR)
			return -1;
		for (int i = 0; i < n; i++)
			dispatch(a, &events[i]);
		timers(a);
		accept_again(a);
		free_gone(a);
	}
	return 0;
}
