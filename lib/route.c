/* route.c - from a recipient's address to where its mail goes. */
/* SPDX-License-Identifier: ISC */

#include "lib/route.h"

#include <stdio.h>
#include <stdlib.h>

/* A name in a domain of ours, domain aliases followed. */
struct place {
	char domain[ADDR_DOMAIN_MAX + 1];	/* main */
	char account[ADDR_LOCAL_MAX + 1];
	char detail[ADDR_LOCAL_MAX + 1];
	struct domain_record record;
};

static enum route_verdict
verdict_of_state(enum account_state state)
{
	switch (state) {
	case ACCOUNT_ACTIVE:
		return ROUTE_OK;
	case ACCOUNT_SUSPENDED:
		return ROUTE_SUSPENDED;
	case ACCOUNT_DISABLED:
		return ROUTE_DISABLED;
	}
	return ROUTE_TEMPORARY;
}

/* The main domain of name, and its record. A domain alias has one level. */
static enum route_verdict
find_domain(struct tables *t, const char *name, struct place *place)
{
	struct domain_record alias;
	enum route_verdict v;
	int r = tables_domain(t, name, &place->record);

	if (r != 1)
		return r == 0 ? ROUTE_NOT_OURS : ROUTE_TEMPORARY;
	memcpy(place->domain, name, strlen(name) + 1);
	if (place->record.alias_of[0] == '\0')
		return ROUTE_OK;
	alias = place->record;
	if ((v = verdict_of_state(alias.state)) != ROUTE_OK)
		return v;
	memcpy(place->domain, alias.alias_of, strlen(alias.alias_of) + 1);
	r = tables_domain(t, place->domain, &place->record);
	if (r != 1 || place->record.alias_of[0] != '\0')
		return ROUTE_TEMPORARY;
	return ROUTE_OK;
}

static enum route_verdict
find_place(struct tables *t, const struct addr *rcpt,
    const char *default_domain, struct place *place)
{
	const char *domain = rcpt->domain[0] != '\0' ? rcpt->domain :
	    default_domain;
	enum route_verdict v;
	struct slice detail;

	if (domain[0] == '\0')
		return ROUTE_UNKNOWN;
	if (rcpt->literal)
		return ROUTE_NOT_OURS;
	if ((v = find_domain(t, domain, place)) != ROUTE_OK)
		return v;
	if ((v = verdict_of_state(place->record.state)) != ROUTE_OK)
		return v;
	if (addr_account_of(rcpt->local, place->account, &detail) == -1 ||
	    slice_to_cstr(detail, place->detail, sizeof(place->detail)) == -1)
		return ROUTE_UNKNOWN;
	return ROUTE_OK;
}

static void
fill_mailbox(struct destination *d, const struct place *place,
    const struct address_record *a)
{
	memset(d, 0, sizeof(*d));
	d->kind = DEST_MAILBOX;
	memcpy(d->domain, place->domain, sizeof(d->domain));
	memcpy(d->local, place->account, sizeof(d->local));
	memcpy(d->detail, place->detail, sizeof(d->detail));
	memcpy(d->language, place->record.language, sizeof(d->language));
	d->uid = place->record.uid;
	d->quota_bytes = a->quota_bytes;
	d->quota_messages = a->quota_messages;
}

static enum route_verdict
find_address(struct tables *t, const struct place *place,
    struct address_record *a)
{
	int r = tables_address(t, place->domain, place->account, a);

	if (r != 1)
		return r == 0 ? ROUTE_UNKNOWN : ROUTE_TEMPORARY;
	return verdict_of_state(a->state);
}

enum route_verdict
route_check(struct tables *t, const struct addr *rcpt,
    const char *default_domain, struct destination *mailbox, bool *is_mailbox)
{
	struct address_record a;
	struct place place;
	enum route_verdict v;

	*is_mailbox = false;
	if ((v = find_place(t, rcpt, default_domain, &place)) != ROUTE_OK ||
	    (v = find_address(t, &place, &a)) != ROUTE_OK)
		return v;
	if (a.kind == ADDRESS_MAILBOX) {
		fill_mailbox(mailbox, &place, &a);
		*is_mailbox = true;
	}
	return ROUTE_OK;
}

/* One walk along the aliases of a recipient. */
struct walk {
	struct tables *tables;
	const char *default_domain;
	bool (*found)(void *arg, const struct destination *d);
	void *arg;
	char (*seen)[ADDR_TEXT_MAX];	/* addresses visited, each once */
	size_t nseen, cap;
	size_t destinations;
};

/* Remembers an address; false when it was there or there is no memory, then
 * *v says which. */
static bool
visit(struct walk *w, const char *local, const char *domain,
    enum route_verdict *v)
{
	char text[ADDR_TEXT_MAX];
	void *p;

	snprintf(text, sizeof(text), "%s@%s", local, domain);
	for (size_t i = 0; i < w->nseen; i++) {
		if (strcmp(w->seen[i], text) == 0) {
			*v = ROUTE_OK;
			return false;
		}
	}
	if (w->nseen == w->cap) {
		size_t cap = w->cap == 0 ? 8 : 2 * w->cap;

		if ((p = reallocarray(w->seen, cap, sizeof(*w->seen))) ==
		    NULL) {
			*v = ROUTE_TEMPORARY;
			return false;
		}
		w->seen = p;
		w->cap = cap;
	}
	memcpy(w->seen[w->nseen++], text, sizeof(text));
	return true;
}

