/* srs.h - senders of forwarded mail: the Sender Rewriting Scheme. No I/O. */
#ifndef LIB_SRS_H
#define LIB_SRS_H
/* SPDX-License-Identifier: ISC */

#include "lib/addr.h"

#define SRS_KEY_LEN 16
#define SRS_DAYS 21		/* that an address can be written to */

/*
 * Mail that comes for an alias of ours and goes on to another server fails SPF
 * there under its own sender. It leaves as
 *
 *   SRS0=HHHHHH=TT=domain=local@our-domain
 *
 * with a keyed hash and the day, so that a bounce comes to us, and goes on to
 * local@domain, and nobody else can use us for that. What another forwarder
 * has rewritten so already leaves as
 *
 *   SRS1=HHHHHH=that-forwarder==its-hash=TT=domain=local@our-domain
 *
 * and a bounce goes on to him, however many there were in between.
 */

/* True for an address that looks like one, right or not. */
bool srs_is(const char *local);

/*
 * Makes one of sender (not the null one) at domain, a domain of ours. day is
 * that of the wall clock, since 1970. 0, or -1 with *out untouched: it would
 * be too long for a local part (RFC 5321 4.5.3.1.1).
 */
int srs_make(const unsigned char key[SRS_KEY_LEN], int64_t day,
    const struct addr *sender, const char *domain, struct addr *out)
    __attribute__((warn_unused_result));

/* The sender that it was made of. 0, or -1 with *out untouched: not ours, or
 * too old. */
int srs_open(const unsigned char key[SRS_KEY_LEN], int64_t day,
    const char *local, struct addr *out) __attribute__((warn_unused_result));

#endif
