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
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "lib/hdr.h"
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
		{ "FAILED", "ÉCHEC" }, { "left out", "laissé" } };
	static const struct text would = { "would", "à faire" };
	const struct text *w = o == MADE && g->dry_run ? &would : &words[o];
	struct registry_fields f = { .n = 0 };

	*(o == MADE ? &g->made : o == THERE ? &g->there :
	    o == FAILED ? &g->failed : &g->left_out) += 1;
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
	if (g->m->french)
		registry_add(&all, "language-of-answer", SLICE("fr"));
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

	if (strcmp(kind, "domain") == 0) {
		registry_add(&f, "name", slice_of(name));
		return migrate_ask(g, "domain.show", &f, NULL, NULL, text,
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
migrate_domain(struct migration *g, const char *name, const char *main)
{
	struct registry_fields f = { .n = 0 };

	registry_add(&f, "name", slice_of(name));
	if (main != NULL)
		registry_add(&f, "alias-of", slice_of(main));
	migrate_add(g, "domain", name, &f, false);
}

/* What user.show says of an account that is there. */
struct seen {
	bool locked, routed;
};

static void
take_seen(void *arg, const struct registry_fields *row)
{
	struct seen *s = arg;

	s->locked = slice_eq(registry_field(row, "password"), SLICE("locked"));
	s->routed = registry_field(row, "forward").p != NULL ||
	    registry_field(row, "vacation-text").p != NULL ||
	    slice_eq(registry_field(row, "discard"), SLICE("yes"));
}

static bool
look(struct migration *g, const char *address, struct seen *s)
{
	struct registry_fields f = { .n = 0 };
	char text[1024];

	registry_add(&f, "address", slice_of(address));
	return migrate_ask(g, "user.show", &f, take_seen, s, text,
	    sizeof(text)) == REGISTRY_OK;
}

/* A mailbox that each domain has from its beginning, locked, gets the password
 * that it had. */
static void
give_hash(struct migration *g, const char *address, const char *hash)
{
	struct registry_fields f = { .n = 0 };
	char text[1024];
	int verdict;

	registry_add(&f, "address", slice_of(address));
	registry_add(&f, "hash", slice_of(hash));
	verdict = g->dry_run ? REGISTRY_OK : migrate_ask(g, "user.passwd", &f,
	    NULL, NULL, text, sizeof(text));
	migrate_report(g, verdict == REGISTRY_OK ? MADE : FAILED, "password",
	    address, verdict == REGISTRY_OK ? "" : text);
}

void
migrate_user(struct migration *g, const char *domain,
    const struct old_account *a)
{
	bool known = old_hash_is_known(a->hash);
	char address[ADDR_TEXT_MAX], bytes[24], messages[24];
	struct registry_fields f = { .n = 0 };
	struct seen seen;

	snprintf(address, sizeof(address), "%s@%s", a->name, domain);
	snprintf(bytes, sizeof(bytes), "%" PRIu64, a->quota_bytes);
	snprintf(messages, sizeof(messages), "%" PRIu64, a->quota_messages);
	registry_add(&f, "address", slice_of(address));
	registry_add(&f, "hash", slice_of(known ? a->hash : "!"));
	if (*a->full_name != '\0')
		registry_add(&f, "full-name", slice_of(a->full_name));
	registry_add(&f, "quota-bytes", slice_of(bytes));
	registry_add(&f, "quota-messages", slice_of(messages));
	if (a->no_pop)
		registry_add(&f, "pop3", SLICE("no"));
	if (a->no_relay)
		registry_add(&f, "smtp", SLICE("no"));
	if (a->bounces)
		registry_add(&f, "state", SLICE("disabled"));
	if (look(g, address, &seen) && seen.locked && known)
		give_hash(g, address, a->hash);
	/* A name like "info" is somebody's account there. */
	else if (!migrate_add(g, "user", address, &f, true)) {
		registry_add(&f, "force", SLICE("yes"));
		migrate_add(g, "user", address, &f, false);
	}
	if (!known)
		migrate_report(g, LEFT_OUT, "password", address, tr(g->m,
		    "its hash is of no kind that can be verified here: set "
		    "another one", "son empreinte est d'un genre qui ne peut "
		    "être vérifié ici : fixez-en un autre"));
}

/* What becomes of mail. */

void
routing_init(struct routing *r)
{
	*r = (struct routing){ STR_INIT(50000), STR_INIT(2000), STR_INIT(250),
		STR_INIT(10000), false, false, false, false };
}

void
routing_free(struct routing *r)
{
	str_free(&r->targets);
	str_free(&r->left_out);
	str_free(&r->subject);
	str_free(&r->text);
}

void
routing_forward(struct routing *r, struct slice target, const char *domain)
{
	if (target.len == 0)
		return;
	if (r->targets.len > 0)
		str_putc(&r->targets, '\n');
	str_put(&r->targets, target);
	if (memchr(target.p, '@', target.len) == NULL) {
		str_putc(&r->targets, '@');
		str_puts(&r->targets, domain);
	}
}

void
routing_take(struct routing *r, const struct old_delivery *d,
    const char *domain)
{
	switch (d->action) {
	case OLD_NOTHING:
	case OLD_DEFAULT:
	case OLD_ANSWER:
	case OLD_MAILBOX:
		break;
	case OLD_FORWARD:
		routing_forward(r, d->value, domain);
		break;
	case OLD_KEEP:
		r->keep = true;
		break;
	case OLD_DISCARD:
		r->discard = true;
		break;
	case OLD_LIST:
		r->is_list = true;
		break;
	case OLD_PROGRAM:
	case OLD_FILE:
		if (r->left_out.len > 0)
			str_puts(&r->left_out, "; ");
		str_put(&r->left_out, d->value);
		break;
	}
}

/* Old texts are often in Latin-1. */
static void
put_utf8(struct str *out, struct slice text, bool is_utf8)
{
	for (size_t i = 0; i < text.len; i++) {
		unsigned char c = (unsigned char)text.p[i];

		if (c < 0x80 || is_utf8) {
			if (c >= ' ' || c == '\n' || c == '\t')
				str_putc(out, (char)c);
		} else {
			str_putc(out, (char)(0xc0 | c >> 6));
			str_putc(out, (char)(0x80 | (c & 0x3f)));
		}
	}
}

void
routing_answer(struct routing *r, struct slice message)
{
	bool utf8 = true;
	struct hdr_field field;
	struct slice rest = message;

	for (size_t i = 0; utf8 && i < message.len;) {
		size_t n = text_utf8_length(slice_skip(message, i));

		if (n == 0 && (unsigned char)message.p[i] >= 0x80)
			utf8 = false;
		i += n == 0 ? 1 : n;
	}
	while (hdr_next(&rest, &field) == HDR_FIELD)
		if (hdr_is(&field, "Subject") && r->subject.len == 0)
			put_utf8(&r->subject, slice_trim(field.value), utf8);
	put_utf8(&r->text, slice_trim(rest), utf8);
	r->answers = r->text.len > 0;
}

static void
report_left_out(struct migration *g, const char *name, const struct routing *r)
{
	if (r->left_out.len > 0)
		migrate_report(g, LEFT_OUT, "program", name,
		    str_c(&r->left_out));
}

void
migrate_routing(struct migration *g, const char *address, struct routing *r)
{
	struct registry_fields f = { .n = 0 };
	char text[1024] = "";
	struct seen seen;
	int verdict = REGISTRY_OK;

	report_left_out(g, address, r);
	registry_add(&f, "address", slice_of(address));
	if (r->targets.len > 0) {
		registry_add(&f, "forward", str_slice(&r->targets));
		registry_add(&f, "keep", r->keep ? SLICE("yes") : SLICE("no"));
	} else if (r->discard) {
		registry_add(&f, "discard", SLICE("yes"));
	}
	if (r->answers) {
		registry_add(&f, "vacation", SLICE("yes"));
		registry_add(&f, "vacation-text", str_slice(&r->text));
	}
	if (r->answers && r->subject.len > 0)
		registry_add(&f, "vacation-subject", str_slice(&r->subject));
	if (f.n == 1)
		return;
	if (look(g, address, &seen) && seen.routed) {
		migrate_report(g, THERE, "routing", address, "");
		return;
	}
	if (!g->dry_run)
		verdict = migrate_ask(g, "user.set", &f, NULL, NULL, text,
		    sizeof(text));
	migrate_report(g, verdict == REGISTRY_OK ? MADE : FAILED, "routing",
	    address, verdict == REGISTRY_OK ? "" : text);
}

bool
migrate_alias(struct migration *g, const char *address, struct routing *r,
    bool retry)
{
	struct registry_fields f = { .n = 0 };
	bool done = true;

	registry_add(&f, "address", slice_of(address));
	if (r->is_list) {
		if (retry)
			migrate_report(g, LEFT_OUT, "list", address, "ezmlm");
		return true;
	}
	if (r->answers) {
		registry_add(&f, "subject", r->subject.len > 0 ?
		    str_slice(&r->subject) : slice_of(address));
		registry_add(&f, "text", str_slice(&r->text));
		if (r->targets.len > 0)
			registry_add(&f, "copy", str_slice(&r->targets));
		done = migrate_add(g, "robot", address, &f, retry);
	} else if (r->targets.len > 0) {
		registry_add(&f, "targets", str_slice(&r->targets));
		done = migrate_add(g, "alias", address, &f, retry);
	}
	if (done)
		report_left_out(g, address, r);
	return done;
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

static int
begin(struct migration *g, struct malle *m, int argc, char **argv,
    struct arguments *a, int positional, const char *usage)
{
	*g = (struct migration){ .m = m, .registry = -1 };
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
	g->registry = malle_connect(m, "registry.sock");
	return g->registry == -1 ? EX_UNAVAILABLE : EX_OK;
}

static int
end(struct migration *g, int status)
{
	fprintf(stderr, tr(g->m, "%" PRIu64 " made, %" PRIu64 " there, %"
	    PRIu64 " left out, %" PRIu64 " failed%s\n", "%" PRIu64 " faits, %"
	    PRIu64 " existants, %" PRIu64 " laissés, %" PRIu64 " en échec%s\n"),
	    g->made, g->there, g->left_out, g->failed, !g->dry_run ? "" :
	    tr(g->m, " (nothing was done: dry run)",
	    " (rien n'est fait : essai à blanc)"));
	close(g->registry);
	return status == EX_OK && g->failed > 0 ? EX_DATAERR : status;
}

static int
from_vpopmail(struct malle *m, int argc, char **argv)
{
	static struct arguments a;
	struct migration g;
	int status = begin(&g, m, argc, argv, &a, 1, "migrate vpopmail FOLDER "
	    "[--assign FILE] [--domain NAME] [--no-mail] [--dry-run]");

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
	    "[--uid-first N] [--no-mail] [--dry-run]";
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
	    "[--list FILE.csv] [--domain NAME] [--no-mail] [--dry-run]");

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
		  "FOLDER [--assign FILE] [--domain NAME] [--no-mail] [--dry-run]",
		  "from vpopmail and QmailAdmin: the folder above domains/",
		  "depuis vpopmail et QmailAdmin : le dossier au-dessus de domains/" },
		{ "passwd", from_passwd,
		  "--domain NAME [--passwd FILE] [--shadow FILE] [--aliases FILE]\n"
		  "\t[--root FOLDER] [--uid-first N] [--no-mail] [--dry-run]",
		  "from the users of a system, with aliases, .forward and ~/Maildir",
		  "depuis les comptes d'un système, avec alias, .forward et ~/Maildir" },
		{ "maildir", from_maildir,
		  "FOLDER [--list FILE.csv] [--domain NAME] [--no-mail] [--dry-run]",
		  "from Maildirs: FOLDER/DOMAIN/NAME, or as a list says",
		  "depuis des Maildirs : DOSSIER/DOMAINE/NOM, ou selon une liste" },
		{ NULL, NULL, NULL, NULL, NULL }
	};
	/* clang-format on */

	return action_run(m, actions, argc, argv);
}
