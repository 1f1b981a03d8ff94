#!/usr/bin/env python3
"""queue-changes.t - hold, release, retry, delete: durable before the answer,
and either done or not done when malle-queued is killed at any call."""
# SPDX-License-Identifier: ISC

import os
import re
import shutil
import signal
import sys
import threading

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import malle
from malle import done, eq, ok, skip
from queuelab import (Lab, OK, Q_DELETE, Q_HOLD, Q_LIST, Q_RELEASE, Q_RETRY,
                      TEMPORARY)

LATER = (TEMPORARY, "4.2.0", "not now")
SETTINGS = "retry_first = 1h\nretry_max = 1h\n"
NAMES = {Q_HOLD: "hold", Q_RELEASE: "release", Q_RETRY: "retry",
         Q_DELETE: "delete"}
CALLS = "openat,pwrite64,unlinkat,syncfs,fsync,sendmsg"
strace = shutil.which("strace")


def two_waiting(lab):
    """Two messages that have been tried once, and wait for an hour."""
    lab.workers.policy = lambda j: LATER
    c = lab.client()
    ids = [c.submit("bob@exemple.test").id, c.submit("alice@exemple.test").id]
    ok(lab.wait(lambda: lab.logged("deferred") == 2), "two messages wait")
    return c, ids


def prepare(lab, c, kind):
    if kind == Q_RELEASE:
        c.control(Q_HOLD)


def state(lab, ids):
    """What there is of each: "held", "waiting", "due" or None."""
    c = lab.client()
    rows = {r["id"]: r for r in c.control(Q_LIST)[0]}
    c.close()
    return [rows[i]["state"] if i in rows and rows[i]["state"] == "held" else
            None if i not in rows else
            "due" if int(rows[i]["next"]) < 1000 else "waiting" for i in ids]


def watched(calls, *more):
    return [strace, "-f", "-qq", "-y", "-e", "trace=" + calls, *more]


def test_order(kind):
    """What was written is synced before the answer is sent."""
    with Lab(SETTINGS, start=False) as lab:
        record = lab.base + "/record"

        def ends():
            """Q_END is 97; workers are given jobs by sendmsg, too."""
            with open(record) as f:
                return [m.end() for m in re.finditer(
                    r'sendmsg\([^\n]*iov_base="a\\0[^\n]*\n', f.read())]
        lab.start(wrap=watched(CALLS, "-o", record),
                  env={"MALLE_SANDBOX_DENY": "errno"})
        c, ids = two_waiting(lab)
        prepare(lab, c, kind)
        # What comes after this one's end is the change's.
        c.control(Q_LIST)
        n = 2 if kind == Q_RELEASE else 1
        ok(lab.wait(lambda: len(ends()) == n), "all before is in the record")
        r = c.control(kind)
        eq((r[1], r[2]), (2, OK), NAMES[kind] + ": both")
        ok(lab.wait(lambda: len(ends()) == n + 1), "and its answer")
        lab.stop()
        with open(record) as f:
            text = f.read()[ends()[n - 1]:]
        text = text[:re.search(r'sendmsg\([^\n]*iov_base="a\\0', text).start()]
        synced = text.find("syncfs(")
        changes = re.findall(r"(?:pwrite64|unlinkat)\(", text[:synced])
        ok(synced > 0 and len(changes) >= 2,
           NAMES[kind] + ": both are written")
        ok(re.search(r"syncfs\([^\n]*\) += 0|syncfs resumed>\) += 0",
                     text[synced:]),
           NAMES[kind] + ": then made durable, then answered")


def test_error(kind):
    """A sync that fails is told."""
    with Lab(SETTINGS, start=False) as lab:
        c, ids = None, None
        lab.start()
        c, ids = two_waiting(lab)
        prepare(lab, c, kind)
        lab.stop()
        lab.start(wrap=watched("syncfs,fsync", "-o", "/dev/null", "-e",
                               "inject=syncfs:error=EIO:when=1+"),
                  env={"MALLE_SANDBOX_DENY": "errno"})
        c = lab.client()
        r = c.control(kind)
        eq((r[1], r[2]), (2, TEMPORARY), NAMES[kind] +
           ": an error of the disk is told")
        eq(c.control(Q_LIST)[2], OK, "and the service goes on")


