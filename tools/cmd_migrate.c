/* cmd_migrate.c - malle migrate: accounts and mail of other mail systems. */
/* SPDX-License-Identifier: ISC */

/*
 * Runs as: root, which alone may fill mailboxes and give hashes.
 * Trusts: its arguments. Files of the old system are read by migrate_old.c and
 * judged by migrate_parse.c; the registry judges each object once more.
 * Order: domains, accounts, what their mail does, aliases, mail. What is there
 * is left as it is, so all of it can be repeated.
 */

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "lib/fsx.h"
#include "lib/num.h"
#include "tools/backup.h"
#include "tools/json.h"
#include "tools/migrate.h"

void
migrate_report(struct migration *g, enum outcome o, const char *kind,
    const char *name, const char *note)
{
	static const struct text {
		const char *english, *french;
	} words[] = { { "made", "fait" }, { "there", "existant" },
		{ "FAILED", "ÉCHEC" }, { "left out", "laissé" },
		{ "note", "à savoir" } };
	static const struct text would = { "would", "à faire" };
	const struct text *w = o == MADE && g->dry_run ? &would : &words[o];
	struct registry_fields f = { .n = 0 };

	g->count[o]++;
	registry_add(&f, "outcome", slice_of(tr(g->m, w->english, w->french)));
	registry_add(&f, "kind", slice_of(kind));
	registry_add(&f, "name", slice_of(name));
	registry_add(&f, "note", slice_of(note));
	if (g->m->json) {
		row_show_json(NULL, &f);
		return;
	}
	for (size_t i = 0; i < f.n && f.v[i].value.len > 0; i++) {
		if (i > 0)
			putchar('\t');
		text_put_escaped(stdout, f.v[i].value);
	}
	putchar('\n');
}

int
migrate_ask(struct migration *g, const char *operation,
    struct registry_fields *f, row_show *row, void *arg, char *text, size_t cap)
{
	struct registry_fields all = *f;
	int verdict;

	*text = '\0';
	caller_add(g->m, &all);
	verdict = registry_call(g->registry, operation, &all, row, arg, text,
	    cap);
	if (verdict == -1)
		snprintf(text, cap, "malle-registryd: %s", strerror(errno));
	return verdict;
}

/* True when there is an object of that name, whatever its kind. */
static bool
is_there(struct migration *g, const char *kind, const char *name)
{
	static const char *const kinds[] = { "user", "alias", "robot" };
	struct registry_fields f = { .n = 0 };
	char operation[32], text[1024];

	if (strcmp(kind, "domain") == 0 || strcmp(kind, "client") == 0) {
		registry_add(&f, "name", slice_of(name));
		snprintf(operation, sizeof(operation), "%s.show", kind);
		return migrate_ask(g, operation, &f, NULL, NULL, text,
		    sizeof(text)) == REGISTRY_OK;
	}
	registry_add(&f, "address", slice_of(name));
	for (size_t i = 0; i < 3; i++) {
		snprintf(operation, sizeof(operation), "%s.show", kinds[i]);
		if (migrate_ask(g, operation, &f, NULL, NULL, text,
		    sizeof(text)) == REGISTRY_OK)
			return true;
	}
	return false;
}

bool
migrate_add(struct migration *g, const char *kind, const char *name,
    struct registry_fields *f, bool retry)
{
	char operation[32], text[1024];
	int verdict;

	if (g->dry_run || is_there(g, kind, name)) {
		migrate_report(g, is_there(g, kind, name) ? THERE : MADE, kind,
		    name, "");
		return true;
	}
	snprintf(operation, sizeof(operation), "%s.add", kind);
	verdict = migrate_ask(g, operation, f, NULL, NULL, text, sizeof(text));
	if (verdict != REGISTRY_OK && retry)
		return false;
	migrate_report(g, verdict == REGISTRY_OK ? MADE : FAILED, kind, name,
	    verdict == REGISTRY_OK ? "" : text);
	return true;
}

void
migrate_change(struct migration *g, const char *operation,
    struct registry_fields *f, const char *kind, const char *name,
    const char *note)
{
	int verdict = REGISTRY_OK;
	char text[1024];

	if (!g->dry_run)
		verdict = migrate_ask(g, operation, f, NULL, NULL, text,
		    sizeof(text));
	migrate_report(g, verdict == REGISTRY_OK ? MADE : FAILED, kind, name,
	    verdict == REGISTRY_OK ? note : text);
}

/* The customer whose domains they become, before the first. */
static void
add_client(struct migration *g)
{
	struct registry_fields f = { .n = 0 };

	if (g->client == NULL || g->has_client)
		return;
	g->has_client = true;
	registry_add(&f, "name", slice_of(g->client));
	if (g->language != NULL)
		registry_add(&f, "language", slice_of(g->language));
	migrate_add(g, "client", g->client, &f, false);
}

