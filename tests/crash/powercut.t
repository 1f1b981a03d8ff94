#!/usr/bin/env python3
"""The order of writing, syncing, naming and answering, call by call.

malle-queued and malle-local are watched while messages pass through them. A
model of the disk keeps only what was synced: at each point of the record the
power is cut in the model, and every message that had been answered by then must
be whole in the queue, or in every mailbox, by what was synced alone.
"""
# SPDX-License-Identifier: ISC

import os
import re
import shutil
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import crash  # noqa: E402
import malle  # noqa: E402

USERS = ["bob@exemple.test", "alice@exemple.test"]
FROM = "marie@client.test"
ID = re.compile(r"[0-9a-v]{11}-[0-9a-v]{11}")
CALLS = ("openat,write,writev,pwrite64,pwritev,fsync,fdatasync,syncfs,"
         "renameat,renameat2,linkat,unlinkat,sendmsg,ftruncate")


class Call:
    """One call: when it began and ended, as positions in the record."""

    def __init__(self, name, args, begin, end):
        self.name, self.args, self.begin, self.end = name, args, begin, end
        result = re.search(r"\) += (-?\d+)(?:<([^>]*)>)?", args)
        self.result = int(result.group(1)) if result else -1
        self.opened = result.group(2) if result else None
        self.fds = re.findall(r"\d+<([^>]*)>", args)
        self.names = re.findall(r'"((?:[^"\\]|\\.)*)"', args)


def parse(lines):
    """The calls, in the order of their ends."""
    calls, open_calls = [], {}
    for n, line in enumerate(lines):
        m = re.match(r"(\d+) +(\w+)\((.*) <unfinished \.\.\.>$", line)
        if m:
            open_calls[m.group(1)] = (m.group(2), m.group(3), n)
            continue
        m = re.match(r"(\d+) +<\.\.\. (\w+) resumed>(.*)$", line)
        if m and m.group(1) in open_calls:
            name, args, begin = open_calls.pop(m.group(1))
            calls.append(Call(name, args + m.group(3), begin, n))
            continue
        m = re.match(r"(\d+) +(\w+)\((.*)$", line)
        if m:
            calls.append(Call(m.group(2), m.group(3), n, n))
    return calls


class Disk:
    """What would be there after a power cut."""

    def __init__(self):
        self.written = {}	# path: position of the last write
        self.named = {}		# path: position of its name's making
        self.safe_data = {}	# path: True once all so far was synced
        self.safe_name = {}
        self.gone = set()

    def write(self, path, at):
        self.written[path] = at
        self.safe_data[path] = False

    def name(self, path, at, source=None):
        self.named[path] = at
        self.safe_name[path] = False
        if source:
            self.written[path] = self.written.pop(source, -1)
            self.safe_data[path] = self.safe_data.pop(source, False)

    def sync(self, begin, one=None):
        """A sync that began there: of all, of a file, or of a folder."""
        for path, at in self.written.items():
            if at < begin and (one is None or path == one):
                self.safe_data[path] = True
        for path, at in self.named.items():
            if at < begin and (one is None or os.path.dirname(path) == one):
                self.safe_name[path] = True

    def is_safe(self, path):
        return (path not in self.gone and self.safe_data.get(path, False) and
                self.safe_name.get(path, False))


