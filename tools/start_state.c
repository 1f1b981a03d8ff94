/* start_state.c - lock, pid file, status for others, word to systemd. */
/* SPDX-License-Identifier: ISC */
#include "tools/start.h"

#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "lib/fsx.h"
#include "lib/num.h"

#define NOT_RUNNING 3		/* as LSB says of "status" */
#define STOP_WAIT 60000		/* ms */
#define PID_WAIT 20		/* tenths of a second */

/* The pid in the pid file; 0 when there is none. */
static pid_t
read_pid(int dirfd, const char *path)
{
	char *text;
	size_t len;
	uint64_t pid = 0;

	if (fsx_read_file(dirfd, path, 32, &text, &len) == -1)
		return 0;
	if (num_parse(slice_trim(slice_make(text, len)), 2, INT32_MAX,
	    &pid) == -1)
		pid = 0;
	free(text);
	return (pid_t)pid;
}

/* Of the whole file. That it is there can be seen without taking it. */
static const struct flock whole = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

static int
take_lock(int fd)
{
	struct flock l = whole;

	return fcntl(fd, F_OFD_SETLK, &l);
}

static bool
is_locked(int fd)
{
	struct flock l = whole;

	return fcntl(fd, F_OFD_GETLK, &l) == -1 || l.l_type != F_UNLCK;
}

/* True when the name still leads to this file: whoever ends removes it. */
static bool
is_there(int basefd, int fd)
{
	struct stat a, b;

	return fstat(fd, &a) == 0 && fstatat(basefd, START_LOCK_FILE, &b,
	    AT_SYMLINK_NOFOLLOW) == 0 && a.st_ino == b.st_ino &&
	    a.st_dev == b.st_dev;
}

/*
 * A file that nobody else may open: who can read a file can lock it, and would
 * keep us from starting. What a pid file has left that is read by anybody is no
 * pid of ours.
 */
int
state_lock(int basefd)
{
	int fd;

	for (;;) {
		fd = openat(basefd, START_LOCK_FILE, O_RDWR | O_CREAT |
		    O_NOFOLLOW | O_CLOEXEC, 0600);
		if (fd == -1 || take_lock(fd) == -1)
			break;
		if (is_there(basefd, fd)) {
			unlinkat(basefd, START_PID_FILE, 0);
			return fd;
		}
		close(fd);
	}
	if (fd != -1 && (errno == EAGAIN || errno == EACCES))
		warnx("already running, as pid %d",
		    (int)read_pid(basefd, START_PID_FILE));
	else
		warn("%s: cannot be locked", START_LOCK_FILE);
	if (fd != -1)
		close(fd);
	return -1;
}

int
state_begin(const struct start *s)
{
	char pid[16];

	snprintf(pid, sizeof(pid), "%d\n", (int)getpid());
	return fsx_replace(s->basefd, START_PID_FILE, 0644, slice_of(pid));
}

static void
put_row(FILE *f, const struct service *v)
{
	fprintf(f, "%s %d %" PRId64 " %u %s %s\n", v->program, (int)v->pid,
	    (int64_t)v->since, v->restarts,
	    v->pid == 0 ? "waiting" : v->is_ready ? "ready" : "starting",
	    v->sandbox[0] != '\0' ? v->sandbox : "-");
}

void
state_write(const struct start *s)
{
	char text[SERVICES * 160];
	FILE *f = fmemopen(text, sizeof(text), "w");
	int fd;

	if (f == NULL)
		return;
	for (size_t i = 0; i < SERVICES; i++) {
		if (s->services[i].wanted)
			put_row(f, &s->services[i]);
	}
	fclose(f);
	fd = openat(s->basefd, START_STATUS_FILE ".new", O_WRONLY | O_CREAT |
	    O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0644);
	if (fd == -1)
		return;
	/* A view for people: lost at a crash, hence never synced. */
	if (fsx_write_all(fd, text, strlen(text)) == 0)
		(void)renameat(s->basefd, START_STATUS_FILE ".new", s->basefd,
		    START_STATUS_FILE);
	close(fd);
}

void
state_remove(const struct start *s)
{
	static const char *const sockets[] = { "public/queue.sock",
		"public/registry.sock", "public/auth.sock", "public/tls.sock" };

	for (size_t i = 0; i < sizeof(sockets) / sizeof(sockets[0]); i++)
		unlinkat(s->basefd, sockets[i], 0);
	unlinkat(s->basefd, START_STATUS_FILE, 0);
	unlinkat(s->basefd, START_PID_FILE, 0);
	unlinkat(s->basefd, START_LOCK_FILE, 0);
}

void
state_notify(const char *text)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	size_t len;
	int fd;

	if (path == NULL || (len = strlen(path)) < 2 ||
	    len >= sizeof(sun.sun_path) || (path[0] != '/' && path[0] != '@'))
		return;
	memcpy(sun.sun_path, path, len);
	if (path[0] == '@')
		sun.sun_path[0] = '\0';
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd == -1)
		return;
	(void)!sendto(fd, text, strlen(text), MSG_NOSIGNAL,
	    (struct sockaddr *)&sun,
	    (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len));
	close(fd);
}

