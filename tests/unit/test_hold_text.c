/* test_hold_text.c - what an account whose mail is held is told. */
/* SPDX-License-Identifier: ISC */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "queue/hold_text.h"
#include "tests/unit/tap.h"

static void
test_reasons(void)
{
	static const struct {
		const char *text;
		bool is_one;
		int64_t seconds;
	} rows[] = {
		{ "outbound messages 9 4 a@b.test", true, 5400 },
		{ "outbound messages 8 4 a@b.test", true, 4500 },
		{ "outbound messages 900 4 a@b.test", true, 8100 },
		{ "outbound recipients 22 10 relay 192.0.2.7/32 a@b.test",
		  true, 4680 },
		{ "outbound messages 3 4 a@b.test", true, 0 },
		{ "outbound messages 9 0 a@b.test", false, 0 },
		{ "outbound messages x 4 a@b.test", false, 0 },
		{ "outbound messages 9 4 ", false, 0 },
		{ "outbound messages 9 4", false, 0 },
		{ "outbound", false, 0 },
		{ "uid 0", false, 0 },
		{ "", false, 0 },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct hold_reason r;
		bool is_one = hold_reason_parse(slice_of(rows[i].text), &r);

		ok(is_one == rows[i].is_one && (!is_one ||
		    hold_seconds(&r) == rows[i].seconds), "1-06: \"%s\"",
		    rows[i].text);
	}
}

/* The words are there, in both languages; a French text is encoded. */
static void
test_words(void)
{
	static const struct {
		bool is_french;
		const char *reason, *want;
	} rows[] = {
		{ false, "outbound messages 9 4 a@b.test",
		  "has sent 9 messages in an hour." },
		{ false, "outbound recipients 22 10 a@b.test",
		  "has written to 22 recipients in an hour." },
		{ true, "outbound messages 9 4 a@b.test",
		  "a envoy=C3=A9 9 messages en une heure." },
		{ true, "outbound recipients 22 10 a@b.test",
		  " 22 destinataires en" },
		{ true, "outbound messages 9 4 a@b.test",
		  "Content-Language: fr\n" },
		{ false, "outbound messages 9 4 a@b.test", "\nTo: <a@b.test>\n"
		  "Cc: <postmaster@b.test>\nSubject: Mail is held: a@b.test" },
		{ false, "outbound messages 9 4 a@b.test",
		  "\nMessage-ID: <ID.held@mx.test>\n"
		  "Auto-Submitted: auto-generated\n" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct str out = STR_INIT(HOLD_TEXT_MAX);
		struct hold_notice n = { .id = "ID", .hostname = "mx.test",
		    .to = "a@b.test", .postmaster = "postmaster@b.test",
		    .is_french = rows[i].is_french, .zone = "" };

		ok(hold_reason_parse(slice_of(rows[i].reason), &n.why),
		    "%s", rows[i].reason);
		hold_compose(&out, &n);
		str_putc(&out, '\0');
		ok(str_ok(&out) && strstr(out.p, rows[i].want) != NULL,
		    "1-06: %s", rows[i].want);
		str_free(&out);
	}
}

/* 4-24: by the clocks of the domain, each moment with the offset of its day. */
static void
test_clocks(void)
{
	static const struct {
		const char *zone;
		time_t now;
		const char *date, *since, *until;
	} rows[] = {
		/* A day before the end of summer, and the day of it. */
		{ "CET-1CEST,M3.5.0,M10.5.0/3", 1792850400,
		  "Date: Sat, 24 Oct 2026 16:00:00 +0200\n",
		  "24 October 2026 at 16:00 (UTC+0200)",
		  "25 October 2026 at 15:00 (UTC+0100)" },
		{ "<+0545>-5:45", 1792850400,
		  "Date: Sat, 24 Oct 2026 19:45:00 +0545\n",
		  "24 October 2026 at 19:45 (UTC+0545)",
		  "25 October 2026 at 19:45 (UTC+0545)" },
		{ "", 1792850400, "Date: Sat, 24 Oct 2026 11:00:00 -0300\n",
		  "24 October 2026 at 11:00 (UTC-0300)",
		  "25 October 2026 at 11:00 (UTC-0300)" },
	};

	setenv("TZ", "XXX3", 1);
	tzset();
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct str out = STR_INIT(HOLD_TEXT_MAX);
		struct hold_notice n = { .id = "ID", .hostname = "mx.test",
		    .to = "a@b.test", .postmaster = "postmaster@b.test",
		    .zone = rows[i].zone, .since = rows[i].now,
		    .now = rows[i].now, .until = rows[i].now + 86400 };

		ok(hold_reason_parse(SLICE("outbound messages 9 4 a@b.test"),
		    &n.why), "a reason");
		hold_compose(&out, &n);
		str_putc(&out, '\0');
		ok(str_ok(&out) && strstr(out.p, rows[i].date) != NULL &&
		    strstr(out.p, rows[i].since) != NULL &&
		    strstr(out.p, rows[i].until) != NULL, "4-24: \"%s\": %s",
		    rows[i].zone, out.p);
		str_free(&out);
	}
}

int
main(void)
{
	test_reasons();
	test_words();
	test_clocks();
	return done();
}
