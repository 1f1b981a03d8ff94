#!/usr/bin/env python3
# inject-sendmail.t - malle-inject takes what callers of sendmail(8) give it.
#
# A stand-in for malle-queued records what is handed over, so that every
# field of it can be looked at and every answer of it be given.
import email
import email.header
import email.policy
import email.parser
import os
import shutil
import socket
import struct
import subprocess
import tempfile
import threading

BUILD = os.path.abspath(os.environ.get("MALLE_BUILD", "build")) + "/bin"
Q_MAIL, Q_RCPT, Q_DATA, Q_COMMIT, Q_DONE = 1, 2, 3, 4, 32
OK, TEMPORARY, PERMANENT = 0, 1, 2
count = failed = 0


def ok(cond, name, detail=""):
    global count, failed
    count += 1
    failed += not cond
    print(f"{'ok' if cond else 'not ok'} {count} - {name}", flush=True)
    if not cond and detail != "":
        print("# " + str(detail).replace("\n", "\n# "), flush=True)


def field(b):
    return struct.pack("<I", len(b)) + b


def take(b):
    (n,) = struct.unpack_from("<I", b)
    return b[4:4 + n], b[4 + n:]


class Queue(threading.Thread):
    """Takes messages on public/queue.sock; answer is what commits are told."""

    def __init__(self, base):
        super().__init__(daemon=True)
        os.makedirs(base + "/public", exist_ok=True)
        path = base + "/public/queue.sock"
        if os.path.exists(path):
            os.unlink(path)
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.listener.bind(path)
        self.listener.listen(5)
        self.answer = (OK, b"id-1", b"2.6.0", b"queued")
        self.hang_up_after = None
        self.messages = []
        self.start()

    def run(self):
        while True:
            try:
                peer, _ = self.listener.accept()
            except OSError:
                return
            with peer:
                self.session(peer)

    def session(self, peer):
        message = None
        while True:
            packet = peer.recv(70000)
            if len(packet) < 2:
                return
            (kind,), body = struct.unpack_from("<H", packet), packet[2:]
            if self.hang_up_after == kind:
                return
            if kind == Q_MAIL:
                message = self.mail(body)
            elif kind == Q_RCPT:
                address, rest = take(body)
                message["recipients"].append(address.decode())
                message["notify"].append(rest[0])
            elif kind in (Q_DATA, Q_COMMIT):
                message["data"] += body
            if kind == Q_COMMIT:
                self.messages.append(message)
                result, *texts = self.answer
                peer.send(struct.pack("<HB", Q_DONE, result) +
                          b"".join(map(field, texts)))

    def mail(self, body):
        m = {"recipients": [], "notify": [], "data": b""}
        _, m["lane"], m["flags"] = struct.unpack_from("<HBI", body)
        rest = body[7:]
        for name in ("sender", "envid", "account", "client", "session",
                     "trace", "protocol"):
            m[name], rest = take(rest)
            m[name] = m[name].decode()
        return m


home = tempfile.mkdtemp(prefix="malle-inject-")
conf = home + "/malleposte.conf"
with open(conf, "w") as f:
    f.write(f"hostname = mx.exemple.test\nbase = {home}\n"
            "default_domain = exemple.test\nlog = stderr\n")
queue = Queue(home)
user = subprocess.run(["id", "-un"], capture_output=True, text=True).stdout.strip()


def run(args, text=b"", program="malle-inject", conf_file=conf):
    """Returns the exit status, what was handed over (or None), the output."""
    queue.messages.clear()
    if isinstance(text, str):
        text = text.encode()
    base = ["-C", conf_file] if conf_file else []
    r = subprocess.run([f"{BUILD}/{program}", *base, *args], input=text,
                       capture_output=True, timeout=60)
    out = (r.stdout + r.stderr).decode("utf-8", "replace")
    return r.returncode, queue.messages[-1] if queue.messages else None, out


def parsed(m):
    return email.parser.BytesParser(policy=email.policy.default).parsebytes(m["data"])


