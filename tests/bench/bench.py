#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""coral beside its peers, measured in one run and interleaved: `make bench`.

Latency of one exec (whole process), echo through a terminal, coming back to a held session and
holding it, bulk each way, recording a terminal beside other recorders, finding a target among 10,000
processes, verifying a recording of 10 GiB (CORAL_BENCH_VERIFY_GIB), compressing one and going to
places in it, finding a moment and a text in one with its index (CORAL_BENCH_SEEK_GIB).  Medians, and
the ratio to a named peer: ratios within a tenth of each other are equal.  CORAL_BENCH_N sets the
rounds (default 40).  Ends what it started."""
import contextlib
import os
import pathlib
import pwd
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

TOP = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TOP / "tests/container"))
# pylint: disable=wrong-import-position
import lasting
import recorders
import seek
from house.containers import Docker, Runc
from house.coral import Agent, Key, free_port
from house.term import Pty
from house.util import CORAL, LIB, run, stop, unmount_below, wait_for

BIN = pathlib.Path(os.environ.get("CORAL_BENCH_BIN", TOP / "build/release/bench"))
ROUNDS = int(os.environ.get("CORAL_BENCH_N", "40"))
BULK = 256 << 20
VERIFY_GIB = int(os.environ.get("CORAL_BENCH_VERIFY_GIB", "10"))


class Sshd:
    """An OpenSSH server of our own on loopback."""

    def __init__(self, base):
        self.port, self.base = free_port(), base
        self.key = Key(base, "bench")
        Key(base, "hostkey")
        (base / "keys").write_text(self.key.line())
        (base / "keys").chmod(0o600)
        pathlib.Path("/run/sshd").mkdir(exist_ok=True)
        (base / "sshd_config").write_text(
            f"Port {self.port}\nListenAddress 127.0.0.1\nHostKey {base}/hostkey\n"
            f"AuthorizedKeysFile {base}/keys\nUsePAM no\nStrictModes no\nPidFile none\n"
            "PermitRootLogin yes\nPrintMotd no\nPrintLastLog no\n")
        self.proc = subprocess.Popen(["/usr/sbin/sshd", "-D", "-e", "-f", base / "sshd_config"],
                                     stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_for("sshd", lambda: run(self.argv("true"), check=False).returncode == 0, 20)

    def argv(self, *words, flags=(), port=None, user=None):
        return ["ssh", "-F", "none", "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=no", "-o",
                "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR", "-c",
                "aes256-gcm@openssh.com", "-o", "KexAlgorithms=curve25519-sha256", "-i",
                str(self.key.path), "-p", str(port or self.port), "-l",
                user or pwd.getpwuid(0).pw_name, *flags, "127.0.0.1", *words]


def latency(rows):
    """{name: (argv, env)} -> {name: median ms}; one round runs each once, in turn."""
    times = {name: [] for name in rows}
    slow = {}
    for n in range(ROUNDS + 2):
        for name, (argv, env) in rows.items():
            if slow.get(name, 0) > 0.1 and n % 4:  # the slow peers need fewer rounds
                continue
            start = time.perf_counter()
            done = subprocess.run(argv, env=env, stdin=subprocess.DEVNULL, capture_output=True,
                                  check=False)
            took = time.perf_counter() - start
            if done.returncode:
                raise SystemExit(f"{name}: exit {done.returncode}: {done.stderr.decode()}")
            slow[name] = took
            if n >= 2:
                times[name].append(took * 1000)
    return {name: (statistics.median(t), len(t)) for name, t in times.items()}


def echo(argv, env, count=400):
    """p50 and p99 in us of one typed byte's way to `cat` in raw mode and back."""
    with Pty(argv, env) as term:
        term.expect("ready")
        term.pump(0.2)
        term.seen = b""
        times = []
        for n in range(count):
            letter = bytes([97 + n % 26])
            start = time.perf_counter()
            os.write(term.master, letter)
            got = b""
            while letter not in got:
                got += os.read(term.master, 4096)
            times.append((time.perf_counter() - start) * 1e6)
        times.sort()
        return statistics.median(times), times[int(len(times) * 0.99)]


