/* migrate_vpopmail.c - malle migrate vpopmail: domains, users, .qmail files. */
/* SPDX-License-Identifier: ISC */

/*
 * What vpopmail and QmailAdmin keep: domains/DOMAIN/vpasswd, an account a line;
 * domains/DOMAIN/.qmail-NAME, aliases, forwards, robots and lists;
 * .qmail-default, what happens to other names; DOMAIN/USER/.qmail, forwarding
 * and vacation; DOMAIN/USER/Maildir. users/assign of qmail names the folder of
 * each domain and the domain aliases.
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "tools/migrate.h"

#define QMAIL_MAX 65536		/* of a .qmail file */
#define MESSAGE_MAX 65536	/* of a message to answer with */

struct source {
	struct migration *g;
	const char *top;	/* above domains/ */
	char domain[ADDR_DOMAIN_MAX + 1];
	char folder[2 * OLD_PATH_MAX];	/* of the domain */
	struct old_account *accounts;
	size_t n;
};

/* Where a path of the old machine is now: below our top folder. */
static int
path_now(const struct source *s, struct slice old, char *out)
{
	static const char mark[] = "/domains/";
	const char *at = memmem(old.p, old.len, mark, strlen(mark));
	char path[3 * OLD_PATH_MAX];

	if (at == NULL)
		return old_path(old, out);
	old = slice_skip(old, (size_t)(at - old.p));
	snprintf(path, sizeof(path), "%s%.*s", s->top, (int)old.len, old.p);
	return old_path(slice_of(path), out);
}

/* "/.../domains/a.fr/bob/Maildir/" delivers to bob. */
static void
forward_to_folder(const struct source *s, struct routing *r, struct slice path)
{
	struct slice rest = path, part, before = SLICE_EMPTY;
	struct slice last = SLICE_EMPTY;
	char name[ADDR_LOCAL_MAX + 1];

	while (rest.p != NULL) {
		part = slice_cut(&rest, '/');
		if (part.len == 0)
			continue;
		before = last;
		last = part;
	}
	if (slice_eq(last, SLICE("Maildir")))
		last = before;
	if (addr_account(last, name) == 0)
		routing_forward(r, slice_of(name), s->domain);
}

/* The message of a robot or of a vacation. */
static void
take_answer(const struct source *s, struct routing *r, struct slice file)
{
	struct str text = STR_INIT(2 * MESSAGE_MAX);
	char path[OLD_PATH_MAX];

	if (path_now(s, file, path) == 0 &&
	    old_read(path, MESSAGE_MAX, &text) == 0)
		routing_answer(r, str_slice(&text));
	if (!r->answers) {
		str_puts(&r->left_out, "autorespond ");
		str_put(&r->left_out, file);
	}
	str_free(&text);
}

/* A path of the old machine, which must be below the domain's folder. */
static bool
path_of_domain(const struct source *s, struct slice old, char *out)
{
	size_t len = strlen(s->folder);

	return path_now(s, old, out) == 0 &&
	    strncmp(out, s->folder, len) == 0 && out[len] == '/';
}

static void
take_list(const struct source *s, struct routing *r, struct slice folder)
{
	char path[OLD_PATH_MAX];

	r->is_list = true;
	if (r->list.len == 0 && path_of_domain(s, folder, path))
		str_puts(&r->list, path);
}

/* All lines of a .qmail file. account: whose own it is, or NULL. 0, -1: there
 * is none. */
static int
read_qmail(const struct source *s, const char *path, const char *account,
    struct routing *r, struct slice *rest_goes, struct str *text)
{
	struct slice rest;
	struct old_delivery d;

	if (old_read(path, QMAIL_MAX, text) == -1)
		return -1;
	for (rest = str_slice(text); rest.p != NULL;) {
		old_qmail(slice_cut(&rest, '\n'), &d);
		if (d.action == OLD_ANSWER)
			take_answer(s, r, d.value);
		else if (d.action == OLD_DEFAULT)
			*rest_goes = d.value;
		else if (d.action == OLD_LIST)
			take_list(s, r, d.value);
		else if (d.action == OLD_MAILBOX && account != NULL)
			r->keep = true;
		else if (d.action == OLD_MAILBOX)
			forward_to_folder(s, r, d.value);
		else
			routing_take(r, &d, s->domain);
	}
	return 0;
}

/* .qmail-NAME: of a list, it is a link into its folder. */
static int
read_alias(const struct source *s, const char *path, struct routing *r,
    struct slice *rest_goes, struct str *text)
{
	struct str link = STR_INIT(2 * OLD_PATH_MAX);
	char target[OLD_PATH_MAX];
	int result = -1;

	if (old_link(path, &link) == -1)
		result = read_qmail(s, path, NULL, r, rest_goes, text);
	else if (path_of_domain(s, str_slice(&link), target))
		result = read_qmail(s, target, NULL, r, rest_goes, text);
	else
		errno = ELOOP;
	str_free(&link);
	return result;
}

