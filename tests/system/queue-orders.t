#!/usr/bin/env python3
"""queue-orders.t - hold, release, retry and delete while a message comes in or
is with a worker: nothing is lost, nothing is sent twice."""
# SPDX-License-Identifier: ISC

import os
import shutil
import sys
import threading

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import malle
from malle import done, eq, ok, skip
from queuelab import (Lab, OK, PERMANENT, Q_COMMIT, Q_DELETE, Q_HOLD, Q_LIST,
                      Q_RELEASE, Q_RETRY)

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

# A sync that does not end: the message is in the queue, but not accepted yet.
strace = shutil.which("strace")


def ask_meanwhile(lab, kind):
    """All messages are asked for while one is being synced. Its answer, and how
    many that was."""
    c, other = lab.client(), lab.client()
    c.mail()
    c.rcpt("bob@exemple.test")
    c.send(Q_COMMIT, b"Subject: x\n\nhello\n")
    malle.until(lab.files)
    touched = other.control(kind)[1]
    # Nobody is left who delays it.
    lab.process.kill()
    return c.answer(), touched


def endlessly(lab):
    """The folders that messages are in are not synced from now on."""
    lab.stop()
    folders = sum((["-P", f] for f in lab.files("mess")), [])
    lab.start(wrap=[strace, "-f", "-qq", "-o", "/dev/null", *folders, "-e",
                    "trace=fsync", "-e",
                    "inject=fsync:delay_enter=600000000:when=1"])


def changed(kind, name):
    with Lab() as lab:
        endlessly(lab)
        answer, touched = ask_meanwhile(lab, kind)
        eq((answer.result, touched), (OK, 0), name + " of all does not concern "
           "what is not accepted yet")
        ok(lab.wait(lambda: lab.logged(answer.id + " done")),
           "it is accepted, and delivered")
        eq([j.id for j in lab.workers.delivered].count(answer.id), 1, "once")


if strace is None or malle.SANITIZED:
    skip("a slow sync needs strace")
else:
    changed(Q_RETRY, "retry")
    changed(Q_DELETE, "delete")
    changed(Q_HOLD, "hold")

done()
