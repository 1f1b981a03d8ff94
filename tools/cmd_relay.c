/* cmd_relay.c - malle relay: hosts that may send through us. */
/* SPDX-License-Identifier: ISC */

#include <stdio.h>
#include <sysexits.h>

#include "tools/account.h"

#define ARGUMENTS "ADDRESS[/BITS] [--owner ADDRESS|CLIENT] [--rate N] " \
	"[--until DATE] [--note TEXT]"

/* clang-format off */
static const struct option_field options[] = {
	{ "--note",  "note",  NULL },
	{ "--owner", "owner", NULL },
	{ "--rate",  "rate",  NULL },
	{ "--until", "until", NULL },
	{ NULL, NULL, NULL }
};
/* clang-format on */

static int
relay_add(struct malle *m, int argc, char **argv)
{
	return ask_about_one(m, "relay.add", "net", options, true, argc, argv,
	    "relay add " ARGUMENTS, m->json ? row_show_json : NULL);
}

static int
relay_set(struct malle *m, int argc, char **argv)
{
	return ask_about_one(m, "relay.set", "net", options, true, argc, argv,
	    "relay set " ARGUMENTS, m->json ? row_show_json : NULL);
}

static int
relay_delete(struct malle *m, int argc, char **argv)
{
	return ask_about_one(m, "relay.delete", "net", NULL, false, argc, argv,
	    "relay delete ADDRESS[/BITS]", NULL);
}

static int
relay_show(struct malle *m, int argc, char **argv)
{
	return ask_about_one(m, "relay.show", "net", NULL, false, argc, argv,
	    "relay show ADDRESS[/BITS]", row_show_all);
}

static int
relay_list(struct malle *m, int argc, char **argv)
{
	static const char *const columns[] = { "name", "owner", "rate",
		"until", "note", NULL };
	struct registry_fields f = { .n = 0 };

	(void)argv;
	if (argc != 1)
		return arguments_wrong(m, "relay list");
	return registry_ask(m, "relay.list", &f, row_show_columns,
	    (void *)(uintptr_t)columns);
}

int
cmd_relay(struct malle *m, int argc, char **argv)
{
	/* clang-format off */
	static const struct action actions[] = {
		{ "add", relay_add, ARGUMENTS,
		  "let hosts send mail to the world through us",
		  "laisser des machines envoyer vers l'extérieur" },
		{ "list", relay_list, "",
		  "address or net, owner, messages an hour, last day, note",
		  "adresse ou réseau, titulaire, messages par heure, dernier jour, "
		  "note" },
		{ "set", relay_set, ARGUMENTS,
		  "change what is said of them", "changer ce qui en est dit" },
		{ "show", relay_show, "ADDRESS[/BITS]",
		  "all that is said of them", "tout ce qui en est dit" },
		{ "delete", relay_delete, "ADDRESS[/BITS]",
		  "take the permission away", "retirer l'autorisation" },
		{ NULL, NULL, NULL, NULL, NULL }
	};
	/* clang-format on */

	return action_run(m, actions, argc, argv);
}
