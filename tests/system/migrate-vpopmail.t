#!/usr/bin/env python3
"""malle migrate vpopmail: a tree of vpopmail and QmailAdmin, moved here."""
import json
import os
import stat
import subprocess
import sys
import warnings

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import malle
from malle import eq, ok

if not malle.SEPARATE:
    malle.skip_all("only root can read as another user")

VPOPMAIL = 64290
SECRET = "correct horse battery"
warnings.simplefilter("ignore")
import crypt
DES = crypt.crypt(SECRET, "ab")
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
            "des:%s:0:0:Old:/home/vpopmail/domains/a.test/des:NOQUOTA" % DES,
            "odd:$9$of$nobody:0:0:Odd:/home/vpopmail/domains/a.test/odd:NOQUOTA",
            "flags:%s:0:4137:Flags:/home/vpopmail/domains/a.test/flags:NOQUOTA" % HASH,
            "free:%s:0:8192:Free:/home/vpopmail/domains/a.test/free:NOQUOTA" % HASH,
            "refuse:%s:0:16:Refuse:/home/vpopmail/domains/a.test/refuse:NOQUOTA" % HASH,
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
        self.file("domains/a.test/.qmailadmin-limits",
                  "# limits\nmaxpopaccounts 50\nmaxaliases: -1\nmaxforwards\t7\n"
                  "maxforwards 8\nmaxautoresponders 0\nquota 5\n"
                  "default_quota 20971520\nmaxmsgcount 100\ndisable_smtp\n"
                  "disable_password_changing\n"
                  "disable_imap\nperm_alias 2\nmaxmailinglists many\n" +
                  "x" * 5000 + "\n")
        # One without limits of its own: those for all domains.
        self.file("domains/c.test/vpasswd", "anne:%s:0:0:Anne:"
                  "/home/vpopmail/domains/c.test/anne:1000000S\n" % HASH)
        self.file("domains/c.test/.qmail-default",
                  "|/usr/local/bin/trieur\n&anne@c.test\n")
        self.file("etc/vlimits.default", "quota 700\ndisable_pop\n")
        self.lists()
        self.long()
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
            top, "domains/a.test/link/Maildir/cur/4.hard\033[2J\n:2,S"))
        os.mkfifo(os.path.join(top, "domains/a.test/link/Maildir/cur/3.fifo:2,S"))
        self.assign = os.path.join(top, "..", "assign")
        with open(self.assign, "w") as f:
            f.write("+b.test-:a.test:89:89:/home/vpopmail/domains/a.test:-::\n"
                    "+a.test-:a.test:89:89:/home/vpopmail/domains/a.test:-::\n"
                    "+c.test-:c.test:89:89:/home/vpopmail/domains/c.test:-::\n"
                    "+d.test-:d.test:89:89:/home/vpopmail/domains/d.test:-::\n"
                    "+e.test-:e.test:89:89:/home/vpopmail/domains/e.test:-::\n"
                    "garbage\n.\n")
        for where, _, files in os.walk(os.path.join(top, "domains")):
            os.lchown(where, VPOPMAIL, VPOPMAIL)
            os.chmod(where, 0o700)
            for name in files:
                if not name.startswith("4.hard"):
                    os.lchown(os.path.join(where, name), VPOPMAIL, VPOPMAIL)

    def long(self):
        """Where more is said than an address can have."""
        for domain in ("d.test", "e.test"):
            self.file("domains/%s/vpasswd" % domain, "eva:%s:0:0:Eva:"
                      "/home/vpopmail/domains/%s/eva:1000000S\n" % (HASH, domain))
        self.file("domains/d.test/.qmail-default",
                  "&%s@out.test\n" % ("x" * 60000))
        self.file("domains/e.test/.qmail-default",
                  "| /home/vpopmail/bin/vdelivermail '' %s@out.test\n" % ("x" * 70))
        many = "".join("&%050d@out.test\n" % i for i in range(900))
        self.file("domains/a.test/.qmail-foule", many)
        self.file("domains/a.test/des/.qmail", many)
        self.file("domains/a.test/.qmail-bavard",
                  "|/usr/bin/autorespond 10000 5 /home/vpopmail/domains/a.test/BAVARD/message /home/vpopmail/domains/a.test/BAVARD\n")
        self.file("domains/a.test/BAVARD/message",
                  "Subject: Tout\n\n" + "Et encore. " * 1000 + "\n")

    def lists(self):
        """As ezmlm-make leaves them, and as nobody should."""
        liste = "/home/vpopmail/domains/a.test/liste"
        self.file("domains/a.test/liste/editor",
                  "|/usr/bin/ezmlm/ezmlm-reject\n"
                  "|/usr/bin/ezmlm/ezmlm-send '%s'\n" % liste)
        self.file("domains/a.test/liste/manager",
                  "|/usr/bin/ezmlm/ezmlm-manage '%s'\n" % liste)
        self.file("domains/a.test/liste/owner", "&bob@a.test\n")
        for name, part in (("", "editor"), ("-default", "manager"),
                           ("-owner", "owner")):
            os.symlink("%s/%s" % (liste, part), os.path.join(
                self.top, "domains/a.test/.qmail-liste" + name))
        self.file("domains/a.test/liste/subscribers/@",
                  b"Tun@out.test\0Tdeux@out.test\0")
        self.file("domains/a.test/liste/subscribers/t", b"Ttrois@out.test\0")
        self.file("domains/a.test/liste/subscribers/lock", b"Tno@out.test\0")
        self.file("domains/a.test/liste/mod/subscribers/E", b"Tbob@a.test\0")
        self.file("domains/a.test/liste/deny/subscribers/a",
                  b"T@spam.test\0T../../etc\0Ta\nb@x.test\0Tno,thing@x.test\0")
        # One whose files are elsewhere, and a chain that bites its tail.
        self.file("domains/a.test/.qmail-ailleurs", "|ezmlm-send '/etc'\n")
        self.file("domains/a.test/.qmail-piege",
                  "|ezmlm-send '/home/vpopmail/domains/a.test/piege'\n")
        os.makedirs(os.path.join(self.top, "domains/a.test/piege"))
        os.symlink("/etc", os.path.join(
            self.top, "domains/a.test/piege/subscribers"))
        os.makedirs(os.path.join(self.top, "domains/a.test/piege/mod/subscribers"))
        os.symlink("/etc/shadow", os.path.join(
            self.top, "domains/a.test/piege/mod/subscribers/A"))
        self.file("domains/a.test/piege/allow/subscribers/b",
                  b"Tami@out.test\0")
        for a, b in (("rond", "carre"), ("carre", "rond")):
            os.symlink("/home/vpopmail/domains/a.test/.qmail-" + b,
                       os.path.join(self.top, "domains/a.test/.qmail-" + a))
        os.symlink("/etc/passwd", os.path.join(
            self.top, "domains/a.test/.qmail-passwd"))
        self.file("domains/a.test/.qmail-enorme", "&bob@a.test\n" * 10000)

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


