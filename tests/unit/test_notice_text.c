/* test_notice_text.c - what the owner of a mailbox is told by mail. */
/* SPDX-License-Identifier: ISC */
#include <stdio.h>

#include "registry/notice_text.h"
#include "tests/unit/tap.h"

static void
test_words(void)
{
	static const struct {
		const char *item;
		enum notice_kind kind;
		bool is_french;
		const char *zone, *manager, *from;
		uint32_t uid;
		const char *want;
	} rows[] = {
		{ "9-05", NOTICE_PASSWORD, false, "UTC0", "", "", 0,
		  "by the administrator of the server (root)." },
		{ "9-05", NOTICE_PASSWORD, false, "UTC0", "", "", 1007,
		  "not by you but by an administrator" },
		{ "9-05", NOTICE_PASSWORD, false, "UTC0", "pmartin", "", 1007,
		  "by the manager pmartin." },
		{ "9-05", NOTICE_PASSWORD, true, "UTC0", "pmartin", "", 0,
		  "le gestionnaire pmartin." },
		{ "9-05", NOTICE_PASSWORD, false, "UTC0", "", "192.0.2.7", 0,
		  "\nFrom: 192.0.2.7\n" },
		{ "9-05", NOTICE_PASSWORD, false, "UTC0", "", "", 0,
		  "Subject: The password of a@b.test was changed\n" },
		{ "9-05", NOTICE_PASSWORD, false, "UTC0", "", "", 0,
		  "Message-ID: <KEY.notice@mx.test>\n"
		  "Auto-Submitted: auto-generated\n" },
		{ "9-05", NOTICE_PASSWORD, true, "UTC0", "", "", 0,
		  "Content-Language: fr\n" },
		{ "9-05", NOTICE_APP, false, "UTC0", "pmartin", "", 0,
		  "Subject: An application password of a@b.test was added\n" },
		{ "9-05", NOTICE_APP, false, "UTC0", "pmartin", "", 0,
		  "added not by you but by the manager pmartin. Its\nname: =E2=80=9Cphone=E2=80=9D." },
		{ "9-05", NOTICE_APP, false, "UTC0", "", "192.0.2.7", 0,
		  "\nFrom: 192.0.2.7\n" },
		{ "9-05", NOTICE_APP, true, "UTC0", "", "", 0,
		  "li=\nst\na@b.test --own), et supprimer" },
		{ "4-24", NOTICE_PASSWORD, false, "UTC0", "", "", 0,
		  "Date: Thu, 24 Dec 2026 23:30:00 +0000\n" },
		{ "4-24", NOTICE_PASSWORD, false, "CET-1CEST,M3.5.0,M10.5.0/3",
		  "", "", 0, "Date: Fri, 25 Dec 2026 00:30:00 +0100\n" },
		{ "4-24", NOTICE_PASSWORD, false, "NST3:30NDT,M3.2.0,M11.1.0",
		  "", "", 0, "Date: Thu, 24 Dec 2026 20:00:00 -0330\n" },
		{ "4-24", NOTICE_PASSWORD, false, "AEST-10AEDT,M10.1.0,M4.1.0/3",
		  "", "", 0, "on 2026-12-25 at 10:30\n(UTC+1100)" },
		{ "0-30", NOTICE_ABSENCE, false, "CET-1CEST,M3.5.0,M10.5.0/3",
		  "", "", 0, "since 2026-07-14 at 01:59 (UTC+0200)\n" },
		{ "0-30", NOTICE_ABSENCE, false, "UTC0", "", "", 0,
		  "Subject: a@b.test: your absence still goes on\n" },
		{ "0-30", NOTICE_ABSENCE, true, "UTC0", "", "", 0,
		  "r=C3=A9pond depuis le 13/07/2026" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct str out = STR_INIT(NOTICE_TEXT_MAX);
		struct notice_text n = { .kind = rows[i].kind, .key = "KEY",
		    .hostname = "mx.test", .to = "a@b.test",
		    .postmaster = "postmaster@b.test",
		    .is_french = rows[i].is_french, .now = 1798155000,
		    .since = 1783987140, .app = SLICE("phone"),
		    .manager = rows[i].manager,
		    .uid = rows[i].uid, .from = slice_of(rows[i].from) };

		ok(zone_parse(slice_of(rows[i].zone), &n.zone) == 0, "%s",
		    rows[i].zone);
		notice_compose(&out, &n);
		str_putc(&out, '\0');
		if (!ok(str_ok(&out) && strstr(out.p, rows[i].want) != NULL,
		    "%s: row %zu", rows[i].item, i))
			printf("# wanted: %s\n", rows[i].want);
		str_free(&out);
	}
}

int
main(void)
{
	test_words();
	return done();
}
