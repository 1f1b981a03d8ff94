"""smtpd_peers.py - a malle-smtpd alone in a folder, with stand-ins around it.

Not a test: the tests smtpd-*.t import it. The test program plays malle-start,
malle-queued, malle-authd and malle-tls, and the clients.
"""

import array
import atexit
import base64
import os
import select
import shutil
import signal
import socket
import ssl
import struct
import subprocess
import tempfile
import threading
import time

import malle
from wire import Tap, pack, take, write_cdb

BUILD = os.environ.get("MALLE_BUILD", "build")
Q_MAIL, Q_RCPT, Q_DATA, Q_COMMIT, Q_RESET, Q_CHECK = 1, 2, 3, 4, 5, 6
Q_DONE, Q_CHECKED = 32, 33
A_START, A_RESPONSE, A_CONTINUE, A_OK, A_NO = 1, 2, 32, 33, 34
PASSWORDS = {"alice@exemple.test": "secret", "bob@exemple.test": "other"}


def number(tag, v):
    return struct.pack("<BIQ", tag, 8, v)


def field(tag, v):
    return struct.pack("<B", tag) + pack(v)


def domain_record(state=0, alias_of=""):
    return b"\1" + number(1, state) + number(2, 70000) + field(3, "fr") + \
        (field(4, alias_of) if alias_of else b"")


def mailbox(state=0, quota=0):
    return b"\1" + number(5, 0) + number(1, state) + number(6, quota) + \
        number(7, 0)


def alias(targets):
    return b"\1" + number(5, 1) + number(1, 0) + field(8, targets)


DOMAINS = {
    "exemple.test": domain_record(),
    "alias.test": domain_record(alias_of="exemple.test"),
    "closed.test": domain_record(state=2),
    "paused.test": domain_record(state=1),
}
ADDRESSES = {
    "alice": mailbox(), "bob": mailbox(), "full": mailbox(quota=1000),
    "huge": mailbox(quota=1000), "gone": mailbox(state=2),
    "resting": mailbox(state=1), "sales": alias("alice@exemple.test"),
    "postmaster": alias("alice@exemple.test"),
}
ACCESS = b"\1" + number(16, 1)


class Message:
    def __init__(self, fields):
        self.__dict__.update(fields)
        self.recipients, self.content, self.packets = [], bytearray(), 0


class Queue(threading.Thread):
    """A malle-queued that keeps everything in memory."""

    def __init__(self, path):
        super().__init__(daemon=True)
        self.listen = listen(path, socket.SOCK_SEQPACKET)
        self.messages, self.resets, self.dropped = [], 0, 0
        self.connections = []
        self.answer = (0, "2.0.0", "queued")
        self.delay = 0
        self.start()

    def run(self):
        while True:
            try:
                c, _ = self.listen.accept()
            except OSError:
                return
            self.connections.append(c)
            threading.Thread(target=self.converse, args=(c,),
                             daemon=True).start()

    def converse(self, c):
        try:
            self.serve(c)
        except BrokenPipeError:
            c.close()

    def serve(self, c):
        m = None
        while True:
            try:
                data = c.recv(65536)
            except OSError:
                data = b""
            if not data:
                self.dropped += m is not None
                c.close()
                return
            kind, data = struct.unpack_from("<H", data)[0], data[2:]
            if kind == Q_MAIL:
                m = Message(self.mail(data))
            elif kind == Q_RCPT:
                address, data = take(data)
                orcpt, rest = take(data[1:])
                assert not rest
                m.recipients.append((address.decode(), data[0],
                                     orcpt.decode()))
            elif kind in (Q_DATA, Q_COMMIT):
                m.content += data
                m.packets += 1
                if kind == Q_COMMIT:
                    m.content = bytes(m.content)
                    time.sleep(self.delay)
                    result, enhanced, text = self.answer
                    if result == 0:
                        self.messages.append(m)
                    m = None
                    c.send(struct.pack("<HB", Q_DONE, result) +
                           pack("id-%d" % len(self.messages)) +
                           pack(enhanced) + pack(text))
            elif kind == Q_RESET:
                self.resets += 1
                m = None
            elif kind == Q_CHECK:
                address, data = take(data)
                result = {b"full@exemple.test": 1,
                          b"huge@exemple.test": 2}.get(address, 0)
                c.send(struct.pack("<HB", Q_CHECKED, result) +
                       pack("4.2.2" if result else "2.0.0") + pack("full"))

    def forgot(self, times):
        """How often it was told to forget, once that is as often as this."""
        malle.until(lambda: self.resets >= times)
        return self.resets

    @staticmethod
    def mail(data):
        version, lane, flags = struct.unpack_from("<HBI", data)
        assert version == 1
        out, data = {"lane": lane, "flags": flags}, data[7:]
        for name in ("sender", "envid", "account", "client", "session",
                     "trace", "protocol"):
            value, data = take(data)
            out[name] = value.decode()
        out["size"], = struct.unpack("<Q", data)
        return out

    def last(self):
        return self.messages[-1]

    def stop(self):
        self.listen.shutdown(socket.SHUT_RDWR)
        self.listen.close()
        for c in self.connections:
            try:
                c.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass


