/* mailbox.h - the POP3 session after login: one client, one Maildir. */
#ifndef POP3D_MAILBOX_H
#define POP3D_MAILBOX_H
/* SPDX-License-Identifier: ISC */

#include <stdbool.h>
#include <stdint.h>

#include "lib/proto_spawn.h"

/*
 * What a session is given: all of it by value, for there is no configuration
 * in its root folder. The descriptors stay the caller's; who->leftover must
 * live as long as the call.
 */
struct pop3_mailbox {
	int client;		/* a socket; blocking or not */
	int maildir;		/* the Maildir: new/, cur/, maildirsize in it */
	const struct spawn_pop3 *who;
	bool tls;		/* for the log: pop3_client_is_tls() */
	uint64_t timeout;	/* conf.pop3_timeout; 600 s at least is used */
	uint64_t errors_max;	/* conf.errors_max */
	bool keeps;		/* only who logs in removes: no catch_all_days */
};

/* True when the client's descriptor is a connection to malle-tls. Asks the
 * kernel with getsockname(2): call it before the sandbox is entered. */
bool pop3_client_is_tls(int client);

/*
 * Lists the Maildir, tells the client that it is logged in, and obeys it until
 * QUIT, a time-out or the end of the connection; only QUIT deletes. To be
 * called once, as the mailbox's uid, after AUTH_TAKEN was sent and the sandbox
 * (SANDBOX_MAILBOX) entered. Returns the process's exit code: 0, or
 * EX_TEMPFAIL when the Maildir could not be read (the client has been told).
 *
 * Needs of the sandbox, below the Maildir only: openat, newfstatat, fstat,
 * getdents64, lseek, read, pread64, close, unlinkat, renameat2, fsync; write
 * and flock for maildirsize; on the client recvfrom, read, sendto, write,
 * sendmsg, poll; on descriptor 2 write or sendto; rt_sigprocmask,
 * clock_gettime, getpid, brk, mmap, mremap, munmap, madvise, exit_group.
 * Memory: about 130 bytes a message, twice that while it lists.
 */
int pop3_session(const struct pop3_mailbox *m);

#endif
