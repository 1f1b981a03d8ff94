/* row.c - the objects of an answer. */
/* SPDX-License-Identifier: ISC */

#include <idn2.h>
#include <stdlib.h>

#include "registry/grants.h"
#include "registry/limits.h"
#include "registry/rights.h"

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
    struct slice aliases, bool granted)
{
	const struct attribute *a = o->kind->attributes;
	struct registry_fields f = { .n = 0 };
	struct slice hash = object_get(o, "hash");
	struct limits_text text;
	struct grants_text grants;
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
	if (granted && grants_row(q, o, &f, &grants) == -1)
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
	row_more(q, o, secrets, SLICE_EMPTY, false);
}

void
row_domain(struct request *q, const struct object *d, struct slice aliases)
{
	row_more(q, d, false, aliases, false);
}

void
row_user(struct request *q, const struct object *u)
{
	row_more(q, u, false, SLICE_EMPTY, true);
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
