#!/usr/bin/env python3
"""malle-bounce: notices as Python's email package and people read them."""
# SPDX-License-Identifier: ISC

import array
import email
import email.policy
import os
import random
import signal
import socket
import struct
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import malle
from malle import eq, note, ok
from bouncer import (Bouncer, DELAY, DELAYED, DELIVERED, EXPANDED, FAILED,
                     QM_8BIT, QM_NO_TRACE, QM_RET_FULL, QM_RET_HDRS, QM_UTF8,
                     RELAYED, SUCCESS, notice, recipient)

LANE_TRANSACTIONAL = 1
QN_NEVER = 1
ORIGINAL = ("Received: from x by y; z\nFrom: Alice <alice@exemple.test>\n"
            "Subject: =?utf-8?Q?R=C3=A9union_d'=C3=A9t=C3=A9?=\n"
            "Message-ID: <abc.1@exemple.test>\n\nBonjour,\n").encode()


def parse(s, quiet=False):
    m = email.message_from_bytes(s.content, policy=email.policy.default)
    defects = [d for part in m.walk() for d in part.defects]
    if defects and not quiet:
        note("defects: %r" % defects)
    return m, not defects


def report(m):
    """The second part: fields of the message, fields of each recipient."""
    groups = list(m.iter_parts())[1].get_payload()
    return groups[0], groups[1:]


def test_failure(b):
    r = [recipient("bob@exemple.test", "5.1.1", "Unknown mailbox.",
                   last=1795300060),
         recipient("zoe@free.test", "4.2.2", "452 4.2.2 quota exceeded",
                   original="contact@exemple.test", remote="mx.free.test",
                   orcpt="rfc822;contact+2Bx@exemple.test",
                   last=1795300000 + 5 * 86400)]
    s = b.ask(notice(r, ORIGINAL, envid="QQ+2B1"), ORIGINAL)
    ok(s.committed, "a notice is handed over")
    eq((s.sender, s.rcpts, s.lane), ("", [("alice@exemple.test", QN_NEVER, "")],
                                     LANE_TRANSACTIONAL),
       "null sender, to the sender, never a notice of a notice")
    eq(s.flags, QM_NO_TRACE, "flags: plain ASCII, no Received line")
    eq(b.ask(notice(r, ORIGINAL, flags=16), ORIGINAL).flags, QM_NO_TRACE | 16,
       "REQUIRETLS holds for the notice, too (RFC 8689 5)")
    m, sound = parse(s)
    ok(sound, "Python's parser finds no defect")
    eq((m["From"], m["To"], m["Auto-Submitted"], m["Subject"]),
       ("Service de messagerie <MAILER-DAEMON@mx.exemple.test>",
        "alice@exemple.test", "auto-replied",
        "Votre message n’a pas été remis"), "header")
    eq((m["In-Reply-To"], m["References"]),
       ("<abc.1@exemple.test>", "<abc.1@exemple.test>"), "threaded")
    ok(m["Date"].datetime is not None and m["Message-ID"].endswith(
        "@mx.exemple.test>"), "Date and Message-ID")
    eq((m.get_content_type(), m.get_param("report-type")),
       ("multipart/report", "delivery-status"), "RFC 6522")
    eq([p.get_content_type() for p in m.iter_parts()],
       ["text/plain", "message/delivery-status", "text/rfc822-headers"],
       "three parts")
    about, recipients = report(m)
    eq((about["Reporting-MTA"], about["Original-Envelope-Id"],
        about["Arrival-Date"] is not None),
       ("dns; mx.exemple.test", "QQ+1", True), "fields of the message")
    eq([(g["Original-Recipient"], g["Final-Recipient"], g["Action"],
         g["Status"], g["Remote-MTA"], g["Diagnostic-Code"])
        for g in recipients],
       [(None, "rfc822; bob@exemple.test", "failed", "5.1.1", None,
         "X-Malleposte; Unknown mailbox."),
        ("rfc822; contact+x@exemple.test", "rfc822; zoe@free.test", "failed",
         "4.2.2", "dns; mx.free.test", "smtp; 452 4.2.2 quota exceeded")],
       "fields of each recipient")
    text = m.get_body().get_content()
    for words in ("Bonjour", "bob@exemple.test\n    Cette adresse n’existe pas",
                  "contact@exemple.test\n    La boîte aux lettres du "
                  "destinataire est pleine", "pendant 5 jours", "Que faire",
                  "Le serveur mx.free.test a répondu",
                  "Objet\u00a0: Réunion d'été", "0abcdefghij-00klmn12345"):
        ok(words in text, "the text says: " + words)
    ok("zoe@free.test" not in text, "and not where the address leads to")
    ok(max(map(len, text.splitlines())) <= 76, "in short lines")
    eq(list(m.iter_parts())[2].get_content().rstrip("\n"),
       ORIGINAL.decode().split("\n\n")[0], "the original's header, no body")

    s = b.ask(notice(r, ORIGINAL, language="en", flags=QM_RET_FULL), ORIGINAL)
    m, sound = parse(s)
    ok(sound, "in English: no defect")
    eq((m["From"], m["Subject"]),
       ("Mail Delivery System <MAILER-DAEMON@mx.exemple.test>",
        "Your message was not delivered"), "in English: header")
    text = m.get_body().get_content()
    for words in ("Hello", "This address does not exist", "for 5 days",
                  "What to do", "The recipient's mailbox is full"):
        ok(words in text, "in English: " + words)
    part = list(m.iter_parts())[2]
    eq((part.get_content_type(), part.get_content()["Subject"],
        part.get_content().get_content()),
       ("message/rfc822", "Réunion d'été", "Bonjour,\n"), "RET=FULL")


