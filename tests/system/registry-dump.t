#!/usr/bin/env python3
"""Dump and load: the round trip gives the same text, all or nothing."""
import os
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import malle  # noqa: E402
import registryd  # noqa: E402
from malle import eq, ok  # noqa: E402

HASH = "$6$saltsalt$" + "a" * 86
HEAD = "malleposte-registry 1\n"


def fill(r):
    r.ask("domain.add", name="exemple.test")
    r.ask("domain.add", name="société.fr", language="en")
    r.ask("domain.add", name="alias.test", alias_of="exemple.test")
    r.ask("domain.add", name="gone.test")
    r.ask("domain.delete", name="gone.test")
    for i in range(300):
        r.ask("user.add", address="u%d@exemple.test" % i, hash=HASH,
              full_name="back\\slash = É %d" % i, quota_bytes="%dM" % i)
    r.ask("user.passwd", address="u1@exemple.test",
          password="correct horse battery")
    r.ask("user.delete", address="u2@exemple.test")
    r.ask("alias.add", address="all@exemple.test",
          targets=" ".join("u%d" % i for i in range(3, 300)))
    r.ask("alias.add", address="q@xn--socit-esab.fr",
          targets="\"odd; name\"@out.test")
    r.ask("relay.add", net="192.0.2.0/24", note="tab?", until="2030-01-01")


def refused(text, why, *more):
    with registryd.Registry() as r:
        p = r.malle("load", *more, input=text)
        ok(p.returncode != 0 and p.stderr.startswith("malle: "),
           "refused: " + why)
        if not ok(r.malle("dump").stdout == HEAD + "end 0\n",
                  "and nothing was loaded: " + why):
            malle.note(p.stderr)


with registryd.Registry() as r:
    fill(r)
    dump = r.malle("dump").stdout
    ok(dump.startswith(HEAD) and HASH in dump and "$y$" in dump,
       "a dump has everything")
    eq(r.malle("load", input=dump).returncode, 0,
       "loaded where it came from it changes nothing")
    eq(r.malle("dump").stdout, dump, "indeed")
    entries = len(r.ask("journal")[0])
    changed = dump.replace("full-name=back\\\\slash = É 7\n",
                           "full-name=other\n")
    ok(changed != dump and r.malle("load", input=changed).returncode == 73,
       "what differs is refused")
    eq(r.malle("load", "--update", "--check", input=changed).returncode, 0,
       "a dry run")
    eq(r.malle("dump").stdout, dump, "changes nothing")
    eq(r.malle("load", "--update", input=changed).returncode, 0, "an update")
    eq(r.malle("dump").stdout, changed, "replaces what differs")
    eq(len(r.ask("journal")[0]), entries + 1, "with one journal entry")

with registryd.Registry() as r:
    p = r.malle("load", "--check", input=dump)
    ok(p.returncode == 0, "the dump is good for an empty registry")
    eq(r.malle("dump").stdout, HEAD + "end 0\n", "a dry run loads nothing")
    eq(r.malle("load", input=dump).returncode, 0, "loaded")
    eq(r.malle("dump").stdout, dump, "the dump of it is the same text")
    eq(r.ask("check")[0], [], "its tables equal the registry")
    r.ask("domain.add", name="next.test")
    eq(r.ask("domain.show", name="next.test")[0][0]["uid"], "64303",
       "no uid of the dump, a deleted domain's included, is used again")

with registryd.Registry() as r:
    text = HEAD + "# by hand\n\ndomain a.test\nuser bob@a.test\nend 2\n"
    eq(r.malle("load", input=text).returncode, 0, "the least by hand")
    eq(sorted(r.addresses("a.test")), ["abuse", "bob", "postmaster"],
       "the domain has what each domain must have")
    eq(r.malle("load", input=HEAD + "user carol@a.test\nend 1\n",
               lang="fr_FR").returncode, 0, "more into it")



def uids(r):
    return {x["name"]: x["uid"] for x in r.ask("domain.list")[0]}


with registryd.Registry() as r:
    text = HEAD + "domain a.test\ndomain b.test\n\tuid=64300\nend 2\n"
    eq(r.malle("load", input=text).returncode, 0, "a uid is left out")
    eq(uids(r), {"a.test": "64301", "b.test": "64300"},
       "it is none that stands further below")
    eq(r.malle("load", input=HEAD + "domain c.test\ndomain d.test\nend 2\n")
       .returncode, 0, "of two")
    before = uids(r)
    eq(len(set(before.values())), 4, "each gets one of its own")
    text = HEAD + "domain a.test\n\tlanguage=en\nend 1\n"
    eq(r.malle("load", "--update", input=text).returncode, 0, "an update")
    eq(uids(r), before, "whose mail it is does not change by leaving it out")
    r.ask("user.add", address="bob@a.test", hash=HASH)
    r.ask("user.rename", address="bob@a.test", to="rob")
    secret = r.secrets("a.test")["rob"]
    eq(r.malle("load", "--update", input=HEAD + "user rob@a.test\n\tquota-bytes"
               "=1G\n\thash=%s\nend 1\n" % HASH).returncode, 0, "another")
    eq(r.secrets("a.test")["rob"], secret, "nor where it is")
    r.ask("domain.add", name="other.test", alias_of="b.test")
    for name, why in (("a.test", "addresses"), ("b.test", "other names")):
        p = r.malle("load", "--update", input=HEAD + "domain %s\n\talias-of="
                    "c.test\nend 1\n" % name)
        ok(p.returncode == 65 and why in p.stderr,
           "no domain with %s becomes an alias: %s" % (why, p.stderr))
    eq(r.ask("check")[0], [], "the tables equal the registry")

lines = dump.split("\n")
refused(dump[:len(dump) // 2], "half a file")
refused("\n".join(lines[:-2]) + "\nend 5\n", "another number of objects")
refused(dump + "user x@a.test\n", "something behind the end")
refused("something else\n", "another file")
refused("", "an empty file")
refused(HEAD + "user bob@a.test\nend 1\n", "a mailbox without its domain")
refused(HEAD + "domain b.test\n\talias-of=a.test\nend 1\n",
        "an alias of no domain")
refused(HEAD + "domain a.test\n\talias-of=a.test\nend 1\n",
        "an alias of itself")
refused(HEAD + "domain a.test\nuser bob@a.test\n\tcolour=red\nend 2\n",
        "an unknown attribute")
refused(HEAD + "domain a.test\nuser bob@a.test\n\thash=plain\nend 2\n",
        "a password instead of a hash")
refused(HEAD + "domain a.test\nalias i@a.test\nend 2\n",
        "an alias without targets")
refused(HEAD + "domain a.test\nalias i@a.test\n\ttargets=j@a.test\n"
        "alias j@a.test\n\ttargets=i@a.test\nend 3\n", "a loop")
refused(HEAD + "domain a.test\nuser i@a.test\nalias i@a.test\n"
        "\ttargets=x@b.test\nend 3\n", "one name for two kinds")
refused(HEAD + "domain a.test\nremoved ../x\n\tdate=2026-01-01\n\tuid=5\n"
        "end 2\n", "a path for a name")
refused(HEAD + "planet mars\nend 1\n", "an unknown kind")
refused(HEAD + "domain a.test\n\tstate=\\x\nend 1\n", "an unknown escape")
malle.done()
