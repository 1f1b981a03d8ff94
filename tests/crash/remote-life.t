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
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import crash  # noqa: E402
import malle  # noqa: E402
from relay import ALICE, Relay  # noqa: E402

MOST = 25


class Life(Relay):
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
    r = Life()
    try:
        r.once()
        count, _ = r.once()
        malle.ok(count > 50 and r.got("d1.org") == [
            x + "@d1.org" for x in "abc"], "one relay makes %d calls" % count)
        tried = crash.steps(count, MOST)
        hits, spared = {}, 0
        for n in tried:
            made, hit = r.once(n)
            spared += not hit and made >= n
            if hit:
                hits[hit[1]] = hits.get(hit[1], 0) + 1
        malle.note("killed at " + " ".join("%s=%d" % x for x in
                                           sorted(hits.items())))
        # How many turns a life takes is the scheduler's affair: one may end
        # before its n-th call.
        malle.ok(2 * sum(hits.values()) >= len(tried) > 0 and not spared,
                 "at most of its calls it was killed")
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
        r.close()
    malle.done()


main()
