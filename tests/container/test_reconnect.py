# SPDX-License-Identifier: GPL-3.0-or-later
"""Sessions that outlive their connections, as the person at the terminal sees them."""
import json
import os
import random
import re
import shlex
import signal

import pytest

from house.coral import Coral, end_sessions
from house.relay import Relay
from house.term import Pty
from house.util import wait_for
from test_share import trust

# What coral itself writes over the session: its line when the network is away for a second, and the
# screen painted anew after that line.
OVER = re.compile(rb"(?:\x1b\[\?2026l)?\x1b7\x1b\[\?6l\x1b\[\d+;1H.*?\x1b8|\x1b\[\?1047l.*?\x1b\[\?25h", re.S)

ECHO = "stty -echo; echo u''p; while read n; do echo \"<$n>\"; done; exit 7"


@pytest.fixture
def relay(agent, home):
    one = Relay(str(home / "relay.sock"), str(agent.socket))
    yield one
    one.close()


@pytest.fixture
def far(agent, relay):
    """The agent's people by way of the relay, on a machine of their own."""
    class Far(Coral):
        def env(self):
            return {**super().env(), **agent.coral.env()}

    return Far(agent.home, ["--agent-addr", relay.address])


@pytest.fixture
def person(far, agent):
    """Somebody at a terminal; sessions that they leave behind are ended."""
    made = []

    def start(verb, *args, rows=24, cols=80, who=far):
        made.append(Pty(who.argv(verb, *args), who.env(), rows, cols))
        return made[-1]

    yield start
    for one in made:
        one.close()
    for pid in agent.keepers().values():
        os.kill(pid, signal.SIGTERM)
    wait_for("sessions to end", lambda: not agent.keepers(), 20)


@pytest.fixture
def echo(person, box):
    """A session that says back what is typed, each line once."""
    one = person("exec", "-t", "--on-disconnect", "detach", "--pid", box.pid, "--", "sh", "-c", ECHO)
    one.expect("up\r\n")
    return one


def finish(one, code=7):
    one.send(b"\x04")
    assert one.wait() == code, one.seen[-1000:]


def only(agent):
    ids = list(agent.keepers())
    assert len(ids) == 1, ids
    return ids[0]


def test_a_cut_is_not_noticed(echo, relay):
    for n in range(5):
        echo.send(f"before {n}\r")
        echo.expect(f"<before {n}>")
        relay.cut()
        echo.send(f"after {n}\r")
        echo.expect(f"<after {n}>")
    finish(echo)
    assert relay.accepted == 6
    assert b"lost" not in echo.seen


def test_nothing_is_lost_or_doubled(echo, relay):
    """Cut anywhere, in both directions, in the middle of frames and handshakes."""
    rng = random.Random(4)
    sent, heard = 0, b""
    while sent < 300:
        for _ in range(rng.randint(1, 40)):
            echo.send(b"%d %s\r" % (sent, b"x" * rng.randint(1, 60)))
            sent += 1
        relay.cut(after=rng.randint(0, 3000))
        if rng.random() < 0.3:
            relay.next_left.append(rng.randint(0, 6000))
        wait_for("it to pass", lambda: echo.pump() and b"<%d " % (sent - 1) in echo.seen, 30)
        heard, echo.seen = heard + echo.seen, b""
    relay.cut(after=1 << 30)
    finish(echo)
    told = [int(n) for n in re.findall(rb"<(\d+) x+>", OVER.sub(b"", heard + echo.seen))]
    assert told == list(range(sent)), [n for n, m in zip(range(sent), told) if n != m][:5]
    assert relay.accepted > 10


def test_line_and_control_c(echo, relay, agent, person):
    relay.refuse()
    relay.cut()
    echo.expect(rb"\x1b7.*\x1b\[24;1H.*connection lost, trying again \(1 s\); \^C gives up.*\x1b8")
    before = echo.before
    echo.send(b"\x03")
    assert echo.wait(5) == 255
    assert echo.modes() == before
    sid = only(agent)
    assert f"coral attach --agent-addr {relay.address} {sid}".encode() in echo.seen, echo.seen
    relay.listen()
    back = person("attach", sid[:-1])
    back.send("still here\r")
    back.expect("<still here>")
    finish(back)


