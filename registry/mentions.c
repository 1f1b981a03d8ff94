/* mentions.c - what names a mailbox names it by its new name. */
/* SPDX-License-Identifier: ISC */

/*
 * What leads to the old name (targets, forwards, copies, a catch-all) goes on to
 * do so: an alias stays there. This is about what compares names, and would
 * take the mailbox for somebody else: "made-by" of the aliases that its owner
 * has made, lists of senders in its domain, the "owner" of hosts.
 */

#include <stdio.h>

#include "registry/operation.h"
#include "registry/valid.h"

struct mentions {
	struct request *q;
	const char *old, *new;
	struct str names;	/* of objects that name it, one a line */
};

/* Whether a list of senders has the old name in it. 1, 0, -1. */
static int
lists(const struct mentions *m, struct slice senders)
{
	char name[ADDR_TEXT_MAX];
	struct slice one;
	int found = 0;

	while (found != -1 && senders.p != NULL) {
		one = slice_cut(&senders, '\n');
		found = local_target(m->q->r, one, name);
		if (found == 1 && strcmp(name, m->old) == 0)
			return 1;
	}
	return found == -1 ? -1 : 0;
}

static int
note_mention(void *arg, struct slice key, struct slice value)
{
	struct mentions *m = arg;
	struct object o;
	int found;

	(void)key;
	if (object_decode(value, &o) == -1)
		return -1;
	found = object_is(&o, "made-by", m->old) ||
	    object_is(&o, "owner", m->old);
	if (found == 0)
		found = lists(m, object_get(&o, "senders"));
	if (found == 1)
		str_printf(&m->names, "%s\n", o.name);
	return found == -1 || !str_ok(&m->names) ? -1 : 0;
}

/* Beside the old name, by which its letters may still come; in its place when
 * the list is full. */
static int
add_sender(const struct mentions *m, struct object *o, bool beside)
{
	struct slice senders = object_get(o, "senders"), one;
	struct str list = STR_INIT(ATTRIBUTE_VALUE_MAX);
	char name[ADDR_TEXT_MAX];
	struct text why;
	int result = 0, found;

	while (result == 0 && senders.p != NULL) {
		one = slice_cut(&senders, '\n');
		found = local_target(m->q->r, one, name);
		if (found == -1)
			result = -1;
		if (found == 1 && strcmp(name, m->old) == 0) {
			str_printf(&list, "%s\n", m->new);
			if (!beside)
				continue;
		}
		str_put(&list, one);
		str_putc(&list, '\n');
	}
	if (result == 0)
		result = str_ok(&list) ? object_set(o, kind_attribute(o->kind,
		    SLICE("senders")), str_slice(&list), &why) : -1;
	str_free(&list);
	return result;
}

static int
mention(const struct mentions *m, struct object *o)
{
	struct slice new = slice_of(m->new);
	int listed = lists(m, object_get(o, "senders"));

	if (object_is(o, "made-by", m->old) &&
	    (object_put(o, "made-by", new) == -1 ||
	    (object_is(o, "targets", m->old) &&
	    object_put(o, "targets", new) == -1)))
		return -1;
	if (object_is(o, "owner", m->old) && object_put(o, "owner", new) == -1)
		return -1;
	if (listed == 1 && add_sender(m, o, true) == -1)
		return add_sender(m, o, false);
	return listed == -1 ? -1 : 0;
}

static enum registry_result
mention_in(struct mentions *m, const struct kind *k, const char *name)
{
	struct str bytes = STR_INIT(STORE_VALUE_MAX);
	enum registry_result result;
	struct object before, after;

	if (object_load(m->q->r->store, k, name, &bytes, &before) != 1) {
		result = say_failed(m->q);
	} else {
		after = before;	/* borrows; what is set is copied */
		result = mention(m, &after) == -1 ? say_failed(m->q) :
		    change(m->q, &before, &after);
		object_free(&after);
	}
	str_wipe(&bytes);
	return result;
}

static enum registry_result
mention_below(struct mentions *m, const struct kind *k, const char *prefix)
{
	enum registry_result result = REGISTRY_OK;
	char name[ADDR_TEXT_MAX];
	struct slice rest;

	str_clear(&m->names);
	if (store_each(m->q->r->store, slice_of(prefix), SLICE_EMPTY,
	    note_mention, m) == -1)
		result = say_failed(m->q);
	rest = str_slice(&m->names);
	while (result == REGISTRY_OK && rest.len > 0)
		if (slice_to_cstr(slice_cut(&rest, '\n'), name,
		    sizeof(name)) == 0)
			result = mention_in(m, k, name);
	return result;
}

enum registry_result
rename_mentions(struct request *q, const char *old, const char *new)
{
	struct mentions m = { q, old, new, STR_INIT(1 << 28) };
	enum registry_result result;
	char prefix[STORE_KEY_MAX];

	snprintf(prefix, sizeof(prefix), "address/%s/", address_domain(new));
	result = mention_below(&m, &kind_alias, prefix);
	if (result == REGISTRY_OK)
		result = mention_below(&m, &kind_relay, "relay/");
	str_free(&m.names);
	return result;
}
