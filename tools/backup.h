/* backup.h - what the files of malle mailbox share. */
#ifndef TOOLS_BACKUP_H
#define TOOLS_BACKUP_H
/* SPDX-License-Identifier: ISC */

#include "tools/box.h"

/* cmd_mailbox.c: opens a mailbox in its owner's name for what is granted by the
 * word want; the exit status. */
int mailbox_open(struct malle *m, const char *address, const char *want,
    struct box_link *b);
/* Says what a result means; the exit status. */
int box_lost(struct box_link *b, int result);
/* What a mailbox holds, asked with these fields; says nothing. 0 or -1. */
int mailbox_numbers(const struct malle *m, const struct registry_fields *f,
    uint64_t *messages, uint64_t *bytes) __attribute__((warn_unused_result));

/* How far a long work has come: on a terminal, now and then. */
struct progress {
	const struct malle *m;
	uint64_t messages, bytes;
	int64_t shown;		/* monotonic ms */
};
void progress_add(struct progress *p, uint64_t bytes);
/* Ends the line. */
void progress_end(const struct progress *p);

/* backup.c, restore.c */
int mailbox_backup(struct malle *m, int argc, char **argv);
int mailbox_contents(struct malle *m, int argc, char **argv);
int mailbox_restore(struct malle *m, int argc, char **argv);

#endif
