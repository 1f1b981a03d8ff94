/* op_user.c - the operations on mailboxes. */
/* SPDX-License-Identifier: ISC */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "lib/date.h"
#include "registry/absence.h"
#include "registry/folder.h"
#include "registry/gone.h"
#include "registry/limits.h"
#include "registry/local_day.h"
#include "registry/login.h"
#include "registry/operation.h"
#include "registry/purge.h"
#include "registry/reserved.h"
#include "registry/rights.h"
#include "registry/valid.h"

#define VACATION_NOW (48 * 3600)	/* seconds */
#define NAMESAKES_MAX 10000	/* tried before giving up */

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
	str_wipe(&bytes);
	return result;
}

/* Mail to a deleted mailbox must not come to somebody else by accident
 * (inventory 9-03), nor what it has: 9-05, folder_choose(). */
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
		    "%s was deleted on %.10s, and its name is kept for it: "
		    "malle user restore %s. To give the name to another, empty "
		    "mailbox all the same: --force",
		    "%s a été supprimée le %.10s, et son nom lui reste "
		    "réservé : malle user restore %s. Pour donner malgré tout "
		    "ce nom à une autre boîte, vide : --force", name,
		    object_get(&o, "date").p, name);
	str_wipe(&bytes);
	return result;
}

/* What is said of a vacation and of forwarding must fit together. */
static enum registry_result
judge_routing(struct request *q, struct object *u)
{
	struct slice start = field(q, "vacation-start"), end;
	char date[DATE_MAX];

	/* Inventory 0-29: now is for two days. */
	if (start.p != NULL && slice_eq_nocase(start, SLICE("now")) &&
	    field(q, "vacation-end").p == NULL && object_put(u, "vacation-end",
	    slice_of(date_iso(time(NULL) + VACATION_NOW, date))) == -1)
		return say_failed(q);
	if ((start.p != NULL &&
	    local_day(q->r, u, "vacation-start", false) == -1) ||
	    (field(q, "vacation-end").p != NULL &&
	    local_day(q->r, u, "vacation-end", true) == -1))
		return say_failed(q);
	start = object_get(u, "vacation-start");
	end = object_get(u, "vacation-end");
	if (end.p != NULL && start.p != NULL &&
	    time_of_text(end) <= time_of_text(start))
		return say(q, REGISTRY_INVALID,
		    "The vacation would end before it starts.",
		    "L'absence finirait avant de commencer.");
	if (object_is(u, "vacation", "yes") &&
	    object_get(u, "vacation-text").p == NULL)
		return say(q, REGISTRY_INVALID,
		    "A vacation needs a text to answer with: vacation-text.",
		    "Une absence demande un texte de réponse : vacation-text.");
	if (object_is(u, "discard", "yes") && object_get(u, "forward").p != NULL)
		return say(q, REGISTRY_INVALID,
		    "Mail is forwarded or discarded, not both.",
		    "Le courrier est renvoyé ou supprimé, pas les deux.");
	return REGISTRY_OK;
}

/* The quota that the domain gives to new mailboxes. */
static enum registry_result
give_quota(struct request *q, struct object *u)
{
	struct str bytes = STR_INIT(STORE_VALUE_MAX);
	enum registry_result result;
	struct object d;

	result = fetch(q, &kind_domain, address_domain(u->name), &bytes, &d);
	if (result == REGISTRY_OK)
		result = limits_give_quota(q, &d, u, false);
	str_wipe(&bytes);
	return result;
}

