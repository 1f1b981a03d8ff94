/* test_srs.c - senders of forwarded mail. */
/* SPDX-License-Identifier: ISC */
#include "lib/srs.h"
#include "tests/unit/tap.h"

static const unsigned char key[SRS_KEY_LEN] = "0123456789abcdef";
static const unsigned char other[SRS_KEY_LEN] = "0123456789abcdeg";

static bool
opens(const unsigned char *k, int64_t day, const char *local, const char *want)
{
	struct addr a;
	char text[ADDR_TEXT_MAX];

	return srs_open(k, day, local, &a) == 0 &&
	    strcmp(addr_text(&a, text, sizeof(text)), want) == 0;
}

static void
test_round(void)
{
	static const char *const senders[] = { "a@b.test", "Some.One@x.y.test",
	    "with=equals@b.test", "a+b@b.test" };
	struct addr a, made;

	for (size_t i = 0; i < sizeof(senders) / sizeof(senders[0]); i++) {
		ok(addr_parse(slice_of(senders[i]), &a) == ADDR_OK &&
		    srs_make(key, 20000, &a, "our.test", &made) == 0 &&
		    srs_is(made.local), "%s is rewritten", senders[i]);
		ok(strcmp(made.domain, "our.test") == 0 &&
		    opens(key, 20000, made.local, senders[i]) &&
		    opens(key, 20021, made.local, senders[i]),
		    "and found again for three weeks: %s", made.local);
		ok(!opens(key, 20022, made.local, senders[i]) &&
		    !opens(key, 19999, made.local, senders[i]),
		    "not longer, and not before");
		ok(!opens(other, 20000, made.local, senders[i]),
		    "not with another key");
	}
}

static void
test_hostile(void)
{
	struct addr a, made = { .local = "" }, kept = { .local = "kept" };
	char local[ADDR_LOCAL_MAX + 1];

	(void)addr_parse(SLICE("a@b.test"), &a);
	(void)!srs_make(key, 20000, &a, "our.test", &made);
	memcpy(local, made.local, sizeof(local));
	for (char *p = local; *p != '\0'; p++)
		if (*p >= 'a' && *p <= 'z')
			*p = (char)(*p - 'a' + 'A');
	ok(srs_open(key, 20000, local, &kept) == 0, "letters of any case");
	for (size_t i = 5; made.local[i] != '\0'; i++) {
		memcpy(local, made.local, sizeof(local));
		local[i] = local[i] == 'x' ? 'y' : 'x';
		memcpy(kept.local, "kept", 5);
		ok(srs_open(key, 20000, local, &kept) == -1 &&
		    strcmp(kept.local, "kept") == 0, "changed: %s", local);
	}
	ok(srs_open(key, 20000, "SRS0=", &kept) == -1 &&
	    srs_open(key, 20000, "SRS0=abcdef", &kept) == -1 &&
	    srs_open(key, 20000, "SRS0=abcdef=aa", &kept) == -1 &&
	    srs_open(key, 20000, "other", &kept) == -1, "cut short");
	(void)addr_parse(SLICE("a-very-long-local-part-of-fifty-characters-or-"
	    "so@long.example.test"), &a);
	ok(srs_make(key, 20000, &a, "our.test", &kept) == -1 &&
	    strcmp(kept.local, "kept") == 0, "too long to be rewritten");
}

/* Forwarders behind forwarders: a bounce goes to the first of them. */
static void
test_chain(void)
{
	static const struct {
		const char *sender, *want;
	} rows[] = {
		{ "SRS0=abc=tt=b.test=a@one.test",
		  "SRS0=abc=tt=b.test=a@one.test" },
		{ "srs0+abc=tt=b.test=a@one.test",
		  "SRS0+abc=tt=b.test=a@one.test" },
		{ "SRS0-abc-tt=b.test=a@one.test",
		  "SRS0-abc-tt=b.test=a@one.test" },
		{ "SRS1=xyz=one.test==abc=tt=b.test=a@two.test",
		  "SRS0=abc=tt=b.test=a@one.test" },
		{ "SRS1+xyz=one.test=+abc=tt=b.test=a@two.test",
		  "SRS0+abc=tt=b.test=a@one.test" },
		/* nobody's: as any other sender */
		{ "SRS0@b.test", "SRS0@b.test" },
		{ "SRS0=@b.test", "SRS0=@b.test" },
		{ "SRS1=only@b.test", "SRS1=only@b.test" },
		{ "SRS1=xyz=one.test=abc@b.test", "SRS1=xyz=one.test=abc@b.test" },
		{ "SRS2=x=y@b.test", "SRS2=x=y@b.test" }
	};
	struct addr a, made, next, back;
	char text[ADDR_TEXT_MAX];

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		ok(addr_parse(slice_of(rows[i].sender), &a) == ADDR_OK &&
		    srs_make(key, 20000, &a, "our.test", &made) == 0 &&
		    srs_is(made.local) && opens(key, 20000, made.local,
		    rows[i].want), "%s comes from %s", rows[i].want,
		    made.local);
	}
	(void)addr_parse(SLICE("a@b.test"), &a);
	ok(srs_make(key, 20000, &a, "one.test", &made) == 0 &&
	    srs_make(other, 20000, &made, "two.test", &next) == 0 &&
	    srs_make(key, 20000, &next, "three.test", &back) == 0 &&
	    strlen(back.local) == strlen(next.local),
	    "three in a row: it grows no more: %s",
	    addr_text(&back, text, sizeof(text)));
	ok(srs_open(key, 30000, back.local, &next) == 0 &&
	    strcmp(next.local, made.local) == 0 &&
	    strcmp(next.domain, "one.test") == 0 &&
	    opens(key, 20000, next.local, "a@b.test"),
	    "the third goes back to the first, he to the sender");
	back.local[12] = back.local[12] == 'x' ? 'y' : 'x';
	ok(srs_open(key, 20000, back.local, &next) == -1,
	    "not to another forwarder");
	ok(srs_open(key, 20000, "SRS1=", &next) == -1 &&
	    srs_open(key, 20000, "SRS1=abcdef", &next) == -1 &&
	    srs_open(key, 20000, "SRS1=abcdef=one.test==x", &next) == -1,
	    "cut short, or made by somebody else");
}

int
main(void)
{
	test_round();
	test_chain();
	test_hostile();
	return done();
}
