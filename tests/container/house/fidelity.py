# SPDX-License-Identifier: GPL-3.0-or-later
"""The same probe as a container's first process, by its engine's exec, and by coral exec."""
import contextlib
import os
import pathlib
import re

from .casts import Cast
from .coral import Coral
from .term import Pty
from .util import LIB, run, wait_for

# What is different from one moment, or one process, to the next.
MOMENT = re.compile(r"status\.(Pid|Tgid|NS\w+|State|Vm\w+|Rss\w+|HugetlbPages|FDSize|SigQ|"
                    r"(non)?voluntary_ctxt_switches|x86_Thread_\w+)|end|autogroup")

# The container's command changes what a process can change about itself, then waits.
CHANGED = """trap '' HUP USR1
umask 027
cd /var/tmp
export ADDED=later
echo 600 >/proc/self/oom_score_adj
echo 0x3 >/proc/self/coredump_filter
echo 90000 >/proc/self/timerslack_ns
ulimit -n 300
ulimit -c 0
renice -n 5 -p $$
exec ionice -c 2 -n 6 linux32 /probe batch"""

ODD = {"TWO_LINES": "one\ntwo", "EQUALS": "a=b=c", "UTF8": "Häfen 海 🪸", "EMPTY": "",
       "SPACES": " two  words "}


def engine_shapes(extra):
    """{shape: (flags, command)} for docker and podman, whose flags are the same."""
    odd = [f for k, v in ODD.items() for f in ("-e", f"{k}={v}")]
    return {
        "default": ([], None),
        "user": (["--user", "1000:1000", "--group-add", "2000", "--group-add", "3000"], None),
        "confined": (["--cap-drop", "ALL", "--cap-add", "NET_BIND_SERVICE", "--read-only",
                      "--security-opt", "no-new-privileges"], None),
        "limits": (["--ulimit", "nofile=512:1024", "--ulimit", "core=0", "--oom-score-adj", "300",
                    "--ulimit", "nproc=1000:2000", "--pids-limit", "200", "--memory", "256m",
                    "--cpuset-cpus", "0"], None),
        "environ": ([*odd, "-w", "/var/tmp"], None),
        "unconfined": (["--security-opt", "seccomp=unconfined"], None),
        "changed": ([], ["/bin/sh", "-c", CHANGED]),
        **extra,
    }


def user(config, _):
    process = config["process"]
    process["user"] = {"uid": 1000, "gid": 1000, "additionalGids": [5, 2000], "umask": 0o27}
    few = ["CAP_NET_BIND_SERVICE", "CAP_KILL"]
    process["capabilities"] = {kind: few for kind in ("bounding", "permitted", "effective",
                                                      "inheritable", "ambient")}


def confined(config, _):
    config["process"]["noNewPrivileges"] = True
    config["process"]["capabilities"] = {}
    config["root"]["readonly"] = True
    config["linux"]["seccomp"] = {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [
        {"names": ["keyctl", "mkdirat"], "action": "SCMP_ACT_ERRNO"}]}


def limits(config, _):
    process = config["process"]
    process["rlimits"] = [{"type": "RLIMIT_NOFILE", "soft": 256, "hard": 512},
                          {"type": "RLIMIT_CORE", "soft": 0, "hard": 0},
                          {"type": "RLIMIT_CPU", "soft": 1000, "hard": 2000}]
    process["oomScoreAdj"] = 700
    process["cwd"] = "/var/tmp"
    config["linux"]["namespaces"].append({"type": "cgroup"})


def environ(config, _):
    config["process"]["env"] += [f"{k}={v}" for k, v in ODD.items()]


def userns(config, rootfs):
    config["linux"]["namespaces"].append({"type": "user"})
    for kind in ("uidMappings", "gidMappings"):
        config["linux"][kind] = [{"containerID": 0, "hostID": 200000, "size": 65536}]
    run(["chown", "-R", "200000:200000", rootfs])
    for up in rootfs.parents:
        if str(up).startswith("/tmp/"):
            up.chmod(0o755)


