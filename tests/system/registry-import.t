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
    person(r)
    eq(r.ask("check")[0], [], "tables as the registry")
    eq(r.violations(), [], "without leaving its role")
malle.done()
