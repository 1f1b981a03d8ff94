/* op_domain.c - the operations on domains. */
/* SPDX-License-Identifier: ISC */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/date.h"
#include "registry/folder.h"
#include "registry/gone.h"
#include "registry/limits.h"
#include "registry/operation.h"
#include "registry/rights.h"
#include "registry/strays.h"

/* Longer names leave no room for a table's file name. */
#define DOMAIN_NAME_MAX 230
/* The main domain that d wants to be another name of must be one. */
static enum registry_result
check_alias_of(struct request *q, const struct object *d)
{
	struct str bytes = STR_INIT(STORE_VALUE_MAX);
	struct slice alias_of = object_get(d, "alias-of");
	enum registry_result result;
	char name[ADDR_TEXT_MAX];
	struct object m;

	if (slice_to_cstr(alias_of, name, sizeof(name)) == -1)
		return say(q, REGISTRY_INVALID, "alias-of is no domain.",
		    "alias-of n'est pas un domaine.");
	result = fetch(q, &kind_domain, name, &bytes, &m);
	if (result == REGISTRY_OK)
		result = rights_scope(q, &kind_domain, name);
	if (result == REGISTRY_OK && strcmp(name, d->name) == 0)
		result = say(q, REGISTRY_INVALID,
		    "%s cannot be an alias of itself.",
		    "%s ne peut pas être un alias de lui-même.", name);
	else if (result == REGISTRY_OK && object_get(&m, "alias-of").p != NULL)
		result = say(q, REGISTRY_INVALID,
		    "%s is itself an alias of %.*s: name that one.",
		    "%s est lui-même un alias de %.*s : indiquez celui-ci.",
		    name, SLICE_FMT(object_get(&m, "alias-of")));
	str_free(&bytes);
	return result;
}

/* The uid of a new main domain: the one it had before, or the next. */
static enum registry_result
choose_uid(struct request *q, struct object *d)
{
	struct str bytes = STR_INIT(STORE_VALUE_MAX);
	enum registry_result result = REGISTRY_OK;
	struct object old;
	char text[24];
	uint64_t uid = 0;
	int found;

	found = object_load(q->r->store, &kind_removed, d->name, &bytes, &old);
	if (found == -1)
		result = say_failed(q);
	else if (found == 1 && q->role == ROLE_MANAGER)
		/* It would have lost its state and its limits, and whoever had
		 * it before the mail that is kept for them. */
		result = say(q, REGISTRY_REFUSED,
		    "%s was deleted on %.10s and its mail is still on the disk. "
		    "Root and the group \"%s\" can take it again; whoever has "
		    "deleted it can undo that: malle undo",
		    "%s a été supprimé le %.10s et son courrier est encore sur "
		    "le disque. Root et le groupe « %s » peuvent le reprendre ; "
		    "qui l'a supprimé peut l'annuler : malle undo", d->name,
		    object_get(&old, "date").p, q->r->conf.admin_group);
	else if (found == 1 && !field_yes(q, "force"))
		result = say(q, REGISTRY_EXISTS,
		    "%s was deleted on %.10s and its mail is still on the disk. "
		    "With force it is taken again, without its old mailboxes.",
		    "%s a été supprimé le %.10s et son courrier est encore sur "
		    "le disque. Avec force il est repris, sans ses anciennes "
		    "boîtes.", d->name, object_get(&old, "date").p);
	else if (found == 1) {
		uid = object_number(&old, "uid");
		result = change(q, &old, NULL);
	} else
		result = next_uid(q, &uid);
	snprintf(text, sizeof(text), "%" PRIu64, uid);
	if (result == REGISTRY_OK &&
	    object_put(d, "uid", slice_of(text)) == -1)
		result = say_failed(q);
	str_free(&bytes);
	return result;
}

