#!/usr/bin/env python3
"""hooks.t - programs that are run after a change of an account.

The whole service with a folder of hooks: what they are given and as whom, hooks
that are slow, crash, write without end or leave something behind, malle-hooks
killed in the middle, the registry under load, and what a hook may not do.
"""
# SPDX-License-Identifier: ISC

import json
import os
import re
import shutil
import signal
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import malle
import registryd
from malle import Instance, done, eq, ok, until

# Keeps what it is given, one file a change; "$HOME" is the folder hooks/.
KEEP = """#!/bin/sh
cat >"$HOME/$MALLE_CHANGE.part" && mv "$HOME/$MALLE_CHANGE.part" \
"$HOME/$MALLE_CHANGE.json"
echo "$MALLE_CHANGE" >>"$HOME/order"
"""
ABOUT = """#!/usr/bin/python3
import json, os, resource, socket, sys
change = json.load(sys.stdin)
def tried(f, *a):
    try:
        f(*a)
        return "yes"
    except OSError as e:
        return type(e).__name__
def listen(bind=True):
    s = socket.socket()
    if bind:
        s.bind(("127.0.0.1", 0))
    s.listen(1)
with open(os.environ["HOME"] + "/about", "w") as out:
    json.dump({"uid": os.geteuid(), "groups": os.getgroups(),
        "env": sorted(os.environ), "cwd": os.getcwd(),
        "fds": sorted(os.listdir("/proc/self/fd")),
        "mask": [l.split()[1] for l in open("/proc/self/status")
            if l.startswith("SigBlk")][0],
        "core": resource.getrlimit(resource.RLIMIT_CORE)[0],
        "memory": resource.getrlimit(resource.RLIMIT_AS)[0],
        "write": tried(open, "/etc/malle-hook-was-here", "w"),
        "outside": tried(open, os.path.dirname(os.environ["HOME"]) +
            "/x", "w"),
        "registry": tried(os.listdir, os.path.dirname(os.environ["HOME"]) +
            "/registry"),
        "listen": tried(listen), "anywhere": tried(listen, False)}, out)
"""


def put(folder, name, text, mode=0o755):
    """Put in place whole, as a package would."""
    with open(folder + "/.new", "w") as f:
        f.write(text)
    os.chmod(folder + "/.new", mode)
    if m.user_id:
        os.chown(folder + "/.new", m.user_id, m.user_id)
    os.rename(folder + "/.new", folder + "/" + name)


def changes():
    """What the hook has kept, by id."""
    found = {}
    for name in os.listdir(work):
        if name.endswith(".json"):
            with open(work + "/" + name) as f:
                found[int(name[:-5])] = json.load(f)
    return found


def order():
    try:
        with open(work + "/order") as f:
            return [int(l) for l in f]
    except FileNotFoundError:
        return []


def position():
    """The last change that all hooks have had; None: no place is kept."""
    try:
        with open(work + "/position") as f:
            return int(f.read())
    except FileNotFoundError:
        return None


def last():
    """The id of the newest change of the registry."""
    lines = m.malle("--json", "journal").stdout.splitlines()
    return max(int(json.loads(l)["id"]) for l in lines)


def hooked(hook, what=""):
    """The lines of the log of one hook."""
    return [l for l in m.log().split("\n")
            if " hook hook=%s " % hook in l and what in l]


def alias(n):
    m.malle("alias", "add", "a%d@exemple.test" % n, "bob@exemple.test")


def asks(pid):
    """Whether a process has a connection."""
    folder = "/proc/%d/fd/" % pid
    for name in os.listdir(folder):
        try:
            if os.readlink(folder + name).startswith("socket:"):
                return True
        except FileNotFoundError:
            pass
    return False


