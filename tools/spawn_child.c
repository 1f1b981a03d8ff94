/* spawn_child.c - a child becomes the owner of one mailbox folder. */
/* SPDX-License-Identifier: ISC */
#include "tools/spawn.h"

#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "lib/fsx.h"
#include "lib/log.h"
#include "lib/maildir.h"
#include "lib/proc.h"
#include "lib/proto_auth.h"
#include "lib/sandbox.h"
#include "pop3d/mailbox.h"

#define FDS_ABOVE 20		/* out of the way of malle-local's 3 and 4 */
#define SESSION_MEMORY (1ULL << 30)
#define SESSION_FILES 64

__attribute__((noreturn)) static void
fail(const char *what, const char *domain)
{
	log_error(NULL, "spawn-failed", "what=%s domain=%s reason=%s", what,
	    LOGS(domain), LOGS(strerror(errno)));
	_exit(EX_TEMPFAIL);
}

/* The parent blocks and catches signals; a child begins like any program. */
static void
plain_signals(void)
{
	sigset_t none;

	signal(SIGTERM, SIG_DFL);
	signal(SIGHUP, SIG_DFL);
	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

/*
 * The folder of a domain, made for its uid when it is not there. Its owner
 * decides who the child becomes; what was asked for must be the same. A folder
 * that root still owns was made right before a crash.
 */
static int
open_domain(const struct spawn *s, const char *domain, uid_t asked)
{
	bool root = geteuid() == 0;
	struct stat st;
	int fd;

	if (root && (asked < s->conf.domain_uid_first ||
	    asked > s->conf.domain_uid_last)) {
		errno = ERANGE;
		return -1;
	}
	if (mkdirat(s->mail, domain, 0700) == -1 && errno != EEXIST)
		return -1;
	if ((fd = fsx_open_dir(s->mail, domain)) == -1)
		return -1;
	if (fstat(fd, &st) == -1)
		goto fail;
	if (root && st.st_uid == 0) {
		/* Durable before the first message in it is. */
		if (fchown(fd, asked, (gid_t)asked) == -1 ||
		    fsx_sync_dir(fd) == -1 || fsx_sync_dir(s->mail) == -1)
			goto fail;
	} else if (st.st_uid != (root ? asked : geteuid())) {
		errno = EPERM;
		goto fail;
	}
	return fd;
fail:
	close(fd);
	return -1;
}

/* The uid of the domain, its folder as root folder and working folder. */
static int
become_owner(int domain_fd, uid_t uid, const struct proc_limits *l)
{
	if (fchdir(domain_fd) == -1)
		return -1;
	return proc_drop_to(uid, (gid_t)uid, ".", l);
}

/* Both at 3 and 4, whatever they were. 0 or -1. */
static int
place(int connection, int domain_fd)
{
	int a = fcntl(connection, F_DUPFD_CLOEXEC, FDS_ABOVE);
	int b = fcntl(domain_fd, F_DUPFD_CLOEXEC, FDS_ABOVE);

	return a == -1 || b == -1 || dup2(a, 3) == -1 || dup2(b, 4) == -1 ?
	    -1 : 0;
}

#define PASSED_MAX 8
static const char *const passed[] = { "LANG", "TZ", "MALLE_LOG",
	"MALLE_SANDBOX_DENY", "ASAN_OPTIONS", "UBSAN_OPTIONS" };

/* Becomes the owner of a domain's folder and runs a program of ours, with the
 * connection at 3 and the folder at 4; it limits and confines itself. */
__attribute__((noreturn)) static void
run(int program, char **argv, char *fds, const char *domain, int domain_fd,
    uid_t uid, int connection)
{
	char path[] = "PATH=/nonexistent", *env[PASSED_MAX + 3], *old;
	size_t n = 0;

	env[n++] = fds;
	env[n++] = path;
	for (size_t i = 0; i < sizeof(passed) / sizeof(passed[0]); i++) {
		if ((old = getenv(passed[i])) != NULL)
			env[n++] = old - strlen(passed[i]) - 1;
	}
	env[n] = NULL;
	if (place(connection, domain_fd) == -1)
		fail("descriptors", domain);
	if (become_owner(domain_fd, uid, NULL) == -1)
		fail("uid", domain);
	/* Everything else is close-on-exec. */
	fexecve(program, argv, env);
	fail(argv[0], domain);
}

void
child_local(const struct spawn *s, const char *domain, uid_t uid,
    int connection)
{
	char name[] = "malle-local", host[ADDR_DOMAIN_MAX + 1];
	char where[ADDR_DOMAIN_MAX + 1], fds[] = "MALLE_FDS=queue=3,mail=4";
	char *argv[] = { name, where, host, NULL };
	int domain_fd;

	plain_signals();
	snprintf(where, sizeof(where), "%s", domain);
	snprintf(host, sizeof(host), "%s", s->conf.hostname);
	if ((domain_fd = open_domain(s, domain, uid)) == -1)
		fail("folder", domain);
	run(s->local, argv, fds, domain, domain_fd, uid, connection);
}

void
child_mailbox(const struct spawn *s, const struct spawn_mailbox *who,
    int connection)
{
	char name[] = "malle-mailbox", fds[] = "MALLE_FDS=asker=3,mail=4";
	char domain[ADDR_DOMAIN_MAX + 1], mailbox[ADDR_LOCAL_MAX + 1];
	char rights[16], bytes[24], messages[24];
	char *argv[] = { name, domain, mailbox, rights, bytes, messages, NULL };
	int domain_fd;

	plain_signals();
	snprintf(domain, sizeof(domain), "%s", who->domain);
	snprintf(mailbox, sizeof(mailbox), "%s", who->mailbox);
	snprintf(rights, sizeof(rights), "%u", (unsigned)who->rights);
	snprintf(bytes, sizeof(bytes), "%llu",
	    (unsigned long long)who->quota_bytes);
	snprintf(messages, sizeof(messages), "%llu",
	    (unsigned long long)who->quota_messages);
	if ((domain_fd = open_domain(s, domain, who->uid)) == -1)
		fail("folder", domain);
	run(s->mailbox, argv, fds, domain, domain_fd, who->uid, connection);
}

/* FOLDER/Maildir below the working folder, as its owner. */
static int
open_maildir(const char *folder)
{
	int fd, maildir;

	if (fsx_make_dir(AT_FDCWD, folder, 0700) == -1 ||
	    (fd = fsx_open_dir(AT_FDCWD, folder)) == -1)
		return -1;
	maildir = maildir_open(fd, "Maildir", true);
	close(fd);
	return maildir;
}

void
child_pop3(const struct spawn *s, const struct spawn_pop3 *who, int client,
    int login)
{
	static const struct proc_limits limits = { .memory = SESSION_MEMORY,
		.files = SESSION_FILES, .processes = PROC_NO_FORK };
	struct pop3_mailbox m = { .client = client, .who = who,
		.timeout = s->conf.pop3_timeout,
		.errors_max = s->conf.errors_max,
		.keeps = s->conf.catch_all_days == 0 };
	struct sandbox_path kept = { -1, true };
	struct sandbox_got got;
	int domain_fd, keep[3];

	plain_signals();
	log_open("malle-pop3d");
	proc_title("malle-pop3");
	if ((domain_fd = open_domain(s, who->domain, who->uid)) == -1)
		fail("folder", who->domain);
	if (become_owner(domain_fd, who->uid, &limits) == -1)
		fail("uid", who->domain);
	/* Only as the owner: root opens nothing inside his folder. */
	if ((kept.dirfd = m.maildir = open_maildir(who->folder)) == -1)
		fail("maildir", who->domain);
	m.tls = pop3_client_is_tls(client);
	keep[0] = client;
	keep[1] = login;
	keep[2] = m.maildir;
	close(s->queue);
	close(s->auth);
	if (s->registry != -1)
		close(s->registry);
	if (proc_close_others(keep, 3) == -1 ||
	    sandbox_enter(SANDBOX_MAILBOX, &kept, 1, &got) == -1)
		fail("sandbox", who->domain);
	/* From here on the client is ours: the login process may end. */
	if (ipc_send(login, AUTH_TAKEN, NULL, NULL, 0) == -1)
		fail("login", who->domain);
	close(login);
	_exit(pop3_session(&m));
}
