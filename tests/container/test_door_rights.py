# SPDX-License-Identifier: GPL-3.0-or-later
"""Who may do what with a session of somebody else that runs, and what the others are told."""
import contextlib
import struct
import subprocess

import pytest

from house.casts import Cast
from house.coral import drain
from house.util import wait_for
from test_door import finish
from test_hostile_client import FR_OPEN, TAG_ARG, TAG_PID, TAG_VERB, field, frame
from test_policy import reef, tcp  # noqa: F401

FR_OPENED, FR_ERROR, FR_END = 32, 38, 40
TAG_ON_DISCONNECT, TAG_ID = 17, 21
VERBS = {"attach": 8, "watch": 9, "join": 10, "kill": 11, "freeze": 12, "thaw": 13}

POLICY = """roles:
  - name: developer
    permissions:
      - commands: [exec, shell]
  - name: moderator
    permissions:
      - services: ["harb*"]
        commands: [moderate]
  - name: viewer
    permissions:
      - services: ["elsewhere"]
        commands: [watch, join, attach, moderate]
  - name: auditor
    permissions:
      - commands: [audit]
users:
  - {name: alice, role: developer}
  - {name: bob, role: moderator}
  - {name: carol, role: viewer}
  - {name: dora, role: auditor}
"""


def ask(ssh, verb, sid):
    return talk(ssh, field(TAG_VERB, bytes([VERBS[verb]])) + field(TAG_ID, sid.encode()))


