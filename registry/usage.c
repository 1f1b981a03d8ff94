/* usage.c - how much of everything a domain and a customer have. */
/* SPDX-License-Identifier: ISC */

/* In the store: "usage/KIND/NAME" with the counts as text, a space between;
 * nothing for what has none of anything. */

#include "registry/usage.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "lib/num.h"
#include "registry/valid.h"

const char *const usage_names[USED_WHAT] = { "domains", "mailboxes",
	"aliases", "forwards", "robots", "bytes", "without-quota" };

static struct slice
key_of(const struct kind *k, const char *name, char *key)
{
	int len = snprintf(key, STORE_KEY_MAX, "usage/%s/%s", k->name, name);

	return slice_make(key, (size_t)len);
}

int
usage_get(struct registry *r, const struct kind *k, const char *name,
    struct usage *out)
{
	struct str bytes = STR_INIT(4096);
	char key[STORE_KEY_MAX];
	struct slice rest;
	uint64_t n;
	int found;

	*out = (struct usage){ { 0 } };
	found = store_get(r->store, key_of(k, name, key), &bytes);
	rest = str_slice(&bytes);
	for (int i = 0; found == 1 && i < USED_WHAT; i++) {
		if (rest.p == NULL)
			break;	/* written when less was counted */
		if (num_parse(slice_cut(&rest, ' '), 0, INT64_MAX,
		    &n) == -1) {
			errno = EBADMSG;
			found = -1;
		} else {
			out->n[i] = (int64_t)n;
		}
	}
	str_free(&bytes);
	return found == -1 ? -1 : 0;
}

static bool
is_nothing(const struct usage *u)
{
	for (int i = 0; i < USED_WHAT; i++)
		if (u->n[i] != 0)
			return false;
	return true;
}

static int
put(struct registry *r, const struct kind *k, const char *name,
    const struct usage *u)
{
	struct str text = STR_INIT(4096);
	char key[STORE_KEY_MAX];
	int result;

	for (int i = 0; i < USED_WHAT; i++)
		str_printf(&text, "%s%" PRId64, i > 0 ? " " : "",
		    u->n[i] > 0 ? u->n[i] : 0);
	result = is_nothing(u) ?
	    store_delete(r->store, key_of(k, name, key)) :
	    store_put(r->store, key_of(k, name, key), str_slice(&text));
	str_free(&text);
	return result < 0 ? -1 : 0;
}

static int
add(struct registry *r, const struct kind *k, const char *name, int sign,
    const struct usage *more)
{
	struct usage u;

	if (usage_get(r, k, name, &u) == -1)
		return -1;
	for (int i = 0; i < USED_WHAT; i++)
		if (__builtin_add_overflow(u.n[i], sign * more->n[i], &u.n[i]))
			u.n[i] = INT64_MAX;
	return put(r, k, name, &u);
}

static bool
is_address(const struct object *o)
{
	return o != NULL && strcmp(o->kind->space, "address") == 0;
}

static void
count(const struct object *o, int sign, struct usage *u)
{
	struct slice targets;
	uint64_t quota;

	if (o == NULL)
		return;
	if (o->kind == &kind_user) {
		u->n[USED_MAILBOXES] += sign;
		quota = object_number(o, "quota-bytes");
		u->n[USED_BYTES] += sign *
		    (int64_t)(quota < QUOTA_MAX ? quota : QUOTA_MAX);
		u->n[USED_NO_QUOTA] += quota == 0 ? sign : 0;
	} else if (o->kind == &kind_alias) {
		targets = object_get(o, "targets");
		u->n[targets.p != NULL && memchr(targets.p, '\n', targets.len) !=
		    NULL ? USED_FORWARDS : USED_ALIASES] += sign;
	} else {
		u->n[USED_ROBOTS] += sign;
	}
}

bool
usage_of_change(const struct object *before, const struct object *after,
    struct usage *out)
{
	*out = (struct usage){ { 0 } };
	if (!is_address(before) && !is_address(after))
		return false;
	count(before, -1, out);
	count(after, 1, out);
	return true;
}

/* The customer of a domain's object, "" for none. */
static const char *
client_of(const struct object *d, char *name)
{
	struct slice client = { NULL, 0 };

	if (d != NULL)
		client = object_get(d, "client");
	if (client.p == NULL || slice_to_cstr(client, name, ADDR_TEXT_MAX) == -1)
		*name = '\0';
	return name;
}

