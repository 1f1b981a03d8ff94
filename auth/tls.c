/* tls.c - malle-tls speaks TLS for the sessions. */
/* SPDX-License-Identifier: ISC */

#include "auth/tls.h"
#include "auth/tls_memory.h"

#include <sys/socket.h>
#include <sys/wait.h>

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

#include <openssl/crypto.h>

#include "lib/buf.h"
#include "lib/conf.h"
#include "lib/fsx.h"
#include "lib/log.h"
#include "lib/proc.h"
#include "lib/sandbox.h"

/*
 * Runs as: the user of "user_tls", chrooted to base/empty; sandbox role tls: no
 * file, no new socket. One process accepts and forks, one for each connection.
 * Trusts: nobody. A child sees one client and one session; if it is taken over,
 * the keys are lost, but no mail and no table is in reach.
 * Order: keys are read by root before anything is dropped and OpenSSL has done
 * a handshake with itself before the first fork, so that a child begins at once.
 * Limits: twice sessions_max children, and those that say goodbye.
 */
#define SECURE_HEAP (256 * 1024)	/* locked memory for private keys */
#define SECURE_HEAP_PIECE 32
#define MEMORY_MAX (256ULL << 20)
#define FILES_MAX 64
#define GOODBYES 64
#define END_TIME 5000		/* ms for connections at the end */

static const char usage[] =
    "usage: malle-tls [-c FILE]\n"
    "       malle-tls -h\n"
    "\n"
    "Speaks TLS for the sessions of malle-smtpd and malle-pop3d. It is started\n"
    "by malle-start, which gives it its socket.\n"
    "\n"
    "  -c FILE  the configuration, instead of " CONF_PATH "\n"
    "  -h       this text\n"
    "\n"
    "See malle-tls(8).\n";

struct server {
	int listen_fd;
	struct tls_keys keys;
	pid_t *children;
	size_t n, max;
	sigset_t waiting;	/* signals that are let in while it waits */
};

static volatile sig_atomic_t ending;	/* the signal that came */

static void
on_end(int signal_number)
{
	ending = signal_number;
}

static void
on_child(int signal_number)
{
	(void)signal_number;	/* only wakes ppoll */
}

static void
catch_signal(int number, void (*handler)(int))
{
	struct sigaction sa = { .sa_handler = handler };

	sigemptyset(&sa.sa_mask);
	(void)sigaction(number, &sa, NULL);
}

/* Signals come while it waits, at no other time; children never get them: a
 * connection ends with its session. */
static void
prepare_signals(struct server *s)
{
	sigset_t blocked;

	signal(SIGPIPE, SIG_IGN);
	catch_signal(SIGTERM, on_end);
	catch_signal(SIGINT, on_end);
	catch_signal(SIGHUP, on_end);
	catch_signal(SIGCHLD, on_child);
	sigemptyset(&blocked);
	sigaddset(&blocked, SIGTERM);
	sigaddset(&blocked, SIGINT);
	sigaddset(&blocked, SIGHUP);
	sigaddset(&blocked, SIGCHLD);
	sigprocmask(SIG_BLOCK, &blocked, &s->waiting);
	sigdelset(&s->waiting, SIGTERM);
	sigdelset(&s->waiting, SIGINT);
	sigdelset(&s->waiting, SIGHUP);
	sigdelset(&s->waiting, SIGCHLD);
}

static void
reap(struct server *s)
{
	pid_t pid;
	int status;

	while ((pid = proc_reap(&status)) > 0) {
		for (size_t i = 0; i < s->n; i++)
			if (s->children[i] == pid) {
				s->children[i] = s->children[--s->n];
				break;
			}
		if (WIFSIGNALED(status))
			log_error(NULL, "child-died", "pid=%d signal=%d",
			    (int)pid, WTERMSIG(status));
	}
}

static void
serve_one(struct server *s)
{
	int fd = accept4(s->listen_fd, NULL, NULL, SOCK_CLOEXEC);
	const struct timespec pause = { .tv_nsec = 50 * 1000000 };
	pid_t pid;

	if (fd == -1) {
		if (errno != EAGAIN && errno != EINTR &&
		    errno != ECONNABORTED) {
			log_error(NULL, "accept-failed", "error=%s",
			    LOGS(strerror(errno)));
			nanosleep(&pause, NULL);
		}
		return;
	}
	if ((pid = fork()) == 0) {
		close(s->listen_fd);
		tls_memory_child();
		tls_session(&s->keys, fd);
		_exit(EX_OK);
	}
	close(fd);
	if (pid == -1)
		log_error(NULL, "fork-failed", "error=%s",
		    LOGS(strerror(errno)));
	else
		s->children[s->n++] = pid;
}

/* Waits for a connection, when one more is possible, or a signal. */
static void
wait_for(struct server *s, bool connections, const struct timespec *time)
{
	struct pollfd p = { .fd = s->listen_fd, .events = POLLIN };
	bool room = connections && s->n < s->max;
	int n = ppoll(&p, room ? 1 : 0, time, &s->waiting);

	reap(s);
	if (n > 0)
		serve_one(s);
}

