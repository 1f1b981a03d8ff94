/* domain_check.h - malle domain check: what the DNS says of a domain. */
#ifndef TOOLS_DOMAIN_CHECK_H
#define TOOLS_DOMAIN_CHECK_H
/* SPDX-License-Identifier: ISC */

#include "tools/dns_check.h"
#include "tools/malle.h"

int domain_check(struct malle *m, int argc, char **argv);

/* Addresses of ours as they are written, "192.0.2.1,2001:db8::1". 0, or -1. */
int domain_check_addresses(struct slice list, struct dns_check *k)
    __attribute__((warn_unused_result));
/* Adds what the DNS says of k->domain to the findings, within a few seconds;
 * that there is no resolver is one too. */
void domain_check_look(const struct malle *m, struct dns_check *k);
/* Something stands in the way: not what is unknown. */
bool domain_check_lacks(const struct dns_finding *f);
/* Shows all findings; the exit status: 0, 1 when something is to do or wrong, 75
 * when only answers are missing. */
int domain_check_report(const struct malle *m, const struct dns_check *k);

/* What the DNS lacks, on stderr, within a few seconds; nothing when it lacks
 * nothing. */
void domain_check_advise(const struct malle *m, const char *domain);

#endif
