"""queuelab.py - malle-queued alone in a folder, with stand-ins around it.

Not a test: the tests queue-*.t import it. The test program plays malle-start,
malle-spawn, the workers, malle-bounce, and whoever submits or administers.
"""
# SPDX-License-Identifier: ISC

import array
import glob
import os
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import threading

import malle
from smtpd_peers import alias, domain_record, mailbox, write_cdb

Q_MAIL, Q_RCPT, Q_DATA, Q_COMMIT, Q_RESET, Q_CHECK = 1, 2, 3, 4, 5, 6
Q_DONE, Q_CHECKED = 32, 33
Q_LIST, Q_SHOW, Q_HOLD, Q_RELEASE, Q_RETRY, Q_DELETE, Q_STAT = range(64, 71)
Q_ROW, Q_END = 96, 97
OK, TEMPORARY, PERMANENT = 0, 1, 2
QM_NO_TRACE = 32
NEVER, SUCCESS, FAILURE, DELAY = 1, 2, 4, 8
# No other test's: its processes would count for what programs of ours may have.
UID = 60000 + os.getpid() % 4000


def pb(v):
    if isinstance(v, str):
        v = v.encode()
    return struct.pack("<I", len(v)) + v


class Reader:
    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, fmt):
        v = struct.unpack_from("<" + fmt, self.data, self.at)
        self.at += struct.calcsize("<" + fmt)
        return v[0]

    def bytes(self):
        n = self.take("I")
        v = self.data[self.at:self.at + n]
        self.at += n
        return v

    def text(self):
        return self.bytes().decode()


def receive(s):
    data, fds = s.recvmsg(65536, socket.CMSG_SPACE(32 * 4))[:2]
    got = array.array("i")
    for level, kind, value in fds:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            got.frombytes(value[:len(value) - len(value) % 4])
    return data, list(got)


class Answer:
    def __init__(self, data):
        r = Reader(data)
        self.type = r.take("H")
        self.result = r.take("B")
        self.id = r.text() if self.type == Q_DONE else ""
        self.enhanced, self.text = r.text(), r.text()

    def __repr__(self):
        return "%d %s %s %s" % (self.result, self.id, self.enhanced, self.text)


class Client:
    """One connection to the queue."""

    def __init__(self, path=None, sock=None):
        self.s = malle.unix(path) if sock is None else sock
        self.s.settimeout(malle.PATIENCE)

    def send(self, kind, body=b""):
        self.s.send(struct.pack("<H", kind) + body)

    def mail(self, sender="alice@exemple.test", lane=0, flags=0, envid="",
             trace="from client (test [127.0.0.1])", protocol="ESMTP", size=0,
             account="", client="127.0.0.1", session="s1"):
        self.send(Q_MAIL, struct.pack("<HBI", 1, lane, flags) + pb(sender) +
                  pb(envid) + pb(account) + pb(client) + pb(session) +
                  pb(trace) + pb(protocol) + struct.pack("<Q", size))

    def rcpt(self, address, notify=0, orcpt=""):
        self.send(Q_RCPT, pb(address) + bytes([notify]) + pb(orcpt))

    def data(self, content):
        for i in range(0, len(content), 32768):
            self.send(Q_DATA, content[i:i + 32768])

    def commit(self, last=b""):
        self.send(Q_COMMIT, last)
        return self.answer()

    def answer(self):
        data = self.s.recv(65536)
        if not data:
            raise EOFError("malle-queued has closed the connection")
        return Answer(data)

    def submit(self, recipients, content=b"Subject: x\n\nhello\n", **mail):
        self.mail(**mail)
        for r in [recipients] if isinstance(recipients, str) else recipients:
            if isinstance(r, str):
                r = (r,)
            self.rcpt(*r)
        if len(content) > 32768:
            self.data(content)
            return self.commit()
        return self.commit(content)

    def control(self, kind, id="", sender="", recipient="", older=0,
                held=False, account=""):
        """The rows as dictionaries, the number touched, the verdict."""
        self.send(kind, struct.pack("<H", 1) + pb(id) + pb(sender) +
                  pb(recipient) + struct.pack("<QB", older, held) + pb(account))
        rows = []
        while True:
            r = Reader(self.s.recv(65536))
            if r.take("H") == Q_END:
                verdict = r.take("B")
                return rows, r.take("I"), verdict
            rows.append({k: v for k, v in
                         [(r.text(), r.text()) for _ in range(r.take("H"))]})

    def close(self):
        self.s.close()


