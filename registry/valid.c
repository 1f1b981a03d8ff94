/* valid.c - judges of attribute values, pure functions. */
/* SPDX-License-Identifier: ISC */

#include "registry/valid.h"

#include <inttypes.h>
#include <unistr.h>

#include "lib/account.h"
#include "lib/num.h"

#define LINE_MAX_BYTES 250
#define BODY_MAX 10000

/* Whether a control character begins at i: of ASCII, or U+0080 to U+009F, which
 * some terminals obey as they do ESC and a letter. */
static bool
is_control(struct slice s, size_t i)
{
	unsigned char c = (unsigned char)s.p[i];

	return c < ' ' || c == 0x7f || (c == 0xc2 && i + 1 < s.len &&
	    (unsigned char)s.p[i + 1] < 0xa0);
}

bool
is_line(struct slice s)
{
	if (u8_check((const uint8_t *)s.p, s.len) != NULL)
		return false;
	for (size_t i = 0; i < s.len; i++)
		if (is_control(s, i))
			return false;
	return true;
}

bool
valid_word(struct slice in, const char *const *words, struct str *out)
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

	if (valid_word(in, words, out))
		return 0;
	return why_not(why, "must be active, suspended or disabled",
	    "doit être active, suspended (suspendu) ou disabled (désactivé)");
}

int
valid_language(struct slice in, struct str *out, struct text *why)
{
	const char *const words[] = { "fr", "en", NULL };

	if (valid_word(in, words, out))
		return 0;
	return why_not(why, "must be fr or en", "doit être fr ou en");
}

int
valid_switch(struct slice in, struct str *out, struct text *why)
{
	const char *const words[] = { "yes", "no", NULL };

	if (valid_word(in, words, out))
		return 0;
	if (slice_eq_nocase(in, SLICE("oui")) ||
	    slice_eq_nocase(in, SLICE("non"))) {
		str_puts(out, in.p[0] == 'o' || in.p[0] == 'O' ? "yes" : "no");
		return 0;
	}
	return why_not(why, "must be yes or no", "doit être yes (oui) ou no (non)");
}

int
valid_size(struct slice in, struct str *out, struct text *why)
{
	uint64_t n;

	if (num_parse_size(in, 0, INT64_MAX, &n) == -1)
		return why_not(why,
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
		return why_not(why, "must be a size such as 500M or 2G, of 8192G "
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
		return why_not(why, "must be a number; 0 is no limit",
		    "doit être un nombre ; 0 : sans limite");
	str_printf(out, "%" PRIu64, n);
	return 0;
}

int
valid_percent(struct slice in, struct str *out, struct text *why)
{
	uint64_t n;

	if (num_parse(in, 0, 100, &n) == -1)
		return why_not(why, "must be a number from 0 to 100",
		    "doit être un nombre de 0 à 100");
	str_printf(out, "%" PRIu64, n);
	return 0;
}

int
valid_line(struct slice in, struct str *out, struct text *why)
{
	if (in.len > LINE_MAX_BYTES)
		return why_not(why, "must be at most 250 bytes",
		    "ne doit pas dépasser 250 octets");
	if (!is_line(in))
		return why_not(why, "must be one line of UTF-8 text",
		    "doit être une ligne de texte en UTF-8");
	str_put(out, in);
	return 0;
}

int
valid_domain(struct slice in, struct str *out, struct text *why)
{
	char name[ADDR_DOMAIN_MAX + 1];

	if (addr_domain(in, name) == -1)
		return why_not(why, "must be a domain name",
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
		return why_not(why, "must be a user number, not 0",
		    "doit être un numéro d'utilisateur, non nul");
	str_printf(out, "%" PRIu64, n);
	return 0;
}

int
valid_policy(struct slice in, struct str *out, struct text *why)
{
	/* Inventory 0-17. */
	const char *const words[] = { "none", "normal", "permissive",
		"trigger-happy", "wants-all-spam", "wants-viruses",
		"uncensored", "non-paying", NULL };

	if (valid_word(in, words, out))
		return 0;
	return why_not(why, "must be none, normal, permissive, trigger-happy, "
	    "wants-all-spam, wants-viruses, uncensored or non-paying",
	    "doit être none (aucune), normal, permissive, trigger-happy, "
	    "wants-all-spam, wants-viruses, uncensored ou non-paying");
}

int
valid_login(struct slice in, struct str *out, struct text *why)
{
	char name[ADDR_LOCAL_MAX + 1];

	if (addr_account(in, name) == -1)
		return why_not(why, "must be a name: letters, digits, - and _",
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
		return why_not(why, "must be the address of a mailbox, or the name "
		    "of a customer", "doit être l'adresse d'une boîte, ou le nom "
		    "d'un client");
	memcpy(a.local, local, sizeof(a.local));
	str_puts(out, addr_text(&a, text, sizeof(text)));
	return 0;
}

int
valid_catch_all(struct slice in, struct str *out, struct text *why)
{
	const char *const words[] = { "refuse", "discard", NULL };
	char domain[ADDR_DOMAIN_MAX + 1], text[ADDR_TEXT_MAX];
	struct addr a;

	if (valid_word(in, words, out))
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
	return why_not(why, "must be refuse, discard, a whole address, or @domain",
	    "doit être refuse (refuser), discard (supprimer), une adresse "
	    "complète, ou @domaine");
}

int
valid_body(struct slice in, struct str *out, struct text *why)
{
	if (in.len > BODY_MAX || u8_check((const uint8_t *)in.p, in.len) != NULL)
		return why_not(why, "must be at most 10,000 bytes of UTF-8 text",
		    "doit être du texte UTF-8 de 10 000 octets au plus");
	for (size_t i = 0; i < in.len; i++) {
		char c = in.p[i];

		if (c == '\r')
			continue;	/* LF alone ends a line here */
		if (c != '\n' && c != '\t' && is_control(in, i))
			return why_not(why, "must have no control characters",
			    "ne doit pas avoir de caractères de contrôle");
		str_putc(out, c);
	}
	return 0;
}
