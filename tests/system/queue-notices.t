#!/usr/bin/env python3
"""queue-notices.t - who is told of a failure is told once, whatever dies."""
# SPDX-License-Identifier: ISC

import os
import shutil
import signal
import struct
import sys
import zlib

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import malle
from malle import done, eq, ok, skip
from queuelab import (FAILURE, Lab, NEVER, OK, PERMANENT, QM_NO_TRACE, SUCCESS,
                      TEMPORARY)

DELIVERED, EXPANDED = 2, 4
SETTINGS = "retry_first = 1h\nretry_max = 1h\n"
strace = shutil.which("strace")


def verdicts(job):
    """bob's mailbox refuses, alice has to wait; carol reads notices."""
    if job.mailbox == "carol":
        return OK, "2.0.0", "delivered"
    if job.mailbox == "alice":
        return TEMPORARY, "4.2.0", "not now"
    return PERMANENT, "5.2.1", "no"


def notices(lab, about):
    """The ids of the notices about a message that have reached carol."""
    return {j.id for j in lab.workers.delivered
            if b"about " + about.encode() in j.content}


def settle(lab, i):
    """Waits until nothing moves: only what alice waits for is left."""
    def is_still():
        c = lab.client()
        rows = c.control(64)[0]
        c.close()
        return [(r["id"], r["state"]) for r in rows] in (
            [], [(i, "waiting")]) and notices(lab, i)
    return lab.wait(is_still)


def life(lab):
    """The id of a message of which carol has to be told."""
    c = lab.client()
    answer = c.submit(["bob@exemple.test", "alice@exemple.test"],
                      sender="carol@exemple.test")
    return answer.id if answer.result == OK else None


def is_killed(lab, i):
    """Whether malle-queued is killed in the life of a message; waits until it
    is, or until that life is over."""
    def is_over():
        return i and notices(lab, i) and lab.logged(i + " deferred") and all(
            lab.logged(n + " done") for n in notices(lab, i))
    lab.wait(lambda: lab.process.poll() is not None or is_over())
    try:
        lab.rest()
    except Exception:       # the connection has ended
        lab.wait(lambda: lab.process.poll() is not None)
    return lab.process.poll() is not None


def test_kills():
    twice, never, hits, tried = [], [], 0, 0
    with Lab(SETTINGS, start=False) as lab:
        lab.workers.policy = verdicts
        for call in ("pwrite64", "sendmsg", "unlinkat"):
            for n in range(1, 20):
                lab.start(wrap=[strace, "-f", "-qq", "-o", "/dev/null", "-e",
                                "trace=" + call, "-e",
                                "inject=%s:signal=SIGKILL:when=%d" % (call, n)],
                          env={"MALLE_SANDBOX_DENY": "errno"})
                tried += 1
                try:
                    i = life(lab)
                except (OSError, EOFError):
                    i = None
                hit = is_killed(lab, i)
                hits += hit
                lab.stop(signal.SIGKILL)
                lab.start()
                if i is not None:
                    settle(lab, i)
                    found = notices(lab, i)
                    twice += [(call, n)] if len(found) > 1 else []
                    never += [(call, n)] if not found else []
                for path in lab.files():
                    lab.client().control(69, id=os.path.basename(path))
                lab.wait(lab.is_empty)
                lab.stop(signal.SIGKILL)
                if not hit:
                    break
    ok(hits > 0, "killed at %d of %d calls of a bounce" % (hits, tried))
    eq(never, [], "carol is told")
    eq(twice, [], "and told once")


def test_power_cut():
    """The notice is durable, the mark on the original is not."""
    with Lab(SETTINGS) as lab:
        lab.workers.policy = lambda j: (TEMPORARY, "4.2.0", "not now") \
            if j.mailbox == "carol" else verdicts(j)
        i = life(lab)
        ok(lab.wait_log(i + " bounced"), "carol has a notice in the queue")
        lab.rest()
        path = next(f for f in lab.files() if i in f)
        lab.stop()
        # What a power cut leaves: the state of bob as it was before the mark.
        with open(path, "r+b") as f:
            f.seek(192)
            state = bytearray(f.read(32))
            ok(state[4] == 3, "its mark is in the file of the message")
            state[4] = 2
            state[:4] = struct.pack("<I", zlib.crc32(state[4:]))
            f.seek(192)
            f.write(state)
        lab.workers.policy = verdicts
        lab.start()
        for path in lab.files():
            lab.client().control(68, id=os.path.basename(path))
        ok(lab.wait_log(i + " deferred", 2) and settle(lab, i), "after the power cut the notice is delivered")
        eq(len(notices(lab, i)), 1, "and no other is made")
        eq(lab.logged("bounced notice="), 1, "or asked for")
        eq(lab.logged("loaded "), 2, "(in a second life)")


