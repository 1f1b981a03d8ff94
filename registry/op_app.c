/* op_app.c - the application passwords of a mailbox. */
/* SPDX-License-Identifier: ISC */

/*
 * One for each program or device, made here and shown once: who loses a
 * telephone deletes one of them and keeps the password that everything hangs
 * on (inventory 8-08). Only the owner makes them, as whoever has one reads the
 * mail (4-13); they open POP3 and SMTP and never the registry, which knows the
 * main password alone. The attribute "app-hashes" of the mailbox holds them
 * (lib/app_password.h), "app-used" when each was last used: lines of seconds
 * since 1970 and a name.
 */

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

#include "auth/app_secret.h"
#include "lib/date.h"
#include "lib/num.h"
#include "registry/apps.h"
#include "registry/local_day.h"
#include "registry/operation.h"
#include "registry/valid.h"

#define USED_GRAIN 60		/* seconds between two notes */
#define LIST_MAX (APP_PASSWORDS_MAX * APP_LINE_MAX)

/* A list without the line of that name: 1 it was there, 0 not, -1. */
static int
list_without(struct slice list, struct slice name, struct str *left)
{
	struct slice rest = list, before;
	struct app_password p;
	int r, found = 0;

	for (before = rest; (r = app_password_next(&rest, &p)) == 1;
	    before = rest) {
		if (slice_eq(p.name, name)) {
			found = 1;
			continue;
		}
		if (left->len > 0)
			str_putc(left, '\n');
		str_put(left, slice_cut(&before, '\n'));
	}
	return r == -1 || !str_ok(left) ? -1 : found;
}

/* The same of the lines of "app-used". */
static int
used_without(const struct object *u, struct slice name, struct str *left)
{
	struct slice rest = object_get(u, "app-used"), line, of;

	while (rest.p != NULL && rest.len > 0) {
		of = line = slice_cut(&rest, '\n');
		(void)slice_cut(&of, ' ');
		if (slice_eq(of, name))
			continue;
		str_put(left, line);
		str_putc(left, '\n');
	}
	return str_ok(left) ? 0 : -1;
}

/* When it was last used, in seconds; 0: never. */
static int64_t
used_at(const struct object *u, struct slice name)
{
	struct slice rest = object_get(u, "app-used"), of, when;
	uint64_t n;

	while (rest.p != NULL && rest.len > 0) {
		of = slice_cut(&rest, '\n');
		when = slice_cut(&of, ' ');
		if (slice_eq(of, name) &&
		    num_parse(when, 0, INT64_MAX, &n) == 0)
			return (int64_t)n;
	}
	return 0;
}

/* Takes name out of what was used, and puts it back with when, unless 0. */
static int
set_used(struct object *u, struct slice name, int64_t when)
{
	struct str left = STR_INIT(LIST_MAX);
	int r = used_without(u, name, &left);

	if (when != 0)
		str_printf(&left, "%" PRId64 " %.*s\n", when, SLICE_FMT(name));
	if (r == 0 && left.len > 0)
		r = object_put(u, "app-used", slice_make(left.p,
		    left.len - 1));
	else if (r == 0)
		object_clear(u, "app-used");
	str_free(&left);
	return r;
}

int
apps_note_use(struct object *u, struct slice name, int64_t when)
{
	struct str left = STR_INIT(LIST_MAX);
	struct slice list = object_get(u, "app-hashes");
	int there = 0;

	/* It may have been deleted meanwhile. */
	if (list.p != NULL)
		there = list_without(list, name, &left);
	str_wipe(&left);
	if (there != 1 || when < used_at(u, name) + USED_GRAIN)
		return there == -1 ? -1 : 0;
	return set_used(u, name, when) == 0 ? 1 : -1;
}

/* The field "services": both when it is not given. */
static enum registry_result
take_services(struct request *q, struct app_password *p)
{
	struct slice rest = field(q, "services"), one;

	p->pop3 = p->smtp = rest.p == NULL;
	while (rest.p != NULL && (one = target_next(&rest)).p != NULL) {
		if (slice_eq_nocase(one, SLICE("pop3")))
			p->pop3 = true;
		else if (slice_eq_nocase(one, SLICE("smtp")))
			p->smtp = true;
		else
			return say(q, REGISTRY_INVALID,
			    "There is no service \"%.*s\": pop3, smtp.",
			    "Le service « %.*s » n'existe pas : pop3, smtp.",
			    SLICE_FMT(one));
	}
	return p->pop3 || p->smtp ? REGISTRY_OK : say(q, REGISTRY_INVALID,
	    "Name a service: pop3, smtp.", "Nommez un service : pop3, smtp.");
}

