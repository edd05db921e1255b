# SPDX-License-Identifier: GPL-3.0-or-later
"""Who comes to a session and may not, comes late, twice, or with something odd: a clear answer,
and the session goes on as if nobody had asked."""
import contextlib
import os
import re
import signal

import pytest

from house import frames
from house.casts import Cast
from house.coral import end_sessions
from house.people import Local, Person, known
from house.term import Pty
from house.util import wait_for
from test_ssh import Ssh

PROMPT = r"reef\$ "
PAINTED = r"reef\$"
POLICY = """roles:
  - {name: worker, permissions: [{commands: [exec, shell]}]}
  - {name: looker, permissions: [{commands: [watch]}]}
  - {name: helper, permissions: [{commands: [watch, join]}]}
users:
  - {name: alice, role: worker}
  - {name: bob, role: worker}
  - {name: carol, role: looker}
  - {name: dora, role: helper}
  - {name: erin, role: helper}
"""


def press(term, keys):
    """As fingers do: more at once would be a paste."""
    assert len(keys) <= 16
    term.send(keys)


class Typist:
    """alice's shell: after whatever was tried on it, it is there as it was."""

    def __init__(self, agent, person, box, flags=()):
        self.agent, self.box = agent, box
        before = {s["id"] for s in agent.coral.live()}
        self.term = Pty(person.argv("shell", *flags, "--pid", box.pid, "-e", "PS1=reef$ "),
                        person.env())
        self.term.expect(PROMPT)
        self.sid, = {s["id"] for s in agent.coral.live()} - before
        self.count = 0

    def untouched(self):
        self.count += 1
        press(self.term, "echo n$((++n)).\r")
        self.term.expect(rf"n{self.count}\.\r")
        self.term.expect(PROMPT)
        assert [s["id"] for s in self.agent.coral.live()] == [self.sid]

    def shown(self):
        """All that ever was."""
        return Cast(self.agent.coral.cast_path(self.sid)).output()


@pytest.fixture
def reef(make_agent, home, box):
    """(agent, people, alice's shell)"""
    people = {n: Person(home, n) for n in ("alice", "bob", "carol", "dora", "erin")}
    agent = make_agent(start=False, listen=True, keys="".join(p.line() for p in people.values()))
    (agent.coral.config.parent / "policy.yaml").write_text(POLICY)
    agent.start()
    for person in people.values():
        person.goes_to(agent)
    typist = Typist(agent, people["alice"], box)
    yield agent, people, typist
    typist.term.close()
    end_sessions(agent)


def refused(done, *facts):
    """Three parts, and none of a session's output."""
    assert done.code in (1, 2, 125), done
    assert "why:" in done.errtext and "try:" in done.errtext, done
    for fact in facts:
        assert fact in done.errtext, (fact, done)
    assert done.out == b"", done


@pytest.mark.parametrize("verb", ["attach", "watch", "join"])
def test_unknown_and_ended(reef, box, verb):
    agent, people, typist = reef
    alice = people["alice"]
    refused(alice.run(verb, "01zzzzzzzzzzzzzzzzzzzzzzzz"), "01zzzzzzzz", "coral sessions")
    refused(alice.run(verb, "01zzzzzz"), "01zzzzzz", "coral sessions")
    for odd in ("", "../../etc", "%s%n", "x" * 300, "\x1b[2J"):
        done = alice.run(verb, odd)
        refused(done)
        assert "\x1b" not in done.errtext
    assert alice.run("exec", "--pid", box.pid, "--", "true").code == 0
    over = next(s["id"] for s in agent.coral.sessions() if s["state"] == "ended")
    refused(alice.run(verb, over), over, "has ended", f"coral replay {over}")
    typist.untouched()


def test_nobody_elses(reef):
    """Who has no right to it: bob, who may work; carol, who may only look on; dora, who may help."""
    _, people, typist = reef
    for who, verbs in (("bob", ("attach", "watch", "join", "kill", "sessions freeze")),
                       ("carol", ("attach", "join", "kill", "sessions freeze")),
                       ("dora", ("attach", "kill", "sessions freeze"))):
        for verb in verbs:
            refused(people[who].run(verb, typist.sid))
            typist.untouched()
    # Who may not see it is not told that it is there.
    assert (people["bob"].run("watch", typist.sid).errtext.replace(typist.sid, "ID") ==
            people["bob"].run("watch", "0" * 26).errtext.replace("0" * 26, "ID"))


