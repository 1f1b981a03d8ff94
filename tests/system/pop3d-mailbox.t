#!/usr/bin/env python3
"""pop3d-mailbox - the session after login, on a socket pair, without the other programs.

Rules: RFC 1939 sections 5 to 7, RFC 2449, 6856: transcripts of every command and refusal; content
byte-exact; nothing deleted but at QUIT; sessions side by side; 100,000 messages.
"""
import os
import re
import resource
import shutil
import signal
import socket
import subprocess
import tempfile
import time

import malle

BUILD = os.environ.get("MALLE_BUILD", "build")
HARNESS = os.path.join(BUILD, "bin", "test_pop3_mailbox")
TOP = tempfile.mkdtemp(prefix="pop3d-mailbox.")
count = failed = 0
os.environ.setdefault("MALLE_SANDBOX_DENY", "kill")


def ok(cond, name, *facts):
    global count, failed
    count += 1
    failed += not cond
    print(f"{'' if cond else 'not '}ok {count} - {name}", flush=True)
    if not cond:
        for fact in facts:
            print("#", repr(fact)[:2000], flush=True)
    return cond


def maildir(name, messages):
    """A Maildir; messages: {"new/NAME": bytes}."""
    path = os.path.join(TOP, name)
    for part in ("tmp", "new", "cur"):
        os.makedirs(os.path.join(path, part))
    for file, content in messages.items():
        with open(os.path.join(path, file), "wb") as f:
            f.write(content)
    return path


def files(path):
    return sorted(f"{d}/{f}" for d in ("new", "cur") for f in os.listdir(os.path.join(path, d)))


class Session:
    """One mailbox session; its greeting is read."""

    def __init__(self, path, *options):
        self.s, theirs = socket.socketpair()
        self.s.settimeout(malle.PATIENCE)
        self.err = tempfile.TemporaryFile()
        self.p = subprocess.Popen([HARNESS, "-s", *options, path], stdin=theirs, stderr=self.err)
        theirs.close()
        self.f = self.s.makefile("rb")
        self.greeting = self.line()

    def line(self):
        return self.f.readline()

    def send(self, data):
        self.s.sendall(data)

    def ask(self, command):
        self.send(command + b"\r\n")
        return self.line()

    def many(self, command):
        """Status line, and the lines up to the dot, still stuffed."""
        first = self.ask(command)
        lines = []
        while first.startswith(b"+OK"):
            line = self.line()
            if line in (b".\r\n", b""):
                break
            lines.append(line)
        return first, lines

    def message(self, command):
        """The content as a client takes it: dots undone."""
        first, lines = self.many(command)
        return first, b"".join(l[1:] if l.startswith(b".") else l for l in lines)

    def end(self):
        """Closes, waits; returns the log and the exit code."""
        self.s.close()
        self.f.close()
        code = self.p.wait(60)
        self.err.seek(0)
        return self.err.read().decode(), code


def transcript(name, session, text):
    """Lines '> sent' and '< expected' ('...' at the end: anything)."""
    for line in text.strip().split("\n"):
        line = line.strip()
        if line.startswith(">"):
            session.send(line[2:].encode().decode("unicode_escape").encode("latin-1") + b"\r\n")
            continue
        want = line[2:].encode()
        got = session.line()
        if want.endswith(b"..."):
            good = got.startswith(want[:-3]) and got.endswith(b"\r\n")
        else:
            good = got == want + b"\r\n"
        if not good:
            return ok(False, name, "want", want, "got", got)
    return ok(True, name)


THREE = {
    "new/1000.a.host,S=20,W=23": b"Subject: one\n\nbody\n\n",
    "cur/1001.b.host,S=23,W=27:2,S": b"Subject: two\n\n.dot\n..\n.",
    "new/1002.c.host": b"Subject: three\n\n1\n2\n3\n",
}


