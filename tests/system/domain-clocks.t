#!/usr/bin/env python3
"""What a domain's people send, and what is sent to them, is stamped by the
clocks of its time zone (inventory 4-24)."""
# SPDX-License-Identifier: ISC

import email
import email.policy
import os
import re
import smtplib
import ssl
import sys
from datetime import timedelta, timezone
from email.utils import parsedate_to_datetime
from zoneinfo import ZoneInfo

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import malle
from malle import eq, ok

SERVER = timezone(timedelta(hours=-2))
SECRET = "correct horse battery"


def send(m, who, sender=None):
    """A message without a date, to oneself, whose delivery is to be told."""
    with smtplib.SMTP_SSL("localhost", m.ports["submissions"],
                          timeout=malle.PATIENCE, context=ssl.
                          create_default_context(cafile=m.ca)) as s:
        s.login(who, SECRET)
        s.sendmail(sender or who, [who], "Subject: x\n\nx\n",
                   rcpt_options=["NOTIFY=SUCCESS"])


def take(m, who):
    """The message and the notice that have come; the mailbox is empty then."""
    ok(m.wait_messages(who, 2), "%s: the message and the notice" % who)
    out = {}
    for path in m.messages(who):
        with open(path, "rb") as f:
            message = email.message_from_binary_file(
                f, policy=email.policy.default)
        out[message.get_content_type()] = message
        os.unlink(path)
    return out["text/plain"], out["multipart/report"]


def is_of(date, zone):
    """True when a date has the offset that zone has then."""
    date = parsedate_to_datetime(str(date))
    return date.utcoffset() == date.astimezone(zone).utcoffset()


def test_mail(m, who, zone, what, sender=None):
    send(m, who, sender)
    message, notice = take(m, who)
    ok(is_of(message["Date"], zone),
       "%s: the Date that was missing: %s" % (what, message["Date"]))
    received = message.get_all("Received")
    ok(is_of(received[-1].rsplit(";", 1)[1].strip(), zone),
       "%s: Received: %s" % (what, received[-1]))
    ok(is_of(notice["Date"], zone),
       "%s: the notice: %s" % (what, notice["Date"]))
    report = list(notice.iter_parts())[1].get_payload()
    ok(is_of(report[0]["Arrival-Date"], zone), "%s: and its report: %s" %
       (what, report[0]["Arrival-Date"]))
    arrival = parsedate_to_datetime(report[0]["Arrival-Date"])
    ok(arrival.strftime("%Y-%m-%d %H:%M (UTC%z)") in
       notice.get_body().get_content(), "%s: and its words" % what)
    return message


def test_stranger(m, who):
    with smtplib.SMTP("127.0.0.1", m.ports["smtp"],
                      timeout=malle.PATIENCE) as s:
        s.sendmail("eve@ailleurs.test", [who], "Subject: x\n\nx\n")
    ok(m.wait_messages(who, 1), "mail of a stranger")
    with open(m.messages(who)[0], "rb") as f:
        date = email.message_from_binary_file(f)["Received"].rsplit(";", 1)[1]
    ok(is_of(date, SERVER), "is stamped by the server's clock:" + date)


def test_trace(m):
    m.wait_log(" done ")
    ident = re.search(r"(\S+) done ", m.log()).group(1)
    said = m.malle("trace", ident).stdout
    ok(re.search(r"^  \d{4}-\d\d-\d\d \d\d:\d\d:\d\d -0200  ", said, re.M),
       "malle trace: by the clock of who asks, with its offset: " + said)


with malle.Instance(env={"TZ": "XXX2"}) as m:
    katmandu = "bob@exemple.test"
    m.domain("exemple.test", "language=en", "time-zone=Asia/Kathmandu")
    m.malle("domain", "add", "autre.test", "alias-of=exemple.test",
            "language=en", "time-zone=Europe/Paris")
    m.user(katmandu, SECRET)
    test_mail(m, katmandu, ZoneInfo("Asia/Kathmandu"), "half an hour")
    test_mail(m, katmandu, ZoneInfo("Asia/Kathmandu"),
              "by another name of the domain", "bob@autre.test")
    m.malle("domain", "set", "exemple.test", "time-zone=America/St_Johns")
    test_mail(m, katmandu, ZoneInfo("America/St_Johns"), "another zone now")
    test_stranger(m, katmandu)
    test_trace(m)
malle.done()