def test_alone_or_ambiguous(reef, box):
    """attach without an id: nobody's, the only one, and two."""
    agent, people, typist = reef
    refused(people["bob"].run("attach"), "coral shell")
    alice = people["alice"]
    other = Typist(agent, alice, box)
    refused(alice.run("attach"), typist.sid, other.sid)
    os.kill(other.term.proc.pid, signal.SIGKILL)
    other.term.close()
    wait_for("it to be detached", lambda: next(
        s for s in agent.coral.sessions() if s["id"] == other.sid)["state"] == "detached")
    with Pty(alice.argv("attach"), alice.env()) as term:  # the detached one is meant
        term.expect(PAINTED)
        term.send("exit 3\r")
        assert term.wait() == 3, term.seen
    typist.untouched()


def guest(person, verb, sid):
    """Somebody who sees the prompt."""
    term = Pty(person.argv(verb, sid), person.env())
    term.expect(PAINTED)
    return term


def pause(term):
    """A tenth of a second: so long nobody is heard who presses ~k, or pastes, twice."""
    press(term, "\rsleep 0.1\r")
    term.expect("sleep 0.1\r\n")
    term.expect(PROMPT)


def wants_the_keyboard(dora, erin, typist):
    """The first who asks is the first to get it; nobody takes it from who has it."""
    alice = typist.term
    press(dora, "echo not-mine\r")
    dora.expect("has the keyboard")  # and so it went nowhere
    typist.untouched()
    press(dora, "~k")
    dora.expect("asked alice")
    alice.expect("dora asks for the keyboard: ~k gives it")
    press(erin, "echo not-mine\r~k")
    erin.expect("dora asked before you")
    typist.untouched()
    press(alice, "~k")
    for each, told in ((erin, "dora has"), (alice, "dora has"), (dora, "you have")):
        each.expect(told + " the keyboard")
    dora.expect("erin asks for the keyboard: ~k gives it")
    press(dora, "echo h$((7*6))\r")
    for each in (dora, erin, alice):
        each.expect(r"h42\r")
    pause(dora)
    press(alice, "echo al\r~k")  # the owner takes it back at once
    for each, told in ((erin, "alice has"), (dora, "alice has"), (alice, "you have")):
        each.expect(told + " the keyboard")
    typist.untouched()
    pause(alice)
    press(alice, "~k")  # who asked is not forgotten for that
    erin.expect("you have the keyboard")
    press(erin, "echo e$((7*6))\r")
    alice.expect(r"e42\r")
    press(erin, "~d")  # who has it and leaves gives it back
    assert erin.wait() == 0, erin.seen
    alice.expect("you have the keyboard")
    typist.untouched()
    press(dora, "\r~.")
    assert dora.wait() == 0, dora.seen
    alice.expect("dora has left")
    typist.untouched()
    assert "not-mine" not in typist.shown()


def test_two_keys_want_the_keyboard(reef):
    _, people, typist = reef
    with guest(people["dora"], "join", typist.sid) as dora, \
            guest(people["erin"], "join", typist.sid) as erin:
        wants_the_keyboard(dora, erin, typist)


def test_two_uids_want_the_keyboard(make_agent, home, box):
    """People of the agent's own machine, on its socket."""
    uids = {"alice": 4401, "dora": 4402, "erin": 4403, "frank": 4404}
    agent = make_agent(start=False, prefix=known(home, uids))
    (agent.coral.config.parent / "policy.yaml").write_text(POLICY)
    agent.start()
    agent.socket.parent.chmod(0o711)
    people = {name: Local(home, name, uid, agent) for name, uid in uids.items()}
    typist = Typist(agent, people["alice"], box)
    try:
        with guest(people["dora"], "join", typist.sid) as dora, \
                guest(people["erin"], "join", typist.sid) as erin:
            here = {c["user"]: c["peer"] for c in agent.coral.live()[0]["attached"]}
            assert set(here) == {"alice", "dora", "erin"}, here
            wants_the_keyboard(dora, erin, typist)
        refused(people["frank"].run("join", typist.sid))  # whom no role knows
        typist.untouched()
    finally:
        typist.term.close()
        end_sessions(agent)


