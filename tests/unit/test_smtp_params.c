/* test_smtp_params.c - the arguments of SMTP commands. */
/* SPDX-License-Identifier: ISC */

#include "smtpd/params.h"

#include "tests/unit/tap.h"

/* clang-format off */
static const struct {
	const char *in;
	enum params_status want;
	const char *sender;
	uint64_t size;
	uint32_t flags;
	const char *envid;
} mails[] = {
	{ "FROM:<a@b.test>", PARAMS_OK, "a@b.test", 0, 0, "" },
	{ "from:<a@B.Test>", PARAMS_OK, "a@b.test", 0, 0, "" },
	{ "FROM:<>", PARAMS_OK, "", 0, 0, "" },
	{ "FROM: <a@b.test>", PARAMS_OK, "a@b.test", 0, 0, "" },
	{ "FROM:<@x.test:a@b.test>", PARAMS_OK, "a@b.test", 0, 0, "" },
	{ "FROM:<a@b.test> SIZE=123", PARAMS_OK, "a@b.test", 123, 0, "" },
	{ "FROM:<a@b.test>  SIZE=123 ", PARAMS_OK, "a@b.test", 123, 0, "" },
	{ "FROM:<a@b.test> size=0 BODY=8BITMIME", PARAMS_OK, "a@b.test", 0, QM_8BIT, "" },
	{ "FROM:<a@b.test> BODY=7bit", PARAMS_OK, "a@b.test", 0, 0, "" },
	{ "FROM:<a@b.test> RET=HDRS ENVID=a+2Bb+20c", PARAMS_OK, "a@b.test", 0, QM_RET_HDRS, "a+b c" },
	{ "FROM:<a@b.test> RET=full", PARAMS_OK, "a@b.test", 0, QM_RET_FULL, "" },
	{ "FROM:<a@b.test> AUTH=<>", PARAMS_OK, "a@b.test", 0, 0, "" },
	{ "FROM:<a@b.test> AUTH=e+3Dmc2@x.test", PARAMS_OK, "a@b.test", 0, 0, "" },
	{ "FROM:<\303\251@b.test> SMTPUTF8", PARAMS_OK, "\303\251@b.test", 0, QM_UTF8, "" },
	{ "FROM:<\303\251@b.test>", PARAMS_NEEDS_SMTPUTF8, "", 0, 0, "" },
	{ "FROM:<\377@b.test> SMTPUTF8", PARAMS_SENDER_UTF8, "", 0, 0, "" },
	{ "FROM:a@b.test", PARAMS_SENDER, "", 0, 0, "" },
	{ "FROM:<a@b.test", PARAMS_SENDER, "", 0, 0, "" },
	{ "FROM:<a>", PARAMS_SENDER, "", 0, 0, "" },
	{ "FROM:<postmaster>", PARAMS_SENDER, "", 0, 0, "" },
	{ "FROM:<a b@b.test>", PARAMS_SENDER, "", 0, 0, "" },
	{ "FROM:<a@b..test>", PARAMS_SENDER, "", 0, 0, "" },
	{ "FROM:", PARAMS_SENDER, "", 0, 0, "" },
	{ "FROM", PARAMS_SYNTAX, "", 0, 0, "" },
	{ "TO:<a@b.test>", PARAMS_SYNTAX, "", 0, 0, "" },
	{ "FROM:<a@b.test>SIZE=1", PARAMS_SYNTAX, "", 0, 0, "" },
	{ "FROM:<a@b.test> SIZE", PARAMS_VALUE, "", 0, 0, "" },
	{ "FROM:<a@b.test> SIZE=", PARAMS_VALUE, "", 0, 0, "" },
	{ "FROM:<a@b.test> SIZE=-1", PARAMS_VALUE, "", 0, 0, "" },
	{ "FROM:<a@b.test> SIZE=1k", PARAMS_VALUE, "", 0, 0, "" },
	{ "FROM:<a@b.test> SIZE=99999999999999999999", PARAMS_VALUE, "", 0, 0, "" },
	{ "FROM:<a@b.test> SIZE=000000000000000000001", PARAMS_VALUE, "", 0, 0, "" },
	{ "FROM:<a@b.test> SIZE=1 SIZE=1", PARAMS_TWICE, "", 0, 0, "" },
	{ "FROM:<a@b.test> BODY=BINARYMIME", PARAMS_VALUE, "", 0, 0, "" },
	{ "FROM:<a@b.test> REQUIRETLS", PARAMS_OK, "a@b.test", 0, QM_REQUIRETLS, "" },
	{ "FROM:<a@b.test> REQUIRETLS=1", PARAMS_VALUE, "", 0, 0, "" },
	{ "FROM:<a@b.test> XVERP", PARAMS_OK, "a@b.test", 0, QM_VERP, "" },
	{ "FROM:<a@b.test> XVERP=1", PARAMS_VALUE, "", 0, 0, "" },
	{ "FROM:<a@b.test> SMTPUTF8=1", PARAMS_VALUE, "", 0, 0, "" },
	{ "FROM:<a@b.test> RET=SOME", PARAMS_VALUE, "", 0, 0, "" },
	{ "FROM:<a@b.test> ENVID=a+0Ab", PARAMS_VALUE, "", 0, 0, "" },
	{ "FROM:<a@b.test> ENVID=a+2bb", PARAMS_VALUE, "", 0, 0, "" },
	{ "FROM:<a@b.test> ENVID=a+2", PARAMS_VALUE, "", 0, 0, "" },
	{ "FROM:<a@b.test> ENVID=", PARAMS_VALUE, "", 0, 0, "" },
	{ "FROM:<a@b.test> AUTH=+", PARAMS_VALUE, "", 0, 0, "" },
	{ "FROM:<a@b.test> FOO=1", PARAMS_UNKNOWN, "", 0, 0, "" },
	{ "FROM:<a@b.test> NOTIFY=NEVER", PARAMS_UNKNOWN, "", 0, 0, "" },
	{ "FROM:<a@b.test> =", PARAMS_UNKNOWN, "", 0, 0, "" },
};