def test_expanded():
    """RFC 3461 5.2.7, RFC 3464 2.3.3: a success at an alias of several."""
    rows = (
        # (recipients, what is told of them: address, original, action)
        ([("team@exemple.test", SUCCESS)],
         [("team@exemple.test", "team@exemple.test", EXPANDED)]),
        ([("alice@exemple.test", SUCCESS)],
         [("alice@exemple.test", "alice@exemple.test", DELIVERED)]),
        ([("team@exemple.test", SUCCESS), ("alice@exemple.test", SUCCESS)],
         [("alice@exemple.test", "alice@exemple.test", DELIVERED),
          ("team@exemple.test", "team@exemple.test", EXPANDED)]),
        ([("team@exemple.test", FAILURE), ("alice@exemple.test", SUCCESS)],
         [("alice@exemple.test", "alice@exemple.test", DELIVERED)]),
        ([("team@exemple.test", 0)], None),
        ([("one@exemple.test", SUCCESS)],
         [("alice@exemple.test", "one@exemple.test", DELIVERED)]),
    )
    with Lab(SETTINGS) as lab:
        for recipients, want in rows:
            lab.bouncer.notices.clear()
            lab.client().submit(recipients, sender="carol@exemple.test")
            lab.wait(lab.is_empty)
            what = "%s: " % (recipients,)
            eq(len(lab.bouncer.notices), 0 if want is None else 1,
               what + "notices")
            if want is not None:
                n = lab.bouncer.notices[0]
                eq(sorted((r.address, r.original, r.action)
                          for r in n.recipients), want, what + "told of")
        for bad, wants, success in (
                (("bob",), SUCCESS | FAILURE, [(2, "team@exemple.test")]),
                (("alice",), SUCCESS | FAILURE, [(2, "team@exemple.test")]),
                (("alice",), SUCCESS, [(2, "team@exemple.test")]),
                (("alice", "bob"), SUCCESS | FAILURE, [])):
            lab.bouncer.notices.clear()
            lab.workers.policy = lambda j: (PERMANENT, "5.2.1", "no") \
                if j.mailbox in bad else (OK, "2.0.0", "delivered")
            lab.client().submit([("team@exemple.test", wants)],
                                sender="carol@exemple.test")
            lab.wait(lab.is_empty)
            eq(sorted((n.kind, r.address, r.action)
                      for n in lab.bouncer.notices for r in n.recipients),
               ([(0, b + "@exemple.test", 0) for b in bad] if wants & FAILURE
                else []) + [x + (EXPANDED,) for x in success],
               "%s fails of an alias of two, %d wanted" % (bad, wants))


def test_expanded_late():
    """The first of an alias fails when the second has long been delivered, in
    another life."""
    with Lab(SETTINGS) as lab:
        lab.workers.policy = lambda j: (TEMPORARY, "4.2.0", "not now") \
            if j.mailbox == "alice" else (OK, "2.0.0", "delivered")
        i = lab.client().submit([("team@exemple.test", SUCCESS)],
                                sender="carol@exemple.test").id
        lab.wait_log(i + " deferred")
        eq(len(lab.bouncer.notices), 0, "while it waits nothing is told")
        lab.stop()
        lab.start()
        lab.workers.policy = lambda j: (PERMANENT, "5.2.1", "no") \
            if j.mailbox == "alice" else (OK, "2.0.0", "delivered")
        lab.client().control(68, id=i)
        lab.wait(lab.is_empty)
        eq([(n.kind, r.address, r.action) for n in lab.bouncer.notices
            for r in n.recipients], [(2, "team@exemple.test", EXPANDED)],
           "the other one stands for it")


def notice(job, to, sender="", also=None):
    job.mail(sender=sender, lane=1, flags=QM_NO_TRACE, trace="", protocol="",
             client="")
    job.rcpt(to, NEVER)
    if also:
        job.rcpt(also, NEVER)
    return job.commit(b"Subject: x\n\nnot from here\n")


def test_lies():
    """A malle-bounce that somebody has taken over writes to nobody else."""
    lies = (
        ("from somebody", lambda n, job: notice(job, n.to, "bob@exemple.test")),
        ("to somebody else", lambda n, job: notice(job, "bob@exemple.test")),
        ("to one more", lambda n, job: notice(job, n.to,
                                              also="bob@exemple.test")),
        ("a second one", lambda n, job: (notice(job, n.to),
                                         notice(job, n.to))))
    for name, lie in lies:
        with Lab(SETTINGS) as lab:
            said = []

            def tell(n, job):
                try:
                    said.append(lie(n, job))
                except (OSError, EOFError):
                    said.append(None)
            lab.bouncer.lie = tell
            lab.workers.policy = lambda j: (PERMANENT, "5.2.1", "no") \
                if j.sender else (OK, "2.0.0", "delivered")
            lab.client().submit("alice@exemple.test",
                                sender="carol@exemple.test")
            lab.wait(lambda: said)
            eq(said, [None], "a notice " + name + ": malle-bounce is cut off")
            eq([j.mailbox for j in lab.workers.delivered if j.mailbox == "bob"],
               [], "and nothing leaves")
            ok(lab.process.poll() is None, "malle-queued goes on")


if strace is None or malle.SANITIZED:
    skip("killing at system calls needs strace")
else:
    test_kills()
test_power_cut()
test_expanded()
test_expanded_late()
test_lies()
done()
