/* gone.c - what leads to an address that is taken away, or counts on it. */
/* SPDX-License-Identifier: ISC */

/*
 * What leads there would bounce, or be refused, without anybody having asked
 * for it: it hinders. Counted are aliases, forwards, copies and the catch-alls
 * of domains: those of the same domain and all that the asker may see.
 * Somebody else's alias neither hinders a manager nor is told to one.
 * Lists of senders lose it, by the same count: who gets the name next is not
 * who was meant. Who was alone there leaves "nobody".
 * All addresses are looked at once, whatever the number of those that go.
 */

#include "registry/gone.h"

#include <stdio.h>
#include <stdlib.h>

#include "registry/rights.h"

#define TOLD 300		/* bytes of names in a refusal */

struct search {
	struct request *q;
	const char **names;	/* by local part, then by domain */
	size_t n;
	bool is_forced;		/* what leads there hinders nothing */
	const char *found;	/* the first that something leads to */
	struct str by;
	struct str lists;	/* whose senders have one of them, one a line */
};

void
gone_add(struct gone *g, const char *name)
{
	str_put(&g->names, slice_make(name, strlen(name) + 1));
	g->n++;
}

static int
by_local(const void *a, const void *b)
{
	struct slice x = address_local(*(const char *const *)a);
	struct slice y = address_local(*(const char *const *)b);
	int d = memcmp(x.p, y.p, x.len < y.len ? x.len : y.len);

	return d != 0 ? d : (x.len > y.len) - (x.len < y.len);
}

static int
by_address(const void *a, const void *b)
{
	int d = by_local(a, b);

	return d != 0 ? d : strcmp(address_domain(*(const char *const *)a),
	    address_domain(*(const char *const *)b));
}

/* Which of those that go a target is: *out, or NULL. 0 or -1. */
static int
find(const struct search *s, struct slice target, const char **out)
{
	char name[ADDR_TEXT_MAX], account[ADDR_LOCAL_MAX + 1];
	const char *key = name, **at;
	struct slice detail;
	struct addr a;
	int found;

	*out = NULL;
	if (addr_parse(target, &a) != ADDR_OK ||
	    addr_account_of(a.local, account, &detail) == -1)
		return 0;
	/* Most targets differ before their domain is looked for. */
	snprintf(name, sizeof(name), "%s@", account);
	if (bsearch(&key, s->names, s->n, sizeof(*s->names), by_local) == NULL)
		return 0;
	if ((found = local_target(s->q->r, target, name)) != 1)
		return found;
	at = bsearch(&key, s->names, s->n, sizeof(*s->names), by_address);
	if (at != NULL)
		*out = *at;
	return 0;
}

/* Whether o counts. 1, 0, -1. */
static int
counts(const struct search *s, const struct object *o, const char *name)
{
	const char *domain = o->kind == &kind_domain ? o->name :
	    address_domain(o->name);

	return strcmp(domain, address_domain(name)) == 0 ? 1 :
	    rights_see(s->q, o->kind, o->name);
}

static void
tell(struct search *s, const struct object *o)
{
	bool full = s->by.len > TOLD;

	if (full && s->by.p[s->by.len - 1] == '.')
		return;
	str_puts(&s->by, s->by.len == 0 ? "" : ", ");
	str_printf(&s->by, "%s%s", full || o->kind != &kind_domain ? "" :
	    s->q->french ? "adresse de capture de " : "catch-all of ",
	    full ? "..." : o->name);
}

static int
look_where_it_goes(struct search *s, const struct object *o)
{
	struct slice rest = goes_to(o);
	const char *name;
	int found = 0;

	while (found == 0 && rest.p != NULL) {
		if (find(s, slice_cut(&rest, '\n'), &name) == -1)
			return -1;
		if (name != NULL && (s->found == NULL || s->found == name))
			found = counts(s, o, name);
		if (found == 1) {
			s->found = name;
			tell(s, o);
		}
	}
	return found == -1 || !str_ok(&s->by) ? -1 : 0;
}

static int
look_who_may_write(struct search *s, const struct object *o)
{
	struct slice rest = object_get(o, "senders");
	const char *name;
	int found = 0;

	while (found == 0 && rest.p != NULL) {
		if (find(s, slice_cut(&rest, '\n'), &name) == -1)
			return -1;
		if (name != NULL)
			found = counts(s, o, name);
	}
	if (found == 1)
		str_printf(&s->lists, "%s\n", o->name);
	return found == -1 || !str_ok(&s->lists) ? -1 : 0;
}

