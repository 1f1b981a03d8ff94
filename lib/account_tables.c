/* account_tables.c - the compiled tables, opened and asked. */
/* SPDX-License-Identifier: ISC */

#include "lib/account.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

int
tables_open(struct tables *t, int dirfd)
{
	memset(t, 0, sizeof(*t));
	t->dirfd = dirfd;
	return tables_refresh(t);
}

int
tables_refresh(struct tables *t)
{
	int r = table_refresh(&t->domains, t->dirfd, "domains.cdb");

	/* No access table: nobody may relay. */
	if (table_refresh(&t->access, t->dirfd, "access.cdb") == -1 &&
	    errno != ENOENT)
		r = -1;
	/* Those of domains are looked at when they are asked. */
	t->clock++;
	return r;
}

void
tables_close(struct tables *t)
{
	table_close(&t->domains);
	table_close(&t->access);
	for (size_t i = 0; i < TABLES_KEPT; i++)
		table_close(&t->kept[i].addresses);
}

int
tables_domain(struct tables *t, const char *domain, struct domain_record *out)
{
	struct slice value;
	int r = table_get(&t->domains, slice_of(domain), &value);

	if (r != 1)
		return r;
	return domain_record_unpack(value, out) == -1 ? -1 : 1;
}

/* The table of a domain, opened or refreshed at most once per tables_refresh().
 * NULL with errno. */
static struct table *
addresses_of(struct tables *t, const char *domain)
{
	char path[ADDR_DOMAIN_MAX + 16];
	size_t oldest = 0, i;

	for (i = 0; i < TABLES_KEPT; i++) {
		if (strcmp(t->kept[i].domain, domain) == 0)
			break;
		if (t->kept[i].used < t->kept[oldest].used)
			oldest = i;
	}
	if (i < TABLES_KEPT && t->kept[i].used == t->clock &&
	    t->kept[i].addresses.impl != NULL)
		return &t->kept[i].addresses;
	if (i == TABLES_KEPT) {
		i = oldest;
		table_close(&t->kept[i].addresses);
		snprintf(t->kept[i].domain, sizeof(t->kept[i].domain), "%s",
		    domain);
	}
	snprintf(path, sizeof(path), "domains/%s.cdb", domain);
	t->kept[i].used = t->clock;
	if (table_refresh(&t->kept[i].addresses, t->dirfd, path) == -1 &&
	    t->kept[i].addresses.impl == NULL)
		return NULL;
	return &t->kept[i].addresses;
}

/* The value of a key in the table of a domain: 1, 0, -1 with errno. */
static int
lookup(struct tables *t, const char *domain, const char *key,
    struct slice *value)
{
	struct table *addresses;

	/* It becomes a path: nothing but canonical names. */
	if (domain[0] == '\0' || domain[0] == '.' ||
	    strchr(domain, '/') != NULL) {
		errno = EINVAL;
		return -1;
	}
	if ((addresses = addresses_of(t, domain)) == NULL)
		return -1;
	return table_get(addresses, slice_of(key), value);
}

int
tables_address(struct tables *t, const char *domain, const char *account,
    struct address_record *out)
{
	struct slice value;
	int r = lookup(t, domain, account, &value);

	if (r != 1)
		return r;
	return address_record_unpack(value, out) == -1 ? -1 : 1;
}

int
tables_answer(struct tables *t, const char *domain, const char *account,
    struct answer_record *out)
{
	char key[sizeof(ANSWER_KEY) + ADDR_LOCAL_MAX];
	struct slice value;
	int r;

	snprintf(key, sizeof(key), ANSWER_KEY "%.*s", ADDR_LOCAL_MAX, account);
	if ((r = lookup(t, domain, key, &value)) != 1)
		return r;
	return answer_record_unpack(value, out) == -1 ? -1 : 1;
}

int
tables_access(struct tables *t, const struct ip *ip, struct access_record *out)
{
	char text[IP_TEXT_MAX], key[IP_TEXT_MAX + 8];
	unsigned shortest = ip_is_v4(ip) ? 96 : 0;
	struct slice value;
	int r;

	if (t->access.impl == NULL)
		return 0;
	/* The first 96 bits are the same in every IPv4 address. */
	for (unsigned bits = 129; bits-- > shortest; ) {
		struct ip net = *ip;

		ip_mask(&net, bits);
		snprintf(key, sizeof(key), "%s/%u", ip_text(&net, text), bits);
		r = table_get(&t->access, slice_of(key), &value);
		if (r == -1)
			return -1;
		if (r == 1 && access_record_unpack(value, out) == -1)
			return -1;
		if (r == 1) {
			out->bits = bits;
			return 1;
		}
	}
	return 0;
}
