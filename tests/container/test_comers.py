# SPDX-License-Identifier: GPL-3.0-or-later
"""Who comes to a session and may not, comes late, twice, or with something odd: a clear answer,
and the session goes on as if nobody had asked."""
import os
import signal

import pytest

from house import frames
from house.coral import end_sessions
from house.people import Person
from house.term import Pty
from house.util import wait_for
from test_ssh import Ssh

PROMPT = r"(?<!')reef\$ "
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


class Typist:
    """alice's shell: after whatever was tried on it, it is there as it was."""

    def __init__(self, agent, person, box):
        self.agent, self.box = agent, box
        self.term = Pty(person.argv("shell", "--pid", box.pid), person.env())
        self.term.expect(r"[#$] ")
        self.term.send("PS1='reef$ '; n=0\r")
        self.term.expect(PROMPT)
        self.sid = agent.coral.live()[0]["id"]
        self.count = 0

    def untouched(self):
        self.count += 1
        self.term.send("echo n-is-$((n+=1))\r")
        self.term.expect(f"n-is-{self.count}\r")
        self.term.expect(PROMPT)
        assert [s["id"] for s in self.agent.coral.live()] == [self.sid]


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
    """Three parts, no traceback of a session that never was."""
    assert done.code not in (0, 255 + 1), done
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
    other = Pty(alice.argv("shell", "--pid", box.pid), alice.env())
    other.expect(r"[#$] ")
    ids = [s["id"] for s in agent.coral.live()]
    refused(alice.run("attach"), *ids)
    os.kill(other.proc.pid, signal.SIGKILL)
    other.close()
    other_id = next(i for i in ids if i != typist.sid)
    wait_for("it to be detached", lambda: next(
        s for s in agent.coral.sessions() if s["id"] == other_id)["state"] == "detached")
    with Pty(alice.argv("attach"), alice.env()) as term:  # the detached one is meant
        term.expect(r"[#$]")
        term.send("exit 3\r")
        assert term.wait() == 3, term.seen
    typist.untouched()


def guest(person, verb, sid):
    term = Pty(person.argv(verb, sid), person.env())
    term.expect(r"(?<!')reef\$")
    return term


def test_two_who_want_the_keyboard(reef):
    """The first who asks is the first to get it; nobody takes it from who has it."""
    _, people, typist = reef
    alice = typist.term
    dora, erin = (guest(people[n], "join", typist.sid) for n in ("dora", "erin"))
    with dora, erin:
        dora.send("echo not-mine\r")
        typist.untouched()  # nothing of it arrived
        dora.send("\r~k")
        alice.expect("dora asks for the keyboard")
        erin.send("\r~k")
        erin.expect("dora")
        typist.untouched()
        alice.send("\r~k")
        dora.expect("keyboard")
        wait_for("dora's keys", lambda: types(dora, alice, "hers"))
        erin.send("echo not-erins\r")
        alice.send("\r~k")  # the owner takes it back at once
        dora.expect("keyboard")
        alice.expect(PROMPT)
        typist.untouched()
        assert b"not-erins" not in alice.seen
        erin.send("\r~.")
        assert erin.wait() == 0
        dora.send("\r~d")
        assert dora.wait() == 0
    typist.untouched()


def types(guest_term, other, word):
    """What is typed here shows there."""
    guest_term.send(f"echo {word}-$((40+2))\r")
    try:
        other.expect(f"{word}-42", timeout=1)
    except AssertionError:
        return False
    return True


def test_a_watcher_types_nothing(reef):
    _, people, typist = reef
    with guest(people["carol"], "watch", typist.sid) as carol:
        carol.send("echo of-carol >/tmp/of-carol\r~k")
        carol.send("\r~k")
        typist.untouched()
        carol.expect(f"n-is-{typist.count}")
        assert not (typist.box.root / "tmp/of-carol").exists()
        assert b"of-carol" not in typist.term.seen
        carol.send("\x1b\r~.")
        assert carol.wait() == 0
    typist.untouched()


# What only a client of one's own would send.

@pytest.fixture
def speak(reef, home):
    """speak(person, verb, ...)"""
    agent, people, _ = reef
    made = []

    def start(who, verb, **what):
        ssh = Ssh(agent, people[who].key, home)
        made.append(frames.Speaker(ssh.argv("x", "coral", flags=("-s",)), ssh.env(), verb, **what))
        return made[-1]

    yield start
    for one in made:
        one.close()


def test_tokens_of_others(reef, speak):
    """A true one, in other hands; and one's own, with more than was ever sent."""
    _, _, typist = reef
    os.kill(typist.term.proc.pid, signal.SIGKILL)
    mine = speak("alice", "attach", id=typist.sid, size=(24, 80), resumable=True)
    token = mine.open()["resume"]
    mine.wait(frames.SCREEN)
    for who in ("bob", "carol", "dora"):
        said = speak(who, "attach", id=typist.sid, token=token, received=mine.received,
                     resumable=True).refused()
        assert token not in said
    for received in (1 << 40, (1 << 64) - 1):
        assert speak("alice", "attach", id=typist.sid, token=token, received=received,
                     resumable=True).refused()
    for odd in (token[:63], token + "00", token.upper() + "é"):
        assert speak("alice", "attach", id=typist.sid, token=odd, resumable=True).refused()
    mine.type("echo n-is-$((n+=1))\r")
    mine.wait_text("n-is-1\r")


def test_another_version(reef, speak):
    """Of a later version, verbs and fields that are not known, one twice, one missing: said, and
    nothing begun."""
    agent, _, typist = reef
    before = agent.coral.session_dirs()
    for verb, what in (("attach", {"version": 2}), ("attach", {"version": 0}), (99, {}),
                       ("attach", {"extra": frames.field(200, b"new")}),
                       ("attach", {"extra": frames.field(21, b"again")})):
        said = speak("alice", verb, id=typist.sid, **what).refused()
        assert len([line for line in said.split("\n") if line]) == 3, said
        typist.untouched()
    assert speak("alice", "join").refused()
    assert agent.coral.session_dirs() == before


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
        typist.untouched()
        assert b"never" not in typist.term.seen, kind
        carol.close()
    typist.term.send("stty size\r")
    typist.term.expect("24 80")


def test_escape_in_a_paste(reef):
    """A pasted line that begins with ~. or ~d: bracketed, unbracketed and long, and in the middle
    of a line; then the typed one, which counts."""
    _, people, typist = reef
    term = typist.term
    term.send("cat\r")
    term.expect("cat\r\n")
    term.send(b"\x1b[200~first\r~.\r~d\rlast\x1b[201~\r")
    term.expect("last")
    typed = "one\r~.\r~d and a paste without marks\r"
    term.send(typed)
    term.expect("and a paste without marks.*and a paste without marks")
    for letter in "x~.\x7f\x7f~d":
        term.send(letter)
    term.send("\x04\x04")
    term.send("\r")
    term.expect(PROMPT)
    typist.untouched()
    term.send("\r")
    term.expect(PROMPT)
    wait_escape(term)
    assert term.wait() == 255
    assert f"[detached: coral attach {typist.sid}]".encode() in term.seen
    with guest(people["alice"], "attach", typist.sid) as typist.term:
        typist.untouched()


def wait_escape(term):
    """Two keys, as two."""
    term.send("~")
    term.send("d")
