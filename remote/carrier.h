/* carrier.h - the children of malle-remote. */
#ifndef REMOTE_CARRIER_H
#define REMOTE_CARRIER_H
/* SPDX-License-Identifier: ISC */

#include "remote/session.h"

/* Takes a route on pair, connects, sends what comes; returns when malle-queued
 * closes its end or the connection is gone. */
void carrier_run(struct remote *remote, int pair);

/* Answers look-ups on pair until it closes. sts is the pair to malle-sts, or
 * -1. */
void resolver_run(struct remote *remote, int pair, int sts);

/* Puts the MTA-STS policy of domain into f; leaves it alone when there is none
 * or it cannot be had now. */
void sts_find(struct remote *r, int sts, const char *domain,
    struct remote_found *f);

#endif
