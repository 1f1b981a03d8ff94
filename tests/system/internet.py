"""internet.py - a small Internet on loopback: DNS and mail servers by script.

    dns = DNS()
    dns.mx("exemple.org", 10, "mx.exemple.org")
    dns.a("mx.exemple.org", "127.0.0.2")
    server = Server("127.0.0.2", port, hooks={"RCPT": "450 4.2.0 Later"})

A server takes mail as RFC 5321 says unless a hook says otherwise. hooks is a
dict from a place in the dialogue (CONNECT, EHLO, HELO, STARTTLS, MAIL, RCPT,
DATA, BDAT, END: after the content, RSET, QUIT) to a reply, or to a function of
(session, line) that returns a reply, None for the usual one, or raises Drop.
"""
# SPDX-License-Identifier: ISC
import http.server
import os
import re
import shutil
import socket
import ssl
import struct
import subprocess
import tempfile
import threading
import time

TYPES = {"A": 1, "NS": 2, "CNAME": 5, "SOA": 6, "MX": 15, "TXT": 16,
         "AAAA": 28, "TLSA": 52}
NOERROR, SERVFAIL, NXDOMAIN, REFUSED = 0, 2, 3, 5
HELD = []       # sockets of ports that are kept for us


class Drop(Exception):
    """The server hangs up without a word."""


class Hang(Exception):
    """The server says nothing more and keeps the connection."""


def wire_name(name):
    out = b""
    for label in name.rstrip(".").split("."):
        if label:
            raw = label.encode()
            out += bytes([len(raw)]) + raw
    return out + b"\0"


