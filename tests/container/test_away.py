# SPDX-License-Identifier: GPL-3.0-or-later
"""Who is away from a session, and what becomes of both."""
import contextlib
import ipaddress
import os
import pathlib
import re
import signal
import subprocess
import termios
import time

import pytest

from house.casts import Cast
from house.coral import Coral, children_of, free_port, status_of
from house.relay import Relay
from house.term import Pty, settled
from house.util import run, stop, wait_for
from test_errors import small_disk, three_parts  # noqa: F401
from test_reconnect import ECHO, echo, far, finish, only, person, relay  # noqa: F401


def state(agent):
    return agent.coral.sessions()[0]["state"]


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
        one.expect("up")  # before that a lost connection is a failure
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
    assert one.wait() == 255
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


class Wire:
    """A network namespace of its own at the other end of a wire: here is 1, there is 2."""

    def __init__(self):
        number = os.getpid() % (1 << 14)
        self.name, self.net = f"cwire{number}", (198 << 24) + (18 << 16) + 8 * number
        self.proc = subprocess.Popen(["unshare", "-n", "sleep", "1000"])
        ours = os.readlink("/proc/self/ns/net")
        wait_for("the namespace", lambda: os.readlink(f"/proc/{self.proc.pid}/ns/net") != ours)
        run(["ip", "link", "add", self.name, "type", "veth", "peer", "name", "wire", "netns",
             str(self.proc.pid)])
        run(["ip", "addr", "add", f"{self.at(1)}/29", "dev", self.name])
        run(["ip", "link", "set", self.name, "up"])
        self.there("ip", "addr", "add", f"{self.at(2)}/29", "dev", "wire")
        self.there("ip", "link", "set", "wire", "up")

    def at(self, last):
        """An address on it: of the networks that are for such tests, one for each process."""
        return str(ipaddress.ip_address(self.net + last))

    def prefix(self):
        return ["nsenter", "-t", str(self.proc.pid), "-n"]

    def there(self, *argv):
        run([*self.prefix(), *argv])

    def pull(self):
        run(["ip", "link", "set", self.name, "down"])

    def plug(self):
        run(["ip", "link", "set", self.name, "up"])

    def close(self):
        with contextlib.suppress(RuntimeError):
            run(["ip", "link", "del", self.name])
        stop(self.proc)


@pytest.fixture
def wire():
    one = Wire()
    yield one
    one.close()


@pytest.fixture
def wired(wire, make_agent, key, box, home):
    """(agent, one): alice, at a terminal at the other end of the wire, in a session that echoes."""
    port = free_port()
    agent = make_agent(keys=key.line('user="alice"'), flags=(
        "--listen", f"{wire.at(1)}:{port}", "--authorized-keys", str(home / "authorized_keys")))
    there = Coral(home / "laptop", ["--agent-addr", f"{wire.at(1)}:{port}", "--identity",
                                   str(key.path)])
    with Pty([*wire.prefix(), *there.argv("exec", "-t", "--on-disconnect", "detach", "--pid", box.pid,
                                          "--", "sh", "-c", ECHO)], there.env()) as one:
        one.expect("SHA256:")
        one.send("yes\r")
        one.expect("up\r\n")
        yield agent, one


@pytest.mark.slow
def test_a_changed_address(wire, wired):
    """As from one network to the next: the old address is gone without a word."""
    agent, one = wired
    one.send("before\r")
    one.expect("<before>")
    wire.there("ip", "addr", "del", f"{wire.at(2)}/29", "dev", "wire")
    wire.there("ip", "addr", "add", f"{wire.at(3)}/29", "dev", "wire")
    one.send("after\r")
    one.expect("<after>", timeout=60)
    attached, = agent.coral.sessions()[0]["attached"]
    assert wire.at(3) in attached["peer"], attached
    wait_for("the agent to give up the old one", lambda: len(agent.transports()) == 1, 120)
    finish(one)


@pytest.mark.slow
def test_a_wire_is_pulled(wire, wired):
    """No reset, no end: each side finds out by itself, the agent after a minute."""
    agent, one = wired
    one.send("before\r")
    one.expect("<before>")
    wire.pull()
    one.expect("connection lost, trying again", timeout=60)
    one.send("meanwhile\r")
    assert state(agent) == "live"
    wait_for("the agent to notice", lambda: state(agent) == "detached", 120)
    wire.plug()
    one.expect("<meanwhile>", timeout=60)
    assert state(agent) == "live"
    finish(one)