def test_typed_meanwhile_arrives(echo, relay):
    relay.refuse()
    relay.cut()
    echo.expect(rb"trying again")
    echo.send("typed meanwhile\r")
    relay.listen()
    echo.expect("<typed meanwhile>")
    finish(echo)


def test_detach_and_attach(echo, agent, person, relay):
    echo.send("~d")
    assert echo.wait() == 255
    sid = only(agent)
    # On a line of its own, and to be typed as it stands.
    assert f"\r\n[detached: coral attach --agent-addr {relay.address} {sid}]\r\n".encode() in echo.seen
    back = person("attach")
    back.send("again\r")
    back.expect("<again>")
    finish(back)


def test_quiet_leaves_without_a_word(echo, agent, person):
    """Told to go, or sent away by who attaches: the exit status says that it goes on."""
    echo.send("~d")
    assert echo.wait() == 255
    one = person("attach", "-q")
    one.send("one\r")
    one.expect("<one>")
    two = person("attach", "-q", only(agent))
    assert one.wait() == 255
    two.send("two\r")
    two.expect("<two>")
    two.send("~d")
    assert two.wait() == 255
    assert b"coral" not in one.all + two.all, (one.all, two.all)
    back = person("attach")
    back.send("back\r")
    back.expect("<back>")
    finish(back)


def test_the_way_back_has_the_keys(net_agent, key, box):
    """What is printed is typed as it stands: a key that only a flag named is in it."""
    mine = key.path.with_name("alice own")
    key.path.rename(mine)
    trust(net_agent)
    there = Coral(net_agent.coral.home, ["--agent-addr", f"127.0.0.1:{net_agent.port}"])
    argv = there.argv("exec", "--identity", mine, "-t", "--on-disconnect", "detach", "--pid", box.pid,
                      "--", "sh", "-c", ECHO)
    with Pty(argv, there.env(), cols=200) as one:
        one.expect("up\r\n")
        one.send("~d")
        line = one.expect(r"\[detached: (.*)\]\r\n").group(1).decode()
        assert one.wait() == 255
    try:
        words = shlex.split(line)
        assert words == ["coral", "attach", *there.flags, "--identity", str(mine), only(net_agent)]
        with Pty([argv[0], *words[1:]], there.env()) as back:
            back.send("again\r")
            back.expect("<again>")
            finish(back)
    finally:
        end_sessions(net_agent)


@pytest.mark.parametrize("text", ["a~.\r", "\x1b[200~\r~.\r~d\r\x1b[201~\r", "x" * 20 + "\r~.\r"])
def test_no_escape(echo, text):
    echo.send(text)
    echo.send("\rgoes on\r")
    echo.expect("<goes on>")
    finish(echo)


def test_help_tilde_and_none(echo, person, box):
    echo.send("~?")
    echo.expect("Escapes, at the beginning of a line")
    echo.send("~~.\r")
    echo.expect("<~.>")
    finish(echo)
    none = person("exec", "-t", "--escape", "none", "--pid", box.pid, "--", "sh", "-c", ECHO)
    none.expect("up\r\n")
    none.send("~.\r")
    none.expect("<~.>")
    finish(none)


def test_quit_ends_the_session(echo, agent):
    echo.send("~.")
    assert echo.wait() not in (0, 255)
    wait_for("the session to end", lambda: not agent.keepers())


def test_taken_over(echo, person, agent):
    other = person("attach", only(agent))
    other.send("mine\r")
    other.expect("<mine>")
    assert echo.wait() == 255
    assert b"taken over by root" in echo.seen
    finish(other)


