/* mentions.c - what is a mailbox's by its name follows it. */
/* SPDX-License-Identifier: ISC */

/*
 * What leads to the old name of one that was renamed (targets, forwards, copies,
 * a catch-all) goes on to do so: an alias stays there. This is about what
 * compares names, and would take the mailbox for somebody else: "made-by" of the
 * aliases that its owner has made, lists of senders in its domain, the "owner"
 * of hosts. A mailbox that is deleted takes its aliases and hosts along: nobody
 * is left to answer for them, and they are not for who gets the name next.
 */

#include <stdio.h>

#include "registry/gone.h"
#include "registry/operation.h"
#include "registry/valid.h"

struct mentions {
	struct request *q;
	const char *old;	/* a mailbox, or "@domain" when all of that go */
	const char *new;	/* NULL: it is deleted */
	bool redirected;	/* and its address leads to somebody else */
	struct gone *gone;
	struct leaving *leaving;
	struct str names;	/* of objects that name it, one a line */
};

/* Whether a target, or a sender, is the old name. 1, 0, -1. */
static int
is_old(const struct mentions *m, struct slice one)
{
	char name[ADDR_TEXT_MAX];
	int found = local_target(m->q->r, one, name);

	return found == 1 ? strcmp(name, m->old) == 0 : found;
}

/* Whether a list of senders has the old name in it. 1, 0, -1. */
static int
lists(const struct mentions *m, struct slice senders)
{
	int found = 0;

	while (found == 0 && senders.p != NULL)
		found = is_old(m, slice_cut(&senders, '\n'));
	return found;
}

/* True when it answers for these hosts. */
static bool
owns(const struct mentions *m, const struct object *o)
{
	struct slice owner = object_get(o, "owner");
	const char *at;

	if (owner.p == NULL || m->old[0] != '@')
		return owner.p != NULL && slice_eq(owner, slice_of(m->old));
	at = memchr(owner.p, '@', owner.len);
	return at != NULL && slice_eq(slice_of(m->old), slice_make(at,
	    owner.len - (size_t)(at - owner.p)));
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
	found = object_is(&o, "made-by", m->old) || owns(m, &o);
	if (found == 0 && m->new != NULL)
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
	struct text why;
	int result = 0, found;

	while (result == 0 && senders.p != NULL) {
		one = slice_cut(&senders, '\n');
		if ((found = is_old(m, one)) == -1)
			result = -1;
		if (found == 1) {
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
rename_in(const struct mentions *m, const struct object *before)
{
	struct object after = *before;	/* borrows; what is set is copied */
	enum registry_result result;

	result = mention(m, &after) == -1 ? say_failed(m->q) :
	    change(m->q, before, &after);
	object_free(&after);
	return result;
}

/* The targets of an alias that are not the old name. 0 or -1. */
static int
other_targets(const struct mentions *m, const struct object *a,
    struct str *left)
{
	struct slice rest = object_get(a, "targets"), one;
	int found = 0;

	while (found != -1 && rest.p != NULL) {
		one = slice_cut(&rest, '\n');
		if ((found = is_old(m, one)) != 0)
			continue;
		if (left->len > 0)
			str_putc(left, '\n');
		str_put(left, one);
	}
	return found == -1 || !str_ok(left) ? -1 : 0;
}

static enum registry_result
drop_alias(const struct mentions *m, const struct object *a)
{
	switch (is_mandatory(m->q->r, a->name)) {
	case 0:
		m->leaving->aliases++;
		gone_add(m->gone, a->name);
		return change(m->q, a, NULL);
	case 1:
		return say(m->q, REGISTRY_REFUSED,
		    "%s leads nowhere but to %s, and each domain must answer "
		    "there (RFC 2142): give it another target first.",
		    "%s ne mène qu'à %s, et chaque domaine doit y répondre "
		    "(RFC 2142) : donnez-lui d'abord une autre destination.",
		    a->name, m->old);
	default:
		return say_failed(m->q);
	}
}

/* What leads elsewhere too stays, and is nobody's own. */
static enum registry_result
leave_alias(const struct mentions *m, const struct object *before)
{
	struct object after = *before;	/* borrows; what is set is copied */
	struct str left = STR_INIT(ATTRIBUTE_VALUE_MAX);
	enum registry_result result;

	object_clear(&after, "made-by");
	if (other_targets(m, before, &left) == -1)
		result = say_failed(m->q);
	else if (m->redirected)
		result = change(m->q, before, &after);
	else if (left.len == 0)
		result = drop_alias(m, before);
	else if (object_put(&after, "targets", str_slice(&left)) == -1)
		result = say_failed(m->q);
	else
		result = change(m->q, before, &after);
	object_free(&after);
	str_free(&left);
	return result;
}

static enum registry_result
leave_in(const struct mentions *m, const struct object *before)
{
	if (before->kind != &kind_relay)
		return leave_alias(m, before);
	m->leaving->relays++;
	return change(m->q, before, NULL);
}

static enum registry_result
mention_in(struct mentions *m, const struct kind *k, const char *name)
{
	struct str bytes = STR_INIT(STORE_VALUE_MAX);
	enum registry_result result;
	struct object o;

	if (object_load(m->q->r->store, k, name, &bytes, &o) != 1)
		result = say_failed(m->q);
	else
		result = m->new != NULL ? rename_in(m, &o) : leave_in(m, &o);
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

static enum registry_result
mention_all(struct mentions *m)
{
	enum registry_result result;
	char prefix[STORE_KEY_MAX];

	m->names = STR_INIT(1 << 28);
	snprintf(prefix, sizeof(prefix), "address/%s/", address_domain(m->old));
	result = mention_below(m, &kind_alias, prefix);
	if (result == REGISTRY_OK)
		result = mention_below(m, &kind_relay, "relay/");
	str_free(&m->names);
	return result;
}

enum registry_result
rename_mentions(struct request *q, const char *old, const char *new)
{
	struct mentions m = { .q = q, .old = old, .new = new };

	return mention_all(&m);
}

enum registry_result
leave_mentions(struct request *q, const char *old, bool redirected,
    struct gone *gone, struct leaving *leaving)
{
	struct mentions m = { .q = q, .old = old, .redirected = redirected,
		.gone = gone, .leaving = leaving };

	return mention_all(&m);
}
