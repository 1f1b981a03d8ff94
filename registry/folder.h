/* folder.h - which mailbox a folder below a domain's belongs to. */
#ifndef REGISTRY_FOLDER_H
#define REGISTRY_FOLDER_H
/* SPDX-License-Identifier: ISC */

#include "registry/operation.h"

/* Where the mail of a mailbox, or of a removed one, is: mostly its name. */
struct slice folder_of(const struct object *o);

/* Before a change is written: remembers folders with another name. 0 or -1. */
int folder_note(struct registry *r, const struct object *before,
    const struct object *after) __attribute__((warn_unused_result));

/* Whether o's folder holds the mail of another mailbox, or of one that was
 * deleted: its address in whose[ADDR_TEXT_MAX]. 1, 0, -1. */
int folder_taken(struct registry *r, const struct object *o, char *whose)
    __attribute__((warn_unused_result));

/* Refuses a mailbox in the folder of another one; with removed: of one that was
 * deleted, too. */
enum registry_result folder_judge(struct request *q, const struct object *o,
    bool removed);

/* "NAME-2": the local part of an address with a number, in
 * out[ADDR_LOCAL_MAX + 1]. The name itself and the numbers from 2 to
 * FOLDERS_MAX - 2 are tried before giving up. */
#define FOLDERS_MAX 1000
void folder_numbered(const char *name, unsigned n, char *out);

/* Gives a new mailbox a folder that is nobody's, when that of its name is
 * somebody's who had this name before. */
enum registry_result folder_choose(struct request *q, struct object *u);

#endif
