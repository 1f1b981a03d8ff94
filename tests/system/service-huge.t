#!/usr/bin/env python3
"""service-huge - programs that fork a child for each client have their code in huge pages, and no code that can be
written."""
import ctypes
import mmap
import os
import re
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import malle
from malle import ok

HUGE = 2 << 20
MADV_COLLAPSE = 25
PROGRAMS = ("malle-pop3d", "malle-smtpd", "malle-spawn", "malle-tls")

if malle.SANITIZED:
    malle.skip_all("the sanitizers know where the code was loaded")


def kernel_can():
    """Whether this kernel gives a huge page to who asks for one."""
    space = mmap.mmap(-1, 2 * HUGE, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    start = ctypes.addressof(ctypes.c_char.from_buffer(space))
    at = -start % HUGE
    space[at] = 1
    libc = ctypes.CDLL(None)
    return libc.madvise(ctypes.c_void_p(start + at), ctypes.c_size_t(HUGE), MADV_COLLAPSE) == 0


def mappings(pid):
    """(start, rights, path) of each."""
    with open("/proc/%d/maps" % pid) as f:
        for line in f:
            p = line.split(None, 5)
            yield int(p[0].split("-")[0], 16), p[1], p[5].strip() if len(p) > 5 else ""


with malle.Instance() as m:
    can = kernel_can()
    for name in PROGRAMS:
        everything = list(mappings(m.pid(name)))
        ok(not [r for _, r, _ in everything if re.match(r".wx", r)], "%s: no code that can be written" % name)
        code = [(at, path) for at, r, path in everything if "x" in r and not path.startswith("[")]
        ok(len(code) == 1 and code[0][0] % HUGE == 0, "%s: its code begins where a huge page may" % name)
        what = "%s: its code is in huge pages" % name
        if can:
            ok(code[0][1] == "", what)
        else:
            malle.skip(what + ": this kernel gives none")
malle.done()
