# SPDX-License-Identifier: GPL-3.0-or-later
"""Sessions whose clients go, come back, look on and take turns."""
import contextlib
import os
import random
import signal
import struct

import pytest

from house import frames
from house.casts import Cast
from house.coral import status_of
from house.frames import Lost, Speaker
from house.term import Pty
from house.util import alive, wait_for
from test_ssh import ssh  # noqa: F401

QUIET = ("sh", "-c", "stty -echo -onlcr; echo up; exec sh")


@pytest.fixture
def speak(ssh, net_agent):  # noqa: F811
    """Start a speaker: speak("attach", id=...).  Sessions that are left end after the test."""
    made = []

    def start(verb, **what):
        made.append(Speaker(ssh.argv("x", "coral", flags=("-s",)), ssh.env(), verb, **what))
        return made[-1]

    yield start
    for one in made:
        one.close()
    for pid in net_agent.keepers().values():
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
    wait_for("the sessions to end", lambda: not net_agent.keepers(), 15)


@pytest.fixture
def begin(speak, box):
    """A command of alice's on a terminal; its client keeps count."""
    def start(argv=QUIET, tty=True, resumable=True, ready="up", **what):
        what.setdefault("on_disconnect", "detach")
        if tty:
            what.setdefault("size", (24, 80))
            what.setdefault("term", "xterm")
        one = speak("exec", pid=box.pid, argv=argv, tty=tty, resumable=resumable, **what)
        one.open()
        one.id = one.opened["session_id"]
        one.wait_text(ready)
        return one

    return start


@pytest.fixture
def facts(net_agent):
    """Events of one kind in a session's recording."""
    return lambda sid, kind: Cast(net_agent.coral.cast_path(sid)).own(kind)


def again(speak, old, **what):
    """Ask to go on from a connection that was lost."""
    one = speak("attach", id=old.id, token=old.opened["resume"], received=old.received,
                resumable=True, **what)
    one.id = old.id
    return one


def test_attach_anew(begin, speak, facts):
    one = begin()
    assert (one.opened["role"], one.opened["keyboard"], one.opened["tty"]) == ("owner", True, True)
    one.type("fruit=pear; echo set\n")
    one.wait_text("set")
    one.cut()
    two = speak("attach", id=one.id, size=(30, 90), resumable=True)
    opened = two.open()
    assert (opened["session_id"], opened["tty"], opened["role"]) == (one.id, True, "owner")
    assert opened["keyboard"] is True and opened["resume"] != one.opened["resume"]
    # The screen comes first, and nothing of what is new before it.
    two.type("echo $fruit\n")
    assert two.wait(frames.SCREEN)
    assert not two.of(frames.STDOUT)
    assert "24 80" not in two.wait_text("pear")
    two.type("stty size\n")
    two.wait_text("30 90")
    two.type("exit 3\n")
    result = two.result()
    assert result["exit_code"] == 3
    assert result["delivered_stdout"] == len(two.of(frames.STDOUT)) < result["stdout_bytes"]
    assert [f["user"] for f in facts(one.id, "attached")] == ["alice", "alice"]
    assert facts(one.id, "detached")[0]["why"] == "lost"


def test_resume_loses_and_doubles_nothing(begin, speak, facts):
    """Cut at any byte, in both directions."""
    one = begin(("sh", "-c", "stty -echo -onlcr -icanon; echo up; exec cat"))
    dice = random.Random(7)
    want = ""
    for i in range(25):
        text = "".join(f"{i}.{j} " for j in range(dice.randrange(1, 400)))
        want += text
        for at in range(0, len(text), 100):
            one.type(text[at:at + 100])
        with contextlib.suppress(AssertionError):
            for _ in range(dice.randrange(4)):
                one.read_frame(0.05)
        # The transport, too, holds bytes that nobody will see.
        one.cut()
        two = again(speak, one)
        two.go_on(one)
        one = two
    got = one.of(frames.STDOUT).decode().removeprefix("up\n")
    got += one.wait_text(want[-20:]) if not got.endswith(want[-20:]) else ""
    assert got[:len(want)] == want
    assert len(facts(one.id, "reconnected")) == 25
    one.type("\x04")
    one.send(frames.HANGUP)
    result = one.result()
    assert "delivered_stdout" not in result
    assert result["stdin_bytes"] == len(want) + 1


