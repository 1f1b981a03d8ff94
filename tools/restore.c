/* restore.c - malle mailbox contents, restore: mail out of an archive. */
/* SPDX-License-Identifier: ISC */

/*
 * Trusts: nobody's archive. A member is a message when its path says so
 * (member.c), which also says its folder, name and flags; nothing else of the
 * archive is used, and no file is made by its paths. malle-mailbox judges all
 * of it again, and writes.
 * Order: a file is read to its end before anything changes; what is written is
 * made durable in groups; what is there already is left alone. So what was cut
 * short can be begun again.
 * Limits: MEMBERS_MAX members, BOX_SIZE_MAX bytes each.
 */

#include "tools/backup.h"

#include <sys/stat.h>

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "lib/num.h"
#include "mailbox/headers.h"
#include "tools/json.h"
#include "tools/member.h"

#define MEMBERS_MAX 10000000
#define TAR_BLOCK 512

struct restore {
	struct malle *m;
	struct archive *a;
	struct box_link *l;
	struct progress progress;
	uint64_t n;		/* messages seen */
	uint64_t written, there, failed;
	char *const *wanted;	/* numbers and ids; none: all */
	int nwanted;
	char *settings;		/* malloc'd, or NULL */
	size_t settings_len;
};

/* Opens it for reading; NULL after saying why. */
static struct archive *
open_archive(const struct malle *m, const char *path)
{
	struct archive *a = archive_read_new();

	if (a == NULL || archive_read_support_filter_gzip(a) != ARCHIVE_OK ||
	    archive_read_support_format_tar(a) != ARCHIVE_OK ||
	    archive_read_open_filename(a, strcmp(path, "-") == 0 ? NULL : path,
	    65536) != ARCHIVE_OK) {
		fprintf(stderr, tr(m, "malle: %s is no archive: %s\n",
		    "malle : %s n'est pas une archive : %s\n"), path,
		    a == NULL ? strerror(errno) : archive_error_string(a));
		archive_read_free(a);
		return NULL;
	}
	return a;
}

/* True when the entry is a message; *out describes it. */
static bool
is_message(struct archive_entry *e, struct box_message *out)
{
	const char *path = archive_entry_pathname(e);
	int64_t size = archive_entry_size(e);

	*out = (struct box_message){ .size = (uint64_t)size };
	if (path == NULL || archive_entry_filetype(e) != AE_IFREG ||
	    archive_entry_hardlink(e) != NULL || size < 0 ||
	    (uint64_t)size > BOX_SIZE_MAX)
		return false;
	if (archive_entry_mtime_is_set(e) && archive_entry_mtime(e) > 0)
		out->time = archive_entry_mtime(e);
	return member_parse(slice_of(path), out) == 0;
}

static bool
is_wanted(const struct restore *r, const struct box_message *m)
{
	uint64_t number;

	for (int i = 0; i < r->nwanted; i++)
		if (strcmp(r->wanted[i], m->unique) == 0 ||
		    (num_parse(slice_of(r->wanted[i]), 1, UINT64_MAX,
		    &number) == 0 && number == r->n))
			return true;
	return r->nwanted == 0;
}

static ssize_t
read_entry(void *arg, char *piece)
{
	struct restore *r = arg;

	return archive_read_data(r->a, piece, BOX_PIECE);
}

/* Keeps the settings, once. */
static void
take_settings(struct restore *r, struct archive_entry *e)
{
	int64_t size = archive_entry_size(e);

	if (r->settings != NULL || size <= 0 || size > MEMBER_SETTINGS_MAX ||
	    archive_entry_filetype(e) != AE_IFREG ||
	    (r->settings = malloc((size_t)size)) == NULL)
		return;
	if (archive_read_data(r->a, r->settings, (size_t)size) == size)
		r->settings_len = (size_t)size;
}

/* At least one block of zeros is the end of an archive; without it, one that is
 * cut between two members would look whole. */
