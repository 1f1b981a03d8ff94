#!/usr/bin/env python3
"""Every operation tried by every role: root, an administrator, the owner of a
mailbox, the owner of another one, a stranger, the pair of malle-authd."""
import os
import re
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import malle  # noqa: E402
import registryd  # noqa: E402
from malle import eq, ok  # noqa: E402

if not malle.ROOT:
    malle.skip_all("only root can be several users")

PASSWORD, OTHER = "correct horse battery", "staple of seven oranges"
# That of PASSWORD: many who ask at once wait for one another's verification.
QUICK = "$1$abcdefgh$E2IUOVGWn4QIROUcRm1wO/"
STRANGER, ADMIN_GID = 65533, 65432
MINE, THEIRS = "mine@a.test", "theirs@a.test"

# What each operation is given, so that nothing but a right can refuse it, on
# an object of each of the two customers; {} where there is none.
def on(domain, other):
    who = "mine@" + domain
    return {
        "client.add": {"name": "acme"}, "client.list": {},
        "client.show": {"name": domain[0]},
        "client.sent": {"name": domain[0]},
        "client.set": {"name": domain[0], "note": "x"},
        "client.delete": {"name": "never"},
        "manager.add": {"name": "chief", "hash": "!"}, "manager.list": {},
        "manager.show": {"name": "manager-" + domain[0]},
        "manager.set": {"name": "manager-" + domain[0], "full-name": "M"},
        "manager.passwd": {"name": "manager-" + domain[0],
                           "password": PASSWORD},
        "manager.code": {"name": "manager-" + domain[0],
                         "password": "a code of " + domain},
        "manager.recover": {"name": "admin", "password": "new of " + domain},
        "manager.delete": {"name": "never"},
        "domain.add": {"name": domain}, "domain.list": {},
        "domain.show": {"name": domain}, "domain.measure": {"name": domain},
        "domain.sent": {"name": domain},
        "domain.set": {"name": domain, "language": "fr"},
        "domain.delete": {"name": domain},
        "user.add": {"address": who, "hash": "!"},
        "user.import": {"address": who, "hash": "!"},
        "user.list": {"domain": domain},
        "user.show": {"address": who}, "user.sent": {"address": who},
        "user.set": {"address": who, "full-name": "Me"},
        "user.passwd": {"address": who, "password": PASSWORD},
        "user.delete": {"address": "never@" + domain},
        "user.rename": {"address": "never@" + domain, "to": "x"},
        "user.restore": {"address": "never@" + domain},
        "user.propose": {"name": domain, "first": "A", "last": "B"},
        "alias.add": {"address": who, "targets": "x@out.test"},
        "alias.list": {"domain": domain},
        "alias.show": {"address": "abuse@" + domain},
        "alias.set": {"address": "abuse@" + domain,
                      "targets": "postmaster@" + domain},
        "alias.delete": {"address": "never@" + domain},
        "robot.add": {"address": "r@" + domain, "subject": "s", "text": "t"},
        "robot.list": {"domain": domain},
        "robot.show": {"address": "r@" + domain},
        "robot.set": {"address": "r@" + domain, "text": "u"},
        "robot.delete": {"address": "never@" + domain},
        "relay.add": {"net": "192.0.2.1"}, "relay.list": {},
        "relay.show": {"net": "192.0.2.1"},
        "relay.set": {"net": "192.0.2.1", "note": "x"},
        "relay.delete": {"net": "192.0.2.9"},
        "suffix.add": {"name": "never.test", "mandatory": "abuse"},
        "suffix.list": {}, "suffix.show": {"name": "never.test"},
        "suffix.set": {"name": "never.test", "mandatory": "abuse"},
        "suffix.delete": {"name": "never.test"},
        "own.add": {"address": who, "alias": "aka"},
        "own.list": {"address": who},
        "own.delete": {"address": who, "alias": "never"},
        "app.add": {"address": who, "app": "phone"},
        "app.list": {"address": who},
        "app.delete": {"address": who, "app": "never"},
        "mailbox.measure": {"address": who}, "mailbox.open": {"address": who},
        "mailbox.fill": {"address": who},
        "mailbox.purge": {"name": "never@" + domain}, "removed.list": {},
        "journal": {}, "journal.follow": {}, "undo": {"id": "999999"}, "check": {},
        "recompile": {}, "dump": {}, "load": {}, "schema": {},
        "login": {"address": who}, "sending": {"address": who},
    }


