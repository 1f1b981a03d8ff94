#!/usr/bin/env python3
# smtpd-faults.t - the machine refuses a system call: 4yz, and it goes on.
import os
import shutil
import sys
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
# A call that strace takes away has no number for the filter to know.
os.environ["MALLE_SANDBOX_DENY"] = "off"
import malle
from smtpd_peers import BUILD, Tap, Smtpd, code

if not shutil.which("strace") or os.path.basename(BUILD) == "san":
    print("1..0 # SKIP needs strace, and a build that is not sanitized")
    sys.exit(0)
t = Tap()


def one_message(d):
    """The last answer of a session with one message."""
    c = d.client()
    if not c.greeting.startswith("220"):
        return code(c.greeting)
    got = c.begin()
    if got[-1] == "354":
        got.append(code(c.content("Subject: x\r\n\r\nx\r\n.\r\n")))
    c.close()
    return [x for x in got if x != "250"][-1]


# Counts are of each process: the listener's call, or each session's.
for call, error, when, first, then in [
        ("clone", "EAGAIN", "1", "421 4.3.2", "250 2.0.0"),
        ("clone", "ENOMEM", "1", "421 4.3.2", "250 2.0.0"),
        ("accept4", "EMFILE", "1", "250 2.0.0", "250 2.0.0"),
        ("accept4", "ECONNABORTED", "1", "250 2.0.0", "250 2.0.0"),
        ("socket", "EMFILE", "1", "451 4.3.0", "451 4.3.0"),
        ("connect", "EAGAIN", "1", "451 4.3.0", "451 4.3.0"),
        ("sendmsg", "ENOBUFS", "2", "451 4.3.0", "451 4.3.0"),
        ("sendmsg", "EPIPE", "3", "451 4.3.0", "451 4.3.0"),
        ("recvmsg", "ENOMEM", "1", "451 4.3.0", "451 4.3.0"),
        ("recvmsg", "EAGAIN", "1", "451 4.3.0", "451 4.3.0")]:
    d = Smtpd(program=["strace", "-f", "-qq", "-o", "/dev/null", "-e",
                       "trace=" + call, "-e",
                       "inject=%s:error=%s:when=%s" % (call, error, when)])
    t.eq((one_message(d), one_message(d)), (first, then),
         "%s fails with %s: %s, then %s" % (call, error, first, then))
    t.ok("crash" not in d.log(), "nothing crashed")
    pid = d.process.pid
    with open("/proc/%d/task/%d/children" % (pid, pid)) as f:
        os.kill(int(f.read().split()[0]), 15)
    d.process.wait(malle.PATIENCE)
    d.discard()
t.done()
