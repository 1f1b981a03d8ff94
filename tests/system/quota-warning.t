#!/usr/bin/env python3
"""The owner of a mailbox that fills up is warned, once, by a message in it."""
# SPDX-License-Identifier: ISC

import email
import email.policy
import os
import re
import shutil
import struct
import sys
import tempfile
import time
from datetime import timedelta

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import malle
from malle import eq, ok, until
from localworker import Job, Worker, OK, TEMPORARY

QUOTA = 200000
DAY = 24 * 3600
MARK = "quotawarn"


def job(size=1000, tag=1, **more):
    more.setdefault("quota_bytes", QUOTA)
    more.setdefault("warning", 90)
    return Job(tag, b"Subject: x\n\n" + b"y" * size, **more)


def path(w, name="", user="bob"):
    return os.path.join(w.folder, user, "Maildir", name)


def settle(w):
    """Warnings come when the results are told: waits for the next answer."""
    w.measure("nobody")


def warnings(w, user="bob"):
    """The names of the warnings."""
    settle(w)
    return [n for n in w.files(user) + w.files(user, "cur") if ".quota." in n]


def text(w, user="bob"):
    name, = warnings(w, user)
    return email.message_from_bytes(w.read(name, user),
                                    policy=email.policy.default)


def mark(w, user="bob"):
    settle(w)
    if not os.path.exists(path(w, MARK, user)):
        return None
    with open(path(w, MARK, user)) as f:
        return f.read().split()


def set_mark(w, state, age=0, user="bob"):
    settle(w)
    with open(path(w, MARK, user), "w") as f:
        f.write("%d %s\n" % (time.time() - age, state))


def pop3_delete(w, sizes, user="bob"):
    """What a POP3 session does: removes messages and keeps the accounts."""
    settle(w)
    with open(path(w, "maildirsize", user), "a") as f:
        for n in w.files(user):
            if sizes(n):
                size = int(re.search(r"S=(\d+)", n)[1])
                os.unlink(path(w, "new/" + n, user))
                f.write("-%d -1\n" % size)


def is_letter(name):
    return ".quota." not in name


def test_one():
    w = Worker()
    w.deliver(job(170000))
    eq((warnings(w), mark(w)), ([], None), "lists 10: none below 90 %")
    r, = w.deliver(job(20000))
    eq(r.result, OK, "the letter that takes it over 90 % is delivered")
    eq(len(warnings(w)), 1, "lists 10: and a warning is there")
    eq(mark(w)[1], "told", "which is noted")
    m = text(w)
    eq((m["Return-Path"], m["Delivered-To"], m["To"], m["Auto-Submitted"],
        m["Content-Language"]),
       ("<>", "bob@exemple.test", "bob@exemple.test", "auto-generated",
        "fr"), "it is a notice to the owner")
    ok("MAILER-DAEMON@mx.exemple.test" in m["From"] and
       "bob@exemple.test est presque pleine" in m["Subject"], m["Subject"])
    body = " ".join(m.get_content().replace("\u00a0", " ").split())
    ok(all(t in body for t in ("185,7 ko", "195,3 ko", "95 %",
                               "seront refusés", "corbeille", "POP3")),
       "used, allowed, and what to do: " + body[:120])
    eq(m.defects, [], "a sound message")
    name, = warnings(w)
    raw = w.read(name)
    eq(re.findall(r",S=(\d+),W=(\d+)$", name),
       [(str(len(raw)), str(len(raw) + raw.count(b"\n")))],
       "its name tells its sizes")
    eq(w.measure("bob", QUOTA)[3:], (sum(os.path.getsize(path(w, "new/" + n))
       for n in w.files()), 3), "it is counted")
    w.deliver(job(10), job(10, 2), job(10, 3))
    eq(len(warnings(w)), 1, "no other one while it stays full")
    r, = w.deliver(job(50000))
    eq((r.result, len(warnings(w))), (TEMPORARY, 1),
       "what has no room is refused as ever")
    eq(w.close()[0], 0, "ends")


def test_again():
    """POP3 makes room; the next time is a day later at the earliest."""
    w = Worker()
    w.deliver(job(190000))
    eq(len(warnings(w)), 1, "one letter that fills it at once")
    pop3_delete(w, lambda n: True)
    w.deliver(job(195000, 2))
    eq((len(warnings(w)), mark(w)[1]), (0, "fell"),
       "emptied by POP3 and full again within a day: no second one")
    w.deliver(job(10, 3))
    eq(len(warnings(w)), 0, "nor with the next letter")
    set_mark(w, "fell", DAY + 5)
    w.deliver(job(10, 4))
    eq((len(warnings(w)), mark(w)[1]), (1, "told"), "but when the day is over")
    set_mark(w, "told", 3 * DAY)
    w.deliver(job(10, 5))
    eq(len(warnings(w)), 1, "days alone are no reason: it never fell")
    pop3_delete(w, lambda n: True)
    w.deliver(job(10, 6))
    eq(mark(w), None, "the mark goes when it fell and is old")
    w.deliver(job(190000, 7))
    eq(len(warnings(w)), 1, "and it begins anew")
    set_mark(w, "told", -5 * DAY)
    pop3_delete(w, lambda n: True)
    w.deliver(job(190000, 8))
    eq(len(warnings(w)), 1, "a mark of the future is of a wrong clock")
    w.close()


