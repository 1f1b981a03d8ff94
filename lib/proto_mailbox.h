/* proto_mailbox.h - what may be asked of malle-mailbox about one mailbox. */
#ifndef LIB_PROTO_MAILBOX_H
#define LIB_PROTO_MAILBOX_H
/* SPDX-License-Identifier: ISC */

#include "lib/ipc.h"
#include "lib/addr.h"
#include "lib/maildir.h"
#include "lib/zone.h"

/*
 * Both ends of a SOCK_SEQPACKET pair that malle-registryd has made: one went to
 * malle-spawn, which starts malle-mailbox with the rights that the registry has
 * granted, the other to whoever asked. One request at a time; each is answered
 * by rows, if it has any, and BOX_DONE. A pair that closes without an answer
 * says that the mailbox could not be opened (the log has the reason).
 */
enum box_right {
	BOX_MAY_MEASURE = 1,	/* numbers only */
	BOX_MAY_READ = 2,	/* its mail: the owner */
	BOX_MAY_WRITE = 4,	/* add messages */
	BOX_MAY_REMOVE = 8,	/* single messages: the owner */
	BOX_MAY_PURGE = 16,	/* all of it, for ever */
	BOX_MAY_EMPTY = 32	/* what came by a catch-all, after a notice */
};
#define BOX_RIGHTS 63u

enum box_type {
	BOX_MEASURE = 1,	/* nothing; BOX_FOLDERs */
	BOX_LIST,		/* u32 the biggest so many (0: all), u8 enum
				 * box_detail; BOX_MESSAGEs */
	BOX_READ,		/* a message's place; BOX_CONTENT, no BOX_DONE */
	BOX_WRITE,		/* struct box_message; if BOX_OK: */
	BOX_DATA,		/* ... its content in pieces, not answered, */
	BOX_END,		/* ... all of it; BOX_DONE */
	BOX_SYNC,		/* BOX_DONE: what was written stays for ever */
	BOX_REMOVE,		/* a message's place */
	BOX_PURGE,		/* nothing */
	BOX_USAGE,		/* nothing; of a whole domain: BOX_USEDs */
	BOX_STRAYS,		/* struct box_strays: one daily round */

	BOX_FOLDER = 32,	/* text folder, u64 messages, u64 bytes */
	BOX_MESSAGE,		/* struct box_message, struct box_headers; with
				 * a descriptor to read it from, if asked for */
	BOX_CONTENT,		/* u64 size, with a descriptor to read it from */
	BOX_DONE,		/* u8 box_result, text reason */
	BOX_USED		/* text mailbox's folder, u64 messages, u64
				 * bytes; or BOX_UNKNOWN: it cannot be read */
};

#define BOX_UNKNOWN UINT64_MAX

enum box_detail { BOX_PLACES, BOX_HEADERS, BOX_CONTENTS };

enum box_result {
	BOX_OK,
	BOX_EXISTS,		/* a message of that name is there already */
	BOX_NO_ROOM,		/* the quota, or the disk */
	BOX_NOT_FOUND,
	BOX_REFUSED,		/* the right was not granted */
	BOX_INVALID,		/* a name or a size that cannot be */
	BOX_FAILED,		/* reason says why */
	BOX_RESULTS
};

#define BOX_FOLDER_MAX 255	/* as the longest name of a folder */
#define BOX_UNIQUE_MAX 160
#define BOX_FLAGS_MAX 52
#define BOX_PIECE 32768		/* of content in one BOX_DATA */
#define BOX_BATCH 64		/* messages written before a BOX_SYNC */
#define BOX_SIZE_MAX (UINT64_C(1) << 32)	/* of one message */
#define BOX_HEADER_MAX 400	/* bytes of one decoded field */

/* A message and where it is. folder is "" for the inbox, else ".Name". */
struct box_message {
	char folder[BOX_FOLDER_MAX + 1];
	char unique[BOX_UNIQUE_MAX + 1];	/* what its file's name begins with */
	char flags[BOX_FLAGS_MAX + 1];	/* letters, as behind ":2," */
	bool is_new;			/* no program has seen it */
	uint64_t size;			/* bytes, as stored */
	int64_t time;			/* when it came, s since 1970 */
};

/* Decoded, clean UTF-8; empty when it has none, or they were not asked for. */
struct box_headers {
	struct slice date, from, subject;
};

/* How long mail that came by a catch-all alone is kept, and what its owner is
 * told with. */
struct box_strays {
	uint32_t days;
	char address[ADDR_TEXT_MAX];		/* of the mailbox */
	char hostname[ADDR_DOMAIN_MAX + 1];	/* of the mail server */
	char language[3];
	char zone[ZONE_RULE_MAX];	/* the rule of its clocks; "": our own */
};

/* True for what may be a folder: "", or ".Name", ".Name.Below". */
bool box_is_folder(struct slice s);
/* True for what a message's name may begin with. */
bool box_is_unique(struct slice s);
/* True for flags of a message. */
bool box_is_flags(struct slice s);

void box_message_pack(struct packer *k, const struct box_message *m);
/* Every field is judged. 0, or -1 with *out untouched. */
int box_message_unpack(struct unpacker *u, struct box_message *out)
    __attribute__((warn_unused_result));
/* A message's place is its folder and its unique. */
void box_place_pack(struct packer *k, const struct box_message *m);
int box_place_unpack(struct unpacker *u, struct box_message *out)
    __attribute__((warn_unused_result));
void box_strays_pack(struct packer *k, const struct box_strays *s);
/* All of the request is judged. 0, or -1 with *out untouched. */
int box_strays_unpack(struct unpacker *u, struct box_strays *out)
    __attribute__((warn_unused_result));
void box_headers_pack(struct packer *k, const struct box_headers *h);
void box_headers_unpack(struct unpacker *u, struct box_headers *out);

#endif
