#!/usr/bin/env python3
# smtpd-dialogue.t - every command of malle-smtpd on port 25, and every refusal.
import sys
import os
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from smtpd_peers import Tap, Smtpd, code

t = Tap()
d = Smtpd("errors_max = 1000\ncommands_idle_max = 1000\nrecipients_max = 100\n"
          "messages_per_session = 3\nmessage_max = 100000\n",
          access=["10.0.0.0/104"])

c = d.client()
t.ok(c.greeting == "220 mail.exemple.test ESMTP Malleposte", "greeting")
t.eq(c.say("EHLO client.test").split("\n"), [
    "250-mail.exemple.test", "250-PIPELINING", "250-SIZE 100000",
    "250-8BITMIME", "250-SMTPUTF8", "250-CHUNKING", "250-DSN",
    "250-ENHANCEDSTATUSCODES", "250-STARTTLS",
    "250 LIMITS MAILMAX=3 RCPTMAX=100"], "what EHLO offers on port 25")
t.eq(c.say("HELO client.test"), "250 mail.exemple.test", "HELO")
c.close()
wide = Smtpd("messages_per_session = 1000000\nrecipients_max = 1000000\n")
c = wide.client()
t.ok(c.say("EHLO client.test").endswith(
    "\n250 LIMITS MAILMAX=999999 RCPTMAX=999999"), "six digits are the most")
c.close()
wide.stop()

