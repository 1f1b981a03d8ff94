/* cmd_dump.c - malle dump, malle load: the registry as text. */
/* SPDX-License-Identifier: ISC */

/*
 * The format is malle-registry(5)'s: a first line, then each object as a line
 * "KIND NAME" and its attributes as lines "<tab>NAME=VALUE", and "end COUNT".
 * It is written and read here; the service only knows objects.
 */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "lib/num.h"
#include "lib/str.h"
#include "tools/account.h"

#define FIRST_LINE "malleposte-registry 1"

struct dumping {
	uint64_t n;
};

/* A value on one line: backslash, line end, return and tab are escaped. */
static void
put_escaped(struct slice value)
{
	for (size_t i = 0; i < value.len; i++) {
		switch (value.p[i]) {
		case '\\':
			fputs("\\\\", stdout);
			break;
		case '\n':
			fputs("\\n", stdout);
			break;
		case '\r':
			fputs("\\r", stdout);
			break;
		case '\t':
			fputs("\\t", stdout);
			break;
		default:
			putchar(value.p[i]);
		}
	}
}

static void
dump_row(void *arg, const struct registry_fields *row)
{
	struct slice kind = registry_field(row, "kind");
	struct slice name = registry_field(row, "name");
	struct dumping *d = arg;

	d->n++;
	printf("%.*s %.*s\n", SLICE_FMT(kind), SLICE_FMT(name));
	for (size_t i = 0; i < row->n; i++) {
		/* The first two are the line above. */
		if (i < 2)
			continue;
		printf("\t%.*s=", SLICE_FMT(row->v[i].name));
		put_escaped(row->v[i].value);
		putchar('\n');
	}
}

int
cmd_dump(struct malle *m, int argc, char **argv)
{
	struct registry_fields f = { .n = 0 };
	struct dumping d = { 0 };
	int status;

	(void)argv;
	if (argc != 1)
		return arguments_wrong(m, "dump > FILE");
	m->json = false;	/* the dump has one form */
	if (isatty(STDOUT_FILENO)) {
		fputs(tr(m, "malle: a dump holds password hashes: write it to a "
		    "file that only you can read\n", "malle : un dump contient "
		    "les empreintes des mots de passe : écrivez-le dans un "
		    "fichier lisible par vous seul\n"), stderr);
		return EX_USAGE;
	}
	puts(FIRST_LINE);
	status = registry_ask(m, "dump", &f, dump_row, &d);
	if (status == EX_OK)
		printf("end %" PRIu64 "\n", d.n);
	if (fflush(stdout) == EOF || ferror(stdout))
		status = EX_IOERR;	/* main says why */
	return status;
}

struct loading {
	const struct malle *m;
	int fd;			/* to the registry */
	uint64_t line, n;
	struct registry_fields f;	/* of the object in work */
	struct str text[REGISTRY_FIELDS_MAX];	/* what they point into */
	bool in_object, ended;
};

static int
bad_line(const struct loading *l, const char *english, const char *french)
{
	fprintf(stderr, tr(l->m, "malle: line %llu: %s\n",
	    "malle : ligne %llu : %s\n"), (unsigned long long)l->line,
	    tr(l->m, english, french));
	return EX_DATAERR;
}

/* Sends the object in work, if there is one. */
static int
send_object(struct loading *l)
{
	if (!l->in_object)
		return EX_OK;
	l->in_object = false;
	l->n++;
	for (size_t i = 0; i < l->f.n; i++) {
		if (!str_ok(&l->text[i]))
			return bad_line(l, "the object above is too large",
			    "l'objet qui précède est trop grand");
		l->f.v[i].value = str_slice(&l->text[i]);
	}
	if (registry_more(l->fd, &l->f) == -1) {
		if (errno == EMSGSIZE)
			return bad_line(l, "the object above is too large",
			    "l'objet qui précède est trop grand");
		return registry_verdict(l->m, -1, "");
	}
	return EX_OK;
}

/* A field whose name stays where it is; its value is to be put in text[]. */
static struct str *
new_field(struct loading *l, const char *name)
{
	struct str *text = &l->text[l->f.n];

	if (!registry_add(&l->f, name, SLICE_EMPTY))
		return NULL;
	text->max = REGISTRY_VALUE_MAX;
	str_clear(text);
	return text;
}

/* Names of attributes as they came, for the fields of one object. */
static char names[REGISTRY_FIELDS_MAX][REGISTRY_NAME_MAX + 1];

