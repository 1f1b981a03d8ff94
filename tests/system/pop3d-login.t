#!/usr/bin/env python3
"""pop3d-login - malle-pop3d up to the login, with stand-ins for malle-authd and malle-tls.

Rules: RFC 1939 section 4, 2449, 2595, 3206, 5034, 6856, 8314: every command and refusal before login; what
malle-authd is asked; nothing said before STLS counts after it; limits; SIGTERM.
"""
import base64
import os
import re
import select
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import threading
import time

import malle

BUILD = os.path.abspath(os.environ.get("MALLE_BUILD", "build"))
PROGRAM = os.path.join(BUILD, "bin", "malle-pop3d")
TOP = tempfile.mkdtemp(prefix="pop3d-login.")
PUBLIC = os.path.join(TOP, "public")
START, RESPONSE, CONTINUE, OK, NO, TAKEN = 1, 2, 32, 33, 34, 35
BAD, TEMPORARY, SYNTAX, NO_MECHANISM = range(4)
# Nobody else's: the kernel bounds the descriptors that are on their way from all processes of a uid (unix(7)).
UID = 60000 + os.getpid() % 4000
count = failed = 0
os.environ.setdefault("MALLE_SANDBOX_DENY", "kill")


def ok(cond, name, *facts):
    global count, failed
    count += 1
    failed += not cond
    print(f"{'' if cond else 'not '}ok {count} - {name}", flush=True)
    if not cond:
        for fact in facts:
            print("#", repr(fact)[:2000], flush=True)
    return cond


def packed(data):
    return struct.pack("<I", len(data)) + data


class Unpack:
    def __init__(self, data):
        self.data = data

    def take(self, n):
        got, self.data = self.data[:n], self.data[n:]
        return got

    def number(self, n):
        return int.from_bytes(self.take(n), "little")

    def bytes(self):
        return self.take(self.number(4))


def unpack_start(data):
    u = Unpack(data)
    s = {"type": u.number(2), "version": u.number(2), "service": u.number(1)}
    for key in ("mechanism", "client", "session"):
        s[key] = u.bytes()
    s["tls"], s["has_initial"] = u.number(1), u.number(1)
    for key in ("initial", "exporter", "endpoint"):
        s[key] = u.bytes()
    s["utf8"] = u.number(1)
    s["leftover"] = u.bytes()
    s["rest"] = u.data
    return s


def no(reason, text):
    return struct.pack("<HB", NO, reason) + packed(text)


class Auth:
    """A stand-in for malle-authd: obeys self.script, a list of functions (connection, start, client)."""

    def __init__(self):
        self.asked, self.script, self.responses = [], [], []
        self.listener = None
        self.open()

    def open(self):
        path = os.path.join(PUBLIC, "auth.sock")
        if os.path.exists(path):
            os.unlink(path)
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.listener.bind(path)
        os.chmod(path, 0o666)
        self.listener.listen(50)
        threading.Thread(target=self.serve, args=(self.listener,), daemon=True).start()

    def serve(self, listener):
        while True:
            try:
                c, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=self.one, args=(c,), daemon=True).start()

    def one(self, c):
        data, fds, _, _ = socket.recv_fds(c, 65536, 4)
        start = unpack_start(data)
        start["fds"] = len(fds)
        self.asked.append(start)
        client = socket.socket(fileno=fds[0]) if fds else None
        act = self.script.pop(0) if self.script else refuse
        act(c, start, client)
        c.close()
        if client:
            client.close()


def refuse(c, _start, _client):
    c.send(no(BAD, b"wrong name or password"))


def accept(c, start, client):
    """Logs in, then plays the mailbox session for one command."""
    c.send(struct.pack("<H", TAKEN))
    client.sendall(b"+OK logged in\r\n")
    data = start["leftover"]
    while not data.endswith(b"\r\n"):
        data += client.recv(1000) or b"\r\n"
    client.sendall(b"+OK heard " + data)


