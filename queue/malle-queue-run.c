/* malle-queue-run.c - one pass over what is due, from cron. */
/* SPDX-License-Identifier: ISC */
/*
 * Runs as: root, or whoever owns the whole instance. This process only forks:
 * malle-spawn, malle-bounce, malle-remote and malle-sts by exec, and the manager,
 * which gives its rights away as malle-queued does. It then waits for the
 * manager and stops the others.
 * Order: the lock first (in the manager); without it nothing is delivered, and
 * a running malle-queued is asked to try everything now.
 * Limits: --limit seconds; nothing begins after that.
 */
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "lib/log.h"
#include "lib/num.h"
#include "queue/filter.h"
#include "queue/start.h"

#define LIMIT_DEFAULT 600
#define ASK_TIMEOUT 30
#define STOP_TRIES 250		/* of 20 ms */

static struct manager manager;

static int
usage(FILE *out)
{
	fputs("usage: malle-queue-run [-h] [-c FILE] [--limit TIME] "
	    "[--older-than TIME]\n"
	    "                       [--destination DOMAIN]\n"
	    "Delivers what is due in the queue, once, and ends. With "
	    "malle-queued running\nit only asks it to try everything now. "
	    "See malle-queue-run(8).\n", out);
	return out == stdout ? EX_OK : EX_USAGE;
}

struct options {
	const char *conf, *destination;
	uint64_t limit, older_than;
};

static int
parse_time(const char *option, const char *text, uint64_t lo, uint64_t *out)
{
	if (num_parse_duration(slice_of(text), lo, 31536000, out) == 0)
		return 0;
	fprintf(stderr, "malle-queue-run: --%s %s: write a time as 90s, 10m, "
	    "2h or 1d\n", option, text);
	return -1;
}

/* 0, or -1 with *status to exit with. */
static int
parse_options(int argc, char **argv, struct options *o, int *status)
{
	static const struct option longs[] = {
		{ "limit", required_argument, NULL, 'l' },
		{ "older-than", required_argument, NULL, 'o' },
		{ "destination", required_argument, NULL, 'd' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 }
	};
	int c;

	*status = EX_USAGE;
	o->limit = LIMIT_DEFAULT;
	while ((c = getopt_long(argc, argv, "hc:l:o:d:", longs, NULL)) != -1)
		switch (c) {
		case 'c':
			o->conf = optarg;
			break;
		case 'l':
			if (parse_time("limit", optarg, 1, &o->limit) == -1)
				return -1;
			break;
		case 'o':
			if (parse_time("older-than", optarg, 0,
			    &o->older_than) == -1)
				return -1;
			break;
		case 'd':
			o->destination = optarg;
			break;
		case 'h':
			*status = usage(stdout);
			return -1;
		default:
			usage(stderr);
			return -1;
		}
	if (optind == argc)
		return 0;
	usage(stderr);
	return -1;
}

/* A program that works for the manager, and the descriptors that it gets. */
struct helper {
	const char *name;
	const char *names[2];
	int fds[2];		/* -1: none */
};

/* Starts libexec/name. Its pid, or -1. */
static pid_t
run_helper(const struct conf *c, const struct helper *h, const char *conf)
{
	char path[1200], fds[64];
	pid_t pid = fork();

	if (pid != 0)
		return pid;
	for (size_t i = 0; i < 2; i++)
		if (h->fds[i] != -1 && fcntl(h->fds[i], F_SETFD, 0) == -1)
			_exit(EX_OSERR);
	snprintf(path, sizeof(path), "%s/%s", c->libexec, h->name);
	if (h->fds[1] != -1)
		snprintf(fds, sizeof(fds), "%s=%d,%s=%d", h->names[0],
		    h->fds[0], h->names[1], h->fds[1]);
	else
		snprintf(fds, sizeof(fds), "%s=%d", h->names[0], h->fds[0]);
	if (setenv("MALLE_FDS", fds, 1) == -1)
		_exit(EX_OSERR);
	if (conf != NULL)
		execl(path, h->name, "-c", conf, (char *)NULL);
	else
		execl(path, h->name, (char *)NULL);
	fprintf(stderr, "malle-queue-run: %s: %s\n", path, strerror(errno));
	_exit(EX_UNAVAILABLE);
}

/* The manager, in a process of its own. */
static int
run_manager(struct manager *q, const struct options *o)
{
	int keep[3] = { q->spawn, q->bounce, q->remote_fd }, r;

	q->listener.fd = q->conf_fd = q->registry_fd = -1;
	for (size_t i = 0; i < 3; i++)
		if (fcntl(keep[i], F_SETFL, O_NONBLOCK) == -1)
			return EX_OSERR;
	if ((r = start_confined(q, keep, 3)) != 0)
		return r;
	q->is_one_pass = true;
	q->pass_start = q->now;
	q->pass_end = q->now + (int64_t)o->limit * 1000;
	q->pass_older_than = (int64_t)o->older_than;
	if (o->destination != NULL)
		q->pass_domain = slice_of(o->destination);
	manager_loop(q);
	printf("%ju delivered, %ju deferred, %ju failed, %u left\n",
	    (uintmax_t)q->delivered, (uintmax_t)q->deferred,
	    (uintmax_t)q->failed, q->index.count);
	fflush(stdout);
	return EX_OK;
}