def test_when():
    rows = (
        # (what, its letters, warnings)
        ("percent 0: never", [job(190000, warning=0)], 0),
        ("percent 50", [job(110000, warning=50)], 1),
        ("percent 50, below", [job(90000, warning=50)], 0),
        ("no quota", [job(190000, quota_bytes=0)], 0),
        ("too small a mailbox for it", [job(58000, quota_bytes=60000)], 0),
        ("messages: 9 of 10", [job(1, i, quota_bytes=0, quota_messages=10)
                               for i in range(9)], 0),
        ("messages: 10 of 10, in one batch",
         [job(1, i, quota_bytes=0, quota_messages=10)
          for i in range(10)], 1),
        ("messages: 5 of 5: too few",
         [job(1, i, quota_bytes=0, quota_messages=5) for i in range(5)], 0),
        ("bytes and messages", [job(190000, quota_messages=1000)], 1),
    )
    for what, letters, want in rows:
        w = Worker()
        results = w.deliver(*letters)
        eq(({r.result for r in results}, len(warnings(w))), ({OK}, want), what)
        w.close()
    w = Worker()
    w.deliver(*[job(190000 if i % 2 else 10, i, mailbox="u%d" % i)
                for i in range(60)])
    eq([len(warnings(w, "u%d" % i)) for i in range(60)], [0, 1] * 30,
       "a batch of many: those that are full")
    w.deliver(job(100, 1, mailbox="u2", quota_bytes=QUOTA),
              job(150000, 2, mailbox="u2", account="eve", language="en"),
              job(48000, 3, mailbox="u2", account="eve", language="en"))
    m = text(w, "u2")
    eq((m["To"], m["Content-Language"]), ("eve@exemple.test", "en"),
       "a mailbox that was renamed is called by its name")
    ok("is almost full" in m["Subject"] and "193.8 kB of" in " ".join(
        m.get_content().replace("\u00a0", " ").split()),
       "in the domain's language: " + m["Subject"])
    w.close()
    w = Worker()
    w.deliver(job(100000))
    w.deliver(job(10, 2, quota_bytes=105000))
    eq(len(warnings(w)), 1, "a quota that was lowered: with the next letter")
    w.deliver(job(10, 3, quota_bytes=1000000))
    eq(mark(w)[1], "fell", "raised: it has room again")
    w.close()


def test_stale():
    """Another program has deleted, and told nobody."""
    w = Worker()
    w.deliver(job(100000), job(79000, 2))
    settle(w)
    for n in w.files():
        os.unlink(path(w, "new/" + n))
    old = time.time() - 3600
    os.utime(path(w, "maildirsize"), (old, old))
    w.deliver(job(2000, 3))
    eq((warnings(w), mark(w)), ([], None),
       "old figures are counted anew before anybody is warned")
    w.close()


def test_crash():
    """What a crash may leave between mark and message, made by hand."""
    w = Worker()
    w.deliver(job(190000))
    name, = warnings(w)
    when = int(name.split(".")[0])
    eq(mark(w), [str(when), "told"], "the message is named after its mark")

    def due():
        settle(w)
        with open(path(w, MARK), "w") as f:
            f.write("%d due\n" % when)
    due()
    w.deliver(job(10, 2))
    eq((warnings(w), mark(w)[1]), ([name], "told"),
       "written, but not noted: no second one")
    os.rename(path(w, "new/" + name), path(w, "cur/%s:2,S" % name))
    due()
    w.deliver(job(10, 3))
    eq((warnings(w), mark(w)[1]), ([name + ":2,S"], "told"), "read since")
    os.unlink(path(w, "cur/%s:2,S" % name))
    due()
    w.deliver(job(10, 4))
    eq([n.split(",")[0] for n in warnings(w)], [name.split(",")[0]],
       "noted, but not written: it comes with the next letter")
    settle(w)
    with open(path(w, MARK), "wb") as f:
        f.write(b"\0" * 5000)
    w.deliver(job(10, 5))
    eq(mark(w)[1], "told", "a mark that is none is replaced")
    os.unlink(path(w, MARK))
    os.symlink("/etc/passwd", path(w, MARK))
    w.deliver(job(10, 6))
    warnings(w)
    ok(not os.path.islink(path(w, MARK)), "a link as well")
    os.unlink(path(w, MARK))
    os.mkdir(path(w, MARK))
    before = len(warnings(w))
    r, = w.deliver(job(10, 7))
    eq((r.result, len(warnings(w))), (OK, before),
       "where none can be written there is no warning, but mail")
    status, log = w.close()
    ok(status == 0 and "quota-warning account=bob error=" in log, "logged")


