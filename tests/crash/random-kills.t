#!/usr/bin/env python3
"""Programs killed at random under load: 300 of them, and power cuts of all.

Several senders submit without a pause and try again what was refused for now or
lost; a reader logs in all the time. At rest every acknowledged message is
there, whole, and at most once, those apart that were in flight at a kill.
"""
# SPDX-License-Identifier: ISC

import os
import random
import signal
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import crash  # noqa: E402
import malle  # noqa: E402

KILLS = int(os.environ.get("MALLE_KILLS", "300"))
CUTS = int(os.environ.get("MALLE_CUTS", "4"))	# of the power: all programs at once
USERS = ["u%d@d%d.test" % (i, i % 3) for i in range(6)]
SENDERS = 4


class Load:
    """Senders that try again, and a reader."""

    def __init__(self, m, books):
        self.m, self.books = m, books
        self.stop = False
        self.kept = self.again = self.logins = 0
        self.hangs, self.permanent = [], []
        self.threads = [threading.Thread(target=self.send, args=(i,))
                        for i in range(SENDERS)]
        self.threads.append(threading.Thread(target=self.read))
        for t in self.threads:
            t.start()

    def send(self, number):
        dice = random.Random(number)
        while not self.stop:
            to = dice.sample(USERS, dice.choice((1, 1, 1, 2, 3)))
            token, content = crash.text_of(dice.choice((300, 3000, 60000)))
            entry = ["lost", to, content]
            self.books.sent[token] = entry
            while True:
                try:
                    # In doubt until it is answered.
                    worst = entry[0]
                    entry[0] = "maybe"
                    state, reply = crash.submit(self.m, "s@client.test", to,
                                                content)
                except RuntimeError as e:
                    self.hangs.append(str(e))
                    break
                if worst == "maybe" or state == "maybe":
                    # It may be there already: then a repetition is another.
                    self.books.times[token] = self.books.times.get(
                        token, 1) + 1
                if state == "kept":
                    entry[0] = "kept"
                    self.kept += 1
                    break
                if state == "refused" and reply[:1] == "5":
                    self.permanent.append(reply)
                    break
                if state in ("refused", "lost") and worst == "lost":
                    entry[0] = "lost"
                self.again += 1
                if self.stop:
                    break
                time.sleep(0.05)

    def read(self):
        while not self.stop:
            user = random.choice(USERS)
            try:
                p = crash.Pop(self.m, user)
                if p.ok and p.many("UIDL") and p.many("RETR 1"):
                    self.logins += 1
                p.say("QUIT")
                p.close()
            except crash.Lost:
                pass
            except RuntimeError as e:
                self.hangs.append("POP3: " + str(e))
            time.sleep(0.01)

    def end(self):
        self.stop = True
        for t in self.threads:
            t.join()


def victim(m, dice):
    """A program, a session or a worker: (name, pid)."""
    family = crash.family(m.process.pid)
    pid = dice.choice(sorted(family)) if family else None
    return family.get(pid), pid


def main():
    crash.usable()
    seed = int(os.environ.get("MALLE_SEED", str(random.randrange(1 << 30))))
    malle.note("seed %d" % seed)
    dice = random.Random(seed)
    with malle.Instance(conf=dict(crash.CONF, pop3_timeout="20s")) as m:
        for i in range(3):
            m.domain("d%d.test" % i)
        for user in USERS:
            m.user(user, crash.PASSWORD)
        books = crash.Books(m)
        books.times = {}
        load = Load(m, books)
        killed = {}
        for n in range(KILLS):
            def kill():
                name, pid = victim(m, dice)
                try:
                    os.kill(pid, signal.SIGKILL)
                except (TypeError, ProcessLookupError):
                    return None		# nobody is there, or has just ended
                killed[name] = killed.get(name, 0) + 1
                return name
            malle.until(kill)
            time.sleep(dice.choice((0, 0.01, 0.03, 0.1, 0.2)))
            if n % (KILLS // (CUTS + 1) + 1) == KILLS // (CUTS + 1):
                m.kill_all()
                m.start()
        crash.back(m)
        malle.until(lambda: load.kept > 50)
        load.end()
        malle.note("killed: " + " ".join("%s=%d" % x
                                         for x in sorted(killed.items())))
        malle.note("%d acknowledged, %d tried again, %d reading sessions" % (
            load.kept, load.again, load.logins))
        malle.eq(sum(killed.values()), KILLS, "kills, and %d power cuts" % CUTS)
        malle.ok(load.kept > 50, "mail has flowed meanwhile")
        malle.eq(load.hangs, [], "nobody has waited for ever")
        malle.eq(load.permanent, [], "no sender was told no for ever")
        # A new one has no reason to wait for workers that died on it.
        m.kill("malle-queued")
        for _ in range(3):
            if books.settle(USERS, malle.PATIENCE):
                break
            m.malle("queue", "release", "--all", check=False)
            m.malle("queue", "retry", "--all", check=False)
        malle.eq(crash.queue_files(m), [], "the queue is empty at rest")
        for user in USERS:
            count, bad = books.found(user)
            lost = [t for t in books.expected(user) if t not in count]
            malle.eq(lost, [], user + ": all that was acknowledged is there")
            malle.eq(bad, [], user + ": all is whole")
            many = ["%s %d of %d" % (t, n, books.times.get(t, 1))
                    for t, n in count.items() if n > books.times.get(t, 1)]
            malle.eq(many, [], user + ": nothing is there twice but what was "
                     "in flight")
            wrong = [t for t in count if books.sent[t][0] in ("lost", "refused")]
            malle.eq(wrong, [], user + ": nothing that was never sent whole")
        malle.eq(m.stop(), 0, "malle-start ends well")
        m.start()
        malle.eq(crash.strays(m), [], "no stray file after a restart")
        malle.eq(crash.aside(m)[1], [], "what is left in tmp/ will be cleaned")
        malle.eq(m.violations(), [], "no crash of its own, no forbidden call")
    malle.done()


main()
