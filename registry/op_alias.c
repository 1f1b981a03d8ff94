/* op_alias.c - the operations on aliases and robots, and where mail goes. */
/* SPDX-License-Identifier: ISC */

#include <stdio.h>
#include <stdlib.h>

#include "lib/account.h"
#include "lib/date.h"
#include "lib/route.h"
#include "registry/gone.h"
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

int
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

static enum registry_result walk_targets(struct path *p, struct slice targets,
    unsigned depth);

struct slice
goes_to(const struct object *o)
{
	struct slice to = object_get(o, o->kind == &kind_user ? "forward" :
	    o->kind == &kind_robot ? "copy" : o->kind == &kind_domain ?
	    "catch-all" : "targets");

	return to.p != NULL ? to : SLICE_EMPTY;
}

/*
 * Where mail for a name that does not exist goes, in out[ADDR_TEXT_MAX]: 1;
 * 0: it is refused; 2: it is accepted and goes nowhere; -1.
 */
static int
catch_all(struct registry *r, const char *name, char *out)
{
	struct str bytes = STR_INIT(STORE_VALUE_MAX);
	struct slice to, local = address_local(name);
	struct object d;
	int found;

	found = registry_domain(r, address_domain(name), &bytes, &d);
	if (found == 1) {
		to = object_get(&d, "catch-all");
		if (to.p == NULL || slice_eq(to, SLICE("refuse")))
			found = 0;
		else if (slice_eq(to, SLICE("discard")))
			found = 2;
		else
			snprintf(out, ADDR_TEXT_MAX, "%.*s%.*s",
			    to.p[0] != '@' ? 0 : local.len > 0 ?
			    (int)local.len : 1, local.len > 0 ? local.p : "*",
			    SLICE_FMT(to));
	}
	str_free(&bytes);
	return found;
}

static enum registry_result
say_missing(struct request *q, const char *name)
{
	return say(q, REGISTRY_INVALID,
	    "There is no %s here. Make it first, or use --force.",
	    "Il n'y a pas de %s ici. Créez-la d'abord, ou utilisez --force.",
	    name);
}

static enum registry_result
say_circle(const struct path *p)
{
	return say(p->q, REGISTRY_INVALID, "%s would lead back to itself.",
	    "%s mènerait à elle-même.", p->start);
}

static enum registry_result
walk_missing(struct path *p, const char *name, unsigned depth)
{
	char next[ADDR_TEXT_MAX];
	int found = catch_all(p->q->r, name, next);

	if (found == -1)
		return say_failed(p->q);
	/* The catch-all that is judged would catch this name itself. */
	if (p->start[0] == '@' &&
	    strcmp(address_domain(name), p->start + 1) == 0) {
		if (p->must_exist && depth == 0)
			return say_missing(p->q, name);
		return say_circle(p);
	}
	if (found == 1)
		return walk_targets(p, slice_of(next), depth + 1);
	return found == 2 || !p->must_exist || depth > 0 ? REGISTRY_OK :
	    say_missing(p->q, name);
}

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
		return say_circle(p);
	found = object_load(p->q->r->store, &kind_alias, name, &bytes, &o);
	if (found == -1)
		result = say_failed(p->q);
	else if (found == 0)
		result = walk_missing(p, name, depth);
	else
		result = walk_targets(p, goes_to(&o), depth + 1);
	str_wipe(&bytes);
	return result;
}

