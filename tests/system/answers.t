#!/usr/bin/env python3
"""answers - absences and robots: who is answered, who never is, and what the answer looks like.

Each rule is named by its number in the list of rules (8.1 to 8.10), each feature by that of the inventory.
"""
import calendar
import concurrent.futures
import email
import email.header
import email.policy
import json
import os
import re
import smtplib
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import malle
from malle import eq, ok

TEXT = "Bonjour,\nje suis en congé jusqu'à lundi : appelez Hélène.\n.\nÀ bientôt\n"
BOB, ZOE = "bob@exemple.test", "zoe@voisin.test"
NAME = "Bob Lefèvre, dépôt"
EVENT = re.compile(r" ([0-9a-z-]+) (answered|not-answered) to=(\S*) answer=(\S+) (?:notice|why)=(\S+)")

m = malle.Instance()


def submit(sender, to, header, body="Un message.\r\n", m=m):
    """One message, as another server would hand it in; the id that it got."""
    with smtplib.SMTP("127.0.0.1", m.ports["smtp"], "client.test",
                      timeout=malle.PATIENCE) as s:
        s.ehlo()
        s.mail(sender)
        for one in [to] if isinstance(to, str) else to:
            code, text = s.rcpt(one)
            if code != 250:
                raise RuntimeError("%s: %d %s" % (one, code, text))
        code, text = s.data((header.replace("\n", "\r\n") + "\r\n" + body).encode())
        if code != 250:
            raise RuntimeError("%d %s" % (code, text))
    return re.search(r"[0-9a-z]+-[0-9a-z]+", text.decode()).group(0)


def verdict(id, seconds=malle.PATIENCE, n=1, m=m):
    """What became of the answer: "answered", or why not; n of them, sorted."""
    def found():
        return [x for x in EVENT.findall(m.log()) if x[0] == id]
    # Until the message is done another of its recipients may wait for it.
    malle.until(lambda: len(found()) >= n and " %s done " % id in m.log(), seconds)
    words = sorted("answered" if x[1] == "answered" else x[4] for x in found())
    return (words[0] if words else None) if n == 1 else words


def ask(sender, to=BOB, header=None, **more):
    return verdict(submit(sender, to, header if header is not None else "To: %s\nSubject: x\n" % to), **more)


def mails(address):
    return [email.message_from_bytes(b, policy=email.policy.default) for b in m.wait_messages(address, 0)]


def vacation(*settings):
    """Changes the absence of bob; the tables have it when this returns."""
    m.malle("user", "set", BOB, *settings)


sender_number = 0


def stranger():
    """A sender whom nobody has answered yet; in a domain where he is nobody."""
    global sender_number
    sender_number += 1
    return "s%d@free.test" % sender_number


