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
import time

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


def store_lost(r):
    """No file can be opened, and the store gives itself up in the end: so does
    the program, for the next one to recover it."""
    p = under(r, "openat", "ENOSPC", "1+")
    n = 0
    while r.process.poll() is None and n < 5000:
        n += 1
        r.attempt("user.set", address="postmaster@a.test",
                  quota_bytes=str(n))
    p.kill()
    p.wait()
    ok(r.process.poll() == os.EX_OSERR, "a store that is lost ends it")
    r.process = None
    r.start()
    eq(r.ask("check")[0], [], "and the next one has all")
    eq(r.ask("user.set", address="postmaster@a.test", quota_bytes="1")[1],
       "ok", "and works")


def permission_ends(r):
    """A permission to relay that ends while the disk is full ends when it is
    not any more; meanwhile the registry tries now and then, not in each turn."""
    def has():
        return any("192.0.2.9" in k for k in r.table(
            "public", "tables", "access.cdb"))

    def tried():
        return r.log().count(" compile ")
    # Longer, if it was over before it was seen that the disk is full.
    for seconds in (3, 10, 30, 100):
        end, before = int(time.time()) + seconds, tried()
        r.ask("relay.delete", net="192.0.2.9")
        r.ask("relay.add", net="192.0.2.9", until=time.strftime(
            "%Y-%m-%dT%H:%M:%SZ", time.gmtime(end)))
        p = under(r, "fsync", "ENOSPC", "1+")
        begun = time.monotonic()
        if has() and time.time() < end:
            break
        p.kill()
        p.wait()
    malle.until(lambda: tried() > before, seconds + malle.PATIENCE)
    for _ in range(50):
        r.ask("domain.list")
    n = tried() - before
    most = 1 + (time.monotonic() - begun) // 10
    ok(has() and 0 < n <= most,
       "a table that cannot be made is tried %d times in 50 turns" % n)
    p.kill()
    p.wait()
    ok(malle.until(lambda: not has()), "and made at last")
    eq(r.ask("check")[0], [], "as the registry says")


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
    permission_ends(r)
    store_lost(r)
    ok(refused >= 5, "a fault before the commit is a refusal")
    with open(r.path("registry/journal")) as f:
        ids = [json.loads(line)["id"] for line in f]
    eq(ids, list(range(1, len(r.ask("journal")[0]) + 1)),
       "the text journal has every entry, once")
    r.restart()
    eq(r.ask("check")[0], [], "at last the tables equal the registry")
malle.done()
