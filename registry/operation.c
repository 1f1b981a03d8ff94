/* operation.c - a request: judged, done, answered; what all acts use. */
/* SPDX-License-Identifier: ISC */

#include "registry/operation.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "lib/date.h"
#include "lib/log.h"
#include "lib/num.h"
#include "registry/folder.h"
#include "registry/journal.h"
#include "registry/limits.h"
#include "registry/rights.h"

enum registry_result
say(struct request *q, enum registry_result result, const char *english,
    const char *french, ...)
{
	va_list ap;

	va_start(ap, french);
	vsnprintf(q->text, sizeof(q->text), q->french ? french : english, ap);
	va_end(ap);
	return result;
}

enum registry_result
say_failed(struct request *q)
{
	const char *reason = strerror(errno);

	log_error(NULL, "store", "operation=%s error=%s", q->op->name,
	    LOGS(reason));
	return say(q, REGISTRY_TEMPORARY,
	    "Nothing was changed: the registry failed (%s). Look at its log.",
	    "Rien n'a changé : le registre a échoué (%s). Voyez son journal "
	    "système.", reason);
}

struct slice
field(const struct request *q, const char *name)
{
	return registry_field(&q->f, name);
}

bool
field_yes(const struct request *q, const char *name)
{
	struct slice v = field(q, name);

	return v.p != NULL && slice_eq(v, SLICE("yes"));
}

enum registry_result
field_number(struct request *q, const char *name, uint64_t initial,
    uint64_t *out)
{
	struct slice v = field(q, name);

	*out = initial;
	if (v.p != NULL && num_parse(v, 0, INT64_MAX, out) == -1)
		return say(q, REGISTRY_INVALID, "%s must be a number.",
		    "%s doit être un nombre.", name);
	return REGISTRY_OK;
}

struct slice
now_text(char *out)
{
	return slice_of(date_iso(time(NULL), out));
}

enum registry_result
main_domain(struct request *q, char *address)
{
	struct str bytes = STR_INIT(STORE_VALUE_MAX);
	enum registry_result result = REGISTRY_OK;
	struct slice local = address_local(address), alias_of;
	char copy[ADDR_TEXT_MAX];
	struct object d;
	int found;

	found = registry_domain(q->r, address_domain(address), &bytes, &d);
	if (found == -1) {
		result = say_failed(q);
	} else if (found == 0) {
		result = say(q, REGISTRY_NOT_FOUND,
		    "There is no domain %s here. Add it first: "
		    "malle domain add %s",
		    "Il n'y a pas de domaine %s ici. Ajoutez-le d'abord : "
		    "malle domain add %s", address_domain(address),
		    address_domain(address));
	} else if ((alias_of = object_get(&d, "alias-of")).p != NULL) {
		snprintf(copy, sizeof(copy), "%.*s@%.*s", SLICE_FMT(local),
		    SLICE_FMT(alias_of));
		memcpy(address, copy, sizeof(copy));
	}
	str_free(&bytes);
	return result;
}

enum registry_result
field_name(struct request *q, const struct kind *k, char *out)
{
	struct slice in = field(q, q->op->needs);
	struct text why;

	if (k->valid_name(in, out, &why) == -1)
		return say(q, REGISTRY_INVALID, "\"%.*s\" %s.",
		    "« %.*s » %s.", (int)(in.len > 200 ? 200 : in.len), in.p,
		    q->french ? why.french : why.english);
	return k->valid_name == name_address ? main_domain(q, out) :
	    REGISTRY_OK;
}

static const char *
kind_word(const struct request *q, const struct kind *k)
{
	if (k == &kind_domain)
		return q->french ? "domaine" : "domain";
	if (k == &kind_user)
		return q->french ? "boîte" : "mailbox";
	if (k == &kind_relay)
		return q->french ? "autorisation" : "permission";
	if (k == &kind_suffix)
		return q->french ? "terminaison" : "end of domains";
	if (k == &kind_client)
		return q->french ? "client" : "customer";
	if (k == &kind_manager)
		return q->french ? "gestionnaire" : "manager";
	return k->name;
}

