/* test_log.c - one line, one event, whatever a stranger puts into it. */
/* SPDX-License-Identifier: ISC */

#include "lib/log.h"

#include <err.h>
#include <stdlib.h>
#include <unistd.h>

#include "tests/unit/tap.h"

/* clang-format off */
static const struct {
	struct slice value;
	const char *want;
} quotes[] = {
	{ SLICE("bob@exemple.test"), "bob@exemple.test" },
	{ SLICE(""), "\"\"" },
	{ SLICE("two words"), "\"two words\"" },
	{ SLICE("a=b"), "\"a=b\"" },
	{ SLICE("a\"b"), "\"a\\x22b\"" },
	{ SLICE("a\\b"), "\"a\\x5cb\"" },
	{ SLICE("a\r\nb"), "\"a\\x0d\\x0ab\"" },
	{ SLICE("a\0b"), "\"a\\x00b\"" },
	{ SLICE("\x1b[31m"), "\"\\x1b[31m\"" },
	{ SLICE("caf\xc3\xa9"), "\"caf\xc3\xa9\"" },
	{ SLICE("\xff\xc3"), "\"\\xff\\xc3\"" },
	{ SLICE("\xc2\x85"), "\"\\xc2\\x85\"" },
	/* A control, U+009B, in more bytes than it needs; a half of a pair. */
	{ SLICE("\xe0\x82\x9b"), "\"\\xe0\\x82\\x9b\"" },
	{ SLICE("\xf0\x80\x82\x9b"), "\"\\xf0\\x80\\x82\\x9b\"" },
	{ SLICE("\xed\xa0\x80"), "\"\\xed\\xa0\\x80\"" },
	{ SLICE("\xf4\x90\x80\x80"), "\"\\xf4\\x90\\x80\\x80\"" },
	{ SLICE("\xe2\x82\xac\xf0\x9f\x93\xae"),
	  "\"\xe2\x82\xac\xf0\x9f\x93\xae\"" },
};
/* clang-format on */

static int pipes[2];

static struct slice
logged(void)
{
	static char line[8192];
	ssize_t n = read(pipes[0], line, sizeof(line));

	return n <= 0 ? SLICE_EMPTY : slice_make(line, (size_t)n);
}

static bool
ends(struct slice s, const char *tail)
{
	size_t n = strlen(tail);

	return s.len >= n && memcmp(s.p + s.len - n, tail, n) == 0;
}

static void
test_events(void)
{
	static char big[10000];
	struct slice line;

	log_info("id-1", "accepted", "from=%s size=%d", LOGS("a@b"), 5);
	line = logged();
	ok(ends(line, "] id-1 accepted from=a@b size=5\n") &&
	    line.p[10] == 'T' && line.p[26] == 'Z' &&
	    slice_starts_nocase(slice_skip(line, 28), SLICE("test[")),
	    "the form of a line");
	log_notice(NULL, "stopped", "%s", "");
	ok(ends(logged(), "] - stopped \n"), "of no message");
	log_info(NULL, "raw", "x=%s", "a\nb\rc\x1b");
	line = logged();
	ok(ends(line, " raw x=a b c \n"), "a value that was not quoted stays "
	    "in its line");
	memset(big, 'x', sizeof(big) - 1);
	log_info(NULL, "big", "x=%s", big);
	line = logged();
	ok(line.len <= 4096 && ends(line, "x\n"), "an endless value is cut");
	log_info(NULL, "big", "x=%s y=1", LOGS(big));
	ok(ends(logged(), " y=1\n"), "a quoted one is cut at its own limit");
	log_debug(NULL, "detail", "x=%d", 1);
	log_level(LOG_ERROR_);
	log_notice(NULL, "stopped", "x=%d", 1);
	log_error(NULL, "error", "x=%d", 1);
	ok(ends(logged(), " error x=1\n"), "lines above the level are dropped");
	log_level(LOG_INFO_);
}

static void
test_syslog(void)
{
	setenv("MALLE_LOG", "syslog", 1);
	log_open("test");
	log_error("id-1", "failed", "x=%d", 1);
	struct slice line = logged();
	ok(slice_starts_nocase(line, SLICE("<19>test[")) &&
	    ends(line, "]: id-1 failed x=1"), "to syslog: facility mail, no "
	    "line end");
}

int
main(void)
{
	for (size_t i = 0; i < sizeof(quotes) / sizeof(*quotes); i++)
		ok(strcmp(log_quote(quotes[i].value), quotes[i].want) == 0,
		    "quote row %zu", i);
	if (pipe(pipes) == -1 || dup2(pipes[1], STDERR_FILENO) == -1)
		err(1, "pipe");
	log_open("test");
	test_events();
	test_syslog();
	return done();
}
