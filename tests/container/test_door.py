# SPDX-License-Identifier: GPL-3.0-or-later
"""A session's door: what others than its typist may do with it, and its own limits."""
import os
import pathlib
import signal
import time

import pytest

from house.casts import Cast
from house.coral import drain
from house.term import Pty
from house.util import alive, wait_for

BUSY = "echo up; i=0; while :; do i=$((i+1)); echo $i >/tmp/count; done"


def begin(agent, box, script, *flags, verb="exec"):
    """(proc, id, its stderr so far) of a session that said "up"."""
    before = {s["id"] for s in agent.coral.sessions()}
    proc = agent.coral.popen(verb, *flags, "--pid", box.pid, "--", "bash", "-c", script)
    assert proc.stdout.readline().strip() == b"up"
    said, _ = drain(proc.stderr)
    sid, = {s["id"] for s in agent.coral.sessions()} - before
    return proc, sid, said


def finish(proc, timeout=20):
    code = proc.wait(timeout)
    proc.stdin.close()
    proc.stdout.close()
    return code


def row(agent, sid):
    return next(s for s in agent.coral.sessions() if s["id"] == sid)


def refused(done, *facts):
    assert done.code == 1, done
    assert "why:" in done.errtext and "try:" in done.errtext, done
    for fact in facts:
        assert fact in done.errtext, (fact, done)


def count(box):
    try:
        return int((box.root / "tmp/count").read_text() or 0)
    except (ValueError, FileNotFoundError):
        return 0


def stands_still(box):
    """The loop in the container writes no more."""
    def same():
        was = count(box)
        time.sleep(0.1)  # the span that is observed
        return was == count(box)

    return same()


def test_kill(agent, box):
    """TERM is heard, the people attached are told by whom, and the record says it."""
    proc, sid, said = begin(agent, box, "trap 'echo bye; exit 9' TERM; echo up; sleep 1000 & wait")
    done = agent.coral.run("kill", sid[:12], "-o", "json")
    assert done.code == 0, done
    ended, = done.json()
    assert (ended["id"], ended["state"], ended["exit_code"]) == (sid, "ended", 9), ended
    assert finish(proc) == 9
    assert b"root ends this session" in b"".join(said)
    end = Cast(agent.coral.cast_path(sid)).end
    assert (end["cause"], end["by"]) == ("signal", "root"), end
    assert box.processes() == [box.pid]


def test_kill_what_hears_nothing(agent, box):
    proc, sid, _ = begin(agent, box, "trap '' TERM HUP INT; echo up; while :; do sleep 1; done")
    start = time.monotonic()
    done = agent.coral.run("kill", sid)
    assert (done.code, done.text.strip()) == (0, sid), done
    assert 4 < time.monotonic() - start < 12
    assert finish(proc) == 137
    assert Cast(agent.coral.cast_path(sid)).end["signal"] == "KILL"


def test_kill_several(agent, box):
    """Those that can be ended are; each of the others has its error."""
    begun = [begin(agent, box, "echo up; sleep 1000") for _ in range(3)]
    done = agent.coral.run("kill", begun[0][1], "01zzzzzz", *[b[1] for b in begun[1:]])
    refused(done, "01zzzzzz")
    assert done.text.split() == [b[1] for b in begun]
    for proc, _, _ in begun:
        assert finish(proc) == 143


@pytest.mark.parametrize("words", [("kill",), ("sessions freeze",), ("sessions thaw",)])
def test_ids(agent, box, words):
    """Unknown, ended, too short, ambiguous: three parts each, and nothing is touched."""
    proc, sid, _ = begin(agent, box, "echo up; cat")
    other, other_id, _ = begin(agent, box, "echo up; cat")
    over = agent.coral.run("exec", "--pid", box.pid, "--", "sh", "-c", "exit 3")
    assert over.code == 3
    ended = next(s["id"] for s in agent.coral.sessions() if s["state"] == "ended")
    refused(agent.coral.run(*words, "7zzzzzzz"), "no session 7zzzzzzz", "coral sessions")
    refused(agent.coral.run(*words, "01"), "at least 4 letters")
    refused(agent.coral.run(*words, "x" * 90), "26 letters")
    refused(agent.coral.run(*words, ended), "has ended", "exit code 3", f"coral replay {ended}")
    common = os.path.commonprefix([sid, other_id])
    if len(common) >= 4:
        refused(agent.coral.run(*words, common), "several sessions", sid, other_id)
    bare = agent.coral.run(*words)
    assert bare.code == 2 and "why:" in bare.errtext
    for one in (proc, other):
        one.stdin.write(b"alive\n")
        one.stdin.flush()
        assert one.stdout.readline() == b"alive\n"
        one.stdin.close()
        assert one.wait(10) == 0
        one.stdout.close()


