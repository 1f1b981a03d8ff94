"""fakeremote.py - in the place of malle-remote: its children by threads.

    remote = Remote(honest)
    lab = Lab(remote=remote)
"""
# SPDX-License-Identifier: ISC
import os
import struct
import threading

from queuelab import Spawner, pb, receive
from remotelab import CARRIER, R_FOUND, R_READY, R_RESULT

HOST = "mx.far.test"


def reply(code=250, text="Kept", cause=0):
    result = 0 if code == 250 else 1 if code < 500 else 2
    return (struct.pack("<BBH", result, cause if result else 0, code) +
            pb("%d.0.0" % (code // 100)) + pb("%d %s" % (code, text)) +
            pb(HOST) + pb("192.0.2.1") + pb("") + b"\0")


class Job:
    """What a carrier is given."""

    def __init__(self, data):
        self.tag, = struct.unpack("<Q", data[2:10])

    def result(self, *replies, number=0, more=0):
        return (struct.pack("<HQBH", R_RESULT, self.tag, more, len(replies)) +
                b"".join(struct.pack("<IB", number + i, 0) + r
                         for i, r in enumerate(replies)))


class Remote(Spawner):
    """malle-remote: every domain has one host; policy(socket) is a carrier,
    whose end has been told where to go. Nobody answers for the domains of which
    silent(name) is true, nor for what leads to a host of which mute(route) is
    (bytes that have its name)."""

    def __init__(self, policy=None):
        super().__init__()
        self.policy = policy
        self.silent = self.mute = lambda name: False
        self.asked = []		# the domains that were asked for
        self.lock = threading.Lock()
        self.carriers = self.hanging = 0
        self.start()

    def child(self, data, s):
        kind, = struct.unpack("<H", data)
        return self.carry if kind == CARRIER else self.resolve, (s,)

    def resolve(self, s):
        while True:
            data = s.recv(65536)
            if not data:
                return
            name = data[14:].decode()
            self.asked.append(name)
            if self.silent(name):
                hang(s)
                return
            s.send(struct.pack("<H", R_FOUND) + data[2:10] +
                   struct.pack("<BIBB", 0, 300, 0, 0) + pb("") +
                   struct.pack("<HHH", 1, 10, 25) + pb("mx." + name))

    def carry(self, s):
        with self.lock:
            self.carriers += 1
        try:
            route, _ = receive(s)
            if self.mute(route):
                with self.lock:
                    self.hanging += 1
                hang(s)
            else:
                self.policy(s)
        except OSError:
            pass
        s.close()


def hang(s):
    """Says nothing until the other end is closed."""
    while receive(s)[0]:
        pass


def take(s):
    """The next job, or None at the end."""
    data, fds = receive(s)
    for fd in fds:
        os.close(fd)
    return Job(data) if data else None


def ready(s):
    s.send(struct.pack("<H", R_READY) + reply())


sent = []


def honest(s):
    """The policy of a carrier that sends everything: into sent."""
    ready(s)
    job = take(s)
    while job is not None:
        sent.append(job)
        s.send(job.result(reply()))
        job = take(s)
