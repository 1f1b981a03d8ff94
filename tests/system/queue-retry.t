#!/usr/bin/env python3
"""queue-retry.t - deferral, expiry, notices, restarts, dying workers."""
# SPDX-License-Identifier: ISC

import os
import signal
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import malle
from malle import done, eq, ok
from queuelab import (DELAY, Lab, NEVER, OK, PERMANENT, Q_CHECK, SUCCESS,
                      TEMPORARY, pb)

LATER = (TEMPORARY, "4.2.0", "not now")
NO = (PERMANENT, "5.2.2", "the mailbox is full")
YES = (OK, "2.0.0", "delivered")



def told(lab, about):
    """Waits until the notices of these messages have been delivered: a leap of
    the clock cuts off whoever has one half-way."""
    lab.wait(lambda: all(n.answer and lab.logged(n.answer.id + " done")
                         for n in lab.bouncer.notices))
    for i in about:
        lab.wait_log(i + " bounced")


with Lab("retry_first = 1s\nretry_max = 2s\n") as lab:
    tries = []
    lab.workers.policy = lambda j: tries.append(j) or (
        LATER if len(tries) < 3 else YES)
    id = lab.client().submit("bob@exemple.test").id
    ok(lab.wait(lambda: len(lab.workers.delivered) == 1),
       "a deferred message is tried until it is delivered")
    eq(len(tries), 3, "at the third attempt")
    eq(lab.logged(id + " deferred"), 2, "each deferral is in the log")
    eq(lab.bouncer.notices, [], "nobody is told")

    lab.workers.policy = lambda j: NO if j.mailbox == "bob" else YES
    id = lab.client().submit(
        [("bob@exemple.test", 0, "rfc822;Bob@exemple.test"), "alice@exemple.test"],
        envid="E1").id
    ok(lab.wait(lambda: len(lab.bouncer.notices) == 1), "a failure is told")
    n = lab.bouncer.notices[0]
    eq((n.id, n.kind, n.to, n.envid, n.language, n.double),
       (id, 0, "alice@exemple.test", "E1", "fr", 0),
       "to the sender, with ENVID, in the language of his domain")
    eq([(r.address, r.original, r.orcpt, r.action, r.status, r.text)
        for r in n.recipients],
       [("bob@exemple.test", "bob@exemple.test", "rfc822;Bob@exemple.test", 0,
         "5.2.2", "the mailbox is full")], "with the reason")
    ok(n.content.endswith(b"Subject: x\n\nhello\n"), "and the message")
    lab.wait(lambda: n.answer)
    ok(lab.wait_log(id + " bounced notice=" + n.answer.id), "it is in the log")
    ok(lab.wait(lab.is_empty), "nothing is left")

    lab.client().submit([("bob@exemple.test", NEVER)])
    ok(lab.wait(lab.is_empty), "NOTIFY=NEVER: gone")
    eq(len(lab.bouncer.notices), 1, "and nobody told")
    lab.client().submit([("bob@exemple.test", SUCCESS | DELAY)])
    ok(lab.wait(lab.is_empty), "NOTIFY without FAILURE: gone")
    eq(len(lab.bouncer.notices), 1, "and nobody told")
    lab.client().submit([("carol@exemple.test", SUCCESS), "alice@exemple.test"])
    ok(lab.wait(lambda: len(lab.bouncer.notices) == 2), "NOTIFY=SUCCESS: told")
    eq([(r.address, r.action) for r in lab.bouncer.notices[1].recipients],
       [("carol@exemple.test", 2)], "of the one that asked for it")

    lab.client().submit("bob@exemple.test", sender="")
    ok(lab.wait(lambda: len(lab.bouncer.notices) == 3), "null sender")
    n = lab.bouncer.notices[2]
    eq((n.to, n.double), ("postmaster@exemple.test", 1),
       "the postmaster is told instead")
    ok(lab.wait(lab.is_empty), "nothing is left")
    lab.workers.policy = lambda j: NO
    id = lab.client().submit("bob@exemple.test", sender="").id
    ok(lab.wait(lambda: len(lab.files("double")) == 1), "the postmaster cannot "
       "be told either: double/")
    ok(lab.wait(lab.is_empty), "nothing is left")
    eq(len(lab.bouncer.notices), 4, "and no notice of a notice of a notice")

