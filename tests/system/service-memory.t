#!/usr/bin/env python3
"""service-memory - the whole idle service and an idle session are as small as they are said to be.

Own memory of a session: the pages that nobody shares with it (Private_Dirty), of each of its processes.
"""
import os
import poplib
import smtplib
import ssl
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import malle
from malle import ok

SERVICE_MAX = 128 * 1024	# KiB, PSS
SESSION_MAX = 200		# KiB, of a session
TLS_MAX = 225			# KiB, of its malle-tls, where it has one

if malle.SANITIZED:
    malle.skip_all("the sanitizers' own memory is many times larger")


def memory(pid, what):
    """KiB of one line of smaps_rollup."""
    with open("/proc/%d/smaps_rollup" % pid) as f:
        for line in f:
            if line.startswith(what + ":"):
                return int(line.split()[1])
    raise RuntimeError("no %s in smaps_rollup" % what)


def family(m):
    return {m.process.pid} | set(malle.descendants(m.process.pid))


def is_small(sizes):
    """A session, or a session and the larger malle-tls."""
    return sizes[0] < SESSION_MAX and sizes[-1] < TLS_MAX


def measure(pids, what):
    """That line of each process that has not ended meanwhile, least first."""
    sizes = []
    for pid in pids:
        try:
            sizes.append(memory(pid, what))
        except OSError:
            pass
    return sorted(sizes)


def own(m, before, n):
    """Own memory of the n processes that were not there before, least first."""
    # malle-tls gives memory back after a second of silence.
    end = time.monotonic() + malle.PATIENCE
    while True:
        time.sleep(0.5)
        sizes = measure(family(m) - before, "Private_Dirty")
        if (len(sizes) == n and is_small(sizes)) or time.monotonic() > end:
            return sizes


with malle.Instance() as m:
    total = sum(measure(family(m), "Pss"))
    ok(total < SERVICE_MAX, "the idle service: %d KiB of at most %d" % (total, SERVICE_MAX))
    m.domain("exemple.test")
    m.user("bob@exemple.test")
    password = m.passwords["bob@exemple.test"]
    context = ssl.create_default_context(cafile=m.ca)
    context.check_hostname = False

    before = family(m)
    with smtplib.SMTP("127.0.0.1", m.ports["smtp"],
                      timeout=malle.PATIENCE) as s:
        s.ehlo()
        sizes = own(m, before, 1)
        ok(len(sizes) == 1 and sizes[0] < SESSION_MAX, "an SMTP session: %r KiB" % sizes)

    # The other sessions of the same kind are there while one is measured.
    others = []
    for _ in range(3):
        s = smtplib.SMTP_SSL("127.0.0.1", m.ports["submissions"],
                             timeout=malle.PATIENCE, context=context)
        s.login("bob@exemple.test", password)
        others.append(s)
    before = family(m)
    s = smtplib.SMTP_SSL("127.0.0.1", m.ports["submissions"],
                         timeout=malle.PATIENCE, context=context)
    s.login("bob@exemple.test", password)
    sizes = own(m, before, 2)
    ok(len(sizes) == 2 and is_small(sizes), "a submission and its malle-tls: %r KiB" % sizes)
    s.sendmail("bob@exemple.test", ["bob@exemple.test"], "Subject: big\r\n\r\n" + ("x" * 70 + "\r\n") * 20000)
    m.wait_messages("bob@exemple.test", 1)
    # malle-local, for the new mail, is there too: a program that stays.
    worker = {pid for pid in family(m) - before if malle._argv0(pid) == "malle-local"}
    sizes = own(m, before | worker, 2)
    ok(len(sizes) == 2 and is_small(sizes), "after a message of 1.4 MB: %r KiB" % sizes)
    for c in others + [s]:
        c.quit()
    malle.until(lambda: not [p for p in family(m) - before if malle._argv0(p) == "malle-tls"])

    before = family(m)
    p = poplib.POP3_SSL("127.0.0.1", m.ports["pop3s"],
                        timeout=malle.PATIENCE, context=context)
    p.user("bob@exemple.test")
    p.pass_(password)
    p.retr(1)
    sizes = own(m, before, 2)
    ok(len(sizes) == 2 and is_small(sizes), "a POP3S session after its login: %r KiB" % sizes)
    p.quit()
malle.done()
