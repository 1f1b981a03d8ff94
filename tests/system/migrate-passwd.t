#!/usr/bin/env python3
"""malle migrate passwd and maildir: users of a system, trees of Maildirs."""
import json
import os
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import malle
from malle import eq, ok

if not malle.SEPARATE:
    malle.skip_all("only root can read as another user")

SECRET = "correct horse battery"
HASH = subprocess.run(["openssl", "passwd", "-6", "-salt", "abcdefgh", SECRET],
                      check=True, capture_output=True, text=True).stdout.strip()
BOB, ALICE = 64291, 64292


def write(path, content, uid=0, when=None):
    made = []
    folder = os.path.dirname(path)
    while not os.path.isdir(folder):
        made.append(folder)
        folder = os.path.dirname(folder)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as f:
        f.write(content)
    for name in made + [path]:
        os.chown(name, uid, uid)
    if when:
        os.utime(path, (when, when))
    return path


def migrate(m, *argv):
    r = m.malle("migrate", *argv, "--json", check=False)
    return r, [json.loads(l) for l in r.stdout.splitlines()]


def show(m, what, name):
    r = m.malle(what, "show", name, "--json", check=False)
    return json.loads(r.stdout) if r.returncode == 0 else None


def outcome(rows, kind, name):
    return [x["outcome"] for x in rows
            if x["kind"] == kind and x["name"] == name]


def test_passwd(m):
    root = os.path.join(m.dir, "root")
    os.makedirs(os.path.join(root, "home"))
    passwd = write(os.path.join(root, "etc/passwd"),
                   "root:x:0:0:root:/root:/bin/sh\n"
                   "daemon:x:1:1::/:/bin/false\n"
                   "bob:x:%d:%d:Bob Martin,Office,,:/home/bob:/bin/sh\n"
                   "alice:x:%d:%d:Alice:/home/alice:/bin/sh\n"
                   "nobody:x:65534:65534::/:/bin/false\n"
                   % (BOB, BOB, ALICE, ALICE))
    shadow = write(os.path.join(root, "etc/shadow"),
                   "root:%s:1::::::\nbob:%s:1::::::\nalice:!:1::::::\n"
                   % (HASH, HASH))
    aliases = write(os.path.join(root, "etc/aliases"),
                    "# local\nmailer-daemon: postmaster\nvente: bob,\n"
                    "\talice@b.test, \"|/bin/x a\"\nnul: /dev/null\n"
                    "root: bob\ninc: :include:/etc/list\n")
    write(os.path.join(root, "home/bob/.forward"),
          "\\bob, bob@out.test\n", BOB)
    write(os.path.join(root, "home/alice/.forward"),
          "alice@out.test\n\"|/usr/bin/vacation alice\"\n", ALICE)
    write(os.path.join(root, "home/bob/Maildir/cur/1.a:2,S"),
          "Subject: a\n\n", BOB, 1200000000)
    write(os.path.join(root, "home/bob/Maildir/.Sent/new/2.b"),
          "Subject: b\n\n", BOB, 1200000001)
    more = ["passwd", "--domain", "p.test", "--passwd", passwd, "--shadow",
            shadow, "--aliases", aliases, "--root", root, "--uid-first",
            str(BOB)]
    # Numbers of people end below those of the test's users.
    r, rows = migrate(m, *more)
    eq(outcome(rows, "user", "bob@p.test"), [],
       "numbers above those of people are nobody's")
    with open(passwd) as f:
        text = f.read()
    with open(passwd, "w") as f:
        f.write(text.replace(str(BOB), "2001").replace(str(ALICE), "2002"))
    more[-1] = "1000"
    r, rows = migrate(m, *more)
    bob = show(m, "user", "bob@p.test")
    eq((bob["full-name"], bob["password"], bob["forward"], bob["keep"]),
       ("Bob Martin", "set", "bob@out.test", "yes"),
       "name, password, .forward with a copy kept")
    alice = show(m, "user", "alice@p.test")
    eq((alice["password"], alice["forward"], alice["keep"]),
       ("locked", "alice@out.test", "no"), "locked; .forward without a copy")
    ok(outcome(rows, "program", "alice@p.test") == ["left out"],
       "a program in .forward is named, not run")
    ok(show(m, "user", "root@p.test") is None and
       show(m, "user", "daemon@p.test") is None, "people only")
    eq(set(show(m, "alias", "vente@p.test")["targets"].split("\\x0a")),
       {"bob@p.test", "alice@b.test"}, "an alias, a line that goes on")
    eq(show(m, "alias", "root@p.test")["targets"], "bob@p.test",
       "root's mail goes to somebody")
    eq(len(m.messages("bob@p.test")), 1, "~/Maildir")
    sent = os.listdir(os.path.join(m.maildir("bob@p.test"), ".Sent", "new"))
    ok(len(sent) == 1 and sent[0].startswith("2.b,S=12,W=14"), "its folders")
    r = m.malle("--as", "bob@p.test", "user", "show", "bob@p.test",
                input=SECRET + "\n", check=False)
    eq(r.returncode, 0, "the old password works")
    r, rows = migrate(m, *more)
    ok(outcome(rows, "user", "bob@p.test") == ["there"] and
       outcome(rows, "mail", "bob@p.test") == ["there"] and
       len(m.messages("bob@p.test")) == 1, "repeated, nothing changes")


def test_maildir(m):
    top = os.path.join(m.dir, "tree")
    write(os.path.join(top, "c.test/carol/cur/1.c:2,S"), "Subject: c\n\n",
          ALICE)
    write(os.path.join(top, "c.test/dave/Maildir/new/1.d"), "Subject: d\n\n",
          ALICE)
    write(os.path.join(top, "notes"), "x")
    r, rows = migrate(m, "maildir", top)
    eq(r.returncode, 0, "a tree of Maildirs")
    eq((len(m.messages("carol@c.test")), len(m.messages("dave@c.test"))),
       (1, 1), "the folder itself, or Maildir in it")
    eq(show(m, "user", "carol@c.test")["password"], "locked",
       "no password is made up")
    listed = write(os.path.join(m.dir, "list.csv"),
                   "# address, Maildir, hash, name\n"
                   "eve@d.test,c.test/carol,%s,Eve Durand\n"
                   "frank@d.test,../root,,\n"
                   "no address,x\n"
                   "gina@d.test\n" % HASH)
    r, rows = migrate(m, "maildir", top, "--list", listed)
    eve = show(m, "user", "eve@d.test")
    eq((eve["full-name"], eve["password"]), ("Eve Durand", "set"),
       "a list with hashes and names")
    eq(len(m.messages("eve@d.test")), 1, "and folders")
    eq(outcome(rows, "mail", "frank@d.test"), ["FAILED"],
       "a path that climbs is refused")
    ok(show(m, "user", "gina@d.test") is not None, "the address is enough")
    eq(r.returncode, 65, "what failed shows in the exit status")


with malle.Instance() as m:
    test_passwd(m)
    test_maildir(m)
    r = m.malle("migrate", "vpopmail", "relative", check=False)
    ok(r.returncode == 66 and "full path" in r.stderr, "a relative path")
    eq(m.violations(), [], "no call outside a role")
malle.done()
