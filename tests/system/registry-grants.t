#!/usr/bin/env python3
"""What the owner of a mailbox may do with it is granted singly, with an end
date, by the mailbox, its domain or the domain's customer: every operation and
every attribute of theirs with each right withheld, granted alone, and ended;
and who has given the right password is told when all rights are over."""
import os
import re
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import malle  # noqa: E402
import registryd  # noqa: E402
from malle import eq, ok  # noqa: E402

if not malle.ROOT:
    malle.skip_all("only root can be several users")

PASSWORD, STRANGER, MINE = "correct horse battery", 65533, "mine@a.test"
# Quick to verify: hundreds of requests give the password.
HASH = "$1$abcdefgh$E2IUOVGWn4QIROUcRm1wO/"
WORDS = ["name", "password", "forward", "vacation", "alias-create",
         "alias-delete", "backup", "restore", "remove"]
PAST, FUTURE = "2020-01-01", "2999-12-31"

# The right that each needs (none: always theirs), the operation, its fields.
ROWS = [
    (None, "user.show", {}),
    (None, "own.list", {}),
    (None, "mailbox.measure", {}),
    (None, "schema", {}),
    ("name", "user.set", {"full-name": "Me"}),
    ("forward", "user.set", {"forward": "x@out.test"}),
    ("forward", "user.set", {"keep": "no"}),
    ("forward", "user.set", {"discard": "yes"}),
    ("vacation", "user.set", {"vacation": "no"}),
    ("vacation", "user.set", {"vacation-start": "now"}),
    ("vacation", "user.set", {"vacation-end": FUTURE}),
    ("vacation", "user.set", {"vacation-subject": "Away"}),
    ("vacation", "user.set", {"vacation-text": "Away"}),
    ("vacation", "user.set", {"vacation-days": "2"}),
    ("password", "user.passwd", {"password": "another good phrase"}),
    ("password", "app.add", {"app": "phone"}),
    ("alias-create", "own.add", {"alias": "aka"}),
    ("alias-delete", "own.delete", {"alias": "old"}),
    ("backup", "mailbox.open", {"want": "backup"}),
    ("restore", "mailbox.open", {"want": "restore"}),
    ("remove", "mailbox.open", {"want": "remove"}),
]


def own(r, operation, current=PASSWORD, **fields):
    return r.ask_as(STRANGER, operation, address=MINE, current=current,
                    **fields)


def try_all(r, name, granted, source="", why="owner-may"):
    """Each operation and attribute; granted: the words that are."""
    wrong, mute = [], []
    for needs, operation, fields in ROWS:
        got = own(r, operation, check="yes", **fields)
        want = needs is None or needs in granted
        if (got[1] != "refused") != want:
            wrong.append((needs, operation, fields, got[1:]))
        elif not want and not (why in got[2] and source in got[2] and
                               "root" in got[2]):
            mute.append(got[2])
    eq(wrong, [], "2-03: " + name)
    eq(mute, [], "2-03: and is told why, by whom, and who grants it")


def singly(r):
    try_all(r, "nothing said: all is granted", WORDS)
    for word in WORDS:
        r.ask("user.set", address=MINE, owner_may="all -" + word)
        try_all(r, "all but " + word, [w for w in WORDS if w != word],
                "mailbox " + MINE)
        r.ask("user.set", address=MINE, owner_may=word)
        try_all(r, "only " + word, [word], "mailbox " + MINE)
    r.ask("user.set", address=MINE, owner_may="none")
    try_all(r, "none", [], "mailbox " + MINE)
    r.ask("user.set", address=MINE, owner_may="all")
    try_all(r, "all", WORDS)
    eq(own(r, "mailbox.open", want="everything")[1], "invalid",
       "an unknown right is none")
    r.ask("user.set", address=MINE, owner_may="backup remove")
    got = own(r, "mailbox.open")
    ok(got[1] == "refused" and "restore" in got[2],
       "who wants all of the mail needs all three: " + got[2])
    r.ask("user.set", address=MINE, owner_may="")