static const struct {
	const char *in;
	bool utf8;
	enum params_status want;
	const char *recipient;
	unsigned notify;
	const char *orcpt;
} rcpts[] = {
	{ "TO:<a@b.test>", false, PARAMS_OK, "a@b.test", 0, "" },
	{ "TO:<Postmaster>", false, PARAMS_OK, "postmaster", 0, "" },
	{ "TO:<a@[192.0.2.1]>", false, PARAMS_OK, "a@[192.0.2.1]", 0, "" },
	{ "TO:<\"a b\"@b.test>", false, PARAMS_OK, "\"a b\"@b.test", 0, "" },
	{ "TO:<a@b.test> NOTIFY=NEVER", false, PARAMS_OK, "a@b.test", QN_NEVER, "" },
	{ "TO:<a@b.test> NOTIFY=success,DELAY ORCPT=rfc822;a+2Bx@b.test", false, PARAMS_OK,
	  "a@b.test", QN_SUCCESS | QN_DELAY, "rfc822;a+x@b.test" },
	{ "TO:<a@b.test> ORCPT=utf-8;\\x{E9}@b.test", false, PARAMS_OK, "a@b.test", 0, "utf-8;\\x{E9}@b.test" },
	{ "TO:<\303\251@b.test>", true, PARAMS_OK, "\303\251@b.test", 0, "" },
	{ "TO:<\303\251@b.test>", false, PARAMS_NEEDS_SMTPUTF8, "", 0, "" },
	{ "TO:<>", false, PARAMS_RECIPIENT, "", 0, "" },
	{ "TO:<a@b.test> NOTIFY=NEVER,DELAY", false, PARAMS_VALUE, "", 0, "" },
	{ "TO:<a@b.test> NOTIFY=SUCCESS,", false, PARAMS_VALUE, "", 0, "" },
	{ "TO:<a@b.test> NOTIFY=", false, PARAMS_VALUE, "", 0, "" },
	{ "TO:<a@b.test> NOTIFY", false, PARAMS_VALUE, "", 0, "" },
	{ "TO:<a@b.test> ORCPT=a@b.test", false, PARAMS_VALUE, "", 0, "" },
	{ "TO:<a@b.test> ORCPT=;a@b.test", false, PARAMS_VALUE, "", 0, "" },
	{ "TO:<a@b.test> ORCPT=rfc822;", false, PARAMS_VALUE, "", 0, "" },
	{ "TO:<a@b.test> ORCPT=rfc822;a+0D+0Ab", false, PARAMS_VALUE, "", 0, "" },
	{ "TO:<a@b.test> SIZE=1", false, PARAMS_UNKNOWN, "", 0, "" },
	{ "TO:<a@b.test> NOTIFY=DELAY NOTIFY=DELAY", false, PARAMS_TWICE, "", 0, "" },
	{ "FROM:<a@b.test>", false, PARAMS_SYNTAX, "", 0, "" },
};

static const struct {
	const char *in;
	enum params_status want;
	uint64_t size;
	bool is_last;
} bdats[] = {
	{ "0 LAST", PARAMS_OK, 0, true },
	{ "100", PARAMS_OK, 100, false },
	{ "100 last", PARAMS_OK, 100, true },
	{ "9223372036854775807", PARAMS_OK, INT64_MAX, false },
	{ "9223372036854775808", PARAMS_SYNTAX, 0, false },
	{ "-1", PARAMS_SYNTAX, 0, false },
	{ "LAST", PARAMS_SYNTAX, 0, false },
	{ "1 FIRST", PARAMS_SYNTAX, 0, false },
	{ "1 LAST LAST", PARAMS_SYNTAX, 0, false },
};

