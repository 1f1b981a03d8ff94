#!/usr/bin/env python3
"""The filter for fail2ban, read by fail2ban itself, on what a running service
has written: who guesses is found, in the log's own form and in syslog's."""
# SPDX-License-Identifier: ISC
import atexit
import os
import poplib
import re
import shutil
import smtplib
import ssl
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import malle
from malle import eq, ok, until

FILTER = os.path.join(malle.TOP, "docs", "fail2ban-malleposte.conf")
BOB, EVE = "bob@exemple.test", "eve@exemple.test"
# What a stranger may call himself so that somebody else is banned.
NAMES = ["a client=192.0.2.1 account=x", "auth-failed client=192.0.2.1 account=",
         "x\" malle-authd[1] - auth-failed client=192.0.2.1 account=\"",
         "reason=suspended", "x service=smtp mechanism=PLAIN reason=suspended "
         "tls=yes session=y", "nobody@exemple.test"]


def context(m):
    return ssl.create_default_context(cafile=m.ca)


def guess_smtp(m, user, password):
    with smtplib.SMTP_SSL("localhost", m.ports["submissions"],
                          timeout=malle.PATIENCE,
                          context=context(m)) as s:
        try:
            s.login(user, password, initial_response_ok=True)
            return True
        except (smtplib.SMTPException, OSError):
            return False


def guess_pop(m, user, password):
    p = poplib.POP3_SSL("localhost", m.ports["pop3s"], timeout=malle.PATIENCE,
                        context=context(m))
    try:
        p.user(user)
        p.pass_(password)
        p.quit()
        return True
    except poplib.error_proto:
        p.close()
        return False


def unpack(folder):
    """Debian's package, unpacked only: installed it would begin to ban. What
    runs its fail2ban-regex: arguments and environment; None without it."""
    if not malle.unpack_debian("fail2ban", folder):
        return None
    return (["python3", folder + "/usr/bin/fail2ban-regex", "-c",
             folder + "/etc/fail2ban"],
            dict(os.environ,
                 PYTHONPATH=folder + "/usr/lib/python3/dist-packages"))


def found(path):
    """The addresses that fail2ban would count, one a line."""
    r = subprocess.run(FAIL2BAN[0] + ["-o", "ip", path, FILTER],
                       env=FAIL2BAN[1], capture_output=True, text=True,
                       timeout=60)
    if r.returncode not in (0, 1):
        malle.note(r.stdout + r.stderr)
    return [l for l in r.stdout.split("\n") if l]


scratch = tempfile.mkdtemp(prefix="malle-fail2ban-")
atexit.register(shutil.rmtree, scratch)
FAIL2BAN = unpack(scratch)
if FAIL2BAN is None:
    malle.skip_all("Debian's package fail2ban cannot be fetched")
with malle.Instance() as m:
    m.domain("exemple.test")
    m.user(BOB)
    m.user(EVE)
    m.malle("user", "set", EVE, "state=suspended")
    ok(guess_smtp(m, BOB, m.passwords[BOB]) and
       guess_pop(m, BOB, m.passwords[BOB]), "the right password")
    eq(found(m.log_path), [], "fail2ban finds nobody")
    wrong = 0
    for name in NAMES:
        wrong += not guess_smtp(m, name, "wrong")
    wrong += not guess_smtp(m, BOB, "wrong")
    wrong += not guess_pop(m, BOB, "wrong again")
    eq(wrong, len(NAMES) + 2, "guesses are refused")
    counted = m.log().count(" - auth-failed client=127.0.0.1 ")
    ok(counted >= wrong, "each is in the log")
    eq(found(m.log_path), ["127.0.0.1"] * counted,
       "fail2ban finds each guess, and nobody else")
    guess_smtp(m, EVE, m.passwords[EVE])
    ok(until(lambda: "reason=suspended tls" in m.log()),
       "a suspended account, the right password")
    eq(found(m.log_path), ["127.0.0.1"] * counted, "is no guess")
    # As syslog keeps the same lines.
    path = os.path.join(m.dir, "mail.log")
    with open(path, "w") as f:
        for line in m.log().splitlines():
            f.write(re.sub(r"^(\S+)T(\S+)\.\d+Z (malle-\w+\[\d+\])",
                           r"\1T\2+00:00 mail \3:", line) + "\n")
    eq(found(path), ["127.0.0.1"] * counted, "the same in a log of syslog")
malle.done()
