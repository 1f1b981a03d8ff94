#!/usr/bin/env python3
"""malle-sts: which MTA-STS policies it takes, from whom, and how long."""
import glob
import http.server
import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import threading

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import malle
import remotelab
from internet import DNS, Authority
from malle import eq, note, ok, until

GOOD = "version: STSv1\r\nmode: enforce\r\nmx: mx.%s\r\nmax_age: 86400\r\n"

TAKEN = 16 << 20        # bytes that the other side may send


class Web:
    """HTTPS on a loopback address: pages is {host: bytes or function}."""

    def __init__(self, ip, cert):
        self.pages, self.asked = {}, []
        web = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            timeout = malle.PATIENCE

            def do_GET(self):
                host = self.headers["Host"].split(":")[0]
                web.asked.append((host, self.path))
                page = web.pages.get(host)
                try:
                    if callable(page):
                        page(self)
                    elif page is None:
                        self.send_error(404)
                    else:
                        web.send(self, page)
                except OSError:
                    self.close_connection = True    # who asked has gone

            def log_message(self, *args):
                pass
        self.server = http.server.ThreadingHTTPServer((ip, 0), Handler)
        self.server.daemon_threads = True
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*cert)
        self.server.socket = context.wrap_socket(
            self.server.socket, server_side=True,
            do_handshake_on_connect=False)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever,
                         daemon=True).start()

    @staticmethod
    def send(handler, text, kind="text/plain", status=200, **headers):
        body = text.encode() if isinstance(text, str) else text
        handler.send_response(status)
        handler.send_header("Content-Type", kind)
        handler.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(body)

    def close(self):
        self.server.shutdown()
        self.server.server_close()


class Sts:
    """A malle-sts of its own, by a clock that .clock moves; .pair is what
    malle-remote is given."""

    def __init__(self, conf):
        self.folder = tempfile.mkdtemp(prefix="malle-sts-")
        os.chmod(self.folder, 0o755)
        os.mkdir(self.folder + "/empty", 0o755)
        with open(self.folder + "/malleposte.conf", "w") as f:
            for item in dict(conf, hostname="mail.exemple.test",
                             base=self.folder, user_remote="65534").items():
                f.write("%s = %s\n" % item)
        self.pair, theirs = socket.socketpair(socket.AF_UNIX,
                                              socket.SOCK_SEQPACKET)
        self.conf, their_conf = socket.socketpair(socket.AF_UNIX,
                                                  socket.SOCK_SEQPACKET)
        # What is the parent's alone.
        self.own = {os.fstat(s.fileno()).st_ino for s in (theirs, their_conf)}
        env = dict(os.environ, MALLE_SANDBOX_DENY="kill",
                   MALLE_FDS="remote=%d,conf=%d" % (theirs.fileno(),
                                                    their_conf.fileno()))
        their_conf.setblocking(False)
        self.clock = malle.Clock(self.folder, "sts")
        with open(self.folder + "/log", "ab") as log:
            self.process = subprocess.Popen(
                [self.clock.program, "-c", self.folder + "/malleposte.conf"],
                env=env, pass_fds=[theirs.fileno(), their_conf.fileno()],
                stderr=log)
        theirs.close()
        their_conf.close()

    def log(self):
        with open(self.folder + "/log", errors="replace") as f:
            return f.read()

    def children(self):
        with open("/proc/%d/task/%d/children" %
                  (self.process.pid, self.process.pid)) as f:
            return [int(pid) for pid in f.read().split()]

    def close(self):
        self.process.terminate()
        status = self.process.wait(malle.PATIENCE)
        shutil.rmtree(self.folder, ignore_errors=True)
        return status


def publish(dns, domain, number="1", web=True):
    dns.mx(domain, 10, "mx." + domain)
    dns.txt("_mta-sts." + domain, "v=STSv1; id=%s;" % number)
    if web:
        dns.a("mta-sts." + domain, "127.0.0.1")


