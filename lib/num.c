/* num.c - strict text-to-integer conversion. */
/* SPDX-License-Identifier: ISC */

#include "lib/num.h"

int
num_parse(struct slice s, uint64_t lo, uint64_t hi, uint64_t *out)
{
	uint64_t v = 0;

	if (s.len == 0)
		return -1;
	for (size_t i = 0; i < s.len; i++) {
		if (s.p[i] < '0' || s.p[i] > '9')
			return -1;
		if (__builtin_mul_overflow(v, 10, &v) ||
		    __builtin_add_overflow(v, (uint64_t)(s.p[i] - '0'), &v))
			return -1;
	}
	if (v < lo || v > hi)
		return -1;
	*out = v;
	return 0;
}

struct unit {
	char letter;
	uint64_t factor;
};

static int
parse_unit(struct slice s, const struct unit *units, uint64_t lo, uint64_t hi,
    uint64_t *out)
{
	uint64_t v, factor = 1;

	for (const struct unit *u = units; s.len > 0 && u->letter != 0; u++) {
		if (s.p[s.len - 1] == u->letter) {
			factor = u->factor;
			s.len--;
			break;
		}
	}
	if (num_parse(s, 0, UINT64_MAX, &v) == -1 ||
	    __builtin_mul_overflow(v, factor, &v) || v < lo || v > hi)
		return -1;
	*out = v;
	return 0;
}

int
num_parse_size(struct slice s, uint64_t lo, uint64_t hi, uint64_t *out)
{
	static const struct unit units[] = {
		{ 'k', 1024 }, { 'K', 1024 },
		{ 'm', 1048576 }, { 'M', 1048576 },
		{ 'g', 1073741824 }, { 'G', 1073741824 },
		{ 0, 0 }
	};

	return parse_unit(s, units, lo, hi, out);
}

int
num_parse_duration(struct slice s, uint64_t lo, uint64_t hi, uint64_t *out)
{
	static const struct unit units[] = {
		{ 's', 1 }, { 'm', 60 }, { 'h', 3600 }, { 'd', 86400 },
		{ 0, 0 }
	};

	return parse_unit(s, units, lo, hi, out);
}

int
num_hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return -1;
}
