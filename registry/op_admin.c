/* op_admin.c - the operations on the registry itself. */
/* SPDX-License-Identifier: ISC */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/date.h"
#include "registry/compile.h"
#include "registry/journal.h"
#include "registry/operation.h"
#include "registry/rights.h"
#include "registry/usage.h"
#include "registry/valid.h"

#define CHANGES_MAX 50000	/* bytes of a row of the journal */

struct reading {
	struct request *q;
	struct slice name;	/* only entries of this object; .p NULL: all */
	uint64_t left;
	uint64_t skip;		/* entries before those that are shown */
	int64_t since;		/* when the manager who asks was made */
};

/* "attribute: before -> after" for each that differs, LF between. */
static void
describe(const struct journal_entry *e, struct str *out)
{
	const struct object *any = e->has_after ? &e->after : &e->before;
	const struct attribute *a = any->kind->attributes;
	struct slice before, after;

	for (size_t i = 0; a[i].name != NULL; i++) {
		before = e->has_before ? object_get(&e->before, a[i].name) :
		    (struct slice){ NULL, 0 };
		after = e->has_after ? e->after.value[i] :
		    (struct slice){ NULL, 0 };
		if ((before.p == NULL) == (after.p == NULL) &&
		    (before.p == NULL || slice_eq(before, after)))
			continue;
		if (out->len > 0)
			str_putc(out, '\n');
		str_printf(out, "%s: ", a[i].name);
		if (a[i].flags & ATTR_SECRET) {
			str_puts(out, "(secret)");
			continue;
		}
		if (before.p != NULL)
			str_put(out, before);
		str_puts(out, " -> ");
		if (after.p != NULL)
			str_put(out, after);
	}
}

/* True for what a manager has done itself to a domain or an address: it can be
 * undone though it is nobody's any more. Not what one of the same name did. */
static bool
is_own(const struct reading *d, const struct journal_entry *e,
    const struct object *o)
{
	return d->q->role == ROLE_MANAGER && e->time > d->since &&
	    slice_eq(e->account, slice_of(d->q->account)) &&
	    (o->kind == &kind_domain || strcmp(o->kind->space, "address") == 0);
}

/* Whether an entry is one of those that are asked for: 1, 0, -1. */
static int
is_wanted(struct reading *d, const struct journal_entry *e)
{
	const struct object *o = e->has_after ? &e->after : &e->before;

	if (d->name.p != NULL && !slice_eq(d->name, slice_of(o->name)) &&
	    !slice_eq(d->name, slice_of(address_domain(o->name))))
		return 0;
	return is_own(d, e, o) ? 1 : rights_see(d->q, o->kind, o->name);
}

static int
count_entry(void *arg, const struct journal_entry *e)
{
	struct reading *d = arg;
	int wanted = is_wanted(d, e);

	if (wanted == 1)
		d->skip++;
	return wanted == -1 ? -1 : 0;
}

static int
row_entry(void *arg, const struct journal_entry *e)
{
	const struct object *o = e->has_after ? &e->after : &e->before;
	struct reading *d = arg;
	struct registry_fields f = { .n = 0 };
	struct str changes = STR_INIT(2 * ATTRIBUTE_VALUE_MAX);
	int wanted = is_wanted(d, e);
	char id[24], request[24], uid[24], date[DATE_MAX];

	if (wanted != 1)
		return wanted;
	if (d->skip > 0) {
		d->skip--;
		return 0;
	}
	snprintf(id, sizeof(id), "%" PRIu64, e->id);
	snprintf(request, sizeof(request), "%" PRIu64, e->request);
	snprintf(uid, sizeof(uid), "%u", e->uid);
	describe(e, &changes);
	registry_add(&f, "id", slice_of(id));
	registry_add(&f, "request", slice_of(request));
	registry_add(&f, "time", slice_of(date_iso((time_t)e->time, date)));
	registry_add(&f, "uid", slice_of(uid));
	registry_add(&f, "account", e->account);
	registry_add(&f, "operation", e->operation);
	if (e->from.len > 0)
		registry_add(&f, "from", e->from);
	registry_add(&f, "kind", slice_of(o->kind->name));
	registry_add(&f, "name", slice_of(o->name));
	registry_add(&f, "change", !e->has_before ? SLICE("made") :
	    e->has_after ? SLICE("changed") : SLICE("deleted"));
	/* Two long lists of targets do not fit one row; no character of UTF-8
	 * is cut in two (RFC 3629 3). */
	if (changes.len > CHANGES_MAX) {
		changes.len = CHANGES_MAX;
		while ((changes.p[changes.len] & 0xc0) == 0x80)
			changes.len--;
	}
	registry_add(&f, "changes", str_slice(&changes));
	row(d->q, &f);
	str_free(&changes);
	return --d->left == 0 ? 1 : 0;
}

