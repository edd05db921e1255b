# SPDX-License-Identifier: GPL-3.0-or-later
"""coral replay --follow: a session that goes on, here and through the agent."""
import contextlib
import json
import os
import signal

import pytest

from house.coral import children_of
from house.people import Local, known
from house.util import wait_for
from test_audit import events
from test_door import begin, finish

POLICY = """roles:
  - name: developer
    permissions: [{environments: ["*"], commands: [exec]}]
  - name: auditor
    permissions: [{environments: ["*"], commands: [audit]}]
users: [{name: alice, role: developer}, {name: bob, role: developer}, {name: carol, role: auditor}]
"""
ECHO = 'echo up; while read -r x; do echo "got $x"; done; exit 3'


def say(proc, text):
    proc.stdin.write(f"{text}\n".encode())
    proc.stdin.flush()


def over(proc):
    proc.stdin.close()
    assert proc.wait(20) == 3
    proc.stdout.close()
    proc.stderr.close()


@pytest.mark.parametrize("way", ["here", "agent"])
def test_in_the_player(agent, box, tmux, way):
    """What comes is shown; one may pause, go back, and be live again; its end is the end."""
    flags = ["--agent-addr", agent.socket] if way == "agent" else []
    proc, sid, _ = begin(agent, box, ECHO)
    term = tmux(agent.coral.argv("replay", "--follow", *flags, sid), agent.coral.env())
    term.wait_text("^up")
    term.wait_text("^ live ")
    say(proc, "one")
    term.wait_text("^got one")
    term.keys("Space")
    term.wait_text("^ pause")
    say(proc, "two")
    wait_for("two in the file", lambda: b"got two" in agent.coral.cast_path(sid).read_bytes())
    term.keys("Home")
    wait_for("the beginning", lambda: "got one" not in term.screen())
    term.type("G", enter=False)
    term.wait_text("^got two")
    term.wait_text("^ live ")
    term.type("g", enter=False)
    term.type("50%")
    term.wait_text("50% of what was read so far")
    term.type("G", enter=False)
    term.keys("Left")
    say(proc, "three")
    term.wait_text("^got three")
    term.wait_text("^ live ")
    assert agent.coral.run("sessions freeze", sid).code == 0
    term.wait_text("^ live .* frozen")
    assert agent.coral.run("sessions thaw", sid).code == 0
    wait_for("no frost", lambda: "frozen" not in term.screen())
    over(proc)
    term.wait_text("^ end .*the session has ended")
    term.keys("Home")
    term.keys("End")
    term.wait_text("^got three")
    term.type("q", enter=False)
    assert term.wait_dead() == 0
    read = events(agent.coral, "session.read")
    assert [r["session_id"] for r in read] == ([sid] if way == "agent" else [])


def test_into_pipes(agent, box, tmp_path):
    """Lines as soon as they are whole, events, and the very lines of the file."""
    proc, sid, _ = begin(agent, box, ECHO)
    there = ["--agent-addr", agent.socket]
    text = [agent.coral.popen("replay", "-f", *flags, sid) for flags in ([], there)]
    three = agent.coral.popen("replay", "-f", "--format", "cast3", sid)
    film = agent.coral.popen("replay", "-f", "--format", "ttyrec", "--raw", *there, sid)
    script = agent.coral.popen("replay", "-f", "-o", tmp_path / "x.typescript", sid)
    cast = agent.coral.popen("replay", "-f", "--format", "cast", *there, sid)
    whole = agent.coral.popen("replay", "-f", "--format", "json", sid)
    for p in text:
        assert p.stdout.readline() == b"up\n"
    say(proc, "one")
    for p in text:
        assert p.stdout.readline() == b"got one\n"
    assert json.loads(cast.stdout.readline())["coral"]["session_id"] == sid
    while b"got one" not in cast.stdout.readline():
        pass
    assert json.loads(three.stdout.readline())["version"] == 3
    while b"got one" not in (line := three.stdout.readline()):
        assert line
    seen = b""
    while not seen.endswith(b"got one\n"):
        assert (one := film.stdout.read(1)), seen
        seen += one
    for flags in ([], there, ["-o", tmp_path / "so-far.cast"]):  # without it: what there is by now
        done = agent.coral.run("replay", *flags, sid)
        assert done.code == 0 and done.errtext.endswith("is not all: the session goes on\n"), done
    gone = agent.coral.popen("replay", "-f", *there, sid)
    assert gone.stdout.readline() == b"up\n"
    gone.stdout.close()
    assert gone.wait(20) >= 0
    say(proc, "two")
    over(proc)
    for p in text:
        out, err = p.communicate(timeout=20)
        assert (p.returncode, out, err) == (0, b"got two\n", b"")
    out, _ = cast.communicate(timeout=20)
    assert cast.returncode == 0 and agent.coral.cast_path(sid).read_bytes().endswith(out)
    assert len(out) > 100
    assert b"got two" in three.communicate(timeout=20)[0] and three.returncode == 0
    assert film.communicate(timeout=20)[0].endswith(b"got two\n") and film.returncode == 0
    assert script.wait(20) == 0 and script.communicate() == (b"", b"")
    assert (tmp_path / "x.typescript").read_bytes().count(b"got") == 2
    timing = (tmp_path / "x.typescript.timing").read_text().splitlines()
    assert sum(int(n.split()[1]) for n in timing) == len(
        (tmp_path / "x.typescript").read_bytes().partition(b"\n")[2])
    out, _ = whole.communicate(timeout=20)
    assert whole.returncode == 0 and json.loads(out)["end"]["exit_code"] == 3
    gone.stderr.close()
    after = agent.coral.run("replay", "-f", "--agent-addr", agent.socket, sid)
    assert (after.code, after.text) == (0, "up\ngot one\ngot two\n")


