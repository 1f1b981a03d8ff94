"""remotelab.py - drives malle-remote as malle-queued does."""
# SPDX-License-Identifier: ISC
import array
import os
import shutil
import socket
import struct
import subprocess
import tempfile

import malle
from internet import Server
from localworker import Reader, pack_bytes

RESOLVER, CARRIER = 1, 2
R_LOOKUP, R_ROUTE, R_JOB = 1, 2, 3
R_FOUND, R_READY, R_FAILED, R_RESULT, R_CLOSED, R_TICKET = range(32, 38)
NAMES = {R_FOUND: "found", R_READY: "ready", R_FAILED: "failed",
         R_RESULT: "result", R_CLOSED: "closed"}
RESULTS = ("ok", "temporary", "permanent")
CAUSES = ("none", "dns", "connect", "greeting", "tls", "lost", "reply",
          "unsupported")
LOOKUPS = ("ok", "no_domain", "no_mail", "temporary")
QM_8BIT, QM_UTF8, QM_RET_FULL, QM_RET_HDRS, QM_REQUIRETLS = 1, 2, 4, 8, 16
QN_NEVER, QN_SUCCESS, QN_FAILURE, QN_DELAY = 1, 2, 4, 8
TLS_NONE, TLS_MAY, TLS_ENCRYPT, TLS_VERIFY = range(4)
STS_NONE, STS_TESTING, STS_ENFORCE = range(3)


def read_reply(r):
    return dict(result=RESULTS[r.take("B")], cause=CAUSES[r.take("B")],
                code=r.take("H"), enhanced=r.bytes(), text=r.bytes(),
                host=r.bytes(), ip=r.bytes(), tls=r.bytes(),
                tls_failed=bool(r.take("B")))


class Carrier:
    """One connection."""

    def __init__(self, ours):
        self.socket = ours
        self.socket.settimeout(malle.PATIENCE)
        self.tag = 0
        self.results = {}       # (tag, number) -> [reply]
        self.ended = {}         # tag -> True when more was 0
        self.closed = None
        self.ticket = b""       # what the next route may bring

    def route(self, hosts, domain="exemple.org", helo="mail.exemple.test",
              user="", password="", tls=TLS_MAY, implicit=False,
              authentic=False, broken=False, sts=STS_NONE, sts_mx="",
              timeout=5, ticket=b""):
        """Sends the route; what comes of it: ("ready" or "failed", reply)."""
        body = (pack_bytes(domain) + pack_bytes(helo) + pack_bytes(user) +
                pack_bytes(password) + bytes([tls, implicit, authentic,
                                              broken]) +
                struct.pack("<I", timeout) + bytes([sts]) +
                pack_bytes(sts_mx) + struct.pack("<H", len(hosts)))
        for preference, name, port in hosts:
            body += struct.pack("<HH", preference, port) + pack_bytes(name)
        body += pack_bytes(ticket)
        self.socket.send(struct.pack("<H", R_ROUTE) + body)
        return self.receive()

    def receive(self):
        """One message: (name, reply or results); None at the end."""
        data = self.socket.recv(65536)
        if not data:
            return None
        kind = struct.unpack("<H", data[:2])[0]
        r = Reader(data[2:])
        if kind == R_TICKET:
            self.ticket = data[6:]
            return "ticket", self.ticket
        if kind != R_RESULT:
            reply = read_reply(r)
            if kind == R_CLOSED:
                self.closed = reply
            return NAMES[kind], reply
        tag, more, n = r.take("Q"), r.take("B"), r.take("H")
        for _ in range(n):
            number, dsn = r.take("I"), r.take("B")
            reply = read_reply(r)
            reply["dsn"] = bool(dsn)
            self.results.setdefault((tag, number), []).append(reply)
        if not more:
            self.ended[tag] = True
        return "result", tag

    def job(self, recipients, content=b"Subject: x\n\nBonjour\n",
            sender="alice@exemple.test", flags=0, verp=False, envid="",
            tag=None, length=None, before=b"envelope", forwarder=""):
        """Sends a job; recipients: addresses or (address, notify, orcpt)."""
        self.tag += 1
        tag = self.tag if tag is None else tag
        rows = [r if isinstance(r, tuple) else (r, 0, "") for r in recipients]
        body = (struct.pack("<Q", tag) + pack_bytes("id-%d" % tag) +
                struct.pack("<QQI", len(before), len(content) if length is
                            None else length, flags) +
                pack_bytes(sender) + pack_bytes(forwarder) + bytes([verp, 0]) + pack_bytes(envid) +
                struct.pack("<H", len(rows)))
        for i, (address, notify, orcpt) in enumerate(rows):
            body += (struct.pack("<I", i) + pack_bytes(address) +
                     bytes([notify]) + pack_bytes(orcpt))
        with tempfile.TemporaryFile() as f:
            f.write(before + content)
            f.flush()
            try:
                self.socket.sendmsg(
                    [struct.pack("<H", R_JOB) + body],
                    [(socket.SOL_SOCKET, socket.SCM_RIGHTS,
                      array.array("i", [f.fileno()]).tobytes())])
            except BrokenPipeError:
                pass    # it has left; why, it has said
        return tag

    def wait(self, *tags):
        """Until the jobs are done, or the connection is: True or False."""
        while not all(t in self.ended for t in tags):
            got = self.receive()
            if got is None or got[0] == "closed":
                return False
        return True

    def drain(self):
        """Everything until the other end closes."""
        while self.receive() is not None:
            pass

    def of(self, tag):
        """Results of a job by number: lists of (result, code)."""
        return {n: [(x["result"], x["code"]) for x in v]
                for (t, n), v in self.results.items() if t == tag}

    def one(self, tag, number=0):
        """The only result of a recipient."""
        found = self.results.get((tag, number), [])
        return found[0] if len(found) == 1 else {"result": "count %d" %
                                                 len(found)}

    def close(self):
        self.socket.close()