/* When the manager who asks was made, for is_own(). */
static enum registry_result
find_since(struct reading *d)
{
	struct str bytes = STR_INIT(STORE_VALUE_MAX);
	enum registry_result result;
	struct slice created;
	struct object me;

	if (d->q->role != ROLE_MANAGER)
		return REGISTRY_OK;
	result = fetch(d->q, &kind_manager, d->q->account, &bytes, &me);
	if (result == REGISTRY_OK) {
		created = object_get(&me, "created");
		d->since = created.p != NULL ? time_of_text(created) :
		    INT64_MAX;
	}
	str_wipe(&bytes);
	return result;
}

enum registry_result
op_journal(struct request *q)
{
	struct reading d = { .q = q, .name = field(q, "name") };
	enum registry_result result;
	uint64_t after = 0, limit = 0;

	result = find_since(&d);
	if (result == REGISTRY_OK)
		result = field_number(q, "limit", UINT64_MAX, &limit);
	if (result == REGISTRY_OK)
		result = field_number(q, "after", 0, &after);
	if (result != REGISTRY_OK || limit == 0)
		return result;
	/* The last ones, unless the place to begin was given; who does not
	 * see all entries has them counted first. */
	if (field(q, "after").p == NULL && q->r->journal_next - 1 > limit) {
		if (d.name.p == NULL && q->role != ROLE_MANAGER)
			after = q->r->journal_next - 1 - limit;
		else if (journal_each(q->r, 0, count_entry, &d) == -1)
			return say_failed(q);
		d.skip = d.skip > limit ? d.skip - limit : 0;
	}
	d.left = limit;
	return journal_each(q->r, after, row_entry, &d) == -1 ?
	    say_failed(q) : REGISTRY_OK;
}

/* What one request gives at most: the reader asks again. */
#define FOLLOW_ENTRIES 64
#define FOLLOW_BYTES (512u << 10)
#define FOLLOW_PIECE 32768u	/* of a line, in one row */

struct following {
	struct request *q;
	size_t entries, bytes;
};

/* The line of the text journal, which has no secrets, in pieces. */
static int
row_line(void *arg, const struct journal_entry *e)
{
	struct following *w = arg;
	struct str line = STR_INIT(8 * ATTRIBUTE_VALUE_MAX);
	struct slice rest, piece;
	char id[24];
	bool ok;

	journal_line(e, &line);
	ok = str_ok(&line);
	rest = ok ? str_slice(&line) : SLICE("null\n");
	w->bytes += rest.len;
	snprintf(id, sizeof(id), "%" PRIu64, e->id);
	while (rest.len > 0) {
		struct registry_fields f = { .n = 0 };

		piece = slice_make(rest.p, rest.len < FOLLOW_PIECE ? rest.len :
		    FOLLOW_PIECE);
		rest = slice_skip(rest, piece.len);
		registry_add(&f, "id", slice_of(id));
		registry_add(&f, "line", piece);
		registry_add(&f, "more", rest.len > 0 ? SLICE("yes") :
		    SLICE("no"));
		row(w->q, &f);
	}
	str_free(&line);
	return ++w->entries >= FOLLOW_ENTRIES || w->bytes >= FOLLOW_BYTES;
}

