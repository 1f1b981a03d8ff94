/* mailbox.c - a recipient that is a mailbox of ours, as its account is now. */
/* SPDX-License-Identifier: ISC */
/*
 * The account may have changed since the message came. When its name is an
 * alias now (it was renamed, or deleted with a redirect), the copy that would
 * have been stored follows it, as long as one mailbox is all that it comes to;
 * more would be mail that nobody has agreed to, so the sender hears of it.
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

/* Every end of the way from the name, and how many there are. */
struct ends {
	struct destination first;
	size_t n;
	struct str told;	/* TOLD of them, as people write them */
};

static bool
found(void *arg, const struct destination *d)
{
	struct ends *e = arg;
	char text[ADDR_TEXT_MAX];
	struct addr a = { .literal = false };

	if (d->kind == DEST_ANSWER)
		return true;	/* it keeps nothing */
	if (++e->n == 1)
		e->first = *d;
	memcpy(a.local, d->local, sizeof(a.local));
	memcpy(a.domain, d->domain, sizeof(a.domain));
	if (d->kind != DEST_DISCARD && e->n <= TOLD)
		str_printf(&e->told, "%s%s", e->told.len > 0 ? ", " : "",
		    addr_text(&a, text, sizeof(text)));
	else if (e->n == TOLD + 1)
		str_puts(&e->told, ", ...");
	return true;
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
	(void)life_schedule(q, a, r, RCPT_MAILBOX, slice_of(d->domain));
}

/* To the sender; told is where he may write to. */
static void
say_moved(struct manager *q, struct active *a, struct recipient *r,
    const struct str *told)
{
	char text[QUEUE_TEXT_MAX + 1], to[ADDR_TEXT_MAX];

	snprintf(text, sizeof(text), "5.1.6 The mailbox <%s> has moved%s%.*s",
	    recipient_text(r, to, sizeof(to)), told->len > 0 ?
	    ", please write to " : " and keeps no mail", SLICE_FMT(
	    str_slice(told)));
	life_answer(q, a, r, QUEUE_PERMANENT, text);
}

static enum route_verdict
follow(struct manager *q, struct active *a, struct recipient *r,
    const struct addr *name)
{
	struct ends e = { .told = STR_INIT(QUEUE_TEXT_MAX / 2) };
	struct addr from;
	/* Whether its sender may write here was asked when it came in. */
	const struct route_sender sender = { &from, true };
	enum route_verdict v;

	if (addr_parse(a->e->sender, &from) != ADDR_OK)
		memset(&from, 0, sizeof(from));
	v = route_expand(&q->tables, name, "", &sender, found, &e);
	if (v == ROUTE_OK) {
		r->is_moved = true;
		if (e.n == 1 && e.first.kind == DEST_MAILBOX)
			store_in(q, a, r, &e.first);
		else
			say_moved(q, a, r, &e.told);
	}
	str_free(&e.told);
	return v;
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
	if (v == ROUTE_OK && (v = follow(q, a, r, &name)) == ROUTE_OK)
		return;
	if (v == ROUTE_NOT_OURS)
		v = ROUTE_UNKNOWN;
	route_reply(v, recipient_text(r, to, sizeof(to)), text, sizeof(text));
	life_answer(q, a, r, v == ROUTE_SUSPENDED || v == ROUTE_TEMPORARY ?
	    QUEUE_TEMPORARY : QUEUE_PERMANENT, text);
}
