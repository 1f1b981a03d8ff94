/* account.c - what the commands that ask malle-registryd share. */
/* SPDX-License-Identifier: ISC */

#include "tools/account.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "lib/num.h"
#include "tools/json.h"

static void
actions_usage(const struct malle *m, const struct action *a,
    const char *command, FILE *out)
{
	fputs(tr(m, "usage:\n", "utilisation :\n"), out);
	for (; a->name != NULL; a++)
		fprintf(out, "  malle %s %s%s%s\n\t%s\n", command, a->name,
		    *a->usage != '\0' ? " " : "", a->usage,
		    tr(m, a->english, a->french));
}

int
action_run(struct malle *m, const struct action *actions, int argc,
    char **argv)
{
	const struct action *a;

	if (argc >= 2 && (strcmp(argv[1], "-h") == 0 ||
	    strcmp(argv[1], "--help") == 0)) {
		actions_usage(m, actions, argv[0], stdout);
		return EX_OK;
	}
	for (a = actions; argc >= 2 && a->name != NULL; a++)
		if (strcmp(a->name, argv[1]) == 0)
			return a->run(m, argc - 1, argv + 1);
	if (argc >= 2)
		fprintf(stderr, tr(m, "malle %s: there is no \"%s\"\n",
		    "malle %s : « %s » n'existe pas\n"), argv[0], argv[1]);
	actions_usage(m, actions, argv[0], stderr);
	return EX_USAGE;
}

int
arguments_wrong(const struct malle *m, const char *usage)
{
	fprintf(stderr, tr(m, "usage: malle %s\n",
	    "utilisation : malle %s\n"), usage);
	return EX_USAGE;
}

static int
too_many(const struct malle *m)
{
	fputs(tr(m, "malle: too many arguments\n",
	    "malle : trop d'arguments\n"), stderr);
	return -1;
}

/* One option; *i is moved over its argument. */
static int
parse_option(const struct malle *m, const struct option_field *o, int argc,
    char **argv, int *i, struct arguments *out)
{
	const char *value;

	for (; o != NULL && o->option != NULL; o++)
		if (strcmp(argv[*i], o->option) == 0)
			break;
	if (o == NULL || o->option == NULL) {
		fprintf(stderr, tr(m, "malle: unknown option %s\n",
		    "malle : option inconnue %s\n"), argv[*i]);
		return -1;
	}
	value = o->value;
	if (value == NULL && ++*i == argc) {
		fprintf(stderr, tr(m, "malle: %s needs a value\n",
		    "malle : il faut une valeur après %s\n"), o->option);
		return -1;
	}
	if (value == NULL)
		value = argv[*i];
	if (!registry_add(&out->f, o->field, slice_of(value)))
		return too_many(m);
	return 0;
}

/* NAME=VALUE: true when it was one. */
static bool
parse_attribute(char *argument, struct arguments *out)
{
	char *equals = strchr(argument, '=');

	if (equals == NULL || equals == argument)
		return false;
	*equals = '\0';
	return registry_add(&out->f, argument, slice_of(equals + 1));
}

int
arguments_parse(const struct malle *m, const struct option_field *options,
    bool attributes, int argc, char **argv, struct arguments *out)
{
	bool ended = false;

	memset(out, 0, sizeof(*out));
	for (int i = 1; i < argc; i++) {
		if (!ended && strcmp(argv[i], "--") == 0) {
			ended = true;
		} else if (!ended && argv[i][0] == '-' && argv[i][1] != '\0') {
			if (parse_option(m, options, argc, argv, &i, out) == -1)
				return -1;
		} else if (!attributes || out->n == 0 ||
		    !parse_attribute(argv[i], out)) {
			if (out->n == POSITIONAL_MAX)
				return too_many(m);
			out->positional[out->n++] = argv[i];
		}
	}
	return 0;
}

void
row_show_json(void *arg, const struct registry_fields *row)
{
	const char *comma = "";

	(void)arg;
	putchar('{');
	for (size_t i = 0; i < row->n; i++) {
		fputs(comma, stdout);
		json_put_string(stdout, row->v[i].name);
		fputs(": ", stdout);
		json_put_string(stdout, row->v[i].value);
		comma = ", ";
	}
	puts("}");
}

/* Line ends as separators; what else is not text is escaped. */
static void
put_value(struct slice value, const char *separator)
{
	const char *between = "";

	while (value.p != NULL) {
		fputs(between, stdout);
		text_put_escaped(stdout, slice_cut(&value, '\n'));
		between = separator;
	}
}

void
row_show_all(void *arg, const struct registry_fields *row)
{
	(void)arg;
	for (size_t i = 0; i < row->n; i++) {
		text_put_escaped(stdout, row->v[i].name);
		fputs(": ", stdout);
		put_value(row->v[i].value, ", ");
		putchar('\n');
	}
}

static void
put_column(const struct registry_fields *row, const char *name)
{
	struct slice value = registry_field(row, name);

	if (value.p == NULL || value.len == 0)
		putchar('-');
	else
		put_value(value, ", ");
}

