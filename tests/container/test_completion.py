# SPDX-License-Identifier: GPL-3.0-or-later
"""Completion in real bash and zsh, with live targets, and quick."""
import subprocess
import time

import pytest

from house.util import BUILD, TOP


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


@pytest.fixture
def shells(coral):
    for shell in ("bash", "zsh"):
        done = coral.local("completion", shell)
        assert done.code == 0 and done.out
        (coral.home / f"c.{shell}").write_bytes(done.out)
    return coral


def test_files_in_the_tree_are_what_the_binary_prints(shells):
    for shell, name in (("bash", "coral.bash"), ("zsh", "_coral")):
        assert (TOP / "completions" / name).read_bytes() == (
            shells.home / f"c.{shell}").read_bytes(), f"make completions: {name}"


def test_scripts_are_valid(shells):
    for shell in ("bash", "zsh"):
        subprocess.run([shell, "-n", shells.home / f"c.{shell}"], check=True, timeout=20)


def test_verbs_and_flags(shells):
    offered = bash(shells, "coral ")
    assert {"exec", "shell", "attach", "watch", "join", "ps", "sessions", "replay", "agent"} <= set(offered)
    assert "exec" in bash(shells, "coral ex")
    flags = bash(shells, "coral exec --")
    assert {"--service", "--pid", "--timeout", "--env-file"} <= {f.rstrip("=") for f in flags}
    assert {"start", "status"} <= set(bash(shells, "coral agent "))


def test_live_targets(shells, box, bare):
    assert "harbour" in bash(shells, "coral exec --service ")
    assert "harbour" in bash(shells, "coral shell har")
    assert box.name in bash(shells, "coral exec --container ")
    assert str(bare.pid) in " ".join(bash(shells, "coral exec --pid "))


def test_sessions(agent, box, coral):
    done = agent.coral.local("completion", "bash")
    (agent.coral.home / "c.bash").write_bytes(done.out)
    agent.coral.run("exec", "--pid", box.pid, "--", "true")
    sid = agent.coral.sessions()[0]["id"]
    assert sid in bash(agent.coral, "coral replay ")
    assert sid in bash(agent.coral, "coral sessions show ")
    for verb in ("attach", "watch", "join"):
        assert sid in bash(agent.coral, f"coral {verb} ")


def test_words_of_a_flag(shells):
    assert {"detach", "hangup", "kill"} <= set(bash(shells, "coral exec --on-disconnect "))
    assert {"bash", "zsh"} <= set(bash(shells, "coral completion "))


def test_zsh_offers_the_same(shells, box, tmux):
    """In a zsh on a terminal: Tab, and the service's name stands on the line."""
    env = {**shells.env(), "PATH": f"{BUILD}:/usr/bin:/bin", "ZDOTDIR": str(shells.home)}
    (shells.home / ".zshrc").write_text(
        "PS1='zsh> '\nautoload -Uz compinit && compinit -u -D\n"
        f"source {shells.home}/c.zsh\ncompdef _coral coral\n")
    term = tmux(["/usr/bin/zsh", "-i"], env)
    term.wait_text("^zsh> ?$")
    term.type("coral exec --service harb", enter=False)
    term.keys("Tab")
    term.wait_text("--service harbour")
    term.keys("C-c")
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