def dialogue(*challenges, then=accept):
    def act(c, start, client):
        for challenge in challenges:
            c.send(struct.pack("<H", CONTINUE) + packed(challenge))
            u = Unpack(c.recv(65536))
            if u.number(2) != RESPONSE:
                auth.responses.append(None)
                return
            auth.responses.append(u.bytes())
            start["leftover"] = u.bytes()
        then(c, start, client)
    return act


class Tls:
    """A stand-in for malle-tls: no TLS, but its side of the agreement. While go is not set it takes no client."""

    def __init__(self):
        self.come, self.go = [], threading.Event()
        self.go.set()
        self.path = os.path.join(PUBLIC, "tls.sock")
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.listener.bind(self.path)
        os.chmod(self.path, 0o666)
        self.listener.listen(50)
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            c, _ = self.listener.accept()
            threading.Thread(target=self.one, args=(c,), daemon=True).start()

    def one(self, c):
        select.select([c], [], [])
        self.come.append(c)
        self.go.wait(malle.PATIENCE)
        data, fds, _, _ = socket.recv_fds(c, 1, 1)
        if not fds:
            return
        client = socket.socket(fileno=fds[0])
        if data != b"\x01" or client.recv(5) != b"HELLO":
            client.close()
            c.close()
            return
        info = b"\x01" + packed(b"TLSv1.3") + packed(b"AES") + packed(b"") + packed(b"E" * 32) + \
            packed(b"P" * 32) + packed(b"")
        c.sendall(struct.pack("<H", len(info)) + info)
        for a, b in ((c, client), (client, c)):
            threading.Thread(target=relay, args=(a, b), daemon=True).start()


def relay(a, b):
    try:
        while data := a.recv(65536):
            b.sendall(data)
        b.shutdown(socket.SHUT_WR)
    except OSError:
        pass


class Daemon:
    def __init__(self, **settings):
        conf = {"hostname": "mail.exemple.test", "base": TOP, "auth_clear_on_loopback": "yes",
                "user_net": f"{UID}:{UID}", "sessions_per_host": 40, **settings}
        path = os.path.join(TOP, "malleposte.conf")
        with open(path, "w") as f:
            f.writelines(f"{k} = {v}\n" for k, v in conf.items())
        self.log = tempfile.NamedTemporaryFile(dir=TOP, delete=False)
        listeners = [socket.create_server(("127.0.0.1", 0)) for _ in range(3)]
        names = ["pop3", "pop3", "pop3s"]
        self.ports = [s.getsockname()[1] for s in listeners]
        fds = ",".join(f"{n}={s.fileno()}" for n, s in zip(names, listeners))
        self.p = subprocess.Popen([PROGRAM, "-c", path], env={**os.environ, "MALLE_FDS": fds},
                                  pass_fds=[s.fileno() for s in listeners], stderr=self.log)
        for s in listeners:
            s.close()

    def said(self, pattern, wait=malle.PATIENCE):
        """Waits for a line of the log."""
        end = time.monotonic() + wait
        while True:
            with open(self.log.name) as f:
                text = f.read()
            if re.search(pattern, text):
                return True
            if time.monotonic() > end:
                print("# log:", text[-3000:].replace("\n", "\n# "))
                return False
            time.sleep(0.05)

    def stop(self):
        self.p.send_signal(signal.SIGTERM)
        return self.p.wait(malle.PATIENCE)


class Client:
    def __init__(self, port, greeting=True):
        self.s = socket.create_connection(("127.0.0.1", port), malle.PATIENCE)
        self.f = self.s.makefile("rb")
        self.greeting = self.f.readline() if greeting else None

    def ask(self, line):
        self.s.sendall(line + b"\r\n")
        return self.f.readline()

    def many(self, line):
        lines = [self.ask(line)]
        while lines[-1] not in (b".\r\n", b""):
            lines.append(self.f.readline())
        return lines

    def rest(self):
        return self.f.read()

    def close(self):
        self.f.close()
        self.s.close()


def b64(data):
    return base64.b64encode(data)


