/* fuzz_submission.c - any bytes as a message given to sendmail(8). */
/* SPDX-License-Identifier: ISC */

#include "tools/submission.h"

#include "lib/hdr.h"
#include "tests/fuzz/must.h"

static const struct submission_defaults defaults = { "bob@exemple.test",
	"Zo\xc3\xa9 \"la\" Poste", "exemple.test",
	"Sat, 21 Nov 2026 10:00:00 +0100", "<id@exemple.test>" };

/* A completed header has what RFC 6409 8 asks for, and nothing secret. */
static void
check_header(struct slice header)
{
	bool date = false, from = false, id = false;
	struct hdr_field f;

	while (hdr_next(&header, &f) == HDR_FIELD) {
		date |= hdr_is(&f, "Date");
		from |= hdr_is(&f, "From");
		id |= hdr_is(&f, "Message-ID");
		must(!hdr_is(&f, "Bcc") && !hdr_is(&f, "Resent-Bcc"));
	}
	must(date && from && id && header.len == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct submission_input in = { .ignore_dots = size > 0 && data[0] & 1 };
	struct str text = STR_INIT(1 << 20), out = STR_INIT(1 << 20);
	struct recipients r = { .n = 0 };
	struct slice body;
	size_t piece = size > 0 ? data[0] / 2 + 1u : 1;
	char why[100];

	for (size_t i = 0; i < size; i += piece)
		submission_feed(&in, slice_make(data + i,
		    piece < size - i ? piece : size - i), &text);
	submission_finish(&in, &text);
	must(!str_ok(&text) || text.len <= size + 1);
	must(memchr(str_c(&text), '\r', text.len) == NULL);
	if (str_ok(&text) && submission_header(str_slice(&text), &defaults,
	    true, &r, &out, &body, why, sizeof(why)) == 0) {
		check_header(str_slice(&out));
		recipients_unique(&r);
		for (size_t i = 1; i < r.n; i++)
			must(strcmp(r.v[i - 1], r.v[i]) < 0);
	}
	recipients_free(&r);
	str_free(&text);
	str_free(&out);
	return 0;
}
