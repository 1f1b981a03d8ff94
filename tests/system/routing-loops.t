#!/usr/bin/env python3
"""routing-loops - circles that the registry could not see: to one's own domain that became ours later, through several
addresses, and out to a server that sends everything back (2-25, 8-15; RFC 5321 6.3)."""
import os
import smtplib
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import internet
import malle
from malle import eq, ok, until

dns = internet.DNS()
for n, name in enumerate(("out", "free")):
    dns.mx(name + ".test", 10, "mx.%s.test" % name)
    dns.a("mx.%s.test" % name, "127.0.3.%d" % (n + 3))
port = internet.shared_port(["127.0.3.3", "127.0.3.4"])
out = internet.Server("127.0.3.3", port, name="mx.out.test")
free = internet.Server("127.0.3.4", port, name="mx.free.test")
BOB, EVE = "bob@exemple.test", "eve@exemple.test"

with malle.Instance({"resolver": dns.address, "remote_port": str(port), "queue_lifetime": "5m"}) as m:
    m.domain("exemple.test")
    for name in (BOB, EVE):
        m.user(name)

    def deliver(to, data, sender="zoe@free.test"):
        """To our port 25. The code of RCPT, or of the content."""
        with smtplib.SMTP("127.0.0.1", m.ports["smtp"], "client.test",
                          timeout=malle.PATIENCE) as c:
            c.ehlo()
            c.mail(sender)
            code, text = c.rcpt(to)
            if code == 250 and data:
                code, text = c.data(data)
        return code, text.decode()

    def letter(subject):
        return "From: <zoe@free.test>\r\nSubject: %s\r\n\r\nhello\r\n" % subject

    def count(address, subject):
        return sum(b"\nSubject: %s\n" % subject.encode() in x for x in m.wait_messages(address, 0))

    def at_rest():
        return until(lambda: m.malle("queue", "list").stdout.strip() == "")

    # What the registry sees at once, it refuses.
    p = m.malle("user", "set", BOB, "forward=bob@exemple.test", check=False)
    ok(p.returncode != 0 and "lead back" in p.stderr, "8-15: no forward to oneself is saved")

    # A domain that becomes ours later.
    m.malle("user", "set", BOB, "forward=Bob+x@later.test", "keep=no")
    m.malle("alias", "add", "ring1@exemple.test", "ring2@later.test")
    m.malle("alias", "add", "ring2@exemple.test", "ring1@exemple.test")
    m.malle("domain", "add", "later.test", "--alias-of", "exemple.test")
    until(lambda: deliver("eve@later.test", None)[0] == 250)
    eq(deliver(BOB, letter("own"))[0], 250, "8-15: forwarded to one's own domain alias")
    ok(at_rest() and count(BOB, "own") == 1, "is kept, once")
    m.malle("user", "set", BOB, "forward=", "keep=yes")
    code, text = deliver("ring1@exemple.test", None)
    ok(code == 550 and text.startswith("5.4.6 "), "8-15: aliases that lead to each other: %d %s" % (code, text))
    m.malle("user", "set", BOB, "forward=eve@last.test", "keep=no")
    m.malle("user", "set", EVE, "forward=bob@exemple.test", "keep=no")
    m.malle("domain", "add", "last.test", "--alias-of", "exemple.test")
    until(lambda: deliver("eve@last.test", None)[0] == 250)
    deliver(BOB, letter("two"))
    ok(at_rest() and count(BOB, "two") == 1 and count(EVE, "two") == 1,
       "8-15: two mailboxes that only forward to each other keep it, each once")
    m.malle("user", "set", EVE, "forward=", "keep=yes")

    # Out, and back.
    back = []

    def send_back(session, data):
        """A server that forwards all to bob, as most do: with one line of trace more."""
        back.append(deliver(BOB, b"Received: from x by mx.out.test; Sat, 21 Nov 2026 20:00:00 +0000\r\n" + data,
                            session.sender))
    out.hooks["END"] = send_back
    m.malle("user", "set", BOB, "forward=x@out.test", "keep=yes")
    deliver(BOB, letter("round"))
    ok(until(lambda: out.messages) and at_rest(), "8-15: forwarded with a copy, and sent back: it comes to rest")
    eq((count(BOB, "round"), len(out.messages)), (1, 1), "the mailbox has it once, the other server had it once")
    deliver("Bob+tag@last.test", letter("round2"))
    ok(until(lambda: len(out.messages) >= 2) and at_rest() and len(out.messages) == 2 and
       count(BOB, "round2") == 1, "by any of its names: %d, %d" % (len(out.messages), count(BOB, "round2")))
    seen = len(out.messages)
    m.malle("user", "set", BOB, "keep=no")
    told = len(free.messages)
    deliver(BOB, letter("away"))
    ok(until(lambda: len(out.messages) > seen) and until(lambda: len(free.messages) > told) and at_rest() and
       len(out.messages) == seen + 1, "8-15: without a copy it ends too")
    notice = free.messages[-1]
    ok(notice["sender"] == "" and notice["rcpts"] == ["zoe@free.test"] and b"5.4.6" in notice["data"] and
       b"circles" in notice["data"], "and its sender is told, at his own address")
    m.malle("alias", "add", "liste@exemple.test", "x@out.test", EVE)
    seen = len(out.messages)
    out.hooks["END"] = lambda session, data: back.append(deliver(
        "liste@exemple.test", b"Received: from x by mx.out.test; Sat, 21 Nov 2026 20:00:00 +0000\r\n" + data,
        session.sender)) and None
    deliver("liste@exemple.test", letter("list"))
    ok(until(lambda: len(out.messages) > seen) and at_rest() and len(out.messages) == seen + 1 and
       count(EVE, "list") == 1, "8-15: an alias whose member sends it back: everybody has it once")
    eq(m.violations(), [], "no program left its role")
out.close()
free.close()
dns.close()
malle.done()