def test_start():
    def run(*args, env=None):
        return subprocess.run([PROGRAM, *args], capture_output=True, text=True, env=env, timeout=60)
    r = run("-h")
    ok(r.returncode == 0 and r.stdout.startswith("usage: malle-pop3d [-h] [-c FILE]\n"), "-h", r)
    r = run("-x")
    ok(r.returncode == 64 and "usage:" in r.stderr, "an unknown option", r)
    r = run("extra")
    ok(r.returncode == 64, "an argument", r)
    r = run("-c", os.path.join(TOP, "none"))
    ok(r.returncode == 78, "no configuration", r)
    path = os.path.join(TOP, "min.conf")
    with open(path, "w") as f:
        f.write(f"hostname = mail.exemple.test\nbase = {TOP}\n")
    r = run("-c", path)
    ok(r.returncode == 64 and "no pop3 or pop3s in MALLE_FDS" in r.stderr, "no sockets", r)


CAPA = [b"+OK\r\n", b"TOP\r\n", b"UIDL\r\n", b"RESP-CODES\r\n", b"AUTH-RESP-CODE\r\n",
        b"PIPELINING\r\n", b"EXPIRE NEVER\r\n", b"LOGIN-DELAY 0\r\n", b"STLS\r\n", b"USER\r\n",
        b"SASL PLAIN SCRAM-SHA-256\r\n", b"UTF8 USER\r\n", b"IMPLEMENTATION Malleposte\r\n", b".\r\n"]


def test_commands(d):
    c = Client(d.ports[0])
    ok(c.greeting == b"+OK mail.exemple.test Malleposte POP3\r\n", "greeting", c.greeting)
    got = c.many(b"CAPA")
    ok(got == CAPA, "CAPA", got)
    for verb in (b"STAT", b"LIST", b"UIDL", b"RETR 1", b"TOP 1 1", b"DELE 1", b"RSET", b"NOOP"):
        got = c.ask(verb)
        ok(got == b"-ERR only after login\r\n", f"{verb.decode()} before login", got)
    for line, want in (
            (b"FROB", b"-ERR unknown command"), (b"", b"-ERR unknown command"),
            (b"APOP alice 0", b"-ERR unknown command"), (b"LANG", b"-ERR unknown command"),
            (b"CAPA x", b"-ERR no argument is allowed here"), (b"QUIT x", b"-ERR no argument is allowed here"),
            (b"STLS x", b"-ERR no argument is allowed here"), (b"USER", b"-ERR an argument is missing"),
            (b"PASS", b"-ERR an argument is missing"), (b"AUTH", b"-ERR an argument is missing"),
            (b"PASS secret", b"-ERR the name comes first: USER"),
            (b"USER a\0b", b"-ERR this argument is not understood"),
            (b"AUTH LOGIN", b"-ERR this mechanism is not offered"),
            (b"AUTH SCRAM-SHA-256-PLUS", b"-ERR this mechanism is not offered"),
            (b"AUTH PLAIN !!!", b"-ERR this is not base64"),
            (b"USER " + b"x" * 600, b"-ERR line too long")):
        got = c.ask(line)
        ok(got == want + b"\r\n", f"{line[:30]!r} is refused", got)
    c.close()
    c = Client(d.ports[1])
    ok(c.ask(b"quit") == b"+OK\r\n" and c.rest() == b"", "QUIT, on the second socket")
    ok(d.said(r"no-login session=\S+ client=127.0.0.1 tls=no failures=0 reason=quit"), "its log line")
    c = Client(d.ports[0])
    c.s.sendall(b"CAPA\nQUIT\r\nQUIT\r\n")
    ok(c.rest() == b"-ERR lines end in CRLF\r\n+OK\r\n", "a bare LF")
    c = Client(d.ports[0])
    c.s.sendall(b"X\r\n" * 30)
    ok(c.rest() == b"-ERR unknown command\r\n" * 21 + b"-ERR too many wrong commands\r\n",
       "too many wrong commands")


