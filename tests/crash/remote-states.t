#!/usr/bin/env python3
"""malle-queued killed at each system call of a message to another server.

Each message goes to four people of a domain of its own: two are taken, one is
put off at first and taken then, one does not exist. First the calls are counted
that malle-queued makes from the acceptance to the end of the bounce; then the
first of them kills it, then the second, and so on. In the end whoever should
have the letter has it, and the sender has his bounce, of that one recipient;
twice only what was on its way when the kill came.

MALLE_LONG=1 tries every call, otherwise there is a random choice of them.
"""
# SPDX-License-Identifier: ISC
import email
import os
import re
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import crash  # noqa: E402
import malle  # noqa: E402
from relay import ALICE, Relay  # noqa: E402

MOST = 24
GOOD = ["a", "b", "d"]


class States(Relay):
    def __init__(self):
        self.seen = set()
        super().__init__("abcd", {"RCPT": self.rcpt})

    def rcpt(self, session, line):
        who = re.search("<(.*?)>", line).group(1)
        if who.startswith("c@"):
            return "550 5.1.1 There is nobody of that name"
        if who.startswith("b@") and who not in self.seen:
            self.seen.add(who)
            return "450 4.2.1 Not now"

    def bounces(self):
        """name -> recipients of the bounces that tell of it."""
        found = {}
        for path in self.m.messages(ALICE):
            with open(path, "rb") as f:
                m = email.message_from_bytes(f.read())
            rows = m.get_payload()[1].get_payload()[1:]
            for row in rows:
                who, name = row["Final-Recipient"].split("; ")[1].split("@")
                found.setdefault(name, []).append((who, row["Status"]))
        return found

    def is_done(self, name):
        return {w.split("@")[0] for w in self.got(name)} == set(GOOD) and \
            name in self.bounces()

    def once(self, n=None):
        """One life under the killer: (calls, hit). It is the only message, so
        none is hurt twice."""
        crash.back(self.m)
        malle.until(lambda: crash.queue_files(self.m) == [])
        return self.life(crash.rows(self.m)["malle-queued"][0], n,
                         self.is_done)


def main():
    crash.usable()
    r = States()
    try:
        r.once()
        # Each life is the first one of a new process: so is the one counted.
        r.m.kill("malle-queued")
        count, _ = r.once()
        malle.ok(count > 100 and r.is_done("d1.org"),
                 "one message makes %d calls" % count)
        r.kill_at_each(crash.steps(count * 9 // 10, MOST))
        crash.back(r.m)
        r.m.malle("queue", "retry", "--all", check=False)
        owed = [d for d in r.sent if d not in r.refused]
        malle.until(lambda: crash.queue_files(r.m) == [] and
                    all(r.is_done(d) for d in owed), 120, 0.2)
        malle.eq([d for d in owed if not r.is_done(d)], [],
                 "nobody is without his letter, nor the sender without word")
        got = {d: [w.split("@")[0] for w in r.got(d)] for d in r.sent}
        malle.eq([d for d in r.sent if "c" in got[d]], [],
                 "nobody who does not exist has it")
        malle.note("%d of %d messages arrived twice" % (
            sum(len(got[d]) > len(set(got[d])) for d in r.sent), len(r.sent)))
        malle.eq(r.too_many(lambda d: max(got[d].count(x) for x in "abcd")),
                 [], "twice only what was on its way at a kill")
        told = r.bounces()
        malle.eq([told[d] for d in told if set(told[d]) != {("c", "5.1.1")}],
                 [], "the bounces tell of him who does not exist, and of "
                 "nobody else")
        malle.eq(r.too_many(lambda d: len(told.get(d, ()))), [],
                 "twice only those that were on their way")
        malle.eq([d for d in told if d not in r.sent], [], "and of no other")
        malle.ok(malle.until(lambda: crash.queue_files(r.m) == []),
                 "the queue is empty")
        malle.eq(r.m.violations(), [], "nobody left its role")
        malle.eq(r.m.stop(), 0, "the service ends well")
        r.m.start()
        malle.eq(crash.strays(r.m), [], "no file is left behind")
    finally:
        r.close()
    malle.done()


main()
