#!/usr/bin/env python3
"""outbound-shown.t - what has been sent, of how much, in malle ... show."""
# SPDX-License-Identifier: ISC

import json
import os
import signal
import smtplib
import socket
import ssl
import struct
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import malle
from malle import done, eq, ok
from queuelab import Lab, Q_ROW, Reader, pb

MARIE, SECRET, OTHER = "marie@exemple.test", "a good secret 1", "another one 2"
FRENCH = "fr_FR.UTF-8"
# Clocks by which it is noon now, so that no day ends while its messages are
# counted.
NOON = {"TZ": "XXX%+d" % (time.gmtime().tm_hour - 12)}
UNKNOWN = ("unknown: malle-queued could not be asked; does it run? "
           "malle-start --status")


def begin(m, *args, secret="", lang="C"):
    process = subprocess.Popen(
        [malle.BIN + "/malle", "-c", m.conf_path, *args], text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        env=dict(m.env, LC_ALL=lang))
    process.stdin.write(secret + "\n" if secret else "")
    process.stdin.close()
    process.stdin = None
    return process


def finish(process):
    """The lines of its answer, and what it said."""
    out, err = process.communicate()
    return dict(line.split(": ", 1) for line in out.splitlines()), err, \
        process.returncode


def counted(read):
    """What read() gives, once malle-queued has answered it in time."""
    got = {}

    def is_known():
        got.clear()
        got.update(read())
        return "not-asked" not in got and not got.get(
            "used-messages-day", "").startswith(("unknown", "inconnu"))
    malle.until(is_known)
    return got


def show(m, *args, **more):
    return counted(lambda: finish(begin(m, *args, **more))[0])


def show_json(m, *args):
    return counted(lambda: json.loads(m.malle("--json", *args).stdout))


def send(m, who, secret, *letters):
    context = ssl.create_default_context(cafile=m.ca)
    with smtplib.SMTP_SSL("localhost", m.ports["submissions"],
                          timeout=malle.PATIENCE, context=context) as s:
        s.login(who, secret)
        for to in letters:
            s.sendmail(who, to, "Subject: x\r\n\r\nhello\r\n")


def test_text(m):
    send(m, MARIE, SECRET, ["x@elsewhere.example"], ["x@elsewhere.example"],
         ["x@elsewhere.example", "y@elsewhere.example"])
    send(m, "paul@exemple.test", OTHER, ["x@elsewhere.example"])
    send(m, "jean@autre.test", OTHER, ["x@elsewhere.example"])
    user = show(m, "user", "show", MARIE)
    eq([user.get("used-" + n) for n in ("messages-day", "messages-hour",
                                        "recipients-hour")],
       ["3", "3 of 4", "4 of 6"], "of a mailbox: its day, and of its hour")
    user = show(m, "user", "show", MARIE, lang=FRENCH)
    eq([user.get("used-" + n) for n in ("messages-day", "messages-hour",
                                        "recipients-hour")],
       ["3", "3 sur 4", "4 sur 6"], "in French")
    eq(show(m, "domain", "show", "exemple.test").get("used-messages-day"),
       "4 of 20", "of a domain: the day of all its mailboxes")
    eq(show(m, "domain", "show", "exemple.test",
            lang=FRENCH).get("used-messages-day"), "4 sur 20", "in French")
    eq(show(m, "client", "show", "acme").get("used-messages-day"), "5 of 30",
       "of a customer: the day of all its domains")
    domain = show(m, "domain", "show", "autre.test")
    eq(domain.get("used-messages-day"), "1", "where there is no limit")
    alias = finish(begin(m, "domain", "show", "alias.test"))
    eq((alias[0]["alias-of"], "used-messages-day" in alias[0], *alias[1:]),
       ("exemple.test", False, "", 0),
       "another name of a domain has no counts")
    paul = show(m, "user", "show", "paul@exemple.test")
    eq((paul.get("used-messages-day"), "used-messages-hour" in paul,
        paul.get("used-recipients-hour")), ("1", False, "1 of 7"),
       "an hour without a limit is not counted")
    new = show(m, "user", "show", "jean@autre.test")
    eq(new.get("used-messages-day"), "1", "another domain")
    eq(show(m, "user", "show",
            "postmaster@autre.test").get("used-messages-day"), "0",
       "who has sent nothing")


def test_json(m):
    user = show_json(m, "user", "show", MARIE)
    eq({k: v for k, v in user.items() if k.endswith(("-day", "s-hour")) and
        k.startswith(("used", "max"))},
       {"used-messages-day": "3", "used-messages-hour": "3",
        "max-messages-hour": "4", "used-recipients-hour": "4",
        "max-recipients-hour": "6"}, "as JSON: numbers and their limits")
    domain = show_json(m, "domain", "show", "exemple.test")
    client = show_json(m, "client", "show", "acme")
    eq([(o["used-messages-day"], o["max-messages-day"])
        for o in (domain, client)], [("4", "20"), ("5", "30")],
       "as JSON: of a domain and a customer")


def test_who(m):
    """Whoever may see the object, and nobody else."""
    eq(show(m, "user", "show", MARIE, "--own",
            secret=SECRET).get("used-messages-hour"), "3 of 4", "the owner")
    eq(show(m, "--as", "chef", "user", "show", MARIE,
            secret=OTHER).get("used-messages-hour"), "3 of 4",
       "a manager of the domain: a mailbox")
    eq(show(m, "--as", "chef", "domain", "show", "exemple.test",
            secret=OTHER).get("used-messages-day"), "4 of 20", "and the domain")
    for who, secret, *what in (
            ("chef", OTHER, "client", "show", "acme"),
            ("chef", OTHER, "domain", "show", "autre.test"),
            ("chef", OTHER, "user", "show", "jean@autre.test"),
            (MARIE, SECRET, "domain", "show", "exemple.test"),
            (MARIE, SECRET, "user", "show", "paul@exemple.test")):
        got = finish(begin(m, "--as", who, *what, secret=secret))
        eq((got[0], got[2]), ({}, 77), "%s may not see %s" % (who, what[2]))


