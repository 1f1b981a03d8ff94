#!/usr/bin/env python3
# malle-check.t - malle check says what is wrong; malle trace and mailq tell of
# real messages of a running service.
import json
import os
import subprocess

import malle
from malle import ok, note

BIN = malle.BIN


def run(m, *args, lang="C", program="malle", text=None, conf=None):
    env = dict(os.environ, LC_ALL=lang)
    flag = "-C" if program == "malle-inject" or program == "mailq" else "-c"
    r = subprocess.run([f"{BIN}/{program}", flag, conf or m.conf_path, *args],
                       capture_output=True, text=True, input=text, env=env, timeout=60)
    return r.returncode, r.stdout + r.stderr


def rows(m):
    """The rows of malle check that are wrong, and its status."""
    status, out = run(m, "check", "--json")
    found = [json.loads(line) for line in out.splitlines() if line.startswith("{")]
    return status, [r["text"] for r in found if r["verdict"] == "wrong"], found


def test_check(m):
    status, wrong, found = rows(m)
    ok(status == 0 and wrong == [], "a good service: all is well") or note(str(found))
    ok(len(found) >= 12, "and much was looked at")
    status, out = run(m, "check", lang="fr_FR.UTF-8")
    ok("le registre" in out and "WRONG" not in out, "said in French")

    tables = m.base + "/public/tables"
    os.chmod(tables, 0o700)
    status, wrong, found = rows(m)
    ok(status == 1 and any("tables" in w and "0700" in w for w in wrong), "a folder with another mode")
    os.chmod(tables, 0o755)
    ok(any(r["verdict"] == "wrong" and "malle-start" in r["mend"] for r in found), "and how to mend it")

    table = tables + "/domains/exemple.test.cdb"
    os.rename(table, table + ".aside")
    with open(table, "w") as f:
        f.write("rubbish")
    status, wrong, _ = rows(m)
    ok(status == 1 and any("exemple.test" in w for w in wrong), "a damaged table")
    os.rename(table + ".aside", table)

    cert = m.base + "/tls/cert.pem"
    os.rename(cert, cert + ".aside")
    malle.certificate(m.dir, "mail.exemple.test")
    os.rename(m.dir + "/cert.pem", cert)
    status, wrong, _ = rows(m)
    ok(status == 1 and any("key" in w for w in wrong), "a certificate of another key")
    subprocess.run(["openssl", "req", "-x509", "-key", m.base + "/tls/key.pem", "-days", "1",
                    "-subj", "/CN=x", "-out", cert], check=True, capture_output=True)
    status, wrong, _ = rows(m)
    ok(status == 1 and any("mail.exemple.test" in w for w in wrong), "one for another name")
    subprocess.run(["openssl", "req", "-x509", "-key", m.base + "/tls/key.pem", "-days", "3",
                    "-subj", "/CN=x", "-addext", "subjectAltName=DNS:mail.exemple.test",
                    "-out", cert], check=True, capture_output=True)
    status, wrong, _ = rows(m)
    ok(status == 1 and any(w.endswith("days") for w in wrong), "one that ends in three days")
    os.rename(cert + ".aside", cert)
    ok(rows(m)[1] == [], "all is well again")

    bad = m.dir + "/bad.conf"
    with open(m.conf_path) as f, open(bad, "w") as g:
        g.write(f.read() + "message_max = lots\n")
    status, out = run(m, "check", conf=bad)
    ok(status == 78 and "message_max" in out and "bad.conf:" in out, "a wrong configuration: 78")
    with open(m.conf_path) as f, open(bad, "w") as g:
        g.write(f.read() + "queue_free_min = 1023G\n")
    status, out = run(m, "check", conf=bad)
    ok(status == 1 and "queue_free_min" in out, "a full disk")
    ok(run(m, "check", "surplus")[0] == 64, "an argument too many: 64")


def submit(m, sender, to, header=""):
    status, out = run(m, "-v", "-f", sender, to, program="malle-inject",
                      text=header + "Subject: essai\n\nBonjour\n")
    return status, out.strip()


def test_trace(m):
    status, ident = submit(m, "alice@exemple.test", "bob@exemple.test")
    ok(status == 0 and ident, "a message is injected")
    ok(m.wait_log(f" {ident} done"), "and delivered")
    status, out = run(m, "trace", ident)
    ok(status == 0 and "accepted from alice@exemple.test" in out and
       "bob@exemple.test: delivered" in out and "finished" in out, "its story by id") or note(out)
    status, out = run(m, "trace", "BOB@exemple.test", lang="fr_FR.UTF-8")
    ok(status == 0 and ident in out and "distribué" in out, "by address, in French") or note(out)
    status, out = run(m, "trace", "--json", ident)
    events = [json.loads(line)["event"] for line in out.splitlines()]
    ok(events[0] == "accepted" and events[-1] == "done" and "delivered" in events, "as JSON")

    # A refusal at acceptance, and what was sent to it.
    status, out = submit(m, "alice@exemple.test", "nobody@exemple.test")
    ok(status == 69 and "nobody@exemple.test" in out, "an unknown recipient is refused at once") or note(out)
    # It has been in this mailbox before: a failure after acceptance.
    status, ident = submit(m, "alice@exemple.test", "bob@exemple.test",
                           header="Delivered-To: bob@exemple.test\n")
    ok(status == 0 and m.wait_log(f" {ident} done"), "a message that goes round is given up")
    ok(m.wait_messages("alice@exemple.test", 1) and
       m.wait_log(" delivered to=alice@exemple.test "), "its sender is told")
    status, out = run(m, "trace", ident)
    ok("failed for good" in out and "notice about " + ident in out and
       "alice@exemple.test: delivered" in out, "the story has the notice in it") or note(out)

    m.malle("user", "set", "bob@exemple.test", "quota-messages=1")
    status, ident = submit(m, "alice@exemple.test", "bob@exemple.test")
    ok(m.wait_log(f" {ident} deferred"), "a message to a full mailbox waits")
    status, out = run(m, "trace", ident)
    ok("not delivered yet" in out and "next attempt in" in out and "still in the queue" in out,
       "the story says why, and until when") or note(out)
    ok(run(m, "trace", "0000000aaaa-aaaaaaaaaaa")[0] == 1, "an unknown id: 1")
    ok(run(m, "trace", "a b")[0] == 64 and run(m, "trace")[0] == 64, "no question: 64")
    ok(run(m, "trace", "--log", "/nonexistent", ident)[0] == 66, "no log: 66")
    with open(m.log_path) as f:
        status, out = run(m, "trace", "--log", "-", ident, text=f.read())
    ok(status == 0 and ident in out, "from standard input")


def test_mailq(m):
    status, out = run(m, program="mailq")
    ok(status == 0, "mailq runs malle queue list") or note(out)


with malle.Instance() as m:
    m.domain("exemple.test")
    m.user("alice@exemple.test", "secret password 1")
    m.user("bob@exemple.test", "secret password 2")
    test_check(m)
    test_trace(m)
    test_mailq(m)
malle.done()
