/* op_object.c - the operations that are the same for several kinds. */
/* SPDX-License-Identifier: ISC */

/* For relay, client, manager: what their attributes say of other objects is
 * judged by judge_references(). */

#include <stdio.h>

#include "lib/date.h"
#include "registry/operation.h"
#include "registry/rights.h"

/* Whether an object that is named by another one is there. */
static enum registry_result
judge_there(struct request *q, const struct kind *k, struct slice named)
{
	struct str bytes = STR_INIT(STORE_VALUE_MAX);
	enum registry_result result;
	char name[ADDR_TEXT_MAX];
	struct object o;

	if (slice_to_cstr(named, name, sizeof(name)) == -1)
		return say(q, REGISTRY_INVALID, "This name is too long.",
		    "Ce nom est trop long.");
	result = fetch(q, k, name, &bytes, &o);
	str_free(&bytes);
	return result;
}

enum registry_result
judge_references(struct request *q, const struct object *o)
{
	struct slice client = object_get(o, "client");
	struct slice domains = object_get(o, "domains"), one;
	struct slice owner = object_get(o, "owner");
	enum registry_result result = REGISTRY_OK;

	if (owner.p != NULL)
		result = judge_there(q, memchr(owner.p, '@', owner.len) != NULL ?
		    &kind_user : &kind_client, owner);
	if (result == REGISTRY_OK && client.p != NULL)
		result = judge_there(q, &kind_client, client);
	while (result == REGISTRY_OK && domains.p != NULL && domains.len > 0) {
		one = slice_cut(&domains, '\n');
		result = judge_there(q, &kind_domain, one);
	}
	return result;
}

struct user_search {
	const char *client;
	struct str names;
};

static int
find_user_of(void *arg, struct slice key, struct slice value)
{
	struct user_search *s = arg;
	struct object o;

	(void)key;
	if (object_decode(value, &o) == -1)
		return -1;
	if (object_is(&o, "client", s->client) ||
	    object_is(&o, "owner", s->client)) {
		if (s->names.len > 0)
			str_puts(&s->names, ", ");
		str_puts(&s->names, o.name);
	}
	return 0;
}

enum registry_result
judge_unused(struct request *q, const struct object *o)
{
	struct user_search s = { o->name, STR_INIT(ATTRIBUTE_VALUE_MAX) };
	enum registry_result result = REGISTRY_OK;

	if (o->kind != &kind_client)
		return REGISTRY_OK;
	if (store_each(q->r->store, SLICE("domain/"), SLICE_EMPTY,
	    find_user_of, &s) == -1 ||
	    store_each(q->r->store, SLICE("manager/"), SLICE_EMPTY,
	    find_user_of, &s) == -1 ||
	    store_each(q->r->store, SLICE("relay/"), SLICE_EMPTY,
	    find_user_of, &s) == -1)
		result = say_failed(q);
	else if (s.names.len > 0)
		result = say(q, REGISTRY_INVALID,
		    "%s still has: %.400s.", "%s a encore : %.400s.", o->name,
		    str_c(&s.names));
	str_free(&s.names);
	return result;
}

struct manager_search {
	struct slice domain;
	struct str names;	/* one a line */
};

static int
find_manager_of(void *arg, struct slice key, struct slice value)
{
	struct manager_search *s = arg;
	struct slice domains;
	struct object o;

	(void)key;
	if (object_decode(value, &o) == -1)
		return -1;
	domains = object_get(&o, "domains");
	while (domains.p != NULL) {
		if (!slice_eq(slice_cut(&domains, '\n'), s->domain))
			continue;
		str_puts(&s->names, o.name);
		str_putc(&s->names, '\n');
	}
	return str_ok(&s->names) ? 0 : -1;
}

/* Takes the domain in arg out of a manager's. */
static enum registry_result
forget_for(struct request *q, const struct object *before,
    struct object *after, const void *arg)
{
	struct str left = STR_INIT(ATTRIBUTE_VALUE_MAX);
	struct slice rest = object_get(before, "domains"), one;
	const struct slice *domain = arg;
	enum registry_result result;
	struct text why;

