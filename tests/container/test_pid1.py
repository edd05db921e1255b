# SPDX-License-Identifier: GPL-3.0-or-later
"""The agent as process 1 of a container, whose pid namespace an application shares."""
import contextlib
import json
import os
import pathlib
import shutil
import signal
import subprocess
import time

import pytest

from house.casts import Cast
from house.containers import Container, unique
from house.coral import Coral, drain
from house.util import CORAL, LIB, alive, run, wait_for

CAPS = ["CAP_" + c for c in (
    "AUDIT_CONTROL AUDIT_WRITE CHOWN DAC_OVERRIDE FOWNER KILL SETGID SETPCAP SETUID SYS_ADMIN "
    "SYS_CHROOT SYS_PTRACE").split()]


class Pod:
    """An agent's container, and an application's in the same pid namespace."""

    def __init__(self, runc, roots, home):
        self.runc, self.coral, self.name = runc, Coral(home), unique("agent")
        self.bundle = runc.base / self.name
        self.bundle.mkdir()
        run(["cp", "-a", roots["busybox"], self.bundle / "rootfs"])
        shutil.copy(CORAL, self.bundle / "rootfs" / "coral")
        config = json.loads(run([LIB / "bundle.sh", self.bundle / "rootfs", "/" + self.name,
                                 "/coral", "agent", "start"]).stdout)
        config["process"]["env"] += [f"{k}={v}" for k, v in self.coral.env().items()
                                     if k.startswith("CORAL_")]
        config["process"]["capabilities"] = {k: CAPS for k in ("bounding", "effective", "permitted")}
        config["mounts"] += [
            {"destination": "/sys/fs/cgroup", "type": "bind", "source": "/sys/fs/cgroup",
             "options": ["rbind", "rw"]},
            {"destination": str(home), "type": "bind", "source": str(home), "options": ["rbind"]}]
        (self.bundle / "config.json").write_text(json.dumps(config))
        self.log = open(self.bundle / "log", "wb")
        self.proc = subprocess.Popen(
            ["runc", "--root", runc.state, "run", "--bundle", self.bundle, "--pid-file",
             self.bundle / "pid", self.name], stdin=subprocess.DEVNULL, stdout=self.log,
            stderr=self.log)
        wait_for("the agent", (self.coral.home / "run" / "agent.sock").exists, 20)
        pid = self.bundle / "pid"
        wait_for("its pid", lambda: pid.exists() and pid.read_text(), 20)
        self.agent = Container(self.name, int(pid.read_text()), "runc")

    def application(self):
        def share(config, _):
            for ns in config["linux"]["namespaces"]:
                if ns["type"] == "pid":
                    ns["path"] = f"/proc/{self.agent.pid}/ns/pid"

        app = self.runc.start("app", kind="busybox", edit=share)
        status = pathlib.Path(f"/proc/{app.pid}/status").read_text()
        line = next(x for x in status.splitlines() if x.startswith("NSpid:"))
        return app, line.split()[-1]

    def close(self):
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.agent.pid, signal.SIGKILL)
        self.proc.wait(20)
        run(["runc", "--root", self.runc.state, "delete", "-f", self.name], check=False)
        self.log.close()
        shutil.rmtree(self.bundle, ignore_errors=True)


@pytest.fixture
def pod(runc, roots, home):
    made = Pod(runc, roots, home)
    try:
        yield made
    finally:
        made.close()


@pytest.fixture
def app(pod, runc):
    container, pid = pod.application()
    yield container, pid
    runc.delete(container)


def zombies(parent):
    found = []
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            with contextlib.suppress(OSError):
                rest = pathlib.Path(f"/proc/{entry}/stat").read_text().rpartition(")")[2].split()
                if rest[0] == "Z" and int(rest[1]) == parent:
                    found.append(int(entry))
    return found


@pytest.mark.parametrize("manners", ["exit 3", ":"])
def test_sigterm(pod, app, manners):
    """People are told, the session is ended and its recording sealed, and the agent exits 0."""
    container, pid = app
    proc = pod.coral.popen("exec", "--pid", pid, "--", "sh", "-c",
                           f"trap '{manners}' TERM; setsid sh -c 'trap : TERM; touch /tmp/there; "
                           "while :; do sleep 1; done' & "
                           "until [ -e /tmp/there ]; do sleep 0.02; done; echo up; "
                           "while :; do sleep 0.1; done")
    said, _ = drain(proc.stderr)
    assert proc.stdout.readline() == b"up\n"
    groups = container.cgroup_dirs()
    assert groups
    begun = time.monotonic()
    os.kill(pod.agent.pid, signal.SIGTERM)
    assert pod.proc.wait(25) == 0, (pod.bundle / "log").read_text()
    assert time.monotonic() - begun < 20
    proc.wait(10)
    assert b"being stopped" in b"".join(said)
    proc.stdin.close()
    proc.stdout.close()
    end = Cast(pod.coral.newest_cast()).end
    assert end["cause"] == "agent_stopped" and end["signal"] in (None, "KILL")
    assert "sh" in [s["comm"] for s in end["survivors_killed"]]
    assert not os.listdir(pod.coral.home / "run" / "live")
    # Who is the first of a container tells on standard output who did what.
    log = (pod.bundle / "log").read_text()
    assert [log.count(f'"event":"{e}"') for e in ("agent.start", "session.start")] == [1, 1]
    assert not any(os.path.exists(g) for g in groups), "a session's cgroup is left"


def test_orphans_are_waited_for(pod, app):
    """What a session leaves in a shared pid namespace becomes a child of process 1."""
    _, pid = app
    script = "for i in 1 2 3 4 5; do (setsid sh -c 'exit 0' &); done; (setsid sleep 4402 &); echo up"
    for _ in range(5):
        done = pod.coral.run("exec", "--pid", pid, "--", "sh", "-c", script)
        assert (done.code, done.out) == (0, b"up\n"), done
    wait_for("no zombie of the agent", lambda: not zombies(pod.agent.pid), 10)
    assert alive(pod.agent.pid)
    assert pod.coral.run("exec", "--pid", pid, "--", "echo", "on").out == b"on\n"
