#!/usr/bin/env python3
"""sts-hostile.t - malle-sts asked by somebody who has taken malle-remote over."""
# SPDX-License-Identifier: ISC

import http.server
import os
import shutil
import socket
import ssl
import struct
import subprocess
import sys
import tempfile
import threading

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import malle
from internet import DNS, Authority, PolicyPage
from malle import done, eq, ok

STS_FETCH, STS_POLICY, ENFORCE = 1, 2, 2
POLICY = b"version: STSv1\nmode: enforce\nmx: mx.a.test\nmax_age: 86400\n"


class Page(PolicyPage):
    policy = POLICY


def serve(cert):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Page)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*cert)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


def start(folder, settings):
    """malle-sts, and what malle-remote has of it."""
    os.chmod(folder, 0o755)
    os.mkdir(folder + "/empty", 0o755)
    with open(folder + "/conf", "w") as f:
        for item in settings.items():
            f.write("%s = %s\n" % item)
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs, open(folder + "/log", "ab") as log:
        process = subprocess.Popen(
            [malle.BIN + "/malle-sts", "-c", folder + "/conf"],
            env=dict(os.environ, MALLE_FDS="remote=%d" % theirs.fileno()),
            pass_fds=[theirs.fileno()], stderr=log)
    return process, ours


def ask(sts, theirs, number=b"1"):
    socket.send_fds(sts, [struct.pack("<HI", STS_FETCH, 6) + b"a.test" +
                          struct.pack("<I", len(number)) + number],
                    [theirs.fileno()])
    theirs.close()


def policy(sts):
    """Its mode; None when nothing came."""
    mine, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    mine.settimeout(malle.PATIENCE)
    ask(sts, theirs)
    try:
        answer = mine.recv(65536)
    except socket.timeout:
        return None
    return answer[2] if answer[:2] == struct.pack("<H", STS_POLICY) else None


def full_pair():
    """A pair on which nothing more can be sent, whoever waits."""
    mine, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    theirs.setblocking(False)
    try:
        while True:
            theirs.send(bytes(1000))
    except BlockingIOError:
        theirs.setblocking(True)
    return mine, theirs


dns, ca = DNS(), Authority()
web = serve(ca.certificate("mta-sts.a.test"))
dns.a("mta-sts.a.test", "127.0.0.1")
home = tempfile.mkdtemp(prefix="malle-sts-")
process, sts = start(home, {
    "hostname": "mail.exemple.test", "base": home, "log": "stderr",
    "user_remote": "65534", "resolver": dns.address, "authorities": ca.ca,
    "sts_port": web.server_address[1]})
try:
    eq(policy(sts), ENFORCE, "a policy is fetched")
    silent, theirs = full_pair()
    ask(sts, theirs)
    eq(policy(sts), ENFORCE, "who does not take an answer delays nobody")
    silent.close()
    sts.send(b"")
    sts.close()
    eq(process.wait(malle.PATIENCE), 0, "it ends when nobody is there")
finally:
    if process.poll() is None:
        process.kill()
        process.wait()
    with open(home + "/log") as f:
        if malle._failed:
            malle.note(f.read()[-2000:])
    shutil.rmtree(home)
    web.shutdown()
    dns.close()
    ca.close()
done()
