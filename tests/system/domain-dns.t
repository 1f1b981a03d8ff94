#!/usr/bin/env python3
"""Domains are declared; the DNS is looked at before and after (inventory 0-12):
malle domain check, and what malle domain add says."""
import json
import os
import pty
import socket
import struct
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import internet  # noqa: E402
import malle  # noqa: E402
from malle import eq, ok  # noqa: E402

internet.TYPES.update(PTR=12, SRV=33)
HOST, OURS, V6 = "mail.exemple.test", "203.0.113.5", "2001:db8:5::5"
SPF = "v=spf1 ip4:203.0.113.5 ip6:2001:db8:5::5 -all"


def reverse(ip):
    return ".".join(reversed(ip.split("."))) + ".in-addr.arpa"


def ptr(dns, ip, name):
    dns.add(reverse(ip), "PTR", internet.wire_name(name))


def srv(dns, name, port, host):
    dns.add(name, "SRV", struct.pack("!HHH", 0, 1, port) +
            internet.wire_name(host))


def check(m, name, ours=OURS):
    """The rows by what they are about; the exit status."""
    r = m.malle("--json", "domain", "check", name, "--address", ours,
                check=False)
    rows = {}
    for line in r.stdout.splitlines():
        row = json.loads(line)
        rows.setdefault(row["about"], []).append(row)
    return rows, r.returncode


def verdicts(rows, about):
    return sorted(r["verdict"] for r in rows.get(about, []))


def published(rows, about):
    return [r["publish"] for r in rows.get(about, []) if r["publish"]]


def good(m, dns):
    dns.a(HOST, OURS)
    ptr(dns, OURS, HOST)
    dns.mx("bon.test", 10, HOST)
    dns.txt("bon.test", "other text")
    dns.txt("bon.test", "v=spf1 mx -all")
    rows, status = check(m, "bon.test")
    eq((status, [verdicts(rows, w) for w in
                 ("domain", "host", "mx", "ptr", "spf")]),
       (0, [["fine"]] * 5), "0-12 a domain that is ready")
    eq(verdicts(rows, "srv") + verdicts(rows, "dmarc"), ["info"] * 4,
       "what need not be there is information")
    ok("_pop3s._tcp.bon.test. IN SRV 0 1 %d %s." % (m.ports["pop3s"], HOST)
       in published(rows, "srv"), "with the real port of the service")
    srv(dns, "_pop3s._tcp.bon.test", m.ports["pop3s"], HOST)
    srv(dns, "_submission._tcp.bon.test", 25, "elsewhere.test")
    dns.txt("_dmarc.bon.test", "v=DMARC1; p=reject")
    dns.txt("_mta-sts.bon.test", "v=STSv1; id=1")
    rows, _ = check(m, "bon.test")
    ok(not any("_pop3s" in p for p in published(rows, "srv")) and
       any("elsewhere.test, port 25" in r["text"] for r in rows["srv"]),
       "what is there, and where it leads")
    eq([published(rows, w) for w in ("dmarc", "mta-sts")], [[], []],
       "DMARC and MTA-STS are found")
    r = m.malle("domain", "check", "bon.test", "--address", V6 + "," + OURS,
                check=False)
    ok("%s leads to this machine (%s)\n" % (HOST, OURS) in r.stdout,
       "of several addresses the one that a name leads to is shown")
    text = m.malle("domain", "check", "BON.test", "--address", OURS).stdout
    ok(text.startswith("fine    bon.test is in the DNS\n"), "as text")
    r = m.malle("domain", "check", "neuf.test", "--address", OURS, check=False)
    ok("        publish: neuf.test. IN MX 10 %s.\n" % HOST in r.stdout,
       "with the line to publish")
    m.env["LANG"] = "fr_FR.UTF-8"
    r = m.malle("domain", "check", "neuf.test", "--address", OURS, check=False)
    ok("à faire" in r.stdout and "publiez : " in r.stdout, "in French")
    del m.env["LANG"]


def no_address(reply, limit):
    """The reply, but none to a question for A or AAAA."""
    at = 12
    while reply[at]:
        at += reply[at] + 1
    kind, = struct.unpack("!H", reply[at + 1:at + 3])
    return reply[:3] + b"\x82" + reply[4:] if kind in (1, 28) else reply


