#!/usr/bin/env python3
"""queue-remote-clock.t - five days with servers that misbehave, in seconds.

One message to each of a number of servers, each with a fault of its own; some
mend themselves, some never do. malle-queued runs by a clock that is moved to
the next attempt. In between it is stopped once and killed once.
"""
# SPDX-License-Identifier: ISC
import email
import email.utils
import re
import sys
import os
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import malle
from internet import Authority, Drop, Hang, Server
from malle import eq, ok, until
from relaylab import PROVIDERS, Lab, seconds_of

HOUR, DAY = 3600, 86400


class Story:
    """What becomes of one message, by the log."""

    def __init__(self, name, id_, begun):
        self.name, self.id, self.begun = name, id_, begun
        self.attempts = []      # (age, to, event, rest)
        self.due = {}           # recipient -> when it is due
        self.notices = []       # (age, kind)

    def take(self, line):
        at = seconds_of(line)
        event = re.search(self.id + r" (\w+) (.*)", line)
        if event is None:
            return
        word, rest = event.groups()
        to = re.search(r"to=(\S+)", rest)
        if word in ("deferred", "failed", "sent"):
            self.attempts.append((at - self.begun, to.group(1), word, rest))
            self.due.pop(to.group(1), None)
        if word == "deferred":
            self.due[to.group(1)] = at + int(
                re.search(r"next=(\d+)", rest).group(1))
        if word == "bounced":
            self.notices.append((at - self.begun,
                                 re.search(r"kind=(\w+)", rest).group(1)))

    def of(self, word):
        return [a for a in self.attempts if a[2] == word]

    def gaps(self):
        at = [a[0] for a in self.attempts]
        return [b - a for a, b in zip(at, at[1:])]


class Days:
    """The stories of a lab, and its time."""

    def __init__(self, lab):
        self.lab, self.stories, self.read = lab, {}, 0

    def send(self, name, *to):
        i = self.lab.send(*to)
        self.stories[name] = Story(name, i, seconds_of(
            self.lab.lines(i + " accepted ")[0]))

    def look(self):
        log = self.lab.m.log()
        for line in log[self.read:log.rfind("\n") + 1].split("\n"):
            for s in self.stories.values():
                if s.id in line:
                    s.take(line)
        self.read = log.rfind("\n") + 1

    def quiet(self):
        """True when everything that was due has been tried."""
        self.look()
        now = self.lab.now()
        return all(s.attempts and all(d > now for d in s.due.values())
                   for s in self.stories.values())

    def all_told(self, names):
        """True when their senders know that they have failed, and the notices
        have arrived; that comes after the last attempt."""
        self.look()
        return all([k for _, k in self.stories[n].notices][-1:] == ["failure"]
                   and bounce_of(self.lab, self.stories[n], "failure")[0]
                   for n in names)

    def due(self):
        return [d for s in self.stories.values() for d in s.due.values()]

    def until(self, end):
        """Lets the time pass up to end, from attempt to attempt."""
        until(self.quiet)
        while self.lab.now() < end:
            # Several that come soon one behind the other are one step.
            step = max(min(self.due() + [end]) - self.lab.now() + 1,
                       120 if self.lab.now() < self.begun + HOUR else HOUR)
            self.lab.forward(min(step, end - self.lab.now() + 1))
            if not until(self.quiet):
                malle.note("not tried: %s" % [s.name for s in
                                              self.stories.values()
                                              if not s.attempts or s.due])
                raise RuntimeError("something due is not tried")


def at_first(n, what):
    """A hook that misbehaves the first n times it is asked."""
    left = [n]

    def hook(session, line):
        left[0] -= 1
        if left[0] >= 0:
            return what(session, line)
    return hook


def drop(session, line):
    raise Drop()


def hang(session, line):
    raise Hang()


def slowly(session, line):
    for c in b"250-mx.slow.test greets you\r\n":
        session.conn.sendall(bytes([c]))
        time.sleep(1)


def endless(session, line):
    while True:
        session.conn.sendall(b"250-more of it\r\n" * 100)


class Greylist:
    """Nobody at once: five minutes later, as those programs do, but for what
    there is between the whole seconds that malle-queued counts in."""

    def __init__(self, lab):
        self.lab, self.first = lab, {}

    def __call__(self, session, line):
        self.first.setdefault(line, self.lab.now())
        if self.lab.now() - self.first[line] < 299:
            return "450 4.2.0 Greylisted, come back in five minutes"


