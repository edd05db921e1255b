# SPDX-License-Identifier: GPL-3.0-or-later
"""The casts of asciicasts/: real sessions at a workstation container, recorded by coral itself.

`make asciicasts` (CORAL_ASCIICASTS_UPDATE=1) plays the scenes at a human pace and keeps the
recordings; `make check` plays them again quickly, and replays the kept ones."""
import json
import os
import re
import shutil
import time

import pytest

from house.casts import Cast
from house.coral import Agent
from house.util import CORAL, TOP, wait_for
from test_record import asciinema_cat

CASTS = TOP / "asciicasts"
UPDATE = os.environ.get("CORAL_ASCIICASTS_UPDATE") == "1"
PROMPT = r"^workstation\$ ?$"
# What each kept cast must show, in this order.
SCENES = {
    "exec": [r"coral exec checkout", r"line 1:", r"wc -l", r"^\d+\s*$"],
    "shell": [r"coral shell checkout", r"the tide turns at noon", r"stty size"],
    "attach": [r"coral shell checkout", r"high water", r"detached: coral attach", r"detached\s",
               r"coral attach", r"high water at noon", r"^18 70"],
    "choice": [r"coral shell urchins", r"several targets", r"which one", r"exit"],
    "replay": [r"coral sessions", r"coral replay", r"high\s*water"],
}


class Stage:
    """A workstation container whose coral speaks to the agent outside, and a person in it."""

    def __init__(self, agent, workstation, tmux):
        self.agent = agent
        self.box = workstation
        self.term = tmux(agent.coral.argv("shell", "--pid", workstation.pid), agent.coral.env(),
                         rows=24, cols=90)
        self.term.wait_text(PROMPT)
        self.sid = [s["id"] for s in agent.coral.live()][0]

    def type(self, text, enter=True):
        if not UPDATE:
            self.term.type(text, enter)
            return
        for letter in text:
            self.term.type(letter, enter=False)
            time.sleep(0.06)  # the payload: a person types
        if enter:
            time.sleep(0.3)
            self.term.keys("Enter")

    def pause(self):
        if UPDATE:
            time.sleep(1.2)  # the payload: a person reads

    def prompt(self):
        self.term.wait_text(PROMPT)
        self.pause()

    def finish(self, name):
        self.type("exit")
        assert self.term.wait_dead() == 0
        wait_for("the end", lambda: not self.agent.coral.live())
        path = self.agent.coral.cast_path(self.sid)
        check(path, SCENES[name])
        if UPDATE:
            CASTS.mkdir(exist_ok=True)
            shutil.copyfile(path, CASTS / f"{name}.cast")
            (CASTS / f"{name}.cast").chmod(0o644)


def check(path, wanted):
    """A whole recording, with every wanted text in its order, that asciinema plays as it is."""
    cast = Cast(path)
    assert not cast.cut and cast.end is not None and cast.monotone()
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b[()][0B]|\r", "", cast.output())
    at = 0
    for pattern in wanted:
        found = re.compile(pattern, re.M).search(text, at)
        assert found, f"{path.name}: {pattern!r} is not in {text[at:]!r}"
        at = found.start()
    assert asciinema_cat(path).decode() == cast.output()


@pytest.fixture
def agent_home(base):
    """At a path that may be seen: the recordings are public."""
    path = base / "reef"
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture
def stage(agent_home, make_box, tmux, nothing_left):
    agent = Agent(agent_home)
    agent.start()

    def workstation(config, rootfs):
        shutil.copy(CORAL, rootfs / "bin/coral")
        config["hostname"] = "workstation"
        config["mounts"].append({"destination": "/run/coral", "type": "bind",
                                 "source": str(agent.home / "run"), "options": ["rbind", "rw"]})

    box = make_box("workstation", edit=workstation, env=[
        "PS1=workstation$ ", "SERVICE_NAME=workstation", "LANG=C.UTF-8", "PAGER=cat"])
    try:
        yield Stage(agent, box, tmux)
        agent.term()
    finally:
        agent.close()


@pytest.fixture
def checkout(make_box):
    """A service as a reader would have it: its own prompt and its own tide."""
    return make_box("checkout-7d9", env=["SERVICE_NAME=checkout", "PS1=checkout# "])


