#!/usr/bin/env python3
"""What the registry takes and refuses, what becomes visible in the tables, and
what the commands say: domains, mailboxes, aliases, permissions, journal."""
import json
import os
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import malle  # noqa: E402
import registryd  # noqa: E402
from malle import eq, ok  # noqa: E402

HASH = "$6$saltsalt$" + "a" * 86
PASSWORD = "correct horse battery"
TAG_STATE, TAG_UID, TAG_LANGUAGE, TAG_ALIAS_OF, TAG_KIND = 1, 2, 3, 4, 5
TAG_QUOTA, TAG_TARGETS, TAG_HASH, TAG_ITERATIONS = 6, 8, 11, 12


def number(rec, tag):
    return int.from_bytes(rec.get(tag, b""), "little")


def domains(r):
    # the domain is there at once, with postmaster and abuse (2-15, 4-07)
    rows, verdict, _ = r.ask("domain.add", name="Exemple.TEST")
    eq((verdict, rows[0]["name"], rows[0]["uid"]),
       ("ok", "exemple.test", "64300"), "a domain is added in lower case")
    eq(sorted(r.addresses("exemple.test")), ["abuse", "postmaster"],
       "it has postmaster and abuse from its creation on")
    eq(registryd.record(r.secrets("exemple.test")["postmaster"])[TAG_HASH],
       b"!", "postmaster has no password: locked, not a default one (4-31)")
    eq(r.ask("domain.add", name="exemple.test")[1], "exists",
       "it cannot be added twice")
    eq(r.ask("domain.add", name="société.fr", language="en")[0][0]["name"],
       "xn--socit-esab.fr", "an international name becomes A-labels")
    for name in ("", "..", "-x.fr", "a" * 64 + ".fr", "../../etc"):
        eq(r.ask("domain.add", name=name)[1], "invalid",
           "no domain: %r" % name[:20])
    for name in ("postmaster@exemple.test",):
        eq(r.ask("user.delete", address=name)[1], "refused",
           "postmaster cannot be deleted (8-12)")
    eq(r.ask("alias.delete", address="abuse@exemple.test")[1], "refused",
       "abuse cannot be deleted")
    eq(r.ask("alias.set", address="abuse@exemple.test",
             targets="out@elsewhere.test")[1], "ok", "but it can be led")
    r.ask("alias.set", address="abuse@exemple.test", targets="postmaster")
    # aliases of domains
    eq(r.ask("domain.add", name="alias.test", alias_of="exemple.test")[1],
       "ok", "a domain alias")
    rec = registryd.record(r.domains()["alias.test"])
    eq((rec[TAG_ALIAS_OF], number(rec, TAG_UID)), (b"exemple.test", 64300),
       "the table knows its main domain and uid")
    eq(r.table("auth", "domains.cdb")["alias.test"], b"exemple.test",
       "and so does the checker of passwords")
    eq(r.addresses("alias.test"), None, "it has no table of its own")
    eq(r.ask("domain.add", name="b.test", alias_of="alias.test")[1],
       "invalid", "no alias of an alias")
    eq(r.ask("domain.add", name="b.test", alias_of="none.test")[1],
       "not-found", "no alias of nothing")
    eq(r.ask("domain.set", name="exemple.test", alias_of="xn--socit-esab.fr")
       [1], "invalid", "a domain with aliases of its own stays a main one")
    eq(r.ask("domain.delete", name="exemple.test")[1], "invalid",
       "nor can it be deleted before them")
    # state and language
    eq(r.ask("domain.set", name="exemple.test", state="suspended",
             language="en")[1], "ok", "suspended")
    rec = registryd.record(r.domains()["exemple.test"])
    eq((number(rec, TAG_STATE), rec[TAG_LANGUAGE]), (1, b"en"),
       "the table says so")
    eq(number(registryd.record(r.secrets("exemple.test")["postmaster"]),
              TAG_STATE), 1, "and nobody logs in there")
    r.ask("domain.set", name="exemple.test", state="active", language="fr")
    eq(r.ask("domain.set", name="exemple.test", uid="0")[1], "refused",
       "the uid is not to be set")
    eq(r.ask("domain.set", name="exemple.test", colour="red")[1], "invalid",
       "an unknown attribute is refused")


