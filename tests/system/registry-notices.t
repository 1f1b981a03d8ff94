#!/usr/bin/env python3
"""registry-notices - the owner of a mailbox is told by mail: a password set by somebody else (inventory 4-13, 9-05), an absence without end (0-30), by the domain's clocks (4-24)."""
import email
import email.policy
import json
import os
import signal
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import malle
from malle import eq, ok

ANNE, BOB, ZOE = "anne@exemple.test", "bob@exemple.test", "zoe@noumea.test"
DAY = 86400


def iso(t):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(t))


with malle.Instance() as m:
    def passwd(name, password, *more):
        return m.malle("user", "passwd", name, "--password-stdin", *more, input=password + "\n")

    def put(name, *settings):
        return m.malle("user", "set", name, *settings)

    def inbox(name):
        out = []
        for path in m.messages(name):
            with open(path, "rb") as f:
                out.append(email.message_from_binary_file(f, policy=email.policy.default))
        return out

    def told(name, n):
        malle.until(lambda: len(m.messages(name)) >= n, malle.PATIENCE, 0.1)
        return len(m.messages(name)) == n

    def text(message):
        return " ".join(message.get_content().replace("\u00a0", " ").split())

    def settled():
        """All notices asked for until now have come: one of another mailbox is behind them."""
        n = len(m.messages("last@exemple.test"))
        passwd("last@exemple.test", "another one of %d words" % n)
        return told("last@exemple.test", n + 1)

    m.domain("exemple.test", "language=en", "time-zone=America/Cayenne")
    m.domain("noumea.test", "language=fr", "time-zone=Pacific/Noumea")
    for name in (ANNE, BOB, ZOE, "last@exemple.test"):
        m.user(name)
    m.malle("user", "add", "new@exemple.test", "--locked")
    passwd("new@exemple.test", "first password of this box")
    ok(settled(), "9-05: an administrator sets a password: its owner is told")
    eq(len(m.messages("new@exemple.test")), 0, "9-05: not of the first password")
    eq(len(m.messages(ANNE)), 0, "nor of one that came with the mailbox")

    passwd(ANNE, "a password by another")
    ok(told(ANNE, 1), "9-05: one notice")
    n = inbox(ANNE)[0]
    eq(n["Return-Path"], "<>", "by the null sender")
    eq(n["Auto-Submitted"], "auto-generated", "marked as no letter of a person")
    eq(n["Content-Language"], "en", "4-24: in the language of the domain")
    ok(str(n["Date"]).endswith("-0300"), "4-24: dated by the clocks of the domain: " + str(n["Date"]))
    body = text(n)
    ok("The password of the mailbox %s was changed on " % ANNE in body and "(UTC-0300)" in body,
       "it says what and when: " + body)
    ok("not by you but by the administrator of the server" in body or "(system user " in body, "9-05: and who")
    ok("postmaster@exemple.test" in body, "and whom to ask")

    passwd(ZOE, "un mot de passe par un autre")
    ok(told(ZOE, 1), "in French")
    n = inbox(ZOE)[0]
    eq(n["Subject"], "Le mot de passe de %s a été changé" % ZOE, "its subject")
    ok(str(n["Date"]).endswith("+1100"), "4-24: dated as in Nouméa: " + str(n["Date"]))
    ok("non par vous mais par" in text(n) and "(UTC+1100)" in text(n), "and its words: " + text(n))

    # The owner, and whoever changes something else.
    m.malle("--as", ANNE, "user", "passwd", ANNE, "--password-stdin",
            input="a password by another\nmy very own password here\n")
    put(ANNE, "full-name=Anne")
    settled()
    eq((len(m.messages(ANNE)), len(m.messages(BOB))), (1, 0), "none of other changes")

    # An application password opens the mailbox, too.
    def apps(*argv, **more):
        return m.malle("--as", ZOE, "user", "app-password", *argv, **more)

    def last_change():
        return str(json.loads(m.malle("journal", ZOE, "--json").stdout.splitlines()[-1])["id"])
    apps("add", ZOE, "--name", "téléphone", input="un mot de passe par un autre\n")
    dump = m.malle("dump").stdout
    m.malle("user", "app-password", "delete", ZOE, "--name", "téléphone")
    m.malle("undo", last_change())
    ok(told(ZOE, 2), "9-05: one that an administrator brings back is told")
    n = [i for i in inbox(ZOE) if "application" in str(i["Subject"])]
    eq(len(n), 1, "9-05: and not those of the owner, nor that one is deleted")
    eq(n[0]["Subject"], "Un mot de passe d’application de %s a été ajouté" % ZOE, "its subject")
    ok("ajouté non par vous mais par" in text(n[0]) and "Son nom : « téléphone »." in text(n[0]) and "(UTC+1100)" in text(n[0]),
       "9-05: which one, when and by whom: " + text(n[0]))
    m.malle("user", "app-password", "delete", ZOE, "--name", "téléphone")
    m.malle("load", "--update", input=dump)
    ok(told(ZOE, 3), "9-05: one that comes with a dump, too")
    put(ZOE, "full-name=Zoé")
    settled()
    eq(len(m.messages(ZOE)), 3, "none of other changes")

    # The request is kept with the change: whoever dies, it comes, and once.
    with malle.held(m.pid("malle-queued")):
        passwd(BOB, "set while the queue sleeps")
        m.kill("malle-registryd")
        passwd("new@exemple.test", "the second of this mailbox")
        m.kill("malle-registryd")
    ok(told(BOB, 1) and told("new@exemple.test", 1), "a registry that was killed gives its notices again")
    ok(settled(), "the next one, too")
    eq((len(m.messages(BOB)), len(m.messages("new@exemple.test"))), (1, 1), "and each comes once")
    pid = m.pid("malle-queued")
    os.kill(pid, signal.SIGSTOP)
    malle.until(lambda: malle.status_of(pid)["State"][0] == "T")
    passwd(BOB, "set while the queue is dying")
    m.kill("malle-queued")
    ok(told(BOB, 2), "a queue that was killed takes it when it is back")
    m.restart()
    settled()
    eq(len(m.messages(BOB)), 2, "nothing comes again after a start")

    # An absence without end: after 30 days, once.
    now = time.time()
    put(BOB, "vacation=yes", "vacation-text=x", "vacation-start=" + iso(now - 30 * DAY + 2))
    put(ANNE, "vacation=yes", "vacation-text=x", "vacation-start=" + iso(now - 40 * DAY),
        "vacation-end=" + iso(now + 40 * DAY))
    put(ZOE, "vacation=yes", "vacation-text=x", "vacation-start=" + iso(now - 29 * DAY))
    ok(told(BOB, 3), "0-30: the owner is reminded")
    n = inbox(BOB)
    n = [i for i in n if "absence" in str(i["Subject"])]
    eq(len(n), 1, "0-30: of an absence that has no end")
    ok("no end" in text(n[0]) and "(UTC-0300)" in text(n[0]), "0-30: " + text(n[0]))
    m.restart()
    put(ZOE, "vacation-start=" + iso(time.time() - 30 * DAY))
    ok(told(ZOE, 4), "0-30: in French, when the begin is moved")
    ok(any("votre absence dure toujours" in str(i["Subject"]) for i in inbox(ZOE)), "its subject")
    settled()
    eq((len(m.messages(BOB)), len(m.messages(ANNE))), (3, 1), "0-30: once, and not when it has an end")
    put(BOB, "vacation=no")
    put(BOB, "vacation=yes", "vacation-start=" + iso(now - 30 * DAY + 2))
    ok(told(BOB, 4), "0-30: the next absence is another one")
    ok(m.malle("user", "show", BOB).stdout.find("reminded") == -1, "nothing of it is shown")
    eq(m.violations(), [], "no call outside of a program's role")
malle.done()
