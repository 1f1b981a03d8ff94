/* start_log.c - where the log of all programs goes. */
/* SPDX-License-Identifier: ISC */
#include "tools/start.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/log.h"

#define SYSLOG "/dev/log"

/* Connects to syslogd, and remembers to which one. 0, or -1 with errno. */
static int
connect_syslog(struct start *s, int fd)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX,
		.sun_path = SYSLOG };
	struct stat st;

	if (stat(SYSLOG, &st) == -1 ||
	    connect(fd, (struct sockaddr *)&sun, sizeof(sun)) == -1)
		return -1;
	s->syslog_inode = st.st_ino;
	s->syslog_born = st.st_ctim;
	return 0;
}

/* A socket to syslogd, or -1 with errno. */
static int
open_syslog(struct start *s)
{
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0), saved;

	if (fd == -1 || connect_syslog(s, fd) == 0)
		return fd;
	saved = errno;
	close(fd);
	errno = saved;
	return -1;
}

int
log_redirect(struct start *s)
{
	const char *log = s->conf.log;
	bool is_syslog = strcmp(log, "syslog") == 0;
	int fd;

	unsetenv("MALLE_LOG");
	if (strcmp(log, "stderr") == 0)
		return 0;
	fd = is_syslog ? open_syslog(s) : open(log, O_WRONLY | O_APPEND |
	    O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0640);
	if (fd == -1 && is_syslog) {
		warn(SYSLOG ": no syslog here, the log goes to standard error");
		return 0;
	}
	if (fd == -1) {
		warn("%s: the log cannot be written", log);
		return -1;
	}
	if (dup2(fd, STDERR_FILENO) == -1)
		return -1;
	close(fd);
	if (is_syslog)
		setenv("MALLE_LOG", "syslog", 1);
	log_open("malle-start");
	return 0;
}

void
log_again(struct start *s)
{
	struct sockaddr_un peer;
	socklen_t len = sizeof(peer);
	struct stat st;

	if (stat(SYSLOG, &st) == -1 || (st.st_ino == s->syslog_inode &&
	    st.st_ctim.tv_sec == s->syslog_born.tv_sec &&
	    st.st_ctim.tv_nsec == s->syslog_born.tv_nsec &&
	    getpeername(STDERR_FILENO, (struct sockaddr *)&peer, &len) == 0))
		return;
	if (connect_syslog(s, STDERR_FILENO) == 0)
		log_notice(NULL, "log", "state=back");
}
