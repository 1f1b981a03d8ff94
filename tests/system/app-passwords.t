#!/usr/bin/env python3
"""Application passwords (inventory 8-08): made by the owner, used by POP3 and
SMTP over TLS and on the loopback, deleted, brought back, and what they are not
good for."""
import base64
import hashlib
import hmac
import json
import os
import poplib
import re
import smtplib
import ssl
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import malle
from malle import eq, ok, until

ALICE, BOB = "alice@exemple.test", "bob@exemple.test"
SECRET, OTHER = "correct horse battery", "staple of seven oranges"
FORM = re.compile(r"^([0-9a-hjkmnp-tv-z]{4}-){4}[0-9a-hjkmnp-tv-z]{4}$")


def tls(m):
    return ssl.create_default_context(cafile=m.ca)


def is_let_in(p, say):
    """Says it to a POP3 server. True: the login is good; False: it was refused
    as a wrong one."""
    try:
        say()
        p.quit()
        return True
    except poplib.error_proto as e:
        ok(b"wrong name or password" in e.args[0],
           "8-08 refused as any wrong password is")
        return False
    finally:
        p.close()


def pop3(m, who, password, clear=False):
    p = poplib.POP3("127.0.0.1", m.ports["pop3"],
                    timeout=malle.PATIENCE) if clear else \
        poplib.POP3_SSL("localhost", m.ports["pop3s"], timeout=malle.PATIENCE,
                        context=tls(m))

    def say():
        p.user(who)
        p.pass_(password)

    return is_let_in(p, say)


def smtp(m, who, password, clear=False, login=False):
    s = smtplib.SMTP("127.0.0.1", m.ports["submission"],
                     timeout=malle.PATIENCE) \
        if clear else smtplib.SMTP_SSL("localhost", m.ports["submissions"],
                                       timeout=malle.PATIENCE, context=tls(m))
    with s:
        s.ehlo()
        s.user, s.password = who, password
        try:
            if login:
                s.auth("LOGIN", s.auth_login)
            else:
                s.auth("PLAIN", s.auth_plain)
            return True
        except smtplib.SMTPAuthenticationError as e:
            eq(e.smtp_code, 535, "8-08 refused as any wrong password is")
            return False


class Scram:
    """The client of SCRAM-SHA-256 (RFC 5802, RFC 7677), as smtplib asks it."""

    def __init__(self, who, password):
        self.password = password.encode()
        self.bare = "n=%s,r=rOprNGfwEbeRWgbNEkqO" % who

    def __call__(self, challenge=None):
        if challenge is None:
            return "n,," + self.bare
        if challenge.startswith(b"v="):
            return ""
        first = challenge.decode()
        parts = dict(p.split("=", 1) for p in first.split(","))
        salted = hashlib.pbkdf2_hmac("sha256", self.password,
                                     base64.b64decode(parts["s"]),
                                     int(parts["i"]))
        key = hmac.digest(salted, b"Client Key", "sha256")
        last = "c=biws,r=" + parts["r"]
        signature = hmac.digest(
            hashlib.sha256(key).digest(),
            ",".join((self.bare, first, last)).encode(), "sha256")
        proof = bytes(a ^ b for a, b in zip(key, signature))
        return last + ",p=" + base64.b64encode(proof).decode()


def scram_smtp(m, who, password):
    with smtplib.SMTP_SSL("localhost", m.ports["submissions"],
                          timeout=malle.PATIENCE, context=tls(m)) as s:
        s.ehlo()
        try:
            return s.auth("SCRAM-SHA-256", Scram(who, password))[0] == 235
        except smtplib.SMTPAuthenticationError as e:
            eq(e.smtp_code, 535, "8-08 refused as any wrong password is")
            return False


def scram_pop3(m, who, password):
    p = poplib.POP3_SSL("localhost", m.ports["pop3s"], context=tls(m),
                        timeout=malle.PATIENCE)
    client = Scram(who, password)

    def b64(text):
        return base64.b64encode(text.encode()).decode()

    def say():
        said = p._shortcmd("AUTH SCRAM-SHA-256 " + b64(client()))
        while said.startswith(b"+ "):
            said = p._shortcmd(b64(client(base64.b64decode(said[2:]))))

    return is_let_in(p, say)