/* What a manager makes belongs to the customer that it manages. */
static enum registry_result
give_client(struct request *q, struct object *d)
{
	struct str bytes = STR_INIT(STORE_VALUE_MAX);
	enum registry_result result;
	struct object me;

	if (q->role != ROLE_MANAGER)
		return REGISTRY_OK;
	result = fetch(q, &kind_manager, q->account, &bytes, &me);
	if (result == REGISTRY_OK && object_get(&me, "client").p == NULL)
		result = say(q, REGISTRY_REFUSED,
		    "You manage no customer that a domain could belong to.",
		    "Vous ne gérez aucun client à qui donner un domaine.");
	else if (result == REGISTRY_OK &&
	    object_put(d, "client", object_get(&me, "client")) == -1)
		result = say_failed(q);
	str_wipe(&bytes);
	return result;
}

static enum registry_result
add(struct request *q, struct object *d)
{
	bool is_main = object_get(d, "alias-of").p == NULL;
	enum registry_result result;
	char date[DATE_MAX];

	if (object_put(d, "created", now_text(date)) == -1)
		return say_failed(q);
	if ((result = give_client(q, d)) != REGISTRY_OK ||
	    (result = judge_references(q, d)) != REGISTRY_OK)
		return result;
	result = is_main ? choose_uid(q, d) : check_alias_of(q, d);
	if (result == REGISTRY_OK)
		result = change(q, NULL, d);
	if (result == REGISTRY_OK && is_main)
		result = make_structural(q, d->name);
	return result == REGISTRY_OK ? check_catch_all(q, d) : result;
}

enum registry_result
op_domain_add(struct request *q)
{
	struct str bytes = STR_INIT(STORE_VALUE_MAX);
	enum registry_result result;
	char name[ADDR_TEXT_MAX];
	struct object d;
	int found;

	if ((result = field_name(q, &kind_domain, name)) != REGISTRY_OK)
		return result;
	if (strlen(name) > DOMAIN_NAME_MAX)
		return say(q, REGISTRY_INVALID,
		    "The domain is too long: 230 characters at most.",
		    "Le domaine est trop long : 230 caractères au plus.");
	found = registry_domain(q->r, name, &bytes, &d);
	str_free(&bytes);
	if (found == -1)
		return say_failed(q);
	if (found == 1)
		return say(q, REGISTRY_EXISTS, "The domain %s exists already.",
		    "Le domaine %s existe déjà.", name);
	object_init(&d, &kind_domain, name);
	result = set_attributes(q, &q->f, &d, false);
	if (result == REGISTRY_OK)
		result = add(q, &d);
	if (result == REGISTRY_OK)
		row_object(q, &d, false);
	object_free(&d);
	return result == REGISTRY_OK ? say(q, REGISTRY_OK,
	    "The domain %s is there.", "Le domaine %s est en place.", name) :
	    result;
}

enum registry_result
op_domain_list(struct request *q)
{
	return list(q, &kind_domain, "domain/");
}

/* What a walk over the addresses of a domain finds. */
struct census {
	struct registry *r;
	uint64_t users, aliases;
	bool others;		/* than those from the beginning, untouched */
	struct str names;	/* kind, space, address, LF */
	bool want_names;
};

static int
count_address(void *arg, struct slice key, struct slice value)
{
	struct census *c = arg;
	struct object o;
	int found;

	(void)key;
	if (object_decode(value, &o) == -1)
		return -1;
	if (o.kind == &kind_user)
		c->users++;
	else
		c->aliases++;
	if ((found = is_mandatory(c->r, o.name)) == -1)
		return -1;
	if (found == 0 ||
	    (o.kind == &kind_user && !object_is(&o, "hash", "!")))
		c->others = true;
	if (c->want_names) {
		str_puts(&c->names, o.name);
		str_putc(&c->names, '\n');
	}
	return str_ok(&c->names) ? 0 : -1;
}

static int
take_census(struct registry *r, const char *domain, struct census *c)
{
	char prefix[STORE_KEY_MAX];

	c->r = r;
	snprintf(prefix, sizeof(prefix), "address/%s/", domain);
	return store_each(r->store, slice_of(prefix), SLICE_EMPTY,
	    count_address, c);
}

