/* cmd_client.c - malle client, malle manager: customers, and who manages. */
/* SPDX-License-Identifier: ISC */

#include <stdio.h>
#include <sysexits.h>

#include "tools/account.h"
#include "tools/code.h"
#include "tools/sent.h"

/* clang-format off */
static const struct option_field client_options[] = {
	{ "--name",     "full-name", NULL },
	{ "--contact",  "contact",   NULL },
	{ "--language", "language",  NULL },
	{ "--note",     "note",      NULL },
	{ NULL, NULL, NULL }
};
static const struct option_field manager_options[] = {
	{ "--name",           "full-name", NULL },
	{ "--domains",        "domains",   NULL },
	{ "--client",         "client",    NULL },
	{ "--create",         "create",    NULL },
	{ "--change",         "change",    NULL },
	{ "--delete",         "delete",    NULL },
	{ "--until",          "until",     NULL },
	{ "--state",          "state",     NULL },
	{ "--password-stdin", PASSWORD_HOW, "stdin" },
	{ "--hash-stdin",     PASSWORD_HOW, "hash" },
	{ "--random",         PASSWORD_HOW, "random" },
	{ "--locked",         PASSWORD_HOW, "locked" },
	{ NULL, NULL, NULL }
};
/* clang-format on */

static int
client_add(struct malle *m, int argc, char **argv)
{
	return ask_about_one(m, "client.add", "name", client_options, true,
	    argc, argv, "client add NAME [--name TEXT] [--contact ADDRESS] "
	    "[--language fr|en] [--note TEXT] [ATTRIBUTE=VALUE ...]",
	    m->json ? row_show_json : NULL);
}

static int
client_list(struct malle *m, int argc, char **argv)
{
	static const char *const columns[] = { "name", "full-name", "contact",
		"language", "used-domains", "used-mailboxes", "used-aliases",
		"used-forwards", "used-bytes", NULL };

	return ask_for_list(m, "client.list", false, argc, argv,
	    "client list [--after NAME] [--limit N]", columns);
}

static int
client_show(struct malle *m, int argc, char **argv)
{
	return sent_show_one(m, "client.show", "client.sent", argc, argv,
	    "client show NAME");
}

static int
client_set(struct malle *m, int argc, char **argv)
{
	return ask_about_one(m, "client.set", "name", client_options, true,
	    argc, argv, "client set NAME ATTRIBUTE=VALUE ...",
	    m->json ? row_show_json : NULL);
}

static int
client_delete(struct malle *m, int argc, char **argv)
{
	return ask_about_one(m, "client.delete", "name", NULL, false, argc,
	    argv, "client delete NAME", NULL);
}

int
cmd_client(struct malle *m, int argc, char **argv)
{
	/* clang-format off */
	static const struct action actions[] = {
		{ "add", client_add,
		  "NAME [--name TEXT] [--contact ADDRESS] [--language fr|en]\n"
		  "\t[--note TEXT] [ATTRIBUTE=VALUE ...]",
		  "a customer, who owns domains",
		  "un client, propriétaire de domaines" },
		{ "list", client_list, "[--after NAME] [--limit N]",
		  "name, full name, contact, language,\n"
		  "\tused/most domains, mailboxes, aliases, forwards, bytes of quotas",
		  "nom, nom complet, correspondant, langue,\n"
		  "\tutilisé/maximum : domaines, boîtes, alias, redirections, octets" },
		{ "show", client_show, "NAME",
		  "all about one customer", "tout sur un client" },
		{ "set", client_set, "NAME ATTRIBUTE=VALUE ...",
		  "change a customer", "modifier un client" },
		{ "delete", client_delete, "NAME",
		  "delete a customer who has no domain",
		  "supprimer un client sans domaine" },
		{ NULL, NULL, NULL, NULL, NULL }
	};
	/* clang-format on */

	return action_run(m, actions, argc, argv);
}

static int
manager_add(struct malle *m, int argc, char **argv)
{
	return ask_with_password(m, "manager.add", "name", manager_options,
	    argc, argv, "manager add NAME [--domains LIST] [--client NAME] "
	    "[--create KINDS] [--change KINDS] [--delete KINDS] [--until DATE] "
	    "[--random | --password-stdin | --hash-stdin | --locked]");
}

static int
manager_passwd(struct malle *m, int argc, char **argv)
{
	return ask_with_password(m, "manager.passwd", "name", manager_options,
	    argc, argv, "manager passwd NAME "
	    "[--random | --password-stdin | --hash-stdin | --locked]");
}

static int
manager_list(struct malle *m, int argc, char **argv)
{
	static const char *const columns[] = { "name", "full-name", "state",
		"client", "domains", "until", "password", NULL };

	return ask_for_list(m, "manager.list", false, argc, argv,
	    "manager list [--after NAME] [--limit N]", columns);
}

static int
manager_show(struct malle *m, int argc, char **argv)
{
	return ask_about_one(m, "manager.show", "name", NULL, false, argc, argv,
	    "manager show NAME", row_show_all);
}

static int
manager_set(struct malle *m, int argc, char **argv)
{
	return ask_about_one(m, "manager.set", "name", manager_options, true,
	    argc, argv, "manager set NAME [--domains LIST] [--client NAME] "
	    "[--create KINDS] [--change KINDS] [--delete KINDS] [--until DATE] "
	    "[--state STATE]", m->json ? row_show_json : NULL);
}

static int
manager_delete(struct malle *m, int argc, char **argv)
{
	return ask_about_one(m, "manager.delete", "name", NULL, false, argc,
	    argv, "manager delete NAME", NULL);
}

int
cmd_manager(struct malle *m, int argc, char **argv)
{
	/* clang-format off */
	static const struct action actions[] = {
		{ "add", manager_add,
		  "NAME [--domains LIST] [--client NAME]\n"
		  "\t[--create KINDS] [--change KINDS] [--delete KINDS] [--until DATE]\n"
		  "\t[--random | --password-stdin | --hash-stdin | --locked]",
		  "somebody who manages domains; the name admin manages all",
		  "qui gère des domaines ; le nom admin les gère tous" },
		{ "list", manager_list, "[--after NAME] [--limit N]",
		  "name, full name, state, customer, domains, end, password",
		  "nom, nom complet, état, client, domaines, fin, mot de passe" },
		{ "show", manager_show, "NAME",
		  "all about one manager", "tout sur un gestionnaire" },
		{ "set", manager_set, "NAME ATTRIBUTE=VALUE ...",
		  "change domains, rights, end or state",
		  "changer domaines, droits, fin ou état" },
		{ "passwd", manager_passwd,
		  "NAME [--random | --password-stdin | --hash-stdin | --locked]",
		  "change a password", "changer un mot de passe" },
		{ "code", manager_code, "[--card]",
		  "another security code for admin; --card: as a page to print",
		  "un autre code de sécurité pour admin ; --card : à imprimer" },
		{ "recover", manager_recover, "",
		  "admin has lost the password: another one by the security code",
		  "admin a perdu son mot de passe : un autre par le code de sécurité" },
		{ "delete", manager_delete, "NAME",
		  "delete a manager", "supprimer un gestionnaire" },
		{ NULL, NULL, NULL, NULL, NULL }
	};
	/* clang-format on */

	return action_run(m, actions, argc, argv);
}
