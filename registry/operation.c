/* operation.c - what may be asked of the registry, and by whom. */
/* SPDX-License-Identifier: ISC */

/*
 * Rights are this table and nothing else: an operation is done for the roles
 * in its row; rights.c reads it. "malle-registryd -R" prints it, and
 * malle-registry-protocol(7) shows the same.
 */

#include "registry/operation.h"

#include <errno.h>
#include <idn2.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "lib/date.h"
#include "lib/log.h"
#include "lib/num.h"
#include "registry/compile.h"
#include "registry/folder.h"
#include "registry/journal.h"
#include "registry/limits.h"
#include "registry/rights.h"

#define ADMINS (ROLE_ROOT | ROLE_ADMIN)
#define MANAGERS ROLE_MANAGER
#define EVERYBODY (ADMINS | MANAGERS | ROLE_OWNER | ROLE_ANY)

/* clang-format off */
const struct operation operations[] = {
	{ "client.add", ADMINS,
	  RIGHT_CREATE, &kind_client, OP_WRITE, op_object_add, "name",
	  { "add a customer", "ajouter un client" } },
	{ "client.list", ADMINS | MANAGERS,
	  RIGHT_NONE, &kind_client, 0, op_object_list, NULL,
	  { "list the customers", "lister les clients" } },
	{ "client.show", ADMINS | MANAGERS,
	  RIGHT_SEE, &kind_client, 0, op_object_show, "name",
	  { "show a customer", "montrer un client" } },
	{ "client.set", ADMINS,
	  RIGHT_CHANGE, &kind_client, OP_WRITE, op_object_set, "name",
	  { "change a customer", "modifier un client" } },
	{ "client.delete", ADMINS,
	  RIGHT_DELETE, &kind_client, OP_WRITE, op_object_delete, "name",
	  { "delete a customer", "supprimer un client" } },

	{ "manager.add", ADMINS,
	  RIGHT_CREATE, &kind_manager, OP_WRITE | OP_HASH, op_object_add, "name",
	  { "add a manager", "ajouter un gestionnaire" } },
	{ "manager.list", ADMINS | MANAGERS,
	  RIGHT_NONE, &kind_manager, 0, op_object_list, NULL,
	  { "list the managers", "lister les gestionnaires" } },
	{ "manager.show", ADMINS | MANAGERS,
	  RIGHT_SEE, &kind_manager, 0, op_object_show, "name",
	  { "show a manager", "montrer un gestionnaire" } },
	{ "manager.set", ADMINS,
	  RIGHT_CHANGE, &kind_manager, OP_WRITE, op_object_set, "name",
	  { "change a manager", "modifier un gestionnaire" } },
	{ "manager.passwd", ADMINS | MANAGERS,
	  RIGHT_SEE, &kind_manager, OP_WRITE | OP_HASH, op_object_passwd, "name",
	  { "change a manager's password",
	    "changer le mot de passe d'un gestionnaire" } },
	{ "manager.delete", ADMINS,
	  RIGHT_DELETE, &kind_manager, OP_WRITE, op_object_delete, "name",
	  { "delete a manager", "supprimer un gestionnaire" } },

	{ "domain.add", ADMINS | MANAGERS,
	  RIGHT_CREATE, &kind_domain, OP_WRITE, op_domain_add, "name",
	  { "add a domain", "ajouter un domaine" } },
	{ "domain.list", ADMINS | MANAGERS,
	  RIGHT_NONE, &kind_domain, 0, op_domain_list, NULL,
	  { "list the domains", "lister les domaines" } },
	{ "domain.show", ADMINS | MANAGERS,
	  RIGHT_SEE, &kind_domain, 0, op_domain_show, "name",
	  { "show a domain", "montrer un domaine" } },
	{ "domain.set", ADMINS | MANAGERS,
	  RIGHT_CHANGE, &kind_domain, OP_WRITE, op_domain_set, "name",
	  { "change a domain", "modifier un domaine" } },
	{ "domain.delete", ADMINS | MANAGERS,
	  RIGHT_DELETE, &kind_domain, OP_WRITE, op_domain_delete, "name",
	  { "delete a domain", "supprimer un domaine" } },

	{ "user.add", ADMINS | MANAGERS,
	  RIGHT_CREATE, &kind_user, OP_WRITE | OP_HASH, op_user_add, "address",
	  { "add a mailbox", "ajouter une boîte" } },
	{ "user.list", ADMINS | MANAGERS,
	  RIGHT_NONE, &kind_user, 0, op_user_list, NULL,
	  { "list mailboxes", "lister les boîtes" } },
	{ "user.show", ADMINS | MANAGERS | ROLE_OWNER,
	  RIGHT_SEE, &kind_user, 0, op_user_show, "address",
	  { "show a mailbox", "montrer une boîte" } },
	{ "user.set", ADMINS | MANAGERS | ROLE_OWNER,
	  RIGHT_CHANGE, &kind_user, OP_WRITE, op_user_set, "address",
	  { "change a mailbox", "modifier une boîte" } },
	{ "user.passwd", ADMINS | MANAGERS | ROLE_OWNER,
	  RIGHT_CHANGE, &kind_user, OP_WRITE | OP_HASH, op_user_passwd, "address",
	  { "change a password", "changer un mot de passe" } },
	{ "user.delete", ADMINS | MANAGERS,
	  RIGHT_DELETE, &kind_user, OP_WRITE, op_user_delete, "address",
	  { "delete a mailbox", "supprimer une boîte" } },
	{ "user.rename", ADMINS | MANAGERS,
	  RIGHT_CHANGE, &kind_user, OP_WRITE, op_user_rename, "address",
	  { "give a mailbox another name",
	    "donner un autre nom à une boîte" } },
	{ "user.restore", ADMINS | MANAGERS,
	  RIGHT_CREATE, &kind_user, OP_WRITE, op_user_restore, "address",
	  { "bring a deleted mailbox back", "rétablir une boîte supprimée" } },
	{ "user.propose", ADMINS | MANAGERS,
	  RIGHT_SEE, &kind_domain, 0, op_user_propose, "name",
	  { "the login that a person would get",
	    "l'identifiant qu'aurait une personne" } },

	{ "alias.add", ADMINS | MANAGERS,
	  RIGHT_CREATE, &kind_alias, OP_WRITE, op_alias_add, "address",
	  { "add an alias", "ajouter un alias" } },
	{ "alias.list", ADMINS | MANAGERS,
	  RIGHT_NONE, &kind_alias, 0, op_alias_list, NULL,
	  { "list aliases", "lister les alias" } },
	{ "alias.show", ADMINS | MANAGERS,
	  RIGHT_SEE, &kind_alias, 0, op_alias_show, "address",
	  { "show an alias", "montrer un alias" } },
	{ "alias.set", ADMINS | MANAGERS,
	  RIGHT_CHANGE, &kind_alias, OP_WRITE, op_alias_set, "address",
	  { "change an alias", "modifier un alias" } },
	{ "alias.delete", ADMINS | MANAGERS,
	  RIGHT_DELETE, &kind_alias, OP_WRITE, op_alias_delete, "address",
	  { "delete an alias", "supprimer un alias" } },

	{ "robot.add", ADMINS | MANAGERS,
	  RIGHT_CREATE, &kind_robot, OP_WRITE, op_alias_add, "address",
	  { "add an address that answers", "ajouter une adresse qui répond" } },
	{ "robot.list", ADMINS | MANAGERS,
	  RIGHT_NONE, &kind_robot, 0, op_alias_list, NULL,
	  { "list robots", "lister les robots" } },
	{ "robot.show", ADMINS | MANAGERS,
	  RIGHT_SEE, &kind_robot, 0, op_alias_show, "address",
	  { "show a robot", "montrer un robot" } },
	{ "robot.set", ADMINS | MANAGERS,
	  RIGHT_CHANGE, &kind_robot, OP_WRITE, op_alias_set, "address",
	  { "change a robot", "modifier un robot" } },
	{ "robot.delete", ADMINS | MANAGERS,
	  RIGHT_DELETE, &kind_robot, OP_WRITE, op_alias_delete, "address",
	  { "delete a robot", "supprimer un robot" } },

	{ "relay.add", ADMINS,
	  RIGHT_CREATE, &kind_relay, OP_WRITE, op_object_add, "net",
	  { "let hosts send through us", "laisser des machines envoyer" } },
	{ "relay.list", ADMINS,
	  RIGHT_NONE, &kind_relay, 0, op_object_list, NULL,
	  { "list such hosts", "lister ces machines" } },
	{ "relay.show", ADMINS,
	  RIGHT_SEE, &kind_relay, 0, op_object_show, "net",
	  { "show a permission", "montrer une autorisation" } },
	{ "relay.set", ADMINS,
	  RIGHT_CHANGE, &kind_relay, OP_WRITE, op_object_set, "net",
	  { "change note or date", "modifier note ou date" } },
	{ "relay.delete", ADMINS,
	  RIGHT_DELETE, &kind_relay, OP_WRITE, op_object_delete, "net",
	  { "take the permission away", "retirer l'autorisation" } },

	{ "suffix.add", ADMINS,
	  RIGHT_CREATE, &kind_suffix, OP_WRITE, op_object_add, "name",
	  { "say what domains of an end must have",
	    "dire ce que doivent avoir les domaines d'une terminaison" } },
	{ "suffix.list", ADMINS,
	  RIGHT_NONE, &kind_suffix, 0, op_object_list, NULL,
	  { "list these ends",
	    "lister ces terminaisons" } },
	{ "suffix.show", ADMINS,
	  RIGHT_SEE, &kind_suffix, 0, op_object_show, "name",
	  { "show what such domains must have",
	    "montrer ce que ces domaines doivent avoir" } },
	{ "suffix.set", ADMINS,
	  RIGHT_CHANGE, &kind_suffix, OP_WRITE, op_object_set, "name",
	  { "change what such domains must have",
	    "changer ce que ces domaines doivent avoir" } },
	{ "suffix.delete", ADMINS,
	  RIGHT_DELETE, &kind_suffix, OP_WRITE, op_object_delete, "name",
	  { "forget such an end",
	    "oublier une terminaison" } },

	{ "own.add", ROLE_OWNER,
	  RIGHT_CHANGE, &kind_user, OP_WRITE, op_own_add, "address",
	  { "add an alias to one's own mailbox",
	    "ajouter un alias à sa propre boîte" } },
	{ "own.list", ROLE_OWNER,
	  RIGHT_SEE, &kind_user, 0, op_own_list, "address",
	  { "list the aliases that one has made",
	    "lister les alias que l'on a créés" } },
	{ "own.delete", ROLE_OWNER,
	  RIGHT_CHANGE, &kind_user, OP_WRITE, op_own_delete, "address",
	  { "delete such an alias", "supprimer un tel alias" } },
	{ "mailbox.measure", ADMINS | MANAGERS | ROLE_OWNER,
	  RIGHT_SEE, &kind_user, 0, op_mailbox_measure, "address",
	  { "count the mail of a mailbox",
	    "compter le courrier d'une boîte" } },
	{ "mailbox.open", ROLE_OWNER,
	  RIGHT_SEE, &kind_user, 0, op_mailbox_open, "address",
	  { "read and change the mail of one's own mailbox",
	    "lire et modifier le courrier de sa propre boîte" } },
	{ "mailbox.fill", ROLE_ROOT,
	  RIGHT_CHANGE, &kind_user, 0, op_mailbox_fill, "address",
	  { "add mail to a mailbox, unseen",
	    "ajouter du courrier à une boîte, sans la lire" } },
	{ "mailbox.purge", ADMINS | MANAGERS,
	  RIGHT_DELETE, &kind_removed, OP_WRITE, op_mailbox_purge, "name",
	  { "delete the mail of a deleted mailbox for ever",
	    "effacer pour toujours le courrier d'une boîte supprimée" } },

	{ "removed.list", ADMINS | MANAGERS,
	  RIGHT_NONE, &kind_removed, 0, op_removed_list, NULL,
	  { "list what was deleted and is still on disk",
	    "lister ce qui est supprimé et encore sur le disque" } },
	{ "journal", ADMINS | MANAGERS,
	  RIGHT_NONE, NULL, 0, op_journal, NULL,
	  { "who changed what", "qui a changé quoi" } },
	{ "journal.follow", ROLE_ROOT | ROLE_HOOKS,
	  RIGHT_NONE, NULL, 0, op_journal_follow, NULL,
	  { "what was changed since, for programs",
	    "ce qui a changé depuis, pour des programmes" } },
	{ "undo", ADMINS | MANAGERS,
	  RIGHT_NONE, NULL, OP_WRITE, op_undo, "id",
	  { "undo a change of the journal",
	    "défaire une modification du journal" } },
	{ "check", ADMINS,
	  RIGHT_NONE, NULL, 0, op_check, NULL,
	  { "compare the tables with the registry",
	    "comparer les tables au registre" } },
	{ "recompile", ADMINS,
	  RIGHT_NONE, NULL, OP_WRITE, op_recompile, NULL,
	  { "compile all tables again", "recompiler toutes les tables" } },
	{ "dump", ROLE_ROOT,
	  RIGHT_NONE, NULL, 0, op_dump, NULL,
	  { "everything, with the hashes", "tout, empreintes comprises" } },
	{ "load", ROLE_ROOT,
	  RIGHT_NONE, NULL, OP_WRITE | OP_LONG, op_load, NULL,
	  { "add the objects of a dump", "ajouter le contenu d'un dump" } },
	{ "schema", EVERYBODY,
	  RIGHT_NONE, NULL, 0, op_schema, NULL,
	  { "the kinds and their attributes",
	    "les genres et leurs attributs" } },
	{ "login", ROLE_AUTHD,
	  RIGHT_NONE, NULL, OP_WRITE, op_login, "address",
	  { "somebody has logged in", "quelqu'un s'est connecté" } },
	{ "sending", ROLE_QUEUED,
	  RIGHT_NONE, NULL, OP_WRITE, op_sending, "address",
	  { "somebody sends too much, or no longer",
	    "quelqu'un envoie trop, ou plus trop" } },
	{ NULL, 0, RIGHT_NONE, NULL, 0, NULL, NULL, { NULL, NULL } }
};