def scram(m, who, password):
    """Whether POP3 and SMTP take it."""
    return scram_pop3(m, who, password), scram_smtp(m, who, password)


def app(m, *argv, secret=SECRET, check=True, **more):
    return m.malle("user", "app-password", *argv, input=secret + "\n",
                   check=check, **more)


def make(m, who, name, *more):
    said = app(m, "add", who, "--name", name, *more).stdout
    return said.rstrip("\n").rsplit(": ", 1)[1]


def rows(m, who, **more):
    return [l.split("\t") for l in
            app(m, "list", who, **more).stdout.splitlines()]


def test_made(m):
    r = app(m, "add", ALICE, "--name", "téléphone", secret="wrong one here",
            check=False)
    ok(r.returncode != 0 and r.stdout == "",
       "8-08 none without the main password")
    r = m.malle("user", "app-password", "add", ALICE, check=False)
    eq(r.returncode, 64, "8-08 none without a name")
    for more, what in ((("--services", "imap"), "a service that is none"),
                       (("--until", "2020-01-01"), "a day that is over"),
                       (("--until", "tomorrow"), "no day")):
        r = app(m, "add", ALICE, "--name", "x", *more, check=False)
        eq((r.returncode, r.stdout), (65, ""), "8-08 refused: " + what)
    phone = make(m, ALICE, "téléphone")
    ok(FORM.match(phone), "8-08 random, in groups that are easy to type")
    ok(make(m, BOB, "téléphone") != phone, "8-08 never the same twice")
    r = app(m, "add", ALICE, "--name", "téléphone", check=False)
    ok(r.returncode != 0 and "téléphone" in r.stderr, "8-08 each name once")
    got = rows(m, ALICE)
    eq([(x[0], x[1], x[3], x[4]) for x in got],
       [("téléphone", "pop3,smtp", "-", "-")], "8-08 listed, never used")
    ok(re.match(r"\d{4}-\d\d-\d\dT", got[0][2]), "8-08 listed, made when")
    ok(phone not in app(m, "list", ALICE).stdout, "8-08 it is shown once only")
    return phone


def test_logins(m, phone):
    typed = phone.replace("-", " ").upper()
    ok(pop3(m, ALICE, phone), "8-08 POP3 over TLS")
    ok(pop3(m, ALICE, phone, clear=True), "8-08 POP3 on the loopback")
    ok(smtp(m, ALICE, phone), "8-08 SMTP AUTH PLAIN over TLS")
    ok(smtp(m, ALICE, typed, login=True), "8-08 AUTH LOGIN, as one types it")
    ok(smtp(m, ALICE, phone.replace("-", ""), clear=True),
       "8-08 SMTP AUTH on the loopback")
    ok(pop3(m, ALICE, SECRET) and smtp(m, ALICE, SECRET),
       "8-08 the main password goes on")
    ok(not pop3(m, BOB, phone), "8-08 it is one account's")
    log = m.log()
    ok(re.search(r'auth-ok client=\S+ account=alice@exemple.test service=pop3 '
                 r'app=\S*t.*phone\S* mechanism=', log), "8-08 the log names it")
    ok(phone not in log and typed not in log, "8-08 the log does not show it")
    ok(until(lambda: rows(m, ALICE)[0][3] != "-"), "8-08 listed, last used")
    shown = m.malle("user", "show", ALICE).stdout
    ok("last-login: 2" in shown and "app-hashes" not in shown and
       "app-used" not in shown, "8-08 the mailbox's last login, no more")


