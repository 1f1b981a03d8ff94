#!/usr/bin/env python3
"""malle-start: folders, descriptors, order, restarts, reload, stop."""
import os
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import malle
from malle import eq, ok, until

# Stands in for every program: tells the log what it was given, says that it
# is ready, and ends as it is told.
STAND_IN = r'''#!/usr/bin/env python3
import os, signal, sys, time
name = os.path.basename(sys.argv[0])
here = os.path.dirname(sys.argv[0])
def say(text):
    sys.stderr.write("- - %s %s\n" % (name, text)); sys.stderr.flush()
fds = dict()
for item in os.environ["MALLE_FDS"].split(","):
    key, fd = item.split("=")
    fds.setdefault(key, []).append(int(fd))
say("fds=" + ",".join(sorted(k for k in fds if k != "ready")))
say("open=" + ",".join(sorted((f for f in os.listdir("/proc/self/fd")
    if int(f) <= 2 or os.path.exists("/proc/self/fd/" + f)), key=int)))
say("env=" + ",".join(sorted(os.environ)))
say("args=" + " ".join(sys.argv[1:]))
def hup(*a):
    say("hup")
    if name in ("malle-spawn", "malle-authd"):
        os._exit(0)
    if name == "malle-tls":
        if os.fork() == 0:      # a session that outlives its listener
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            time.sleep(600)
            os._exit(0)
        os._exit(0)
def term(*a):
    say("term")
    time.sleep(0.05)
    say("gone")
    os._exit(0)
signal.signal(signal.SIGHUP, hup)
signal.signal(signal.SIGTERM, term)
if os.path.exists(here + "/die-" + name):
    say("dies")
    sys.exit(3)
if os.path.exists(here + "/stubborn-" + name):
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
say("begins")
time.sleep(0.05)
say("is ready")         # before malle-start knows, who starts others then
os.write(fds["ready"][0], b"landlock=7 seccomp=yes\n")
os.close(fds["ready"][0])
while True:
    time.sleep(1)
'''


def stand_ins(folder):
    for program in malle.PROGRAMS:
        path = os.path.join(folder, program)
        with open(path, "w") as f:
            f.write(STAND_IN)
        os.chmod(path, 0o755)


def said(m, program, what):
    """Index in the log of what a stand-in has said last; -1."""
    return m.log().rfind("- - %s %s" % (program, what))


def test_folders(m):
    want = {
        "public": (0, 0, 0o755), "public/tables": (64206, 64206, 0o755),
        "registry": (64206, 64206, 0o700), "auth": (64206, 64202, 0o2750),
        "tls": (0, 64203, 0o750), "queue": (64201, 64201, 0o700),
        "mail": (0, 0, 0o711), "empty": (0, 0, 0o555),
    }
    me = m.user_id or os.geteuid()
    me_group = m.user_id or os.getegid()
    for name, (uid, gid, mode) in want.items():
        st = os.lstat(os.path.join(m.base, name))
        if not malle.SEPARATE:
            uid, gid = me, me_group
        eq((st.st_uid, st.st_gid, stat.S_IMODE(st.st_mode)),
           (uid, gid, mode), "folder " + name)
    net = 64200 if malle.SEPARATE else me_group
    for name, gid, mode in (("queue", 0, 0o666), ("registry", 0, 0o666),
                            ("auth", net, 0o660), ("tls", net, 0o660)):
        st = os.lstat(os.path.join(m.base, "public", name + ".sock"))
        if not malle.SEPARATE:
            gid = me_group
        eq((stat.S_ISSOCK(st.st_mode), st.st_gid, stat.S_IMODE(st.st_mode)),
           (True, gid, mode), "socket " + name)


def test_given(m):
    for program, fds in (
            ("malle-smtpd", "smtp,submission,submissions"),
            ("malle-pop3d", "pop3,pop3s"), ("malle-tls", "tls"),
            ("malle-authd", "auth,registry,spawn"),
            ("malle-queued", "bounce,conf,queue,registry,remote,spawn"),
            ("malle-remote", "queue,sts"), ("malle-sts", "conf,remote"),
            ("malle-spawn", "auth,queue,registry"), ("malle-bounce", "queue"),
            ("malle-registryd", "auth,conf,queue,registry,spawn")):
        ok(said(m, program, "fds=" + fds + "\n") >= 0,
           "%s is given %s" % (program, fds))
        count = len(fds.split(",")) + 4
        ok(said(m, program, "open=" + ",".join(map(str, range(count)))) >= 0,
           "%s has no other descriptor" % program)
    ok(said(m, "malle-smtpd", "args=-c " + m.conf_path) >= 0,
       "the configuration is named")
    env = m.log()[said(m, "malle-smtpd", "env="):].split("\n")[0]
    eq(set(env.split("env=")[1].split(",")) - {"LANG", "LC_ALL", "TZ",
       "LC_CTYPE", "ASAN_OPTIONS", "UBSAN_OPTIONS"},
       {"PATH", "MALLE_FDS", "MALLE_SANDBOX_DENY"}, "the environment is clean")