def stopped(pid):
    return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "T"


def is_raw(one):
    return not one.modes()[3] & termios.ICANON


@pytest.mark.parametrize("when", ["alive", "just away", "away"])
def test_stopped_from_outside(echo, relay, when):  # noqa: F811
    """The terminal is as it was, then raw again and painted anew; nothing typed is lost."""
    echo.send("before\r")
    echo.expect("<before>")
    if when != "alive":
        relay.refuse()
        relay.cut()
    if when == "away":
        echo.expect("trying again")
    os.kill(echo.proc.pid, signal.SIGTSTP)
    wait_for("it to stop", lambda: stopped(echo.proc.pid))
    assert echo.modes() == echo.before
    echo.pump()
    echo.seen = b""
    if when != "alive":
        relay.listen()
    os.kill(echo.proc.pid, signal.SIGCONT)
    wait_for("raw mode", lambda: is_raw(echo))
    echo.expect("<before>")
    echo.send("after\r")
    echo.expect("<after>")
    finish(echo)
    assert echo.modes() == echo.before


@pytest.mark.parametrize("way", ["alive", "away"])
def test_suspended_in_a_shell(far, relay, box, agent, person, way):  # noqa: F811
    """~^Z, then the shell's own jobs, bg and fg; in the background it leaves the terminal alone."""
    class Shell:
        def argv(self, *_):
            return ["bash", "--norc", "--noprofile", "--noediting", "-i"]

        def env(self):
            return {**far.env(), "PS1": "host> "}

    one = person("", who=Shell())
    one.expect("host> ")
    words = " ".join(far.argv("exec", "-t", "--on-disconnect", "detach", "--pid", box.pid, "--"))
    one.send(f"{words} sh -c '{ECHO}'\r".replace("u''p", 'u""p'))
    one.expect("up\r\n")
    one.send("before\r")
    one.expect("<before>")
    if way == "away":
        relay.refuse()
        relay.cut()
        one.expect("trying again")
    one.send("~\x1a")
    one.expect(r"(?s)Stopped.*host> ")
    assert one.modes() == one.before
    one.send("bg\r")
    one.expect(r"\[1\]\+ .*&")
    # The shell tells of it at its next prompt, and of what is not stopped by then it tells nothing.
    wait_for("it to be stopped", lambda: "T" in [
        status_of(p)["State"].split()[0] for p in children_of(one.proc.pid)])
    one.send("\r")
    one.expect(r"(?s)Stopped.*host> ")
    assert one.modes() == one.before
    if way == "away":
        relay.listen()
    one.send("fg\r")
    one.expect("<before>")
    one.send("after\r")
    one.expect("<after>")
    one.send("\x04")
    one.expect("host> ")
    one.send("echo $?\r")
    one.expect("7\r\n")
    assert one.modes() == one.before
    one.send("exit 0\r")
    assert one.wait() == 0


def policy(agent, text):
    (agent.coral.config.parent / "policy.yaml").write_text(text)


@pytest.fixture
def strict(make_agent, box):
    """strict(policy, script): an agent with it, and a terminal at a session that it keeps."""
    made = []

    def start(text, script=ECHO, prepare=None):
        agent = make_agent(start=False)
        if prepare:
            prepare(agent.coral)
        policy(agent, text)
        agent.start()
        made.append(Pty(agent.coral.argv("exec", "-t", "--pid", box.pid, "--", "sh", "-c", script),
                        agent.coral.env()))
        made[0].expect("up\r\n")
        return agent, made[0]

    yield start
    for one in made:
        one.close()


def test_a_shell_that_asks_its_terminal(agent, bare, tmux):
    """busybox's asks for the cursor's place at each prompt: nobody typed the answer."""
    term = tmux(agent.coral.argv("shell", "--pid", bare.pid), agent.coral.env())
    term.wait_prompt()
    term.type("echo one")
    settled(term.screen)
    assert "\x1b[6n" in Cast(agent.coral.cast_path(only(agent))).output(), "it does not ask"
    term.type("~?", enter=False)
    term.wait_text("^Escapes, at the beginning of a line:")
    term.type("~d", enter=False)
    assert term.wait_dead() == 255
    assert state(agent) == "detached"
    assert agent.coral.run("kill", only(agent)).code == 0