/* The queue is somebody else's: malle-queued is asked to try all. */
static int
ask_daemon(const struct conf *c, const struct options *o)
{
	static unsigned char space[IPC_MAX];
	struct queue_filter filter = { .id = "" };
	struct packer k;
	struct ipc_msg m;
	struct slice text;
	char path[1100];
	uint32_t touched;
	uint8_t result;
	int fd;

	if (conf_path(c, "public/queue.sock", path, sizeof(path)) == -1 ||
	    (fd = queue_connect(path)) == -1) {
		fprintf(stderr, "malle-queue-run: another run works on this "
		    "queue; nothing done\n");
		return EX_TEMPFAIL;
	}
	ipc_timeout(fd, ASK_TIMEOUT);
	filter.older_than = o->older_than;
	if (o->destination != NULL)
		snprintf(filter.recipient, sizeof(filter.recipient), "*%s%s",
		    o->destination[0] == '.' ? "" : "@", o->destination);
	pack_init(&k, space, sizeof(space));
	queue_filter_pack(&k, &filter);
	if (ipc_send(fd, Q_RETRY, &k, NULL, 0) == -1 ||
	    ipc_recv(fd, space, &m) != 1 || m.type != Q_END) {
		fprintf(stderr, "malle-queue-run: another run works on this "
		    "queue, or malle-queued does not answer; nothing done\n");
		close(fd);
		return EX_TEMPFAIL;
	}
	ipc_close_fds(&m);
	close(fd);
	result = unpack_u8(&m.body);
	touched = unpack_u32(&m.body);
	text = unpack_bytes(&m.body, QUEUE_TEXT_MAX);
	if (!unpack_end(&m.body) || result != QUEUE_OK) {
		fprintf(stderr, "malle-queue-run: malle-queued does not try "
		    "them: %.*s\n", SLICE_FMT(text));
		return EX_TEMPFAIL;
	}
	printf("malle-queued is running: it tries %u messages now\n", touched);
	return EX_OK;
}

enum { SPAWN, BOUNCE, REMOTE, STS, HELPERS };
static pid_t helpers[HELPERS];

/* Ends what we have started, and nothing else; the hard way after a while. */
static void
stop_helpers(void)
{
	static const struct timespec pause = { 0, 20000000 };

	for (size_t i = 0; i < HELPERS; i++) {
		int left = STOP_TRIES;

		if (helpers[i] <= 0 || kill(helpers[i], SIGTERM) == -1)
			continue;
		while (waitpid(helpers[i], NULL, WNOHANG) == 0) {
			if (left-- == 0)
				kill(helpers[i], SIGKILL);
			nanosleep(&pause, NULL);
		}
	}
}

/* The manager's exit status. It alone is told of a SIGTERM that we get. */
static int
wait_for(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) == -1)
		if (errno != EINTR)
			return EX_OSERR;
	return WIFEXITED(status) ? WEXITSTATUS(status) : EX_SOFTWARE;
}

static volatile sig_atomic_t manager_pid;

static void
on_term(int sig)
{
	if (manager_pid > 0)
		kill((pid_t)manager_pid, sig);
}

static int
one_pass(struct manager *q, const struct options *o)
{
	/* Nobody logs in through us, but malle-spawn wants both of its pairs. */
	int pairs[HELPERS][2], auth[2], status;
	pid_t pid;

	/* If the caller ignores it nobody can be waited for. */
	signal(SIGCHLD, SIG_DFL);
	for (size_t i = 0; i < HELPERS; i++)
		if (ipc_pair(pairs[i]) == -1)
			return EX_OSERR;
	if (ipc_pair(auth) == -1)
		return EX_OSERR;
	q->spawn = pairs[SPAWN][0];
	q->bounce = pairs[BOUNCE][0];
	q->remote_fd = pairs[REMOTE][0];
	if ((pid = fork()) == 0)
		_exit(run_manager(q, o));
	const struct helper work[HELPERS] = {
		[SPAWN] = { "malle-spawn", { "queue", "auth" },
		    { pairs[SPAWN][1], auth[1] } },
		[BOUNCE] = { "malle-bounce", { "queue", NULL },
		    { pairs[BOUNCE][1], -1 } },
		[REMOTE] = { "malle-remote", { "queue", "sts" },
		    { pairs[REMOTE][1], pairs[STS][0] } },
		[STS] = { "malle-sts", { "remote", NULL },
		    { pairs[STS][1], -1 } }
	};
	for (size_t i = 0; i < HELPERS; i++)
		helpers[i] = run_helper(&q->conf, &work[i], o->conf);
	/* Only now: a helper must not inherit a handler that swallows its end. */
	manager_pid = pid;
	signal(SIGTERM, on_term);
	signal(SIGINT, on_term);
	/* Whatever a helper that died has not read must show as lost. */
	for (size_t i = 0; i < HELPERS; i++)
		close(pairs[i][1]);
	status = pid == -1 ? EX_OSERR : wait_for(pid);
	stop_helpers();
	return status;
}

int
main(int argc, char **argv)
{
	struct options o = { .conf = NULL };
	int r;

	log_open("malle-queue-run");
	if (parse_options(argc, argv, &o, &r) == -1)
		return r;
	if (conf_load(&manager.conf, o.conf, stderr) == -1)
		return EX_CONFIG;
	if ((r = start_open(&manager)) != 0)
		return r;
	r = one_pass(&manager, &o);
	return r == START_BUSY ? ask_daemon(&manager.conf, &o) : r;
}