class DNS:
    """A resolver that knows the names it was told; AD for those in authentic.

    broken: names that get SERVFAIL; silent: names that get no answer; lies: a
    function by name that makes another reply of the right one; soa: by zone,
    (its time, what it says of negative answers), for those that get one.
    """

    def __init__(self, ip="127.0.0.1"):
        self.records = {}       # (name, type) -> [rdata]
        self.names = set()
        self.authentic = set()  # names, or "*" for all
        self.broken, self.silent = set(), set()
        self.lies, self.soa = {}, {}
        self.asked = []
        self.ttl = 300
        # The same number for both: a big answer is asked for over TCP.
        while True:
            self.udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            self.udp.bind((ip, 0))
            self.port = self.udp.getsockname()[1]
            self.tcp = socket.socket()
            self.tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                self.tcp.bind((ip, self.port))
                break
            except OSError:
                self.udp.close()
                self.tcp.close()
        self.tcp.listen()
        self.address = "%s:%d" % (ip, self.port)
        for target in (self._serve_udp, self._serve_tcp):
            threading.Thread(target=target, daemon=True).start()

    def add(self, name, kind, rdata):
        name = name.lower().rstrip(".")
        self.records.setdefault((name, TYPES[kind]), []).append(rdata)
        while name:
            self.names.add(name)
            name = name.partition(".")[2]

    def a(self, name, *ips):
        for ip in ips:
            self.add(name, "A", socket.inet_aton(ip))

    def aaaa(self, name, *ips):
        for ip in ips:
            self.add(name, "AAAA", socket.inet_pton(socket.AF_INET6, ip))

    def mx(self, name, preference, host):
        self.add(name, "MX", struct.pack("!H", preference) + wire_name(host))

    def cname(self, name, target):
        self.add(name, "CNAME", wire_name(target))

    def txt(self, name, *strings):
        self.add(name, "TXT", b"".join(bytes([len(s)]) + s.encode()
                                       for s in strings))

    def tlsa(self, name, port, usage, selector, matching, data):
        self.add("_%d._tcp.%s" % (port, name), "TLSA",
                 bytes([usage, selector, matching]) + data)

    def forget(self, name, kind):
        self.records.pop((name, TYPES[kind]), None)

    def _find(self, name, kind):
        """The answers, following aliases: [(name, type, rdata)]."""
        found = []
        for _ in range(8):
            rows = self.records.get((name, kind), [])
            found += [(name, kind, r) for r in rows]
            alias = self.records.get((name, TYPES["CNAME"]))
            if rows or not alias:
                break
            found.append((name, TYPES["CNAME"], alias[0]))
            name = self._text(alias[0])
        return name, found

    @staticmethod
    def _text(raw):
        labels, at = [], 0
        while raw[at]:
            labels.append(raw[at + 1:at + 1 + raw[at]].decode())
            at += raw[at] + 1
        return ".".join(labels)

    def answer(self, query, limit=65535):
        """The reply to a query; None: none."""
        number, flags = struct.unpack("!HH", query[:4])
        at = 12
        while query[at]:
            at += query[at] + 1
        name = self._text(query[12:at + 1]).lower()
        question = query[12:at + 5]
        kind = struct.unpack("!H", query[at + 1:at + 3])[0]
        self.asked.append((name, kind))
        if name in self.silent:
            return None
        flags = 0x8180
        if "*" in self.authentic or name in self.authentic:
            flags |= 0x20
        last, found = self._find(name, kind)
        if name in self.broken:
            flags, found = 0x8180 | SERVFAIL, []
        elif not found and last not in self.names:
            flags |= NXDOMAIN
        body = b""
        for owner, rtype, rdata in found:
            body += wire_name(owner) + struct.pack("!HHIH", rtype, 1, self.ttl,
                                                   len(rdata)) + rdata
        count = len(found)
        authority = b"" if any(row[1] == kind for row in found) or \
            flags & 15 == SERVFAIL else self._soa(last)
        if 12 + len(question) + len(body) > limit:
            flags, body, count = flags | 0x200, b"", 0
        reply = struct.pack("!HHHHHH", number, flags, 1, count, bool(
            authority), 0) + question + body + authority
        lie = self.lies.get(name)
        return lie(reply, limit) if lie else reply

    def _soa(self, name):
        """The record of the zone that name is in, if it has one (RFC 2308)."""
        while name and name not in self.soa:
            name = name.partition(".")[2]
        if not name:
            return b""
        ttl, minimum = self.soa[name]
        rdata = wire_name("ns." + name) + wire_name("root." + name) + \
            struct.pack("!5I", 1, 3600, 600, 86400, minimum)
        return wire_name(name) + struct.pack("!HHIH", TYPES["SOA"], 1, ttl,
                                             len(rdata)) + rdata

    def _serve_udp(self):
        while True:
            try:
                query, peer = self.udp.recvfrom(4096)
                reply = self.answer(query, 1200)
                if reply is not None:
                    self.udp.sendto(reply, peer)
            except OSError:
                return

    @staticmethod
    def _exactly(conn, n):
        """As many bytes; less where the other side has gone."""
        return conn.recv(n, socket.MSG_WAITALL)

    def _serve_tcp(self):
        while True:
            try:
                conn, _ = self.tcp.accept()
            except OSError:
                return
            try:
                with conn:
                    size = struct.unpack("!H", self._exactly(conn, 2))[0]
                    reply = self.answer(self._exactly(conn, size))
                    if reply is not None:
                        conn.sendall(struct.pack("!H", len(reply)) + reply)
            except (OSError, struct.error):
                pass

    def close(self):
        self.udp.close()
        self.tcp.close()


