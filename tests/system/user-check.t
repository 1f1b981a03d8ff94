#!/usr/bin/env python3
"""Why does no mail arrive, why is a login refused: malle user check (inventory
3-05, 3-06)."""
import json
import os
import poplib
import ssl
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import internet  # noqa: E402
import malle  # noqa: E402
from malle import eq, ok  # noqa: E402

BOB, DOMAIN, HOST = "bob@exemple.test", "exemple.test", "mail.exemple.test"
OURS = "203.0.113.5"
PASSWORD = "correct horse battery"


def check(m, *argv, address=BOB, **more):
    """[(about, verdict)], all texts, the exit status."""
    r = m.malle("--json", "user", "check", address, "--address", OURS, *argv,
                check=False, **more)
    rows = [json.loads(line) for line in r.stdout.splitlines()]
    return ([(row["about"], row["verdict"]) for row in rows],
            "\n".join(row["text"] for row in rows), r.returncode)


def healthy(m):
    rows, texts, status = check(m)
    eq((status, [r for r in rows if r[1] not in ("fine", "info")]), (0, []),
       "nothing stands in the way") or malle.note(texts)
    eq([r[0] for r in rows if r[1] == "fine"], ["state", "state", "room", "mx"],
       "the mailbox and its domain, its room, where its mail is sent")
    ok("nobody has logged in yet" in texts and
       "malle --as %s user show %s" % (BOB, BOB) in texts and
       "malle user sheet " + BOB in texts,
       "3-06 how the password is told from the settings")
    box = poplib.POP3_SSL("localhost", m.ports["pop3s"],
                          timeout=malle.PATIENCE,
                          context=ssl._create_unverified_context())
    box.user(BOB)
    box.pass_(PASSWORD)
    box.quit()
    ok(malle.until(lambda: "last good login: 20" in check(m)[1]),
       "3-06 the last login, when there was one")


def mail(m):
    """3-05: each of what keeps mail from arriving."""
    for words, undo, want, word in (
            (("discard=yes",), ("discard=no",), ("routing", "todo"),
             "deleted unread"),
            (("forward=x@far.test", "keep=no"), ("forward=", "keep=yes"),
             ("routing", "todo"), "only goes on to x@far.test"),
            (("forward=x@far.test",), ("forward=",), ("routing", "info"),
             "a copy goes on to x@far.test"),
            (("vacation=yes", "vacation-text=Back soon"), ("vacation=no",),
             ("routing", "info"), "its owner is away"),
            (("senders=domain",), ("senders=everybody",), ("routing", "info"),
             "not everybody may write to it: domain"),
            (("state=suspended",), ("state=active",), ("state", "wrong"),
             "malle user set %s state=active" % BOB),
            (("state=disabled",), ("state=active",), ("state", "wrong"),
             "refused"),
            (("pop3=no",), ("pop3=yes",), ("login", "info"), "pop3=no"),
            (("smtp=no",), ("smtp=yes",), ("login", "info"), "smtp=no")):
        m.malle("user", "set", BOB, *words)
        rows, texts, status = check(m)
        eq((want in rows, word in texts, status), (True, True,
                                                   want[1] != "info"),
           "3-05 " + " ".join(words)) or malle.note(texts)
        m.malle("user", "set", BOB, *undo)
    for word in ("suspended", "disabled"):
        m.malle("domain", "set", DOMAIN, "state=" + word)
        rows, texts, status = check(m)
        ok(("state", "wrong") in rows and status == 1 and "malle domain set "
           "%s state=active" % DOMAIN in texts, "a domain that is " + word)
    m.malle("domain", "set", DOMAIN, "state=active",
            "app-passwords=required")
    ok("app-password add " + BOB in check(m)[1],
       "3-06 a domain that wants application passwords")
    m.malle("domain", "set", DOMAIN, "app-passwords=allowed")
    m.malle("user", "add", "carol@exemple.test", "--locked")
    rows, texts, status = check(m, address="carol@exemple.test")
    ok(("login", "todo") in rows and "malle user passwd carol@" in texts and
       status == 1, "3-06 no password")