def mail(m, dns):
    """MX: each row a zone, what is said of it."""
    dns.a("alone.test", OURS)
    dns.a("away.test", "198.51.100.9")
    dns.a("old.test", "198.51.100.9")
    dns.a("other.bon.test", OURS)
    dns.cname("alias.bon.test", HOST)
    for name, records, want, word in (
            ("vide.test", [], ["todo"], "gets no mail"),
            ("alone.test", [], ["todo"], "only by the address"),
            ("away.test", [], ["todo"], "another machine"),
            ("nul.test", [(0, "")], ["wrong"], "takes no mail"),
            ("nul2.test", [(0, ""), (10, HOST)], ["wrong"], "takes no mail"),
            ("ailleurs.test", [(10, "old.test")], ["todo"], "old.test"),
            ("second.test", [(10, "old.test"), (20, HOST)], ["todo"],
             "old.test first"),
            ("deux.test", [(10, HOST), (20, "old.test")], ["fine"],
             "comes to"),
            ("nom.test", [(10, "other.bon.test")], ["fine"], "comes to"),
            ("cname.test", [(10, "alias.bon.test")], ["fine", "wrong"],
             "CNAME"),
            ("faux.test", [(10, "no host.test")], ["wrong"],
             "names a server"),
            ("perdu.test", [(10, "nowhere.test")], ["todo", "wrong"],
             "no address")):
        dns.names.add(name)
        for preference, host in records:
            dns.mx(name, preference, host)
        rows, status = check(m, name)
        text = " ".join(r["text"] for r in rows["mx"])
        eq((verdicts(rows, "mx"), word in text or text), (want, True),
           "0-12 MX: %s" % name)
        if want != ["fine"]:
            ok(status == 1 and "%s. IN MX 10 %s." % (name, HOST) in
               published(rows, "mx"), "and what to publish")
    dns.broken.add("panne.test")
    for name, records in (
            ("doute.test", [(10, "panne.test")]),
            ("doute2.test", [(10, "panne.test"), (20, HOST)]),
            ("doute3.test", [(10, "panne.test"), (20, "old.test")])):
        dns.names.add(name)
        for preference, host in records:
            dns.mx(name, preference, host)
        rows, _ = check(m, name)
        eq((verdicts(rows, "mx"), published(rows, "mx")), (["unknown"], []),
           "0-12 MX: nothing is said of a server whose zone is broken")
    dns.names.add("demi.test")
    dns.lies["demi.test"] = no_address
    rows, _ = check(m, "demi.test")
    eq(verdicts(rows, "domain") + verdicts(rows, "mx"), ["fine", "unknown"],
       "nor of a domain without MX whose own address is not told")
    dns.mx("sur.test", 10, "panne.test")
    dns.mx("sur.test", 10, HOST)
    rows, _ = check(m, "sur.test")
    eq(verdicts(rows, "mx"), ["fine", "unknown"],
       "beside this one it takes nothing away")
    rows, status = check(m, "absent.invalid")
    eq((verdicts(rows, "domain"), verdicts(rows, "mx"), status),
       (["wrong"], ["todo"], 1), "0-12 a domain that does not exist")


def reverse_names(m, dns):
    dns.forget(reverse(OURS), "PTR")
    rows, status = check(m, "bon.test")
    eq((verdicts(rows, "ptr"), published(rows, "ptr"), status),
       (["wrong"], [reverse(OURS) + ". IN PTR " + HOST + "."], 1),
       "0-12 an address without a name")
    dns.a("elsewhere.test", "198.51.100.9")
    ptr(dns, OURS, "elsewhere.test")
    rows, _ = check(m, "bon.test")
    eq(verdicts(rows, "ptr"), ["wrong"], "one that does not lead back")
    ptr(dns, OURS, "panne.test")
    rows, _ = check(m, "bon.test")
    eq((verdicts(rows, "ptr"), published(rows, "ptr")), (["unknown"], []),
       "0-12 one of which nobody knows where it leads is no verdict")
    ptr(dns, OURS, "other.bon.test")
    rows, _ = check(m, "bon.test")
    eq(verdicts(rows, "ptr"), ["fine"], "another name that does")
    rows, _ = check(m, "bon.test", OURS + "," + V6)
    eq(len(rows["ptr"]), 2, "each address has its row")
    r = m.malle("--json", "domain", "check", "bon.test", "--address", V6,
                check=False)
    ok('"5.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.5.0.0.0.8.b.d.0.1.0.0.2'
       '.ip6.arpa. IN PTR' in r.stdout, "the reverse name of IPv6")
    ok('"host", "verdict": "wrong"' in r.stdout and
       "IN AAAA " + V6 in r.stdout, "a hostname that leads elsewhere")


