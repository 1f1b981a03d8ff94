#!/usr/bin/env python3
"""pop3-clients.t - real clients fetch mail, which is what was sent.

RFC 1939, 2595, 5034, 8314: fetchmail, mpop, curl, s-nail and Python's poplib,
with TLS 1.2 and 1.3; then a corpus from SMTP clients to POP3 clients, byte for
byte; then the names sendmail and mailq of malle-inject.
"""
import mailbox
import email
import email.policy
import os
import poplib
import random
import re
import smtplib
import ssl
import subprocess
import sys
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import malle
from malle import eq, ok

SECRET = "secret password 1"
HOST = "mail.exemple.test"
# What the service puts in front of a message.
TRACE = re.compile(rb"\AReturn-Path: <x@elsewhere.test>\n"
                   rb"Delivered-To: [^\n]*\nReceived: [^\n]*(\n\t[^\n]*)*\n")
# curl's names of a version are its least and its most.
VERSIONS = (("1.2", ssl.TLSVersion.TLSv1_2), ("1.3", ssl.TLSVersion.TLSv1_3))
poplib._MAXLINE = 1 << 20


def context(m, version=None):
    c = ssl.create_default_context(cafile=m.ca)
    if version:
        c.minimum_version = c.maximum_version = version
    return c


def hand_in(m, to, content, bdat=False, smtputf8=False):
    """One message through port 25; lines of content end in LF."""
    wire = content.replace(b"\n", b"\r\n")
    with smtplib.SMTP("127.0.0.1", m.ports["smtp"], timeout=60) as s:
        s.ehlo("client.test")
        s.mail("x@elsewhere.test", ["BODY=8BITMIME"] + ["SMTPUTF8"] * smtputf8)
        s.rcpt(to)
        if bdat:
            s.send(b"BDAT %d LAST\r\n" % len(wire) + wire)
        else:
            s.docmd("DATA")
            s.send(re.sub(rb"(?m)^\.", b"..", wire) + b".\r\n")
        return s.getreply()[0]


def letters(first, n):
    return [("From: <alice@exemple.test>\nTo: <bob@exemple.test>\n"
             "Subject: letter %d\nX-End: x\n\n.dot\ncafé\n..\n" % i).encode()
            for i in range(first, first + n)]


def fill(m, to, first, n):
    """Hands in n letters and waits for them; what was sent."""
    sent = letters(first, n)
    had = len(m.messages(to))
    for content in sent:
        hand_in(m, to, content)
    m.wait_messages(to, had + n, 60)
    return sent


def box(m, name, n):
    """A new mailbox with n letters: its address, and what was sent."""
    address = name + "@exemple.test"
    m.user(address, SECRET)
    return address, fill(m, address, 0, n)


def without_trace(contents):
    """Messages as they were sent, LF for CRLF, in the order of their text."""
    return sorted(TRACE.sub(b"", c.replace(b"\r\n", b"\n")) for c in contents)


def read_all(paths):
    contents = []
    for path in paths:
        with open(path, "rb") as f:
            contents.append(f.read())
    return contents


def left(m, address, n):
    """What is in a mailbox once it has n letters: a client may have ended
    before its session has removed the others."""
    malle.until(lambda: len(m.messages(address)) == n)
    return without_trace(read_all(m.messages(address)))


def private(m, name, text):
    """A file of a client's settings, which must be nobody else's to read."""
    path = os.path.join(m.dir, name)
    with open(path, "w") as f:
        f.write(text)
    os.chmod(path, 0o600)
    return path


def run(*argv, status=(0,), env=None, input=None):
    """A client's output as bytes; notes what it says when it fails."""
    r = subprocess.run(argv, capture_output=True, timeout=120, input=input,
                       env=dict(os.environ, LC_ALL="C.UTF-8", **(env or {})))
    if r.returncode not in status:
        malle.note("%s: status %d" % (argv[0], r.returncode))
        malle.note((r.stdout + r.stderr)[-3000:].decode(errors="replace"))
    return r


