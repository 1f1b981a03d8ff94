#!/usr/bin/env python3
"""Fifty writers on one domain and on many, with kill -9 between: everything
acknowledged is there, and the tables equal the registry."""
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

    def run(self):
        domain = "a.test" if self.k % 2 else "d%d.test" % (self.k % 10)
        n = 0
        while not stop.is_set():
            n += 1
            address = "w%d-%d@%s" % (self.k, n, domain)
            try:
                got = self.r.ask("user.add", address=address, hash=HASH)
            except OSError:
                got = None
            if got is not None and got[1] == "ok":
                self.done.append(address)
            elif got is not None:
                self.other.append(got)
            else:
                time.sleep(0.02)


stop = threading.Event()
with registryd.Registry() as r:
    r.ask("domain.add", name="a.test")
    for i in range(0, 10, 2):
        r.ask("domain.add", name="d%d.test" % i)
    writers = [Writer(r, k) for k in range(WRITERS)]
    for w in writers:
        w.start()
    for _ in range(KILLS):
        time.sleep(SECONDS / KILLS)
        r.stop(signal.SIGKILL)
        r.start()
    stop.set()
    for w in writers:
        w.join(20)
    done = {a for w in writers for a in w.done}
    malle.note("%d mailboxes in %d s, with %d kills" % (
        len(done), SECONDS, KILLS))
    ok(len(done) > 100, "the writers wrote")
    eq([x for w in writers for x in w.other], [], "nobody was refused")
    there = {x["name"] for x in r.ask("user.list")[0]}
    eq(sorted(done - there), [], "all that was acknowledged is there")
    ok(len(there - done) <= 6 + WRITERS * KILLS,
       "what is there besides was in work at a kill")
    tables = {local + "@" + d for d in r.domains()
              for local in r.addresses(d) if local != "abuse"}
    eq(sorted(tables ^ there), [], "the tables of addresses equal it")
    eq(sorted({local + "@" + d for d in r.domains()
               for local in r.secrets(d)} ^ there), [],
       "and those of secrets")
    eq(r.ask("check")[0], [], "the program finds no fault either")
malle.done()
