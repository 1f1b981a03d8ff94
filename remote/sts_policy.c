/* sts_policy.c - MTA-STS policies, taken apart: hostile input, no I/O. */
/* SPDX-License-Identifier: ISC */

#include "remote/sts_policy.h"

#include "lib/num.h"

struct parse {
	struct sts_policy policy;
	size_t mx_len;
	bool has_version, has_mode, has_age, is_bad;
};

static void
take_mode(struct parse *p, struct slice value)
{
	static const struct {
		const char *word;
		enum sts_mode mode;
	} modes[] = {
		{ "none", STS_NONE }, { "testing", STS_TESTING },
		{ "enforce", STS_ENFORCE }
	};

	if (p->has_mode)
		return;
	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		if (!slice_eq(value, slice_of(modes[i].word)))
			continue;
		p->policy.mode = modes[i].mode;
		p->has_mode = true;
	}
	p->is_bad |= !p->has_mode;
}

static void
take_age(struct parse *p, struct slice value)
{
	uint64_t n;

	if (p->has_age)
		return;
	if (num_parse(value, 0, UINT32_MAX, &n) == -1) {
		p->is_bad = true;
		return;
	}
	p->policy.max_age = n < STS_AGE_MAX ? (uint32_t)n : STS_AGE_MAX;
	p->has_age = true;
}

/* "mail.example" or "*.example". */
static void
take_mx(struct parse *p, struct slice value)
{
	char name[ADDR_DOMAIN_MAX + 1];
	bool wild = slice_starts_nocase(value, SLICE("*."));
	size_t len;

	if (addr_domain(slice_skip(value, wild ? 2 : 0), name) == -1) {
		p->is_bad = true;
		return;
	}
	len = strlen(name);
	if (p->mx_len + len + 3 > STS_MX_MAX) {
		p->is_bad = true;
		return;
	}
	if (p->mx_len > 0)
		p->policy.mx[p->mx_len++] = '\n';
	if (wild) {
		p->policy.mx[p->mx_len++] = '*';
		p->policy.mx[p->mx_len++] = '.';
	}
	memcpy(p->policy.mx + p->mx_len, name, len + 1);
	p->mx_len += len;
}

static void
take_line(struct parse *p, struct slice line)
{
	struct slice value = line, key = slice_trim(slice_cut(&value, ':'));

	if (value.p == NULL)
		return;
	value = slice_trim(value);
	if (slice_eq(key, SLICE("version"))) {
		if (!p->has_version && !slice_eq(value, SLICE("STSv1")))
			p->is_bad = true;
		p->has_version = true;
	} else if (slice_eq(key, SLICE("mode")))
		take_mode(p, value);
	else if (slice_eq(key, SLICE("max_age")))
		take_age(p, value);
	else if (slice_eq(key, SLICE("mx")))
		take_mx(p, value);
}

int
sts_policy_parse(struct slice text, struct sts_policy *out)
{
	struct parse p = { .mx_len = 0 };

	while (text.p != NULL) {
		struct slice line = slice_cut(&text, '\n');

		if (line.len > 0 && line.p[line.len - 1] == '\r')
			line.len--;
		take_line(&p, line);
	}
	if (p.is_bad || !p.has_version || !p.has_mode || !p.has_age ||
	    (p.policy.mode != STS_NONE && p.mx_len == 0))
		return -1;
	*out = p.policy;
	return 0;
}
