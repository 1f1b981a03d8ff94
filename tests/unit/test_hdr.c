/* test_hdr.c - header fields and address lists (RFC 5322). */
/* SPDX-License-Identifier: ISC */

#include "lib/hdr.h"

#include <stdio.h>
#include <stdlib.h>

#include "tests/unit/tap.h"

/* clang-format off */
static const struct {
	const char *text;
	const char *fields;	/* "name=value|" of each, folds as they are */
	enum hdr_next end;
	const char *rest;
} headers[] = {
	{ "A: b\n\nbody\n", "A=b|", HDR_END, "body\n" },
	{ "A: b\r\n\r\nbody\n", "A=b|", HDR_END, "body\n" },
	{ "A: b\nC:d\n", "A=b|C=d|", HDR_END, "" },
	{ "A: b\n c\n\td\nE: f\n\n", "A=b\n c\n\td|E=f|", HDR_END, "" },
	{ "A : b\n\n", "A=b|", HDR_END, "" },
	{ "A:\n\n", "A=|", HDR_END, "" },
	{ "A:\n b\n\n", "A=b|", HDR_END, "" },
	{ "A: b", "A=b|", HDR_END, "" },
	{ "\nbody", "", HDR_END, "body" },
	{ "", "", HDR_END, "" },
	{ "A: b\nno field\n", "A=b|", HDR_NO_FIELD, "no field\n" },
	{ " folded: at once\n", "", HDR_NO_FIELD, " folded: at once\n" },
	{ ": no name\n", "", HDR_NO_FIELD, ": no name\n" },
	{ "caf\xc3\xa9: x\n", "", HDR_NO_FIELD, "caf\xc3\xa9: x\n" },
	{ "A b: c\n", "", HDR_NO_FIELD, "A b: c\n" },
	{ "A: b\n \n\nx", "A=b|", HDR_END, "x" },
};

static const struct {
	const char *value;
	const char *want;	/* each with "|" behind it; NULL: no list */
} lists[] = {
	{ "a@b", "a@b|" }, { "a@b,c@d", "a@b|c@d|" }, { "", "" }, { " , ,", "" },
	{ "alice", "alice|" }, { "a.b@c.d", "a.b@c.d|" },
	{ "Pierre Martin <p@m.fr>", "p@m.fr|" },
	{ "\"Martin, Pierre\" <p@m.fr>, x@y", "p@m.fr|x@y|" },
	{ "John Q. Public <j@p>", "j@p|" },
	{ "<a@b>", "a@b|" }, { "a@b (comment, (nested \\) ) x), c@d", "a@b|c@d|" },
	{ "a (x) @ (y) b . c", "a@b.c|" }, { "a@\r\n b", "a@b|" },
	{ "\"a b\"@c", "\"a b\"@c|" }, { "\"a\\\"b\"@c", "\"a\\\"b\"@c|" },
	{ "\"a,b\"@c, d@e", "\"a,b\"@c|d@e|" }, { "a@[192.0.2.1]", "a@[192.0.2.1]|" },
	{ "x <a@[IPv6:2001:db8::1]>", "a@[IPv6:2001:db8::1]|" },
	{ "group: a@b, c@d;", "a@b|c@d|" }, { "group:;", "" },
	{ "undisclosed-recipients:;, a@b", "a@b|" },
	{ "\"my group\" x: Name <a@b>, c@d; , e@f", "a@b|c@d|e@f|" },
	{ "<@a,@b:c@d>", "c@d|" }, { "x <@a:c@d> (y)", "c@d|" },
	{ "zo\xc3\xa9@x.fr", "zo\xc3\xa9@x.fr|" },
	{ "=?UTF-8?Q?Zo=C3=A9?= <z@x>", "z@x|" },
	{ "a@b c@d", NULL }, { "a b", NULL }, { "a <b@c", NULL }, { "a@b>", NULL },
	{ "<>", NULL }, { "<a@b> c", NULL }, { "<a@b> <c@d>", NULL },
	{ "<a b@c>", NULL }, { "(a@b", NULL }, { "a@b)", NULL }, { "\"a@b", NULL },
	{ "a@[b", NULL }, { "g: a@b", NULL }, { "a@b;", NULL }, { "g: h: a@b;;", NULL },
	{ "<x:a@b>", NULL }, { "a\\b@c", NULL }, { "a@b\x01", NULL }, { ":", NULL },
};
/* clang-format on */

struct seen {
	char text[1000];
	size_t calls, stop_at;
};

static bool
note(void *arg, struct slice address)
{
	struct seen *s = arg;
	size_t len = strlen(s->text);

	snprintf(s->text + len, sizeof(s->text) - len, "%.*s|",
	    SLICE_FMT(address));
	return ++s->calls != s->stop_at;
}

