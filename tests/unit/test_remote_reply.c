/* test_remote_reply.c - replies of other servers, and what EHLO announces. */
/* SPDX-License-Identifier: ISC */

#include "remote/reply.h"

#include <string.h>

#include "tests/unit/tap.h"

/* clang-format off */
static const struct {
	const char *lines;	/* LF between */
	int want;
	bool done;
	uint16_t code;
	const char *enhanced, *text;
} rows[] = {
	{ "250 2.0.0 Kept", 0, true, 250, "2.0.0", "250 2.0.0 Kept" },
	{ "250", 0, true, 250, "2.0.0", "250" },
	{ "250 ", 0, true, 250, "2.0.0", "250" },
	{ "550 No", 0, true, 550, "5.0.0", "550 No" },
	{ "550-5.1.1 No\n550 5.1.1 such user", 0, true, 550, "5.1.1",
	  "550 5.1.1 No such user" },
	{ "550-a", 0, false, 550, "5.0.0", "550 a" },
	{ "550 2.0.0 Other class", 0, true, 550, "5.0.0",
	  "550 2.0.0 Other class" },
	{ "550 5.1.1234 x", 0, true, 550, "5.0.0", "550 5.1.1234 x" },
	{ "550 5.1.1x", 0, true, 550, "5.0.0", "550 5.1.1x" },
	{ "550 5.123.456", 0, true, 550, "5.123.456", "550 5.123.456" },
	{ "550-5.1.1 a\n551 b", -1, false, 0, NULL, NULL },
	{ "150 x", -1, false, 0, NULL, NULL },
	{ "600 x", -1, false, 0, NULL, NULL },
	{ "25", -1, false, 0, NULL, NULL },
	{ "", -1, false, 0, NULL, NULL },
	{ "2500", -1, false, 0, NULL, NULL },
	{ "abc x", -1, false, 0, NULL, NULL },
	{ "550 a\tb\rc\033[1md\177", 0, true, 550, "5.0.0",
	  "550 a?b?c?[1md?" },
	{ "550 caf\303\251 \342\202\254 \360\237\230\200", 0, true, 550, "5.0.0",
	  "550 caf\303\251 \342\202\254 \360\237\230\200" },
	{ "550 \302\205 \302\240", 0, true, 550, "5.0.0", "550 ?? \302\240" },
	{ "550 \300\200 \340\200\200 \355\240\200 \364\220\200\200", 0, true,
	  550, "5.0.0", "550 ?? ??? ??? ????" },
	{ "550 \342\201\246 \342\201\251", 0, true, 550, "5.0.0",
	  "550 ??? ???" },
	{ "550 \342\200\250 \342\200\256", 0, true, 550, "5.0.0",
	  "550 ??? ???" },
	{ "550 \303", 0, true, 550, "5.0.0", "550 ?" },
	{ "550 \342\202", 0, true, 550, "5.0.0", "550 ??" },
};

static const struct {
	const char *line;
	struct extensions want;
} announced[] = {
	{ "250-PIPELINING", { .pipelining = true } },
	{ "250 pipelining", { .pipelining = true } },
	{ "250-SIZE", { .size = true } },
	{ "250-SIZE 52428800", { .size = true, .size_max = 52428800 } },
	{ "250-SIZE -1", { .size = true } },
	{ "250-SIZE 99999999999999999999", { .size = true } },
	{ "250-AUTH PLAIN LOGIN", { .auth_plain = true, .auth_login = true } },
	{ "250-AUTH=PLAIN", { 0 } },
	{ "250-LIMITS RCPTMAX=10 MAILMAX=5", { .rcpt_max = 10 } },
	{ "250-LIMITS RCPTMAX=0", { 0 } },
	{ "250-LIMITS RCPTMAX", { 0 } },
	{ "250-STARTTLS", { .starttls = true } },
	{ "250-SMTPUTF8", { .utf8 = true } },
	{ "250-REQUIRETLS", { .requiretls = true } },
	{ "250-PIPELININGX", { 0 } },
	{ "250-", { 0 } },
	{ "250", { 0 } },
};
/* clang-format on */

static int
feed(struct reply_parser *r, const char *lines)
{
	struct slice rest = slice_of(lines);
	int got = 0;

	reply_begin(r);
	while (rest.p != NULL && got == 0)
		got = reply_line(r, slice_cut(&rest, '\n'));
	return got;
}

static void
test_rows(void)
{
	struct reply_parser r;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int got = feed(&r, rows[i].lines);
		bool good = got == rows[i].want;

		if (good && got == 0)
			good = r.done == rows[i].done &&
			    r.code == rows[i].code &&
			    strcmp(r.enhanced, rows[i].enhanced) == 0 &&
			    strcmp(r.text, rows[i].text) == 0;
		ok(good, "reply %zu", i);
		if (!good)
			printf("# %d %u '%s' '%s'\n", got, r.code, r.enhanced,
			    r.text);
	}
}

static void
test_bounds(void)
{
	struct reply_parser r;
	char line[REPLY_LINE_MAX + 1];
	unsigned n = 0;

	memset(line, 'x', sizeof(line));
	memcpy(line, "550-", 4);
	reply_begin(&r);
	while (reply_line(&r, slice_make(line, REPLY_LINE_MAX)) == 0)
		n++;
	ok(n == REPLY_LINES_MAX, "%u lines are enough", n);
	ok(strlen(r.text) <= QUEUE_TEXT_MAX, "the text is cut");
	/* A character of two bytes at the very end is not cut in two. */
	for (size_t i = 4; i + 1 < sizeof(line); i += 2)
		memcpy(line + i, "\303\251", 2);
	for (size_t shift = 0; shift < 2; shift++) {
		reply_begin(&r);
		(void)!reply_line(&r, slice_make(line, 4 + 2 * 600 - shift));
		ok((strlen(r.text) - 4) % 2 == 0, "no half of a character");
	}
	ok(reply_result(250) == QUEUE_OK && reply_result(354) ==
	    QUEUE_TEMPORARY && reply_result(450) == QUEUE_TEMPORARY &&
	    reply_result(550) == QUEUE_PERMANENT, "what codes mean");
}

static bool
same(const struct extensions *a, const struct extensions *b)
{
	return a->pipelining == b->pipelining && a->eightbit == b->eightbit &&
	    a->size == b->size && a->utf8 == b->utf8 &&
	    a->chunking == b->chunking && a->dsn == b->dsn &&
	    a->starttls == b->starttls && a->requiretls == b->requiretls &&
	    a->auth_plain == b->auth_plain && a->auth_login == b->auth_login &&
	    a->size_max == b->size_max && a->rcpt_max == b->rcpt_max;
}

int
main(void)
{
	test_rows();
	test_bounds();
	for (size_t i = 0; i < sizeof(announced) / sizeof(announced[0]); i++) {
		struct extensions e = { 0 };

		extension_line(&e, slice_of(announced[i].line));
		ok(same(&e, &announced[i].want), "%s", announced[i].line);
	}
	return done();
}
