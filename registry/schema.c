/* schema.c - the kinds of objects and their attributes, as one table. */
/* SPDX-License-Identifier: ISC */

/*
 * To teach the registry a new kind or attribute, add a row here, and what it
 * does to record.c and build.c; dump, load, journal, show, set and the commands follow.
 */

#include "registry/schema.h"

#include <stdio.h>

#include "registry/valid.h"

/* clang-format off */

/* Of a domain and of a customer: usage.h, limits.c. */
#define LIMITS \
	{ "max-mailboxes", ATTR_SET | ATTR_CLEAR, NULL, valid_count, \
	  { "mailboxes at most; 0 or none: no limit", \
	    "boîtes au plus ; 0 ou rien : sans limite" } }, \
	{ "max-aliases", ATTR_SET | ATTR_CLEAR, NULL, valid_count, \
	  { "aliases to one address at most", \
	    "alias vers une adresse au plus" } }, \
	{ "max-forwards", ATTR_SET | ATTR_CLEAR, NULL, valid_count, \
	  { "aliases to several addresses at most", \
	    "redirections vers plusieurs adresses au plus" } }, \
	{ "max-robots", ATTR_SET | ATTR_CLEAR, NULL, valid_count, \
	  { "robots at most", "robots au plus" } }, \
	{ "max-lists", ATTR_SET | ATTR_CLEAR, NULL, valid_count, \
	  { "mailing lists at most", "listes de diffusion au plus" } }, \
	{ "max-mailings", ATTR_SET | ATTR_CLEAR, NULL, valid_count, \
	  { "mailings at most", "mailings au plus" } }, \
	{ "max-bytes", ATTR_SET | ATTR_CLEAR, NULL, valid_size, \
	  { "storage at most: the quotas add up to no more", \
	    "stockage au plus : la somme des quotas ne le dépasse pas" } }, \
	{ "max-messages-day", ATTR_SET | ATTR_CLEAR, NULL, valid_count, \
	  { "messages sent in a day at most", \
	    "messages envoyés par jour au plus" } }

/* What owners of mailboxes may do: grants.c. */
#define OWNERS(who) \
	{ "owner-may", ATTR_SET | ATTR_CLEAR | (who), NULL, valid_grants, \
	  { "what owners may do with their mailbox: all, none, all -password, " \
	    "or a list; none said: as the domain, the customer, all", \
	    "ce que les titulaires peuvent faire de leur boîte : all (tout), " \
	    "none (rien), all -password, ou une liste ; rien de dit : comme " \
	    "le domaine, le client, tout" } }, \
	{ "owner-until", ATTR_SET | ATTR_CLEAR | (who), NULL, valid_time, \
	  { "last day on which they may", \
	    "dernier jour où ils le peuvent" } }

static const struct attribute client_attributes[] = {
	{ "full-name", ATTR_SET | ATTR_CLEAR, NULL, valid_line,
	  { "name of the customer", "nom du client" } },
	{ "contact", ATTR_SET | ATTR_CLEAR, NULL, valid_targets,
	  { "addresses of a person there", "adresses d'un correspondant" } },
	{ "language", ATTR_SET, "fr", valid_language,
	  { "language to write to them in", "langue pour leur écrire" } },
	{ "note", ATTR_SET | ATTR_CLEAR, NULL, valid_line,
	  { "free text", "texte libre" } },
	{ "max-domains", ATTR_SET | ATTR_CLEAR, NULL, valid_count,
	  { "domains at most; 0 or none: no limit",
	    "domaines au plus ; 0 ou rien : sans limite" } },
	LIMITS,
	OWNERS(0),
	{ "created", 0, NULL, valid_time,
	  { "when it was made", "date de création" } },
	{ NULL, 0, NULL, NULL, { NULL, NULL } }
};

