/* op_relay.c - the operations on hosts that may send through us. */
/* SPDX-License-Identifier: ISC */

#include "lib/date.h"
#include "registry/operation.h"

enum registry_result
op_relay_add(struct request *q)
{
	struct str bytes = STR_INIT(STORE_VALUE_MAX);
	enum registry_result result;
	char name[ADDR_TEXT_MAX], date[DATE_MAX];
	struct object o;
	int found;

	if ((result = field_name(q, &kind_relay, name)) != REGISTRY_OK)
		return result;
	found = object_load(q->r->store, &kind_relay, name, &bytes, &o);
	str_free(&bytes);
	if (found == -1)
		return say_failed(q);
	if (found == 1)
		return say(q, REGISTRY_EXISTS, "%s may send already.",
		    "%s peut déjà envoyer.", name);
	object_init(&o, &kind_relay, name);
	result = set_attributes(q, &q->f, &o, false);
	if (result == REGISTRY_OK &&
	    object_put(&o, "created", now_text(date)) == -1)
		result = say_failed(q);
	if (result == REGISTRY_OK)
		result = change(q, NULL, &o);
	if (result == REGISTRY_OK)
		row_object(q, &o, false);
	object_free(&o);
	return result;
}

enum registry_result
op_relay_list(struct request *q)
{
	return list(q, &kind_relay, "relay/");
}

enum registry_result
op_relay_set(struct request *q)
{
	struct str bytes = STR_INIT(STORE_VALUE_MAX);
	enum registry_result result;
	struct object before, after;
	char name[ADDR_TEXT_MAX];

	if ((result = field_name(q, &kind_relay, name)) != REGISTRY_OK)
		return result;
	result = fetch(q, &kind_relay, name, &bytes, &before);
	if (result == REGISTRY_OK) {
		after = before;	/* borrows; what is set is copied */
		result = set_attributes(q, &q->f, &after, false);
		if (result == REGISTRY_OK)
			result = change(q, &before, &after);
		if (result == REGISTRY_OK)
			row_object(q, &after, false);
		object_free(&after);
	}
	str_free(&bytes);
	return result;
}

enum registry_result
op_relay_delete(struct request *q)
{
	struct str bytes = STR_INIT(STORE_VALUE_MAX);
	enum registry_result result;
	char name[ADDR_TEXT_MAX];
	struct object o;

	if ((result = field_name(q, &kind_relay, name)) != REGISTRY_OK)
		return result;
	result = fetch(q, &kind_relay, name, &bytes, &o);
	if (result == REGISTRY_OK)
		result = change(q, &o, NULL);
	str_free(&bytes);
	return result;
}
