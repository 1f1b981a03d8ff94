#!/usr/bin/env python3
# smtpd-hostile.t - clients that break rules, press, dawdle, or come in masses.
import concurrent.futures
import os
import socket
import sys
import time
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import malle
from smtpd_peers import Tap, Smtpd, Client, code

t = Tap()


def own_memory(pid):
    """KiB that this process does not share with its parent."""
    total = 0
    with open("/proc/%d/smaps_rollup" % pid) as f:
        for line in f:
            if line.startswith(("Private_Clean:", "Private_Dirty:")):
                total += int(line.split()[1])
    return total


def children(d):
    pid = d.process.pid
    with open("/proc/%d/task/%d/children" % (pid, pid)) as f:
        return [int(x) for x in f.read().split()]


def alone(d):
    """Waits until no session is left."""
    return malle.until(lambda: not children(d))


d = Smtpd("sessions_per_host = 250\nsessions_max = 260\n")

# Rules of the dialogue.
s = socket.create_connection(("127.0.0.1", d.ports["smtp"]))
s.close()
t.ok(d.logged("disconnect session= reason=lost"), "a client that only looks")
c = Client(d.ports["smtp"])
c.send("EHLO early.test\r\n")
first = c.reply()
t.ok(code(first) in ("554 5.5.0", "220"), "an early talker: " + first)
c.close()
# Sure to be early: the listener is stopped while the client talks.
with malle.held(d.process.pid):
    c = Client(d.ports["smtp"])
    c.send("EHLO early.test\r\nMAIL FROM:<a@b.test>\r\n")
    malle.is_read(c.s)
t.eq(code(c.reply()), "554 5.5.0", "who talks before the greeting is refused")
t.eq(c.reply(), "", "and nothing of it is obeyed")
c.close()
c = d.client()
c.say("EHLO c.test")
t.eq(c.codes("EHLO c.test", "NOOP"), ["503 5.5.0", "250 2.0.0"],
     "something behind EHLO in the same packet")
c.codes("MAIL FROM:<a@b.test>", "RCPT TO:<bob@exemple.test>")
c.send("DATA\r\nMAIL FROM:<evil@b.test>\r\n.\r\n")
t.eq(code(c.reply()), "503 5.5.0", "content behind DATA, before its answer")
t.eq(c.reply(), "", "it is not obeyed: the session ends")
c.close()
c = d.client()
c.send("POST / HTTP/1.1\r\nHost: x\r\n\r\nEHLO x\r\n")
t.eq(code(c.reply()), "502 5.5.1", "a web browser")
t.eq(c.reply(), "", "is sent away")
c.close()
c = d.client()
c.send("EHLO a\nNOOP\r\n")
t.eq(code(c.reply()), "500 5.5.2", "a bare LF in a command")
c.send("NO\rOP\r\n")
t.eq(code(c.reply()), "500 5.5.2", "a bare CR in a command")
c.send("NOOP\0x\r\n")
t.eq(code(c.reply()), "500 5.5.1", "a NUL in a command")
c.send(b"\xff\xfe\x80\r\n")
t.eq(code(c.reply()), "500 5.5.1", "any bytes at all")
c.close()
c = d.client()
c.say("EHLO c.test")
got = c.codes(*["BOGUS"] * 21)
t.eq(got[-1], "500 5.5.1", "errors_max")
t.eq(code(c.reply()), "421 4.7.0", "ends the session")
t.ok(c.is_closed(), "with its connection")
c = d.client()
c.say("EHLO c.test")
c.codes(*["NOOP"] * 100)
t.eq(code(c.reply()), "421 4.7.0", "commands_idle_max")
c.close()
c = d.client()
c.say("EHLO c.test")
got = c.codes("MAIL FROM:<a@b.test>", "RCPT TO:<alice@exemple.test>",
              *["BDAT 0"] * 101)
t.ok(got[2] == "250 2.0.0" and "421 4.7.0" in got,
     "chunks of nothing bring no message forward")