# fetchmail: RFC 1939 with UIDL, by STLS and by TLS from the start.

def fetchmail(m, name, port, tls, *more):
    """Runs fetchmail once; its status and what it has fetched so far."""
    home = os.path.join(m.dir, name)
    os.makedirs(os.path.join(home, "got"), exist_ok=True)
    config = private(m, name + ".rc", (
        "set no bouncemail\n"
        "poll localhost with proto POP3 port %d uidl\n"
        "  user \"%s@exemple.test\" password \"%s\" is root here\n"
        "  %s sslcertck sslcertfile \"%s\" sslcommonname \"%s\"\n"
        "  no rewrite pass8bits %s\n"
        "  mda \"cat >$(mktemp -p %s/got)\"\n") % (
            m.ports[port], name, SECRET, tls, m.ca, HOST, " ".join(more),
            home))
    r = run("fetchmail", "--nosyslog", "--nodetach", "--invisible", "-f",
            config, "-i", os.path.join(home, "uids"), "--pidfile",
            os.path.join(home, "pid"), status=(0, 1),
            env={"FETCHMAILHOME": home, "HOME": home})
    got = os.path.join(home, "got")
    return r.returncode, without_trace(
        read_all(os.path.join(got, f) for f in os.listdir(got)))


def test_fetchmail(m):
    for name, port, tls in (("fm-stls", "pop3", "sslproto TLS1.2+"),
                            ("fm-ssl", "pop3s", "ssl sslproto TLS1.3+")):
        address, sent = box(m, name, 3)
        eq(fetchmail(m, name, port, tls, "keep"), (0, sent),
           "fetchmail %s fetches" % port)
        eq(fetchmail(m, name, port, tls, "keep"), (1, sent),
           "fetchmail %s: by UIDL it knows what it has" % port)
        sent += fill(m, address, 3, 1)
        eq(fetchmail(m, name, port, tls, "keep"), (0, sent),
           "fetchmail %s: and fetches what is new" % port)
        eq(len(m.messages(address)), 4, "fetchmail keep keeps")
        sent += fill(m, address, 4, 2)
        eq(fetchmail(m, name, port, tls, "nokeep", "flush"), (0, sent),
           "fetchmail %s nokeep flush" % port)
        eq(left(m, address, 0), [], "nothing is left")


# mpop: STLS and POP3S, each mechanism, UIDL of its own, a Maildir.

def mpop(m, name, port, starttls, auth, keep, more=""):
    home = os.path.join(m.dir, name)
    os.makedirs(home, exist_ok=True)
    into = mailbox.Maildir(os.path.join(home, "got"))
    config = private(m, name + ".rc", (
        "account default\nhost localhost\nport %d\nuser %s@exemple.test\n"
        "password \"%s\"\nauth %s\ntls on\ntls_starttls %s\n"
        "tls_trust_file %s\nkeep %s\nreceived_header off\n"
        "uidls_file %s/uids\ndelivery maildir %s\n%s") % (
            m.ports[port], name, SECRET, auth, starttls, m.ca, keep, home,
            into._path, more))
    r = run("mpop", "-C", config, "--quiet")
    return r.returncode, without_trace(into.get_bytes(k) for k in into.keys())


def test_mpop(m):
    for name, port, starttls, auth, more in (
            ("mp-user", "pop3", "on", "user", ""),
            ("mp-plain", "pop3s", "off", "plain", "pipelining on\n"),
            ("mp-scram", "pop3s", "off", "scram-sha-256", ""),
            ("mp-12", "pop3s", "off", "plain",
             "tls_priorities NORMAL:-VERS-ALL:+VERS-TLS1.2\n")):
        address, sent = box(m, name, 3)
        what = "mpop %s %s" % (port, auth)
        eq(mpop(m, name, port, starttls, auth, "on", more), (0, sent),
           what + " fetches")
        sent += fill(m, address, 3, 1)
        eq(mpop(m, name, port, starttls, auth, "on", more), (0, sent),
           what + " keeps, and fetches what is new")
        eq(mpop(m, name, port, starttls, auth, "off", more), (0, sent),
           what + " deletes what it has")
        eq(left(m, address, 0), [], "nothing is left")


