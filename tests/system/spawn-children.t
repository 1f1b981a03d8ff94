#!/usr/bin/env python3
"""malle-spawn: who its children are, what they hold, what it refuses."""
import os
import shutil
import signal
import socket
import stat
import struct
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import malle
from malle import eq, ok, until

SPAWN_LOCAL, SPAWN_POP3, SPAWN_MAILBOX, SPAWN_FORGET = 1, 2, 3, 4
AUTH_TAKEN = 35
MEASURE, READ, PURGE = 1, 2, 16
BOX_MEASURE, BOX_LIST, BOX_PURGE, BOX_DONE = 1, 2, 9, 35
UID = 64300 if malle.ROOT else os.geteuid()


def text(s):
    b = s.encode() if isinstance(s, str) else s
    return struct.pack("<I", len(b)) + b


def pop3(domain="exemple.test", uid=UID, mailbox="bob", leftover=b"",
         host="192.0.2.7", folder=None):
    return (struct.pack("<H", SPAWN_POP3) + text(domain) +
            struct.pack("<I", uid) + text(mailbox) +
            text(mailbox if folder is None else folder) + text("s1") +
            text(host) + b"\0" + text(leftover))


def local(domain="exemple.test", uid=UID):
    return (struct.pack("<H", SPAWN_LOCAL) + text(domain) +
            struct.pack("<I", uid))


def mailbox(domain="exemple.test", uid=UID, name="bob", rights=MEASURE):
    return (struct.pack("<H", SPAWN_MAILBOX) + text(domain) +
            struct.pack("<I", uid) + text(name) +
            struct.pack("<IQQ", rights, 0, 0))


class Spawn:
    """malle-spawn alone, with the other ends of its pairs."""

    def __init__(self):
        self.dir = tempfile.mkdtemp(prefix="malle-spawn-")
        os.chmod(self.dir, 0o755)
        self.mail = os.path.join(self.dir, "mail")
        os.mkdir(self.mail, 0o711)
        os.chmod(self.mail, 0o711)
        conf = os.path.join(self.dir, "conf")
        with open(conf, "w") as f:
            f.write("base = %s\nlibexec = %s\nlog = stderr\n"
                    "hostname = mail.exemple.test\nsessions_max = 4\n"
                    "sessions_per_host = 3\n"
                    "domain_uid_first = 64300\ndomain_uid_last = 64399\n"
                    % (self.dir, malle.BIN))
        self.queue, a = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.auth, b = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.registry, d = socket.socketpair(socket.AF_UNIX,
                                             socket.SOCK_SEQPACKET)
        ready, c = os.pipe()
        self.log_path = os.path.join(self.dir, "log")
        env = dict(os.environ, MALLE_SANDBOX_DENY="kill",
                   MALLE_FDS="queue=%d,auth=%d,ready=%d,registry=%d"
                   % (a.fileno(), b.fileno(), c, d.fileno()))
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                [os.path.join(malle.BIN, "malle-spawn"), "-c", conf], env=env,
                pass_fds=(a.fileno(), b.fileno(), c, d.fileno()),
                stderr=log)
        a.close()
        b.close()
        d.close()
        os.close(c)
        self.ready = os.read(ready, 100)
        os.close(ready)

    def log(self):
        with open(self.log_path, errors="replace") as f:
            return f.read()

    def ask_pop3(self, message, sock=None):
        """The client's end, and the login connection's."""
        client, a = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        login, b = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        socket.send_fds(sock or self.auth, [message], [a.fileno(), b.fileno()])
        a.close()
        b.close()
        client.settimeout(malle.PATIENCE)
        login.settimeout(malle.PATIENCE)
        return client, login

    def ask_local(self, message, sock=None):
        queue, a = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        socket.send_fds(sock or self.queue, [message], [a.fileno()])
        a.close()
        queue.settimeout(malle.PATIENCE)
        return queue

    def ask_mailbox(self, message, sock=None):
        asker, a = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        socket.send_fds(sock or self.registry, [message], [a.fileno()])
        a.close()
        asker.settimeout(malle.PATIENCE)
        return asker

    def close(self):
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait(malle.PATIENCE)
        shutil.rmtree(self.dir, ignore_errors=True)


