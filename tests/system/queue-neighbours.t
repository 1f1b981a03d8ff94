#!/usr/bin/env python3
"""queue-neighbours.t - a destination that is dead, slow, silent or throttled
delays nobody else. How much is measured by tests/bench/slow-destination."""
# SPDX-License-Identifier: ISC
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import malle
from malle import eq, ok
from neighbours import Neighbours, figures

n = Neighbours()
try:
    alone = n.letters(50)
    eq(len(alone), 50, "letters to a healthy destination arrive")
    n.fill(300)
    beside = n.letters(50)
    eq(len(beside), 50, "so they do beside four that are in trouble")
    malle.note("alone: %s; beside: %s" % (figures(alone), figures(beside)))
    ok(len(n.slow.messages) < 150, "while the slow one has most of its own "
       "still before it (%d of 300)" % len(n.slow.messages))
    stat = n.lab.stat()
    eq(sorted(d for d in stat if stat[d].get("state") == "paused" or
              stat[d].get("waiting", 0) > 0 and d != "healthy.test") != [],
       True, "which stat shows")
    eq(sorted(n.healthy.recipients()), sorted(set(n.healthy.recipients())),
       "each once")
    eq(n.lab.m.violations(), [], "no call outside a role, no crash")
finally:
    n.close()
malle.done()