def test_hold(m):
    send(m, MARIE, SECRET, *[["x@elsewhere.example"]] * 6)

    def held():
        user = show(m, "user", "show", MARIE)
        return "held since 20" in user.get("sending", "") and \
            user["used-messages-hour"] == "9 of 4"
    ok(malle.until(held), "a hold, with all that was counted")
    m.malle("user", "set", MARIE, "messages-hour=50")
    eq(show(m, "user", "show", MARIE)["used-messages-hour"].split()[1:],
       ["of", "50"], "a limit that was changed is shown at once")


def test_silent(m):
    """malle-queued does not answer."""
    os.kill(m.pid("malle-queued"), signal.SIGSTOP)
    asked = [begin(m, "user", "show", MARIE),
             begin(m, "domain", "show", "exemple.test"),
             begin(m, "client", "show", "acme", lang=FRENCH),
             begin(m, "--json", "client", "show", "acme")]
    user, domain, client = [finish(p) for p in asked[:3]]
    eq((user[0]["name"], user[0]["used-messages-day"], user[2]),
       (MARIE, UNKNOWN, 0), "the rest is shown, and that it cannot be asked")
    eq((domain[0]["used-mailboxes"] != "", domain[0]["used-messages-day"]),
       (True, UNKNOWN), "of a domain")
    ok(client[0]["used-messages-day"].startswith("inconnu : malle-queued"),
       "in French")
    got = json.loads(asked[3].communicate()[0])
    eq((got["name"], got.get("not-asked"), "used-messages-day" in got),
       ("acme", "malle-queued", False), "as JSON, without a number")
    os.kill(m.pid("malle-queued"), signal.SIGCONT)
    eq(show(m, "client", "show", "acme").get("used-messages-day"), "11 of 30",
       "and when it goes on, it answers")


def pair():
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours.settimeout(malle.PATIENCE)
    return ours, theirs


def question(s, body, *given):
    socket.send_fds(s, [struct.pack("<H", 17) + body],
                    [f.fileno() for f in given])


def counts(s, name):
    """What malle-queued says of a name, and that it closes then."""
    ours, theirs = pair()
    with ours, theirs:
        question(s, pb(name), theirs)
        theirs.close()
        r = Reader(ours.recv(65536))
        eq(r.take("H"), Q_ROW, "one row of " + name)
        row = {k: v for k, v in [(r.text(), r.text())
                                 for _ in range(r.take("H"))]}
        eq((r.at, ours.recv(100)), (len(r.data), b""), "and nothing else")
    return row


def test_pair():
    """The question of malle-registryd itself; it may be another's by now."""
    class Remote:
        ours, theirs = pair()
    ours = Remote.ours
    with Lab("outbound_messages_hour = 0\n", start=False,
             remote=Remote) as lab:
        # The lab's third pair is this one here.
        lab.start(wrap=["sh", "-c", "MALLE_FDS=$(echo \"$MALLE_FDS\" | sed "
                        "s/remote=/registry=/); export MALLE_FDS; "
                        "exec \"$@\"", "sh"], env=NOON)
        lab.client().submit("bob@exemple.test", account="alice@alias.test")
        eq([counts(ours, name) for name in (
            "@exemple.test", "@other.test", "=acme", "alice@exemple.test")],
           [{"used-messages-day": n} for n in "100"] +
           [{"used-messages-day": "0", "used-recipients-hour": "0",
             "max-recipients-hour": "1500"}],
           "what was asked for, and nothing more")
        wrong = (pb(""), pb("a" * 401), pb("@exemple.test") + b"x", b"",
                 pb("@exe\0mple"), b"\xff\xff\xff\xff")
        for body in wrong:
            a, b = pair()
            with a, b:
                question(ours, body, b)
                b.close()
                eq(a.recv(100), b"", "nothing is said to %r" % body[:20])
        question(ours, pb("@exemple.test"))
        a, b = pair()
        a.close()
        question(ours, pb("@exemple.test"), b)
        with open(lab.log) as f:
            question(ours, pb("@exemple.test"), f)
        eq(counts(ours, "@exemple.test"), {"used-messages-day": "1"},
           "what cannot be answered hurts nobody")
        ok(lab.logged("peer closed=\"request of malle-registryd not "
                      "understood\"") >= 4, "and is told of in the log")


test_pair()
with malle.Instance(conf={"outbound_messages_hour": "0",
                          "outbound_recipients_hour": "7",
                          "resolver": "127.0.0.1:1"}, env=NOON) as m:
    m.malle("client", "add", "acme", "max-messages-day=30")
    m.domain("exemple.test", "client=acme", "max-messages-day=20")
    m.domain("autre.test", "client=acme")
    m.domain("alias.test", "alias-of=exemple.test")
    m.user(MARIE, SECRET)
    m.malle("user", "set", MARIE, "messages-hour=4", "recipients-hour=6")
    m.user("paul@exemple.test", OTHER)
    m.user("jean@autre.test", OTHER)
    m.malle("manager", "add", "chef", "--password-stdin",
            "domains=exemple.test", input=OTHER + "\n")
    test_text(m)
    test_json(m)
    test_who(m)
    test_hold(m)
    test_silent(m)
    eq(m.violations(), [], "no call outside a role")
done()
