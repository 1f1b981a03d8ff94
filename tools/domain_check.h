/* domain_check.h - malle domain check: what the DNS says of a domain. */
#ifndef TOOLS_DOMAIN_CHECK_H
#define TOOLS_DOMAIN_CHECK_H
/* SPDX-License-Identifier: ISC */

#include "tools/malle.h"

int domain_check(struct malle *m, int argc, char **argv);

/* What the DNS lacks, on stderr, within a few seconds; nothing when it lacks
 * nothing. */
void domain_check_advise(const struct malle *m, const char *domain);

#endif