@pytest.mark.slow
def test_exec(stage, make_box):
    name = make_box("reefshop", env=["SERVICE_NAME=checkout"]).name
    stage.type("coral ps | grep -c checkout")
    stage.prompt()
    stage.type(f"coral exec checkout -- head -3 /etc/tide  # {name.split('-')[0]}")
    stage.term.wait_text("^line 3:")
    stage.prompt()
    stage.type("coral exec checkout -- cat /etc/rows | grep 7 | wc -l")
    stage.term.wait_text(r"^\d+$")
    stage.prompt()
    stage.type('coral exec --service checkout "ls /bin | wc -l"; echo "exit $?"')
    stage.term.wait_text("^exit 0$")
    stage.prompt()
    stage.finish("exec")


@pytest.mark.slow
def test_shell(stage, checkout):
    stage.type("coral shell checkout")
    stage.term.wait_text("^checkout# ?$")
    stage.type("vi -u NONE -N /etc/tide")
    stage.term.wait_text("^line 10:")
    stage.pause()
    stage.type("Othe tide turns at noon", enter=False)
    stage.term.keys("Escape")
    stage.term.wait_text("^the tide turns at noon")
    stage.pause()
    stage.term.resize(18, 70)
    stage.pause()
    stage.type(":wq")
    stage.term.wait_text("^checkout# ?$")
    stage.type("stty size; head -1 /etc/tide")
    stage.term.wait_text("^18 70$")
    stage.pause()
    stage.type("exit")
    stage.prompt()
    stage.finish("shell")
    assert (checkout.root / "etc/tide").read_text().startswith("the tide turns at noon\n")


@pytest.mark.slow
def test_attach(stage, checkout):
    """The outer session's client takes the first tilde."""
    assert checkout.pid
    stage.type("coral shell checkout")
    stage.term.wait_text("^checkout# ?$")
    stage.type("vi -u NONE -N /etc/tide")
    stage.term.wait_text("^line 10:")
    stage.type("Ohigh water", enter=False)
    stage.term.wait_text("^high water")
    stage.type(" at noon", enter=False)
    stage.term.wait_text("^high water at noon")
    time.sleep(0.1)  # the payload: what follows a long read at once is part of a paste
    stage.pause()
    stage.type("")
    stage.type("~~d", enter=False)
    stage.term.wait_text(r"^\[detached: coral attach \w+\]")
    stage.prompt()
    stage.type("coral sessions ls | grep detached")
    stage.prompt()
    stage.term.resize(18, 70)
    stage.type("coral attach")
    stage.term.wait_text("^high water at noon")
    stage.pause()
    stage.term.keys("Escape")
    stage.type(":q!")
    stage.term.wait_text("^checkout# ?$")
    stage.type("stty size; exit")
    stage.prompt()
    stage.finish("attach")


@pytest.mark.slow
def test_choice(stage, make_box):
    for stem in ("urchin-a", "urchin-b"):
        make_box(stem, kind="busybox", env=["SERVICE_NAME=urchins", "PS1=urchin# "])
    stage.type("coral shell urchins")
    stage.term.wait_text(r"which one")
    stage.pause()
    stage.type("2")
    stage.term.wait_text("^urchin# ?$")
    stage.type("hostname; exit")
    stage.prompt()
    stage.finish("choice")


@pytest.mark.slow
def test_replay(stage, checkout):
    assert checkout.pid
    stage.type("coral exec -t checkout -- sh -c 'for h in low half high; do echo $h water; done'")
    stage.term.wait_text("^high water")
    stage.prompt()
    stage.type("coral sessions")
    stage.prompt()
    sid = stage.agent.coral.sessions()[0]["id"]
    stage.type(f"coral replay {sid}")
    # The player has the screen to itself: what stood there before is gone.
    wait_for("the player", lambda: "high water" in (now := stage.term.screen())
             and "coral sessions" not in now)
    stage.pause()
    stage.type("q", enter=False)
    stage.prompt()
    stage.finish("replay")


@pytest.mark.parametrize("name", sorted(SCENES))
def test_kept_casts(coral, name):
    """What lies in asciicasts/: whole, played by asciinema, replayed by coral, and nobody's
    machine in it."""
    path = CASTS / f"{name}.cast"
    check(path, SCENES[name])
    done = coral.local("replay", path, "--format", "text")
    assert done.code == 0 and not done.err
    text = path.read_text()
    assert not re.search(r"coraltest|/work/|/root/\.", text)
    assert json.loads(text.split("\n", 1)[0])["coral"]
