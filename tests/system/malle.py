"""malle.py - private instances of the service, and TAP, for the system tests.

A test begins with

    import malle
    with malle.Instance() as m:
        m.domain("exemple.test")
        m.user("bob@exemple.test", "secret password 1")
        ...
        malle.ok(condition, "what is proven")
    malle.done()

Build folder: MALLE_BUILD, default "build" (below the top folder).
"""
import atexit
import contextlib
import fcntl
import glob
import mmap
import os
import random
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import termios
import time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.join(TOP, os.environ.get("MALLE_BUILD", "build"))
BIN = os.path.join(BUILD, "bin")
ROOT = os.geteuid() == 0
SANITIZED = os.path.basename(BUILD.rstrip("/")) == "san"
# True when every program has a uid and a root folder of its own.
SEPARATE = ROOT and not SANITIZED
PORTS = ("smtp", "submission", "submissions", "pop3", "pop3s")
PROGRAMS = ("malle-registryd", "malle-spawn", "malle-tls", "malle-authd",
            "malle-bounce", "malle-sts", "malle-remote", "malle-queued",
            "malle-smtpd", "malle-pop3d")
USERS = ("net", "queue", "auth", "tls", "remote", "bounce", "registry", "hook")
# Numbers that no Debian machine gives out by itself.
UID_FIRST = 64200
# Ports that are nobody's by chance: the kernel gives out those above, as the
# near end of any connection, and start-up.t takes some in between.
PORTS_FREE = range(10000, 21000)
# For how many seconds a test waits for what must come: a slow machine, with
# others at work on it, is no fault.
PATIENCE = 60


def _reachable_bin():
    """BIN, or a copy of it when only root can go there: a sanitized service
    runs as somebody else."""
    path = BIN
    while path != "/" and os.stat(path).st_mode & 0o001:
        path = os.path.dirname(path)
    if path == "/" or not (SANITIZED and ROOT):
        return BIN
    copy = tempfile.mkdtemp(prefix="malle-bin-")
    atexit.register(shutil.rmtree, copy, ignore_errors=True)
    os.chmod(copy, 0o755)
    for name in os.listdir(BIN):
        if name.startswith("malle"):
            shutil.copy(os.path.join(BIN, name), copy)
    return copy


BIN = _reachable_bin()
_for_others = []	# the folder of what they may run


def for_others(program):
    """The path of a program of ours for another user than root: the build may
    lie where only root can go."""
    if not _for_others:
        _for_others.append(tempfile.mkdtemp(prefix="malle-bin-"))
        atexit.register(shutil.rmtree, _for_others[0], ignore_errors=True)
        os.chmod(_for_others[0], 0o755)
    path = os.path.join(_for_others[0], program)
    if not os.path.exists(path):
        shutil.copy(os.path.join(BIN, program), path)
    return path

_count = _failed = 0
_marks = []	# of the ports that this test has


def ok(condition, text):
    """One assertion; returns its truth."""
    global _count, _failed
    _count += 1
    if not condition:
        _failed += 1
    print(("ok" if condition else "not ok"), _count, "-",
          text.replace("#", "\\#").replace("\n", " "), flush=True)
    return bool(condition)


def eq(got, want, text):
    """Equal; says what was there instead."""
    if not ok(got == want, text):
        note("got:  %r" % (got,))
        note("want: %r" % (want,))
        return False
    return True


def note(text):
    """A comment in the output."""
    for line in str(text).split("\n"):
        print("#", line, flush=True)


def skip(text):
    """One assertion that cannot be made here."""
    global _count
    _count += 1
    print("ok", _count, "# SKIP", text, flush=True)


def skip_all(why):
    """The whole test cannot run here."""
    print("1..0 # SKIP", why, flush=True)
    sys.exit(0)


def done():
    """Ends the test."""
    print("1..%d" % _count, flush=True)
    sys.exit(1 if _failed else 0)