def users(r):
    rows, verdict, _ = r.ask("user.add", address="Alice@Exemple.test",
                             password=PASSWORD, quota_bytes="1G",
                             full_name="Alice É")
    eq((verdict, rows[0]["name"], rows[0]["quota-bytes"], "hash" in rows[0]),
       ("ok", "alice@exemple.test", "1073741824", False),
       "a mailbox is added; no answer shows a hash")
    eq(number(registryd.record(r.addresses("exemple.test")["alice"]),
              TAG_QUOTA), 1 << 30, "its quota is in the table")
    secret = registryd.record(r.secrets("exemple.test")["alice"])
    ok(secret[TAG_HASH].startswith(b"$y$") and
       number(secret, TAG_ITERATIONS) >= 4096,
       "its password is a yescrypt hash with SCRAM keys")
    with open(r.path("public/tables/domains/exemple.test.cdb"), "rb") as f:
        ok(b"$y$" not in f.read(), "which the public table has not")
    eq(oct(os.stat(r.path("auth/exemple.test.cdb")).st_mode & 0o7777),
       "0o640", "the secret one is for its group only")
    eq(os.stat(r.path("auth/exemple.test.cdb")).st_gid,
       registryd.UID_AUTH if malle.ROOT else os.getgid(),
       "the group of malle-authd")
    for address, why in (("alice@exemple.test", "twice"),
                         ("ALICE@exemple.test", "in another case"),
                         ("abuse@exemple.test", "when an alias has the name"),
                         ("alice@alias.test", "at a domain alias")):
        eq(r.ask("user.add", address=address, hash=HASH)[1], "exists",
           "not " + why)
    eq(r.ask("alias.add", address="alice@exemple.test", targets="postmaster")
       [1], "exists", "nor an alias of a mailbox's name (2-26)")
    for local in ("a..b", ".a", "a.", "é", "a b", "a+b", "a" * 65, "", "a/b",
                  "..", "a\n", "a\0b"):
        eq(r.ask("user.add", address=local + "@exemple.test", hash=HASH)[1],
           "invalid", "no name: %r (1-04, 1-05)" % local[:8])
    eq(r.ask("user.add", address="x@unknown.test", hash=HASH)[1],
       "not-found", "no mailbox in a domain that is not ours")
    for password, why in (("short", "short"), ("alice-and-more!", "its name"),
                          ("azertyuiop123", "a keyboard"),
                          ("aaaaaaaaaaaaaaaa", "one letter"),
                          ("Motdepasse2026", "a worst word")):
        rows, verdict, text = r.ask("user.passwd",
                                    address="alice@exemple.test",
                                    password=password)
        ok(verdict == "invalid" and "password" in text,
           "a bad password is refused: " + why)
    for bad in ("plain", "$9$x$y", "$6$", "$y$j9T$x"):
        eq(r.ask("user.passwd", address="alice@exemple.test", hash=bad)[1],
           "invalid", "no hash: " + bad)
    before = r.secrets("exemple.test")["alice"]
    eq(r.ask("user.passwd", address="alice@exemple.test", hash=HASH)[1], "ok",
       "an imported hash")
    after = registryd.record(r.secrets("exemple.test")["alice"])
    ok(after[TAG_HASH] == HASH.encode() and number(after, TAG_ITERATIONS) == 0
       and r.secrets("exemple.test")["alice"] != before,
       "replaces hash and SCRAM keys")
    # deletion reserves the name (9-03)
    r.ask("user.add", address="gone@exemple.test", hash=HASH)
    eq(r.ask("user.delete", address="gone@exemple.test")[1], "ok", "deleted")
    ok("gone" not in r.addresses("exemple.test") and
       "gone" not in r.secrets("exemple.test"), "at once")
    eq(r.ask("removed.list")[0][0]["name"], "gone@exemple.test",
       "what is left on the disk is on record")
    eq(r.ask("user.add", address="gone@exemple.test", hash=HASH)[1], "exists",
       "its name is reserved")
    eq(r.ask("user.add", address="gone@exemple.test", hash=HASH,
             force="yes")[1], "ok", "but by force")


def aliases(r):
    rows, verdict, _ = r.ask("alias.add", address="info@exemple.test",
                             targets="alice, GONE@alias.test;x@out.test\n")
    eq(rows[0]["targets"],
       "alice@exemple.test\nGONE@alias.test\nx@out.test",
       "targets with all separators (8-06); the domain is completed")
    eq(registryd.record(r.addresses("exemple.test")["info"])[TAG_TARGETS],
       rows[0]["targets"].encode(), "they are in the table")
    ok("info" not in r.secrets("exemple.test"), "an alias has no login")
    eq(r.ask("alias.add", address="x@exemple.test", targets="nobody")[1],
       "invalid", "a target of ours must exist")
    eq(r.ask("alias.add", address="loop@exemple.test", targets="loop+a")[1],
       "invalid", "no loop to itself (8-15)")
    r.ask("alias.add", address="one@exemple.test", targets="info")
    r.ask("alias.add", address="two@exemple.test", targets="one")
    eq(r.ask("alias.set", address="info@exemple.test",
             targets="alice two@alias.test")[1], "invalid",
       "no loop through several steps and a domain alias")
    eq(r.ask("alias.set", address="info@exemple.test", targets=" ")[1],
       "invalid", "no alias to nothing")
    eq(r.ask("alias.set", address="info@exemple.test", state="disabled")[1],
       "ok", "disabled")
    eq(number(registryd.record(r.addresses("exemple.test")["info"]),
              TAG_STATE), 2, "the table says so")
    eq(r.ask("alias.delete", address="two@exemple.test")[1], "ok", "deleted")