def test_policies(remote, dns, web, clock):
    pair = remote.resolver()

    def policy(domain):
        f = remote.lookup(pair, domain)
        return f["outcome"], f["sts"], f["sts_mx"]
    publish(dns, "a.test")
    web.pages["mta-sts.a.test"] = GOOD % "a.test"
    eq(policy("a.test"), ("ok", 2, "mx.a.test"), "a policy is fetched")
    eq(web.asked, [("mta-sts.a.test", "/.well-known/mta-sts.txt")], "from "
       "where it must be")
    eq(policy("a.test"), ("ok", 2, "mx.a.test"), "and kept")
    eq(len(web.asked), 1, "without asking again")
    web.pages["mta-sts.a.test"] = ("version: STSv1\nmode: testing\nmx: *.a.te"
                                   "st\nmx: MX2.a.test\nmax_age: 86400")
    dns.forget("_mta-sts.a.test", "TXT")
    dns.txt("_mta-sts.a.test", "v=STSv1; id=2;")
    eq(policy("a.test"), ("ok", 1, "*.a.test\nmx2.a.test"),
       "another id: it is fetched again")
    dns.forget("_mta-sts.a.test", "TXT")
    eq(policy("a.test"), ("ok", 1, "*.a.test\nmx2.a.test"),
       "the record is gone: the policy stays until it expires")
    dns.txt("_mta-sts.a.test", "v=STSv1; id=3;")
    del web.pages["mta-sts.a.test"]
    eq(policy("a.test"), ("ok", 1, "*.a.test\nmx2.a.test"),
       "the new one cannot be had: the old one stays")
    n = len(web.asked)
    eq(policy("a.test")[1], 1, "and again")
    eq(len(web.asked), n, "without asking again so soon")
    dns.mx("none.test", 10, "mx.none.test")
    eq(policy("none.test"), ("ok", 0, ""), "no record, no policy")
    eq(web.asked[n:], [], "and nobody is asked")
    # RFC 8461 3.1: of several, none counts; those of something else do not.
    publish(dns, "two.test")
    dns.txt("_mta-sts.two.test", "v=STSv1; id=2;")
    web.pages["mta-sts.two.test"] = GOOD % "two.test"
    eq(policy("two.test"), ("ok", 0, ""), "two records are none")
    eq(web.asked[n:], [], "nobody is asked of a policy then")
    dns.txt("_mta-sts.beside.test", "v=STSv10; id=9;")
    publish(dns, "beside.test")
    dns.txt("_mta-sts.beside.test", "v=spf1 -all")
    web.pages["mta-sts.beside.test"] = GOOD % "beside.test"
    eq(policy("beside.test"), ("ok", 2, "mx.beside.test"),
       "one among records of something else")
    publish(dns, "day.test")
    web.pages["mta-sts.day.test"] = GOOD % "day.test"
    eq(policy("day.test")[1], 2, "a policy for a day")
    dns.forget("_mta-sts.day.test", "TXT")
    clock.forward(86400 - 1000)
    eq(policy("day.test")[1], 2, "is kept for so long")
    clock.forward(1000)
    eq(policy("day.test")[1], 0, "and forgotten after it")
    pair.close()


