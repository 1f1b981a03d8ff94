/* once.c - runs one test and ends whatever it leaves behind. */
/* SPDX-License-Identifier: ISC */

/*
 * usage: once SECONDS PROGRAM [ARGUMENT ...]
 *
 * A process that outlives its test would hold the test's standard output, for
 * which the harness waits, and would be in the way of the next test. So all
 * descendants belong to this program: what is still there some seconds after the
 * test has ended is named on standard error, killed, and makes the test fail.
 * So does a test that takes longer than SECONDS. Exits as the test does.
 */

#include <sys/prctl.h>
#include <sys/wait.h>

#include <err.h>
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "lib/num.h"

#define GRACE_SECONDS 5

/* Names the children that are left, and kills them. */
static void
end_children(void)
{
	char path[64], name[64];
	long pid;
	FILE *list, *comm;

	snprintf(path, sizeof(path), "/proc/self/task/%ld/children",
	    (long)getpid());
	if ((list = fopen(path, "re")) == NULL)
		err(EX_OSERR, "cannot see what is left behind: %s", path);
	while (fscanf(list, "%ld", &pid) == 1) {
		snprintf(path, sizeof(path), "/proc/%ld/comm", pid);
		comm = fopen(path, "re");
		if (comm == NULL || fscanf(comm, "%63s", name) != 1)
			snprintf(name, sizeof(name), "?");
		if (comm != NULL)
			fclose(comm);
		warnx("left behind: process %ld, %s: killed", pid, name);
		kill((pid_t)pid, SIGKILL);
	}
	fclose(list);
}

/* Reaps until nothing is left (true) or the time is over. The test's own wait
 * status goes to *status, and with it the wait ends early if only is true. */
static bool
reap(pid_t test, time_t seconds, bool only, int *status)
{
	struct timespec now, rest = { 0, 100000000 };
	sigset_t child;
	time_t end;
	pid_t pid;
	int st;

	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	clock_gettime(CLOCK_MONOTONIC, &now);
	end = now.tv_sec + seconds;
	for (;;) {
		while ((pid = waitpid(-1, &st, WNOHANG)) > 0) {
			if (pid != test)
				continue;
			*status = st;
			if (only)
				return true;
		}
		if (pid == -1 && errno == ECHILD)
			return true;
		clock_gettime(CLOCK_MONOTONIC, &now);
		if (now.tv_sec >= end)
			return false;
		sigtimedwait(&child, NULL, &rest);
	}
}

static pid_t
start(char **argv)
{
	sigset_t child;
	pid_t pid;

	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	sigprocmask(SIG_BLOCK, &child, NULL);
	if (prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == -1)
		err(EX_OSERR, "cannot adopt what the test leaves behind");
	if ((pid = fork()) == -1)
		err(EX_OSERR, "cannot start a process");
	if (pid > 0)
		return pid;
	sigprocmask(SIG_UNBLOCK, &child, NULL);
	execv(argv[0], argv);
	err(127, "cannot run %s", argv[0]);
}

int
main(int argc, char **argv)
{
	bool clean = true;
	uint64_t seconds;
	int status = 0;
	pid_t test;

	if (argc < 3 || num_parse(slice_of(argv[1]), 1, 86400, &seconds) == -1)
		errx(EX_USAGE, "usage: once SECONDS PROGRAM [ARGUMENT ...]");
	test = start(argv + 2);
	if (!reap(test, (time_t)seconds, true, &status)) {
		warnx("%s: not done after %s seconds", argv[2], argv[1]);
		kill(test, SIGKILL);
		clean = false;
	}
	while (!reap(test, clean ? GRACE_SECONDS : 1, false, &status)) {
		end_children();
		clean = false;
	}
	if (WIFSIGNALED(status))
		return 128 + WTERMSIG(status);
	if (WEXITSTATUS(status) != 0)
		return WEXITSTATUS(status);
	return clean ? 0 : EX_SOFTWARE;
}
