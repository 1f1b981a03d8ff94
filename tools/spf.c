/* spf.c - may this address send for that domain (RFC 7208)? */
/* SPDX-License-Identifier: ISC */

/*
 * For the administrator who looks at a zone: without a letter there is nothing
 * to put in place of macros, so what hangs on one is told as not sure.
 * Trusts: nothing; every text is a stranger's.
 * Limits: those of RFC 7208 4.6.4, which also end any circle of includes.
 */

#include "tools/spf.h"

#include <strings.h>

#include "lib/clock.h"
#include "lib/num.h"

#define LOOKUPS_MAX 10
#define VOIDS_MAX 2
#define MX_MAX 10
#define V4_BITS 32
#define V6_BITS 128
#define V4_SHIFT (V6_BITS - V4_BITS)	/* bits count in the 128-bit form */

struct spf {
	struct dns *dns;
	const struct ip *ip;
	int64_t until;
	unsigned lookups, voids;
};

enum match { MATCH_NO, MATCH_YES, MATCH_STOP };

/* What may stand behind the name of a mechanism (RFC 7208 5). */
#define DOMAIN_MAY 1u
#define DOMAIN_MUST 2u
#define BITS 4u			/* "/24//64" */
#define NET 8u

enum kind { ALL, IP4, IP6, A, MX, PTR, INCLUDE, EXISTS, KINDS };

static const struct {
	const char *name;
	unsigned takes;
} kinds[KINDS] = {
	[ALL] = { "all", 0 },
	[IP4] = { "ip4", NET },
	[IP6] = { "ip6", NET },
	[A] = { "a", DOMAIN_MAY | BITS },
	[MX] = { "mx", DOMAIN_MAY | BITS },
	[PTR] = { "ptr", DOMAIN_MAY },
	[INCLUDE] = { "include", DOMAIN_MUST },
	[EXISTS] = { "exists", DOMAIN_MUST },
};

/* "-a:mail.exemple.fr/24//64" */
struct mechanism {
	char qualifier;
	enum kind kind;
	struct slice argument;		/* a domain; .p NULL: none */
	unsigned bits4, bits6;
	struct ip net;			/* ip4, ip6 */
	unsigned net_bits;
};

/* What the TXT records of a domain come to. */
struct found {
	char *record;
	unsigned n;
};

static void
take_record(void *arg, const char *text)
{
	struct found *f = arg;
	const size_t len = sizeof("v=spf1") - 1;

	if (strncasecmp(text, "v=spf1", len) == 0 &&
	    (text[len] == ' ' || text[len] == '\0') && f->n++ == 0)
		memcpy(f->record, text, strlen(text) + 1);
}

/* Counts what a look-up costs. False: that was one too many. */
static bool
may_ask(struct spf *s, enum spf_result *result)
{
	if (clock_ms() >= s->until)
		*result = SPF_TEMPORARY;
	else if (++s->lookups > LOOKUPS_MAX)
		*result = SPF_LOOKUPS;
	else
		return true;
	return false;
}

/* True when evaluation goes on behind a look-up with this status. */
static bool
is_usable(struct spf *s, enum dns_status status, enum spf_result *result)
{
	if (status == DNS_TEMPORARY)
		*result = SPF_TEMPORARY;
	else if (status != DNS_OK && ++s->voids > VOIDS_MAX)
		*result = SPF_LOOKUPS;
	else
		return true;
	return false;
}

/* "/24//64" at the end of a mechanism; a macro may have a '/' too. 0, or -1. */
static int
take_bits(struct slice *text, struct mechanism *m)
{
	const char *macro = memrchr(text->p, '}', text->len);
	const char *from = macro != NULL ? macro : text->p;
	const char *slash = memchr(from, '/',
	    text->len - (size_t)(from - text->p));
	struct slice four, six;
	uint64_t n;

	m->bits4 = V4_BITS;
	m->bits6 = V6_BITS;
	if (slash == NULL)
		return 0;
	four = slice_skip(*text, (size_t)(slash - text->p) + 1);
	text->len = (size_t)(slash - text->p);
	six = four;
	four = slice_cut(&six, '/');
	if (four.len > 0) {
		if (num_parse(four, 0, V4_BITS, &n) == -1)
			return -1;
		m->bits4 = (unsigned)n;
	}
	if (six.p == NULL)
		return four.len > 0 ? 0 : -1;
	if (four.len > 0 && slice_cut(&six, '/').len > 0)
		return -1;
	if (num_parse(six, 0, V6_BITS, &n) == -1)
		return -1;
	m->bits6 = (unsigned)n;
	return 0;
}

