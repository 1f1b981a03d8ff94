/* folder.h - the folder of a Maildir that a sub-address names. */
#ifndef DELIVER_FOLDER_H
#define DELIVER_FOLDER_H
/* SPDX-License-Identifier: ISC */

#include <stdbool.h>
#include <stddef.h>

#define FOLDER_NAME_MAX 64	/* bytes of a name that strangers may give */

/*
 * bob+detail: the folder .detail of this Maildir (Maildir++), when its owner
 * has made one; letters without regard to case where only one fits. Nothing is
 * made, and what holds the owner's own mail (Sent, Drafts, Trash) is not given
 * to strangers. True with its name, the dot included, in out.
 */
bool folder_find(int maildir, const char *detail,
    char out[FOLDER_NAME_MAX + 2]);

/* Its new/, or -1 with errno. The caller closes it. */
int folder_open_new(int maildir, const char *folder);

#endif