static const struct attribute manager_attributes[] = {
	{ "full-name", ATTR_SET | ATTR_CLEAR, NULL, valid_line,
	  { "name of the person", "nom de la personne" } },
	{ "state", ATTR_SET, "active", valid_state,
	  { "only the active may do anything",
	    "seul l'état active permet d'agir" } },
	{ "domains", ATTR_SET | ATTR_CLEAR, NULL, valid_domains,
	  { "the domains that are managed", "les domaines gérés" } },
	{ "client", ATTR_SET | ATTR_CLEAR, NULL, valid_login,
	  { "all domains of this customer are managed",
	    "tous les domaines de ce client sont gérés" } },
	{ "create", ATTR_SET, "user\nalias\nrobot\nlist\nmailing", valid_kinds,
	  { "kinds that may be made", "genres que l'on peut créer" } },
	{ "change", ATTR_SET, "domain\nuser\nalias\nrobot\nlist\nmailing",
	  valid_kinds,
	  { "kinds that may be changed", "genres que l'on peut modifier" } },
	{ "delete", ATTR_SET, "user\nalias\nrobot\nlist\nmailing", valid_kinds,
	  { "kinds that may be deleted", "genres que l'on peut supprimer" } },
	{ "until", ATTR_SET | ATTR_CLEAR, NULL, valid_time,
	  { "last day of these rights", "dernier jour de ces droits" } },
	{ "hash", ATTR_SECRET | ATTR_NEEDED, "!", valid_hash,
	  { "password hash, crypt(3); ! is locked",
	    "empreinte du mot de passe, crypt(3) ; ! : verrouillé" } },
	{ "code", ATTR_SECRET | ATTR_CLEAR, NULL, valid_hash,
	  { "hash of the security code of admin",
	    "empreinte du code de sécurité de admin" } },
	{ "created", 0, NULL, valid_time,
	  { "when it was made", "date de création" } },
	{ NULL, 0, NULL, NULL, { NULL, NULL } }
};

static const struct attribute domain_attributes[] = {
	{ "state", ATTR_SET, "active", valid_state,
	  { "active; suspended: senders try later; disabled: mail is refused",
	    "active ; suspended : les expéditeurs réessaient plus tard ; "
	    "disabled : le courrier est refusé" } },
	{ "language", ATTR_SET | ATTR_MANAGER, "fr", valid_language,
	  { "language of the messages sent to its users",
	    "langue des messages envoyés à ses utilisateurs" } },
	{ "since", 0, NULL, valid_time,
	  { "when the state last changed", "date du dernier changement d'état" } },
	{ "refuse-after", ATTR_SET, "7", valid_count,
	  { "days for which senders to a suspended domain try again; then refused",
	    "jours pendant lesquels on fait réessayer les expéditeurs d'un "
	    "domaine suspendu ; ensuite, refus" } },
	{ "time-zone", ATTR_SET | ATTR_MANAGER, "Europe/Paris", valid_zone,
	  { "time zone of its dates", "fuseau horaire de ses dates" } },
	{ "welcome", ATTR_SET | ATTR_MANAGER, "no", valid_switch,
	  { "whether new mailboxes get a message with the settings for mail "
	    "programs", "si les nouvelles boîtes reçoivent un message avec les "
	    "paramètres des logiciels de courrier" } },
	{ "spam-policy", ATTR_SET | ATTR_MANAGER, "none", valid_policy,
	  { "how its mail is filtered", "comment son courrier est filtré" } },
	{ "app-passwords", ATTR_SET | ATTR_MANAGER, "allowed", valid_apps,
	  { "application passwords: allowed, required (the main password opens "
	    "neither POP3 nor SMTP), off",
	    "mots de passe d'application : allowed (permis), required "
	    "(obligatoires : le mot de passe principal n'ouvre ni POP3 ni "
	    "SMTP), off (aucun)" } },
	{ "client", ATTR_SET | ATTR_CLEAR, NULL, valid_login,
	  { "the customer that it belongs to", "le client à qui il appartient" } },
	LIMITS,
	OWNERS(ATTR_MANAGER),
	{ "catch-all", ATTR_SET | ATTR_MANAGER, "refuse", valid_catch_all,
	  { "mail to names that do not exist: refuse, discard, an address, or "
	    "@domain for the same name there",
	    "courrier aux noms inexistants : refuse (refuser), discard "
	    "(supprimer), une adresse, ou @domaine pour le même nom là-bas" } },
	{ "default-quota", ATTR_SET | ATTR_MANAGER | ATTR_CLEAR, NULL, valid_quota,
	  { "quota of new mailboxes for which none is said",
	    "quota des nouvelles boîtes pour lesquelles rien n'est dit" } },
	{ "quota-warning", ATTR_SET | ATTR_MANAGER, "90", valid_percent,
	  { "percent of a quota above which its owner is warned; 0: never",
	    "pourcentage du quota au-delà duquel le titulaire est averti ; "
	    "0 : jamais" } },
	{ "alias-of", ATTR_SET | ATTR_MANAGER | ATTR_CLEAR, NULL, valid_domain,
	  { "the main domain that it is another name of",
	    "le domaine principal dont il est un autre nom" } },
	{ "uid", 0, NULL, valid_uid,
	  { "owner of its mailboxes; chosen by the registry",
	    "propriétaire de ses boîtes ; choisi par le registre" } },
	{ "created", 0, NULL, valid_time,
	  { "when it was made", "date de création" } },
	{ NULL, 0, NULL, NULL, { NULL, NULL } }
};

