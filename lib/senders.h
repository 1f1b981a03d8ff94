/* senders.h - who may write to an address. */
#ifndef LIB_SENDERS_H
#define LIB_SENDERS_H
/* SPDX-License-Identifier: ISC */

#include "lib/account.h"

/*
 * Whether from, a sender that is not the null one, is one of rules: the senders
 * of an address_record in domain, a main domain. Names of ours are compared as
 * mail reaches them (case, +detail, domain alias); a name of ours counts only
 * when is_trusted, since anybody can claim it. 1, 0, or -1 with errno.
 */
int senders_allow(struct tables *t, struct slice rules, const char *domain,
    const struct addr *from, bool is_trusted)
    __attribute__((warn_unused_result));

#endif
