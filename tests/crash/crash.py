"""crash.py - what the crash tests share: a sender and a reader that notice
every answer and every silence, the killer, and the books.

Not a test: tests/crash/*.t import it.
"""
# SPDX-License-Identifier: ISC

import os
import random
import re
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))), "system"))
import malle  # noqa: E402

KILLER = os.path.join(malle.BIN, "killer")
LONG = bool(os.environ.get("MALLE_LONG"))
PASSWORD = "une phrase de passe 1"
# Programs are killed by the thousand here: no pause before they come back. A
# worker goes when it is killed, not while somebody comes to do so.
CONF = {"restart_pause_max": "0", "auth_clear_on_loopback": "yes",
        "worker_idle": "1h",
        "retry_first": "1s", "retry_max": "2s",
        "messages_per_session": "100000", "sessions_per_host": "400",
        "password_cache": "0"}


def usable():
    """Skips the test where it cannot run."""
    if not malle.ROOT:
        malle.skip_all("needs root")
    if malle.SANITIZED:
        malle.skip_all("a sanitized program makes too many calls of its own")
    if not os.path.exists(KILLER):
        malle.skip_all("tests/crash/killer is not built")
    r = subprocess.run([KILLER, "-n", "1", "2147483647"],
                       capture_output=True, text=True)
    if "Operation not permitted" in r.stderr:
        malle.skip_all("ptrace is not allowed here")


def steps(count, most):
    """1..count, or most of them spread evenly, another set in each run."""
    if LONG or count <= most:
        return list(range(1, count + 1))
    return sorted(random.sample(range(1, count + 1), most))


class Lost(Exception):
    """The connection ended without the answer."""


class Line:
    """A connection that speaks lines."""

    def __init__(self, m, port, timeout=malle.PATIENCE):
        try:
            self.s = m.connect(port, timeout)
        except OSError as e:
            raise Lost(str(e))
        self.left = b""

    def put(self, data):
        try:
            self.s.sendall(data)
        except OSError as e:
            raise Lost(str(e))

    def line(self):
        while b"\n" not in self.left:
            try:
                got = self.s.recv(65536)
            except socket.timeout:
                raise RuntimeError("no answer in time: it hangs")
            except OSError as e:
                raise Lost(str(e))
            if not got:
                raise Lost("end")
            self.left += got
        line, self.left = self.left.split(b"\n", 1)
        return line.rstrip(b"\r")

    def reply(self):
        """An SMTP reply: its last line."""
        while True:
            line = self.line()
            if line[3:4] != b"-":
                return line.decode()

    def say(self, text):
        self.put(text.encode() + b"\r\n")
        return self.reply()

    def tls(self, m):
        context = ssl.create_default_context(cafile=m.ca)
        context.check_hostname = False
        try:
            self.s = context.wrap_socket(self.s)
        except OSError as e:
            raise Lost(str(e))

    def close(self):
        self.s.close()


_number = 0
_lock = threading.Lock()


def text_of(size=2000, head=""):
    """(token, content with LF): no two alike, with what is easily damaged."""
    global _number
    with _lock:
        _number += 1
        token = "T%d-%d" % (os.getpid(), _number)
    dice = random.Random(token)
    lines = ["X-Token: " + token, "Subject: essai"] + ([head] if head else [])
    lines.append("")
    room = size
    while room > 0:
        lines.append(dice.choice((".", "..", "From here", "é" * 30, "",
                                  "%x" % dice.getrandbits(280))))
        room -= len(lines[-1]) + 1
    lines.append("the end of " + token)
    return token, ("\n".join(lines) + "\n").encode()


def submit(m, sender, to, content, tls=False, session=None):
    """One message. ("kept", reply): answered 250; ("refused", reply): not before
    the content, or for ever; ("maybe", why): lost after the final dot, or told
    to try again then; ("lost", why): lost before."""
    sent = False
    c = None
    try:
        c = session or Line(m, "smtp")
        if session is None:
            greeting = c.reply()
            if not greeting.startswith("220"):
                return "refused", greeting
            c.say("EHLO client.test")
            if tls:
                got = c.say("STARTTLS")
                if not got.startswith("220"):
                    return "refused", got
                c.tls(m)
                c.say("EHLO client.test")
        c.put(("MAIL FROM:<%s>\r\n" % sender + "".join(
            "RCPT TO:<%s>\r\n" % r for r in to) + "DATA\r\n").encode())
        got = [c.reply() for _ in range(len(to) + 2)]
        bad = [r for r in got if r[:1] not in "23"]
        if not got[-1].startswith("354"):
            if session is not None:
                c.say("RSET")
            return "refused", (bad or got)[0]
        wire = b"".join((b"." if l.startswith(b".") else b"") + l + b"\r\n"
                        for l in content.split(b"\n")[:-1])
        c.put(wire)
        sent = True
        c.put(b".\r\n")
        last = c.reply()
        if bad and last.startswith("250"):
            return "kept", bad[0]
        if session is None:
            try:
                c.put(b"QUIT\r\n")
                c.line()
            except Lost:
                pass
        return {"2": "kept", "4": "maybe"}.get(last[:1], "refused"), last
    except Lost as e:
        return ("maybe" if sent else "lost"), str(e)
    finally:
        if c is not None and session is None:
            c.close()


