/* migrate_passwd.c - malle migrate passwd, maildir: users of a system. */
/* SPDX-License-Identifier: ISC */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "tools/migrate.h"

#define FORWARD_MAX 65536
#define UID_LAST 59999		/* of people, Debian policy 9.2.2 */

/* A file that must be there. 0, or -1 after saying why. */
static int
need(struct migration *g, const char *path, struct str *out)
{
	if (old_read(path, OLD_FILE_MAX, out) == 0)
		return 0;
	fprintf(stderr, "malle%s%s: %s\n", tr(g->m, ": ", " : "), path,
	    strerror(errno));
	return -1;
}

/* passwd and shadow. */

struct people {
	struct migration *g;
	const struct passwd_files *files;
	struct str passwd, shadow;
};

static void
take_hash(const struct people *p, struct old_account *a)
{
	struct slice rest = str_slice(&p->shadow);
	bool found = false;

	while (!found && rest.len > 0)
		found = old_shadow(slice_cut(&rest, '\n'), a->name,
		    a->hash) == 0;
}

/* The home as it is reached here. */
static int
home_of(const struct people *p, const struct old_account *a, const char *file,
    char *out)
{
	char path[2 * OLD_PATH_MAX + 64];

	snprintf(path, sizeof(path), "%s%s/%s", p->files->root, a->home, file);
	return old_path(slice_of(path), out);
}

static void
take_forward(const struct people *p, const struct old_account *a,
    const char *address)
{
	struct str text = STR_INIT(2 * FORWARD_MAX);
	char path[OLD_PATH_MAX];
	struct old_delivery d;
	struct routing r;
	struct slice rest;

	if (home_of(p, a, ".forward", path) == -1 ||
	    old_read(path, FORWARD_MAX, &text) == -1) {
		str_free(&text);
		return;
	}
	routing_init(&r);
	rest = str_slice(&text);
	while (old_target(&rest, a->name, &d))
		routing_take(&r, &d, p->files->domain);
	migrate_routing(p->g, address, &r);
	routing_free(&r);
	str_free(&text);
}

/* One pass over the accounts: 0 makes them, 1 forwards, 2 copies mail. */
static void
pass(const struct people *p, int which)
{
	struct slice rest = str_slice(&p->passwd);
	char address[ADDR_TEXT_MAX], path[OLD_PATH_MAX];
	struct old_account a;

	while (rest.len > 0) {
		if (old_passwd(slice_cut(&rest, '\n'), &a) == -1 ||
		    a.uid < p->files->uid_first || a.uid > UID_LAST)
			continue;
		snprintf(address, sizeof(address), "%s@%s", a.name,
		    p->files->domain);
		if (which == 0) {
			take_hash(p, &a);
			migrate_user(p->g, p->files->domain, &a);
			explicit_bzero(&a, sizeof(a));
		} else if (which == 1) {
			take_forward(p, &a, address);
		} else if (home_of(p, &a, "Maildir", path) == 0) {
			migrate_mail(p->g, address, path);
		}
	}
}

/* aliases(5): its names become aliases of the domain. */
static void
take_aliases(const struct people *p, struct slice rest, bool retry)
{
	char name[ADDR_LOCAL_MAX + 1], address[ADDR_TEXT_MAX];
	struct slice left, targets;
	struct old_delivery d;
	struct routing r;

	while (old_alias(&rest, &left, &targets)) {
		if (addr_account(left, name) == -1)
			continue;
		snprintf(address, sizeof(address), "%s@%s", name,
		    p->files->domain);
		routing_init(&r);
		while (old_target(&targets, "", &d))
			routing_take(&r, &d, p->files->domain);
		migrate_alias(p->g, address, &r, retry);
		routing_free(&r);
	}
}

int
migrate_passwd(struct migration *g, const struct passwd_files *files)
{
	struct people p = { g, files, STR_INIT(2 * OLD_FILE_MAX),
		STR_INIT(2 * OLD_FILE_MAX) };
	struct str aliases = STR_INIT(2 * OLD_FILE_MAX);
	int status = EX_NOINPUT;

	if (need(g, files->passwd, &p.passwd) == 0 &&
	    need(g, files->shadow, &p.shadow) == 0) {
		status = EX_OK;
		migrate_domain(g, files->domain, NULL);
		pass(&p, 0);
		if (old_read(files->aliases, OLD_FILE_MAX, &aliases) == 0)
			take_aliases(&p, str_slice(&aliases), false);
		pass(&p, 1);
		if (!g->no_mail)
			pass(&p, 2);
	}
	str_free(&p.passwd);
	str_wipe(&p.shadow);
	str_free(&aliases);
	return status;
}

/* Maildirs. */

/* The Maildir in a folder: itself, or what is in it by that name. */
static void
take_maildir(struct migration *g, const char *address, const char *path)
{
	struct str names = STR_INIT(2 * OLD_FILE_MAX);
	char below[OLD_PATH_MAX + 16];
	struct slice rest;
	bool is_maildir = false;

	if (old_list(path, &names) == -1)
		migrate_report(g, FAILED, "mail", address, strerror(errno));
	for (rest = str_slice(&names); rest.len > 0;)
		if (slice_eq(slice_cut(&rest, '\n'), SLICE("cur")))
			is_maildir = true;
	snprintf(below, sizeof(below), "%s%s", path,
	    is_maildir ? "" : "/Maildir");
	migrate_mail(g, address, below);
	str_free(&names);
}

