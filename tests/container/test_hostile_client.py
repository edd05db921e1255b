# SPDX-License-Identifier: GPL-3.0-or-later
"""Clients that speak coral's protocol, and mean no good; and neighbours that do."""
import contextlib
import os
import pathlib
import struct
import subprocess

import pytest

from test_ssh import ssh  # noqa: F401
from house.util import wait_for

FR_OPEN, FR_SIGNAL = 1, 5
TAG_VERB, TAG_PID, TAG_ARG = 1, 7, 8
EXEC = 1


def field(tag, data):
    return struct.pack(">BI", tag, len(data)) + data


def frame(kind, data):
    return struct.pack(">I", kind << 24 | len(data)) + data


def request(pid, *argv):
    return frame(FR_OPEN, b"\x01" + field(TAG_VERB, bytes([EXEC])) +
                 field(TAG_PID, struct.pack(">I", pid)) +
                 b"".join(field(TAG_ARG, a.encode()) for a in argv))


@pytest.fixture
def raw(ssh):  # noqa: F811
    """The frames of a session, by way of the stock client."""
    made = []

    def start(first):
        proc = subprocess.Popen(ssh.argv("x", "coral", flags=("-s",)), env=ssh.env(),
                                stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        made.append(proc)
        proc.stdin.write(first)
        proc.stdin.flush()
        return proc

    yield start
    for proc in made:
        proc.kill()
        proc.communicate()


def test_a_frame_that_never_fits_is_no_way_to_stay(raw, box):
    """Half of a frame that is larger than the keeper's buffer must not make it deaf to the end
    of its client."""
    proc = raw(request(box.pid, "sleep", "1000"))
    wait_for("the command", lambda: len(box.processes()) > 1)
    with contextlib.suppress(BrokenPipeError):  # the end may come before all of it went out
        proc.stdin.write(struct.pack(">I", FR_OPEN << 24 | 256 * 1024) + b"x" * (200 * 1024))
        proc.stdin.flush()
    wait_for("the session to end", lambda: box.processes() == [box.pid], 10)


def test_a_neighbour_cannot_prolong_a_session(agent, box):
    """Another process of the container holds the command's stdout open, and writes to it."""
    proc = agent.coral.popen("exec", "--pid", box.pid, "--", "sh", "-c", "echo up; exec sleep 1000")
    assert proc.stdout.readline() == b"up\n"
    inside = [p for p in box.processes() if p != box.pid]
    stdout = os.open(f"/proc/{inside[0]}/fd/1", os.O_WRONLY)
    try:
        neighbour = subprocess.Popen(["/usr/bin/yes"], stdout=stdout, stderr=subprocess.DEVNULL)
    finally:
        os.close(stdout)
    try:
        wait_for("its noise", lambda: proc.stdout.read(2) == b"y\n")
        for p in inside:
            os.kill(p, 9)
        out, _ = proc.communicate(timeout=20)
        assert proc.returncode == 137
    finally:
        neighbour.kill()
        neighbour.wait()


def test_a_command_that_leaves_its_cgroup_is_ended(agent, box):
    """With rights over cgroups a command can move itself out of the session's, of each hierarchy;
    its client's end is its end all the same."""
    v2 = next(d for d in ("/sys/fs/cgroup/unified", "/sys/fs/cgroup")
              if os.path.exists(f"{d}/cgroup.procs"))
    proc = agent.coral.popen("exec", "--pid", box.pid, "--", "sh", "-c", "echo up; exec sleep 1000")
    assert proc.stdout.readline() == b"up\n"
    inside = [p for p in box.processes() if p != box.pid]
    own = pathlib.Path(f"/proc/{inside[0]}/cgroup")
    for line in own.read_text().splitlines():
        _, name, path = line.split(":", 2)
        if "/coral-" in path:
            with open(f"{'/sys/fs/cgroup/' + name if name else v2}/cgroup.procs", "w",
                      encoding="ascii") as f:
                f.write(str(inside[0]))
    assert "/coral-" not in own.read_text()
    proc.kill()
    proc.communicate()
    wait_for("the command to end", lambda: box.processes() == [box.pid], 15)
    wait_for("the session to end", lambda: not agent.coral.live())
    # Not only by the end of its keeper, who had given up.
    assert "cannot be killed" not in agent.coral.newest_cast().read_text()


def test_a_process_of_a_session_is_no_target(ssh, net_agent, box):  # noqa: F811
    """Root's own session may have more rights than the container gives."""
    proc = net_agent.coral.popen("exec", "--pid", box.pid, "--privileged", "--", "sh", "-c",
                                 "echo up; exec sleep 1000")
    try:
        assert proc.stdout.readline() == b"up\n"
        inside = [p for p in box.processes() if p != box.pid]
        done = ssh(f"pid.{inside[0]}", "grep CapEff /proc/self/status")
        assert (done.returncode, done.stdout) == (125, b"")
        assert b"session" in done.stderr
    finally:
        proc.kill()
        proc.communicate()
    wait_for("the session to end", lambda: box.processes() == [box.pid], 15)


def test_a_process_in_very_many_groups(coral):
    """What is told of it is larger than a frame: the session begins all the same."""
    code = "import os, time; os.setgroups(range(100000, 130000)); print(flush=True); time.sleep(99)"
    proc = subprocess.Popen(["/usr/bin/python3", "-c", code], stdout=subprocess.PIPE)
    try:
        proc.stdout.readline()
        done = coral.run("exec", "--pid", proc.pid, "--", "echo", "in")
        assert (done.code, done.out) == (0, b"in\n"), done
    finally:
        proc.kill()
        proc.communicate()