static const struct attribute user_attributes[] = {
	{ "full-name", ATTR_SET | ATTR_MANAGER | ATTR_OWN(GRANT_NAME) | ATTR_CLEAR, NULL,
	  valid_line,
	  { "name of the person", "nom de la personne" } },
	{ "state", ATTR_SET | ATTR_MANAGER, "active", valid_state,
	  { "active; suspended: try later; disabled: refused",
	    "active ; suspended : plus tard ; disabled : refusé" } },
	{ "quota-bytes", ATTR_SET | ATTR_MANAGER, "0", valid_quota,
	  { "size of the mailbox, 0: no limit",
	    "taille de la boîte, 0 : sans limite" } },
	{ "quota-messages", ATTR_SET | ATTR_MANAGER, "0", valid_count,
	  { "messages in the mailbox, 0: no limit",
	    "nombre de messages, 0 : sans limite" } },
	{ "pop3", ATTR_SET | ATTR_MANAGER, "yes", valid_switch,
	  { "may fetch mail by POP3", "peut relever par POP3" } },
	{ "smtp", ATTR_SET | ATTR_MANAGER, "yes", valid_switch,
	  { "may send mail", "peut envoyer" } },
	{ "hash", ATTR_SECRET | ATTR_NEEDED, "!", valid_hash,
	  { "password hash, crypt(3); ! is locked",
	    "empreinte du mot de passe, crypt(3) ; ! : verrouillé" } },
	{ "must-change", ATTR_SET | ATTR_MANAGER, "no", valid_switch,
	  { "the owner must choose another password",
	    "le titulaire doit choisir un autre mot de passe" } },
	{ "scram", ATTR_SECRET | ATTR_CLEAR, NULL, valid_scram,
	  { "SCRAM-SHA-256 keys", "clés SCRAM-SHA-256" } },
	{ "app-hashes", ATTR_SECRET | ATTR_CLEAR, NULL, valid_app_hashes,
	  { "application passwords, without what opens",
	    "mots de passe d'application, sans ce qui ouvre" } },
	{ "app-used", ATTR_SECRET | ATTR_QUIET | ATTR_CLEAR, NULL,
	  valid_app_used,
	  { "when each was last used", "dernier usage de chacun" } },
	{ "forward", ATTR_SET | ATTR_MANAGER | ATTR_OWN(GRANT_FORWARD) | ATTR_CLEAR, NULL,
	  valid_targets,
	  { "addresses that its mail goes on to",
	    "adresses où son courrier est renvoyé" } },
	{ "keep", ATTR_SET | ATTR_MANAGER | ATTR_OWN(GRANT_FORWARD), "yes", valid_switch,
	  { "keep a copy of what goes on",
	    "garder une copie de ce qui est renvoyé" } },
	{ "discard", ATTR_SET | ATTR_MANAGER | ATTR_OWN(GRANT_FORWARD), "no", valid_switch,
	  { "delete all mail unread", "supprimer tout courrier sans le lire" } },
	{ "senders", ATTR_SET | ATTR_MANAGER, "everybody", valid_senders,
	  { "who may write: everybody, domain, nobody, or addresses and "
	    "@domains", "qui peut écrire : everybody (tous), domain (le "
	    "domaine), nobody (personne), ou des adresses et des @domaines" } },
	{ "vacation", ATTR_SET | ATTR_MANAGER | ATTR_OWN(GRANT_VACATION), "no", valid_switch,
	  { "answer that its owner is away", "répondre que l'on est absent" } },
	{ "vacation-start", ATTR_SET | ATTR_MANAGER | ATTR_OWN(GRANT_VACATION) | ATTR_CLEAR,
	  NULL, valid_moment,
	  { "from when on; \"now\" ends after 48 hours unless an end is given",
	    "à partir de quand ; « now » finit après 48 heures sans fin donnée" } },
	{ "vacation-end", ATTR_SET | ATTR_MANAGER | ATTR_OWN(GRANT_VACATION) | ATTR_CLEAR,
	  NULL, valid_moment,
	  { "until when; none: for ever", "jusqu'à quand ; rien : sans fin" } },
	{ "vacation-subject", ATTR_SET | ATTR_MANAGER | ATTR_OWN(GRANT_VACATION) | ATTR_CLEAR,
	  NULL, valid_line,
	  { "subject of the answer", "objet de la réponse" } },
	{ "vacation-text", ATTR_SET | ATTR_MANAGER | ATTR_OWN(GRANT_VACATION) | ATTR_CLEAR,
	  NULL, valid_body,
	  { "text of the answer", "texte de la réponse" } },
	{ "vacation-days", ATTR_SET | ATTR_MANAGER | ATTR_OWN(GRANT_VACATION), "7", valid_count,
	  { "days before a sender is answered again; 0: once an absence",
	    "jours avant de répondre de nouveau à un expéditeur ; 0 : une fois "
	    "par absence" } },
	{ "messages-hour", ATTR_SET, "0", valid_count,
	  { "messages that may be sent in an hour; 0: as the configuration says",
	    "messages envoyés par heure au plus ; 0 : selon la configuration" } },
	{ "recipients-hour", ATTR_SET, "0", valid_count,
	  { "recipients of what is sent in an hour; 0: as the configuration says",
	    "destinataires par heure au plus ; 0 : selon la configuration" } },
	{ "own-aliases", ATTR_SET | ATTR_MANAGER, "0", valid_count,
	  { "aliases that the owner may make",
	    "alias que le titulaire peut créer lui-même" } },
	OWNERS(ATTR_MANAGER),
	{ "folder", 0, NULL, valid_login,
	  { "where its mail is, when not below its name",
	    "dossier de son courrier, s'il n'a pas son nom" } },
	{ "created", 0, NULL, valid_time,
	  { "when it was made", "date de création" } },
	{ "last-login", ATTR_QUIET, NULL, valid_time,
	  { "last good login", "dernière connexion" } },
	{ "sending", ATTR_QUIET | ATTR_CLEAR, NULL, valid_line,
	  { "that it sends too much: slowed, held or refused; what, how many in "
	    "an hour, how many are allowed, since when",
	    "qu'elle envoie trop : ralentie, retenue ou refusée ; quoi, combien "
	    "en une heure, combien sont permis, depuis quand" } },
	{ NULL, 0, NULL, NULL, { NULL, NULL } }
};

