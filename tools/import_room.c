/* import_room.c - whether the lines of a file fit into the limits together. */
/* SPDX-License-Identifier: ISC */

/*
 * The registry judges each line as if it were the only one: their sum is
 * compared here with what it says is left of each domain and customer.
 */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/num.h"
#include "tools/import.h"

/* A domain or a customer of the file. */
struct owner {
	char name[ADDR_TEXT_MAX], client[ADDR_TEXT_MAX];
	uint64_t boxes, bytes;			/* that the file adds */
	uint64_t used_boxes, max_boxes, used_bytes, max_bytes;
};

struct owners {
	struct owner *v;
	size_t n;
};

static struct owner *
owner_of(struct owners *o, const char *name)
{
	struct owner *p;

	for (size_t i = 0; i < o->n; i++)
		if (strcmp(o->v[i].name, name) == 0)
			return &o->v[i];
	if ((p = reallocarray(o->v, o->n + 1, sizeof(*p))) == NULL)
		return NULL;
	o->v = p;
	p = &o->v[o->n++];
	memset(p, 0, sizeof(*p));
	snprintf(p->name, sizeof(p->name), "%s", name);
	return p;
}

static uint64_t
number(const struct registry_fields *row, const char *name)
{
	struct slice v = registry_field(row, name);
	uint64_t n;

	return v.p != NULL && num_parse(v, 0, UINT64_MAX, &n) == 0 ? n : 0;
}

static void
keep_usage(void *arg, const struct registry_fields *row)
{
	struct slice client = registry_field(row, "client");
	struct owner *o = arg;

	o->used_boxes = number(row, "used-mailboxes");
	o->max_boxes = number(row, "max-mailboxes");
	o->used_bytes = number(row, "used-bytes");
	o->max_bytes = number(row, "max-bytes");
	if (client.p == NULL ||
	    slice_to_cstr(client, o->client, sizeof(o->client)) == -1)
		o->client[0] = '\0';
}

/* Asks what it has; who may not see that learns it line by line. */
static bool
look(struct import *i, const char *operation, struct owner *o)
{
	struct registry_fields f = { .n = 0 };
	char text[1024];

	registry_add(&f, "name", slice_of(o->name));
	as_add(i->m, &f);
	return registry_call(i->fd, operation, &f, keep_usage, o, text,
	    sizeof(text)) >= 0;
}

static void
compare(struct import *i, const struct owner *o)
{
	struct import_line none = { .line = 0 };
	char text[512];

	snprintf(none.address, sizeof(none.address), "%s", o->name);
	if (o->max_boxes > 0 && o->used_boxes + o->boxes > o->max_boxes) {
		snprintf(text, sizeof(text), tr(i->m,
		    "The file has %" PRIu64 " mailboxes; %" PRIu64 " of %"
		    PRIu64 " are there already.",
		    "Le fichier contient %" PRIu64 " boîtes ; il y en a déjà "
		    "%" PRIu64 " sur %" PRIu64 "."), o->boxes, o->used_boxes,
		    o->max_boxes);
		i->bad++;
		import_report(i, &none, "bad", text);
	}
	if (o->max_bytes > 0 && o->used_bytes + o->bytes > o->max_bytes) {
		snprintf(text, sizeof(text), tr(i->m,
		    "The file has quotas of %" PRIu64 " bytes; %" PRIu64
		    " of %" PRIu64 " are given already.",
		    "Le fichier contient %" PRIu64 " octets de quotas ; %"
		    PRIu64 " sur %" PRIu64 " sont déjà donnés."), o->bytes,
		    o->used_bytes, o->max_bytes);
		i->bad++;
		import_report(i, &none, "bad", text);
	}
}

static bool
add_up(struct import *i, struct owners *domains)
{
	const struct import_line *l;
	const char *at;
	struct owner *o;

	for (size_t n = 0; n < i->n; n++) {
		l = &i->lines[n];
		at = strrchr(l->address, '@');
		if (!l->is_good || at == NULL)
			continue;
		if ((o = owner_of(domains, at + 1)) == NULL)
			return false;
		o->boxes++;
		o->bytes += l->quota;
	}
	return true;
}

bool
import_room(struct import *i)
{
	struct owners domains = { NULL, 0 }, clients = { NULL, 0 };
	bool ok = add_up(i, &domains);
	struct owner *c;

	for (size_t n = 0; ok && n < domains.n; n++) {
		if (!(ok = look(i, "domain.show", &domains.v[n])))
			break;
		compare(i, &domains.v[n]);
		if (domains.v[n].client[0] == '\0')
			continue;
		if (!(ok = (c = owner_of(&clients, domains.v[n].client)) !=
		    NULL))
			break;
		c->boxes += domains.v[n].boxes;
		c->bytes += domains.v[n].bytes;
	}
	for (size_t n = 0; ok && n < clients.n; n++)
		if ((ok = look(i, "client.show", &clients.v[n])))
			compare(i, &clients.v[n]);
	if (!ok)
		i->status = registry_verdict(i->m, -1, "");
	free(domains.v);
	free(clients.v);
	return ok;
}