class Auth(threading.Thread):
    """A malle-authd with PLAIN, and a three-step dialogue as SCRAM's."""

    def __init__(self, path):
        super().__init__(daemon=True)
        self.listen = listen(path, socket.SOCK_SEQPACKET)
        self.starts = []
        self.given_up = threading.Event()	# a login that was slow
        self.start()

    def run(self):
        while True:
            try:
                c, _ = self.listen.accept()
            except OSError:
                return
            try:
                self.serve(c)
            except (OSError, struct.error):
                pass
            c.close()

    @staticmethod
    def response(c):
        data = c.recv(65536)
        kind, = struct.unpack_from("<H", data)
        assert kind == A_RESPONSE
        return take(data[2:])[0]

    @staticmethod
    def challenge(c, text):
        c.send(struct.pack("<H", A_CONTINUE) + pack(text))

    def serve(self, c):
        data = c.recv(65536)
        kind, version, service = struct.unpack_from("<HHB", data)
        assert (kind, version, service) == (A_START, 1, 1)
        data, s = data[5:], {}
        for name in ("mechanism", "client", "session"):
            value, data = take(data)
            s[name] = value.decode()
        s["tls"], has_initial = data[0], data[1]
        initial, data = take(data[2:])
        s["exporter"], data = take(data)
        s["endpoint"], data = take(data)
        s["initial"] = initial if has_initial else None
        self.starts.append(s)
        if s["mechanism"] == "PLAIN":
            if not has_initial:
                self.challenge(c, "")
                initial = self.response(c)
            parts = initial.split(b"\0")
            if len(parts) != 3:
                return self.no(c, 2, "syntax")
            name, password = parts[1].decode(), parts[2].decode()
            if name == "down@exemple.test":
                return self.no(c, 1, "later")
            if PASSWORDS.get(name) != password:
                return self.no(c, 0, "bad")
            return self.yes(c, name)
        if not has_initial:
            self.challenge(c, "")
            initial = self.response(c)
        self.challenge(c, b"first:" + initial)
        if initial == b"slow":
            c.close()
            return self.given_up.set()
        if self.response(c) != b"proof":
            return self.no(c, 0, "bad")
        self.challenge(c, "v=final")
        if self.response(c) != b"":
            return self.no(c, 2, "syntax")
        return self.yes(c, "alice@exemple.test")

    @staticmethod
    def no(c, reason, text):
        c.send(struct.pack("<HB", A_NO, reason) + pack(text))

    @staticmethod
    def yes(c, account):
        c.send(struct.pack("<H", A_OK) + pack(account))

    def stop(self):
        self.listen.shutdown(socket.SHUT_RDWR)
        self.listen.close()


