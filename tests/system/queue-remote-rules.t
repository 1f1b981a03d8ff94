#!/usr/bin/env python3
"""queue-remote-rules.t - what is remembered of servers, and whom mail goes by.

Broken TLS, MTA-STS, smarthosts with a login, the fallback and its end, DSN
passed on or answered for, and a message that kills its carriers; by a clock
that is moved.
"""
# SPDX-License-Identifier: ISC
import http.server
import os
import re
import signal
import smtplib
import ssl
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import malle
from internet import Authority, Drop, PolicyPage, Server
from malle import eq, ok, until
from relaylab import PROVIDERS, Lab, ids

TLS = Server.EXTENSIONS + ("STARTTLS",)
POLICY = b"version: STSv1\nmode: enforce\nmx: mx.sts.test\nmax_age: 604800\n"


def deferred(lab, i, n=1):
    return lab.event(i, "deferred", n)[-1]


def go_on(lab, seconds):
    """Lets time pass when nobody is at work: a connection that makes its way
    would seem to hang."""
    row = lab.stat()[""]
    if row["carriers"] == 0 and row["lookups"] == 0:
        lab.forward(seconds)


def secret(lab, name, text):
    """A file that only malle-queued may read."""
    lab.file(name, text)
    os.chmod(lab.path(name), 0o600)
    if os.geteuid() == 0 and not lab.m.user_id:
        os.chown(lab.path(name), int(lab.m.settings["user_queue"]), -1)
    elif lab.m.user_id:
        os.chown(lab.path(name), lab.m.user_id, -1)


def broken_tls(lab, ca):
    """A server whose TLS does not work has mail in the clear, for a day."""
    def drop(session, line):
        raise Drop()
    s = lab.server("clear.test", tls=ca.certificate("mx.clear.test"),
                   extensions=TLS, hooks={"STARTTLS": drop})
    i = lab.send("x@clear.test")
    ok('tls=""' in lab.event(i, "sent")[0], "sent in the clear")
    ok(lab.lines("group=clear.test event=clear"), "the log has it")
    lab.forward(10)
    lab.event(lab.send("y@clear.test"), "sent")
    eq([l for l in s.sessions[-1].lines if "STARTTLS" in l], [],
       "it is not asked for TLS again")
    s.hooks.clear()
    lab.forward(86401)
    i = lab.send("z@clear.test")
    ok("TLSv1.3" in lab.event(i, "sent")[0], "but a day later it is")
    eq(s.recipients(), ["%s@clear.test" % x for x in "xyz"], "each once")


def resumption(lab, ca):
    """Connections one behind the other to a server go on with its TLS."""
    s = lab.server("again.test", tls=ca.certificate("mx.again.test"),
                   extensions=TLS)
    for k in range(3):
        i = lab.send("u%d@again.test" % k)
        lab.event(i, "sent")
        # The connection is not kept for so long.
        lab.forward(10)
        until(lambda: s.sessions[-1].ended.is_set())
    eq([x.resumed for x in s.sessions], [False, True, True],
       "the second and the third")
    ok(lab.lines("u2@again.test", 'resumed" reply'), "the log says so")
    eq(s.recipients(), ["u%d@again.test" % k for k in range(3)], "each once")


def sts(lab, ca):
    """A policy of the domain is obeyed, and for its time, without its web."""
    class Page(PolicyPage):
        policy, asked = POLICY, []
    asked = Page.asked
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*ca.certificate("mta-sts.sts.test"))
    lab.web.socket = context.wrap_socket(lab.web.socket, server_side=True)
    lab.web.RequestHandlerClass = Page
    threading.Thread(target=lab.web.serve_forever, daemon=True).start()
    lab.dns.txt("_mta-sts.sts.test", "v=STSv1; id=1;")
    lab.dns.a("mta-sts.sts.test", "127.0.0.1")
    s = lab.server("sts.test", tls=ca.certificate("mx.other.test"),
                   extensions=TLS)
    i = lab.send("x@sts.test")
    line = deferred(lab, i)
    ok("dsn=4.7.5" in line and "mx.sts.test" in line,
       "a wrong name is not spoken to: " + line[-160:])
    eq(s.messages, [], "it has nothing")
    lab.web.shutdown()
    lab.web.server_close()
    s.tls = ca.certificate("mx.sts.test")
    lab.forward(1200)
    ok("TLSv1.3" in lab.event(i, "sent")[0] and "verified" in
       lab.event(i, "sent")[0], "the right one is, in the end")
    eq(len(asked), 1, "by the policy that was kept")


