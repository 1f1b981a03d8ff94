#!/usr/bin/env python3
"""queue-remote.t - mail to other servers: look-ups, groups, pauses, routes."""
# SPDX-License-Identifier: ISC
import os
import re
import signal
import smtplib
import socket
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import malle
from internet import Drop, Server
from malle import eq, ok, until
from relaylab import PORT, Lab, seconds_of

TRY = {"retry_first": "1s", "retry_max": "2s"}
ESTABLISHED = 1         # of TCP_INFO


def plain(lab):
    """Found, sent, told; one connection for several messages."""
    s = lab.server("plain.test")
    i = lab.send("x@plain.test", "y@plain.test")
    lines = lab.event(i, "sent", 2)
    eq(len(lines), 2, "both are sent")
    ok("host=mx.plain.test" in lines[0] and "ip=" + s.ip in lines[0] and
       'reply="250 2.0.0 Kept"' in lines[0], "to whom, and what was said")
    eq([m["rcpts"] for m in s.messages], [["x@plain.test", "y@plain.test"]],
       "in one transaction")

    def shares():
        """Whether one more goes over a connection that was there. It is kept
        for three seconds, which may pass before the message has come."""
        before = len(s.sessions)
        lab.event(lab.send("z@plain.test"), "done")
        return len(s.sessions) == before
    ok(until(shares), "the next message goes over the same connection")
    i = lab.send("last@plain.test")
    lab.event(i, "done")
    said = lab.m.malle("trace", i).stdout
    ok("mx.plain.test" in said and "taken by" in said, "trace tells it")


def dns(lab):
    """What the DNS says about a domain."""
    lab.dns.mx("nomail.test", 0, ".")
    ip = lab.host("bare.test")
    bare = Server(ip, PORT)
    lab.servers.append(bare)
    i = lab.send("a@nowhere.test", "b@nomail.test", "c@bare.test")
    lab.event(i, "failed", 2)
    ok(lab.lines(i + " failed", "to=a@nowhere.test dsn=5.1.2"),
       "no such domain")
    ok(lab.lines(i + " failed", "to=b@nomail.test dsn=5.1.10"), "null MX")
    until(lambda: bare.messages)
    eq(bare.recipients(), ["c@bare.test"], "no MX: its own address")


def literal(lab):
    ip = lab.free.pop(0)
    s = Server(ip, PORT)
    lab.servers.append(s)
    i = lab.send("x@[%s]" % ip)
    lab.event(i, "sent")
    eq(s.recipients(), ["x@[%s]" % ip], "an address literal")


def one_group(lab):
    """Domains behind the same servers share connections and limits."""
    ip = lab.host("mx1.big.test")
    most = [0]

    def is_open(session):
        """Whether the other end has it open, whatever our thread has read, and
        has not yet had all of its messages: then it has only to say good-bye."""
        try:
            return session.messages < 3 and session.conn.getsockopt(
                socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0] == ESTABLISHED
        except OSError:
            return False

    def connect(session, line):
        most[0] = max(most[0], sum(map(is_open, list(s.sessions))))
        time.sleep(0.02)

    def end(session, line):
        time.sleep(0.01)
    s = Server(ip, PORT, hooks={"CONNECT": connect, "END": end})
    lab.servers.append(s)
    for n in range(5):
        lab.dns.mx("client%d.test" % n, 10, "mx1.big.test")
    last = [lab.send(*["u%d@client%d.test" % (k, n) for k in range(3)])
            for n in range(5)]
    for i in last:
        lab.event(i, "done")
    eq(sorted(s.recipients()),
       sorted("u%d@client%d.test" % (k, n) for k in range(3)
              for n in range(5)), "everybody once")
    ok(0 < most[0] <= 2, "never more connections than the provider allows (%d)"
       % most[0])
    ok(max(len(m["rcpts"]) for m in s.messages) == 2,
       "nor more recipients of a message")
    ok(max(x.messages for x in s.sessions) <= 3,
       "nor more messages of a connection")
    ok("big" in lab.stat(), "stat tells the group")


