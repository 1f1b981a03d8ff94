#!/usr/bin/env python3
"""registry-rename - a mailbox gets another name and nothing of it moves.

In the registry: what is refused, the alias that stays, what else named the mailbox, whose folder is whose, undo, dump
and load. In the running service: mail to both names, the mailbox opened by its new name, what waited for the old name.
"""
import datetime
import os
import poplib
import smtplib
import ssl
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import malle
import registryd
from malle import eq, ok

HASH = "$6$saltsalt$" + "a" * 86
PASSWORD = "correct horse battery"
TAG_FOLDER = 24


def folder(r, name):
    """In both tables; None: not another one."""
    got = {registryd.record(t[name]).get(TAG_FOLDER) for t in
           (r.addresses("a.test"), r.secrets("a.test"))}
    return got.pop() if len(got) == 1 else got


def show(r, address):
    rows = r.ask("user.show", address=address)[0]
    return rows[0] if rows else None


def last(r):
    return r.ask("journal")[0][-1]["id"]


def refusals(r):
    r.ask("domain.add", name="b.test")
    r.ask("domain.add", name="alias.test", alias_of="a.test")
    r.ask("user.add", address="eve@a.test", hash=HASH)
    r.ask("user.add", address="gone@a.test", hash=HASH)
    r.ask("user.delete", address="gone@a.test")
    for to, want in (("", "invalid"), ("bob", "invalid"), ("BOB@alias.test", "invalid"), ("b..c", "invalid"),
                     ("x@b.test", "invalid"), ("x@unknown.test", "not-found"), ("eve", "exists"), ("abuse", "invalid"),
                     ("gone", "exists"), ("webmaster", "invalid"), ("hostmaster", "invalid"), ("a" * 65, "invalid")):
        got = r.ask("user.rename", address="bob@a.test", to=to)
        ok(got[1] == want and got[2], "4-54: not to \"%s\": %s" % (to[:20], got[2][:60]))
    eq(r.ask("user.rename", address="abuse@a.test", to="x")[1], "not-found", "4-54: an alias is no mailbox")
    eq(r.ask("user.rename", address="bob@a.test", to="x", check="yes")[1], "ok", "4-54: a dry run")
    ok(show(r, "bob@a.test") is not None and show(r, "x@a.test") is None, "4-54: changes nothing")


def renamed(r):
    r.ask("user.set", address="bob@a.test", quota_bytes="1G", full_name="Bob", forward="eve")
    before = show(r, "bob@a.test")
    # What is judged when it is shown, and not kept.
    del before["granted"]
    row = r.ask("user.rename", address="Bob@alias.test", to="Robert@ALIAS.test")[0][0]
    eq(dict(row, folder=None), dict(before, name="robert@a.test", folder=None), "4-54: all of it has the new name")
    eq(folder(r, "robert"), b"bob", "4-54: its folder keeps the old one, in both tables")
    eq(r.ask("alias.show", address="bob@a.test")[0][0]["targets"], "robert@a.test", "4-54: the old name is an alias")
    ok("bob" not in r.secrets("a.test"), "4-54: that nobody logs in with")
    eq(r.ask("domain.show", name="a.test")[0][0]["used-mailboxes"], "3", "4-54: and no mailbox more")
    r.ask("user.set", address="eve@a.test", forward="x@out.test")
    eq(r.ask("user.rename", address="eve@a.test", to="eva")[1], "ok", "4-54: one that others lead to")
    r.ask("user.set", address="robert@a.test", forward="")
    r.ask("user.set", address="robert@a.test", forward="zoe@out.test")
    eq(r.ask("user.set", address="eva@a.test", forward="eve")[1], "invalid", "4-54: a circle by the old name is seen")
    eq(r.ask("user.rename", address="eva@a.test", to="eve")[1], "ok", "4-54: and back, in the place of the alias")
    ok("folder" not in show(r, "eve@a.test") and folder(r, "eve") is None, "4-54: its folder is its name again")
    eq(r.ask("alias.show", address="eva@a.test")[0][0]["targets"], "eve@a.test", "4-54: the other one stays as alias")


