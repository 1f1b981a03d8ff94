/* migrate_old.c - reads files of other mail systems as their owner. */
/* SPDX-License-Identifier: ISC */

/*
 * Runs as: a child of malle migrate with the uid and gid of whoever owns what
 * is read, without other groups; root itself opens nothing in a folder that a
 * lesser uid owns, and so cannot be led elsewhere by a link there.
 * Trusts: folders that root owns on the way there; nothing below.
 * Order: a child reads, sends what it has read through a pipe, and ends with 0
 * or an errno. For mail it also holds malle-mailbox's descriptor, which can
 * only add.
 */

#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib/fsx.h"
#include "tools/backup.h"
#include "tools/json.h"
#include "tools/migrate.h"

int
old_owner(const char *path, struct old_owner *out)
{
	struct slice rest = slice_of(path), part;
	char name[OLD_PATH_MAX];
	struct stat st;
	int fd = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC), next, r = -1;

	*out = (struct old_owner){ 0, 0 };
	while (fd != -1) {
		part = slice_cut(&rest, '/');
		if (part.len > 0) {
			if (slice_to_cstr(part, name, sizeof(name)) == -1 ||
			    fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) == -1)
				break;
			if (st.st_uid != 0) {
				*out = (struct old_owner){ st.st_uid,
					st.st_gid };
				r = 0;
				break;
			}
			next = openat(fd, name, O_PATH | O_CLOEXEC);
			close(fd);
			fd = next;
		}
		if (rest.p == NULL) {
			r = fd == -1 ? -1 : 0;	/* root's all the way */
			break;
		}
	}
	if (fd != -1)
		close(fd);
	return r;
}

/* For good. 0 or -1. */
static int
become(const struct old_owner *o)
{
	if (geteuid() != 0 || o->uid == 0)
		return 0;
	if (setgroups(0, NULL) == -1 ||
	    setresgid(o->gid, o->gid, o->gid) == -1 ||
	    setresuid(o->uid, o->uid, o->uid) == -1)
		return -1;
	if (setuid(0) == 0) {
		errno = EPERM;
		return -1;
	}
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
}

struct reading {
	const char *path;
	struct box_link *to;
	struct old_copied copied;
	int out;
	int (*act)(struct reading *r);	/* in the child: 0 or -1 */
};

/* Runs act as the owner of the path; what it writes to r->out goes to got. */
static int
as_owner(struct reading *r, size_t max, struct str *got)
{
	struct old_owner owner;
	char piece[65536];
	int fd[2], status;
	ssize_t n;
	pid_t pid;

	if (old_owner(r->path, &owner) == -1 || pipe2(fd, O_CLOEXEC) == -1)
		return -1;
	fflush(stdout);
	if ((pid = fork()) == 0) {
		close(fd[0]);
		r->out = fd[1];
		_exit(become(&owner) == 0 && r->act(r) == 0 ? 0 :
		    errno == 0 ? EIO : errno);
	}
	close(fd[1]);
	while ((n = pid == -1 ? 0 : read(fd[0], piece, sizeof(piece))) > 0 &&
	    got->len <= max)
		str_put(got, slice_make(piece, (size_t)n));
	close(fd[0]);
	if (pid == -1 || waitpid(pid, &status, 0) == -1)
		return -1;
	if (!str_ok(got) || got->len > max)
		errno = EFBIG;
	else if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	else
		errno = WIFEXITED(status) ? WEXITSTATUS(status) : EIO;
	return -1;
}

