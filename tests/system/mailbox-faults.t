#!/usr/bin/env python3
"""malle-mailbox: slow askers, mailboxes that change, what crashes have left."""
import os
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import malle
from boxworker import (CONTENTS, DONE, EXISTS, FAILED, HEADERS,
                       MAY_MEASURE, MAY_READ, MAY_WRITE, MEASURE, MESSAGE,
                       NO_ROOM, OK, Box, Domain)
from malle import eq, ok, until

MANY = 1500             # more than a socket holds


def filled():
    d = Domain()
    for i in range(MANY):
        d.put("cur/16%08d.M1.host:2," % i)
    return d


def test_slow_asker():
    """The kernel lets a uid have so many descriptors on their way; root more."""
    d = filled()
    b = Box(d, MAY_READ)
    b.list(CONTENTS)
    ok(until(b.is_stuck), "an asker who does not read")
    eq(len(list(b.rows())), MANY, "gets all messages when he does")
    eq(b.close(), (0, ""), "and nothing is complained of")
    d.close()


def test_changes():
    """Its owner marks all messages, or moves them, while they are listed."""
    d = filled()
    d.folder(".A")
    for what, where in (("marked as read", "cur/%s:2,S"),
                        ("moved to another folder", ".A/cur/%s:2,S")):
        b = Box(d, MAY_READ)
        b.list(CONTENTS)
        ok(until(b.is_stuck), "a listing has begun")
        for name in d.files("cur"):
            os.rename(os.path.join(d.maildir, "cur", name),
                      os.path.join(d.maildir, where % name.split(":")[0]))
        rows = [(r.bytes(), r.bytes()) for _, r in b.rows()]
        eq(len({unique for _, unique in rows}), MANY,
           "none is missing of those that were %s meanwhile" % what)
        eq(len(set(rows)), len(rows), "none is told twice")
        eq(b.close(), (0, ""), "ends")
    d.close()


def test_unreadable():
    """One message that its uid may not read."""
    d = Domain()
    d.put("cur/1.x:2,S")
    os.chmod(d.put("cur/2.x:2,S"), 0)
    b = Box(d, MAY_READ)
    b.list(HEADERS)
    eq(len(list(b.rows())), 2, "it is listed")
    b.list(CONTENTS)
    reply = (MESSAGE,)
    while reply[0] == MESSAGE:
        reply = b.recv()
        for fd in reply[2]:
            os.close(fd)
    eq((reply[0], reply[1].take("B"), reply[1].bytes()),
       (DONE, FAILED, "Permission denied"), "a backup is told why it fails")
    status, log = b.close()
    ok(status == 0 and "Permission denied" in log, "and so is the log")
    d.close()


def test_no_folder():
    """What begins with a dot and is no folder."""
    d = Domain()
    d.folder(".A")
    d.put(".quotawarn.new")
    os.symlink("/", os.path.join(d.maildir, ".link"))
    b = Box(d, MAY_MEASURE)
    b.send(MEASURE)
    eq(sorted(r.bytes() for _, r in b.rows()), ["", ".A"],
       "is not told to be one")
    b.close()
    d.close()


def test_old_figures():
    """A maildirsize that nobody has kept up."""
    d = Domain()
    sizes = d.put("maildirsize", b"100S,0C\n99 1\n")
    b = Box(d, MAY_WRITE, quota_bytes=100)
    eq(b.write("", "1.x"), NO_ROOM, "a quota that is full by fresh figures")
    b.close()
    os.utime(sizes, (1, 1))
    b = Box(d, MAY_WRITE, quota_bytes=100)
    eq((b.write("", "1.x"), b.sync()), (OK, OK),
       "by old ones it is counted anew")
    eq(b.close(), (0, ""), "ends")
    d.close()


