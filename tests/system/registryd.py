"""registryd.py - malle-registryd alone, in a folder of its own, for its tests.

What malle-start does for it is done here: the listening socket, the pairs to
malle-authd and malle-queued (whose ends the test holds), MALLE_FDS.
"""
import os
import select
import shutil
import signal
import socket
import struct
import subprocess
import tempfile

import malle

PROGRAM = os.path.join(malle.BIN, "malle-registryd")
IPC_MAX = 65536
REQUEST, MORE, LAST, ROW, END = 1, 2, 3, 32, 33
VERDICTS = ("ok", "refused", "invalid", "not-found", "exists", "temporary")
UID, UID_AUTH = malle.UID_FIRST + 6, malle.UID_FIRST + 2


def pack(value):
    data = value.encode() if isinstance(value, str) else value
    return struct.pack("<I", len(data)) + data


def pack_fields(fields):
    out = struct.pack("<H", len(fields))
    for name, value in fields:
        out += pack(name) + pack(value)
    return out


def request(operation, fields, version=1):
    return (struct.pack("<HH", REQUEST, version) + pack(operation) +
            pack_fields(fields))


def more(fields):
    """An object of a long request."""
    return struct.pack("<H", MORE) + pack_fields(list(fields.items()))


def unpack_fields(data):
    n, at, fields = struct.unpack_from("<H", data)[0], 2, {}
    for _ in range(n):
        pair = []
        for _ in range(2):
            (size,) = struct.unpack_from("<I", data, at)
            pair.append(data[at + 4:at + 4 + size])
            at += 4 + size
        fields[pair[0].decode()] = pair[1].decode(errors="replace")
    return fields


def answer(s):
    """The rows, the verdict and its sentence; None when the peer closed."""
    rows = []
    while True:
        try:
            data = s.recv(IPC_MAX)
        except ConnectionResetError:
            return None
        if not data:
            return None
        (kind,) = struct.unpack_from("<H", data)
        if kind == ROW:
            rows.append(unpack_fields(data[2:]))
        else:
            (size,) = struct.unpack_from("<I", data, 3)
            return rows, VERDICTS[data[2]], data[7:7 + size].decode()


def verdicts(rows):
    """What became of each line of user.import."""
    return [VERDICTS[int(x["verdict"])] for x in rows if "verdict" in x]


