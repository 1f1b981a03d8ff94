#!/usr/bin/env python3
"""malle mailbox: usage, the biggest messages, backup, restore, deleted mail."""
import gzip
import io
import json
import os
import shutil
import stat
import subprocess
import sys
import tarfile
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import malle
from malle import eq, ok, until

BOB = "bob@exemple.test"
SECRET = "correct horse battery"


def put(m, address, folder, part, name, content, when=1600000000):
    """A message as another program would have left it there."""
    base = m.maildir(address)
    where = os.path.join(base, folder, part) if folder else \
        os.path.join(base, part)
    for path in (os.path.dirname(base), base, os.path.dirname(where),
                 os.path.join(os.path.dirname(where), "tmp"),
                 os.path.join(os.path.dirname(where), "new"),
                 os.path.join(os.path.dirname(where), "cur")):
        if not os.path.isdir(path):
            os.mkdir(path, 0o700)
            own(m, path)
    path = os.path.join(where, name)
    with open(path, "wb") as f:
        f.write(content)
    os.utime(path, (when, when))
    own(m, path)
    return path


def own(m, path):
    domain = os.stat(os.path.join(m.base, "mail", "exemple.test"))
    os.chown(path, domain.st_uid, domain.st_gid)


def mail(subject, size=0, sender="Alice <alice@exemple.test>"):
    return ("From: %s\nDate: Sun, 13 Sep 2020 12:26:40 +0000\n"
            "Subject: %s\n\n" % (sender, subject)).encode() + \
        b"x" * size + b"\n"


def owner(m, *argv, secret=SECRET, **more):
    return m.malle(*argv, input=secret + "\n", **more)


def fill(m):
    # The folder of the domain is made by the first who opens a mailbox.
    owner(m, "mailbox", "list", BOB)
    put(m, BOB, "", "new", "1600000001.a.host,S=%d" % len(mail("new")),
        mail("new"))
    put(m, BOB, "", "cur", "1600000002.b.host:2,S", mail("seen", 5000))
    put(m, BOB, "", "cur", "1600000003.c.host:2,FRS",
        mail("=?utf-8?q?l'=C3=A9t=C3=A9?=", 90000))
    put(m, BOB, ".Sent", "cur", "1600000004.d.host:2,S", mail("sent", 700))
    put(m, BOB, ".Amis.Proches", "cur", "1600000005.e.host:2,", mail("amis"))


def snapshot(m, address):
    """Folder, part, unique, flags, content and time of each message."""
    found = []
    base = m.maildir(address)
    for where, _, files in os.walk(base):
        part = os.path.basename(where)
        if part not in ("new", "cur"):
            continue
        folder = os.path.relpath(os.path.dirname(where), base)
        for name in files:
            path = os.path.join(where, name)
            unique, _, flags = name.partition(":2,")
            with open(path, "rb") as f:
                found.append(("" if folder == "." else folder, part,
                              unique.split(",")[0], flags, f.read(),
                              int(os.stat(path).st_mtime)))
    return sorted(found)


