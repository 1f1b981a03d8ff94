#!/usr/bin/env python3
"""malle-local: what lies in the Maildir, what is reported, what is refused."""
# SPDX-License-Identifier: ISC

import os
import re
import shutil
import signal
import struct
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import malle
from malle import eq, ok
from localworker import (Job, Worker, make_id, OK, PERMANENT, TEMPORARY,
                         L_BATCH, L_MEASURED)

HEAD = b"Return-Path: <alice@exemple.test>\nDelivered-To: bob@exemple.test\n"
TEXT = b"Subject: x\nFrom: alice@exemple.test\n\nBonjour \xe9\0 .\n.\nno end"
# When a message came that every worker of this test is younger than.
BEFORE = int(time.time()) - 100


def write(path, data=b""):
    with open(path, "wb") as f:
        f.write(data)


def test_one():
    w = Worker()
    r, = w.deliver(Job(7, TEXT, offset=1000))
    eq((r.result, r.enhanced), (OK, "2.1.5"), "one message is delivered")
    names = w.files()
    ok(len(names) == 1 and re.fullmatch(
        r"[0-9]{10}\.M[0-9a-v]+-[0-9a-v]+R0\.mx\.exemple\.test,S=%d,W=%d" %
        (len(HEAD + TEXT), len((HEAD + TEXT).replace(b"\n", b"\r\n") +
                               b"\r\n")), names[0]), "its name tells its sizes: " + names[0])
    ok(len(names[0].split(",")[0]) <= 70, "and is fit for a UID of POP3")
    eq(w.read(names[0]), HEAD + TEXT, "content is byte-exact")
    eq(w.files(part="tmp"), [], "nothing is left in tmp")
    modes = [os.stat("%s/bob/%s" % (w.folder, p)).st_mode & 0o777 for p in
             ("", "Maildir", "Maildir/cur", "Maildir/new/" + names[0])]
    eq(modes, [0o700, 0o700, 0o700, 0o600], "nobody else can read it")
    r, = w.deliver(Job(8, b"", sender=""))
    ok(r.result == OK and any(
        w.read(n) == HEAD.replace(b"alice@exemple.test", b"")
        for n in w.files()), "null sender, no content")
    r, = w.deliver(Job(10, TEXT, stray=True))
    r, = w.deliver(Job(11, TEXT))
    eq([n.count(",C=1") for n in sorted(w.files())[-2:]], [1, 0], "0-41: what came by a catch-all alone is marked")
    big = os.urandom(5000000).replace(b"\r", b"\n")
    r, = w.deliver(Job(9, big))
    ok(r.result == OK and any(w.read(n) == HEAD + big for n in w.files()),
       "5 MB")
    status, log = w.close()
    eq((status, log), (0, ""), "it ends with 0 when malle-queued closes")


def test_many():
    w = Worker()
    jobs = [Job(i, b"Subject: %d\n\n" % i, mailbox="u%d" % (i % 50))
            for i in range(300)]
    results = w.deliver(*jobs)
    eq({r.result for r in results}, {OK}, "300 jobs in batches of 32")
    eq(sum(len(w.files("u%d" % i)) for i in range(50)), 300,
       "each is in a mailbox")
    ok(all(any(b"Subject: %d\n" % j.tag in w.read(n, j.mailbox)
               for n in w.files(j.mailbox)) for j in jobs), "in the right one")
    jobs = [Job(i, b"x\n", mailbox="v%d" % i) for i in range(200)]
    eq({r.result for r in w.deliver(*jobs)}, {OK},
       "more mailboxes than are kept open")
    # A mailbox that is moved aside while it is open here.
    w.deliver(Job(1, b"open\n", mailbox="u1"))
    shutil.move(w.folder + "/u1", w.folder + "/old")
    r, = w.deliver(Job(1, b"new\n", mailbox="u1"))
    ok(r.result == OK and len(w.files("u1")) == 1 and len(w.files("old")) == 7,
       "an account that was put aside gets nothing more")
    eq(w.close(), (0, ""), "ends")


def folder(w, name, user="bob"):
    for part in ("new", "cur", "tmp"):
        os.makedirs("%s/%s/Maildir/%s/%s" % (w.folder, user, name, part))