void
migrate_domain(struct migration *g, const char *name, const char *main)
{
	struct registry_fields f = { .n = 0 };

	add_client(g);
	registry_add(&f, "name", slice_of(name));
	if (main != NULL)
		registry_add(&f, "alias-of", slice_of(main));
	if (g->client != NULL)
		registry_add(&f, "client", slice_of(g->client));
	if (g->language != NULL)
		registry_add(&f, "language", slice_of(g->language));
	migrate_add(g, "domain", name, &f, false);
}

void
migrate_mail(struct migration *g, const char *address, const char *path)
{
	static struct box_link b;
	struct registry_fields f = { .n = 0 };
	struct old_copied c = { 0, 0, 0 };
	struct str names = STR_INIT(2 * OLD_FILE_MAX);
	char note[128];
	int result;

	/* A mailbox that never had mail has no Maildir there. */
	if (old_list(path, &names) == -1 && errno == ENOENT) {
		str_free(&names);
		return;
	}
	str_free(&names);
	if (g->dry_run || g->no_mail) {
		migrate_report(g, g->no_mail ? LEFT_OUT : MADE, "mail",
		    address, path);
		return;
	}
	registry_add(&f, "address", slice_of(address));
	if (box_open(&b, g->m, "mailbox.fill", &f, false) != EX_OK) {
		migrate_report(g, FAILED, "mail", address, path);
		return;
	}
	if ((result = old_copy(path, &b, &c)) == -1)
		snprintf(note, sizeof(note), "%s", strerror(errno));
	else
		snprintf(note, sizeof(note), tr(g->m, "%" PRIu64 " copied, %"
		    PRIu64 " there, %" PRIu64 " failed", "%" PRIu64 " copiés, %"
		    PRIu64 " existants, %" PRIu64 " en échec"), c.copied,
		    c.there, c.failed);
	box_close(&b);
	migrate_report(g, result == -1 || c.failed > 0 ? FAILED :
	    c.copied > 0 ? MADE : THERE, "mail", address, note);
}

/* The command. */

/* clang-format off */
static const struct option_field options[] = {
	{ "--dry-run", "dry-run", "yes" },
	{ "--no-mail", "no-mail", "yes" },
	{ "--domain",  "domain",  NULL },
	{ "--assign",  "assign",  NULL },
	{ "--passwd",  "passwd",  NULL },
	{ "--shadow",  "shadow",  NULL },
	{ "--aliases", "aliases", NULL },
	{ "--root",    "root",    NULL },
	{ "--uid-first", "uid-first", NULL },
	{ "--list",    "list",    NULL },
	{ "--client",  "client",  NULL },
	{ "--language", "language", NULL },
	{ "--lists",   "lists",   NULL },
	{ NULL, NULL, NULL }
};
/* clang-format on */

/* The value of an option, which is a string of argv; or initial. */
static const char *
option(const struct arguments *a, const char *name, const char *initial)
{
	struct slice v = registry_field(&a->f, name);

	return v.p != NULL ? v.p : initial;
}

/* The folder that lists are written to. 0, or -1 after saying why. */
static int
open_lists(struct migration *g)
{
	if (fsx_make_dir(AT_FDCWD, g->lists_name, 0700) == 0 &&
	    (g->lists = fsx_open_dir(AT_FDCWD, g->lists_name)) != -1)
		return 0;
	fprintf(stderr, "malle%s%s: %s\n", tr(g->m, ": ", " : "),
	    g->lists_name, strerror(errno));
	return -1;
}

static int
begin(struct migration *g, struct malle *m, int argc, char **argv,
    struct arguments *a, int positional, const char *usage)
{
	*g = (struct migration){ .m = m, .registry = -1, .lists = -1 };
	if (m->as != NULL) {
		fputs(tr(m, "malle: a migration reads files of all owners, with "
		    "the rights of who runs it: leave out --as\n",
		    "malle : une migration lit les fichiers de tous, avec les "
		    "droits de qui la lance : sans --as\n"), stderr);
		return EX_USAGE;
	}
	if (arguments_parse(m, options, false, argc, argv, a) == -1 ||
	    a->n != positional)
		return arguments_wrong(m, usage);
	if (geteuid() != 0)
		fputs(tr(m, "malle: not root: what is not yours cannot be "
		    "read\n", "malle : pas root : ce qui n'est pas à vous ne "
		    "peut pas être lu\n"), stderr);
	g->dry_run = registry_field(&a->f, "dry-run").p != NULL;
	g->no_mail = registry_field(&a->f, "no-mail").p != NULL;
	g->only = option(a, "domain", NULL);
	g->client = option(a, "client", NULL);
	g->language = option(a, "language", NULL);
	g->lists_name = option(a, "lists", NULL);
	if (g->lists_name != NULL && !g->dry_run && open_lists(g) == -1)
		return EX_CANTCREAT;
	g->registry = malle_connect(m, "registry.sock");
	return g->registry == -1 ? EX_UNAVAILABLE : EX_OK;
}