def arrival(m):
    """3-05: the letter to oneself."""
    rows, texts, status = check(m, "--send")
    eq((("arrival", "fine") in rows, status), (True, 0),
       "3-05 a letter to itself arrives") or malle.note(texts)
    eq(len(m.messages(BOB)), 1, "once")
    with open(m.messages(BOB)[0]) as f:
        letter = f.read()
    ok("Subject: Mail arrives\n" in letter and
       "Return-Path: <%s>\n" % BOB in letter, "from itself")
    m.malle("user", "set", BOB, "quota-messages=1")
    rows, texts, status = check(m)
    eq((("room", "wrong") in rows, "it is full" in texts, status),
       (True, True, 1), "a full mailbox") or malle.note(texts)
    rows, texts, status = check(m, "--send")
    eq((("arrival", "unknown") in rows, len(m.messages(BOB))), (True, 1),
       "to which none is sent") or malle.note(texts)
    m.malle("user", "set", BOB, "quota-messages=0", "discard=yes")
    rows, texts, status = check(m, "--send")
    ok(("arrival", "unknown") in rows, "none is sent that nobody would see")
    m.malle("user", "set", BOB, "discard=no", "vacation=yes",
            "vacation-text=Back soon", "senders=domain")
    rows, texts, status = check(m, "--send")
    eq((("arrival", "fine") in rows, len(m.messages(BOB))), (True, 2),
       "3-05 while its owner is away, and when few may write, too")
    m.malle("user", "set", BOB, "vacation=no", "senders=everybody")


def no_arrival(m):
    """3-05: what is said of the letter that is lost on the way."""
    sock = m.base + "/public/queue.sock"
    os.rename(sock, sock + ".away")
    rows, texts, status = check(m, "--send")
    ok(("arrival", "wrong") in rows and "is not taken: No such file" in texts
       and status == 1, "3-05 a queue that takes nothing") or malle.note(texts)
    os.rename(sock + ".away", sock)
    m.malle("user", "set", BOB, "state=suspended")
    ok("is not taken: 4.2.1 " in check(m, "--send")[1],
       "3-05 what the queue says of it")
    m.malle("user", "set", BOB, "state=active")
    tmp = m.maildir(BOB) + "/tmp"
    os.chmod(tmp, 0)
    rows, texts, status = check(m, "--send")
    ok(("arrival", "wrong") in rows and "malle trace " in texts and
       status == 1, "3-05 a letter that waits in the queue") or malle.note(texts)
    os.chmod(tmp, 0o700)


def dns_says(m, dns):
    dns.forget(DOMAIN, "MX")
    dns.mx(DOMAIN, 10, "mail.former.test")
    dns.a("mail.former.test", "192.0.2.1")
    rows, texts, status = check(m)
    ok(("mx", "todo") in rows and status == 1 and "mail.former.test" in texts,
       "3-06 the mail of the domain still goes to the former provider"
       ) or malle.note(texts)
    dns.forget(DOMAIN, "MX")
    dns.mx(DOMAIN, 10, HOST)


def askers(m):
    """Those who may see the mailbox, and nobody else."""
    rows, texts, status = check(m, "--send", "--as", BOB,
                                input=PASSWORD + "\n")
    ok(("arrival", "fine") in rows and status == 0,
       "3-08 its owner") or malle.note(texts)
    rows, texts, status = check(m, "--as", "bob", input=PASSWORD + "\n")
    eq((status, [r[0] for r in rows if r[1] == "fine"]),
       (0, ["state", "room", "mx"]), "by his name alone, too"
       ) or malle.note(texts)
    r = m.malle("user", "check", BOB, "--as", "alice@exemple.test",
                input=PASSWORD + "\n", check=False)
    eq((r.returncode, r.stdout), (77, ""), "not another one")
    eq(m.malle("user", "check", "nobody@exemple.test",
               check=False).returncode, 67, "a mailbox that is not there")
    m.malle("manager", "add", "marie", "--domains", DOMAIN,
            "--password-stdin", input=PASSWORD + "\n")
    rows, texts, status = check(m, "--send", "--as", "marie",
                                input=PASSWORD + "\n")
    ok(("arrival", "fine") in rows and status == 0,
       "the manager of its domain") or malle.note(texts)
    eq(m.malle("user", "check", check=False).returncode, 64, "no mailbox")
    m.env["LC_ALL"] = "fr_FR.UTF-8"
    r = m.malle("user", "check", BOB, "--address", OURS, check=False)
    ok("bob@exemple.test est actif" in r.stdout and "il y a de la place" in
       r.stdout and r.returncode == 0, "in French") or malle.note(r.stdout)


with malle.Instance(start=False) as m:
    m.env.pop("LANG", None)
    m.env["LC_ALL"] = m.env["LC_MESSAGES"] = ""
    dns = internet.DNS()
    dns.a(HOST, OURS)
    dns.mx(DOMAIN, 10, HOST)
    m.write_conf(resolver=dns.address)
    m.start()
    m.domain(DOMAIN)
    m.user(BOB, PASSWORD)
    m.user("alice@exemple.test", PASSWORD)
    healthy(m)
    mail(m)
    arrival(m)
    no_arrival(m)
    dns_says(m, dns)
    askers(m)
    dns.close()
malle.done()
