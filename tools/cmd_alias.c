/* cmd_alias.c - malle alias: addresses that lead to others. */
/* SPDX-License-Identifier: ISC */

#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "lib/str.h"
#include "tools/box.h"

/* clang-format off */
static const struct option_field options[] = {
	{ "--state", "state", NULL },
	{ "--senders", "senders", NULL },
	{ "--force", "force", "yes" },
	{ NULL, NULL, NULL }
};
/* clang-format on */

static int
ask_with_targets(struct malle *m, const char *operation, int least, int argc,
    char **argv, const char *usage)
{
	struct str targets = STR_INIT(REGISTRY_VALUE_MAX - 1);
	static struct arguments a;
	int status;

	if (arguments_parse(m, options, false, argc, argv, &a) == -1 ||
	    a.n < least)
		return arguments_wrong(m, usage);
	for (int i = 1; i < a.n; i++) {
		str_puts(&targets, a.positional[i]);
		str_putc(&targets, '\n');
	}
	registry_add(&a.f, "address", slice_of(a.positional[0]));
	if (a.n > 1)
		registry_add(&a.f, "targets", str_slice(&targets));
	status = str_ok(&targets) ? registry_ask(m, operation, &a.f,
	    m->json ? row_show_json : NULL, NULL) : arguments_wrong(m, usage);
	str_free(&targets);
	return status;
}

static int
alias_add(struct malle *m, int argc, char **argv)
{
	return ask_with_targets(m, "alias.add", 2, argc, argv,
	    "alias add ADDRESS TARGET ... [--senders WHO] [--force]");
}

static int
alias_set(struct malle *m, int argc, char **argv)
{
	return ask_with_targets(m, "alias.set", 1, argc, argv,
	    "alias set ADDRESS [TARGET ...] [--state STATE] [--senders WHO] "
	    "[--force]");
}

static int
alias_list(struct malle *m, int argc, char **argv)
{
	static const char *const columns[] = { "name", "state", "targets",
		NULL };

	return ask_for_list(m, "alias.list", true, argc, argv,
	    "alias list [DOMAIN] [--after ADDRESS] [--limit N]", columns);
}

static int
alias_show(struct malle *m, int argc, char **argv)
{
	return ask_about_one(m, "alias.show", "address", NULL, false, argc,
	    argv, "alias show ADDRESS", row_show_all);
}

static int
alias_delete(struct malle *m, int argc, char **argv)
{
	return ask_about_one(m, "alias.delete", "address", option_force, false,
	    argc, argv, "alias delete ADDRESS [--force]", NULL);
}

/* The owner's own aliases: an address, a password, a name. */
static int
ask_own(struct malle *m, const char *operation, bool name, int argc,
    char **argv, const char *usage, row_show *show, void *columns)
{
	struct registry_fields f = { .n = 0 };
	char secret[SECRET_MAX + 1];
	static struct arguments a;
	int status = EX_NOINPUT;

	if (arguments_parse(m, NULL, false, argc, argv, &a) == -1 ||
	    a.n != 1 + name)
		return arguments_wrong(m, usage);
	if (name)
		registry_add(&f, "alias", slice_of(a.positional[1]));
	if (box_owner(m, a.positional[0], secret, &f) == 0)
		status = registry_ask(m, operation, &f, show, columns);
	explicit_bzero(secret, sizeof(secret));
	return status;
}

static int
own_list(struct malle *m, int argc, char **argv)
{
	static const char *const columns[] = { "name", "state", NULL };

	return ask_own(m, "own.list", false, argc, argv,
	    "alias own-list ADDRESS", row_show_columns,
	    (void *)(uintptr_t)columns);
}

static int
own_add(struct malle *m, int argc, char **argv)
{
	return ask_own(m, "own.add", true, argc, argv,
	    "alias own-add ADDRESS ALIAS", NULL, NULL);
}

static int
own_delete(struct malle *m, int argc, char **argv)
{
	return ask_own(m, "own.delete", true, argc, argv,
	    "alias own-delete ADDRESS ALIAS", NULL, NULL);
}

int
cmd_alias(struct malle *m, int argc, char **argv)
{
	/* clang-format off */
	static const struct action actions[] = {
		{ "add", alias_add, "ADDRESS TARGET ... [--senders WHO] [--force]",
		  "an address whose mail goes to others",
		  "une adresse dont le courrier va à d'autres" },
		{ "list", alias_list, "[DOMAIN] [--after ADDRESS] [--limit N]",
		  "address, state, targets", "adresse, état, destinations" },
		{ "show", alias_show, "ADDRESS",
		  "all about one alias", "tout sur un alias" },
		{ "set", alias_set,
		  "ADDRESS [TARGET ...] [--state STATE] [--senders WHO] [--force]",
		  "replace its targets, or change its state or who may write to it",
		  "remplacer ses destinations, ou changer son état ou qui peut y "
		  "écrire" },
		{ "delete", alias_delete, "ADDRESS [--force]",
		  "delete an alias", "supprimer un alias" },
		{ "own-list", own_list, "ADDRESS",
		  "the aliases that you have made for your mailbox",
		  "les alias que vous avez créés pour votre boîte" },
		{ "own-add", own_add, "ADDRESS ALIAS",
		  "an alias for your mailbox, if some are granted to it",
		  "un alias pour votre boîte, s'il lui en est accordé" },
		{ "own-delete", own_delete, "ADDRESS ALIAS",
		  "delete one of them", "supprimer l'un d'eux" },
		{ NULL, NULL, NULL, NULL, NULL }
	};
	/* clang-format on */

	return action_run(m, actions, argc, argv);
}
