#!/usr/bin/env python3
"""malle migrate vpopmail: a tree of vpopmail and QmailAdmin, moved here."""
import json
import os
import stat
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import malle
from malle import eq, ok

if not malle.SEPARATE:
    malle.skip_all("only root can read as another user")

VPOPMAIL = 64290
SECRET = "correct horse battery"
HASH = subprocess.run(["openssl", "passwd", "-1", "-salt", "abcdefgh", SECRET],
                      check=True, capture_output=True, text=True).stdout.strip()


class Tree:
    """/home/vpopmail as it was, somewhere else now."""

    def __init__(self, top):
        self.top = top
        os.mkdir(top, 0o755)
        self.file("domains/a.test/vpasswd", "\n".join([
            "postmaster:%s:0:0:Postmaster:/home/vpopmail/domains/a.test/postmaster:NOQUOTA:clear" % HASH,
            "bob:%s:0:0:Bob Martin:/home/vpopmail/domains/a.test/bob:10000000S,1000C" % HASH,
            "alice:%s:0:2:Alice:/home/vpopmail/domains/a.test/0/alice:50M" % HASH,
            "info:%s:0:0:Info:/home/vpopmail/domains/a.test/info:NOQUOTA" % HASH,
            "des:ab1234567890.:0:0:Old:/home/vpopmail/domains/a.test/des:NOQUOTA",
            "../../etc:x:0:0:evil:/etc:NOQUOTA",
            "link:%s:0:0:Link:/home/vpopmail/domains/a.test/link:NOQUOTA" % HASH,
            ""]))
        self.file("domains/a.test/.qmail-default",
                  "| /home/vpopmail/bin/vdelivermail '' bob@a.test\n")
        self.file("domains/a.test/.qmail-ventes",
                  "&bob@a.test\n&equipe@a.test\n")
        self.file("domains/a.test/.qmail-equipe", "# all\n"
                  "/home/vpopmail/domains/a.test/alice/Maildir/\n"
                  "&dehors@out.test\n")
        self.file("domains/a.test/.qmail-jean:paul", "&alice@a.test\n")
        self.file("domains/a.test/.qmail-liste",
                  "|/usr/bin/ezmlm/ezmlm-send '/home/vpopmail/domains/a.test/liste'\n")
        self.file("domains/a.test/.qmail-robot",
                  "|/usr/bin/autorespond 10000 5 /home/vpopmail/domains/a.test/ROBOT/message /home/vpopmail/domains/a.test/ROBOT\n&bob@a.test\n")
        self.file("domains/a.test/ROBOT/message",
                  "From: robot@a.test\nSubject: Nos horaires\n\nOuvert.\n")
        self.file("domains/a.test/.qmail-prog", "|/usr/local/bin/thing\n")
        self.file("domains/a.test/.qmail-boucle", "&boucle@a.test\n")
        self.file("domains/a.test/bob/.qmail",
                  "&bob@ailleurs.test\n/home/vpopmail/domains/a.test/bob/Maildir/\n")
        self.file("domains/a.test/0/alice/.qmail",
                  "| /usr/bin/autorespond 86400 3 /home/vpopmail/domains/a.test/0/alice/vacation/message /home/vpopmail/domains/a.test/0/alice/vacation\n"
                  "/home/vpopmail/domains/a.test/0/alice/Maildir/\n")
        self.file("domains/a.test/0/alice/vacation/message",
                  "From: alice@a.test\nSubject: Absente\n\n".encode() +
                  "Je suis à Nice.\n".encode("latin-1"))
        self.file("domains/a.test/info/.qmail", "|/bin/true delete\n")
        self.mail("bob/Maildir/cur/1195732452.100.mx,S=12:2,FS", "Subject: a\n\n", 1195732452)
        self.mail("bob/Maildir/new/1195732453.101.mx", "Subject: b\n\n", 1195732453)
        self.mail("bob/Maildir/.Sent/cur/1195732454.102.mx:2,S", "Subject: c\n\n", 1195732454)
        self.mail("bob/Maildir/.Sent/cur/odd name é:2,S", "Subject: d\n\n", 1195732455)
        self.mail("0/alice/Maildir/cur/1195732460.1.mx:2,", "Subject: e\n\n", 1195732460)
        self.mail("postmaster/Maildir/new/1195732461.1.mx", "Subject: p\n\n", 1195732461)
        # What vpopmail's own uid could not read.
        secret = os.path.join(top, "..", "secret")
        with open(secret, "w") as f:
            f.write("Subject: root's\n\n")
        os.chmod(secret, 0o600)
        self.mail("link/Maildir/new/1.x", "Subject: l\n\n", 1)
        os.makedirs(os.path.join(top, "domains/a.test/link/Maildir/cur"))
        os.symlink(os.path.abspath(secret), os.path.join(
            top, "domains/a.test/link/Maildir/cur/2.x:2,S"))
        os.makedirs(os.path.join(top, "domains/a.test/link/Maildir/.Out"))
        os.symlink("/etc", os.path.join(top, "domains/a.test/link/Maildir/.Out/cur"))
        os.symlink(os.path.abspath(secret),
                   os.path.join(top, "domains/a.test/link/.qmail"))
        # A file that its owner has put there, which is not theirs.
        os.link(os.path.abspath(secret), os.path.join(
            top, "domains/a.test/link/Maildir/cur/4.hard:2,S"))
        os.mkfifo(os.path.join(top, "domains/a.test/link/Maildir/cur/3.fifo:2,S"))
        self.assign = os.path.join(top, "..", "assign")
        with open(self.assign, "w") as f:
            f.write("+b.test-:a.test:89:89:/home/vpopmail/domains/a.test:-::\n"
                    "+a.test-:a.test:89:89:/home/vpopmail/domains/a.test:-::\n"
                    "garbage\n.\n")
        for where, _, files in os.walk(os.path.join(top, "domains")):
            os.lchown(where, VPOPMAIL, VPOPMAIL)
            os.chmod(where, 0o700)
            for name in files:
                if not name.startswith("4.hard"):
                    os.lchown(os.path.join(where, name), VPOPMAIL, VPOPMAIL)

    def file(self, name, content):
        path = os.path.join(self.top, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as f:
            f.write(content if isinstance(content, bytes) else
                    content.encode())
        return path

    def mail(self, name, content, when):
        path = self.file("domains/a.test/" + name, content)
        os.utime(path, (when, when))


def run(m, tree, *more):
    r = m.malle("migrate", "vpopmail", tree.top, "--assign", tree.assign,
                "--json", *more, check=False)
    return r, [json.loads(l) for l in r.stdout.splitlines()]


def outcome(rows, kind, name):
    return [x["outcome"] for x in rows
            if x["kind"] == kind and x["name"] == name]


def show(m, what, name):
    r = m.malle(what, "show", name, "--json", check=False)
    return json.loads(r.stdout) if r.returncode == 0 else None


def messages(m, address):
    found = {}
    base = m.maildir(address)
    for where, _, files in os.walk(base):
        if os.path.basename(where) in ("new", "cur"):
            for name in files:
                path = os.path.join(where, name)
                found[os.path.relpath(path, base)] = (
                    open(path).read(), int(os.stat(path).st_mtime))
    return found


def test_dry_run(m, tree):
    r, rows = run(m, tree, "--dry-run")
    ok(outcome(rows, "domain", "a.test") == ["would"] and
       outcome(rows, "user", "bob@a.test") == ["would"],
       "a dry run says what it would do")
    eq(show(m, "domain", "a.test"), None, "and does nothing")
    ok("dry run" in r.stderr, "and says that, too")


def test_accounts(m, rows):
    bob = show(m, "user", "bob@a.test")
    eq((bob["full-name"], bob["quota-bytes"], bob["quota-messages"]),
       ("Bob Martin", "10000000", "1000"), "name and quota")
    eq(show(m, "user", "alice@a.test")["pop3"], "no", "what was switched off")
    eq(show(m, "user", "alice@a.test")["quota-bytes"], str(50 << 20),
       "a quota with a unit")
    ok(show(m, "user", "info@a.test") is not None,
       "an account with the name of a function stays an account")
    eq(show(m, "user", "des@a.test")["password"], "locked",
       "a hash that cannot be verified locks")
    eq(outcome(rows, "password", "des@a.test"), ["left out"], "and is told")
    eq(show(m, "user", "postmaster@a.test")["password"], "set",
       "postmaster, who was there, gets the password it had")
    ok("FAILED" in outcome(rows, "vpasswd", "a.test"),
       "a line that is no account is told")
    for who in ("bob@a.test", "postmaster@a.test"):
        r = m.malle("--as", who, "user", "show", who, input=SECRET + "\n",
                    check=False)
        eq(r.returncode, 0, "the old password works: " + who)


def test_routing(m, rows):
    bob = show(m, "user", "bob@a.test")
    eq((bob["forward"], bob["keep"]), ("bob@ailleurs.test", "yes"),
       "a .qmail that forwards and keeps")
    alice = show(m, "user", "alice@a.test")
    eq((alice["vacation"], alice["vacation-subject"],
        alice["vacation-text"].strip()),
       ("yes", "Absente", "Je suis à Nice."),
       "a vacation of QmailAdmin, Latin-1 made UTF-8")
    eq(show(m, "user", "info@a.test")["discard"], "yes", "a mailbox that discards")
    eq(set(show(m, "alias", "ventes@a.test")["targets"].split("\\x0a")),
       {"bob@a.test", "equipe@a.test"}, "an alias that leads to another")
    eq(set(show(m, "alias", "equipe@a.test")["targets"].split("\\x0a")),
       {"alice@a.test", "dehors@out.test"}, "one to a mailbox and outside")
    eq(show(m, "alias", "jean.paul@a.test")["targets"], "alice@a.test",
       "a colon in a file's name is a dot")
    robot = show(m, "robot", "robot@a.test")
    eq((robot["subject"], robot["text"].strip(), robot["copy"]),
       ("Nos horaires", "Ouvert.", "bob@a.test"), "a robot with its copy")
    eq(show(m, "domain", "a.test")["catch-all"], "bob@a.test", "the catch-all")
    eq(outcome(rows, "list", "liste@a.test"), ["left out"],
       "a list of ezmlm is named")
    eq(outcome(rows, "program", "prog@a.test"), ["left out"],
       "a program is named, not run")
    eq(outcome(rows, "alias", "boucle@a.test"), ["FAILED"],
       "an alias to itself is told")
    eq(show(m, "domain", "b.test")["alias-of"], "a.test", "a domain alias")


def test_mail(m):
    found = messages(m, "bob@a.test")
    eq(len(found), 4, "all messages of all folders")
    one = [n for n in found if "1195732452.100.mx" in n][0]
    ok(one.startswith("cur/1195732452.100.mx,S=12,W=14:2,") and
       set(one.split(":2,")[1]) == set("FS"),
       "name, sizes and flags: " + one)
    eq(found[one], ("Subject: a\n\n", 1195732452), "content and date")
    ok(any(n.startswith("new/1195732453.101.mx,S=") for n in found),
       "what is new stays new")
    ok(any(n.startswith(".Sent/cur/1195732454.102.mx,") for n in found),
       "folders")
    ok(any(n.startswith(".Sent/cur/1195732455.H") for n in found),
       "a name that ours could not have")
    st = os.stat(os.path.join(m.maildir("bob@a.test"), one))
    domain = os.stat(os.path.join(m.base, "mail", "a.test"))
    eq((st.st_uid, stat.S_IMODE(st.st_mode)), (domain.st_uid, 0o600),
       "written by the domain's uid")
    eq(len(messages(m, "alice@a.test")), 1, "hashed folders")
    eq(len(messages(m, "postmaster@a.test")), 1, "the mail of postmaster")
    eq([c for c, _ in messages(m, "link@a.test").values()],
       ["Subject: l\n\n"], "no link is followed, no pipe opened, nothing read as root")
    ok("forward" not in show(m, "user", "link@a.test"),
       "nor one to a file that only root can read")


def test_again(m, tree):
    before = messages(m, "bob@a.test")
    m.malle("user", "set", "bob@a.test", "full-name=Changed", "forward=")
    m.malle("user", "set", "alice@a.test", "vacation-subject=Other")
    r, rows = run(m, tree)
    eq(messages(m, "bob@a.test"), before, "repeated, no message twice")
    eq(show(m, "user", "bob@a.test")["full-name"], "Changed",
       "what is there is left")
    eq(show(m, "user", "alice@a.test")["vacation-subject"], "Other",
       "its answers, too")
    eq(outcome(rows, "user", "bob@a.test"), ["there"], "and told")
    eq(outcome(rows, "mail", "bob@a.test"), ["there"], "mail likewise")


with malle.Instance() as m:
    tree = Tree(os.path.join(m.dir, "vpopmail"))
    test_dry_run(m, tree)
    result, rows = run(m, tree)
    eq(result.returncode, 65, "what failed shows in the exit status")
    test_accounts(m, rows)
    test_routing(m, rows)
    test_mail(m)
    test_again(m, tree)
    eq(m.violations(), [], "no call outside a role")
malle.done()