/* Fields that are not attributes, in any operation. */
static const char *const controls[] = {
	"language-of-answer", "name", "address", "net", "current", "password",
	"force", "all", "after", "limit", "check", "update", "domain", "kind",
	"id", "as", "redirect", "first", "last", "to", "alias",
	"number",
	NULL
};
/* clang-format on */

enum registry_result
say(struct request *q, enum registry_result result, const char *english,
    const char *french, ...)
{
	va_list ap;

	va_start(ap, french);
	vsnprintf(q->text, sizeof(q->text), q->french ? french : english, ap);
	va_end(ap);
	return result;
}

enum registry_result
say_failed(struct request *q)
{
	const char *reason = strerror(errno);

	log_error(NULL, "store", "operation=%s error=%s", q->op->name,
	    LOGS(reason));
	return say(q, REGISTRY_TEMPORARY,
	    "Nothing was changed: the registry failed (%s). Look at its log.",
	    "Rien n'a changé : le registre a échoué (%s). Voyez son journal "
	    "système.", reason);
}

struct slice
field(const struct request *q, const char *name)
{
	return registry_field(&q->f, name);
}

bool
field_yes(const struct request *q, const char *name)
{
	struct slice v = field(q, name);

	return v.p != NULL && slice_eq(v, SLICE("yes"));
}

