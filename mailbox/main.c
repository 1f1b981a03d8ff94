/* main.c - malle-mailbox: what is in one mailbox, for who may know it. */
/* SPDX-License-Identifier: ISC */

/*
 * Runs as: the uid of the domain, chrooted to the domain's folder by
 * malle-spawn, which starts it; Landlock leaves it one mailbox's folder (the
 * domain's to purge, which renames that folder, and to read to count them all),
 * sandbox SANDBOX_MAILBOX.
 * Trusts: malle-spawn's arguments. Not who asks: each request needs a right
 * that the registry has granted, and every field of it is judged. Not the
 * mailbox: names are checked, links not followed.
 * Order: confined before the first request is read.
 * Limits: one asker, one request at a time, ASKER_WAIT of silence.
 */

#include "mailbox/box.h"

#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "lib/addr.h"
#include "lib/fsx.h"
#include "lib/log.h"
#include "lib/num.h"
#include "lib/proc.h"
#include "lib/sandbox.h"

#define ASKER_WAIT 300		/* s without a request, or without reading */
#define SEND_PAUSE_MS 10

static const char usage_text[] =
    "usage: malle-mailbox DOMAIN MAILBOX RIGHTS BYTES MESSAGES\n"
    "       malle-mailbox -h\n"
    "Measures, reads, fills, empties or purges one mailbox for whoever asks.\n"
    "malle-spawn starts it, with the descriptors \"asker\" and \"mail\" in\n"
    "MALLE_FDS; see malle-mailbox(8).\n";

/* clang-format off */
static const struct {
	uint16_t type;
	unsigned right;
	box_act *act;
} requests[] = {
	{ BOX_MEASURE, BOX_MAY_MEASURE, box_measure },
	{ BOX_LIST,    BOX_MAY_READ,    box_list },
	{ BOX_READ,    BOX_MAY_READ,    box_read },
	{ BOX_WRITE,   BOX_MAY_WRITE,   box_write },
	{ BOX_SYNC,    BOX_MAY_WRITE,   box_sync },
	{ BOX_REMOVE,  BOX_MAY_REMOVE,  box_remove },
	{ BOX_PURGE,   BOX_MAY_PURGE,   box_purge },
	{ BOX_USAGE,   BOX_MAY_MEASURE, box_usage },
	{ BOX_STRAYS,  BOX_MAY_EMPTY,   box_empty_strays },
};
/* clang-format on */

/*
 * The kernel bounds the descriptors that are on their way from all processes of
 * this uid (unix(7): ETOOMANYREFS): who reads slowly is waited for.
 */
int
box_send(struct box *b, uint16_t type, const struct packer *k, int fd)
{
	const struct timespec pause = { 0, SEND_PAUSE_MS * 1000000 };
	unsigned left = ASKER_WAIT * 1000 / SEND_PAUSE_MS;
	int r;

	while ((r = ipc_send(b->asker, type, k, &fd, fd == -1 ? 0 : 1)) == -1 &&
	    errno == ETOOMANYREFS && left-- > 0)
		nanosleep(&pause, NULL);
	return r;
}

int
box_done(struct box *b, enum box_result result, const char *reason)
{
	struct packer k;

	pack_init(&k, b->out, sizeof(b->out));
	pack_u8(&k, (uint8_t)result);
	pack_bytes(&k, slice_of(reason));
	return box_send(b, BOX_DONE, &k, -1);
}

int
box_failed(struct box *b)
{
	bool full = errno == ENOSPC || errno == EDQUOT;
	const char *reason = strerror(errno);

	log_error(NULL, "mailbox-failed", "mailbox=%s reason=%s",
	    LOGS(b->name), LOGS(reason));
	return box_done(b, full ? BOX_NO_ROOM : BOX_FAILED, reason);
}

static int
obey(struct box *b, struct ipc_msg *m)
{
	for (size_t i = 0; i < sizeof(requests) / sizeof(*requests); i++) {
		if (requests[i].type != m->type)
			continue;
		if (!(b->rights & requests[i].right))
			return box_done(b, BOX_REFUSED, "");
		return requests[i].act(b, m);
	}
	errno = EBADMSG;
	return -1;
}

/* Until the asker closes (0), or fails (-1). */
static int
serve(struct box *b)
{
	struct ipc_msg m;
	int r;

	while ((r = ipc_recv(b->asker, b->in, &m)) == 1) {
		ipc_close_fds(&m);	/* nobody has any to give */
		if (obey(b, &m) == -1)
			return -1;
	}
	return r;
}

