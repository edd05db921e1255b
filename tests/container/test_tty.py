# SPDX-License-Identifier: GPL-3.0-or-later
"""A real terminal: size, name, keys, full-screen programs, and the user's own given back."""
import os
import random
import re
import signal
import subprocess
import threading

import pytest

from house.term import Pty, golden, top_shape
from house.util import wait_for


@pytest.mark.slow
def test_size_before_the_first_command(agent, bare):
    """`stty size` as the very first command, a thousand times, each with a size of its own."""
    wrong = []

    def lane(seed):
        rng = random.Random(seed)
        for _ in range(250):
            rows, cols = rng.randint(2, 200), rng.randint(20, 300)
            argv = agent.coral.argv("exec", "-t", "--pid", bare.pid, "--", "stty", "size")
            with Pty(argv, agent.coral.env(), rows, cols) as term:
                code = term.wait(60)
                if code != 0 or term.seen.split() != [b"%d" % rows, b"%d" % cols]:
                    wrong.append((rows, cols, code, term.seen))

    threads = [threading.Thread(target=lane, args=(n,)) for n in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not wrong, f"{len(wrong)}: {wrong[:3]}"


def test_tty_name_exists_in_the_container(either, box):
    argv = either.argv("exec", "-t", "--pid", box.pid, "--", "sh", "-c",
                       "t=$(tty) && ls -l $t && stat -c %t:%T $t && echo hello >$t")
    with Pty(argv, either.env()) as term:
        assert term.wait() == 0, term.seen
    assert b"/dev/pts/" in term.seen and b"hello" in term.seen


def test_it_is_the_controlling_terminal(coral, box):
    with Pty(coral.argv("exec", "-t", "--pid", box.pid, "--", "sh", "-c",
                        "echo yes >/dev/tty; ps -o pid,tty | grep -c pts"), coral.env()) as term:
        term.wait()
    assert b"yes" in term.seen


def test_no_devpts_still_works(coral, make_box):
    def without(config, _):
        config["mounts"] = [m for m in config["mounts"] if m["destination"] != "/dev/pts"]

    poor = make_box("poor", kind="busybox", edit=without)
    with Pty(coral.argv("exec", "-t", "--pid", poor.pid, "--", "stty", "size"),
             coral.env(), 33, 99) as term:
        assert term.wait() == 0, term.seen
    assert b"33 99" in term.seen


def test_shell_is_bash_then_sh(entered, coral, bare, tmux):
    term = entered()
    term.type("echo shell=$0 $BASH_VERSION")
    term.wait_text(r"^shell=\S*bash 5")
    plain = tmux(coral.argv("shell", "--pid", bare.pid), coral.env())
    plain.wait_prompt()
    plain.type("echo shell=$0")
    plain.wait_text(r"^shell=\S*sh$")
    for each in (term, plain):
        each.type("exit 3")
        assert each.wait_dead() == 3


def test_resize_reaches_the_program(entered):
    term = entered()
    term.type("trap 'echo now $(stty size)' WINCH")
    term.wait_text(r"WINCH\n\S+# ?\n*\Z")
    term.resize(31, 101)
    term.wait_text(r"now 31 101$")
    term.type("stty size")
    term.wait_text(r"^31 101$")
    term.type("exit")
    assert term.wait_dead() == 0


def test_keys_and_job_control(entered):
    term = entered()
    term.type("sleep 1000")
    wait_for("sleep", lambda: "sleep 1000" in term.screen())
    term.keys("C-z")
    term.wait_text(r"Stopped +sleep 1000")
    term.type("bg; jobs")
    term.wait_text(r"Running +sleep 1000")
    term.type("fg")
    term.keys("C-c")
    term.type("echo code $?")
    term.wait_text(r"^code 130$")
    term.type("cat")
    term.keys("C-\\")
    term.type("echo code $?")
    term.wait_text(r"^code 131$")
    term.type("exit")
    assert term.wait_dead() == 0


def test_utf8(entered):
    term = entered()
    term.type("printf 'grüße \\u2713 \\xe6\\xb5\\xb7\\n'")
    term.wait_text("^grüße ✓ 海$")
    term.type("exit")
    term.wait_dead()


def test_term_comes_from_the_client(coral, box):
    env = {**coral.env(), "TERM": "xterm-256color"}
    with Pty(coral.argv("exec", "-t", "--pid", box.pid, "--", "sh", "-c", "echo $TERM"), env) as term:
        term.wait()
    assert b"xterm-256color" in term.seen


def test_sigterm_exit_status(entered):
    term = entered()
    term.type("kill -KILL $$")
    assert term.wait_dead() == 137


@pytest.fixture(params=["coral", "runc"])
def full_screen(request, runc, box, tmux, home):
    """bash in the box, by us and by the container's own runtime: the golden screens hold for
    both, so they are no picture of ourselves."""
    if request.param == "coral":
        return request.getfixturevalue("entered")()
    env = ["-e", "TERM=tmux-256color", "-e", "LANG=C.UTF-8"]
    argv = runc.exec_argv(box, "bash", tty=True)
    at = argv.index(box.name)
    term = tmux([*argv[:at], *env, *argv[at:]], {"PATH": os.environ["PATH"], "HOME": str(home)})
    term.wait_prompt()
    return term


def test_vi(full_screen):
    term = full_screen
    term.type("vi -u NONE -N /etc/tide")
    term.wait_text(r"tide.* 10L|line 10")
    term.type("3Gccthe third line is new", enter=False)
    term.keys("Escape")
    term.wait_text("^the third line is new$")
    golden("vi", term.screen)
    term.type(":q!")
    term.wait_prompt()
    term.type("exit")
    assert term.wait_dead() == 0


def test_less(full_screen):
    term = full_screen
    term.type("LESS= LESSHISTFILE=- /bin/less /etc/rows")
    term.wait_text("^row 23$")
    golden("less-top", term.screen)
    term.type("/row 321")
    term.wait_text("^row 321$")
    golden("less-search", term.screen)
    term.type("G", enter=False)
    term.wait_text("^row 500$")
    term.type("q", enter=False)
    term.wait_prompt()
    term.type("exit")
    assert term.wait_dead() == 0


def test_top(full_screen):
    term = full_screen
    # Itself and the first process: what earlier tests left to an init that reaps nothing would
    # push them off the screen.
    term.type("HOME=/nowhere bash -c 'exec /bin/top -d 100 -p 1 -p $$'")
    term.wait_text(r"^ *PID +USER")
    term.wait_text("sleep")
    golden("top", lambda: top_shape(term.screen()))
    term.type("q", enter=False)
    term.wait_prompt()
    term.type("exit")
    assert term.wait_dead() == 0


def test_tmux_in_the_shell(full_screen, box):
    term = full_screen
    term.type("env -u TMUX PS1='> ' /bin/tmux -u -f /etc/tmux.conf -S /tmp/inner new -x 80 -y 23")
    term.wait_text(r"\[inner\]")
    term.wait_text(r"\A> ?\n")  # what is typed before is echoed twice
    term.type("echo from the inner one")
    term.wait_text("^from the inner one$")
    golden("tmux", term.screen)
    term.type("exit")
    term.wait_text(r"\[exited\]")
    term.wait_prompt()
    term.type("exit")
    assert term.wait_dead() == 0
    (box.root / "tmp/inner").unlink(missing_ok=True)


def changed(term):
    return term.modes() != term.before


def test_terminal_restored_after_exit(coral, box):
    with Pty(coral.argv("shell", "--pid", box.pid), coral.env()) as term:
        term.expect(r"[#$] ")
        assert changed(term), "the terminal was never raw"
        term.send("exit 4\r")
        assert term.wait() == 4
        assert not changed(term)


@pytest.mark.parametrize("signo", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGQUIT])
def test_terminal_restored_after_a_signal(coral, box, signo):
    argv = coral.argv("shell", "--on-disconnect", "hangup", "--pid", box.pid)
    with Pty(argv, coral.env()) as term:
        term.expect(r"[#$] ")
        term.proc.send_signal(signo)
        if signo in (signal.SIGINT, signal.SIGQUIT):
            term.send("\rexit\r")
        term.wait()
        assert not changed(term)


