/* welcome.c - malle user sheet, and the first message of a new mailbox. */
/* SPDX-License-Identifier: ISC */

/*
 * Runs as: the caller, who must be able to see the mailbox in the registry. The
 * message goes through the queue as any local program's.
 * Order: the mailbox, its domain, the queue. The message is handed over once,
 * by the command that has made the mailbox, and never tried again: at most one.
 */

#include "tools/welcome.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>

#include "lib/date.h"
#include "lib/letter.h"
#include "tools/check_cert.h"
#include "tools/json.h"
#include "tools/post.h"
#include "tools/sheet.h"

/* What a sheet needs of an account. */
struct account {
	char address[ADDR_TEXT_MAX];
	bool pop3, smtp;
};

static void
keep_account(void *arg, const struct registry_fields *row)
{
	struct account *a = arg;

	if (slice_to_cstr(registry_field(row, "name"), a->address,
	    sizeof(a->address)) == -1)
		a->address[0] = '\0';
	a->pop3 = !slice_eq(registry_field(row, "pop3"), SLICE("no"));
	a->smtp = !slice_eq(registry_field(row, "smtp"), SLICE("no"));
}

static void
keep_domain(void *arg, const struct registry_fields *row)
{
	struct welcome *w = arg;

	w->wanted = slice_eq(registry_field(row, "welcome"), SLICE("yes"));
	w->french = !slice_eq(registry_field(row, "language"), SLICE("en"));
}

/* Mail programs refuse a name that the certificate is not for. */
static void
warn_certificate(const struct malle *m)
{
	char cert[2048], key[2048], why[256];
	int days;

	if (conf_path(&m->conf, "tls/cert.pem", cert, sizeof(cert)) == -1 ||
	    conf_path(&m->conf, "tls/key.pem", key, sizeof(key)) == -1 ||
	    check_cert(cert, key, m->conf.hostname, &days, why,
	    sizeof(why)) != CERT_WRONG)
		return;
	fprintf(stderr, tr(m, "malle: warning: mail programs will complain of "
	    "the certificate (%s): malle check\n", "malle : attention : les "
	    "logiciels de courrier se plaindront du certificat (%s) : malle "
	    "check\n"), why);
}

static void
put_json_service(const char *name, const char *server,
    const struct sheet_ports *p)
{
	printf(", \"%s-server\": ", name);
	json_put_string(stdout, slice_of(server));
	printf(", \"%s-tls-port\": %u, \"%s-starttls-port\": %u", name, p->tls,
	    name, p->starttls);
}

static void
print_sheet(const struct malle *m, const struct sheet *s)
{
	struct str text = STR_INIT(SHEET_MAX);

	if (m->json) {
		fputs("{\"login\": ", stdout);
		json_put_string(stdout, slice_of(s->address));
		put_json_service("pop3", s->server, &s->pop3);
		put_json_service("smtp", s->server, &s->smtp);
		puts("}");
		return;
	}
	sheet_write(&text, s);
	fputs(str_c(&text), stdout);
	str_free(&text);
}

/* "fr", "en" or nothing into *french. 0, or -1. */
static int
take_language(const struct malle *m, struct registry_fields *f, bool *french)
{
	struct slice language = take_field(f, "language");

	*french = m->french;
	if (language.p == NULL)
		return 0;
	*french = slice_eq(language, SLICE("fr"));
	return *french || slice_eq(language, SLICE("en")) ? 0 : -1;
}

int
user_sheet(struct malle *m, int argc, char **argv)
{
	/* clang-format off */
	static const struct option_field sheet_options[] = {
		{ "--lang", "language", NULL },
		{ "--own",  "own",      "yes" },
		{ NULL, NULL, NULL }
	};
	/* clang-format on */
	static struct arguments a;
	struct account account = { .address = "" };
	struct secrets s = { .show = false };
	int status = EX_NOINPUT;
	struct sheet sheet;
	bool french;

	if (arguments_parse(m, sheet_options, false, argc, argv, &a) == -1 ||
	    a.n != 1 || take_language(m, &a.f, &french) == -1)
		return arguments_wrong(m,
		    "user sheet ADDRESS [--lang fr|en] [--own]");
	registry_add(&a.f, "address", slice_of(a.positional[0]));
	if (add_current(m, &a.f, &s) == 0)
		status = registry_learn(m, "user.show", &a.f, keep_account,
		    &account);
	explicit_bzero(&s, sizeof(s));
	if (status != EX_OK || account.address[0] == '\0')
		return status != EX_OK ? status : EX_UNAVAILABLE;
	warn_certificate(m);
	sheet_init(&sheet, &m->conf, account.address, account.pop3,
	    account.smtp, french);
	print_sheet(m, &sheet);
	return EX_OK;
}

