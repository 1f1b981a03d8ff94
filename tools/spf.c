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

/* "a:mail.exemple.fr/24//64", without its qualifier. */
struct mechanism {
	struct slice name, argument;	/* argument.p NULL: none */
	unsigned bits4, bits6;
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

/* "/24//64" at the end of a mechanism. 0, or -1. */
static int
take_bits(struct slice *text, struct mechanism *m)
{
	const char *slash = memchr(text->p, '/', text->len);
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

static enum match
match_net(const struct spf *s, struct slice net, bool v4,
    enum spf_result *result)
{
	unsigned bits;
	struct ip ip;

	if (net.p == NULL || ip_parse_net(net, &ip, &bits) == -1 ||
	    ip_is_v4(&ip) != v4) {
		*result = SPF_SYNTAX;
		return MATCH_STOP;
	}
	return ip_is_v4(s->ip) == v4 && ip_match(s->ip, &ip, bits) ?
	    MATCH_YES : MATCH_NO;
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

/* The domain that a mechanism asks about: its own, or the record's. */
static bool
target(struct slice argument, const char *domain, char *out,
    enum spf_result *result)
{
	if (argument.p == NULL) {
		memcpy(out, domain, strlen(domain) + 1);
		return true;
	}
	*result = memchr(argument.p, '%', argument.len) != NULL ? SPF_UNSURE :
	    SPF_SYNTAX;
	return *result == SPF_SYNTAX &&
	    addr_foreign_domain(argument, out) == 0;
}

static enum match
match(struct spf *s, const char *domain, struct slice term,
    enum spf_result *result)
{
	static const char ends[] = ":/";
	struct mechanism m = { .argument = { NULL, 0 } };
	char host[ADDR_DOMAIN_MAX + 1];
	size_t len = 0;

	while (len < term.len && memchr(ends, term.p[len], 2) == NULL)
		len++;
	m.name = slice_make(term.p, len);
	term = slice_skip(term, len);
	if (slice_eq_nocase(m.name, SLICE("all")) && term.len == 0) {
		*result = SPF_ANYBODY;
		return MATCH_YES;
	}
	if (slice_eq_nocase(m.name, SLICE("ip4")) ||
	    slice_eq_nocase(m.name, SLICE("ip6")))
		return match_net(s, term.len > 0 ? slice_skip(term, 1) :
		    SLICE_EMPTY, m.name.p[2] == '4', result);
	*result = SPF_SYNTAX;
	if (take_bits(&term, &m) == -1)
		return MATCH_STOP;
	if (term.len > 0)
		m.argument = slice_skip(term, 1);
	if (slice_eq_nocase(m.name, SLICE("ptr"))) {
		*result = SPF_UNSURE;
		return MATCH_STOP;
	}
	if (!target(m.argument, domain, host, result))
		return MATCH_STOP;
	if (slice_eq_nocase(m.name, SLICE("a")))
		return match_a(s, host, &m, result);
	if (slice_eq_nocase(m.name, SLICE("mx")))
		return match_mx(s, host, &m, result);
	if (m.argument.p != NULL && slice_eq_nocase(m.name, SLICE("include")))
		return match_include(s, host, result);
	/* "exists" without a macro says the same of everybody: nobody writes
	 * that; any other name is a mistake. */
	*result = slice_eq_nocase(m.name, SLICE("exists")) ? SPF_UNSURE :
	    SPF_SYNTAX;
	return MATCH_STOP;
}

/* "redirect=", "exp=" and names to come: NAME "=" (RFC 7208 6). */
static bool
is_modifier(struct slice term, struct slice *value)
{
	struct slice rest = term, name = slice_cut(&rest, '=');

	if (rest.p == NULL || memchr(name.p, ':', name.len) != NULL ||
	    memchr(name.p, '/', name.len) != NULL)
		return false;
	*value = slice_eq_nocase(name, SLICE("redirect")) ? rest :
	    (struct slice){ NULL, 0 };
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
	enum spf_result result = SPF_NEUTRAL;

	if (to.p == NULL)
		return SPF_NEUTRAL;
	if (!target(to, "", host, &result) || !may_ask(s, &result))
		return result;
	result = evaluate(s, host, record);
	return result == SPF_NONE || result == SPF_SEVERAL ? SPF_SYNTAX :
	    result;
}

static enum spf_result
evaluate(struct spf *s, const char *domain, char record[DNS_TEXT_MAX])
{
	struct slice rest, term, value, to = { NULL, 0 };
	struct found f = { record, 0 };
	enum spf_result result = SPF_PASS;

	record[0] = '\0';
	if (dns_texts(s->dns, domain, take_record, &f) == DNS_TEMPORARY)
		return SPF_TEMPORARY;
	if (f.n != 1)
		return f.n == 0 ? SPF_NONE : SPF_SEVERAL;
	rest = slice_of(record);
	slice_cut(&rest, ' ');
	while (rest.p != NULL) {
		char qualifier = '+';

		term = slice_cut(&rest, ' ');
		if (term.len == 0)
			continue;
		if (is_modifier(term, &value)) {
			to = value.p != NULL ? value : to;
			continue;
		}
		if (memchr("+-~?", term.p[0], 4) != NULL) {
			qualifier = term.p[0];
			term = slice_skip(term, 1);
		}
		result = SPF_PASS;
		switch (match(s, domain, term, &result)) {
		case MATCH_YES:
			return qualified(qualifier, result);
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