# Each row: what is said (on a fresh session after EHLO), the last answer.
LONG = "a" * 65 + "@b.test"
ROWS = [
    (["NOOP"], "250 2.0.0"),
    (["NOOP what ever"], "250 2.0.0"),
    (["noop"], "250 2.0.0"),
    (["RSET"], "250 2.0.0"),
    (["RSET now"], "501 5.5.4"),
    (["HELP"], "214 2.0.0"),
    (["VRFY alice"], "252 2.5.0"),
    (["VRFY"], "501 5.5.4"),
    (["EXPN list"], "502 5.5.1"),
    (["QUIT"], "221 2.0.0"),
    (["QUIT now"], "501 5.5.4"),
    (["TURN"], "500 5.5.1"),
    (["XCLIENT NAME=x"], "500 5.5.1"),
    ([""], "500 5.5.1"),
    ([" NOOP"], "500 5.5.1"),
    (["EHLO"], "501 5.5.4"),
    (["HELO"], "501 5.5.4"),
    (["EHLO " + "a" * 300], "501 5.5.4"),
    (["N" * 3000], "500 5.5.2"),
    (["AUTH PLAIN AGEAYg=="], "502 5.5.1"),
    (["DATA"], "503 5.5.1"),
    (["RCPT TO:<alice@exemple.test>"], "503 5.5.1"),
    (["MAIL FROM:<>"], "250 2.1.0"),
    (["MAIL FROM:<a@b.test>"], "250 2.1.0"),
    (["mail from:<a@b.test>"], "250 2.1.0"),
    (["MAIL FROM:<a@b.test>", "MAIL FROM:<a@b.test>"], "503 5.5.1"),
    (["MAIL FROM:<a@b.test>", "DATA"], "554 5.5.1"),
    (["MAIL FROM:<a@b.test>", "STARTTLS"], "503 5.5.1"),
    (["MAIL FROM:<a@b.test>", "AUTH PLAIN"], "503 5.5.1"),
    (["MAIL FROM:<a@b.test>", "RSET", "RCPT TO:<bob@exemple.test>"],
     "503 5.5.1"),
    (["MAIL FROM:<a@b.test>", "EHLO x", "RCPT TO:<bob@exemple.test>"],
     "503 5.5.1"),
    (["MAIL"], "501 5.5.4"),
    (["MAIL TO:<a@b.test>"], "501 5.5.4"),
    (["MAIL FROM:a@b.test"], "501 5.1.7"),
    (["MAIL FROM:<a>"], "501 5.1.7"),
    (["MAIL FROM:<" + LONG + ">"], "501 5.1.7"),
    (["MAIL FROM:<a@b.test>", "RCPT TO:<" + LONG + ">"], "501 5.1.3"),
    (["MAIL FROM:<a@b.test> SIZE=100000"], "250 2.1.0"),
    (["MAIL FROM:<a@b.test> SIZE=100001"], "552 5.3.4"),
    (["MAIL FROM:<a@b.test> SIZE=x"], "501 5.5.4"),
    (["MAIL FROM:<a@b.test> BODY=8BITMIME"], "250 2.1.0"),
    (["MAIL FROM:<a@b.test> BODY=BINARYMIME"], "501 5.5.4"),
    (["MAIL FROM:<a@b.test> FOO=BAR"], "555 5.5.4"),
    (["MAIL FROM:<a@b.test> RET=FULL RET=FULL"], "501 5.5.4"),
    (["MAIL FROM:<é@b.test>"], "553 5.6.7"),
    (["MAIL FROM:<é@b.test> SMTPUTF8"], "250 2.1.0"),
    (["MAIL FROM:<a@b.test>", "RCPT TO:<é@exemple.test>"], "553 5.6.7"),
    (["MAIL FROM:<a@b.test>", "RCPT TO:<>"], "501 5.1.3"),
    (["MAIL FROM:<a@b.test>", "RCPT TO:alice@exemple.test"], "501 5.1.3"),
    (["MAIL FROM:<a@b.test>", "RCPT TO:<alice@exemple.test> FOO"],
     "555 5.5.4"),
    (["MAIL FROM:<a@b.test>", "RCPT TO:<alice@exemple.test> NOTIFY=X"],
     "501 5.5.4"),
]
# The recipients and what they are told.
for to, want in [("alice@exemple.test", "250 2.1.5"),
                 ("ALICE@EXEMPLE.TEST", "250 2.1.5"),
                 ("alice+news@exemple.test", "250 2.1.5"),
                 ("@relay.test:alice@exemple.test", "250 2.1.5"),
                 ("bob@alias.test", "250 2.1.5"),
                 ("sales@exemple.test", "250 2.1.5"),
                 ("postmaster", "250 2.1.5"), ("POSTMASTER", "250 2.1.5"),
                 ("postmaster@exemple.test", "250 2.1.5"),
                 ("nobody@exemple.test", "550 5.1.1"),
                 ("../alice@exemple.test", "501 5.1.3"),
                 ('"../alice"@exemple.test', "550 5.1.1"),
                 ("gone@exemple.test", "550 5.2.1"),
                 ("resting@exemple.test", "450 4.2.1"),
                 ("x@closed.test", "550 5.2.1"),
                 ("x@paused.test", "450 4.2.1"),
                 ("full@exemple.test", "452 4.2.2"),
                 ("huge@exemple.test", "452 4.2.2"),
                 ("x@elsewhere.test", "550 5.7.1"),
                 ("x@[192.0.2.1]", "550 5.7.1"),
                 ("alice%exemple.test@elsewhere.test", "550 5.7.1")]:
    ROWS.append((["MAIL FROM:<a@b.test>", "RCPT TO:<%s>" % to], want))
ROWS.append((["MAIL FROM:<a@b.test> SIZE=2000", "RCPT TO:<full@exemple.test>"],
             "552 5.2.3"))
for said, want in ROWS:
    c = d.client()
    c.say("EHLO client.test")
    got = [code(c.say(x)) for x in said][-1]
    t.eq(got, want, "; ".join(x[:60] for x in said))
    c.close()

c = d.client()
t.eq([code(c.say(x)) for x in (
    "MAIL FROM:<a@b.test>", "DATA", "AUTH PLAIN", "NOOP", "RSET", "QUIT")],
    ["503 5.5.1"] * 3 + ["250 2.0.0"] * 2 + ["221 2.0.0"], "before EHLO")
t.ok(c.is_closed(), "QUIT ends the session")

