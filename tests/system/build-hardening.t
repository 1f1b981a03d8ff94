#!/usr/bin/env python3
"""build-hardening - how the programs are linked: what a memory error finds in its way."""
import os
import re
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import malle
from malle import ok

if malle.SANITIZED:
    malle.skip_all("the sanitized build is for finding errors, not for living with them")


def readelf(*argv):
    return subprocess.run(["readelf", "-W", *argv], capture_output=True, text=True, check=True).stdout


NAMES = sorted(n for n in os.listdir(malle.BIN)
               if re.fullmatch(r"malle(-[a-z-]+)?", n) and not os.path.islink(os.path.join(malle.BIN, n)))
ok(len(NAMES) >= 13, "the programs: " + " ".join(NAMES))
for name in NAMES:
    path = os.path.join(malle.BIN, name)
    head, dynamic, segments = readelf("-h", path), readelf("-d", path), readelf("-l", path)
    symbols = readelf("-s", path)
    stack = re.search(r"GNU_STACK.*", segments).group(0)
    missing = [what for what, there in (
        ("position independent", "DYN (" in head),
        ("RELRO", "GNU_RELRO" in segments),
        ("bound at the start", re.search(r"BIND_NOW|FLAGS_1.*\bNOW\b", dynamic)),
        ("stack not executable", "RWE" not in stack),
        ("nothing both written and executed", not re.search(r"LOAD.*RWE", segments)),
        ("stack protector", "__stack_chk_fail" in symbols),
        ("fortified calls", re.search(r"__\w+_chk\b", symbols.replace("__stack_chk_fail", ""))),
    ) if not there]
    ok(not missing, "%s: %s" % (name, ", ".join(missing) or "complete"))
malle.done()
