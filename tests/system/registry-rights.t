#!/usr/bin/env python3
"""Every operation tried by every role: root, an administrator, the owner of a
mailbox, the owner of another one, a stranger, the pair of malle-authd."""
import os
import re
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import malle  # noqa: E402
import registryd  # noqa: E402
from malle import eq, ok  # noqa: E402

if not malle.ROOT:
    malle.skip_all("only root can be several users")

PASSWORD, OTHER = "correct horse battery", "staple of seven oranges"
STRANGER, ADMIN_GID = 65533, 65432
MINE, THEIRS = "mine@a.test", "theirs@a.test"

# What each operation is given, so that nothing but a right can refuse it.
FIELDS = {
    "domain.add": {"name": "a.test"}, "domain.list": {},
    "domain.show": {"name": "a.test"},
    "domain.set": {"name": "a.test", "language": "fr"},
    "domain.delete": {"name": "never.test"},
    "user.add": {"address": MINE, "hash": "!"}, "user.list": {},
    "user.show": {"address": MINE},
    "user.set": {"address": MINE, "full-name": "Me"},
    "user.passwd": {"address": MINE, "password": PASSWORD},
    "user.delete": {"address": "never@a.test"},
    "alias.add": {"address": MINE, "targets": THEIRS}, "alias.list": {},
    "alias.show": {"address": "abuse@a.test"},
    "alias.set": {"address": "abuse@a.test", "targets": "postmaster@a.test"},
    "alias.delete": {"address": "never@a.test"},
    "relay.add": {"net": "192.0.2.1"}, "relay.list": {},
    "relay.set": {"net": "192.0.2.1", "note": "x"},
    "relay.delete": {"net": "192.0.2.9"}, "removed.list": {}, "journal": {},
    "undo": {"id": "999999"},
    "check": {}, "recompile": {}, "dump": {}, "load": {}, "schema": {},
    "login": {"address": MINE},
}
OWNERS = {"user.show", "user.set", "user.passwd"}
ROOT_ONLY = {"dump", "load"}


def may(operation, role):
    if operation == "login":
        return False
    if operation == "schema" or role == "root":
        return True
    if role == "admin":
        return operation not in ROOT_ONLY
    return role == "owner" and operation in OWNERS


def table_of_the_program():
    """The names in operations[], so that a new one cannot be forgotten."""
    with open(os.path.join(malle.TOP, "registry", "operation.c")) as f:
        text = f.read()
    text = text[text.index("operations[] = {"):text.index("{ NULL, 0, 0")]
    return set(re.findall(r'\{ "([a-z.]+)", +[A-Z]', text))


def ask(r, role, operation, fields):
    if role == "owner":
        fields = dict(fields, current=PASSWORD)
    elif role == "other":
        fields = dict(fields, current=OTHER)
    if role == "root":
        if operation == "load":
            with r.connect() as s:
                s.send(registryd.request("load", []))
                s.send(b"\3\0")
                return registryd.answer(s)
        return r.ask(operation, **fields)
    gid = ADMIN_GID if role == "admin" else STRANGER
    if operation == "load":
        # A refusal comes behind the end of a long request.
        return long_as(r, gid)
    return r.ask_as(STRANGER, operation, as_gid=gid, **fields)


def long_as(r, gid):
    pipe = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.setgroups([])
        os.setgid(gid)
        os.setuid(STRANGER)
        with r.connect() as s:
            s.send(registryd.request("load", []))
            for _ in range(100):
                s.send(b"\2\0\0\0")
            s.send(b"\3\0")
            os.write(pipe[1], repr(registryd.answer(s)).encode())
        os._exit(0)
    os.close(pipe[1])
    with os.fdopen(pipe[0]) as f:
        text = f.read()
    os.waitpid(pid, 0)
    return eval(text)  # our own repr


def matrix(r):
    eq(table_of_the_program(), set(FIELDS), "every operation is tried")
    for operation, fields in FIELDS.items():
        for role in ("root", "admin", "owner", "other", "stranger"):
            if role == "other" and operation not in OWNERS:
                continue  # the same as a stranger, and 2 s each
            got = ask(r, role, operation, fields)
            refused = got is None or got[1] == "refused"
            ok(refused != may(operation, role) and not (refused and got
                                                        and got[0]),
               "%s by %s: %s" % (operation, role,
                                 "refused" if refused else "allowed"))


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
    conns = []
    for _ in range(12):
        pid = os.fork()
        if pid == 0:
            os.setgroups([])
            os.setgid(STRANGER)
            os.setuid(STRANGER)
            held = [r.connect() for _ in range(12)]
            time.sleep(2)
            os._exit(len(held) - 12)
        conns.append(pid)
        if len(conns) == 3:
            break
    time.sleep(0.5)
    start = time.monotonic()
    eq(r.ask("domain.list")[1], "ok",
       "a stranger with many connections keeps nobody out")
    ok(time.monotonic() - start < 1.5, "nor slow")
    for pid in conns:
        os.waitpid(pid, 0)


# The group is looked up in /etc/group: this machine may have one for the test
# only in a mount namespace of its own.
def with_group():
    if os.environ.get("MALLE_TEST_GROUP"):
        return
    folder = os.path.join("/tmp", "malle-etc-%d" % os.getpid())
    os.mkdir(folder)
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
with registryd.Registry({"admin_group": "malle-test-admin"}) as r:
    r.ask("domain.add", name="a.test")
    r.ask("user.add", address=MINE, password=PASSWORD)
    r.ask("user.add", address=THEIRS, password=OTHER)
    matrix(r)
    owners(r)
    many(r)
    eq(r.violations(), [], "without leaving its role")
folder = os.environ["MALLE_TEST_GROUP"]
os.unlink(os.path.join(folder, "group"))
os.rmdir(folder)
malle.done()
