/* password.c - commands that take a password along with their options. */
/* SPDX-License-Identifier: ISC */

#include <stdio.h>
#include <sysexits.h>
#include <unistd.h>

#include "tools/account.h"

struct slice
take_field(struct registry_fields *f, const char *name)
{
	struct slice value = { NULL, 0 };
	size_t n = 0;

	for (size_t i = 0; i < f->n; i++) {
		if (slice_eq(f->v[i].name, slice_of(name)))
			value = f->v[i].value;
		else
			f->v[n++] = f->v[i];
	}
	f->n = n;
	return value;
}

/* Fills the field password or hash, by the option given. 0 or -1. */
static int
add_password(const struct malle *m, struct registry_fields *f,
    const char *name, struct secrets *s)
{
	struct slice how = take_field(f, PASSWORD_HOW);
	const char *field = "password";

	if (how.p != NULL && slice_eq(how, SLICE("locked"))) {
		registry_add(f, "hash", SLICE("!"));
		return 0;
	}
	if (how.p != NULL && slice_eq(how, SLICE("random"))) {
		if (secret_random(name, s->fresh) == -1)
			return -1;
		s->show = true;
	} else {
		if (how.p != NULL && slice_eq(how, SLICE("hash")))
			field = "hash";
		if (secret_new(m, how.p != NULL, s->fresh) == -1)
			return -1;
	}
	registry_add(f, field, slice_of(s->fresh));
	return 0;
}

int
add_current(const struct malle *m, struct registry_fields *f,
    struct secrets *s)
{
	if (take_field(f, "own").p == NULL)
		return 0;
	if (isatty(STDIN_FILENO)) {
		if (secret_ask(m, tr(m, "Current password: ",
		    "Mot de passe actuel : "), s->current) == -1)
			return -1;
	} else if (secret_new(m, true, s->current) == -1) {
		return -1;
	}
	registry_add(f, "current", slice_of(s->current));
	return 0;
}

static void
show_password(const struct malle *m, const char *address,
    const struct secrets *s)
{
	if (m->json)
		printf("{\"name\": \"%s\", \"password\": \"%s\"}\n", address,
		    s->fresh);
	else
		printf("%s %s\n", address, s->fresh);
}

int
ask_for_name(struct malle *m, const char *operation, const char *field,
    struct registry_fields *f, const char *name)
{
	struct secrets s = { .show = false };
	int status = EX_NOINPUT;

	registry_add(f, field, slice_of(name));
	if (add_current(m, f, &s) == 0 &&
	    add_password(m, f, name, &s) == 0) {
		status = registry_ask(m, operation, f, NULL, NULL);
		if (status == EX_OK && s.show)
			show_password(m, name, &s);
	}
	explicit_bzero(&s, sizeof(s));
	return status;
}

int
ask_with_password(struct malle *m, const char *operation, const char *field,
    const struct option_field *options, int argc, char **argv,
    const char *usage)
{
	static struct arguments a;

	if (arguments_parse(m, options, true, argc, argv, &a) == -1 || a.n != 1)
		return arguments_wrong(m, usage);
	return ask_for_name(m, operation, field, &a.f, a.positional[0]);
}
