#!/usr/bin/env python3
"""authd-memory.t - what malle-authd remembers: passwords, guesses, logins."""

import os
import re
import select
import sys
import time
import warnings

warnings.simplefilter("ignore")
import crypt
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import malle
from authd import *

tap = Tap()
ok = tap.ok
yescrypt = crypt.crypt("secret", "$y$j9T$abcdefghijklmnopqrstu0")
cheap = crypt.crypt("secret", "$y$j75$abcdefghijklmnopqrstu0")
latin = subprocess.run(
    ["openssl", "passwd", "-1", "-salt", "saltsalt", "-stdin"],
    input=b"\xe9t\xe9\n", stdout=subprocess.PIPE, check=True).stdout.strip()
accounts = {
    "alice": secret_record(yescrypt, scram=scram_keys("secret")),
    "half": secret_record(yescrypt),
    "cheap": secret_record(cheap, scram=scram_keys("secret")),
    "old": secret_record(md5("secret")),
    "victim": secret_record(md5("secret"), scram=scram_keys("secret")),
    "latin": secret_record(latin),
}
d = Authd({"exemple.test": accounts}, clock=True,
          conf="default_domain = exemple.test\npassword_cache = 3\n")


def cost(*args, **facts):
    """An answer, and the milliseconds of processor that it took."""
    before = malle.cpu_of(d.process.pid)
    answer = d.plain(*args, **facts)
    return answer, 1000 * (malle.cpu_of(d.process.pid) - before)


def guess(name, password, client):
    """A login that has been judged wrong, and is not yet told so."""
    line = " auth-failed client=%s " % client
    n = d.log().count(line)
    s = d.login(initial="\0%s\0%s" % (name, password), client=client)
    malle.until(lambda: d.log().count(line) > n)
    return s


def is_answered(s):
    return bool(select.select([s.s], [], [], 0)[0])


def refused(*args):
    """How many seconds later it is told so."""
    seconds, s = 0, guess(*args)
    d.turn()
    while not is_answered(s) and seconds < 10:
        d.forward(1)
        seconds += 1
    ok(s.answer() == (NO, (BAD, "wrong name or password")),
       "a wrong password, %d s later" % seconds)
    s.close()
    return seconds


def cost_of_guess(*args):
    """The milliseconds of processor that one takes."""
    before = malle.cpu_of(d.process.pid)
    s = guess(*args)
    spent = 1000 * (malle.cpu_of(d.process.pid) - before)
    s.close()
    return spent


def hash_once():
    start = time.process_time()
    crypt.crypt("secret", yescrypt)
    return 1000 * (time.process_time() - start)


# What looking at a password costs here at least: the most of it is the hash.
hashing = min(hash_once() for _ in range(5))

# a verified password is remembered
first = cost("alice", "secret")
again = min(cost("alice", "secret")[1] for _ in range(5))
ok(first[0][0] == OK and again < hashing / 3 < first[1],
   "a remembered password costs %.2f ms instead of %.2f" % (again, first[1]))
d.forward(4)
ok(cost("alice", "secret")[1] > hashing / 3, "for a while only")

# malle-registryd is told
told = d.told()
ok(told["address"] == "alice@exemple.test" and
   abs(int(told["time"]) - time.time()) < 600 and len(told) == 2,
   "of a login")
d.plain("old", "secret")
told, better = d.told(), d.told()
ok(told == dict(address="old@exemple.test", time=told["time"]),
   "of another one, not of each one")
ok(better["address"] == "old@exemple.test" and better["old"] == md5("secret")
   and better["hash"].startswith("$y$j9T$") and
   crypt.crypt("secret", better["hash"]) == better["hash"],
   "of a better hash, with the one it replaces")
method, params, keys = better["scram"].split("$")
iterations, salt = params.split(":")
want = scram_keys("secret", int(iterations), base64.b64decode(salt))
ok(method == "SCRAM-SHA-256" and int(iterations) >= 4096 and
   [base64.b64decode(k) for k in keys.split(":")] == list(want[2:]),
   "and of SCRAM keys of the same password")
d.plain("half", "secret")
d.told()
better = d.told()
ok(better["hash"] == better["old"] == yescrypt and "scram" in better,
   "a good hash is kept, missing keys are made")