OWNERS = {"user.show", "user.sent", "user.set", "user.passwd", "mailbox.measure",
          "mailbox.open", "own.add", "own.list", "own.delete", "app.add", "app.list",
          "app.delete"}
ROOT_ONLY = {"dump", "load", "mailbox.fill", "journal.follow"}
# Promise 3: not even root and administrators read mail.
OWNER_ONLY = {"mailbox.open", "own.add", "own.list", "own.delete", "app.add"}
# Done whoever owns what: the rows are sorted out.
SORTED = {"client.list", "manager.list", "domain.list", "removed.list",
          "journal", "undo"}
SEEN = {"client.show", "client.sent", "domain.sent", "user.sent", "manager.show", "manager.passwd", "domain.show", "domain.measure",
        "user.show", "user.list", "user.propose", "mailbox.measure", "app.list", "alias.show", "alias.list",
        "robot.show", "robot.list"}
GIVEN = {"domain.set", "user.add", "user.import", "user.rename", "user.restore", "mailbox.purge", "user.set", "user.passwd", "user.delete", "app.delete",
         "alias.add", "alias.set", "alias.delete", "robot.add", "robot.set",
         "robot.delete"}
# Name to (role, customer, may see only).
LOGINS = {"admin": ("admin", None), "manager-a": ("manager", "a"),
          "manager-b": ("manager", "b"), "seer-a": ("seer", "a"),
          "mine@a.test": ("owner", "a"), "mine@b.test": ("owner", "b")}


def may(operation, role, own):
    # The password of admin is none of the ways to recover it.
    if operation in ("login", "sending", "manager.recover"):
        return False
    if operation in OWNER_ONLY and role != "owner":
        return False
    if operation == "schema" or role == "root":
        return True
    if role == "admin":
        return operation not in ROOT_ONLY
    if role == "owner":
        return own and operation in OWNERS
    if role in ("manager", "seer"):
        # A new domain must not exist, and was not granted.
        return (operation in SORTED or own and (
            (operation in SEEN and not operation.startswith("manager.")) or
            operation in GIVEN and role == "manager" or
            (operation in ("manager.show", "manager.passwd") and
             role == "manager")))
    return False


def table_of_the_program():
    """The names in operations[], so that a new one cannot be forgotten."""
    with open(os.path.join(malle.TOP, "registry", "operations.c")) as f:
        text = f.read()
    text = text[text.index("operations[] = {"):text.index("{ NULL, 0,")]
    return set(re.findall(r'\{ "([a-z.]+)", +[A-Z]', text))


def ask(r, role, operation, fields):
    login = {"current": PASSWORD, "as": role} if role in LOGINS else {}
    gid = ADMIN_GID if role == "group" else STRANGER
    if operation == "load":
        # A refusal comes behind the end of a long request.
        return long_as(r, role, gid, operation, [{}] * 100 if role != "root"
                       else [], login)
    if operation == "user.import":
        got = long_as(r, role, gid, operation, [fields], login)
        # Each line has a verdict of its own.
        return ([], "refused", "") if got and "refused" in \
            registryd.verdicts(got[0]) else got
    fields = dict(fields, **login)
    return r.ask(operation, **fields) if role == "root" else \
        r.ask_as(STRANGER, operation, as_gid=gid, **fields)


def long_as(r, role, gid, operation, objects, fields):
    if role == "root":
        return r.ask_long(operation, objects, **fields)
    pipe = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.setgroups([])
        os.setgid(gid)
        os.setuid(STRANGER)
        os.write(pipe[1], repr(r.ask_long(operation, objects,
                                          **fields)).encode())
        os._exit(0)
    os.close(pipe[1])
    with os.fdopen(pipe[0]) as f:
        text = f.read()
    os.waitpid(pid, 0)
    return eval(text)  # our own repr