# Time enough: what ends a hook here is not that it has taken too long.
with Instance(conf={"hook_time": "1h"}, start=False) as m:
    folder, work = m.dir + "/hooks.d", m.base + "/hooks"
    m.start()
    eq(m.pid("malle-hooks"), None, "without a folder of hooks nobody runs")
    ok(not os.path.exists(work), "and nothing is made for it")
    m.domain("exemple.test")
    m.reload()
    eq(m.pid("malle-hooks"), None, "nor at a reload")

    def make_folder():
        os.mkdir(folder, 0o755)
        if m.user_id:
            os.chown(folder, m.user_id, m.user_id)

    make_folder()
    m.reload()
    ok(until(lambda: m.pid("malle-hooks") and os.path.isdir(work)),
       "a reload finds a folder that was made since")
    os.rmdir(folder)
    m.reload()
    ok(until(lambda: m.pid("malle-hooks") is None), "and one that has gone")
    m.stop()

    make_folder()
    m.start()
    ok(m.pid("malle-hooks"), "with one malle-hooks runs")
    os.rename(folder, folder + ".old")
    make_folder()
    os.rmdir(folder + ".old")
    pid = m.pid("malle-hooks")
    if not malle.SANITIZED:
        rss = int(malle.status_of(pid)["RssAnon"].split()[0])
        ok(rss < 1024, "and waits in %d KiB of its own" % rss)
    put(folder, "keep", KEEP)
    ok(m.wait_log(" hooks count=1 after="), "a hook is found by itself")
    mark = last()
    m.user("bob@exemple.test", "a good secret 1")
    ok(until(lambda: len(changes()) >= 1), "it is run after a change")
    change = changes().get(mark + 1, {})
    eq((change.get("operation"), change.get("kind"), change.get("name"),
        change.get("before"), change.get("uid"), change.get("account")),
       ("user.add", "user", "bob@exemple.test", None, os.geteuid(), ""),
       "who, from where, which operation, on what")
    ok(re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$", change.get("time", "")),
       "and when")
    m.malle("user", "set", "bob@exemple.test", "--name", "Bob \"l'été\" \\!")
    ok(until(lambda: any(c["operation"] == "user.set" and
                         c["before"].get("full-name") is None and
                         c["after"]["full-name"].startswith("Bob \"l'été\"")
                         for c in changes().values())), "before and after")
    m.malle("user", "passwd", "bob@exemple.test", "--password-stdin",
            input="another good secret 2\n")
    ok(until(lambda: any(c["operation"] == "user.passwd"
                         for c in changes().values())), "a new password")
    everything = "".join(open(work + "/" + n).read() for n in
                         os.listdir(work) if n.endswith(".json"))
    ok("$" not in everything and "good secret" not in everything and
       "(secret)" in everything, "is told of without the secret")
    ok(not any(c["id"] <= mark for c in changes().values()),
       "what was before is not told")

    # As whom, and with what.
    put(folder, "about", ABOUT)
    alias(1)
    ok(until(lambda: hooked("about")), "a hook in Python")
    with open(work + "/about") as f:
        about = json.load(f)
    if malle.SEPARATE:
        eq((about["uid"], about["groups"]), (int(m.settings["user_hook"]), []),
           "has a uid of its own, and no group")
        eq(about["registry"], "PermissionError",
           "cannot read the registry's folder")
    eq([v for v in about["env"] if v != "LC_CTYPE"],
       ["HOME", "LANG", "MALLE_CHANGE", "PATH"], "a clean environment")
    eq((about["cwd"], int(about["mask"], 16), about["core"]),
       (os.path.realpath(work), 0, 0), "a folder of its own, no signal blocked")
    ok(len(about["fds"]) <= 5, "no descriptor but three and its own: %s" % about["fds"])
    ok(0 < about["memory"] <= 1 << 30, "a limit of memory")
    if malle.SEPARATE:
        ok(about["write"] != "yes" and about["outside"] != "yes",
           "writes nowhere else")
    if not malle.SANITIZED:
        if "landlock=0" not in m.log():
            eq(about["listen"], "PermissionError", "waits for nobody")
        eq(about["anywhere"], "PermissionError",
           "not even where the kernel chooses the port")

    # Those that nobody should run.
    put(folder, "open", "#!/bin/sh\ntouch $HOME/open\n", 0o777)
    put(folder, "off", "#!/bin/sh\ntouch $HOME/off\n", 0o644)
    put(folder, "z.bak", "#!/bin/sh\ntouch $HOME/bak\n")
    alias(2)
    n = last()
    ok(until(lambda: position() == n), "the next change")
    ok(m.wait_log("hook-refused hook=open"), "one that others may write is refused")
    eq([n for n in ("open", "off", "bak") if os.path.exists(work + "/" + n)],
       [], "nor is what is no program, or a copy")
    os.unlink(folder + "/open")

    # Those that go wrong.
    put(folder, "a-fails", "#!/bin/sh\necho 'cannot reach the panel'\nexit 3\n")
    put(folder, "b-crashes", "#!/bin/sh\nkill -SEGV $$\n")
    put(folder, "c-floods", "#!/bin/sh\nyes 'more and more' | head -c 20M\n")
    put(folder, "e-leaves", "#!/bin/sh\nsleep 4321 </dev/null >/dev/null 2>&1 &\n")
    put(folder, "f-missing", "#!/no/such/program\n")
    put(folder, "g-deaf", "#!/bin/sh\nexec true\n")
    # One that ends when it may: whoever made the change does not wait for it.
    put(folder, "a-gate", "#!/bin/sh\nuntil [ -e \"$HOME/go\" ]; do sleep 0.1; done\n")
    alias(3)
    n = last()
    ok(n not in order(), "who made the change has not waited")
    put(work, "go", "")
    ok(until(lambda: n in order()), "all run, one after the other")
    for name, want in (
            ("a-fails", "result=exit status=3"),
            ("a-fails", "output=\"cannot reach the panel"),
            ("b-crashes", "result=signal status=11"),
            ("c-floods", "result=exit status=0"),
            ("c-floods", "output=\"more and more"),
            ("e-leaves", "result=exit status=0"),
            ("f-missing", "result=exit status=127"),
            ("g-deaf", "result=exit status=0"),
            ("keep", "result=exit status=0")):
        ok(hooked(name, "change=%d %s" % (n, want)) or
           hooked(name, want), "%s: %s" % (name, want))
    ok(all(len(l) < 1500 for l in hooked("c-floods")), "its output is cut")

    def sleeping(word):
        for pid in os.listdir("/proc"):
            try:
                with open("/proc/%s/cmdline" % pid, "rb") as f:
                    if word in f.read().split(b"\0"):
                        return True
            except OSError:
                pass
        return False
    ok(until(lambda: not sleeping(b"4321")), "what a hook left behind is ended")

    # The registry under load, while a hook takes its time.
    os.unlink(work + "/go")
    for i in range(10, 25):
        alias(i)
    ok(last() not in order(), "15 changes are made while a slow hook runs")
    put(work, "go", "")
    for name in ("a-gate", "a-fails", "b-crashes", "c-floods", "e-leaves",
                 "f-missing", "g-deaf", "about"):
        os.unlink(folder + "/" + name)
    n = last()
    ok(until(lambda: n in order(), 2 * malle.PATIENCE),
       "they are told in the end")
    eq(order(), sorted(order()), "in their order")
    eq(sorted(set(order())), list(range(mark + 1, n + 1)), "none is left out")
    eq(len(order()), len(set(order())), "none comes twice")

    # One that was there before the change has it, even if malle-hooks is asking
    # for changes already.
    c = malle.unix(m.base + "/public/registry.sock")
    c.send(registryd.request("journal.follow", []))
    registryd.answer(c)
    with malle.held(m.pid("malle-registryd")):
        ok(until(lambda: asks(m.pid("malle-hooks"))), "what has changed?")
        put(folder, "a-late", "#!/bin/sh\nexit 0\n")
        c.send(registryd.request("alias.add", [
            ("address", "late@exemple.test"), ("targets", "bob")]))
    eq(registryd.answer(c)[1], "ok", "a hook, then a change")
    c.close()
    n = last()
    ok(until(lambda: position() == n) and hooked("a-late", "change=%d" % n),
       "the hook has it")
    os.unlink(folder + "/a-late")

    # Killed while the first hook has a change and the second has not.
    put(folder, "a-slow", "#!/bin/sh\n: >\"$HOME/begun-$MALLE_CHANGE\"\n"
        "until [ -e \"$HOME/free-$MALLE_CHANGE\" ]; do sleep 0.1; done\n")
    kills = 0
    for i in range(30, 42):
        alias(i)
        n = last()
        if i % 3 == 0:
            ok(until(lambda: os.path.exists(work + "/begun-%d" % n)),
               "a hook has the change %d" % n)
            pid = m.pid("malle-hooks")
            os.kill(pid, signal.SIGKILL)
            kills += 1
            until(lambda: m.pid("malle-hooks") not in (None, pid))
        put(work, "free-%d" % n, "")
    ok(until(lambda: position() == n), "killed %d times, it goes on" % kills)
    eq(sorted(set(order())), list(range(mark + 1, n + 1)), "none is left out")
    twice = len(order()) - len(set(order()))
    ok(twice <= kills, "%d came twice" % twice)
    os.unlink(folder + "/a-slow")
    m.stop()
    m.start()
    alias(50)
    n = last()
    ok(until(lambda: n in order()), "and after a restart")
    eq(len(order()) - len(set(order())), twice, "which repeats nothing")
    os.unlink(work + "/order")

    # Nobody to tell.
    for name in os.listdir(folder):
        os.unlink(folder + "/" + name)
    ok(until(lambda: not os.path.exists(work + "/position")),
       "without a hook no place is kept")
    alias(51)
    put(folder, "keep", KEEP)
    ok(until(lambda: os.path.exists(work + "/position")), "nor caught up")
    alias(52)
    n = last()
    ok(until(lambda: order() == [n]), "a new hook begins with what is new")

    # What of the registry malle-hooks may ask.
    if malle.SEPARATE:
        r = m.run("malle", "user", "list", "exemple.test", check=False,
                  user=int(m.settings["user_hook"]), group=0, extra_groups=[])
        ok(r.returncode != 0, "its uid may not list accounts: " +
           r.stderr.strip())
    eq(m.violations(), [], "within the sandbox")
    eq(m.stop(), 0, "ends in order")
    shutil.rmtree(folder)

