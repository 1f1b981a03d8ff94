/* start_loop.c - keeps the programs running, ends them in order. */
/* SPDX-License-Identifier: ISC */
#include "tools/start.h"

#include <sys/signalfd.h>
#include <sys/wait.h>

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/buf.h"
#include "lib/conf_pass.h"
#include "lib/log.h"
#include "lib/proc.h"

/*
 * Order: a program starts when those of the lower steps have said that they
 * are ready; one that has died comes back whatever the others do. To stop, the
 * listeners go first, then whoever they ask, malle-spawn last: what has begun
 * is finished by services that still run.
 */
#define STOP_STEPS 7
#define STOP_LIMIT 30000	/* ms for all of it, then SIGKILL */
#define STOP_AFTER_LIMIT 500	/* ms for each step after that */
#define REST_LIMIT 5000		/* for sessions whose listener is gone */

static struct service *
service_of(struct start *s, pid_t pid)
{
	for (size_t i = 0; i < SERVICES; i++) {
		if (s->services[i].pid == pid)
			return &s->services[i];
	}
	return NULL;
}

/* Sessions whose listener has died end here, too: nobody else waits for them. */
static void
reap(struct start *s)
{
	struct service *v;
	int status;
	pid_t pid;

	while ((pid = proc_reap(&status)) > 0) {
		if ((v = service_of(s, pid)) != NULL)
			service_ended(s, v, status);
	}
}

static bool
may_start(const struct start *s, const struct service *v)
{
	for (size_t i = 0; i < SERVICES && !s->announced; i++) {
		const struct service *o = &s->services[i];

		if (o->wanted && !o->is_ready &&
		    o->start_after < v->start_after)
			return false;
	}
	return true;
}

static void
start_due(struct start *s)
{
	int64_t now = clock_ms();

	for (size_t i = 0; i < SERVICES; i++) {
		struct service *v = &s->services[i];

		if (!v->wanted || v->pid != 0 || now < v->due ||
		    !may_start(s, v))
			continue;
		if (service_start(s, v) == -1) {
			log_error(NULL, "start-failed",
			    "program=%s reason=%s", v->program,
			    LOGS(strerror(errno)));
			v->due = now + 1000;
		}
	}
}

/* Tells once that all is ready: systemd, and whoever waits in the shell. */
static void
announce(struct start *s)
{
	for (size_t i = 0; i < SERVICES; i++) {
		if (s->services[i].wanted && !s->services[i].is_ready)
			return;
	}
	s->announced = true;
	log_info(NULL, "service-ready", "pid=%d", (int)getpid());
	state_notify("READY=1\nSTATUS=all programs are ready");
	if (s->parent_fd != -1) {
		(void)!write(s->parent_fd, "", 1);
		close(s->parent_fd);
		s->parent_fd = -1;
	}
}

/* How long to wait: until somebody may be started again, whose time may have
 * come since the last look; -1: for an event. */
static int
wait_ms(const struct start *s)
{
	int64_t now = clock_ms(), least = INT32_MAX;

	for (size_t i = 0; i < SERVICES; i++) {
		const struct service *v = &s->services[i];

		if (v->wanted && v->pid == 0 && may_start(s, v) &&
		    v->due - now < least)
			least = v->due - now;
	}
	if (least == INT32_MAX)
		return -1;
	return least > 0 ? (int)least : 0;
}

/*
 * The configuration as it is now. False: it has a mistake, or asks for what
 * cannot be, and everybody goes on as before; a program that began anew could
 * not.
 */
static bool
read_conf(struct start *s)
{
	struct conf *c = malloc(sizeof(*c));
	bool good = c != NULL && conf_load(c, s->conf_path, stderr) == 0;

	if (!good)
		log_error(NULL, "reload-failed", "conf=%s todo=\"mend the "
		    "configuration (malle check); the old one stays in force\"",
		    LOGS(s->conf_path));
	else if (!folders_same(&s->conf, c)) {
		/* Half of them would be somewhere else, or somebody else. */
		log_error(NULL, "reload-failed", "conf=%s todo=\"base and the "
		    "users change only with a restart of malle-start; nothing "
		    "was changed\"", LOGS(s->conf_path));
		good = false;
	} else {
		s->latest = *c;
		if (plan_same_ports(&s->conf, c) &&
		    strcmp(s->conf.log, c->log) == 0)
			s->conf = *c;
		else
			log_error(NULL, "reload-partial", "reason=\"ports "
			    "and log change only with a restart of "
			    "malle-start\"");
	}
	free(c);
	return good;
}

/*
 * Programs that can read the configuration only at their start end well; a new
 * one takes the place at once, and the sessions of the old one go on. The
 * others are given the settings before they are told.
 */
static void
tell_hup(struct start *s, struct service *v)
{
	if (v->conf_fd != -1 && conf_send(v->conf_fd, &s->latest) == -1)
		log_error(NULL, "reload-failed", "program=%s reason=%s",
		    v->program, LOGS(strerror(errno)));
	v->owed_hup = false;
	v->told_hup = true;
	kill(v->pid, SIGHUP);
}

static void
reload(struct start *s)
{
	char note[64];

	snprintf(note, sizeof(note), "RELOADING=1\nMONOTONIC_USEC=%lld",
	    (long long)clock_ms() * 1000);
	state_notify(note);
	if (read_conf(s)) {
		plan_hooks(s);
		for (size_t i = 0; i < SERVICES; i++) {
			struct service *v = &s->services[i];

			/* One that is not ready yet could not know what to do,
			 * and may have read what was there before. */
			if (v->pid != 0 && v->is_ready)
				tell_hup(s, v);
			else
				v->owed_hup = v->pid != 0;
		}
		log_info(NULL, "reload", "conf=%s", LOGS(s->conf_path));
	}
	state_notify("READY=1");
}

