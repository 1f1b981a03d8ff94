#!/usr/bin/env python3
"""malle-remote: AAAA and A beside each other, negative answers, a resolver that lies."""
# SPDX-License-Identifier: ISC
import os
import socket
import struct
import sys
import threading

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import malle
import remotelab
from internet import DNS, TYPES, Server, wire_name
from malle import eq, ok

DEAD = ["100::%x" % i for i in range(1, 17)]  # RFC 6666: nobody
NEGATIVE = 300  # s without a word of it in the answer


def has_six():
    try:
        with socket.socket(socket.AF_INET6) as s:
            s.bind(("::1", 0))
        return True
    except OSError:
        return False


def free_port():
    """A port that is free at ::1, too."""
    while True:
        with socket.socket() as four, socket.socket(socket.AF_INET6) as six:
            four.bind(("127.0.0.1", 0))
            try:
                six.bind(("::1", four.getsockname()[1]))
                return four.getsockname()[1]
            except OSError:
                pass


class Deaf:
    """A port of ::1 whose handshakes are never finished: its backlog is full."""

    def __init__(self, port):
        self.all = [socket.socket(socket.AF_INET6)]
        self.all[0].setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        self.all[0].setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.all[0].bind(("::1", port))
        self.all[0].listen(0)
        self.all.append(socket.create_connection(("::1", port)))
        malle.until(self._waiting)

    def _waiting(self):
        """How many connections are in the backlog: tcpi_unacked."""
        info = self.all[0].getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 28)
        return struct.unpack_from("I", info, 24)[0]

    def close(self):
        for s in self.all:
            s.close()


def route(remote, name, port, timeout=5):
    """What comes of a connection: (ready or failed, its address, reply)."""
    c = remote.carrier()
    what, reply = c.route([(10, name, port)], timeout=timeout)
    c.close()
    return what, reply["ip"], reply


def test_families(remote, dns):
    port = free_port()
    dns.aaaa("six.test", "::1")
    dns.aaaa("both.test", "::1")
    dns.a("both.test", "127.0.0.1")
    six, four = Server("::1", port), Server("127.0.0.1", port)
    c = remote.carrier()
    what, reply = c.route([(10, "six.test", port)])
    tag = c.job(["bob@exemple.org"])
    c.wait(tag)
    eq((what, c.one(tag)["result"], c.one(tag).get("ip"), six.recipients()),
       ("ready", "ok", "::1", ["bob@exemple.org"]), "a letter by IPv6 alone")
    c.close()
    eq(route(remote, "[IPv6:::1]", port)[:2], ("ready", "::1"),
       "an address literal")
    eq(route(remote, "both.test", port)[:2], ("ready", "::1"),
       "IPv6 first where there are both")
    six.close()
    eq(route(remote, "both.test", port)[:2], ("ready", "127.0.0.1"),
       "IPv6 refuses: IPv4")
    deaf = Deaf(port)
    # The harness waits for a minute, and the route for ten.
    eq(route(remote, "both.test", port, 600)[:2], ("ready", "127.0.0.1"),
       "IPv6 is silent: IPv4, long before its time is over")
    deaf.close()
    six, hook = Server("::1", port), "421 4.3.2 Not now"
    six.hooks["CONNECT"] = hook
    eq(route(remote, "both.test", port)[:2], ("ready", "127.0.0.1"),
       "IPv6 has no time: IPv4")
    four.hooks["CONNECT"] = hook
    what, _, reply = route(remote, "both.test", port)
    eq((what, reply["result"], reply["cause"], reply["text"]),
       ("failed", "temporary", "greeting", hook), "neither: what they say")
    six.close()
    four.close()
    what, _, reply = route(remote, "six.test", port)
    eq((what, reply["cause"], reply["ip"]), ("failed", "connect", "::1"),
       "nobody there")
    ok("::1" in reply["text"] and "refused" in reply["text"],
       "the address is named: " + reply["text"])


def test_room(remote, dns):
    """Many of one family, and one of the other."""
    port = free_port()
    dns.aaaa("sixes.test", *DEAD)
    dns.a("sixes.test", "127.0.0.1")
    with_four = Server("127.0.0.1", port)
    eq(route(remote, "sixes.test", port)[:2], ("ready", "127.0.0.1"),
       "16 AAAA records leave the A record its turn")
    with_four.close()
    dns.a("fours.test", *["127.0.0.%d" % i for i in range(100, 140)])
    dns.aaaa("fours.test", "::1")
    with_six = Server("::1", port)
    eq(route(remote, "fours.test", port)[:2], ("ready", "::1"),
       "40 A records leave the AAAA record its turn")
    with_six.close()


