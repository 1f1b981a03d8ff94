#!/usr/bin/env python3
"""smtpd-clients.t - real clients hand in mail, which arrives as it was sent."""
import base64
import hashlib
import hmac
import os
import random
import re
import shutil
import smtplib
import ssl
import subprocess
import sys
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import malle
from malle import eq, ok

ALICE, BOB = "alice@exemple.test", "bob@exemple.test"
SECRET = "secret password 1"
BODY = "Subject: %s\r\nFrom: <alice@exemple.test>\r\nTo: <bob@exemple.test>\r\n" \
    "\r\n.dot\r\ncaf\u00e9\r\n..\r\n"
# What the service puts in front of a message.
TRACE = re.compile(rb"\AReturn-Path: <x@elsewhere.test>\n"
                   rb"Delivered-To: [^\n]*\nReceived: [^\n]*(\n\t[^\n]*)*\n")
count = 0


def arrived(m, subject):
    """The next message of bob's, as bytes."""
    global count
    count += 1
    for content in m.wait_messages(BOB, count):
        if b"\nSubject: " + subject.encode() + b"\n" in content:
            return content
    return b""


def whole(m, name, r):
    """A client ended well, and its message came whole."""
    subject = name.replace(" ", "-")
    if not ok(r.returncode == 0, name):
        malle.note(r.stdout + r.stderr)
        return
    content = arrived(m, subject)
    ok(content.endswith("\n\n.dot\ncafé\n..\n".encode()) and
       all((x in content) == ("swaks 25" not in name)
           for x in (b"\nDate: ", b"\nMessage-ID: <")),
       name + ": byte for byte")


def run(m, name, *argv, crlf=True, env=None):
    text = BODY % name.replace(" ", "-")
    if not crlf:
        text = text.replace("\r\n", "\n")
    whole(m, name, subprocess.run(argv, input=text, capture_output=True,
                                  text=True, timeout=60, env=env))


def curl(m, name, url, *more):
    run(m, "curl " + name, "curl", "-sS", "--cacert", m.ca, "--url", url,
        "--resolve", "mail.exemple.test:%d:127.0.0.1" % int(
            url.rsplit(":", 1)[1]), "--mail-from", ALICE, "--mail-rcpt", BOB,
        "-T", "-", "--user", ALICE + ":" + SECRET, *more)


def swaks(m, name, port, *more):
    data = BODY % ("swaks-" + name.replace(" ", "-"))
    whole(m, "swaks " + name, subprocess.run(
        ["swaks", "--server", "127.0.0.1", "--port", str(m.ports[port]),
         "--from", ALICE, "--to", BOB, "--ehlo", "client.test", "--data", "-",
         "--no-strip-from", "--no-data-fixup", *more],
        input=data.replace("\r\n.", "\r\n..") + ".\r\n", text=True,
        capture_output=True, timeout=60))


def msmtp(m, name, port, auth, starttls):
    path = os.path.join(m.dir, "msmtprc")
    with open(path, "w") as f:
        f.write("account default\nhost 127.0.0.1\nport %d\ntls on\n"
                "tls_starttls %s\ntls_trust_file %s\n"
                "tls_host_override mail.exemple.test\n"
                "auth %s\nuser %s\npassword \"%s\"\nfrom %s\n"
                % (m.ports[port], starttls, m.ca, auth, ALICE, SECRET, ALICE))
    os.chmod(path, 0o600)
    run(m, "msmtp " + name, "msmtp", "-C", path, BOB, crlf=False)


class Scram:
    """A client of SCRAM-SHA-256 over Python's smtplib."""

    def __init__(self, password, flag="n", binding=b""):
        self.password, self.flag, self.binding = password, flag, binding
        self.nonce = base64.b64encode(os.urandom(18)).decode()
        self.bare = "n=%s,r=%s" % (ALICE, self.nonce)

    def first(self):
        return self.flag + ",," + self.bare

    def final(self, server):
        f = dict(x.split("=", 1) for x in server.split(","))
        salted = hashlib.pbkdf2_hmac("sha256", self.password.encode(),
                                     base64.b64decode(f["s"]), int(f["i"]))
        key = hmac.digest(salted, b"Client Key", "sha256")
        plain = "c=%s,r=%s" % (base64.b64encode(
            (self.flag + ",,").encode() + self.binding).decode(), f["r"])
        message = ",".join((self.bare, server, plain)).encode()
        sign = hmac.digest(hashlib.sha256(key).digest(), message, "sha256")
        proof = bytes(a ^ b for a, b in zip(key, sign))
        self.server = "v=" + base64.b64encode(hmac.digest(hmac.digest(
            salted, b"Server Key", "sha256"), message, "sha256")).decode()
        return plain + ",p=" + base64.b64encode(proof).decode()

    def login(self, s, mechanism):
        """The last code, and whether the server has proved itself."""
        def say(text):
            code, reply = s.docmd(base64.b64encode(text.encode()).decode())
            return code, base64.b64decode(reply).decode() if code == 334 \
                else ""
        code, reply = s.docmd("AUTH", mechanism)
        code, reply = say(self.first())
        if code != 334:
            return code, False
        code, reply = say(self.final(reply))
        proved = code == 334 and reply == self.server
        if code == 334:
            code = s.docmd("")[0]
        return code, proved


def context(version=None):
    c = ssl._create_unverified_context()
    if version:
        c.minimum_version = c.maximum_version = version
    return c


