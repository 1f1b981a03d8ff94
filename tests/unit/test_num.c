/* test_num.c - numbers: all or nothing. */
/* SPDX-License-Identifier: ISC */

#include "lib/num.h"

#include <string.h>

#include "tests/unit/tap.h"

#define CANARY 42

typedef int parser(struct slice, uint64_t, uint64_t, uint64_t *);

/* clang-format off */
static const struct {
	parser *parse;
	struct slice text;
	uint64_t lo, hi;
	int want;
	uint64_t value;		/* stays CANARY on failure */
} rows[] = {
	{ num_parse, SLICE("0"), 0, 9, 0, 0 },
	{ num_parse, SLICE("007"), 0, 9, 0, 7 },
	{ num_parse, SLICE("9"), 0, 9, 0, 9 },
	{ num_parse, SLICE("10"), 0, 9, -1, CANARY },
	{ num_parse, SLICE("4"), 5, 9, -1, CANARY },
	{ num_parse, SLICE(""), 0, 9, -1, CANARY },
	{ num_parse, SLICE("-1"), 0, 9, -1, CANARY },
	{ num_parse, SLICE("+1"), 0, 9, -1, CANARY },
	{ num_parse, SLICE(" 1"), 0, 9, -1, CANARY },
	{ num_parse, SLICE("1 "), 0, 9, -1, CANARY },
	{ num_parse, SLICE("1\0"), 0, 9, -1, CANARY },
	{ num_parse, SLICE("0x1"), 0, 9, -1, CANARY },
	{ num_parse, SLICE("1.0"), 0, 9, -1, CANARY },
	{ num_parse, SLICE("abc"), 0, 9, -1, CANARY },
	{ num_parse, SLICE("18446744073709551615"), 0, UINT64_MAX, 0, UINT64_MAX },
	{ num_parse, SLICE("18446744073709551616"), 0, UINT64_MAX, -1, CANARY },
	{ num_parse, SLICE("99999999999999999999999"), 0, UINT64_MAX, -1, CANARY },
	{ num_parse_size, SLICE("512"), 0, UINT64_MAX, 0, 512 },
	{ num_parse_size, SLICE("4k"), 0, UINT64_MAX, 0, 4096 },
	{ num_parse_size, SLICE("50M"), 0, UINT64_MAX, 0, 52428800 },
	{ num_parse_size, SLICE("2G"), 0, UINT64_MAX, 0, 2147483648 },
	{ num_parse_size, SLICE("M"), 0, UINT64_MAX, -1, CANARY },
	{ num_parse_size, SLICE("1MM"), 0, UINT64_MAX, -1, CANARY },
	{ num_parse_size, SLICE("1 M"), 0, UINT64_MAX, -1, CANARY },
	{ num_parse_size, SLICE("1s"), 0, UINT64_MAX, -1, CANARY },
	{ num_parse_size, SLICE("17179869184G"), 0, UINT64_MAX, -1, CANARY },
	{ num_parse_size, SLICE("2k"), 0, 2047, -1, CANARY },
	{ num_parse_duration, SLICE("30"), 0, UINT64_MAX, 0, 30 },
	{ num_parse_duration, SLICE("30s"), 0, UINT64_MAX, 0, 30 },
	{ num_parse_duration, SLICE("5m"), 0, UINT64_MAX, 0, 300 },
	{ num_parse_duration, SLICE("4h"), 0, UINT64_MAX, 0, 14400 },
	{ num_parse_duration, SLICE("5d"), 0, UINT64_MAX, 0, 432000 },
	{ num_parse_duration, SLICE("5w"), 0, UINT64_MAX, -1, CANARY },
	{ num_parse_duration, SLICE("d"), 0, UINT64_MAX, -1, CANARY },
	{ num_parse_duration, SLICE("1h30m"), 0, UINT64_MAX, -1, CANARY },
	{ num_parse_duration, SLICE("999999999999999999d"), 0, UINT64_MAX, -1, CANARY },
};
/* clang-format on */

/* All 256 bytes: what is a digit, and nothing else. */
static bool
hex_is_right(void)
{
	static const char small[] = "0123456789abcdef";
	static const char capital[] = "0123456789ABCDEF";

	for (int c = 0; c < 256; c++) {
		const char *a = memchr(small, c, 16);
		const char *b = memchr(capital, c, 16);
		int want = a != NULL ? (int)(a - small) :
		    b != NULL ? (int)(b - capital) : -1;

		if (num_hex((char)c) != want)
			return false;
	}
	return true;
}

int
main(void)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		uint64_t value = CANARY;
		int r = rows[i].parse(rows[i].text, rows[i].lo, rows[i].hi,
		    &value);

		ok(r == rows[i].want && value == rows[i].value,
		    "row %zu: \"%.*s\"", i, SLICE_FMT(rows[i].text));
	}
	ok(hex_is_right(), "hexadecimal digits");
	return done();
}