def date_of_today():
    return time.strftime("%Y-%m-%d", time.gmtime())


def defaults(r):
    """The mailbox, else the domain, else the customer."""
    def say(**at):
        r.ask("user.set", address=MINE, owner_may=at.get("user", ""),
              owner_until=at.get("user_until", ""))
        r.ask("domain.set", name="a.test", owner_may=at.get("domain", ""),
              owner_until=at.get("domain_until", ""))
        r.ask("client.set", name="a", owner_may=at.get("client", ""),
              owner_until=at.get("client_until", ""))
    for at, granted, source in (
            ({"client": "name"}, ["name"], "customer a"),
            ({"client": "name", "domain": "forward"}, ["forward"],
             "domain a.test"),
            ({"client": "name", "domain": "none", "user": "vacation"},
             ["vacation"], "mailbox " + MINE),
            ({"domain": "none", "user": "all"}, WORDS, "")):
        say(**at)
        try_all(r, "granted by %s" % at, granted, source)
    for at, granted, source in (
            ({"user_until": PAST}, [], "mailbox " + MINE),
            ({"domain_until": PAST}, [], "domain a.test"),
            ({"client_until": PAST}, [], "customer a"),
            ({"user_until": FUTURE, "domain_until": PAST}, WORDS, ""),
            ({"domain_until": FUTURE, "client_until": PAST,
              "domain": "name"}, ["name"], "")):
        say(**at)
        try_all(r, "until %s" % at, granted, source,
                "ended on 2020-01-01 (owner-until" if not granted else
                "owner-may")
    # When a midnight comes before the answer it was not its last day.
    today = None
    while today != date_of_today():
        today = date_of_today()
        say(user_until=today)
        got = own(r, "user.set", full_name="X", check="yes")
    eq(got[1], "ok", "2-03: the last day counts")
    say()


def shown(r):
    row = r.ask("user.show", address=MINE)[0][0]
    eq(row["granted"], " ".join(WORDS), "what is granted is shown")
    r.ask("domain.set", name="a.test", owner_may="all -password",
          owner_until=FUTURE)
    row = own(r, "user.show")[0][0]
    ok("owner-may" not in row and row["granted-until"] == FUTURE and
       row["granted"] == " ".join(w for w in WORDS if w != "password"),
       "whoever grants it, to the owner, too: %s" % row["granted"])
    r.ask("domain.set", name="a.test", owner_until=PAST)
    eq(r.ask("user.show", address=MINE)[0][0]["granted"], "none",
       "nothing when it is over")
    r.ask("domain.set", name="a.test", owner_may="", owner_until="")
    for value, kept in (("ALL", "all"), ("all,-remove;-name",
                                         "all -name -remove"),
                        ("vacation name", "name vacation"),
                        ("name -name", "none"), ("none", "none")):
        r.ask("domain.set", name="a.test", owner_may=value)
        eq(r.ask("domain.show", name="a.test")[0][0]["owner-may"], kept,
           "owner-may=%s is kept as %r" % (value, kept))
    for value in ("everything", "name none", "-", "all -all", " "):
        eq(r.ask("domain.set", name="a.test", owner_may=value)[1],
           "invalid", "owner-may=%r is refused" % value)
    r.ask("domain.set", name="a.test", owner_may="")
    p = r.malle("user", "set", MINE, "owner-may=all -password",
                "owner-until=" + FUTURE)
    eq(p.returncode, 0, "malle user set: " + p.stderr.strip())
    p = r.malle("user", "show", MINE)
    ok("owner-until: " + FUTURE in p.stdout and "granted: name forward" in
       p.stdout, "malle user show")
    p = r.malle("domain", "set", "a.test", "owner-may=none")
    ok(p.returncode == 0 and "owner-may: none" in
       r.malle("domain", "show", "a.test").stdout, "malle domain set, show")
    r.ask("domain.set", name="a.test", owner_may="")
    got = r.ask_as(STRANGER, "user.passwd", address=MINE, current=PASSWORD,
                   password="another good phrase",
                   **{"language-of-answer": "fr"})
    ok("Vous ne pouvez pas changer le mot de passe" in got[2] and
       "Qui gère a.test" in got[2], "in French: " + got[2])