def free_ports(n, ip="127.0.0.1"):
    """Ports of ip that nobody has now, and no other test takes before this
    one has ended: a name in the kernel says that they are taken."""
    ports = []
    while len(ports) < n:
        port = random.choice(PORTS_FREE)
        mark = socket.socket(socket.AF_UNIX)
        probe = socket.socket(socket.AF_INET6 if ":" in ip else socket.AF_INET)
        try:
            mark.bind("\0malle-test-port-%d" % port)
            probe.bind((ip, port))
        except OSError:
            continue
        finally:
            probe.close()
        _marks.append(mark)
        ports.append(port)
    return ports


def unpack_debian(package, folder):
    """Unpacks a package of Debian's in folder, and those that it needs and that
    are not installed here. False: it cannot be had."""
    debs = os.path.join(os.environ.get("MALLE_DEBS", "/var/cache/malle-test"),
                        package)
    os.makedirs(debs + "/partial", exist_ok=True)
    # Another test may be fetching it: half of it is of no use.
    with open(debs + "/test-lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not glob.glob("%s/%s_*.deb" % (debs, package)):
            subprocess.run(
                ["apt-get", "-qy", "--no-install-recommends", "--reinstall",
                 "--download-only", "-o", "APT::Sandbox::User=root",
                 "-o", "Debug::NoLocking=1", "-o", "Dir::Cache::archives=" +
                 debs + "/", "install", package], capture_output=True,
                timeout=300)
    if not glob.glob("%s/%s_*.deb" % (debs, package)):
        return False
    for path in glob.glob(debs + "/*.deb"):
        subprocess.run(["dpkg", "-x", path, folder], check=True)
    return True


def until(condition, seconds=PATIENCE, step=0.02):
    """Waits until condition() is true; what it was at last."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value or time.monotonic() >= end:
            return value
        time.sleep(step)


def is_read(s):
    """Waits until the other end has all that was sent: of a TCP socket its
    kernel, of a Unix one the program itself."""
    def left():
        return struct.unpack("i", fcntl.ioctl(s, termios.TIOCOUTQ, bytes(4)))[0]
    return until(lambda: left() == 0)


def unix(path, kind=socket.SOCK_SEQPACKET):
    """A connection to a socket of a program, with patience. A backlog that is
    full is waited for, which Python's own patience does not."""
    s = socket.socket(socket.AF_UNIX, kind)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO,
                 struct.pack("ll", PATIENCE, 0))
    s.connect(path)
    s.settimeout(PATIENCE)
    return s


@contextlib.contextmanager
def held(pid):
    """A process that does nothing meanwhile: it finds all at once what is sent
    to it, however slowly that is done."""
    os.kill(pid, signal.SIGSTOP)
    until(lambda: _state(pid) in ("T", "t", "Z", ""))
    try:
        yield
    finally:
        _kill(pid, signal.SIGCONT)  # it may have been killed


def cpu_of(pid):
    """The seconds of processor that a process has used in all its threads: no
    other load of the machine adds to them."""
    total = 0
    for task in os.listdir("/proc/%d/task" % pid):
        with open("/proc/%d/task/%s/schedstat" % (pid, task)) as f:
            total += int(f.read().split()[0])
    return total / 1e9


def certificate(folder, name="localhost"):
    """A self-signed ECDSA P-256 certificate: cert.pem and key.pem."""
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
         "ec_paramgen_curve:prime256v1", "-nodes", "-days", "30",
         "-subj", "/CN=" + name, "-addext",
         "subjectAltName=DNS:%s,DNS:localhost,IP:127.0.0.1" % name,
         "-keyout", os.path.join(folder, "key.pem"),
         "-out", os.path.join(folder, "cert.pem")],
        check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    os.chmod(os.path.join(folder, "key.pem"), 0o640)