def spf(m, dns):
    """SPF: each row a zone; some refer to others of these."""
    many = " ".join("include:i%d.test" % i for i in range(11))
    for i in range(11):
        dns.txt("i%d.test" % i, "v=spf1 ip4:192.0.2.%d -all" % i)
    dns.txt("ring.test", "v=spf1 include:ring.test -all")
    dns.txt("yes.test", SPF)
    for name, records, want, word in (
            ("s-none.test", ["spf1"], "todo", "no SPF"),
            ("s-ip4.test", ["v=spf1 ip4:203.0.113.0/24 -all"], "fine", ""),
            ("s-a.test", ["v=spf1 a:%s -all" % HOST], "fine", ""),
            ("s-cidr.test", ["v=spf1 a:i.bon.test/24//64 -all"], "fine", ""),
            ("s-inc.test", ["v=spf1 include:yes.test -all"], "fine", ""),
            ("s-redirect.test", ["v=spf1 redirect=yes.test"], "fine", ""),
            ("s-case.test", ["V=SPF1 IP4:203.0.113.5 -ALL"], "fine", ""),
            ("s-all.test", ["v=spf1 +all"], "wrong", "all the world"),
            ("s-fail.test", ["v=spf1 ip4:192.0.2.1 -all"], "wrong",
             "does not let"),
            ("s-soft.test", ["v=spf1 ~all"], "wrong", "hardly"),
            ("s-neutral.test", ["v=spf1 ip4:192.0.2.1"], "wrong", "neither"),
            ("s-two.test", [SPF, "v=spf1 -all"], "wrong", "several"),
            ("s-typo.test", ["v=spf1 ipv4:203.0.113.5 -all"], "wrong",
             "mistake"),
            ("s-net.test", ["v=spf1 ip4:203.0.113.500 -all"], "wrong",
             "mistake"),
            ("s-lost.test", ["v=spf1 include:nospf.test -all"], "wrong",
             "mistake"),
            ("s-many.test", ["v=spf1 %s -all" % many], "wrong", "too many"),
            ("s-ring.test", ["v=spf1 include:ring.test -all"], "wrong",
             "too many"),
            ("s-void.test", ["v=spf1 a:x1.bon.test a:x2.bon.test "
                             "a:x3.bon.test -all"], "wrong", "too many"),
            ("s-macro.test", ["v=spf1 exists:%{i}.bon.test -all"], "info",
             "macro")):
        dns.names.add(name)
        for text in records:
            dns.txt(name, *[text[i:i + 200] for i in range(0, len(text), 200)])
        rows, _ = check(m, name)
        eq((verdicts(rows, "spf"), word in rows["spf"][0]["text"]),
           ([want], True), "0-12 SPF: %s: %s" % (want, records[0][:40]))
    rows, _ = check(m, "s-fail.test")
    eq(published(rows, "spf"), ['s-fail.test. IN TXT "v=spf1 ip4:%s '
                                'ip4:192.0.2.1 -all"' % OURS],
       "the record there is, with our address in it")
    rows, _ = check(m, "s-none.test")
    eq(published(rows, "spf"), ['s-none.test. IN TXT "v=spf1 mx ip4:%s ~all"'
                                % OURS], "8-11 a mild one for a domain "
       "without any")
    rows, _ = check(m, "s-none.test", OURS + "," + V6)
    eq(published(rows, "spf"), ['s-none.test. IN TXT "v=spf1 mx ip4:%s ip6:%s '
                                '~all"' % (OURS, V6)], "with all that we have")
    dns.txt("s-mild.test", "v=spf1 ip4:%s ~all" % OURS)
    rows, _ = check(m, "s-mild.test")
    eq((verdicts(rows, "spf"), published(rows, "spf")), (["fine", "info"], [
        's-mild.test. IN TXT "v=spf1 ip4:%s -all"' % OURS]),
       "8-11 where it is mild and we are in it, a strict one")
    rows, _ = check(m, "s-mild.test", OURS + "," + V6)
    eq((verdicts(rows, "spf"), published(rows, "spf")), (["fine", "wrong"], [
        's-mild.test. IN TXT "v=spf1 ip6:%s ip4:%s ~all"' % (V6, OURS)]),
       "but not before all of us are")


