/* killer.c - kills a program at its Nth system call, or makes that call fail. */
/* SPDX-License-Identifier: ISC */

/*
 * The tool of the crash tests: attaches to a running process (its threads, and
 * with -f its future children), counts the system calls that they enter from
 * then on, and at the Nth one kills that process before the call is made, or
 * lets the call fail with an error of our choice. Without -n it only counts.
 *
 * Prints "ready" once attached, then one line a counted call with -v, and at the
 * end "calls COUNT" or "hit N NAME pid PID". Runs as: root, or the process's uid.
 */

#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/types.h>
#include <sys/user.h>
#include <sys/wait.h>

#include <dirent.h>
#include <err.h>
#include <errno.h>
#include <linux/ptrace.h>
#include <seccomp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "lib/num.h"

#define CALLS_MAX 64

struct killer {
	pid_t pid;
	bool follow, verbose;
	uint64_t at;		/* 0: only count */
	uint64_t times;		/* how many calls fail from there on */
	int error;		/* 0: kill */
	int calls[CALLS_MAX];	/* only these count; none: all */
	size_t ncalls;
	uint64_t count;
	bool hit;
};

/* Tracees whose call was skipped: its result is put in at the exit. */
static pid_t skipped[1024];
static size_t nskipped;

static volatile sig_atomic_t stop;

static void
on_signal(int number)
{
	static const struct itimerval again = { { 0, 10000 }, { 0, 10000 } };

	(void)number;
	stop = 1;
	/* It may have come right before the wait. */
	setitimer(ITIMER_REAL, &again, NULL);
}

static bool
counts(const struct killer *k, uint64_t call)
{
	if (k->ncalls == 0)
		return true;
	for (size_t i = 0; i < k->ncalls; i++)
		if ((uint64_t)k->calls[i] == call)
			return true;
	return false;
}

static void
print_call(const struct killer *k, const char *what, pid_t pid, uint64_t call)
{
	char *name = seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE,
	    (int)call);

	printf("%s %ju %s pid %d\n", what, (uintmax_t)k->count,
	    name != NULL ? name : "?", (int)pid);
	fflush(stdout);
	free(name);
}

/* The process that a thread belongs to. */
static pid_t
process_of(pid_t tid)
{
	char path[64], line[128];
	pid_t pid = tid;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)tid);
	if ((f = fopen(path, "r")) == NULL)
		return tid;
	while (fgets(line, sizeof(line), f) != NULL) {
		uint64_t n;

		if (strncmp(line, "Tgid:\t", 6) == 0 && num_parse(
		    slice_trim(slice_of(line + 6)), 1, INT32_MAX, &n) == 0)
			pid = (pid_t)n;
	}
	fclose(f);
	return pid;
}

static void
skip_call(pid_t tid)
{
	struct user_regs_struct regs;

	if (ptrace(PTRACE_GETREGS, tid, 0, &regs) == -1)
		return;
	regs.orig_rax = (unsigned long long)-1;
	if (ptrace(PTRACE_SETREGS, tid, 0, &regs) == 0 &&
	    nskipped < sizeof(skipped) / sizeof(skipped[0]))
		skipped[nskipped++] = tid;
}

/* True when this exit belongs to a call that was skipped. */
static bool
was_skipped(pid_t tid)
{
	for (size_t i = 0; i < nskipped; i++) {
		if (skipped[i] == tid) {
			skipped[i] = skipped[--nskipped];
			return true;
		}
	}
	return false;
}

static void
put_result(const struct killer *k, pid_t tid)
{
	struct user_regs_struct regs;

	if (ptrace(PTRACE_GETREGS, tid, 0, &regs) == -1)
		return;
	regs.rax = (unsigned long long)-(long long)k->error;
	ptrace(PTRACE_SETREGS, tid, 0, &regs);
}

static void
on_entry(struct killer *k, pid_t tid, uint64_t call)
{
	if (!counts(k, call))
		return;
	k->count++;
	if (k->verbose)
		print_call(k, "call", tid, call);
	if (k->at == 0 || k->count < k->at || k->count >= k->at + k->times)
		return;
	if (!k->hit)
		print_call(k, "hit", process_of(tid), call);
	k->hit = true;
	if (k->error != 0)
		skip_call(tid);
	else
		kill(process_of(tid), SIGKILL);
}

