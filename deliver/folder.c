/* folder.c - the folder of a Maildir that a sub-address names. */
/* SPDX-License-Identifier: ISC */
#include "deliver/folder.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "lib/fsx.h"

/* What somebody writes himself, or throws away: mail there would be taken for
 * his own, or be lost. */
static const char *const own[] = { "Sent", "Drafts", "Trash", "Templates",
	"Outbox", "Deleted", "Archive", "Archives", "Brouillons", "Corbeille" };

/* Letters, digits, "-", "_"; dots between them part the levels. */
static bool
is_valid(const char *name)
{
	size_t len = strlen(name);

	if (len == 0 || len > FOLDER_NAME_MAX || name[0] == '.' ||
	    name[len - 1] == '.' || strstr(name, "..") != NULL)
		return false;
	for (const char *p = name; *p != '\0'; p++)
		if (!isascii((unsigned char)*p) ||
		    (!isalnum((unsigned char)*p) && strchr("-_.", *p) == NULL))
			return false;
	return true;
}

/* By its first level. */
static bool
is_own(const char *name)
{
	size_t len = strcspn(name, ".");

	for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++)
		if (strlen(own[i]) == len &&
		    strncasecmp(own[i], name, len) == 0)
			return true;
	return false;
}

int
folder_open_new(int maildir, const char *folder)
{
	int fd = fsx_open_dir(maildir, folder), new;

	if (fd == -1)
		return -1;
	new = fsx_open_dir(fd, "new");
	close(fd);
	return new;
}

/* True when it is there and can take mail. */
static bool
is_folder(int maildir, const char *folder)
{
	int fd = folder_open_new(maildir, folder);

	if (fd == -1)
		return false;
	close(fd);
	return true;
}

/* The only folder of this name in any letters. */
static bool
search(int maildir, const char *want, char out[FOLDER_NAME_MAX + 2])
{
	DIR *d = fsx_open_list(maildir, ".");
	const struct dirent *e;
	unsigned n = 0;

	if (d == NULL)
		return false;
	while ((e = readdir(d)) != NULL)
		if (strcasecmp(e->d_name, want) == 0) {
			memcpy(out, e->d_name, strlen(want) + 1);
			n++;
		}
	closedir(d);
	return n == 1 && is_folder(maildir, out);
}

bool
folder_find(int maildir, const char *detail, char out[FOLDER_NAME_MAX + 2])
{
	char want[FOLDER_NAME_MAX + 2], found[FOLDER_NAME_MAX + 2];

	if (!is_valid(detail) || is_own(detail))
		return false;
	snprintf(want, sizeof(want), ".%s", detail);
	if (is_folder(maildir, want))
		memcpy(found, want, sizeof(found));
	else if (!search(maildir, want, found))
		return false;
	memcpy(out, found, sizeof(found));
	return true;
}
