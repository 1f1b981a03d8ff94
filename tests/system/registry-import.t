#!/usr/bin/env python3
"""registry-import - mailboxes of a file, and of a person's name.

malle user import judges each line by the registry's own code, makes the good ones and reports each; malle user add
--first --last makes the login that it has shown.
"""
import json
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import malle
import registryd
from malle import eq, ok

PASSWORD = "correct horse battery"


def names(r, domain="a.test"):
    return [x["name"].split("@")[0] for x in r.ask("user.list", domain=domain)[0]]


def run(r, text, *options, lang="C", encoding="utf-8"):
    """Exit status, the cells of the report's lines, standard error."""
    path = os.path.join(r.dir, "file.csv")
    with open(path, "wb") as f:
        f.write(text.encode(encoding) if isinstance(text, str) else text)
    p = r.malle("user", "import", path, *options, lang=lang)
    return p.returncode, [l.split("\t") for l in p.stdout.splitlines()], p.stderr


def lines(r):
    text = ("address;full-name;password;quota\n"
            "ann@a.test;Ann Durand;%s;1G\n"
            "\n"
            "bob@a.test;\"Bob; the \"\"builder\"\"\";%s;\n"
            "c..d@a.test;;;\n"
            "eve@nowhere.test;;;\n"
            "fay@a.test;Fay;short;\n"
            "ann@a.test;again;;\n"
            "postmaster@a.test;;;\n"
            "gus@a.test;;;lots\n"
            "hal@a.test;;;;;x\n" % (PASSWORD, PASSWORD))
    status, rows, err = run(r, text, "--dry-run")
    eq(status, 65, "bulk: a dry run with bad lines fails")
    eq([(x[0], x[1], x[2]) for x in rows],
       [("2", "ok", "ann@a.test"), ("4", "ok", "bob@a.test"), ("5", "bad", "c..d@a.test"), ("6", "bad", "eve@nowhere.test"), ("7", "bad", "fay@a.test"),
        ("8", "bad", "ann@a.test"), ("9", "bad", "postmaster@a.test"), ("10", "bad", "gus@a.test"), ("11", "bad", "-")],
       "bulk: and says which, in the order of the lines")
    ok(all(len(x[3]) > 10 for x in rows if x[1] == "bad"), "bulk: and why, each")
    eq(names(r), ["postmaster"], "bulk: nothing is made")
    ok(PASSWORD not in err and not any(PASSWORD in c for x in rows for c in x), "bulk: no password of the file is shown")
    status, rows, err = run(r, text, "--all-or-nothing")
    eq((status, names(r)), (65, ["postmaster"]), "bulk: all or nothing: nothing")
    status, rows, err = run(r, text)
    eq(status, 65, "bulk: without it the good ones are made")
    eq([(x[0], x[1]) for x in rows], [("2", "made"), ("4", "made")] + [(str(n), "bad") for n in range(5, 12)],
       "bulk: and each is told in its place")
    eq(names(r), ["ann", "bob", "postmaster"], "bulk: they are there")
    ok("7 bad, 2 made" in err, "bulk: counted: " + err.strip())
    row = r.ask("user.show", address="bob@a.test")[0][0]
    eq(row["full-name"], 'Bob; the "builder"', "bulk: quotes are understood")
    eq(r.ask("user.show", address="ann@a.test")[0][0]["quota-bytes"], str(1 << 30), "bulk: sizes as everywhere")
    eq(r.ask("user.show", address="ann@a.test", current=PASSWORD, **{"as": "ann@a.test"})[1], "ok",
       "bulk: the password is the one of the file")
    status, rows, err = run(r, text)
    eq((status, [x[1] for x in rows].count("made")), (65, 0), "bulk: a second time they exist")


