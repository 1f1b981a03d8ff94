/* account.h - what the commands that ask malle-registryd share. */
#ifndef TOOLS_ACCOUNT_H
#define TOOLS_ACCOUNT_H
/* SPDX-License-Identifier: ISC */

#include "lib/proto_registry.h"
#include "tools/malle.h"

/* One of the words behind "malle domain": add, list ... */
struct action {
	const char *name;	/* NULL ends the table */
	int (*run)(struct malle *m, int argc, char **argv);
	const char *usage;	/* behind the word */
	const char *english, *french;
};

/* Runs the action that argv[1] names, with argv from there; prints the usage
 * of all of them for anything else. */
int action_run(struct malle *m, const struct action *actions, int argc,
    char **argv);

/* An option that becomes a field of the request. */
struct option_field {
	const char *option;	/* "--quota"; NULL ends the table */
	const char *field;	/* "quota-bytes" */
	const char *value;	/* of an option without argument, else NULL */
};

#define POSITIONAL_MAX 1024

struct arguments {
	struct registry_fields f;	/* of options and attribute=value */
	char *positional[POSITIONAL_MAX];
	int n;
};

/*
 * Sorts argv[1..] out. With attributes, NAME=VALUE behind the first positional
 * argument becomes a field. Values of fields point into argv. 0, or -1: said
 * on stderr.
 */
int arguments_parse(const struct malle *m, const struct option_field *options,
    bool attributes, int argc, char **argv, struct arguments *out)
    __attribute__((warn_unused_result));
/* Says that the arguments are wrong, how it is written; EX_USAGE. */
int arguments_wrong(const struct malle *m, const char *usage);

/* How the rows of an answer are shown. */
typedef void row_show(void *arg, const struct registry_fields *row);
/* "name: value" lines. */
row_show row_show_all;
/* The values of some fields with tabs between: arg is a NULL-ended list of
 * names; behind one that begins with "used-" stands its limit, as 4/5. Line
 * ends within a value become commas. */
row_show row_show_columns;

/* Adds where the caller sits, for the journal: its terminal and the host that
 * it was logged in from, as far as there are any. */
void place_add(struct registry_fields *f);

/* Adds whose rights --as asks for, and their password; nothing to fields that
 * name somebody already. */
void as_add(const struct malle *m, struct registry_fields *f);
/* The same, the language of the answer, and where the caller sits: what every
 * request has that may change something. */
void caller_add(const struct malle *m, struct registry_fields *f);

/*
 * Asks, shows the rows (as JSON with --json; show may be NULL: no rows), says
 * the verdict's sentence on stderr. Returns the exit status.
 */
int registry_ask(const struct malle *m, const char *operation,
    struct registry_fields *f, row_show *show, void *arg);
/* The same for rows that are the command's, not the caller's: no JSON. */
int registry_learn(const struct malle *m, const char *operation,
    struct registry_fields *f, row_show *keep, void *arg);
/* As registry_ask() on a connection of the caller's own. */
int registry_ask_on(const struct malle *m, int fd, const char *operation,
    struct registry_fields *f, row_show *show, void *arg);
/* "--force" alone. */
extern const struct option_field option_force[];
/* A whole command about one object: its name, the only positional argument,
 * goes into the field. Options and attributes as arguments_parse() takes them;
 * those of passwords are refused. */
int ask_about_one(const struct malle *m, const char *operation,
    const char *field, const struct option_field *options, bool attributes,
    int argc, char **argv, const char *usage, row_show *show);
/* A whole command that lists objects in columns, with --after and --limit; with
 * of_domain those of one domain, when it is named. */
int ask_for_list(const struct malle *m, const char *operation, bool of_domain,
    int argc, char **argv, const char *usage, const char *const *columns);
/* The exit status of a verdict (or -1), and its sentence on stderr. */
int registry_verdict(const struct malle *m, int verdict, const char *text);
/* A row as one JSON object on a line. */
row_show row_show_json;

/* The text in the language of the caller. */
static inline const char *
tr(const struct malle *m, const char *english, const char *french)
{
	return m->french ? french : english;
}

#define SECRET_MAX 512		/* bytes of a password; m->current has one more */

/* Asks on the terminal without echo. 0, or -1: said on stderr. */
int secret_ask(const struct malle *m, const char *prompt, char *out)
    __attribute__((warn_unused_result));
/* The password of who asks: on a terminal, or a line of standard input. */
int secret_own(const struct malle *m, char *out)
    __attribute__((warn_unused_result));
/* A new password: asked twice on a terminal, else the first line of standard
 * input (from_stdin: never asked). 0, or -1: said on stderr. */
int secret_new(const struct malle *m, bool from_stdin, char *out)
    __attribute__((warn_unused_result));
/* 16 characters that are easy to tell apart, 80 bits, with hyphens between; not
 * the name (of a mailbox or a manager) that it is for. 0, or -1. */
int secret_random(const char *name, char *out)
    __attribute__((warn_unused_result));

/* A security code: the same with 28 characters, 140 bits. 0, or -1. */
int secret_code(char *out) __attribute__((warn_unused_result));
/* A code as somebody has typed it, in at most SECRET_MAX + 1 bytes: capitals,
 * spaces and missing hyphens are mended. */
void secret_tidy_code(char *code);

/* The field that says how a password comes; it is not the registry's. */
#define PASSWORD_HOW "password-from"

/* A password on its way: the fields point into it. */
struct secrets {
	char fresh[SECRET_MAX + 1], current[SECRET_MAX + 1];
	bool show;		/* it was made here: the caller must see it */
};

/* Takes a field out that the registry does not know; .p NULL: not there. */
struct slice take_field(struct registry_fields *f, const char *name);
/* With --own, who does not administer proves that the account is theirs: their
 * password goes into the field current. 0 or -1. */
int add_current(const struct malle *m, struct registry_fields *f,
    struct secrets *s) __attribute__((warn_unused_result));
/* One request: the name goes into the field, the password comes as the fields
 * say. Returns the exit status. */
int ask_for_name(struct malle *m, const char *operation, const char *field,
    struct registry_fields *f, const char *name);
/* A whole command: one positional argument goes into the field, the password
 * comes as the options say. Returns the exit status. */
int ask_with_password(struct malle *m, const char *operation,
    const char *field, const struct option_field *options, int argc,
    char **argv, const char *usage);

#endif
