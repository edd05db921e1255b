# SPDX-License-Identifier: GPL-3.0-or-later
"""Sessions that outlive what served them: kill -9 of each, stops and restarts with fifty live
sessions, ends while they are frozen, and twenty who look on, of whom ten do not read."""
import contextlib
import os
import re
import signal
import time

import pytest

from house.casts import Cast
from house.coral import children_of, drain, end_sessions
from house.people import Person
from house.term import Pty, Tmux
from house.util import alive, wait_for
from test_pid1 import app, pod  # noqa: F401
from test_share import masters

PROMPT = r"reef\$ "
PAINTED = r"reef\$"  # a painting has no blanks at the end of a line


@pytest.fixture(autouse=True)
def left_ones_end(make_agent):
    """Also after a failure."""
    yield
    for agent in make_agent.made:
        end_sessions(agent)


@pytest.fixture
def agent(make_agent):
    """Nobody shares a connection unless a test is about that."""
    one = make_agent()
    one.coral.extra["CORAL_SHARE"] = "no"
    return one


def shell(agent, box, person=None, **kw):
    """A shell at its prompt, which knows a word: (terminal, id)."""
    who = person or agent.coral
    before = {s["id"] for s in agent.coral.live()}
    term = Pty(who.argv("shell", "--pid", box.pid, "-e", "PS1=reef$ "), who.env(), **kw)
    term.expect(PROMPT)
    term.send("kept=barnacle\r")
    term.expect(PROMPT)
    sid, = {s["id"] for s in agent.coral.live()} - before
    return term, sid


def knows(term, word="barnacle"):
    """It answers, and is the shell that it was."""
    term.send("echo it-is-$kept\r")
    term.expect("it-is-" + word)
    term.expect(PROMPT)


def row(agent, sid):
    return next(s for s in agent.coral.sessions() if s["id"] == sid)


def detached(agent, sid):
    wait_for("it to be detached", lambda: row(agent, sid)["state"] == "detached")


def lose(agent, sid, term):
    """The client goes without a word."""
    os.kill(term.proc.pid, signal.SIGKILL)
    term.close()
    detached(agent, sid)


def kill(agent, sid, victim, proc=None):
    """One of those that serve a session, as far as it can be told: all transports."""
    pids = {"client": lambda: [proc.pid], "transport": agent.transports,
            "keeper": lambda: [agent.keepers()[sid]], "broker": lambda: [agent.proc.pid]}[victim]()
    assert pids
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):  # that of a command which is over
            os.kill(pid, signal.SIGKILL)
    wait_for("their end", lambda: not any(map(alive, pids)))


def attach(agent, sid, person=None, **kw):
    who = person or agent.coral
    term = Pty(who.argv("attach", sid), who.env(), **kw)
    term.expect(PAINTED)
    return term


def leave(term, code=0):
    term.send("exit\r")
    assert term.wait() == code, term.seen
    term.close()


def inside(box):
    return [p for p in box.processes() if p != box.pid]


def none_left(agent, box, sid, state="ended"):
    wait_for("the session's processes to end", lambda: not inside(box), 15)
    wait_for("its state", lambda: row(agent, sid)["state"] == state, 15)
    wait_for("its keeper to end", lambda: sid not in agent.keepers())


# The table of what is killed, for a shell.

def test_shell_client(agent, box):
    term, sid = shell(agent, box)
    lose(agent, sid, term)
    assert inside(box)
    term = attach(agent, sid)
    knows(term)
    leave(term)
    none_left(agent, box, sid)


