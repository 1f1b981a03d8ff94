/* scratch.h - a folder of its own for a unit test, gone at the end. */
#ifndef TESTS_UNIT_SCRATCH_H
#define TESTS_UNIT_SCRATCH_H
/* SPDX-License-Identifier: ISC */

#include <sys/types.h>

#include <err.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static char scratch_path[] = "/tmp/malle-unit-XXXXXX";

static inline int
scratch_remove_one(const char *path, const struct stat *st, int type,
    struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static inline void
scratch_remove(void)
{
	nftw(scratch_path, scratch_remove_one, 20, FTW_DEPTH | FTW_PHYS);
}

/* Makes it; returns its descriptor. */
static inline int
scratch_open(void)
{
	int fd;

	if (mkdtemp(scratch_path) == NULL ||
	    (fd = open(scratch_path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) == -1)
		err(1, "%s", scratch_path);
	atexit(scratch_remove);
	return fd;
}

/* Writes a file below it. */
static inline void
scratch_write(int dirfd, const char *name, const void *bytes, size_t len)
{
	int fd = openat(dirfd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC,
	    0600);

	if (fd == -1 || write(fd, bytes, len) != (ssize_t)len || close(fd) == -1)
		err(1, "%s/%s", scratch_path, name);
}

#endif
