/* test_app_password.c - application passwords: the list, and who has one. */
/* SPDX-License-Identifier: ISC */

#include "auth/app_secret.h"
#include "tests/unit/tap.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#define SALT "AAAAAAAAAAAAAAAAAAAAAA=="
#define DIGEST "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
#define ROW(services, created, until, name) \
	SALT " " DIGEST " " services " " created " " until " " name
#define NAME64 \
	"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

/* What is a list and what is not. */
static const struct {
	const char *name, *list;
	bool valid;
} lists[] = {
	{ "none", "", true },
	{ "one", ROW("pop3", "1", "0", "x"), true },
	{ "two", ROW("smtp", "1", "0", "x") "\n" ROW("pop3,smtp", "1", "2", "y"),
	  true },
	{ "a name of several words", ROW("pop3", "1", "0", "a b  c"), true },
	{ "the longest name", ROW("pop3", "1", "0", NAME64), true },
	{ "too long a name", ROW("pop3", "1", "0", NAME64 "x"), false },
	{ "no name", ROW("pop3", "1", "0", ""), false },
	{ "a control byte", ROW("pop3", "1", "0", "a\tb"), false },
	{ "the same name twice",
	  ROW("pop3", "1", "0", "x") "\n" ROW("smtp", "2", "0", "x"), false },
	{ "no such service", ROW("imap", "1", "0", "x"), false },
	{ "no service", ROW("", "1", "0", "x"), false },
	{ "a negative date", ROW("pop3", "-1", "0", "x"), false },
	{ "a date beyond all", ROW("pop3", "1", "9223372036854775808", "x"),
	  false },
	{ "a short salt", "AAAA " DIGEST " pop3 1 0 x", false },
	{ "a long digest", SALT " AAAA" DIGEST " pop3 1 0 x", false },
	{ "fields missing", SALT " " DIGEST " pop3 1", false },
	{ "an empty line", "\n" ROW("pop3", "1", "0", "x"), false },
};

static void
test_lists(void)
{
	char many[(APP_PASSWORDS_MAX + 1) * APP_LINE_MAX];
	size_t n = 0, whole = 0;

	for (size_t i = 0; i < sizeof(lists) / sizeof(*lists); i++)
		ok(app_passwords_are_valid(slice_of(lists[i].list)) ==
		    lists[i].valid, "8-08 a list: %s", lists[i].name);
	for (int i = 0; i <= APP_PASSWORDS_MAX; i++) {
		whole = n;
		n += (size_t)snprintf(many + n, sizeof(many) - n, "%s"
		    SALT " " DIGEST " pop3 1 0 n%d", i > 0 ? "\n" : "", i);
	}
	ok(app_passwords_are_valid(slice_make(many, whole)) &&
	    !app_passwords_are_valid(slice_make(many, n)),
	    "8-08 twenty, not one more");
}

static bool
finds(const char *list, const char *typed, const char *name)
{
	struct app_password p;
	bool found = app_secret_find(slice_of(list), slice_of(typed), &p);

	return name == NULL ? !found :
	    found && slice_eq(p.name, slice_of(name));
}

static void
test_secrets(void)
{
	struct app_password p = { .pop3 = true, .created = 5, .until = 9,
		.name = SLICE("phone") }, back = { .pop3 = false };
	char first[APP_SECRET_TEXT], secret[APP_SECRET_TEXT], line[APP_LINE_MAX];
	char one[APP_LINE_MAX], list[2 * APP_LINE_MAX], typed[64];
	struct slice rest;
	size_t n = 0;

	ok(app_secret_make(&p, first) == 0 && strlen(first) == 24 &&
	    app_password_line(&p, line) == 0 && strstr(line, first) == NULL,
	    "8-08 one is made, its line does not show it");
	rest = slice_of(line);
	ok(app_password_next(&rest, &back) == 1 && back.pop3 && !back.smtp &&
	    back.created == 5 && back.until == 9 && rest.len == 0 &&
	    memcmp(back.digest, p.digest, APP_DIGEST) == 0 &&
	    slice_eq(back.name, p.name), "a line is read as it was written");
	snprintf(one, sizeof(one), "%s", line);
	p.name = SLICE("laptop");
	ok(app_secret_make(&p, secret) == 0 &&
	    app_password_line(&p, line) == 0 && strcmp(first, secret) != 0,
	    "another one is another one");
	snprintf(list, sizeof(list), "%s\n%s", one, line);
	ok(finds(list, first, "phone") && finds(list, secret, "laptop"),
	    "each is known by its own");
	ok(finds("", first, NULL) && finds("", "00000000000000000000", NULL),
	    "nobody's list has none");
	for (size_t i = 0; secret[i] != '\0'; i++)
		if (secret[i] != '-')
			typed[n++] = (char)toupper((unsigned char)secret[i]);
	typed[n] = '\0';
	ok(finds(list, typed, "laptop"), "without hyphens, in capitals");
	for (size_t i = 0; i < n; i++)
		typed[i] = typed[i] == '0' ? 'O' :
		    typed[i] == '1' ? 'l' : typed[i];
	ok(finds(list, typed, "laptop"), "O for 0, l for 1");
	typed[n] = '0';
	typed[n + 1] = '\0';
	ok(finds(list, typed, NULL), "one letter more");
	typed[n - 1] = '\0';
	ok(finds(list, typed, NULL) && finds(list, "", NULL), "one less, none");
	secret[0] = secret[0] == 'z' ? 'y' : 'z';
	ok(finds(list, secret, NULL), "one letter wrong");
	secret[0] = 'u';
	ok(finds(list, secret, NULL), "a letter that none has");
	p.pop3 = p.smtp = false;
	ok(app_password_line(&p, line) == -1, "one for no service");
}

int
main(void)
{
	test_lists();
	test_secrets();
	return done();
}
