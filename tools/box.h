/* box.h - malle's side of malle-mailbox. */
#ifndef TOOLS_BOX_H
#define TOOLS_BOX_H
/* SPDX-License-Identifier: ISC */

#include "lib/proto_mailbox.h"
#include "tools/account.h"

/* A mailbox that malle-mailbox has open for us. */
struct box_link {
	const struct malle *m;
	int fd;
	size_t waiting;		/* written or met, not yet durable for sure */
	char reason[256];	/* of the last failure */
	unsigned char space[IPC_MAX];
};

/*
 * Asks the registry with these fields and opens the mailbox. Exit status: when
 * it is not EX_OK it was said on stderr, unless quiet. box_close() ends it.
 */
int box_open(struct box_link *b, const struct malle *m, const char *operation,
    const struct registry_fields *f, bool quiet);
void box_close(struct box_link *b);

/*
 * The fields of a request that only the owner may make: the address, and a
 * password, that of --as or asked for (secret has SECRET_MAX + 1 bytes). The
 * fields point into secret. 0, or -1 after saying why.
 */
int box_owner(const struct malle *m, const char *address, char *secret,
    struct registry_fields *f) __attribute__((warn_unused_result));

/*
 * One request; row is called for each row, which it must unpack to its end: 0
 * goes on. The result, or -1: the connection is lost, or row has failed; then
 * nothing more can be asked.
 */
int box_ask(struct box_link *b, uint16_t type, const struct packer *k,
    int (*row)(void *arg, struct ipc_msg *m), void *arg)
    __attribute__((warn_unused_result));

/* The next bytes of a message, up to BOX_PIECE: 0 when there are no more, -1
 * when they cannot be read. */
typedef ssize_t box_source(void *arg, char *piece);
/* Writes one message and, now and then, makes what was written durable. The
 * result; -1 as above, or BOX_FAILED when the source failed. */
int box_put(struct box_link *b, const struct box_message *m,
    box_source *source, void *arg) __attribute__((warn_unused_result));
/* Makes all that was written durable. */
int box_settle(struct box_link *b) __attribute__((warn_unused_result));

/* What a result means, in the caller's language, with the reason. */
const char *box_why(struct box_link *b, int result);

/* How a folder is shown: "INBOX", or its name without the dot. */
const char *box_folder_name(const char *folder);

#endif
