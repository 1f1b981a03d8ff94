#!/usr/bin/env python3
"""malle-remote: the DNS, TLS as it comes, DANE, MTA-STS, the policy."""
import hashlib
import os
import ssl
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import internet
import malle
import remotelab
from internet import DNS, Authority, Drop, Server, wire_name
from malle import eq, ok
from remotelab import (STS_ENFORCE, STS_TESTING, TLS_ENCRYPT, TLS_MAY,
                       TLS_NONE, TLS_VERIFY)


def test_lookups(remote, dns):
    dns.mx("exemple.org", 20, "b.exemple.org")
    dns.mx("exemple.org", 10, "A.Exemple.ORG")
    dns.a("direct.org", "127.0.0.2")
    dns.cname("alias.org", "exemple.org")
    dns.cname("alias2.org", "direct.org")
    dns.add("null.org", "MX", b"\0\0\0")
    dns.add("wrong.org", "MX", b"\0\x0a" + wire_name("mx 1.wrong.org"))
    dns.a("wrong.org", "127.0.0.2")
    dns.txt("text.org", "no address here")
    dns.broken.add("broken.org")
    for i in range(60):
        dns.mx("many.org", 100 - i, "mx%d.a-long-name-for-a-host.many.org" % i)
    pair = remote.resolver()

    def look(name):
        f = remote.lookup(pair, name)
        return f["outcome"], f["hosts"], f["authentic"]
    port = remote.port
    eq(look("exemple.org"), ("ok", [(10, "a.exemple.org", port),
                                    (20, "b.exemple.org", port)], False),
       "MX records, best first")
    eq(look("direct.org"), ("ok", [(0, "direct.org", port)], False),
       "no MX: the domain's address")
    eq(look("alias.org")[:2], ("ok", [(10, "a.exemple.org", port),
                                      (20, "b.exemple.org", port)]),
       "a CNAME to a domain with MX")
    eq(look("alias2.org")[0], "ok", "a CNAME to a domain without")
    eq(look("null.org"), ("no_mail", [], False), "null MX (RFC 7505)")
    eq(look("wrong.org")[:2], ("no_domain", []),
       "an MX that names no host: not the domain's address (RFC 5321 5.1)")
    eq(look("none.org")[0], "no_domain", "no such domain")
    eq(look("text.org")[0], "no_domain", "neither MX nor address")
    eq(look("broken.org")[0], "temporary", "SERVFAIL")
    eq(look("[127.0.0.2]"), ("ok", [(0, "[127.0.0.2]", port)], False),
       "an address literal")
    got = look("many.org")
    eq((got[0], [h[0] for h in got[1]]), ("ok", list(range(41, 61))),
       "of many MX records, over TCP, the best")
    eq(remote.lookup(pair, "exemple.org", 99)["tag"], 99, "tags come back")
    dns.authentic.add("exemple.org")
    eq(look("exemple.org")[2], True, "the AD bit")
    pair.close()


def send(remote, server, host, content=None, flags=0, **route):
    """One letter: (failed or result reply, server's message or None)."""
    c = remote.carrier()
    what, reply = c.route([(10, host, server.port)], **route)
    if what == "ready":
        tag = c.job(["bob@exemple.org"], flags=flags,
                    content=content or b"Subject: x\n\nBonjour\n")
        c.wait(tag)
        reply = c.one(tag)
    c.close()
    taken = server.messages.pop() if server.messages else None
    return reply, taken


