#!/usr/bin/env python3
"""Deleted mail: kept for 30 days, then gone, and the name free again."""
import os
import shutil
import smtplib
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import malle
from malle import eq, ok, until

SECRET = "correct horse battery"
OLD = "2020-01-01T00:00:00Z"


def put(m, address, text="A: b\n\nc\n"):
    """One message, delivered by hand into a mailbox of ours."""
    m.malle("--as", address, "mailbox", "restore", address, archive(m, text),
            input=SECRET + "\n")


def archive(m, text):
    import io
    import tarfile
    path = os.path.join(m.dir, "one.tar")
    with tarfile.open(path, "w") as t:
        info = tarfile.TarInfo("mail/INBOX/cur/1.x:2,S")
        info.size = len(text)
        t.addfile(info, io.BytesIO(text.encode()))
    return path


def folder(m, address):
    return os.path.dirname(m.maildir(address))


def records(m):
    return [l.split("\t")[0] for l in
            m.malle("mailbox", "deleted").stdout.splitlines()]


def make_old(m, *names, date=OLD):
    """The records of these say that they were deleted then."""
    out, mine = [], False
    for line in m.malle("dump").stdout.splitlines():
        if not line.startswith("\t"):
            mine = line.split() in [["removed", n] for n in names]
        if mine and line.startswith("\tdate="):
            line = "\tdate=" + date
        out.append(line)
    m.malle("load", "--update", input="\n".join(out) + "\n")


def test_kept(m):
    put(m, "bob@exemple.test")
    m.malle("user", "delete", "bob@exemple.test")
    eq(records(m), ["bob@exemple.test"], "a deleted mailbox is on record")
    ok(len(m.messages("bob@exemple.test")) == 1, "with its mail on the disk")
    m.malle("user", "restore", "bob@exemple.test")
    eq(len(m.messages("bob@exemple.test")), 1, "and comes back with it")
    r = m.malle("mailbox", "purge", "bob@exemple.test", check=False)
    eq(r.returncode, 67, "a mailbox of today cannot be purged")


def test_purge(m):
    put(m, "carol@exemple.test")
    outside = os.path.join(m.dir, "outside")
    with open(outside, "w") as f:
        f.write("here")
    # What its owner may have made there.
    os.symlink(outside, os.path.join(folder(m, "carol@exemple.test"), "link"))
    os.symlink(m.dir, os.path.join(folder(m, "carol@exemple.test"), "dir"))
    deep = os.path.join(folder(m, "carol@exemple.test"), "a", "b", "c")
    os.makedirs(deep)
    for path in (deep, os.path.dirname(deep),
                 os.path.dirname(os.path.dirname(deep))):
        own(m, path)
        os.chmod(path, 0)
    m.malle("user", "delete", "carol@exemple.test")
    r = m.user_fails("carol@exemple.test")
    ok("carol@exemple.test" in r, "9-03: the name is reserved")
    m.malle("mailbox", "purge", "carol@exemple.test")
    ok(until(lambda: "carol@exemple.test" not in records(m)),
       "a purge that was asked for is done")
    ok(not os.path.exists(folder(m, "carol@exemple.test")), "all is gone")
    ok(open(outside).read() == "here" and os.path.exists(m.base),
       "and nothing that a link led to")
    eq(hidden(m), [], "nothing is left aside")
    m.user("carol@exemple.test", SECRET)
    eq(m.malle("mailbox", "usage", "carol@exemple.test").stdout,
       "total\t0\t0\n", "the name is free, without the old mail")
    ok("operation=purge" not in m.log(), "nobody asked the registry for it")
    ok("purge" in m.malle("journal", "carol@exemple.test").stdout,
       "the journal has it")


def own(m, path):
    st = os.stat(os.path.join(m.base, "mail", "exemple.test"))
    os.chown(path, st.st_uid, st.st_gid)


def hidden(m):
    return [n for n in os.listdir(os.path.join(m.base, "mail", "exemple.test"))
            if n.startswith(".")]