static int
end(struct migration *g, int status)
{
	fprintf(stderr, tr(g->m, "%" PRIu64 " made, %" PRIu64 " there, %"
	    PRIu64 " left out, %" PRIu64 " failed%s\n", "%" PRIu64 " faits, %"
	    PRIu64 " existants, %" PRIu64 " laissés, %" PRIu64 " en échec%s\n"),
	    g->count[MADE], g->count[THERE], g->count[LEFT_OUT],
	    g->count[FAILED], !g->dry_run ? "" :
	    tr(g->m, " (nothing was done: dry run)",
	    " (rien n'est fait : essai à blanc)"));
	close(g->registry);
	if (g->lists != -1)
		close(g->lists);
	return status == EX_OK && g->count[FAILED] > 0 ? EX_DATAERR : status;
}

static int
from_vpopmail(struct malle *m, int argc, char **argv)
{
	static struct arguments a;
	struct migration g;
	int status = begin(&g, m, argc, argv, &a, 1, "migrate vpopmail FOLDER "
	    "[--assign FILE] [--domain NAME] [--client NAME] "
	    "[--language CODE] [--lists FOLDER] [--no-mail] [--dry-run]");

	if (status != EX_OK)
		return status;
	return end(&g, migrate_vpopmail(&g, a.positional[0],
	    option(&a, "assign", NULL)));
}

static int
from_passwd(struct malle *m, int argc, char **argv)
{
	static const char usage[] = "migrate passwd --domain NAME "
	    "[--passwd FILE] [--shadow FILE] [--aliases FILE] [--root FOLDER] "
	    "[--uid-first N] [--client NAME] [--language CODE] [--no-mail] "
	    "[--dry-run]";
	static struct arguments a;
	struct passwd_files files;
	struct migration g;
	int status = begin(&g, m, argc, argv, &a, 0, usage);

	if (status != EX_OK)
		return status;
	files = (struct passwd_files){ g.only,
		option(&a, "passwd", "/etc/passwd"),
		option(&a, "shadow", "/etc/shadow"),
		option(&a, "aliases", "/etc/aliases"),
		option(&a, "root", ""), 1000 };
	if (g.only == NULL || (registry_field(&a.f, "uid-first").p != NULL &&
	    num_parse(registry_field(&a.f, "uid-first"), 1, UINT32_MAX,
	    &files.uid_first) == -1))
		return arguments_wrong(m, usage);
	return end(&g, migrate_passwd(&g, &files));
}

static int
from_maildir(struct malle *m, int argc, char **argv)
{
	static struct arguments a;
	struct migration g;
	int status = begin(&g, m, argc, argv, &a, 1, "migrate maildir FOLDER "
	    "[--list FILE.csv] [--domain NAME] [--client NAME] "
	    "[--language CODE] [--no-mail] [--dry-run]");

	if (status != EX_OK)
		return status;
	return end(&g, migrate_maildirs(&g, a.positional[0],
	    option(&a, "list", NULL)));
}

int
cmd_migrate(struct malle *m, int argc, char **argv)
{
	/* clang-format off */
	static const struct action actions[] = {
		{ "vpopmail", from_vpopmail,
		  "FOLDER [--assign FILE] [--domain NAME] [--client NAME]\n"
		  "\t[--language CODE] [--lists FOLDER] [--no-mail] [--dry-run]",
		  "from vpopmail and QmailAdmin: the folder above domains/",
		  "depuis vpopmail et QmailAdmin : le dossier au-dessus de domains/" },
		{ "passwd", from_passwd,
		  "--domain NAME [--passwd FILE] [--shadow FILE] [--aliases FILE]\n"
		  "\t[--root FOLDER] [--uid-first N] [--client NAME] [--language CODE]\n"
		  "\t[--no-mail] [--dry-run]",
		  "from the users of a system, with aliases, .forward and ~/Maildir",
		  "depuis les comptes d'un système, avec alias, .forward et ~/Maildir" },
		{ "maildir", from_maildir,
		  "FOLDER [--list FILE.csv] [--domain NAME] [--client NAME]\n"
		  "\t[--language CODE] [--no-mail] [--dry-run]",
		  "from Maildirs: FOLDER/DOMAIN/NAME, or as a list says",
		  "depuis des Maildirs : DOSSIER/DOMAINE/NOM, ou selon une liste" },
		{ NULL, NULL, NULL, NULL, NULL }
	};
	/* clang-format on */

	return action_run(m, actions, argc, argv);
}
