#!/usr/bin/env python3
# smtpd-content.t - messages arrive byte for byte; only CRLF.CRLF ends one.
import os
import random
import sys
import time
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import malle
from smtpd_peers import Tap, Smtpd, code

t = Tap()
d = Smtpd("errors_max = 1000\nmessage_max = 40M\nline_max = 100k\n"
          "commands_idle_max = 1000\n")
HEADER = b"From: a@b.test\r\nSubject: x\r\n\r\n"


def lf(data):
    return data.replace(b"\r\n", b"\n")


def stuffed(data):
    out = b"\r\n" + data
    return out.replace(b"\r\n.", b"\r\n..")[2:]


def send(content, by_bdat=0):
    """Sends a message; its answer."""
    c = d.client()
    c.say("EHLO c.test")
    c.codes("MAIL FROM:<a@b.test>", "RCPT TO:<alice@exemple.test>")
    if not by_bdat:
        c.say("DATA")
        reply = c.content(stuffed(content) + b".\r\n")
    else:
        for at in range(0, max(len(content), 1), by_bdat):
            piece = content[at:at + by_bdat]
            last = " LAST" if at + by_bdat >= len(content) else ""
            c.send(b"BDAT %d%s\r\n" % (len(piece), last.encode()) + piece)
            reply = c.reply()
            if not reply.startswith("250"):
                break
    c.close()
    return reply


# Byte for byte.
rng = random.Random(1)
CASES = {
    "plain": HEADER + b"hello\r\n",
    "empty": b"",
    "no header": b"hello\r\nworld\r\n",
    "dots": HEADER + b".\r\n..\r\n...\r\n. \r\n.a\r\na.\r\n\r\n.\r\n",
    "8 bit and NUL": HEADER + bytes(x for x in range(256) if x not in
                                    (10, 13)) * 3 + b"\r\n",
    "line of 100,000": HEADER + b"x" * 100000 + b"\r\n",
    "5000 parts": HEADER + b"".join(
        b"--b\r\nContent-Type: text/plain\r\n\r\npart %d\r\n" % i
        for i in range(5000)) + b"--b--\r\n",
    "long header": b"X-Long: " + b"y" * 90000 + b"\r\n" + HEADER + b"z\r\n",
    "8191 bytes": HEADER + b"q" * (8191 - len(HEADER)) + b"\r\n",
    "random lines": HEADER + b"".join(
        bytes(rng.choice(b".\0abc\xff ") for _ in range(rng.randrange(90))) +
        b"\r\n" for _ in range(4000)),
}
for name, content in CASES.items():
    t.ok(send(content).startswith("250 2.0.0 "), "DATA: " + name)
    t.ok(d.queue.last().content == lf(content), "as it was sent: " + name)
    for step in (1 << 30, 1000) if len(content) > 2000 else (1 << 30, 7, 1):
        reply = send(content, step)
        t.ok(reply.startswith("250 2.0.0 ") and
             d.queue.last().content == lf(content),
             "BDAT in pieces of %d: %s" % (step, name))
t.ok(send(b"no final newline", 5).startswith("250") and
     d.queue.last().content == b"no final newline",
     "BDAT keeps the lack of a last line end")
big = HEADER + b"0123456789" * 7 + b"\r\n"
big += (b"0123456789" * 7 + b"\r\n") * 420000
t.ok(send(big).startswith("250") and d.queue.last().content == lf(big),
     "30 MB")
t.ok(d.queue.last().packets < 1400, "in few packets")
t.eq(send(HEADER + b"hi\r\n")[:9], "250 2.0.0", "small")
t.eq(d.queue.last().packets, 1, "a small message is one packet")

# What is refused, after it has been read to its real end.
before = len(d.queue.messages)
for name, content, want in [
        ("line too long", HEADER + b"x" * 102401 + b"\r\n", "554 5.6.0"),
        ("too many hops", b"Received: x\r\n" * 101 + HEADER, "554 5.4.6")]:
    t.eq(code(send(content)), want, name)
    t.eq(code(send(content, 1 << 30)), want, "BDAT: " + name)
