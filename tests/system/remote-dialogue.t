#!/usr/bin/env python3
"""malle-remote: what it says to servers of all kinds, and whom it gives which
result. Those that break rules: remote-hostile.t."""
# SPDX-License-Identifier: ISC
import os
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import internet
import malle
import remotelab
from internet import Drop, Server
from malle import eq, ok
from remotelab import end, exchange

OK, TEMP, PERM = "ok", "temporary", "permanent"
WIRE = b"Subject: x\r\n\r\nBonjour\r\n"


def test_plain(remote):
    """One message, then ten in a row over the same connection."""
    c, s, (tag,) = exchange(remote)
    r = c.one(tag)
    eq((r["result"], r["code"], r["enhanced"], r["text"]),
       (OK, 250, "2.0.0", "250 2.0.0 Kept"), "a letter is taken")
    eq((r["host"], r["ip"]), ("[127.0.0.1]", "127.0.0.1"), "by whom")
    eq([(m["sender"], m["rcpts"], m["data"]) for m in s.messages],
       [("alice@exemple.test", ["bob@exemple.org"], WIRE)], "as it was sent")
    eq(s.sessions[0].lines, ["EHLO mail.exemple.test",
       "MAIL FROM:<alice@exemple.test> SIZE=23", "RCPT TO:<bob@exemple.org>",
       "DATA"], "with these words")
    tags = [c.job(["bob%d@exemple.org" % i]) for i in range(10)]
    ok(c.wait(*tags), "ten more")
    eq(sorted(s.recipients()[1:]), sorted("bob%d@exemple.org" % i for i in
                                          range(10)), "each once")
    eq(len(s.sessions), 1, "over one connection")
    c.close()
    s.sessions[0].ended.wait(malle.PATIENCE)
    eq(s.sessions[0].lines[-1], "QUIT", "which ends with QUIT")
    s.close()


def test_pipelined(remote):
    """The content of one and the envelope of the next leave together."""
    first, go = threading.Event(), threading.Event()
    behind = []

    def at_end(session, data):
        if session.messages == 0:
            first.set()
            go.wait(malle.PATIENCE)
        elif session.messages < 3:
            while b"DATA\r\n" not in session.buffer:
                session._more()
            behind.append(session.buffer)
    s = Server(hooks={"END": at_end})
    c, _ = remote.connect(s)
    tags = [c.job(["b0@x.org"])]
    first.wait(malle.PATIENCE)
    tags += [c.job(["b%d@x.org" % i]) for i in range(1, 4)]
    go.set()
    ok(c.wait(*tags), "four jobs are done")
    eq(behind, [b"MAIL FROM:<alice@exemple.test> SIZE=23\r\nRCPT TO:<b%d@"
                b"x.org>\r\nDATA\r\n" % i for i in (2, 3)],
       "the next envelope is there before the reply to the content")
    eq(s.recipients(), ["b%d@x.org" % i for i in range(4)], "each once")
    end(c, s)


def test_no_pipelining(remote):
    late = []

    def mail(session, line):
        time.sleep(0.05)
        session.conn.setblocking(False)
        try:
            session._more()
        except (OSError, Drop):
            pass
        session.conn.setblocking(True)
        late.append(session.buffer)
    c, s, tags = exchange(remote, ["a@x.org", "b@x.org"], 2,
                          extensions=("8BITMIME",), hooks={"MAIL": mail})
    eq(late, [b"", b""], "without PIPELINING every command waits")
    eq([c.of(t) for t in tags], [{0: [(OK, 250)], 1: [(OK, 250)]}] * 2,
       "and all is well")
    end(c, s)
    c, s, (tag,) = exchange(remote, hooks={"EHLO": "502 5.5.1 No"},
                            job=dict(flags=remotelab.QM_8BIT))
    eq((c.of(tag), s.sessions[0].lines[1], s.sessions[0].lines[2]),
       ({0: [(OK, 250)]}, "HELO mail.exemple.test",
        "MAIL FROM:<alice@exemple.test>"), "a server that knows HELO only")
    end(c, s)


