/* mandatory.c - the addresses that each domain must have. */
/* SPDX-License-Identifier: ISC */

#include <stdio.h>

#include "lib/date.h"
#include "registry/folder.h"
#include "registry/limits.h"
#include "registry/operation.h"

/* Where a registry says nothing (RFC 2142; inventory 2-15, 4-07). */
static const struct {
	const char *suffix, *mandatory;
} mandatory[] = {
	{ "fr", "postmaster\nhostmaster\nabuse" },
	{ NULL, "postmaster\nabuse" }
};

/* What domains that end in suffix must have. 1, 0 nothing is said, -1. */
static int
mandatory_of(struct registry *r, const char *suffix, struct str *out)
{
	struct str bytes = STR_INIT(STORE_VALUE_MAX);
	struct object o;
	int found;

	found = object_load(r->store, &kind_suffix, suffix, &bytes, &o);
	if (found == 1) {
		str_clear(out);
		str_put(out, object_get(&o, "mandatory"));
	}
	str_free(&bytes);
	return found;
}

/* The names that a domain must have, one a line: by its longest end that
 * something is said about. 0 or -1. */
static int
mandatory_names(struct registry *r, const char *domain, struct str *out)
{
	const char *end;
	int found = 0;
	size_t i;

	for (end = domain; end != NULL && found == 0;) {
		found = mandatory_of(r, end, out);
		for (i = 0; found == 0 && mandatory[i].suffix != NULL; i++) {
			if (strcmp(mandatory[i].suffix, end) != 0)
				continue;
			str_puts(out, mandatory[i].mandatory);
			found = 1;
		}
		if ((end = strchr(end, '.')) != NULL)
			end++;
	}
	if (found == 0)
		found = mandatory_of(r, SUFFIX_DEFAULT, out);
	if (found == 0)
		str_puts(out, mandatory[sizeof(mandatory) /
		    sizeof(*mandatory) - 1].mandatory);
	return found == -1 || !str_ok(out) ? -1 : 0;
}

int
is_mandatory(struct registry *r, const char *address)
{
	struct str names = STR_INIT(ATTRIBUTE_VALUE_MAX);
	struct slice rest;
	int result;

	result = mandatory_names(r, address_domain(address), &names);
	rest = str_slice(&names);
	while (result == 0 && rest.p != NULL)
		result = slice_eq(slice_cut(&rest, '\n'),
		    address_local(address));
	str_free(&names);
	return result;
}

enum registry_result
mandatory_judge(struct request *q, const char *address)
{
	switch (is_mandatory(q->r, address)) {
	case 0:
		return REGISTRY_OK;
	case 1:
		return say(q, REGISTRY_REFUSED,
		    "%s cannot be deleted: each domain must answer there "
		    "(RFC 2142).",
		    "%s ne peut pas être supprimée : chaque domaine doit y "
		    "répondre (RFC 2142).", address);
	default:
		return say_failed(q);
	}
}

/* The attributes of an address that its domain must have. */
static enum registry_result
fill_structural(struct request *q, struct object *o)
{
	struct str bytes = STR_INIT(STORE_VALUE_MAX);
	char target[ADDR_TEXT_MAX], date[DATE_MAX];
	enum registry_result result;
	struct object d;

	snprintf(target, sizeof(target), "postmaster@%s",
	    address_domain(o->name));
	if (object_put(o, "created", now_text(date)) == -1 ||
	    (o->kind == &kind_alias &&
	    object_put(o, "targets", slice_of(target)) == -1))
		return say_failed(q);
	if (o->kind != &kind_user)
		return REGISTRY_OK;
	result = fetch(q, &kind_domain, address_domain(o->name), &bytes, &d);
	if (result == REGISTRY_OK)
		result = limits_give_quota(q, &d, o, true);
	str_free(&bytes);
	return result == REGISTRY_OK ? folder_choose(q, o) : result;
}

static enum registry_result
make_one(struct request *q, const struct kind *k, const char *local,
    const char *domain)
{
	struct str bytes = STR_INIT(STORE_VALUE_MAX);
	enum registry_result result;
	char name[ADDR_TEXT_MAX];
	struct object o;
	int found;

	snprintf(name, sizeof(name), "%s@%s", local, domain);
	found = object_load(q->r->store, k, name, &bytes, &o);
	str_free(&bytes);
	if (found == -1)
		return say_failed(q);
	if (found == 1)
		return REGISTRY_OK;
	object_init(&o, k, name);
	result = fill_structural(q, &o);
	if (result == REGISTRY_OK)
		result = change(q, NULL, &o);
	object_free(&o);
	return result;
}

enum registry_result
make_structural(struct request *q, const char *domain)
{
	struct str names = STR_INIT(ATTRIBUTE_VALUE_MAX);
	enum registry_result result = REGISTRY_OK;
	char local[ADDR_LOCAL_MAX + 1];
	struct slice rest;

	if (mandatory_names(q->r, domain, &names) == -1)
		result = say_failed(q);
	rest = str_slice(&names);
	while (result == REGISTRY_OK && rest.p != NULL) {
		if (slice_to_cstr(slice_cut(&rest, '\n'), local,
		    sizeof(local)) == -1)
			continue;
		result = make_one(q, strcmp(local, "postmaster") == 0 ?
		    &kind_user : &kind_alias, local, domain);
	}
	str_free(&names);
	return result;
}

static int
main_name(void *arg, const char *domain)
{
	struct str *names = arg;

	str_printf(names, "%s\n", domain);
	return str_ok(names) ? 0 : -1;
}

enum registry_result
make_all_structural(struct request *q)
{
	struct str names = STR_INIT(1 << 28);
	enum registry_result result = REGISTRY_OK;
	char name[ADDR_TEXT_MAX];
	struct slice rest;

	if (registry_each_main(q->r, main_name, &names) == -1)
		result = say_failed(q);
	rest = str_slice(&names);
	while (result == REGISTRY_OK && rest.len > 0)
		if (slice_to_cstr(slice_cut(&rest, '\n'), name,
		    sizeof(name)) == 0)
			result = make_structural(q, name);
	str_free(&names);
	return result;
}