def down(argv, env):
    start = time.perf_counter()
    proc = subprocess.Popen(argv, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    got = 0
    while chunk := proc.stdout.read1(1 << 20):
        got += len(chunk)
    assert proc.wait() == 0 and got == BULK, (proc.returncode, got)
    return BULK / 1e6 / (time.perf_counter() - start)


def up(argv, env, path):
    start = time.perf_counter()
    with open(path, "rb") as f:
        done = subprocess.run(argv, env=env, stdin=f, capture_output=True, check=True)
    assert int(done.stdout.split()[0]) == BULK, done.stdout
    return BULK / 1e6 / (time.perf_counter() - start)


def table(title, unit, rows, against, smaller=True):
    print(f"\n{title}")
    base = rows[against]
    for name, value in rows.items():
        ratio = value / base if base else float("nan")
        print(f"  {name:<34} {value:10.2f} {unit:<5} {ratio:7.2f} x {against}")
    if not smaller:
        print("  (larger is better)")


def by_tcp(agent, sshd):
    return ["--agent-addr", f"127.0.0.1:{agent.port}", "--identity", sshd.key.path]


def trust(agent):
    """Its host key is known to its own client."""
    known = agent.home / ".local/state/coral"
    known.mkdir(parents=True)
    (known / "known_hosts").write_text(run(["ssh-keyscan", "-p", agent.port, "127.0.0.1"]).stdout)


def bench_latency(base, runc, box, agent, sshd, cleanup):
    env = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": str(base)}
    cenv = agent.coral.env()
    alone = {**cenv, "CORAL_RUNTIME_DIR": str(base / "nobody")}
    (base / "nobody").mkdir()
    cold = {**cenv, "CORAL_SHARE": "0"}
    coral = agent.coral.argv
    tcp = by_tcp(agent, sshd)
    rows = {
        "nsenter -a": (["nsenter", "-a", "-t", str(box.pid), "true"], env),
        "coral exec, socket, shared": (coral("exec", "--pid", box.pid, "--", "true"), cenv),
        "coral exec, socket, cold": (coral("exec", "--pid", box.pid, "--", "true"), cold),
        "coral exec, TCP, shared": (coral("exec", *tcp, "--pid", box.pid, "--", "true"), cenv),
        "coral exec, TCP, cold": (coral("exec", *tcp, "--pid", box.pid, "--", "true"), cold),
        "coral exec, embedded agent": (coral("exec", "--pid", box.pid, "--", "true"), alone),
        "coral exec, by service": (coral("exec", "--service", "bench", "--", "true"), cenv),
        "runc exec": (runc.exec_argv(box, "true"), env),
        "ssh host (cold)": (sshd.argv("true"), env),
        "ssh into the container by coral": (
            sshd.argv("true", port=agent.port, user=f"pid.{box.pid}"), env),
    }
    with contextlib.suppress(RuntimeError, OSError, AssertionError):
        docker = cleanup.enter_context(contextlib.closing(Docker(base, runc.roots["full"])))
        dbox = docker.start("bench")
        rows["docker exec"] = ([*docker.cli(), "exec", dbox.name, "true"], env)
    got = latency(rows)
    table(f"One exec, whole process (median of {ROUNDS}, slow ones fewer)", "ms",
          {k: v[0] for k, v in got.items()}, "nsenter -a")


RAW = "stty raw -echo; echo ready; exec cat"


def bench_echo(box, agent, sshd):
    env = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "TERM": "xterm"}
    p50, p99 = {}, {}
    for name, argv, e in (
            ("ssh -tt", sshd.argv(RAW, flags=("-tt",)), env),
            ("coral exec -t, socket", agent.coral.argv(
                "exec", "-t", "--pid", box.pid, "--", "sh", "-c", RAW), agent.coral.env()),
            ("ssh -tt into coral", sshd.argv(RAW, flags=("-tt",), port=agent.port,
                                            user=f"pid.{box.pid}"), env)):
        p50[name], p99[name] = echo(argv, e)
    table("Echo of one key, p50", "us", p50, "ssh -tt")
    table("Echo of one key, p99", "us", p99, "ssh -tt")


def bench_bulk(base, box, agent, sshd):
    env = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}
    data = pathlib.Path(tempfile.mkstemp(prefix="coral-bench-", dir="/dev/shm")[1])
    try:
        with open(data, "wb") as f:
            block = os.urandom(1 << 20)
            for _ in range(BULK >> 20):
                f.write(block)
        inside = box.root / "dev/shm/blob"
        head = f"head -c {BULK} /dev/zero"
        coral = agent.coral.argv("exec", "--pid", box.pid, "--", "sh", "-c")
        cold = {**agent.coral.env(), "CORAL_SHARE": "0"}
        rows_down = {"ssh": down(sshd.argv(head), env),
                     "coral exec": down([*coral, head], cold),
                     "coral exec, shared": down([*coral, head], agent.coral.env()),
                     "ssh into coral": down(sshd.argv(head, port=agent.port,
                                                      user=f"pid.{box.pid}"), env)}
        rows_up = {"ssh": up(sshd.argv("wc -c"), env, data),
                   "coral exec": up([*coral, "wc -c"], cold, data),
                   "coral exec, shared": up([*coral, "wc -c"], agent.coral.env(), data),
                   "ssh into coral": up(sshd.argv("wc -c", port=agent.port,
                                                  user=f"pid.{box.pid}"), env, data)}
        table(f"{BULK >> 20} MiB down, recorded", "MB/s", rows_down, "ssh", smaller=False)
        table(f"{BULK >> 20} MiB up", "MB/s", rows_up, "ssh", smaller=False)
        inside.unlink(missing_ok=True)
    finally:
        data.unlink()
    assert base.exists()