def run(m, tree, *more, **how):
    r = m.malle("migrate", "vpopmail", tree.top, "--assign", tree.assign,
                "--json", *more, check=False, **how)
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
    eq(show(m, "user", "odd@a.test")["password"], "locked",
       "a hash that cannot be verified locks")
    eq(outcome(rows, "password", "odd@a.test"), ["left out"], "and is told")
    eq((show(m, "user", "des@a.test")["password"],
        outcome(rows, "password", "des@a.test")), ("set", ["note"]),
       "one of DES comes along, and that it is weak is told")
    eq(show(m, "user", "postmaster@a.test")["password"], "set",
       "postmaster, who was there, gets the password it had")
    ok("FAILED" in outcome(rows, "vpasswd", "a.test"),
       "a line that is no account is told")
    for who in ("bob@a.test", "postmaster@a.test", "des@a.test"):
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
    eq(outcome(rows, "program", "prog@a.test"), ["left out"],
       "a program is named, not run")
    eq((outcome(rows, "program", "c.test"), notes(rows, "program", "c.test"),
        show(m, "domain", "c.test")["catch-all"]),
       (["left out"], ["/usr/local/bin/trieur"], "anne@c.test"),
       "so is one for all other names of a domain")
    eq(outcome(rows, "alias", "boucle@a.test"), ["FAILED"],
       "an alias to itself is told")
    eq(show(m, "domain", "b.test")["alias-of"], "a.test", "a domain alias")


def test_long(m, rows):
    """Nothing is cut: a part of it is not what was meant."""
    for name, note in (("d.test", "too long"), ("e.test", "must be")):
        eq((outcome(rows, "catch-all", name), show(m, "domain", name)["catch-all"]),
           (["FAILED"], "refuse"), "a catch-all that is too long is told: " + name)
        ok(note in notes(rows, "catch-all", name)[0],
           notes(rows, "catch-all", name)[0])
    for kind, name in (("alias", "foule"), ("robot", "bavard")):
        eq((outcome(rows, kind, name + "@a.test"), show(m, kind, name + "@a.test")),
           (["FAILED"], None), "so is an alias, or a robot: " + name)
    eq((outcome(rows, "routing", "des@a.test"),
        "forward" in show(m, "user", "des@a.test")), (["FAILED"], False),
       "and a forward")


def notes(rows, kind, name):
    return [x.get("note", "") for x in rows
            if x["kind"] == kind and x["name"] == name]