def test_a_gap_is_painted(begin, speak, box):
    """More than is kept came meanwhile."""
    one = begin()
    done = box.root / "tmp/gap"
    done.unlink(missing_ok=True)
    one.type("echo go; while [ ! -e /tmp/gap ]; do sleep 0.05; done\n"
             "seq 1 100000; echo over >/tmp/gap\n")
    one.wait_text("go")
    one.cut()
    done.write_text("")
    wait_for("the output", lambda: done.read_text() == "over\n")
    two = again(speak, one, size=(24, 80))
    opened = two.open()
    assert opened["received"] <= len(one.sent) and opened["resume"] == one.opened["resume"]
    two.write(one.sent[opened["received"]:])
    assert two.wait(frames.SCREEN)
    two.type("echo here\n")
    assert two.wait_text("here").startswith("here\n")
    two.type("exit\n")
    result = two.result()
    assert result["delivered_stdout"] == len(two.of(frames.STDOUT)) < result["stdout_bytes"]
    done.unlink()


def test_tokens_old_and_forged(begin, speak):
    one = begin()
    token = one.opened["resume"]
    assert len(token) == 64 and set(token) <= set("0123456789abcdef")
    two = speak("attach", id=one.id, size=(24, 80), resumable=True)
    two.open()
    left = one.left()
    assert (left["why"], left["by"], left["id"]) == ("taken_over", "alice", one.id)
    with pytest.raises(Lost):
        one.read_frame()
    late = speak("attach", id=one.id, token=token, received=1, resumable=True)
    assert "another terminal has taken" in late.refused()
    for forged in ("0" * 64, token[:-1] + ("0" if token[-1] != "0" else "1"), "f", "x" * 64):
        bad = speak("attach", id=one.id, token=forged, resumable=True)
        assert "not known" in bad.refused()
    two.type("echo still\n")
    assert two.wait_text("still")


def test_resume_takes_the_place_of_a_connection_that_hangs(begin, speak):
    """The agent has not noticed yet that the old one is dead."""
    one = begin()
    two = again(speak, one)
    two.go_on(one)
    two.type("echo hop\n")
    two.wait_text("hop")


def test_detach(begin, speak, net_agent, facts):
    one = begin()
    one.send(frames.DETACH)
    assert one.left() == {"why": "detached", "id": one.id}
    with pytest.raises(Lost):
        one.read_frame()
    assert one.id in net_agent.keepers()
    assert facts(one.id, "detached")[0]["why"] == "asked"
    two = speak("attach", id=one.id, size=(24, 80))
    opened = two.open()
    assert "resume" not in opened
    two.type("exit 4\n")
    assert two.result()["exit_code"] == 4


def test_policy_says_no_detach(begin):
    one = begin(on_disconnect="hangup")
    assert "resume" not in one.opened and one.opened["detachable"] is False
    one.send(frames.DETACH)
    assert "ends with its connection" in one.notice("connection")
    one.type("echo on\n")
    one.wait_text("on")


def test_hangup(begin, net_agent):
    one = begin(("sh", "-c", "trap 'echo hup; exit 9' HUP; echo up; while :; do sleep 0.05; done"))
    one.send(frames.HANGUP)
    result = one.result()
    assert (result["exit_code"], result["cause"]) == (9, "disconnected")


def test_a_detached_session_ends_by_itself(begin, box, net_agent, facts):
    go = box.root / "tmp/go"
    go.unlink(missing_ok=True)
    one = begin(("sh", "-c", "echo up; while [ ! -e /tmp/go ]; do sleep 0.05; done; exit 6"))
    pid = net_agent.keepers()[one.id]
    one.cut()
    wait_for("the loss to be noticed", lambda: facts(one.id, "detached"))
    go.write_text("")
    # It waits a while for its owner, who does not come back.
    wait_for("the keeper to end", lambda: not alive(pid), 30)
    go.unlink()
    end = Cast(net_agent.coral.cast_path(one.id)).end
    assert (end["exit_code"], end["cause"]) == (6, "exit")


def test_exec_without_a_terminal(begin, speak):
    """Output from now on, its input stays ended, and the result at the end."""
    one = begin(("sh", "-c", "echo up; cat; echo eof; sleep 1; echo out; echo err >&2; exit 5"),
                tty=False)
    assert "resume" not in one.opened
    one.cut()
    two = speak("attach", id=one.id)
    assert two.open()["tty"] is False
    two.type("typed\n")
    result = two.result()
    assert two.of(frames.STDOUT).endswith(b"out\n") and b"typed" not in two.of(frames.STDOUT)
    assert result["exit_code"] == 5 and result["delivered_stdout"] == len(two.of(frames.STDOUT))
    assert "delivered_stderr" not in result