/* An account without a password that we know: locked. */
static void
take_locked(struct migration *g, struct slice name, const char *domain,
    struct slice hash, struct slice full_name)
{
	struct old_account a = { .uid = 0 };

	if (addr_account(name, a.name) == -1 ||
	    slice_to_cstr(hash.len > 0 ? hash : SLICE("!"), a.hash,
	    sizeof(a.hash)) == -1 || slice_to_cstr(full_name, a.full_name,
	    sizeof(a.full_name)) == -1) {
		migrate_report(g, FAILED, "user", domain, tr(g->m,
		    "a name that no address can have",
		    "un nom impossible pour une adresse"));
		return;
	}
	migrate_user(g, domain, &a);
	explicit_bzero(&a, sizeof(a));
}

static void
take_domain_folder(struct migration *g, const char *folder, const char *domain)
{
	struct str names = STR_INIT(2 * OLD_FILE_MAX);
	char path[2 * OLD_PATH_MAX], address[ADDR_TEXT_MAX];
	char name[ADDR_LOCAL_MAX + 1];
	struct slice rest, one;

	snprintf(path, sizeof(path), "%s/%s", folder, domain);
	if (old_list(path, &names) == -1) {
		str_free(&names);
		return;		/* a file, or nobody's folder */
	}
	migrate_domain(g, domain, NULL);
	for (rest = str_slice(&names); rest.len > 0;) {
		one = slice_cut(&rest, '\n');
		if (addr_account(one, name) == -1)
			continue;
		take_locked(g, one, domain, SLICE_EMPTY, SLICE_EMPTY);
		snprintf(address, sizeof(address), "%s@%s", name, domain);
		snprintf(path, sizeof(path), "%s/%s/%.*s", folder, domain,
		    SLICE_FMT(one));
		take_maildir(g, address, path);
	}
	str_free(&names);
}

/* "bob@a.fr,bob/Maildir,HASH,Bob Martin": the last two may be missing. */
static void
take_row(struct migration *g, const char *folder, struct slice row)
{
	struct slice address = slice_trim(slice_cut(&row, ','));
	struct slice path = row.p == NULL ? SLICE_EMPTY :
	    slice_trim(slice_cut(&row, ','));
	struct slice hash = row.p == NULL ? SLICE_EMPTY :
	    slice_trim(slice_cut(&row, ','));
	struct slice name = row.p == NULL ? SLICE_EMPTY : slice_trim(row);
	struct slice local = slice_cut(&address, '@');
	char domain[ADDR_DOMAIN_MAX + 1], account[ADDR_LOCAL_MAX + 1];
	char full[ADDR_TEXT_MAX], where[2 * OLD_PATH_MAX], clean[OLD_PATH_MAX];

	if (address.p == NULL || addr_domain(address, domain) == -1 ||
	    addr_account(local, account) == -1) {
		migrate_report(g, FAILED, "list", folder, tr(g->m,
		    "a line that does not begin with an address",
		    "une ligne qui ne commence pas par une adresse"));
		return;
	}
	if (g->only != NULL && strcmp(g->only, domain) != 0)
		return;
	snprintf(full, sizeof(full), "%s@%s", account, domain);
	migrate_domain(g, domain, NULL);
	take_locked(g, local, domain, hash, name);
	if (path.len == 0)
		return;
	snprintf(where, sizeof(where), "%s%s%.*s",
	    *path.p == '/' ? "" : folder, *path.p == '/' ? "" : "/",
	    path.len > OLD_PATH_MAX ? OLD_PATH_MAX : (int)path.len, path.p);
	if (old_path(slice_of(where), clean) == -1)
		migrate_report(g, FAILED, "mail", full, where);
	else
		take_maildir(g, full, clean);
}

static int
take_list(struct migration *g, const char *folder, const char *list)
{
	struct str text = STR_INIT(2 * OLD_FILE_MAX);
	struct slice rest, row;

	if (need(g, list, &text) == -1) {
		str_free(&text);
		return EX_NOINPUT;
	}
	for (rest = str_slice(&text); rest.len > 0;) {
		row = slice_trim(slice_cut(&rest, '\n'));
		if (row.len > 0 && *row.p != '#')
			take_row(g, folder, row);
	}
	str_wipe(&text);
	return EX_OK;
}

int
migrate_maildirs(struct migration *g, const char *folder, const char *list)
{
	struct str names = STR_INIT(2 * OLD_FILE_MAX);
	char clean[OLD_PATH_MAX], domain[ADDR_DOMAIN_MAX + 1];
	struct slice rest;
	int status = EX_OK;

	if (old_path(slice_of(folder), clean) == -1 ||
	    old_list(clean, &names) == -1) {
		fprintf(stderr, tr(g->m, "malle: %s: %s (its full path is "
		    "needed)\n", "malle : %s : %s (il faut son chemin "
		    "complet)\n"), folder, strerror(errno));
		status = EX_NOINPUT;
	} else if (list != NULL) {
		status = take_list(g, clean, list);
	} else {
		for (rest = str_slice(&names); rest.len > 0;)
			if (addr_domain(slice_cut(&rest, '\n'), domain) == 0 &&
			    (g->only == NULL || strcmp(g->only, domain) == 0))
				take_domain_folder(g, clean, domain);
	}
	str_free(&names);
	return status;
}
