#!/usr/bin/env python3
"""registry-deletion - what goes with a mailbox that is deleted and comes back with it, and what keeps an address there."""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import malle
import registryd
from malle import eq, ok

HASH = "$6$saltsalt$" + "a" * 86
PASSWORD = "correct horse battery"


def own(r, operation, address, **fields):
    """As the owner, who proves it."""
    return r.ask(operation, address=address, current=PASSWORD, **{"as": address}, **fields)


def last(r, operation):
    return [row["id"] for row in r.ask("journal")[0] if row.get("operation") == operation][-1]


def show(r, operation, **key):
    rows = r.ask(operation, **key)[0]
    return rows[0] if rows else None


def alias(r, name, attribute="targets"):
    row = show(r, "alias.show", address=name + "@a.test")
    return row and row.get(attribute)


def accounts(r):
    """All of it as text, but for what a login says."""
    return r.malle("dump").stdout


def made(r):
    r.ask("domain.add", name="a.test")
    r.ask("domain.add", name="alias.test", alias_of="a.test")
    r.ask("domain.add", name="b.test")
    r.ask("user.add", address="eve@a.test", hash=HASH)
    r.ask("user.add", address="mia@a.test", password=PASSWORD, own_aliases="5")
    for name in ("mimi", "mia.m", "both", "moved"):
        own(r, "own.add", "mia@a.test", alias=name)
    r.ask("alias.set", address="both@a.test", targets="MIA@alias.test eve mia+x")
    r.ask("alias.set", address="moved@a.test", targets="eve")
    r.ask("relay.add", net="192.0.2.7", owner="mia@a.test")
    r.ask("relay.add", net="192.0.2.8", owner="eve@a.test")


def taken_along(r):
    before = accounts(r)
    got = r.ask("user.delete", address="mia@a.test")
    ok(got[1] == "ok" and "is deleted, with its own aliases (2) and its permissions to relay (1)." in got[2],
       "it says what went along: " + got[2])
    eq((alias(r, "mimi"), alias(r, "mia.m")), (None, None), "aliases of one's own that lead only there go")
    eq((alias(r, "both"), alias(r, "both", "made-by")), ("eve@a.test", None), "one that leads elsewhere too just loses it")
    eq((alias(r, "moved"), alias(r, "moved", "made-by")), ("eve@a.test", None),
       "one that leads elsewhere stays, and is not for who gets the name next")
    eq(show(r, "relay.show", net="192.0.2.7"), None, "the hosts that it answered for")
    ok(show(r, "relay.show", net="192.0.2.8") is not None, "and no others")
    eq(r.ask("check")[0], [], "tables as the registry")
    ok("mimi" not in r.addresses("a.test") and list(r.table("public/tables/access.cdb")) == ["192.0.2.8/128"],
       "which refuse both")
    eq(r.ask("undo", id=last(r, "user.delete"))[1], "ok", "one undo")
    eq(accounts(r), before, "gives all of it back")
    got = r.ask("user.delete", address="mia@a.test", language_of_answer="fr")
    ok("supprimée, avec ses alias personnels (2) et ses autorisations d'envoi (1)." in got[2], "in French: " + got[2])
    eq(r.ask("user.restore", address="mia@a.test")[1], "ok", "and a restore")
    eq(accounts(r), before, "gives all of it back, too")
    r.ask("user.delete", address="mia@a.test", force="yes")
    r.ask("undo", id=last(r, "user.delete"))
    eq(accounts(r), before, "forced or not")
    r.ask("user.add", address="none@a.test", hash=HASH)
    ok("none@a.test is deleted. " in r.ask("user.delete", address="none@a.test")[2], "nothing went along")
    r.ask("undo", id=last(r, "user.add"))


