/* test_pack.c - typed fields in a byte string, and hostile ones. */
/* SPDX-License-Identifier: ISC */

#include "lib/pack.h"

#include "tests/unit/tap.h"

static void
test_round_trip(void)
{
	unsigned char space[64];
	struct packer k;
	struct unpacker u;

	pack_init(&k, space, sizeof(space));
	pack_u8(&k, 0xfe);
	pack_u16(&k, 0xfedc);
	pack_u32(&k, 0xfedcba98);
	pack_u64(&k, 0xfedcba9876543210);
	pack_bytes(&k, SLICE("a\0b"));
	pack_raw(&k, SLICE("rest"));
	ok(!k.bad && k.len == 1 + 2 + 4 + 8 + 4 + 3 + 4, "packed");
	ok(memcmp(space, "\xfe\xdc\xfe\x98\xba\xdc\xfe", 7) == 0,
	    "little-endian");
	unpack_init(&u, pack_slice(&k));
	ok(unpack_u8(&u) == 0xfe && unpack_u16(&u) == 0xfedc &&
	    unpack_u32(&u) == 0xfedcba98 &&
	    unpack_u64(&u) == 0xfedcba9876543210, "integers come back");
	ok(slice_eq(unpack_bytes(&u, 3), SLICE("a\0b")), "bytes come back");
	ok(!unpack_end(&u), "not yet at the end");
	ok(slice_eq(unpack_rest(&u), SLICE("rest")) && unpack_end(&u),
	    "the rest, and the end");
}

static void
test_no_room(void)
{
	unsigned char space[4] = { 9, 9, 9, 9 };
	struct packer k;

	pack_init(&k, space, 3);
	pack_u32(&k, 1);
	ok(k.bad && space[3] == 9, "an integer that does not fit");
	pack_init(&k, space, 3);
	pack_bytes(&k, SLICE(""));
	ok(k.bad, "a length that does not fit");
	pack_init(&k, space, 4);
	pack_bytes(&k, SLICE("x"));
	ok(k.bad, "bytes that do not fit");
	pack_u8(&k, 1);
	ok(k.bad, "the error is sticky");
}

/* Whatever is cut off or lies about its length is bad, and gives nothing. */
/* clang-format off */
static const struct {
	struct slice text;
	size_t max;
	const char *what;
} bad_bytes[] = {
	{ SLICE(""), 9, "no length" },
	{ SLICE("\1\0\0"), 9, "half a length" },
	{ SLICE("\1\0\0\0"), 9, "no byte" },
	{ SLICE("\2\0\0\0a"), 9, "one byte too few" },
	{ SLICE("\xff\xff\xff\xff" "a"), SIZE_MAX, "four gigabytes" },
	{ SLICE("\3\0\0\0abc"), 2, "over the limit" },
};

static const struct {
	struct slice text;
	bool want;
} texts[] = {
	{ SLICE("\3\0\0\0abc"), true }, { SLICE("\0\0\0\0"), true },
	{ SLICE("\3\0\0\0a\tc"), true }, { SLICE("\3\0\0\0a\0c"), false },
	{ SLICE("\3\0\0\0a\rc"), false }, { SLICE("\3\0\0\0ab\n"), false },
};
/* clang-format on */

static void
test_hostile(void)
{
	struct unpacker u;
	struct slice s;

	for (size_t i = 0; i < sizeof(bad_bytes) / sizeof(*bad_bytes); i++) {
		unpack_init(&u, bad_bytes[i].text);
		s = unpack_bytes(&u, bad_bytes[i].max);
		ok(s.len == 0 && u.bad && !unpack_end(&u), "bytes: %s",
		    bad_bytes[i].what);
		ok(unpack_u8(&u) == 0 && unpack_u64(&u) == 0 &&
		    unpack_rest(&u).len == 0, "and nothing after it");
	}
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		unpack_init(&u, texts[i].text);
		s = unpack_text(&u, 10);
		ok(unpack_end(&u) == texts[i].want &&
		    (texts[i].want || s.len == 0), "text row %zu", i);
	}
	unpack_init(&u, SLICE("\1\2\3"));
	ok(unpack_u32(&u) == 0 && u.bad, "three bytes are no u32");
	unpack_init(&u, SLICE("\1\2"));
	unpack_u8(&u);
	ok(!unpack_end(&u) && !u.bad, "a byte left over is not the end");
}

int
main(void)
{
	test_round_trip();
	test_no_room();
	test_hostile();
	return done();
}