struct alias_search {
	const char *of;
	struct str names;
	uint64_t n;
};

static int
find_alias(void *arg, struct slice key, struct slice value)
{
	struct alias_search *s = arg;
	struct object d;

	(void)key;
	if (object_decode(value, &d) == -1)
		return -1;
	if (object_is(&d, "alias-of", s->of)) {
		if (s->n++ > 0)
			str_puts(&s->names, ", ");
		str_puts(&s->names, d.name);
	}
	return 0;
}

static int
find_aliases(struct registry *r, const char *of, struct alias_search *s)
{
	*s = (struct alias_search){ of, STR_INIT(ATTRIBUTE_VALUE_MAX), 0 };
	return store_each(r->store, SLICE("domain/"), SLICE_EMPTY, find_alias,
	    s);
}

enum registry_result
op_domain_show(struct request *q)
{
	struct str bytes = STR_INIT(STORE_VALUE_MAX);
	enum registry_result result;
	struct alias_search s;
	struct object d;

	result = fetch_named(q, &kind_domain, &bytes, &d);
	if (result == REGISTRY_OK && find_aliases(q->r, d.name, &s) == -1) {
		result = say_failed(q);
	} else if (result == REGISTRY_OK) {
		row_domain(q, &d, str_slice(&s.names));
		str_free(&s.names);
	}
	str_free(&bytes);
	return result;
}

enum registry_result
forget_relays(struct request *q, const char *domain)
{
	struct gone gone = GONE_INIT;
	struct leaving leaving = { 0, 0, 0 };
	char all[ADDR_TEXT_MAX];

	snprintf(all, sizeof(all), "@%.*s", ADDR_DOMAIN_MAX, domain);
	return gone_judge(q, &gone, leave_mentions(q, all, false, &gone,
	    &leaving));
}

/* Deletes every address of a domain; what is on the disk is on record. */
static enum registry_result
delete_addresses(struct request *q, const char *domain)
{
	struct census c = { .names = STR_INIT(1024 * 1024 * 1024),
		.want_names = true };
	struct str bytes = STR_INIT(STORE_VALUE_MAX);
	enum registry_result result = REGISTRY_OK;
	char name[ADDR_TEXT_MAX];
	struct slice rest;
	struct object o;

	if (take_census(q->r, domain, &c) == -1)
		result = say_failed(q);
	rest = str_slice(&c.names);
	while (result == REGISTRY_OK && rest.len > 0) {
		if (slice_to_cstr(slice_cut(&rest, '\n'), name,
		    sizeof(name)) == -1 || object_load(q->r->store, &kind_user,
		    name, &bytes, &o) != 1)
			result = say_failed(q);
		else if (o.kind == &kind_user)
			result = remove_user(q, &o);
		else
			result = change(q, &o, NULL);
	}
	str_free(&bytes);
	str_free(&c.names);
	return result;
}

/* A main domain becomes another name of one: its own addresses must go. */
static enum registry_result
become_alias(struct request *q, struct object *d)
{
	struct census c = { .names = STR_INIT(0) };
	struct alias_search s;
	enum registry_result result;

	if (take_census(q->r, d->name, &c) == -1 ||
	    find_aliases(q->r, d->name, &s) == -1)
		return say_failed(q);
	str_free(&s.names);
	if (c.others)
		return say(q, REGISTRY_INVALID,
		    "%s has addresses of its own: delete them first.",
		    "%s a ses propres adresses : supprimez-les d'abord.",
		    d->name);
	if (s.n > 0)
		return say(q, REGISTRY_INVALID,
		    "%s has domain aliases: change them first.",
		    "%s a des alias de domaine : modifiez-les d'abord.",
		    d->name);
	if ((result = check_alias_of(q, d)) != REGISTRY_OK ||
	    (result = delete_addresses(q, d->name)) != REGISTRY_OK)
		return result;
	return forget_relays(q, d->name);
}