/* The field "until": a day as the domain's people mean it, or a moment, that is
 * to come. */
static enum registry_result
take_until(struct request *q, const char *account, struct app_password *p)
{
	struct slice in = field(q, "until");
	struct str out = STR_INIT(64);
	struct text why = { "", "" };
	int r = 0;

	p->until = 0;
	if (in.p == NULL || in.len == 0)
		return REGISTRY_OK;
	if ((r = valid_time(in, &out, &why)) == 0)
		p->until = time_of_text(in);
	str_free(&out);
	if (r == -1)
		return say(q, REGISTRY_INVALID, "until %s.", "until %s.",
		    q->french ? why.french : why.english);
	if (local_moment(q->r, account, in, true, &p->until) == -1)
		return say_failed(q);
	return p->until > time(NULL) ? REGISTRY_OK : say(q, REGISTRY_INVALID,
	    "This day is over.", "Ce jour est passé.");
}

static enum registry_result
take_name(struct request *q, struct slice *name)
{
	*name = field(q, "app");
	if (name->p != NULL && name->len > 0 && name->len <= APP_NAME_MAX &&
	    is_line(*name))
		return REGISTRY_OK;
	return say(q, REGISTRY_INVALID, "An application password needs a name "
	    "of its own, one line of at most %d bytes: what it is for.",
	    "Un mot de passe d'application demande un nom à lui, une ligne de "
	    "%d octets au plus : à quoi il sert.", APP_NAME_MAX);
}

/* The domain decides whether there are any. */
static enum registry_result
judge_domain_allows(struct request *q, const char *address)
{
	struct str bytes = STR_INIT(STORE_VALUE_MAX);
	enum registry_result result;
	struct object d;

	result = fetch(q, &kind_domain, address_domain(address), &bytes, &d);
	if (result == REGISTRY_OK && object_is(&d, "app-passwords", "off"))
		result = say(q, REGISTRY_REFUSED,
		    "The domain %s has no application passwords.",
		    "Le domaine %s n'a pas de mots de passe d'application.",
		    d.name);
	str_free(&bytes);
	return result;
}

static size_t
count(struct slice list)
{
	struct app_password p;
	size_t n = 0;

	while (app_password_next(&list, &p) == 1)
		n++;
	return n;
}

/* Puts the list with the line added, where there is one. */
static int
put_list(struct object *u, struct str *list, const char *line)
{
	int r;

	if (line != NULL && list->len > 0)
		str_putc(list, '\n');
	if (line != NULL)
		str_puts(list, line);
	if (!str_ok(list))
		return -1;
	if (list->len > 0)
		return object_put(u, "app-hashes", str_slice(list));
	r = object_get(u, "app-hashes").p == NULL ? -1 : 0;
	object_clear(u, "app-hashes");
	return r;
}

static enum registry_result
add(struct request *q, const struct object *before, struct object *after,
    const void *arg)
{
	const struct app_password *p = arg;
	struct slice old = object_get(before, "app-hashes");
	struct str list = STR_INIT(LIST_MAX);
	enum registry_result result = REGISTRY_OK;
	char line[APP_LINE_MAX];
	int there;

	there = list_without(old.p != NULL ? old : SLICE_EMPTY, p->name, &list);
	if (there == 1)
		result = say(q, REGISTRY_EXISTS,
		    "There is an application password \"%.*s\" already: delete "
		    "it or take another name.", "Il y a déjà un mot de passe "
		    "d'application « %.*s » : supprimez-le ou prenez un autre "
		    "nom.", SLICE_FMT(p->name));
	else if (there == 0 && count(old) >= APP_PASSWORDS_MAX)
		result = say(q, REGISTRY_REFUSED,
		    "There are %d application passwords, no more is possible: "
		    "delete one that is no longer used.", "Il y a %d mots de "
		    "passe d'application, c'est le maximum : supprimez-en un "
		    "qui ne sert plus.", APP_PASSWORDS_MAX);
	else if (there == -1 || app_password_line(p, line) == -1 ||
	    put_list(after, &list, line) == -1 ||
	    set_used(after, p->name, 0) == -1)
		result = say_failed(q);
	else
		result = change(q, before, after);
	str_wipe(&list);
	return result;
}

