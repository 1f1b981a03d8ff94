#!/usr/bin/env python3
"""outbound.t - how much an account, a relay, a domain and a customer may send.

The queue alone, with stand-ins: what passes, what is slowed, held and refused,
with which words; what a restart keeps; how held mail is found and released.
"""
# SPDX-License-Identifier: ISC

import email
import email.policy
import glob
import json
import os
import re
import signal
import smtplib
import ssl
import struct
import subprocess
import sys
import time
import zlib

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import malle
from malle import done, eq, ok
from queuelab import (Lab, OK, TEMPORARY, Q_DELETE, Q_LIST, Q_RELEASE,
                      Q_SHOW, Q_STAT)
from smtpd_peers import domain_record, field, mailbox, number, write_cdb

MESSAGES_DAY, CLIENT, CLIENT_MESSAGES_DAY, MESSAGES_HOUR, RECIPIENTS_HOUR, \
    OWNER = 19, 20, 21, 28, 29, 34
LIMITS = "outbound_messages_hour = 4\noutbound_recipients_hour = 10\n"
# Clocks by which it is noon now, so that no day ends while its messages are
# counted.
NOON = {"TZ": "XXX%+d" % (time.gmtime().tm_hour - 12)}


def domains():
    acme = field(CLIENT, "acme") + number(CLIENT_MESSAGES_DAY, 3)
    return {
        "exemple.test": domain_record(),
        "alias.test": domain_record(alias_of="exemple.test"),
        "day.test": domain_record() + number(MESSAGES_DAY, 2),
        "one.test": domain_record() + acme,
        "two.test": domain_record() + acme,
    }


def tables(lab):
    lab.tables(domains(), {
        "alice": mailbox(), "bob": mailbox(),
        "big": mailbox() + number(MESSAGES_HOUR, 100) +
        number(RECIPIENTS_HOUR, 200),
        "small": mailbox() + number(MESSAGES_HOUR, 1),
        "postmaster": mailbox()})
    write_cdb(lab.base + "/public/tables/access.cdb", {
        "192.0.2.7/128": b"\1" + number(16, 1) + number(MESSAGES_HOUR, 2),
        "192.0.2.8/128": b"\1" + number(16, 1) +
        field(OWNER, "bob@day.test"),
        "192.0.2.9/128": b"\1" + number(16, 1) + field(OWNER, "acme") +
        number(MESSAGES_DAY, 3)})


def queue(lab, *args, lang="C"):
    return subprocess.run(
        [malle.BIN + "/malle", "-c", lab.conf, "queue", *args],
        capture_output=True, text=True,
        env=dict(os.environ, LC_ALL=lang)).stdout


def trace(lab, message, lang="C"):
    return subprocess.run(
        [malle.BIN + "/malle", "-c", lab.conf, "trace", "--log", lab.log,
         message], capture_output=True, text=True,
        env=dict(os.environ, LC_ALL=lang)).stdout


def sends(c, n, account, to="bob@exemple.test", **more):
    """The last of n answers."""
    for _ in range(n):
        a = c.submit(to, account=account, **more)
    return a


def wait_done(lab, message):
    return lab.wait_log(message + " done")


def logged(lab, c, what):
    """How often the log has it, once all that was answered stands there."""
    c.control(Q_STAT)
    return lab.logged(what)