def test_killed_before_and_truncated(agent, box):
    """A session whose keeper was killed has ended without an end."""
    proc, sid, _ = begin(agent, box, "echo up; sleep 1000")
    os.kill(agent.keepers()[sid], signal.SIGKILL)
    finish(proc)
    wait_for("its state", lambda: row(agent, sid)["state"] == "truncated")
    wait_for("the clean-up", lambda: box.processes() == [box.pid])
    refused(agent.coral.run("kill", sid), "no end", "killed")
    wait_for("its door to be taken away",
             lambda: not list((agent.home / "run" / "live").glob(f"{sid}.*")))


def test_freeze_and_thaw(agent, box):
    """A process that writes stands still, and goes on from where it was."""
    proc, sid, said = begin(agent, box, BUSY)
    wait_for("it to count", lambda: count(box) > 10)
    assert agent.coral.run("sessions freeze", sid).code == 0
    wait_for("it to stand still", lambda: stands_still(box), 5)
    assert row(agent, sid)["frozen"] is True and row(agent, sid)["frozen_by"] == "root"
    assert "frozen" in agent.coral.run("sessions").text
    was = count(box)
    assert agent.coral.run("sessions freeze", sid).code == 0  # again is nothing new
    assert stands_still(box)
    assert agent.coral.run("sessions thaw", sid).code == 0
    wait_for("it to go on", lambda: count(box) > was)
    assert row(agent, sid)["frozen"] is False
    assert agent.coral.run("kill", sid).code == 0
    finish(proc)
    text = b"".join(said)
    assert text.count(b"frozen by root") == 1 and text.count(b"thawed by root") == 1, text
    cast = Cast(agent.coral.cast_path(sid))
    assert [f["by"] for f in cast.own("frozen")] == ["root"]
    assert [f["by"] for f in cast.own("thawed")] == ["root"]
    (box.root / "tmp/count").unlink()


@pytest.mark.parametrize("how", ["cgroup", "signals"])
def test_freeze_a_job(make_agent, box, how, home):
    """A shell and its job stop and go on, and the shell has noticed nothing: no "Stopped"."""
    agent = make_agent()
    with Pty(agent.coral.argv("shell", "--pid", box.pid), agent.coral.env()) as term:
        term.expect(r"[#$] ")
        term.send("PS1='now> '; cd /tmp; rm -f count; set +o history\r")
        term.expect(r"(?:\n|h)now> ")
        sid = agent.coral.live()[0]["id"]
        if how == "signals":
            without_freezer(box, sid)
        term.send("bash -c 'while :; do echo $((++i)) >count; done'\r")
        wait_for("it to count", lambda: count(box) > 10)
        assert agent.coral.run("sessions freeze", sid).code == 0
        if how == "signals":
            assert states(box) == {"T"}, states(box)
        assert stands_still(box)
        term.send("echo typed while frozen\r")
        was = count(box)
        assert agent.coral.run("sessions thaw", sid).code == 0
        wait_for("it to go on", lambda: count(box) > was)
        term.send("\x03")
        term.expect(r"(?:\n|h)now> ")
        term.send("jobs; echo en''d; exit 4\r")
        term.expect("end")
        assert term.wait() == 4
    assert "Stopped" not in Cast(agent.coral.cast_path(sid)).output()
    (box.root / "tmp/count").unlink()


def states(box):
    """Of the processes of its sessions."""
    return {pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
            for pid in box.processes() if pid != box.pid}


