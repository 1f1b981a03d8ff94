#!/usr/bin/env python3
"""Domains: names that each must have by its end (2-15, 4-07, 8-12), states,
zones, policies, international names; what names and passwords a mailbox may
have (3-12, 3-13, 1-06)."""
import os
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import malle  # noqa: E402
import registryd  # noqa: E402
from malle import eq, ok  # noqa: E402

HASH = "$6$saltsalt$" + "a" * 86
PASSWORD = "correct horse battery"


def has(r, domain):
    return sorted(r.addresses(domain))


def ends(r):
    for name, want in (("a.fr", ["abuse", "hostmaster", "postmaster"]),
                       ("a.test", ["abuse", "postmaster"]),
                       ("sous.a.fr", ["abuse", "hostmaster", "postmaster"])):
        r.ask("domain.add", name=name)
        eq(has(r, name), want, "what %s must have" % name)
    eq(r.ask("alias.delete", address="hostmaster@a.fr")[1], "refused",
       "hostmaster cannot be deleted in .fr")
    r.ask("alias.add", address="hostmaster@a.test", targets="postmaster")
    eq(r.ask("alias.delete", address="hostmaster@a.test")[1], "ok",
       "but elsewhere")
    p = r.malle("suffix", "add", "test", "abuse", "security")
    eq(p.returncode, 0, "the table can be changed")
    eq(has(r, "a.test"), ["abuse", "postmaster", "security"],
       "domains that exist get what is missing")
    eq(r.ask("alias.delete", address="security@a.test")[1], "refused",
       "and keep it")
    r.ask("suffix.add", name="x.a.test", mandatory="noc")
    r.ask("domain.add", name="x.a.test")
    eq(has(r, "x.a.test"), ["noc", "postmaster"], "the longest end holds")
    r.ask("suffix.add", name="default", mandatory="abuse webmaster")
    r.ask("domain.add", name="b.example")
    eq(has(r, "b.example"), ["abuse", "postmaster", "webmaster"],
       "default is for all others")
    eq(has(r, "a.fr"), ["abuse", "hostmaster", "postmaster"],
       "but not for what is built in")
    r.ask("suffix.set", name="test", mandatory="abuse")
    eq(r.ask("alias.delete", address="security@a.test")[1], "ok",
       "no longer mandatory")
    r.ask("suffix.delete", name="default")
    eq(r.ask("suffix.add", name="fr", mandatory="a b/c")[1], "invalid",
       "no impossible names")
    eq(r.malle("suffix", "list").stdout, "test\tpostmaster, abuse\n"
       "x.a.test\tpostmaster, noc\n", "listed")
    eq(r.ask("domain.delete", name="x.a.test")[1], "ok",
       "what a domain must have does not hinder its deletion")


def forgotten(r):
    """An end of which nothing is said any more, or again."""
    end = "oublie.example"
    r.ask("suffix.add", name=end, mandatory="legal")
    r.ask("domain.add", name="a." + end)
    eq(has(r, "a." + end), ["legal", "postmaster"], "an end of its own")
    eq(r.ask("suffix.delete", name=end)[1], "ok", "it is forgotten")
    eq(has(r, "a." + end), ["abuse", "legal", "postmaster"],
       "its domains have what all others must have")
    text = ("malleposte-registry 1\nsuffix %s\n\tmandatory=postmaster\\n"
            "security\nend 1\n" % end)
    eq(r.malle("load", input=text).returncode, 0, "it comes with a load")
    eq(has(r, "a." + end), ["abuse", "legal", "postmaster", "security"],
       "those that exist get what it asks for")
    r.ask("suffix.delete", name=end)
    r.ask("domain.delete", name="a." + end, all="yes")


def next_second():
    """A manager's own changes are those since the second that it was made in,
    by the clock of time(2), which is a tick late: CLOCK_REALTIME_COARSE."""
    def second():
        return int(time.clock_gettime(5))
    now = second()
    malle.until(lambda: second() > now)