class Tls(threading.Thread):
    """A malle-tls: a thread a connection, Python's ssl."""

    def __init__(self, path, cert):
        super().__init__(daemon=True)
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(cert)
        self.exporter, self.endpoint = b"e" * 32, b"p" * 32
        self.listen = listen(path, socket.SOCK_STREAM)
        self.start()

    def run(self):
        while True:
            try:
                c, _ = self.listen.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=(c,),
                             daemon=True).start()

    def serve(self, c):
        fds = array.array("i")
        msg, anc, _, _ = c.recvmsg(1, socket.CMSG_LEN(4))
        for _, _, data in anc:
            fds.frombytes(data)
        raw = socket.socket(fileno=fds[0])
        try:
            client = self.context.wrap_socket(raw, server_side=True)
        except (OSError, ssl.SSLError):
            c.close()
            return
        info = b"\1" + pack(client.version()) + pack(client.cipher()[0]) + \
            pack("") + pack(self.exporter) + pack(self.endpoint) + pack("")
        c.sendall(struct.pack("<H", len(info)) + info)
        self.relay(client, c)
        client.close()
        c.close()

    @classmethod
    def relay(cls, client, c):
        """Both ways in one thread: two must not use one TLS connection."""
        ways = {client: c, c: client}
        while ways:
            for a in select.select(list(ways), [], [])[0]:
                try:
                    open_still = cls.pump(a, ways[a])
                except OSError:
                    open_still = False
                if not open_still:
                    cls.end(ways.pop(a))

    @staticmethod
    def pump(a, b):
        """What a has now goes to b; False at its end."""
        a.settimeout(0)
        try:
            while True:
                data = a.recv(16384)
                if not data:
                    return False
                b.settimeout(None)
                b.sendall(data)
        except (BlockingIOError, ssl.SSLWantReadError):
            return True

    @staticmethod
    def end(s):
        try:
            s.shutdown(socket.SHUT_WR)
        except OSError:
            pass


def listen(path, kind):
    s = socket.socket(socket.AF_UNIX, kind)
    s.bind(path)
    os.chmod(path, 0o666)
    s.listen(512)
    return s


class Smtpd:
    def __init__(self, conf="", access=None, queue=True, program=None,
                 user="65534:65534"):
        self.folder = tempfile.mkdtemp(prefix="malle-smtpd-")
        os.chmod(self.folder, 0o755)
        self.public = os.path.join(self.folder, "public")
        self.tables = os.path.join(self.public, "tables")
        os.makedirs(os.path.join(self.tables, "domains"))
        self.write_tables(access)
        self.conf = os.path.join(self.folder, "conf")
        with open(self.conf, "w") as f:
            f.write("base = %s\nhostname = mail.exemple.test\n"
                    "user_net = %s\n%s" % (self.folder, user, conf))
            if "default_domain" not in conf:
                f.write("default_domain = exemple.test\n")
            # A test has one after another, and they may end late.
            if "sessions_per_host" not in conf:
                f.write("sessions_per_host = 500\n")
        self.cert = os.path.join(self.folder, "cert.pem")
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                        "ec_paramgen_curve:P-256", "-nodes", "-keyout",
                        self.cert + ".key", "-out", self.cert + ".crt",
                        "-subj", "/CN=mail.exemple.test", "-days", "2"],
                       check=True, capture_output=True)
        with open(self.cert, "w") as f:
            for part in (".key", ".crt"):
                with open(self.cert + part) as g:
                    f.write(g.read())
        self.queue = self.start_queue() if queue else None
        self.auth = Auth(os.path.join(self.public, "auth.sock"))
        self.tls = Tls(os.path.join(self.public, "tls.sock"), self.cert)
        self.log_path = os.path.join(self.folder, "log")
        self.sockets, self.ports, names = [], {}, []
        for name in ("smtp", "submission", "submissions"):
            s = socket.socket()
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            s.bind(("127.0.0.1", 0))
            s.listen(1024)
            self.sockets.append(s)
            self.ports[name] = s.getsockname()[1]
            names.append("%s=%d" % (name, s.fileno()))
        env = dict(os.environ)
        env["MALLE_FDS"] = ",".join(names)
        env.setdefault("MALLE_SANDBOX_DENY", "kill")
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                (program or []) +
                [os.path.join(BUILD, "bin", "malle-smtpd"), "-c", self.conf],
                env=env, stderr=log, stdout=log,
                pass_fds=[s.fileno() for s in self.sockets])
        atexit.register(self.discard)
        if not malle.until(lambda: " ready " in self.log()):
            raise RuntimeError("malle-smtpd does not start: " + self.log())

    def start_queue(self):
        path = os.path.join(self.public, "queue.sock")
        if os.path.exists(path):
            os.unlink(path)
        self.queue = Queue(path)
        return self.queue

    def write_tables(self, access=None, addresses=None):
        write_cdb(os.path.join(self.tables, "domains.cdb"), DOMAINS)
        write_cdb(os.path.join(self.tables, "domains", "exemple.test.cdb"),
                  addresses or ADDRESSES)
        write_cdb(os.path.join(self.tables, "access.cdb"),
                  {k: ACCESS for k in access or ()})

    def log(self):
        with open(self.log_path, errors="replace") as f:
            return f.read()

    def logged(self, text):
        """True when a line of the log has every word of text."""
        return malle.until(lambda: any(
            all(w in line for w in text.split())
            for line in self.log().splitlines()))

    def client(self, service="smtp", greet=True, timeout=malle.PATIENCE):
        c = Client(self.ports[service], timeout)
        if service == "submissions":
            c.start_tls()
        if greet:
            c.greeting = c.reply()
        return c

    def sender(self, service="submission", account="alice@exemple.test"):
        """A client that has logged in."""
        c = self.client(service)
        if service == "submission":
            c.say("EHLO c.test")
            c.say("STARTTLS")
            c.start_tls()
        c.say("EHLO c.test")
        token = "\0%s\0%s" % (account, PASSWORDS[account])
        c.login = c.say("AUTH PLAIN " +
                        base64.b64encode(token.encode()).decode())
        return c

    def stop(self, signum=signal.SIGTERM):
        if self.process.poll() is None:
            self.process.send_signal(signum)
        code = self.process.wait(malle.PATIENCE)
        for s in self.sockets:
            s.close()
        self.discard()
        return code

    def discard(self):
        """Leaves nothing behind, also when the test itself has died."""
        if self.process.poll() is None:
            self.process.kill()
        shutil.rmtree(self.folder, ignore_errors=True)