with Instance(conf={"hook_time": "1h"}, start=False) as m:
    folder, work = m.dir + "/hooks.d", m.base + "/hooks"
    make_folder()
    put(folder, "keep", KEEP)
    m.start()
    m.domain("exemple.test")
    m.user("bob@exemple.test", "a good secret 1")
    n = last()
    ok(until(lambda: position() == n), "a hook has had what there is")

    # Two that nobody should run, over several changes.
    for name in ("open-a", "open-b"):
        put(folder, name, "#!/bin/sh\nexit 0\n", 0o777)
    ok(m.wait_log("hook-refused hook=open-b"), "two are refused")
    for i in range(2, 5):
        alias(i)
        n = last()
        ok(until(lambda: position() == n), "another change")
    eq([m.log().count("hook-refused hook=open-" + c) for c in "ab"], [1, 1],
       "which is told once of each")
    os.chmod(folder + "/open-a", 0o755)
    alias(5)
    ok(until(lambda: hooked("open-a")), "one is mended, and runs")
    os.chmod(folder + "/open-a", 0o777)
    ok(until(lambda: m.log().count("hook-refused hook=open-a") == 2),
       "refused again, it is told again")
    for name in ("open-a", "open-b"):
        os.unlink(folder + "/" + name)

    # The place cannot be noted: what is done is not done again meanwhile.
    before = position()
    os.rename(work + "/position", work + "/aside")
    os.makedirs(work + "/position/full")
    alias(6)
    n = last()
    ok(until(lambda: m.log().count("what=hooks/position") >= 3),
       "a place that cannot be noted is tried again")
    eq((order().count(n), n > before), (1, True), "without running a hook again")
    shutil.rmtree(work + "/position")
    alias(7)
    ok(until(lambda: position() == n + 1), "until it can")
    eq(order()[-2:], [n, n + 1], "none is left out, none comes twice")

    # Stopped while the first hook has a change and the second has not.
    put(folder, "a-waits", "#!/bin/sh\n: >\"$HOME/begun-$MALLE_CHANGE\"\n"
        "until [ -e \"$HOME/go\" ]; do sleep 0.1; done\n")
    alias(8)
    n = last()
    ok(until(lambda: os.path.exists(work + "/begun-%d" % n)),
       "a hook is in the middle of a change")
    eq(m.stop(), 0, "the service is stopped")
    ok(hooked("a-waits", "change=%d result=stopped" % n), "the hook, too")
    eq((position(), n in order()), (n - 1, False), "the next one did not begin")
    put(work, "go", "")
    m.start()
    ok(until(lambda: position() == n), "after the start it is run again")
    eq(order()[-1], n, "and the next one, too")

# Those that would never end.
with Instance(conf={"hook_time": "1s"}, start=False) as m:
    folder, work = m.dir + "/hooks.d", m.base + "/hooks"
    make_folder()
    m.start()
    m.domain("exemple.test")
    put(folder, "c-floods", "#!/bin/sh\nexec yes 'more and more'\n")
    put(folder, "d-sleeps", "#!/bin/sh\ntrap '' TERM\nsleep 1000\n")
    ok(until(position), "hooks are found")
    m.user("bob@exemple.test", "a good secret 1")
    n = last()
    ok(until(lambda: position() == n), "a change for which they have a second")
    for name in ("c-floods", "d-sleeps"):
        ok(hooked(name, "change=%d result=too-long" % n), name + ": too long")
    ok(all(len(l) < 1500 for l in hooked("c-floods")), "its output is cut")
    eq(m.violations(), [], "within the sandbox")
done()
