/* op_own.c - the aliases that the owner of a mailbox makes themself. */
/* SPDX-License-Identifier: ISC */

/*
 * As many as "own-aliases" of the mailbox grants, in its own domain, leading to
 * itself and nowhere else. The attribute "made-by" of an alias says whose it is;
 * aliases that somebody else has made are not theirs to see or to remove.
 */

#include <stdio.h>
#include <stdlib.h>

#include "lib/date.h"
#include "registry/gone.h"
#include "registry/operation.h"
#include "registry/reserved.h"

/* The canonical alias in the field of that name: one of the owner's domain. */
static enum registry_result
own_name(struct request *q, const char *account, char *out)
{
	struct slice in = field(q, "alias");
	char text[ADDR_TEXT_MAX];
	enum registry_result result;
	struct text why;

	if (in.p == NULL || in.len > ADDR_MAX)
		return say(q, REGISTRY_INVALID, "The field alias is missing.",
		    "Le champ alias manque.");
	snprintf(text, sizeof(text), "%.*s%s%s", SLICE_FMT(in),
	    memchr(in.p, '@', in.len) == NULL ? "@" : "",
	    memchr(in.p, '@', in.len) == NULL ? address_domain(account) : "");
	if (name_address(slice_of(text), out, &why) == -1)
		return say(q, REGISTRY_INVALID, "\"%s\" %s.", "« %s » %s.",
		    text, q->french ? why.french : why.english);
	if ((result = main_domain(q, out)) != REGISTRY_OK)
		return result;
	if (strcmp(address_domain(out), address_domain(account)) != 0)
		return say(q, REGISTRY_REFUSED,
		    "%s is not in your domain.", "%s n'est pas dans votre "
		    "domaine.", out);
	return REGISTRY_OK;
}

struct count {
	const char *owner;
	uint64_t n;
	struct request *rows;	/* gets a row for each, or NULL */
};

static int
count_one(void *arg, struct slice key, struct slice value)
{
	struct count *c = arg;
	struct object o;

	(void)key;
	if (object_decode(value, &o) == -1)
		return -1;
	if (o.kind != &kind_alias || !object_is(&o, "made-by", c->owner))
		return 0;
	c->n++;
	if (c->rows != NULL)
		row_object(c->rows, &o, false);
	return 0;
}

static int
count_own(struct request *q, const char *account, struct request *rows,
    uint64_t *n)
{
	struct count c = { account, 0, rows };
	char prefix[STORE_KEY_MAX];

	snprintf(prefix, sizeof(prefix), "address/%s/",
	    address_domain(account));
	if (store_each(q->r->store, slice_of(prefix), SLICE_EMPTY, count_one,
	    &c) == -1)
		return -1;
	*n = c.n;
	return 0;
}

/* A name that nobody has, had lately, or must have. */
static enum registry_result
judge_free(struct request *q, const char *name)
{
	static const struct kind *const looked_at[] = { &kind_alias,
		&kind_removed };
	struct str bytes = STR_INIT(STORE_VALUE_MAX);
	enum registry_result result = REGISTRY_OK;
	struct object o;
	int found = 0;

	for (size_t i = 0; found == 0 && i < 2; i++)
		found = object_load(q->r->store, looked_at[i], name, &bytes,
		    &o);
	if (found == -1)
		result = say_failed(q);
	else if (found == 1)
		result = say(q, REGISTRY_EXISTS, "%s is taken.",
		    "%s est déjà pris.", name);
	else if (is_mandatory(q->r, name) != 0 ||
	    reserved_is(address_local(name)))
		result = say(q, REGISTRY_REFUSED,
		    "%s names a function, not a person: ask who administers "
		    "the domain.", "%s désigne une fonction, pas une personne : "
		    "adressez-vous à qui gère le domaine.", name);
	str_wipe(&bytes);
	return result;
}

/* How many this mailbox may have. */
static enum registry_result
granted(struct request *q, const char *account, uint64_t *n)
{
	struct str bytes = STR_INIT(STORE_VALUE_MAX);
	enum registry_result result;
	struct object u;

	result = fetch(q, &kind_user, account, &bytes, &u);
	if (result == REGISTRY_OK)
		*n = object_number(&u, "own-aliases");
	str_wipe(&bytes);
	return result;
}

enum registry_result
op_own_add(struct request *q)
{
	char account[ADDR_TEXT_MAX], name[ADDR_TEXT_MAX], date[DATE_MAX];
	enum registry_result result;
	uint64_t may = 0, has;
	struct object a;

	if ((result = field_name(q, &kind_user, account)) != REGISTRY_OK ||
	    (result = own_name(q, account, name)) != REGISTRY_OK ||
	    (result = granted(q, account, &may)) != REGISTRY_OK ||
	    (result = judge_free(q, name)) != REGISTRY_OK)
		return result;
	if (count_own(q, account, NULL, &has) == -1)
		return say_failed(q);
	if (has >= may)
		return say(q, REGISTRY_REFUSED,
		    "You have %llu aliases of your own; %llu are granted to "
		    "you.", "Vous avez %llu alias personnels ; il vous en est "
		    "accordé %llu.", (unsigned long long)has,
		    (unsigned long long)may);
	object_init(&a, &kind_alias, name);
	if (object_put(&a, "targets", slice_of(account)) == -1 ||
	    object_put(&a, "made-by", slice_of(account)) == -1 ||
	    object_put(&a, "created", now_text(date)) == -1)
		result = say_failed(q);
	if (result == REGISTRY_OK)
		result = change(q, NULL, &a);
	if (result == REGISTRY_OK)
		row_object(q, &a, false);
	object_free(&a);
	return result == REGISTRY_OK ? say(q, result,
	    "%s leads to you.", "%s mène à vous.", name) : result;
}

enum registry_result
op_own_list(struct request *q)
{
	char account[ADDR_TEXT_MAX];
	enum registry_result result;
	uint64_t n;

	if ((result = field_name(q, &kind_user, account)) != REGISTRY_OK)
		return result;
	return count_own(q, account, q, &n) == -1 ? say_failed(q) :
	    REGISTRY_OK;
}

enum registry_result
op_own_delete(struct request *q)
{
	struct str bytes = STR_INIT(STORE_VALUE_MAX);
	char account[ADDR_TEXT_MAX], name[ADDR_TEXT_MAX];
	enum registry_result result;
	struct object a;

	if ((result = field_name(q, &kind_user, account)) != REGISTRY_OK ||
	    (result = own_name(q, account, name)) != REGISTRY_OK)
		return result;
	result = fetch(q, &kind_alias, name, &bytes, &a);
	if (result == REGISTRY_OK && !object_is(&a, "made-by", account))
		result = say(q, REGISTRY_REFUSED, "%s is not yours.",
		    "%s n'est pas à vous.", name);
	/* A suffix may ask for it since it was made. */
	if (result == REGISTRY_OK)
		result = mandatory_judge(q, name);
	if (result == REGISTRY_OK)
		result = change(q, &a, NULL);
	if (result == REGISTRY_OK)
		result = gone_judge_one(q, name);
	str_free(&bytes);
	return result;
}