static bool
has_end(struct restore *r, int64_t behind_members)
{
	if (archive_filter_bytes(r->a, 0) - behind_members >= TAR_BLOCK)
		return true;
	archive_set_error(r->a, ENODATA, "%s", tr(r->m, "its end is missing",
	    "la fin manque"));
	return false;
}

/* Calls each (or NULL) for every message. 0, 1 when each ended it, -1: it is
 * damaged. */
static int
walk(struct restore *r, int (*each)(struct restore *, struct box_message *))
{
	struct archive_entry *e;
	struct box_message m;
	const char *path;
	int got = ARCHIVE_OK, result = 0;
	int64_t behind = 0;

	for (unsigned i = 0; result == 0 && i < MEMBERS_MAX; i++) {
		got = archive_read_next_header(r->a, &e);
		if (got != ARCHIVE_OK && got != ARCHIVE_WARN)
			break;
		path = archive_entry_pathname(e);
		if (each == NULL)
			;
		else if (path != NULL && strcmp(path, MEMBER_SETTINGS) == 0)
			take_settings(r, e);
		else if (is_message(e, &m)) {
			r->n++;
			result = each(r, &m);
		}
		got = archive_read_data_skip(r->a);
		if (got != ARCHIVE_OK && got != ARCHIVE_WARN)
			break;
		behind = archive_filter_bytes(r->a, 0);
	}
	if (result != 0 || (got == ARCHIVE_EOF && has_end(r, behind)))
		return result;
	fprintf(stderr, tr(r->m, "malle: the archive is damaged: %s\n",
	    "malle : l'archive est endommagée : %s\n"),
	    archive_error_string(r->a));
	return -1;
}

/* contents */

static int
show_member(struct restore *r, struct box_message *m)
{
	static char beginning[HEADERS_READ];
	struct str text = STR_INIT(4 * BOX_HEADER_MAX);
	struct registry_fields f = { .n = 0 };
	struct box_headers h;
	char number[24], size[24];
	la_ssize_t n = archive_read_data(r->a, beginning, sizeof(beginning));

	headers_parse(slice_make(beginning, n > 0 ? (size_t)n : 0), &text, &h);
	snprintf(number, sizeof(number), "%" PRIu64, r->n);
	snprintf(size, sizeof(size), "%" PRIu64, m->size);
	registry_add(&f, "number", slice_of(number));
	registry_add(&f, "id", slice_of(m->unique));
	registry_add(&f, "folder", slice_of(box_folder_name(m->folder)));
	registry_add(&f, "bytes", slice_of(size));
	registry_add(&f, "date", h.date);
	registry_add(&f, "from", h.from);
	registry_add(&f, "subject", h.subject);
	if (r->m->json) {
		row_show_json(NULL, &f);
	} else {
		for (size_t i = 0; i < f.n; i++) {
			text_put_escaped(stdout, f.v[i].value);
			putchar(i + 1 == f.n ? '\n' : '\t');
		}
	}
	str_free(&text);
	return 0;
}

int
mailbox_contents(struct malle *m, int argc, char **argv)
{
	static struct arguments a;
	struct restore r = { .m = m };
	int result;

	if (arguments_parse(m, NULL, false, argc, argv, &a) == -1 || a.n != 1)
		return arguments_wrong(m, "mailbox contents FILE.tar[.gz]|-");
	if ((r.a = open_archive(m, a.positional[0])) == NULL)
		return EX_NOINPUT;
	result = walk(&r, show_member);
	archive_read_free(r.a);
	free(r.settings);
	return result == 0 ? EX_OK : EX_DATAERR;
}

/* restore */

static int
restore_member(struct restore *r, struct box_message *m)
{
	int result;

	if (!is_wanted(r, m))
		return 0;
	result = box_put(r->l, m, read_entry, r);
	if (result == BOX_OK) {
		r->written++;
		progress_add(&r->progress, m->size);
	} else if (result == BOX_EXISTS) {
		r->there++;
	} else {
		r->failed++;
		fprintf(stderr, "malle: %" PRIu64 " (%s): %s\n", r->n,
		    m->unique, box_why(r->l, result));
	}
	/* What fails for all of them is not told of each. */
	return result == -1 || result == BOX_NO_ROOM;
}