def test_killed_keeper_and_wrong_use(agent, box, home, tmux):
    """Without an end it is truncated; what cannot be followed is said."""
    proc, sid, _ = begin(agent, box, ECHO)
    text = agent.coral.popen("replay", "-f", sid)
    assert text.stdout.readline() == b"up\n"
    term = tmux(agent.coral.argv("replay", "-f", sid), agent.coral.env())
    term.wait_text("^ live ")
    before = set(children_of(agent.proc.pid))
    there = agent.coral.popen("replay", "-f", "--agent-addr", agent.socket, sid)
    assert there.stdout.readline() == b"up\n"
    for pid in set(children_of(agent.proc.pid)) - before:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    _, err = there.communicate(timeout=20)
    assert there.returncode == 1 and b"hung up" in err and b"why:" in err and b"try:" in err, err
    os.kill(agent.keepers()[sid], signal.SIGKILL)
    _, err = text.communicate(timeout=20)
    assert text.returncode == 0 and b"truncated" in err
    term.wait_text("^ end .*the session has ended, truncated")
    term.type("q", enter=False)
    assert term.wait_dead() == 0
    finish(proc)
    proc.stderr.close()
    for words in (("-f", "--format", "html", sid), ("-f", agent.coral.cast_path(sid))):
        done = agent.coral.run("replay", *words)
        assert done.code == 2 and "why:" in done.errtext and "try:" in done.errtext, done
    done = agent.coral.run("replay", "-f", "--format", "raw", sid)
    assert done.code == 2 and "--format ttyrec --raw" in done.errtext, done


def test_whose_it_is(make_agent, home, box):
    """People of the agent's machine who are not root: one's own recordings, and with the right
    audit everybody's, are played, followed and searched through the agent."""
    uids = {"alice": 4401, "bob": 4402, "carol": 4403}
    agent = make_agent(start=False, prefix=known(home, uids))
    (agent.coral.config.parent / "policy.yaml").write_text(POLICY)
    agent.start()
    agent.socket.parent.chmod(0o711)
    alice, bob, carol = (Local(home, name, uid, agent) for name, uid in uids.items())
    done = alice.run("exec", "--pid", box.pid, "--", "echo", "of alice")
    assert (done.code, done.text) == (0, "of alice\n"), done
    sid, = agent.coral.session_dirs()
    for words in (["replay", sid], ["replay", "-f", sid], ["audit grep", "of alice"]):
        verb, *rest = words
        for person in (alice, carol):
            done = person.run(verb, *rest)
            assert done.code == 0 and "of alice" in done.text, (person.name, words, done)
        done = bob.run(verb, *rest)
        assert done.code == 1 and "of alice" not in done.text, (words, done)
        assert verb != "replay" or "there is no session" in done.errtext, done
    read = [(r["user_id"], r["session_id"]) for r in events(agent.coral, "session.read")]
    assert sorted(read) == [("alice", sid)] * 3 + [("carol", sid)] * 3
