# SPDX-License-Identifier: GPL-3.0-or-later
"""kill -9 of each of the four, at each stage; then nothing may be left of an ended session."""
import os
import signal
import socket
import time

import pytest

from house.casts import Cast
from house.coral import drain
from house.util import alive, wait_for

WORK = {
    "running": "echo up; sleep 1000 & sleep 1000; wait",
    "output": "echo up; while :; do echo tick tock tick tock; done",
}


def begin(agent, box, verb, script):
    """A session that said "up"; returns (client, its output so far)."""
    if verb == "exec":
        proc = agent.coral.popen("exec", "--pid", box.pid, "--", "sh", "-c", script)
    else:
        proc = agent.coral.popen("exec", "-tt", "--pid", box.pid, "--", "bash", "-c", script) \
            if verb == "tty" else agent.coral.popen("shell", "-tt", "--pid", box.pid)
    parts, thread = drain(proc.stdout)
    drain(proc.stderr)
    if verb == "shell":
        proc.stdin.write(script.encode() + b"\n")
        proc.stdin.flush()
    wait_for("the first output", lambda: b"up\r\n" in b"".join(parts[:50])
             or b"up\n" in b"".join(parts[:50]))
    proc.parts, proc.reader = parts, thread
    return proc


def victim_pid(agent, proc, victim):
    if victim == "client":
        return proc.pid
    if victim == "transport":
        return wait_for("the transport", agent.transports)[0]
    if victim == "keeper":
        return list(wait_for("the keeper", agent.keepers).values())[0]
    return agent.proc.pid


def ended(agent, box):
    """The tree is gone, and the store agrees."""
    wait_for("the session's tree to end", lambda: box.processes() == [box.pid], 15)
    wait_for("no session to be live", lambda: not agent.coral.live(), 15)


def end_detached(agent, box):
    """A shell outlives its client; the test that left it there ends it."""
    sid = wait_for("the shell to be detached", lambda: [
        s["id"] for s in agent.coral.sessions() if s["state"] == "detached"])[0]
    assert box.processes() != [box.pid]
    assert agent.coral.run("kill", sid).code == 0


def end_client(proc):
    if proc.poll() is None:
        proc.kill()
    proc.wait()
    proc.stdin.close()


@pytest.mark.parametrize("stage", sorted(WORK))
@pytest.mark.parametrize("verb", ["exec", "tty", "shell"])
def test_client(agent, box, verb, stage):
    proc = begin(agent, box, verb, WORK[stage])
    proc.kill()
    proc.wait()
    if verb == "shell":
        end_detached(agent, box)
    ended(agent, box)
    # The keeper lived: it closed the recording properly.
    assert agent.coral.sessions()[0]["state"] == "ended"


@pytest.mark.parametrize("stage", sorted(WORK))
@pytest.mark.parametrize("verb", ["exec", "tty", "shell"])
def test_transport(agent, box, verb, stage):
    proc = begin(agent, box, verb, WORK[stage])
    os.kill(victim_pid(agent, proc, "transport"), signal.SIGKILL)
    if verb == "shell":
        # Its client comes back by itself; here it is not to.
        proc.kill()
        proc.wait()
        end_detached(agent, box)
    else:
        assert proc.wait(15) == 255
    ended(agent, box)
    assert agent.coral.sessions()[0]["state"] == "ended"
    end_client(proc)
    assert agent.coral.run("exec", "--pid", box.pid, "--", "echo", "on").out == b"on\n"


@pytest.mark.parametrize("stage", sorted(WORK))
@pytest.mark.parametrize("verb", ["exec", "tty", "shell"])
def test_keeper(agent, box, verb, stage):
    proc = begin(agent, box, verb, WORK[stage])
    os.kill(victim_pid(agent, proc, "keeper"), signal.SIGKILL)
    assert proc.wait(15) in (125, 255)
    ended(agent, box)
    got = agent.coral.sessions()[0]
    assert got["state"] == "truncated"
    assert b"up" in Cast(agent.coral.cast_path(got["id"])).output().encode()
    end_client(proc)
    assert agent.coral.run("exec", "--pid", box.pid, "--", "echo", "on").out == b"on\n"


@pytest.mark.parametrize("verb", ["exec", "tty"])
def test_broker_dies_sessions_go_on(agent, box, verb):
    """The table's hardest row: running sessions go on, and a new broker finds them."""
    go = box.root / "tmp/go"
    go.unlink(missing_ok=True)
    proc = begin(agent, box, verb, "echo up; while [ ! -e /tmp/go ]; do sleep 0.05; done; "
                 "echo done; exit 6")
    sid = agent.coral.sessions()[0]["id"]
    agent.kill()
    agent.start()
    assert [s["id"] for s in agent.coral.live()] == [sid]
    assert proc.poll() is None
    go.write_text("")
    assert proc.wait(15) == 6
    proc.reader.join(5)
    assert b"done" in b"".join(proc.parts)
    go.unlink()
    wait_for("the session to end", lambda: not agent.coral.live())
    assert agent.coral.sessions()[0]["state"] == "ended"
    assert agent.coral.sessions()[0]["exit_code"] == 6
    end_client(proc)


