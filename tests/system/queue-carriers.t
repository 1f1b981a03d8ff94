#!/usr/bin/env python3
"""queue-carriers.t - malle-queued and the children of malle-remote: those that
die, and those that lie."""
# SPDX-License-Identifier: ISC
import os
import struct
import sys
import threading

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from malle import PATIENCE, done, eq, ok
from fakeremote import Remote, honest, ready, reply, sent, take
from queuelab import Lab, Q_LIST, Q_RELEASE, Q_STAT, receive
from remotelab import R_CLOSED, R_FAILED, R_READY, R_RESULT

remote = Remote()
with Lab("retry_first = 1s\nretry_max = 2s\n", remote=remote) as lab:
    # Two are with it; it reports the first and dies over the second unread.
    gate = threading.Event()

    def dying(s):
        remote.policy = honest
        ready(s)
        gate.wait(PATIENCE)
        s.send(take(s).result(reply(250, "Kept by the first")))
    remote.policy = dying
    c = lab.client()
    ids = [c.submit("x@far.test").id for _ in range(2)]
    lab.wait(lambda: any(r.get("destination") == "far.test" and
                         r["running"] == "2" for r in c.control(Q_STAT)[0]))
    gate.set()
    ok(lab.wait(lambda: not lab.files()), "a carrier dies: all is sent")
    eq(sorted(i for i in ids if lab.logged(
        i + ' sent to=x@far.test host=mx.far.test ip=192.0.2.1 tls="" '
        'reply="250 Kept by the first"')), [ids[0]],
       "what it had reported before counts")
    eq(len(sent), 1, "and is not sent again")

    def lying(what):
        def policy(s):
            remote.policy = honest
            what(s)
            while receive(s)[0]:
                pass
        return policy

    def stranger(s):
        ready(s)
        job = take(s)
        s.send(job.result(reply(), number=7))

    def twice(s):
        ready(s)
        job = take(s)
        s.send(job.result(reply(450, "not yet"), reply(), number=0))

    def unknown(s):
        ready(s)
        job = take(s)
        job.tag += 1000
        s.send(job.result(reply()))

    def early(s):
        s.send(struct.pack("<HQBH", R_RESULT, 0, 0, 0))

    def unfinished(s):
        ready(s)
        s.send(take(s).result(more=0))

    def short(s):
        ready(s)
        s.send(take(s).result(reply())[:-3])

    def again(s):
        ready(s)
        ready(s)

    def nonsense(s):
        s.send(b"x" * 5000)
    for what, name in ((stranger, "a recipient that it was not given"),
                       (twice, "more recipients than it was given"),
                       (unknown, "a job that it was not given"),
                       (early, "a result before it is ready"),
                       (unfinished, "the end of a job that is not finished"),
                       (short, "half a message"), (again, "ready twice"),
                       (nonsense, "nonsense")):
        del sent[:]
        remote.policy = lying(what)
        # The connection of the one before is idle, and would take it.
        i = c.submit("x@%s.test" % what.__name__).id
        ok(lab.wait_log(i + " sent") and lab.wait(lambda: not lab.files()),
           name + ": sent by the next carrier")
        eq((len(sent), lab.logged("carrier group=%s.test closed=" %
                                  what.__name__)), (1, 1),
           "once; and the liar is closed")

    # One after the other, for ever: it is not tried without a pause.
    def always(s):
        ready(s)
        s.send(take(s).result(reply(), number=7))
    remote.policy = always
    i = c.submit("x@always.test").id
    ok(lab.wait(lambda: any(r["id"] == i and r["state"] == "held"
                            for r in c.control(Q_LIST)[0])),
       "a message over which every carrier lies is held")
    eq(lab.logged("carrier group=always.test closed="), 6, "after six of them")
    remote.policy = honest
    c.control(Q_RELEASE, id=i)
    ok(lab.wait(lambda: not lab.files()), "and sent when it is released")

    # Not everything that comes unasked is a lie.
    def bye(s):
        remote.policy = honest
        ready(s)
        s.send(struct.pack("<H", R_CLOSED) + reply(421, "enough", 3))
    del sent[:]
    remote.policy = bye
    c.submit("x@bye.test")
    ok(lab.wait(lambda: not lab.files()), "R_CLOSED: what was not begun goes "
       "elsewhere")
    eq((len(sent), lab.logged("group=bye.test closed")), (1, 0), "once")

    def fails(s):
        remote.policy = honest
        s.send(struct.pack("<H", R_FAILED) + reply(554, "go away", 3))
    remote.policy = fails
    i = c.submit("x@fails.test").id
    ok(lab.wait_log(i + " deferred") and not lab.logged(i + " failed"),
       "R_FAILED: a greeting of 554 is about us, and no bounce")

    # All who wait for a connection hear that there is none.
    gate.clear()

    def none(s):
        gate.wait(PATIENCE)
        s.send(struct.pack("<H", R_FAILED) + reply(421, "no", 2))
    remote.policy = none
    ids = [c.submit("x@none.test").id for _ in range(40)]
    lab.wait(lambda: any(r.get("destination") == "none.test" and
                         r["waiting"] == "40" for r in c.control(Q_STAT)[0]))
    gate.set()
    lab.wait(lambda: all(lab.logged(i + " deferred") for i in ids))
    when = {line.split(" next=")[1].split()[0] for line in lab.lines()
            if " deferred " in line and line.split()[2] in ids}
    ok(len(when) > 2, "those who wait for a server do not all come back in the "
       "same second (%s)" % " ".join(sorted(when)))
    ok(lab.process.poll() is None, "malle-queued goes on")
done()