enum registry_result
fetch(struct request *q, const struct kind *k, const char *name,
    struct str *bytes, struct object *out)
{
	int found = object_load(q->r->store, k, name, bytes, out);

	if (found == -1)
		return say_failed(q);
	if (found == 0)
		return say(q, REGISTRY_NOT_FOUND, "There is no %s %s.",
		    "Il n'y a pas de %s %s.", kind_word(q, k), name);
	if (out->kind != k)
		return say(q, REGISTRY_NOT_FOUND,
		    "%s is no %s: it is of the kind \"%s\".",
		    "%s n'est pas de ce genre (%s) : son genre est « %s ».",
		    name, kind_word(q, k), out->kind->name);
	return REGISTRY_OK;
}

enum registry_result
fetch_named(struct request *q, const struct kind *k, struct str *bytes,
    struct object *out)
{
	enum registry_result result;
	char name[ADDR_TEXT_MAX];

	result = field_name(q, k, name);
	return result == REGISTRY_OK ? fetch(q, k, name, bytes, out) : result;
}

static enum registry_result
amend_and_show(struct request *q, const struct kind *k, const char *name,
    amend_act *how, const void *arg, bool shown)
{
	struct str bytes = STR_INIT(STORE_VALUE_MAX);
	enum registry_result result;
	struct object before, after;

	result = fetch(q, k, name, &bytes, &before);
	if (result == REGISTRY_OK) {
		after = before;	/* borrows; what is set is copied */
		result = how(q, &before, &after, arg);
		if (result == REGISTRY_OK && shown)
			row_object(q, &after, false);
		object_free(&after);
	}
	str_wipe(&bytes);
	return result;
}

enum registry_result
amend(struct request *q, const struct kind *k, const char *name,
    amend_act *how, const void *arg)
{
	return amend_and_show(q, k, name, how, arg, false);
}

enum registry_result
amend_named(struct request *q, const struct kind *k, amend_act *how)
{
	enum registry_result result;
	char name[ADDR_TEXT_MAX];

	result = field_name(q, k, name);
	return result == REGISTRY_OK ?
	    amend_and_show(q, k, name, how, NULL, true) : result;
}

enum registry_result
change(struct request *q, const struct object *before,
    const struct object *after)
{
	struct actor who = { q->uid, q->account, q->op->name,
		field(q, "from") };
	/* An undo has the mailbox back before the record of its mail goes, and
	 * judges the whole. */
	enum registry_result result = folder_judge(q, after,
	    q->op->act != op_undo && q->op->act != op_user_restore);

	/* Nobody takes a name again while its old mail is going. */
	if (before != NULL && before->kind == &kind_removed &&
	    strcmp(before->name, q->r->purging) == 0)
		return say(q, REGISTRY_TEMPORARY,
		    "The mail of %s is being deleted just now: try again in a "
		    "moment.", "Le courrier de %s est en cours de suppression : "
		    "réessayez dans un instant.", before->name);
	if (result != REGISTRY_OK)
		return result;
	if (registry_change(q->r, &who, before, after) == 0)
		return limits_judge(q, before, after);
	return errno != EMSGSIZE ? say_failed(q) : say(q, REGISTRY_INVALID,
	    "%s would be too large: all that is said of it may have %d bytes.",
	    "%s serait trop long : tout ce qui en est dit peut avoir %d "
	    "octets.", (after != NULL ? after : before)->name,
	    OBJECT_BYTES_MAX);
}

/* Judging a request before it is done. */

const struct operation *
operation_find(struct slice name)
{
	for (const struct operation *op = operations; op->name != NULL; op++)
		if (slice_eq(name, slice_of(op->name)))
			return op;
	return NULL;
}

static int
copy_secret(struct slice from, char *to, size_t *len)
{
	if (from.p == NULL || from.len > PASSWORD_MAX ||
	    memchr(from.p, '\0', from.len) != NULL)
		return -1;
	memcpy(to, from.p, from.len);
	*len = from.len;
	return 0;
}