enum registry_result
field_number(struct request *q, const char *name, uint64_t initial,
    uint64_t *out)
{
	struct slice v = field(q, name);

	*out = initial;
	if (v.p != NULL && num_parse(v, 0, INT64_MAX, out) == -1)
		return say(q, REGISTRY_INVALID, "%s must be a number.",
		    "%s doit être un nombre.", name);
	return REGISTRY_OK;
}

struct slice
now_text(char *out)
{
	return slice_of(date_iso(time(NULL), out));
}

enum registry_result
main_domain(struct request *q, char *address)
{
	struct str bytes = STR_INIT(STORE_VALUE_MAX);
	enum registry_result result = REGISTRY_OK;
	struct slice local = address_local(address), alias_of;
	char copy[ADDR_TEXT_MAX];
	struct object d;
	int found;

	found = registry_domain(q->r, address_domain(address), &bytes, &d);
	if (found == -1) {
		result = say_failed(q);
	} else if (found == 0) {
		result = say(q, REGISTRY_NOT_FOUND,
		    "There is no domain %s here. Add it first: "
		    "malle domain add %s",
		    "Il n'y a pas de domaine %s ici. Ajoutez-le d'abord : "
		    "malle domain add %s", address_domain(address),
		    address_domain(address));
	} else if ((alias_of = object_get(&d, "alias-of")).p != NULL) {
		snprintf(copy, sizeof(copy), "%.*s@%.*s", SLICE_FMT(local),
		    SLICE_FMT(alias_of));
		memcpy(address, copy, sizeof(copy));
	}
	str_free(&bytes);
	return result;
}

