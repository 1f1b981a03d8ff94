#!/usr/bin/env python3
"""A lost password of admin: the security code gives another one, once
(inventory 4-29, 9-04)."""
import email
import email.policy
import os
import re
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import malle  # noqa: E402
from malle import eq, ok  # noqa: E402
from registryd import answer, request  # noqa: E402

FIRST, SECOND, THIRD = ("first horse battery", "second horse battery",
                        "third horse battery")
FORM = re.compile(r"([a-z2-9]{4}-){6}[a-z2-9]{4}\n")


def code(m, *argv, **more):
    return m.malle("manager", "code", *argv, **more)


def recover(m, secret, password, *argv):
    return m.malle("manager", "recover", *argv, check=False,
                   input="%s\n%s\n" % (secret, password))


def opens(m, password):
    return m.malle("manager", "show", "admin", "--as", "admin",
                   input=password + "\n", check=False).returncode == 0


def making(m):
    r = code(m, check=False)
    eq((r.returncode, r.stdout), (67, ""), "without admin there is no code")
    m.malle("manager", "add", "admin", "--password-stdin", input=FIRST + "\n")
    m.malle("manager", "add", "marie", "--password-stdin", input=FIRST + "\n")
    r = code(m)
    ok(FORM.fullmatch(r.stdout), "140 bits of letters and digits: " + r.stdout)
    ok("only now" in r.stderr, "shown once")
    eq(code(m, "--as", "marie", input=FIRST + "\n", check=False).returncode,
       77, "a manager makes none")
    everything = m.malle("manager", "show", "admin").stdout + m.malle(
        "--json", "manager", "show", "admin").stdout + m.malle(
            "journal", "--all").stdout + m.log()
    ok(r.stdout.strip() not in everything and "$y$" not in everything,
       "it is nowhere to be read, nor its hash")
    return r.stdout.strip()


def wrong(m, secret):
    for what, other, password, status in (
            ("a wrong code", secret[:-1] + ("a" if secret[-1] != "a" else
                                            "b"), SECOND, 77),
            ("no code", "", SECOND, 66),
            ("the password of admin in its place", FIRST, SECOND, 77),
            ("a password that is too weak", secret, "admin", 65)):
        eq(recover(m, other, password).returncode, status, what)
    eq(recover(m, secret, SECOND, "--as", "marie").returncode, 64,
       "as somebody else")
    ok(opens(m, FIRST) and not opens(m, SECOND), "nothing has changed")
    ok(not opens(m, secret), "the code is no password")
    r = m.malle("user", "list", "--as", "admin", input=secret + "\n",
                check=False)
    eq(r.returncode, 77, "and opens nothing else")


def using(m, secret):
    # As a person reads it from a card.
    typed = secret.upper().replace("-", " ")
    r = recover(m, typed, SECOND)
    ok(r.returncode == 0 and FORM.fullmatch(r.stdout),
       "9-04 another password, and another code") or malle.note(r.stderr)
    ok(opens(m, SECOND) and not opens(m, FIRST), "4-29 the password is the new "
       "one")
    eq(recover(m, secret, THIRD).returncode, 77, "9-04 a code is used once")
    ok(malle.until(lambda: m.messages("postmaster@exemple.test")),
       "9-04 the postmaster is told")
    with open(m.messages("postmaster@exemple.test")[0], "rb") as f:
        letter = email.message_from_binary_file(f, policy=email.policy.default)
    text = " ".join(letter.get_content().split())
    ok(letter["Subject"].startswith("The password of the administrator of ") and
       "by means of the security code" in text and "malle journal" in text,
       "what has happened, and what to do") or malle.note(text)
    ok("manager.recover" in m.malle("journal", "--all").stdout,
       "it is in the journal")
    ok("change operation=manager.recover on=admin" in m.log(), "and in the log")
    return r.stdout.strip()


def without_another(m, secret):
    """A recovery that ends before another code is made."""
    def ask(password):
        with malle.unix(m.base + "/public/registry.sock") as s:
            s.send(request("manager.recover", [
                ("name", "admin"), ("as", "admin"), ("current", secret),
                ("password", password)]))
            return answer(s)[1]
    eq((ask(THIRD), ask(FIRST)), ("ok", "refused"),
       "9-04 a code is used up although there is no other one")
    ok(opens(m, THIRD), "the password is the first one")
    return code(m).stdout.strip()


def renewing(m, secret):
    r = code(m, "--card")
    fresh = re.search(r"(?:[a-z2-9]{4}-){6}[a-z2-9]{4}", r.stdout).group()
    ok("mail.exemple.test" in r.stdout and "malle manager recover" in r.stdout,
       "9-04 a card to print")
    eq(recover(m, secret, THIRD).returncode, 77, "the code before is void")
    m.malle("manager", "set", "admin", "state=suspended")
    eq(recover(m, fresh, THIRD).returncode, 77, "an admin who is suspended "
       "stays so")
    m.malle("manager", "set", "admin", "state=active")
    m.restart()
    m.env["LC_ALL"] = "fr_FR.UTF-8"
    r = recover(m, fresh, SECOND)
    ok(r.returncode == 0 and "le code a servi" in r.stderr and
       opens(m, SECOND), "after a restart, in French") or malle.note(r.stderr)
    dump = m.malle("dump").stdout
    ok("code" in dump and r.stdout.strip() not in dump, "a dump has its hash")


with malle.Instance() as m:
    m.env["LC_ALL"] = "C.UTF-8"
    m.domain("exemple.test", "--language", "en")
    secret = making(m)
    wrong(m, secret)
    renewing(m, without_another(m, using(m, secret)))
malle.done()
