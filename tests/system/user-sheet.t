#!/usr/bin/env python3
"""How a mail program is set up for a mailbox: malle user sheet, and the first
message of a new mailbox (inventory 1-07, 3-01, 3-02, 4-55)."""
import email
import email.policy
import json
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import malle  # noqa: E402
from malle import eq, ok  # noqa: E402

PASSWORD = "correct horse battery"
BOB = "bob@exemple.test"


def sheet(m, *argv, **more):
    return m.malle("user", "sheet", *argv, **more)


def contents(m):
    """What the person must enter is there, and is what the service listens on."""
    text = sheet(m, BOB).stdout
    for word, why in ((" " + BOB, "3-02, 4-55 the login is the whole address"),
                      ("server    mail.exemple.test", "3-02 the server"),
                      ("port      %d" % m.ports["pop3s"], "1-07 POP3S"),
                      ("%d with STARTTLS" % m.ports["pop3"], "POP3, STLS"),
                      ("port      %d" % m.ports["submissions"],
                       "1-09, 4-55 the port to send by"),
                      ("%d with STARTTLS" % m.ports["submission"],
                       "and the one of STARTTLS"),
                      ("No sending without login", "4-55 a login to send"),
                      ("No IMAP", "what there is not"),
                      ("Thunderbird", "1-07 the way through Thunderbird"),
                      ("Outlook", "1-07 through Outlook"),
                      ("iPhone", "through a telephone's program"),
                      ("Android", "and another's")):
        ok(word in text, why)
    ok(PASSWORD not in text, "3-02 the password is not in it")
    ok(max(map(len, text.split("\n"))) <= 78, "lines that a letter can have")
    french = sheet(m, BOB, "--lang", "fr").stdout
    ok("Paramètres de connexion de " + BOB in french and
       "Réception" in french and "Incoming" not in french, "in French")
    m.env["LANG"] = "fr_FR.UTF-8"
    eq(sheet(m, BOB).stdout, french, "the caller's language without --lang")
    eq(sheet(m, BOB, "--lang", "en").stdout, text, "and another one with it")
    del m.env["LANG"]
    ok(sheet(m, BOB, "--lang", "xx", check=False).returncode == 64,
       "there is no third one")
    row = json.loads(sheet(m, "--json", BOB).stdout)
    eq((row["login"], row["pop3-server"], row["pop3-tls-port"],
        row["smtp-starttls-port"]),
       (BOB, "mail.exemple.test", m.ports["pop3s"], m.ports["submission"]),
       "for programs, as JSON")


def services(m):
    """What is switched off is not offered."""
    m.malle("user", "set", BOB, "smtp=no")
    text = sheet(m, BOB).stdout
    ok(str(m.ports["submissions"]) not in text and "not offered" in text and
       str(m.ports["pop3s"]) in text, "an account that may not send")
    ok("Thunderbird" not in text, "is not told how to set that up")
    m.malle("user", "set", BOB, "smtp=yes")
    m.write_conf(pop3s="none", pop3="127.0.0.1:%d, 192.0.2.7:2110" %
                 m.ports["pop3"])
    text = sheet(m, BOB).stdout
    ok("port      2110\n  security  STARTTLS" in text,
       "the port that people reach, not the one of this machine only")
    m.write_conf(pop3s="127.0.0.1:%d" % m.ports["pop3s"],
                 pop3="127.0.0.1:%d" % m.ports["pop3"])


def rights(m):
    """The owner, who manages the domain, who administers; nobody else."""
    own = sheet(m, BOB, "--as", BOB, input=PASSWORD + "\n", check=False)
    ok(own.returncode == 0 and BOB in own.stdout, "the owner gets it")
    r = sheet(m, "eve@exemple.test", "--as", BOB, input=PASSWORD + "\n",
              check=False)
    ok(r.returncode == 77 and r.stdout == "", "not of somebody else")
    m.malle("manager", "add", "chef", "--domains", "exemple.test",
            "--password-stdin", input=PASSWORD + "\n")
    r = sheet(m, BOB, "--as", "chef", input=PASSWORD + "\n", check=False)
    ok(r.returncode == 0 and BOB in r.stdout, "the manager of the domain")
    r = sheet(m, "x@autre.test", "--as", "chef", input=PASSWORD + "\n",
              check=False)
    ok(r.returncode == 77 and r.stdout == "", "not of another domain")
    ok(sheet(m, "nobody@exemple.test", check=False).returncode == 67,
       "a mailbox that is not there has none")
    if malle.ROOT and not malle.SANITIZED:
        r = sheet(m, BOB, check=False, user=65534, group=65534,
                  extra_groups=[])
        ok(r.returncode == 77 and r.stdout == "",
           "a stranger on the machine gets nothing")