enum registry_result
field_name(struct request *q, const struct kind *k, char *out)
{
	struct slice in = field(q, q->op->needs);
	struct text why;

	if (k->valid_name(in, out, &why) == -1)
		return say(q, REGISTRY_INVALID, "\"%.*s\" %s.",
		    "« %.*s » %s.", (int)(in.len > 200 ? 200 : in.len), in.p,
		    q->french ? why.french : why.english);
	return k->valid_name == name_address ? main_domain(q, out) :
	    REGISTRY_OK;
}

static const char *
kind_word(const struct request *q, const struct kind *k)
{
	if (k == &kind_domain)
		return q->french ? "domaine" : "domain";
	if (k == &kind_user)
		return q->french ? "boîte" : "mailbox";
	if (k == &kind_relay)
		return q->french ? "autorisation" : "permission";
	if (k == &kind_suffix)
		return q->french ? "terminaison" : "end of domains";
	if (k == &kind_client)
		return q->french ? "client" : "customer";
	if (k == &kind_manager)
		return q->french ? "gestionnaire" : "manager";
	return k->name;
}

enum registry_result
fetch(struct request *q, const struct kind *k, const char *name,
    struct str *bytes, struct object *out)
{
	int found = object_load(q->r->store, k, name, bytes, out);

	if (found == -1)
		return say_failed(q);
	if (found == 0)
		return say(q, REGISTRY_NOT_FOUND, "There is no %s %s.",
		    "Il n'y a pas de %s %s.", kind_word(q, k), name);
	if (out->kind != k)
		return say(q, REGISTRY_NOT_FOUND,
		    "%s is no %s: it is of the kind \"%s\".",
		    "%s n'est pas de ce genre (%s) : son genre est « %s ».",
		    name, kind_word(q, k), out->kind->name);
	return REGISTRY_OK;
}

