#!/usr/bin/env python3
"""System calls fail, at each place of one message's life: the disk is full or
broken, memory and descriptors are used up, a signal comes in between.

The client is told to try again, or loses the connection before an answer; what
was answered with 250 is delivered once; the service goes on by itself. In the
end the disk is really full, with a small filesystem.
"""
# SPDX-License-Identifier: ISC

import errno
import os
import random
import shutil
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import crash  # noqa: E402
import malle  # noqa: E402

BOB, ALICE, CARL = "bob@exemple.test", "alice@exemple.test", "carl@exemple.test"
FROM = "marie@client.test"
ONLY = sys.argv[1:]
WRITES = "write,writev,pwrite64,pwritev,pwritev2"
SYNCS = "fsync,fdatasync,syncfs"
OPENS = "openat,accept4,accept,socket,dup2,dup3,fcntl,pipe2,eventfd2,epoll_create1"
MEMORY = "mmap,brk,mremap,clone,clone3"
WAITS = ("recvfrom,sendto,recvmsg,sendmsg,recvmmsg,read,write,poll,ppoll,"
         "epoll_wait,epoll_pwait,accept4,connect,wait4")
FILES = "openat,mkdirat,renameat,renameat2,linkat"
READS = "pread64,preadv,read,openat,getdents64,newfstatat,fstat"
# A kind of fault: the error, the calls, and whether the message that it hits
# in malle-queued must not be acknowledged.
ALL = [("ENOSPC", WRITES + "," + FILES), ("EDQUOT", WRITES + "," + FILES),
       ("EIO", WRITES), ("EIO", SYNCS), ("EMFILE", OPENS), ("ENOMEM", MEMORY),
       ("EINTR", WAITS), ("EIO", READS)]
FOR_EVER = 1000000
MOST = 1000 if crash.LONG else 5


class Faults:
    """One program, one scenario, all kinds of faults."""

    def __init__(self, program, what, conf=None, users=(BOB,)):
        self.program, self.what = program, what
        # A call that is taken away has no number for the filter to know.
        self.m = malle.Instance(conf=dict(crash.CONF, **(conf or {})),
                                deny=False)
        self.m.domain("exemple.test")
        for user in users:
            self.m.user(user, crash.PASSWORD)
        self.users = list(users)
        self.books = crash.Books(self.m)
        self.places = self.hits = 0
        self.bad, self.answers = [], {}

    def target(self):
        crash.back(self.m)
        return crash.rows(self.m)[self.program][0]

    def one(self, life, error, calls, n=None, times=None, target=None,
            follow=True):
        """(calls, what life returned, hit)."""
        k = crash.Killer(target or self.target(), n, follow,
                         n and getattr(errno, error), times, calls)
        if not k.is_ready:
            k.end()
            self.bad.append("cannot be attached to")
            return 0, None, None
        got = None
        # One that lasts is over after a while, before any client gives up.
        over = threading.Timer(1, k.p.terminate) if times == FOR_EVER else None
        try:
            if over:
                over.start()
            got = life(k)
        except crash.Lost:
            pass
        except RuntimeError as e:
            self.bad.append("%s at %s of %s: %s" % (error, n, calls, e))
        finally:
            if over:
                over.cancel()
            count, hit = k.end()
        self.hits += hit is not None
        if n and not hit and count >= n:
            self.bad.append("%s at %d of %s: is spared" % (error, n, calls))
        return count, got, hit

    def all(self, life, after=None, prepare=None, kinds=ALL, follow=True):
        for error, calls in kinds:
            target = prepare() if prepare else None
            count = self.one(life, error, calls, None, None, target, follow)[0]
            if after:
                after(None)
            places = [(n, 1) for n in range(1, count + 1)]
            if len(places) > MOST:
                places = sorted(random.sample(places, MOST))
            if count:
                places.append((1, FOR_EVER))
            for n, times in places:
                self.places += 1
                target = prepare() if prepare else None
                _, got, hit = self.one(life, error, calls, n, times, target,
                                       follow)
                what = "%s at %s" % (error, hit[:2] if hit else n)
                if isinstance(got, tuple):
                    key = got[1] + " " + got[2][:9]
                    self.answers[key] = self.answers.get(key, 0) + 1
                    if got[1] == "refused" and got[2][:1] != "4":
                        self.bad.append("%s: %s" % (what, got[2]))
                    if got[1] == "kept" and hit and not self.may_keep(
                            error, hit[1], times):
                        self.bad.append(what + ": acknowledged all the same")
                if after:
                    after(what)
                self.works(what)

    def may_keep(self, error, call, times):
        """In malle-queued a failed sync is a message not accepted."""
        return not (self.program == "malle-queued" and
                    call in crash_syncs)

    def works(self, what):
        """It goes on by itself, at once or when it has been started again."""
        got = None
        end = time.monotonic() + malle.PATIENCE
        while time.monotonic() < end:
            got = self.books.send(FROM, [self.users[0]])
            if got[1] == "kept":
                return
            time.sleep(0.05)
        self.bad.append("%s: afterwards %s %s" % (what, got[1], got[2]))

    def finish(self):
        m = self.m
        crash.back(m)
        # What could not even be opened waits for a minute, else.
        if not self.books.settle(self.users, 5):
            m.malle("queue", "retry", "--all", check=False)
        if not self.books.settle(self.users):
            self.bad.append("not all is delivered: queue %r, missing %r" % (
                crash.queue_files(m), [self.books.missing(u)
                                       for u in self.users]))
        self.bad += self.books.verdict(self.users)
        if m.stop() != 0:
            self.bad.append("malle-start does not end well")
        m.start()
        self.bad += ["stray: " + s for s in crash.strays(m)]
        self.bad += [l for l in m.violations() if "signal=" in l or
                     "runtime" in l][:5]
        notes = ["answers: " + ", ".join("%s: %d" % x for x in
                                         sorted(self.answers.items()))]
        m.close()
        # How many turns of its loop a program takes is the scheduler's affair:
        # a life may end before its n-th call.
        return [(self.hits > 0, "%s: %d faults at %d places" % (
                    self.what, self.hits, self.places), notes),
                (not self.bad, "%s: told to try again, nothing lost, goes on"
                 % self.what, self.bad[:12])]


