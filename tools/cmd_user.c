/* cmd_user.c - malle user: mailboxes and their passwords. */
/* SPDX-License-Identifier: ISC */

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "lib/num.h"
#include "tools/backup.h"
#include "tools/import.h"
#include "tools/sent.h"
#include "tools/user.h"
#include "tools/user_usage.h"

/* clang-format off */
static const struct option_field options[] = {
	{ "--name",           "full-name",      NULL },
	{ "--quota",          "quota-bytes",    NULL },
	{ "--messages",       "quota-messages", NULL },
	{ "--state",          "state",          NULL },
	{ "--pop3",           "pop3",           NULL },
	{ "--smtp",           "smtp",           NULL },
	{ "--force",          "force",          "yes" },
	{ "--password-stdin", PASSWORD_HOW,              "stdin" },
	{ "--hash-stdin",     PASSWORD_HOW,              "hash" },
	{ "--random",         PASSWORD_HOW,              "random" },
	{ "--locked",         PASSWORD_HOW,              "locked" },
	{ "--must-change",    "must-change",    "yes" },
	{ "--first",          "first",          NULL },
	{ "--last",           "last",           NULL },
	{ "--redirect",       "redirect",       NULL },
	{ "--own",            "own",            "yes" },
	{ "--welcome",        "welcome",        "yes" },
	{ "--no-welcome",     "welcome",        "no" },
	{ NULL, NULL, NULL }
};
/* clang-format on */

/* What the registry proposes for a person. */
struct proposal {
	char address[ADDR_TEXT_MAX], full_name[256];
};

static void
keep_proposal(void *arg, const struct registry_fields *row)
{
	struct proposal *p = arg;

	if (slice_to_cstr(registry_field(row, "name"), p->address,
	    sizeof(p->address)) == -1 || slice_to_cstr(registry_field(row,
	    "full-name"), p->full_name, sizeof(p->full_name)) == -1)
		p->address[0] = '\0';
}

/* A new mailbox may get a first message (inventory 3-01). */
static int
add_address(struct malle *m, struct arguments *a, const char *address)
{
	struct welcome w = { .wish = welcome_take_wish(&a->f) };
	int status = ask_for_name(m, "user.add", "address", &a->f, address);

	if (status == EX_OK)
		welcome_send(m, &w, address);
	return status;
}

/* The login is shown before anything is made (inventory 3-07). */
static int
add_person(struct malle *m, struct arguments *a, struct slice first,
    struct slice last)
{
	struct registry_fields f = { .n = 0 };
	struct proposal p = { .address = "" };
	int status;

	registry_add(&f, "name", slice_of(a->positional[0]));
	registry_add(&f, "first", first);
	registry_add(&f, "last", last);
	status = registry_learn(m, "user.propose", &f, keep_proposal, &p);
	if (status != EX_OK || p.address[0] == '\0')
		return status != EX_OK ? status : EX_UNAVAILABLE;
	fprintf(m->json ? stderr : stdout, tr(m, "login: %s\n",
	    "identifiant : %s\n"), p.address);
	fflush(stdout);
	if (registry_field(&a->f, "full-name").p == NULL)
		registry_add(&a->f, "full-name", slice_of(p.full_name));
	return add_address(m, a, p.address);
}

static int
user_add(struct malle *m, int argc, char **argv)
{
	static struct arguments a;
	struct slice first, last;

	if (arguments_parse(m, options, true, argc, argv, &a) == -1 || a.n != 1)
		goto wrong;
	first = take_field(&a.f, "first");
	last = take_field(&a.f, "last");
	if (first.p != NULL && last.p != NULL)
		return add_person(m, &a, first, last);
	if (first.p == NULL && last.p == NULL)
		return add_address(m, &a, a.positional[0]);
wrong:
	return arguments_wrong(m,
	    "user add (ADDRESS | --first NAME --last NAME DOMAIN) "
	    "[--name NAME] [--quota SIZE] [--messages N] "
	    "[--random | --password-stdin | --hash-stdin | --locked] "
	    "[--must-change] [--force] [--welcome | --no-welcome]");
}

static int
user_passwd(struct malle *m, int argc, char **argv)
{
	return ask_with_password(m, "user.passwd", "address", options, argc, argv,
	    "user passwd ADDRESS [--own] "
	    "[--random | --password-stdin | --hash-stdin | --locked]");
}

static int
user_list(struct malle *m, int argc, char **argv)
{
	static const char *const columns[] = { "name", "full-name", "state",
		"quota-bytes", "password", "last-login", NULL };

	for (int i = 1; i < argc; i++)
		if (strcmp(argv[i], "--usage") == 0)
			return user_list_usage(m, argc, argv);
	return ask_for_list(m, "user.list", true, argc, argv,
	    "user list [DOMAIN [--usage]] [--after ADDRESS] [--limit N]",
	    columns);
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
	    a.n != 1 || take_field(&a.f, PASSWORD_HOW).p != NULL)
		return arguments_wrong(m, usage);
	registry_add(&a.f, "address", slice_of(a.positional[0]));
	if (add_current(m, &a.f, &s) == 0)
		status = registry_ask(m, operation, &a.f, show, NULL);
	explicit_bzero(&s, sizeof(s));
	return status;
}

