/* cmd_robot.c - malle robot: addresses that answer. */
/* SPDX-License-Identifier: ISC */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sysexits.h>
#include <unistd.h>

#include "lib/str.h"
#include "tools/account.h"

#define TEXT_MAX 10000		/* as the registry takes it */

/* clang-format off */
static const struct option_field options[] = {
	{ "--subject",   "subject",   NULL },
	{ "--text-file", "text-file", NULL },
	{ "--copy",      "copy",      NULL },
	{ "--days",      "days",      NULL },
	{ "--senders",   "senders",   NULL },
	{ "--state",     "state",     NULL },
	{ "--force",     "force",     "yes" },
	{ NULL, NULL, NULL }
};
/* clang-format on */

/* All of a file, "-" for standard input. 0, or -1: said on stderr. */
static int
read_text(const char *path, struct str *out)
{
	int fd = strcmp(path, "-") == 0 ? STDIN_FILENO :
	    open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = -1;
	char *room;

	while (fd != -1 && (room = str_room(out, 4096)) != NULL &&
	    (n = read(fd, room, 4096)) > 0)
		out->len += (size_t)n;
	if (n == -1 || !str_ok(out))
		fprintf(stderr, "malle: %s: %s\n", path,
		    strerror(str_ok(out) ? errno : EFBIG));
	if (fd > STDIN_FILENO)
		close(fd);
	return n == -1 || !str_ok(out) ? -1 : 0;
}

static int
ask_with_text(struct malle *m, const char *operation, int argc, char **argv,
    const char *usage)
{
	static struct arguments a;
	struct str text = STR_INIT(TEXT_MAX + 4096);
	struct slice path;
	int status = EX_NOINPUT;

	if (arguments_parse(m, options, true, argc, argv, &a) == -1 || a.n != 1)
		return arguments_wrong(m, usage);
	registry_add(&a.f, "address", slice_of(a.positional[0]));
	path = take_field(&a.f, "text-file");
	/* A value of argv ends with a NUL. */
	if (path.p == NULL || read_text(path.p, &text) == 0) {
		if (path.p != NULL)
			registry_add(&a.f, "text", str_slice(&text));
		status = registry_ask(m, operation, &a.f,
		    m->json ? row_show_json : NULL, NULL);
	}
	str_free(&text);
	return status;
}

static int
robot_add(struct malle *m, int argc, char **argv)
{
	return ask_with_text(m, "robot.add", argc, argv,
	    "robot add ADDRESS --subject TEXT --text-file FILE "
	    "[--copy ADDRESS] [--days N] [--force]");
}

static int
robot_set(struct malle *m, int argc, char **argv)
{
	return ask_with_text(m, "robot.set", argc, argv,
	    "robot set ADDRESS [--subject TEXT] [--text-file FILE] "
	    "[--copy ADDRESS] [--days N] [--state STATE] [--force]");
}

static int
robot_list(struct malle *m, int argc, char **argv)
{
	static const char *const columns[] = { "name", "state", "subject",
		"copy", NULL };

	return ask_for_list(m, "robot.list", true, argc, argv,
	    "robot list [DOMAIN] [--after ADDRESS] [--limit N]", columns);
}

static int
robot_show(struct malle *m, int argc, char **argv)
{
	return ask_about_one(m, "robot.show", "address", NULL, false, argc,
	    argv, "robot show ADDRESS", row_show_all);
}

static int
robot_delete(struct malle *m, int argc, char **argv)
{
	return ask_about_one(m, "robot.delete", "address", option_force, false,
	    argc, argv, "robot delete ADDRESS [--force]", NULL);
}

int
cmd_robot(struct malle *m, int argc, char **argv)
{
	/* clang-format off */
	static const struct action actions[] = {
		{ "add", robot_add,
		  "ADDRESS --subject TEXT --text-file FILE\n"
		  "\t[--copy ADDRESS] [--days N] [--senders WHO] [--force]",
		  "an address that answers each letter, with a copy to somebody",
		  "une adresse qui répond à chaque lettre, avec copie à quelqu'un" },
		{ "list", robot_list, "[DOMAIN] [--after ADDRESS] [--limit N]",
		  "address, state, subject, copy", "adresse, état, objet, copie" },
		{ "show", robot_show, "ADDRESS",
		  "all about one robot", "tout sur un robot" },
		{ "set", robot_set,
		  "ADDRESS [--subject TEXT] [--text-file FILE] [--copy ADDRESS] ...",
		  "change a robot", "modifier un robot" },
		{ "delete", robot_delete, "ADDRESS [--force]",
		  "delete a robot", "supprimer un robot" },
		{ NULL, NULL, NULL, NULL, NULL }
	};
	/* clang-format on */

	return action_run(m, actions, argc, argv);
}
