/* test_csv.c - rows of a file of comma-separated values. */
/* SPDX-License-Identifier: ISC */

#include "tools/csv.h"
#include "tests/unit/tap.h"

#include <stdio.h>

/* What a file comes to: cells in brackets, rows on lines; "!" is a refusal. */
static const struct {
	const char *name, *file, *want;
} rows[] = {
	{ "commas", "a,b\n1,2\n", "[a][b]\n[1][2]\n" },
	{ "semicolons", "a;b,c\n1;2\n", "[a][b,c]\n[1][2]\n" },
	{ "tabs", "a\tb\n1\t\n", "[a][b]\n[1][]\n" },
	{ "one column", "a\n1\n", "[a]\n[1]\n" },
	{ "a mark, CR LF, no last end", "\xef\xbb\xbf" "a;b\r\n1;2",
	  "[a][b]\n[1][2]\n" },
	{ "quotes", "a,b\n\"1,\"\"x\"\"\",\" 2 \"\n", "[a][b]\n[1,\"x\"][ 2 ]\n" },
	{ "a line end in quotes", "a,b\n\"1\n2\",3\n", "[a][b]\n[1\n2][3]\n" },
	{ "a separator in a quoted title", "\"a;;\",b\n1,2\n",
	  "[a;;][b]\n[1][2]\n" },
	{ "blanks around", "a , b\n 1 ,\t2 \n", "[a][b]\n[1][2]\n" },
	{ "empty lines and rows", "a,b\n\n,\n \n1,2\n\n", "[a][b]\n[1][2]\n" },
	{ "UTF-8", "a\n\xc3\xa9\n", "[a]\n[\xc3\xa9]\n" },
	{ "Latin-1", "a\n\xe9\n", "[a]\n[\xc3\xa9]\n" },
	{ "Windows-1252", "a\nb\x9cuf \x80\n",
	  "[a]\n[b\xc5\x93uf \xe2\x82\xac]\n" },
	{ "an open quote", "a,b\n\"1,2\n", "[a][b]\n!" },
	{ "text behind a quote", "a,b\n\"1\"x,2\n", "[a][b]\n!" },
	{ "nothing", "", "" },
	{ "ends only", "\n\r\n\n", "" },
};

static void
test_rows(void)
{
	struct csv_row row;
	struct csv c;
	char got[512];
	size_t n;
	int r;

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		if (csv_open(&c, slice_of(rows[i].file)) == -1) {
			ok(false, "%s is opened", rows[i].name);
			continue;
		}
		got[0] = '\0';
		for (n = 0; (r = csv_next(&c, &row)) == 1;) {
			for (size_t k = 0; k < row.n; k++)
				n += (size_t)snprintf(got + n, sizeof(got) - n,
				    "[%.*s]", SLICE_FMT(row.cells[k]));
			n += (size_t)snprintf(got + n, sizeof(got) - n, "\n");
		}
		if (r == -1)
			snprintf(got + n, sizeof(got) - n, "!");
		ok(strcmp(got, rows[i].want) == 0, "%s: %s", rows[i].name,
		    strcmp(got, rows[i].want) == 0 ? "right" : got);
		csv_close(&c);
	}
}

static void
test_limits(void)
{
	struct csv_row row = { .n = 0 };
	char wide[2 * CSV_CELLS + 2];
	struct csv c;

	ok(csv_open(&c, SLICE("a\0b")) == -1, "no NUL");
	memset(wide, ',', sizeof(wide));
	ok(csv_open(&c, slice_make(wide, CSV_CELLS - 1)) == 0 &&
	    csv_next(&c, &row) == 0, "as many cells as there may be");
	csv_close(&c);
	ok(csv_open(&c, slice_make(wide, CSV_CELLS)) == 0 &&
	    csv_next(&c, &row) == -1, "and one more");
	csv_close(&c);
	ok(csv_open(&c, SLICE("a\n\n\"x\ny\"\nz\n")) == 0 &&
	    csv_next(&c, &row) == 1 && row.line == 1 &&
	    csv_next(&c, &row) == 1 && row.line == 3 &&
	    csv_next(&c, &row) == 1 && row.line == 5, "lines are counted");
	csv_close(&c);
}

int
main(void)
{
	test_rows();
	test_limits();
	return done();
}
