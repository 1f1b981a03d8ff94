#!/usr/bin/env python3
"""authd-hostile.t - no peer can kill, block or fill malle-authd."""

import os
import random
import resource
import select
import sys
import time
import warnings

warnings.simplefilter("ignore")
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import malle
from authd import *

tap = Tap()
ok = tap.ok
LOGINS_MAX = 2048		# as auth/authd.h says
resource.setrlimit(resource.RLIMIT_NOFILE, (8192, 8192))
alice = {name: secret_record(md5("pw"), scram=scram_keys("pw"))
         for name in ("alice", "bob")}
d = Authd({"exemple.test": alice}, conf="default_domain = exemple.test\n")


def serves():
    return d.plain("alice", "pw", client="192.0.2.9") == \
        (OK, b"alice@exemple.test")


def fds():
    return len(os.listdir("/proc/%d/fd" % d.process.pid))


ok(serves(), "it serves")
idle = fds()

# a good message, damaged in every way
body = struct.pack("<HHB", START, 1, SMTP) + pack("PLAIN") + \
    pack("192.0.2.66") + pack("s") + b"\1\1" + pack(b"\0alice\0no") + \
    pack(b"") + pack(b"") + b"\0" + pack(b"")
random.seed(4616)
count = 0
for i in range(len(body)):
    d.login(raw=body[:i] or b"x").close()
    count += 1
for i in range(3000):
    b = bytearray(body)
    for _ in range(random.randint(1, 4)):
        where = random.randrange(len(b))
        change = random.randrange(3)
        if change == 0:
            b[where] = random.randrange(256)
        elif change == 1:
            del b[where]
        else:
            b[where:where] = os.urandom(random.randint(1, 8))
    s = d.login(raw=bytes(b))
    if i % 50 == 0:
        time.sleep(0.01)
    s.close()
ok(d.alive() and serves(), "%d damaged messages" % (count + 3000))

# messages that come when they should not
for kind in (RESPONSE, CONTINUE, OK, NO, TAKEN, 0, 65535):
    s = d.login(raw=struct.pack("<H", kind) + pack(b"") + pack(b""))
    ok(s.answer() == (None, None), "first message of type %d" % kind)
    s.close()
s = d.login()
s.answer()
s.s.send(body)
ok(s.answer() == (None, None), "AUTH_START twice")
s.close()
with malle.held(d.process.pid):
    s = d.login(initial=b"\0alice\0no", client="192.0.2.67")
    s.s.send(struct.pack("<H", RESPONSE) + pack(b"") + pack(b""))
ok(s.answer() == (None, None), "a message while the password is looked at")
s.close()
for client in ("", "localhost", "1.2.3.4 x=y", "::1%lo"):
    s = d.login(initial=b"\0alice\0no", client=client)
    ok(s.answer() == (None, None), "client %r" % client)
    s.close()

# descriptors nobody asked for
a, b = socket.socketpair()
for _ in range(200):
    s = d.login(initial="\0alice\0no", client="192.0.2.68", fd=b.fileno())
    s.close()
s = Login.__new__(Login)
s.s = malle.unix(d.path)
s.s.sendmsg([body], [(socket.SOL_SOCKET, socket.SCM_RIGHTS,
                      array.array("i", [b.fileno()] * 100))])
s.answer()
s.close()
ok(serves() and malle.until(lambda: fds() <= idle + 1),
   "no descriptor stays behind")

# a peer that does not read its answer
for _ in range(50):
    s = d.login(mechanism="SCRAM-SHA-256", initial="n,,n=alice,r=abc")
    s.s.shutdown(socket.SHUT_RD)
    s.close()
ok(serves(), "peers that are gone when they are answered")

# malle-spawn does not read: the session hears of it at once
def passed_on():
    return d.log().count(" auth-ok client=192.0.2.9 "
                         "account=alice@exemple.test service=pop3 ")


