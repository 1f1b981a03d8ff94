#!/usr/bin/env python3
"""Each program killed at each of its system calls of one message's life.

First the calls are counted that one message (one login, one bounce, one change)
makes in the program; then the program is killed at the first of them, at the
second, and so on. malle-start brings it back. Whatever was answered holds, what
was not is there whole or not at all, and nobody else notices.

MALLE_LONG=1 tries every call of the programs that make very many.
"""
# SPDX-License-Identifier: ISC

import os
import signal
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import crash  # noqa: E402
import malle  # noqa: E402

BOB, ALICE, CARL = "bob@exemple.test", "alice@exemple.test", "carl@exemple.test"
FROM = "marie@client.test"
DOMAINS = 24
ONLY = sys.argv[1:]


class Trial:
    """One program in one instance, and what became of it."""

    def __init__(self, program, what, most=250, conf=None, users=(BOB,)):
        self.program, self.what, self.most = program, what, most
        self.m = malle.Instance(conf=dict(crash.CONF, **(conf or {})))
        self.m.domain("exemple.test")
        for user in users:
            self.m.user(user, crash.PASSWORD)
        self.users = list(users)
        self.books = crash.Books(self.m)
        self.hits, self.planned, self.count = {}, 0, 0
        self.bad = []

    def target(self):
        """The pid to attach to."""
        crash.back(self.m)
        return crash.rows(self.m)[self.program][0]

    def once(self, scenario, n=None, target=None, follow=True):
        """One life with the killer at its side; the calls that it made."""
        k = crash.Killer(target or self.target(), n, follow)
        if not k.is_ready:
            k.end()
            self.bad.append("%s %s: cannot be attached to" % (self.what, n))
            return 0
        try:
            scenario(k)
        except crash.Lost as e:
            if n is None:
                self.bad.append("%s: lost without a kill: %s" % (self.what, e))
        finally:
            calls, hit = k.end()
        if n is not None and hit:
            # It is dead when the kernel says so, not when it was killed.
            malle.until(lambda: not crash.alive(hit[2]), step=0.001)
            self.hits[hit[1]] = self.hits.get(hit[1], 0) + 1
        elif n is not None and calls >= n:
            self.bad.append("%s: call %d is made and lived through" % (
                self.what, n))
        if not crash.back(self.m):
            self.bad.append("%s %r: does not come back" % (self.what, hit))
        return calls

    def enumerate(self, scenario, after=None):
        self.once(scenario)
        if after:
            after()
        # Each life is the first one of a new process: so is the one counted.
        self.m.kill(self.program)
        self.count = self.once(scenario)
        if after:
            after()
        for n in crash.steps(self.count, self.most):
            self.planned += 1
            # How many turns a life takes is the scheduler's affair: one may
            # end before its n-th call. Then another one is tried.
            for _ in range(3):
                hits = sum(self.hits.values())
                self.once(scenario, n)
                if after:
                    after()
                if sum(self.hits.values()) > hits:
                    break

    def finish(self, extra=None, dead=0):
        """A last good life, a restart, a look at everything."""
        m = self.m
        notes = ["%s: %d calls, killed at %d of %d: %s" % (
            self.what, self.count, sum(self.hits.values()), self.planned,
            " ".join(
                "%s=%d" % x for x in sorted(self.hits.items())))]
        if self.users:
            token, state, reply = self.books.send(FROM, [self.users[0]])
            if state != "kept":
                self.bad.append("afterwards a message is %s: %s" % (
                    state, reply))
            if not self.books.settle(self.users):
                self.bad.append("not all is delivered: queue %r, missing %r" % (
                    crash.queue_files(m), [self.books.missing(u)
                                           for u in self.users]))
            self.bad += self.books.verdict(self.users)
        if m.stop() != 0:
            self.bad.append("malle-start does not end well")
        m.start()
        self.bad += ["stray: " + s for s in crash.strays(m)]
        left, wrong = crash.aside(m)
        notes.append("%d files in tmp/ wait for their cleaning" % left)
        self.bad += ["in tmp/: " + w for w in wrong]
        if left > sum(self.hits.values()) + 2:
            self.bad.append("%d files in tmp/" % left)
        self.bad += m.violations()[:5]
        if extra:
            extra()
        m.close()
        return [(self.hits, "%s: killed at its calls" % self.what, notes),
            (not self.bad, "%s: nothing lost, nothing damaged, back by itself"
             % self.what, self.bad[:10])]


def quiet(t, k, seconds=10):
    """Waits until the queue has nothing left to do, or the kill is done."""
    malle.until(lambda: k.is_over() or crash.queue_files(t.m) == [], seconds,
                0.003)
    if not k.is_over():
        time.sleep(0.01)