def test_letter():
    id = submit(ZOE, BOB, "From: Zoé <zoe@voisin.test>\nTo: %s\nSubject: =?utf-8?q?D=C3=A9jeuner?=\n"
                "Message-ID: <q1@voisin.test>\nReferences: <q0@voisin.test>\n" % BOB)
    eq(verdict(id), "answered", "0-25: somebody who is away answers")
    got = m.wait_messages(ZOE, 1)
    eq(len(got), 1, "the answer is in the sender's mailbox")
    eq(len(m.wait_messages(BOB, 1)), 1, "8.10: and the letter in that of the person")
    raw, a = got[0], email.message_from_bytes(got[0], policy=email.policy.default)
    ok(raw.startswith(b"Return-Path: <>\n"), "8.5: the return path is null")
    eq(a["Auto-Submitted"], "auto-replied", "8.5: Auto-Submitted")
    ok(b"\nTo: <zoe@voisin.test>\n" in raw, "8.5: To is the return path of the letter")
    eq(a["From"].addresses[0].addr_spec, BOB, "8.5: From is the person")
    eq(a["From"].addresses[0].display_name, NAME, "8.5: with the full name, accents and a comma")
    eq(a["Subject"], "Réponse automatique\u00a0: Déjeuner", "8.5, 0-27: a subject in French, with the letter's own")
    eq((a["In-Reply-To"], a["References"].split()), ("<q1@voisin.test>", ["<q0@voisin.test>", "<q1@voisin.test>"]),
       "8.5: In-Reply-To and References")
    eq(a["Precedence"], "bulk", "8.5: Precedence")
    eq(a.get_content_type() + a.get_content_charset(), "text/plainutf-8", "text in UTF-8")
    eq(a.get_content(), TEXT, "0-26: the text as it was written, accents and a lonely dot")
    ok(all(c < 128 for c in raw), "all of it in ASCII on the way")
    ok(re.fullmatch(r"<[0-9a-z-]+\.\d+\.answer@mail\.exemple\.test>", a["Message-ID"]), "a Message-ID")
    ok(a["Date"].datetime is not None and abs(a["Date"].datetime.timestamp() - time.time()) < 3600, "a date")
    ok("Un message" not in a.get_content(), "nothing of the letter comes back")
    ok(len([l for l in m.log().split("\n") if " accepted " in l and "lane=1" in l]) == 1,
       "it goes in the lane of answers")
    return id


def test_trace(id):
    for lang, words in (("fr_FR.UTF-8", "bob@exemple.test a répondu de lui-même à zoe@voisin.test"),
                        ("C.UTF-8", "bob@exemple.test has answered zoe@voisin.test by itself")):
        ok(words in trace(id, lang), "trace tells that it was answered (%s)" % lang)
    id = submit(ZOE, BOB, "To: %s\nPrecedence: bulk\n" % BOB)
    eq(verdict(id), "precedence", "8.2: a mass mailing is not")
    for lang, words in (("fr_FR.UTF-8", "n'a pas répondu de lui-même à zoe@voisin.test : c'est un envoi en nombre"),
                        ("C.UTF-8", "has not answered zoe@voisin.test by itself: it is a mass mailing")):
        ok(words in trace(id, lang), "trace tells why not (%s)" % lang)


def trace(id, lang):
    old = dict(m.env)
    m.env.update(LANG=lang, LC_ALL=lang)
    try:
        return m.malle("trace", id).stdout
    finally:
        m.env.clear()
        m.env.update(old)


def test_senders():
    for rule, sender, want in (
            ("8.1: the null sender", "", "null-sender"),
            ("8.1: bob himself", "bob@exemple.test", "own-address"),
            ("8.1: bob by a domain alias", "Bob+x@alias.test", "own-address"),
            ("8.1: bob by an alias", "direction@exemple.test", "own-address"),
            ("8.1: bob among others", "equipe@alias.test", "own-address"),
            ("8.1: MAILER-DAEMON", "MAILER-DAEMON@free.test", "robot-sender"),
            ("8.1: LISTSERV", "listserv@free.test", "robot-sender"),
            ("8.1: majordomo", "majordomo@free.test", "robot-sender"),
            ("8.1: -request", "club-request@free.test", "robot-sender"),
            ("8.1: owner-", "owner-club@free.test", "robot-sender"),
            ("8.1: postmaster is answered", "postmaster@voisin.test", "answered"),
            ("8.1: noreply", "noreply@free.test", "robot-sender")):
        to = "bob@alias.test" if "alias" in rule else BOB
        eq(ask(sender, to), want, rule)