with Lab(LIMITS, start=False) as lab:
    tables(lab)
    lab.start()
    c = lab.client()

    begun = time.monotonic()

    def passed():
        """The seconds since then, and two that are lost by rounding."""
        return time.monotonic() - begun + 2

    first = [c.submit("bob@exemple.test", account="alice@exemple.test").id
             for _ in range(4)]
    ok(all(wait_done(lab, i) for i in first),
       "1-06: what is allowed in an hour goes at once")
    slow = [c.submit("bob@exemple.test", account="alice@exemple.test")
            for _ in range(4)]
    eq([a.result for a in slow], [OK] * 4, "1-06: more is taken all the same")
    rows = {r["id"]: r for r in c.control(Q_LIST)[0]}
    nexts = [int(rows[a.id]["next"]) for a in slow]
    ok(all(900 * (i + 1) - passed() <= n <= 900 * (i + 1)
           for i, n in enumerate(nexts)),
       "but goes later, in its order, at the rate: %s" % nexts)
    line = re.search(slow[0].id + r" slowed account=alice@exemple\.test "
                     r"what=messages used=5 max=4 next=(\d+)\n",
                     "\n".join(lab.lines()))
    wait = int(line.group(1)) if line else 0
    ok(nexts[0] <= wait <= 900, "which the log says of each")
    eq(lab.logged("outbound account=alice@exemple.test state=slowed "
                  "what=messages used=5 max=4"), 1,
       "and of the account, once")
    held = [c.submit(["bob@exemple.test", "bob@one.test"],
                     account="alice@exemple.test").id for _ in range(4)]
    rows = {r["id"]: r for r in c.control(Q_LIST, held=True)[0]}
    eq(sorted(rows), sorted(held), "1-06: beyond twice as much it is held")
    eq(rows[held[0]].get("reason"), "outbound messages 9 4 alice@exemple.test",
       "with its reason")
    ok(lab.logged(held[0] + " held by=malle-queued account="
                  "alice@exemple.test what=messages used=9 max=4") and
       lab.logged("outbound account=alice@exemple.test state=held "
                  "what=messages used=9 max=4") == 1, "in the log too")
    ok("alice@exemple.test has sent 9 messages in an hour and may send 4" in
       queue(lab, "show", held[0]), "in English")
    ok("alice@exemple.test a envoyé 9 messages en une heure et peut en envoyer "
       "4" in queue(lab, "list", "--held", lang="fr_FR.UTF-8"), "in French")
    a = c.submit("bob@exemple.test", account="alice@exemple.test")
    eq((a.result, a.enhanced, a.text), (
        TEMPORARY, "4.7.1", "alice@exemple.test may send 4 messages an hour, "
        "and as much as is taken beyond that waits here already: try again "
        "later"), "three times as much is refused for now")
    eq(c.submit("bob@exemple.test", account="bob@exemple.test").result, OK,
       "another account sends")
    ok(lab.wait(lambda: len(lab.workers.delivered) == 7) and
       len([j for j in lab.workers.delivered
            if "alice@exemple.test" == j.sender]) == 5,
       "but nothing of all that has gone out")
    told = [j for j in lab.workers.delivered if j.sender == ""]
    eq(sorted(j.mailbox for j in told), ["alice", "postmaster"],
       "1-06: the account and the postmaster of its domain are told, once")
    letter = email.message_from_bytes(told[0].content,
                                      policy=email.policy.default)
    eq([letter[f] for f in ("To", "Cc", "Auto-Submitted", "Message-ID")],
       ["alice@exemple.test", "postmaster@exemple.test", "auto-generated",
        "<%s.held@mx.exemple.test>" % held[0]],
       "1-06: by a letter that no program answers")
    said = " ".join(letter.get_content().split())
    ok("alice@exemple.test a envoyé 9 messages en une heure. Elle peut en "
       "envoyer 4 par heure." in said and "Ce qui est retenu :" in said and
       "Jusqu’à quand :" in said and "Que faire," in said,
       "1-06: that says what, why, until when, and what to do: " + said)
    ok(lab.logged(held[0] + " hold-told notice=") == 1, "and so does the log")

    wait = "%d min %d s" % divmod(wait, 60)
    ok("alice@exemple.test has sent 5 messages in an hour and may send 4: this "
       "one goes in " + wait in trace(lab, slow[0].id), "trace: slowed")
    ok("alice@exemple.test : 5 messages en une heure, 4 sont permis ; celui-ci "
       "part dans " + wait in trace(lab, slow[0].id, "fr_FR.UTF-8"),
       "trace, in French")
    ok("held by malle-queued: alice@exemple.test has sent 9 messages in an "
       "hour and may send 4; nothing is tried" in trace(lab, held[0]),
       "trace: held")
    ok("retenu par malle-queued : alice@exemple.test a envoyé 9 messages en "
       "une heure, 4 sont permis ; rien n'est essayé" in
       trace(lab, held[0], "fr_FR.UTF-8"), "trace, in French")

    # A restart, in order and not.
    waiting = sorted(held + [a.id for a in slow])
    ok(lab.wait(lambda: sorted(r["id"] for r in c.control(Q_LIST)[0]) ==
                waiting), "what was delivered is gone")
    lab.stop()
    lab.start()
    c = lab.client()
    rows = {r["id"]: r for r in c.control(Q_LIST)[0]}
    eq(sorted(rows), waiting, "a restart keeps what waits")
    eq((rows[held[1]]["state"], rows[held[1]].get("reason")),
       ("held", "outbound messages 10 4 alice@exemple.test"), "and why")
    ok(all(n - passed() <= int(rows[a.id]["next"]) <= n + 1
           for a, n in zip(slow, nexts)), "and until when")
    eq(c.submit("bob@exemple.test", account="alice@exemple.test").result,
       TEMPORARY, "and what was counted")
    eq(len(c.control(Q_LIST, account="*@exemple.test", held=True)[0]), 4,
       "found by the account")
    eq(c.control(Q_RELEASE, account="bob@exemple.test")[1], 0,
       "nothing of bob's is held")
    eq(queue(lab, "release", "--account", "alice@exemple.test", "--held"),
       "4 messages released\n", "malle queue release --account")
    ok(all(wait_done(lab, i) for i in held), "delivers them")
    eq(queue(lab, "hold", slow[0].id), "1 messages held\n", "a person holds")
    eq(c.control(Q_SHOW, id=slow[0].id)[0][0].get("reason"),
       "uid %d" % os.geteuid(), "and is named")
    lab.stop(signal.SIGKILL)
    lab.start()
    c = lab.client()
    eq(c.control(Q_SHOW, id=slow[0].id)[0][0].get("reason"),
       "uid %d" % os.geteuid(), "after a crash too")
    eq(lab.logged("hold-told"), 1, "1-06: nobody is told a second time")

    # The counters' file.
    lab.stop()
    path = lab.base + "/queue/outbound"
    eq(os.stat(path).st_mode & 0o777, 0o600, "the counters are nobody else's")
    with open(path, "r+b") as f:
        f.seek(30)
        f.write(b"rubbish")
    lab.start()
    c = lab.client()
    ok(lab.logged("error what=queue/outbound"), "a damaged file is told of")
    eq(c.submit("bob@exemple.test", account="alice@exemple.test").result, OK,
       "and the counts begin anew")