crash_syncs = SYNCS.split(",")


def quiet(t, k, user, token):
    """Until it is delivered, or will not be soon."""
    malle.until(lambda: crash.queue_files(t.m) == [], 0.15, 0.003)


def smtpd():
    t = Faults("malle-smtpd", "malle-smtpd")
    t.all(lambda k: t.books.send(FROM, [BOB]),
          kinds=[x for x in ALL if x[0] in ("EMFILE", "ENOMEM", "EINTR")])
    return t.finish()


def tls():
    t = Faults("malle-tls", "malle-tls")
    t.all(lambda k: t.books.send(FROM, [BOB], tls=True),
          kinds=[x for x in ALL if x[0] in ("EMFILE", "ENOMEM", "EINTR")])
    return t.finish()


def queued():
    t = Faults("malle-queued", "malle-queued", users=(BOB, ALICE))

    def life(k):
        got = t.books.send(FROM, [BOB, ALICE])
        if got[1] == "kept":
            quiet(t, k, BOB, got[0])
        return got
    t.all(life, follow=False)
    return t.finish()


def queued_group():
    """Messages that come together are synced, and discarded, together."""
    t = Faults("malle-queued", "malle-queued, ten at once")
    for error, call in (("EIO", "fsync,fdatasync,syncfs"), ("ENOSPC", "syncfs"),
                        ("EDQUOT", "fsync")):
        got = []

        def life(k):
            def send():
                state = t.books.send(FROM, [BOB])[1]
                # What is answered after the end of the fault is no matter.
                if not k.is_over():
                    got.append(state)
            threads = [threading.Thread(target=send) for _ in range(10)]
            for x in threads:
                x.start()
            for x in threads:
                x.join()
        t.places += 1
        _, _, hit = t.one(life, error, call, 1, FOR_EVER, None, False)
        if "," in call and "kept" in got:
            t.bad.append("%s %s: acknowledged without a sync" % (error, call))
        if hit is None:
            t.hits += 1		# no round of this kind was made
        t.works(error)
    return t.finish()


def local():
    t = Faults("malle-local", "malle-local")

    def worker():
        t.books.settle([BOB])
        pid = crash.worker(t.m, "exemple.test")
        while pid is None:
            t.books.send(FROM, [BOB])
            t.books.settle([BOB])
            pid = crash.worker(t.m, "exemple.test")
        return pid

    def life(k):
        got = t.books.send(FROM, [BOB])
        quiet(t, k, BOB, got[0])
        return got
    t.all(life, prepare=worker, follow=False)
    return t.finish()


