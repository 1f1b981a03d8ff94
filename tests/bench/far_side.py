"""far_side.py - what the measurements send to: a wildcard DNS, and a sink."""
# SPDX-License-Identifier: ISC
import asyncio
import multiprocessing
import os
import re
import socket
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                os.pardir, "system"))
import internet  # noqa: E402

LIVE, DEAD = "127.0.0.2", "127.0.0.3"


class Wildcard(internet.DNS):
    """destN.test has the server mx.destN.test; every tenth is not there."""

    def _find(self, name, kind):
        n = re.fullmatch(r"(?:mx\.)?dest(\d+)\.test", name)
        if n and kind == internet.TYPES["MX"] and not name.startswith("mx."):
            return name, [(name, kind, b"\0\x0a" +
                           internet.wire_name("mx." + name))]
        if n and kind == internet.TYPES["A"] and name.startswith("mx."):
            ip = DEAD if int(n.group(1)) % 10 == 0 else LIVE
            return name, [(name, kind, socket.inet_aton(ip))]
        if n:
            self.names.add(name)
        return name, []


async def session(reader, writer, arrivals):
    """Takes everything."""
    say = writer.write
    say(b"220 sink\r\n")
    in_data = False
    try:
        while line := await reader.readline():
            verb = line[:4].upper()
            if in_data:
                if line.startswith(b"X-Sent: ") and arrivals is not None:
                    arrivals.put((line[8:].strip().decode(),
                                  time.monotonic()))
                if line == b".\r\n":
                    in_data = False
                    say(b"250 2.0.0 kept\r\n")
            elif verb == b"EHLO":
                say(b"250-sink\r\n250 PIPELINING\r\n")
            elif verb == b"DATA":
                in_data = True
                say(b"354 go on\r\n")
            elif verb == b"QUIT":
                say(b"221 bye\r\n")
                break
            else:
                say(b"250 ok\r\n")
    except ConnectionError:
        pass
    writer.close()


def _serve(port, arrivals):
    async def run():
        server = await asyncio.start_server(
            lambda r, w: session(r, w, arrivals), LIVE, port, backlog=1000)
        await server.serve_forever()
    asyncio.run(run())


def sink(port, arrivals=None):
    """A process that takes all mail on LIVE:port. Each content with a header
    X-Sent is put into arrivals, a multiprocessing queue, with its time."""
    p = multiprocessing.Process(target=_serve, args=(port, arrivals),
                                daemon=True)
    p.start()
    return p