with Lab(LIMITS, start=False) as lab:
    tables(lab)
    lab.start(env=NOON)
    c = lab.client()
    ten = ["x%d@elsewhere.example" % i for i in range(10)]
    eq(c.submit(ten, account="bob@exemple.test").result, OK, "ten recipients")
    i = c.submit(ten[:2], account="bob@exemple.test").id
    ok(lab.wait_log(i + " slowed"), "recipients count as well as messages")
    i = c.submit(ten, account="bob@exemple.test").id
    eq([r.get("reason") for r in c.control(Q_SHOW, id=i)[0][:1]],
       ["outbound recipients 22 10 bob@exemple.test"], "and are held")
    ok("bob@exemple.test has sent to 22 recipients in an hour and may send to "
       "10" in queue(lab, "show", i), "as the reason says")
    ok("bob@exemple.test a écrit à 22 destinataires en une heure et peut "
       "écrire à 10" in queue(lab, "show", i, lang="fr_FR.UTF-8"),
       "in French")

    sends(c, 100, "big@exemple.test")
    eq(logged(lab, c, "slowed account=big@exemple.test"), 0,
       "1-06: an account may be given more")
    i = sends(c, 2, "small@exemple.test").id
    ok(lab.wait_log(i + " slowed"), "or less")
    i = sends(c, 101, "big@alias.test").id
    eq(logged(lab, c, i + " held"), 0,
       "an alias of the domain has the limits of its main domain")
    # Nobody's.
    eq(sends(c, 30, "").result, OK, "mail from elsewhere is not counted")

    # Days.
    eq(sends(c, 2, "alice@day.test").result, OK, "two in a day")
    a = c.submit("bob@exemple.test", account="bob@day.test")
    eq((a.result, a.enhanced, a.text), (
        TEMPORARY, "4.7.1", "The domain day.test has sent all that it may in a "
        "day: used 2 of 2 messages today, try again tomorrow"),
       "a domain's messages of a day")
    eq([sends(c, 1, "alice@one.test").result,
        sends(c, 2, "alice@two.test").result,
        sends(c, 1, "bob@one.test").text],
       [OK, OK, "The customer acme has sent all that it may in a day: used 3 "
        "of 3 messages today, try again tomorrow"],
       "those of all domains of a customer")
    eq(c.submit("bob@one.test", account="").result, OK,
       "which does not stop what comes in")

    # Relays, by the record of their address.
    relay = "relay 192.0.2.7/32"
    sends(c, 2, relay, client="192.0.2.7")
    i = sends(c, 1, relay, client="192.0.2.7").id
    ok(lab.wait_log(i + " slowed account=\"relay 192.0.2.7/32\""),
       "3-16: the rate of a host that relays")
    i = sends(c, 2, relay, client="192.0.2.7").id
    eq(c.control(Q_SHOW, id=i)[0][0].get("reason"),
       "outbound messages 5 2 relay 192.0.2.7/32", "3-16: then it is held")
    ok("used 2 of 2" in sends(c, 1, "relay 192.0.2.8/32 bob@day.test",
                              client="192.0.2.8").text,
       "3-16: it counts for the domain of its owner")
    ok("used 3 of 3" in sends(c, 1, "relay 192.0.2.9/32 acme",
                              client="192.0.2.9").text,
       "3-16: or for the customer who owns it")
    lab.stop()
    lab.start(env=NOON)
    c = lab.client()
    ok("used 2 of 2" in sends(c, 1, "alice@day.test").text,
       "a restart keeps the day")

