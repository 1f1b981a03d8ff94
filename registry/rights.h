/* rights.h - whose an object is, and what a manager may do with it. */
#ifndef REGISTRY_RIGHTS_H
#define REGISTRY_RIGHTS_H
/* SPDX-License-Identifier: ISC */

#include "registry/operation.h"

#define LOGIN_ADMIN "admin"	/* the manager of that name administers all */

/*
 * Who asks with the fields "as" and "current": the hash that must match goes
 * to known[PASSWORD_HASH_MAX], the canonical name to q->account, the role to
 * q->role. An unknown name has a hash that nothing matches.
 */
void rights_login(struct request *q, char *known);

/* Whether the role may do the operation at all, whether this manager was given
 * the right, and whether the object named is the asker's. */
enum registry_result rights_judge(struct request *q);

/* Whether the asker may see (and, with the right, change) this object. */
enum registry_result rights_scope(struct request *q, const struct kind *k,
    const char *name);
/* The same without a sentence. 1, 0, -1 with errno. */
int rights_see(struct request *q, const struct kind *k, const char *name)
    __attribute__((warn_unused_result));
/* The right itself: only a manager can lack it. */
enum registry_result rights_have(struct request *q, enum right right,
    const struct kind *k);

/* "You may not do this", with who may. */
enum registry_result rights_refuse(struct request *q);

/* Prints operations[] as a table of operation x role. */
void rights_print(void);

#endif
