/* cmd_user.c - malle user: mailboxes and their passwords. */
/* SPDX-License-Identifier: ISC */

#include <stdio.h>
#include <sysexits.h>
#include <unistd.h>

#include "tools/account.h"

/* The first of these fields is how the password comes, not the registry's. */
#define HOW "password-from"

/* clang-format off */
static const struct option_field options[] = {
	{ "--name",           "full-name",      NULL },
	{ "--quota",          "quota-bytes",    NULL },
	{ "--messages",       "quota-messages", NULL },
	{ "--state",          "state",          NULL },
	{ "--pop3",           "pop3",           NULL },
	{ "--smtp",           "smtp",           NULL },
	{ "--force",          "force",          "yes" },
	{ "--password-stdin", HOW,              "stdin" },
	{ "--hash-stdin",     HOW,              "hash" },
	{ "--random",         HOW,              "random" },
	{ "--locked",         HOW,              "locked" },
	{ "--own",            "own",            "yes" },
	{ NULL, NULL, NULL }
};
static const struct option_field list_options[] = {
	{ "--after", "after", NULL },
	{ "--limit", "limit", NULL },
	{ NULL, NULL, NULL }
};
/* clang-format on */

/* A password on its way: the fields point into it. */
struct secrets {
	char fresh[SECRET_MAX + 1], current[SECRET_MAX + 1];
	bool show;		/* it was made here: the caller must see it */
};

/* Takes a field out that the registry does not know. */
static struct slice
take_field(struct registry_fields *f, const char *name)
{
	struct slice value = { NULL, 0 };
	size_t n = 0;

	for (size_t i = 0; i < f->n; i++) {
		if (slice_eq(f->v[i].name, slice_of(name)))
			value = f->v[i].value;
		else
			f->v[n++] = f->v[i];
	}
	f->n = n;
	return value;
}

/* Fills the field password or hash, by the option given. 0 or -1. */
static int
add_password(const struct malle *m, struct registry_fields *f,
    struct secrets *s)
{
	struct slice how = take_field(f, HOW);
	const char *field = "password";

	if (how.p != NULL && slice_eq(how, SLICE("locked"))) {
		registry_add(f, "hash", SLICE("!"));
		return 0;
	}
	if (how.p != NULL && slice_eq(how, SLICE("random"))) {
		if (secret_random(s->fresh) == -1)
			return -1;
		s->show = true;
	} else {
		if (how.p != NULL && slice_eq(how, SLICE("hash")))
			field = "hash";
		if (secret_new(m, how.p != NULL, s->fresh) == -1)
			return -1;
	}
	registry_add(f, field, slice_of(s->fresh));
	return 0;
}

/* Who does not administer proves that the account is theirs. */
static int
add_current(const struct malle *m, struct registry_fields *f,
    struct secrets *s)
{
	if (take_field(f, "own").p == NULL)
		return 0;
	if (isatty(STDIN_FILENO)) {
		if (secret_ask(m, tr(m, "Current password: ",
		    "Mot de passe actuel : "), s->current) == -1)
			return -1;
	} else if (secret_new(m, true, s->current) == -1) {
		return -1;
	}
	registry_add(f, "current", slice_of(s->current));
	return 0;
}

static void
show_password(const struct malle *m, const char *address,
    const struct secrets *s)
{
	if (m->json)
		printf("{\"name\": \"%s\", \"password\": \"%s\"}\n", address,
		    s->fresh);
	else
		printf("%s %s\n", address, s->fresh);
}

static int
ask_with_password(struct malle *m, const char *operation, int argc,
    char **argv, const char *usage)
{
	static struct arguments a;
	struct secrets s = { .show = false };
	int status = EX_NOINPUT;

	if (arguments_parse(m, options, true, argc, argv, &a) == -1 || a.n != 1)
		return arguments_wrong(m, usage);
	registry_add(&a.f, "address", slice_of(a.positional[0]));
	if (add_current(m, &a.f, &s) == 0 && add_password(m, &a.f, &s) == 0) {
		status = registry_ask(m, operation, &a.f, NULL, NULL);
		if (status == EX_OK && s.show)
			show_password(m, a.positional[0], &s);
	}
	explicit_bzero(&s, sizeof(s));
	return status;
}

