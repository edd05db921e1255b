# SPDX-License-Identifier: GPL-3.0-or-later
"""The target's seccomp filter in the session: from the runtime's files, from the process, or a
built-in one; and TIOCSTI, which policy blocks."""
import contextlib
import json
import os
import pathlib
import shutil
import socket
import subprocess
import threading

import pytest

from house.containers import Runc
from house.coral import status_of
from house.term import Pty
from house.util import run, wait_for
from test_policy import reef, tcp  # noqa: F401  pylint: disable=unused-import

ALLOWING = {"defaultAction": "SCMP_ACT_ALLOW",
            "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"]}


@pytest.fixture(scope="session")
def probe(base):
    path = base / "seccomp-probe"
    run(["gcc", "-O1", "-static", "-no-pie", "-o", path,
         pathlib.Path(__file__).with_name("probe.c")])
    return path


@pytest.fixture(scope="session")
def own_runc(base, roots):
    """runc with its state where it is by default: there coral finds it."""
    engine = Runc(base / "own-runc", roots)
    engine.state = pathlib.Path("/run/runc")
    yield engine
    engine.close()


@pytest.fixture
def box_with(own_runc, probe):  # noqa: F811
    made = []

    def make(seccomp=None, nnp=False, engine=own_runc, **kw):
        def edit(config, root):
            shutil.copy(probe, root / "probe")
            config["process"]["noNewPrivileges"] = nnp
            if seccomp:
                config["linux"]["seccomp"] = seccomp

        made.append((engine, engine.start("weir", kind="busybox", edit=edit, **kw)))
        return made[-1][1]

    yield make
    for engine, container in made:
        engine.delete(container)


def denying(*names, errno=71, action="SCMP_ACT_ERRNO", **more):
    rule = {"names": list(names), "action": action}
    if action == "SCMP_ACT_ERRNO":
        rule["errnoRet"] = errno
    return {**ALLOWING, "syscalls": [rule], **more}


def put(container, program):
    path = container.root / "probe"
    shutil.copy(program, path)
    return path


def answers(text):
    lines = [line.rsplit(" ", 1) for line in text.splitlines()]
    return {name: int(code) for name, code in lines}


def calls(coral, container, *flags):
    done = coral.run("exec", *flags, "--pid", container.pid, "--", "/probe", "calls")
    assert done.code == 0, done
    return answers(done.text)


def item(coral, container, name, *flags):
    done = coral.run("exec", *flags, "--pid", container.pid, "--", "/bin/true")
    assert done.code == 0, done
    with open(coral.newest_cast(), encoding="utf-8") as f:
        header = json.loads(f.readline())["coral"]
    return next(i for i in header["context"]["items"] if i["item"] == name), header


def is_well(pid):
    """Neither traced nor stopped."""
    status = status_of(pid)
    return status["TracerPid"].strip() == "0" and status["State"].split()[0] not in "tT"


STATUS = ("Seccomp", "Seccomp_filters", "NoNewPrivs", "CapPrm", "CapEff", "CapBnd")


def status_lines(text):
    lines = dict(line.split(":", 1) for line in text.splitlines() if ":" in line)
    return {name: lines[name].strip() for name in STATUS}


@pytest.mark.parametrize("engine", ["docker", "podman"])
def test_default_of_an_engine(request, engine, probe, coral):
    """Every call fails as in the engine's own exec, and the status lines are the same."""
    engine = request.getfixturevalue(engine)
    box = engine.start("weir")
    put(box, probe)
    if box.runtime == "docker":
        def theirs(*argv):
            return run([*engine.cli(), "exec", box.name, *argv]).stdout
    else:
        def theirs(*argv):
            return engine.cmd("exec", box.name, *argv).stdout
    want = answers(theirs("/probe", "calls"))
    assert want["userfaultfd"] == 1 and want["ptrace"] == 0
    assert calls(coral, box) == want
    again = calls(coral, box)  # from what was kept
    assert again == want
    assert calls(coral, box, "--seccomp=copy") == want
    got = coral.run("exec", "--pid", box.pid, "--", "cat", "/proc/self/status").text
    assert status_lines(got) == status_lines(theirs("cat", "/proc/self/status"))
    said, _ = item(coral, box, "seccomp")
    assert said["state"] == "cloned" and box.id in said["why"], said
    said, header = item(coral, box, "seccomp", "--seccomp=copy")
    assert said["state"] == "cloned" and "from the process" in said["why"], said
    assert header["seccomp"] == "copy"
    assert is_well(box.pid)
    free = answers(coral.run("exec", "--privileged", "--pid", box.pid, "--", "/probe",
                             "calls").text)
    assert free["userfaultfd"] == 0