void
row_show_columns(void *arg, const struct registry_fields *row)
{
	const char *const *names = arg;
	char max[64];

	for (size_t i = 0; names[i] != NULL; i++) {
		if (i > 0)
			putchar('\t');
		put_column(row, names[i]);
		if (strncmp(names[i], "used-", 5) != 0)
			continue;
		snprintf(max, sizeof(max), "max-%s", names[i] + 5);
		putchar('/');
		/* 0 is no limit, as none is. */
		put_column(row, slice_eq(registry_field(row, max), SLICE("0")) ?
		    "" : max);
	}
	putchar('\n');
}

int
registry_verdict(const struct malle *m, int verdict, const char *text)
{
	/* The order of enum registry_result. */
	static const int status[] = { EX_OK, EX_NOPERM, EX_DATAERR, EX_NOUSER,
		EX_CANTCREAT, EX_TEMPFAIL };

	if (verdict < 0 || verdict > REGISTRY_TEMPORARY) {
		fprintf(stderr, tr(m,
		    "malle: the connection to malle-registryd is lost (%s): "
		    "look whether the change was made\n",
		    "malle : connexion à malle-registryd perdue (%s) : "
		    "vérifiez si la modification est faite\n"),
		    strerror(errno));
		return EX_UNAVAILABLE;
	}
	/* What went well is told to people only, a warning to scripts too. */
	if (verdict != REGISTRY_OK || isatty(STDERR_FILENO) ||
	    strncmp(text, SAY_WARNING, strlen(SAY_WARNING)) == 0 ||
	    strncmp(text, SAY_ATTENTION, strlen(SAY_ATTENTION)) == 0) {
		if (*text != '\0') {
			fputs("malle: ", stderr);
			text_put_escaped(stderr, slice_of(text));
			fputc('\n', stderr);
		}
	}
	return status[verdict];
}

void
as_add(const struct malle *m, struct registry_fields *f)
{
	if (m->as == NULL || registry_field(f, "as").p != NULL)
		return;
	registry_add(f, "as", slice_of(m->as));
	registry_add(f, "current", slice_of(m->current));
}

void
caller_add(const struct malle *m, struct registry_fields *f)
{
	as_add(m, f);
	if (m->french)
		registry_add(f, "language-of-answer", SLICE("fr"));
	place_add(f);
}

int
registry_ask_on(const struct malle *m, int fd, const char *operation,
    struct registry_fields *f, row_show *show, void *arg)
{
	char text[1024] = "";
	int verdict;

	caller_add(m, f);
	if (show != NULL && m->json)
		show = row_show_json;
	verdict = registry_call(fd, operation, f, show, arg, text,
	    sizeof(text));
	return registry_verdict(m, verdict, text);
}

int
registry_ask(const struct malle *m, const char *operation,
    struct registry_fields *f, row_show *show, void *arg)
{
	int fd, status;

	if ((fd = malle_connect(m, "registry.sock")) == -1)
		return EX_UNAVAILABLE;
	status = registry_ask_on(m, fd, operation, f, show, arg);
	close(fd);
	return status;
}

int
registry_learn(const struct malle *m, const char *operation,
    struct registry_fields *f, row_show *keep, void *arg)
{
	struct malle quiet = *m;
	int status;

	quiet.json = false;
	status = registry_ask(&quiet, operation, f, keep, arg);
	explicit_bzero(&quiet, sizeof(quiet));
	return status;
}

/* clang-format off */
const struct option_field option_force[] = {
	{ "--force", "force", "yes" },
	{ NULL, NULL, NULL }
};
/* clang-format on */

int
ask_about_one(const struct malle *m, const char *operation, const char *field,
    const struct option_field *options, bool attributes, int argc, char **argv,
    const char *usage, row_show *show)
{
	static struct arguments a;

	if (arguments_parse(m, options, attributes, argc, argv, &a) == -1 ||
	    a.n != 1 || registry_field(&a.f, PASSWORD_HOW).p != NULL)
		return arguments_wrong(m, usage);
	registry_add(&a.f, field, slice_of(a.positional[0]));
	return registry_ask(m, operation, &a.f, show, NULL);
}

int
ask_for_list(const struct malle *m, const char *operation, bool of_domain,
    int argc, char **argv, const char *usage, const char *const *columns)
{
	/* clang-format off */
	static const struct option_field options[] = {
		{ "--after", "after", NULL },
		{ "--limit", "limit", NULL },
		{ NULL, NULL, NULL }
	};
	/* clang-format on */
	static struct arguments a;

	if (arguments_parse(m, options, false, argc, argv, &a) == -1 ||
	    a.n > of_domain)
		return arguments_wrong(m, usage);
	if (a.n == 1)
		registry_add(&a.f, "domain", slice_of(a.positional[0]));
	return registry_ask(m, operation, &a.f, row_show_columns,
	    (void *)(uintptr_t)columns);
}