/* SIGTERM: the sessions are ending, too; who is left after a while is cut. */
static void
end_children(struct server *s)
{
	const struct timespec tick = { .tv_nsec = 100 * 1000000 };
	int64_t until = clock_ms() + END_TIME;

	while (s->n > 0 && clock_ms() < until)
		wait_for(s, false, &tick);
	for (size_t i = 0; i < s->n; i++)
		(void)kill(s->children[i], SIGKILL);
}

static void
serve(struct server *s)
{
	while (ending == 0)
		wait_for(s, true, NULL);
	log_info(NULL, "ending", "signal=%s connections=%zu",
	    ending == SIGHUP ? "HUP" : "TERM", s->n);
	/* SIGHUP: new keys need a new process; the connections go on here. */
	if (ending != SIGHUP)
		end_children(s);
}

/* Reads what only root can, then gives all of it up. */
static int
confine(struct server *s, const struct conf *c)
{
	const struct proc_limits limits = {
		.memory = MEMORY_MAX, .files = FILES_MAX,
		.file_size = PROC_NO_FILES,
	};
	struct sandbox_got got;
	char folder[1200], empty[1200];
	int dirfd, r = -1;

	if (conf_path(c, "tls", folder, sizeof(folder)) == -1 ||
	    conf_path(c, "empty", empty, sizeof(empty)) == -1 ||
	    (dirfd = fsx_open_dir(AT_FDCWD, folder)) == -1) {
		log_error(NULL, "start-failed", "folder=%s error=%s",
		    LOGS(folder), LOGS(strerror(errno)));
		return -1;
	}
	if (tls_keys_load(&s->keys, dirfd) == -1)
		goto out;
	if (proc_close_others(&dirfd, 1) == -1 ||
	    proc_drop(c->user_tls, empty, &limits) == -1) {
		log_error(NULL, "start-failed", "user=%s folder=%s error=%s",
		    LOGS(c->user_tls), LOGS(empty), LOGS(strerror(errno)));
		goto out;
	}
	if (tls_keys_warm_up(&s->keys) == -1)
		goto out;
	close(dirfd);
	dirfd = -1;
	if (sandbox_enter(SANDBOX_TLS, NULL, 0, &got) == -1) {
		log_error(NULL, "start-failed", "sandbox=%s",
		    LOGS(strerror(errno)));
		goto out;
	}
	sandbox_log(SANDBOX_TLS, &got);
	/* What was freed is put in order once here, not in each child. */
	(void)malloc_trim(0);
	r = 0;
out:
	if (dirfd != -1)
		close(dirfd);
	return r;
}

static int
start(struct server *s, const struct conf *c)
{
	if (tls_memory_init() == -1) {
		log_error(NULL, "start-failed", "reason=%s",
		    LOGS("the memory of OpenSSL is in use already"));
		return -1;
	}
	s->listen_fd = proc_fd("tls");
	if (s->listen_fd == -1) {
		log_error(NULL, "start-failed", "reason=%s",
		    LOGS("no descriptor \"tls\": malle-start must start me"));
		return -1;
	}
	/* Somebody else may take the connection that poll has seen. */
	(void)fcntl(s->listen_fd, F_SETFL, O_RDWR | O_NONBLOCK);
	s->max = (size_t)c->sessions_max * 2 + GOODBYES;
	s->children = calloc(s->max, sizeof(*s->children));
	/* Keys are never swapped out nor dumped; where locking memory is not
	 * allowed, they are at least not dumped. */
	(void)CRYPTO_secure_malloc_init(SECURE_HEAP, SECURE_HEAP_PIECE);
	if (s->children == NULL ||
	    OPENSSL_init_ssl(OPENSSL_INIT_NO_LOAD_CONFIG, NULL) != 1 ||
	    tls_random_init() == -1) {
		log_error(NULL, "start-failed", "reason=%s",
		    LOGS("out of memory"));
		return -1;
	}
	return 0;
}

int
main(int argc, char **argv)
{
	static struct server s;
	const char *path = NULL;
	struct conf conf;
	int option;

	log_open("malle-tls");
	proc_huge_text();
	while ((option = getopt(argc, argv, "c:h")) != -1) {
		if (option == 'c') {
			path = optarg;
			continue;
		}
		fputs(usage, option == 'h' ? stdout : stderr);
		return option == 'h' ? EX_OK : EX_USAGE;
	}
	if (optind != argc) {
		fputs(usage, stderr);
		return EX_USAGE;
	}
	if (conf_load(&conf, path, stderr) == -1)
		return EX_CONFIG;
	if (start(&s, &conf) == -1)
		return EX_OSERR;
	if (confine(&s, &conf) == -1)
		return EX_CONFIG;
	prepare_signals(&s);
	proc_ready();
	serve(&s);
	return EX_OK;
}