def test_builtin_is_like_the_engines(docker, podman, probe, coral):
    """With the runtimes' files out of sight: what both engines deny, it denies."""
    boxes = [docker.start("weir"), podman.start("weir")]
    denied = []
    for box in boxes:
        put(box, probe)
        denied.append({n for n, c in calls(coral, box).items() if c in (1, 38)})
    for box in boxes:
        with hidden(box):
            got = calls(coral, box)
            said, _ = item(coral, box, "seccomp")
        assert said["state"] == "defaulted" and "built-in" in said["why"], said
        assert "--seccomp=copy" in said["allow"], said
        mine = {n for n, c in got.items() if c in (1, 38)}
        assert denied[0] & denied[1] <= mine, denied[0] & denied[1] - mine
        assert got["clone3"] == 38 and got["ptrace"] == 0 and got["personality?"] == 0


@contextlib.contextmanager
def hidden(box):
    """Move the bundle's config.json away for a moment."""
    found = [pathlib.Path(p) for p in run(
        ["find", "/tmp", "/run", "-name", "config.json", "-path", f"*{box.id}*"],
        check=False).stdout.split()]
    assert found
    try:
        for path in found:
            path.rename(path.with_name("config.away"))
        yield
    finally:
        for path in found:
            path.with_name("config.away").rename(path)


@pytest.mark.parametrize("nnp", [False, True])
def test_case_26_errors_of_the_target(box_with, own_runc, coral, nnp):
    box = box_with(denying("mount", "keyctl"), nnp=nnp)
    want = answers(run(own_runc.exec_argv(box, "/probe", "calls")).stdout)
    assert want["mount"] == 71 and want["keyctl"] == 71
    assert calls(coral, box) == want
    assert calls(coral, box, "--seccomp=copy") == want
    got = coral.run("exec", "--pid", box.pid, "--", "cat", "/proc/self/status").text
    first = coral.run("exec", "--pid", box.pid, "--", "cat", "/proc/1/status").text
    assert status_lines(got) == status_lines(first)
    said, _ = item(coral, box, "seccomp")
    assert said["state"] == "cloned" and f"/run/runc/{box.name}/state.json" in said["why"], said


def test_no_filter_gives_none(box_with, coral):
    box = box_with()
    coral.config.with_name("policy.yaml").write_text("defaults: {tiocsti: allow}\n")
    got = coral.run("exec", "--pid", box.pid, "--", "cat", "/proc/self/status").text
    assert status_lines(got)["Seccomp"] == "0"
    said, _ = item(coral, box, "seccomp", "--seccomp=copy")
    assert said["state"] == "cloned" and "no filter" in said["why"]


class Supervisor:
    """Takes the listener that runc hands over, and never answers."""

    def __init__(self, path):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.bind(str(path))
        self.sock.listen(4)
        self.fds = []
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def serve(self):
        with contextlib.suppress(OSError):
            while True:
                conn, _ = self.sock.accept()
                with conn:
                    self.fds += socket.recv_fds(conn, 65536, 4)[1]

    def close(self):
        self.sock.shutdown(socket.SHUT_RDWR)
        self.sock.close()
        self.thread.join(5)
        for fd in self.fds:
            os.close(fd)


def test_case_27_a_supervisor_is_not_there(box_with, coral, home):
    supervisor = Supervisor(home / "sup.sock")
    try:
        box = box_with(denying("syncfs", action="SCMP_ACT_NOTIFY",
                               listenerPath=str(home / "sup.sock")))
        for flags in ([], ["--seccomp=copy"]):
            assert calls(coral, box, *flags)["syncfs"] == 38
            said, _ = item(coral, box, "seccomp", *flags)
            assert said["state"] == "defaulted" and "ENOSYS" in said["why"], said
    finally:
        supervisor.close()


