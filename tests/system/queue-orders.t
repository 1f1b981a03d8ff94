#!/usr/bin/env python3
"""queue-orders.t - hold, release, retry and delete while a message comes in or
is with a worker: nothing is lost, nothing is sent twice."""
# SPDX-License-Identifier: ISC

import os
import sys
import threading

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import malle
from malle import done, eq, ok
from queuelab import Lab, OK, PERMANENT, Q_HOLD, Q_LIST, Q_RELEASE

NO = (PERMANENT, "5.2.2", "the mailbox is full")
YES = (OK, "2.0.0", "delivered")


class Gate:
    """A policy that waits until it is told what to say."""

    def __init__(self, lab):
        self.verdict, self.seen = None, 0
        self.open = threading.Event()
        lab.workers.policy = self

    def __call__(self, job):
        self.seen += 1
        self.open.wait(malle.PATIENCE)
        return self.verdict if job.mailbox == "bob" else YES

    def say(self, verdict):
        self.verdict = verdict
        self.open.set()


with Lab() as lab:
    gate = Gate(lab)
    c = lab.client()
    id = c.submit("bob@exemple.test").id
    ok(lab.wait(lambda: gate.seen == 1), "a worker has a message")
    eq(c.control(Q_HOLD, id=id)[1], 1, "it is held meanwhile")
    gate.say(NO)
    ok(lab.wait_log(id + " failed"), "the worker says that it fails")
    rows = c.control(Q_LIST, id=id)[0]
    eq([r["state"] for r in rows], ["held"], "it stays, held")
    eq((len(lab.bouncer.notices), lab.logged(id + " done")), (0, 0),
       "nobody is told yet")
    c.control(Q_RELEASE, id=id)
    ok(lab.wait_log(id + " done"), "once it is released it ends")
    eq([n.id for n in lab.bouncer.notices], [id], "and its sender is told")

done()
