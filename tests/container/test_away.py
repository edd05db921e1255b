# SPDX-License-Identifier: GPL-3.0-or-later
"""Who is away from a session, and what becomes of both."""
import pytest

from house.relay import Relay
from house.util import wait_for
from test_reconnect import echo, far, finish, only, person, relay  # noqa: F401


@pytest.fixture
def second(agent, home):
    """Another way to the agent, for one who is not to be cut together with the first."""
    one = Relay(str(home / "second.sock"), str(agent.socket))
    yield one
    one.close()


@pytest.fixture
def guest(agent, person, echo, second):  # noqa: F811
    """guest(verb): somebody who came to the session over a way of their own."""
    class Other:
        def argv(self, verb, *args):
            return [*agent.coral.argv(verb, "--agent-addr", second.address, *args)]

        def env(self):
            return agent.coral.env()

    def come(verb):
        one = person(verb, only(agent), who=Other())
        echo.expect("looks on" if verb == "watch" else "joined")
        return one

    return come


@pytest.mark.parametrize("verb", ["watch", "join"])
def test_a_guest_comes_back(echo, guest, second, verb):  # noqa: F811
    """Cut before and behind the status line: painted anew, and what follows is shown."""
    one = guest(verb)
    second.cut()
    echo.expect("has left")
    echo.expect("looks on" if verb == "watch" else "joined")
    echo.send("first\r")
    one.expect("<first>")
    second.refuse()
    second.cut()
    one.expect(r"connection lost, trying again \(1 s\); \^C gives up")
    echo.send("meanwhile\r")
    echo.expect("<meanwhile>")
    second.listen()
    one.expect("<first>")
    one.expect("<meanwhile>")
    echo.send("after\r")
    one.expect("<after>")
    finish(echo)
    assert one.wait() == (0 if verb == "watch" else 7)


def test_a_guest_has_the_keyboard_no_more(echo, guest, second):  # noqa: F811
    """What is typed away from it reaches nobody, and it is to be asked for again."""
    one = guest("join")
    one.send("~k")
    echo.expect("asks for the keyboard")
    echo.send("~k")
    one.expect("you have the keyboard")
    one.send("mine\r")
    echo.expect("<mine>")
    second.refuse()
    second.cut()
    one.expect("trying again")
    one.send("lost\r~k")
    echo.send("owner\r")
    echo.expect("<owner>")
    second.listen()
    echo.expect("joined")
    one.expect("<owner>")
    one.send("\r~k")
    echo.expect("asks for the keyboard")
    echo.send("~k")
    one.expect("you have the keyboard")
    one.send("mine again\r")
    echo.expect("<mine again>")
    assert b"lost" not in echo.seen
    finish(one)


@pytest.mark.parametrize("verb", ["watch", "join"])
def test_a_guest_gives_up(guest, second, verb, agent):  # noqa: F811
    one = guest(verb)
    second.refuse()
    second.cut()
    one.expect(r"trying again")
    before = one.before
    one.send(b"\x03")
    assert one.wait(5) == 255
    assert one.modes() == before
    one.expect(f"coral {verb} --agent-addr {second.address} {only(agent)}")


@pytest.mark.parametrize("verb", ["watch", "join"])
def test_a_guest_finds_it_ended(echo, guest, second, verb):  # noqa: F811
    one = guest(verb)
    second.refuse()
    second.cut()
    one.expect("trying again")
    finish(echo)
    second.listen()
    assert one.wait() == 255
    one.expect("no way back")
    one.expect("has ended")


def test_a_guest_without_a_terminal(far, box, agent, person, second):  # noqa: F811
    """A session without a terminal has no picture of what it said meanwhile: that is told."""
    main = far.popen("exec", "--on-disconnect", "kill", "--pid", box.pid, "--", "cat")
    sid = wait_for("the session", lambda: next(iter(agent.keepers()), None))
    one = agent.coral.popen("watch", "--agent-addr", second.address, sid)

    def say(text):
        main.stdin.write(text)
        main.stdin.flush()
        assert main.stdout.readline() == text

    wait_for("the guest", lambda: len(next(s for s in agent.coral.sessions() if s["id"] == sid)
                                      .get("attached", [])) == 2)
    say(b"one\n")
    assert one.stdout.readline() == b"one\n"
    second.refuse()
    second.cut()
    assert b"connection lost, trying again" in one.stderr.readline()
    say(b"two\n")
    second.listen()
    assert b"what came meanwhile is left out" in one.stderr.readline()
    say(b"three\n")
    assert one.stdout.readline() == b"three\n"
    main.stdin.close()
    assert main.wait(10) == 0 and one.wait(10) == 0
    for stream in (main.stdout, main.stderr, one.stdin, one.stdout, one.stderr):
        stream.close()