def talk(ssh, request):
    """One request by frames, as a client that is not coral's would send it: its answer's frames."""
    proc = subprocess.Popen(ssh.argv("x", "coral", flags=("-s",)), env=ssh.env(),
                            stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    proc.stdin.write(frame(FR_OPEN, b"\x01" + request))
    proc.stdin.flush()
    frames = []
    try:
        while head := proc.stdout.read(4):
            kind, size = head[0], int.from_bytes(head[1:], "big")
            frames.append((kind, proc.stdout.read(size)))
            if kind in (FR_ERROR, FR_END, FR_OPENED):
                break
    finally:
        proc.kill()
        proc.communicate()
    return frames


def error(frames):
    """[what, why, hint] of the one frame."""
    assert [k for k, _ in frames] == [FR_ERROR], frames
    rest, parts = frames[0][1][6:], []
    while rest:
        size, = struct.unpack(">H", rest[:2])
        parts.append(rest[2:2 + size].decode())
        rest = rest[2 + size:]
    assert len(parts) == 3 and all(parts), parts
    return parts


@pytest.fixture
def theirs(reef, box):  # noqa: F811
    """alice's session, in the service "harbour": (agent, people, its id, her client)."""
    agent, people = reef(POLICY)
    ssh = people["alice"]
    proc = subprocess.Popen(ssh.argv(f"pid.{box.pid}", "echo up; exec sleep 1000"), env=ssh.env(),
                            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert proc.stdout.readline() == b"up\n"
    said, _ = drain(proc.stderr)
    proc.said = said
    sid, = [s["id"] for s in agent.coral.live()]
    yield agent, people, sid, proc
    with contextlib.suppress(ProcessLookupError):
        proc.kill()
    finish(proc)


def is_alive(agent, sid):
    return sid in [s["id"] for s in agent.coral.live()]


@pytest.mark.parametrize("verb", sorted(VERBS))
def test_unknown_and_foreign_are_the_same(theirs, verb):
    """Who may neither see nor do it is told what he is told of an id that nobody ever had."""
    agent, people, sid, _ = theirs
    unknown = error(ask(people["carol"], verb, "7" + sid[1:]))
    foreign = error(ask(people["carol"], verb, sid))
    assert [p.replace(sid, "ID") for p in foreign] == [
        p.replace("7" + sid[1:], "ID") for p in unknown]
    assert "no session" in foreign[0]
    assert is_alive(agent, sid)


@pytest.mark.parametrize("verb", sorted(VERBS))
def test_seen_and_not_allowed(theirs, verb):
    """An auditor sees that it is there: he is told which right he lacks, and where."""
    agent, people, sid, _ = theirs
    what, why, _ = error(ask(people["dora"], verb, sid))
    right = "moderate" if verb in ("kill", "freeze", "thaw") else verb
    assert f'dora lacks the right "{right}" on harbour' in what and "role" in why
    assert is_alive(agent, sid)


def test_who_thaws_what(theirs):
    """A moderator's freeze is not the owner's to end; the owner's own is, until one makes it his."""
    agent, people, sid, _ = theirs
    alice, bob = people["alice"], people["bob"]

    def frozen_by():
        return next(s for s in agent.coral.sessions() if s["id"] == sid).get("frozen_by")

    assert ask(alice, "freeze", sid)[-1][0] == FR_END and frozen_by() == "alice"
    assert ask(alice, "thaw", sid)[-1][0] == FR_END and frozen_by() is None
    assert ask(bob, "freeze", sid)[-1][0] == FR_END
    what, why, hint = error(ask(alice, "thaw", sid))
    assert "frozen by bob" in what and '"moderate"' in why and "coral kill" in hint
    assert ask(alice, "freeze", sid)[-1][0] == FR_END
    assert "frozen by bob" in error(ask(alice, "thaw", sid))[0] and frozen_by() == "bob"
    assert ask(bob, "thaw", sid)[-1][0] == FR_END and frozen_by() is None
    assert ask(alice, "freeze", sid)[-1][0] == FR_END
    assert ask(bob, "freeze", sid)[-1][0] == FR_END and frozen_by() == "bob"
    assert "frozen by bob" in error(ask(alice, "thaw", sid))[0]
    assert ask(alice, "kill", sid)[-1][0] == FR_END


def test_a_moderator(theirs, box, home):
    """He finds it in his list, freezes and ends it; he may not look on."""
    agent, people, sid, proc = theirs
    bob = people["bob"]

    def run(*words):
        return tcp(agent, "bob", home, bob.key, box, *words)

    assert [s["id"] for s in run("sessions", "-o", "json").json()] == [sid]
    assert 'bob lacks the right "watch"' in error(ask(bob, "watch", sid))[0]
    assert ask(bob, "freeze", sid)[-1][0] == FR_END
    shown = next(s for s in agent.coral.sessions() if s["id"] == sid)
    assert (shown["frozen"], shown["frozen_by"]) == (True, "bob")
    assert ask(bob, "thaw", sid)[-1][0] == FR_END
    done = run("kill", sid)
    assert (done.code, done.text.strip()) == (0, sid), done
    assert proc.wait(15) == 143
    wait_for("what he is told", lambda: b"bob ends this session" in b"".join(proc.said))
    assert Cast(agent.coral.cast_path(sid)).end["by"] == "bob"
    # Once it is over it is none of his business any more.
    assert run("sessions", "-o", "json").json() == []


def test_one_s_own(theirs, box, home):
    agent, people, sid, proc = theirs
    done = tcp(agent, "alice", home, people["alice"].key, box, "kill", sid)
    assert done.code == 0, done
    assert proc.wait(15) == 143
    assert Cast(agent.coral.cast_path(sid)).end["by"] == "alice"
    assert "has ended" in error(ask(people["alice"], "attach", sid))[0]


def test_what_root_sees_is_not_root_s_own(theirs):
    agent, _, sid, _ = theirs
    row, = [s for s in agent.coral.sessions() if s["id"] == sid]
    assert row["own"] is False
    done = agent.coral.run("attach")
    assert done.code == 125 and "none of yours" in done.errtext
    assert is_alive(agent, sid)


def test_more_than_the_target_has_is_more_than_join(reef, box, home):  # noqa: F811
    """The keyboard of a session that was begun with a right is for who has it, too."""
    agent, people = reef("roles: [{name: r, permissions: [{commands: [join, watch, audit]}]}]\n"
                         "users: [{name: bob, role: r}]\n")
    proc = agent.coral.popen("exec", "-u", "0", "--pid", box.pid, "--", "sh", "-c",
                             "echo up; exec sleep 1000")
    assert proc.stdout.readline() == b"up\n"
    sid, = [s["id"] for s in agent.coral.live()]
    assert 'lacks the right "user"' in error(ask(people["bob"], "join", sid))[0]
    proc.kill()
    finish(proc)
    proc.stderr.close()


def test_detach_is_for_who_may(reef, box):  # noqa: F811
    """What policy names is the most that --on-disconnect may ask for."""
    _, people = reef("roles: [{name: r, permissions: [{commands: [exec, shell]}]}]\n"
                     "users: [{name: alice, role: r}]\n"
                     "defaults: {disconnect: {exec: hangup, shell: kill}}\n")
    for verb, number in (("exec", 1), ("shell", 2)):
        what, why, _ = error(talk(people["alice"], field(TAG_VERB, bytes([number])) +
                                  field(TAG_PID, struct.pack(">I", box.pid)) +
                                  (field(TAG_ARG, b"true") if number == 1 else b"") +
                                  field(TAG_ON_DISCONNECT, b"\x01")))
        assert "outlive" in what and f"disconnect.{verb}" in why