def killed_once(call, n, state):
    """A warning that is killed at the nth such call. Whether it died; what the
    next letters found."""
    folder = tempfile.mkdtemp(prefix="malle-warning-")
    if state is not None:
        w = Worker(folder=folder)
        w.deliver(job(10))
        set_mark(w, state, 2 * DAY)
        w.close()
    w = Worker(folder=folder, env={"MALLE_SANDBOX_DENY": ""}, command=[
        "strace", "-qq", "-f", "-o", "/dev/null", "-e",
        "inject=%s:signal=KILL:when=%d" % (call, n)])
    died = False
    try:
        w.send([job(190000)])
        w.results(1)
        w.measure("nobody")
    except (EOFError, OSError, struct.error):
        died = True
    w.close()
    w = Worker(folder=folder)
    results = w.deliver(job(10, 2), job(185000, 3))
    warned = warnings(w)
    w.deliver(job(10, 4))
    found = (results[0].result, len(warned), warnings(w) == warned,
             mark(w)[1])
    w.close()
    shutil.rmtree(folder)
    return died, found


def test_killed(state, what):
    """Killed at each call that the warning makes."""
    if shutil.which("strace") is None:
        malle.skip("strace is not there")
        return
    found = []
    for call in ("openat", "write", "fsync", "renameat", "renameat2",
                 "unlinkat"):
        for n in range(1, 30):
            died, one = killed_once(call, n, state)
            found.append(one)
            if not died:
                break
    eq([f for f in found if f != (OK, 1, True, "told")], [],
       "killed anywhere (%d places), %s: one warning, never two" %
       (len(found), what))


def test_clocks():
    """The Date is shown by the clocks of the domain."""
    for minutes in (345, -150, 0, 840, -720):
        w = Worker()
        w.east = minutes * 60
        w.deliver(job(190000))
        date, (name,) = text(w)["Date"].datetime, warnings(w)
        eq((date.utcoffset(), int(date.timestamp())),
           (timedelta(minutes=minutes), int(name.split(".")[0])),
           "Date: %s" % date)
        w.close()


def date_of(path):
    with open(path, "rb") as f:
        return email.message_from_binary_file(
            f, policy=email.policy.default)["Date"].datetime


def test_service():
    with malle.Instance(env={"TZ": "XXX2"}) as m:
        m.domain("exemple.test", "time-zone=Asia/Kathmandu")
        m.user("bob@exemple.test")
        m.malle("user", "set", "bob@exemple.test", "quota-bytes=200000")

        def send(size, n):
            m.run("malle-inject", "-f", "a@autre.test", "bob@exemple.test",
                  input="Subject: x\n\n" + "y" * size + "\n")
            m.wait_messages("bob@exemple.test", n)
        rows = m.malle("domain", "show", "exemple.test").stdout
        ok("quota-warning: 90" in rows, "a domain warns at 90 %")
        m.malle("domain", "set", "exemple.test", "quota-warning=0")
        send(185000, 1)
        m.malle("domain", "set", "exemple.test", "quota-warning=101",
                check=False)
        m.malle("domain", "set", "exemple.test", "quota-warning=95",
                "language=en")
        send(10, 2)
        m.malle("domain", "set", "exemple.test", "quota-warning=50")
        send(10, 4)
        found = [p for p in m.messages("bob@exemple.test") if ".quota." in p]
        eq(len(found), 1, "0 is none, 95 not yet, 50 warns")
        with open(found[0]) as f:
            ok("Subject: Your mailbox bob@exemple.test" in f.read(),
               "in the language of the domain")
        eq(date_of(found[0]).utcoffset(), timedelta(hours=5, minutes=45),
           "by the clocks of the domain")
        ok(until(lambda: "quota-warning account=bob@exemple.test" in m.log()),
           "it is logged")
        eq(m.violations(), [], "no call outside a role")


for test in (test_one, test_again, test_when, test_stale, test_crash,
             test_clocks):
    test()
test_killed(None, "where there was no mark")
test_killed("due", "where one was due, two days ago, and never came")
test_service()
malle.done()