def test_kills(kind):
    """Killed at each call of the change: one state or the other, and after
    the answer the new one."""
    old, new = {Q_HOLD: ("waiting", "held"), Q_RELEASE: ("held", "due"),
                Q_RETRY: ("waiting", "due"),
                Q_DELETE: ("waiting", None)}[kind]
    with Lab(SETTINGS) as lab:
        c, ids = two_waiting(lab)
        prepare(lab, c, kind)
        lab.stop()
        os.system("cp -a %s/queue %s/kept" % (lab.base, lab.base))
        strange, answered, hits = [], 0, 0
        for call in ("pwrite64", "unlinkat", "syncfs", "sendmsg"):
            for n in range(1, 8):
                os.system("cp -a %s/kept/. %s/queue/" % (lab.base, lab.base))
                lab.workers.policy = lambda j: LATER
                lab.start(wrap=watched(call, "-o", "/dev/null", "-e",
                          "inject=%s:signal=SIGKILL:when=%d" % (call, n)),
                          env={"MALLE_SANDBOX_DENY": "errno"})
                try:
                    c = lab.client()
                    verdict = c.control(kind)[2]
                    answered += 1
                except OSError:
                    verdict = None
                except Exception:       # the connection has ended
                    verdict = None
                hit = verdict is None
                hits += hit
                lab.stop(signal.SIGKILL)
                lab.start()
                got = state(lab, ids)
                lab.stop(signal.SIGKILL)
                if any(g not in (old, new) for g in got) or \
                        (verdict == OK and kind in (Q_HOLD, Q_DELETE) and
                         got != [new, new]):
                    strange.append((call, n, verdict, got))
                if not hit:
                    break
        eq(strange, [], "%s: %d kills, one state or the other" % (
            NAMES[kind], hits))
        ok(hits >= 3 and answered >= 3, "%s: killed before the answer, and "
           "answered without" % NAMES[kind])


def test_retry_survives():
    """What was asked to be tried now is tried after a restart, too."""
    with Lab(SETTINGS, start=False) as lab:
        lab.start()
        c, ids = two_waiting(lab)
        c.control(Q_HOLD, id=ids[1])
        # The attempt is under way at the end.
        gate, seen = threading.Event(), []

        def held(job):
            seen.append(job.id)
            gate.wait(malle.PATIENCE)
            return LATER
        lab.workers.policy = held
        c.control(Q_RETRY, id=ids[0])
        ok(lab.wait(lambda: seen == [ids[0]]), "it is tried")
        lab.stop(signal.SIGKILL)
        lab.workers.policy = lambda j: LATER
        mark = len(lab.lines())
        lab.start()
        ok(lab.wait(lambda: any(" %s deferred" % ids[0] in line for line in
                                lab.lines()[mark:])),
           "retry: counts after a restart")
        gate.set()
        eq(state(lab, ids)[1], "held", "and the other one stays held")


def test_delete_while_delivered():
    """The file is gone when the answer comes, a delivery under way or not."""
    with Lab(SETTINGS) as lab:
        gate = threading.Event()
        lab.workers.policy = lambda j: gate.wait(malle.PATIENCE) and LATER
        c = lab.client()
        i = c.submit("bob@exemple.test").id
        lab.wait(lambda: lab.workers.batches)
        r = lab.client().control(Q_DELETE, id=i)
        eq((r[1], r[2]), (1, OK), "delete of a message under way")
        eq(lab.files(), [], "its file is gone")
        lab.stop(signal.SIGKILL)
        gate.set()
        lab.workers.policy = lambda j: (OK, "2.0.0", "delivered")
        lab.start()
        ok(lab.wait_log("loaded messages=0", 2), "a restart finds nothing")


if strace is None or malle.SANITIZED:
    skip("watching system calls needs strace")
else:
    for kind in NAMES:
        test_order(kind)
    test_error(Q_HOLD)
    test_error(Q_DELETE)
    for kind in (Q_HOLD, Q_DELETE, Q_RETRY):
        test_kills(kind)
test_retry_survives()
test_delete_while_delivered()
done()
