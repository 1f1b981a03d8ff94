/* absence.c - vacations that begin anew, that are over, that go on for long. */
/* SPDX-License-Identifier: ISC */

/*
 * The tables say until when an account answers, so nobody answers too long
 * because of us: what is switched off here is what a person sees, and the next
 * vacation does not begin with the dates of the last. Of one without an end its
 * owner is reminded once: in the store, "reminded/ACCOUNT" is the begin of the
 * absence that this was done for.
 * Limits: SOME vacations in one transaction. All users are read when the
 * service starts and when a vacation has ended or a reminder is due, at most once
 * in PAUSE.
 */

#include "registry/absence.h"

#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "lib/date.h"
#include "lib/log.h"
#include "registry/notice.h"
#include "registry/valid.h"

#define SOME 64
#define PAUSE 5		/* s */
#define REMIND_AFTER (30 * 86400)	/* s of an absence without end */
#define REMINDED "reminded/"

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

/* When there is something to do for an account that is away: its absence ends,
 * or its owner is reminded of it. */
static int64_t
due_of(const struct object *user)
{
	struct slice end = object_get(user, "vacation-end");
	struct slice start = object_get(user, "vacation-start");

	if (user->kind != &kind_user || !object_is(user, "vacation", "yes"))
		return INT64_MAX;
	if (end.p != NULL)
		return time_of_text(end);
	return start.p != NULL ? time_of_text(start) + REMIND_AFTER :
	    INT64_MAX;
}

static struct slice
reminded_key(const char *account, char key[STORE_KEY_MAX])
{
	int len = snprintf(key, STORE_KEY_MAX, REMINDED "%s", account);

	return slice_make(key, (size_t)len);
}

int
absence_note(struct registry *r, const struct object *before,
    const struct object *after)
{
	char key[STORE_KEY_MAX];

	if (after != NULL && due_of(after) < r->absence_next)
		r->absence_next = due_of(after);
	if (before == NULL || before->kind != &kind_user ||
	    !object_is(before, "vacation", "yes") ||
	    (after != NULL && object_is(after, "vacation", "yes")))
		return 0;
	return store_delete(r->store, reminded_key(before->name, key)) == -1 ?
	    -1 : 0;
}

bool
absence_is_due(const struct registry *r, int64_t now)
{
	return now >= r->absence_next && now >= r->absence_looked;
}

/* What a look at all users finds. */
struct look {
	struct registry *r;
	int64_t now, next;
	size_t n;
	char names[SOME][ADDR_TEXT_MAX];
};

/* 1, 0, -1. */
static int
is_reminded(struct registry *r, const struct object *user)
{
	struct str of = STR_INIT(4096);
	char key[STORE_KEY_MAX];
	int found = store_get(r->store, reminded_key(user->name, key), &of);

	if (found == 1)
		found = slice_eq(str_slice(&of),
		    object_get(user, "vacation-start"));
	str_free(&of);
	return found;
}

static int
look_at(void *arg, struct slice key, struct slice value)
{
	struct look *l = arg;
	struct object o;
	int64_t when;
	int reminded;

	(void)key;
	if (object_decode(value, &o) == -1)
		return -1;
	if ((when = due_of(&o)) == INT64_MAX)
		return 0;
	if (object_get(&o, "vacation-end").p == NULL &&
	    (reminded = is_reminded(l->r, &o)) != 0)
		return reminded == -1 ? -1 : 0;
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
end_one(struct registry *r, const struct object *before)
{
	struct actor who = { geteuid(), "malle-registryd", "vacation.end",
		SLICE_EMPTY };
	struct object after = *before;	/* borrows; what is set is copied */
	int result = 0;

	r->journal_request = r->journal_next;
	if (object_put(&after, "vacation", SLICE("no")) == -1 ||
	    forget(&after, "vacation-start") == -1 ||
	    forget(&after, "vacation-end") == -1 ||
	    registry_change(r, &who, before, &after) == -1)
		result = -1;
	else
		log_info(NULL, "vacation-over", "account=%s",
		    LOGS(before->name));
	object_free(&after);
	return result;
}

/* The notice and that it was written are one transaction. */
static int
remind_one(struct registry *r, const struct object *user)
{
	char key[STORE_KEY_MAX];

	if (notice_of_absence(r, user) == -1 || store_put(r->store,
	    reminded_key(user->name, key),
	    object_get(user, "vacation-start")) == -1)
		return -1;
	log_info(NULL, "vacation-reminded", "account=%s", LOGS(user->name));
	return 0;
}

static int
act_on(struct registry *r, const char *name)
{
	struct str bytes = STR_INIT(STORE_VALUE_MAX);
	struct object user;
	int found = object_load(r->store, &kind_user, name, &bytes, &user);
	int result = found == -1 ? -1 : 0;

	if (found == 1)
		result = object_get(&user, "vacation-end").p != NULL ?
		    end_one(r, &user) : remind_one(r, &user);
	str_free(&bytes);
	return result;
}

int
absence_end(struct registry *r, int64_t now)
{
	static struct look l;

	l.r = r;
	l.now = now;
	l.next = INT64_MAX;
	l.n = 0;
	if (store_each(r->store, SLICE("address/"), SLICE_EMPTY, look_at,
	    &l) == -1)
		return -1;
	for (size_t i = 0; i < l.n; i++)
		if (act_on(r, l.names[i]) == -1)
			return -1;
	/* What is set from now on lowers it again: absence_note(). */
	r->absence_next = l.next;
	r->absence_looked = l.next == now ? now : now + PAUSE;
	return 0;
}
