# SPDX-License-Identifier: GPL-3.0-or-later
"""A client that sends without end, or takes nothing: neither fills the disk nor keeps a session."""
import os
import pathlib
import signal
import struct
import subprocess

import pytest

from test_hostile_client import field, frame, raw, request  # noqa: F401
from test_ssh import ssh  # noqa: F401
from house.casts import Cast
from house.util import wait_for

FR_STDIN_EOF, FR_WINCH, FR_SIGNAL, FR_BYE = 3, 4, 5, 6
TAG_TTY, TAG_TERM = 10, 12
COUNT = 20000


def size(rows, cols):
    return frame(FR_WINCH, struct.pack(">HHHH", rows, cols, 0, 0))


def terminal(box, *argv):
    whole = request(box.pid, *argv)[4:] + field(TAG_TTY, b"") + field(TAG_TERM, b"xterm")
    return struct.pack(">I", 1 << 24 | len(whole)) + whole


def until_ended(agent):
    wait_for("the session to end", lambda: agent.coral.sessions()
             and not agent.coral.live(), 30)
    return Cast(agent.coral.newest_cast())


def test_resizes_without_end(raw, net_agent, box):  # noqa: F811
    """What comes within a moment is one resize; the last one counts; what was left out is told."""
    proc = raw(terminal(box, "sh", "-c", "while [ \"$(stty size)\" != '50 132' ]; do sleep 0.1; done"))
    wait_for("the command", lambda: len(box.processes()) > 1)
    many = b"".join(size(24 + n % 2, 80 + n % 7) for n in range(COUNT))
    proc.stdin.write(many + size(50, 132))
    proc.stdin.flush()
    cast = until_ended(net_agent)
    assert cast.resizes()[-1] == "132x50"
    assert len(cast.resizes()) < 500
    merged = sum(m["count"] for m in cast.own("merged") if m["what"] == "resize")
    assert merged + len(cast.resizes()) == COUNT + 1
    assert cast.end["exit_code"] == 0


def test_signals_without_end(raw, net_agent, box):  # noqa: F811
    proc = raw(request(box.pid, "sh", "-c", "trap : USR1; trap 'exit 9' TERM; echo up; "
                       "while :; do sleep 0.05; done"))
    wait_for("the command", lambda: len(box.processes()) > 1)
    wait_for("its output", lambda: b"up\n" in proc.stdout.read1(65536))
    proc.stdin.write(frame(FR_SIGNAL, b"USR1") * COUNT)
    proc.stdin.write(frame(FR_STDIN_EOF, b"") * COUNT)
    proc.stdin.write(frame(FR_SIGNAL, b"TERM"))
    proc.stdin.flush()
    cast = until_ended(net_agent)
    assert cast.end["exit_code"] == 9, "a signal was lost in the noise of another"
    names = [s["name"] for s in cast.own("signal")]
    assert names.count("TERM") == 1 and len(names) < 200
    merged = sum(m["count"] for m in cast.own("merged") if m["what"] == "USR1")
    assert merged + names.count("USR1") == COUNT
    assert len(cast.own("stdin_eof")) == 1


def test_few_signals_are_each_sent(agent, box):
    proc = agent.coral.popen("exec", "--pid", box.pid, "--", "bash", "-c",
                             "trap 'echo hup' HUP; trap 'echo term; exit 3' TERM; echo up; "
                             "while :; do read -t 0.1; done")
    assert proc.stdout.readline() == b"up\n"
    proc.send_signal(signal.SIGHUP)
    assert proc.stdout.readline() == b"hup\n"
    proc.send_signal(signal.SIGTERM)
    assert proc.stdout.read() == b"term\n" and proc.wait(10) == 3
    proc.communicate()


def full_to_the_brim(agent, box):
    """An exec of yes(1) whose client stopped reading; nothing moves any more."""
    proc = agent.coral.popen("exec", "--pid", box.pid, "--", "sh", "-c", "echo up; exec yes")
    assert proc.stdout.readline() == b"up\n"
    os.kill(proc.pid, signal.SIGSTOP)
    inside = [p for p in box.processes() if p != box.pid]
    last = []

    def still():
        last.append(pathlib.Path(f"/proc/{inside[0]}/io").read_text())
        return len(last) > 10 and last[-1] == last[-10]

    wait_for("the command to wait", still, 30)
    return proc, inside[0]


def test_a_client_that_reads_nothing(agent, box):
    """Its pace is the command's; but once that is dead the record has everything, at once."""
    proc, inside = full_to_the_brim(agent, box)
    os.kill(inside, signal.SIGKILL)
    wait_for("the session to end", lambda: agent.coral.sessions()[0]["state"] == "ended", 10)
    assert not os.listdir(agent.home / "run" / "live")
    end = Cast(agent.coral.newest_cast()).end
    # And none of it is lost to one who wakes up after that.
    os.kill(proc.pid, signal.SIGCONT)
    out = proc.stdout.read()
    assert proc.wait(10) == 137
    assert len(out) + len("up\n") == end["stdout_bytes"]
    proc.communicate()


@pytest.mark.parametrize("share", ["0", "1s"])
def test_a_client_that_never_reads_again(agent, box, share):
    agent.coral.extra["CORAL_SHARE"] = share
    proc, inside = full_to_the_brim(agent, box)
    os.kill(inside, signal.SIGKILL)
    wait_for("the session to end", lambda: agent.coral.sessions()[0]["state"] == "ended", 10)
    proc.kill()
    proc.communicate()
    wait_for("its processes to end", lambda: not agent.transports(), 10)


@pytest.mark.parametrize("noise", ["while :; do echo noise; done",
                                   "while :; do echo x; sleep 0.5; done"])
def test_a_neighbour_cannot_prolong_a_terminal(agent, box, noise):
    """Another process of the container opens the session's terminal when its command is dead."""
    proc = agent.coral.popen("exec", "-tt", "--pid", box.pid, "--", "sh", "-c",
                             "tty; exec sleep 1000")
    tty = proc.stdout.readline().decode().strip()
    inside = [p for p in box.processes() if p != box.pid]
    path = f"/proc/{box.pid}/root{tty}"
    neighbour = subprocess.Popen(["sh", "-c", f"while :; do (exec >>{path}; {noise}); done"],
                                 stderr=subprocess.DEVNULL, start_new_session=True)
    try:
        wait_for("its noise", lambda: proc.stdout.read(1))
        for p in inside:
            os.kill(p, signal.SIGKILL)
        out, _ = proc.communicate(timeout=30)
        assert proc.returncode == 137 and len(out) < 1 << 20
    finally:
        os.killpg(neighbour.pid, signal.SIGKILL)
        neighbour.wait()
        # The shell of the neighbour may just have made one more plain file of that name.
        if os.path.isfile(path):
            os.unlink(path)
