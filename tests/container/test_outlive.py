# SPDX-License-Identifier: GPL-3.0-or-later
"""Sessions that outlive what served them: kill -9 of each, a broker's restart with fifty live
sessions, and twenty who look on, of whom ten do not read."""
import contextlib
import os
import signal
import time

import pytest

from house.coral import children_of, drain, end_sessions
from house.grid import Grid, differences, same
from house.people import Person
from house.term import Pty, Tmux
from house.util import alive, wait_for
from test_share import masters

PROMPT = r"(?<!')reef\$ "
PAINTED = r"(?<!')reef\$"  # a painting has no blanks at the end of a line


@pytest.fixture(autouse=True)
def left_ones_end(make_agent):
    """Also after a failure; and nobody shares a connection unless a test is about that."""
    yield
    for agent in make_agent.made:
        end_sessions(agent)


@pytest.fixture
def agent(make_agent):
    one = make_agent()
    one.coral.extra["CORAL_SHARE"] = "no"
    return one


def shell(agent, box, person=None, **kw):
    """A shell at its prompt, which knows a word: (terminal, id)."""
    who = person or agent.coral
    before = {s["id"] for s in agent.coral.live()}
    term = Pty(who.argv("shell", "--pid", box.pid), who.env(), **kw)
    term.expect(r"[#$] ")
    term.send("PS1='reef$ '; kept=barnacle\r")
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
    term.proc.kill()
    term.close()
    wait_for("it to be detached", lambda: row(agent, sid)["state"] == "detached")
    assert inside(box)
    term = attach(agent, sid)
    knows(term)
    leave(term)
    none_left(agent, box, sid)


def test_shell_transport(agent, box):
    """The client comes back by itself, over another one; what is typed meanwhile arrives."""
    term, sid = shell(agent, box)
    for _ in range(3):
        old = agent.transports()
        assert len(old) == 1
        os.kill(old[0], signal.SIGKILL)
        knows(term)
    assert row(agent, sid)["state"] == "live"
    leave(term)
    none_left(agent, box, sid)


def test_shell_keeper(agent, box):
    term, sid = shell(agent, box)
    os.kill(agent.keepers()[sid], signal.SIGKILL)
    assert term.wait() == 255
    assert b"why:" in term.seen and b"try:" in term.seen, term.seen
    assert term.modes() == term.before
    term.close()
    none_left(agent, box, sid, "truncated")


def painter_of(agent, sid):
    """The one child of a keeper that is in no container and has no rights."""
    own = os.readlink("/proc/self/ns/pid")
    found = []
    for pid in children_of(agent.keepers()[sid]):
        try:
            if os.readlink(f"/proc/{pid}/ns/pid") == own:
                found.append(pid)
        except OSError:
            continue
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
    os.kill(term.proc.pid, signal.SIGKILL)
    term.close()
    wait_for("it to be detached", lambda: row(agent, sid)["state"] == "detached")
    with Pty(agent.coral.argv("attach", sid), agent.coral.env()) as term:
        term.send("\r")
        term.expect(PROMPT)
        knows(term)
        leave_code(term)
    none_left(agent, box, sid)


def leave_code(term, code=0):
    term.send("exit\r")
    assert term.wait() == code, term.seen


def test_shell_broker(agent, box):
    """It goes on; the new broker finds it, also for who comes later."""
    term, sid = shell(agent, box)
    agent.kill()
    knows(term)
    agent.start()
    knows(term)
    assert row(agent, sid)["state"] == "live"
    os.kill(term.proc.pid, signal.SIGKILL)
    term.close()
    wait_for("it to be detached", lambda: row(agent, sid)["state"] == "detached")
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
        os.kill(pid, signal.SIGKILL)
    wait_for("the transport to end", lambda: not any(map(alive, old)))
    agent.start()
    knows(term)
    leave(term)
    none_left(agent, box, sid)


@pytest.fixture
def far(make_agent, home, net):
    made = []

    def make(share="no"):
        person = Person(home, "alice", share=share)
        agent = make_agent(listen=True, host=net.here, keys=person.line())
        made.append(net.relay(agent.port))
        person.goes_to(made[-1])
        return person, made[-1], agent

    yield make
    for relay in made:
        relay.close()


def test_shell_master(far, box):
    """Who shared its connection connects anew, and so do the commands after it."""
    person, relay, agent = far("30s")
    assert person.run("ps").code == 0
    master, = wait_for("the master", lambda: masters(person.home))
    before = relay.accepted
    term, sid = shell(agent, box, person)
    try:
        assert person.run("ps").code == 0
        assert relay.accepted == before, "the connection was not shared"
        os.kill(master, signal.SIGKILL)
        knows(term)
        done = person.run("exec", "--pid", box.pid, "--", "echo", "on")
        assert (done.code, done.out, done.err) == (0, b"on\n", b""), done
        assert row(agent, sid)["state"] == "live"
        leave(term)
    finally:
        for pid in masters(person.home):
            os.kill(pid, signal.SIGKILL)
    none_left(agent, box, sid)


