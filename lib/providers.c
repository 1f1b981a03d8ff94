/* providers.c - how big mail services want to be treated: malle-providers(5). */
/* SPDX-License-Identifier: ISC */

#include "lib/providers.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/fields.h"
#include "lib/fsx.h"
#include "lib/num.h"

#define PROVIDERS_MAX 1000
#define RULES_MAX 1000		/* of one provider */

static const char *const meanings[MEANINGS] = {
	[MEANING_NONE] = "as-it-says",
	[MEANING_RETRY] = "retry",
	[MEANING_SLOW_DOWN] = "slow-down",
	[MEANING_BLOCKED] = "blocked",
	[MEANING_GREYLISTED] = "greylisted",
	[MEANING_NO_SUCH_USER] = "no-such-user",
	[MEANING_MAILBOX_FULL] = "mailbox-full",
	[MEANING_SPAM] = "spam",
	[MEANING_AUTH] = "auth"
};

/* Numbers of a provider. */
static const struct limit {
	const char *word;
	size_t offset;
	uint64_t lo, hi;
	bool is_time;
	uint32_t preset;
} limits[] = {
	{ "connections", offsetof(struct provider, connections), 1, 500,
	    false, 20 },
	{ "messages", offsetof(struct provider, messages), 1, 100000, false,
	    100 },
	{ "recipients", offsetof(struct provider, recipients), 1, 100, false,
	    50 },
	{ "per-minute", offsetof(struct provider, per_minute), 0, 1000000,
	    false, 0 },
	{ "slow-pause", offsetof(struct provider, slow_pause), 1, 86400, true,
	    120 },
	{ "blocked-pause", offsetof(struct provider, blocked_pause), 1,
	    86400, true, 3600 },
};
#define NLIMITS (sizeof(limits) / sizeof(limits[0]))

struct reader {
	struct providers *out;
	struct str *errors;
	size_t line;
	int r;
};

const char *
meaning_name(enum meaning m)
{
	return meanings[m];
}

void
providers_free(struct providers *p)
{
	for (size_t i = 0; i < p->n; i++)
		free(p->v[i].rules);
	free(p->v);
	memset(p, 0, sizeof(*p));
}

__attribute__((format(printf, 2, 3))) static void
wrong(struct reader *k, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	str_printf(k->errors, "%zu: %s\n", k->line, text);
	k->r = -1;
}

static uint32_t *
limit_of(struct provider *v, const struct limit *l)
{
	return (uint32_t *)(void *)((char *)v + l->offset);
}

/* A new provider at the end of the table; NULL: told. */
static struct provider *
add_provider(struct reader *k, struct slice name)
{
	struct providers *p = k->out;
	struct provider *v;

	v = p->n < PROVIDERS_MAX ?
	    reallocarray(p->v, p->n + 1, sizeof(*v)) : NULL;
	if (v == NULL) {
		wrong(k, "there are too many providers");
		return NULL;
	}
	p->v = v;
	v = &p->v[p->n];
	memset(v, 0, sizeof(*v));
	for (size_t i = 0; i < NLIMITS; i++)
		*limit_of(v, &limits[i]) = limits[i].preset;
	if (slice_to_cstr(name, v->name, sizeof(v->name)) == -1) {
		wrong(k, "the name is longer than %d bytes",
		    PROVIDER_NAME_MAX);
		return NULL;
	}
	p->n++;
	return v;
}

static void
read_provider(struct reader *k, struct slice line)
{
	struct slice name;

	if (fields_word(&line, &name) != 1 || name.len == 0) {
		wrong(k, "provider wants a name");
		return;
	}
	for (size_t i = 0; i < k->out->n; i++)
		if (slice_eq(name, slice_of(k->out->v[i].name))) {
			wrong(k, "provider %.*s is there twice",
			    SLICE_FMT(name));
			return;
		}
	(void)add_provider(k, name);
}

