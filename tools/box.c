/* box.c - malle's side of malle-mailbox. */
/* SPDX-License-Identifier: ISC */

#include "tools/box.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#define REASON_MAX 128		/* of malle-mailbox */
#define ANSWER_WAIT 600		/* s: a purge may take a while */

int
box_open(struct box_link *b, const struct malle *m, const char *operation,
    const struct registry_fields *f, bool quiet)
{
	struct registry_fields all = *f;
	char text[1024] = "";
	int fd, verdict;

	*b = (struct box_link){ .m = m, .fd = -1 };
	if ((fd = malle_connect(m, "registry.sock")) == -1)
		return EX_UNAVAILABLE;
	caller_add(m, &all);
	verdict = registry_call_fd(fd, operation, &all, NULL, NULL, text,
	    sizeof(text), &b->fd);
	close(fd);
	if (verdict == REGISTRY_OK && b->fd != -1)
		return ipc_timeout(b->fd, ANSWER_WAIT) == -1 ? EX_OSERR : EX_OK;
	if (quiet)
		return EX_TEMPFAIL;
	return verdict == REGISTRY_OK ? EX_PROTOCOL :
	    registry_verdict(m, verdict, text);
}

void
box_close(struct box_link *b)
{
	if (b->fd != -1)
		close(b->fd);
	b->fd = -1;
}

int
box_owner(const struct malle *m, const char *address, char *secret,
    struct registry_fields *f)
{
	const char *who = m->as != NULL ? m->as : address;

	if (m->as == NULL && secret_own(m, secret) == -1)
		return -1;
	registry_add(f, "address", slice_of(address));
	registry_add(f, "as", slice_of(who));
	registry_add(f, "current",
	    slice_of(m->as != NULL ? m->current : secret));
	return 0;
}

/* The answer that a request ends with; the result, or -1. */
static int
take_done(struct box_link *b, struct ipc_msg *m)
{
	uint8_t result = unpack_u8(&m->body);
	struct slice reason = unpack_text(&m->body, REASON_MAX);

	if (m->type != BOX_DONE || !unpack_end(&m->body) ||
	    result >= BOX_RESULTS) {
		errno = EBADMSG;
		return -1;
	}
	if (result == BOX_FAILED)
		snprintf(b->reason, sizeof(b->reason), tr(b->m, "the mailbox "
		    "has failed: %.*s; look into the log for malle-mailbox",
		    "la boîte est en panne : %.*s ; voyez malle-mailbox dans "
		    "le journal"), SLICE_FMT(reason));
	return result;
}

/* One answer. 1 with *m, or -1. */
static int
receive(struct box_link *b, struct ipc_msg *m)
{
	int r = ipc_recv(b->fd, b->space, m);

	if (r == 0)
		errno = ECONNRESET;
	return r == 1 ? 1 : -1;
}

int
box_ask(struct box_link *b, uint16_t type, const struct packer *k,
    int (*row)(void *arg, struct ipc_msg *m), void *arg)
{
	struct ipc_msg m;
	int r;

	b->reason[0] = '\0';
	if (ipc_send(b->fd, type, k, NULL, 0) == -1)
		return -1;
	while (receive(b, &m) == 1) {
		if (m.type == BOX_DONE || row == NULL) {
			ipc_close_fds(&m);
			return take_done(b, &m);
		}
		r = row(arg, &m);
		ipc_close_fds(&m);
		if (r != 0)
			return -1;
	}
	return -1;
}

int
box_settle(struct box_link *b)
{
	if (b->waiting == 0)
		return BOX_OK;
	b->waiting = 0;
	return box_ask(b, BOX_SYNC, NULL, NULL, NULL);
}

/* The pieces and the end. False: the source has failed; *gone: malle-mailbox. */
static bool
send_content(struct box_link *b, box_source *source, void *arg, bool *gone)
{
	char piece[BOX_PIECE];
	struct packer k;
	ssize_t n;

	while ((n = source(arg, piece)) > 0) {
		k = (struct packer){ (unsigned char *)piece, (size_t)n,
			sizeof(piece), false };
		if (ipc_send(b->fd, BOX_DATA, &k, NULL, 0) == -1) {
			*gone = true;
			return true;
		}
	}
	return n == 0;
}

int
box_put(struct box_link *b, const struct box_message *m, box_source *source,
    void *arg)
{
	unsigned char space[2 * BOX_FOLDER_MAX + 2 * BOX_UNIQUE_MAX];
	bool gone = false, whole;
	struct packer k;
	int result;

	pack_init(&k, space, sizeof(space));
	box_message_pack(&k, m);
	result = box_ask(b, BOX_WRITE, &k, NULL, NULL);
	/* What is there may not be durable yet, either. */
	if (result == BOX_EXISTS && b->waiting == 0)
		b->waiting = 1;
	if (result != BOX_OK)
		return result;
	whole = send_content(b, source, arg, &gone);
	/* What is not whole is refused by its size. */
	if (gone || (result = box_ask(b, BOX_END, NULL, NULL, NULL)) == -1)
		return -1;
	if (!whole) {
		snprintf(b->reason, sizeof(b->reason), "%s", tr(b->m,
		    "the message cannot be read",
		    "le message ne peut pas être lu"));
		return BOX_FAILED;
	}
	if (result == BOX_OK && ++b->waiting == BOX_BATCH)
		return box_settle(b);
	return result;
}

const char *
box_why(struct box_link *b, int result)
{
	static const struct text {
		const char *english, *french;
	} why[BOX_RESULTS] = {
		[BOX_EXISTS] = { "it is there already", "il y est déjà" },
		[BOX_NO_ROOM] = { "there is no room for it (quota or disk)",
		    "la place manque (quota ou disque)" },
		[BOX_NOT_FOUND] = { "there is no such message",
		    "ce message n'existe pas" },
		[BOX_REFUSED] = { "this right was not given",
		    "ce droit n'est pas donné" },
		[BOX_INVALID] = { "its name or size cannot be used",
		    "son nom ou sa taille est inutilisable" },
	};

	if (result == -1)
		snprintf(b->reason, sizeof(b->reason), "%s", tr(b->m,
		    "the mailbox does not answer; look into the log for "
		    "malle-spawn and malle-mailbox", "la boîte ne répond pas ; "
		    "voyez malle-spawn et malle-mailbox dans le journal"));
	else if (result != BOX_FAILED && result < BOX_RESULTS &&
	    why[result].english != NULL)
		snprintf(b->reason, sizeof(b->reason), "%s",
		    tr(b->m, why[result].english, why[result].french));
	return b->reason;
}

const char *
box_folder_name(const char *folder)
{
	return *folder == '\0' ? "INBOX" : folder + 1;
}
