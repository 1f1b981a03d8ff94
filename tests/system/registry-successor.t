#!/usr/bin/env python3
"""registry-successor - a mailbox with the name of one that was deleted: neither gets the mail of the other (inventory 9-03, 9-05)."""
import json
import os
import poplib
import smtplib
import ssl
import sys
import tarfile
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import malle
from malle import eq, ok

ANNE = "anne@exemple.test"
FIRST, SECOND = "correct horse battery", "another staple entirely"


def pop3(m, password, name=ANNE):
    """The subjects that POP3 shows, or the refusal."""
    p = poplib.POP3_SSL("127.0.0.1", m.ports["pop3s"], context=ssl._create_unverified_context(), timeout=60)
    try:
        p.user(name)
        p.pass_(password)
        return [line.decode() for n in range(p.stat()[0]) for line in p.top(n + 1, 0)[1] if line.startswith(b"Subject")]
    except poplib.error_proto as e:
        return str(e)
    finally:
        p.close()


def send(m, subject, to=ANNE):
    with smtplib.SMTP("127.0.0.1", m.ports["smtp"], "client.test", timeout=60) as s:
        s.sendmail("zoe@free.test", [to], "Subject: %s\r\n\r\ntext\r\n" % subject)


def own(m, password, *argv, check=True):
    return m.malle("--as", ANNE, *argv, input=password + "\n", check=check)


def records(m):
    return {line.split("\t")[0] for line in m.malle("mailbox", "deleted").stdout.splitlines()}


def files(m, folder):
    out = []
    for path, _, names in os.walk(os.path.join(m.base, "mail", "exemple.test", folder)):
        out += [os.path.join(path, name) for name in names if "/Maildir/" in path + "/" and path[-3:] in ("new", "cur")]
    return sorted(out)


def arrived(m, folder, n):
    return malle.until(lambda: len(files(m, folder)) == n, malle.PATIENCE)


def change(m, operation):
    """The last change of that kind about Anne."""
    rows = [json.loads(line) for line in m.malle("journal", ANNE, "--json").stdout.splitlines()]
    return str([row["id"] for row in rows if row["operation"] == operation][-1])


def taken_again(m):
    m.user(ANNE, FIRST)
    send(m, "for the first")
    ok(arrived(m, "anne", 1), "the first one has mail")
    own(m, FIRST, "mailbox", "backup", ANNE, os.path.join(m.dir, "first.tar"))
    m.malle("user", "delete", ANNE)
    first = files(m, "anne")
    r = m.malle("user", "add", ANNE, "--password-stdin", input=SECOND + "\n", check=False)
    ok(r.returncode == 73 and "malle user restore" in r.stderr and "--force" in r.stderr, "9-03: reserved: " + r.stderr)
    m.malle("user", "add", ANNE, "--password-stdin", "--force", input=SECOND + "\n")
    ok(FIRST != SECOND and "refused" not in str(pop3(m, SECOND)), "9-03: or forced")
    eq(pop3(m, SECOND), [], "9-05: POP3 shows nothing to the second one")
    ok(isinstance(pop3(m, FIRST), str), "9-05: the first password opens nothing")
    eq(own(m, SECOND, "mailbox", "list", ANNE).stdout, "", "9-05: nor is there anything to list")
    path = os.path.join(m.dir, "second.tar")
    own(m, SECOND, "mailbox", "backup", ANNE, path)
    with tarfile.open(path) as t:
        eq([i.name for i in t if i.isfile() and "/INBOX" in i.name], [], "9-05: nor to copy")
    send(m, "for the second")
    ok(arrived(m, "anne-2", 1), "new mail has a folder of its own")
    own(m, SECOND, "mailbox", "restore", ANNE, os.path.join(m.dir, "first.tar"))
    eq(len(files(m, "anne-2")), 2, "what is restored goes there")
    eq(files(m, "anne"), first, "9-05: the first one's mail is as it was")
    eq(records(m), {ANNE}, "and on record")


def neither(m):
    for r in (m.malle("user", "restore", ANNE, check=False), m.malle("undo", change(m, "user.delete"), check=False)):
        ok(r.returncode == 73 and "is another mailbox since 20" in r.stderr and "Neither gets the mail" in r.stderr,
           "9-05: the first one does not come back now: " + r.stderr)
    first = change(m, "user.delete")
    m.malle("user", "delete", ANNE)
    eq(records(m), {ANNE, "anne-2@exemple.test"}, "9-03: of two, both are on record")
    m.malle("undo", first)
    eq(pop3(m, FIRST), ["Subject: for the first"], "9-05: the first one is back, with its mail and password")
    eq(records(m), {"anne-2@exemple.test"}, "the second one's is kept")
    r = m.malle("user", "restore", "anne-2@exemple.test", check=False)
    ok("is another mailbox since" in r.stderr, "9-05: which does not come back now")
    m.malle("user", "delete", ANNE)
    m.malle("user", "restore", "anne-2@exemple.test")
    eq(sorted(pop3(m, SECOND)), ["Subject: for the first", "Subject: for the second"], "but when the name is free")
    eq(records(m), {ANNE}, "of two, one is on record")
    m.malle("user", "rename", ANNE, "anna")
    m.malle("alias", "delete", ANNE)
    m.malle("user", "restore", ANNE)
    eq(pop3(m, FIRST), ["Subject: for the first"], "renamed, it makes room for the other one")
    eq(len(pop3(m, SECOND, "anna@exemple.test")), 2, "and keeps its own mail")
    eq(records(m), set(), "nothing is left on record")


