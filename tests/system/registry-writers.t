#!/usr/bin/env python3
"""Fifty writers on one domain and on many, who make, rename and delete, with
kill -9 between: everything acknowledged is there, and the tables equal the
registry."""
import os
import signal
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import malle  # noqa: E402
import registryd  # noqa: E402
from malle import eq, ok  # noqa: E402

WRITERS, KILLS, SECONDS = 50, 4, 6
HASH = "$6$saltsalt$" + "a" * 86


class Writer(threading.Thread):
    def __init__(self, r, k):
        super().__init__(daemon=True)
        self.r, self.k, self.done, self.other = r, k, [], []
        self.aliases, self.gone = [], []

    def run(self):
        domain = "a.test" if self.k % 2 else "d%d.test" % (self.k % 10)
        n = 0
        while not stop.is_set():
            n += 1
            address = "w%d-%d@%s" % (self.k, n, domain)
            if self.ask("user.add", address=address, hash=HASH):
                self.done.append(address)
                self.more(address, n)

    def ask(self, operation, **fields):
        """True when it was done; False: nobody knows."""
        try:
            got = self.r.ask(operation, **fields)
        except OSError:
            got = None
        if got is None:
            time.sleep(0.02)
        elif got[1] != "ok":
            self.other.append((operation, fields) + tuple(got[1:]))
        return got is not None and got[1] == "ok"

    def more(self, address, n):
        """Every third is renamed, every fifth deleted: that it was is known
        only when it was answered."""
        if n % 3 == 0:
            self.done.remove(address)
            new = "r-" + address
            if self.ask("user.rename", address=address, to=new):
                self.done.append(new)
                self.aliases.append((address, new))
        elif n % 5 == 0:
            self.done.remove(address)
            if self.ask("user.delete", address=address):
                self.gone.append(address)


stop = threading.Event()
with registryd.Registry() as r:
    r.ask("domain.add", name="a.test")
    for i in range(0, 10, 2):
        r.ask("domain.add", name="d%d.test" % i)
    writers = [Writer(r, k) for k in range(WRITERS)]
    for w in writers:
        w.start()
    for k in range(1, KILLS + 1):
        time.sleep(SECONDS / KILLS)
        # Each of them has something to lose.
        malle.until(lambda: sum(len(w.done) for w in writers) > 12 * k)
        r.stop(signal.SIGKILL)
        r.start()
    malle.until(lambda: any(w.gone for w in writers) and
                sum(len(w.aliases) for w in writers) > 10)
    stop.set()
    for w in writers:
        w.join(malle.PATIENCE)
    done = {a for w in writers for a in w.done}
    malle.note("%d mailboxes in %d s, with %d kills" % (
        len(done), SECONDS, KILLS))
    eq([x for w in writers for x in w.other], [], "nobody was refused")
    there = {x["name"] for x in r.ask("user.list")[0]}
    names = {x["name"]: x["targets"] for x in r.ask("alias.list")[0]
             if not x["name"].startswith("abuse@")}
    eq(sorted(done - there), [], "all that was acknowledged is there")
    eq([a for w in writers for a in w.aliases if names.get(a[0]) != a[1]], [],
       "who was renamed has the old name too")
    eq(sorted({a for w in writers for a in w.gone} & there), [],
       "who was deleted is gone")
    ok(len(done) > 10 and names and any(w.gone for w in writers),
       "%d are there, %d were renamed, %d deleted" % (
           len(done), len(names), sum(len(w.gone) for w in writers)))
    ok(len(there - done) <= 6 + WRITERS * KILLS,
       "what is there besides was in work at a kill")
    tables = {local + "@" + d for d in r.domains()
              for local in r.addresses(d) if local != "abuse"}
    eq(sorted(tables ^ there ^ set(names)), [],
       "the tables of addresses equal it")
    eq([a for w in writers for a, new in w.aliases
        if registryd.record(r.addresses(new.split("@")[1])[
            new.split("@")[0]]).get(24) != a.split("@")[0].encode()], [],
       "and have the folders")
    eq(sorted({local + "@" + d for d in r.domains()
               for local in r.secrets(d)} ^ there), [],
       "and those of secrets")
    eq(r.ask("check")[0], [], "the program finds no fault either")
malle.done()
