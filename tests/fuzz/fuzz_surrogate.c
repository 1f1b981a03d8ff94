/* fuzz_surrogate.c - any stored message as a surrogate, in any pieces. */
/* SPDX-License-Identifier: ISC */

#include "lib/str.h"
#include "pop3d/surrogate.h"
#include "tests/fuzz/must.h"

static void
put(void *arg, struct slice bytes)
{
	str_put(arg, bytes);
}

static struct str
convert(struct slice in, size_t step)
{
	struct str out = STR_INIT(1 << 20);
	struct surrogate s;

	surrogate_init(&s, put, &out);
	for (; in.len > 0; in = slice_skip(in, in.len < step ? in.len : step))
		surrogate_feed(&s, slice_make(in.p, in.len < step ? in.len :
		    step));
	surrogate_end(&s);
	must(str_ok(&out));
	return out;
}

static bool
is_ascii(struct slice s)
{
	for (size_t i = 0; i < s.len; i++)
		if ((unsigned char)s.p[i] >= 0x80)
			return false;
	return true;
}

/* The lines before one that begins with a line end. */
static struct slice
header_of(struct slice s)
{
	struct slice rest = s;

	while (rest.len > 0 && rest.p[0] != '\n' && rest.p[0] != '\r') {
		const char *end = memchr(rest.p, '\n', rest.len);

		if (end == NULL)
			return s;
		rest = slice_skip(rest, (size_t)(end + 1 - rest.p));
	}
	return slice_make(s.p, s.len - rest.len);
}

/* The first byte is the length of the pieces: nobody sees where they end. The
 * message's own header becomes ASCII; what is ASCII stays as it is. */
int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice in;
	struct str whole, pieces;
	size_t step;

	if (size < 2)
		return 0;
	step = data[0] == 0 ? 300 : data[0];
	in = slice_make((const char *)data + 1, size - 1);
	whole = convert(in, in.len);
	pieces = convert(in, step);
	must(slice_eq(str_slice(&whole), str_slice(&pieces)));
	if (is_ascii(in))
		must(slice_eq(str_slice(&whole), in));
	must(is_ascii(header_of(str_slice(&whole))));
	str_free(&whole);
	str_free(&pieces);
	return 0;
}