class Job:
    def __init__(self, r):
        self.tag, self.offset, self.length = r.take("Q"), r.take("Q"), r.take("Q")
        self.id = r.text()
        self.recipient = r.take("I")
        self.sender, self.to, self.mailbox, self.detail = (
            r.text(), r.text(), r.text(), r.text())
        self.quota_bytes, self.quota_messages = r.take("Q"), r.take("Q")
        self.warning, self.language, self.account = (
            r.take("B"), r.text(), r.text())
        self.is_stray = r.take("B") == 1
        self.content = None


class Spawner(threading.Thread):
    """In the place of malle-spawn: each request brings the socket of a child,
    and child(request, socket) gives the function, with its arguments, that is
    this child's life. Started by who derives from it, when it is complete."""

    def __init__(self):
        super().__init__(daemon=True)
        self.ours, self.theirs = socket.socketpair(socket.AF_UNIX,
                                                   socket.SOCK_SEQPACKET)

    def run(self):
        while True:
            data, fds = receive(self.ours)
            if not data:
                return
            threading.Thread(target=self.live, daemon=True, args=self.child(
                data, socket.socket(fileno=fds[0]))).start()

    @staticmethod
    def live(life, args):
        try:
            life(*args)
        except ConnectionError:     # malle-queued was killed
            pass


class Workers(Spawner):
    """malle-spawn and all its workers. policy(job) gives the verdict, or
    "die" or "hang"; what was delivered is in self.delivered."""

    def __init__(self, lab):
        super().__init__()
        self.lab = lab
        self.policy = lambda job: (OK, "2.0.0", "delivered")
        self.delivered, self.batches, self.started = [], [], []
        self.usage = (0, 0)
        self.lock = threading.Lock()
        self.start()

    def child(self, data, s):
        r = Reader(data)
        r.take("H")
        domain = r.text()
        self.started.append(domain)
        return self.work, (s, domain)

    def work(self, s, domain):
        while True:
            data, fds = receive(s)
            if not data:
                s.close()
                return
            r = Reader(data)
            if r.take("H") == 2:
                tag = r.take("Q")
                s.send(struct.pack("<HQBQQ", 33, tag, 1, *self.usage))
                continue
            n, _east = r.take("H"), r.take("i")
            jobs = [Job(r) for _ in range(n)]
            with self.lock:
                self.batches.append(len(jobs))
            out, n = b"", 0
            for job, fd in zip(jobs, fds):
                job.domain = domain
                job.content = os.pread(fd, job.length, job.offset)
                try:
                    os.write(fd, b"x")
                    raise SystemExit("the descriptor is writable")
                except OSError:
                    pass
                verdict = self.policy(job)
                if verdict == "die":
                    s.close()
                    for f in fds:
                        os.close(f)
                    return
                if verdict[0] == OK:
                    with self.lock:
                        self.delivered.append(job)
                out += struct.pack("<QB", job.tag, verdict[0]) + \
                    pb(verdict[1]) + pb(verdict[2]) + struct.pack("<QQ", 0, 0)
                n += 1
            for fd in fds:
                os.close(fd)
            s.send(struct.pack("<HH", 32, n) + out)


class Notice:
    pass


