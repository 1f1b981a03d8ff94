/* op_rename.c - a mailbox gets another name. */
/* SPDX-License-Identifier: ISC */

/*
 * The old name becomes an alias, the mail stays in its folder: neither what
 * waits in the queue nor a session that is open notices (inventory 4-54).
 */

#include <stdio.h>

#include "lib/date.h"
#include "registry/folder.h"
#include "registry/operation.h"
#include "registry/reserved.h"
#include "registry/rights.h"

/* The new address, whole and canonical, in the domain of the old one. */
static enum registry_result
take_new_name(struct request *q, const char *old, char *new)
{
	struct slice to = field(q, "to");
	char whole[2 * ADDR_TEXT_MAX];
	enum registry_result result;
	struct text why;

	if (to.p == NULL || to.len == 0 || to.len >= ADDR_TEXT_MAX)
		return say(q, REGISTRY_INVALID, "The field %s is missing.",
		    "Le champ %s manque.", "to");
	snprintf(whole, sizeof(whole), "%.*s%s%s", SLICE_FMT(to),
	    memchr(to.p, '@', to.len) == NULL ? "@" : "",
	    memchr(to.p, '@', to.len) == NULL ? address_domain(old) : "");
	if (name_address(slice_of(whole), new, &why) == -1)
		return say(q, REGISTRY_INVALID, "\"%.200s\" %s.",
		    "« %.200s » %s.", whole, q->french ? why.french :
		    why.english);
	if ((result = main_domain(q, new)) != REGISTRY_OK)
		return result;
	if (strcmp(address_domain(new), address_domain(old)) != 0)
		return say(q, REGISTRY_INVALID,
		    "A mailbox stays in its domain: make one in %s and "
		    "redirect %s to it (malle user delete --redirect).",
		    "Une boîte reste dans son domaine : créez-en une dans %s "
		    "et renvoyez-y %s (malle user delete --redirect).",
		    address_domain(new), old);
	return strcmp(old, new) != 0 ? REGISTRY_OK : say(q, REGISTRY_INVALID,
	    "%s has this name already.", "%s porte déjà ce nom.", old);
}

static enum registry_result
remove_alias(struct request *q, const struct object *a, const char *old)
{
	enum registry_result result;

	if (a->kind != &kind_alias || !object_is(a, "targets", old))
		return say(q, REGISTRY_EXISTS,
		    "%s exists already (kind: %s).",
		    "%s existe déjà (genre : %s).", a->name, a->kind->name);
	result = rights_have(q, RIGHT_DELETE, &kind_alias);
	return result == REGISTRY_OK ? change(q, a, NULL) : result;
}

/* The new name must be free, or another name of this very mailbox. */
static enum registry_result
make_free(struct request *q, const char *old, const char *new)
{
	struct str bytes = STR_INIT(STORE_VALUE_MAX);
	enum registry_result result = REGISTRY_OK;
	struct object o;
	int found;

	found = object_load(q->r->store, &kind_removed, new, &bytes, &o);
	if (found == 1)
		result = say(q, REGISTRY_EXISTS,
		    "%s was deleted on %.10s and its mail is still on the "
		    "disk: its name is free when that is gone.",
		    "%s a été supprimée le %.10s et son courrier est encore "
		    "sur le disque : son nom sera libre quand il n'y sera "
		    "plus.", new, object_get(&o, "date").p);
	else if (found == 0)
		found = object_load(q->r->store, &kind_user, new, &bytes, &o);
	if (found == -1)
		result = say_failed(q);
	else if (found == 1 && result == REGISTRY_OK)
		result = remove_alias(q, &o, old);
	str_wipe(&bytes);
	return result;
}

/* The old name leads to the new one from now on. */
static enum registry_result
keep_old_name(struct request *q, const char *old, const char *new)
{
	enum registry_result result;
	char date[DATE_MAX];
	struct object a;

	if ((result = rights_have(q, RIGHT_CREATE, &kind_alias)) !=
	    REGISTRY_OK)
		return result;
	object_init(&a, &kind_alias, old);
	if (object_put(&a, "targets", slice_of(new)) == -1 ||
	    object_put(&a, "created", now_text(date)) == -1)
		result = say_failed(q);
	else
		result = change(q, NULL, &a);
	if (result == REGISTRY_OK)
		result = check_targets(q, &a, false);
	object_free(&a);
	return result;
}

static enum registry_result
move(struct request *q, const struct object *u, const char *new)
{
	struct object after = *u;	/* borrows; what is set is copied */
	enum registry_result result;

	snprintf(after.name, sizeof(after.name), "%s", new);
	if (slice_eq(folder_of(u), address_local(new)))
		object_clear(&after, "folder");
	else if (object_put(&after, "folder", folder_of(u)) == -1)
		return say_failed(q);
	/* The manager of the queue counts by name, and will say nothing more
	 * about the old one. */
	object_clear(&after, "sending");
	result = change(q, u, NULL);
	if (result == REGISTRY_OK)
		result = change(q, NULL, &after);
	if (result == REGISTRY_OK)
		result = keep_old_name(q, u->name, new);
	if (result == REGISTRY_OK)
		result = check_targets(q, &after, false);
	if (result == REGISTRY_OK)
		result = rename_mentions(q, u->name, new);
	if (result == REGISTRY_OK)
		row_object(q, &after, false);
	object_free(&after);
	return result;
}

enum registry_result
op_user_rename(struct request *q)
{
	struct str bytes = STR_INIT(STORE_VALUE_MAX);
	enum registry_result result;
	char old[ADDR_TEXT_MAX], new[ADDR_TEXT_MAX];
	struct object u;

	if ((result = field_name(q, &kind_user, old)) != REGISTRY_OK ||
	    (result = take_new_name(q, old, new)) != REGISTRY_OK)
		return result;
	result = fetch(q, &kind_user, old, &bytes, &u);
	if (result == REGISTRY_OK)
		result = reserved_judge(q, new);
	if (result == REGISTRY_OK)
		result = make_free(q, old, new);
	if (result == REGISTRY_OK)
		result = move(q, &u, new);
	str_wipe(&bytes);
	return result == REGISTRY_OK ? say(q, result,
	    "%s is now %s; mail to the old address still arrives.",
	    "%s s'appelle maintenant %s ; le courrier à l'ancienne adresse "
	    "arrive toujours.", old, new) : result;
}
