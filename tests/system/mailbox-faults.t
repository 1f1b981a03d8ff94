#!/usr/bin/env python3
"""malle-mailbox: slow askers, mailboxes that change, what crashes have left."""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import malle
from boxworker import (CONTENTS, DONE, FAILED, HEADERS, MAY_READ, MESSAGE,
                       Box, Domain)
from malle import eq, ok, until

MANY = 1500             # more than a socket holds


def filled():
    d = Domain()
    for i in range(MANY):
        d.put("cur/16%08d.M1.host:2," % i)
    return d


def test_slow_asker():
    """The kernel lets a uid have so many descriptors on their way; root more."""
    d = filled()
    b = Box(d, MAY_READ)
    b.list(CONTENTS)
    ok(until(b.is_stuck), "an asker who does not read")
    eq(len(list(b.rows())), MANY, "gets all messages when he does")
    eq(b.close(), (0, ""), "and nothing is complained of")
    d.close()


def test_changes():
    """Its owner marks all messages, or moves them, while they are listed."""
    d = filled()
    d.folder(".A")
    for what, where in (("marked as read", "cur/%s:2,S"),
                        ("moved to another folder", ".A/cur/%s:2,S")):
        b = Box(d, MAY_READ)
        b.list(CONTENTS)
        ok(until(b.is_stuck), "a listing has begun")
        for name in d.files("cur"):
            os.rename(os.path.join(d.maildir, "cur", name),
                      os.path.join(d.maildir, where % name.split(":")[0]))
        rows = [(r.bytes(), r.bytes()) for _, r in b.rows()]
        eq(len({unique for _, unique in rows}), MANY,
           "none is missing of those that were %s meanwhile" % what)
        eq(len(set(rows)), len(rows), "none is told twice")
        eq(b.close(), (0, ""), "ends")
    d.close()


def test_unreadable():
    """One message that its uid may not read."""
    d = Domain()
    d.put("cur/1.x:2,S")
    os.chmod(d.put("cur/2.x:2,S"), 0)
    b = Box(d, MAY_READ)
    b.list(HEADERS)
    eq(len(list(b.rows())), 2, "it is listed")
    b.list(CONTENTS)
    reply = (MESSAGE,)
    while reply[0] == MESSAGE:
        reply = b.recv()
        for fd in reply[2]:
            os.close(fd)
    eq((reply[0], reply[1].take("B"), reply[1].bytes()),
       (DONE, FAILED, "Permission denied"), "a backup is told why it fails")
    status, log = b.close()
    ok(status == 0 and "Permission denied" in log, "and so is the log")
    d.close()


test_slow_asker()
test_unreadable()
test_changes()
malle.done()
