/* usage.c - what each mailbox of a domain holds. */
/* SPDX-License-Identifier: ISC */

/*
 * Asked for by whoever lists thousands: a maildirsize is believed, and only a
 * mailbox that has none is counted. Nothing is written.
 */

#include "mailbox/box.h"

#include <dirent.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "lib/addr.h"
#include "lib/fsx.h"
#include "lib/log.h"

/* 0, or -1 with errno. */
static int
measure(int domain, const char *name, struct maildir_usage *out)
{
	int user = fsx_open_dir(domain, name), fd, r, saved;

	if (user == -1)
		return -1;
	fd = maildir_open(user, "Maildir", false);
	r = fd == -1 ? -1 : maildir_peek(fd, out);
	saved = errno;
	if (fd != -1)
		close(fd);
	close(user);
	errno = saved;
	return r;
}

/* The row of one folder of the domain. -1 when the asker is gone. */
static int
send_one(struct box *b, const char *name)
{
	char account[ADDR_LOCAL_MAX + 1];
	struct maildir_usage usage = { .bytes = BOX_UNKNOWN,
		.messages = BOX_UNKNOWN };
	struct packer k;

	/* What is put aside to be purged begins with a dot. */
	if (addr_account(slice_of(name), account) == -1)
		return 0;
	if (measure(b->domain, name, &usage) == -1) {
		if (errno == ENOENT || errno == ENOTDIR || errno == ELOOP)
			return 0;	/* no mailbox */
		log_error(NULL, "mailbox-failed", "mailbox=%s reason=%s",
		    LOGS(name), LOGS(strerror(errno)));
	}
	pack_init(&k, b->out, sizeof(b->out));
	pack_bytes(&k, slice_of(name));
	pack_u64(&k, usage.messages);
	pack_u64(&k, usage.bytes);
	return box_send(b, BOX_USED, &k, -1);
}

int
box_usage(struct box *b, struct ipc_msg *request)
{
	struct dirent *e;
	int r = 0;
	DIR *d;

	if (!unpack_end(&request->body)) {
		errno = EBADMSG;
		return -1;
	}
	if (*b->name != '\0')
		return box_done(b, BOX_REFUSED, "");
	if ((d = fsx_open_list(b->domain, ".")) == NULL)
		return box_failed(b);
	while (r == 0 && (e = fsx_next(d)) != NULL)
		r = send_one(b, e->d_name);
	fsx_close_list(d);
	if (r == -1)
		return -1;
	return errno != 0 ? box_failed(b) : box_done(b, BOX_OK, "");
}
