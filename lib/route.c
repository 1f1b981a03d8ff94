/* route.c - from a recipient's address to where its mail goes. */
/* SPDX-License-Identifier: ISC */

#include "lib/route.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "lib/place.h"
#include "lib/route_steps.h"
#include "lib/senders.h"

enum route_verdict
route_check(struct tables *t, const struct addr *rcpt,
    const char *default_domain, struct destination *mailbox, bool *is_mailbox)
{
	struct address_record a;
	struct place place;
	enum route_verdict v;

	*is_mailbox = false;
	if ((v = place_find(t, rcpt, default_domain, &place)) != ROUTE_OK ||
	    (v = place_address(t, &place, &a)) != ROUTE_OK)
		return v;
	if (a.kind == ADDRESS_MAILBOX) {
		place_mailbox(mailbox, &place, &a);
		*is_mailbox = true;
	}
	return ROUTE_OK;
}

/*
 * A walk from a recipient along aliases and forwards to their ends, deep first.
 * Each address is visited once. A mailbox that only forwards keeps the mail
 * when nothing that it leads to takes it. In a circle this shows late: an address
 * from where the only ways on lead back is undecided until the first address of
 * that circle (the one that the walk came to first) has been left.
 */
struct walk {
	struct tables *tables;
	const char *default_domain;
	const struct route_sender *sender;	/* NULL: is not asked for */
	bool is_sending;	/* who may send as it: aliases and robots only */
	bool (*found)(void *arg, const struct destination *d);	/* or NULL */
	void *arg;
	struct steps steps;
	size_t destinations;
	unsigned caught;	/* catch-alls on the way to here */
	unsigned missing;	/* names that do not exist, before any that does */
	bool is_stray;
	enum route_verdict left_out;	/* why; ROUTE_OK: nobody was */
	/* of the recipient itself, when a copy stays there */
	struct destination own;
	bool has_own, is_elsewhere;
};

/* Where a part of the walk has led. */
struct outcome {
	bool leads;		/* somebody takes the mail */
	size_t back;		/* place of a circle's first address; SIZE_MAX */
};

#define NOBODY ((size_t)-1)	/* no step */

/* The walk has come to an address again. */
static void
meet(const struct step *s, struct outcome *out)
{
	if (s->state == STEP_LEADS)
		out->leads = true;
	else if (s->state != STEP_DEAD && s->first < out->back)
		out->back = s->first;
}

static enum route_verdict
report(struct walk *w, struct destination *d)
{
	d->is_caught = w->caught > 0;
	d->is_stray = w->is_stray;
	if (++w->destinations > ROUTE_MAX)
		return ROUTE_TOO_MANY;
	return w->found == NULL || w->found(w->arg, d) ? ROUTE_OK :
	    ROUTE_TEMPORARY;
}

static enum route_verdict
report_remote(struct walk *w, const struct addr *a, size_t by,
    struct outcome *out)
{
	struct destination d = { .kind = DEST_REMOTE, .language = "en" };
	enum route_verdict v;
	size_t step;
	bool is_new;

	out->leads = true;
	memcpy(d.domain, a->domain, sizeof(d.domain));
	memcpy(d.local, a->local, sizeof(d.local));
	w->is_elsewhere = by == NOBODY;
	if (by == NOBODY)
		return report(w, &d);
	/* Not one of ours: nothing leads back from there in this walk. */
	v = steps_visit(&w->steps, a->local, a->domain, &step, &is_new);
	if (v != ROUTE_OK)
		return v;
	w->steps.v[step].state = STEP_LEADS;
	if (!is_new)
		return ROUTE_OK;
	memcpy(d.by, w->steps.v[by].text, sizeof(d.by));
	return report(w, &d);
}

static enum route_verdict walk(struct walk *w, const struct addr *rcpt,
    size_t by, unsigned depth, struct outcome *out);

/* An address that takes no mail keeps none from the others; any other failure
 * decides for all, so that nobody is left out unknown to him. */
