"""boxworker.py - drives malle-mailbox as its asker does."""
# SPDX-License-Identifier: ISC

import array
import fcntl
import os
import shutil
import socket
import struct
import subprocess
import tempfile
import termios

import malle
from localworker import Reader, pack_bytes

MAY_MEASURE, MAY_READ, MAY_WRITE = 1, 2, 4
MEASURE, LIST, READ, WRITE, DATA, END, SYNC = 1, 2, 3, 4, 5, 6, 7
FOLDER, MESSAGE, CONTENT, DONE = 32, 33, 34, 35
PLACES, HEADERS, CONTENTS = 0, 1, 2
OK, EXISTS, NO_ROOM, NOT_FOUND, REFUSED, INVALID, FAILED = range(7)
UID = 65534             # root may do what a mailbox's uid may not


class Domain:
    """The folder of a domain, with one mailbox."""

    def __init__(self):
        self.path = tempfile.mkdtemp(prefix="malle-box-")
        self.maildir = os.path.join(self.path, "bob", "Maildir")
        self.made = []
        self.folder("")

    def own(self, path):
        if malle.ROOT:
            os.chown(path, UID, UID)

    def folder(self, name, parts=("tmp", "new", "cur")):
        base = os.path.join(self.maildir, name)
        for path in [base] + [os.path.join(base, p) for p in parts]:
            os.makedirs(path, exist_ok=True)
        for path in (self.path, os.path.dirname(self.maildir), self.maildir,
                     base, *[os.path.join(base, p) for p in parts]):
            self.own(path)

    def put(self, name, content=b"A: b\n\nc\n"):
        path = os.path.join(self.maildir, name)
        with open(path, "wb") as f:
            f.write(content)
        self.own(path)
        return path

    def files(self, part):
        return sorted(os.listdir(os.path.join(self.maildir, part)))

    def close(self):
        shutil.rmtree(self.path)


class Box:
    """One malle-mailbox on bob's mailbox in such a folder."""

    def __init__(self, domain, rights, quota_bytes=0, quota_messages=0,
                 command=None):
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        mail = os.open(domain.path, os.O_RDONLY | os.O_DIRECTORY)
        env = dict(os.environ, MALLE_FDS="asker=%d,mail=%d" %
                   (theirs.fileno(), mail))
        # A system call that the sandbox does not foresee ends it; one that
        # fails because a test says so is not foreseen.
        env.setdefault("MALLE_SANDBOX_DENY", "" if command else "kill")
        who = {"user": UID, "group": UID, "extra_groups": []} \
            if malle.ROOT else {}
        self.process = subprocess.Popen(
            (command or []) + [malle.for_others("malle-mailbox"),
                               "exemple.test", "bob", str(rights),
                               str(quota_bytes), str(quota_messages)],
            pass_fds=(theirs.fileno(), mail), env=env, stderr=subprocess.PIPE,
            **who)
        theirs.close()
        os.close(mail)
        self.socket = ours
        self.socket.settimeout(malle.PATIENCE)

    def send(self, kind, body=b""):
        self.socket.send(struct.pack("<H", kind) + body)

    def recv(self):
        """Its type, its fields, its descriptors; (None, None, []) at the end."""
        data, more, _, _ = self.socket.recvmsg(65536, 1024)
        fds = array.array("i")
        for _, _, space in more:
            fds.frombytes(space[:len(space) - len(space) % fds.itemsize])
        if not data:
            return None, None, []
        r = Reader(data)
        return r.take("H"), r, list(fds)

    def done(self):
        """Result and reason; None when it has gone instead."""
        kind, r, _ = self.recv()
        if kind is None:
            return None
        if kind != DONE:
            raise ValueError("not the end: %d" % kind)
        return r.take("B"), r.bytes()

    def rows(self):
        """Each row's type and fields, up to DONE."""
        while True:
            kind, r, fds = self.recv()
            for fd in fds:
                os.close(fd)
            if kind is None:
                raise EOFError("malle-mailbox has closed: " +
                               self.process.stderr.read().decode())
            if kind == DONE:
                return
            yield kind, r

    def list(self, detail=PLACES, biggest=0):
        self.send(LIST, struct.pack("<IB", biggest, detail))

    def write(self, folder, unique, content=b"A: b\n\nc\n"):
        """The result of one message."""
        self.send(WRITE, pack_bytes(folder) + pack_bytes(unique) +
                  pack_bytes("") + struct.pack("<BQQ", 0, len(content), 0))
        result, _ = self.done()
        if result != OK:
            return result
        self.send(DATA, content)
        self.send(END)
        return self.done()[0]

    def sync(self):
        self.send(SYNC)
        return self.done()[0]

    def is_stuck(self):
        """It has begun to answer and waits for the asker, or is gone."""
        n = struct.unpack("i", fcntl.ioctl(self.socket, termios.FIONREAD,
                                           struct.pack("i", 0)))[0]
        return n > 0 and malle._state(self.process.pid) in ("S", "Z", "")

    def close(self):
        """The status that malle-mailbox ends with, and its log."""
        self.socket.close()
        log = self.process.stderr.read().decode()
        return self.process.wait(malle.PATIENCE), log