def test_refusals(remote):
    three = ["a@x.org", "b@x.org", "c@x.org"]

    def second(session, line):
        return "550 5.1.1 No such user" if "<b@" in line else None

    def third(session, line):
        return "450 4.2.0 Greylisted" if "<c@" in line else None
    for kind, more in (("PIPELINING", ()), ("one by one", ("SIZE",))):
        ext = Server.EXTENSIONS if not more else more
        c, s, tags = exchange(remote, three, 2, extensions=ext,
                              hooks={"RCPT": second})
        eq([c.of(t) for t in tags],
           [{0: [(OK, 250)], 1: [(PERM, 550)], 2: [(OK, 250)]}] * 2,
           kind + ": a recipient is refused")
        eq(s.recipients(), ["a@x.org", "c@x.org"] * 2, "the others have it")
        end(c, s)
        c, s, tags = exchange(remote, three, 2, extensions=ext,
                              hooks={"RCPT": third})
        eq([c.of(t) for t in tags],
           [{0: [(OK, 250)], 1: [(OK, 250)], 2: [(TEMP, 450)]}] * 2,
           kind + ": the third is to come later")
        end(c, s)
        c, s, tags = exchange(remote, three, 3, extensions=ext, hooks={
            "RCPT": lambda x, line: "550 5.1.1 No" if x.messages == 0 and
            len([l for l in x.lines if l.startswith("RCPT")]) <= 3 else None})
        eq([c.of(t) for t in tags], [{i: [(PERM, 550)] for i in range(3)}] +
           [{i: [(OK, 250)] for i in range(3)}] * 2,
           kind + ": all are refused, the next messages go")
        end(c, s)
        c, s, tags = exchange(remote, three, 2, extensions=ext, hooks={
            "MAIL": lambda x, line: "451 4.7.1 Slow" if len(
                [l for l in x.lines if l.startswith("MAIL")]) == 1 else None})
        eq([c.of(t) for t in tags], [{i: [(TEMP, 451)] for i in range(3)}] +
           [{i: [(OK, 250)] for i in range(3)}],
           kind + ": a sender is refused, the next message goes")
        end(c, s)
        c, s, tags = exchange(remote, three, 2, extensions=ext, hooks={
            "RCPT": second,
            "DATA": lambda x, line: "554 5.7.1 Policy" if len(
                [l for l in x.lines if l.startswith("DATA")]) == 1 else None})
        eq([c.of(t) for t in tags],
           [{0: [(PERM, 554)], 1: [(PERM, 550)], 2: [(PERM, 554)]},
            {0: [(OK, 250)], 1: [(PERM, 550)], 2: [(OK, 250)]}],
           kind + ": DATA is refused")
        ok("RSET" in s.sessions[0].lines, "and RSET follows")
        end(c, s)
        c, s, tags = exchange(remote, three, 2, extensions=ext, hooks={
            "RCPT": second,
            "END": lambda x, line: "552 5.2.2 Full" if x.messages == 0
            else None})
        eq([c.of(t) for t in tags],
           [{0: [(PERM, 552)], 1: [(PERM, 550)], 2: [(PERM, 552)]},
            {0: [(OK, 250)], 1: [(PERM, 550)], 2: [(OK, 250)]}],
           kind + ": the content is refused")
        end(c, s)
        # All recipients refused, but the server asks for the content.
        c, s, tags = exchange(remote, three, 2, extensions=ext, hooks={
            "RCPT": lambda x, line: "550 5.1.1 No" if len(
                [l for l in x.lines if l.startswith("RCPT")]) <= 3 else None,
            "DATA": lambda x, line: (x.say("354 All the same"), x.content(),
                                     "250 2.0.0 Thanks")[2] if len(
                [l for l in x.lines if l.startswith("DATA")]) == 1 and
            not x.rcpts else None})
        eq([c.of(t) for t in tags], [{i: [(PERM, 550)] for i in range(3)},
                                     {i: [(OK, 250)] for i in range(3)}],
           kind + ": nobody is left, but the server wants the content")
        end(c, s)
    c, s, (tag,) = exchange(remote, three, hooks={
        "RCPT": lambda x, line: "552 Enough" if "<c@" in line else None})
    eq(c.of(tag)[2], [(TEMP, 552)], "552 behind one that was taken may be of "
       "too many recipients: temporary")
    end(c, s)


