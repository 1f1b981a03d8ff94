/* valid.c - judges of attribute values, pure functions. */
/* SPDX-License-Identifier: ISC */

#include "registry/valid.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistr.h>

#include "auth/password.h"
#include "lib/account.h"
#include "lib/app_password.h"
#include "lib/date.h"
#include "lib/num.h"
#include "registry/zone.h"

#define LINE_MAX_BYTES 250
#define LOCALS_MAX 20
#define BODY_MAX 10000
#define TIME_TEXT 20		/* 2026-11-21T22:35:01Z */

static int
wrong(struct text *why, const char *english, const char *french)
{
	*why = (struct text){ english, french };
	return -1;
}

bool
is_line(struct slice s)
{
	if (u8_check((const uint8_t *)s.p, s.len) != NULL)
		return false;
	for (size_t i = 0; i < s.len; i++)
		if ((unsigned char)s.p[i] < ' ' || s.p[i] == 0x7f)
			return false;
	return true;
}

static bool
one_of(struct slice in, const char *const *words, struct str *out)
{
	for (; *words != NULL; words++) {
		if (slice_eq_nocase(in, slice_of(*words))) {
			str_puts(out, *words);
			return true;
		}
	}
	return false;
}

int
valid_state(struct slice in, struct str *out, struct text *why)
{
	const char *const words[] = { "active", "suspended", "disabled", NULL };

	if (one_of(in, words, out))
		return 0;
	return wrong(why, "must be active, suspended or disabled",
	    "doit être active, suspended (suspendu) ou disabled (désactivé)");
}

int
valid_language(struct slice in, struct str *out, struct text *why)
{
	const char *const words[] = { "fr", "en", NULL };

	if (one_of(in, words, out))
		return 0;
	return wrong(why, "must be fr or en", "doit être fr ou en");
}

int
valid_switch(struct slice in, struct str *out, struct text *why)
{
	const char *const words[] = { "yes", "no", NULL };

	if (one_of(in, words, out))
		return 0;
	if (slice_eq_nocase(in, SLICE("oui")) ||
	    slice_eq_nocase(in, SLICE("non"))) {
		str_puts(out, in.p[0] == 'o' || in.p[0] == 'O' ? "yes" : "no");
		return 0;
	}
	return wrong(why, "must be yes or no", "doit être yes (oui) ou no (non)");
}

int
valid_size(struct slice in, struct str *out, struct text *why)
{
	uint64_t n;

	if (num_parse_size(in, 0, INT64_MAX, &n) == -1)
		return wrong(why,
		    "must be a number of bytes such as 500M or 2G; 0 is no limit",
		    "doit être une taille comme 500M ou 2G ; 0 : sans limite");
	str_printf(out, "%" PRIu64, n);
	return 0;
}

int
valid_quota(struct slice in, struct str *out, struct text *why)
{
	uint64_t n;

	if (num_parse_size(in, 0, QUOTA_MAX, &n) == -1)
		return wrong(why, "must be a size such as 500M or 2G, of 8192G "
		    "at most; 0 is no limit", "doit être une taille comme 500M "
		    "ou 2G, de 8192G au plus ; 0 : sans limite");
	str_printf(out, "%" PRIu64, n);
	return 0;
}

int
valid_count(struct slice in, struct str *out, struct text *why)
{
	uint64_t n;

	if (num_parse(in, 0, INT64_MAX, &n) == -1)
		return wrong(why, "must be a number; 0 is no limit",
		    "doit être un nombre ; 0 : sans limite");
	str_printf(out, "%" PRIu64, n);
	return 0;
}

int
valid_percent(struct slice in, struct str *out, struct text *why)
{
	uint64_t n;

	if (num_parse(in, 0, 100, &n) == -1)
		return wrong(why, "must be a number from 0 to 100",
		    "doit être un nombre de 0 à 100");
	str_printf(out, "%" PRIu64, n);
	return 0;
}