static bool
is_control(struct slice name)
{
	for (size_t i = 0; controls[i] != NULL; i++)
		if (slice_eq(name, slice_of(controls[i])))
			return true;
	return false;
}

/* True when the asker may set this attribute. */
static bool
may_set(const struct request *q, const struct attribute *a)
{
	if (q->role == ROLE_OWNER)
		return a->flags & ATTR_OWNER;
	return a->flags & (q->role == ROLE_MANAGER ? ATTR_MANAGER : ATTR_SET);
}

static enum registry_result
set_one(struct request *q, struct object *o, struct slice name,
    struct slice value, bool load)
{
	int i = kind_attribute(o->kind, name);
	struct text why;

	if (i == -1)
		return say(q, REGISTRY_INVALID,
		    "A %s has no attribute \"%.*s\".",
		    "Un objet du genre %s n'a pas d'attribut « %.*s ».",
		    o->kind->name, SLICE_FMT(name));
	if (!load && !may_set(q, &o->kind->attributes[i]))
		return say(q, REGISTRY_REFUSED, "%s of %s is not yours to set.",
		    "%s de %s : ce n'est pas à vous de le fixer.",
		    o->kind->attributes[i].name, o->name);
	if (object_set(o, i, value, &why) == -1)
		return say(q, REGISTRY_INVALID, "%s of %s %s.",
		    "%s de %s %s.", o->kind->attributes[i].name, o->name,
		    q->french ? why.french : why.english);
	return REGISTRY_OK;
}