/* Inventory 4-31, 8-08: no password is ever made up, the login stays shut. */
static enum registry_result
add(struct request *q, struct object *u)
{
	enum registry_result result;
	char date[DATE_MAX];

	if ((result = reserved_judge(q, u->name)) != REGISTRY_OK ||
	    (result = give_quota(q, u)) != REGISTRY_OK ||
	    (result = set_routed(q, u, "forward")) != REGISTRY_OK ||
	    (result = judge_routing(q, u)) != REGISTRY_OK)
		return result;
	if (object_put(u, "created", now_text(date)) == -1)
		return say_failed(q);
	if ((result = not_reserved(q, u->name)) != REGISTRY_OK ||
	    (result = folder_choose(q, u)) != REGISTRY_OK ||
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
	str_wipe(&bytes);
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
	return list_addresses(q, q->op->kind);
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
	if (result == REGISTRY_OK && k == &kind_user)
		row_user(q, &o);
	else if (result == REGISTRY_OK)
		row_object(q, &o, false);
	str_wipe(&bytes);
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
	return show(q, q->op->kind);
}

/* Inventory 3-11: what whoever sets a forward should know. */
static enum registry_result
warn_nothing_kept(struct request *q, const struct object *u)
{
	if (field(q, "forward").p == NULL && field(q, "keep").p == NULL &&
	    field(q, "discard").p == NULL)
		return REGISTRY_OK;
	if (object_is(u, "discard", "yes"))
		return say(q, REGISTRY_OK, SAY_WARNING "all mail to %s is "
		    "deleted unread from now on.", SAY_ATTENTION "tout courrier "
		    "à %s est désormais supprimé sans être lu.", u->name);
	if (object_get(u, "forward").len == 0 || object_is(u, "keep", "yes"))
		return REGISTRY_OK;
	return say(q, REGISTRY_OK, SAY_WARNING "what comes for %s is only "
	    "forwarded, nothing is stored here any more (keep=yes stores a "
	    "copy).", SAY_ATTENTION "ce qui arrive pour %s est seulement "
	    "renvoyé, plus rien n'est gardé ici (keep=yes garde une copie).",
	    u->name);
}

static enum registry_result
set(struct request *q, const struct object *before, struct object *after,
    const void *arg)
{
	enum registry_result result;

	(void)arg;
	result = set_routed(q, after, "forward");
	if (result == REGISTRY_OK && absence_begin(before, after,
	    field(q, "vacation-start").p != NULL,
	    field(q, "vacation-end").p != NULL, time(NULL)) == -1)
		result = say_failed(q);
	if (result == REGISTRY_OK)
		result = judge_routing(q, after);
	if (result == REGISTRY_OK)
		result = change(q, before, after);
	return result == REGISTRY_OK ? warn_nothing_kept(q, after) : result;
}

enum registry_result
op_user_set(struct request *q)
{
	return amend_named(q, &kind_user, set);
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
		result = leave_record(q, u, object_get(&d, "uid"));
	if (result == REGISTRY_OK)
		result = change(q, u, NULL);
	str_wipe(&bytes);
	return result;
}

/* The address goes to somebody else from now on (inventory 2-22). */
static enum registry_result
redirect(struct request *q, const char *name, struct slice targets)
{
	enum registry_result result;
	char date[DATE_MAX];
	struct object a;

	object_init(&a, &kind_alias, name);
	result = set_targets(q, &a, "targets", targets);
	if (result == REGISTRY_OK &&
	    object_put(&a, "created", now_text(date)) == -1)
		result = say_failed(q);
	if (result == REGISTRY_OK)
		result = check_targets(q, &a, !field_yes(q, "force"));
	if (result == REGISTRY_OK)
		result = change(q, NULL, &a);
	object_free(&a);
	return result;
}

#define ALONG_MAX 300

/* ", with its own aliases (2)": what went along, in out[ALONG_MAX]. */
static const char *
along(const struct request *q, const struct leaving *l, char *out)
{
	const struct {
		uint64_t n;
		const char *english, *french;
	} parts[] = {
		{ l->aliases, "its own aliases", "ses alias personnels" },
		{ l->relays, "its permissions to relay",
		  "ses autorisations d'envoi" },
		{ l->lists, "its places in lists of senders",
		  "ses places dans des listes d'expéditeurs" }
	};
	int left = (l->aliases > 0) + (l->relays > 0) + (l->lists > 0);
	struct str text = STR_INIT(ALONG_MAX);

	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		if (parts[i].n == 0)
			continue;
		str_puts(&text, text.len == 0 ? q->french ? ", avec " :
		    ", with " : left > 1 ? ", " : q->french ? " et " : " and ");
		str_printf(&text, "%s (%" PRIu64 ")", q->french ?
		    parts[i].french : parts[i].english, parts[i].n);
		left--;
	}
	snprintf(out, ALONG_MAX, "%s", str_c(&text));
	str_free(&text);
	return out;
}

/* The mailbox, what is its owner's by its name, and its address, unless that
 * goes to somebody else. */
static enum registry_result
take_away(struct request *q, const struct object *u, struct leaving *leaving)
{
	struct slice targets = field(q, "redirect");
	struct gone gone = GONE_INIT;
	enum registry_result result;

	result = remove_user(q, u);
	if (targets.p == NULL)
		gone_add(&gone, u->name);
	else if (result == REGISTRY_OK &&
	    (result = rights_have(q, RIGHT_CREATE, &kind_alias)) ==
	    REGISTRY_OK)
		result = redirect(q, u->name, targets);
	if (result == REGISTRY_OK)
		result = leave_mentions(q, u->name, targets.p != NULL, &gone,
		    leaving);
	result = gone_judge(q, &gone, result);
	leaving->lists = gone.lists;
	return result;
}

