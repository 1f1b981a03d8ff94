#!/usr/bin/env python3
"""The whole service and an Internet that behaves as it does: what arrives, what
the sender and `malle trace` are told, and that nothing is lost or sent twice."""
import email
import email.policy
import json
import os
import re
import smtplib
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import internet
import malle
from internet import DNS, Authority, Drop, Hang, Server
from malle import eq, note, ok, until

ALICE, PASSWORD = "alice@exemple.test", "une phrase de passe 1"


def dsn_fields(raw):
    """A second parser of RFC 3464, by hand: (per message, [per recipient])."""
    text = raw.replace(b"\r\n", b"\n")
    boundary = re.search(rb'boundary="?([^";\n]+)', text).group(1)
    for part in text.split(b"--" + boundary)[1:]:
        head, _, body = part.lstrip(b"\n").partition(b"\n\n")
        if b"message/delivery-status" not in head.lower() and \
                b"message/global-delivery-status" not in head.lower():
            continue
        groups = []
        for block in re.split(rb"\n[ \t]*\n", body.strip(b"\n")):
            fields, last = {}, None
            for line in block.split(b"\n"):
                if line[:1] in b" \t" and last:
                    fields[last] += " " + line.strip().decode()
                elif b":" in line:
                    name, value = line.split(b":", 1)
                    last = name.strip().lower().decode()
                    fields[last] = value.strip().decode()
            if fields:
                groups.append(fields)
        return groups[0], groups[1:]
    return None, []


def by_email(raw):
    """The same by Python's email package."""
    m = email.message_from_bytes(raw, policy=email.policy.default)
    for part in m.walk():
        if part.get_content_type().endswith("delivery-status"):
            blocks = [{k.lower(): " ".join(str(v).split())
                       for k, v in b.items()} for b in part.get_payload()]
            blocks = [b for b in blocks if b]
            return m, blocks[0], blocks[1:]
    return m, None, []


READER = """
use Mail::DeliveryStatus::BounceParser;
local $/;
my $m = Mail::DeliveryStatus::BounceParser->new(<STDIN>);
print $m->is_bounce ? "bounce" : "none", "\\n";
print join("|", $_->get("email"), $_->get("std_reason")), "\\n"
    for $m->reports;
"""


def by_perl(raw):
    """What a program that reads bounces for lists makes of it: (it is one,
    [(address, reason in its words)])."""
    out = subprocess.run(["perl", "-e", READER], input=raw, check=True,
                         capture_output=True).stdout.decode().split("\n")
    return out[0] == "bounce", [tuple(l.split("|")) for l in out[1:] if l]


