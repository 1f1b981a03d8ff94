"""relaylab.py - a service, a DNS and other mail servers, for the queue's tests.

    lab = Lab(clock=True)
    s = lab.server("exemple.org", hooks={"RCPT": "450 4.2.0 Later"})
    lab.m.start()
    i = lab.send("x@exemple.org")
    lab.forward(300)

With clock=True malle-queued runs by a clock that only forward() moves faster
than the real one.
"""
# SPDX-License-Identifier: ISC
import calendar
import json
import os
import re
import time

import malle
from internet import DNS, Server, shared_port
from malle import until

IPS = ["127.0.0.%d" % n for n in range(11, 40)]
PORT = shared_port(IPS)
PROVIDERS = """
provider *
connections 4
slow-pause 3s
blocked-pause 1h
reply 4 "greylist" greylisted
reply 4.2.2 mailbox-full
reply 421 "slow down" slow-down
reply 5 "blocklist" blocked
provider big
mx .big.test
connections 2
messages 3
recipients 2
reply 550 "OFR_102" blocked
"""


def ids(log):
    """Messages, not notices, in their order."""
    return re.findall(r"([0-9a-z-]+) accepted session=\S* from=\w", log)


def seconds_of(line):
    """When a line of the log was written."""
    return calendar.timegm(time.strptime(line[:19], "%Y-%m-%dT%H:%M:%S"))


class Lab:
    """One instance, one DNS, servers as they are asked for."""

    def __init__(self, clock=False, providers=PROVIDERS, routes="", **conf):
        self.dns = DNS()
        self.m = malle.Instance(start=False)
        self.clock = self._clocked() if clock else None
        self.file("providers", providers)
        self.file("routes", routes)
        self.m.write_conf(
            resolver=self.dns.address,
            remote_port=PORT, connect_timeout="3s",
            providers=self.path("providers"), routes=self.path("routes"),
            **conf)
        self.servers = []
        self.free = list(IPS)

    def _clocked(self):
        """The clock; the programs are in a folder, malle-queued with it."""
        libexec = os.path.join(self.m.dir, "libexec")
        os.mkdir(libexec)
        for name in os.listdir(malle.BIN):
            if name.startswith("malle"):
                os.symlink(os.path.join(malle.BIN, name),
                           os.path.join(libexec, name))
        os.unlink(libexec + "/malle-queued")
        self.m.write_conf(libexec=libexec)
        return malle.Clock(libexec)

    def now(self):
        """The time of malle-queued."""
        return time.time() + (self.clock.passed if self.clock else 0)

    def forward(self, seconds):
        """So much time passes; malle-queued notices at once."""
        self.clock.forward(seconds)
        malle.unix(self.m.base + "/public/queue.sock").close()

    def path(self, name):
        return os.path.join(self.m.dir, name)

    def routes(self, text):
        """Routes that hold when this returns."""
        self.file("routes", text)
        mark = len(self.lines("reload tables"))
        self.m.reload()
        until(lambda: len(self.lines("reload tables")) > mark)

    def file(self, name, text):
        with open(self.path(name), "w") as f:
            f.write(text)

    def host(self, name):
        """A name with an address of its own."""
        ip = self.free.pop(0)
        self.dns.a(name, ip)
        return ip

    def server(self, domain, host=None, **more):
        """A domain with its MX, which answers."""
        host = host or "mx." + domain
        ip = self.host(host)
        self.dns.mx(domain, 10, host)
        s = Server(ip, PORT, name=host, **more)
        self.servers.append(s)
        return s

    def send(self, *to, sender="bob@exemple.test", text="Subject: x\n\nHi\n",
             options=()):
        """One message from a local user; its id."""
        id_ = self.m.run("malle-inject", "-v", "-f", sender, *options, *to,
                         input=text).stdout.strip()
        until(lambda: self.lines(id_ + " accepted "))
        return id_

    def lines(self, word, what=""):
        return [l for l in self.m.log().split("\n") if word in l and what in l]

    def stat(self):
        rows = self.m.malle("queue", "stat", "--json").stdout
        return {r.get("destination", ""): r
                for r in map(json.loads, rows.splitlines())}

    def event(self, id_, event, n=1, seconds=malle.PATIENCE):
        """The lines of an event of a message, when there are n."""
        word = "%s %s " % (id_, event)
        until(lambda: len(self.lines(word)) >= n, seconds)
        return self.lines(word)

    def close(self):
        self.m.close()
        self.dns.close()
        for s in self.servers:
            s.close()
