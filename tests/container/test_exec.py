# SPDX-License-Identifier: GPL-3.0-or-later
"""coral exec: streams, exit codes, context, and what it says as JSON."""
import base64
import hashlib
import json
import os
import pathlib
import signal
import subprocess
import threading
import time

import pytest

from house.util import CORAL, run, wait_for

# Signals whose default action ends a process.
FATAL = [n for n in range(1, 65) if n not in
         (signal.SIGCHLD, signal.SIGCONT, signal.SIGSTOP, signal.SIGTSTP, signal.SIGTTIN,
          signal.SIGTTOU, signal.SIGURG, signal.SIGWINCH)]


def sh(coral, box, script, *flags, **kw):
    return coral.run("exec", "--pid", box.pid, *flags, "--", "sh", "-c", script, **kw)


def test_runs_in_the_container(either, box):
    done = either.run("exec", "--pid", box.pid, "--", "hostname")
    assert (done.code, done.out, done.err) == (0, b"reef\n", b"")


def test_streams_stay_apart(either, box):
    done = sh(either, box, "echo out; echo err >&2")
    assert (done.code, done.out, done.err) == (0, b"out\n", b"err\n")


def test_stdin_reaches_the_command_and_ends(either, box):
    done = either.run("exec", "--pid", box.pid, "--", "cat", input=b"one\ntwo\n")
    assert (done.code, done.out) == (0, b"one\ntwo\n")


def test_half_close(either, box):
    """Output after stdin's end still arrives: the count is known only then."""
    done = sh(either, box, "wc -c; echo after", input=b"x" * 300000)
    assert done.out.split() == [b"300000", b"after"]


def test_no_stdin(coral, box):
    """With --no-stdin the command sees an end at once, though ours stays open."""
    proc = coral.popen("exec", "--pid", box.pid, "--no-stdin", "--", "cat")
    assert proc.wait(20) == 0
    proc.communicate()


def test_output_flows_before_the_end(either, box):
    proc = either.popen("exec", "--pid", box.pid, "--", "sh", "-c", "echo first; read x; echo $x")
    assert proc.stdout.readline() == b"first\n"
    proc.stdin.write(b"second\n")
    proc.stdin.close()
    assert proc.stdout.readline() == b"second\n"
    assert proc.wait(10) == 0
    proc.stdout.close()
    proc.stderr.close()


def test_binary_clean_both_ways(either, box):
    blob = bytes(range(256)) * 4096 + os.urandom(1 << 20)
    done = either.run("exec", "--pid", box.pid, "--", "cat", input=blob)
    assert done.code == 0
    assert done.out == blob


def test_stderr_is_binary_clean(coral, box):
    blob = os.urandom(300000)
    done = sh(coral, box, "cat >&2", input=blob)
    assert (done.code, done.out, done.err) == (0, b"", blob)


def test_command_that_does_not_read(either, box):
    """A pipe nobody reads at the far end is no failure of the command."""
    done = either.run("exec", "--pid", box.pid, "--", "true", input=b"y" * (8 << 20))
    assert done.code == 0


def test_closed_stdout_ends_the_command(coral, box):
    """`coral exec ... | head`: the command gets its SIGPIPE, or is ended; nothing hangs."""
    proc = coral.popen("exec", "--pid", box.pid, "--", "yes")
    proc.stdout.read(1000)
    proc.stdout.close()
    assert proc.wait(20) != 0
    proc.stdin.close()
    proc.stderr.close()


