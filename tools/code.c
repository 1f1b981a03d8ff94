/* code.c - malle manager code, malle manager recover: the security code of admin. */
/* SPDX-License-Identifier: ISC */

/*
 * Inventory 4-29, 9-04. The code is made here and shown once; the registry keeps
 * its hash. It opens one operation, once: then there is another one.
 */

#include "tools/code.h"

#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "tools/account.h"

#define ADMIN SLICE("admin")

static void
show_card(const struct malle *m, const char *code)
{
	printf(tr(m,
	    "------------------------------------------------------------\n"
	    "  Security code of the mail server %s\n\n"
	    "      %s\n\n"
	    "  It gives the administrator (admin) another password when\n"
	    "  the old one is lost: malle manager recover\n"
	    "  It is used once; then there is another code.\n"
	    "  Who has it administers the server: keep it locked away.\n"
	    "------------------------------------------------------------\n",
	    "------------------------------------------------------------\n"
	    "  Code de sécurité du serveur de messagerie %s\n\n"
	    "      %s\n\n"
	    "  Il rend un mot de passe à l'administrateur (admin) qui a\n"
	    "  perdu le sien : malle manager recover\n"
	    "  Il sert une fois ; ensuite il y a un autre code.\n"
	    "  Qui l'a administre le serveur : gardez-le sous clé.\n"
	    "------------------------------------------------------------\n"),
	    m->conf.hostname, code);
}

static void
show_code(const struct malle *m, const char *code, bool as_card)
{
	if (m->json)
		printf("{\"code\": \"%s\"}\n", code);
	else if (as_card)
		show_card(m, code);
	else
		printf("%s\n", code);
	fputs(tr(m, "malle: this code is shown only now: keep it in a safe "
	    "place\n", "malle : ce code n'est montré que maintenant : gardez-le "
	    "en lieu sûr\n"), stderr);
}

/* Makes another code and shows it, when the registry has it. */
static int
renew(struct malle *m, struct registry_fields *f, bool as_card)
{
	char code[SECRET_MAX + 1];
	int status = EX_OSERR;

	registry_add(f, "name", ADMIN);
	if (secret_code(code) == 0) {
		registry_add(f, "password", slice_of(code));
		status = registry_ask(m, "manager.code", f, NULL, NULL);
	}
	if (status == EX_OK)
		show_code(m, code, as_card);
	explicit_bzero(code, sizeof(code));
	return status;
}

int
manager_code(struct malle *m, int argc, char **argv)
{
	/* clang-format off */
	static const struct option_field options[] = {
		{ "--card", "card", "yes" },
		{ NULL, NULL, NULL }
	};
	/* clang-format on */
	static struct arguments a;
	bool as_card;

	if (arguments_parse(m, options, false, argc, argv, &a) == -1 ||
	    a.n != 0)
		return arguments_wrong(m, "manager code [--card]");
	as_card = take_field(&a.f, "card").p != NULL;
	return renew(m, &a.f, as_card);
}

/* The code, and the new password. 0 or -1. */
static int
ask_both(const struct malle *m, struct secrets *s)
{
	int r = isatty(STDIN_FILENO) ? secret_ask(m, tr(m, "Security code: ",
	    "Code de sécurité : "), s->current) :
	    secret_new(m, true, s->current);

	secret_tidy_code(s->current);
	return r == 0 ? secret_new(m, false, s->fresh) : -1;
}

int
manager_recover(struct malle *m, int argc, char **argv)
{
	static struct arguments a;
	struct registry_fields again = { .n = 0 };
	struct secrets s = { .show = false };
	int status = EX_NOINPUT;

	if (arguments_parse(m, NULL, false, argc, argv, &a) == -1 ||
	    a.n != 0 || m->as != NULL)
		return arguments_wrong(m, "manager recover");
	if (ask_both(m, &s) == 0) {
		registry_add(&a.f, "name", ADMIN);
		registry_add(&a.f, "as", ADMIN);
		registry_add(&a.f, "current", slice_of(s.current));
		registry_add(&a.f, "password", slice_of(s.fresh));
		status = registry_ask(m, "manager.recover", &a.f, NULL, NULL);
	}
	if (status == EX_OK) {
		fputs(tr(m, "malle: admin has the new password; the code is "
		    "used up, this is another one:\n", "malle : admin a le "
		    "nouveau mot de passe ; le code a servi, en voici un "
		    "autre :\n"), stderr);
		registry_add(&again, "as", ADMIN);
		registry_add(&again, "current", slice_of(s.fresh));
		if (renew(m, &again, false) != EX_OK)
			fputs(tr(m, "malle: there is no code now; make one: "
			    "malle --as admin manager code\n", "malle : il n'y "
			    "a plus de code ; faites-en un : malle --as admin "
			    "manager code\n"), stderr);
	}
	explicit_bzero(&s, sizeof(s));
	return status;
}
