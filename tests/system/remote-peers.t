#!/usr/bin/env python3
"""Mail to real servers: Postfix and OpenSMTPD from Debian, each in a root of its own."""
import os
import shutil
import smtplib
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import debianroot
import internet
import malle
from debianroot import USERS
from internet import DNS, Authority
from malle import eq, ok, until

ALICE, PASSWORD = "alice@exemple.test", "une phrase de passe 1"


def postfix(ip, port, cert):
    root = debianroot.postfix(ip, port, """\
virtual_mailbox_domains = postfix.org
virtual_mailbox_base = /var/vmail
virtual_mailbox_maps = inline:{bob@postfix.org=bob/Maildir/, eve@postfix.org=eve/Maildir/}
virtual_uid_maps = static:%d
virtual_gid_maps = static:%d
virtual_mailbox_limit = 0
smtpd_tls_security_level = may
smtpd_tls_cert_file = /etc/tls/cert.pem
smtpd_tls_key_file = /etc/tls/key.pem
smtpd_relay_restrictions = reject_unauth_destination
""" % (USERS["vmail"], USERS["vmail"]))
    shutil.copy(cert[0], root.dir + "/etc/tls/cert.pem")
    shutil.copy(cert[1], root.dir + "/etc/tls/key.pem")
    root.start(*debianroot.POSTFIX)
    return root


def opensmtpd(ip, port, cert):
    root = debianroot.opensmtpd("""\
pki own cert "/etc/tls/cert.pem"
pki own key "/etc/tls/key.pem"
table users { "bob@opensmtpd.org" = vmail, "eve@opensmtpd.org" = vmail }
listen on %s port %d tls pki own hostname mx.opensmtpd.org
action "local" maildir "/var/vmail/%%{rcpt.user}/Maildir" virtual <users>
match from any for domain "opensmtpd.org" action "local"
""" % (ip, port))
    shutil.copy(cert[0], root.dir + "/etc/tls/cert.pem")
    shutil.copy(cert[1], root.dir + "/etc/tls/key.pem")
    os.chmod(root.dir + "/etc/tls/key.pem", 0o600)
    for user in ("bob", "eve"):
        os.makedirs("%s/var/vmail/%s" % (root.dir, user))
        os.chown("%s/var/vmail/%s" % (root.dir, user), USERS["vmail"],
                 USERS["vmail"])
    root.start("/usr/sbin/smtpd", "-F")
    return root


def connections(m):
    """The processes of malle-remote that keep one."""
    def title(pid):
        try:
            with open("/proc/%d/comm" % pid) as f:
                return f.read().strip()
        except OSError:
            return ""
    return [pid for pid in malle.children(m.pid("malle-remote"))
            if title(pid) == "malle-carrier"]


def submit(m, to, data, options=()):
    with smtplib.SMTP("127.0.0.1", m.ports["submission"],
                      timeout=malle.PATIENCE) as c:
        c.starttls()
        c.login(ALICE, PASSWORD)
        return c.sendmail(ALICE, to, data, ["BODY=8BITMIME"], list(options))


CONTENTS = (
    ("a letter", b"Bonjour\r\n"),
    ("8-bit", "Café à la crème, 5 €\r\n".encode() * 50),
    ("dots", b".\r\n..\r\n.x\r\n\r\n"),
    ("2 MB", (b"0123456789" * 7 + b"\r\n") * 28000),
)


def test_peer(m, name, root):
    domain = name + ".org"
    head = ("From: %s\r\nTo: bob@%s\r\nSubject: %%d\r\nMIME-Version: 1.0\r\n"
            "Content-Type: text/plain; charset=utf-8\r\n"
            "Content-Transfer-Encoding: 8bit\r\n\r\n" % (ALICE, domain))
    for i, (what, body) in enumerate(CONTENTS):
        submit(m, ["bob@" + domain, "eve@" + domain],
               (head % i).encode() + body)
    n = len(CONTENTS)
    ok(until(lambda: len(root.mails("bob")) >= n and
             len(root.mails("eve")) >= n),
       name + ": everything arrives, for both")
    bodies = {}
    for path in root.mails("bob"):
        with open(path, "rb") as f:
            raw = f.read().replace(b"\r\n", b"\n")
        top, _, body = raw.partition(b"\n\n")
        bodies[int(top.split(b"\nSubject: ")[1].split(b"\n")[0])] = body
    for i, (what, body) in enumerate(CONTENTS):
        ok(bodies.get(i) == body.replace(b"\r\n", b"\n"),
           "%s: %s as it was written" % (name, what))
    eq((len(root.mails("bob")), len(root.mails("eve"))), (n, n), "each once")

    def sent():
        return [l for l in m.log().split("\n")
                if " sent to=bob@" + domain in l]
    until(lambda: len(sent()) >= n)
    tls = bool(sent()) and all('tls="TLSv1.3' in l for l in sent())
    # Debian 12's OpenSMTPD ends every handshake with "internal error", that of
    # openssl s_client as well: the letters go all the same.
    ok(tls or (sent() and name == "opensmtpd"), "%s: over TLS 1.3: %s" % (
        name, "yes" if tls else "no, in the clear"))
    if name == "postfix":
        until(lambda: not connections(m))
        submit(m, ["bob@" + domain], (head % n).encode() + b"again\r\n")
        until(lambda: len(root.mails("bob")) > n)
        until(lambda: len(sent()) > n)
        ok(' resumed"' in sent()[-1], name + ": goes on with its TLS session")
    before = len(m.messages(ALICE))
    submit(m, ["nobody@" + domain], (head % 99).encode() + b"x\r\n")
    raw = m.wait_messages(ALICE, before + 1)
    ok(len(raw) > before and b"nobody@" + domain.encode() in raw[-1] and
       b"Action: failed" in raw[-1], name + " refuses a stranger: a bounce")


def main():
    debianroot.usable()
    ips = {"postfix": "127.0.2.1", "opensmtpd": "127.0.2.2"}
    port = internet.shared_port(list(ips.values()))
    dns, ca, roots = DNS(), Authority(), {}
    try:
        for name, make in (("postfix", postfix), ("opensmtpd", opensmtpd)):
            dns.mx(name + ".org", 10, "mx.%s.org" % name)
            dns.a("mx.%s.org" % name, ips[name])
            try:
                roots[name] = make(ips[name], port,
                                   ca.certificate("mx.%s.org" % name,
                                                  rsa=True))
            except debianroot.Unusable as e:
                malle.skip("%s: the package %s cannot be had" % (name, e))
        with malle.Instance(conf=dict(resolver=dns.address, remote_port=port,
                                      authorities=ca.ca)) as m:
            m.domain("exemple.test")
            m.user(ALICE, PASSWORD)
            for name, root in roots.items():
                if debianroot.runs(name, root, ips[name], port):
                    test_peer(m, name, root)
            eq(m.violations(), [], "nobody left its role")
    finally:
        for root in roots.values():
            root.close()
        dns.close()
        ca.close()
    malle.done()


main()
