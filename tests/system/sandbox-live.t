#!/usr/bin/env python3
"""What each running program cannot do: forbidden system calls are made in it.

The test takes hold of the real processes with ptrace(2), as root may, has them
make a call as if somebody had taken them over, and looks at what it gives.
"""
import ctypes
import errno
import io
import os
import platform
import poplib
import signal
import smtplib
import ssl
import struct
import subprocess
import sys
import tarfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import malle
from malle import ok, until

libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.restype = ctypes.c_long
libc.ptrace.argtypes = (ctypes.c_long, ctypes.c_long, ctypes.c_void_p,
                        ctypes.c_void_p)
PEEK, POKE, CONT, SINGLESTEP, GETREGS, SETREGS = 1, 4, 7, 9, 12, 13
ATTACH, DETACH = 16, 17
# struct user_regs_struct of x86-64
REGS = ("r15 r14 r13 r12 rbp rbx r11 r10 r9 r8 rax rcx rdx rsi rdi orig_rax "
        "rip cs eflags rsp ss fs_base gs_base ds es fs gs").split()
SYSCALL = b"\x0f\x05"


class Killed(Exception):
    """The process has died of a signal."""


class Held:
    """A process that we hold in the middle of its waiting."""

    def __init__(self, pid):
        self.pid = pid
        self.dead = False
        self.signals = []

    def __enter__(self):
        # It may be on its way to its waiting.
        if not until(self._is_caught, step=0.05):
            raise RuntimeError("not in a system call")
        return self

    def __exit__(self, *exc):
        if not self.dead:
            self._set(self.saved)
            self._let_go()

    def _is_caught(self):
        self._call(ATTACH)
        self._wait(signal.SIGSTOP, CONT)
        self.saved = self._regs()
        if self._read(self.saved["rip"] - 2)[:2] == SYSCALL:
            return True
        self._let_go()
        return False

    def _let_go(self):
        self._call(DETACH)
        for number in self.signals:
            os.kill(self.pid, number)
        self.signals = []

    def _call(self, request, addr=None, data=None):
        ctypes.set_errno(0)
        r = libc.ptrace(request, self.pid, addr, data)
        if r == -1 and ctypes.get_errno():
            raise OSError(ctypes.get_errno(), "ptrace %d" % request)
        return r

    def _wait(self, want, go_on):
        """Until it stops as it was told to; what else it is sent meanwhile, as
        by a child that ends, comes when we let it go."""
        while True:
            _, status = os.waitpid(self.pid, 0x40000000)
            if not os.WIFSTOPPED(status):
                self.dead = True
                raise Killed(os.WTERMSIG(status) if os.WIFSIGNALED(status)
                             else 0)
            if os.WSTOPSIG(status) == want:
                return
            self.signals.append(os.WSTOPSIG(status))
            self._call(go_on)

    def _regs(self):
        space = ctypes.create_string_buffer(8 * len(REGS))
        self._call(GETREGS, None, ctypes.addressof(space))
        return dict(zip(REGS, struct.unpack("<%dQ" % len(REGS), space.raw)))

    def _set(self, regs):
        raw = struct.pack("<%dQ" % len(REGS), *(regs[r] for r in REGS))
        space = ctypes.create_string_buffer(raw, len(raw))
        self._call(SETREGS, None, ctypes.addressof(space))

    def _read(self, addr):
        word = self._call(PEEK, addr) & (1 << 64) - 1
        return struct.pack("<Q", word)

    def _write(self, addr, data):
        data += b"\0" * (-len(data) % 8)
        for i in range(0, len(data), 8):
            word, = struct.unpack("<Q", data[i:i + 8])
            self._call(POKE, addr + i, word)

    def make(self, number, *args):
        """One system call; strings become pointers. What it returned."""
        regs = dict(self.saved)
        place = regs["rsp"] - 4096
        values = []
        for a in args:
            if isinstance(a, str):
                self._write(place, a.encode() + b"\0")
                a = place
                place += 128
            values.append(a & (1 << 64) - 1)
        for name, value in zip(("rdi", "rsi", "rdx", "r10", "r8", "r9"),
                               values):
            regs[name] = value
        # Without orig_rax the kernel does not think of a restart.
        regs.update(rax=number, orig_rax=(1 << 64) - 1,
                    rip=self.saved["rip"] - 2)
        self._set(regs)
        self._call(SINGLESTEP)
        self._wait(signal.SIGTRAP, SINGLESTEP)
        result = self._regs()["rax"]
        return result - (1 << 64) if result >> 63 else result


