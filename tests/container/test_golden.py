# SPDX-License-Identifier: GPL-3.0-or-later
"""Two terminals that show the same program: one never lost its connection, the other is left and
come back to at random moments, in every way, at the same and at other sizes.  Cell by cell they
must be alike: text, attributes, cursor, modes, what is behind the alternate screen, scrollback.

The one that never lost anything is the container's own runtime in a terminal, without any of
coral; for top, whose screen is of the moment, it is one that looks on."""
import os
import random
import re
import signal
import time

import pytest

from house.coral import children_of, end_sessions
from house.grid import Grid, differences, same
from house.people import Person
from house.term import Tmux
from house.util import wait_for

SIZES = [(24, 80), (24, 80), (30, 100), (17, 61), (24, 79), (40, 132), (9, 33)]
WAYS = ["killed", "detached", "closed", "cut", "cut long"]
HISTORY = 30000
KEPT = 10000  # rows that the agent keeps
# The two have shells of different names, and what they said before is not compared.
BEGIN = r"PS1='reef$ '; printf '\033[H\033[2J\033[3J'"


class Pair:
    def __init__(self, home, person, agent, relay, box, seed):
        self.home, self.person, self.agent, self.relay, self.box = home, person, agent, relay, box
        self.rng = random.Random(seed)
        self.done = []  # how it was left, for the message
        self.never, self.mirrors = None, True
        self.size, self.sizes = SIZES[0], SIZES
        self.lost = self.open(self.person.argv("shell", "--pid", box.pid), self.person.env())
        self.lost.wait_prompt()
        self.sid = agent.coral.live()[0]["id"]

    def open(self, argv, env):
        return Tmux(self.home, env, argv, rows=self.size[0], cols=self.size[1], history=HISTORY)

    def beside_runc(self, runc):
        env = ["-e", "TERM=tmux-256color", "-e", "LANG=C.UTF-8"]
        argv = runc.exec_argv(self.box, "bash", tty=True)
        at = argv.index(self.box.name)
        self.never = self.open([*argv[:at], *env, *argv[at:]],
                               {"PATH": os.environ["PATH"], "HOME": str(self.home)})
        self.never.wait_prompt()
        for name in ("never", "lost"):
            getattr(self, name).type(BEGIN)
            getattr(self, name).wait_text(r"\Areef\$\n*\Z")
        return self

    def beside_watcher(self):
        self.never = self.open(self.agent.coral.argv("watch", "-q", self.sid), self.agent.coral.env())
        self.mirrors = False
        self.type(BEGIN)
        self.never.wait_text(r"\Areef\$\n*\Z")
        return self

    def both(self):
        return (self.never, self.lost) if self.mirrors else (self.lost,)

    def type(self, text, enter=True):
        for term in self.both():
            term.type(text, enter)

    def keys(self, *keys):
        for term in self.both():
            term.keys(*keys)

    def alike(self, **kw):
        try:
            same(self.lost, self.never, **kw)
        except AssertionError as e:
            raise AssertionError(f"after {self.done}: {e}") from None

    def client(self):
        """The coral in the terminal that will lose it."""
        server = int(self.lost.cmd("display-message", "-p", "#{pid}"))
        found = [p for p in children_of(server)
                 if os.path.basename(os.readlink(f"/proc/{p}/exe")) == "coral"]
        assert len(found) == 1, found
        return found[0]

    def wait(self, pattern, timeout=60):
        for term in self.both():
            term.wait_text(pattern, timeout)

    def prompt(self, after=""):
        """The shells read again: what is typed before is echoed in the middle of any output."""
        self.wait(after + r"reef\$ *\n*\Z")

    def resize(self):
        self.size = self.to or self.rng.choice(self.sizes)
        self.never.resize(*self.size)

    def lose(self, way=None, to=None):
        """Be left in one way, and come back at some size."""
        way, self.to = way or self.rng.choice(WAYS), to
        before, came = self.size, self.arrivals()
        getattr(self, "_" + way.replace(" ", "_"))()
        wait_for("it to be back", lambda: self.arrivals() > came, 20)
        self.done.append(f"{way} {before[1]}x{before[0]} to {self.size[1]}x{self.size[0]}")

    def arrivals(self):
        text = self.agent.coral.cast_path(self.sid).read_bytes()
        return text.count(b'"c","{\\"attached') + text.count(b'"c","{\\"reconnected')

    def _attach(self):
        # A terminal that knows nothing of the session.
        self.lost.close()
        self.resize()
        self.lost = self.open(self.person.argv("attach", self.sid), self.person.env())

    def _killed(self):
        os.kill(self.client(), signal.SIGKILL)
        self._attach()

    def _closed(self):
        self._attach()

    def _detached(self):
        time.sleep(0.1)  # what comes within 50 ms of a long line is no typist's
        self.keys("Enter")  # of which the program has its part as well
        self.lost.type("~d", enter=False)
        assert self.lost.wait_dead() == 255
        assert re.search(rf"\[detached: coral attach --identity \S+ {self.sid}\]",
                         self.lost.screen().replace("\n", ""))
        self._attach()

    def _cut(self):
        self.relay.cut(self.rng.choice(("reset", "end", "half near", "half far", "drop", "delay")))
        self.resize()
        self.lost.resize(*self.size)

    def _cut_long(self):
        """Until it is said in the terminal."""
        self.relay.refuse()
        self.relay.cut()
        self.lost.wait_text("connection lost")
        self.relay.listen()

    def _cut_and_resized(self):
        """The same for what has the whole screen.  Elsewhere a terminal that wraps anew lets rows
        scroll away as it likes, and a repaint of the screen shows them again."""
        self.relay.refuse()
        self.relay.cut()
        self.lost.wait_text("connection lost")
        self.resize()
        self.lost.resize(*self.size)
        self.relay.listen()

    def close(self):
        for term in (self.lost, self.never):
            if term:
                term.close()
        end_sessions(self.agent)