class Authority:
    """A certificate authority, and certificates that it signs."""

    def __init__(self):
        self.dir = tempfile.mkdtemp(prefix="malle-ca-")
        os.chmod(self.dir, 0o755)
        self.ca = os.path.join(self.dir, "ca.pem")
        self._key(os.path.join(self.dir, "ca.key"))
        self._run("req", "-x509", "-new", "-key", self.dir + "/ca.key",
                  "-subj", "/CN=Test authority", "-days", "30", "-out",
                  self.ca)
        os.chmod(self.ca, 0o644)

    def _run(self, *argv, **more):
        return subprocess.run(["openssl"] + list(argv), check=True,
                              stderr=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, **more).stdout

    def _key(self, path, rsa=False):
        self._run("genpkey", "-out", path, *(
            ["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"] if rsa
            else ["-algorithm", "EC", "-pkeyopt",
                  "ec_paramgen_curve:prime256v1"]))

    def certificate(self, *names, rsa=False, old=False):
        """(chain file, key file) for the names; IP addresses too. An old one
        has the first name as its common name only."""
        base = os.path.join(self.dir, names[0])
        self._key(base + ".key", rsa)
        self._run("req", "-new", "-key", base + ".key", "-subj",
                  "/CN=" + names[0], "-out", base + ".csr")
        with open(base + ".ext", "w") as f:
            if not old:
                f.write("subjectAltName=" + ",".join(
                    ("IP:" if re.match(r"[0-9.]+$", n) else "DNS:") + n
                    for n in names))
        self._run("x509", "-req", "-in", base + ".csr", "-CA", self.ca,
                  "-CAkey", self.dir + "/ca.key", "-CAcreateserial", "-days",
                  "30", "-extfile", base + ".ext", "-out", base + ".pem")
        with open(base + ".pem", "a") as f, open(self.ca) as ca:
            f.write(ca.read())
        return base + ".pem", base + ".key"

    def digest(self, path, selector):
        """SHA-256 of the certificate, or of its key (TLSA matching 1)."""
        import hashlib
        if selector == 0:
            der = self._run("x509", "-in", path, "-outform", "DER")
        else:
            pem = self._run("x509", "-in", path, "-noout", "-pubkey")
            der = self._run("pkey", "-pubin", "-outform", "DER", input=pem)
        return hashlib.sha256(der).digest()

    def close(self):
        shutil.rmtree(self.dir, ignore_errors=True)


class PolicyPage(http.server.BaseHTTPRequestHandler):
    """The page of an MTA-STS policy; who derives from it says which, and has
    the hosts that it was asked for in asked."""
    policy, asked = b"", []

    def do_GET(self):
        self.asked.append(self.headers["Host"])
        self.send_response(200)
        self.send_header("Content-Type", "text/plain")
        self.end_headers()
        self.wfile.write(self.policy)

    def log_message(self, *args):
        pass


