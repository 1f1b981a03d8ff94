"""tlsd.py - a malle-tls alone in a folder, and the session's side of it.

Not a test: the tests tls-*.t import it. The test program plays malle-start and
the sessions; the clients are real ones.
"""

import array
import atexit
import os
import shutil
import signal
import socket
import ssl
import struct
import subprocess
import tempfile
import threading

import malle
from authd import take

BUILD = os.environ.get("MALLE_BUILD", "build")


def make_certificate(folder, name, algorithm="ec"):
    """A self-signed certificate for name in folder."""
    os.makedirs(folder, mode=0o755, exist_ok=True)
    kind = {"ec": ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"],
            "rsa": ["-newkey", "rsa:2048"]}[algorithm]
    subprocess.run(["openssl", "req", "-x509", "-nodes", "-days", "30",
                    "-subj", "/CN=" + name, "-addext",
                    "subjectAltName=DNS:" + name,
                    "-keyout", os.path.join(folder, "key.pem"),
                    "-out", os.path.join(folder, "cert.pem")] + kind,
                   check=True, stderr=subprocess.DEVNULL)
    os.chmod(os.path.join(folder, "key.pem"), 0o640)


class Tls:
    def __init__(self, names=(), conf=""):
        self.folder = tempfile.mkdtemp(prefix="malle-tls-")
        self.process = None
        atexit.register(self.clean_up)
        os.chmod(self.folder, 0o755)
        os.mkdir(os.path.join(self.folder, "empty"), 0o755)
        self.tls = os.path.join(self.folder, "tls")
        make_certificate(self.tls, "mail.exemple.test")
        for name, algorithm in names:
            make_certificate(os.path.join(self.tls, name), name, algorithm)
        self.conf = os.path.join(self.folder, "conf")
        with open(self.conf, "w") as f:
            f.write("base = %s\nhostname = mail.exemple.test\n"
                    "user_tls = 65534\n%s" % (self.folder, conf))
        self.path = os.path.join(self.folder, "tls.sock")
        self.listen = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.listen.bind(self.path)
        self.listen.listen(512)
        self.log_path = os.path.join(self.folder, "log")
        self.tcp = socket.socket()
        self.tcp.bind(("127.0.0.1", 0))
        self.tcp.listen(512)
        self.port = self.tcp.getsockname()[1]
        self.start()

    def start(self):
        env = dict(os.environ, MALLE_FDS="tls=%d" % self.listen.fileno(),
                   MALLE_SANDBOX_DENY="kill")
        ready = self.log().count(" ready ")
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                [os.path.join(BUILD, "bin", "malle-tls"), "-c", self.conf],
                env=env, stderr=log, stdout=log,
                pass_fds=[self.listen.fileno()])
        if not malle.until(lambda: self.log().count(" ready ") > ready):
            raise RuntimeError("malle-tls does not start: " + self.log())

    def log(self):
        try:
            with open(self.log_path, errors="replace") as f:
                return f.read()
        except FileNotFoundError:
            return ""

    def clean_up(self):
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def stop(self, signum=signal.SIGTERM):
        if self.process.poll() is None:
            self.process.send_signal(signum)
        return self.process.wait(malle.PATIENCE)

    def children(self):
        with open("/proc/%d/task/%d/children" %
                  (self.process.pid, self.process.pid)) as f:
            return f.read().split()

    def hand_over(self, client):
        """What a session does; client is closed. The clear stream."""
        s = malle.unix(self.path, socket.SOCK_STREAM)
        s.sendmsg([b"\1"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS,
                             array.array("i", [client.fileno()]))])
        client.close()
        return s

    def serve(self, talk):
        """Takes one client of self.tcp in a thread; talk(stream, info)."""
        def run():
            client, _ = self.tcp.accept()
            s = self.hand_over(client)
            try:
                talk(s, read_info(s))
            finally:
                s.close()
        t = threading.Thread(target=run, daemon=True)
        t.start()
        return t

    def connect(self, version=None, name="mail.exemple.test", raw=False,
                room=None):
        """A client; room: how much the kernel takes in for it."""
        s = socket.socket()
        if room:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, room)
        s.settimeout(malle.PATIENCE)
        s.connect(("127.0.0.1", self.port))
        if raw:
            return s
        c = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        c.check_hostname = False
        c.verify_mode = ssl.CERT_NONE
        if version:
            c.minimum_version = c.maximum_version = version
        return c.wrap_socket(s, server_hostname=name)


def read_all(s, n):
    data = b""
    while len(data) < n:
        more = s.recv(n - len(data))
        if not more:
            return data
        data += more
    return data


def read_info(s):
    """What malle-tls says after the handshake, or None when it failed."""
    head = read_all(s, 2)
    if len(head) < 2:
        return None
    data = read_all(s, struct.unpack("<H", head)[0])
    info, rest = {"ok": data[0]}, data[1:]
    for key in ("version", "cipher", "name", "exporter", "endpoint", "subject"):
        info[key], rest = take(rest)
    assert rest == b""
    return info


def echo(stream, info):
    while True:
        data = stream.recv(65536)
        if not data:
            return
        stream.sendall(data)
