/* start.c - starts and keeps every program of the service. */
/* SPDX-License-Identifier: ISC */
#include "tools/start.h"

#include <sys/prctl.h>
#include <sys/stat.h>

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "lib/log.h"

/*
 * Runs as: root, or anybody; then everything has the caller's uid.
 * Trusts: the configuration, and base with the folders of root in it. Reads
 * nothing that a client or a lesser uid has written but the one line that a
 * program says when it is ready, of which it keeps 79 printable bytes.
 * Order: folders, lock, ports, sockets, pairs, log, programs. Nothing is
 * started before all ports are ours.
 * Limits: it opens its descriptors once; a program that dies at once comes
 * back less and less often, every 30 s at last.
 */
#define READY_WAIT 60000	/* ms that the shell waits for all programs */

enum mode {
	MODE_START, MODE_FOREGROUND, MODE_STATUS, MODE_STOP, MODE_RELOAD,
	MODE_SETTINGS
};

static void
usage(FILE *f)
{
	fprintf(f, "usage: malle-start [-fh] [-c FILE]\n"
	    "       malle-start [-c FILE] --status | --stop | --reload | "
	    "--settings\n"
	    "  -c FILE    configuration, instead of " CONF_PATH "\n"
	    "  -f         stay in the foreground\n"
	    "  -h         this text\n"
	    "  --status   show what runs, and in which sandbox\n"
	    "  --stop     end all programs in order and wait for it\n"
	    "  --reload   have all programs read their configuration again\n"
	    "  --settings list every setting: name, default, meaning\n");
}

/* The mode; never comes back from a wrong command line. */
static enum mode
parse(int argc, char **argv, const char **conf)
{
	static const struct option longs[] = {
		{ "status", no_argument, NULL, MODE_STATUS },
		{ "stop", no_argument, NULL, MODE_STOP },
		{ "reload", no_argument, NULL, MODE_RELOAD },
		{ "settings", no_argument, NULL, MODE_SETTINGS },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 }
	};
	enum mode mode = MODE_START;
	int ch;

	while ((ch = getopt_long(argc, argv, "c:fh", longs, NULL)) != -1) {
		if (ch == 'c')
			*conf = optarg;
		else if (ch == 'f')
			mode = MODE_FOREGROUND;
		else if (ch == 'h') {
			usage(stdout);
			exit(EX_OK);
		} else if (ch == '?')
			exit((usage(stderr), EX_USAGE));
		else
			mode = (enum mode)ch;
	}
	if (optind != argc)
		exit((usage(stderr), EX_USAGE));
	return mode;
}

/* In the shell's process: waits until the service is ready, and ends. */
__attribute__((noreturn)) static void
await_ready(int fd, const char *conf)
{
	struct pollfd p = { fd, POLLIN, 0 };
	char byte;
	int n = poll(&p, 1, READY_WAIT);

	if (n == 1 && read(fd, &byte, 1) == 1)
		_exit(EX_OK);
	if (n == 1)
		warnx("could not start: see the log");
	else
		warnx("started, but not all programs are ready after a minute: "
		    "see the log, and malle-start -c %s --status", conf);
	_exit(n == 1 ? EX_UNAVAILABLE : EX_TEMPFAIL);
}

/* Goes into the background; the parent waits for our word. 0 or -1. */
static int
detach(struct start *s)
{
	int fd[2];
	pid_t pid;

	if (pipe2(fd, O_CLOEXEC) == -1)
		return -1;
	if ((pid = fork()) == -1)
		return -1;
	if (pid > 0) {
		close(fd[1]);
		await_ready(fd[0], s->conf_path);
	}
	close(fd[0]);
	s->parent_fd = fd[1];
	return setsid() == -1 ? -1 : 0;
}

/* Standard input and output lead nowhere; no descriptor below 3 is free. */
static int
close_standard(bool in_and_out)
{
	int fd;

	do {
		if ((fd = open("/dev/null", O_RDWR | O_CLOEXEC)) == -1)
			return -1;
	} while (fd < 3);
	if (in_and_out && (dup2(fd, 0) == -1 || dup2(fd, 1) == -1))
		return -1;
	close(fd);
	return 0;
}

static int
supervise(struct start *s, enum mode mode)
{
	umask(022);
	signal(SIGPIPE, SIG_IGN);
	if (close_standard(false) == -1)
		err(EX_OSERR, "/dev/null");
	if ((s->basefd = folders_make(&s->conf)) == -1)
		return EX_CONFIG;
	if ((s->lockfd = state_lock(s->basefd)) == -1)
		return EX_UNAVAILABLE;
	if (plan_make(s) == -1) {
		state_remove(s);
		return EX_UNAVAILABLE;
	}
	/* The shell's process keeps its own standard error. */
	if (mode == MODE_START && detach(s) == -1)
		err(EX_OSERR, "cannot go into the background");
	if (state_begin(s) == -1)
		err(EX_OSERR, START_PID_FILE);
	if (log_redirect(s) == -1)
		return EX_CANTCREAT;
	if (close_standard(true) == -1 || chdir("/") == -1)
		return EX_OSERR;
	/* Sessions whose listener has died become our children, not init's. */
	prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
	if (geteuid() != 0)
		log_notice(NULL, "separation", "off=uid,chroot uid=%u "
		    "reason=\"not started by root: every program runs under "
		    "this uid\"", (unsigned)geteuid());
	return start_loop(s);
}

int
main(int argc, char **argv)
{
	static struct start s = { .parent_fd = -1 };
	const char *conf = CONF_PATH;
	enum mode mode;

	log_open("malle-start");
	mode = parse(argc, argv, &conf);
	if (mode == MODE_SETTINGS) {
		conf_describe(stdout);
		return EX_OK;
	}
	if (realpath(conf, s.conf_path) == NULL)
		err(EX_NOINPUT, "%s", conf);
	if (conf_load(&s.conf, s.conf_path, stderr) == -1)
		return EX_CONFIG;
	switch (mode) {
	case MODE_STATUS:
		return state_show(&s.conf);
	case MODE_STOP:
		return state_stop(&s.conf);
	case MODE_RELOAD:
		return state_reload(&s.conf);
	case MODE_START:
	case MODE_FOREGROUND:
	case MODE_SETTINGS:
		break;
	}
	return supervise(&s, mode);
}