class Instance:
    """One service of its own below a temporary folder.

    conf: settings that differ (a dict, underscores as in the file);
    libexec: where its programs are; start=False: only made, not started;
    env: more of the environment of malle-start. Every system call outside a
    program's role ends that program, unless deny=False.
    """

    def __init__(self, conf=None, start=True, libexec=None, env=None,
                 keep=False, deny=True):
        self.dir = tempfile.mkdtemp(prefix="malle-")
        # The uids of the programs must be able to pass.
        os.chmod(self.dir, 0o755)
        self.base = os.path.join(self.dir, "base")
        self.log_path = os.path.join(self.dir, "malle.log")
        self.conf_path = os.path.join(self.dir, "malleposte.conf")
        self.libexec = libexec or BIN
        self.keep = keep or bool(os.environ.get("MALLE_KEEP"))
        self.env = dict(os.environ, **(env or {}))
        self.env.pop("NOTIFY_SOCKET", None)
        if deny:
            self.env.setdefault("MALLE_SANDBOX_DENY", "kill")
        self.process = None
        self.passwords = {}
        # A sanitized malle-local is dynamic and cannot start in a root folder
        # of its own: then nothing runs as root.
        self.user_id = UID_FIRST - 1 if SANITIZED and ROOT else None
        self.ports = dict(zip(PORTS, free_ports(len(PORTS))))
        self.settings = self._settings()
        self.settings.update(conf or {})
        os.mkdir(self.base)
        os.mkdir(os.path.join(self.base, "tls"), 0o750)
        certificate(os.path.join(self.base, "tls"), "mail.exemple.test")
        self.ca = os.path.join(self.dir, "ca.pem")
        shutil.copy(os.path.join(self.base, "tls", "cert.pem"), self.ca)
        self.write_conf()
        if self.user_id:
            for where, folders, files in os.walk(self.dir):
                for name in [""] + files:
                    os.chown(os.path.join(where, name), self.user_id,
                             self.user_id)
        if start:
            try:
                self.start()
            except BaseException:
                self.close()
                raise

    def _settings(self):
        s = {
            "hostname": "mail.exemple.test",
            "base": self.base,
            "libexec": self.libexec,
            "log": self.log_path,
            "default_domain": "exemple.test",
            "postmaster": "postmaster@exemple.test",
            "hooks": os.path.join(self.dir, "hooks.d"),
            # A session may ask until a change is seen, and many one after
            # another, however long that takes.
            "errors_max": "10000",
            "commands_idle_max": "100000",
            "sessions_per_host": "500",
        }
        for name in PORTS:
            s[name] = "127.0.0.1:%d" % self.ports[name]
        for i, name in enumerate(USERS):
            s["user_" + name] = str(UID_FIRST + i)
        s["domain_uid_first"] = "64300"
        s["domain_uid_last"] = "64999"
        return s

    def _as_user(self):
        """Arguments of subprocess for malle-start."""
        if not self.user_id:
            return {}
        return {"user": self.user_id, "group": self.user_id,
                "extra_groups": []}

    def write_conf(self, **more):
        """Writes the configuration; what is given changes it."""
        self.settings.update(more)
        with open(self.conf_path, "w") as f:
            for key, value in self.settings.items():
                f.write("%s = %s\n" % (key, value))

    # the life of the instance

    def start(self, wait=True, seconds=PATIENCE):
        """Starts malle-start; returns when every program is ready."""
        mark = len(self.log())
        with open(self.log_path, "ab") as log:
            if self.user_id:
                os.fchown(log.fileno(), self.user_id, self.user_id)
            self.process = subprocess.Popen(
                [os.path.join(BIN, "malle-start"), "-f", "-c", self.conf_path],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=self.env,
                **self._as_user())
        if wait and not self.wait_log("ready pid=%d\n" % self.process.pid,
                                       seconds, mark):
            note(self.log()[-3000:])
            raise RuntimeError("the service is not ready")

    def stop(self, seconds=3 * PATIENCE):
        """Ends the service in order; malle-start's exit status."""
        if self.process is None:
            return None
        if self.process.poll() is None:
            self.process.terminate()
        try:
            status = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill_all()
            status = None
        self.process = None
        return status

    def restart(self):
        """Stops and starts all of it."""
        self.stop()
        self.start()

    def kill_all(self, sig=signal.SIGKILL):
        """The power cut: malle-start and all of its descendants at once."""
        if self.process is None:
            return
        root = self.process.pid
        # Held first, so that nobody starts anything meanwhile.
        os.kill(root, signal.SIGSTOP)
        family = [root] + descendants(root)
        for pid in family:
            _kill(pid, signal.SIGSTOP)
        for pid in set(family + descendants(root)):
            _kill(pid, sig)
        self.process.wait()
        self.process = None
        until(lambda: not any(_alive(p) for p in family))

    def pid(self, program):
        """The pid of a running program of malle-start; None when it is down."""
        if self.process is None:
            return None
        for pid in children(self.process.pid):
            if _argv0(pid) == program:
                return pid
        return None

    def kill(self, program, sig=signal.SIGKILL, wait=True):
        """Kills one program; returns when malle-start has another one ready."""
        old = until(lambda: self.pid(program))
        mark = len(self.log())
        os.kill(old, sig)
        if wait:
            until(lambda: self.pid(program) not in (None, old))
            until(lambda: any(program in l and " ready" in l
                              for l in self.log()[mark:].split("\n")))
        return old

    def reload(self):
        """SIGHUP; returns when malle-start has passed it on, or refuses to."""
        mark = len(self.log())
        self.process.send_signal(signal.SIGHUP)
        until(lambda: any(" %s conf=" % word in self.log()[mark:]
                          for word in ("reload", "reload-failed")))

    def close(self):
        """Stops it and removes its folder."""
        try:
            self.stop()
        finally:
            if self.keep:
                note("kept: " + self.dir)
            else:
                shutil.rmtree(self.dir, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        if exc[0] is not None:
            note(self.log()[-4000:])
        self.close()

    # the log

    def log(self):
        """All of the log."""
        try:
            with open(self.log_path, encoding="utf-8", errors="replace") as f:
                return f.read()
        except FileNotFoundError:
            return ""

    def wait_log(self, text, seconds=PATIENCE, after=0):
        """Waits for text in the log behind its first so many characters."""
        def there():
            if self.process is not None and self.process.poll() is not None:
                return text in self.log()[after:] or None
            return text in self.log()[after:]
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            found = there()
            if found or found is None:
                return bool(found)
            time.sleep(0.02)
        return False

    def violations(self):
        """Lines of the log that tell of a call outside a program's role, of a
        crash, or of a sanitizer."""
        words = ("sandbox: system call", "sandbox-violation", "signal=11",
                 "signal=6 ", "ERROR: AddressSanitizer", "runtime error:",
                 "ERROR: LeakSanitizer")
        return [l for l in self.log().split("\n")
                if any(w in l for w in words)]

    # what it holds

    def run(self, *argv, input=None, check=True, **more):
        """A program of ours, as `malle`, with this configuration."""
        command = [os.path.join(BIN, argv[0]), "-c", self.conf_path]
        if argv[0] == "malle-start":
            more = dict(self._as_user(), **more)
        if more.get("user"):
            command[0] = for_others(argv[0])
        r = subprocess.run(command + list(argv[1:]), input=input, text=True,
                           capture_output=True, timeout=10 * PATIENCE,
                           env=self.env, **more)
        if check and r.returncode != 0:
            raise RuntimeError("%s: status %d: %s%s" % (
                " ".join(argv), r.returncode, r.stdout, r.stderr))
        return r

    def malle(self, *argv, **more):
        """malle ARGUMENTS: a completed process with text."""
        return self.run("malle", *argv, **more)

    def domain(self, name, *more):
        return self.malle("domain", "add", name, *more)

    def user(self, address, password="correct horse battery", *more):
        self.passwords[address] = password
        return self.malle("user", "add", address, "--password-stdin", *more,
                          input=password + "\n")

    def maildir(self, address):
        """The path of a mailbox."""
        local, domain = address.rsplit("@", 1)
        return os.path.join(self.base, "mail", domain, local, "Maildir")

    def messages(self, address):
        """The paths of the messages of a mailbox, oldest name first."""
        found = []
        for part in ("new", "cur"):
            folder = os.path.join(self.maildir(address), part)
            if os.path.isdir(folder):
                found += [os.path.join(folder, n) for n in os.listdir(folder)
                          if not n.startswith(".")]
        return sorted(found, key=os.path.basename)

    def wait_messages(self, address, n, seconds=PATIENCE):
        """Waits until a mailbox has n messages; their contents as bytes."""
        until(lambda: len(self.messages(address)) >= n, seconds)
        out = []
        for path in self.messages(address):
            with open(path, "rb") as f:
                out.append(f.read())
        return out

    def connect(self, port, timeout=PATIENCE):
        """A TCP connection to one of PORTS."""
        return socket.create_connection(("127.0.0.1", self.ports[port]),
                                        timeout)


class Clock:
    """A malle-queued, or another program, in a folder, by a clock that only
    forward() moves faster than the real one."""

    def __init__(self, folder, name="queued"):
        self.program = os.path.join(folder, "malle-" + name)
        self.passed = 0
        shutil.copy(os.path.join(BIN, name + "-clock"), self.program)
        with open(os.path.join(folder, "clock"), "wb+") as f:
            f.write(bytes(32))
            f.flush()
            self.word = mmap.mmap(f.fileno(), 32)

    def forward(self, seconds):
        self.passed += max(0, int(seconds))
        struct.pack_into("=q", self.word, 0, self.passed)

    def wrong(self, seconds):
        """The wall clock is wrong by so much from now on, before or behind."""
        struct.pack_into("=q", self.word, 8, int(seconds))

    def stand(self):
        """From now on the time of durations passes by forward() alone."""
        struct.pack_into("=q", self.word, 16, int(time.monotonic()) + 1)

    def hurry(self, ms):
        """So much of that time passes between two looks at it, at least."""
        struct.pack_into("=q", self.word, 24, ms)


def _parents():
    """The parent of each process that is no zombie."""
    found = {}
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open("/proc/%s/stat" % name) as f:
                fields = f.read().rsplit(")", 1)[1].split()
        except (OSError, IndexError):
            continue
        if fields[0] != "Z":
            found[int(name)] = int(fields[1])
    return found


def children(pid):
    """The pids of the children of a process."""
    return [child for child, parent in _parents().items() if parent == pid]


def descendants(pid):
    """Children, their children, and so on."""
    parents, found = _parents(), [pid]
    for one in found:
        found += [c for c, parent in parents.items() if parent == one]
    return found[1:]


def _argv0(pid):
    try:
        with open("/proc/%d/cmdline" % pid, "rb") as f:
            words = f.read().split(b"\0")
    except OSError:
        return ""
    # A script has its interpreter first.
    for word in words[:2]:
        name = os.path.basename(word).decode(errors="replace")
        if name.startswith("malle"):
            return name
    return ""


def _kill(pid, sig):
    try:
        os.kill(pid, sig)
    except ProcessLookupError:
        pass


def _state(pid):
    """R, S, T, Z, ... of proc(5); "" when it is gone."""
    try:
        with open("/proc/%d/stat" % pid) as f:
            return f.read().rsplit(")", 1)[1].split()[0]
    except OSError:
        return ""


def _alive(pid):
    return _state(pid) not in ("Z", "")


def status_of(pid):
    """/proc/PID/status as a dict."""
    with open("/proc/%d/status" % pid) as f:
        return dict((l.split(":", 1)[0], l.split(":", 1)[1].strip())
                    for l in f if ":" in l)