enum welcome_wish
welcome_take_wish(struct registry_fields *f)
{
	struct slice wish = take_field(f, "welcome");

	if (wish.p == NULL)
		return WELCOME_AS_DOMAIN;
	return slice_eq(wish, SLICE("yes")) ? WELCOME_YES : WELCOME_NO;
}

static int
write_message(const struct malle *m, const struct account *a, bool french,
    struct str *out)
{
	char date[DATE_MAX], from[ADDR_TEXT_MAX], id[POST_ID_MAX];
	struct letter l = { .from = from, .to = a->address,
		.subject = french ? "Votre boîte aux lettres est ouverte" :
		"Your mailbox is open", .message_id = id,
		.date = date_rfc5322(time(NULL), date), .is_french = french };
	struct str body = STR_INIT(SHEET_MAX);
	struct sheet sheet;
	bool is_whole;

	if (post_make_id(m, id) == -1)
		return -1;
	snprintf(from, sizeof(from), "postmaster@%s",
	    strrchr(a->address, '@') + 1);
	sheet_init(&sheet, &m->conf, a->address, a->pop3, a->smtp, french);
	sheet_write(&body, &sheet);
	letter_write(out, &l, str_slice(&body));
	is_whole = str_ok(&body) && str_ok(out);
	str_free(&body);
	return is_whole ? 0 : -1;
}

/* What the domain of a mailbox says. 0, or -1: said on stderr. */
static int
learn_domain(const struct malle *m, struct welcome *w, const char *domain)
{
	struct registry_fields f = { .n = 0 };

	if (strcmp(domain, w->domain) == 0)
		return 0;
	w->domain[0] = '\0';
	registry_add(&f, "name", slice_of(domain));
	if (registry_learn(m, "domain.show", &f, keep_domain, w) != EX_OK)
		return -1;
	snprintf(w->domain, sizeof(w->domain), "%s", domain);
	return 0;
}

/* True when nobody wants a message; a whole file of mailboxes of such a domain
 * costs one question. */
static bool
is_unwanted(const struct welcome *w, const char *address)
{
	const char *at = strrchr(address, '@');

	return w->wish == WELCOME_NO || (w->wish == WELCOME_AS_DOMAIN &&
	    !w->wanted && at != NULL && strcmp(at + 1, w->domain) == 0);
}

void
welcome_send(const struct malle *m, struct welcome *w, const char *address)
{
	/* Each byte of the sheet may become three. */
	struct str message = STR_INIT(4 * SHEET_MAX);
	struct registry_fields f = { .n = 0 };
	struct account a = { .address = "" };
	char why[POST_WHY_MAX + 1], id[QUEUE_ID_MAX + 1];
	const char *at;

	if (is_unwanted(w, address))
		return;
	registry_add(&f, "address", slice_of(address));
	if (registry_learn(m, "user.show", &f, keep_account, &a) != EX_OK ||
	    (at = strrchr(a.address, '@')) == NULL ||
	    learn_domain(m, w, at + 1) == -1 ||
	    (!w->wanted && w->wish != WELCOME_YES))
		return;
	snprintf(why, sizeof(why), "%s", strerror(ENOMEM));
	if (write_message(m, &a, w->french, &message) == -1 ||
	    post(m, "", a.address, 0, str_slice(&message), id, why) == -1)
		fprintf(stderr, tr(m, "malle: warning: %s is there, but its "
		    "first message was not taken by the queue (%s); give the "
		    "settings yourself: malle user sheet %s\n",
		    "malle : attention : %s est en place, mais la file n'a pas "
		    "pris son premier message (%s) ; donnez vous-même les "
		    "paramètres : malle user sheet %s\n"), a.address, why,
		    a.address);
	str_free(&message);
}
