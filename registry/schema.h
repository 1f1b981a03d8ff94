/* schema.h - the kinds of objects and their attributes, as one table. */
#ifndef REGISTRY_SCHEMA_H
#define REGISTRY_SCHEMA_H
/* SPDX-License-Identifier: ISC */

#include "lib/addr.h"
#include "lib/str.h"

#define ATTRIBUTES_MAX 32	/* of one kind */
#define ATTRIBUTE_VALUE_MAX 56000

/* A sentence in both languages. */
struct text {
	const char *english, *french;
};

/* What a judge says: -1, with *why. */
static inline int
why_not(struct text *why, const char *english, const char *french)
{
	*why = (struct text){ english, french };
	return -1;
}

#define ATTR_SET 1u	/* an administrator may set it */
#define ATTR_OWNER 2u	/* the account itself may set it */
#define ATTR_NEEDED 4u	/* an object without it is no object */
#define ATTR_SECRET 8u	/* shown in dumps only */
#define ATTR_CLEAR 16u	/* may be emptied, which removes it */
#define ATTR_MANAGER 64u	/* a manager may set it */
#define ATTR_QUIET 32u	/* changes without an entry in the journal */

/*
 * What the owner of a mailbox is granted singly (grants.c): what an operation
 * or an attribute needs is in its flags, GRANT_SHIFT bits up.
 */
#define GRANT_NAME 1u
#define GRANT_PASSWORD 2u
#define GRANT_FORWARD 4u
#define GRANT_VACATION 8u
#define GRANT_ALIAS_CREATE 16u
#define GRANT_ALIAS_DELETE 32u
#define GRANT_BACKUP 64u
#define GRANT_RESTORE 128u
#define GRANT_REMOVE 256u
#define GRANT_ALL 511u
#define GRANT_SHIFT 8
#define GRANTED(grants) ((unsigned)(grants) << GRANT_SHIFT)
/* The account itself may set it when it is granted that. */
#define ATTR_OWN(grant) (ATTR_OWNER | GRANTED(grant))

/*
 * Judges a value and writes its canonical form to out. 0, or -1 with *why;
 * out is then undefined.
 */
typedef int attribute_valid(struct slice in, struct str *out,
    struct text *why);

struct attribute {
	const char *name;	/* NULL ends the table */
	unsigned flags;
	const char *initial;	/* value of a new object, or NULL: none */
	attribute_valid *valid;
	struct text help;
};

struct kind {
	const char *name;
	const char *space;	/* names are unique within it */
	/* Canonical form of a name in out[ADDR_TEXT_MAX]; 0, or -1 with *why. */
	int (*valid_name)(struct slice in, char *out, struct text *why);
	const struct attribute *attributes;
	struct text help;
};

extern const struct kind kind_client, kind_domain, kind_manager, kind_user,
    kind_alias, kind_robot, kind_relay, kind_removed, kind_suffix;
/* All of them, NULL at the end, in the order of a dump. */
extern const struct kind *const kinds[];

/* The kind of that name, or NULL. */
const struct kind *kind_find(struct slice name);
/* The place of an attribute in the kind's table, or -1. */
int kind_attribute(const struct kind *k, struct slice name);

/* The names of objects, for those who need them apart. */
int name_domain(struct slice in, char *out, struct text *why);
int name_address(struct slice in, char *out, struct text *why);
/* A login of no mailbox: as a local part, or a whole address. */
int name_login(struct slice in, char *out, struct text *why);
int name_relay(struct slice in, char *out, struct text *why);

#endif
