/* srs.c - senders of forwarded mail: the Sender Rewriting Scheme. No I/O. */
/* SPDX-License-Identifier: ISC */

#include "lib/srs.h"

#include <stdio.h>

#define HASH_LEN 6		/* 30 bits, in base 32 */
#define DAYS 1024		/* two characters; then they come again */
#define PREFIX "SRS0="
#define PREFIX_LEN (sizeof(PREFIX) - 1)

/* In any case of letters, as other servers may change it. */
static const char digits[] = "abcdefghijklmnopqrstuvwxyz234567";

bool
srs_is(const char *local)
{
	return strncasecmp(local, PREFIX, PREFIX_LEN) == 0;
}

static uint64_t
rotate(uint64_t v, unsigned n)
{
	return v << n | v >> (64 - n);
}

static void
sip_round(uint64_t v[4])
{
	v[0] += v[1];
	v[2] += v[3];
	v[1] = rotate(v[1], 13) ^ v[0];
	v[3] = rotate(v[3], 16) ^ v[2];
	v[0] = rotate(v[0], 32);
	v[2] += v[1];
	v[0] += v[3];
	v[1] = rotate(v[1], 17) ^ v[2];
	v[3] = rotate(v[3], 21) ^ v[0];
	v[2] = rotate(v[2], 32);
}

static uint64_t
word_at(const unsigned char *p, size_t len)
{
	uint64_t w = 0;

	for (size_t i = 0; i < len && i < 8; i++)
		w |= (uint64_t)p[i] << (8 * i);
	return w;
}

/* SipHash-2-4 (Aumasson, Bernstein): a keyed hash of short texts. */
static uint64_t
sip_hash(const unsigned char key[SRS_KEY_LEN], const char *text, size_t len)
{
	const unsigned char *p = (const unsigned char *)text;
	uint64_t k0 = word_at(key, 8), k1 = word_at(key + 8, 8), m;
	uint64_t v[4] = { k0 ^ 0x736f6d6570736575, k1 ^ 0x646f72616e646f6d,
	    k0 ^ 0x6c7967656e657261, k1 ^ 0x7465646279746573 };
	size_t left = len;

	for (;;) {
		m = left >= 8 ? word_at(p, 8) :
		    word_at(p, left) | (uint64_t)(len & 0xff) << 56;
		v[3] ^= m;
		sip_round(v);
		sip_round(v);
		v[0] ^= m;
		if (left < 8)
			break;
		p += 8;
		left -= 8;
	}
	v[2] ^= 0xff;
	for (int i = 0; i < 4; i++)
		sip_round(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

static void
put_digits(uint64_t v, size_t n, char *out)
{
	for (size_t i = n; i > 0; i--) {
		out[i - 1] = digits[v % 32];
		v /= 32;
	}
}

/* -1: not a digit of ours. */
static int
take_digits(struct slice s, int64_t *out)
{
	int64_t v = 0;

	for (size_t i = 0; i < s.len; i++) {
		char c = s.p[i] >= 'A' && s.p[i] <= 'Z' ?
		    (char)(s.p[i] - 'A' + 'a') : s.p[i];
		const char *at = c != '\0' ? strchr(digits, c) : NULL;

		if (at == NULL)
			return -1;
		v = v * 32 + (at - digits);
	}
	*out = v;
	return 0;
}

/* Of what follows it, in lower case. */
static void
put_hash(const unsigned char key[SRS_KEY_LEN], struct slice rest, char *out)
{
	char text[ADDR_TEXT_MAX];
	size_t n = rest.len < sizeof(text) ? rest.len : sizeof(text);

	for (size_t i = 0; i < n; i++)
		text[i] = rest.p[i] >= 'A' && rest.p[i] <= 'Z' ?
		    (char)(rest.p[i] - 'A' + 'a') : rest.p[i];
	put_digits(sip_hash(key, text, n), HASH_LEN, out);
}

int
srs_make(const unsigned char key[SRS_KEY_LEN], int64_t day,
    const struct addr *sender, const char *domain, struct addr *out)
{
	char local[ADDR_TEXT_MAX + 32], *rest;
	struct addr made = { .utf8 = sender->utf8 };
	size_t len = strlen(domain);
	int n;

	n = snprintf(local, sizeof(local), PREFIX "%*s=%*s=%s=%s", HASH_LEN,
	    "", 2, "", sender->domain, sender->local);
	if (sender->local[0] == '\0' || sender->literal || n < 0 ||
	    n > ADDR_LOCAL_MAX || len > ADDR_DOMAIN_MAX)
		return -1;
	rest = local + PREFIX_LEN + HASH_LEN + 1;
	put_digits((uint64_t)(day % DAYS), 2, rest);
	put_hash(key, slice_of(rest), local + PREFIX_LEN);
	memcpy(made.local, local, (size_t)n + 1);
	memcpy(made.domain, domain, len + 1);
	*out = made;
	return 0;
}

int
srs_open(const unsigned char key[SRS_KEY_LEN], int64_t day, const char *local,
    struct addr *out)
{
	struct slice rest, hash, when, domain;
	struct addr found = { .utf8 = false };
	char want[HASH_LEN];
	int64_t made;

	if (!srs_is(local))
		return -1;
	rest = slice_skip(slice_of(local), PREFIX_LEN);
	hash = slice_cut(&rest, '=');
	if (rest.p == NULL || hash.len != HASH_LEN)
		return -1;
	put_hash(key, rest, want);
	when = slice_cut(&rest, '=');
	if (rest.p == NULL || when.len != 2 ||
	    take_digits(when, &made) == -1 ||
	    !slice_eq_nocase(hash, slice_make(want, HASH_LEN)) ||
	    (day - made % DAYS + DAYS) % DAYS > SRS_DAYS)
		return -1;
	domain = slice_cut(&rest, '=');
	if (rest.p == NULL || rest.len == 0 ||
	    addr_domain(domain, found.domain) == -1 ||
	    slice_to_cstr(rest, found.local, sizeof(found.local)) == -1)
		return -1;
	for (size_t i = 0; i < rest.len; i++)
		found.utf8 |= (rest.p[i] & 0x80) != 0;
	*out = found;
	return 0;
}