enum registry_result
op_journal_follow(struct request *q)
{
	struct following w = { .q = q };
	struct registry_fields f = { .n = 0 };
	enum registry_result result;
	uint64_t after, last = q->r->journal_next - 1;
	char text[24];

	if ((result = field_number(q, "after", last, &after)) != REGISTRY_OK)
		return result;
	snprintf(text, sizeof(text), "%" PRIu64, last);
	registry_add(&f, "last", slice_of(text));
	row(q, &f);
	return after < last && journal_each(q->r, after, row_line, &w) == -1 ?
	    say_failed(q) : REGISTRY_OK;
}

static void
row_fault(struct request *q, struct slice object, const char *text,
    const char *remedy)
{
	struct registry_fields f = { .n = 0 };

	registry_add(&f, "object", object);
	registry_add(&f, "text", slice_of(text));
	registry_add(&f, "remedy", slice_of(remedy));
	row(q, &f);
}

struct faults {
	struct request *q;
	uint64_t n;
};

static void
on_fault(void *arg, const struct table_fault *t)
{
	struct str object = STR_INIT(1024);
	struct faults *f = arg;

	f->n++;
	str_puts(&object, t->table);
	if (t->key.len > 0 && is_line(t->key)) {
		str_puts(&object, ": ");
		str_put(&object, t->key);
	}
	row_fault(f->q, str_slice(&object),
	    f->q->french ? t->french : t->english, "malle recompile");
	str_free(&object);
}

static int
check_alias(void *arg, struct slice key, struct slice value)
{
	struct faults *f = arg;
	struct object o;

	(void)key;
	if (object_decode(value, &o) == -1)
		return -1;
	if (check_targets(f->q, &o, true) == REGISTRY_OK)
		return 0;
	f->n++;
	row_fault(f->q, slice_of(o.name), f->q->text, "malle alias set");
	return 0;
}

enum registry_result
op_check(struct request *q)
{
	struct faults f = { q, 0 };
	uint64_t wrong;

	if (compile_compare(q->r, on_fault, &f) == -1 ||
	    store_each(q->r->store, SLICE("address/"), SLICE_EMPTY,
	    check_alias, &f) == -1)
		return say_failed(q);
	/* Counted again in a transaction that is given up. */
	if (usage_rebuild(q->r, &wrong) == -1)
		return say_failed(q);
	if (wrong > 0) {
		f.n++;
		row_fault(q, SLICE("usage"), q->french ?
		    "des domaines sont mal comptés" :
		    "what domains have is counted wrongly", "malle recompile");
	}
	if (f.n == 0)
		return say(q, REGISTRY_OK, "The tables equal the registry.",
		    "Les tables sont conformes au registre.");
	return say(q, REGISTRY_OK, "%llu faults.", "%llu défauts.",
	    (unsigned long long)f.n);
}

enum registry_result
op_recompile(struct request *q)
{
	uint64_t wrong;

	return compile_find_stale(q->r, true) == -1 ||
	    usage_rebuild(q->r, &wrong) == -1 ? say_failed(q) : REGISTRY_OK;
}

enum registry_result
op_schema(struct request *q)
{
	const struct attribute *a;
	struct registry_fields f;

	for (size_t i = 0; kinds[i] != NULL; i++) {
		for (a = kinds[i]->attributes; a->name != NULL; a++) {
			f.n = 0;
			registry_add(&f, "kind", slice_of(kinds[i]->name));
			registry_add(&f, "attribute", slice_of(a->name));
			if (a->initial != NULL)
				registry_add(&f, "initial",
				    slice_of(a->initial));
			registry_add(&f, "set", a->flags & ATTR_SET ?
			    SLICE("yes") : SLICE("no"));
			registry_add(&f, "manager", a->flags & ATTR_MANAGER ?
			    SLICE("yes") : SLICE("no"));
			registry_add(&f, "owner", a->flags & ATTR_OWNER ?
			    SLICE("yes") : SLICE("no"));
			registry_add(&f, "help", slice_of(q->french ?
			    a->help.french : a->help.english));
			row(q, &f);
		}
	}
	return REGISTRY_OK;
}