def test_shell_terminal(agent, box):
    """It goes away under a client that is told nothing else: nothing that was typed ends with it."""
    with Pty(["sh", "-c", "trap '' HUP; \"$@\"; :", "sh", *agent.coral.argv(
            "shell", "--pid", box.pid, "-e", "PS1=reef$ ")], agent.coral.env()) as term:
        term.expect(PROMPT)
        sid = agent.coral.live()[0]["id"]
        term.send("(until [ -e /tmp/gone ]; do sleep 0.05; done; echo out) &\r")
        term.expect(r"(?s)\[1\].*" + PROMPT)
        os.close(term.slave)
        os.close(term.master)
        term.slave, term.master = os.openpty()
        (box.root / "tmp/gone").touch()
        detached(agent, sid)
    leave(attach(agent, sid))
    (box.root / "tmp/gone").unlink()
    assert Cast(agent.coral.cast_path(sid)).own("stdin_eof") == []


def test_shell_transport(agent, box):
    """The client comes back by itself, over another one; what is typed meanwhile arrives."""
    term, sid = shell(agent, box)
    for _ in range(3):
        kill(agent, sid, "transport")
        knows(term)
    assert row(agent, sid)["state"] == "live"
    leave(term)
    none_left(agent, box, sid)


def test_shell_keeper(agent, box):
    term, sid = shell(agent, box)
    kill(agent, sid, "keeper")
    assert term.wait() == 255
    assert b"why:" in term.seen and b"try:" in term.seen, term.seen
    assert term.modes() == term.before
    term.close()
    none_left(agent, box, sid, "truncated")


def painter_of(agent, sid):
    """The children of a keeper that are in no container."""
    own = os.readlink("/proc/self/ns/pid")
    found = []
    for pid in children_of(agent.keepers()[sid]):
        with contextlib.suppress(OSError):
            if os.readlink(f"/proc/{pid}/ns/pid") == own:
                found.append(pid)
    return found


def test_shell_painter(agent, box):
    """A crash of the model costs a repaint at most."""
    term, sid = shell(agent, box)
    with Pty(agent.coral.argv("watch", sid), agent.coral.env()) as looker:
        looker.expect(PAINTED)
        for pid in wait_for("a painter", lambda: painter_of(agent, sid)):
            os.kill(pid, signal.SIGKILL)
        knows(term)
        looker.expect("it-is-barnacle")
    lose(agent, sid, term)
    with Pty(agent.coral.argv("attach", sid), agent.coral.env()) as term:
        term.send("\r")
        term.expect(PROMPT)
        knows(term)
        term.send("exit\r")
        assert term.wait() == 0
    none_left(agent, box, sid)


@pytest.mark.slow
def test_shell_painter_hangs(agent, box):
    """Nobody waits for it longer than half a minute, and those who come then are told."""
    term, sid = shell(agent, box)
    with Pty(agent.coral.argv("watch", sid), agent.coral.env()) as looker:
        looker.expect(PAINTED)
        stopped = wait_for("a painter", lambda: painter_of(agent, sid))
        for pid in stopped:
            os.kill(pid, signal.SIGSTOP)
        os.kill(term.proc.pid, signal.SIGKILL)
        term.close()
        with Pty(agent.coral.argv("attach", sid), agent.coral.env()) as term:
            term.expect(r"the screen cannot be shown again", timeout=60)
            knows(term)
            wait_for("it to be ended", lambda: not any(alive(pid) for pid in stopped))
            term.send("exit\r")
            assert term.wait() == 0
    none_left(agent, box, sid)


@pytest.mark.parametrize("signo", [signal.SIGKILL, signal.SIGTERM], ids=["killed", "stopped"])
def test_shell_broker(agent, box, signo):
    """It goes on; the new broker finds it, also for who comes later."""
    term, sid = shell(agent, box)
    agent.proc.send_signal(signo)
    agent.proc.wait(10)
    knows(term)
    agent.start()
    knows(term)
    assert row(agent, sid)["state"] == "live"
    lose(agent, sid, term)
    term = attach(agent, sid)
    knows(term)
    leave(term)
    none_left(agent, box, sid)


def test_shell_broker_then_transport(agent, box):
    """The way back leads through a broker that has never seen the session."""
    term, sid = shell(agent, box)
    old = agent.transports()
    agent.kill()
    for pid in old:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    wait_for("the transport to end", lambda: not any(map(alive, old)))
    agent.start()
    knows(term)
    leave(term)
    none_left(agent, box, sid)