enum registry_result
op_user_delete(struct request *q)
{
	struct str bytes = STR_INIT(STORE_VALUE_MAX);
	struct leaving leaving = { 0, 0, 0 };
	char name[ADDR_TEXT_MAX], with[ALONG_MAX];
	enum registry_result result;
	struct object u;

	if ((result = field_name(q, &kind_user, name)) != REGISTRY_OK)
		return result;
	result = fetch(q, &kind_user, name, &bytes, &u);
	/* Inventory 2-15, 2-22, 4-07, 8-12. */
	if (result == REGISTRY_OK)
		result = mandatory_judge(q, name);
	if (result == REGISTRY_OK)
		result = take_away(q, &u, &leaving);
	str_wipe(&bytes);
	return result == REGISTRY_OK ? say(q, result,
	    "%s is deleted%s. Its mail stays on the disk and its name reserved; "
	    "within %d days: malle user restore %s",
	    "%s est supprimée%s. Son courrier reste sur le disque et son nom "
	    "réservé ; dans les %d jours : malle user restore %s", name,
	    along(q, &leaving, with), GRACE_DAYS, name) : result;
}

enum registry_result
op_user_restore(struct request *q)
{
	struct str bytes = STR_INIT(STORE_VALUE_MAX);
	enum registry_result result;
	char name[ADDR_TEXT_MAX], was[ADDR_TEXT_MAX] = "";
	uint64_t id = 0;
	struct object o;

	if ((result = field_name(q, &kind_user, name)) != REGISTRY_OK)
		return result;
	result = fetch(q, &kind_removed, name, &bytes, &o);
	if (result == REGISTRY_OK) {
		id = object_number(&o, "change");
		if (slice_to_cstr(object_get(&o, "mailbox").p != NULL ?
		    object_get(&o, "mailbox") : slice_of(name), was,
		    sizeof(was)) == -1)
			id = 0;
		if (time_of_text(object_get(&o, "date")) + GRACE_DAYS * 86400 <
		    (int64_t)time(NULL) || id == 0)
			result = say(q, REGISTRY_INVALID,
			    "%s was deleted on %.10s: it can be restored for "
			    "%d days, where it was deleted. To give the name to "
			    "another, empty mailbox: malle user add %s --force",
			    "%s a été supprimée le %.10s : elle peut être "
			    "rétablie pendant %d jours, là où elle l'a été. "
			    "Pour donner son nom à une autre boîte, vide : malle "
			    "user add %s --force", name,
			    object_get(&o, "date").p, GRACE_DAYS, name);
	}
	str_wipe(&bytes);
	return result == REGISTRY_OK ? undo_deletion(q, id, was) : result;
}

/* True when no address and no reserved name stands in the way. 1, 0, -1. */
static int
is_free(struct request *q, const char *name)
{
	const struct kind *const looked_at[] = { &kind_user, &kind_removed };
	struct str bytes = STR_INIT(STORE_VALUE_MAX);
	struct object o;
	int found = 0;

	for (size_t i = 0; found == 0 && i < 2; i++)
		found = object_load(q->r->store, looked_at[i], name, &bytes,
		    &o);
	str_wipe(&bytes);
	return found == -1 ? -1 : !found;
}

/* Inventory 3-07, 3-12: the login is shown before it is made. */
enum registry_result
op_user_propose(struct request *q)
{
	struct slice first = field(q, "first"), last = field(q, "last");
	char local[ADDR_LOCAL_MAX + 1], name[ADDR_TEXT_MAX];
	char address[2 * ADDR_TEXT_MAX], full[256];
	struct registry_fields f = { .n = 0 };
	enum registry_result result;
	uint64_t from;
	int is = 0;

	if ((result = field_name(q, &kind_domain, name)) != REGISTRY_OK ||
	    (result = field_number(q, "number", 1, &from)) != REGISTRY_OK)
		return result;
	snprintf(address, sizeof(address), "x@%s", name);
	if ((result = main_domain(q, address)) != REGISTRY_OK)
		return result;
	snprintf(name, sizeof(name), "%s", address_domain(address));
	for (uint64_t n = from; is == 0 && n < NAMESAKES_MAX; n++) {
		if (first.p == NULL || last.p == NULL ||
		    login_make(first, last, (unsigned)n, local) == -1)
			return say(q, REGISTRY_INVALID,
			    "A first and a last name with Latin letters are "
			    "needed.", "Il faut un prénom et un nom en lettres "
			    "latines.");
		snprintf(address, sizeof(address), "%s@%s", local, name);
		if (strlen(address) > ADDR_MAX)
			return say(q, REGISTRY_INVALID, "%s is too long.",
			    "%s est trop long.", address);
		is = 0;
		if (!reserved_is(slice_of(local)) &&
		    (is = is_free(q, address)) == -1)
			return say_failed(q);
	}
	if (is == 0)
		return say(q, REGISTRY_EXISTS, "There are too many namesakes.",
		    "Il y a trop d'homonymes.");
	snprintf(full, sizeof(full), "%.*s %.*s", (int)(first.len > 100 ? 100 :
	    first.len), first.p, (int)(last.len > 100 ? 100 : last.len),
	    last.p);
	registry_add(&f, "name", slice_of(address));
	registry_add(&f, "full-name", slice_of(full));
	row(q, &f);
	return REGISTRY_OK;
}

enum registry_result
op_removed_list(struct request *q)
{
	return list(q, &kind_removed, "removed/");
}
