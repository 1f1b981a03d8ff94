"""far_side.py - what the measurements send to: a wildcard DNS, and a sink."""
# SPDX-License-Identifier: ISC
import os
import re
import socket
import subprocess
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                os.pardir, "system"))
import internet  # noqa: E402
import malle  # noqa: E402

LIVE, DEAD, OTHER = "127.0.0.2", "127.0.0.3", "127.0.0.4"


class Wildcard(internet.DNS):
    """destN.test has the server mx.destN.test; every tenth is not there, and
    dest1.test is on a machine of its own."""

    def _find(self, name, kind):
        n = re.fullmatch(r"(?:mx\.)?dest(\d+)\.test", name)
        if n and kind == internet.TYPES["MX"] and not name.startswith("mx."):
            return name, [(name, kind, b"\0\x0a" +
                           internet.wire_name("mx." + name))]
        if n and kind == internet.TYPES["A"] and name.startswith("mx."):
            number = int(n.group(1))
            ip = OTHER if number == 1 else LIVE if number % 10 else DEAD
            return name, [(name, kind, socket.inet_aton(ip))]
        if n:
            self.names.add(name)
        return name, []


def sink(port, arrivals=None, address=LIVE):
    """A process that takes all mail on address:port. Each content with a header
    X-Sent is put into arrivals, a queue, with its time."""
    p = subprocess.Popen([os.path.join(malle.BIN, "sink"), address, str(port)],
                         stdout=subprocess.PIPE, text=True)

    def read():
        for line in p.stdout:
            name, at = line.split()
            if arrivals is not None:
                arrivals.put((name, float(at)))
    threading.Thread(target=read, daemon=True).start()
    return p
