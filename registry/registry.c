/* registry.c - the one way in which an object changes. */
/* SPDX-License-Identifier: ISC */

#include "registry/registry.h"

#include <stdio.h>
#include <stdlib.h>

#include "registry/absence.h"
#include "registry/compile.h"
#include "registry/folder.h"
#include "registry/journal.h"
#include "registry/notice.h"
#include "registry/usage.h"

int
registry_stale(struct registry *r, const char *domain, unsigned what)
{
	struct stale *p;

	if (what == 0)
		return 0;
	if (r->stale_n > 0) {
		p = &r->stale[r->stale_n - 1];
		if (strcmp(p->domain, domain) == 0) {
			p->what |= what;
			return 0;
		}
	}
	if (r->stale_n == r->stale_cap) {
		p = reallocarray(r->stale, r->stale_cap * 2 + 8, sizeof(*p));
		if (p == NULL)
			return -1;
		r->stale = p;
		r->stale_cap = r->stale_cap * 2 + 8;
	}
	p = &r->stale[r->stale_n++];
	snprintf(p->domain, sizeof(p->domain), "%s", domain);
	p->what = what;
	return 0;
}

int
object_load(struct store *s, const struct kind *k, const char *name,
    struct str *bytes, struct object *out)
{
	char key[STORE_KEY_MAX];
	size_t len = object_key(k, name, key);
	int r;

	if ((r = store_get(s, slice_make(key, len), bytes)) != 1)
		return r;
	return object_decode(str_slice(bytes), out) == -1 ? -1 : 1;
}

int
registry_domain(struct registry *r, const char *name, struct str *bytes,
    struct object *out)
{
	return object_load(r->store, &kind_domain, name, bytes, out);
}

struct each_main {
	int (*each)(void *arg, const char *domain);
	void *arg;
};

static int
if_main(void *arg, struct slice key, struct slice value)
{
	const struct each_main *e = arg;
	struct object d;

	(void)key;
	if (object_decode(value, &d) == -1)
		return -1;
	return object_get(&d, "alias-of").p != NULL ? 0 :
	    e->each(e->arg, d.name);
}

int
registry_each_main(struct registry *r,
    int (*each)(void *arg, const char *domain), void *arg)
{
	struct each_main e = { each, arg };

	return store_each(r->store, SLICE("domain/"), SLICE_EMPTY, if_main, &e);
}

static int
write_object(struct registry *r, const struct object *before,
    const struct object *after)
{
	const struct object *o = after != NULL ? after : before;
	struct str bytes = STR_INIT(STORE_VALUE_MAX);
	char key[STORE_KEY_MAX];
	size_t len = object_key(o->kind, o->name, key);
	int result = -1;

	if (after == NULL)
		result = store_delete(r->store, slice_make(key, len)) < 0 ?
		    -1 : 0;
	else if (object_encode(after, &bytes) == 0)
		result = store_put(r->store, slice_make(key, len),
		    str_slice(&bytes));
	str_wipe(&bytes);
	return result;
}

int
registry_change(struct registry *r, const struct actor *who,
    const struct object *before, const struct object *after)
{
	if (usage_note(r, before, after) == -1 ||
	    folder_note(r, before, after) == -1 ||
	    write_object(r, before, after) == -1 ||
	    notice_of_change(r, who, before, after) == -1 ||
	    journal_write(r, who, before, after) == -1)
		return -1;
	if (absence_note(r, before, after) == -1)
		return -1;
	return compile_note(r, before, after);
}