def in_french(m):
    m.env["LC_ALL"] = "fr_FR.UTF-8"
    r = m.malle("domain", "check", "bon.test", "--address", OURS, check=False)
    ok("inaccessibles" not in r.stdout, "4-48 no warning where all is well")
    r = m.malle("domain", "check", "nulle.test", "--address", OURS,
                check=False)
    ok(r.stdout.endswith("le site et le courrier inaccessibles.\n"),
       "4-48 in French") or malle.note(r.stdout)
    m.env["LC_ALL"] = ""


def smarthosts(m, dns):
    """What others send for us belongs in the SPF record (8-11)."""
    routes = m.base + "/routes"

    def after(text):
        with open(routes, "w") as f:
            f.write(text)
        rows, status = check(m, "s-none.test")
        return ([r["text"] for r in rows.get("smarthost", [])],
                [p.partition(" mx ")[2] for p in published(rows, "spf")])
    m.write_conf(routes=routes)
    ours = "ip4:%s" % OURS
    eq(after("from other.test smarthost no.isp.test\n"),
       ([], [ours + ' ~all"']), "a smarthost of another domain is none of it")
    texts, records = after(
        "from s-none.test smarthost smtp.isp.test:587 tls=encrypt\n"
        "all smarthost all.isp.test\n"
        "to partner.test smarthost [198.51.100.7]:25\n"
        "to near.test smarthost 10.1.2.3\n"
        "to direct.test direct\n"
        "fallback smarthost smtp.isp.test\n")
    eq(records, [ours + ' ip4:198.51.100.7 a:smtp.isp.test ~all"'],
       "8-11 each smarthost by which it may leave, once")
    ok(len(texts) == 1 and "through [10.1.2.3], [198.51.100.7], "
       "smtp.isp.test:" in texts[0], "and a row tells of them"
       ) or malle.note(texts)
    eq(after("all smarthost all.isp.test\nfallback smarthost [2001:db8::7]\n"
             )[1], [ours + ' a:all.isp.test ip6:2001:db8::7 ~all"'],
       "that of all, where none is for the domain")
    long = "".join("to d%d.test smarthost %s.isp.test\n" % (i, "h%d" % i * 20)
                   for i in range(20))
    eq(after(long)[1], [], "nothing is proposed that is too long for a string")
    texts, records = after("nonsense\n")
    ok(len(texts) == 1 and texts[0].startswith(routes + " cannot be read") and
       records == [ours + ' ~all"'], "routes that cannot be read are told of"
       ) or malle.note(texts)
    os.unlink(routes)


def hostile(m, dns):
    """Answers that are lies in their form."""
    for i in range(40):
        dns.mx("cent.test", 10, "h%d.bon.test" % i)
    rows, status = check(m, "cent.test")
    ok(status == 1 and sum(map(len, rows.values())) <= 32,
       "forty MX hosts are too many to list")
    dns.add("court.test", "MX", b"\0")
    dns.add("court.test", "TXT", b"\xffshort")
    rows, status = check(m, "court.test")
    ok(status == 1 and rows["mx"] and rows["spf"], "records cut short")
    dns.txt("esc.test", "v=spf1 ip4:192.0.2.1 \x1b[31m\x07 -all")
    r = m.malle("domain", "check", "esc.test", "--address", OURS, check=False)
    ok("\x1b" not in r.stdout + r.stderr and "\x07" not in r.stdout,
       "nothing of a stranger reaches the terminal")
    dns.txt("quote.test", 'v=spf1 note=a"b ip4:192.0.2.1 -all')
    rows, _ = check(m, "quote.test")
    eq(published(rows, "spf"), [], "a record that would not be a line is "
       "not proposed")
    dns.add("nul.bon.test", "TXT", b"\x08v=spf1\0\0")
    rows, _ = check(m, "nul.bon.test")
    eq(verdicts(rows, "spf"), ["todo"], "a NUL in a text")
    dns.broken.add("casse.test")
    rows, status = check(m, "casse.test")
    eq((verdicts(rows, "domain"), verdicts(rows, "mx"),
        verdicts(rows, "spf"), status),
       (["unknown"], ["unknown"], ["unknown"], 75),
       "0-12 a zone that is broken is no verdict")
    ok(m.malle("domain", "check", "not a domain", check=False).returncode ==
       65, "a name that is none")