# What the kernel of x86-64 calls them by.
OPENAT, SOCKET, KILL, SETUID, MMAP, MKDIR, CONNECT = 257, 41, 62, 105, 9, 83, 42
EXECVE, PTRACE, MOUNT, UNSHARE, VM_READV, BPF = 59, 101, 165, 272, 310, 321
AT_FDCWD, O_RDWR, O_CREAT, O_DIRECTORY = -100, 2, 0o100, 0o200000
SPEAKERS = ("malle-smtpd", "malle-pop3d")
CLIENTS = ("malle-remote", "malle-sts")		# of other servers
FATAL = (("execve", EXECVE, ("/bin/sh", 0, 0)),
         ("ptrace", PTRACE, (ATTACH, 1, 0, 0)),
         ("mount", MOUNT, ("none", "/", "tmpfs", 0, 0)),
         ("unshare", UNSHARE, (0x10000000,)),
         ("process_vm_readv", VM_READV, (1, 0, 0, 0, 0, 0)),
         ("bpf", BPF, (0, 0, 0)))


def refusals(m, program):
    """(what, call, arguments): all of them must fail."""
    yield "open /etc/passwd", OPENAT, (AT_FDCWD, "/etc/passwd", 0)
    yield ("open ../../../../../../etc/passwd", OPENAT,
           (AT_FDCWD, "../../../../../../etc/passwd", 0))
    yield ("open the key of TLS", OPENAT,
           (AT_FDCWD, os.path.join(m.base, "tls/key.pem"), 0))
    yield ("make a file in /tmp", OPENAT,
           (AT_FDCWD, "/tmp/malle-escape", O_RDWR | O_CREAT, 0o600))
    yield "make a folder in /etc", MKDIR, ("/etc/malle-escape", 0o755)
    if program not in CLIENTS:
        yield "make a TCP socket", SOCKET, (2, 1, 0)
    yield "make a raw socket", SOCKET, (2, 3, 1)
    yield "make a netlink socket", SOCKET, (16, 3, 0)
    if program not in SPEAKERS:
        yield "make a UNIX socket", SOCKET, (1, 5, 0)
    yield "signal malle-start", KILL, (m.process.pid, 0)
    another = "malle-registryd" if program != "malle-registryd" else \
        "malle-queued"
    yield ("signal another program", KILL,
           (until(lambda: m.pid(another)), 0))
    if program != "malle-spawn":
        yield "become root", SETUID, (0,)
    yield "map memory to be run", MMAP, (0, 4096, 7, 0x22, -1, 0)


def attempt(pid, number, args):
    """What the call gave in the process; ("killed", signal) when it died."""
    with Held(pid) as held:
        try:
            return held.make(number, *args)
        except Killed as e:
            return ("killed", e.args[0])


def refused(program, what, got):
    good = isinstance(got, int) and got < 0
    name = errno.errorcode.get(-got, got) if good else got
    ok(good, "%s cannot %s (%s)" % (program, what, name))


def is_confined(pid):
    """True when it has its filter, and waits for something to do."""
    status = open("/proc/%d/status" % pid).read()
    return "\nSeccomp:\t2" in status and "\nState:\tS" in status


def test_child(m, name, pid, others):
    """A child of malle-spawn: its domain, and not even all of that."""
    ok(until(lambda: is_confined(pid)), name + " has a filter")
    for what, path in others:
        refused(name, what, attempt(pid, OPENAT, (AT_FDCWD, path, 0)))
    for what, number, args in list(refusals(m, name)):
        refused(name, what, attempt(pid, number, args))
    ok(attempt(pid, EXECVE, ("/bin/sh", 0, 0)) == ("killed", signal.SIGSYS),
       name + " dies of execve")