def redirected(r):
    before = accounts(r)
    got = r.ask("user.delete", address="mia@a.test", redirect="eve")
    ok("is deleted, with its permissions to relay (1)." in got[2], "with a redirect only the hosts go: " + got[2])
    eq([alias(r, name) for name in ("mia", "mimi", "both")],
       ["eve@a.test", "mia@a.test", "MIA@alias.test\neve@a.test\nmia+x@a.test"], "the aliases follow the redirect")
    eq([alias(r, name, "made-by") for name in ("mimi", "both", "moved")], [None] * 3, "and are nobody's own")
    eq(r.ask("alias.delete", address="mia@a.test")[1], "invalid", "the redirect stays as long as they lead there")
    eq(r.ask("user.restore", address="mia@a.test")[1], "ok", "restored")
    eq(accounts(r), before, "all of it as it was")


def mandatory(r):
    r.ask("suffix.add", name="a.test", mandatory="postmaster abuse mimi")
    got = r.ask("user.delete", address="mia@a.test")
    ok(got[1] == "refused" and "mimi@a.test" in got[2] and "RFC 2142" in got[2],
       "one that its domain must have does not go: " + got[2])
    ok(show(r, "user.show", address="mia@a.test") is not None, "nor does the mailbox")
    eq(r.ask("user.delete", address="mia@a.test", redirect="eve")[1], "ok", "but redirected")
    r.ask("undo", id=last(r, "user.delete"))
    r.ask("suffix.delete", name="a.test")


def by_a_manager(r):
    r.ask("manager.add", name="chef", domains="a.test", hash="!")
    eq(r.ask("manager.passwd", name="chef", password=PASSWORD)[1], "ok", "a manager")

    def chef(operation, **fields):
        return r.ask(operation, current=PASSWORD, **{"as": "chef"}, **fields)
    before = accounts(r)
    for how in ("delete", "rename"):
        got = chef("user." + how, address="mia@a.test", **({"to": "amy"} if how == "rename" else {}))
        eq(got[1], "ok", "4-12: a manager may " + how)
        eq(chef("undo", id=last(r, "user." + how))[1], "ok", "and undo it, with the hosts that it answered for")
        eq(accounts(r), before, "all as before")
    chef("user.delete", address="mia@a.test")
    eq(chef("user.restore", address="mia@a.test")[1], "ok", "or restore it")
    eq(accounts(r), before, "all as before")
    # Somebody else's alias neither hinders nor is told.
    r.ask("alias.add", address="spy@b.test", targets="mia@a.test")
    got = r.ask("user.delete", address="mia@a.test")
    ok(got[1] == "invalid" and "spy@b.test" in got[2], "an administrator hears of all: " + got[2])
    eq(chef("user.delete", address="mia@a.test")[1], "ok", "a manager is not hindered by another domain")
    chef("user.restore", address="mia@a.test")
    r.ask("alias.add", address="team@a.test", targets="mia")
    got = chef("user.delete", address="mia@a.test")
    ok(got[1] == "invalid" and "team@a.test" in got[2] and "spy" not in got[2], "nor told of it: " + got[2])
    r.ask("alias.delete", address="team@a.test")
    r.ask("alias.delete", address="spy@b.test")
    r.ask("manager.delete", name="chef")


