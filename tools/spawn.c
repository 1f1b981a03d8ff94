/* spawn.c - malle-spawn: forks children that own one mailbox folder each. */
/* SPDX-License-Identifier: ISC */
#include "tools/spawn.h"

#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include <linux/capability.h>

#include "lib/buf.h"
#include "lib/fsx.h"
#include "lib/log.h"
#include "lib/proc.h"
#include "lib/sandbox.h"

/*
 * Runs as: root, with six capabilities and the sandbox SANDBOX_SPAWN; children
 * have the uid that owns mail/DOMAIN, that folder as root, and their own
 * sandbox. Not started by root: everything has the caller's uid.
 * Trusts: malle-start, mail/ itself (root's). A request must come on the pair
 * that its kind belongs to, name a canonical domain, and a uid that is in the
 * range of the configuration and owns the folder.
 * Order: a request is read, checked, forked for; its descriptors are closed
 * here at once. Whoever asked sees them closed when nothing came of it.
 * Limits: CHILDREN_MAX in all, workers_max and WORKERS_DOMAIN of malle-local,
 * sessions_max POP3 sessions, sessions_per_host of one client's address,
 * MAILBOXES_MAX and MAILBOXES_DOMAIN of malle-mailbox.
 */
#define CHILDREN_MAX 2048
#define WORKERS_DOMAIN 4	/* of one domain: one works, older ones end */
#define MAILBOXES_MAX 128
#define MAILBOXES_DOMAIN 16
#define STOP_WAIT 8000		/* ms for children to end; then malle-start's */
/* Of a child, too: it can lower them only. */
#define FILES_MAX 1024
#define MEMORY_MAX (1ULL << 30)

enum kind { NOBODY, WORKER, SESSION, MAILBOX };

static const char *const kinds[] = { "", "local", "pop3", "mailbox" };

struct child {
	pid_t pid;
	enum kind kind;
	uid_t uid;
	struct ip host;		/* SESSION: the client; else zero */
};

struct children {
	struct child v[CHILDREN_MAX];
	size_t n;
};

static void
usage(FILE *f)
{
	fprintf(f, "usage: malle-spawn [-h] [-c FILE]\n"
	    "Forks local deliveries and mailbox sessions; malle-start starts "
	    "it.\n"
	    "  -c FILE  configuration, instead of " CONF_PATH "\n"
	    "  -h       this text\n");
}

static size_t
count(const struct children *c, enum kind kind, const uid_t *uid)
{
	size_t n = 0;

	for (size_t i = 0; i < c->n; i++) {
		if (c->v[i].kind == kind &&
		    (uid == NULL || c->v[i].uid == *uid))
			n++;
	}
	return n;
}

static size_t
sessions_of(const struct children *c, const struct ip *host)
{
	size_t n = 0;

	for (size_t i = 0; i < c->n; i++)
		n += c->v[i].kind == SESSION &&
		    ip_same_host(&c->v[i].host, host);
	return n;
}

static bool
may_fork(const struct spawn *s, const struct children *c, enum kind kind,
    uid_t uid, const struct ip *host)
{
	bool may = c->n < CHILDREN_MAX;

	if (kind == WORKER)
		may = may && count(c, WORKER, NULL) < s->conf.workers_max &&
		    count(c, WORKER, &uid) < WORKERS_DOMAIN;
	else if (kind == MAILBOX)
		may = may && count(c, MAILBOX, NULL) < MAILBOXES_MAX &&
		    count(c, MAILBOX, &uid) < MAILBOXES_DOMAIN;
	else
		may = may && count(c, SESSION, NULL) < s->conf.sessions_max &&
		    sessions_of(c, host) < s->conf.sessions_per_host;
	if (!may)
		log_notice(NULL, "spawn-refused", "kind=%s uid=%u children=%zu "
		    "reason=\"too many\"", kinds[kind], (unsigned)uid, c->n);
	return may;
}

