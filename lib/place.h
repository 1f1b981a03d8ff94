/* place.h - a name in a domain of ours: its records in the tables. */
#ifndef LIB_PLACE_H
#define LIB_PLACE_H
/* SPDX-License-Identifier: ISC */

#include "lib/route.h"

/* Domain aliases are followed. */
struct place {
	char domain[ADDR_DOMAIN_MAX + 1];	/* main */
	char account[ADDR_LOCAL_MAX + 1];	/* "": no account can be so */
	char detail[ADDR_LOCAL_MAX + 1];
	struct domain_record record;
};

/* ROUTE_NOT_OURS, or what the state of the domain says. With ROUTE_OK the name
 * itself need not exist. */
enum route_verdict place_find(struct tables *t, const struct addr *rcpt,
    const char *default_domain, struct place *out);

/* Its record, whose slices are valid until the next look-up: ROUTE_UNKNOWN, or
 * what its state says. */
enum route_verdict place_address(struct tables *t, const struct place *p,
    struct address_record *out);

/* The mailbox as a destination. */
void place_mailbox(struct destination *d, const struct place *p,
    const struct address_record *a);

#endif
