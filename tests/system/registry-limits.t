#!/usr/bin/env python3
"""Limits of a domain and of its customer, by table: refused at the limit, in a
clear sentence; counted right whatever happens (inventory 0-43, 2-09, 2-21,
4-02, 9-01)."""
import json
import os
import random
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import malle  # noqa: E402
import registryd  # noqa: E402
from malle import eq, ok  # noqa: E402

HASH = "$6$saltsalt$" + "a" * 86

# limit, what is counted, one more of it, how many are there from the beginning
ROWS = (
    ("mailboxes", "user.add", lambda n: {"address": "u%d@a.test" % n,
                                         "hash": HASH, "force": "yes"}, 1),
    ("aliases", "alias.add", lambda n: {"address": "al%d@a.test" % n,
                                        "targets": "x@out.test"}, 1),
    ("forwards", "alias.add", lambda n: {"address": "fw%d@a.test" % n,
                                         "targets": "x@out.test y@out.test"},
     0),
)


def show(r, operation, name):
    return r.ask(operation, name=name)[0][0]


def table(r, kind, name):
    for what, operation, one, there in ROWS:
        limit = {"max-" + what: str(there + 2)}
        r.ask(kind + ".set", name=name, **limit)
        eq(show(r, kind + ".show", name)["used-" + what], str(there),
           "%s of a %s: counted" % (what, kind))
        eq([r.ask(operation, **one(n))[1] for n in range(2)], ["ok", "ok"],
           "up to the limit")
        rows, verdict, text = r.ask(operation, **one(9))
        ok(verdict == "refused" and "%d of %d" % (there + 2, there + 2) in text
           and name in text, "refused at the limit, with the numbers")
        eq(r.ask(operation.replace("add", "set"),
                 **dict({"address": one(0)["address"]}, state="active"))[1],
           "ok", "a change of what is there is none more")
        r.ask(operation.replace("add", "delete"), address=one(0)["address"])
        eq(r.ask(operation, **dict(one(8)))[1], "ok", "a place is free again")
        eq(r.ask(operation, **dict(one(9)))[1], "refused", "one")
        r.ask(kind + ".set", name=name, **{"max-" + what: "1"})
        eq(show(r, kind + ".show", name)["used-" + what], str(there + 2),
           "what is above a lower limit stays")
        r.ask(kind + ".set", name=name, **{"max-" + what: "0"})
        eq(r.ask(operation, **one(9))[1], "ok", "0 is no limit")
        r.ask(kind + ".set", name=name, **{"max-" + what: "1"})
        r.ask(kind + ".set", name=name, **{"max-" + what: ""})
        eq(r.ask(operation, **one(7))[1], "ok", "nor is none")
        for n in (1, 7, 8, 9):
            r.ask(operation.replace("add", "delete"),
                  address=one(n)["address"])


def renamed(r):
    """A mailbox with another name is none more, its old name is an alias."""
    r.ask("user.add", address="old@a.test", hash=HASH, quota_bytes="1G")
    r.ask("user.add", address="more@a.test", hash=HASH, quota_bytes="1G")
    r.ask("domain.set", name="a.test", max_mailboxes="2")
    got = r.ask("user.rename", address="old@a.test", to="new")
    eq(got[1], "ok", "above a lower limit a mailbox is renamed: " + got[2])
    aliases = show(r, "domain.show", "a.test")["used-aliases"]
    r.ask("domain.set", name="a.test", max_aliases=aliases)
    got = r.ask("user.rename", address="more@a.test", to="less")
    ok(got[1] == "refused" and "alias" in got[2],
       "but for the alias it needs room: " + got[2])
    r.ask("domain.set", name="a.test", max_aliases="", max_mailboxes="")
    for name in ("new", "more"):
        r.ask("user.delete", address=name + "@a.test", force="yes")
    r.ask("alias.delete", address="old@a.test", force="yes")


def quota(r, name):
    return int(r.ask("user.show", address=name)[0][0]["quota-bytes"])


def used(r, kind, name):
    row = show(r, kind + ".show", name)
    return int(row["used-bytes"]), int(row["used-without-quota"])


