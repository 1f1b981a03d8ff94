#!/usr/bin/env python3
"""relay.t - hosts with a fixed address may send: owner, rate, last day.

The whole service: malle relay, the table, malle-smtpd and the queue.
"""
# SPDX-License-Identifier: ISC

import json
import os
import smtplib
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import malle
from malle import done, eq, ok, until

HELLO = "Subject: x\r\n\r\nhello\r\n"


def rows(m):
    return [json.loads(l) for l in
            m.malle("--json", "queue", "list").stdout.splitlines()]


def relay(m, *args, lang="C"):
    return m.run("malle", "relay", *args, check=False)


def code_of(s, sender="app@exemple.test", to="x@elsewhere.example"):
    """What RCPT to elsewhere is told."""
    s.rset()
    s.mail(sender)
    answer = s.rcpt(to)
    s.rset()
    return answer


def client(m):
    s = smtplib.SMTP("127.0.0.1", m.ports["smtp"], timeout=malle.PATIENCE)
    s.ehlo("app")
    return s


# Nothing is ever sent anywhere: no resolver answers.
with malle.Instance(conf={"resolver": "127.0.0.1:1"}) as m:
    m.domain("exemple.test")
    m.user("marie@exemple.test")
    m.malle("client", "add", "acme", "max-messages-day=3")

    with client(m) as s:
        code, text = code_of(s)
        ok(code // 100 == 5, "3-16: nobody relays: %d %s" % (code, text))

    r = relay(m, "add", "127.0.0.1", "--owner", "nobody@exemple.test")
    ok(r.returncode != 0 and "nobody@exemple.test" in r.stderr,
       "3-16: the owner must be there: " + r.stderr.strip())
    r = relay(m, "add", "127.0.0.1", "--owner", "stranger")
    ok(r.returncode != 0 and "stranger" in r.stderr,
       "3-16: a customer too: " + r.stderr.strip())
    r = relay(m, "add", "127.0.0.1", "--rate", "many")
    ok(r.returncode != 0, "3-16: a rate is a number: " + r.stderr.strip())
    eq(relay(m, "add", "127.0.0.1", "--owner", "Marie@Exemple.test", "--rate",
             "2", "--note", "the application").returncode, 0,
       "3-16: malle relay add")
    shown = json.loads(m.malle("--json", "relay", "show", "127.0.0.1").stdout)
    eq((shown["owner"], shown["rate"]), ("marie@exemple.test", "2"),
       "3-16: malle relay show")
    ok("marie@exemple.test" in m.malle("relay", "list").stdout and
       "the application" in m.malle("relay", "list").stdout,
       "3-16: malle relay list")

    with client(m) as s:
        until(lambda: code_of(s)[0] == 250)
        eq(code_of(s)[0], 250, "3-16: the host may relay")
        for _ in range(5):
            s.sendmail("app@exemple.test", "x@elsewhere.example", HELLO)
    name = "relay 127.0.0.1/32 marie@exemple.test"
    ok(m.log().count('account="%s"' % name) >= 5,
       "3-16: the log says whose mail it is")
    found = m.malle("--json", "queue", "list", "--account",
                    "relay 127.0.0.1/32 *").stdout.splitlines()
    eq(len(found), 5, "3-16: its mail is found by its name")
    held = [r for r in rows(m) if r["state"] == "held"]
    eq([r["reason"] for r in held], ["outbound messages 5 2 " + name],
       "3-16: beyond its rate it is slowed, then held")
    eq(m.log().count(" slowed account="), 2, "3-16: two were slowed")

    # More is said, and counts at once.
    m.malle("relay", "set", "127.0.0.1", "--owner", "acme", "--rate", "0")
    r = m.run("malle", "client", "delete", "acme", check=False)
    ok(r.returncode != 0 and "127.0.0.1" in r.stderr,
       "3-16: a customer who answers for a host stays: " + r.stderr.strip())
    with client(m) as s:
        def refusal():
            """Of one message more; None: it is taken."""
            try:
                s.sendmail("app@exemple.test", "x@elsewhere.example", HELLO)
            except smtplib.SMTPDataError as e:
                return e.smtp_code, e.smtp_error

        def taken():
            return m.log().count('account="relay 127.0.0.1/32 acme"')
        today = time.localtime().tm_yday
        eq(until(refusal), (
            451, b"4.7.1 The customer acme has sent all that it may in a "
            b"day: used 3 of 3 messages today, try again tomorrow"),
           "3-16: the day of the customer is full")
        # A midnight between them begins another day.
        ok(taken() == 3 or time.localtime().tm_yday != today,
           "3-16: after three messages: %d" % taken())
        m.malle("client", "set", "acme", "max-messages-day=10")
        ok(until(lambda: refusal() is None, step=0.3),
           "3-16: until there is more of it")

        # The end of the permission, with the session open, without a restart.
        # The time is longer when the first was over before this was asked.
        for seconds in (3, 10, 30, 100):
            end = int(time.time()) + seconds
            m.malle("relay", "set", "127.0.0.1", "--until",
                    time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(end)))
            may = until(lambda: code_of(s)[0] == 250 or
                        time.time() >= end and "over")
            if may is True:
                break
        eq(may, True, "3-16: it may until then")
        refused = until(lambda: code_of(s)[0] // 100 == 5,
                        seconds + malle.PATIENCE, 0.5)
        ok(refused, "3-16: and is refused then, in the session that is open")
        ok(time.time() >= end, "3-16: not before")
    with client(m) as s:
        ok(code_of(s)[0] // 100 == 5, "3-16: nor in another")
    m.malle("relay", "set", "127.0.0.1", "--until", "2999-12-31")
    with client(m) as s:
        ok(until(lambda: code_of(s)[0] == 250), "3-16: it may again")
        m.malle("relay", "delete", "127.0.0.1")
        ok(until(lambda: code_of(s)[0] // 100 == 5, step=0.5),
           "3-16: a permission that is taken away ends at once")
    eq(m.violations(), [], "within the sandbox")
done()
