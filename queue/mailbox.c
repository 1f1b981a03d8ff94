/* mailbox.c - a recipient that is a mailbox of ours, as its account is now. */
/* SPDX-License-Identifier: ISC */
/*
 * The account may have changed since the message came. When its name is an
 * alias now (it was renamed, or deleted with a redirect), the copy that would
 * have been stored follows it to one mailbox; where it would become several, or
 * leave this machine, the sender is told where to write.
 */
#include "queue/mailbox.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TOLD 3			/* addresses named to the sender */

static void
address_of(const struct recipient *r, struct addr *out)
{
	memset(out, 0, sizeof(*out));
	memcpy(out->local, r->local.p, r->local.len);
	memcpy(out->domain, r->domain.p, r->domain.len);
}

/* Where an alias of ours leads, one a line. 1, 0: it is none, -1. */
static int
targets_of(struct tables *t, const struct addr *name, struct str *out)
{
	char account[ADDR_LOCAL_MAX + 1];
	struct address_record a;
	struct domain_record d;
	struct slice detail;
	const char *domain = name->domain;
	int found = tables_domain(t, domain, &d);

	str_clear(out);
	if (found != 1 ||
	    addr_account_of(name->local, account, &detail) == -1)
		return found;
	if (d.alias_of[0] != '\0')
		domain = d.alias_of;
	found = tables_address(t, domain, account, &a);
	if (found != 1 || a.kind != ADDRESS_ALIAS)
		return found == -1 ? -1 : 0;
	str_put(out, a.targets);
	return str_ok(out) ? 1 : -1;
}

static void
store_in(struct manager *q, struct active *a, struct recipient *r,
    const struct destination *d)
{
	free(r->folder);
	r->folder = NULL;
	if ((strlen(d->folder) != r->local.len ||
	    memcmp(d->folder, r->local.p, r->local.len) != 0) &&
	    (r->folder = strdup(d->folder)) == NULL) {
		life_answer(q, a, r, QUEUE_TEMPORARY,
		    "4.3.0 There is no memory for it at the moment");
		return;
	}
	r->uid = d->uid;
	r->quota_bytes = d->quota_bytes;
	r->quota_messages = d->quota_messages;
	r->quota_warning = d->quota_warning;
	memcpy(r->language, d->language, sizeof(r->language));
	(void)life_schedule(q, a, r, RCPT_MAILBOX, slice_of(d->domain));
}

/* To the sender; targets is where he may write to. */
static void
say_moved(struct manager *q, struct active *a, struct recipient *r,
    struct slice targets)
{
	char text[QUEUE_TEXT_MAX + 1], to[ADDR_TEXT_MAX];
	struct str told = STR_INIT(QUEUE_TEXT_MAX / 2);

	for (size_t i = 0; targets.len > 0 && i < TOLD; i++) {
		str_puts(&told, i > 0 ? ", " : ", please write to ");
		str_put(&told, slice_cut(&targets, '\n'));
	}
	snprintf(text, sizeof(text), "5.1.6 The mailbox <%s> has moved%.*s%s",
	    recipient_text(r, to, sizeof(to)), SLICE_FMT(str_slice(&told)),
	    targets.len > 0 ? ", ..." : "");
	str_free(&told);
	life_answer(q, a, r, QUEUE_PERMANENT, text);
}

/*
 * Follows the alias that the name is now. What the mailbox at its end forwards
 * or answers was judged when the message came: only the copy is still due.
 */
static enum route_verdict
follow(struct manager *q, struct active *a, struct recipient *r,
    struct addr name)
{
	struct str targets = STR_INIT(TARGETS_MAX * ADDR_TEXT_MAX);
	enum route_verdict v = ROUTE_LOOP;
	bool is_mailbox = false, is_settled = false;
	struct destination d;
	struct slice rest;
	int found;

	for (int i = 0; i < ROUTE_DEPTH && !is_settled; i++) {
		found = targets_of(&q->tables, &name, &targets);
		rest = str_slice(&targets);
		v = found == -1 ? ROUTE_TEMPORARY : ROUTE_NOT_OURS;
		if (found == 1 && memchr(rest.p, '\n', rest.len) == NULL &&
		    addr_parse(rest, &name) == ADDR_OK)
			v = route_check(&q->tables, &name, "", &d,
			    &is_mailbox);
		is_settled = v != ROUTE_OK || is_mailbox;
	}
	r->is_moved = true;
	if (v == ROUTE_OK && is_mailbox)
		store_in(q, a, r, &d);
	else if (v == ROUTE_NOT_OURS)
		say_moved(q, a, r, str_slice(&targets));
	str_free(&targets);
	return v == ROUTE_NOT_OURS ? ROUTE_OK :
	    v == ROUTE_OK && !is_mailbox ? ROUTE_LOOP : v;
}

void
mailbox_begin(struct manager *q, struct active *a, struct recipient *r)
{
	char text[QUEUE_TEXT_MAX + 1], to[ADDR_TEXT_MAX];
	struct destination d;
	enum route_verdict v;
	bool is_mailbox = false;
	struct addr name;

	address_of(r, &name);
	r->is_moved = false;
	v = route_check(&q->tables, &name, "", &d, &is_mailbox);
	if (v == ROUTE_OK && is_mailbox) {
		store_in(q, a, r, &d);
		return;
	}
	if (v == ROUTE_OK && (v = follow(q, a, r, name)) == ROUTE_OK)
		return;
	if (v == ROUTE_NOT_OURS)
		v = ROUTE_UNKNOWN;
	route_reply(v, recipient_text(r, to, sizeof(to)), text, sizeof(text));
	life_answer(q, a, r, v == ROUTE_SUSPENDED || v == ROUTE_TEMPORARY ?
	    QUEUE_TEMPORARY : QUEUE_PERMANENT, text);
}