def folders(r):
    """Who gets a name that somebody had before gets nothing of theirs."""
    r.ask("alias.delete", address="bob@a.test")
    r.ask("user.add", address="bob@a.test", hash=HASH)
    eq(folder(r, "bob"), b"bob-2", "4-54: another bob has a folder of his own")
    r.ask("user.add", address="bob-2@a.test", hash=HASH)
    eq(folder(r, "bob-2"), b"bob-2-2", "4-54: and whoever is called like that one")
    r.ask("user.delete", address="robert@a.test")
    eq(r.ask("removed.list")[0][-1].get("folder"), "bob", "9-03: a deleted one's folder is on record")
    r.ask("user.delete", address="bob@a.test")
    eq(r.ask("user.add", address="bob@a.test", hash=HASH)[1], "exists", "9-03: the name is reserved")
    r.ask("user.add", address="bob@a.test", hash=HASH, force="yes")
    eq(folder(r, "bob"), b"bob-3", "9-05: taken again, it is neither that one's mail nor another bob's")
    eq(r.ask("user.restore", address="robert@a.test")[1], "ok", "9-03: restored")
    eq(folder(r, "robert"), b"bob", "9-03: with its folder")
    text = r.malle("dump").stdout
    twice = text.replace('"folder": "bob-2-2"', '"folder": "bob"').replace("folder=bob-2-2", "folder=bob")
    with registryd.Registry() as other:
        p = other.malle("load", input=twice)
        ok(twice != text and p.returncode != 0 and "robert@a.test" in p.stderr,
           "4-54: a dump with two mailboxes in one folder is refused")
        eq(other.malle("load", input=text).returncode, 0, "4-54: the true one is loaded")
        eq(other.malle("dump").stdout, text, "4-54: and dumped alike")
        other.ask("alias.delete", address="bob@a.test")
        eq(other.ask("check")[0], [], "4-54: tables as the registry")


def undone(r):
    r.ask("user.add", address="una@a.test", hash=HASH)
    before = show(r, "una@a.test")
    removed = r.ask("removed.list")[0]
    r.ask("user.rename", address="una@a.test", to="una2")
    eq(r.ask("undo", id=last(r))[1], "ok", "4-54: undone")
    eq(show(r, "una@a.test"), before, "4-54: as it was")
    ok(show(r, "una2@a.test") is None and r.ask("removed.list")[0] == removed,
       "4-54: nothing of the other name is left, nor reserved")
    r.ask("user.rename", address="una@a.test", to="una2")
    eq(r.ask("user.rename", address="una2@a.test", to="una3")[1], "ok", "4-54: twice")
    eq(folder(r, "una3"), b"una", "4-54: the first folder")
    eq(r.ask("alias.show", address="una@a.test")[0][0]["targets"], "una2@a.test", "4-54: one name leads to the next")
    p = r.malle("user", "rename", "una3@a.test", "una4", lang="fr_FR.UTF-8")
    eq(p.returncode, 0, "4-54: malle user rename")
    p = r.malle("user", "rename", "una4@a.test", "eve", lang="fr_FR.UTF-8")
    ok(p.returncode != 0 and "existe déjà" in p.stderr, "4-54: refused in French")
    p = r.malle("user", "rename", "una4@a.test")
    ok(p.returncode == 64 and "OLD NEW" in p.stderr, "4-54: its usage")
    r.restart()
    eq(r.ask("check")[0], [], "4-54: tables as the registry after a restart")


def own(r, operation, address, **fields):
    """As the owner, who proves it."""
    return r.ask(operation, address=address, current=PASSWORD, **{"as": address}, **fields)


def named(r):
    """All that names mia@a.test and is hers by that name, wherever it is."""
    def one(operation, attribute, **key):
        return r.ask(operation, **key)[0][0].get(attribute)
    return {
        "own": [one("alias.show", name, address="mimi@a.test") for name in ("made-by", "targets")],
        "pointed": [one("alias.show", name, address="kept@a.test") for name in ("made-by", "targets")],
        "senders": [one("alias.show", "senders", address="team@a.test"),
                    one("user.show", "senders", address="eve@a.test"),
                    one("robot.show", "senders", address="robot@a.test")],
        "other": [one("user.show", "senders", address="tom@b.test"), one("alias.show", "senders", address="all@a.test")],
        "relay": one("relay.show", "owner", net="192.0.2.7"),
        "routed": [one("user.show", "forward", address="eve@a.test"), one("robot.show", "copy", address="robot@a.test"),
                   one("alias.show", "targets", address="team@a.test"), one("domain.show", "catch-all", name="a.test")],
    }


