# SPDX-License-Identifier: GPL-3.0-or-later
"""What is held for long is small: an agent that waits, and a shell that nobody types in."""
import contextlib
import os
import pathlib

import pytest

from house.coral import children_of, status_of
from house.term import Pty
from house.util import wait_for

AGENT_KIB = 2048
SHELL_KIB = 1536
BURST = "head -c 3000000 /dev/zero | tr '\\0' x; echo; echo over-$((1 + 1))\n"

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="reads the memory maps of others")


def pss(pid):
    """KiB of its own, and its part of what it shares."""
    for line in pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1])
    raise AssertionError(f"no Pss of {pid}")


def small(what, limit, *pids):
    """Memory is given back when it has been quiet for some seconds."""
    wait_for(f"{what} within {limit} KiB", lambda: sum(map(pss, pids)) <= limit, 30)


def test_agent_that_waits(agent, box):
    """Also after it worked."""
    def children():
        found = {}
        for pid in children_of(agent.proc.pid):
            with contextlib.suppress(OSError):  # some end meanwhile
                found[pid] = status_of(pid)["Name"].strip()
        return found

    wait_for("the scout to end", lambda: list(children().values()) == ["coral-audit"], 60)
    small("the agent", AGENT_KIB, agent.proc.pid, *children())
    for _ in range(3):
        done = agent.coral.run("exec", "--pid", box.pid, "true", prefix=["env", "CORAL_SHARE=0"])
        assert done.code == 0
    wait_for("the sessions to be over", lambda: list(children().values()) == ["coral-audit"], 60)
    small("the agent after work", AGENT_KIB, agent.proc.pid, *children())


def test_held_shell(agent, box):
    """When it begins, after a burst, and left alone."""
    env = {**agent.coral.env(), "CORAL_SHARE": "0"}
    with Pty(agent.coral.argv("shell", "--pid", box.pid), env) as term:
        term.expect(rb"[#$] ")
        (sid, keeper), = agent.keepers().items()
        transport = agent.transports()[0]
        small("a new shell", SHELL_KIB, keeper, transport)
        os.write(term.master, BURST.encode())
        term.expect("over-2", 60)
        small("a shell after a burst", SHELL_KIB, keeper, transport)
        os.write(term.master, b"\n~d")
        assert term.wait() == 255
    small("a detached shell", SHELL_KIB, keeper)
    assert agent.coral.run("kill", sid).code == 0
