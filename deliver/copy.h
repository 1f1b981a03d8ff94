/* copy.h - one message as it lies in a Maildir: name, header lines, content. */
#ifndef DELIVER_COPY_H
#define DELIVER_COPY_H
/* SPDX-License-Identifier: ISC */

#include "lib/proto_local.h"

#define COPY_UNIQUE_MAX 70	/* what a POP3 UID may have, RFC 1939 7 */

/*
 * The unique part of the file name in out[COPY_UNIQUE_MAX + 1]:
 * SECONDS.MIDRNUMBER.HOST, from the queue's id (which begins with its time),
 * the recipient's number and our host name alone. So a delivery that is done
 * again after a crash gives the same name. 0, or -1: no id of the queue.
 */
int copy_unique(const char *id, uint32_t recipient, const char *hostname,
    char *out) __attribute__((warn_unused_result));

/* The same of a message of our own: SECONDS.WHAT.HOST. */
void copy_unique_of(uint64_t seconds, const char *what, const char *hostname,
    char *out);
/* Its name in the Maildir, with the sizes of its text, in
 * name[MAILDIR_NAME_MAX + 1]. 0, or -1 with errno: too long. */
int copy_name_of(const char *unique, struct slice text, char *name)
    __attribute__((warn_unused_result));

/* When the message was accepted, read from its id; 0 when it does not tell. */
uint64_t copy_id_time(const char *id);

/* The lines that delivery puts before the message: Return-Path (RFC 5321 4.4)
 * and Delivered-To. In out[COPY_PREFIX_MAX]; returns their length. */
#define COPY_PREFIX_MAX (2 * ADDR_TEXT_MAX + 64)
size_t copy_prefix(const struct local_job *j, char *out);

/* Room for a piece of content, with the prefix in front of the first one. */
#define COPY_PIECE (256 * 1024)
struct copier {
	const char *domain;	/* that the mailboxes are of; borrowed */
	char space[COPY_PREFIX_MAX + COPY_PIECE];
};

enum copy_status {
	COPY_OK,
	COPY_LOOP,		/* this address, or its mailbox, had it before */
	COPY_SOURCE,		/* the queue's file: errno; ENODATA: short */
	COPY_TARGET		/* our file: errno */
};

/*
 * Writes prefix and content, read from the descriptor from, to the descriptor
 * to. *size and *wire_size are what S= and W= of the name tell. Only the first
 * COPY_PIECE bytes are searched for Delivered-To.
 */
enum copy_status copy_message(struct copier *c, const struct local_job *j,
    int from, int to, uint64_t *size, uint64_t *wire_size);

#endif