with Lab("retry_first = 1m\nretry_max = 2m\nqueue_lifetime = 1h\n"
         "delay_notice = 1m\n", clock=True) as lab:
    id = lab.client().submit([("x@elsewhere.example", 0), "bob@exemple.test"]).id
    ok(lab.wait_log(id + " deferred"), "remote: deferred")
    lab.wait_log(id + " delivered")
    lab.forward(600)
    ok(lab.wait(lambda: len(lab.bouncer.notices) == 1), "a delay is told")
    n = lab.bouncer.notices[0]
    eq((n.kind, [(r.address, r.action, r.text) for r in n.recipients]),
       (1, [("x@elsewhere.example", 1, "malle-remote does not run here")]),
       "of the one that waits")
    told(lab, [id])
    lab.forward(3600)
    ok(lab.wait(lambda: len(lab.bouncer.notices) == 2), "the time is over")
    n = lab.bouncer.notices[1]
    eq((n.kind, [(r.address, r.action, r.status) for r in n.recipients]),
       (0, [("x@elsewhere.example", 0, "4.4.7")]), "a failure is told")
    ok(lab.wait(lab.is_empty), "nothing is left")

with Lab("retry_first = 1m\nretry_max = 2m\nqueue_lifetime = 1d\n"
         "delay_notice = 1m\nlifetime_bulk = 1h\n", clock=True) as lab:
    begun = time.time()
    letter = lab.client().submit("x@elsewhere.example").id
    bulk = lab.client().submit("y@elsewhere.example", lane=3).id
    lab.wait(lambda: lab.logged("deferred") == 2)
    lab.forward(600)
    ok(lab.wait(lambda: len(lab.bouncer.notices) == 2), "delays are told")
    told(lab, [letter, bulk])
    lab.forward(3600)
    ok(lab.wait_log(bulk + " failed"), "a lane of its own time is over")
    ok(lab.wait(lambda: len(lab.bouncer.notices) == 3), "all are told")
    said = {(n.id, n.kind): n for n in lab.bouncer.notices}
    eq(sorted(said), sorted([(bulk, 0), (bulk, 1), (letter, 1)]),
       "two delays, one failure")
    late = time.time() - begun
    ok(all(life - 1 <= said[i, 1].recipients[0].until - begun <= life + late
           for i, life in ((letter, 86400), (bulk, 3600))),
       "the delay says until when: by the lane")
    eq(lab.logged(letter + " failed"), 0, "the others go on")

for restart in False, True:
    with Lab("retry_first = 1m\nretry_max = 2m\n", clock=True) as lab:
        lab.workers.policy = lambda j: LATER
        lab.clock.wrong(10 * 365 * 86400)
        c = lab.client()
        ids = [c.submit("bob@exemple.test").id]
        lab.wait_log(ids[0] + " deferred")
        lab.clock.wrong(0)
        c = lab.client()
        ids.append(c.submit("bob@exemple.test").id)
        lab.wait_log(ids[1] + " deferred")
        lab.clock.wrong(-10 * 365 * 86400)
        if restart:
            lab.stop()
            lab.start()
        for n in 2, 3:
            lab.forward(300)
            eq([lab.wait(lambda: lab.logged(id + " deferred") >= n)
                for id in ids], [True, True], "a wall clock that was years too "
               "far delays no attempt" + " after a restart" * restart)