def needed(r):
    """What something leads to stays."""
    r.ask("alias.add", address="info@a.test", targets="eve")
    r.ask("robot.add", address="bot@a.test", subject="s", text="t")
    names = {"alias": "info", "robot": "bot", "user": "mia"}
    for kind, name in names.items():
        target = name + "@a.test"

        def delete(**fields):
            return r.ask(kind + ".delete", address=target, **fields)
        leading = (("alias.add", "alias.delete", {"address": "x@b.test", "targets": "y@out.test " + name + "@alias.test"},
                    "x@b.test"),
                   ("user.add", "user.delete", {"address": "f@b.test", "hash": HASH, "force": "yes", "forward": target},
                    "f@b.test"),
                   ("robot.add", "robot.delete", {"address": "r@a.test", "subject": "s", "text": "t", "copy": name + "+x"},
                    "r@a.test"))
        for add, remove, fields, who in leading:
            eq(r.ask(add, **fields)[1], "ok", "%s leads to %s" % (who, target))
            got = delete()
            ok(got[1] == "invalid" and who in got[2] and target in got[2] and "--force" in got[2],
               "%s: refused, naming it: %s" % (kind, got[2]))
            r.ask(remove, address=fields["address"])
        eq(r.ask("domain.set", name="b.test", catch_all=target)[1], "ok", "a catch-all")
        got = delete()
        ok(got[1] == "invalid" and "catch-all of b.test" in got[2], "8-17: %s: refused: %s" % (kind, got[2]))
        eq(delete(check="yes")[1], "invalid", "a dry run tells")
        p = r.malle(kind, "delete", target, lang="fr_FR.UTF-8")
        ok(p.returncode == 65 and "adresse de capture de b.test" in p.stderr, "in French: " + p.stderr)
        if kind == "user":
            eq(delete(redirect="eve")[1], "ok", "a redirect leads on")
            eq(r.ask("user.restore", address=target)[1], "ok", "and ends")
        p = r.malle(kind, "delete", target, "--force")
        eq(p.returncode, 0, "forced, it goes")
        eq(r.ask("undo", id=last(r, kind + ".delete"))[1], "ok", "and comes back")
        r.ask("domain.set", name="b.test", catch_all="refuse")
        eq(delete()[1], "ok", "nothing leads there: it goes")
        eq(r.ask("undo", id=last(r, kind + ".delete"))[1], "ok", "and comes back")
    r.ask("domain.set", name="b.test", catch_all="@a.test")
    eq(r.ask("alias.delete", address="info@a.test")[1], "ok", "the same names of a domain are none in particular")
    r.ask("domain.set", name="b.test", catch_all="refuse")


def needed_more(r):
    for i in range(40):
        r.ask("alias.add", address="lead%d@a.test" % i, targets="mia eve")
    got = r.ask("user.delete", address="mia@a.test")
    ok("lead0@a.test, lead1@a.test" in got[2] and ", .... If" in got[2] and got[2].endswith("--force"), "of many some: " + got[2])
    for i in range(40):
        r.ask("alias.delete", address="lead%d@a.test" % i)
    # An own alias goes with its mailbox, unless somebody else uses it.
    r.ask("domain.set", name="a.test", catch_all="mimi@a.test")
    got = r.ask("user.delete", address="mia@a.test")
    ok(got[1] == "invalid" and "leads to mimi@a.test" in got[2] and "catch-all of a.test" in got[2],
       "what goes along counts: " + got[2])
    got = own(r, "own.delete", "mia@a.test", alias="mimi", force="yes")
    ok(got[1] == "invalid" and "catch-all of a.test" in got[2], "its owner does not break it either: " + got[2])
    r.ask("domain.set", name="a.test", catch_all="refuse")
    # An undo is a deletion, too.
    r.ask("alias.add", address="late@a.test", targets="eve")
    r.ask("alias.add", address="later@a.test", targets="late")
    late = [row["id"] for row in r.ask("journal")[0] if row.get("name") == "late@a.test"][-1]
    got = r.ask("undo", id=late)
    ok(got[1] == "invalid" and "later@a.test" in got[2], "no undo takes it away: " + got[2])
    eq(r.ask("undo", id=late, force="yes")[1], "ok", "but forced")
    r.ask("alias.delete", address="later@a.test")
    r.ask("domain.set", name="b.test", catch_all="eve@a.test")
    eq(r.ask("domain.delete", name="b.test", all="yes")[1], "ok", "a domain goes with its own catch-all")
    r.ask("undo", id=last(r, "domain.delete"))
    r.ask("domain.set", name="b.test", catch_all="refuse")


def senders(r, *who):
    """The lists of senders of mailboxes, aliases and robots."""
    rows = [show(r, kind + ".show", address=name) for kind, name in who]
    return [row and row.get("senders") for row in rows]


WHO = (("user", "eve@a.test"), ("alias", "team@a.test"), ("robot", "auto@a.test"), ("alias", "all@a.test"), ("user", "tom@b.test"))