static enum registry_result
prepare_job(struct request *q, struct hash_job *j)
{
	struct slice password = field(q, "password");
	enum registry_result result;
	char name[ADDR_TEXT_MAX];

	if (q->proving) {
		if (copy_secret(field(q, "current"), j->current,
		    &j->current_len) == -1)
			return rights_refuse(q);
		rights_login(q, j->known);
	}
	if (password.p == NULL || !(q->op->flags & OP_HASH))
		return REGISTRY_OK;
	/* To somebody unknown, nothing tells whether an account exists. */
	if ((result = field_name(q, q->op->kind, name)) != REGISTRY_OK)
		return q->proving ? rights_refuse(q) : result;
	if ((result = judge_password(q, name, password)) != REGISTRY_OK)
		return result;
	if (field_yes(q, "check"))
		return REGISTRY_OK;
	return copy_secret(password, j->password, &j->password_len) == -1 ?
	    say(q, REGISTRY_INVALID, "This password cannot be used.",
	    "Ce mot de passe est inutilisable.") : REGISTRY_OK;
}

/* True when the asker is to be known by a password. */
static bool
wants_login(const struct request *q)
{
	if (q->role == ROLE_AUTHD || field(q, "current").p == NULL)
		return false;
	return field(q, "as").p != NULL || (q->role == ROLE_ANY &&
	    (q->op->roles & ROLE_OWNER) && field(q, "address").p != NULL);
}

/* What goes into the journal as told must at least be a short word or two. */
static bool
is_place(struct slice from)
{
	for (size_t i = 0; i < from.len; i++)
		if (from.p[i] < ' ' || from.p[i] > '~')
			return false;
	return from.len <= JOURNAL_FROM_MAX;
}

enum registry_result
operation_prepare(struct request *q, struct slice operation,
    struct hash_job **job)
{
	enum registry_result result;

	*job = NULL;
	q->french = slice_eq(field(q, "language-of-answer"), SLICE("fr"));
	if ((q->op = operation_find(operation)) == NULL)
		return say(q, REGISTRY_INVALID, "There is no such operation.",
		    "Cette opération n'existe pas.");
	q->proving = wants_login(q);
	/* Without a password, "as" must not be taken for the caller's role. */
	if ((!q->proving && (field(q, "as").p != NULL ||
	    !(q->op->roles & q->role))) ||
	    (q->proving && (q->op->flags & (OP_LONG | OP_LINES)) == OP_LONG))
		return rights_refuse(q);
	if (!is_place(field(q, "from")))
		return say(q, REGISTRY_INVALID,
		    "The field from must have %d ASCII characters at most.",
		    "Le champ from doit avoir au plus %d caractères ASCII.",
		    JOURNAL_FROM_MAX);
	if (q->op->needs != NULL && field(q, q->op->needs).p == NULL)
		return say(q, REGISTRY_INVALID, "The field %s is missing.",
		    "Le champ %s manque.", q->op->needs);
	if (!q->proving && (!(q->op->flags & OP_HASH) ||
	    field(q, "password").p == NULL))
		return REGISTRY_OK;
	if ((*job = calloc(1, sizeof(**job))) == NULL)
		return say_failed(q);
	result = prepare_job(q, *job);
	if (result != REGISTRY_OK) {
		hash_job_free(*job);
		*job = NULL;
	}
	return result;
}

enum registry_result
operation_run(struct request *q)
{
	uint64_t next = q->r->journal_next;
	size_t text_len = q->r->journal_text.len;
	size_t stale_n = q->r->stale_n;
	enum registry_result result;
	bool dry;

	if (store_begin(q->r->store) == -1)
		return say_failed(q);
	q->r->journal_request = next;
	if ((result = rights_judge(q)) == REGISTRY_OK)
		result = q->op->act(q);
	if (result == REGISTRY_OK && q->out->bad)
		result = say_failed(q);
	/* Asked for "check", everything is judged and nothing done. */
	dry = field_yes(q, "check");
	if (result == REGISTRY_OK && (q->op->flags & OP_WRITE) && !dry) {
		if (store_commit(q->r->store) == 0)
			return REGISTRY_OK;
		result = say_failed(q);
	} else {
		store_abort(q->r->store);
	}
	journal_forget(q->r, next, text_len);
	q->r->stale_n = stale_n;
	return result;
}