@pytest.mark.parametrize("signo", [signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
def test_a_client_that_dies_leaves_its_session(echo, person, agent, signo):
    clients = wait_for("the client", lambda: [p for p in agent.relatives() if os.path.exists(
        f"/proc/{p}/cmdline") and b"while read" in open(f"/proc/{p}/cmdline", "rb").read()
        and b"exec\0--agent-addr" in open(f"/proc/{p}/cmdline", "rb").read()])
    os.kill(clients[-1], signo)
    echo.wait()
    back = person("attach")
    back.send("alive\r")
    back.expect("<alive>")
    finish(back)


def test_watch_and_join(echo, person, agent):
    sid = only(agent)
    watcher = person("watch", sid)
    echo.expect("looks on")
    watcher.send("nothing\r")
    echo.send("seen by both\r")
    watcher.expect("<seen by both>")
    guest = person("join", sid)
    echo.expect("joined")
    guest.send("\x1b[12;5R")  # that is the terminal's, for a shell that asks at its prompt
    echo.send("seen by all\r")
    guest.expect("<seen by all>")
    guest.send("x\r")
    assert b"has the keyboard" in guest.expect("[^\n]*~k asks for it").group()
    assert b"~k" not in guest.all.partition(b"<seen by all>")[0]
    guest.send("~k")
    echo.expect("asks for the keyboard")
    echo.send("~k")
    guest.expect("you have the keyboard")
    guest.send("by the guest\r")
    echo.expect("<by the guest>")
    guest.send("~.")
    assert guest.wait() == 0
    echo.expect("you have the keyboard")
    watcher.send("q")
    assert watcher.wait() == 0
    assert b"<nothing>" not in echo.seen
    finish(echo)


def test_a_watcher_sees_the_end(echo, person, agent):
    watcher = person("watch", only(agent))
    echo.expect("looks on")
    finish(echo)
    assert watcher.wait() == 0


def test_which_session(echo, person, agent, box, far):
    sid = only(agent)
    wrong = far.run("attach", "0" * 26)
    assert wrong.code == 125 and b"0000" in wrong.err
    assert far.run("watch").code == 125
    second = person("exec", "-t", "--on-disconnect", "detach", "--pid", box.pid, "--", "sh", "-c",
                    ECHO)
    second.expect("up\r\n")
    several = far.run("attach")
    assert several.code == 125 and sid in several.errtext
    finish(second)
    done = far.run("attach", next(s["id"] for s in agent.coral.sessions() if s["state"] == "ended"))
    assert done.code == 125 and "ended" in done.errtext
    finish(echo)


def test_status_of_who_leaves(person, box, far, home):
    status = home / "status.json"
    argv = far.argv("exec", "-t", "--on-disconnect", "detach", "--status-fd", "3", "--pid", box.pid,
                    "--", "sh", "-c", ECHO)
    one = Pty(["sh", "-c", f'"$@" 3>{status}', "sh", *argv], far.env())
    try:
        one.expect("up\r\n")
        one.send("~d")
        assert one.wait() == 255
    finally:
        one.close()
    told = json.loads(status.read_text())
    assert told["left"] == "detached" and told["exit_code"] == 255 and told["session_id"]
    back = person("attach", told["session_id"])
    back.send("x\r")
    back.expect("<x>")
    finish(back)


@pytest.mark.slow
def test_silence_is_a_loss(echo, relay):
    """Nothing closes: 5 s of silence and a key make us ask, 15 s without an answer are a loss."""
    echo.send("one\r")
    echo.expect("<one>")
    relay.freeze()
    echo.send("two\r")
    echo.expect("trying again", timeout=40)
    relay.cut()
    relay.thaw()
    echo.expect("<two>")
    finish(echo)


@pytest.mark.slow
def test_silence_ends_a_command_without_a_terminal(far, relay, box):
    proc = far.popen("exec", "--pid", box.pid, "--", "sh", "-c", "echo up; sleep 1000")
    assert proc.stdout.readline() == b"up\n"
    relay.freeze()
    _, err = proc.communicate(timeout=40)
    relay.cut()
    relay.thaw()
    assert proc.returncode == 255 and b"did not answer" in err, err