/* A new password, or a hash that came ready. */
static enum registry_result
set_password(struct request *q, struct object *o)
{
	struct slice hash = field(q, "hash"), scram = field(q, "scram");
	enum registry_result result;

	if (q->hash != NULL && q->hash->password_len > 0) {
		if (q->hash->failed)
			return say(q, REGISTRY_TEMPORARY,
			    "The password cannot be hashed now. Try again.",
			    "Le mot de passe ne peut pas être traité. "
			    "Réessayez.");
		hash = slice_of(q->hash->hash);
		scram = slice_of(q->hash->scram);
	}
	if (hash.p == NULL)
		return REGISTRY_OK;
	if ((q->role == ROLE_OWNER || o->kind == &kind_manager) &&
	    q->proving && (q->hash == NULL || q->hash->password_len == 0))
		return say(q, REGISTRY_REFUSED,
		    "Give a new password, not a hash.",
		    "Donnez un nouveau mot de passe, pas une empreinte.");
	/* What they chose themselves they need not change. */
	if (q->role == ROLE_OWNER &&
	    object_put(o, "must-change", SLICE("no")) == -1)
		return say_failed(q);
	/* Keys of an older password must not stay. */
	if (scram.p == NULL)
		scram = SLICE_EMPTY;
	result = set_one(q, o, SLICE("hash"), hash, true);
	if (result != REGISTRY_OK ||
	    kind_attribute(o->kind, SLICE("scram")) == -1)
		return result;
	return set_one(q, o, SLICE("scram"), scram, true);
}

bool
has_password(const struct request *q)
{
	/* One that is only checked is not hashed. */
	return (q->hash != NULL && q->hash->password_len > 0) ||
	    (field_yes(q, "check") && field(q, "password").p != NULL) ||
	    field(q, "hash").p != NULL;
}

enum registry_result
set_attributes(struct request *q, const struct registry_fields *f,
    struct object *o, bool load)
{
	enum registry_result result;
	bool password;

	for (size_t i = 0; i < f->n; i++) {
		password = !load && (q->op->flags & OP_HASH) &&
		    (slice_eq(f->v[i].name, SLICE("hash")) ||
		    slice_eq(f->v[i].name, SLICE("scram")));
		if (password || is_control(f->v[i].name))
			continue;
		result = set_one(q, o, f->v[i].name, f->v[i].value, load);
		if (result != REGISTRY_OK)
			return result;
	}
	if (!load && (q->op->flags & OP_HASH))
		return set_password(q, o);
	return REGISTRY_OK;
}

enum registry_result
change(struct request *q, const struct object *before,
    const struct object *after)
{
	struct actor who = { q->uid, q->account, q->op->name };
	enum registry_result result = folder_judge(q, after);

	/* Nobody takes a name again while its old mail is going. */
	if (before != NULL && before->kind == &kind_removed &&
	    strcmp(before->name, q->r->purging) == 0)
		return say(q, REGISTRY_TEMPORARY,
		    "The mail of %s is being deleted just now: try again in a "
		    "moment.", "Le courrier de %s est en cours de suppression : "
		    "réessayez dans un instant.", before->name);
	if (result != REGISTRY_OK)
		return result;
	return registry_change(q->r, &who, before, after) == -1 ?
	    say_failed(q) : limits_judge(q, before, after);
}

