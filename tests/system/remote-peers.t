#!/usr/bin/env python3
"""Mail to real servers: Postfix and OpenSMTPD from Debian, each in a root of its own."""
import glob
import os
import shutil
import signal
import smtplib
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import internet
import malle
from internet import DNS, Authority
from malle import eq, note, ok, until

ALICE, PASSWORD = "alice@exemple.test", "une phrase de passe 1"
USERS = {"daemon": 1, "nobody": 65534, "postfix": 64151, "postdrop": 64152,
         "opensmtpd": 64153, "opensmtpq": 64154, "vmail": 64155}


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
            for pid in malle.children(self.process.pid):
                os.kill(pid, signal.SIGKILL)
            self.process.wait(20)
            self.out.close()
        shutil.rmtree(self.dir, ignore_errors=True)


def postfix(ip, port, cert):
    root = Root("postfix", "libicu72", "libsasl2-2", "libdb5.3", "libssl3")
    shutil.copy(cert[0], root.dir + "/etc/tls/cert.pem")
    shutil.copy(cert[1], root.dir + "/etc/tls/key.pem")
    root.write("etc/postfix/main.cf", """\
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
virtual_mailbox_domains = postfix.org
virtual_mailbox_base = /var/vmail
virtual_mailbox_maps = inline:{bob@postfix.org=bob/Maildir/, eve@postfix.org=eve/Maildir/}
virtual_uid_maps = static:%d
virtual_gid_maps = static:%d
virtual_mailbox_limit = 0
disable_dns_lookups = yes
smtpd_tls_security_level = may
smtpd_tls_cert_file = /etc/tls/cert.pem
smtpd_tls_key_file = /etc/tls/key.pem
smtpd_relay_restrictions = reject_unauth_destination
maillog_file = /var/log/out2
""" % (USERS["vmail"], USERS["vmail"]))
    rows = ["%s:%d inet n - n - - smtpd" % (ip, port)]
    # Service, private, processes at most, program.
    rows += ["%s unix %s - n - %s %s" % row for row in (
        ("pickup", "n", 1, "pickup"), ("qmgr", "n", 1, "qmgr"),
        ("cleanup", "n", 0, "cleanup"), ("tlsmgr", "-", 1, "tlsmgr"),
        ("anvil", "-", 1, "anvil"), ("rewrite", "-", "-", "trivial-rewrite"),
        ("bounce", "-", 0, "bounce"), ("defer", "-", 0, "bounce"),
        ("trace", "-", 0, "bounce"), ("proxymap", "-", "-", "proxymap"),
        ("smtp", "-", "-", "smtp"), ("error", "-", "-", "error"),
        ("retry", "-", "-", "error"))]
    rows.append("virtual unix - n n - - virtual")
    rows.append("postlog unix-dgram n - n - 1 postlogd")
    root.write("etc/postfix/master.cf", "\n".join(rows) + "\n")
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
    root.start("/usr/lib/postfix/sbin/master", "-i", "-c", "/etc/postfix")
    return root


def opensmtpd(ip, port, cert):
    root = Root("opensmtpd", "libevent-2.1-7", "libdb5.3", "libssl3")
    shutil.copy(cert[0], root.dir + "/etc/tls/cert.pem")
    shutil.copy(cert[1], root.dir + "/etc/tls/key.pem")
    os.chmod(root.dir + "/etc/tls/key.pem", 0o600)
    root.write("etc/smtpd.conf", """\
pki own cert "/etc/tls/cert.pem"
pki own key "/etc/tls/key.pem"
table users { "bob@opensmtpd.org" = vmail, "eve@opensmtpd.org" = vmail }
listen on %s port %d tls pki own hostname mx.opensmtpd.org
action "local" maildir "/var/vmail/%%{rcpt.user}/Maildir" virtual <users>
match from any for domain "opensmtpd.org" action "local"
""" % (ip, port))
    spool = root.dir + "/var/spool/smtpd/"
    for d in ("corrupt", "incoming", "purge", "queue", "temporary", "offline"):
        os.makedirs(spool + d)
        os.chmod(spool + d, 0o700)
        os.chown(spool + d, USERS["opensmtpq"], 0)
    os.chmod(spool, 0o711)
    os.chown(spool + "offline", 0, USERS["opensmtpq"])
    os.chmod(spool + "offline", 0o770)
    for user in ("bob", "eve"):
        os.makedirs("%s/var/vmail/%s" % (root.dir, user))
        os.chown("%s/var/vmail/%s" % (root.dir, user), USERS["vmail"],
                 USERS["vmail"])
    os.makedirs(root.dir + "/var/lib/opensmtpd/empty", exist_ok=True)
    root.start("/usr/sbin/smtpd", "-F")
    return root