def count(w, name, user="bob"):
    path = "%s/%s/Maildir/%s/new" % (w.folder, user, name)
    return len(os.listdir(path)) if os.path.isdir(path) else 0


def test_folders():
    """bob+detail goes to a folder of that name when bob has one."""
    w = Worker()
    w.deliver(Job(1, b"x\n"))
    for name in (".Clients", ".Clients.Dupont", ".Sent", ".both", ".Both",
                 ".a-b_c1", ".Archives", ".Archives.2026", ".Brouillons",
                 ".Corbeille"):
        folder(w, name)
    os.makedirs(w.folder + "/bob/Maildir/.half/cur")
    os.symlink("..", w.folder + "/bob/Maildir/.link")
    rows = (
        # (what follows the "+", the folder that gets it; "": the inbox)
        ("Clients", ".Clients"), ("clients", ".Clients"),
        ("CLIENTS.dupont", ".Clients.Dupont"), ("a-b_c1", ".a-b_c1"),
        ("both", ".both"), ("BOTH", ""), ("unknown", ""), ("Sent", ""),
        ("sent", ""), ("Clients.", ""), (".Clients", ""), ("half", ""),
        ("link", ""), ("Clients..Dupont", ""), ("..", ""), ("../x", ""),
        ("Clients/new", ""), ("x" * 64, ""), ("é", ""), ("Archives", ""),
        ("archives.2026", ""), ("Brouillons", ""), ("corbeille", ""),
    )
    for detail, want in rows:
        before = count(w, want)
        r, = w.deliver(Job(2, b"x\n", detail=detail))
        eq((r.result, count(w, want) - before), (OK, 1),
           "+%s goes to %s" % (detail, want or "the inbox"))
    eq(sorted(n for n in os.listdir(w.folder + "/bob/Maildir")
              if n.startswith(".")),
       [".Archives", ".Archives.2026", ".Both", ".Brouillons", ".Clients",
        ".Clients.Dupont", ".Corbeille", ".Sent", ".a-b_c1", ".both", ".half",
        ".link"], "no folder was made")
    eq(w.files(part="tmp"), [], "nothing is left in tmp")
    # Again, as after a crash: by a worker that is younger than the message.
    i = make_id(BEFORE)
    before = count(w, ".Clients")
    results = w.deliver(Job(3, b"y\n", id=i, detail="clients"),
                        Job(4, b"y\n", id=i, detail="clients"),
                        *[Job(5 + n, b"z\n", detail="both")
                          for n in range(40)])
    eq(({r.result for r in results}, count(w, ".Clients") - before,
        count(w, ".both")), ({OK}, 1, 41),
       "the same message twice is one; many at once")
    new = "%s/bob/Maildir/.Clients/new" % w.folder
    name = next(n for n in os.listdir(new) if i.split("-")[1] in n)
    os.rename("%s/%s" % (new, name), "%s/../cur/%s:2,S" % (new, name))
    before = count(w, ".Clients")
    r, = w.deliver(Job(6, b"y\n", id=i, detail="clients"))
    eq((r.result, count(w, ".Clients") - before), (OK, 0),
       "nor is it made again once it was read")
    r, = w.deliver(Job(7, b"x" * 500, detail="clients", quota_bytes=300))
    eq(r.result, PERMANENT, "the quota is that of the whole mailbox")
    eq(w.close(), (0, ""), "ends")


def test_again():
    w = Worker()
    first = make_id(BEFORE)
    job = Job(1, TEXT, id=first, recipient=3)
    eq([w.deliver(job)[0].result for _ in range(3)], [OK] * 3,
       "the same job three times is a success")
    eq(len(w.files()), 1, "and one message")
    eq(len({r.result for r in w.deliver(
        Job(1, TEXT, id=first, recipient=4), Job(2, TEXT, id=first,
                                                 recipient=4))}), 1,
       "twice in one batch")
    eq(len(w.files()), 2, "another recipient number is another copy")
    w.socket.close()
    w.process.wait(malle.PATIENCE)
    box = w.folder + "/bob/Maildir/"
    for name in w.files():
        os.rename(box + "new/" + name, box + "cur/" + name + ":2,FS")
    v = Worker(folder=w.folder)
    r, = v.deliver(job)
    ok(r.result == OK and v.files() == [] and v.files(part="tmp") == [],
       "read meanwhile: a new worker finds it in cur: %r" % r)
    r, = v.deliver(Job(5, TEXT, id=make_id(BEFORE)))
    ok(r.result == OK and len(v.files()) == 1,
       "an old message that is not there is delivered")
    eq(v.close(), (0, ""), "ends")
    shutil.rmtree(w.folder)


