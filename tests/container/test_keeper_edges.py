# SPDX-License-Identifier: GPL-3.0-or-later
"""A session's keeper where two things happen at once."""
import contextlib
import json
import os
import pathlib
import signal
import socket
import time

import pytest

from house import frames
from house.casts import Cast
from house.coral import children_of
from house.frames import Speaker
from house.util import alive, wait_for
from test_attach import again, begin, facts, speak  # noqa: F401
from test_door import begin as begin_by_client, finish
from test_policy import reef, tcp  # noqa: F401
from test_ssh import ssh  # noqa: F401

WAITS = "trap '' HUP; stty -echo -onlcr; echo up; while [ ! -e /tmp/go ]; do sleep 0.05; done; "


@pytest.fixture
def go(box):
    """Lets a command end that waits for it."""
    path = box.root / "tmp/go"
    path.unlink(missing_ok=True)
    yield path
    path.unlink(missing_ok=True)


@pytest.fixture
def ended_alone(begin, go, net_agent, facts):  # noqa: F811
    """A session that ended while its client's connection was lost, and its keeper."""
    def start(after):
        one = begin(("sh", "-c", WAITS + after))
        pid = net_agent.keepers()[one.id]
        one.cut()
        wait_for("the loss to be noticed", lambda: facts(one.id, "detached"))
        go.write_text("")
        wait_for("the end", lambda: state(net_agent, one.id) == "ended")
        return one, pid

    return start


TWO = """roles:
  - name: developer
    permissions:
      - commands: [exec]
users:
  - {name: alice, role: developer}
  - {name: bob, role: developer}
defaults:
"""
LIMITS = TWO + "  limits: {sessions: 2, connections: 4}\n"
AUDIT = TWO + "  mode: audit\n"


@pytest.fixture
def crowd(request, reef, box):  # noqa: F811
    """Speakers of one agent's several people."""
    agent, people = reef(getattr(request, "param", LIMITS), people=("alice", "bob"))
    made = []

    def start(who, verb="exec", **what):
        if verb == "exec":
            what = {"pid": box.pid, "argv": ("sh", "-c", "echo up; read x"), **what}
        made.append(Speaker(people[who].argv("x", "coral", flags=("-s",)), people[who].env(), verb,
                            **what))
        return made[-1]

    start.agent = agent
    yield start
    for one in made:
        one.close()
    wait_for("the sessions to end", lambda: not agent.keepers(), 15)


def begins(one):
    """Whether it is let in."""
    kind, data = one.read_frame()
    assert kind in (frames.OPENED, frames.ERROR)
    return kind == frames.OPENED


def is_limit(text, *facts):
    """Three parts, of which the second has the numbers."""
    assert len([line for line in text.splitlines() if line]) == 3, text
    for fact in facts:
        assert fact in text, text


def test_sessions_of_one_person(crowd):
    first, second = crowd("alice"), crowd("alice")
    first.open()
    second.open()
    is_limit(crowd("alice").refused(), "alice may begin no more", "2 of alice run", "is 2",
             "coral kill")
    crowd("bob").open()
    listing = crowd("alice", "sessions")
    assert listing.wait(frames.DATA) and b"live" in listing.of(frames.DATA)
    first.type("\n")
    first.result()
    wait_for("a place", lambda: begins(crowd("alice")))


def test_sessions_of_one_person_after_a_restart(crowd):
    """Whose they are outlives the broker."""
    for one in (crowd("alice"), crowd("alice")):
        one.open()
    crowd.agent.kill()
    crowd.agent.start()
    is_limit(crowd("alice").refused(), "2 of alice run")
    crowd("bob").open()


def test_connections_of_one_person(crowd):
    made = [crowd("bob", "sessions") for _ in range(3)]
    for one in made:
        one.wait(frames.END)
    held = [crowd("alice") for _ in range(2)]
    for one in held:
        one.open()
    held += [crowd("alice", "watch", id=held[0].opened["session_id"]) for _ in range(2)]
    for one in held[2:]:
        one.open()
    is_limit(crowd("alice", "sessions").refused(), "alice has too many connections",
             "5 are open", "is 4")
    crowd("bob").open()