void
row(struct request *q, const struct registry_fields *f)
{
	struct packer k;
	unsigned char *space;

	if ((space = malloc(IPC_MAX)) == NULL) {
		q->out->bad = true;
		return;
	}
	pack_init(&k, space, IPC_MAX - 16);
	registry_fields_pack(&k, f);
	if (k.bad)
		q->out->bad = true;
	else
		spool_put(q->out, REG_ROW, pack_slice(&k));
	explicit_bzero(space, k.len);
	free(space);
}

/* An international domain as people write it; NULL for others. */
static char *
add_unicode(struct registry_fields *f, const char *name)
{
	char *unicode = NULL;

	if (strstr(name, "xn--") == NULL ||
	    idn2_to_unicode_8z8z(name, &unicode, 0) != IDN2_OK)
		return NULL;
	registry_add(f, "unicode", slice_of(unicode));
	return unicode;
}

static void
row_more(struct request *q, const struct object *o, bool secrets,
    struct slice aliases)
{
	const struct attribute *a = o->kind->attributes;
	struct registry_fields f = { .n = 0 };
	struct slice hash = object_get(o, "hash");
	struct limits_text text;
	char *unicode = NULL;

	registry_add(&f, "kind", slice_of(o->kind->name));
	registry_add(&f, "name", slice_of(o->name));
	for (size_t i = 0; a[i].name != NULL; i++)
		if (o->value[i].p != NULL &&
		    (secrets || !(a[i].flags & ATTR_SECRET)))
			registry_add(&f, a[i].name, o->value[i]);
	if (!secrets && hash.p != NULL)
		registry_add(&f, "password",
		    hash.len == 0 || hash.p[0] == '!' || hash.p[0] == '*' ?
		    SLICE("locked") : SLICE("set"));
	if (!secrets && (o->kind == &kind_domain || o->kind == &kind_client) &&
	    limits_row(q, o, &f, &text) == -1)
		q->out->bad = true;
	if (aliases.len > 0)
		registry_add(&f, "domain-aliases", aliases);
	if (!secrets && o->kind == &kind_domain)
		unicode = add_unicode(&f, o->name);
	row(q, &f);
	free(unicode);
}

void
row_object(struct request *q, const struct object *o, bool secrets)
{
	row_more(q, o, secrets, SLICE_EMPTY);
}

void
row_domain(struct request *q, const struct object *d, struct slice aliases)
{
	row_more(q, d, false, aliases);
}

struct listing {
	struct request *q;
	const struct kind *kind;
	uint64_t left;
};

static int
list_one(void *arg, struct slice key, struct slice value)
{
	struct listing *l = arg;
	struct object o;
	int sees;

	(void)key;
	if (object_decode(value, &o) == -1)
		return -1;
	if (o.kind != l->kind)
		return 0;
	if ((sees = rights_see(l->q, o.kind, o.name)) != 1)
		return sees;
	row_object(l->q, &o, false);
	return --l->left == 0 ? 1 : 0;
}

enum registry_result
list(struct request *q, const struct kind *k, const char *prefix)
{
	struct listing l = { q, k, 0 };
	struct slice after = field(q, "after");
	char name[ADDR_TEXT_MAX], key[STORE_KEY_MAX];
	struct text why;

	if (field_number(q, "limit", UINT64_MAX, &l.left) != REGISTRY_OK)
		return REGISTRY_INVALID;
	if (l.left == 0)
		return REGISTRY_OK;
	if (after.p != NULL && after.len > 0) {
		if (k->valid_name(after, name, &why) == -1)
			return say(q, REGISTRY_INVALID,
			    "The field after has no name in it.",
			    "Le champ after ne contient pas de nom.");
		after = slice_make(key, object_key(k, name, key));
	} else {
		after = SLICE_EMPTY;
	}
	if (store_each(q->r->store, slice_of(prefix), after, list_one,
	    &l) == -1)
		return say_failed(q);
	return REGISTRY_OK;
}

/* Judging a request before it is done. */

static const struct operation *
find(struct slice name)
{
	for (const struct operation *op = operations; op->name != NULL; op++)
		if (slice_eq(name, slice_of(op->name)))
			return op;
	return NULL;
}

