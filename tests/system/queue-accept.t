#!/usr/bin/env python3
"""queue-accept.t - what is accepted, how it is kept, what is refused."""
# SPDX-License-Identifier: ISC

import os
import re
import socket
import struct
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import malle
from malle import eq, ok
from queuelab import (Lab, OK, PERMANENT, Q_CHECKED, QM_NO_TRACE, TEMPORARY, pb)

with Lab() as lab:
    c = lab.client()
    a = c.submit("bob@exemple.test", b"Subject: one\n\nline\n")
    eq(a.result, OK, "a message is accepted")
    ok(re.fullmatch("[0-9a-v]{11}-[0-9a-v]{11}", a.id), "its id: " + a.id)
    ok(lab.wait(lambda: len(lab.workers.delivered) == 1), "it is delivered")
    job = lab.workers.delivered[0]
    eq((job.id, job.mailbox, job.to, job.sender, job.domain),
       (a.id, "bob", "bob@exemple.test", "alice@exemple.test", "exemple.test"),
       "the job says where")
    ok(re.match(rb"Received: from client \(test \[127.0.0.1\]\)\n"
                rb"\tby mx.exemple.test \(Malleposte\) with ESMTP id " +
                a.id.encode() + rb"\n\tfor <bob@exemple.test>;\n"
                rb"\t\w+, \d+ \w+ \d+ \d+:\d+:\d+ [+-]\d+\n"
                rb"Subject: one\n\nline\n$", job.content),
       "Received comes first, the content follows as it was")
    ok(lab.wait(lambda: lab.files() == []), "the file is gone")
    ok(lab.wait_log(a.id + " done"), "the log says it is done")

    big = os.urandom(3000000).replace(b"\r", b"x")
    a = c.submit("bob@exemple.test", big, flags=QM_NO_TRACE)
    eq(a.result, OK, "3 MB in pieces are accepted")
    ok(lab.wait(lambda: len(lab.workers.delivered) == 2), "and delivered")
    ok(lab.workers.delivered[1].content == big, "byte for byte")

    a = c.submit(["bob@exemple.test", "BOB+x@exemple.test", "bob@alias.test",
                  "team@exemple.test"])
    eq(a.result, OK, "four addresses that lead to two mailboxes")
    ok(lab.wait(lambda: len(lab.workers.delivered) == 4), "two copies")
    lab.wait_log(a.id + " done")
    eq(sorted(j.mailbox for j in lab.workers.delivered[2:]), ["alice", "bob"],
       "one for each mailbox")
    ok(all(lab.wait_log(a.id + " recipient n=%d to=%s@%s mailbox=" % row)
           for row in ((0, "bob", "exemple.test"),
                                   (0, "BOB+x", "exemple.test"),
                                   (0, "bob", "alias.test"),
                                   (1, "team", "exemple.test"))),
       "and the log has every address that was given")

    a = c.submit("nobody@exemple.test")
    eq((a.result, a.enhanced), (PERMANENT, "5.1.1"), "unknown: refused")
    eq(c.submit("loop@exemple.test").enhanced, "5.4.6", "a loop: refused")
    eq(c.submit("gone@exemple.test").enhanced, "5.2.1", "disabled: refused")
    eq(c.submit("paused@exemple.test").result, TEMPORARY, "suspended: later")
    eq(c.submit([]).result, PERMANENT, "no recipient: refused")
    eq(c.submit("x@@y").enhanced, "5.1.3", "no address: refused")
    hops = b"Received: x\n" * 101 + b"\nbody\n"
    eq(c.submit("bob@exemple.test", hops).enhanced, "5.4.6",
       "more than 100 hops: refused")
    eq(c.submit("bob@exemple.test", b"received: x\n" * 100 + b"\n" +
                b"Received: x\n" * 50).result, OK, "100 hops are enough")
    eq(c.submit(["bob@exemple.test", "nobody@exemple.test"]).result, OK,
       "one of two is unknown: accepted")
    ok(lab.wait(lambda: len(lab.bouncer.notices) == 1), "its sender is told")
    n = lab.bouncer.notices[0]
    eq((n.to, [(r.address, r.status, r.action) for r in n.recipients]),
       ("alice@exemple.test", [("nobody@exemple.test", "5.1.1", 0)]),
       "of the unknown one only")
    ok(lab.wait(lab.is_empty), "nothing is left")

    c.mail()
    c.rcpt("bob@exemple.test")
    c.data(b"x" * 100000)
    ok(lab.wait(lambda: len(lab.files()) == 1), "a message half-way is a file")
    c.close()
    ok(lab.wait(lambda: lab.files() == []), "which goes with its connection")

    for name, bytes_ in (("an unknown type", b"\x63\x00"), ("one byte", b"x"),
                         ("Q_RCPT first", b"\x02\x00"),
                         ("a cut Q_MAIL", b"\x01\x00\x01\x00")):
        c = lab.client()
        c.s.send(bytes_)
        eq(c.s.recv(100), b"", name + " closes the connection")
    eq(lab.client().submit("bob@exemple.test").result, OK,
       "and nothing else")
    eq(lab.stop(), 0, "SIGTERM: exit status 0")