def test_limits(m):
    fetch = make(m, ALICE, "fetch only", "--services", "pop3")
    ok(pop3(m, ALICE, fetch) and not smtp(m, ALICE, fetch),
       "8-08 POP3 and nothing else")
    ok("reason=app-service" in m.log() and 'app="fetch only"' in m.log(),
       "8-08 the log says why, and which")
    send = make(m, ALICE, "send only", "--services", "smtp", "--until",
                "2099-12-31")
    ok(smtp(m, ALICE, send) and not pop3(m, ALICE, send),
       "8-08 SMTP and nothing else")
    eq(rows(m, ALICE)[2][4], "2099-12-31T23:59:59+01:00",
       "8-08 until its last day, by the domain's clocks")
    # What opens the mail does not open the account.
    for argv in (("user", "set", ALICE, "full-name=Eve"),
                 ("user", "app-password", "add", ALICE, "--name", "more"),
                 ("user", "app-password", "delete", ALICE, "--name",
                  "fetch only"), ("mailbox", "list", ALICE)):
        r = m.malle("--as", ALICE, *argv, input=fetch + "\n", check=False)
        ok(r.returncode != 0 and "password" in r.stderr,
           "8-08 it does not open: " + " ".join(argv[:3]))
    m.malle("user", "set", ALICE, "state=suspended")
    ok(not pop3(m, ALICE, fetch) and not smtp(m, ALICE, send),
       "8-08 a suspended account has none")
    m.malle("user", "set", ALICE, "state=active", "smtp=no")
    ok(pop3(m, ALICE, fetch) and not smtp(m, ALICE, send),
       "8-08 none for a service that the account has not")
    m.malle("user", "set", ALICE, "smtp=yes")
    return fetch


def test_zones(m):
    """The last day is one of the domain's people (4-24), and shown so."""
    for zone, until_, shown in (
            ("Europe/Paris", "2099-07-14", "2099-07-14T23:59:59+02:00"),
            ("Asia/Kathmandu", "2099-12-31", "2099-12-31T23:59:59+05:45"),
            ("America/St_Johns", "2099-07-14", "2099-07-14T23:59:59-02:30"),
            ("UTC", "2099-07-14", "2099-07-14T23:59:59+00:00"),
            ("Asia/Kathmandu", "2099-07-14T10:00:00Z",
             "2099-07-14T15:45:00+05:45")):
        m.malle("domain", "set", "exemple.test", "time-zone=" + zone)
        made = app(m, "add", BOB, "--name", "z", "--until", until_, "--json")
        eq(json.loads(made.stdout)["until"], shown, "8-08 in %s" % zone)
        eq(rows(m, BOB)[-1][4], shown, "8-08 listed so")
        if until_.endswith("Z"):
            break
        m.malle("user", "app-password", "delete", BOB, "--name", "z")
    m.malle("domain", "set", "exemple.test", "time-zone=Europe/Paris")
    eq(rows(m, BOB)[-1][4], "2099-07-14T12:00:00+02:00",
       "8-08 another zone later: the same moment")
    m.malle("user", "app-password", "delete", BOB, "--name", "z")


def entry(m):
    """The last entry of the journal about Alice, as one object."""
    lines = m.malle("journal", ALICE, "--json").stdout.splitlines()
    return json.loads(lines[-1]), lines


def test_deleted(m, fetch):
    ok(pop3(m, ALICE, fetch), "8-08 it was used a moment ago")
    m.malle("user", "app-password", "delete", ALICE, "--name", "fetch only")
    ok(not pop3(m, ALICE, fetch), "8-08 deleted: it opens nothing at once")
    r = m.malle("user", "app-password", "delete", ALICE, "--name",
                "fetch only", check=False)
    eq(r.returncode, 67, "8-08 it cannot be deleted twice")
    last, lines = entry(m)
    ok(not any("AAAA" in l or '"app-hashes":"' in l and "(secret)" not in l
               for l in lines), "8-08 the journal has no secrets")
    m.malle("undo", str(last["id"]))
    ok(pop3(m, ALICE, fetch), "8-08 its deletion undone: it opens again")
    m.malle("--as", ALICE, "user", "app-password", "delete", ALICE, "--name",
            "fetch only", input=SECRET + "\n")
    ok(not pop3(m, ALICE, fetch), "8-08 its owner deletes it, too")


