#!/usr/bin/env python3
# smtpd-login.t - AUTH, TLS and the rules of submission.
import base64
import os
import re
import sys
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import malle
from smtpd_peers import ADDRESSES, Tap, Smtpd, alias, code, mailbox


def b64(text):
    return base64.b64encode(text.encode()).decode()


t = Tap()
d = Smtpd("errors_max = 10000\ncommands_idle_max = 1000000\n")
PLAIN = b64("\0alice@exemple.test\0secret")
WRONG = b64("\0alice@exemple.test\0wrong")

# In the clear nothing is offered, nothing is taken.
c = d.client("submission")
ehlo = c.say("EHLO c.test")
t.ok("STARTTLS" in ehlo and "AUTH" not in ehlo, "587 offers STARTTLS first")
t.eq(code(c.say("AUTH PLAIN " + PLAIN)), "538 5.7.11", "no AUTH in the clear")
reply = c.say("MAIL FROM:<alice@exemple.test>")
t.ok(reply.startswith("530 5.7.0") and "STARTTLS" in reply, reply)
t.eq(len(d.auth.starts), 0, "malle-authd has seen nothing")

# STARTTLS: everything said before is forgotten.
t.eq(code(c.say("STARTTLS now")), "501 5.5.4", "STARTTLS has no argument")
t.eq(code(c.say("STARTTLS")), "220 2.0.0", "STARTTLS")
c.start_tls()
t.eq(code(c.say("MAIL FROM:<alice@exemple.test>")), "503 5.5.1",
     "EHLO is forgotten")
ehlo = c.say("EHLO c.test")
t.ok("STARTTLS" not in ehlo and
     "250-AUTH SCRAM-SHA-256-PLUS SCRAM-SHA-256 PLAIN LOGIN" in ehlo,
     "AUTH behind TLS")
t.eq(code(c.say("STARTTLS")), "503 5.5.1", "TLS twice")
t.eq(code(c.say("MAIL FROM:<alice@exemple.test>")), "530 5.7.0",
     "submission needs a login")
t.eq(code(c.say("AUTH")), "501 5.5.4", "AUTH without a mechanism")
t.eq(code(c.say("AUTH CRAM-MD5")), "504 5.5.4", "unknown mechanism")
t.eq(code(c.say("AUTH " + "X" * 50)), "504 5.5.4", "a long one")
t.eq(code(c.say("AUTH PLAIN !!!")), "501 5.5.2", "no base64")
t.eq(code(c.say("AUTH PLAIN " + b64("x"))), "501 5.5.2", "no PLAIN message")
t.eq(code(c.say("AUTH PLAIN " + WRONG)), "535 5.7.8", "wrong password")
t.eq(code(c.say("AUTH PLAIN " + b64("\0down@exemple.test\0x"))), "454 4.7.0",
     "the check fails for a time")
t.eq(c.say("AUTH PLAIN"), "334 ", "PLAIN without an initial response")
t.eq(code(c.say("*")), "501 5.7.0", "cancelled")
t.eq(c.say("AUTH LOGIN"), "334 VXNlcm5hbWU6", "LOGIN asks for the name")
t.eq(c.say(b64("alice@exemple.test")), "334 UGFzc3dvcmQ6", "the password")
t.eq(code(c.say(b64("a\0b"))), "501 5.5.2", "a NUL in it is refused")
c.send("AUTH PLAIN\r\n" + PLAIN + "\r\n")
t.eq([code(c.reply()), code(c.reply())], ["503 5.5.0", "500 5.5.1"],
     "nothing may follow AUTH before its answer")
t.eq(code(c.say("AUTH PLAIN " + PLAIN)), "235 2.7.0", "PLAIN")
t.eq(code(c.say("AUTH PLAIN " + PLAIN)), "503 5.5.1", "twice")
s = d.auth.starts[-1]
t.eq((s["tls"], s["exporter"], s["endpoint"], s["client"]),
     (1, b"e" * 32, b"p" * 32, "127.0.0.1"), "what malle-authd is told")

