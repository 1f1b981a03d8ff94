/* maildrop.h - the messages of a Maildir as one POP3 session sees them. */
#ifndef POP3D_MAILDROP_H
#define POP3D_MAILDROP_H
/* SPDX-License-Identifier: ISC */

#include <stdbool.h>
#include <stdint.h>

#include "lib/maildir.h"

#define MAILDROP_MAX 10000000	/* messages in one mailbox */
#define MAILDROP_UID_MAX 70	/* RFC 1939 section 7, UIDL */

#define MESSAGE_CUR 1u		/* in cur/, else in new/ */
#define MESSAGE_DELETED 2u	/* marked by DELE */
#define MESSAGE_GONE 4u		/* another program has removed the file */
#define MESSAGE_MEASURED 8u	/* the name lacks a size that we know now */
#define MESSAGE_TWIN 16u	/* another file has the same unique part */

/* 32 bytes: 100,000 of them and their names fit ten megabytes. */
struct message {
	uint64_t arrival;	/* seconds, from the name */
	uint64_t size;		/* S=, UINT64_MAX when it is not known */
	uint64_t wire;		/* W=, UINT64_MAX when it is not known */
	uint32_t name;		/* where in names; NUL-terminated */
	uint8_t len, unique_len;
	uint8_t flags;
};

/*
 * Listed once, when the session begins, in the order of arrival; what comes
 * later is the next session's. Files are never opened to list them. Other
 * programs may rename and remove files meanwhile: a message is found again by
 * the unique part of its name, and is MESSAGE_GONE when it is not.
 */
struct maildrop {
	int folder[2];		/* new, cur */
	struct message *messages;
	size_t n, cap;
	char *names;
	size_t names_len, names_cap;
};

/* Lists maildirfd (borrowed). 0, or -1 with errno and *d empty. */
int maildrop_open(struct maildrop *d, int maildirfd)
    __attribute__((warn_unused_result));
void maildrop_close(struct maildrop *d);

const char *maildrop_name(const struct maildrop *d, const struct message *m);
int maildrop_folder(const struct maildrop *d, const struct message *m);

/* Opens a message for reading; *size is that of the file. The descriptor, or
 * -1 with errno (ENOENT: it is gone, and marked so). */
int maildrop_read(struct maildrop *d, struct message *m, uint64_t *size)
    __attribute__((warn_unused_result));

/* Reads a message once if its name does not tell its size on the wire. 0, or
 * -1 with errno. */
int maildrop_measure(struct maildrop *d, struct message *m)
    __attribute__((warn_unused_result));

/* Looks again where every message is. 0, or -1 with errno. */
int maildrop_refind(struct maildrop *d) __attribute__((warn_unused_result));

/*
 * The UID of a message, for ever the same: the unique part of its name where
 * that is 1 to 70 characters from 0x21 to 0x7E, else a hash of it. Returns out.
 */
char *maildrop_uid(const struct maildrop *d, const struct message *m,
    char out[MAILDROP_UID_MAX + 1]);

#endif