# Whoever is held must be told, whenever the manager dies.
def owe(lab, message):
    """As a crash leaves the file before the notice of its hold is durable."""
    with open(glob.glob(lab.base + "/queue/mess/*/" + message)[0],
              "r+b") as f:
        f.seek(128)
        state = bytearray(f.read(64))
        state[5] = 1
        state[0:4] = struct.pack("<I", zlib.crc32(state[4:]))
        f.seek(128)
        f.write(state)


with Lab(LIMITS, start=False) as lab:
    tables(lab)
    lab.workers.policy = lambda job: (TEMPORARY, "4.2.0", "not now")
    lab.start()
    c = lab.client()
    held = sends(c, 9, "bob@exemple.test", to="x@elsewhere.example").id
    ok(lab.wait_log(held + " hold-told"), "1-06: somebody is told of a hold")
    lab.stop(signal.SIGKILL)
    owe(lab, held)
    lab.start()
    lab.stop()
    eq(lab.logged(held + " hold-told"), 1, "1-06: a crash before that is "
       "known to be done, with the notice in the queue: no second one")
    lab.workers.policy = lambda job: (OK, "2.0.0", "delivered")
    lab.start()
    c = lab.client()
    for row in c.control(Q_LIST)[0]:
        if row["sender"] == "":
            c.control(Q_DELETE, id=row["id"])
    lab.wait(lambda: len(lab.files()) == 9)
    lab.stop(signal.SIGKILL)
    owe(lab, held)
    lab.start()
    ok(lab.wait(lambda: lab.logged(held + " hold-told") == 2),
       "1-06: a crash before the notice is durable: it is written after all")
    c = lab.client()
    eq(sends(c, 2, "bob@exemple.test").result, OK, "more is held")
    eq(logged(lab, c, "hold-told"), 2, "1-06: of which nobody is told again")

with Lab("outbound_messages_hour = 0\noutbound_recipients_hour = 0\n") as lab:
    c = lab.client()
    sends(c, 50, "alice@exemple.test")
    eq(logged(lab, c, "slowed account") + lab.logged("held by"), 0,
       "0 is no limit")

# The whole service: what the owner and the manager of the account see.
with malle.Instance(conf={"outbound_messages_hour": "2", "resolver":
                          "127.0.0.1:1"}) as m:
    m.domain("exemple.test")
    m.user("marie@exemple.test", "a good secret 1")
    m.malle("manager", "add", "chef", "--password-stdin",
            "domains=exemple.test", input="another good secret\n")

    def show(*args, secret, lang="C"):
        return subprocess.run(
            [malle.BIN + "/malle", "-c", m.conf_path, "user", "show",
             "marie@exemple.test", *args], input=secret + "\n", text=True,
            capture_output=True, env=dict(m.env, LC_ALL=lang)).stdout

    def send(n):
        context = ssl.create_default_context(cafile=m.ca)
        with smtplib.SMTP_SSL("localhost", m.ports["submissions"],
                              timeout=malle.PATIENCE,
                              context=context) as s:
            s.login("marie@exemple.test", "a good secret 1")
            for _ in range(n):
                s.sendmail("marie@exemple.test", "x@elsewhere.example",
                           "Subject: x\r\n\r\nhello\r\n")

    def owner(lang="C"):
        return show("--own", secret="a good secret 1", lang=lang)

    send(2)
    ok("sending" not in owner(), "1-06: within the limit nothing is said")
    send(1)
    ok(malle.until(lambda: "slowed since 20" in owner()),
       "1-06: the owner sees that the account is slowed")
    send(2)
    ok(malle.until(lambda: ": 5 messages in an hour, 2 allowed" in owner() and
                   "held since 20" in owner()),
       "1-06: or held, and why: " + owner())
    ok("retenue depuis 20" in owner("fr_FR.UTF-8") and
       " : 5 messages en une heure, 2 permis" in owner("fr_FR.UTF-8"),
       "1-06: in French")
    seen = show("--as", "chef", secret="another good secret")
    ok("held since 20" in seen, "1-06: and so does the manager: " + seen)
    eq(m.malle("queue", "release", "--account", "marie@exemple.test",
               "--held").stdout, "1 messages released\n",
       "1-06: the administrator lets it go")
    m.malle("user", "set", "marie@exemple.test", "messages-hour=100")

    def passes():
        return "sending" not in owner()
    ok(malle.until(passes, step=0.5),
       "1-06: given more, the account is as it was, without another message")
    journal = m.malle("--json", "journal").stdout
    ok('"sending"' not in journal, "it is no change of the journal")
    eq(m.violations(), [], "within the sandbox")
done()
