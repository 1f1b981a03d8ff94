#!/usr/bin/env python3
# smtpd-service.t - malle-smtpd among its neighbours: they stop, it stops.
import os
import signal
import subprocess
import sys
import time
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import malle
from smtpd_peers import ADDRESSES, BUILD, Tap, Smtpd, code, mailbox

t = Tap()
PROGRAM = os.path.join(BUILD, "bin", "malle-smtpd")
r = subprocess.run([PROGRAM, "-h"], capture_output=True, text=True)
t.ok(r.returncode == 0 and "usage: malle-smtpd" in r.stdout, "-h")
t.eq(subprocess.run([PROGRAM, "-x"], capture_output=True).returncode, 64,
     "an unknown option")
t.eq(subprocess.run([PROGRAM, "-c", "/nonexistent"],
                    capture_output=True).returncode, 78, "no configuration")

# The queue stops and comes back.
d = Smtpd(queue=False)
c = d.client()
t.eq(c.begin(), ["250", "250 2.1.0", "250 2.1.5", "451 4.3.0"],
     "no queue: 451 at DATA")
c.say("MAIL FROM:<a@b.test>")
t.eq(code(c.say("RCPT TO:<full@exemple.test>")), "451 4.3.0",
     "no queue: nobody knows of room")
c.say("RSET")
c.codes("MAIL FROM:<a@b.test>", "RCPT TO:<bob@exemple.test>")
t.eq(c.codes("BDAT 6\r\nRSET", "NOOP"), ["451 4.3.0", "250 2.0.0"],
     "no queue: the chunk is dropped")
d.start_queue()
c.begin()
t.eq(code(c.content(".\r\n")), "250 2.0.0", "the same session when it is back")
d.queue.stop()
d.start_queue()
c.begin()
t.eq(code(c.content(".\r\n")), "250 2.0.0", "a new queue between two messages")
c.begin()
c.send("Subject: x\r\n\r\n" + "x" * 70 + "\r\n")
d.queue.stop()
t.eq(code(c.content(("y" * 70 + "\r\n") * 2000 + ".\r\n")), "451 4.3.0",
     "the queue dies in the middle of a message")
d.start_queue()
c.begin()
d.queue.answer = (1, "4.3.1", "the disk is full")
t.eq(c.content(".\r\n"), "451 4.3.1 the disk is full", "try again later")
d.queue.answer = (2, "5.3.4", "never")
c.begin()
t.eq(c.content(".\r\n"), "554 5.3.4 never", "a refusal of the queue")
d.queue.answer = (2, "bad", "two\r\nlines")
c.begin()
t.eq(code(c.content(".\r\n")), "451 4.3.0", "an answer that is none")
t.eq(code(c.say("NOOP")), "250 2.0.0", "the dialogue stays in order")
d.queue.answer = (0, "2.0.0", "queued")
c.close()

# Changes of the tables are seen at once, by new and by open sessions.
c = d.client()
c.say("EHLO c.test")
c.say("MAIL FROM:<a@b.test>")
t.eq(code(c.say("RCPT TO:<carol@exemple.test>")), "550 5.1.1", "not yet there")
d.write_tables(addresses=dict(ADDRESSES, carol=mailbox()))
time.sleep(0.15)
c.say("RSET")
c.say("MAIL FROM:<a@b.test>")
t.eq(code(c.say("RCPT TO:<carol@exemple.test>")), "250 2.1.5",
     "a new mailbox in an open session")
d.write_tables()
n = d.client()
n.say("EHLO c.test")
n.say("MAIL FROM:<a@b.test>")
t.eq(code(n.say("RCPT TO:<carol@exemple.test>")), "550 5.1.1",
     "gone again in a new one")
n.close()
c.close()
os.rename(d.tables + "/domains.cdb", d.tables + "/away")
c = d.client()
c.say("EHLO c.test")
c.say("MAIL FROM:<a@b.test>")
t.ok(code(c.say("RCPT TO:<alice@exemple.test>")) in ("451 4.3.0", "250 2.1.5"),
     "no table is no reason to refuse for ever")
c.close()
os.rename(d.tables + "/away", d.tables + "/domains.cdb")

