/* malle-queue-run.c - one pass over what is due, from cron. */
/* SPDX-License-Identifier: ISC */
/*
 * Runs as: root, or whoever owns the whole instance. This process only forks:
 * malle-spawn and malle-bounce by exec, and the manager, which gives its rights
 * away as malle-queued does. It then waits for the manager and stops the others.
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
	fputs("usage: malle-queue-run [-h] [-c FILE] [--limit SECONDS]\n"
	    "Delivers what is due in the queue, once, and ends. With "
	    "malle-queued running\nit only asks it to try everything now. "
	    "See malle-queue-run(8).\n", out);
	return out == stdout ? EX_OK : EX_USAGE;
}

struct options {
	const char *conf;
	uint64_t limit;
};

/* 0, or -1 with *status to exit with. */
static int
parse_options(int argc, char **argv, struct options *o, int *status)
{
	static const struct option longs[] = {
		{ "limit", required_argument, NULL, 'l' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 }
	};
	int c;

	*status = EX_USAGE;
	o->limit = LIMIT_DEFAULT;
	while ((c = getopt_long(argc, argv, "hc:l:", longs, NULL)) != -1)
		switch (c) {
		case 'c':
			o->conf = optarg;
			break;
		case 'l':
			if (num_parse_duration(slice_of(optarg), 1, 86400,
			    &o->limit) == -1) {
				fprintf(stderr, "malle-queue-run: --limit %s: "
				    "write 1 to 86400 seconds\n", optarg);
				return -1;
			}
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

/* Runs libexec/name with a descriptor named "queue", and one named "auth" when
 * auth is not -1. Its pid, or -1. */
static pid_t
run_helper(const struct conf *c, const char *name, const char *conf, int queue,
    int auth)
{
	char path[1200], fds[64];
	pid_t pid = fork();

	if (pid != 0)
		return pid;
	if (fcntl(queue, F_SETFD, 0) == -1 ||
	    (auth != -1 && fcntl(auth, F_SETFD, 0) == -1))
		_exit(EX_OSERR);
	snprintf(path, sizeof(path), "%s/%s", c->libexec, name);
	snprintf(fds, sizeof(fds), auth != -1 ? "queue=%d,auth=%d" :
	    "queue=%d", queue, auth);
	if (setenv("MALLE_FDS", fds, 1) == -1)
		_exit(EX_OSERR);
	if (conf != NULL)
		execl(path, name, "-c", conf, (char *)NULL);
	else
		execl(path, name, (char *)NULL);
	fprintf(stderr, "malle-queue-run: %s: %s\n", path, strerror(errno));
	_exit(EX_UNAVAILABLE);
}

/* The manager, in a process of its own. */
static int
run_manager(struct manager *q, uint64_t limit)
{
	int keep[2] = { q->spawn, q->bounce }, r;

	q->listener.fd = -1;
	if (fcntl(q->spawn, F_SETFL, O_NONBLOCK) == -1 ||
	    fcntl(q->bounce, F_SETFL, O_NONBLOCK) == -1)
		return EX_OSERR;
	if ((r = start_confined(q, keep, 2)) != 0)
		return r;
	q->is_one_pass = true;
	q->pass_start = q->now;
	q->pass_end = q->now + (int64_t)limit * 1000;
	manager_loop(q);
	printf("%ju delivered, %ju deferred, %ju failed, %u left\n",
	    (uintmax_t)q->delivered, (uintmax_t)q->deferred,
	    (uintmax_t)q->failed, q->index.count);
	fflush(stdout);
	return EX_OK;
}

/* The queue is somebody else's: malle-queued is asked to try all. */
static int
ask_daemon(const struct conf *c)
{
	static unsigned char space[IPC_MAX];
	struct queue_filter filter = { .id = "" };
	struct packer k;
	struct ipc_msg m;
	char path[1100];
	uint32_t touched;
	int fd;

	if (conf_path(c, "public/queue.sock", path, sizeof(path)) == -1 ||
	    (fd = queue_connect(path)) == -1) {
		fprintf(stderr, "malle-queue-run: another run works on this "
		    "queue; nothing done\n");
		return EX_TEMPFAIL;
	}
	ipc_timeout(fd, ASK_TIMEOUT);
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
	(void)unpack_u8(&m.body);
	touched = unpack_u32(&m.body);
	printf("malle-queued is running: it tries %u messages now\n", touched);
	return EX_OK;
}

static pid_t helpers[2] = { -1, -1 };

/* Ends what we have started, and nothing else; the hard way after a while. */
static void
stop_helpers(void)
{
	static const struct timespec pause = { 0, 20000000 };

	for (size_t i = 0; i < 2; i++) {
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
	int spawn[2], bounce[2], auth[2], status;
	pid_t pid;

	if (ipc_pair(spawn) == -1 || ipc_pair(bounce) == -1 ||
	    ipc_pair(auth) == -1)
		return EX_OSERR;
	q->spawn = spawn[0];
	q->bounce = bounce[0];
	q->remote_fd = -1;
	if ((pid = fork()) == 0)
		_exit(run_manager(q, o->limit));
	helpers[0] = run_helper(&q->conf, "malle-spawn", o->conf, spawn[1],
	    auth[1]);
	helpers[1] = run_helper(&q->conf, "malle-bounce", o->conf,
	    bounce[1], -1);
	/* Only now: a helper must not inherit a handler that swallows its end. */
	manager_pid = pid;
	signal(SIGTERM, on_term);
	signal(SIGINT, on_term);
	/* Whatever a helper that died has not read must show as lost. */
	close(spawn[1]);
	close(bounce[1]);
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
	return r == START_BUSY ? ask_daemon(&manager.conf) : r;
}