static void
remember(struct children *c, pid_t pid, enum kind kind, uid_t uid,
    const struct ip *host)
{
	if (pid == -1) {
		log_error(NULL, "fork", "reason=%s", LOGS(strerror(errno)));
		return;
	}
	c->v[c->n++] = (struct child){ pid, kind, uid, *host };
}

static void
reap(struct children *c)
{
	int status;
	pid_t pid;

	while ((pid = proc_reap(&status)) > 0) {
		if (status != 0)
			log_notice(NULL, "child-ended", "child=%d status=%d",
			    (int)pid, status);
		for (size_t i = 0; i < c->n; i++) {
			if (c->v[i].pid == pid) {
				c->v[i] = c->v[--c->n];
				break;
			}
		}
	}
}

/* 0, or -1: the message is not one that malle-queued may send. */
static int
take_local(const struct spawn *s, struct children *c, struct ipc_msg *m)
{
	static const struct ip nobody;
	char domain[ADDR_DOMAIN_MAX + 1];
	struct slice name;
	uid_t uid;
	pid_t pid;

	if (m->type != SPAWN_LOCAL || m->nfds != 1)
		return -1;
	name = unpack_text(&m->body, ADDR_DOMAIN_MAX);
	uid = unpack_u32(&m->body);
	/* The domain becomes a path: only its canonical form passes. */
	if (!unpack_end(&m->body) || addr_domain(name, domain) == -1 ||
	    !slice_eq(name, slice_of(domain)))
		return -1;
	if (!may_fork(s, c, WORKER, uid, &nobody))
		return 0;
	if ((pid = fork()) == 0)
		child_local(s, domain, uid, m->fds[0]);
	remember(c, pid, WORKER, uid, &nobody);
	return 0;
}

/* The same for malle-authd. */
static int
take_pop3(const struct spawn *s, struct children *c, struct ipc_msg *m)
{
	struct spawn_pop3 who;
	struct ip host;
	pid_t pid;

	if (m->type != SPAWN_POP3 || m->nfds != 2 ||
	    spawn_pop3_unpack(&m->body, &who) == -1 ||
	    ip_parse(slice_of(who.client), &host) == -1)
		return -1;
	if (!may_fork(s, c, SESSION, who.uid, &host))
		return 0;
	if ((pid = fork()) == 0)
		child_pop3(s, &who, m->fds[0], m->fds[1]);
	remember(c, pid, SESSION, who.uid, &host);
	return 0;
}

/* The same for malle-registryd. */
static int
take_mailbox(const struct spawn *s, struct children *c, struct ipc_msg *m)
{
	static const struct ip nobody;
	struct spawn_mailbox who;
	pid_t pid;

	if (m->nfds != 1 || spawn_mailbox_unpack(&m->body, &who) == -1)
		return -1;
	if (!may_fork(s, c, MAILBOX, who.uid, &nobody))
		return 0;
	if ((pid = fork()) == 0)
		child_mailbox(s, &who, m->fds[0]);
	remember(c, pid, MAILBOX, who.uid, &nobody);
	return 0;
}

/* A domain that has no mail any more: only an empty folder can go. */
static int
take_forget(const struct spawn *s, struct ipc_msg *m)
{
	char domain[ADDR_DOMAIN_MAX + 1];
	struct slice name = unpack_text(&m->body, ADDR_DOMAIN_MAX);

	if (!unpack_end(&m->body) || addr_domain(name, domain) == -1 ||
	    !slice_eq(name, slice_of(domain)))
		return -1;
	if (unlinkat(s->mail, domain, AT_REMOVEDIR) == -1 && errno != ENOENT)
		log_notice(NULL, "spawn-forget", "domain=%s reason=%s",
		    LOGS(domain), LOGS(strerror(errno)));
	return 0;
}