def typed(coral, container, *flags):
    with Pty(coral.argv("exec", "-t", *flags, "--pid", container.pid, "--", "/probe", "sti"),
             coral.env()) as term:
        assert term.wait() == 0, term.seen
        text = term.seen.decode()
    return answers("\n".join(line.strip() for line in text.splitlines()
                             if line.strip().count(" ") == 1))


def test_case_36_tiocsti(box_with, coral):
    free, filtered = box_with(), box_with(denying("keyctl"))
    for box in (free, filtered):
        for flags in ([], ["--privileged"]):
            assert set(typed(coral, box, *flags).values()) == {1}, (box.name, flags)
    said, _ = item(coral, free, "tiocsti")
    assert said["state"] == "denied" and "defaults.tiocsti" in said["allow"], said
    coral.config.with_name("policy.yaml").write_text("defaults: {tiocsti: allow}\n")
    got = typed(coral, free)
    assert got["5412"] == 0 and got["dead000000005412"] == 0 and got["32-bit"] == 0, got
    said, _ = item(coral, free, "tiocsti")
    assert "allowed" in said["why"]


def test_filters_of_the_application(box_with, coral):
    """What a process took on itself is in no file: only --seccomp=copy sees it."""
    box = box_with(denying("keyctl"), args=["/probe", "filter"])
    wait_for("its filter", lambda: status_of(box.pid)["Seccomp_filters"].strip() == "2")
    got = calls(coral, box)
    assert got["keyctl"] == 71 and got["syncfs"] == 0
    said, _ = item(coral, box, "seccomp")
    assert said["state"] == "defaulted" and said["why"].startswith("1 of 2"), said
    got = calls(coral, box, "--seccomp=copy")
    assert got["keyctl"] == 71 and got["syncfs"] == 72
    said, _ = item(coral, box, "seccomp", "--seccomp=copy")
    assert said["state"] == "cloned" and said["why"].startswith("2 filters"), said
    assert is_well(box.pid)


def test_another_runtime_root_is_defaulted(runc, box_with, coral):
    """runc --root elsewhere: its file is not looked for, and the copy is another way."""
    box = box_with(denying("syncfs"), engine=runc)
    got = calls(coral, box)
    assert got["syncfs"] == 0 and got["keyctl"] == 1 and got["clone3"] == 38
    said, _ = item(coral, box, "seccomp")
    assert said["state"] == "defaulted" and "built-in" in said["why"], said
    got = calls(coral, box, "--seccomp=copy")
    assert got["syncfs"] == 71 and got["keyctl"] == 0


def test_copy_interrupts_and_auto_does_not(box_with, coral):
    """The price of a copy, which the manual names: one EINTR for who does not expect it."""
    box = box_with(denying("keyctl"), args=["/probe", "eintr"])
    seen = box.root / "eintr"

    def waits():
        return seen.exists() and status_of(box.pid)["State"].split()[0] == "S"

    wait_for("the probe to wait", waits)
    assert calls(coral, box)["keyctl"] == 71
    assert seen.read_text() == "0\n"
    assert calls(coral, box, "--seccomp=copy")["keyctl"] == 71
    wait_for("the probe to wait again", lambda: seen.read_text() == "1\n" and waits())
    assert is_well(box.pid)


