# SPDX-License-Identifier: GPL-3.0-or-later
"""What a container sees and can reach of the agent while it is entered: nothing."""
import contextlib
import ctypes
import fcntl
import hashlib
import os
import pathlib
import pty
import subprocess
import termios

import pytest

from house.util import CORAL, run, wait_for

HERE = pathlib.Path(__file__).parent
ADD_KEY, KEYCTL, JOIN_SESSION_KEYRING, SESSION_KEYRING = 248, 250, 1, -3


@pytest.fixture(scope="module")
def helper(base):
    """Static programs of the test, for a container: helper(NAME) is its path on the host."""
    def build(name):
        run(["gcc", "-static", "-O2", "-o", base / name, HERE / f"{name}.c"])
        return base / name

    return build


@pytest.fixture
def watched_box(make_box, helper, runc):
    """A container with a spy in it; watched_box(*args) starts it, and box, output() tell."""
    box = make_box("spied")
    program = box.root / "tmp" / "spy"
    program.write_bytes(helper("spy").read_bytes())
    program.chmod(0o755)
    made = []

    class Spy:
        def __init__(self):
            self.box = box

        def start(self, *args):
            proc = subprocess.Popen(runc.exec_argv(box, "/tmp/spy", *args),
                                    stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
            made.append(proc)
            assert proc.stdout.readline() == b"spying\n"

        def output(self):
            (box.root / "tmp/stop").touch()
            return b"".join(p.communicate(timeout=20)[0] for p in made).decode()

    yield Spy()
    with contextlib.suppress(OSError):
        (box.root / "tmp/stop").touch()
    for proc in made:
        with contextlib.suppress(subprocess.TimeoutExpired, ValueError):
            proc.communicate(timeout=20)


def clean(said):
    assert "SAW" not in said and "WROTE" not in said, said[-2000:]
    counts = dict(zip(said.split()[-6::2], map(int, said.split()[-5::2])))
    return counts


@pytest.mark.slow
@pytest.mark.parametrize("flags,rounds", [
    ((), 200),
    (("-u", "app"), 40),
    (("--namespaces", "mnt,pid"), 40),
    (("--privileged",), 40),
])
def test_a_spy_sees_nothing(agent, watched_box, flags, rounds):
    """Not the agent's descriptors, program, environment, memory; and it is not to be seized."""
    watched_box.start()
    pid = watched_box.box.pid
    for n in range(rounds):
        done = agent.coral.run("exec", "--pid", pid, *flags, "--", "true")
        assert done.code == 0, done
        if n % 20 == 0:
            done = agent.coral.run("shell", "-tt", "--pid", pid, *flags, input=b"exit\n")
            assert done.code == 0, done
    counts = clean(watched_box.output())
    assert counts["looks"] > 1000 and counts["refused"] > 0


def test_the_spy_would_see_it(watched_box, runc):
    """The same spy and a process that does not hide: the test above can fail."""
    watched_box.start()
    run(runc.exec_argv(watched_box.box, "env", "CORAL_LEAK=1", "sleep", "1"))
    out = watched_box.output()
    assert "SAW" in out and "environ CORAL_" in out, out[-2000:]


def sha256(path):
    return hashlib.sha256(pathlib.Path(path).read_bytes()).hexdigest()


def test_a_script_that_runs_the_agents_program(agent, watched_box):
    """#!/proc/self/exe, while others spin on opening it for writing."""
    box = watched_box.box
    before = sha256(CORAL)
    evil = box.root / "tmp" / "evil"
    evil.write_text("#!/proc/self/exe ps\n")
    evil.chmod(0o755)
    watched_box.start("-w")
    watched_box.start("-w")
    for _ in range(60):
        agent.coral.run("exec", "--pid", box.pid, "--", "/tmp/evil")
    counts = clean(watched_box.output())
    assert counts["taken"] > 0 and counts["refused"] > 0, "it was never held: nothing was tested"
    assert sha256(CORAL) == before == sha256(f"/proc/{agent.proc.pid}/exe")
    assert agent.coral.run("exec", "--pid", box.pid, "--", "echo", "on").out == b"on\n"


def test_descriptors_of_a_terminal(either, bare):
    """Exactly three, of one terminal, which is the controlling one."""
    text = either.run("exec", "-tt", "--pid", bare.pid, "--", "sh", "-c",
                      "tty; ls -l /proc/$$/fd; echo ok >/dev/tty").text.splitlines()
    tty = text[0]
    assert tty.startswith("/dev/pts/") and text[-1] == "ok"
    fds = [line.split()[-3:] for line in text if "->" in line]
    assert fds == [[str(n), "->", tty] for n in range(3)], text


def test_no_terminal_of_the_agent(either, bare):
    """The agent of one command runs on the user's terminal; its command has none."""
    master, slave = pty.openpty()

    def on_tty():
        os.setsid()
        fcntl.ioctl(slave, termios.TIOCSCTTY, 0)

    script = "cut -d' ' -f7 /proc/self/stat; (: </dev/tty) 2>/dev/null || echo none"
    proc = subprocess.Popen(either.argv("exec", "--pid", bare.pid, "--", "sh", "-c", script),
                            env=either.env(), preexec_fn=on_tty, stdin=slave,
                            stdout=subprocess.PIPE, stderr=slave)
    try:
        assert proc.communicate(timeout=30)[0].split() == [b"0", b"none"]
    finally:
        os.close(master)
        os.close(slave)


def test_keyring(make_agent, bare, helper, coral):
    """The agent holds a key in its session keyring; its commands hold another keyring."""
    libc = ctypes.CDLL(None, use_errno=True)
    name = f"coral-secret-{os.getpid()}".encode()
    assert libc.syscall(KEYCTL, JOIN_SESSION_KEYRING, name) > 0
    assert libc.syscall(ADD_KEY, b"user", name, b"s3cret", 6, SESSION_KEYRING) > 0
    own = run([helper("keys"), name.decode()]).stdout
    assert "key -1" not in own and "new" not in own, own
    inside = bare.root / "tmp" / "keys"
    inside.write_bytes(helper("keys").read_bytes())
    inside.chmod(0o755)
    agent = make_agent()
    for who in (agent.coral, coral):
        for flags in ((), ("-u", "1000"), ("--privileged",)):
            done = who.run("exec", "--pid", bare.pid, *flags, "--", "/tmp/keys", name.decode())
            assert (done.code, done.out) == (0, b"new\n"), done
    inside.unlink()


def test_environment_of_the_agent(make_agent, bare):
    agent = make_agent(env={"AGENT_SECRET": "hush", "LD_LIBRARY_PATH": "/agent"})
    text = agent.coral.run("exec", "--pid", bare.pid, "--", "env").text
    assert "hush" not in text and "/agent" not in text


@pytest.mark.parametrize("own,want", [(-200, 500), (0, 500), (700, 700), (1000, 1000)])
def test_the_session_dies_first(either, make_box, own, want):
    """oom_score_adj: the larger of the target's and 500."""
    if own < 0:
        own = int(pathlib.Path("/proc/self/oom_score_adj").read_text())
    box = make_box("thirsty", kind="busybox",
                   edit=lambda c, _: c["process"].update(oomScoreAdj=own))
    done = either.run("exec", "--pid", box.pid, "--", "cat", "/proc/self/oom_score_adj")
    assert int(done.text) == want


def test_limits_are_the_targets(either, make_box):
    def edit(config, _):
        config["process"]["rlimits"] = [
            {"type": f"RLIMIT_{n}", "soft": s, "hard": h} for n, s, h in (
                ("NOFILE", 321, 654), ("CORE", 0, 0), ("STACK", 4 << 20, 8 << 20))]

    box = make_box("limited", kind="busybox", edit=edit)
    text = either.run("exec", "--pid", box.pid, "--", "cat", "/proc/self/limits").text
    assert text == pathlib.Path(f"/proc/{box.pid}/limits").read_text()


def test_working_directory(agent, bare):
    """Not where the agent runs."""
    text = agent.coral.run("exec", "--pid", bare.pid, "--", "sh", "-c",
                           "pwd -P; readlink /proc/self/cwd; ls -d /proc/self/cwd/proc").text
    assert text.split() == ["/", "/", "/proc/self/cwd/proc"]
    wait_for("its end", lambda: not agent.coral.live())
