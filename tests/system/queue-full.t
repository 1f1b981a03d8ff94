#!/usr/bin/env python3
"""queue-full.t - as many recipients as are worked on at a time: what comes then
waits, and malle-queued with it."""
# SPDX-License-Identifier: ISC

import os
import socket
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import malle
from malle import done, eq, ok
from queuelab import Lab, OK, Q_STAT

AT_A_TIME, OF_ONE = 300000, 100000


class Silent:
    """A malle-remote that answers nothing."""

    def __init__(self):
        self.ours, self.theirs = socket.socketpair(socket.AF_UNIX,
                                                   socket.SOCK_SEQPACKET)


def waiting(lab):
    c = lab.client()
    row = c.control(Q_STAT)[0][0]
    c.close()
    return int(row["messages"]), int(row["active"])


def is_calm(lab):
    """Whether it has hardly anything to do in a second."""
    before = malle.cpu_of(lab.process.pid)
    time.sleep(1)
    return malle.cpu_of(lab.process.pid) - before < 0.1


with Lab("recipients_max = %d\n" % OF_ONE, remote=Silent()) as lab:
    c = lab.client()
    for _ in range(AT_A_TIME // OF_ONE):
        eq(c.submit(["x%d@far.test" % i for i in range(OF_ONE)]).result, OK,
           "a mailing")
    last = c.submit("bob@exemple.test").id
    ok(lab.wait(lambda: waiting(lab) == (4, 3)), "a letter waits for room")
    ok(malle.until(lambda: is_calm(lab)), "which costs nothing")
    eq(lab.workers.delivered, [], "it waits still")
done()
