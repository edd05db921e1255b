# SPDX-License-Identifier: GPL-3.0-or-later
"""What bad input gets: three parts that name the fact, the right exit code, no session left.

One test for each line of the promise: no such target, ambiguous (test_targets.py), dead, exits
during entry (test_targets.py), no privilege, unreadable /proc, no shell, not found, not
executable, bad flag, bad key, full disk, unknown key in the file, broken .cast (test_replay.py)."""
import json
import os
import subprocess

import pytest

from house.casts import Cast
from house.coral import free_port
from house.util import run


def three_parts(done, *facts):
    """"coral: what", "  why: the facts", "  try: what to type"."""
    lines = [line for line in done.errtext.splitlines() if line.strip()]
    assert lines and lines[0].startswith("coral: "), done
    assert any(line.startswith("  why: ") for line in lines), done
    assert any(line.startswith("  try: ") for line in lines), done
    for fact in facts:
        assert fact in done.errtext, (fact, done.errtext)
    assert done.out == b""


def nothing_recorded(coral):
    """No session was left behind: none live, no directory without a recording."""
    assert not coral.live()
    for sid in coral.session_dirs():
        assert coral.cast_path(sid).stat().st_size > 0


@pytest.mark.parametrize("flags,fact", [
    (["--service", "no-such-service"], "no-such-service"),
    (["--container", "no-such-container"], "no-such-container"),
    (["--pod", "no-such-pod"], "no-such-pod"),
    (["--pid", "4194300"], "4194300"),
    (["no-such-word"], "no-such-word"),
])
def test_no_such_target(either, box, flags, fact):
    done = either.run("exec", *flags, "--", "true")
    assert done.code == 125
    three_parts(done, fact)
    if "--pid" not in flags:
        assert "harbour" in done.errtext, "why lists what exists"
    assert either.session_dirs() == []


def test_near_name_is_offered(coral, box):
    done = coral.run("exec", "--service", "harbur", "--", "true")
    assert done.code == 125 and "harbour" in done.errtext
    assert done.errtext.splitlines()[-1].startswith("  try: -c harbour"), done


def test_the_dashes_of_the_target_are_forgotten(coral, box):
    """As docker exec is typed: the hint is what was meant, and works."""
    done = coral.run("exec", "-c", box.name, box.name, "echo", "two words")
    assert done.code == 127
    three_parts(done, "first word of the command")
    assert done.errtext.splitlines()[-1] == f"  try: coral exec {box.name} -- echo 'two words'"


def test_no_privilege_names_the_capability(coral, box):
    """Root without CAP_SYS_ADMIN: the kernel's no, with the capability's name."""
    done = coral.run("exec", "--pid", box.pid, "--", "true",
                     prefix=["setpriv", "--bounding-set=-sys_admin", "--inh-caps=-sys_admin"])
    assert done.code == 125
    three_parts(done, "CAP_SYS_ADMIN")
    nothing_recorded(coral)


def test_not_root_and_no_agent(coral, box):
    coral.home.chmod(0o777)
    for sub in ("state", "run", "config", "xdg"):
        os.chown(coral.home / sub, 65534, 65534)
    done = coral.run("exec", "--pid", box.pid, "--", "true",
                     prefix=["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"])
    assert done.code in (125, 255)
    three_parts(done, "agent")


def test_unreadable_proc(coral, box):
    """In a mount namespace whose /proc is hidden."""
    done = coral.run("exec", "--service", "harbour", "--", "true", prefix=[
        "unshare", "-m", "--propagation", "private", "sh", "-c",
        "mount -t tmpfs none /proc && exec \"$0\" \"$@\""])
    assert done.code == 125
    three_parts(done, "/proc")


@pytest.mark.parametrize("path", ["/no/such/proc", "/usr"])
def test_proc_root_is_no_procfs(coral, home, path):
    done = coral.run("agent start", "--socket", home / "s", "--proc-root", path, timeout=15)
    assert done.code == 1
    three_parts(done, path, "--proc-root")
    assert not (home / "s").exists()