class Session:
    """One connection of a Server."""

    def __init__(self, server, conn):
        self.server, self.conn = server, conn
        self.buffer = b""
        self.lines = []         # commands as they came
        self.tls = None         # version
        self.resumed = False
        self.sni = None
        self.helo = None
        self.ended = threading.Event()
        self.lock = threading.Lock()
        self._reset()
        self.messages = 0

    def _reset(self):
        self.sender = None
        self.mail_line = ""
        self.rcpts = []
        self.chunks = b""

    def _more(self):
        data = self.conn.recv(65536)
        if not data:
            raise Drop()
        self.buffer += data

    def line(self):
        while b"\n" not in self.buffer:
            self._more()
        line, self.buffer = self.buffer.split(b"\n", 1)
        return line.rstrip(b"\r").decode("utf-8", "replace")

    def exactly(self, n):
        while len(self.buffer) < n:
            self._more()
        data, self.buffer = self.buffer[:n], self.buffer[n:]
        return data

    def content(self):
        while not (self.buffer.startswith(b".\r\n") or
                   b"\r\n.\r\n" in self.buffer):
            self._more()
        if self.buffer.startswith(b".\r\n"):
            data, self.buffer = b"", self.buffer[3:]
        else:
            data, self.buffer = self.buffer.split(b"\r\n.\r\n", 1)
            data += b"\r\n"
        if data.startswith(b"."):
            data = data[1:]
        return data.replace(b"\r\n.", b"\r\n")

    def say(self, reply):
        if isinstance(reply, str):
            reply = reply.encode("utf-8", "surrogateescape") + b"\r\n"
        self.conn.sendall(reply)

    def hook(self, place, line=""):
        """What the script says at this place; None: the usual."""
        hook = self.server.hooks.get(place)
        if callable(hook):
            return hook(self, line)
        return hook

    def run(self):
        try:
            self.say(self.hook("CONNECT") or "220 %s ESMTP" % self.server.name)
            while True:
                line = self.line()
                self.lines.append(line)
                if not self.command(line):
                    break
        except Hang:
            # Until the other side goes.
            self.conn.settimeout(60)
            try:
                while self.conn.recv(65536):
                    pass
            except OSError:
                pass
        except (Drop, OSError):
            pass
        finally:
            try:
                with self.lock:
                    self.conn.close()
            except OSError:
                pass
            self.ended.set()

    def cut(self):
        """Ends it from outside. Its own thread closes the connection: TLS would
        read on from whatever has the number of the descriptor next."""
        try:
            with self.lock:
                socket.socket.shutdown(self.conn, socket.SHUT_RDWR)
        except OSError:
            pass

    def command(self, line):
        verb = line.split(" ", 1)[0].upper()
        reply = self.hook(verb, line) if verb != "BDAT" else None
        usual = getattr(self, "do_" + verb.lower(), None)
        if usual is None:
            self.say(reply or "500 5.5.1 What?")
            return True
        return usual(line, reply) is not False

    def do_ehlo(self, line, reply):
        self.helo = line[5:]
        if reply is None:
            words = list(self.server.extensions)
            if self.server.tls and not self.tls:
                words.append("STARTTLS")
            if self.tls:
                words += self.server.tls_extensions
            rows = ["250-" + self.server.name] + ["250-" + w for w in words]
            rows[-1] = "250 " + rows[-1][4:]
            reply = "\r\n".join(rows)
        self._reset()
        self.say(reply)

    def do_helo(self, line, reply):
        self.helo = line[5:]
        self._reset()
        self.say(reply or "250 " + self.server.name)

    def do_starttls(self, line, reply):
        if reply is not None:
            self.say(reply)
            return
        self.say("220 2.0.0 Go")
        self.starttls()

    def starttls(self):
        self.server.handshake.session = self
        self.conn = self.server.context().wrap_socket(self.conn,
                                                      server_side=True)
        self.tls = self.conn.version()
        self.resumed = self.conn.session_reused
        self.buffer = b""

    def do_auth(self, line, reply):
        import base64
        words = line.split()
        if words[1].upper() == "LOGIN":
            self.say("334 VXNlcm5hbWU6")
            user = base64.b64decode(self.line()).decode()
            self.say("334 UGFzc3dvcmQ6")
            password = base64.b64decode(self.line()).decode()
        else:
            user, password = base64.b64decode(words[2]).decode().split(
                "\0")[1:]
        good = (user, password) == self.server.login
        self.say(reply or ("235 2.7.0 Welcome" if good else
                           "535 5.7.8 Wrong password"))

    def do_mail(self, line, reply):
        if reply is None:
            self._reset()
            self.sender = re.search(r"<(.*?)>", line).group(1)
            self.mail_line = line
        self.say(reply or "250 2.1.0 Sender taken")

    def do_rcpt(self, line, reply):
        if self.sender is None:
            self.say(reply or "503 5.5.1 MAIL first")
            return
        if reply is None or reply.startswith("2"):
            self.rcpts.append((re.search(r"<(.*?)>", line).group(1), line))
        self.say(reply or "250 2.1.5 Recipient taken")

    def do_data(self, line, reply):
        if reply is not None and not reply.startswith("354"):
            self.say(reply)
            return
        if not self.rcpts:
            self.say("554 5.5.1 No valid recipients" if self.sender is not None
                     else "503 5.5.1 MAIL first")
            return
        self.say(reply or "354 Go on")
        self.finish(self.content(), "DATA")

    def do_bdat(self, line, reply):
        words = line.split()
        self.chunks += self.exactly(int(words[1]))
        if not self.rcpts:
            self.say("503 5.5.1 No valid recipients")
        elif len(words) > 2:
            self.finish(self.chunks, "BDAT")
        else:
            self.say("250 2.0.0 More")

    def finish(self, data, how):
        reply = self.hook("END", data)
        if reply is None or reply.startswith("2"):
            self.server.take(dict(
                sender=self.sender, rcpts=[r for r, _ in self.rcpts],
                rcpt_lines=[l for _, l in self.rcpts], data=data, how=how,
                mail_line=self.mail_line, tls=self.tls, session=self))
        self.messages += 1
        self._reset()
        self.say(reply or "250 2.0.0 Kept")

    def do_rset(self, line, reply):
        self._reset()
        self.say(reply or "250 2.0.0 Forgotten")

    def do_noop(self, line, reply):
        self.say(reply or "250 2.0.0 Yes")

    def do_quit(self, line, reply):
        self.say(reply or "221 2.0.0 Good-bye")
        return False


