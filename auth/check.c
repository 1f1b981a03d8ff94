/* check.c - is this the password? From memory, or by a thread. */
/* SPDX-License-Identifier: ISC */

#include <stdio.h>
#include <stdlib.h>

#include "auth/authd.h"

#define UPGRADE_INTERVAL 600000	/* ms between two tries for one account */

/* (account, password, stored hash) as a digest: a new password or a new hash
 * makes another one, so what was remembered is void at once. */
static void
digest(const struct authd *a, const struct login *l, struct slice password,
    struct memory_key *key)
{
	struct slice parts[3] = {
		slice_of(l->exists ? l->who.address : l->name), password,
		slice_of(l->who.hash)
	};

	memory_digest(a->secret, 'p', parts, 3, key);
}

static bool
is_remembered(struct authd *a, const struct memory_key *key)
{
	const int64_t *until = memory_find(a->passwords, key);

	return until != NULL && *until > a->now;
}

static void
join(struct check *c, struct login *l)
{
	l->next_waiter = c->waiters;
	c->waiters = l;
	l->check = c;
	l->state = LOGIN_WORKING;
}

void
check_leave(struct login *l)
{
	struct login **link;

	if (l->check == NULL)
		return;
	for (link = &l->check->waiters; *link != l;)
		link = &(*link)->next_waiter;
	*link = l->next_waiter;
	l->check = NULL;
}

static struct check *
running(const struct authd *a, const struct memory_key *key)
{
	struct check *c = a->checks;

	while (c != NULL && memcmp(&c->key, key, sizeof(*key)) != 0)
		c = c->next;
	return c;
}

static void
check_free(struct check *c)
{
	*c->link = c->next;
	if (c->next != NULL)
		c->next->link = c->link;
	free(c);
}

/* A better hash or missing SCRAM keys: asked for once in a while only. */
static bool
wants_upgrade(struct authd *a, const struct login *l)
{
	struct slice address = slice_of(l->who.address);
	struct memory_key key;
	struct told *t;

	if (!l->exists || l->who.app_only || (l->who.has_scram &&
	    password_hash_is_current(slice_of(l->who.hash))))
		return false;
	memory_digest(a->secret, 't', &address, 1, &key);
	t = memory_get(a->told, &key);
	if (t->upgrade != 0 && a->now - t->upgrade < UPGRADE_INTERVAL)
		return false;
	return true;
}

/* Gives the password to a thread. 0, or -1: too much waits already. */
static int
begin(struct authd *a, struct login *l, struct slice password,
    const struct memory_key *key)
{
	struct job *job = job_new(JOB_VERIFY, password, l->who.hash);
	struct check *c = calloc(1, sizeof(*c));

	if (job == NULL || c == NULL)
		goto bad;
	c->key = *key;
	c->wants_upgrade = wants_upgrade(a, l);
	memcpy(c->address, l->who.address, sizeof(c->address));
	job->owner = c;
	if (workers_put(&a->workers, l->guess.is_friend ? LANE_FRIEND :
	    LANE_STRANGER, job) == -1)
		goto bad;
	c->next = a->checks;
	c->link = &a->checks;
	if (c->next != NULL)
		c->next->link = &c->next;
	a->checks = c;
	join(c, l);
	return 0;
bad:
	job_free(job);
	free(c);
	return -1;
}

/*
 * Application passwords are never remembered: looking costs less than asking
 * the memory does, and one that was deleted is gone with its table.
 */
static bool
is_app_password(struct login *l, struct slice password)
{
	struct app_password p;

	if (!app_secret_find(l->who.apps, password, &p) ||
	    slice_to_cstr(p.name, l->app.name, sizeof(l->app.name)) == -1)
		return false;
	l->app.pop3 = p.pop3;
	l->app.smtp = p.smtp;
	l->app.until = p.until;
	return true;
}

/* It is the main password of the account, which may not be enough. */
static void
main_password(struct authd *a, struct login *l)
{
	if (l->who.app_only)
		verdict_wrong(a, l, "app-password-required");
	else
		verdict_right(a, l);
}

void
check_password(struct authd *a, struct login *l, struct slice password)
{
	struct memory_key key;
	struct check *c;

	switch (accounts_find(&a->accounts, slice_of(l->name), &l->who)) {
	case ACCOUNT_FOUND:
		l->exists = true;
		break;
	case ACCOUNT_UNKNOWN:
		break;
	case ACCOUNT_UNREADABLE:
		verdict_other(a, l, AUTH_TEMPORARY, "unreadable-table");
		return;
	}
	l->looked = a->now;
	/* Before the memory is asked: that would answer guesses, too. */
	if (!throttle_begin(&a->throttle, &l->guess, &l->ip,
	    slice_of(l->who.address[0] != '\0' ? l->who.address : l->name),
	    l->exists, a->now)) {
		verdict_too_many(a, l);
		return;
	}
	if (is_app_password(l, password)) {
		verdict_right(a, l);
		return;
	}
	digest(a, l, password, &key);
	if (is_remembered(a, &key))
		main_password(a, l);
	else if ((c = running(a, &key)) != NULL)
		join(c, l);
	else if (begin(a, l, password, &key) == -1)
		verdict_other(a, l, AUTH_TEMPORARY, "overload");
}

/* The password is known to be right: better hashes of it, when there is time. */
static void
begin_upgrade(struct authd *a, const struct check *c, const struct job *done)
{
	struct slice address = slice_of(c->address);
	struct memory_key key;
	struct job *job = job_new(JOB_UPGRADE,
	    slice_make(done->password, done->password_len), done->hash);
	char *owner = strdup(c->address);

	if (job == NULL || owner == NULL) {
		job_free(job);
		free(owner);
		return;
	}
	job->owner = owner;
	if (workers_put(&a->workers, LANE_UPGRADE, job) == -1) {
		job_free(job);
		free(owner);
		return;
	}
	memory_digest(a->secret, 't', &address, 1, &key);
	((struct told *)memory_get(a->told, &key))->upgrade = a->now;
}

static void
finish_verify(struct authd *a, struct job *job)
{
	struct check *c = job->owner;
	struct login *l;

	if (job->right && a->password_cache > 0)
		*(int64_t *)memory_get(a->passwords, &c->key) = a->now +
		    a->password_cache;
	if (job->right && c->wants_upgrade && a->registry_fd != -1)
		begin_upgrade(a, c, job);
	while ((l = c->waiters) != NULL) {
		check_leave(l);
		if (job->right)
			main_password(a, l);
		else if (job->unknown)
			verdict_other(a, l, AUTH_TEMPORARY, "no-memory");
		else
			verdict_wrong(a, l, l->exists ? "wrong-password" :
			    "unknown-account");
	}
	check_free(c);
}

void
check_finished(struct authd *a, struct job *job)
{
	if (job->kind == JOB_VERIFY) {
		finish_verify(a, job);
	} else {
		tell_upgrade(a, job->owner, job);
		free(job->owner);
	}
	job_free(job);
}