/* Sets again what the owner may set. The exit status. */
static int
restore_settings(struct restore *r, struct registry_fields *f)
{
	if (r->settings_len == 0 ||
	    settings_parse(r->settings, r->settings_len, f) == -1) {
		fputs(tr(r->m, "malle: the archive has no settings\n",
		    "malle : l'archive n'a pas de réglages\n"), stderr);
		return EX_DATAERR;
	}
	return registry_ask(r->m, "user.set", f, NULL, NULL);
}

/* What can be read twice is read to its end before anything changes. */
static int
check_whole(struct malle *m, const char *path)
{
	struct restore r = { .m = m };
	struct stat st;
	int result;

	if (strcmp(path, "-") == 0 || stat(path, &st) == -1 ||
	    !S_ISREG(st.st_mode))
		return EX_OK;
	if ((r.a = open_archive(m, path)) == NULL)
		return EX_NOINPUT;
	result = walk(&r, NULL);
	archive_read_free(r.a);
	if (result == 0)
		return EX_OK;
	fputs(tr(m, "malle: nothing was changed; --damaged brings back what "
	    "can be read\n", "malle : rien n'est changé ; --damaged remet ce "
	    "qui est lisible\n"), stderr);
	return EX_DATAERR;
}

/* The mail. The exit status. */
static int
restore_mail(struct restore *r)
{
	int result = walk(r, restore_member), settled = box_settle(r->l);
	int status = EX_OK;

	progress_end(&r->progress);
	if (settled != BOX_OK)
		status = box_lost(r->l, settled);
	else if (result == -1)
		status = EX_DATAERR;
	else if (r->failed > 0)
		status = EX_CANTCREAT;
	else if (r->nwanted > 0 && r->written + r->there == 0)
		status = EX_NOUSER;
	fprintf(stderr, tr(r->m, "%" PRIu64 " written, %" PRIu64 " already "
	    "there, %" PRIu64 " failed\n", "%" PRIu64 " remis, %" PRIu64
	    " déjà là, %" PRIu64 " en échec\n"), r->written, r->there,
	    r->failed);
	return status;
}

/* clang-format off */
static const struct option_field options[] = {
	{ "--settings", "settings", "yes" },
	{ "--damaged",  "damaged",  "yes" },
	{ NULL, NULL, NULL }
};
/* clang-format on */

int
mailbox_restore(struct malle *m, int argc, char **argv)
{
	static struct arguments a;
	static struct box_link l;
	struct restore r = { .m = m, .l = &l, .progress = { .m = m } };
	struct registry_fields f = { .n = 0 };
	char secret[SECRET_MAX + 1];
	int status = EX_OK, more;

	if (arguments_parse(m, options, false, argc, argv, &a) == -1 ||
	    a.n < 2)
		return arguments_wrong(m, "mailbox restore ADDRESS "
		    "FILE.tar[.gz]|- [--settings] [--damaged] "
		    "[NUMBER|ID ...]");
	r.wanted = a.positional + 2;
	r.nwanted = a.n - 2;
	if (take_field(&a.f, "damaged").p == NULL)
		status = check_whole(m, a.positional[1]);
	if (status != EX_OK)
		return status;
	/* The password first: both may come on standard input. */
	status = EX_NOINPUT;
	registry_add(&f, "want", SLICE("restore"));
	if (box_owner(m, a.positional[0], secret, &f) == 0 &&
	    (r.a = open_archive(m, a.positional[1])) != NULL)
		status = box_open(&l, m, "mailbox.open", &f, false);
	if (status == EX_OK) {
		status = restore_mail(&r);
		box_close(&l);
		if (take_field(&a.f, "settings").p != NULL &&
		    (more = restore_settings(&r, &f)) != EX_OK)
			status = more;
	}
	explicit_bzero(secret, sizeof(secret));
	archive_read_free(r.a);
	free(r.settings);
	return status;
}
