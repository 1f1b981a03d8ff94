#!/usr/bin/env python3
"""service-ipv6 - the whole service on ::1: SMTP, submission, POP3S, and what the letter says about it."""
import base64
import os
import poplib
import smtplib
import socket
import ssl
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import malle
from malle import eq, ok

try:
    with socket.socket(socket.AF_INET6) as probe:
        probe.bind(("::1", 0))
except OSError as e:
    malle.skip_all("no IPv6 here: %s" % e)

PORTS = dict(zip(malle.PORTS, malle.free_ports(len(malle.PORTS), "::1")))

m = malle.Instance(start=False)
with m:
    # Both families beside each other, as a real server has them.
    m.write_conf(**{name: "%s, [::1]:%d" % (m.settings[name], port) for name, port in PORTS.items()})
    m.start()
    m.domain("exemple.test")
    m.user("alice@exemple.test")
    m.user("bob@exemple.test")
    context = ssl.create_default_context(cafile=m.ca)
    context.check_hostname = False

    with smtplib.SMTP("::1", PORTS["smtp"], "client.test",
                      timeout=malle.PATIENCE) as s:
        s.sendmail("zoe@free.test", ["bob@exemple.test"], "Subject: six\r\n\r\nhello\r\n")
    got = m.wait_messages("bob@exemple.test", 1)
    ok(len(got) == 1 and b"from client.test ([IPv6:::1])" in got[0],
       "SMTP on ::1, and the Received line says so (RFC 5321 4.1.3)")
    with smtplib.SMTP("::1", PORTS["smtp"], "[IPv6:::1]",
                      timeout=malle.PATIENCE) as s:
        eq(s.ehlo()[0], 250, "EHLO with an address literal")
        eq(s.docmd("MAIL FROM:<zoe@[IPv6:2001:db8::1]>")[0], 250, "a sender at a literal")
        eq(s.docmd("RCPT TO:<bob@[IPv6:2001:db8::1]>")[0], 550, "mail for one is not relayed")
    with smtplib.SMTP("::1", PORTS["submission"], "client.test",
                      timeout=malle.PATIENCE) as s:
        s.starttls(context=context)
        s.login("alice@exemple.test", m.passwords["alice@exemple.test"])
        s.sendmail("alice@exemple.test", ["bob@exemple.test"], "Subject: two\r\n\r\nhello\r\n")
    got = m.wait_messages("bob@exemple.test", 2)
    ok(len(got) == 2 and not any(b"IPv6:::1" in x for x in got if b"Subject: two" in x),
       "submission on ::1 hides the client")
    with smtplib.SMTP_SSL("::1", PORTS["submissions"], "client.test",
                          timeout=malle.PATIENCE, context=context) as s:
        s.login("alice@exemple.test", m.passwords["alice@exemple.test"])
        ok(True, "submission with TLS from the start")
    p = poplib.POP3_SSL("::1", PORTS["pop3s"],
                        timeout=malle.PATIENCE, context=context)
    p.user("bob@exemple.test")
    p.pass_(m.passwords["bob@exemple.test"])
    eq(p.stat()[0], 2, "POP3S on ::1")
    p.quit()
    p = poplib.POP3("::1", PORTS["pop3"], timeout=malle.PATIENCE)
    p.stls(context=context)
    plain = base64.b64encode(b"\0bob@exemple.test\0" + m.passwords["bob@exemple.test"].encode())
    ok(p._shortcmd("AUTH PLAIN " + plain.decode()).startswith(b"+OK"), "POP3 with STLS on ::1")
    p.quit()
    ok("client=::1" in m.log(), "the log has the address")
    with m.connect("smtp") as c:
        ok(c.recv(100).startswith(b"220 "), "127.0.0.1 beside it")
    eq(m.violations(), [], "nobody left its role")
malle.done()
