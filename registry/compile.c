/* compile.c - from the registry to the tables that sessions read. */
/* SPDX-License-Identifier: ISC */

/*
 * Order: a table is written as NAME.next and made durable while the
 * transaction is open; then the transaction commits; then NAME.next becomes
 * NAME. A failure before the commit (a full disk) changes nothing at all; a
 * crash after it leaves tables of an older generation (tables.c), which the
 * next start finds and compiles before it answers anybody.
 */

#include "registry/compile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/fsx.h"
#include "lib/table.h"
#include "registry/record.h"
#include "registry/tables.h"

/* What a change touches. */

/* The records of o in one table, or nothing; o may be NULL. */
static void
record_of(const struct object *o, bool secret, struct packer *k)
{
	const struct domain_facts nobody = { 1, ACCOUNT_ACTIVE, APP_ALLOWED };

	if (o == NULL)
		return;
	if (secret) {
		if (o->kind == &kind_user)
			record_secret(k, o, &nobody);
		return;
	}
	record_address(k, o);
	if (record_answers(o))
		record_answer(k, o);
}

static bool
record_differs(const struct object *before, const struct object *after,
    bool secret)
{
	static unsigned char space[2][2 * RECORD_MAX];
	struct packer a, b;
	bool differs;

	pack_init(&a, space[0], sizeof(space[0]));
	pack_init(&b, space[1], sizeof(space[1]));
	record_of(before, secret, &a);
	record_of(after, secret, &b);
	differs = !slice_eq(pack_slice(&a), pack_slice(&b));
	explicit_bzero(space[0], a.len);
	explicit_bzero(space[1], b.len);
	return differs;
}

static bool
same_value(const struct object *a, const struct object *b, const char *name)
{
	struct slice x = object_get(a, name), y = object_get(b, name);

	if (x.p == NULL || y.p == NULL)
		return x.p == y.p;
	return slice_eq(x, y);
}

static int
note_domain(struct registry *r, const struct object *before,
    const struct object *after)
{
	const struct object *d = after != NULL ? after : before;
	bool is_main = after != NULL && object_get(after, "alias-of").p == NULL;
	unsigned what = 0;

	if (!is_main)
		what = STALE_GONE;
	else if (before == NULL || !same_value(before, after, "alias-of"))
		what = STALE_ADDRESSES | STALE_SECRETS;
	else if (!same_value(before, after, "state") ||
	    !same_value(before, after, "app-passwords") ||
	    !same_value(before, after, "uid"))
		what = STALE_SECRETS;
	if (registry_stale(r, d->name, what) == -1)
		return -1;
	return registry_stale(r, "", STALE_DOMAINS);
}

static int
note_address(struct registry *r, const struct object *before,
    const struct object *after)
{
	const struct object *o = after != NULL ? after : before;
	unsigned what = 0;

	if (record_differs(before, after, false))
		what |= STALE_ADDRESSES;
	if (record_differs(before, after, true))
		what |= STALE_SECRETS;
	return registry_stale(r, address_domain(o->name), what);
}

int
compile_note(struct registry *r, const struct object *before,
    const struct object *after)
{
	const struct kind *k = (after != NULL ? after : before)->kind;

	if (k == &kind_domain)
		return note_domain(r, before, after);
	if (strcmp(k->space, "address") == 0)
		return note_address(r, before, after);
	if (k == &kind_relay)
		return registry_stale(r, "", STALE_ACCESS);
	if (k == &kind_client && before != NULL && after != NULL &&
	    !same_value(before, after, "max-messages-day"))
		return registry_stale(r, "", STALE_DOMAINS | STALE_ACCESS);
	return 0;
}

/* Writing them. */

struct writers {
	struct table_writer *w[TABLE_NAMES];
};

static int
put_table(void *arg, enum table_name t, struct slice key, struct slice value)
{
	const struct writers *w = arg;

	return table_put(w->w[t], key, value);
}

/* Counts the generation up; its new value in space. */
static int
next_generation(struct registry *r, enum table_name t, const char *domain,
    unsigned char *space, struct slice *value)
{
	struct str old = STR_INIT(4096);
	char key[STORE_KEY_MAX];
	struct slice name = slice_make(key, generation_key(t, domain, key));
	uint64_t n = 0;
	int found;

	if ((found = store_get(r->store, name, &old)) == 1)
		n = generation_number(r, str_slice(&old));
	str_free(&old);
	if (found == -1)
		return -1;
	*value = generation_value(r, n + 1, space);
	return store_put(r->store, name, *value);
}

/* Begins a table aside, with its generation. NULL with errno. */
static struct table_writer *
begin_table(struct registry *r, enum table_name t, const char *domain)
{
	unsigned char generation[GENERATION_MAX];
	char file[TABLE_FILE_MAX];
	struct table_writer *w;
	struct slice value;

	if (next_generation(r, t, domain, generation, &value) == -1)
		return NULL;
	w = table_create(table_folder(r, t),
	    table_file(t, domain, ".next", file), table_places[t].mode);
	if (w != NULL && table_put(w, GENERATION_KEY, value) == -1) {
		table_abandon(w);
		return NULL;
	}
	return w;
}