def listed(r):
    """Who gets the name next may not write where the former one might."""
    r.ask("user.set", address="eve@a.test", senders="zoe@out.test mia@alias.test mimi@a.test")
    r.ask("alias.add", address="team@a.test", targets="eve", senders="MIA@a.test")
    r.ask("robot.add", address="auto@a.test", subject="s", text="t", senders="@b.test mia+x@a.test mia@out.test")
    r.ask("alias.add", address="all@a.test", targets="eve", senders="domain")
    r.ask("user.add", address="tom@b.test", hash=HASH, senders="mia@a.test @a.test")
    before, was = accounts(r), senders(r, *WHO)
    got = r.ask("user.delete", address="mia@a.test")
    ok("own aliases (2), its permissions to relay (1) and its places in lists of senders (4)." in got[2], "told: " + got[2])
    eq(senders(r, *WHO), ["zoe@out.test", "nobody", "@b.test\nmia@out.test", "domain", "@a.test"],
       "its name leaves the lists of senders, in all spellings, and that of its own alias; who was alone leaves nobody")
    ok(b"nobody" in r.addresses("a.test")["team"], "which the tables say, too")
    eq(r.ask("user.restore", address="mia@a.test")[1], "ok", "restored")
    eq((senders(r, *WHO), accounts(r)), (was, before), "with its places")
    got = r.ask("user.delete", address="mia@a.test", force="yes", language_of_answer="fr")
    ok("ses autorisations d'envoi (1) et ses places dans des listes d'expéditeurs (4)." in got[2], "in French: " + got[2])
    eq(r.ask("undo", id=last(r, "user.delete"))[1], "ok", "forced and undone")
    eq((senders(r, *WHO), accounts(r)), (was, before), "with its places")
    got = r.ask("user.delete", address="mia@a.test", redirect="eve")
    eq(senders(r, *WHO), was, "a name that leads to somebody else is nobody's to take")
    eq(r.ask("user.restore", address="mia@a.test")[1], "ok", "restored")
    eq(accounts(r), before, "all as before")


def listed_changed(r):
    """What else has changed of those who have the list hinders nothing."""
    r.ask("user.delete", address="mia@a.test")
    r.ask("user.set", address="eve@a.test", full_name="Ève")
    r.ask("alias.set", address="team@a.test", senders="zoe@out.test")
    r.ask("robot.delete", address="auto@a.test")
    got = r.ask("undo", id=last(r, "user.delete"))
    ok(got[1] == "exists" and "team@a.test has changed since" in got[2], "no undo, while a list is not as it was: " + got[2])
    eq(r.ask("user.restore", address="mia@a.test")[1], "ok", "but a restore")
    eq(senders(r, *WHO), ["zoe@out.test\nmia@alias.test\nmimi@a.test", "zoe@out.test", None, "domain", "mia@a.test\n@a.test"],
       "which gives back what is as it was left, and no more")
    eq(show(r, "user.show", address="eve@a.test")["full-name"], "Ève", "and takes nothing away")
    r.ask("user.delete", address="mia@a.test")
    r.ask("user.set", address="eve@a.test", full_name="Eve")
    eq(r.ask("undo", id=last(r, "user.delete"))[1], "ok", "an undo leaves what else has changed, too")
    eq((senders(r, WHO[0]), show(r, "user.show", address="eve@a.test")["full-name"]),
       (["zoe@out.test\nmia@alias.test\nmimi@a.test"], "Eve"), "all of it")
    r.ask("user.set", address="eve@a.test", senders="zoe@out.test")
    ident = last(r, "user.set")
    r.ask("user.set", address="eve@a.test", full_name="Ève")
    eq(r.ask("undo", id=ident)[1], "exists", "a list that was set is undone as all else is")
    r.ask("user.set", address="eve@a.test", full_name="", senders="mia@a.test")