def test_order(m):
    asked = max(said(m, p, "is ready") for p in
                ("malle-authd", "malle-queued", "malle-bounce"))
    ok(0 < asked < min(said(m, "malle-smtpd", "begins"),
                       said(m, "malle-pop3d", "begins")),
       "listeners begin when those whom they ask are ready")


def test_status(m):
    r = m.run("malle-start", "--status", check=False)
    eq(r.returncode, 0, "--status: all is well")
    for program in malle.PROGRAMS:
        line = [l for l in r.stdout.split("\n") if l.startswith(program)]
        ok(line and "ready" in line[0] and "landlock=7 seccomp=yes" in line[0],
           "--status shows %s and its sandbox" % program)
    r = m.run("malle-start", "-f", check=False)
    ok(r.returncode != 0 and "already running, as pid %d" % m.process.pid
       in r.stderr, "a second one says who is there")


def test_restart(m):
    old = m.kill("malle-queued")
    new = m.pid("malle-queued")
    ok(new and new != old, "what is killed comes back")
    ok("program=malle-queued pid=%d signal=9" % old in m.log(),
       "and the log says how it ended")
    die = os.path.join(m.libexec, "die-malle-bounce")
    open(die, "w").close()
    mark = len(m.log())
    os.kill(m.pid("malle-bounce"), signal.SIGKILL)
    until(lambda: m.log()[mark:].count("malle-bounce dies") >= 4)
    pauses = [l.split("in=")[1] for l in m.log()[mark:].split("\n")
              if " restart program=malle-bounce " in l]
    eq(pauses[:4], ["0.1s", "0.2s", "0.4s", "0.8s"], "each pause is longer")
    os.unlink(die)
    ok(until(lambda: m.pid("malle-bounce") and
             "malle-bounce is ready" in m.log()[mark:]),
       "it comes back when it can")
    r = m.run("malle-start", "--status", check=False)
    ok("restarts=1" in [l for l in r.stdout.split("\n")
                        if l.startswith("malle-queued")][0],
       "--status counts restarts")


def reads_of(pid):
    """How often a process has read anything."""
    with open("/proc/%d/io" % pid) as f:
        return int(dict(l.split(": ") for l in f)["syscr"])


def test_many_processes(m):
    """What a program has left behind is looked for only if there is any."""
    if not os.path.exists("/proc/self/io"):
        malle.skip("the kernel does not count what a process reads")
        return
    others = [subprocess.Popen(["sleep", "600"]) for _ in range(300)]
    before = reads_of(m.process.pid)
    m.kill("malle-pop3d")
    n = reads_of(m.process.pid) - before
    # Those of the program that has ended are among them.
    ok(n < 300, "an end among 300 processes of others: %d reads" % n)
    for p in others:
        p.kill()
        p.wait()


def are_ready(m, programs, mark):
    """Waits until each of them has said so since then."""
    until(lambda: all(p + " is ready" in m.log()[mark:] for p in programs))


def test_reload(m):
    pids = {p: m.pid(p) for p in malle.PROGRAMS}
    mark = len(m.log())
    m.reload()
    ok(until(lambda: "malle-smtpd hup" in m.log()[mark:]),
       "SIGHUP is passed on")
    ok(until(lambda: m.pid("malle-tls") not in (None, pids["malle-tls"])),
       "malle-tls is started anew")
    ok(until(lambda: "malle-tls is ready" in m.log()[mark:]), "and is ready")
    ok(until(lambda: m.pid("malle-spawn") not in (None, pids["malle-spawn"])),
       "malle-spawn too")
    anew = ("malle-tls", "malle-spawn", "malle-authd")
    until(lambda: all(m.pid(p) not in (None, pids[p]) for p in anew))
    are_ready(m, anew, mark)
    eq({p: m.pid(p) for p in malle.PROGRAMS if p not in anew},
       {p: pids[p] for p in malle.PROGRAMS if p not in anew},
       "the others stay")
    ok(" restart " not in m.log()[mark:], "and nobody has to wait for it")
    known = [m.pid(p) for p in malle.PROGRAMS]
    orphans = [p for p in malle.children(m.process.pid) if p not in known]
    eq(len(orphans), 1, "a session of the old malle-tls goes on")
    mark = len(m.log())
    old = m.settings["smtp"]
    m.write_conf(smtp="127.0.0.1:%d" % malle.free_ports(1)[0])
    m.reload()
    ok("reload-partial" in m.log()[mark:], "a changed port needs a restart")
    are_ready(m, anew, mark)
    mark = len(m.log())
    m.write_conf(smtp="no port at all")
    m.reload()
    ok("reload-failed" in m.log()[mark:] and m.pid("malle-smtpd"),
       "a wrong configuration changes nothing")
    m.write_conf(smtp=old)
    return orphans