def bystander(t, port="smtp", user=None, tls=False):
    """A session of somebody else, and a function that says whether it lives."""
    if user:
        pop = crash.Pop(t.m, user)
        if not pop.ok:
            t.bad.append("the bystander cannot log in")

        def look():
            try:
                if not pop.say("NOOP"):
                    t.bad.append("the bystander is told %r" % pop.last)
            except crash.Lost as e:
                t.bad.append("the bystander's session is lost: %s" % e)
        return look
    c = crash.Line(t.m, port)
    c.reply()
    c.say("EHLO other.test")
    if tls:
        c.say("STARTTLS")
        c.tls(t.m)
        c.say("EHLO other.test")

    def look():
        try:
            if not c.say("NOOP").startswith("250"):
                t.bad.append("the bystander is refused")
        except crash.Lost as e:
            t.bad.append("the bystander's session is lost: %s" % e)
    return look


def smtpd():
    t = Trial("malle-smtpd", "malle-smtpd, one message accepted")
    look = bystander(t)
    t.enumerate(lambda k: t.books.send(FROM, [BOB]), look)
    return t.finish()


def queued():
    t = Trial("malle-queued", "malle-queued, one message accepted and delivered",
              users=(BOB, ALICE))

    def life(k):
        t.books.send(FROM, [BOB, ALICE])
        quiet(t, k)
    t.enumerate(life)
    return t.finish()


def queued_big():
    """One that comes in pieces: its file is open while it grows."""
    t = Trial("malle-queued", "malle-queued, one message in pieces",
              users=(BOB, ALICE))

    def life(k):
        t.books.send(FROM, [BOB, ALICE], 150000)
        quiet(t, k)
    t.enumerate(life)
    return t.finish()


def tls():
    t = Trial("malle-tls", "malle-tls, one message by STARTTLS")
    look = bystander(t, tls=True)
    t.enumerate(lambda k: t.books.send(FROM, [BOB], tls=True), look)
    return t.finish()


def mailboxes(t):
    """The address of one mailbox in each of many domains."""
    t.users = []
    for i in range(DOMAINS):
        t.m.domain("d%d.test" % i)
        t.m.user("u@d%d.test" % i, crash.PASSWORD)
        t.users.append("u@d%d.test" % i)
    for user in t.users:
        t.books.send(FROM, [user])
    t.books.settle(t.users)


def rounds(t, step):
    """step(user, n) for each n; a domain whose worker was killed is tried
    again after two seconds: until then the others have their turn."""
    todo = crash.steps(t.count, t.most)
    while todo:
        until = time.monotonic() + 1.2
        for user in t.users:
            if not todo or time.monotonic() > until:
                break
            t.planned += 1
            step(user, todo.pop(0))
        if not t.books.settle(t.users):
            t.bad.append("undelivered: %r" % crash.queue_files(t.m))
            return


def deliver(t, user):
    def life(k):
        t.books.send(FROM, [user])
        quiet(t, k, 5)
    return life


def no_worker(t, user):
    pid = crash.worker(t.m, user.split("@")[1])
    if pid:
        os.kill(pid, signal.SIGKILL)
        malle.until(lambda: not crash.alive(pid), step=0.002)
        time.sleep(0.005)


def spawn_local():
    t = Trial("malle-spawn", "malle-spawn and a new malle-local", users=(),
              conf={"workers_max": "64"})
    mailboxes(t)

    def step(user, n=None):
        no_worker(t, user)
        return t.once(deliver(t, user), n)
    step(t.users[0])
    t.count = step(t.users[1])
    t.books.settle(t.users)
    rounds(t, step)
    return t.finish()


def local():
    t = Trial("malle-local", "malle-local, one delivery", users=(),
              conf={"workers_max": "64"})
    mailboxes(t)

    def step(user, n=None):
        pid = crash.worker(t.m, user.split("@")[1])
        if pid is None:
            t.books.send(FROM, [user])
            t.books.settle([user])
            pid = malle.until(lambda: crash.worker(t.m, user.split("@")[1]))
        return t.once(deliver(t, user), n, pid, False)
    step(t.users[0])
    t.count = step(t.users[1])
    rounds(t, step)
    return t.finish()


