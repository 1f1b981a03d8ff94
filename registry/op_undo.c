/* op_undo.c - a change of the journal undone, as a new change. */
/* SPDX-License-Identifier: ISC */

/*
 * What one request changed is undone together, its last entry first. Each
 * object must still be as that request left it; what the whole must obey
 * (domains, targets, addresses that must be) is judged when all is undone.
 */

#include <inttypes.h>
#include <stdio.h>

#include "registry/folder.h"
#include "registry/gone.h"
#include "registry/journal.h"
#include "registry/operation.h"
#include "registry/rights.h"

struct undoing {
	struct request *q;
	uint64_t first, last;	/* entries of one request */
	const char *deleted;	/* a mailbox that it must have deleted, or NULL */
	struct gone gone;	/* addresses that are taken away again */
	struct str left;	/* the last mailbox of them, encoded */
};

/* The first later entry about the same name, for the refusal. */
struct later {
	const struct kind *kind;
	const char *name;
	uint64_t id;
};

static const struct object *
object_of(const struct journal_entry *e)
{
	return e->has_after ? &e->after : &e->before;
}

static int
is_later(void *arg, const struct journal_entry *e)
{
	struct later *l = arg;

	if (strcmp(object_of(e)->name, l->name) != 0 ||
	    strcmp(object_of(e)->kind->space, l->kind->space) != 0)
		return 0;
	l->id = e->id;
	return 1;
}

static enum registry_result
say_changed(struct undoing *u, const struct journal_entry *e)
{
	struct later l = { object_of(e)->kind, object_of(e)->name, 0 };

	if (journal_each(u->q->r, u->last, is_later, &l) == -1)
		return say_failed(u->q);
	return say(u->q, REGISTRY_EXISTS,
	    "%s has changed since (change %" PRIu64 "): undo that first.",
	    "%s a changé depuis (modification %" PRIu64 ") : défaites-la "
	    "d'abord.", l.name, l.id);
}

/* Equal in all that the journal knows, but for one attribute, if not NULL. */
static bool
same(const struct object *a, const struct object *b, const char *but)
{
	if (a->kind != b->kind)
		return false;
	for (size_t i = 0; a->kind->attributes[i].name != NULL; i++)
		if (!(a->kind->attributes[i].flags & ATTR_QUIET) &&
		    (but == NULL ||
		    strcmp(a->kind->attributes[i].name, but) != 0) &&
		    ((a->value[i].p == NULL) != (b->value[i].p == NULL) ||
		    (a->value[i].p != NULL &&
		    !slice_eq(a->value[i], b->value[i]))))
			return false;
	return true;
}

/* A manager undoes what was done in its own name, while it has the rights. */
static enum registry_result
judge_right(struct undoing *u, struct journal_entry *e)
{
	const struct object *o = object_of(e);
	enum registry_result result;

	if (!slice_eq(e->account, slice_of(u->q->account)))
		return say(u->q, REGISTRY_REFUSED,
		    "This change is not one of yours.",
		    "Cette modification n'est pas de vous.");
	/* Hosts are nobody's but administrators': what a manager has done to
	 * them came with their mailbox, and is undone with it: judge_scope(). */
	if (o->kind == &kind_relay)
		return REGISTRY_OK;
	result = rights_have(u->q, !e->has_before ? RIGHT_DELETE :
	    e->has_after ? RIGHT_CHANGE : RIGHT_CREATE, o->kind);
	if (result != REGISTRY_OK || e->has_before || o->kind == &kind_removed)
		return result;
	return rights_scope(u->q, o->kind, o->name);
}

/* Hosts are those of their mailbox, if they have one. */
static enum registry_result
judge_hosts(struct undoing *u, const struct object *hosts)
{
	struct slice owner = object_get(hosts, "owner");
	char name[ADDR_TEXT_MAX];

	return owner.p != NULL && memchr(owner.p, '@', owner.len) != NULL &&
	    slice_to_cstr(owner, name, sizeof(name)) == 0 ?
	    rights_scope(u->q, &kind_user, name) :
	    rights_scope(u->q, &kind_relay, hosts->name);
}