def on_terminal(m, *argv):
    """stdout and stderr of malle when they are a terminal."""
    parent, child = pty.openpty()
    p = subprocess.Popen([malle.BIN + "/malle", "-c", m.conf_path, *argv],
                         stdin=subprocess.DEVNULL, stdout=child, stderr=child,
                         env=m.env)
    os.close(child)
    out = b""
    while True:
        try:
            more = os.read(parent, 65536)
        except OSError:
            break
        if not more:
            break
        out += more
    os.close(parent)
    return p.wait(malle.PATIENCE), out.decode().replace("\r\n", "\n")


def asked(dns):
    """The names that were asked for up to now, one asked again too: a question
    of ours comes behind them."""
    question = struct.pack("!6H", 1, 0x100, 1, 0, 0, 0) + \
        internet.wire_name("now.invalid") + struct.pack("!HH", 1, 1)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.settimeout(malle.PATIENCE)
        s.connect(("127.0.0.1", dns.port))
        s.send(question)
        s.recv(512)
    return [name for name, _ in dns.asked if name != "now.invalid"]


def adding(m, dns):
    before = asked(dns)
    r = m.malle("domain", "add", "script.test")
    eq((r.stdout, r.stderr, asked(dns)), ("", "", before),
       "a script waits for no DNS")
    r = m.malle("domain", "add", "voulu.test", "--dns")
    ok("voulu.test is not in the DNS" in r.stderr and r.stdout == "" and
       "voulu.test. IN MX 10 %s." % HOST in r.stderr,
       "0-12 with --dns it is told what is lacking")
    ok(r.stderr.endswith("the web site and the mail unreachable.\n"),
       "4-48 and to be careful")
    ok(m.malle("domain", "show", "voulu.test").returncode == 0,
       "and the domain is there")
    status, out = on_terminal(m, "domain", "add", "main.test")
    ok(status == 0 and "malle domain check main.test" in out,
       "0-12 on a terminal it is told") or malle.note(out)
    before = asked(dns)
    status, out = on_terminal(m, "domain", "add", "muet.test", "--no-dns")
    ok(status == 0 and "domain check" not in out and asked(dns) == before,
       "unless with --no-dns")
    m.malle("domain", "add", "bon.test")
    before = asked(dns)
    r = m.malle("domain", "add", "bon.test", "--dns", check=False)
    ok(r.returncode == 73 and asked(dns) == before,
       "nor of a domain that was not added")


def nobody_answers(m):
    """A resolver that says nothing costs seconds, not minutes."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.bind(("127.0.0.1", 0))
        m.write_conf(resolver="127.0.0.1:%d" % s.getsockname()[1])
        r = m.malle("domain", "add", "patient.test", "--dns")
        s.setblocking(False)
        questions = set()
        try:
            while True:
                questions.add(s.recv(4096)[12:])
        except BlockingIOError:
            pass
    ok("does not answer" in r.stderr and 1 <= len(questions) <= 6,
       "0-12 without an answer few questions are asked")
    ok(m.malle("domain", "show", "patient.test").returncode == 0,
       "and the domain is there")


def patient(m):
    """A folder of the programs with a malle that waits for the DNS."""
    folder = os.path.join(m.dir, "patient")
    os.mkdir(folder)
    malle.Clock(folder, "patient").stand()
    os.rename(folder + "/malle-patient", folder + "/malle")
    return folder


with malle.Instance(start=False) as m:
    m.env.pop("LANG", None)
    m.env["LC_ALL"] = m.env["LC_MESSAGES"] = ""
    dns = internet.DNS()
    dns.a("i.bon.test", "203.0.113.77")
    m.write_conf(resolver=dns.address)
    m.start()
    usual, malle.BIN = malle.BIN, patient(m)
    good(m, dns)
    mail(m, dns)
    reverse_names(m, dns)
    spf(m, dns)
    smarthosts(m, dns)
    in_french(m)
    hostile(m, dns)
    adding(m, dns)
    malle.BIN = usual
    nobody_answers(m)
    dns.close()
malle.done()
