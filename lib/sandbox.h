/* sandbox.h - what a process may still do: Landlock and seccomp by role. */
#ifndef LIB_SANDBOX_H
#define LIB_SANDBOX_H
/* SPDX-License-Identifier: ISC */

#include <stdbool.h>
#include <stddef.h>

enum sandbox_role {
	SANDBOX_SMTPD,		/* accept, fork, read tables, connect to our sockets */
	SANDBOX_POP3D,		/* the same, before login */
	SANDBOX_MAILBOX,	/* one mailbox: POP3 after login, malle-mailbox */
	SANDBOX_LOCAL,		/* malle-local: the mailboxes of one domain */
	SANDBOX_QUEUED,		/* the queue folder, the tables, a sync thread */
	SANDBOX_AUTHD,		/* password tables, threads */
	SANDBOX_TLS,		/* no file; accept, fork, relay */
	SANDBOX_BOUNCE,		/* no file, no socket; fork */
	SANDBOX_REGISTRYD,	/* registry, tables, passwords */
	SANDBOX_SPAWN,		/* root: fork, set*id, chroot, open mail/ */
	SANDBOX_REMOTE,		/* network, no file */
	SANDBOX_HOOKS,		/* runs programs of the administrator */
	SANDBOX_ROLES
};

/* A folder that the process keeps; everything else is closed to it. A regular
 * file may stand there too: it may be read and executed. */
struct sandbox_path {
	int dirfd;
	bool may_write;		/* create, write, rename, remove below it */
};

struct sandbox_got {
	bool landlock, seccomp;
	int landlock_abi;
};

/*
 * Irrevocably, before the first thread. paths may be NULL with n 0: no file at
 * all. A kernel without
 * Landlock or seccomp is tolerated (ENOSYS, EOPNOTSUPP) and shows in *got; any
 * other failure is -1 with errno. An operation outside the role fails with
 * EACCES, EPERM or ENOSYS; a few (execve, ptrace ...) kill the process.
 * Sanitized builds have a version that does nothing.
 */
int sandbox_enter(enum sandbox_role role, const struct sandbox_path *paths,
    size_t n, struct sandbox_got *got) __attribute__((warn_unused_result));

/*
 * For malle-spawn, which must not build filters in each child: makes the
 * filter of a role ready in memory; sandbox_enter() of that role then uses it.
 * 0, or -1 with errno.
 */
int sandbox_prepare(enum sandbox_role role) __attribute__((warn_unused_result));

/*
 * The same, for children of a process that will be in outer when it forks them:
 * a short filter that takes away what role has not, which the kernel accepts in
 * a quarter of the time. role must be part of outer.
 */
int sandbox_prepare_within(enum sandbox_role role, enum sandbox_role outer)
    __attribute__((warn_unused_result));

/* Logs what sandbox_enter() really applied, as event "sandbox". */
void sandbox_log(enum sandbox_role role, const struct sandbox_got *got);

/* What the last sandbox_enter() of this process applied; nothing before. */
const struct sandbox_got *sandbox_applied(void);

/* The role's name for the log: "smtpd", "mailbox" ... */
const char *sandbox_name(enum sandbox_role role);
/* For sandbox_enter() of each platform: keeps what sandbox_applied() gives. */
void sandbox_remember(const struct sandbox_got *got);

#endif