def carried(r):
    """What names the mailbox names it by its new name, where only a name counts."""
    r.ask("user.add", address="mia@a.test", password=PASSWORD, own_aliases="3")
    r.ask("user.add", address="tom@b.test", hash=HASH, senders="mia@a.test")
    r.ask("user.set", address="eve@a.test", senders="zoe@out.test mia@alias.test", forward="mia")
    r.ask("alias.add", address="team@a.test", targets="mia zoe@out.test", senders="MIA@a.test, @b.test")
    r.ask("alias.add", address="all@a.test", targets="eve", senders="domain")
    r.ask("robot.add", address="robot@a.test", subject="s", text="t", copy="mia", senders="mia@a.test")
    r.ask("relay.add", net="192.0.2.7", owner="mia@a.test")
    r.ask("domain.set", name="a.test", catch_all="mia@a.test")
    for name in ("mimi", "kept", "next"):
        eq(own(r, "own.add", "mia@a.test", alias=name)[1], "ok", "3-10: an alias of her own")
    r.ask("alias.set", address="kept@a.test", targets="mia eve")
    before = named(r)
    eq(r.ask("user.rename", address="mia@a.test", to="next")[1], "ok", "4-54: to an alias of one's own")
    after = named(r)
    eq(after["own"], ["next@a.test"] * 2, "4-54: an own alias is of the new name and leads to it")
    eq(after["pointed"], ["next@a.test", "mia@a.test\neve@a.test"], "4-54: where somebody else has let it lead, it leads")
    eq(after["senders"], ["next@a.test\nMIA@a.test\n@b.test", "zoe@out.test\nnext@a.test\nmia@alias.test",
                          "next@a.test\nmia@a.test"], "4-54: who might write may, by both names")
    eq(after["other"], before["other"], "4-54: another domain's rules are its own, and words no names")
    eq(after["relay"], "next@a.test", "4-54: hosts that one answers for")
    eq(r.ask("relay.set", net="192.0.2.7", note="x")[1], "ok", "4-54: whose permission can be changed")
    eq(after["routed"], before["routed"], "4-54: what leads to the old name leads on by its alias")
    eq({row["name"] for row in own(r, "own.list", "next@a.test")[0]}, {"mimi@a.test", "kept@a.test"},
       "4-54: the owner sees the own aliases")
    eq(r.ask("undo", id=last(r))[1], "ok", "the note is undone")
    eq(r.ask("undo", id=last_of(r, "user.rename"))[1], "ok", "4-54: undone")
    eq(named(r), before, "4-54: with all that named it")
    r.ask("domain.set", name="a.test", catch_all="refuse")
    r.ask("user.set", address="eve@a.test", forward="")
    r.ask("user.rename", address="mia@a.test", to="amy")
    ok("team@a.test" in r.ask("alias.delete", address="mia@a.test")[2], "4-54: the old name stays as long as it is used")
    eq(r.ask("alias.delete", address="mia@a.test", force="yes")[1], "ok", "4-54: the old name is given up")
    eq(r.ask("alias.show", address="mimi@a.test")[0][0]["targets"], "amy@a.test", "4-54: the own alias leads on")
    eq(own(r, "own.add", "amy@a.test", alias="fourth")[1], "refused", "4-54: they count")
    eq(own(r, "own.delete", "amy@a.test", alias="mimi")[1], "ok", "4-54: and are removed by their owner")
    r.ask("alias.set", address="team@a.test", targets="amy")
    r.ask("robot.set", address="robot@a.test", copy="amy")
    r.ask("alias.set", address="kept@a.test", targets="amy")
    eq(r.ask("check")[0], [], "4-54: tables as the registry")


def crowded(r):
    """A list of senders that is full keeps its length."""
    many = ["u%d@out.test" % i for i in range(999)]
    r.ask("user.add", address="ida@a.test", hash=HASH)
    r.ask("alias.add", address="crowd@a.test", targets="eve", senders=" ".join(["ida@a.test"] + many))
    eq(r.ask("user.rename", address="ida@a.test", to="ivy")[1], "ok", "4-54: in a full list of senders")
    eq(r.ask("alias.show", address="crowd@a.test")[0][0]["senders"].split("\n"), ["ivy@a.test"] + many,
       "4-54: the new name takes the place of the old one")


def slowed(r):
    """The counts of what is sent begin anew with the new name: nobody would take the mark away."""
    r.ask("user.add", address="kim@a.test", hash=HASH)
    r.queue.send(registryd.request("sending", [("address", "kim@a.test"), ("state", "held"), ("what", "messages"),
                                               ("used", "9"), ("max", "4"), ("time", "1790000000")]))
    ok(malle.until(lambda: "sending" in show(r, "kim@a.test")), "1-06: held")
    r.ask("user.rename", address="kim@a.test", to="ken")
    ok("sending" not in show(r, "ken@a.test"), "1-06, 4-54: no mark that would stay for ever")


