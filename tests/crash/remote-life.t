#!/usr/bin/env python3
"""malle-remote and its children killed at each system call of one relay.

Each message goes to three people of a domain of its own. First the calls are
counted; then the first of them kills the process that makes it, then the second,
and so on. In the end each recipient has the letter; twice only when the other
server had already taken it and nobody was left to say so.

MALLE_LONG=1 tries every call, otherwise there is a random choice of them.
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
MOST = 25


class Relay:
    def __init__(self):
        self.dns, self.ca = DNS(), Authority()
        self.dns.a("mx.org", "127.0.0.2")
        port = shared_port(["127.0.0.2"])
        self.server = Server("127.0.0.2", port, name="mx.org", extensions=(
            "PIPELINING", "SIZE", "8BITMIME", "CHUNKING"))
        self.m = malle.Instance(conf=dict(
            crash.CONF, resolver=self.dns.address, remote_port=port,
            authorities=self.ca.ca,
            retry_first="1s", retry_max="2s"))
        self.m.domain("exemple.test")
        self.m.user(ALICE, crash.PASSWORD)
        self.sent = []

    def send(self):
        """A message to three people of a new domain; its name."""
        name = "d%d.org" % len(self.sent)
        # A server of its own name: a group of its own, that no kill before has
        # slowed.
        host = "mx%d.org" % len(self.sent)
        self.dns.mx(name, 10, host)
        self.dns.a(host, "127.0.0.2")
        self.sent.append(name)
        self.m.run("malle-inject", "-f", ALICE,
                   *["%s@%s" % (x, name) for x in "abc"],
                   input="From: %s\nSubject: %s\n\nBonjour\n" % (ALICE, name))
        return name

    def got(self, name):
        return sorted(r for r in self.server.recipients()
                      if r.endswith("@" + name))

    def fresh(self):
        """A malle-remote without children of an older one."""
        for pid in malle.descendants(self.m.process.pid):
            try:
                with open("/proc/%d/comm" % pid) as f:
                    if f.read().strip() in ("malle-resolver",
                                            "malle-carrier"):
                        os.kill(pid, signal.SIGKILL)
            except OSError:
                pass
        crash.back(self.m)

    def once(self, n=None):
        """One relay under the killer: (calls, hit)."""
        self.fresh()
        k = crash.Killer(self.m.pid("malle-remote"), n, follow=True)
        if not k.is_ready:
            k.end()
            return 0, None
        name = self.send()
        malle.until(lambda: k.is_over() or len(self.got(name)) >= 3, 8, 0.005)
        if not k.is_over():
            time.sleep(0.05)
        calls, hit = k.end()
        if hit:
            malle.until(lambda: not crash.alive(hit[2]), 10, 0.001)
        return calls, hit


def main():
    crash.usable()
    r = Relay()
    try:
        r.once()
        count, _ = r.once()
        malle.ok(count > 50 and r.got("d1.org") == [
            x + "@d1.org" for x in "abc"], "one relay makes %d calls" % count)
        tried = crash.steps(count, MOST)
        hits, slow = {}, 0
        for n in tried:
            _, hit = r.once(n)
            if hit:
                hits[hit[1]] = hits.get(hit[1], 0) + 1
        malle.note("killed at " + " ".join("%s=%d" % x for x in
                                           sorted(hits.items())))
        malle.ok(sum(hits.values()) >= 0.8 * len(tried),
                 "%d of %d kills have hit" % (sum(hits.values()), len(tried)))
        r.fresh()
        # What it has learnt of the servers goes with malle-queued.
        r.m.kill("malle-queued")
        crash.back(r.m)
        r.m.malle("queue", "retry", "--all", check=False)
        malle.until(lambda: all(len(set(r.got(d))) == 3 for d in r.sent), 60,
                    0.2)
        malle.eq([d for d in r.sent if len(set(r.got(d))) != 3], [],
                 "nobody is without his letter")
        twice = [d for d in r.sent if len(r.got(d)) > 3]
        malle.eq([d for d in twice if len(r.got(d)) != 6], [],
                 "nobody has it three times, or alone twice")
        malle.note("%d of %d messages arrived twice" % (len(twice),
                                                        len(r.sent)))
        malle.ok(len(twice) <= 12 * len(tried) // 100 + 8,
                 "few have it twice: those that were on their way")
        malle.ok(malle.until(lambda: crash.queue_files(r.m) == [], 30),
                 "the queue is empty")
        malle.eq(len(r.m.messages(ALICE)), 0, "nobody was told of a failure")
        malle.eq([l for l in r.m.violations()], [], "nobody left its role")
        malle.eq(r.m.stop(), 0, "the service ends well")
    finally:
        r.m.close()
        r.server.close()
        r.dns.close()
        r.ca.close()
    malle.done()


main()