def find_times(base, containers, each):
    """{what: median ms} on a machine with so many containers of so many processes each."""
    cache = base / "find"
    cache.mkdir(mode=0o700, exist_ok=True)
    crowd = subprocess.Popen([BIN / "crowd", str(containers), str(each)], stdin=subprocess.PIPE,
                             stdout=subprocess.PIPE)
    try:
        if crowd.stdout.readline() != b"ready\n":
            raise SystemExit("the machine has no room for so many processes")
        done = run([BIN / "find", cache / "targets", "crowd-00007", str(ROUNDS)])
    finally:
        crowd.stdin.close()
        crowd.wait()
    times = {}
    for line in done.stdout.split("\n"):
        if line:
            what, took = line.split()
            times.setdefault(what, []).append(float(took))
    return {what: statistics.median(t) for what, t in times.items()}


def bench_find(base):
    for containers, each in ((1000, 10), (10, 1000)):
        got = find_times(base, containers, each)
        table(f"A target among {containers * each} processes in {containers} containers", "ms",
              {"coral, nothing known (limit 10)": got["cold"],
               "coral, nothing known, by id": got["id"],
               "coral, nothing known, by pid": got["pid"],
               "coral, remembered (limit 1)": got["cached"],
               "the floor: what holds the names": got["names"],
               "one readdir of /proc": got["readdir"],
               "the same, and every cgroup file": got["cgroup"]}, "the floor: what holds the names")


def bench_verify(base):
    """A large recording, verified and only hashed; both from the page cache, as far as it holds it."""
    top = base / "verify"
    for gib, piece in ((VERIFY_GIB, 4096), (1, 65536), (1, 256)):
        top.mkdir()
        run([BIN / "big_cast", top, gib << 10, piece], timeout=1800)
        rates = {}
        for what, argv in (("sha256sum", ["sha256sum"]),
                           ("coral audit verify (floor 0.7)",
                            [CORAL, "audit", "verify", "--key", top / "key.pub"])):
            start = time.monotonic()
            run([*argv, top / "big.cast"], timeout=1800)
            size = (top / "big.cast").stat().st_size
            rates[what] = size / 1e6 / (time.monotonic() - start)
        table(f"Verifying a recording of {gib} GiB, events of {piece} bytes", "MB/s", rates,
              "sha256sum", smaller=False)
        shutil.rmtree(top)


def bench_archive(base):
    """A recording of 1 GiB, compressed; verified plain and compressed, in turn; places in it."""
    top = base / "archive"
    top.mkdir()
    got = dict(line.split() for line in run([BIN / "archive", top, 1024]).stdout.splitlines())
    packed, = top.glob("*.cast.zst")
    run(["zstd", "-qdk", packed])
    plain = packed.with_suffix("")
    rates = {"coral, compressing (writes, syncs, reads back)": float(got["compress"])}
    for what, argv in (("coral audit verify, plain", [CORAL, "audit", "verify", plain]),
                       ("coral audit verify, compressed", [CORAL, "audit", "verify", packed]),
                       ("zstd -t", ["zstd", "-qt", packed])):
        start = time.monotonic()
        run(argv, timeout=1800, check=False)
        rates[what] = plain.stat().st_size / 1e6 / (time.monotonic() - start)
    table(f"A recording of 1 GiB, compressed {got['ratio']} : 1", "MB/s", rates,
          "coral audit verify, plain", smaller=False)
    table("4 KiB anywhere in it", "ms", {"median": float(got["seek"]),
                                         "99 of 100": float(got["seek99"])}, "median")
    shutil.rmtree(top)


def main():
    base = pathlib.Path(tempfile.mkdtemp(prefix="coralbench-"))
    roots = {"full": base / "full", "busybox": base / "full"}
    run([LIB / "rootfs.sh", "full", roots["full"]])
    with contextlib.ExitStack() as cleanup:
        cleanup.callback(shutil.rmtree, base, ignore_errors=True)
        cleanup.callback(unmount_below, base)
        runc = cleanup.enter_context(contextlib.closing(Runc(base / "boxes", roots)))
        box = runc.start("bench", env=["SERVICE_NAME=bench"])
        sshd = Sshd(base)
        cleanup.callback(stop, sshd.proc)
        agent = Agent(base / "agent", listen=True, keys=sshd.key.line('user="bench"'))
        cleanup.callback(agent.close)
        agent.start()
        trust(agent)
        print(f"kernel {os.uname().release}, {os.cpu_count()} CPUs; everything of coral recorded")
        bench_latency(base, runc, box, agent, sshd, cleanup)
        bench_echo(box, agent, sshd)
        lasting.main_of(base, box, agent, sshd, by_tcp(agent, sshd), ROUNDS, table)
        bench_bulk(base, box, agent, sshd)
        recorders.main_of(base, agent, table)
        bench_find(base)
        bench_verify(base)
        bench_archive(base)
        seek.main_of(base)


if __name__ == "__main__":
    main()
