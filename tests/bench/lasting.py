# SPDX-License-Identifier: GPL-3.0-or-later
"""What sessions that last cost: to come back to one, to type through its keeper, to hold it."""
import contextlib
import os
import pathlib
import random
import shlex
import statistics
import time

from house.coral import children_of, end_sessions
from house.term import Pty
from house.util import run, wait_for

ROWS = "seq -f 'row %g of the tide, and a few more words' 10000"
LAST = "the-last-one"
RAW = "stty raw -echo; echo ready; exec cat"
LETTERS = b"jkvwxyz"  # in no sequence that moves a cursor or paints
PSS_SESSION, PSS_AGENT = 1.5, 4.0  # MiB, the limits


class Tmux:
    """A server of our own; it begins with its first session."""

    def __init__(self, base, name):
        self.env = {"PATH": "/usr/bin:/bin", "TERM": "xterm-256color", "LANG": "C.UTF-8"}
        self.argv = ["tmux", "-u", "-S", str(base / f"{name}.sock"), "-f", "/dev/null"]

    def begin(self, command):
        """A session's id."""
        return self("set", "-g", "history-limit", "20000", ";", "set", "-g", "status", "off", ";",
                    "new", "-d", "-P", "-F", "#{session_id}", "-x", "80", "-y", "24",
                    command).strip()

    def attach(self, session):
        return [*self.argv, "attach", "-t", session]

    def __call__(self, *words, check=True):
        return run([*self.argv, *words], env=self.env, check=check).stdout

    def close(self):
        self("kill-server", check=False)


def until(argv, env, marker):
    """ms from the start of a program on a terminal to the bytes of marker; it is killed then."""
    with Pty(argv, env) as term:
        start = time.perf_counter()
        tail = b""
        while marker not in tail:
            try:
                tail = tail[-200:] + os.read(term.master, 65536)
            except OSError:
                raise SystemExit(f"{argv} ended: {tail!r}") from None
        return (time.perf_counter() - start) * 1000


class Held:
    """A recorded shell, of which the client can be ended."""

    def __init__(self, agent, box, flags=()):
        self.agent, self.flags = agent, flags
        before = set(agent.keepers())
        self.term = Pty(agent.coral.argv("shell", *flags, "--pid", box.pid, "-e", "PS1=$ "),
                        agent.coral.env())
        self.term.expect(r"\$ ")
        self.sid, = set(agent.keepers()) - before

    def run(self, line, last):
        self.term.send(line + "\r")
        self.term.expect(last, 60)

    def state(self):
        return next(s for s in self.agent.coral.sessions() if s["id"] == self.sid)["state"]

    def leave(self):
        self.term.close()
        wait_for("it to be detached", lambda: self.state() == "detached")

    def attach(self):
        return self.agent.coral.argv("attach", *self.flags, self.sid)


def reattach(base, box, agent, sshd, rounds):
    """{name: median ms}: the same ten thousand lines behind all."""
    held = Held(agent, box)
    held.run(f"PS1=; {ROWS}; echo the-last''-one", "\r\n" + LAST)
    held.leave()
    cold = {**agent.coral.env(), "CORAL_SHARE": "no"}
    with contextlib.closing(Tmux(base, "back")) as tmux:
        attach = tmux.attach(tmux.begin(f"{ROWS}; echo {LAST}; exec sleep 100000"))
        wait_for("tmux's lines", lambda: LAST in tmux("capture-pane", "-p"))
        rows = {"coral attach": (held.attach(), agent.coral.env()),
                "coral attach, not shared": (held.attach(), cold),
                "tmux attach": (attach, tmux.env),
                "ssh -tt tmux attach": (sshd.argv(shlex.join(attach), flags=("-tt",)), tmux.env)}
        times = {name: [] for name in rows}
        for n in range(rounds + 1):
            for name, (argv, env) in rows.items():
                took = until(argv, env, LAST.encode())
                if n:
                    times[name].append(took)
        agent.coral.run("kill", held.sid)
        return {name: statistics.median(t) for name, t in times.items()}


def echoes(terms, count=400):
    """{name: (p50, p99) in us} of one typed byte's way to `cat` in raw mode and back, in turn."""
    times = {name: [] for name in terms}
    order = list(terms)
    for term in terms.values():
        term.pump(0.2)
    for n in range(count):
        letter = LETTERS[n % len(LETTERS):][:1]
        random.shuffle(order)  # what one leaves to be done holds up the next
        for name in order:
            master, got = terms[name].master, b""
            start = time.perf_counter()
            os.write(master, letter)
            while letter not in got:
                got += os.read(master, 4096)
            times[name].append((time.perf_counter() - start) * 1e6)
    return {name: (statistics.median(t), sorted(t)[int(len(t) * 0.99)])
            for name, t in times.items()}