static enum route_verdict
leave_out(struct walk *w, const struct addr *target, enum route_verdict why)
{
	struct destination d = { .kind = DEST_LEFT_OUT, .why = why };

	/* Who sends by an alias waits for nobody whom it leads to besides. */
	if (why != ROUTE_UNKNOWN && why != ROUTE_DISABLED &&
	    why != ROUTE_NOT_ALLOWED &&
	    !(w->is_sending && why == ROUTE_SUSPENDED))
		return why;
	if (w->left_out == ROUTE_OK || why == ROUTE_NOT_ALLOWED)
		w->left_out = why;
	memcpy(d.domain, target->domain, sizeof(d.domain));
	memcpy(d.local, target->local, sizeof(d.local));
	return w->found == NULL || w->found(w->arg, &d) ? ROUTE_OK :
	    ROUTE_TEMPORARY;
}

static enum route_verdict
walk_target(struct walk *w, const struct addr *target, size_t by,
    unsigned depth, struct outcome *out)
{
	enum route_verdict v;

	if (depth == ROUTE_DEPTH)
		return ROUTE_LOOP;
	v = walk(w, target, by, depth + 1, out);
	return v == ROUTE_OK ? v : leave_out(w, target, v);
}

static enum route_verdict
walk_targets(struct walk *w, struct slice targets, size_t by, unsigned depth,
    struct outcome *out)
{
	enum route_verdict v = ROUTE_OK;
	struct slice rest;
	char *copy;

	/* The record lies in a table that the next look-up may replace. */
	if ((copy = malloc(targets.len + 1)) == NULL)
		return ROUTE_TEMPORARY;
	memcpy(copy, targets.p, targets.len);
	rest = slice_make(copy, targets.len);
	while (v == ROUTE_OK && rest.p != NULL) {
		struct slice text = slice_cut(&rest, '\n');
		struct addr target;

		if (text.len == 0)
			continue;
		v = addr_parse(text, &target) != ADDR_OK ? ROUTE_TEMPORARY :
		    walk_target(w, &target, by, depth, out);
	}
	free(copy);
	return v;
}

/* A mailbox from where the mail would reach nobody keeps it. */
static enum route_verdict
keep_after_all(struct walk *w, const struct step *s)
{
	struct address_record a;
	struct destination d;
	struct place place;
	enum route_verdict v;
	struct addr addr;

	if (addr_parse(slice_of(s->text), &addr) != ADDR_OK)
		return ROUTE_TEMPORARY;
	if ((v = place_find(w->tables, &addr, "", &place)) != ROUTE_OK ||
	    (v = place_address(w->tables, &place, &a)) != ROUTE_OK)
		return v;
	place_mailbox(&d, &place, &a);
	return report(w, &d);
}

/* A circle of addresses, or one alone, has no way out. */
static enum route_verdict
close_circle(struct walk *w, size_t begin, struct outcome *out)
{
	struct steps *all = &w->steps;
	enum route_verdict v = ROUTE_OK;

	for (size_t i = begin; i < all->nundecided; i++)
		out->leads |= all->v[all->undecided[i]].is_mailbox;
	for (size_t i = begin; v == ROUTE_OK && i < all->nundecided; i++) {
		struct step *s = &all->v[all->undecided[i]];

		s->state = out->leads ? STEP_LEADS : STEP_DEAD;
		if (s->is_mailbox)
			v = keep_after_all(w, s);
	}
	all->nundecided = begin;
	return v;
}

/* Leaves an address; what is undecided from begin on has come after it. */
static enum route_verdict
leave(struct walk *w, size_t step, size_t begin, struct outcome *out)
{
	struct steps *all = &w->steps;

	if (out->leads) {
		/* All of those lead to here, or to where here leads. */
		while (all->nundecided > begin)
			all->v[all->undecided[--all->nundecided]].state =
			    STEP_LEADS;
		all->v[step].state = STEP_LEADS;
		return ROUTE_OK;
	}
	all->undecided[all->nundecided++] = step;
	if (out->back >= step) {
		out->back = SIZE_MAX;
		return close_circle(w, begin, out);
	}
	all->v[step].state = STEP_UNDECIDED;
	all->v[step].first = out->back;
	return ROUTE_OK;
}