def test_pass(d):
    auth.asked.clear()
    auth.script = [refuse, accept]
    c = Client(d.ports[0])
    ok(c.ask(b"USER alice@exemple.test") == b"+OK\r\n", "USER")
    got = c.ask(b"PASS  a b\xc3\xa9 ")
    ok(got == b"-ERR [AUTH] wrong name or password\r\n", "a wrong password", got)
    ok(c.ask(b"PASS again") == b"-ERR the name comes first: USER\r\n", "PASS needs a new USER")
    c.s.sendall(b"USER bob\r\nPASS secret\r\nSTAT\r\nLI")
    got = c.f.readline() + c.f.readline()
    c.s.sendall(b"ST\r\n")
    got += c.rest()
    ok(got == b"+OK\r\n+OK logged in\r\n+OK heard STAT\r\nLIST\r\n", "login with commands behind", got)
    a, b = auth.asked
    ok(a["initial"] == b"\0alice@exemple.test\0 a b\xc3\xa9 " and a["mechanism"] == b"PLAIN" and
       a["has_initial"] == 1, "PASS is the rest of the line, spaces too", a)
    ok((a["type"], a["version"], a["service"], a["client"], a["tls"], a["utf8"], a["exporter"],
        a["fds"], a["leftover"], a["rest"]) ==
       (START, 1, 2, b"127.0.0.1", 0, 0, b"", 1, b"", b""), "what malle-authd is told", a)
    ok(b["leftover"] in (b"STAT\r\nLI", b"STAT\r\nLIST\r\n") and a["session"] == b["session"] and
       re.fullmatch(rb"p[0-9a-f]+-[0-9a-f]+-[0-9a-f]+", b["session"]), "the leftover goes along", b)
    for reason, want in ((TEMPORARY, b"-ERR [SYS/TEMP] later\r\n"), (SYNTAX, b"-ERR later\r\n"),
                         (NO_MECHANISM, b"-ERR later\r\n")):
        auth.script = [lambda c, s, k, r=reason: c.send(no(r, b"later"))]
        c = Client(d.ports[0])
        c.ask(b"USER x")
        got = c.ask(b"PASS y")
        ok(got == want, f"refusal for reason {reason}", got)
        c.close()
    auth.script = []
    c = Client(d.ports[0])
    c.s.sendall(b"UTF8\r\n" + b"USER x\r\nPASS y\r\n" * 9)
    got = c.rest()
    ok(got == b"+OK\r\n" + b"+OK\r\n-ERR [AUTH] wrong name or password\r\n" * 5, "five failures", got)
    ok(auth.asked[-1]["utf8"] == 1, "UTF8 is passed on")
    ok(d.said("failures=5 reason=failures"), "and logged")
    with open(d.log.name) as f:
        ok("secret" not in f.read(), "no password in the log")