# The plain case: the header is completed (RFC 6409 8).
rc, m, out = run(["alice@exemple.test"], "Subject: essai\n\nBonjour\n")
ok(rc == 0 and m is not None, "a message is taken", out)
p = parsed(m)
ok(m["recipients"] == ["alice@exemple.test"], "its recipient", m)
ok(m["sender"] == f"{user}@exemple.test", "the sender is the caller", m["sender"])
ok(p["Subject"] == "essai" and p.get_content() == "Bonjour\n", "its content", m["data"])
ok(all(p[h] for h in ("Date", "From", "Message-ID")), "Date, From, Message-ID are added", m["data"])
ok(p["From"].addresses[0].addr_spec == f"{user}@exemple.test", "From is the caller")
ok(p["Message-ID"].endswith("@mx.exemple.test>"), "Message-ID ends in our name")
ok(f"uid {os.getuid()}" in m["trace"] and user in m["trace"], "the trace names the caller", m["trace"])
ok(m["protocol"] == "local", "the protocol is named")
ok(m["notify"] == [0] and m["envid"] == "" and m["flags"] == 0, "nothing was asked for")

complete = ("Date: Sat, 21 Nov 2026 10:00:00 +0100\nFrom: x@y.test\n"
            "Message-ID: <a@b>\nTo: bob@exemple.test\n\nT\n")
rc, m, out = run(["bob"], complete)
ok(m["data"] == complete.encode(), "a complete header is left alone", m["data"])
ok(m["recipients"] == ["bob@exemple.test"], "a bare name is taken at default_domain")

# Options.
rows = [
    (["-f", "carol@exemple.test", "a@b.test"], {"sender": "carol@exemple.test"}),
    (["-fcarol@EXEMPLE.test", "a@b.test"], {"sender": "carol@exemple.test"}),
    (["-f", "", "a@b.test"], {"sender": "", "lane": 1}),
    (["-f", "<>", "a@b.test"], {"sender": ""}),
    (["-f", "carol", "a@b.test"], {"sender": "carol@exemple.test"}),
    (["-r", "carol", "a@b.test"], {"sender": "carol@exemple.test"}),
    (["-N", "never", "a@b.test"], {"notify": [1]}),
    (["-N", "success,failure,delay", "a@b.test"], {"notify": [14]}),
    (["-R", "full", "a@b.test"], {"flags": 4}),
    (["-R", "hdrs", "a@b.test"], {"flags": 8}),
    (["-V", "QQ314159", "a@b.test"], {"envid": "QQ314159"}),
    (["-B8BITMIME", "a@b.test"], {"flags": 1}),
    (["-oi", "-oem", "-odb", "-m", "-n", "-v", "-G", "a@b.test"], {"recipients": ["a@b.test"]}),
    (["-O", "x=y", "-X", "f", "-p", "smtp:h", "-A", "c", "-L", "t", "a@b.test"], {"recipients": ["a@b.test"]}),
    (["-bm", "-i", "--", "a@b.test", "c@d.test"], {"recipients": ["a@b.test", "c@d.test"]}),
    (["a@b.test", "A@B.test", "a@B.TEST"], {"recipients": ["A@b.test", "a@b.test"]}),
    (["--", "-odd@b.test"], {"recipients": ["-odd@b.test"]}),
    (["zo\u00e9@exemple.test"], {"flags": 2}),
]
for args, want in rows:
    rc, m, out = run(args, "Subject: x\n\ny\n")
    ok(rc == 0 and m and all(m[k] == v for k, v in want.items()), " ".join(args), (rc, m, out))

rc, m, out = run(["-F", "Zo\u00e9 \"la\" Poste", "a@b.test"], "\nx\n")
ok(parsed(m)["From"].addresses[0].display_name == 'Zoé "la" Poste', "-F with accents", m["data"])
rc, m, out = run(["-F", 'A "b" \\ c', "a@b.test"], "\nx\n")
ok(parsed(m)["From"].addresses[0].display_name == 'A "b" \\ c', "-F with quotes", m["data"])
rc, m, out = run(["-F", "x\nBcc: y@z", "a@b.test"], "\nx\n")
ok(b"Bcc" not in m["data"], "a line break in -F adds no field", m["data"])
rc, m, out = run(["-F", "é" * 120, "a@b.test"], "\nx\n")
raw = email.message_from_bytes(m["data"])["From"]
ok(str(email.header.make_header(email.header.decode_header(raw))).startswith("é" * 120) and
   all(len(line) < 79 for line in m["data"].split(b"\n")), "a long name is folded", m["data"])