def test_shell_master(make_agent, home, box):
    """Who shared its connection connects anew, and so do the commands after it."""
    person = Person(home, "alice", share="30s")
    agent = make_agent(listen=True, keys=person.line())
    agent.coral.extra["CORAL_SHARE"] = "no"
    person.goes_to(agent)
    assert person.run("ps").code == 0
    try:
        master, = wait_for("the master", lambda: masters(person.home))
        before = agent.transports()
        assert before
        term, sid = shell(agent, box, person)
        with contextlib.closing(term):
            wait_for("no connection of its own", lambda: set(agent.transports()) <= set(before))
            os.kill(master, signal.SIGKILL)
            knows(term)
            done = person.run("exec", "--pid", box.pid, "--", "echo", "on")
            assert (done.code, done.out, done.err) == (0, b"on\n", b""), done
            assert row(agent, sid)["state"] == "live"
            term.send("exit\r")
            assert term.wait() == 0, term.seen
    finally:
        for pid in masters(person.home):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
    none_left(agent, box, sid)


# And for exec.

def started(agent, box, script, *flags):
    """(proc, id) of a command that said "up"."""
    proc = agent.coral.popen("exec", *flags, "--pid", box.pid, "--", "bash", "-c", script)
    assert proc.stdout.readline() == b"up\n"
    return proc, agent.coral.live()[0]["id"]


@pytest.mark.parametrize("victim", ["client", "transport", "keeper", "broker"])
def test_exec(agent, box, victim):
    proc, sid = started(agent, box, "echo up; read x && echo $x && exit 5; exec sleep 1000")
    kill(agent, sid, victim, proc)
    if victim == "broker":
        agent.proc.wait()
        agent.start()
        assert row(agent, sid)["state"] == "live"
        assert proc.communicate(b"go\n", timeout=20)[0] == b"go\n"
        assert proc.returncode == 5
    else:
        proc.communicate(timeout=20)
        assert proc.returncode == {"client": -9, "transport": 255, "keeper": 255}[victim]
    none_left(agent, box, sid, "truncated" if victim == "keeper" else "ended")
    assert agent.coral.run("exec", "--pid", box.pid, "--", "echo", "on").out == b"on\n"


# Ends of what stands still.

def freeze(agent, sid):
    assert agent.coral.run("sessions freeze", sid).code == 0


def test_frozen_and_quit(agent, box):
    """Its owner may end it: no key is needed for that."""
    term, sid = shell(agent, box)
    term.send("\r")
    term.expect(PROMPT)
    freeze(agent, sid)
    term.expect("frozen by root")
    term.send("~.")
    assert term.wait() == 129, term.seen
    assert term.modes() == term.before
    term.close()
    none_left(agent, box, sid)
    end = Cast(agent.coral.cast_path(sid)).end
    assert (end["cause"], end["signal"]) == ("disconnected", "HUP"), end


@pytest.mark.parametrize("victim", ["client", "transport", "keeper"])
def test_frozen_and_lost(agent, box, victim):
    """A command ends with its connection, also one that stands still."""
    proc, sid = started(agent, box, "trap '' TERM HUP; echo up; while :; do sleep 0.05; done")
    freeze(agent, sid)
    kill(agent, sid, victim, proc)
    proc.communicate(timeout=20)
    none_left(agent, box, sid, "truncated" if victim == "keeper" else "ended")


def test_frozen_and_timed_out(agent, box):
    proc, sid = started(agent, box, "echo up; while :; do sleep 0.05; done", "--timeout", "2s")
    freeze(agent, sid)
    proc.communicate(timeout=20)
    assert proc.returncode == 124
    none_left(agent, box, sid)
    assert Cast(agent.coral.cast_path(sid)).end["cause"] == "timeout"


