/* authd.c - malle-authd checks passwords and slows their guessing. */
/* SPDX-License-Identifier: ISC */

#include "auth/authd.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>
#include <unistd.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>

#include "lib/conf.h"
#include "lib/log.h"
#include "lib/proc.h"
#include "lib/sandbox.h"

/*
 * Runs as: the user of "user_auth", chrooted to base/auth, which it can only
 * read; sandbox role authd. One process: a loop and two threads for hashing.
 * Trusts: nobody. Sessions speak lib/proto_auth.h on descriptor "auth" and lose
 * their connection for anything else; tables are checked as they are read.
 * Order: descriptors, uid and root folder, sandbox, threads. The sandbox does
 * not reach a thread that is older.
 * Limits: LOGINS_MAX connections, WORKERS_WAITING_MAX passwords waiting in a
 * lane, MEMORY_SIZE entries in each table of what is remembered.
 */
#define MEMORY_SIZE 16384
#define MEMORY_MAX (512ULL << 20)	/* two yescrypt hashes of 64 MiB, stacks */
#define FILES_MAX (2 * LOGINS_MAX + 256)

static const char usage[] =
    "usage: malle-authd [-c FILE]\n"
    "       malle-authd -h\n"
    "\n"
    "Checks passwords for the sessions of malle-smtpd and malle-pop3d. It is\n"
    "started by malle-start, which gives it its sockets.\n"
    "\n"
    "  -c FILE  the configuration, instead of " CONF_PATH "\n"
    "  -h       this text\n"
    "\n"
    "See malle-authd(8).\n";

static void
nonblocking(int fd)
{
	int flags;

	if (fd != -1 && (flags = fcntl(fd, F_GETFL)) != -1)
		(void)fcntl(fd, F_SETFL, flags | O_NONBLOCK);
}

static int
take_descriptors(struct authd *a)
{
	a->listen_fd = proc_fd("auth");
	a->spawn_fd = proc_fd("spawn");
	a->registry_fd = proc_fd("registry");
	nonblocking(a->listen_fd);
	nonblocking(a->spawn_fd);
	nonblocking(a->registry_fd);
	if (a->listen_fd == -1) {
		log_error(NULL, "start-failed", "reason=%s",
		    LOGS("no descriptor \"auth\": malle-start must start me"));
		return -1;
	}
	return 0;
}

/* From here on there is nothing but the tables. */
static int
confine(struct authd *a, const struct conf *c)
{
	const struct proc_limits limits = {
		.memory = MEMORY_MAX, .files = FILES_MAX,
		.file_size = PROC_NO_FILES,
	};
	struct sandbox_path path = { .may_write = false };
	struct sandbox_got got;
	bool lasting;
	char folder[1200];

	if (conf_path(c, "auth", folder, sizeof(folder)) == -1 ||
	    proc_close_others(NULL, 0) == -1 ||
	    proc_drop(c->user_auth, folder, &limits) == -1 ||
	    accounts_open(&a->accounts, ".", c->default_domain,
	    &lasting) == -1) {
		log_error(NULL, "start-failed", "folder=%s error=%s",
		    LOGS(folder), LOGS(strerror(errno)));
		return -1;
	}
	if (!lasting)
		log_notice(NULL, "no-secret", "file=%s effect=%s",
		    PASSWORD_SECRET_FILE,
		    LOGS("salts of unknown names change at each start"));
	path.dirfd = a->accounts.dirfd;
	if (sandbox_enter(SANDBOX_AUTHD, &path, 1, &got) == -1) {
		log_error(NULL, "start-failed", "sandbox=%s",
		    LOGS(strerror(errno)));
		return -1;
	}
	sandbox_log(SANDBOX_AUTHD, &got);
	return 0;
}

static int
prepare(struct authd *a, const struct conf *c)
{
	a->password_cache = (int64_t)c->password_cache * 1000;
	a->clear_on_loopback = c->auth_clear_on_loopback;
	a->passwords = memory_new(MEMORY_SIZE, sizeof(int64_t));
	a->told = memory_new(MEMORY_SIZE, sizeof(struct told));
	if (a->passwords == NULL || a->told == NULL ||
	    RAND_bytes(a->secret, sizeof(a->secret)) != 1 ||
	    throttle_init(&a->throttle, MEMORY_SIZE) == -1 ||
	    workers_start(&a->workers) == -1) {
		log_error(NULL, "start-failed", "error=%s",
		    LOGS(strerror(errno)));
		return -1;
	}
	return 0;
}

int
main(int argc, char **argv)
{
	static struct authd daemon_state;
	struct authd *a = &daemon_state;
	const char *path = NULL;
	struct conf conf;
	int option;

	log_open("malle-authd");
	while ((option = getopt(argc, argv, "c:h")) != -1) {
		if (option == 'c') {
			path = optarg;
			continue;
		}
		fputs(usage, option == 'h' ? stdout : stderr);
		return option == 'h' ? EX_OK : EX_USAGE;
	}
	if (optind != argc) {
		fputs(usage, stderr);
		return EX_USAGE;
	}
	if (conf_load(&conf, path, stderr) == -1)
		return EX_CONFIG;
	/* The system's openssl.cnf is none of our business. */
	if (OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG |
	    OPENSSL_INIT_NO_ATEXIT, NULL) != 1)
		return EX_OSERR;
	if (take_descriptors(a) == -1 || confine(a, &conf) == -1 ||
	    prepare(a, &conf) == -1)
		return EX_OSERR;
	proc_ready();
	if (loop_run(a) == -1) {
		log_error(NULL, "loop-failed", "error=%s",
		    LOGS(strerror(errno)));
		return EX_OSERR;
	}
	/* The threads may be in the middle of a hash: no clean-up under them. */
	_exit(EX_OK);
}
