#!/usr/bin/env python3
"""malle undo: a change undone as a new change, or refused with its reason."""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import malle  # noqa: E402
import registryd  # noqa: E402
from malle import eq, ok  # noqa: E402

HASH = "$6$saltsalt$" + "a" * 86


def last(r, operation=None):
    """The id of the last entry, or of the last one of an operation."""
    rows = r.ask("journal")[0]
    return [x["id"] for x in rows
            if operation in (None, x["operation"])][-1]


def undo(r, id, **fields):
    return r.ask("undo", id=str(id), **fields)


def show(r, address):
    rows = r.ask("user.show", address=address)[0]
    return rows[0] if rows else None


with registryd.Registry() as r:
    r.ask("domain.add", name="a.test")
    r.ask("user.add", address="bob@a.test", hash=HASH, full_name="Bob")
    made = last(r)
    r.ask("user.set", address="bob@a.test", full_name="Robert")
    renamed = last(r)
    r.ask("user.set", address="bob@a.test", quota_bytes="1G")
    sized = last(r)
    got = undo(r, renamed)
    ok(got[1] == "exists" and "change %s" % sized in got[2],
       "what has changed since is refused, naming the later change")
    eq(undo(r, sized, check="yes")[1], "ok", "a dry run says that it can be")
    eq(show(r, "bob@a.test")["quota-bytes"], "1073741824", "and does nothing")
    eq(undo(r, sized)[1], "ok", "a change is undone")
    eq(show(r, "bob@a.test")["quota-bytes"], "0", "indeed")
    eq(undo(r, sized)[1], "exists", "not twice")
    eq(undo(r, last(r))[1], "ok", "an undo is undone")
    eq(show(r, "bob@a.test")["quota-bytes"], "1073741824", "indeed")
    eq(undo(r, 99999)[1], "not-found", "an unknown change")
    eq(undo(r, "x")[1], "invalid", "no number")

    # a login is no change
    r.ask("user.set", address="bob@a.test", full_name="Rob")
    r.login(address="bob@a.test", time="1")
    undo(r, last(r))
    eq(show(r, "bob@a.test")["full-name"], "Robert",
       "a login since then does not hinder")

    # deleted and back, with its password
    before = r.secrets("a.test")["bob"]
    r.ask("user.delete", address="bob@a.test")
    eq(len(r.ask("removed.list")[0]), 1, "deleted, its mail on record")
    deleted = last(r, "user.delete")
    eq(undo(r, deleted)[1], "ok", "a deletion is undone")
    eq(r.secrets("a.test")["bob"], before, "the password is the same")
    eq(r.ask("removed.list")[0], [], "the record is gone")
    r.ask("user.delete", address="bob@a.test")
    r.ask("alias.add", address="bob@a.test", targets="postmaster")
    eq(undo(r, last(r, "user.delete"))[1], "exists",
       "not when somebody else has the name")
    eq(undo(r, last(r, "alias.add"))[1], "ok", "first the alias")
    eq(undo(r, last(r, "user.delete"))[1], "ok", "then the mailbox")

    # rules
    eq(undo(r, made)[1], "exists", "its creation is long past")
    r.ask("user.add", address="eve@a.test", hash=HASH)
    eq(undo(r, last(r))[1], "ok", "a creation is undone")
    eq(r.ask("removed.list")[0][0]["name"], "eve@a.test",
       "what may have come meanwhile is on record")
    r.ask("alias.add", address="info@a.test", targets="bob")
    r.ask("alias.add", address="help@a.test", targets="info")
    r.ask("alias.set", address="help@a.test", targets="bob")
    led = last(r)
    r.ask("alias.set", address="info@a.test", targets="help")
    got = undo(r, led)
    ok(got[1] == "invalid" and "itself" in got[2], "never into a loop")
    undo(r, last(r, "alias.set"))
    r.ask("alias.add", address="old@a.test", targets="bob")
    r.ask("alias.delete", address="old@a.test")
    gone = last(r)
    r.ask("user.delete", address="bob@a.test", force="yes")
    ok("There is no bob@a.test" in undo(r, gone)[2],
       "nor an alias to what is not there")
    eq(undo(r, gone, force="yes")[1], "ok", "but forced")
    undo(r, last(r, "user.delete"))

    # a whole domain
    dump = r.malle("dump").stdout
    r.ask("domain.delete", name="a.test", all="yes")
    eq(r.domains(), {}, "a domain deleted with its addresses")
    p = r.malle("undo", last(r))
    eq(p.returncode, 0, "is undone as one change, by any of its entries")
    eq(r.malle("dump").stdout, dump, "all of it is as it was")
    eq(r.ask("check")[0], [], "and so are the tables")
    r.ask("domain.add", name="b.test")
    new = last(r)
    r.ask("user.add", address="x@b.test", hash=HASH)
    eq(undo(r, new)[1], "invalid", "no domain goes under its mailboxes")
    undo(r, last(r))
    undo(r, new)
    eq(sorted(r.domains()), ["a.test"], "its creation is undone with all")
    r.ask("domain.add", name="c.test", alias_of="a.test")
    r.ask("domain.set", name="c.test", alias_of="")
    r.ask("user.add", address="x@c.test", hash=HASH)
    eq(undo(r, last(r, "domain.set"))[1], "invalid",
       "no domain with mailboxes becomes an alias")
    r.ask("relay.add", net="192.0.2.1")
    undo(r, last(r))
    eq(r.table("public/tables/access.cdb"), {}, "a permission undone")
    p = r.malle("undo", "1x", lang="fr_FR.UTF-8")
    ok(p.returncode == 65 and "nombre" in p.stderr, "said in French")
    eq(r.malle("undo").returncode, 64, "usage")

    # journals of older programs and of this one
    r.restart()
    eq(undo(r, last(r))[1], "ok", "after a restart")
    eq(r.violations(), [], "without leaving its role")


