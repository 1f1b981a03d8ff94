#!/usr/bin/env python3
"""authd-scram.t - SCRAM-SHA-256 and -PLUS against a client of another kind."""

import os
import sys
import warnings

warnings.simplefilter("ignore")
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from authd import *

tap = Tap()
ok = tap.ok
accounts = {
    "alice": secret_record(md5("secret"), scram=scram_keys("secret")),
    "plain": secret_record(md5("secret")),
    "off": secret_record(md5("secret"), state=2, scram=scram_keys("secret")),
}
d = Authd({"exemple.test": accounts}, conf="default_domain = exemple.test\n")
GOOD = ((OK, b"alice@exemple.test"), True)
BADLY = ((NO, (BAD, "wrong name or password")), False)
E, P = b"e" * 32, b"certificate hash"
client = [0]


def run(name="alice", password="secret", **facts):
    client[0] += 1
    return scram(d, name, password, client="10.0.0.%d" % client[0], **facts)


ok(run() == GOOD, "SCRAM-SHA-256, and the server proves itself")
ok(run(name="Alice@Exemple.TEST") == GOOD, "any spelling of the name")
ok(run(password="Secret") == BADLY, "a wrong password")
ok(run(name="nobody") == BADLY, "nobody")
ok(run(name="plain") == BADLY, "an account without SCRAM keys")
ok(run(name="off")[0] == BADLY[0], "a disabled account")
ok(run(authzid="a=alice@exemple.test") == GOOD, "authzid: oneself")
ok(run(authzid="a=plain") == BADLY, "authzid: somebody else")

plus = dict(mechanism="SCRAM-SHA-256-PLUS", exporter=E, endpoint=P)
ok(run(flag="p=tls-exporter", binding=E, **plus) == GOOD, "tls-exporter")
ok(run(flag="p=tls-server-end-point", binding=P, **plus) == GOOD,
   "tls-server-end-point")
ok(run(flag="p=tls-exporter", binding=b"f" * 32, **plus) == BADLY,
   "somebody between: another exporter")
ok(run(flag="p=tls-exporter", binding=P, **plus) == BADLY,
   "the other binding's bytes")
ok(run(flag="p=tls-unique", binding=E, **plus) == BADLY, "unknown binding")
ok(run(flag="p=tls-exporter", binding=b"",
       mechanism="SCRAM-SHA-256-PLUS") == BADLY, "no binding on our side")
ok(run(flag="n", **plus)[0][1][0] == SYNTAX, "-PLUS without a binding")
ok(run(flag="y", exporter=E, endpoint=P) == BADLY,
   "a downgrade: the client has not seen our offer")
ok(run(flag="y") == GOOD, "no offer, no downgrade")
ok(run(flag="n", exporter=E, endpoint=P) == GOOD, "a client without bindings")

ok(run(tamper=lambda m: m.replace("c=biws", "c=eSws")) == BADLY,
   "the header is signed")
ok(run(tamper=lambda m: m[:-1] + ("y" if m[-1] == "x" else "x")) == BADLY,
   "our nonce must come back")

# nobody's salt looks like anybody's
def salt(name):
    s = d.login(mechanism="SCRAM-SHA-256", initial="n,,n=%s,r=abc" % name)
    kind, value = s.answer()
    s.close()
    parts = dict(p.split("=", 1) for p in value.decode().split(","))
    return parts["s"], parts["i"], parts["r"]


one, other = salt("nobody"), salt("NOBODY@exemple.test")
ok(one[:2] == other[:2], "an unknown name has always the same salt")
ok(one[2] != other[2], "and another nonce each time")
ok(salt("nobodx")[0] != one[0], "another name has another salt")
ok(len(one[0]) == len(salt("alice")[0]), "as long as a real one")
before = salt("nobody")[0]
d.stop()
d.start()
ok(salt("nobody")[0] == before, "the same after a restart")

s = d.login(mechanism="SCRAM-SHA-256",
            initial="n,a=NOBODY@exemple.test,n=nobody,r=abc")
ok(s.answer()[0] == CONTINUE, "an unknown name is itself in any spelling")
s.close()

# the order of messages
s = d.login(mechanism="SCRAM-SHA-256")
ok(s.answer() == (CONTINUE, b""), "without an initial response")
ok(s.respond("n,,n=alice,r=abc")[0] == CONTINUE, "then client-first")
ok(s.respond("n,,n=alice,r=abc")[1][0] == SYNTAX, "client-first twice")
s.close()
s = d.login(mechanism="SCRAM-SHA-256", initial="")
ok(s.answer()[1][0] == SYNTAX, "an empty client-first")
s.close()
ok(d.alive() and d.stop() == 0, "alive to the end")
tap.done()
