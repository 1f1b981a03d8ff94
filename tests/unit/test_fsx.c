/* test_fsx.c - the folder of a path. */
/* SPDX-License-Identifier: ISC */

#include "lib/fsx.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

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

int
main(void)
{
	test_parent();
	test_no_parent();
	return done();
}