def matrix(r):
    eq(table_of_the_program(), set(on("a.test", "b.test")),
       "every operation is tried")
    printed = subprocess.run([registryd.PROGRAM, "-R"], text=True,
                             capture_output=True).stdout.split("\n")[1:-1]
    eq([line.split()[0] for line in printed], list(on("a.test", "b.test")),
       "and printed")
    for domain, other in (("a.test", "b.test"), ("b.test", "a.test")):
        for operation, fields in on(domain, other).items():
            for who in ["root", "group", "stranger"] + list(LOGINS):
                if operation == "load" and who in LOGINS:
                    continue
                role, of = LOGINS.get(who, (who, None))
                role = {"group": "admin"}.get(role, role)
                if domain == "b.test" and role in ("root", "admin",
                                                   "stranger"):
                    continue  # the same as before
                got = ask(r, who, operation, fields)
                refused = got is None or got[1] == "refused"
                # A domain that is not empty is refused as invalid.
                ok(refused != may(operation, role, of == domain[0]) and
                   not (refused and got and got[0]),
                   "%s on %s by %s: %s" % (operation, domain, who,
                                           "refused" if refused else
                                           "allowed"))


# The columns of malle-registryd -R, and who of the test stands in each.
COLUMNS = {"root": "root", "admin": "admin", "manager": "manager",
           "owner": "owner", "anybody": "stranger"}
# Done for who owns the thing and was given the kind: the test's managers were
# not given domains.
NOT_GIVEN = {"domain.add", "domain.delete"}


def printed_table():
    lines = subprocess.run([registryd.PROGRAM, "-R"], text=True,
                           capture_output=True).stdout.split("\n")[:-1]
    heads = lines[0].split()[1:]
    # A cell may have a space: columns are by place.
    at = [lines[0].index(" " + h) + 1 for h in heads]
    for line in lines[1:]:
        cells = [line[a:b].strip() for a, b in
                 zip(at, at[1:] + [len(line)])]
        yield line.split()[0], dict(zip(heads, cells))


def compare(r):
    """What is printed against what was tried: the matrix asked may()."""
    for operation, cells in printed_table():
        for column, role in COLUMNS.items():
            if role == "manager" and operation in NOT_GIVEN:
                continue
            # By the security code, not by the password that was tried.
            eq(cells[column] not in ("-", "code"), may(operation, role, True),
               "9-01: %s for %s is as printed: %s" % (
                   operation, role, cells[column]))


def out_of_date(r):
    """Managers whose time is over, or who are suspended: nothing at all. Each
    request as another user of the machine, as a wrong password costs time."""
    r.ask("manager.add", name="past-a", client="a", domains="a.test",
          create="all", change="all", delete="all", until="2020-01-01",
          hash=QUICK)
    r.ask("manager.add", name="shut-a", client="a", domains="a.test",
          create="all", change="all", delete="all", state="suspended",
          hash=QUICK)
    tried, got = [], {}

    def one(k, who, operation, fields):
        got[who, operation] = r.ask_as(50000 + k, operation, current=PASSWORD,
                                       **dict(fields, **{"as": who}))

    for who in ("past-a", "shut-a"):
        for operation, fields in on("a.test", "b.test").items():
            if operation in ("load", "login", "user.import"):
                continue  # long; not for anybody who connects; registry-import.t
            if who == "shut-a" and operation not in ("user.show", "user.set",
                                                     "journal"):
                continue  # there is no room for all at once
            tried.append(threading.Thread(target=one, args=(
                len(tried), who, operation, fields)))
    for t in tried:
        t.start()
    for t in tried:
        t.join()
    eq(len(got), len(tried), "9-01: each was answered")
    for (who, operation), answer in sorted(got.items()):
        ok(answer is not None and answer[1] == "refused" and not answer[0],
           "9-01: %s by %s: %s" % (operation, who, answer and answer[1]))
    for who in ("past-a", "shut-a"):
        r.ask("manager.delete", name=who)


# One right, one operation: everything else of that kind is refused.
SINGLE = [
    ("create", "user.add", {"address": "one@a.test", "hash": "!"}),
    ("change", "user.set", {"address": "mine@a.test", "full-name": "Me"}),
    ("change", "user.passwd", {"address": "mine@a.test",
                               "password": PASSWORD}),
    ("change", "user.rename", {"address": "mine@a.test", "to": "two"}),
    ("delete", "user.delete", {"address": "one@a.test"}),
    ("create", "alias.add", {"address": "al@a.test", "targets": "mine"}),
    ("change", "alias.set", {"address": "al@a.test",
                             "targets": "postmaster"}),
    ("delete", "alias.delete", {"address": "al@a.test"}),
    ("create", "robot.add", {"address": "ro@a.test", "subject": "s",
                             "text": "t"}),
    ("change", "robot.set", {"address": "ro@a.test", "text": "u"}),
    ("delete", "robot.delete", {"address": "ro@a.test"}),
    ("change", "domain.set", {"name": "a.test", "language": "fr"}),
]