static int
read_act(struct reading *r)
{
	char piece[65536];
	struct stat st;
	ssize_t n;
	int fd = open(r->path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

	if (fd == -1 || fstat(fd, &st) == -1)
		return -1;
	if (!S_ISREG(st.st_mode)) {
		errno = EINVAL;
		return -1;
	}
	while ((n = read(fd, piece, sizeof(piece))) > 0)
		if (fsx_write_all(r->out, piece, (size_t)n) == -1)
			return -1;
	return n == -1 ? -1 : 0;
}

int
old_read(const char *path, size_t max, struct str *out)
{
	struct reading r = { .path = path, .act = read_act };

	return as_owner(&r, max, out);
}

static int
link_act(struct reading *r)
{
	char target[OLD_PATH_MAX];
	ssize_t n = readlink(r->path, target, sizeof(target));

	if (n == (ssize_t)sizeof(target))
		errno = ENAMETOOLONG;
	return n <= 0 || n == (ssize_t)sizeof(target) ? -1 :
	    fsx_write_all(r->out, target, (size_t)n);
}

int
old_link(const char *path, struct str *out)
{
	struct reading r = { .path = path, .act = link_act };

	return as_owner(&r, OLD_PATH_MAX, out);
}

static int
list_act(struct reading *r)
{
	struct dirent *e;
	DIR *d = opendir(r->path);

	if (d == NULL)
		return -1;
	while ((e = fsx_next(d)) != NULL) {
		if (strchr(e->d_name, '\n') != NULL ||
		    strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		if (fsx_write_all(r->out, e->d_name, strlen(e->d_name)) == -1 ||
		    fsx_write_all(r->out, "\n", 1) == -1)
			return -1;
	}
	return errno == 0 ? 0 : -1;
}

int
old_list(const char *path, struct str *out)
{
	struct reading r = { .path = path, .act = list_act };

	return as_owner(&r, OLD_FILE_MAX, out);
}

/* Copying. */

static ssize_t
read_message(void *arg, char *piece)
{
	const int *fd = arg;
	ssize_t n;

	do
		n = read(*fd, piece, BOX_PIECE);
	while (n == -1 && errno == EINTR);
	return n;
}

/* A name that ours could not have gets one that is always the same for it. */
static void
make_unique(struct box_message *m, const char *name)
{
	uint64_t h = 14695981039346656037u;

	for (const char *p = name; *p != '\0' && *p != ':'; p++)
		h = (h ^ (unsigned char)*p) * 1099511628211u;
	snprintf(m->unique, sizeof(m->unique), "%" PRId64 ".H%016" PRIx64
	    ".migrated", m->time, h);
}

/* The descriptor of a message, described in *out. -1 with errno: ENOENT when it
 * is none, or has gone. */
static int
open_message(int dir, const char *folder, bool is_new, const char *name,
    struct box_message *out)
{
	struct box_message m = { .is_new = is_new };
	struct maildir_name parts;
	struct stat st;
	int fd;

	errno = ENOENT;
	if (maildir_name_parse(slice_of(name), &parts) == -1)
		return -1;
	fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd == -1 && (errno == ELOOP || errno == ENXIO))
		errno = ENOENT;	/* a link, a socket */
	if (fd == -1)
		return -1;
	if (fstat(fd, &st) == -1 || !S_ISREG(st.st_mode) ||
	    slice_to_cstr(slice_of(folder), m.folder, sizeof(m.folder)) == -1) {
		close(fd);
		errno = ENOENT;
		return -1;
	}
	m.size = (uint64_t)st.st_size;
	m.time = st.st_mtim.tv_sec > 0 ? st.st_mtim.tv_sec : 0;
	if (!box_is_unique(parts.unique) || slice_to_cstr(parts.unique,
	    m.unique, sizeof(m.unique)) == -1)
		make_unique(&m, name);
	if (box_is_flags(parts.flags))
		(void)!slice_to_cstr(parts.flags, m.flags, sizeof(m.flags));
	*out = m;
	return fd;
}

/* A message, or all of a Maildir where name is "", that was not copied. Its owner
 * has made up the names: no terminal may obey them. */
static void
complain(const struct reading *r, const char *folder, const char *name,
    const char *why)
{
	fputs("malle: ", stderr);
	text_put_escaped(stderr, slice_of(r->path));
	if (*name != '\0') {
		fprintf(stderr, "/%s/", folder);
		text_put_escaped(stderr, slice_of(name));
	}
	fprintf(stderr, ": %s\n", why);
}

static int
copy_message(struct reading *r, int dir, const char *folder, bool is_new,
    const char *name)
{
	struct box_message m;
	int fd, result;

	if ((fd = open_message(dir, folder, is_new, name, &m)) == -1) {
		if (errno == ENOENT)
			return 0;
		complain(r, folder, name, strerror(errno));
		r->copied.failed++;
		return 0;
	}
	result = box_put(r->to, &m, read_message, &fd);
	close(fd);
	r->copied.copied += result == BOX_OK;
	r->copied.there += result == BOX_EXISTS;
	r->copied.failed += result != BOX_OK && result != BOX_EXISTS;
	if (result != BOX_OK && result != BOX_EXISTS)
		complain(r, folder, name, box_why(r->to, result));
	if (result == -1)
		errno = EPIPE;
	return result == -1 ? -1 : 0;
}

/* new or cur of a folder. */
static int
copy_part(struct reading *r, int folderfd, const char *folder, bool is_new)
{
	DIR *d = fsx_open_list(folderfd, is_new ? "new" : "cur");
	struct dirent *e;
	int result = 0;

	if (d == NULL)
		return errno == ENOENT || errno == ENOTDIR ? 0 : -1;
	while (result == 0 && (e = fsx_next(d)) != NULL)
		result = copy_message(r, dirfd(d), folder, is_new, e->d_name);
	if (result == 0 && errno != 0)
		result = -1;
	fsx_close_list(d);
	return result;
}

static int
copy_folder(struct reading *r, int maildir, const char *folder)
{
	int fd = *folder == '\0' ? dup(maildir) :
	    fsx_open_dir(maildir, folder), result;

	if (fd == -1)
		return errno == ENOTDIR || errno == ELOOP ? 0 : -1;
	result = copy_part(r, fd, folder, true);
	if (result == 0)
		result = copy_part(r, fd, folder, false);
	close(fd);
	return result;
}

static int
copy_act(struct reading *r)
{
	int maildir = open(r->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int settled, result, saved;
	struct dirent *e;
	DIR *d;

	if (maildir == -1 || (d = fsx_open_list(maildir, ".")) == NULL)
		return -1;
	result = copy_folder(r, maildir, "");
	while (result == 0 && (e = fsx_next(d)) != NULL)
		if (e->d_name[0] == '.' && box_is_folder(slice_of(e->d_name)))
			result = copy_folder(r, maildir, e->d_name);
	if (result == 0 && errno != 0)
		result = -1;
	saved = errno;
	if (result == -1 && errno == EPIPE)
		return -1;
	settled = box_settle(r->to);
	if (settled != BOX_OK) {
		complain(r, "", "", box_why(r->to, settled));
		errno = EIO;
		return -1;
	}
	errno = saved;
	if (result == -1)
		return -1;
	return fsx_write_all(r->out, &r->copied, sizeof(r->copied));
}

int
old_copy(const char *path, struct box_link *to, struct old_copied *out)
{
	struct reading r = { .path = path, .to = to, .act = copy_act };
	struct str got = STR_INIT(2 * sizeof(*out));
	int result = as_owner(&r, sizeof(*out), &got);

	/* Our own child, and no more than numbers. */
	if (result == 0 && got.len == sizeof(*out))
		memcpy(out, got.p, sizeof(*out));
	else if (result == 0) {
		errno = EIO;
		result = -1;
	}
	str_free(&got);
	return result;
}
