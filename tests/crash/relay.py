"""relay.py - what the crash tests of mail to other servers share.

Not a test: tests/crash/remote-*.t import it.
"""
# SPDX-License-Identifier: ISC
import os
import signal
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import crash  # noqa: E402
import malle  # noqa: E402
from internet import Authority, DNS, Server, shared_port  # noqa: E402

ALICE = "alice@exemple.test"


class Relay:
    def __init__(self, people="abc", hooks=None):
        self.people = people
        self.dns, self.ca = DNS(), Authority()
        port = shared_port(["127.0.0.2"])
        self.server = Server("127.0.0.2", port, name="mx.org", extensions=(
            "PIPELINING", "SIZE", "8BITMIME", "CHUNKING"), hooks=hooks)
        self.m = malle.Instance(conf=dict(
            crash.CONF, resolver=self.dns.address, remote_port=port,
            authorities=self.ca.ca,
            retry_first="1s", retry_max="2s"))
        self.m.domain("exemple.test")
        self.m.user(ALICE, crash.PASSWORD)
        self.sent, self.refused = [], set()
        # Sent since the queue was last seen empty; and how often each of all
        # was on its way when somebody was killed.
        self.moving, self.hurt = [], {}

    def send(self):
        """A message to the people of a new domain; its name."""
        name = "d%d.org" % len(self.sent)
        # A server of its own name: a group of its own, that no kill before has
        # slowed.
        host = "mx%d.org" % len(self.sent)
        self.dns.mx(name, 10, host)
        self.dns.a(host, "127.0.0.2")
        self.sent.append(name)
        self.moving.append(name)
        r = self.m.run("malle-inject", "-f", ALICE,
                       *["%s@%s" % (x, name) for x in self.people],
                       input="From: %s\nSubject: %s\n\nBonjour\n" % (
                           ALICE, name), check=False)
        if r.returncode != 0:
            self.refused.add(name)
        return name

    def got(self, name):
        return sorted(r for r in self.server.recipients()
                      if r.endswith("@" + name))

    def wound(self):
        """Somebody is killed: what is on its way may come once more."""
        for name in self.moving:
            self.hurt[name] = self.hurt.get(name, 0) + 1

    def too_many(self, copies):
        """The messages that came more often than the kills can explain."""
        return [d for d in self.sent
                if copies(d) > 1 + self.hurt.get(d, 0)]

    def life(self, pid, n, is_done):
        """One message with the killer beside a process: (calls, hit)."""
        if crash.queue_files(self.m) == []:
            self.moving = []
        k = crash.Killer(pid, n, follow=True)
        if not k.is_ready:
            k.end()
            return 0, None
        name = self.send()
        malle.until(lambda: k.is_over() or is_done(name), step=0.005)
        if not k.is_over():
            time.sleep(0.05)
        calls, hit = k.end()
        if hit:
            self.wound()
            malle.until(lambda: not crash.alive(hit[2]), step=0.001)
        return calls, hit

    def kill_at_each(self, numbers):
        """once(n) for each; a call that is made must be the last one. How many
        turns a life takes is the scheduler's affair: when one ends before its
        n-th call, another is tried."""
        hits, spared = {}, []
        for n in numbers:
            for _ in range(3):
                made, hit = self.once(n)
                if hit:
                    hits[hit[1]] = hits.get(hit[1], 0) + 1
                    break
                if made >= n:
                    spared.append(n)
        malle.note("%d calls, killed at " % len(numbers) + " ".join(
            "%s=%d" % x for x in sorted(hits.items())))
        malle.ok(hits, "it was killed at its calls")
        malle.eq(spared, [], "no call is made and lived through")

    def fresh(self):
        """A malle-remote without children of an older one."""
        self.wound()
        for pid in malle.descendants(self.m.process.pid):
            try:
                with open("/proc/%d/comm" % pid) as f:
                    if f.read().strip() in ("malle-resolver",
                                            "malle-carrier"):
                        os.kill(pid, signal.SIGKILL)
            except OSError:
                pass
        crash.back(self.m)

    def close(self):
        self.m.close()
        self.server.close()
        self.dns.close()
        self.ca.close()
