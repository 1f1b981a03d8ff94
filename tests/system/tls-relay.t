#!/usr/bin/env python3
"""tls-relay.t - handshakes, bytes both ways, ends: with real TLS clients."""

import hashlib
import os
import select
import subprocess
import sys
import warnings

warnings.simplefilter("ignore")
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from authd import Tap
from tlsd import *

tap = Tap()
ok = tap.ok
t = Tls(names=[("autre.test", "rsa"), ("broken.test", "ec")])
TLS12, TLS13 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3
infos = []


def keep(stream, info):
    infos.append(info)
    if info:
        echo(stream, info)


def s_client(*options, text=b"hello\n", quiet=True):
    """openssl s_client against an echo: (status, what it said, the info)."""
    thread = t.serve(keep)
    p = subprocess.run(["openssl", "s_client", "-connect",
                        "127.0.0.1:%d" % t.port] +
                       (["-quiet", "-no_ign_eof"] if quiet else []) +
                       list(options), input=text, capture_output=True,
                       timeout=malle.PATIENCE)
    thread.join(malle.PATIENCE)
    return p.returncode, p.stdout + p.stderr, infos[-1]


def fingerprint(name):
    pem = open(os.path.join(t.tls, name, "cert.pem")).read()
    return hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem)).digest()


# versions, names, what the session is told
for version, label in ((TLS12, b"TLSv1.2"), (TLS13, b"TLSv1.3")):
    for name, folder in (("mail.exemple.test", ""), ("Autre.TEST", "autre.test"),
                         ("unknown.test", "")):
        thread = t.serve(keep)
        c = t.connect(version, name)
        c.sendall(b"hello")
        said = c.recv(10)
        c_name = c.cipher()[0]
        der = hashlib.sha256(c.getpeercert(True)).digest()
        c.unwrap()
        c.close()
        thread.join(malle.PATIENCE)
        i = infos[-1]
        ok(said == b"hello" and i["ok"] == 1 and i["version"] == label and
           i["cipher"].decode() == c_name,
           "%s with the name %s" % (label.decode(), name))
        ok(i["name"].decode() == name.lower(), "the name is told")
        ok(der == fingerprint(folder) == i["endpoint"],
           "its certificate, and tls-server-end-point")
        ok(len(i["exporter"]) == 32, "tls-exporter is there")

# the exporter is the one that the client sees
code, out, i = s_client("-tls1_3", "-keymatexport", "EXPORTER-Channel-Binding",
                        "-keymatexportlen", "32", quiet=False)
ok(b"Keying material: " + i["exporter"].hex().upper().encode() in out,
   "both sides see the same tls-exporter")

# what is too old or wrong
for options, text in ((["-tls1_1", "-cipher", "DEFAULT:@SECLEVEL=0"],
                       "TLS 1.1"),
                      (["-tls1_2", "-cipher", "AES128-GCM-SHA256"],
                       "no forward secrecy"),
                      (["-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-SHA"],
                       "CBC"),
                      (["-tls1_2", "-cipher", "ECDHE-RSA-AES128-GCM-SHA256"],
                       "an RSA certificate only")):
    code, out, i = s_client(*options)
    ok(i is None and code != 0, "refused: " + text)
code, out, i = s_client("-tls1_2", text=b"R\n", quiet=False)
ok(b"RENEGOTIATING" in out and b"no renegotiation" in out, "no renegotiation")
code, out, i = s_client("-tls1_3", "-alpn", "pop3")
ok(code == 0 and i["version"] == b"TLSv1.3", "ALPN is not minded")

# no resumption
for version in ("-tls1_2", "-tls1_3"):
    session = os.path.join(t.folder, "session")
    s_client(version, "-sess_out", session)
    reused = False
    if os.path.exists(session):
        thread = t.serve(keep)
        p = subprocess.run(["openssl", "s_client", "-connect",
                            "127.0.0.1:%d" % t.port, version,
                            "-sess_in", session], input=b"Q\n",
                           capture_output=True, timeout=malle.PATIENCE)
        thread.join(malle.PATIENCE)
        reused = b"Reused" in p.stdout
        os.unlink(session)
    ok(not reused, "no resumption with " + version)

# RFC 5705 and the rest is OpenSSL's; ours are the bytes
blob = os.urandom(10 * 1024 * 1024 + 17)
want = hashlib.sha256(blob).hexdigest()


