/* box.h - what the files of malle-mailbox share: one mailbox, one asker. */
#ifndef MAILBOX_BOX_H
#define MAILBOX_BOX_H
/* SPDX-License-Identifier: ISC */

#include "lib/proto_mailbox.h"
#include "mailbox/known.h"

#define BOX_FOLDERS_MAX 10000

/* A message that is written and waits in tmp for BOX_SYNC. */
struct box_pending {
	int folderfd;
	int fd;			/* the file, not yet synced */
	bool is_new;
	uint64_t size;
	char tmp[32];		/* its name in tmp */
	char name[MAILDIR_NAME_MAX + 1];	/* in new or cur */
};

struct box {
	int asker;		/* the pair */
	int domain;		/* the domain's folder */
	int maildir;		/* or -1: there is none */
	const char *name;	/* the mailbox's folder; "" to purge a domain */
	unsigned rights;
	uint64_t quota_bytes, quota_messages;	/* 0: none */
	uint64_t stamp;		/* of what box_walk() has read */

	struct known known;	/* what is there, or waits to be */
	bool knows_all;
	struct maildir_usage usage;	/* with what is pending */
	bool counted;
	struct box_pending pending[BOX_BATCH];
	size_t npending;
	uint64_t serial;	/* of files in tmp */
	/* Messages of others that were met, and folders that were made when we
	 * began, are as durable as our own. */
	bool all_durable;

	unsigned char in[IPC_MAX], out[IPC_MAX];
};

/* box.c: what is in a mailbox. */

/* A message as a folder shows it; the names are valid during the call. */
struct box_file {
	const char *folder;	/* "" or ".Name" */
	int dirfd;		/* its new or cur */
	const char *name;
	struct maildir_name parts;
	bool is_new;
};
/* 0: go on, 1: stop, -1 with errno. */
typedef int box_each_file(void *arg, const struct box_file *f);
typedef int box_each_folder(void *arg, const char *name);

/* Calls each for every message of every folder. What ended it: 0, 1 or -1.
 * folder: called before the messages of each one, or NULL. */
int box_walk(struct box *b, box_each_file *each, box_each_folder *folder,
    void *arg) __attribute__((warn_unused_result));
/* The same for one folder, "" or ".Name"; a missing one has no messages. */
int box_walk_folder(struct box *b, const char *folder, box_each_file *each,
    void *arg) __attribute__((warn_unused_result));
/* The size of a message: from its name, or from the file. 0 or -1. */
int box_size(const struct box_file *f, uint64_t *out)
    __attribute__((warn_unused_result));
/* A folder, made with its parts when it is missing and make says so. */
int box_open_folder(struct box *b, const char *folder, bool make);

/* main.c: answers. -1 when the asker is gone. */
int box_send(struct box *b, uint16_t type, const struct packer *k, int fd)
    __attribute__((warn_unused_result));
int box_done(struct box *b, enum box_result result, const char *reason)
    __attribute__((warn_unused_result));
/* BOX_FAILED, or what errno stands for. */
int box_failed(struct box *b) __attribute__((warn_unused_result));

/* The requests: 0 when answered, -1 with errno when the asker is gone or what
 * it sent is not one. */
typedef int box_act(struct box *b, struct ipc_msg *m);
box_act box_measure, box_list, box_read;		/* show.c */
box_act box_write, box_sync;				/* write.c */
/* Removes what was written and waits for BOX_SYNC: nobody asks for it. */
void box_forget_pending(struct box *b);
box_act box_remove, box_purge;				/* remove.c */
box_act box_usage;					/* usage.c */
box_act box_empty_strays;				/* strays.c */

#endif