def submit(m, to, data, options=()):
    with smtplib.SMTP("127.0.0.1", m.ports["submission"], timeout=30) as c:
        c.starttls()
        c.login(ALICE, PASSWORD)
        return c.sendmail(ALICE, to, data, ["BODY=8BITMIME"], list(options))


def answers(ip, port):
    try:
        with smtplib.SMTP(ip, port, timeout=5):
            return True
    except (OSError, smtplib.SMTPException):
        return False


CONTENTS = (
    ("a letter", b"Bonjour\r\n"),
    ("8-bit", "Café à la crème, 5 €\r\n".encode() * 50),
    ("dots", b".\r\n..\r\n.x\r\n\r\n"),
    ("2 MB", (b"0123456789" * 7 + b"\r\n") * 28000),
)


def test_peer(m, name, root):
    domain = name + ".org"
    head = ("From: %s\r\nTo: bob@%s\r\nSubject: %%d\r\nMIME-Version: 1.0\r\n"
            "Content-Type: text/plain; charset=utf-8\r\n"
            "Content-Transfer-Encoding: 8bit\r\n\r\n" % (ALICE, domain))
    for i, (what, body) in enumerate(CONTENTS):
        submit(m, ["bob@" + domain, "eve@" + domain],
               (head % i).encode() + body)
    n = len(CONTENTS)
    ok(until(lambda: len(root.mails("bob")) >= n and
             len(root.mails("eve")) >= n),
       name + ": everything arrives, for both")
    bodies = {}
    for path in root.mails("bob"):
        with open(path, "rb") as f:
            raw = f.read().replace(b"\r\n", b"\n")
        top, _, body = raw.partition(b"\n\n")
        bodies[int(top.split(b"\nSubject: ")[1].split(b"\n")[0])] = body
    for i, (what, body) in enumerate(CONTENTS):
        ok(bodies.get(i) == body.replace(b"\r\n", b"\n"),
           "%s: %s as it was written" % (name, what))
    eq((len(root.mails("bob")), len(root.mails("eve"))), (n, n), "each once")
    sent = [l for l in m.log().split("\n") if " sent to=bob@" + domain in l]
    tls = bool(sent) and all('tls="TLSv1.3' in l for l in sent)
    # Debian 12's OpenSMTPD ends every handshake with "internal error", that of
    # openssl s_client as well: the letters go all the same.
    ok(tls or (sent and name == "opensmtpd"), "%s: over TLS 1.3: %s" % (
        name, "yes" if tls else "no, in the clear"))
    if name == "postfix":
        time.sleep(5)   # so long no connection is kept
        submit(m, ["bob@" + domain], (head % n).encode() + b"again\r\n")
        until(lambda: len(root.mails("bob")) > n)
        last = [l for l in m.log().split("\n") if " sent to=bob@" in l][-1]
        ok(' resumed"' in last, name + ": goes on with its TLS session")
    before = len(m.messages(ALICE))
    submit(m, ["nobody@" + domain], (head % 99).encode() + b"x\r\n")
    raw = m.wait_messages(ALICE, before + 1)
    ok(len(raw) > before and b"nobody@" + domain.encode() in raw[-1] and
       b"Action: failed" in raw[-1], name + " refuses a stranger: a bounce")


def main():
    if not malle.ROOT or not shutil.which("unshare") or \
            not shutil.which("apt-get"):
        malle.skip_all("needs root, unshare and Debian's packages")
    ips = {"postfix": "127.0.2.1", "opensmtpd": "127.0.2.2"}
    port = internet.shared_port(list(ips.values()))
    dns, ca, roots = DNS(), Authority(), {}
    try:
        for name, make in (("postfix", postfix), ("opensmtpd", opensmtpd)):
            dns.mx(name + ".org", 10, "mx.%s.org" % name)
            dns.a("mx.%s.org" % name, ips[name])
            try:
                roots[name] = make(ips[name], port,
                                   ca.certificate("mx.%s.org" % name,
                                                  rsa=True))
            except Unusable as e:
                malle.skip("%s: the package %s cannot be had" % (name, e))
        with malle.Instance(conf=dict(resolver=dns.address, remote_port=port,
                                      authorities=ca.ca)) as m:
            m.domain("exemple.test")
            m.user(ALICE, PASSWORD)
            for name, root in roots.items():
                if not ok(until(lambda: answers(ips[name], port)),
                          name + " runs"):
                    for path in glob.glob(root.dir + "/var/log/out*"):
                        with open(path) as f:
                            note(f.read()[-2000:])
                    continue
                test_peer(m, name, root)
            eq(m.violations(), [], "nobody left its role")
    finally:
        for root in roots.values():
            root.close()
        dns.close()
        ca.close()
    malle.done()


main()
