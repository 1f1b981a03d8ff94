/* test_registry_login.c - logins made of names. */
/* SPDX-License-Identifier: ISC */

#include "registry/login.h"
#include "tests/unit/tap.h"

/* clang-format off */
static const struct {
	const char *first, *last;
	unsigned n;
	const char *want;	/* NULL: nothing usable */
} rows[] = {
	{ "Pierre", "Martin", 1, "pmartin" },	/* inventory 3-12 */
	{ "Pierre", "Martin", 2, "pmartin2" },
	{ "Élise", "D'Aubigné", 1, "edaubigne" },
	{ "Jean-Pierre", "de la Tour", 1, "jdelatour" },
	{ "Zoë", "Œuvray", 1, "zoeuvray" },
	{ "Łukasz", "Żółć", 1, "lzolc" },
	{ "Jürgen", "Strauß", 1, "jstrauss" },
	{ "Søren", "Ærø", 1, "saero" },
	{ "A", "B", 1, "ab" },
	{ "Иван", "Петров", 1, NULL },
	{ "", "Martin", 1, NULL },
	{ "Pierre", "--", 1, NULL },
	{ "bad\xff", "utf", 1, NULL },
	{ "P", "abcdefghijabcdefghijabcdefghijabcdefghij", 10,
	  "pabcdefghijabcdefghijabcdefghi10" },
};
/* clang-format on */

int
main(void)
{
	char out[ADDR_LOCAL_MAX + 1], account[ADDR_LOCAL_MAX + 1];

	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		int r = login_make(slice_of(rows[i].first),
		    slice_of(rows[i].last), rows[i].n, out);

		ok(rows[i].want == NULL ? r == -1 : r == 0 &&
		    strcmp(out, rows[i].want) == 0, "%s %s: %s", rows[i].first,
		    rows[i].last, r == 0 ? out : "nothing");
		ok(r == -1 || addr_account(slice_of(out), account) == 0,
		    "which can be an account");
	}
	return done();
}