/* Hosts, or domains below which all hosts are meant (with a dot first). */
static void
read_mx(struct reader *k, struct provider *v, struct slice line)
{
	char domain[ADDR_DOMAIN_MAX + 1];
	struct slice word;

	while (fields_word(&line, &word) == 1) {
		bool below = word.len > 1 && word.p[0] == '.';

		if (v->n_mx == PROVIDER_PATTERNS_MAX) {
			wrong(k, "more than %d hosts", PROVIDER_PATTERNS_MAX);
			return;
		}
		if (addr_domain(below ? slice_skip(word, 1) : word,
		    domain) == -1 || strlen(domain) > 62) {
			wrong(k, "%.*s is not a host's name",
			    SLICE_FMT(word));
			continue;
		}
		snprintf(v->mx[v->n_mx++], sizeof(v->mx[0]), "%s%.62s",
		    below ? "." : "", domain);
	}
}

static bool
is_number(struct slice s, size_t max)
{
	for (size_t i = 0; i < s.len; i++)
		if (s.p[i] < '0' || s.p[i] > '9')
			return false;
	return s.len > 0 && s.len <= max;
}

static bool
is_enhanced(struct slice s)
{
	size_t dots = 0;

	for (size_t i = 0; i < s.len; i++) {
		if (s.p[i] == '.')
			dots++;
		else if (s.p[i] < '0' || s.p[i] > '9')
			return false;
	}
	return dots == 2;
}

static bool
meaning_named(struct slice word, enum meaning *out)
{
	for (size_t i = 0; i < MEANINGS; i++)
		if (slice_eq(word, slice_of(meanings[i]))) {
			*out = (enum meaning)i;
			return true;
		}
	return false;
}

/* reply [CODE] [ENHANCED] ["TEXT"] MEANING */
static void
read_reply(struct reader *k, struct provider *v, struct slice line)
{
	struct reply_rule rule, *rules;
	struct slice word = SLICE_EMPTY, next;
	int r;

	memset(&rule, 0, sizeof(rule));
	if (fields_word(&line, &word) != 1) {
		wrong(k, "reply wants [CODE] [ENHANCED] [\"TEXT\"] MEANING");
		return;
	}
	while ((r = fields_word(&line, &next)) == 1) {
		if (is_number(word, 3))
			r = slice_to_cstr(word, rule.code, sizeof(rule.code));
		else if (is_enhanced(word))
			r = slice_to_cstr(word, rule.enhanced,
			    sizeof(rule.enhanced));
		else
			r = slice_to_cstr(word, rule.text, sizeof(rule.text));
		if (r == -1)
			break;
		word = next;
	}
	if (r == -1 || !meaning_named(word, &rule.meaning)) {
		wrong(k, "reply ends with one of: retry slow-down blocked "
		    "greylisted no-such-user mailbox-full spam auth "
		    "as-it-says");
		return;
	}
	rules = v->n_rules < RULES_MAX ? reallocarray(v->rules,
	    v->n_rules + 1, sizeof(rule)) : NULL;
	if (rules == NULL) {
		wrong(k, "there are too many replies");
		return;
	}
	v->rules = rules;
	v->rules[v->n_rules++] = rule;
}

static void
read_line(struct reader *k, struct slice line)
{
	struct provider *v = k->out->n > 0 ? &k->out->v[k->out->n - 1] : NULL;
	struct slice word, value;
	uint64_t n;
	int r;

	if (fields_word(&line, &word) != 1) {
		wrong(k, "a quote is not closed");
		return;
	}
	if (slice_eq(word, SLICE("provider"))) {
		read_provider(k, line);
		return;
	}
	if (v == NULL) {
		wrong(k, "the first row must be a provider");
		return;
	}
	if (slice_eq(word, SLICE("mx"))) {
		read_mx(k, v, line);
		return;
	}
	if (slice_eq(word, SLICE("reply"))) {
		read_reply(k, v, line);
		return;
	}
	for (size_t i = 0; i < NLIMITS; i++) {
		const struct limit *l = &limits[i];

		if (!slice_eq(word, slice_of(l->word)))
			continue;
		if (fields_word(&line, &value) != 1)
			value = SLICE_EMPTY;
		r = l->is_time ? num_parse_duration(value, l->lo, l->hi, &n) :
		    num_parse(value, l->lo, l->hi, &n);
		if (r == -1)
			wrong(k, "%s is %s from %ju to %ju", l->word,
			    l->is_time ? "a time (s, m, h)" : "a number",
			    (uintmax_t)l->lo, (uintmax_t)l->hi);
		else
			*limit_of(v, l) = (uint32_t)n;
		return;
	}
	wrong(k, "there is no row \"%.*s\"", SLICE_FMT(word));
}