@pytest.mark.parametrize("whole", [True, False])
def test_freeze_who_was_moved(agent, box, whole):
    """Somebody with rights over cgroups put all of them, or one, elsewhere: they stand as well."""
    proc, sid, _ = begin(agent, box, f"({BUSY}) & wait")
    wait_for("it to count", lambda: count(box) > 10)
    if whole:
        without_freezer(box, sid)
    else:
        pid = max(p for p in box.processes() if p != box.pid)
        for top in map(pathlib.Path, box.cgroup_dirs()):
            if sid in top.name:
                (top.parent / "cgroup.procs").write_text(str(pid))
    was = count(box)
    assert agent.coral.run("sessions freeze", sid).code == 0
    assert "T" in states(box) and stands_still(box)
    assert agent.coral.run("sessions thaw", sid).code == 0
    wait_for("it to go on", lambda: count(box) > was)
    for pid in box.processes():
        if pid != box.pid:
            os.kill(pid, signal.SIGKILL)
    finish(proc)
    (box.root / "tmp/count").unlink()


def without_freezer(box, sid):
    """As if there were none: the session's processes go to the container's own cgroups."""
    for top in map(pathlib.Path, box.cgroup_dirs()):
        if sid in top.name:
            for pid in (top / "cgroup.procs").read_text().split():
                (top.parent / "cgroup.procs").write_text(pid)


def test_kill_frozen(agent, box):
    """It hears TERM, as if it had never been frozen."""
    proc, sid, _ = begin(agent, box, "trap 'exit 7' TERM; echo up; while :; do sleep 0.1; done")
    assert agent.coral.run("sessions freeze", sid).code == 0
    done = agent.coral.run("kill", sid, "-o", "json")
    assert done.json()[0]["exit_code"] == 7, done
    assert finish(proc) == 7


def test_frozen_keeper_killed(agent, box):
    """What is frozen when its keeper dies is ended all the same."""
    proc, sid, _ = begin(agent, box, "echo up; while :; do sleep 1; done")
    assert agent.coral.run("sessions freeze", sid).code == 0
    os.kill(agent.keepers()[sid], signal.SIGKILL)
    finish(proc)
    wait_for("the tree to end", lambda: box.processes() == [box.pid], 15)


def test_hung_keeper(agent, box):
    """One that is stopped costs the listing 2 s at most, and who asks it 5; the others answer."""
    begun = [begin(agent, box, "echo up; sleep 1000", "-tt") for _ in range(3)]
    hung = agent.keepers()[begun[1][1]]
    os.kill(hung, signal.SIGSTOP)
    try:
        start = time.monotonic()
        rows = {s["id"]: s for s in agent.coral.sessions()}
        assert time.monotonic() - start < 3
        assert [len(rows[b[1]].get("attached", [])) for b in begun] == [1, 0, 1]
        assert rows[begun[1][1]]["state"] == "live"
        start = time.monotonic()
        refused(agent.coral.run("kill", begun[1][1]), "does not answer", str(hung))
        assert time.monotonic() - start < 8
    finally:
        os.kill(hung, signal.SIGCONT)
    # Who gave up is not served behind his back.
    wait_for("it to answer", lambda: "attached" in row(agent, begun[1][1]))
    assert agent.coral.run("kill", *[b[1] for b in begun]).code == 0
    for proc, _, _ in begun:
        finish(proc)


def test_listing(agent, box):
    """Live sessions have their size, their people and how long nothing was typed."""
    with Pty(agent.coral.argv("shell", "--pid", box.pid), agent.coral.env(), 33, 101) as term:
        term.expect(r"[#$] ")
        shell = agent.coral.live()[0]
        assert (shell["rows"], shell["cols"], shell["frozen"]) == (33, 101, False)
        assert shell["idle_s"] in range(5)
        who, = shell["attached"]
        assert (who["user"], who["role"], who["keyboard"]) == ("root", "owner", True)
        text = agent.coral.run("sessions").text
        assert "101x33" in text and "ATTACHED" in text
        shown = agent.coral.run("sessions show", shell["id"], "-o", "json").json()
        assert shown["attached"][0]["user"] == "root"
        term.send("exit\r")
        assert term.wait() == 0
    assert "ATTACHED" not in agent.coral.run("sessions").text


@pytest.fixture
def limited(make_agent):
    def make(text):
        agent = make_agent(start=False)
        (agent.coral.config.parent / "policy.yaml").write_text("defaults: {" + text + "}\n")
        return agent.start()

    return make