class Registry:
    """One malle-registryd; conf: settings that differ."""

    def __init__(self, conf=None, start=True):
        self.dir = tempfile.mkdtemp(prefix="malle-registry-")
        os.chmod(self.dir, 0o755)
        self.base = os.path.join(self.dir, "base")
        self.log_path = os.path.join(self.dir, "log")
        self.conf_path = os.path.join(self.dir, "malleposte.conf")
        settings = {"hostname": "mail.exemple.test", "base": self.base,
                    "user_registry": str(UID), "user_auth": str(UID_AUTH),
                    "domain_uid_first": "64300", "domain_uid_last": "64999"}
        settings.update(conf or {})
        with open(self.conf_path, "w") as f:
            for item in settings.items():
                f.write("%s = %s\n" % item)
        os.mkdir(self.base)
        os.mkdir(os.path.join(self.base, "public"))
        self.socket_path = os.path.join(self.base, "public", "registry.sock")
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.listener.bind(self.socket_path)
        os.chmod(self.socket_path, 0o666)
        self.listener.listen(64)
        self.auth, self.auth_other = socket.socketpair(
            socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.queue, self.queue_other = socket.socketpair(
            socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.process = None
        if start:
            self.start()

    def start(self, wrapper=(), wait=True):
        mark = len(self.log())
        fds = (self.listener.fileno(), self.auth_other.fileno(),
               self.queue_other.fileno())
        env = dict(os.environ, MALLE_FDS="registry=%d,auth=%d,queue=%d" % fds)
        env.setdefault("MALLE_SANDBOX_DENY", "kill")
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                list(wrapper) + [PROGRAM, "-c", self.conf_path], env=env,
                pass_fds=fds, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        if wait and not malle.until(lambda: " ready" in self.log()[mark:] or
                                    self.process.poll() is not None, 60):
            raise RuntimeError("malle-registryd is not ready")
        if wait and self.process.poll() is not None:
            raise RuntimeError("malle-registryd ended: " + self.log()[-2000:])

    def stop(self, sig=signal.SIGTERM):
        """Its exit status."""
        if self.process is None:
            return None
        if self.process.poll() is None:
            self.process.send_signal(sig)
        status = self.process.wait(malle.PATIENCE)
        self.process = None
        return status

    def restart(self):
        self.stop()
        self.start()

    def log(self):
        try:
            with open(self.log_path, errors="replace") as f:
                return f.read()
        except FileNotFoundError:
            return ""

    def violations(self):
        words = ("sandbox: system call", "sandbox-violation",
                 "AddressSanitizer", "runtime error:", "LeakSanitizer")
        return [l for l in self.log().split("\n")
                if any(w in l for w in words)]

    def close(self):
        self.stop()
        self.listener.close()
        self.auth.close()
        self.auth_other.close()
        self.queue.close()
        self.queue_other.close()
        shutil.rmtree(self.dir, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        if exc[0] is not None:
            malle.note(self.log()[-3000:])
        self.close()

    def connect(self, timeout=malle.PATIENCE):
        s = malle.unix(self.socket_path)
        s.settimeout(timeout)
        return s

    def ask(self, operation, **fields):
        """Rows, verdict, sentence; "_" in names of fields is "-"."""
        with self.connect() as s:
            s.send(request(operation, [(k.replace("_", "-"), v)
                                       for k, v in fields.items()]))
            return answer(s)

    def ask_long(self, operation, objects, **fields):
        """The same of a request that objects follow."""
        with self.connect() as s:
            s.send(request(operation, list(fields.items())))
            for fields in objects:
                s.send(more(fields))
            s.send(struct.pack("<H", LAST))
            return answer(s)

    def attempt(self, operation, objects=None, **fields):
        """The answer; None when the program ends before it: a connection that
        it has not taken would wait for its next start."""
        try:
            with self.connect() as s:
                s.send(request(operation, list(fields.items())))
                for fields in objects or []:
                    s.send(more(fields))
                if objects is not None:
                    s.send(struct.pack("<H", LAST))
                if malle.until(lambda: select.select([s], [], [], 0)[0] or
                               not malle._alive(self.process.pid)) and \
                        select.select([s], [], [], 0)[0]:
                    return answer(s)
        except OSError:
            pass
        return None

    def ask_as(self, as_uid, operation, as_gid=None, **fields):
        """The same as another user of this machine (root only)."""
        r, w = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.setgroups([])
            os.setgid(as_uid if as_gid is None else as_gid)
            os.setuid(as_uid)
            try:
                text = repr(self.ask(operation, **fields))
            except OSError as e:
                text = repr(([], "closed", str(e)))
            os.write(w, text.encode())
            os._exit(0)
        os.close(w)
        with os.fdopen(r) as f:
            text = f.read()
        os.waitpid(pid, 0)
        return eval(text)  # our own repr

    def login(self, **fields):
        """A message of malle-authd."""
        self.auth.send(request("login", list(fields.items())))

    def malle(self, *argv, input="", lang="C", timeout=120):
        env = dict(os.environ, LC_ALL=lang)
        return subprocess.run(
            [os.path.join(malle.BIN, "malle"), "-c", self.conf_path] +
            list(argv), input=input, text=True, capture_output=True, env=env,
            timeout=timeout)

    def path(self, *parts):
        return os.path.join(self.base, *parts)

    def table(self, *parts):
        """A CDB table as a dict, without its generation; None when it is not
        there."""
        try:
            with open(self.path(*parts), "rb") as f:
                return cdb(f.read())
        except FileNotFoundError:
            return None

    def generation(self, *parts):
        """How often a table was compiled."""
        with open(self.path(*parts), "rb") as f:
            data = f.read()
        at = data.index(b"\0generation") + 12
        (size,) = struct.unpack_from("<I", data, at)
        return struct.unpack_from("<Q", data, at + 4 + size)[0]

    def addresses(self, domain):
        return self.table("public", "tables", "domains", domain + ".cdb")

    def secrets(self, domain):
        return self.table("auth", domain + ".cdb")

    def domains(self):
        return self.table("public", "tables", "domains.cdb")


def cdb(data):
    """Every record but the generation."""
    end = min(struct.unpack_from("<II", data, 8 * i)[0] for i in range(256))
    at, out = 2048, {}
    while at < end:
        k, v = struct.unpack_from("<II", data, at)
        key = data[at + 8:at + 8 + k]
        if not key.startswith(b"\0"):
            out[key.decode()] = data[at + 8 + k:at + 8 + k + v]
        at += 8 + k + v
    return out


def record(data):
    """The fields of a record: tag to bytes."""
    at, out = 1, {}
    while at < len(data):
        tag, size = struct.unpack_from("<BI", data, at)
        out[tag] = data[at + 5:at + 5 + size]
        at += 5 + size
    return out