def pump(c, data):
    """Sends and receives at once; the digest of what came back. One thread:
    OpenSSL does not like two on one connection."""
    got, n, sent = hashlib.sha256(), 0, 0
    view = memoryview(data)
    c.setblocking(False)
    while n < len(data):
        moved = False
        try:
            if sent < len(data):
                sent += c.send(view[sent:sent + 65536])
                moved = True
        except (ssl.SSLWantWriteError, ssl.SSLWantReadError):
            pass
        try:
            more = c.recv(65536)
            if not more:
                break
            got.update(more)
            n += len(more)
            moved = True
        except (ssl.SSLWantWriteError, ssl.SSLWantReadError):
            pass
        if not moved and select.select(
                [c], [c] if sent < len(data) else [], [],
                malle.PATIENCE) == ([], [], []):
            break
    c.setblocking(True)
    return got.hexdigest()


for version in (TLS12, TLS13):
    thread = t.serve(echo)
    c = t.connect(version)
    ok(pump(c, blob) == want, "10 MB there and back at once, %s" % c.version())
    c.close()
    thread.join(malle.PATIENCE)
    ok(not thread.is_alive(), "the session has seen the end")

# ends
def after_end(stream, info):
    """Reads to the end, and only then says something."""
    n = 0
    while True:
        data = stream.recv(65536)
        if not data:
            break
        n += len(data)
    stream.sendall(b"%d" % n)


class HalfClosing:
    """A client that says goodbye and goes on reading (RFC 8446 6.1)."""

    def __init__(self):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        self.s = t.connect(raw=True)
        self.input, self.output = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.input, self.output)

    def do(self, what, *args):
        """One operation, with all the input and output that it takes."""
        while True:
            try:
                result = what(*args)
            except ssl.SSLWantReadError:
                result = None
            if self.output.pending:
                self.s.sendall(self.output.read())
            if result is not None or what == self.tls.unwrap:
                return result
            more = self.s.recv(65536)
            if not more:
                return None
            self.input.write(more)


thread = t.serve(after_end)
c = HalfClosing()
c.do(lambda: c.tls.do_handshake() or 1)
c.do(c.tls.write, b"x" * 10000)
try:
    c.do(c.tls.unwrap)
except ssl.SSLError:
    pass
ok(c.do(c.tls.read, 100) == b"10000",
   "a client that has said goodbye still gets its answer")
c.s.close()
thread.join(malle.PATIENCE)
ok(not thread.is_alive(), "then the session ends")

thread = t.serve(after_end)
c = t.connect(TLS13)
c.sendall(b"x" * 100000)
raw = socket.socket(fileno=os.dup(c.fileno()))
raw.shutdown(socket.SHUT_WR)
ok(c.recv(100) == b"100000", "without a goodbye, too")
c.close()
raw.close()
thread.join(malle.PATIENCE)
ok(not thread.is_alive(), "the session has seen the end")

code, out, i = s_client("-tls1_3", text=b"")
ok(code == 0 and i is not None, "a client that says nothing")


def goodbye(stream, info):
    stream.sendall(b"+OK bye\r\n" * 1000)


for version in (TLS12, TLS13):
    thread = t.serve(goodbye)
    c = t.connect(version)
    data = b""
    while True:
        more = c.recv(1000)
        if not more:
            break
        data += more
    ok(data == b"+OK bye\r\n" * 1000,
       "all is read when the session has closed, and close_notify comes (%s)"
       % c.version())
    c.close()

begun, said = threading.Event(), threading.Event()


def goodbye_unread(stream, info):
    begun.set()
    said.wait(malle.PATIENCE)
    stream.sendall(b"+OK bye\r\n" * 10000)


malle.until(lambda: t.children() == [])
thread = t.serve(goodbye_unread)
c = t.connect(TLS13, room=4096)
begun.wait(malle.PATIENCE)
with malle.held(int(t.children()[0])):
    # More than is read at a time: some is still there at the end.
    c.sendall(b"unread " * 4000)
    malle.is_read(c)
    said.set()
    thread.join(malle.PATIENCE)
malle.until(lambda: t.children() == [])
data = b""
try:
    while True:
        more = c.recv(1000)
        if not more:
            break
        data += more
except OSError as e:
    data = repr(e).encode()
ok(data == b"+OK bye\r\n" * 10000,
   "also when the client's words were never read")
c.close()

gone = []


def wait_end(stream, info):
    gone.append(stream.recv(10))


thread = t.serve(wait_end)
c = t.connect(TLS13)
s = socket.socket(fileno=os.dup(c.fileno()))
s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
c.close()
s.close()
thread.join(malle.PATIENCE)
ok(gone == [b""], "a reset is an end for the session")

# nobody stays behind
ok(malle.until(lambda: t.children() == []), "no process stays behind")
log = t.log()
ok("child-died" not in log and "SIGSYS" not in log and "sandbox:" not in log,
   "none has died")
ok(t.stop() == 0, "it ends when it is told to")
tap.done()
