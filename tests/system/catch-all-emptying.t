#!/usr/bin/env python3
"""catch-all-emptying - what came by a catch-all goes in the end, a week after a notice, by a clock that is moved (inventory 0-41)."""
import email
import email.policy
import os
import re
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import malle
from malle import eq, ok, until

BOX_STRAYS, BOX_DONE = 11, 35
OK, REFUSED, FAILED = 0, 4, 6
EMPTY = 32
HOUR, DAY = 3600, 86400
STRAY, OWN = ",S=5,W=6,C=1", ",S=5,W=6"


def pack_text(text):
    return struct.pack("<I", len(text)) + text.encode()


class Box:
    """The mailbox bob@exemple.test, and malle-mailbox in it."""

    def __init__(self, *messages):
        self.folder = tempfile.mkdtemp(prefix="malle-strays-")
        self.clock = malle.Clock(self.folder, "mailbox")
        self.domain = os.path.join(self.folder, "exemple.test")
        self.maildir = os.path.join(self.domain, "bob", "Maildir")
        self.log = ""
        for part in ("new", "cur", "tmp"):
            os.makedirs(os.path.join(self.maildir, part))
        for name in messages:
            self.put(name)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.folder)

    def path(self, *names):
        return os.path.join(self.maildir, *names)

    def put(self, name, content=b"a: b\n"):
        path = self.path("new", name) if "/" not in name else self.path(name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as f:
            f.write(content)

    def ask(self, days=7, rights=EMPTY, language="fr"):
        """What malle-mailbox answers."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        mail = os.open(self.domain, os.O_RDONLY | os.O_DIRECTORY)
        process = subprocess.Popen(
            [self.clock.program, "exemple.test", "bob", str(rights), "0", "0"],
            pass_fds=(theirs.fileno(), mail), stderr=subprocess.PIPE, cwd=self.domain,
            env=dict(os.environ, MALLE_FDS="asker=%d,mail=%d" % (theirs.fileno(), mail),
                     MALLE_SANDBOX_DENY="kill"))
        theirs.close()
        os.close(mail)
        ours.settimeout(malle.PATIENCE)
        ours.send(struct.pack("<HI", BOX_STRAYS, days) + pack_text("bob@exemple.test") +
                  pack_text("mx.exemple.test") + pack_text(language) + pack_text("CET-1CEST,M3.5.0,M10.5.0/3"))
        data = ours.recv(65536)
        ours.close()
        self.log += process.communicate()[1].decode()
        return data[2] if len(data) > 2 and struct.unpack_from("<H", data)[0] == BOX_DONE else data

    def rounds(self, *hours, **how):
        """One after each of these."""
        for h in hours:
            self.clock.forward(h * HOUR)
            self.ask(**how)

    def told(self, **how):
        """Asks until there is a letter: what is here has come in an earlier second."""
        n = len(self.letters())
        return until(lambda: self.ask(**how) == OK and len(self.letters()) > n)

    def names(self):
        """Messages that are none of ours, by what their names begin with."""
        return sorted(n.split(",")[0] for part in ("new", "cur") for n in os.listdir(self.path(part))
                      if ".catchall." not in n)

    def letters(self):
        return sorted(n for n in os.listdir(self.path("new")) if ".catchall." in n)

    def told_at(self, i=-1):
        return int(self.letters()[i].split(".")[0])

    def letter(self, i=-1):
        with open(self.path("new", self.letters()[i]), "rb") as f:
            return email.message_from_binary_file(f, policy=email.policy.default)

    def has_mark(self):
        return os.path.lexists(self.path("catchall"))


def day(t, form):
    """As the clocks of Paris show it."""
    old = os.environ.get("TZ")
    os.environ["TZ"] = "Europe/Paris"
    time.tzset()
    text = time.strftime(form, time.localtime(t))
    os.environ.pop("TZ") if old is None else os.environ.update(TZ=old)
    time.tzset()
    return text


def flat(letter):
    return re.sub(r"\s+", " ", letter.get_content().replace("\u00a0", " "))


def test_week():
    """What is told of goes a week later, and nothing else."""
    with Box("1.M1lg49h100ge-04a8mk2f9q1R0.h" + STRAY, "2.own" + OWN, "cur/3.read,S=5,W=6,C=1:2,S",
             ".Kept/cur/4.kept" + STRAY, ".Kept/new/5.kept" + STRAY, "cur/6.own,S=5,W=6:2,C=1") as b:
        b.put("./maildirsize", b"0S,0C\n30 6\n")
        ok(b.told(), "the owner is told")
        told = b.told_at()
        b.put("7.late" + STRAY)
        text = flat(b.letter())
        ok("arrivés ainsi qui auront dépassé cette durée : 2." in text and "n’est gardé que 7 jours" in text,
           "of two messages: " + text)
        ok("supprimés à partir du %s," % day(told + 7 * DAY, "%d/%m/%Y") in text, "and of the day")
        for words in ("relevez-les", "déplacez-les dans un autre dossier", "demandez-le à l’administrateur"):
            ok(words in text, "and how to keep them: " + words)
        eq((b.letter()["To"], b.letter()["Auto-Submitted"], b.letter()["Return-Path"]),
           ("bob@exemple.test", "auto-generated", "<>"), "as a letter of the service")
        all_of_it = b.names()
        b.rounds(*[24] * 6)
        eq((b.names(), len(b.letters())), (all_of_it, 1), "six days later nothing has gone, and nothing else was told")
        b.rounds(24)
        eq(b.names(), ["2.own", "6.own", "7.late"],
           "after a week they go; what was addressed to the owner, and what came since, stays")
        ok(os.path.exists(b.path(".Kept/cur/4.kept" + STRAY)) and os.path.exists(b.path(".Kept/new/5.kept" + STRAY)),
           "and what is in another folder")
        with open(b.path("maildirsize")) as f:
            ok(f.read().endswith("\n-10 -2\n"), "maildirsize knows it")
        ok("catch-all-emptied mailbox=bob@exemple.test messages=2 bytes=10" in b.log, "and the log")
        ok(re.search(r"1lg49h100ge-04a8mk2f9q1 catch-all-removed mailbox=bob@exemple.test days=7", b.log) is not None,
           "and of each message, by its id")
        ok(not b.has_mark(), "it is over")
        b.rounds(24)
        eq((b.names(), len(b.letters())), (["2.own", "6.own", "7.late"], 2), "what came since has a notice of its own")
        b.rounds(*[24] * 7)
        eq(b.names(), ["2.own", "6.own"], "and a week of its own")
        b.rounds(*[24] * 3)
        eq((len(b.letters()), b.has_mark()), (2, False), "where there is none, nothing is told, and no mark is left")


def test_age():
    """The age is that of the file, not of its name or of what it says."""
    with Box("1.a" + STRAY) as b:
        os.utime(b.path("new", "1.a" + STRAY), (1, 1))
        b.ask(days=30)
        b.rounds(*[24] * 22, days=30)
        eq((b.letters(), b.has_mark()), ([], False), "for 22 of 30 days nothing is told, however old its name and date are")
        b.rounds(48, days=30, language="en")
        text = flat(b.letter())
        ok("there for longer: 1. They" in text and "kept for 30 days only" in text and
           "removed from %s on" % day(b.told_at() + 7 * DAY, "%Y-%m-%d") in text, "then, a week before: " + text)
        b.rounds(*[24] * 6, days=30)
        eq(b.names(), ["1.a"], "it is there on the last day")
        b.rounds(24, days=30)
        eq(b.names(), [], "and goes on the next one")
    with Box("1.a" + STRAY) as b:
        b.told()
        b.rounds(*[24] * 8, days=60)
        eq((b.names(), b.has_mark()), (["1.a"], False), "a setting that was raised meanwhile counts")


def test_clock():
    with Box("1.a" + STRAY) as b:
        b.told()
        b.rounds(24 * 40)
        eq((b.names(), len(b.letters())), (["1.a"], 2), "a clock that jumps takes nothing: it is told anew")
        b.rounds(*[24] * 6)
        b.rounds(24 * 5)
        eq((b.names(), len(b.letters())), (["1.a"], 3), "nor do those before a long silence")
        b.clock.passed = 0
        b.clock.forward(5)
        b.ask()
        eq((b.names(), len(b.letters())), (["1.a"], 4), "a clock that goes back begins anew")
    with Box("1.a" + STRAY) as b:
        b.told(days=1)
        b.rounds(*[84, 0, 0, 0, 0] * 2, days=1)
        eq((b.names(), len(b.letters())), (["1.a"], 1), "a week of two leaps: rounds of one day count once")
    with Box("1.a" + STRAY) as b:
        b.told(days=1)
        b.rounds(*[20] * 8, days=1)
        eq(b.names(), ["1.a"], "eight rounds in less than a week")
        b.rounds(20, days=1)
        eq(b.names(), [], "and the week is over")
    with Box("1.a" + STRAY) as b:
        b.told()
        b.rounds(*[72] * 6)
        eq(b.names(), ["1.a"], "eighteen days with six rounds")
        b.rounds(72)
        eq(b.names(), [], "and the seventh")


def test_tick():
    """Files are stamped by a clock that is a little behind the finest one."""
    with Box("1.a" + STRAY) as b:
        b.clock.wrong(1)
        b.told()
        b.put("2.b" + STRAY)
        b.rounds(*[24] * 7)
        eq(b.names(), ["2.b"], "what comes after the letter is not what it told of")


def test_owner():
    """Who keeps it in time."""
    with Box("1.a" + STRAY, "2.b" + STRAY, "3.c" + STRAY) as b:
        b.told()
        b.rounds(*[24] * 6)
        os.unlink(b.path("new", "1.a" + STRAY))
        os.makedirs(b.path(".Kept", "cur"))
        os.rename(b.path("new", "2.b" + STRAY), b.path(".Kept", "cur", "2.b" + STRAY + ":2,S"))
        shutil.copy2(b.path("new", "3.c" + STRAY), b.path("new", "3.copy" + OWN))
        b.rounds(24)
        eq((b.names(), os.listdir(b.path(".Kept", "cur"))), (["3.copy"], ["2.b" + STRAY + ":2,S"]),
           "fetched, moved and copied mail")


def test_hostile():
    outside = tempfile.mkdtemp(prefix="malle-outside-")
    try:
        with Box("1.a" + STRAY) as b:
            target = os.path.join(outside, "9.x" + STRAY)
            with open(target, "w") as f:
                f.write("here")
            os.symlink(target, b.path("new", "2.link" + STRAY))
            os.mkdir(b.path("new", "3.dir" + STRAY))
            os.mkfifo(b.path("new", "4.fifo" + STRAY))
            os.rmdir(b.path("cur"))
            os.symlink(outside, b.path("cur"))
            os.symlink(target, b.path("catchall"))
            ok(b.told(), "a mark that is a link is none")
            b.rounds(*[24] * 7)
            eq(b.names(), ["2.link", "3.dir", "4.fifo", "9.x"], "the message goes; links, folders and pipes stay")
            with open(target) as f:
                eq(f.read(), "here", "and what they lead to")
        with Box("1.a" + STRAY) as b:
            b.told()
            n = len(b.letters())
            for text in ("", "x", "1 2", "1 2 3 4 5", "-1 0 99 1", "9" * 100, "1 9999999999 99 0\n"):
                b.put("./catchall", text.encode())
                b.clock.forward(1)
                b.ask()
            eq((b.names(), len(b.letters())), (["1.a"], n + 7), "a mark that says nothing begins anew")
    finally:
        shutil.rmtree(outside)


def test_failing():
    with Box("1.a" + STRAY) as b:
        os.mkdir(b.path("catchall"))
        ok(until(lambda: b.ask() == FAILED), "a mark that cannot be written is told of")
        b.rounds(0, *[24] * 8)
        eq((b.names(), b.letters()), (["1.a"], []), "nobody is told, and nothing removed")
        ok("mailbox-failed mailbox=bob" in b.log, "with a reason")
    with Box("1.a" + STRAY) as b:
        os.rmdir(b.path("tmp"))
        ok(until(lambda: b.ask() == FAILED), "a letter that cannot be written")
        b.clock.forward(24 * HOUR)
        b.ask()
        os.mkdir(b.path("tmp"))
        b.rounds(*[24] * 7)
        eq((b.names(), len(b.letters())), (["1.a"], 1), "is written the next day, and the week begins then")
        b.rounds(24)
        eq(b.names(), [], "and ends")
    with Box("1.a" + STRAY) as b:
        for rights in (1, 2, 4, 8, 16, 31):
            eq(b.ask(rights=rights), REFUSED, "the right %d is another one" % rights)


test_week()
test_age()
test_clock()
test_tick()
test_owner()
test_hostile()
test_failing()
malle.done()