static bool
has_address(const struct spf *s, const struct dns_addresses *a,
    const struct mechanism *m)
{
	unsigned bits = ip_is_v4(s->ip) ? m->bits4 + V4_SHIFT : m->bits6;

	for (size_t i = 0; i < a->n; i++)
		if (ip_is_v4(&a->v[i]) == ip_is_v4(s->ip) &&
		    ip_match(s->ip, &a->v[i], bits))
			return true;
	return false;
}

static enum match
match_a(struct spf *s, const char *domain, const struct mechanism *m,
    enum spf_result *result)
{
	struct dns_addresses a = { .n = 0 };

	if (!may_ask(s, result) ||
	    !is_usable(s, dns_addresses(s->dns, domain, &a), result))
		return MATCH_STOP;
	return has_address(s, &a, m) ? MATCH_YES : MATCH_NO;
}

static enum match
match_mx(struct spf *s, const char *domain, const struct mechanism *m,
    enum spf_result *result)
{
	struct dns_addresses a;
	struct dns_mx mx = { .n = 0 };

	if (!may_ask(s, result) ||
	    !is_usable(s, dns_mx(s->dns, domain, &mx), result))
		return MATCH_STOP;
	if (mx.n > MX_MAX) {
		*result = SPF_LOOKUPS;
		return MATCH_STOP;
	}
	for (size_t i = 0; i < mx.n; i++) {
		if (mx.v[i].host[0] == '\0')
			continue;
		if (clock_ms() >= s->until ||
		    dns_addresses(s->dns, mx.v[i].host, &a) == DNS_TEMPORARY) {
			*result = SPF_TEMPORARY;
			return MATCH_STOP;
		}
		if (has_address(s, &a, m))
			return MATCH_YES;
	}
	return MATCH_NO;
}

static enum spf_result evaluate(struct spf *s, const char *domain,
    char record[DNS_TEXT_MAX]);

/* RFC 7208 5.2: what another domain says counts only as a yes. */
static enum match
match_include(struct spf *s, const char *domain, enum spf_result *result)
{
	char record[DNS_TEXT_MAX];

	if (!may_ask(s, result))
		return MATCH_STOP;
	switch (*result = evaluate(s, domain, record)) {
	case SPF_PASS:
	case SPF_ANYBODY:
		return MATCH_YES;
	case SPF_FAIL:
	case SPF_SOFTFAIL:
	case SPF_NEUTRAL:
		return MATCH_NO;
	case SPF_NONE:
	case SPF_SEVERAL:
		*result = SPF_SYNTAX;
		return MATCH_STOP;
	case SPF_SYNTAX:
	case SPF_LOOKUPS:
	case SPF_UNSURE:
	case SPF_TEMPORARY:
		return MATCH_STOP;
	}
	return MATCH_STOP;
}

static bool
has_macro(struct slice domain)
{
	return memchr(domain.p, '%', domain.len) != NULL;
}

/* A name; what a macro makes of it only a letter tells. */
static bool
is_domain_spec(struct slice text)
{
	char name[ADDR_DOMAIN_MAX + 1];

	return has_macro(text) || addr_foreign_domain(text, name) == 0;
}

static bool
parse_net(struct slice text, struct mechanism *m)
{
	return text.len > 0 && text.p[0] == ':' &&
	    ip_parse_net(slice_skip(text, 1), &m->net, &m->net_bits) == 0 &&
	    ip_is_v4(&m->net) == (m->kind == IP4);
}

static bool
parse_argument(struct slice text, unsigned takes, struct mechanism *m)
{
	if ((takes & NET) != 0)
		return parse_net(text, m);
	if ((takes & BITS) != 0 && take_bits(&text, m) == -1)
		return false;
	if (text.len == 0)
		return (takes & DOMAIN_MUST) == 0;
	m->argument = slice_skip(text, 1);
	return text.p[0] == ':' && (takes & (DOMAIN_MAY | DOMAIN_MUST)) != 0 &&
	    is_domain_spec(m->argument);
}

static bool
parse_mechanism(struct slice text, struct mechanism *m)
{
	struct slice name;

	*m = (struct mechanism){ .qualifier = '+', .argument = { NULL, 0 } };
	if (text.len > 0 && memchr("+-~?", text.p[0], 4) != NULL) {
		m->qualifier = text.p[0];
		text = slice_skip(text, 1);
	}
	name = slice_make(text.p, 0);
	while (name.len < text.len && text.p[name.len] != ':' &&
	    text.p[name.len] != '/')
		name.len++;
	text = slice_skip(text, name.len);
	for (m->kind = ALL; m->kind < KINDS; m->kind++)
		if (slice_eq_nocase(name, slice_of(kinds[m->kind].name)))
			return parse_argument(text, kinds[m->kind].takes, m);
	return false;
}

static enum match
match(struct spf *s, const char *domain, const struct mechanism *m,
    enum spf_result *result)
{
	char host[ADDR_DOMAIN_MAX + 1];

