/* fsx.h - files below a folder's descriptor, made durable. */
#ifndef LIB_FSX_H
#define LIB_FSX_H
/* SPDX-License-Identifier: ISC */

#include <dirent.h>
#include <sys/types.h>

#include "lib/slice.h"

/* Opens a folder below dirfd without following a link in its last part
 * (AT_FDCWD allowed). Returns the descriptor, or -1 with errno. */
int fsx_open_dir(int dirfd, const char *name);

/* The folder that an absolute path is in; *name is the last part, within path.
 * Returns the descriptor, or -1 with errno. */
int fsx_open_parent(const char *path, const char **name);

/* As fsx_open_dir(), to be read with readdir(3); "." of a folder's descriptor begins at
 * its first name whoever has read it before. NULL with errno. */
DIR *fsx_open_list(int dirfd, const char *name);
/* The next entry; NULL with errno, which is 0 behind the last one. */
struct dirent *fsx_next(DIR *d);
/* Leaves errno as it is. */
void fsx_close_list(DIR *d);

/* Makes a folder if it is not there; an existing one is left as it is. Does
 * not follow links. 0, or -1 with errno (ENOTDIR when it is something else). */
int fsx_make_dir(int dirfd, const char *name, mode_t mode);

/* All of the bytes, over short writes and EINTR. 0, or -1 with errno. */
int fsx_write_all(int fd, const void *p, size_t len)
    __attribute__((warn_unused_result));
int fsx_pwrite_all(int fd, const void *p, size_t len, off_t offset)
    __attribute__((warn_unused_result));
/* Exactly len bytes. 0, or -1 with errno (ENODATA when the file is shorter). */
int fsx_pread_all(int fd, void *p, size_t len, off_t offset)
    __attribute__((warn_unused_result));

/*
 * Replaces dirfd/name by a file with these bytes: written beside, synced,
 * renamed, folder synced. After a crash the old or the new one is there, whole.
 * 0, or -1 with errno and the old one in place.
 */
int fsx_replace(int dirfd, const char *name, mode_t mode, struct slice bytes)
    __attribute__((warn_unused_result));

/*
 * Reads a whole file of at most max bytes. *out gets malloc'd memory with a NUL
 * behind it, owned by the caller. 0, or -1 with errno (EFBIG), outputs untouched.
 */
int fsx_read_file(int dirfd, const char *name, size_t max, char **out,
    size_t *len) __attribute__((warn_unused_result));

/*
 * Gives a file a name that nothing has there. 0, or -1 with errno (EEXIST). A
 * crash may leave both names where the filesystem cannot do it at once.
 */
int fsx_rename_new(int fromfd, const char *from, int tofd, const char *to)
    __attribute__((warn_unused_result));

/* fsync of a folder. */
int fsx_sync_dir(int dirfd) __attribute__((warn_unused_result));

#endif
