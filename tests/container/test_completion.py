# SPDX-License-Identifier: GPL-3.0-or-later
"""Completion in real bash, zsh and fish, with live targets, and quick."""
import shutil
import subprocess
import time

import pytest

from house.util import BUILD, TOP, wait_for


def bash(coral, line):
    """What bash offers for a line, asked through the loaded function."""
    script = r'''
source /usr/share/bash-completion/bash_completion
PATH="$1:$PATH"
source "$2"
COMP_LINE=$3; COMP_POINT=${#3}
read -ra COMP_WORDS <<<"$3"
[[ $3 == *" " ]] && COMP_WORDS+=("")
COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
spec=$(complete -p coral)
fn=${spec##*-F }; fn=${fn%% *}
"$fn" coral "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD-1]}"
printf '%s\n' "${COMPREPLY[@]}"
'''
    done = subprocess.run(["bash", "--norc", "-c", script, "bash", BUILD, coral.home / "c.bash",
                           line], env=coral.env(), capture_output=True, text=True, timeout=30,
                          stdin=subprocess.DEVNULL, check=False)
    return [w.strip() for w in done.stdout.splitlines() if w.strip()]


def fish(coral, line):
    """What fish itself would offer at the end of a line: its own engine, not only our function."""
    home = coral.home / "fish"
    (home / "fish/completions").mkdir(parents=True, exist_ok=True)
    shutil.copy(coral.home / "c.fish", home / "fish/completions/coral.fish")
    env = {**coral.env(), "PATH": f"{BUILD}:/usr/bin:/bin", "XDG_CONFIG_HOME": str(home),
           "XDG_DATA_HOME": str(home)}
    done = subprocess.run(["fish", "-c", "complete -C $argv[1]", line], env=env,
                          capture_output=True, text=True, timeout=30, stdin=subprocess.DEVNULL,
                          check=False)
    assert not done.stderr, done
    return [w.split("\t")[0] for w in done.stdout.splitlines()]


ASK = {"bash": bash, "fish": fish}


def again(good):
    """Tab until it offers that: an answer that comes late is there for the next one."""
    wait_for("what is offered", good)


@pytest.fixture
def shells(coral):
    for shell in ("bash", "zsh", "fish"):
        done = coral.local("completion", shell)
        assert done.code == 0 and done.out
        (coral.home / f"c.{shell}").write_bytes(done.out)
    return coral


def test_files_in_the_tree_are_what_the_binary_prints(shells):
    for shell, name in (("bash", "coral.bash"), ("zsh", "_coral"), ("fish", "coral.fish")):
        assert (TOP / "completions" / name).read_bytes() == (
            shells.home / f"c.{shell}").read_bytes(), f"make completions: {name}"


def test_scripts_are_valid(shells):
    for shell in ("bash", "zsh", "fish"):
        subprocess.run([shell, "-n", shells.home / f"c.{shell}"], check=True, timeout=20)


@pytest.mark.parametrize("shell", ASK)
def test_verbs_and_flags(shells, shell):
    ask = ASK[shell]
    offered = ask(shells, "coral ")
    assert {"exec", "shell", "attach", "watch", "join", "ps", "sessions", "replay", "agent"} <= set(offered)
    assert "exec" in ask(shells, "coral ex")
    flags = ask(shells, "coral exec --")
    assert {"--service", "--pid", "--timeout", "--env-file"} <= {f.rstrip("=") for f in flags}
    assert {"start", "status"} <= set(ask(shells, "coral agent "))
    assert not ask(shells, "coral exec harbour -- l")


@pytest.mark.parametrize("shell", ASK)
def test_live_targets(shells, box, bare, shell):
    ask = ASK[shell]
    again(lambda: "harbour" in ask(shells, "coral exec --service "))
    again(lambda: "harbour" in ask(shells, "coral shell har"))
    again(lambda: box.name in ask(shells, "coral exec --container "))
    again(lambda: str(bare.pid) in " ".join(ask(shells, "coral exec --pid ")))