def single_rights(r):
    r.ask("manager.add", name="single", domains="a.test", password=PASSWORD)
    for right in ("create", "change", "delete"):
        for kind in ("user", "alias", "robot", "domain"):
            rights = {"create": "none", "change": "none", "delete": "none"}
            r.ask("manager.set", name="single", **dict(rights,
                                                       **{right: kind}))
            for needs, operation, fields in SINGLE:
                if (operation.split(".")[0] != kind and
                        operation not in ("user.set", "alias.add")):
                    continue  # each costs a password verified
                answer = r.ask_as(STRANGER, operation, current=PASSWORD,
                                  check="yes",
                                  **dict(fields, **{"as": "single"}))
                want = (needs, operation.split(".")[0]) == (right, kind)
                # A rename also makes an alias.
                want = want and operation != "user.rename"
                ok((answer[1] != "refused") == want,
                   "9-01: %s with the right to %s %s only: %s" % (
                       operation, right, kind, answer[1]))
    r.ask("manager.delete", name="single")


def lists(r):
    def names(who, operation):
        rows = ask(r, who, operation, {})[0]
        return sorted({x["name"] for x in rows})
    eq(names("manager-a", "domain.list"), ["a.test"],
       "a manager sees its domains only")
    eq(names("seer-a", "domain.list"), ["a.test"], "by its customer too")
    eq(names("manager-a", "user.list"), ["mine@a.test", "postmaster@a.test"],
       "and their addresses")
    eq(names("manager-a", "manager.list"), ["manager-a"], "and itself")
    eq(names("seer-a", "client.list"), ["a"], "and its customer")
    ok(all("b.test" not in n and n != "b"
           for n in names("manager-a", "journal")),
       "and of the journal nothing else")


