/* main.c - malle-smtpd: receives mail by SMTP, port 25 and submission. */
/* SPDX-License-Identifier: ISC */

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "lib/fsx.h"
#include "lib/log.h"
#include "lib/proc.h"
#include "lib/sandbox.h"
#include "smtpd/listen.h"

/*
 * Runs as: user_net, chrooted to public/, sandbox role smtpd.
 * Trusts: the configuration, and malle-start for the listening sockets.
 * Order: everything that lies outside of public/ is read first; the tables,
 * which a lesser uid owns, are opened only after root has been given up.
 * Limits: MEMORY_MAX of address space a process; FILES, and those on their way.
 */

#define MEMORY_MAX (4ULL << 30)	/* tables of any size are mapped */
#define FILES 256

static struct listener listeners[LISTENERS_MAX];
static size_t nlisteners;

static void
usage(FILE *out)
{
	fputs("usage: malle-smtpd [-h] [-c file]\n"
	    "Receives mail by SMTP. malle-start runs it; see malle-smtpd(8).\n"
	    "  -c file  configuration, instead of " CONF_PATH "\n"
	    "  -h       this text\n", out);
}

/* Why it cannot start, what to do, and the end. */
static void
fail(const char *what, const char *text, int code)
{
	log_error(NULL, "start", "text=%s reason=%s what=%s", LOGS(text),
	    LOGS(strerror(errno)), LOGS(what));
	exit(code);
}

static uint16_t
port_of(int fd)
{
	struct sockaddr_storage sa;
	socklen_t len = sizeof(sa);
	struct ip ip;
	uint16_t port = 0;

	if (getsockname(fd, (struct sockaddr *)&sa, &len) == -1 ||
	    ip_of_sockaddr((struct sockaddr *)&sa, &ip, &port) == -1)
		return 0;
	return port;
}

static void
take_listeners(const char *name, enum service service)
{
	int fd, one = 1;

	while ((fd = proc_fd(name)) != -1) {
		if (nlisteners == LISTENERS_MAX) {
			errno = E2BIG;
			fail(name, "too many listening sockets", EX_CONFIG);
		}
		/* What is accepted inherits TCP_NODELAY. */
		if (fcntl(fd, F_SETFL, O_NONBLOCK) == -1 || (setsockopt(fd,
		    IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)) == -1 &&
		    errno != EOPNOTSUPP))
			fail(name, "this descriptor in MALLE_FDS is no "
			    "listening socket", EX_USAGE);
		listeners[nlisteners++] = (struct listener){
			fd, service, port_of(fd)
		};
	}
}

/* The folder of the tables; the only one that stays open. */
static int
open_tables_folder(const struct conf *conf)
{
	char path[1200];
	int fd = -1;

	if (conf_path(conf, "public/tables", path, sizeof(path)) == 0)
		fd = fsx_open_dir(AT_FDCWD, path);
	if (fd == -1)
		fail(path, "the folder of the tables cannot be opened: has "
		    "malle-registryd run?", EX_CONFIG);
	return fd;
}

static void
confine(const struct conf *conf, int tables_fd)
{
	const struct proc_limits limits = {
		.memory = MEMORY_MAX,
		/* The kernel takes it for the descriptors on their way from
		 * all processes of the uid, too (unix(7)): a client of each
		 * session, of malle-pop3d as well. */
		.files = FILES + 2 * conf->sessions_max,
		.file_size = PROC_NO_FILES
	};
	struct sandbox_path paths[] = { { tables_fd, false } };
	struct sandbox_got got;
	char root[1200];

	if (conf_path(conf, "public", root, sizeof(root)) == -1 ||
	    proc_close_others(&tables_fd, 1) == -1 ||
	    proc_drop(conf->user_net, root, &limits) == -1)
		fail(conf->user_net, "cannot become this user in public/",
		    EX_OSERR);
	if (sandbox_enter(SANDBOX_SMTPD, paths, 1, &got) == -1)
		fail("sandbox", "cannot confine myself", EX_OSERR);
	sandbox_log(SANDBOX_SMTPD, &got);
}

/* Early tables may be missing: recipients are then asked to come later. */
static void
open_tables(struct tables *tables, int fd)
{
	if (tables_open(tables, fd) == -1)
		log_error(NULL, "tables", "text=%s reason=%s",
		    LOGS("no tables yet: mail is deferred until "
		    "malle-registryd has written them"),
		    LOGS(strerror(errno)));
}

int
main(int argc, char **argv)
{
	static struct conf conf;
	static struct tables tables;
	const char *path = NULL;
	int c, tables_fd;

	log_open("malle-smtpd");
	proc_huge_text();
	while ((c = getopt(argc, argv, "c:h")) != -1) {
		if (c == 'h') {
			usage(stdout);
			return EX_OK;
		}
		if (c != 'c') {
			usage(stderr);
			return EX_USAGE;
		}
		path = optarg;
	}
	if (conf_load(&conf, path, stderr) == -1)
		return EX_CONFIG;
	take_listeners("smtp", SERVICE_SMTP);
	take_listeners("submission", SERVICE_SUBMISSION);
	take_listeners("submissions", SERVICE_SUBMISSIONS);
	if (nlisteners == 0)
		log_notice(NULL, "start", "text=%s", LOGS("no listening socket "
		    "in MALLE_FDS: nobody can connect"));
	tables_fd = open_tables_folder(&conf);
	if (listen_signals() == -1)
		fail("signals", "cannot catch them", EX_OSERR);
	tzset();
	confine(&conf, tables_fd);
	open_tables(&tables, tables_fd);
	proc_ready();
	if (listen_run(&conf, &tables, listeners, nlisteners) == -1)
		fail("sessions", "no memory to remember them", EX_OSERR);
	return EX_OK;
}
