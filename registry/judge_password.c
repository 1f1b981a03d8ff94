/* judge_password.c - whether an account may have this password. */
/* SPDX-License-Identifier: ISC */

#include "registry/operation.h"
#include "registry/quality.h"

enum registry_result
judge_password(struct request *q, const char *address, struct slice password)
{
	unsigned long long min = q->r->conf.password_min;
	struct text why;

	if (q->proving && field(q, "current").p != NULL &&
	    strcmp(q->account, address) == 0 &&
	    slice_eq(password, field(q, "current")))
		return say(q, REGISTRY_INVALID,
		    "This is the password of today: choose another one.",
		    "C'est le mot de passe actuel : choisissez-en un autre.");
	if (quality_check(password, address, min, &why) == 0)
		return REGISTRY_OK;
	return say(q, REGISTRY_INVALID,
	    "This password %s (at least %llu characters are asked for).",
	    "Ce mot de passe %s (il faut au moins %llu caractères).",
	    q->french ? why.french : why.english, min);
}
