/* user_check.c - malle user check: why does no mail arrive, why is a login refused? */
/* SPDX-License-Identifier: ISC */

/*
 * Inventory 3-05, 3-06. Runs as: the caller, who must be able to see the mailbox.
 * Order: what the registry says of it and of its domain, how full it is, the DNS;
 * with --send a letter from itself to itself, which is waited for.
 */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "lib/clock.h"
#include "lib/date.h"
#include "lib/letter.h"
#include "lib/num.h"
#include "tools/backup.h"
#include "tools/domain_check.h"
#include "tools/post.h"
#include "tools/user.h"

#define ARRIVES_WITHIN 30000	/* ms */
#define LOOK_EVERY 200		/* ms */
#define LETTER_MAX 8192

struct checked {
	struct dns_check k;
	char address[ADDR_TEXT_MAX];
	bool stores;		/* what arrives stays in it */
	uint64_t quota_bytes, quota_messages;
	uint64_t bytes, messages;
	bool is_counted, is_full;
};

#define T(c, en, fr) DNS_CHECK_T(&(c)->k, en, fr)

static bool
is(const struct registry_fields *row, const char *name, const char *value)
{
	return slice_eq(registry_field(row, name), slice_of(value));
}

/* Of a mailbox or of its domain. */
static void
judge_state(struct checked *c, const char *what, const char *name,
    const struct registry_fields *row)
{
	if (is(row, "state", "suspended"))
		dns_check_add(&c->k, "state", DNS_CHECK_WRONG,
		    T(c, "%s is suspended: senders are told to try later, and "
		    "nobody logs in; malle %s set %s state=active",
		    "%s est suspendu : les expéditeurs doivent réessayer, et "
		    "personne ne se connecte ; malle %s set %s state=active"),
		    name, what, name);
	else if (is(row, "state", "disabled"))
		dns_check_add(&c->k, "state", DNS_CHECK_WRONG,
		    T(c, "%s is disabled: mail is refused, and nobody logs in; "
		    "malle %s set %s state=active",
		    "%s est désactivé : le courrier est refusé, et personne ne "
		    "se connecte ; malle %s set %s state=active"),
		    name, what, name);
	else
		dns_check_add(&c->k, "state", DNS_CHECK_FINE,
		    T(c, "%s is active", "%s est actif"), name);
}

/* Where its mail goes (S3:21, S3:23). */
static void
judge_routing(struct checked *c, const struct registry_fields *row)
{
	struct slice to = registry_field(row, "forward");
	struct slice senders = registry_field(row, "senders");

	c->stores = !is(row, "discard", "yes") &&
	    (to.len == 0 || !is(row, "keep", "no"));
	if (is(row, "discard", "yes"))
		dns_check_add(&c->k, "routing", DNS_CHECK_TODO,
		    T(c, "all its mail is deleted unread: malle user set %s "
		    "discard=no", "tout son courrier est supprimé sans être lu "
		    ": malle user set %s discard=no"), c->address);
	else if (!c->stores)
		dns_check_add(&c->k, "routing", DNS_CHECK_TODO,
		    T(c, "its mail only goes on to %.*s, nothing stays here: "
		    "malle user set %s keep=yes", "son courrier est seulement "
		    "renvoyé à %.*s, rien ne reste ici : malle user set %s "
		    "keep=yes"), SLICE_FMT(to), c->address);
	else if (to.len > 0)
		dns_check_add(&c->k, "routing", DNS_CHECK_INFO,
		    T(c, "a copy goes on to %.*s", "une copie est renvoyée à "
		    "%.*s"), SLICE_FMT(to));
	if (is(row, "vacation", "yes"))
		dns_check_add(&c->k, "routing", DNS_CHECK_INFO,
		    T(c, "it answers that its owner is away; that keeps no mail "
		    "from it", "elle répond que son titulaire est absent ; cela "
		    "n'empêche pas le courrier d'arriver"));
	if (senders.len > 0 && !is(row, "senders", "everybody"))
		dns_check_add(&c->k, "routing", DNS_CHECK_INFO,
		    T(c, "not everybody may write to it: %.*s",
		    "tout le monde ne peut pas lui écrire : %.*s"),
		    SLICE_FMT(senders));
}