def test_kill_waits_for_all_at_once(agent, box):
    """Each needs its whole grace."""
    begun = [begin_by_client(agent, box, "trap '' TERM HUP; echo up; while :; do sleep 1; done")
             for _ in range(3)]
    start = time.monotonic()
    done = agent.coral.run("kill", *[sid for _, sid, _ in begun])
    assert done.code == 0 and done.text.split() == [sid for _, sid, _ in begun]
    assert time.monotonic() - start < 13
    for proc, _, _ in begun:
        assert finish(proc) == 137


@pytest.mark.parametrize("crowd", [AUDIT], indirect=True, ids=["audit"])
def test_audit_logs_what_would_be_denied_and_no_more(crowd):
    def asks(who, verb, sid):
        one = crowd(who, verb, id=sid)
        kind = 0
        while kind not in (frames.OPENED, frames.END):
            kind, data = one.read_frame()
            assert kind != frames.ERROR, frames.error(data)

    one = crowd("alice", argv=("sh", "-c", "echo up; exec sleep 1000"))
    sid = one.open()["session_id"]
    one.wait_text("up")
    for verb in ("watch", "join", "show", "sessions", "freeze", "thaw", "attach"):
        asks("alice", verb, sid)
    assert "would deny" not in crowd.agent.log(), crowd.agent.log()
    for n, (verb, right) in enumerate((("watch", "watch"), ("show", "audit"), ("kill", "moderate"))):
        asks("bob", verb, sid)
        said = [json.loads(line)["msg"] for line in crowd.agent.log().splitlines()]
        log = [msg for msg in said if "would deny" in msg]
        assert len(log) == n + 1 and f'bob the right "{right}"' in log[-1], log


def test_doors_of_the_dead(make_agent, home):
    """Nobody listens behind them: a broker that starts takes them away, and keeps all others."""
    live = home / "run/live"
    live.mkdir(parents=True, mode=0o700)
    dead, open_door, note = (live / f"01jd0000000000000000000{n:03}.sock" for n in range(3))
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as door:
        for path in (dead, note):
            with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as stale:
                stale.bind(str(path))
        door.bind(str(open_door))
        door.listen()
        (live / "else.sock").touch()
        make_agent()
        wait_for("the dead one's to go", lambda: not dead.exists())
        assert open_door.exists() and (live / "else.sock").exists()


def memory(pid):
    """Everything of a process that it could have written."""
    whole = []
    with open(f"/proc/{pid}/maps", encoding="ascii", errors="replace") as maps, \
            open(f"/proc/{pid}/mem", "rb") as mem:
        for line in maps:
            where, rights = line.split()[:2]
            if rights.startswith("rw"):
                start, end = (int(x, 16) for x in where.split("-"))
                with contextlib.suppress(OSError, ValueError):
                    mem.seek(start)
                    whole.append(mem.read(end - start))
    return b"".join(whole)


def painters(keeper):
    return [p for p in children_of(keeper)
            if pathlib.Path(f"/proc/{p}/comm").read_text() == "coral-painter\n"]


def test_the_painter_knows_no_secrets(begin, speak, net_agent):  # noqa: F811
    """It is a copy of the keeper that reads what a container wrote."""
    one = begin(("sh", "-c", "stty -echo -onlcr; echo up; read s; echo read; exec sh"),
                variables=("SECRET_OF_MINE=tr0ub4dor and three",))
    one.type("correct horse battery\n")
    one.wait_text("read")
    one.cut()
    wait_for("it to be detached", lambda: state(net_agent, one.id) == "detached")
    two = again(speak, one, size=(24, 80))
    two.go_on(one)
    two.type("echo on\n")
    two.wait_text("on")
    keeper = net_agent.keepers()[one.id]
    token = one.opened["resume"].encode()
    assert token in memory(keeper) and b"tr0ub4dor and" in memory(keeper)
    two.send(frames.REPAINT)
    assert two.wait(frames.SCREEN)
    painter, = painters(keeper)
    seen = memory(painter)
    assert len(seen) > 65536
    assert token not in seen
    assert b"horse battery" not in seen
    assert b"tr0ub4dor and" not in seen


def state(agent, sid):
    return next(s["state"] for s in agent.coral.sessions() if s["id"] == sid)


