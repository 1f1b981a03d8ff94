/* start_folders.c - the folders below base, with owners and modes. */
/* SPDX-License-Identifier: ISC */
#include "tools/start.h"

#include <sys/stat.h>

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include "lib/fsx.h"
#include "lib/proc.h"

/*
 * Trusts: base and the folders of root in it. A folder that a lesser uid owns
 * is given its owner and mode, and nothing inside it is ever opened. No link is
 * followed. When not started by root there is one uid, and only modes count.
 */
struct folder {
	const char *in;		/* "" or a folder of root */
	const char *name;
	size_t user, group;	/* offset in struct conf of a name; ROOT */
	mode_t mode;
	bool for_hooks;		/* only when there are some */
};

#define ROOT SIZE_MAX
#define USER(who) offsetof(struct conf, user_##who)

/* clang-format off */
static const struct folder folders[] = {
	{ "",       "public",   ROOT,           ROOT,           0755, false },
	{ "public", "tables",   USER(registry), USER(registry), 0755, false },
	{ "",       "registry", USER(registry), USER(registry), 0700, false },
	{ "",       "auth",     USER(registry), USER(auth),     02750, false },
	{ "",       "tls",      ROOT,           USER(tls),      0750, false },
	{ "",       "queue",    USER(queue),    USER(queue),    0700, false },
	{ "",       "mail",     ROOT,           ROOT,           0711, false },
	{ "",       "empty",    ROOT,           ROOT,           0555, false },
	{ "",       "hooks",    USER(hook),     USER(hook),     0700, true },
};
/* clang-format on */

/* The ids of a row; -1 when the configuration names nobody. */
static int
owner_of(const struct conf *c, size_t user, size_t group, uid_t *uid,
    gid_t *gid)
{
	const char *name;
	gid_t gid_of_user;
	uid_t uid_of_group;

	*uid = 0;
	*gid = 0;
	if (user != ROOT) {
		name = (const char *)c + user;
		if (proc_user(name, uid, &gid_of_user) == -1)
			goto nobody;
	}
	if (group != ROOT) {
		name = (const char *)c + group;
		if (proc_user(name, &uid_of_group, gid) == -1)
			goto nobody;
	}
	return 0;
nobody:
	warnx("user %s: %s: make the user (systemd-sysusers) or set another "
	    "in the configuration", name, strerror(errno));
	return -1;
}

/* Owner and mode of an open file as they should be. */
static int
repair(int fd, uid_t uid, gid_t gid, mode_t mode)
{
	struct stat st;
	bool root = geteuid() == 0;

	if (fstat(fd, &st) == -1)
		return -1;
	if (root && (st.st_uid != uid || st.st_gid != gid) &&
	    fchown(fd, uid, gid) == -1)
		return -1;
	/* A change of owner may have taken the setgid bit away. */
	if ((root && st.st_gid != gid) || (st.st_mode & 07777) != mode)
		return fchmod(fd, mode);
	return 0;
}

static int
make_folder(const struct conf *c, int basefd, const struct folder *f)
{
	int in = basefd, fd = -1, r = -1;
	uid_t uid;
	gid_t gid;

	if (owner_of(c, f->user, f->group, &uid, &gid) == -1)
		return -1;
	if (f->in[0] != '\0' && (in = fsx_open_dir(basefd, f->in)) == -1)
		goto out;
	if (fsx_make_dir(in, f->name, 0700) == 0 &&
	    (fd = fsx_open_dir(in, f->name)) != -1)
		r = repair(fd, uid, gid, f->mode);
out:
	if (r == -1)
		warn("%s/%s%s%s: cannot be made or repaired; look at the "
		    "folder that it is in", c->base, f->in,
		    f->in[0] != '\0' ? "/" : "", f->name);
	if (fd != -1)
		close(fd);
	if (in != basefd && in != -1)
		close(in);
	return r;
}

bool
folders_same(const struct conf *a, const struct conf *b)
{
	static const size_t users[] = { USER(net), USER(queue), USER(auth),
		USER(tls), USER(remote), USER(bounce), USER(registry),
		USER(hook) };

	for (size_t i = 0; i < sizeof(users) / sizeof(users[0]); i++)
		if (strcmp((const char *)a + users[i],
		    (const char *)b + users[i]) != 0)
			return false;
	return strcmp(a->base, b->base) == 0;
}

bool
folders_hooks(const struct conf *c)
{
	struct stat st;

	return stat(c->hooks, &st) == 0 && S_ISDIR(st.st_mode);
}

/* The key is for malle-tls alone; a link, as certbot makes them, is left. */
static void
repair_key(const struct conf *c, int basefd)
{
	int dir, fd;
	uid_t uid;
	gid_t gid;

	if (geteuid() != 0 || proc_user(c->user_tls, &uid, &gid) == -1 ||
	    (dir = fsx_open_dir(basefd, "tls")) == -1)
		return;
	fd = openat(dir, "key.pem", O_RDONLY | O_NOFOLLOW | O_NONBLOCK |
	    O_CLOEXEC);
	if (fd != -1) {
		if (repair(fd, 0, gid, 0640) == -1)
			warn("%s/tls/key.pem: owner and mode stay as they are",
			    c->base);
		close(fd);
	}
	close(dir);
}

int
folders_make(const struct conf *c)
{
	int fd;

	if (mkdir(c->base, 0755) == -1 && errno != EEXIST) {
		warn("%s: cannot be made; make the folder that it is in",
		    c->base);
		return -1;
	}
	fd = open(c->base, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd == -1 || repair(fd, 0, 0, 0755) == -1) {
		warn("%s: cannot be used; it must be a folder of who starts "
		    "malle-start", c->base);
		goto fail;
	}
	for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
		if (folders[i].for_hooks && !folders_hooks(c))
			continue;
		if (make_folder(c, fd, &folders[i]) == -1)
			goto fail;
	}
	repair_key(c, fd);
	return fd;
fail:
	if (fd != -1)
		close(fd);
	return -1;
}
