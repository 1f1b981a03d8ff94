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

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import crash  # noqa: E402
import malle  # noqa: E402
from relay import ALICE, Relay  # noqa: E402

MOST = 25


class Life(Relay):
    def once(self, n=None):
        """One relay under the killer: (calls, hit)."""
        self.fresh()
        return self.life(self.m.pid("malle-remote"), n,
                         lambda name: len(self.got(name)) >= 3)


def main():
    crash.usable()
    r = Life()
    try:
        r.once()
        count, _ = r.once()
        malle.ok(count > 50 and r.got("d1.org") == [
            x + "@d1.org" for x in "abc"], "one relay makes %d calls" % count)
        r.kill_at_each(crash.steps(count, MOST))
        r.fresh()
        # What it has learnt of the servers goes with malle-queued.
        r.m.kill("malle-queued")
        crash.back(r.m)
        r.m.malle("queue", "retry", "--all", check=False)
        malle.until(lambda: all(len(set(r.got(d))) == 3 for d in r.sent), 120,
                    0.2)
        malle.eq([d for d in r.sent if len(set(r.got(d))) != 3], [],
                 "nobody is without his letter")
        malle.ok(malle.until(lambda: crash.queue_files(r.m) == []),
                 "the queue is empty")
        malle.note("%d of %d messages arrived twice" % (
            sum(len(r.got(d)) > 3 for d in r.sent), len(r.sent)))
        malle.eq(r.too_many(lambda d: len(r.got(d)) / 3), [],
                 "twice only what was on its way at a kill")
        malle.eq([d for d in r.sent if len({r.got(d).count(x) for x in
                                            r.got(d)}) != 1], [],
                 "and nobody alone")
        malle.eq(len(r.m.messages(ALICE)), 0, "nobody was told of a failure")
        malle.eq(r.m.violations(), [], "nobody left its role")
        malle.eq(r.m.stop(), 0, "the service ends well")
    finally:
        r.close()
    malle.done()


main()