# curl: a command at a time.

def curl(m, name, scheme, path, *more):
    return run("curl", "-sS", "--cacert", m.ca, "--user",
               "%s@exemple.test:%s" % (name, SECRET), *more,
               "%s://localhost:%d/%s" % (scheme, m.ports[scheme], path))


def test_curl(m):
    address, sent = box(m, "curl", 2)
    for name, scheme, more in (
            ("POP3S", "pop3s", ()),
            ("STLS", "pop3", ("--ssl-reqd",)),
            ("AUTH PLAIN", "pop3s", ("--login-options", "AUTH=PLAIN")),
            ("AUTH PLAIN at once", "pop3s", ("--login-options", "AUTH=PLAIN",
                                             "--sasl-ir")),
            ("TLS 1.2", "pop3s", ("--tls-max", "1.2")),
            ("TLS 1.3", "pop3s", ("--tlsv1.3",)),
            ("STLS, TLS 1.2", "pop3", ("--ssl-reqd", "--tls-max", "1.2"))):
        eq(without_trace([curl(m, "curl", scheme, "1", *more).stdout]),
           sent[:1], "curl %s fetches" % name)
    listed = curl(m, "curl", "pop3s", "").stdout.split(b"\r\n")
    eq([int(x.split()[1]) for x in listed if x],
       [len(x.replace(b"\n", b"\r\n")) for x in read_all(m.messages(address))],
       "curl lists the sizes in bytes of the wire")
    uids = curl(m, "curl", "pop3s", "", "-X", "UIDL").stdout
    eq(curl(m, "curl", "pop3", "", "--ssl-reqd", "-X", "UIDL").stdout, uids,
       "and the same UIDL twice")
    top = curl(m, "curl", "pop3s", "", "-X", "TOP 2 1").stdout
    ok(top.endswith(b"X-End: x\r\n\r\n.dot\r\n"), "curl TOP")
    capabilities = curl(m, "curl", "pop3s", "", "-X", "CAPA").stdout.split(
        b"\r\n")
    ok({b"TOP", b"UIDL", b"PIPELINING", b"UTF8 USER"} <= set(capabilities),
       "curl CAPA: %s" % capabilities)
    eq(curl(m, "curl", "pop3s", "1", "-X", "DELE", "-I").returncode, 0,
       "curl DELE")
    eq(left(m, address, 1), sent[1:], "one letter is left")
    eq(curl(m, "nobody", "pop3s", "").returncode, 67, "curl: a wrong login")
    ok(curl(m, "curl", "pop3", "").returncode != 0,
       "curl: no password in the clear")


# s-nail: a person's program.

def s_nail(m, name, commands, *more):
    url = "pop3s://%s%%40exemple.test:%s@localhost:%d" % (
        name, SECRET.replace(" ", "%20"), m.ports["pop3s"])
    home = os.path.join(m.dir, "s-nail")
    os.makedirs(home, exist_ok=True)
    return run("s-nail", "-#", "-n", "-S", "v15-compat", "-S",
               "tls-ca-file=" + m.ca, "-S",
               "tls-verify=strict", *more, "-f", url, input=commands.encode(),
               env={"HOME": home, "MAILRC": "/dev/null"})