def login(lab, ca):
    """A smarthost that wants a name and a password."""
    s = Server(lab.host("relay.test"), 0, name="relay.test",
               tls=ca.certificate("relay.test"), login=("me", "geheim"),
               extensions=TLS, tls_extensions=("AUTH PLAIN LOGIN",))
    lab.servers.append(s)
    secret(lab, "relay-password", "falsch\n")
    row = ("to auth.test smarthost relay.test:%d tls=verify user=me "
           "password-file=relay-password\n" % s.port)
    lab.routes(row)
    i = lab.send("x@auth.test")
    line = deferred(lab, i)
    ok("535" in line and not lab.lines(i + " failed"),
       "a wrong password is our own fault: nobody bounces")
    ok("falsch" not in lab.m.log(), "it is not in the log")
    secret(lab, "relay-password", "geheim\n")
    lab.routes(row)
    lab.forward(7200)
    # A path is as it was made until nobody waits for it.
    until(lambda: lab.lines(i + " sent") or go_on(lab, 3600), step=0.1)
    eq(s.recipients(), ["x@auth.test"], "with the right one it goes")
    ok("geheim" not in lab.m.log() and "geheim" not in
       lab.m.malle("queue", "stat", "--json").stdout, "which nobody sees")
    lab.routes("")


def fallback(lab, ca):
    """Refused for our address: through the smarthost for as long as told."""
    relay = Server(lab.host("out.test"), 0, name="out.test")
    lab.servers.append(relay)
    s = lab.server("fall.test", hooks={"MAIL": "550 5.7.1 on a blocklist"})
    lab.routes("fallback smarthost out.test:%d tls=none\n"
               "fallback-time 2h\n" % relay.port)
    for who in "xy":
        i = lab.send(who + "@fall.test")
        lab.event(i, "sent")
        said = lab.m.malle("trace", i).stdout
        ok("refuses our address; it goes through out.test" in said and
           "on a blocklist" in said and "taken by the server out.test" in
           said, "trace tells why %s goes that way" % who)
    eq((relay.recipients(), len(s.sessions)),
       (["x@fall.test", "y@fall.test"], 1), "the second without asking there")
    s.hooks.clear()
    lab.forward(3600)
    lab.event(lab.send("z@fall.test"), "sent")
    eq(len(relay.messages), 3, "an hour later still")
    lab.forward(3700)
    lab.event(lab.send("last@fall.test"), "sent")
    eq((s.recipients(), len(relay.messages)), (["last@fall.test"], 3),
       "then directly again")
    lab.routes("")


