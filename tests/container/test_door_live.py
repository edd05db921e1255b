# SPDX-License-Identifier: GPL-3.0-or-later
"""Doors of sessions that are detached, watched, frozen, or older than their broker."""
import os
import signal
import sys

import pytest

from house import frames
from house.casts import Cast
from house.frames import Lost, Speaker
from house.util import run, wait_for
from test_attach import begin, speak  # noqa: F401
from test_pid1 import app, pod  # noqa: F401
from test_ssh import ssh  # noqa: F401

PROXY = ("import os,select,socket,sys\ns=socket.socket(socket.AF_UNIX)\ns.connect(sys.argv[1])\n"
         "while 1:\n for f in select.select([0,s],[],[])[0]:\n"
         "  d=os.read(0,65536) if f==0 else s.recv(65536)\n"
         "  if not d: sys.exit()\n"
         "  os.write(1,d) if f is s else s.sendall(d)\n")


def row(agent, sid):
    return next(s for s in agent.coral.sessions() if s["id"] == sid)


def detached(agent, sid):
    wait_for("nobody to be attached", lambda: row(agent, sid)["state"] == "detached")


def test_kill_detached(begin, net_agent, box):  # noqa: F811
    """Nobody is there to be told; the record knows."""
    one = begin()
    assert row(net_agent, one.id)["state"] == "live"
    one.cut()
    detached(net_agent, one.id)
    shown = row(net_agent, one.id)
    assert shown["attached"] == [] and shown["rows"] == 24
    assert net_agent.coral.run("kill", one.id).code == 0
    assert box.processes() == [box.pid]
    end = Cast(net_agent.coral.cast_path(one.id)).end
    assert (end["cause"], end["by"]) == ("signal", "root")


def test_kill_attached_and_watched(begin, speak, net_agent):  # noqa: F811
    one = begin()
    two = speak("watch", id=one.id, size=(24, 80))
    assert two.open()["role"] == "watching"
    who = {c["role"]: c for c in row(net_agent, one.id)["attached"]}
    assert set(who) == {"owner", "watching"} and who["owner"]["keyboard"]
    assert "(watching)" in net_agent.coral.run("sessions").text
    assert net_agent.coral.run("kill", one.id).code == 0
    for each in (one, two):
        each.notice("root ends this session")
        assert each.result()["by"] == "root"


def test_typed_while_frozen(begin, speak, net_agent):  # noqa: F811
    """What is typed waits; who comes meanwhile is let in; all see by whom."""
    one = begin()
    assert net_agent.coral.run("sessions freeze", one.id).code == 0
    one.notice("frozen by root")
    one.type("echo af''ter\n")
    two = speak("watch", id=one.id, size=(24, 80))
    two.open()
    assert row(net_agent, one.id)["frozen"]
    assert b"after" not in one.of(frames.STDOUT)
    assert net_agent.coral.run("sessions thaw", one.id).code == 0
    for each in (one, two):
        each.notice("thawed by root")
    one.wait_text("after")
    assert net_agent.coral.run("sessions freeze", one.id).code == 0
    one.cut()
    two.cut()
    detached(net_agent, one.id)
    assert net_agent.coral.run("kill", one.id).code == 0  # frozen and detached


def test_limits_are_told_who_comes_late(make_agent, box, home):
    """An announcement that somebody missed is made again."""
    from house.coral import Key
    from test_ssh import Ssh
    key = Key(home, "late")
    agent = make_agent(start=False, listen=True, keys=key.line('user="alice"'))
    (agent.coral.config.parent / "policy.yaml").write_text(
        "roles: [{name: r, permissions: [{commands: [exec]}]}]\n"
        "users: [{name: alice, role: r}]\ndefaults: {timeout: {attended_max: 6s}}\n")
    agent.start()
    ssh_ = Ssh(agent, key, home)
    how = ssh_.argv("x", "coral", flags=("-s",))
    one = Speaker(how, ssh_.env(), "exec", pid=box.pid, argv=("cat",), tty=True, size=(24, 80),
                  term="xterm", on_disconnect="detach")
    one.notice("policy gives a session 6s in all: this one ends in 6s")
    sid = one.open()["session_id"]
    two = Speaker(how, ssh_.env(), "watch", id=sid, size=(24, 80))
    two.open()
    two.notice("policy gives a session 6s in all: this one ends in")
    for each in (one, two):
        result = each.result()
        assert (result["cause"], result["limit"], result["exit_code"]) == ("timeout", "total", 124)
        each.close()