class Remote:
    """A malle-remote of its own."""

    def __init__(self, conf=None, command=None, env=None, sts=None):
        self.folder = tempfile.mkdtemp(prefix="malle-remote-")
        os.chmod(self.folder, 0o755)
        os.mkdir(self.folder + "/empty", 0o755)
        self.conf = self.folder + "/malleposte.conf"
        settings = {"hostname": "mail.exemple.test", "base": self.folder,
                    "user_remote": "65534", "resolver": "127.0.0.1:9"}
        settings.update(conf or {})
        with open(self.conf, "w") as f:
            for item in settings.items():
                f.write("%s = %s\n" % item)
        self.socket, theirs = socket.socketpair(socket.AF_UNIX,
                                                socket.SOCK_SEQPACKET)
        environment = dict(os.environ, **(env or {}))
        environment.setdefault("MALLE_SANDBOX_DENY", "kill")
        fds = [theirs.fileno()]
        environment["MALLE_FDS"] = "queue=%d" % fds[0]
        if sts is not None:
            environment["MALLE_FDS"] += ",sts=%d" % sts.fileno()
            fds.append(sts.fileno())
        self.log_file = tempfile.TemporaryFile()
        self.process = subprocess.Popen(
            (command or []) + [malle.BIN + "/malle-remote", "-c", self.conf],
            pass_fds=fds, env=environment, stderr=self.log_file)
        theirs.close()

    def ask(self, kind):
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.socket.sendmsg(
            [struct.pack("<H", kind)],
            [(socket.SOL_SOCKET, socket.SCM_RIGHTS,
              array.array("i", [theirs.fileno()]).tobytes())])
        theirs.close()
        return ours

    def carrier(self):
        return Carrier(self.ask(CARRIER))

    def connect(self, server, **route):
        """A carrier with a route to a server by its address: (it, answer)."""
        c = self.carrier()
        return c, c.route([(10, "[%s]" % server.ip, server.port)], **route)

    def resolver(self):
        s = self.ask(RESOLVER)
        s.settimeout(malle.PATIENCE)
        return s

    def lookup(self, pair, domain, tag=7):
        pair.send(struct.pack("<HQ", R_LOOKUP, tag) + pack_bytes(domain))
        r = Reader(pair.recv(65536)[2:])
        found = dict(tag=r.take("Q"), outcome=LOOKUPS[r.take("B")],
                     ttl=r.take("I"), authentic=bool(r.take("B")),
                     sts=r.take("B"), sts_mx=r.bytes(), hosts=[])
        for _ in range(r.take("H")):
            preference, port = r.take("H"), r.take("H")
            found["hosts"].append((preference, r.bytes(), port))
        return found

    def log(self):
        # Where the program writes next is not moved.
        fd = self.log_file.fileno()
        return os.pread(fd, os.fstat(fd).st_size, 0).decode(errors="replace")

    def broken(self):
        """The lines of the log that tell of a child that has broken."""
        return [l for l in self.log().split("\n")
                if "signal=" in l or "sandbox:" in l]

    def close(self):
        self.socket.close()
        self.process.terminate()
        try:
            status = self.process.wait(malle.PATIENCE)
        except subprocess.TimeoutExpired:
            self.process.kill()
            status = self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)
        return status

    def __enter__(self):
        return self

    def run(self, tests, *more):
        """All of a file's tests on this one, and its end."""
        for test in tests:
            malle.note(test.__name__)
            test(self, *more)
        malle.eq(self.broken(), [], "no child has broken")
        malle.eq(self.close(), 0, "SIGTERM ends it well")

    def __exit__(self, *exc):
        if exc[0] is not None:
            malle.note(self.log()[-3000:])
        self.close()


def exchange(remote, recipients=("bob@exemple.org",), jobs=1, route=None,
             job=None, **server):
    """Sends jobs to a server of its own: (carrier, server, tags)."""
    s = Server(**server)
    c, (what, reply) = remote.connect(s, **(route or {}))
    if what != "ready":
        malle.note(reply)
        c.failed = reply
        return c, s, []
    tags = [c.job(recipients, **(job or {})) for _ in range(jobs)]
    c.wait(*tags)
    return c, s, tags


def end(c, s):
    c.close()
    for x in s.sessions:
        x.ended.wait(malle.PATIENCE)
    s.close()