def test_too_many(remote):
    """More recipients than a server takes at a time: the rest goes at once."""
    many = ["b%d@x.org" % i for i in range(25)]
    all_ok = {i: [(OK, 250)] for i in range(25)}
    for ext in (("PIPELINING",), (), ("PIPELINING", "CHUNKING")):
        for reply in ("452 4.5.3 Enough of them", "452 Too many recipients",
                      "552 5.5.3 Too many recipients"):
            c, s, tags = exchange(remote, many, 2, extensions=ext, hooks={
                "RCPT": lambda x, line: reply if len(x.rcpts) >= 10 else
                None})
            eq([c.of(t) for t in tags], [all_ok, all_ok],
               "%s %s: all have it" % (" ".join(ext), reply))
            eq([len(m["rcpts"]) for m in s.messages], [10, 10, 5] * 2,
               "ten at a time, each once")
            eq((sorted(set(s.recipients())), len(s.sessions)),
               (sorted(many), 1), "over one connection")
            end(c, s)
    c, s, (tag,) = exchange(remote, many[:6], hooks={
        "RCPT": lambda x, line: "550 5.1.1 No" if "<b1@" in line else
        "452 4.2.2 Full" if "<b2@" in line else
        "452 4.5.3 Two only" if len(x.rcpts) >= 2 else None})
    eq(c.of(tag), {0: [(OK, 250)], 1: [(PERM, 550)], 2: [(TEMP, 452)],
                   3: [(OK, 250)], 4: [(OK, 250)], 5: [(OK, 250)]},
       "beside refusals of other kinds")
    eq([m["rcpts"] for m in s.messages], [["b0@x.org", "b3@x.org"],
                                          ["b4@x.org", "b5@x.org"]],
       "two at a time")
    end(c, s)
    c, s, (tag,) = exchange(remote, many[:3], hooks={
        "RCPT": "452 4.5.3 None at all"})
    eq(c.of(tag), {i: [(TEMP, 452)] for i in range(3)},
       "a server that takes nobody is not asked without end")
    end(c, s)

    def drop(session, line):
        if session.messages == 1:
            raise Drop()
    c, s, (tag,) = exchange(remote, many[:3], hooks={
        "RCPT": lambda x, line: "452 4.5.3 One" if x.rcpts else None,
        "MAIL": drop})
    eq(c.of(tag), {0: [(OK, 250)]}, "lost before the next: they have no "
       "result, and go elsewhere")
    end(c, s)


def test_verp(remote):
    c, s, (tag,) = exchange(
        remote, ["bob@x.org", '"a b"@x.org', "c+d@y.org"],
        job=dict(verp=True, sender="news@exemple.test"))
    eq([(m["sender"], m["rcpts"]) for m in s.messages],
       [("news+bob=x.org@exemple.test", ["bob@x.org"]),
        ('"news+a b=x.org"@exemple.test', ['"a b"@x.org']),
        ("news+c+d=y.org@exemple.test", ["c+d@y.org"])],
       "VERP: each recipient has a sender of its own")
    eq(c.of(tag), {i: [(OK, 250)] for i in range(3)}, "and a result")
    end(c, s)