class Bouncer(threading.Thread):
    """malle-bounce: keeps every request, and submits a notice for it."""

    def __init__(self):
        super().__init__(daemon=True)
        self.ours, self.theirs = socket.socketpair(socket.AF_UNIX,
                                                   socket.SOCK_SEQPACKET)
        self.notices = []
        self.refuse = False
        self.lie = None         # what is said in the place of a notice
        self.start()

    def run(self):
        while True:
            data, fds = receive(self.ours)
            if not data:
                return
            r = Reader(data)
            r.take("H")
            n = Notice()
            n.kind = r.take("B")
            n.id, n.to = r.text(), r.text()
            n.double = r.take("B")
            n.envid = r.text()
            n.flags = r.take("I")
            n.language, n.zone = r.text(), r.text()
            n.arrival, n.offset, n.length = r.take("q"), r.take("Q"), r.take("Q")
            n.recipients = []
            for _ in range(r.take("I")):
                one = Notice()
                one.address, one.original, one.orcpt = r.text(), r.text(), r.text()
                one.action = r.take("B")
                one.status, one.text, one.remote = r.text(), r.text(), r.text()
                one.last, one.until = r.take("q"), r.take("q")
                n.recipients.append(one)
            n.content = os.pread(fds[1], n.length, n.offset)
            os.close(fds[1])
            job = Client(sock=socket.socket(fileno=fds[0]))
            # Whoever finds the queue empty looks at these next.
            n.answer = None
            self.notices.append(n)
            if self.lie:
                self.lie(n, job)
            elif not self.refuse:
                self.write(n, job)
            job.close()

    @staticmethod
    def write(n, job):
        """Submits the notice; malle-queued may be killed meanwhile, or have
        been killed long ago."""
        try:
            job.mail(sender="", lane=1, flags=QM_NO_TRACE, trace="",
                     protocol="", client="")
            job.rcpt(n.to, NEVER)
            n.answer = job.commit(b"Subject: notice\n\nabout %s\n" %
                                  n.id.encode())
        except (OSError, EOFError):
            pass


