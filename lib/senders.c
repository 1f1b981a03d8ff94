/* senders.c - who may write to an address. */
/* SPDX-License-Identifier: ISC */

#include "lib/senders.h"

/* A sender, or an address of the rules, in the form that is compared. */
struct name {
	bool is_ours;
	char local[ADDR_LOCAL_MAX + 1];
	char domain[ADDR_DOMAIN_MAX + 1];	/* the main one */
};

/* The main domain of one of ours in out[ADDR_DOMAIN_MAX + 1], else domain
 * itself. 1 ours, 0, -1 with errno. */
static int
main_domain(struct tables *t, const char *domain, char *out)
{
	struct domain_record d;
	int r = tables_domain(t, domain, &d);

	if (r == 1 && d.alias_of[0] != '\0')
		domain = d.alias_of;
	memcpy(out, domain, strlen(domain) + 1);
	return r;
}

static int
name_of(struct tables *t, const struct addr *a, struct name *out)
{
	struct slice detail;
	int r = main_domain(t, a->domain, out->domain);

	out->is_ours = r == 1;
	if (r != 1 || addr_account_of(a->local, out->local, &detail) == -1)
		memcpy(out->local, a->local, sizeof(out->local));
	return r == -1 ? -1 : 0;
}

static bool
is_same_name(const struct name *a, const struct name *b)
{
	return strcmp(a->domain, b->domain) == 0 &&
	    slice_eq_nocase(slice_of(a->local), slice_of(b->local));
}

/* One line of the rules: "name@domain" or "@domain". */
static int
is_meant(struct tables *t, struct slice rule, const struct name *from)
{
	char text[ADDR_DOMAIN_MAX + 1];
	struct name name = { .local = "" };
	struct addr a;

	if (rule.len > 0 && rule.p[0] == '@') {
		if (addr_domain(slice_skip(rule, 1), text) == -1)
			return 0;
		if (main_domain(t, text, name.domain) == -1)
			return -1;
		return strcmp(name.domain, from->domain) == 0;
	}
	if (addr_parse(rule, &a) != ADDR_OK)
		return 0;
	return name_of(t, &a, &name) == -1 ? -1 : is_same_name(&name, from);
}

int
senders_allow(struct tables *t, struct slice rules, const char *domain,
    const struct addr *from, bool is_trusted)
{
	struct name name;
	int r = 0;

	if (name_of(t, from, &name) == -1)
		return -1;
	if (name.is_ours && !is_trusted)
		return 0;
	if (slice_eq(rules, SLICE("domain")))
		return name.is_ours && strcmp(name.domain, domain) == 0;
	while (r == 0 && rules.p != NULL)
		r = is_meant(t, slice_cut(&rules, '\n'), &name);
	return r;
}
