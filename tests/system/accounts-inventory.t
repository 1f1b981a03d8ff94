#!/usr/bin/env python3
"""What five panels could do with an address, a row for each rule, by its number
in the inventory: tried with the command and in real sessions. What needs more
than a row has a test of its own (docs/features.md)."""
import os
import poplib
import pty
import shlex
import smtplib
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import malle  # noqa: E402
from malle import ok  # noqa: E402

PW = "correct horse battery"
BAD, NO, GONE, THERE = 65, 77, 67, 73		# sysexits of malle

# Item, what it says, words of malle, exit status, what is in the output: words
# with "|" between, those behind "!" are not there. A "<" before the words: the
# password is the input. Each row finds what the rows before it have left.
DOMAINS = """
0-12 a domain is declared            | domain add exemple.fr | 0 |
0-13 a domain has one form           | domain show exemple.fr | 0 | state: active | language: fr
0-14 no placement: one server        | domain set exemple.fr server=mut3 | 65 | server
0-15 a customer is made              | client add acme --name "Acme SARL" | 0 |
0-15 and owns a domain               | domain set exemple.fr client=acme | 0 |
0-15 which counts                    | client show acme | 0 | used-domains: 1
0-15 not one that is not there       | domain set exemple.fr client=nobody | 67 | nobody
0-16 a sub-domain                    | domain add sous.exemple.fr | 0 |
0-16 is a domain of its own          | alias list sous.exemple.fr | 0 | postmaster@sous.exemple.fr
0-16 an international one            | domain add société.fr | 0 |
0-16 shown as it is written          | --json domain show société.fr | 0 | xn--socit-esab.fr | société.fr
0-16 no name at all                  | domain add exemple | 0 |
0-16 not a name                      | domain add exa_mple.fr | 65 | is no domain name
0-16 nor an empty part               | domain add a..fr | 65 | is no domain name
0-17 no filter at first              | domain show exemple.fr | 0 | spam-policy: none
0-17 the advice of the form          | domain set exemple.fr spam-policy=normal | 0 |
0-17 one of seven                    | domain set exemple.fr spam-policy=trigger-happy | 0 |
0-17 no other                        | domain set exemple.fr spam-policy=magic | 65 | spam-policy
0-18 not active                      | domain set exemple.fr state=disabled | 0 |
0-18 active again                    | domain set exemple.fr state=active | 0 |
0-18 nothing between                 | domain set exemple.fr state=maybe | 65 | active
0-19 another name of a domain        | domain add autre.fr --alias-of exemple.fr | 0 |
0-20 the one that points             | domain show autre.fr | 0 | alias-of: exemple.fr
0-21 the one that it points to       | domain show exemple.fr | 0 | domain-aliases: autre.fr
0-22 not active                      | domain set autre.fr state=disabled | 0 |
0-22 the main one is                 | domain show exemple.fr | 0 | state: active
0-22 active                          | domain set autre.fr state=active | 0 |
0-23 the main one must be declared   | domain add b.fr --alias-of nix.fr | 67 | no domain nix.fr
0-23 and be a main one               | domain add b.fr --alias-of autre.fr | 65 |
2-15 postmaster and abuse            | domain add exemple.com | 0 |
2-15 for all ends                    | alias list exemple.com | 0 | abuse@exemple.com | !hostmaster
2-15 hostmaster for .fr              | alias list exemple.fr | 0 | hostmaster@exemple.fr | abuse@exemple.fr
2-15 it stays                        | alias delete hostmaster@exemple.fr | 77 | cannot be deleted
2-15 configurable for each end       | suffix add com postmaster abuse webmaster | 0 |
2-15 at once                         | alias list exemple.com | 0 | webmaster@exemple.com
4-07 both exist from the beginning   | user show postmaster@exemple.com | 0 | password: locked
4-22 the language of a domain        | domain set exemple.com language=en | 0 |
4-22 French or English               | domain set exemple.com language=xx | 65 | language
4-24 the time zone of a domain       | domain set exemple.com time-zone=Europe/Brussels | 0 |
4-24 no other text                   | domain set exemple.com time-zone=../etc/passwd | 65 | time-zone
8-12 postmaster stays                | user delete postmaster@exemple.com | 77 | cannot be deleted
8-12 abuse stays                     | alias delete abuse@exemple.com | 77 | cannot be deleted
"""

