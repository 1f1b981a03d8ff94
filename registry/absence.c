/* absence.c - vacations that begin anew, and that are over. */
/* SPDX-License-Identifier: ISC */

/*
 * The tables say until when an account answers, so nobody answers too long
 * because of us: what is switched off here is what a person sees, and the next
 * vacation does not begin with the dates of the last.
 * Limits: SOME vacations in one transaction. All users are read when the
 * service starts and when a vacation has ended, at most once in PAUSE.
 */

#include "registry/absence.h"

#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "lib/date.h"
#include "lib/log.h"
#include "registry/valid.h"

#define SOME 64
#define PAUSE 5		/* s */

static int
forget(struct object *u, const char *attribute)
{
	struct text why;
	int i = kind_attribute(u->kind, slice_of(attribute));

	if (object_get(u, attribute).p == NULL)
		return 0;
	return object_set(u, i, SLICE_EMPTY, &why);
}

int
absence_begin(const struct object *before, struct object *after,
    bool has_start, bool has_end, int64_t now)
{
	struct slice start = object_get(after, "vacation-start");
	struct slice end = object_get(after, "vacation-end");
	char date[DATE_MAX];

	if (object_is(before, "vacation", "yes") ||
	    !object_is(after, "vacation", "yes"))
		return 0;
	if (!has_end && end.p != NULL && time_of_text(end) <= now &&
	    forget(after, "vacation-end") == -1)
		return -1;
	if (has_start || (start.p != NULL && time_of_text(start) > now))
		return 0;
	return object_put(after, "vacation-start",
	    slice_of(date_iso((time_t)now, date)));
}

void
absence_note(struct registry *r, const struct object *user)
{
	struct slice end;

	if (user == NULL || user->kind != &kind_user ||
	    !object_is(user, "vacation", "yes"))
		return;
	end = object_get(user, "vacation-end");
	if (end.p != NULL && time_of_text(end) < r->absence_next)
		r->absence_next = time_of_text(end);
}

bool
absence_is_due(const struct registry *r, int64_t now)
{
	return now >= r->absence_next && now >= r->absence_looked;
}

/* What a look at all users finds. */
struct look {
	int64_t now, next;
	size_t n;
	char names[SOME][ADDR_TEXT_MAX];
};

static int
look_at(void *arg, struct slice key, struct slice value)
{
	struct look *l = arg;
	struct object o;
	struct slice end;
	int64_t when;

	(void)key;
	if (object_decode(value, &o) == -1)
		return -1;
	if (o.kind != &kind_user || !object_is(&o, "vacation", "yes") ||
	    (end = object_get(&o, "vacation-end")).p == NULL)
		return 0;
	when = time_of_text(end);
	if (when > l->now) {
		if (when < l->next)
			l->next = when;
		return 0;
	}
	if (l->n == SOME) {
		l->next = l->now;
		return 1;
	}
	snprintf(l->names[l->n++], ADDR_TEXT_MAX, "%s", o.name);
	return 0;
}

static int
end_one(struct registry *r, const char *name)
{
	struct actor who = { geteuid(), "malle-registryd", "vacation.end",
		SLICE_EMPTY };
	struct str bytes = STR_INIT(STORE_VALUE_MAX);
	struct object before, after;
	int found = object_load(r->store, &kind_user, name, &bytes, &before);
	int result = found == -1 ? -1 : 0;

	if (found == 1) {
		after = before;	/* borrows; what is set is copied */
		r->journal_request = r->journal_next;
		if (object_put(&after, "vacation", SLICE("no")) == -1 ||
		    forget(&after, "vacation-start") == -1 ||
		    forget(&after, "vacation-end") == -1 ||
		    registry_change(r, &who, &before, &after) == -1)
			result = -1;
		else
			log_info(NULL, "vacation-over", "account=%s",
			    LOGS(name));
		object_free(&after);
	}
	str_free(&bytes);
	return result;
}

int
absence_end(struct registry *r, int64_t now)
{
	static struct look l;

	l.now = now;
	l.next = INT64_MAX;
	l.n = 0;
	if (store_each(r->store, SLICE("address/"), SLICE_EMPTY, look_at,
	    &l) == -1)
		return -1;
	for (size_t i = 0; i < l.n; i++)
		if (end_one(r, l.names[i]) == -1)
			return -1;
	/* What is set from now on lowers it again: absence_note(). */
	r->absence_next = l.next;
	r->absence_looked = l.next == now ? now : now + PAUSE;
	return 0;
}
