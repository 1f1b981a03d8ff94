/* valid_list.c - judges of values that are lists, pure functions. */
/* SPDX-License-Identifier: ISC */

#include "lib/account.h"
#include "registry/valid.h"

#define LOCALS_MAX 20

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

bool
list_has(struct slice list, struct slice line)
{
	while (list.p != NULL && list.len > 0)
		if (slice_eq(slice_cut(&list, '\n'), line))
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
			return why_not(why, "must be domain names",
			    "doit être une suite de noms de domaine");
		if (list_has(str_slice(out), slice_of(name)))
			continue;
		if (out->len > 0)
			str_putc(out, '\n');
		str_puts(out, name);
	}
	return out->len > 0 ? 0 : why_not(why, "must have at least one domain",
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

	if (valid_word(in, none, out))
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
	return all || (given > 0 && known == given) ? 0 : why_not(why,
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
			return why_not(why, "must be at most 20 names without a "
			    "domain", "doit être au plus 20 noms sans domaine");
		if (list_has(str_slice(out), slice_of(name)))
			continue;
		str_putc(out, '\n');
		str_puts(out, name);
	}
	return n > 0 ? 0 : why_not(why, "must have at least one name",
	    "doit contenir au moins un nom");
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
			return why_not(why, "must be mail addresses",
			    "doit être une suite d'adresses");
		if (list_has(str_slice(out), slice_of(text)))
			continue;
		if (++n > TARGETS_MAX)
			return why_not(why, "must be at most 1000 addresses",
			    "ne doit pas dépasser 1000 adresses");
		if (out->len > 0)
			str_putc(out, '\n');
		str_puts(out, text);
	}
	if (n == 0)
		return why_not(why, "must have at least one address",
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
	const char *const words[] = { "everybody", "domain", "nobody", NULL };

	if (valid_word(in, words, out) || take_addresses(in, true, out, why) == 0)
		return 0;
	return why_not(why, "must be everybody, domain, nobody, or addresses "
	    "and @domains", "doit être everybody (tous), domain (le domaine), "
	    "nobody (personne), ou une suite d'adresses et de @domaines");
}