with malle.Instance({"message_max": "64M"}) as m:
    m.domain("exemple.test")
    m.user(ALICE, SECRET)
    m.user(BOB, "secret password 2")
    m.malle("user", "add", "small@exemple.test", "--password-stdin",
            "--quota", "20k", input="secret password 3\n")
    smtps = "smtps://mail.exemple.test:%d" % m.ports["submissions"]
    smtp = "smtp://mail.exemple.test:%d" % m.ports["submission"]

    curl(m, "465", smtps)
    curl(m, "587", smtp, "--ssl-reqd")
    curl(m, "LOGIN", smtps, "--login-options", "AUTH=LOGIN")
    curl(m, "TLS 1.2", smtps, "--tls-max", "1.2")
    curl(m, "TLS 1.3", smtps, "--tlsv1.3")
    if shutil.which("swaks"):
        auth = ["--auth-user", ALICE, "--auth-password", SECRET]
        swaks(m, "25", "smtp", "--header", "X-Nothing: x")
        swaks(m, "25 STARTTLS", "smtp", "-tls")
        swaks(m, "25 pipelined", "smtp", "--pipeline")
        swaks(m, "587", "submission", "-tls", "--auth", "PLAIN", *auth)
        swaks(m, "465", "submissions", "-tlsc", "--auth", "LOGIN", *auth)
    if shutil.which("msmtp"):
        msmtp(m, "PLAIN", "submission", "plain", "on")
        msmtp(m, "LOGIN", "submissions", "login", "off")
        msmtp(m, "SCRAM", "submission", "scram-sha-256", "on")

    # SCRAM as it is written, with and without channel binding.
    with open(m.ca) as f:
        der = ssl.PEM_cert_to_DER_cert(f.read())
    end_point = hashlib.sha256(der).digest()
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        for mechanism, flag, binding, password, want in [
                ("SCRAM-SHA-256", "n", b"", SECRET, (235, True)),
                ("SCRAM-SHA-256", "n", b"", "wrong", (535, False)),
                ("SCRAM-SHA-256", "y", b"", SECRET, (535, False)),
                ("SCRAM-SHA-256-PLUS", "p=tls-server-end-point", end_point,
                 SECRET, (235, True)),
                ("SCRAM-SHA-256-PLUS", "p=tls-server-end-point", b"x" * 32,
                 SECRET, (535, False))]:
            s = smtplib.SMTP_SSL("127.0.0.1", m.ports["submissions"],
                                 context=context(version))
            s.ehlo()
            eq(Scram(password, flag, binding).login(s, mechanism), want,
               "%s %s %s" % (version.name, mechanism, want))
            s.close()

    # From client to Maildir, byte for byte.
    rng = random.Random(7)
    head = b"From: a@b.test\nSubject: corpus\n\n"
    corpus = {
        "8 bit": head + bytes(x for x in range(1, 256)
                              if x not in (10, 13)) * 20 + b"\n",
        "NUL": head + b"a\0b\n\0\n.\0\n",
        "long lines": head + b"x" * 50000 + b"\n" + b"y" * 999 + b"\n",
        "dots": head + b".\n..\n...\n.a\n\n.\n",
        "5000 parts": head + b"".join(b"--b\n\npart %d\n" % i
                                      for i in range(5000)) + b"--b--\n",
        "30 MB": head + (rng.randbytes(75).hex().encode() + b"\n") * 200000,
        "no header": b"hello\n",
        "nothing": b"",
    }
    n = len(m.messages(BOB))
    for name, content in corpus.items():
        s = smtplib.SMTP("127.0.0.1", m.ports["smtp"], timeout=60)
        s.ehlo("client.test")
        s.mail("x@elsewhere.test", ["BODY=8BITMIME"])
        s.rcpt(BOB)
        wire = (b"\n" + content).replace(b"\n.", b"\n..")[1:]
        s.docmd("DATA")
        s.send(wire.replace(b"\n", b"\r\n") + b".\r\n")
        code = s.getreply()[0]
        s.quit()
        n += 1
        m.wait_messages(BOB, n, 60)
        got = [open(p, "rb").read() for p in m.messages(BOB)]
        ok(code == 250 and content in [TRACE.sub(b"", x) for x in got],
           "to the Maildir: " + name)

    # A full mailbox is refused at RCPT, in words.
    def rcpt(to):
        s = smtplib.SMTP("127.0.0.1", m.ports["smtp"], timeout=60)
        s.ehlo("client.test")
        s.mail("x@elsewhere.test", ["SIZE=5000"])
        code, text = s.rcpt(to)
        s.close()
        return code, text.decode()

    small = "small@exemple.test"
    eq(rcpt(small)[0], 250, "a mailbox with room")
    for i in range(4):
        s = smtplib.SMTP("127.0.0.1", m.ports["smtp"], timeout=60)
        s.sendmail("x@elsewhere.test", [small],
                   b"Subject: fill\r\n\r\n" + b"z" * 70 + b"\r\n" +
                   (b"z" * 70 + b"\r\n") * 60)
        s.quit()
        m.wait_messages(small, i + 1)
    # A letter is there a moment before the queue is told how full it is now.
    malle.until(lambda: rcpt(small)[0] == 452)
    got = rcpt(small)
    ok(got[0] == 452 and got[1].startswith("4.2.2 ") and "full" in got[1],
       "a full one: %s" % (got,))
    eq(m.violations(), [], "no program left its role")
malle.done()
