#!/usr/bin/env python3
"""A full disk, a broken one, no descriptors: the change is refused, nothing of
it is seen, and the service works again when the fault is over; or the program
ends and the next start makes all good."""
import json
import os
import shutil
import signal
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import malle  # noqa: E402
import registryd  # noqa: E402
from malle import eq, ok  # noqa: E402

if shutil.which("strace") is None:
    malle.skip_all("strace is not installed")

# strace makes a call that fails the call number -1: an error then, no end.
os.environ["MALLE_SANDBOX_DENY"] = "errno"
HASH = "$6$saltsalt$" + "a" * 86
FAULTS = [("openat", "ENOSPC"), ("openat", "EMFILE"), ("write", "ENOSPC"),
          ("write", "EIO"), ("fsync", "EIO"), ("fdatasync", "EIO"),
          ("pwrite64", "ENOSPC"), ("pwrite64", "EIO"), ("pread64", "EIO"),
          ("renameat", "EIO"), ("mmap", "ENOMEM")]


def under(r, call, error, when):
    p = subprocess.Popen(
        ["strace", "-f", "-o", "/dev/null", "-p", str(r.process.pid), "-e",
         "trace=" + call, "-e", "inject=%s:error=%s:when=%s" % (
             call, error, when)], stderr=subprocess.PIPE)
    p.stderr.readline()     # "attached"
    return p


with registryd.Registry() as r:
    r.ask("domain.add", name="a.test")
    n = refused = ended = 0
    for call, error in FAULTS:
        for when in ("1", "2", "3", "1+") + (
                tuple(str(i) for i in range(4, 16)) if call == "write" else ()):
            n += 1
            name = "u%d" % n
            p = under(r, call, error, when)
            got = r.attempt("user.add", address=name + "@a.test", hash=HASH)
            p.kill()
            p.wait()
            died = r.attempt("domain.list") is None
            what = "%s %s at %s" % (error, call, when)
            if died:
                ended += 1
                if r.process.wait(malle.PATIENCE) in (-signal.SIGSEGV, -signal.SIGABRT):
                    ok(False, what + ": it crashed")
                r.process = None
                r.start()
            done = got is not None and got[1] == "ok"
            refused += got is not None and got[1] == "temporary"
            seen = name in r.addresses("a.test")
            kept = r.ask("user.show", address=name + "@a.test")[1] == "ok"
            bad = []
            if done and not kept:
                bad.append("acknowledged, and lost")
            if got is not None and got[1] == "temporary" and kept:
                bad.append("refused, and kept")
            if seen != kept:
                bad.append("the table is not the registry's")
            if r.ask("check")[0]:
                bad.append(str(r.ask("check")[0][:3]))
            if r.ask("user.set", address="postmaster@a.test",
                     quota_bytes=str(n))[1] != "ok":
                bad.append("it does not work again")
            ok(not bad, "%s: %s%s %s" % (
                what, got and got[1], ", it ended" if died else "",
                "; ".join(bad)))
    malle.note("%d refused, %d ends" % (refused, ended))
    ok(refused >= 5, "a fault before the commit is a refusal")
    with open(r.path("registry/journal")) as f:
        ids = [json.loads(line)["id"] for line in f]
    eq(ids, list(range(1, len(r.ask("journal")[0]) + 1)),
       "the text journal has every entry, once")
    r.restart()
    eq(r.ask("check")[0], [], "at last the tables equal the registry")
malle.done()
