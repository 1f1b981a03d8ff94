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
malle.done()