n, answer = 0, None
while answer is None and n <= 200:
    s = d.login(service=POP3, initial="\0alice\0pw", client="192.0.2.9",
                fd=b.fileno(), leftover=b"x" * 8192)
    malle.until(lambda: passed_on() > n or
                select.select([s.s], [], [], 0)[0])
    if passed_on() > n:
        n += 1
    else:
        answer = s.answer()
ok(answer is not None and answer[0] == NO and answer[1][0] == TEMPORARY,
   "malle-spawn is busy (%d waiting): a temporary failure" % n)
ok(serves(), "SMTP goes on")

# malle-registryd does not read either
for i in range(3):
    d.plain("alice", "pw", client="192.0.2.9")
ok(serves() and d.alive(), "malle-registryd is not waited for")

# damaged tables
for what, bytes_ in (("empty", b""), ("garbage", os.urandom(5000)),
                     ("cut off", open(d.auth + "/exemple.test.cdb",
                                      "rb").read()[:2100])):
    with open(d.auth + "/x.new", "wb") as f:
        f.write(bytes_)
    os.rename(d.auth + "/x.new", d.auth + "/bad.test.cdb")
    answer = d.plain("alice@bad.test", "pw", client="192.0.2.70")
    ok(answer[0] == NO, "a table that is %s: %r" % (what, answer[1]))
ok(serves(), "the other domains are served")

ok(d.stop() == 0, "it ends when it is told to")

# more connections than it keeps: the others wait, nobody is hurt. From here on
# time passes as the test wants it.
d = Authd({"exemple.test": alice}, conf="default_domain = exemple.test\n",
          clock=True)
ok(serves(), "another one serves")
d.turn()
idle = fds()
many = [malle.unix(d.path) for _ in range(LOGINS_MAX + 100)]
malle.until(lambda: fds() >= idle + LOGINS_MAX)
ok(all(Login(d, s=s).answer()[0] == CONTINUE for s in many[:2]),
   "those that it keeps are heard")
ok(fds() == idle + LOGINS_MAX, "%d connections: %d are kept" %
   (len(many), fds() - idle))
for s in many:
    s.close()
ok(serves(), "when they are gone it serves")

# a peer that does not say anything is sent away
s = malle.unix(d.path)
d.turn()
d.forward(9)
ok(not select.select([s], [], [], 0)[0], "nine seconds of silence are allowed")
d.forward(1)
ok(s.recv(10) == b"", "ten are not")
s.close()

# the end: logins under way get their answers at once, one that is judged
# after the signal too, from an address that has guessed so often that it waits
# longer than the end lasts
guesses = [d.login(initial="\0bob\0no", client="192.0.2.71")
           for _ in range(8)]
malle.until(lambda: d.log().count(" auth-failed client=192.0.2.71 ") == 8)
s = d.login(client="192.0.2.71")
ok(s.answer()[0] == CONTINUE, "a login is under way")
with malle.held(d.process.pid):
    s.s.send(struct.pack("<H", RESPONSE) + pack(b"\0bob\0no") + pack(b""))
    d.process.send_signal(signal.SIGTERM)
verdict = (d.stop(), s.answer())
ok(verdict[0] == 0 and verdict[1][0] == NO and verdict[1][1][0] == BAD,
   "told to end, it still answers: %s" %
   str(verdict))
ok(all(guess.answer()[0] == NO for guess in guesses), "and those who wait")
for s in [s] + guesses:
    s.close()

# alone, without malle-spawn and malle-registryd
d = Authd({"exemple.test": alice}, pairs=False)
ok(d.plain("alice@exemple.test", "pw")[0] == OK and
   d.plain("alice", "pw")[0] == NO, "without pairs, without default domain")
ok(d.plain("alice@exemple.test", "pw", service=POP3, fd=b.fileno())[1][0] ==
   TEMPORARY, "POP3 without malle-spawn")
ok(d.stop(signal.SIGHUP) == 0, "SIGHUP: ends, to be started anew")
tap.done()