with Lab("message_max = 100k\nrecipients_max = 100\n") as lab:
    c = lab.client()
    eq(c.submit("bob@exemple.test", b"x" * 110000).enhanced, "5.3.4",
       "too big: refused")
    eq(c.submit("bob@exemple.test", size=1 << 40).enhanced, "5.3.4",
       "announced too big: refused")
    eq(c.submit("bob@exemple.test", b"x" * 102400, size=102400).result, OK,
       "as big as it may be, and our own header")
    eq(c.submit(["bob@exemple.test"] * 101).enhanced, "5.5.3",
       "too many recipients: refused")
    ok(lab.wait(lambda: lab.files() == []), "no file stays")
    ok(c.submit("bob@exemple.test").result == OK, "the next one is accepted")

with Lab() as lab:
    def check(mailbox, size):
        c.send(6, pb(mailbox) + struct.pack("<Q", size))
        a = c.answer()
        return a.type, a.result, a.enhanced

    c = lab.client()
    eq(check("bob@exemple.test", 1 << 40), (Q_CHECKED, OK, "2.1.5"),
       "room: no quota, no limit")
    eq(lab.workers.started, [], "and nobody is asked")
    lab.workers.usage = (900, 3)
    eq(check("small+x@alias.test", 50), (Q_CHECKED, OK, "2.1.5"),
       "room: 900 + 50 of 1000")
    eq(check("small@exemple.test", 101), (Q_CHECKED, TEMPORARY, "4.2.2"),
       "room: 900 + 101 of 1000")
    eq(check("small@exemple.test", 1001), (Q_CHECKED, PERMANENT, "5.2.3"),
       "a message bigger than the mailbox may ever be")
    eq(lab.workers.started, ["exemple.test"], "one worker was asked, once")

    # A client should wait for each answer; one that does not loses nothing.
    c.s.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
    with malle.held(lab.process.pid):
        for i in range(40):
            c.mail()
            c.rcpt("bob@exemple.test" if i % 3 else "nobody@exemple.test")
            c.send(4, b"n\n\n")
    got = [c.answer() for _ in range(40)]
    eq(sum(a.result == OK for a in got), 26, "40 messages sent at once")
    eq(sum(a.result == PERMANENT for a in got), 14, "all answered")
    ids = [a.id for a in got if a.result == OK]
    eq(ids, sorted(ids), "those that are kept in their order")
    ok(lab.wait(lambda: len(lab.workers.delivered) == 26), "all delivered")
    ok(max(lab.workers.batches) > 1, "in batches")

with Lab("queue_free_min = 1024G\n") as lab:
    a = lab.client().submit("bob@exemple.test")
    eq((a.result, a.enhanced), (TEMPORARY, "4.3.1"), "a full disk: later")

malle.done()
