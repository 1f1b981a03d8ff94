#!/usr/bin/env python3
"""routing-senders - the five catch-alls of a domain, and who may write to an address, in the running service."""
import os
import smtplib
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import internet
import malle
from malle import eq, ok, until

dns = internet.DNS()
dns.mx("out.test", 10, "mx.out.test")
dns.a("mx.out.test", "127.0.3.2")
port = internet.shared_port(["127.0.3.2"])
out = internet.Server("127.0.3.2", port, name="mx.out.test")
BOB, EVE = "bob@exemple.test", "eve@exemple.test"

with malle.Instance({"resolver": dns.address, "remote_port": str(port)}) as m:
    m.domain("exemple.test")
    m.malle("domain", "add", "alias.test", "--alias-of", "exemple.test")
    m.domain("autre.test")
    for name in (BOB, EVE, "chef@exemple.test", "eve@autre.test"):
        m.user(name)

    def reply(to, sender="zoe@free.test", login=None, content=None):
        """Code and text of RCPT; with content the letter goes."""
        with smtplib.SMTP("127.0.0.1", m.ports["submission" if login else "smtp"], "client.test",
                          timeout=malle.PATIENCE) as c:
            c.ehlo()
            if login:
                c.starttls()
                c.ehlo()
                c.login(login, m.passwords[login])
            c.mail(sender)
            code, text = c.rcpt(to)
            if code == 250 and content:
                c.data("From: <zoe@free.test>\r\nSubject: %s\r\n\r\nhello\r\n" % content)
        return code, text.decode()

    def told(to, code, text, **more):
        """Changes are seen within a moment."""
        until(lambda: reply(to, **more)[0] == code, step=0.1)
        got = reply(to, **more)
        if not eq(got[0], code, "%s: %d" % (text, code)):
            malle.note(got)

    def catch(value):
        m.malle("domain", "set", "exemple.test", "catch-all=" + value)

    def has(address, subject):
        return lambda: any(b"\nSubject: %s\n" % subject.encode() in x for x in m.wait_messages(address, 0))

    # The five kinds of catch-all.
    told("nobody@exemple.test", 550, "2-14, 8-10: by default names that do not exist are refused")
    catch("bob@exemple.test")
    told("nobody@exemple.test", 250, "0-39, 2-13: caught for a mailbox")
    reply("No.Body+x@alias.test", content="caught1")
    ok(until(has(BOB, "caught1")), "0-40: which gets it, of a domain alias too (0-19)")
    ok("goes to the mailbox bob@exemple.test (no such name: by the catch-all of alias.test)" in
       m.malle("trace", "No.Body+x@alias.test").stdout, "and the trace tells why")
    reply(EVE, content="direct")
    ok(until(has(EVE, "direct")) and not has(BOB, "direct")(), "a name that exists is not caught")
    eq(reply("nobody@exemple.test", sender="nobody@exemple.test", login=BOB)[0], 503,
       "2-13: a catch-all gives nobody the right to send as all names")
    catch("chez@out.test")
    reply("nobody@exemple.test", content="caught2")
    ok(until(lambda: "chez@out.test" in out.recipients()), "2-13: caught for an address elsewhere")
    ok(out.messages[-1]["sender"].startswith("SRS0=") and
       out.messages[-1]["data"].startswith(b"Delivered-To: nobody@exemple.test\r\n"), "as forwarded mail")
    catch("@autre.test")
    reply("eve@exemple.test", content="own")
    reply("Eve@alias.test", content="own2")
    m.malle("user", "delete", EVE)
    told("nobody@exemple.test", 550, "2-13: the same name at another domain, where it is not either")
    reply("eve@exemple.test", content="caught3")
    ok(until(has("eve@autre.test", "caught3")), "2-13: the same name at another domain of ours")
    m.malle("user", "restore", EVE)
    catch("@out.test")
    reply("Quel.Nom@exemple.test", content="caught4")
    ok(until(lambda: "Quel.Nom@out.test" in out.recipients()), "2-13: the same name at another's domain")
    catch("discard")
    before = len(out.messages)
    eq(reply("nobody@exemple.test", content="caught5")[0], 250, "2-13: accepted and deleted")
    ok(until(lambda: "nobody@exemple.test: is thrown away" in m.malle("trace", "nobody@exemple.test").stdout),
       "as the trace tells")
    ok(until(lambda: m.malle("queue", "list").stdout.strip() == "") and len(out.messages) == before,
       "nobody gets it")
    catch("refuse")
    told("nobody@exemple.test", 550, "2-13: refused again")

    # Who may write.
    m.malle("user", "set", "chef@exemple.test", "senders=domain")
    m.malle("alias", "add", "tous@exemple.test", BOB, EVE, "--senders", "domain")
    m.malle("alias", "add", "ouvert@exemple.test", BOB, "chef@exemple.test")
    told("chef@exemple.test", 550, "senders: a stranger is refused")
    code, text = reply("tous@alias.test")
    ok(code == 550 and text.startswith("5.7.1 You may not write to <tous@alias.test>: "), "with a reason: " + text)
    told("chef@exemple.test", 550, "senders: who only says that he is a colleague", sender=BOB)
    told("chef@exemple.test", 550, "nor under a domain alias", sender="bob@alias.test")
    told("chef@exemple.test", 250, "senders: a colleague who has logged in", sender="bob@alias.test", login=BOB)
    told("tous@exemple.test", 250, "to a list of people too", sender=BOB, login=BOB)
    told("tous@exemple.test", 550, "not somebody of another domain", sender="eve@autre.test", login="eve@autre.test")
    told("chef@exemple.test", 250, "senders: a bounce reaches a person", sender="")
    told("tous@exemple.test", 550, "and not a list of people", sender="")
    reply("ouvert@exemple.test", content="open")
    ok(until(has(BOB, "open")) and not has("chef@exemple.test", "open")(),
       "senders: behind an open alias the same sender is asked for")
    ok("leads to an address that gets nothing: You may not write to <chef@exemple.test>" in
       m.malle("trace", "ouvert@exemple.test").stdout, "and the trace tells who got nothing")
    m.malle("alias", "set", "ouvert@exemple.test", "chef@exemple.test")
    told("ouvert@exemple.test", 550, "senders: an alias is no way around")
    m.malle("user", "set", EVE, "forward=chef@exemple.test", "keep=no")
    reply(EVE, content="kept")
    ok(until(has(EVE, "kept")), "senders: nor a forward; the mail stays where it was for")
    m.malle("user", "set", "chef@exemple.test", "senders=zoe@free.test @out.test")
    told("chef@exemple.test", 250, "senders: one who is named", sender="Zoe@free.test")
    told("chef@exemple.test", 250, "senders: a domain that is named", sender="x@out.test")
    told("chef@exemple.test", 550, "senders: nobody else", sender="max@free.test")
    told("chef@exemple.test", 550, "nor a colleague then", sender=BOB, login=BOB)
    m.malle("user", "set", "chef@exemple.test", "senders=nobody")
    told("chef@exemple.test", 550, "senders: nobody is nobody", sender="zoe@free.test")
    told("chef@exemple.test", 550, "no colleague either", sender=BOB, login=BOB)
    told("chef@exemple.test", 250, "but bounces", sender="")
    ok("refused at rcpt" in m.malle("trace", "chef@exemple.test").stdout and
       "You may not write" in m.malle("trace", "chef@exemple.test").stdout, "the trace tells of refusals")

    # From this machine: the queue asks the same.
    m.malle("user", "set", "chef@exemple.test", "senders=domain")
    p = m.run("malle-inject", "-f", BOB, "--", "chef@exemple.test", input="Subject: injected\n\nhello\n", check=False)
    ok(p.returncode == 0 and until(has("chef@exemple.test", "injected")),
       "senders: a program of this machine is believed %s" % p.stderr)
    p = m.run("malle-inject", "-f", "zoe@free.test", "--", "chef@exemple.test", input="Subject: i2\n\nx\n",
              check=False)
    ok(p.returncode != 0 and "You may not write" in p.stderr, "and what is not allowed is refused: %s" % p.stderr)
    # A host that may relay is believed too.
    m.malle("relay", "add", "127.0.0.1")
    told("tous@exemple.test", 250, "senders: a host that may relay is believed", sender=BOB)
    eq(m.violations(), [], "no program left its role")
out.close()
dns.close()
malle.done()
