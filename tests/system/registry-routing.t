#!/usr/bin/env python3
"""Where mail of an address goes, as data: forwards, catch-alls, robots,
vacations, senders; no loop is ever saved, tried with random graphs (2-13,
2-17, 2-25, 0-29, 0-30, 0-33, 8-02, 8-03, 8-06, 8-15)."""
import os
import random
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import malle  # noqa: E402
import registryd  # noqa: E402
from malle import eq, ok  # noqa: E402

HASH = "$6$saltsalt$" + "a" * 86


def user(r, address="bob@a.test", **fields):
    return r.ask("user.set", address=address, **fields)


def show(r):
    return r.ask("user.show", address="bob@a.test")[0][0]


def forwards(r):
    eq(user(r, forward="x@out.test,y@out.test;eve z@out.test\nx@out.test")[1],
       "ok", "forwards with all four separators (8-06)")
    eq((show(r)["forward"], show(r)["keep"]),
       ("x@out.test\ny@out.test\neve@a.test\nz@out.test", "yes"),
       "a name alone is of its domain; a copy is kept by default (8-03)")
    eq(user(r, keep="no")[1], "ok", "or not")
    eq(user(r, discard="yes")[1], "invalid", "not discarded and forwarded")
    eq(user(r, forward="nobody")[1], "invalid", "not to nobody")
    eq(user(r, forward="bob")[1], "invalid", "not to itself")
    r.ask("alias.add", address="team@a.test", targets="bob")
    eq(user(r, forward="team")[1], "invalid", "nor through an alias (8-15)")
    eq(user(r, address="eve@a.test", forward="team")[1], "invalid",
       "nor through another mailbox")
    eq(user(r, forward="", discard="yes")[1], "ok", "discarded")
    user(r, discard="no", keep="yes")
    eq(user(r, forward="eve")[1], "ok", "to a colleague")
    r.ask("user.delete", address="eve@a.test", force="yes")
    eq(user(r, full_name="Bob")[1], "ok",
       "what does not concern it may change when the colleague is gone")
    ok(any(x["object"] == "bob@a.test" for x in r.ask("check")[0]),
       "and the check tells")
    r.ask("user.restore", address="eve@a.test")
    user(r, forward="")


def vacations(r):
    eq(user(r, vacation="yes")[1], "invalid", "no vacation without a text")
    eq(user(r, vacation="yes", vacation_text="Away.\r\nÀ bientôt.\n",
            vacation_subject="Away", vacation_start="now")[1], "ok",
       "a vacation from now on")
    eq(show(r)["vacation-text"], "Away.\nÀ bientôt.\n", "its text")
    ok("À bientôt.".encode() in r.addresses("a.test")["answer/bob"],
       "0-26: which is in the tables")
    user(r, vacation_text="Gone.")
    ok(b"Gone." in r.addresses("a.test")["answer/bob"], "a new one at once")
    user(r, vacation="no")
    ok("answer/bob" not in r.addresses("a.test"), "0-28: and away with it")
    user(r, vacation="yes", vacation_text="Away.\nÀ bientôt.\n")
    ok(show(r)["vacation-end"] > show(r)["vacation-start"],
       "now means 48 hours (0-29)")
    eq(user(r, vacation_end="2020-01-01")[1], "invalid",
       "no end before the start")
    eq(user(r, vacation_end="")[1], "ok", "an empty end: for ever (0-30)")
    eq(user(r, vacation_start="soon")[1], "invalid", "no date")
    eq(user(r, vacation_text="bad \x01")[1], "invalid", "no control character")
    eq(user(r, vacation_text="x" * 10001)[1], "invalid", "not without end")
    eq(user(r, forward="eve", vacation="yes")[1], "ok",
       "with a forward together (8-02)")
    user(r, forward="", vacation="no")
    for value, verdict in (("domain", "ok"), ("nobody", "ok"), ("nobody a@b.test", "invalid"), ("a@b.test c@d.test", "ok"),
                           ("friends", "invalid"), ("@", "invalid"),
                           ("@Free.Test; a@b.test,@b.test", "ok")):
        eq(user(r, senders=value)[1], verdict, "who may write: " + value)
    eq(show(r)["senders"], "@free.test\na@b.test\n@b.test",
       "domains and addresses, one a line")
    ok(b"@free.test\na@b.test" in r.addresses("a.test")["bob"],
       "and in the tables")
    eq(user(r, senders="everybody")[1], "ok", "everybody may")


