#!/usr/bin/env python3
"""Mail from real servers: Postfix, Exim and OpenSMTPD from Debian hand over
letters to malle-smtpd, each from a root of its own.

They use what they find announced: TLS, pipelining, chunks, DSN, SMTPUTF8. The
mailboxes must hold what was sent, byte for byte, and the senders' logs our
refusals with their codes; what is refused for now they bring again.
"""
# SPDX-License-Identifier: ISC
import glob
import os
import re
import smtplib
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import debianroot
import internet
import malle
from debianroot import USERS
from internet import DNS, Server
from malle import eq, note, ok, until

MARIE = "marie@client.test"
BOB, ANNA, CARL = ("%s@exemple.test" % x for x in ("bob", "anna", "carl"))
IPS = {"postfix": "127.0.2.11", "exim": "127.0.2.12", "opensmtpd": "127.0.2.13"}
CONTENTS = (
    ("a letter", b"Bonjour\r\n"),
    ("8-bit", "Café à la crème, 5 €\r\n".encode() * 50),
    ("dots", b".\r\n..\r\n.x\r\n\r\n. \r\n"),
    ("long lines", (b"x" * 990 + b"\r\n") * 20),
    ("2 MB", (b"0123456789" * 7 + b"\r\n") * 28000),
)


def postfix(ip, port, to):
    root = debianroot.postfix(ip, port, """\
mynetworks = 127.0.0.0/8
smtpd_relay_restrictions = permit_mynetworks, reject
relayhost = [127.0.0.1]:%d
smtp_tls_security_level = may
smtp_tls_loglevel = 1
minimal_backoff_time = 1s
maximal_backoff_time = 2s
queue_run_delay = 1s
""" % to)
    root.start(*debianroot.POSTFIX)
    return root


def exim(ip, port, to):
    root = debianroot.Root("exim4-daemon-light", "libdb5.3", "libgnutls30")
    root.write("etc/exim4/exim4.conf", """\
primary_hostname = mx.exim.org
local_interfaces = %s
daemon_smtp_ports = %d
keep_environment =
log_file_path = /var/log/out-%%slog
log_selector = +smtp_confirmation
dsn_advertise_hosts = *
smtputf8_advertise_hosts = *
tls_advertise_hosts =
acl_smtp_rcpt = accept
begin routers
out:
  driver = manualroute
  transport = out
  route_list = * 127.0.0.1::%d byname
  self = send
begin transports
out:
  driver = smtp
  allow_localhost
begin retry
* * F,1h,1s
""" % (ip, port, to), 0o640)
    os.chown(root.dir + "/etc/exim4/exim4.conf", 0, USERS["Debian-exim"])
    for d in ("input", "msglog", "db"):
        os.makedirs(root.dir + "/var/spool/exim4/" + d, exist_ok=True)
    for d in ("", "/input", "/msglog", "/db"):
        os.chown(root.dir + "/var/spool/exim4" + d, USERS["Debian-exim"],
                 USERS["Debian-exim"])
    os.chmod(root.dir + "/var/log", 0o777)
    root.start("/usr/sbin/exim4", "-bdf", "-q1s")
    return root


def opensmtpd(ip, port, to):
    root = debianroot.opensmtpd("""\
listen on %s port %d hostname mx.opensmtpd.org
action "out" relay host smtp://127.0.0.1:%d
match from any for any action "out"
""" % (ip, port, to))
    root.start("/usr/sbin/smtpd", "-d")
    return root


class Peer:
    """One of them, and what it says."""

    def __init__(self, m, name, root, ip, port):
        self.m, self.name, self.root = m, name, root
        self.address = ip, port

    def send(self, to, subject, body=b"Bonjour\r\n", sender=MARIE, mail=(),
             rcpt=()):
        head = ("From: <%s>\r\nTo: <%s>\r\nSubject: %s\r\nMIME-Version: 1.0\r\n"
                "Content-Type: text/plain; charset=utf-8\r\n"
                "Content-Transfer-Encoding: 8bit\r\n\r\n" % (
                    sender, to[0], subject))
        with smtplib.SMTP(*self.address, timeout=malle.PATIENCE) as c:
            c.sendmail(sender, to, head.encode() + body,
                       ["BODY=8BITMIME", *mail], list(rcpt))

    def log(self):
        text = ""
        for path in sorted(glob.glob(self.root.dir + "/var/log/out*")):
            with open(path, errors="replace") as f:
                text += f.read()
        return text

    def says(self, pattern, what):
        """Waits for a line of its log."""
        return ok(until(lambda: re.search(pattern, self.log())),
                  "%s: %s" % (self.name, what)) or note(self.log()[-1500:])

    def got(self, who, subject):
        """The bodies of the letters of that subject, and their heads."""
        found = []
        for path in self.m.messages(who):
            with open(path, "rb") as f:
                head, _, body = f.read().partition(b"\n\n")
            if b"\nSubject: %s\n" % subject.encode() in head + b"\n":
                found.append((body, head))
        return found

    def arrives(self, who, subject):
        until(lambda: self.got(who, subject))
        return self.got(who, subject)


