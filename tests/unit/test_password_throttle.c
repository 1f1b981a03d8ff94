/* test_password_throttle.c - guessing is slowed, the owner never locked out. */
/* SPDX-License-Identifier: ISC */

#include <stdlib.h>

#include "auth/throttle.h"
#include "tests/unit/tap.h"

#define SECOND 1000
#define HOUR (3600 * SECOND)

static struct throttle t;
static int64_t now = 1000000;

static struct ip
address(const char *text)
{
	struct ip ip;

	if (ip_parse(slice_of(text), &ip) == -1)
		abort();
	return ip;
}

/* One wrong password: the delay, or -1 when it was refused unseen. */
static int64_t
wrong(const char *client, const char *account, bool exists)
{
	struct ip ip = address(client);
	struct guess g;

	if (!throttle_begin(&t, &g, &ip, slice_of(account), exists, now))
		return -1;
	return throttle_wrong(&t, &g, now);
}

static bool
right(const char *client, const char *account)
{
	struct ip ip = address(client);
	struct guess g;

	if (!throttle_begin(&t, &g, &ip, slice_of(account), true, now))
		return false;
	throttle_right(&t, &g);
	return true;
}

static void
begin(void)
{
	throttle_free(&t);
	now += 100 * HOUR;
	if (throttle_init(&t, 1000) == -1)
		abort();
}

static void
test_delays(void)
{
	int64_t last = 0, d = 0;
	bool grows = true;

	begin();
	ok(wrong("192.0.2.1", "a", true) == THROTTLE_DELAY_MIN,
	    "the first mistake costs little");
	for (int i = 1; i < THROTTLE_ADDRESS_LIMIT; i++) {
		d = wrong("192.0.2.1", "a", true);
		grows = grows && d >= last;
		last = d;
	}
	ok(grows && d == THROTTLE_DELAY_MAX, "then more and more, some seconds");
	ok(wrong("192.0.2.1", "a", true) == -1, "then it is refused unseen");
	ok(wrong("192.0.2.1", "b", true) == -1, "for every account");
	ok(wrong("192.0.2.2", "b", true) != -1, "from that address only");
	now += THROTTLE_TRICKLE;
	ok(wrong("192.0.2.1", "b", true) != -1, "one look in a while");
	ok(wrong("192.0.2.1", "b", true) == -1, "and no more");
	now += HOUR;
	ok(wrong("192.0.2.1", "a", true) < THROTTLE_DELAY_MIN + 10,
	    "an hour later it is forgotten");
}

static void
test_owner(void)
{
	char client[32];

	begin();
	ok(right("198.51.100.7", "owner"), "the owner logs in");
	for (int i = 0; i < 200; i++) {
		snprintf(client, sizeof(client), "192.0.2.%d", i);
		(void)wrong(client, "owner", true);
	}
	ok(wrong("203.0.113.1", "owner", true) == -1,
	    "a botnet is refused, wherever it comes from");
	ok(right("198.51.100.7", "owner"), "the owner is not");
	for (int i = 0; i < 100; i++)
		(void)wrong("198.51.100.7", "other", true);
	ok(wrong("198.51.100.7", "other", true) == -1 &&
	    right("198.51.100.7", "owner"),
	    "nor by a guesser at his own address");
	now += THROTTLE_TRICKLE;
	ok(right("203.0.113.2", "owner"), "from a new address he has a chance");
}

static void
test_network(void)
{
	begin();
	for (int i = 0; i < THROTTLE_ADDRESS_LIMIT; i++)
		(void)wrong(i % 2 ? "2001:db8::1" : "2001:db8::2", "a", true);
	ok(wrong("2001:db8::3:4:5:6", "b", true) == -1, "a /64 is one address");
	ok(wrong("2001:db8:0:1::1", "b", true) != -1, "the next one another");
	begin();
	for (int i = 0; i < 3 * THROTTLE_ADDRESS_LIMIT; i++) {
		char name[16];

		snprintf(name, sizeof(name), "n%d", i);
		(void)wrong("127.0.0.1", name, true);
	}
	ok(right("127.0.0.1", "a"), "a webmail speaks for everybody");
	for (int i = 0; i < THROTTLE_ACCOUNT_LIMIT; i++)
		(void)wrong("127.0.0.1", "b", true);
	ok(wrong("127.0.0.1", "b", true) == -1, "one account is slowed there");
}

/* What is told of a name must not tell whether it exists. */
static void
test_unknown(void)
{
	bool same = true;

	begin();
	for (int i = 0; i < 2 * THROTTLE_ADDRESS_LIMIT; i++)
		same = same && wrong("192.0.2.1", "known", true) ==
		    wrong("192.0.2.2", "unknown", false);
	ok(same, "unknown names are slowed in the same way");
	ok(wrong("192.0.2.3", "known", false) == THROTTLE_DELAY_MIN,
	    "but cannot push the counters of real ones out");
}

static void
test_progress(void)
{
	struct ip ip = address("192.0.2.1");
	struct guess g[THROTTLE_AT_ONCE + 1];
	int n = 0;

	begin();
	while (n < THROTTLE_AT_ONCE && throttle_begin(&t, &g[n], &ip,
	    SLICE("a"), true, now))
		n++;
	ok(n == THROTTLE_AT_ONCE, "many logins at once are possible");
	ok(!throttle_begin(&t, &g[n], &ip, SLICE("a"), true, now),
	    "but not without end");
	throttle_undone(&t, &g[0]);
	throttle_undone(&t, &g[0]);
	ok(throttle_begin(&t, &g[0], &ip, SLICE("a"), true, now) &&
	    !throttle_begin(&t, &g[n], &ip, SLICE("a"), true, now),
	    "one that ends makes room for one");
}

static void
test_memory(void)
{
	static const uint8_t secret[32];
	struct memory *m = memory_new(3, sizeof(int64_t));
	struct slice part;
	struct memory_key key[5];

	for (int i = 0; i < 5; i++) {
		char c = (char)('a' + i);

		part = slice_make(&c, 1);
		memory_digest(secret, 'x', &part, 1, &key[i]);
	}
	ok(memory_find(m, &key[0]) == NULL, "empty");
	for (int i = 0; i < 3; i++)
		*(int64_t *)memory_get(m, &key[i]) = i + 1;
	ok(*(int64_t *)memory_find(m, &key[0]) == 1, "found");
	ok(*(int64_t *)memory_get(m, &key[3]) == 0, "a new one is zero");
	ok(memory_find(m, &key[1]) == NULL, "the oldest one is forgotten");
	ok(memory_find(m, &key[0]) != NULL && memory_find(m, &key[2]) != NULL,
	    "those in use are kept");
	for (int i = 0; i < 1000; i++)
		*(int64_t *)memory_get(m, &key[i % 5]) = i;
	ok(*(int64_t *)memory_get(m, &key[4]) == 999 &&
	    *(int64_t *)memory_get(m, &key[3]) == 998 &&
	    *(int64_t *)memory_get(m, &key[0]) == 0, "again and again");
	memory_free(m);
}

int
main(void)
{
	test_delays();
	test_owner();
	test_network();
	test_unknown();
	test_progress();
	test_memory();
	throttle_free(&t);
	return done();
}