def storage(r):
    small = 100 << 20
    r.ask("domain.set", name="a.test", max_bytes="10G", default_quota="4G")
    eq(quota(r, "postmaster@a.test"), small,
       "1.8: what a domain must have gets a little of its storage")
    rows = r.ask("user.add", address="q1@a.test", hash=HASH)[0]
    eq(rows[0]["quota-bytes"], str(4 << 30), "the domain's default quota")
    eq(r.ask("user.add", address="q2@a.test", hash=HASH,
             quota_bytes=str((6 << 30) - small))[1],
       "ok", "the quotas add up to the limit")
    eq(used(r, "domain", "a.test"), (10 << 30, 0), "exactly")
    eq(r.ask("user.add", address="q3@a.test", hash=HASH, quota_bytes="1")[1],
       "refused", "not above it")
    eq(r.ask("user.set", address="q1@a.test", quota_bytes="5G")[1], "refused",
       "nor by a change")
    for how in ({"address": "q3@a.test", "hash": HASH, "quota_bytes": "0"},
                {"address": "q1@a.test", "quota_bytes": "0"}):
        operation = "user.add" if "hash" in how else "user.set"
        rows, verdict, text = r.ask(operation, **how)
        ok(verdict == "refused" and "default-quota" in text,
           "1.8: none without a quota by " + operation)
    eq(r.ask("domain.set", name="a.test", default_quota="")[1], "ok",
       "without a default")
    eq(r.ask("user.add", address="q3@a.test", hash=HASH)[1], "refused",
       "1.8: a quota must be said")
    eq(r.ask("user.set", address="q1@a.test", quota_bytes="3G")[1], "ok",
       "a smaller one makes room")
    eq(show(r, "domain.show", "a.test")["used-bytes"], str(9 << 30), "counted")
    eq(r.ask("domain.set", name="a.test", max_bytes="8G")[1], "refused",
       "1.8: a limit below the quotas is refused")
    eq(r.ask("domain.set", name="a.test", max_bytes="9G")[1], "ok",
       "1.8: down to them it may be")
    eq(r.ask("user.add", address="q9@a.test", hash=HASH,
             quota_bytes="9000G")[1], "invalid", "a quota beyond all sense")


def storage_later(r):
    """A limit that is set when mailboxes are there."""
    r.ask("domain.add", name="s.test")
    for name in ("u1", "u2"):
        r.ask("user.add", address=name + "@s.test", hash=HASH)
    eq(used(r, "domain", "s.test"), (0, 3), "1.8: three without a quota")
    rows, verdict, text = r.ask("domain.set", name="s.test", max_bytes="1G")
    ok(verdict == "refused" and "2 would have none" in text,
       "1.8: a limit waits for quotas: " + text)
    eq(quota(r, "postmaster@s.test"), 0, "and changes nothing")
    eq(r.ask("domain.set", name="s.test", max_bytes="1G",
             default_quota="900M")[1], "refused", "1.8: that do not fit")
    eq(r.ask("domain.set", name="s.test", max_bytes="1G",
             default_quota="400M")[1], "ok", "1.8: that fit")
    eq([quota(r, n + "@s.test") for n in ("u1", "u2", "postmaster")],
       [400 << 20, 400 << 20, 100 << 20], "1.8: each has one now")
    last = r.ask("journal")[0][-1]
    eq(r.ask("undo", id=last["id"])[1], "ok", "1.8: undone")
    eq(used(r, "domain", "s.test"), (0, 3), "1.8: all of it")
    eq(r.ask("undo", id=r.ask("journal")[0][-1]["id"])[1], "ok",
       "1.8: and done again")
    eq(used(r, "domain", "s.test"), (900 << 20, 0), "1.8: all of it")

    # of a customer: the sum over its domains
    r.ask("client.add", name="store")
    r.ask("domain.set", name="s.test", client="store")
    r.ask("domain.add", name="s2.test", client="store")
    eq(used(r, "client", "store"), (900 << 20, 1), "1.8: of both domains")
    rows, verdict, text = r.ask("client.set", name="store", max_bytes="2G")
    ok(verdict == "refused" and "1 would have none" in text,
       "1.8: a customer's limit waits for quotas too")
    r.ask("user.set", address="postmaster@s2.test", quota_bytes="24M")
    eq(r.ask("client.set", name="store", max_bytes="900M")[1], "refused",
       "1.8: nor below the sum")
    eq(r.ask("client.set", name="store", max_bytes="1G")[1], "ok",
       "1.8: the sum fits")
    eq(r.ask("user.add", address="u@s2.test", hash=HASH)[1], "refused",
       "1.8: no quota, no mailbox in any of its domains")
    eq(r.ask("user.add", address="u@s2.test", hash=HASH,
             quota_bytes="101M")[1], "refused", "1.8: nor above the sum")
    eq(r.ask("user.add", address="u@s2.test", hash=HASH,
             quota_bytes="100M")[1], "ok", "1.8: up to it")
    r.ask("domain.add", name="s3.test")
    eq(r.ask("domain.set", name="s3.test", client="store")[1], "refused",
       "1.8: a domain with mailboxes without quota does not come to it")
    eq(r.ask("domain.add", name="s4.test", client="store")[1], "refused",
       "1.8: nor a new one when all is given away")
    rows, verdict, text = r.ask("user.add", address="v@s2.test", hash=HASH,
                                language_of_answer="fr")
    ok(verdict == "refused" and "chaque boîte doit avoir un quota" in text,
       "1.8: in French")
    for name in ("s.test", "s2.test", "s3.test"):
        r.ask("domain.delete", name=name, all="yes")


