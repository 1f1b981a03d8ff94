#!/usr/bin/env python3
"""answers-remote - an answer on its way to another server, one that refuses it, and a stranger's server that answers."""
import os
import re
import smtplib
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import malle
from malle import eq, ok
from relaylab import Lab

lab = Lab()
m = lab.m
ours = lab.server("exemple.org")
refuses = lab.server("refuse.org", hooks={"RCPT": "550 5.1.1 Nobody of that name"})


def write(sender, to="info@exemple.test", header=""):
    """A letter from outside; its id."""
    mark = len(m.log())
    with smtplib.SMTP("127.0.0.1", m.ports["smtp"], "client.test",
                      timeout=malle.PATIENCE) as s:
        s.sendmail(sender, [to], "To: %s\r\n%s\r\nx\r\n" % (to, header))
    malle.until(lambda: " accepted " in m.log()[mark:])
    return re.search(r"([0-9a-z-]+) accepted ", m.log()[mark:]).group(1)


def answer_of(id):
    """The id of the answer to a letter."""
    lines = lab.event(id, "answered")
    return re.search(r"notice=(\S+)", lines[0]).group(1) if lines else None


try:
    m.start()
    m.domain("exemple.test")
    m.malle("robot", "add", "info@exemple.test", "subject=Info", "text=Voilà.")
    answer = answer_of(write("zoe@exemple.org", header="Message-ID: <1@exemple.org>\r\n"))
    ok(answer and malle.until(lambda: ours.messages), "a stranger is answered by another server's way")
    got = ours.messages[0]
    ok(re.match(rb"(?i)MAIL FROM:<>", got["mail_line"].encode() if isinstance(got["mail_line"], str)
                else got["mail_line"]), "8.5: MAIL FROM:<>: %r" % got["mail_line"])
    ok("NOTIFY=NEVER" in str(got["rcpt_lines"][0]), "8.5: NOTIFY=NEVER: %r" % got["rcpt_lines"][0])
    eq(got["rcpts"], ["zoe@exemple.org"], "8.6: to the envelope's sender")
    data = got["data"] if isinstance(got["data"], bytes) else got["data"].encode()
    ok(b"Auto-Submitted: auto-replied" in data and b"In-Reply-To: <1@exemple.org>" in data, "8.5: it says what it is")
    ok(b"Received:" not in data, "and begins here")

    # Their robot answers ours, from an address and without a mark: once, then silence.
    def robot(n):
        return write("robot@exemple.org", header="Subject: Re: Info %d\r\n" % n)
    lab.event(answer_of(robot(0)), "done")
    for n in (1, 2):
        ok(lab.event(robot(n), "not-answered"), "8.4: letter %d of a robot" % n)
    eq(len([x for x in ours.messages if x["rcpts"] == ["robot@exemple.org"]]), 1,
       "8.4: a robot without manners has one answer, not three")

    answer = answer_of(write("nobody1@refuse.org"))
    ok(answer and lab.event(answer, "done"), "an answer that is refused")
    story = "".join(lab.lines(answer + " "))
    ok(" failed " in story and " bounced " not in story, "8.5: nobody is told of it")
    eq(os.listdir(os.path.join(m.base, "queue", "double")) if os.path.isdir(
        os.path.join(m.base, "queue", "double")) else [], [], "nor is it put aside")
    eq(m.violations(), [], "no call outside of a program's role")
finally:
    lab.close()
malle.done()
