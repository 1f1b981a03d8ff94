#!/usr/bin/env python3
"""SIGHUP: changed settings count in every program, and nothing is dropped."""
# SPDX-License-Identifier: ISC
import grp
import os
import shutil
import smtplib
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import malle
from malle import eq, ok, until

BOB = "bob@exemple.test"
GOES_ON = ("malle-queued", "malle-registryd")
BEGINS_ANEW = ("malle-smtpd", "malle-pop3d", "malle-tls", "malle-authd",
               "malle-spawn", "malle-bounce", "malle-remote")


def pids(m):
    found = {malle._argv0(pid): pid for pid in malle.children(m.process.pid)}
    return {p: found.get(p) for p in malle.PROGRAMS}


def wait_started(m):
    until(lambda: "starting" not in m.run("malle-start", "--status",
                                          check=False).stdout)


def reload(m, **settings):
    """Writes settings, tells the service, waits until all have heard."""
    mark = len(m.log())
    old = pids(m)
    m.write_conf(**settings)
    m.reload()
    until(lambda: " reload tables=" in m.log()[mark:])
    until(lambda: " reload administrators=" in m.log()[mark:])

    def have_begun():
        new = pids(m)
        return all(new.values()) and all(new[p] != old[p] for p in BEGINS_ANEW)
    until(have_begun)
    wait_started(m)
    return old