class Client:
    """A client that says what it is told to, right or wrong."""

    def __init__(self, port, timeout=malle.PATIENCE):
        self.s = socket.create_connection(("127.0.0.1", port), timeout)
        self.s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.data = b""

    def start_tls(self):
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        self.s = context.wrap_socket(self.s)

    def send(self, data):
        self.s.sendall(data.encode() if isinstance(data, str) else data)

    def line(self):
        while b"\n" not in self.data:
            more = self.s.recv(65536)
            if not more:
                raise EOFError(self.data)
            self.data += more
        line, self.data = self.data.split(b"\n", 1)
        assert line.endswith(b"\r"), line
        return line[:-1].decode()

    def reply(self):
        """All lines of one answer, joined by LF; "" when it is closed."""
        lines = []
        try:
            while True:
                lines.append(self.line())
                if lines[-1][3:4] != "-":
                    break
        except (EOFError, ConnectionError):
            pass
        return "\n".join(lines)

    def say(self, *commands):
        """Sends the commands in one write; the last answer (or the only)."""
        self.send("".join(c + "\r\n" for c in commands))
        return [self.reply() for _ in commands][-1]

    def codes(self, *commands):
        """The same; the code and enhanced code of each answer."""
        self.send("".join(c + "\r\n" for c in commands))
        return [code(self.reply()) for _ in commands]

    def begin(self, sender="a@b.test", to="alice@exemple.test"):
        """Up to the 354 of DATA."""
        return [code(self.say(x)) for x in (
            "EHLO c.test", "MAIL FROM:<%s>" % sender, "RCPT TO:<%s>" % to,
            "DATA")]

    def content(self, data):
        self.send(data)
        return self.reply()

    def is_closed(self):
        try:
            return self.s.recv(1) == b""
        except ConnectionError:
            return True
        except socket.timeout:
            return False

    def close(self):
        self.s.close()


def code(reply):
    """"250 2.1.0" of an answer; "354" and "220" have no second part."""
    words = reply.split("\n")[-1].replace("-", " ", 1).split(" ")
    if len(words) > 1 and words[1].count(".") == 2 and words[1][0].isdigit():
        return " ".join(words[:2])
    return words[0]