static enum registry_result
walk_targets(struct path *p, struct slice targets, unsigned depth)
{
	enum registry_result result;
	struct slice one;

	while ((one = target_next(&targets)).p != NULL) {
		if (depth > ROUTE_DEPTH)
			return say(p->q, REGISTRY_INVALID,
			    "%s: more than %d aliases of aliases.",
			    "%s : plus de %d alias d'alias.", p->start,
			    ROUTE_DEPTH);
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

	return walk_targets(&p, goes_to(a), 0);
}

enum registry_result
check_catch_all(struct request *q, const struct object *d)
{
	char start[ADDR_TEXT_MAX + 1], next[ADDR_TEXT_MAX];
	struct path p = { q, start, !field_yes(q, "force"), 0 };
	struct slice to = object_get(d, "catch-all");

	if (to.p == NULL || memchr(to.p, '@', to.len) == NULL)
		return REGISTRY_OK;
	/* A name that nobody can have: every target that does not exist. */
	snprintf(start, sizeof(start), "@%s", d->name);
	snprintf(next, sizeof(next), "%s%.*s", to.p[0] == '@' ? "*" : "",
	    SLICE_FMT(to));
	return walk_targets(&p, slice_of(next),
	    to.p[0] == '@' ? 1 : 0);
}

enum registry_result
set_targets(struct request *q, struct object *a, const char *attribute,
    struct slice rest)
{
	struct slice one;
	struct str full = STR_INIT(ATTRIBUTE_VALUE_MAX);
	enum registry_result result = REGISTRY_OK;
	struct registry_fields f = { .n = 0 };

	while ((one = target_next(&rest)).p != NULL) {
		str_put(&full, one);
		if (memrchr(one.p, '@', one.len) == NULL)
			str_printf(&full, "@%s", address_domain(a->name));
		str_putc(&full, '\n');
	}
	registry_add(&f, attribute, str_slice(&full));
	if (!str_ok(&full))
		result = say(q, REGISTRY_INVALID, "Too many targets.",
		    "Trop de destinations.");
	else
		result = set_attributes(q, &f, a, false);
	str_free(&full);
	return result;
}

enum registry_result
set_routed(struct request *q, struct object *a, const char *attribute)
{
	struct slice targets = field(q, attribute);
	struct registry_fields f = { .n = 0 };
	enum registry_result result;

	for (size_t i = 0; i < q->f.n; i++)
		if (!slice_eq(q->f.v[i].name, slice_of(attribute)))
			f.v[f.n++] = q->f.v[i];
	result = set_attributes(q, &f, a, false);
	if (result != REGISTRY_OK || targets.p == NULL)
		return result;
	result = set_targets(q, a, attribute, targets);
	return result == REGISTRY_OK ?
	    check_targets(q, a, !field_yes(q, "force")) : result;
}

/* The attribute of a kind that leads on. */
static const char *
routed(const struct kind *k)
{
	return k == &kind_robot ? "copy" : "targets";
}

enum registry_result
op_alias_add(struct request *q)
{
	const struct kind *k = q->op->kind;
	struct str bytes = STR_INIT(STORE_VALUE_MAX);
	enum registry_result result;
	char name[ADDR_TEXT_MAX], date[DATE_MAX];
	struct object a;
	int found;

	if ((result = field_name(q, k, name)) != REGISTRY_OK)
		return result;
	for (size_t i = 0; k->attributes[i].name != NULL; i++)
		if ((k->attributes[i].flags & ATTR_NEEDED) &&
		    field(q, k->attributes[i].name).len == 0)
			return say(q, REGISTRY_INVALID,
			    "The field %s is missing.", "Le champ %s manque.",
			    k->attributes[i].name);
	found = object_load(q->r->store, k, name, &bytes, &a);
	if (found == 1)
		result = say(q, REGISTRY_EXISTS,
		    "%s exists already (kind: %s).",
		    "%s existe déjà (genre : %s).", name, a.kind->name);
	str_free(&bytes);
	if (found != 0)
		return found == 1 ? result : say_failed(q);
	object_init(&a, k, name);
	result = set_routed(q, &a, routed(a.kind));
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

static enum registry_result
set(struct request *q, const struct object *before, struct object *after,
    const void *arg)
{
	enum registry_result result;

	(void)arg;
	result = set_routed(q, after, routed(after->kind));
	return result == REGISTRY_OK ? change(q, before, after) : result;
}

enum registry_result
op_alias_set(struct request *q)
{
	return amend_named(q, q->op->kind, set);
}

enum registry_result
op_alias_delete(struct request *q)
{
	struct str bytes = STR_INIT(STORE_VALUE_MAX);
	enum registry_result result;
	struct object a;

	result = fetch_named(q, q->op->kind, &bytes, &a);
	if (result == REGISTRY_OK && is_mandatory(q->r, a.name) != 0)
		result = say(q, REGISTRY_REFUSED,
		    "%s cannot be deleted: each domain must answer there "
		    "(RFC 2142). Its targets can be changed.",
		    "%s ne peut pas être supprimée : chaque domaine doit y "
		    "répondre (RFC 2142). Ses destinations peuvent changer.",
		    a.name);
	if (result == REGISTRY_OK)
		result = change(q, &a, NULL);
	if (result == REGISTRY_OK)
		result = gone_judge_one(q, a.name);
	str_free(&bytes);
	return result;
}