def test_total_limit(limited, box):
    """Announced, then ended: with 124, and the record says which limit it was."""
    agent = limited("timeout: {attended_max: 2s}")
    proc, sid, said = begin(agent, box, "trap '' TERM; echo up; sleep 1000; sleep 1000")
    start = time.monotonic()
    assert finish(proc) == 124
    assert time.monotonic() - start < 10
    text = b"".join(said)
    assert b"policy gives a session 2s in all: this one ends in 2s" in text, text
    assert b"as long as policy allows" in text
    end = Cast(agent.coral.cast_path(sid)).end
    assert (end["cause"], end["limit"]) == ("timeout", "total"), end


def test_own_timeout_is_not_announced(agent, box):
    done = agent.coral.run("exec", "--timeout", "1s", "--pid", box.pid, "--", "sleep", "1000")
    assert (done.code, done.errtext.count("policy")) == (124, 0), done
    assert Cast(agent.coral.newest_cast()).end["limit"] == "requested"


def test_idle_limit(limited, box):
    """Each key counts; output does not."""
    agent = limited("idle: 2s")
    with Pty(agent.coral.argv("shell", "--pid", box.pid), agent.coral.env()) as term:
        term.expect("policy ends a session when nothing is typed for 2s: this one in 2s")
        start = time.monotonic()
        while time.monotonic() - start < 4:
            term.send("x")
            term.expect("x")
            time.sleep(0.2)  # a person's pace
        term.send("\x15while :; do echo noise; sleep 0.1; done\r")
        typed = time.monotonic()
        term.expect("nothing was typed for 2s")
        assert 1.5 < time.monotonic() - typed < 4
        assert term.wait() == 124
    end = Cast(agent.coral.newest_cast()).end
    assert (end["cause"], end["limit"]) == ("timeout", "idle"), end


def test_idle_is_for_terminals(limited, box):
    agent = limited("idle: 1s")
    done = agent.coral.run("exec", "--pid", box.pid, "--", "sh", "-c", "sleep 3; echo on")
    assert (done.code, done.out) == (0, b"on\n"), done
    assert "typed" not in done.errtext


def test_frozen_is_not_idle(limited, box):
    """Who cannot type is not ended for it, and has the whole time anew afterwards."""
    agent = limited("idle: 2s")
    with Pty(agent.coral.argv("shell", "--pid", box.pid), agent.coral.env()) as term:
        term.expect(r"[#$] ")
        sid = agent.coral.live()[0]["id"]
        assert agent.coral.run("sessions freeze", sid).code == 0
        time.sleep(3.5)  # longer than the limit
        assert agent.coral.live() and term.proc.poll() is None
        assert agent.coral.run("sessions thaw", sid).code == 0
        start = time.monotonic()
        assert term.wait() == 124
        assert time.monotonic() - start > 1.5


def test_broker_restart(agent, box):
    """A new broker finds what the old one left: list, freeze, thaw, kill."""
    begun = [begin(agent, box, "echo up; sleep 1000") for _ in range(6)]
    agent.kill()
    agent.start()
    rows = {s["id"]: s for s in agent.coral.live()}
    assert all(rows[sid]["attached"][0]["user"] == "root" for _, sid, _ in begun)
    assert all(proc.poll() is None for proc, _, _ in begun)
    sid = begun[0][1]
    assert agent.coral.run("sessions freeze", sid).code == 0
    assert row(agent, sid)["frozen"]
    done = agent.coral.run("kill", *[b[1] for b in begun])
    assert done.code == 0, done
    for proc, _, said in begun:
        assert finish(proc) == 143
        assert b"root ends this session" in b"".join(said)
    assert not agent.coral.live()


def test_the_door_is_roots(agent, box):
    """Nobody else reaches it, and it goes with its session."""
    proc, sid, _ = begin(agent, box, "echo up; sleep 1000")
    door = agent.home / "run" / "live" / f"{sid}.sock"
    assert door.is_socket()
    assert door.parent.stat().st_mode & 0o777 == 0o700
    keeper = agent.keepers()[sid]
    assert agent.coral.run("kill", sid).code == 0
    finish(proc)
    wait_for("the keeper to end", lambda: not alive(keeper))
    assert not door.exists()