/* A moment as the domain's clocks show it; 0 is none. */
static void
add_moment(struct registry_fields *f, const char *key, int64_t at,
    const struct zone *zone, char text[DATE_MAX])
{
	if (at != 0)
		registry_add(f, key, slice_of(date_iso_at((time_t)at,
		    zone_east(zone, at), text)));
}

static void
row_made(struct request *q, const struct app_password *p,
    const struct zone *zone, const char *secret)
{
	struct registry_fields f = { .n = 0 };
	char until[DATE_MAX];

	registry_add(&f, "app", p->name);
	registry_add(&f, "password", slice_of(secret));
	registry_add(&f, "services", slice_of(app_password_services(p)));
	add_moment(&f, "until", p->until, zone, until);
	row(q, &f);
}

enum registry_result
op_app_add(struct request *q)
{
	char account[ADDR_TEXT_MAX], secret[APP_SECRET_TEXT];
	struct app_password p = { .created = time(NULL) };
	enum registry_result result;
	struct zone zone;

	if ((result = field_name(q, &kind_user, account)) != REGISTRY_OK ||
	    (result = judge_domain_allows(q, account)) != REGISTRY_OK ||
	    (result = take_name(q, &p.name)) != REGISTRY_OK ||
	    (result = take_services(q, &p)) != REGISTRY_OK ||
	    (result = take_until(q, account, &p)) != REGISTRY_OK)
		return result;
	if (local_zone(q->r, address_domain(account), &zone) == -1 ||
	    app_secret_make(&p, secret) == -1)
		return say_failed(q);
	result = amend(q, &kind_user, account, add, &p);
	if (result == REGISTRY_OK)
		row_made(q, &p, &zone, secret);
	explicit_bzero(secret, sizeof(secret));
	return result;
}

enum registry_result
op_app_list(struct request *q)
{
	struct str bytes = STR_INIT(STORE_VALUE_MAX);
	char created[DATE_MAX], until[DATE_MAX], used[DATE_MAX];
	enum registry_result result;
	struct app_password p;
	struct slice list;
	struct zone zone;
	struct object u;

	result = fetch_named(q, &kind_user, &bytes, &u);
	if (result == REGISTRY_OK &&
	    local_zone(q->r, address_domain(u.name), &zone) == -1)
		result = say_failed(q);
	list = result == REGISTRY_OK ? object_get(&u, "app-hashes") :
	    SLICE_EMPTY;
	while (app_password_next(&list, &p) == 1) {
		struct registry_fields f = { .n = 0 };

		registry_add(&f, "app", p.name);
		registry_add(&f, "services",
		    slice_of(app_password_services(&p)));
		add_moment(&f, "created", p.created, &zone, created);
		add_moment(&f, "last-used", used_at(&u, p.name), &zone, used);
		add_moment(&f, "until", p.until, &zone, until);
		row(q, &f);
	}
	str_wipe(&bytes);
	return result;
}

static enum registry_result
take_away(struct request *q, const struct object *before,
    struct object *after, const void *arg)
{
	const struct slice *name = arg;
	struct slice old = object_get(before, "app-hashes");
	struct str list = STR_INIT(LIST_MAX);
	enum registry_result result;
	int there;

	there = list_without(old.p != NULL ? old : SLICE_EMPTY, *name, &list);
	if (there == 0)
		result = say(q, REGISTRY_NOT_FOUND,
		    "There is no application password \"%.*s\".",
		    "Il n'y a pas de mot de passe d'application « %.*s ».",
		    SLICE_FMT(*name));
	else if (there == -1 || put_list(after, &list, NULL) == -1 ||
	    set_used(after, *name, 0) == -1)
		result = say_failed(q);
	else
		result = change(q, before, after);
	str_wipe(&list);
	return result;
}

enum registry_result
op_app_delete(struct request *q)
{
	char account[ADDR_TEXT_MAX];
	enum registry_result result;
	struct slice name;

	if ((result = field_name(q, &kind_user, account)) != REGISTRY_OK ||
	    (result = take_name(q, &name)) != REGISTRY_OK)
		return result;
	return amend(q, &kind_user, account, take_away, &name);
}