def test_again_and_full():
    """What filled the mailbox is delivered, whoever did not hear of it."""
    size = len(HEAD) + 400
    w = Worker()
    w.deliver(Job(0, TEXT))
    folder(w, ".Clients")
    for name in w.files():
        os.unlink("%s/bob/Maildir/new/%s" % (w.folder, name))
    for what, detail, part in (("unread", "", None), ("read", "", "cur"),
                               ("in a folder", "clients", None)):
        job = Job(1, b"x" * 399 + b"\n", id=make_id(BEFORE),
                  quota_bytes=size + 10, detail=detail)
        r, = w.deliver(job)
        eq(r.result, OK, "fills the mailbox: " + what)
        if part:
            name = w.files()[0]
            base = w.folder + "/bob/Maildir/"
            os.rename(base + "new/" + name, base + "cur/" + name + ":2,S")
        v = Worker(folder=w.folder)
        r, s = v.deliver(job, Job(2, b"x" * 399 + b"\n", id=make_id(BEFORE),
                                  quota_bytes=size + 10))
        eq((r.result, "earlier attempt" in r.text, s.result),
           (OK, True, TEMPORARY), "is found there by the next worker: " +
           r.text)
        v.close()
        for d in ("new", "cur", ".Clients/new"):
            for name in w.files(part=d):
                os.unlink("%s/bob/Maildir/%s/%s" % (w.folder, d, name))
        os.unlink(w.folder + "/bob/Maildir/maildirsize")
    eq(w.close(), (0, ""), "ends")


def test_quota():
    w = Worker()
    size = len(HEAD) + 400
    job = lambda tag, **more: Job(tag, b"x" * 399 + b"\n", **more)
    limit = 2 * size + 10
    a, b, c = w.deliver(*[job(i, quota_bytes=limit) for i in range(3)])
    eq([a.result, b.result, c.result], [OK, OK, TEMPORARY],
       "two fit, the third does not, all in one batch")
    eq(c.enhanced, "4.2.2", "a full mailbox is temporary")
    ok("bob@exemple.test is full" in c.text, c.text)
    eq((b.used_bytes, b.used_messages), (2 * size, 2), "usage is told")
    path = w.folder + "/bob/Maildir/maildirsize"
    with open(path) as f:
        eq(f.read(), "%dS,0C\n0 0\n%d 2\n" % (limit, 2 * size),
           "maildirsize as others read it")
    r, = w.deliver(job(1, quota_bytes=200))
    eq((r.result, r.enhanced), (PERMANENT, "5.2.3"),
       "larger than the whole mailbox is permanent")
    ok("larger than the whole mailbox" in r.text, r.text)
    r, = w.deliver(job(1, quota_messages=2))
    eq((r.result, r.enhanced), (TEMPORARY, "4.2.2"), "too many messages")
    ok("2 of 2 messages" in r.text, r.text)

    # Another program deletes without telling; old figures are checked again.
    w.deliver(job(1, quota_bytes=limit))
    for name in w.files():
        os.unlink("%s/bob/Maildir/new/%s" % (w.folder, name))
    r, = w.deliver(job(1, quota_bytes=limit))
    eq(r.result, TEMPORARY, "fresh figures are believed")
    os.utime(path, (time.time() - 1000,) * 2)
    r, = w.deliver(job(1, quota_bytes=limit))
    eq((r.result, r.used_messages), (OK, 1), "old figures are counted anew")

    r, = w.deliver(job(1))
    eq((r.result, r.used_bytes), (OK, 0), "without quota nothing is counted")
    with open(path) as f:
        eq(f.read().splitlines()[-1], "%d 1" % size,
           "but an existing maildirsize is kept up")
    w.deliver(job(1, mailbox="carol"))
    ok(not os.path.exists(w.folder + "/carol/Maildir/maildirsize"),
       "and none is made")
    eq(w.measure("bob", limit), (L_MEASURED, 7, 1, 2 * size, 2), "measured")
    eq(w.measure("nobody", limit), (L_MEASURED, 7, 1, 0, 0),
       "an account without a mailbox measures nothing")
    ok(not os.path.exists(w.folder + "/nobody"), "and none is made")
    eq(w.measure("../bob"), (L_MEASURED, 7, 0, 0, 0), "no account's name")

    # Who is refused in the dialogue never gets as far as a delivery.
    with open(path, "w") as f:
        f.write("%dS,0C\n%d 2\n" % (limit, limit))
    eq(w.measure("bob", limit, 0, size), (L_MEASURED, 7, 1, limit, 2),
       "fresh figures are told")
    os.utime(path, (time.time() - 1000,) * 2)
    eq(w.measure("bob", limit, 0, 0), (L_MEASURED, 7, 1, limit, 2),
       "old ones, too, where they refuse nobody")
    eq(w.measure("bob", limit, 0, size), (L_MEASURED, 7, 1, 2 * size, 2),
       "where they would, all is counted anew")
    eq(w.close(), (0, ""), "ends")