int
valid_line(struct slice in, struct str *out, struct text *why)
{
	if (in.len > LINE_MAX_BYTES)
		return wrong(why, "must be at most 250 bytes",
		    "ne doit pas dépasser 250 octets");
	if (!is_line(in))
		return wrong(why, "must be one line of UTF-8 text",
		    "doit être une ligne de texte en UTF-8");
	str_put(out, in);
	return 0;
}

int
valid_domain(struct slice in, struct str *out, struct text *why)
{
	char name[ADDR_DOMAIN_MAX + 1];

	if (addr_domain(in, name) == -1)
		return wrong(why, "must be a domain name",
		    "doit être un nom de domaine");
	str_puts(out, name);
	return 0;
}

int
valid_uid(struct slice in, struct str *out, struct text *why)
{
	uint64_t n;

	/* 0 is root, the last value of 32 bits means "no such". */
	if (num_parse(in, 1, UINT32_MAX - 1, &n) == -1)
		return wrong(why, "must be a user number, not 0",
		    "doit être un numéro d'utilisateur, non nul");
	str_printf(out, "%" PRIu64, n);
	return 0;
}

int
valid_hash(struct slice in, struct str *out, struct text *why)
{
	if (in.len >= PASSWORD_HASH_MAX || !is_line(in) ||
	    !password_hash_is_known(in))
		return wrong(why,
		    "must be a crypt(3) string of a known method ($y$, $6$, $5$, "
		    "$2y$, $1$, DES), or begin with ! (locked)",
		    "doit être une empreinte crypt(3) d'une méthode connue ($y$, "
		    "$6$, $5$, $2y$, $1$, DES), ou commencer par ! (verrouillé)");
	str_put(out, in);
	return 0;
}

int
valid_scram(struct slice in, struct str *out, struct text *why)
{
	struct scram_keys keys;

	if (scram_keys_parse(in, &keys) == -1)
		return wrong(why, "must be SCRAM-SHA-256 keys (RFC 5803)",
		    "doit être des clés SCRAM-SHA-256 (RFC 5803)");
	explicit_bzero(&keys, sizeof(keys));
	str_put(out, in);
	return 0;
}

int
valid_apps(struct slice in, struct str *out, struct text *why)
{
	const char *const words[] = { "allowed", "required", "off", NULL };

	return one_of(in, words, out) ? 0 : wrong(why,
	    "must be allowed, required or off",
	    "doit être allowed (permis), required (obligatoires) ou off "
	    "(aucun)");
}

int
valid_app_hashes(struct slice in, struct str *out, struct text *why)
{
	struct slice rest = in;

	while (rest.p != NULL)
		if (!is_line(slice_cut(&rest, '\n')))
			goto bad;
	if (!app_passwords_are_valid(in))
		goto bad;
	str_put(out, in);
	return 0;
bad:
	return wrong(why, "must be application passwords as a dump has them",
	    "doit être des mots de passe d'application comme dans un dump");
}

int
valid_app_used(struct slice in, struct str *out, struct text *why)
{
	struct slice rest = in, line;
	uint64_t n;

	while (rest.p != NULL) {
		line = slice_cut(&rest, '\n');
		if (num_parse(slice_cut(&line, ' '), 0, INT64_MAX, &n) == -1 ||
		    line.p == NULL || line.len == 0 ||
		    line.len > APP_NAME_MAX || !is_line(line))
			return wrong(why, "must be lines of seconds and a name",
			    "doit être des lignes : secondes et un nom");
	}
	str_put(out, in);
	return 0;
}

/* Exactly len digits of s at *at. */
static int
digits(struct slice s, size_t at, size_t len, uint64_t lo, uint64_t hi)
{
	uint64_t n;

	if (num_parse(slice_make(s.p + at, len), lo, hi, &n) == -1)
		return -1;
	return (int)n;
}