def test_kinds(b):
    r = [recipient("bob@exemple.test", "4.4.1", "No answer.", action=DELAYED,
                   last=1795314400, until=1795732000)]
    m, sound = parse(b.ask(notice(r, ORIGINAL, kind=DELAY), ORIGINAL))
    g = report(m)[1][0]
    eq((sound, g["Action"], g["Will-Retry-Until"] is not None),
       (True, "delayed", True), "a delay")
    text = m.get_body().get_content()
    ok("une seconde fois" in text and "Nous essaierons jusqu’au" in text and
       "Renvoyez" not in text, "says that nothing has to be done")
    r = [recipient("a@x.test", "2.1.5", "", action=DELIVERED),
         recipient("b@x.test", "2.1.9", "", action=RELAYED, remote="mx.x.test"),
         recipient("c@x.test", "2.1.5", "", action=EXPANDED)]
    m, sound = parse(b.ask(notice(r, ORIGINAL, kind=SUCCESS), ORIGINAL))
    eq((sound, [g["Action"] for g in report(m)[1]], m["Subject"]),
       (True, ["delivered", "relayed", "expanded"],
        "Votre message a été remis"), "success")
    for kind, action in ((SUCCESS, DELIVERED), (DELAY, DELAYED)):
        m, sound = parse(b.ask(notice(
            [recipient("a@x.test", "2.0.0", "", action=action)], ORIGINAL,
            kind=kind, flags=QM_RET_FULL), ORIGINAL))
        eq(list(m.iter_parts())[2].get_content_type(), "text/rfc822-headers",
           "RFC 3461 6.2: RET=FULL counts for failures only")
    r = [recipient("bob@exemple.test")]
    m, sound = parse(b.ask(notice(r, ORIGINAL, double=True,
                                  to="postmaster@exemple.test",
                                  language="en"), ORIGINAL))
    ok(sound and "cannot be returned" in m["Subject"] and
       "person in charge of the mail" in m.get_body().get_content(),
       "a double bounce explains itself to the postmaster")


def test_utf8(b):
    r = [recipient("zoé@exemple.test")]
    s = b.ask(notice(r, ORIGINAL, flags=QM_UTF8), ORIGINAL)
    m, sound = parse(s)
    eq((s.flags & (QM_8BIT | QM_UTF8), [p.get_content_type() for p in
                                       m.iter_parts()][1]),
       (QM_8BIT, "message/global-delivery-status"), "an address in UTF-8")
    ok("utf-8; zoé@exemple.test".encode() in s.content, "as RFC 6533 wants it")
    content = "Subject: été\n\nx\n".encode()
    s = b.ask(notice(r[:1], content, to="zoé@exemple.test"), content)
    eq(s.flags & (QM_8BIT | QM_UTF8), QM_8BIT | QM_UTF8, "a sender in UTF-8")
    ok(b"message/global-headers" in s.content, "its header is global")


def test_original(b):
    r = [recipient("bob@exemple.test")]
    big = ORIGINAL + b"x" * 75 + b"\n" + b"line\n" * 200000
    s = b.ask(notice(r, big, flags=QM_RET_FULL), big)
    ok(s.committed and len(s.content) < 10000, "RET=FULL has a limit")
    content = b"junk before" * 100 + ORIGINAL
    s = b.ask(notice(r, content, offset=1100, length=len(ORIGINAL),
                     flags=QM_RET_FULL), content)
    ok(b"junk" not in s.content and b"\nBonjour,\n" in s.content,
       "only the content of the queue's file is read")
    s = b.ask(notice(r, ORIGINAL, length=len(ORIGINAL) + 1), ORIGINAL)
    ok(not s.committed, "a file that is too short makes no notice")
    for what, to in (("no address", "nobody"), ("nothing", "")):
        s = b.ask(notice(r, ORIGINAL, to=to), ORIGINAL)
        ok(not s.committed, "no notice to " + what)