/* Inventory 0-41, 2-14: what whoever sets a catch-all should know. */
static enum registry_result
warn_catch_all(struct request *q, const struct object *d)
{
	struct slice to = object_get(d, "catch-all");
	unsigned days = (unsigned)q->r->conf.catch_all_days;

	if (to.p == NULL || slice_eq(to, SLICE("refuse")))
		return REGISTRY_OK;
	if (slice_eq(to, SLICE("discard")))
		return say(q, REGISTRY_OK, SAY_WARNING "whoever mistypes an "
		    "address of %s will never know: \"refuse\" tells him.",
		    SAY_ATTENTION "qui se trompe d'adresse dans %s n'en "
		    "saura rien : « refuse » le lui dit.", d->name);
	if (days != 0 && strays_is_mailbox(q->r, to) == 1)
		return say(q, REGISTRY_OK, SAY_WARNING "all the spam to "
		    "invented names of %s comes too: see to it that this is "
		    "read and emptied, or come back to \"refuse\". What stays "
		    "in the inbox is removed when it is %u days old, a week "
		    "after a notice.", SAY_ATTENTION "tout le courrier "
		    "indésirable aux noms inventés de %s arrivera aussi : "
		    "faites-le relever et vider régulièrement, ou revenez à "
		    "« refuse ». Ce qui reste dans la boîte de réception est "
		    "supprimé au bout de %u jours, une semaine après un avis.",
		    d->name, days);
	return say(q, REGISTRY_OK, SAY_WARNING "all the spam to invented names "
	    "of %s comes too: see to it that this is read and emptied, or come "
	    "back to \"refuse\".", SAY_ATTENTION "tout le courrier "
	    "indésirable aux noms inventés de %s arrivera aussi : faites-le "
	    "relever et vider régulièrement, ou revenez à « refuse ».",
	    d->name);
}

static enum registry_result
set(struct request *q, const struct object *before, struct object *after,
    const void *arg)
{
	bool was = object_get(before, "alias-of").p != NULL;
	enum registry_result result;
	char date[DATE_MAX];
	bool is;

	(void)arg;
	result = set_attributes(q, &q->f, after, false);
	if (result == REGISTRY_OK)
		result = judge_references(q, after);
	if (result != REGISTRY_OK)
		return result;
	is = object_get(after, "alias-of").p != NULL;
	if (!slice_eq(object_get(before, "state"), object_get(after, "state")) &&
	    object_put(after, "since", now_text(date)) == -1)
		return say_failed(q);
	if (is && !was)
		result = become_alias(q, after);
	else if (is)
		result = check_alias_of(q, after);
	else if (was && object_get(after, "uid").p == NULL)
		result = choose_uid(q, after);
	if (result == REGISTRY_OK && !is)
		result = limits_give_quotas(q, after);
	if (result == REGISTRY_OK)
		result = change(q, before, after);
	if (result == REGISTRY_OK && was && !is)
		result = make_structural(q, after->name);
	if (result == REGISTRY_OK && field(q, "catch-all").p != NULL)
		result = check_catch_all(q, after);
	if (result == REGISTRY_OK && field(q, "catch-all").p != NULL)
		result = warn_catch_all(q, after);
	return result;
}

enum registry_result
op_domain_set(struct request *q)
{
	return amend_named(q, &kind_domain, set);
}

/* A name for the record of what is left: its own, or another when that is the
 * record of somebody's who had the name before. 0, 1 there is one, -1. */
static int
record_name(struct request *q, const struct object *left, char *out)
{
	struct str bytes = STR_INIT(STORE_VALUE_MAX);
	char local[ADDR_LOCAL_MAX + 1];
	struct object o;
	int found;

	memcpy(out, left->name, sizeof(left->name));
	for (unsigned n = 2; n < FOLDERS_MAX; n++) {
		found = object_load(q->r->store, &kind_removed, out, &bytes,
		    &o);
		if (found != 1 || left->kind != &kind_user ||
		    slice_eq(folder_of(&o), folder_of(left))) {
			str_free(&bytes);
			return found;
		}
		folder_numbered(left->name, n, local);
		snprintf(out, ADDR_TEXT_MAX, "%s@%.*s", local, ADDR_DOMAIN_MAX,
		    address_domain(left->name));
	}
	str_free(&bytes);
	errno = EEXIST;	/* rather than to lose track of mail */
	return -1;
}

