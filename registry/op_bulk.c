/* op_bulk.c - everything out, everything in: dump and load. */
/* SPDX-License-Identifier: ISC */

/*
 * A dump is every object with all of its attributes; a load is the same
 * objects again, judged like any other request, all of them or none. What they
 * say of each other (domains, aliases) is judged when all are in.
 */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/num.h"
#include "registry/operation.h"

static int
dump_one(void *arg, struct slice key, struct slice value)
{
	struct request *q = arg;
	struct object o;

	(void)key;
	if (object_decode(value, &o) == -1)
		return -1;
	row_object(q, &o, true);
	return q->out->bad ? -1 : 0;
}

enum registry_result
op_dump(struct request *q)
{
	const char *done = "";
	char prefix[STORE_KEY_MAX];

	for (size_t i = 0; kinds[i] != NULL; i++) {
		/* Kinds of one space stand together in kinds[]. */
		if (strcmp(kinds[i]->space, done) == 0)
			continue;
		done = kinds[i]->space;
		snprintf(prefix, sizeof(prefix), "%s/", done);
		if (store_each(q->r->store, slice_of(prefix), SLICE_EMPTY,
		    dump_one, q) == -1)
			return say_failed(q);
	}
	return REGISTRY_OK;
}

/* The names of what was loaded, to be judged at the end: one a line. */
struct loading {
	struct request *q;
	struct str domains, aliases;
	bool suffixes;		/* some were among them */
	uint64_t n;
};

enum registry_result
judge_address(struct request *q, const char *address)
{
	struct str bytes = STR_INIT(STORE_VALUE_MAX);
	enum registry_result result = REGISTRY_OK;
	struct object d;
	int found;

	found = registry_domain(q->r, address_domain(address), &bytes, &d);
	if (found == -1)
		result = say_failed(q);
	else if (found == 0 || object_get(&d, "alias-of").p != NULL)
		result = say(q, REGISTRY_INVALID,
		    "%s: its domain must come before it, and be no alias.",
		    "%s : son domaine doit le précéder, et ne pas être un "
		    "alias.", address);
	str_free(&bytes);
	return result;
}

/* What a kind asks for beyond its attributes. */
static enum registry_result
load_kind(struct loading *l, struct object *o)
{
	enum registry_result result = judge_references(l->q, o);

	if (result != REGISTRY_OK)
		return result;
	if (o->kind == &kind_domain)
		str_printf(&l->domains, "%s\n", o->name);
	if (o->kind == &kind_suffix)
		l->suffixes = true;
	if (object_get(o, "targets").p != NULL ||
	    object_get(o, "forward").p != NULL ||
	    object_get(o, "copy").p != NULL) {
		str_puts(&l->aliases, o->name);
		str_putc(&l->aliases, '\n');
	}
	if (strcmp(o->kind->space, "address") == 0)
		return judge_address(l->q, o->name);
	if (o->kind == &kind_removed &&
	    keep_uid(l->q->r, object_number(o, "uid")) == -1)
		return say_failed(l->q);
	return REGISTRY_OK;
}

static enum registry_result
check_needed(struct request *q, const struct object *o)
{
	const struct attribute *a = o->kind->attributes;

	for (size_t i = 0; a[i].name != NULL; i++)
		if ((a[i].flags & ATTR_NEEDED) && o->value[i].p == NULL)
			return say(q, REGISTRY_INVALID,
			    "%s %s needs %s.", "%s %s : il manque %s.",
			    o->kind->name, o->name, a[i].name);
	return REGISTRY_OK;
}

static bool
same_object(const struct object *a, const struct object *b)
{
	if (a->kind != b->kind)
		return false;
	for (size_t i = 0; i < ATTRIBUTES_MAX; i++)
		if ((a->value[i].p == NULL) != (b->value[i].p == NULL) ||
		    (a->value[i].p != NULL &&
		    !slice_eq(a->value[i], b->value[i])))
			return false;
	return true;
}

/* What the registry has chosen itself stays when it is left out: whose the
 * mail is, and where. 0 or -1. */
