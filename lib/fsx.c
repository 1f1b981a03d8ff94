/* fsx.c - files below a folder's descriptor, made durable. */
/* SPDX-License-Identifier: ISC */

#include "lib/fsx.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int
fsx_open_dir(int dirfd, const char *name)
{
	return openat(dirfd, name,
	    O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

int
fsx_open_parent(const char *path, const char **name)
{
	const char *slash = strrchr(path, '/');
	char folder[PATH_MAX];
	int fd;

	if (slash == NULL || (size_t)(slash - path) >= sizeof(folder) ||
	    strlen(slash + 1) > NAME_MAX) {
		errno = slash == NULL ? EINVAL : ENAMETOOLONG;
		return -1;
	}
	snprintf(folder, sizeof(folder), "%.*s",
	    slash == path ? 1 : (int)(slash - path), path);
	fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd != -1)
		*name = slash + 1;
	return fd;
}

DIR *
fsx_open_list(int dirfd, const char *name)
{
	int fd = fsx_open_dir(dirfd, name), saved;
	DIR *d;

	if (fd == -1)
		return NULL;
	if ((d = fdopendir(fd)) == NULL) {
		saved = errno;
		close(fd);
		errno = saved;
	}
	return d;
}

struct dirent *
fsx_next(DIR *d)
{
	errno = 0;
	return readdir(d);
}

void
fsx_close_list(DIR *d)
{
	int saved = errno;

	closedir(d);
	errno = saved;
}

int
fsx_make_dir(int dirfd, const char *name, mode_t mode)
{
	struct stat st;

	/* Looked at first: to try to make what is there locks its folder. */
	if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) == -1) {
		if (errno != ENOENT)
			return -1;
		if (mkdirat(dirfd, name, mode) == 0)
			return 0;
		if (errno != EEXIST ||
		    fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) == -1)
			return -1;
	}
	if (!S_ISDIR(st.st_mode)) {
		errno = ENOTDIR;
		return -1;
	}
	return 0;
}

int
fsx_write_all(int fd, const void *p, size_t len)
{
	const char *from = p;

	while (len > 0) {
		ssize_t n = write(fd, from, len);

		if (n == -1 && errno != EINTR)
			return -1;
		if (n > 0) {
			from += n;
			len -= (size_t)n;
		}
	}
	return 0;
}

int
fsx_pwrite_all(int fd, const void *p, size_t len, off_t offset)
{
	const char *from = p;

	while (len > 0) {
		ssize_t n = pwrite(fd, from, len, offset);

		if (n == -1 && errno != EINTR)
			return -1;
		if (n > 0) {
			from += n;
			len -= (size_t)n;
			offset += n;
		}
	}
	return 0;
}

int
fsx_pread_all(int fd, void *p, size_t len, off_t offset)
{
	char *to = p;

	while (len > 0) {
		ssize_t n = pread(fd, to, len, offset);

		if (n == -1 && errno != EINTR)
			return -1;
		if (n == 0) {
			errno = ENODATA;
			return -1;
		}
		if (n > 0) {
			to += n;
			len -= (size_t)n;
			offset += n;
		}
	}
	return 0;
}

int
fsx_rename_new(int fromfd, const char *from, int tofd, const char *to)
{
	if (renameat2(fromfd, from, tofd, to, RENAME_NOREPLACE) == 0)
		return 0;
	/* NFS, and ZFS before 2.2, know no such renaming. */
	if (errno != EINVAL || linkat(fromfd, from, tofd, to, 0) == -1)
		return -1;
	(void)unlinkat(fromfd, from, 0);
	return 0;
}

int
fsx_sync_dir(int dirfd)
{
	return fsync(dirfd);
}

/* Writes, syncs and closes the file made aside. */
static int
write_aside(int dirfd, const char *aside, mode_t mode, struct slice bytes)
{
	int fd, r = -1, saved;

	/* Not waiting for a reader, if somebody has laid a pipe there. */
	fd = openat(dirfd, aside, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW |
	    O_NONBLOCK | O_CLOEXEC, mode);
	if (fd == -1)
		return -1;
	if (fchmod(fd, mode) == 0 &&
	    fsx_write_all(fd, bytes.p, bytes.len) == 0 && fsync(fd) == 0)
		r = 0;
	saved = errno;
	close(fd);
	errno = saved;
	return r;
}

int
fsx_replace(int dirfd, const char *name, mode_t mode, struct slice bytes)
{
	char aside[256];
	int n, saved;

	n = snprintf(aside, sizeof(aside), ".%s.new", name);
	if (n < 0 || (size_t)n >= sizeof(aside)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	if (write_aside(dirfd, aside, mode, bytes) == -1 ||
	    renameat(dirfd, aside, dirfd, name) == -1) {
		saved = errno;
		unlinkat(dirfd, aside, 0);
		errno = saved;
		return -1;
	}
	return fsx_sync_dir(dirfd);
}

int
fsx_read_file(int dirfd, const char *name, size_t max, char **out, size_t *len)
{
	struct stat st;
	char *p = NULL;
	int fd, r = -1, saved;

	fd = openat(dirfd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd == -1)
		return -1;
	if (fstat(fd, &st) == -1)
		goto out;
	if (!S_ISREG(st.st_mode)) {
		errno = EINVAL;
		goto out;
	}
	if ((uintmax_t)st.st_size > max) {
		errno = EFBIG;
		goto out;
	}
	if ((p = malloc((size_t)st.st_size + 1)) == NULL ||
	    fsx_pread_all(fd, p, (size_t)st.st_size, 0) == -1)
		goto out;
	p[st.st_size] = '\0';
	*out = p;
	*len = (size_t)st.st_size;
	p = NULL;
	r = 0;
out:
	saved = errno;
	free(p);
	close(fd);
	errno = saved;
	return r;
}