def retries(lab):
    """Temporary refusals, each after its kind."""
    told = {}

    def rcpt(session, line):
        who = re.search("<(.*?)@", line).group(1)
        told[who] = told.get(who, 0) + 1
        if told[who] > 1 and who != "full":
            return None
        return {"grey": "451 4.7.1 Greylisted, come back",
                "full": "452 4.2.2 Mailbox full",
                "busy": "450 4.3.0 Busy", "gone": "550 5.1.1 No such user"
                }.get(who)
    s = lab.server("moody.test", hooks={"RCPT": rcpt})
    i = lab.send("grey@moody.test", "full@moody.test", "busy@moody.test",
                 "gone@moody.test", "good@moody.test")
    lab.event(i, "sent", 2)
    eq(sorted(s.recipients()), ["busy@moody.test", "good@moody.test"],
       "one is refused, the others are not")
    next_ = {m.group(1): int(m.group(2)) for m in re.finditer(
        i + r" deferred to=(\w+)@\S+ next=(\d+)", lab.m.log())}
    ok(300 <= next_["grey"] <= 600, "greylisted: five to ten minutes")
    ok(next_["full"] >= 3600, "full: an hour at least")
    ok(next_["busy"] <= 5, "busy: by the rules")
    ok("host=mx.moody.test" in lab.lines(i + " deferred")[0] and
       "Greylisted" in lab.lines(i + " deferred", "grey@")[0],
       "with the server and its words")
    ok(lab.lines(i + " failed", "to=gone@moody.test dsn=5.1.1"),
       "no such user is final")
    n = until(lambda: [m for m in map(bytes.decode, lab.m.wait_messages(
        "bob@exemple.test", 1)) if "mx.moody.test" in m])[0]
    ok("Remote-MTA: dns; mx.moody.test" in n and
       "Diagnostic-Code: smtp; 550 5.1.1 No such user" in n,
       "the notice has the server's words")
    shown = lab.m.malle("queue", "show", i, "--json").stdout
    ok("Mailbox full" in shown, "queue show has them, too")
    lab.m.malle("queue", "delete", i)


def unreachable(lab):
    """Nobody listens: the group rests, all are deferred, others are not."""
    lab.dns.mx("dead.test", 10, "mx.dead.test")
    ip = lab.host("mx.dead.test")
    first = lab.send("x@dead.test")
    lab.event(first, "deferred")
    ok(lab.lines(first + " deferred", "cannot be reached"), "said to be so")
    eq(lab.stat()["dead.test"]["state"], "paused", "its group is paused")
    ok(lab.lines("group=dead.test event=paused cause=unreachable"),
       "the log has it")
    rests = seconds_of(lab.lines("group=dead.test event=paused")[0]) + 30
    i = lab.send("y@dead.test")
    line = lab.event(i, "deferred")[0]
    # Both are told in whole seconds.
    ok(seconds_of(line) + int(re.search("next=(\\d+)", line).group(1)) >=
       rests - 2, "who comes meanwhile waits for its end")
    lab.m.malle("queue", "hold", first)
    s = Server(ip, PORT)
    lab.servers.append(s)
    lab.m.malle("queue", "retry", i)
    lab.event(i, "sent")
    eq(s.recipients(), ["y@dead.test"],
       "malle queue retry: the rest is over, at once")
    ok(lab.lines("group=dead.test event=lifted"), "the log has it")
    lab.m.malle("queue", "delete", first)


def throttled(lab):
    """421 slow down: a rest, then it goes on."""
    s = lab.server("slow.test", hooks={"MAIL": "421 4.7.0 Slow down please"})
    i = lab.send("x@slow.test")
    lab.event(i, "deferred")
    ok(lab.lines("group=slow.test event=slowed"), "the group is slowed")
    eq(lab.stat()["slow.test"]["allowed"], 1, "to one connection")
    s.hooks.clear()
    ok(lab.event(i, "sent"), "and sent in the end")
    eq(s.recipients(), ["x@slow.test"], "once")
    ok(lab.lines("group=slow.test event=resumed"), "the group goes on")


