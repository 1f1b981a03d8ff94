/* spf.h - may this address send for that domain (RFC 7208)? */
#ifndef TOOLS_SPF_H
#define TOOLS_SPF_H
/* SPDX-License-Identifier: ISC */

#include "lib/dns.h"

enum spf_result {
	SPF_NONE,		/* no record */
	SPF_PASS,
	SPF_ANYBODY,		/* "+all" let it pass, as it does all */
	SPF_FAIL,		/* "-" */
	SPF_SOFTFAIL,		/* "~" */
	SPF_NEUTRAL,		/* "?", or nothing matched */
	SPF_SEVERAL,		/* records where one may be */
	SPF_SYNTAX,
	SPF_LOOKUPS,		/* more of them than RFC 7208 4.6.4 allows */
	SPF_UNSURE,		/* it depends on the letter: a macro, ptr */
	SPF_TEMPORARY
};

/*
 * What the record of domain says of ip; record gets its text, "" without one.
 * until: the clock_ms() at which no further question is asked.
 */
enum spf_result spf_check(struct dns *d, const char *domain,
    const struct ip *ip, int64_t until, char record[DNS_TEXT_MAX]);

#endif
