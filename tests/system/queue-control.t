#!/usr/bin/env python3
"""queue-control.t - malle queue, malle-queue-run, and who may ask for what."""
# SPDX-License-Identifier: ISC

import contextlib
import fcntl
import json
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import malle
from malle import done, eq, ok, skip
from smtpd_peers import mailbox
from queuelab import Lab, OK, PERMANENT, Q_END, TEMPORARY, pb

LATER = (TEMPORARY, "4.2.0", "not now")
YES = (OK, "2.0.0", "delivered")


def queue(lab, *args, lang="C", malle_=malle.BIN + "/malle"):
    p = subprocess.run([malle_, "-c", lab.conf, "queue", *args],
                       capture_output=True, text=True,
                       env=dict(os.environ, LC_ALL=lang))
    return p.returncode, p.stdout, p.stderr


def rows(lab, *args):
    return [json.loads(line) for line in
            queue(lab, *args, "--json")[1].splitlines()]


@contextlib.contextmanager
def in_place_of_daemon(lab, text):
    """The queue is taken, and one request is refused with this text."""
    path = lab.base + "/public/queue.sock"

    def refuse():
        s, _ = listener.accept()
        s.recv(65536)
        s.send(struct.pack("<HBI", Q_END, TEMPORARY, 0) + pb(text))
        s.close()
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
    with open(lab.base + "/queue/lock") as lock, socket.socket(
            socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
        fcntl.flock(lock, fcntl.LOCK_EX)
        listener.bind(path)
        listener.listen()
        threading.Thread(target=refuse, daemon=True).start()
        yield
    os.unlink(path)


with Lab("retry_first = 1h\nretry_max = 1h\n") as lab:
    lab.workers.policy = lambda j: LATER
    c = lab.client()
    a = c.submit("bob@exemple.test", sender="one@exemple.test").id
    b = c.submit(["alice@exemple.test", "bob@exemple.test"],
                 sender="two@other.test").id
    d = c.submit("x@elsewhere.example", sender="").id
    ok(lab.wait(lambda: lab.logged("deferred") == 4), "three messages wait")

    eq([r["id"] for r in rows(lab, "list")], [a, b, d], "list")
    eq([r["id"] for r in rows(lab, "list", "--sender", "*@OTHER.test")], [b],
       "list --sender")
    eq([r["id"] for r in rows(lab, "list", "--recipient", "bob@*")], [a, b],
       "list --recipient")
    eq(rows(lab, "list", "--older-than", "1h"), [], "list --older-than")
    r = rows(lab, "list")[1]
    eq((r["sender"], r["recipients"], r["waiting"], r["state"], r["lane"]),
       ("two@other.test", 2, 2, "waiting", "personal"), "what a row says")
    ok(queue(lab, "list")[1].startswith(a + "  waiting, "), "in English")
    ok(" en attente, " in queue(lab, "list", lang="fr_FR.UTF-8")[1],
       "in French")
    r = rows(lab, "show", b)
    eq((len(r), r[1]["to"], r[1]["status"], r[1]["attempts"], r[1]["text"]),
       (3, "alice@exemple.test", "waiting", 1, "not now"), "show")
    eq(queue(lab, "show", "nothing")[0], os.EX_DATAERR, "show of nothing")
    eq(queue(lab, "hold")[0], os.EX_USAGE, "hold of nothing is refused")
    # What a script's variable without a value comes to.
    eq([queue(lab, "delete", *empty)[0] for empty in (
        [""], ["--sender", ""], ["--recipient="], ["--account", ""])] +
       [r["id"] for r in rows(lab, "list")], [os.EX_USAGE] * 4 + [a, b, d],
       "what is empty does not stand for everything")

    eq(queue(lab, "hold", a)[1], "1 messages held\n", "hold")
    lab.workers.policy = lambda j: YES
    eq(queue(lab, "retry", "--all")[0], 0, "retry --all")
    ok(lab.wait_log(b + " done"), "the others are delivered")
    eq([(r["id"], r["state"]) for r in rows(lab, "list", "--held")],
       [(a, "held")], "the held one is not")
    lab.stop(signal.SIGKILL)
    lab.start()
    ok(lab.wait_log("loaded messages=2 held=1"), "a restart keeps it held")
    eq(len(lab.workers.delivered), 2, "undelivered")
    eq(queue(lab, "release", a)[0], 0, "release")
    ok(lab.wait_log(a + " done"), "delivers it")
    eq(queue(lab, "delete", d)[1], "1 messages deleted\n", "delete")
    eq(lab.files(), [], "removes the file")
    ok(lab.wait_log(d + " deleted by=\"uid "), "and says who did it")
    s = rows(lab, "stat")[0]
    eq((s["kind"], s["messages"]), ("queue", 0), "stat")

    # 2,000 rows: more than a socket holds; the rest goes on meanwhile.
    lab.workers.policy = lambda j: LATER
    c = lab.client()
    for i in range(2000):
        c.submit("bob@exemple.test")
    slow = lab.client()
    slow.send(64, b"\1\0" + b"\0" * 12 + b"\0" * 9)
    eq(c.submit("alice@exemple.test").result, OK,
       "a reader of a long list who does not read stops nobody")
    slow.close()
    eq(len(rows(lab, "list")), 2001, "list of 2,001")
    eq(queue(lab, "delete", "--recipient", "bob@*")[1],
       "2000 messages deleted\n", "delete of 2,000")
    eq(len(lab.files()), 1, "one is left")

    if malle.ROOT:
        # The checkout may be where only root can go.
        copy = shutil.copy(malle.BIN + "/malle", lab.base)
        pid = os.fork()
        if pid == 0:
            os.setgroups([])
            os.setgid(65533)
            os.setuid(65533)
            good = queue(lab, "list", malle_=copy)[0] == os.EX_NOPERM
            x = lab.client()
            lab.workers.policy = lambda j: YES
            good = good and x.submit("bob@exemple.test", account="root").result == OK
            os._exit(0 if good else 1)
        eq(os.waitpid(pid, 0)[1], 0, "another user: no list, but may submit")
        ok(lab.wait_log("accepted session=s1 from=alice@exemple.test size="),
           "it is in the log")
        ok(any('account="uid 65533"' in line for line in lab.lines()),
           "under his own uid")
    else:
        skip("another user: needs root")

with Lab("retry_first = 1h\nretry_max = 1h\nlibexec = %s\n" % malle.BIN) as lab:
    lab.workers.policy = lambda j: LATER
    id = lab.client().submit("x@elsewhere.example").id
    lab.wait_log(id + " deferred")
    run = [malle.BIN + "/malle-queue-run", "-c", lab.conf, "--limit", "10"]
    p = subprocess.run(run, capture_output=True, text=True)
    eq((p.returncode, p.stdout), (0, "malle-queued is running: it tries 1 "
                                  "messages now\n"),
       "malle-queue-run beside malle-queued only asks it")
    ok(lab.wait(lambda: lab.logged(id + " deferred") == 2), "which it does")
    lab.stop()
    with in_place_of_daemon(lab, "The disk does not keep it"):
        p = subprocess.run(run, capture_output=True, text=True)
    eq((p.returncode, p.stdout, p.stderr.splitlines()[-1:]),
       (os.EX_TEMPFAIL, "", ["malle-queue-run: malle-queued does not try them: "
                             "The disk does not keep it"]),
       "what malle-queued cannot do is told")
    p = subprocess.run(run, capture_output=True, text=True)
    eq((p.returncode, p.stdout), (0, "0 delivered, 0 deferred, 0 failed, "
                                  "1 left\n"),
       "alone, it leaves what is not due")
    if p.returncode:
        malle.note(p.stderr)

if malle.SEPARATE and os.path.exists(malle.BIN + "/malle-spawn"):
    with Lab("retry_first = 1s\nretry_max = 1s\nlibexec = %s\n"
             "domain_uid_first = 69000\ndomain_uid_last = 71000\n" %
             malle.BIN) as lab:
        os.chmod(lab.base + "/mail", 0o711)
        lab.workers.policy = lambda j: LATER
        c = lab.client()
        for i in range(10):
            c.submit(["bob@exemple.test", "carol@exemple.test"])
        ok(lab.wait(lambda: lab.logged("deferred") >= 20), "ten wait")
        lab.stop()
        lab.tables(addresses={"bob": mailbox(), "alice": mailbox(),
                              "postmaster": mailbox()})
        time.sleep(1.5)
        p = subprocess.run([malle.BIN + "/malle-queue-run", "-c", lab.conf,
                            "--limit", "10m"], capture_output=True, text=True,
                           # A caller may ignore it: execve(2) keeps that.
                           preexec_fn=lambda: signal.signal(
                               signal.SIGCHLD, signal.SIG_IGN))
        eq((p.returncode, p.stdout),
           (0, "20 delivered, 0 deferred, 10 failed, 0 left\n"),
           "malle-queue-run delivers what is due, with its own helpers")
        new = lab.base + "/mail/exemple.test/%s/Maildir/new/"
        eq([len(os.listdir(new % u)) for u in ("bob", "alice")], [10, 10],
           "into the mailboxes; the failures are told in the same pass")
        eq(lab.files(), [], "nothing is left")
        if p.stdout[:2] != "20":
            malle.note(p.stderr)
else:
    skip("malle-queue-run with workers: needs root, and no sanitizer")
done()
