# SPDX-License-Identifier: GPL-3.0-or-later
"""Finding containers from /proc alone: runc, Docker Engine, podman, and pods."""
import json
import os
import pathlib
import re
import signal

import pytest

from house.coral import CORAL, children_of
from house.term import Pty
from house.util import alive, run, wait_for


def where(coral, *flags):
    """The mount namespace that a command entered by these flags sees."""
    done = coral.run("exec", *flags, "--", "readlink", "/proc/self/ns/mnt")
    return done.text.strip() if done.code == 0 else done


def mnt(container):
    return os.readlink(f"/proc/{container.pid}/ns/mnt")


@pytest.fixture(params=["runc", "docker", "podman"])
def any_engine(request):
    """One container of each engine, called something-PID-N."""
    engine = request.getfixturevalue(request.param)
    container = engine.start("urchin")
    yield container
    if request.param == "runc":
        engine.delete(container)
    elif request.param == "docker":
        run([*engine.cli(), "rm", "-f", container.name])
        engine.names.remove(container.name)
    else:
        engine.cmd("rm", "-f", "-t", "0", container.name)
        engine.names.remove(container.name)


def test_every_way_to_name_it(any_engine, coral):
    box = any_engine
    short = box.id if box.runtime == "runc" else box.id[:12]  # runc's ids are names
    for flags in (["--pid", box.pid], ["--container", box.name], ["--container", short],
                  ["-c", box.id], ["--service", box.name], [box.name]):
        assert where(coral, *flags) == mnt(box), flags


def test_ps_shows_it(any_engine, either):
    done = either.run("ps", "-o", "json")
    assert done.code == 0, done
    mine = [t for t in done.json() if t["pid"] == any_engine.pid]
    assert len(mine) == 1
    assert mine[0]["container"] == any_engine.name
    assert mine[0]["runtime"] == any_engine.runtime
    assert mine[0]["container_id"].startswith(any_engine.id[:12])
    assert mine[0]["state"] == "running"
    for field in ("service", "pod", "namespace", "image", "uid", "provenance"):
        assert field in mine[0], field
    assert any_engine.name in either.run("ps").text


def test_a_shell_in_it(any_engine, coral):
    """The closing note's picture: a prompt in a container of each engine."""
    with Pty(coral.argv("shell", "--container", any_engine.name), coral.env(), 25, 81) as term:
        term.expect(r"[#$] ")
        term.send("stty size; cat /etc/hostname /proc/1/comm; tty\r")
        term.expect("25 81")
        term.expect(r"/dev/pts/\d+")
        term.send("exit 3\r")
        assert term.wait() == 3


def test_service_by_environment(box, coral):
    assert where(coral, "--service", "harbour") == mnt(box)
    assert where(coral, "harbour") == mnt(box)
    coral.extra["CORAL_SERVICE"] = "harbour"
    assert where(coral) == mnt(box)


def test_compose_labels(docker, coral):
    box = docker.start("comp", flags=["--label", "com.docker.compose.service=anemone",
                                      "--label", "com.docker.compose.project=reefs"])
    assert where(coral, "--service", "anemone") == mnt(box)


def test_pod_members(podman, coral):
    """A pod with a shared pid namespace: each container is itself, pause is nobody."""
    manifest = """apiVersion: v1
kind: Pod
metadata:
  name: atoll
spec:
  shareProcessNamespace: true
  containers:
  - name: app
    image: localhost/reef:1
    command: ["/bin/sleep", "100000"]
  - name: proxy
    image: localhost/reef:1
    command: ["/bin/sleep", "100001"]
"""
    found = podman.play(manifest, "atoll")
    try:
        for name, container in found.items():
            assert where(coral, "--container", f"atoll-{name}") == mnt(container)
            assert where(coral, "--pod", "atoll", "-c", name) == mnt(container)
        listed = coral.run("ps", "-o", "json").json()
        assert not [t for t in listed if "infra" in t["container"] or "pause" in t["container"]]
        done = coral.run("exec", "--pod", "atoll", "--", "true")
        assert done.code == 125 and "app/app" in done.errtext and "proxy/proxy" in done.errtext
    finally:
        podman.cmd("kube", "down", podman.pods.pop())


