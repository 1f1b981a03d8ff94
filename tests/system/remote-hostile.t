#!/usr/bin/env python3
"""malle-remote with servers that hang up, never end, say nonsense or go away
while idle, and with a malle-queued that goes away."""
# SPDX-License-Identifier: ISC
import os
import socket
import subprocess
import sys
import threading
import time
from concurrent import futures

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import malle
import remotelab
from internet import Drop, Hang, Server
from malle import eq, note, ok
from remotelab import end, exchange

OK, TEMP, PERM = "ok", "temporary", "permanent"
PAUSE = 10      # s; the time for a reply, so that a slow machine keeps it


def test_lost(remote):
    """Connections that end at each place: who gets which result."""
    three = ["a@x.org", "b@x.org", "c@x.org"]
    every = {i: [(TEMP, 0)] for i in range(3)}

    def drop(session, line):
        raise Drop()

    def drop_second(session, line):
        if "<b@" in line:
            raise Drop()

    def bye(session, line):
        session.say("421 4.3.2 Going down")
        raise Drop()
    for ext in (Server.EXTENSIONS, ("SIZE",)):
        kind = "PIPELINING" if ext != ("SIZE",) else "one by one"
        for place in ("MAIL", "RCPT", "DATA", "END"):
            c, s, tags = exchange(remote, three, 3, extensions=ext,
                                  hooks={place: drop})
            eq([c.of(t) for t in tags], [every, {}, {}],
               "%s, lost at %s: the one under way, no other" % (kind, place))
            ok(c.closed and c.closed["cause"] == "lost", "and it is told")
            eq(s.messages, [], "nobody has it")
            end(c, s)
            c, s, tags = exchange(remote, three, 3, extensions=ext,
                                  hooks={place: bye})
            eq([c.of(t) for t in tags],
               [{i: [(TEMP, 421)] for i in range(3)}, {}, {}],
               "%s, 421 at %s" % (kind, place))
            ok(c.closed and c.closed["code"] == 421, "and it is told")
            end(c, s)
        c, s, tags = exchange(remote, three, 2, extensions=ext,
                              hooks={"RCPT": drop_second})
        eq([c.of(t) for t in tags], [every, {}], kind + ", lost at a RCPT")
        end(c, s)
        c, s, tags = exchange(remote, three, 3, extensions=ext, hooks={
            "MAIL": lambda x, line: bye(x, line) if x.messages == 1 else None})
        eq([c.of(t) for t in tags], [{i: [(OK, 250)] for i in range(3)}, {},
                                     {}],
           kind + ", 421 after one message: the next were not begun")
        end(c, s)
        c, s, tags = exchange(remote, three, 2, extensions=ext, hooks={
            "RCPT": lambda x, line: "550 5.1.1 No" if "<a@" in line else
            drop(x, line) if "<c@" in line else None})
        eq([c.of(t) for t in tags],
           [{0: [(PERM, 550)], 1: [(TEMP, 0)], 2: [(TEMP, 0)]}, {}],
           kind + ", one refused before: it keeps its answer")
        end(c, s)
    for reply in ("354 What?", "299", "hello", "250 x\r\n250 y"):
        c, s, tags = exchange(remote, three, 1, hooks={"END": reply})
        good = reply.startswith("2")
        eq(c.of(tags[0]), {i: [(OK if good else TEMP,
                                int(reply[:3]) if good else 0)]
                           for i in range(3)},
           "%r after the content" % reply)
        end(c, s)


def test_endless(remote):
    """Replies that would never end, all at the same time."""
    def slowly(session, line):
        for b in b"250 2.0.0 a reply that takes its time, byte by byte\r\n":
            session.conn.sendall(bytes([b]))
            time.sleep(PAUSE / 20)

    def endless(session, line):
        while True:
            session.conn.sendall(b"250-on and on\r\n" * 100)

    def line_without_end(session, line):
        while True:
            session.conn.sendall(b"2" * 1000)

    def hang(session, line):
        raise Hang()
    with futures.ThreadPoolExecutor(12) as pool:
        begun = [(what, place, pool.submit(exchange, remote,
                                           hooks={place: hook}))
                 for what, hook in (
                     ("a byte at a time", slowly), ("endless lines", endless),
                     ("a line without end", line_without_end),
                     ("silence", hang))
                 for place in ("CONNECT", "EHLO", "END")]
    for what, place, talk in begun:
        c, s, tags = talk.result()
        reply = c.one(tags[0]) if tags else c.failed
        eq((reply["result"], reply["cause"], len(tags)),
           (TEMP, "lost", place == "END"), "%s at %s" % (what, place))
        end(c, s)


