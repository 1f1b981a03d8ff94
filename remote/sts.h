/* sts.h - what the files of malle-sts share. */
#ifndef REMOTE_STS_H
#define REMOTE_STS_H
/* SPDX-License-Identifier: ISC */

#include "lib/dns.h"
#include "lib/str.h"
#include "remote/proto_sts.h"
#include "remote/sts_policy.h"

/* What a fetch needs; made before the chroot. */
struct sts_web {
	struct dns dns;
	struct str authorities;		/* certificates, as text */
	uint16_t port;
};

/* Fetches the policy of domain over HTTPS and parses it (RFC 8461 3.3): no
 * redirect, 64 KiB at most, certificate and name verified. 0, or -1 with why[]
 * in words. */
int sts_fetch(struct sts_web *w, const char *domain, struct sts_policy *out,
    char *why, size_t cap) __attribute__((warn_unused_result));

/* A domain that was asked about. */
struct sts_known {
	char domain[ADDR_DOMAIN_MAX + 1];
	char id[STS_ID_MAX + 1];	/* of the record, when it was fetched */
	struct sts_policy policy;
	int64_t expires;		/* monotonic ms; 0: there is no policy */
	char tried_id[STS_ID_MAX + 1];	/* could not be fetched ... */
	int64_t tried_until;		/* ... and is not tried again until then */
};

/* What is known of domain; NULL: nothing. */
struct sts_known *sts_cache_find(const char *domain);
/* The same, made when it is not there; the one not used for longest falls out.
 * NULL: no memory. */
struct sts_known *sts_cache_make(const char *domain);

#endif
