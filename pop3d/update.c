/* update.c - the UPDATE state: what QUIT does to the Maildir. */
/* SPDX-License-Identifier: ISC */

#include "pop3d/update.h"

#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "lib/fsx.h"

/* The size of a file as the quota counts it, before it is removed. */
static uint64_t
quota_size(const struct maildrop *d, const struct message *m)
{
	struct stat st;

	if (m->size != UINT64_MAX)
		return m->size;
	if (fstatat(maildrop_folder(d, m), maildrop_name(d, m), &st,
	    AT_SYMLINK_NOFOLLOW) == -1)
		return 0;
	return (uint64_t)st.st_size;
}

/* True when some names were not where they should be. */
static bool
remove_marked(struct maildrop *d, struct update *u, bool touched[2])
{
	bool moved = false;

	u->failed = 0;
	for (size_t i = 0; i < d->n; i++) {
		struct message *m = &d->messages[i];
		uint64_t size;

		if ((m->flags & (MESSAGE_DELETED | MESSAGE_GONE)) !=
		    MESSAGE_DELETED)
			continue;
		size = quota_size(d, m);
		if (unlinkat(maildrop_folder(d, m), maildrop_name(d, m), 0) ==
		    0) {
			m->flags |= MESSAGE_GONE;
			touched[(m->flags & MESSAGE_CUR) != 0] = true;
			u->deleted++;
			u->bytes += size;
			continue;
		}
		moved |= errno == ENOENT;
		u->error = errno;
		u->failed++;
	}
	return moved;
}

/* Gives a name the sizes that it lacks; its unique part stays. A failure
 * costs only that the next session measures again. */
static void
add_sizes(const struct maildrop *d, const struct message *m)
{
	char name[MAILDIR_NAME_MAX + 64];
	const char *old = maildrop_name(d, m);
	size_t base = strcspn(old, ":");
	struct maildir_name parts;
	int n;

	if (maildir_name_parse(slice_of(old), &parts) == -1 ||
	    parts.wire_size != UINT64_MAX)
		return;
	n = snprintf(name, sizeof(name), "%.*s", (int)base, old);
	if (parts.size == UINT64_MAX)
		n += snprintf(name + n, sizeof(name) - (size_t)n, ",S=%llu",
		    (unsigned long long)m->size);
	n += snprintf(name + n, sizeof(name) - (size_t)n, ",W=%llu%s",
	    (unsigned long long)m->wire, old + base);
	if (n > MAILDIR_NAME_MAX)
		return;
	(void)!fsx_rename_new(maildrop_folder(d, m), old,
	    maildrop_folder(d, m), name);
}

void
update_maildir(struct maildrop *d, int maildirfd, struct update *out)
{
	struct update u = { 0, 0, 0, 0 };
	bool touched[2] = { false, false };

	if (remove_marked(d, &u, touched) && maildrop_refind(d) == 0)
		(void)remove_marked(d, &u, touched);
	if (u.failed == 0)
		u.error = 0;
	for (size_t i = 0; i < d->n; i++)
		if ((d->messages[i].flags & (MESSAGE_MEASURED |
		    MESSAGE_GONE)) == MESSAGE_MEASURED)
			add_sizes(d, &d->messages[i]);
	/* What is removed is removed, whether it can be accounted for or not. */
	if (u.deleted > 0)
		(void)!maildir_usage_add(maildirfd, -(int64_t)u.bytes,
		    -(int64_t)u.deleted);
	for (size_t i = 0; i < 2; i++)
		if (touched[i] && fsx_sync_dir(d->folder[i]) == -1)
			u.error = errno;
	*out = u;
}
