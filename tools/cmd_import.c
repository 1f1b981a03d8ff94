/* cmd_import.c - malle user import: mailboxes from a file of a spreadsheet. */
/* SPDX-License-Identifier: ISC */

/*
 * Order: the file is read whole; each line is judged by the registry, which is
 * asked to make it and not to (check=yes); what the lines come to together is
 * compared with the limits; then the good ones are made, one request each. The
 * report is in the order of the lines, after what is said of the whole file.
 * With --dry-run nothing is made, with --all-or-nothing only if all are good.
 * Limits: FILE_MAX bytes, LINES_MAX lines.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "lib/num.h"
#include "tools/account.h"
#include "tools/csv.h"
#include "tools/import.h"
#include "tools/json.h"

#define FILE_MAX ((size_t)64 << 20)
#define NAMESAKES 1000		/* numbers tried for one login */

/* clang-format off */
/* A column by what people write above it; others are attributes' own names. */
static const struct {
	const char *title, *field;
} titles[] = {
	{ "address", "address" },  { "adresse", "address" },
	{ "email", "address" },    { "e-mail", "address" },
	{ "mail", "address" },     { "courriel", "address" },
	{ "login", "login" },      { "identifiant", "login" },
	{ "domain", "domain" },    { "domaine", "domain" },
	{ "first", "first" },      { "first name", "first" },
	{ "prénom", "first" },     { "prenom", "first" },
	{ "last", "last" },        { "last name", "last" },
	{ "nom", "last" },         { "nom de famille", "last" },
	{ "name", "full-name" },   { "full name", "full-name" },
	{ "nom complet", "full-name" },
	{ "password", "password" },{ "mot de passe", "password" },
	{ "motdepasse", "password" },
	{ "empreinte", "hash" },
	{ "quota", "quota-bytes" },{ "messages", "quota-messages" },
	{ "transfert", "forward" },{ "redirection", "forward" },
	{ "état", "state" },       { "etat", "state" },
};
/* clang-format on */

/* The name of a field must last; that of an attribute is the cell itself. */
static struct slice
field_of_title(struct slice title)
{
	for (size_t i = 0; i < sizeof(titles) / sizeof(*titles); i++)
		if (slice_eq_nocase(title, slice_of(titles[i].title)))
			return slice_of(titles[i].field);
	return title;
}

struct request_text {
	char text[1024];
	int verdict;
};

/* One request of this import, on its connection; false: the connection is lost. */
static bool
ask(struct import *i, const char *operation, struct registry_fields *f,
    row_show *show, void *arg, struct request_text *out)
{
	caller_add(i->m, f);
	out->text[0] = '\0';
	out->verdict = registry_call(i->fd, operation, f, show, arg, out->text,
	    sizeof(out->text));
	if (out->verdict >= 0)
		return true;
	i->status = registry_verdict(i->m, -1, "");
	return false;
}

static struct slice
cell(const struct import *i, const struct csv_row *row, const char *field)
{
	for (size_t c = 0; c < i->n_columns && c < row->n; c++)
		if (slice_eq(i->columns[c], slice_of(field)))
			return row->cells[c];
	return SLICE_EMPTY;
}

static bool
is_in_file(const struct import *i, const char *address)
{
	for (size_t l = 0; l < i->n; l++)
		if (strcmp(i->lines[l].address, address) == 0)
			return true;
	return false;
}

static void
keep_name(void *arg, const struct registry_fields *row)
{
	struct import_line *l = arg;

	if (slice_to_cstr(registry_field(row, "name"), l->address,
	    sizeof(l->address)) == -1)
		l->address[0] = '\0';
}

/* The login of a person: not one that this file has given already. */
static bool
propose(struct import *i, const struct csv_row *row, struct slice domain,
    struct import_line *l, struct request_text *why)
{
	char number[16];

	why->verdict = REGISTRY_OK;
	for (unsigned n = 1; n < NAMESAKES; n++) {
		struct registry_fields f = { .n = 0 };

		snprintf(number, sizeof(number), "%u", n);
		registry_add(&f, "name", domain);
		registry_add(&f, "first", cell(i, row, "first"));
		registry_add(&f, "last", cell(i, row, "last"));
		registry_add(&f, "number", slice_of(number));
		l->address[0] = '\0';
		if (!ask(i, "user.propose", &f, keep_name, l, why))
			return false;
		if (why->verdict != REGISTRY_OK || !is_in_file(i, l->address))
			return true;
	}
	return true;
}

/* Fills the address of a line; why tells when it has none. */
static bool
find_address(struct import *i, const struct csv_row *row,
    struct import_line *l, struct request_text *why)
{
	struct slice name = cell(i, row, "address");
	struct slice domain = cell(i, row, "domain");

