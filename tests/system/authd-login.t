#!/usr/bin/env python3
"""authd-login.t - what malle-authd says to whom: PLAIN, accounts, services."""

import os
import socket
import time
import warnings

warnings.simplefilter("ignore")
import crypt
import sys
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from authd import *

tap = Tap()
ok = tap.ok
NOBODY = (NO, (BAD, "wrong name or password"))
yescrypt = crypt.crypt("secret", "$y$j9T$abcdefghijklmnopqrstu0")
accounts = {
    "alice": secret_record(yescrypt, scram=scram_keys("secret")),
    "bob": secret_record(md5("pw"), uid=70001),
    "robert": secret_record(md5("pw"), uid=70001, folder="bob"),
    "climber": secret_record(md5("pw"), folder="../bob"),
    "sha": secret_record(crypt.crypt("pw", "$6$saltsalt")),
    "bcrypt": secret_record(crypt.crypt("pw", "$2y$04$" + "a" * 22)),
    # so much memory that huge pages are tried first, and mostly not to be had
    "large": secret_record(crypt.crypt("pw", "$y$jAT$abcdefghijklmnopqrstu0")),
    "empty": secret_record(""),
    "star": secret_record("*"),
    "locked": secret_record("!" + md5("pw")),
    "damaged": secret_record(md5("pw")[:-1]),
    "des": secret_record(crypt.crypt("pw", "ab")),
    "suspended": secret_record(md5("pw"), state=1),
    "disabled": secret_record(md5("pw"), state=2),
    "nopop": secret_record(md5("pw"), pop3=0),
    "nosmtp": secret_record(md5("pw"), smtp=0),
    "broken": b"\1garbage",
    "odd": secret_record(md5("a\"b=c d")),
}
d = Authd({"exemple.test": accounts, "domains": {"alice": accounts["alice"]}},
          aliases={"exemple.test": "exemple.test",
                   "alias.test": "exemple.test"},
          conf="default_domain = exemple.test\n")
client = [0]


def plain(name, password, **facts):
    """From a new address each time: the throttle has its own test."""
    client[0] += 1
    return d.plain(name, password,
                   client="10.0.%d.%d" % divmod(client[0], 250), **facts)


def taken(name, password, leftover=b"", **facts):
    """A POP3 login: what malle-spawn gets, as a list."""
    a, b = socket.socketpair()
    s = d.login(service=POP3, client="10.1.0.1", fd=b.fileno(),
                initial="\0%s\0%s" % (name, password), leftover=leftover,
                **facts)
    b.close()
    data, fds, _, _ = socket.recv_fds(d.spawn, 65536, 8)
    domain, rest = take(data[2:])
    uid, = struct.unpack_from("<I", rest)
    mailbox, rest = take(rest[4:])
    folder, rest = take(rest)
    session, rest = take(rest)
    ip, rest = take(rest)
    utf8 = rest[0]
    left, rest = take(rest[1:])
    assert rest == b"" and len(fds) == 2
    # the first is the client, the second this login's connection
    os.write(fds[0], b"hello client")
    said = a.recv(100)
    os.write(fds[1], struct.pack("<H", TAKEN))
    answer = s.answer()
    for fd in fds:
        os.close(fd)
    closed = a.recv(1) == b"" and s.answer() == (None, None)
    return [domain, uid, mailbox, folder, session, ip, utf8, left, said, answer,
            closed]


# names
for name in ("alice@exemple.test", "Alice@Exemple.TEST", "alice",
             "alice@alias.test"):
    ok(plain(name, "secret") == (OK, b"alice@exemple.test"), "name " + name)
for name in ("alice@other.test", "alice@domains", "alicf", "alice@", "@", "a/b",
             "../alice", "alice@../exemple.test", "alice@exemple.test@",
             "alice+x@exemple.test", "x" * 400, "a@" + "b" * 300 + ".test"):
    ok(plain(name, "secret") == NOBODY, "no such name " + name[:40])

# hashes
for name in ("bob", "sha", "bcrypt", "large", "des"):
    ok(plain(name, "pw") == (OK, name.encode() + b"@exemple.test"),
       "right password of " + name)
    ok(plain(name, "pW") == NOBODY, "wrong password of " + name)
for name in ("empty", "star", "locked", "damaged"):
    ok(plain(name, "pw") == NOBODY, "no password opens " + name)
ok(plain("empty", "*") == NOBODY and plain("star", "*") == NOBODY,
   "nor does the text of a locked hash")
ok(plain("broken", "pw") == (NO, (TEMPORARY, "the password cannot be checked "
                                  "now, please try again later")),
   "a damaged record is a temporary failure")
