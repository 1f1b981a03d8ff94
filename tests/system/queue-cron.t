#!/usr/bin/env python3
"""malle-queue-run from a line of Debian's cron, with no malle-queued but the listeners running."""
# SPDX-License-Identifier: ISC
import os
import poplib
import shutil
import signal
import smtplib
import ssl
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import malle
from malle import eq, note, ok, until
from relaylab import Lab

TRY = {"retry_first": "1s", "retry_max": "2s"}
BOB = "bob@exemple.test"
LATER = "450 4.3.0 Later"
WAIT = 60 + malle.PATIENCE      # cron looks once a minute


class Cron:
    """Debian's cron with one line; it alone sees the folders that it uses."""

    def __init__(self, user_id):
        self.dir = tempfile.mkdtemp(prefix="malle-cron-")
        self.process = None
        if not malle.unpack_debian("cron", self.dir + "/root"):
            self.close()
            malle.skip_all("the package cron cannot be had")
        self.user = "root"
        self.etc = self.dir + "/etc"
        subprocess.run(["cp", "-a", "/etc", self.etc], check=True)
        shutil.rmtree(self.etc + "/cron.d", ignore_errors=True)
        os.mkdir(self.etc + "/cron.d", 0o755)
        self.write("crontab", "")
        self.write("pam.d/cron", "account required pam_permit.so\n"
                   "session required pam_permit.so\n")
        if user_id:
            self.user = "malletest"
            self.write("passwd", "root:x:0:0::/:/bin/sh\n"
                       "malletest:x:%d:%d::/:/bin/sh\n" % (user_id, user_id))

    def write(self, name, text):
        path = os.path.join(self.etc, name)
        with open(path, "w") as f:
            f.write(text)
        os.chmod(path, 0o644)

    def start(self, command):
        self.write("cron.d/malleposte", "MAILTO=\"\"\n* * * * * %s %s\n" %
                   (self.user, command))
        libraries = ":".join(self.dir + "/root" + d for d in (
            "/usr/lib/x86_64-linux-gnu", "/lib/x86_64-linux-gnu"))
        self.process = subprocess.Popen(
            ["unshare", "--mount", "sh", "-ec",
             'mount --bind "$0/etc" /etc; mount -t tmpfs none /var/spool; '
             'mount -t tmpfs none /run; '
             'mkdir -p /var/run /var/spool/cron/crontabs; exec "$0/root/usr/sbin/cron" -f', self.dir],
            env=dict(os.environ, LD_LIBRARY_PATH=libraries),
            stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            start_new_session=True)

    def close(self):
        if self.process and self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGTERM)
            self.process.wait(malle.PATIENCE)
        shutil.rmtree(self.dir, ignore_errors=True)


def programs(lab):
    """A folder of the programs, of which one can be taken away."""
    folder = lab.path("libexec")
    os.mkdir(folder)
    for name in os.listdir(malle.BIN):
        if name.startswith("malle"):
            os.symlink(os.path.join(malle.BIN, name), folder + "/" + name)
    lab.m.write_conf(libexec=folder)
    return folder


def take_away(lab, folder):
    """From now on there is no malle-queued, and nobody has a letter of its."""
    os.unlink(folder + "/malle-queued")
    os.symlink("/bin/false", folder + "/malle-queued")
    old = lab.m.kill("malle-queued", wait=False)
    until(lambda: not malle._alive(old) and not carriers(lab))


def carriers(lab):
    """The connections to other servers."""
    return [p for p in malle.descendants(lab.m.process.pid)
            if malle._argv0(p) == "malle-carrier"]


def listeners(lab):
    """Those who listen go on without it."""
    with smtplib.SMTP("127.0.0.1", lab.m.ports["smtp"], "client.test",
                      timeout=60) as s:
        s.ehlo()
        s.mail("zoe@free.test")
        eq([s.rcpt(a + "@exemple.test")[0] for a in ("bob", "nobody")],
           [250, 550], "malle-smtpd knows who is here")
    p = poplib.POP3("127.0.0.1", lab.m.ports["pop3"], timeout=60)
    p.stls(context=ssl._create_unverified_context())
    p.user(BOB)
    p.pass_(lab.m.passwords[BOB])
    eq(p.stat()[0], 0, "malle-pop3d serves mailboxes")
    p.quit()


def told(lab, address):
    """Whether bob was told that it failed for this recipient."""
    return any(address.encode() in raw for raw in lab.m.wait_messages(BOB, 0))


def scene(lab, cron):
    folder = programs(lab)
    lab.m.start()
    lab.m.domain("exemple.test")
    lab.m.user(BOB)
    good = lab.server("bon.test", hooks={"RCPT": LATER})
    bad = lab.server("dur.test", hooks={"RCPT": LATER})
    lab.event(lab.send("x@bon.test"), "deferred")
    lab.event(lab.send("y@dur.test"), "deferred")
    take_away(lab, folder)
    good.hooks.clear()
    bad.hooks["RCPT"] = "550 5.1.1 Nobody of this name"
    listeners(lab)
    out = lab.path("out")
    cron.start("%s/malle-queue-run -c %s --limit 50 >>%s 2>>%s" % (
        malle.BIN, lab.m.conf_path, out, lab.path("err")))
    ok(until(lambda: good.recipients(), WAIT), "cron: a letter goes out")
    ok(until(lambda: told(lab, "y@dur.test"), WAIT),
       "cron: a refusal comes back to a mailbox here")
    ok(until(lambda: os.path.getsize(out), WAIT), "the pass ends")
    with open(out) as f:
        said = f.read()
    ok(" left" in said and "delivered" in said, "and says: " + said.strip())
    eq(good.recipients(), ["x@bon.test"], "once")
    eq(lab.m.violations(), [], "nobody left its role")


def main():
    if not malle.ROOT or subprocess.run(
            ["unshare", "--mount", "mount", "-t", "tmpfs", "none", "/mnt"],
            stderr=subprocess.DEVNULL).returncode != 0:
        malle.skip_all("needs root, and a mount namespace of its own")
    lab = Lab(**TRY)
    cron = Cron(lab.m.user_id)
    try:
        scene(lab, cron)
    finally:
        cron.close()
        if malle._failed:
            note(lab.m.log()[-3000:])
            for name in ("out", "err"):
                if os.path.exists(lab.path(name)):
                    with open(lab.path(name)) as f:
                        note(name + ": " + f.read()[-1500:])
        lab.close()
    malle.done()


main()