def test_headers():
    to = "To: %s\n" % BOB
    for rule, header, want in (
            [("8.2: %s" % f, "%s%s: x\n" % (to, f), "list") for f in (
                "List-Id", "List-Help", "List-Subscribe", "List-Unsubscribe", "List-Post", "List-Owner",
                "List-Archive", "Mailing-List")] + [
            ("8.2: Auto-Submitted: auto-replied", to + "Auto-Submitted: auto-replied\n", "auto-submitted"),
            ("8.2: Auto-Submitted: auto-generated (x)", to + "Auto-Submitted: auto-generated (x)\n",
             "auto-submitted"),
            ("8.2: Precedence: bulk", to + "Precedence: bulk\n", "precedence"),
            ("8.2: Precedence: junk", to + "Precedence: junk\n", "precedence"),
            ("8.2: Precedence: list", to + "Precedence: list\n", "precedence"),
            ("8.2: X-Auto-Response-Suppress: OOF", to + "X-Auto-Response-Suppress: OOF\n", "suppressed"),
            ("8.2: X-Auto-Response-Suppress: AutoReply", to + "X-Auto-Response-Suppress: AutoReply\n", "suppressed"),
            ("8.2: X-Auto-Response-Suppress: All", to + "X-Auto-Response-Suppress: All\n", "suppressed"),
            ("8.2: a responder's Delivered-To", to + "Delivered-To: Autoresponder\n", "loop"),
            ("8.2: marked as spam", to + "X-Spam-Flag: YES\n", "spam"),
            ("8.2: a report", to + "Content-Type: multipart/report; boundary=x\n", "report"),
            ("8.3: neither in To nor in Cc", "To: carol@free.test\n", "not-addressed"),
            ("8.3: no To", "Subject: x\n", "not-addressed"),
            ("8.6: Received-SPF: fail", to + "Received-SPF: fail\n", "unverified"),
            ("8.6: our own result says nothing for him",
             to + "Authentication-Results: mail.exemple.test; spf=softfail\n", "unverified"),
            ("a header without end", to + "X: y\n" * 60000, "header-too-long")]):
        eq(ask(stranger(), BOB, header), want, rule)
    for rule, header in (
            ("8.2: Auto-Submitted: no", to + "Auto-Submitted: no\n"),
            ("8.3: in Cc", "To: carol@free.test\nCc: x@y.test,\n\t\"Bob\" <BOB@exemple.test>\n"),
            ("8.3: in Resent-To", "To: carol@free.test\nResent-To: bob@exemple.test\n"),
            ("8.6: our own result says pass",
             to + "Authentication-Results: mail.exemple.test; spf=pass smtp.mailfrom=free.test\n")):
        eq(ask(stranger(), BOB, header), "answered", rule)


def test_names():
    """By which name a person was written to, the answer comes from it."""
    for rule, to, want in (
            ("8.3: by an alias that leads to him alone", "direction@exemple.test", "answered"),
            ("8.3: by a domain alias", "bob@alias.test", "answered"),
            ("8.3: by a sub-address", "bob+achats@exemple.test", "answered"),
            ("8.3: by an alias of several people", "equipe@exemple.test", "not-addressed")):
        before = len(m.messages("yves@voisin.test"))
        vacation("vacation-text=%s" % to)		# a new text answers again
        eq(ask("yves@voisin.test", to), want, rule)
        if want == "answered":
            got = m.wait_messages("yves@voisin.test", before + 1)
            eq(email.message_from_bytes(got[-1], policy=email.policy.default)["From"].addresses[0].addr_spec, to,
               "and the answer comes from there")
    vacation("vacation-text=" + TEXT)


def test_days():
    sender = stranger()
    eq([ask(sender), ask(sender), ask(sender.upper())], ["answered", "answered-before", "answered-before"],
       "8.4: once in seven days")
    vacation("vacation-text=Autre texte.")
    eq([ask(sender), ask(sender)], ["answered", "answered-before"], "8.4: a changed text answers again")
    vacation("vacation-text=" + TEXT)
    vacation("vacation=no")
    id = submit(sender, BOB, "To: %s\n" % BOB)
    ok(m.wait_log("%s done " % id), "nobody is away: the letter is delivered")
    ok(verdict(id, 0) is None, "and not answered")
    time.sleep(1.1)			# an absence is known by the second in which it began
    vacation("vacation=yes", "vacation-days=0")
    eq([ask(sender), ask(sender)], ["answered", "answered-before"],
       "8.9: 0 days: once an absence; 8.4: a new one begins anew")
    vacation("vacation-days=7")


