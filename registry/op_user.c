/* op_user.c - the operations on mailboxes. */
/* SPDX-License-Identifier: ISC */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "lib/date.h"
#include "registry/operation.h"
#include "registry/rights.h"
#include "registry/valid.h"

/* A name must not exist twice in a domain, whatever the kind. */
static enum registry_result
name_is_free(struct request *q, const char *name)
{
	struct str bytes = STR_INIT(STORE_VALUE_MAX);
	enum registry_result result = REGISTRY_OK;
	struct object o;
	int found;

	found = object_load(q->r->store, &kind_user, name, &bytes, &o);
	if (found == -1)
		result = say_failed(q);
	else if (found == 1)
		result = say(q, REGISTRY_EXISTS,
		    "%s exists already (kind: %s).",
		    "%s existe déjà (genre : %s).", name, o.kind->name);
	str_free(&bytes);
	return result;
}

/* The mail of a deleted mailbox must not come to somebody else by accident
 * (inventory 9-03). */
static enum registry_result
not_reserved(struct request *q, const char *name)
{
	struct str bytes = STR_INIT(STORE_VALUE_MAX);
	enum registry_result result = REGISTRY_OK;
	struct object o;
	int found;

	found = object_load(q->r->store, &kind_removed, name, &bytes, &o);
	if (found == -1)
		result = say_failed(q);
	else if (found == 1 && !field_yes(q, "force"))
		result = say(q, REGISTRY_EXISTS,
		    "%s was deleted on %.10s and its mail is still on the disk: "
		    "who gets the name again gets that mail. If this is meant: "
		    "--force",
		    "%s a été supprimée le %.10s et son courrier est encore sur "
		    "le disque : qui reprend le nom reprend ce courrier. Si "
		    "c'est voulu : --force", name, object_get(&o, "date").p);
	else if (found == 1)
		result = change(q, &o, NULL);
	str_free(&bytes);
	return result;
}

/* A login is of one person; functions are aliases (inventory 3-12, 3-13). */
static enum registry_result
judge_generic(struct request *q, const char *address)
{
	static const char *const generic[] = { "accueil", "admin",
		"administrateur", "administrator", "bonjour", "commercial",
		"compta", "comptabilite", "contact", "direction", "hello",
		"info", "infos", "jobs", "mail", "marketing", "newsletter",
		"no-reply", "noreply", "office", "root", "sales",
		"secretariat", "service", "support", "ventes", "webmaster",
		NULL };

	if (field_yes(q, "force"))
		return REGISTRY_OK;
	for (size_t i = 0; generic[i] != NULL; i++)
		if (slice_eq(address_local(address), slice_of(generic[i])))
			return say(q, REGISTRY_INVALID,
			    "%s names a function, not a person: better make an "
			    "alias that leads to people (malle alias add). If "
			    "this is meant: --force",
			    "%s désigne une fonction, pas une personne : mieux "
			    "vaut un alias qui mène à des personnes (malle "
			    "alias add). Si c'est voulu : --force", address);
	return REGISTRY_OK;
}

/* The quota that the domain gives to new mailboxes. */
static enum registry_result
give_quota(struct request *q, struct object *u)
{
	struct str bytes = STR_INIT(STORE_VALUE_MAX);
	enum registry_result result;
	struct slice quota;
	struct object d;

	result = fetch(q, &kind_domain, address_domain(u->name), &bytes, &d);
	if (result == REGISTRY_OK &&
	    (quota = object_get(&d, "default-quota")).p != NULL &&
	    object_put(u, "quota-bytes", quota) == -1)
		result = say_failed(q);
	str_free(&bytes);
	return result;
}

/* Inventory 4-31, 8-08: no password is ever made up, the login stays shut. */
static enum registry_result
add(struct request *q, struct object *u)
{
	enum registry_result result;
	char date[DATE_MAX];

	if ((result = judge_generic(q, u->name)) != REGISTRY_OK ||
	    (result = give_quota(q, u)) != REGISTRY_OK ||
	    (result = set_attributes(q, &q->f, u, false)) != REGISTRY_OK)
		return result;
	if (object_put(u, "created", now_text(date)) == -1)
		return say_failed(q);
	if ((result = not_reserved(q, u->name)) != REGISTRY_OK ||
	    (result = change(q, NULL, u)) != REGISTRY_OK)
		return result;
	row_object(q, u, false);
	return say(q, REGISTRY_OK, "The mailbox %s is there.",
	    "La boîte %s est en place.", u->name);
}