static int
attribute_line(struct loading *l, struct slice line)
{
	struct slice name = slice_cut(&line, '=');
	struct str *text;
	const char *at;

	if (!l->in_object || line.p == NULL)
		return bad_line(l, "an attribute is NAME=VALUE below an object",
		    "un attribut s'écrit NOM=VALEUR sous un objet");
	if (l->f.n == REGISTRY_FIELDS_MAX ||
	    slice_to_cstr(name, names[l->f.n], sizeof(names[0])) == -1 ||
	    (text = new_field(l, names[l->f.n])) == NULL)
		return bad_line(l, "too many attributes, or too long a name",
		    "trop d'attributs, ou un nom trop long");
	for (size_t i = 0; i < line.len; i++) {
		if (line.p[i] != '\\') {
			str_putc(text, line.p[i]);
			continue;
		}
		if (++i == line.len ||
		    (at = strchr("\\nrt", line.p[i])) == NULL)
			return bad_line(l, "unknown escape behind a backslash",
			    "échappement inconnu après une barre oblique "
			    "inverse");
		str_putc(text, "\\\n\r\t"[at - "\\nrt"]);
	}
	return EX_OK;
}

static int
object_line(struct loading *l, struct slice line)
{
	struct slice kind = slice_cut(&line, ' ');
	int status = send_object(l);
	uint64_t n;

	if (status != EX_OK)
		return status;
	if (slice_eq(kind, SLICE("end"))) {
		if (line.p == NULL || num_parse(line, 0, UINT64_MAX, &n) == -1 ||
		    n != l->n)
			return bad_line(l, "the number of objects is another: "
			    "the file is not whole", "le nombre d'objets "
			    "diffère : le fichier n'est pas entier");
		l->ended = true;
		return EX_OK;
	}
	if (line.p == NULL)
		return bad_line(l, "an object is KIND NAME",
		    "un objet s'écrit GENRE NOM");
	l->f.n = 0;
	str_put(new_field(l, "kind"), kind);
	str_put(new_field(l, "name"), line);
	l->in_object = true;
	return EX_OK;
}

static int
load_line(struct loading *l, struct slice line)
{
	if (l->line == 1)
		return slice_eq(line, SLICE(FIRST_LINE)) ? EX_OK :
		    bad_line(l, "this is no dump: the first line must be \""
		    FIRST_LINE "\"", "ce n'est pas un dump : la première ligne "
		    "doit être « " FIRST_LINE " »");
	if (line.len == 0 || line.p[0] == '#')
		return EX_OK;
	if (l->ended)
		return bad_line(l, "something follows the end",
		    "il y a une suite après la fin");
	if (line.p[0] == '\t')
		return attribute_line(l, slice_skip(line, 1));
	return object_line(l, line);
}

static int
send_all(struct loading *l, FILE *in)
{
	char *line = NULL;
	size_t cap = 0;
	ssize_t len;
	int status = EX_OK;

	while (status == EX_OK && (len = getline(&line, &cap, in)) != -1) {
		l->line++;
		if (line[len - 1] == '\n')
			len--;
		status = load_line(l, slice_make(line, (size_t)len));
	}
	if (line != NULL)
		explicit_bzero(line, cap);
	free(line);
	if (status == EX_OK && !l->ended)
		status = bad_line(l, "the line \"end\" is missing: the file is "
		    "not whole", "la ligne « end » manque : le fichier n'est "
		    "pas entier");
	return status;
}

/* Nothing is done before REG_LAST: a file that is not whole loads nothing. */
static int
take_answer(struct loading *l)
{
	char text[1024] = "";
	int verdict = registry_end(l->fd, NULL, NULL, text, sizeof(text));

	return registry_verdict(l->m, verdict, text);
}

static int
load_file(struct loading *l, struct registry_fields *f, FILE *in)
{
	int status;

	if ((l->fd = malle_connect(l->m, "registry.sock")) == -1)
		return EX_UNAVAILABLE;
	caller_add(l->m, f);
	if (registry_begin(l->fd, "load", f) == -1)
		status = registry_verdict(l->m, -1, "");
	else if ((status = send_all(l, in)) == EX_OK)
		status = take_answer(l);
	close(l->fd);
	for (size_t i = 0; i < REGISTRY_FIELDS_MAX; i++)
		str_wipe(&l->text[i]);
	return status;
}

int
cmd_load(struct malle *m, int argc, char **argv)
{
	/* clang-format off */
	static const struct option_field options[] = {
		{ "--check",  "check",  "yes" },
		{ "--update", "update", "yes" },
		{ NULL, NULL, NULL }
	};
	/* clang-format on */
	static struct arguments a;
	static struct loading l;
	FILE *in;
	int status;

	l.m = m;
	if (arguments_parse(m, options, false, argc, argv, &a) == -1 || a.n > 1)
		return arguments_wrong(m, "load [--check] [--update] [FILE]");
	if (a.n == 0 || strcmp(a.positional[0], "-") == 0)
		return load_file(&l, &a.f, stdin);
	if ((in = fopen(a.positional[0], "re")) == NULL) {
		fprintf(stderr, "malle: %s: %s\n", a.positional[0],
		    strerror(errno));
		return EX_NOINPUT;
	}
	status = load_file(&l, &a.f, in);
	fclose(in);
	return status;
}