MAILBOXES = """
1-02 a mailbox has an address        | <user add marie@exemple.fr --password-stdin | 0 |
1-04 64 characters                   | user add {64}@exemple.fr --locked | 0 |
1-04 no more                         | user add {65}@exemple.fr --locked | 65 | 64
1-05 letters, digits, the two dashes | user add a-b_C9@exemple.fr --locked | 0 |
1-05 a dot inside                    | user add a.b@exemple.fr --locked | 0 |
1-05 no accent                       | user add é@exemple.fr --locked | 65 | without accents
1-05 no dot at first                 | user add .a@exemple.fr --locked | 65 | dots inside
1-05 nor at last                     | user add a.@exemple.fr --locked | 65 | dots inside
1-05 nor two in a row                | user add a..b@exemple.fr --locked | 65 | never two in a row
1-05 nothing else                    | user add a+b@exemple.fr --locked | 65 |
1-06 twelve characters               | <{short}user passwd marie@exemple.fr --password-stdin | 65 | 12
1-06 none that all try               | <{common}user passwd marie@exemple.fr --password-stdin | 65 | everybody tries
1-06 not the name of the account     | <{name}user passwd marie@exemple.fr --password-stdin | 65 | name of the account
1-06 a change can be forced          | user set marie@exemple.fr must-change=yes | 0 |
1-06 then nothing else               | <--as marie@exemple.fr user set marie@exemple.fr full-name=M | 77 | password
1-06 until it is over                | user set marie@exemple.fr must-change=no | 0 |
2-08 a full name                     | user add jean@exemple.fr --locked --name "Jean Petit" --quota 20M | 0 |
2-08 is shown                        | user show jean@exemple.fr | 0 | full-name: Jean Petit | quota-bytes: 20971520
2-08 a name is taken once            | user add jean@exemple.fr --locked | 73 | exists already
2-16 another name                    | user set jean@exemple.fr "full-name=Jean Grand" | 0 |
2-20 at once                         | user show jean@exemple.fr | 0 | full-name: Jean Grand
2-16 another password                | <user passwd jean@exemple.fr --password-stdin | 0 |
2-16 is set                          | user show jean@exemple.fr | 0 | password: set
2-09 used, of how many               | domain set exemple.fr max-mailboxes=7 | 0 |
2-09 in the list of the domains      | domain list | 0 | 6/7
2-21 one more                        | user add last@exemple.fr --locked | 0 |
2-21 and the limit                   | user add more@exemple.fr --locked | 77 | exemple.fr has 7 of 7 mailboxes
2-22 deleted, its place is free      | user delete last@exemple.fr --redirect marie@exemple.fr | 0 |
2-22 and the address goes on         | alias show last@exemple.fr | 0 | targets: marie@exemple.fr
2-22 somebody else has its place     | user add more@exemple.fr --locked | 0 |
9-03 the name is kept for it         | alias delete last@exemple.fr | 0 |
9-03 not given to others             | user add last@exemple.fr --locked | 73 | last@exemple.fr
9-01 no limit any more               | domain set exemple.fr max-mailboxes=0 | 0 |
0-43 as many as one likes            | domain show exemple.fr | 0 | used-mailboxes: 7
9-03 it comes back                   | user restore last@exemple.fr | 0 |
3-07 a login from names              | user add --first Pierre --last Martin exemple.fr --random | 0 | login: pmartin@exemple.fr
3-12 first initial and last name     | user propose --first Paul --last Martin --domain exemple.fr | 0 | pmartin2@exemple.fr
3-12 without accents                 | user propose --first Éloïse --last "d'Aubigné" --domain exemple.fr | 0 | edaubigne@exemple.fr
3-13 no login of a function          | user add info@exemple.fr --locked | 65 | names a function
3-13 but an alias                    | alias add info@exemple.fr pmartin | 0 |
3-13 or when it is meant             | user add compta@exemple.fr --locked --force | 0 |
4-30 any case is the same            | user show Marie@EXEMPLE.fr | 0 | name: marie@exemple.fr
4-30 no space                        | user add "ma rie@exemple.fr" --locked | 65 |
4-31 no password by default          | user show postmaster@exemple.fr | 0 | password: locked
4-52 never logged in                 | user show pmartin@exemple.fr | 0 | !last-login | used-messages: 0 | used-bytes: 0
4-54 another identifier              | user rename pmartin@exemple.fr pierre.martin | 0 |
4-54 the old one receives            | alias show pmartin@exemple.fr | 0 | targets: pierre.martin@exemple.fr
0-42 how much is there               | mailbox usage marie@exemple.fr | 0 | total
"""