def test_loop():
    w = Worker()
    again = b"Received: x\nDelivered-To: Bob@Exemple.test\nSubject: x\n\nhi\n"
    r, s = w.deliver(Job(1, again), Job(2, again, mailbox="carol"))
    eq((r.result, r.enhanced), (PERMANENT, "5.4.6"), "a loop is refused")
    ok("circle" in r.text, r.text)
    eq(s.result, OK, "another address is no loop")
    n = len(w.files())
    rows = w.deliver(*[Job(1 + i, again, to=to) for i, to in enumerate((
        "BOB@exemple.test", "bob+list@exemple.test", "bob@alias.test", "sales@exemple.test"))])
    eq([r.enhanced for r in rows], ["5.4.6"] * 4,
       "8-15: nor is the mailbox given another copy by another of its addresses")
    eq(len(w.files()), n, "one copy is what it has")
    # A mailbox that was renamed keeps its folder; the name may be another's.
    r, = w.deliver(Job(11, b"Delivered-To: robert@exemple.test\n\nx\n",
                       account="robert", to="Robert+x@exemple.test"))
    ok(r.result == PERMANENT, "a loop by the account's name, not its folder's")
    r, = w.deliver(Job(12, b"Delivered-To: bob@exemple.test\n\nx\n",
                       account="robert", to="robert@exemple.test"))
    ok(r.result == OK, "who has the name of the folder now is somebody else")
    r, = w.deliver(Job(9, b"Delivered-To: bob@elsewhere.test\n\nx\n"))
    eq(r.result, OK, "the name in another domain is somebody else")
    r, = w.deliver(Job(1, b"Subject: x\n\nDelivered-To: bob@exemple.test\n"))
    eq(r.result, OK, "the body is no header")
    eq(w.files(part="tmp"), [], "nothing is left in tmp")
    w.close()


def test_hostile_jobs():
    w = Worker()
    rows = [dict(mailbox=""), dict(mailbox=".."), dict(mailbox="../x"),
            dict(mailbox="BOB"), dict(mailbox="a/b"), dict(mailbox=".x"),
            dict(id=""), dict(id="../../x"), dict(id="A" * 20),
            dict(length=1 << 63), dict(offset=0, length=(1 << 64) - 1),
            dict(length=len(TEXT) + 1), dict(length=1 << 40)]
    results = w.deliver(*[Job(i, TEXT, **row) for i, row in enumerate(rows)])
    for row, r in zip(rows, results):
        eq(r.result, TEMPORARY, "refused: %r: %s" % (row, r.text))
    eq((w.files(), w.files(part="tmp"), os.listdir(w.folder)),
       ([], [], ["bob"]), "and nothing is made of it")
    eq([r.result for r in w.deliver(
        Job(1, TEXT, length=len(TEXT) + 1), Job(2, TEXT))],
       [TEMPORARY, OK], "one bad job leaves the others alone")
    eq(w.close(), (0, ""), "ends")
    one = Job(1, TEXT).pack()

    def head(n):
        return struct.pack("<HHi", L_BATCH, n, 0)
    rows = [("no jobs", head(0), 0),
            ("too many jobs", head(33) + 33 * one, 1),
            ("no descriptor", head(1) + one, 0),
            ("a descriptor too many", head(1) + one, 2),
            ("cut short", head(1) + one[:-1], 1),
            ("too long", head(1) + one + b"x", 1),
            ("no clocks", struct.pack("<HH", L_BATCH, 1), 1),
            ("unknown type", struct.pack("<H", 99), 0),
            ("no type", b"x", 0),
            ("line end in an address", head(1) +
             Job(1, TEXT, sender="a\nBcc: x").pack(), 1)]
    for what, body, fds in rows:
        w = Worker()
        with tempfile.TemporaryFile() as f:
            w.raw(body, [f.fileno()] * fds)
            eq((w.process.wait(malle.PATIENCE), os.listdir(w.folder)), (76, []),
               "malformed request ends the worker: " + what)
        w.close()


