/* cmd_journal.c - malle journal: who changed what; malle undo, recompile. */
/* SPDX-License-Identifier: ISC */

#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>

#include "lib/num.h"
#include "tools/account.h"
#include "tools/json.h"

#define LAST "50"

/* The account that proved itself, or the user's name, or its number. */
static void
put_actor(const struct registry_fields *row)
{
	struct slice account = registry_field(row, "account");
	struct slice uid = registry_field(row, "uid");
	struct passwd *pw = NULL;
	uint64_t n;

	if (account.p != NULL && account.len > 0) {
		text_put_escaped(stdout, account);
		return;
	}
	if (uid.p != NULL && num_parse(uid, 0, UINT32_MAX, &n) == 0)
		pw = getpwuid((uid_t)n);
	if (pw != NULL)
		fputs(pw->pw_name, stdout);
	else if (uid.p != NULL)
		text_put_escaped(stdout, uid);
}

static void
put_field(const struct registry_fields *row, const char *name)
{
	struct slice value = registry_field(row, name);

	if (value.p != NULL)
		text_put_escaped(stdout, value);
}

static void
show_entry(void *arg, const struct registry_fields *row)
{
	struct slice changes = registry_field(row, "changes");
	const struct malle *m = arg;

	put_field(row, "id");
	putchar(' ');
	put_field(row, "time");
	putchar(' ');
	put_actor(row);
	putchar(' ');
	put_field(row, "operation");
	putchar(' ');
	put_field(row, "kind");
	putchar(' ');
	put_field(row, "name");
	putchar(' ');
	put_field(row, "change");
	if (registry_field(row, "from").p != NULL) {
		fputs(m->french ? " depuis " : " from ", stdout);
		put_field(row, "from");
	}
	putchar('\n');
	while (changes.p != NULL && changes.len > 0) {
		putchar('\t');
		text_put_escaped(stdout, slice_cut(&changes, '\n'));
		putchar('\n');
	}
}

int
cmd_journal(struct malle *m, int argc, char **argv)
{
	/* clang-format off */
	static const struct option_field options[] = {
		{ "--after", "after", NULL },
		{ "--limit", "limit", NULL },
		{ "--all",   "all",   "yes" },
		{ NULL, NULL, NULL }
	};
	/* clang-format on */
	static struct arguments a;

	if (arguments_parse(m, options, false, argc, argv, &a) == -1 || a.n > 1)
		return arguments_wrong(m, "journal [ADDRESS|DOMAIN] "
		    "[--limit N] [--after ID] [--all]");
	if (a.n == 1)
		registry_add(&a.f, "name", slice_of(a.positional[0]));
	else if (registry_field(&a.f, "all").p == NULL &&
	    registry_field(&a.f, "limit").p == NULL)
		registry_add(&a.f, "limit", SLICE(LAST));
	return registry_ask(m, "journal", &a.f, show_entry, m);
}

int
cmd_undo(struct malle *m, int argc, char **argv)
{
	/* clang-format off */
	static const struct option_field options[] = {
		{ "--check", "check", "yes" },
		{ "--force", "force", "yes" },
		{ NULL, NULL, NULL }
	};
	/* clang-format on */
	static struct arguments a;

	if (arguments_parse(m, options, false, argc, argv, &a) == -1 ||
	    a.n != 1)
		return arguments_wrong(m, "undo ID [--check] [--force]");
	registry_add(&a.f, "id", slice_of(a.positional[0]));
	return registry_ask(m, "undo", &a.f, NULL, NULL);
}

int
cmd_recompile(struct malle *m, int argc, char **argv)
{
	struct registry_fields f = { .n = 0 };

	(void)argv;
	if (argc != 1)
		return arguments_wrong(m, "recompile");
	return registry_ask(m, "recompile", &f, NULL, NULL);
}