	why->verdict = REGISTRY_OK;
	if (domain.len == 0 && i->domain != NULL)
		domain = slice_of(i->domain);
	if (name.len == 0)
		name = cell(i, row, "login");
	if (name.len == 0 && domain.len > 0 && cell(i, row, "last").len > 0)
		return propose(i, row, domain, l, why);
	if (name.len > 0 && memchr(name.p, '@', name.len) == NULL &&
	    domain.len > 0)
		snprintf(l->address, sizeof(l->address), "%.*s@%.*s",
		    SLICE_FMT(name), SLICE_FMT(domain));
	else if (name.len > 0 && name.len < sizeof(l->address))
		snprintf(l->address, sizeof(l->address), "%.*s",
		    SLICE_FMT(name));
	if (name.len == 0) {
		why->verdict = REGISTRY_INVALID;
		snprintf(why->text, sizeof(why->text), "%s", tr(i->m,
		    "There is no address: a column address, or login, or first "
		    "and last, with a domain.", "Il n'y a pas d'adresse : une "
		    "colonne adresse, ou identifiant, ou prénom et nom, avec "
		    "un domaine."));
	} else if (is_in_file(i, l->address)) {
		why->verdict = REGISTRY_EXISTS;
		snprintf(why->text, sizeof(why->text), tr(i->m,
		    "%s is in the file twice.", "%s est deux fois dans le "
		    "fichier."), l->address);
	}
	return true;
}

/* The columns that are no attributes, or have their own way. */
static bool
is_special(struct slice field)
{
	static const char *const names[] = { "address", "login", "domain",
		"first", "last", "password", "hash", NULL };

	for (size_t i = 0; names[i] != NULL; i++)
		if (slice_eq(field, slice_of(names[i])))
			return true;
	return false;
}

static void
add_secret(const struct import *i, const struct csv_row *row,
    const struct import_line *l, struct registry_fields *f)
{
	if (cell(i, row, "password").len > 0)
		registry_add(f, "password", cell(i, row, "password"));
	else if (cell(i, row, "hash").len > 0)
		registry_add(f, "hash", cell(i, row, "hash"));
	else if (l->password[0] != '\0')
		registry_add(f, "password", slice_of(l->password));
	else
		registry_add(f, "hash", SLICE("!"));
}

static void
fill_request(const struct import *i, const struct csv_row *row,
    struct import_line *l, struct registry_fields *f)
{
	struct slice first = cell(i, row, "first"), last = cell(i, row, "last");

	registry_add(f, "address", slice_of(l->address));
	for (size_t c = 0; c < i->n_columns && c < row->n; c++)
		if (!is_special(i->columns[c]) && row->cells[c].len > 0 &&
		    f->n < REGISTRY_FIELDS_MAX / 2)
			f->v[f->n++] = (struct registry_field){ i->columns[c],
				row->cells[c] };
	if (cell(i, row, "full-name").len == 0 && last.len > 0) {
		snprintf(l->full_name, sizeof(l->full_name), "%.*s%s%.*s",
		    SLICE_FMT(first), first.len > 0 ? " " : "",
		    SLICE_FMT(last));
		registry_add(f, "full-name", slice_of(l->full_name));
	}
	if (i->must_change)
		registry_add(f, "must-change", SLICE("yes"));
	if (i->force)
		registry_add(f, "force", SLICE("yes"));
	add_secret(i, row, l, f);
}

static void
keep_row(void *arg, const struct registry_fields *row)
{
	struct import_line *l = arg;
	struct slice quota = registry_field(row, "quota-bytes");

	keep_name(arg, row);
	if (quota.p == NULL || num_parse(quota, 0, UINT64_MAX, &l->quota) == -1)
		l->quota = 0;
}

static void
put_json(const char *name, struct slice value, bool is_first)
{
	if (!is_first)
		fputs(", ", stdout);
	json_put_string(stdout, slice_of(name));
	fputs(": ", stdout);
	json_put_string(stdout, value);
}

void
import_report(const struct import *i, unsigned line, const char *result,
    const struct import_line *l, const char *text)
{
	char number[16];
	bool show = strcmp(result, "made") == 0 && l->password[0] != '\0';

	snprintf(number, sizeof(number), "%u", line);
	if (i->m->json) {
		putchar('{');
		put_json("line", slice_of(number), true);
		put_json("result", slice_of(result), false);
		put_json("name", slice_of(l->address), false);
		if (show)
			put_json("password", slice_of(l->password), false);
		put_json("text", slice_of(text), false);
		puts("}");
		return;
	}
	printf("%s\t%s\t", number, i->m->french && strcmp(result, "bad") == 0 ?
	    "erreur" : i->m->french && strcmp(result, "made") == 0 ? "créée" :
	    result);
	text_put_escaped(stdout, slice_of(l->address[0] != '\0' ? l->address :
	    "-"));
	printf("\t");
	text_put_escaped(stdout, slice_of(show ? l->password : text));
	putchar('\n');
}