ADDRESSES = """
0-31 an alias of a mailbox           | alias add vente@exemple.fr marie | 0 |
0-31 several                         | alias add ventes@exemple.fr marie | 0 |
0-32 a name is needed                | alias add exemple.fr marie | 65 | full address
0-33 in another domain               | alias add direction@exemple.com marie@exemple.fr | 0 |
0-33 not to nobody                   | alias add x@exemple.com nobody@exemple.fr | 65 | no nobody@exemple.fr
0-34 not active                      | alias set vente@exemple.fr --state disabled | 0 |
0-34 active                          | alias set vente@exemple.fr --state active | 0 |
0-35 one address for many            | alias add tous@exemple.fr "marie;jean;ext@ailleurs.test" | 0 |
0-36 name and domain                 | alias add tous marie | 65 | full address
0-37 semicolons between              | alias show tous@exemple.fr | 0 | targets: marie@exemple.fr, jean@exemple.fr, ext@ailleurs.test
0-38 not active                      | alias set tous@exemple.fr --state suspended | 0 |
0-38 active                          | alias set tous@exemple.fr --state active | 0 |
8-06 commas and spaces               | alias add deux@exemple.fr "marie,jean" pierre.martin | 0 |
8-06 are the same                    | alias show deux@exemple.fr | 0 | marie@exemple.fr, jean@exemple.fr, pierre.martin@exemple.fr
2-23 several names of one mailbox    | alias add chef@exemple.fr marie | 0 |
2-24 to elsewhere                    | alias add dehors@exemple.fr user@domain.test | 0 |
2-25 a redirection of a redirection  | alias add chef2@exemple.fr chef | 0 |
2-25 but no circle                   | alias set chef@exemple.fr chef2 | 65 | lead back to itself
8-15 nor through a mailbox           | user set marie@exemple.fr forward=vente | 65 | lead back to itself
2-26 the name is free                | alias add jean@exemple.fr marie | 73 | exists already
2-27 used, of how many               | domain set exemple.fr max-aliases=40 max-forwards=2 | 0 |
2-27 in the list                     | domain list | 0 | /40\t2/2
9-01 where 0 is no limit             | domain list | 0 | 10/-\t
2-27 what leads where                | alias list exemple.fr | 0 | chef2@exemple.fr | chef@exemple.fr
9-01 no third                        | alias add trois@exemple.fr marie jean | 77 | exemple.fr has 2 of 2 forwards
9-01 nor by a second destination     | alias set chef@exemple.fr marie jean | 77 | 2 of 2 forwards
2-28 one destination less            | alias set deux@exemple.fr marie jean | 0 |
2-28 and none                        | alias set deux@exemple.fr "" | 65 |
2-29 deleted                         | alias delete deux@exemple.fr | 0 |
2-29 at once                         | alias show deux@exemple.fr | 67 | deux@exemple.fr
0-39 nobody's mail is refused        | domain show exemple.fr | 0 | catch-all: refuse
2-14 off, and better so              | domain set exemple.fr catch-all=marie@exemple.fr | 0 | Warning: | spam
0-41 somebody must empty it          | domain set exemple.fr catch-all=marie@exemple.fr | 0 | emptied
2-13 to an address elsewhere         | domain set exemple.fr catch-all=x@ailleurs.test | 0 | Warning:
2-13 the same name elsewhere         | domain set exemple.fr catch-all=@ailleurs.test | 0 | Warning:
2-13 all deleted                     | domain set exemple.fr catch-all=discard | 0 | Warning: | will never know
2-13 all refused                     | domain set exemple.fr catch-all=refuse | 0 | !Warning
0-40 of a mailbox that exists        | domain set exemple.fr catch-all=nobody@exemple.com | 65 | no nobody@exemple.com
0-40 of its own domain, too          | domain set exemple.fr catch-all=nobody@exemple.fr | 65 | There is no nobody@exemple.fr
0-40 forced or not                   | domain set exemple.fr catch-all=nobody@exemple.fr force=yes | 65 | back to itself
2-17 forwarded, a copy stays         | user set jean@exemple.fr forward=marie | 0 | !Warning
8-03 a copy by default               | user show jean@exemple.fr | 0 | keep: yes
3-11 without a copy                  | user set jean@exemple.fr keep=no | 0 | Warning: | nothing is stored here
3-11 said once                       | user set jean@exemple.fr full-name=Jean | 0 | !Warning
2-17 all deleted                     | user set jean@exemple.fr forward= keep=yes discard=yes | 0 | Warning: | deleted unread
2-17 not forwarded as well           | user set jean@exemple.fr forward=marie | 65 | discard
2-17 as it should be                 | user set jean@exemple.fr discard=no | 0 | !Warning
2-18 an absence                      | user set jean@exemple.fr vacation=yes vacation-text=Away. | 0 |
8-02 and a forward                   | user set jean@exemple.fr forward=marie | 0 |
2-18 or alone                        | user set jean@exemple.fr forward= | 0 |
0-26 a text is needed                | user set marie@exemple.fr vacation=yes | 65 | vacation-text
0-29 now is 48 hours                 | user set jean@exemple.fr vacation-start=now | 0 |
0-29 an end is there                 | user show jean@exemple.fr | 0 | vacation-start: 20 | vacation-end: 20
0-30 no end                          | user set jean@exemple.fr vacation-end= | 0 |
0-30 for ever                        | user show jean@exemple.fr | 0 | vacation: yes | !vacation-end
0-30 no end before the start         | user set jean@exemple.fr vacation-end=2020-01-01 | 65 | before it starts
0-28 off again                       | user set jean@exemple.fr vacation=no | 0 |
2-31 a robot                         | <{text}robot add merci@exemple.fr --subject Merci --text-file - --copy marie | 0 |
2-30 has a fixed answer              | robot show merci@exemple.fr | 0 | subject: Merci | copy: marie@exemple.fr | days: 1
2-31 a subject is needed             | <{text}robot add m2@exemple.fr --text-file - | 65 | subject
2-31 and a text                      | robot add m2@exemple.fr --subject S | 65 | text
"""

