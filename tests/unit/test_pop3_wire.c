/* test_pop3_wire.c - the bytes of a message on POP3's wire. */
/* SPDX-License-Identifier: ISC */

#include <stdlib.h>

#include "lib/wire.h"
#include "tests/unit/tap.h"

/* clang-format off */
static const struct row {
	const char *name;
	struct slice in, want;
} rows[] = {
	{ "empty", SLICE(""), SLICE(".\r\n") },
	{ "one line", SLICE("a\n"), SLICE("a\r\n.\r\n") },
	{ "no final newline", SLICE("a"), SLICE("a\r\n.\r\n") },
	{ "only a newline", SLICE("\n"), SLICE("\r\n.\r\n") },
	{ "a dot", SLICE("."), SLICE("..\r\n.\r\n") },
	{ "a dot line", SLICE(".\n"), SLICE("..\r\n.\r\n") },
	{ "dots", SLICE("..\n.a\nb.\n"), SLICE("...\r\n..a\r\nb.\r\n.\r\n") },
	{ "empty lines", SLICE("a\n\n\nb\n"), SLICE("a\r\n\r\n\r\nb\r\n.\r\n") },
	{ "CRLF stays", SLICE("a\r\n.b\r\n"), SLICE("a\r\n..b\r\n.\r\n") },
	{ "bare CR", SLICE("a\rb\n"), SLICE("a\r\nb\r\n.\r\n") },
	{ "bare CR, dot", SLICE("a\r.\r\n"), SLICE("a\r\n..\r\n.\r\n") },
	{ "two CR", SLICE("a\r\r\nb"), SLICE("a\r\n\r\nb\r\n.\r\n") },
	{ "CR at the end", SLICE("a\r"), SLICE("a\r\n.\r\n") },
	{ "only CR", SLICE("\r"), SLICE("\r\n.\r\n") },
	{ "NUL and 8 bit", SLICE("a\0b\xff\xe9\n\0"),
	    SLICE("a\0b\xff\xe9\r\n\0\r\n.\r\n") },
};

static const struct top_row {
	const char *name;
	uint64_t lines;
	struct slice in, want;
} tops[] = {
	{ "header only", 0, SLICE("A: b\nC: d\n\nbody\n"), SLICE("A: b\nC: d\n\n") },
	{ "one line", 1, SLICE("A: b\n\none\ntwo\n"), SLICE("A: b\n\none\n") },
	{ "more than there is", 9, SLICE("A: b\n\none\n"), SLICE("A: b\n\none\n") },
	{ "no body", 3, SLICE("A: b\n"), SLICE("A: b\n") },
	{ "no header", 1, SLICE("\nx\ny\n"), SLICE("\nx\n") },
	{ "empty body lines", 2, SLICE("A:\n\n\n\nz\n"), SLICE("A:\n\n\n\n") },
	{ "CRLF", 1, SLICE("A:\r\n\r\nx\r\ny\r\n"), SLICE("A:\r\n\r\nx\r") },
	{ "huge number", UINT64_MAX, SLICE("A:\n\nx"), SLICE("A:\n\nx") },
};
/* clang-format on */

/* Feeds in pieces of n bytes; the result in out, its length returned. */
static size_t
run_wire(struct slice in, size_t n, char *out, uint64_t *size)
{
	struct wire w = WIRE_INIT;
	struct wire_size s = WIRE_SIZE_INIT;
	size_t len = 0;

	for (size_t i = 0; i < in.len; i += n) {
		struct slice piece = slice_make(in.p + i,
		    in.len - i < n ? in.len - i : n);
		/* Exactly the room that was promised, so that ASan sees more. */
		char *room = malloc(WIRE_ROOM(piece.len));
		size_t got = wire_feed(&w, piece, room);

		memcpy(out + len, room, got);
		free(room);
		len += got;
		wire_size_feed(&s, piece);
	}
	len += wire_end(&w, out + len);
	*size = wire_size_end(&s);
	return len;
}

/* Undoes dot-stuffing and the final dot: what a client sees, as a size. */
static uint64_t
seen_size(struct slice wire)
{
	uint64_t n = wire.len - 3;

	for (size_t i = 0; i + 3 < wire.len; i++)
		if (wire.p[i] == '.' && (i == 0 || wire.p[i - 1] == '\n'))
			n--;
	return n;
}

static void
test_rows(void)
{
	char out[256];
	uint64_t size;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		for (size_t n = 1; n <= 8; n++) {
			size_t len = run_wire(rows[i].in, n, out, &size);

			ok(slice_eq(slice_make(out, len), rows[i].want) &&
			    size == seen_size(rows[i].want),
			    "%s, pieces of %zu", rows[i].name, n);
		}
}

static void
test_tops(void)
{
	for (size_t i = 0; i < sizeof(tops) / sizeof(tops[0]); i++)
		for (size_t n = 1; n <= 20; n += 6) {
			struct wire_top t = wire_top_init(tops[i].lines);
			struct slice in = tops[i].in;
			size_t len = 0;

			while (in.len > 0 && !t.done) {
				size_t part = in.len < n ? in.len : n;

				len += wire_top_feed(&t,
				    slice_make(in.p, part));
				in = slice_skip(in, part);
			}
			ok(len == tops[i].want.len, "TOP %s, pieces of %zu: "
			    "%zu bytes", tops[i].name, n, len);
		}
}

/* Random texts of the bytes that matter: whole and in pieces alike, the
 * announced size right, no bare CR or LF, one lonely dot: the last. */
static void
test_random(void)
{
	static const char bytes[] = "\r\n.ab";
	char in[64], whole[256], parts[256];
	uint64_t size, again;
	bool good = true;

	srandom(20261121);
	for (size_t i = 0; i < 200000 && good; i++) {
		size_t n = (size_t)random() % sizeof(in), a, b;

		for (size_t j = 0; j < n; j++)
			in[j] = bytes[random() % 5];
		a = run_wire(slice_make(in, n), 64, whole, &size);
		b = run_wire(slice_make(in, n), 1 + (size_t)random() % 7,
		    parts, &again);
		good = a == b && memcmp(whole, parts, a) == 0 &&
		    size == again && size == seen_size(slice_make(whole, a));
		for (size_t j = 0; j < a && good; j++)
			good = (whole[j] == '\n') ==
			    (j > 0 && whole[j - 1] == '\r') &&
			    (whole[j] != '.' || j + 3 == a ||
			    (j > 0 && whole[j - 1] != '\n') ||
			    whole[j + 1] == '.');
	}
	ok(good, "random texts");
}

int
main(void)
{
	test_rows();
	test_tops();
	test_random();
	return done();
}
