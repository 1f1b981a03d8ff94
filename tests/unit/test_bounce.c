/* test_bounce.c - foreign text cleaned and encoded; the words of notices. */
/* SPDX-License-Identifier: ISC */

#include "lib/encode.h"

#include <stdlib.h>
#include <string.h>

#include "bounce/words.h"
#include "tests/unit/tap.h"

static const struct {
	struct slice in;
	bool ascii;
	size_t cap;
	const char *want;
} cleans[] = {
	{ SLICE("plain"), false, 100, "plain" },
	{ SLICE("  a \t\r\n b\n"), false, 100, "a b" },
	{ SLICE("a\0b\x01" "c\x7f" "d"), false, 100, "a b c d" },
	{ SLICE("\xc3\xa9t\xc3\xa9"), false, 100, "\xc3\xa9t\xc3\xa9" },
	{ SLICE("\xc3\xa9t\xc3\xa9"), true, 100, "?t?" },
	{ SLICE("bad\xff\xc3 utf"), false, 100, "bad?? utf" },
	{ SLICE("\xed\xa0\x80 surrogate"), false, 100, "? surrogate" },
	{ SLICE("over\xe2\x80\xaeride"), false, 100, "override" },
	{ SLICE("zero\xe2\x80\x8bwidth\xef\xbb\xbf"), false, 100, "zerowidth" },
	{ SLICE("line\xe2\x80\xa8sep\xc2\x85nel"), false, 100, "line sep nel" },
	{ SLICE("0123456789abcdef"), false, 16, "0123456789ab..." },
	{ SLICE("01234567890\xc3\xa9\xc3\xa9\xc3\xa9"), false, 16,
	    "01234567890..." },
	{ SLICE(""), false, 16, "" },
};

static void
test_clean(void)
{
	char out[100];

	for (size_t i = 0; i < sizeof(cleans) / sizeof(cleans[0]); i++) {
		size_t n = encode_clean(cleans[i].in, cleans[i].ascii, out,
		    cleans[i].cap);

		ok(strcmp(out, cleans[i].want) == 0 && n == strlen(out) &&
		    n < cleans[i].cap, "clean %zu: \"%s\"", i, out);
	}
}

/* Each function that fills a string, by rows of what comes and what is wanted. */
static void
quote(struct str *out, struct slice in)
{
	encode_quoted_printable(out, in);
}

static void
field(struct str *out, struct slice in)
{
	encode_field(out, "Name", in);
}

static void
field_text(struct str *out, struct slice in)
{
	encode_field_text(out, "Subject", in, " <x@y>");
}

static void
paragraph(struct str *out, struct slice in)
{
	encode_paragraph(out, 2, in.p);
}

#define X40 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"

static const struct {
	void (*function)(struct str *, struct slice);
	struct slice in, want;
} rows[] = {
	{ quote, SLICE("abc\n"), SLICE("abc\n") },
	{ quote, SLICE("no end"), SLICE("no end\n") },
	{ quote, SLICE("a=b\n"), SLICE("a=3Db\n") },
	{ quote, SLICE("end \nend\t\n"), SLICE("end=20\nend=09\n") },
	{ quote, SLICE("\xc3\xa9\r\0"), SLICE("=C3=A9=0D=00\n") },
	{ quote, SLICE(X40 X40), SLICE(X40 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
	    "=\nxxxxx\n") },
	{ quote, SLICE(""), SLICE("") },
	{ field, SLICE("a b"), SLICE("Name: a b\n") },
	{ field, SLICE(""), SLICE("Name:\n") },
	{ field, SLICE(X40 " " X40 " c"), SLICE("Name: " X40 "\n " X40 " c\n") },
	{ field, SLICE(X40 X40 X40), SLICE("Name: " X40 X40 X40 "\n") },
	{ field_text, SLICE("plain"), SLICE("Subject: plain <x@y>\n") },
	{ field_text, SLICE("\xc3\xa9"), SLICE("Subject: =?utf-8?B?w6k=?= "
	    "<x@y>\n") },
	{ encode_decode_words, SLICE("=?utf-8?Q?a_=C3=A9?="),
	    SLICE("a \xc3\xa9") },
	{ encode_decode_words, SLICE("=?UTF-8?b?w6k=?= =?utf-8?q?x?= y"),
	    SLICE("\xc3\xa9x y") },
	{ encode_decode_words, SLICE("=?iso-8859-1*fr?q?=E9?="),
	    SLICE("\xc3\xa9") },
	{ encode_decode_words, SLICE("a =?koi8-r?q?=C1?= b"),
	    SLICE("a =?koi8-r?q?=C1?= b") },
	{ encode_decode_words, SLICE("=?utf-8?b?####?="),
	    SLICE("=?utf-8?b?####?=") },
	{ encode_decode_words, SLICE("=?utf-8?q?open"),
	    SLICE("=?utf-8?q?open") },
	{ encode_decode_words, SLICE("=?"), SLICE("=?") },
	{ encode_decode_words, SLICE("=?=?=?=?=?=?=?="),
	    SLICE("=?=?=?=?=?=?=?=") },
	{ encode_decode_words, SLICE("=?utf-8?q?=Z9=?="), SLICE("=Z9=") },
	{ paragraph, SLICE("a b"), SLICE("  a b\n") },
	{ paragraph, SLICE(X40 " \xc3\xa9" X40), SLICE("  " X40 "\n  \xc3\xa9"
	    X40 "\n") },
};