def test_refused(remote, dns, web, wrong, sts):
    pair = remote.resolver()
    target = GOOD % "b.test"

    def redirect(h):
        Web.send(h, "", status=302, Location="https://mta-sts.a.test:%d/x" %
                 web.port)

    begun, go_on = threading.Event(), threading.Event()

    def slow(h):
        """Who asks is held, and so cannot give up, until go_on."""
        with malle.held(sts.children()[0]):
            begun.set()
            go_on.wait(malle.PATIENCE)
        Web.send(h, "x")

    taken = []

    def flood(h, piece):
        """Sends until it is not taken any more, and counts."""
        h.close_connection = True
        n = 0
        try:
            while n < 10 * TAKEN:
                h.wfile.write(piece)
                n += len(piece)
        except OSError:
            pass
        taken.append(n)

    def endless(h):
        h.send_response(200)
        h.send_header("Content-Type", "text/plain")
        h.end_headers()
        flood(h, b"mx: a.test\n" * 10000)

    def endless_head(h):
        h.wfile.write(b"HTTP/1.1 200 OK\r\n")
        flood(h, b"X-More: %s\r\n" % (b"y" * 1000) * 100)

    def endless_line(h):
        h.wfile.write(b"HTTP/1.1 200 OK\r\nX-More: ")
        flood(h, b"y" * 100000)
    for i, (what, page) in enumerate((
            ("a redirect", redirect), ("endless", endless),
            ("an endless head", endless_head),
            ("an endless line in it", endless_line),
            ("64 KiB and more", target + "x" * 70000),
            ("HTML", lambda h: Web.send(h, target, "text/html")),
            ("no plain text", lambda h: Web.send(h, target, "text/plainer")),
            ("status 500", lambda h: Web.send(h, target, status=500)),
            ("no version", target.replace("version", "x")),
            ("no mx", "version: STSv1\nmode: enforce\nmax_age: 1000\n"),
            ("an evil mx", target.replace("mx.b.test", "mx b\x1b.test")),
            ("empty", ""))):
        domain = "b%d.test" % i
        publish(dns, domain)
        web.pages["mta-sts." + domain] = page
        eq(remote.lookup(pair, domain)["sts"], 0, what)
    ok(until(lambda: len(taken) == 3) and max(taken) < TAKEN,
       "of what has no end little is taken: %s" % taken)
    publish(dns, "slow.test")
    web.pages["mta-sts.slow.test"] = slow
    until(lambda: sts.children() == [])
    other, found = remote.resolver(), []
    waiting = threading.Thread(target=lambda: found.append(
        remote.lookup(other, "slow.test")["sts"]), daemon=True)
    waiting.start()
    ok(begun.wait(malle.PATIENCE), "a server takes its time")
    open_ = {os.stat(f).st_ino for f in glob.glob("/proc/%d/fd/*" %
                                                  sts.children()[0])}
    ok(open_ and not open_ & sts.own,
       "who fetches holds nothing of its parent's")
    publish(dns, "quick.test")
    web.pages["mta-sts.quick.test"] = lambda h: Web.send(
        h, GOOD % "quick.test", "Text/Plain; charset=utf-8")
    eq(remote.lookup(pair, "quick.test")["sts"], 2,
       "which delays nobody else")
    go_on.set()
    waiting.join(malle.PATIENCE)
    eq(found, [0], "what it says is no policy")
    other.close()
    publish(dns, "nobody.test", web=False)
    eq(remote.lookup(pair, "nobody.test")["sts"], 0, "no such web server")
    # A certificate of another name.
    publish(dns, "wrong.test", web=False)
    dns.a("mta-sts.wrong.test", wrong)
    eq(remote.lookup(pair, "wrong.test")["sts"], 0, "a wrong certificate")
    pair.close()


def main():
    dns, ca = DNS(), Authority()
    names = ["mta-sts.%s.test" % n for n in
             ["a", "two", "beside", "day", "slow", "quick"] +
             ["b%d" % i for i in range(12)]]
    web = Web("127.0.0.1", ca.certificate(*names))
    conf = dict(resolver=dns.address, authorities=ca.ca, sts_port=web.port)
    sts = Sts(conf)
    try:
        with remotelab.Remote(conf, sts=sts.pair) as remote:
            test_policies(remote, dns, web, sts.clock)
            test_refused(remote, dns, web, "127.0.0.1", sts)
            ok("sandbox:" not in remote.log(), "malle-remote keeps its role")
            peak = int(malle.status_of(sts.process.pid)["VmHWM"].split()[0])
            ok(0 < peak < (512 if malle.SANITIZED else 64) << 10,
               "malle-sts after all that: %d KiB" % peak)
        log = sts.log()
        ok("sandbox:" not in log, "malle-sts keeps its role")
        for word in ("redirect", "302", "text/plain", "RFC 8461"):
            note([l for l in log.split("\n") if word in l][:1])
        sts.process.send_signal(signal.SIGHUP)
        eq(sts.close(), 0, "SIGTERM ends it well")
        if "sandbox:" in log or malle._failed:
            note(log)
    finally:
        if sts.process.poll() is None:
            sts.close()
        web.close()
        dns.close()
        ca.close()
    malle.done()


main()
