/* migrate_list.c - who is on a list of ezmlm, written down for later. */
/* SPDX-License-Identifier: ISC */

/*
 * ezmlm keeps addresses in files of one letter, by a hash of the address: in
 * subscribers/ of the list's folder, and the same below mod/ (moderators),
 * digest/, allow/ (may post) and deny/ (may not).
 * Format of what is written: NAME@DOMAIN.csv, "role,address" and then a line
 * for each.
 * Limits: LIST_MAX bytes of each such file and of what is written.
 */

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "lib/fsx.h"
#include "tools/migrate.h"

#define LIST_MAX (16u << 20)

/* clang-format off */
static const struct {
	const char *role, *folder;
} roles[] = {
	{ "subscriber",   "subscribers" },
	{ "moderator",    "mod/subscribers" },
	{ "digest",       "digest/subscribers" },
	{ "may-post",     "allow/subscribers" },
	{ "may-not-post", "deny/subscribers" },
};
/* clang-format on */
#define ROLES (sizeof(roles) / sizeof(*roles))

struct list {
	const char *folder;
	struct str csv;
	size_t n[ROLES], wrong;
	bool unread;		/* something could not be read */
};

/* An address, or "@domain" for all of a domain; nothing that a line or a cell
 * could end with. */
static bool
is_member(struct slice address)
{
	char domain[ADDR_DOMAIN_MAX + 1];
	struct addr a;

	if (address.len > 0 && *address.p == '@')
		return addr_domain(slice_skip(address, 1), domain) == 0;
	return addr_parse(address, &a) == ADDR_OK &&
	    memchr(address.p, ',', address.len) == NULL &&
	    memchr(address.p, '"', address.len) == NULL;
}

static void
take_file(struct list *l, size_t role, const char *path)
{
	struct str text = STR_INIT(2 * LIST_MAX);
	struct slice rest, address;

	if (old_read(path, LIST_MAX, &text) == -1) {
		l->unread = true;
		str_clear(&text);
	}
	rest = str_slice(&text);
	while (old_subscriber(&rest, &address)) {
		if (!is_member(address)) {
			l->wrong++;
			continue;
		}
		str_printf(&l->csv, "%s,%.*s\n", roles[role].role,
		    SLICE_FMT(address));
		l->n[role]++;
	}
	str_free(&text);
}

static void
take_role(struct list *l, size_t role)
{
	struct str names = STR_INIT(2 * OLD_FILE_MAX);
	char folder[OLD_PATH_MAX + 32], path[OLD_PATH_MAX + 64];
	struct slice rest, name;

	snprintf(folder, sizeof(folder), "%s/%s", l->folder,
	    roles[role].folder);
	if (old_list(folder, &names) == -1)
		l->unread |= errno != ENOENT && errno != ENOTDIR;
	for (rest = str_slice(&names); rest.len > 0;) {
		name = slice_cut(&rest, '\n');
		if (name.len != 1 || *name.p < '@' || *name.p > 't')
			continue;
		snprintf(path, sizeof(path), "%s/%c", folder, *name.p);
		take_file(l, role, path);
	}
	str_free(&names);
}

/* Into the folder for lists. 0, or -1 with errno. */
static int
write_down(const struct migration *g, const char *address, struct list *l)
{
	char name[ADDR_TEXT_MAX + 8];

	if (!str_ok(&l->csv)) {
		errno = EFBIG;
		return -1;
	}
	snprintf(name, sizeof(name), "%s.csv", address);
	return fsx_replace(g->lists, name, 0600, str_slice(&l->csv));
}

void
migrate_list(struct migration *g, const char *address, const char *folder)
{
	struct list l = { .folder = folder, .csv = STR_INIT(2 * LIST_MAX) };
	struct str note = STR_INIT(2000);
	enum outcome o = LEFT_OUT;

	str_puts(&l.csv, "role,address\n");
	for (size_t i = 0; *folder != '\0' && i < ROLES; i++)
		take_role(&l, i);
	str_printf(&note, tr(g->m, "ezmlm: %zu subscribers, %zu moderators",
	    "ezmlm : %zu abonnés, %zu modérateurs"), l.n[0], l.n[1]);
	if (l.wrong > 0)
		str_printf(&note, tr(g->m, ", %zu that are no addresses",
		    ", %zu qui ne sont pas des adresses"), l.wrong);
	if (*folder == '\0' || l.unread) {
		str_puts(&note, tr(g->m, ", some could not be read",
		    ", certains illisibles"));
		o = FAILED;
	}
	if (g->lists_name == NULL)
		str_puts(&note, tr(g->m, "; with --lists FOLDER they are "
		    "written down", " ; --lists DOSSIER en garde la liste"));
	else if (g->lists == -1 || write_down(g, address, &l) == 0)
		str_printf(&note, ": %s/%s.csv", g->lists_name, address);
	else {
		str_printf(&note, ": %s/%s.csv: %s", g->lists_name, address,
		    strerror(errno));
		o = FAILED;
	}
	migrate_report(g, o, "list", address, str_c(&note));
	str_free(&l.csv);
	str_free(&note);
}
