#!/usr/bin/env python3
"""Notices in the running service: who gets one, about what, in his language.

RFC 3461 NOTIFY, RET, ENVID and ORCPT from the SMTP dialogue to the notice that
lies in the sender's mailbox.
"""
# SPDX-License-Identifier: ISC

import email
import email.policy
import os
import smtplib
import ssl
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import malle
from malle import eq, note, ok

ALICE, BOB, JOHN = ("alice@exemple.test", "bob@exemple.test",
                    "john@example.test")
# What was in the mailbox before is refused as a loop: 5.4.6.
LOOP = "Delivered-To: %s\nFrom: <%s>\nSubject: =?utf-8?q?=C3=A9t=C3=A9?=\n" \
       "Message-ID: <loop.1@exemple.test>\n\nBody text\n"


def send(m, sender, rcpt, text, mail=(), rcpt_options=()):
    context = ssl.create_default_context(cafile=m.ca)
    context.check_hostname = False
    s = smtplib.SMTP_SSL("127.0.0.1", m.ports["submissions"], context=context,
                         timeout=malle.PATIENCE)
    s.login(sender, m.passwords[sender])
    s.sendmail(sender, rcpt, text, list(mail), list(rcpt_options))
    s.quit()


def newest(m, address, n):
    """The n-th message of a mailbox, parsed."""
    found = m.wait_messages(address, n)
    if not eq(len(found), n, "%s has %d messages" % (address, n)):
        note(m.log()[-3000:])
        return email.message_from_bytes(b"", policy=email.policy.default)
    # Names sort by the time of acceptance.
    return email.message_from_bytes(found[-1], policy=email.policy.default)


def report(message):
    groups = list(message.iter_parts())[1].get_payload()
    return groups[0], groups[1:]


def test_plain(m):
    send(m, ALICE, BOB, "From: <%s>\nSubject: hello\n\nhi\n" % ALICE)
    b = newest(m, BOB, 1)
    eq((b["Return-Path"], b["Delivered-To"], b["Subject"]),
       ("<%s>" % ALICE, BOB, "hello"), "a message is delivered")
    eq(m.messages(ALICE), [], "and its sender hears nothing")


def test_failure(m):
    send(m, ALICE, BOB, LOOP % (BOB, ALICE), ["ENVID=QQ+2B1"],
         ["ORCPT=rfc822;" + BOB])
    a = newest(m, ALICE, 1)
    eq((a["Subject"], a["Return-Path"], a["To"]),
       ("Votre message n’a pas été remis", "<>", ALICE),
       "a failure is told, in French")
    about, recipients = report(a)
    eq((about["Original-Envelope-Id"], len(recipients)), ("QQ+1", 1), "ENVID")
    r = recipients[0]
    eq((r["Final-Recipient"], r["Original-Recipient"], r["Action"],
        r["Status"]), ("rfc822; " + BOB, "rfc822; " + BOB, "failed", "5.4.6"),
       "who and why, for programs")
    text = a.get_body().get_content()
    ok("tourne en rond" in text and BOB in text and "été" in text,
       "and for people")
    eq(list(a.iter_parts())[2].get_content_type(), "text/rfc822-headers",
       "the header comes back")
    eq(len(m.messages(BOB)), 1, "nothing was delivered")
    send(m, JOHN, BOB, LOOP % (BOB, JOHN), ["RET=FULL"])
    j = newest(m, JOHN, 1)
    eq((j["Subject"], list(j.iter_parts())[2].get_content_type()),
       ("Your message was not delivered", "message/rfc822"),
       "in English for a domain that has it; RET=FULL")


def test_wishes(m):
    send(m, ALICE, BOB, LOOP % (BOB, ALICE), (), ["NOTIFY=NEVER"])
    send(m, ALICE, BOB, LOOP % (BOB, ALICE), (), ["NOTIFY=SUCCESS"])
    send(m, ALICE, BOB, "Subject: x\n\nwanted\n", (), ["NOTIFY=SUCCESS"])
    a = newest(m, ALICE, 2)
    eq((a["Subject"], report(a)[1][0]["Action"]),
       ("Votre message a été remis", "delivered"),
       "NOTIFY: never; a success only; a failure not told")


def test_double(m):
    # From a host that may relay: the null sender, which cannot be told.
    with smtplib.SMTP("127.0.0.1", m.ports["smtp"],
                      timeout=malle.PATIENCE) as s:
        s.sendmail("", BOB, LOOP % (BOB, ALICE))
    p = newest(m, "postmaster@exemple.test", 1)
    eq((p["Subject"], p["Return-Path"]),
       ("Avis de non-remise impossible à rendre à son expéditeur", "<>"),
       "a failure without a sender goes to the postmaster")


def test_kill(m):
    m.kill("malle-bounce", wait=False)
    send(m, ALICE, BOB, LOOP % (BOB, ALICE))
    newest(m, ALICE, 3)
    m.kill("malle-bounce")
    send(m, ALICE, BOB, LOOP % (BOB, ALICE))
    newest(m, ALICE, 4)


def test_many(m):
    # It works on 8 at once; each child that has ended makes room for another.
    for i in range(20):
        send(m, ALICE, BOB, LOOP % (BOB, ALICE))
    newest(m, ALICE, 24)
    ok(True, "more notices than it has children")


with malle.Instance() as service:
    service.domain("exemple.test")
    service.domain("example.test", "--language", "en")
    for who in (ALICE, BOB, JOHN):
        service.user(who)
    for test in (test_plain, test_failure, test_wishes, test_double,
                 test_kill, test_many):
        test(service)
    eq(service.violations(), [], "no call outside the sandboxes")
malle.done()
