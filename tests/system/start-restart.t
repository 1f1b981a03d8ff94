#!/usr/bin/env python3
"""malle-start: a program that has died comes back, however slow the machine is."""
# SPDX-License-Identifier: ISC
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import malle
from malle import eq, ok, until


def hurried(m):
    """A folder with a malle-start that has a clock of its own; that clock."""
    folder = os.path.join(m.dir, "hurried")
    os.mkdir(folder, 0o755)
    return folder, malle.Clock(folder, "start")


with malle.Instance(start=False) as m:
    usual, (malle.BIN, clock) = malle.BIN, hurried(m)
    m.start()
    malle.BIN = usual
    # The pause before it is 100 ms. They end between two looks at the clock:
    # the one for who is to be started, and the one for how long to wait.
    for program in ("malle-bounce", "malle-remote", "malle-sts"):
        old = m.pid(program)
        clock.hurry(60)
        os.kill(old, 9)
        ok(until(lambda: m.pid(program) not in (None, old)),
           "%s is started again when its pause ends meanwhile" % program)
        clock.hurry(0)
    eq(m.violations(), [], "no call outside a role")
malle.done()
