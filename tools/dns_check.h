/* dns_check.h - does the DNS say of a domain what its mail needs? */
#ifndef TOOLS_DNS_CHECK_H
#define TOOLS_DNS_CHECK_H
/* SPDX-License-Identifier: ISC */

#include "lib/conf.h"
#include "lib/dns.h"

enum dns_verdict {
	DNS_CHECK_FINE,
	DNS_CHECK_TODO,		/* not there yet */
	DNS_CHECK_WRONG,	/* there, and harmful */
	DNS_CHECK_INFO,		/* nothing hangs on it */
	DNS_CHECK_UNKNOWN	/* the DNS does not answer */
};

#define DNS_CHECK_OURS 8
#define DNS_CHECK_FINDINGS 32
#define DNS_CHECK_RELAYS 64	/* more have no place in a TXT record */

struct dns_finding {
	const char *about;	/* "mx" */
	enum dns_verdict verdict;
	char text[700];		/* may hold a stranger's bytes */
	char publish[700];	/* a line of a zone file, or "" */
};

struct dns_check {
	const struct conf *conf;
	bool french;			/* the language of the findings */
	char domain[ADDR_DOMAIN_MAX + 1];
	struct ip ours[DNS_CHECK_OURS];	/* as other servers see us */
	size_t n_ours;
	/* Smarthosts by which its mail may leave, as in malle-routes(5). */
	char relays[DNS_CHECK_RELAYS][ADDR_DOMAIN_MAX + 1];
	size_t n_relays;
	bool only_arrival;		/* not what sending from here needs */
	struct dns_finding v[DNS_CHECK_FINDINGS];
	size_t n;
	/* of dns_check() */
	struct dns dns;
	int64_t until;
};

/*
 * Looks it all up and adds what it finds, within so many seconds or little
 * more: timeout for one try of one question, budget for all of them. Without
 * addresses of ours those of the way out are taken, or of hostname behind a
 * router.
 * 0, or -1 with errno: there is no resolver to ask.
 */
int dns_check(struct dns_check *k, unsigned timeout, unsigned budget)
    __attribute__((warn_unused_result));

/* The addresses that this machine sends from, as far as it can know; behind a
 * router none. */
size_t dns_check_ways_out(struct ip *out, size_t max);

/* What the look at SPF adds, see dns_check_spf.c; the others are dns_check.c's
 * own. */
void dns_check_spf(struct dns_check *k);

/* One more row; the format is of the text. The row, never NULL: the last one is
 * overwritten when there are too many. */
struct dns_finding *dns_check_add(struct dns_check *k, const char *about,
    enum dns_verdict verdict, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

/* True when there is still time to ask. */
bool dns_check_may_ask(const struct dns_check *k);

/* The text in the language of the report. */
#define DNS_CHECK_T(k, en, fr) ((k)->french ? (fr) : (en))

#endif
