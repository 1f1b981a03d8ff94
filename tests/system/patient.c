/* patient.c - a malle that waits for the DNS. */
/* SPDX-License-Identifier: ISC */
/*
 * Linked into malle in the place of dns_open(), with clock.c: a resolver of a
 * test may stand still for longer than an administrator would wait, and the time
 * that all questions together may take passes as the test wants it.
 */
#include "lib/dns.h"

#define PATIENCE 60		/* s, as that of malle.py */

int __real_dns_open(struct dns *d, const char *server, unsigned timeout);
int __wrap_dns_open(struct dns *d, const char *server, unsigned timeout);

int
__wrap_dns_open(struct dns *d, const char *server, unsigned timeout)
{
	(void)timeout;
	return __real_dns_open(d, server, PATIENCE);
}