@pytest.mark.parametrize("stage", sorted(WORK))
def test_broker_then_client(agent, box, stage):
    """The broker died; a client that goes away later still ends its session."""
    proc = begin(agent, box, "exec", WORK[stage])
    agent.kill()
    assert proc.poll() is None
    proc.kill()
    proc.wait()
    wait_for("the tree to end", lambda: box.processes() == [box.pid], 15)
    agent.start()
    ended(agent, box)


def test_broker_and_keeper(agent, box):
    """Nobody is left who knows the session: the new agent ends the tree and says truncated."""
    proc = begin(agent, box, "exec", WORK["running"])
    keeper = victim_pid(agent, proc, "keeper")
    agent.kill()
    os.kill(keeper, signal.SIGKILL)
    proc.wait(15)
    agent.start()
    ended(agent, box)
    assert agent.coral.sessions()[0]["state"] == "truncated"
    wait_for("its cgroups to go", lambda: not box.cgroup_dirs())
    end_client(proc)


def test_service_stop_leaves_sessions(agent, box):
    """SIGTERM of an agent on a host is an upgrade: keepers go on, the next agent finds them."""
    proc = begin(agent, box, "exec", "echo up; read x; exit 8")
    transports = agent.transports()
    agent.proc.terminate()
    agent.proc.wait(5)  # at once: it waits for no session
    assert transports and all(alive(pid) for pid in transports)
    agent.start()
    assert len(agent.coral.live()) == 1
    proc.stdin.write(b"go\n")
    proc.stdin.flush()
    assert proc.wait(15) == 8
    end_client(proc)


@pytest.mark.parametrize("victim", ["client", "transport", "broker"])
def test_before_open(agent, box, victim):
    """A connection that has asked for nothing yet."""
    with socket.socket(socket.AF_UNIX) as s:
        s.connect(str(agent.socket))
        s.recv(4)
        transport = wait_for("the transport", agent.transports)[0]
        if victim == "transport":
            os.kill(transport, signal.SIGKILL)
        elif victim == "broker":
            agent.kill()
    wait_for("the transport to end", lambda: not alive(transport), 15)
    if victim == "broker":
        agent.start()
    assert agent.coral.sessions() == []
    assert agent.coral.run("exec", "--pid", box.pid, "--", "echo", "on").out == b"on\n"


@pytest.mark.slow
@pytest.mark.parametrize("victim", ["client", "transport", "keeper", "broker"])
def test_during_entry(agent, box, victim):
    """Killed a little later each time, from the first moment to well after the command began."""
    agent.coral.extra["CORAL_SHARE"] = "no"
    for step in range(25):
        wait_for("earlier connections to go", lambda: not agent.transports())
        proc = agent.coral.popen("exec", "--pid", box.pid, "--", "sleep", "1000")
        end = time.monotonic() + step * 0.002
        target = None
        while target is None or time.monotonic() < end:
            if victim == "client":
                target = proc.pid
            elif victim == "broker":
                target = agent.proc.pid
            elif victim == "transport":
                target = (agent.transports() or [None])[0]
            else:
                target = next(iter(agent.keepers().values()), None)
            if proc.poll() is not None:
                break
        if target and alive(target):
            os.kill(target, signal.SIGKILL)
        if victim == "broker":
            agent.proc.wait()
            agent.start()
        if victim in ("client", "broker"):
            proc.kill()
        proc.communicate(timeout=20)
        ended(agent, box)
    # The last one may have begun only when its client was gone.
    wait_for("all to end", lambda: {s["state"] for s in agent.coral.sessions()} <= {
        "ended", "truncated"}, 20)
    for sid in agent.coral.session_dirs():
        assert agent.coral.local("replay", agent.coral.cast_path(sid), "--format", "text").code == 0


def test_target_dies(agent, make_box):
    """The container ends under a running exec: its command is killed, and that is said."""
    mortal = make_box("mortal", kind="busybox")
    proc = begin(agent, mortal, "exec", WORK["running"])
    os.kill(mortal.pid, signal.SIGKILL)
    assert proc.wait(15) in (125, 137)
    wait_for("the session to end", lambda: not agent.coral.live())
    end_client(proc)


def test_escapees_are_ended_and_recorded(agent, box):
    """setsid, double fork and what nohup does are no way out; the record names who had to be
    killed."""
    script = ("(setsid sh -c 'trap \"\" HUP TERM; exec sleep 4321' &) ; "
              "(trap '' HUP; exec sleep 4322) >/dev/null 2>&1 & "
              "until [ $(cat /proc/[0-9]*/comm | grep -cx sleep) -ge 3 ]; do :; done; echo up")
    done = agent.coral.run("exec", "--pid", box.pid, "--", "sh", "-c", script)
    assert done.code == 0
    wait_for("escapees to end", lambda: box.processes() == [box.pid], 15)
    survivors = Cast(agent.coral.newest_cast()).end["survivors_killed"]
    assert [s["comm"] for s in survivors] == ["sleep"] * 2


def test_embedded_client_killed(coral, box):
    proc = coral.popen("exec", "--pid", box.pid, "--", "sh", "-c", "echo up; sleep 1000")
    proc.stdout.readline()
    proc.kill()
    proc.communicate()
    wait_for("the tree to end", lambda: box.processes() == [box.pid], 15)