static const struct {
	const char *in, *want;
} helos[] = {
	{ "mail.exemple.test", "mail.exemple.test" },
	{ "[192.0.2.1]", "[192.0.2.1]" },
	{ "[IPv6:2001:db8::1]", "[IPv6:2001:db8::1]" },
	{ "a b", "a?b" },
	{ "x (y)\tz\r", "x??y??z?" },
	{ "a_b;<>", "a_b???" },
	{ "\303\251.test", "??.test" },
};
/* clang-format on */

static void
test_mail(size_t i)
{
	struct mail_params m;
	char text[ADDR_TEXT_MAX];
	enum params_status got = params_mail(slice_of(mails[i].in), &m);

	ok(got == mails[i].want, "MAIL %s", mails[i].in);
	if (got == PARAMS_OK)
		ok(strcmp(addr_text(&m.sender, text, sizeof(text)),
		    mails[i].sender) == 0 && m.size == mails[i].size &&
		    m.flags == mails[i].flags &&
		    strcmp(m.envid, mails[i].envid) == 0,
		    "MAIL %s: values", mails[i].in);
}

static void
test_rcpt(size_t i)
{
	struct rcpt_params r;
	char text[ADDR_TEXT_MAX];
	enum params_status got = params_rcpt(slice_of(rcpts[i].in),
	    rcpts[i].utf8, &r);

	ok(got == rcpts[i].want, "RCPT %s", rcpts[i].in);
	if (got != PARAMS_OK)
		return;
	addr_text(&r.recipient, text, sizeof(text));
	if (r.recipient.domain[0] == '\0')
		snprintf(text, sizeof(text), "%s", r.recipient.local);
	ok(strcmp(text, rcpts[i].recipient) == 0 &&
	    r.notify == rcpts[i].notify &&
	    strcmp(r.orcpt, rcpts[i].orcpt) == 0, "RCPT %s: values %s %s",
	    rcpts[i].in, text, r.orcpt);
}

static void
test_auth(void)
{
	struct auth_params a;

	ok(params_auth(SLICE("plain AGE="), &a) == PARAMS_OK &&
	    strcmp(a.mechanism, "PLAIN") == 0 && a.has_initial &&
	    slice_eq(a.initial, SLICE("AGE=")), "AUTH with initial response");
	ok(params_auth(SLICE("LOGIN"), &a) == PARAMS_OK && !a.has_initial,
	    "AUTH without");
	ok(params_auth(SLICE("PLAIN ="), &a) == PARAMS_OK && a.has_initial &&
	    a.initial.len == 0, "AUTH with an empty one");
	ok(params_auth(SLICE("A-NAME-THAT-IS-LONGER-THAN-ALL-OF-THEM"), &a) ==
	    PARAMS_OK && strcmp(a.mechanism, "?") == 0, "AUTH with a long name");
}

static void
test_envid_length(void)
{
	char in[160] = "FROM:<a@b.test> ENVID=";
	size_t n = strlen(in);
	struct mail_params m;

	memset(in + n, 'x', 100);
	ok(params_mail(slice_make(in, n + 100), &m) == PARAMS_OK,
	    "ENVID of 100");
	in[n + 100] = 'x';
	ok(params_mail(slice_make(in, n + 101), &m) == PARAMS_VALUE,
	    "ENVID of 101");
}

#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))

int
main(void)
{
	struct bdat_params b;
	char helo[ADDR_DOMAIN_MAX + 1], big[ADDR_DOMAIN_MAX + 2];

	for (size_t i = 0; i < COUNT(mails); i++)
		test_mail(i);
	for (size_t i = 0; i < COUNT(rcpts); i++)
		test_rcpt(i);
	for (size_t i = 0; i < COUNT(bdats); i++)
		ok(params_bdat(slice_of(bdats[i].in), &b) == bdats[i].want &&
		    (bdats[i].want != PARAMS_OK || (b.size == bdats[i].size &&
		    b.is_last == bdats[i].is_last)), "BDAT %s", bdats[i].in);
	for (size_t i = 0; i < COUNT(helos); i++)
		ok(params_helo(slice_of(helos[i].in), helo) == PARAMS_OK &&
		    strcmp(helo, helos[i].want) == 0, "HELO %s", helos[i].want);
	memset(big, 'a', sizeof(big));
	ok(params_helo(slice_make(big, sizeof(big)), helo) == PARAMS_SYNTAX,
	    "HELO of 256");
	ok(params_mail(SLICE("FROM:<a\0@b.test>"), &(struct mail_params){
	    .size = 0 }) == PARAMS_SENDER, "a NUL in an address");
	test_auth();
	test_envid_length();
	return done();
}