static int
take_registry(const struct spawn *s, struct children *c, struct ipc_msg *m)
{
	if (m->type == SPAWN_MAILBOX)
		return take_mailbox(s, c, m);
	return m->type == SPAWN_FORGET ? take_forget(s, m) : -1;
}

/* Who is at the other end of a pair. */
static const char *
name_of(const struct spawn *s, int fd)
{
	return fd == s->queue ? "queue" : fd == s->auth ? "auth" : "registry";
}

/* One request from a pair. False when nothing was there. */
static bool
take(const struct spawn *s, struct children *c, int fd)
{
	static unsigned char space[IPC_MAX];
	struct ipc_msg m = { .nfds = 0 };
	int r = ipc_recv(fd, space, &m);
	bool is_there = r != 0;
	size_t used = sizeof(space);

	if (r == 1) {
		used = (size_t)(m.body.p - space) + m.body.len;
		r = fd == s->queue ? take_local(s, c, &m) :
		    fd == s->auth ? take_pop3(s, c, &m) :
		    take_registry(s, c, &m);
		if (r == -1)
			log_error(NULL, "bad-request", "from=%s type=%u",
			    name_of(s, fd), m.type);
		ipc_close_fds(&m);
	} else if (r == -1 && errno != EAGAIN && errno != EINTR)
		log_error(NULL, "bad-request", "from=%s reason=%s",
		    name_of(s, fd), LOGS(strerror(errno)));
	/* Not more: each page touched here is copied for the next child. */
	explicit_bzero(space, used);
	return is_there;
}

/* A request; or the end of a pair, at which nobody looks again. malle-start
 * holds both ends of it: one who was taken over has shut it down, or there is
 * no malle-start any more. */
static void
look(const struct spawn *s, struct children *c, struct pollfd *p)
{
	if (((p->revents & POLLIN) != 0 && take(s, c, p->fd)) ||
	    (p->revents & POLLRDHUP) == 0)
		return;
	log_error(NULL, "bad-request", "from=%s reason=closed",
	    name_of(s, p->fd));
	p->fd = -1;
}

/* SIGTERM: what has begun is finished by the children, who are told. */
static void
stop(struct children *c)
{
	int64_t end = clock_ms() + STOP_WAIT;

	for (size_t i = 0; i < c->n; i++)
		kill(c->v[i].pid, SIGTERM);
	for (reap(c); c->n > 0 && clock_ms() < end; reap(c))
		poll(NULL, 0, 20);
}

/* Returns when told to end, or when there is nobody to serve. */
static void
serve(const struct spawn *s, int sigfd)
{
	static struct children c;
	struct signalfd_siginfo info;
	struct pollfd p[4] = {
		{ sigfd, POLLIN, 0 }, { s->queue, POLLIN | POLLRDHUP, 0 },
		{ s->auth, POLLIN | POLLRDHUP, 0 },
		{ s->registry, POLLIN | POLLRDHUP, 0 }
	};

	while (p[1].fd != -1 || p[2].fd != -1 || p[3].fd != -1) {
		if (poll(p, 4, -1) == -1)
			continue;
		while (p[0].revents != 0 &&
		    read(sigfd, &info, sizeof(info)) == sizeof(info)) {
			if (info.ssi_signo == SIGTERM ||
			    info.ssi_signo == SIGINT)
				return stop(&c);
			/* A new one reads the configuration; the children
			 * of this one go on. */
			if (info.ssi_signo == SIGHUP)
				return;
		}
		reap(&c);
		for (int i = 1; i < 4; i++)
			look(s, &c, &p[i]);
	}
}

/* Of root's powers, those that this job needs. 0 or -1. */
static int
keep_capabilities(void)
{
	static const unsigned needed[] = { CAP_SETUID, CAP_SETGID,
		CAP_SYS_CHROOT, CAP_CHOWN, CAP_DAC_OVERRIDE, CAP_KILL };
	struct __user_cap_header_struct head = {
		.version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2] = { { 0, 0, 0 }, { 0, 0, 0 } };

	for (size_t i = 0; i < sizeof(needed) / sizeof(needed[0]); i++)
		data[0].permitted |= 1u << needed[i];
	data[0].effective = data[0].permitted;
	return (int)syscall(SYS_capset, &head, data);
}

