/* test_fsx.c - the folder of a path, files that are replaced. */
/* SPDX-License-Identifier: ISC */

#include "lib/fsx.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/unit/scratch.h"
#include "tests/unit/tap.h"

static void
test_parent(void)
{
	static const struct {
		const char *path, *folder, *name;
	} rows[] = {
		{ "/tmp", "/", "tmp" },
		{ "/dev/null", "/dev", "null" },
		{ "/usr/bin/x", "/usr/bin", "x" },
		{ "/dev/", "/dev", "" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const char *name = NULL;
		int fd = fsx_open_parent(rows[i].path, &name);
		struct stat got, want;

		ok(fd != -1 && strcmp(name, rows[i].name) == 0 &&
		    fstat(fd, &got) == 0 && stat(rows[i].folder, &want) == 0 &&
		    got.st_ino == want.st_ino && got.st_dev == want.st_dev,
		    "%s", rows[i].path);
		if (fd != -1)
			close(fd);
	}
}

static void
test_no_parent(void)
{
	const char *name = NULL;
	char longest[NAME_MAX + 3] = "/", deep[PATH_MAX + 8];

	memset(longest + 1, 'x', NAME_MAX + 1);
	longest[NAME_MAX + 2] = '\0';
	memset(deep, '/', sizeof(deep));
	memcpy(deep + sizeof(deep) - 3, "/x", 3);
	errno = 0;
	ok(fsx_open_parent("x", &name) == -1 && errno == EINVAL,
	    "no folder is in it");
	ok(fsx_open_parent(longest, &name) == -1 && errno == ENAMETOOLONG,
	    "a name that no folder can have");
	ok(fsx_open_parent(deep, &name) == -1 && errno == ENAMETOOLONG,
	    "a folder that is too deep");
	ok(fsx_open_parent("/nowhere/x/y", &name) == -1 && errno == ENOENT,
	    "a folder that is not there");
	ok(name == NULL, "no name then");
}

#define PATIENCE 60		/* s: else it would wait for ever */

/* Somebody has laid something where the new file is written. */
static void
test_replace(void)
{
	int dir = scratch_open();
	struct stat st;

	ok(mkfifoat(dir, ".x.new", 0600) == 0, "a pipe that nobody reads");
	alarm(PATIENCE);
	ok(fsx_replace(dir, "x", 0600, SLICE("a")) == -1 && errno == ENXIO,
	    "is not waited for");
	ok(fsx_replace(dir, "x", 0600, SLICE("a")) == 0 &&
	    fstatat(dir, "x", &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    S_ISREG(st.st_mode) && st.st_size == 1, "and is gone next time");
	alarm(0);
	ok(symlinkat("x", dir, ".x.new") == 0 &&
	    fsx_replace(dir, "x", 0600, SLICE("bc")) == -1 && errno == ELOOP &&
	    fsx_replace(dir, "x", 0600, SLICE("bc")) == 0, "a link, likewise");
	close(dir);
}

int
main(void)
{
	test_parent();
	test_no_parent();
	test_replace();
	return done();
}
