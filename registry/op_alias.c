/* op_alias.c - the operations on aliases. */
/* SPDX-License-Identifier: ISC */

#include <stdio.h>
#include <stdlib.h>

#include "lib/account.h"
#include "lib/date.h"
#include "lib/route.h"
#include "registry/operation.h"
#include "registry/valid.h"

#define WALK_MAX 20000		/* addresses looked at for one alias */

/* A walk along the targets of aliases, as a letter would go. */
struct path {
	struct request *q;
	const char *start;	/* the alias that is judged */
	bool must_exist;
	unsigned looked_at;
};

/*
 * The address that a target is here: canonical, domain alias followed.
 * 1, 0 when its domain is not ours, -1.
 */
static int
local_target(struct registry *r, struct slice target, char *name)
{
	struct str bytes = STR_INIT(STORE_VALUE_MAX);
	char account[ADDR_LOCAL_MAX + 1];
	struct slice detail, domain;
	struct object d;
	struct addr a;
	int found;

	if (addr_parse(target, &a) != ADDR_OK)
		return 0;
	found = registry_domain(r, a.domain, &bytes, &d);
	if (found == 1) {
		domain = object_get(&d, "alias-of");
		if (domain.p == NULL)
			domain = slice_of(a.domain);
		if (addr_account_of(a.local, account, &detail) == -1)
			account[0] = '\0';	/* nobody's */
		snprintf(name, ADDR_TEXT_MAX, "%s@%.*s", account,
		    SLICE_FMT(domain));
	}
	str_free(&bytes);
	return found;
}

static enum registry_result walk_targets(struct path *p,
    const struct object *alias, unsigned depth);

static enum registry_result
walk_one(struct path *p, struct slice target, unsigned depth)
{
	struct str bytes = STR_INIT(STORE_VALUE_MAX);
	enum registry_result result = REGISTRY_OK;
	char name[ADDR_TEXT_MAX];
	struct object o;
	int found;

	if ((found = local_target(p->q->r, target, name)) == -1)
		return say_failed(p->q);
	if (found == 0)
		return REGISTRY_OK;
	if (strcmp(name, p->start) == 0)
		return say(p->q, REGISTRY_INVALID,
		    "%s would lead back to itself.",
		    "%s mènerait à elle-même.", p->start);
	found = object_load(p->q->r->store, &kind_alias, name, &bytes, &o);
	if (found == -1)
		result = say_failed(p->q);
	else if (found == 0 && p->must_exist && depth == 0)
		result = say(p->q, REGISTRY_INVALID,
		    "There is no %s here. Make it first, or use --force.",
		    "Il n'y a pas de %s ici. Créez-la d'abord, ou utilisez "
		    "--force.", name);
	else if (found == 1 && o.kind == &kind_alias)
		result = walk_targets(p, &o, depth + 1);
	str_free(&bytes);
	return result;
}

static enum registry_result
walk_targets(struct path *p, const struct object *alias, unsigned depth)
{
	struct slice rest = object_get(alias, "targets"), one;
	enum registry_result result;

	if (depth > ROUTE_DEPTH)
		return say(p->q, REGISTRY_INVALID,
		    "%s: more than %d aliases of aliases.",
		    "%s : plus de %d alias d'alias.", p->start, ROUTE_DEPTH);
	while ((one = target_next(&rest)).p != NULL) {
		if (++p->looked_at > WALK_MAX)
			return say(p->q, REGISTRY_INVALID,
			    "%s leads to too many addresses.",
			    "%s mène à trop d'adresses.", p->start);
		if ((result = walk_one(p, one, depth)) != REGISTRY_OK)
			return result;
	}
	return REGISTRY_OK;
}

enum registry_result
check_targets(struct request *q, const struct object *a, bool must_exist)
{
	struct path p = { q, a->name, must_exist, 0 };

	return walk_targets(&p, a, 0);
}