/* The catch-all of its domain for a name that does not exist. */
static enum route_verdict
walk_missing(struct walk *w, const struct addr *rcpt,
    const struct place *place, unsigned depth, struct outcome *out)
{
	const char *to = place->record.catch_all;
	struct destination d = { .kind = DEST_DISCARD };
	size_t step, begin = w->steps.nundecided;
	enum route_verdict v;
	struct addr next;
	bool is_new;

	if (to[0] == '\0' || w->is_sending)
		return ROUTE_UNKNOWN;
	v = steps_visit(&w->steps, place->account[0] != '\0' ?
	    place->account : rcpt->local, place->domain, &step, &is_new);
	if (v != ROUTE_OK)
		return v;
	if (!is_new) {
		meet(&w->steps.v[step], out);
		return ROUTE_OK;
	}
	w->caught++;
	w->missing += depth == w->missing;
	if (strcmp(to, "discard") == 0) {
		memcpy(d.domain, place->domain, sizeof(d.domain));
		memcpy(d.local, rcpt->local, sizeof(d.local));
		memcpy(d.language, place->record.language, sizeof(d.language));
		out->leads = true;
		v = report(w, &d);
	} else if (to[0] == '@') {
		next = *rcpt;
		memcpy(next.domain, to + 1, strlen(to));
		v = walk_target(w, &next, step, depth, out);
	} else {
		/* From the recipient to here, no name existed. */
		w->is_stray |= depth + 1 == w->missing;
		v = addr_parse(slice_of(to), &next) != ADDR_OK ?
		    ROUTE_TEMPORARY : walk_target(w, &next, step, depth, out);
	}
	w->caught--;
	return v == ROUTE_OK ? leave(w, step, begin, out) : v;
}

/*
 * The null sender is that of bounces and receipts. They are taken (RFC 2505
 * 2.6.1) where somebody wants to know what became of his mail: by a mailbox,
 * and by an alias of one. They are no way around the rule of a list of people;
 * those of this very machine always pass.
 */
static bool
takes_bounces(const struct address_record *a)
{
	return a->kind == ADDRESS_MAILBOX || (a->kind == ADDRESS_ALIAS &&
	    memchr(a->targets.p, '\n', a->targets.len) == NULL);
}

static enum route_verdict
may_write(const struct walk *w, const struct place *place,
    const struct address_record *a)
{
	const struct route_sender *s = w->sender;
	int r;

	if (a->senders.len == 0 || s == NULL)
		return ROUTE_OK;
	if (s->from->local[0] == '\0')
		r = s->is_trusted || takes_bounces(a);
	else
		r = senders_allow(w->tables, a->senders, place->domain,
		    s->from, s->is_trusted);
	return r == 1 ? ROUTE_OK : r == 0 ? ROUTE_NOT_ALLOWED :
	    ROUTE_TEMPORARY;
}

static bool
answers_now(const struct address_record *a)
{
	int64_t now = (int64_t)time(NULL);

	return a->answers && a->answer_from <= now &&
	    (a->answer_until == 0 || a->answer_until > now);
}

/* What happens at the address itself, before its mail goes on. */
static enum route_verdict
stop_at(struct walk *w, const struct address_record *a, struct destination *d,
    unsigned depth, struct outcome *out)
{
	bool goes_on = a->targets.len > 0 && !w->is_sending;

	if (a->kind != ADDRESS_MAILBOX ||
	    (goes_on && (a->discard || !a->keep)))
		return ROUTE_OK;
	out->leads = true;
	if (a->discard && !w->is_sending)
		d->kind = DEST_DISCARD;
	else if (depth == 0) {
		w->own = *d;
		w->has_own = true;
	}
	return report(w, d);
}

/* Store, forward, answer. step is NOBODY for one from where nothing goes on. */
static enum route_verdict
serve(struct walk *w, const struct place *place,
    const struct address_record *a, size_t step, unsigned depth,
    struct outcome *out)
{
	bool is_robot = a->kind == ADDRESS_ROBOT, answers = answers_now(a);
	size_t begin = w->steps.nundecided;
	struct destination d;
	enum route_verdict v;

	if (step != NOBODY)
		w->steps.v[step].is_mailbox = a->kind == ADDRESS_MAILBOX;
	place_mailbox(&d, place, a);
	if ((v = stop_at(w, a, &d, depth, out)) == ROUTE_OK &&
	    a->targets.len > 0 && !(w->is_sending && out->leads))
		v = walk_targets(w, a->targets, step, depth, out);
	if (v == ROUTE_OK && answers && !w->is_sending) {
		d.kind = DEST_ANSWER;
		d.detail[0] = '\0';
		out->leads |= is_robot;
		v = report(w, &d);
	}
	return v == ROUTE_OK && step != NOBODY ?
	    leave(w, step, begin, out) : v;
}

