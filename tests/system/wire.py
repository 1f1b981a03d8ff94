"""wire.py - what the tests that play other programs share: TAP, strings with
their lengths, constant databases.

Not a test.
"""
# SPDX-License-Identifier: ISC
import os
import struct


class Tap:
    """The least of TAP."""

    def __init__(self):
        self.n = self.failed = 0

    def ok(self, condition, text):
        self.n += 1
        if not condition:
            self.failed += 1
        print("%sok %d - %s" % ("" if condition else "not ", self.n, text),
              flush=True)
        return condition

    def eq(self, got, want, text):
        if not self.ok(got == want, text):
            print("#   got: %r\n#  want: %r" % (got, want), flush=True)

    def done(self):
        print("1..%d" % self.n)
        raise SystemExit(1 if self.failed else 0)


def pack(value):
    if isinstance(value, str):
        value = value.encode()
    return struct.pack("<I", len(value)) + value


def take(data):
    n, = struct.unpack_from("<I", data)
    return data[4:4 + n], data[4 + n:]


def cdb_hash(key):
    h = 5381
    for c in key:
        h = ((h << 5) + h & 0xffffffff) ^ c
    return h


def write_cdb(path, records):
    """A constant database as tinycdb reads it, put in place by a rename."""
    out = bytearray(2048)
    tables = [[] for _ in range(256)]
    for key, value in records.items():
        key = key.encode()
        h = cdb_hash(key)
        tables[h & 255].append((h, len(out)))
        out += struct.pack("<II", len(key), len(value)) + key + value
    head = b""
    for t in tables:
        slots = [(0, 0)] * (len(t) * 2)
        for h, pos in t:
            i = (h >> 8) % len(slots)
            while slots[i][1]:
                i = (i + 1) % len(slots)
            slots[i] = (h, pos)
        head += struct.pack("<II", len(out), len(slots))
        for h, pos in slots:
            out += struct.pack("<II", h, pos)
    out[:2048] = head
    with open(path + ".new", "wb") as f:
        f.write(out)
    os.rename(path + ".new", path)
