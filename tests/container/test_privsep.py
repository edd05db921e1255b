# SPDX-License-Identifier: GPL-3.0-or-later
"""The process that parses network bytes can do nothing else."""
import base64
import os
import pathlib
import signal
import socket

import pytest

from house.coral import status_of
from house.util import alive, wait_for


@pytest.fixture
def connected(agent, box):
    """An exec that is running, and the pid of its transport."""
    proc = agent.coral.popen("exec", "--pid", box.pid, "--", "sh", "-c", "echo up; read x")
    try:
        assert proc.stdout.readline() == b"up\n"
        yield proc, wait_for("the transport", agent.transports)[0]
    finally:
        if proc.poll() is None:
            proc.kill()
        proc.communicate()


def test_status(connected):
    status = status_of(connected[1])
    for field in ("Uid", "Gid"):
        assert "0" not in status[field].split(), field
    assert len(set(status["Uid"].split())) == 1
    assert status["Groups"].split() in ([], [status["Gid"].split()[0]])
    for field in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
        assert int(status[field], 16) == 0, field
    assert status["NoNewPrivs"].strip() == "1"
    assert status["Seccomp"].strip() == "2"


def test_root_is_empty(connected):
    pid = connected[1]
    assert os.listdir(f"/proc/{pid}/root") == []
    mode = os.stat(f"/proc/{pid}/root")
    assert mode.st_uid == 0 and not mode.st_mode & 0o222
    assert os.readlink(f"/proc/{pid}/cwd") == os.readlink(f"/proc/{pid}/root")


def test_limits(connected):
    limits = {line[:25].strip(): line[25:].split()[:2] for line in
              pathlib.Path(f"/proc/{connected[1]}/limits").read_text().splitlines()[1:]}
    assert limits["Max core file size"] == ["0", "0"]
    assert limits["Max processes"] == ["0", "0"]
    assert int(limits["Max open files"][1]) <= 256


def test_no_valuable_descriptors(connected, agent):
    """Sockets and pipes only: no recording, key file, PTY or /proc entry."""
    pid = connected[1]
    for fd in os.listdir(f"/proc/{pid}/fd"):
        link = os.readlink(f"/proc/{pid}/fd/{fd}")
        assert link.startswith(("socket:", "pipe:", "anon_inode:")) or link == "/dev/null" or \
            link == str(agent.log_path), link


def test_not_dumpable(connected):
    assert os.stat(f"/proc/{connected[1]}/fd").st_uid == 0, "its /proc belongs to its own uid"


def memory_has(pid, *needles):
    """Which of the byte strings lie in what the process has mapped."""
    found = set()
    with open(f"/proc/{pid}/mem", "rb", buffering=0) as mem:
        for line in pathlib.Path(f"/proc/{pid}/maps").read_text().splitlines():
            start, end = (int(x, 16) for x in line.split()[0].split("-"))
            try:
                mem.seek(start)
                data = mem.read(end - start)
            except (OSError, ValueError, OverflowError):  # [vvar] and the like
                continue
            found |= {n for n in needles if n in data}
    return found


def test_nothing_of_the_host_key_but_in_the_broker(connected, agent):
    """Not its secret, nor a part of the file that holds it."""
    b64 = "".join((agent.coral.state / "host_key").read_text().splitlines()[1:-1])
    whole = base64.b64decode(b64)
    blob = whole[whole.index(b"ssh-ed25519"):][15:47]
    at = whole.rindex(blob) - 32
    seed, text = whole[at:at + 32], b64[at * 4 // 3 + 4:][:32].encode()
    needles = seed, seed[:16], seed[16:], text
    transport, broker = connected[1], agent.proc.pid
    keeper = list(wait_for("the keeper", agent.keepers).values())[0]
    assert seed in memory_has(broker, seed), "this test would find it"
    assert memory_has(transport, blob) == {blob}, "and the transport has the public half"
    assert memory_has(transport, *needles) == set()
    assert memory_has(keeper, *needles) == set()


def test_no_network_in_the_keeper(connected, agent):
    """The keeper has no network socket: nothing to parse there."""
    keeper = list(wait_for("the keeper", agent.keepers).values())[0]
    inet = set()
    for table in ("tcp", "tcp6", "udp", "udp6"):
        for line in pathlib.Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            inet.add(f"socket:[{line.split()[9]}]")
    for fd in os.listdir(f"/proc/{keeper}/fd"):
        assert os.readlink(f"/proc/{keeper}/fd/{fd}") not in inet


@pytest.mark.slow
def test_watchdog(connected, agent, box):
    """A transport that hangs is killed in about ten seconds, and others never notice."""
    proc, pid = connected
    os.kill(pid, signal.SIGSTOP)
    agent.coral.extra["CORAL_SHARE"] = "0"  # others: those on other connections
    assert agent.coral.run("exec", "--pid", box.pid, "--", "echo", "on").out == b"on\n"
    wait_for("the watchdog", lambda: not alive(pid), 20)
    assert proc.wait(15) == 255
    wait_for("the tree to end", lambda: box.processes() == [box.pid], 15)


def test_garbage_on_the_wire(agent, box):
    """Whatever arrives instead of SSH ends that connection and nothing else."""
    for rubbish in (b"", b"\0" * 5000, b"GET / HTTP/1.0\r\n\r\n", os.urandom(70000),
                    b"SSH-2.0-x\r\n" + b"\xff" * 4000, b"SSH-1.5-old\r\n",
                    b"SSH-2.0-" + b"A" * 100000):
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(10)
            s.connect(str(agent.socket))
            try:
                s.sendall(rubbish)
                s.shutdown(socket.SHUT_WR)
                while s.recv(65536):
                    pass
            except (BrokenPipeError, ConnectionResetError):
                pass
    wait_for("the transports to end", lambda: not agent.transports())
    assert agent.coral.run("exec", "--pid", box.pid, "--", "echo", "on").out == b"on\n"
    assert agent.proc.poll() is None
