#!/usr/bin/env python3
"""routing-mailbox - what becomes of the mail of an address, in the running service: forward with and without a copy,
to several, deleted, aliases in other domains, robots' copies, suspended domains; and that `malle trace` tells it."""
import os
import re
import smtplib
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import internet
import malle
from malle import eq, ok, until

dns = internet.DNS()
dns.mx("out.test", 10, "mx.out.test")
dns.a("mx.out.test", "127.0.3.1")
dns.mx("free.test", 10, "mx.free.test")
dns.a("mx.free.test", "127.0.3.5")
port = internet.shared_port(["127.0.3.1", "127.0.3.5"])
out = internet.Server("127.0.3.1", port, name="mx.out.test")
free = internet.Server("127.0.3.5", port, name="mx.free.test")

with malle.Instance({"resolver": dns.address, "remote_port": str(port)}) as m:
    m.domain("exemple.test")
    m.domain("autre.test")
    m.malle("domain", "add", "alias.test", "--alias-of", "exemple.test")
    for name in ("bob", "eve", "dan"):
        m.user(name + "@exemple.test")
    m.user("bob@autre.test")
    number = 0

    def send(to, sender="zoe@free.test"):
        """The reply to RCPT; the letter goes when that is 250. Its subject."""
        global number
        number += 1
        subject = "letter%d" % number
        with smtplib.SMTP("127.0.0.1", m.ports["smtp"], "client.test",
                          timeout=malle.PATIENCE) as c:
            c.ehlo()
            c.mail(sender)
            code, text = c.rcpt(to)
            if code == 250:
                c.data("From: <%s>\r\nTo: <%s>\r\nSubject: %s\r\n\r\nhello\r\n" % (sender, to, subject))
        return code, text.decode(), subject

    def boxes():
        """{address: [subjects]} of every mailbox, and of the other server by its recipients."""
        found = {}
        for d in ("exemple.test", "autre.test"):
            folder = os.path.join(m.base, "mail", d)
            for name in os.listdir(folder) if os.path.isdir(folder) else ():
                for path in m.messages("%s@%s" % (name, d)):
                    with open(path, "rb") as f:
                        found.setdefault("%s@%s" % (name, d), []).append(subject_of(f.read()))
        for message in out.messages:
            for r in message["rcpts"]:
                found.setdefault(r, []).append(subject_of(message["data"]))
        return found

    def subject_of(raw):
        return [l[9:].strip().decode() for l in raw.split(b"\n") if l.startswith(b"Subject: ")][0]

    def reaches(to, want, text):
        """One letter to an address is then exactly where it should be."""
        code, reply, subject = send(to)
        if not eq(code, 250, "%s: taken" % text):
            malle.note(reply)
            return
        until(lambda: all(subject in boxes().get(w, ()) for w in want))
        until(lambda: m.malle("queue", "list").stdout.strip() == "")
        got = sorted(a for a, subjects in boxes().items() for s in subjects if s == subject)
        eq(got, sorted(want), text)

    def user(address, *changes):
        m.malle("user", "set", address, *changes)

    BOB, EVE, DAN = "bob@exemple.test", "eve@exemple.test", "dan@exemple.test"
    reaches("BOB+x@alias.test", [BOB], "0-19: by a domain alias")
    user(BOB, "forward=eve")
    reaches(BOB, [BOB, EVE], "2-17, 8-03: forwarded, with a copy")
    reaches("bob@alias.test", [BOB, EVE], "0-19: also by a domain alias")
    user(BOB, "keep=no")
    reaches(BOB, [EVE], "2-17, 3-57: forwarded, without one")
    user(BOB, "keep=yes", "forward=eve dan@alias.test,x@out.test;bob@autre.test\ny@out.test")
    reaches(BOB, [BOB, EVE, DAN, "x@out.test", "y@out.test", "bob@autre.test"],
            "8-06: to several, by space, comma, semicolon and newline")
    story = m.malle("trace", "x@out.test").stdout
    ok("goes to another server (x@out.test), forwarded by bob@exemple.test" in story, "the trace tells who forwards")
    m.env["LANG"] = "fr_FR.UTF-8"
    ok("renvoyé par bob@exemple.test" in m.malle("trace", "x@out.test").stdout, "in French too")
    m.env["LANG"] = "C"
    first = [x for x in out.messages if "x@out.test" in x["rcpts"]][0]
    ok(first["sender"].startswith("SRS0=") and first["sender"].endswith("=free.test=zoe@exemple.test"),
       "the sender is one that we answer for")
    ok(first["data"].startswith(b"Delivered-To: bob@exemple.test\r\nReceived: "), "it says who has sent it on")
    user(BOB, "forward=", "discard=yes")
    reaches(BOB, [], "2-17: deleted")
    story = m.malle("trace", BOB).stdout
    ok("is thrown away, as bob@exemple.test wants it" in story, "and the trace tells")
    user(BOB, "discard=no")
    reaches(BOB, [BOB], "as before")

    m.malle("alias", "add", "info@exemple.test", "bob@autre.test")
    reaches("info@alias.test", ["bob@autre.test"], "0-33: an alias of a mailbox of another domain")
    m.malle("alias", "add", "team@exemple.test", BOB, EVE, "x@out.test", "info@exemple.test")
    reaches("team@exemple.test", [BOB, EVE, "x@out.test", "bob@autre.test"], "0-37: many, here and elsewhere")
    user(EVE, "forward=bob@exemple.test")
    reaches("team@exemple.test", [BOB, EVE, "x@out.test", "bob@autre.test"], "who is reached twice gets it once")
    m.malle("user", "delete", "dan@exemple.test")
    m.malle("alias", "set", "team@exemple.test", BOB, DAN, "--force")
    reaches("team@exemple.test", [BOB], "2-25: who is gone keeps it from nobody")
    ok("team@exemple.test: leads to an address that gets nothing: There is no mailbox <dan@exemple.test>" in
       m.malle("trace", "team@exemple.test").stdout, "and the trace names him")
    user(EVE, "keep=no", "forward=bob")
    m.malle("user", "delete", BOB, "--force")
    reaches(EVE, [EVE], "2-25: forwarded to somebody who is gone, it stays")
    m.malle("user", "restore", BOB)

    m.malle("robot", "add", "auto@exemple.test", "--subject", "Merci", "--text-file", "-", "--copy", BOB,
            input="Bien recu.\n")
    reaches("Auto@alias.test", [BOB], "2-31: the copy of a robot")

    user(EVE, "forward=bob", "keep=yes", "vacation-text=Absente.", "vacation-start=now", "vacation=yes")
    reaches(EVE, [BOB, EVE], "8-02: stored, forwarded")
    ok(until(lambda: m.malle("queue", "list").stdout.strip() == "" and "eve@exemple.test" in
             m.malle("trace", EVE).stdout) and "may be answered by eve@exemple.test" in m.malle("trace", EVE).stdout,
       "8-02: and then answered")
    def answered(by):
        """How often an address has answered zoe."""
        return sum(x["sender"] == "" and x["rcpts"] == ["zoe@free.test"] and b"Auto-Submitted: auto-replied" in x["data"]
                   and ("From: %s\r\n" % by).encode().lower() in x["data"].lower() for x in free.messages)
    ok(until(lambda: answered(EVE) == 1), "8-02: her sender has it")
    until(lambda: answered("auto@alias.test"))
    eq(answered("auto@alias.test"), 1, "2-30: and that of the robot, from the address that he wrote to")
    user(EVE, "vacation=no")

    m.malle("domain", "set", "exemple.test", "state=suspended")
    until(lambda: send(BOB)[0] == 450)
    eq(send(BOB)[:1], (450,), "a suspended domain: try again later")
    m.malle("domain", "set", "exemple.test", "state=active")
    until(lambda: send("bob@autre.test")[0] == 250)
    # Seven days are not waited for: a dump is loaded that says since when.
    m.malle("domain", "set", "autre.test", "state=suspended")
    dump = m.malle("dump").stdout
    block = dump[dump.index("domain autre.test"):]
    since = re.search(r"since=(\S+)", block).group(1)
    old = block.replace("since=" + since, "since=2026-01-01T00:00:00Z", 1)
    m.malle("load", "--update", input=dump.replace(block, old))
    until(lambda: send("bob@autre.test")[0] == 550)
    code, text, _ = send("bob@autre.test")
    ok(code == 550 and text.startswith("5.2.1 "), "0-18: suspended for more than seven days: refused: " + text)
    m.malle("domain", "set", "autre.test", "refuse-after=0")
    until(lambda: send("bob@autre.test")[0] == 450)
    eq(send("bob@autre.test")[0], 450, "or never")
    eq(m.violations(), [], "no program left its role")
out.close()
free.close()
dns.close()
malle.done()