def test_a_watcher_types_nothing(reef):
    _, people, typist = reef
    with guest(people["carol"], "watch", typist.sid) as carol:
        press(carol, "echo >/tmp/c\r~k")
        carol.expect("who watches cannot type: coral join")
        typist.untouched()
        carol.expect(rf"n{typist.count}\.\r")
        assert not (typist.box.root / "tmp/c").exists()
        press(carol, "\x1b\r~.")
        assert carol.wait() == 0
    typist.untouched()


# More than there is room for.

def test_sixty_four(reef):
    """63 look on beside who types; one more is told so; who attaches has a place all the same."""
    agent, people, typist = reef
    lookers = []

    def attached():
        return agent.coral.live()[0]["attached"]

    try:
        for _ in range(63):
            lookers.append(guest(people["carol"], "watch", typist.sid))
        assert len(attached()) == 64
        for who, verb in (("carol", "watch"), ("dora", "join")):
            refused(people[who].run(verb, typist.sid), "takes nobody more", "63 look on",
                    "until somebody leaves")
        typist.untouched()
        # Its owner has a place of their own, and leaves it to whom they are on another terminal.
        alice = people["alice"]
        again = guest(alice, "attach", typist.sid)
        assert typist.term.wait() == 255
        assert b"alice has attached" not in typist.term.seen
        typist.term.close()
        typist.term = again
        typist.untouched()
        assert len(attached()) == 64
        refused(people["dora"].run("join", typist.sid), "takes nobody more")
        lookers.pop().close()
        wait_for("one to have left", lambda: len(attached()) == 63)
        with guest(people["dora"], "join", typist.sid):
            typist.untouched()
    finally:
        for term in lookers:
            term.close()


# What only a client of one's own would send.

@pytest.fixture
def speak(reef, home):
    """speak(person, verb, ...)"""
    agent, people, _ = reef
    made = []

    def start(who, verb, first=None, **what):
        ssh = Ssh(agent, people[who].key, home)
        made.append((Raw if first else frames.Speaker)(
            ssh.argv("x", "coral", flags=("-s",)), ssh.env(), verb, **what))
        if first:
            made[-1].write(frames.frame(frames.OPEN, first))
        return made[-1]

    yield start
    for one in made:
        one.close()


class Raw(frames.Speaker):
    """Whose first frame is not frames.request()'s."""

    def write(self, data):
        if self.first:
            self.first = False
        else:
            super().write(data)

    first = True


def asks(number, sid, version=1, *more):
    return (bytes([version]) + frames.field(1, bytes([number])) + frames.field(21, sid.encode()) +
            b"".join(more))


def test_tokens_of_others(reef, speak):
    """A true one, in other hands; odd ones; and one's own, with more than was ever sent."""
    _, _, typist = reef
    os.kill(typist.term.proc.pid, signal.SIGKILL)
    mine = speak("alice", "attach", id=typist.sid, size=(24, 80), resumable=True)
    token = mine.open()["resume"]
    mine.wait(frames.SCREEN)
    mine.type("echo n$((++n)).\r")
    mine.wait_text("n1.")
    for who in ("bob", "carol", "dora"):
        said = speak(who, "attach", id=typist.sid, token=token, received=mine.received,
                     resumable=True).refused()
        assert token not in said
    for odd in (token[:63], token + "00", token.upper() + "é", "0" * 64):
        assert speak("alice", "attach", id=typist.sid, token=odd, resumable=True).refused()
    mine.type("echo n$((++n)).\r")
    mine.wait_text("n2.")
    # Who lies about what arrived is painted everything anew, and has lost nothing.
    for n, received in enumerate((1 << 40, (1 << 64) - 1), 3):
        mine = speak("alice", "attach", id=typist.sid, token=token, received=received,
                     size=(24, 80), resumable=True)
        assert mine.open()["resume"] == token
        assert mine.wait(frames.SCREEN)
        mine.type("echo n$((++n)).\r")
        mine.wait_text(f"n{n}.")


def test_another_version(reef, speak):
    """Of a later version, verbs and fields that are not known, one twice, one missing: said, and
    nothing begun."""
    agent, _, typist = reef
    before = agent.coral.session_dirs()
    for first in (asks(8, typist.sid, 2), asks(8, typist.sid, 0), asks(99, typist.sid),
                  asks(8, typist.sid, 1, frames.field(200, b"new")),
                  asks(8, typist.sid, 1, frames.field(21, b"again")),
                  bytes([1]) + frames.field(21, typist.sid.encode()),
                  bytes([1]) + frames.field(1, b"\x0a")):
        said = speak("alice", "attach", first).refused()
        assert len([line for line in said.split("\n") if line]) == 3, said
        typist.untouched()
    said = speak("alice", "attach", asks(8, typist.sid, 2)).refused()
    assert "version" in said, said
    assert agent.coral.session_dirs() == before