def test_hostile_content(b):
    """Whatever the original is, the notice parses and the report is one."""
    r = [recipient("bob@exemple.test")]
    generator = random.Random(1)
    rows = [b"", b"\n", b"\0" * 100, b"\r\n\r\n", b"--\n--\n", b":\n:\n\n",
            b"Subject:" + b" =?utf-8?b?" * 1000, b"A" * 100000,
            b"Subject: x\n" + b" y\n" * 30000, b"X: " + b"\xff" * 70000,
            b"Content-Type: multipart/mixed; boundary=x\n\n--x\n\n--x--\n"]
    rows += [bytes(generator.choices(b"\n\n\n :=?-abcSubject\0\r\xc3\xa9<>@",
                                     k=generator.randrange(500)))
             for _ in range(150)]
    bad = []
    for i, content in enumerate(rows):
        s = b.ask(notice(r, content, flags=QM_RET_FULL * (i % 2)), content)
        m, _ = parse(s, quiet=True)
        parts = list(m.iter_parts()) if s.committed else []
        if not (len(parts) == 3 and len(report(m)[1]) == 1 and
                b"\0" not in s.content and b"\r" not in s.content and
                max(map(len, s.content.split(b"\n"))) <= 998 and
                m.get_param("report-type") == "delivery-status"):
            bad.append(i)
    eq(bad, [], "%d hostile originals" % len(rows))


def test_requests():
    """What malle-queued would never send ends one child, not the service."""
    b = Bouncer()
    good = notice([recipient("bob@exemple.test")], ORIGINAL)
    rows = [good[:-1], good + b"x", b"", b"\x01", b"\x01\x00",
            struct.pack("<H", 99), good[:30],
            notice([recipient("bob@exemple.test")], ORIGINAL, count=0),
            notice([recipient("bob@exemple.test")], ORIGINAL, count=1 << 31),
            notice([recipient("bob@exemple.test", action=9)], ORIGINAL),
            notice([recipient("bob@exemple.test", status="5.1.1\nX: y")],
                   ORIGINAL)]
    for body in rows:
        if body:
            s = b.ask(body, ORIGINAL)
            ok(not s.committed, "malformed request of %d bytes" % len(body))
    for fds in (0, 1, 3):
        with tempfile.TemporaryFile() as f:
            b.socket.sendmsg([good], [(socket.SOL_SOCKET, socket.SCM_RIGHTS,
                                       array.array("i", [f.fileno()] * fds))]
                             if fds else [])
    ok(b.ask(good, ORIGINAL).committed, "and the service goes on")
    s = b.ask(good, ORIGINAL, result=1)
    ok(s.committed, "a commit that is refused")
    status, log = b.close()
    ok("notice-failed" in log and "step=commit" in log, "is logged")
    eq(status, 0, "it ends with 0 when malle-queued is gone")


def test_many_and_stop():
    b = Bouncer()
    waiting = []
    request = notice([recipient("bob@exemple.test")], ORIGINAL)
    for _ in range(40):
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.settimeout(malle.PATIENCE)
        with tempfile.TemporaryFile() as f:
            f.write(ORIGINAL)
            f.flush()
            b.socket.sendmsg([request], [(
                socket.SOL_SOCKET, socket.SCM_RIGHTS,
                array.array("i", [theirs.fileno(), f.fileno()]))])
        theirs.close()
        waiting.append(ours)
    malle.until(lambda: len(malle.children(b.process.pid)) >= 8)
    # None of them ends before its notice is taken here.
    most, served = 0, []
    for w in waiting:
        most = max(most, len(malle.children(b.process.pid)))
        served.append(b.take(w, 0).committed)
    eq(most, 8, "eight at a time")
    ok(all(served), "all 40 are served")
    b.process.send_signal(signal.SIGTERM)
    eq(b.process.wait(malle.PATIENCE), 0, "SIGTERM ends it with 0")
    b.close()


bouncer = Bouncer()
for test in (test_failure, test_kinds, test_utf8, test_original,
             test_hostile_content):
    test(bouncer)
end, text = bouncer.close()
eq(end, 0, "it ends with 0")
ok("signal=" not in text, "no child broke")
test_requests()
test_many_and_stop()
malle.done()