/* What lets its owner in (S3:33). */
static void
judge_login(struct checked *c, const struct registry_fields *row)
{
	struct slice last = registry_field(row, "last-login");

	if (is(row, "password", "locked"))
		dns_check_add(&c->k, "login", DNS_CHECK_TODO,
		    T(c, "it has no password: malle user passwd %s",
		    "elle n'a pas de mot de passe : malle user passwd %s"),
		    c->address);
	if (is(row, "pop3", "no"))
		dns_check_add(&c->k, "login", DNS_CHECK_INFO,
		    T(c, "it may not fetch mail (pop3=no)",
		    "elle ne peut pas relever de courrier (pop3=no)"));
	if (is(row, "smtp", "no"))
		dns_check_add(&c->k, "login", DNS_CHECK_INFO,
		    T(c, "it may not send mail (smtp=no)",
		    "elle ne peut pas envoyer de courrier (smtp=no)"));
	if (last.len > 0)
		dns_check_add(&c->k, "login", DNS_CHECK_INFO,
		    T(c, "last good login: %.*s", "dernière connexion : %.*s"),
		    SLICE_FMT(last));
	else
		dns_check_add(&c->k, "login", DNS_CHECK_INFO,
		    T(c, "nobody has logged in yet",
		    "personne ne s'est encore connecté"));
	dns_check_add(&c->k, "login", DNS_CHECK_INFO,
	    T(c, "if a mail program is refused, try the password without it: "
	    "malle --as %s user show %s; capital letters count in it. If that "
	    "works, the settings are wrong: malle user sheet %s",
	    "si un logiciel est refusé, essayez le mot de passe sans lui : "
	    "malle --as %s user show %s ; les majuscules y comptent. Si cela "
	    "marche, ce sont les réglages : malle user sheet %s"), c->address,
	    c->address, c->address);
}

static void
judge_user(void *arg, const struct registry_fields *row)
{
	struct checked *c = arg;

	if (slice_to_cstr(registry_field(row, "name"), c->address,
	    sizeof(c->address)) == -1)
		return;
	if (num_parse(registry_field(row, "quota-bytes"), 0, UINT64_MAX,
	    &c->quota_bytes) == -1)
		c->quota_bytes = 0;
	if (num_parse(registry_field(row, "quota-messages"), 0, UINT64_MAX,
	    &c->quota_messages) == -1)
		c->quota_messages = 0;
	judge_state(c, "user", c->address, row);
	judge_routing(c, row);
	judge_login(c, row);
}

static void
judge_domain(void *arg, const struct registry_fields *row)
{
	struct checked *c = arg;

	judge_state(c, "domain", c->k.domain, row);
	if (is(row, "app-passwords", "required"))
		dns_check_add(&c->k, "login", DNS_CHECK_INFO,
		    T(c, "POP3 and SMTP want an application password: malle user "
		    "app-password add %s", "POP3 et SMTP demandent un mot de "
		    "passe d'application : malle user app-password add %s"),
		    c->address);
}

static void
judge_room(struct checked *c)
{
	c->is_full = c->is_counted &&
	    ((c->quota_bytes > 0 && c->bytes >= c->quota_bytes) ||
	    (c->quota_messages > 0 && c->messages >= c->quota_messages));
	if (!c->is_counted)
		dns_check_add(&c->k, "room", DNS_CHECK_UNKNOWN,
		    T(c, "how full it is cannot be seen",
		    "on ne peut voir ce qu'elle contient"));
	else if (c->is_full)
		dns_check_add(&c->k, "room", DNS_CHECK_WRONG,
		    T(c, "it is full, mail is refused (messages: %" PRIu64
		    ", bytes: %" PRIu64 "); malle mailbox biggest %s",
		    "elle est pleine, le courrier est refusé (messages : %"
		    PRIu64 ", octets : %" PRIu64 ") ; malle mailbox biggest "
		    "%s"), c->messages, c->bytes, c->address);
	else
		dns_check_add(&c->k, "room", DNS_CHECK_FINE,
		    T(c, "there is room (messages: %" PRIu64 ", bytes: %" PRIu64
		    ")", "il y a de la place (messages : %" PRIu64 ", octets : "
		    "%" PRIu64 ")"), c->messages, c->bytes);
}

/* What the DNS has that is right needs no row, but where mail is sent. */
static void
judge_dns(const struct malle *m, struct checked *c)
{
	size_t kept = c->k.n, i = kept;

	c->k.only_arrival = true;
	domain_check_look(m, &c->k);
	for (; i < c->k.n; i++)
		if (domain_check_lacks(&c->k.v[i]) ||
		    c->k.v[i].verdict == DNS_CHECK_UNKNOWN ||
		    strcmp(c->k.v[i].about, "mx") == 0)
			c->k.v[kept++] = c->k.v[i];
	c->k.n = kept;
}

static int
write_letter(const struct malle *m, const struct checked *c, struct str *out)
{
	char date[DATE_MAX], id[POST_ID_MAX];
	struct letter l = { .from = c->address, .to = c->address,
		.subject = T(c, "Mail arrives", "Le courrier arrive"),
		.message_id = id, .date = date_rfc5322(time(NULL), date),
		.is_french = c->k.french };
	struct str body = STR_INIT(LETTER_MAX);
	bool is_whole;

	if (post_make_id(m, id) == -1)
		return -1;
	letter_greet(&body, c->k.french);
	letter_paragraph(&body, T(c, "This letter was sent by the mail service "
	    "to see that mail arrives in the mailbox %s. It may be deleted.",
	    "Cette lettre a été envoyée par le service de courrier pour vérifier "
	    "que le courrier arrive dans la boîte %s. Elle peut être "
	    "supprimée."), c->address);
	letter_write(out, &l, str_slice(&body));
	is_whole = str_ok(&body) && str_ok(out);
	str_free(&body);
	return is_whole ? 0 : -1;
}