def test_commands():
    path = maildir("commands", THREE)
    s = Session(path)
    ok(s.greeting == b"+OK alice@exemple.test has 3 messages\r\n", "greeting", s.greeting)
    transcript("every command", s, """
        > STAT
        < +OK 3 77
        > LIST
        < +OK
        < 1 23
        < 2 27
        < 3 27
        < .
        > list 2
        < +OK 2 27
        > UIDL
        < +OK
        < 1 1000.a.host
        < 2 1001.b.host
        < 3 1002.c.host
        < .
        > UIDL 3
        < +OK 3 1002.c.host
        > RETR 1
        < +OK 23 octets
        < Subject: one
        <
        < body
        <
        < .
        > RETR 2
        < +OK 27 octets
        < Subject: two
        <
        < ..dot
        < ...
        < ..
        < .
        > TOP 3 0
        < +OK
        < Subject: three
        <
        < .
        > TOP 3 2
        < +OK
        < Subject: three
        <
        < 1
        < 2
        < .
        > TOP 3 99
        < +OK
        < Subject: three
        <
        < 1
        < 2
        < 3
        < .
        > NOOP
        < +OK
        > DELE 1
        < +OK
        > STAT
        < +OK 2 54
        > LIST
        < +OK
        < 2 27
        < 3 27
        < .
        > UIDL
        < +OK
        < 2 1001.b.host
        < 3 1002.c.host
        < .
        > RSET
        < +OK
        > STAT
        < +OK 3 77
        > CAPA
        < +OK
        < TOP
        < UIDL
        < RESP-CODES
        < AUTH-RESP-CODE
        < PIPELINING
        < EXPIRE NEVER
        < LOGIN-DELAY 0
        < STLS
        < USER
        < SASL PLAIN SCRAM-SHA-256
        < UTF8 USER
        < IMPLEMENTATION Malleposte
        < .
        > QUIT
        < +OK
        """)
    ok(s.line() == b"", "QUIT closes")
    log, code = s.end()
    ok(code == 0 and " login session=p1-2-3 account=alice@exemple.test client=192.0.2.7 "
       "messages=3 bytes=50 tls=no\n" in log, "log of the login", log)
    ok(re.search(r" logout session=p1-2-3 account=alice@exemple.test retrieved=2 deleted=0 "
                 r"sent=\d+ reason=quit\n", log), "log of the end", log)
    ok(files(path) == ["cur/1001.b.host,S=23,W=27:2,S", "new/1000.a.host,S=20,W=23",
                       "new/1002.c.host,S=22,W=27"],
       "RETR moves nothing; what was measured has its sizes now", files(path))


def test_refusals():
    path = maildir("refusals", THREE)
    s = Session(path, "-e", "100")
    transcript("every refusal", s, r"""
        > FROB
        < -ERR unknown command
        >
        < -ERR unknown command
        > RETR
        < -ERR an argument is missing
        > RETR 0
        < -ERR no such message
        > RETR 4
        < -ERR no such message
        > RETR 18446744073709551616
        < -ERR a message number is needed
        > RETR 18446744073709551615
        < -ERR no such message
        > RETR -1
        < -ERR a message number is needed
        > RETR 1 2
        < -ERR a message number is needed
        > RETR one
        < -ERR a message number is needed
        > RETR 1\x00
        < -ERR a message number is needed
        > LIST 9
        < -ERR no such message
        > UIDL x
        < -ERR a message number is needed
        > DELE
        < -ERR an argument is missing
        > DELE 7
        < -ERR no such message
        > DELE 2
        < +OK
        > DELE 2
        < -ERR this message is marked as deleted
        > RETR 2
        < -ERR this message is marked as deleted
        > TOP 2 1
        < -ERR this message is marked as deleted
        > LIST 2
        < -ERR this message is marked as deleted
        > UIDL 2
        < -ERR this message is marked as deleted
        > TOP 1
        < -ERR a message number and a number of lines are needed
        > TOP 1 -1
        < -ERR a message number and a number of lines are needed
        > TOP 1 x
        < -ERR a message number and a number of lines are needed
        > TOP x 1
        < -ERR a message number is needed
        > STAT 1
        < -ERR no argument is allowed here
        > NOOP x
        < -ERR no argument is allowed here
        > RSET x
        < -ERR no argument is allowed here
        > QUIT now
        < -ERR no argument is allowed here
        > USER bob
        < -ERR only before login
        > PASS secret
        < -ERR only before login
        > AUTH PLAIN
        < -ERR only before login
        > STLS
        < -ERR only before login
        > UTF8
        < -ERR only before login
        > APOP alice 0123456789abcdef0123456789abcdef
        < -ERR unknown command
        > LANG fr
        < -ERR unknown command
        """)
    s.send(b"STAT" + b" " * 600 + b"\r\nNOOP\r\n")
    ok(s.line() == b"-ERR line too long\r\n" and s.line() == b"+OK\r\n", "a line too long")
    s.send(b"NOOP\nSTAT\r\nNOOP\r\n")
    ok(s.line() == b"-ERR lines end in CRLF\r\n" and s.line() == b"+OK\r\n", "a bare LF")
    s.send(b"NOOP\rSTAT\r\nNOOP\r\n")
    ok(s.line() == b"-ERR lines end in CRLF\r\n" and s.line() == b"+OK\r\n", "a bare CR")
    s.end()
    ok(files(path) == sorted(THREE), "a connection that is closed deletes nothing", files(path))
    s = Session(path, "-e", "3")
    s.send(b"DELE 1\r\n" + b"X\r\n" * 9)
    got = s.f.read()
    ok(got == b"+OK\r\n" + b"-ERR unknown command\r\n" * 4 +
       b"-ERR too many wrong commands, nothing was deleted\r\n", "too many errors", got)
    log, _ = s.end()
    ok("deleted=0 " in log and "reason=errors" in log and files(path) == sorted(THREE),
       "which deletes nothing either", log)