class World:
    """The service, and servers for domains NAME.test on 127.0.1.N."""

    def __init__(self):
        self.dns = DNS()
        self.ca = Authority()
        self.ips = ["127.0.1.%d" % i for i in range(1, 40)]
        self.port = internet.shared_port(self.ips)
        self.servers = {}
        self.bounces = 0
        self.m = malle.Instance(conf=dict(
            resolver=self.dns.address, remote_port=self.port,
            authorities=self.ca.ca, reply_timeout="8s", connect_timeout="8s"))
        self.m.domain("exemple.test")
        self.m.user(ALICE, PASSWORD)

    def server(self, name, listen=True, **more):
        ip = self.ips[len(self.servers)]
        self.dns.mx(name + ".org", 10, "mx.%s.org" % name)
        self.dns.a("mx.%s.org" % name, ip)
        s = Server(ip, self.port, name="mx.%s.org" % name, **more) \
            if listen else None
        self.servers[name] = s
        return s

    def send_each(self, to):
        """Submits to (address, NOTIFY or ""), with ORCPT; the id."""
        return self.send([a for a, _ in to], options=[
            (["NOTIFY=" + n] if n else []) + ["ORCPT=rfc822;" + a]
            for a, n in to])

    def send(self, to, subject="x", options=(), body="Bonjour\r\n"):
        """Submits; the id of the message. options: of all, or a list each."""
        with smtplib.SMTP("127.0.0.1", self.m.ports["submission"],
                          timeout=malle.PATIENCE) as c:
            c.ehlo()
            c.starttls()
            c.ehlo()
            c.login(ALICE, PASSWORD)
            c.mail(ALICE, [])
            for i, r in enumerate(to):
                each = options and isinstance(options[0], list)
                code, text = c.rcpt(r, list(options[i] if each else options))
                if code != 250:
                    raise RuntimeError((r, code, text))
            code, text = c.data("From: %s\r\nTo: %s\r\nSubject: %s\r\n\r\n%s" %
                                (ALICE, to[0], subject, body))
            return re.search(rb"(\S+-\S+)", text.split(b"queued as ")[-1]
                             ).group(1).decode()

    def lines(self, ident):
        return [l for l in self.m.log().split("\n") if " %s " % ident in l]

    def wait(self, ident, word, n=1, seconds=malle.PATIENCE):
        return until(lambda: sum(" %s " % word in l for l in
                                 self.lines(ident)) >= n, seconds)

    def trace(self, ident):
        return self.m.malle("trace", ident, check=False).stdout

    def again(self, ident="--all"):
        """Tries now. What malle-queued has learnt of servers it forgets with
        its process, and nothing else with it."""
        self.m.kill("malle-queued")
        self.m.malle("queue", "retry", ident)

    def row(self, ident):
        """The message as `malle queue show --json` tells it; None: gone."""
        r = self.m.malle("queue", "show", ident, "--json", check=False)
        try:
            return json.loads(r.stdout)
        except ValueError:
            return None

    def bounce(self):
        """The next bounce in alice's mailbox: raw."""
        self.bounces += 1
        return self.m.wait_messages(ALICE, self.bounces)[self.bounces - 1]

    def check_bounce(self, what, address, status, words, remote):
        raw = self.bounce()
        m, head, rcpts = by_email(raw)
        head2, rcpts2 = dsn_fields(raw)
        eq((head, rcpts), (head2, rcpts2), what + ": two parsers agree")
        seen = by_perl(raw)
        eq((seen[0], sorted(a for a, _ in seen[1])),
           (True, sorted(x["final-recipient"].split("; ")[1]
                         for x in rcpts)), what + ": and a third one")
        note("%s: %s" % (what, [why for _, why in seen[1]]))
        r = [x for x in rcpts if x["final-recipient"].endswith(address)]
        ok(len(r) == 1 and r[0]["action"] == "failed" and
           r[0]["status"] == status, "%s: failed, %s" % (what, status))
        eq(r and r[0].get("remote-mta"), remote and "dns; " + remote,
           what + ": by whom")
        text = m.get_body().get_content()
        flat = " ".join(text.split())
        for word in words:
            ok(word in flat or (r and word in r[0].get("diagnostic-code", "")),
               "%s: the sender reads %r" % (what, word))
        if not all(w in flat or w in r[0].get("diagnostic-code", "")
                   for w in words):
            note(text)
            note(r)
        return rcpts

    def close(self):
        self.m.close()
        for s in self.servers.values():
            if s:
                s.close()
        self.dns.close()
        self.ca.close()


def test_good(w):
    """What works: two domains, one message; TLS as it comes."""
    a = w.server("bon")
    b = w.server("chiffre", tls=w.ca.certificate("mx.chiffre.org"))
    ident = w.send(["bob@bon.org", "eve@bon.org", "eve@chiffre.org"])
    ok(w.wait(ident, "done"), "a letter to three people in two domains")
    eq((a.recipients(), b.recipients()), (["bob@bon.org", "eve@bon.org"],
                                          ["eve@chiffre.org"]), "arrives once")
    eq(len(a.messages), 1, "people of one domain share a transaction")
    eq(b.messages[0]["tls"], "TLSv1.3", "over TLS where it is offered")
    t = w.trace(ident)
    ok("mx.bon.org" in t and "250 2.0.0 Kept" in t and "TLSv1.3" in t,
       "trace tells of both")
    idents = [w.send(["n%d@bon.org" % i]) for i in range(5)]
    ok(all(w.wait(i, "done") for i in idents), "five more")
    eq(sorted(a.recipients()[2:]), ["n%d@bon.org" % i for i in range(5)],
       "each once")