static void
on_syscall_stop(struct killer *k, pid_t tid)
{
	struct ptrace_syscall_info info;

	if (ptrace(PTRACE_GET_SYSCALL_INFO, tid, sizeof(info), &info) <= 0)
		return;
	if (info.op == PTRACE_SYSCALL_INFO_ENTRY)
		on_entry(k, tid, info.entry.nr);
	else if (info.op == PTRACE_SYSCALL_INFO_EXIT && was_skipped(tid))
		put_result(k, tid);
}

/* What a stopped tracee wants; the signal to deliver to it, or 0. */
static int
on_stop(struct killer *k, pid_t tid, int status)
{
	int number = WSTOPSIG(status), event = status >> 16;

	if (number == (SIGTRAP | 0x80)) {
		on_syscall_stop(k, tid);
		return 0;
	}
	if (event != 0)
		return 0;
	return number == SIGTRAP ? 0 : number;
}

static int
trace(struct killer *k)
{
	for (;;) {
		int status, give;
		pid_t tid = waitpid(-1, &status, __WALL);

		/* What it holds is let go when it ends. */
		if (stop || (k->hit && k->error == 0))
			break;
		if (tid == -1 && errno == EINTR)
			continue;
		if (tid == -1)		/* nobody is left */
			break;
		if (!WIFSTOPPED(status))
			continue;
		give = on_stop(k, tid, status);
		ptrace(PTRACE_SYSCALL, tid, 0, (void *)(intptr_t)give);
	}
	if (!k->hit)
		printf("calls %ju\n", (uintmax_t)k->count);
	return k->at == 0 || k->hit ? 0 : 1;
}

static int
seize(const struct killer *k, pid_t tid)
{
	long options = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACECLONE;

	if (k->follow)
		options |= PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK |
		    PTRACE_O_TRACEEXEC;
	if (ptrace(PTRACE_SEIZE, tid, 0, (void *)options) == -1)
		return -1;
	return (int)ptrace(PTRACE_INTERRUPT, tid, 0, 0);
}

static void
attach(const struct killer *k)
{
	char path[64];
	struct dirent *e;
	DIR *d;

	snprintf(path, sizeof(path), "/proc/%d/task", (int)k->pid);
	if ((d = opendir(path)) == NULL)
		err(EX_NOINPUT, "%s", path);
	while ((e = readdir(d)) != NULL) {
		uint64_t tid;

		if (num_parse(slice_of(e->d_name), 1, INT32_MAX, &tid) == -1)
			continue;
		if (seize(k, (pid_t)tid) == -1)
			err(EX_NOPERM, "attaching to %s", e->d_name);
	}
	closedir(d);
	puts("ready");
	fflush(stdout);
}

static void
usage(void)
{
	fprintf(stderr, "usage: killer [-fv] [-c call,call...] [-n N "
	    "[-e errno [-t times]]] pid\n");
	exit(EX_USAGE);
}

static uint64_t
number(const char *text)
{
	uint64_t n;

	if (num_parse(slice_of(text), 1, INT32_MAX, &n) == -1)
		errx(EX_USAGE, "%s: not a number above 0", text);
	return n;
}

static void
choose_calls(struct killer *k, const char *list)
{
	struct slice rest = slice_of(list);

	while (rest.p != NULL) {
		char name[64];
		int call;

		if (k->ncalls == CALLS_MAX || slice_to_cstr(
		    slice_cut(&rest, ','), name, sizeof(name)) == -1)
			errx(EX_USAGE, "%s: too many calls", list);
		call = seccomp_syscall_resolve_name(name);
		if (call == __NR_SCMP_ERROR)
			errx(EX_USAGE, "%s: no such system call", name);
		k->calls[k->ncalls++] = call;
	}
}

int
main(int argc, char **argv)
{
	struct killer k = { .times = 1 };
	struct sigaction sa = { .sa_handler = on_signal };
	int c;

	while ((c = getopt(argc, argv, "fvc:n:e:t:")) != -1) {
		switch (c) {
		case 'f': k.follow = true; break;
		case 'v': k.verbose = true; break;
		case 'c': choose_calls(&k, optarg); break;
		case 'n': k.at = number(optarg); break;
		case 'e': k.error = (int)number(optarg); break;
		case 't': k.times = number(optarg); break;
		default: usage();
		}
	}
	if (optind + 1 != argc)
		usage();
	k.pid = (pid_t)number(argv[optind]);
	sigaction(SIGTERM, &sa, NULL);
	sigaction(SIGINT, &sa, NULL);
	sigaction(SIGALRM, &sa, NULL);
	attach(&k);
	return trace(&k);
}