/* The lock file, and the pid of who has locked it; *pid 0: nobody runs. Who may
 * not look at the lock has to believe the pid file. */
static int
open_running(const struct conf *c, pid_t *pid)
{
	char lock[2048], path[2048];
	int fd;

	*pid = 0;
	if (conf_path(c, START_LOCK_FILE, lock, sizeof(lock)) == -1 ||
	    conf_path(c, START_PID_FILE, path, sizeof(path)) == -1)
		return -1;
	fd = open(lock, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (fd == -1) {
		if (errno == EACCES)
			*pid = read_pid(AT_FDCWD, path);
		return -1;
	}
	/* One that has just taken the lock writes its pid a moment later. */
	for (int i = 0; i < PID_WAIT && *pid == 0; i++) {
		if (!is_locked(fd))
			break;
		if ((*pid = read_pid(AT_FDCWD, path)) == 0)
			usleep(100000);
	}
	return fd;
}

/* One line of /proc/PID/status: the number behind "key:". */
static long
proc_number(pid_t pid, const char *key)
{
	char path[64], line[256];
	size_t len = strlen(key);
	long number = -1;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	if ((f = fopen(path, "re")) == NULL)
		return -1;
	while (number == -1 && fgets(line, sizeof(line), f) != NULL) {
		if (strncmp(line, key, len) == 0 && line[len] == ':')
			number = strtol(line + len + 1, NULL, 10);
	}
	fclose(f);
	return number;
}

/* A row of the status file, with what the kernel says of the process now. */
static bool
show_row(const char *row)
{
	char program[32], state[16], sandbox[80] = "", when[32] = "";
	int pid;
	int64_t since;
	time_t t;
	unsigned restarts;
	struct tm tm;

	if (sscanf(row, "%31s %d %" SCNd64 " %u %15s %79[^\n]", program, &pid,
	    &since, &restarts, state, sandbox) != 6)
		return false;
	t = (time_t)since;
	if (localtime_r(&t, &tm) != NULL)
		strftime(when, sizeof(when), "%Y-%m-%d %H:%M:%S %z", &tm);
	printf("%-16s %-8s pid=%-7d uid=%-6ld since=\"%s\" restarts=%u "
	    "no_new_privs=%ld seccomp_mode=%ld %s\n", program, state, pid,
	    pid > 0 ? proc_number(pid, "Uid") : -1, when, restarts,
	    pid > 0 ? proc_number(pid, "NoNewPrivs") : -1,
	    pid > 0 ? proc_number(pid, "Seccomp") : -1, sandbox);
	return strcmp(state, "ready") == 0;
}

int
state_show(const struct conf *c)
{
	char path[2048], *text, *row, *rest;
	size_t len;
	bool all = true;
	pid_t pid;
	int fd = open_running(c, &pid);

	if (fd != -1)
		close(fd);
	if (pid == 0) {
		printf("malle-start does not run for %s\n", c->base);
		return NOT_RUNNING;
	}
	if (conf_path(c, START_STATUS_FILE, path, sizeof(path)) == -1 ||
	    fsx_read_file(AT_FDCWD, path, 65536, &text, &len) == -1) {
		warn("%s/%s", c->base, START_STATUS_FILE);
		return EX_UNAVAILABLE;
	}
	printf("%-16s %-8s pid=%d\n", "malle-start", "running", (int)pid);
	for (row = strtok_r(text, "\n", &rest); row != NULL;
	    row = strtok_r(NULL, "\n", &rest))
		all = show_row(row) && all;
	free(text);
	return all ? EX_OK : EXIT_FAILURE;
}

/* Signals the process; never one that only a file tells of. Its descriptor, or
 * -1 after saying why. */
static int
tell(int lock, pid_t pid, int sig)
{
	int fd = lock != -1 ? pidfd_open(pid, 0) : -1;

	if (fd != -1 && pidfd_send_signal(fd, sig, NULL, 0) == 0)
		return fd;
	if (lock == -1)
		errno = EACCES;
	warn("pid %d", (int)pid);
	if (fd != -1)
		close(fd);
	return -1;
}

int
state_stop(const struct conf *c)
{
	struct pollfd process = { .events = POLLIN };
	int fd, r = EX_OK;
	pid_t pid;

	if ((fd = open_running(c, &pid)) != -1)
		close(fd);
	if (pid == 0) {
		printf("malle-start does not run for %s\n", c->base);
		return EX_OK;
	}
	if ((process.fd = tell(fd, pid, SIGTERM)) == -1)
		return EX_NOPERM;
	if (poll(&process, 1, STOP_WAIT) != 1) {
		/* The process and not its lock, which goes before its ports. */
		warnx("pid %d has not ended after a minute; see the log",
		    (int)pid);
		r = EX_TEMPFAIL;
	}
	close(process.fd);
	return r;
}

int
state_reload(const struct conf *c)
{
	int fd, process;
	pid_t pid;

	if ((fd = open_running(c, &pid)) != -1)
		close(fd);
	if (pid == 0) {
		warnx("does not run for %s", c->base);
		return NOT_RUNNING;
	}
	if ((process = tell(fd, pid, SIGHUP)) == -1)
		return EX_NOPERM;
	close(process);
	return EX_OK;
}
