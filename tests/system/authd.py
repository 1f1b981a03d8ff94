"""authd.py - a malle-authd alone in a folder, and the session's side of it.

Not a test: the tests authd-*.t import it. The test program plays malle-start,
malle-spawn, malle-registryd and the sessions.
"""

import array
import atexit
import base64
import crypt
import hashlib
import hmac
import os
import shutil
import signal
import socket
import struct
import subprocess
import tempfile

import malle
from wire import Tap, pack, take, write_cdb

BUILD = os.environ.get("MALLE_BUILD", "build")
START, RESPONSE = 1, 2
CONTINUE, OK, NO, TAKEN = 32, 33, 34, 35
SMTP, POP3 = 1, 2
BAD, TEMPORARY, SYNTAX, NO_MECHANISM = 0, 1, 2, 3


def scram_keys(password, iterations=4096, salt=b"0123456789abcdef"):
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, iterations)
    client = hmac.digest(salted, b"Client Key", "sha256")
    return (iterations, salt, hashlib.sha256(client).digest(),
            hmac.digest(salted, b"Server Key", "sha256"))


def secret_record(hashed, uid=70000, state=0, pop3=1, smtp=1, scram=None,
                  folder=""):
    def number(tag, v):
        return struct.pack("<BIQ", tag, 8, v)

    def field(tag, v):
        return struct.pack("<B", tag) + pack(v)

    r = b"\1" + number(2, uid) + number(1, state) + number(9, pop3) + \
        number(10, smtp) + field(11, hashed)
    if folder:
        r += field(24, folder)
    if scram:
        r += number(12, scram[0]) + field(13, scram[1]) + \
            field(14, scram[2]) + field(15, scram[3])
    return r


def md5(password):
    """A cheap hash, for tests that need many."""
    return crypt.crypt(password, "$1$saltsalt")


class Authd:
    """One malle-authd. With clock=True no time passes for it but by forward().
    """

    def __init__(self, domains, aliases=None, conf="", pairs=True,
                 clock=False):
        self.folder = tempfile.mkdtemp(prefix="malle-authd-")
        self.process = None
        atexit.register(self.clean_up)
        os.chmod(self.folder, 0o755)
        self.program = os.path.join(BUILD, "bin", "malle-authd")
        if clock:
            self.clock = malle.Clock(self.folder, "authd")
            self.clock.stand()
            self.program = self.clock.program
        self.auth = os.path.join(self.folder, "auth")
        os.mkdir(self.auth, 0o755)
        with open(os.path.join(self.auth, "salt.key"), "wb") as f:
            f.write(b"k" * 32)
        for name, accounts in domains.items():
            self.table(name, accounts)
        if aliases is not None:
            write_cdb(os.path.join(self.auth, "domains.cdb"),
                      {k: v.encode() for k, v in aliases.items()})
        self.conf = os.path.join(self.folder, "conf")
        with open(self.conf, "w") as f:
            f.write("base = %s\nhostname = mail.exemple.test\n"
                    "user_auth = 65534\n%s" % (self.folder, conf))
        self.path = os.path.join(self.folder, "auth.sock")
        self.listen = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.listen.bind(self.path)
        self.listen.listen(512)
        fds = {"auth": self.listen}
        self.spawn = self.registry = None
        if pairs:
            self.spawn, fds["spawn"] = socket.socketpair(
                socket.AF_UNIX, socket.SOCK_SEQPACKET)
            self.registry, fds["registry"] = socket.socketpair(
                socket.AF_UNIX, socket.SOCK_SEQPACKET)
            self.spawn.settimeout(malle.PATIENCE)
            self.registry.settimeout(malle.PATIENCE)
        self.fds = fds
        self.log_path = os.path.join(self.folder, "log")
        self.start()

    def table(self, name, accounts):
        write_cdb(os.path.join(self.auth, name + ".cdb"), accounts)

    def start(self):
        env = dict(os.environ)
        env["MALLE_FDS"] = ",".join("%s=%d" % (k, s.fileno())
                                    for k, s in self.fds.items())
        env["MALLE_SANDBOX_DENY"] = "kill"
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                [self.program, "-c", self.conf],
                env=env, stderr=log, stdout=log,
                pass_fds=[s.fileno() for s in self.fds.values()])
        if not malle.until(lambda: " ready " in self.log()):
            raise RuntimeError("malle-authd does not start: " + self.log())

    def log(self):
        with open(self.log_path, errors="replace") as f:
            return f.read()

    def turn(self):
        """Returns when what was due has been done. A message that no session
        sends is read in a later turn of its loop than the first one was, and
        is answered before that turn looks at what is due."""
        for _ in range(2):
            s = self.login()
            s.answer()
            s.s.send(struct.pack("<H", TAKEN))
            s.answer()
            s.close()

    def forward(self, seconds):
        """So much time has passed, and what was due then has been done."""
        self.clock.forward(seconds)
        self.turn()

    def alive(self):
        return self.process.poll() is None

    def clean_up(self):
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def stop(self, signum=signal.SIGTERM):
        if self.alive():
            self.process.send_signal(signum)
        return self.process.wait(malle.PATIENCE)

    def login(self, **facts):
        return Login(self, **facts)

    def plain(self, name, password, authzid="", **facts):
        """One PLAIN login: (type, what came with it)."""
        s = self.login(initial="%s\0%s\0%s" % (authzid, name, password),
                       **facts)
        try:
            return s.answer()
        finally:
            s.close()

    def told(self):
        """What malle-registryd is told next, as a dict."""
        data = self.registry.recv(65536)
        kind, version = struct.unpack_from("<HH", data)
        operation, rest = take(data[4:])
        n, = struct.unpack_from("<H", rest)
        rest, fields = rest[2:], {}
        for _ in range(n):
            name, rest = take(rest)
            value, rest = take(rest)
            fields[name.decode()] = value.decode()
        assert (kind, version, operation, rest) == (1, 1, b"login", b"")
        return fields


