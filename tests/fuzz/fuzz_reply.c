/* fuzz_reply.c - any bytes as replies of a server and as its EHLO. */
/* SPDX-License-Identifier: ISC */

#include "remote/reply.h"

#include <string.h>

#include "tests/fuzz/must.h"

/* What a result may carry: one line, printable. */
static void
check(const struct reply_parser *r)
{
	must(r->code >= 200 && r->code <= 599);
	must(strlen(r->text) == r->len && r->len <= QUEUE_TEXT_MAX);
	must(r->enhanced[0] == (char)('0' + r->code / 100));
	for (size_t i = 0; i < r->len; i++)
		must((unsigned char)r->text[i] >= ' ' && r->text[i] != 0x7f);
	must(r->lines <= REPLY_LINES_MAX);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice rest = slice_make(data, size);
	struct extensions e = { 0 };
	struct reply_parser r;

	reply_begin(&r);
	while (rest.p != NULL) {
		struct slice line = slice_cut(&rest, '\n');

		if (line.len > REPLY_LINE_MAX)
			line.len = REPLY_LINE_MAX;
		extension_line(&e, line);
		if (reply_line(&r, line) == -1)
			reply_begin(&r);
		else {
			check(&r);
			if (r.done)
				reply_begin(&r);
		}
	}
	must(e.rcpt_max <= 1000000);
	return 0;
}
