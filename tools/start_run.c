/* start_run.c - starts one program, hears it, sees it end. */
/* SPDX-License-Identifier: ISC */
#include "tools/start.h"

#include <sys/prctl.h>
#include <sys/wait.h>

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/buf.h"
#include "lib/log.h"
#include "lib/num.h"

#define PAUSE_FIRST 100		/* ms before the first restart */
#define GOOD_RUN 60000		/* after this the pause is the first again */
#define FDS_ABOVE 200		/* higher than any place that a program is given */
#define ENV_MAX 16

/* What of our environment is passed on; the last ones are for tests. */
static const char *const passed[] = { "LANG", "LC_ALL", "TZ", "MALLE_LOG",
	"MALLE_SANDBOX_DENY", "ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS" };

/* Puts the descriptors where MALLE_FDS says that they are. 0 or -1. */
static int
place_fds(const int *fds, size_t n)
{
	int high[SERVICE_FDS_MAX + 1];

	for (size_t i = 0; i < n; i++) {
		high[i] = fcntl(fds[i], F_DUPFD_CLOEXEC, FDS_ABOVE);
		if (high[i] == -1)
			return -1;
	}
	for (size_t i = 0; i < n; i++) {
		if (dup2(high[i], (int)i + 3) == -1)
			return -1;
	}
	return 0;
}

/* In the child: becomes the program, or ends with a line in the log. */
__attribute__((noreturn)) static void
become(const struct start *s, const struct service *v, int ready, pid_t parent)
{
	char path[2048], program[64], option[] = "-c", conf[4096], fds[2048];
	char *argv[] = { program, option, conf, NULL };
	char *env[ENV_MAX], *old;
	int numbers[SERVICE_FDS_MAX + 1];
	size_t n = 0, len = 0;
	sigset_t none;

	snprintf(path, sizeof(path), "%s/%s", s->conf.libexec, v->program);
	snprintf(program, sizeof(program), "%s", v->program);
	snprintf(conf, sizeof(conf), "%s", s->conf_path);
	len = (size_t)snprintf(fds, sizeof(fds), "MALLE_FDS=ready=3");
	numbers[0] = ready;
	for (size_t i = 0; i < v->nfds; i++) {
		len += (size_t)snprintf(fds + len, sizeof(fds) - len,
		    ",%s=%zu", v->fds[i].name, i + 4);
		numbers[i + 1] = v->fds[i].fd;
	}
	env[n++] = (char[]){ "PATH=/usr/sbin:/usr/bin:/sbin:/bin" };
	env[n++] = fds;
	for (size_t i = 0; i < sizeof(passed) / sizeof(passed[0]); i++) {
		if ((old = getenv(passed[i])) != NULL)
			env[n++] = old - strlen(passed[i]) - 1;
	}
	env[n] = NULL;
	setpgid(0, 0);
	/* Until it changes its uid; from proc_ready() on it has its own. */
	prctl(PR_SET_PDEATHSIG, SIGTERM, 0, 0, 0);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (getppid() == parent && place_fds(numbers, v->nfds + 1) == 0)
		execve(path, argv, env);
	log_error(NULL, "start-failed", "program=%s reason=%s todo=\"see "
	    "whether %s is the right libexec in the configuration\"",
	    v->program, LOGS(strerror(errno)), s->conf.libexec);
	_exit(127);
}

int
service_start(struct start *s, struct service *v)
{
	pid_t parent = getpid();
	int fd[2];

	if (v->ready_fd != -1)
		close(v->ready_fd);
	v->ready_fd = -1;
	if (pipe2(fd, O_CLOEXEC | O_NONBLOCK) == -1)
		return -1;
	v->pid = fork();
	if (v->pid == 0)
		become(s, v, fd[1], parent);
	close(fd[1]);
	if (v->pid == -1) {
		v->pid = 0;
		close(fd[0]);
		return -1;
	}
	v->ready_fd = fd[0];
	v->is_ready = false;
	v->told_hup = v->owed_hup = false;
	v->sandbox[0] = '\0';
	v->since = time(NULL);
	v->started = clock_ms();
	log_info(NULL, "started", "program=%s pid=%d", v->program,
	    (int)v->pid);
	return 0;
}

