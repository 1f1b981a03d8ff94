/* migrate_limits.c - what QmailAdmin allows a domain, and vpopmail a user. */
/* SPDX-License-Identifier: ISC */

/*
 * domains/DOMAIN/.qmailadmin-limits, else etc/vlimits.default for all: a name
 * and its value a line. -1 is no limit there; 0 hides what it counts, which is
 * no limit that we have. What is switched off for a domain is so for each of
 * its accounts but for those with V_OVERRIDE.
 */

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "lib/num.h"
#include "tools/migrate.h"

#define LIMITS_MAX 65536

/* clang-format off */
static const struct {
	const char *old, *ours;
	uint64_t unit;
} limits[] = {
	{ "maxpopaccounts",    "max-mailboxes", 1 },
	{ "maxaliases",        "max-aliases",   1 },
	{ "maxforwards",       "max-forwards",  1 },
	{ "maxautoresponders", "max-robots",    1 },
	{ "maxmailinglists",   "max-lists",     1 },
	{ "quota",             "max-bytes",     1 << 20 },
	{ "default_quota",     "default-quota", 1 },
};
#define N_LIMITS (sizeof(limits) / sizeof(*limits))

/* What means nothing here. */
static const struct {
	uint32_t flag;
	const char *name;
} flags[] = {
	{ OLD_NO_WEBMAIL,     "NO_WEBMAIL" },
	{ OLD_NO_IMAP,        "NO_IMAP" },
	{ OLD_NO_DIALUP,      "NO_DIALUP" },
	{ OLD_ADMIN,          "QA_ADMIN" },
	{ OLD_NO_SPAM_FILTER, "NO_SPAMASSASSIN" },
	{ OLD_DELETE_SPAM,    "DELETE_SPAM" },
	{ OLD_ADMIN_ALL,      "SA_ADMIN" },
	{ OLD_EXPERT,         "SA_EXPERT" },
	{ OLD_NO_MAILDROP,    "NO_MAILDROP" },
};
/* clang-format on */

/* What a line switches off for all accounts, or NULL. */
static bool *
switched_off(struct old_limits *l, struct slice name)
{
	if (slice_eq(name, SLICE("disable_pop")))
		return &l->no_pop;
	if (slice_eq(name, SLICE("disable_smtp")) ||
	    slice_eq(name, SLICE("disable_external_relay")))
		return &l->no_smtp;
	return slice_eq(name, SLICE("disable_password_changing")) ?
	    &l->no_password : NULL;
}

void
limits_read(struct old_limits *l, const char *folder, const char *top)
{
	char path[3 * OLD_PATH_MAX];
	struct slice rest, name, value;
	bool *off;

	*l = (struct old_limits){ .text = STR_INIT(2 * LIMITS_MAX) };
	snprintf(path, sizeof(path), "%s/.qmailadmin-limits", folder);
	if (old_read(path, LIMITS_MAX, &l->text) == -1) {
		str_clear(&l->text);
		snprintf(path, sizeof(path), "%s/etc/vlimits.default", top);
		if (old_read(path, LIMITS_MAX, &l->text) == -1)
			str_clear(&l->text);
	}
	for (rest = str_slice(&l->text); old_limit(&rest, &name, &value);)
		if ((off = switched_off(l, name)) != NULL)
			*off = true;
}

void
limits_free(struct old_limits *l)
{
	str_free(&l->text);
}

void
limits_apply(const struct old_limits *l, struct old_account *a)
{
	a->own_password = l->no_password && (a->flags & OLD_OVERRIDE);
	if (a->flags & OLD_OVERRIDE)
		return;
	a->no_pop |= l->no_pop;
	a->no_relay |= l->no_smtp;
}

/* Which of the limits the domain has already, and "owner-may". */
static void
take_limits(void *arg, const struct registry_fields *row)
{
	bool *has = arg;

	has[N_LIMITS] = registry_field(row, "owner-may").p != NULL;
	for (size_t i = 0; i < N_LIMITS; i++) {
		struct slice value = registry_field(row, limits[i].ours);

		has[i] = value.len > 0 && !slice_eq(value, SLICE("0"));
	}
}

/* The value as ours; 0: there is no limit. -1: it is no number. */
static int
take_value(struct slice value, uint64_t unit, uint64_t *out)
{
	uint64_t n;

	if (slice_eq(value, SLICE("-1"))) {
		*out = 0;
		return 0;
	}
	if (num_parse_size(value, 0, INT64_MAX / unit, &n) == -1)
		return -1;
	*out = n * unit;
	return 0;
}

static void
set_limit(struct migration *g, const char *domain, const char *name,
    const char *value)
{
	struct registry_fields f = { .n = 0 };
	char note[64];

	registry_add(&f, "name", slice_of(domain));
	registry_add(&f, name, slice_of(value));
	snprintf(note, sizeof(note), "%s=%s", name, value);
	migrate_change(g, "domain.set", &f, "limit", domain, note);
}

/* A line that is none of our limits, or cannot be one. */
static void
leave_out(struct migration *g, const char *domain, struct slice name,
    struct slice value)
{
	char note[128];

	snprintf(note, sizeof(note), "%.*s%s%.*s",
	    name.len < 60 ? (int)name.len : 60, name.p,
	    value.len > 0 ? "=" : "", value.len < 60 ? (int)value.len : 60,
	    value.p);
	migrate_report(g, LEFT_OUT, "limit", domain, note);
}

static void
take_limit(struct migration *g, const char *domain, struct slice name,
    struct slice value, bool *has)
{
	char number[24];
	size_t i = 0;
	uint64_t n;

	while (i < N_LIMITS && !slice_eq(name, slice_of(limits[i].old)))
		i++;
	if (i == N_LIMITS || slice_eq(value, SLICE("0")) ||
	    take_value(value, limits[i].unit, &n) == -1) {
		leave_out(g, domain, name, value);
	} else if (n > 0 && has[i]) {
		migrate_report(g, THERE, "limit", domain, limits[i].ours);
	} else if (n > 0) {
		snprintf(number, sizeof(number), "%" PRIu64, n);
		set_limit(g, domain, limits[i].ours, number);
		has[i] = true;	/* a second line changes nothing */
	}
}

void
migrate_limits(struct migration *g, const char *domain, struct old_limits *l)
{
	struct slice rest = str_slice(&l->text), name, value;
	struct registry_fields f = { .n = 0 };
	bool has[N_LIMITS + 1] = { false };
	char text[1024];

	registry_add(&f, "name", slice_of(domain));
	(void)migrate_ask(g, "domain.show", &f, take_limits, has, text,
	    sizeof(text));
	while (old_limit(&rest, &name, &value))
		if (switched_off(l, name) == NULL)
			take_limit(g, domain, name, value, has);
	/* The others are each account's: limits_apply(). */
	if (l->no_password && has[N_LIMITS])
		migrate_report(g, THERE, "limit", domain, "owner-may");
	else if (l->no_password)
		set_limit(g, domain, "owner-may", "all -password");
}

void
migrate_flags(struct migration *g, const char *address, uint32_t set)
{
	struct str names = STR_INIT(400);

	for (size_t i = 0; i < sizeof(flags) / sizeof(*flags); i++)
		if (set & flags[i].flag)
			str_printf(&names, "%s%s", names.len > 0 ? " " : "",
			    flags[i].name);
	if (names.len > 0)
		migrate_report(g, LEFT_OUT, "flags", address, str_c(&names));
	str_free(&names);
}
