/* object.h - one object of the registry: in memory and in bytes. */
#ifndef REGISTRY_OBJECT_H
#define REGISTRY_OBJECT_H
/* SPDX-License-Identifier: ISC */

#include "registry/schema.h"
#include "registry/store.h"

#define OBJECT_BYTES_MAX 60000	/* encoded: fits one message with its row */

/* Values are by the attribute's place in its kind's table; .p NULL: not set.
 * They point into what was decoded, or to copies that the object owns. */
struct object {
	const struct kind *kind;
	char name[ADDR_TEXT_MAX];
	struct slice value[ATTRIBUTES_MAX];
	char *owned[ATTRIBUTES_MAX];
};

/* An object with the initial values of its kind; name must be canonical. */
void object_init(struct object *o, const struct kind *k, const char *name);
/* Frees what it owns (secrets are wiped); o may be used again after init. */
void object_free(struct object *o);

/* The value of an attribute by name; .p NULL when it is not set. */
struct slice object_get(const struct object *o, const char *attribute);
/* True when the attribute is set to exactly this. */
bool object_is(const struct object *o, const char *attribute,
    const char *value);
/* The value as a number; 0 when it is not set or none. */
uint64_t object_number(const struct object *o, const char *attribute);

/* Sets a value as it is, already canonical; it is copied. 0 or -1 (ENOMEM). */
int object_put(struct object *o, const char *attribute, struct slice value)
    __attribute__((warn_unused_result));
/* Takes a value away. */
void object_clear(struct object *o, const char *attribute);
/*
 * Judges a value, then sets its canonical form; an empty one removes an
 * attribute that may be cleared. 0, or -1 with *why (ENOMEM too).
 */
int object_set(struct object *o, int attribute, struct slice value,
    struct text *why) __attribute__((warn_unused_result));

/* Encodes to out (replaced). 0, or -1: too large or no memory. */
int object_encode(const struct object *o, struct str *out)
    __attribute__((warn_unused_result));
/* Decodes; values point into bytes. 0, or -1 (EBADMSG), *out untouched. */
int object_decode(struct slice bytes, struct object *out)
    __attribute__((warn_unused_result));

/* The key of (a kind of) name in the store: "SPACE/NAME", an address as
 * "SPACE/DOMAIN/LOCAL", so that a domain's addresses are together. Returns its
 * length in key[STORE_KEY_MAX]. */
size_t object_key(const struct kind *k, const char *name, char *key);

/* The parts of an address that name_address() made. */
const char *address_domain(const char *address);
struct slice address_local(const char *address);

#endif