/* Whose an object is that was not there is known when it is there again. */
static enum registry_result
judge_scope(struct undoing *u, struct journal_entry *e)
{
	const struct object *o = object_of(e);

	if (!e->has_before || o->kind == &kind_removed)
		return REGISTRY_OK;
	return o->kind == &kind_relay ? judge_hosts(u, &e->before) :
	    rights_scope(u->q, o->kind, o->name);
}

/* What is not journalled stays as it is. */
static void
keep_quiet(struct journal_entry *e, const struct object *now)
{
	for (size_t i = 0; now->kind->attributes[i].name != NULL; i++)
		if (now->kind->attributes[i].flags & ATTR_QUIET)
			e->before.value[i] = now->value[i];
}

/* A mailbox that comes back. When it was renamed since, the other name has just
 * been taken away: it is the one with the same folder. Nobody would take back a
 * mark that it sends too much, which is kept by name. 0 or -1. */
static int
take_back(struct undoing *u, struct journal_entry *e)
{
	struct object left;

	if (u->left.len > 0) {
		if (object_decode(str_slice(&u->left), &left) == -1)
			return -1;
		if (slice_eq(folder_of(&left), folder_of(&e->before)) &&
		    strcmp(address_domain(left.name),
		    address_domain(e->before.name)) == 0)
			keep_quiet(e, &left);
	}
	object_clear(&e->before, "sending");
	return 0;
}

/* Puts one object back, as the entry has it before. */
static enum registry_result
put_back(struct undoing *u, struct journal_entry *e, const struct object *now)
{
	const struct kind *k = object_of(e)->kind;
	int result = 0;

	if (now != NULL && e->has_before)
		keep_quiet(e, now);
	else if (e->has_before && k == &kind_user)
		result = take_back(u, e);
	else if (k == &kind_user)
		result = object_encode(now, &u->left);
	return result == -1 ? say_failed(u->q) : change(u->q, now,
	    e->has_before ? &e->before : NULL);
}

/* True for a list of senders that a name has left, or come to, with its
 * mailbox: nothing else was changed there. */
static bool
is_list(const struct undoing *u, const struct journal_entry *e)
{
	return u->first != u->last && e->has_before && e->has_after &&
	    same(&e->before, &e->after, "senders");
}

/* That list alone is put back: what else there is, is not of this request. One
 * that is another now stays so when the mailbox is to be restored. */
static enum registry_result
undo_list(struct undoing *u, struct journal_entry *e, const struct object *now)
{
	struct slice was = object_get(&e->before, "senders"), is;
	enum registry_result result;
	struct object after;

	if (now == NULL || now->kind != e->after.kind)
		return u->deleted != NULL ? REGISTRY_OK : say_changed(u, e);
	is = object_get(now, "senders");
	if (is.p == NULL || !slice_eq(is, object_get(&e->after, "senders")))
		return u->deleted != NULL ? REGISTRY_OK : say_changed(u, e);
	after = *now;		/* borrows; what is set is copied */
	if (was.p == NULL)
		object_clear(&after, "senders");
	else if (object_put(&after, "senders", was) == -1)
		return say_failed(u->q);
	result = change(u->q, now, &after);
	object_free(&after);
	return result;
}