# A crash of one session is one session.
c = d.client()
victim = d.client()
pid = d.process.pid
with open("/proc/%d/task/%d/children" % (pid, pid)) as f:
    last = int(f.read().split()[-1])
os.kill(last, signal.SIGKILL)
t.eq(victim.reply(), "", "a session dies")
t.ok(d.logged("crash pid=%d signal=9" % last), "it is logged")
t.eq(code(c.say("NOOP")), "250 2.0.0", "the others live")
victim.close()

# SIGTERM: who waits is told, a message half-way is finished.
half, data, tls = d.client(), d.client(), d.sender("submissions")
chunks = d.client()
chunks.begin()
chunks.content("Subject: one\r\n\r\n.\r\n")
chunks.codes("MAIL FROM:<a@b.test>", "RCPT TO:<alice@exemple.test>")
t.eq(code(chunks.content("BDAT 3\r\na\r\n")), "250 2.0.0", "a first chunk")
half.begin()
half.send("Subject: half\r\n\r\n")
data.begin()
data.send("Subject: commit\r\n\r\n")
d.queue.delay = 0.5
d.process.send_signal(signal.SIGTERM)
t.ok(c.reply().startswith("421 4.3.2 "), "an idle session is told 421")
t.ok(tls.reply().startswith("421 4.3.2 "), "through TLS too")
# The kernel takes it: the test has the socket of the listener, too.
late = d.client(greet=False)
t.ok(d.process.poll() is None, "it waits for the messages half-way")
t.eq(code(chunks.content("BDAT 3 LAST\r\nb\r\n")), "250 2.0.0",
     "between two chunks, too")
t.eq(code(chunks.reply()), "421 4.3.2", "and is told then")
t.eq(code(half.content("rest\r\n.\r\n")), "250 2.0.0", "which are accepted")
t.eq(code(half.reply()), "421 4.3.2", "before their session ends")
t.eq(code(data.content("rest\r\n.\r\n")), "250 2.0.0", "every one")
t.eq(d.process.wait(malle.PATIENCE), 0, "then it exits with 0")
late.s.settimeout(0)
try:
    t.ok(False, "nobody new was let in: %r" % late.s.recv(100))
except BlockingIOError:
    t.ok(True, "nobody new was let in")
t.eq([m.content for m in d.queue.messages[-2:]],
     [b"Subject: half\n\nrest\n", b"Subject: commit\n\nrest\n"],
     "and the queue has them")
t.eq(d.log().count(" crash "), 1, "no other session crashed")
d.stop()

# SIGHUP: the listener makes room for the next one, its sessions go on.
d = Smtpd()
half, idle = d.client(), d.client()
half.begin()
half.send("Subject: half\r\n\r\n")
d.process.send_signal(signal.SIGHUP)
t.eq(d.process.wait(malle.PATIENCE), 0, "SIGHUP ends the listener well")
t.ok(d.logged("reload sessions=2"), "and says so")
t.eq(code(half.content("rest\r\n.\r\n")), "250 2.0.0",
     "a message half-way goes on")
idle.begin()
t.eq(code(idle.content(".\r\n")), "250 2.0.0", "an idle session too")
t.eq(idle.say("QUIT")[:3], "221", "to its own end")
half.close()
d.stop()

# RFC 5321 4.5.1: <postmaster> is taken even where no default domain is set.
for conf, want in [("postmaster = bob@exemple.test\n", "bob@exemple.test"),
                   ("", "postmaster@exemple.test")]:
    d = Smtpd("default_domain =\n" + conf)
    c = d.client()
    c.say("EHLO c.test")
    c.codes("MAIL FROM:<a@b.test>", "RCPT TO:<Postmaster>", "DATA")
    c.content(".\r\n")
    t.eq([r[0] for r in d.queue.last().recipients], [want],
         "<postmaster> goes to " + want)
    c.close()
    d.stop()

# Without root: everything works, and it says what is off.
if os.getuid() == 0:
    d = Smtpd(program=["setpriv", "--reuid=65534", "--regid=65534",
                       "--clear-groups"])
    t.ok(" separation off=" in d.log(), "not root: it says so")
    c = d.client()
    c.begin()
    t.eq(code(c.content(".\r\n")), "250 2.0.0", "and works")
    c.close()
    d.stop()
t.done()