def test_parameters(remote):
    rows = [("bob@x.org", remotelab.QN_SUCCESS | remotelab.QN_FAILURE,
             "rfc822;bob+x=1@x.org"),
            ("eve@x.org", remotelab.QN_NEVER, "")]
    c, s, (tag,) = exchange(remote, rows, job=dict(
        flags=remotelab.QM_RET_HDRS, envid="a+b =c"))
    eq(s.messages[0]["mail_line"], "MAIL FROM:<alice@exemple.test> SIZE=23 "
       "RET=HDRS ENVID=a+2Bb+20+3Dc", "RET and ENVID are passed on")
    eq(s.messages[0]["rcpt_lines"],
       ["RCPT TO:<bob@x.org> NOTIFY=SUCCESS,FAILURE "
        "ORCPT=rfc822;bob+2Bx+3D1@x.org", "RCPT TO:<eve@x.org> NOTIFY=NEVER"],
       "NOTIFY and ORCPT too")
    ok(c.one(tag)["dsn"], "the next server will tell of success")
    end(c, s)
    c, s, (tag,) = exchange(remote, rows, extensions=("PIPELINING",),
                            job=dict(flags=remotelab.QM_RET_HDRS, envid="x"))
    eq((s.messages[0]["mail_line"], s.messages[0]["rcpt_lines"][0],
        c.one(tag)["dsn"]),
       ("MAIL FROM:<alice@exemple.test>", "RCPT TO:<bob@x.org>", False),
       "a server without DSN and SIZE gets neither")
    end(c, s)
    c, s, (tag,) = exchange(remote, job=dict(sender=""))
    eq(s.messages[0]["mail_line"], "MAIL FROM:<> SIZE=23", "the null sender")
    end(c, s)
    c, s, (tag,) = exchange(remote, extensions=("SIZE 20",))
    eq((c.one(tag)["result"], c.one(tag)["enhanced"], c.one(tag)["cause"]),
       (PERM, "5.3.4", "unsupported"), "too big for the server")
    eq(len(s.sessions[0].lines), 1, "which is not even asked")
    end(c, s)
    utf8 = dict(flags=remotelab.QM_UTF8)
    c, s, (tag,) = exchange(remote, ["é@x.org"], job=utf8)
    eq((c.one(tag)["result"], c.one(tag)["enhanced"]), (PERM, "5.6.7"),
       "no SMTPUTF8 there")
    end(c, s)
    c, s, (tag,) = exchange(remote, ["é@x.org"], job=utf8,
                            extensions=("SMTPUTF8", "8BITMIME"))
    eq((c.one(tag)["result"], s.messages[0]["mail_line"]),
       (OK, "MAIL FROM:<alice@exemple.test> SMTPUTF8"), "SMTPUTF8 there")
    end(c, s)
    c, s, (tag,) = exchange(remote, job=utf8)
    eq(c.one(tag)["result"], OK, "SMTPUTF8 asked for, but not needed")
    end(c, s)
    c, s, (tag,) = exchange(remote, job=dict(flags=remotelab.QM_REQUIRETLS))
    eq((c.one(tag)["result"], c.one(tag)["enhanced"]), (PERM, "5.7.30"),
       "REQUIRETLS cannot be had there")
    end(c, s)
    c, s, (tag,) = exchange(remote, ["r%d@x.org" % i for i in range(25)],
                            extensions=("PIPELINING",
                                        "LIMITS RCPTMAX=10 MAILMAX=100"))
    eq([len(m["rcpts"]) for m in s.messages], [10, 10, 5], "RCPTMAX is obeyed")
    eq(c.of(tag), {i: [(OK, 250)] for i in range(25)}, "25 results")
    end(c, s)


def wire(content):
    out = content.replace(b"\n", b"\r\n")
    return out if not out or out.endswith(b"\r\n") else out + b"\r\n"


def test_content(remote):
    contents = {
        "dots": b"Subject: x\n\n.\n..\n.x\nend.\n",
        "no final newline": b"Subject: x\n\nabc",
        "empty": b"",
        "only a dot": b".",
        "8-bit": b"Subject: x\n\n\xe9\xff\n.\n\0\n",
        "long line": b"Subject: x\n\n" + b"x" * 100000 + b"\n",
        "300 KB": b"Subject: x\n\n" + b"..ab\n" * 60000,
        "300 KB, 8-bit": b"Subject: x\n\n" + b".\xe9ab\n" * 60000,
        "5 MB": b"Subject: x\n\n" + b".0123456789012345678901\n" * 220000,
    }
    base = ("PIPELINING", "8BITMIME", "SIZE 100000000")
    for ext in (base, base + ("CHUNKING",), ("SIZE",), ("CHUNKING", "SIZE")):
        s = Server(extensions=ext)
        c, _ = remote.connect(s)
        tags = [c.job(["b@x.org"], content=x) for x in contents.values()]
        ok(c.wait(*tags), "contents to a server with " + " ".join(ext))
        for (name, x), m in zip(contents.items(), s.messages):
            want = wire(x)
            high = any(b > 127 for b in x)
            ok(m["data"] == want, name + " as it was stored")
            eq((m["how"], " BODY=8BITMIME" in m["mail_line"],
                "SIZE=%d" % len(want) in m["mail_line"]),
               ("BDAT" if high and "CHUNKING" in ext else "DATA",
                high and "8BITMIME" in ext, True), "how, BODY and SIZE")
        end(c, s)
    # CHUNKING and refusals
    high = b"Subject: x\n\n\xe9\n"
    ext = base + ("CHUNKING",)
    c, s, tags = exchange(
        remote, ["a@x.org", "b@x.org"], 3, extensions=ext,
        job=dict(content=high),
        hooks={"END": lambda x, d: "554 5.7.1 Spam" if x.messages == 1
               else None,
               "RCPT": lambda x, line: "550 5.1.1 No" if "<a@" in line
               else None})
    eq([c.of(t) for t in tags],
       [{0: [(PERM, 550)], 1: [(OK, 250)]}, {0: [(PERM, 550)],
        1: [(PERM, 554)]}, {0: [(PERM, 550)], 1: [(OK, 250)]}],
       "BDAT: one is refused, the next goes")
    end(c, s)
    c, s, tags = exchange(
        remote, ["a@x.org"], 2, extensions=ext, job=dict(content=high),
        hooks={"RCPT": lambda x, line: "550 5.1.1 No" if len(
            [l for l in x.lines if l.startswith("RCPT")]) == 1 else None})
    eq([c.of(t) for t in tags], [{0: [(PERM, 550)]}, {0: [(OK, 250)]}],
       "BDAT is not sent for nobody")
    end(c, s)
    # A queue file that is shorter than it should be: nothing of it is sent.
    c, s, (tag,) = exchange(remote, job=dict(length=1000))
    eq((c.one(tag)["result"], s.messages), (TEMP, []),
       "a file that cannot be read")
    end(c, s)


