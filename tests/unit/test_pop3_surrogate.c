/* test_pop3_surrogate.c - the header of a message for who has not said UTF8. */
/* SPDX-License-Identifier: ISC */

#include "pop3d/surrogate.h"

#include "lib/str.h"
#include "tests/unit/tap.h"

#define NOWHERE "<invalid@internationalized-address-removed.invalid>"

#define MIXED "Content-Type: multipart/mixed; boundary=\"b\"\n\n"
#define SPACES "                                                              " \
	"                                                                      "

/* clang-format off */
static const struct {
	const char *what, *in, *want;
} rows[] = {
	{ "ASCII stays as it is",
	  "Subject:  a\r\n\tb\r\nX-Y: z\r\n\r\n\303\251 body\r\n",
	  "Subject:  a\r\n\tb\r\nX-Y: z\r\n\r\n\303\251 body\r\n" },
	{ "a subject becomes encoded words",
	  "Subject: \303\251t\303\251\nTo: a@b.test\n\nx\n",
	  "Subject: =?utf-8?B?w6l0w6k=?=\nTo: a@b.test\n\nx\n" },
	{ "a name is encoded, its address stays",
	  "From: Jos\303\251 <jose@b.test>\n\n",
	  "From: =?utf-8?B?Sm9zw6k=?= <jose@b.test>\n\n" },
	{ "an address that is not ASCII is shown, and leads nowhere",
	  "From: \303\251@b.test\n\n",
	  "From: =?utf-8?B?w6lAYi50ZXN0?= " NOWHERE "\n\n" },
	{ "one of several, the others stay",
	  "To: a@b.test, \"Doe, John\" <c@d.test>,\n <\303\251@x.test> (c, d)\n\n",
	  "To: a@b.test,\n \"Doe, John\" <c@d.test>,\n "
	  "=?utf-8?B?PMOpQHgudGVzdD4gKGMsIGQp?= " NOWHERE "\n\n" },
	{ "a group loses its name",
	  "To: les amis: \303\251@x.test, b@c.test;, d@e.test\n\n",
	  "To: =?utf-8?B?w6lAeC50ZXN0?= " NOWHERE ",\n b@c.test,\n d@e.test\n\n" },
	{ "other fields are left out",
	  "Received: from x for <\303\251@b.test>;\n now\nX-A: \303\251\nDate: d\n\n",
	  "Date: d\n\n" },
	{ "what is no UTF-8 does not get through",
	  "Subject: \351t\n\n", "Subject: ?t\n\n" },
	{ "what is no field is left out",
	  "A: b\n\303\251 nothing\nC: d\n\n", "A: b\nC: d\n\n" },
	{ "a header without an end",
	  "Subject: \303\251", "Subject: =?utf-8?B?w6k=?=\n" },
	{ "nothing", "", "" },
	{ "parameters that are not ASCII are left out, the others stay",
	  "Content-Type: text/plain; charset=utf-8;\n name=\"\303\251;.txt\"; x=y\n\n\303\251",
	  "Content-Type: text/plain;\n charset=utf-8;\n x=y\n\n\303\251" },
	{ "a disposition without its name",
	  "Content-Disposition: attachment; filename=\303\251\n\n",
	  "Content-Disposition: attachment\n\n" },
	{ "the headers of parts, not their bodies",
	  MIXED "\303\251: before\n--b\n"
	  "Content-Disposition: attachment; filename=\303\251\n"
	  "Content-Description: \303\251\nX: \303\251\n\n\303\251\n-- \n\303\251: x\n"
	  "--b  \r\n\nX: \303\251\n--c\n--b--\nX: \303\251\n--b\nX: \303\251\n",
	  MIXED "\303\251: before\n--b\n"
	  "Content-Disposition: attachment\n"
	  "Content-Description: =?utf-8?B?w6k=?=\n\n\303\251\n-- \n\303\251: x\n"
	  "--b  \r\n\nX: \303\251\n--c\n--b--\nX: \303\251\n--b\nX: \303\251\n" },
	{ "parts of parts; the outer delimiter ends the inner ones",
	  MIXED "--b\nContent-Type: Multipart/X;\n\tBOUNDARY = c\n\n"
	  "--c\nX: \303\251\n\n\303\251\n--b\nX: \303\251\nY: z\n\n--c\nX: \303\251\n",
	  MIXED "--b\nContent-Type: Multipart/X;\n\tBOUNDARY = c\n\n"
	  "--c\n\n\303\251\n--b\nY: z\n\n--c\nX: \303\251\n" },
	{ "messages in messages",
	  "Content-Type: message/global\n\nContent-Type: message/rfc822\nSubject: \303\251\n\n"
	  "From: \303\251@b.test\n\n\303\251: body\n",
	  "Content-Type: message/global\n\nContent-Type: message/rfc822\nSubject: =?utf-8?B?w6k=?=\n\n"
	  "From: =?utf-8?B?w6lAYi50ZXN0?= " NOWHERE "\n\n\303\251: body\n" },
	{ "a digest",
	  "Content-Type: multipart/digest; boundary=b\n\n--b\n\nSubject: \303\251\n\n\303\251: x\n--b--\n",
	  "Content-Type: multipart/digest; boundary=b\n\n--b\n\nSubject: =?utf-8?B?w6k=?=\n\n\303\251: x\n--b--\n" },
	{ "a header that a delimiter ends, and a last line without an end",
	  MIXED "--b\nX: \303\251\n--b\nA: b\n\n\303\251\n--b",
	  MIXED "--b\n--b\nA: b\n\n\303\251\n--b" },
	{ "lines that only begin like delimiters",
	  MIXED "--bb\nX: \303\251\n-\n--b -\nX: \303\251\n--b" SPACES "\303\251\n--b\n--x: y\n z\nX: \303\251\n\n",
	  MIXED "--bb\nX: \303\251\n-\n--b -\nX: \303\251\n--b" SPACES "\303\251\n--b\n--x: y\n z\n\n" },
	{ "a multipart without a boundary",
	  "Content-Type: multipart/mixed\n\n--b\nX: \303\251\n",
	  "Content-Type: multipart/mixed\n\n--b\nX: \303\251\n" },
};

