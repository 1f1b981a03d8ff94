/* zone.c - time zones by name, without their files. */
/* SPDX-License-Identifier: ISC */

/*
 * The service cannot read the database of zones once it is confined, so it
 * keeps the last line of each file (RFC 9636 3.3): the rule for all the time
 * after the file's last change.
 * Trusts: nothing; a file that is none is left out.
 * Limits: ZONES_MAX zones, each rule less than ZONE_RULE_MAX bytes.
 */

#include "registry/zone.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/fsx.h"
#include "lib/zone.h"

#define ZONES_MAX 2048
#define NAME_MAX_LEN 64
#define DEPTH_MAX 3
#define FILE_LEAST 44		/* the header */

/* What is known of them; the same for as long as the service runs. */
static struct known {
	char name[NAME_MAX_LEN + 1];
	char rule[ZONE_RULE_MAX];
} *known;
static size_t n_known;

/* The line before the last line feed is the rule. */
static void
take_file(int fd, size_t size, const char *name)
{
	size_t n = size < ZONE_RULE_MAX ? size : ZONE_RULE_MAX;
	char magic[4], end[ZONE_RULE_MAX];
	struct slice rule;
	const char *begin;
	struct zone zone;
	struct known k;

	if (n_known == ZONES_MAX || strlen(name) > NAME_MAX_LEN ||
	    size < FILE_LEAST ||
	    fsx_pread_all(fd, magic, sizeof(magic), 0) == -1 ||
	    memcmp(magic, "TZif", 4) != 0 ||
	    fsx_pread_all(fd, end, n, (off_t)(size - n)) == -1 ||
	    end[n - 1] != '\n' || (begin = memrchr(end, '\n', n - 1)) == NULL)
		return;
	rule = slice_make(begin + 1, (size_t)(end + n - 1 - (begin + 1)));
	if (zone_parse(rule, &zone) == -1 ||
	    slice_to_cstr(rule, k.rule, sizeof(k.rule)) == -1)
		return;
	memcpy(k.name, name, strlen(name) + 1);
	known[n_known++] = k;
}

/* One folder; below is its name with a slash, or "". */
static int
take_folder(int dirfd, const char *below, int depth)
{
	char name[NAME_MAX_LEN + 2];
	struct dirent *e;
	DIR *d = fdopendir(dirfd);
	struct stat st;

	if (d == NULL) {
		close(dirfd);
		return -1;
	}
	while ((e = readdir(d)) != NULL) {
		int fd, len = snprintf(name, sizeof(name), "%s%s", below,
		    e->d_name);

		/* posix/ and right/ have the same zones once more. */
		if (e->d_name[0] == '.' || len > NAME_MAX_LEN ||
		    strcmp(name, "posix") == 0 || strcmp(name, "right") == 0)
			continue;
		fd = openat(dirfd, e->d_name, O_RDONLY | O_CLOEXEC |
		    O_NONBLOCK);
		if (fd == -1)
			continue;
		if (fstat(fd, &st) == 0 && S_ISDIR(st.st_mode)) {
			snprintf(name + len, sizeof(name) - (size_t)len, "/");
			if (depth < DEPTH_MAX)
				(void)take_folder(fd, name, depth + 1);
			else
				close(fd);
			continue;
		}
		if (S_ISREG(st.st_mode))
			take_file(fd, (size_t)st.st_size, name);
		close(fd);
	}
	closedir(d);
	return 0;
}

static int
compare(const void *a, const void *b)
{
	return strcmp(((const struct known *)a)->name,
	    ((const struct known *)b)->name);
}

int
zones_load(const char *folder)
{
	int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct known *less;

	if (fd == -1)
		return errno == ENOENT ? 0 : -1;
	if ((known = calloc(ZONES_MAX, sizeof(*known))) == NULL) {
		close(fd);
		return -1;
	}
	if (take_folder(fd, "", 0) == -1)
		return -1;
	qsort(known, n_known, sizeof(*known), compare);
	if (n_known > 0 && (less = reallocarray(known, n_known,
	    sizeof(*known))) != NULL)
		known = less;
	return (int)n_known;
}

bool
zones_are_unknown(void)
{
	return n_known == 0;
}

const char *
zone_rule(struct slice name)
{
	const struct known *found = NULL;
	struct known key = { .name = "" };

	if (n_known > 0 && slice_to_cstr(name, key.name,
	    sizeof(key.name)) == 0)
		found = bsearch(&key, known, n_known, sizeof(*known),
		    compare);
	return found != NULL ? found->rule : NULL;
}
