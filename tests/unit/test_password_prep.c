/* test_password_prep.c - SASLprep (RFC 4013). */
/* SPDX-License-Identifier: ISC */

#include <errno.h>
#include <string.h>

#include "auth/saslprep.h"
#include "tests/unit/tap.h"

#define NO NULL

/* clang-format off */
static const struct {
	const char *in, *want, *what;
} rows[] = {
	/* RFC 4013 section 3 */
	{ "I\xc2\xadX", "IX", "soft hyphen mapped to nothing" },
	{ "user", "user", "nothing to do" },
	{ "USER", "USER", "case is kept" },
	{ "\xc2\xaa", "a", "feminine ordinal, NFKC" },
	{ "\xe2\x85\xa8", "IX", "roman numeral nine, NFKC" },
	{ "\x07", NO, "a control character" },
	{ "\xd8\xa7\x31", NO, "mixed directions: the last is no R or AL" },
	/* more */
	{ "", NO, "nothing" },
	{ "a b", "a b", "a space" },
	{ "a\xc2\xa0""b", "a b", "no-break space" },
	{ "a\xe3\x80\x80""b", "a b", "ideographic space" },
	{ "\xc2\xad", NO, "nothing is left" },
	{ "e\xcc\x81", "\xc3\xa9", "composed" },
	{ "\xc3\xa9", "\xc3\xa9", "composed already" },
	{ "\xe9", NO, "Latin-1" },
	{ "a\xc3", NO, "cut off" },
	{ "\xed\xa0\x80", NO, "a surrogate" },
	{ "\xc0\xaf", NO, "overlong" },
	{ "\xf4\x90\x80\x80", NO, "beyond Unicode" },
	{ "a\x7f", NO, "DEL" },
	{ "a\tb", NO, "TAB" },
	{ "\xc2\x85", NO, "a C1 control" },
	{ "\xee\x80\x80", NO, "private use" },
	{ "\xef\xbf\xbe", NO, "a non-character" },
	{ "\xf0\x9f\xbf\xbe", NO, "a non-character of plane 1" },
	{ "\xef\xbf\xbd", NO, "the replacement character" },
	{ "\xe2\x80\xae""abc", NO, "a direction override" },
	{ "\xd7\xa9\xd7\x9c", "\xd7\xa9\xd7\x9c", "Hebrew" },
	{ "\xd7\xa9""1\xd7\x9c", "\xd7\xa9""1\xd7\x9c", "Hebrew around a digit" },
	{ "\xd7\xa9""a\xd7\x9c", NO, "Hebrew around a letter" },
	{ "a\xd7\xa9", NO, "Hebrew behind a letter" },
	{ "\xef\xac\x81", "fi", "a ligature grows" },
	{ "\xf0\x9f\x90\x87", "\xf0\x9f\x90\x87", "a rabbit" },
};
/* clang-format on */

static void
test_rows(void)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char out[64] = "42";
		size_t len = 42;
		int r = saslprep(slice_of(rows[i].in), out, sizeof(out), &len);

		if (rows[i].want == NO)
			ok(r == -1 && errno == EILSEQ && len == 42, "refuse %s",
			    rows[i].what);
		else
			ok(r == 0 && len == strlen(rows[i].want) &&
			    memcmp(out, rows[i].want, len) == 0, "%s",
			    rows[i].what);
	}
}

static void
test_room(void)
{
	/* U+FDFA is 18 characters long in NFKC. */
	static const char grows[] = "\xef\xb7\xba";
	char out[64] = "42";
	size_t len = 42;

	ok(saslprep(SLICE("abc"), out, 2, &len) == -1 && errno == ENOBUFS &&
	    len == 42 && strcmp(out, "42") == 0, "no room for ASCII");
	ok(saslprep(slice_of(grows), out, 16, &len) == -1 &&
	    errno == ENOBUFS && len == 42, "no room for what grows");
	ok(saslprep(SLICE("a\0b"), out, sizeof(out), &len) == -1,
	    "a NUL inside");
	ok(!utf8_is_valid(SLICE("a\0b")) && utf8_is_valid(SLICE("")) &&
	    utf8_is_valid(SLICE("\xc3\xa9")) && !utf8_is_valid(SLICE("\xe9")),
	    "utf8_is_valid");
}

int
main(void)
{
	test_rows();
	test_room();
	return done();
}