def not_again(r):
    """A manager does not take a deleted domain again: without its limits, and
    with the mail that others have left there in reach."""
    name, as_chief = "encore.example", {"as": "chief", "current": PASSWORD}
    r.ask("client.add", name="acme")
    r.ask("manager.add", name="chief", client="acme", create="all",
          change="all", delete="all", password=PASSWORD)
    next_second()
    r.ask("domain.add", name=name, client="acme", max_mailboxes="3",
          state="suspended")
    eq(r.ask("domain.delete", name=name, **as_chief)[1], "ok",
       "who may deletes a domain")
    got = r.ask("domain.add", name=name, force="yes", **as_chief)
    ok(got[1] == "refused" and "malle undo" in got[2],
       "but does not make it again: " + got[2])
    eq(r.ask("mailbox.purge", name="postmaster@" + name, **as_chief)[1],
       "refused", "nor deletes the mail of what is not theirs")
    rows = r.ask("journal", **as_chief)[0]
    eq([x["change"] for x in rows if x["kind"] == "domain"],
       ["deleted"], "in the journal they see what they have done to it")
    eq(r.ask("undo", id=rows[-1]["id"], **as_chief)[1], "ok", "and undo it")
    row = r.ask("domain.show", name=name)[0][0]
    eq((row["max-mailboxes"], row["state"]), ("3", "suspended"),
       "all is as it was")
    r.ask("domain.delete", name=name, all="yes")
    eq(r.ask("domain.add", name=name, force="yes")[1], "ok",
       "whoever administers makes it again")
    r.ask("domain.delete", name=name, all="yes")
    r.ask("manager.delete", name="chief")
    next_second()
    r.ask("manager.add", name="chief", password=PASSWORD)
    eq([x["kind"] for x in r.ask("journal", **as_chief)[0]
        if x["kind"] != "manager"], [],
       "another one of that name sees nothing of it")
    r.ask("manager.delete", name="chief")


def hosts(r):
    """A domain that becomes another name has no mailboxes of its own."""
    r.ask("domain.add", name="autre.example")
    r.ask("relay.add", net="192.0.2.1", owner="postmaster@autre.example")
    r.ask("relay.add", net="192.0.2.2", owner="postmaster@a.fr")
    eq(r.ask("domain.set", name="autre.example", alias_of="a.fr")[1], "ok",
       "it becomes another name")
    eq([(x["name"], x["owner"]) for x in r.ask("relay.list")[0]],
       [("192.0.2.2/32", "postmaster@a.fr")],
       "the hosts that they answered for go with them")
    r.ask("domain.delete", name="autre.example")
    r.ask("relay.delete", net="192.0.2.2")


def other_name(r):
    """What came to the mailboxes of a domain that becomes another name is no
    mail of who has such a name there later."""
    r.ask("domain.add", name="nom.example")
    r.ask("user.add", address="louis@nom.example", hash="!")
    r.ask("suffix.add", name="nom.example", mandatory="louis abuse")
    eq(r.ask("domain.set", name="nom.example", alias_of="a.fr")[1], "ok",
       "it becomes another name")
    eq(sorted(x["name"] for x in r.ask("removed.list")[0]
              if x["name"].endswith("@nom.example")),
       ["louis@nom.example", "postmaster@nom.example"],
       "their mail is on record")
    eq(r.ask("undo", id=r.ask("journal")[0][-1]["id"])[1], "ok", "undone")
    eq([x["name"] for x in r.ask("removed.list")[0]
        if x["name"].endswith("@nom.example")], [], "it is theirs again")
    eq(r.ask("domain.set", name="nom.example", alias_of="a.fr")[1], "ok",
       "it becomes another name")
    r.ask("suffix.delete", name="nom.example")
    r.ask("domain.set", name="nom.example", alias_of="")
    eq(r.ask("user.add", address="louis@nom.example", hash=HASH)[1],
       "exists", "a name is kept for its former owner")
    r.ask("user.add", address="louis@nom.example", hash=HASH, force="yes")
    ok(b"louis-2" in r.secrets("nom.example")["louis"],
       "else it gets a folder of its own")
    r.ask("domain.delete", name="nom.example", all="yes")


