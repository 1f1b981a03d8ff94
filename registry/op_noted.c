/* op_noted.c - what other programs tell of a mailbox: logins, limits. */
/* SPDX-License-Identifier: ISC */

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "lib/date.h"
#include "registry/apps.h"
#include "registry/operation.h"
#include "registry/valid.h"

#define LOGIN_GRAIN 60		/* seconds between two notes */

/* A login is no change that a person made: last-login has no journal entry and
 * may be lost in a crash; a better hash has one. */
static enum registry_result
note_login(struct request *q, struct object *u, const struct object *before)
{
	struct slice old = field(q, "old"), hash = field(q, "hash");
	enum registry_result result;
	struct registry_fields f = { .n = 0 };

	/* A password changed meanwhile must not be undone. */
	if (hash.p == NULL || old.p == NULL ||
	    !slice_eq(old, object_get(before, "hash")))
		return REGISTRY_OK;
	registry_add(&f, "hash", hash);
	registry_add(&f, "scram", field(q, "scram").p != NULL ?
	    field(q, "scram") : SLICE_EMPTY);
	result = set_attributes(q, &f, u, true);
	return result == REGISTRY_OK ? change(q, before, u) : result;
}

static int
put_quietly(struct registry *r, const struct object *u)
{
	struct str bytes = STR_INIT(STORE_VALUE_MAX);
	char key[STORE_KEY_MAX];
	int result = -1;

	if (object_encode(u, &bytes) == 0)
		result = store_put(r->store, slice_make(key,
		    object_key(u->kind, u->name, key)), str_slice(&bytes));
	str_wipe(&bytes);
	return result;
}

/* "held messages 9 4 2026-11-22T02:00:00Z", or nothing: all is well. */
static enum registry_result
note_sending(struct request *q, struct object *u)
{
	struct slice state = field(q, "state");
	struct slice what = field(q, "what");
	char text[200], date[DATE_MAX];
	uint64_t used, max, when;

	if (state.p == NULL || what.p == NULL)
		return REGISTRY_INVALID;
	if (slice_eq(state, SLICE("normal"))) {
		object_clear(u, "sending");
		return REGISTRY_OK;
	}
	if (field_number(q, "used", 0, &used) != REGISTRY_OK ||
	    field_number(q, "max", 0, &max) != REGISTRY_OK ||
	    field_number(q, "time", 0, &when) != REGISTRY_OK)
		return REGISTRY_INVALID;
	snprintf(text, sizeof(text), "%.20s %.20s %" PRIu64 " %" PRIu64 " %s",
	    slice_eq(state, SLICE("slowed")) ? "slowed" :
	    slice_eq(state, SLICE("held")) ? "held" : "refused",
	    slice_eq(what, SLICE("messages")) ? "messages" : "recipients",
	    used, max, date_iso((time_t)when, date));
	return object_put(u, "sending", slice_of(text)) == -1 ?
	    say_failed(q) : REGISTRY_OK;
}

/* As op_login(): no change that a person made. */
enum registry_result
op_sending(struct request *q)
{
	struct str bytes = STR_INIT(STORE_VALUE_MAX);
	enum registry_result result;
	char name[ADDR_TEXT_MAX];
	struct object u;

	if ((result = field_name(q, &kind_user, name)) != REGISTRY_OK)
		return result;
	result = fetch(q, &kind_user, name, &bytes, &u);
	if (result == REGISTRY_OK) {
		result = note_sending(q, &u);
		if (result == REGISTRY_OK && put_quietly(q->r, &u) == -1)
			result = say_failed(q);
		object_free(&u);
	}
	str_wipe(&bytes);
	return result;
}

/* When it was, and with which application password. 0 or -1. */
static int
note_time(struct request *q, struct object *u, int64_t when)
{
	struct slice app = field(q, "app");
	char date[DATE_MAX];
	int changed = 0;

	if (when > time(NULL) + LOGIN_GRAIN)
		return 0;
	if (app.p != NULL && (changed = apps_note_use(u, app, when)) == -1)
		return -1;
	if (when >= time_of_text(object_get(u, "last-login")) + LOGIN_GRAIN) {
		if (object_put(u, "last-login", slice_of(date_iso((time_t)when,
		    date))) == -1)
			return -1;
		changed = 1;
	}
	return changed ? put_quietly(q->r, u) : 0;
}

enum registry_result
op_login(struct request *q)
{
	struct str bytes = STR_INIT(STORE_VALUE_MAX);
	struct object before, after;
	enum registry_result result;
	char name[ADDR_TEXT_MAX];
	uint64_t when;

	if ((result = field_name(q, &kind_user, name)) != REGISTRY_OK ||
	    (result = field_number(q, "time", (uint64_t)time(NULL),
	    &when)) != REGISTRY_OK)
		return result;
	result = fetch(q, &kind_user, name, &bytes, &before);
	if (result != REGISTRY_OK) {
		str_wipe(&bytes);
		return result;
	}
	after = before;
	result = note_login(q, &after, &before);
	if (result == REGISTRY_OK &&
	    note_time(q, &after, (int64_t)when) == -1)
		result = say_failed(q);
	object_free(&after);
	str_wipe(&bytes);
	return result;
}