t.ok(send(b"Received: x\r\n" * 100 + HEADER).startswith("250"), "100 hops")
t.eq(len(d.queue.messages), before + 1, "none of them reached the queue")
t.ok(d.queue.forgot(1) > 0, "the queue was told to forget")
# Smuggling: every line end that others may take for the end of a message,
# with a second message behind it.
INNER = b"MAIL FROM:<evil@b.test>\r\nRCPT TO:<bob@exemple.test>\r\n" \
    b"DATA\r\nSubject: evil\r\n\r\nevil\r\n"
ENDS = [b"\n.\n", b"\n.\r\n", b"\r\n.\n", b"\r.\r", b"\r.\r\n", b"\r\n.\r",
        b"\r\n.\r\r\n", b"\r\r\n.\r\r\n", b"\n\n.\r\n", b"\r\n\n.\r\n",
        b"\r\n\r.\r\n", b"\n.\n\n", b"\r\n.\0\r\n", b"\r\n\0.\r\n",
        b"\n\0.\r\n", b"\r\n.\r\0\n", b"\r\n .\r\n", b"\r\n. \r\n",
        b"\r\n.\t\r\n", b"\x0b.\x0b", b"\xc2\x85.\xc2\x85", b"\r\n.\x1a\r\n"]
for end in ENDS:
    before = len(d.queue.messages)
    content = HEADER + b"a" + end + INNER
    c = d.client()
    c.begin()
    reply = c.content(content + b".\r\n")
    inside = content.replace(b"\r\n", b"")
    refused = b"\r" in inside or b"\n" in inside
    t.eq((code(reply), len(d.queue.messages) - before),
         ("550 5.6.0", 0) if refused else ("250 2.0.0", 1),
         "end %r" % end)
    t.eq(code(c.say("NOOP")), "250 2.0.0", "and nothing of it was obeyed")
    c.close()
    reply = send(content, 10)
    t.eq(code(reply), "550 5.6.0" if refused else "250 2.0.0",
         "BDAT with %r" % end)
# The CR of a chunk and the LF of the next belong together.
t.ok(send(b"a\r\nb\r\n", 2).startswith("250"), "CR and LF in two chunks")
t.eq(code(send(b"a\r", 2)), "550 5.6.0", "a CR at the very end")
# The end mark in every cut of two packets.
ok = True
for cut in range(1, 8):
    c = d.client()
    c.begin()
    data = b"ab\r\n.\r\n"
    c.send(data[:cut])
    time.sleep(0.02)
    ok = ok and c.content(data[cut:]).startswith("250 ") and \
        d.queue.last().content == b"ab\n"
    c.close()
t.ok(ok, "the end mark cut in two")
c = d.client()
c.begin()
c.send(b"one\r\n.\r\nMAIL FROM:<c@d.test>\r\nRCPT TO:<bob@exemple.test>\r\n")
t.eq([code(c.reply()) for _ in range(3)],
     ["250 2.0.0", "250 2.1.0", "250 2.1.5"], "commands behind the end mark")
c.close()
t.eq(d.stop(), 0, "end")

# One whose queue has been told nothing yet: what it is told is counted.
d = Smtpd("errors_max = 1000\n")
c = d.client()
c.begin()
c.send(HEADER + b"half a mess" + b"x" * 100000)
c.close()
malle.until(lambda: d.queue.dropped > 0)
t.eq(d.queue.dropped, 1, "a lost client leaves nothing in the queue")

# BDAT out of order: the octets are read, never obeyed.
c = d.client()
c.say("EHLO c.test")
t.eq(c.codes("BDAT 12\r\nRSET\r\nRSET", "NOOP"), ["503 5.5.1", "250 2.0.0"],
     "a chunk without MAIL is dropped")