def managers(r):
    def do(operation, who="manager-a", password=PASSWORD, **fields):
        return r.ask_as(STRANGER, operation, current=password,
                        **dict(fields, **{"as": who}))
    for name, value in (("state", "suspended"), ("client", "b"), ("uid", "1")):
        eq(do("domain.set", name="a.test", **{name: value})[1], "refused",
           "a manager may not set %s of a domain" % name)
    eq(do("domain.add", name="b2.test", alias_of="b.test")[1], "refused",
       "nor make a name for somebody else's domain")
    r.ask("manager.set", name="manager-a", create="all", delete="all")
    eq(do("domain.add", name="a2.test")[1], "refused",
       "no domain without a customer to own it")
    r.ask("manager.set", name="manager-a", client="a")
    eq(do("domain.add", name="a2.test", alias_of="b.test")[1], "refused",
       "nor another name for a foreign domain")
    rows = do("domain.add", name="a2.test")[0]
    eq(rows[0]["client"], "a", "what a manager makes is its customer's")
    eq(do("domain.delete", name="a2.test")[1], "ok", "and it may delete it")
    rows = r.ask("journal")[0]
    eq(do("undo", id=rows[-1]["id"])[1], "ok", "and undo that")
    eq(rows[-1]["account"], "manager-a", "the journal has its name")
    r.ask("domain.set", name="a2.test", state="suspended")
    rows = r.ask("journal")[0]
    eq(do("undo", id=rows[-1]["id"])[1], "refused",
       "but not what somebody else did")
    r.ask("manager.set", name="manager-a", domains="a.test b.test a2.test")
    r.ask("domain.delete", name="a2.test", all="yes")
    eq(r.ask("manager.show", name="manager-a")[0][0]["domains"],
       "a.test\nb.test", "a domain that is gone is managed by nobody")
    eq(do("user.show", address="mine@b.test")[1], "ok", "a second domain")
    r.ask("manager.set", name="manager-a", domains="a.test")
    eq(do("user.show", address="mine@b.test")[1], "refused", "taken away")
    r.ask("manager.set", name="manager-a", change="user")
    eq(do("alias.set", address="abuse@a.test", targets="x@out.test")[1],
       "refused", "rights are given by kind")
    eq(do("user.set", address="mine@a.test", full_name="I")[1], "ok",
       "each singly")
    r.ask("manager.set", name="manager-a", change="none")
    eq(do("user.set", address="mine@a.test", full_name="I")[1], "refused",
       "or none")
    r.ask("manager.set", name="manager-a", until="2020-01-01")
    eq(do("user.show", address="mine@a.test")[1], "refused",
       "until an end date")
    r.ask("manager.set", name="manager-a", until="", state="suspended")
    eq(do("user.show", address="mine@a.test")[1], "refused", "or a state")
    r.ask("manager.set", name="manager-a", state="active")
    eq(do("manager.passwd", password="wrong", name="manager-a")[1], "refused",
       "a wrong password")
    eq(do("manager.passwd", name="manager-a", hash="!")[1], "refused",
       "no hash instead of a password")
    eq(r.ask_as(STRANGER, "domain.list", **{"as": "admin"})[1], "refused",
       "a name without a password")
    eq(r.ask("dump", current=PASSWORD, **{"as": "admin"})[1], "refused",
       "root who gives another name has that one's rights")
    eq(r.ask("client.delete", name="a")[1], "invalid",
       "a customer with domains stays")
    eq(r.ask("domain.set", name="a.test", client="nobody")[1], "not-found",
       "no domain of an unknown customer")
    p = r.malle("--as", "manager-a", "domain", "list",
                input=PASSWORD + "\n")
    ok(p.returncode == 0 and p.stdout.startswith("a.test\t"),
       "malle --as takes the password from standard input")
    p = r.malle("--as", "manager-a", "user", "passwd", "mine@b.test",
                "--random", input=PASSWORD + "\n", lang="fr_FR.UTF-8")
    ok(p.returncode == 77, "and its exit status says no")
    r.ask("manager.set", name="manager-a", change="all")
    p = r.malle("--as", "manager-a", "user", "passwd", "mine@a.test",
                "--password-stdin", input="%s\n%s\n" % (PASSWORD, PASSWORD))
    eq(p.returncode, 0, "first one's own, then the new one")
    p = r.malle("manager", "list")
    ok("manager-a" in p.stdout and "set" in p.stdout, "malle manager list")
    p = r.malle("client", "show", "a")
    ok("name: a" in p.stdout, "malle client show")
    text = r.malle("dump").stdout
    with registryd.Registry() as other:
        eq(other.malle("load", input=text).returncode, 0,
           "customers and managers are in a dump")
        eq(other.malle("dump").stdout, text, "all of them")


def owners(r):
    def own(operation, current=PASSWORD, **fields):
        return r.ask_as(STRANGER, operation, address=MINE, current=current,
                        **fields)
    for name, value in (("quota-bytes", "0"), ("state", "active"),
                        ("smtp", "yes"), ("hash", "!"), ("uid", "1")):
        ok(own("user.set", **{name: value})[1] in ("refused", "invalid"),
           "an owner may not set " + name)
    eq(own("user.passwd", hash="!")[1], "refused",
       "nor a hash instead of a password")
    eq(own("user.passwd", password="short")[1], "invalid",
       "nor a bad password")
    eq(own("user.passwd", password=OTHER + " two")[1], "ok",
       "but a good one")
    start = time.monotonic()
    eq(own("user.show")[1], "refused", "the old one proves nothing any more")
    ok(time.monotonic() - start >= 1.9, "a wrong one costs two seconds")
    eq(own("user.show", current=OTHER + " two")[1], "ok", "the new one does")
    r.ask("user.set", address=MINE, must_change="yes")
    two, three = OTHER + " two", OTHER + " three"
    for operation, fields in (
            ("user.show", {}), ("user.set", {"full-name": "X"}),
            ("mailbox.measure", {}), ("mailbox.open", {}),
            ("user.passwd", {"password": three, "full-name": "X"})):
        got = own(operation, current=two, **fields)
        ok(got[1] == "refused" and "user passwd" in got[2],
           "1-06: who must change the password may not %s before" % operation)
    eq(own("user.passwd", current=two, password=two)[1], "invalid",
       "1-06: the same one is no change")
    eq(r.ask("user.show", address=MINE)[0][0]["must-change"], "yes",
       "1-06: and it is still asked for")
    eq(own("user.passwd", current=two, password=three)[1], "ok",
       "1-06: another one is")
    eq(own("user.show", current=three)[0][0]["must-change"], "no",
       "1-06: and all is allowed again")
    r.ask("user.passwd", address=MINE, password=two)
    r.ask("user.set", address=MINE, state="disabled")
    eq(own("user.show", current=OTHER + " two")[1], "refused",
       "a disabled account proves nothing")
    r.ask("user.set", address=MINE, state="active")
    eq(r.ask_as(STRANGER, "user.show", address="nobody@a.test",
                current=PASSWORD)[1:], own("user.show", current="x")[1:],
       "whether an account exists does not show")
    rows = [x for x in r.ask("journal", name=MINE)[0] if x["account"]]
    ok(rows and rows[-1]["account"] == MINE and
       rows[-1]["uid"] == str(STRANGER), "the journal knows who proved what")


