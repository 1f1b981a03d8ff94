/* test_secret.c - passwords that are made for somebody. */
/* SPDX-License-Identifier: ISC */

#include <stdio.h>
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

static void
test_code(void)
{
	static const struct {
		const char *typed, *code;
	} rows[] = {
		{ "abcd-efgh-22", "abcd-efgh-22" },
		{ "ABCD EFGH 22", "abcd-efgh-22" },
		{ " ab-cdef\tgh22 ", "abcd-efgh-22" },
		{ "abcd", "abcd" }, { "- -", "" }, { "", "" },
	};
	char code[SECRET_MAX + 1], other[SECRET_MAX + 1];

	ok(secret_code(code) == 0 && secret_code(other) == 0 &&
	    strlen(code) == 34 && strcmp(code, other) != 0 &&
	    strspn(code, "abcdefghijkmnpqrstuvwxyz23456789-") == 34,
	    "28 letters and digits");
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		snprintf(code, sizeof(code), "%s", rows[i].typed);
		secret_tidy_code(code);
		ok(strcmp(code, rows[i].code) == 0, "\"%s\"", rows[i].typed);
	}
	memset(code, 'x', SECRET_MAX);
	code[SECRET_MAX] = '\0';
	secret_tidy_code(code);
	ok(strlen(code) == SECRET_MAX - 1 && code[4] == '-',
	    "the longest one stays within its bytes");
}

int
main(void)
{
	test_code();
	ok(!found_in_one("eva@exemple.fr", "eva"),
	    "the name of an account is in none of its passwords");
	ok(!found_in_one("Eva", "eva"),
	    "nor that of a manager, in any letters");
	ok(found_in_one("bob@eva.fr", "eva"), "another's may be");
	ok(found_in_one("ab@exemple.fr", "ab"), "a name of two letters, too");
	return done();
}
