#!/usr/bin/env python3
"""tls-hostile.t - no client, no session and no missing key hurts malle-tls."""

import os
import shutil
import sys
import time
import warnings

warnings.simplefilter("ignore")
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from authd import Tap
from tlsd import *

tap = Tap()
ok = tap.ok
t = Tls()
SANITIZED = "/san" in BUILD


def serves(version=ssl.TLSVersion.TLSv1_3):
    thread = t.serve(echo)
    c = t.connect(version)
    c.sendall(b"hello")
    said = c.recv(10)
    c.close()
    thread.join(malle.PATIENCE)
    return said == b"hello" and not thread.is_alive()


def handed():
    """A client's end and the session's end of one connection."""
    c = t.connect(raw=True)
    client, _ = t.tcp.accept()
    return c, t.hand_over(client)


ok(serves(), "it serves")

# one that takes its time: it is met again at the end
slow_start = time.monotonic()
slow, slow_session = handed()
slow.sendall(b"\x16")

# what is no TLS
for what, data in (("HTTP", b"GET / HTTP/1.0\r\n\r\n"),
                   ("SMTP", b"EHLO me\r\n" * 1000),
                   ("noise", bytes(range(256)) * 100),
                   ("a handshake that never was",
                    b"\x16\x03\x01\xff\xff" + b"\1" * 65535),
                   ("an SSLv2 hello",
                    b"\x80\x2e\x01\x00\x02\x00\x15\x00\x00\x00\x10")):
    c, s = handed()
    try:
        c.sendall(data)
        if what == "an SSLv2 hello":
            c.shutdown(socket.SHUT_WR)
    except OSError:
        pass        # closed before it had all
    try:
        answer = s.recv(10)
    except OSError as e:
        answer = e
    ok(answer == b"", "%s: closed without a word to the session" % what)
    c.close()
    s.close()

# one side goes away
c, s = handed()
c.close()
ok(s.recv(10) == b"", "a client that leaves at once")
s.close()
c, s = handed()
c.sendall(b"\x16\x03\x01\x02\x00\x01\x00")
c.close()
ok(s.recv(10) == b"", "a client that leaves inside its hello")
s.close()
c, s = handed()
s.close()
ok(c.recv(10) == b"", "a session that leaves during the handshake")
c.close()

left = []


def leave(stream, info):
    left.append(info)


thread = t.serve(leave)
c = t.connect()
thread.join(malle.PATIENCE)
ok(c.recv(10) == b"", "a session that leaves after the handshake")
c.close()


def big(stream, info):
    try:
        stream.sendall(b"x" * 50000000)
    except OSError:
        left.append("stopped")


thread = t.serve(big)
c = t.connect()
c.recv(100)
c.close()
thread.join(malle.PATIENCE)
ok(left[-1] == "stopped", "a client that leaves while it is told much")

# sessions that are none
def raw(data, fds):
    s = malle.unix(t.path, socket.SOCK_STREAM)
    control = [(socket.SOL_SOCKET, socket.SCM_RIGHTS,
                array.array("i", fds))] if fds else []
    s.sendmsg([data], control)
    return s


a, b = socket.socketpair()
for what, data, fds in (("another protocol", b"\2", [a.fileno()]),
                        ("no descriptor", b"\1", []),
                        ("fifty descriptors", b"\1", [a.fileno()] * 50),
                        ("a descriptor of a file", b"\1",
                         [os.open("/dev/null", os.O_RDWR)])):
    s = raw(data, fds)
    try:
        if what == "fifty descriptors":
            s.shutdown(socket.SHUT_RDWR)
        answer = s.recv(10)
    except OSError:
        answer = b""
    ok(answer == b"", what)
    s.close()
s = malle.unix(t.path, socket.SOCK_STREAM)
ok(s.recv(10) == b"", "a session that says nothing is sent away")
s.close()
ok(serves() and serves(ssl.TLSVersion.TLSv1_2), "the others are served")

# many at once
def several():
    for _ in range(100):
        client, _ = t.tcp.accept()
        s = t.hand_over(client)
        threading.Thread(target=lambda s=s: echo(s, read_info(s)),
                         daemon=True).start()