	while (rest.p != NULL) {
		one = slice_cut(&rest, '\n');
		if (slice_eq(one, *domain))
			continue;
		str_put(&left, one);
		str_putc(&left, '\n');
	}
	if (object_set(after, kind_attribute(&kind_manager, SLICE("domains")),
	    str_slice(&left), &why) == -1)
		result = say_failed(q);
	else
		result = change(q, before, after);
	str_free(&left);
	return result;
}

enum registry_result
forget_domain(struct request *q, const char *domain)
{
	struct manager_search s = { slice_of(domain), STR_INIT(1 << 24) };
	enum registry_result result = REGISTRY_OK;
	char name[ADDR_TEXT_MAX];
	struct slice rest;

	if (store_each(q->r->store, SLICE("manager/"), SLICE_EMPTY,
	    find_manager_of, &s) == -1)
		result = say_failed(q);
	rest = str_slice(&s.names);
	while (result == REGISTRY_OK && rest.len > 0)
		if (slice_to_cstr(slice_cut(&rest, '\n'), name,
		    sizeof(name)) == 0)
			result = amend(q, &kind_manager, name, forget_for,
			    &s.domain);
	str_free(&s.names);
	return result;
}

enum registry_result
op_object_add(struct request *q)
{
	const struct kind *k = q->op->kind;
	struct str bytes = STR_INIT(STORE_VALUE_MAX);
	enum registry_result result;
	char name[ADDR_TEXT_MAX], date[DATE_MAX];
	struct object o;
	int found;

	if ((result = field_name(q, k, name)) != REGISTRY_OK)
		return result;
	found = object_load(q->r->store, k, name, &bytes, &o);
	str_wipe(&bytes);
	if (found == -1)
		return say_failed(q);
	if (found == 1)
		return say(q, REGISTRY_EXISTS, "%s exists already (kind: %s).",
		    "%s existe déjà (genre : %s).", name, k->name);
	object_init(&o, k, name);
	result = set_attributes(q, &q->f, &o, false);
	if (result == REGISTRY_OK)
		result = judge_references(q, &o);
	if (result == REGISTRY_OK &&
	    object_put(&o, "created", now_text(date)) == -1)
		result = say_failed(q);
	if (result == REGISTRY_OK)
		result = change(q, NULL, &o);
	if (result == REGISTRY_OK && k == &kind_suffix)
		result = make_all_structural(q);
	if (result == REGISTRY_OK)
		row_object(q, &o, false);
	object_free(&o);
	return result;
}

enum registry_result
op_object_list(struct request *q)
{
	char prefix[STORE_KEY_MAX];

	snprintf(prefix, sizeof(prefix), "%s/", q->op->kind->space);
	return list(q, q->op->kind, prefix);
}

enum registry_result
op_object_show(struct request *q)
{
	struct str bytes = STR_INIT(STORE_VALUE_MAX);
	enum registry_result result;
	struct object o;

	result = fetch_named(q, q->op->kind, &bytes, &o);
	if (result == REGISTRY_OK)
		row_object(q, &o, false);
	str_wipe(&bytes);
	return result;
}

static enum registry_result
set(struct request *q, const struct object *before, struct object *after,
    const void *arg)
{
	enum registry_result result;

	(void)arg;
	result = set_attributes(q, &q->f, after, false);
	if (result == REGISTRY_OK)
		result = judge_references(q, after);
	if (result == REGISTRY_OK)
		result = change(q, before, after);
	if (result == REGISTRY_OK && after->kind == &kind_suffix)
		result = make_all_structural(q);
	return result;
}

enum registry_result
op_object_set(struct request *q)
{
	return amend_named(q, q->op->kind, set);
}

enum registry_result
op_object_passwd(struct request *q)
{
	return has_password(q) ? op_object_set(q) :
	    say(q, REGISTRY_INVALID, "Give a password.",
	    "Donnez un mot de passe.");
}

enum registry_result
op_object_delete(struct request *q)
{
	struct str bytes = STR_INIT(STORE_VALUE_MAX);
	enum registry_result result;
	struct object o;

	result = fetch_named(q, q->op->kind, &bytes, &o);
	if (result == REGISTRY_OK)
		result = judge_unused(q, &o);
	if (result == REGISTRY_OK)
		result = change(q, &o, NULL);
	/* A shorter end, or what is built in, holds again. */
	if (result == REGISTRY_OK && o.kind == &kind_suffix)
		result = make_all_structural(q);
	str_wipe(&bytes);
	return result;
}