def test_refused(w):
    w.server("refus", hooks={
        "RCPT": lambda s, l: "550 5.1.1 <bob@refus.org> No such user here"
        if "<bob@" in l else None})
    ident = w.send(["bob@refus.org", "eve@refus.org"])
    ok(w.wait(ident, "done"), "one of two recipients is refused")
    eq(w.servers["refus"].recipients(), ["eve@refus.org"], "the other has it")
    rcpts = w.check_bounce("no such user", "bob@refus.org", "5.1.1",
                           ["bob@refus.org", "No such user here"],
                           "mx.refus.org")
    eq(len(rcpts), 1, "only who has failed is named")
    ok("No such user" in w.trace(ident), "trace tells it")
    w.server("plein", hooks={"END": "552 5.3.4 Message too big for system"})
    ident = w.send(["bob@plein.org"])
    w.check_bounce("refused content", "bob@plein.org", "5.3.4",
                   ["Message too big"], "mx.plein.org")
    w.server("petit", extensions=("SIZE 100", "PIPELINING"))
    ident = w.send(["bob@petit.org"])
    w.check_bounce("too big for SIZE", "bob@petit.org", "5.3.4", [], None)
    eq(w.servers["petit"].messages, [], "which was not even sent")


def test_no_domain(w):
    ident = w.send(["bob@nulle-part.org"])
    w.check_bounce("no such domain", "bob@nulle-part.org", "5.1.2",
                   ["bob@nulle-part.org"], None)
    w.dns.add("nul.org", "MX", b"\0\0\0")
    ident = w.send(["bob@nul.org"])
    w.check_bounce("null MX", "bob@nul.org", "5.1.10", [], None)
    ok(w.wait(ident, "done"), "and the queue is empty of it")


def deferred(w, what, ident, words, low=0, high=86400, to=1):
    """The message waits; its next attempt is between low and high seconds."""
    if not ok(w.wait(ident, "deferred", to), what + ": it is kept"):
        note("\n".join(w.lines(ident)))
        return
    t = w.trace(ident)
    for word in words:
        if not ok(word in t, "%s: trace tells %r" % (what, word)):
            note(t)
    line = [l for l in w.lines(ident) if " deferred " in l][-1]
    m = re.search(r" next=(\S+)", line)
    if m:
        wait = float(m.group(1))
        if wait > 1e6:
            wait -= time.time()
        ok(low <= wait <= high, "%s: next in %d s" % (what, wait))
    else:
        note(line)


def test_later(w):
    """What passes: kept, told, tried again, and then it goes."""
    grey = {}

    def greylist(s, line):
        if line not in grey:
            grey[line] = 1
            return "450 4.2.0 Greylisted, see you in 5 minutes"
    w.server("gris", hooks={"RCPT": greylist})
    ident = w.send(["bob@gris.org"])
    deferred(w, "greylisted", ident, ["Greylisted"], 250, 700)
    w.m.malle("queue", "retry", ident)
    ok(w.wait(ident, "done"), "greylisted: the second time it goes")
    eq(w.servers["gris"].recipients(), ["bob@gris.org"], "once")

    w.server("tiers", hooks={
        "RCPT": lambda s, l: "451 4.3.0 Not now" if "<c@" in l and
        not s.server.messages else None})
    ident = w.send(["a@tiers.org", "b@tiers.org", "c@tiers.org"])
    deferred(w, "4xx on the third recipient", ident, ["Not now"])
    w.m.malle("queue", "retry", ident)
    ok(w.wait(ident, "done"), "it goes at the second attempt")
    eq(sorted(w.servers["tiers"].recipients()),
       ["a@tiers.org", "b@tiers.org", "c@tiers.org"], "each has it once")


def drop(s, line):
    raise Drop()


def hang(s, line):
    raise Hang()


def byte_by_byte(s, line):
    for b in b"250 2.0.0 " + b"x" * 500:
        s.conn.sendall(bytes([b]))
        time.sleep(0.1)


def endless(s, line):
    while True:
        s.conn.sendall(b"250-on and on\r\n" * 100)


BROKEN = (
    ("coupe", "dropped after DATA", {"DATA": drop}, "closed the connection"),
    ("fin", "dropped after the content", {"END": drop},
     "closed the connection"),
    ("lent", "a byte at a time", {"END": byte_by_byte}, "in time"),
    ("sansfin", "endless replies", {"MAIL": endless}, ""),
    ("muet", "half-open", {"EHLO": hang}, "in time"),
    ("ferme", "421 in the greeting", {"CONNECT": "421 4.3.2 Closed for now"},
     "Closed for now"),
    ("dur", "554 in the greeting", {"CONNECT": "554 5.3.2 No service"},
     "No service"),
    ("plat", "nonsense", {"CONNECT": "SSH-2.0-OpenSSH"}, "not SMTP"),
)