def test_usage(m):
    rows = dict((l.split("\t")[0], tuple(map(int, l.split("\t")[1:])))
                for l in m.malle("mailbox", "usage", BOB).stdout.splitlines())
    before = snapshot(m, BOB)
    eq(rows["INBOX"][0], 3, "usage: messages of the inbox")
    eq(rows["Sent"], (1, len(mail("sent", 700))), "usage: of a folder")
    eq(rows["Amis.Proches"][0], 1, "usage: of a folder below another")
    eq(rows["total"], (5, sum(len(x[4]) for x in before)), "usage: the sum")
    shown = dict(l.split(": ", 1) for l in
                 m.malle("user", "show", BOB).stdout.splitlines())
    eq((shown["used-messages"], shown["used-bytes"]),
       ("5", str(rows["total"][1])), "user show: messages and bytes")
    m.malle("user", "set", BOB, "quota-bytes=200000")
    shown = json.loads(m.malle("user", "show", BOB, "--json").stdout)
    eq(shown["used-percent"], str(rows["total"][1] * 100 // 200000),
       "user show: how much of the quota, in one JSON object")
    r = m.malle("mailbox", "usage", "nobody@exemple.test", check=False)
    ok(r.returncode == 67 and "nobody@exemple.test" in r.stderr,
       "usage of nobody")
    m.user("empty@exemple.test")
    eq(m.malle("mailbox", "usage", "empty@exemple.test").stdout,
       "total\t0\t0\n", "usage of a mailbox that has no folder yet")
    ok(not os.path.exists(m.maildir("empty@exemple.test")),
       "and it has none then")


def test_biggest(m):
    r = owner(m, "mailbox", "biggest", BOB, "--limit", "2", "--json")
    rows = [json.loads(l) for l in r.stdout.splitlines()]
    eq([x["id"] for x in rows], ["1600000003.c.host", "1600000002.b.host"],
       "the biggest, the biggest first")
    eq(rows[0]["subject"], "l'été", "a subject decoded")
    eq(rows[0]["from"], "Alice <alice@exemple.test>", "who wrote it")
    eq(rows[0]["received"], "2020-09-13T12:26:40Z", "and when")
    eq(len(owner(m, "mailbox", "list", BOB).stdout.splitlines()), 5,
       "all messages listed")


def test_who_may(m):
    r = owner(m, "mailbox", "list", BOB, secret="a wrong one", check=False)
    eq(r.returncode, 77, "a wrong password lists nothing")
    eq(r.stdout, "", "and shows nothing")
    m.user("eve@exemple.test", "another fine secret 9")
    r = m.malle("--as", "eve@exemple.test", "mailbox", "list", BOB,
                input="another fine secret 9\n", check=False)
    eq(r.returncode, 77, "somebody else's password does not, either")
    m.malle("manager", "add", "admin", "--password-stdin",
            input="the keeper of keys 33\n")
    for what in (["list", BOB], ["backup", BOB, os.path.join(m.dir, "no.tar")],
                 ["biggest", BOB]):
        r = m.malle("--as", "admin", "mailbox", *what,
                    input="the keeper of keys 33\n", check=False)
        eq((r.returncode, r.stdout), (77, ""),
           "promise 3: an administrator may not read mail: " + what[0])
    r = m.malle("--as", "admin", "mailbox", "usage", BOB,
                input="the keeper of keys 33\n")
    ok("total\t5" in r.stdout, "but may count it")
    ok(not os.path.exists(os.path.join(m.dir, "no.tar")), "nothing was left")


def test_backup(m):
    path = os.path.join(m.dir, "bob.tar.gz")
    m.malle("user", "set", BOB, "full-name=Bob Martin", "vacation-text=Bye.\nB",
            "vacation-subject=Away")
    r = owner(m, "mailbox", "backup", BOB, path)
    ok("5 messages" in r.stderr, "a backup says how much it has")
    eq(stat.S_IMODE(os.stat(path).st_mode), 0o600, "for its owner only")
    with tarfile.open(path) as t:
        names = sorted(x.name.split(",")[0] for x in t.getmembers())
        settings = t.extractfile("settings.txt").read().decode()
    eq(names, ["mail/.Amis.Proches/cur/1600000005.e.host",
               "mail/.Sent/cur/1600000004.d.host",
               "mail/INBOX/cur/1600000002.b.host",
               "mail/INBOX/cur/1600000003.c.host",
               "mail/INBOX/new/1600000001.a.host", "settings.txt"],
       "an archive that tar can read, with all folders")
    ok("full-name: Bob Martin\n" in settings and
       "vacation-text: Bye.\n\tB\n" in settings, "with the settings as text")
    ok("hash" not in settings and "$y$" not in settings and
       "scram" not in settings, "without the password's hash")
    r = owner(m, "mailbox", "backup", BOB, path, check=False)
    eq(r.returncode, 73, "what is there is not written over")
    part = os.path.join(m.dir, "other.tar.part")
    with open(part, "w") as f:
        f.write("what is left of a backup that was cut short" * 1000)
    os.chmod(part, 0o644)
    r = owner(m, "mailbox", "backup", BOB, part[:-5], check=False)
    eq((r.returncode, os.path.exists(part[:-5])), (73, False),
       "nor is what others can read used")
    ok("remove it, or write to a folder of your own" in r.stderr,
       "and what to do is told: " + r.stderr)
    os.chmod(part, 0o600)
    owner(m, "mailbox", "backup", BOB, part[:-5])
    with tarfile.open(part[:-5]) as t:
        eq(len(t.getmembers()), 6, "one that was cut short is begun anew")
    os.unlink(part[:-5])
    if malle.ROOT:
        os.close(os.open(part, os.O_CREAT | os.O_WRONLY, 0o600))
        os.chown(part, 65534, 65534)
        r = owner(m, "mailbox", "backup", BOB, part[:-5], check=False)
        eq((r.returncode, os.path.getsize(part)), (73, 0),
           "nor what somebody else has laid there")
    return path


def test_restore(m, path):
    before = snapshot(m, BOB)
    r = owner(m, "mailbox", "restore", BOB, path)
    ok("0 written, 5 already there" in r.stderr, "a restore adds nothing twice")
    eq(snapshot(m, BOB), before, "and changes nothing")
    moved = [p for p in m.messages(BOB) if "600000001.a" in p][0]
    os.rename(moved, moved.replace("/new/", "/cur/") + ":2,S")
    r = owner(m, "mailbox", "restore", BOB, path)
    ok("0 written" in r.stderr, "not even what was read meanwhile")
    shutil.rmtree(m.maildir(BOB))
    r = owner(m, "mailbox", "restore", BOB, path, "1600000003.c.host")
    eq([x[2] for x in snapshot(m, BOB)], ["1600000003.c.host"],
       "one message by its id")
    rows = [l.split("\t") for l in
            m.malle("mailbox", "contents", path).stdout.splitlines()]
    eq([x[6] for x in rows if x[1] == "1600000003.c.host"], ["l'été"],
       "the contents of an archive are listed")
    number = [x[0] for x in rows if x[2] == "Sent"][0]
    owner(m, "mailbox", "restore", BOB, path, number)
    eq(len(snapshot(m, BOB)), 2, "one message by its number")
    r = owner(m, "mailbox", "restore", BOB, path)
    ok("3 written, 2 already there" in r.stderr, "and then the rest")
    eq(snapshot(m, BOB), before,
       "folders, flags, contents and times are what they were")
    for name in ("new", "cur", "tmp"):
        folder = os.stat(os.path.join(m.maildir(BOB), ".Sent", name))
        eq(stat.S_IMODE(folder.st_mode), 0o700, "a folder made: " + name)
    names = os.listdir(os.path.join(m.maildir(BOB), "cur"))
    ok(all(",S=" in n and ",W=" in n for n in names),
       "with sizes in the names")
    r = owner(m, "mailbox", "restore", BOB, path, "4711", check=False)
    eq(r.returncode, 67, "what is not in it cannot be restored")


def test_folder_names(m):
    """Names of folders as programs of different ages write them."""
    there = []
    for i, name in enumerate((".Envoy\u00e9s", ".Envoy\udce9s",
                              ".&AMk-t&AOk-", ".A b", ".L" * 127)):
        put(m, BOB, name, "cur", "170000000%d.n.host:2,S" % i, mail("n"))
        there.append((name, "cur", "170000000%d.n.host" % i, "S", mail("n"),
                      1600000000))
    path = os.path.join(m.dir, "names.tar.gz")
    r = owner(m, "mailbox", "backup", BOB, path, check=False)
    eq(r.returncode, 0, "a backup with folders of any name: " + r.stderr)
    for folder in there:
        shutil.rmtree(os.path.join(m.maildir(BOB), folder[0]))
    owner(m, "mailbox", "restore", BOB, path)
    eq([x for x in snapshot(m, BOB) if x in there], sorted(there),
       "and they come back by the very same names")
    for folder in there:
        shutil.rmtree(os.path.join(m.maildir(BOB), folder[0]))


def test_fault(m):
    """What cannot be read is told of in words, in both languages."""
    bad = put(m, BOB, "", "cur", "1700000009.f.host:2,S", mail("f"))
    os.chmod(bad, 0)
    path = os.path.join(m.dir, "fault.tar")
    for language, words in (("C", "the mailbox has failed: Permission denied"),
                            ("fr_FR.UTF-8", "la boîte est en panne")):
        m.env["LC_ALL"] = language
        r = owner(m, "mailbox", "backup", BOB, path, check=False)
        ok(r.returncode == 75 and words in r.stderr and
           "malle-mailbox" in r.stderr and not os.path.exists(path),
           "a backup that fails says why, and where to look: " + r.stderr)
    del m.env["LC_ALL"]
    os.unlink(bad)
    whole = io.BytesIO()
    with tarfile.open(fileobj=whole, mode="w") as t:
        info = tarfile.TarInfo("mail/INBOX/cur/1.cut:2,S")
        info.size = 5000
        t.addfile(info, io.BytesIO(b"x" * 5000))
    with open(path, "wb") as f:
        f.write(whole.getvalue()[:2000])
    r = owner(m, "mailbox", "restore", BOB, path, "--damaged", check=False)
    ok("1.cut" in r.stderr and "the message cannot be read" in r.stderr and
       "has failed" not in r.stderr, "what is the archive's fault is not told "
       "to be the mailbox's: " + r.stderr)


def test_settings(m, path):
    m.malle("user", "set", BOB, "full-name=Changed", "vacation-subject=")
    owner(m, "mailbox", "restore", BOB, path, "--settings")
    shown = m.malle("user", "show", BOB).stdout
    ok("full-name: Bob Martin\n" in shown and
       "vacation-subject: Away\n" in shown and "vacation-text: Bye., B\n" in
       shown, "settings come back when asked for")
    m.malle("user", "set", BOB, "owner-may=all -name")
    m.env["LC_ALL"] = "fr_FR.UTF-8"
    r = owner(m, "mailbox", "restore", BOB, path, "--settings", check=False)
    ok(r.returncode == 77 and "droit" in r.stderr,
       "a refusal is in the language of who asks")
    del m.env["LC_ALL"]
    m.malle("user", "set", BOB, "owner-may=")
    ok("quota-bytes: 200000" in shown, "those that are not the owner's do not")


def test_quota(m, path):
    m.malle("user", "set", BOB, "quota-bytes=20000")
    shutil.rmtree(m.maildir(BOB))
    r = owner(m, "mailbox", "restore", BOB, path, check=False)
    eq(r.returncode, 73, "a restore keeps to the quota")
    ok("quota" in r.stderr, "and says so")
    m.malle("user", "set", BOB, "quota-bytes=0")
    owner(m, "mailbox", "restore", BOB, path)
    eq(len(snapshot(m, BOB)), 5, "with room it is repeated")
    usage = open(os.path.join(m.maildir(BOB), "maildirsize")).read() \
        if os.path.exists(os.path.join(m.maildir(BOB), "maildirsize")) else ""
    m.malle("user", "set", BOB, "quota-bytes=0")
    ok(usage.count("\n") != 1, "maildirsize does not lie")


def test_hostile(m):
    path = os.path.join(m.dir, "hostile.tar")
    outside = os.path.join(m.dir, "escaped")
    with tarfile.open(path, "w") as t:
        for name in ("../escaped", outside, "mail/../../escaped",
                     "mail/INBOX/cur/../../../x", "mail/.A/../cur/x",
                     "mail/..x/cur/1.bad", "mail/INBOX/tmp/1.bad",
                     "mail/INBOX/cur/.hidden", "mail/INBOX/cur/a b",
                     "mail/INBOX/cur/x:2,S/y", "mail//cur/1.bad",
                     "mail/.a\nb/cur/1.bad", "mail/INBOX/cur/1.bad:2,S\n",
                     "mail/INBOX/cur/" + "n" * 300):
            info = tarfile.TarInfo(name)
            info.size = 5
            t.addfile(info, io.BytesIO(b"A: b\n"))
        for kind, name in ((tarfile.SYMTYPE, "mail/INBOX/cur/2.link"),
                           (tarfile.LNKTYPE, "mail/INBOX/cur/3.link"),
                           (tarfile.DIRTYPE, "mail/INBOX/cur/4.dir"),
                           (tarfile.FIFOTYPE, "mail/INBOX/cur/5.fifo")):
            info = tarfile.TarInfo(name)
            info.type = kind
            info.linkname = "/etc/passwd"
            t.addfile(info)
        info = tarfile.TarInfo("./mail/INBOX/cur/6.good:2,S")
        info.size = 5
        t.addfile(info, io.BytesIO(b"A: b\n"))
    before = snapshot(m, BOB)
    r = owner(m, "mailbox", "restore", BOB, path)
    new = [x for x in snapshot(m, BOB) if x not in before]
    eq([x[2] for x in new], ["6.good"],
       "of a hostile archive only what names a message is taken")
    ok(not os.path.exists(outside), "and nothing is written elsewhere")
    with open(path, "r+b") as f:
        f.truncate(700)
    r = owner(m, "mailbox", "restore", BOB, path, check=False)
    eq(r.returncode, 65, "an archive that is cut off is refused")
    test_cut(m)
    with open(path, "wb") as f:
        f.write(os.urandom(4096))
    r = owner(m, "mailbox", "restore", BOB, path, check=False)
    ok(r.returncode in (65, 66), "one that is none, too")


def test_remove(m):
    n = len(snapshot(m, BOB))
    owner(m, "mailbox", "remove", BOB, "6.good", "1600000004.d.host")
    eq(len(snapshot(m, BOB)), n - 2, "messages are removed by their ids")
    r = owner(m, "mailbox", "remove", BOB, "6.good", check=False)
    eq(r.returncode, 67, "once")


def test_own_aliases(m):
    r = owner(m, "alias", "own-add", BOB, "bobby", check=False)
    eq(r.returncode, 77, "3-08: no alias of one's own unless granted")
    m.malle("user", "set", BOB, "own-aliases=2")
    owner(m, "alias", "own-add", BOB, "bobby")
    owner(m, "alias", "own-add", BOB, "rob@exemple.test")
    eq(owner(m, "alias", "own-list", BOB).stdout,
       "bobby@exemple.test\tactive\nrob@exemple.test\tactive\n", "two are")
    r = owner(m, "alias", "own-add", BOB, "third", check=False)
    ok(r.returncode == 77 and "2" in r.stderr, "and no third")
    ok("targets: " + BOB in m.malle("alias", "show", "rob@exemple.test").stdout,
       "they lead to the mailbox")
    owner(m, "alias", "own-delete", BOB, "bobby")
    for alias, why in (("postmaster", "the one that must be there"),
                       ("eve@exemple.test", "somebody else's mailbox"),
                       ("support", "the name of a function"),
                       ("x@autre.test", "in another domain"),
                       ("a b", "no name")):
        r = owner(m, "alias", "own-add", BOB, alias, check=False)
        ok(r.returncode != 0, "not " + why)
    r = owner(m, "alias", "own-delete", BOB, "abuse", check=False)
    eq(r.returncode, 77, "nor are others' aliases deleted")
    r = m.malle("--as", "eve@exemple.test", "alias", "own-delete", BOB, "rob",
                input="another fine secret 9\n", check=False)
    eq(r.returncode, 77, "nor theirs by others")
    m.malle("--as", BOB, "user", "set", BOB, "own-aliases=9",
            input=SECRET + "\n", check=False)
    ok("own-aliases: 2" in m.malle("user", "show", BOB).stdout,
       "the number is not the owner's to set")


def test_self_service(m):
    """3-08: what the owner of a mailbox does with nobody's help."""
    def own(*argv, secret=SECRET, more=""):
        return m.malle("--as", BOB, *argv, input=secret + "\n" + more,
                       check=False)
    eq(own("user", "set", BOB, "forward=bob@ailleurs.test",
           "keep=yes").returncode, 0, "3-08: forwards")
    eq(own("user", "set", BOB, "vacation-text=Bye.", "vacation=yes",
           "vacation-start=now").returncode, 0, "3-08: is absent")
    shown = own("user", "show", BOB).stdout
    ok("forward: bob@ailleurs.test" in shown and "vacation: yes" in shown and
       "used-messages: " in shown, "3-08: sees it, and the disk usage")
    eq(own("user", "set", BOB, "quota-bytes=0").returncode, 77,
       "but gives itself no room")
    fresh = "seven oranges on a staple"
    eq(own("user", "passwd", BOB, "--password-stdin",
           more=fresh + "\n").returncode, 0, "3-08: changes the password")
    eq(own("mailbox", "list", BOB).returncode, 77, "the old one is over")
    eq(own("mailbox", "list", BOB, secret=fresh).returncode, 0,
       "the new one opens the mailbox")
    m.malle("user", "passwd", BOB, "--password-stdin", input=SECRET + "\n")


def test_cut(m):
    """A plain tar that ends with a member: whole but for its end."""
    space = io.BytesIO()
    ends = []
    with tarfile.open(fileobj=space, mode="w", format=tarfile.GNU_FORMAT) as t:
        for i in range(3):
            info = tarfile.TarInfo("mail/INBOX/cur/%d.cut:2,S" % i)
            info.size = 512
            t.addfile(info, io.BytesIO(b"Subject: x\n\n" + b"y" * 500))
            ends.append(t.offset)
    whole = space.getvalue()
    before = snapshot(m, BOB)
    path = os.path.join(m.dir, "between.tar")
    for name, data in (("plain", whole[:ends[1]]),
                       ("compressed", gzip.compress(whole[:ends[1]])),
                       ("in a member", whole[:ends[1] + 700]),
                       ("in a header", whole[:ends[1] + 100])):
        with open(path, "wb") as f:
            f.write(data)
        r = owner(m, "mailbox", "restore", BOB, path, check=False)
        ok(r.returncode == 65 and snapshot(m, BOB) == before,
           "an archive cut between two members changes nothing: " + name)
    ok("damaged" in r.stderr and "--damaged" in r.stderr, "and says so")
    eq(m.malle("mailbox", "contents", path, check=False).returncode, 65,
       "its contents are not all there")
    for n in (512, 1024):
        with open(path, "wb") as f:
            f.write(whole[:ends[2] + n])
        eq(m.malle("mailbox", "contents", path, check=False).returncode, 0,
           "%d zeros are an end" % n)
    with open(path, "wb") as f:
        f.write(whole[:ends[1]])
    r = owner(m, "mailbox", "restore", BOB, path, "--damaged", check=False)
    eq((r.returncode, len(snapshot(m, BOB)) - len(before)), (65, 2),
       "what can be read of it comes back when that is asked for")


def test_interrupted(m):
    """A restore whose program dies is repeated."""
    path = os.path.join(m.dir, "many.tar")
    with tarfile.open(path, "w") as t:
        for i in range(600):
            info = tarfile.TarInfo("mail/INBOX/cur/%d.m:2,S" % i)
            info.size = len(mail("n"))
            t.addfile(info, io.BytesIO(mail("n")))
    with open(path, "rb") as f:
        all_of_it = f.read()
    m.user("carol@exemple.test", SECRET)
    cut = os.path.join(m.dir, "cut.tar")
    with open(cut, "wb") as f:
        f.write(all_of_it[:len(all_of_it) // 2 + 100])
    r = owner(m, "mailbox", "restore", "carol@exemple.test", cut, check=False)
    ok(r.returncode == 65 and snapshot(m, "carol@exemple.test") == [],
       "an archive that is cut in a member changes nothing")
    r = owner(m, "mailbox", "restore", "carol@exemple.test", cut, "--damaged",
              check=False)
    eq(r.returncode, 65, "a restore that is cut short says so")
    half = len(snapshot(m, "carol@exemple.test"))
    ok(0 < half < 600, "with what came before in place: %d" % half)
    owner(m, "mailbox", "restore", "carol@exemple.test", path)
    eq(len(snapshot(m, "carol@exemple.test")), 600, "and is repeated whole")
    eq(os.listdir(os.path.join(m.maildir("carol@exemple.test"), "tmp")), [],
       "with nothing left in tmp")


def test_killed(m):
    """malle-mailbox killed in the middle of a restore."""
    dave = "dave@exemple.test"
    m.user(dave, SECRET)
    space = io.BytesIO()
    with tarfile.open(fileobj=space, mode="w") as t:
        for i in range(400):
            info = tarfile.TarInfo("mail/INBOX/cur/%d.k:2,S" % i)
            info.size = len(mail("k", 3000))
            t.addfile(info, io.BytesIO(mail("k", 3000)))
    whole = space.getvalue()

    def worker():
        for pid in malle.children(m.pid("malle-spawn")):
            if malle._argv0(pid) == "malle-mailbox":
                return pid
        return None
    ok(until(lambda: worker() is None), "those of the tests before have ended")
    with subprocess.Popen(
            [os.path.join(malle.BIN, "malle"), "-c", m.conf_path, "--as", dave,
             "mailbox", "restore", dave, "-"], stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as restore:
        restore.stdin.write(SECRET.encode() + b"\n" + whole[:len(whole) // 2])
        restore.stdin.flush()
        ok(until(lambda: len(m.messages(dave)) >= 64), "a restore is under way")
        os.kill(worker(), 9)
        try:
            restore.stdin.write(whole[len(whole) // 2:])
            restore.stdin.close()
        except BrokenPipeError:
            pass
        told = restore.stderr.read().decode()
        restore.stdin = None
    ok(restore.returncode != 0 and "mailbox" in told,
       "its end is told to who waits for it")
    kept = m.messages(dave)
    ok(64 <= len(kept) < 400 and
       all(os.path.getsize(p) == len(mail("k", 3000)) for p in kept),
       "what is there is whole: %d" % len(kept))
    space = os.path.join(m.dir, "whole.tar")
    with open(space, "wb") as f:
        f.write(whole)
    owner(m, "mailbox", "restore", dave, space)
    eq(len(m.messages(dave)), 400, "and the rest comes when it is repeated")


with malle.Instance() as m:
    m.domain("exemple.test")
    m.user(BOB, SECRET)
    fill(m)
    test_usage(m)
    test_biggest(m)
    test_who_may(m)
    archive = test_backup(m)
    test_restore(m, archive)
    test_folder_names(m)
    test_fault(m)
    test_settings(m, archive)
    test_quota(m, archive)
    test_hostile(m)
    test_remove(m)
    test_own_aliases(m)
    test_self_service(m)
    test_interrupted(m)
    test_killed(m)
    eq(m.violations(), [], "no call outside a role")
malle.done()