/* Targets without a domain are of the alias's own. */
static enum registry_result
set_targets(struct request *q, struct object *a)
{
	struct slice rest = field(q, "targets"), one;
	struct str full = STR_INIT(ATTRIBUTE_VALUE_MAX);
	enum registry_result result = REGISTRY_OK;
	struct registry_fields f = { .n = 0 };

	if (rest.p == NULL)
		return REGISTRY_OK;
	while ((one = target_next(&rest)).p != NULL) {
		str_put(&full, one);
		if (memrchr(one.p, '@', one.len) == NULL)
			str_printf(&full, "@%s", address_domain(a->name));
		str_putc(&full, '\n');
	}
	registry_add(&f, "targets", str_slice(&full));
	if (!str_ok(&full))
		result = say(q, REGISTRY_INVALID, "Too many targets.",
		    "Trop de destinations.");
	else
		result = set_attributes(q, &f, a, false);
	str_free(&full);
	return result;
}

/* All the fields, targets completed. */
static enum registry_result
set_all(struct request *q, struct object *a)
{
	struct registry_fields f = { .n = 0 };
	enum registry_result result;

	for (size_t i = 0; i < q->f.n; i++)
		if (!slice_eq(q->f.v[i].name, SLICE("targets")))
			f.v[f.n++] = q->f.v[i];
	result = set_attributes(q, &f, a, false);
	if (result == REGISTRY_OK)
		result = set_targets(q, a);
	return result == REGISTRY_OK ?
	    check_targets(q, a, !field_yes(q, "force")) : result;
}

enum registry_result
op_alias_add(struct request *q)
{
	struct str bytes = STR_INIT(STORE_VALUE_MAX);
	enum registry_result result;
	char name[ADDR_TEXT_MAX], date[DATE_MAX];
	struct object a;
	int found;

	if ((result = field_name(q, &kind_alias, name)) != REGISTRY_OK)
		return result;
	if (field(q, "targets").p == NULL)
		return say(q, REGISTRY_INVALID, "The field %s is missing.",
		    "Le champ %s manque.", "targets");
	found = object_load(q->r->store, &kind_alias, name, &bytes, &a);
	if (found == 1)
		result = say(q, REGISTRY_EXISTS,
		    "%s exists already (kind: %s).",
		    "%s existe déjà (genre : %s).", name, a.kind->name);
	str_free(&bytes);
	if (found != 0)
		return found == 1 ? result : say_failed(q);
	object_init(&a, &kind_alias, name);
	result = set_all(q, &a);
	if (result == REGISTRY_OK &&
	    object_put(&a, "created", now_text(date)) == -1)
		result = say_failed(q);
	if (result == REGISTRY_OK)
		result = change(q, NULL, &a);
	if (result == REGISTRY_OK)
		row_object(q, &a, false);
	object_free(&a);
	return result;
}

enum registry_result
op_alias_set(struct request *q)
{
	struct str bytes = STR_INIT(STORE_VALUE_MAX);
	enum registry_result result;
	struct object before, after;
	char name[ADDR_TEXT_MAX];

	if ((result = field_name(q, &kind_alias, name)) != REGISTRY_OK)
		return result;
	result = fetch(q, &kind_alias, name, &bytes, &before);
	if (result == REGISTRY_OK) {
		after = before;	/* borrows; what is set is copied */
		result = set_all(q, &after);
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
op_alias_delete(struct request *q)
{
	struct str bytes = STR_INIT(STORE_VALUE_MAX);
	enum registry_result result;
	char name[ADDR_TEXT_MAX];
	struct object a;

	if ((result = field_name(q, &kind_alias, name)) != REGISTRY_OK)
		return result;
	result = fetch(q, &kind_alias, name, &bytes, &a);
	if (result == REGISTRY_OK && is_mandatory(q->r, name) != 0)
		result = say(q, REGISTRY_REFUSED,
		    "%s cannot be deleted: each domain must answer there "
		    "(RFC 2142). Its targets can be changed.",
		    "%s ne peut pas être supprimée : chaque domaine doit y "
		    "répondre (RFC 2142). Ses destinations peuvent changer.",
		    name);
	if (result == REGISTRY_OK)
		result = change(q, &a, NULL);
	str_free(&bytes);
	return result;
}
