/* op_code.c - the security code: a lost password of admin is replaced. */
/* SPDX-License-Identifier: ISC */

/*
 * Inventory 4-29, 9-04. The code is made where it is asked for, shown once, and
 * kept here as the hash of a password. It opens one operation, once, and nothing
 * else; a wrong one costs the time of a wrong password.
 */

#include "registry/notice.h"
#include "registry/operation.h"
#include "registry/rights.h"

/* Others are given a password by who administers. */
static enum registry_result
judge_admin(struct request *q)
{
	enum registry_result result;
	char name[ADDR_TEXT_MAX];

	if ((result = field_name(q, &kind_manager, name)) != REGISTRY_OK)
		return result;
	if (strcmp(name, LOGIN_ADMIN) != 0)
		return say(q, REGISTRY_INVALID,
		    "Only " LOGIN_ADMIN " has a security code.",
		    "Seul " LOGIN_ADMIN " a un code de sécurité.");
	return has_password(q) ? REGISTRY_OK : say(q, REGISTRY_INVALID,
	    "Give a password.", "Donnez un mot de passe.");
}

static enum registry_result
keep_code(struct request *q, const struct object *before,
    struct object *after, const void *arg)
{
	enum registry_result result;

	(void)arg;
	if (q->hash == NULL || q->hash->password_len == 0)
		return REGISTRY_OK;	/* only checked */
	if ((result = judge_hashed(q)) != REGISTRY_OK)
		return result;
	if (object_put(after, "code", slice_of(q->hash->hash)) == -1)
		return say_failed(q);
	return change(q, before, after);
}

enum registry_result
op_manager_code(struct request *q)
{
	enum registry_result result = judge_admin(q);

	return result == REGISTRY_OK ?
	    amend(q, &kind_manager, LOGIN_ADMIN, keep_code, NULL) : result;
}

static enum registry_result
recover(struct request *q, const struct object *before, struct object *after,
    const void *arg)
{
	enum registry_result result;

	(void)arg;
	result = set_attributes(q, &q->f, after, false);
	object_clear(after, "code");
	if (result == REGISTRY_OK)
		result = change(q, before, after);
	if (result == REGISTRY_OK &&
	    notice_of_recovery(q->r, field(q, "from")) == -1)
		result = say_failed(q);
	return result;
}

enum registry_result
op_manager_recover(struct request *q)
{
	enum registry_result result;

	/* Who administers by other means needs no code, and has no proof. */
	if (strcmp(q->account, LOGIN_ADMIN) != 0)
		return rights_refuse(q);
	result = judge_admin(q);
	return result == REGISTRY_OK ?
	    amend(q, &kind_manager, LOGIN_ADMIN, recover, NULL) : result;
}
