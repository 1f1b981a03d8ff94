/* srs.c - senders of forwarded mail: the Sender Rewriting Scheme. No I/O. */
/* SPDX-License-Identifier: ISC */

#include "lib/srs.h"

#include <stdio.h>

#define HASH_LEN 6		/* 30 bits, in base 32 */
#define DAYS 1024		/* two characters; then they come again */
#define PREFIX "SRS0="
#define AGAIN "SRS1="		/* what another forwarder has rewritten */
#define PREFIX_LEN (sizeof(PREFIX) - 1)

/* In any case of letters, as other servers may change it. */
static const char digits[] = "abcdefghijklmnopqrstuvwxyz234567";

bool
srs_is(const char *local)
{
	return strncasecmp(local, PREFIX, PREFIX_LEN) == 0 ||
	    strncasecmp(local, AGAIN, PREFIX_LEN) == 0;
}

/* The separators that forwarders use behind their tag. */
static bool
is_separator(char c)
{
	return c == '=' || c == '+' || c == '-';
}

/* Behind "SRS0" or "SRS1" of anybody: the separator and all that follows. */
static bool
has_tag(const char *local, const char *tag, struct slice *rest)
{
	if (strncasecmp(local, tag, 4) != 0 || !is_separator(local[4]) ||
	    local[5] == '\0')
		return false;
	*rest = slice_skip(slice_of(local), 4);
	return true;
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

/*
 * What stands behind the hash of SRS1: the forwarder that knows the sender, "="
 * and its own words from their separator on. False: sender is nobody's SRS0 or
 * SRS1.
 */
static bool
first_forwarder(const struct addr *sender, struct slice *domain,
    struct slice *rest)
{
	struct slice all;

	if (has_tag(sender->local, "SRS0", rest)) {
		*domain = slice_of(sender->domain);
		return true;
	}
	if (!has_tag(sender->local, "SRS1", &all))
		return false;
	all = slice_skip(all, 1);
	slice_cut(&all, '=');		/* the hash of the one before us */
	if (all.p == NULL)
		return false;
	*domain = slice_cut(&all, '=');
	*rest = all;
	return domain->len > 0 && rest->p != NULL && rest->len > 1 &&
	    is_separator(rest->p[0]);
}

/* One that comes from a forwarder: only that one can find the sender. */
static int
make_again(const unsigned char key[SRS_KEY_LEN], struct slice domain,
    struct slice rest, char *local, size_t cap)
{
	int n = snprintf(local, cap, AGAIN "%*s=%.*s=%.*s", HASH_LEN, "",
	    (int)domain.len, domain.p, (int)rest.len, rest.p);

	if (n > 0 && (size_t)n < cap)
		put_hash(key, slice_of(local + PREFIX_LEN + HASH_LEN + 1),
		    local + PREFIX_LEN);
	return n;
}

static int
make_first(const unsigned char key[SRS_KEY_LEN], int64_t day,
    const struct addr *sender, char *local, size_t cap)
{
	int n = snprintf(local, cap, PREFIX "%*s=%*s=%s=%s", HASH_LEN, "", 2,
	    "", sender->domain, sender->local);
	char *rest = local + PREFIX_LEN + HASH_LEN + 1;

	if (n > 0 && (size_t)n < cap) {
		put_digits((uint64_t)(day % DAYS), 2, rest);
		put_hash(key, slice_of(rest), local + PREFIX_LEN);
	}
	return n;
}

int
srs_make(const unsigned char key[SRS_KEY_LEN], int64_t day,
    const struct addr *sender, const char *domain, struct addr *out)
{
	char local[ADDR_TEXT_MAX + 32];
	struct addr made = { .utf8 = sender->utf8 };
	size_t len = strlen(domain);
	struct slice first, rest;
	int n;

	if (sender->local[0] == '\0' || sender->literal)
		return -1;
	n = first_forwarder(sender, &first, &rest) ?
	    make_again(key, first, rest, local, sizeof(local)) :
	    make_first(key, day, sender, local, sizeof(local));
	if (n < 0 || n > ADDR_LOCAL_MAX || len > ADDR_DOMAIN_MAX)
		return -1;
	memcpy(made.local, local, (size_t)n + 1);
	memcpy(made.domain, domain, len + 1);
	*out = made;
	return 0;
}

/* Back to the forwarder who knows the sender. */
static int
open_again(struct slice rest, struct addr *found)
{
	struct slice domain = slice_cut(&rest, '=');
	int n;

	if (rest.p == NULL || rest.len < 2 || !is_separator(rest.p[0]) ||
	    addr_domain(domain, found->domain) == -1)
		return -1;
	n = snprintf(found->local, sizeof(found->local), "SRS0%.*s",
	    (int)rest.len, rest.p);
	return n > 0 && (size_t)n < sizeof(found->local) ? 0 : -1;
}

static int
open_first(struct slice rest, int64_t day, struct addr *found)
{
	struct slice when = slice_cut(&rest, '='), domain;
	int64_t made;

	if (rest.p == NULL || when.len != 2 ||
	    take_digits(when, &made) == -1 ||
	    (day - made % DAYS + DAYS) % DAYS > SRS_DAYS)
		return -1;
	domain = slice_cut(&rest, '=');
	if (rest.p == NULL || rest.len == 0 ||
	    addr_domain(domain, found->domain) == -1)
		return -1;
	return slice_to_cstr(rest, found->local, sizeof(found->local));
}

int
srs_open(const unsigned char key[SRS_KEY_LEN], int64_t day, const char *local,
    struct addr *out)
{
	struct slice rest, hash;
	struct addr found = { .utf8 = false };
	char want[HASH_LEN];
	bool again = strncasecmp(local, AGAIN, PREFIX_LEN) == 0;

	if (!srs_is(local))
		return -1;
	rest = slice_skip(slice_of(local), PREFIX_LEN);
	hash = slice_cut(&rest, '=');
	if (rest.p == NULL || hash.len != HASH_LEN)
		return -1;
	put_hash(key, rest, want);
	if (!slice_eq_nocase(hash, slice_make(want, HASH_LEN)) ||
	    (again ? open_again(rest, &found) :
	    open_first(rest, day, &found)) == -1)
		return -1;
	for (const char *p = found.local; *p != '\0'; p++)
		found.utf8 |= (*p & 0x80) != 0;
	*out = found;
	return 0;
}
