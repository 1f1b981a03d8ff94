/* sts_policy.h - MTA-STS policies, taken apart: hostile input, no I/O. */
#ifndef REMOTE_STS_POLICY_H
#define REMOTE_STS_POLICY_H
/* SPDX-License-Identifier: ISC */

#include "lib/proto_remote.h"

#define STS_AGE_MAX 31557600	/* s: a year (RFC 8461 3.2) */

struct sts_policy {
	enum sts_mode mode;
	uint32_t max_age;		/* s */
	char mx[STS_MX_MAX + 1];	/* patterns, LF between; lower case */
};

/*
 * The text of a policy (RFC 8461 3.2): lines "key: value" with LF or CRLF. Keys
 * that are not known are skipped; of one that comes twice the first counts, but
 * for mx. 0, or -1 with *out untouched: no version, mode or max_age, no mx where
 * one is needed, a pattern that is none, too many of them.
 */
int sts_policy_parse(struct slice text, struct sts_policy *out)
    __attribute__((warn_unused_result));

#endif
