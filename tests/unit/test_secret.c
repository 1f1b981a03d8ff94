/* test_secret.c - passwords that are made for somebody. */
/* SPDX-License-Identifier: ISC */

#include <string.h>

#include "tests/unit/tap.h"
#include "tools/account.h"

#define MANY 100000

/* True when a password of many that are made for name has what it must not. */
static bool
found_in_one(const char *name, const char *what)
{
	char secret[SECRET_MAX + 1];
	bool found = false;

	for (int i = 0; !found && i < MANY; i++)
		found = secret_random(name, secret) == -1 ||
		    strlen(secret) != 19 || strstr(secret, what) != NULL;
	return found;
}

int
main(void)
{
	ok(!found_in_one("eva@exemple.fr", "eva"),
	    "the name of an account is in none of its passwords");
	ok(!found_in_one("Eva", "eva"),
	    "nor that of a manager, in any letters");
	ok(found_in_one("bob@eva.fr", "eva"), "another's may be");
	ok(found_in_one("ab@exemple.fr", "ab"), "a name of two letters, too");
	return done();
}