def test_what_the_error_says_to_type_works(podman, coral):
    """Two pods alike: every candidate's words pick exactly that one."""
    manifest = """apiVersion: v1
kind: Pod
metadata:
  name: {}
spec:
  containers:
  - name: app
    image: localhost/reef:1
    command: ["/bin/sleep", "100000"]
  - name: proxy
    image: localhost/reef:1
    command: ["/bin/sleep", "100001"]
"""
    pods = {name: podman.play(manifest.format(name), name) for name in ("east", "west")}
    try:
        done = coral.run("exec", "-c", "app", "--", "true")
        assert done.code == 125 and "matches 2 targets" in done.errtext, done
        words = re.findall(r"app/app .* try (.*)", done.errtext)
        assert sorted(words) == ["--pod east -c app", "--pod west -c app"]
        seen = {where(coral, *w.split()) for w in words}
        assert seen == {mnt(pods[p]["app"]) for p in pods}
        done = coral.run("exec", "--pod", "east", "-c", "ap", "--", "true")
        assert done.code == 125 and "app/app" in done.errtext and "west" not in done.errtext
        infra = podman.cmd("pod", "inspect", "-f", "{{.InfraContainerID}}", "west").stdout.strip()
        done = coral.run("exec", "-c", infra[:12], "--", "true")
        assert done.code == 125 and "pause process of" in done.errtext, done
    finally:
        for _ in pods:
            podman.cmd("kube", "down", podman.pods.pop())


def test_replicas_of_a_compose_service(docker, coral):
    boxes = [docker.start("store-web", flags=["--label", "com.docker.compose.service=limpet",
                                              "--label", "com.docker.compose.project=store"])
             for _ in range(2)]
    done = coral.run("exec", "limpet", "--", "true")
    assert done.code == 125
    for box in boxes:
        assert f"limpet/{box.name}" in done.errtext and f"try -c {box.name}" in done.errtext
        assert where(coral, "--service", "limpet", "-c", box.name) == mnt(box)
        assert where(coral, "-c", box.id[:12]) == mnt(box)


@pytest.mark.host
def test_from_within_a_container_that_sees_the_host(docker, make_box, coral):
    """Neither the agent nor a child of it, nor any process of the host; the others are there."""
    other = make_box("other", kind="busybox")
    name = f"inside-{os.getpid()}"
    docker.names.append(name)
    done = run([*docker.cli(), "run", "--rm", "--name", name, "--network", "none",
                "--cap-add", "SYS_ADMIN", "--cap-add", "SYS_PTRACE", "--pid", "host",
                "-v", f"{CORAL}:/coral:ro", "reef:1", "/bin/sh", "-c",
                "/bin/sleep 100 & /coral ps -o json; kill $!"])
    listed = json.loads(done.stdout)
    assert other.name in [t["container"] for t in listed]
    assert name not in [t["container"] for t in listed]
    host = {os.readlink(f"/proc/self/ns/{ns}") for ns in ("pid", "mnt")}
    for t in listed:
        theirs = {os.readlink(f"/proc/{t['pid']}/ns/{ns}") for ns in ("pid", "mnt")}
        assert theirs != host, t


def test_ambiguous_lists_the_candidates(coral, make_box):
    pair = [make_box("twin", kind="busybox", env=["SERVICE_NAME=twins"]) for _ in range(2)]
    done = coral.run("exec", "--service", "twins", "--", "true")
    assert done.code == 125 and done.out == b""
    for box in pair:
        assert box.name in done.errtext
    assert "why:" in done.errtext and "try:" in done.errtext
    assert coral.session_dirs() == []


def test_ambiguous_on_a_terminal_is_a_choice(coral, make_box):
    pair = [make_box("pair", kind="busybox", env=["SERVICE_NAME=pairs"]) for _ in range(2)]
    with Pty(coral.argv("shell", "--service", "pairs"), coral.env(), 24, 120) as term:
        term.expect("which one")
        term.send("2\r")
        term.expect(r"[#$] ")
        term.send("readlink /proc/self/ns/mnt\r")
        got = term.expect(r"mnt:\[\d+\]").group(0).decode()
        assert got in [mnt(b) for b in pair]
        term.send("exit\r")
        term.wait()