def broken(lab):
    """Connections that break lose nothing and send nothing twice."""
    drops = [0]

    def data(session, line):
        if drops[0] < 2:
            drops[0] += 1
            raise Drop()
    s = lab.server("drop.test", hooks={"DATA": data})
    todo = [lab.send("u%d@drop.test" % k) for k in range(6)]
    for i in todo:
        lab.event(i, "done")
    eq(sorted(s.recipients()), ["u%d@drop.test" % k for k in range(6)],
       "each exactly once")


def blocked(lab):
    """550 that is about our address: nobody bounces; then the smarthost."""
    direct = lab.server("elsewhere.test", host="mx9.big.test",
                        hooks={"MAIL": "550 5.7.1 OFR_102 address refused"})
    i = lab.send("x@elsewhere.test")
    lab.event(i, "deferred")
    ok(not lab.lines(i + " failed"), "no bounce")
    eq(lab.stat()["big"]["state"], "paused", "the group is paused")
    lab.m.malle("queue", "delete", i)
    relay = Server(lab.free.pop(0), 0, login=("me", "secret"),
                   extensions=Server.EXTENSIONS + ("AUTH PLAIN",))
    lab.servers.append(relay)
    lab.routes("fallback smarthost %s:%d tls=none\n" %
               (relay.ip, relay.port))
    other = lab.server("second.test",
                       hooks={"RCPT": "550 5.7.1 on a blocklist"})
    i = lab.send("y@second.test")
    lab.event(i, "sent")
    eq((relay.recipients(), other.recipients()), (["y@second.test"], []),
       "through the smarthost at once")
    ok(lab.lines(i + " rerouted", "blocklist"), "told for the message")
    ok(lab.lines("group=second.test event=fallback"), "and for the group")
    eq(lab.stat()["second.test"]["state"], "fallback", "stat says so")
    n = len(other.sessions)
    i = lab.send("z@second.test")
    lab.event(i, "sent")
    eq((relay.recipients()[-1], len(other.sessions)), ("z@second.test", n),
       "the next one goes there at once")
    ok("refuses our address" in lab.m.malle("trace", lab.lines(
        " rerouted ")[0].split()[2]).stdout, "trace tells it")
    eq(direct.messages, [], "nothing went to the other one")


def routed(lab):
    """Routes by recipient and by sender."""
    a, b = Server(lab.free.pop(0), 0), Server(lab.free.pop(0), 0)
    lab.servers += [a, b]
    lab.routes("to .route.test smarthost %s:%d tls=none\n"
               "from exemple.test smarthost %s:%d tls=none\n" %
               (a.ip, a.port, b.ip, b.port))
    i = lab.send("x@one.route.test", "y@anywhere.test")
    lab.event(i, "sent", 2)
    eq((a.recipients(), b.recipients()),
       (["x@one.route.test"], ["y@anywhere.test"]),
       "by the recipient first, then by the sender")
    i = lab.send("x@plain.test", sender="carol@other.test")
    lab.event(i, "sent")
    ok("host=mx.plain.test" in lab.lines(i + " sent")[0],
       "others go directly")
    lab.routes("to nonsense\n")
    ok(lab.lines("error what=routes"), "a table with a mistake is told of")
    i = lab.send("x@two.route.test")
    lab.event(i, "sent")
    eq(a.recipients()[-1], "x@two.route.test", "and the old one stays")
    r = lab.m.malle("check", check=False)
    ok("routes:1: say direct" in r.stdout, "malle check says what is wrong")
    lab.routes("")


def verp(lab):
    """Each recipient has a sender of his own."""
    s = lab.server("list.test")
    lab.m.malle("relay", "add", "127.0.0.1")
    c = lab.m.connect("smtp").makefile("rw", newline="")

    def say(text):
        if text:
            c.write(text + "\r\n")
            c.flush()
        lines = [c.readline()]
        while lines[-1][3:4] == "-":
            lines.append(c.readline())
        return lines
    say("")
    ok(any("XVERP" in l for l in say("EHLO here")), "XVERP is offered")
    eq(say("MAIL FROM:<list@exemple.test> XVERP")[0][:3], "250", "and taken")
    for k in range(30):
        say("RCPT TO:<u%d@list.test>" % k)
    say("DATA")
    eq(say("Subject: all\r\n\r\nx\r\n.")[0][:3], "250", "accepted")
    until(lambda: len(s.messages) == 30)
    eq(sorted((m["sender"], m["rcpts"][0]) for m in s.messages),
       sorted(("list+u%d=list.test@exemple.test" % k, "u%d@list.test" % k)
              for k in range(30)), "one message each, with its sender")