c.close()
c = d.client()
c.say("EHLO c.test")
c.say("MAIL FROM:<a@b.test>")
got = c.codes(*["RCPT TO:<x%d@exemple.test>" % i for i in range(21)])
t.eq((got[0], got[19]), ("550 5.1.1", "550 5.1.1"), "names tried out")
t.eq(code(c.reply()), "421 4.7.0", "end the session")
c.close()
c = d.client()
c.say("EHLO c.test")
c.say("MAIL FROM:<a@b.test>")
got = c.codes(*["RCPT TO:<%s@exemple.test>" % x
                for i in range(30) for x in ("alice", "x%d" % i)])
t.eq(got[-1], "550 5.1.1", "thirty dead ones among sixty do not")
c.close()

# Endless lines.
c = d.client()
c.send("EHLO " + "x" * 2000000 + "\r\nNOOP\r\n")
t.eq([code(c.reply()) for _ in range(2)], ["500 5.5.2", "250 2.0.0"],
     "a line of 2 MB is dropped up to its end")
c.close()

# A million recipients.
c = d.client()
c.say("EHLO c.test")
c.say("MAIL FROM:<a@b.test>")
refused, last = 0, ""
try:
    for _ in range(1000):
        got = c.codes(*["RCPT TO:<alice@exemple.test>"] * 1000)
        refused += got.count("452 4.5.3")
        if "421 4.7.0" in got:
            last = "421"
            break
        if "" in got:
            break
except OSError:
    pass
t.ok(last == "421" and refused > 5000,
     "a million recipients: %d times 452, then 421" % refused)
c.close()

# Slow clients, all at once: what they wait for is long enough for a machine
# that is slow itself.
d.stop()
d = Smtpd("smtp_timeout = 20s\nmin_rate = 10k\n")
steady = Smtpd("smtp_timeout = 15s\nmin_rate = 1k\n")


def silent():
    began = time.monotonic()
    c = d.client()
    got = c.reply()
    c.close()
    return code(got) == "421 4.4.2" and time.monotonic() - began > 19, \
        "silence: %s" % got


def without_end():
    """A line is not read to its end, nor for ever."""
    c = d.client()
    is_cut = False
    try:
        while True:
            c.send(b"x" * 100000)
            time.sleep(0.05)
    except socket.timeout:
        pass
    except OSError:
        is_cut = True
    c.close()
    return is_cut, "a line without an end is cut off"


def dribble(c, pieces):
    """The answer to pieces, of which one is sent five times a second."""
    got = ""
    c.s.settimeout(0.2)
    for piece in pieces:
        try:
            c.send(piece)
            got = c.reply()
            break
        except socket.timeout:
            pass
    c.close()
    return code(got)


def bytewise():
    got = dribble(d.client(), [bytes([x]) for x in b"NOOP and so on" * 15])
    return got == "421 4.4.2", "a byte now and then is silence too: " + got


def below_rate():
    c = d.client()
    c.begin()
    got = dribble(c, ["x" * 70 + "\r\n"] * 200)
    return got == "421 4.4.2", "content below min_rate: " + got


def deaf():
    """One who does not read the answers."""
    c = d.client()
    c.say("EHLO c.test")
    try:
        for _ in range(1000):
            c.send("HELP\r\n" * 1000)
    except OSError:
        pass
    is_gone = alone(d)
    c.close()
    return is_gone, "one who never reads does not stay for ever"


def at_steady_pace():
    """So fast that a pause of ours does no harm; all of it takes longer than
    smtp_timeout."""
    c = steady.client()
    c.begin()
    for _ in range(17):
        c.send(("y" * 70 + "\r\n") * 100)
        time.sleep(1)
    got = c.content(".\r\n")
    c.close()
    return code(got) == "250 2.0.0", \
        "content at a steady pace takes its time: " + got


SLOW = silent, without_end, bytewise, below_rate, deaf, at_steady_pace
with concurrent.futures.ThreadPoolExecutor(len(SLOW)) as pool:
    for result in pool.map(lambda scene: scene(), SLOW):
        t.ok(*result)
steady.stop()
d.stop()