def test_stop(m, orphans):
    family = [m.process.pid] + malle.descendants(m.process.pid)
    mark = len(m.log())
    eq(m.stop(), 0, "SIGTERM: malle-start ends well")
    log = m.log()[mark:]

    def at(program, what):
        return log.find("- - %s %s" % (program, what))
    order = ["malle-smtpd", "malle-tls", "malle-authd", "malle-queued",
             "malle-bounce", "malle-registryd", "malle-spawn"]
    for first, then in zip(order, order[1:]):
        ok(0 <= at(first, "gone") < at(then, "term"),
           "%s has ended before %s is told" % (first, then))
    ok(at("malle-pop3d", "gone") < at("malle-tls", "term"), "malle-pop3d too")
    eq([p for p in family + orphans if malle._alive(p)], [],
       "nothing stays behind")
    eq([f for f in os.listdir(m.base) if f.startswith("malle-start")], [],
       "no pid file stays")
    eq(os.listdir(os.path.join(m.base, "public")), ["tables"],
       "no socket stays")


def test_port_taken(folder):
    with malle.Instance(libexec=folder, start=False) as m:
        with socket.socket() as s:
            s.bind(("127.0.0.1", m.ports["submission"]))
            s.listen()
            r = m.run("malle-start", "-f", check=False)
            # Another user's process may be seen by root only.
            who = "a process that cannot be seen" if m.user_id else \
                "pid %d (" % os.getpid()
            ok(r.returncode != 0 and "port %d (submission) is taken by %s"
               % (m.ports["submission"], who) in r.stderr,
               "a taken port: which, by whom")
            note = r.stderr
        ok("started" not in m.log(), "and nothing was started")
        if not ok("warning" not in note.lower(), "no other complaint"):
            malle.note(note)


def test_background(folder):
    with malle.Instance(libexec=folder, start=False) as m:
        r = m.run("malle-start", check=False)
        eq((r.returncode, r.stderr), (0, ""), "it goes into the background")
        r = m.run("malle-start", "--status", check=False)
        eq(r.returncode, 0, "when all is ready")
        m.run("malle-start", "--reload")
        ok(until(lambda: "malle-smtpd hup" in m.log()), "--reload")
        pid = int(open(os.path.join(m.base, "malle-start.pid")).read())
        ok(until(lambda: m.log().count("malle-tls is ready") == 2),
           "malle-tls is back")
        eq(m.run("malle-start", "--stop", check=False).returncode, 0, "--stop")
        ok(not malle._alive(pid), "has waited for its end")
        eq(m.run("malle-start", "--status", check=False).returncode, 3,
           "--status: does not run")


def test_notify(folder):
    with tempfile.TemporaryDirectory() as d, \
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as s:
        s.bind(d + "/notify")
        os.chmod(d, 0o755)
        os.chmod(d + "/notify", 0o777)
        s.settimeout(malle.PATIENCE)
        with malle.Instance(libexec=folder, start=False) as m:
            m.env["NOTIFY_SOCKET"] = d + "/notify"
            m.start()
            eq(s.recv(4096).split(b"\n")[0], b"READY=1", "sd_notify: ready")
            m.reload()
            eq(s.recv(4096).split(b"\n")[0], b"RELOADING=1",
               "sd_notify: reloading")
            eq(s.recv(4096), b"READY=1", "sd_notify: ready again")
            ok(until(lambda: m.log().count("malle-tls is ready") == 2),
               "malle-tls is back")
            m.stop()
            eq(s.recv(4096), b"STOPPING=1", "sd_notify: stopping")


def test_killed(folder):
    with malle.Instance(libexec=folder) as m:
        family = malle.descendants(m.process.pid)
        m.process.kill()
        m.process.wait()
        ok(until(lambda: not any(malle._alive(p) for p in family)),
           "malle-start killed: the programs end by themselves")
        m.process = None
        m.start()
        ok(m.pid("malle-smtpd"), "and it can be started again")


def test_links(folder):
    """No folder of base may be a link to somewhere else."""
    with malle.Instance(libexec=folder, start=False) as m:
        os.symlink("/etc", os.path.join(m.base, "queue"))
        before = os.stat("/etc")
        r = m.run("malle-start", "-f", check=False)
        after = os.stat("/etc")
        ok(r.returncode != 0 and "queue" in r.stderr,
           "a link in the place of a folder is refused")
        eq((after.st_uid, after.st_mode), (before.st_uid, before.st_mode),
           "and what it leads to is left alone")


def main():
    folder = tempfile.mkdtemp(prefix="malle-programs-")
    os.chmod(folder, 0o755)
    try:
        stand_ins(folder)
        with malle.Instance(libexec=folder) as m:
            test_folders(m)
            test_given(m)
            test_order(m)
            test_status(m)
            test_restart(m)
            test_many_processes(m)
            test_stop(m, test_reload(m))
        test_port_taken(folder)
        test_background(folder)
        test_notify(folder)
        test_killed(folder)
        test_links(folder)
    finally:
        subprocess.run(["rm", "-rf", folder], check=False)
    malle.done()


main()