# -t (RFC 5322 3.4): groups, comments, folding, quoting; Bcc goes.
header = ("To: Pierre (le (grand)) <pierre@exemple.test>, \"Martin, Paul\"\n"
          "\t<paul@Exemple.Test>, amis: a@b.test, c@d.test;, ,e@f.test\n"
          "Cc: \"a b\"@q.test, undisclosed:;\n"
          "bcc: secret@exemple.test,\n more@exemple.test\n"
          "Subject: s\n")
want = ["pierre@exemple.test", "paul@exemple.test", "a@b.test", "c@d.test",
        "e@f.test", '"a b"@q.test', "secret@exemple.test", "more@exemple.test"]
rc, m, out = run(["-t"], header + "\nx\n")
ok(rc == 0 and m["recipients"] == sorted(want), "-t finds every recipient", (rc, out, m and m["recipients"]))
ok(b"secret" not in m["data"] and b"more@" not in m["data"], "Bcc is removed, folded lines too", m["data"])
ok(b"Martin, Paul\"\n\t<paul@Exemple.Test>" in m["data"], "To stays as it was written")
rc, m, out = run(["-t", "extra@b.test"], "To: a@b.test\n\nx\n")
ok(m["recipients"] == ["a@b.test", "extra@b.test"], "-t adds to the recipients of the command")
rc, m, out = run(["a@b.test"], "To: c@d.test\nBcc: e@f.test\n\nx\n")
ok(m["recipients"] == ["a@b.test"] and b"Bcc" not in m["data"], "without -t the header names nobody; Bcc goes")
rc, m, out = run(["-t"], "Resent-To: r@b.test\nResent-Bcc: s@b.test\nTo: a@b.test\nBcc: o@b.test\n\nx\n")
ok(m["recipients"] == ["r@b.test", "s@b.test"] and b"Resent-Bcc" not in m["data"],
   "of a resent message the Resent- fields count (RFC 5322 3.6.6)", m)
rc, m, out = run(["-t"], "Subject: x\n\nTo: body@b.test\n")
ok(rc == 64 and m is None, "the body names no recipient", (rc, out))
for bad in ("To: a@b.test c@d.test\n", "To: <a@b.test\n", "To: a@@b.test\n", "To: (a\n",
            "To: g: a@b.test\n", "Cc: a b\n", "To: \"a@b.test\n"):
    rc, m, out = run(["-t"], bad + "\nx\n")
    ok(rc == 65 and m is None and "nothing was sent" in out, f"no address list: {bad.strip()}", (rc, out, m))

# Lines and dots.
rows = [
    ("CRLF becomes LF", ["-i"], b"Subject: x\r\n\r\na\r\nb\r\n", b"a\nb\n"),
    ("a bare CR never leaves", ["-i"], b"Subject: x\n\na\rb\r\r\nc\r", b"a\nb\nc\n"),
    ("a dot ends the message", [], b"Subject: x\n\na\n.\nb\n", b"a\n"),
    ("with CRLF too", [], b"Subject: x\r\n\r\na\r\n.\r\nb\r\n", b"a\n"),
    ("not with -i", ["-i"], b"Subject: x\n\na\n.\nb\n", b"a\n.\nb\n"),
    ("not with -oi", ["-oi"], b"Subject: x\n\na\n.\nb\n", b"a\n.\nb\n"),
    ("two dots are text", [], b"Subject: x\n\n..\n.a\n", b"..\n.a\n"),
    ("no end of line at the end", ["-i"], b"Subject: x\n\nlast", b"last"),
    ("NUL and 8-bit bytes", ["-i"], b"Subject: x\n\n\0\xff\n", b"\0\xff\n"),
    ("a mailbox's From line goes", ["-i"], b"From a@b Sat Nov 21 10:00:00 2026\nSubject: x\n\nb\n", b"b\n"),
    ("no empty line before the body", ["-i"], b"Subject: x\nThis is no field\nb\n", b"This is no field\nb\n"),
    ("nothing at all", ["-i"], b"", b""),
]
for name, args, text, body in rows:
    rc, m, out = run([*args, "a@b.test"], text)
    head, _, tail = m["data"].partition(b"\n\n") if m else (b"", b"", None)
    ok(rc == 0 and tail == body and b"From a@b" not in head and b"\r" not in m["data"], name, (rc, out, m))