static enum registry_result
undo_entry(struct undoing *u, struct journal_entry *e)
{
	const struct object *o = object_of(e);
	struct str bytes = STR_INIT(STORE_VALUE_MAX);
	enum registry_result result;
	struct object now;
	int found;

	found = object_load(u->q->r->store, o->kind, o->name, &bytes, &now);
	if (found == -1) {
		result = say_failed(u->q);
	} else if (slice_eq(e->operation, SLICE("purge"))) {
		result = say(u->q, REGISTRY_REFUSED,
		    "The mail of %s was deleted for good: nothing brings it "
		    "back.", "Le courrier de %s a été effacé pour toujours : "
		    "rien ne peut le rétablir.", o->name);
	} else if (is_list(u, e)) {
		result = undo_list(u, e, found == 1 ? &now : NULL);
	} else if (found == 0 && !e->has_before && u->deleted != NULL) {
		/* The redirect of a mailbox that comes back is gone already. */
		result = REGISTRY_OK;
	} else if (found == 1 && now.kind == &kind_user && !e->has_after &&
	    e->before.kind == &kind_user) {
		/* 9-05: two persons' mail is never one's. */
		result = say(u->q, REGISTRY_EXISTS,
		    "%s is another mailbox since %.10s: rename it (malle user "
		    "rename) or delete it first. Neither gets the mail of the "
		    "other.", "%s est une autre boîte depuis le %.10s : "
		    "renommez-la (malle user rename) ou supprimez-la d'abord. "
		    "Aucune des deux n'a le courrier de l'autre.", now.name,
		    object_get(&now, "created").p);
	} else if ((found == 1) != e->has_after ||
	    (found == 1 && !same(&now, &e->after, NULL))) {
		result = say_changed(u, e);
	} else {
		result = put_back(u, e, found == 1 ? &now : NULL);
	}
	str_wipe(&bytes);
	return result;
}

/* An address, or a domain, that is there again has its mail back; what another
 * one of its name has left is no mail of its. */
static enum registry_result
drop_record(struct request *q, const struct object *back)
{
	struct str bytes = STR_INIT(STORE_VALUE_MAX);
	enum registry_result result = REGISTRY_OK;
	struct object o;
	int found;

	found = object_load(q->r->store, &kind_removed, back->name, &bytes, &o);
	if (found == -1)
		result = say_failed(q);
	else if (found == 1 && (back->kind != &kind_user ||
	    slice_eq(folder_of(&o), folder_of(back))))
		result = change(q, &o, NULL);
	str_free(&bytes);
	return result;
}

/* Whose the folder of a mailbox that was taken back is now, in
 * whose[ADDR_TEXT_MAX]: 2 a mailbox that has its name again, 1 a record's, 0
 * nobody's, -1. */
static int
folder_now(struct request *q, const struct object *o, char *whose)
{
	struct str bytes = STR_INIT(STORE_VALUE_MAX);
	struct object now;
	int found = folder_taken(q->r, o, whose);

	if (found == 1) {
		found = object_load(q->r->store, &kind_user, whose, &bytes,
		    &now);
		if (found != -1)
			found = found == 1 && now.kind == &kind_user ? 2 : 1;
	}
	str_wipe(&bytes);
	return found;
}

/* The mail of a name that was taken back is its former name's again, and so is
 * what it got by that name; else both go as when a mailbox is deleted. */
static enum registry_result
leave_user(struct undoing *u, const struct object *o, struct slice uid)
{
	enum registry_result result = REGISTRY_OK;
	struct leaving leaving = { 0 };
	char whose[ADDR_TEXT_MAX];

	switch (folder_now(u->q, o, whose)) {
	case -1:
		return say_failed(u->q);
	case 0:
		result = leave_record(u->q, o, uid);
		break;
	case 2:
		return rename_mentions(u->q, o->name, whose);
	}
	return result == REGISTRY_OK ? leave_mentions(u->q, o->name, false,
	    &u->gone, &leaving) : result;
}

