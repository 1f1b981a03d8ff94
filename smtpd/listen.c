/* listen.c - takes connections and gives each a process. */
/* SPDX-License-Identifier: ISC */

#include "smtpd/listen.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/children.h"
#include "lib/log.h"
#include "lib/proc.h"

/*
 * Runs as: the parent of the sessions; it reads not a byte from a client.
 * Order: signals are blocked but in ppoll(), so none falls between a look and
 * a wait. A session is forked, never executed: it inherits uid, root, sandbox
 * and the mapped tables.
 * At SIGHUP the listener ends and its sessions go on: the next one, which
 * malle-start starts, reads the configuration, for this one's root has none.
 * Limits: sessions_max, sessions_per_host (a host of IPv6 is its /64); the
 * refusal is sent without waiting and without a fork.
 */

#define ACCEPT_BURST 32		/* connections of one listener in a row */
#define STOP_TIME 20		/* seconds for messages half-way at the end */
#define PAUSE 100		/* ms after the machine is out of something */

struct house {
	const struct conf *conf;
	struct tables *tables;
	const struct listener *listeners;
	size_t nlisteners;
	struct children children;
	uint64_t turned_away;	/* since the last line about it */
	int64_t told;
	sigset_t open;		/* the mask for waits and sessions */
};

static volatile sig_atomic_t got_child, got_hangup;

static void
note_child(int signal)
{
	(void)signal;
	got_child = 1;
}

static void
note_hangup(int signal)
{
	(void)signal;
	got_hangup = 1;
}

int
listen_signals(void)
{
	static const struct {
		int signal;
		void (*handler)(int);
	} rows[] = {
		{ SIGTERM, session_stop }, { SIGINT, session_stop },
		{ SIGCHLD, note_child }, { SIGHUP, note_hangup },
		{ SIGPIPE, SIG_IGN },
	};
	sigset_t blocked;

	sigemptyset(&blocked);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct sigaction sa = { .sa_handler = rows[i].handler };

		if (sigaction(rows[i].signal, &sa, NULL) == -1)
			return -1;
		sigaddset(&blocked, rows[i].signal);
	}
	return sigprocmask(SIG_BLOCK, &blocked, NULL);
}

static void
log_crash(pid_t pid, int status)
{
	log_error(NULL, "crash", "pid=%ld signal=%d exit=%d text=%s",
	    (long)pid, WIFSIGNALED(status) ? WTERMSIG(status) : 0,
	    WIFEXITED(status) ? WEXITSTATUS(status) : 0,
	    LOGS("a session died; its client was told nothing and will come "
	    "back"));
}

static void
reap(struct house *h)
{
	int status;
	pid_t pid;

	got_child = 0;
	while ((pid = proc_reap(&status)) > 0) {
		children_remove(&h->children, pid);
		if (status != 0)
			log_crash(pid, status);
	}
}

/* One line a second at most, however many come. */
static void
log_turned_away(struct house *h, const struct ip *ip, const char *why)
{
	char client[IP_TEXT_MAX];
	int64_t now = clock_ms();

	h->turned_away++;
	if (now - h->told < 1000)
		return;
	log_notice(NULL, "reject", "session=- stage=connect client=%s code=421 "
	    "count=%llu text=%s", ip_text(ip, client),
	    (unsigned long long)h->turned_away, LOGS(why));
	h->told = now;
	h->turned_away = 0;
}

/* Says 421 and closes, without waiting for anything. */
static void
turn_away(struct house *h, const struct listener *l, int fd,
    const struct ip *ip, const char *code, const char *why)
{
	char text[ADDR_DOMAIN_MAX + 100];
	int n = snprintf(text, sizeof(text), "421 %s %s %s\r\n", code,
	    h->conf->hostname, why);

	/* Behind TLS from the first byte nobody could read it. */
	if (l->service != SERVICE_SUBMISSIONS && n > 0)
		(void)send(fd, text, (size_t)n, MSG_DONTWAIT | MSG_NOSIGNAL);
	close(fd);
	log_turned_away(h, ip, why);
}

/* The child's whole life. */
static void
be_session(struct house *h, const struct listener *l, int fd,
    const struct ip *ip)
{
	static const struct rlimit none = { 0, 0 };

	for (size_t i = 0; i < h->nlisteners; i++)
		close(h->listeners[i].fd);
	/* A session makes no processes. */
	(void)setrlimit(RLIMIT_NPROC, &none);
	sigprocmask(SIG_SETMASK, &h->open, NULL);
	session_run(h->conf, h->tables, l->service, l->port, fd, ip);
	_exit(0);
}