big = b"Subject: big\n\n" + b"x" * 70 + b"\n" + b"\xe9" * 5000000 + b"\n.\n"
rc, m, out = run(["a@b.test"], big)
ok(rc == 0 and m["data"].endswith(b"\xe9\n") and len(m["data"]) > 5000000 and m["flags"] & 1,
   "5 MB in one line", (rc, out))
rc, m, out = run(["a@b.test"], b"X: " + b"y" * 2000000)
ok(rc == 65 and m is None, "a header over the limit is refused", (rc, out))

# Refusals and modes.
rows = [
    ([], "no recipient", 64), (["not an address"], "is no address", 64), (["a@b@c.test"], "is no address", 64),
    (["-f", "a b@c.test", "x@y.test"], "no address", 64), (["-N", "sometimes", "x@y.test"], "-N", 64),
    (["-N", "never,delay", "x@y.test"], "-N", 64), (["-R", "all", "x@y.test"], "-R", 64),
    (["-V", "a b", "x@y.test"], "-V", 64), (["-B", "9BIT", "x@y.test"], "-B", 64),
    (["-bs"], "-bs", 64), (["-bd"], "malle-start", 64), (["-bt"], "-bt", 64), (["-bz"], "-bz", 64),
    (["-q"], "retry", 64), (["-q30m"], "retry", 64), (["-K"], "usage", 64), (["-h"], "usage", 0),
    (["-bi"], "at once", 0), (["-I"], "at once", 0),
]
for args, text, status in rows:
    rc, m, out = run(args, "Subject: x\n\ny\n")
    ok(rc == status and text in out and m is None, f"{' '.join(args) or 'nothing'}: status {status}", (rc, out))
rc, m, out = run([], program="newaliases", conf_file=None)
ok(rc == 0 and "at once" in out, "newaliases", out)
rc, m, out = run(["a@b.test"], "\nx\n", program="sendmail")
ok(rc == 0 and m, "sendmail is a name of it", out)
rc, m, out = run(["a@b.test"], "\nx\n", conf_file=home + "/none.conf")
ok(rc == 78 and "none.conf" in out, "no configuration: 78", (rc, out))

# What the queue says (sysexits).
queue.answer = (TEMPORARY, b"", b"4.3.1", b"disk full")
rc, m, out = run(["a@b.test"], "\nx\n")
ok(rc == 75 and "4.3.1 disk full" in out, "a temporary refusal: 75", (rc, out))
queue.answer = (PERMANENT, b"", b"5.1.1", b"no such user")
rc, m, out = run(["a@b.test"], "\nx\n")
ok(rc == 69 and "5.1.1 no such user" in out, "a refusal for good: 69", (rc, out))
queue.answer = (OK, b"id-7", b"2.6.0", b"queued")
rc, m, out = run(["-v", "a@b.test"], "\nx\n")
ok(rc == 0 and out == "id-7\n", "-v tells the id", (rc, out))
for kind, name in ((Q_MAIL, "MAIL"), (Q_DATA, "DATA"), (Q_COMMIT, "COMMIT")):
    queue.hang_up_after = kind
    rc, m, out = run(["a@b.test"], "\nx\n")
    ok(rc == 75 and "not accepted" in out, f"the queue hangs up at {name}: 75", (rc, out))
queue.hang_up_after = None
queue.listener.shutdown(socket.SHUT_RDWR)
queue.listener.close()
rc, m, out = run(["a@b.test"], "\nx\n")
ok(rc == 75 and "not accepted" in out, "the queue is down: 75", (rc, out))
os.unlink(home + "/public/queue.sock")
rc, m, out = run(["a@b.test"], "\nx\n")
ok(rc == 75, "the queue is not there: 75", (rc, out))

shutil.rmtree(home)
print(f"1..{count}")
raise SystemExit(failed != 0)