def send(m, subject, size=10):
    with smtplib.SMTP("localhost", m.ports["smtp"],
                      timeout=malle.PATIENCE) as s:
        s.sendmail("eve@ailleurs.test", [BOB], "Subject: %s\r\n\r\n%s\r\n" % (
            subject, "x" * 70 + "\r\n" + "y" * 70 + "\r\n" if size < 100 else
            ("z" * 70 + "\r\n") * (size // 72)))


def refused(m, subject, size=10):
    """The code with which a letter is refused; None when it is taken."""
    try:
        send(m, subject, size)
    except smtplib.SMTPResponseException as e:
        return e.smtp_code
    except smtplib.SMTPSenderRefused as e:
        return e.smtp_code
    return None


def test_session_goes_on(m):
    """A letter half-way while everything is told."""
    s = smtplib.SMTP("localhost", m.ports["smtp"], timeout=malle.PATIENCE)
    s.ehlo()
    s.mail("eve@ailleurs.test")
    s.rcpt(BOB)
    s.putcmd("DATA")
    eq(s.getreply()[0], 354, "a letter is half-way")
    s.send("Subject: a moitie\r\n\r\nune ligne\r\n")
    old = reload(m, hostname="neuf.exemple.test", message_max="20M",
                 password_min="20")
    s.send("la derniere\r\n.\r\n")
    eq(s.getreply()[0], 250, "SIGHUP: the letter half-way is taken")
    s.quit()
    new = pids(m)
    for p in GOES_ON + ("malle-sts",):
        eq(new[p], old[p], "%s goes on" % p)
    m.wait_messages(BOB, 1)


def test_queue(m):
    send(m, "apres")
    text = m.wait_messages(BOB, 2)
    ok(any(b"by neuf.exemple.test (Malleposte)" in t for t in text),
       "malle-queued: hostname")
    eq(refused(m, "grand", 4 << 20), None,
       "malle-queued: message_max has grown")
    m.wait_messages(BOB, 3)
    reload(m, queue_free_min="900G")
    eq(refused(m, "plein"), 451, "malle-queued: queue_free_min")
    reload(m, queue_free_min="1M")
    eq(refused(m, "encore"), None, "and back again")
    m.wait_messages(BOB, 4)


def test_registry(m):
    r = m.malle("user", "add", "carol@exemple.test", "--password-stdin",
                input="seventeen letter\n", check=False)
    ok(r.returncode != 0 and "20" in r.stdout + r.stderr,
       "malle-registryd: password_min")
    reload(m, password_min="12")
    m.user("carol@exemple.test", "seventeen letter")
    ok(True, "and back again")


def test_sts(m):
    old = m.pid("malle-sts")
    reload(m, resolver="127.0.0.1:9")
    ok(until(lambda: m.pid("malle-sts") not in (None, old)),
       "malle-sts begins anew for another resolver")
    wait_started(m)


def test_authorities(m):
    """The setting is the same, what it names is not."""
    path = m.base + "/authorities.pem"
    shutil.copy(m.base + "/tls/cert.pem", path)
    old = m.pid("malle-sts")
    reload(m, authorities=path)
    until(lambda: m.pid("malle-sts") not in (None, old))
    wait_started(m)

    def replaced():
        shutil.copy(path, path + ".new")
        os.rename(path + ".new", path)

    def written():
        with open(path, "a", encoding="ascii") as f:
            f.write("\n")

    def elsewhere():
        os.rename(path, path + ".2")
        os.symlink(path + ".2", path)

    for what in (replaced, written, elsewhere):
        old = m.pid("malle-sts")
        what()
        reload(m)
        ok(until(lambda: m.pid("malle-sts") not in (None, old)),
           "malle-sts begins anew for authorities that are %s" %
           what.__name__)
        wait_started(m)
    old = m.pid("malle-sts")
    reload(m)
    eq(m.pid("malle-sts"), old, "malle-sts goes on with those it has")


def test_admins(m):
    """The members of another group administer at once."""
    if not malle.ROOT:
        malle.skip("another user: needs root")
        return
    group = grp.getgrnam("daemon")

    def asks(*what):
        return m.malle(*what, check=False, user=65533, group=65533,
                       extra_groups=[group.gr_gid]).returncode

    eq(asks("queue", "list"), os.EX_NOPERM, "no administrator: no queue")
    reload(m, admin_group=group.gr_name)
    eq(asks("queue", "list"), 0, "malle-queued: admin_group")
    reload(m, admin_group="none-of-them")
    eq(asks("queue", "list"), os.EX_NOPERM, "and back again")


def test_mistake(m):
    old = pids(m)
    mark = len(m.log())
    right = m.settings["message_max"]
    m.write_conf(message_max="a lot")
    m.process.send_signal(1)
    ok(until(lambda: "reload-failed" in m.log()[mark:]),
       "a mistake in the configuration is told")
    eq(refused(m, "malgre tout"), None, "and the service goes on")
    eq(pids(m), old, "with the programs that there were")
    m.write_conf(message_max=right)


def test_one_that_starts(m):
    """A program that was not ready when the others were told."""
    pid = m.pid("malle-queued")
    os.kill(pid, 9)
    ok(until(lambda: m.pid("malle-queued") not in (None, pid)),
       "malle-queued is killed and comes back")
    m.write_conf(hostname="tard.exemple.test")
    m.process.send_signal(1)
    seen = set()

    def by_new():
        try:
            refused(m, "tard")
        except (smtplib.SMTPException, OSError):
            pass    # whoever listened begins anew at this moment
        for path in m.messages(BOB):
            with open(path, "rb") as f:
                seen.add(b"by tard.exemple.test (Malle" in f.read())
        return True in seen
    ok(until(by_new, step=0.3), "it has the settings of a SIGHUP in between")


def test_direct(m):
    """SIGHUP from somebody who hands nothing over."""
    mark = len(m.log())
    os.kill(m.pid("malle-queued"), 1)
    ok(until(lambda: "conf=kept" in m.log()[mark:]),
       "without malle-start only the tables are read")
    os.kill(m.pid("malle-sts"), 1)
    eq(refused(m, "direct"), None, "and the service goes on")


def main():
    with malle.Instance(conf={"message_max": "1M"}) as m:
        m.domain("exemple.test")
        m.user(BOB)
        test_session_goes_on(m)
        test_queue(m)
        test_registry(m)
        test_sts(m)
        test_authorities(m)
        test_admins(m)
        test_mistake(m)
        test_direct(m)
        test_one_that_starts(m)
        eq(m.violations(), [], "nobody did what his role does not allow")
    malle.done()


main()