/* "held messages 9 4 2026-11-22T02:00:00Z", as a person says it. */
static void
sending_text(const struct malle *m, struct slice value, char *out, size_t cap)
{
	static const char *const states[][3] = {
		{ "slowed", "slowed", "ralentie" },
		{ "held", "held", "retenue" },
		{ "refused", "refused", "refusée" },
	};
	struct slice rest = value, state = slice_cut(&rest, ' ');
	struct slice what, used, max;
	const char *word = NULL;

	for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++)
		if (slice_eq(state, slice_of(states[i][0])))
			word = states[i][m->french ? 2 : 1];
	what = slice_cut(&rest, ' ');
	used = slice_cut(&rest, ' ');
	max = slice_cut(&rest, ' ');
	if (word == NULL || rest.p == NULL) {
		snprintf(out, cap, "%.*s", SLICE_FMT(value));
		return;
	}
	snprintf(out, cap, m->french ? "%s depuis %.*s : %.*s %s en une heure, "
	    "%.*s permis" : "%s since %.*s: %.*s %s in an hour, %.*s allowed",
	    word, SLICE_FMT(rest), SLICE_FMT(used),
	    slice_eq(what, SLICE("messages")) ? "messages" :
	    m->french ? "destinataires" : "recipients", SLICE_FMT(max));
}

/* The account's row with what malle-mailbox and malle-queued have counted. */
struct counted {
	struct sent sent;	/* the same question of malle-queued */
	uint64_t messages, bytes;
	bool known;
};

static void
show_counted(void *arg, const struct registry_fields *row)
{
	struct registry_fields all = *row;
	const struct counted *c = arg;
	const struct malle *m = c->sent.m;
	char messages[24], bytes[24], percent[24], sending[200];
	uint64_t quota;

	snprintf(messages, sizeof(messages), "%" PRIu64, c->messages);
	snprintf(bytes, sizeof(bytes), "%" PRIu64, c->bytes);
	if (c->known) {
		registry_add(&all, "used-messages", slice_of(messages));
		registry_add(&all, "used-bytes", slice_of(bytes));
	}
	if (c->known && num_parse(registry_field(row, "quota-bytes"), 1,
	    INT64_MAX, &quota) == 0) {
		snprintf(percent, sizeof(percent), "%.0f",
		    (double)c->bytes * 100 / (double)quota);
		registry_add(&all, "used-percent", slice_of(percent));
	}
	sent_add(&c->sent, &all);
	for (size_t i = 0; i < all.n && !m->json; i++) {
		if (!slice_eq(all.v[i].name, SLICE("sending")))
			continue;
		sending_text(m, all.v[i].value, sending, sizeof(sending));
		all.v[i].value = slice_of(sending);
	}
	if (m->json)
		row_show_json(NULL, &all);
	else
		row_show_all(NULL, &all);
}

