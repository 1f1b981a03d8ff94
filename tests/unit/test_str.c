/* test_str.c - growable strings with a maximum; views of bytes. */
/* SPDX-License-Identifier: ISC */

#include "lib/str.h"

#include <stdint.h>

#include "tests/unit/tap.h"

static void
test_maximum(void)
{
	struct str s = STR_INIT(5);

	ok(strcmp(str_c(&s), "") == 0, "empty before the first put");
	str_puts(&s, "abc");
	str_putc(&s, 'd');
	ok(str_ok(&s) && strcmp(s.p, "abcd") == 0 && s.len == 4, "puts");
	str_putc(&s, 'e');
	ok(str_ok(&s) && s.len == 5, "up to the maximum");
	str_putc(&s, 'f');
	ok(!str_ok(&s) && strcmp(str_c(&s), "abcde") == 0,
	    "beyond it nothing is added");
	str_puts(&s, "");
	ok(!str_ok(&s), "the error is sticky");
	str_clear(&s);
	ok(str_ok(&s) && s.len == 0, "clear forgets it");
	str_printf(&s, "%d%s", 12, "345");
	ok(str_ok(&s) && strcmp(s.p, "12345") == 0, "printf to the brim");
	str_clear(&s);
	str_printf(&s, "%s", "123456");
	ok(!str_ok(&s) && s.len == 0, "printf beyond it adds nothing");
	str_free(&s);
	ok(s.p == NULL || s.len == 0, "free");
	str_wipe(&s);
	str_puts(&s, "abc");
	str_wipe(&s);
	ok(s.p == NULL && s.len == 0 && s.max == 5, "wipe, also of nothing");
}

static void
test_growth(void)
{
	struct str s = STR_INIT(1000000);
	size_t i;

	for (i = 0; i < 1000000; i++)
		str_putc(&s, (char)('a' + i % 26));
	ok(str_ok(&s) && s.len == 1000000 && s.p[999999] == 'a' + 999999 % 26 &&
	    s.p[1000000] == '\0', "grows to a million");
	ok(str_room(&s, 1) == NULL && !str_ok(&s), "no room beyond");
	str_clear(&s);
	ok(str_room(&s, SIZE_MAX) == NULL && !str_ok(&s),
	    "room for SIZE_MAX does not wrap");
	str_free(&s);
	s = (struct str)STR_INIT(10);
	str_put(&s, SLICE("a\0b"));
	ok(s.len == 3 && memcmp(s.p, "a\0b", 4) == 0, "NUL inside");
	str_free(&s);
	s = (struct str)STR_INIT(0);
	str_putc(&s, 'x');
	ok(!str_ok(&s), "a maximum of nothing");
	str_free(&s);
}

/* clang-format off */
static const struct {
	struct slice text;
	const char *parts[5];
} cuts[] = {
	{ SLICE("a,b,c"), { "a", "b", "c", NULL } },
	{ SLICE("abc"), { "abc", NULL } },
	{ SLICE(""), { "", NULL } },
	{ SLICE(","), { "", "", NULL } },
	{ SLICE(",a,"), { "", "a", "", NULL } },
};

static const struct {
	struct slice text;
	const char *want;
} trims[] = {
	{ SLICE(" \t\r\na b\n"), "a b" }, { SLICE("a"), "a" },
	{ SLICE(""), "" }, { SLICE(" \r\n"), "" }, { SLICE("\v a"), "\v a" },
};
/* clang-format on */

static void
test_slices(void)
{
	char out[4] = "old";
	struct slice rest, part;
	size_t n;
	bool same;

	for (size_t i = 0; i < sizeof(cuts) / sizeof(*cuts); i++) {
		rest = cuts[i].text;
		same = true;
		for (n = 0; rest.p != NULL && cuts[i].parts[n] != NULL; n++) {
			part = slice_cut(&rest, ',');
			same &= slice_eq(part, slice_of(cuts[i].parts[n]));
		}
		ok(same && rest.p == NULL && cuts[i].parts[n] == NULL,
		    "cut \"%.*s\"", SLICE_FMT(cuts[i].text));
	}
	for (size_t i = 0; i < sizeof(trims) / sizeof(*trims); i++)
		ok(slice_eq(slice_trim(trims[i].text),
		    slice_of(trims[i].want)), "trim row %zu", i);
	ok(slice_to_cstr(SLICE("four"), out, sizeof(out)) == -1 &&
	    strcmp(out, "old") == 0, "too long: out untouched");
	ok(slice_to_cstr(SLICE("a\0b"), out, sizeof(out)) == -1 &&
	    strcmp(out, "old") == 0, "NUL inside: out untouched");
	ok(slice_to_cstr(SLICE("new"), out, sizeof(out)) == 0 &&
	    strcmp(out, "new") == 0, "fits exactly");
	ok(slice_eq_nocase(SLICE("AbC"), SLICE("aBc")), "case does not matter");
	ok(!slice_eq(SLICE("a"), SLICE("ab")) && !slice_eq(SLICE("ab"),
	    SLICE("a")), "lengths matter");
	ok(slice_starts_nocase(SLICE("BODY=x"), SLICE("body=")) &&
	    !slice_starts_nocase(SLICE("bod"), SLICE("body=")), "prefixes");
}

int
main(void)
{
	test_maximum();
	test_growth();
	test_slices();
	return done();
}