static const struct attribute alias_attributes[] = {
	{ "targets", ATTR_SET | ATTR_MANAGER | ATTR_NEEDED, NULL,
	  valid_targets,
	  { "where its mail goes", "où va son courrier" } },
	{ "state", ATTR_SET | ATTR_MANAGER, "active", valid_state,
	  { "active; suspended: try later; disabled: refused",
	    "active ; suspended : plus tard ; disabled : refusé" } },
	{ "senders", ATTR_SET | ATTR_MANAGER, "everybody", valid_senders,
	  { "who may write: everybody, domain, nobody, or addresses and "
	    "@domains", "qui peut écrire : everybody (tous), domain (le "
	    "domaine), nobody (personne), ou des adresses et des @domaines" } },
	{ "made-by", 0, NULL, valid_targets,
	  { "the mailbox whose owner has made it",
	    "la boîte dont le titulaire l'a créé" } },
	{ "created", 0, NULL, valid_time,
	  { "when it was made", "date de création" } },
	{ NULL, 0, NULL, NULL, { NULL, NULL } }
};

static const struct attribute robot_attributes[] = {
	{ "subject", ATTR_SET | ATTR_MANAGER | ATTR_NEEDED, NULL, valid_line,
	  { "subject of the answer", "objet de la réponse" } },
	{ "text", ATTR_SET | ATTR_MANAGER | ATTR_NEEDED, NULL, valid_body,
	  { "text of the answer", "texte de la réponse" } },
	{ "copy", ATTR_SET | ATTR_MANAGER | ATTR_CLEAR, NULL, valid_targets,
	  { "who gets what came in", "qui reçoit ce qui est arrivé" } },
	{ "days", ATTR_SET | ATTR_MANAGER, "1", valid_count,
	  { "days before a sender is answered again",
	    "jours avant de répondre de nouveau à un expéditeur" } },
	{ "senders", ATTR_SET | ATTR_MANAGER, "everybody", valid_senders,
	  { "who may write: everybody, domain, nobody, or addresses and "
	    "@domains", "qui peut écrire : everybody (tous), domain (le "
	    "domaine), nobody (personne), ou des adresses et des @domaines" } },
	{ "state", ATTR_SET | ATTR_MANAGER, "active", valid_state,
	  { "active; suspended: try later; disabled: refused",
	    "active ; suspended : plus tard ; disabled : refusé" } },
	{ "created", 0, NULL, valid_time,
	  { "when it was made", "date de création" } },
	{ NULL, 0, NULL, NULL, { NULL, NULL } }
};