def test_terminal_restored_when_the_agent_dies(agent, box):
    """Everything at the far end killed at once: 255, and the terminal as it was."""
    from house.coral import children_of
    with Pty(agent.coral.argv("shell", "--pid", box.pid), agent.coral.env()) as term:
        term.expect(r"[#$] ")
        term.send("printf '\\033[?1049h\\033[?1000h'; echo ready\r")
        term.expect("ready\r\n")
        people = [agent.proc.pid, *children_of(agent.proc.pid)]
        inside = [p for p in box.processes() if p != box.pid]
        for pid in people + inside:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        assert term.wait() == 255
        assert not changed(term)
        assert b"\x1b[?1049l" in term.seen, "the alternate screen was left on"
    agent.proc.wait()
    agent.start()  # a new agent cleans up what the old one left


def test_stdin_pipe_with_forced_tty(coral, box):
    done = coral.run("exec", "-tt", "--pid", box.pid, "--", "sh", "-c", "tty; read x; echo got $x",
                     input=b"word\n")
    assert done.code == 0
    assert re.search(rb"/dev/pts/\d+", done.out) and b"got word" in done.out


def test_one_t_needs_a_terminal(coral, box):
    """-t with no terminal on stdin: as ssh and docker do, it is said, and the command still runs."""
    done = coral.run("exec", "-t", "--pid", box.pid, "--", "sh", "-c", "tty || true")
    assert done.code in (0, 125) and done.err