def test_session(s):
    client, login = s.ask_pop3(pop3(leftover=b"STAT\r\n"))
    eq(login.recv(100), struct.pack("<H", AUTH_TAKEN), "the login is taken")
    eq(login.recv(100), b"", "and its connection closed")
    answer = b""
    while answer.count(b"\r\n") < 2:
        answer += client.recv(1000)
    lines = answer.split(b"\r\n")
    ok(lines[0].startswith(b"+OK"), "the client is told")
    eq(lines[1], b"+OK 0 0", "what was read before is obeyed")
    child = malle.children(s.process.pid)[0]
    st = malle.status_of(child)
    eq(st["Uid"].split(), [str(UID)] * 4, "the session has the owner's uid")
    eq(st["CapEff"] + st["CapPrm"], "0" * 32, "and no capability")
    if malle.ROOT:
        eq(st["Gid"].split(), [str(UID)] * 4, "and his gid")
        eq(st["Groups"], "", "and no other group")
    eq(st["NoNewPrivs"], "1", "and gets none")
    if not malle.SANITIZED:
        eq(st["Seccomp"], "2", "and a filter of system calls")
    if malle.ROOT:
        eq(os.readlink("/proc/%d/root" % child),
           os.path.join(s.mail, "exemple.test"), "its root is its domain")
        kinds = sorted(os.readlink("/proc/%d/fd/%s" % (child, f)).split(":")[0]
                       for f in os.listdir("/proc/%d/fd" % child))
        ok(not any("sock" == k for k in kinds) and
           kinds.count("socket") == 1, "it holds one socket: the client's")
        ok(not any(k.endswith("/mail") or k.endswith("malle-local")
                   for k in kinds), "and nothing of its parent's")
    path = os.path.join(s.mail, "exemple.test")
    for name in ("", "bob", "bob/Maildir", "bob/Maildir/new"):
        here = os.lstat(os.path.join(path, name))
        eq((here.st_uid, stat.S_IMODE(here.st_mode)), (UID, 0o700),
           "the owner's: exemple.test/" + name)
    client.sendall(b"QUIT\r\n")
    ok(client.recv(1000).startswith(b"+OK"), "QUIT")
    ok(until(lambda: not malle.children(s.process.pid)), "the child ends")


def refused(s, what, client, login=None):
    try:
        eq((login or client).recv(100), b"", "refused: " + what)
    except (socket.timeout, ConnectionResetError) as e:
        ok(False, "refused: %s (%s)" % (what, e))