def test_opportunistic(remote, good, wrong):
    host = "mx1.exemple.org"
    s = Server("127.0.0.2", remote.port, tls=wrong)
    r, m = send(remote, s, host)
    eq((r["result"], m["tls"]), ("ok", "TLSv1.3"),
       "any certificate is better than none")
    ok(r["tls"].startswith("TLSv1.3 TLS_") and "verified" not in r["tls"],
       "and the result says how: " + r["tls"])
    eq(m["session"].sni, host, "SNI is the host's name")
    eq([l for l in m["session"].lines if "EHLO" in l or "STARTTLS" in l],
       ["EHLO mail.exemple.test", "STARTTLS", "EHLO mail.exemple.test"],
       "EHLO again after the handshake")
    r, m = send(remote, s, host, broken=True)
    eq((r["result"], m["tls"]), ("ok", None),
       "in the clear where TLS is remembered to be broken")
    r, m = send(remote, s, host, tls=TLS_NONE)
    eq((r["result"], m["tls"]), ("ok", None), "in the clear by the policy")
    r, m = send(remote, s, host, tls=TLS_ENCRYPT, broken=True)
    eq((r["result"], m["tls"]), ("ok", "TLSv1.3"), "encrypt is obeyed")
    s.close()
    s = Server("127.0.0.2", remote.port, tls=good)
    r, m = send(remote, s, host)
    ok(r["tls"].endswith("verified=authority"), "a good certificate is told")
    r, m = send(remote, s, host, flags=remotelab.QM_REQUIRETLS,
                tls=TLS_VERIFY)
    eq((r["result"], r["enhanced"]), ("permanent", "5.7.30"),
       "REQUIRETLS where it is not offered")
    s.tls_extensions.append("REQUIRETLS")
    r, m = send(remote, s, host, flags=remotelab.QM_REQUIRETLS)
    eq(r["enhanced"], "5.7.30", "the MX was not sure")
    r, m = send(remote, s, host, flags=remotelab.QM_REQUIRETLS,
                tls=TLS_VERIFY)
    eq((r["result"], m and m["mail_line"].endswith(" REQUIRETLS")),
       ("ok", True), "REQUIRETLS where all is there")
    s.close()


def test_broken(remote, good):
    host = "mx1.exemple.org"

    def garbage(session, line):
        session.say(b"220 Go\r\n" + b"this is no TLS at all\r\n" * 50)
        raise Drop()

    def drop(session, line):
        raise Drop()

    def inject(session, line):
        # Said before the handshake, to be taken for what comes after it.
        session.conn.sendall(b"220 Go\r\n250-evil\r\n250 CHUNKING\r\n")
        session.starttls()
        return None
    for what, hook in (("no TLS after 220", garbage),
                       ("closed after STARTTLS", drop),
                       ("454", "454 4.7.0 Not now")):
        s = Server("127.0.0.2", remote.port, tls=good,
                   hooks={"STARTTLS": hook})
        r, m = send(remote, s, host)
        eq((r["result"], m and m["tls"], r.get("tls_failed")),
           ("ok", None, True), what + ": then in the clear")
        r, m = send(remote, s, host, tls=TLS_ENCRYPT)
        eq((r["result"], r["cause"], m), ("temporary", "tls", None),
           what + ": not where TLS is asked for")
        s.close()
    s = Server("127.0.0.2", remote.port, tls=good)

    class Injecting(internet.Session):
        def do_starttls(self, line, reply):
            inject(self, line)
    original, internet.Session = internet.Session, Injecting
    r, m = send(remote, s, host, content=b"Subject: x\n\n\xe9\n")
    internet.Session = original
    eq((r["result"], m and m["tls"], m["session"].lines[2][:4], m["how"]),
       ("ok", "TLSv1.3", "EHLO", "DATA"),
       "what was said before the handshake is forgotten")
    s.close()
    s = Server("127.0.0.2", remote.port)
    r, m = send(remote, s, host, tls=TLS_VERIFY)
    eq((r["result"], r["cause"], m), ("temporary", "tls", None),
       "STARTTLS is not offered, but asked for")
    ok("offers no TLS" in r["text"], r["text"])
    s.close()


def test_next_address(remote, dns, good):
    """TLS that is broken at one address says nothing of the next one."""
    def drop(session, line):
        raise Drop()

    def once(session, line):
        if len(bad.sessions) > 1:
            raise Drop()
    dns.a("two.exemple.org", "127.0.0.2", "127.0.0.3")
    bad = Server("127.0.0.2", remote.port, tls=good,
                 hooks={"STARTTLS": drop, "CONNECT": once})
    s = Server("127.0.0.3", remote.port, tls=good)
    r, m = send(remote, s, "two.exemple.org")
    eq((r["result"], len(bad.sessions), m and m["tls"]), ("ok", 2, "TLSv1.3"),
       "broken TLS at one address, nothing in the clear: TLS at the next")
    bad.close()
    s.close()


