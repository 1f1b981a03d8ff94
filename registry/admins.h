/* admins.h - which users of this machine administer. */
#ifndef REGISTRY_ADMINS_H
#define REGISTRY_ADMINS_H
/* SPDX-License-Identifier: ISC */

#include <stdbool.h>
#include <sys/types.h>

#define ADMINS_MAX 256

/* Root, ourselves, and the members of one group. */
struct admins {
	bool has_group;
	gid_t gid;
	uid_t uid[ADMINS_MAX];
	size_t n;
};

/*
 * Reads group and passwd in the folder etcfd (no NSS: the process is in its
 * chroot). A group that does not exist has no members, which is no error.
 * 0, or -1 with errno and *a untouched.
 */
int admins_load(int etcfd, const char *group, struct admins *a)
    __attribute__((warn_unused_result));

/* True for root, our own uid, a member, or who has the group as its own. */
bool admins_has(const struct admins *a, uid_t uid, gid_t gid);

#endif