def others(r):
    """Who grants it, and what stands above."""
    def manager(operation, **fields):
        return r.ask_as(STRANGER, operation, current=PASSWORD,
                        **dict(fields, **{"as": "chief"}))
    r.ask("user.set", address=MINE, owner_may="none", owner_until=PAST)
    eq(own(r, "user.set", owner_may="all")[1], "refused",
       "an owner grants nothing to themself")
    eq(own(r, "user.set", owner_until="")[1], "refused", "nor more time")
    eq(manager("user.set", address=MINE, full_name="X")[1], "ok",
       "a manager is not bound by it")
    eq(manager("user.set", address=MINE, owner_may="all",
               owner_until="")[1], "ok", "and grants it")
    eq(manager("domain.set", name="a.test", owner_may="all -password")[1],
       "ok", "for a domain, too")
    eq(manager("client.set", name="a", owner_may="none")[1], "refused",
       "but not for the customer")
    r.ask("domain.set", name="a.test", owner_may="")
    r.ask("user.set", address=MINE, owner_may="none", owner_until=PAST,
          must_change="yes")
    eq(own(r, "user.passwd", check="yes",
           password="another good phrase")[1], "ok",
       "1-06: who must choose another password may")
    eq(own(r, "user.set", full_name="X")[1], "refused", "and nothing else")
    r.ask("user.set", address=MINE, owner_may="", owner_until="",
          must_change="no")


def journal(r):
    r.ask("user.set", address=MINE, owner_may="none", owner_until=FUTURE)
    entry = r.ask("journal", name=MINE)[0][-1]
    ok("owner-may" in str(entry), "the journal has it: %s" % entry)
    eq(r.ask("undo", id=entry["id"])[1], "ok", "and undoes it")
    eq(own(r, "user.set", full_name="X", check="yes")[1], "ok",
       "granted again")
    r.ask("domain.set", name="a.test", owner_may="none")
    text = r.malle("dump").stdout
    with registryd.Registry() as other:
        eq(other.malle("load", input=text).returncode, 0, "a dump has it")
        eq(other.ask("user.show", address=MINE)[0][0]["granted"], "none",
           "which grants the same")
    r.ask("domain.set", name="a.test", owner_may="")


def mandatory(r):
    """An owner's alias that each domain must have later is kept by it."""
    eq(own(r, "own.add", alias="tresor")[1], "ok", "an alias of one's own")
    r.ask("suffix.add", name="a.test", mandatory="tresor")
    got = own(r, "own.delete", alias="tresor")
    ok(got[1] == "refused" and "2142" in got[2],
       "that has become one of the domain's stays: " + got[2])
    r.ask("suffix.delete", name="a.test")
    eq(own(r, "own.delete", alias="tresor")[1], "ok", "else it goes")


def stranger(r):
    """Before the right password nothing is judged by what only the registry
    knows."""
    r.ask("user.set", address=MINE, full_name="Robert Dupontel")
    new = "mauve dupontel sixty xylo"
    got = own(r, "user.passwd", current="not this one", password=new)
    ok(got[1] == "refused" and "current password" in got[2],
       "who does not know the password learns no name: " + got[2])
    got = own(r, "user.passwd", password=new, check="yes")
    ok(got[1] == "invalid" and "name of the person" in got[2],
       "its owner is told: " + got[2])
    got = own(r, "user.passwd", password=new)
    eq(got[1], "invalid", "and it is not taken")
    r.ask("user.set", address=MINE, full_name="")