def echo_held(base, box, agent, sshd, tcp):
    """Through a keeper that can be left, through one that was, and through what else holds shells."""
    env = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "TERM": "xterm"}
    raw = RAW.replace("ready", "rea''dy")
    with contextlib.ExitStack() as stack:
        tmux = stack.enter_context(contextlib.closing(Tmux(base, "echo")))
        here, there = tmux.attach(tmux.begin(RAW)), tmux.attach(tmux.begin(RAW))
        begun = [Held(agent, box), Held(agent, box), Held(agent, box, tcp)]
        stack.callback(lambda: agent.coral.run("kill", *[held.sid for held in begun]))
        for held in begun:
            held.run(raw, r"[\r\n]ready")
        for held in begun[1:]:
            held.leave()
        stack.enter_context(begun[0].term)
        terms = {"coral shell, socket": begun[0].term}
        for name, argv, e in (
                ("coral attach, socket", begun[1].attach(), agent.coral.env()),
                ("coral attach, TCP", begun[2].attach(), agent.coral.env()),
                ("ssh -tt", sshd.argv(RAW, flags=("-tt",)), env),
                ("tmux attach", here, tmux.env),
                ("ssh -tt tmux attach", sshd.argv(shlex.join(there), flags=("-tt",)), tmux.env)):
            terms[name] = stack.enter_context(Pty(argv, e))
            terms[name].expect("ready")
        return echoes(terms)


def pss(pid, *names):
    """KiB, or 0 of what is gone or runs something else."""
    with contextlib.suppress(OSError):
        if os.readlink(f"/proc/{pid}/exe").split("/")[-1].split()[0] in names:
            for line in pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
                if line.startswith("Pss:"):
                    return int(line.split()[1])
    return 0


def of_agent(agent):
    """KiB of the agent's side: broker, transports, keepers, painters; no client."""
    pids = {agent.proc.pid, *children_of(agent.proc.pid)}
    for pid in agent.keepers().values():
        pids.update([pid, *children_of(pid)])
    # An agent runs from a copy of itself in memory.
    return sum(pss(pid, "coral", "memfd:coral") for pid in pids)


def at_rest(agent):
    """The same, when what is not needed was given back: some seconds after the last that happened."""
    time.sleep(5)
    return of_agent(agent)


def nobody_there(agent):
    return (not agent.transports() and
            all(s["state"] != "live" for s in agent.coral.sessions()))


def of_coral(box, agent, count):
    """MiB that each of so many shells adds: attached, left, attached to once and left."""
    # The process that writes the audit log stays.
    wait_for("the agent to be idle", lambda: len(children_of(agent.proc.pid)) == 1, 90)
    idle, got = at_rest(agent), {}
    held = [Held(agent, box) for _ in range(count)]
    try:
        for one in held:
            one.run("seq 2000; echo the-last''-one", LAST)
        got["coral, attached"] = (at_rest(agent) - idle) / 1024 / count
        for one in held:
            one.term.close()
        wait_for("all to be detached", lambda: nobody_there(agent), 90)
        got["coral, detached"] = (at_rest(agent) - idle) / 1024 / count
        for one in held:
            until(one.attach(), agent.coral.env(), LAST.encode())
        wait_for("all to be detached again", lambda: nobody_there(agent), 90)
        got["coral, attached to and left"] = (at_rest(agent) - idle) / 1024 / count
    finally:
        end_sessions(agent)
        for one in held:
            with contextlib.suppress(OSError):
                one.term.close()
    return idle / 1024, got


def of_peers(base, sshd, count):
    """MiB of each: sshd's processes, and a tmux server's; without the shells."""
    def of_sshd():
        return sum(pss(pid, "sshd") for pid in [sshd.proc.pid, *children_of(sshd.proc.pid)])

    got = {}
    idle = of_sshd()
    env = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "TERM": "xterm"}
    with contextlib.ExitStack() as stack:
        for _ in range(count):
            term = stack.enter_context(Pty(sshd.argv(flags=("-tt",)), env))
            term.send(f"seq 2000; echo {LAST[:4]}''{LAST[4:]}\r")
            term.expect(LAST, 30)
        got["sshd, attached"] = (of_sshd() - idle) / 1024 / count
        tmux = stack.enter_context(contextlib.closing(Tmux(base, f"held-{count}")))
        for sid in [tmux.begin(f"seq 2000; echo {LAST}; exec sleep 100000") for _ in range(count)]:
            wait_for("tmux's lines", lambda s=sid: LAST in tmux("capture-pane", "-p", "-t", s + ":"))
        server = int(tmux("display-message", "-p", "#{pid}"))
        got["tmux, detached"] = pss(server, "tmux") / 1024 / count
    return got


def memory(base, box, agent, sshd, table):
    agent.coral.extra["CORAL_SHARE"] = "no"  # each with a connection of its own
    try:
        for count in (1, 20):
            idle, rows = of_coral(box, agent, count)
            if count == 1:
                print(f"\nMemory (PSS) of an agent where nobody is: {idle:.2f} MiB, "
                      f"limit {PSS_AGENT}{'' if idle <= PSS_AGENT else '  OVER'}")
            rows.update(of_peers(base, sshd, count))
            table(f"Memory (PSS) of a held shell, {count} of them; coral's limit {PSS_SESSION}", "MiB",
                  rows, "sshd, attached")
    finally:
        del agent.coral.extra["CORAL_SHARE"]


def main_of(base, box, agent, sshd, tcp, rounds, table):
    """tcp: the flags that lead to the agent that way, where its host key is known."""
    table("Back in a shell with 10,000 lines behind it", "ms",
          reattach(base, box, agent, sshd, rounds), "tmux attach")
    got = echo_held(base, box, agent, sshd, tcp)
    for n, what in enumerate(("p50", "p99")):
        table(f"Echo of one key through a held session, {what}", "us",
              {name: v[n] for name, v in got.items()}, "ssh -tt")
    memory(base, box, agent, sshd, table)