static void
test_rows(void)
{
	struct str out = STR_INIT(10000);

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		str_clear(&out);
		rows[i].function(&out, rows[i].in);
		ok(str_ok(&out) && slice_eq(str_slice(&out), rows[i].want),
		    "row %zu: %zu bytes", i, out.len);
	}
	str_free(&out);
}

static void
test_xtext(void)
{
	static const struct {
		const char *in, *want;
	} xtexts[] = {
		{ "bob@x.fr", "bob@x.fr" }, { "a+2Bb+3D", "a+b=" },
		{ "+", "+" }, { "+4", "+4" }, { "+4g", "+4g" },
		{ "+0A+00x", "\n" }, { "", "" },
	};
	char out[20];

	for (size_t i = 0; i < sizeof(xtexts) / sizeof(xtexts[0]); i++) {
		size_t n = encode_decode_xtext(slice_of(xtexts[i].in), out,
		    sizeof(out) - 1);

		out[n] = '\0';
		ok(strcmp(out, xtexts[i].want) == 0, "xtext \"%s\"",
		    xtexts[i].in);
	}
	ok(encode_decode_xtext(SLICE("abcdef"), out, 3) == 3, "xtext is cut");
}

/* Encoded words never split a character and never pass 75 bytes. */
static void
test_long_subject(void)
{
	struct str out = STR_INIT(10000), back = STR_INIT(10000);
	char text[301];
	size_t longest;

	for (size_t i = 0; i < 300; i += 2)
		memcpy(text + i, "\xc3\xa9", 2);
	text[300] = '\0';
	encode_field_text(&out, "Subject", slice_of(text), "");
	longest = encode_longest_line(str_slice(&out));
	ok(longest <= 76, "the longest line has %zu bytes", longest);
	encode_decode_words(&back, slice_make(out.p + 9, out.len - 10));
	ok(slice_eq(str_slice(&back), slice_of(text)), "and it reads back");
	str_free(&out);
	str_free(&back);
}

static void
test_words(void)
{
	const struct words *fr = words_of("fr"), *en = words_of("en");
	size_t i;

	ok(words_of("de") == en && words_of("") == en, "English for the rest");
	for (i = 0; fr->causes[i].detail[0] != '\0'; i++)
		if (strcmp(fr->causes[i].detail, en->causes[i].detail) != 0 ||
		    !encode_is_utf8(slice_of(fr->causes[i].what)) ||
		    !encode_is_ascii(slice_of(en->causes[i].what)) ||
		    fr->causes[i].advice[0] == '\0' ||
		    en->causes[i].advice[0] == '\0')
			break;
	ok(fr->causes[i].detail[0] == '\0' && en->causes[i].detail[0] == '\0',
	    "the same %zu causes in both languages", i);
	ok(strcmp(words_cause(en, "5.1.1")->detail, "1.1") == 0, "5.1.1");
	ok(strcmp(words_cause(en, "4.2.2")->detail, "2.2") == 0, "4.2.2");
	ok(strcmp(words_cause(en, "5.1.10")->detail, "1.10") == 0, "5.1.10");
	ok(strcmp(words_cause(en, "5.1.9")->detail, "1") == 0, "5.1.9");
	ok(strcmp(words_cause(en, "5.7.26")->detail, "7") == 0, "5.7.26");
	ok(strcmp(words_cause(en, "5.0.0")->detail, "") == 0, "5.0.0");
	ok(strcmp(words_cause(en, "5.10.1")->detail, "") == 0, "5.10.1");
	ok(strcmp(words_cause(en, "")->detail, "") == 0, "no status");
	ok(strcmp(words_cause(en, "nonsense")->detail, "") == 0, "nonsense");
}

int
main(void)
{
	test_clean();
	test_rows();
	test_xtext();
	test_long_subject();
	test_words();
	return done();
}