def send_lingering(s):
    """A connection whose last close(2) waits until its peer, which is returned,
    has read all."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        mine = socket.create_connection(server.getsockname())
        peer = server.accept()[0]
    mine.setblocking(False)
    mine.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                    struct.pack("ii", 1, 3600))
    try:
        while True:
            mine.send(bytes(65536))
    except BlockingIOError:
        pass
    # Not ours: it is on its way when we close it.
    s.process.send_signal(signal.SIGSTOP)
    until(lambda: malle.status_of(s.process.pid)["State"].startswith("T"))
    socket.send_fds(s.auth, [b"\1\0"], [mine.fileno()])
    mine.close()
    s.process.send_signal(signal.SIGCONT)
    return peer


def test_refused(s):
    refused(s, "a domain that climbs", *s.ask_pop3(pop3("../exemple.test")))
    refused(s, "a folder that climbs", *s.ask_pop3(pop3(folder="../alice")))
    refused(s, "a mailbox that climbs", *s.ask_pop3(pop3(mailbox="../alice")))
    refused(s, "a domain that is not canonical", *s.ask_pop3(pop3("Exemple.test")))
    refused(s, "a POP3 session asked for by the queue",
            *s.ask_pop3(pop3(), s.queue))
    refused(s, "a delivery asked for by malle-authd",
            s.ask_local(local(), s.auth))
    refused(s, "a client that is no address", *s.ask_pop3(pop3(host="x")))
    refused(s, "bytes too many", s.ask_local(local() + b"x"))
    refused(s, "a message cut off", s.ask_local(local()[:-1]))
    refused(s, "a type that is none",
            s.ask_local(struct.pack("<H", 77) + local()[2:]))
    if malle.ROOT:
        refused(s, "uid 0", s.ask_local(local("zero.test", 0)))
        refused(s, "a uid below the range", s.ask_local(local("low.test", 64299)))
        refused(s, "a uid above the range", s.ask_local(local("high.test", 64400)))
        refused(s, "another uid than the owner's",
                s.ask_local(local("exemple.test", 64301)))
        ok(not os.path.exists(os.path.join(s.mail, "low.test")),
           "no folder for them")
    os.symlink("/etc", os.path.join(s.mail, "link.test"))
    refused(s, "a domain that is a link", s.ask_local(local("link.test")))
    os.symlink("/etc", os.path.join(s.mail, "exemple.test", "carol"))
    refused(s, "a mailbox that is a link", *s.ask_pop3(pop3(mailbox="carol")))
    s.queue.send(b"")
    s.queue.send(b"\1")
    peer = send_lingering(s)
    s.auth.send(os.urandom(60000))
    client, login = s.ask_pop3(pop3())
    eq(login.recv(100), struct.pack("<H", AUTH_TAKEN),
       "after all of that it still works")
    peer.close()
    client.close()
    until(lambda: not malle.children(s.process.pid))


def test_local(s):
    queue = s.ask_local(local("new.test"))
    ok(until(lambda: os.path.isdir(os.path.join(s.mail, "new.test"))),
       "the folder of a new domain is made")

    def worker():
        pids = [p for p in malle.children(s.process.pid)
                if malle._argv0(p) == "malle-local"]
        return pids and pids[0]
    pid = until(worker)
    if not ok(pid, "malle-local is started"):
        malle.note(s.log())
        return
    with open("/proc/%d/cmdline" % pid, "rb") as f:
        eq(f.read().split(b"\0")[:3],
           [b"malle-local", b"new.test", b"mail.exemple.test"],
           "and told its domain and our name")
    ok(until(lambda: malle.status_of(pid)["Seccomp"] == "2" or
             malle.SANITIZED), "it confines itself")
    st = malle.status_of(pid)
    eq(st["Uid"].split(), [str(UID)] * 4, "with the owner's uid")
    eq(st["CapEff"], "0" * 16, "without capabilities")
    if malle.ROOT:
        eq(os.readlink("/proc/%d/root" % pid),
           os.path.join(s.mail, "new.test"), "its root is its domain")
    queue.close()
    ok(until(lambda: not malle.children(s.process.pid)),
       "it ends when malle-queued does")


def result(asker, type, body=b""):
    """The result of a request to malle-mailbox; rows are passed over."""
    asker.send(struct.pack("<H", type) + body)
    while True:
        answer = asker.recv(70000)
        if not answer:
            return None
        if struct.unpack("<H", answer[:2])[0] == BOX_DONE:
            return answer[2]


def test_mailbox(s):
    asker = s.ask_mailbox(mailbox())
    eq(result(asker, BOX_MEASURE), 0, "malle-mailbox measures")
    eq(result(asker, BOX_LIST, struct.pack("<IB", 0, 0)), 4,
       "but lists nothing without that right")
    eq(result(asker, BOX_PURGE), 4, "nor removes anything")
    pid = malle.children(s.process.pid)[0]
    st = malle.status_of(pid)
    eq((malle._argv0(pid), st["Uid"].split(), st["CapEff"], st["NoNewPrivs"]),
       ("malle-mailbox", [str(UID)] * 4, "0" * 16, "1"),
       "it has the owner's uid and no capability")
    eq(result(asker, 77), None, "what is no request ends it")
    refused(s, "a mailbox that climbs", s.ask_mailbox(mailbox(name="../alice")))
    refused(s, "a domain that climbs", s.ask_mailbox(mailbox("../exemple.test")))
    refused(s, "no right at all", s.ask_mailbox(mailbox(rights=0)))
    refused(s, "rights that there are none", s.ask_mailbox(mailbox(rights=64)))
    refused(s, "to read a whole domain",
            s.ask_mailbox(mailbox(name="", rights=READ)))
    refused(s, "a mailbox asked for by malle-authd",
            s.ask_mailbox(mailbox(), s.auth))
    refused(s, "a mailbox asked for by the queue",
            s.ask_mailbox(mailbox(), s.queue))
    refused(s, "a delivery asked for by the registry",
            s.ask_local(local(), s.registry))
    if malle.ROOT:
        refused(s, "another uid than the owner's",
                s.ask_mailbox(mailbox(uid=64301)))
    os.symlink("/etc", os.path.join(s.mail, "exemple.test", "dave"))
    refused(s, "a mailbox that is a link", s.ask_mailbox(mailbox(name="dave")))
    s.registry.send(struct.pack("<H", SPAWN_FORGET) + text("exemple.test"))
    s.registry.send(struct.pack("<H", SPAWN_FORGET) + text("../mail"))
    asker = s.ask_mailbox(mailbox())
    eq(result(asker, BOX_MEASURE), 0, "after all of that it still works")
    ok(os.path.isdir(os.path.join(s.mail, "exemple.test", "bob")),
       "a folder that is not empty is not forgotten")
    asker.close()
    until(lambda: not malle.children(s.process.pid))


def test_limits(s):
    sessions = [s.ask_pop3(pop3(host="2001:db8::%d" % n)) for n in range(3)]
    for client, login in sessions:
        login.recv(100)
    refused(s, "more than sessions_per_host of one /64",
            *s.ask_pop3(pop3(host="2001:db8::9")))
    sessions.append(s.ask_pop3(pop3(host="2001:db8:1::1")))
    eq(sessions[-1][1].recv(100), struct.pack("<H", AUTH_TAKEN),
       "one of another address is taken")
    refused(s, "more sessions than sessions_max",
            *s.ask_pop3(pop3(host="192.0.2.1")))
    ok("spawn-refused" in s.log(), "and the log says so")
    for client, login in sessions:
        client.close()
    ok(until(lambda: not malle.children(s.process.pid)),
       "sessions end with their clients")


def test_confined(s):
    st = malle.status_of(s.process.pid)
    if malle.ROOT:
        eq(int(st["CapEff"], 16), sum(1 << n for n in (0, 1, 5, 6, 7, 18)),
           "six capabilities of root's are kept")
    eq(st["NoNewPrivs"], "1", "no new privileges")
    if not malle.SANITIZED:
        eq(st["Seccomp"], "2", "a filter of system calls")
        ok(b"landlock=0" not in s.ready and b"seccomp=yes" in s.ready,
           "it says so when it is ready")


def test_stop(s):
    client, login = s.ask_pop3(pop3())
    login.recv(100)
    family = malle.children(s.process.pid)
    s.process.terminate()
    eq(s.process.wait(malle.PATIENCE), 0, "SIGTERM: ends well")
    ok(not any(malle._alive(p) for p in family), "and so do its children")
    eq([l for l in s.log().split("\n") if "sandbox:" in l], [],
       "no call was outside of its role")


def test_closed(s):
    """One that was taken over may close its pair for all who come after it;
    and whoever holds the other ends may be killed."""
    s.auth.shutdown(socket.SHUT_WR)
    ok(until(lambda: "from=auth reason=closed" in s.log()),
       "a pair that is closed is told of")
    queue = s.ask_local(local())
    ok(until(lambda: len(malle.children(s.process.pid)) == 1),
       "the others are served")
    queue.close()
    ok(until(lambda: not malle.children(s.process.pid)), "and end")
    eq(s.log().count("from=auth reason=closed"), 1, "it is looked at once")
    for pair in (s.auth, s.queue, s.registry):
        pair.close()
    eq(s.process.wait(malle.PATIENCE), 0, "without anybody it ends")


def main():
    s = Spawn()
    try:
        test_session(s)
        test_local(s)
        test_refused(s)
        test_mailbox(s)
        test_limits(s)
        test_confined(s)
        test_stop(s)
        s.close()
        s = Spawn()
        test_closed(s)
    except BaseException:
        malle.note(s.log()[-1500:])
        raise
    finally:
        s.close()
    malle.done()


if malle.SANITIZED and malle.ROOT:
    malle.skip_all("a sanitized malle-local cannot start in a root of its own")
main()
