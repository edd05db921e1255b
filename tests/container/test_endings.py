# SPDX-License-Identifier: GPL-3.0-or-later
"""Nothing of a session outlives it, however it hides, and whoever is killed."""
import contextlib
import json
import os
import pathlib
import signal
import subprocess

import pytest

from house.casts import Cast
from house.coral import drain
from house.util import alive, run, wait_for

HERE = pathlib.Path(__file__).parent
# Out of the session's cgroups, into the container's own: its limits hold, also for a bomb.
LEAVE = "for f in /cg/*/$OWN_CGROUP/cgroup.procs; do echo 0 >$f; done 2>/dev/null; "
THERE = "exec sleep 4101"
# busybox names itself a moment after its exec; the container's own first process sleeps as well.
UNTIL_THERE = "until grep -lsx sleep /proc/[0-9]*/comm | grep -qv /proc/1/; do sleep 0.05; done; "


@pytest.fixture(scope="module")
def stuck(base):
    run(["gcc", "-static", "-O2", "-o", base / "stuck", HERE / "stuck.c"])
    return base / "stuck"


def writable_cgroups(config, _=None):
    """As --privileged has it: its root may move any process that it sees."""
    config["mounts"].append({"destination": "/cg", "type": "bind", "source": "/sys/fs/cgroup",
                             "options": ["rbind", "rw"]})
    config["linux"]["resources"]["pids"]["limit"] = 300
    config["process"]["env"].append("OWN_CGROUP=" + config["linux"]["cgroupsPath"].strip("/"))


@pytest.fixture
def roomy(make_box):
    return make_box("roomy", kind="busybox", edit=writable_cgroups)


def alone(box):
    wait_for("the session's tree to end", lambda: box.processes() == [box.pid], 20)
    wait_for("its cgroups to go", lambda: not box.cgroup_dirs(), 10)


def no_notes(agent):
    wait_for("no note to be left", lambda: not os.listdir(agent.home / "run" / "live"), 15)


def survivors(agent):
    wait_for("the session to end", lambda: not agent.coral.live(), 20)
    return [s["comm"] for s in Cast(agent.coral.newest_cast()).end.get("survivors_killed", [])]


HIDE = {
    "setsid": f"setsid sh -c '{THERE}' &",
    "nohup": f"(trap '' HUP INT QUIT; {THERE}) >/dev/null 2>&1 &",
    "double fork": f"(setsid sh -c 'setsid sh -c \"{THERE}\" & exit' &);",
    "escape": f"setsid sh -c '{LEAVE} setsid sh -c \"{THERE}\" & exit' &",
}


@pytest.mark.parametrize("how", sorted(HIDE))
def test_survivors_are_ended_and_listed(agent, roomy, how):
    """The command ends; what it left is killed, and the record says what that was."""
    script = f"{HIDE[how]} {UNTIL_THERE} echo up"
    done = agent.coral.run("exec", "--pid", roomy.pid, "--", "sh", "-c", script)
    assert (done.code, done.out) == (0, b"up\n"), done
    alone(roomy)
    assert "sleep" in survivors(agent)
    no_notes(agent)


def left_the_cgroup(box, argument):
    """The pid of an escapee, once it is outside of the session's cgroups."""
    for pid in box.processes():
        text = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes()
        if argument.encode() in text.split(b"\0") and "coral-" not in pathlib.Path(
                f"/proc/{pid}/cgroup").read_text():
            return pid
    return None


@pytest.mark.parametrize("victim", ["client", "keeper"])
def test_an_escapee_is_found_by_its_audit_session(agent, roomy, victim):
    proc = agent.coral.popen("exec", "--pid", roomy.pid, "--", "sh", "-c",
                             f"setsid sh -c '{LEAVE} sleep 4105 & exit' & echo up; sleep 1000")
    assert proc.stdout.readline() == b"up\n"
    wait_for("the escape", lambda: left_the_cgroup(roomy, "4105"))
    pid = proc.pid if victim == "client" else list(agent.keepers().values())[0]
    os.kill(pid, signal.SIGKILL)
    proc.communicate()
    alone(roomy)
    no_notes(agent)


def put_in(box, stuck):
    """Not a shell's bomb: that gives up where it cannot fork."""
    inside = box.root / "tmp" / "stuck"
    inside.write_bytes(stuck.read_bytes())
    inside.chmod(0o755)
    return inside


def test_a_bomb_outside_of_its_cgroup(agent, roomy, stuck):
    """300 at most: it stays in the container's cgroup."""
    put_in(roomy, stuck)
    proc = agent.coral.popen("exec", "--pid", roomy.pid, "--", "sh", "-c",
                             f"setsid sh -c '{LEAVE} exec /tmp/stuck bomb' & sleep 1000")
    wait_for("the bomb", lambda: len(roomy.processes()) > 100, 30)
    proc.kill()
    proc.communicate()
    alone(roomy)


def test_a_bomb(agent, make_box, stuck):
    """It has half of what its container may have: the rest, and the agent, go on."""
    def small(config, _):
        config["linux"]["resources"]["pids"]["limit"] = 200

    box = make_box("bombed", kind="busybox", edit=small)
    put_in(box, stuck)
    proc = agent.coral.popen("exec", "--pid", box.pid, "--timeout", "4s", "--", "/tmp/stuck",
                             "bomb")
    wait_for("the bomb", lambda: len(box.processes()) > 90, 30)
    assert agent.coral.run("exec", "--pid", box.pid, "--", "echo", "on").out == b"on\n"
    assert len(box.processes()) <= 110
    assert proc.wait(30) == 124
    proc.communicate()
    alone(box)
    no_notes(agent)


