/* hooks_run.c - runs one program over one change, and waits for it. */
/* SPDX-License-Identifier: ISC */
/*
 * The change is a file in memory on descriptor 0, so nobody waits for a program
 * that does not read; its output is taken and thrown away but for its first
 * bytes, so it may write without end. It has a session of its own: whatever it
 * leaves behind there ends with it.
 * Limits: the time it is given, as seconds of CPU too; MEMORY, FILES, FILE_SIZE,
 * and PROCESSES when its uid is nobody else's.
 */
#include "tools/hooks.h"

#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/fsx.h"

#define MEMORY (1u << 30)
#define FILES 256
#define FILE_SIZE (64u << 20)
#define PROCESSES 128
#define GRACE 2000		/* ms between SIGTERM and SIGKILL */

static void
limit(int what, rlim_t value)
{
	struct rlimit l = { value, value };

	(void)setrlimit(what, &l);
}

/* The change as a file to read. The descriptor, or -1. */
static int
memory_file(struct slice bytes)
{
	int fd = memfd_create("change", MFD_CLOEXEC);

	if (fd == -1)
		return -1;
	if (fsx_write_all(fd, bytes.p, bytes.len) == -1 ||
	    lseek(fd, 0, SEEK_SET) == -1) {
		close(fd);
		return -1;
	}
	return fd;
}

/* In the child. It never returns. */
__attribute__((noreturn)) static void
become(const struct hook_run *r, const char *name, const struct change *change,
    int in, int out)
{
	char path[1200], id[64], home[1200];
	char *argv[] = { path, NULL };
	char search[] = "PATH=/usr/local/bin:/usr/bin:/bin";
	char lang[] = "LANG=C.UTF-8";
	char *env[] = { search, lang, home, id, NULL };
	sigset_t none;

	snprintf(path, sizeof(path), "%s/%s", r->folder, name);
	snprintf(home, sizeof(home), "HOME=%s", r->work);
	snprintf(id, sizeof(id), "MALLE_CHANGE=%ju", (uintmax_t)change->id);
	setsid();
	if (dup2(in, 0) == -1 || dup2(out, 1) == -1 || dup2(out, 2) == -1 ||
	    close_range(3, ~0U, 0) == -1 || chdir(r->work) == -1)
		_exit(127);
	limit(RLIMIT_CPU, (rlim_t)(r->milliseconds / 1000 + 1));
	limit(RLIMIT_AS, MEMORY);
	limit(RLIMIT_NOFILE, FILES);
	limit(RLIMIT_FSIZE, FILE_SIZE);
	limit(RLIMIT_CORE, 0);
	if (r->is_separate)
		limit(RLIMIT_NPROC, PROCESSES);
	(void)!nice(10);
	signal(SIGPIPE, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	execve(path, argv, env);
	_exit(127);
}

/* Takes what there is of the output. False when there will be no more. */
static bool
drain(int fd, struct hook_outcome *out, size_t *len)
{
	char bytes[16384];
	ssize_t n = read(fd, bytes, sizeof(bytes));
	size_t room = HOOK_OUTPUT - *len, take;

	if (n <= 0)
		return n == -1 && (errno == EINTR || errno == EAGAIN);
	take = (size_t)n < room ? (size_t)n : room;
	memcpy(out->output + *len, bytes, take);
	*len += take;
	out->output[*len] = '\0';
	return true;
}

/*
 * Until it has ended, by itself or by us. p: its end, its output, what ends us.
 */
static void
wait_for(const struct hook_run *r, pid_t pid, struct pollfd *p,
    struct hook_outcome *out)
{
	int64_t begun = clock_ms(), end = begun + r->milliseconds, now;
	size_t len = 0;
	int told = 0;

	for (;;) {
		now = clock_ms();
		if (told == 0 && now >= end) {
			/* Not if it is we who are to end. */
			if (out->result == HOOK_ENDED)
				out->result = HOOK_TOO_LONG;
			told = SIGTERM;
		} else if (told == SIGTERM && now >= end)
			told = SIGKILL;
		else
			goto look;
		kill(-pid, told);
		end = now + GRACE;
look:
		if (poll(p, 3, end > now ? (int)(end - now) : 0) == -1 &&
		    errno != EINTR)
			break;
		if (p[1].revents != 0 && !drain(p[1].fd, out, &len))
			p[1].fd = -1;
		if (p[2].revents != 0) {
			out->result = HOOK_STOPPED;
			p[2].fd = -1;
			end = 0;
		}
		if (p[0].revents != 0)
			break;
	}
	/* What it left behind has nobody to wait for it. */
	kill(-pid, SIGKILL);
	while (p[1].fd != -1 && len < HOOK_OUTPUT &&
	    poll(&p[1], 1, 0) == 1 && drain(p[1].fd, out, &len))
		;
	out->milliseconds = clock_ms() - begun;
}

static void
take_status(pid_t pid, struct hook_outcome *out)
{
	int status = 0;

	while (waitpid(pid, &status, 0) == -1 && errno == EINTR)
		;
	if (out->result != HOOK_ENDED)
		return;
	if (WIFSIGNALED(status)) {
		out->result = HOOK_KILLED;
		out->status = WTERMSIG(status);
	} else
		out->status = WEXITSTATUS(status);
}

void
hook_run(const struct hook_run *r, const char *name,
    const struct change *change, struct hook_outcome *out)
{
	int in = memory_file(str_slice(&change->json)), fd[2] = { -1, -1 };
	int pidfd = -1;
	pid_t pid = -1;

	memset(out, 0, sizeof(*out));
	if (in != -1 && pipe2(fd, O_CLOEXEC) == 0 && (pid = fork()) == 0)
		become(r, name, change, in, fd[1]);
	if (pid > 0)
		pidfd = pidfd_open(pid, 0);
	if (pidfd == -1) {
		out->result = HOOK_NOT_RUN;
		out->status = errno;
		if (pid > 0) {
			kill(pid, SIGKILL);
			(void)waitpid(pid, NULL, 0);
		}
	} else {
		struct pollfd p[3] = {
			{ .fd = pidfd, .events = POLLIN },
			{ .fd = fd[0], .events = POLLIN },
			{ .fd = r->signals, .events = POLLIN },
		};

		close(fd[1]);
		fd[1] = -1;
		wait_for(r, pid, p, out);
		take_status(pid, out);
		close(pidfd);
	}
	/* Those that it left behind and that became ours. */
	while (waitpid(-1, NULL, WNOHANG) > 0)
		;
	for (size_t i = 0; i < 2; i++)
		if (fd[i] != -1)
			close(fd[i]);
	if (in != -1)
		close(in);
}