def dangling(r):
    """What is taken away again leaves nothing that leads to it: whoever gets
    the name next gets no right with it."""
    def owners():
        return [x["owner"] for x in r.ask("relay.list")[0]]

    def done(verdict, what):
        eq(verdict[1], "ok", what)
    r.ask("domain.add", name="m.test")
    r.ask("user.add", address="ann@m.test", hash=HASH)
    made = last(r)
    r.ask("relay.add", net="192.0.2.3", owner="ann@m.test")
    done(undo(r, made), "the creation of a mailbox that answers for hosts")
    eq(owners(), [], "takes the hosts along, as its deletion does")
    done(undo(r, last(r)), "undone in turn")
    eq(owners(), ["ann@m.test"], "all is there again")
    r.ask("relay.delete", net="192.0.2.3")
    r.ask("user.rename", address="ann@m.test", to="anna")
    r.ask("relay.add", net="192.0.2.4", owner="anna@m.test")
    done(undo(r, last(r, "user.rename")), "a mailbox gets its old name back")
    eq(owners(), ["ann@m.test"], "and what it got by the other one follows")
    r.ask("relay.delete", net="192.0.2.4")
    r.ask("user.delete", address="ann@m.test", force="yes")
    done(r.ask("user.restore", address="ann@m.test"), "deleted and restored")
    r.ask("relay.add", net="192.0.2.6", owner="ann@m.test")
    done(undo(r, last(r, "user.restore")), "the restoring is undone")
    eq(owners(), [], "its hosts go once more")
    done(undo(r, last(r)), "and this undone")
    eq(owners(), ["ann@m.test"], "they come with the mailbox")
    r.ask("relay.delete", net="192.0.2.6")
    r.ask("domain.add", name="n.test")
    made = last(r)
    r.ask("manager.add", name="chief", domains="m.test n.test")
    r.ask("relay.add", net="192.0.2.5", owner="postmaster@n.test")
    done(undo(r, made), "the creation of a domain")
    eq(r.ask("manager.show", name="chief")[0][0]["domains"], "m.test",
       "nobody manages it any more")
    eq(owners(), [], "nor do its mailboxes answer for anything")
    r.ask("manager.delete", name="chief")
    r.ask("user.delete", address="ann@m.test")


