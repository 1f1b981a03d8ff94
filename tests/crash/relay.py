"""relay.py - what the crash tests of mail to other servers share.

Not a test: tests/crash/remote-*.t import it.
"""
# SPDX-License-Identifier: ISC
import os
import signal
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import crash  # noqa: E402
import malle  # noqa: E402
from internet import Authority, DNS, Server, shared_port  # noqa: E402

ALICE = "alice@exemple.test"


class Relay:
    def __init__(self, people="abc", hooks=None):
        self.people = people
        self.dns, self.ca = DNS(), Authority()
        port = shared_port(["127.0.0.2"])
        self.server = Server("127.0.0.2", port, name="mx.org", extensions=(
            "PIPELINING", "SIZE", "8BITMIME", "CHUNKING"), hooks=hooks)
        self.m = malle.Instance(conf=dict(
            crash.CONF, resolver=self.dns.address, remote_port=port,
            authorities=self.ca.ca,
            retry_first="1s", retry_max="2s"))
        self.m.domain("exemple.test")
        self.m.user(ALICE, crash.PASSWORD)
        self.sent, self.refused = [], set()

    def send(self):
        """A message to the people of a new domain; its name."""
        name = "d%d.org" % len(self.sent)
        # A server of its own name: a group of its own, that no kill before has
        # slowed.
        host = "mx%d.org" % len(self.sent)
        self.dns.mx(name, 10, host)
        self.dns.a(host, "127.0.0.2")
        self.sent.append(name)
        r = self.m.run("malle-inject", "-f", ALICE,
                       *["%s@%s" % (x, name) for x in self.people],
                       input="From: %s\nSubject: %s\n\nBonjour\n" % (
                           ALICE, name), check=False)
        if r.returncode != 0:
            self.refused.add(name)
        return name

    def got(self, name):
        return sorted(r for r in self.server.recipients()
                      if r.endswith("@" + name))

    def fresh(self):
        """A malle-remote without children of an older one."""
        for pid in malle.descendants(self.m.process.pid):
            try:
                with open("/proc/%d/comm" % pid) as f:
                    if f.read().strip() in ("malle-resolver",
                                            "malle-carrier"):
                        os.kill(pid, signal.SIGKILL)
            except OSError:
                pass
        crash.back(self.m)

    def close(self):
        self.m.close()
        self.server.close()
        self.dns.close()
        self.ca.close()
