#!/usr/bin/env python3
"""make up and make down: the demonstration, twice, ports taken, the end."""
import os
import shutil
import socket
import stat
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import malle
from malle import eq, ok

OFFSETS = (25, 587, 465, 110, 995)


def free_base():
    """A PORT_BASE whose five ports nobody has."""
    for base in range(21000, 60000, 1000):
        held = []
        try:
            for offset in OFFSETS:
                s = socket.socket()
                held.append(s)
                s.bind(("127.0.0.1", base + offset))
            return base
        except OSError:
            continue
        finally:
            for s in held:
                s.close()
    malle.skip_all("no free ports")


def tool(name, var, base=0, user=None, **more):
    env = dict(os.environ, BIN=malle.BIN, VAR=var, PORT_BASE=str(base),
               LANG="C.UTF-8", MALLE_SANDBOX_DENY="kill")
    env.update(more)
    env.pop("LC_MESSAGES", None)
    env.pop("LC_ALL", None)
    return subprocess.run([os.path.join(malle.TOP, "tools", name)], env=env,
                          capture_output=True, text=True,
                          timeout=10 * malle.PATIENCE,
                          stdin=subprocess.DEVNULL, user=user, group=user,
                          extra_groups=None if user is None else [])


def test_up(var, base):
    r = tool("up", var, base)
    if not eq((r.returncode, r.stderr), (0, ""), "make up"):
        malle.note(r.stdout)
        return
    ok("Subject: Bonjour de la malle-poste" in r.stdout,
       "the letter was read back")
    ok("delivered into the mailbox bob@exemple.test" in r.stdout,
       "its story is told")
    accounts = os.path.join(var, "accounts.txt")
    eq(stat.S_IMODE(os.stat(accounts).st_mode), 0o600, "accounts.txt: 0600")
    words = [l.split() for l in open(accounts)]
    eq([w[0] for w in words], ["alice@exemple.test", "bob@exemple.test"],
       "alice and bob")
    ok(all(len(w) == 2 and len(w[1]) >= 16 for w in words) and
       words[0][1] != words[1][1], "each with a password of their own")
    ok(all(w[1] in r.stdout for w in words), "which are printed")
    log = open(os.path.join(var, "log/malle.log")).read()
    ok(not any(w[1] in log for w in words), "and not in the log")
    return open(accounts).read()


def test_twice(var, base, accounts):
    pid = open(os.path.join(var, "malle-start.pid")).read()
    r = tool("up", var, base, LANG="fr_FR.UTF-8")
    eq(r.returncode, 0, "make up, again")
    eq(open(os.path.join(var, "accounts.txt")).read(), accounts,
       "the accounts stay")
    eq(open(os.path.join(var, "malle-start.pid")).read(), pid,
       "the service goes on")
    ok("Le service tourne déjà" in r.stdout and "L'histoire de la lettre"
       in r.stdout, "it speaks French to who does")


def test_beside(var, base, other):
    r = tool("up", other, base)
    pid = open(os.path.join(var, "malle-start.pid")).read().strip()
    ok(r.returncode != 0 and "port %d (smtp) is taken by pid %s (malle-start)"
       % (base + 25, pid) in r.stderr, "ports taken: which, and by whom")
    ok(not os.path.exists(os.path.join(other, "malle-start.pid")),
       "nothing runs there")
    shutil.rmtree(other)
    r = tool("up", other, free_base(), DEMO="no")
    eq((r.returncode, r.stderr), (0, ""), "another instance beside the first")
    eq(tool("down", other).returncode, 0, "which ends alone")
    ok(os.path.exists(os.path.join(var, "malle-start.pid")),
       "the first goes on")


def test_down(var, base):
    pid = int(open(os.path.join(var, "malle-start.pid")).read())
    family = [pid] + malle.descendants(pid)
    ok(len(family) >= 9, "all programs run")
    r = tool("down", var)
    eq((r.returncode, r.stderr), (0, ""), "make down")
    eq([p for p in family if malle._alive(p)], [], "nothing stays behind")
    for offset in OFFSETS:
        with socket.socket() as s:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            s.bind(("127.0.0.1", base + offset))
    ok(True, "the ports are free")
    eq(tool("down", var).returncode, 0, "make down, again")
    r = tool("up", var, base)
    eq(r.returncode, 0, "make up after make down")
    ok("Bonjour de la malle-poste" in r.stdout, "with what it had")
    tool("down", var)


def test_plain_user(folder):
    """Not root, in a folder with a space in its name."""
    user = malle.UID_FIRST - 2
    home = os.path.join(folder, "a folder")
    os.mkdir(home)
    os.chown(home, user, user)
    if any(subprocess.run(["test", "-x", path], user=user, group=user,
                          extra_groups=[]).returncode
           for path in (os.path.join(malle.TOP, "tools", "up"),
                        os.path.join(malle.BIN, "malle-start"))):
        malle.skip("others may not read this checkout")
        return
    var = os.path.join(home, "var")
    try:
        r = tool("up", var, free_base(), user=user)
        if not eq((r.returncode, r.stderr), (0, ""), "make up, not root"):
            malle.note(r.stdout)
        ok("Subject: Bonjour de la malle-poste" in r.stdout and
           "delivered into the mailbox" in r.stdout,
           "the whole way of a letter")
        ok("'%s/malle' -c '%s/malleposte.conf'" % (malle.BIN, var) in r.stdout,
           "the command is quoted for the shell")
        ok("Not root: all programs have your uid" in r.stdout,
           "and it says which separations are off")
        pid = int(open(os.path.join(var, "malle-start.pid")).read())
        family = [pid] + malle.descendants(pid)
        eq({malle.status_of(p)["Uid"] for p in family},
           {"\t".join([str(user)] * 4)}, "everything has the caller's uid")
    finally:
        eq(tool("down", var, user=user).returncode, 0, "make down")
    eq([p for p in family if malle._alive(p)], [], "nothing stays behind")


def main():
    if malle.SANITIZED and malle.ROOT:
        malle.skip_all("a sanitized malle-local cannot start in a root "
                       "folder of its own")
    folder = tempfile.mkdtemp(prefix="malle-up-")
    os.chmod(folder, 0o755)
    var, other = folder + "/var", folder + "/other"
    base = free_base()
    try:
        accounts = test_up(var, base)
        if accounts:
            test_twice(var, base, accounts)
            test_beside(var, base, other)
            test_down(var, base)
        if malle.ROOT:
            test_plain_user(folder)
    finally:
        for d in (var, other):
            if os.path.exists(d + "/malleposte.conf"):
                tool("down", d)
        shutil.rmtree(folder, ignore_errors=True)
    malle.done()


main()
