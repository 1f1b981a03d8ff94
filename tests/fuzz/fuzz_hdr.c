/* fuzz_hdr.c - any bytes as a header section and as an address list. */
/* SPDX-License-Identifier: ISC */

#include "lib/hdr.h"

#include "tests/fuzz/must.h"

static bool
is_inside(struct slice part, struct slice whole)
{
	return part.len == 0 || (part.p >= whole.p &&
	    part.p + part.len <= whole.p + whole.len);
}

static bool
found(void *arg, struct slice address)
{
	(void)arg;
	must(address.len > 0);
	must(memchr(address.p, '\n', address.len) == NULL);
	return true;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice all = slice_make(data, size), rest = all, bad;
	struct hdr_field f;

	while (hdr_next(&rest, &f) == HDR_FIELD) {
		must(f.name.len > 0 && f.whole.len > f.name.len);
		must(is_inside(f.name, f.whole) && is_inside(f.value, f.whole));
		must(is_inside(f.whole, all) && is_inside(rest, all));
		if (hdr_addresses(f.value, found, NULL, &bad) == -1)
			must(is_inside(bad, f.value));
	}
	must(is_inside(rest, all));
	if (hdr_addresses(all, found, NULL, &bad) == -1)
		must(is_inside(bad, all));
	return 0;
}
