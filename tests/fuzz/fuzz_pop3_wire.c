/* fuzz_pop3_wire.c - any stored message, in any pieces, on POP3's wire. */
/* SPDX-License-Identifier: ISC */

#include <stdint.h>
#include <stdlib.h>

#include "lib/wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
must(int cond)
{
	if (!cond)
		abort();
}

/* No bare CR or LF; one line that is a dot alone: the last. */
static void
check(const char *p, size_t len, uint64_t size)
{
	uint64_t stuffed = 0;

	must(len >= 3);
	for (size_t i = 0; i < len; i++) {
		bool first = i == 0 || p[i - 1] == '\n';

		must((p[i] == '\n') == (i > 0 && p[i - 1] == '\r'));
		if (first && p[i] == '.' && i + 3 < len) {
			must(p[i + 1] == '.');
			stuffed++;
		}
	}
	must(memcmp(p + len - 3, ".\r\n", 3) == 0);
	must(size + stuffed + 3 == len);
}

/* The first byte is the length of the pieces, the second TOP's lines. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct wire w = WIRE_INIT;
	struct wire_size total = WIRE_SIZE_INIT;
	struct wire_top top;
	char *out, *p;
	size_t step;

	if (size < 2)
		return 0;
	step = data[0] == 0 ? size : data[0];
	top = wire_top_init(data[1]);
	data += 2;
	size -= 2;
	if ((out = malloc(WIRE_ROOM(size) + size + WIRE_END_ROOM)) == NULL)
		return 0;
	p = out;
	for (size_t i = 0; i < size; i += step) {
		struct slice in = slice_make(data + i,
		    size - i < step ? size - i : step);
		struct slice kept = in;

		wire_size_feed(&total, in);
		kept.len = wire_top_feed(&top, in);
		must(kept.len <= in.len && (kept.len == in.len || top.done));
		p += wire_feed(&w, in, p);
	}
	p += wire_end(&w, p);
	check(out, (size_t)(p - out), wire_size_end(&total));
	free(out);
	return 0;
}
