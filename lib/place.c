/* place.c - a name in a domain of ours: its records in the tables. */
/* SPDX-License-Identifier: ISC */

#include "lib/place.h"

#include <time.h>

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

/* That its mail waits is told for some days only. */
static enum route_verdict
verdict_of_domain(const struct domain_record *d)
{
	if (d->state == ACCOUNT_SUSPENDED && d->refuse_from != 0 &&
	    (int64_t)time(NULL) >= d->refuse_from)
		return ROUTE_DISABLED;
	return verdict_of_state(d->state);
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
	if ((v = verdict_of_domain(&alias)) != ROUTE_OK)
		return v;
	memcpy(place->domain, alias.alias_of, strlen(alias.alias_of) + 1);
	r = tables_domain(t, place->domain, &place->record);
	if (r != 1 || place->record.alias_of[0] != '\0')
		return ROUTE_TEMPORARY;
	return ROUTE_OK;
}

enum route_verdict
place_find(struct tables *t, const struct addr *rcpt,
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
	if ((v = verdict_of_domain(&place->record)) != ROUTE_OK)
		return v;
	place->account[0] = place->detail[0] = '\0';
	if (addr_account_of(rcpt->local, place->account, &detail) == 0 &&
	    slice_to_cstr(detail, place->detail, sizeof(place->detail)) == -1)
		place->account[0] = '\0';
	return ROUTE_OK;
}

void
place_mailbox(struct destination *d, const struct place *place,
    const struct address_record *a)
{
	memset(d, 0, sizeof(*d));
	d->kind = DEST_MAILBOX;
	memcpy(d->domain, place->domain, sizeof(d->domain));
	memcpy(d->local, place->account, sizeof(d->local));
	memcpy(d->detail, place->detail, sizeof(d->detail));
	/* One that was renamed stays where it was. */
	if (a->folder.len == 0 ||
	    addr_account(a->folder, d->folder) == -1)
		memcpy(d->folder, place->account, sizeof(d->folder));
	memcpy(d->language, place->record.language, sizeof(d->language));
	d->uid = place->record.uid;
	d->quota_bytes = a->quota_bytes;
	d->quota_messages = a->quota_messages;
	d->quota_warning = place->record.quota_warning;
}

enum route_verdict
place_address(struct tables *t, const struct place *place,
    struct address_record *a)
{
	int r = place->account[0] == '\0' ? 0 :
	    tables_address(t, place->domain, place->account, a);

	if (r != 1)
		return r == 0 ? ROUTE_UNKNOWN : ROUTE_TEMPORARY;
	return verdict_of_state(a->state);
}
