/* admins.c - which users of this machine administer. */
/* SPDX-License-Identifier: ISC */

#include "registry/admins.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/fsx.h"
#include "lib/num.h"

#define ETC_FILE_MAX (4 * 1024 * 1024)

/* The number in field n (from 0) of a line with ':' between fields. */
static int
number_field(struct slice line, int n, uint64_t *out)
{
	while (n-- > 0)
		slice_cut(&line, ':');
	return line.p == NULL ? -1 :
	    num_parse(slice_cut(&line, ':'), 0, UINT32_MAX - 1, out);
}

/* The line whose first field is name; .p NULL when there is none. */
static struct slice
find_line(struct slice file, struct slice name)
{
	struct slice line, rest;

	while (file.p != NULL) {
		rest = line = slice_cut(&file, '\n');
		if (slice_eq(slice_cut(&rest, ':'), name))
			return line;
	}
	return (struct slice){ NULL, 0 };
}

static void
add_members(struct admins *a, struct slice group_line, struct slice passwd)
{
	struct slice members = group_line, line;
	uint64_t uid;

	for (int i = 0; i < 3; i++)
		slice_cut(&members, ':');
	while (members.p != NULL && a->n < ADMINS_MAX) {
		line = find_line(passwd, slice_cut(&members, ','));
		if (line.p != NULL && number_field(line, 2, &uid) == 0)
			a->uid[a->n++] = (uid_t)uid;
	}
}

int
admins_load(int etcfd, const char *group, struct admins *a)
{
	char *groups = NULL, *users = NULL;
	size_t groups_len, users_len;
	struct admins loaded = { 0 };
	struct slice line;
	uint64_t gid;
	int r = -1;

	if (fsx_read_file(etcfd, "group", ETC_FILE_MAX, &groups,
	    &groups_len) == -1 ||
	    fsx_read_file(etcfd, "passwd", ETC_FILE_MAX, &users,
	    &users_len) == -1)
		goto out;
	line = find_line(slice_make(groups, groups_len), slice_of(group));
	if (*group != '\0' && line.p != NULL &&
	    number_field(line, 2, &gid) == 0) {
		loaded.has_group = true;
		loaded.gid = (gid_t)gid;
		add_members(&loaded, line, slice_make(users, users_len));
	}
	*a = loaded;
	r = 0;
out:
	free(groups);
	free(users);
	return r;
}

bool
admins_has(const struct admins *a, uid_t uid, gid_t gid)
{
	if (uid == 0 || uid == geteuid() || (a->has_group && gid == a->gid))
		return true;
	for (size_t i = 0; i < a->n; i++)
		if (a->uid[i] == uid)
			return true;
	return false;
}