static const struct {
	const char *in;
	bool needed;
} marks[] = {
	{ "Delivered-To: x\nReceived: from a\n\tby b (M) with UTF8SMTPS id 1;\n\tnow\n\n", true },
	{ "Received: from a\n\tby b with ESMTPS id 1;\n\tnow\nReceived: by c with UTF8SMTP id 2\n\n", true },
	{ "Received: from a by b with ESMTPS id 1\nSubject: \303\251\n\n", false },
	{ "Received: a with ESMTP\n\nReceived: b with UTF8SMTP\n", false },
	{ "Received: from a by b\n\twith UTF8SMTP id 1\n\n", true },
	{ "X: a with UTF8SMTP\n\n", false },
	{ "", false },
};
/* clang-format on */

static void
put(void *arg, struct slice bytes)
{
	str_put(arg, bytes);
}

/* in, given in pieces of step bytes. */
static struct str
convert(struct slice in, size_t step)
{
	struct str out = STR_INIT(1 << 20);
	struct surrogate s;

	surrogate_init(&s, put, &out);
	while (in.len > 0) {
		size_t n = in.len < step ? in.len : step;

		surrogate_feed(&s, slice_make(in.p, n));
		in = slice_skip(in, n);
	}
	surrogate_end(&s);
	return out;
}

/* Longer than any field that is taken apart. */
static void
try_long(void)
{
	struct str in = STR_INIT(1 << 20), out;
	bool ascii = true;

	str_puts(&in, "To: ");
	while (in.len < 3 * SURROGATE_FIELD)
		str_puts(&in, "\303\251@b.test,\n ");
	str_puts(&in, "c@d.test\nDate: d\n\n\303\251");
	out = convert(str_slice(&in), 1000);
	for (size_t i = 0; i + 2 < out.len; i++)
		ascii = ascii && (unsigned char)out.p[i] < 0x80;
	ok(ascii && out.len == in.len && memcmp(out.p + out.len - 11,
	    "Date: d\n\n\303\251", 11) == 0,
	    "a field that is too long is masked, the next one is not");
	str_free(&in);
	str_free(&out);
}

int
main(void)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		for (size_t step = 1; step < 1000; step += step < 4 ? 1 : 496) {
			struct str out = convert(slice_of(rows[i].in), step);

			if (!ok(slice_eq(str_slice(&out),
			    slice_of(rows[i].want)), "%s, %zu bytes a piece",
			    rows[i].what, step))
				printf("# [%s]\n", str_c(&out));
			str_free(&out);
		}
	for (size_t i = 0; i < sizeof(marks) / sizeof(marks[0]); i++)
		ok(surrogate_is_needed(slice_of(marks[i].in)) ==
		    marks[i].needed, "mark %zu", i);
	try_long();
	return done();
}