/* An account's own .qmail. */
static void
take_user_qmail(const struct source *s, const struct old_account *a)
{
	struct str text = STR_INIT(2 * QMAIL_MAX);
	char home[OLD_PATH_MAX], path[OLD_PATH_MAX + 16];
	char address[ADDR_TEXT_MAX];
	struct slice ignored = SLICE_EMPTY;
	struct routing r;

	if (path_now(s, slice_of(a->home), home) == -1)
		return;
	snprintf(path, sizeof(path), "%s/.qmail", home);
	snprintf(address, sizeof(address), "%s@%s", a->name, s->domain);
	routing_init(&r);
	if (read_qmail(s, path, a->name, &r, &ignored, &text) == 0)
		migrate_routing(s->g, address, &r);
	routing_free(&r);
	str_free(&text);
}

static bool
is_account(const struct source *s, const char *name)
{
	for (size_t i = 0; i < s->n; i++)
		if (strcmp(s->accounts[i].name, name) == 0)
			return true;
	return false;
}

/* What happens to names that do not exist. */
static void
take_default(struct source *s, struct slice goes, const struct routing *r)
{
	struct registry_fields f = { .n = 0 };
	struct routing folder;

	routing_init(&folder);
	if (goes.len > 0 && *goes.p == '/')
		forward_to_folder(s, &folder, goes);
	else if (goes.len > 0 && memchr(goes.p, '@', goes.len) != NULL)
		routing_forward(&folder, goes, s->domain);
	else if (slice_eq(goes, SLICE("delete")))
		str_puts(&folder.targets, "discard");
	else if (goes.len == 0)
		str_put(&folder.targets, str_slice(&r->targets));
	registry_add(&f, "name", slice_of(s->domain));
	registry_add(&f, "catch-all", str_slice(&folder.targets));
	routing_left_out(s->g, s->domain, r);
	if (!routing_too_long(s->g, "catch-all", s->domain,
	    goes.len == 0 ? r : &folder) && folder.targets.len > 0)
		migrate_change(s->g, "domain.set", &f, "catch-all", s->domain,
		    str_c(&folder.targets));
	routing_free(&folder);
}

/* One .qmail-NAME of a domain: false when it should be tried again later. */
static bool
take_alias(struct source *s, struct slice file, bool retry)
{
	struct str text = STR_INIT(2 * QMAIL_MAX);
	char name[ADDR_LOCAL_MAX + 1], path[3 * OLD_PATH_MAX];
	char address[ADDR_TEXT_MAX];
	struct slice goes = SLICE_EMPTY;
	struct routing r;
	bool done = true;

	snprintf(path, sizeof(path), "%s/%.*s", s->folder, SLICE_FMT(file));
	if (old_qmail_name(file, name) == -1) {
		if (retry)
			migrate_report(s->g, LEFT_OUT, "alias", path, tr(s->g->m,
			    "no name that an address can have",
			    "pas un nom possible pour une adresse"));
		return true;
	}
	snprintf(address, sizeof(address), "%s@%s", name, s->domain);
	routing_init(&r);
	if (read_alias(s, path, &r, &goes, &text) == -1) {
		if (retry)
			migrate_report(s->g, FAILED, "alias", address,
			    strerror(errno));
	} else if (strcmp(name, "default") == 0) {
		if (!retry)
			take_default(s, goes, &r);
		else
			done = false;	/* where it leads must be there */
	} else if (is_account(s, name)) {
		if (retry)
			migrate_report(s->g, LEFT_OUT, "alias", address,
			    tr(s->g->m, "an account has the same name",
			    "un compte porte le même nom"));
	} else {
		done = migrate_alias(s->g, address, &r, retry);
	}
	routing_free(&r);
	str_free(&text);
	return done;
}

static void
take_aliases(struct source *s)
{
	struct str names = STR_INIT(2 * OLD_FILE_MAX), again;
	struct slice rest, file;

	again = STR_INIT(2 * OLD_FILE_MAX);
	if (old_list(s->folder, &names) == -1)
		migrate_report(s->g, FAILED, "folder", s->folder,
		    strerror(errno));
	for (rest = str_slice(&names); rest.len > 0;) {
		file = slice_cut(&rest, '\n');
		if (slice_starts_nocase(file, SLICE(".qmail-")) &&
		    !take_alias(s, file, true)) {
			str_put(&again, file);
			str_putc(&again, '\n');
		}
	}
	/* Those that lead to others that were not there yet. */
	for (rest = str_slice(&again); rest.len > 0;)
		take_alias(s, slice_cut(&rest, '\n'), false);
	str_free(&names);
	str_free(&again);
}

