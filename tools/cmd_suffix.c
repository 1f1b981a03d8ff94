/* cmd_suffix.c - malle suffix: what domains of an end must have. */
/* SPDX-License-Identifier: ISC */

#include <stdio.h>
#include <sysexits.h>

#include "lib/str.h"
#include "tools/account.h"

/* NAME, then local parts that become the field mandatory. */
static int
ask(struct malle *m, const char *operation, int at_least, int argc,
    char **argv, const char *usage, row_show *show)
{
	static struct arguments a;
	struct str names = STR_INIT(REGISTRY_VALUE_MAX);
	int status;

	if (arguments_parse(m, NULL, false, argc, argv, &a) == -1 ||
	    a.n < at_least || (at_least == 1 && a.n > 1))
		return arguments_wrong(m, usage);
	for (int i = 1; i < a.n; i++) {
		str_puts(&names, a.positional[i]);
		str_putc(&names, '\n');
	}
	if (a.n > 0)
		registry_add(&a.f, "name", slice_of(a.positional[0]));
	if (a.n > 1)
		registry_add(&a.f, "mandatory", str_slice(&names));
	status = str_ok(&names) ? registry_ask(m, operation, &a.f, show, NULL) :
	    arguments_wrong(m, usage);
	str_free(&names);
	return status;
}

static int
suffix_add(struct malle *m, int argc, char **argv)
{
	return ask(m, "suffix.add", 2, argc, argv, "suffix add END NAME ...",
	    m->json ? row_show_json : NULL);
}

static int
suffix_list(struct malle *m, int argc, char **argv)
{
	static const char *const columns[] = { "name", "mandatory", NULL };
	struct registry_fields f = { .n = 0 };

	(void)argv;
	if (argc != 1)
		return arguments_wrong(m, "suffix list");
	return registry_ask(m, "suffix.list", &f, row_show_columns,
	    (void *)(uintptr_t)columns);
}

static int
suffix_set(struct malle *m, int argc, char **argv)
{
	return ask(m, "suffix.set", 2, argc, argv, "suffix set END NAME ...",
	    m->json ? row_show_json : NULL);
}

static int
suffix_delete(struct malle *m, int argc, char **argv)
{
	return ask(m, "suffix.delete", 1, argc, argv, "suffix delete END",
	    NULL);
}

int
cmd_suffix(struct malle *m, int argc, char **argv)
{
	/* clang-format off */
	static const struct action actions[] = {
		{ "add", suffix_add, "END NAME ...",
		  "the names that each domain of this end must have, such as\n"
		  "\tfr postmaster hostmaster abuse; the end \"default\" is all others",
		  "les noms que doit avoir chaque domaine de cette terminaison, comme\n"
		  "\tfr postmaster hostmaster abuse ; « default » : toutes les autres" },
		{ "list", suffix_list, "",
		  "ends and their names", "les terminaisons et leurs noms" },
		{ "set", suffix_set, "END NAME ...",
		  "replace these names", "remplacer ces noms" },
		{ "delete", suffix_delete, "END",
		  "back to what is built in", "revenir aux noms d'origine" },
		{ NULL, NULL, NULL, NULL, NULL }
	};
	/* clang-format on */

	return action_run(m, actions, argc, argv);
}