def test_watch_and_join(begin, speak, facts):
    one = begin()
    watcher = speak("watch", id=one.id, size=(24, 80))
    assert watcher.open()["role"] == "watching" and watcher.opened["keyboard"] is False
    one.notice("alice looks on")
    joiner = speak("join", id=one.id, size=(40, 100))
    assert joiner.open()["role"] == "joined"
    one.notice("alice joined")
    for other in (watcher, joiner):
        assert other.wait(frames.SCREEN)
        other.type("echo never\n")
        other.notice("nowhere" if other is watcher else "has the keyboard")
    one.type("echo seen; stty size\n")
    for each in (one, watcher, joiner):
        assert "never" not in each.wait_text("24 80")
    watcher.send(frames.KEYBOARD)
    watcher.notice("cannot type")
    joiner.send(frames.KEYBOARD)
    one.notice("asks for the keyboard: ~k gives it")
    joiner.notice("asked alice")
    second = speak("join", id=one.id, size=(24, 80))
    second.open()
    second.send(frames.KEYBOARD)
    second.notice("asked before you")
    one.send(frames.KEYBOARD)
    # What it saw was drawn for another size; painted over, nobody would know.
    joiner.wait_text("\x1b[r", (frames.SCREEN,))
    joiner.notice("you have the keyboard")
    watcher.notice("alice has the keyboard")
    joiner.type("stty size; printf '\\033[1;40r'\n")
    for each in (one, watcher, joiner):
        assert "40 100" in each.wait_text("\x1b[1;40r")
    one.type("echo deaf\n")
    one.notice("has the keyboard")
    one.send(frames.WHO)
    told = one.notice("has the keyboard, from")
    assert "owner" in told and "joined, has the keyboard" in told
    # The owner takes it back at once; who holds it and leaves gives it back.
    wait_for("it may be asked again", lambda: one.send(frames.KEYBOARD) or
             len(facts(one.id, "keyboard")) > 1)
    # The margins that were its whole screen are not left to terminals of another size.
    for each in (one, watcher):
        each.wait_text("\x1b[r", (frames.SCREEN,))
        each.notice("you have the keyboard" if each == one else "alice has the keyboard")
    assert joiner.of(frames.SCREEN).count(b"\x1b[r") == 2
    one.type("stty size\n")
    for each in (one, watcher, joiner):
        assert "24 80" in each.wait_text("24 80")
    for other, kind in ((watcher, frames.DETACH), (joiner, frames.HANGUP)):
        other.send(kind)
        assert other.left()["why"] == "left"
    one.notice("alice has left")
    second.cut()
    wait_for("it to be seen", lambda: len(facts(one.id, "left")) == 3)
    one.type("exit 2\n")
    assert one.result()["exit_code"] == 2
    assert len(facts(one.id, "watching")) == 1 and len(facts(one.id, "joined")) == 2


def test_onlookers_never_slow_a_session(begin, speak, net_agent):
    """Those that never read are left out; their keeper stays small; who reads again sees all."""
    one = begin()
    pid = net_agent.keepers()[one.id]
    deaf = [speak("watch", id=one.id, size=(24, 80)) for _ in range(6)]
    for each in deaf:
        each.open()
    one.type("head -c 60000000 /dev/zero | tr '\\0' x; echo; echo over\n")
    one.wait_text("over", timeout=60)
    assert int(status_of(pid)["VmHWM"].split()[0]) < 32 * 1024
    # Which is of 60 MB that the painter has to follow first.
    for _ in range(2):
        deaf[0].wait(frames.SCREEN, 60)
    one.type("echo fresh\n")
    one.wait_text("fresh")
    deaf[0].wait_text("fresh", timeout=30)
    assert len(deaf[0].of(frames.STDOUT)) < 60000000
    one.type("exit\n")
    one.result()
    wait_for("the keeper to end", lambda: not alive(pid), 15)


def test_who_never_reads_keeps_no_painting_from_others(begin, speak):
    """One painter serves all; what scrolled away is more than is on any way to a client."""
    wide = (24, 500)
    one = begin(size=wide)
    one.type("yes $(printf '%0499d' 0) | head -n 12000; echo over\n")
    one.wait_text("over", timeout=60)
    deaf = speak("watch", id=one.id, size=wide)
    deaf.open()
    # Its turn comes behind the one that is stuck.
    two = speak("watch", id=one.id, size=wide)
    two.open()
    assert two.wait(frames.SCREEN, 15)
    three = speak("attach", id=one.id, size=(24, 80))
    three.open()
    three.type("echo here\n")
    three.wait_text("here", timeout=15)
    assert b"cannot be shown" not in three.of(frames.NOTICE)
    while b"here" not in deaf.of(frames.STDOUT, frames.SCREEN)[-20000:]:
        deaf.read_frame()


