#!/usr/bin/env python3
"""malle user list --usage: all mailboxes of a domain with what they hold."""
# SPDX-License-Identifier: ISC

import json
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import malle
from malle import eq, ok

SECRET = "correct horse battery"
MANY = 300


def put(m, name, size, account="bob", domain="exemple.test"):
    """A message as another program would have left it there."""
    base = os.path.join(m.base, "mail", domain)
    owner = os.stat(base)
    path = base
    for part in (account, "Maildir", "cur"):
        path = os.path.join(path, part)
        if not os.path.isdir(path):
            os.mkdir(path, 0o700)
            os.chown(path, owner.st_uid, owner.st_gid)
    path = os.path.join(path, name)
    with open(path, "wb") as f:
        f.write(b"x" * size)
    os.chown(path, owner.st_uid, owner.st_gid)


def rows(m, *more):
    out = m.malle("user", "list", "exemple.test", "--usage", *more).stdout
    return {r[0]: r[1:] for r in (line.split("\t")
                                  for line in out.splitlines())}


def test_list(m):
    m.malle("user", "list", "exemple.test", "--usage")
    m.malle("user", "rename", "eve@exemple.test", "eva@exemple.test")
    put(m, "1.a.host,S=900:2,S", 900)
    put(m, "2.b.host:2,S", 100)
    put(m, "3.c.host,S=7:2,S", 7, "eve")
    put(m, "4.d.host,S=5:2,S", 5, ".purged.1")
    m.malle("user", "set", "bob@exemple.test", "quota-bytes=1000000",
            "full-name=Bob Petit", "state=suspended")
    found = rows(m)
    eq(found["bob@exemple.test"],
       ["Bob Petit", "-", "2", "1000", "1000000", "suspended"],
       "4-52, 2-11: name, last login, messages, bytes, quota, state")
    eq(found["eva@exemple.test"][2:4], ["1", "7"],
       "4-52: one that was renamed, by its folder")
    eq(found["new@exemple.test"][2:4], ["0", "0"],
       "4-52: one to which no mail has come")
    eq(sorted(found), ["bob@exemple.test", "eva@exemple.test",
                       "new@exemple.test", "postmaster@exemple.test"],
       "4-52: all, and nothing that is put aside")
    eq(list(rows(m, "--limit", "1")), ["bob@exemple.test"], "some of them")
    path = m.maildir("bob@exemple.test") + "/maildirsize"
    with open(path, "w") as f:
        f.write("1000000S,0C\n5000 4\n-1000 -1\n")
    eq(rows(m)["bob@exemple.test"][2:4], ["3", "4000"],
       "4-52: maildirsize is believed")
    for text in ("", "1000000S\nx\n", "1S\n-5 -5\n"):
        with open(path, "w") as f:
            f.write(text)
        eq(rows(m)["bob@exemple.test"][2:4], ["2", "1000"],
           "4-52: one that is damaged is not: %r" % text)
        with open(path) as f:
            eq(f.read(), text, "and nothing is written")
    os.unlink(path)
    os.chmod(m.maildir("bob@exemple.test"), 0)
    eq(rows(m)["bob@exemple.test"][2:4], ["-", "-"],
       "4-52: of one that cannot be read nothing is said, not even 0")
    os.chmod(m.maildir("bob@exemple.test"), 0o700)
    ok("mailbox-failed mailbox=bob reason=\"Permission denied\"" in m.log(),
       "and why is in the log")
    out = m.malle("--json", "user", "list", "exemple.test", "--usage").stdout
    bob, = [r for r in map(json.loads, out.splitlines())
            if r["name"] == "bob@exemple.test"]
    eq((bob["used-messages"], bob["used-bytes"], bob["full-name"]),
       ("2", "1000", "Bob Petit"), "as JSON")


def test_who(m):
    """Whoever may see the domain's mailboxes, and nobody else."""
    def ask(who, domain="exemple.test"):
        return m.malle("--as", who, "user", "list", domain, "--usage",
                       input=SECRET + "\n", check=False)
    m.malle("manager", "add", "anne", "domains=exemple.test",
            "--password-stdin", input=SECRET + "\n")
    m.malle("manager", "add", "zoe", "domains=autre.test",
            "--password-stdin", input=SECRET + "\n")
    r = ask("anne")
    ok(r.returncode == 0 and "Bob Petit\t-\t2\t1000" in r.stdout,
       "a manager of the domain")
    r = ask("zoe")
    eq((r.returncode, r.stdout), (77, ""), "not one of another domain")
    r = ask("bob@exemple.test")
    eq((r.returncode, r.stdout), (77, ""), "nor the owner of a mailbox")
    r = m.malle("user", "list", "--usage", check=False)
    eq(r.returncode, 64, "one domain at a time")
    r = m.malle("user", "list", "nobody.test", "--usage", check=False)
    eq(r.returncode, 67, "a domain that is not ours")
    r = m.malle("user", "list", "autre.test", "--usage", check=False)
    ok(r.returncode == 65 and "another name" in r.stderr,
       "another name of a domain: " + r.stderr.strip())


def test_many(m):
    """One process answers for all."""
    m.domain("grand.test")
    text = "address\n" + "".join("u%d@grand.test\n" % i for i in range(MANY))
    path = os.path.join(m.dir, "many.csv")
    with open(path, "w") as f:
        f.write(text)
    m.malle("user", "import", path)
    m.malle("user", "list", "grand.test", "--usage")
    for i in range(MANY):
        put(m, "1.a.host,S=%d" % i, i, "u%d" % i, "grand.test")
    out = m.malle("user", "list", "grand.test", "--usage").stdout
    found = {r[0]: r[3:5] for r in (line.split("\t")
                                    for line in out.splitlines())}
    eq([found.get("u%d@grand.test" % i) for i in range(MANY)],
       [["1", str(i)] for i in range(MANY)], "%d mailboxes" % MANY)


with malle.Instance() as m:
    m.domain("exemple.test")
    m.domain("autre.test", "alias-of=exemple.test")
    for name in ("bob", "eve", "new"):
        m.user(name + "@exemple.test", SECRET)
    test_list(m)
    test_who(m)
    test_many(m)
    eq(m.violations(), [], "no call outside a role")
malle.done()
