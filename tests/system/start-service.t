#!/usr/bin/env python3
"""The whole service as malle-start runs it: sandboxes, deaths, reload, stop."""
import os
import poplib
import re
import signal
import smtplib
import socket
import ssl
import sys
import threading
import time
from datetime import datetime

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import malle
from malle import eq, ok, until

PASSWORD = "une phrase de passe 1"


def context(m):
    return ssl.create_default_context(cafile=m.ca)


def send(m, subject, n=1):
    with smtplib.SMTP_SSL("localhost", m.ports["submissions"],
                          timeout=malle.PATIENCE,
                          context=context(m)) as s:
        s.login("alice@exemple.test", PASSWORD)
        for i in range(n):
            s.sendmail("alice@exemple.test", ["bob@exemple.test"],
                       "Subject: %s %d\r\n\r\nBonjour\r\n" % (subject, i))


def fetch(m):
    p = poplib.POP3_SSL("localhost", m.ports["pop3s"], timeout=malle.PATIENCE,
                        context=context(m))
    p.user("bob@exemple.test")
    p.pass_(PASSWORD)
    n = p.stat()[0]
    subjects = []
    for i in range(n):
        subjects += [l for l in p.retr(i + 1)[1] if l.startswith(b"Subject:")]
        p.dele(i + 1)
    p.quit()
    return subjects


def test_way(m):
    send(m, "premier")
    m.wait_messages("bob@exemple.test", 1)
    eq(fetch(m), [b"Subject: premier 0"], "a letter goes all the way")


def test_programs(m):
    """What /proc says of each program: uid, root folder, capabilities."""
    root = {"malle-smtpd": "public", "malle-pop3d": "public",
            "malle-authd": "auth", "malle-tls": "empty",
            "malle-queued": "queue", "malle-bounce": "empty",
            "malle-remote": "empty",
            "malle-sts": "empty", "malle-registryd": "registry"}
    uid = {"malle-smtpd": 64200, "malle-pop3d": 64200, "malle-queued": 64201,
           "malle-authd": 64202, "malle-tls": 64203, "malle-bounce": 64205,
           "malle-remote": 64204, "malle-sts": 64204,
           "malle-registryd": 64206}
    for program in malle.PROGRAMS:
        pid = m.pid(program)
        st = malle.status_of(pid)
        eq(st["NoNewPrivs"], "1", program + ": no new privileges")
        if not malle.SANITIZED:
            eq(st["Seccomp"], "2", program + ": a filter of system calls")
        if not malle.SEPARATE or program == "malle-spawn":
            continue
        eq(st["Uid"].split(), [str(uid[program])] * 4, program + ": its uid")
        eq(st["CapPrm"] + st["CapEff"], "0" * 32, program + ": no capability")
        eq(st["Groups"], "", program + ": no other group")
        eq(os.readlink("/proc/%d/root" % pid),
           os.path.join(m.base, root[program]), program + ": its root folder")
        # Not dumpable: what it is belongs to root in the eyes of /proc.
        eq(os.stat("/proc/%d/mem" % pid).st_uid, 0, program + ": not dumpable")
        with open("/proc/%d/limits" % pid) as f:
            core = [l for l in f if l.startswith("Max core")][0].split()
        eq(core[4:6], ["0", "0"], program + ": no core file")
        with open("/proc/%d/environ" % pid, "rb") as f:
            names = {e.split(b"=")[0] for e in f.read().split(b"\0") if e}
        ok(names <= {b"PATH", b"MALLE_FDS", b"LANG", b"LC_ALL", b"TZ",
                     b"MALLE_SANDBOX_DENY", b"ASAN_OPTIONS",
                     b"UBSAN_OPTIONS", b"LSAN_OPTIONS"},
           program + ": a clean environment")


def test_status(m):
    r = m.run("malle-start", "--status", check=False)
    eq(r.returncode, 0, "--status")
    if malle.SANITIZED:
        return
    for program in malle.PROGRAMS:
        line = [l for l in r.stdout.split("\n") if l.startswith(program)][0]
        ok("seccomp=yes" in line and "landlock=0" not in line,
           "%s: %s" % (program, line.split("seccomp_mode")[1]))


def test_clocks(m):
    """Since when a program runs: by the clocks of who asks, with the offset."""
    with open(os.path.join(m.base, "malle-start.status")) as f:
        since = [int(row.split()[2]) for row in f]
    old = m.env.get("TZ")
    for zone, offset in (("XXX-5:45", "+0545"), ("XXX2", "-0200")):
        m.env["TZ"] = zone
        shown = re.findall(r'since="([^"]*)"', m.run(
            "malle-start", "--status", check=False).stdout)
        times = [datetime.strptime(s, "%Y-%m-%d %H:%M:%S %z") for s in shown]
        eq([int(t.timestamp()) for t in times], since, "since: the moments")
        eq({t.strftime("%z") for t in times}, {offset}, "in " + zone)
    m.env.pop("TZ")
    if old is not None:
        m.env["TZ"] = old


