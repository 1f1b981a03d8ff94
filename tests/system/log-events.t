#!/usr/bin/env python3
"""log-events - every event of the log is written with hyphens and stands in malle-log(5)."""
import glob
import os
import re
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import malle
from malle import ok

CALL = re.compile(r"\blog_(?:error|notice|info)\([^,;]*,\s*([^;]*?)\);|\blog_event\([^,;]*,[^,;]*,\s*([^;]*?)\);", re.S)
WORD = re.compile(r'"([^"\\= ]*)"')


def events():
    """{event: a file that writes it}; an expression of two texts gives both."""
    found = {}
    for path in sorted(glob.glob(os.path.join(malle.TOP, "*", "*.c"))):
        with open(path, encoding="utf-8") as f:
            text = re.sub(r"/\*.*?\*/", "", f.read(), flags=re.S)
        for m in CALL.finditer(text):
            arg = (m.group(1) or m.group(2)).split(",")[0]
            for word in WORD.findall(arg):
                found.setdefault(word, os.path.relpath(path, malle.TOP))
    return found


with open(os.path.join(malle.TOP, "man", "malle-log.5"), encoding="utf-8") as f:
    PAGE = set(re.findall(r"[a-z][a-z-]*", " ".join(l for l in f if l.startswith(".It Cm"))))
EVENTS = events()
ok(len(EVENTS) > 60 and "accepted" in EVENTS and "service-ready" in EVENTS and "released" in EVENTS,
   "the events of the sources are found: %d" % len(EVENTS))
bad = {e: f for e, f in EVENTS.items() if not re.fullmatch(r"[a-z]+(-[a-z]+)*", e)}
ok(not bad, "each is words with hyphens: %r" % bad)
missing = {e: f for e, f in EVENTS.items() if e not in PAGE}
ok(not missing, "each stands in malle-log(5): %r" % missing)
malle.done()
