/* mailbox.h - the Maildirs that malle-local has open. */
#ifndef DELIVER_MAILBOX_H
#define DELIVER_MAILBOX_H
/* SPDX-License-Identifier: ISC */

#include "lib/addr.h"
#include "lib/maildir.h"

/* One Maildir. Its descriptors stay open until room is needed for another. */
struct mailbox {
	char name[ADDR_LOCAL_MAX + 1];	/* the account; "" is a free place */
	int fd, tmp, new;
	dev_t dev;		/* of new, to see that it is still the one */
	ino_t ino;
	uint64_t used;		/* clock of the last use */
	uint64_t group;		/* that uses it now: it must stay open */
	time_t cleaned;		/* when tmp was last looked through */
	uint64_t *known;	/* see mailbox_may_know(); sorted */
	size_t nknown;
	bool has_known;

	/* what the group at work knows and does */
	bool counted;		/* usage is known */
	uint64_t quota_bytes, quota_messages;
	struct maildir_usage usage;	/* the group's own copies included */
	int64_t added_bytes, added_messages;
	uint64_t grown_bytes, grown_messages;	/* durable, by this group */
	bool published;		/* new has names that are not durable yet */

	/* for who is to be warned that it is full */
	unsigned warning;	/* percent; 0: nobody */
	char language[3], account[ADDR_LOCAL_MAX + 1];
};

#define MAILBOXES_KEPT 96

struct mailboxes {
	int mailfd;		/* the domain's folder; borrowed */
	uint64_t clock;
	uint64_t group;		/* number of the group at work */
	bool made;		/* the group has made folders: sync them too */
	size_t known;		/* in all of v */
	struct mailbox v[MAILBOXES_KEPT];
};

void mailboxes_init(struct mailboxes *m, int mailfd);
void mailboxes_close(struct mailboxes *m);

/* A new group begins: nothing is known, nothing is held open. */
void mailboxes_begin(struct mailboxes *m);

/*
 * The Maildir of an account, made when it is missing; valid until the next
 * mailboxes_begin(). name must be an account's (addr_account). NULL with errno;
 * ENFILE when the group holds MAILBOXES_KEPT others.
 */
struct mailbox *mailbox_get(struct mailboxes *m, const char *name);

/* Learns what is in it, once in a group. 0, or -1 with errno. */
int mailbox_count(struct mailbox *b, uint64_t quota_bytes,
    uint64_t quota_messages) __attribute__((warn_unused_result));

/* Counts it anew when what is known is old: before somebody is refused. */
int mailbox_recount(struct mailbox *b) __attribute__((warn_unused_result));

/* True when a message of size bytes has room. mailbox_count() came first. */
bool mailbox_has_room(const struct mailbox *b, uint64_t size);

/* Reserves room, or gives it back. */
void mailbox_add(struct mailbox *b, uint64_t size);
void mailbox_subtract(struct mailbox *b, uint64_t size);

/*
 * False when new and cur certainly did not have the message of this name when
 * the Maildir was opened; reads both folders once. For messages that another
 * worker may have delivered before it died.
 */
bool mailbox_may_know(struct mailboxes *m, struct mailbox *b, const char *name);

/* True when a part ("new", "cur") of a folder (".": the inbox) has the message
 * of this name, whatever its sizes and flags are. */
bool mailbox_has(const struct mailbox *b, const char *folder,
    const char *part, const char *name);

/* What an account holds, without making anything: a missing one holds
 * nothing. Counted anew when what is known is old and leaves no room for size
 * bytes. 0, or -1 with errno. */
int mailbox_measure(struct mailboxes *m, const char *name,
    uint64_t quota_bytes, uint64_t quota_messages, uint64_t size,
    struct maildir_usage *out) __attribute__((warn_unused_result));

#endif