def taken(r):
    """"domains" is the name of a table: one of that name would be written over
    the index of all logins, and neither would be found again."""
    for name in ("domains", "Domains"):
        eq(r.ask("domain.add", name=name)[1], "invalid",
           "%s is no name of a domain" % name)
    eq(r.malle("load", input="malleposte-registry 1\ndomain domains\nend 1\n")
       .returncode, 65, "nor of one that is loaded")
    ok("a.fr" in r.table("auth", "domains.cdb"), "the logins are found")
    r.ask("domain.add", name="domains.test")
    eq(r.ask("domain.delete", name="domains.test")[1], "ok",
       "as a part of one it is a word like another")


def states(r):
    def show():
        return r.ask("domain.show", name="a.test")[0][0]
    ok("since" not in show() and show()["refuse-after"] == "7",
       "seven days until a suspended domain is refused")
    r.ask("domain.set", name="a.test", state="suspended", refuse_after="3")
    since = show().get("since", "")
    ok(since.startswith("20"), "the moment of a change of state is kept")
    r.ask("domain.set", name="a.test", language="en")
    eq(show()["since"], since, "until the next one")
    eq(r.ask("domain.set", name="a.test", since="2020-01-01")[1], "refused",
       "and not to be set")
    r.ask("domain.set", name="a.test", state="active")
    for name, good, bad in (("time-zone", "America/Cayenne", "x y"),
                            ("spam-policy", "normal", "strict"),
                            ("language", "fr", "de"),
                            ("default-quota", "1G", "much")):
        eq([r.ask("domain.set", name="a.test", **{name: v})[1]
            for v in (good, bad)], ["ok", "invalid"], name)
    r.ask("domain.set", name="a.test", default_quota="")
    r.ask("domain.add", name="société.fr")
    eq([x.get("unicode") for x in r.ask("domain.list")[0]
        if x["name"].startswith("xn--")], ["société.fr"],
       "an international name is shown as people write it")
    ok("unicode" not in r.malle("dump").stdout, "but not dumped")


def names(r):
    rows, verdict, text = r.ask("user.add", address="info@a.test", hash=HASH)
    ok(verdict == "invalid" and "function" in text,
       "no login for a function")
    eq(r.ask("user.add", address="info@a.test", hash=HASH, force="yes")[1],
       "ok", "but forced")
    eq(r.ask("alias.add", address="contact@a.test", targets="info")[1], "ok",
       "an alias is right")
    eq(r.ask("user.add", address="pm@a.test", full_name="Pierre Martin",
             password="one martin at the door")[1], "invalid",
       "no password with the name of the person")
    eq(r.ask("user.add", address="pm@a.test", full_name="Pierre Martin",
             password=PASSWORD, must_change="yes")[1], "ok", "another one")
    eq(r.ask("user.passwd", address="pm@a.test",
             password="only Pierre knows it")[1], "invalid",
       "nor one that is changed")
    eq(r.ask("user.show", address="pm@a.test")[0][0]["must-change"], "yes",
       "it must be changed")
    r.ask("user.passwd", address="pm@a.test", password=PASSWORD + "x")
    eq(r.ask("user.show", address="pm@a.test")[0][0]["must-change"], "yes",
       "by its owner, not by others")
    fields = {"as": "pm@a.test", "current": PASSWORD + "x"}
    eq(r.ask("user.set", address="pm@a.test", must_change="no", **fields)[1],
       "refused", "who cannot just say so")
    eq(r.ask("user.passwd", address="pm@a.test", password=PASSWORD,
             **fields)[1], "ok", "done")
    eq(r.ask("user.show", address="pm@a.test")[0][0]["must-change"], "no",
       "and no longer asked for")


with registryd.Registry() as r:
    ends(r)
    forgotten(r)
    not_again(r)
    hosts(r)
    other_name(r)
    taken(r)
    states(r)
    names(r)
    eq(r.ask("check")[0], [], "all is counted")
    dump = r.malle("dump").stdout
    with registryd.Registry() as other:
        eq(other.malle("load", input=dump).returncode, 0, "loaded")
        eq(other.malle("dump").stdout, dump, "the dump of it is the same")
    eq(r.violations(), [], "without leaving its role")
malle.done()
