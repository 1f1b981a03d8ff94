/* reserved.c - names that are functions, not persons. */
/* SPDX-License-Identifier: ISC */

/*
 * A login is of one person; functions are aliases that lead to people
 * (inventory 3-12, 3-13). Beside these, names that other programs and the
 * owners of certificates and lists listen to (RFC 2142, the names by which
 * certificates are confirmed) must not fall to whoever asks first.
 */

#include "registry/reserved.h"

#include <stdlib.h>

/* clang-format off */
/* Lower case, sorted as bytes. */
static const char *const names[] = {
	"abuse", "accounts", "accueil", "achats", "admin", "administrateur",
	"administration", "administrator", "adresse", "alert", "alertes",
	"annonces", "assistance", "autoconfig", "autodiscover", "avocat",
	"backup", "billing", "bonjour", "boutique", "bureau", "campagne",
	"candidature", "catchall", "clients", "commande", "commercial",
	"communication", "compta", "comptabilite", "contact", "courrier",
	"cron", "daemon", "devis", "direction", "dpo", "emploi", "enquiries",
	"equipe", "facturation", "factures", "finance", "formation", "ftp",
	"gestion", "hello", "help", "hostmaster", "hr", "info", "information",
	"informatique", "infos", "inscription", "invoices", "jobs", "legal",
	"liste", "listes", "listmaster", "livraison", "logistique", "mail",
	"mailer-daemon", "mailing", "mairie", "majordomo", "marketing",
	"media", "moderation", "news", "newsletter", "no-reply", "nobody",
	"noc", "noreply", "office", "operator", "orders", "owner", "paie",
	"partners", "postmaster", "presse", "privacy", "publicite", "rebonds",
	"recrutement", "redaction", "reply", "reservation", "reservations",
	"rgpd", "rh", "root", "rssi", "sales", "secretariat", "security",
	"service", "services", "shop", "spam", "ssladmin", "ssladministrator",
	"sslwebmaster", "staff", "stage", "support", "sysadmin", "system",
	"technique", "undisclosed", "unsubscribe", "usenet", "uucp", "ventes",
	"vie-scolaire", "webmail", "webmaster", "website", "welcome", "www"
};
/* clang-format on */

static int
by_name(const void *key, const void *name)
{
	return strcmp(key, *(const char *const *)name);
}

bool
reserved_is(struct slice local)
{
	char name[ADDR_LOCAL_MAX + 1];

	return slice_to_cstr(local, name, sizeof(name)) == 0 &&
	    bsearch(name, names, sizeof(names) / sizeof(*names),
	    sizeof(*names), by_name) != NULL;
}

enum registry_result
reserved_judge(struct request *q, const char *address)
{
	if (field_yes(q, "force") || !reserved_is(address_local(address)))
		return REGISTRY_OK;
	return say(q, REGISTRY_INVALID,
	    "%s names a function, not a person: better make an alias that "
	    "leads to people (malle alias add). If this is meant: --force",
	    "%s désigne une fonction, pas une personne : mieux vaut un alias "
	    "qui mène à des personnes (malle alias add). Si c'est voulu : "
	    "--force", address);
}