def test_a_container_cannot_choose_the_file(box_with, runc, coral):
    """A process of its own called conmon, with arguments that point at a bundle of its making."""
    cid = "ab" * 32
    box = box_with(denying("keyctl"), engine=runc)
    bundle = box.root / "vol" / cid / "userdata"
    bundle.mkdir(parents=True)
    (bundle / "config.json").write_text(json.dumps({"linux": {}}))
    # Where the host would see it: the container's directory is the host's as well.
    on_host = runc.base / box.name / "rootfs" / "vol" / cid / "userdata"
    assert on_host.joinpath("config.json").exists()
    shutil.copy(box.root / "probe", box.root / "conmon")
    inner = subprocess.Popen(runc.exec_argv(box, "/conmon", "parent", "-b", on_host),
                             stdin=subprocess.DEVNULL)
    moved = []
    try:
        def child():
            for pid in box.processes():
                with contextlib.suppress(OSError):
                    parent = status_of(pid)["PPid"].strip()
                    if pathlib.Path(f"/proc/{parent}/comm").read_text() == "conmon\n":
                        return pid
            return None

        pid = wait_for("the false conmon's child", child)
        # It cannot name its cgroup libpod-ID by itself; root of the host does it here.
        for line in pathlib.Path(f"/proc/{box.pid}/cgroup").read_text().splitlines():
            _, names, path = line.split(":", 2)
            top = pathlib.Path("/sys/fs/cgroup") / (names.removeprefix("name=") or "unified")
            there = pathlib.Path(f"{top}{path}") / f"libpod-{cid}"
            if names not in ("cpuset",) and path != "/" and there.parent.is_dir():
                there.mkdir()
                moved.append(there)
                (there / "cgroup.procs").write_text(str(pid))
        done = coral.run("exec", "--pid", pid, "-o", "json", "--", "/probe", "calls").json()
        said = next(i for i in done["context"]["items"] if i["item"] == "seccomp")
        assert said["state"] == "defaulted" and "surely its own" in said["why"], said
        assert answers(done["stdout"])["userfaultfd"] == 1
    finally:
        for p in box.processes():
            if p != box.pid:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(p, 9)
        inner.wait(20)
        for there in moved:
            wait_for("the cgroup to empty", lambda t=there: not (t / "cgroup.procs").read_text())
            there.rmdir()


def test_traced_target_names_the_tracer(box_with, probe, coral):
    box = box_with(denying("keyctl"))
    with subprocess.Popen([probe, "trace", str(box.pid)], stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE) as tracer:
        assert tracer.stdout.readline() == b"tracing\n"
        done = coral.run("exec", "--seccomp=copy", "--pid", box.pid, "--", "/bin/true")
        assert done.code == 125 and f"{tracer.pid} (seccomp-probe)" in done.errtext, done
        assert "why:" in done.errtext and "try:" in done.errtext
        # Without it nobody needs to trace.
        assert calls(coral, box)["keyctl"] == 71
        tracer.stdin.close()
    assert calls(coral, box, "--seccomp=copy")["keyctl"] == 71


def test_copy_is_a_right_of_its_own(reef, box_with, home):  # noqa: F811
    box = box_with(denying("keyctl"))
    grant = """roles:
  - {name: some, permissions: [{commands: [exec]}]}
  - {name: more, permissions: [{commands: [exec, seccomp]}]}
users:
  - {name: alice, role: some}
  - {name: bob, role: more}
"""
    agent, people = reef(grant)
    argv = ["exec", "--seccomp=copy", "--pid", box.pid, "--", "/probe", "calls"]
    done = tcp(agent, "alice", home, people["alice"].key, box, *argv)
    assert done.code == 125 and "seccomp" in done.errtext and done.out == b"", done
    done = tcp(agent, "bob", home, people["bob"].key, box, *argv)
    assert done.code == 0 and answers(done.text)["keyctl"] == 71, done
    assert agent.coral.run(*argv).code == 0


def test_set_user_id_still_works(box_with, own_runc, coral):
    """Installed without no_new_privs: a set-user-ID program elevates, as in runc exec."""
    box = box_with(denying("keyctl"))
    os.chown(box.root / "probe", 0, 0)
    os.chmod(box.root / "probe", 0o4755)
    want = run([*own_runc.exec_argv(box)[:-1], "-u", "1000:1000", box.name, "/probe", "euid"])
    assert want.stdout == "0\n"
    done = coral.run("exec", "-u", "1000:1000", "--pid", box.pid, "--", "/probe", "euid")
    assert done.text == "0\n", done
    done = coral.run("exec", "-u", "1000:1000", "--pid", box.pid, "--", "/probe", "calls")
    assert answers(done.text)["keyctl"] == 71


def test_seccomp_takes_two_words(coral, box):
    done = coral.run("exec", "--seccomp=none", "--pid", box.pid, "--", "true")
    assert done.code == 125 and "auto, copy" in done.errtext, done
    done = coral.run("exec", "--seccomp=copy", "--privileged", "--pid", box.pid, "--", "true")
    assert done.code == 125 and "exclude" in done.errtext, done
    assert coral.run("exec", "--seccomp=auto", "--pid", box.pid, "--", "true").code == 0