@pytest.mark.parametrize("shell", ASK)
def test_sessions(agent, box, coral, shell):
    """Those that ended where recordings are meant, those that run where they are joined."""
    ask = ASK[shell]
    done = agent.coral.local("completion", shell)
    (agent.coral.home / f"c.{shell}").write_bytes(done.out)
    agent.coral.run("exec", "--pid", box.pid, "--", "true")
    old = agent.coral.sessions()[0]["id"]
    proc = agent.coral.popen("exec", "--pid", box.pid, "--", "cat")
    new = wait_for("the session", agent.coral.live)[0]["id"]
    try:
        for verb in ("replay", "sessions show"):
            again(lambda v=verb: {old, new} <= set(ask(agent.coral, f"coral {v} ")))
        for verb in ("attach", "watch", "join", "kill", "sessions freeze", "sessions thaw"):
            again(lambda v=verb: ask(agent.coral, f"coral {v} ") == [new])
            again(lambda v=verb: ask(agent.coral, f"coral {v} {new[:12]}") == [new])
    finally:
        proc.communicate(timeout=20)


@pytest.mark.parametrize("shell", ASK)
def test_words_of_a_flag(shells, shell):
    ask = ASK[shell]
    assert {"detach", "hangup", "kill"} <= set(ask(shells, "coral exec --on-disconnect "))
    assert {"bash", "zsh", "fish"} <= set(ask(shells, "coral completion "))


def test_fish_wants_the_whole_word(shells, box):
    """An option with its value in one word, files and directories too."""
    again(lambda: box.name in fish(shells, "coral exec --container "))
    again(lambda: "--service=harbour" in fish(shells, "coral exec --service=har"))
    assert fish(shells, "coral exec --env-file=/etc/hostn") == ["--env-file=/etc/hostname"]
    assert "/etc/hostname" in fish(shells, "coral exec --env-file /etc/hostn")
    assert not fish(shells, "coral exec --env-file=/nowhere/at/all")


def test_fish_on_a_terminal(shells, box, tmux):
    """Tab, and the service's name stands on the line."""
    home = shells.home / "fish"
    (home / "fish/completions").mkdir(parents=True, exist_ok=True)
    shutil.copy(shells.home / "c.fish", home / "fish/completions/coral.fish")
    (home / "fish/config.fish").write_text(
        "function fish_prompt; echo 'fish> '; end\nset fish_greeting\n")
    term = tmux(["/usr/bin/fish", "-i"],
                {**shells.env(), "PATH": f"{BUILD}:/usr/bin:/bin", "XDG_CONFIG_HOME": str(home),
                 "XDG_DATA_HOME": str(home)})
    again(lambda: "harbour" in fish(shells, "coral exec --service "))
    term.wait_text("^fish> ?$")
    term.type("coral exec --service harb", enter=False)
    term.keys("Tab")
    term.wait_text("--service harbour$")
    term.keys("C-c")
    term.type("exit")


def test_zsh_offers_the_same(shells, box, tmux):
    """In a zsh on a terminal: Tab, and the service's name stands on the line."""
    env = {**shells.env(), "PATH": f"{BUILD}:/usr/bin:/bin", "ZDOTDIR": str(shells.home)}
    (shells.home / ".zshrc").write_text(
        "PS1='zsh> '\nautoload -Uz compinit && compinit -u -D\n"
        f"source {shells.home}/c.zsh\ncompdef _coral coral\n")
    term = tmux(["/usr/bin/zsh", "-i"], env)
    again(lambda: "harbour" in bash(shells, "coral exec --service "))
    term.wait_text("^zsh> ?$")
    term.type("coral exec --service harb", enter=False)
    term.keys("Tab")
    term.wait_text("--service harbour")
    term.keys("C-c")
    term.wait_text(r"harbour.*\nzsh> ?\n*\Z")  # what is typed before would be in two lines
    term.type("coral sess", enter=False)
    term.keys("Tab")
    term.wait_text("coral sessions")
    term.keys("C-c")
    term.type("exit")


def test_quick_and_silent_when_the_agent_hangs(agent, shells):
    """An agent that does not answer costs at most a moment, and never a message or a prompt."""
    import os
    import signal
    (agent.coral.home / "c.bash").write_bytes((shells.home / "c.bash").read_bytes())
    os.kill(agent.proc.pid, signal.SIGSTOP)
    try:
        start = time.monotonic()
        bash(agent.coral, "coral exec --service ")
        assert time.monotonic() - start < 2
    finally:
        os.kill(agent.proc.pid, signal.SIGCONT)