static int
parse_time(struct slice s, struct tm *tm)
{
	*tm = (struct tm){ 0 };
	if (s.len != TIME_TEXT && s.len != 10)
		return -1;
	if (s.p[4] != '-' || s.p[7] != '-')
		return -1;
	tm->tm_year = digits(s, 0, 4, 1970, 9999) - 1900;
	tm->tm_mon = digits(s, 5, 2, 1, 12) - 1;
	tm->tm_mday = digits(s, 8, 2, 1, 31);
	if (tm->tm_year < 0 || tm->tm_mon < 0 || tm->tm_mday < 0)
		return -1;
	tm->tm_hour = 23;
	tm->tm_min = tm->tm_sec = 59;
	if (s.len == 10)
		return 0;
	if (s.p[10] != 'T' || s.p[13] != ':' || s.p[16] != ':' ||
	    s.p[19] != 'Z')
		return -1;
	tm->tm_hour = digits(s, 11, 2, 0, 23);
	tm->tm_min = digits(s, 14, 2, 0, 59);
	tm->tm_sec = digits(s, 17, 2, 0, 60);
	return tm->tm_hour < 0 || tm->tm_min < 0 || tm->tm_sec < 0 ? -1 : 0;
}

int64_t
time_of_text(struct slice s)
{
	struct tm tm;

	return parse_time(s, &tm) == -1 ? 0 : (int64_t)timegm(&tm);
}

int
valid_time(struct slice in, struct str *out, struct text *why)
{
	struct tm tm, again;
	time_t t;

	if (parse_time(in, &tm) == 0) {
		again = tm;
		t = timegm(&again);
		/* timegm turns a 31st of November into another day. */
		if (t != -1 && again.tm_mday == tm.tm_mday) {
			str_put(out, in);
			return 0;
		}
	}
	return wrong(why, "must be a date such as 2026-11-21",
	    "doit être une date comme 2026-11-21");
}

static bool
is_separator(char c)
{
	return c == ' ' || c == ',' || c == ';' || c == '\n' || c == '\r' ||
	    c == '\t';
}

struct slice
target_next(struct slice *rest)
{
	size_t i = 0, start;
	bool quoted = false;

	while (i < rest->len && is_separator(rest->p[i]))
		i++;
	if (i == rest->len)
		return (struct slice){ NULL, 0 };
	for (start = i; i < rest->len; i++) {
		if (rest->p[i] == '"')
			quoted = !quoted;
		else if (quoted && rest->p[i] == '\\' && i + 1 < rest->len)
			i++;
		else if (!quoted && is_separator(rest->p[i]))
			break;
	}
	struct slice one = slice_make(rest->p + start, i - start);

	*rest = slice_skip(*rest, i);
	return one;
}

/* True when text is already one of the lines of out. */
static bool
has_target(const struct str *out, struct slice text)
{
	struct slice rest = str_slice(out);

	while (rest.p != NULL)
		if (slice_eq(slice_cut(&rest, '\n'), text))
			return true;
	return false;
}

int
valid_domains(struct slice in, struct str *out, struct text *why)
{
	char name[ADDR_DOMAIN_MAX + 1];
	struct slice one;

	while ((one = target_next(&in)).p != NULL) {
		if (addr_domain(one, name) == -1)
			return wrong(why, "must be domain names",
			    "doit être une suite de noms de domaine");
		if (has_target(out, slice_of(name)))
			continue;
		if (out->len > 0)
			str_putc(out, '\n');
		str_puts(out, name);
	}
	return out->len > 0 ? 0 : wrong(why, "must have at least one domain",
	    "doit contenir au moins un domaine");
}