@pytest.fixture
def pair(make_agent, home, net, box):
    made = []

    def make(seed):
        person = Person(home, "alice")
        agent = make_agent(listen=True, host=net.here, keys=person.line())
        relay = net.relay(agent.port)
        person.goes_to(relay)
        made.append(relay)
        made.insert(0, Pair(home, person, agent, relay, box, seed))
        return made[0]

    yield make
    for one in made:
        one.close()


def test_the_comparison_sees(tmux, home):
    """What it is for: each of these differs from the first in one thing."""
    def show(text, **kw):
        term = tmux(["/bin/sh", "-c", f"printf '{text}done'; exec sleep 1000"],
                    {"PATH": "/bin"}, **kw)
        term.wait_text("done")
        return Grid(term)

    first = show("one\\033[1mtwo\\033[0m")
    assert not differences(show("one\\033[1mtwo\\033[m"), first)
    for other in ("one\\033[1;3mtwo\\033[0m", "onetwo", "one\\033[1mtwo\\033[0;31m",
                  "\\033[?1hone\\033[1mtwo\\033[0m", "\\033[?25lone\\033[1mtwo\\033[0m",
                  "\\033[2;9rone\\033[1mtwo\\033[0m", "\\033[?1006hone\\033[1mtwo\\033[0m",
                  "one\\033[1mtwo\\033[0m\\033[s\\033[9H\\033[45m  \\033[0m\\033[u",
                  "x\\033[?1049h\\033[Hone\\033[1mtwo\\033[0m"):
        assert differences(show(other), first), other
    assert differences(show("one\\033[1mtwo\\033[0m", cols=81), first)


@pytest.mark.parametrize("seed", [1, 2])
def test_vi(pair, runc, seed):
    both = pair(seed).beside_runc(runc)
    both.type("vi -n -u NONE -i NONE -N /etc/tide")
    both.never.wait_text(r"10L|line 10")
    both.alike(scrollback=False)
    # vi leaves out what it would draw between keys that come together: one thing at a time.
    for keys in ([":set hlsearch nu showmode|syntax off", "\r"], ["/reef", "\r"],
                 ["3G", "o", "一二 wide 三"], ["\x1b", "V", "j", "j"],
                 ["\x1b", "G", ":split", "\r"], ["A", " and more"]):
        for some in keys:
            was = Grid(both.never, scrollback=False)
            both.type(some, enter=False)
            wait_for("vi to take it", lambda: differences(Grid(both.never, scrollback=False), was))
            both.alike(scrollback=False)
        both.lose(both.rng.choice([*WAYS, "cut and resized"]))
        both.alike(scrollback=False)
    # tmux keeps the other screen in the size that it had; in another it shows remains of vi.
    both.lose("killed", to=SIZES[0])
    both.type("\x1b", enter=False)
    both.alike(scrollback=False)
    both.type(":qa!")
    both.prompt()
    both.alike()


@pytest.mark.parametrize("seed", [3, 4])
def test_less(pair, runc, seed):
    both = pair(seed).beside_runc(runc)
    both.type("seq 1 200")
    both.prompt(after=r"^200\n")
    both.type("LESS= LESSHISTFILE=- /bin/less /etc/rows")
    both.never.wait_text(r"^row 1$")
    both.alike(scrollback=False)
    for keys in ("/row 321\r", "G", "b", "/row .3$\r", "-S\r"):
        both.type(keys, enter=False)
        both.alike(scrollback=False)
        both.lose(both.rng.choice([*WAYS, "cut and resized"]))
        both.alike(scrollback=False)
    both.type("q", enter=False)
    both.prompt()
    both.alike()