def test_children(m):
    password = "une phrase de passe 1"
    for domain in ("exemple.test", "autre.test"):
        m.domain(domain)
        m.user("alice@" + domain, password)
        m.user("bob@" + domain, password)
    tls = ssl.create_default_context(cafile=m.ca)
    with smtplib.SMTP_SSL("localhost", m.ports["submissions"],
                          timeout=malle.PATIENCE,
                          context=tls) as s:
        s.login("alice@exemple.test", password)
        s.sendmail("alice@exemple.test", ["alice@exemple.test"],
                   "Subject: x\r\n\r\nBonjour\r\n")
    m.wait_messages("alice@exemple.test", 1)

    def child(comm):
        for pid in malle.children(m.pid("malle-spawn")):
            try:
                with open("/proc/%d/comm" % pid) as f:
                    if f.read().strip() == comm:
                        return pid
            except OSError:
                pass	# another one, which has ended
        return None
    test_child(m, "malle-local", until(lambda: child("malle-local")),
               [("open another domain", "/../autre.test"),
                ("open the folder of all domains", "/../../mail"),
                ("open the queue", os.path.join(m.base, "queue"))])
    p = poplib.POP3_SSL("localhost", m.ports["pop3s"],
                        timeout=malle.PATIENCE, context=tls)
    p.user("bob@exemple.test")
    p.pass_(password)
    test_child(m, "POP3 session", until(lambda: child("malle-pop3")),
               [("open another mailbox of its domain", "/alice/Maildir/new"),
                ("open its domain's folder", "/"),
                ("open another domain", "/../autre.test")])
    p.close()
    # A restore that waits for more of its archive.
    with subprocess.Popen(
            [os.path.join(malle.BIN, "malle"), "-c", m.conf_path, "--as",
             "bob@exemple.test", "mailbox", "restore", "bob@exemple.test", "-"],
            stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL) as restore:
        restore.stdin.write(password.encode() + b"\n")
        restore.stdin.flush()
        restore.stdin.write(member("mail/INBOX/cur/1.x:2,S", 100000))
        restore.stdin.flush()
        test_child(m, "malle-mailbox", until(lambda: child("malle-mailbox")),
                   [("open another mailbox of its domain", "/alice/Maildir/new"),
                    ("open its domain's folder", "/"),
                    ("open another domain", "/../autre.test")])


def member(name, size):
    """The beginning of an archive, with less than a member."""
    space = io.BytesIO()
    with tarfile.open(fileobj=space, mode="w") as t:
        info = tarfile.TarInfo(name)
        info.size = size
        t.addfile(info, io.BytesIO(b"x" * size))
    return space.getvalue()[:2048]


def test_program(m, program, fatal):
    for what, number, args in list(refusals(m, program)):
        refused(program, what, attempt(until(lambda: m.pid(program)), number,
                                       args))
    what, number, args = fatal
    old, mark = m.pid(program), len(m.log())
    got = attempt(old, number, args)
    ok(got == ("killed", signal.SIGSYS), "%s dies of %s" % (program, what))
    ok(until(lambda: "sandbox-violation program=" + program in m.log()[mark:]),
       "and malle-start says so")
    ok(until(lambda: m.pid(program) not in (None, old) and any(
        " %s[" % program in line and " ready landlock" in line
        for line in m.log()[mark:].split("\n"))), "and starts another")


def main():
    if not malle.SEPARATE or platform.machine() != "x86_64":
        malle.skip_all("needs root, x86-64, and a build that is not sanitized")
    # malle-local stays until it has been tried.
    with malle.Instance(conf={"worker_idle": "1h"}, deny=False) as m:
        test_children(m)
        for i, program in enumerate(malle.PROGRAMS):
            test_program(m, program, FATAL[i % len(FATAL)])
        ok(not os.path.exists("/tmp/malle-escape") and
           not os.path.exists("/etc/malle-escape"), "nothing was made outside")
        malle.eq(m.stop(), 0, "the service ends well after all of that")
    malle.done()


main()
