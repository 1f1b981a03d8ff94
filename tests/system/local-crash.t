#!/usr/bin/env python3
"""malle-local killed, and failed, at each of its system calls.

Whatever happens, a second worker that gets the same jobs leaves exactly one
whole copy of each, and nothing was reported as delivered that is not there.
"""
# SPDX-License-Identifier: ISC

import collections
import os
import re
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import malle
from malle import eq, note, ok
from localworker import Job, Worker, make_id, OK, TEMPORARY

TEXT = b"Subject: x\n\n" + 3000 * b"0123456789abcde\n"
# Those that touch files, or tell; the others cannot change what is kept.
CALLS = ("openat", "mkdirat", "write", "fsync", "syncfs", "renameat2",
         "unlinkat", "close", "sendmsg", "pread64", "fstat", "newfstatat")
ERRORS = (("openat", "ENOSPC"), ("openat", "EMFILE"), ("openat", "EACCES"),
          ("mkdirat", "EDQUOT"), ("write", "ENOSPC"), ("write", "EIO"),
          ("fsync", "EIO"), ("syncfs", "EIO"), ("renameat2", "ENOSPC"),
          ("pread64", "EIO"), ("newfstatat", "EIO"), ("fstat", "EIO"),
          ("unlinkat", "EIO"))


def jobs(n, **more):
    return [Job(i, TEXT, mailbox="u%d" % (i % 3), id=make_id(), **more)
            for i in range(n)]


def copies(worker):
    """Every published copy: (mailbox, content)."""
    found = []
    for user in sorted(os.listdir(worker.folder)):
        found += [(user, worker.read(n, user)) for n in worker.files(user)]
    return found


def run(batch, command, folder):
    """One worker under command. Its results as far as it told them."""
    # An injected failure looks like an unknown call to the sandbox.
    w = Worker(folder=folder, command=command, env={"MALLE_SANDBOX_DENY": ""})
    try:
        w.send(batch)
        return w.results(len(batch)), w
    except (EOFError, OSError):
        return {}, w
    finally:
        w.close()


def whole(job, content):
    return content.endswith(b"\nDelivered-To: %s\n" % job.to.encode() + TEXT)


def check(batch, results, w, what):
    """What must hold whenever a worker has ended."""
    found = copies(w)
    told = [j for j in batch if j.tag in results and
            results[j.tag].result == OK]
    names = sum((w.files(u) for u in os.listdir(w.folder)), [])
    good = all(any(j.id in n for n in names) for j in told)
    good = good and all(any(whole(j, c) for j in batch) for _, c in found)
    if not good:
        note("%s: %d told, %d there" % (what, len(told), len(found)))
    # The queue tries again what was not told.
    again = [j for j in batch if j not in told]
    v = Worker(folder=w.folder)
    if again:
        good = good and all(r.result == OK for r in v.deliver(*again))
    v.close()
    count = collections.Counter(u for u, _ in copies(v))
    want = collections.Counter(j.mailbox for j in batch)
    if count != want:
        note("%s: %r, not %r" % (what, count, want))
    return good and count == want


def how_often(batch, call, made):
    """How many calls of a kind one run makes."""
    folder = new_folder(made)
    log = folder + ".strace"
    run(batch, ["strace", "-f", "-o", log, "-e", "trace=" + call], folder)
    with open(log) as f:
        n = sum(line.split()[1].startswith(call + "(") for line in f)
    os.unlink(log)
    shutil.rmtree(folder)
    return n


def new_folder(made):
    """A domain's folder; made: the mailboxes are there already."""
    folder = tempfile.mkdtemp(prefix="malle-local-")
    for user in range(3 if made else 0):
        for part in ("tmp", "new", "cur"):
            os.makedirs("%s/u%d/Maildir/%s" % (folder, user, part))
    return folder


def attempt(batch, inject, what, made):
    folder = new_folder(made)
    command = ["strace", "-f", "-o", "/dev/null", "-e", "trace=" +
               inject.split(":")[0], "-e", "inject=" + inject]
    results, w = run(batch, command, folder)
    good = check(batch, results, w, what)
    shutil.rmtree(folder)
    return good, results


