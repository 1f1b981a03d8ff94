/* cmd_domain.c - malle domain: the domains that we take mail for. */
/* SPDX-License-Identifier: ISC */

#include <stdio.h>
#include <sysexits.h>
#include <unistd.h>

#include "tools/account.h"
#include "tools/domain_check.h"
#include "tools/sent.h"

/* clang-format off */
static const struct option_field options[] = {
	{ "--language", "language", NULL },
	{ "--alias-of", "alias-of", NULL },
	{ "--state",    "state",    NULL },
	{ "--client",   "client",   NULL },
	{ "--time-zone", "time-zone", NULL },
	{ "--spam-policy", "spam-policy", NULL },
	{ "--refuse-after", "refuse-after", NULL },
	{ "--force",    "force",    "yes" },
	{ "--dns",      "dns",      "yes" },
	{ "--no-dns",   "dns",      "no" },
	{ NULL, NULL, NULL }
};
static const struct option_field delete_options[] = {
	{ "--all", "all", "yes" },
	{ NULL, NULL, NULL }
};
/* clang-format on */

static int
domain_add(struct malle *m, int argc, char **argv)
{
	static struct arguments a;
	struct slice dns;
	int status;

	if (arguments_parse(m, options, true, argc, argv, &a) == -1 || a.n != 1)
		return arguments_wrong(m, "domain add NAME "
		    "[--language fr|en] [--alias-of MAIN] [--client NAME] "
		    "[--force] [--dns | --no-dns]");
	dns = take_field(&a.f, "dns");
	registry_add(&a.f, "name", slice_of(a.positional[0]));
	status = registry_ask(m, "domain.add", &a.f,
	    m->json ? row_show_json : NULL, NULL);
	/* What the DNS lacks keeps nobody from preparing a domain; a script
	 * does not wait for it unless it says so (inventory 0-12). */
	if (status == EX_OK && (dns.p != NULL ? slice_eq(dns, SLICE("yes")) :
	    !m->json && isatty(STDERR_FILENO)))
		domain_check_advise(m, a.positional[0]);
	return status;
}

static int
domain_list(struct malle *m, int argc, char **argv)
{
	static const char *const columns[] = { "name", "state", "language",
		"alias-of", "client", "used-mailboxes", "used-aliases",
		"used-forwards", "used-bytes", NULL };

	return ask_for_list(m, "domain.list", false, argc, argv,
	    "domain list [--after NAME] [--limit N]", columns);
}

static int
domain_show(struct malle *m, int argc, char **argv)
{
	return sent_show_one(m, "domain.show", "domain.sent", argc, argv,
	    "domain show NAME");
}

static int
domain_set(struct malle *m, int argc, char **argv)
{
	return ask_about_one(m, "domain.set", "name", options, true, argc, argv,
	    "domain set NAME [--language fr|en] [--state STATE] "
	    "[--alias-of MAIN] [ATTRIBUTE=VALUE ...]",
	    m->json ? row_show_json : NULL);
}

static int
domain_delete(struct malle *m, int argc, char **argv)
{
	return ask_about_one(m, "domain.delete", "name", delete_options, false,
	    argc, argv, "domain delete NAME [--all]", NULL);
}

int
cmd_domain(struct malle *m, int argc, char **argv)
{
	/* clang-format off */
	static const struct action actions[] = {
		{ "add", domain_add,
		  "NAME [--language fr|en] [--alias-of MAIN] [--client NAME] [--force]\n"
		  "\t[--dns | --no-dns]",
		  "take mail for a domain, or for another name of one",
		  "recevoir le courrier d'un domaine, ou d'un autre nom de l'un d'eux" },
		{ "check", domain_check, "NAME [--address ADDRESS,...]",
		  "whether the DNS sends its mail here, and what to publish",
		  "si le DNS envoie son courrier ici, et que publier" },
		{ "list", domain_list, "[--after NAME] [--limit N]",
		  "name, state, language, main domain of an alias, customer,\n"
		  "\tused/most mailboxes, aliases, forwards, bytes of quotas",
		  "nom, état, langue, domaine principal d'un alias, client,\n"
		  "\tutilisé/maximum : boîtes, alias, redirections, octets de quotas" },
		{ "show", domain_show, "NAME",
		  "all about one domain", "tout sur un domaine" },
		{ "set", domain_set, "NAME ATTRIBUTE=VALUE ...",
		  "change language, state or alias-of",
		  "changer language (langue), state (état) ou alias-of" },
		{ "delete", domain_delete, "NAME [--all]",
		  "delete a domain; --all: with its addresses",
		  "supprimer un domaine ; --all : avec ses adresses" },
		{ NULL, NULL, NULL, NULL, NULL }
	};
	/* clang-format on */

	return action_run(m, actions, argc, argv);
}
