#!/usr/bin/env python3
"""service-limits - each program limits itself: memory, descriptors, the size of files, core files.

With a log that is a regular file the limit of file sizes would end the log; here the log is a pipe.
"""
import os
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import malle
from malle import eq, ok

NO_FILES = ("malle-smtpd", "malle-pop3d", "malle-authd", "malle-tls", "malle-bounce", "malle-remote", "malle-sts")
# They speak to anybody, and need little.
SMALL = ("malle-remote", "malle-sts", "malle-tls", "malle-bounce")
ROWS = {"size": "Max file size", "files": "Max open files", "memory": "Max address space",
        "core": "Max core file size", "processes": "Max processes"}
FOREVER = float("inf")

if malle.SANITIZED:
    malle.skip_all("the shadow memory of the sanitizer has no limit")


def limits(pid):
    """{row: (soft, hard)}"""
    with open("/proc/%d/limits" % pid) as f:
        lines = f.readlines()
    found = {}
    for key, name in ROWS.items():
        line = [l for l in lines if l.startswith(name + " ")][0]
        found[key] = tuple(FOREVER if w == "unlimited" else int(w) for w in line[len(name):].split()[:2])
    return found


m = malle.Instance(conf={"log": "stderr"}, start=False)
try:
    cat = subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=open(m.log_path, "ab"))
    m.process = subprocess.Popen([os.path.join(malle.BIN, "malle-start"), "-f", "-c", m.conf_path],
                                 stdin=subprocess.DEVNULL, stdout=cat.stdin, stderr=cat.stdin, env=m.env)
    cat.stdin.close()
    if not ok(m.wait_log("service-ready", 60), "the service is ready"):
        malle.note(m.log())
    for program in malle.PROGRAMS:
        got = limits(m.pid(program))
        ok(all(soft == hard for soft, hard in got.values() if soft != FOREVER), program + ": hard limits")
        eq(got["core"][0], 0, program + ": no core file")
        if program in NO_FILES:
            eq(got["size"][0], 0, program + ": writes no file")
        elif program != "malle-spawn":
            ok(0 < got["size"][0] < FOREVER, program + ": files of a limited size")
        ok(0 < got["memory"][0] <= (256 << 20 if program in SMALL else
                                    4 << 30), program + ": memory")
        ok(got["files"][0] <= 16384, program + ": %d descriptors" % got["files"][0])
        if program in ("malle-smtpd", "malle-pop3d"):
            ok(got["files"][0] >= 2 * 500, program + ": those on their way from sessions_max of both are among them")
    # A session makes no process, whatever happens to its filter.
    with m.connect("smtp") as s:
        s.recv(100)
        session = malle.until(lambda: malle.children(m.pid("malle-smtpd")))[0]
        eq(limits(session)["processes"], (0, 0), "an SMTP session makes no process")
finally:
    m.close()
    cat.wait(malle.PATIENCE)
malle.done()