def test_frozen_and_kept_too_long(make_agent, box):
    """Nobody came back; that it was frozen is no reason to keep it."""
    agent = make_agent(start=False)
    (agent.coral.config.parent / "policy.yaml").write_text("defaults: {disconnect: {keep: 1s}}\n")
    agent.start()
    agent.coral.extra["CORAL_SHARE"] = "no"
    term, sid = shell(agent, box)
    freeze(agent, sid)
    os.kill(term.proc.pid, signal.SIGKILL)
    term.close()
    none_left(agent, box, sid)
    assert Cast(agent.coral.cast_path(sid)).end["cause"] == "disconnected"


# An agent that is process 1, whose pod is stopped.

def test_pod_is_stopped(pod, app):  # noqa: F811
    """Who is there is warned, who is not loses nothing of the record; all within the grace."""
    def begin():
        before = {s["id"] for s in pod.coral.sessions()}
        term = Pty(pod.coral.argv("shell", "--pid", app[1]), pod.coral.env())
        term.expect("# ")
        term.send("trap '' TERM HUP; echo so-far-$((6*7))\r")
        term.expect("so-far-42\r")
        sid, = {s["id"] for s in pod.coral.sessions()} - before
        return term, sid

    there, of_there = begin()
    gone, of_gone = begin()
    lose(pod, of_gone, gone)
    begun = time.monotonic()
    os.kill(pod.agent.pid, signal.SIGTERM)
    there.expect("being stopped")
    assert pod.proc.wait(25) == 0, (pod.bundle / "log").read_text()
    assert time.monotonic() - begun < 20
    # What is on the disk when the agent is gone is all that there will be.
    for sid in (of_there, of_gone):
        cast = Cast(pod.coral.cast_path(sid))
        assert not cast.cut and cast.end["cause"] == "agent_stopped", cast.end
        assert "so-far-42" in cast.output()
    assert there.wait() == 137, there.seen
    assert there.modes() == there.before
    there.close()
    assert not os.listdir(pod.coral.home / "run" / "live")


# Fifty.

def said(proc, text):
    wait_for(f"{text!r} of shell {proc.number}",
             lambda: text.encode() in b"".join(proc.parts), 30)


def tell(proc, line):
    proc.stdin.write(line.encode())
    proc.stdin.flush()


@pytest.mark.slow
def test_broker_restart_with_fifty(agent, box):
    """Fifty shells, of which every second has lost its client before."""
    procs = []
    try:
        for n in range(50):
            proc = agent.coral.popen("shell", "-tt", "--pid", box.pid)
            proc.parts, _ = drain(proc.stdout)
            drain(proc.stderr)
            proc.number = n
            procs.append(proc)
            tell(proc, f"kept=number-{n}; echo is-$kept.\n")
        for proc in procs:
            said(proc, f"is-number-{proc.number}.\r")
        for proc in procs[::2]:
            proc.kill()
            proc.wait()
        wait_for("half of them to be detached",
                 lambda: sum(s["state"] == "detached" for s in agent.coral.sessions()) == 25, 20)
        keepers = agent.keepers()
        assert len(keepers) == 50
        agent.kill()
        agent.start()
        rows = agent.coral.sessions()
        assert sorted(s["state"] for s in rows) == ["detached"] * 25 + ["live"] * 25
        assert {s["id"] for s in rows} == set(keepers) and agent.keepers() == keepers
        for proc in procs[1::2]:
            tell(proc, "echo after-$kept.\n")
        for proc in procs[1::2]:
            said(proc, f"after-number-{proc.number}.\r")
        words = set()
        for lost in [s for s in rows if s["state"] == "detached"]:
            with Pty(agent.coral.argv("attach", lost["id"]), agent.coral.env()) as term:
                shown = int(term.expect(r"is-number-(\d+)\.")[1])
                term.send("echo after-$kept.\r")
                words.add(int(term.expect(r"after-number-(\d+)\.\r")[1]))
                assert shown in words
                term.send("exit\r")
                assert term.wait() == 0, term.seen
        assert words == set(range(0, 50, 2))
    finally:
        for proc in procs:
            proc.stdin.close()
            proc.kill()
            proc.wait()