static int
keep_chosen(struct object *o, const struct object *old)
{
	static const char *const chosen[] = { "uid", "folder" };
	struct slice value;

	for (size_t i = 0; i < sizeof(chosen) / sizeof(*chosen); i++) {
		value = object_get(old, chosen[i]);
		if (value.p != NULL && object_get(o, chosen[i]).p == NULL &&
		    object_put(o, chosen[i], value) == -1)
			return -1;
	}
	return 0;
}

static enum registry_result
store_loaded(struct loading *l, struct object *o)
{
	struct request *q = l->q;
	struct str bytes = STR_INIT(STORE_VALUE_MAX);
	enum registry_result result;
	struct object old;
	int found;

	found = object_load(q->r->store, o->kind, o->name, &bytes, &old);
	if (found == -1 || (found == 1 && old.kind == o->kind &&
	    keep_chosen(o, &old) == -1))
		result = say_failed(q);
	else if (found == 1 && same_object(&old, o))
		result = REGISTRY_OK;
	else if (found == 1 && (!field_yes(q, "update") ||
	    old.kind != o->kind))
		result = say(q, REGISTRY_EXISTS,
		    "%s %s exists already, and is different. To replace what "
		    "exists: --update", "%s %s existe déjà, et diffère. Pour "
		    "remplacer ce qui existe : --update", old.kind->name,
		    old.name);
	else
		result = change(q, found == 1 ? &old : NULL, o);
	str_wipe(&bytes);
	return result;
}

static enum registry_result
load_object(struct loading *l, const struct registry_fields *f)
{
	struct slice name = registry_field(f, "name");
	const struct kind *k = kind_find(registry_field(f, "kind"));
	enum registry_result result;
	char canonical[ADDR_TEXT_MAX];
	struct object o;
	struct text why;

	if (k == NULL || name.p == NULL)
		return say(l->q, REGISTRY_INVALID,
		    "An object must have a known kind and a name.",
		    "Un objet doit avoir un genre connu et un nom.");
	if (k->valid_name(name, canonical, &why) == -1)
		return say(l->q, REGISTRY_INVALID, "\"%.*s\" %s.",
		    "« %.*s » %s.", (int)(name.len > 200 ? 200 : name.len),
		    name.p, l->q->french ? why.french : why.english);
	object_init(&o, k, canonical);
	result = set_attributes(l->q, f, &o, true);
	if (result == REGISTRY_OK)
		result = check_needed(l->q, &o);
	if (result == REGISTRY_OK)
		result = load_kind(l, &o);
	if (result == REGISTRY_OK)
		result = store_loaded(l, &o);
	object_free(&o);
	return result;
}

enum registry_result
judge_domain(struct request *q, const char *name)
{
	struct str bytes = STR_INIT(STORE_VALUE_MAX);
	struct str other = STR_INIT(STORE_VALUE_MAX);
	enum registry_result result;
	struct object d, m;
	char principal[ADDR_TEXT_MAX];
	struct slice alias_of;

	result = fetch(q, &kind_domain, name, &bytes, &d);
	if (result != REGISTRY_OK)
		goto out;
	alias_of = object_get(&d, "alias-of");
	if (alias_of.p == NULL) {
		if (keep_uid(q->r, object_number(&d, "uid")) == -1)
			result = say_failed(q);
		else
			result = make_structural(q, name);
		goto out;
	}
	if (slice_to_cstr(alias_of, principal, sizeof(principal)) == -1 ||
	    registry_domain(q->r, principal, &other, &m) != 1 ||
	    object_get(&m, "alias-of").p != NULL)
		result = say(q, REGISTRY_INVALID,
		    "%s is alias of a domain that is not there, or itself an "
		    "alias.", "%s est alias d'un domaine qui n'existe pas, ou "
		    "lui-même alias.", name);
	else
		result = judge_empty(q, name);
out:
	str_free(&other);
	str_free(&bytes);
	return result;
}

/* No domain that is loaded without a uid gets one that stands in the dump. */
static enum registry_result
keep_domain_uid(struct request *q, const char *name)
{
	struct str bytes = STR_INIT(STORE_VALUE_MAX);
	enum registry_result result;
	struct object d;

	result = fetch(q, &kind_domain, name, &bytes, &d);
	if (result == REGISTRY_OK &&
	    keep_uid(q->r, object_number(&d, "uid")) == -1)
		result = say_failed(q);
	str_free(&bytes);
	return result;
}

