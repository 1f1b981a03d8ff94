/* box.c - the folders and messages of one mailbox. */
/* SPDX-License-Identifier: ISC */

#include "mailbox/box.h"

#include <sys/stat.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "lib/fsx.h"

int
box_size(const struct box_file *f, uint64_t *out)
{
	struct stat st;

	if (f->parts.size != UINT64_MAX) {
		*out = f->parts.size;
		return 0;
	}
	if (fstatat(f->dirfd, f->name, &st, AT_SYMLINK_NOFOLLOW) == -1)
		return -1;
	if (!S_ISREG(st.st_mode)) {
		errno = ENOENT;
		return -1;
	}
	*out = (uint64_t)st.st_size;
	return 0;
}

/* A folder that is none, or has gone, is passed over. */
static bool
is_absent(int error)
{
	return error == ENOENT || error == ENOTDIR || error == ELOOP;
}

/* Changes when a name comes into new or cur, or goes. */
static int
stamp(struct box *b, int fd)
{
	struct stat st;

	if (fstat(fd, &st) == -1)
		return -1;
	b->stamp = b->stamp * 1000003u + (uint64_t)st.st_ino;
	b->stamp = b->stamp * 1000003u + (uint64_t)st.st_mtim.tv_sec;
	b->stamp = b->stamp * 1000003u + (uint64_t)st.st_mtim.tv_nsec;
	return 0;
}

/* new or cur of a folder. */
static int
walk_part(struct box *b, int folderfd, struct box_file *f,
    box_each_file *each, void *arg)
{
	const char *part = f->is_new ? "new" : "cur";
	struct dirent *e;
	int r = 0;
	DIR *d;

	if ((d = fsx_open_list(folderfd, part)) == NULL)
		return is_absent(errno) ? 0 : -1;
	f->dirfd = dirfd(d);
	if (stamp(b, f->dirfd) == -1) {
		fsx_close_list(d);
		return -1;
	}
	while (r == 0 && (e = fsx_next(d)) != NULL) {
		f->name = e->d_name;
		if (maildir_name_parse(slice_of(e->d_name), &f->parts) == 0 &&
		    box_is_unique(f->parts.unique))
			r = each(arg, f);
	}
	if (r == 0 && errno != 0)
		r = -1;
	fsx_close_list(d);
	return r;
}

static int
walk_folder(struct box *b, int folderfd, const char *name,
    box_each_file *each, void *arg)
{
	struct box_file f = { .folder = name, .is_new = true };
	int r = walk_part(b, folderfd, &f, each, arg);

	f.is_new = false;
	return r != 0 ? r : walk_part(b, folderfd, &f, each, arg);
}

int
box_open_folder(struct box *b, const char *folder, bool make)
{
	if (b->maildir == -1) {
		errno = ENOENT;
		return -1;
	}
	if (*folder == '\0')
		return fcntl(b->maildir, F_DUPFD_CLOEXEC, 3);
	return maildir_open(b->maildir, folder, make);
}

/* The same, after telling of the folder. */
static int
walk_told(struct box *b, const char *name, box_each_file *each,
    box_each_folder *folder, void *arg)
{
	int fd = box_open_folder(b, name, false), r = 0, saved;

	if (fd == -1)
		return is_absent(errno) ? 0 : -1;
	if (folder != NULL)
		r = folder(arg, name);
	if (r == 0)
		r = walk_folder(b, fd, name, each, arg);
	saved = errno;
	close(fd);
	errno = saved;
	return r;
}

int
box_walk_folder(struct box *b, const char *folder, box_each_file *each,
    void *arg)
{
	return walk_told(b, folder, each, NULL, arg);
}

int
box_walk(struct box *b, box_each_file *each, box_each_folder *folder,
    void *arg)
{
	struct dirent *e;
	size_t n = 0;
	DIR *d;
	int r;

	b->stamp = 0;
	if (b->maildir == -1)
		return 0;
	if ((r = walk_told(b, "", each, folder, arg)) != 0)
		return r;
	if ((d = fsx_open_list(b->maildir, ".")) == NULL)
		return -1;
	while (r == 0 && (e = fsx_next(d)) != NULL) {
		if (e->d_name[0] != '.' || !box_is_folder(slice_of(e->d_name)))
			continue;
		if (++n > BOX_FOLDERS_MAX)
			break;
		r = walk_told(b, e->d_name, each, folder, arg);
	}
	if (r == 0 && errno != 0)
		r = -1;
	fsx_close_list(d);
	return r;
}