def test_s_nail(m):
    address, sent = box(m, "snail", 2)
    for name, _ in VERSIONS:
        path = os.path.join(m.dir, "snail-" + name)
        s_nail(m, "snail", "copy * %s\nexit\n" % path, "-S",
               "tls-config-pairs=MinProtocol=TLSv%s,MaxProtocol=TLSv%s" %
               (name, name))
        box_of = mailbox.mbox(path)
        eq([x["Subject"] for x in box_of], ["letter 0", "letter 1"],
           "s-nail fetches, TLS " + name)
        ok(all(x.get_payload(decode=True).startswith(".dot\ncafé".encode())
               for x in box_of), "and reads them")
    eq(len(m.messages(address)), 2, "exit deletes nothing")
    s_nail(m, "snail", "delete 1\nquit\n")
    eq(left(m, address, 1), sent[1:], "s-nail deletes a letter")


# poplib, and the corpus.

def login(m, address, version=None, stls=False, utf8=False):
    if stls:
        p = poplib.POP3("localhost", m.ports["pop3"], timeout=60)
        p.stls(context(m, version))
    else:
        p = poplib.POP3_SSL("localhost", m.ports["pop3s"], timeout=60,
                            context=context(m, version))
    if utf8:
        p.utf8()
    p.user(address)
    p.pass_(SECRET)
    return p


def retr(p, n):
    """A message as bytes; poplib has taken the dots and the CRs off."""
    return b"".join(line + b"\n" for line in p.retr(n)[1])


def test_poplib(m):
    address, sent = box(m, "poplib", 3)
    for name, version in VERSIONS:
        for stls in (False, True):
            p = login(m, address, version, stls)
            eq(without_trace([retr(p, i + 1) for i in range(3)]), sent,
               "poplib %s, TLS %s" % ("STLS" if stls else "POP3S", name))
            p.dele(1)
            p.rset()
            p.quit()
    p = login(m, address)
    p.dele(2)
    p.close()
    eq(len(m.messages(address)), 3, "a lost connection deletes nothing")
    p = login(m, address)
    p.dele(2)
    p.quit()
    eq(left(m, address, 2), [sent[0], sent[2]], "QUIT does")


def corpus():
    rng = random.Random(7)
    head = b"From: a@b.test\nTo: <bob@exemple.test>\n" \
        b"Date: Sat, 21 Nov 2026 10:00:00 +0100\nMessage-ID: <1@b.test>\n" \
        b"MIME-Version: 1.0\n"
    text = head + b"Content-Type: text/plain; charset=x\nSubject: corpus\n\n"
    return {
        "a plain letter": text + b"hello\n",
        "8 bit": text + bytes(x for x in range(1, 256)
                              if x not in (10, 13)) * 3 + b"\n",
        "UTF-8 in the header": head + "Subject: déjà vu\n\nà\n".encode(),
        "NUL": text + b"a\0b\n\0\n.\0\n\0.\n",
        "long lines": text + b"x" * 50000 + b"\n" + b"y" * 999 + b"\n",
        "dots": text + b".\n..\n...\n.a\n\n.\nFrom x\n>From y\n.\n",
        "5000 parts": head + b"Content-Type: multipart/mixed; boundary=b\n\n" +
        b"".join(b"--b\n\npart %d\n" % i for i in range(5000)) + b"--b--\n",
        "30 MB": text + (rng.randbytes(75).hex().encode() + b"\n") * 200000,
        "white space": text + b" \n\t\n  x \t \n\n\n\n",
        "folded header": head + b"Subject: a\n b\n\tc\nX-Empty:\n\nx\n",
        "header only": head + b"Subject: corpus\n\n",
    }