static void
test_headers(void)
{
	char got[1000];

	for (size_t i = 0; i < sizeof(headers) / sizeof(*headers); i++) {
		struct slice rest = slice_of(headers[i].text);
		struct hdr_field f;
		enum hdr_next r;
		size_t n = 0;

		got[0] = '\0';
		while ((r = hdr_next(&rest, &f)) == HDR_FIELD)
			n += (size_t)snprintf(got + n, sizeof(got) - n,
			    "%.*s=%.*s|", SLICE_FMT(f.name),
			    SLICE_FMT(f.value));
		ok(r == headers[i].end && strcmp(got, headers[i].fields) == 0 &&
		    slice_eq(rest, slice_of(headers[i].rest)),
		    "header row %zu", i);
	}
}

static void
test_lists(void)
{
	struct slice bad;

	for (size_t i = 0; i < sizeof(lists) / sizeof(*lists); i++) {
		struct seen s = { .text = "" };
		int r = hdr_addresses(slice_of(lists[i].value), note, &s, &bad);

		ok(lists[i].want == NULL ? r == -1 :
		    r == 0 && strcmp(s.text, lists[i].want) == 0,
		    "list row %zu: %s", i, s.text);
	}
	struct seen s = { .text = "", .stop_at = 2 };
	ok(hdr_addresses(SLICE("a@b, c@d, e@f"), note, &s, &bad) == -1 &&
	    s.calls == 2, "the walk ends when it is told to");
}

/* Depth and length do no harm. */
static void
test_hostile(void)
{
	size_t n = 1000000;
	char *text = malloc(n);
	struct seen s = { .text = "" };
	struct slice bad;

	if (text == NULL)
		return;
	memset(text, '(', n);
	ok(hdr_addresses(slice_make(text, n), note, &s, &bad) == -1,
	    "a million comments inside each other");
	memset(text, 'a', n);
	ok(hdr_addresses(slice_make(text, n), note, &s, &bad) == -1,
	    "an address of a million bytes");
	memcpy(text + n - 5, "<a@b>", 5);
	ok(hdr_addresses(slice_make(text, n), note, &s, &bad) == 0 &&
	    strcmp(s.text, "a@b|") == 0, "a name of a million bytes");
	memset(text, ',', n);
	ok(hdr_addresses(slice_make(text, n), note, &s, &bad) == 0,
	    "a million commas");
	free(text);
}

static void
test_quoted(void)
{
	/* clang-format off */
	static const struct {
		const char *text, *want;
	} rows[] = {
		{ "Doe, John", "\"Doe, John\"" },
		{ "", "\"\"" },
		{ "a \"b\" \\c", "\"a \\\"b\\\" \\\\c\"" },
	};
	/* clang-format on */

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct str out = STR_INIT(100);

		hdr_put_quoted(&out, rows[i].text);
		ok(slice_eq(str_slice(&out), slice_of(rows[i].want)),
		    "quoted: %s", rows[i].text);
		str_free(&out);
	}
}

/* What is put into References of a notice or an answer. */
static void
test_message_ids(void)
{
	/* clang-format off */
	static const struct {
		const char *text;
		bool want;
	} rows[] = {
		{ "<a@b>", true }, { "<1.2=x/y@[192.0.2.1]>", true },
		{ "<@>", false }, { "<a@b", false }, { "a@b>", false },
		{ "<@ab>", false }, { "<ab@>", false }, { "<ab>", false }, { "<a@b@c>", false }, { "<a b@c>", false },
		{ "<a@b>\nX: y@z>", false }, { "<<a@b>", false },
		{ "<\"a\"@b>", false }, { "<a\\@b>", false },
		{ "<a\x7f@b>", false }, { "<\xc3\xa9@b>", false }, { "", false },
	};
	/* clang-format on */
	char text[HDR_MESSAGE_ID_MAX + 2];

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		ok(hdr_is_message_id(slice_of(rows[i].text)) == rows[i].want,
		    "message id row %zu", i);
	memset(text, 'a', sizeof(text));
	memcpy(text, "<a@", 3);
	text[HDR_MESSAGE_ID_MAX - 1] = '>';
	ok(hdr_is_message_id(slice_make(text, HDR_MESSAGE_ID_MAX)),
	    "the longest message id");
	text[HDR_MESSAGE_ID_MAX - 1] = 'a';
	text[HDR_MESSAGE_ID_MAX] = '>';
	ok(!hdr_is_message_id(slice_make(text, HDR_MESSAGE_ID_MAX + 1)),
	    "a byte longer");
}

int
main(void)
{
	test_headers();
	test_lists();
	test_hostile();
	test_quoted();
	test_message_ids();
	return done();
}