def test_capa_tls():
    s = Session(maildir("capa", {}), "-t")
    ok(s.greeting == b"+OK alice@exemple.test has 0 messages\r\n", "an empty mailbox")
    _, lines = s.many(b"CAPA")
    ok(b"STLS\r\n" not in lines and
       b"SASL PLAIN SCRAM-SHA-256 SCRAM-SHA-256-PLUS\r\n" in lines, "CAPA under TLS", lines)
    ok(s.ask(b"STAT") == b"+OK 0 0\r\n" and s.many(b"LIST") == (b"+OK\r\n", []) and
       s.many(b"UIDL") == (b"+OK\r\n", []), "empty lists")
    ok("tls=yes" in s.end()[0], "tls in the log")


def wire(content):
    """What a client should see."""
    lines = re.sub(rb"\r\n|\r|\n", b"\r\n", content)
    return lines if lines == b"" or lines.endswith(b"\r\n") else lines + b"\r\n"


def test_content():
    corpus = [
        b"", b"\n", b"x", b".", b".\n", b"..\n.\n.", b"A: b\n\nno final newline",
        b"A: b\n\n" + b"x" * 100000 + b"\n", b"A: b\n\n" + b"x" * 100000,
        b"A: b\n\n\0NUL\0\n\0", bytes(range(256)) * 3, "Sujet: été\n\ndéjà\n".encode("latin-1"),
        "Sujet: été\n\ndéjà 信\n".encode(), b"A: b\r\n\r\n.crlf\r\nbare\rcr\n.\r\n",
        b".\n" * 70000, b"\n" * 70000, b"." * 32768 + b"\n" + b"." * 32767 + b"\n.",
        b"x" * 32767 + b"\n.y\n", b"x" * 32766 + b"\r\n.y\r\n", b"x" * 32767 + b"\r\n.y\r\n",
        os.urandom(300000), b"From: a\n\n" + os.urandom(6000000),
    ]
    names = {f"{'new' if i % 2 else 'cur'}/{2000 + i}.c": c for i, c in enumerate(corpus)}
    s = Session(maildir("content", names))
    _, lines = s.many(b"LIST")
    sizes = [int(l.split()[1]) for l in lines]
    ok(len(sizes) == len(corpus), "all are listed", len(sizes))
    for i, content in enumerate(corpus):
        first, got = s.message(b"RETR %d" % (i + 1))
        want = wire(content)
        ok(got == want and sizes[i] == len(want) and first == b"+OK %d octets\r\n" % len(want),
           f"content {i + 1}: {len(content)} bytes, {content[:12]!r}", first, got[:200], want[:200],
           sizes[i], len(want), len(got))
    s.send(b"".join(b"RETR %d\r\n" % (i + 1) for i in range(len(corpus))) + b"QUIT\r\n")
    got = s.f.read()
    want = b"".join(b"+OK %d octets\r\n" % len(wire(c)) + re.sub(rb"(?m)^\.", b"..", wire(c)) +
                    b".\r\n" for c in corpus) + b"+OK\r\n"
    ok(got == want, "all of them pipelined", len(got), len(want))
    s.end()


def test_pipelining():
    path = maildir("pipelining", THREE)
    s = Session(path, "-l", "STAT\r\nDELE 1\r\nLI")
    ok(s.line() == b"+OK 3 77\r\n" and s.line() == b"+OK\r\n", "commands left over from the login")
    s.send(b"ST\r\nQUIT\r\nSTAT\r\n")
    got = s.f.read()
    ok(got == b"+OK\r\n2 27\r\n3 27\r\n.\r\n+OK\r\n", "a command cut in two; nothing after QUIT", got)
    s.end()
    ok(len(files(path)) == 2, "deleted")
    s = Session(path)
    s.send(b"STAT\r\nNO\nOP")
    ok(s.line().startswith(b"+OK 2 "), "a bare LF does not hold the answer before it back")
    s.end()