int
valid_kinds(struct slice in, struct str *out, struct text *why)
{
	static const char *const words[] = { "domain", "user", "alias",
		"robot", "list", "mailing", NULL };
	const char *const none[] = { "none", NULL };
	bool all = slice_eq_nocase(in, SLICE("all")), wanted;
	struct slice rest = in, one;
	size_t known = 0, given = 0;

	if (one_of(in, none, out))
		return 0;
	while (target_next(&rest).p != NULL)
		given++;
	/* In one order, each once. */
	for (size_t i = 0; words[i] != NULL; i++) {
		wanted = all;
		for (rest = in; (one = target_next(&rest)).p != NULL;) {
			if (!slice_eq_nocase(one, slice_of(words[i])))
				continue;
			wanted = true;
			known++;
		}
		if (wanted && out->len > 0)
			str_putc(out, '\n');
		if (wanted)
			str_puts(out, words[i]);
	}
	return all || (given > 0 && known == given) ? 0 : wrong(why,
	    "must be all, none, or some of: domain user alias robot list "
	    "mailing", "doit être all (tous), none (aucun), ou un choix de : "
	    "domain user alias robot list mailing");
}

int
valid_locals(struct slice in, struct str *out, struct text *why)
{
	char name[ADDR_LOCAL_MAX + 1];
	struct slice one;
	size_t n = 0;

	/* The others lead to it (RFC 2142). */
	str_puts(out, "postmaster");
	while ((one = target_next(&in)).p != NULL) {
		if (addr_account(one, name) == -1 || ++n > LOCALS_MAX)
			return wrong(why, "must be at most 20 names without a "
			    "domain", "doit être au plus 20 noms sans domaine");
		if (has_target(out, slice_of(name)))
			continue;
		str_putc(out, '\n');
		str_puts(out, name);
	}
	return n > 0 ? 0 : wrong(why, "must have at least one name",
	    "doit contenir au moins un nom");
}

int
valid_zone(struct slice in, struct str *out, struct text *why)
{
	bool good = in.len > 0 && in.len <= 64;

	for (size_t i = 0; good && i < in.len; i++)
		good = isalnum((unsigned char)in.p[i]) ||
		    (i > 0 && strchr("+-_/", in.p[i]) != NULL);
	if (!good || in.p[in.len - 1] == '/' ||
	    (!zones_are_unknown() && zone_rule(in) == NULL))
		return wrong(why, "must be a time zone such as Europe/Paris",
		    "doit être un fuseau horaire comme Europe/Paris");
	str_put(out, in);
	return 0;
}

int
valid_policy(struct slice in, struct str *out, struct text *why)
{
	/* Inventory 0-17. */
	const char *const words[] = { "none", "normal", "permissive",
		"trigger-happy", "wants-all-spam", "wants-viruses",
		"uncensored", "non-paying", NULL };

	if (one_of(in, words, out))
		return 0;
	return wrong(why, "must be none, normal, permissive, trigger-happy, "
	    "wants-all-spam, wants-viruses, uncensored or non-paying",
	    "doit être none (aucune), normal, permissive, trigger-happy, "
	    "wants-all-spam, wants-viruses, uncensored ou non-paying");
}

int
valid_login(struct slice in, struct str *out, struct text *why)
{
	char name[ADDR_LOCAL_MAX + 1];

	if (addr_account(in, name) == -1)
		return wrong(why, "must be a name: letters, digits, - and _",
		    "doit être un nom : lettres, chiffres, - et _");
	str_puts(out, name);
	return 0;
}

int
valid_owner(struct slice in, struct str *out, struct text *why)
{
	char text[ADDR_TEXT_MAX], local[ADDR_LOCAL_MAX + 1];
	struct addr a;

	if (memchr(in.p, '@', in.len) == NULL)
		return valid_login(in, out, why);
	if (addr_parse(in, &a) != ADDR_OK ||
	    addr_account(slice_of(a.local), local) == -1)
		return wrong(why, "must be the address of a mailbox, or the name "
		    "of a customer", "doit être l'adresse d'une boîte, ou le nom "
		    "d'un client");
	memcpy(a.local, local, sizeof(a.local));
	str_puts(out, addr_text(&a, text, sizeof(text)));
	return 0;
}

