/* test_base64.c - base64, strict (RFC 4648). */
/* SPDX-License-Identifier: ISC */

#include "lib/base64.h"

#include "tests/unit/tap.h"

/* clang-format off */
static const struct {
	struct slice plain, coded;
} both[] = { /* RFC 4648 section 10, and bytes of all kinds */
	{ SLICE(""), SLICE("") },
	{ SLICE("f"), SLICE("Zg==") },
	{ SLICE("fo"), SLICE("Zm8=") },
	{ SLICE("foo"), SLICE("Zm9v") },
	{ SLICE("foob"), SLICE("Zm9vYg==") },
	{ SLICE("fooba"), SLICE("Zm9vYmE=") },
	{ SLICE("foobar"), SLICE("Zm9vYmFy") },
	{ SLICE("\0\xff\xfe"), SLICE("AP/+") },
};

static const struct slice bad[] = {
	SLICE("Z"), SLICE("Zg"), SLICE("Zg="), SLICE("Zg==="), SLICE("="),
	SLICE("===="), SLICE("Zg=a"), SLICE("Zh=="), SLICE("Zm9="),
	SLICE(" Zg=="), SLICE("Zg==\n"), SLICE("Zm 9"), SLICE("Zm9v=Zg="),
	SLICE("Zg==Zg=="), SLICE("Z-9_"), SLICE("Zm9\0"), SLICE("Zm9\xff"),
};
/* clang-format on */

int
main(void)
{
	char out[64];

	for (size_t i = 0; i < sizeof(both) / sizeof(*both); i++) {
		size_t n = base64_encode(both[i].plain, out);

		ok(slice_eq(slice_make(out, n), both[i].coded) &&
		    out[n] == '\0', "encode row %zu", i);
		ssize_t m = base64_decode(both[i].coded, out, sizeof(out));
		ok(m >= 0 && slice_eq(slice_make(out, (size_t)m),
		    both[i].plain), "decode row %zu", i);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		ok(base64_decode(bad[i], out, sizeof(out)) == -1,
		    "refused: row %zu", i);
	ok(base64_decode(SLICE("Zm9v"), out, 3) == 3, "fits exactly");
	ok(base64_decode(SLICE("Zm9v"), out, 2) == -1, "no room");
	ok(base64_decode(SLICE("Zm8="), out, 2) == 2, "no room is needed for "
	    "the padding");
	return done();
}