def test_corpus(m):
    """From SMTP on port 25 to poplib, curl and mpop."""
    address = "corpus@exemple.test"
    m.user(address, SECRET)
    contents = corpus()
    for n, (name, content) in enumerate(contents.items()):
        eq(hand_in(m, address, content), 250, "the corpus is taken: " + name)
        m.wait_messages(address, n + 1, 120)
    eq(hand_in(m, address, b"Subject: end\n\nno final newline", bdat=True),
       250, "the corpus is taken: no final newline")
    m.wait_messages(address, len(contents) + 1, 120)
    contents["no final newline"] = b"Subject: end\n\nno final newline\n"
    # The order of arrival need not be that of delivery.
    p = login(m, address, utf8=True)
    fetched = {TRACE.sub(b"", retr(p, i + 1)): i + 1
               for i in range(p.stat()[0])}
    sizes = {int(x.split()[0]): int(x.split()[1]) for x in p.list()[1]}
    p.quit()
    for name, content in contents.items():
        number = fetched.get(content)
        if not ok(number, "from SMTP to poplib: " + name):
            continue
        got = curl(m, "corpus", "pop3s", number).stdout
        eq(TRACE.sub(b"", got.replace(b"\r\n", b"\n")) == content, True,
           "to curl: " + name)
        eq(len(got), sizes[number], "and as long as LIST said")


INTERNATIONAL = """From: José <josé@elsewhere.test>
To: "Doe, John" <john@elsewhere.test>, Zoë <zoe@elsewhere.test>
Subject: Cafés, and a subject that is so long that it does not fit one word: éèà
X-Mood: joyeux été
Message-ID: <a@elsewhere.test>
Content-Type: multipart/mixed; boundary="a b"

--a b
Content-Type: text/plain; charset=utf-8; name=café.txt
Content-Description: été

.Un café.
--a b
Content-Disposition: attachment;
 filename="été; café.txt"

é
--a b--
""".encode()


def test_utf8(m):
    """RFC 6856: raw UTF-8 in headers of what came by SMTPUTF8 is for clients that have said UTF8."""
    address = "utf8@exemple.test"
    m.user(address, SECRET)
    eq(hand_in(m, address, INTERNATIONAL, smtputf8=True), 250, "a message with SMTPUTF8 is taken")
    m.wait_messages(address, 1, 60)
    eq(hand_in(m, address, INTERNATIONAL), 250, "the same, as 8-bit bytes that nobody announced")
    m.wait_messages(address, 2, 60)
    p = login(m, address, utf8=True)
    eq([TRACE.sub(b"", retr(p, n)) == INTERNATIONAL for n in (1, 2)], [True, True], "who says UTF8 gets both as they are")
    marked = 1 if b" with UTF8SMTP" in retr(p, 1) else 2
    p.quit()
    p = login(m, address)
    eq(TRACE.sub(b"", retr(p, 3 - marked)) == INTERNATIONAL, True, "stray 8-bit bytes go to everybody")
    header, _, body = TRACE.sub(b"", retr(p, marked)).partition(b"\n\n")
    ok(header.isascii(), "a header of SMTPUTF8 becomes ASCII for others")
    parsed = email.message_from_bytes(header + b"\n\n" + body, policy=email.policy.default)
    first, second = parsed.iter_parts()
    eq([part.get_payload(decode=True) for part in (first, second)], [".Un café.".encode(), "é".encode()],
       "the bodies of its parts stay")
    eq([line for line in body.split(b"\n") if not line.isascii()], [".Un café.".encode(), "é".encode()],
       "headers of its parts become ASCII")
    eq((first["content-type"], first["content-description"], second["content-disposition"]),
       ('text/plain; charset="utf-8"', "été", "attachment"), "only parameters that are not ASCII are left out")
    eq(parsed["subject"], "Cafés, and a subject that is so long that it does not fit one word: éèà", "its subject can be read")
    eq([(a.display_name, a.addr_spec) for a in parsed["to"].addresses],
       [("Doe, John", "john@elsewhere.test"), ("Zoë", "zoe@elsewhere.test")], "and its recipients")
    eq([(a.display_name, a.addr_spec) for a in parsed["from"].addresses],
       [("José <josé@elsewhere.test>", "invalid@internationalized-address-removed.invalid")],
       "a sender whose address is not ASCII is shown")
    eq((parsed["x-mood"], parsed["message-id"]), (None, "<a@elsewhere.test>"), "what cannot be said is left out")
    top = p.top(marked, 6)
    ok(top[1][-1] == ".Un café.".encode() and b"".join(top[1][:-2]).isascii(), "TOP does the same")
    p.quit()