# Who may send as whom.
for sender, want in [("alice@exemple.test", "250 2.1.0"),
                     ("ALICE+x@alias.test", "250 2.1.0"),
                     ("sales@exemple.test", "250 2.1.0"),
                     ("bob@exemple.test", "553 5.7.1"),
                     ("x@elsewhere.test", "553 5.7.1"), ("", "250 2.1.0")]:
    t.eq(code(c.say("MAIL FROM:<%s>" % sender)), want, "from <%s>" % sender)
    c.say("RSET")

e = d.sender()


def sending(sender):
    """What a session that is logged in already hears."""
    answer = code(e.say("MAIL FROM:<%s>" % sender))
    e.say("RSET")
    return answer


def sends(tables, sender, want, text):
    """Tables are looked at again from time to time, not for each command."""
    d.write_tables(addresses={**ADDRESSES, **tables})
    malle.until(lambda: sending(sender) == want)
    t.eq(sending(sender), want, text)


TEAM = {"team": alias("resting@exemple.test\nalice@exemple.test")}
sends(TEAM, "team@exemple.test", "250 2.1.0",
      "an alias that leads to a suspended account besides")
sends({"team": alias("no address")}, "team@exemple.test", "451 4.3.0",
      "an alias that cannot be read: later")
for state, text in (1, "suspended"), (2, "disabled"):
    sends({"alice": mailbox(state=state)}, "alice@exemple.test", "550 5.7.1",
          "an account that was %s since its login" % text)
    t.eq(sending(""), "550 5.7.1", "not as the null sender either")
    sends({}, "alice@exemple.test", "250 2.1.0", "until it is not any more")
e.close()
t.eq(c.codes("MAIL FROM:<alice@exemple.test>", "RCPT TO:<x@elsewhere.test>",
             "RCPT TO:<nobody@exemple.test>", "DATA"),
     ["250 2.1.0", "250 2.1.5", "550 5.1.1", "354"],
     "mail to others is taken, to nobody it is not")
t.eq(code(c.content("Subject: s\r\n\r\nbody\r\n.\r\n")), "250 2.0.0", "sent")
m = d.queue.last()
t.eq((m.account, m.protocol, m.sender),
     ("alice@exemple.test", "ESMTPSA", "alice@exemple.test"), "the facts")
t.ok("127.0.0.1" not in m.trace and "c.test" not in m.trace and
     "TLSv1.3" in m.trace, "the trace hides the client: %r" % m.trace)
head, body = m.content.split(b"\n\n", 1)
t.ok(re.search(rb"^Date: \w\w\w, +\d+ \w\w\w \d{4} ..:..:.. [+-]\d{4}$",
               head, re.M), "Date is added")
t.ok(re.search(rb"^Message-ID: <[0-9a-z.-]+@mail.exemple.test>$", head, re.M),
     "Message-ID is added")
t.ok(b"\nFrom: <alice@exemple.test>" in head, "From is added")
t.eq((head.split(b"\n")[0], body), (b"Subject: s", b"body\n"), "the rest stays")


def submit(content, bdat=False):
    c.codes("MAIL FROM:<alice@exemple.test>", "RCPT TO:<bob@exemple.test>")
    if bdat:
        c.send(b"BDAT %d LAST\r\n" % len(content) + content)
        c.reply()
    else:
        c.say("DATA")
        c.content(content + b".\r\n")
    return d.queue.last().content


FULL = b"From: Al <alice@exemple.test>\r\nDate: x\r\nMESSAGE-ID: <1@x>\r\n"
t.eq(submit(FULL + b"\r\nhi\r\n"), (FULL + b"\r\nhi\r\n").replace(b"\r", b""),
     "a complete header stays as it is")
got = submit(b"hello\r\n")
t.ok(got.endswith(b">\n\nhello\n") and got.startswith(b"Date: "),
     "a body alone gets a header and an empty line")
got = submit(FULL[:20] + b": x\r\nTo: y\r\n")
t.ok(b"\nTo: y\nDate: " in got and got.endswith(b">\n"),
     "a header alone gets its fields")
