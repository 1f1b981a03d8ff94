#!/usr/bin/env python3
"""The manager and a worker killed at each system call of one answer's life.

A robot is written to; malle-queued, or the domain's malle-local, is killed at the
first of its calls, at the second, and so on. Every letter that was acknowledged
is answered; twice only when somebody was killed meanwhile, and then it is the
same letter by its Message-ID.

MALLE_LONG=1 tries every call.
"""
# SPDX-License-Identifier: ISC

import email
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import crash  # noqa: E402
import malle  # noqa: E402

ZOE = "zoe@voisin.test"
DOMAINS = 24


class Trial:
    """One instance with many robots; who was written to, and what came back."""

    def __init__(self, program, most):
        self.program, self.most = program, most
        self.m = malle.Instance(conf=dict(crash.CONF, workers_max="64"))
        self.m.domain("voisin.test")
        self.m.user(ZOE)
        self.robots = []
        for i in range(DOMAINS):
            self.m.domain("d%d.test" % i)
            self.robots.append("info@d%d.test" % i)
            self.m.malle("robot", "add", self.robots[-1], "subject=Info", "text=Bonjour.")
        self.sent = {}		# sender: was somebody killed?
        self.hits, self.bad = {}, []
        for robot in self.robots:
            self.write(robot)
        self.settle()

    def write(self, robot):
        """One letter; the sender that is new to every robot, or None."""
        sender = "zoe+%d@voisin.test" % len(self.sent)
        state, _ = crash.submit(self.m, sender, [robot],
                                b"To: %s\nMessage-ID: <%s>\n\nx\n" % (robot.encode(), sender.encode()))
        self.sent[sender] = "kept" if state == "kept" else "maybe"
        return sender

    def answers(self):
        """{whom: [Message-ID of an answer]}"""
        found = {}
        for path in self.m.messages(ZOE):
            with open(path, "rb") as f:
                a = email.message_from_bytes(f.read())
            found.setdefault(a["To"].strip("<>"), []).append(a["Message-ID"])
        return found

    def unanswered(self):
        there = self.answers()
        return [s for s, state in self.sent.items() if state == "kept" and s not in there]

    def settle(self, seconds=2 * malle.PATIENCE):
        """Waits until nothing is left to do. A letter that has no answer then never gets one."""
        done = malle.until(lambda: crash.queue_files(self.m) == [], seconds, 0.1)
        for sender in self.unanswered() if done else ():
            self.bad.append("not answered: %s" % sender)
            self.sent[sender] = "lost"
        return done

    def once(self, robot, n, pid, follow):
        """One life of an answer with the killer at its side; its calls."""
        k = crash.Killer(pid, n, follow)
        if not k.is_ready:
            k.end()
            self.bad.append("%s: cannot be attached to" % n)
            return 0
        sender = self.write(robot)
        malle.until(lambda: k.is_over() or sender in self.answers(), step=0.01)
        calls, hit = k.end()
        if hit:
            self.hits[hit[1]] = self.hits.get(hit[1], 0) + 1
            malle.until(lambda: not crash.alive(hit[2]), step=0.001)
        elif n is not None and calls >= n:
            self.bad.append("call %d is made and lived through" % n)
        if not crash.back(self.m):
            self.bad.append("%r: does not come back" % (hit,))
        return calls

    def finish(self, what):
        if not self.settle():
            self.bad.append("left: %r" % crash.queue_files(self.m))
        there = self.answers()
        twice = [s for s, ids in there.items() if len(ids) > 1]
        other = [s for s in twice if len(set(there[s])) > 1]
        more = [s for s in twice if len(there[s]) > 2]
        wrong = self.bad + \
            ["two answers that are not the same letter: %s" % s for s in other] + \
            ["more than two: %s" % s for s in more]
        self.m.close()
        return [(self.hits, "%s: killed at its calls" % what, [" ".join(
                    "%s=%d" % x for x in sorted(self.hits.items()))]),
                (not wrong, "%s: every letter is answered, %d of %d twice" % (
                    what, len(twice), len(self.sent)), wrong[:10])]


def queued():
    t = Trial("malle-queued", 60)
    pid = lambda: crash.rows(t.m)["malle-queued"][0]
    t.m.kill("malle-queued")
    crash.back(t.m)
    count = t.once(t.robots[0], None, pid(), True)
    for i, n in enumerate(crash.steps(count, t.most)):
        t.once(t.robots[i % DOMAINS], n, pid(), True)
        t.settle()		# one kill for each letter
    return t.finish("malle-queued")


def local():
    t = Trial("malle-local", 80)

    def step(robot, n=None):
        domain = robot.split("@")[1]
        pid = crash.worker(t.m, domain)
        if pid is None:
            t.write(robot)
            pid = malle.until(lambda: crash.worker(t.m, domain))
            malle.until(lambda: crash.queue_files(t.m) == [])
        return t.once(robot, n, pid, False) if pid else 0
    step(t.robots[0])
    todo = crash.steps(step(t.robots[1]), t.most)
    while todo:
        for robot in t.robots:
            if todo:
                step(robot, todo.pop(0))
        # A domain whose worker was killed is tried again after two seconds.
        t.settle()
    return t.finish("malle-local")


crash.usable()
crash.side_by_side([queued, local])
malle.done()
