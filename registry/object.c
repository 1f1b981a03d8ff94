/* object.c - one object of the registry: in memory and in bytes. */
/* SPDX-License-Identifier: ISC */

/*
 * Format: version (8 bits), kind, name, number of attributes (16 bits), then
 * name and value of each, as lib/pack.h does it; all text. An attribute that
 * this program does not know makes the object unreadable rather than losing
 * it at the next change: an older program must not run on a newer registry.
 */

#include "registry/object.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/num.h"
#include "lib/pack.h"

#define OBJECT_VERSION 1

void
object_init(struct object *o, const struct kind *k, const char *name)
{
	*o = (struct object){ .kind = k };
	snprintf(o->name, sizeof(o->name), "%s", name);
	for (size_t i = 0; k->attributes[i].name != NULL; i++)
		if (k->attributes[i].initial != NULL)
			o->value[i] = slice_of(k->attributes[i].initial);
}

static void
disown(struct object *o, size_t i)
{
	if (o->owned[i] != NULL)
		explicit_bzero(o->owned[i], o->value[i].len);
	free(o->owned[i]);
	o->owned[i] = NULL;
}

void
object_free(struct object *o)
{
	for (size_t i = 0; i < ATTRIBUTES_MAX; i++) {
		disown(o, i);
		o->value[i] = (struct slice){ NULL, 0 };
	}
}

struct slice
object_get(const struct object *o, const char *attribute)
{
	int i = kind_attribute(o->kind, slice_of(attribute));

	return i == -1 ? (struct slice){ NULL, 0 } : o->value[i];
}

bool
object_is(const struct object *o, const char *attribute, const char *value)
{
	struct slice v = object_get(o, attribute);

	return v.p != NULL && slice_eq(v, slice_of(value));
}

uint64_t
object_number(const struct object *o, const char *attribute)
{
	struct slice v = object_get(o, attribute);
	uint64_t n;

	return v.p != NULL && num_parse(v, 0, UINT64_MAX, &n) == 0 ? n : 0;
}

static int
put(struct object *o, size_t i, struct slice value)
{
	char *copy;

	/* One byte more: an empty value is a value. */
	if ((copy = malloc(value.len + 1)) == NULL)
		return -1;
	if (value.len > 0)
		memcpy(copy, value.p, value.len);
	copy[value.len] = '\0';
	disown(o, i);
	o->owned[i] = copy;
	o->value[i] = slice_make(copy, value.len);
	return 0;
}

int
object_put(struct object *o, const char *attribute, struct slice value)
{
	int i = kind_attribute(o->kind, slice_of(attribute));

	if (i == -1) {
		errno = EINVAL;
		return -1;
	}
	return put(o, (size_t)i, value);
}

void
object_clear(struct object *o, const char *attribute)
{
	int i = kind_attribute(o->kind, slice_of(attribute));

	if (i == -1)
		return;
	disown(o, (size_t)i);
	o->value[i] = (struct slice){ NULL, 0 };
}

int
object_set(struct object *o, int attribute, struct slice value,
    struct text *why)
{
	const struct attribute *a = &o->kind->attributes[attribute];
	struct str canonical = STR_INIT(ATTRIBUTE_VALUE_MAX);
	int r = -1;

	if (value.len == 0 && (a->flags & ATTR_CLEAR)) {
		disown(o, (size_t)attribute);
		o->value[attribute] = (struct slice){ NULL, 0 };
		return 0;
	}
	if (a->valid(value, &canonical, why) == -1)
		goto out;
	*why = (struct text){ "is too long", "est trop long" };
	if (!str_ok(&canonical))
		goto out;
	*why = (struct text){ "found no memory", "manque de mémoire" };
	r = put(o, (size_t)attribute, str_slice(&canonical));
out:
	str_wipe(&canonical);
	return r;
}

static uint16_t
count(const struct object *o)
{
	uint16_t n = 0;

	for (size_t i = 0; i < ATTRIBUTES_MAX; i++)
		if (o->value[i].p != NULL)
			n++;
	return n;
}

int
object_encode(const struct object *o, struct str *out)
{
	struct packer k;
	char *room;

	str_clear(out);
	if ((room = str_room(out, OBJECT_BYTES_MAX)) == NULL)
		return -1;
	pack_init(&k, room, OBJECT_BYTES_MAX);
	pack_u8(&k, OBJECT_VERSION);
	pack_bytes(&k, slice_of(o->kind->name));
	pack_bytes(&k, slice_of(o->name));
	pack_u16(&k, count(o));
	for (size_t i = 0; i < ATTRIBUTES_MAX; i++) {
		if (o->value[i].p == NULL)
			continue;
		pack_bytes(&k, slice_of(o->kind->attributes[i].name));
		pack_bytes(&k, o->value[i]);
	}
	if (k.bad) {
		errno = EMSGSIZE;
		return -1;
	}
	out->len = k.len;
	return 0;
}

/* Attributes come in the order of the table: look there first. */
static int
place(const struct kind *k, struct slice name, int expected)
{
	for (; k->attributes[expected].name != NULL; expected++)
		if (slice_eq(name, slice_of(k->attributes[expected].name)))
			return expected;
	return kind_attribute(k, name);
}

int
object_decode(struct slice bytes, struct object *out)
{
	struct object o = { 0 };
	struct unpacker u;
	struct slice name;
	unsigned n;
	int at = 0;

	unpack_init(&u, bytes);
	if (unpack_u8(&u) != OBJECT_VERSION)
		goto bad;
	if ((o.kind = kind_find(unpack_text(&u, 64))) == NULL)
		goto bad;
	if (slice_to_cstr(unpack_text(&u, ADDR_TEXT_MAX - 1), o.name,
	    sizeof(o.name)) == -1)
		goto bad;
	for (n = unpack_u16(&u); n > 0 && !u.bad; n--) {
		name = unpack_text(&u, 64);
		if ((at = place(o.kind, name, at)) == -1)
			goto bad;
		o.value[at] = unpack_bytes(&u, ATTRIBUTE_VALUE_MAX);
	}
	if (!unpack_end(&u))
		goto bad;
	*out = o;
	return 0;
bad:
	errno = EBADMSG;
	return -1;
}

const char *
address_domain(const char *address)
{
	const char *at = strrchr(address, '@');

	return at != NULL ? at + 1 : "";
}

struct slice
address_local(const char *address)
{
	const char *at = strrchr(address, '@');

	return at != NULL ? slice_make(address, (size_t)(at - address)) :
	    slice_of(address);
}

size_t
object_key(const struct kind *k, const char *name, char *key)
{
	struct slice local = address_local(name);
	int n;

	if (strchr(name, '@') != NULL)
		n = snprintf(key, STORE_KEY_MAX, "%s/%s/%.*s", k->space,
		    address_domain(name), SLICE_FMT(local));
	else
		n = snprintf(key, STORE_KEY_MAX, "%s/%s", k->space, name);
	/* ADDR_TEXT_MAX and a space's name are far below STORE_KEY_MAX. */
	return (size_t)n;
}
