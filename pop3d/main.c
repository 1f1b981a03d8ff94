/* main.c - malle-pop3d: takes POP3 connections, a child for each. */
/* SPDX-License-Identifier: ISC */

/*
 * Runs as: user_net, root folder public/, sandbox role SANDBOX_POP3D, which the
 * children inherit.
 * Trusts: nobody who connects.
 * Order: everything is given up before the first connection is accepted; a
 * child is forked, never executed.
 * Limits: sessions_max connections before login, sessions_per_host of one
 * address (of IPv6: of one /64). Sessions after login are malle-spawn's.
 */

#include <sys/socket.h>

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "lib/buf.h"
#include "lib/conf.h"
#include "lib/fsx.h"
#include "lib/log.h"
#include "lib/proc.h"
#include "lib/sandbox.h"
#include "lib/children.h"
#include "pop3d/login.h"

#define LISTENERS_MAX (2 * CONF_LISTEN_MAX)
#define MEMORY_MAX (256ull << 20)
#define FILES_MAX 64
#define PAUSE_MS 100		/* after an accept for want of resources */
#define GRACE_MS 5000		/* for logins being decided, at SIGTERM */

struct listener {
	struct pollfd fds[LISTENERS_MAX];
	bool implicit_tls[LISTENERS_MAX];
	size_t n;
	const struct conf *conf;
	struct children children;
	sigset_t unblocked;	/* while it waits */
	uint64_t served;
	bool pause;
};

static volatile sig_atomic_t ending;	/* the signal that says so */

static void
on_signal(int sig)
{
	/* SIGCHLD only has to end the wait. */
	if (sig != SIGCHLD)
		ending = sig;
}

static int
usage(FILE *out, int code)
{
	fputs("usage: malle-pop3d [-h] [-c FILE]\n"
	    "Serves POP3 up to the login. Started by malle-start, which gives "
	    "it its\nlistening sockets in MALLE_FDS. See malle-pop3d(8).\n",
	    out);
	return code;
}

/* Every descriptor that malle-start gave under this name. */
static void
add_listeners(struct listener *l, const char *name, bool implicit_tls)
{
	int fd;

	while (l->n < LISTENERS_MAX && (fd = proc_fd(name)) != -1) {
		l->fds[l->n] = (struct pollfd){ .fd = fd, .events = POLLIN };
		l->implicit_tls[l->n++] = implicit_tls;
		(void)fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
	}
}

/* Gives everything up but public/ and the listening sockets. */
static int
confine(const struct conf *conf)
{
	struct proc_limits limits = {
		.memory = MEMORY_MAX,
		/* The kernel takes it for the descriptors on their way from
		 * all processes of the uid, too (unix(7)): a client of each
		 * session, of malle-smtpd as well. */
		.files = FILES_MAX + 2 * conf->sessions_max,
		.file_size = PROC_NO_FILES,
		/* of the uid, which malle-smtpd has too */
		.processes = 3 * conf->sessions_max + 64
	};
	struct sandbox_path path = { .may_write = false };
	struct sandbox_got got;
	char root[1100];

	if (conf_path(conf, "public", root, sizeof(root)) == -1 ||
	    (path.dirfd = fsx_open_dir(AT_FDCWD, root)) == -1) {
		log_error(NULL, "start-failed", "step=open path=%s error=%s "
		    "hint=\"malle-start makes it\"", LOGS(root),
		    LOGS(strerror(errno)));
		return -1;
	}
	if (proc_close_others(&path.dirfd, 1) == -1 ||
	    proc_drop(conf->user_net, root, &limits) == -1 ||
	    sandbox_enter(SANDBOX_POP3D, &path, 1, &got) == -1) {
		log_error(NULL, "start-failed", "step=confine user=%s "
		    "root=%s error=%s", LOGS(conf->user_net), LOGS(root),
		    LOGS(strerror(errno)));
		return -1;
	}
	close(path.dirfd);
	/* What building the sandbox left is not for every child to copy. */
	(void)malloc_trim(0);
	sandbox_log(SANDBOX_POP3D, &got);
	return 0;
}

/* Signals arrive only while the listener waits. */
static void
catch_signals(struct listener *l)
{
	static const int caught[] = { SIGTERM, SIGINT, SIGHUP,
		SIGCHLD };
	struct sigaction sa = { .sa_handler = on_signal };
	sigset_t blocked;

	sigemptyset(&blocked);
	sigemptyset(&l->unblocked);
	for (size_t i = 0; i < sizeof(caught) / sizeof(caught[0]); i++) {
		sigaction(caught[i], &sa, NULL);
		sigaddset(&blocked, caught[i]);
	}
	sa.sa_handler = SIG_IGN;
	sigaction(SIGPIPE, &sa, NULL);
	sigprocmask(SIG_BLOCK, &blocked, NULL);
}

/* In the child: never returns. */
static void
serve(struct listener *l, size_t which, int fd, const struct ip *host)
{
	struct login_client client = {
		.fd = fd, .implicit_tls = l->implicit_tls[which], .ip = *host
	};

	signal(SIGTERM, SIG_DFL);
	signal(SIGINT, SIG_DFL);
	signal(SIGHUP, SIG_IGN);
	signal(SIGCHLD, SIG_DFL);
	sigprocmask(SIG_SETMASK, &l->unblocked, NULL);
	for (size_t i = 0; i < l->n; i++)
		close(l->fds[i].fd);
	snprintf(client.session, sizeof(client.session), "p%llx-%x-%llx",
	    (unsigned long long)time(NULL), (unsigned)getpid(),
	    (unsigned long long)l->served);
	login_serve(l->conf, &client);
	_exit(0);
}

