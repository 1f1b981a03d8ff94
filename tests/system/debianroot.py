"""debianroot.py - real servers of Debian's packages, each in a root of its own.

Not a test: remote-peers.t and smtpd-peers.t run what is unpacked here.
"""
# SPDX-License-Identifier: ISC
import glob
import os
import shutil
import signal
import smtplib
import subprocess
import tempfile

import malle

USERS = {"daemon": 1, "nobody": 65534, "postfix": 64151, "postdrop": 64152,
         "opensmtpd": 64153, "opensmtpq": 64154, "vmail": 64155,
         "Debian-exim": 64156}


class Unusable(Exception):
    """The packages cannot be had."""


class Root:
    """Packages unpacked in a folder, with the libraries that they need."""

    def __init__(self, *packages):
        self.dir = tempfile.mkdtemp(prefix="malle-root-")
        os.chmod(self.dir, 0o755)
        self.process = None
        for p in packages:
            self._unpack(p)
        for d in ("bin", "lib64", "dev", "proc", "tmp", "etc/tls", "var/vmail",
                  "var/log", "usr/lib/x86_64-linux-gnu", "run", "var/run"):
            os.makedirs(os.path.join(self.dir, d), exist_ok=True)
        shutil.copy("/bin/dash", self.dir + "/bin/sh")
        self._libraries()
        for name, minor in (("null", 3), ("zero", 5), ("random", 8),
                            ("urandom", 9)):
            os.mknod(self.dir + "/dev/" + name, 0o20666, os.makedev(1, minor))
            os.chmod(self.dir + "/dev/" + name, 0o666)
        self.write("etc/passwd", "root:x:0:0::/:/bin/sh\n" + "".join(
            "%s:x:%d:%d::/:/bin/false\n" % (u, n, n)
            for u, n in USERS.items()))
        self.write("etc/group", "root:x:0:\n" + "".join(
            "%s:x:%d:\n" % x for x in USERS.items()))
        self.write("etc/hosts", "127.0.0.1 localhost\n")
        self.write("etc/nsswitch.conf", "passwd: files\ngroup: files\n"
                   "shadow: files\nhosts: files\nservices: files\n")
        self.write("etc/services", "smtp 25/tcp\n")
        self.write("etc/resolv.conf", "")
        os.chown(self.dir + "/var/vmail", USERS["vmail"], USERS["vmail"])

    def _unpack(self, package):
        if not malle.unpack_debian(package, self.dir):
            self.close()
            raise Unusable(package)

    def _libraries(self):
        """Copies what the programs are linked with and is not there."""
        files = [os.path.join(w, f) for w, _, fs in os.walk(self.dir)
                 for f in fs]
        files = [f for f in files if not os.path.islink(f) and (
            os.access(f, os.X_OK) or ".so" in os.path.basename(f))]
        folders = {os.path.dirname(f) for f in files if ".so" in f}
        for f in files:
            out = subprocess.run(["ldd", f], capture_output=True, text=True,
                                 env=dict(os.environ, LD_LIBRARY_PATH=":".join(
                                     folders))).stdout
            for word in out.split():
                if not word.startswith("/") or word.startswith(self.dir) or \
                        ".so" not in word:
                    continue
                to = self.dir + ("/lib64/" if word.startswith("/lib64") else
                                 "/usr/lib/x86_64-linux-gnu/") + \
                    os.path.basename(word)
                if not os.path.exists(to):
                    shutil.copy(os.path.realpath(word), to)
        self.write("etc/ld.so.conf", "/usr/lib/x86_64-linux-gnu\n"
                   "/lib/x86_64-linux-gnu\n")
        subprocess.run(["ldconfig", "-r", self.dir], check=False,
                       stderr=subprocess.DEVNULL)

    def write(self, path, text, mode=0o644):
        path = os.path.join(self.dir, path)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w") as f:
            f.write(text)
        os.chmod(path, mode)

    def start(self, *argv):
        """In a mount and a process namespace: what it forks ends with it."""
        self.out = open(self.dir + "/var/log/out", "wb")
        self.process = subprocess.Popen(
            ["unshare", "-m", "-p", "-f", "--kill-child", "--propagation",
             "private", "/bin/sh", "-c", 'mount -t proc proc "$0/proc"; '
             'exec chroot "$0" "$@"', self.dir] + list(argv),
            stdin=subprocess.DEVNULL, stdout=self.out, stderr=self.out)

    def mails(self, user):
        return sorted(glob.glob("%s/var/vmail/%s/Maildir/new/*" % (self.dir,
                                                                   user)))

    def close(self):
        if self.process:
            # The first process of the namespace: all others go with it.
            malle.until(lambda: self.process.poll() is not None or
                        malle.children(self.process.pid))
            for pid in malle.children(self.process.pid):
                os.kill(pid, signal.SIGKILL)
            self.process.wait(malle.PATIENCE)
            self.out.close()
        shutil.rmtree(self.dir, ignore_errors=True)