def test_deaths(m):
    """Each program is killed once; then a letter goes all the way again."""
    for program in malle.PROGRAMS:
        m.kill(program)
        try:
            send(m, "apres " + program)
            ok(True, program + " killed: submission works again")
        except (OSError, smtplib.SMTPException) as e:
            ok(False, "%s killed: %r" % (program, e))
    m.wait_messages("bob@exemple.test", len(malle.PROGRAMS))
    eq(len(fetch(m)), len(malle.PROGRAMS), "all of these letters arrive")


def test_reload(m):
    """SIGHUP in the middle of an SMTP and of a POP3 session over TLS."""
    s = smtplib.SMTP_SSL("localhost", m.ports["submissions"],
                         timeout=malle.PATIENCE,
                         context=context(m))
    s.login("alice@exemple.test", PASSWORD)
    p = poplib.POP3_SSL("localhost", m.ports["pop3s"], timeout=malle.PATIENCE,
                        context=context(m))
    p.user("bob@exemple.test")
    p.pass_(PASSWORD)
    names = ("malle-tls", "malle-smtpd", "malle-pop3d")
    old = {x: m.pid(x) for x in names}
    m.write_conf(message_max="123456")
    m.reload()
    for x in names:
        ok(until(lambda: m.pid(x) not in (None, old[x])), "a new " + x)
    until(lambda: all(m.pid(x) for x in malle.PROGRAMS))
    with smtplib.SMTP("localhost", m.ports["smtp"],
                      timeout=malle.PATIENCE) as new:
        new.ehlo()
        eq(new.esmtp_features["size"], "123456", "SIGHUP: a changed setting")
    s.sendmail("alice@exemple.test", ["bob@exemple.test"],
               "Subject: rechargement\r\n\r\nBonjour\r\n")
    s.quit()
    ok(True, "SIGHUP: the SMTP session goes on")
    eq(p.noop()[:3], b"+OK", "SIGHUP: the POP3 session goes on")
    p.quit()
    send(m, "apres")
    m.wait_messages("bob@exemple.test", 2)
    eq(len(fetch(m)), 2, "and new ones are served")


def test_stop_under_load(m):
    """SIGTERM while letters come in: what was acknowledged is kept."""
    sent = []

    def client(number):
        try:
            with smtplib.SMTP_SSL("localhost", m.ports["submissions"],
                                  timeout=malle.PATIENCE, context=context(m)) as s:
                s.login("alice@exemple.test", PASSWORD)
                for i in range(10000):
                    subject = "charge-%d-%d" % (number, i)
                    s.sendmail("alice@exemple.test", ["bob@exemple.test"],
                               "Subject: %s\r\n\r\nBonjour\r\n" % subject)
                    sent.append(subject)
        except (OSError, smtplib.SMTPException):
            pass

    threads = [threading.Thread(target=client, args=(n,)) for n in range(6)]
    for t in threads:
        t.start()
    until(lambda: len(sent) > 100 or not any(t.is_alive() for t in threads),
          10 * malle.PATIENCE)
    begin = time.monotonic()
    eq(m.stop(), 0, "SIGTERM under load: ends well")
    malle.note("in %.1f s" % (time.monotonic() - begin))
    for t in threads:
        t.join()
    m.start()

    def subjects():
        found = []
        for path in m.messages("bob@exemple.test"):
            with open(path, "rb") as f:
                found += [l[9:].strip().decode() for l in f
                          if l.startswith(b"Subject:")]
        return found
    # More may come than were acknowledged: a number of them says nothing.
    until(lambda: set(sent) <= set(subjects()), step=0.5)
    found = subjects()
    ok(len(sent) > 100, "%d letters were acknowledged" % len(sent))
    eq(set(sent) - set(found), set(), "each of them is there")
    eq(len(found) - len(set(found)), 0, "and none twice")


def test_end(m):
    family = [m.process.pid] + malle.descendants(m.process.pid)
    idle = m.connect("smtp")
    idle.recv(100)
    begin = time.monotonic()
    eq(m.stop(), 0, "SIGTERM with an idle session")
    malle.note("in %.1f s" % (time.monotonic() - begin))
    eq([p for p in family if malle._alive(p)], [], "nothing stays behind")
    eq(m.violations(), [], "no crash, no call outside of a role")


def main():
    with malle.Instance() as m:
        m.domain("exemple.test")
        m.user("alice@exemple.test", PASSWORD)
        m.user("bob@exemple.test", PASSWORD)
        test_way(m)
        test_programs(m)
        test_status(m)
        test_clocks(m)
        test_reload(m)
        test_deaths(m)
        test_stop_under_load(m)
        test_end(m)
    malle.done()


main()
