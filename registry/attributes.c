/* attributes.c - what the fields of a request set of an object. */
/* SPDX-License-Identifier: ISC */

#include "registry/grants.h"
#include "registry/quality.h"

/* clang-format off */

/* Fields that are not attributes, in any operation. */
static const char *const controls[] = {
	"language-of-answer", "name", "address", "net", "current", "password",
	"force", "all", "after", "limit", "check", "update", "domain", "kind",
	"id", "as", "redirect", "first", "last", "to", "alias",
	"number", "from", "want",
	NULL
};
/* clang-format on */

static bool
is_control(struct slice name)
{
	for (size_t i = 0; controls[i] != NULL; i++)
		if (slice_eq(name, slice_of(controls[i])))
			return true;
	return false;
}

/* True when the asker may set this attribute. */
static bool
may_set(const struct request *q, const struct attribute *a)
{
	if (q->role == ROLE_OWNER)
		return a->flags & ATTR_OWNER;
	return a->flags & (q->role == ROLE_MANAGER ? ATTR_MANAGER : ATTR_SET);
}

static enum registry_result
set_one(struct request *q, struct object *o, struct slice name,
    struct slice value, bool load)
{
	int i = kind_attribute(o->kind, name);
	struct text why;

	if (i == -1)
		return say(q, REGISTRY_INVALID,
		    "A %s has no attribute \"%.*s\".",
		    "Un objet du genre %s n'a pas d'attribut « %.*s ».",
		    o->kind->name, SLICE_FMT(name));
	if (!load && !may_set(q, &o->kind->attributes[i]))
		return say(q, REGISTRY_REFUSED, "%s of %s is not yours to set.",
		    "%s de %s : ce n'est pas à vous de le fixer.",
		    o->kind->attributes[i].name, o->name);
	if (!load && q->role == ROLE_OWNER) {
		enum registry_result result = grants_attribute(q,
		    &o->kind->attributes[i]);

		if (result != REGISTRY_OK)
			return result;
	}
	if (object_set(o, i, value, &why) == -1)
		return say(q, REGISTRY_INVALID, "%s of %s %s.",
		    "%s de %s %s.", o->kind->attributes[i].name, o->name,
		    q->french ? why.french : why.english);
	return REGISTRY_OK;
}

/* The name of the person, as it is or will be. Not before the current password
 * was verified: the refusal would tell it to anybody. */
static enum registry_result
judge_names(struct request *q, const struct object *o)
{
	struct slice password = field(q, "password");
	struct slice full = object_get(o, "full-name");
	struct text why;
	char name[256];

	if (password.p == NULL || full.p == NULL ||
	    slice_to_cstr(full, name, sizeof(name)) == -1 ||
	    quality_names(password, name, &why) == 0)
		return REGISTRY_OK;
	return say(q, REGISTRY_INVALID, "This password %s.",
	    "Ce mot de passe %s.", q->french ? why.french : why.english);
}

enum registry_result
judge_hashed(struct request *q)
{
	return !q->hash->failed ? REGISTRY_OK : say(q, REGISTRY_TEMPORARY,
	    "The password cannot be hashed now. Try again.",
	    "Le mot de passe ne peut pas être traité. Réessayez.");
}

/* A new password, or a hash that came ready. */
static enum registry_result
set_password(struct request *q, struct object *o)
{
	struct slice hash = field(q, "hash"), scram = field(q, "scram");
	enum registry_result result;

	if ((result = judge_names(q, o)) != REGISTRY_OK)
		return result;
	if (q->hash != NULL && q->hash->password_len > 0) {
		if ((result = judge_hashed(q)) != REGISTRY_OK)
			return result;
		hash = slice_of(q->hash->hash);
		scram = slice_of(q->hash->scram);
	}
	if (hash.p == NULL)
		return REGISTRY_OK;
	if ((q->role == ROLE_OWNER || o->kind == &kind_manager) &&
	    q->proving && (q->hash == NULL || q->hash->password_len == 0))
		return say(q, REGISTRY_REFUSED,
		    "Give a new password, not a hash.",
		    "Donnez un nouveau mot de passe, pas une empreinte.");
	/* What they chose themselves they need not change. */
	if (q->role == ROLE_OWNER &&
	    object_put(o, "must-change", SLICE("no")) == -1)
		return say_failed(q);
	/* Keys of an older password must not stay. */
	if (scram.p == NULL)
		scram = SLICE_EMPTY;
	result = set_one(q, o, SLICE("hash"), hash, true);
	if (result != REGISTRY_OK ||
	    kind_attribute(o->kind, SLICE("scram")) == -1)
		return result;
	return set_one(q, o, SLICE("scram"), scram, true);
}

bool
has_password(const struct request *q)
{
	/* One that is only checked is not hashed. */
	return (q->hash != NULL && q->hash->password_len > 0) ||
	    (field_yes(q, "check") && field(q, "password").p != NULL) ||
	    field(q, "hash").p != NULL;
}

enum registry_result
set_attributes(struct request *q, const struct registry_fields *f,
    struct object *o, bool load)
{
	enum registry_result result;
	bool password;

	for (size_t i = 0; i < f->n; i++) {
		password = !load && (q->op->flags & OP_HASH) &&
		    (slice_eq(f->v[i].name, SLICE("hash")) ||
		    slice_eq(f->v[i].name, SLICE("scram")));
		if (password || is_control(f->v[i].name))
			continue;
		result = set_one(q, o, f->v[i].name, f->v[i].value, load);
		if (result != REGISTRY_OK)
			return result;
	}
	if (!load && (q->op->flags & OP_HASH))
		return set_password(q, o);
	return REGISTRY_OK;
}
