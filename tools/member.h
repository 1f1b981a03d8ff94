/* member.h - the names and the settings in the archive of a mailbox. */
#ifndef TOOLS_MEMBER_H
#define TOOLS_MEMBER_H
/* SPDX-License-Identifier: ISC */

#include "lib/proto_mailbox.h"
#include "lib/proto_registry.h"
#include "lib/str.h"

#define MEMBER_SETTINGS "settings.txt"
#define MEMBER_SETTINGS_MAX 262144
#define MEMBER_PATH_MAX 700

/* "mail/INBOX/cur/UNIQUE,S=5:2,S" in out[MEMBER_PATH_MAX]. */
void member_path(const struct box_message *m, char *out);

/*
 * What a path says of a message: folder, unique, flags, is_new; the rest of
 * *out is left. Nothing of the path is used but these, each judged; a "./"
 * before it is allowed. 0, or -1: it names no message.
 */
int member_parse(struct slice path, struct box_message *out)
    __attribute__((warn_unused_result));

/* "name: value" lines; a line end in a value is followed by a tab. */
void settings_write(struct str *out, const struct registry_fields *f);
/* Adds the fields that an owner may set again; values are unfolded in place,
 * in text. 0, or -1: it is not such a text. */
int settings_parse(char *text, size_t len, struct registry_fields *f)
    __attribute__((warn_unused_result));

#endif