@pytest.mark.parametrize("seed", [5, 6])
def test_top(pair, seed):
    # After a full row top clears to the end of the line, which in xterm takes the last column with
    # it, and in tmux does not: of two good terminals one differs there from any painting.
    both = pair(seed).beside_watcher()
    both.type("HOME=/nowhere bash -c 'exec /bin/top -d 100 -p 1 -p $$'")
    both.never.wait_text(r"^ *PID +USER")
    both.alike(scrollback=False, edge=False)
    for keys in ("z", "xb", "E", "c", "V"):
        both.type(keys, enter=False)
        both.alike(scrollback=False, edge=False)
        both.lose()
        both.alike(scrollback=False, edge=False)
    both.type("q", enter=False)
    both.prompt()
    both.alike(scrollback=False, edge=False)


ROWS = ("i=0; while [ $((i+=1)) -le 10000 ]; do printf \"\\e[$((31+i%7))mrow $i\\e[0m "
        "%.$((i%20))s|\\n\" $FILL; [ $((i%200)) -gt 0 ] || sleep 0.01; done")


@pytest.mark.parametrize("seed", [7, 8])
def test_scrollback(pair, runc, seed):
    """Ten thousand lines, left while they come and after."""
    both = pair(seed).beside_runc(runc)
    both.type("FILL=0123456789abcdefghij")
    both.type(ROWS)
    for _ in range(3):
        at = both.rng.randrange(500, 3000)
        wait_for("some more rows", lambda: (n := re.findall(r"row (\d+)", both.lost.screen()))
                 and int(n[-1]) >= at, 20)
        both.lose(both.rng.choice(("killed", "closed", "cut")))
    both.prompt(after=r"row 10000 .*\n(.*\n)?")
    both.alike(last=KEPT)
    for _ in range(3):
        both.lose()
        both.alike(last=KEPT)
    both.type("echo 'and on'")
    both.prompt(after=r"^and on\n")
    both.alike(last=KEPT)
    assert len(Grid(both.lost).rows) > KEPT


def test_more_than_is_kept(pair, runc):
    """More than the agent keeps for a connection that is lost: a repaint into a terminal that
    has something on it already."""
    both = pair(9).beside_runc(runc)
    go = both.box.root / "tmp/go"
    both.type("echo first; until [ -e /tmp/go ]; do sleep 0.05; done; seq 100001 160000; echo last")
    both.never.wait_text("^first$")
    both.alike()
    both.relay.refuse()
    both.relay.cut()
    go.write_text("")
    both.never.wait_text(r"^last\nreef\$")
    go.unlink()
    cast = both.agent.coral.cast_path(both.sid)
    wait_for("all of it to be recorded", lambda: b"last\\r\\n" in cast.read_bytes()[-4096:])
    both.relay.listen()
    both.lost.wait_text(r"^last\nreef\$", 30)
    # Neither the terminal nor the agent keeps all of it.
    both.alike(last=KEPT)


# What terminals disagree about (symbols, emoji) stands away from the edge: it is not left to a
# terminal to wrap those, and the row after them is a line of its own then.
WIDE = ("for w in 海 日本語のテキスト 한국어 a海 é́ ｆｕｌｌ; do for n in 1 2 3 4 5 6 7 8 9 "
        "10 11 12; do printf '%s' \"$w\" \"$w\" $n; printf '\\e[3%d;4m%s\\e[0m' $((n%7)) \"$w\"; done; "
        "echo; done; printf '\\e[44m海 🐠\\e[0m 🐠\\n'")


@pytest.mark.parametrize("seed", [10, 11])
def test_double_width(pair, runc, seed):
    """Wide characters at every column, also where only half of one fits."""
    both = pair(seed).beside_runc(runc)
    # Growing from where little fits tmux 3.3 itself has its cursor in a wrong row then.
    both.sizes = SIZES[:-1]
    both.type(WIDE)
    both.prompt(after=r"🐠\n")
    both.alike()
    for n in range(4):
        both.lose()
        both.alike()
        both.type(f"printf '%{both.rng.randrange(1, 80)}s海海海 ' x; echo 端{n}")
        both.prompt(after=rf"端\s*{n}\n")
        both.alike()


@pytest.mark.parametrize("seed", [12, 13])
def test_typed_across_cuts(pair, runc, seed):
    """Every key arrives once, whatever happens to the network while it is under way."""
    both = pair(seed).beside_runc(runc)
    both.type("echo go; cat >/tmp/typed.$$")
    both.wait("^go$")
    for n in range(9):
        text = "".join(both.rng.choice("abc xyz~.d海") for _ in range(both.rng.randrange(1, 30)))
        both.type("k" + text, enter=False)
        both.relay.cut(both.rng.choice(("reset", "end", "half near", "half far", "drop")))
        both.type(f" {n}")
    both.alike()
    both.keys("C-d")
    both.prompt(after=r" 8\n")
    both.type("cat -A /tmp/typed.$$; rm /tmp/typed.$$")
    both.prompt(after=r" 8\$\n")
    both.alike()
