#!/usr/bin/env python3
"""local-answers - malle-local's answers as malle-queued sees them: order, failures, and what is no request."""
# SPDX-License-Identifier: ISC

import os
import struct
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import malle
from malle import eq, ok
from localworker import Job, Reader, Worker, make_id, pack_bytes, L_BATCH, L_RESULT

L_ANSWER, L_ANSWERED = 3, 34
GIVEN, NONE, LATER = 0, 1, 2
LETTER = b"To: bob@exemple.test\nSubject: x\nMessage-ID: <1@free.test>\n\nHello\n"


def job(tag=1, sender="zoe@free.test", account="bob", id=None, length=len(LETTER), offset=0, addresses=None,
        text="Absent.\n", days=7, flags=1):
    """The body of L_ANSWER."""
    return (struct.pack("<QQQ", tag, offset, length) + pack_bytes(id or make_id()) + struct.pack("<IB", 0, flags) +
            pack_bytes(sender) + pack_bytes(account) + pack_bytes(account + "@exemple.test") +
            pack_bytes(addresses or account + "@exemple.test") + struct.pack("<QI", 1000, days) + pack_bytes("fr") +
            pack_bytes("UTC0") + pack_bytes("") + pack_bytes(text) + pack_bytes("Bob"))


def send(w, body, content=LETTER, fds=1):
    with tempfile.TemporaryFile() as f:
        f.write(content)
        f.flush()
        w.raw(struct.pack("<H", L_ANSWER) + body, [f.fileno()] * fds)


def answer(w):
    """(tag, verdict, why, content) of the next message."""
    r = Reader(w.socket.recv(65536))
    if r.take("H") != L_ANSWERED:
        raise ValueError("not an answer")
    return r.take("Q"), r.take("B"), r.bytes(), r.bytes()


def ask(w, **more):
    content = more.pop("content", LETTER)
    send(w, job(**more), content)
    return answer(w)


def test_answers():
    w = Worker()
    tag, verdict, why, content = ask(w, tag=7)
    eq((tag, verdict, why), (7, GIVEN, ""), "a letter is answered")
    ok("To: <zoe@free.test>\n" in content and content.endswith("\n\nAbsent.\n"), "with the text")
    eq(ask(w)[1:3], (NONE, "answered-before"), "and another one is not")
    eq(ask(w, sender="")[1:3], (NONE, "null-sender"), "nobody")
    eq(ask(w, addresses="carol@exemple.test")[1:3], (NONE, "not-addressed"), "not for this person")
    eq(ask(w, sender="a@free.test", content=LETTER[:19], length=19)[1:3], (NONE, "not-addressed"), "a header that ends early")
    eq(ask(w, sender="b@free.test", length=10 ** 6)[1:3], (LATER, "message"), "a file that is shorter than it should be")
    eq(ask(w, sender="c@free.test", offset=2 ** 63)[1:3], (LATER, "message"), "an offset beyond all files")
    for name in ("../bob", "Bob", "", ".answers"):
        eq(ask(w, sender="d@free.test", account=name, addresses="bob@exemple.test")[1:3], (LATER, "memory"),
           "no path is made of %r" % name)
    eq(sorted(os.listdir(w.folder)), [".answers"], "and none was")
    long = ask(w, sender="e@free.test", text="é" * 8000)
    ok(long[1] == GIVEN and len(long[3]) < 61440, "a long text of accents")
    eq(w.close()[0], 0, "the worker ends in order")


def test_order():
    """Answers wait until the mail that came with them is stored."""
    w = Worker()
    with malle.held(w.process.pid):
        send(w, job(tag=3))
        w.send([Job(1, b"Subject: x\n\ny\n"), Job(2, b"Subject: y\n\nz\n")])
    types = [struct.unpack("<H", w.socket.recv(65536)[:2])[0] for _ in range(2)]
    eq(types, [L_RESULT, L_ANSWERED], "8.10: stored first, answered then")
    eq(len(w.files()), 2, "both messages are there")
    w.close()


def test_failures():
    w = Worker()
    open(w.folder + "/.answers", "w").close()
    eq(ask(w)[1:3], (LATER, "memory"), "no folder for the memory: later")
    os.unlink(w.folder + "/.answers")
    os.symlink("/tmp", w.folder + "/.answers")
    eq(ask(w)[1:3], (LATER, "memory"), "a link is not followed")
    os.unlink(w.folder + "/.answers")
    id = make_id()
    eq([ask(w, id=id)[1], ask(w, id=id)[1]], [GIVEN, GIVEN], "mended; the same job again is the same answer")
    ok("answer-failed account=bob what=memory" in w.close()[1], "the log tells what failed")


def test_hostile():
    whole = job()
    bad = []
    for n in range(0, len(whole), 11):
        w = Worker()
        send(w, whole[:n])
        status, log = (w.process.wait(malle.PATIENCE), "")
        if status != 76:
            bad.append((n, status))
        w.close()
    eq(bad, [], "a request that is cut ends the worker in order")
    for what, body, fds in (("something behind it", whole + b"x", 1), ("no descriptor", whole, 0),
                            ("two descriptors", whole, 2), ("a line end in the sender", job(sender="a\nb@x.test"), 1)):
        w = Worker()
        send(w, body, fds=fds)
        eq(w.process.wait(malle.PATIENCE), 76, what)
        w.close()


test_answers()
test_order()
test_failures()
test_hostile()
malle.done()