got = submit(b"X: y", True)
t.ok(got.startswith(b"X: y\nDate: "), "without its last line end too")
got = submit(b"")
t.ok(got.startswith(b"Date: "), "nothing at all too")
got = submit(b"To: a\r\n" * 20000 + b"\r\nx\r\n")
t.ok(got.count(b"\nDate: ") == 1 and got.endswith(b">\n\nx\n"),
     "at the end of a header of 140 kB")
ids = {re.search(rb"Message-ID: (\S+)", submit(b"To: a\r\n\r\n")).group(1)
       for _ in range(5)}
t.eq(len(ids), 5, "each message has its own Message-ID")
c.say("MAIL FROM:<>")
c.codes("RCPT TO:<bob@exemple.test>", "DATA")
c.content("Subject: read\r\n\r\n.\r\n")
t.ok(b"From: <alice@exemple.test>" in d.queue.last().content,
     "a receipt is from the account")
c.close()

# The dialogue of SCRAM is passed on as it is.
c = d.client("submissions")
t.ok("220 " in c.greeting, "465 speaks TLS from the start")
ehlo = c.say("EHLO c.test")
t.ok("STARTTLS" not in ehlo and "AUTH SCRAM-SHA-256-PLUS" in ehlo,
     "and offers AUTH at once")
t.eq(c.say("AUTH SCRAM-SHA-256 " + b64("n,,n=alice")),
     "334 " + b64("first:n,,n=alice"), "SCRAM: the first message")
t.eq(c.say(b64("proof")), "334 " + b64("v=final"), "the server's proof")
t.eq(code(c.say("")), "235 2.7.0", "and success")
c.close()
c = d.client("submissions")
c.say("EHLO c.test")
c.say("AUTH SCRAM-SHA-256 " + b64("slow"))
d.auth.given_up.wait(malle.PATIENCE)
t.eq(code(c.say(b64("proof"))), "454 4.7.0", "malle-authd did not wait")
t.ok(d.logged("result=no-service given up") and
     "does not answer on auth.sock" not in d.log(),
     "nobody says that it is not there")
c.close()
d.tls.exporter = d.tls.endpoint = b""
e = d.client("submissions")
t.ok("AUTH SCRAM-SHA-256 PLAIN LOGIN" in e.say("EHLO c.test"),
     "without anything to bind to there is no -PLUS")
t.eq(code(e.say("AUTH SCRAM-SHA-256-PLUS")), "504 5.5.4", "nor is it taken")
d.tls.exporter, d.tls.endpoint = b"e" * 32, b"p" * 32
e.close()
c = d.client("submissions")
c.say("EHLO c.test")
t.eq(c.say("AUTH SCRAM-SHA-256-PLUS"), "334 ", "without initial response")
t.eq(c.say(b64("x")), "334 " + b64("first:x"), "goes on")
t.eq(code(c.say(b64("lie"))), "535 5.7.8", "a wrong proof")
t.eq(c.say("AUTH LOGIN " + b64("alice@exemple.test")), "334 UGFzc3dvcmQ6",
     "LOGIN with the name")
t.eq(code(c.say(b64("secret"))), "235 2.7.0", "LOGIN")
c.close()
c = d.client("submissions")
c.say("EHLO c.test")
got = [c.say("AUTH PLAIN " + WRONG) for _ in range(5)]
t.eq([code(x) for x in got], ["535 5.7.8"] * 5, "guessing")
t.eq(code(c.reply()), "421 4.7.0", "is ended")
t.ok(c.is_closed(), "with the session")
c = d.client("submissions")
c.say("EHLO c.test")
t.eq(code(c.say("AUTH PLAIN " + "A" * 1900)), "501 5.5.2",
     "a long initial response")
c.say("AUTH PLAIN")
t.eq(code(c.say("A" * 8000)), "501 5.5.2", "a response of 8000 bytes is read")
c.say("AUTH PLAIN")
t.eq(code(c.say("A" * 9000)), "500 5.5.6", "a line over all limits")
t.eq(code(c.say("NOOP")), "250 2.0.0", "and the session goes on")
c.close()