static enum registry_result
judge_gone_address(struct undoing *u, const struct object *o)
{
	struct request *q = u->q;
	struct str bytes = STR_INIT(STORE_VALUE_MAX);
	enum registry_result result = REGISTRY_OK;
	struct object d;
	int found;

	found = registry_domain(q->r, address_domain(o->name), &bytes, &d);
	if (found == -1)
		result = say_failed(q);
	else if (found == 1 && is_mandatory(q->r, o->name) != 0 &&
	    object_get(&d, "alias-of").p == NULL)
		result = say(q, REGISTRY_REFUSED,
		    "%s cannot be taken away: each domain must answer there "
		    "(RFC 2142).",
		    "%s ne peut pas être retirée : chaque domaine doit y "
		    "répondre (RFC 2142).", o->name);
	else if (found == 1 && o->kind == &kind_user)
		result = leave_user(u, o, object_get(&d, "uid"));
	str_free(&bytes);
	return result;
}

static enum registry_result
judge_gone_domain(struct request *q, const struct object *d)
{
	enum registry_result result;

	if ((result = judge_empty(q, d->name)) != REGISTRY_OK ||
	    (result = leave_record(q, d, object_get(d, "uid"))) !=
	    REGISTRY_OK || (result = forget_domain(q, d->name)) != REGISTRY_OK)
		return result;
	return forget_relays(q, d->name);
}

static enum registry_result
judge_gone(struct undoing *u, const struct object *o)
{
	if (o->kind == &kind_client)
		return judge_unused(u->q, o);
	if (o->kind == &kind_domain)
		return judge_gone_domain(u->q, o);
	/* What each domain must have is what another end asks for. */
	if (o->kind == &kind_suffix)
		return make_all_structural(u->q);
	return strcmp(o->kind->space, "address") == 0 ?
	    judge_gone_address(u, o) : REGISTRY_OK;
}

static enum registry_result
judge_there(struct request *q, const struct object *o)
{
	enum registry_result result = REGISTRY_OK;

	if (o->kind == &kind_domain)
		result = judge_domain(q, o->name);
	else if (o->kind == &kind_suffix)
		result = make_all_structural(q);
	else if (strcmp(o->kind->space, "address") == 0)
		result = judge_address(q, o->name);
	if (result == REGISTRY_OK)
		result = judge_references(q, o);
	if (result == REGISTRY_OK && strcmp(o->kind->space, "address") == 0)
		result = check_targets(q, o, !field_yes(q, "force"));
	if (result == REGISTRY_OK && o->kind == &kind_domain)
		result = check_catch_all(q, o);
	if (result == REGISTRY_OK &&
	    (o->kind == &kind_domain || o->kind == &kind_user))
		result = drop_record(q, o);
	return result == REGISTRY_OK ? folder_judge(q, o, true) : result;
}

/* As it is now, an object that the request was about must be allowed. */
static enum registry_result
judge_entry(struct undoing *u, struct journal_entry *e)
{
	const struct object *o = object_of(e);
	struct str bytes = STR_INIT(STORE_VALUE_MAX);
	enum registry_result result;
	struct object now;
	int found;

	if (is_list(u, e))
		return REGISTRY_OK;	/* what it is now is not of this */
	found = object_load(u->q->r->store, o->kind, o->name, &bytes, &now);
	if (found == -1)
		result = say_failed(u->q);
	else if (found == 1)
		result = judge_there(u->q, &now);
	else
		result = judge_gone(u, o);
	if (found == 0 && strcmp(o->kind->space, "address") == 0)
		gone_add(&u->gone, o->name);
	str_free(&bytes);
	return result;
}

/* A mailbox that went with its whole domain, whose record, there by now, has the
 * uid. */
static enum registry_result
leave_with_domain(struct undoing *u, struct journal_entry *e)
{
	const struct object *o = object_of(e);
	struct str bytes = STR_INIT(STORE_VALUE_MAX);
	enum registry_result result = REGISTRY_OK;
	const char *domain = address_domain(o->name);
	struct object d;
	int found = 1;

	if (o->kind == &kind_user)
		found = registry_domain(u->q->r, domain, &bytes, &d);
	if (found == 0 && (found = object_load(u->q->r->store, &kind_removed,
	    domain, &bytes, &d)) == 1)
		result = leave_record(u->q, o, object_get(&d, "uid"));
	str_free(&bytes);
	return found == -1 ? say_failed(u->q) : result;
}

