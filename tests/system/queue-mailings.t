#!/usr/bin/env python3
"""queue-mailings.t - mailings to very many servers, none of which answers, and
to very many domains of which nobody knows anything: a letter goes beside them."""
# SPDX-License-Identifier: ISC
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from fakeremote import Remote, honest, sent
from malle import done, eq, ok
from queuelab import Lab

LIST = 2
MOST = 400		# connections of mailings



def goes(lab, c, to, text):
    i = c.submit(to).id
    ok(lab.wait_log(i + " sent"), text)


remote = Remote(honest)
with Lab(remote=remote) as lab:
    c = lab.client()
    # The DNS of 100 domains is dead.
    remote.silent = lambda name: name.startswith("dead")
    c.submit(["x@dead%d.test" % n for n in range(100)])
    c.submit("x@last.test", lane=LIST)
    lab.wait(lambda: len(remote.asked) >= 8)
    goes(lab, c, "x@far.test", "a letter whose domain has to be looked up does "
         "not wait for the look-ups of a mailing")
    goes(lab, c, "x@last.test", "nor one to a domain that the mailing waits for")
    ok("dead99.test" not in remote.asked, "which have not all been asked for")
    remote.silent = lambda name: False
    lab.stop()

remote = Remote(honest)
with Lab(remote=remote) as lab:
    c = lab.client()
    # 600 servers say nothing when they are called.
    remote.mute = lambda route: b"mx.mute" in route
    c.submit(["x@mute%d.test" % n for n in range(600)])
    lab.wait(lambda: remote.hanging >= MOST)
    goes(lab, c, "x@far.test", "a letter does not wait for a connection until "
         "one of a mailing is given up")
    eq(remote.hanging, MOST, "which has not all that there may be")
    lab.stop()

remote = Remote(honest)
with Lab(remote=remote) as lab:
    c = lab.client()
    del sent[:]
    for n in range(900):
        c.submit("x@fine%d.test" % n, lane=LIST)
    ok(lab.wait(lambda: not lab.files()), "900 letters of a list to as many "
       "servers are sent")
    eq(len(sent), 900, "each once")
done()