def letter(raw):
    return email.message_from_bytes(raw, policy=email.policy.default)


def welcome(m):
    """3-01: the first message."""
    m.user("a@exemple.test")
    m.malle("domain", "set", "exemple.test", "welcome=yes")
    m.user("b@exemple.test")
    got = m.wait_messages("b@exemple.test", 1)
    msg = letter(got[0])
    eq((msg["To"], msg["Auto-Submitted"], msg["Return-Path"],
        msg["Content-Language"]),
       ("b@exemple.test", "auto-generated", "<>", "fr"),
       "3-01 a new mailbox gets a message that nobody answers")
    ok("boîte" in msg["Subject"] and "postmaster@exemple.test" in msg["From"],
       "in the language of its domain")
    eq((msg["X-Auto-Response-Suppress"],
        msg["Content-Transfer-Encoding"], str(msg["From"])),
       ("All", "quoted-printable",
        "Service de messagerie <postmaster@exemple.test>"),
       "a letter of the service like any other")
    ok(got[0].isascii(), "that any server passes on")
    body = msg.get_content()
    ok(sheet(m, "b@exemple.test", "--lang", "fr").stdout == body,
       "the sheet is all of it")
    m.malle("domain", "set", "exemple.test", "language=en")
    m.user("C@EXEMPLE.test")
    msg = letter(m.wait_messages("c@exemple.test", 1)[0])
    ok("No IMAP" in msg.get_content() and "open" in msg["Subject"],
       "in English, too, however the address was typed")
    m.user("d@exemple.test", PASSWORD, "--no-welcome")
    m.user("x@autre.test", PASSWORD, "--welcome")
    ok(letter(m.wait_messages("x@autre.test", 1)[0])["Auto-Submitted"],
       "--welcome, where the domain says nothing")
    again = m.malle("user", "add", "b@exemple.test", "--locked",
                    check=False)
    ok(again.returncode != 0, "a mailbox that is there is not made again")
    report = m.malle("user", "import", "-", "--random", input=(
        "address\ne@exemple.test\nb@exemple.test\ny@autre.test\n"),
        check=False).stdout
    ok("made" in report, "an import") or malle.note(report)
    ok(b"Auto-Submitted" in m.wait_messages("e@exemple.test", 1)[0],
       "3-01 the mailboxes of a file get it")
    # The queue is empty: nothing more can come.
    ok(malle.until(lambda: m.malle("queue", "list").stdout == ""),
       "the queue is empty")
    eq([len(m.messages(a)) for a in
        ("a@exemple.test", "b@exemple.test", "c@exemple.test",
         "d@exemple.test", "e@exemple.test", "x@autre.test", "y@autre.test")],
       [0, 1, 1, 0, 1, 1, 0], "once each, and nobody who is not to get it")
    m.user("f@exemple.test")
    chef = m.malle("user", "add", "g@exemple.test", "--locked", "--as", "chef",
                   input=PASSWORD + "\n")
    ok(chef.returncode == 0 and
       len(m.wait_messages("g@exemple.test", 1)) == 1,
       "a manager's new mailbox gets it")


def no_queue(m):
    """The mailbox is there whatever becomes of the message."""
    path = m.base + "/public/queue.sock"
    os.rename(path, path + ".away")
    r = m.malle("user", "add", "h@exemple.test", "--locked")
    ok("warning" in r.stderr and "malle user sheet h@exemple.test" in
       r.stderr, "no queue: said, and what to do instead")
    ok(m.malle("user", "show", "h@exemple.test").returncode == 0,
       "and the mailbox is there")
    os.rename(path + ".away", path)


with malle.Instance() as m:
    m.env.pop("LANG", None)
    m.env["LC_ALL"] = ""
    m.env["LC_MESSAGES"] = ""
    m.domain("exemple.test")
    m.domain("autre.test")
    m.user(BOB, PASSWORD)
    m.user("eve@exemple.test", PASSWORD)
    contents(m)
    services(m)
    rights(m)
    welcome(m)
    no_queue(m)
    eq(m.violations(), [], "nobody left their sandbox")
malle.done()