def test_auth(d):
    auth.asked.clear()
    auth.responses.clear()
    auth.script = [accept]
    c = Client(d.ports[0])
    got = c.ask(b"auth plain " + b64(b"\0alice\0pw")) + c.ask(b"NOOP") + c.rest()
    ok(got == b"+OK logged in\r\n+OK heard NOOP\r\n" and auth.asked[-1]["initial"] == b"\0alice\0pw" and
       auth.asked[-1]["mechanism"] == b"PLAIN", "AUTH PLAIN with an initial response", got)
    auth.script = [dialogue(b"")]
    c = Client(d.ports[0])
    got = c.ask(b"AUTH PLAIN")
    c.s.sendall(b64(b"\0alice\0pw") + b"\r\nSTAT\r\n")
    got += c.rest()
    ok(got == b"+ \r\n+OK logged in\r\n+OK heard STAT\r\n" and auth.asked[-1]["has_initial"] == 0 and
       auth.responses[-1] == b"\0alice\0pw", "AUTH PLAIN without one; a command behind it", got)
    auth.script = [dialogue(b"r=abc,s=x,i=4096", b"v=ok")]
    c = Client(d.ports[0])
    got = [c.ask(b"AUTH SCRAM-SHA-256 " + b64(b"n,,n=alice,r=a")), c.ask(b64(b"c=biws,r=abc,p=z")),
           c.ask(b""), c.ask(b"NOOP")]
    ok(got == [b"+ " + b64(b"r=abc,s=x,i=4096") + b"\r\n", b"+ " + b64(b"v=ok") + b"\r\n",
               b"+OK logged in\r\n", b"+OK heard NOOP\r\n"] and
       auth.responses[-2:] == [b"c=biws,r=abc,p=z", b""], "SCRAM-SHA-256", got, auth.responses)
    auth.script = [accept]
    c = Client(d.ports[0])
    c.ask(b"AUTH SCRAM-SHA-256 =")
    ok(auth.asked[-1]["has_initial"] == 1 and auth.asked[-1]["initial"] == b"", "an empty initial response")
    c.close()
    auth.script = [dialogue(b"one"), dialogue(b"two"), dialogue(b"three")]
    c = Client(d.ports[0])
    got = [c.ask(b"AUTH PLAIN"), c.ask(b"*"), c.ask(b"AUTH PLAIN"), c.ask(b"not base64"), c.ask(b"AUTH PLAIN"),
           c.ask(b"A" * 9000), c.ask(b"USER x")]
    ok(got == [b"+ b25l\r\n", b"-ERR the login was cancelled\r\n", b"+ dHdv\r\n", b"-ERR this is not base64\r\n",
               b"+ dGhyZWU=\r\n", b"-ERR this is not base64\r\n", b"+OK\r\n"], "cancelled, and nonsense", got)
    c.close()
    long = bytes(5900)
    auth.script = [accept]
    c = Client(d.ports[0])
    ok(c.ask(b"AUTH PLAIN " + b64(long)) == b"+OK logged in\r\n" and auth.asked[-1]["initial"] == long,
       "a long initial response")
    c.close()
    auth.script = [dialogue(b"x" * 12000, then=refuse)]
    c = Client(d.ports[0])
    ok(c.ask(b"AUTH PLAIN") == b"+ " + b64(b"x" * 12000) + b"\r\n", "a long challenge")
    c.close()


def test_auth_away(d):
    for name, act in (("closes", lambda c, s, k: None), ("answers OK", lambda c, s, k: c.send(
            struct.pack("<H", OK) + packed(b"a@b"))), ("talks nonsense", lambda c, s, k: c.send(b"\xff\xff\xff")),
            ("sends a line end", lambda c, s, k: c.send(no(BAD, b"x\r\n+OK")))):
        auth.script = [act]
        c = Client(d.ports[0])
        c.ask(b"USER x")
        c.s.sendall(b"PASS y\r\n")
        got = c.rest()
        ok(got == b"-ERR [SYS/TEMP] the login service does not answer, try again later\r\n",
           f"malle-authd {name}", got)
    auth.listener.shutdown(socket.SHUT_RDWR)
    auth.listener.close()
    c = Client(d.ports[0])
    c.ask(b"USER x")
    ok(c.ask(b"PASS y").startswith(b"-ERR [SYS/TEMP]"), "malle-authd is away")
    auth.open()
    auth.script = [accept]
    c = Client(d.ports[0])
    c.ask(b"USER x")
    ok(c.ask(b"PASS y") == b"+OK logged in\r\n", "and back")
    c.close()