def test_limits(m, rows):
    domain = show(m, "domain", "a.test")
    eq([domain.get(x, "0") for x in (
        "max-mailboxes", "max-aliases", "max-forwards", "max-robots",
        "max-lists", "default-quota")], ["50", "0", "7", "0", "0", "20971520"],
       "limits of QmailAdmin: what is counted; -1 is none")
    told = [(x["outcome"], x["note"][:20]) for x in rows
            if x["kind"] == "limit"]
    for what in ("maxautoresponders=0", "maxmsgcount=100", "disable_imap",
                 "perm_alias=2", "maxmailinglists=many"):
        ok(("left out", what) in told, "what is none here is named: " + what)
    ok([o for o, n in told if o == "FAILED"] == ["FAILED"],
       "storage cannot be limited where mailboxes have no quota: told")
    eq([show(m, "user", "%s@a.test" % x)["smtp"] for x in ("bob", "free")],
       ["no", "yes"], "what is off for a domain is off for all that do not "
       "override it")
    eq(notes(rows, "flags", "flags@a.test"), ["NO_IMAP QA_ADMIN"],
       "flags of a user that mean nothing here are named")
    eq([domain["owner-may"]] + [show(m, "user", "%s@a.test" % x).get(
        "owner-may") for x in ("flags", "free", "bob")],
       ["all -password", "all -password", "all", None],
       "NO_PASSWD_CHNG and disable_password_changing withhold the password "
       "from its owner; who overrides the domain has it")
    eq(show(m, "user", "refuse@a.test")["state"], "disabled",
       "a mailbox that bounces refuses")


    eq((show(m, "domain", "c.test").get("max-bytes"),
        show(m, "user", "anne@c.test")["pop3"]), (str(700 << 20), "no"),
       "limits for all domains, storage in MiB")


def test_lists(m, rows, folder):
    eq(outcome(rows, "list", "liste@a.test"), ["left out"],
       "a list of ezmlm is named, once")
    note = notes(rows, "list", "liste@a.test")[0]
    ok("3 subscribers, 1 moderators, 3 that are no" in note and
       note.endswith("%s/liste@a.test.csv" % folder), "with numbers: " + note)
    path = os.path.join(folder, "liste@a.test.csv")
    eq(sorted(open(path).read().splitlines()), sorted([
        "role,address", "subscriber,un@out.test", "subscriber,deux@out.test",
        "subscriber,trois@out.test", "moderator,bob@a.test",
        "may-not-post,@spam.test"]), "and who is on it")
    eq([stat.S_IMODE(os.stat(x).st_mode) for x in (folder, path)],
       [0o700, 0o600], "for nobody else to read")
    eq(show(m, "alias", "liste-owner@a.test")["targets"], "bob@a.test",
       "its owner can be written to")
    eq(outcome(rows, "alias", "liste-default@a.test"), [],
       "its other addresses are no aliases")
    eq(outcome(rows, "list", "ailleurs@a.test"), ["FAILED"],
       "a folder that is not the domain's is not read")
    eq((outcome(rows, "list", "piege@a.test"),
        open(os.path.join(folder, "piege@a.test.csv")).read()),
       (["FAILED"], "role,address\nmay-post,ami@out.test\n"),
       "no link is followed out of it; what can be read behind it is")
    for name in ("rond", "carre", "passwd", "enorme"):
        eq(outcome(rows, "alias", name + "@a.test"), ["FAILED"],
           "a circle, a link to elsewhere, too much of it: told: " + name)


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
    ok("made" not in outcome(rows, "limit", "a.test"), "limits stay")
    eq(outcome(rows, "mail", "bob@a.test"), ["there"], "mail likewise")


with malle.Instance() as m:
    tree = Tree(os.path.join(m.dir, "vpopmail"))
    test_dry_run(m, tree)
    lists = os.path.join(m.dir, "lists")
    r, _ = run(m, tree, "--as", "bob@a.test", input="no password\n")
    eq((r.returncode, show(m, "domain", "a.test")), (64, None),
       "it is refused with --as, which would be root's without a word")
    m.env["SSH_CONNECTION"] = "192.0.2.7 50000 192.0.2.1 22"
    result, rows = run(m, tree, "--client", "durand", "--language", "en",
                       "--lists", lists)
    eq(result.returncode, 65, "what failed shows in the exit status")
    test_accounts(m, rows)
    test_routing(m, rows)
    test_long(m, rows)
    test_limits(m, rows)
    test_lists(m, rows, lists)
    eq([show(m, "domain", x).get(y) for x in ("a.test", "b.test")
        for y in ("client", "language")], ["durand", "en"] * 2,
       "a customer and a language for the domains")
    eq(outcome(rows, "client", "durand"), ["made"], "who is made if need be")
    ok(" from 192.0.2.7\n" in m.malle("journal", "bob@a.test").stdout,
       "the journal says from where")
    test_mail(m)
    eq((outcome(rows, "mail", "link@a.test"), notes(rows, "mail", "link@a.test"),
        "4.hard\\x1b[2J\\x0a:2,S: Permission denied" in result.stderr),
       (["FAILED"], ["1 copied, 0 there, 1 failed"], True),
       "a message that cannot be read is told")
    test_again(m, tree)
    eq(m.violations(), [], "no call outside a role")
malle.done()