def reading(program, what, kinds):
    """A login and a session: RETR, DELE of the second, QUIT."""
    t = Faults(program, what, users=(BOB, CARL))
    book = t.books
    state = {}

    def fill():
        while len(t.m.messages(CARL)) < 3:
            if book.send(FROM, [CARL])[1] == "kept":
                malle.until(lambda: not book.missing(CARL), step=0.005)
    fill()

    def life(k):
        state.update(asked=False, marked=False, done=False)
        p = crash.Pop(t.m, CARL)
        try:
            if not p.ok:
                word = "login " + p.last.decode()[:40]
                t.answers[word] = t.answers.get(word, 0) + 1
                # Only a password is wrong that is: not what cannot be known.
                if not p.last.startswith((b"-ERR [SYS/TEMP]",
                                          b"-ERR [IN-USE]")):
                    t.bad.append("told %r" % p.last)
            if p.ok and p.many("RETR 2") is not None and p.say("DELE 2"):
                state["marked"] = True
                state["asked"] = True
                state["done"] = p.say("QUIT")
        finally:
            p.close()

    def after(what):
        # Whoever has lost his session, it goes on with what he has said.
        malle.until(lambda: not crash.sessions(t.m), step=0.005)
        there, bad = book.found(CARL)
        t.bad += bad
        gone = [x for x in book.expected(CARL) if x not in there]
        if len(gone) > 1 or (gone and not state["asked"]):
            t.bad.append("%s: %d are gone" % (what, len(gone)))
        if state["done"] and not gone:
            t.bad.append("%s: QUIT was +OK, but it is there" % what)
        for x in gone:
            book.sent[x][0] = "deleted"
        end = time.monotonic() + malle.PATIENCE
        good = False
        while not good and time.monotonic() < end:
            try:
                p = crash.Pop(t.m, CARL)
                good = p.ok and p.say("QUIT")
                p.close()
            except crash.Lost:
                pass
            except RuntimeError as e:
                t.bad.append("%s: the next login: %s" % (what, e))
        if not good:
            t.bad.append("%s: nobody can log in afterwards" % what)
        fill()
    t.all(life, after, kinds=kinds)
    return t.finish()


def session():
    return reading("malle-spawn", "malle-spawn and the POP3 session",
                   [x for x in ALL if x[0] != "EDQUOT"])


def authd():
    return reading("malle-authd", "malle-authd", [
        x for x in ALL if x[0] in ("EMFILE", "ENOMEM", "EINTR") or
        x[1] == READS])


def pop3d():
    return reading("malle-pop3d", "malle-pop3d", [
        x for x in ALL if x[0] in ("EMFILE", "ENOMEM", "EINTR")])


def bounce():
    t = Faults("malle-bounce", "malle-bounce", users=(BOB, ALICE))
    sent = []

    def life(k):
        token, content = crash.text_of(head="Delivered-To: " + BOB)
        if crash.submit(t.m, ALICE, [BOB], content)[0] == "kept":
            sent.append(token)
        quiet(t, k, BOB, token)
    t.all(life, kinds=[x for x in ALL if x[0] in ("ENOMEM", "EINTR")] +
          [("EIO", "pread64,sendmsg")])
    t.m.malle("queue", "retry", "--all", check=False)

    def untold():
        told = [open(p, "rb").read() for p in t.m.messages(ALICE)]
        return [x for x in sent if not any(x.encode() in n for n in told)]
    malle.until(lambda: not untold(), 180, 0.2)
    if untold():
        t.bad.append("no notice of %d failures" % len(untold()))
    return t.finish()


def filesystem(folder, size):
    """A small filesystem on folder: ext4 in a file, or else tmpfs. How to take
    it away again, and what it is."""
    image = folder + ".image"
    with open(image, "wb") as f:
        f.truncate(size)
    try:
        subprocess.run(["mkfs.ext4", "-q", "-m", "0", "-F", image], check=True,
                       capture_output=True)
        subprocess.run(["mount", "-o", "loop", image, folder], check=True,
                       capture_output=True)
        kind = "ext4"
    except (OSError, subprocess.CalledProcessError):
        r = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=%d" % size,
                            "tmpfs", folder], capture_output=True)
        kind = "tmpfs" if r.returncode == 0 else None
    shutil.rmtree(os.path.join(folder, "lost+found"), ignore_errors=True)
    return kind


