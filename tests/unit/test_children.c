/* test_children.c - limits of connections, in all and per host. */
/* SPDX-License-Identifier: ISC */

#include "lib/children.h"
#include "tests/unit/tap.h"

int
main(void)
{
	struct children c;
	struct ip a, b;

	ok(ip_parse(SLICE("192.0.2.1"), &a) == 0 &&
	    ip_parse(SLICE("2001:db8::1"), &b) == 0, "addresses");
	ok(children_init(&c, 4, 2) == 0, "init");
	ok(children_ask(&c, &a) == CHILDREN_OK, "nobody there");
	children_add(&c, 11, &a);
	children_add(&c, 12, &a);
	ok(children_ask(&c, &a) == CHILDREN_HOST_FULL, "two of one host");
	ok(children_ask(&c, &b) == CHILDREN_OK, "another host");
	children_add(&c, 13, &b);
	children_remove(&c, 99);
	ok(c.n == 3, "an unknown pid changes nothing");
	children_remove(&c, 11);
	ok(c.n == 2 && children_ask(&c, &a) == CHILDREN_OK, "one has ended");
	children_add(&c, 14, &a);
	children_add(&c, 15, &b);
	ok(children_ask(&c, &b) == CHILDREN_FULL, "full, before host full");
	for (pid_t pid = 11; pid < 16; pid++)
		children_remove(&c, pid);
	ok(c.n == 0 && children_ask(&c, &b) == CHILDREN_OK, "all ended");
	children_free(&c);
	return done();
}
