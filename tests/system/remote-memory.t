#!/usr/bin/env python3
"""malle-remote: what endless replies and answers cost it; it lives on."""
# SPDX-License-Identifier: ISC
import os
import struct
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import malle
import remotelab
from internet import DNS, TYPES, Hang, Server, wire_name
from malle import eq, ok

LIMIT = 128 << 20       # of address space, man malle-remote
# KiB that a child may ever have had; a sanitizer keeps what was freed
PEAK = (512 if malle.SANITIZED else 16) << 10
TAKEN = 16 << 20        # bytes that it may let the other side send
PIECE = b"x" * 65536


def peak_of(parent):
    """VmHWM of its only child, in KiB, and its limit of address space."""
    def only():
        pids = malle.children(parent)
        return pids if len(pids) == 1 else []
    pid, = malle.until(only)
    with open("/proc/%d/limits" % pid) as f:
        row = next(l for l in f if l.startswith("Max address space"))
    return int(malle.status_of(pid)["VmHWM"].split()[0]), row.split()[3:5]


def flood(piece, first=b""):
    """A hook that sends without an end, and counts."""
    def hook(session, line):
        session.sent = 0
        session.conn.settimeout(malle.PATIENCE)
        session.conn.sendall(first)
        while session.sent < 8 * TAKEN:
            session.conn.sendall(piece)
            session.sent += len(piece)
        raise Hang()
    return hook


LINES = b"250-" + b"y" * 400 + b"\r\n"
FLOODS = (
    ("a greeting without an end of line", "CONNECT", flood(PIECE, b"220 ")),
    ("a greeting of endless lines", "CONNECT", flood(LINES.replace(
        b"250", b"220") * 100)),
    ("endless extensions", "EHLO", flood(LINES * 100)),
    ("an endless reply to MAIL", "MAIL", flood(LINES * 100)),
    ("an endless line to the content", "END", flood(PIECE, b"250 ")),
    ("NULs without end", "EHLO", flood(bytes(65536))),
)


def test_replies(remote):
    for what, place, hook in FLOODS:
        s = Server(hooks={place: hook})
        c, (answer, reply) = remote.connect(s)
        if answer == "ready":
            tag = c.job(["bob@exemple.org"])
            c.wait(tag)
            reply = c.one(tag)
        c.close()
        s.sessions[0].ended.wait(malle.PATIENCE)
        eq(reply["result"], "temporary", what)
        sent = getattr(s.sessions[0], "sent", 0)
        ok(sent < TAKEN, "%s: after %d KiB it went" % (what, sent >> 10))
        s.close()


def test_held(remote):
    """All that is allowed, and then silence: its memory can be seen."""
    s = Server(hooks={"MAIL": lambda session, line: (_ for _ in ()).throw(
        Hang()), "EHLO": "\r\n".join(["250-" + "z" * 400] * 60 + ["250 OK"])})
    c, (answer, _) = remote.connect(s)
    eq(answer, "ready", "a long greeting is taken")
    c.job(["bob%d@exemple.org" % i for i in range(100)],
          content=b"Subject: x\n\n" + b"line of text\n" * 400000)
    malle.until(lambda: s.sessions[0].lines[-1:] and
                s.sessions[0].lines[-1].startswith("MAIL"))
    peak, limit = peak_of(remote.process.pid)
    ok(0 < peak < PEAK, "with 5 MB to send: %d KiB" % peak)
    if malle.SANITIZED:
        malle.skip("the sanitizer wants all of the address space")
    else:
        eq(limit, [str(LIMIT)] * 2, "and it can never have more")
    c.close()
    s.close()


def chain(kind):
    """An answer as long as can be: names that lead on and on."""
    def lie(right, limit):
        if limit < 65535:       # over UDP: ask by TCP
            return right[:2] + b"\x83\x80" + right[4:]
        at = 12
        while right[at]:
            at += right[at] + 1
        head, rows, count = right[12:at + 5], b"", 0
        owner = b"\xc0\x0c"
        while len(rows) < 65000:
            rdata = wire_name("n%d.test" % count)
            if kind == "MX":
                rdata = struct.pack("!H", count) + rdata
            rows += owner + struct.pack("!HHIH", TYPES[kind], 1, 60,
                                        len(rdata)) + rdata
            if kind == "CNAME":
                owner = rdata
            count += 1
        return right[:2] + struct.pack("!5H", 0x8180, 1, count, 0,
                                       0) + head + rows
    return lie


def test_answers(remote, dns):
    pair = remote.resolver()
    for kind, outcome in (("CNAME", "no_domain"), ("MX", "ok"),
                          ("TXT", "no_domain")):
        name = kind.lower() + "-chain.test"
        dns.lies[name] = chain(kind)
        dns.mx(name, 10, "x.test")
        found = remote.lookup(pair, name)
        eq(found["outcome"], outcome, "65,000 bytes of %s" % kind)
        ok(len(found["hosts"]) <= 20, "%d servers" % len(found["hosts"]))
    peak, _ = peak_of(remote.process.pid)
    ok(0 < peak < PEAK, "the resolver: %d KiB" % peak)
    dns.mx("good.test", 10, "mx.good.test")
    eq(remote.lookup(pair, "good.test")["outcome"], "ok", "and it goes on")
    pair.close()


def main():
    dns = DNS()
    with remotelab.Remote(dict(resolver=dns.address)) as remote:
        test_replies(remote)
        test_held(remote)
        test_answers(remote, dns)
        s = Server()
        c, _ = remote.connect(s)
        tag = c.job(["bob@exemple.org"])
        c.wait(tag)
        eq(c.one(tag)["result"], "ok", "after all that a letter is sent")
        c.close()
        s.close()
        eq(remote.broken(), [], "no child has broken")
    dns.close()
    malle.done()


main()