def test_tls(d):
    auth.asked.clear()
    c = Client(d.ports[0])
    ok(c.ask(b"USER mallory") == b"+OK\r\n", "USER in the clear")
    c.s.sendall(b"STLS\r\nUSER mallory\r\n")
    got = c.f.readline()
    ok(got == b"+OK\r\n", "STLS", got)
    c.s.sendall(b"HELLO")
    got = c.ask(b"PASS pw")
    ok(got == b"-ERR the name comes first: USER\r\n", "what was said before STLS is forgotten", got)
    got = c.many(b"CAPA")
    ok(got == [l.replace(b"256\r", b"256 SCRAM-SHA-256-PLUS\r") for l in CAPA if l != b"STLS\r\n"],
       "CAPA under TLS", got)
    ok(c.ask(b"STLS") == b"-ERR TLS is in use already\r\n", "STLS twice")
    auth.script = [dialogue(b"x")]
    got = [c.ask(b"AUTH scram-sha-256-plus " + b64(b"p=tls-exporter")), c.ask(b64(b"y")), c.ask(b"NOOP")]
    a = auth.asked[-1]
    ok(got[1:] == [b"+OK logged in\r\n", b"+OK heard NOOP\r\n"] and a["tls"] == 1 and
       a["mechanism"] == b"SCRAM-SHA-256-PLUS" and a["exporter"] == b"E" * 32 and a["endpoint"] == b"P" * 32,
       "SCRAM-SHA-256-PLUS with its channel bindings", got, a)
    c = Client(d.ports[0])
    ok([c.ask(b"UTF8"), c.ask(b"STLS")] == [b"+OK\r\n", b"-ERR STLS comes before UTF8\r\n"], "STLS after UTF8")
    c.close()
    # Behind STLS in one piece: must not be obeyed, and no answer to it may come.
    c = Client(d.ports[0])
    c.s.sendall(b"STLS\r\nCAPA\r\nUSER x\r\n" + b"NOOP\r\n" * 500)
    got = c.f.readline()
    try:
        c.s.sendall(b"HELLO")
        got += c.ask(b"NOOP")
    except OSError:
        pass
    ok(got in (b"+OK\r\n", b"+OK\r\n-ERR only after login\r\n"), "injection before STLS", got)
    c.close()
    c = Client(d.ports[2], greeting=False)
    c.s.sendall(b"HELLO")
    got = c.f.readline()
    ok(got == b"+OK mail.exemple.test Malleposte POP3\r\n" and b"STLS\r\n" not in c.many(b"CAPA"),
       "a pop3s port begins with TLS", got)
    auth.script = [accept]
    c.ask(b"USER alice")
    ok(c.ask(b"PASS pw") == b"+OK logged in\r\n" and auth.asked[-1]["tls"] == 1, "and logs in")
    c.close()
    c = Client(d.ports[2], greeting=False)
    c.s.sendall(b"GET / HTTP/1.0\r\n\r\n")
    got = b""
    try:
        got = c.rest()
    except OSError:
        pass
    ok(got == b"" and d.said("tls-failed session="), "no TLS on a pop3s port", got)


def test_clear_refused():
    d = Daemon(auth_clear_on_loopback="no")
    c = Client(d.ports[0])
    got = [l for l in CAPA if not l.startswith((b"USER", b"SASL", b"UTF8"))]
    ok(c.many(b"CAPA") == got, "without TLS nothing to log in with is offered")
    for line in (b"USER alice", b"PASS pw", b"AUTH PLAIN", b"AUTH SCRAM-SHA-256 " + b64(b"n,,n=a,r=b")):
        got = c.ask(line)
        ok(got.startswith(b"-ERR [AUTH] a password may be sent under TLS only"), f"{line[:5].decode()} is refused",
           got)
    c.ask(b"STLS")
    c.s.sendall(b"HELLO")
    auth.script = [accept]
    ok(c.ask(b"USER alice") == b"+OK\r\n" and c.ask(b"PASS pw") == b"+OK logged in\r\n", "but not under TLS")
    c.close()
    ok(d.stop() == 0, "SIGTERM")


def test_many_for_tls():
    """So many descriptors on their way to malle-tls, which is slow, as there may be sessions."""
    d = Daemon(sessions_max=100, sessions_per_host=100)
    tls.come.clear()
    tls.go.clear()
    some = [Client(d.ports[2], greeting=False) for _ in range(100)]
    ok(malle.until(lambda: len(tls.come) == 100), "100 clients begin with TLS")
    tls.go.set()
    greeted = 0
    for c in some:
        try:
            c.s.sendall(b"HELLO")
            greeted += c.f.readline().startswith(b"+OK")
        except OSError:
            pass
    ok(greeted == 100, "none is lost before malle-tls has taken it", greeted)
    ok(d.stop() == 0, "SIGTERM")