def test_no_record(reef, speak, box):
    """Whether a session is recorded was settled when it began: nobody changes that by coming."""
    agent, people, typist = reef
    for verb in ("attach", "watch", "join"):
        refused(people["alice"].run(verb, "--no-record", typist.sid), "no option --no-record")
    carol = speak("carol", "watch", asks(9, typist.sid, 1, frames.field(19, b"")))
    carol.open()
    typist.untouched()
    assert f"n{typist.count}." in typist.shown()
    # One that was begun without: its owner leaves and comes back, and there is nothing to show.
    root = agent.coral
    term = Pty(root.argv("shell", "--no-record", "--pid", box.pid, "-e", "PS1=cove$ "), root.env())
    with term:
        term.expect(r"cove\$ ")
        secret = next(s["id"] for s in root.live() if s["id"] != typist.sid)
        term.send("echo se''cret\r")
        term.expect("secret")
        os.kill(term.proc.pid, signal.SIGKILL)
        term.wait()
    with Pty(root.argv("attach", secret), root.env()) as term:
        term.expect("the screen cannot be shown again")
        term.send("echo se''crets; exit 4\r")
        term.expect("secrets\r")
        assert term.wait() == 4, term.seen
    record = agent.coral.cast_path(secret).read_bytes()
    assert b"secret" not in record and b'"attached' in record.replace(b"\\", b"")
    typist.untouched()


def test_frames_out_of_turn(reef, speak):
    """Of one who looks on: each ends at most their own part in it."""
    _, _, typist = reef
    for kind, data in ((frames.STDIN, b"echo never\r"), (frames.STDIN_EOF, b""),
                       (frames.SIGNAL, b"KILL"), (frames.WINCH, frames.winch(1, 1)),
                       (frames.HANGUP, b""), (frames.DETACH, b""), (frames.KEYBOARD, b""),
                       (frames.OPEN, b"\1"), (frames.STDOUT, b"x"), (frames.SCREEN, b"\x1bc"),
                       (frames.RECEIVED, b"\xff" * 8), (frames.RESULT, b"{}"), (77, b""),
                       (frames.REPAINT, b""), (frames.WHO, b"")):
        carol = speak("carol", "watch", id=typist.sid, size=(50, 50))
        carol.open()
        carol.write(frames.frame(kind, data))
        # Answered, refused or not, before the session is looked at.
        with contextlib.suppress(frames.Lost, BrokenPipeError):
            carol.write(frames.frame(frames.WHO))
            carol.notice("alice, owner, has the keyboard")
        typist.untouched()
        assert "never" not in typist.shown(), kind
        carol.close()
    typist.term.send("stty size\r")
    typist.term.expect("24 80")


def test_escape_in_a_paste(reef):
    """A pasted line that begins with ~. or ~d: bracketed, unbracketed and long, and in the middle
    of a line; then the typed one, which counts."""
    _, people, typist = reef
    term = typist.term
    press(term, "stty -echo; cat\r")
    term.expect("cat\r\n")
    term.send(b"\x1b[200~first\r~.\r~d\rlast\x1b[201~\r")
    term.expect("\x1b\\[200~first\r\n~\\.\r\n~d\r\nlast\x1b\\[201~\r\n")
    term.send("one\r~.\r~d and a paste without marks\r")
    term.expect("one\r\n~\\.\r\n~d and a paste without marks\r\n")
    for keys, back in (("x~.\r", "x~\\.\r\n"), ("y~d\r", "y~d\r\n"), ("~~.\r", "~\\.\r\n")):
        press(term, keys)
        term.expect(back)
    press(term, "\x04stty echo\r")
    term.expect(PROMPT)
    pause(term)  # what comes within a moment of a paste belongs to it
    typist.untouched()
    for key in "~d":
        press(term, key)
    assert term.wait() == 255
    assert re.search(rf"\[detached: coral attach --identity \S+ {typist.sid}\]".encode(), term.seen)
    typist.term.close()
    typist.term = guest(people["alice"], "attach", typist.sid)
    typist.untouched()
