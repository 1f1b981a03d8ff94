/* cmd_import.c - malle user import: mailboxes from a file of a spreadsheet. */
/* SPDX-License-Identifier: ISC */

/*
 * Order: the file is read whole; each line is judged by the registry, which is
 * asked to make it and not to (check=yes); what the lines come to together is
 * compared with the limits; then the good ones are made, many in one request
 * and each as if alone (import_ask.c). The report is in the order of the lines,
 * after what is said of the whole file.
 * With --dry-run nothing is made, with --all-or-nothing only if all are good.
 * Limits: FILE_MAX bytes, IMPORT_LINES_MAX lines.
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
	/* The lines before it have their addresses when they were judged. */
	if (!import_finish(i))
		return false;
	for (unsigned n = 1; n < NAMESAKES; n++) {
		struct registry_fields f = { .n = 0 };

		snprintf(number, sizeof(number), "%u", n);
		registry_add(&f, "name", domain);
		registry_add(&f, "first", import_cell(i, row, "first"));
		registry_add(&f, "last", import_cell(i, row, "last"));
		registry_add(&f, "number", slice_of(number));
		l->address[0] = '\0';
		if (!ask(i, "user.propose", &f, keep_name, l, why))
			return false;
		if (why->verdict != REGISTRY_OK || !import_has(i, l->address))
			return true;
	}
	return true;
}

/* Fills the address of a line; why tells when it has none. */
static bool
find_address(struct import *i, const struct csv_row *row,
    struct import_line *l, struct request_text *why)
{
	struct slice name = import_cell(i, row, "address");
	struct slice domain = import_cell(i, row, "domain");

	why->verdict = REGISTRY_OK;
	if (domain.len == 0 && i->domain != NULL)
		domain = slice_of(i->domain);
	if (name.len == 0)
		name = import_cell(i, row, "login");
	if (name.len == 0 && domain.len > 0 &&
	    import_cell(i, row, "last").len > 0)
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
	}
	return true;
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

/* The word for what became of a line. */
static const char *
result_word(const struct import *i, const char *result)
{
	static const struct {
		const char *english, *french;
	} words[] = { { "bad", "erreur" }, { "made", "créée" },
		{ "unknown", "incertaine" } };

	for (size_t n = 0; i->m->french && n < sizeof(words) / sizeof(*words);
	    n++)
		if (strcmp(words[n].english, result) == 0)
			return words[n].french;
	return result;
}

void
import_report(const struct import *i, const struct import_line *l,
    const char *result, const char *text)
{
	bool show = l->is_good && !i->judging && l->password[0] != '\0';
	char number[16];

	snprintf(number, sizeof(number), "%u", l->line);
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
	printf("%s\t%s\t", number, result_word(i, result));
	text_put_escaped(stdout, slice_of(l->address[0] != '\0' ? l->address :
	    "-"));
	printf("\t");
	text_put_escaped(stdout, slice_of(show ? l->password : text));
	putchar('\n');
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
judge_line(struct import *i, const struct csv_row *row,
    struct import_line *l)
{
	struct request_text why;

	if (is_too_wide(i, row))
		return import_refuse(i, l, tr(i->m, "More cells than columns.",
		    "Plus de cases que de colonnes."));
	if (!find_address(i, row, l, &why))
		return false;
	if (why.verdict != REGISTRY_OK)
		return import_refuse(i, l, why.text);
	if (i->random && import_cell(i, row, "password").len == 0 &&
	    import_cell(i, row, "hash").len == 0 &&
	    secret_random(l->address, l->password) == -1) {
		i->status = EX_OSERR;
		return false;
	}
	return import_send(i, row, l);
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
	struct import_line *l = &i->lines[i->n];

	if (i->n == IMPORT_LINES_MAX) {
		i->status = EX_SOFTWARE;
		return NULL;
	}
	i->n++;
	l->line = row->line;
	return l;
}

static bool
judge_all(struct import *i, struct csv *c)
{
	struct import_line *l;
	struct csv_row row;
	int r;

	while ((r = csv_next(c, &row)) == 1)
		if ((l = new_line(i, &row)) == NULL || !judge_line(i, &row, l))
			return false;
	if (r == -1) {
		i->bad++;
		i->cut_short = row.line;
	}
	return import_finish(i);
}

static void
report_judged(const struct import *i)
{
	for (size_t n = 0; n < i->n; n++)
		import_report(i, &i->lines[n],
		    i->lines[n].is_good ? "ok" : "bad",
		    import_reason(&i->lines[n]));
}

static void
report_cut_short(const struct import *i)
{
	if (i->cut_short != 0)
		import_report(i,
		    &(struct import_line){ .line = i->cut_short }, "bad",
		    tr(i->m,
		    "A quote is open, or closed too early: nothing after it "
		    "was read.", "Un guillemet reste ouvert ou se ferme trop "
		    "tôt : la suite n'est pas lue."));
}

static bool
make_all(struct import *i, struct csv *c)
{
	struct import_line *l = i->lines;
	struct csv_row row;

	i->judging = false;
	i->begin = i->end = 0;
	for (; l < i->lines + i->n && csv_next(c, &row) == 1; l++)
		if (!(l->is_good ? import_send(i, &row, l) :
		    import_pass(i, l)))
			return false;
	return import_finish(i);
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
	i->judging = true;
	if (!judge_all(i, &c) || !import_room(i)) {
		csv_close(&c);
		return;
	}
	if (i->dry_run || (i->all_or_nothing && i->bad > 0)) {
		report_judged(i);
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

	/* Only what is used takes memory. */
	if ((i->lines = calloc(IMPORT_LINES_MAX, sizeof(*i->lines))) == NULL) {
		fprintf(stderr, "malle: %s\n", strerror(errno));
		return EX_OSERR;
	}
	if (read_all(path, &bytes, &len) == -1) {
		fprintf(stderr, "malle: %s: %s\n", path, strerror(errno));
		import_forget(i);
		return EX_NOINPUT;
	}
	if ((i->fd = malle_connect(i->m, "registry.sock")) == -1) {
		i->status = EX_UNAVAILABLE;
	} else {
		import_bytes(i, slice_make(bytes, len));
		if (i->fd != -1)
			close(i->fd);
	}
	explicit_bzero(bytes, len);
	free(bytes);
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