def test_deletion():
    path = maildir("deletion", THREE)
    with open(os.path.join(path, "maildirsize"), "w") as f:
        f.write("1000000S,1000C\n65 3\n")
    s = Session(path)
    s.ask(b"DELE 1"), s.ask(b"DELE 3")
    ok(files(path) == sorted(THREE), "DELE only marks")
    s.p.kill()
    s.end()
    ok(files(path) == sorted(THREE), "killed: nothing is deleted")
    s = Session(path)
    s.ask(b"DELE 1"), s.ask(b"DELE 3")
    s.end()
    ok(files(path) == sorted(THREE), "connection lost: nothing is deleted")
    s = Session(path)
    s.ask(b"DELE 1"), s.ask(b"DELE 3")
    s.p.send_signal(signal.SIGTERM)
    ok(s.p.wait(malle.PATIENCE) == -signal.SIGTERM and
       files(path) == sorted(THREE),
       "told to stop: nothing is deleted")
    s.end()
    s = Session(path)
    s.ask(b"DELE 1"), s.ask(b"DELE 2"), s.ask(b"RSET"), s.ask(b"DELE 3"), s.ask(b"DELE 1")
    ok(s.ask(b"QUIT") == b"+OK\r\n", "QUIT")
    log, _ = s.end()
    ok(files(path) == ["cur/1001.b.host,S=23,W=27:2,S"], "QUIT deletes what is marked", files(path))
    ok("deleted=2 " in log, "and the log says so", log)
    with open(os.path.join(path, "maildirsize")) as f:
        text = f.read()
    ok(text == "1000000S,1000C\n65 3\n-42 -2\n", "the quota is lowered", text)
    s = Session(path, "-n", "p1 account=eve")
    s.ask(b"QUIT")
    log, _ = s.end()
    ok(log.count('session="p1 account=eve" account=alice@') == 2,
       "a session's name is one word of the log, whoever gave it", log)
    os.unlink(os.path.join(path, "maildirsize"))
    os.mkdir(os.path.join(path, "maildirsize"))
    s = Session(path)
    s.ask(b"DELE 1")
    ok(s.ask(b"QUIT") == b"+OK\r\n", "what cannot be accounted for is deleted all the same")
    s.end()


def test_failure():
    path = maildir("failure", THREE)
    s = Session(path)
    s.ask(b"DELE 1"), s.ask(b"DELE 2")
    # A folder in the place of the file: even root cannot unlink that.
    os.unlink(os.path.join(path, "new/1000.a.host,S=20,W=23"))
    os.mkdir(os.path.join(path, "new/1000.a.host,S=20,W=23"))
    got = s.ask(b"QUIT")
    ok(got.startswith(b"-ERR [SYS/TEMP] some deleted messages were not removed"),
       "QUIT tells of what it could not remove", got)
    log, _ = s.end()
    ok("update-failed session=p1-2-3 left=1 error=" in log and "deleted=1 " in log,
       "so does the log", log)
    os.mkdir(os.path.join(path, "cur/2000.d.host"))
    s = Session(path)
    ok(s.greeting == b"+OK alice@exemple.test has 1 message\r\n", "a folder is no message")
    s.ask(b"QUIT")
    s.end()
    shutil.rmtree(os.path.join(path, "cur"))
    s = Session(path)
    log, code = s.end()
    ok(s.greeting.startswith(b"-ERR [SYS/TEMP] the mailbox cannot be read now") and code == 75 and
       "maildir-failed" in log, "no Maildir: the client is told", s.greeting, log, code)