def test_corpus_submitted(m):
    """From curl on port 465 to mpop; what is complete stays as it is."""
    address = "submitted@exemple.test"
    m.user(address, SECRET)
    want = []
    for n, (name, content) in enumerate(corpus().items()):
        if name in ("30 MB", "NUL"):
            continue
        content = content.replace(b"From: a@b.test", b"From: <" +
                                  address.encode() + b">", 1)
        path = os.path.join(m.dir, "letter")
        with open(path, "wb") as f:
            f.write(content.replace(b"\n", b"\r\n"))
        r = run("curl", "-sS", "--cacert", m.ca, "--user", address + ":" +
                SECRET, "--mail-from", address, "--mail-rcpt", address, "-T",
                path, "smtps://localhost:%d" % m.ports["submissions"])
        eq(r.returncode, 0, "curl submits: " + name)
        want.append(content)
    m.wait_messages(address, len(want), 120)
    status, got = mpop(m, "submitted", "pop3s", "off", "plain", "off")
    eq(status, 0, "mpop fetches them")
    for content in want:
        ok(any(x.endswith(content) for x in got),
           "from curl to mpop: %r..." % content[-40:])


# The names of malle-inject that every program knows.

def test_sendmail(m):
    address, _ = box(m, "local", 0)
    names = {}
    for name in ("sendmail", "mailq"):
        names[name] = os.path.join(m.dir, name)
        os.symlink(os.path.join(malle.BIN, "malle-inject"), names[name])
    body = "To: %s\nSubject: by sendmail\n\n.\ncafé\n.x\n" % address
    r = run(names["sendmail"], "-C", m.conf_path, "-t", "-oi",
            input=body.encode())
    eq(r.returncode, 0, "sendmail -t -oi")
    got = m.wait_messages(address, 1)
    ok(got and got[0].endswith("\n\n.\ncafé\n.x\n".encode()),
       "its letter is there, dots and all")
    home = os.path.join(m.dir, "s-nail-out")
    os.makedirs(home)
    r = run("s-nail", "-n", "-S", "mta=" + names["sendmail"], "-S",
            "mta-arguments=-C " + m.conf_path, "-S", "v15-compat", "-s",
            "by s-nail", address, input="Bonjour\n".encode(),
            env={"HOME": home, "MAILRC": "/dev/null"})
    eq(r.returncode, 0, "s-nail hands in through sendmail")
    got = m.wait_messages(address, 2)
    ok(any(b"\nSubject: by s-nail\n" in x for x in got), "and it arrives")
    return names["mailq"]


def test_mailq(m, mailq):
    """What waits is what mailq shows."""
    address, _ = box(m, "waits", 0)
    r = run(mailq, "-C", m.conf_path)
    ok(r.returncode == 0 and address.encode() not in r.stdout,
       "mailq of an empty queue")
    # A mailbox that cannot be written: a file where its folder should be.
    folder = os.path.dirname(m.maildir(address))
    if os.path.isdir(folder):
        os.rename(folder, folder + ".away")
    with open(folder, "w"):
        pass
    r = run(os.path.join(m.dir, "sendmail"), "-C", m.conf_path, "-oi", address,
            input=b"Subject: waits\n\nx\n")
    eq(r.returncode, 0, "sendmail for a mailbox that is out of order")
    r = run(mailq, "-C", m.conf_path)
    ok(address.encode() in r.stdout, "mailq shows who waits: %r" % r.stdout)


with malle.Instance({"message_max": "64M", "line_max": "1M"}) as m:
    m.domain("exemple.test")
    test_fetchmail(m)
    test_mpop(m)
    test_curl(m)
    test_s_nail(m)
    test_poplib(m)
    test_corpus(m)
    test_utf8(m)
    test_corpus_submitted(m)
    test_mailq(m, test_sendmail(m))
    eq(m.violations(), [], "no program left its role")
malle.done()