def many(r):
    ready, told = os.pipe(), os.pipe()
    conns = []
    # Some of one user, and of more users than there is room for.
    for user in [STRANGER] * 3 + list(range(STRANGER + 1, STRANGER + 20)):
        pid = os.fork()
        if pid == 0:
            os.close(told[1])
            os.setgroups([])
            os.setgid(user)
            os.setuid(user)
            held = [r.connect() for _ in range(12)]
            os.write(ready[1], b"x")
            os.read(told[0], 1)		# as long as the others ask
            os._exit(len(held) - 12)
        conns.append(pid)
    for _ in conns:
        os.read(ready[0], 1)
    eq(r.ask("domain.list")[1], "ok",
       "strangers with many connections keep nobody out")
    os.close(told[1])
    for pid in conns:
        os.waitpid(pid, 0)


# The group is looked up in /etc/group: this machine may have one for the test
# only in a mount namespace of its own.
def with_group():
    if os.environ.get("MALLE_TEST_GROUP"):
        return
    folder = tempfile.mkdtemp(prefix="malle-etc-")
    with open("/etc/group") as f:
        text = f.read()
    path = os.path.join(folder, "group")
    with open(path, "w") as f:
        f.write(text + "malle-test-admin:x:%d:\n" % ADMIN_GID)
    os.environ["MALLE_TEST_GROUP"] = folder
    os.execvp("unshare", ["unshare", "-m", "sh", "-c",
                          "mount --bind %s /etc/group && exec python3 %s" % (
                              path, os.path.abspath(__file__))])


with_group()
def without_queue(r):
    """The number of the pair's descriptor is another's soon: whoever connects
    next must not be taken for malle-queued."""
    r.queue.close()
    with r.connect() as s:
        s.send(registryd.request("user.sent", [("address", "mine@a.test")]))
        data = s.recv(registryd.IPC_MAX)
        eq((data[0], data[2]),
           (registryd.END, registryd.VERDICTS.index("temporary")),
           "without malle-queued nobody is asked what was sent")


with registryd.Registry({"admin_group": "malle-test-admin"}) as r:
    for x in "ab":
        r.ask("client.add", name=x)
        r.ask("domain.add", name=x + ".test", client=x)
        r.ask("user.add", address="mine@%s.test" % x, password=PASSWORD,
              own_aliases="5")
    r.ask("user.add", address=THEIRS, password=OTHER, own_aliases="5")
    r.ask("user.delete", address=THEIRS)
    eq(r.ask("manager.add", name="manager-a", domains="a.test",
             password=PASSWORD)[1], "ok", "a manager of a domain")
    r.ask("manager.set", name="manager-a", client="a")
    r.ask("manager.add", name="manager-b", domains="b.test", client="b",
          password=PASSWORD)
    r.ask("manager.add", name="seer-a", client="a", create="none",
          change="none", delete="none", password=PASSWORD)
    r.ask("manager.add", name="admin", password=PASSWORD)
    matrix(r)
    compare(r)
    out_of_date(r)
    single_rights(r)
    lists(r)
    r.ask("manager.set", name="manager-a", client="")
    managers(r)
    owners(r)
    many(r)
    without_queue(r)
    eq(r.violations(), [], "without leaving its role")
folder = os.environ["MALLE_TEST_GROUP"]
os.unlink(os.path.join(folder, "group"))
os.rmdir(folder)
malle.done()