ROLES = """
4-13 one administrator               | <manager add admin --password-stdin | 0 |
4-12 a manager of domains            | <manager add chef --domains exemple.fr --password-stdin | 0 |
4-10 one who looks only              | <manager add voir --domains exemple.fr --create none --change none --delete none --password-stdin | 0 |
4-10 one whose time is over          | <manager add fini --domains exemple.fr --until 2020-01-01 --password-stdin | 0 |
4-10 one of a customer               | <manager add client --client acme --password-stdin | 0 |
0-04 a manager is no mailbox         | user show chef@exemple.fr | 67 |
4-34 the administrator               | <--as admin domain list | 0 | exemple.com | exemple.fr
4-34 a manager sees his              | <--as chef domain list | 0 | exemple.fr | !exemple.com
4-34 a user: the full address        | <--as marie@exemple.fr user show marie@exemple.fr | 0 | name: marie@exemple.fr
8-07 a user: the name alone          | <--as marie user show marie@exemple.fr | 0 | name: marie@exemple.fr
8-07 in any case                     | <--as MARIE user show marie@exemple.fr | 0 | name: marie@exemple.fr
8-07 with another name of the domain | <--as marie@autre.fr user show marie@exemple.fr | 0 | name: marie@exemple.fr
8-07 an alias is no login            | <--as vente user show marie@exemple.fr | 77 | password
4-34 not with a wrong password       | <{short}--as chef domain list | 77 | password
4-12 makes mailboxes                 | <--as chef user add neuf@exemple.fr --locked | 0 |
4-51 in his domain only              | <--as chef user add neuf@exemple.com --locked | 77 | not yours
4-12 aliases                         | <--as chef alias add neuve@exemple.fr neuf | 0 |
4-12 and robots                      | <--as chef robot set merci@exemple.fr --subject Bonjour | 0 |
4-12 deletes them                    | <--as chef alias delete neuve@exemple.fr | 0 |
4-12 makes no domains                | <--as chef domain add neuf.fr | 77 | right "create" | "domain"
4-12 nor customers                   | <--as chef client add neuf | 77 |
4-12 does not stop a domain          | <--as chef domain set exemple.fr state=suspended | 77 | not yours
4-12 nor raise its limits            | <--as chef domain set exemple.fr max-mailboxes=99 | 77 | not yours
4-10 who looks changes nothing       | <--as voir user set marie@exemple.fr full-name=M | 77 | right "change"
4-10 but looks                       | <--as voir user show marie@exemple.fr | 0 | name: marie@exemple.fr
4-10 whose time is over does nothing | <--as fini domain list | 77 |
0-15 a customer's manager sees it    | <--as client domain list | 0 | exemple.fr | !exemple.com
4-11 a user has one mailbox          | <--as marie@exemple.fr user show jean@exemple.fr | 77 | not yours
4-11 and no list                     | <--as marie@exemple.fr user list exemple.fr | 77 |
1-03 makes none                      | <--as marie@exemple.fr user add x@exemple.fr --locked | 77 |
3-08 sets a forward                  | <--as marie@exemple.fr user set marie@exemple.fr forward=a@ailleurs.test | 0 |
3-08 takes it back                   | <--as marie@exemple.fr user set marie@exemple.fr forward= | 0 |
3-08 not the quota                   | <--as marie@exemple.fr user set marie@exemple.fr quota-bytes=1G | 77 | not yours
3-08 no alias that was not granted   | <alias own-add marie@exemple.fr mimi | 77 | 0 are granted
3-07 two are                         | user set marie@exemple.fr own-aliases=2 | 0 |
3-08 an alias of one's own           | <alias own-add marie@exemple.fr mimi | 0 |
4-13 reads no mail                   | <--as admin mailbox list marie@exemple.fr | 77 |
9-05 nor does a manager              | <--as chef mailbox list marie@exemple.fr | 77 |
9-05 nor root, without her password  | <{short}mailbox list marie@exemple.fr | 77 | password
9-05 she does                        | <mailbox list marie@exemple.fr | 0 |
3-09 a manager sets a password       | <{new}--as chef user passwd neuf@exemple.fr --password-stdin | 0 |
"""