def used(r):
    """What is no change, and no part of the journal, is not lost with one: logins, by password or application."""
    address, app = "ada@a.test", {"app": "phone"}

    def seconds(text):
        return text and datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()

    def logins(name):
        return (seconds(show(r, name).get("last-login")), seconds(r.ask("app.list", address=name)[0][0].get("last-used")))

    def log_in(name, hour):
        when = 1772323200 + 3600 * hour
        r.login(address=name, time=str(when), **app)
        ok(malle.until(lambda: logins(name) == (when, when), malle.PATIENCE), "%s logs in at %d" % (name, hour))
        return when, when
    r.ask("user.add", address=address, password=PASSWORD)
    own(r, "app.add", address, app="phone")
    first = log_in(address, 1)
    r.ask("user.rename", address=address, to="bea")
    rename = last_of(r, "user.rename")
    eq(logins("bea@a.test"), first, "4-54: the last logins are the mailbox's")
    second = log_in("bea@a.test", 2)
    eq(r.ask("undo", id=rename)[1], "ok", "4-54: undone")
    eq(logins(address), second, "4-54: they stay those of the mailbox")
    third = log_in(address, 3)
    eq(r.ask("undo", id=last(r))[1], "ok", "4-54: done again")
    eq(logins("bea@a.test"), third, "4-54: they stay so")
    r.queue.send(registryd.request("sending", [("address", "bea@a.test"), ("state", "held"), ("what", "messages"),
                                               ("used", "9"), ("max", "4"), ("time", "1790000000")]))
    ok(malle.until(lambda: "sending" in show(r, "bea@a.test"), malle.PATIENCE), "1-06: held")
    r.ask("user.delete", address="bea@a.test", force="yes")
    eq(r.ask("user.restore", address="bea@a.test")[1], "ok", "9-03: deleted and back")
    eq(logins("bea@a.test"), third, "9-03: with the last logins")
    ok("sending" not in show(r, "bea@a.test"), "1-06: without a mark that nobody would take away")


def last_of(r, operation):
    return [row["id"] for row in r.ask("journal")[0] if row.get("operation") == operation][-1]


def registry():
    with registryd.Registry() as r:
        r.ask("domain.add", name="a.test")
        r.ask("user.add", address="bob@a.test", hash=HASH)
        refusals(r)
        renamed(r)
        folders(r)
        undone(r)
        carried(r)
        crowded(r)
        slowed(r)
        used(r)
        eq(r.violations(), [], "without leaving its role")


def send(m, to, subject):
    with smtplib.SMTP("127.0.0.1", m.ports["smtp"], "client.test",
                      timeout=malle.PATIENCE) as s:
        s.sendmail("zoe@free.test", [to], "Subject: %s\r\n\r\ntext\r\n" % subject)


def fetch(m, name):
    """How many messages POP3 shows, or the refusal."""
    tls = ssl._create_unverified_context()
    p = poplib.POP3_SSL("127.0.0.1", m.ports["pop3s"], context=tls,
                        timeout=malle.PATIENCE)
    try:
        p.user(name)
        p.pass_(PASSWORD)
        return p.stat()[0]
    except poplib.error_proto as e:
        return str(e)
    finally:
        p.close()


def service():
    conf = {"retry_first": "1", "retry_max": "1"}
    with malle.Instance(conf) as m:
        m.domain("a.test")
        m.user("bob@a.test", PASSWORD)
        m.user("eve@a.test", PASSWORD)
        send(m, "bob@a.test", "one")
        m.wait_messages("bob@a.test", 1)
        m.malle("user", "rename", "bob@a.test", "robert")
        send(m, "bob@a.test", "two")
        send(m, "robert@a.test", "three")
        eq(len(m.wait_messages("bob@a.test", 3)), 3, "4-54: mail to both names comes to one folder")
        eq(fetch(m, "robert@a.test"), 3, "4-54: which the new name opens")
        ok("wrong" in fetch(m, "bob@a.test"), "4-54: and the old one does not")
        ok(not os.path.exists(m.maildir("robert@a.test")), "4-54: no other folder was made")
        held(m)
        eq(m.violations(), [], "4-54: nobody has left its role")


def held(m):
    """Mail that waits in the queue while its mailbox is renamed, or deleted with a redirect."""
    for name in ("ann", "dan", "sam"):
        m.user(name + "@a.test", PASSWORD)
        send(m, name + "@a.test", "first")
        m.wait_messages(name + "@a.test", 1)
        # A folder that cannot be written keeps the next one in the queue.
        m.wait_log("delivered to=%s@a.test" % name)
        os.chmod(m.maildir(name + "@a.test"), 0)
        send(m, name + "@a.test", "waits")
        ok(m.wait_log("deferred to=%s@a.test" % name), "what waits for " + name)
    m.malle("user", "rename", "ann@a.test", "anna")
    m.malle("user", "delete", "dan@a.test", "--redirect", "eve@a.test")
    m.malle("user", "delete", "sam@a.test", "--redirect", "eve@a.test zoe@out.test")
    os.chmod(m.maildir("ann@a.test"), 0o700)
    m.malle("queue", "retry", "--all", check=False)
    eq(len(m.wait_messages("ann@a.test", 2)), 2, "4-54: renamed: what waited comes to its folder")
    eq(len(m.wait_messages("eve@a.test", 1)), 1, "2-22: deleted with a redirect: it follows")
    ok(m.wait_log("failed to=sam@a.test dsn=5.1.6"), "2-22: to several: it fails")
    ok("please write to eve@a.test, zoe@out.test" in m.log(), "2-22: and the sender is told where to write")


registry()
service()
malle.done()
