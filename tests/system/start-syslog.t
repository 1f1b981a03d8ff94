#!/usr/bin/env python3
"""start-syslog.t - a log that goes to syslogd, which may be started anew."""
# SPDX-License-Identifier: ISC

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import malle
from malle import BIN, Instance, done, eq, ok, until


class Syslogd:
    """Who listens on log in this folder."""

    def __init__(self, folder):
        self.path, self.text = folder + "/log", ""
        self.open()

    def open(self):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.path)
        os.chmod(self.path, 0o666)
        self.socket.setblocking(False)

    def close(self):
        self.socket.close()
        os.unlink(self.path)

    def has(self, what):
        try:
            while True:
                self.text += self.socket.recv(8192).decode() + "\n"
        except BlockingIOError:
            return what in self.text


def in_its_dev(folder, command):
    """The command with folder, and a few devices in it, as /dev."""
    return ["unshare", "--mount", "sh", "-ec",
            'for d in null zero random urandom; do : >>"$0/$d"; '
            'mount --bind /dev/$d "$0/$d"; done; mount --rbind "$0" /dev; '
            'exec "$@"', folder, *command]


def scene(m, folder):
    log = Syslogd(folder)
    m.process = subprocess.Popen(
        in_its_dev(folder, [BIN + "/malle-start", "-f", "-c", m.conf_path]),
        stdin=subprocess.DEVNULL, env=m.env)
    ok(until(lambda: log.has(" service-ready pid=%d" % m.process.pid)),
       "the service is ready, says syslogd")
    ok("<22>malle-start[%d]: - service-ready" % m.process.pid in log.text,
       "with facility, severity, program and pid")
    ok("malle-queued[" in log.text, "what other programs say, too")
    for times in ("once", "twice"):
        log.close()
        log.open()
        mark = len(log.text)

        def is_heard():
            os.kill(m.pid("malle-queued"), signal.SIGHUP)
            return log.has("") and "malle-queued[" in log.text[mark:]
        ok(until(is_heard), "started anew %s, it hears all programs" % times)
    log.close()
    eq(m.stop(), 0, "without anybody who listens it ends in order")


if not malle.SEPARATE or subprocess.run(
        ["unshare", "--mount", "true"], stderr=subprocess.DEVNULL).returncode:
    malle.skip_all("needs root, and a mount namespace of its own")
dev = tempfile.mkdtemp(prefix="malle-dev-")
os.chmod(dev, 0o755)
try:
    with Instance(conf={"log": "syslog"}, start=False) as m:
        scene(m, dev)
finally:
    shutil.rmtree(dev)
done()