def test_verify(remote, good, wrong, stranger, ca):
    host = "mx1.exemple.org"
    named = "old.exemple.org"
    s = Server("127.0.0.2", remote.port, tls=ca.certificate(named, old=True))
    r, m = send(remote, s, named, sts=STS_ENFORCE, sts_mx=named)
    eq((r["result"], m), ("temporary", None),
       "MTA-STS: the common name is no name (RFC 8461 4.2)")
    r, m = send(remote, s, named, tls=TLS_VERIFY)
    eq(r["result"], "ok", "which is one for our own policy")
    s.close()
    for name, cert, want in (("good", good, "ok"), ("wrong name", wrong,
                             "temporary"), ("unknown authority", stranger,
                                            "temporary")):
        s = Server("127.0.0.2", remote.port, tls=cert)
        r, m = send(remote, s, host, tls=TLS_VERIFY)
        eq((r["result"], m is not None), (want, want == "ok"),
           "verify, %s: %s" % (name, r["text"]))
        for mx, sts, result in (
                (host, STS_ENFORCE, want), ("*.exemple.org", STS_ENFORCE,
                                            want),
                ("*.org", STS_ENFORCE, "temporary"),
                ("mx9.exemple.org\n" + host, STS_ENFORCE, want),
                ("other.org", STS_ENFORCE, "temporary"),
                ("other.org", STS_TESTING, "ok")):
            r, m = send(remote, s, host, sts=sts, sts_mx=mx)
            eq((r["result"], m is not None), (result, result == "ok"),
               "MTA-STS %r %s, %s" % (mx, ("", "testing", "enforce")[sts],
                                      name))
        s.close()


def test_dane(remote, dns, ca, good, wrong, stranger):
    host, port = "mx1.exemple.org", remote.port
    alias = "alias.exemple.org"
    big = ca.certificate("big.exemple.org", host, rsa=True)
    dns.cname(alias, host)

    def records(*rows):
        dns.forget("_%d._tcp.%s" % (port, host), "TLSA")
        for row in rows:
            dns.tlsa(host, port, *row)

    def attempt(cert, authentic=True, to=host, **more):
        s = Server("127.0.0.2", port, tls=cert)
        r, m = send(remote, s, to, authentic=authentic, **more)
        s.close()
        return r, m
    dns.authentic.add("*")
    ee = (3, 1, 1, ca.digest(wrong[0], 1))
    records(ee)
    r, m = attempt(wrong)
    eq((r["result"], r["tls"].endswith("verified=dane")), ("ok", True),
       "3 1 1: the key counts, not the name")
    r, m = attempt(good)
    eq((r["result"], r["cause"], m), ("temporary", "tls", None),
       "3 1 1 of another key: " + r["text"])
    r, m = attempt(None)
    eq((r["result"], r["cause"], m), ("temporary", "tls", None),
       "TLSA records, but no STARTTLS")
    r, m = attempt(wrong, broken=True)
    eq(r["result"], "ok", "what is remembered as broken counts for nothing")
    r, m = attempt(good, sts=STS_ENFORCE, sts_mx="nobody.org")
    eq(r["result"], "temporary", "DANE comes before MTA-STS")
    r, m = attempt(wrong, sts=STS_ENFORCE, sts_mx="nobody.org")
    eq(r["result"], "ok", "also where it says yes")
    r, m = attempt(good, authentic=False)
    eq(r["result"], "ok", "nothing of it where the MX was not validated")
    records((2, 0, 1, ca.digest(ca.ca, 0)))
    eq(attempt(good)[0]["result"], "ok", "2 0 1: the authority counts")
    eq(attempt(wrong)[0]["result"], "temporary", "and the name with it")
    eq(attempt(stranger)[0]["result"], "temporary", "another authority")
    records((3, 1, 1, b"x" * 32), ee)
    eq(attempt(wrong)[0]["result"], "ok", "one record of two is enough")
    records((3, 1, 2, hashlib.sha512(b"x").digest()), ee)
    eq(attempt(wrong)[0]["result"], "temporary",
       "but of two digests the stronger counts (RFC 7671 9)")
    whole = ssl.PEM_cert_to_DER_cert(open(big[0]).read().partition(
        "-----END")[0] + "-----END CERTIFICATE-----\n")
    records((3, 0, 0, whole))
    eq((len(whole) > 512, attempt(big)[0]["result"], attempt(
        wrong)[0]["result"]), (True, "ok", "temporary"), "3 0 0: all of it")
    for rows in (((1, 1, 1, b"x" * 32),), ((3, 1, 9, b"x" * 32),),
                 ((3, 7, 1, b"x" * 32),), ((3, 0, 0, b"x" * 5000),),
                 ((3, 1, 1, b""),), ((3, 1, 1, b"x" * 31),),
                 ((3, 1, 2, b"x" * 32),)):
        records(*rows)
        r, m = attempt(wrong)
        eq((r["result"], m and m["tls"]), ("ok", "TLSv1.3"),
           "record %r of no use: TLS, any certificate" % (rows[0][:3],))
        eq(attempt(None)[0]["result"], "temporary", "but not without TLS")
    records((3, 1, 2, b"x" * 32), ee)
    eq((attempt(wrong)[0]["result"], attempt(good)[0]["result"]),
       ("ok", "temporary"), "a damaged record beside a good one")
    records((3, 0, 0, b"no certificate"))
    r, m = attempt(wrong)
    eq((r["result"], r["cause"]), ("temporary", "tls"),
       "3 0 0 that is no certificate")
    records(ee)
    r, m = attempt(wrong, to=alias)
    eq((r["result"], r["tls"].endswith("verified=dane"), m and
        m["session"].sni), ("ok", True, host),
       "an MX that is an alias: the records of where it leads")
    eq(attempt(good, to=alias)[0]["result"], "temporary", "are obeyed")
    dns.tlsa(alias, port, 3, 1, 1, ca.digest(good[0], 1))
    eq((attempt(wrong, to=alias)[0]["result"], attempt(good, to=alias)[0][
        "result"]), ("ok", "temporary"), "before its own (RFC 7672 2.2.2)")
    records()
    r, m = attempt(good, to=alias)
    eq((r["result"], r["tls"].endswith("verified=dane"), m and
        m["session"].sni), ("ok", True, alias), "which count without them")
    dns.authentic.clear()
    records((3, 1, 1, b"x" * 32))
    eq(attempt(good)[0]["result"], "ok", "nothing without the AD bit")
    dns.authentic.add("*")
    dns.broken.add("_%d._tcp.%s" % (port, host))
    r, m = attempt(good)
    eq((r["result"], r["cause"], m), ("temporary", "dns", None),
       "TLSA records that cannot be had now: not to this host")
    dns.broken.clear()
    dns.forget("_%d._tcp.%s" % (port, host), "TLSA")
    dns.authentic.clear()