def test_period():
    now = time.time()
    iso = lambda t: time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(t))
    vacation("vacation-start=" + iso(now + 3600), "vacation-end=" + iso(now + 7200))
    id = submit(stranger(), BOB, "To: %s\n" % BOB)
    ok(m.wait_log("%s done " % id) and verdict(id, 0) in (None, "not-now"), "0-29: nothing before it begins")
    vacation("vacation-start=now")
    o = json.loads(m.malle("user", "show", BOB, "--json").stdout)
    ends = o["vacation-end"]
    left = calendar.timegm(time.strptime(ends, "%Y-%m-%dT%H:%M:%SZ")) - now
    ok(abs(left - 48 * 3600) < 600, "0-29: now ends after 48 hours: %d s" % left)
    eq(ask(stranger()), "answered", "0-29: and answers at once")
    vacation("vacation-end=")
    eq(ask(stranger()), "answered", "0-30: an empty end is for ever")
    vacation("vacation-end=" + iso(time.time() + 2))
    over = lambda: json.loads(m.malle("user", "show", BOB, "--json").stdout)
    ok(malle.until(lambda: over().get("vacation") == "no", step=0.3), "8.7: an absence that is over ends itself")
    ok("vacation-end" not in over() and "vacation-start" not in over(), "its dates are gone")
    entry = m.malle("journal", "--on", BOB, check=False).stdout + m.malle("journal", check=False).stdout
    ok("malle-registryd" in entry, "and the journal says by whom")
    eq(ask_done(stranger()), None, "nothing is answered any more")
    vacation("vacation=yes")
    eq(ask(stranger()), "answered", "the next absence begins without the dates of the last")


def ask_done(sender):
    id = submit(sender, BOB, "To: %s\n" % BOB)
    m.wait_log("%s done " % id)
    return verdict(id, 0)


def test_together():
    """Many at once from one sender: one answer."""
    sender = "race@voisin.test"
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        ids = list(pool.map(lambda i: submit(sender, BOB, "To: %s\nSubject: %d\n" % (BOB, i)), range(40)))
    got = [verdict(i) for i in ids]
    eq((got.count("answered"), got.count("answered-before")), (1, 39), "8.4: forty letters at a time, one answer")
    eq(len(m.wait_messages(sender, 1)), 1, "which has arrived once")


def test_robot():
    header = "To: carol@free.test\nSubject: info\n"
    have = len(m.messages("carole@exemple.test"))
    id = submit(ZOE, "info@exemple.test", header)
    eq(verdict(id), "answered", "2-31: a robot answers, 8.3: without being named")
    got = malle.until(lambda: [a for a in mails(ZOE) if a["Subject"] == "Nos tarifs"])
    ok(len(got) == 1 and got[0].get_content() == "Voici les tarifs.\n", "2-31: its subject, its text")
    ok(got and got[0]["From"].addresses[0].addr_spec == "info@exemple.test", "in its own name")
    eq(len(m.wait_messages("carole@exemple.test", have + 1)), have + 1, "2-31: a person has a copy")
    eq(ask(ZOE, "info@exemple.test"), "answered-before", "once a day")
    eq(ask(stranger(), "noreply@exemple.test"), "answered", "8.8: noreply may be a robot")
    eq(ask(stranger(), "info@exemple.test", "List-Id: x\n"), "list", "8.2: a robot answers no list")
    id = submit(stranger(), "noreply@exemple.test", "To: x@y.test\n")
    ok(m.wait_log("%s done " % id), "a robot without copies: the message is done")


