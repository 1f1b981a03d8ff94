/* proc_ready.c - tells malle-start that a program is at work. */
/* SPDX-License-Identifier: ISC */
#include "lib/proc.h"

#include <sys/prctl.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "lib/log.h"
#include "lib/sandbox.h"

int
proc_ready_fd(void)
{
	static int fd = -2;

	if (fd == -2)
		fd = proc_fd("ready");
	return fd;
}

void
proc_ready(void)
{
	char line[64];
	int fd = proc_ready_fd();
	const struct sandbox_got *got = sandbox_applied();
	ssize_t n;
	int len;

	log_info(NULL, "ready", "landlock=%d seccomp=%s", got->landlock_abi,
	    got->seccomp ? "yes" : "no");
	if (fd == -1)
		return;
	/* Only now: a change of uid forgets an earlier request. */
	(void)prctl(PR_SET_PDEATHSIG, SIGTERM, 0, 0, 0);
	len = snprintf(line, sizeof(line), "landlock=%d seccomp=%s\n",
	    got->landlock_abi, got->seccomp ? "yes" : "no");
	do {
		n = write(fd, line, (size_t)len);
	} while (n == -1 && errno == EINTR);
	close(fd);
}