enum registry_result
op_user_add(struct request *q)
{
	enum registry_result result;
	char name[ADDR_TEXT_MAX];
	struct object u;

	if ((result = field_name(q, &kind_user, name)) != REGISTRY_OK ||
	    (result = name_is_free(q, name)) != REGISTRY_OK)
		return result;
	object_init(&u, &kind_user, name);
	result = add(q, &u);
	object_free(&u);
	return result;
}

/* Of one domain, or of all. */
static enum registry_result
list_addresses(struct request *q, const struct kind *k)
{
	struct slice domain = field(q, "domain");
	char name[ADDR_TEXT_MAX], prefix[STORE_KEY_MAX];
	struct str bytes = STR_INIT(STORE_VALUE_MAX);
	enum registry_result result;
	struct object d;
	struct text why;

	if (domain.p == NULL || domain.len == 0)
		return list(q, k, "address/");
	if (name_domain(domain, name, &why) == -1)
		return say(q, REGISTRY_INVALID, "\"%.*s\" %s.", "« %.*s » %s.",
		    (int)(domain.len > 200 ? 200 : domain.len), domain.p,
		    q->french ? why.french : why.english);
	if ((result = rights_scope(q, &kind_domain, name)) == REGISTRY_OK)
		result = fetch(q, &kind_domain, name, &bytes, &d);
	if (result == REGISTRY_OK) {
		snprintf(prefix, sizeof(prefix), "address/%s/", name);
		result = list(q, k, prefix);
	}
	str_free(&bytes);
	return result;
}

enum registry_result
op_user_list(struct request *q)
{
	return list_addresses(q, &kind_user);
}

enum registry_result
op_alias_list(struct request *q)
{
	return list_addresses(q, &kind_alias);
}

static enum registry_result
show(struct request *q, const struct kind *k)
{
	struct str bytes = STR_INIT(STORE_VALUE_MAX);
	enum registry_result result;
	char name[ADDR_TEXT_MAX];
	struct object o;

	if ((result = field_name(q, k, name)) != REGISTRY_OK)
		return result;
	result = fetch(q, k, name, &bytes, &o);
	if (result == REGISTRY_OK)
		row_object(q, &o, false);
	str_free(&bytes);
	return result;
}

enum registry_result
op_user_show(struct request *q)
{
	return show(q, &kind_user);
}

enum registry_result
op_alias_show(struct request *q)
{
	return show(q, &kind_alias);
}

enum registry_result
op_user_set(struct request *q)
{
	struct str bytes = STR_INIT(STORE_VALUE_MAX);
	enum registry_result result;
	struct object before, after;
	char name[ADDR_TEXT_MAX];

	if ((result = field_name(q, &kind_user, name)) != REGISTRY_OK)
		return result;
	result = fetch(q, &kind_user, name, &bytes, &before);
	if (result == REGISTRY_OK) {
		after = before;	/* borrows; what is set is copied */
		result = set_attributes(q, &q->f, &after, false);
		if (result == REGISTRY_OK)
			result = change(q, &before, &after);
		if (result == REGISTRY_OK)
			row_object(q, &after, false);
		object_free(&after);
	}
	str_free(&bytes);
	return result;
}

enum registry_result
op_user_passwd(struct request *q)
{
	return has_password(q) ? op_user_set(q) :
	    say(q, REGISTRY_INVALID, "Give a password.",
	    "Donnez un mot de passe.");
}

enum registry_result
remove_user(struct request *q, const struct object *u)
{
	struct str bytes = STR_INIT(STORE_VALUE_MAX);
	enum registry_result result;
	struct object d;

	result = fetch(q, &kind_domain, address_domain(u->name), &bytes, &d);
	if (result == REGISTRY_OK)
		result = leave_record(q, u->name, object_get(&d, "uid"));
	if (result == REGISTRY_OK)
		result = change(q, u, NULL);
	str_free(&bytes);
	return result;
}