class Pop:
    """A POP3 session that stops where the connection is lost."""

    def __init__(self, m, user, timeout=malle.PATIENCE):
        self.c = Line(m, "pop3", timeout)
        self.c.line()
        self.ok = (self.say("USER " + user) and
                   self.say("PASS " + m.passwords[user]))

    def say(self, text):
        self.c.put(text.encode() + b"\r\n")
        self.last = self.c.line()
        return self.last.startswith(b"+OK")

    def many(self, text):
        """The lines of a long answer; None when it is refused."""
        if not self.say(text):
            return None
        out = []
        while True:
            line = self.c.line()
            if line == b".":
                return out
            out.append(line[1:] if line.startswith(b".") else line)

    def close(self):
        self.c.close()


class Books:
    """What was sent, what was answered, and what is there."""

    def __init__(self, m):
        self.m = m
        self.sent = {}		# token: [state, recipients, content]
        self.twice = set()	# tokens that were in flight at a kill
        self.lock = threading.Lock()

    def send(self, sender, to, size=2000, head="", tls=False, session=None):
        """Sends one; (token, state, reply)."""
        token, content = text_of(size, head)
        with self.lock:
            self.sent[token] = ["maybe", to, content]
        state, reply = submit(self.m, sender, to, content, tls, session)
        with self.lock:
            self.sent[token][0] = state
        return token, state, reply

    def expected(self, user):
        return [t for t, (state, to, _) in self.sent.items()
                if state == "kept" and user in to]

    def found(self, user):
        """token: number of whole copies; and what is wrong."""
        count, bad = {}, []
        for path in self.m.messages(user):
            try:
                with open(path, "rb") as f:
                    data = f.read()
            except FileNotFoundError:	# read while it moved
                continue
            size = re.search(r",S=(\d+)", path)
            if size and int(size.group(1)) != len(data):
                bad.append("%s: %d bytes" % (path, len(data)))
            token = re.search(rb"^X-Token: (\S+)$", data, re.M)
            token = token and token.group(1).decode()
            if b"multipart/report" in data[:2000]:
                continue
            if token not in self.sent:
                bad.append("%s: not of ours, %d bytes" % (path, len(data)))
                continue
            if not data.endswith(b"\n" + self.sent[token][2]):
                bad.append("%s: damaged" % path)
            count[token] = count.get(token, 0) + 1
        return count, bad

    def missing(self, user):
        there = self.found(user)[0]
        return [t for t in self.expected(user) if t not in there]

    def settle(self, users, seconds=2 * malle.PATIENCE):
        """Waits until all that is owed is there and the queue is empty."""
        return malle.until(lambda: queue_files(self.m) == [] and not any(
            self.missing(u) for u in users), seconds, 0.1)

    def verdict(self, users):
        """What is wrong, as texts: nothing when all is well."""
        wrong = []
        for user in users:
            count, bad = self.found(user)
            wrong += bad
            for token, (state, to, _) in self.sent.items():
                n = count.get(token, 0) if user in to else 0
                most = 0 if state in ("refused", "lost") else 1
                if token in self.twice:
                    most += 1
                if state == "kept" and user in to and n == 0:
                    wrong.append("%s to %s: acknowledged, and lost" %
                                 (token, user))
                elif n > most:
                    wrong.append("%s to %s: %s, and %d times there" %
                                 (token, user, state, n))
        return wrong


def queue_files(m):
    """The messages in the queue. One that became another while we looked would
    be in neither half of the list: what seems empty is looked at again."""
    return scan(m) or scan(m)


def scan(m):
    found = []
    mess = os.path.join(m.base, "queue", "mess")
    for shard in os.listdir(mess):
        found += [os.path.join(shard, n)
                  for n in os.listdir(os.path.join(mess, shard))]
    return found


def strays(m):
    """After a restart with nothing to do: files that should not be."""
    bad = ["mess/" + n for n in queue_files(m)]
    queue = os.path.join(m.base, "queue")
    for name in os.listdir(queue):
        if name in ("corrupt", "double"):
            bad += [name + "/" + n
                    for n in os.listdir(os.path.join(queue, name))]
        elif name not in ("lock", "mess", "srs.key"):
            bad.append(name)
    for folder, _, files in os.walk(os.path.join(m.base, "public")):
        bad += [os.path.join(folder, n) for n in files
                if n.endswith((".next", ".new", ".tmp"))]
    return bad


