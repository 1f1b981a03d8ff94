#!/usr/bin/env python3
"""malle-bounce: a notice shows the clocks of the domain that it goes to."""
# SPDX-License-Identifier: ISC

import email
import email.policy
import os
import sys
from datetime import timedelta
from email.utils import parsedate_to_datetime

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import malle
from malle import eq, ok
from bouncer import Bouncer, DELAY, DELAYED, FAILURE, notice, recipient

ORIGINAL = b"From: <alice@exemple.test>\nSubject: x\n\nx\n"
PARIS = "CET-1CEST,M3.5.0,M10.5.0/3"
WINTER = 1795300000     # 2026-11-21 22:26:40 UTC
SUMMER = 1784073600     # 2026-07-15 00:00:00 UTC
CHANGE = 1792803600     # 2026-10-24 01:00:00 UTC, a day before the end of summer
DAY = 86400

# zone; what came when; until when it is tried; how both are shown
ROWS = (
    (PARIS, WINTER, WINTER + 5 * DAY,
     "2026-11-21 23:26 (UTC+0100)", "2026-11-26 23:26 (UTC+0100)"),
    (PARIS, SUMMER, SUMMER + 5 * DAY,
     "2026-07-15 02:00 (UTC+0200)", "2026-07-20 02:00 (UTC+0200)"),
    # Each moment has the offset of its own day.
    (PARIS, CHANGE, CHANGE + 5 * DAY,
     "2026-10-24 03:00 (UTC+0200)", "2026-10-29 02:00 (UTC+0100)"),
    ("<+0545>-5:45", WINTER, WINTER + DAY,
     "2026-11-22 04:11 (UTC+0545)", "2026-11-23 04:11 (UTC+0545)"),
    ("NST3:30NDT,M3.2.0,M11.1.0", WINTER, WINTER + DAY,
     "2026-11-21 18:56 (UTC-0330)", "2026-11-22 18:56 (UTC-0330)"),
    ("UTC0", WINTER, WINTER + DAY,
     "2026-11-21 22:26 (UTC+0000)", "2026-11-22 22:26 (UTC+0000)"),
    # A domain without a zone, and a rule that is none: the server's clock.
    ("", WINTER, WINTER + DAY,
     "2026-11-21 20:26 (UTC-0200)", "2026-11-22 20:26 (UTC-0200)"),
    ("Europe/Paris", WINTER, WINTER + DAY,
     "2026-11-21 20:26 (UTC-0200)", "2026-11-22 20:26 (UTC-0200)"),
)


def offset(shown):
    sign = -1 if shown[-6] == "-" else 1
    return sign * timedelta(hours=int(shown[-5:-3]), minutes=int(shown[-3:-1]))


def test_row(b, zone, came, until, shown, shown_until):
    s = b.ask(notice([recipient("bob@ailleurs.test", "4.4.1", action=DELAYED,
                                last=came + 60, until=until)],
                     ORIGINAL, kind=DELAY, language="en", zone=zone,
                     arrival=came), ORIGINAL)
    m = email.message_from_bytes(s.content, policy=email.policy.default)
    text = " ".join(m.get_body().get_content().split())
    ok("Received by us: " + shown in text, "%s: came %s" % (zone, shown))
    ok("until " + shown_until in text, "%s: until %s" % (zone, shown_until))
    groups = list(m.iter_parts())[1].get_payload()
    dates = [parsedate_to_datetime(group[name]) for group, name in
             ((groups[0], "Arrival-Date"), (groups[1], "Last-Attempt-Date"),
              (groups[1], "Will-Retry-Until"))]
    eq([int(d.timestamp()) for d in dates], [came, came + 60, until],
       "the report has the same moments (RFC 3464 2.2.5)")
    eq([d.utcoffset() for d in dates],
       [offset(shown), offset(shown), offset(shown_until)], "by its clocks")


def test_date(b):
    """The Date of the notice itself is now, wherever that is."""
    for zone, hours in (("<+14>-14", 14), ("<-11>11", -11), ("", -2)):
        s = b.ask(notice([recipient("bob@ailleurs.test")], ORIGINAL,
                         kind=FAILURE, zone=zone), ORIGINAL)
        m = email.message_from_bytes(s.content, policy=email.policy.default)
        eq(m["Date"].datetime.utcoffset(), timedelta(hours=hours),
           "Date in \"%s\"" % zone)


bouncer = Bouncer(env={"TZ": "XXX2"})
for row in ROWS:
    test_row(bouncer, *row)
test_date(bouncer)
eq(bouncer.ask(notice([recipient("bob@ailleurs.test")], ORIGINAL,
                      zone="A" * 80), ORIGINAL).committed, False,
   "a zone that is too long is no request")
eq(bouncer.close()[0], 0, "it ends with 0")
malle.done()