static int
note_address(struct registry *r, const char *domain, const struct usage *u)
{
	struct str bytes = STR_INIT(STORE_VALUE_MAX);
	char client[ADDR_TEXT_MAX];
	struct object d;
	int found;

	if (is_nothing(u))
		return 0;
	if (add(r, &kind_domain, domain, 1, u) == -1)
		return -1;
	found = registry_domain(r, domain, &bytes, &d);
	if (found == 1 && *client_of(&d, client) != '\0')
		found = add(r, &kind_client, client, 1, u);
	str_free(&bytes);
	return found == -1 ? -1 : 0;
}

static int
note_domain(struct registry *r, const struct object *before,
    const struct object *after)
{
	const char *name = (after != NULL ? after : before)->name;
	char was[ADDR_TEXT_MAX], is[ADDR_TEXT_MAX];
	struct usage u;

	client_of(before, was);
	client_of(after, is);
	if (strcmp(was, is) == 0)
		return 0;
	if (usage_get(r, &kind_domain, name, &u) == -1)
		return -1;
	u.n[USED_DOMAINS] = 1;
	if (*was != '\0' && add(r, &kind_client, was, -1, &u) == -1)
		return -1;
	return *is != '\0' ? add(r, &kind_client, is, 1, &u) : 0;
}

int
usage_note(struct registry *r, const struct object *before,
    const struct object *after)
{
	const struct object *o = after != NULL ? after : before;
	struct usage u;

	if (o->kind == &kind_domain)
		return note_domain(r, before, after);
	return !usage_of_change(before, after, &u) ? 0 :
	    note_address(r, address_domain(o->name), &u);
}

/* Counting all again. */

struct counting {
	struct usage sum;
	struct str names;	/* one a line */
};

static int
count_one(void *arg, struct slice key, struct slice value)
{
	struct counting *c = arg;
	struct object o;

	(void)key;
	if (object_decode(value, &o) == -1)
		return -1;
	count(&o, 1, &c->sum);
	return 0;
}

static int
name_one(void *arg, struct slice key, struct slice value)
{
	struct counting *c = arg;

	(void)value;
	slice_cut(&key, '/');
	str_put(&c->names, key);
	str_putc(&c->names, '\n');
	return str_ok(&c->names) ? 0 : -1;
}

/* Counts one domain; its customer's count, begun at nothing, grows. */
static int
rebuild_domain(struct registry *r, const char *name, uint64_t *wrong)
{
	struct str bytes = STR_INIT(STORE_VALUE_MAX);
	char prefix[STORE_KEY_MAX], client[ADDR_TEXT_MAX];
	struct counting c = { .names = STR_INIT(0) };
	struct usage old;
	struct object d;
	int result = -1;

	snprintf(prefix, sizeof(prefix), "address/%s/", name);
	if (store_each(r->store, slice_of(prefix), SLICE_EMPTY, count_one,
	    &c) == -1 || usage_get(r, &kind_domain, name, &old) == -1)
		return -1;
	if (memcmp(&old, &c.sum, sizeof(old)) != 0)
		(*wrong)++;
	if (put(r, &kind_domain, name, &c.sum) == 0 &&
	    registry_domain(r, name, &bytes, &d) == 1) {
		c.sum.n[USED_DOMAINS] = 1;
		result = *client_of(&d, client) == '\0' ? 0 :
		    add(r, &kind_client, client, 1, &c.sum);
	}
	str_free(&bytes);
	return result;
}

/* Names of all of a kind, one a line. */
static int
names_of(struct registry *r, const struct kind *k, struct counting *c)
{
	char prefix[STORE_KEY_MAX];

	*c = (struct counting){ .names = STR_INIT(1 << 28) };
	snprintf(prefix, sizeof(prefix), "%s/", k->space);
	return store_each(r->store, slice_of(prefix), SLICE_EMPTY, name_one,
	    c);
}

int
usage_rebuild(struct registry *r, uint64_t *wrong)
{
	const struct usage nothing = { { 0 } };
	struct counting clients, domains = { .names = STR_INIT(0) };
	char name[ADDR_TEXT_MAX];
	struct slice rest;
	int result;

	*wrong = 0;
	result = names_of(r, &kind_client, &clients);
	rest = str_slice(&clients.names);
	while (result == 0 && rest.len > 0)
		if ((result = slice_to_cstr(slice_cut(&rest, '\n'), name,
		    sizeof(name))) == 0)
			result = put(r, &kind_client, name, &nothing);
	if (result == 0)
		result = names_of(r, &kind_domain, &domains);
	rest = str_slice(&domains.names);
	while (result == 0 && rest.len > 0)
		if ((result = slice_to_cstr(slice_cut(&rest, '\n'), name,
		    sizeof(name))) == 0)
			result = rebuild_domain(r, name, wrong);
	str_free(&clients.names);
	str_free(&domains.names);
	return result;
}