def end(agent, sid):
    return Cast(agent.coral.cast_path(sid)).end


def test_an_end_while_the_client_comes_back(ended_alone, speak, net_agent):  # noqa: F811
    one, pid = ended_alone("echo last words; exit 6")
    assert end(net_agent, one.id)["exit_code"] == 6
    two = again(speak, one, size=(24, 80))
    two.go_on(one)
    result = two.result()
    assert result["exit_code"] == 6 and "delivered_stdout" not in result
    assert two.of(frames.STDOUT) == b"up\nlast words\n"
    wait_for("the keeper to end", lambda: not alive(pid))
    assert "has ended" in again(speak, one).refused()


def test_the_end_is_told_again_until_it_arrives(ended_alone, speak):  # noqa: F811
    """Lost once more, with the result under way."""
    one, pid = ended_alone("seq 20000; exit 7")
    for _ in range(3):
        two = again(speak, one, size=(24, 80))
        two.go_on(one)
        two.read_frame()
        two.cut()
        two.id, one = one.id, two
    two = again(speak, one, size=(24, 80))
    two.go_on(one)
    assert two.result()["exit_code"] == 7
    got = two.of(frames.STDOUT)
    assert got == b"up\n" + b"".join(b"%d\n" % n for n in range(1, 20001))
    wait_for("the keeper to end", lambda: not alive(pid))


def test_the_end_of_a_client_that_was_connected(begin, speak, net_agent, go):  # noqa: F811
    """It loses its connection after the end, and before it has read so far."""
    one = begin(("sh", "-c", WAITS + "head -c 600000 /dev/zero | tr '\\0' x; exit 8"))
    pid = net_agent.keepers()[one.id]
    go.write_text("")
    wait_for("the end", lambda: state(net_agent, one.id) == "ended")
    one.cut()
    two = again(speak, one, size=(24, 80))
    two.go_on(one)
    assert two.result()["exit_code"] == 8
    assert two.of(frames.STDOUT) == b"up\n" + b"x" * 600000
    wait_for("the keeper to end", lambda: not alive(pid))


def test_an_end_behind_a_gap(ended_alone, speak):  # noqa: F811
    """What was dropped is painted, then comes the end."""
    one, pid = ended_alone("seq 100000; echo last words; exit 9")
    two = again(speak, one, size=(24, 80))
    two.open()
    result = two.result()
    assert b"last words" in two.of(frames.SCREEN)
    assert result["exit_code"] == 9 and result["delivered_stdout"] == len(two.of(frames.STDOUT)) == 0
    wait_for("the keeper to end", lambda: not alive(pid))


def test_nobody_waits_for_ever(ended_alone, speak, net_agent):  # noqa: F811
    one, pid = ended_alone("exit 5")
    # Whoever has no part in it is told of the end, as ever.
    assert "has ended" in speak("attach", id=one.id, size=(24, 80)).refused()
    assert "not known" in speak("attach", id=one.id, token="0" * 64, resumable=True).refused()
    assert alive(pid)
    wait_for("the keeper to end", lambda: not alive(pid), 30)
    assert "has ended" in again(speak, one).refused()
    assert not list((net_agent.home / "run/live").iterdir())


@pytest.mark.parametrize("how", ["kill", "term"])
def test_the_waiting_is_cut_short(ended_alone, net_agent, how):
    one, pid = ended_alone("exit 5")
    assert alive(pid)
    if how == "kill":
        done = net_agent.coral.run("kill", one.id)
        assert done.code == 0 and done.text.strip() == one.id
    else:
        os.kill(pid, signal.SIGTERM)
    wait_for("the keeper to end", lambda: not alive(pid), 5)
    assert (end(net_agent, one.id)["exit_code"], end(net_agent, one.id)["cause"]) == (5, "exit")


def test_nobody_waits_for_who_hung_up(begin, net_agent):  # noqa: F811
    one = begin(("sh", "-c", "trap 'echo hung up; sleep 1; exit 4' HUP; echo up; "
                       "while :; do sleep 0.05; done"))
    pid = net_agent.keepers()[one.id]
    one.send(frames.HANGUP)
    one.wait_text("hung up")
    one.cut()
    wait_for("the keeper to end", lambda: not alive(pid), 8)