static const struct attribute relay_attributes[] = {
	{ "note", ATTR_SET | ATTR_CLEAR, NULL, valid_line,
	  { "who and why", "qui et pourquoi" } },
	{ "owner", ATTR_SET | ATTR_CLEAR, NULL, valid_owner,
	  { "mailbox or customer that answers for them",
	    "boîte ou client qui en répond" } },
	{ "rate", ATTR_SET, "0", valid_count,
	  { "messages an hour that all of them together may send; 0: no limit",
	    "messages par heure pour toutes ensemble ; 0 : sans limite" } },
	{ "until", ATTR_SET | ATTR_CLEAR, NULL, valid_time,
	  { "last day of the permission", "dernier jour de l'autorisation" } },
	{ "created", 0, NULL, valid_time,
	  { "when it was made", "date de création" } },
	{ NULL, 0, NULL, NULL, { NULL, NULL } }
};

static const struct attribute suffix_attributes[] = {
	{ "mandatory", ATTR_SET | ATTR_NEEDED, "postmaster\nabuse", valid_locals,
	  { "names that each domain of this end must have",
	    "noms que doit avoir chaque domaine de cette terminaison" } },
	{ "created", 0, NULL, valid_time,
	  { "when it was made", "date de création" } },
	{ NULL, 0, NULL, NULL, { NULL, NULL } }
};