# Item, what it says, who has logged in, sender, recipient, first digits.
SMTP = """
2-10 an unknown name is refused      | | joe@ailleurs.test | nobody@exemple.fr | 550 5.1.1
8-10 in the dialogue                 | | joe@ailleurs.test | nobody@autre.fr | 550 5.1.1
8-05 any case                        | | joe@ailleurs.test | MARIE@Exemple.FR | 250
8-04 a sub-address                   | | joe@ailleurs.test | marie+liste@exemple.fr | 250
0-19 the other name of the domain    | | joe@ailleurs.test | marie@autre.fr | 250
0-19 for aliases                     | | joe@ailleurs.test | vente@autre.fr | 250
0-19 for robots                      | | joe@ailleurs.test | merci@autre.fr | 250
0-16 the international one           | | joe@ailleurs.test | postmaster@xn--socit-esab.fr | 250
0-31 an alias                        | | joe@ailleurs.test | vente@exemple.fr | 250
0-33 to another domain               | | joe@ailleurs.test | direction@exemple.com | 250
0-35 for many                        | | joe@ailleurs.test | tous@exemple.fr | 250
2-22 of somebody who came back       | | joe@ailleurs.test | last@exemple.fr | 250
3-16 nobody relays                   | | joe@ailleurs.test | x@dehors.test | 550 5.7.1
3-15 who logs in does                | marie@exemple.fr | marie@exemple.fr | x@dehors.test | 250
4-08 as an alias                     | marie@exemple.fr | vente@exemple.fr | x@dehors.test | 250
4-08 as oneself in the other domain  | marie@exemple.fr | marie@autre.fr | x@dehors.test | 250
4-08 not as somebody else            | marie@exemple.fr | jean@exemple.fr | x@dehors.test | 553
3-03 a name alone                    | marie | marie@exemple.fr | x@dehors.test | 250
3-14 the address                     | Marie@Exemple.fr | marie@exemple.fr | x@dehors.test | 250
4-53 the password that reads         | marie@exemple.fr | marie@exemple.fr | jean@exemple.fr | 250
"""