/* Judges one line, or makes it. False: no use in going on. */
static bool
do_line(struct import *i, const struct csv_row *row, struct import_line *l,
    bool judge)
{
	struct registry_fields f = { .n = 0 };
	struct request_text why;

	if (judge && !find_address(i, row, l, &why))
		return false;
	if (!judge || why.verdict == REGISTRY_OK) {
		if (judge && i->random && cell(i, row, "password").len == 0 &&
		    cell(i, row, "hash").len == 0 &&
		    secret_random(l->address, l->password) == -1)
			return false;
		fill_request(i, row, l, &f);
		if (judge)
			registry_add(&f, "check", SLICE("yes"));
		if (!ask(i, "user.add", &f, keep_row, l, &why))
			return false;
	}
	l->is_good = why.verdict == REGISTRY_OK;
	if (!l->is_good) {
		i->bad++;
		if (!judge)
			import_report(i, l->line, "bad", l, why.text);
		else if ((l->reason = strdup(why.text)) == NULL)
			return false;
	} else if (!judge) {
		i->made++;
		import_report(i, l->line, "made", l, "");
		welcome_send(i->m, &i->welcome, l->address);
	}
	return true;
}

/* The first line: what the columns are. */
static int
take_header(struct import *i, struct csv *c)
{
	struct csv_row row;

	if (csv_next(c, &row) != 1) {
		fputs(tr(i->m, "malle: the file is empty\n",
		    "malle : le fichier est vide\n"), stderr);
		return -1;
	}
	for (size_t n = 0; n < row.n; n++)
		i->columns[n] = field_of_title(row.cells[n]);
	i->n_columns = row.n;
	for (size_t n = 0; n < row.n; n++)
		if (slice_eq(i->columns[n], SLICE("address")) ||
		    slice_eq(i->columns[n], SLICE("login")) ||
		    slice_eq(i->columns[n], SLICE("last")))
			return 0;
	fputs(tr(i->m, "malle: the first line must name the columns, one of "
	    "them address, or login, or first and last\n",
	    "malle : la première ligne doit nommer les colonnes, dont adresse, "
	    "ou identifiant, ou prénom et nom\n"), stderr);
	return -1;
}

static struct import_line *
new_line(struct import *i, const struct csv_row *row)
{
	struct import_line *p;

	if (i->n == i->cap) {
		size_t cap = i->cap * 2 + 64;

		if (i->n >= IMPORT_LINES_MAX || (p = calloc(cap,
		    sizeof(*p))) == NULL)
			return NULL;
		if (i->n > 0)
			memcpy(p, i->lines, i->n * sizeof(*p));
		import_forget(i);
		i->lines = p;
		i->cap = cap;
	}
	p = &i->lines[i->n];
	memset(p, 0, sizeof(*p));
	p->line = row->line;
	return p;
}

/* A row with more cells than columns has a separator too many. */
static bool
is_too_wide(const struct import *i, const struct csv_row *row)
{
	for (size_t c = i->n_columns; c < row->n; c++)
		if (row->cells[c].len > 0)
			return true;
	return false;
}

static bool
judge_all(struct import *i, struct csv *c)
{
	struct import_line *l;
	struct csv_row row;
	int r;

	while ((r = csv_next(c, &row)) == 1) {
		if ((l = new_line(i, &row)) == NULL) {
			i->status = EX_SOFTWARE;
			return false;
		}
		if (is_too_wide(i, &row)) {
			i->bad++;
			l->reason = strdup(tr(i->m, "More cells than columns.",
			    "Plus de cases que de colonnes."));
			if (l->reason == NULL)
				return false;
		} else if (!do_line(i, &row, l, true)) {
			return false;
		}
		i->n++;
	}
	if (r == 0)
		return true;
	i->bad++;
	i->cut_short = row.line;
	return true;
}

static void
report_judged(const struct import *i, const struct import_line *l)
{
	if (l->is_good)
		import_report(i, l->line, "ok", l, "");
	else if (l->reason != NULL)
		import_report(i, l->line, "bad", l, l->reason);
}

static void
report_cut_short(const struct import *i)
{
	if (i->cut_short != 0)
		import_report(i, i->cut_short, "bad",
		    &(struct import_line){ .line = 0 }, tr(i->m,
		    "A quote is open, or closed too early: nothing after it "
		    "was read.", "Un guillemet reste ouvert ou se ferme trop "
		    "tôt : la suite n'est pas lue."));
}