def people(r):
    """Accents, namesakes, other separators and encodings, titles in French."""
    text = ("\ufeffPrénom,Nom,Domaine,Mot de passe\r\n"
            "Élodie,Lefèvre,a.test,\r\n"
            "Émile,Lefèvre,a.test,\r\n"
            "Anne,Buse,a.test,\r\n")
    status, rows, err = run(r, text, "--dry-run", lang="fr_FR.UTF-8")
    eq((status, [x[2] for x in rows]), (0, ["elefevre@a.test", "elefevre2@a.test", "abuse2@a.test"]),
       "3-07: logins of a file, none twice, none reserved")
    status, rows, err = run(r, text, "--random", "--must-change", lang="fr_FR.UTF-8")
    eq((status, [x[1] for x in rows]), (0, ["créée"] * 3), "3-07: made, told in French: " + err.strip())
    row = r.ask("user.show", address="elefevre2@a.test", current=rows[1][3], **{"as": "elefevre2@a.test"})
    ok(row[1] == "refused" and "user passwd" in row[2], "bulk: with a password shown once, to be changed")
    row = r.ask("user.show", address="elefevre2@a.test")[0][0]
    eq((row["full-name"], row["must-change"], row["password"]), ("Émile Lefèvre", "yes", "set"), "bulk: and the name")
    text = "identifiant;nom complet\nzoe;Zoé Œuvré\n"
    status, rows, err = run(r, text, "--domain", "a.test", encoding="cp1252")
    eq((status, [x[1:3] for x in rows]), (0, [["made", "zoe@a.test"]]), "bulk: a file of an old spreadsheet")
    row = r.ask("user.show", address="zoe@a.test")[0][0]
    eq((row["full-name"], row["password"]), ("Zoé Œuvré", "locked"), "bulk: no password: locked")
    p = r.malle("--json", "user", "import", "-", "--random", input="email\nyan@a.test\nyan@nowhere.test\n")
    got = [json.loads(l) for l in p.stdout.splitlines()]
    ok([g["result"] for g in got] == ["made", "bad"] and len(got[0]["password"]) == 19 and "password" not in got[1],
       "bulk: from standard input, in JSON")


def files(r):
    for text, why in (("", "empty"), ("foo;bar\n1;2\n", "must name the columns"), (b"address\n\0\n", "")):
        status, rows, err = run(r, text)
        ok(status == 65 and why in err, "bulk: no file of addresses: " + err.strip()[:60])
    status, rows, err = run(r, "address,full-name\nq1@a.test,\"open\nq2@a.test,x\n")
    ok(status == 65 and rows[-1][1] == "bad" and "q1" not in names(r), "bulk: a quote that stays open")
    status, rows, err = run(r, "address,shoe-size\nq1@a.test,43\n")
    ok(status == 65 and "shoe-size" in rows[0][3], "bulk: an attribute that does not exist")
    eq(r.malle("user", "import", "/nonexistent").returncode, 66, "bulk: no such file")
    eq(r.malle("user", "import").returncode, 64, "bulk: its usage")


def room(r):
    """Each line fits, all together do not."""
    r.ask("client.add", name="acme", max_bytes="3G")
    r.ask("domain.add", name="l.test", max_mailboxes="3", client="acme")
    text = "address,quota\n" + "".join("u%d@l.test,1G\n" % i for i in range(3))
    status, rows, err = run(r, text, "--dry-run")
    eq(status, 65, "bulk: too many together")
    eq([x[:3] for x in rows if x[1] == "bad"], [["0", "bad", "l.test"], ["0", "bad", "acme"]],
       "bulk: for the domain, and for its customer's storage")
    status, rows, err = run(r, text, "--all-or-nothing")
    eq((status, names(r, "l.test")), (65, ["postmaster"]), "bulk: all or nothing")
    status, rows, err = run(r, text)
    eq((status, names(r, "l.test")), (65, ["postmaster", "u0", "u1"]), "bulk: as many as there is room for")
    ok("3 sur 3 boîtes" in run(r, text, lang="fr_FR.UTF-8")[1][-1][3], "bulk: the refusal in French")


def managers(r):
    r.ask("manager.add", name="chief", password=PASSWORD, domains="a.test")
    p = r.malle("--as", "chief", "user", "import", "-", "--dry-run", input=PASSWORD + "\naddress\nx1@a.test\nx1@l.test\n")
    got = [l.split("\t")[1:3] for l in p.stdout.splitlines()]
    eq(got, [["ok", "x1@a.test"], ["bad", "x1@l.test"]], "bulk: a manager's own domains only: " + p.stderr.strip())


HASH = "$6$saltsalt$" + "a" * 86
TABLE = ("public", "tables", "domains", "m.test.cdb")
MANY = 1001  # lines, of which one is bad: two full requests