static const struct attribute removed_attributes[] = {
	{ "date", ATTR_NEEDED, NULL, valid_time,
	  { "when it was deleted", "date de suppression" } },
	{ "uid", ATTR_NEEDED, NULL, valid_uid,
	  { "owner of what is left on disk",
	    "propriétaire de ce qui reste sur le disque" } },
	{ "folder", 0, NULL, valid_login,
	  { "where its mail is, when not below its name",
	    "dossier de son courrier, s'il n'a pas son nom" } },
	{ "mailbox", 0, NULL, valid_owner,
	  { "what it was called, when another one of that name was deleted before",
	    "son nom, quand une autre boîte de ce nom a été supprimée avant" } },
	{ "purge", 0, NULL, valid_switch,
	  { "its mail is to go now, not when its time is over",
	    "son courrier doit disparaître maintenant, sans attendre le délai" } },
	{ "change", 0, NULL, valid_count,
	  { "the change of the journal that deleted it",
	    "la modification du journal qui l'a supprimé" } },
	{ NULL, 0, NULL, NULL, { NULL, NULL } }
};

static int
name_client(struct slice in, char *out, struct text *why)
{
	char name[ADDR_LOCAL_MAX + 1];

	if (addr_account(in, name) == -1)
		return why_not(why,
		    "cannot be a name: 1 to 64 letters without accents, digits, "
		    "- and _, and dots inside",
		    "n'est pas un nom possible : de 1 à 64 lettres sans accent, "
		    "chiffres, - et _, et des points à l'intérieur");
	snprintf(out, ADDR_TEXT_MAX, "%s", name);
	return 0;
}

int
name_login(struct slice in, char *out, struct text *why)
{
	return in.len > 0 && memchr(in.p, '@', in.len) != NULL ?
	    name_address(in, out, why) : name_client(in, out, why);
}

static int
name_removed(struct slice in, char *out, struct text *why)
{
	return memchr(in.p, '@', in.len) != NULL ?
	    name_address(in, out, why) : name_domain(in, out, why);
}

const struct kind kind_client = {
	"client", "client", name_client, client_attributes,
	{ "a customer, who owns domains", "un client, propriétaire de domaines" }
};
const struct kind kind_manager = {
	"manager", "manager", name_login, manager_attributes,
	{ "somebody who manages domains; \"admin\" manages all",
	  "qui gère des domaines ; « admin » les gère tous" }
};
const struct kind kind_domain = {
	"domain", "domain", name_domain, domain_attributes,
	{ "a mail domain", "un domaine de courrier" }
};
const struct kind kind_user = {
	"user", "address", name_address, user_attributes,
	{ "a mailbox and its login", "une boîte aux lettres et son compte" }
};
const struct kind kind_alias = {
	"alias", "address", name_address, alias_attributes,
	{ "an address that leads to others",
	  "une adresse qui mène à d'autres" }
};
const struct kind kind_robot = {
	"robot", "address", name_address, robot_attributes,
	{ "an address that answers", "une adresse qui répond" }
};
const struct kind kind_relay = {
	"relay", "relay", name_relay, relay_attributes,
	{ "hosts that may send to the world through us",
	  "machines qui peuvent envoyer vers l'extérieur" }
};
const struct kind kind_suffix = {
	"suffix", "suffix", name_domain, suffix_attributes,
	{ "what domains that end so must have",
	  "ce que doivent avoir les domaines qui se terminent ainsi" }
};
const struct kind kind_removed = {
	"removed", "removed", name_removed, removed_attributes,
	{ "a deleted mailbox or domain whose mail is still kept",
	  "une boîte ou un domaine supprimé dont le courrier est conservé" }
};
const struct kind *const kinds[] = {
	&kind_suffix, &kind_client, &kind_domain, &kind_manager, &kind_user,
	&kind_alias, &kind_robot, &kind_relay, &kind_removed, NULL
};
/* clang-format on */