static int
user_show(struct malle *m, int argc, char **argv)
{
	static struct arguments a;
	struct secrets s = { .show = false };
	struct counted c = { .sent = { .m = m, .operation = "user.sent" } };
	int status = EX_NOINPUT;

	if (arguments_parse(m, options, false, argc, argv, &a) == -1 ||
	    a.n != 1 || take_field(&a.f, PASSWORD_HOW).p != NULL)
		return arguments_wrong(m, "user show ADDRESS [--own]");
	registry_add(&a.f, "address", slice_of(a.positional[0]));
	if (add_current(m, &a.f, &s) == 0) {
		c.sent.f = a.f;
		as_add(m, &c.sent.f);
		c.known = mailbox_numbers(m, &c.sent.f, &c.messages,
		    &c.bytes) == 0;
		/* Shown by us, as JSON too. */
		status = registry_learn(m, "user.show", &a.f, show_counted,
		    &c);
	}
	explicit_bzero(&s, sizeof(s));
	return status;
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
user_rename(struct malle *m, int argc, char **argv)
{
	static struct arguments a;

	if (arguments_parse(m, options, false, argc, argv, &a) == -1 ||
	    a.n != 2 || take_field(&a.f, PASSWORD_HOW).p != NULL)
		return arguments_wrong(m, "user rename OLD NEW [--force]");
	registry_add(&a.f, "address", slice_of(a.positional[0]));
	registry_add(&a.f, "to", slice_of(a.positional[1]));
	return registry_ask(m, "user.rename", &a.f,
	    m->json ? row_show_json : NULL, NULL);
}

static int
user_restore(struct malle *m, int argc, char **argv)
{
	return ask_one(m, "user.restore", false, argc, argv,
	    "user restore ADDRESS", NULL);
}

static void
show_proposal(void *arg, const struct registry_fields *row)
{
	(void)arg;
	row_show_columns((void *)(uintptr_t)(const char *[]){ "name", NULL },
	    row);
}

static int
user_propose(struct malle *m, int argc, char **argv)
{
	/* clang-format off */
	static const struct option_field person[] = {
		{ "--first",  "first", NULL },
		{ "--last",   "last",  NULL },
		{ "--domain", "name",  NULL },
		{ NULL, NULL, NULL }
	};
	/* clang-format on */
	static struct arguments a;

	if (arguments_parse(m, person, false, argc, argv, &a) == -1 ||
	    a.n != 0 || a.f.n != 3)
		return arguments_wrong(m, "user propose --first NAME "
		    "--last NAME --domain DOMAIN");
	return registry_ask(m, "user.propose", &a.f, show_proposal, NULL);
}

static int
user_delete(struct malle *m, int argc, char **argv)
{
	return ask_one(m, "user.delete", false, argc, argv,
	    "user delete ADDRESS [--redirect ADDRESS] [--force]", NULL);
}

int
cmd_user(struct malle *m, int argc, char **argv)
{
	/* clang-format off */
	static const struct action actions[] = {
		{ "add", user_add,
		  "(ADDRESS | --first NAME --last NAME DOMAIN)\n"
		  "\t[--name NAME] [--quota SIZE] [--messages N]\n"
		  "\t[--random | --password-stdin | --hash-stdin | --locked]\n"
		  "\t[--must-change] [--force] [--welcome | --no-welcome]",
		  "make a mailbox; the password is asked for, or as the option says",
		  "créer une boîte ; le mot de passe est demandé, ou selon l'option" },
		{ "import", user_import,
		  "FILE.csv [--dry-run] [--all-or-nothing] [--domain DOMAIN]\n"
		  "\t[--random] [--must-change] [--force] [--welcome | --no-welcome]",
		  "make the mailboxes of a file; a report for each line",
		  "créer les boîtes d'un fichier ; un compte rendu par ligne" },
		{ "list", user_list,
		  "[DOMAIN [--usage]] [--after ADDRESS] [--limit N]",
		  "address, name, state, quota, password set or locked, last login;\n"
		  "\t--usage: address, name, last login, messages, bytes, quota, state",
		  "adresse, nom, état, quota, mot de passe (set) ou verrou (locked), dernière connexion ;\n"
		  "\t--usage : adresse, nom, dernière connexion, messages, octets, quota, état" },
		{ "show", user_show, "ADDRESS [--own]",
		  "all about one mailbox", "tout sur une boîte" },
		{ "sheet", user_sheet, "ADDRESS [--lang fr|en] [--own]",
		  "how a mail program is set up for it, to hand to the person",
		  "les réglages d'un logiciel de courrier, à remettre à la personne" },
		{ "check", user_check, "ADDRESS [--send] [--own]",
		  "why does no mail arrive, why is a login refused;\n"
		  "\t--send: sends a letter to it and waits for it",
		  "pourquoi le courrier n'arrive pas, la connexion est refusée ;\n"
		  "\t--send : lui envoie une lettre et attend qu'elle arrive" },
		{ "set", user_set, "ADDRESS [--own] ATTRIBUTE=VALUE ...",
		  "change full-name, quota-bytes, quota-messages, state, pop3, smtp",
		  "changer full-name, quota-bytes, quota-messages, state, pop3, smtp" },
		{ "passwd", user_passwd,
		  "ADDRESS [--own] [--random | --password-stdin | --hash-stdin | --locked]",
		  "change a password; --own: yours, proved by the current one",
		  "changer un mot de passe ; --own : le vôtre, prouvé par l'actuel" },
		{ "app-password", user_app_password, "add | list | delete ...",
		  "passwords for single programs or devices: POP3 and SMTP, no more",
		  "mots de passe pour un programme ou un appareil : POP3 et SMTP, rien d'autre" },
		{ "delete", user_delete, "ADDRESS [--redirect ADDRESS] [--force]",
		  "delete a mailbox; its mail stays on the disk, its name reserved;\n"
		  "\t--redirect: its new mail goes to somebody else",
		  "supprimer une boîte ; son courrier reste sur le disque, son nom réservé ;\n"
		  "\t--redirect : son nouveau courrier va à quelqu'un d'autre" },
		{ "rename", user_rename, "OLD NEW [--force]",
		  "give a mailbox another name; the old one stays as an alias",
		  "donner un autre nom à une boîte ; l'ancien reste comme alias" },
		{ "restore", user_restore, "ADDRESS",
		  "bring a mailbox back within 30 days of its deletion",
		  "rétablir une boîte dans les 30 jours de sa suppression" },
		{ "propose", user_propose, "--first NAME --last NAME --domain DOMAIN",
		  "the address that a person would get: pmartin, then pmartin2",
		  "l'adresse qu'aurait une personne : pmartin, puis pmartin2" },
		{ NULL, NULL, NULL, NULL, NULL }
	};
	/* clang-format on */

	return action_run(m, actions, argc, argv);
}