class Login:
    """A session that asks about a login."""

    def __init__(self, daemon, mechanism="PLAIN", service=SMTP,
                 client="192.0.2.1", session="s1", tls=True, initial=None,
                 exporter=b"", endpoint=b"", utf8=False, leftover=b"",
                 fd=None, raw=None, s=None):
        self.s = s or malle.unix(daemon.path)
        if raw is not None:
            self.s.send(raw)
            return
        if isinstance(initial, str):
            initial = initial.encode()
        body = struct.pack("<HHB", START, 1, service) + pack(mechanism) + \
            pack(client) + pack(session) + \
            struct.pack("<BB", tls, initial is not None) + \
            pack(initial or b"") + pack(exporter) + pack(endpoint) + \
            struct.pack("<B", utf8) + pack(leftover)
        control = [] if fd is None else [
            (socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [fd]))]
        self.s.sendmsg([body], control)

    def answer(self):
        data = self.s.recv(65536)
        if not data:
            return None, None
        kind, = struct.unpack_from("<H", data)
        if kind == NO:
            return kind, (data[2], take(data[3:])[0].decode())
        if kind in (CONTINUE, OK):
            return kind, take(data[2:])[0]
        return kind, data[2:]

    def respond(self, response, leftover=b""):
        self.s.send(struct.pack("<H", RESPONSE) + pack(response) +
                    pack(leftover))
        return self.answer()

    def close(self):
        self.s.close()


def scram(daemon, name, password, mechanism="SCRAM-SHA-256", flag="n",
          authzid="", binding=b"", tamper=None, **facts):
    """A whole SCRAM exchange: the last answer, and whether the server has
    proved that it knows the password."""
    def b64(x):
        return base64.b64encode(x).decode()

    gs2 = "%s,%s," % (flag, authzid)
    bare = "n=%s,r=fyko+d2lbbFgONRv9qkxdawL" % name
    s = daemon.login(mechanism=mechanism, initial=gs2 + bare, **facts)
    try:
        kind, value = s.answer()
        if kind != CONTINUE:
            return (kind, value), False
        first = value.decode()
        parts = dict(p.split("=", 1) for p in first.split(","))
        salt = base64.b64decode(parts["s"])
        salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt,
                                     int(parts["i"]))
        key = hmac.digest(salted, b"Client Key", "sha256")
        stored = hashlib.sha256(key).digest()
        without = "c=%s,r=%s" % (b64(gs2.encode() + binding), parts["r"])
        if tamper:
            without = tamper(without)
        message = ",".join((bare, first, without)).encode()
        signature = hmac.digest(stored, message, "sha256")
        proof = bytes(a ^ b for a, b in zip(key, signature))
        kind, value = s.respond("%s,p=%s" % (without, b64(proof)))
        if kind != CONTINUE:
            return (kind, value), False
        server = hmac.digest(hmac.digest(salted, b"Server Key", "sha256"),
                             message, "sha256")
        return s.respond(b""), value.decode() == "v=" + b64(server)
    finally:
        s.close()