def test_ambiguous_choice_can_be_left(coral, make_box):
    for _ in range(2):
        make_box("leave", kind="busybox", env=["SERVICE_NAME=leaves"])
    with Pty(coral.argv("shell", "--service", "leaves"), coral.env()) as term:
        term.expect("which one")
        term.send("\x04")
        assert term.wait() == 125
        assert term.modes() == term.before
    assert coral.session_dirs() == []


def test_bare_word_only_before_dashdash(coral, box):
    assert where(coral, "harbour") == mnt(box)
    done = coral.run("exec", "--pid", box.pid, "harbour")
    assert done.code == 127, "without -- every word is the command"


def test_dead_target(coral, make_box, runc):
    gone = make_box("gone", kind="busybox")
    pid = gone.pid
    runc.delete(gone)
    done = coral.run("exec", "--pid", pid, "--", "true")
    assert done.code == 125 and str(pid) in done.errtext
    done = coral.run("exec", "--container", gone.name, "--", "true")
    assert done.code == 125 and gone.name in done.errtext


def test_own_and_init_are_refused_or_named(coral):
    """Host pid 1 is no container."""
    done = coral.run("ps", "-o", "json")
    pids = [t["pid"] for t in done.json()]
    assert 1 not in pids and os.getpid() not in pids


def test_paused_target_is_refused_quickly(coral, make_box, runc):
    frozen = make_box("frozen", kind="busybox")
    runc.pause(frozen)
    try:
        done = coral.run("exec", "--pid", frozen.pid, "--", "true", timeout=10)
        assert done.code == 125 and "paused" in done.errtext.lower() or "frozen" in done.errtext
        states = {t["pid"]: t["state"] for t in coral.run("ps", "-o", "json").json()}
        assert states[frozen.pid] == "paused"
    finally:
        runc.resume(frozen)


def test_target_dies_during_entry(agent, make_box):
    """Killed at a moment that moves: a clean answer each time, nothing left."""
    for _ in range(10):
        mayfly = make_box("mayfly", kind="busybox")
        proc = agent.coral.popen("exec", "--pid", mayfly.pid, "--", "sleep", "100")
        os.kill(mayfly.pid, signal.SIGKILL)
        _, err = proc.communicate(timeout=20)
        assert proc.returncode in (125, 137), (proc.returncode, err)
    wait_for("no live session", lambda: not agent.coral.live())


def test_ps_columns_are_plain_when_piped(coral, box):
    done = coral.run("ps")
    assert done.code == 0 and b"\x1b" not in done.out
    assert json.dumps(box.name)[1:-1] in done.text


def scouts(agent):
    return [p for p in children_of(agent.proc.pid)
            if pathlib.Path(f"/proc/{p}/comm").read_text() == "coral-scout\n"]


def test_found_ahead_of_the_first_request(make_agent, make_box):
    """By a process that has nothing of the broker's, and that nobody misses."""
    box = make_box("early", kind="busybox")
    agent = make_agent()
    kept = agent.home / "run" / "targets"
    wait_for("what was found", lambda: kept.exists() and box.name.encode() in kept.read_bytes(), 20)
    scout, = scouts(agent)
    assert os.getpriority(os.PRIO_PROCESS, scout) == 10
    held = {os.readlink(f"/proc/{scout}/fd/{fd}") for fd in os.listdir(f"/proc/{scout}/fd")
            if int(fd) > 2}
    assert held == {"/proc"}
    os.kill(scout, signal.SIGKILL)
    wait_for("its end", lambda: not scouts(agent), 5)
    assert agent.coral.run("exec", box.name, "--", "echo", "on").out == b"on\n"
    # It goes with its agent, before its second look.
    other = make_agent()
    scout = wait_for("a scout", lambda: scouts(other))[0]
    other.proc.kill()
    wait_for("its end", lambda: not alive(scout), 5)
