/* fuzz_trace.c - any bytes as a log. */
/* SPDX-License-Identifier: ISC */

#include "tools/trace.h"

#include "tests/fuzz/must.h"

/* What reaches a terminal has no control byte but the line end. */
static void
check_told(const struct trace *t, bool french)
{
	char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);

	must(f != NULL);
	trace_tell(f, t, french);
	trace_tell_json(f, t, french);
	fclose(f);
	for (size_t i = 0; i < len; i++)
		must(text[i] == '\n' || ((unsigned char)text[i] >= ' ' &&
		    text[i] != 0x7f));
	free(text);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *queries[] = { "m1", "bob@x.fr", "-" };
	struct slice text = slice_make(data, size);
	struct trace t;
	size_t half;

	for (size_t i = 0; i < sizeof(queries) / sizeof(*queries); i++) {
		must(trace_begin(&t, queries[i]) == 0);
		half = trace_scan(&t, slice_make(data, size / 2), 0);
		must(half <= size / 2);
		must(trace_scan(&t, text, half) <= size);
		check_told(&t, i & 1);
		trace_free(&t);
	}
	return 0;
}
