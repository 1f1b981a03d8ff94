/* proc.c - how a program of ours starts: descriptors, uid, root, limits. */
/* SPDX-License-Identifier: ISC */

#include "lib/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/log.h"
#include "lib/num.h"

#define FDS_MAX 64

/* Which entries of MALLE_FDS were given out. */
static bool given[FDS_MAX];

int
proc_fd(const char *name)
{
	const char *env = getenv("MALLE_FDS");
	struct slice rest;
	uint64_t fd;

	if (env == NULL)
		return -1;
	rest = slice_of(env);
	for (size_t i = 0; rest.p != NULL && i < FDS_MAX; i++) {
		struct slice value = slice_cut(&rest, ',');
		struct slice key = slice_cut(&value, '=');

		if (given[i] || !slice_eq(key, slice_of(name)))
			continue;
		if (value.p == NULL || num_parse(value, 3, 65535, &fd) == -1 ||
		    fcntl((int)fd, F_SETFD, FD_CLOEXEC) == -1)
			return -1;
		given[i] = true;
		return (int)fd;
	}
	return -1;
}

static int
compare_fds(const void *a, const void *b)
{
	const int *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

int
proc_close_others(const int *keep, size_t n)
{
	const char *env = getenv("MALLE_FDS");
	struct slice rest = env == NULL ? (struct slice){ NULL, 0 } :
	    slice_of(env);
	int fds[2 * FDS_MAX], low = 3;
	size_t nfds = 0;
	uint64_t fd;

	(void)proc_ready_fd();	/* given out from now on, hence kept */
	for (size_t i = 0; rest.p != NULL && i < FDS_MAX; i++) {
		struct slice value = slice_cut(&rest, ',');

		slice_cut(&value, '=');
		if (given[i] && value.p != NULL &&
		    num_parse(value, 3, 65535, &fd) == 0)
			fds[nfds++] = (int)fd;
	}
	if (n > FDS_MAX) {
		errno = E2BIG;
		return -1;
	}
	for (size_t i = 0; i < n; i++)
		if (keep[i] >= 3)
			fds[nfds++] = keep[i];
	qsort(fds, nfds, sizeof(fds[0]), compare_fds);
	for (size_t i = 0; i < nfds; i++) {
		if (fds[i] > low && close_range((unsigned)low,
		    (unsigned)fds[i] - 1, 0) == -1)
			return -1;
		low = fds[i] + 1;
	}
	return close_range((unsigned)low, ~0U, 0);
}

/* "UID" or "UID:GID". */
static int
parse_numbers(const char *user, uid_t *uid, gid_t *gid)
{
	struct slice rest = slice_of(user), first = slice_cut(&rest, ':');
	uint64_t u, g;

	if (num_parse(first, 0, UINT32_MAX - 1, &u) == -1)
		return -1;
	g = u;
	if (rest.p != NULL && num_parse(rest, 0, UINT32_MAX - 1, &g) == -1)
		return -1;
	*uid = (uid_t)u;
	*gid = (gid_t)g;
	return 0;
}

int
proc_user(const char *user, uid_t *uid, gid_t *gid)
{
	struct passwd *pw;
	FILE *f;
	int r = -1;

	if (parse_numbers(user, uid, gid) == 0)
		return 0;
	/* Not getpwnam(3): NSS cannot be linked statically. */
	if ((f = fopen("/etc/passwd", "re")) == NULL)
		return -1;
	while (r == -1 && (pw = fgetpwent(f)) != NULL) {
		if (strcmp(pw->pw_name, user) == 0) {
			*uid = pw->pw_uid;
			*gid = pw->pw_gid;
			r = 0;
		}
	}
	fclose(f);
	if (r == -1)
		errno = ENOENT;
	return r;
}

gid_t
proc_group(const char *name)
{
	FILE *f = fopen("/etc/group", "re");
	gid_t gid = (gid_t)-1;
	struct group *g;

	if (f == NULL)
		return gid;
	while (gid == (gid_t)-1 && (g = fgetgrent(f)) != NULL)
		if (strcmp(g->gr_name, name) == 0)
			gid = g->gr_gid;
	fclose(f);
	return gid;
}

static int
limit(int which, uint64_t value)
{
	struct rlimit l;

	if (getrlimit(which, &l) == -1)
		return -1;
	if (l.rlim_max != RLIM_INFINITY && value > l.rlim_max)
		value = l.rlim_max;
	l.rlim_cur = l.rlim_max = value;
	return setrlimit(which, &l);
}

/* A log that is a file grows past any limit: then the sandbox alone says that
 * no other file is written. */
static int
limit_file_size(const struct proc_limits *l)
{
	struct stat st;

	if (l->file_size == 0 ||
	    (fstat(STDERR_FILENO, &st) == 0 && S_ISREG(st.st_mode)))
		return 0;
	return limit(RLIMIT_FSIZE,
	    l->file_size == PROC_NO_FILES ? 0 : l->file_size);
}

static int
set_limits(const struct proc_limits *l)
{
	if (limit(RLIMIT_CORE, 0) == -1)
		return -1;
	if (l == NULL)
		return 0;
#ifndef SANITIZED	/* the shadow memory of ASan is terabytes */
	if (l->memory != 0 && limit(RLIMIT_AS, l->memory) == -1)
		return -1;
#endif
	if (l->files != 0 && limit(RLIMIT_NOFILE, l->files) == -1)
		return -1;
	return limit_file_size(l);
}

/* Last, as the new uid's processes count from here on. */
static int
set_process_limit(const struct proc_limits *l)
{
	if (l == NULL || l->processes == 0)
		return 0;
	return limit(RLIMIT_NPROC,
	    l->processes == PROC_NO_FORK ? 0 : l->processes);
}

#ifdef SANITIZED
/* LeakSanitizer reads /proc and traces: a confined process can do neither, and
 * would end with an error. Until then it looks for leaks as ever. */
static int confined;
int __lsan_is_turned_off(void);

int
__lsan_is_turned_off(void)
{
	return confined;
}
#endif

int
proc_drop_to(uid_t uid, gid_t gid, const char *root,
    const struct proc_limits *l)
{
	bool privileged = geteuid() == 0;

	if (set_limits(l) == -1)
		return -1;
	if (root != NULL) {
		if (chdir(root) == -1)
			return -1;
		if (privileged && (chroot(".") == -1 || chdir("/") == -1))
			return -1;
	}
	if (privileged && uid != 0) {
		/* Groups first: after setresuid nobody may change them. */
		if (setgroups(0, NULL) == -1 ||
		    setresgid(gid, gid, gid) == -1 ||
		    setresuid(uid, uid, uid) == -1)
			return -1;
		if (setuid(0) == 0 || setgid(0) == 0) {
			errno = EPERM;
			return -1;
		}
	}
	if (set_process_limit(l) == -1 ||
	    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == -1 ||
	    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == -1)
		return -1;
#ifdef SANITIZED
	confined = 1;
#endif
	return 0;
}

int
proc_drop(const char *user, const char *root, const struct proc_limits *l)
{
	uid_t uid;
	gid_t gid;

	if (geteuid() != 0) {
		log_notice(NULL, "separation", "off=uid,chroot uid=%u",
		    (unsigned)geteuid());
		return proc_drop_to(geteuid(), getegid(), root, l);
	}
	if (proc_user(user, &uid, &gid) == -1)
		return -1;
	return proc_drop_to(uid, gid, root, l);
}

int
proc_signals(bool children)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	if (children) {
		sigaddset(&set, SIGCHLD);
		/* Whoever started us may have ignored it: then nobody could be
		 * waited for. */
		signal(SIGCHLD, SIG_DFL);
	}
	signal(SIGPIPE, SIG_IGN);
	if (sigprocmask(SIG_BLOCK, &set, NULL) == -1)
		return -1;
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

/* A handler that does nothing still ends a wait. */
static void
wake(int signo)
{
	(void)signo;
}

void
proc_catch(void (*on_end)(int signal), sigset_t *waiting)
{
	static const int ends[] = { SIGTERM, SIGINT, SIGHUP };
	struct sigaction end = { .sa_handler = on_end };
	struct sigaction child = { .sa_handler = wake,
	    .sa_flags = SA_NOCLDSTOP };
	sigset_t block;

	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&block);
	sigaddset(&block, SIGCHLD);
	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		sigaction(ends[i], &end, NULL);
		sigaddset(&block, ends[i]);
	}
	sigaction(SIGCHLD, &child, NULL);
	sigprocmask(SIG_BLOCK, &block, waiting);
	sigdelset(waiting, SIGCHLD);
	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++)
		sigdelset(waiting, ends[i]);
}

void
proc_title(const char *title)
{
	prctl(PR_SET_NAME, title, 0, 0, 0);
}

pid_t
proc_reap(int *status)
{
	pid_t pid;

	do
		pid = waitpid(-1, status, WNOHANG);
	while (pid == -1 && errno == EINTR);
	return pid;
}

void
proc_reap_children(unsigned *children)
{
	int status;

	while (*children > 0 && proc_reap(&status) > 0) {
		(*children)--;
		if (WIFSIGNALED(status))
			log_error(NULL, "child", "signal=%d", WTERMSIG(status));
	}
}