static enum route_verdict
report(struct walk *w, const struct destination *d)
{
	if (++w->destinations > ROUTE_MAX)
		return ROUTE_TOO_MANY;
	return w->found(w->arg, d) ? ROUTE_OK : ROUTE_TEMPORARY;
}

static enum route_verdict
report_remote(struct walk *w, const struct addr *a)
{
	struct destination d = { .kind = DEST_REMOTE, .language = "en" };
	enum route_verdict v;

	if (!visit(w, a->local, a->domain, &v))
		return v;
	memcpy(d.domain, a->domain, sizeof(d.domain));
	memcpy(d.local, a->local, sizeof(d.local));
	return report(w, &d);
}

static enum route_verdict walk(struct walk *w, const struct addr *rcpt,
    unsigned depth);

/* Every target is followed. One that is gone does not keep the mail from the
 * others; any other failure decides for all, so that nobody is left out. */
static enum route_verdict
walk_targets(struct walk *w, const struct address_record *a, unsigned depth)
{
	enum route_verdict v = ROUTE_OK, gone = ROUTE_OK;
	size_t before = w->destinations;
	struct slice rest;
	char *copy;

	if (depth == ROUTE_DEPTH)
		return ROUTE_LOOP;
	/* The record lies in a table that the next look-up may replace. */
	if ((copy = malloc(a->targets.len)) == NULL)
		return ROUTE_TEMPORARY;
	memcpy(copy, a->targets.p, a->targets.len);
	rest = slice_make(copy, a->targets.len);
	while (v == ROUTE_OK && rest.p != NULL) {
		struct slice text = slice_cut(&rest, '\n');
		struct addr target;

		if (text.len == 0)
			continue;
		v = addr_parse(text, &target) != ADDR_OK ? ROUTE_TEMPORARY :
		    walk(w, &target, depth + 1);
		if (v == ROUTE_UNKNOWN || v == ROUTE_DISABLED) {
			gone = v;
			v = ROUTE_OK;
		}
	}
	free(copy);
	return v == ROUTE_OK && w->destinations == before ? gone : v;
}

static enum route_verdict
walk(struct walk *w, const struct addr *rcpt, unsigned depth)
{
	struct address_record a;
	struct destination d;
	struct place place;
	enum route_verdict v;

	v = find_place(w->tables, rcpt, w->default_domain, &place);
	if (v == ROUTE_NOT_OURS)
		return report_remote(w, rcpt);
	if (v != ROUTE_OK ||
	    (v = find_address(w->tables, &place, &a)) != ROUTE_OK)
		return v;
	if (!visit(w, place.account, place.domain, &v))
		return v;
	if (a.kind == ADDRESS_ALIAS)
		return walk_targets(w, &a, depth);
	fill_mailbox(&d, &place, &a);
	return report(w, &d);
}

enum route_verdict
route_expand(struct tables *t, const struct addr *rcpt,
    const char *default_domain,
    bool (*found)(void *arg, const struct destination *d), void *arg)
{
	struct walk w = {
		.tables = t, .default_domain = default_domain,
		.found = found, .arg = arg
	};
	enum route_verdict v = walk(&w, rcpt, 0);

	free(w.seen);
	/* Aliases that lead only to each other deliver nothing. */
	if (v == ROUTE_OK && w.destinations == 0)
		return ROUTE_LOOP;
	return v;
}

struct wanted {
	const char *local, *domain;
	bool found;
};

static bool
is_wanted(void *arg, const struct destination *d)
{
	struct wanted *w = arg;

	if (d->kind == DEST_MAILBOX && strcmp(d->local, w->local) == 0 &&
	    strcmp(d->domain, w->domain) == 0)
		w->found = true;
	return true;
}

bool
route_may_send_as(struct tables *t, const char *account_local,
    const char *account_domain, const struct addr *sender)
{
	struct wanted w = { account_local, account_domain, false };
	enum route_verdict v;

	if (sender->domain[0] == '\0')
		return false;
	v = route_expand(t, sender, "", is_wanted, &w);
	return w.found && v == ROUTE_OK;
}

int
route_reply(enum route_verdict v, const char *rcpt, char *text, size_t cap)
{
	static const struct {
		int code;
		const char *before, *after;
	} replies[] = {
		[ROUTE_OK] = { 250, "2.1.5 <", "> is welcome" },
		[ROUTE_NOT_OURS] = { 550, "5.7.1 This server does not relay "
		    "mail to <", ">: log in, or use your own mail server" },
		[ROUTE_UNKNOWN] = { 550, "5.1.1 There is no mailbox <",
		    "> here: please check the spelling" },
		[ROUTE_DISABLED] = { 550, "5.2.1 The mailbox <",
		    "> no longer takes mail" },
		[ROUTE_SUSPENDED] = { 450, "4.2.1 The mailbox <",
		    "> takes no mail at the moment: try again later" },
		[ROUTE_LOOP] = { 550, "5.4.6 The address <",
		    "> leads back to itself: tell its postmaster" },
		[ROUTE_TOO_MANY] = { 550, "5.2.4 The address <",
		    "> leads to too many destinations" },
		[ROUTE_TEMPORARY] = { 451, "4.3.0 <",
		    "> cannot be looked up at the moment: try again later" },
	};

	snprintf(text, cap, "%s%s%s", replies[v].before, rcpt,
	    replies[v].after);
	return replies[v].code;
}
