#!/usr/bin/env python3
"""remote-dnssec.t - DANE with signatures: zones signed by Debian's Knot, checked
by its unbound, both in a folder of their own."""
# SPDX-License-Identifier: ISC
import os
import shutil
import socket
import struct
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import malle
from internet import Authority, Server, wire_name
from malle import eq, ok, until
from relaylab import PORT, Lab

PACKAGES = ("knot", "unbound")
DNSKEY = 48
TLS = Server.EXTENSIONS + ("STARTTLS",)
ZONE = """\
$ORIGIN %(name)s.
$TTL 300
@ SOA ns.%(name)s. root.%(name)s. 1 3600 600 86400 60
@ NS ns.%(name)s.
ns A 127.0.0.1
@ MX 10 mx.%(name)s.
mx A %(ip)s
_%(port)d._tcp.mx TLSA 3 1 1 %(digest)s
"""


class Dnssec:
    """zones: {name: (address, digest of its TLSA record)}."""

    def __init__(self, zones, signed, forged):
        self.dir = tempfile.mkdtemp(prefix="malle-dnssec-")
        self.running = []
        for p in PACKAGES:
            self._unpack(p)
        self.env = dict(os.environ, LD_LIBRARY_PATH=":".join(
            self.dir + d for d in ("/usr/lib/x86_64-linux-gnu",
                                   "/lib/x86_64-linux-gnu")))
        self.knot_port, self.port = malle.free_ports(2)
        os.mkdir(self.dir + "/zones")
        for name, (ip, digest) in zones.items():
            self.write("zones/" + name, ZONE % dict(
                name=name, ip=ip, port=PORT, digest=digest.hex()))
        self._knot(zones, signed)
        for name in zones:
            until(lambda: self.answers(self.knot_port, name, name in signed))
        self._unbound(zones, signed, forged)

    def _unpack(self, package):
        if not malle.unpack_debian(package, self.dir):
            self.close()
            malle.skip_all("the package %s cannot be had" % package)

    def write(self, name, text):
        with open(os.path.join(self.dir, name), "w") as f:
            f.write(text)
        return os.path.join(self.dir, name)

    def start(self, *argv):
        log = open(self.dir + "/log", "ab")
        self.running.append(subprocess.Popen(
            argv, env=self.env, stdin=subprocess.DEVNULL, stdout=log,
            stderr=log))

    def _knot(self, zones, signed):
        rows = "".join("  - domain: %s.\n    file: %s/zones/%s\n%s" % (
            n, self.dir, n, "    dnssec-signing: on\n    dnssec-policy: own\n"
            if n in signed else "") for n in zones)
        conf = self.write("knot.conf", """\
server:
    rundir: "%(dir)s"
    listen: 127.0.0.1@%(port)d
log:
  - target: stderr
    any: info
database:
    storage: "%(dir)s"
policy:
  - id: own
    algorithm: ecdsap256sha256
    single-type-signing: on
template:
  - id: default
    zonefile-sync: -1
    journal-content: none
zone:
%(rows)s""" % dict(dir=self.dir, port=self.knot_port, rows=rows))
        self.start(self.dir + "/usr/sbin/knotd", "-c", conf)
        self.keymgr = [self.dir + "/usr/sbin/keymgr", "-c", conf]

    def ds(self, name):
        """The DS record of a zone; "" while it has no key."""
        r = subprocess.run(self.keymgr + [name + ".", "ds"], env=self.env,
                           capture_output=True, text=True)
        rows = [l for l in r.stdout.split("\n") if " DS " in l and
                l.split()[-2] == "2"]
        return rows[0] if rows else ""

    def _unbound(self, zones, signed, forged):
        anchors = {}
        for name in signed:
            anchors[name] = until(lambda: self.ds(name))
            if not anchors[name]:
                with open(self.dir + "/log") as f:
                    malle.note(f.read()[-2000:])
                raise RuntimeError("knotd has not signed " + name)
        for name in forged:
            # The key of somebody else.
            row = anchors[name].split()
            row[-1] = ("0" if row[-1][0] != "0" else "1") + row[-1][1:]
            anchors[name] = " ".join(row)
        conf = self.write("unbound.conf", """\
server:
  interface: 127.0.0.1
  port: %d
  do-daemonize: no
  username: ""
  chroot: ""
  directory: "%s"
  pidfile: ""
  use-syslog: no
  do-not-query-localhost: no
  do-ip6: no
  module-config: "validator iterator"
  local-zone: "test." nodefault
%s
remote-control:
  control-enable: no
%s""" % (self.port, self.dir, "".join(
            '  trust-anchor: "%s"\n' % a for a in anchors.values()), "".join(
            'stub-zone:\n  name: "%s"\n  stub-addr: 127.0.0.1@%d\n' %
            (n, self.knot_port) for n in zones)))
        self.start(self.dir + "/usr/sbin/unbound", "-c", conf)

    @staticmethod
    def answers(port, name, signed):
        """Whether somebody there knows the zone, with its keys if signed."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.settimeout(malle.PATIENCE)
            s.connect(("127.0.0.1", port))
            try:
                s.send(b"\0\7\1\0\0\1\0\0\0\0\0\0" + wire_name(name) +
                       struct.pack("!HH", DNSKEY, 1))
                head = struct.unpack("!6H", s.recv(4096)[:12])
            except OSError:
                return False    # nobody listens there yet
            return head[1] & 15 == 0 and (head[3] > 0) == signed

    def close(self):
        for p in self.running:
            p.terminate()
        for p in self.running:
            p.wait(malle.PATIENCE)
        shutil.rmtree(self.dir, ignore_errors=True)


def main():
    if not shutil.which("apt-get") or malle.SANITIZED:
        malle.skip_all("needs Debian's packages, not those of the sanitizer")
    lab, ca, dns = Lab(), Authority(), None
    try:
        names = ("good", "wrong", "plain", "bogus")
        servers = {n: Server(lab.free.pop(0), PORT, name="mx.%s.test" % n,
                             tls=ca.certificate("mx.%s.test" % n),
                             extensions=TLS) for n in names}
        lab.servers += servers.values()
        good = ca.digest(servers["good"].tls[0], 1)
        dns = Dnssec({n + ".test": (servers[n].ip, good if n == "good" else
                                    bytes(32)) for n in names},
                     ["good.test", "wrong.test", "bogus.test"], ["bogus.test"])
        if not ok(until(lambda: dns.answers(dns.port, "plain.test", False)),
                  "Knot signs, unbound answers"):
            with open(dns.dir + "/log") as f:
                malle.note(f.read()[-3000:])
        lab.m.write_conf(resolver="127.0.0.1:%d" % dns.port)
        lab.m.start()
        lab.m.domain("exemple.test")
        lab.m.user("bob@exemple.test")
        ids = {n: lab.send("x@%s.test" % n) for n in names}
        for n in names:
            until(lambda: lab.lines(ids[n] + " sent") or
                  lab.lines(ids[n] + " deferred"))
        line = (lab.lines(ids["good"] + " sent") or [""])[0]
        ok("verified=dane" in line, "the signed record of the right key: "
           "delivered, verified by it: " + line[-150:])
        line = (lab.lines(ids["wrong"] + " deferred") or [""])[0]
        ok("dsn=4.7.5" in line and "mx.wrong.test" in line,
           "of another key: not delivered: " + line[-150:])
        line = (lab.lines(ids["plain"] + " sent") or [""])[0]
        ok("TLSv1.3" in line and "dane" not in line, "one without signature "
           "counts for nothing: delivered all the same")
        line = (lab.lines(ids["bogus"] + " deferred") or [""])[0]
        ok("dsn=4.4.3" in line and "cannot be looked up now" in line,
           "a wrong signature: not now: " + line[-150:])
        eq([(n, len(servers[n].messages)) for n in names],
           [("good", 1), ("wrong", 0), ("plain", 1), ("bogus", 0)],
           "who has something")
        ok("4.7.5" in lab.m.malle("trace", ids["wrong"]).stdout,
           "trace tells why")
        eq(lab.m.violations(), [], "no call outside a role, no crash")
    except BaseException:
        malle.note(lab.m.log()[-3000:])
        raise
    finally:
        lab.close()
        if dns:
            dns.close()
        ca.close()
    malle.done()


main()