class Lab:
    """A queue of its own in a temporary folder."""

    def __init__(self, settings="", workers=True, bouncer=True, start=True,
                 remote=None, clock=False):
        self.base = tempfile.mkdtemp(prefix="malle-queue-")
        os.chmod(self.base, 0o755)
        for name in ("queue", "public/tables/domains", "mail", "empty"):
            os.makedirs(self.base + "/" + name)
        if malle.ROOT:
            os.chown(self.base + "/queue", UID, UID)
        self.conf = self.base + "/malleposte.conf"
        user = "".join("user_%s = %d:%d\n" % (u, UID, UID) for u in malle.USERS
                       if u != "net") + "user_net = 0:0\n" if malle.ROOT else ""
        with open(self.conf, "w") as f:
            f.write("base = %s\nhostname = mx.exemple.test\n"
                    "default_domain = exemple.test\n%s%s" %
                    (self.base, user, settings))
        self.tables()
        self.workers = Workers(self) if workers else None
        self.bouncer = Bouncer() if bouncer else None
        self.remote = remote
        self.process = None
        self.program = malle.BIN + "/malle-queued"
        if clock:
            os.mkdir(self.base + "/clocked")
            self.clock = malle.Clock(self.base + "/clocked")
            self.program = self.clock.program
        self.log = self.base + "/log"
        open(self.log, "w").close()
        if start:
            self.start()

    def tables(self, domains=None, addresses=None):
        t = self.base + "/public/tables/"
        write_cdb(t + "domains.cdb", domains or {
            "exemple.test": domain_record(), "other.test": domain_record(),
            "alias.test": domain_record(alias_of="exemple.test")})
        write_cdb(t + "access.cdb", {})
        for d in domains or ("exemple.test", "other.test"):
            write_cdb(t + "domains/" + d + ".cdb", addresses or {
                "alice": mailbox(), "bob": mailbox(), "carol": mailbox(),
                "small": mailbox(quota=1000), "gone": mailbox(state=2),
                "paused": mailbox(state=1), "postmaster": mailbox(),
                "team": alias("alice@exemple.test\nbob@exemple.test"),
                "one": alias("alice@exemple.test"),
                "away": alias("someone@elsewhere.example"),
                "loop": alias("loop2@exemple.test"),
                "loop2": alias("loop@exemple.test")})

    @property
    def path(self):
        return self.base + "/public/queue.sock"

    def start(self, wrap=(), env=None):
        if os.path.exists(self.path):
            os.unlink(self.path)
        listen = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        listen.bind(self.path)
        os.chmod(self.path, 0o666)
        listen.listen(100)
        fds = {"queue": listen}
        if self.workers:
            fds["spawn"] = self.workers.theirs
        else:
            self.dead = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            fds["spawn"] = self.dead[0]
        if self.bouncer:
            fds["bounce"] = self.bouncer.theirs
        if self.remote:
            fds["remote"] = self.remote.theirs
        environment = dict(os.environ, MALLE_FDS=",".join(
            "%s=%d" % (k, s.fileno()) for k, s in fds.items()), **(env or {}))
        environment.setdefault("MALLE_SANDBOX_DENY", "kill")
        ready = self.logged("ready")
        self.process = subprocess.Popen(
            list(wrap) + [self.program, "-c", self.conf],
            pass_fds=[s.fileno() for s in fds.values()], env=environment,
            stderr=open(self.log, "a"), start_new_session=True)
        listen.close()
        self.wait_log("ready", count=ready + 1)

    def stop(self, how=signal.SIGTERM):
        if self.process is None:
            return None
        # What it is wrapped in, and malle-queued itself, which may end later
        # and has the queue until then.
        try:
            os.killpg(self.process.pid, how)
        except ProcessLookupError:
            pass
        status = self.process.wait(malle.PATIENCE)
        self.wait(lambda: not self._group_is_there(self.process.pid))
        self.process = None
        return status

    @staticmethod
    def _group_is_there(group):
        for path in glob.glob("/proc/[0-9]*/stat"):
            try:
                with open(path) as f:
                    state, _, of = f.read().rsplit(")", 1)[1].split()[:3]
            except OSError:
                continue
            if int(of) == group and state != "Z":
                return True
        return False

    def client(self):
        return Client(self.path)

    def forward(self, seconds):
        """So much time passes; malle-queued notices at once."""
        self.clock.forward(seconds)
        self.client().close()

    def lines(self):
        """Those that are written to their end."""
        with open(self.log) as f:
            return f.read().rpartition("\n")[0].splitlines()

    def logged(self, what):
        return sum(1 for line in self.lines() if " " + what in line)

    def wait_log(self, what, count=1, seconds=malle.PATIENCE):
        return self.wait(lambda: self.logged(what) >= count or
                         self.process.poll() is not None, seconds) and \
            self.logged(what) >= count

    @staticmethod
    def wait(condition, seconds=malle.PATIENCE):
        return bool(malle.until(condition, seconds, 0.01))

    def ask(self, kind, **more):
        """control() over a connection of its own."""
        c = self.client()
        try:
            return c.control(kind, **more)
        finally:
            c.close()

    def rest(self):
        """What malle-queued has told the log of is in its files, too: it writes
        them at the end of its turn, and answers in a later one."""
        self.ask(Q_STAT)

    def is_empty(self):
        """Nothing is left. A list of files alone, which is not made at once,
        may miss both a message and the notice that comes in its place."""
        return self.ask(Q_STAT)[0][0]["messages"] == "0" and not self.files()

    def files(self, folder="mess/*"):
        return sorted(glob.glob(self.base + "/queue/" + folder + "/*"))

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.stop(signal.SIGKILL)
        if exc[0] is not None:
            malle.note("\n".join(self.lines()[-20:]))
        shutil.rmtree(self.base, ignore_errors=True)
