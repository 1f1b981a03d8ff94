"""localworker.py - drives malle-local as malle-queued does."""
# SPDX-License-Identifier: ISC

import array
import os
import shutil
import socket
import struct
import subprocess
import tempfile
import time

import malle

DIGITS = "0123456789abcdefghijklmnopqrstuv"

L_BATCH, L_MEASURE, L_RESULT, L_MEASURED = 1, 2, 32, 33
OK, TEMPORARY, PERMANENT = 0, 1, 2


def base32(v, width):
    return "".join(DIGITS[v >> 5 * (width - 1 - i) & 31] for i in range(width))


counter = 0


def make_id(seconds=None):
    """An id as malle-queued makes it; later than the worker's start."""
    global counter
    counter += 1
    if seconds is None:
        seconds = int(time.time()) + 10
    return "%s%s-%s" % (base32(seconds, 7), base32(counter & 0xfffff, 4),
                        base32(counter, 11))


def pack_bytes(b):
    if isinstance(b, str):
        b = b.encode()
    return struct.pack("<I", len(b)) + b


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
        return v.decode()


class Job:
    def __init__(self, tag, content, mailbox="bob", sender="alice@exemple.test",
                 to=None, id=None, recipient=0, quota_bytes=0,
                 quota_messages=0, offset=0, length=None, fd=None,
                 detail="", warning=0, language="fr", account=None,
                 stray=False):
        self.stray = stray
        self.tag, self.content, self.mailbox = tag, content, mailbox
        self.sender, self.recipient = sender, recipient
        self.detail = detail
        self.warning, self.language = warning, language
        self.account = mailbox if account is None else account
        self.id = make_id() if id is None else id
        self.to = to if to is not None else mailbox + "@exemple.test"
        self.quota_bytes, self.quota_messages = quota_bytes, quota_messages
        self.offset = offset
        self.length = len(content) if length is None else length
        self.fd = fd

    def pack(self):
        return (struct.pack("<QQQ", self.tag, self.offset, self.length) +
                pack_bytes(self.id) + struct.pack("<I", self.recipient) +
                pack_bytes(self.sender) + pack_bytes(self.to) +
                pack_bytes(self.mailbox) + pack_bytes(self.detail) +
                struct.pack("<QQB", self.quota_bytes, self.quota_messages,
                            self.warning) +
                pack_bytes(self.language) + pack_bytes(self.account) +
                struct.pack("<B", self.stray))


class Result:
    def __init__(self, r):
        self.tag = r.take("Q")
        self.result = r.take("B")
        self.enhanced, self.text = r.bytes(), r.bytes()
        self.used_bytes, self.used_messages = r.take("Q"), r.take("Q")

    def __repr__(self):
        return "%d %s %s" % (self.result, self.enhanced, self.text)


class Worker:
    """One malle-local on a folder of its own."""

    def __init__(self, folder=None, command=None, env=None):
        self.own = folder is None
        self.east = 0           # s: the domain's clocks
        self.folder = folder or tempfile.mkdtemp(prefix="malle-local-")
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        mail = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY)
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
        self.socket = ours
        environment = dict(os.environ, **(env or {}))
        environment["MALLE_FDS"] = "queue=%d,mail=%d" % (theirs.fileno(), mail)
        # A system call that the sandbox does not foresee ends the worker.
        environment.setdefault("MALLE_SANDBOX_DENY", "kill")
        program = malle.BIN + "/malle-local"
        self.process = subprocess.Popen(
            (command or []) + [program, "exemple.test", "mx.exemple.test"],
            pass_fds=(theirs.fileno(), mail), env=environment,
            cwd=self.folder, stderr=subprocess.PIPE)
        theirs.close()
        os.close(mail)
        self.socket.settimeout(malle.PATIENCE)

    def send(self, jobs):
        fds = []
        for j in jobs:
            if j.fd is None:
                with tempfile.TemporaryFile() as f:
                    f.write(b"x" * j.offset + j.content)
                    f.flush()
                    fds.append(os.dup(f.fileno()))
            else:
                fds.append(os.dup(j.fd))
        body = struct.pack("<HHi", L_BATCH, len(jobs), self.east)
        body += b"".join(j.pack() for j in jobs)
        self.raw(body, fds)
        for fd in fds:
            os.close(fd)

    def raw(self, body, fds=()):
        self.socket.sendmsg([body], [(socket.SOL_SOCKET, socket.SCM_RIGHTS,
                                      array.array("i", fds))] if fds else [])

    def results(self, n):
        found = {}
        while len(found) < n:
            data = self.socket.recv(65536)
            if not data:
                raise EOFError("malle-local has closed: " +
                               self.process.stderr.read().decode())
            r = Reader(data)
            if r.take("H") != L_RESULT:
                raise ValueError("not a result")
            for _ in range(r.take("H")):
                one = Result(r)
                found[one.tag] = one
        return found

    def deliver(self, *jobs):
        for i in range(0, len(jobs), 32):
            self.send(jobs[i:i + 32])
        found = self.results(len(jobs))
        return [found[j.tag] for j in jobs]

    def measure(self, mailbox, quota_bytes=0, quota_messages=0, size=0):
        self.raw(struct.pack("<HQ", L_MEASURE, 7) + pack_bytes(mailbox) +
                 struct.pack("<QQQ", quota_bytes, quota_messages, size))
        r = Reader(self.socket.recv(65536))
        return (r.take("H"), r.take("Q"), r.take("B"), r.take("Q"),
                r.take("Q"))

    def files(self, mailbox="bob", part="new"):
        path = "%s/%s/Maildir/%s" % (self.folder, mailbox, part)
        return sorted(os.listdir(path)) if os.path.isdir(path) else []

    def read(self, name, mailbox="bob", part="new"):
        with open("%s/%s/Maildir/%s/%s" % (self.folder, mailbox, part, name),
                  "rb") as f:
            return f.read()

    def close(self):
        """The status that malle-local ends with, and its log."""
        self.socket.close()
        log = self.process.stderr.read().decode()
        status = self.process.wait(malle.PATIENCE)
        if self.own:
            shutil.rmtree(self.folder)
        return status, log