static enum registry_result
give_uid(struct request *q, const struct object *before, struct object *after,
    const void *arg)
{
	enum registry_result result;
	char text[24];
	uint64_t uid;

	(void)arg;
	if (object_get(before, "alias-of").p != NULL ||
	    object_get(before, "uid").p != NULL)
		return REGISTRY_OK;
	if ((result = next_uid(q, &uid)) != REGISTRY_OK)
		return result;
	snprintf(text, sizeof(text), "%" PRIu64, uid);
	return object_put(after, "uid", slice_of(text)) == -1 ?
	    say_failed(q) : change(q, before, after);
}

static enum registry_result
give_domain_uid(struct request *q, const char *name)
{
	return amend(q, &kind_domain, name, give_uid, NULL);
}

static enum registry_result
finish_alias(struct request *q, const char *name)
{
	struct str bytes = STR_INIT(STORE_VALUE_MAX);
	enum registry_result result;
	struct object a;

	/* Of any kind of address. */
	if (object_load(q->r->store, &kind_alias, name, &bytes, &a) != 1)
		result = say_failed(q);
	else
		result = check_targets(q, &a, false);
	str_wipe(&bytes);
	return result;
}

static enum registry_result
finish(struct request *q, const struct str *names,
    enum registry_result (*one)(struct request *q, const char *name))
{
	struct slice rest = str_slice(names);
	enum registry_result result = REGISTRY_OK;
	char name[ADDR_TEXT_MAX];

	if (!str_ok(names))
		return say_failed(q);
	while (result == REGISTRY_OK && rest.len > 0) {
		if (slice_to_cstr(slice_cut(&rest, '\n'), name,
		    sizeof(name)) == -1)
			return say_failed(q);
		result = one(q, name);
	}
	return result;
}

static enum registry_result
load_all(struct loading *l, char *space)
{
	struct request *q = l->q;
	enum registry_result result = REGISTRY_OK;
	struct registry_fields f;
	struct unpacker u;
	uint16_t type;
	size_t len;
	int r;

	while (result == REGISTRY_OK &&
	    (r = spool_take(q->in, &type, space, IPC_MAX, &len)) == 1) {
		unpack_init(&u, slice_make(space, len));
		if (registry_fields_unpack(&u, &f) == -1 || !unpack_end(&u))
			return say(q, REGISTRY_INVALID,
			    "Object %llu is malformed.",
			    "L'objet %llu est mal formé.",
			    (unsigned long long)l->n + 1);
		result = load_object(l, &f);
		l->n++;
	}
	if (result == REGISTRY_OK && r == -1)
		result = say_failed(q);
	if (result == REGISTRY_OK)
		result = finish(q, &l->domains, keep_domain_uid);
	if (result == REGISTRY_OK)
		result = finish(q, &l->domains, give_domain_uid);
	if (result == REGISTRY_OK)
		result = finish(q, &l->domains, judge_domain);
	if (result == REGISTRY_OK && l->suffixes)
		result = make_all_structural(q);
	if (result == REGISTRY_OK)
		result = finish(q, &l->aliases, finish_alias);
	return result;
}

enum registry_result
op_load(struct request *q)
{
	struct loading l = { .q = q, .domains = STR_INIT(64 << 20),
		.aliases = STR_INIT(1 << 30) };
	enum registry_result result;
	char before[REQUEST_TEXT], *space;

	if ((space = malloc(IPC_MAX)) == NULL)
		return say_failed(q);
	result = load_all(&l, space);
	explicit_bzero(space, IPC_MAX);
	free(space);
	str_free(&l.domains);
	str_free(&l.aliases);
	if (result != REGISTRY_OK) {
		memcpy(before, q->text, sizeof(before));
		return say(q, result, "%.400s (object %llu; nothing was loaded)",
		    "%.400s (objet %llu ; rien n'a été chargé)", before,
		    (unsigned long long)l.n);
	}
	if (field_yes(q, "check"))
		return say(q, REGISTRY_OK,
		    "%llu objects are good; nothing was changed.",
		    "%llu objets sont bons ; rien n'a été changé.",
		    (unsigned long long)l.n);
	return say(q, REGISTRY_OK, "%llu objects loaded.",
	    "%llu objets chargés.", (unsigned long long)l.n);
}