def test_loop():
    """Two services that answer each other: one answer, and nothing more."""
    before = len(EVENT.findall(m.log()))
    id = submit("echo@voisin.test", "info@exemple.test", "To: info@exemple.test\n")
    eq(verdict(id), "answered", "8.1: a robot writes to a robot")
    answer = malle.until(lambda: [x[4] for x in EVENT.findall(m.log()) if x[0] == id])[0]
    eq(verdict(answer), "null-sender", "8.1: the answer is not answered")
    ok(m.wait_log("%s done " % answer), "and that is the end")
    eq(len(EVENT.findall(m.log())) - before, 2, "two decisions in all")


def test_forward():
    """8-02: forwarding and answering at the same time."""
    m.malle("user", "set", BOB, "forward=carole@exemple.test", "keep=yes")
    have = len(m.messages("carole@exemple.test")), len(m.messages(BOB))
    id = submit(stranger(), BOB, "To: %s\n" % BOB)
    eq(verdict(id), "answered", "8-02, 2-18: forwarded and answered")
    ok(len(m.wait_messages("carole@exemple.test", have[0] + 1)) == have[0] + 1 and
       len(m.wait_messages(BOB, have[1] + 1)) == have[1] + 1, "8.10: stored and forwarded, too")
    lines = [l for l in m.log().split("\n") if id in l]
    stored = [i for i, l in enumerate(lines) if " delivered " in l]
    answered = [i for i, l in enumerate(lines) if " answered " in l]
    ok(len(stored) == 2 and max(stored) < answered[0], "8.10: in this order: store, forward, answer")
    m.malle("user", "set", BOB, "forward=", "keep=no")


def test_dsn():
    """What a sender asked to be told of is not told of the answer."""
    have = len(mails(ZOE))
    with smtplib.SMTP("127.0.0.1", m.ports["smtp"], "client.test",
                      timeout=malle.PATIENCE) as s:
        s.ehlo()
        s.mail(ZOE)
        s.rcpt(BOB, ["NOTIFY=SUCCESS,FAILURE"])
        text = s.data("To: %s\r\nPrecedence: list\r\n\r\nx\r\n" % BOB)[1]
    id = re.search(r"[0-9a-z]+-[0-9a-z]+", text.decode()).group(0)
    ok(m.wait_log("%s done " % id), "a message that asks for reports")
    got = malle.until(lambda: mails(ZOE)[have:])
    eq(len(got), 1, "one report, on the mailbox")
    eq(got[0].as_string().count("Final-Recipient"), 1, "of one recipient")
    with smtplib.SMTP("127.0.0.1", m.ports["smtp"], "client.test",
                      timeout=malle.PATIENCE) as s:
        s.ehlo()
        s.mail("yves@voisin.test")
        s.rcpt("noreply@exemple.test", ["NOTIFY=SUCCESS"])
        text = s.data("To: x@y.test\r\n\r\nx\r\n")[1]
    id = re.search(r"[0-9a-z]+-[0-9a-z]+", text.decode()).group(0)
    eq(verdict(id), "answered", "a robot without copies, and a report asked for")
    ok(m.wait_log("%s done " % id) and " %s bounced " % id not in m.log(), "the answer says enough")
    id = submit(stranger(), BOB, "To: %s\n" % BOB)
    eq(verdict(id), "answered", "an answer to somebody who is nobody")
    answer = malle.until(lambda: [x[4] for x in EVENT.findall(m.log()) if x[0] == id])[0]
    ok(answer and " bounced " not in "".join(l for l in m.log().split("\n") if answer in l),
       "8.5: and nobody is told that it did not arrive")