d.plain("cheap", "secret")
d.told()
ok(d.told()["hash"].startswith("$y$j9T$"), "a cheap yescrypt is made dearer")
s = d.login(initial=b"\0latin\0\xe9t\xe9")
ok(s.answer()[0] == OK, "bytes that are not UTF-8 are a password, too")
s.close()
d.told()
better = d.told()
ok("hash" in better and "scram" not in better, "but have no SCRAM keys")
refused("old", "wrong", "192.0.2.77")
d.plain("old", "secret")
d.registry.setblocking(False)
try:
    ok(False, "told again: %r" % d.told())
except BlockingIOError:
    ok(True, "no more of it for a while")
d.registry.settimeout(malle.PATIENCE)

# guesses; how much later each is answered tests/unit/test_password_throttle.c
# says to the millisecond
late = [refused("victim", word, "198.51.100.1") for word in "abc"]
ok(late == [1, 1, 2], "guesses are answered late, and later: %r" % late)
known = cost_of_guess("alice", "x", "198.51.100.2")
unknown = cost_of_guess("nobody", "x", "198.51.100.3")
ok(known > hashing / 3 and unknown > hashing / 3,
   "a password is hashed for unknown names too: %.2f and %.2f ms" %
   (known, unknown))
ok(d.plain("victim", "secret", client="203.0.113.9")[0] == OK,
   "the owner logs in")

# many at once, as a botnet does: none waits for the other
with malle.held(d.process.pid):
    logins = [d.login(initial="\0victim\0guess%d" % i,
                      client="100.64.%d.1" % i) for i in range(100)]
    owner = d.login(initial="\0alice\0secret", client="192.0.2.1")
fast = owner.answer()
owner.close()
waiting = sum(not is_answered(s) for s in logins)
ok(fast[0] == OK and waiting > 0,
   "others log in while %d wait" % waiting)
d.forward(6)
answers = [s.answer() for s in logins]
for s in logins:
    s.close()
ok(all(a[0] == NO for a in answers), "all are refused")
with malle.held(d.process.pid):
    one, other = [d.login(initial="\0victim\0more", client="100.65.0.%d" % i)
                  for i in (1, 2)]
ok(other.answer() ==
   (NO, (TEMPORARY, "too many failed attempts, please wait some minutes")),
   "then they are refused unseen")
other.close()
ok(d.plain("victim", "secret", client="203.0.113.9")[0] == OK,
   "but not the owner at a known address")
ok(scram(d, "victim", "secret", client="203.0.113.9")[0][0] == OK,
   "nor with SCRAM")
ok(scram(d, "victim", "secret", client="100.65.1.1")[0][1][0] == TEMPORARY,
   "SCRAM is counted, too")
d.forward(4)
ok(d.plain("victim", "more", client="100.65.0.3")[1][0] == TEMPORARY and
   not is_answered(one), "for four seconds")
d.forward(1)
ok(one.answer() == (NO, (BAD, "wrong name or password")) and
   refused("victim", "more", "100.65.0.4") == 5,
   "one is looked at every five seconds")
one.close()
log = d.log()
ok("auth-failed client=198.51.100.1 account=victim service=smtp "
   "mechanism=PLAIN reason=wrong-password" in log and
   "reason=too-many" in log and "reason=unknown-account" in log,
   "each failure is one line with its reason")

# fail2ban reads it, and is not led astray by a name
for name in ("a client=1.2.3.4 account=x",
             "- auth-failed client=1.2.3.4 account="):
    guess(name, "x", "198.51.100.77").close()
with open(os.path.join(os.path.dirname(os.path.abspath(__file__)),
                       "../../docs/fail2ban-malleposte.conf")) as f:
    filters = dict(l.strip().split(" = ", 1) for l in f
                   if re.match(r"(fail|ignore)regex", l))
fail = re.compile(filters["failregex"].replace("<HOST>", r"(?P<host>\S+)"))
found = [m.group("host") for m in map(fail.search, d.log().splitlines()) if m]
ok(found.count("198.51.100.77") == 2 and "1.2.3.4" not in found and
   len(found) == d.log().count(" - auth-failed "),
   "the filter for fail2ban finds every failure and its address")
ok(d.alive() and d.stop() == 0, "alive to the end")
tap.done()