def test_broken(w):
    idents = {}
    for name, what, hooks, word in BROKEN:
        w.server(name, hooks=hooks)
        idents[name] = w.send(["bob@%s.org" % name])
    w.server("absent", listen=False)
    idents["absent"] = w.send(["bob@absent.org"])
    begun = time.monotonic()
    other = w.send(["rapide@bon.org"])
    ok(w.wait(other, "done"), "meanwhile a letter to a good server")
    note("went in %.1f s" % (time.monotonic() - begun))
    for name, what, hooks, word in BROKEN:
        deferred(w, what, idents[name], [word] if word else [])
        eq(w.servers[name].messages, [], what + ": nothing was taken")
    deferred(w, "nobody there", idents["absent"], ["refused"])
    for name, what, hooks, word in BROKEN:
        w.servers[name].hooks.clear()
    ip = w.ips[list(w.servers).index("absent")]
    w.servers["absent"] = Server(ip, w.port, name="mx.absent.org")
    w.again()
    for name in idents:
        ok(w.wait(idents[name], "done"), name + ": then it goes")
        eq(w.servers[name].recipients(), ["bob@%s.org" % name], "once")


def test_421(w):
    """421 after two messages of each connection."""
    s = w.server("deux", hooks={
        "MAIL": lambda s, l: "421 4.7.0 Two are enough" if s.messages >= 2
        else None})
    idents = [w.send(["b%d@deux.org" % i]) for i in range(7)]
    ok(all(w.wait(i, "done") for i in idents), "421 after two messages")
    eq(sorted(s.recipients()), ["b%d@deux.org" % i for i in range(7)],
       "all arrive, once")


def test_tls(w):
    """No TLS although the policy asks for it; a wrong name."""
    import hashlib
    s = w.server("dane", tls=w.ca.certificate("other.name"))
    w.dns.authentic.add("*")
    w.dns.tlsa("mx.dane.org", w.port, 3, 1, 1, b"x" * 32)
    ident = w.send(["bob@dane.org"])
    deferred(w, "DANE does not match", ident, ["TLS"])
    eq(s.messages, [], "DANE does not match: nothing goes")
    w.dns.forget("_%d._tcp.mx.dane.org" % w.port, "TLSA")
    w.dns.tlsa("mx.dane.org", w.port, 3, 1, 1,
               w.ca.digest(os.path.join(w.ca.dir, "other.name.pem"), 1))
    w.again(ident)
    ok(w.wait(ident, "done"), "DANE matches: it goes")
    ok("verified=dane" in "\n".join(w.lines(ident)), "and the log says so")
    w.dns.authentic.clear()


def test_dsn(w):
    """A success notice where the next server cannot tell."""
    w.server("sansdsn", extensions=("PIPELINING",))
    ident = w.send(["bob@sansdsn.org"], options=["NOTIFY=SUCCESS"])
    ok(w.wait(ident, "done"), "NOTIFY=SUCCESS to a server without DSN")
    m, head, rcpts = by_email(w.bounce())
    eq([(r["action"], r["status"][0]) for r in rcpts], [("relayed", "2")],
       "we tell that it was handed on")
    # RFC 3461 6.3 (h), (i)
    eq((rcpts[0].get("remote-mta"),
        rcpts[0].get("diagnostic-code", "")[:9]),
       ("dns; mx.sansdsn.org", "smtp; 250"), "by whom, with which words")
    w.server("avecdsn")
    ident = w.send(["bob@avecdsn.org"], options=["NOTIFY=SUCCESS"])
    ok(w.wait(ident, "done"), "NOTIFY=SUCCESS to a server with DSN")
    ok("NOTIFY=SUCCESS" in w.servers["avecdsn"].messages[0]["rcpt_lines"][0],
       "is passed on")