c.say("MAIL FROM:<a@b.test>")
t.eq(c.codes("BDAT 4 LAST\r\nNO", "NOOP"), ["554 5.5.1", "250 2.0.0"],
     "a chunk without a recipient")
c.say("RCPT TO:<bob@exemple.test>")
t.eq(c.codes("BDAT 4\r\nab", "DATA", "RCPT TO:<a@exemple.test>",
             "BDAT 0 LAST"),
     ["250 2.0.0", "503 5.5.1", "503 5.5.1", "250 2.0.0"],
     "DATA and RCPT inside BDAT")
t.eq(d.queue.last().content, b"ab\n", "two chunks, one message")
c.codes("MAIL FROM:<a@b.test>", "RCPT TO:<bob@exemple.test>",
        "BDAT 4\r\nab")
t.eq(c.codes("RSET", "MAIL FROM:<a@b.test>"), ["250 2.0.0", "250 2.1.0"],
     "RSET inside BDAT")
c.codes("RCPT TO:<bob@exemple.test>", "BDAT 4\r\nab")
t.eq([code(c.say(x)) for x in ("EHLO c.test", "MAIL FROM:<a@b.test>")],
     ["250", "250 2.1.0"], "EHLO inside BDAT")
t.eq(d.queue.forgot(2), 2, "the queue was told of both")
t.eq(c.codes("RCPT TO:<bob@exemple.test>", "BDAT 6\r\na\nbc",
             "BDAT 4 LAST\r\nde"),
     ["250 2.1.5", "550 5.6.0", "503 5.5.1"], "a bad chunk ends it")
t.eq(code(c.say("BDAT x")), "501 5.5.4", "a chunk of unknown size")
t.ok(c.is_closed(), "ends the session: what follows is no command")
c = d.client()
c.say("EHLO c.test")
c.codes("MAIL FROM:<a@b.test>", "RCPT TO:<bob@exemple.test>")
c.send("BDAT 9000000000000000000\r\nabc")
t.eq(code(c.reply()), "552 5.3.4", "an absurd chunk is not waited for")
c.close()
t.eq(d.stop(), 0, "end")

# The size, counted as it comes.
d = Smtpd("message_max = 100000\n")
for size, want in ((100000, "250 2.0.0"), (100001, "552 5.3.4"),
                   (300000, "552 5.3.4")):
    content = b"x" * 70 + b"\r\n" + b"." * (size - 74) + b"\r\n"
    t.eq(code(send(content)), want, "DATA of %d" % size)
    t.eq(code(send(content, 1 << 30)), want, "BDAT of %d" % size)
c = d.client()
c.begin()
try:
    for _ in range(1000):
        c.send(b"y" * 998 + b"\r\n")
except OSError:
    pass
t.eq(code(c.reply()), "552 5.3.4", "a message without an end is cut off")
c.close()
d.stop()

# Repaired for hosts that are named.
d = Smtpd("repair_hosts = 127.0.0.1\n")
c = d.client()
c.begin()
reply = c.content(b"Subject: x\n\na\rb\n.\nc\n..d\r\n..e\r\n.\r\n")
t.eq(reply[:9], "250 2.0.0", "bare CR and LF are repaired")
t.eq(d.queue.last().content, b"Subject: x\n\na\nb\n.\nc\n..d\n.e\n",
     "but do not end a message")
c.close()
t.ok("crash" not in d.log(), "no session crashed")
d.stop()

# Hosts that may relay get what is missing.
d = Smtpd(access=["127.0.0.1/128"])
c = d.client()
t.eq(c.begin("app@intern.test", "x@elsewhere.test")[2:],
     ["250 2.1.5", "354"], "a host in the access table may relay")
c.content(b"Subject: x\r\n\r\nx\r\n.\r\n")
m = d.queue.last().content
t.ok(b"\nDate: " in m and b"\nMessage-ID: <" in m and
     b"\nFrom: <app@intern.test>\n" in m, "its message is completed")
c.close()
d.stop()
t.done()
