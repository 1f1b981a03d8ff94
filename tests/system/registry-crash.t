#!/usr/bin/env python3
"""malle-registryd killed at each system call of one change, and of the start
that follows: what was answered is there, what was not is there whole or not at
all, the tables always equal the registry, the journal lacks no entry."""
import collections
import json
import os
import re
import shutil
import signal
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import malle  # noqa: E402
import registryd  # noqa: E402

if shutil.which("strace") is None:
    malle.skip_all("strace is not installed")
if malle.SANITIZED:
    malle.skip_all("a sanitized program makes too many calls of its own")

HASH = "$6$saltsalt$" + "a" * 86
# How many places of one kind of call are tried: all, or some of many.
MOST = int(os.environ.get("MALLE_CRASH_MOST", "6"))


def parse_dump(text):
    """(kind, name) to attributes."""
    out, here = {}, None
    for line in text.split("\n")[1:]:
        if line.startswith("\t"):
            name, value = line[1:].split("=", 1)
            here[name] = value.replace("\\n", "\n")
        elif line and not line.startswith("end "):
            kind, name = line.split(" ", 1)
            here = out[kind, name] = {}
    return out


def faults(r):
    """What is wrong between registry, tables and journal, as texts. It does
    not ask the program's own check alone, which might share its mistakes."""
    bad = []
    objects = parse_dump(r.malle("dump").stdout)
    mains = {n for (k, n), a in objects.items()
             if k == "domain" and "alias-of" not in a}
    domains = {n: a.get("alias-of", n) for (k, n), a in objects.items()
               if k == "domain"}
    have = {n: v.decode() for n, v in r.table("auth", "domains.cdb").items()}
    if have != domains:
        bad.append("auth/domains.cdb %r, registry %r" % (have, domains))
    if set(r.domains()) != set(domains):
        bad.append("domains.cdb %r" % sorted(r.domains()))
    for domain in mains:
        want = {n.split("@")[0]: (k, a) for (k, n), a in objects.items()
                if k in ("user", "alias") and n.endswith("@" + domain)}
        table = r.addresses(domain)
        if table is None or set(table) != set(want):
            bad.append("addresses of %s: %r" % (domain, table))
            continue
        for local, (kind, a) in want.items():
            rec = registryd.record(table[local])
            if kind == "user" and int.from_bytes(rec.get(6, b""), "little") != int(
                    a["quota-bytes"]):
                bad.append("quota of %s" % local)
            if kind == "alias" and rec[8].decode() != a["targets"]:
                bad.append("targets of %s" % local)
        secrets = r.secrets(domain)
        users = {n: a for n, (k, a) in want.items() if k == "user"}
        if secrets is None or set(secrets) != set(users):
            bad.append("secrets of %s: %r" % (domain, secrets))
            continue
        for local, a in users.items():
            if registryd.record(secrets[local])[11].decode() != a["hash"]:
                bad.append("hash of %s" % local)
            folders = {registryd.record(t[local]).get(24, b"").decode()
                       for t in (table, secrets)}
            if folders != {a.get("folder", "")}:
                bad.append("folder of %s: %r" % (local, folders))
    for folder in ("public/tables", "public/tables/domains", "auth"):
        for name in os.listdir(r.path(folder)):
            if name.endswith(".next") or name.startswith("."):
                bad.append("stray file %s/%s" % (folder, name))
    rows, verdict, text = r.ask("check")
    if verdict != "ok" or rows:
        bad.append("check: %s %r" % (text, rows))
    entries = [int(x["id"]) for x in r.ask("journal")[0]]
    if entries != list(range(1, len(entries) + 1)):
        bad.append("journal of the store has gaps")
    with open(r.path("registry", "journal")) as f:
        lines = [json.loads(line)["id"] for line in f]
    if lines != entries:
        bad.append("text journal %r, store %r" % (lines[-5:], entries[-5:]))
    return bad


def strace(r, *what):
    """strace on the running program, attached."""
    out = os.path.join(r.dir, "strace")
    if os.path.exists(out):
        os.unlink(out)
    p = subprocess.Popen(["strace", "-f", "-o", out, "-p", str(r.process.pid)]
                         + list(what), stderr=subprocess.PIPE)
    p.stderr.readline()  # "attached"
    return p, out