def test_onlooker_without_a_terminal_is_told_what_it_missed(begin, speak, box):
    fifo = box.root / "tmp/fifo"
    os.mkfifo(fifo)
    one = begin(("sh", "-c", "echo up; cat /tmp/fifo; head -c 30000000 /dev/zero; cat /tmp/fifo"),
                tty=False)
    try:
        late = speak("watch", id=one.id)
        late.open()
        fifo.write_text("")
        while len(one.of(frames.STDOUT)) < 30000000:
            one.read_frame()
        late.notice("are left out", 30)
        fifo.write_text("")
        one.result()
        result = late.result()
        assert result["delivered_stdout"] == len(late.of(frames.STDOUT)) < result["stdout_bytes"]
    finally:
        fifo.unlink()


def test_repaint(begin):
    one = begin()
    one.send(frames.REPAINT)
    assert one.wait(frames.SCREEN)


def test_acknowledgements(begin):
    one = begin()
    one.send(frames.PING)
    assert int.from_bytes(one.wait(frames.RECEIVED), "big") == len(one.sent)
    one.type("true\n")
    assert int.from_bytes(one.wait(frames.RECEIVED), "big") == len(one.sent)
    # Nothing came, so nothing is said.
    with pytest.raises(AssertionError):
        one.read_frame(1.5)


def test_output_waits_for_acknowledgements(begin):
    """1 MiB may be under way, and goes on when it is acknowledged."""
    one = begin()
    one.acknowledges = False
    one.type("head -c 3000000 /dev/zero; echo over\n")
    with pytest.raises(AssertionError):
        while True:
            one.read_frame(2)
    assert 900_000 < one.received < 1_300_000
    while b"over" not in one.of(frames.STDOUT)[-100:]:
        one.send(frames.RECEIVED, struct.pack(">Q", one.received))
        one.read_frame()


@pytest.mark.parametrize("bad", [
    frames.frame(frames.RECEIVED, struct.pack(">Q", 1 << 60)),
    frames.frame(frames.RECEIVED, b"1234"),
    frames.frame(frames.RESUMED, b"12345678"),
    frames.frame(frames.DETACH, b"x"),
    frames.frame(63),
    frames.frame(frames.OPEN, b"\x01"),
])
def test_broken_protocol(begin, speak, bad):
    """It loses its connection, and its token with it; the session stays."""
    one = begin()
    one.write(bad)
    with pytest.raises(Lost):
        while True:
            one.read_frame()
    assert "you left it" in again(speak, one).refused()
    two = speak("attach", id=one.id, size=(24, 80))
    two.open()
    two.type("echo alive\n")
    two.wait_text("alive")


def test_floods(begin, speak, net_agent):
    """Whoever asks without end and never listens costs no memory, and the others nothing."""
    one = begin()
    pid = net_agent.keepers()[one.id]
    noisy = speak("join", id=one.id, size=(24, 80))
    noisy.open()
    os.set_blocking(noisy.proc.stdin.fileno(), False)
    for kind in (frames.PING, frames.WHO, frames.KEYBOARD, frames.REPAINT):
        with contextlib.suppress(BlockingIOError):
            noisy.write(frames.frame(kind) * 50000)
    one.type("echo calm\n")
    one.wait_text("calm", timeout=20)
    assert int(status_of(pid)["VmHWM"].split()[0]) < 32 * 1024


def test_so_many_and_no_more(begin, speak):
    one = begin()
    crowd = [speak("watch", id=one.id, size=(24, 80)) for _ in range(10)]
    for each in crowd:
        each.open()
    one.type("echo hello\n")
    for each in [one, *crowd]:
        each.wait_text("hello")


def test_a_stock_client_is_told(ssh, box, speak, net_agent):  # noqa: F811
    """It knows no frames: what becomes of it is said in words."""
    with Pty(ssh.argv(f"pid.{box.pid}", flags=("-t",)), ssh.env(), 24, 80) as term:
        term.expect(r"[#$] ")
        sid = next(iter(net_agent.keepers()))
        two = speak("attach", id=sid, size=(24, 80), resumable=True)
        two.open()
        assert term.expect(r"taken over by alice: the session goes on, coral attach [0-9a-z]{26}")
        assert term.wait() == 255
    two.type("exit 8\n")
    assert two.result()["exit_code"] == 8


def test_ended_and_unknown(begin, speak):
    one = begin(("sh", "-c", "echo up; read x; exit 1"))
    one.type("\n")
    one.result()
    assert "ended" in speak("attach", id=one.id, token=one.opened["resume"]).refused()
    assert one.id in speak("attach", id=one.id).refused()
    assert speak("attach", id="0" * 26).refused()
