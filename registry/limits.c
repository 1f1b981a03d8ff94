/* limits.c - what a domain and a customer may have at most. */
/* SPDX-License-Identifier: ISC */

#include "registry/limits.h"

#include <inttypes.h>
#include <stdio.h>

#include "registry/usage.h"

/* clang-format off */
static const struct {
	const char *limit;	/* the attribute */
	struct text what;
} limits[USED_WHAT] = {
	[USED_DOMAINS]   = { "max-domains",   { "domains", "domaines" } },
	[USED_MAILBOXES] = { "max-mailboxes", { "mailboxes", "boîtes" } },
	[USED_ALIASES]   = { "max-aliases",   { "aliases", "alias" } },
	[USED_FORWARDS]  = { "max-forwards",  { "forwards", "redirections" } },
	[USED_ROBOTS]    = { "max-robots",    { "robots", "robots" } },
	[USED_BYTES]     = { "max-bytes",     { "bytes of quotas",
	                                        "octets de quotas" } },
	[USED_NO_QUOTA]  = { NULL, { NULL, NULL } },
};
/* clang-format on */

/* What a mailbox that nobody has asked for gets where storage is limited. */
#define STRUCTURAL_QUOTA ((uint64_t)100 << 20)

/*
 * Where storage is limited each mailbox has a quota, and the quotas add up to
 * no more: only so the limit holds without anybody measuring.
 */
static enum registry_result
say_no_quota(struct request *q, const struct object *owner, int64_t n)
{
	return say(q, REGISTRY_REFUSED,
	    "The storage of %s is limited (max-bytes), so that each mailbox "
	    "needs a quota, and %" PRId64 " would have none: give it one "
	    "(quota-bytes, or --quota), or its domain a default-quota.",
	    "Le stockage de %s est limité (max-bytes) : chaque boîte doit "
	    "avoir un quota, et %" PRId64 " n'en aurait pas : donnez-en un "
	    "(quota-bytes, ou --quota), ou un default-quota à son domaine.",
	    owner->name, n);
}

/* The limit of storage itself is set: what is there must fit. */
static enum registry_result
judge_storage(struct request *q, const struct object *before,
    const struct object *after)
{
	uint64_t max = object_number(after, "max-bytes");
	struct usage now;

	if (max == 0 || (before != NULL &&
	    object_number(before, "max-bytes") == max))
		return REGISTRY_OK;
	if (usage_get(q->r, after->kind, after->name, &now) == -1)
		return say_failed(q);
	if (now.n[USED_NO_QUOTA] > 0)
		return say_no_quota(q, after, now.n[USED_NO_QUOTA]);
	if ((uint64_t)now.n[USED_BYTES] <= max)
		return REGISTRY_OK;
	return say(q, REGISTRY_REFUSED,
	    "The quotas of %s add up to %" PRId64 " bytes, more than %" PRIu64
	    ": lower some of them first.",
	    "Les quotas de %s font ensemble %" PRId64 " octets, plus que %"
	    PRIu64 " : réduisez-en d'abord.", after->name, now.n[USED_BYTES],
	    max);
}

/* Refuses what of more is now above owner's limits. */
static enum registry_result
judge(struct request *q, const struct object *owner, const struct usage *more)
{
	struct usage now;
	uint64_t max;

	if (usage_get(q->r, owner->kind, owner->name, &now) == -1)
		return say_failed(q);
	if (more->n[USED_NO_QUOTA] > 0 &&
	    object_number(owner, "max-bytes") > 0)
		return say_no_quota(q, owner, more->n[USED_NO_QUOTA]);
	for (int i = 0; i < USED_WHAT; i++) {
		if (limits[i].limit == NULL)
			continue;
		max = object_number(owner, limits[i].limit);
		if (more->n[i] <= 0 || max == 0 || (uint64_t)now.n[i] <= max)
			continue;
		return say(q, REGISTRY_REFUSED,
		    "%s has %" PRId64 " of %" PRIu64 " %s: that is all there "
		    "may be. Delete something, or have the limit raised.",
		    "%s a %" PRId64 " sur %" PRIu64 " %s : le maximum est "
		    "atteint. Supprimez quelque chose, ou faites augmenter la "
		    "limite.", owner->name, now.n[i] - more->n[i], max,
		    q->french ? limits[i].what.french : limits[i].what.english);
	}
	return REGISTRY_OK;
}

static enum registry_result
judge_client(struct request *q, struct slice client, const struct usage *more)
{
	struct str bytes = STR_INIT(STORE_VALUE_MAX);
	enum registry_result result;
	char name[ADDR_TEXT_MAX];
	struct object c;

	if (client.p == NULL || slice_to_cstr(client, name, sizeof(name)) == -1)
		return REGISTRY_OK;
	result = fetch(q, &kind_client, name, &bytes, &c);
	if (result == REGISTRY_OK)
		result = judge(q, &c, more);
	str_free(&bytes);
	return result;
}

static enum registry_result
judge_owners(struct request *q, const char *domain, const struct usage *more)
{
	struct str bytes = STR_INIT(STORE_VALUE_MAX);
	enum registry_result result = REGISTRY_OK;
	struct object d;
	int found;

	found = registry_domain(q->r, domain, &bytes, &d);
	if (found == -1)
		result = say_failed(q);
	else if (found == 1)
		result = judge(q, &d, more);
	if (found == 1 && result == REGISTRY_OK)
		result = judge_client(q, object_get(&d, "client"), more);
	str_free(&bytes);
	return result;
}

