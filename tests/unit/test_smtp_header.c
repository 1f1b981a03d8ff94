/* test_smtp_header.c - what a header has, and where it ends. */
/* SPDX-License-Identifier: ISC */

#include "smtpd/header.h"

#include "tests/unit/tap.h"

#define ALL (HEADER_DATE | HEADER_FROM | HEADER_MESSAGE_ID)

/* clang-format off */
static const struct {
	const char *in;
	bool ended, blank;
	size_t at;		/* where it ends, when it does */
	unsigned seen, received;
} rows[] = {
	{ "\nbody\n", true, true, 0, 0, 0 },
	{ "From: a\nDate: b\nMessage-ID: c\n\nx", true, true, 30, ALL, 0 },
	{ "FROM : a\nmessage-id\t: c\n\n", true, true, 24,
	  HEADER_FROM | HEADER_MESSAGE_ID, 0 },
	{ "Subject: a\n From: b\n\n", true, true, 20, 0, 0 },
	{ "Subject: a\n\tDate: b\n\n", true, true, 20, 0, 0 },
	{ "Hello world\n\n", true, false, 0, 0, 0 },
	{ " From: a\n", true, false, 0, 0, 0 },
	{ "From: a\njunk line\nDate: b\n\n", true, true, 26,
	  HEADER_FROM | HEADER_DATE, 0 },
	{ "Received: a\nRECEIVED: b\nReceived-SPF: c\n\n", true, true, 40, 0,
	  2 },
	{ "From: a\n", false, false, 8, HEADER_FROM, 0 },
	{ "From", false, false, 0, 0, 0 },
	{ ": a\n\n", true, false, 0, 0, 0 },
	{ "\303\251: a\n", true, false, 0, 0, 0 },
	{ "X: From: a\n\nDate: b\n", true, true, 11, 0, 0 },
	{ "Resent-From: a\n\n", true, true, 15, 0, 0 },
};
/* clang-format on */

/* As content.c does it: what is undecided is given again with more. */
static void
run(size_t row, size_t step)
{
	struct slice in = slice_of(rows[row].in);
	struct header h = { .seen = 0 };
	size_t at = 0, end = 0;

	while (!h.ended && end < in.len) {
		end = in.len - end < step ? in.len : end + step;
		at += header_scan(&h, slice_make(in.p + at, end - at));
	}
	ok(h.ended == rows[row].ended && h.blank == rows[row].blank &&
	    at == rows[row].at && h.seen == rows[row].seen &&
	    h.received == rows[row].received, "row %zu by %zu: at %zu", row,
	    step, at);
}

int
main(void)
{
	struct header h = { .seen = 0 };
	char name[HEADER_NAME_MAX + 8];

	for (size_t step = 1; step < 45; step++)
		for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
			run(i, step);
	memset(name, 'a', sizeof(name));
	ok(header_scan(&h, slice_make(name, sizeof(name))) == 0 && h.ended,
	    "a name without an end is none");
	return done();
}