with Lab(clock=True) as lab:
    hangs, seen = threading.Event(), []
    lab.workers.policy = lambda j: (seen.append(j), len(seen) == 1 and
                                    hangs.wait(), YES)[2]
    id = lab.client().submit("bob@exemple.test").id
    lab.wait(lambda: seen)
    c = lab.client()
    for _ in range(4):
        c.send(Q_CHECK, pb("small@exemple.test") + bytes(8))
        lab.forward(300)
        eq(c.answer().result, OK, "a worker hangs: there may be room")
    ok(lab.wait_log(id + " done"), "however often it is asked something, another "
       "one delivers what it has")
    hangs.set()

with Lab("retry_first = 1h\nretry_max = 1h\n") as lab:
    lab.workers.policy = lambda j: LATER
    c = lab.client()
    ids = [c.submit("bob@exemple.test", b"n %d\n" % i).id for i in range(20)]
    ok(lab.wait(lambda: lab.logged("deferred") == 20), "20 messages deferred")
    lab.rest()
    lab.stop(signal.SIGKILL)
    eq(len(lab.files()), 20, "kill -9 leaves them all")
    held, torn, cut = lab.files()[:3]
    with open(torn, "r+b") as f:
        f.seek(-2, 2)
        f.write(b"!!")
    os.truncate(torn, os.path.getsize(torn))
    with open(cut, "r+b") as f:
        f.seek(8)
        f.write(b"\0\0\0\0")
    header = lab.files()[3]
    with open(header, "r+b") as f:
        f.seek(30)
        f.write(b"\x77")
    os.makedirs(lab.base + "/queue/mess/00/folder")
    lab.workers.policy = lambda j: YES
    lab.start()
    ok(lab.wait_log("loaded messages=18 held=0 removed=1 corrupt=1"),
       "a restart: one without its mark removed, one damaged set aside")
    eq(os.path.basename(header), os.path.basename(lab.files("corrupt")[0]),
       "in corrupt/")
    eq(len(lab.workers.delivered), 0, "nothing is tried before its time")
    rows, n, verdict = lab.client().control(64)
    eq((len(rows), verdict), (18, OK), "list shows them")
    eq(rows[0]["sender"], "alice@exemple.test", "with their sender")
    r = lab.client().control(68)
    eq(r[1:], (18, OK), "retry of all")
    # The tail is behind the content: a damaged reply harms nobody.
    ok(lab.wait(lambda: len(lab.workers.delivered) == 18), "all are delivered")

with Lab("retry_first = 1h\nretry_max = 1h\n") as lab:
    lab.workers.policy = lambda j: LATER
    c = lab.client()
    id = c.submit("bob@exemple.test", b"Subject: damage\n\n" + b"a" * 500).id
    lab.wait_log(id + " deferred")
    lab.rest()
    lab.stop(signal.SIGKILL)
    name = lab.files()[0]
    bytes_ = open(name, "rb").read()
    at = bytes_.index(b"aaaaaaaaaa")
    with open(name, "r+b") as f:
        f.seek(at)
        f.write(b"b")
    lab.workers.policy = lambda j: YES
    lab.start()
    lab.client().control(68)
    ok(lab.wait_log(id + " corrupt"), "damaged content is noticed before it "
       "is delivered")
    ok(lab.wait(lambda: lab.files() == [] and len(lab.files("corrupt")) == 1),
       "and set aside")
    eq(lab.workers.delivered, [], "nobody gets it")

with Lab() as lab:
    lab.workers.policy = lambda j: "die" if j.mailbox == "bob" else YES
    c = lab.client()
    bad = c.submit("bob@exemple.test").id
    for i in range(5):
        c.submit("alice@exemple.test")
    ok(lab.wait(lambda: len({j.id for j in lab.workers.delivered}) == 5),
       "a job that kills its workers does not stop the others")
    ok(lab.wait_log(bad + " held", seconds=2 * malle.PATIENCE),
       "after five it is held")
    rows = lab.client().control(64, held=True)[0]
    eq([r["id"] for r in rows], [bad], "list shows what is held")
done()