# 200 idle sessions beside a working one.
d = Smtpd("sessions_per_host = 210\nsessions_max = 220\n")
idle = [d.client() for _ in range(200)]
for c in idle:
    c.send("EHLO idle.test\r\n")
for c in idle:
    c.reply()
done = 0
for _ in range(20):
    c = d.client()
    c.begin()
    done += c.content("Subject: x\r\n\r\nx\r\n.\r\n").startswith("250")
    c.close()
t.eq(done, 20, "200 idle ones do not disturb")
malle.until(lambda: len(children(d)) == 200)
pids = children(d)
sizes = sorted(own_memory(p) for p in pids)
sane = "san" not in os.environ.get("MALLE_BUILD", "")
t.ok(sizes[-1] < 200 or not sane,
     "an idle session has %d KiB of its own" % sizes[-1])
worker = idle[0]
worker.begin()
worker.content(".\r\n")
worked = max(own_memory(p) for p in pids)
t.ok(worked < 200 or not sane, "after a message %d KiB" % worked)

# Limits of the parent: told without a fork.
more = [d.client(greet=False) for _ in range(25)]
got = [c.reply() for c in more]
t.eq([code(x) for x in got[:9]], ["220"] * 9, "up to sessions_per_host")
t.ok(got[-1].startswith("421 4.7.0 ") and "address" in got[-1],
     "then: " + got[-1])
t.eq(sum(x.startswith("421") for x in got), 15, "421 for each one more")
t.ok(more[-1].is_closed(), "and closed")
t.ok(d.logged("reject stage=connect code=421"), "it is logged")
for c in idle + more:
    c.close()
t.ok(alone(d), "all sessions end")
c = d.client()
t.ok(c.greeting.startswith("220"), "and there is room again")
c.close()
t.ok("crash" not in d.log(), "no session crashed")
t.eq(d.stop(), 0, "end")

d = Smtpd("sessions_max = 2\n")
c = [d.client(greet=False) for _ in range(3)]
got = [x.reply() for x in c]
t.ok(got[2].startswith("421 4.3.2 "), "sessions_max: " + got[2])
d.stop()

# The PROXY protocol, from hosts that are named.
SIGN = b"\r\n\r\n\0\r\nQUIT\n"
V4 = SIGN + b"\x21\x11\0\x0c" + bytes([192, 0, 2, 7, 10, 0, 0, 1]) + b"\1\1\0\x19"
d = Smtpd("proxy_hosts = 127.0.0.1\nsessions_per_host = 1\n")
held = []
for name, header, want in [
        ("IPv4", V4, "192.0.2.7"),
        ("IPv6", SIGN + b"\x21\x21\0\x24" + bytes.fromhex(
            "20010db8000000000000000000000001") + b"\0" * 16 + b"\1\1\0\x19",
         "2001:db8::1"),
        ("LOCAL", SIGN + b"\x20\0\0\0", "127.0.0.1")]:
    c = Client(d.ports["smtp"])
    c.send(header)
    c.reply()
    c.begin()
    c.content(".\r\n")
    t.eq(d.queue.last().client, want, "PROXY " + name)
    held.append(c)
t.eq(d.queue.messages[1].trace, "from c.test ([IPv6:2001:db8::1])",
     "the address in the trace")
c = Client(d.ports["submissions"])
c.send(V4)
c.start_tls()
t.ok(c.reply().startswith("220"), "PROXY, then TLS")
c.close()
d.stop()
d = Smtpd("proxy_hosts = 127.0.0.1\nsmtp_timeout = 1s\n")
for name, header in [("none", b"EHLO x\r\nNOOP and more\r\n"), ("half", V4[:20]),
                     ("version 1", b"PROXY TCP4 192.0.2.7 10.0.0.1 1 25\r\n")]:
    c = Client(d.ports["smtp"])
    c.send(header)
    t.eq(c.reply(), "", "no PROXY header: " + name)
    c.close()
t.ok(d.logged("proxy session= client=127.0.0.1"), "it is logged")
d.stop()
t.done()