# Twenty who look on.

class Lookers:
    def __init__(self, agent, sid, home, count):
        self.terms = []
        try:
            for _ in range(count):
                self.terms.append(Tmux(home, agent.coral.env(), agent.coral.argv("watch", sid)))
            for term in self.terms:
                term.wait_text(PAINTED)
        except BaseException:
            self.close()
            raise

    def pids(self):
        for term in self.terms:
            server = int(term.cmd("display-message", "-p", "#{pid}"))
            yield next(p for p in children_of(server)
                       if os.path.basename(os.readlink(f"/proc/{p}/exe")) == "coral")

    def signal(self, signo):
        for pid in self.pids():
            os.kill(pid, signo)

    def close(self):
        with contextlib.suppress(StopIteration, OSError, RuntimeError):
            self.signal(signal.SIGCONT)  # who is stopped hears nothing else
        for term in self.terms:
            term.close()


LOUD = "time head -c 10000000 /dev/zero | tr '\\0' '\\147' | fold -w 70"


def seconds(term):
    """What the shell's `time` says of LOUD: as long as the output was held up, so was it."""
    term.send(LOUD + "\r")
    end = time.monotonic() + 60
    while not (found := re.search(rb"real\s+(\d+)m([\d.]+)s.*reef\$ ", term.seen, re.S)):
        assert time.monotonic() < end, f"held up; saw {term.seen[-300:]!r}"
        term.pump()
        term.seen = term.seen[-4000:]
    term.seen = b""
    return int(found[1]) * 60 + float(found[2])


def echoes(term, count=60):
    """Milliseconds of one typed letter, the slowest of them but two."""
    times = []
    for n in range(count):
        letter = bytes([97 + n % 26])
        start = time.monotonic()
        term.send(letter)
        term.expect(letter)
        times.append((time.monotonic() - start) * 1000)
        term.send("\x7f")
        term.expect(rb"\x08 \x08|\x08\x1b\[K")
    return sorted(times)[-3]


def show_the_end(lookers, timeout=30):
    """Nothing but that, in its colour."""
    for term in lookers.terms:
        term.wait_text(r"\Athe end of it\nreef\$\n\Z", timeout)
        assert re.match(r"\x1b\[1m\x1b\[32mthe end ?\x1b\[0m", term.screen(styled=True))


@pytest.mark.slow
def test_twenty_lookers(agent, box, home):
    """Ten read and ten do not; the one who types notices none of them."""
    term, sid = shell(agent, box)
    with contextlib.ExitStack() as stack:
        stack.callback(term.close)
        alone, quick = seconds(term), echoes(term)
        readers, deaf = (stack.enter_context(contextlib.closing(Lookers(agent, sid, home, 10)))
                         for _ in range(2))
        deaf.signal(signal.SIGSTOP)
        looked_at, with_them = seconds(term), echoes(term)
        print(f"\n10 MB: {alone:.2f} s alone, {looked_at:.2f} s with 20; "
              f"echo: {quick:.1f} ms, {with_them:.1f} ms")
        term.send("clear; printf '\\033[1;32mthe end\\033[0m of it\\n'\r")
        term.expect("the end")
        show_the_end(readers)
        # Who did not read shows what it showed; when it reads at last it is painted anew.
        assert not any("the end" in t.screen() for t in deaf.terms)
        deaf.signal(signal.SIGCONT)
        show_the_end(deaf)
        # With ten terminals that share two cores the machine itself is slower: held up means more.
        assert looked_at < alone * 12 + 5 and with_them < max(quick * 10, 100)
        who = row(agent, sid)
        assert len(who["attached"]) == 21, who
        term.send("exit\r")
        assert term.wait() == 0, term.seen
        for one in readers.terms + deaf.terms:
            assert one.wait_dead() == 0
