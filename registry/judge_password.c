/* judge_password.c - whether an account may have this password. */
/* SPDX-License-Identifier: ISC */

#include "registry/operation.h"
#include "registry/quality.h"

/* The name of the person, as it is or will be, in name[cap]. */
static void
full_name(struct request *q, const char *of, char *name, size_t cap)
{
	struct slice full = field(q, "full-name");
	struct str bytes = STR_INIT(STORE_VALUE_MAX);
	struct object o;

	*name = '\0';
	if (full.p == NULL && object_load(q->r->store, q->op->kind, of, &bytes,
	    &o) == 1)
		full = object_get(&o, "full-name");
	/* One too long is refused in its own place. */
	if (full.p != NULL && slice_to_cstr(full, name, cap) == -1)
		*name = '\0';
	str_wipe(&bytes);
}

enum registry_result
judge_password(struct request *q, const char *address, struct slice password)
{
	unsigned long long min = q->r->conf.password_min;
	char name[256];
	struct text why;

	if (q->proving && field(q, "current").p != NULL &&
	    strcmp(q->account, address) == 0 &&
	    slice_eq(password, field(q, "current")))
		return say(q, REGISTRY_INVALID,
		    "This is the password of today: choose another one.",
		    "C'est le mot de passe actuel : choisissez-en un autre.");
	full_name(q, address, name, sizeof(name));
	if (quality_check(password, address, min, &why) == 0 &&
	    quality_names(password, name, &why) == 0)
		return REGISTRY_OK;
	return say(q, REGISTRY_INVALID,
	    "This password %s (at least %llu characters are asked for).",
	    "Ce mot de passe %s (il faut au moins %llu caractères).",
	    q->french ? why.french : why.english, min);
}
