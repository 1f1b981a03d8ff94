#!/usr/bin/env python3
"""start-faults.t - malle-start where something is wrong around it.

The real programs: settings that nobody can begin anew with, a caller that
ignores the end of children, somebody else on the machine who locks what he can.
"""
# SPDX-License-Identifier: ISC

import fcntl
import os
import signal
import subprocess
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


def lock_as(uid, files):
    """Descriptors of those that this uid may read, locked."""
    held = []
    os.seteuid(uid)
    try:
        for name in files:
            try:
                held.append(os.open(name, os.O_RDONLY))
            except PermissionError:
                continue
            fcntl.flock(held[-1], fcntl.LOCK_EX | fcntl.LOCK_NB)
            fcntl.lockf(held[-1], fcntl.LOCK_SH | fcntl.LOCK_NB)
    finally:
        os.seteuid(0)
    return held


def killed(m):
    """What a malle-start that is killed leaves."""
    m.start()
    family = malle.descendants(m.process.pid)
    m.process.kill()
    m.process.wait()
    m.process = None
    ok(until(lambda: not any(malle._alive(p) for p in family)),
       "malle-start was killed")


def test_looked_at(m):
    """Whoever asks whether it runs is in nobody's way: each of his calls takes
    a second, one of them looks at the lock."""
    killed(m)
    trace = m.dir + "/trace"
    looker = subprocess.Popen(
        ["strace", "-o", trace, "-e", "trace=flock,fcntl", "-e",
         "inject=flock,fcntl:delay_exit=1000000", malle.BIN + "/malle-start",
         "-c", m.conf_path, "--status"], stdout=subprocess.DEVNULL)

    def looks():
        if not os.path.exists(trace):
            return False
        with open(trace) as f:
            text = f.read()
        return "flock(" in text or "LK" in text
    ok(until(looks), "somebody looks at the lock of nobody")
    m.start()
    ok(m.pid("malle-smtpd"), "and it can be started")
    looker.wait(malle.PATIENCE)
    eq(m.stop(), 0, "it has ended")


def test_locked(m):
    """Whoever may read a file may lock it."""
    killed(m)
    files = [m.base + "/" + n for n in os.listdir(m.base)
             if n.startswith("malle-start")]
    held = lock_as(65534, files)
    ok(held, "somebody else locks what he may read")
    m.start()
    ok(m.pid("malle-smtpd"), "and it can be started all the same")
    for fd in held:
        os.close(fd)
    r = m.run("malle-start", "--status", check=False, user=65534, group=65534,
              extra_groups=[])
    ok("pid=%d" % m.process.pid in r.stdout and r.returncode == 0,
       "he sees that it runs")
    r = m.run("malle-start", "--stop", check=False, user=65534, group=65534,
              extra_groups=[])
    ok(r.returncode not in (0, 3) and m.process.poll() is None,
       "and cannot stop it")
    eq(m.run("malle-start", "--stop", check=False).returncode, 0,
       "who may can")
    eq(m.process.wait(malle.PATIENCE), 0, "it has ended")
    m.process = None
    r = m.run("malle-start", "--status", check=False, user=65534, group=65534,
              extra_groups=[])
    eq(r.returncode, 3, "which he sees, too")


with Instance() as m:
    test_reload(m)
    m.stop()
    test_ignored(m)
    if not malle.SANITIZED:
        test_looked_at(m)
    if malle.SEPARATE:
        test_locked(m)
done()