def printed(r):
    """The table of malle-registryd -R, against what was tried here."""
    text = subprocess.run([registryd.PROGRAM, "-R"], text=True,
                          capture_output=True).stdout.split("\n")
    at = text[0].index(" owner") + 1
    needs = {}
    for word, operation, _ in ROWS:
        needs.setdefault(operation, []).append(word)
    for line in text[1:-1]:
        operation, cell = line.split()[0], line[at:].split()[0]
        if cell in ("-", "yes"):
            continue
        got = set() if cell == "own" else set(cell.split(","))
        eq(got, set(needs.get(operation, [None] if cell == "own" else
                              ["not tried"])) - {None},
           "as printed: %s needs %s" % (operation, cell))
    with open(os.path.join(malle.TOP, "man", "malle-registry-protocol.7")) as f:
        page = re.sub(r"\s+", " ", f.read())
    for operation, words in needs.items():
        for word in words:
            if word is not None:
                ok(re.search(r"%s (R A M )?O .*%s" % (re.escape(operation),
                                                       word), page),
                   "and in the manual page: %s needs %s" % (operation, word))


def shut(r):
    """Inventory 2-03: told so, but only after the right password."""
    def chief(password, **fields):
        return r.ask_as(STRANGER, "domain.list", current=password,
                        **dict(fields, **{"as": "chief"}))
    r.ask("manager.set", name="chief", until=PAST)
    got = chief(PASSWORD)
    ok(got[1] == "refused" and "chief ended on 2020-01-01" in got[2] and
       not got[0], "2-03: a manager whose time is over: " + got[2])
    got = chief(PASSWORD, **{"language-of-answer": "fr"})
    ok("ont pris fin le 2020-01-01" in got[2], "2-03: in French: " + got[2])
    wrong = chief("not this one")
    eq(wrong[2], r.ask_as(STRANGER + 1, "domain.list", current=PASSWORD,
                          **{"as": "nobody-at-all"})[2],
       "2-03: who does not know the password learns nothing")
    p = r.malle("--as", "chief", "domain", "list", input=PASSWORD + "\n")
    ok(p.returncode == 77 and "ended on 2020-01-01" in p.stderr,
       "2-03: malle --as: " + p.stderr.strip())
    r.ask("manager.set", name="chief", until="", state="suspended")
    got = chief(PASSWORD)
    ok(got[1] == "refused" and "suspended" in got[2],
       "2-03: one who is suspended: " + got[2])
    r.ask("manager.set", name="chief", state="active")
    eq(chief(PASSWORD)[1], "ok", "2-03: with rights again")
    for state in ("suspended", "disabled"):
        r.ask("domain.set", name="a.test", state=state)
        tried = [(operation, own(r, operation, check="yes", **fields))
                 for _, operation, fields in ROWS if operation != "schema"]
        eq([x for x in tried if x[1][1] != "refused" or
            "domain is suspended" not in x[1][2]], [],
           "nobody logs in: nothing is done with a mailbox of a %s domain" %
           state)
        eq(chief(PASSWORD)[1], "ok", "whoever manages it may see to it")
    r.ask("domain.set", name="a.test", state="active")
    eq(own(r, "user.show")[1], "ok", "active again")


with registryd.Registry() as r:
    r.queue.close()     # nobody answers there: nobody waits for it
    r.ask("client.add", name="a")
    r.ask("domain.add", name="a.test", client="a")
    r.ask("user.add", address=MINE, hash=HASH, own_aliases="5")
    r.ask("manager.add", name="chief", domains="a.test", hash=HASH)
    own(r, "own.add", alias="old")
    singly(r)
    defaults(r)
    shown(r)
    others(r)
    journal(r)
    mandatory(r)
    stranger(r)
    printed(r)
    shut(r)
    eq(r.violations(), [], "without leaving its role")
malle.done()
