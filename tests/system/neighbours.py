"""neighbours.py - how long letters to a healthy destination take, alone and
beside destinations that are dead, slow, silent or throttled.

Not a test: queue-neighbours.t and tests/bench/slow-destination use it.
"""
# SPDX-License-Identifier: ISC
import smtplib
import threading
import time

import malle
from internet import Hang
from relaylab import PROVIDERS, Lab

SENDER = "bob@exemple.test"


def silent(session, line):
    raise Hang()


class Neighbours:
    def __init__(self):
        self.lab = Lab(messages_per_session="100000",
                       sessions_per_host="100",
                       providers=PROVIDERS.replace("slow-pause 3s",
                                                   "slow-pause 1m"))
        lab = self.lab
        self.over = threading.Event()
        try:
            lab.m.start()
            lab.m.domain("exemple.test")
            lab.m.user(SENDER)
            lab.m.malle("relay", "add", "127.0.0.1")
            self.healthy = lab.server("healthy.test")
            self.slow = lab.server("slow.test", hooks={"END": self.slowly})
            lab.server("silent.test", hooks={"CONNECT": silent})
            lab.server("throttled.test",
                       hooks={"MAIL": "421 4.7.0 Slow down"})
            lab.dns.mx("dead.test", 10, "mx.dead.test")
            lab.host("mx.dead.test")
            self.smtp = smtplib.SMTP("127.0.0.1", lab.m.ports["smtp"])
        except BaseException:
            lab.close()
            raise

    def slowly(self, session, line):
        """Four in a second; of so many that some wait however slow we are."""
        self.over.wait(1 if len(self.slow.messages) < 100 else None)

    def fill(self, n):
        """n messages for each of the others."""
        for domain in ("slow", "silent", "throttled", "dead"):
            for k in range(n):
                self.smtp.sendmail(SENDER, ["u%d@%s.test" % (k, domain)],
                                   "Subject: x\r\n\r\nx\r\n")

    def letters(self, n, pause=0.02):
        """The times of n letters, from the 250 to the other server's, in ms,
        sorted; those that have not come in time are missing."""
        begun, first = {}, len(self.healthy.messages)
        for k in range(n):
            who = "l%d-%d@healthy.test" % (first, k)
            self.smtp.sendmail(SENDER, [who], "Subject: x\r\n\r\nx\r\n")
            begun[who] = time.time()
            time.sleep(pause)
        malle.until(lambda: len(self.healthy.messages) >= first + n)
        return sorted(1000 * (m["time"] - begun[m["rcpts"][0]])
                      for m in self.healthy.messages[first:])

    def close(self):
        self.over.set()
        self.lab.close()


def part(times, share):
    return times[min(len(times) - 1, int(len(times) * share))]


def figures(times):
    return "p50 %.1f ms, p99 %.1f ms" % (part(times, 0.5), part(times, 0.99))