def third(session, line):
    if "<c@" in line and not session.server.messages:
        return "452 4.2.1 Not this one now"


def after_two(session, line):
    if session.messages >= 2:
        session.say("421 4.7.0 Enough of you")
        raise Drop()


FOREVER = 1 << 30


def servers(lab, ca):
    """The far sides: name -> server."""
    lab.dns.mx("dead.test", 10, "mx.dead.test")
    lab.host("mx.dead.test")
    wrong = ca.certificate("mx.another.test")
    s = {}
    for name, hooks, more in (
            ("grey", {"RCPT": Greylist(lab)}, {}),
            ("enough", {"MAIL": after_two}, {}),
            ("third", {"RCPT": third}, {}),
            ("drop", {"END": at_first(2, drop)}, {}),
            ("slow", {"EHLO": at_first(2, slowly)}, {}),
            ("half", {"CONNECT": at_first(2, hang)}, {}),
            ("endless", {"EHLO": at_first(FOREVER, endless)}, {}),
            ("wrongtls", {}, {"tls": wrong, "extensions":
                              Server.EXTENSIONS + ("STARTTLS",)}),
            ("cleartext", {}, {}),
            ("busy", {"RCPT": "450 4.3.0 Always busy"}, {}),
            ("never", {"RCPT": "450 4.7.1 <you> are not wanted yet"}, {})):
        s[name] = lab.server(name + ".test", **dict({"hooks": hooks}, **more))
    return s


def bounce_of(lab, story, kind):
    """The notice about a message, parsed."""
    for raw in lab.m.wait_messages("bob@exemple.test", 1):
        m = email.message_from_bytes(raw)
        if story.id in raw.decode("utf-8", "replace"):
            rows = m.get_payload()[1].get_payload()
            if rows[1]["Action"] == {"failure": "failed",
                                     "delay": "delayed"}[kind]:
                return m, rows[0], rows[1:]
    return None, {}, []


def mended(days, s):
    """Those who come round have everything once."""
    st = days.stories
    gone = st["grey"].of("deferred")
    ok(gone and "host=mx.grey.test" in gone[0][3] and "Greylisted" in
       gone[0][3], "greylist: told with its server and words")
    ok(300 <= st["grey"].attempts[-1][0] <= 900 and
       len(st["grey"].attempts) == 2, "greylist: the second attempt, after "
       "five to ten minutes, is taken")
    eq(s["grey"].recipients(), ["x@grey.test"], "greylist: once")
    eq(sorted(s["enough"].recipients()),
       ["u%d@enough.test" % k for k in range(7)],
       "421 after two messages: each has arrived, once")
    eq(st["third"].of("deferred")[0][1], "c@third.test",
       "a temporary refusal of the third recipient is his alone")
    eq([m["rcpts"] for m in s["third"].messages],
       [["a@third.test", "b@third.test", "d@third.test", "e@third.test"],
        ["c@third.test"]], "the others have it at once, he by the next one")
    for name, words in (("drop", "closed the connection"),
                        ("slow", "time"), ("half", "time")):
        tries = st[name].of("deferred")
        eq(len(tries), 2, name + ": two attempts fail")
        ok("mx.%s.test" % name in tries[0][3] or words in tries[0][3],
           "%s: told as %s" % (name, tries[0][3][-120:]))
        ok(all(g >= 240 for g in st[name].gaps()),
           name + ": not before some minutes (%s)" % st[name].gaps())
        eq(s[name].recipients(), ["x@%s.test" % name], name + ": once")