def test_ourselves(remote, dns):
    """A list with this server: what is behind it would send the mail back."""
    port = free_port()
    dns.a("self.test", "127.0.0.1")
    dns.a("named.test", "127.0.0.1")
    dns.a("mail.exemple.test", "127.0.0.1")
    greeting = "220 mail.exemple.test ESMTP"
    us = Server("127.0.0.1", port, hooks={"CONNECT": greeting})
    other = Server("127.0.0.2", port)
    dns.a("other.test", "127.0.0.2")
    dns.a("none.test", "127.0.0.3")

    def what(*names):
        c = remote.carrier()
        got, reply = c.route([(10 * i, n, port) for i, n in enumerate(names)])
        c.close()
        return got, reply["result"], reply["enhanced"]
    circle = ("failed", "permanent", "5.4.6")
    # Its port must be that of MX records: others are smarthosts'.
    with remotelab.Remote(dict(resolver=dns.address,
                               remote_port=port)) as remote:
        eq(what("other.test", "self.test"), ("ready", "ok", ""),
           "a better one is sent to")
        eq((what("self.test", "other.test"), len(other.sessions)),
           (circle, 1), "a worse one is not (RFC 5321 5.1)")
        eq(what("none.test", "self.test", "other.test"),
           ("failed", "temporary", "4.4.1"), "a better one may be back")
        us.close()
        eq((what("mail.exemple.test", "other.test"), len(other.sessions)),
           (circle, 1), "known by its name, too, though nobody answers")
        eq(remote.broken(), [], "no child has broken")
    other.close()


# zone, (time of the SOA, what it says of negative answers), what counts
NEGATIVES = (
    ("minimum", (3600, 120), 120), ("own-time", (90, 3600), 90),
    ("short", (3600, 1), 60), ("days", (864000, 864000), 10800),
    ("most", (2 ** 32 - 1, 2 ** 32 - 1), 10800), ("zero", (0, 0), NEGATIVE),
    ("unsaid", None, NEGATIVE),
)


def test_negative(remote, dns):
    pair = remote.resolver()

    def look(name):
        f = remote.lookup(pair, name)
        return f["outcome"], f["ttl"]
    for zone, soa, ttl in NEGATIVES:
        if soa:
            dns.soa[zone + ".test"] = soa
        dns.add(zone + ".test", "NS", wire_name("ns.test"))
        eq(look("none." + zone + ".test"), ("no_domain", ttl),
           "NXDOMAIN for %d s: %s" % (ttl, zone))
        eq(look(zone + ".test"), ("no_domain", ttl),
           "NODATA for %d s: %s" % (ttl, zone))
    dns.cname("alias.minimum.test", "none.minimum.test")
    eq(look("alias.minimum.test"), ("no_domain", 120),
       "a CNAME to no name (RFC 2308 2.1)")
    dns.cname("www.minimum.test", "minimum.test")
    eq(look("www.minimum.test"), ("no_domain", 120),
       "a CNAME to a name without addresses")
    dns.broken.add("broken.test")
    eq(look("broken.test")[0], "temporary", "SERVFAIL")
    dns.mx("half.test", 10, "half.test")
    dns.aaaa("half.test", "::1")
    eq(look("half.test")[0], "ok", "after SERVFAIL the same child goes on")
    pair.close()


def record(kind, rdata, owner=b"\xc0\x0c", ttl=300, length=None):
    return owner + struct.pack("!HHIH", kind, 1, ttl, len(rdata) if length
                               is None else length) + rdata


def reply_of(flags=0x8180, counts=(1, 1, 0, 0), rest=b""):
    """A lie: this head and these records behind the question."""
    def lie(right, limit):
        at = 12
        while right[at]:
            at += right[at] + 1
        return (right[:2] + struct.pack("!H", flags) + struct.pack(
            "!4H", *counts) + right[12:at + 5] + rest)
    return lie


