/* fuzz_sts_policy.c - any bytes as an MTA-STS policy. */
/* SPDX-License-Identifier: ISC */

#include "remote/sts_policy.h"

#include <string.h>

#include "tests/fuzz/must.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sts_policy p = { .max_age = 42 };
	struct slice rest;

	if (sts_policy_parse(slice_make(data, size), &p) == -1) {
		must(p.max_age == 42 && p.mx[0] == '\0');
		return 0;
	}
	must(p.max_age <= STS_AGE_MAX && p.mode <= STS_ENFORCE);
	must(p.mode == STS_NONE || p.mx[0] != '\0');
	must(strlen(p.mx) <= STS_MX_MAX);
	for (rest = slice_of(p.mx); rest.p != NULL; ) {
		struct slice one = slice_cut(&rest, '\n');
		char name[ADDR_DOMAIN_MAX + 1];

		if (slice_starts_nocase(one, SLICE("*.")))
			one = slice_skip(one, 2);
		must(one.len == 0 || addr_domain(one, name) == 0);
	}
	return 0;
}
