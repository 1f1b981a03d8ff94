/* test_remote_sts.c - MTA-STS policies (RFC 8461 3.2). */
/* SPDX-License-Identifier: ISC */

#include "remote/sts_policy.h"

#include <string.h>

#include "tests/unit/tap.h"

#define HEAD "version: STSv1\n"

/* clang-format off */
static const struct {
	const char *text;
	int want;
	enum sts_mode mode;
	uint32_t max_age;
	const char *mx;
} rows[] = {
	{ HEAD "mode: enforce\nmx: a.test\nmax_age: 10\n", 0, STS_ENFORCE, 10,
	  "a.test" },
	{ "version: STSv1\r\nmode: testing\r\nmx: *.A.test\r\nmx: b.test\r\n"
	  "max_age: 86400", 0, STS_TESTING, 86400, "*.a.test\nb.test" },
	{ "max_age:1\nmx:a.test\nmode:enforce\nversion:STSv1", 0, STS_ENFORCE,
	  1, "a.test" },
	{ HEAD "mode: none\nmax_age: 0\n", 0, STS_NONE, 0, "" },
	{ HEAD "mode: enforce\nmode: none\nmx: a.test\nmax_age: 5\nmax_age: 6\n",
	  0, STS_ENFORCE, 5, "a.test" },
	{ HEAD "version: STSv2\nmode: enforce\nmx: a.test\nmax_age: 10\n", 0,
	  STS_ENFORCE, 10, "a.test" },
	{ HEAD "mode: enforce\nmx: a.test\nmax_age: 99999999\nnew_key: x\n"
	  "no colon\n\n", 0, STS_ENFORCE, STS_AGE_MAX, "a.test" },
	{ "mode: enforce\nmx: a.test\nmax_age: 10\n", -1, 0, 0, NULL },
	{ "version: STSv2\nmode: enforce\nmx: a.test\nmax_age: 10\n", -1, 0, 0,
	  NULL },
	{ HEAD "mx: a.test\nmax_age: 10\n", -1, 0, 0, NULL },
	{ HEAD "mode: Enforce\nmx: a.test\nmax_age: 10\n", -1, 0, 0, NULL },
	{ HEAD "mode: enforce\nmx: a.test\n", -1, 0, 0, NULL },
	{ HEAD "mode: enforce\nmax_age: 10\n", -1, 0, 0, NULL },
	{ HEAD "mode: enforce\nmx: a.test\nmax_age: -1\n", -1, 0, 0, NULL },
	{ HEAD "mode: enforce\nmx: a.test\nmax_age: 1d\n", -1, 0, 0, NULL },
	{ HEAD "mode: enforce\nmx: a b.test\nmax_age: 1\n", -1, 0, 0, NULL },
	{ HEAD "mode: enforce\nmx: *\nmax_age: 1\n", -1, 0, 0, NULL },
	{ HEAD "mode: enforce\nmx: *.*.test\nmax_age: 1\n", -1, 0, 0, NULL },
	{ HEAD "mode: enforce\nmx:\nmax_age: 1\n", -1, 0, 0, NULL },
	{ "", -1, 0, 0, NULL },
};
/* clang-format on */

/* More patterns than there is room for. */
static void
test_many(void)
{
	static char text[8192];
	struct sts_policy p = { .max_age = 42 };
	size_t n = 0;

	n += (size_t)snprintf(text, sizeof(text),
	    HEAD "mode: enforce\nmax_age: 1\n");
	while (n < 3000)
		n += (size_t)snprintf(text + n, sizeof(text) - n,
		    "mx: a-host%zu.example\n", n);
	ok(sts_policy_parse(slice_of(text), &p) == -1 && p.max_age == 42,
	    "too many patterns");
}

int
main(void)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct sts_policy p = { .max_age = 42 };
		int got = sts_policy_parse(slice_of(rows[i].text), &p);

		ok(got == rows[i].want && (got == -1 ? p.max_age == 42 :
		    p.mode == rows[i].mode && p.max_age == rows[i].max_age &&
		    strcmp(p.mx, rows[i].mx) == 0), "policy %zu", i);
	}
	test_many();
	return done();
}
