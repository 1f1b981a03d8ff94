/* op_mailbox.c - the operations on the mail itself, done by malle-mailbox. */
/* SPDX-License-Identifier: ISC */

/*
 * The registry only decides: it has malle-spawn start malle-mailbox with the
 * rights that the operation stands for, and the verdict carries the asker's end
 * of the pair (proto_mailbox.h). Nobody but the owner may read; who administers
 * may count, fill (a migration) and purge.
 */

#include <errno.h>
#include <unistd.h>

#include "lib/proto_mailbox.h"
#include "registry/operation.h"
#include "registry/purge.h"
#include "registry/rights.h"

static enum registry_result
say_no_spawn(struct request *q)
{
	return say(q, REGISTRY_TEMPORARY,
	    "The mailbox cannot be opened now (%s). Does malle-spawn run? "
	    "malle-start --status", "La boîte ne peut pas être ouverte (%s). "
	    "malle-spawn tourne-t-il ? malle-start --status", strerror(errno));
}

/* Who and where, from the objects of the account. */
static enum registry_result
locate(struct request *q, const char *name, struct spawn_mailbox *who)
{
	struct str bytes = STR_INIT(STORE_VALUE_MAX);
	enum registry_result result;
	struct slice folder;
	struct object o;

	result = fetch(q, &kind_user, name, &bytes, &o);
	if (result == REGISTRY_OK) {
		folder = object_get(&o, "folder");
		if (folder.p == NULL)
			folder = address_local(name);
		who->quota_bytes = object_number(&o, "quota-bytes");
		who->quota_messages = object_number(&o, "quota-messages");
		if (slice_to_cstr(folder, who->mailbox,
		    sizeof(who->mailbox)) == -1 ||
		    slice_to_cstr(slice_of(address_domain(name)), who->domain,
		    sizeof(who->domain)) == -1)
			result = say_failed(q);
	}
	if (bytes.p != NULL)
		explicit_bzero(bytes.p, bytes.len);
	if (result == REGISTRY_OK)
		result = fetch(q, &kind_domain, who->domain, &bytes, &o);
	if (result == REGISTRY_OK)
		who->uid = (uint32_t)object_number(&o, "uid");
	str_free(&bytes);
	return result;
}

/* The verdict carries the asker's end. */
static enum registry_result
open_as(struct request *q, const struct spawn_mailbox *who)
{
	if (q->give_fd > 0)
		close(q->give_fd);
	if ((q->give_fd = purge_spawn(q->r, who)) == -1) {
		q->give_fd = 0;
		return say_no_spawn(q);
	}
	return REGISTRY_OK;
}

static enum registry_result
open_with(struct request *q, unsigned rights, bool quota)
{
	struct spawn_mailbox who = { .rights = rights };
	enum registry_result result;
	char name[ADDR_TEXT_MAX];

	if ((result = field_name(q, &kind_user, name)) != REGISTRY_OK ||
	    (result = locate(q, name, &who)) != REGISTRY_OK)
		return result;
	if (!quota)
		who.quota_bytes = who.quota_messages = 0;
	return open_as(q, &who);
}

/* The numbers of all its mailboxes at once, for a list of thousands. */
enum registry_result
op_domain_measure(struct request *q)
{
	struct spawn_mailbox who = { .rights = BOX_MAY_MEASURE };
	struct str bytes = STR_INIT(STORE_VALUE_MAX);
	enum registry_result result;
	struct object d;

	result = fetch_named(q, &kind_domain, &bytes, &d);
	if (result == REGISTRY_OK) {
		who.uid = (uint32_t)object_number(&d, "uid");
		if (object_get(&d, "alias-of").p != NULL)
			result = say(q, REGISTRY_INVALID,
			    "%s is another name of a domain, and has no "
			    "mailboxes.", "%s est un autre nom d'un domaine, "
			    "et n'a pas de boîtes.", d.name);
		else if (slice_to_cstr(slice_of(d.name), who.domain,
		    sizeof(who.domain)) == -1)
			result = say_failed(q);
	}
	str_free(&bytes);
	return result == REGISTRY_OK ? open_as(q, &who) : result;
}

enum registry_result
op_mailbox_measure(struct request *q)
{
	return open_with(q, BOX_MAY_MEASURE, false);
}

enum registry_result
op_mailbox_open(struct request *q)
{
	unsigned rights = BOX_MAY_MEASURE;

	if (q->granted & GRANT_BACKUP)
		rights |= BOX_MAY_READ;
	if (q->granted & GRANT_RESTORE)
		rights |= BOX_MAY_WRITE;
	/* Who removes a message must find it. */
	if (q->granted & GRANT_REMOVE)
		rights |= BOX_MAY_READ | BOX_MAY_REMOVE;
	return open_with(q, rights, true);
}

/* Root's, for a migration: it may add, and see nothing of what is there. */
enum registry_result
op_mailbox_fill(struct request *q)
{
	return open_with(q, BOX_MAY_WRITE, false);
}

/* Not at once: the record says so, and the next look at the records acts. */
enum registry_result
op_mailbox_purge(struct request *q)
{
	struct str bytes = STR_INIT(STORE_VALUE_MAX);
	enum registry_result result;
	struct object before, after;
	char name[ADDR_TEXT_MAX];

	if ((result = field_name(q, &kind_removed, name)) != REGISTRY_OK ||
	    (result = rights_have(q, RIGHT_DELETE, &kind_user)) != REGISTRY_OK)
		return result;
	result = fetch(q, &kind_removed, name, &bytes, &before);
	if (result == REGISTRY_OK) {
		after = before;
		result = object_put(&after, "purge", SLICE("yes")) == -1 ?
		    say_failed(q) : change(q, &before, &after);
		object_free(&after);
	}
	str_free(&bytes);
	if (result != REGISTRY_OK)
		return result;
	q->r->purge_wanted = true;
	return say(q, REGISTRY_OK,
	    "The mail of %s is being deleted; its name is free when it has left "
	    "the list: malle mailbox deleted",
	    "Le courrier de %s est en cours de suppression ; son nom est libre "
	    "quand il a quitté la liste : malle mailbox deleted", name);
}