static int
copy_secret(struct slice from, char *to, size_t *len)
{
	if (from.p == NULL || from.len > PASSWORD_MAX ||
	    memchr(from.p, '\0', from.len) != NULL)
		return -1;
	memcpy(to, from.p, from.len);
	*len = from.len;
	return 0;
}

static enum registry_result
prepare_job(struct request *q, struct hash_job *j)
{
	struct slice password = field(q, "password");
	enum registry_result result;
	char name[ADDR_TEXT_MAX];

	if (q->proving) {
		if (copy_secret(field(q, "current"), j->current,
		    &j->current_len) == -1)
			return rights_refuse(q);
		rights_login(q, j->known);
	}
	if (password.p == NULL || !(q->op->flags & OP_HASH))
		return REGISTRY_OK;
	/* To somebody unknown, nothing tells whether an account exists. */
	if ((result = field_name(q, q->op->kind, name)) != REGISTRY_OK)
		return q->proving ? rights_refuse(q) : result;
	if ((result = judge_password(q, name, password)) != REGISTRY_OK)
		return result;
	if (field_yes(q, "check"))
		return REGISTRY_OK;
	return copy_secret(password, j->password, &j->password_len) == -1 ?
	    say(q, REGISTRY_INVALID, "This password cannot be used.",
	    "Ce mot de passe est inutilisable.") : REGISTRY_OK;
}

/* True when the asker is to be known by a password. */
static bool
wants_login(const struct request *q)
{
	if (q->role == ROLE_AUTHD || field(q, "current").p == NULL)
		return false;
	return field(q, "as").p != NULL || (q->role == ROLE_ANY &&
	    (q->op->roles & ROLE_OWNER) && field(q, "address").p != NULL);
}

enum registry_result
operation_prepare(struct request *q, struct slice operation,
    struct hash_job **job)
{
	enum registry_result result;

	*job = NULL;
	q->french = slice_eq(field(q, "language-of-answer"), SLICE("fr"));
	if ((q->op = find(operation)) == NULL)
		return say(q, REGISTRY_INVALID, "There is no such operation.",
		    "Cette opération n'existe pas.");
	q->proving = wants_login(q);
	/* Without a password, "as" must not be taken for the caller's role. */
	if ((!q->proving && (field(q, "as").p != NULL ||
	    !(q->op->roles & q->role))) ||
	    (q->proving && (q->op->flags & OP_LONG)))
		return rights_refuse(q);
	if (q->op->needs != NULL && field(q, q->op->needs).p == NULL)
		return say(q, REGISTRY_INVALID, "The field %s is missing.",
		    "Le champ %s manque.", q->op->needs);
	if (!q->proving && (!(q->op->flags & OP_HASH) ||
	    field(q, "password").p == NULL))
		return REGISTRY_OK;
	if ((*job = calloc(1, sizeof(**job))) == NULL)
		return say_failed(q);
	result = prepare_job(q, *job);
	if (result != REGISTRY_OK) {
		hash_job_free(*job);
		*job = NULL;
	}
	return result;
}

enum registry_result
operation_run(struct request *q)
{
	uint64_t next = q->r->journal_next;
	size_t text_len = q->r->journal_text.len;
	size_t stale_n = q->r->stale_n;
	enum registry_result result;
	bool dry;

	if (store_begin(q->r->store) == -1)
		return say_failed(q);
	q->r->journal_request = next;
	if ((result = rights_judge(q)) == REGISTRY_OK)
		result = q->op->act(q);
	if (result == REGISTRY_OK && q->out->bad)
		result = say_failed(q);
	/* Asked for "check", everything is judged and nothing done. */
	dry = field_yes(q, "check");
	if (result == REGISTRY_OK && (q->op->flags & OP_WRITE) && !dry) {
		if (store_commit(q->r->store) == 0)
			return REGISTRY_OK;
		result = say_failed(q);
	} else {
		store_abort(q->r->store);
	}
	journal_forget(q->r, next, text_len);
	q->r->stale_n = stale_n;
	return result;
}