def test_replies(remote):
    """Replies that are no text, or too much of it."""
    evil = (b"550-5.1.1 \x1b[31mred\x00\r\r\n550-5.1.1 \xc2\x85 \xe2\x80\xa8 "
            b"\xff\xfe caf\xc3\xa9 \x7f\r\n550 5.1.1 id=1 delivered\r\n")
    c, s, (tag,) = exchange(remote, hooks={
        "RCPT": lambda x, y: evil[:-2].decode(
            "utf-8", "surrogateescape")})
    text = c.one(tag)["text"]
    note(repr(text))
    ok(text.isprintable() and len(text.splitlines()) == 1 and "café" in text,
       "a reply cannot break a line")
    end(c, s)
    c, s, (tag,) = exchange(remote, hooks={
        "END": "\r\n".join("550-5.7.1 " + "é" * 200 for _ in range(100)) +
        "\r\n550 5.7.1 end"})
    eq((c.one(tag)["result"], len(c.one(tag)["text"].encode()) <= 1000), (
        PERM, True), "a long reply is cut")
    end(c, s)
    c, s, (tag,) = exchange(remote, hooks={"MAIL": "250-1\r\n550 2"})
    eq((c.one(tag)["result"], c.one(tag)["cause"]), (TEMP, "lost"),
       "two codes in one reply")
    end(c, s)
    for place, reply, route, cause in (
            ("CONNECT", "250 Yes", {}, "greeting"),
            ("EHLO", "221 Yes", {}, "greeting"),
            ("STARTTLS", "250 Yes", {"tls": remotelab.TLS_ENCRYPT}, "tls")):
        c, s, _ = exchange(remote, hooks={place: reply}, route=route,
                           extensions=("STARTTLS",))
        eq([c.failed[x] for x in ("result", "cause", "code", "enhanced")],
           [TEMP, cause, int(reply[:3]), "4.5.0"],
           "%s, %s: no success" % (place, reply))
        end(c, s)


def test_idle(remote):
    c, s, (tag,) = exchange(remote)
    s.sessions[0].say("421 4.4.2 Idle too long")
    got = c.receive()
    eq((got[0], got[1]["code"]), ("closed", 421), "a good-bye while idle")
    end(c, s)
    c, s, (tag,) = exchange(remote)
    s.sessions[0].conn.shutdown(socket.SHUT_RDWR)
    got = c.receive()
    eq((got[0], got[1]["cause"]), ("closed", "lost"), "closed while idle")
    end(c, s)
    c, s, (tag,) = exchange(remote)
    s.sessions[0].say("250 2.0.0 Kept")
    got = c.receive()
    eq((got[0], got[1]["result"], got[1]["cause"]), ("closed", TEMP, "lost"),
       "praise that nobody has asked for is no success")
    end(c, s)


def test_after_a_pause(remote):
    """An envelope that does not fit into the connection at once is not late
    because the message before is long ago."""
    goes_on = threading.Event()

    def second(session, line):
        if session.messages:
            goes_on.wait(malle.PATIENCE)
    s = Server(hooks={"MAIL": second})
    s.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 536)
    s.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
    c, _ = remote.connect(s)
    c.wait(c.job(["bob@exemple.org"]))
    time.sleep(PAUSE + 0.1)
    tag = c.job([("b%d@exemple.org" % i, 0, "rfc822;" + "+" * 490)
                 for i in range(100)])
    time.sleep(0.3)
    goes_on.set()
    c.wait(tag)
    eq(c.of(tag), {i: [(OK, 250)] for i in range(100)}, "all are told")
    end(c, s)


def test_one_by_one(remote):
    """A job that comes while the carrier looks for one, which strace makes
    slow, and finds none."""
    rounds = 60
    s = Server()
    before = malle.children(remote.process.pid)
    c, _ = remote.connect(s)
    pid, = set(malle.children(remote.process.pid)) - set(before)
    slow = subprocess.Popen(
        ["strace", "-o", "/dev/null", "-e", "trace=recvmsg", "-e",
         "inject=recvmsg:delay_exit=4000", "-p", str(pid)],
        stderr=subprocess.PIPE, text=True)
    slow.stderr.readline()      # attached
    done = 0
    try:
        for i in range(rounds):
            c.job(["bob@exemple.org"])
            c.receive()
            time.sleep(0.001 * (i % 20))
            done += 1
    except TimeoutError:
        pass
    eq(done, rounds, "every job is begun, whenever it comes")
    slow.terminate()
    slow.wait()
    c.close()
    s.close()


def test_gone(remote):
    """malle-queued goes away: what was not begun is not begun."""
    arrived, go = threading.Event(), threading.Event()

    def wait(session, line):
        arrived.set()
        go.wait(malle.PATIENCE)
    s = Server(hooks={"END": wait})
    c, _ = remote.connect(s)
    for i in range(5):
        c.job(["b%d@x.org" % i])
    arrived.wait(malle.PATIENCE)
    c.close()
    go.set()
    s.sessions[0].ended.wait(malle.PATIENCE)
    eq(s.recipients(), ["b0@x.org"], "only the one under way is finished")
    s.close()


def main():
    for conf, tests in (
            ({}, (test_lost, test_replies, test_idle, test_one_by_one,
                  test_gone)),
            ({"reply_timeout": "%ds" % PAUSE},
             (test_endless, test_after_a_pause))):
        with remotelab.Remote(conf) as remote:
            remote.run(tests)
    malle.done()


main()