@pytest.mark.parametrize("text,mode,fact", [
    (None, 0, "cannot open"), ("ssh-ed25519 rubbish alice\n", 0o600, "line 1"),
    ("", 0o620, "chmod go-w")])
def test_agent_with_keys_it_cannot_use(coral, home, text, mode, fact):
    keys = home / "keys"
    if text is not None:
        keys.write_text(text)
        keys.chmod(mode)
    done = coral.run("agent start", "--socket", home / "s", "--listen", f"127.0.0.1:{free_port()}",
                     "--authorized-keys", keys, timeout=15)
    assert done.code == 1
    three_parts(done, str(keys), fact)
    assert not (home / "s").exists()


def test_agent_without_any_key_says_so(make_agent):
    agent = make_agent(start=False, flags=["--listen", f"127.0.0.1:{free_port()}"])
    agent.start()
    assert "nobody can log in over TCP" in agent.log()


def test_agent_with_keys_in_the_policy_alone(make_agent, key):
    agent = make_agent(start=False, flags=["--listen", f"127.0.0.1:{free_port()}"])
    (agent.coral.config.parent / "policy.yaml").write_text(
        "roles:\n- {name: all, permissions: [{commands: [exec]}]}\n"
        f"users:\n- {{name: alice, role: all, keys: [\"{key.public}\"]}}\n")
    agent.start()
    assert "nobody can log in" not in agent.log() and "authorized" not in agent.log()


def test_no_shell_in_the_container(coral, make_box):
    def bare_static(_, rootfs):
        for entry in (rootfs / "bin").iterdir():
            if entry.name not in ("busybox", "sleep"):
                entry.unlink()
        (rootfs / "bin/sleep").unlink()
        (rootfs / "bin/busybox").rename(rootfs / "bin/sleep")

    shellless = make_box("shellless", kind="busybox", edit=bare_static)
    done = coral.run("shell", "--pid", shellless.pid)
    assert done.code == 127
    three_parts(done, "sh")
    done = coral.run("exec", "--pid", shellless.pid, "echo a | cat")
    assert done.code == 127
    three_parts(done, "sh")
    # A program that is there still runs.
    assert coral.run("exec", "--pid", shellless.pid, "--", "/bin/sleep", "0").code == 0
    nothing_recorded(coral)


def test_command_not_found(either, box):
    done = either.run("exec", "--pid", box.pid, "--", "no-such-command")
    assert done.code == 127
    three_parts(done, "no-such-command")
    nothing_recorded(either)


@pytest.mark.parametrize("path", ["/etc/plain", "/etc"])
def test_not_executable(either, box, path):
    done = either.run("exec", "--pid", box.pid, "--", path)
    assert done.code == 126
    three_parts(done, path)
    nothing_recorded(either)


def test_interpreter_missing(coral, make_box):
    def script(_, rootfs):
        (rootfs / "bin/odd").write_text("#!/no/such/interpreter\n")
        (rootfs / "bin/odd").chmod(0o755)

    odd = make_box("odd", kind="busybox", edit=script)
    done = coral.run("exec", "--pid", odd.pid, "--", "/bin/odd")
    assert done.code in (126, 127)
    three_parts(done, "/bin/odd")


@pytest.mark.parametrize("argv,fact", [
    (["--no-such-flag", "--", "true"], "--no-such-flag"),
    (["--servise", "x", "--", "true"], "--service"),
    (["--pid", "x", "--", "true"], "--pid"),
    (["--pid", "-3", "--", "true"], "--pid"),
    (["--timeout", "soon", "--pid", "1", "--", "true"], "--timeout"),
    (["--namespaces", "mnt,nope", "--pid", "PID", "--", "true"], "nope"),
    (["--on-disconnect", "never", "--pid", "PID", "--", "true"], "never"),
    (["-e", "=x", "--pid", "PID", "--", "true"], "=x"),
    (["--env-file", "/no/such/file", "--pid", "PID", "--", "true"], "/no/such/file"),
    (["-o", "xml", "--pid", "PID", "--", "true"], "xml"),
    (["--status-fd", "99", "--pid", "PID", "--", "true"], "99"),
    (["--pid"], "--pid"),
    (["--pid", "PID"], "command"),
])
def test_bad_flag_of_exec(coral, box, argv, fact):
    done = coral.run("exec", *[str(box.pid) if a == "PID" else a for a in argv])
    assert done.code == 125, done
    three_parts(done, fact)
    assert coral.session_dirs() == []