static int
look_at(void *arg, struct slice key, struct slice value)
{
	struct search *s = arg;
	struct object o;

	(void)key;
	if (object_decode(value, &o) == -1 ||
	    (!s->is_forced && look_where_it_goes(s, &o) == -1))
		return -1;
	return look_who_may_write(s, &o);
}

/* The senders of a list that stay. 0 or -1. */
static int
others(const struct search *s, struct slice senders, struct str *out)
{
	struct slice one;
	const char *name;

	while (senders.p != NULL) {
		one = slice_cut(&senders, '\n');
		if (find(s, one, &name) == -1)
			return -1;
		if (name != NULL)
			continue;
		if (out->len > 0)
			str_putc(out, '\n');
		str_put(out, one);
	}
	return str_ok(out) ? 0 : -1;
}

static enum registry_result
leave_list(struct search *s, const char *name)
{
	struct str bytes = STR_INIT(STORE_VALUE_MAX);
	struct str left = STR_INIT(ATTRIBUTE_VALUE_MAX);
	enum registry_result result;
	struct object before, after;

	if (object_load(s->q->r->store, &kind_user, name, &bytes,
	    &before) != 1) {
		result = say_failed(s->q);
		goto out;
	}
	after = before;		/* borrows; what is set is copied */
	if (others(s, object_get(&before, "senders"), &left) == -1 ||
	    object_put(&after, "senders", left.len > 0 ? str_slice(&left) :
	    SLICE("nobody")) == -1)
		result = say_failed(s->q);
	else
		result = change(s->q, &before, &after);
	object_free(&after);
out:
	str_free(&left);
	str_wipe(&bytes);
	return result;
}

static enum registry_result
leave_lists(struct search *s, uint64_t *n)
{
	enum registry_result result = REGISTRY_OK;
	struct slice rest = str_slice(&s->lists);
	char name[ADDR_TEXT_MAX];

	for (; result == REGISTRY_OK && rest.len > 0; ++*n)
		if (slice_to_cstr(slice_cut(&rest, '\n'), name,
		    sizeof(name)) == 0)
			result = leave_list(s, name);
	return result;
}

/* In the order of by_address(). NULL: no memory. */
static const char **
sorted(const struct gone *g)
{
	const char **names, *p = g->names.p;

	if (!str_ok(&g->names) ||
	    (names = calloc(g->n, sizeof(*names))) == NULL)
		return NULL;
	for (size_t i = 0; i < g->n; i++, p += strlen(p) + 1)
		names[i] = p;
	qsort(names, g->n, sizeof(*names), by_address);
	return names;
}

static enum registry_result
judge(struct request *q, struct gone *g)
{
	/* What leads to an owner's alias is not the owner's to break. */
	struct search s = { .q = q, .names = sorted(g), .n = g->n,
		.is_forced = q->role != ROLE_OWNER && field_yes(q, "force"),
		.by = STR_INIT(TOLD + 2 * ADDR_TEXT_MAX),
		.lists = STR_INIT(1 << 28) };
	enum registry_result result;

	if (s.names == NULL ||
	    store_each(q->r->store, SLICE("address/"), SLICE_EMPTY, look_at,
	    &s) == -1 ||
	    store_each(q->r->store, SLICE("domain/"), SLICE_EMPTY, look_at,
	    &s) == -1)
		result = say_failed(q);
	else if (s.found != NULL)
		result = say(q, REGISTRY_INVALID,
		    "What leads to %s must be changed before: %s. If this is "
		    "meant: --force", "Il faut d'abord modifier ce qui mène à "
		    "%s : %s. Si c'est voulu : --force", s.found,
		    str_c(&s.by));
	else
		result = leave_lists(&s, &g->lists);
	str_free(&s.lists);
	str_free(&s.by);
	free(s.names);
	return result;
}

enum registry_result
gone_judge(struct request *q, struct gone *g, enum registry_result result)
{
	if (result == REGISTRY_OK && g->n > 0)
		result = judge(q, g);
	str_free(&g->names);
	return result;
}

enum registry_result
gone_judge_one(struct request *q, const char *name)
{
	struct gone g = GONE_INIT;

	gone_add(&g, name);
	return gone_judge(q, &g, REGISTRY_OK);
}
