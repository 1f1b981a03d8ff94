#!/usr/bin/env python3
"""registry-vacations - when an absence begins and ends, and that it ends by itself (inventory 0-28 to 0-30)."""
import calendar
import json
import os
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import malle
from malle import eq, ok

BOB = "bob@exemple.test"


def iso(t):
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(t))


def seconds(text):
    return calendar.timegm(time.strptime(text, "%Y-%m-%dT%H:%M:%SZ"))


with malle.Instance() as m:
    def user(name=BOB):
        return json.loads(m.malle("user", "show", name, "--json").stdout)

    def put(*settings, name=BOB):
        return m.malle("user", "set", name, *settings, check=False)

    def short(name, *more):
        """An absence that ends soon; later, if it was over before the command. The moment."""
        for seconds in (2, 5, 20, 60):
            end = int(time.time()) + seconds
            if put("vacation=yes", "vacation-text=x", "vacation-end=" + iso(end), *more, name=name).returncode == 0:
                return end

    def ends(name, end):
        return malle.until(lambda: user(name).get("vacation") == "no", end - time.time() + malle.PATIENCE, 0.2)

    m.domain("exemple.test")
    m.user(BOB)
    now = time.time()
    ok(put("vacation=yes").returncode != 0, "0-26: an absence needs a text")
    put("vacation=yes", "vacation-text=Absent.")
    o = user()
    ok(abs(seconds(o["vacation-start"]) - now) < 600 and "vacation-end" not in o,
       "0-30: without dates it begins at once and has no end")
    put("vacation=no")
    put("vacation-start=now", "vacation=yes")
    o = user()
    ok(abs(seconds(o["vacation-end"]) - seconds(o["vacation-start"]) - 48 * 3600) < 5, "0-29: now is for 48 hours")
    ok(put("vacation-start=" + iso(now + 500), "vacation-end=" + iso(now + 400)).returncode != 0,
       "0-29: no end before the start")
    start = iso(now + 3600)
    put("vacation-start=" + start, "vacation-end=" + iso(now + 7200))
    put("vacation=no")
    put("vacation=yes")
    eq(user()["vacation-start"], start, "a start that is still to come stays")

    # A day alone is one of the domain's.
    for domain, zone, first, last in (
            ("paris.test", "Europe/Paris", "2034-12-23T23:00:00Z", "2035-07-14T21:59:59Z"),
            ("cayenne.test", "America/Cayenne", "2034-12-24T03:00:00Z", "2035-07-15T02:59:59Z"),
            ("noumea.test", "Pacific/Noumea", "2034-12-23T13:00:00Z", "2035-07-14T12:59:59Z"),
            ("utc.test", "UTC", "2034-12-24T00:00:00Z", "2035-07-14T23:59:59Z")):
        m.domain(domain, "time-zone=" + zone)
        m.user("ada@" + domain)
        put("vacation-start=2034-12-24", "vacation-end=2035-07-14", name="ada@" + domain)
        o = user("ada@" + domain)
        eq((o["vacation-start"], o["vacation-end"]), (first, last), "0-29, 0-30: a day in " + zone)
    put("vacation-end=2035-03-25", name="ada@paris.test")
    eq(user("ada@paris.test")["vacation-end"], "2035-03-25T21:59:59Z", "0-30: the day on which summer time begins")
    put("vacation-end=2035-10-28", name="ada@paris.test")
    eq(user("ada@paris.test")["vacation-end"], "2035-10-28T22:59:59Z", "0-30: and the one on which it ends")
    m.malle("domain", "set", "paris.test", "time-zone=UTC")
    put("full-name=Ada", name="ada@paris.test")
    eq(user("ada@paris.test")["vacation-end"], "2035-10-28T22:59:59Z", "what was said stays when the zone is another")
    m.domain("aussi.test", "--alias-of", "cayenne.test")
    put("vacation-start=2034-12-25", name="ada@aussi.test")
    eq(user("ada@cayenne.test")["vacation-start"], "2034-12-25T03:00:00Z", "0-29: by an alias of the domain")
    p = m.malle("domain", "set", "paris.test", "time-zone=Europe/Malleposte", check=False)
    ok(p.returncode != 0 and "Europe/Paris" in p.stderr, "a zone that there is not is refused: " + p.stderr)

    # Two that end one after the other, and one that does not.
    m.user("carole@exemple.test")
    m.user("zoe@exemple.test")
    put("vacation=yes", "vacation-text=x", "vacation-end=" + iso(time.time() + 7200), name="zoe@exemple.test")
    ok(ends("carole@exemple.test", short("carole@exemple.test")), "an absence that is over is switched off")
    o = user("carole@exemple.test")
    ok("vacation-start" not in o and "vacation-end" not in o and o["vacation-text"] == "x",
       "without its dates, but with its text")
    eq(user("zoe@exemple.test")["vacation"], "yes", "another one goes on")
    log = [l for l in m.log().split("\n") if " vacation-over " in l]
    ok(len(log) == 1 and "carole" in log[0], "the log tells of one")
    j = [json.loads(l) for l in m.malle("journal", "carole@exemple.test", "--json").stdout.splitlines()]
    last = j[-1]
    ok("malle-registryd" in json.dumps(last) and "vacation.end" in json.dumps(last), "and so does the journal, by whom")
    put("vacation=yes", name="carole@exemple.test")
    o = user("carole@exemple.test")
    ok(o["vacation"] == "yes" and "vacation-end" not in o, "the next one has not the end of the last")

    # Over while nobody was there to see it.
    end = short(BOB, "vacation-start=" + iso(time.time() - 5))
    m.stop()
    malle.until(lambda: time.time() > end)
    m.start()
    ok(ends(BOB, end), "one that was over before the start is switched off, too")
    eq(m.violations(), [], "no call outside of a program's role")
malle.done()