/* Turns a connection away; it is closed. */
static void
refuse(const struct listener *l, size_t which, int fd, const struct ip *host,
    const char *reason)
{
	static const char text[] =
	    "-ERR [SYS/TEMP] too many connections, try again later\r\n";
	char address[IP_TEXT_MAX];

	log_notice(NULL, "refused", "client=%s reason=%s sessions=%zu",
	    ip_text(host, address), reason, l->children.n);
	/* Somebody who expects TLS would not understand it. */
	if (!l->implicit_tls[which])
		(void)send(fd, text, sizeof(text) - 1,
		    MSG_DONTWAIT | MSG_NOSIGNAL);
	close(fd);
}

static void
start_child(struct listener *l, size_t which, int fd, const struct ip *host)
{
	pid_t pid;

	l->served++;
	switch (pid = fork()) {
	case -1:
		log_error(NULL, "fork-failed", "error=%s",
		    LOGS(strerror(errno)));
		refuse(l, which, fd, host, "fork-failed");
		l->pause = true;
		return;
	case 0:
		serve(l, which, fd, host);
		return;
	default:
		children_add(&l->children, pid, host);
		close(fd);
	}
}

/* Takes one connection; false when there is none now. */
static bool
take_one(struct listener *l, size_t which)
{
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);
	struct ip host;
	int fd = accept4(l->fds[which].fd, (struct sockaddr *)&ss, &len,
	    SOCK_CLOEXEC);

	if (fd == -1) {
		/* The listening socket stays readable: do not spin. */
		if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS ||
		    errno == ENOMEM) {
			log_error(NULL, "accept-failed", "error=%s",
			    LOGS(strerror(errno)));
			l->pause = true;
		}
		return errno == ECONNABORTED || errno == EINTR;
	}
	if (ip_of_sockaddr((struct sockaddr *)&ss, &host, NULL) == -1) {
		close(fd);
		return true;
	}
	switch (children_ask(&l->children, &host)) {
	case CHILDREN_OK:
		start_child(l, which, fd, &host);
		break;
	case CHILDREN_FULL:
		refuse(l, which, fd, &host, "sessions_max");
		break;
	case CHILDREN_HOST_FULL:
		refuse(l, which, fd, &host, "sessions_per_host");
		break;
	}
	return true;
}

static void
reap(struct listener *l)
{
	int status;
	pid_t pid;

	while ((pid = proc_reap(&status)) > 0) {
		children_remove(&l->children, pid);
		if (WIFSIGNALED(status) && WTERMSIG(status) != SIGTERM)
			log_error(NULL, "child-died", "pid=%d signal=%d",
			    (int)pid, WTERMSIG(status));
	}
}

static void
listen_loop(struct listener *l)
{
	static const struct timespec pause = { 0, PAUSE_MS * 1000000L };

	while (ending == 0) {
		int n = ppoll(l->fds, l->pause ? 0 : l->n,
		    l->pause ? &pause : NULL, &l->unblocked);

		l->pause = false;
		reap(l);
		for (size_t i = 0; n > 0 && i < l->n; i++)
			if ((l->fds[i].revents & POLLIN) != 0)
				while (ending == 0 && !l->pause &&
				    take_one(l, i))
					reap(l);
	}
}

static void
signal_children(const struct listener *l, int sig)
{
	for (size_t i = 0; i < l->children.n; i++)
		kill(l->children.v[i].pid, sig);
}

/*
 * Children end at once, but for logins being decided. On SIGHUP they go on
 * alone: a new listener, which malle-start starts, reads the configuration,
 * for the root folder of this one has none.
 */
static void
finish(struct listener *l)
{
	int64_t end = clock_ms() + GRACE_MS, left;

	for (size_t i = 0; i < l->n; i++)
		close(l->fds[i].fd);
	if (ending == SIGHUP) {
		log_info(NULL, "stopped", "served=%llu left=%zu",
		    (unsigned long long)l->served, l->children.n);
		return;
	}
	signal_children(l, SIGTERM);
	reap(l);
	while (l->children.n > 0 && (left = end - clock_ms()) > 0) {
		struct timespec ts = { left / 1000, left % 1000 * 1000000 };

		(void)ppoll(NULL, 0, &ts, &l->unblocked);
		reap(l);
	}
	signal_children(l, SIGKILL);
	log_info(NULL, "stopped", "served=%llu cut=%zu",
	    (unsigned long long)l->served, l->children.n);
}

int
main(int argc, char **argv)
{
	static struct conf conf;
	static struct listener l;
	const char *path = NULL;
	int o;

	log_open("malle-pop3d");
	proc_huge_text();
	while ((o = getopt(argc, argv, "hc:")) != -1)
		switch (o) {
		case 'h':
			return usage(stdout, EX_OK);
		case 'c':
			path = optarg;
			break;
		default:
			return usage(stderr, EX_USAGE);
		}
	if (optind != argc)
		return usage(stderr, EX_USAGE);
	if (conf_load(&conf, path, stderr) == -1)
		return EX_CONFIG;
	l.conf = &conf;
	add_listeners(&l, "pop3", false);
	add_listeners(&l, "pop3s", true);
	if (l.n == 0) {
		log_error(NULL, "start-failed", "step=listen "
		    "hint=\"no pop3 or pop3s in MALLE_FDS: malle-start gives "
		    "them\"");
		return EX_USAGE;
	}
	if (children_init(&l.children, conf.sessions_max,
	    conf.sessions_per_host) == -1 || confine(&conf) == -1)
		return EX_OSERR;
	catch_signals(&l);
	proc_ready();
	listen_loop(&l);
	finish(&l);
	children_free(&l.children);
	return EX_OK;
}