def robots(r):
    eq(r.ask("robot.add", address="auto@a.test", subject="Thanks")[1],
       "invalid", "a robot needs a text (2-31)")
    eq(r.ask("robot.add", address="bob@a.test", subject="s", text="t")[1],
       "exists", "and a name of its own")
    eq(r.ask("robot.add", address="auto@a.test", subject="s", text="t")[1],
       "ok", "a robot")
    ok({"auto", "answer/auto"} <= r.addresses("a.test").keys(),
       "2-30: takes mail, and has an answer, without anybody behind it")
    eq(r.ask("robot.set", address="auto@a.test", copy="bob")[1], "ok",
       "with a copy to a person")
    ok(b"bob@a.test" in r.addresses("a.test")["auto"], "who gets it (2-31)")
    eq(r.ask("robot.set", address="auto@a.test", copy="auto")[1], "invalid",
       "never to itself")
    eq(r.ask("domain.show", name="a.test")[0][0]["used-robots"], "1",
       "counted")
    p = r.malle("robot", "add", "merci@a.test", "--subject", "Merci",
                "--text-file", "-", "--copy", "bob@a.test",
                input="Bien reçu.\n")
    eq(p.returncode, 0, "by command, the text from standard input")
    ok("Bien reçu." in r.malle("robot", "show", "merci@a.test").stdout,
       "shown")
    eq(r.malle("robot", "list", "a.test").stdout,
       "auto@a.test\tactive\ts\tbob@a.test\n"
       "merci@a.test\tactive\tMerci\tbob@a.test\n", "and listed")


def catch_alls(r):
    def to(value, domain="a.test", **more):
        return r.ask("domain.set", name=domain, catch_all=value, **more)[1]
    eq(r.ask("domain.show", name="a.test")[0][0]["catch-all"], "refuse",
       "unknown names are refused by default (8-10, 2-14)")
    for value, verdict in (("bob@a.test", "ok"), ("x@out.test", "ok"),
                           ("@out.test", "ok"), ("discard", "ok"),
                           ("nobody@a.test", "invalid"), ("bob", "invalid"),
                           ("@a.test", "invalid"), ("refuse", "ok")):
        eq(to(value), verdict, "catch-all: " + value)
    for value, french, word in (
            ("bob@a.test", False, "spam"), ("bob@a.test", True, "relever"),
            ("discard", False, "will never know"),
            ("discard", True, "n'en saura rien"), ("refuse", False, "")):
        text = r.ask("domain.set", name="a.test", catch_all=value, **(
            {"language_of_answer": "fr"} if french else {}))[2]
        ok(word in text and bool(text) == bool(word),
           "0-41, 2-14: a warning of what it brings: " + text)
    r.ask("domain.add", name="b.test")
    eq(to("@b.test"), "ok", "the same name at another domain")
    eq(to("@a.test", "b.test"), "invalid", "but not back")
    eq(to("x@a.test", "b.test", force="yes"), "invalid",
       "nor to a name that comes back")
    to("bob@a.test")
    eq(user(r, forward="nobody@a.test")[1], "invalid",
       "nor a forward to what the catch-all brings back")
    to("refuse")


# Every address of two domains, what it leads to, and the catch-alls.
def at_random(r):
    rng = random.Random(11)
    r.ask("domain.add", name="c.test", alias_of="a.test")
    names = ["%s%d@%s.test" % (k, n, d) for k in "uv" for n in range(5)
             for d in "ab"]
    graph, refused, saved = {}, 0, 0
    for n in names:
        r.ask("user.add" if n[0] == "u" else "alias.add", address=n,
              **({"hash": HASH} if n[0] == "u" else
                 {"targets": "x@out.test"}))

    def has_loop(start, graph):
        seen, todo = set(), list(graph.get(start, ()))
        while todo:
            x = todo.pop()
            if x == start:
                return True
            if x not in seen:
                seen.add(x)
                todo += graph.get(x, ())
        return False
    wrong = []
    for _ in range(400):
        n = rng.choice(names)
        targets = rng.sample(names, rng.randrange(1, 4))
        written = [t.replace("@a.test", rng.choice(
            ["@a.test", "@c.test", "+tag@a.test"])).upper()
            if rng.random() < 0.5 else t for t in targets]
        kind, field = (("user", "forward") if n[0] == "u" else
                       ("alias", "targets"))
        after = dict(graph, **{n: targets})
        got = r.ask(kind + ".set", address=n, **{field: " ".join(written)})
        loop = has_loop(n, after)
        if got[1] == "ok":
            saved += 1
            graph = after
            if loop:
                wrong.append((n, targets))
        else:
            refused += 1
            if not loop and "more than" not in got[2]:
                wrong.append((n, targets, got))
    eq(wrong, [], "400 random forwards: refused when, and only when, a loop")
    ok(saved > 50 and refused > 50, "%d saved, %d refused" % (saved, refused))


with registryd.Registry() as r:
    r.ask("domain.add", name="a.test")
    r.ask("user.add", address="bob@a.test", hash=HASH)
    r.ask("user.add", address="eve@a.test", hash=HASH)
    forwards(r)
    vacations(r)
    robots(r)
    catch_alls(r)
    at_random(r)
    eq([x for x in r.ask("check")[0]], [], "the check finds no fault")
    dump = r.malle("dump").stdout
    with registryd.Registry() as other:
        eq(other.malle("load", input=dump).returncode, 0, "loaded")
        eq(other.malle("dump").stdout, dump, "the dump of it is the same")
    eq(r.violations(), [], "without leaving its role")
malle.done()
