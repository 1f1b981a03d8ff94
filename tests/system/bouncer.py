"""bouncer.py - drives malle-bounce as malle-queued does."""
# SPDX-License-Identifier: ISC

import array
import os
import shutil
import socket
import struct
import subprocess
import tempfile

import malle
from localworker import Reader, pack_bytes

# Few processes may have it: it is nobody else's.
UID = malle.UID_FIRST + malle.USERS.index("bounce")
FAILURE, DELAY, SUCCESS = 0, 1, 2
FAILED, DELAYED, DELIVERED, RELAYED, EXPANDED = range(5)
Q_MAIL, Q_RCPT, Q_DATA, Q_COMMIT, Q_DONE = 1, 2, 3, 4, 32
QM_8BIT, QM_UTF8, QM_RET_FULL, QM_RET_HDRS, QM_NO_TRACE = 1, 2, 4, 8, 32


def recipient(address, status="5.1.1", text="No such mailbox.", action=FAILED,
              original=None, orcpt="", remote="", last=0, until=0):
    return (pack_bytes(address) +
            pack_bytes(address if original is None else original) +
            pack_bytes(orcpt) + bytes([action]) + pack_bytes(status) +
            pack_bytes(text) + pack_bytes(remote) +
            struct.pack("<QQ", last, until))


def notice(recipients, content, kind=FAILURE, to="alice@exemple.test",
           double=False, envid="", flags=0, language="fr",
           zone="", arrival=1795300000, offset=0,
           id="0abcdefghij-00klmn12345", count=None, length=None):
    return (struct.pack("<HB", 1, kind) + pack_bytes(id) + pack_bytes(to) +
            bytes([double]) + pack_bytes(envid) + struct.pack("<I", flags) +
            pack_bytes(language) + pack_bytes(zone) +
            struct.pack("<QQQI", arrival, offset,
                        len(content) if length is None else length,
                        len(recipients) if count is None else count) +
            b"".join(recipients))


class Submitted:
    """What malle-bounce hands over on the connection of a notice."""

    def __init__(self):
        self.flags = self.lane = self.sender = None
        self.rcpts = []
        self.content = b""
        self.committed = False


class Bouncer:
    def __init__(self, hostname="mx.exemple.test", command=None, env=None):
        self.folder = tempfile.mkdtemp(prefix="malle-bounce-")
        os.chmod(self.folder, 0o755)
        os.mkdir(self.folder + "/empty", 0o755)
        conf = self.folder + "/malleposte.conf"
        with open(conf, "w") as f:
            f.write("hostname = %s\nbase = %s\nuser_bounce = %d\n" %
                    (hostname, self.folder, UID))
        self.socket, theirs = socket.socketpair(socket.AF_UNIX,
                                                socket.SOCK_SEQPACKET)
        environment = dict(os.environ, **(env or {}))
        environment.setdefault("MALLE_SANDBOX_DENY", "kill")
        environment["MALLE_FDS"] = "queue=%d" % theirs.fileno()
        self.log = tempfile.TemporaryFile()
        self.process = subprocess.Popen(
            (command or []) + [malle.BIN + "/malle-bounce",
                               "-c", conf],
            pass_fds=(theirs.fileno(),), env=environment, stderr=self.log)
        theirs.close()

    def ask(self, request, content, result=0):
        """Sends a request; returns what was submitted for it."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.settimeout(malle.PATIENCE)
        with tempfile.TemporaryFile() as f:
            f.write(content)
            f.flush()
            fds = array.array("i", [theirs.fileno(), f.fileno()])
            self.socket.sendmsg([request], [(socket.SOL_SOCKET,
                                             socket.SCM_RIGHTS, fds)])
        theirs.close()
        return self.take(ours, result)

    def take(self, ours, result):
        s = Submitted()
        while True:
            data = ours.recv(70000)
            if not data:
                ours.close()
                return s
            r = Reader(data)
            kind = r.take("H")
            if kind == Q_MAIL:
                r.take("H")
                s.lane, s.flags = r.take("B"), r.take("I")
                s.sender = r.bytes()
            elif kind == Q_RCPT:
                s.rcpts.append((r.bytes(), r.take("B"), r.bytes()))
            elif kind in (Q_DATA, Q_COMMIT):
                s.content += data[2:]
                if kind == Q_COMMIT:
                    s.committed = True
                    ours.send(struct.pack("<HB", Q_DONE, result) +
                              pack_bytes("0newid") + pack_bytes("2.6.0") +
                              pack_bytes("kept"))

    def close(self):
        """The status that malle-bounce ends with, and its log."""
        self.socket.close()
        status = self.process.wait(malle.PATIENCE)
        self.log.seek(0)
        log = self.log.read().decode()
        shutil.rmtree(self.folder)
        return status, log