	if (m->kind == ALL) {
		*result = SPF_ANYBODY;
		return MATCH_YES;
	}
	if (m->kind == IP4 || m->kind == IP6)
		return ip_is_v4(s->ip) == (m->kind == IP4) &&
		    ip_match(s->ip, &m->net, m->net_bits) ? MATCH_YES :
		    MATCH_NO;
	/* "exists" without a macro says the same of everybody: nobody writes
	 * that. */
	*result = SPF_UNSURE;
	if (m->kind == PTR || m->kind == EXISTS || (m->argument.p != NULL &&
	    has_macro(m->argument)))
		return MATCH_STOP;
	if (m->argument.p == NULL)
		memcpy(host, domain, strlen(domain) + 1);
	else if (addr_foreign_domain(m->argument, host) == -1)
		return MATCH_STOP;
	if (m->kind == INCLUDE)
		return match_include(s, host, result);
	return m->kind == A ? match_a(s, host, m, result) :
	    match_mx(s, host, m, result);
}

/* "redirect=", "exp=" and names to come: NAME "=" (RFC 7208 6, 12). */
static bool
is_modifier(struct slice term, struct slice *name, struct slice *value)
{
	*value = term;
	*name = slice_cut(value, '=');
	return value->p != NULL && name->len > 0 &&
	    (name->p[0] | 0x20) >= 'a' && (name->p[0] | 0x20) <= 'z' &&
	    memchr(name->p, ':', name->len) == NULL &&
	    memchr(name->p, '/', name->len) == NULL;
}

/* True when no term has a mistake: one anywhere spoils all (RFC 7208 4.6).
 * Finds what nothing but "redirect=" may say (6.1); .p NULL: it does not. */
static bool
is_sound(struct slice terms, struct slice *to)
{
	struct slice term, name, value, explanation = { NULL, 0 }, *known;
	struct mechanism m;

	*to = explanation;
	while (terms.p != NULL) {
		if ((term = slice_cut(&terms, ' ')).len == 0)
			continue;
		if (!is_modifier(term, &name, &value)) {
			if (!parse_mechanism(term, &m))
				return false;
			continue;
		}
		known = slice_eq_nocase(name, SLICE("redirect")) ? to :
		    slice_eq_nocase(name, SLICE("exp")) ? &explanation : NULL;
		if (known == NULL)
			continue;
		if (known->p != NULL || !is_domain_spec(value))
			return false;
		*known = value;
	}
	return true;
}

static enum spf_result
qualified(char qualifier, enum spf_result yes)
{
	switch (qualifier) {
	case '-':
		return SPF_FAIL;
	case '~':
		return SPF_SOFTFAIL;
	case '?':
		return SPF_NEUTRAL;
	default:
		return yes == SPF_ANYBODY ? SPF_ANYBODY : SPF_PASS;
	}
}

/* When nothing matched. */
static enum spf_result
redirect(struct spf *s, struct slice to)
{
	char host[ADDR_DOMAIN_MAX + 1], record[DNS_TEXT_MAX];
	enum spf_result result;

	if (to.p == NULL)
		return SPF_NEUTRAL;
	if (has_macro(to) || addr_foreign_domain(to, host) == -1)
		return SPF_UNSURE;
	if (!may_ask(s, &result))
		return result;
	result = evaluate(s, host, record);
	return result == SPF_NONE || result == SPF_SEVERAL ? SPF_SYNTAX :
	    result;
}

static enum spf_result
evaluate(struct spf *s, const char *domain, char record[DNS_TEXT_MAX])
{
	struct slice rest, term, name, value, to;
	struct found f = { record, 0 };
	enum spf_result result;
	struct mechanism m;

	record[0] = '\0';
	if (dns_texts(s->dns, domain, take_record, &f) == DNS_TEMPORARY)
		return SPF_TEMPORARY;
	if (f.n != 1)
		return f.n == 0 ? SPF_NONE : SPF_SEVERAL;
	rest = slice_of(record);
	slice_cut(&rest, ' ');
	if (!is_sound(rest, &to))
		return SPF_SYNTAX;
	while (rest.p != NULL) {
		term = slice_cut(&rest, ' ');
		if (term.len == 0 || is_modifier(term, &name, &value) ||
		    !parse_mechanism(term, &m))
			continue;
		result = SPF_PASS;
		switch (match(s, domain, &m, &result)) {
		case MATCH_YES:
			return qualified(m.qualifier, result);
		case MATCH_STOP:
			return result;
		case MATCH_NO:
			break;
		}
	}
	return redirect(s, to);
}

enum spf_result
spf_check(struct dns *d, const char *domain, const struct ip *ip,
    int64_t until, char record[DNS_TEXT_MAX])
{
	struct spf s = { .dns = d, .ip = ip, .until = until };

	return evaluate(&s, domain, record);
}