enum registry_result
op_user_delete(struct request *q)
{
	struct str bytes = STR_INIT(STORE_VALUE_MAX);
	enum registry_result result;
	char name[ADDR_TEXT_MAX];
	struct object u;

	if ((result = field_name(q, &kind_user, name)) != REGISTRY_OK)
		return result;
	result = fetch(q, &kind_user, name, &bytes, &u);
	/* Inventory 2-15, 2-22, 4-07, 8-12. */
	if (result == REGISTRY_OK && is_mandatory(q->r, name) != 0)
		result = say(q, REGISTRY_REFUSED,
		    "%s cannot be deleted: each domain must answer there "
		    "(RFC 2142).",
		    "%s ne peut pas être supprimée : chaque domaine doit y "
		    "répondre (RFC 2142).", name);
	if (result == REGISTRY_OK)
		result = remove_user(q, &u);
	str_free(&bytes);
	return result == REGISTRY_OK ? say(q, result,
	    "%s is deleted. Its mail stays on the disk and its name reserved.",
	    "%s est supprimée. Son courrier reste sur le disque et son nom "
	    "réservé.", name) : result;
}

enum registry_result
op_removed_list(struct request *q)
{
	return list(q, &kind_removed, "removed/");
}

/* A login is no change that a person made: last-login has no journal entry and
 * may be lost in a crash; a better hash has one. */
#define LOGIN_GRAIN 60		/* seconds between two notes */

static enum registry_result
note_login(struct request *q, struct object *u, const struct object *before)
{
	struct slice old = field(q, "old"), hash = field(q, "hash");
	enum registry_result result;
	struct registry_fields f = { .n = 0 };

	/* A password changed meanwhile must not be undone. */
	if (hash.p == NULL || old.p == NULL ||
	    !slice_eq(old, object_get(before, "hash")))
		return REGISTRY_OK;
	registry_add(&f, "hash", hash);
	registry_add(&f, "scram", field(q, "scram").p != NULL ?
	    field(q, "scram") : SLICE_EMPTY);
	result = set_attributes(q, &f, u, true);
	return result == REGISTRY_OK ? change(q, before, u) : result;
}

static int
put_quietly(struct registry *r, const struct object *u)
{
	struct str bytes = STR_INIT(STORE_VALUE_MAX);
	char key[STORE_KEY_MAX];
	int result = -1;

	if (object_encode(u, &bytes) == 0)
		result = store_put(r->store, slice_make(key,
		    object_key(u->kind, u->name, key)), str_slice(&bytes));
	if (bytes.p != NULL)
		explicit_bzero(bytes.p, bytes.len);
	str_free(&bytes);
	return result;
}

enum registry_result
op_login(struct request *q)
{
	struct str bytes = STR_INIT(STORE_VALUE_MAX);
	struct object before, after;
	enum registry_result result;
	char name[ADDR_TEXT_MAX], date[DATE_MAX];
	uint64_t when;

	if ((result = field_name(q, &kind_user, name)) != REGISTRY_OK ||
	    (result = field_number(q, "time", (uint64_t)time(NULL),
	    &when)) != REGISTRY_OK)
		return result;
	result = fetch(q, &kind_user, name, &bytes, &before);
	if (result != REGISTRY_OK) {
		str_free(&bytes);
		return result;
	}
	after = before;
	result = note_login(q, &after, &before);
	if (result == REGISTRY_OK && (int64_t)when >=
	    time_of_text(object_get(&before, "last-login")) + LOGIN_GRAIN &&
	    (int64_t)when <= time(NULL) + LOGIN_GRAIN &&
	    (object_put(&after, "last-login", slice_of(date_iso((time_t)when,
	    date))) == -1 || put_quietly(q->r, &after) == -1))
		result = say_failed(q);
	object_free(&after);
	str_free(&bytes);
	return result;
}
