/* place.c - where somebody sits who changes something, for the journal. */
/* SPDX-License-Identifier: ISC */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <utmpx.h>

#include "tools/account.h"

#define PLACE_MAX 80		/* as malle-registryd takes it */
#define HOST_MAX 45		/* an address; a longer name is cut */

/* The terminal's name below /dev, or "". */
static void
terminal(char *out, size_t cap)
{
	const char *name = ttyname(STDERR_FILENO);

	if (name == NULL)
		name = ttyname(STDIN_FILENO);
	snprintf(out, cap, "%s", name != NULL &&
	    strncmp(name, "/dev/", 5) == 0 ? name + 5 : "");
}

/* The host that a terminal was logged in from: it is noted there even of
 * somebody who became root since. False: it was not from another one. */
static bool
host_of(const char *line, char *out)
{
	struct utmpx want = { .ut_type = USER_PROCESS };
	const struct utmpx *login;

	if (*line == '\0')
		return false;
	/* Its fields need no zero at their end. */
	memcpy(want.ut_line, line, strnlen(line, sizeof(want.ut_line)));
	setutxent();
	if ((login = getutxline(&want)) != NULL)
		snprintf(out, HOST_MAX + 1, "%.*s", HOST_MAX, login->ut_host);
	endutxent();
	return login != NULL && out[0] != '\0';
}

static void
place_read(char *place)
{
	const char *ssh = getenv("SSH_CONNECTION");
	char line[PLACE_MAX - HOST_MAX], host[HOST_MAX + 1] = "";

	terminal(line, sizeof(line));
	/* A command without a terminal; the address is the first word. */
	if (!host_of(line, host) && ssh != NULL)
		snprintf(host, sizeof(host), "%.*s", (int)strcspn(ssh, " "),
		    ssh);
	snprintf(place, PLACE_MAX + 1, "%s%s%s", line,
	    *line != '\0' && *host != '\0' ? " " : "", host);
	for (char *c = place; *c != '\0'; c++)
		if (*c < ' ' || *c > '~')
			*c = '?';
}

void
place_add(struct registry_fields *f)
{
	static char place[PLACE_MAX + 1];
	static bool is_known;

	if (!is_known)
		place_read(place);
	is_known = true;
	if (*place != '\0')
		registry_add(f, "from", slice_of(place));
}