def many(r):
    """A large file: a table for many lines, and each line for itself all the same."""
    r.ask("domain.add", name="m.test")
    text = "address,hash\n" + "".join("u%d@m.test,%s\n" % (i, "bad" if i == 700 else HASH) for i in range(MANY))
    before = r.generation(*TABLE)
    status, rows, err = run(r, text, "--dry-run")
    eq((status, [x[1] for x in rows].count("ok")), (65, MANY - 1), "many: judged")
    eq(r.generation(*TABLE), before, "many: without a table")
    status, rows, err = run(r, text)
    eq([(x[0], x[1]) for x in rows], [(str(i + 2), "bad" if i == 700 else "made") for i in range(MANY)],
       "many: each is told in its place, one is bad")
    eq(len(r.addresses("m.test")), MANY + 1, "many: the table has them (and postmaster, abuse)")
    eq(r.generation(*TABLE) - before, 2, "many: compiled once for each request, not for each line")
    entries = [x for x in r.ask("journal", name="m.test")[0] if x["operation"] == "user.add"]
    eq((len(entries), {x["id"] == x["request"] for x in entries}), (MANY - 1, {True}), "many: each in the journal for itself")
    eq(r.malle("undo", entries[3]["id"]).returncode, 0, "many: one is undone")
    eq(len(names(r, "m.test")), MANY - 1, "many: and no other")
    status, rows, err = run(r, text)
    eq((status, [x[1] for x in rows].count("bad")), (65, MANY), "many: a second time they exist")
    eq(r.ask("check")[0], [], "many: the tables as the registry")
    status, rows, err = run(r, "address,hash\nU0@m.test,!\nNew@m.test,!\nnew@M.test,!\n")
    long = "address,vacation-text\n" + "".join("v%d@m.test,%s\n" % (i, "x" * 9000) for i in range(60))
    eq([x[1] for x in run(r, long)[1]], ["made"] * 60, "many: of long lines fewer go in a request")
    eq([x[1] for x in run(r, "address\nwebmaster@m.test\n")[1] + run(r, "address\nwebmaster@m.test\n", "--force")[1]], ["bad", "made"],
       "many: with --force a name that is no person's")
    eq([x[1] for x in rows], ["bad", "made", "bad"], "many: twice is twice however it is written: " + rows[2][3])


def full(r):
    """A limit that is reached in the middle stops its own domain only."""
    r.ask("domain.add", name="f.test", max_mailboxes="3")
    status, rows, err = run(r, "address\n" + "".join("f%d@%s\n" % (i, d) for i in range(4) for d in ("f.test", "m.test")))
    eq([x[1] for x in rows if "@m." in x[2]], ["made"] * 4, "many: beside a domain that is full")
    eq([x[1] for x in rows if "@f." in x[2]], ["made", "made", "bad", "bad"], "many: as many as it may have")


def protocol(r):
    """user.import itself: what a line may not say of itself, and how long a request may be."""
    def line(name, **fields):
        return dict({"address": name + "@m.test", "hash": "!"}, **fields)

    rows, verdict, text = r.ask_long("user.import", [line("p1", check="yes", force="yes"), line("info", force="yes"),
                                                     line("p2", **{"from": "\n\n", "as": "chief", "current": "x"})])
    eq((verdict, registryd.verdicts(rows)), ("ok", ["ok", "invalid", "ok"]), "lines: what all share no line says otherwise")
    entry = r.ask("journal", name="p2@m.test")[0][0]
    eq((entry["account"], entry.get("from")), ("", None), "lines: nor who asks, and from where")
    eq([x["name"] for x in rows if "name" in x], ["p1@m.test", "p2@m.test"], "lines: what was made is shown")
    rows, verdict, text = r.ask_long("user.import", [line("p3", password=PASSWORD), {"hash": "!"}, line("p4", quota_bytes="1"), line("p5")])
    eq((verdict, registryd.verdicts(rows)), ("ok", ["invalid"] * 3 + ["ok"]), "lines: a password is not hashed there, an address is needed")
    ok("p3" not in names(r, "m.test"), "lines: no mailbox whose password was not taken")
    rows, verdict, text = r.ask_long("user.import", [line("p6", password=PASSWORD), line("p7", password="short"), line("p7")], check="yes")
    eq(registryd.verdicts(rows), ["ok", "invalid", "ok"], "lines: but judged")
    ok(not {"p6", "p7"} & set(names(r, "m.test")), "lines: and nothing is made")
    for what, lines in (("too many", [line("q%d" % i) for i in range(501)]),
                        ("too large", [line("q%d" % i, note="x" * 59000) for i in range(5)])):
        eq(r.ask_long("user.import", lines)[:2], ([], "invalid"), "lines: %s for one request" % what)
    ok("q0" not in names(r, "m.test"), "lines: none of those is made")
    rows, verdict, text = r.ask_long("user.import", [line("r%d" % i) for i in range(500)])
    eq(registryd.verdicts(rows), ["ok"] * 500, "lines: just as many as may be")
    eq(r.ask_long("user.import", [])[:2], ([], "ok"), "lines: and none")
    with r.connect() as s:
        s.send(registryd.request("user.import", []))
        s.send(registryd.more(line("s1")))
        eq(r.ask("user.add", address="s2@m.test", hash="!")[1], "ok", "lines: nobody waits for a request that is not whole")
    with r.connect() as s:
        s.send(registryd.request("user.import", []))
        s.send(b"\2\0\xff\xff")
        s.send(registryd.more(line("s3")))
        s.send(b"\3\0")
        eq(registryd.verdicts(registryd.answer(s)[0]), ["invalid", "ok"], "lines: one that is malformed")
    ok("s1" not in names(r, "m.test"), "lines: what did not end is not made")


