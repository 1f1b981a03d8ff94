/* test_smtp_data.c - the end of a message, dots, bare CR and LF. */
/* SPDX-License-Identifier: ISC */

#include "smtpd/data.h"

#include <stdlib.h>

#include "tests/unit/tap.h"

#define OUT_MAX 4096

struct row {
	struct slice in;
	struct slice want;	/* LF line ends */
	bool end;
	bool bare;
	size_t left;		/* bytes behind the end */
};

#define S(text) { text, sizeof(text) - 1 }

/* clang-format off */
static const struct row rows[] = {
	{ S(".\r\n"), S(""), true, false, 0 },
	{ S("a\r\n.\r\n"), S("a\n"), true, false, 0 },
	{ S("a\r\n.\r\nMAIL"), S("a\n"), true, false, 4 },
	{ S("..\r\n.\r\n"), S(".\n"), true, false, 0 },
	{ S("..a\r\n.b\r\n.\r\n"), S(".a\nb\n"), true, false, 0 },
	{ S("...\r\n.\r\n"), S("..\n"), true, false, 0 },
	{ S("a.\r\n.\r\n"), S("a.\n"), true, false, 0 },
	{ S("\r\n\r\n.\r\n"), S("\n\n"), true, false, 0 },
	{ S("a\0b\r\n.\r\n"), S("a\0b\n"), true, false, 0 },
	{ S("\377\200\r\n.\r\n"), S("\377\200\n"), true, false, 0 },
	{ S("a"), S("a"), false, false, 0 },
	{ S("a\r"), S("a"), false, false, 0 },
	{ S("a\r\n."), S("a\n"), false, false, 0 },
	{ S("a\r\n.\r"), S("a\n"), false, false, 0 },
	/* Not one of these ends a message. */
	{ S("a\n.\n"), S("a\n.\n"), false, true, 0 },
	{ S("a\n.\r\n"), S("a\n.\n"), false, true, 0 },
	{ S("a\r\n.\n"), S("a\n\n"), false, true, 0 },
	{ S("a\r.\r"), S("a\n."), false, true, 0 },
	{ S("a\r.\r\n"), S("a\n.\n"), false, true, 0 },
	{ S("a\r\n.\rb"), S("a\n\nb"), false, true, 0 },
	{ S("a\r\n.\r\rb"), S("a\n\n\nb"), false, true, 0 },
	{ S("a\r\n\r.\r\n"), S("a\n\n.\n"), false, true, 0 },
	{ S("a\r\r\n.\r\n"), S("a\n\n"), true, true, 0 },
	{ S("a\n\r\n.\r\n"), S("a\n\n"), true, true, 0 },
	{ S("a\r\n\n.\r\n"), S("a\n\n.\n"), false, true, 0 },
	{ S("a\r\n.\0\r\n"), S("a\n\0\n"), false, false, 0 },
	{ S("a\r\n\0.\r\n"), S("a\n\0.\n"), false, false, 0 },
	{ S("a\0.\r\n"), S("a\0.\n"), false, false, 0 },
	{ S("a\r\n. \r\n"), S("a\n \n"), false, false, 0 },
	{ S("a\r\n .\r\n"), S("a\n .\n"), false, false, 0 },
	{ S("a\n.\nb\r\n.\r\nc"), S("a\n.\nb\n"), true, true, 1 },
	{ S("\n"), S("\n"), false, true, 0 },
	{ S("\r\r\r"), S("\n\n"), false, true, 0 },
	{ S("\n\n\n.\r\n"), S("\n\n\n.\n"), false, true, 0 },
};

static const struct row chunks[] = {
	{ S(".\r\n"), S(".\n"), true, false, 0 },
	{ S("a\r\n.\r\nb"), S("a\n.\nb"), true, false, 0 },
	{ S("..\r\n"), S("..\n"), true, false, 0 },
	{ S("no end"), S("no end"), true, false, 0 },
	{ S(""), S(""), true, false, 0 },
	{ S("a\r"), S("a\n"), true, true, 0 },
	{ S("a\nb"), S("a\nb"), true, true, 0 },
	{ S("a\rb"), S("a\nb"), true, true, 0 },
};
/* clang-format on */

/* In pieces of step bytes, each in memory of its own size. */
static void
run(const struct row *r, bool is_chunk, size_t step, size_t number)
{
	char out[OUT_MAX];
	struct data d;
	size_t at = 0, len = 0;

	data_init(&d, is_chunk);
	while (at < r->in.len && d.state != DATA_END) {
		size_t n = r->in.len - at < step ? r->in.len - at : step;
		size_t had = len, used;
		char *in = malloc(n);

		if (in == NULL)
			exit(1);
		memcpy(in, r->in.p + at, n);
		used = data_feed(&d, slice_make(in, n), out, &len);
		free(in);
		if (len > OUT_MAX || len - had > n + 1 || used > n)
			exit(1);
		at += used;
		if (used < n && d.state != DATA_END)
			exit(1);
	}
	if (is_chunk) {
		size_t n = 0;

		data_finish(&d, out + len, &n);
		len += n;
	}
	ok(slice_eq(slice_make(out, len), r->want) &&
	    (d.state == DATA_END) == r->end && d.bare == r->bare &&
	    r->in.len - at == r->left,
	    "%s row %zu by %zu", is_chunk ? "BDAT" : "DATA", number, step);
}

static void
test_size(void)
{
	char out[64];
	struct data d;
	size_t len = 0;

	data_init(&d, false);
	(void)data_feed(&d, SLICE("abc\r\n..\r\n12345\r\n.\r\n"), out, &len);
	ok(d.size == 5 + 3 + 7, "size counts CRLF as two, no stuffing");
	ok(d.line_longest == 5, "the longest line");
}

int
main(void)
{
	for (size_t step = 1; step < 20; step++) {
		for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
			run(&rows[i], false, step, i);
		for (size_t i = 0; i < sizeof(chunks) / sizeof(chunks[0]); i++)
			run(&chunks[i], true, step, i);
	}
	test_size();
	return done();
}