def contents(p):
    for i, (what, body) in enumerate(CONTENTS):
        p.send([BOB, ANNA], "%s-%d" % (p.name, i), body)
    heads = []
    for i, (what, body) in enumerate(CONTENTS):
        for who in (BOB, ANNA):
            got = p.arrives(who, "%s-%d" % (p.name, i))
            ok([b for b, _ in got] == [body.replace(b"\r\n", b"\n")],
               "%s: %s as it was written, once, for %s" % (p.name, what, who))
            heads += [h for _, h in got]
    ok(heads and all(b"with ESMTPS" in h for h in heads),
       p.name + ": by TLS, as it was announced")


def refusals(p):
    p.send([BOB, "nobody@exemple.test", ANNA], p.name + "-some")
    eq([len(p.arrives(who, p.name + "-some")) for who in (BOB, ANNA)], [1, 1],
       p.name + ": one of three is unknown, the others have it")
    p.says(r"nobody@exemple\.test.*550[- ]5\.1\.1", "its log has the refusal")
    p.send(["x@elsewhere.test"], p.name + "-relay")
    p.says(r"x@elsewhere\.test.*5\d\d[- ]5\.7\.1", "and that we do not relay")


def later(p):
    p.m.malle("user", "set", CARL, "state=suspended")

    def answer():
        with smtplib.SMTP("127.0.0.1", p.m.ports["smtp"], "client.test") as c:
            c.ehlo()
            c.mail(MARIE)
            return c.rcpt(CARL)[0]
    ok(until(lambda: answer() == 450), p.name + ": one is refused for now")
    p.send([CARL], p.name + "-later")
    p.says(r"450[- ]4\.2\.1", "its log says so")
    eq(p.got(CARL, p.name + "-later"), [], p.name + ": nothing has arrived")
    p.m.malle("user", "set", CARL, "state=active")
    until(lambda: answer() == 250)

    def arrived():
        if p.name == "opensmtpd":	# which would wait for some minutes
            subprocess.run(["chroot", p.root.dir, "/usr/sbin/smtpctl",
                            "schedule", "all"], capture_output=True)
        return p.got(CARL, p.name + "-later")
    until(arrived, step=0.5)
    eq(len(p.got(CARL, p.name + "-later")), 1,
       p.name + ": it comes again, and has it delivered")


def notified(p, marie):
    p.send([BOB], p.name + "-dsn", mail=["RET=HDRS", "ENVID=E-" + p.name],
           rcpt=["NOTIFY=SUCCESS,FAILURE", "ORCPT=rfc822;Bob@exemple.test"])

    def told():
        return [x["data"] for x in marie.messages
                if b"Original-Envelope-Id: E-%s" % p.name.encode() in x["data"]]
    until(told)
    data = told()
    eq(len(data), 1, p.name + ": DSN parameters are handed on: one notice")
    ok(data and b"Action: delivered" in data[0] and
       b"Bob@exemple.test" in data[0], p.name + ": of the delivery, to whom "
       "it was first sent")


def utf8(p):
    sender = "ren\u00e9e@client.test"
    p.send([BOB], p.name + "-utf8", sender=sender, mail=["SMTPUTF8"])
    got = p.arrives(BOB, p.name + "-utf8")
    ok(len(got) == 1 and sender.encode() in got[0][1] and
       b"with UTF8SMTPS" in got[0][1],
       p.name + ": SMTPUTF8, an address that is not ASCII")


def main():
    debianroot.usable()
    port = internet.shared_port(list(IPS.values()))
    home = internet.shared_port(["127.0.2.19"])
    dns, roots = DNS(), {}
    marie = Server("127.0.2.19", home, name="mx.client.test")
    dns.mx("client.test", 10, "mx.client.test")
    dns.a("mx.client.test", "127.0.2.19")
    try:
        with malle.Instance(conf=dict(resolver=dns.address,
                                      remote_port=home)) as m:
            m.domain("exemple.test")
            for who in (BOB, ANNA, CARL):
                m.user(who)
            for make in (postfix, exim, opensmtpd):
                name = make.__name__
                try:
                    roots[name] = make(IPS[name], port, m.ports["smtp"])
                except debianroot.Unusable as e:
                    malle.skip("%s: the package %s cannot be had" % (name, e))
            for name, root in roots.items():
                if not debianroot.runs(name, root, IPS[name], port):
                    continue
                p = Peer(m, name, root, IPS[name], port)
                contents(p)
                refusals(p)
                later(p)
                notified(p, marie)
                if name != "opensmtpd":	# which does not know it
                    utf8(p)
                if name == "exim":
                    p.says(r"=> bob@.* K ", "it sends in chunks (BDAT)")
            eq(m.violations(), [], "nobody left its role")
    finally:
        for root in roots.values():
            root.close()
        marie.close()
        dns.close()
    malle.done()


main()