def test_hosts(remote):
    port = internet.shared_port(["127.0.0.2", "127.0.0.3"])
    s = Server("127.0.0.3", port)
    c = remote.carrier()
    what, reply = c.route([(10, "[127.0.0.2]", port), (20, "[127.0.0.3]",
                                                       port)])
    eq((what, reply["ip"]), ("ready", "127.0.0.3"), "the second host is tried")
    end(c, s)
    c = remote.carrier()
    what, reply = c.route([(10, "[127.0.0.2]", port)])
    eq((what, reply["result"], reply["cause"], reply["enhanced"]),
       ("failed", TEMP, "connect", "4.4.1"), "nobody is there")
    ok("Connection refused" in reply["text"], "and the reason is told")
    for greeting, result in (("554 5.3.2 Go away", PERM),
                             ("421 4.3.2 Busy", TEMP), ("220", "ready")):
        s = Server("127.0.0.2", port, hooks={"CONNECT": greeting})
        c = remote.carrier()
        what, reply = c.route([(10, "[127.0.0.2]", port)])
        eq(reply["result"] if what == "failed" else what, result,
           "greeting " + greeting)
        c.close()
        c = remote.carrier()
        what, reply = c.route([(10, "[127.0.0.2]", port),
                               (20, "[127.0.0.3]", port)])
        if what == "failed":
            eq(reply["result"], TEMP, "with another host that may come back")
        end(c, s)
    s = Server("127.0.0.2", remote.port, name="mail.exemple.test")
    c, (what, reply) = remote.connect(s)
    eq((what, reply["enhanced"], reply["result"]), ("failed", "5.4.6", PERM),
       "mail that comes back to ourselves")
    end(c, s)
    s = Server("127.0.0.2", port, name="mail.exemple.test")
    c, (what, reply) = remote.connect(s)
    eq(what, "ready", "a smarthost of our name at another port")
    end(c, s)


def test_auth(remote):
    login = ("relay@exemple.test", "secret word")
    for mechanisms in ("PLAIN LOGIN", "LOGIN"):
        c, s, tags = exchange(
            remote, route=dict(user=login[0], password=login[1], domain=""),
            extensions=("AUTH " + mechanisms, "PIPELINING"), login=login)
        eq(len(s.messages), 1, "AUTH " + mechanisms)
        end(c, s)
        c, s, tags = exchange(
            remote, route=dict(user=login[0], password="wrong", domain=""),
            extensions=("AUTH " + mechanisms, "PIPELINING"), login=login)
        eq((c.failed["result"], c.failed["code"]), (TEMP, 535),
           "a wrong password does not return mail")
        end(c, s)
    ok("secret" not in remote.log(), "no password in the log")


def main():
    port = internet.shared_port(["127.0.0.1", "127.0.0.2"])
    with remotelab.Remote(dict(remote_port=port)) as remote:
        remote.port = port
        remote.run((test_plain, test_pipelined, test_no_pipelining,
                    test_refusals, test_too_many, test_verp,
                    test_parameters, test_content, test_hosts, test_auth))
    malle.done()


main()