/* The mailbox's folder, made for who may fill it; -1 with ENOENT: none. */
static int
open_mailbox(const struct box *b)
{
	if (*b->name == '\0') {
		errno = ENOENT;
		return -1;
	}
	if ((b->rights & BOX_MAY_WRITE) &&
	    fsx_make_dir(b->domain, b->name, 0700) == -1)
		return -1;
	return fsx_open_dir(b->domain, b->name);
}

/* Leaves the process one folder; opens the Maildir in it. 0 or -1. */
static int
confine(struct box *b)
{
	static const struct proc_limits limits = { .memory = 512u << 20,
		.files = 256, .processes = PROC_NO_FORK };
	bool is_wide = (b->rights & BOX_MAY_PURGE) != 0 || *b->name == '\0';
	struct sandbox_path kept = { -1, (b->rights & (BOX_MAY_WRITE |
	    BOX_MAY_REMOVE | BOX_MAY_PURGE | BOX_MAY_EMPTY)) != 0 };
	struct sandbox_got got;
	int mailbox = open_mailbox(b);

	if (mailbox == -1 && errno != ENOENT)
		return -1;
	kept.dirfd = is_wide ? b->domain : mailbox;
	if (proc_drop_to(getuid(), getgid(), NULL, &limits) == -1 ||
	    sandbox_enter(SANDBOX_MAILBOX, &kept, kept.dirfd == -1 ? 0 : 1,
	    &got) == -1)
		return -1;
	b->maildir = -1;
	if (mailbox != -1) {
		b->maildir = maildir_open(mailbox, "Maildir",
		    (b->rights & BOX_MAY_WRITE) != 0);
		if (b->maildir == -1 && errno != ENOENT)
			return -1;
		close(mailbox);
	}
	if (!is_wide)
		close(b->domain);
	return 0;
}

/* The arguments of malle-spawn. 0 or -1. */
static int
take_arguments(struct box *b, int argc, char **argv)
{
	char domain[ADDR_DOMAIN_MAX + 1], name[ADDR_LOCAL_MAX + 1];
	uint64_t rights;

	if (argc != 6 || addr_domain(slice_of(argv[1]), domain) == -1 ||
	    num_parse(slice_of(argv[3]), 1, BOX_RIGHTS, &rights) == -1 ||
	    num_parse(slice_of(argv[4]), 0, INT64_MAX,
	    &b->quota_bytes) == -1 ||
	    num_parse(slice_of(argv[5]), 0, INT64_MAX,
	    &b->quota_messages) == -1)
		return -1;
	/* Without a name: all of the domain, to be purged, or for numbers. */
	if (*argv[2] == '\0' ?
	    rights != BOX_MAY_PURGE && rights != BOX_MAY_MEASURE :
	    addr_account(slice_of(argv[2]), name) == -1)
		return -1;
	b->name = argv[2];
	b->rights = (unsigned)rights;
	return 0;
}

int
main(int argc, char **argv)
{
	static struct box b;

	log_open("malle-mailbox");
	if (argc == 2 && strcmp(argv[1], "-h") == 0) {
		fputs(usage_text, stdout);
		return EX_OK;
	}
	if (take_arguments(&b, argc, argv) == -1) {
		fputs(usage_text, stderr);
		return EX_USAGE;
	}
	b.asker = proc_fd("asker");
	b.domain = proc_fd("mail");
	if (b.asker == -1 || b.domain == -1) {
		fputs("malle-mailbox: no descriptors in MALLE_FDS: it is "
		    "started by malle-spawn, not by hand\n", stderr);
		return EX_USAGE;
	}
	umask(077);
	proc_title("malle-mailbox");
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
	if (ipc_timeout(b.asker, ASKER_WAIT) == -1 ||
	    proc_close_others(NULL, 0) == -1 || confine(&b) == -1) {
		log_error(NULL, "start", "domain=%s mailbox=%s error=%s",
		    LOGS(argv[1]), LOGS(argv[2]), LOGS(strerror(errno)));
		return EX_OSERR;
	}
	if (serve(&b) == -1 && errno != ECONNRESET && errno != EPIPE)
		log_notice(NULL, "asker", "domain=%s mailbox=%s error=%s",
		    LOGS(argv[1]), LOGS(argv[2]), LOGS(strerror(errno)));
	box_forget_pending(&b);
	return EX_OK;
}
