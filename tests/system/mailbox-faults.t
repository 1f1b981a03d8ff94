#!/usr/bin/env python3
"""malle-mailbox: slow askers, mailboxes that change, what crashes have left."""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import boxworker
import malle
from boxworker import CONTENTS, MAY_READ, Box, Domain
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


test_slow_asker()
malle.done()
