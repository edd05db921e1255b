# SPDX-License-Identifier: GPL-3.0-or-later
"""What it costs to record a terminal: the same command with nobody, script, asciinema, tlog and
coral between it and the terminal, in turn.  CORAL_BENCH_RECORD_MIB sets the bulk (default 64).
By itself: recorders.py, as root."""
import os
import pathlib
import select
import statistics
import subprocess
import sys
import tempfile
import time

TOP = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(TOP / "tests/container"))
# pylint: disable=wrong-import-position
from house.coral import Agent
from house.term import Pty

MIB = int(os.environ.get("CORAL_BENCH_RECORD_MIB", "64"))
SMALL, WRITES = 40, 100_000
TURNS = 3
# tlog notes its terminal there, and records nothing where it cannot.
UTMP = 'mount -t tmpfs tmpfs /run && touch /run/utmp && exec "$0" "$@"'


def text(path, size):
    line = b"a row of the tide, \x1b[32mgreen\x1b[m, and a few more words of it\r\n"
    path.write_bytes((line * (size // len(line) + 1))[:size])
    return path


def programs(base, agent, pid, command):
    """{name: argv}; each records to a file of its own, anew."""
    kept = {name: base / f"kept.{name}" for name in ("script", "asciinema", "tlog")}
    for path in kept.values():
        path.unlink(missing_ok=True)
    line = " ".join(command)
    return {
        "nobody": command,
        "script": ["script", "-q", "-c", line, str(kept["script"])],
        "asciinema": ["asciinema", "rec", "-q", "-c", line, str(kept["asciinema"])],
        "tlog": ["unshare", "--mount", "sh", "-c", UTMP, "tlog-rec", "--writer=file",
                 f"--file-path={kept['tlog']}", *command],
        "coral": agent.coral.argv("exec", "-tt", "--pid", pid, "--", *command)}, kept


def one(argv, env, want):
    """Seconds, of a program from its start to its end and last byte; it wrote what was wanted."""
    got = 0
    with Pty(argv, env) as term:
        ended = os.pidfd_open(term.proc.pid)
        start = time.perf_counter()
        while True:
            ready, _, _ = select.select([term.master, ended], [], [])
            if term.master in ready:
                got += len(os.read(term.master, 1 << 20))
            elif ended in ready:
                break
        spent = time.perf_counter() - start
        os.close(ended)
        code = term.proc.wait()
    assert code == 0 and got >= want, (argv, code, got)
    return spent


def main_of(base, agent, table):
    env = {**agent.coral.env(), "HOME": str(base), "ASCIINEMA_CONFIG_HOME": str(base)}
    bulk = text(base / "bulk", MIB << 20)
    small = text(base / "small", SMALL * WRITES)
    runs = {
        f"recording {MIB} MiB of a terminal's output": (["cat", str(bulk)], MIB << 20),
        f"recording {WRITES} writes of {SMALL} bytes": (
            ["dd", f"if={small}", f"bs={SMALL}", "status=none"], SMALL * WRITES)}
    with subprocess.Popen(["sleep", "100000"]) as target:
        try:
            for title, (command, size) in runs.items():
                times, sizes = {}, {}
                for _ in range(TURNS):
                    words, kept = programs(base, agent, target.pid, command)
                    for name, argv in words.items():
                        times.setdefault(name, []).append(one(argv, env, size) * 1000)
                    sizes = {n: p.stat().st_size for n, p in kept.items()}
                    sizes["coral"] = agent.coral.newest_cast().stat().st_size
                # As bench.py's tables have them.
                table(title, "ms", {n: statistics.median(t) for n, t in times.items()}, "script")
                print("  kept, of 1 byte: " + ", ".join(
                    f"{n} {s / size:.2f}" for n, s in sizes.items()))
        finally:
            target.kill()


def alone():
    def table(title, unit, rows, against):
        print(title)
        for name, value in rows.items():
            print(f"  {name:12} {value:9.0f} {unit}  {value / rows[against]:.2f} x {against}")

    with tempfile.TemporaryDirectory(prefix="coralbench-") as base:
        agent = Agent(pathlib.Path(base) / "agent").start()
        try:
            main_of(pathlib.Path(base), agent, table)
        finally:
            agent.close()


if __name__ == "__main__":
    alone()