/* True when we are told to end. */
static bool
take_signals(struct start *s, int fd)
{
	struct signalfd_siginfo info;
	bool end = false;

	while (read(fd, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
		if (info.ssi_signo == SIGTERM || info.ssi_signo == SIGINT)
			end = true;
		else if (info.ssi_signo == SIGHUP)
			reload(s);
	}
	reap(s);
	return end;
}

/* As poll(2); nothing is written while syslogd alone is looked after. */
static int
await_events(struct start *s, struct pollfd *p, nfds_t n)
{
	int wait = wait_ms(s), r;

	while (s->syslog_inode != 0 && (wait == -1 || wait > LOG_EVERY)) {
		if ((r = poll(p, n, LOG_EVERY)) != 0)
			return r;
		log_again(s);
		wait = wait_ms(s);
	}
	return poll(p, n, wait);
}

/* One round: waits, hears, reaps. True when we are told to end. */
static bool
round_once(struct start *s, int sigfd)
{
	struct pollfd p[SERVICES + 1];
	bool end = false;

	for (size_t i = 0; i < SERVICES; i++)
		p[i] = (struct pollfd){ s->services[i].ready_fd, POLLIN, 0 };
	p[SERVICES] = (struct pollfd){ sigfd, POLLIN, 0 };
	if (await_events(s, p, SERVICES + 1) == -1 && errno != EINTR)
		return true;
	for (size_t i = 0; i < SERVICES; i++) {
		struct service *v = &s->services[i];

		if (p[i].revents == 0 || v->ready_fd != p[i].fd)
			continue;
		service_hear(v);
		if (v->is_ready && v->owed_hup)
			tell_hup(s, v);
	}
	if (p[SERVICES].revents != 0)
		end = take_signals(s, sigfd);
	return end;
}

static size_t
signal_services(struct start *s, unsigned step, int sig)
{
	size_t n = 0;

	for (size_t i = 0; i < SERVICES; i++) {
		struct service *v = &s->services[i];

		if (v->stop_step != step || v->pid == 0)
			continue;
		n++;
		if (sig != 0)
			kill(v->pid, sig);
	}
	return n;
}

static size_t
signal_orphans(struct start *s, unsigned step, int sig)
{
	size_t n = 0;

	for (size_t i = 0; i < s->norphans; i++) {
		if (s->orphans[i].stop_step == step)
			n += children_signal(sig, s->orphans[i].group);
	}
	return n;
}

/* Waits at most ms for a child to end. SIGCHLD is blocked, hence not lost. */
static void
await_child(int64_t ms)
{
	struct timespec t = { ms / 1000, ms % 1000 * 1000000 };
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	(void)sigtimedwait(&set, NULL, &t);
}

/* Tells them, waits until end for them, then kills them. */
static void
stop_some(struct start *s, unsigned step, int64_t end,
    size_t (*signal_some)(struct start *, unsigned, int))
{
	bool killed = false;

	signal_some(s, step, SIGTERM);
	for (reap(s); signal_some(s, step, 0) > 0; reap(s)) {
		if (clock_ms() >= end && !killed) {
			log_error(NULL, "stop", "step=%u reason=\"did not end "
			    "in time, killed\"", step);
			signal_some(s, step, SIGKILL);
			killed = true;
		}
		await_child(100);
	}
}

static int64_t
later(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

/* Programs first; then sessions that go on without theirs. */
static void
stop_step(struct start *s, unsigned step, int64_t end)
{
	int64_t least = clock_ms() + STOP_AFTER_LIMIT;

	(void)signal_orphans(s, step, SIGTERM);
	stop_some(s, step, later(end, least), signal_services);
	least = clock_ms() + REST_LIMIT;
	stop_some(s, step, end < least ? later(end, clock_ms() +
	    STOP_AFTER_LIMIT) : least, signal_orphans);
}

/* Whoever is left: groups that were too many to remember. */
static void
stop_rest(struct start *s)
{
	int64_t end = clock_ms() + REST_LIMIT;
	int sig = SIGTERM;

	reap(s);
	while (children_signal(sig, 0) > 0) {
		/* Told once, then only looked at. */
		sig = clock_ms() < end ? 0 : SIGKILL;
		await_child(50);
		reap(s);
	}
}

static void
stop_all(struct start *s)
{
	int64_t end = clock_ms() + STOP_LIMIT;

	s->stopping = true;
	log_info(NULL, "stopping", "pid=%d", (int)getpid());
	state_notify("STOPPING=1");
	for (unsigned step = 0; step < STOP_STEPS; step++)
		stop_step(s, step, end);
	stop_rest(s);
	log_info(NULL, "stopped", "pid=%d", (int)getpid());
}

int
start_loop(struct start *s)
{
	int sigfd = proc_signals(true);

	if (sigfd == -1) {
		log_error(NULL, "start-failed", "reason=%s",
		    LOGS(strerror(errno)));
		return EXIT_FAILURE;
	}
	do {
		start_due(s);
		state_write(s);
		if (!s->announced)
			announce(s);
	} while (!round_once(s, sigfd));
	stop_all(s);
	state_remove(s);
	close(sigfd);
	return EXIT_SUCCESS;
}