NAMES = {"{64}": "a" * 64, "{65}": "a" * 65}
INPUTS = {"{short}": "short", "{common}": "motdepasse2026",
          "{name}": "marie at the sea", "{text}": "Merci de votre message.",
          "{new}": PW + "\nquatre chevaux bleus"}


def rows(table):
    for line in table.strip().split("\n"):
        cells = [c.strip() for c in line.split("|")]
        item, what = cells[0].split(" ", 1)
        yield item, what.strip(), cells[1:]


def commands(m, table):
    for item, what, cells in rows(table):
        words, status = cells[0], int(cells[1])
        wanted = [c.replace("\\t", "\t") for c in cells[2:]]
        given = None
        if words.startswith("<"):
            words, given = words[1:], PW
            for name, value in INPUTS.items():
                if words.startswith(name):
                    words, given = words[len(name):], value
        for name, value in NAMES.items():
            words = words.replace(name, value)
        r = m.malle(*shlex.split(words), check=False,
                    input=None if given is None else given + "\n")
        said = r.stdout + r.stderr
        good = r.returncode == status and all(
            w[1:] not in said if w.startswith("!") else w in said
            for w in wanted if w)
        if not ok(good, "%s %s: malle %s" % (item, what, words)):
            malle.note("status %d\n%s" % (r.returncode, said))


def sessions(m):
    for item, what, (login, sender, to, code) in rows(SMTP):
        s = smtplib.SMTP("127.0.0.1", m.ports["submission" if login else
                                              "smtp"], timeout=malle.PATIENCE)
        s.ehlo("client.test")
        if login:
            s.login(login, PW)
        answer = s.mail(sender)
        if answer[0] == 250:
            answer = s.rcpt(to)
        s.quit()
        said = "%d %s" % (answer[0], answer[1].decode())
        if not ok(said.startswith(code), "%s %s: %s to %s" % (
                item, what, sender, to)):
            malle.note(said)


def recipient(s, to):
    s.rset()
    s.mail("joe@ailleurs.test")
    return s.rcpt(to)[0]


def effects(m):
    """2-07, 9-02: what is changed holds in sessions that are open already."""
    s = smtplib.SMTP("127.0.0.1", m.ports["smtp"], timeout=malle.PATIENCE)
    s.ehlo("client.test")
    for item, words, to, code in (
            ("2-07 a new mailbox", "user add now@exemple.fr --locked",
             "now@exemple.fr", 250),
            ("2-29 a deletion", "alias delete chef2@exemple.fr",
             "chef2@exemple.fr", 550),
            ("0-34 an alias that is not active",
             "alias set vente@exemple.fr --state disabled",
             "vente@exemple.fr", 550),
            ("0-22 a domain alias that is not active",
             "domain set autre.fr state=disabled", "marie@autre.fr", 550),
            ("0-18 a domain that is suspended",
             "domain set exemple.com state=suspended",
             "postmaster@exemple.com", 450),
            ("0-18 a domain that is not active",
             "domain set exemple.com state=disabled",
             "postmaster@exemple.com", 550),
            ("0-40 a catch-all", "domain set exemple.fr "
             "catch-all=marie@exemple.fr", "qui@exemple.fr", 250),
            ("9-02 and none", "domain set exemple.fr catch-all=refuse",
             "quoi@exemple.fr", 550)):
        m.malle(*shlex.split(words))
        # An open session looks at the tables ten times a second.
        ok(malle.until(lambda: recipient(s, to) == code),
           item + ": in a session that is open")
    s.quit()