threading.Thread(target=several, daemon=True).start()
clients = [t.connect() for _ in range(100)]
for i, c in enumerate(clients):
    c.sendall(b"%d" % i)
ok([c.recv(10) for c in clients] == [b"%d" % i for i in range(100)],
   "a hundred at once")


def private_kib(pid):
    try:
        with open("/proc/%s/smaps_rollup" % pid) as f:
            return sum(int(l.split()[1]) for l in f
                       if l.startswith("Private_"))
    except OSError:
        return 0        # it has ended meanwhile


def middle():
    sizes = sorted(filter(None, map(private_kib, t.children())))
    return sizes[len(sizes) // 2]


# Memory is given back after a second of silence.
ok(SANITIZED or malle.until(lambda: middle() < 300, step=0.2),
   "an idle connection has %d KiB of its own" % middle())
with open("/proc/%d/status" % t.process.pid) as f:
    status = dict(l.split(":\t", 1) for l in f)
ok(int(status["VmLck"].split()[0]) > 0, "the keys are locked in memory")
ok(os.getuid() != 0 or status["Uid"].split()[0] == "65534", "it is not root")
ok(SANITIZED or status["Seccomp"].strip() == "2", "it is confined")

# SIGHUP: a new process with new keys, connections go on with the old one
der = clients[0].getpeercert(True)
make_certificate(t.tls, "mail.exemple.test")
ok(t.stop(signal.SIGHUP) == 0, "SIGHUP ends the one that accepts")
t.start()
for i, c in enumerate(clients):
    c.sendall(b"again %d" % i)
ok([c.recv(20) for c in clients] == [b"again %d" % i for i in range(100)],
   "its connections go on")
thread = t.serve(echo)
c = t.connect()
ok(c.getpeercert(True) != der, "new ones see the new certificate")
c.close()
thread.join(malle.PATIENCE)
for c in clients:
    c.close()

# keys that cannot be used
def fails(change, text):
    folder = os.path.join(t.folder, "tls")
    saved = folder + ".saved"
    shutil.copytree(folder, saved)
    change(folder)
    before = len(t.log())
    env = dict(os.environ, MALLE_FDS="tls=%d" % t.listen.fileno())
    with open(t.log_path, "ab") as log:
        p = subprocess.run([os.path.join(BUILD, "bin", "malle-tls"), "-c",
                            t.conf], env=env, stderr=log, timeout=malle.PATIENCE,
                           pass_fds=[t.listen.fileno()])
    shutil.rmtree(folder)
    os.rename(saved, folder)
    said = t.log()[before:]
    ok(p.returncode == 78 and "certificate-unusable" in said and
       "hint=" in said, text)


def write(name, text):
    def change(folder):
        with open(os.path.join(folder, name), "w") as f:
            f.write(text)
    return change


fails(lambda f: os.unlink(f + "/cert.pem"), "no certificate")
fails(lambda f: os.unlink(f + "/key.pem"), "no key")
fails(write("cert.pem", "hello"), "a certificate that is none")
fails(write("key.pem", "hello"), "a key that is none")
fails(lambda f: (make_certificate(f + "/x", "x"),
                 os.rename(f + "/x/key.pem", f + "/key.pem")),
      "the key of another certificate")
fails(lambda f: subprocess.run(
    ["openssl", "ec", "-in", f + "/key.pem", "-aes128", "-passout", "pass:x",
     "-out", f + "/key.pem"], check=True, stderr=subprocess.DEVNULL),
      "a key with a pass phrase: nobody is asked for it")

# the slow one
slow_session.settimeout(30 + malle.PATIENCE)
ok(slow_session.recv(10) == b"" and time.monotonic() - slow_start > 25,
   "an endless handshake ends after %d s" % (time.monotonic() - slow_start))
ok("reason=timeout" in t.log(), "and the log says why")

# the end
thread = t.serve(echo)
c = t.connect()
start = time.monotonic()
ok(t.stop() == 0 and time.monotonic() - start > 4,
   "SIGTERM: connections get five seconds")
try:
    ok(c.recv(10) == b"", "then they are cut")
except OSError:
    ok(True, "then they are cut")
log = t.log()
ok("sandbox:" not in log and "child-died" not in log, "none has died")
tap.done()