def listed_by_others(r):
    """Other names, other hands."""
    r.ask("alias.set", address="team@a.test", senders="mia@a.test mimi@a.test old@a.test auto@a.test")
    own(r, "own.delete", "mia@a.test", alias="mimi")
    eq(senders(r, WHO[1]), ["mia@a.test\nold@a.test\nauto@a.test"], "an owner's alias that is given up leaves them")
    eq(r.ask("undo", id=last(r, "own.delete"))[1], "ok", "and comes back with its place")
    eq(senders(r, WHO[1]), ["mia@a.test\nmimi@a.test\nold@a.test\nauto@a.test"], "with its place")
    r.ask("robot.add", address="auto@a.test", subject="s", text="t")
    r.ask("robot.delete", address="auto@a.test")
    r.ask("user.add", address="old@a.test", hash=HASH)
    r.ask("undo", id=last(r, "user.add"))
    eq(senders(r, WHO[1]), ["mia@a.test\nmimi@a.test"], "a robot that is deleted, and a mailbox that is undone, do, too")
    r.ask("user.rename", address="mia@a.test", to="amy")
    eq(senders(r, WHO[1]), ["amy@a.test\nmia@a.test\nmimi@a.test"], "renamed, it has both names there")
    r.ask("alias.delete", address="mia@a.test", force="yes")
    eq(senders(r, WHO[1]), ["amy@a.test\nmimi@a.test"], "until the old one is given up")
    for operation in ("alias.delete", "user.rename"):
        eq(r.ask("undo", id=last(r, operation))[1], "ok", operation + " is undone")
    r.ask("manager.add", name="chef", domains="a.test", hash="!")
    r.ask("manager.passwd", name="chef", password=PASSWORD)
    before = accounts(r)
    for back in ("user.restore", "undo"):
        r.ask("user.delete", address="mia@a.test", current=PASSWORD, **{"as": "chef"})
        eq(senders(r, WHO[0], WHO[4]), ["nobody", "mia@a.test\n@a.test"], "a manager's deletion reaches the lists that are the manager's")
        key = {"id": last(r, "user.delete")} if back == "undo" else {"address": "mia@a.test"}
        eq(r.ask(back, current=PASSWORD, **key, **{"as": "chef"})[1], "ok", "4-12: and is brought back by " + back)
        eq(accounts(r), before, "as it was")
    r.ask("user.delete", address="mia@a.test", current=PASSWORD, **{"as": "chef"})
    r.ask("alias.delete", address="team@a.test")
    r.ask("user.set", address="eve@a.test", forward="gone@a.test", force="yes")
    eq(r.ask("user.restore", address="mia@a.test", current=PASSWORD, **{"as": "chef"})[1], "ok", "whatever became of the lists")
    eq(senders(r, *WHO[:2]), ["mia@a.test", None], "those that are there are given back")
    r.ask("manager.delete", name="chef")
    r.ask("user.set", address="eve@a.test", senders="everybody", forward="")
    r.ask("user.delete", address="tom@b.test")
    r.ask("alias.delete", address="all@a.test")


def domain(r):
    before = accounts(r)
    r.ask("domain.delete", name="alias.test")
    eq(r.ask("domain.delete", name="a.test", all="yes")[1], "ok", "a domain and all its mailboxes")
    eq(r.ask("relay.list")[0], [], "the hosts that they answered for go along")
    r.ask("undo", id=last(r, "domain.delete"))
    r.ask("undo", id=[row["id"] for row in r.ask("journal")[0] if row.get("name") == "alias.test" and
                      row.get("operation") == "domain.delete"][-1])
    eq(accounts(r), before, "and come back")


with registryd.Registry() as r:
    made(r)
    taken_along(r)
    redirected(r)
    mandatory(r)
    by_a_manager(r)
    needed(r)
    needed_more(r)
    listed(r)
    listed_changed(r)
    listed_by_others(r)
    domain(r)
    r.restart()
    eq(r.ask("check")[0], [], "tables as the registry after a restart")
    eq(r.violations(), [], "without leaving its role")
malle.done()