/* Until there are more messages than before, whosever they are: mail arrives. */
static void
await(const struct malle *m, struct checked *c,
    const struct registry_fields *f, const char *id)
{
	static const struct timespec pause = { 0, LOOK_EVERY * 1000000L };
	int64_t end = clock_ms() + ARRIVES_WITHIN;
	uint64_t messages, bytes;

	do {
		nanosleep(&pause, NULL);
		if (mailbox_numbers(m, f, &messages, &bytes) == 0 &&
		    messages > c->messages) {
			dns_check_add(&c->k, "arrival", DNS_CHECK_FINE,
			    T(c, "a letter to itself has arrived (%s)",
			    "une lettre à elle-même est arrivée (%s)"), id);
			return;
		}
	} while (clock_ms() < end);
	dns_check_add(&c->k, "arrival", DNS_CHECK_WRONG,
	    T(c, "a letter to itself was taken, and is not there after %d "
	    "seconds: malle trace %s", "une lettre à elle-même a été acceptée, "
	    "et n'est pas là après %d secondes : malle trace %s"),
	    ARRIVES_WITHIN / 1000, id);
}

/* "Write to yourself" (S3:25). */
static void
try_arrival(const struct malle *m, struct checked *c,
    const struct registry_fields *f)
{
	struct str letter = STR_INIT(4 * LETTER_MAX);
	char id[QUEUE_ID_MAX + 1], why[POST_WHY_MAX + 1];

	snprintf(why, sizeof(why), "%s", strerror(ENOMEM));
	if (!c->stores || !c->is_counted || c->is_full)
		dns_check_add(&c->k, "arrival", DNS_CHECK_UNKNOWN,
		    T(c, "no letter was sent: it would not be seen to arrive",
		    "aucune lettre n'a été envoyée : on ne la verrait pas "
		    "arriver"));
	else if (write_letter(m, c, &letter) == -1 || post(m, c->address,
	    c->address, QN_NEVER, str_slice(&letter), id, why) == -1)
		dns_check_add(&c->k, "arrival", DNS_CHECK_WRONG,
		    T(c, "a letter to itself is not taken: %s",
		    "une lettre à elle-même n'est pas acceptée : %s"), why);
	else
		await(m, c, f, id);
	str_free(&letter);
}

/* Owners may not see their domain: of one that is not active they are told when
 * they ask for anything. */
static void
learn_domain(const struct malle *m, struct checked *c)
{
	struct registry_fields f = { .n = 0 };
	int fd = malle_connect(m, "registry.sock");
	char text[1024];

	if (fd == -1)
		return;
	registry_add(&f, "name", slice_of(c->k.domain));
	as_add(m, &f);
	(void)!registry_call(fd, "domain.show", &f, judge_domain, c, text,
	    sizeof(text));
	close(fd);
}

/* The whole of it, with the fields of who asks. */
static int
check(const struct malle *m, struct registry_fields *f, bool sends,
    struct checked *c)
{
	struct registry_fields counting = *f;
	int status = registry_learn(m, "user.show", f, judge_user, c);
	const char *at = strrchr(c->address, '@');

	if (status != EX_OK)
		return status;
	if (at == NULL || addr_domain(slice_of(at + 1), c->k.domain) == -1)
		return EX_UNAVAILABLE;
	learn_domain(m, c);
	as_add(m, &counting);
	c->is_counted = mailbox_numbers(m, &counting, &c->messages,
	    &c->bytes) == 0;
	judge_room(c);
	judge_dns(m, c);
	if (sends)
		try_arrival(m, c, &counting);
	return domain_check_report(m, &c->k);
}

int
user_check(struct malle *m, int argc, char **argv)
{
	/* clang-format off */
	static const struct option_field options[] = {
		{ "--send",    "send",      "yes" },
		{ "--address", "addresses", NULL },
		{ "--own",     "own",       "yes" },
		{ NULL, NULL, NULL }
	};
	/* clang-format on */
	static struct arguments a;
	static struct checked c;
	struct secrets s = { .show = false };
	struct slice addresses;
	int status = EX_NOINPUT;
	bool sends;

	c.k.conf = &m->conf;
	c.k.french = m->french;
	if (arguments_parse(m, options, false, argc, argv, &a) == -1 ||
	    a.n != 1)
		goto wrong;
	sends = take_field(&a.f, "send").p != NULL;
	addresses = take_field(&a.f, "addresses");
	if (domain_check_addresses(addresses, &c.k) == -1)
		goto wrong;
	registry_add(&a.f, "address", slice_of(a.positional[0]));
	if (add_current(m, &a.f, &s) == 0)
		status = check(m, &a.f, sends, &c);
	explicit_bzero(&s, sizeof(s));
	return status;
wrong:
	return arguments_wrong(m, "user check ADDRESS [--send] "
	    "[--address ADDRESS,...] [--own]");
}