def test_forwards(w):
    """RFC 3461 5.2.7: success at an address that leads elsewhere."""
    a, b = w.server("suite"), w.server("suivante")

    def send(name, target, options):
        w.m.user(name + "@exemple.test", PASSWORD)
        w.m.malle("user", "set", name + "@exemple.test", *target)
        for s in (a, b):
            s.messages.clear()
        ident = w.send([name + "@exemple.test"], options=options)
        ok(w.wait(ident, "done"), "%s: is through" % name)
        return [re.sub(r".*?(NOTIFY=\S+)?( ORCPT=\S+)?$", r"\1\2", l)
                for s in (a, b) for m in s.messages for l in m["rcpt_lines"]]

    # One target: as if we were not there (5.2.7.2).
    eq(send("un", ("forward=x@suite.org", "keep=no"),
            ["NOTIFY=SUCCESS,FAILURE", "ORCPT=rfc822;Un@old.test"]),
       ["NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;Un@old.test"],
       "one target: NOTIFY and ORCPT go on, and nothing is told")
    # Several: one "expanded", without SUCCESS from there on (5.2.7.3 c).
    eq(send("deux", ("forward=x@suite.org,y@suivante.org", "keep=no"),
            ["NOTIFY=SUCCESS,FAILURE"]), ["NOTIFY=FAILURE"] * 2,
       "several targets: without SUCCESS")
    m, head, rcpts = by_email(w.bounce())
    eq([(r["action"], r["final-recipient"], "remote-mta" in r) for r in rcpts],
       [("expanded", "rfc822; deux@exemple.test", False)],
       "expanded: the address that was named, and no other")
    # In the mailbox, and a copy: only the mailbox is told of (5.2.7.3).
    eq(send("copie", ("forward=x@suite.org", "keep=yes"),
            ["NOTIFY=SUCCESS"]), ["NOTIFY=NEVER"],
       "a copy beside the mailbox: without SUCCESS")
    m, head, rcpts = by_email(w.bounce())
    eq([(r["action"], r["final-recipient"]) for r in rcpts],
       [("delivered", "rfc822; copie@exemple.test")], "delivered: one notice")
    eq(send("jamais", ("forward=x@suite.org", "keep=yes"), ["NOTIFY=NEVER"]),
       ["NOTIFY=NEVER"], "NEVER goes on")
    eq(send("rien", ("forward=x@suite.org", "keep=yes"), []), [""],
       "no NOTIFY, none goes on (5.2.1 c)")


def test_two_names(w):
    """Two addresses that lead to one: neither hides what the other wants."""
    s = w.server("commun")
    for name in ("premier", "second"):
        w.m.malle("alias", "add", name + "@exemple.test", "x@commun.org")
    for first, second, want in (
            ("NEVER", "FAILURE", "FAILURE second"),
            ("NEVER", "", " second"), ("", "NEVER", " premier"),
            ("NEVER", "NEVER", "NEVER premier"),
            ("SUCCESS", "FAILURE", "SUCCESS,FAILURE premier"),
            ("SUCCESS", "", "SUCCESS,FAILURE,DELAY premier")):
        s.messages.clear()
        ident = w.send_each([("premier@exemple.test", first),
                             ("second@exemple.test", second)])
        ok(w.wait(ident, "done"), "two names: is through")
        line = s.messages[0]["rcpt_lines"][0]
        got = [re.search(r"%s(\S*)" % x, line) for x in
               ("NOTIFY=", "ORCPT=rfc822;")]
        eq(" ".join(m.group(1).split("@")[0] if m else "" for m in got), want,
           "%s and %s: %s" % (first or "nothing", second or "nothing", want))
    s.messages.clear()


def test_end(w):
    def left():
        return w.m.malle("queue", "list").stdout.strip()
    ok(until(lambda: not left()), "the queue is empty: " + left()[:200])
    eq(len(w.m.messages(ALICE)), w.bounces, "no other bounce has come")
    eq(w.m.violations(), [], "nobody has left its role")


def main():
    w = World()
    try:
        for test in (test_good, test_refused, test_no_domain, test_later,
                     test_broken, test_421, test_tls, test_dsn,
                     test_forwards, test_two_names, test_end):
            note(test.__name__)
            test(w)
    except BaseException:
        note(w.m.log()[-3000:])
        raise
    finally:
        if malle._failed and os.environ.get("MALLE_KEEP"):
            note(w.m.log())
        w.close()
    malle.done()


main()