def changed(config, _):
    config["process"]["args"] = ["/bin/sh", "-c", CHANGED]


RUNC = {"default": None, "user": user, "confined": confined, "limits": limits, "environ": environ,
        "userns": userns, "changed": changed}


def build(where):
    program = pathlib.Path(where) / "probe"
    if not program.exists():
        run(["gcc", "-static", "-O1", "-Wall", "-Wextra", "-Werror", "-o", program,
             LIB / "probe.c"])
    return program


def parse(text):
    assert "\nend: 1" in text, text[-500:]
    facts = {}
    for line in text.replace("\r", "").splitlines():
        key, _, value = line.partition(": ")
        assert key not in facts, f"{key} twice"
        facts[key] = re.sub(r"/coral-[0-9a-zA-Z_-]+", "/coral-ID", value)
    # 32 and 33 are the C library's own.  Who started the tests may ignore them; engines hand it on.
    ignored = int(facts["status.SigIgn"], 16) & ~(3 << 31)
    facts["status.SigIgn"] = f"{ignored:016x}"
    # By controllers: the numbers are the kernel's.
    for key in [k for k in facts if k.startswith("cgroup.")]:
        names, _, path = facts.pop(key).partition(":")
        facts["cgroup." + (names or "unified")] = path
    return facts


def of_first(pid):
    """What the container's first process said of itself."""
    def read():
        with contextlib.suppress(OSError):
            for fd in os.listdir(f"/proc/{pid}/fd"):
                if os.readlink(f"/proc/{pid}/fd/{fd}").startswith("/memfd:probe"):
                    text = pathlib.Path(f"/proc/{pid}/fd/{fd}").read_text(encoding="utf-8")
                    return text if "\nend: 1" in text else None
        return None

    return parse(wait_for("the first process", read))


class Seen:
    """One container: what its first process, its engine's exec and coral's exec had."""

    def __init__(self, home, container, argv, env=None):
        self.home, self.container, self.argv, self.env = home, container, argv, env
        self.coral = Coral(home)
        self.first = of_first(container.pid)
        self.engine = parse(run([*argv(False), "/probe"], env=env).stdout)
        self.outcome = self.coral.run("exec", "--pid", container.pid, "-o", "json", "--",
                                      "/probe").json()
        assert self.outcome["exit_code"] == 0, self.outcome
        self.ours = parse(self.outcome["stdout"])
        self.header = Cast(self.coral.newest_cast()).coral
        explained = self.coral.run("exec", "--pid", container.pid, "--explain", "--", "/probe")
        self.explained = explained.errtext

    def on_terminal(self, argv, env):
        # From sh: the engine's clients resize the terminal only once they have started.
        with Pty([*argv, "/bin/sh", "-c", "until [ \"$(stty size 2>/dev/null)\" = '31 97' ]; do :; done; "
                                          "exec /probe"], env, rows=31, cols=97) as term:
            assert term.wait() == 0, term.seen
            return parse(term.seen.decode())

    def terminals(self):
        """On a terminal: (engine, coral), one after the other: each finds the first one free."""
        pts = f"/proc/{self.container.pid}/root/dev/pts"
        before = sorted(os.listdir(pts))
        theirs = self.on_terminal(self.argv(True), self.env or os.environ)
        wait_for("the engine's terminal to go", lambda: sorted(os.listdir(pts)) == before,
                 60)
        return theirs, self.on_terminal(
            self.coral.argv("exec", "--pid", self.container.pid, "-t", "--"), self.coral.env())


def differences(theirs, ours):
    """[(key, theirs, ours)], what is of the moment left out."""
    return [(k, theirs.get(k), ours.get(k)) for k in sorted({*theirs, *ours})
            if theirs.get(k) != ours.get(k) and not MOMENT.fullmatch(k)]