def test_resumption(remote, dns, ca, good, wrong):
    """A ticket is used for what it was made for, and nothing else."""
    host, port = "mx1.exemple.org", remote.port
    dns.a("mx2.exemple.org", "127.0.0.2")
    s = Server("127.0.0.2", port, tls=good)

    def visit(ticket=b"", to=host, **route):
        """(how it was encrypted or why not, did the server resume, ticket)."""
        c = remote.carrier()
        what, reply = c.route([(10, to, port)], ticket=ticket, **route)
        if what == "ready":
            c.wait(c.job(["bob@exemple.org"]))
        c.close()
        if what == "failed":
            return reply["text"], False, b""
        return reply["tls"], s.messages.pop()["session"].resumed, c.ticket
    how, resumed, plain = visit()
    eq((resumed, len(plain) > 100), (False, True), "a server gives a ticket")
    how, resumed, second = visit(plain)
    ok(resumed and how.endswith(" resumed"), "the next connection resumes: " +
       how)
    ok(second and second != plain, "and has a ticket of its own")
    how, resumed, _ = visit(second)
    ok(resumed, "which serves, too")
    how, resumed, verified = visit(tls=TLS_VERIFY)
    how, resumed, _ = visit(verified, tls=TLS_VERIFY)
    ok(resumed and "verified=policy" in how, "where the name is verified: " +
       how)
    eq([visit(t, **more)[1] for t, more in (
        (plain, dict(tls=TLS_VERIFY)), (verified, {}),
        (plain, dict(tls=TLS_ENCRYPT)), (plain, dict(to="mx2.exemple.org")),
        (plain, dict(authentic=True)),
        (plain, dict(domain="other.org")))], [False] * 6,
       "not for another policy, host or domain")
    for name, bad in (("cut short", plain[:60]), ("empty", plain[:32]),
                      ("of another malle-remote", b"x" * 32 + plain[32:]),
                      ("damaged", plain[:40] + bytes(400)),
                      ("too long", plain[:32] + b"\xff" * 4000)):
        how, resumed, _ = visit(bad)
        eq((how.startswith("TLSv1.3"), resumed), (True, False), name +
           ": then a handshake as any other")
    s.tls = wrong
    how, resumed, loose = visit()
    ok(loose, "a server with a wrong name gives one, too")
    how = visit(loose, tls=TLS_VERIFY)[0]
    ok("mismatch" in how, "which does not make its name right: " + how)
    s.tls = good
    dns.authentic.add("*")
    dns.tlsa(host, port, 3, 1, 1, ca.digest(good[0], 1))
    how, resumed, dane = visit(authentic=True)
    how, resumed, _ = visit(dane, authentic=True)
    ok(resumed and "verified=dane resumed" in how, "with DANE: " + how)
    dns.forget("_%d._tcp.%s" % (port, host), "TLSA")
    dns.tlsa(host, port, 3, 1, 1, bytes(32))
    how, resumed, _ = visit(dane, authentic=True)
    ok(not resumed and "failed" in how, "but not when its records have "
       "changed: " + how)
    dns.forget("_%d._tcp.%s" % (port, host), "TLSA")
    dns.authentic.clear()
    s.close()