@pytest.mark.parametrize("argv,code", [
    (["sessions", "--nope"], 2), (["replay"], 2), (["nonsense"], 2), (["sessions", "show"], 2),
    (["sessions", "show", "zzzz"], 1), (["sessions", "rm", "01zzzzzzzz"], 1),
    (["replay", "/no/such/file.cast"], 1), (["completion", "tcsh"], 2)])
def test_local_commands(coral, argv, code):
    done = coral.run(*argv)
    assert done.code == code, done
    assert done.errtext.startswith("coral: ") and done.out == b""


def test_bad_key_file(net_agent, home, box):
    bad = home / "bad_key"
    bad.write_text("-----BEGIN OPENSSH PRIVATE KEY-----\nrubbish\n")
    bad.chmod(0o600)
    net_agent.coral.extra["CORAL_AGENT"] = f"127.0.0.1:{net_agent.port}"
    for path in (bad, home / "no-such-key"):
        done = net_agent.coral.run("exec", "--identity", path, "--pid", box.pid, "--", "true")
        assert done.code in (125, 255)
        three_parts(done)
    del net_agent.coral.extra["CORAL_AGENT"]


def test_nobody_listens(coral, box):
    coral.extra["CORAL_AGENT"] = "127.0.0.1:1"
    done = coral.run("exec", "--pid", box.pid, "--", "true")
    assert done.code == 255
    three_parts(done, "127.0.0.1:1")


def test_not_an_agent_at_the_other_end(coral, box, home):
    """A server of another kind: no hang, an error that names it."""
    script = ("import socket;s=socket.create_server(('127.0.0.1',0));"
              "print(s.getsockname()[1],flush=True);c,_=s.accept();c.sendall(b'220 hi\\r\\n'*99);"
              "c.close()")
    with subprocess.Popen(["/usr/bin/python3", "-c", script], stdout=subprocess.PIPE) as server:
        coral.extra["CORAL_AGENT"] = f"127.0.0.1:{int(server.stdout.readline())}"
        done = coral.run("exec", "--pid", box.pid, "--", "true")
        server.kill()
    assert done.code == 255
    three_parts(done)


@pytest.fixture
def small_disk(home):
    """A state directory of 2 MiB."""
    def make(coral):
        run(["mount", "-t", "tmpfs", "-o", "size=2m,mode=0700", "none", coral.state])
        made.append(coral.state)

    made = []
    yield make
    for path in made:
        run(["umount", "-l", path], check=False)


def fill_and_be_refused(coral, box):
    """The caller is told, and so is who reads the log: what is kept of the disk has room for it."""
    assert coral.run("exec", "--pid", box.pid, "--", "true").code == 0
    with open(coral.state / "filler", "wb") as f:
        f.truncate(0)
        try:
            while f.write(b"x" * 65536) and not f.flush():
                pass
        except OSError:
            pass
    done = coral.run("exec", "--pid", box.pid, "--", "echo", "never")
    assert done.code == 125
    three_parts(done, "space")
    assert b"never" not in done.out
    told = json.loads((coral.state / "audit/audit.jsonl").read_text().splitlines()[-1])
    assert (told["event"], told["command"]) == ("denied", ["echo", "never"]), told
    assert "space" in told["error"] and told["container_pid"] == box.pid, told


def test_full_disk_before_the_session(coral, box, small_disk):
    small_disk(coral)
    fill_and_be_refused(coral, box)


def test_full_disk_of_an_agent(make_agent, box, small_disk):
    agent = make_agent(start=False)
    small_disk(agent.coral)
    agent.start()
    fill_and_be_refused(agent.coral, box)
    assert "beginning a session" in agent.log(), agent.log()