def test_links():
    outside = tempfile.mkdtemp(prefix="malle-outside-")
    for part in ("", "/tmp", "/new", "/cur"):
        os.mkdir(outside + part) if part else None
    for what, path in (("the account", "bob"), ("Maildir", "bob/Maildir"),
                       ("tmp", "bob/Maildir/tmp"), ("new", "bob/Maildir/new")):
        w = Worker()
        w.deliver(Job(1, TEXT, mailbox="bob"))
        w.deliver(*[Job(i, TEXT, mailbox="o%d" % i) for i in range(200)])
        shutil.rmtree(w.folder + "/" + path)
        other = {"bob": "o2", "bob/Maildir": "../o2/Maildir"}.get(
            path, "../../o2/Maildir/" + what)
        os.symlink(other, w.folder + "/" + path)
        r, = w.deliver(Job(1, TEXT))
        eq((r.result, len(w.files("o2")), w.files("o2", "tmp")),
           (TEMPORARY, 1, []), "a link to another mailbox, for " + what)
        os.unlink(w.folder + "/" + path)
        os.symlink(outside, w.folder + "/" + path)
        r, s = w.deliver(Job(1, TEXT), Job(2, TEXT, mailbox="o1"))
        eq((r.result, r.enhanced, s.result), (TEMPORARY, "4.3.5", OK),
           "a link in place of %s: %s" % (what, r.text))
        eq([len(os.listdir(outside + "/" + d)) for d in ("tmp", "new")],
           [0, 0], "nothing is written behind it")
        w.close()
    shutil.rmtree(outside)


def test_tmp():
    """Somebody tidies up while the Maildir is open."""
    w = Worker()
    w.deliver(Job(1, TEXT))
    os.rmdir(w.folder + "/bob/Maildir/tmp")
    r, = w.deliver(Job(2, TEXT))
    eq((r.result, len(w.files())), (OK, 2), "tmp is made again: " + r.text)
    eq(w.close(), (0, ""), "ends")


def test_clean():
    w = Worker()
    w.deliver(Job(1, TEXT))
    w.socket.close()
    w.process.wait(malle.PATIENCE)
    tmp = w.folder + "/bob/Maildir/tmp/"
    write(tmp + "old")
    write(tmp + "young")
    os.utime(tmp + "old", (time.time() - 200000,) * 2)
    v = Worker(folder=w.folder)
    v.deliver(Job(2, TEXT))
    # Its ctime is now: what was only touched to look old is left alone.
    eq(v.files(part="tmp"), ["old", "young"], "nothing younger than 36 hours "
       "is cleaned away")
    v.close()
    shutil.rmtree(w.folder)


def test_end():
    w = Worker()
    w.deliver(Job(1, TEXT))
    w.process.send_signal(signal.SIGTERM)
    eq(w.process.wait(malle.PATIENCE), 0, "SIGTERM ends it with 0")
    w.close()
    w = Worker()
    with malle.held(w.process.pid):
        w.send([Job(1, TEXT), Job(2, TEXT)])
        w.process.send_signal(signal.SIGTERM)
    w.process.wait(malle.PATIENCE)
    ok(len(w.files()) in (0, 2), "SIGTERM: all of a batch or nothing of it")
    w.close()


for test in (test_one, test_many, test_folders, test_again,
             test_again_and_full, test_quota, test_loop, test_hostile_jobs,
             test_links, test_tmp, test_clean, test_end):
    test()
malle.done()