def calls(path):
    """How often each system call was made, in the order of the first."""
    count = collections.OrderedDict()
    with open(path) as f:
        for line in f:
            m = re.match(r"\d+ +(\w+)\(", line)
            if m:
                count[m.group(1)] = count.get(m.group(1), 0) + 1
    return count


def places(count, most=MOST):
    """(call, n) to kill at: all, or spread over what is too many."""
    for call, n in count.items():
        step = max(1, -(-n // most))
        for i in range(1, n + 1, step):
            yield call, i


def to_rename(r, i):
    r.ask("user.add", address="o%d@a.test" % i, hash=HASH)
    return "user.rename", {"address": "o%d@a.test" % i, "to": "n%d" % i}


CHANGES = [
    # what, request, and the object that tells whether it was done
    ("a mailbox is added", lambda r, i: (
        "user.add", {"address": "u%d@a.test" % i, "hash": HASH}),
     lambda i: ("user", "u%d@a.test" % i)),
    ("a domain is added", lambda r, i: ("domain.add", {"name": "d%d.test" % i}),
     lambda i: ("domain", "d%d.test" % i)),
    ("a mailbox is renamed", to_rename, lambda i: ("user", "n%d@a.test" % i)),
]


def killed(r, call, n, ask):
    """What ask() gives while the registry is killed at call number n, and
    whether it was; another one has come then."""
    p, _ = strace(r, "-e", "trace=" + call,
                  "-e", "inject=%s:signal=KILL:when=%d" % (call, n))
    answer = ask()
    # Not terminate(): strace would wait for threads of the dead.
    p.kill()
    p.wait()
    died = answer is None or r.attempt("domain.list") is None
    if died:
        r.stop(signal.SIGKILL)
        r.start()
    return answer, died


def one(r, i, change, call, n):
    """Kills at call number n; returns what is wrong afterwards."""
    operation, fields = change[1](r, i)
    answer, died = killed(r, call, n,
                          lambda: r.attempt(operation, **fields))
    bad = faults(r)
    objects = parse_dump(r.malle("dump").stdout)
    there = change[2](i) in objects
    if operation == "user.rename" and (
            (("user", "o%d@a.test" % i) in objects) == there or
            (("alias", "o%d@a.test" % i) in objects) != there):
        bad.append("half a rename")
    if answer is not None and answer[1] == "ok" and not there:
        bad.append("acknowledged, and lost")
    if there and change[2](i)[0] == "domain" and len(
            r.addresses("d%d.test" % i) or {}) != 2:
        bad.append("half a domain")
    return bool(died), bad


def lines(i):
    """Of one request: two that are good, in two domains, one that is not."""
    return [{"address": a, "hash": h} for a, h in (("l%d@a.test" % i, HASH), ("l%d@a.test" % i, HASH),
                                                   ("bad%d@a.test" % i, "bad"), ("l%d@b.test" % i, "!"))]


def one_import(r, i, call, n):
    """Kills at call number n of an import; what is wrong afterwards, and after the same import once more."""
    answer, died = killed(r, call, n, lambda: r.attempt("user.import", lines(i)))
    bad = faults(r)
    good = {("user", "l%d@a.test" % i), ("user", "l%d@b.test" % i)}
    there = good & set(parse_dump(r.malle("dump").stdout))
    if answer is not None and (registryd.verdicts(answer[0]) != ["ok", "exists", "invalid", "ok"] or there != good):
        bad.append("acknowledged, and lost: %r" % (there,))
    again = registryd.verdicts(r.ask_long("user.import", lines(i))[0])
    objects = set(parse_dump(r.malle("dump").stdout))
    if not good <= objects or ("user", "bad%d@a.test" % i) in objects or "invalid" != again[2]:
        bad.append("not finished by a second time: %r" % (again,))
    return bool(died), bad + faults(r)


def enumerate_import(r):
    r.ask("domain.add", name="b.test")
    p, out = strace(r)
    malle.eq(registryd.verdicts(r.ask_long("user.import", lines(4000))[0]), ["ok", "exists", "invalid", "ok"],
             "an import: once, whole")
    p.terminate()
    p.wait()
    deaths, bad = 0, []
    for k, (call, n) in enumerate(places(calls(out))):
        died, wrong = one_import(r, 4001 + k, call, n)
        deaths += died
        bad += ["%s #%d: %s" % (call, n, w) for w in wrong]
    malle.note("an import: %d deaths" % deaths)
    malle.ok(deaths > 0, "an import: the kills hit")
    malle.ok(not bad, "an import: each line whole or absent at each call, and a second time finishes it")
    for line in bad[:10]:
        malle.note(line[:300])


def passwords_of_an_import(r):
    """Killed when the mailboxes are durable and nobody has been told: the passwords, which nobody else has, are."""
    p, _ = strace(r, "-e", "trace=renameat", "-e", "inject=renameat:signal=KILL:when=3")
    got = r.malle("user", "import", "-", "--random", input="address\nk1@a.test\nk..2@a.test\nk3@a.test\n")
    p.kill()
    p.wait()
    r.stop(signal.SIGKILL)
    r.start()
    rows = [l.split("\t") for l in got.stdout.splitlines()]
    malle.eq((got.returncode, [x[:3] for x in rows]),
             (69, [["2", "unknown", "k1@a.test"], ["3", "bad", "k..2@a.test"], ["4", "unknown", "k3@a.test"]]),
             "an import whose connection is lost: what is not known, and what is: " + got.stderr.strip())
    for x in rows[0], rows[2]:
        malle.eq(r.ask("user.show", address=x[2], current=x[3], **{"as": x[2]})[1], "ok", "the password of %s is not lost" % x[2])
    malle.eq(faults(r), [], "and the tables are made good")


def enumerate_change(r, change, first):
    operation, fields = change[1](r, first)
    p, out = strace(r)
    malle.eq(r.ask(operation, **fields)[1], "ok", change[0] + ": once, whole")
    p.terminate()
    p.wait()
    tried = deaths = 0
    bad = []
    for call, n in places(calls(out)):
        tried += 1
        died, wrong = one(r, first + tried, change, call, n)
        deaths += died
        bad += ["%s #%d: %s" % (call, n, w) for w in wrong]
    malle.note("%s: %d places, %d deaths" % (change[0], tried, deaths))
    malle.ok(deaths > 0, change[0] + ": the kills hit")
    malle.ok(not bad, change[0] + ": whole or nothing at each call")
    for line in bad[:10]:
        malle.note(line[:300])


def interrupt(r, i):
    """Leaves a committed change whose tables are not yet visible."""
    p, _ = strace(r, "-e", "trace=renameat",
                  "-e", "inject=renameat:signal=KILL:when=3")
    r.attempt("user.add", address="s%d@a.test" % i, hash=HASH)
    p.kill()
    p.wait()
    r.stop(signal.SIGKILL)


def enumerate_start(r):
    """Kills the start that has to recover and to compile."""
    trace = os.path.join(r.dir, "start")
    interrupt(r, 0)
    # -D: the program itself, not strace, is our child.
    r.start(["strace", "-D", "-f", "-o", trace])
    malle.ok(("user", "s0@a.test") in parse_dump(r.malle("dump").stdout),
             "a change that was committed is there after the start")
    r.stop()
    count = calls(trace)
    r.start()
    bad, tried = [], 0
    for call, n in places(count, max(2, MOST // 4)):
        tried += 1
        interrupt(r, tried)
        mark = len(r.log())
        r.start(["strace", "-D", "-f", "-o", "/dev/null", "-e",
                 "trace=" + call, "-e",
                 "inject=%s:signal=KILL:when=%d" % (call, n)], wait=False)
        malle.until(lambda: r.process.poll() is not None or
                    " ready " in r.log()[mark:])
        r.stop(signal.SIGKILL)
        r.start()
        if ("user", "s%d@a.test" % tried) not in parse_dump(
                r.malle("dump").stdout):
            bad.append("%s #%d: a committed change is gone" % (call, n))
        bad += ["%s #%d: %s" % (call, n, w) for w in faults(r)]
    malle.note("start: %d places" % tried)
    malle.ok(not bad, "a start that is killed anywhere is made good by the "
             "next")
    for line in bad[:10]:
        malle.note(line[:300])


with registryd.Registry() as r:
    r.ask("domain.add", name="a.test")
    malle.eq(faults(r), [], "the tables equal the registry at the beginning")
    for k, change in enumerate(CHANGES):
        enumerate_change(r, change, 1000 * (k + 1))
    enumerate_import(r)
    passwords_of_an_import(r)
    enumerate_start(r)
malle.done()