static enum registry_result
each_entry(struct undoing *u,
    enum registry_result (*one)(struct undoing *u, struct journal_entry *e))
{
	struct str bytes = STR_INIT(STORE_VALUE_MAX);
	enum registry_result result = REGISTRY_OK;
	struct journal_entry e;

	for (uint64_t id = u->last; id >= u->first && result == REGISTRY_OK;
	    id--) {
		if (journal_get(u->q->r, id, &bytes, &e) != 1)
			result = say_failed(u->q);
		else
			result = one(u, &e);
	}
	str_wipe(&bytes);
	return result;
}

/* First and last entry of the request that id belongs to. 1, 0, -1. */
static int
find_request(struct registry *r, uint64_t id, struct undoing *u)
{
	struct str bytes = STR_INIT(STORE_VALUE_MAX);
	struct journal_entry e;
	int found;

	if ((found = journal_get(r, id, &bytes, &e)) == 1) {
		u->first = e.request;
		do
			u->last = id++;
		while ((found = journal_get(r, id, &bytes, &e)) == 1 &&
		    e.request == u->first);
		found = found == -1 ? -1 : 1;
	}
	str_free(&bytes);
	return found;
}

/* REGISTRY_OK when this is not the deletion that is looked for. */
static enum registry_result
is_no_deletion(struct undoing *u, struct journal_entry *e)
{
	return e->has_before && !e->has_after && e->before.kind == &kind_user &&
	    strcmp(e->before.name, u->deleted) == 0 ? REGISTRY_EXISTS :
	    REGISTRY_OK;
}

static enum registry_result
undo(struct request *q, uint64_t id, const char *deleted)
{
	struct undoing u = { .q = q, .deleted = deleted, .gone = GONE_INIT,
		.left = STR_INIT(STORE_VALUE_MAX) };
	enum registry_result result = REGISTRY_OK;
	int found;

	if ((found = find_request(q->r, id, &u)) == -1)
		return say_failed(q);
	if (found == 0)
		return say(q, REGISTRY_NOT_FOUND,
		    "The journal has no change %" PRIu64 ".",
		    "Le journal n'a pas de modification %" PRIu64 ".", id);
	/* A number that came with a dump is of another journal. */
	if (deleted != NULL &&
	    each_entry(&u, is_no_deletion) != REGISTRY_EXISTS)
		return say(q, REGISTRY_NOT_FOUND,
		    "The journal does not know how %s was deleted.",
		    "Le journal ne sait pas comment %s a été supprimée.",
		    deleted);
	if (q->role == ROLE_MANAGER && deleted == NULL)
		result = each_entry(&u, judge_right);
	if (result == REGISTRY_OK)
		result = each_entry(&u, undo_entry);
	str_wipe(&u.left);
	if (result == REGISTRY_OK && q->role == ROLE_MANAGER)
		result = each_entry(&u, judge_scope);
	if (result == REGISTRY_OK)
		result = each_entry(&u, judge_entry);
	if (result == REGISTRY_OK)
		result = each_entry(&u, leave_with_domain);
	result = gone_judge(q, &u.gone, result);
	if (result != REGISTRY_OK)
		return result;
	return say(q, REGISTRY_OK, "Undone: %" PRIu64 " entries.",
	    "Défait : %" PRIu64 " entrées.", u.last - u.first + 1);
}

enum registry_result
undo_request(struct request *q, uint64_t id)
{
	return undo(q, id, NULL);
}

enum registry_result
undo_deletion(struct request *q, uint64_t id, const char *deleted)
{
	return undo(q, id, deleted);
}

enum registry_result
op_undo(struct request *q)
{
	enum registry_result result;
	uint64_t id;

	result = field_number(q, "id", 0, &id);
	return result == REGISTRY_OK ? undo_request(q, id) : result;
}