def customers(r):
    r.ask("client.set", name="acme", max_domains="2")
    eq(r.ask("domain.add", name="b.test", client="acme")[1], "ok",
       "a second domain")
    rows, verdict, text = r.ask("domain.add", name="c.test", client="acme")
    ok(verdict == "refused" and "2 of 2 domains" in text, "no third")
    r.ask("domain.add", name="c.test")
    eq(r.ask("domain.set", name="c.test", client="acme")[1], "refused",
       "nor by a change of owner")
    r.ask("client.add", name="other", max_mailboxes="2")
    r.ask("user.add", address="x@b.test", hash=HASH)
    eq(r.ask("domain.set", name="b.test", client="other")[1], "ok",
       "a domain changes its owner with what it has")
    eq([show(r, "client.show", c)["used-mailboxes"] for c in
        ("acme", "other")], ["3", "2"], "and both are counted anew")
    eq(r.ask("domain.set", name="a.test", client="other")[1], "refused",
       "not above the new owner's limits")
    eq(r.ask("user.add", address="y@b.test", hash=HASH)[1], "refused",
       "the customer's limit holds where the domain has none")
    r.ask("domain.delete", name="b.test", all="yes")
    eq(show(r, "client.show", "other")["used-mailboxes"], "0",
       "all gone with the domain")
    ids = [x["id"] for x in r.ask("journal")[0]]
    eq(r.ask("undo", id=ids[-1])[1], "ok", "and back")
    eq(show(r, "client.show", "other")["used-mailboxes"], "2", "with it")
    r.ask("user.delete", address="x@b.test")
    ids = [x["id"] for x in r.ask("journal")[0]]
    r.ask("user.add", address="z@b.test", hash=HASH)
    eq(r.ask("undo", id=ids[-1])[1], "refused",
       "an undo obeys the limits too")


def at_random(r):
    rng = random.Random(7)
    for _ in range(300):
        n, d = rng.randrange(8), rng.choice("abc")
        address = "r%d@%s.test" % (n, d)
        what = rng.randrange(7)
        if what == 0:
            r.ask("user.add", address=address, hash=HASH, force="yes",
                  quota_bytes="%dM" % rng.randrange(5))
        elif what == 1:
            r.ask("user.delete", address=address)
        elif what == 2:
            r.ask("alias.add", address=address, force="yes",
                  targets=" ".join("x%d@o.test" % i
                                   for i in range(rng.randrange(1, 3))))
        elif what == 3:
            r.ask("alias.set", address=address, force="yes",
                  targets="x@o.test y@o.test")
        elif what == 4:
            r.ask("alias.delete", address=address)
        elif what == 5:
            r.ask("domain.set", name=d + ".test",
                  client=rng.choice(["", "acme", "other"]))
        else:
            r.ask("undo", id=str(rng.randrange(1, 400)))
    eq(r.ask("check")[0], [], "after 300 changes at random all is counted")


with registryd.Registry() as r:
    r.ask("client.add", name="acme")
    r.ask("domain.add", name="a.test", client="acme")
    table(r, "domain", "a.test")
    table(r, "client", "acme")
    renamed(r)
    storage(r)
    storage_later(r)
    customers(r)
    rows = [json.loads(line) for line in
            r.malle("client", "list", "--json").stdout.splitlines()]
    eq([(x["name"], x["used-domains"], x["max-domains"]) for x in rows
        if x["name"] == "acme"], [("acme", "1", "2")], "in JSON")
    p = r.malle("client", "list")
    ok("\t1/2\t3/-\t" in p.stdout, "and as 1/2 in a list")
    p = r.malle("domain", "add", "d.test", "--client", "other")
    ok(p.returncode == 77 and "2 of 2 mailboxes" in p.stderr,
       "the exit status of a refusal")
    p = r.malle("domain", "add", "d.test", "--client", "other", lang="fr_FR")
    ok("2 sur 2 boîtes" in p.stderr, "in French")
    r.ask("client.set", name="other", max_mailboxes="")
    at_random(r)
    r.restart()
    eq(r.ask("check")[0], [], "and after a restart")
    eq(r.violations(), [], "without leaving its role")
malle.done()
