# SPDX-License-Identifier: GPL-3.0-or-later
"""A container whose files never answer holds up nobody but itself, and not for long."""
import os
import pathlib
import shutil
import subprocess
import time

import pytest

from house.casts import Cast
from house.util import alive, run, wait_for

HERE = pathlib.Path(__file__).parent


@pytest.fixture(scope="module")
def mute_fuse(base):
    run(["gcc", "-static", "-O2", "-o", base / "mute_fuse", HERE / "mute_fuse.c"])
    return base / "mute_fuse"


@pytest.fixture
def mute(mute_fuse):
    """Lay a file system that never answers over a directory of a container."""
    made = []

    def lay(container, directory, *how):
        proc = subprocess.Popen([mute_fuse, str(container.pid), directory, *how],
                                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        made.append(proc)
        assert proc.stdout.readline() == b"mounted\n"
        return proc

    yield lay
    for proc in made:
        proc.kill()
        proc.communicate()


def clean(agent, box):
    wait_for("no keeper", lambda: not agent.keepers(), 15)
    wait_for("no process", lambda: box.processes() == [box.pid], 15)
    wait_for("no cgroup", lambda: not box.cgroup_dirs(), 15)
    wait_for("no note", lambda: not os.listdir(agent.home / "run" / "live"), 15)


@pytest.mark.slow
@pytest.mark.parametrize("where,args", [
    ("/etc", ["exec", "-u", "app", "--", "true"]),  # its users
    ("/bin", ["shell"]),  # its shell
    ("/dev/pts", ["exec", "-tt", "--", "true"]),  # its terminal
    ("/srv", ["exec", "-w", "/srv/deep", "--", "true"]),  # in the entry itself
    ("/srv", ["exec", "--", "/srv/program"]),
])
def test_files_that_never_answer(agent, make_box, mute, where, args):
    box = make_box("mute", kind="busybox", edit=lambda _, root: (root / "srv").mkdir(exist_ok=True))
    server = mute(box, where)
    begun = time.monotonic()
    done = agent.coral.run(args[0], "--pid", box.pid, *args[1:], timeout=40)
    assert time.monotonic() - begun < 20
    assert done.code in (124, 125) and not done.out, done
    assert [line.split()[0] for line in done.errtext.splitlines()[-3:]] == ["coral:", "why:", "try:"]
    # Others are served meanwhile.
    other = make_box("other", kind="busybox")
    assert agent.coral.run("exec", "--pid", other.pid, "--", "echo", "on").out == b"on\n"
    if where == "/srv":  # its first process cannot be killed yet: it is tried again and again
        wait_for("a clean-up in vain", lambda: "cleaning up" in agent.log(), 10)
    server.kill()
    clean(agent, box)
    assert agent.coral.live() == [] and agent.proc.poll() is None
    if where == "/srv":
        assert agent.coral.run("exec", "--pid", box.pid, "--", "echo", "on").out == b"on\n"


@pytest.mark.slow
def test_a_command_that_cannot_be_killed(agent, make_box, mute):
    """It waits for an answer in the kernel, where no signal comes through: the session ends."""
    box = make_box("mute", kind="busybox", edit=lambda _, root: (root / "srv").mkdir(exist_ok=True))
    server = mute(box, "/srv")
    done = agent.coral.run("exec", "--pid", box.pid, "--timeout", "1s", "--", "cat", "/srv/file",
                           timeout=40)
    assert done.code == 124 and "cannot be killed" in done.errtext, done
    wait_for("no keeper", lambda: not agent.keepers(), 15)
    end = Cast(agent.coral.newest_cast()).end
    assert end["cause"] == "timeout" and end["error"]["code"] == "TIMEOUT"
    assert len(box.processes()) > 1, "it was not what it seemed"
    server.kill()
    clean(agent, box)


def test_the_client_that_gave_up(agent, make_box, mute):
    """Nothing is left of a keeper that was stuck when its client went away."""
    box = make_box("mute", kind="busybox")
    server = mute(box, "/dev/pts")
    proc = agent.coral.popen("exec", "-tt", "--pid", box.pid, "--", "true")
    assert server.stdout.readline() == b"asked\n"
    keeper = list(wait_for("the keeper", agent.keepers).values())[0]
    proc.kill()
    proc.communicate()
    server.kill()
    wait_for("the keeper to end", lambda: not alive(keeper), 20)
    clean(agent, box)


def readable(pid):
    return subprocess.run(["timeout", "1", "cat", f"/proc/{pid}/cmdline"], check=False,
                          stdout=subprocess.DEVNULL).returncode != 124


def test_memory_that_nobody_can_read(agent, make_box, mute, base):
    """ps(1) hangs on a process whose memory map is locked while a page does not come; finding and
    entering others does not."""
    run(["gcc", "-static", "-O2", "-pthread", "-o", base / "locked", HERE / "locked.c"])

    def edit(_, root):
        (root / "srv").mkdir(exist_ok=True)
        shutil.copy(base / "locked", root / "bin/locked")

    wait = "until [ -e /srv/page ]; do sleep 0.05; done; exec /bin/locked /srv/page"
    box = make_box("locked", kind="busybox", args=["/bin/sh", "-c", wait], edit=edit)
    server = mute(box, "/srv", "page")
    assert server.stdout.readline() == b"asked\n"
    wait_for("its memory to be locked", lambda: not readable(box.pid), 10)
    try:
        other = make_box("other", kind="busybox", env=[f"SERVICE_NAME=free-{box.pid}"])
        begun = time.monotonic()
        assert agent.coral.run("exec", f"free-{box.pid}", "--", "echo", "on").out == b"on\n"
        listed = agent.coral.run("ps").out.decode()
        assert other.name in listed and str(box.pid) in listed
        done = agent.coral.run("exec", "--pid", box.pid, "--", "true")
        assert done.code == 124 and "memory locked" in done.errtext, done
        assert time.monotonic() - begun < 10
    finally:
        server.kill()
        wait_for("it to be let go", lambda: readable(box.pid), 10)
