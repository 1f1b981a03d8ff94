#!/usr/bin/env python3
"""start-faults.t - malle-start where something is wrong around it.

The real programs: settings that nobody can begin anew with, a caller that
ignores the end of children.
"""
# SPDX-License-Identifier: ISC

import os
import signal
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import malle
from malle import Instance, done, eq, ok, until


def pids(m):
    return {p: m.pid(p) for p in malle.PROGRAMS}


def test_reload(m):
    """What those who are started anew would read, and end or look elsewhere."""
    old, before = dict(m.settings), pids(m)
    for name, value in (("base", m.base + "-other"),
                        ("user_tls", "nobody-of-this-name"),
                        ("resolver", "::1"), ("log", "sylog")):
        mark = len(m.log())
        m.write_conf(**{name: value})
        m.reload()
        ok("reload-failed" in m.log()[mark:], name + ": is refused")
        m.settings = dict(old)
    m.write_conf()
    eq(pids(m), before, "everybody goes on as before")


def test_ignored(m):
    """Not to hear of children is inherited over execve(2)."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    try:
        m.start()
    finally:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    old = m.pid("malle-bounce")
    os.kill(old, signal.SIGKILL)
    ok(until(lambda: m.pid("malle-bounce") not in (None, old)),
       "what is killed comes back, whatever the caller ignores")
    ok(" ended program=malle-bounce pid=%d signal=9" % old in m.log(),
       "and the log says how it ended")
    eq(m.stop(), 0, "and it can be stopped")


with Instance() as m:
    test_reload(m)
    m.stop()
    test_ignored(m)
done()