def carriers(lab):
    """The connections to other servers; how the kernel schedules each."""
    found = {}
    for pid in malle.descendants(lab.m.process.pid):
        try:
            with open("/proc/%d/stat" % pid) as f:
                name, rest = f.read().split("(", 1)[1].rsplit(") ", 1)
        except OSError:
            continue
        if name == "malle-carrier":
            found[pid] = int(rest.split()[38])
    return found


def mailing(lab):
    """A mailing's connections have what nobody else wants of the processor."""
    gate = [True]

    def end(session, line):
        until(lambda: not gate[0])
    s = lab.server("many.test", hooks={"END": end})
    before = carriers(lab)

    def policies():
        return {policy for pid, policy in carriers(lab).items()
                if pid not in before}
    i = lab.send(*["u%d@many.test" % k for k in range(60)])
    until(lambda: s.sessions)
    ok(until(lambda: policies() == {os.SCHED_IDLE}),
       "a mailing's are idle: %r" % policies())
    lab.server("few.test", hooks={"END": end})
    j = lab.send("x@few.test")
    ok(until(lambda: policies() == {os.SCHED_OTHER, os.SCHED_IDLE}),
       "a letter's is not: %r" % policies())
    gate[0] = False
    lab.event(i, "done")
    lab.event(j, "done")
    eq(len(s.recipients()), 60, "all have it")


def forwards(lab):
    """What an alias sends on leaves under a sender of ours."""
    far = lab.server("far.test")
    home = lab.server("stranger.test")
    lab.m.malle("alias", "add", "info@exemple.test", "x@far.test")

    def submit(sender, to):
        with smtplib.SMTP("127.0.0.1", lab.m.ports["smtp"]) as c:
            c.sendmail(sender, [to], "Subject: x\r\n\r\nHi\r\n")
    submit("carol@stranger.test", "info@exemple.test")
    until(lambda: far.messages)
    sender = far.messages[-1]["sender"]
    ok(re.fullmatch("SRS0=[a-z2-7]{6}=[a-z2-7]{2}=stranger.test=carol"
                    "@exemple.test", sender), "rewritten: " + sender)
    submit("", sender)
    until(lambda: home.messages)
    eq(home.recipients(), ["carol@stranger.test"],
       "a bounce to it goes back to who sent it")
    try:
        submit("", sender.replace("=carol", "=dave"))
        ok(False, "a forged one is refused")
    except smtplib.SMTPResponseException as e:
        eq((e.smtp_code, e.smtp_error[:5]), (554, b"5.1.1"),
           "a forged one is refused")
    submit("bob@exemple.test", "info@exemple.test")
    until(lambda: len(far.messages) == 2)
    eq(far.messages[-1]["sender"], "bob@exemple.test", "one of ours stays")
    first = lab.server("first.test")
    submit("SRS0=abcd=tt=stranger.test=carol@first.test", "info@exemple.test")
    until(lambda: len(far.messages) == 3)
    sender = far.messages[-1]["sender"]
    ok(re.fullmatch("SRS1=[a-z2-7]{6}=first.test==abcd=tt=stranger.test=carol"
                    "@exemple.test", sender), "from a forwarder: " + sender)
    submit("", sender)
    until(lambda: first.messages)
    eq(first.recipients(), ["SRS0=abcd=tt=stranger.test=carol@first.test"],
       "a bounce goes back to him, who knows the sender")
    before = len(lab.m.messages("postmaster@exemple.test"))
    submit("a-local-part-of-nearly-fifty-characters-as-some-are"
           "@stranger.test", "info@exemple.test")
    until(lambda: len(far.messages) == 4)
    sender = far.messages[-1]["sender"]
    ok(re.fullmatch("SRS0=.*=exemple.test=postmaster@exemple.test", sender),
       "too long to be rewritten: under one of ours all the same: " + sender)
    submit("", sender)
    until(lambda: len(lab.m.messages("postmaster@exemple.test")) > before)
    eq(len(lab.m.messages("postmaster@exemple.test")), before + 1,
       "a bounce is told to the postmaster")