def test_two_sessions():
    path = maildir("two", THREE)
    a, b = Session(path), Session(path)
    ok(a.ask(b"STAT") == b.ask(b"STAT") == b"+OK 3 77\r\n", "two sessions see the same")
    a.ask(b"DELE 1"), a.ask(b"DELE 2")
    ok(b.message(b"RETR 1")[1] == wire(THREE["new/1000.a.host,S=20,W=23"]), "a mark is not seen")
    a.ask(b"QUIT"), a.end()
    got = b.ask(b"RETR 1")
    ok(got == b"-ERR [SYS/PERM] this message was removed by another program meanwhile\r\n",
       "a message deleted meanwhile", got)
    ok(b.many(b"LIST")[1] == [b"3 27\r\n"] and b.ask(b"STAT") == b"+OK 1 27\r\n",
       "is listed no more, the numbers stay")
    ok(b.ask(b"TOP 2 0").startswith(b"-ERR [SYS/PERM]"), "TOP of one deleted meanwhile")
    ok(b.ask(b"DELE 2") == b"+OK\r\n", "it may be deleted again")
    with open(os.path.join(path, "new/1003.d.host"), "wb") as f:
        f.write(b"new\n")
    # The session that ended has given the third name its sizes; now its flags change too.
    os.rename(os.path.join(path, "new/1002.c.host,S=22,W=27"),
              os.path.join(path, "cur/1002.c.host,S=22,W=27:2,RS"))
    ok(b.message(b"RETR 3")[1] == wire(THREE["new/1002.c.host"]), "a file moved is found again")
    ok(b.ask(b"RETR 4") == b"-ERR no such message\r\n", "what came later is the next session's")
    os.rename(os.path.join(path, "cur/1002.c.host,S=22,W=27:2,RS"),
              os.path.join(path, "cur/1002.c.host,S=22,W=27:2,FRS"))
    b.ask(b"DELE 3")
    ok(b.ask(b"QUIT") == b"+OK\r\n", "QUIT with one gone, one renamed")
    log, _ = b.end()
    ok(files(path) == ["new/1003.d.host"] and "deleted=1 " in log, "all in order", files(path), log)


def test_measured_once_gone():
    path = maildir("gone", {"new/1.a": b"a\n", "new/2.b": b"b\n"})
    s = Session(path)
    os.unlink(os.path.join(path, "new/1.a"))
    ok(s.ask(b"STAT") == b"+OK 1 3\r\n" and s.many(b"LIST")[1] == [b"2 3\r\n"],
       "deleted before it was measured")
    got = s.ask(b"LIST 1")
    ok(got.startswith(b"-ERR [SYS/PERM]"), "LIST of it", got)
    s.end()


def test_many():
    n = 100000
    path = maildir("many", {})
    for i in range(n):
        where = "new" if i % 2 else "cur"
        name = f"{1700000000 + i // 7}.M0a{i:07d}R0.mail.exemple.test,S=2,W=3"
        os.close(os.open(f"{path}/{where}/{name}{'' if i % 2 else ':2,S'}",
                         os.O_WRONLY | os.O_CREAT))
    Session(path).end()
    s = Session(path)
    cost = malle.cpu_of(s.p.pid)
    ok(s.greeting == b"+OK alice@exemple.test has 100000 messages\r\n", "100,000 messages", s.greeting)
    # A look at each other name for each name would cost minutes.
    print(f"# login with {n} messages: {cost:.3f} s of processor")
    ok(cost < 10, "which costs a look at each name", cost)
    with open(f"/proc/{s.p.pid}/status") as f:
        rss = int(re.search(r"VmHWM:\s+(\d+)", f.read()).group(1))
    print(f"# peak memory {rss} KiB")
    ok(rss < 40000 or "san" in BUILD, "memory under 40 MB", rss)
    before = time.monotonic()
    _, lines = s.many(b"UIDL")
    print(f"# UIDL {time.monotonic() - before:.3f} s")
    uids = [l.split()[1] for l in lines]
    ok(len(set(uids)) == n and uids == sorted(uids, key=lambda u: (int(u.split(b".")[0]), u)),
       "UIDL: all different, in order")
    ok(s.ask(b"STAT") == b"+OK %d %d\r\n" % (n, 3 * n), "STAT")
    _, lines = s.many(b"LIST")
    ok(len(lines) == n and lines[-1] == b"%d 3\r\n" % n, "LIST")
    ok(s.ask(b"DELE %d" % n) == b"+OK\r\n" and s.ask(b"QUIT") == b"+OK\r\n", "QUIT")
    s.end()
    ok(len(files(path)) == n - 1, "one was deleted")


try:
    if not os.access(HARNESS, os.X_OK):
        print(f"Bail out! {HARNESS} is not built")
        raise SystemExit(1)
    for test in (test_commands, test_refusals, test_capa_tls, test_content, test_pipelining,
                 test_deletion, test_failure, test_two_sessions, test_measured_once_gone, test_many):
        test()
    print(f"1..{count}")
finally:
    shutil.rmtree(TOP, ignore_errors=True)
raise SystemExit(failed != 0)
