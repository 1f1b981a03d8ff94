/* cmd_app.c - malle user app-password: one password for each program. */
/* SPDX-License-Identifier: ISC */

#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "tools/account.h"
#include "tools/json.h"
#include "tools/user.h"

/* clang-format off */
static const struct option_field options[] = {
	{ "--name",     "app",      NULL },
	{ "--services", "services", NULL },
	{ "--until",    "until",    NULL },
	{ "--own",      "own",      "yes" },
	{ NULL, NULL, NULL }
};
/* clang-format on */

/* Shown once: the registry keeps what recognises it, no more. */
static void
show_made(void *arg, const struct registry_fields *row)
{
	const struct malle *m = arg;

	if (m->json) {
		row_show_json(NULL, row);
		return;
	}
	fputs(tr(m, "application password \"", "mot de passe d'application « "),
	    stdout);
	text_put_escaped(stdout, registry_field(row, "app"));
	printf(tr(m, "\": %.*s\n", " » : %.*s\n"),
	    SLICE_FMT(registry_field(row, "password")));
	fputs(tr(m, "It is not shown again. Hyphens and spaces do not count.\n",
	    "Il ne sera plus montré. Les tirets et les espaces ne comptent "
	    "pas.\n"), stderr);
}

/* Only the owner may, so that the password is always asked for. */
static int
app_add(struct malle *m, int argc, char **argv)
{
	static struct arguments a;
	struct secrets s = { .show = false };
	int status = EX_NOINPUT;

	if (arguments_parse(m, options, false, argc, argv, &a) == -1 ||
	    a.n != 1 || registry_field(&a.f, "app").p == NULL)
		return arguments_wrong(m, "user app-password add ADDRESS "
		    "--name NAME [--services pop3,smtp] [--until DATE]");
	(void)take_field(&a.f, "own");
	registry_add(&a.f, "address", slice_of(a.positional[0]));
	if (m->as != NULL || secret_own(m, s.current) == 0) {
		if (m->as == NULL) {
			registry_add(&a.f, "as", slice_of(a.positional[0]));
			registry_add(&a.f, "current", slice_of(s.current));
		}
		status = registry_ask(m, "app.add", &a.f, show_made, m);
	}
	explicit_bzero(&s, sizeof(s));
	return status;
}

/* The owner with --own, or who administers. */
static int
ask(struct malle *m, const char *operation, bool named, int argc, char **argv,
    const char *usage, row_show *show, void *arg)
{
	static struct arguments a;
	struct secrets s = { .show = false };
	int status = EX_NOINPUT;

	if (arguments_parse(m, options, false, argc, argv, &a) == -1 ||
	    a.n != 1 || named != (registry_field(&a.f, "app").p != NULL))
		return arguments_wrong(m, usage);
	registry_add(&a.f, "address", slice_of(a.positional[0]));
	if (add_current(m, &a.f, &s) == 0)
		status = registry_ask(m, operation, &a.f, show, arg);
	explicit_bzero(&s, sizeof(s));
	return status;
}

static int
app_list(struct malle *m, int argc, char **argv)
{
	static const char *const columns[] = { "app", "services", "created",
		"last-used", "until", NULL };

	return ask(m, "app.list", false, argc, argv,
	    "user app-password list ADDRESS [--own]", row_show_columns,
	    (void *)(uintptr_t)columns);
}

static int
app_delete(struct malle *m, int argc, char **argv)
{
	return ask(m, "app.delete", true, argc, argv,
	    "user app-password delete ADDRESS --name NAME [--own]", NULL,
	    NULL);
}

int
user_app_password(struct malle *m, int argc, char **argv)
{
	static char name[] = "user app-password";

	/* clang-format off */
	static const struct action actions[] = {
		{ "add", app_add,
		  "ADDRESS --name NAME [--services pop3,smtp] [--until DATE]",
		  "make a password for one program of yours; it is shown once",
		  "créer un mot de passe pour un de vos programmes ; montré une fois" },
		{ "list", app_list, "ADDRESS [--own]",
		  "name, services, made when, last used, until",
		  "nom, services, date de création, dernier usage, fin" },
		{ "delete", app_delete, "ADDRESS --name NAME [--own]",
		  "delete one: it opens nothing any more",
		  "en supprimer un : il n'ouvre plus rien" },
		{ NULL, NULL, NULL, NULL, NULL }
	};
	/* clang-format on */

	argv[0] = name;		/* as the usage text shows it */
	return action_run(m, actions, argc, argv);
}