def relays(r):
    eq(r.ask("relay.add", net="192.0.2.77/24", note="office")[0][0]["name"],
       "192.0.2.0/24", "a net is named by its first address")
    eq(list(r.table("public/tables/access.cdb")), ["192.0.2.0/120"],
       "it is in the table")
    eq(r.ask("relay.add", net="192.0.2.0/24")[1], "exists", "once")
    eq(r.ask("relay.add", net="0.0.0.0/0")[1], "invalid",
       "not the whole Internet")
    def at(t):
        return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(t))
    r.ask("relay.add", net="2001:db8::/48", until=at(time.time() + 3600))
    eq(len(r.table("public/tables/access.cdb")), 2, "one with an end")
    r.ask("relay.set", net="2001:db8::/48", until=at(time.time() + 2))
    ok(malle.until(lambda: len(r.table("public/tables/access.cdb")) == 1),
       "which leaves the table when it is over (3-16)")
    r.ask("relay.add", net="198.51.100.1", until="2001-01-01")
    eq(len(r.table("public/tables/access.cdb")), 1, "one that was over before")
    eq(r.ask("relay.delete", net="192.0.2.0/24")[1], "ok", "taken away")
    eq(len(r.table("public/tables/access.cdb")), 0, "at once")


def logins(r):
    old = HASH
    new = "$6$saltsalt$" + "b" * 86
    r.ask("user.passwd", address="alice@exemple.test", hash=old)
    n = len(r.ask("journal")[0])
    r.login(address="alice@exemple.test", time=str(int(time.time())))

    def last(address):
        return "last-login" in r.ask("user.show", address=address)[0][0]
    ok(malle.until(lambda: last("alice@exemple.test")), "a login is noted")
    eq(len(r.ask("journal")[0]), n, "and makes no journal entry")
    r.login(address="alice@exemple.test", time=str(int(time.time())),
            old=new, hash=new)
    r.login(address="alice@exemple.test", time=str(int(time.time())),
            old=old, hash=new)
    ok(malle.until(lambda: registryd.record(
        r.secrets("exemple.test")["alice"])[TAG_HASH] == new.encode()),
       "a better hash replaces the one it was made from")
    r.login(address="alice@exemple.test", time=str(int(time.time())),
            old=old, hash=old)
    r.auth.send(b"\1\0garbage")
    r.auth.send(registryd.request("user.delete",
                                  [("address", "alice@exemple.test")]))
    r.login(address="nobody@exemple.test", time="1")
    r.login(address="gone@exemple.test", time=str(int(time.time())))
    ok(malle.until(lambda: last("gone@exemple.test")), "they are read in order")
    eq(registryd.record(r.secrets("exemple.test")["alice"])[TAG_HASH],
       new.encode(), "another one does not; nothing else is taken there")