def dsn(lab, ca):
    """Who asks for notices: the next server tells, or we do."""
    lab.m.malle("relay", "add", "127.0.0.1")
    able = lab.server("able.test")
    unable = lab.server("unable.test", extensions=("PIPELINING",))
    before = len(lab.m.messages("bob@exemple.test"))
    mark = len(lab.m.log())
    with smtplib.SMTP("127.0.0.1", lab.m.ports["smtp"]) as c:
        c.ehlo()
        for domain in ("able.test", "unable.test"):
            c.mail("bob@exemple.test", ["ENVID=Q1", "RET=HDRS"])
            c.rcpt("x@" + domain, ["NOTIFY=SUCCESS,FAILURE",
                                   "ORCPT=rfc822;X@" + domain])
            c.data("Subject: dsn\r\n\r\nsecret body\r\n")
    until(lambda: able.messages and unable.messages)
    ok("ENVID=Q1" in able.messages[0]["mail_line"] and "RET=HDRS" in
       able.messages[0]["mail_line"], "ENVID and RET go on")
    ok("NOTIFY=SUCCESS,FAILURE" in able.messages[0]["rcpt_lines"][0] and
       "ORCPT=rfc822;X@able.test" in able.messages[0]["rcpt_lines"][0],
       "NOTIFY and ORCPT, too")
    ok("ENVID" not in unable.messages[0]["mail_line"] and "NOTIFY" not in
       unable.messages[0]["rcpt_lines"][0], "not to one that cannot")

    def relayed():
        return [m for m in got() if "Action: relayed" in m]

    def got():
        return [m.decode() for m in
                lab.m.wait_messages("bob@exemple.test", before)[before:]]
    until(relayed)
    # No other comes: both letters have ended, and all that tells of them.
    for i in ids(lab.m.log()[mark:]):
        lab.event(i, "done")
    for i in re.findall(r" bounced notice=(\S+)", lab.m.log()[mark:]):
        lab.event(i, "done")
    told = relayed()
    eq(len(told), 1, "one notice: of that one")
    ok("x@unable.test" in told[0] and "Original-Envelope-Id: Q1" in told[0] and
       "Original-Recipient: rfc822; X@unable.test" in told[0] or
       "Original-Recipient: rfc822;X@unable.test" in told[0],
       "relayed, with the sender's own marks")
    ok("secret body" not in told[0] and "x@able.test" not in told[0],
       "the header only; and not of the other")
    eq(len([g for g in got() if "able.test" in g and "Action: delivered" in g]),
       0, "nobody claims that it was delivered")


def killer(lab, ca):
    """A message that kills its carriers is set aside, the others go on."""
    def mail(session, line):
        if "mallory" not in line:
            return None
        for pid in malle.descendants(lab.m.process.pid):
            try:
                with open("/proc/%d/comm" % pid) as f:
                    if f.read().strip() == "malle-carrier":
                        os.kill(pid, signal.SIGKILL)
            except OSError:     # another one has ended meanwhile
                pass
        raise Drop()
    s = lab.server("fragile.test", hooks={"MAIL": mail})
    bad = lab.send("x@fragile.test", sender="mallory@exemple.test")
    good = [lab.send("u%d@fragile.test" % k) for k in range(4)]
    until(lambda: lab.lines(bad + " held") or go_on(lab, 60), step=0.1)
    ok(lab.lines(bad + " held", "kills its carriers"), "held for a person")
    deaths = len([l for l in lab.lines("died=yes")
                  if "fragile.test" in l])
    ok(5 <= deaths <= 8, "after some attempts alone (%d)" % deaths)
    until(lambda: all(lab.lines(i + " done") for i in good) or
          go_on(lab, 60), step=0.1)
    eq(sorted(s.recipients()), ["u%d@fragile.test" % k for k in range(4)],
       "the others arrive, once")
    s.hooks.clear()
    lab.m.malle("queue", "release", bad)
    lab.event(bad, "sent")
    ok("x@fragile.test" in s.recipients(), "released, it is tried again")


def main():
    ca = Authority()
    web = http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), http.server.BaseHTTPRequestHandler)
    lab = Lab(clock=True, authorities=ca.ca, sts_port=web.server_address[1],
              providers=PROVIDERS.replace("connections 4", "connections 1"))
    lab.web = web
    try:
        lab.m.start()
        lab.m.domain("exemple.test", "--language", "en")
        lab.m.user("bob@exemple.test")
        for part in (broken_tls, resumption, sts, login, fallback, dsn, killer):
            if sys.argv[1:] and part.__name__ not in sys.argv[1:]:
                continue
            begun = time.monotonic()
            part(lab, ca)
            malle.note("%s: %.1f s" % (part.__name__,
                                       time.monotonic() - begun))
        eq(lab.m.violations(), [], "no call outside a role, no crash")
    except BaseException:
        malle.note(lab.m.log()[-5000:])
        raise
    finally:
        lab.close()
        ca.close()
    malle.done()


main()