void
service_hear(struct service *v)
{
	char line[sizeof(v->sandbox)];
	ssize_t n = read(v->ready_fd, line, sizeof(line) - 1);

	if (n == -1 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n > 0) {
		line[n] = '\0';
		line[strcspn(line, "\n")] = '\0';
		for (char *p = line; *p != '\0'; p++) {
			if (!isgraph((unsigned char)*p))
				*p = ' ';
		}
		memcpy(v->sandbox, line, sizeof(line));
		v->is_ready = true;
	}
	close(v->ready_fd);
	v->ready_fd = -1;
}

static void
say_end(const struct start *s, const struct service *v, int status, int64_t ran)
{
	bool well = WIFEXITED(status) && WEXITSTATUS(status) == 0;
	enum log_level level = s->stopping && well ? LOG_INFO_ : LOG_ERROR_;
	const char *how = WIFSIGNALED(status) ? "signal" : "status";
	int number = WIFSIGNALED(status) ? WTERMSIG(status) :
	    WEXITSTATUS(status);

	log_event(level, NULL, "ended", "program=%s pid=%d %s=%d ran=%lld.%llds",
	    v->program, (int)v->pid, how, number, (long long)(ran / 1000),
	    (long long)(ran % 1000 / 100));
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS)
		log_error(NULL, "sandbox-violation", "program=%s", v->program);
}

/* Its sessions may go on: remembers them, forgets groups that are empty. */
static void
keep_orphans(struct start *s, const struct service *v)
{
	size_t n = 0;

	for (size_t i = 0; i < s->norphans; i++) {
		if (children_signal(0, s->orphans[i].group) > 0)
			s->orphans[n++] = s->orphans[i];
	}
	s->norphans = n;
	if (n < ORPHANS_MAX && children_signal(0, v->pid) > 0)
		s->orphans[s->norphans++] =
		    (struct orphans){ v->pid, v->stop_step };
}

void
service_ended(struct start *s, struct service *v, int status)
{
	int64_t now = clock_ms(), ran = now - v->started;
	int64_t most = (int64_t)s->conf.restart_pause_max * 1000;
	bool anew = v->told_hup && WIFEXITED(status) &&
	    WEXITSTATUS(status) == 0;

	if (!anew)
		say_end(s, v, status, ran);
	keep_orphans(s, v);
	v->pid = 0;
	v->is_ready = false;
	if (v->ready_fd != -1)
		close(v->ready_fd);
	v->ready_fd = -1;
	if (s->stopping)
		return;
	v->due = now;
	if (anew)
		return;
	if (ran >= GOOD_RUN || v->pause == 0)
		v->pause = PAUSE_FIRST < most ? PAUSE_FIRST : most;
	v->due += v->pause;
	v->restarts++;
	log_notice(NULL, "restart", "program=%s in=%lld.%llds", v->program,
	    (long long)(v->pause / 1000), (long long)(v->pause % 1000 / 100));
	v->pause = v->pause * 2 < most ? v->pause * 2 : most;
}

/* True for a child of ours, of that group (0: any): fields 4 and 5 of
 * /proc/PID/stat, behind a name that may have anything in it. */
static bool
is_child(int proc, const char *pid, pid_t group)
{
	char path[64], stat[512], *p;
	int parent, its;
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "%.20s/stat", pid);
	if ((fd = openat(proc, path, O_RDONLY | O_CLOEXEC)) == -1)
		return false;
	n = read(fd, stat, sizeof(stat) - 1);
	close(fd);
	if (n <= 0)
		return false;
	stat[n] = '\0';
	return (p = strrchr(stat, ')')) != NULL &&
	    sscanf(p + 1, " %*c %d %d", &parent, &its) == 2 &&
	    parent == getpid() && (group == 0 || its == group);
}

size_t
children_signal(int sig, pid_t group)
{
	struct dirent *e;
	siginfo_t info;
	uint64_t pid;
	size_t n = 0;
	DIR *d;

	/* Mostly there is none, which need not be looked for. */
	if (waitid(group == 0 ? P_ALL : P_PGID, (id_t)group, &info,
	    WEXITED | WNOHANG | WNOWAIT) == -1 && errno == ECHILD)
		return 0;
	d = opendir("/proc");
	while (d != NULL && (e = readdir(d)) != NULL) {
		if (num_parse(slice_of(e->d_name), 1, INT32_MAX, &pid) == -1 ||
		    !is_child(dirfd(d), e->d_name, group))
			continue;
		/* A child of ours keeps its pid until we have waited for it. */
		if (kill((pid_t)pid, sig) == 0)
			n++;
	}
	if (d != NULL)
		closedir(d);
	return n;
}