/* Ends all of them: with ok, durable. */
static int
end_tables(struct writers *w, bool ok)
{
	for (enum table_name t = 0; t < TABLE_NAMES; t++) {
		if (w->w[t] == NULL)
			continue;
		if (ok)
			ok = table_commit(w->w[t]) == 0;
		else
			table_abandon(w->w[t]);
	}
	return ok ? 0 : -1;
}

/* Writes those tables of one walk that are in the set. */
static int
write_tables(struct registry *r, unsigned tables, const char *domain)
{
	struct writers w = { { NULL } };
	struct build b = { .r = r, .tables = tables, .put = put_table,
		.arg = &w };
	bool ok;

	if (tables == 0)
		return 0;
	ok = (b.space = malloc(RECORD_MAX)) != NULL;
	for (enum table_name t = 0; ok && t < TABLE_NAMES; t++)
		if (tables & BIT(t))
			ok = (w.w[t] = begin_table(r, t, domain)) != NULL;
	ok = ok && build_records(&b, domain) == 0;
	free(b.space);
	if (ok && (tables & BIT(TABLE_ACCESS)))
		r->access_staged = b.until;
	return end_tables(&w, ok);
}

static int
stale_order(const void *a, const void *b)
{
	return strcmp(((const struct stale *)a)->domain,
	    ((const struct stale *)b)->domain);
}

/* Each domain once. What is gone and came back is only stale. */
static void
merge(struct registry *r)
{
	size_t n = 0;

	if (r->stale_n == 0)
		return;
	qsort(r->stale, r->stale_n, sizeof(*r->stale), stale_order);
	for (size_t i = 1; i < r->stale_n; i++) {
		if (strcmp(r->stale[i].domain, r->stale[n].domain) == 0)
			r->stale[n].what |= r->stale[i].what;
		else
			r->stale[++n] = r->stale[i];
	}
	r->stale_n = n + 1;
}

static int
stage(struct registry *r, struct stale *s)
{
	unsigned tables = 0;
	int there;

	if (s->domain[0] != '\0') {
		if ((there = has_tables(r, s->domain)) == -1)
			return -1;
		/* The order of changes is lost: the registry knows. */
		s->what = there ? s->what & ~STALE_GONE : STALE_GONE;
	}
	for (enum table_name t = 0; t < TABLE_NAMES; t++)
		if (s->what & table_places[t].stale)
			tables |= BIT(t);
	if (write_tables(r, tables & OF_DOMAIN, s->domain) == -1 ||
	    write_tables(r, tables & OF_ALL, s->domain) == -1)
		return -1;
	return write_tables(r, tables & BIT(TABLE_ACCESS), s->domain);
}

int
compile_stage(struct registry *r)
{
	merge(r);
	for (size_t i = 0; i < r->stale_n; i++)
		if (stage(r, &r->stale[i]) == -1)
			return -1;
	return 0;
}

/* Making them visible. */

static int
publish(struct registry *r, const struct stale *s)
{
	char next[TABLE_FILE_MAX], file[TABLE_FILE_MAX];
	int dirfd;

	for (enum table_name t = 0; t < TABLE_NAMES; t++) {
		if (!(s->what & table_places[t].stale))
			continue;
		dirfd = table_folder(r, t);
		if (renameat(dirfd, table_file(t, s->domain, ".next", next),
		    dirfd, table_file(t, s->domain, "", file)) == -1)
			return -1;
		if (t == TABLE_ACCESS)
			r->access_until = r->access_staged;
	}
	return 0;
}

static int
unlink_gone(struct registry *r, const struct stale *s)
{
	char file[TABLE_FILE_MAX];

	if (!(s->what & STALE_GONE))
		return 0;
	for (enum table_name t = TABLE_ADDRESSES; t <= TABLE_SECRETS; t++)
		if (unlinkat(table_folder(r, t),
		    table_file(t, s->domain, "", file), 0) == -1 &&
		    errno != ENOENT)
			return -1;
	return 0;
}

int
compile_publish(struct registry *r)
{
	/* The tables of domains first, the index of domains ("" sorts first)
	 * when they are there, then what is gone from the index. */
	for (size_t i = r->stale_n; i > 0; i--)
		if (publish(r, &r->stale[i - 1]) == -1)
			return -1;
	for (size_t i = 0; i < r->stale_n; i++)
		if (unlink_gone(r, &r->stale[i]) == -1)
			return -1;
	if (r->stale_n > 0 && (fsx_sync_dir(r->domains_fd) == -1 ||
	    fsx_sync_dir(r->tables_fd) == -1 ||
	    fsx_sync_dir(r->auth_fd) == -1))
		return -1;
	r->stale_n = 0;
	return 0;
}

void
compile_discard(struct registry *r)
{
	char next[TABLE_FILE_MAX];

	for (size_t i = 0; i < r->stale_n; i++)
		for (enum table_name t = 0; t < TABLE_NAMES; t++)
			if (r->stale[i].what & table_places[t].stale)
				unlinkat(table_folder(r, t), table_file(t,
				    r->stale[i].domain, ".next", next), 0);
	r->stale_n = 0;
}