static bool
make_all(struct import *i, struct csv *c)
{
	struct csv_row row;

	for (size_t l = 0; l < i->n && csv_next(c, &row) == 1; l++)
		if (!i->lines[l].is_good)
			report_judged(i, &i->lines[l]);
		else if (!do_line(i, &row, &i->lines[l], false))
			return false;
	return true;
}

static void
import_bytes(struct import *i, struct slice bytes)
{
	struct csv c;

	if (csv_open(&c, bytes) == -1 || take_header(i, &c) == -1) {
		i->status = EX_DATAERR;
		csv_close(&c);
		return;
	}
	if (!judge_all(i, &c) || !import_room(i)) {
		csv_close(&c);
		return;
	}
	if (i->dry_run || (i->all_or_nothing && i->bad > 0)) {
		for (size_t l = 0; l < i->n; l++)
			report_judged(i, &i->lines[l]);
		report_cut_short(i);
		csv_close(&c);
		return;
	}
	/* Cells were changed in place: cut anew. */
	csv_close(&c);
	if (csv_open(&c, bytes) == 0 && take_header(i, &c) == 0)
		(void)make_all(i, &c);
	report_cut_short(i);
	csv_close(&c);
}

/* All of a file, or of standard input. 0, or -1 with errno. */
static int
read_all(const char *path, char **out, size_t *len)
{
	int fd = strcmp(path, "-") == 0 ? dup(STDIN_FILENO) :
	    open(path, O_RDONLY | O_CLOEXEC);
	ssize_t r = -1;
	char *p = malloc(FILE_MAX + 1);

	*len = 0;
	if (fd != -1 && p != NULL)
		while ((r = read(fd, p + *len, FILE_MAX + 1 - *len)) > 0)
			*len += (size_t)r;
	if (fd != -1)
		close(fd);
	if (r == 0 && *len <= FILE_MAX) {
		*out = p;
		return 0;
	}
	if (r == 0)
		errno = EFBIG;
	free(p);
	return -1;
}

static int
import_file(struct import *i, const char *path)
{
	char *bytes;
	size_t len;

	if (read_all(path, &bytes, &len) == -1) {
		fprintf(stderr, "malle: %s: %s\n", path, strerror(errno));
		return EX_NOINPUT;
	}
	if ((i->fd = malle_connect(i->m, "registry.sock")) == -1) {
		i->status = EX_UNAVAILABLE;
	} else {
		import_bytes(i, slice_make(bytes, len));
		close(i->fd);
	}
	explicit_bzero(bytes, len);
	free(bytes);
	for (size_t l = 0; l < i->n; l++)
		free(i->lines[l].reason);
	import_forget(i);
	if (i->status != EX_OK)
		return i->status;
	fprintf(stderr, tr(i->m, "malle: %zu lines: %zu bad, %zu made\n",
	    "malle : %zu lignes : %zu en erreur, %zu créées\n"), i->n, i->bad,
	    i->made);
	return i->bad > 0 ? EX_DATAERR : EX_OK;
}

int
user_import(struct malle *m, int argc, char **argv)
{
	/* clang-format off */
	static const struct option_field options[] = {
		{ "--dry-run",        "dry-run",        "yes" },
		{ "--all-or-nothing", "all-or-nothing", "yes" },
		{ "--random",         "random",         "yes" },
		{ "--must-change",    "must-change",    "yes" },
		{ "--force",          "force",          "yes" },
		{ "--domain",         "domain",         NULL },
		{ "--welcome",        "welcome",        "yes" },
		{ "--no-welcome",     "welcome",        "no" },
		{ NULL, NULL, NULL }
	};
	/* clang-format on */
	static struct arguments a;
	struct import i = { .m = m, .fd = -1 };
	struct slice domain;

	if (arguments_parse(m, options, false, argc, argv, &a) == -1 ||
	    a.n != 1)
		return arguments_wrong(m, "user import FILE.csv [--dry-run] "
		    "[--all-or-nothing] [--domain DOMAIN] [--random] "
		    "[--must-change] [--force] [--welcome | --no-welcome]");
	i.welcome.wish = welcome_take_wish(&a.f);
	i.dry_run = take_field(&a.f, "dry-run").p != NULL;
	i.all_or_nothing = take_field(&a.f, "all-or-nothing").p != NULL;
	i.random = take_field(&a.f, "random").p != NULL;
	i.must_change = take_field(&a.f, "must-change").p != NULL;
	i.force = take_field(&a.f, "force").p != NULL;
	if ((domain = take_field(&a.f, "domain")).p != NULL)
		i.domain = domain.p;	/* of argv: it ends with NUL */
	return import_file(&i, a.positional[0]);
}
