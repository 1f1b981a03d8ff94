#!/usr/bin/env python3
"""make install: every file with its mode; sample and man page are complete."""
import os
import re
import shutil
import stat
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import malle
from malle import eq, ok


def table():
    with open(os.path.join(malle.TOP, "packaging/files")) as f:
        for line in f:
            words = line.split()
            if words and not words[0].startswith("#"):
                yield (words + [""])[:5]


def install(dest):
    return subprocess.run(
        [os.path.join(malle.TOP, "packaging/install")], text=True,
        env=dict(os.environ, DESTDIR=dest, BIN=malle.BIN), capture_output=True)


def test_files(dest):
    r = install(dest)
    if not eq((r.returncode, r.stdout), (0, ""), "make install"):
        malle.note(r.stderr)
    wrong = []
    for kind, mode, owner, to, source in table():
        path = dest + to
        st = os.lstat(path) if os.path.lexists(path) else None
        if kind.startswith("link"):
            if st is None or not stat.S_ISLNK(st.st_mode):
                wrong.append(to)
            continue
        if st is None or (kind != "man" and
                          stat.S_IMODE(st.st_mode) != int(mode, 8)):
            wrong.append(to)
    eq(wrong, [], "every row of packaging/files is there with its mode")
    left = [n for _, _, names in os.walk(dest) for n in names
            if ".install." in n]
    eq(left, [], "nothing half-made stays")
    listed = {r[4] for r in table() if r[0] == "prog"}
    built = {n for n in os.listdir(malle.BIN) if n.startswith("malle")}
    eq(built - listed, set(), "no program is forgotten")
    for link in ("sendmail", "mailq", "newaliases"):
        path = dest + "/usr/lib/malleposte/" + link
        ok(os.path.exists(path), link + " leads to a program")
    pages = {n for n in os.listdir(os.path.join(malle.TOP, "man"))
             if re.search(r"\.[1578]$", n)}
    there = set()
    for section in "1578":
        folder = dest + "/usr/share/man/man" + section
        if os.path.isdir(folder):
            there |= set(os.listdir(folder))
    eq(there, pages, "every man page")


def test_again(dest):
    conf = dest + "/etc/malleposte/malleposte.conf"
    with open(conf, "a") as f:
        f.write("hostname = mail.example.fr\n")
    os.unlink(dest + "/usr/sbin/sendmail")
    with open(dest + "/usr/sbin/sendmail", "w") as f:
        f.write("another mailer\n")
    r = install(dest)
    eq(r.returncode, 0, "a second time")
    ok("hostname = mail.example.fr" in open(conf).read(),
       "the configuration is left alone")
    ok(os.path.exists(conf + ".new") and conf + ".new" in r.stdout,
       "and ours is beside it")
    eq(open(dest + "/usr/sbin/sendmail").read(), "another mailer\n",
       "another program's sendmail is left alone")


def settings():
    r = subprocess.run([os.path.join(malle.BIN, "malle-start"), "--settings"],
                       capture_output=True, text=True, check=True)
    return [l.split("\t") for l in r.stdout.splitlines()]


def test_texts():
    sample = open(os.path.join(malle.TOP, "packaging/malleposte.conf")).read()
    page = open(os.path.join(malle.TOP, "man/malleposte.conf.5")).read()
    want = [("%s = %s" % (n, d)).strip() for n, d, _ in settings()]
    lines = [l[1:] for l in sample.splitlines() if re.match(r"#\w+ =", l)]
    eq([w for w in want if w not in lines], [],
       "the sample has every setting with its default")
    missing = [n for n, d, _ in settings() if not re.search(
        r"^\.It Ic %s Pq .* ; default %s$" % (
            n, "(?:Cm|Pa) " + re.escape(d) if d else "empty"), page, re.M)]
    eq(missing, [], "malleposte.conf(5) has every setting with its default")
    with tempfile.NamedTemporaryFile("w", suffix=".conf") as f:
        f.write("\n".join(lines) + "\n")
        f.flush()
        r = subprocess.run([os.path.join(malle.BIN, "malle-start"), "-c",
                            f.name, "--status"], capture_output=True,
                           text=True)
        eq(r.stderr, "", "the sample is a configuration")


def test_help():
    for program in sorted(os.listdir(malle.BIN)):
        if not program.startswith("malle"):
            continue
        r = subprocess.run([os.path.join(malle.BIN, program), "-h"],
                           capture_output=True, text=True, timeout=malle.PATIENCE,
                           env=dict(os.environ))
        ok(r.returncode == 0 and "usage" in r.stdout.lower(),
           program + " -h")
        page = [n for n in ("%s.8" % program, "%s.1" % program)
                if os.path.exists(os.path.join(malle.TOP, "man", n))]
        ok(page, program + " has a man page")


def test_systemd():
    if not shutil.which("systemd-analyze"):
        malle.skip("no systemd-analyze")
        return
    with tempfile.TemporaryDirectory() as d:
        unit = os.path.join(d, "malleposte.service")
        text = open(os.path.join(
            malle.TOP, "packaging/malleposte.service")).read()
        with open(unit, "w") as f:
            f.write(text.replace("/usr/sbin/malle-start", "/bin/true"))
        r = subprocess.run(["systemd-analyze", "verify", "--man=no", unit],
                           capture_output=True, text=True)
        out = [l for l in r.stderr.split("\n") if "malleposte" in l]
        eq(out, [], "systemd-analyze verify has nothing to say")


def main():
    dest = tempfile.mkdtemp(prefix="malle-install-")
    try:
        test_files(dest)
        test_again(dest)
    finally:
        shutil.rmtree(dest, ignore_errors=True)
    test_texts()
    test_help()
    test_systemd()
    malle.done()


main()
