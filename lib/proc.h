/* proc.h - how a program of ours starts: descriptors, uid, root, limits. */
#ifndef LIB_PROC_H
#define LIB_PROC_H
/* SPDX-License-Identifier: ISC */

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * The start recipe, in this order, one call each from main: log_open, argv,
 * conf_load, open everything, proc_close_others, proc_drop, sandbox_enter, loop.
 */

/*
 * malle-start gives a program its descriptors by name in the environment:
 * MALLE_FDS="smtp=3,smtp=4,queue=5". proc_fd() returns the next one of that
 * name, or -1 when there is none (left); it is made close-on-exec.
 */
int proc_fd(const char *name);

/* Closes every descriptor above 2 but those that proc_fd() gave and keep[]. */
int proc_close_others(const int *keep, size_t n)
    __attribute__((warn_unused_result));

/*
 * Once sandboxed, right before its loop, every service calls proc_ready():
 * event "ready" in the log, one line with its sandbox on the descriptor "ready"
 * of malle-start, if there is one (that is closed then), and SIGTERM when
 * malle-start dies. proc_ready_fd() is that descriptor, or -1;
 * proc_close_others() keeps it by itself.
 */
void proc_ready(void);
int proc_ready_fd(void);

struct proc_limits {
	uint64_t memory;	/* RLIMIT_AS, bytes; 0 leaves it */
	uint64_t files;		/* RLIMIT_NOFILE; 0 leaves it */
	uint64_t file_size;	/* RLIMIT_FSIZE, bytes; PROC_NO_FILES: none at all */
	uint64_t processes;	/* RLIMIT_NPROC; 0 leaves it, PROC_NO_FORK */
};
#define PROC_NO_FILES UINT64_MAX
#define PROC_NO_FORK UINT64_MAX

/* The uid and gid of a user given as a name (looked up in /etc/passwd without
 * NSS) or as "UID" or "UID:GID". 0, or -1 with errno (ENOENT). */
int proc_user(const char *user, uid_t *uid, gid_t *gid)
    __attribute__((warn_unused_result));

/* The number of a group by its name in /etc/group, or (gid_t)-1. Without NSS
 * too: a group of the network has no business here. */
gid_t proc_group(const char *name);

/*
 * Irrevocably: limits, no core, setgroups, chroot to root and chdir "/" in it
 * (NULL: stay), gid, uid, proof that root cannot come back, no_new_privs, not
 * dumpable. When not started by root, uid, gid and chroot are left out (only
 * chdir is done), which proc_drop says once in the log as separation=off.
 * 0, or -1 with errno: the program must exit.
 */
int proc_drop(const char *user, const char *root, const struct proc_limits *l)
    __attribute__((warn_unused_result));
/* The same with numbers; for malle-spawn's children. */
int proc_drop_to(uid_t uid, gid_t gid, const char *root,
    const struct proc_limits *l) __attribute__((warn_unused_result));

/*
 * SIGTERM, SIGINT and SIGHUP, and SIGCHLD when there are children, are read from
 * the descriptor that is returned (signalfd(2), not blocking); SIGPIPE is
 * ignored. A child must unblock them. -1 with errno.
 */
int proc_signals(bool children) __attribute__((warn_unused_result));

/*
 * The same for a parent that waits with ppoll(2): SIGTERM, SIGINT and SIGHUP call
 * on_end, and SIGCHLD ends the wait, but only in a wait with the mask *waiting;
 * SIGPIPE is ignored. Children inherit what is blocked.
 */
void proc_catch(void (*on_end)(int signal), sigset_t *waiting);

/* Names the process for ps(1); at most 15 bytes count. */
void proc_title(const char *title);

/* A pidfd-free way to learn of children: reaps one dead child without waiting.
 * Returns its pid and *status, 0 when there is none now, -1 with errno. */
pid_t proc_reap(int *status);

/* Counts down *children for each that has ended; logs those that broke. */
void proc_reap_children(unsigned *children);

/*
 * proc_huge.c: for a program that forks a child for each client. Puts its code
 * into huge pages, so that children find it in their page tables. At the start:
 * the sandbox lets nobody map code. Without huge pages nothing changes.
 */
void proc_huge_text(void);

#endif