def aside(m):
    """(number, what is wrong): the leftovers in tmp/. The cleaning by age takes
    plain files whose names do not begin with a dot."""
    n, bad = 0, []
    mail = os.path.join(m.base, "mail")
    for folder, folders, files in os.walk(mail):
        if os.path.basename(folder) != "tmp":
            continue
        n += len(files)
        bad += [os.path.join(folder, x) for x in folders + files
                if x.startswith(".") or
                not os.path.isfile(os.path.join(folder, x))]
    return n, bad


def rows(m):
    """program: (pid, state), as malle-start says."""
    out = {}
    try:
        with open(os.path.join(m.base, "malle-start.status")) as f:
            for line in f:
                w = line.split()
                out[w[0]] = (int(w[1]), w[4])
    except (OSError, IndexError, ValueError):
        pass
    return out


def alive(pid):
    try:
        with open("/proc/%d/stat" % pid) as f:
            return f.read().rsplit(")", 1)[1].split()[0] not in "ZX"
    except OSError:
        return False


def family(root):
    """{pid: name} of all descendants, in one look at /proc."""
    parents, names = {}, {}
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open("/proc/%s/stat" % pid) as f:
                text = f.read()
        except OSError:
            continue
        name, rest = text[text.index("(") + 1:].rsplit(")", 1)
        names[int(pid)] = name
        if rest.split()[0] != "Z":
            parents.setdefault(int(rest.split()[1]), []).append(int(pid))
    out, todo = {}, [root]
    while todo:
        for pid in parents.get(todo.pop(), ()):
            out[pid] = names[pid]
            todo.append(pid)
    return out


def sessions(m):
    """The pids of the POP3 sessions, those included that are being made."""
    main = rows(m).get("malle-spawn", (0,))[0]
    return {pid for pid, name in family(m.process.pid).items()
            if name == "malle-pop3" or name == "malle-spawn" and pid != main}


def all_ready(m):
    r = rows(m)
    return len(r) > 0 and all(
        state == "ready" and alive(pid) for pid, state in r.values())


def back(m, seconds=malle.PATIENCE):
    """Waits until every program is ready again."""
    return malle.until(lambda: all_ready(m), seconds, 0.003)


def worker(m, domain):
    """The pid of the malle-local of a domain, or None."""
    spawn = rows(m).get("malle-spawn", (0,))[0]
    folder = os.path.join(m.base, "mail", domain)
    for parent in (spawn, m.process.pid):
        for pid in malle.children(parent):
            try:
                if (open("/proc/%d/comm" % pid).read().strip() == "malle-local"
                        and os.readlink("/proc/%d/root" % pid) == folder):
                    return pid
            except OSError:
                pass
    return None


class Killer:
    """The killer on one process."""

    def __init__(self, pid, n=None, follow=False, error=None, times=None,
                 calls=None, verbose=False):
        argv = [KILLER] + (["-f"] if follow else [])
        argv += ["-v"] if verbose else []
        argv += ["-c", calls] if calls else []
        argv += ["-n", str(n)] if n else []
        argv += ["-e", str(error)] if error else []
        argv += ["-t", str(times)] if times else []
        self.p = subprocess.Popen(argv + [str(pid)], stdout=subprocess.PIPE,
                                  stderr=subprocess.PIPE, text=True)
        self.is_ready = self.p.stdout.readline() == "ready\n"
        self.lock = threading.Lock()

    def is_over(self):
        # Who asks while another one does is told by poll() that it runs.
        with self.lock:
            return self.p.poll() is not None

    def end(self):
        """(calls, hit): how many were counted; (number, name, pid) or None."""
        if self.p.poll() is None:
            self.p.send_signal(signal.SIGTERM)
        out, _ = self.p.communicate(timeout=malle.PATIENCE)
        self.names = re.findall(r"^call \d+ (\S+) ", out, re.M)
        hit = re.search(r"^hit (\d+) (\S+) pid (\d+)$", out, re.M)
        calls = re.search(r"^calls (\d+)$", out, re.M)
        return (int(calls.group(1)) if calls else 0,
                (int(hit.group(1)), hit.group(2), int(hit.group(3)))
                if hit else None)


def side_by_side(parts, at_once=2):
    """Runs functions that return lists of (truth, text, notes), two at a time;
    prints what they have found, in order."""
    results = {}
    todo = list(enumerate(parts))
    lock = threading.Lock()

    def work():
        while True:
            with lock:
                if not todo:
                    return
                i, part = todo.pop(0)
            started = time.monotonic()
            try:
                got = part()
            except Exception as e:  # a part that breaks is a failure
                import traceback
                got = [(False, getattr(part, "__name__", "part") + " broke: " +
                        repr(e), [traceback.format_exc()])]
            results[i] = got, time.monotonic() - started
    threads = [threading.Thread(target=work) for _ in range(at_once)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    for i in sorted(results):
        got, took = results[i]
        for truth, text, notes in got:
            malle.ok(truth, text)
            for line in notes:
                malle.note(line)
        malle.note("%.1f s" % took)