def test_carried(m, phone):
    m.malle("user", "rename", ALICE, "alix")
    ok(pop3(m, "alix@exemple.test", phone), "8-08 a new name, the same ones")
    m.malle("user", "rename", "alix@exemple.test", "alice", "--force")
    ok(pop3(m, ALICE, phone), "8-08 and back")
    m.malle("alias", "delete", "alix@exemple.test")
    m.malle("user", "delete", ALICE)
    ok(not pop3(m, ALICE, phone), "8-08 a deleted mailbox has none")
    m.malle("user", "restore", ALICE)
    ok(pop3(m, ALICE, phone), "8-08 a mailbox that comes back has them")
    dump = m.malle("dump").stdout
    ok(phone not in dump, "8-08 a dump has no password")
    m.malle("user", "app-password", "delete", ALICE, "--name", "téléphone")
    ok(not pop3(m, ALICE, phone), "8-08 deleted")
    m.malle("load", "--update", input=dump)
    ok(pop3(m, ALICE, phone), "8-08 a dump that is loaded brings it back")


def test_domain(m, phone):
    eq(scram(m, ALICE, SECRET), (True, True),
       "8-08 allowed: SCRAM with the main password")
    m.malle("domain", "set", "exemple.test", "app-passwords=required")
    ok(not pop3(m, ALICE, SECRET) and not smtp(m, ALICE, SECRET),
       "8-08 required: the main password fetches and sends nothing")
    ok("reason=app-password-required" in m.log(), "8-08 the log says why")
    eq(scram(m, ALICE, SECRET), (False, False),
       "8-08 required: nor does it by SCRAM")
    eq(scram(m, ALICE, phone), (False, False),
       "8-08 and SCRAM is not for an application password")
    ok(pop3(m, ALICE, phone) and smtp(m, ALICE, phone),
       "8-08 required: an application password does")
    m.malle("--as", ALICE, "user", "app-password", "list", ALICE,
            input=SECRET + "\n")
    ok(make(m, ALICE, "another"), "8-08 and the main one still makes them")
    m.malle("domain", "set", "exemple.test", "app-passwords=off")
    ok(not pop3(m, ALICE, phone) and pop3(m, ALICE, SECRET),
       "8-08 off: only the main password")
    eq(scram(m, ALICE, SECRET), (True, True), "8-08 off: by SCRAM, too")
    r = app(m, "add", ALICE, "--name", "x", check=False)
    ok(r.returncode != 0 and "exemple.test" in r.stderr, "8-08 off: none made")
    m.malle("domain", "set", "exemple.test", "app-passwords=allowed")
    ok(pop3(m, ALICE, phone), "8-08 allowed again: those of before")
    r = m.malle("domain", "set", "exemple.test", "app-passwords=perhaps",
                check=False)
    eq(r.returncode, 65, "8-08 no other word")


def test_many(m):
    r = None
    for i in range(25):
        r = app(m, "add", BOB, "--name", "n%d" % i, check=False)
        if r.returncode != 0:
            break
    eq((i, len(rows(m, BOB))), (19, 20), "8-08 twenty an account")
    ok("20" in r.stderr, "8-08 and it is said")
    french = dict(m.env, LC_ALL="fr_FR.UTF-8")
    r = subprocess.run([os.path.join(malle.BIN, "malle"), "-c", m.conf_path,
                        "user", "app-password", "add", BOB, "--name", "n"],
                       input=SECRET + "\n", text=True, capture_output=True,
                       env=french)
    ok("mots de passe d'application" in r.stderr, "8-08 in French, too")


def main():
    with malle.Instance(conf={"auth_clear_on_loopback": "yes"}) as m:
        m.domain("exemple.test")
        m.user(ALICE, SECRET)
        m.user(BOB, SECRET)
        phone = test_made(m)
        test_logins(m, phone)
        fetch = test_limits(m)
        test_zones(m)
        test_deleted(m, fetch)
        test_carried(m, phone)
        test_domain(m, phone)
        test_many(m)
    malle.done()


main()