def fill(path, leave):
    """Fills the disk but for so many bytes."""
    with open(path, "wb", buffering=0) as f:
        for piece in (1 << 20, 65536, 4096):
            try:
                while True:
                    f.write(b"x" * piece)
                    os.fsync(f.fileno())
            except OSError as e:
                if e.errno != errno.ENOSPC:
                    raise
        f.truncate(max(0, f.tell() - leave))
        os.fsync(f.fileno())


def full_disk():
    m = malle.Instance(conf=dict(crash.CONF, queue_free_min="0"), start=False)
    tls_folder = os.path.join(m.dir, "tls")
    shutil.move(os.path.join(m.base, "tls"), tls_folder)
    kind = filesystem(m.base, 64 << 20)
    if kind is None:
        m.close()
        return [(True, "no filesystem can be mounted here # SKIP", [])]
    bad, told = [], {}
    try:
        os.chmod(m.base, 0o755)
        shutil.copytree(tls_folder, os.path.join(m.base, "tls"))
        m.start()
        m.domain("exemple.test")
        for user in (BOB, CARL):
            m.user(user, crash.PASSWORD)
        books = crash.Books(m)
        for _ in range(5):
            books.send(FROM, [CARL], 50000)
        books.settle([CARL])
        ballast = os.path.join(m.base, "ballast")
        for leave in (0, 4096, 40000, 300000, 1000000):
            fill(ballast, leave)
            for _ in range(1 if leave == 0 else 30):
                _, state, reply = books.send(FROM, [BOB], 60000)
                key = state + " " + reply[:9]
                told[key] = told.get(key, 0) + 1
                if state == "refused" and reply[:1] != "4":
                    bad.append("told %s" % reply)
                if state not in ("kept",):
                    break
            else:
                bad.append("%d bytes hold 30 messages" % leave)
            if state == "lost":
                bad.append("the connection is lost")
            if leave == 0:
                r = m.malle("user", "add", "new@exemple.test",
                            "--password-stdin", input=crash.PASSWORD + "\n",
                            check=False)
                told["user add " + str(r.returncode)] = 1
                # Whoever deletes makes room: that must work.
                p = crash.Pop(m, CARL)
                if not (p.ok and p.many("RETR 2") and p.say("DELE 2") and
                        p.say("QUIT")):
                    bad.append("POP3 on a full disk: %r" % p.last)
                p.close()
                books.sent[sorted(books.found(CARL)[0], key=lambda t: int(
                    t.split("-")[1]))[1]][0] += ""
                gone = books.missing(CARL)
                if len(gone) != 1:
                    bad.append("%d deleted" % len(gone))
                for x in gone:
                    books.sent[x][0] = "deleted"
            os.unlink(ballast)
            if not books.settle([BOB]):
                bad.append("not delivered: %r" % books.missing(BOB))
        _, state, reply = books.send(FROM, [BOB])
        if state != "kept":
            bad.append("with room again: %s" % reply)
        if m.malle("user", "set", BOB, "--name", "Bob", check=False).returncode:
            r = m.malle("alias", "add", "b@exemple.test", BOB, check=False)
            if r.returncode:
                bad.append("with room again no change: " + r.stderr)
        books.settle([BOB])
        bad += books.verdict([BOB, CARL])
        crash.back(m)
        m.restart()
        bad += ["stray: " + s for s in crash.strays(m)]
        bad += m.violations()[:5]
        if m.malle("check", check=False).returncode not in (0,):
            bad.append("check: " + m.malle("check", check=False).stdout)
    finally:
        m.stop()
        subprocess.run(["umount", "-l", m.base], capture_output=True)
        m.close()
    return [(any(k.startswith(("refused 4", "maybe 4")) for k in told),
             "a full disk (%s): senders are told to try again" % kind,
             ["%s: %d" % x for x in sorted(told.items())]),
            (not bad, "a full disk: nothing lost, mail can be read and deleted,"
             " goes on when there is room", bad[:10])]


crash.usable()
PARTS = [local, queued, session, queued_group, smtpd, tls, pop3d, authd, bounce,
         full_disk]
crash.side_by_side([p for p in PARTS if not ONLY or p.__name__ in ONLY])
malle.done()