/* A domain that comes to a customer brings all that it has. */
static enum registry_result
judge_domain_moves(struct request *q, const struct object *before,
    const struct object *after)
{
	struct slice was = { NULL, 0 }, is = { NULL, 0 };
	struct usage more;

	if (before != NULL)
		was = object_get(before, "client");
	if (after != NULL)
		is = object_get(after, "client");
	if (is.p == NULL || (was.p != NULL && slice_eq(was, is)))
		return REGISTRY_OK;
	if (usage_get(q->r, &kind_domain, after->name, &more) == -1)
		return say_failed(q);
	more.n[USED_DOMAINS] = 1;
	return judge_client(q, is, &more);
}

enum registry_result
limits_judge(struct request *q, const struct object *before,
    const struct object *after)
{
	const struct object *o = after != NULL ? after : before;
	enum registry_result result = REGISTRY_OK;
	struct usage more;

	/* What a dump holds was allowed when it was made. */
	if (q->op->act == op_load)
		return REGISTRY_OK;
	if (after != NULL &&
	    (o->kind == &kind_domain || o->kind == &kind_client))
		result = judge_storage(q, before, after);
	if (o->kind == &kind_domain)
		return result == REGISTRY_OK ?
		    judge_domain_moves(q, before, after) : result;
	if (o->kind == &kind_client)
		return result;
	/* The same mailbox with another name: no more than there were. */
	if (o->kind == &kind_user && q->op->act == op_user_rename)
		return REGISTRY_OK;
	return !usage_of_change(before, after, &more) ? REGISTRY_OK :
	    judge_owners(q, address_domain(o->name), &more);
}

/* Whether the storage of a domain, or of its customer, is limited: to how much
 * at least; 0: it is not. 0 or -1. */
static int
storage_of(struct registry *r, const struct object *d, uint64_t *max)
{
	struct str bytes = STR_INIT(STORE_VALUE_MAX);
	struct slice client = object_get(d, "client");
	char name[ADDR_TEXT_MAX];
	struct object c;
	int found = 0;

	*max = object_number(d, "max-bytes");
	if (client.p != NULL && slice_to_cstr(client, name, sizeof(name)) == 0)
		found = object_load(r->store, &kind_client, name, &bytes, &c);
	if (found == 1 && object_number(&c, "max-bytes") > 0 &&
	    (*max == 0 || object_number(&c, "max-bytes") < *max))
		*max = object_number(&c, "max-bytes");
	str_free(&bytes);
	return found == -1 ? -1 : 0;
}

enum registry_result
limits_give_quota(struct request *q, const struct object *d, struct object *u,
    bool is_structural)
{
	struct slice quota = object_get(d, "default-quota");
	char text[24];
	uint64_t max;

	if (storage_of(q->r, d, &max) == -1)
		return say_failed(q);
	if (is_structural && max > 0) {
		max = max / 10 < STRUCTURAL_QUOTA ? max / 10 : STRUCTURAL_QUOTA;
		snprintf(text, sizeof(text), "%" PRIu64, max > 0 ? max : 1);
		quota = slice_of(text);
	}
	return quota.p != NULL && object_put(u, "quota-bytes", quota) == -1 ?
	    say_failed(q) : REGISTRY_OK;
}

/* Mailboxes that have no quota, one a line. */
static int
note_without(void *arg, struct slice key, struct slice value)
{
	struct str *names = arg;
	struct object o;

	(void)key;
	if (object_decode(value, &o) == -1)
		return -1;
	if (o.kind == &kind_user && object_number(&o, "quota-bytes") == 0)
		str_printf(names, "%s\n", o.name);
	return str_ok(names) ? 0 : -1;
}

/* Gives a mailbox of the domain in arg a quota. */
static enum registry_result
give_one(struct request *q, const struct object *before, struct object *after,
    const void *arg)
{
	enum registry_result result;
	int is = is_mandatory(q->r, after->name);

	if (is == -1)
		return say_failed(q);
	result = limits_give_quota(q, arg, after, is == 1);
	return result == REGISTRY_OK &&
	    object_number(after, "quota-bytes") > 0 ?
	    change(q, before, after) : result;
}

enum registry_result
limits_give_quotas(struct request *q, const struct object *d)
{
	struct str names = STR_INIT(1 << 28);
	enum registry_result result = REGISTRY_OK;
	char prefix[STORE_KEY_MAX], name[ADDR_TEXT_MAX];
	struct slice rest;
	struct usage now;

	if (usage_get(q->r, &kind_domain, d->name, &now) == -1)
		return say_failed(q);
	if (object_number(d, "max-bytes") == 0 || now.n[USED_NO_QUOTA] == 0)
		return REGISTRY_OK;
	snprintf(prefix, sizeof(prefix), "address/%s/", d->name);
	if (store_each(q->r->store, slice_of(prefix), SLICE_EMPTY,
	    note_without, &names) == -1)
		result = say_failed(q);
	rest = str_slice(&names);
	while (result == REGISTRY_OK && rest.len > 0)
		if (slice_to_cstr(slice_cut(&rest, '\n'), name,
		    sizeof(name)) == 0)
			result = amend(q, &kind_user, name, give_one, d);
	str_free(&names);
	return result;
}

int
limits_row(struct request *q, const struct object *owner,
    struct registry_fields *f, struct limits_text *text)
{
	struct usage now;

	if (usage_get(q->r, owner->kind, owner->name, &now) == -1)
		return -1;
	for (int i = 0; i < USED_WHAT; i++) {
		if (i == USED_DOMAINS && owner->kind != &kind_client)
			continue;
		snprintf(text->name[i], sizeof(text->name[i]), "used-%s",
		    usage_names[i]);
		snprintf(text->value[i], sizeof(text->value[i]), "%" PRId64,
		    now.n[i]);
		registry_add(f, text->name[i], slice_of(text->value[i]));
	}
	return 0;
}