/* A program of ours, to be run by children; high enough to stay out of the way
 * of its own descriptors. -1 after saying why. */
static int
open_program(const struct spawn *s, const char *name)
{
	char path[2048];
	int fd, high;

	snprintf(path, sizeof(path), "%s/%s", s->conf.libexec, name);
	if ((fd = open(path, O_RDONLY | O_CLOEXEC)) == -1) {
		log_error(NULL, "start", "program=%s reason=%s", LOGS(path),
		    LOGS(strerror(errno)));
		return -1;
	}
	high = fcntl(fd, F_DUPFD_CLOEXEC, 40);
	close(fd);
	return high;
}

static int
open_all(struct spawn *s)
{
	char path[2048];

	s->queue = proc_fd("queue");
	s->auth = proc_fd("auth");
	s->registry = proc_fd("registry");	/* malle-queue-run has none */
	if (s->queue == -1 || s->auth == -1) {
		warnx("no descriptors in MALLE_FDS: it is started by "
		    "malle-start, not by hand");
		return -1;
	}
	if (conf_path(&s->conf, "mail", path, sizeof(path)) == -1 ||
	    (s->mail = fsx_open_dir(AT_FDCWD, path)) == -1) {
		log_error(NULL, "start", "folder=%s/mail reason=%s",
		    s->conf.base, LOGS(strerror(errno)));
		return -1;
	}
	s->local = open_program(s, "malle-local");
	s->mailbox = open_program(s, "malle-mailbox");
	return s->local == -1 || s->mailbox == -1 ? -1 : 0;
}

/* Confines the parent; filters of children are made once, here. 0 or -1. */
static int
confine(const struct spawn *s)
{
	const struct proc_limits limits = { .memory = MEMORY_MAX,
		.files = FILES_MAX };
	struct sandbox_path kept[] = { { s->mail, true }, { s->local, false },
		{ s->mailbox, false } };
	int keep[] = { s->mail, s->local, s->mailbox };
	struct sandbox_got got;

	if (proc_close_others(keep, 3) == -1 ||
	    proc_drop_to(geteuid(), getegid(), NULL, &limits) == -1 ||
	    (geteuid() == 0 && keep_capabilities() == -1) ||
	    sandbox_prepare_within(SANDBOX_MAILBOX, SANDBOX_SPAWN) == -1 ||
	    sandbox_enter(SANDBOX_SPAWN, kept, 3, &got) == -1) {
		log_error(NULL, "start", "what=sandbox reason=%s",
		    LOGS(strerror(errno)));
		return -1;
	}
	/* What making the filters left is not for every child to copy. */
	(void)malloc_trim(0);
	sandbox_log(SANDBOX_SPAWN, &got);
	return 0;
}

int
main(int argc, char **argv)
{
	static struct spawn s;
	const char *conf = NULL;
	int ch, sigfd;

	log_open("malle-spawn");
	proc_huge_text();
	while ((ch = getopt(argc, argv, "c:h")) != -1) {
		if (ch == 'h') {
			usage(stdout);
			return EX_OK;
		}
		if (ch != 'c') {
			usage(stderr);
			return EX_USAGE;
		}
		conf = optarg;
	}
	if (optind != argc) {
		usage(stderr);
		return EX_USAGE;
	}
	if (conf_load(&s.conf, conf, stderr) == -1)
		return EX_CONFIG;
	umask(077);
	if (open_all(&s) == -1)
		return EX_UNAVAILABLE;
	if (confine(&s) == -1 || (sigfd = proc_signals(true)) == -1)
		return EX_OSERR;
	proc_ready();
	serve(&s, sigfd);
	return EX_OK;
}