ok(plain("alice", "secret") == (OK, b"alice@exemple.test"),
   "and the others go on")

# messages (RFC 4616)
for message, text in ((b"", "empty"), (b"a", "one part"), (b"a\0b", "two"),
                      (b"\0\0pw", "no name"), (b"\0bob\0", "no password"),
                      (b"\0bob\0pw\0", "a fourth part"),
                      (b"\0b\xe9b\0pw", "not UTF-8"),
                      (b"\0bob\0" + b"x" * 600, "an endless password")):
    s = d.login(initial=message)
    ok(s.answer() == (NO, (SYNTAX, "not a message of this mechanism")),
       "syntax: " + text)
    s.close()
for authzid in ("bob", "bob@exemple.test", "bob@alias.test"):
    ok(plain("bob", "pw", authzid=authzid)[0] == OK, "authzid " + authzid)
ok(plain("bob", "pw", authzid="alice") == NOBODY, "as somebody else")
ok(plain("ghost", "pw", authzid="Ghost@alias.test") == NOBODY and
   "account=ghost service=smtp mechanism=PLAIN reason=unknown-account" in
   d.log(), "who does not exist is himself, too: it counts as any guess")
s = d.login()
ok(s.answer() == (CONTINUE, b"") and
   s.respond(b"\0bob\0pw") == (OK, b"bob@exemple.test"),
   "without an initial response")
s.close()
s = d.login(mechanism="CRAM-MD5", initial="")
ok(s.answer()[1][0] == NO_MECHANISM, "an unknown mechanism")
s.close()

# rights, never told apart
for name in ("suspended", "disabled", "nosmtp"):
    ok(plain(name, "pw") == NOBODY, name + " may not send")
ok(plain("nopop", "pw")[0] == OK, "nopop may send")
a, b = socket.socketpair()
for name in ("suspended", "disabled", "nopop"):
    ok(plain(name, "pw", service=POP3, fd=b.fileno()) == NOBODY,
       name + " may not read")

# in the clear
ok(plain("bob", "pw", tls=False)[1][0] == NO_MECHANISM,
   "no password without TLS")

# POP3
ok(taken("bob@alias.test", "pw", leftover=b"STAT\r\n", utf8=True) ==
   [b"exemple.test", 70001, b"bob", b"bob", b"s1", b"10.1.0.1", 1,
    b"STAT\r\n", b"hello client", (TAKEN, b""), True],
   "POP3: malle-spawn gets the client, the login's connection and the facts")
ok(taken("robert", "pw")[2:4] == [b"robert", b"bob"],
   "4-54: a mailbox that was renamed is opened where it was")
ok(plain("climber", "pw")[1][0] == TEMPORARY,
   "a folder that is no name is a damaged record")
ok(plain("bob", "pw", service=POP3) == (None, None),
   "POP3 without a client is no login")

# changes
accounts["bob"] = secret_record(md5("new"))
d.table("exemple.test", accounts)
ok(plain("bob", "pw") == NOBODY, "a changed password is void at once")
ok(plain("bob", "new")[0] == OK, "the new one is good at once")
accounts["bob"] = secret_record(md5("new"), state=2)
d.table("exemple.test", accounts)
ok(plain("bob", "new") == NOBODY, "a disabled account is at once")
os.unlink(os.path.join(d.auth, "exemple.test.cdb"))
ok(plain("alice", "secret") == NOBODY, "a deleted domain is, too")
d.table("exemple.test", accounts)
ok(plain("alice", "secret")[0] == OK, "and can come back")
d.table("new.test", {"carol": secret_record(md5("pw"))})
ok(plain("carol@new.test", "pw") == (OK, b"carol@new.test"),
   "a new domain is there at once")
for i in range(40):
    d.table("d%d.test" % i, {"x": secret_record(md5("pw"))})
ok(all(plain("x@d%d.test" % i, "pw")[0] == OK for i in range(40)) and
   plain("alice", "secret")[0] == OK, "more domains than are kept open")

# the log
plain("o\"d=d \nauth-failed client=1.2.3.4", "x")
plain("odd", "a\"b=c d")
log = d.log()
ok("\nauth-failed" not in log and
   "client=10.0.0.%d " % client[0] not in log.split("auth-failed")[0],
   "no name forges a line")
ok("secret" not in log and "$1$" not in log and "a\\\"b=c" not in log and
   " pw" not in log, "no password and no hash in the log")
ok(d.alive() and d.stop() == 0, "it ends when it is told to")
tap.done()
