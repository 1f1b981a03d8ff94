#!/usr/bin/env python3
"""queue-crash.t - 250 means kept: kills under load, failing syncs and writes."""
# SPDX-License-Identifier: ISC

import os
import shutil
import signal
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import malle
from malle import done, eq, ok, skip
from queuelab import Lab, OK, Q_LIST, Q_RETRY, TEMPORARY

SESSIONS, ROUNDS = 8, 10


def session(lab, kept, n):
    try:
        c = lab.client()
        while True:
            a = c.submit(["bob@exemple.test", "alice@exemple.test"],
                         b"Subject: %d\n\n" % n + b"x" * 1000 * (n % 40))
            if a.result == OK:
                kept.append(a.id)
    except (OSError, EOFError):
        pass


# One worker has what is in flight: two batches of 32.
with Lab("workers_max = 1\n") as lab:
    kept = []
    for round_ in range(ROUNDS):
        threads = [threading.Thread(target=session, args=(lab, kept, n))
                   for n in range(SESSIONS)]
        for t in threads:
            t.start()
        lab.wait(lambda: len(kept) > 10 * (round_ + 1))
        time.sleep(0.05 * round_)
        lab.stop(signal.SIGKILL)
        for t in threads:
            t.join()
        lab.start()
    malle.note("%d messages kept over %d kills" % (len(kept), ROUNDS))
    ok(lab.wait(lambda: not lab.files()), "the queue empties")
    got = {}
    for j in lab.workers.delivered:
        got[j.id, j.recipient] = got.get((j.id, j.recipient), 0) + 1
    lost = [k for k in kept for r in (0, 1) if (k, r) not in got]
    eq(lost, [], "nothing that was acknowledged is lost")
    ok(sum(n > 1 for n in got.values()) <= ROUNDS * 64,
       "doubled: no more than was in flight")
    eq(lab.files("corrupt"), [], "nothing is damaged")

strace = shutil.which("strace")
if strace is None or malle.SANITIZED:
    skip("failing system calls need strace")
else:
    for call, error in (("syncfs,fsync", "EIO"), ("pwritev", "ENOSPC"),
                        ("openat", "EMFILE")):
        with Lab(start=False) as lab:
            # Only what comes after the start fails, and only for a while.
            first = {"openat": 400}.get(call, 5 if "sync" in call else 1)
            lab.start(wrap=[strace, "-f", "-qq", "-o", "/dev/null",
                            "-e", "trace=" + call, "-e",
                            "inject=%s:error=%s:when=%d..%d" %
                            (call, error, first, first + 5)],
                      env={"MALLE_SANDBOX_DENY": "errno"})
            c, answers = lab.client(), []
            for i in range(300 if call == "openat" else 30):
                try:
                    answers.append(c.submit("bob@exemple.test"))
                except (OSError, EOFError):
                    c = lab.client()
            ok(all(a.result in (OK, TEMPORARY) for a in answers),
               "%s %s: later, never lost" % (call, error))
            ok(any(a.result == TEMPORARY for a in answers) or
               call == "openat", "%s %s: noticed" % (call, error))
            # Each call has its own count: the last of 30 may be the sixth
            # fsync where the others were syncfs.
            for i in range(20):
                if answers[-1].result != OK:
                    answers.append(c.submit("bob@exemple.test"))
            eq(answers[-1].result, OK, "service comes back by itself")
            kept = sorted(a.id for a in answers if a.result == OK)
            ok(lab.wait(lambda: sorted({j.id for j in lab.workers.delivered})
                        == kept, 10 if call == "openat" else malle.PATIENCE) or
               call == "openat",
               "what was kept, and only that, is delivered")

    # The first pwrite of a message is its mark, the second a reply.
    with Lab("retry_first = 1h\nretry_max = 1h\n", start=False) as lab:
        lab.start(wrap=[strace, "-f", "-qq", "-o", "/dev/null", "-e",
                        "trace=pwrite64", "-e",
                        "inject=pwrite64:error=ENOSPC:when=2"],
                  env={"MALLE_SANDBOX_DENY": "errno"})
        lab.workers.policy = lambda j: (
            (OK, "2.0.0", "delivered") if j.mailbox == "bob" else
            (TEMPORARY, "4.2.0", "not now"))
        id = lab.client().submit(["bob@exemple.test", "carol@exemple.test"]).id
        ok(lab.wait_log(id + " error what="), "a full disk has no room "
           "for a reply")
        lab.client().control(Q_LIST)
        lab.stop(signal.SIGKILL)
        lab.start()
        lab.workers.policy = lambda j: (OK, "2.0.0", "delivered")
        lab.client().control(Q_RETRY)
        ok(lab.wait_log(id + " done"), "after a crash the rest is delivered")
        eq(sorted(j.mailbox for j in lab.workers.delivered), ["bob", "carol"],
           "who had it has it once")

done()
