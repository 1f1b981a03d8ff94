/* store.h - the folders and files of the queue. */
#ifndef QUEUE_STORE_H
#define QUEUE_STORE_H
/* SPDX-License-Identifier: ISC */

#include "queue/envelope.h"
#include "queue/id.h"

struct store {
	int dirfd;		/* queue/; borrowed */
	int shards[ID_SHARDS];
	int corrupt, dbl;	/* corrupt/ and double/ */
};

/* Opens the folders below dirfd, makes those that are missing. 0, or -1. */
int store_open(struct store *s, int dirfd) __attribute__((warn_unused_result));
void store_close(struct store *s);

/* A new file under its final name, for reading and writing. */
int store_create(const struct store *s, const char *id);
/* flags: O_RDONLY or O_RDWR. The descriptor, or -1 with errno. */
int store_file(const struct store *s, const char *id, int flags);
int store_remove(const struct store *s, const char *id);
/* Into corrupt/ or double/, made durable. 0, or -1 with errno. */
int store_move(const struct store *s, const char *id, int folder)
    __attribute__((warn_unused_result));

/* What is read of a message's file at a restart, and before it is delivered. */
struct store_head {
	struct header header;
	struct message_state state;
	uint64_t size;		/* of the file: where the tail ends */
};

/* HEADER_OK fills out; a damaged message state is made anew from the header.
 * -1 with errno when it cannot be read. */
int store_read_head(int fd, struct store_head *out,
    enum header_verdict *verdict) __attribute__((warn_unused_result));

/* The envelope with the recipients' states. NULL with errno (EBADMSG). */
struct envelope *store_read_envelope(int fd, const struct header *h);

/* Reads all of the content. 0, or -1 with errno: EBADMSG when its checksum
 * is wrong. */
int store_verify(int fd, const struct header *h)
    __attribute__((warn_unused_result));

/* The reply at this offset of the tail. 0, or -1 with errno. */
int store_read_reply(int fd, uint64_t offset, struct reply *out)
    __attribute__((warn_unused_result));

/* Calls found for each name in a shard, with its id, or with NULL and the name
 * for what is no message's. 0, or -1 with errno. */
int store_scan(const struct store *s, unsigned shard,
    void (*found)(void *arg, const char *id, const char *name), void *arg)
    __attribute__((warn_unused_result));

#endif