def lasting(lab, days, name, status, words, remote=None,
            why=""):
    """What never mends: a delay notice, five days, an honest bounce."""
    st = days.stories[name]
    gaps = st.gaps()
    ok(20 <= len(st.attempts) <= 60, "%s: %d attempts" % (name,
                                                          len(st.attempts)))
    ok(gaps[0] < 20 * 60 and max(gaps) <= 4 * HOUR * 1.125 + HOUR + 60,
       "%s: minutes at first, four hours in the end (%s)" % (
           name, [int(g / 60) for g in gaps[:4] + gaps[-2:]]))
    age = st.of("failed")[0][0]
    ok(5 * DAY <= age <= 5 * DAY + 2 * HOUR, "%s: given up after five days "
       "(%d h)" % (name, age / HOUR))
    eq([k for _, k in st.notices], ["delay", "failure"],
       name + ": one notice of the delay, one bounce")
    ok(4 * HOUR <= st.notices[0][0] <= 9 * HOUR, "%s: the delay is told "
       "after four hours (%d min)" % (name, st.notices[0][0] / 60))
    m, about, rows = bounce_of(lab, st, "delay")
    retry = rows and rows[0]["Will-Retry-Until"]
    ok(retry and abs(email.utils.parsedate_to_datetime(retry).timestamp() -
                     st.begun - 5 * DAY) < 120,
       "%s: the delay says until when (%s)" % (name, retry))
    m, about, rows = bounce_of(lab, st, "failure")
    eq([(r["Final-Recipient"], r["Action"], r["Status"]) for r in rows],
       [("rfc822; x@%s.test" % name, "failed", status)],
       name + ": the bounce names the recipient and the status")
    eq(rows[0]["Remote-MTA"], remote and "dns; " + remote,
       name + ": and whose words they are")
    text = " ".join(m.get_payload()[0].get_payload(
        decode=True).decode().split())
    ok(words in text, "%s: and the words: %s" % (name, words))
    ok(why in text and "for 5 days" in text,
       name + ": why in plain words, and for how long we tried")
    said = lab.m.malle("trace", st.id).stdout
    ok(words in said and "failed for good" in said and
       "the sender was told (delay)" in said and
       "the sender was told (failure)" in said, name + ": trace tells it all")


def main():
    ca = Authority()
    # Long enough for a server of ours that is only slow.
    lab = Lab(clock=True, reply_timeout="10s", authorities=ca.ca,
              providers=PROVIDERS.replace("connections 4", "connections 1"),
              routes="to wrongtls.test direct tls=verify\n"
              "to cleartext.test direct tls=encrypt\n")
    try:
        lab.m.start()
        lab.m.domain("exemple.test", "--language", "en")
        lab.m.user("bob@exemple.test")
        s = servers(lab, ca)
        days = Days(lab)
        days.begun = lab.now()
        for name in ("grey", "drop", "slow", "half", "endless", "wrongtls",
                     "cleartext", "busy", "never", "dead"):
            days.send(name, "x@%s.test" % name)
        days.send("third", *["%s@third.test" % x for x in "abcde"])
        for k in range(7):
            days.send("enough%d" % k, "u%d@enough.test" % k)
        days.until(days.begun + DAY)
        mended(days, s)
        lab.m.stop()
        lab.m.start()
        days.until(days.begun + 3 * DAY)
        # What it has told the log of is in its files when it answers.
        lab.stat()
        lab.m.kill("malle-queued")
        days.until(days.begun + 5 * DAY + 2 * HOUR)
        # A notice that a leap of the clock has cut off is written again after
        # a minute; none is cut off while somebody writes.
        until(lambda: days.all_told(("dead", "endless", "wrongtls",
                                     "cleartext", "busy", "never")) or
              lab.stat()[""]["active"] == 0 and lab.forward(61), step=0.5)
        lasting(lab, days, "dead", "4.4.7", "cannot be reached")
        lasting(lab, days, "endless", "4.4.7", "mx.endless.test")
        lasting(lab, days, "wrongtls", "4.7.5", "mx.wrongtls.test",
                why="could not prove that it is the recipient's")
        lasting(lab, days, "cleartext", "4.7.4", "offers no TLS",
                why="had to be encrypted on its way")
        lasting(lab, days, "busy", "4.4.7", "Always busy", "mx.busy.test")
        lasting(lab, days, "never", "4.7.1", "are not wanted yet",
                "mx.never.test")
        eq([n for n in s if n in ("endless", "wrongtls", "cleartext", "busy",
                                  "never") and s[n].messages], [],
           "nothing went where it must not")
        until(lambda: "queue is empty" in lab.m.malle(
            "queue", "list", check=False).stdout)
        eq(lab.m.malle("queue", "list", "--json").stdout, "",
           "the queue is empty")
        eq(lab.m.violations(), [], "no call outside a role, no crash")
    except BaseException:
        malle.note(lab.m.log()[-6000:])
        raise
    finally:
        lab.close()
        ca.close()
    malle.done()


main()