c = d.client()
c.say("EHLO client.test")
c.say("MAIL FROM:<a@b.test>")
text = c.say("RCPT TO:<full@exemple.test>")
t.ok("full" in text, "a person understands: " + text)
text = c.say("RCPT TO:<nobody@exemple.test>")
t.ok("nobody@exemple.test" in text, "a person understands: " + text)
c.close()

# Parameters arrive.
c = d.client()
c.say("EHLO client.test")
t.eq(c.codes("MAIL FROM:<a@b.test> SIZE=20 BODY=8BITMIME RET=HDRS "
             "ENVID=QQ+2B1 AUTH=<>",
             "RCPT TO:<alice@exemple.test> NOTIFY=SUCCESS,FAILURE "
             "ORCPT=rfc822;Al+2Bice@exemple.test",
             "RCPT TO:<bob@exemple.test> NOTIFY=NEVER",
             "RCPT TO:<bob@exemple.test>", "DATA"),
     ["250 2.1.0", "250 2.1.5", "250 2.1.5", "250 2.1.5", "354"],
     "a pipelined group is answered in order")
reply = c.content("Subject: x\r\n\r\nx\r\n.\r\n")
t.ok(reply.startswith("250 2.0.0 id-1 "), "accepted with its id: " + reply)
m = d.queue.last()
t.eq((m.sender, m.size, m.flags, m.envid),
     ("a@b.test", 20, 1 | 8, "QQ+1"), "facts of the message")
t.eq(m.recipients, [("alice@exemple.test", 2 | 4, "rfc822;Al+ice@exemple.test"),
                    ("bob@exemple.test", 1, ""), ("bob@exemple.test", 0, "")],
     "recipients with NOTIFY and ORCPT")
t.eq((m.trace, m.protocol, m.client, m.account),
     ("from client.test ([127.0.0.1])", "ESMTP", "127.0.0.1", ""),
     "the trace")
t.eq(m.content, b"Subject: x\n\nx\n", "content of others is left alone")

# The name in the trace is made harmless; HELO is no ESMTP.
c.say("HELO (bad) name;\tx")
c.codes("MAIL FROM:<>", "RCPT TO:<postmaster>", "DATA")
c.content("\r\n.\r\n")
m = d.queue.last()
t.eq((m.trace, m.protocol, m.sender), (
    "from ?bad??name??x ([127.0.0.1])", "SMTP", ""), "HELO")
t.eq(m.recipients[0][0], "postmaster@exemple.test", "postmaster gets a domain")
c.say("EHLO client.test")
c.codes("MAIL FROM:<é@b.test> SMTPUTF8 BODY=8BITMIME",
        "RCPT TO:<bob@exemple.test>", "DATA")
c.content("\r\n.\r\n")
t.eq((d.queue.last().protocol, d.queue.last().flags, d.queue.last().sender),
     ("UTF8SMTP", 3, "é@b.test"), "SMTPUTF8")
t.eq(code(c.say("MAIL FROM:<a@b.test>")), "421 4.7.0",
     "messages_per_session is the end")
t.ok(c.is_closed(), "of the session")

# recipients_max
c = d.client()
c.say("EHLO client.test")
c.say("MAIL FROM:<a@b.test>")
got = c.codes(*["RCPT TO:<alice@exemple.test>"] * 102)
t.eq(got[98:], ["250 2.1.5"] * 2 + ["452 4.5.3"] * 2, "recipients_max")
c.say("DATA")
t.eq(code(c.content(".\r\n")), "250 2.0.0", "those accepted get the message")
t.eq(len(d.queue.last().recipients), 100, "all of them")
c.close()

t.ok(d.logged("connect session= client=127.0.0.1 port=%d tls=no"
              % d.ports["smtp"]), "connect is logged")
t.ok(d.logged("reject session= stage=rcpt from=a@b.test "
              "to=nobody@exemple.test code=550 text="), "reject is logged")
t.ok(d.logged("disconnect session= messages=3 reason=messages seconds="),
     "disconnect is logged")
t.ok("crash" not in d.log(), "no session crashed")
t.eq(d.stop(), 0, "SIGTERM ends the service")
t.done()