# Service, private, processes at most, program.
POSTFIX_ROWS = (
    ("pickup", "n", 1, "pickup"), ("qmgr", "n", 1, "qmgr"),
    ("cleanup", "n", 0, "cleanup"), ("tlsmgr", "-", 1, "tlsmgr"),
    ("anvil", "-", 1, "anvil"), ("rewrite", "-", "-", "trivial-rewrite"),
    ("bounce", "-", 0, "bounce"), ("defer", "-", 0, "bounce"),
    ("trace", "-", 0, "bounce"), ("proxymap", "-", "-", "proxymap"),
    ("smtp", "-", "-", "smtp"), ("error", "-", "-", "error"),
    ("retry", "-", "-", "error"))
POSTFIX_CONF = """\
compatibility_level = 3.6
queue_directory = /var/spool/postfix
daemon_directory = /usr/lib/postfix/sbin
command_directory = /usr/sbin
data_directory = /var/lib/postfix
shlib_directory = /usr/lib/postfix
mail_owner = postfix
setgid_group = postdrop
myhostname = mx.postfix.org
mydestination =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
alias_maps =
local_recipient_maps =
disable_dns_lookups = yes
maillog_file = /var/log/out2
"""


def postfix(ip, port, conf):
    """Postfix, listening there; conf: more of its main.cf."""
    root = Root("postfix", "libicu72", "libsasl2-2", "libdb5.3", "libssl3")
    root.write("etc/postfix/main.cf", POSTFIX_CONF + conf)
    root.write("etc/postfix/master.cf", "\n".join(
        ["%s:%d inet n - n - - smtpd" % (ip, port)] +
        ["%s unix %s - n - %s %s" % row for row in POSTFIX_ROWS] +
        ["virtual unix - n n - - virtual",
         "postlog unix-dgram n - n - 1 postlogd"]) + "\n")
    spool = root.dir + "/var/spool/postfix/"
    for d in ("active", "bounce", "corrupt", "defer", "deferred", "flush",
              "hold", "incoming", "private", "saved", "trace", "maildrop",
              "public", "pid"):
        os.makedirs(spool + d, exist_ok=True)
        os.chmod(spool + d, 0o700)
        if d != "pid":
            os.chown(spool + d, USERS["postfix"], USERS["postdrop"])
    os.chmod(spool + "maildrop", 0o1730)
    os.chmod(spool + "public", 0o2710)
    os.makedirs(root.dir + "/var/lib/postfix", exist_ok=True)
    os.chown(root.dir + "/var/lib/postfix", USERS["postfix"],
             USERS["postfix"])
    return root


POSTFIX = ("/usr/lib/postfix/sbin/master", "-i", "-c", "/etc/postfix")


def opensmtpd(conf):
    root = Root("opensmtpd", "libevent-2.1-7", "libdb5.3", "libssl3")
    root.write("etc/smtpd.conf", conf)
    spool = root.dir + "/var/spool/smtpd/"
    for d in ("corrupt", "incoming", "purge", "queue", "temporary", "offline"):
        os.makedirs(spool + d)
        os.chmod(spool + d, 0o700)
        os.chown(spool + d, USERS["opensmtpq"], 0)
    os.chmod(spool, 0o711)
    os.chown(spool + "offline", 0, USERS["opensmtpq"])
    os.chmod(spool + "offline", 0o770)
    os.makedirs(root.dir + "/var/lib/opensmtpd/empty", exist_ok=True)
    # As the package makes it when it is installed.
    os.chown(root.dir + "/usr/sbin/smtpctl", 0, USERS["opensmtpq"])
    os.chmod(root.dir + "/usr/sbin/smtpctl", 0o2755)
    return root


def usable():
    """Skips the test where no root of its own can be made."""
    if not malle.ROOT or not shutil.which("unshare") or \
            not shutil.which("apt-get"):
        malle.skip_all("needs root, unshare and Debian's packages")


def answers(ip, port):
    try:
        with smtplib.SMTP(ip, port, timeout=malle.PATIENCE):
            return True
    except (OSError, smtplib.SMTPException):
        return False


def runs(name, root, ip, port):
    """Waits until it answers; says why it does not."""
    if malle.ok(malle.until(lambda: answers(ip, port)), name + " runs"):
        return True
    for path in glob.glob(root.dir + "/var/log/out*"):
        with open(path, errors="replace") as f:
            malle.note(f.read()[-2000:])
    return False