def killed(lab):
    """malle-remote and its children die: nothing is lost."""
    gate = [True]

    def end(session, line):
        until(lambda: not gate[0])
    s = lab.server("held.test", hooks={"END": end})
    todo = [lab.send("u%d@held.test" % k) for k in range(3)]
    until(lambda: s.sessions)
    mark = len(lab.m.log())
    # Children outlive a parent that was told to begin anew.
    for pid in malle.descendants(lab.m.process.pid):
        if malle._argv0(pid) in ("malle-remote", "malle-carrier",
                                 "malle-resolver"):
            malle._kill(pid, signal.SIGKILL)
    lab.m.wait_log("malle-remote", after=mark)
    gate[0] = False
    for i in todo:
        lab.event(i, "done")
    eq(sorted(set(s.recipients())), ["u%d@held.test" % k for k in range(3)],
       "everything arrives")
    i = lab.send("x@fresh.test")
    lab.event(i, "failed")
    ok(lab.lines(i + " failed", "dsn=5.1.2"), "look-ups work again")


def restart(lab):
    """What was not sent is sent after a restart."""
    lab.dns.mx("later.test", 10, "mx.later.test")
    ip = lab.host("mx.later.test")
    i = lab.send("x@later.test")
    lab.event(i, "deferred")
    lab.m.stop()
    s = Server(ip, PORT)
    lab.servers.append(s)
    lab.m.start()
    lab.m.malle("queue", "retry", i)
    ok(lab.event(i, "sent"), "sent by the next one")
    eq(s.recipients(), ["x@later.test"], "once")


def one_pass(lab):
    """malle-queue-run does the same, without anybody running."""
    a = lab.server("cron.test", hooks={"RCPT": "450 4.3.0 Later"})
    b = lab.server("cron2.test", hooks={"RCPT": "450 4.3.0 Later"})
    lab.event(lab.send("x@cron.test"), "deferred")
    lab.event(lab.send("x@cron2.test"), "deferred")
    lab.m.stop()
    a.hooks.clear()
    b.hooks.clear()
    until(lambda: time.sleep(0.1) or lab.m.run(
        "malle-queue-run", "--destination", "cron.test", "--limit", "20",
        **lab.m._as_user()).stdout and a.messages, 90)
    eq((a.recipients(), b.recipients()), (["x@cron.test"], []),
       "one destination only")
    r = lab.m.run("malle-queue-run", "--older-than", "1d",
                  **lab.m._as_user())
    ok("1 left" in r.stdout and not b.messages, "nothing is old enough")
    until(lambda: time.sleep(0.1) or lab.m.run(
        "malle-queue-run", **lab.m._as_user()).stdout and b.messages, 90)
    eq(b.recipients(), ["x@cron2.test"], "then the rest")


def main():
    lab = Lab(**TRY)
    try:
        lab.m.start()
        lab.m.domain("exemple.test")
        lab.m.user("bob@exemple.test")
        parts = (plain, dns, literal, one_group, retries, unreachable,
                 throttled, broken, blocked, routed, verp, mailing, forwards, killed, restart,
                 one_pass)
        for part in parts:
            if sys.argv[1:] and part.__name__ not in sys.argv[1:]:
                continue
            begun = time.monotonic()
            part(lab)
            malle.note("%s: %.1f s" % (part.__name__,
                                       time.monotonic() - begun))
        eq(lab.m.violations(), [], "no call outside a role, no crash")
    except BaseException:
        malle.note(lab.m.log()[-4000:])
        raise
    finally:
        lab.close()
    malle.done()


main()