@pytest.mark.slow
def test_every_exit_code(agent, box):
    wrong = {}

    def some(first):
        for code in range(first, 256, 4):
            got = sh(agent.coral, box, f"exit {code}").code
            if got != code:
                wrong[code] = got

    threads = [threading.Thread(target=some, args=(n,)) for n in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not wrong


@pytest.mark.slow
def test_every_fatal_signal(agent, box):
    wrong = {}
    for signo in FATAL:
        if signo == signal.SIGQUIT:  # no shell ever takes its default
            proc = agent.coral.popen("exec", "--pid", box.pid, "--", "/bin/sleep", "1000")
            inside = wait_for("sleep", lambda: [
                p for p in box.processes() if p != box.pid
                and b"1000" in pathlib.Path(f"/proc/{p}/cmdline").read_bytes().split(b"\0")])
            os.kill(inside[0], signo)
            proc.communicate(timeout=20)
            got = proc.returncode
        else:
            got = sh(agent.coral, box, f"kill -{signo} $$; sleep 10").code
        if got != 128 + signo:
            wrong[signo] = got
    assert not wrong


def test_embedded_exit_codes(coral, bare):
    assert [sh(coral, bare, f"exit {n}").code for n in (0, 1, 77, 124, 125, 255)] == [
        0, 1, 77, 124, 125, 255]


def test_environment_is_the_targets(either, box):
    done = either.run("exec", "--pid", box.pid, "--", "env")
    env = dict(line.split("=", 1) for line in done.text.splitlines())
    assert env["COLOUR"] == "coral"
    assert env["SERVICE_NAME"] == "harbour"
    assert not [k for k in env if k.startswith(("CORAL_", "XDG_"))], "the agent's own leaked in"


def test_environment_flags(coral, box, home):
    (home / "vars").write_text("# a comment\n\nA=1\nB=two words\nLOCAL\n")
    coral.extra["LOCAL"] = "from here"
    done = coral.run("exec", "--pid", box.pid, "-e", "COLOUR=blue", "-e", "LOCAL", "--env", "X=a=b",
                     "--env-file", home / "vars", "--", "env")
    env = dict(line.split("=", 1) for line in done.text.splitlines())
    assert (env["COLOUR"], env["LOCAL"], env["X"], env["A"], env["B"]) == (
        "blue", "from here", "a=b", "1", "two words")


def test_workdir(coral, box):
    assert coral.run("exec", "--pid", box.pid, "--", "pwd").out == b"/\n"
    assert coral.run("exec", "--pid", box.pid, "-w", "/etc", "--", "pwd").out == b"/etc\n"
    done = coral.run("exec", "--pid", box.pid, "-w", "/no/such", "--", "pwd")
    assert done.code == 125 and "/no/such" in done.errtext


@pytest.mark.parametrize("flag,want,groups", [
    ("app", "uid=1000(app) gid=1000(app) groups=1000(app),2000(extra)", "1000 2000"),
    ("1000:2000", "uid=1000(app) gid=2000(extra) groups=2000(extra)", "2000"),
    ("65534", "uid=65534(nobody) gid=65534(nogroup) groups=65534(nogroup)", "65534"),
    ("root", "uid=0(root) gid=0(root) groups=0(root)", "0"),
])
def test_user(coral, box, flag, want, groups):
    done = coral.run("exec", "--pid", box.pid, "-u", flag, "--", "sh", "-c", ID)
    assert (done.code, done.text) == (0, f"{want}\n{groups}\n"), done


ID = "id; sed -n 's/^Groups:[[:space:]]*//p' /proc/self/status | sed 's/ *$//'"


@pytest.mark.parametrize("user", ["app", "app:extra", "1000", "4242:5", "root", "0"])
def test_user_is_as_docker_has_it(coral, docker, user):
    box = docker.start("ids")
    theirs = run([*docker.cli(), "exec", "-u", user, box.name, "sh", "-c", ID]).stdout
    assert coral.run("exec", "--pid", box.pid, "-u", user, "--", "sh", "-c", ID).text == theirs


def test_unknown_user(coral, box):
    done = coral.run("exec", "--pid", box.pid, "-u", "nemo", "--", "id")
    assert done.code == 125 and "nemo" in done.errtext


def test_target_user_is_the_default(coral, make_box):
    def as_app(config, _):
        config["process"]["user"] = {"uid": 1000, "gid": 1000, "additionalGids": [2000]}
        config["process"]["capabilities"] = {}

    app = make_box("app", kind="busybox", edit=as_app)
    status = coral.run("exec", "--pid", app.pid, "--", "cat", "/proc/self/status").text
    fields = dict(line.split(":", 1) for line in status.splitlines() if ":" in line)
    assert fields["Uid"].split() == ["1000"] * 4
    assert fields["Groups"].split() == ["2000"]
    assert fields["CapEff"].strip() == fields["CapPrm"].strip() == "0" * 16


def test_context_equals_the_targets(coral, box):
    """Capabilities, namespaces and cgroup are the container's own."""
    script = "cat /proc/self/status; for n in pid mnt net ipc uts; do readlink /proc/self/ns/$n; done"
    mine = sh(coral, box, script).text
    own = {line.split(":")[0]: line.split()[1] for line in
           open(f"/proc/{box.pid}/status", encoding="utf-8") if line.startswith("Cap")}
    got = {line.split(":")[0]: line.split()[1] for line in mine.splitlines()
           if line.startswith("Cap")}
    assert got == own
    for ns in ("pid", "mnt", "net", "ipc", "uts"):
        assert os.readlink(f"/proc/{box.pid}/ns/{ns}") in mine


def test_only_three_descriptors(coral, bare):
    """Nothing of the agent leaks in; 3 is ls's own."""
    done = coral.run("exec", "--pid", bare.pid, "--", "ls", "/proc/self/fd")
    assert done.text.split() == ["0", "1", "2", "3"]


def test_cgroup_of_the_session_is_the_targets_child(agent, box):
    proc = agent.coral.popen("exec", "--pid", box.pid, "--", "sh", "-c", "echo up; read x")
    proc.stdout.readline()
    inside = [p for p in box.processes() if p != box.pid]
    paths = [line.split(":", 2)[2].strip() for line in
             open(f"/proc/{inside[0]}/cgroup", encoding="utf-8")]
    assert all(p.startswith("/" + box.name) for p in paths), paths
    proc.communicate(b"\n", 20)


def test_one_word_with_syntax_goes_through_sh(coral, box):
    assert coral.run("exec", "--pid", box.pid, "seq 1 30 | wc -l").out == b"30\n"


def test_words_after_dashdash_are_exact(coral, box):
    done = coral.run("exec", "--pid", box.pid, "--", "echo", "$HOME", "a  b", "*")
    assert done.out == b"$HOME a  b *\n"
    done = coral.run("exec", "--pid", box.pid, "--", "seq 1 30 | wc -l")
    assert done.code == 127


def test_two_words_are_exact(coral, box):
    assert coral.run("exec", "--pid", box.pid, "echo", "a;b").out == b"a;b\n"


def test_not_found_and_not_executable(either, box):
    done = either.run("exec", "--pid", box.pid, "--", "no-such-program")
    assert done.code == 127 and "no-such-program" in done.errtext
    for path in ("/etc/plain", "/etc"):
        done = either.run("exec", "--pid", box.pid, "--", path)
        assert done.code == 126 and path in done.errtext


@pytest.mark.parametrize("script,want", [
    ("echo hi; echo oops >&2; exit 3",
     {"stdout": "hi\n", "stderr": "oops\n", "exit_code": 3, "signal": None, "cause": "exit"}),
    ("kill -9 $$", {"stdout": "", "exit_code": 137, "cause": "signal"}),
])
def test_json(either, box, script, want):
    done = either.run("exec", "--pid", box.pid, "-o", "json", "--", "sh", "-c", script)
    assert done.code == want["exit_code"]
    assert done.err == b""
    got = done.json()
    for key, value in want.items():
        assert got[key] == value, key
    assert got["stdout_bytes"] == len(want["stdout"])
    assert got["stdout_sha256"] == hashlib.sha256(want["stdout"].encode()).hexdigest()
    assert got["session_id"] in either.session_dirs()
    assert got["duration_ms"] >= 0 and got["container_pid"] > 0
    assert "mnt" in got["namespaces_entered"] and "context" in got


def test_json_of_a_signal_names_it(coral, box):
    got = coral.run("exec", "--pid", box.pid, "-o", "json", "--", "sh", "-c", "kill -TERM $$").json()
    assert str(got["signal"]).removeprefix("SIG") in ("TERM", "15")


def test_json_of_bytes(coral, box):
    got = coral.run("exec", "--pid", box.pid, "-o", "json", "--", "printf", "\\377\\376").json()
    assert base64.b64decode(got["stdout_base64"]) == b"\xff\xfe"
    assert "stdout" not in got


def test_status_fd(coral, box):
    r, w = os.pipe()
    os.set_inheritable(w, True)
    done = coral.run("exec", "--pid", box.pid, "--status-fd", w, "--", "sh", "-c", "echo x; exit 9",
                     pass_fds=(w,))
    os.close(w)
    with os.fdopen(r) as f:
        got = json.loads(f.read())
    assert (done.code, done.out) == (9, b"x\n")
    assert got["exit_code"] == 9 and got["stdout_bytes"] == 2 and "stdout" not in got


@pytest.mark.parametrize("code", [0, 9])
def test_an_outcome_that_cannot_be_written(coral, box, code):
    """As output that cannot be: 125, whatever the command's status, and what was not written."""
    for flags, fd, name in [(["-o", "json"], 1, "standard output"),
                            (["--status-fd", "3"], 3, "the descriptor of --status-fd")]:
        argv = coral.argv("exec", *flags, "--pid", box.pid, "--", "sh", "-c",
                          f"seq 1 10000; exit {code}")
        done = run(["sh", "-c", f'"$@" {fd}>/dev/full', "sh", *argv], env=coral.env(), check=False)
        assert done.returncode == 125, (flags, done)
        assert done.stderr.startswith(
            f"coral: cannot write {name}\n  why: No space left on device\n"), (flags, done)
        assert fd == 1 or done.stdout.endswith("\n10000\n")


def test_an_outcome_that_nobody_reads(coral, box):
    proc = coral.popen("exec", "-o", "json", "--pid", box.pid, "--", "true")
    proc.stdout.close()
    proc.stdin.close()
    with proc.stderr:
        assert (proc.wait(20), proc.stderr.read()) == (128 + signal.SIGPIPE, b"")


@pytest.mark.parametrize("words,code", [("--help", 1), ("exec --help", 125), ("agent --help", 1),
                                        ("help", 1), ("version", 1), ("completion bash", 1)])
def test_help_that_cannot_be_written(coral, words, code):
    with open("/dev/full", "wb") as full:
        done = subprocess.run([CORAL, *words.split()], stdout=full, stderr=subprocess.PIPE,
                              env=coral.env(), check=False)
    assert done.returncode == code and b"cannot write standard output" in done.stderr, done


def test_timeout_ends_the_tree(either, box):
    """TERM, a grace of 5 s, then KILL: also for one that ignores TERM and left its session."""
    start = time.monotonic()
    done = sh(either, box, "trap '' TERM; setsid sh -c 'trap \"\" TERM; sleep 500' & sleep 500; "
              "sleep 500", "--timeout", "1s", timeout=30)
    assert done.code == 124
    assert 1 <= time.monotonic() - start < 12
    wait_for("the tree to end", lambda: box.processes() == [box.pid])


def test_timeout_lets_a_polite_command_say_goodbye(coral, box):
    done = sh(coral, box, "trap 'echo bye; exit 0' TERM; while :; do sleep 0.1; done",
              "--timeout", "500ms")
    assert (done.code, done.out) == (124, b"bye\n")


def test_background_child_does_not_hold_the_session(coral, box):
    """The command ended; what it left running with our pipes open ends with the session."""
    start = time.monotonic()
    done = sh(coral, box, "sleep 300 & echo started")
    assert (done.code, done.out) == (0, b"started\n")
    assert time.monotonic() - start < 20


def test_client_signal_reaches_the_command(coral, box):
    """^C at a client without a TTY: the command is interrupted, nothing stays."""
    proc = coral.popen("exec", "--pid", box.pid, "--", "sh", "-c", "echo up; exec sleep 500")
    proc.stdout.readline()
    proc.send_signal(signal.SIGINT)
    assert proc.wait(20) == 130
    proc.communicate()


def test_no_terminal_without_t(coral, box):
    assert coral.run("exec", "--pid", box.pid, "--", "sh", "-c", "tty; exit 0").out == b"not a tty\n"


def test_privileged_keeps_more(coral, box):
    line = coral.run("exec", "--pid", box.pid, "--privileged", "--", "grep", "CapEff",
                     "/proc/self/status").text.split()[1]
    own = coral.run("exec", "--pid", box.pid, "--", "grep", "CapEff",
                    "/proc/self/status").text.split()[1]
    assert int(line, 16) & (1 << 21) and not int(own, 16) & (1 << 21)


def test_namespaces(coral, box):
    """Only what is named is entered: the host's name and network stay."""
    assert coral.run("exec", "--pid", box.pid, "--", "hostname").out == b"reef\n"
    done = coral.run("exec", "--pid", box.pid, "--namespaces", "mnt,pid", "--", "sh", "-c",
                     "hostname; readlink /proc/self/ns/net; head -1 /etc/tide")
    name, net, tide = done.text.splitlines()
    assert name == os.uname().nodename and net == os.readlink("/proc/self/ns/net")
    assert tide.startswith("line 1:")


def test_many_at_once(agent, box):
    """Forty clients at the same time, each with its own answer."""
    procs = [agent.coral.popen("exec", "--pid", box.pid, "--", "echo", str(n), stdin=subprocess.DEVNULL)
             for n in range(40)]
    got = [p.communicate(timeout=60) for p in procs]
    assert [p.returncode for p in procs] == [0] * 40
    assert [int(out) for out, _ in got] == list(range(40))