/* At an address that exists and takes mail. */
static enum route_verdict
arrive(struct walk *w, const struct place *place,
    const struct address_record *a, unsigned depth, struct outcome *out)
{
	enum route_verdict v = may_write(w, place, a);
	size_t step = NOBODY;
	bool is_new = true;

	/* Most are a mailbox and nothing more: no walk, no memory. */
	if (v == ROUTE_OK && (depth > 0 || a->targets.len > 0))
		v = steps_visit(&w->steps, place->account, place->domain,
		    &step, &is_new);
	if (v != ROUTE_OK)
		return v;
	if (is_new)
		return serve(w, place, a, step, depth, out);
	meet(&w->steps.v[step], out);
	return ROUTE_OK;
}

/* by is the step that led here; *out is that of all its targets. */
static enum route_verdict
walk(struct walk *w, const struct addr *rcpt, size_t by, unsigned depth,
    struct outcome *out)
{
	struct outcome here = { false, SIZE_MAX };
	struct address_record a;
	struct place place;
	enum route_verdict v;

	v = place_find(w->tables, rcpt, w->default_domain, &place);
	if (v == ROUTE_NOT_OURS)
		return report_remote(w, rcpt, by, out);
	if (v != ROUTE_OK)
		return v;
	v = place_address(w->tables, &place, &a);
	if (v == ROUTE_UNKNOWN)
		v = walk_missing(w, rcpt, &place, depth, &here);
	else if (v == ROUTE_OK)
		v = arrive(w, &place, &a, depth, &here);
	out->leads |= here.leads;
	if (here.back < out->back)
		out->back = here.back;
	return v;
}

static enum route_verdict
walk_all(struct walk *w, const struct addr *rcpt)
{
	struct outcome out = { false, SIZE_MAX };
	enum route_verdict v = walk(w, rcpt, NOBODY, 0, &out);

	steps_free(&w->steps);
	if (v != ROUTE_OK || out.leads)
		return v;
	/* Aliases that lead only to each other deliver nothing. */
	return w->left_out != ROUTE_OK ? w->left_out : ROUTE_LOOP;
}

enum route_verdict
route_expand(struct tables *t, const struct addr *rcpt,
    const char *default_domain, const struct route_sender *sender,
    bool (*found)(void *arg, const struct destination *d), void *arg)
{
	struct walk w = {
		.tables = t, .default_domain = default_domain,
		.sender = sender, .found = found, .arg = arg
	};

	return walk_all(&w, rcpt);
}

enum route_verdict
route_accept(struct tables *t, const struct addr *rcpt,
    const char *default_domain, const struct route_sender *sender,
    struct destination *mailbox, bool *is_mailbox)
{
	struct walk w = {
		.tables = t, .default_domain = default_domain,
		.sender = sender
	};
	enum route_verdict v = walk_all(&w, rcpt);

	*is_mailbox = v == ROUTE_OK && w.has_own;
	if (*is_mailbox)
		*mailbox = w.own;
	return v == ROUTE_OK && w.is_elsewhere ? ROUTE_NOT_OURS : v;
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

enum route_verdict
route_may_send_as(struct tables *t, const char *account_local,
    const char *account_domain, const struct addr *sender)
{
	struct wanted wanted = { account_local, account_domain, false };
	struct walk w = {
		.tables = t, .default_domain = "", .is_sending = true,
		.found = is_wanted, .arg = &wanted
	};
	struct addr account = { .local = "" };
	struct destination own;
	enum route_verdict v;
	bool is_mailbox;

	snprintf(account.local, sizeof(account.local), "%s", account_local);
	snprintf(account.domain, sizeof(account.domain), "%s", account_domain);
	v = route_check(t, &account, "", &own, &is_mailbox);
	if (v != ROUTE_OK || sender->local[0] == '\0')
		return v;
	if (sender->domain[0] == '\0')
		return ROUTE_NOT_ALLOWED;
	v = walk_all(&w, sender);
	if (v == ROUTE_OK && wanted.found)
		return ROUTE_OK;
	return v == ROUTE_TEMPORARY ? v : ROUTE_NOT_ALLOWED;
}

int
route_reply(enum route_verdict v, const char *rcpt, char *text, size_t cap)
{
	static const struct {
		int code;
		const char *before, *after;
	} replies[] = {
		[ROUTE_NOT_ALLOWED] = { 550, "5.7.1 You may not write to <",
		    ">: its owner takes mail from some senders only" },
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
