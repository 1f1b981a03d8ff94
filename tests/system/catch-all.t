#!/usr/bin/env python3
"""catch-all - mail that came by a catch-all alone is known as such (inventory 0-41), in the running service."""
import os
import smtplib
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import malle
from malle import eq, ok, until

BOB, EVE = "bob@exemple.test", "eve@exemple.test"


def send(m, subject, *to):
    with smtplib.SMTP("127.0.0.1", m.ports["smtp"], "client.test", timeout=malle.PATIENCE) as s:
        s.sendmail("zoe@free.test", list(to), "Subject: %s\r\n\r\nx\r\n" % subject)


def names(m, address):
    """{subject: the name of its file}"""
    found = {}
    for path in m.messages(address):
        with open(path, "rb") as f:
            text = f.read().decode()
        found[text.split("Subject: ")[1].split("\n")[0]] = os.path.basename(path)
    return found


def test_marks(m):
    """What tells in the name of a file that nobody was addressed."""
    rows = [
        ("nobody", True, ["nobody@exemple.test"], "to a name that does not exist"),
        ("other", True, ["Nobody+x@alias.test"], "by another name of the domain"),
        ("two", True, ["n1@exemple.test", "n2@exemple.test"], "to two of them"),
        ("chain", True, ["nobody@chaine.test"], "by two catch-alls"),
        ("own", False, [BOB], "to the mailbox itself"),
        ("detail", False, ["bob+x@exemple.test"], "to its sub-address"),
        ("named", False, ["info@exemple.test"], "to its alias"),
        ("first", False, [BOB, "nobody@exemple.test"], "to both"),
        ("then", False, ["nobody@exemple.test", "info@exemple.test"], "to both, the other way round"),
        ("same", False, ["bob@chaine.test"], "to the same name, in a domain that sends all its names here"),
    ]
    for subject, want, to, text in rows:
        send(m, subject, *to)
    ok(until(lambda: len(names(m, BOB)) == len(rows)), "all are there")
    got = names(m, BOB)
    for subject, want, to, text in rows:
        eq(got[subject].endswith(",C=1"), want, "%s: %s" % (text, got[subject]))


def test_restart(m):
    """What malle-queued had in mind only would be lost."""
    new = os.path.join(m.maildir(BOB), "new")
    os.rename(new, new + ".away")
    with open(new, "w"):
        pass
    send(m, "late", "nobody@exemple.test")
    ok(until(lambda: " deferred " in m.log()), "a delivery that must wait")
    m.kill("malle-queued")
    os.unlink(new)
    os.rename(new + ".away", new)
    m.malle("queue", "retry", m.malle("queue", "list").stdout.split()[0])
    ok(until(lambda: "late" in names(m, BOB)), "is done by the next malle-queued")
    ok(names(m, BOB)["late"].endswith(",C=1"), "and marked by it: " + names(m, BOB)["late"])


with malle.Instance({}) as m:
    m.domain("exemple.test")
    m.malle("domain", "add", "alias.test", "--alias-of", "exemple.test")
    m.domain("chaine.test")
    m.user(BOB)
    m.user(EVE)
    m.malle("alias", "add", "info@exemple.test", BOB)
    m.malle("domain", "set", "exemple.test", "catch-all=" + BOB)
    m.malle("domain", "set", "chaine.test", "catch-all=@exemple.test")
    test_marks(m)
    test_restart(m)
    eq(m.violations(), [], "no call outside a role")
malle.done()