MX, A, AAAA, SOA = (TYPES[x] for x in ("MX", "A", "AAAA", "SOA"))
# what, lie, outcomes that are allowed
LIES = (
    ("no records behind the count", reply_of(counts=(1, 5, 0, 0)),
     ("temporary",)),
    ("65535 answers promised", reply_of(
        counts=(1, 65535, 0, 0), rest=record(MX, b"\0\1" + wire_name("a.b"))),
     ("temporary",)),
    ("a record that is longer than the message", reply_of(
        rest=record(MX, b"\0\1\1a\0", length=60000)), ("temporary",)),
    ("an MX of two bytes", reply_of(rest=record(MX, b"\0\1")),
     ("no_domain", "temporary")),
    ("a name that leads to itself", reply_of(
        rest=record(MX, b"\0\1" + struct.pack("!H", 0xc000 | 35))),
     ("no_domain", "temporary")),
    ("a name that leads behind the end", reply_of(
        rest=record(MX, b"\0\1\xff\xff")), ("no_domain", "temporary")),
    ("a server's name with a line end", reply_of(
        rest=record(MX, b"\0\1\x0da\r\n250 forged\4test\0")),
     ("no_domain", "temporary")),
    ("a server's name with a zero byte", reply_of(
        rest=record(MX, b"\0\1\3a\0b\4test\0")), ("no_domain", "temporary")),
    ("an address of three bytes", reply_of(rest=record(A, b"\x7f\0\0")),
     ("no_domain", "temporary")),
    ("addresses where MX was asked for", reply_of(
        rest=record(A, b"\x7f\0\0\1")), ("ok", "no_domain")),
    ("an SOA that ends early", reply_of(0x8183, (1, 0, 1, 0), record(
        SOA, b"\0\0" + b"\xff" * 4, length=6)), ("no_domain",)),
    ("an SOA whose length lies", reply_of(0x8183, (1, 0, 1, 0), record(
        SOA, b"\0\0" + b"\xff" * 20, length=65535)), ("no_domain",)),
    ("65535 authorities promised", reply_of(0x8183, (1, 0, 65535, 0)),
     ("no_domain",)),
    ("an answer of 12 bytes", lambda right, limit: right[:12],
     ("temporary", "no_domain")),
    ("another question's answer", lambda right, limit: right[:12] +
     wire_name("other.test") + right[-4:], ("temporary",)),
    ("another number", lambda right, limit: bytes(2) + right[2:],
     ("temporary",)),
    ("a question instead of an answer", lambda right, limit: right[:2] +
     b"\1\0" + right[4:], ("temporary",)),
    ("REFUSED", reply_of(0x8185, (1, 0, 0, 0)), ("temporary",)),
    ("always cut short", lambda right, limit: right[:2] + b"\x83\x80" +
     right[4:] if limit < 65535 else right[:5], ("temporary",)),
)


def test_lies(remote, dns):
    """All at the same time: some end only with the patience of the library."""
    asked = []
    dns.silent.add("silent.test")
    rows = [("no answer", None, ("temporary",))] + list(LIES)
    for i, (what, lie, allowed) in enumerate(rows):
        name = "silent.test" if lie is None else "lie%d.test" % i
        dns.lies[name] = lie
        dns.mx(name, 10, "mx.test") if i % 2 else None
        pair = remote.resolver()
        pair.send(struct.pack("<HQ", remotelab.R_LOOKUP, i) +
                  remotelab.pack_bytes(name))
        asked.append((what, allowed, pair, name))
    for what, allowed, pair, name in asked:
        data = pair.recv(65536)
        got = remotelab.LOOKUPS[data[10]] if len(data) > 10 else "nothing"
        ok(got in allowed, "%s: %s" % (what, got))
        dns.lies.pop(name)
        dns.silent.discard(name)
        dns.mx(name, 10, "good.test")
        eq(remote.lookup(pair, name)["outcome"], "ok",
           "and that child goes on")
        pair.close()


def test_nobody_waits(remote, dns):
    """Who has asked has gone meanwhile: nobody has said anything wrong."""
    def children():
        return malle.children(remote.process.pid)
    malle.until(lambda: not children())
    pair = remote.resolver()
    asked = len(dns.asked)
    held = threading.Event()
    dns.lies["gone.test"] = lambda right, limit: held.wait(
        malle.PATIENCE) and right
    pair.send(struct.pack("<HQ", remotelab.R_LOOKUP, 1) +
              remotelab.pack_bytes("gone.test"))
    malle.until(lambda: len(dns.asked) > asked)
    pair.close()
    held.set()
    malle.until(lambda: not children())
    ok("malformed" not in remote.log(), "an answer that nobody takes")


def main():
    if not has_six():
        malle.skip_all("no IPv6 here")
    dns = DNS()
    with remotelab.Remote(dict(resolver=dns.address)) as remote:
        remote.run((test_families, test_room, test_ourselves, test_negative,
                    test_lies, test_nobody_waits), dns)
    dns.close()
    malle.done()


main()
