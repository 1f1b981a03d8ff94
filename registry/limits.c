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
};
/* clang-format on */

/* Refuses what of more is now above owner's limits. */
static enum registry_result
judge(struct request *q, const struct object *owner, const struct usage *more)
{
	struct usage now;
	uint64_t max;

	if (usage_get(q->r, owner->kind, owner->name, &now) == -1)
		return say_failed(q);
	for (int i = 0; i < USED_WHAT; i++) {
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
	struct usage more;

	/* What a dump holds was allowed when it was made. */
	if (q->op->act == op_load)
		return REGISTRY_OK;
	if (o->kind == &kind_domain)
		return judge_domain_moves(q, before, after);
	return !usage_of_change(before, after, &more) ? REGISTRY_OK :
	    judge_owners(q, address_domain(o->name), &more);
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