def commands(r):
    p = r.malle("user", "list", "exemple.test", "--json")
    rows = [json.loads(line) for line in p.stdout.splitlines()]
    eq([x["name"] for x in rows][:2],
       ["alice@exemple.test", "gone@exemple.test"], "JSON, one object a line")
    p = r.malle("user", "add", "carol@exemple.test", "--random")
    ok(p.returncode == 0 and len(p.stdout.split()[1]) == 19,
       "a password is made up and shown once")
    p = r.malle("user", "add", "dan@exemple.test", "--password-stdin",
                input="court\n", lang="fr_FR.UTF-8")
    ok(p.returncode == 65 and "trop court" in p.stderr, "said in French")
    p = r.malle("user", "show", "nobody@exemple.test")
    ok(p.returncode == 67 and "There is no mailbox" in p.stderr,
       "said in English, with its exit status")
    eq(r.malle("user").returncode, 64, "usage")
    eq(r.malle("user", "add", "x@exemple.test", "--password", "x").returncode,
       64, "no password in argv")
    p = r.malle("domain", "delete", "xn--socit-esab.fr")
    eq(p.returncode, 0, "a domain with nothing of its own is deleted")
    eq((r.addresses("xn--socit-esab.fr"), r.secrets("xn--socit-esab.fr")),
       (None, None), "its tables are gone")
    p = r.malle("domain", "add", "xn--socit-esab.fr")
    eq(p.returncode, 73, "its old mail is still there: asked for force")
    p = r.malle("domain", "add", "xn--socit-esab.fr", "--force")
    eq(r.ask("domain.show", name="xn--socit-esab.fr")[0][0]["uid"], "64301",
       "with force it has its old uid again")
    r.malle("domain", "add", "new.test")
    eq(r.ask("domain.show", name="new.test")[0][0]["uid"], "64302",
       "another domain never gets one that was used")
    eq(r.malle("domain", "delete", "alias.test").returncode, 0,
       "the alias is deleted")
    eq(r.malle("domain", "delete", "exemple.test").returncode, 65,
       "a domain with mailboxes is not")
    eq(r.malle("domain", "delete", "exemple.test", "--all").returncode, 0,
       "but with --all")
    eq(sorted(r.domains()), ["new.test", "xn--socit-esab.fr"],
       "the index says so")
    p = r.malle("journal", "alice@exemple.test")
    ok("deleted" in p.stdout and "user.add" in p.stdout and
       "$6$" not in p.stdout and "$y$" not in p.stdout,
       "the journal tells its story without secrets")
    with open(r.path("registry/journal")) as f:
        text = f.read()
    ids = [json.loads(line)["id"] for line in text.splitlines()]
    ok(ids == list(range(1, len(ids) + 1)) and "$6$" not in text and
       "$y$" not in text, "so does the text journal, without a gap")
    os.truncate(r.path("registry/journal"), len(text) // 2)
    r.restart()
    with open(r.path("registry/journal")) as f:
        eq(f.read(), text, "which is completed at the start")
    os.unlink(r.path("public/tables/domains/new.test.cdb"))
    with open(r.path("auth/domains.cdb"), "wb") as f:
        f.write(b"damaged")
    ok(len(r.ask("check")[0]) >= 2, "check finds damaged tables")
    r.restart()
    eq(r.ask("check"), ([], "ok", "The tables equal the registry."),
       "the start compiles them again")
    os.unlink(r.path("auth/new.test.cdb"))
    eq(r.malle("recompile").returncode, 0, "recompile")
    eq(r.ask("check")[0], [], "does so too")


def hostile(r):
    for data in (b"", b"\1", b"\1\0", b"\1\0\2\0\0\0\0\0\0\0",
                 b"\2\0", b"\3\0", registryd.request("dump", [], 2),
                 registryd.request("load", []) + b"x",
                 registryd.request("x", []), os.urandom(60000),
                 registryd.request("domain.list", [("a", "b")] * 65),
                 registryd.request("user.add", [("address", b"\0\xff@\n")])):
        with r.connect() as s:
            try:
                s.send(data)
                if data:
                    registryd.answer(s)
            except OSError:
                pass
    with r.connect() as idle:
        idle.send(registryd.request("load", []))
        eq(r.ask("domain.list")[1], "ok", "an idle load holds nobody up")
    eq(r.ask("domain.list")[1], "ok", "it answers after all of that")


def long_change(r):
    """A change that does not fit a row is cut between two characters."""
    r.ask("domain.add", name="long.test")
    r.ask("user.add", address="bob@long.test", hash=HASH)
    targets = " ".join("%040d@ici.exemple.example" % i for i in range(600))
    for n in (1, 2):
        eq(r.ask("user.set", address="bob@long.test", forward=targets,
                 vacation_text="é" * 4900)[1], "ok", "a long text")
        r.ask("user.set", address="bob@long.test", forward="",
              vacation_text="a" * n + "é" * 4900)
        with r.connect() as s:
            s.send(registryd.request("journal", [("limit", "1")]))
            data = s.recv(registryd.IPC_MAX)
        text = data[data.index(b"forward: "):]
        ok(49996 <= len(text) <= 50000 and
           text.decode(errors="replace")[-1] == "é",
           "what is shown of it is whole: %d bytes" % len(text))


def too_large(r):
    """Attributes that fit each alone, not together."""
    targets = " ".join("%040d@ici.exemple.example" % i for i in range(900))
    r.ask("user.add", address="eve@long.test", forward=targets)
    got = r.ask("user.set", address="eve@long.test", vacation_text="x" * 9999)
    ok(got[1] == "invalid" and "too large" in got[2],
       "it is told, and not to try again: " + got[2])
    ok("failed" not in got[2] and " store " not in r.log(),
       "nothing has failed")


with registryd.Registry() as r:
    domains(r)
    users(r)
    aliases(r)
    relays(r)
    logins(r)
    commands(r)
    hostile(r)
    long_change(r)
    too_large(r)
    eq(r.stop(), 0, "it ends with 0")
    eq(r.violations(), [], "without leaving its role")
malle.done()