# TLS on port 25, and what was sent too early.
c = d.client()
c.say("EHLO c.test")
t.eq(code(c.say("STARTTLS")), "220 2.0.0", "STARTTLS on port 25")
c.start_tls()
c.begin()
c.content(".\r\n")
m = d.queue.last()
t.eq((m.protocol, m.trace.split("\n")[0]),
     ("ESMTPS", "from c.test ([127.0.0.1])"), "its trace")

# REQUIRETLS (RFC 8689): under TLS only, and told to the queue.
t.eq(m.flags & 16, 0, "REQUIRETLS is nobody's by itself")
t.ok("250-REQUIRETLS\n" in c.say("EHLO c.test"), "REQUIRETLS under TLS")
t.eq(c.codes("MAIL FROM:<a@b.test> REQUIRETLS", "RCPT TO:<bob@exemple.test>",
             "DATA"), ["250 2.1.0", "250 2.1.5", "354"], "is taken there")
c.content(".\r\n")
t.eq(d.queue.last().flags & 16, 16, "and the queue knows")
c.close()
c = d.client()
t.ok("REQUIRETLS" not in c.say("EHLO c.test"), "not offered in the clear")
reply = c.say("MAIL FROM:<a@b.test> REQUIRETLS")
t.ok(reply.startswith("530 5.7.10 ") and "STARTTLS" in reply, reply)
c.close()
before = len(d.queue.messages)
c = d.client()
c.say("EHLO c.test")
c.send("STARTTLS\r\nMAIL FROM:<evil@b.test>\r\nRCPT TO:<bob@exemple.test>\r\n")
t.eq(code(c.reply()), "220 2.0.0", "commands behind STARTTLS")
c.start_tls()
t.eq([code(c.say(x)) for x in ("RCPT TO:<bob@exemple.test>", "NOOP")],
     ["503 5.5.1", "250 2.0.0"], "are not obeyed")
t.ok(d.logged("injection session= bytes=53"), "but logged")
c.close()
c = d.client()
c.say("EHLO c.test")
c.say("STARTTLS")
c.send("EHLO no TLS at all\r\n" * 20)
t.eq(c.reply(), "", "a broken handshake ends the session")
t.ok(d.logged("tls session= result=failed"), "and is logged")
c.close()

log = d.log()
t.ok("auth session=" in log and
     "account=alice@exemple.test mechanism=PLAIN result=ok" in log,
     "a login is logged")
t.ok("result=refused" in log and "result=temporary" in log, "so is a failure")
t.ok(not any(x in log for x in (
    PLAIN, WRONG, b64("secret"), "secret", b64("proof"))),
    "no password in the log")

# malle-authd is gone.
d.auth.stop()
c = d.client("submissions")
c.say("EHLO c.test")
t.eq(code(c.say("AUTH PLAIN " + PLAIN)), "454 4.7.0", "no malle-authd")
c.close()
t.ok("crash" not in d.log(), "no session crashed")
t.eq(d.stop(), 0, "end")

d = Smtpd("auth_clear_on_loopback = yes\n")
c = d.client("submission")
ehlo = c.say("EHLO c.test")
t.ok("250-AUTH SCRAM-SHA-256 PLAIN LOGIN" in ehlo and "STARTTLS" in ehlo,
     "auth_clear_on_loopback: without channel binding")
t.eq(code(c.say("AUTH SCRAM-SHA-256-PLUS")), "504 5.5.4", "none without TLS")
t.eq(code(c.say("AUTH PLAIN " + PLAIN)), "235 2.7.0", "PLAIN in the clear")
c.codes("MAIL FROM:<alice@exemple.test>", "RCPT TO:<x@elsewhere.test>", "DATA")
c.content(".\r\n")
t.eq((d.queue.last().protocol, d.queue.last().trace),
     ("ESMTPA", "from submission (authenticated)"), "ESMTPA")
c.close()
d.stop()
t.done()