def replay(calls, recipients):
    """What was answered too early, and what a cut would lose, as texts."""
    disk, bad = Disk(), []
    answered, whole, seen = {}, {}, {"accepted": 0, "delivered": 0, "cuts": 0}
    mails = {}		# id: paths in the mailboxes
    for c in calls:
        if c.result < 0:
            continue
        if c.name == "openat" and "O_CREAT" in c.args and c.opened:
            disk.name(c.opened, c.end)
            disk.write(c.opened, c.end)
        elif c.name in ("write", "writev", "pwrite64", "pwritev", "ftruncate"):
            # After its acceptance a queue file changes in place only where a
            # checksum makes an old state and a new one equally good.
            path = c.fds[0] if c.fds else ""
            if path in disk.written and os.path.basename(path) not in whole:
                disk.write(path, c.end)
        elif c.name in ("fsync", "fdatasync"):
            disk.sync(c.begin, c.fds[0])
        elif c.name == "syncfs":
            disk.sync(c.begin)
        elif c.name in ("renameat", "renameat2"):
            source = os.path.join(c.fds[0], c.names[0])
            target = os.path.join(c.fds[1], c.names[1])
            if "/Maildir/" in target and os.path.basename(
                    c.fds[1]) == "new":
                if not disk.safe_data.get(source):
                    bad.append("named before its content was synced: " +
                               c.names[1])
                for message in ID.findall(c.names[1]):
                    mails.setdefault(message, []).append(target)
            disk.name(target, c.end, source)
        elif c.name == "unlinkat":
            disk.gone.add(os.path.join(c.fds[0], c.names[0]))
        elif c.name == "sendmsg" and "Message accepted" in c.args:
            for message in ID.findall(c.args):
                seen["accepted"] += 1
                path = [p for p in disk.named
                        if os.path.basename(p) == message and "/mess/" in p]
                answered[message] = path[0] if path else ""
                whole[message] = True
                if not path or not disk.is_safe(path[0]):
                    bad.append("250 before the sync: " + message)
        elif c.name == "sendmsg" and "Delivered to the mailbox" in c.args:
            seen["delivered"] += c.args.count("Delivered to the mailbox")
            for message, paths in mails.items():
                for p in paths:
                    if not disk.is_safe(p):
                        bad.append("reported before the sync: " + p)
        # The power is cut here.
        seen["cuts"] += 1
        for message, path in answered.items():
            if not disk.is_safe(path) and sum(
                    disk.is_safe(p) for p in mails.get(message, ())
                    ) < recipients:
                bad.append("%s would be lost at call %d (%s)" % (
                    message, c.end, c.name))
                answered[message] = answered[message]
    return sorted(set(bad)), seen


def record(m, act):
    """The calls of both programs while act() runs."""
    out = os.path.join(m.dir, "strace")
    pids = [crash.rows(m)["malle-queued"][0], crash.worker(m, "exemple.test")]
    argv = ["strace", "-f", "-y", "-s", "4096", "-o", out, "-e",
            "trace=" + CALLS]
    for pid in pids:
        argv += ["-p", str(pid)]
    p = subprocess.Popen(argv, stderr=subprocess.PIPE, text=True)
    for _ in pids:
        p.stderr.readline()
    time.sleep(0.1)
    act()
    p.terminate()
    p.communicate()
    with open(out, errors="replace") as f:
        return parse(f.read().split("\n"))


def main():
    crash.usable()
    if shutil.which("strace") is None:
        malle.skip_all("strace is not installed")
    with malle.Instance(conf=dict(crash.CONF, worker_idle="10m")) as m:
        m.domain("exemple.test")
        for user in USERS:
            m.user(user, crash.PASSWORD)
        books = crash.Books(m)
        books.send(FROM, USERS)
        books.settle(USERS)

        def alone():
            for size in (500, 5000, 200000):
                books.send(FROM, USERS, size)
                books.settle(USERS)

        def together():
            threads = [threading.Thread(target=lambda i=i: [books.send(
                FROM, USERS, (300, 5000, 100000)[(i + j) % 3])
                for j in range(5)]) for i in range(8)]
            for t in threads:
                t.start()
            for t in threads:
                t.join()
            books.settle(USERS)
        for what, act, n in (("one at a time", alone, 3),
                             ("forty together", together, 40)):
            calls = record(m, act)
            bad, seen = replay(calls, len(USERS))
            malle.note("%s: %d calls, %r, %s" % (what, len(calls), seen, {
                c: sum(x.name == c for x in calls)
                for c in ("fsync", "syncfs", "renameat2", "unlinkat")}))
            # A second worker may have helped: not all is in the record.
            malle.eq(seen["accepted"], n, what + ": every 250 is in the record")
            malle.ok(seen["delivered"] > 0, what + ": deliveries, too")
            malle.eq(bad[:10], [], what + ": nothing is answered before it is "
                     "synced; a power cut at any call loses nothing")
        malle.eq(books.verdict(USERS), [], "all of it is there")
    malle.done()


main()