def test_idle(remote, good):
    """Session tickets are no good-bye; what is said later is."""
    s = Server("127.0.0.2", remote.port, tls=good)
    c = remote.carrier()
    c.route([(10, "mx1.exemple.org", s.port)])
    time.sleep(0.3)
    for i in range(3):
        tag = c.job(["bob@exemple.org"])
        ok(c.wait(tag), "letter %d over one TLS connection" % i)

    def bye(session, data):
        session.say("250 2.0.0 Kept")
        time.sleep(0.3)
        return "421 4.4.2 Idle"
    s.hooks["END"] = bye
    tag = c.job(["bob@exemple.org"])
    eq((c.wait(tag), c.one(tag)["result"]), (True, "ok"), "the last letter")
    eq(c.receive()[1]["code"], 421, "good-bye over TLS")
    c.close()
    s.close()


def test_implicit(remote, good):
    s = Server("127.0.0.2", remote.port, login=("u", "p"),
               extensions=("AUTH PLAIN", "PIPELINING"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*good)

    def connect(session, line):
        session.conn = context.wrap_socket(session.conn, server_side=True)
        session.tls = session.conn.version()
    s.hooks["CONNECT"] = connect
    r, m = send(remote, s, "mx1.exemple.org", domain="", user="u",
                password="p", implicit=True, tls=TLS_VERIFY)
    eq((r["result"], m and m["tls"]), ("ok", "TLSv1.3"),
       "a smarthost with TLS from the start, and AUTH")
    s.close()


def main():
    dns, ca, other = DNS(), Authority(), Authority()
    try:
        good = ca.certificate("mx1.exemple.org")
        wrong = ca.certificate("wrong.exemple.org")
        stranger = other.certificate("mx1.exemple.org")
        dns.a("mx1.exemple.org", "127.0.0.2")
        dns.a("old.exemple.org", "127.0.0.2")
        port = internet.shared_port(["127.0.0.2", "127.0.0.3"])
        with remotelab.Remote(dict(resolver=dns.address, authorities=ca.ca,
                                   remote_port=port)) as remote:
            remote.port = port
            test_lookups(remote, dns)
            dns.authentic.clear()
            test_opportunistic(remote, good, wrong)
            test_broken(remote, good)
            test_next_address(remote, dns, good)
            test_verify(remote, good, wrong, stranger, ca)
            test_dane(remote, dns, ca, good, wrong, stranger)
            test_resumption(remote, dns, ca, good, wrong)
            test_idle(remote, good)
            test_implicit(remote, good)
            eq(remote.broken(), [], "no child has broken")
    finally:
        ca.close()
        other.close()
        dns.close()
    malle.done()


main()