# And for exec.

@pytest.mark.parametrize("victim", ["client", "transport", "keeper", "broker"])
def test_exec(agent, box, victim):
    proc = agent.coral.popen("exec", "--pid", box.pid, "--", "sh", "-c",
                             "echo up; read x; echo $x; exit 5")
    assert proc.stdout.readline() == b"up\n"
    sid = agent.coral.live()[0]["id"]
    target = {"client": lambda: proc.pid, "transport": lambda: agent.transports()[0],
              "keeper": lambda: agent.keepers()[sid], "broker": lambda: agent.proc.pid}[victim]()
    os.kill(target, signal.SIGKILL)
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
            proc.stdin.write(f"kept=number-{n}; echo is-$kept\n".encode())
            proc.stdin.flush()
        for proc in procs:
            wait_for(f"shell {proc.number}", lambda p=proc: f"is-number-{p.number}\r".encode()
                     in b"".join(p.parts), 30)
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
        assert {s["state"]: 0 for s in rows}.keys() == {"live", "detached"}
        assert {s["id"] for s in rows} == set(keepers) and agent.keepers() == keepers
        for proc in procs[1::2]:
            proc.parts.clear()
            proc.stdin.write(b"echo after-$kept\n")
            proc.stdin.flush()
        for proc in procs[1::2]:
            wait_for(f"shell {proc.number}", lambda p=proc: f"after-number-{p.number}\r".encode()
                     in b"".join(p.parts), 20)
        words = set()
        for lost in [s for s in rows if s["state"] == "detached"]:
            with Pty(agent.coral.argv("attach", lost["id"]), agent.coral.env()) as term:
                term.expect(r"is-number-\d+\r")
                term.send("echo after-$kept\r")
                words.add(int(term.expect(r"after-number-(\d+)\r")[1]))
                leave_code(term)
        assert words == set(range(0, 50, 2))
    finally:
        for proc in procs:
            proc.stdin.close()
            proc.kill()
            proc.wait()


# Twenty who look on.

class Lookers:
    def __init__(self, agent, sid, home, count):
        self.terms = [Tmux(home, agent.coral.env(), agent.coral.argv("watch", sid))
                      for _ in range(count)]
        for term in self.terms:
            term.wait_prompt()

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


LOUD = "time head -c 40000000 /dev/zero | tr '\\0' '\\147' | fold -w 70"


def seconds(term):
    """What the shell's `time` says of LOUD: as long as the output was held up, so was it."""
    term.send(LOUD + "\r")
    found = term.expect(r"real\s+(\d+)m([\d.]+)s", 120)
    term.expect(PROMPT)
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


@pytest.mark.slow
def test_twenty_lookers(agent, box, home):
    """Ten read and ten do not; the one who types notices none of them."""
    term, sid = shell(agent, box)
    alone, quick = seconds(term), echoes(term)
    readers = deaf = None
    try:
        readers, deaf = Lookers(agent, sid, home, 10), Lookers(agent, sid, home, 10)
        deaf.signal(signal.SIGSTOP)
        looked_at = seconds(term)
        with_them = echoes(term)
        print(f"\n40 MB: {alone:.2f} s alone, {looked_at:.2f} s with 20; "
              f"echo: {quick:.1f} ms, {with_them:.1f} ms")
        term.send("clear; printf '\\033[1;32mthe end\\033[0m of it\\n'\r")
        term.expect("the end")
        first = readers.terms[0]
        first.wait_text(r"^the end of it\nreef\$")
        want = Grid(first, scrollback=False)
        for other in readers.terms[1:]:
            same(other, first, scrollback=False)
        # Who did not read shows what it showed; when it reads at last it is painted anew.
        assert "the end" not in deaf.terms[0].screen()
        deaf.signal(signal.SIGCONT)
        for other in deaf.terms:
            same(other, first, timeout=30, scrollback=False)
        assert not differences(Grid(first, scrollback=False), want)
        # With ten terminals that share two cores the machine itself is slower: held up means more.
        assert looked_at < alone * 12 + 5 and with_them < max(quick * 10, 100)
        who = row(agent, sid)
        assert len(who["attached"]) == 21, who
        leave(term)
        for one in readers.terms + deaf.terms:
            assert one.wait_dead() == 0
    finally:
        for one in (readers, deaf):
            if one:
                one.close()
        term.close()