class Reader:
    """Reads one mailbox and deletes in it, and knows what must be left."""

    def __init__(self, t):
        self.t = t
        self.fill(3)

    def fill(self, n):
        t = self.t
        while len(t.m.messages(BOB)) < n:
            token, state, _ = t.books.send(FROM, [BOB])
            if state == "kept":
                malle.until(lambda: not t.books.missing(BOB), step=0.003)
        # One that nobody has answered for may come, too.
        t.books.settle([BOB])

    def life(self, k):
        """RETR and DELE of all but the first message, QUIT."""
        t = self.t
        before = sorted(t.books.found(BOB)[0])
        self.others = crash.sessions(t.m)
        self.marked, self.asked, self.quit = set(), False, False
        p = crash.Pop(t.m, BOB)
        try:
            if not p.ok:
                return
            sizes = p.many("LIST")
            if sizes is not None and len(sizes) != len(before):
                t.bad.append("LIST tells of %d, not of %d" % (
                    len(sizes), len(before)))
            for i in range(2, len(before) + 1):
                lines = p.many("RETR %d" % i)
                text = b"\n".join(lines or []) + b"\n"
                token = [x for x in before if b"X-Token: %s\n" % x.encode()
                         in text]
                if lines is None or not token or not text.endswith(
                        b"\n" + t.books.sent[token[0]][2]):
                    t.bad.append("RETR %d: not what was sent" % i)
                    return
                if p.say("DELE %d" % i):
                    self.marked.add(token[0])
            self.asked = True
            self.quit = p.say("QUIT")
        finally:
            p.close()

    def check(self):
        """Nothing goes but what was marked, and that only after QUIT."""
        t = self.t
        # Whoever has lost his session, it goes on with what he has said.
        malle.until(lambda: crash.sessions(t.m) <= self.others, step=0.003)
        there, bad = t.books.found(BOB)
        t.bad += bad
        gone = [x for x in t.books.expected(BOB) if x not in there]
        for x in gone:
            if x not in self.marked or not self.asked:
                t.bad.append("%s is gone, and nobody has deleted it" % x)
            t.books.sent[x][0] = "deleted"
        if self.quit and any(x in there for x in self.marked):
            t.bad.append("QUIT was +OK, but what was deleted is there")
        self.fill(3)


def reading(program, what, most=250):
    t = Trial(program, what, most, users=(BOB, CARL))
    r = Reader(t)
    look = bystander(t, user=CARL)

    def after():
        r.check()
        look()
    t.enumerate(r.life, after)
    return t.finish()


def pop3d():
    return reading("malle-pop3d", "malle-pop3d, one login")


def pop3_session():
    return reading("malle-spawn", "the POP3 session: RETR, DELE, QUIT")


def authd():
    return reading("malle-authd", "malle-authd, one login")


def bounce():
    t = Trial("malle-bounce", "malle-bounce, one notice", users=(ALICE, BOB))
    sent = []

    def life(k):
        """Delivered-To of bob: a circle, hence a bounce to alice."""
        token, content = crash.text_of(head="Delivered-To: " + BOB)
        state, _ = crash.submit(t.m, ALICE, [BOB], content)
        if state == "kept":
            sent.append(token)
        quiet(t, k)
    t.enumerate(life)

    def notices():
        found = [open(p, "rb").read() for p in t.m.messages(ALICE)]
        return [x for x in found if b"multipart/report" in x]

    def untold():
        told = notices()
        return [x for x in sent if not any(x.encode() in n for n in told)]
    # One that was not written is asked for again after a minute.
    t.m.malle("queue", "retry", "--all", check=False)
    malle.until(lambda: not untold(), 180, 0.2)
    if untold():
        t.bad.append("no notice of %r" % untold())
    if len(notices()) > len(sent) + sum(t.hits.values()):
        t.bad.append("%d notices of %d failures" % (len(notices()), len(sent)))
    for n in notices():
        if n.rstrip()[-2:] != b"--":
            t.bad.append("a notice is not whole")
    return t.finish()


def registryd():
    t = Trial("malle-registryd", "malle-registryd, one alias added", 120)
    done = {}

    def life(k):
        name = "a%d@exemple.test" % len(done)
        r = t.m.malle("alias", "add", name, BOB, check=False)
        done[name] = r.returncode == 0
    t.enumerate(life)
    c = crash.Line(t.m, "smtp")
    c.reply()
    c.say("EHLO client.test")
    c.say("MAIL FROM:<%s>" % FROM)
    listed = t.m.malle("alias", "list", "exemple.test").stdout
    for name, acknowledged in done.items():
        taken = c.say("RCPT TO:<%s>" % name).startswith("250")
        there = name in listed or name.split("@")[0] in listed.split()
        if acknowledged and not there:
            t.bad.append("%s: acknowledged, and lost" % name)
        if taken != there:
            t.bad.append("%s: registry %s, table %s" % (name, there, taken))
    c.close()
    r = t.m.malle("check", check=False)
    if r.returncode != 0:
        t.bad.append("malle check: " + r.stdout + r.stderr)
    return t.finish()


crash.usable()
PARTS = [spawn_local, queued, queued_big, pop3_session, authd, smtpd, tls, pop3d,
         bounce, local, registryd]
crash.side_by_side([p for p in PARTS if not ONLY or p.__name__ in ONLY])
malle.done()
