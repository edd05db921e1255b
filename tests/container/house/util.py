# SPDX-License-Identifier: GPL-3.0-or-later
"""Small things every fixture needs: running, waiting, paths."""
import contextlib
import os
import pathlib
import signal
import subprocess
import time

TOP = pathlib.Path(__file__).resolve().parents[3]
LIB = TOP / "tests" / "lib"
GOLDEN = TOP / "tests" / "golden"
BUILD = pathlib.Path(os.environ.get("CORAL_TEST_BUILD", TOP / "build" / "release"))
CORAL = BUILD / "coral"


def wait_for(what, probe, timeout=10.0):
    """Poll until probe() gives something true, and return it."""
    end = time.monotonic() + timeout
    pause = 0.002
    while True:
        got = probe()
        if got:
            return got
        if time.monotonic() > end:
            raise AssertionError(f"waited {timeout:.0f} s for {what}")
        time.sleep(pause)
        pause = min(pause * 1.5, 0.05)


def run(argv, timeout=60, check=True, **kw):
    """Run a tool of the house (not the program under test), text in and out."""
    done = subprocess.run([str(a) for a in argv], stdin=subprocess.DEVNULL, capture_output=True,
                          text=True, timeout=timeout, **kw)
    if check and done.returncode:
        raise RuntimeError(f"{argv}: exit {done.returncode}\n{done.stdout}{done.stderr}")
    return done


def cmdline(pid):
    """Its arguments, each with a NUL; nothing once it is gone."""
    try:
        return pathlib.Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def alive(pid):
    """Whether pid exists and is not a zombie."""
    try:
        stat = pathlib.Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return stat.rpartition(")")[2].split()[0] not in "ZX"


def stop(proc, grace=10):
    """TERM, then KILL; returns the exit status."""
    if proc.poll() is None:
        proc.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            proc.wait(grace)
    if proc.poll() is None:
        proc.kill()
    return proc.wait()


def stop_pid(pid):
    """KILL a process that a run before us left, if its pid file still tells the truth."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
        wait_for(f"the end of {pid}", lambda: not alive(pid), 5)


def reap_leftovers(directory):
    """Pid files hold "PID COMM": end what a killed run left, and only that."""
    for path in pathlib.Path(directory).glob("*.pid"):
        with contextlib.suppress(ValueError, OSError):
            pid, comm = path.read_text().split(maxsplit=1)
            if pathlib.Path(f"/proc/{pid}/comm").read_text().strip() == comm.strip():
                stop_pid(int(pid))
        path.unlink(missing_ok=True)


def note_pid(directory, name, pid):
    comm = pathlib.Path(f"/proc/{pid}/comm").read_text()
    (pathlib.Path(directory) / f"{name}.pid").write_text(f"{pid} {comm}")


def unmount_below(directory):
    """Detach every mount below directory, deepest first."""
    prefix = str(directory) + "/"
    with open("/proc/self/mountinfo", encoding="utf-8", errors="replace") as f:
        points = [line.split()[4] for line in f]
    for point in sorted((p for p in points if p.startswith(prefix)), reverse=True):
        subprocess.run(["umount", "-l", point], check=False, stderr=subprocess.DEVNULL)
