/* main.c - malle-remote: speaks SMTP to other servers, in children. */
/* SPDX-License-Identifier: ISC */

/*
 * Runs as: user_remote, chrooted to empty/, sandbox SANDBOX_REMOTE: the network,
 * no file. A child for each connection and for each line of look-ups.
 * Trusts: malle-queued to say what goes where; the resolver of the
 * configuration; no other server.
 * Order: the authorities and resolv.conf are read before the chroot.
 * Limits: CHILDREN_MAX children, MEMORY_MAX of address space each.
 */

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "lib/conf.h"
#include "lib/log.h"
#include "lib/proc.h"
#include "lib/sandbox.h"
#include "remote/carrier.h"
#include "remote/tls.h"

#define CHILDREN_MAX 1000
#define MEMORY_MAX (128u << 20)
#define DNS_TIME 5		/* seconds for one try of a look-up */

static const char usage_text[] =
    "usage: malle-remote [-c FILE]\n"
    "       malle-remote -h\n"
    "Sends mail to other servers for malle-queued. malle-start starts it, with\n"
    "the descriptors \"queue\" and \"sts\" in MALLE_FDS; see malle-remote(8).\n"
    "  -c FILE  configuration, default " CONF_PATH "\n";

static volatile sig_atomic_t terminate;	/* the signal that asks for it */

static void
on_term(int signo)
{
	terminate = signo;
}

/* What the children share. */
struct service {
	struct remote remote;
	int queue, sts;		/* pairs */
	unsigned children;
};

static void __attribute__((noreturn))
run_child(struct service *s, uint16_t type, int pair)
{
	close(s->queue);
	signal(SIGTERM, SIG_DFL);
	signal(SIGHUP, SIG_IGN);
	if (type == REMOTE_RESOLVER) {
		proc_title("malle-resolver");
		resolver_run(&s->remote, pair, s->sts);
	} else {
		proc_title("malle-carrier");
		if (s->sts != -1)
			close(s->sts);
		carrier_run(&s->remote, pair);
	}
	_exit(EX_OK);
}

/* Takes one request. False when the pair is closed. */
static bool
take_request(struct service *s, const sigset_t *waiting)
{
	static unsigned char space[IPC_MAX];
	struct ipc_msg m;
	int r = ipc_recv(s->queue, space, &m);
	pid_t pid = -1;

	if (r == 0)
		return false;
	if (r == -1)
		return errno == EAGAIN || errno == EINTR || errno == EBADMSG;
	if ((m.type != REMOTE_RESOLVER && m.type != REMOTE_CARRIER) ||
	    m.nfds != 1 || !unpack_end(&m.body))
		log_error(NULL, "request", "error=%s", "malformed");
	else if ((pid = fork()) == 0) {
		sigprocmask(SIG_SETMASK, waiting, NULL);
		run_child(s, m.type, ipc_take_fd(&m, 0));
	} else if (pid == -1)
		log_error(NULL, "fork", "error=%s", LOGS(strerror(errno)));
	if (pid > 0)
		s->children++;
	ipc_close_fds(&m);
	return true;
}

static void
serve(struct service *s, const sigset_t *waiting)
{
	struct pollfd p = { .fd = s->queue, .events = POLLIN };

	while (!terminate) {
		int n = ppoll(&p, s->children < CHILDREN_MAX ? 1 : 0, NULL,
		    waiting);

		proc_reap_children(&s->children);
		if (n == 1 && !take_request(s, waiting))
			break;
	}
	/* Children end when malle-queued closes their pairs: a message that is
	 * half sent is sent to its end. After SIGHUP, and when this is too
	 * short, they go on alone; malle-start knows them. */
	for (int i = 0; terminate != SIGHUP && s->children > 0 && i < 5; i++) {
		struct timespec second = { 1, 0 };

		ppoll(NULL, 0, &second, waiting);
		proc_reap_children(&s->children);
	}
}

/* Gives up every right that sending does not need. 0, or -1 with errno. */
static int
confine(const struct conf *c)
{
	const struct proc_limits limits = {
		.memory = MEMORY_MAX,
		.files = 4096,
		.file_size = PROC_NO_FILES,
		.processes = geteuid() == 0 ? 2 * CHILDREN_MAX : 0,
	};
	struct sandbox_got got;
	char root[1100];

	tzset();		/* the zone's file is outside the new root */
	if (conf_path(c, "empty", root, sizeof(root)) == -1 ||
	    proc_close_others(NULL, 0) == -1 ||
	    proc_drop(c->user_remote, root, &limits) == -1 ||
	    sandbox_enter(SANDBOX_REMOTE, NULL, 0, &got) == -1)
		return -1;
	sandbox_log(SANDBOX_REMOTE, &got);
	return 0;
}

/* Everything that is read from files. 0, or -1 (logged). */
static int
prepare(struct service *s, const struct conf *c)
{
	if (dns_open(&s->remote.dns, c->resolver, DNS_TIME) == -1) {
		log_error(NULL, "resolver", "address=%s error=%s",
		    LOGS(c->resolver), LOGS(strerror(errno)));
		return -1;
	}
	if ((s->remote.tls = tls_context(c->authorities)) == NULL) {
		log_error(NULL, "tls", "error=%s authorities=%s",
		    LOGS("the certificates of authorities cannot be read"),
		    LOGS(c->authorities));
		return -1;
	}
	if (ticket_mark(&s->remote) == -1)
		return -1;
	s->remote.port = (uint16_t)c->remote_port;
	s->remote.reply_timeout = (unsigned)c->reply_timeout;
	return 0;
}

int
main(int argc, char **argv)
{
	static struct service service;
	static struct conf conf;
	const char *path = NULL;
	sigset_t waiting;
	int option;

	log_open("malle-remote");
	while ((option = getopt(argc, argv, "c:h")) != -1) {
		if (option == 'h') {
			fputs(usage_text, stdout);
			return EX_OK;
		}
		if (option != 'c') {
			fputs(usage_text, stderr);
			return EX_USAGE;
		}
		path = optarg;
	}
	if (conf_load(&conf, path, stderr) == -1)
		return EX_CONFIG;
	(void)proc_ready_fd();
	service.sts = proc_fd("sts");
	if ((service.queue = proc_fd("queue")) == -1) {
		fputs("malle-remote: MALLE_FDS has no descriptor \"queue\": "
		    "malle-start starts this program\n", stderr);
		return EX_USAGE;
	}
	/* At SIGHUP it ends, too: everything that was read before the chroot
	 * is read anew by the next one that malle-start starts. */
	proc_catch(on_term, &waiting);
	if (prepare(&service, &conf) == -1)
		return EX_CONFIG;
	if (confine(&conf) == -1) {
		log_error(NULL, "start", "error=%s", LOGS(strerror(errno)));
		return EX_OSERR;
	}
	proc_ready();
	serve(&service, &waiting);
	return EX_OK;
}