def purged(m):
    """The time of the first one is over."""
    m.malle("user", "delete", ANNE)
    m.malle("user", "add", ANNE, "--password-stdin", "--force", input=SECOND + "\n")
    send(m, "for the third")
    ok(arrived(m, "anne-3", 1), "a third one")
    m.malle("mailbox", "purge", ANNE)
    ok(malle.until(lambda: records(m) == set(), malle.PATIENCE), "the record goes")
    eq((files(m, "anne"), pop3(m, SECOND)), ([], ["Subject: for the third"]), "9-05: with the first one's mail and no other")
    # What an undo of the third one's creation leaves is on record, too.
    m.malle("user", "delete", ANNE)
    m.malle("user", "add", ANNE, "--password-stdin", "--force", input=FIRST + "\n")
    m.malle("undo", change(m, "user.add"))
    eq(len(records(m)), 2, "9-03: what may have come to one that was undone is kept apart")
    m.malle("user", "restore", ANNE)
    eq(pop3(m, SECOND), ["Subject: for the third"], "9-05: and nobody else's")


def loaded(m):
    """Not by a dump, either."""
    dump = m.malle("dump").stdout
    m.malle("user", "delete", ANNE)
    r = m.malle("load", input=dump, check=False)
    ok(r.returncode == 73 and ANNE in r.stderr, "9-05: a dump does not lay a hand on it: " + r.stderr)
    m.malle("user", "restore", ANNE)
    m.malle("domain", "delete", "exemple.test", "--all")
    m.malle("domain", "add", "exemple.test", "--force")
    m.malle("user", "add", ANNE, "--password-stdin", "--force", input=FIRST + "\n")
    eq(pop3(m, FIRST), [], "9-05: nor does a domain that is there again")
    eq(m.malle("check").returncode, 0, "all is well")


def many(m):
    """There is an end to it, and a way on."""
    name = "marie@exemple.test"

    def add():
        return m.malle("user", "add", name, "--locked", "--force", check=False)

    def folder():
        return json.loads(m.malle("user", "show", name, "--json").stdout).get("folder")

    def maries():
        return len([r for r in records(m) if r.startswith("marie")])
    add()
    m.malle("user", "delete", name)
    uid = json.loads(m.malle("domain", "show", "exemple.test", "--json").stdout)["uid"]
    # Of today: those of a month ago go with the first that is purged.
    today = time.strftime("%Y-%m-%dT00:00:00Z", time.gmtime())
    kept = "".join("removed marie-%d@exemple.test\n\tdate=%s\n\tuid=%s\n\tmailbox=%s\n\tchange=1\n" %
                   (n, today, uid, name) for n in range(2, 998))
    m.malle("load", input="malleposte-registry 1\n%send 996\n" % kept)
    add()
    eq(folder(), "marie-998", "9-05: after 997 there is a folder for one more")
    m.malle("user", "delete", name)
    eq(maries(), 998, "9-03: all are on record")
    r = add()
    ok(r.returncode == 73 and "998" in r.stderr and "malle mailbox purge" in r.stderr, "9-05: then it is refused: " + r.stderr)
    old, m.env["LC_ALL"] = m.env.get("LC_ALL", "C"), "fr_FR.UTF-8"
    r = add()
    m.env["LC_ALL"] = old
    ok(r.returncode == 73 and "les 998 dossiers" in r.stderr, "in French: " + r.stderr)
    eq((m.malle("user", "show", name, check=False).returncode, maries()), (67, 998), "9-05: and nothing is changed")
    eq(m.malle("user", "add", "marie-2@exemple.test", "--locked", check=False).returncode, 73, "9-03: nor is one of theirs free")
    m.malle("mailbox", "purge", "marie-500@exemple.test")
    ok(malle.until(lambda: "marie-500@exemple.test" not in records(m), malle.PATIENCE), "one's mail is thrown away")
    add()
    eq(folder(), "marie-500", "9-05: and the next one has its folder")
    m.malle("user", "delete", name)
    eq(maries(), 998, "9-03: and a record of its own")
    # The longest of names has folders, too.
    name = "m" * 64 + "@exemple.test"
    for want in (None, "m" * 62 + "-2", "m" * 62 + "-3"):
        add()
        eq(folder(), want, "9-05: a long name: %s" % want)
        m.malle("user", "delete", name)


with malle.Instance() as m:
    m.domain("exemple.test")
    taken_again(m)
    neither(m)
    purged(m)
    loaded(m)
    many(m)
    eq(m.violations(), [], "nobody has left its role")
malle.done()
