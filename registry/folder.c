/* folder.c - which mailbox a folder below a domain's belongs to. */
/* SPDX-License-Identifier: ISC */

/*
 * A mailbox that was renamed keeps its folder, and a deleted one leaves it
 * behind. A folder is named as a mailbox until then, so that only those with
 * another name need an index: in the store "folder/KIND/DOMAIN/FOLDER" with
 * the name of the mailbox. Who gets a name that somebody had before never gets
 * the mail below that name.
 */

#include "registry/folder.h"

#include <stdio.h>

static bool
has_folder(const struct object *o)
{
	return o != NULL && (o->kind == &kind_user ||
	    o->kind == &kind_removed) && strchr(o->name, '@') != NULL;
}

struct slice
folder_of(const struct object *o)
{
	struct slice folder = object_get(o, "folder");

	return folder.p != NULL ? folder : address_local(o->name);
}

static struct slice
key_of(const struct kind *k, const char *domain, struct slice folder,
    char *key)
{
	int len = snprintf(key, STORE_KEY_MAX, "folder/%s/%s/%.*s", k->name,
	    domain, SLICE_FMT(folder));

	return slice_make(key, (size_t)len);
}

int
folder_note(struct registry *r, const struct object *before,
    const struct object *after)
{
	char key[STORE_KEY_MAX];

	if (has_folder(before) && object_get(before, "folder").p != NULL &&
	    store_delete(r->store, key_of(before->kind,
	    address_domain(before->name), folder_of(before), key)) < 0)
		return -1;
	if (has_folder(after) && object_get(after, "folder").p != NULL &&
	    store_put(r->store, key_of(after->kind,
	    address_domain(after->name), folder_of(after), key),
	    slice_of(after->name)) == -1)
		return -1;
	return 0;
}

/* Whoever of that kind has it by the index. */
static int
by_index(struct registry *r, const struct kind *k, const struct object *o,
    char *whose)
{
	struct str value = STR_INIT(4096);
	char key[STORE_KEY_MAX];
	int found;

	found = store_get(r->store, key_of(k, address_domain(o->name),
	    folder_of(o), key), &value);
	if (found == 1 && ((k == o->kind &&
	    slice_eq(str_slice(&value), slice_of(o->name))) ||
	    slice_to_cstr(str_slice(&value), whose, ADDR_TEXT_MAX) == -1))
		found = 0;
	str_free(&value);
	return found;
}

/* Whoever of that kind has it because it is named so. */
static int
by_name(struct registry *r, const struct kind *k, const struct object *o,
    char *whose)
{
	struct str bytes = STR_INIT(STORE_VALUE_MAX);
	struct slice folder = folder_of(o);
	char name[ADDR_TEXT_MAX];
	struct object other;
	int found;

	snprintf(name, sizeof(name), "%.*s@%.*s", SLICE_FMT(folder),
	    ADDR_DOMAIN_MAX, address_domain(o->name));
	if (k == o->kind && strcmp(name, o->name) == 0)
		return 0;
	found = object_load(r->store, k, name, &bytes, &other);
	if (found == 1 && (other.kind != k ||
	    !slice_eq(folder_of(&other), folder)))
		found = 0;
	if (found == 1)
		memcpy(whose, name, sizeof(name));
	str_wipe(&bytes);
	return found;
}

/* The same with or without those that were deleted. */
static int
taken_by(struct registry *r, const struct object *o, bool removed, char *whose)
{
	const struct kind *const holders[] = { &kind_user, &kind_removed };
	int found = 0;

	for (size_t i = 0; found == 0 && i < (removed ? 2 : 1); i++) {
		found = by_index(r, holders[i], o, whose);
		if (found == 0)
			found = by_name(r, holders[i], o, whose);
	}
	return found;
}

int
folder_taken(struct registry *r, const struct object *o, char *whose)
{
	return taken_by(r, o, true, whose);
}

enum registry_result
folder_judge(struct request *q, const struct object *o, bool removed)
{
	char whose[ADDR_TEXT_MAX];
	struct slice folder;

	if (o == NULL || o->kind != &kind_user)
		return REGISTRY_OK;
	folder = folder_of(o);
	switch (taken_by(q->r, o, removed, whose)) {
	case 0:
		return REGISTRY_OK;
	case 1:
		return say(q, REGISTRY_EXISTS,
		    "%s cannot have the folder %.*s: it holds the mail of %s.",
		    "%s ne peut pas avoir le dossier %.*s : il contient le "
		    "courrier de %s.", o->name, SLICE_FMT(folder), whose);
	default:
		return say_failed(q);
	}
}

void
folder_numbered(const char *name, unsigned n, char *out)
{
	struct slice local = address_local(name);
	char number[16];

	snprintf(number, sizeof(number), "-%u", n);
	snprintf(out, ADDR_LOCAL_MAX + 1, "%.*s%s",
	    (int)(local.len + strlen(number) > ADDR_LOCAL_MAX ?
	    ADDR_LOCAL_MAX - strlen(number) : local.len), local.p, number);
}

enum registry_result
folder_choose(struct request *q, struct object *u)
{
	char folder[ADDR_LOCAL_MAX + 1], whose[ADDR_TEXT_MAX];
	int taken;

	for (unsigned n = 2; n < FOLDERS_MAX; n++) {
		if ((taken = folder_taken(q->r, u, whose)) == -1)
			return say_failed(q);
		if (taken == 0)
			return REGISTRY_OK;
		folder_numbered(u->name, n, folder);
		if (object_put(u, "folder", slice_of(folder)) == -1)
			return say_failed(q);
	}
	return say(q, REGISTRY_EXISTS,
	    "%s: all %d folders for a mailbox of this name are taken, also by "
	    "deleted ones. Throw the mail of one of those away: malle mailbox "
	    "purge ADDRESS (malle mailbox deleted lists them).",
	    "%s : les %d dossiers possibles pour une boîte de ce nom sont "
	    "pris, aussi par des boîtes supprimées. Supprimez le courrier de "
	    "l'une d'elles : malle mailbox purge ADRESSE (malle mailbox "
	    "deleted les énumère).", u->name, FOLDERS_MAX - 2);
}
