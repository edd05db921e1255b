# SPDX-License-Identifier: GPL-3.0-or-later
"""What sessions that last cost: to come back to one, to type through its keeper, to hold it."""
import contextlib
import os
import pathlib
import statistics
import time

from house.coral import children_of, end_sessions
from house.term import Pty
from house.util import run, wait_for

ROWS = "seq -f 'row %g of the tide, and a few more words' 10000"
LAST = "the-last-one"
HELD = 20
PSS_SESSION, PSS_AGENT = 1.5, 4.0  # MiB, the limits


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

    def __init__(self, agent, box):
        self.agent = agent
        before = {s["id"] for s in agent.coral.sessions()}
        self.term = Pty(agent.coral.argv("shell", "--pid", box.pid), agent.coral.env())
        self.term.expect(r"[#$] ")
        self.sid, = {s["id"] for s in agent.coral.sessions()} - before

    def run(self, line, last):
        self.term.send(line + "\r")
        self.term.expect(last, 60)

    def leave(self):
        self.term.close()
        wait_for("it to be detached", lambda: next(
            s for s in self.agent.coral.sessions() if s["id"] == self.sid)["state"] == "detached")


def reattach(base, box, agent, rounds):
    """{name: median ms}: the same ten thousand lines behind both."""
    held = Held(agent, box)
    held.run(f"PS1=; {ROWS}; echo the-last''-one", "\r\n" + LAST)
    held.leave()
    sock = base / "tmux.sock"
    env = {"PATH": "/usr/bin:/bin", "TERM": "xterm-256color", "LANG": "C.UTF-8"}
    tmux = ["tmux", "-u", "-S", str(sock), "-f", "/dev/null"]
    run([*tmux, "set", "-g", "history-limit", "20000", ";", "new", "-d", "-x", "80", "-y", "24",
         f"{ROWS}; echo {LAST}; exec sleep 100000"], env=env)
    try:
        wait_for("tmux's lines", lambda: LAST in run([*tmux, "capture-pane", "-p"], env=env).stdout)
        cold = {**agent.coral.env(), "CORAL_SHARE": "no"}
        rows = {"coral attach": (agent.coral.argv("attach", held.sid), agent.coral.env()),
                "coral attach, not shared": (agent.coral.argv("attach", held.sid), cold),
                "tmux attach": ([*tmux, "attach"], env)}
        times = {name: [] for name in rows}
        for n in range(rounds + 1):
            for name, (argv, e) in rows.items():
                took = until(argv, e, LAST.encode())
                if n:
                    times[name].append(took)
        return {name: statistics.median(t) for name, t in times.items()}
    finally:
        run([*tmux, "kill-server"], env=env, check=False)
        agent.coral.run("kill", held.sid)


def echo_held(box, agent, raw, echo):
    """(p50, p99) through a keeper that can be left, and through one that was."""
    held = Held(agent, box)
    got = {}
    try:
        held.run(raw.replace("ready", "rea''dy"), r"[\r\n]ready")
        got["coral shell"] = echo(held.term)
        held.leave()
        with Pty(agent.coral.argv("attach", held.sid), agent.coral.env()) as term:
            term.expect("ready")
            got["coral attach"] = echo(term)
    finally:
        agent.coral.run("kill", held.sid)
    return got


def pss(pid):
    """KiB, or 0 of what is gone or is not coral."""
    with contextlib.suppress(OSError):
        # An agent runs from a copy of itself in memory.
        if os.readlink(f"/proc/{pid}/exe").split("/")[-1].split()[0] in ("coral", "memfd:coral"):
            for line in pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
                if line.startswith("Pss:"):
                    return int(line.split()[1])
    return 0


def parts(agent):
    """{what: KiB} of the agent's side, clients and masters left out."""
    keepers = set(agent.keepers().values())
    below = set(children_of(agent.proc.pid))
    for pid in keepers:
        below.update(children_of(pid), [pid])
    own = os.readlink("/proc/self/ns/pid")
    got = {"agent": pss(agent.proc.pid), "keepers": 0, "others": 0}
    for pid in below:
        with contextlib.suppress(OSError):
            if os.readlink(f"/proc/{pid}/ns/pid") == own:
                got["keepers" if pid in keepers else "others"] += pss(pid)
    return got


def memory(box, agent):
    """MiB: the agent idle, and what each of HELD shells adds, attached, detached, repainted."""
    got = {}
    agent.coral.extra["CORAL_SHARE"] = "no"  # each with a connection of its own
    wait_for("the agent to be idle", lambda: not children_of(agent.proc.pid), 90)
    idle = sum(parts(agent).values())
    got["agent, idle"] = (idle / 1024, PSS_AGENT)

    def each():
        return (sum(parts(agent).values()) - idle) / 1024 / HELD

    held = [Held(agent, box) for _ in range(HELD)]
    try:
        for one in held:
            one.run("seq 2000; echo the-last''-one", LAST)
        got["each held shell, attached"] = (each(), PSS_SESSION)
        for one in held:
            one.term.close()
        wait_for("all to be detached", lambda: all(
            s["state"] != "live" for s in agent.coral.sessions()) and not agent.transports(), 90)
        got["each held shell, detached"] = (each(), PSS_SESSION)
        for one in held:
            until(agent.coral.argv("attach", one.sid), agent.coral.env(), LAST.encode())
        wait_for("all to be detached again", lambda: all(
            s["state"] != "live" for s in agent.coral.sessions()) and not agent.transports(), 90)
        got["each, attached to once and left"] = (each(), PSS_SESSION)
    finally:
        end_sessions(agent)
        del agent.coral.extra["CORAL_SHARE"]
        for one in held:
            with contextlib.suppress(OSError):
                one.term.close()
    return got


def limits(title, unit, rows):
    print(f"\n{title}")
    for name, (value, limit) in rows.items():
        print(f"  {name:<34} {value:10.2f} {unit:<5} limit {limit}"
              f"{'' if value <= limit else '  OVER'}")


def main_of(base, box, agent, rounds, raw, echo_of, table, ssh):
    """ssh: (argv, env) of an ssh -tt that runs `raw`."""
    table("Back in a shell with 10,000 lines behind it", "ms", reattach(base, box, agent, rounds),
          "tmux attach")
    got = echo_held(box, agent, raw, echo_of)
    with Pty(*ssh) as term:
        term.expect("ready")
        got["ssh -tt"] = echo_of(term)
    for n, what in enumerate(("p50", "p99")):
        table(f"Echo of one key through a held session, {what}", "us",
              {name: v[n] for name, v in got.items()}, "ssh -tt")
    limits("Memory (PSS)", "MiB", memory(box, agent))