static void
start_session(struct house *h, const struct listener *l, int fd,
    const struct ip *ip)
{
	pid_t pid;

	/* Done here, it is done for every session: they inherit the maps. */
	if (tables_refresh(h->tables) == -1)
		log_error(NULL, "tables", "text=%s reason=%s",
		    LOGS("cannot read the tables: what is open stays in use"),
		    LOGS(strerror(errno)));
	pid = fork();
	if (pid == 0)
		be_session(h, l, fd, ip);
	if (pid == -1) {
		turn_away(h, l, fd, ip, "4.3.2", "no process is to be had, "
		    "try again later");
		return;
	}
	children_add(&h->children, pid, ip);
	close(fd);
}

static void
admit(struct house *h, const struct listener *l, int fd, const struct ip *ip)
{
	enum children_verdict verdict = children_ask(&h->children, ip);

	if (verdict == CHILDREN_FULL)
		turn_away(h, l, fd, ip, "4.3.2",
		    "too many sessions, try again later");
	else if (verdict == CHILDREN_HOST_FULL &&
	    !conf_nets_match(&h->conf->proxy_hosts, ip))
		turn_away(h, l, fd, ip, "4.7.0",
		    "too many sessions from your address, try again later");
	else
		start_session(h, l, fd, ip);
}

static void
accept_some(struct house *h, const struct listener *l)
{
	for (int i = 0; i < ACCEPT_BURST; i++) {
		struct sockaddr_storage sa;
		socklen_t len = sizeof(sa);
		struct ip ip;
		int fd = accept4(l->fd, (struct sockaddr *)&sa, &len,
		    SOCK_CLOEXEC);

		if (fd == -1) {
			/* Others (a client that left) concern nobody. */
			if (errno == EMFILE || errno == ENFILE ||
			    errno == ENOBUFS || errno == ENOMEM) {
				log_error(NULL, "accept", "reason=%s",
				    LOGS(strerror(errno)));
				(void)poll(NULL, 0, PAUSE);
			}
			return;
		}
		if (ip_of_sockaddr((struct sockaddr *)&sa, &ip, NULL) == 0)
			admit(h, l, fd, &ip);
		else
			close(fd);
	}
}

static void
serve(struct house *h)
{
	struct pollfd fds[LISTENERS_MAX];

	for (size_t i = 0; i < h->nlisteners; i++)
		fds[i] = (struct pollfd){ h->listeners[i].fd, POLLIN, 0 };
	while (!session_stopping && !got_hangup) {
		int r = ppoll(fds, h->nlisteners, NULL, &h->open);

		if (got_child)
			reap(h);
		for (size_t i = 0; r > 0 && i < h->nlisteners; i++)
			if (fds[i].revents != 0)
				accept_some(h, &h->listeners[i]);
	}
}

static void
tell_children(const struct house *h, int signal)
{
	for (size_t i = 0; i < h->children.n; i++)
		(void)kill(h->children.v[i].pid, signal);
}

/* Sessions between two messages end at once, the others after theirs. */
static void
wind_up(struct house *h)
{
	int64_t end = clock_ms() + STOP_TIME * 1000;
	int64_t left;

	for (size_t i = 0; i < h->nlisteners; i++)
		close(h->listeners[i].fd);
	if (!session_stopping) {
		log_info(NULL, "reload", "sessions=%zu text=%s", h->children.n,
		    LOGS("the sessions go on; the next listener reads the "
		    "configuration"));
		return;
	}
	log_info(NULL, "stop", "sessions=%zu", h->children.n);
	tell_children(h, SIGTERM);
	while (h->children.n > 0 && (left = end - clock_ms()) > 0) {
		struct timespec ts = { left / 1000, left % 1000 * 1000000 };

		(void)ppoll(NULL, 0, &ts, &h->open);
		reap(h);
	}
	if (h->children.n > 0)
		log_notice(NULL, "stop", "sessions=%zu text=%s", h->children.n,
		    LOGS("cut off: their messages were not accepted"));
	tell_children(h, SIGKILL);
}

int
listen_run(const struct conf *conf, struct tables *tables,
    const struct listener *listeners, size_t n)
{
	struct house h = {
		.conf = conf, .tables = tables, .listeners = listeners,
		.nlisteners = n
	};

	if (children_init(&h.children, conf->sessions_max,
	    conf->sessions_per_host) == -1)
		return -1;
	sigemptyset(&h.open);
	serve(&h);
	wind_up(&h);
	children_free(&h.children);
	return 0;
}