/* The one for everybody stands first, wherever it was written. */
static void
put_first(struct reader *k)
{
	struct providers *p = k->out;

	for (size_t i = 0; i < p->n; i++) {
		struct provider v = p->v[i];

		if (strcmp(v.name, "*") != 0)
			continue;
		memmove(p->v + 1, p->v, i * sizeof(v));
		p->v[0] = v;
		return;
	}
	if (add_provider(k, SLICE("*")) != NULL)
		put_first(k);
}

int
providers_parse(struct slice text, struct providers *out, struct str *errors)
{
	struct providers new = { .n = 0 };
	struct reader k = { .out = &new, .errors = errors };
	struct slice line;

	while (fields_line(&text, &line, &k.line))
		read_line(&k, line);
	put_first(&k);
	if (k.r == -1) {
		providers_free(&new);
		return -1;
	}
	*out = new;
	return 0;
}

int
providers_load(int dirfd, const char *name, struct providers *out,
    struct str *errors)
{
	size_t len;
	char *bytes;
	int r;

	if (dirfd == -1 ||
	    fsx_read_file(dirfd, name, PROVIDERS_FILE_MAX, &bytes, &len) ==
	    -1) {
		if (dirfd == -1 || errno == ENOENT)
			return providers_parse(providers_text(), out, errors);
		str_printf(errors, "cannot be read: %s\n", strerror(errno));
		return -1;
	}
	r = providers_parse(slice_make(bytes, len), out, errors);
	free(bytes);
	return r;
}

static bool
host_matches(const char *pattern, const char *host)
{
	size_t n = strlen(pattern), len = strlen(host);

	if (pattern[0] != '.')
		return strcasecmp(pattern, host) == 0;
	if (len + 1 == n)
		return strcasecmp(pattern + 1, host) == 0;
	return len >= n && strcasecmp(host + len - n, pattern) == 0;
}

const struct provider *
providers_of_host(const struct providers *p, const char *host)
{
	for (size_t i = 1; i < p->n; i++)
		for (size_t k = 0; k < p->v[i].n_mx; k++)
			if (host_matches(p->v[i].mx[k], host))
				return &p->v[i];
	return &p->v[0];
}

const struct provider *
providers_named(const struct providers *p, const char *name)
{
	for (size_t i = 1; i < p->n; i++)
		if (strcmp(p->v[i].name, name) == 0)
			return &p->v[i];
	return &p->v[0];
}

static bool
rule_matches(const struct reply_rule *r, const char *code,
    const char *enhanced, const char *text)
{
	return strncmp(code, r->code, strlen(r->code)) == 0 &&
	    (r->enhanced[0] == '\0' || strcmp(enhanced, r->enhanced) == 0) &&
	    (r->text[0] == '\0' || strcasestr(text, r->text) != NULL);
}

static enum meaning
judge(const struct provider *v, const char *code, const char *enhanced,
    const char *text)
{
	for (size_t i = 0; i < v->n_rules; i++)
		if (rule_matches(&v->rules[i], code, enhanced, text))
			return v->rules[i].meaning;
	return MEANINGS;
}

enum meaning
providers_judge(const struct providers *p, const struct provider *v,
    uint16_t code, const char *enhanced, const char *text)
{
	enum meaning m = MEANINGS;
	char digits[8];

	snprintf(digits, sizeof(digits), "%u", code);
	if (v != &p->v[0])
		m = judge(v, digits, enhanced, text);
	if (m == MEANINGS)
		m = judge(&p->v[0], digits, enhanced, text);
	return m == MEANINGS ? MEANING_NONE : m;
}