@pytest.mark.parametrize("how", ["vfork", "ptrace", "stop", "respawn"])
@pytest.mark.parametrize("end", ["client", "timeout"])
def test_states_that_are_hard_to_end(agent, bare, stuck, how, end):
    inside = put_in(bare, stuck)
    limit = ["--timeout", "1s"] if end == "timeout" else []
    proc = agent.coral.popen("exec", "--pid", bare.pid, *limit, "--", "/tmp/stuck", how)
    assert proc.stdout.readline() == b"up\n"
    if end == "client":
        proc.kill()
    assert proc.wait(20) == (124 if end == "timeout" else -9)
    proc.communicate()
    alone(bare)
    inside.unlink()


@pytest.mark.parametrize("verb", ["exec", "shell"])
def test_everything_of_the_agent_is_killed(agent, roomy, verb):
    """Broker, keepers and transports, at once; the next agent ends and closes what they left."""
    script = f"setsid sh -c '{LEAVE} exec sleep 4106' & setsid sleep 4107 & echo up; sleep 1000\n"
    if verb == "exec":
        proc = agent.coral.popen("exec", "--pid", roomy.pid, "--", "sh", "-c", script)
    else:
        proc = agent.coral.popen("shell", "-tt", "--pid", roomy.pid)
        proc.stdin.write(script.encode())
        proc.stdin.flush()
    parts, _ = drain(proc.stdout)
    wait_for("its output", lambda: b"up\r\n" in b"".join(parts) or b"up\n" in b"".join(parts))
    wait_for("the escape", lambda: left_the_cgroup(roomy, "4106"))
    for pid in [agent.proc.pid, *agent.keepers().values(), *agent.transports()]:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    agent.proc.wait()
    proc.kill()
    proc.wait()
    agent.start()
    alone(roomy)
    no_notes(agent)
    assert [s["state"] for s in agent.coral.sessions()] == ["truncated"]
    assert b"up" in Cast(agent.coral.newest_cast()).output().encode()


BOOT = pathlib.Path("/proc/sys/kernel/random/boot_id").read_text().strip()
NONE = (1 << 32) - 1


def note(pid=0, start=0, keeper=0, keeper_start=0, boot=BOOT, sid="x", **tree):
    return json.dumps({"boot": boot, "keeper": keeper, "keeper_start": keeper_start, "tree": {
        "session_id": sid, "v2": "", "v1": [], "leader": pid, "leader_start": start,
        "audit": NONE, "roams": False, "oom_file": "", "oom_base": 0, **tree}})


def start_of(pid):
    return int(pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19])


@pytest.fixture
def innocent():
    proc = subprocess.Popen(["/bin/sleep", "1000"])
    yield proc
    proc.kill()
    proc.wait()


def ids(count):
    return [f"01hzzzzzzzzzzzzzzzzzzzzz{n:02}" for n in range(count)]


def test_notes_that_lie(make_agent, innocent, home, bare):
    """Whatever stands in RUNTIME_DIR/live: an agent starts, works, and kills no stranger."""
    agent = make_agent(start=False)
    live = home / "run" / "live"
    live.mkdir(mode=0o700)
    pid, start = innocent.pid, start_of(innocent.pid)
    right = {"pid": pid, "start": start}
    reused, booted, foreign, open_to_all, huge, link, fifo, junk, path, kind = ids(10)
    (live / f"{reused}.json").write_text(note(pid, start + 1, keeper=pid, keeper_start=start + 1))
    (live / f"{booted}.json").write_text(note(**right, boot="0" * 36))
    (live / f"{foreign}.json").write_text(note(**right))
    os.chown(live / f"{foreign}.json", 1000, 1000)
    (live / f"{open_to_all}.json").write_text(note(**right))
    (live / f"{open_to_all}.json").chmod(0o666)
    (live / f"{huge}.json").write_text(note(**right) + " " * (1 << 20))
    (home / "elsewhere").write_text(note(**right))
    (live / f"{link}.json").symlink_to(home / "elsewhere")
    os.mkfifo(live / f"{fifo}.json")
    (live / f"{junk}.json").write_text("{" * 5000)
    (live / f"{path}.json").write_text(note(v2="/sys/fs/cgroup/unified" + "/" + bare.name, sid=path))
    (live / f"{kind}.json").write_text(note(**right, audit="many"))
    (live / "stranger.json").write_text(note(**right))
    agent.start()
    # These two tell of what is gone: then they are done.
    wait_for("two notes to be dropped", lambda: not {f"{reused}.json", f"{booted}.json"} &
             set(os.listdir(live)))
    assert agent.coral.run("exec", "--pid", bare.pid, "--", "echo", "on").out == b"on\n"
    assert innocent.poll() is None and alive(pid) and alive(bare.pid)
    assert (live / f"{foreign}.json").exists() and foreign in agent.log()
    # The same, where every number is right, is what a note is for.
    for name in os.listdir(live):
        (live / name).unlink()
    agent.kill()
    (live / f"{junk}.json").write_text(note(**right))
    agent.start()
    assert innocent.wait(10) == -9


def test_a_directory_of_notes_that_is_not_ours(make_agent, home, innocent, bare):
    agent = make_agent(start=False)
    live = home / "run" / "live"
    live.mkdir(mode=0o777)
    live.chmod(0o777)
    (live / f"{ids(1)[0]}.json").write_text(note(innocent.pid, start_of(innocent.pid)))
    agent.start()
    done = agent.coral.run("exec", "--pid", bare.pid, "--", "echo", "on")
    assert done.code == 125 and str(live) in done.errtext, done
    assert innocent.poll() is None