/* domains/DOMAIN/vpasswd. 0 or -1. */
static int
read_accounts(struct source *s)
{
	struct str text = STR_INIT(2 * OLD_FILE_MAX);
	char path[3 * OLD_PATH_MAX];
	struct old_account *more;
	struct slice rest, line;
	size_t cap = 0;

	s->n = 0;
	snprintf(path, sizeof(path), "%s/vpasswd", s->folder);
	if (old_read(path, OLD_FILE_MAX, &text) == -1) {
		migrate_report(s->g, LEFT_OUT, "domain", s->domain, path);
		str_free(&text);
		return -1;
	}
	for (rest = str_slice(&text); rest.len > 0;) {
		line = slice_cut(&rest, '\n');
		if (line.len == 0)
			continue;
		if (s->n == cap && cap < OLD_ACCOUNTS_MAX) {
			cap = cap == 0 ? 64 : 2 * cap;
			more = reallocarray(s->accounts, cap, sizeof(*more));
			if (more == NULL)
				break;
			s->accounts = more;
		}
		if (s->n < cap && old_vpasswd(line, &s->accounts[s->n]) == 0)
			s->n++;
		else
			migrate_report(s->g, FAILED, "vpasswd", s->domain,
			    tr(s->g->m, "a line that is no account",
			    "une ligne qui n'est pas un compte"));
	}
	str_wipe(&text);
	return 0;
}

static void
take_domain(struct source *s)
{
	struct old_limits limits;
	char home[OLD_PATH_MAX], path[OLD_PATH_MAX + 16];
	char address[ADDR_TEXT_MAX];

	if (s->g->only != NULL && strcmp(s->g->only, s->domain) != 0)
		return;
	if (read_accounts(s) == -1)
		return;
	migrate_domain(s->g, s->domain, NULL);
	limits_read(&limits, s->folder, s->top);
	for (size_t i = 0; i < s->n; i++) {
		limits_apply(&limits, &s->accounts[i]);
		migrate_user(s->g, s->domain, &s->accounts[i]);
	}
	take_aliases(s);
	migrate_limits(s->g, s->domain, &limits);
	limits_free(&limits);
	for (size_t i = 0; i < s->n; i++)
		take_user_qmail(s, &s->accounts[i]);
	for (size_t i = 0; i < s->n; i++) {
		if (path_now(s, slice_of(s->accounts[i].home), home) == -1)
			continue;
		snprintf(path, sizeof(path), "%s/Maildir", home);
		snprintf(address, sizeof(address), "%s@%s",
		    s->accounts[i].name, s->domain);
		migrate_mail(s->g, address, path);
	}
	if (s->accounts != NULL)
		explicit_bzero(s->accounts, s->n * sizeof(*s->accounts));
	free(s->accounts);
	s->accounts = NULL;
}

/* As users/assign says: main domains first, then their other names. */
static int
take_assign(struct source *s, const char *file)
{
	struct str text = STR_INIT(2 * OLD_FILE_MAX);
	struct old_assign a;
	struct slice rest;

	if (old_read(file, OLD_FILE_MAX, &text) == -1) {
		fprintf(stderr, "malle: %s: %s\n", file, strerror(errno));
		str_free(&text);
		return EX_NOINPUT;
	}
	for (int names = 0; names < 2; names++)
		for (rest = str_slice(&text); rest.len > 0;) {
			if (old_assign(slice_cut(&rest, '\n'), &a) == -1 ||
			    (strcmp(a.alias, a.domain) != 0) != names)
				continue;
			if (names == 1 && (s->g->only == NULL ||
			    strcmp(s->g->only, a.domain) == 0)) {
				migrate_domain(s->g, a.alias, a.domain);
			} else if (names == 0 && path_now(s,
			    slice_of(a.folder), s->folder) == 0) {
				memcpy(s->domain, a.domain, sizeof(a.domain));
				take_domain(s);
			}
		}
	str_free(&text);
	return EX_OK;
}

int
migrate_vpopmail(struct migration *g, const char *folder, const char *assign)
{
	struct source s = { .g = g, .top = folder };
	struct str names = STR_INIT(2 * OLD_FILE_MAX);
	char path[OLD_PATH_MAX + 16], clean[OLD_PATH_MAX];
	int status = EX_OK;
	struct slice rest;

	snprintf(path, sizeof(path), "%s/domains", folder);
	if (old_path(slice_of(path), clean) == -1 ||
	    old_list(path, &names) == -1) {
		fprintf(stderr, tr(g->m, "malle: %s: %s (the full path of the "
		    "folder that has domains/ in it is needed)\n",
		    "malle : %s : %s (il faut le chemin complet du dossier qui "
		    "contient domains/)\n"), path, strerror(errno));
		str_free(&names);
		return EX_NOINPUT;
	}
	if (assign != NULL)
		status = take_assign(&s, assign);
	for (rest = str_slice(&names); assign == NULL && rest.len > 0;) {
		struct slice name = slice_cut(&rest, '\n');

		if (addr_domain(name, s.domain) == -1 ||
		    !slice_eq_nocase(name, slice_of(s.domain)))
			continue;
		snprintf(s.folder, sizeof(s.folder), "%s/%.*s", clean,
		    SLICE_FMT(name));
		take_domain(&s);
	}
	str_free(&names);
	return status;
}