def test_half_a_folder():
    """A crash came while the folder was made; or somebody else made it."""
    d = Domain()
    d.folder(".A", parts=())
    d.folder(".B", parts=("tmp", "new"))
    d.folder(".C", parts=("tmp", "new"))
    os.symlink("../new", os.path.join(d.maildir, ".C", "cur"))
    b = Box(d, MAY_WRITE)
    for folder in (".A", ".B"):
        eq((b.write(folder, "1%s.x" % folder), b.sync()), (OK, OK),
           "what is missing of a folder is made: " + folder)
        eq(len(d.files(folder + "/cur")), 1, "and the message is there")
    eq(b.write(".C", "1.c"), FAILED, "a link is not taken for a folder")
    eq((d.files("new"), d.files(".C/tmp")), ([], []), "nor followed")
    b.close()
    d.close()


def test_cut_short():
    """The asker goes before what he has written was made durable."""
    d = Domain()
    b = Box(d, MAY_WRITE)
    eq((b.write(".A", "1.x"), b.write("", "2.x")), (OK, OK), "two are written")
    b.close()
    eq((d.files("tmp"), d.files(".A/tmp"), d.files("cur"), d.files(".A/cur")),
       ([], [], [], []), "nothing of them is left")
    d.close()


def test_killed():
    """What it leaves is where malle-local tidies up: in tmp of the inbox."""
    d = Domain()
    b = Box(d, MAY_WRITE)
    eq((b.write(".A", "1.x"), b.write("", "2.x")), (OK, OK), "two are written")
    b.process.kill()
    b.process.wait()
    b.close()
    eq((len(d.files("tmp")), d.files(".A/tmp"), d.files("cur"),
        d.files(".A/cur")), (2, [], [], []), "killed, it leaves two files")
    shutil.rmtree(os.path.join(d.maildir, "tmp"))
    b = Box(d, MAY_WRITE)
    eq((b.write(".A", "1.x"), b.write("", "2.x"), b.sync()), (OK, OK, OK),
       "without a tmp it makes one")
    eq((len(d.files("cur")), len(d.files(".A/cur")), d.files("tmp")),
       (1, 1, []), "and all is there")
    b.close()
    d.close()


def traced(domain, *inject):
    """A box whose calls are in the file; None without strace."""
    log = os.path.join(domain.path, "trace")
    domain.own(domain.path)
    return log, Box(domain, MAY_WRITE, command=[
        "strace", "-f", "-o", log, "-e",
        "trace=fsync,syncfs,renameat2,sendmsg", *inject])


def test_durable():
    d = Domain()
    log, b = traced(d, "-e", "inject=renameat2:error=EINVAL")
    eq((b.write("", "0.x"), b.sync(), len(d.files("cur")), d.files("tmp")),
       (OK, OK, 1, []), "a filesystem that cannot rename without replacing")
    b.close()
    os.unlink(os.path.join(d.maildir, "cur", d.files("cur")[0]))
    log, b = traced(d, "-e", "inject=syncfs:error=EIO:when=2")
    eq((b.write("", "1.x"), b.sync()), (OK, FAILED),
       "names that cannot be made durable")
    eq(d.files("cur") + d.files("tmp"), [], "are taken back")
    eq((b.write("", "1.x"), b.sync()), (OK, OK), "and may be written again")
    b.close()
    log, b = traced(d)
    b.write("", "2.x")
    b.sync()
    with open(log) as f:
        before = f.read().count("syncfs(")
    eq((b.write("", "1.x"), b.sync()), (EXISTS, OK), "what is there already")
    b.close()
    with open(log) as f:
        ok(f.read().count("syncfs(") > before,
           "is made durable: who wrote it may have died before that")
    d.close()


test_slow_asker()
test_unreadable()
test_changes()
test_no_folder()
test_old_figures()
test_half_a_folder()
test_cut_short()
test_killed()
if not malle.SANITIZED and shutil.which("strace") and subprocess.run(
        ["strace", "-f", "-o", "/dev/null", "true"],
        stderr=subprocess.DEVNULL).returncode == 0:
    test_durable()
malle.done()