def test_limits():
    d = Daemon(sessions_per_host=2)
    a, b = Client(d.ports[0]), Client(d.ports[1])
    c = Client(d.ports[0], greeting=False)
    got = c.rest()
    ok(got == b"-ERR [SYS/TEMP] too many connections, try again later\r\n", "sessions_per_host", got)
    c = Client(d.ports[2], greeting=False)
    ok(c.rest() == b"", "on a pop3s port without a word")
    ok(d.said("refused client=127.0.0.1 reason=sessions_per_host sessions=2"), "in the log")
    b.ask(b"QUIT")
    b.rest()
    ok(malle.until(lambda: Client(d.ports[0]).greeting.startswith(b"+OK")), "room again after QUIT")
    a.close()
    d.stop()
    d = Daemon(pop3_timeout="2")
    ok(Client(d.ports[0]).rest() == b"" and d.said("reason=timeout"), "pop3_timeout")
    d.stop()
    d = Daemon(sessions_max=3)
    some = [Client(d.ports[0]) for _ in range(3)]
    c = Client(d.ports[0], greeting=False)
    ok(c.rest() == b"-ERR [SYS/TEMP] too many connections, try again later\r\n" and
       d.said("reason=sessions_max"), "sessions_max")
    ok(d.stop() == 0 and all(k.rest() == b"" for k in some), "SIGTERM ends idle connections")


def children(pid):
    with open(f"/proc/{pid}/task/{pid}/children") as f:
        return f.read().split()


def is_told_to_end(pid):
    """SIGTERM waits until the process lets it in (proc_pid_status(5))."""
    return int(malle.status_of(int(pid))["ShdPnd"], 16) >> signal.SIGTERM - 1 & 1


def test_reaping():
    d = Daemon()
    c = Client(d.ports[0])
    there = children(d.p.pid)
    c.ask(b"QUIT")
    c.close()
    ok(len(there) == 1 and malle.until(lambda: children(d.p.pid) == []), "children are reaped while nobody comes")
    d.stop()


def test_hangup():
    d = Daemon()
    c = Client(d.ports[0])
    d.p.send_signal(signal.SIGHUP)
    ok(d.p.wait(malle.PATIENCE) == 0 and d.said("stopped served=1 left=1"), "SIGHUP ends the listener")
    auth.script = [accept]
    ok(c.ask(b"USER alice") == b"+OK\r\n" and c.ask(b"PASS pw") == b"+OK logged in\r\n", "and drops nobody")
    c.close()


def test_term_in_login():
    d = Daemon()
    told, go = threading.Event(), threading.Event()

    def slow(c, start, client):
        told.set()
        go.wait(malle.PATIENCE)
        accept(c, start, client)
    auth.script = [slow]
    c = Client(d.ports[0])
    c.ask(b"USER alice")
    c.s.sendall(b"PASS pw\r\n")
    told.wait(malle.PATIENCE)
    session, = children(d.p.pid)
    d.p.send_signal(signal.SIGTERM)
    ok(malle.until(lambda: is_told_to_end(session)), "SIGTERM reaches a login that is being decided")
    go.set()
    code = d.p.wait(malle.PATIENCE)
    got = c.f.readline()
    ok(code == 0 and got == b"+OK logged in\r\n", "and lets it be", code, got)


try:
    if not os.access(PROGRAM, os.X_OK):
        print(f"Bail out! {PROGRAM} is not built")
        raise SystemExit(1)
    os.chmod(TOP, 0o755)
    os.mkdir(PUBLIC)
    test_start()
    auth, tls = Auth(), Tls()
    daemon = Daemon()
    for test in (test_commands, test_pass, test_auth, test_auth_away, test_tls):
        test(daemon)
    ok(daemon.said(r"ready landlock=\d seccomp=(yes|no)") and not re.search(
        "child-died", open(daemon.log.name).read()), "no child has died")
    ok(daemon.stop() == 0 and daemon.said("stopped served=[0-9]+ cut=0"), "SIGTERM")
    test_clear_refused()
    test_many_for_tls()
    test_limits()
    test_reaping()
    test_hangup()
    test_term_in_login()
    print(f"1..{count}")
finally:
    shutil.rmtree(TOP, ignore_errors=True)
raise SystemExit(failed != 0)
