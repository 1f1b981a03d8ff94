#!/usr/bin/env python3
"""service-addresses - which addresses the running service answers for, and what it tells whom, at once.

postmaster and abuse from a domain's creation on; sub-addresses; domain aliases; suspended and disabled domains and
mailboxes; every change seen by a session that is open already.
"""
import os
import smtplib
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import malle
from malle import eq, ok

with malle.Instance({"default_domain": ""}) as m:
    m.domain("exemple.test")
    s = smtplib.SMTP("127.0.0.1", m.ports["smtp"], "client.test",
                     timeout=malle.PATIENCE)
    s.ehlo()

    def rcpt(address):
        """Code and text; asked in a transaction of its own. A session looks at the tables every 100 ms."""
        def ask():
            s.docmd("RSET")
            s.docmd("MAIL FROM:<zoe@free.test>")
            return s.docmd("RCPT TO:<%s>" % address)
        return ask

    def told(address, want, text):
        """Waits until a recipient is answered so: changes are seen within a moment."""
        ask = rcpt(address)
        malle.until(lambda: ask()[0] == want[0] and ask()[1].startswith(want[1].encode()))
        code, answer = ask()
        ok((code, answer.split(b" ")[0].decode()) == want and len(answer.split()) > 2 or code == 250 == want[0],
           "%s: %d %s" % (text, code, answer.decode()))

    OK = (250, "2.1.5")
    for name in ("postmaster", "abuse", "Postmaster", "ABUSE+report"):
        told(name + "@exemple.test", OK, name + " of a new domain")
    told("postmaster", OK, "postmaster alone, without default_domain")
    told("bob@exemple.test", (550, "5.1.1"), "nobody yet")
    m.user("bob@exemple.test")
    told("bob@exemple.test", OK, "a new mailbox")
    told("bob+any.thing@exemple.test", OK, "a sub-address")
    told("bob@autre.test", (550, "5.7.1"), "another domain is not relayed")
    m.malle("domain", "add", "autre.test", "--alias-of", "exemple.test")
    for name in ("bob", "postmaster", "abuse"):
        told(name + "@autre.test", OK, name + " of a domain alias")
    m.malle("user", "set", "bob@exemple.test", "state=suspended")
    told("bob@exemple.test", (450, "4.2.1"), "a suspended mailbox")
    m.malle("user", "set", "bob@exemple.test", "state=disabled")
    told("bob@autre.test", (550, "5.2.1"), "a disabled one, by its other name")
    m.malle("user", "set", "bob@exemple.test", "state=active")
    told("bob@exemple.test", OK, "and active again")
    m.malle("domain", "set", "exemple.test", "state=suspended")
    told("bob@exemple.test", (450, "4.2.1"), "a suspended domain")
    told("bob@autre.test", (450, "4.2.1"), "its alias too")
    m.malle("domain", "set", "exemple.test", "state=active")
    told("bob@exemple.test", OK, "and active again")

    # One letter to two addresses of one mailbox comes once; its story is found by either.
    s.docmd("RSET")
    s.sendmail("zoe@free.test", ["bob+lists@exemple.test", "BOB@autre.test", "abuse@autre.test"],
               "Subject: once\r\n\r\nhello\r\n")
    s.quit()
    got = m.wait_messages("bob@exemple.test", 1)
    eq(len(m.wait_messages("postmaster@exemple.test", 1)), 1, "abuse leads to the postmaster's mailbox")
    eq(len(got), 1, "two addresses of one mailbox: one copy")
    ok(b"\nDelivered-To: bob+lists@exemple.test\n" in got[0], "which says by which address it came")
    for address, box in (("bob+lists@exemple.test", "bob"), ("BOB@autre.test", "bob"),
                         ("abuse@autre.test", "postmaster"), ("zoe@free.test", "bob")):
        goes = "%s: goes to the mailbox %s@exemple.test" % (
            address if "zoe" not in address else "bob+lists@exemple.test", box)

        def story():
            return m.malle("trace", address).stdout

        def is_told():
            told = story()
            return goes in told and "delivered into the mailbox %s@exemple.test" % box in told and "finished" in told
        # A letter is there a moment before the log says so.
        if not ok(malle.until(is_told), "malle trace " + address):
            malle.note(story())

    # Whoever deletes the domain gets a clear answer at the door.
    m.malle("user", "delete", "bob@exemple.test")
    with smtplib.SMTP("127.0.0.1", m.ports["smtp"], "client.test",
                      timeout=malle.PATIENCE) as s2:
        s2.ehlo()
        s2.mail("zoe@free.test")
        eq(s2.rcpt("bob@exemple.test")[0], 550, "a deleted mailbox")
    eq(m.violations(), [], "no program left its role")
malle.done()