def test_full_disk_during_the_session(coral, box, small_disk):
    """No byte reaches the user that the recording could not take; a kept session is ended."""
    small_disk(coral)
    (coral.config.parent / "policy.yaml").write_text("defaults:\n  record: {on_failure: kill}\n")
    done = coral.run("exec", "-tt", "--pid", box.pid, "--", "sh", "-c",
                     "i=0; while [ $i -lt 90000 ]; do echo line $i of a long story; i=$((i+1)); done")
    assert done.code == 125, (done.code, len(done.out), done.errtext)
    assert "record" in done.errtext
    path = coral.newest_cast()
    assert len(done.out) > 100_000 and Cast(path).exact(1).startswith(done.out)
    replayed = coral.local("replay", path, "--format", "json")
    assert replayed.code == 0


@pytest.mark.parametrize("text,near", [
    ("agnet:\n  socket: /tmp/x\n", "\"agent\""),
    ("agnet.socket: /tmp/x\n", "\"agent.socket\""),
    ("agent:\n  sokcet: /tmp/x\n", "socket"),
    ("a: [1\n", "config.yaml"),
])
def test_unknown_configuration_key(coral, box, text, near):
    coral.config.write_text(text)
    done = coral.run("exec", "--pid", box.pid, "--", "true")
    assert done.code == 125
    three_parts(done, near, "config.yaml")
    assert coral.run("sessions").code == 1


def test_unreadable_configuration(coral, box):
    """What CORAL_CONFIG names must be there, be a file, and be nobody else's to write."""
    coral.config.write_text("service: harbour\n")
    coral.config.chmod(0o666)
    for path, fact in ((coral.config, "chmod"), ("/no/such/config.yaml", "/no/such"),
                       ("/dev/null", "regular")):
        coral.extra["CORAL_CONFIG"] = str(path)
        done = coral.run("exec", "--pid", box.pid, "--", "true")
        assert done.code == 125
        three_parts(done, str(path), fact)


def test_state_directory_cannot_be_made(coral, box):
    (coral.home / "plain").write_text("")
    coral.extra["CORAL_STATE_DIR"] = str(coral.home / "plain" / "state")
    done = coral.run("exec", "--pid", box.pid, "--", "true")
    assert done.code == 125
    three_parts(done, "cannot make directory", "CORAL_STATE_DIR")


def test_unknown_variable_is_a_warning(coral, box):
    coral.extra["CORAL_SERVISE"] = "x"
    done = coral.run("exec", "--pid", box.pid, "--", "echo", "on")
    assert (done.code, done.out) == (0, b"on\n")
    assert "CORAL_SERVISE" in done.errtext and "CORAL_SERVICE" in done.errtext


def test_no_escapes_in_errors(coral):
    done = coral.run("exec", "--service", "x\x1b]0;evil\x07\x9b", "--", "true")
    assert done.code == 125
    assert not [b for b in done.err if b < 32 and b != 10]


def test_second_agent_on_the_same_socket(agent):
    done = agent.coral.run("agent start", "--socket", agent.socket, timeout=15)
    assert done.code == 1
    three_parts(done, str(agent.socket))
    assert agent.coral.run("ps").code == 0


def test_stale_socket_is_replaced(agent, box):
    agent.kill()
    assert agent.socket.exists()
    agent.start()
    assert agent.coral.run("exec", "--pid", box.pid, "--", "echo", "on").out == b"on\n"


def test_help_everywhere(coral):
    """--help of every verb: on stdout, 0, with an example."""
    overview = coral.local("help").text
    for verb in ("exec", "shell", "ps", "sessions", "replay", "agent start", "completion"):
        assert verb.split()[0] in overview
        done = coral.local(verb, "--help")
        assert done.code == 0 and f"coral {verb.split()[0]}" in done.text, verb
        assert done.err == b""
    for verb, sub in (("audit", "grep"), ("keys", "create"), ("agent", "start")):
        for words in ((verb, "--help"), (verb, "-h"), ("help", verb)):
            done = coral.local(*words)
            assert done.code == 0 and f"  {verb} {sub}" in done.text and not done.err, done
    assert coral.local("version").text.startswith("coral ")