def test_shell_without_terminal_takes_a_script(coral, box):
    done = coral.run("shell", "--pid", box.pid, input=b"echo $((6*7))\nexit 5\n")
    assert (done.code, done.out) == (5, b"42\n")


def test_the_outer_shell_is_usable_after(coral, box, tmux):
    """Typed at a shell, as a person does: that shell's line editing works again afterwards."""
    shell = tmux(["/bin/sh", "-i"], {**coral.env(), "PS1": "outer> "})
    shell.wait_text("outer>$")
    shell.type(" ".join(coral.argv("shell", "--pid", box.pid)))
    shell.wait_text(r"bash-\S+#$")
    shell.type("exit")
    shell.wait_text("outer>$")
    shell.type("stty -a | grep -c ' icanon'")
    shell.wait_text("^1$")
    shell.type("exit")



def test_the_cursor_stays_after_a_session(coral, box, tmux):
    """Also where some earlier program had the other screen: leaving that moves the cursor."""
    shell = tmux(["/bin/sh", "-i"], {**coral.env(), "PS1": "outer> "})
    shell.wait_text("outer>$")
    shell.type(r"printf '\033[?1049h\033[?1049l'; seq 6")
    shell.wait_text("^6\nouter>$")
    shell.type(" ".join(coral.argv("exec", "-t", "--pid", box.pid, "--", "echo", "over")))
    shell.wait_text("^over\nouter>\n?\\Z")
    shell.type("exit")


def test_end_of_input_after_half_a_line(coral, box):
    """One end-of-file character would only hand the half over."""
    done = coral.run("exec", "-tt", "--pid", box.pid, "--", "cat", input=b"half", timeout=15)
    assert done.code == 0 and b"half" in done.out


def test_a_shell_ends_with_its_input(coral, box, bare):
    """It switches the terminal's modes before it reads: what the end was then is another key."""
    shells = [coral.popen(verb, "-qtt", "--pid", target.pid, *command, stdin=subprocess.DEVNULL)
              for verb, target, *command in (
                  ("shell", box), ("shell", bare),
                  ("exec", bare, "--", "sh", "-c", "sleep 0.3; exec sh"),
                  ("exec", box, "--", "sh", "-c", "sleep 0.3; exec bash"),
                  ("exec", box, "--", "sh", "-c", "cat; bash; cat; sleep 0.3; cat"))]
    late = coral.popen("shell", "-qtt", "--pid", box.pid)
    seen = b""
    while not seen.endswith(b"# "):
        seen += os.read(late.stdout.fileno(), 4096)
    for shell in (late, *shells):
        out, err = shell.communicate(b"echo a; cat\n" if shell == late else None, timeout=30)
        assert (shell.returncode, err) == (0, b""), (shell.args, out, err)