def logins(m):
    """1-02, 4-53: one password reads and sends; 8-09: not in the clear."""
    for item, what, name, password, good in (
            ("1-02", "the login is the address", "marie@exemple.fr", PW, True),
            ("8-07", "a name alone", "marie", PW, True),
            ("8-05", "its case does not matter", "MARIE@exemple.fr", PW, True),
            ("8-05", "that of a password does", "marie@exemple.fr",
             PW.upper(), False),
            ("8-08", "postmaster is no password", "postmaster@exemple.fr",
             "postmaster", False),
            ("4-31", "nor is abuse", "abuse@exemple.fr", "abuse", False),
            ("3-12", "an alias is no login", "vente@exemple.fr", PW, False),
            ("0-04", "nor is a manager", "chef", PW, False),
            ("2-04", "nor at the domain", "chef@exemple.fr", PW, False)):
        p = poplib.POP3("127.0.0.1", m.ports["pop3"], timeout=malle.PATIENCE)
        try:
            p.user(name)
            p.pass_(password)
            came_in = True
        except poplib.error_proto:
            came_in = False
        p.close()
        ok(came_in == good, "%s %s: %s" % (item, what, name))
    ok(malle.until(lambda: "last-login: 20" in m.malle(
        "user", "show", "marie@exemple.fr").stdout),
       "4-52 the last login is shown")


def journal(m):
    """Who, when, from where, what, before and after."""
    def last(*words):
        return m.malle("journal", "--limit", "1", *words).stdout
    m.malle("user", "set", "jean@exemple.fr", "full-name=Jean")
    ok(" from " not in last("jean@exemple.fr"), "journal: from nowhere")
    m.env["SSH_CONNECTION"] = "192.0.2.7 50000 192.0.2.1 22"
    m.malle("user", "set", "jean@exemple.fr", "full-name=Jean Vingt")
    del m.env["SSH_CONNECTION"]
    m.malle("user", "set", "marie@exemple.fr", "full-name=Marie")
    said = last("jean@exemple.fr")
    ok(" root user.set user jean@exemple.fr changed from 192.0.2.7\n" in said
       and "\tfull-name: Jean -> Jean Vingt\n" in said and
       said.split()[1].startswith("20"),
       "journal: the last change of an object: who, when, from where, what")
    ok('"from": "192.0.2.7"' in last("--json", "jean@exemple.fr"),
       "journal: as JSON")
    r = m.malle("--as", "chef", "journal", "--limit", "1", input=PW + "\n")
    ok("marie@exemple.fr" in r.stdout,
       "journal: the last one that a manager sees")
    ends = pty.openpty()
    m.malle("user", "set", "jean@exemple.fr", "full-name=Jean",
            stdin=ends[1])
    ok(" from pts/" in last("jean@exemple.fr"), "journal: a terminal")
    for end in ends:
        os.close(end)
    with open(os.path.join(m.base, "registry", "journal")) as f:
        ok('"operation":"user.set","from":"192.0.2.7"' in f.read(),
           "journal: in the text")


def in_french(m):
    m.env["LC_ALL"] = "fr_FR.UTF-8"
    for item, words, said in (
            ("2-14", "domain set exemple.fr catch-all=marie@exemple.fr",
             "Attention : tout le courrier"),
            ("2-13", "domain set exemple.fr catch-all=refuse", ""),
            ("3-11", "user set jean@exemple.fr forward=marie keep=no",
             "plus rien n'est gardé ici"),
            ("2-26", "alias add jean@exemple.fr marie", "existe déjà"),
            ("2-25", "user set marie@exemple.fr forward=marie",
             "mènerait à elle-même"),
            ("8-12", "user delete postmaster@exemple.fr",
             "ne peut pas être supprimée"),
            ("3-13", "user add support@exemple.fr --locked",
             "désigne une fonction")):
        r = m.malle(*shlex.split(words), check=False)
        if not ok(said in r.stderr, "%s in French: %s" % (item, said)):
            malle.note(r.stderr)
    m.env["LC_ALL"] = "C.UTF-8"


with malle.Instance(conf={"auth_clear_on_loopback": "yes",
                          "default_domain": "exemple.fr"}) as m:
    m.env["LC_ALL"] = "C.UTF-8"
    commands(m, DOMAINS)
    commands(m, MAILBOXES)
    commands(m, ADDRESSES)
    commands(m, ROLES)
    sessions(m)
    logins(m)
    effects(m)
    journal(m)
    in_french(m)
    ok(not m.violations(), "no call outside a role")
malle.done()