def whole_domain(r):
    """Mail that came meanwhile to mailboxes of a domain that goes with them."""
    r.malle("load", input="malleposte-registry 1\ndomain w.test\n"
            "user bob@w.test\nend 2\n")
    eq(undo(r, last(r))[1], "ok", "a domain that was loaded with a mailbox")
    eq([x["name"] for x in r.ask("removed.list")[0] if "w.test" in x["name"]],
       ["w.test", "bob@w.test", "postmaster@w.test"], "all is on record")
    r.ask("domain.add", name="w.test", force="yes")
    eq(r.ask("user.add", address="bob@w.test", hash=HASH)[1], "exists",
       "nobody gets the mail with the name")
    r.ask("user.add", address="bob@w.test", hash=HASH, force="yes")
    ok(b"bob-2" in r.secrets("w.test")["bob"], "not by force, either")
    r.ask("domain.delete", name="w.test", all="yes")


def suffixes(r):
    """What each domain must have is there after an undo, too."""
    r.ask("suffix.add", name="m.test", mandatory="legal")
    r.ask("suffix.delete", name="m.test")
    deleted = last(r, "suffix.delete")
    r.ask("domain.add", name="s.m.test")
    eq(undo(r, deleted)[1], "ok", "an end is asked for again")
    eq(sorted(r.addresses("s.m.test")), ["abuse", "legal", "postmaster"],
       "by domains that came meanwhile, too")
    r.ask("suffix.add", name="s.m.test", mandatory="noc")
    made = [x["id"] for x in r.ask("journal")[0] if x["kind"] == "suffix"][-1]
    r.ask("domain.add", name="s.s.m.test")
    eq(undo(r, made)[1], "ok", "the creation of an end is undone")
    eq(sorted(r.addresses("s.s.m.test")), ["legal", "noc", "postmaster"],
       "the next longer one holds, for all below it")


def purged(r):
    """Mail that is gone for good does not come back."""
    r.ask("user.add", address="tom@m.test", hash=HASH)
    r.malle("load", input="malleposte-registry 1\nremoved tom@m.test\n\tdate="
            "2026-01-01\n\tuid=64300\nend 1\n")
    r.ask("mailbox.purge", name="tom@m.test")
    ok(malle.until(lambda: r.ask("journal")[0][-1]["operation"] == "purge"),
       "a record goes when its mail is deleted")
    got = undo(r, last(r))
    ok(got[1] == "refused" and "for good" in got[2],
       "what is deleted for good is not undone: " + got[2])


def others_hosts(r):
    """Who restores a mailbox gets back what came with it, and no more."""
    chief = {"as": "chief", "current": "correct horse battery"}
    r.ask("manager.add", name="chief", domains="m.test",
          password=chief["current"])
    r.malle("load", input="malleposte-registry 1\nuser eva@m.test\n\thash=!\n"
            "relay 192.0.2.64/26\nend 2\n")
    eq(undo(r, last(r))[1], "ok", "a mailbox and hosts of nobody's")
    eq(r.ask("user.restore", address="eva@m.test", **chief)[1], "refused",
       "no manager has these hosts back")
    eq(r.ask("relay.list")[0], [], "indeed")
    eq(r.ask("user.restore", address="eva@m.test")[1], "ok",
       "whoever administers has both")
    r.ask("relay.set", net="192.0.2.64/26", owner="eva@m.test")
    r.ask("user.delete", address="eva@m.test")
    eq(r.ask("user.restore", address="eva@m.test", **chief)[1], "ok",
       "hosts that it answered for come with their mailbox")
    eq(len(r.ask("relay.list")[0]), 1, "by whomever it is restored")


with registryd.Registry() as r:
    dangling(r)
    whole_domain(r)
    suffixes(r)
    purged(r)
    others_hosts(r)
    eq(r.ask("check")[0], [], "the tables equal the registry")
    eq(r.violations(), [], "without leaving its role")
malle.done()