def kill_everywhere(size, made):
    for call in CALLS:
        times = how_often(jobs(size), call, made)
        bad = [n for n in range(1, times + 1) if not attempt(
            jobs(size), "%s:signal=KILL:when=%d" % (call, n),
            "%s %d" % (call, n), made)[0]]
        eq(bad, [], "%d jobs, killed at each of %d %s" % (size, times, call))


def fail_everywhere(size, made):
    for call, error in ERRORS:
        times = how_often(jobs(size, quota_bytes=1 << 30), call, made)
        bad = []
        temporary = 0
        # The first calls of these kinds are made before the start is over.
        for n in range(1, times + 1):
            good, results = attempt(
                jobs(size, quota_bytes=1 << 30),
                "%s:error=%s:when=%d" % (call, error, n),
                "%s %s %d" % (call, error, n), made)
            temporary += any(r.result == TEMPORARY for r in results.values())
            if not good or any(r.result not in (OK, TEMPORARY)
                               for r in results.values()):
                bad.append(n)
        eq(bad, [], "%d jobs, %s at each of %d %s: %d times told to wait" %
           (size, error, times, call, temporary))
        if call in ("write", "fsync", "syncfs", "renameat2", "mkdirat"):
            ok(times == 0 or temporary > 0,
               "and it was noticed (%s %s)" % (call, error))


def order(size, made):
    """What a crash of the machine would find: contents before names."""
    folder = new_folder(made)
    log = folder + ".strace"
    run(jobs(size), ["strace", "-f", "-o", log, "-e", "trace=write,fsync,"
                     "fdatasync,syncfs,renameat2,sendmsg"], folder)
    with open(log) as f:
        calls = [line.split()[1].split("(")[0] for line in f
                 if "(" in line]
    os.unlink(log)
    shutil.rmtree(folder)
    # Behind the sandbox's own write: w...w s r...r s sendmsg
    short = "".join({"write": "w", "renameat2": "r", "sendmsg": "t"}
                    .get(c, "s") for c in calls)
    ok(re.fullmatch("w+s{1,%d}r{%d}s+t" % (size, size), short),
       "%d jobs: written, synced, named, synced, told: %s" % (size, short))


def failed_for_ever():
    folder = new_folder(False)
    batch = jobs(5)
    # The first write is the sandbox's: without it there is no worker.
    for call, error, when in (("syncfs", "EIO", "1+"),
                              ("write", "ENOSPC", "2+"),
                              ("renameat2", "EDQUOT", "1+")):
        results, w = run(batch, ["strace", "-f", "-o", "/dev/null",
                                 "-e", "trace=" + call, "-e",
                                 "inject=%s:error=%s:when=%s" % (call, error, when)],
                         folder)
        eq({r.result for r in results.values()}, {TEMPORARY},
           "%s %s: all are told to wait: %s" %
           (call, error, results[0].text if results else "nothing"))
        eq((len(copies(w)), sum((w.files(u, "tmp") for u in
                                 os.listdir(folder)), [])), (0, []),
           "and nothing stays behind")
    shutil.rmtree(folder)


def old_filesystem():
    """NFS, and ZFS before 2.2, cannot rename without replacing."""
    folder = new_folder(False)
    batch = jobs(5) + [Job(5, TEXT, mailbox="u0", id=make_id(1000))]
    command = ["strace", "-f", "-o", "/dev/null", "-e", "trace=renameat2",
               "-e", "inject=renameat2:error=EINVAL"]
    for what in ("delivered", "found there when they come again"):
        results, w = run(batch, command, folder)
        eq([r.result for r in results.values()], [OK] * len(batch),
           "messages are %s on an old filesystem: %s" %
           (what, results[0].text if results else "nothing"))
        eq((len(copies(w)), sum((w.files(u, "tmp") for u in
                                 os.listdir(folder)), [])), (len(batch), []),
           "each once")
    shutil.rmtree(folder)


if malle.SANITIZED or shutil.which("strace") is None or subprocess.run(
        ["strace", "-f", "-o", "/dev/null", "true"],
        stderr=subprocess.DEVNULL).returncode != 0:
    print("1..0 # SKIP strace is missing or may not trace")
    sys.exit(0)
for count, are_made in ((1, True), (1, False), (4, False)):
    kill_everywhere(count, are_made)
    fail_everywhere(count, are_made)
    order(count, are_made)
failed_for_ever()
old_filesystem()
malle.done()