@pytest.mark.slow
def test_broker_restart_with_fifty(begin, speak, net_agent, box):  # noqa: F811
    """50 detached and one that is attached by the old broker's transport: all can be reached."""
    cat = ("sh", "-c", "stty -echo -onlcr; echo up; exec cat")
    held = begin(cat)
    kept = [begin(cat) for _ in range(50)]
    for one in kept:
        one.cut()
    for one in kept:
        detached(net_agent, one.id)
    net_agent.kill()
    net_agent.start()
    rows = {s["id"]: s for s in net_agent.coral.sessions()}
    assert {rows[one.id]["state"] for one in kept} == {"detached"}
    assert rows[held.id]["attached"][0]["user"] == "alice"
    held.type("still\n")
    held.wait_text("still")
    looker = speak("watch", id=held.id, size=(24, 80))
    looker.open()
    held.type("seen\n")
    looker.wait_text("seen", (frames.STDOUT, frames.SCREEN))
    for one in kept[:5]:
        two = speak("attach", id=one.id, size=(24, 80), resumable=True)
        assert two.open()["role"] == "owner"
        two.type("back\n")
        two.wait_text("back")
    done = net_agent.coral.run("kill", *[one.id for one in kept], held.id)
    assert done.code == 0 and len(done.text.split()) == 51, done
    assert box.processes() == [box.pid]
    assert {s["state"] for s in net_agent.coral.sessions()} == {"ended"}


def test_service_stop_leaves_detached_ones(begin, net_agent):  # noqa: F811
    one = begin()
    one.cut()
    detached(net_agent, one.id)
    net_agent.proc.terminate()
    net_agent.proc.wait(5)
    net_agent.start()
    assert row(net_agent, one.id)["state"] == "detached"


def test_signals_while_frozen(begin, net_agent):  # noqa: F811
    """They wait as keys do: CONT, that a client sends as it is continued, would set going what
    stands still by SIGSTOP.  What is killed does not wait."""
    one = begin(["bash", "-c", "trap 'echo used' USR1; echo up; while :; do sleep 0.1; done"])
    assert net_agent.coral.run("sessions freeze", one.id).code == 0
    for name in (b"USR1", b"CONT"):
        one.send(frames.SIGNAL, name)
    one.send(frames.WHO)
    one.notice("(you)")
    assert not Cast(net_agent.coral.cast_path(one.id)).own("signal")
    assert net_agent.coral.run("sessions thaw", one.id).code == 0
    one.wait_text("used")
    assert net_agent.coral.run("sessions freeze", one.id).code == 0
    one.send(frames.SIGNAL, b"KILL")
    assert one.result()["exit_code"] == 137
    names = [f["name"] for f in Cast(net_agent.coral.cast_path(one.id)).own("signal")]
    assert names == ["USR1", "CONT", "KILL"]


@pytest.mark.slow
def test_a_connection_hands_over_so_many(begin, ssh, net_agent, home):  # noqa: F811
    """Streams that keepers took are counted in the life of a connection; another one is free."""
    one = begin()
    path = home / "mux"
    master = ssh.argv("x", flags=("-M", "-N", "-f", "-S", str(path)))
    run(master, env=ssh.env())
    how = ssh.argv("x", "coral", flags=("-s", "-S", str(path)))
    try:
        refused = None
        for i in range(300):
            two = Speaker(how, ssh.env(), "watch", id=one.id, size=(24, 80))
            try:
                two.open()
            except (AssertionError, Lost) as e:
                refused = (i, str(e))
            two.close()
            if refused:
                break
        assert refused and refused[0] == 256 and "connect anew" in refused[1], refused
        two = Speaker(ssh.argv("x", "coral", flags=("-s",)), ssh.env(), "watch", id=one.id,
                      size=(24, 80))
        assert two.open()["role"] == "watching"
        two.close()
    finally:
        run(ssh.argv("x", flags=("-S", str(path), "-O", "exit")), env=ssh.env(), check=False)


def test_sigterm_of_a_pod(pod, app, home):  # noqa: F811
    """Detached, watched and frozen sessions are ended and sealed within the grace period."""
    _, pid = app
    script = home / "proxy.py"
    script.write_text(PROXY)
    how = ["ssh", "-F", "none", "-o", f"ProxyCommand={sys.executable} {script} "
           f"{pod.coral.home}/run/agent.sock", "-o", "StrictHostKeyChecking=no", "-o",
           f"UserKnownHostsFile={home}/known", "-o", "LogLevel=ERROR", "-s", "x", "coral"]
    made = []

    def start(verb, **what):
        made.append(Speaker(how, {"HOME": str(home), "PATH": os.environ["PATH"]}, verb, **what))
        made[-1].open()
        return made[-1]

    try:
        begun = [start("exec", pid=int(pid), argv=("sh", "-c", "echo up; exec sleep 1000"),
                       tty=True, size=(24, 80), term="xterm", on_disconnect="detach")
                 for _ in range(3)]
        for one in begun:
            one.wait_text("up")
        lost, watched, frozen = begun
        ids = [one.opened["session_id"] for one in begun]
        looker = start("watch", id=ids[1], size=(24, 80))
        assert pod.coral.run("sessions freeze", ids[2]).code == 0
        lost.cut()
        wait_for("it to be detached", lambda: "detached" in [
            s["state"] for s in pod.coral.sessions()])
        os.kill(pod.agent.pid, signal.SIGTERM)
        assert pod.proc.wait(25) == 0, (pod.bundle / "log").read_text()
        for one in (watched, looker, frozen):
            one.notice("being stopped")
        for sid in ids:
            assert Cast(pod.coral.cast_path(sid)).end["cause"] == "agent_stopped"
        assert not os.listdir(pod.coral.home / "run" / "live")
    finally:
        for one in made:
            one.close()