class Server:
    """A mail server by script, a thread for each connection."""

    EXTENSIONS = ("PIPELINING", "SIZE 10000000", "8BITMIME", "DSN",
                  "ENHANCEDSTATUSCODES")

    def __init__(self, ip="127.0.0.1", port=0, name="mx.exemple.org",
                 hooks=None, extensions=EXTENSIONS, tls=None,
                 tls_extensions=(), login=None):
        self.name, self.hooks = name, dict(hooks or {})
        self.extensions, self.tls_extensions = extensions, list(tls_extensions)
        self.tls = tls          # (chain, key), or None
        self.login = login
        self.messages, self.sessions = [], []
        self.lock = threading.Lock()
        self.contexts, self.handshake = {}, threading.local()
        six = ":" in ip
        self.socket = socket.socket(socket.AF_INET6 if six else socket.AF_INET)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if six:
            # The same port of 127.0.0.1 is another server's.
            self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        self.socket.bind((ip, port))
        self.ip, self.port = self.socket.getsockname()[:2]
        self.socket.listen(128)
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def context(self):
        """That of the certificate; it is kept, for its tickets."""
        with self.lock:
            if self.tls not in self.contexts:
                c = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
                c.load_cert_chain(*self.tls)

                def name(_, sni, __):
                    self.handshake.session.sni = sni
                c.sni_callback = name
                self.contexts[self.tls] = c
            return self.contexts[self.tls]

    def take(self, message):
        with self.lock:
            message["time"] = time.time()
            self.messages.append(message)

    def _serve(self):
        while True:
            try:
                conn, _ = self.socket.accept()
            except OSError:
                return
            conn.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            session = Session(self, conn)
            self.sessions.append(session)
            threading.Thread(target=self._session, args=(session,),
                             daemon=True).start()

    def _session(self, session):
        session.run()

    def recipients(self):
        """Everybody who has got something, in order."""
        return [r for m in self.messages for r in m["rcpts"]]

    def close(self):
        try:
            self.socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        # Closed earlier, its number may be that of the next server, whose
        # connections this thread would take.
        self.thread.join()
        self.socket.close()
        for s in self.sessions:
            s.cut()
        for s in self.sessions:
            s.ended.wait(0.5)


def shared_port(ips):
    """A port of all of the addresses: whoever listens with SO_REUSEADDR can
    have it, and nobody is given it by chance while this process lives."""
    while True:
        held, port = [], 0
        try:
            for ip in ips:
                held.append(socket.socket())
                held[-1].bind((ip, port))
                port = held[-1].getsockname()[1]
            for s in held:
                s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            HELD.extend(held)
            return port
        except OSError:
            for s in held:
                s.close()