def test_grace(m):
    for name in ("dave", "eve"):
        m.user(name + "@exemple.test", SECRET)
        put(m, name + "@exemple.test")
        m.malle("user", "delete", name + "@exemple.test")
    make_old(m, "dave@exemple.test")
    make_old(m, "eve@exemple.test", date=time.strftime(
        "%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - 29 * 86400)))
    # A purge that was cut short has left something.
    left = os.path.join(m.base, "mail", "exemple.test", ".purged.1.2")
    os.mkdir(left)
    own(m, left)
    m.kill("malle-registryd")
    ok(until(lambda: records(m) == ["eve@exemple.test"]),
       "after 30 days the record goes")
    ok(not os.path.exists(folder(m, "dave@exemple.test")), "with the mail")
    eq(len(m.messages("eve@exemple.test")), 1, "not before")
    eq(hidden(m), [], "what an earlier purge has left goes too")


def test_in_use(m):
    """A folder that somebody of today has is left alone."""
    m.user("frank@exemple.test", SECRET)
    put(m, "frank@exemple.test")
    m.malle("user", "delete", "frank@exemple.test")
    dump = m.malle("dump").stdout
    lines = dump.splitlines()
    at = lines.index("removed frank@exemple.test")
    mine = [lines[at]]
    while lines[at + len(mine)].startswith("\t"):
        mine.append(lines[at + len(mine)])
    m.malle("user", "restore", "frank@exemple.test")
    m.malle("load", input="\n".join(lines[:1] + mine + ["end 1"]) + "\n")
    make_old(m, "frank@exemple.test")
    m.kill("malle-registryd")
    ok(until(lambda: "frank@exemple.test" not in records(m)),
       "the record of a mailbox that is there again goes")
    eq(len(m.messages("frank@exemple.test")), 1, "its mail stays")


def test_domain(m):
    m.domain("autre.test")
    m.user("bob@autre.test", SECRET)
    put(m, "bob@autre.test")
    m.malle("domain", "delete", "autre.test", "--all")
    where = os.path.join(m.base, "mail", "autre.test")
    ok(os.path.isdir(where), "the mail of a deleted domain stays")
    gone = [n for n in records(m) if n.endswith("autre.test")]
    ok("autre.test" in gone and "bob@autre.test" in gone, "on record")
    make_old(m, *gone)
    m.kill("malle-registryd")
    ok(until(lambda: not [n for n in records(m) if n.endswith("autre.test")]),
       "for 30 days")
    ok(until(lambda: not os.path.exists(where)), "then the folder goes")
    m.domain("autre.test")
    ok(True, "and the domain can be made again")


def test_answers(m):
    """Whom an absence has answered goes with the mailbox, and with the domain."""
    m.domain("absent.test")
    for name in ("gus", "iris"):
        m.user(name + "@absent.test", SECRET, "vacation=yes", "vacation-text=x")
        with smtplib.SMTP("127.0.0.1", m.ports["smtp"], "client.test") as s:
            s.sendmail("zoe@free.test", [name + "@absent.test"], "To: %s@absent.test\r\n\r\nx\r\n" % name)
    where = os.path.join(m.base, "mail", "absent.test", ".answers")
    ok(until(lambda: m.log().count(" answered to=") == 2) and sorted(os.listdir(where)) == ["gus", "iris"],
       "two who are away have answered")
    m.malle("user", "delete", "gus@absent.test")
    m.malle("mailbox", "purge", "gus@absent.test")
    ok(until(lambda: "gus@absent.test" not in records(m)), "one of them goes")
    eq(os.listdir(where), ["iris"], "and whom he has answered")
    m.malle("domain", "delete", "absent.test", "--all")
    gone = [n for n in records(m) if n.endswith("absent.test")]
    make_old(m, *gone)
    m.kill("malle-registryd")
    ok("absent.test" in gone and until(lambda: not os.path.exists(os.path.dirname(where))),
       "the folder of a domain goes, with what was answered in it")


def test_failing(m):
    """What cannot be removed is told with its reason."""
    m.user("gus@exemple.test", SECRET)
    put(m, "gus@exemple.test")
    path = folder(m, "gus@exemple.test")
    for _ in range(70):
        path = os.path.join(path, "d")
        os.mkdir(path)
        own(m, path)
    m.malle("user", "delete", "gus@exemple.test")
    m.malle("mailbox", "purge", "gus@exemple.test", check=False)
    ok(until(lambda: 'mailbox=gus reason="Too many levels' in m.log()),
       "too deep: said why")
    for name in hidden(m):
        shutil.rmtree(os.path.join(m.base, "mail", "exemple.test", name))


class Instance(malle.Instance):
    def user_fails(self, address):
        r = self.malle("user", "add", address, "--password-stdin",
                       input=SECRET + "\n", check=False)
        return r.stderr if r.returncode else ""


with Instance() as m:
    m.domain("exemple.test")
    m.user("bob@exemple.test", SECRET)
    m.user("carol@exemple.test", SECRET)
    test_kept(m)
    test_purge(m)
    test_grace(m)
    test_in_use(m)
    test_domain(m)
    test_answers(m)
    test_failing(m)
    eq(m.violations(), [], "no call outside a role")
malle.done()