def asker(r):
    """Who asks is proved once, before a line is taken; each line is then theirs or not."""
    r.ask("manager.add", name="maker", password=PASSWORD, domains="m.test", create="user")
    r.ask("manager.add", name="seer", password=PASSWORD, domains="m.test", create="alias")
    r.ask("manager.add", name="gone", password=PASSWORD, domains="m.test", create="user", state="suspended")
    r.ask("user.add", address="own@m.test", password=PASSWORD)
    lines = [{"address": a, "hash": "!"} for a in ("t1@m.test", "t2@a.test", "t3@m.test")]
    rows, verdict, text = r.ask_long("user.import", lines, current=PASSWORD, **{"as": "maker"})
    eq((verdict, registryd.verdicts(rows)), ("ok", ["ok", "refused", "ok"]), "asker: a manager's own domains only")
    eq(r.ask("journal", name="t3@m.test")[0][0]["account"], "maker", "asker: in the manager's name")
    for name, password in (("seer", PASSWORD), ("gone", PASSWORD), ("own@m.test", PASSWORD), ("maker", "wrong"), ("nobody", "wrong")):
        got = r.ask_long("user.import", [{"address": "no@m.test", "hash": "!"}], current=password, **{"as": name})
        eq(got[:2], ([], "refused"), "asker: %s may not: %s" % (name, got[2][:60]))
    got = r.ask_long("user.import", [{"address": "no@m.test", "hash": "!"}] * 501, current=PASSWORD, **{"as": "own@m.test"})
    eq(got[:2], ([], "refused"), "asker: and of whom it is refused no line is taken")
    p = r.malle("--as", "maker", "user", "import", "-", "--random", input=PASSWORD + "\naddress\nt4@m.test\nt4@a.test\n")
    got = [l.split("\t") for l in p.stdout.splitlines()]
    eq([x[1] for x in got], ["made", "bad"], "asker: malle user import --as: " + p.stderr.strip())
    eq(r.ask("user.show", address="t4@m.test", current=got[0][3], **{"as": "t4@m.test"})[1], "ok", "asker: with the password shown")
    ok("\tscram=SCRAM-SHA-256$" in r.malle("dump").stdout.split("user t4@m.test\n")[1].split("\nuser ")[0], "asker: and its keys")
    ok("no" not in names(r, "m.test"), "asker: nothing was made of what was refused")


def person(r):
    p = r.malle("user", "add", "--first", "Pierre", "--last", "Martin", "a.test", "--locked")
    eq((p.returncode, p.stdout), (0, "login: pmartin@a.test\n"), "3-07: the login is shown, then made")
    p = r.malle("user", "add", "--first", "Paul", "--last", "Martin", "a.test", "--random", lang="fr_FR.UTF-8")
    shown = p.stdout.splitlines()
    ok(shown[0] == "identifiant : pmartin2@a.test" and shown[1].startswith("pmartin2@a.test "), "3-07: then pmartin2")
    eq(r.ask("user.show", address="pmartin2@a.test")[0][0]["full-name"], "Paul Martin", "3-07: with the name")
    p = r.malle("user", "add", "--first", "Ida", "--last", "Nfo", "a.test", "--locked")
    eq(p.stdout, "login: info2@a.test\n",
       "3-12: not the name of a function")
    eq(r.malle("user", "add", "--first", "Ida", "a.test").returncode, 64, "3-07: both names are needed")
    p = r.malle("user", "add", "--first", "Ann", "--last", "Other", "nowhere.test", "--locked")
    ok(p.returncode == 67 and p.stdout == "", "3-07: not in a domain that is not here")
    p = r.malle("user", "add", "--first", "Kay", "--last", "Short", "a.test", "--password-stdin", input="short\n")
    ok(p.returncode == 65 and "kshort" not in names(r), "3-07: a bad password makes nothing")


with registryd.Registry() as r:
    r.ask("domain.add", name="a.test")
    lines(r)
    people(r)
    files(r)
    room(r)
    managers(r)
    many(r)
    full(r)
    protocol(r)
    asker(r)
    person(r)
    eq(r.ask("check")[0], [], "tables as the registry")
    eq(r.violations(), [], "without leaving its role")
malle.done()