/* What the record of a mailbox says beyond that of a domain. 0 or -1. */
static int
describe(struct object *o, const struct object *left)
{
	struct slice folder = folder_of(left);

	if (!slice_eq(folder, address_local(o->name)) &&
	    object_put(o, "folder", folder) == -1)
		return -1;
	return strcmp(o->name, left->name) == 0 ? 0 :
	    object_put(o, "mailbox", slice_of(left->name));
}

enum registry_result
leave_record(struct request *q, const struct object *left, struct slice uid)
{
	enum registry_result result = REGISTRY_OK;
	char date[DATE_MAX], change_id[24], name[ADDR_TEXT_MAX];
	struct object o;
	int found = record_name(q, left, name);

	if (found == -1)
		return say_failed(q);
	if (found == 1 || uid.p == NULL)
		return REGISTRY_OK;
	object_init(&o, &kind_removed, name);
	snprintf(change_id, sizeof(change_id), "%" PRIu64,
	    q->r->journal_request);
	if (object_put(&o, "change", slice_of(change_id)) == -1 ||
	    object_put(&o, "date", now_text(date)) == -1 ||
	    object_put(&o, "uid", uid) == -1 ||
	    (left->kind == &kind_user && describe(&o, left) == -1))
		result = say_failed(q);
	else
		result = change(q, NULL, &o);
	object_free(&o);
	return result;
}

enum registry_result
judge_empty(struct request *q, const char *domain)
{
	struct census c = { .names = STR_INIT(0) };
	struct alias_search s;

	if (take_census(q->r, domain, &c) == -1 ||
	    find_aliases(q->r, domain, &s) == -1)
		return say_failed(q);
	str_free(&s.names);
	if (c.users + c.aliases + s.n > 0)
		return say(q, REGISTRY_INVALID,
		    "%s has addresses or other names that need it.",
		    "%s a des adresses ou d'autres noms qui en ont besoin.",
		    domain);
	return REGISTRY_OK;
}

static enum registry_result
may_delete(struct request *q, const char *name)
{
	struct census c = { .names = STR_INIT(0) };
	enum registry_result result = REGISTRY_OK;
	struct alias_search s;

	if (take_census(q->r, name, &c) == -1 ||
	    find_aliases(q->r, name, &s) == -1)
		return say_failed(q);
	if (s.n > 0)
		result = say(q, REGISTRY_INVALID,
		    "%.400s: alias of %s. Delete that first.",
		    "%.400s : alias de %s. Supprimez-le d'abord.",
		    str_c(&s.names), name);
	else if (c.others && !field_yes(q, "all"))
		result = say(q, REGISTRY_INVALID,
		    "%s has %llu mailboxes and %llu aliases. To delete all of "
		    "them with it, ask for it: --all",
		    "%s a %llu boîtes et %llu alias. Pour tout supprimer avec "
		    "lui, demandez-le : --all", name,
		    (unsigned long long)c.users, (unsigned long long)c.aliases);
	str_free(&s.names);
	return result;
}

enum registry_result
op_domain_delete(struct request *q)
{
	struct str bytes = STR_INIT(STORE_VALUE_MAX);
	enum registry_result result;
	struct object d;

	result = fetch_named(q, &kind_domain, &bytes, &d);
	if (result == REGISTRY_OK)
		result = may_delete(q, d.name);
	if (result == REGISTRY_OK)
		result = delete_addresses(q, d.name);
	if (result == REGISTRY_OK)
		result = leave_record(q, &d, object_get(&d, "uid"));
	if (result == REGISTRY_OK)
		result = change(q, &d, NULL);
	if (result == REGISTRY_OK)
		result = forget_domain(q, d.name);
	if (result == REGISTRY_OK)
		result = forget_relays(q, d.name);
	str_free(&bytes);
	return result;
}