static int
user_add(struct malle *m, int argc, char **argv)
{
	return ask_with_password(m, "user.add", argc, argv,
	    "user add ADDRESS [--name NAME] [--quota SIZE] [--messages N] "
	    "[--random | --password-stdin | --hash-stdin | --locked] [--force]");
}

static int
user_passwd(struct malle *m, int argc, char **argv)
{
	return ask_with_password(m, "user.passwd", argc, argv,
	    "user passwd ADDRESS [--own] "
	    "[--random | --password-stdin | --hash-stdin | --locked]");
}

static int
user_list(struct malle *m, int argc, char **argv)
{
	static const char *const columns[] = { "name", "full-name", "state",
		"quota-bytes", "password", "last-login", NULL };
	static struct arguments a;

	if (arguments_parse(m, list_options, false, argc, argv, &a) == -1 ||
	    a.n > 1)
		return arguments_wrong(m,
		    "user list [DOMAIN] [--after ADDRESS] [--limit N]");
	if (a.n == 1)
		registry_add(&a.f, "domain", slice_of(a.positional[0]));
	return registry_ask(m, "user.list", &a.f, row_show_columns,
	    (void *)(uintptr_t)columns);
}

/* show, set and delete: an address, and the password of its owner. */
static int
ask_one(struct malle *m, const char *operation, bool attributes, int argc,
    char **argv, const char *usage, row_show *show)
{
	static struct arguments a;
	struct secrets s = { .show = false };
	int status = EX_NOINPUT;

	if (arguments_parse(m, options, attributes, argc, argv, &a) == -1 ||
	    a.n != 1 || take_field(&a.f, HOW).p != NULL)
		return arguments_wrong(m, usage);
	registry_add(&a.f, "address", slice_of(a.positional[0]));
	if (add_current(m, &a.f, &s) == 0)
		status = registry_ask(m, operation, &a.f, show, NULL);
	explicit_bzero(&s, sizeof(s));
	return status;
}

static int
user_show(struct malle *m, int argc, char **argv)
{
	return ask_one(m, "user.show", false, argc, argv,
	    "user show ADDRESS [--own]", row_show_all);
}

static int
user_set(struct malle *m, int argc, char **argv)
{
	return ask_one(m, "user.set", true, argc, argv,
	    "user set ADDRESS [--own] [--name NAME] [--quota SIZE] "
	    "[--messages N] [--state STATE] [--pop3 yes|no] [--smtp yes|no] "
	    "[ATTRIBUTE=VALUE ...]", m->json ? row_show_json : NULL);
}

static int
user_delete(struct malle *m, int argc, char **argv)
{
	return ask_one(m, "user.delete", false, argc, argv,
	    "user delete ADDRESS", NULL);
}

int
cmd_user(struct malle *m, int argc, char **argv)
{
	/* clang-format off */
	static const struct action actions[] = {
		{ "add", user_add,
		  "ADDRESS [--name NAME] [--quota SIZE] [--messages N]\n"
		  "\t[--random | --password-stdin | --hash-stdin | --locked] [--force]",
		  "make a mailbox; the password is asked for, or as the option says",
		  "créer une boîte ; le mot de passe est demandé, ou selon l'option" },
		{ "list", user_list, "[DOMAIN] [--after ADDRESS] [--limit N]",
		  "address, name, state, quota, password set or locked, last login",
		  "adresse, nom, état, quota, mot de passe (set) ou verrou (locked), dernière connexion" },
		{ "show", user_show, "ADDRESS [--own]",
		  "all about one mailbox", "tout sur une boîte" },
		{ "set", user_set, "ADDRESS [--own] ATTRIBUTE=VALUE ...",
		  "change full-name, quota-bytes, quota-messages, state, pop3, smtp",
		  "changer full-name, quota-bytes, quota-messages, state, pop3, smtp" },
		{ "passwd", user_passwd,
		  "ADDRESS [--own] [--random | --password-stdin | --hash-stdin | --locked]",
		  "change a password; --own: yours, proved by the current one",
		  "changer un mot de passe ; --own : le vôtre, prouvé par l'actuel" },
		{ "delete", user_delete, "ADDRESS",
		  "delete a mailbox; its mail stays on the disk, its name reserved",
		  "supprimer une boîte ; son courrier reste sur le disque, son nom réservé" },
		{ NULL, NULL, NULL, NULL, NULL }
	};
	/* clang-format on */

	return action_run(m, actions, argc, argv);
}