const struct kind *
kind_find(struct slice name)
{
	for (size_t i = 0; kinds[i] != NULL; i++)
		if (slice_eq(name, slice_of(kinds[i]->name)))
			return kinds[i];
	return NULL;
}

int
kind_attribute(const struct kind *k, struct slice name)
{
	/* Asked some twenty times for each record of a table that is written:
	 * most names differ in their first byte. */
	for (int i = 0; k->attributes[i].name != NULL; i++)
		if (name.len > 0 && *k->attributes[i].name == *name.p &&
		    slice_eq(name, slice_of(k->attributes[i].name)))
			return i;
	return -1;
}

int
name_domain(struct slice in, char *out, struct text *why)
{
	/* A domain of one label has no place on the Internet, but in a house. */
	if (addr_domain(in, out) == -1)
		return why_not(why,
		    "is no domain name: letters, digits and hyphens, parts of at "
		    "most 63 with dots between them",
		    "n'est pas un nom de domaine : lettres, chiffres et tirets, "
		    "parties de 63 au plus séparées par des points");
	/* Its table in auth/ would be the index of all domains there. */
	if (strcmp(out, "domains") == 0)
		return why_not(why, "is the name of a table of this service",
		    "est le nom d'une table de ce service");
	return 0;
}

int
name_address(struct slice in, char *out, struct text *why)
{
	char local[ADDR_LOCAL_MAX + 1], domain[ADDR_DOMAIN_MAX + 1];
	const char *at = memrchr(in.p, '@', in.len);
	size_t left;

	if (at == NULL)
		return why_not(why, "is no full address: name@domain is needed",
		    "n'est pas une adresse complète : il faut nom@domaine");
	left = (size_t)(at - in.p);
	/* Inventory 1-04, 1-05. */
	if (addr_account(slice_make(in.p, left), local) == -1)
		return why_not(why,
		    "has a name that cannot be used: 1 to 64 letters without "
		    "accents, digits, - and _, and dots inside, never two in a row",
		    "a un nom impossible : de 1 à 64 lettres sans accent, "
		    "chiffres, - et _, et des points à l'intérieur, jamais deux "
		    "de suite");
	if (addr_domain(slice_skip(in, left + 1), domain) == -1)
		return why_not(why, "has no valid domain after the @",
		    "n'a pas de domaine valable après le @");
	if (strlen(local) + 1 + strlen(domain) > ADDR_MAX)
		return why_not(why, "is too long: 254 bytes at most",
		    "est trop longue : 254 octets au plus");
	snprintf(out, ADDR_TEXT_MAX, "%s@%s", local, domain);
	return 0;
}

/* Zeroes what is behind the first bits, so that a net has one name. */
static void
mask(struct ip *ip, unsigned bits)
{
	for (unsigned i = bits; i < 128; i++)
		ip->b[i / 8] &= (uint8_t)~(0x80u >> (i % 8));
}

int
name_relay(struct slice in, char *out, struct text *why)
{
	char text[IP_TEXT_MAX];
	struct ip net;
	unsigned bits;

	if (ip_parse_net(in, &net, &bits) == -1)
		return why_not(why,
		    "is no address or net, such as 192.0.2.7, 192.0.2.0/24 or "
		    "2001:db8::/32",
		    "n'est ni une adresse ni un réseau, comme 192.0.2.7, "
		    "192.0.2.0/24 ou 2001:db8::/32");
	mask(&net, bits);
	ip_text(&net, text);
	if (bits < 8 || (strchr(text, ':') == NULL && bits < 96 + 8))
		return why_not(why, "is too large a part of the Internet",
		    "est une trop grande partie d'Internet");
	snprintf(out, ADDR_TEXT_MAX, "%s/%u", text,
	    strchr(text, ':') == NULL ? bits - 96 : bits);
	return 0;
}