/* An address, or "@domain", as it is kept in out[ADDR_TEXT_MAX]. */
static int
canonical(struct slice in, bool domain_ok, char *out)
{
	struct addr a;

	if (domain_ok && in.len > 1 && in.p[0] == '@') {
		out[0] = '@';
		return addr_domain(slice_skip(in, 1), out + 1);
	}
	if (addr_parse(in, &a) != ADDR_OK || a.domain[0] == '\0')
		return -1;
	addr_text(&a, out, ADDR_TEXT_MAX);
	return 0;
}

/* Addresses one a line, each once. */
static int
take_addresses(struct slice in, bool domain_ok, struct str *out,
    struct text *why)
{
	char text[ADDR_TEXT_MAX];
	struct slice one;
	size_t n = 0;

	while ((one = target_next(&in)).p != NULL) {
		if (canonical(one, domain_ok, text) == -1)
			return wrong(why, "must be mail addresses",
			    "doit être une suite d'adresses");
		if (has_target(out, slice_of(text)))
			continue;
		if (++n > TARGETS_MAX)
			return wrong(why, "must be at most 1000 addresses",
			    "ne doit pas dépasser 1000 adresses");
		if (out->len > 0)
			str_putc(out, '\n');
		str_puts(out, text);
	}
	if (n == 0)
		return wrong(why, "must have at least one address",
		    "doit contenir au moins une adresse");
	return 0;
}

int
valid_targets(struct slice in, struct str *out, struct text *why)
{
	return take_addresses(in, false, out, why);
}

int
valid_senders(struct slice in, struct str *out, struct text *why)
{
	const char *const words[] = { "everybody", "domain", NULL };

	if (one_of(in, words, out) || take_addresses(in, true, out, why) == 0)
		return 0;
	return wrong(why, "must be everybody, domain, or addresses and @domains",
	    "doit être everybody (tous), domain (le domaine), ou une suite "
	    "d'adresses et de @domaines");
}

int
valid_catch_all(struct slice in, struct str *out, struct text *why)
{
	const char *const words[] = { "refuse", "discard", NULL };
	char domain[ADDR_DOMAIN_MAX + 1], text[ADDR_TEXT_MAX];
	struct addr a;

	if (one_of(in, words, out))
		return 0;
	if (in.len > 1 && in.p[0] == '@' &&
	    addr_domain(slice_skip(in, 1), domain) == 0) {
		str_printf(out, "@%s", domain);
		return 0;
	}
	if (addr_parse(in, &a) == ADDR_OK && a.domain[0] != '\0') {
		str_puts(out, addr_text(&a, text, sizeof(text)));
		return 0;
	}
	return wrong(why, "must be refuse, discard, a whole address, or @domain",
	    "doit être refuse (refuser), discard (supprimer), une adresse "
	    "complète, ou @domaine");
}

int
valid_body(struct slice in, struct str *out, struct text *why)
{
	if (in.len > BODY_MAX || u8_check((const uint8_t *)in.p, in.len) != NULL)
		return wrong(why, "must be at most 10,000 bytes of UTF-8 text",
		    "doit être du texte UTF-8 de 10 000 octets au plus");
	for (size_t i = 0; i < in.len; i++) {
		unsigned char c = (unsigned char)in.p[i];

		if (c == '\r')
			continue;	/* LF alone ends a line here */
		if ((c < ' ' && c != '\n' && c != '\t') || c == 0x7f)
			return wrong(why, "must have no control characters",
			    "ne doit pas avoir de caractères de contrôle");
		str_putc(out, (char)c);
	}
	return 0;
}

int
valid_moment(struct slice in, struct str *out, struct text *why)
{
	char date[DATE_MAX];

	if (!slice_eq_nocase(in, SLICE("now")))
		return valid_time(in, out, why);
	str_puts(out, date_iso(time(NULL), date));
	return 0;
}