def test_discard():
    """2-17: what a mailbox throws away; an absence may answer it all the same."""
    m.malle("user", "set", BOB, "discard=yes")
    have, told = len(m.messages(BOB)), len(mails(ZOE))
    with smtplib.SMTP("127.0.0.1", m.ports["smtp"], "client.test",
                      timeout=malle.PATIENCE) as s:
        s.ehlo()
        s.mail(ZOE)
        s.rcpt(BOB, ["NOTIFY=SUCCESS"])
        text = s.data("To: %s\r\nPrecedence: list\r\n\r\nx\r\n" % BOB)[1]
    id = re.search(r"[0-9a-z]+-[0-9a-z]+", text.decode()).group(0)
    ok(m.wait_log("%s done " % id) and "%s discarded to=%s discard=%s" % (id, BOB, BOB) in m.log(),
       "2-17: thrown away, and the log says so")
    eq(len(m.messages(BOB)), have, "nothing is kept")
    ok("thrown away" in trace(id, "C.UTF-8") and "jeté" in trace(id, "fr_FR.UTF-8"), "trace tells it")
    eq(len(malle.until(lambda: mails(ZOE)[told:])), 1, "who asked is told of a delivery, once")
    eq(ask(stranger()), "answered", "2-18: discarded and answered")
    eq(len(m.messages(BOB)), have, "and not kept either")
    m.malle("user", "set", BOB, "discard=no")


def test_flood():
    """8.7: many senders, forged perhaps: an account answers some of them."""
    m.malle("robot", "add", "flood@exemple.test", "subject=x", "text=x")
    ids = [submit("f%d@flood.test" % i, "flood@exemple.test", "To: x@y.test\n") for i in range(60)]
    got = [verdict(i) for i in ids]
    eq((got.count("answered"), got.count("ceiling-domain")), (50, 10), "8.7: fifty to one domain within an hour")


def test_rename():
    """A person who gets another name is not away anew."""
    old, new = "carole@exemple.test", "caroline@exemple.test"
    sender = stranger()
    m.malle("user", "set", old, "vacation=yes", "vacation-text=Absente.")
    eq(ask(sender, old), "answered", "8.4: somebody is answered")
    m.malle("user", "rename", old, new)
    eq([ask(sender, new), ask(sender, old)], ["answered-before", "answered-before"],
       "8.4: and not again when the account has another name")
    m.malle("user", "set", new, "vacation-text=Absente encore.")
    eq(ask(sender, new), "answered", "8.4: but when the text is another one")
    m.malle("user", "set", new, "vacation=no")


def test_restart():
    m.restart()
    eq(ask(ZOE, "info@exemple.test"), "answered-before", "8.4: whom it answered is known after a restart")
    folder = os.path.join(m.base, "mail", "exemple.test", ".answers")
    ok(os.path.getsize(os.path.join(folder, "info")) % 512 == 0 and os.stat(folder).st_mode & 0o777 == 0o700,
       "in a file of the domain")


with m:
    m.domain("exemple.test", "language=fr")
    m.domain("voisin.test")
    m.domain("alias.test", "--alias-of", "exemple.test")
    for a in (BOB, "carole@exemple.test", ZOE, "yves@voisin.test", "race@voisin.test"):
        m.user(a)
    m.malle("alias", "add", "direction@exemple.test", BOB)
    m.malle("alias", "add", "equipe@exemple.test", BOB, "carole@exemple.test")
    m.malle("user", "set", BOB, "full-name=" + NAME, "vacation=yes", "vacation-text=" + TEXT)
    m.malle("robot", "add", "info@exemple.test", "subject=Nos tarifs", "text=Voici les tarifs.",
            "copy=carole@exemple.test")
    m.malle("robot", "add", "noreply@exemple.test", "subject=Personne ne lit ici", "text=Ne répondez pas.")
    m.malle("robot", "add", "echo@voisin.test", "subject=Echo", "text=Echo.")
    test_trace(test_letter())
    test_senders()
    test_headers()
    test_names()
    test_days()
    test_period()
    test_together()
    test_robot()
    test_loop()
    test_forward()
    test_dsn()
    test_discard()
    test_flood()
    test_rename()
    test_restart()
    eq(m.violations(), [], "no call outside of a program's role")
malle.done()
