#!/usr/bin/env python3
"""catch-all - mail that came by a catch-all alone is known as such (inventory 0-41), in the running service."""
import os
import poplib
import smtplib
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import malle
from malle import eq, ok, until

BOB, EVE, ZOE, CAROL = "bob@exemple.test", "eve@exemple.test", "zoe@exemple.test", "carol@autre.test"


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


def test_pop3(m):
    """The mark is no part of what others know a message by."""
    m.malle("user", "set", EVE, "quota-messages=9")
    m.malle("domain", "set", "chaine.test", "catch-all=" + EVE)
    for subject in ("fetched", "left"):
        send(m, subject, "nobody@chaine.test")
    ok(until(lambda: len(names(m, EVE)) == 2), "two strays in a mailbox with a quota")
    name = names(m, EVE)["fetched"]
    s = poplib.POP3("127.0.0.1", m.ports["pop3"], timeout=malle.PATIENCE)
    s.user(EVE)
    s.pass_(m.passwords[EVE])
    uids = {u.split()[1].decode(): int(u.split()[0]) for u in s.uidl()[1]}
    n = uids[name.split(",")[0]]
    ok(name.endswith(",C=1"), "its UID is the name up to the sizes: " + name)
    ok(b"Subject: fetched" in s.retr(n)[1], "it is fetched")
    s.dele(n)
    s.quit()
    eq(list(names(m, EVE)), ["left"], "and deleted")
    with open(os.path.join(m.maildir(EVE), "maildirsize")) as f:
        eq(sum(int(l.split()[1]) for l in f.readlines()[1:]), 1, "and the quota knows")
    os.unlink(m.messages(EVE)[0])
    m.malle("domain", "set", "chaine.test", "catch-all=@exemple.test")


def keeps(m):
    """Whether POP3 promises before and after the login that mail stays (RFC 2449 6.7)."""
    s = poplib.POP3("127.0.0.1", m.ports["pop3"], timeout=malle.PATIENCE)
    said = ["EXPIRE" in s.capa()]
    s.user(BOB)
    s.pass_(m.passwords[BOB])
    said.append("EXPIRE" in s.capa())
    s.quit()
    return said


def test_restart(m):
    """What malle-queued had in mind only would be lost."""
    new = os.path.join(m.maildir(BOB), "new")
    os.rename(new, new + ".away")
    with open(new, "w"):
        pass
    send(m, "late", "nobody@exemple.test")
    ok(until(lambda: " deferred " in m.log()), "a delivery that must wait")
    m.kill("malle-queued")
    id = m.malle("queue", "list").stdout.split()[0]
    os.unlink(new)
    os.rename(new + ".away", new)
    # It may try by itself: that the first one has failed may not have been noted.
    m.malle("queue", "retry", id, check=False)
    ok(until(lambda: "late" in names(m, BOB)), "is done by the next malle-queued")
    ok(names(m, BOB)["late"].endswith(",C=1"), "and marked by it: " + names(m, BOB)["late"])


def reload(m):
    """Returns when another malle-pop3d has the settings, too."""
    old = m.pid("malle-pop3d")
    m.reload()
    until(lambda: m.pid("malle-pop3d") not in (None, old))


def letters(m, address):
    return [p for p in m.messages(address) if ".catchall." in p]


def test_rounds(m):
    """malle-registryd has the mailboxes looked at that are catch-alls now."""
    rows = [("exemple.test", EVE, EVE), ("exemple.test", BOB, BOB), ("autre.test", CAROL, CAROL),
            ("chaine.test", "zoe@alias.test", ZOE)]
    for domain, to, address in rows:
        m.malle("domain", "set", domain, "catch-all=" + to)
        n = len(m.messages(address))
        send(m, "stray", "nobody@" + domain)
        ok(until(lambda: len(m.messages(address)) > n), "%s gets the mail of nobody in %s" % (address, domain))
    m.malle("user", "set", CAROL, "state=suspended")
    eq([a for a in (BOB, EVE, ZOE, CAROL) if letters(m, a)], [], "nobody is told by default")
    newest = max(os.stat(p).st_ctime for a in (BOB, EVE, ZOE, CAROL) for p in m.messages(a))
    until(lambda: time.time() > int(newest) + 1.1)  # and its coarse clock, too
    reload(m)
    ok(until(lambda: m.log().count(" reload administrators=") == 1), "0: the registry has looked at its settings")
    eq(keeps(m), [True, True], "mail stays until it is deleted by POP3, and POP3 says so")
    m.write_conf(catch_all_days="3")
    reload(m)
    ok(until(lambda: "removed when it is 3 days old, a week after a notice" in
             m.malle("domain", "set", "exemple.test", "catch-all=" + BOB).stderr), "who sets one is told so")
    ok(until(lambda: keeps(m) == [False, False]), "POP3 promises nothing any more")
    # Somewhere else nothing is removed, and nobody is told that it is.
    for to in ("x@ailleurs.test", "@ailleurs.test", "info@exemple.test"):
        told = m.malle("domain", "set", "chaine.test", "catch-all=" + to).stderr
        ok("spam" in told and "removed" not in told, "not who lets it go to " + to)
    m.malle("domain", "set", "chaine.test", "catch-all=@exemple.test")
    # The domains have their turns by their names.
    ok(until(lambda: letters(m, BOB)), "whose mailbox is a catch-all is told")
    eq(len(letters(m, ZOE)), 1, "by another name of the domain too, and once")
    eq(letters(m, CAROL), [], "not who cannot read it")
    eq(letters(m, EVE), [], "nor whose mailbox is none any more")
    eq([l for l in m.log().splitlines() if "catch-all-failed" in l or " asker " in l], [], "0 asks for nothing")
    ok(until(lambda: "catch-all-notice mailbox=%s messages=6 days=3" % BOB in m.log()), "0-41: of six messages")


with malle.Instance({"auth_clear_on_loopback": "yes"}) as m:
    m.domain("exemple.test")
    m.malle("domain", "add", "alias.test", "--alias-of", "exemple.test")
    m.domain("chaine.test")
    m.user(BOB)
    m.user(EVE)
    m.user(ZOE)
    m.domain("autre.test")
    m.user(CAROL)
    m.malle("alias", "add", "info@exemple.test", BOB)
    m.malle("domain", "set", "exemple.test", "catch-all=" + BOB)
    m.malle("domain", "set", "chaine.test", "catch-all=@exemple.test")
    test_marks(m)
    test_restart(m)
    test_pop3(m)
    test_rounds(m)
    eq(m.violations(), [], "no call outside a role")
malle.done()