def test_nobody_comes_back(strict):
    """What is kept for a second has ended after it; the record says why, and so does attach."""
    agent, one = strict("defaults: {disconnect: {exec: detach, keep: 1s}}\n")
    sid = only(agent)
    one.send("~d")
    assert one.wait() == 255
    wait_for("the session to end", lambda: not agent.keepers())
    end = Cast(agent.coral.cast_path(sid)).end
    assert (end["cause"], end["signal"]) == ("disconnected", "HUP"), end
    when = r"at 20\d\d-\d\d-\d\dT[0-9:.]*Z, with exit code 129: nobody was attached any more"
    for verb in ("attach", "watch", "join"):
        done = agent.coral.run(verb, sid)
        three_parts(done, "has ended", f"coral replay {sid}")
        assert done.code == 125 and re.search(when, done.errtext), done


def test_hung_up_by_its_owner(strict):
    """Somebody was attached until ~. ended it: nobody is told that it was for want of people."""
    agent, one = strict("defaults: {disconnect: {exec: detach}}\n")
    sid = only(agent)
    one.send("~.")
    assert one.wait() == 129
    wait_for("the session to end", lambda: not agent.keepers())
    done = agent.coral.run("kill", sid)
    three_parts(done, "has ended", f"coral replay {sid}")
    assert "or its owner hung up" in done.errtext, done


def fill(coral):
    with open(coral.state / "filler", "wb", buffering=0) as f, contextlib.suppress(OSError):
        while f.write(b"x" * 4096):
            pass


@pytest.fixture
def late(strict, small_disk, box):  # noqa: F811
    """late(on_failure): a session that nobody is attached to, on a disk that is full now; it
    writes when told to."""
    go = box.root / "tmp/go"

    def start(how):
        agent, one = strict(
            f"defaults: {{disconnect: {{exec: detach}}, record: {{on_failure: {how}}}}}\n",
            "echo up; until [ -e /tmp/go ]; do sleep 0.05; done; seq 100000 160000; read x; exit 7",
            small_disk)
        one.send("~d")
        assert one.wait() == 255
        fill(agent.coral)
        go.touch()
        return agent, only(agent)

    yield start
    go.unlink()


def test_full_disk_holds_a_session_nobody_looks_at(late, person):  # noqa: F811
    """Who attaches meanwhile is shown nothing that is not recorded, and then all of it."""
    agent, sid = late("block")
    watcher = person("watch", sid, who=agent.coral)
    watcher.expect("recording failed: the session is held")
    back = person("attach", sid, who=agent.coral)
    back.expect("recording failed: the session is held")
    (agent.coral.state / "filler").unlink()
    back.expect("160000\r\n", timeout=40)
    back.send("\r")
    assert back.wait() == 7 and watcher.wait() == 0
    cast = Cast(agent.coral.cast_path(sid))
    assert "160000" in cast.output() and cast.end["exit_code"] == 7


def test_full_disk_ends_a_session_nobody_looks_at(late):
    agent, sid = late("kill")
    wait_for("the session to end", lambda: not agent.keepers(), 20)
    done = agent.coral.run("attach", sid)
    three_parts(done, sid)
    assert done.code == 125 and "record" in done.errtext, done
    shown = agent.coral.sessions()[0]
    assert shown["state"] in ("ended", "truncated"), shown


@pytest.mark.slow
def test_stopped_for_longer_than_silence(echo, relay):  # noqa: F811
    """Nearest to a sleep that a test can come: both ends have been silent for half a minute."""
    echo.send("before\r")
    echo.expect("<before>")
    os.kill(echo.proc.pid, signal.SIGSTOP)
    over = time.monotonic() + 30
    echo.send("typed meanwhile\r")
    wait_for("silence to be over", lambda: time.monotonic() > over, 60)
    os.kill(echo.proc.pid, signal.SIGCONT)
    echo.expect("<typed meanwhile>")
    echo.send("after\r")
    echo.expect("<after>")
    assert relay.accepted == 1 and b"lost" not in echo.seen
    finish(echo)
