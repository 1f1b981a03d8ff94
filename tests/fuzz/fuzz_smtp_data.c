/* fuzz_smtp_data.c - any bytes as content: the same in one piece and in many. */
/* SPDX-License-Identifier: ISC */

#include <stdint.h>
#include <stdlib.h>

#include "smtpd/data.h"
#include "smtpd/header.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct result {
	char *out;
	size_t len, used;
	struct data state;
};

static void
decode(struct slice in, size_t step, bool is_chunk, struct result *r)
{
	size_t at = 0;

	/* One byte more for each piece than it brings is the promise. */
	r->out = malloc(in.len * 2 + 2);
	r->len = r->used = 0;
	if (r->out == NULL)
		abort();
	data_init(&r->state, is_chunk);
	while (at < in.len && r->state.state != DATA_END) {
		size_t n = in.len - at < step ? in.len - at : step;
		size_t had = r->len;

		at += data_feed(&r->state, slice_make(in.p + at, n), r->out,
		    &r->len);
		if (r->len - had > n + 1)
			abort();
	}
	r->used = at;
}

/* What must hold of any content. */
static void
check(const struct result *r, struct slice in)
{
	if (memchr(r->out, '\r', r->len) != NULL || r->len > in.len)
		abort();
	if (r->state.state != DATA_END && r->used != in.len)
		abort();
	if (r->state.state == DATA_END && r->used >= 5 &&
	    memcmp(in.p + r->used - 5, "\r\n.\r\n", 5) != 0)
		abort();
}

static void
scan(const struct result *r)
{
	struct header h = { .seen = 0 };
	size_t n = header_scan(&h, slice_make(r->out, r->len));

	if (n > r->len || (!h.ended && r->len - n >= HEADER_NAME_MAX))
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice in = slice_make(data, size);

	for (int is_chunk = 0; is_chunk < 2; is_chunk++) {
		struct result whole, parts;

		decode(in, size + 1, is_chunk, &whole);
		decode(in, 1 + size % 7, is_chunk, &parts);
		if (whole.len != parts.len || whole.used != parts.used ||
		    whole.state.bare != parts.state.bare ||
		    whole.state.size != parts.state.size ||
		    memcmp(whole.out, parts.out, whole.len) != 0)
			abort();
		if (!is_chunk)
			check(&whole, in);
		scan(&whole);
		free(whole.out);
		free(parts.out);
	}
	return 0;
}
