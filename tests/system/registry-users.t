#!/usr/bin/env python3
"""Mailboxes: proposed from a name (3-07, 3-12), deleted with a redirect (2-22,
9-03), restored."""
import os
import re
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import malle  # noqa: E402
import registryd  # noqa: E402
from malle import eq, ok  # noqa: E402

HASH = "$6$saltsalt$" + "a" * 86


def propose(r, first, last, domain="a.test"):
    rows, verdict, _ = r.ask("user.propose", name=domain, first=first,
                             last=last)
    return rows[0]["name"] if verdict == "ok" else verdict


def proposals(r):
    eq(propose(r, "Pierre", "Martin"), "pmartin@a.test", "first and last name")
    r.ask("user.add", address="pmartin@a.test", hash=HASH)
    eq(propose(r, "Paul", "MARTIN"), "pmartin2@a.test", "a namesake")
    r.ask("alias.add", address="pmartin2@a.test", targets="pmartin")
    eq(propose(r, "Paul", "MARTIN"), "pmartin3@a.test", "an alias counts")
    r.ask("user.add", address="pmartin3@a.test", hash=HASH)
    r.ask("user.delete", address="pmartin3@a.test")
    eq(propose(r, "Paul", "MARTIN"), "pmartin4@a.test",
       "and so does a reserved name")
    eq(propose(r, "Paul", "Martin", "alias.test"), "pmartin4@a.test",
       "at the main domain")
    eq(propose(r, "Paul", "Martin", "none.test"), "not-found", "no domain")
    eq(propose(r, "Иван", "Петров"), "invalid", "no Latin letters")
    p = r.malle("user", "propose", "--first", "Élise", "--last", "D'Aubigné",
                "--domain", "a.test")
    eq(p.stdout, "edaubigne@a.test\n", "by command")
    eq(r.ask("user.list", domain="a.test")[0][0]["name"], "pmartin@a.test",
       "nothing is made")


def deletions(r):
    secret = r.secrets("a.test")["pmartin"]
    r.ask("user.add", address="boss@a.test", hash=HASH)
    eq(r.ask("user.delete", address="pmartin@a.test",
             redirect="nobody")[1], "invalid", "no redirect to nobody")
    ok("pmartin" in r.addresses("a.test"), "then nothing is deleted")
    eq(r.ask("user.delete", address="pmartin@a.test",
             redirect="pmartin")[1], "invalid", "nor to itself")
    p = r.malle("user", "delete", "pmartin@a.test", "--redirect",
                "boss@a.test")
    eq(p.returncode, 0, "a deletion with a redirect")
    rows = r.ask("alias.show", address="pmartin@a.test")[0]
    eq(rows[0]["targets"], "boss@a.test", "mail goes on at once")
    ok("pmartin" not in r.secrets("a.test"), "nobody logs in there")
    p = r.malle("user", "restore", "pmartin@a.test")
    eq(p.returncode, 0, "brought back")
    eq(r.secrets("a.test")["pmartin"], secret, "with its password")
    eq(r.ask("alias.show", address="pmartin@a.test")[1], "not-found",
       "the redirect is over")
    eq(r.ask("user.restore", address="pmartin@a.test")[1], "not-found",
       "only what was deleted")
    r.ask("user.delete", address="pmartin@a.test", force="yes")
    r.ask("domain.set", name="a.test", max_mailboxes="1")
    eq(r.ask("user.restore", address="pmartin@a.test")[1], "refused",
       "not above a limit")
    r.ask("domain.set", name="a.test", max_mailboxes="")
    r.ask("alias.add", address="pmartin@a.test", targets="boss")
    eq(r.ask("user.restore", address="pmartin@a.test")[1], "exists",
       "not where somebody else has the name")
    r.ask("alias.delete", address="pmartin@a.test", force="yes")
    dump = r.malle("dump").stdout
    old = re.sub("date=20..", "date=2020", dump)
    with registryd.Registry() as other:
        eq(other.malle("load", input=dump).returncode, 0, "in another place")
        eq(other.ask("user.restore", address="pmartin@a.test")[1],
           "not-found", "the journal does not know it")
    with registryd.Registry() as other:
        other.malle("load", input=old)
        ok("30 days" in other.ask("user.restore",
                                  address="pmartin@a.test")[2],
           "30 days at most")
    eq(r.ask("user.restore", address="pmartin@a.test")[1], "ok", "here it can")


with registryd.Registry() as r:
    r.ask("domain.add", name="a.test")
    r.ask("domain.add", name="alias.test", alias_of="a.test")
    proposals(r)
    deletions(r)
    eq(r.ask("check")[0], [], "all is counted")
    eq(r.violations(), [], "without leaving its role")
malle.done()
