# SPDX-License-Identifier: GPL-3.0-or-later
"""The ladder of privilege: sessions of an agent that may not enter namespaces.

Each pod is two runc containers, the second in the first's pid namespace as shareProcessNamespace
makes it, with the capabilities that the proposal for sidecars gives: docker's and two more."""
import json
import os
import re
import signal
import subprocess

import pytest

from house.coral import Done, children_of, status_of
from house.sidecar import SIDECAR, beside
from house.term import Pty
from house.util import CORAL, alive, cmdline, run, wait_for
from test_errors import three_parts

CHROOT = "entered by chroot"


class Pod:
    """A target and the sidecar beside it; the target's first process is pid 1 of both."""

    def __init__(self, target, sidecar, engine):
        self.target, self.sidecar, self.engine = target, sidecar, engine

    def argv(self, *args, tty=False, before=()):
        return self.engine.exec_argv(self.sidecar, *before, "/coral", *[str(a) for a in args],
                                     tty=tty)

    def run(self, *args, input=b"", timeout=60, before=()):
        done = subprocess.run(self.argv(*args, before=before), input=input, capture_output=True,
                              timeout=timeout, check=False)
        return Done(done.returncode, done.stdout, done.stderr)

    def exec(self, *argv, flags=(), **kw):
        return self.run("exec", *flags, "--pid", 1, "--", *argv, **kw)

    def only_apps(self):
        """Only the two containers' own first processes are left."""
        return sorted(self.target.processes()) == sorted([self.target.pid, self.sidecar.pid])


def make_pod(runc, target_edit=None, kind="full", **kw):
    target = runc.start("reefapp", kind=kind, env=["SERVICE_NAME=reefapp", "SHADE=blue"],
                        edit=target_edit)
    try:
        sidecar = runc.start("sidecar", kind="busybox", edit=beside(target, **kw))
    except BaseException:
        runc.delete(target)
        raise
    return Pod(target, sidecar, runc)


@pytest.fixture
def odd_pod(runc):
    """Pods of one test."""
    made = []

    def make(**kw):
        made.append(make_pod(runc, **kw))
        return made[-1]

    yield make
    for one in made:
        runc.delete(one.sidecar)
        runc.delete(one.target)


@pytest.fixture(scope="module")
def shared_pod(runc):
    one = make_pod(runc)
    yield one
    runc.delete(one.sidecar)
    runc.delete(one.target)


@pytest.fixture
def pod(shared_pod):
    yield shared_pod
    wait_for("nothing to be left in the pod", shared_pod.only_apps)


def fields(text):
    return dict(line.split(":\t", 1) for line in text.splitlines() if ":\t" in line)


def test_exec_is_the_targets_in_all_else(pod):
    got = fields(pod.exec("cat", "/proc/self/status").text)
    want = status_of(pod.target.pid)
    for name in ("Uid", "Gid", "Groups", "CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb",
                 "Umask"):
        assert got[name].strip() == want[name].strip(), name
    # Without SYS_ADMIN no filter, here the one against TIOCSTI, goes in without it.
    assert (want["NoNewPrivs"].strip(), got["NoNewPrivs"].strip()) == ("0", "1")
    assert pod.exec("cat", "/proc/self/limits").text == \
        open(f"/proc/{pod.target.pid}/limits", encoding="ascii").read()
    here = pod.exec("sh", "-c", "echo $SHADE; pwd; echo made >/tmp/made; readlink /proc/self/root")
    assert here.text == "blue\n/\n/\n" and here.code == 0
    assert (pod.target.root / "tmp/made").read_text() == "made\n"
    assert pod.exec("false").code == 1 and pod.exec("no-such").code == 127
    assert pod.exec("id", "-u", flags=["-u", "app"]).text == "1000\n"
    assert pod.exec("pwd", flags=["-w", "/etc"]).text == "/etc\n"
    assert pod.exec("cat", "-", input=b"\0\xff" * 70000).out == b"\0\xff" * 70000


def test_it_is_said_and_stamped(pod):
    loud = pod.exec("true", flags=["--explain"])
    assert loud.code == 0 and "CAP_SYS_ADMIN" in loud.errtext
    first = loud.errtext.splitlines()[0]
    assert first.startswith("coral: ") and CHROOT in first and "mnt" in first and "cgroup" in first
    assert re.search(r"(?m)^namespaces +denied .*CAP_SYS_ADMIN", loud.errtext)
    assert re.search(r"(?m)^root +cloned .*chroot", loud.errtext)
    assert CHROOT not in pod.exec("true", flags=["-q"]).errtext
    told = pod.exec("true", flags=["-o", "json"]).json()
    assert told["context"]["entry"] == "chroot" and told["namespaces_entered"] == []
    shown = pod.run("sessions", "show", told["session_id"], "-o", "json")
    assert '"entry": "chroot"' in json.dumps(shown.json()), shown
    listed = pod.run("sessions")
    assert listed.code == 0 and told["session_id"] in listed.text


def test_a_shell_has_a_terminal_of_the_container(pod):
    with Pty(pod.argv("shell", "--pid", "1", tty=True), os.environ, 24, 100) as term:
        term.expect(CHROOT)
        term.expect(r"[#$] ")
        number = None
        term.send("tty; stty size; readlink /proc/self/fd/0; echo $$ >/dev/tty && echo wrote\r")
        number = term.expect(r"[\r\n]/dev/pts/(\d+)").group(1).decode()
        term.expect("24 100")
        term.expect(f"/dev/pts/{number}")
        term.expect("\nwrote")
        assert number in pod.target.ptys()
        term.expect(r"[#$] ")
        term.send("sleep 1000\r")
        wait_for("sleep", lambda: b"sleep\x001000\x00" in map(cmdline, pod.target.processes()))
        term.send("\x03")
        term.expect(r"[#$] ")
        term.send("exit 4\r")
        assert term.wait() == 4


SLEEPERS = "$(cat /proc/[0-9]*/comm 2>/dev/null | grep -cx sleep)"
ESCAPEES = (f"n={SLEEPERS}; setsid sleep 700 & (setsid sh -c 'sleep 701 & sleep 702' &) ; "
            "(trap '' HUP; exec sleep 703) >/dev/null 2>&1 & (trap '' HUP TERM; (sleep 704 &) &) ; "
            f"until [ {SLEEPERS} -ge $((n+5)) ]; do :; done; "
            "echo started")


@pytest.mark.parametrize("before", [(), ("/bin/busybox", "sh", "-c",
                                         "echo 7 >/proc/self/loginuid; exec \"$0\" \"$@\"")],
                         ids=["by-audit-session", "adopted"])
def test_ending_is_complete_without_a_cgroup(pod, before):
    """Who left by setsid and double fork is found by the audit session; where the agent cannot
    give one, because its own is set and fixed, the keeper adopts the orphans."""
    done = pod.exec("sh", "-c", ESCAPEES, flags=["-o", "json"], before=before,
                    timeout=20)
    assert done.json()["stdout"] == "started\n"
    comms = [s["comm"] for s in done.json()["survivors_killed"]]
    assert comms.count("sleep") == 5, comms
    wait_for("the escapees' end", pod.only_apps, 5)
    zombies = run(["ps", "--no-headers", "-o", "state,comm", "--ppid", pod.target.pid]).stdout \
        if alive(pod.target.pid) else ""
    assert "sleep" not in zombies or before == (), "adopted orphans are reaped"


def test_timeout_ends_all(pod):
    done = pod.exec("sh", "-c", "trap '' TERM; setsid sleep 800 & while :; do sleep 9; done",
                    flags=["--timeout", "300ms"])
    assert done.code == 124
    wait_for("the end", pod.only_apps, 10)


def test_namespaces_cannot_be_chosen(pod):
    done = pod.exec("true", flags=["--namespaces", "mnt"])
    assert done.code == 125
    three_parts(done, "CAP_SYS_ADMIN", "--namespaces", "add: [SYS_ADMIN")
    assert pod.exec("true", flags=["--namespaces", "net,pid"]).code == 0, "those are shared already"


def test_the_session_gains_nothing_of_the_sidecar(pod):
    """The keeper and its files are in sight of the pid namespace, and out of reach."""
    with subprocess.Popen(pod.argv("exec", "--pid", "1", "--", "cat"), stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as other:
        other.stdin.write(b"up\n")
        other.stdin.flush()
        assert other.stdout.readline() == b"up\n"
        done = pod.exec("sh", "-c", "for p in /proc/[0-9]*; do case $(cat $p/comm) in coral) "
                        "echo seen; ls $p/root/ $p/fd/ $p/cwd/; cat $p/environ; "
                        "cat </proc/self/fd/3; esac; done; ls /coral; ls -a /..")
        assert "seen" in done.text and "coral" not in done.text.split("seen")[-1], done
        assert "/root/: Permission denied" in done.errtext, done
        other.stdin.close()
        other.wait()


def test_what_is_not_shared_is_said_and_gives_no_rights(odd_pod):
    pod = odd_pod(share=())
    done = pod.exec("cat", "/proc/self/status", flags=["--explain"])
    assert done.code == 0
    assert "net" in done.errtext.splitlines()[0]
    net_raw, net_bind, kill = 1 << 13, 1 << 10, 1 << 5
    assert int(status_of(pod.target.pid)["CapBnd"], 16) & net_raw
    for which in ("CapPrm", "CapEff", "CapBnd"):
        got = int(fields(done.text)[which], 16)
        assert not got & (net_raw | net_bind) and got & kill, which
    assert re.search(r"(?m)^capabilities +denied .*CAP_NET_RAW", done.errtext)


def test_user_and_capabilities_of_a_humble_target(odd_pod):
    def humble(config, _):
        config["process"]["user"] = {"uid": 65534, "gid": 65534, "umask": 0o27}
        config["process"]["noNewPrivileges"] = True
        config["process"]["capabilities"] = {k: [] for k in ("bounding", "effective", "permitted")}
        config["root"]["readonly"] = True

    pod = odd_pod(target_edit=humble, kind="busybox")
    got = fields(pod.exec("cat", "/proc/self/status").text)
    assert got["Uid"].split() == ["65534"] * 4 and got["NoNewPrivs"] == "1"
    assert got["Umask"] == "0027"
    assert {got[k] for k in ("CapPrm", "CapEff", "CapBnd", "CapInh", "CapAmb")} == {"0" * 16}
    with Pty(pod.argv("shell", "--pid", "1", tty=True), os.environ) as term:
        term.expect(r"[#$] ")
        term.send("tty; stat -c %u $(tty)\r")
        term.expect(r"/dev/pts/\d+\s+65534")
        term.send("exit\r")
        assert term.wait() == 0


def test_target_in_a_user_namespace(odd_pod):
    def mapped(config, _):
        config["linux"]["namespaces"].append({"type": "user"})
        ids = [{"containerID": 0, "hostID": 200000, "size": 65536}]
        config["linux"].update(uidMappings=ids, gidMappings=ids)

    pod = odd_pod(target_edit=mapped, kind="busybox", share=())
    got = pod.exec("cat", "/proc/self/status")
    assert got.code == 0, got
    assert fields(got.text)["Uid"].split() == ["200000"] * 4
    assert int(fields(got.text)["CapBnd"], 16) == 0
    assert pod.exec("id", "-u", flags=["-u", "app"]).text == "201000\n"


LESS = {"SYS_PTRACE": "CAP_SYS_PTRACE", "SYS_CHROOT": "CAP_SYS_CHROOT", "SETUID": "CAP_SETUID",
        "SETPCAP": "CAP_SETPCAP"}


@pytest.mark.parametrize("cap", sorted(LESS))
def test_what_is_missing_has_a_name(odd_pod, cap):
    def plain(config, _):
        config["process"]["user"] = {"uid": 1000, "gid": 0}

    pod = odd_pod(target_edit=plain, kind="busybox", caps=[c for c in SIDECAR if c != cap])
    done = pod.exec("true")
    assert done.code == 125
    three_parts(done, LESS[cap], cap)
    assert f"add: [{cap}]" in done.errtext
    listed = pod.run("ps")
    assert listed.code == 1
    three_parts(listed, LESS[cap], f"add: [{cap}]")


def test_the_last_rung_is_reading(odd_pod):
    """The target's uid and nothing else: the error says what that is good for, and it is true."""
    def nobody(config, _):
        config["process"]["user"] = {"uid": 65534, "gid": 65534}
        config["process"]["capabilities"] = {k: [] for k in ("bounding", "effective", "permitted")}

    pod = odd_pod(target_edit=nobody, kind="busybox", caps=SIDECAR)
    become = ("/bin/busybox", "su", "-s", "/bin/sh", "-c",
              "export CORAL_STATE_DIR=/tmp/c/state CORAL_RUNTIME_DIR=/tmp/c/run; "
              "mkdir -p /tmp/c; exec \"$@\"", "--", "nobody", "sh")
    agent = subprocess.Popen(pod.argv("agent", "start", before=become), stdin=subprocess.DEVNULL,
                             stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    try:
        wait_for("the agent", lambda: agent.poll() is not None or
                 pod.run("agent", "status", before=become).code == 0)
        done = pod.exec("true", before=become)
        assert done.code == 125
        three_parts(done, "CAP_SYS_ADMIN", "CAP_SYS_CHROOT", "add: [SYS_PTRACE, SYS_CHROOT]",
                    "ls /proc/1/root")
        seen = run(pod.engine.exec_argv(pod.sidecar, *become, "/bin/ls", "/proc/1/root"))
        assert "etc" in seen.stdout
    finally:
        for pid in children_of(agent.pid)[:1]:
            os.kill(pid, signal.SIGTERM)
        agent.wait(15)
        agent.stderr.close()


@pytest.fixture
def inner_agent(pod):
    """`coral agent start` in the sidecar: a process whose parent is outside the pid namespace."""
    agent = subprocess.Popen(pod.argv("agent", "start"), stdin=subprocess.DEVNULL,
                             stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    broker = []

    def stop():
        if agent.poll() is None:
            os.kill(broker[0] if broker else agent.pid, signal.SIGTERM)
        agent.wait(30)

    try:
        wait_for("the agent", lambda: pod.run("agent", "status").code == 0)
        broker += children_of(agent.pid)[:1]
        yield stop
    finally:
        stop()


def session_that_waits(pod):
    client = subprocess.Popen(pod.argv("exec", "--pid", "1", "--", "sh", "-c",
                                       "setsid sleep 900 & echo up; cat"), stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert client.stdout.readline() == b"up\n"
    return client


def test_an_agent_in_the_sidecar(pod, inner_agent):
    """Broker, transport with its sandbox, and keeper, all with these capabilities."""
    done = pod.exec("sh", "-c", "id -u; ls /etc/passwd")
    assert (done.code, done.text) == (0, "0\n/etc/passwd\n"), done
    with session_that_waits(pod) as client:
        by_uid = {s["Uid"].split()[0]: s for s in map(status_of, pod.target.processes())}
        transport = by_uid["64722"]
        assert transport["Seccomp"].strip() == "2" and transport["NoNewPrivs"].strip() == "1"
        for which in ("CapPrm", "CapEff", "CapBnd"):
            assert int(transport[which], 16) == 0
        client.kill()
    wait_for("the session to end with its client",
             lambda: "live" not in pod.run("sessions").text, 15)


def test_the_end_of_the_sidecar_seals_its_sessions(pod, inner_agent):
    """Not being pid 1, for the pid namespace is the pod's, it knows that its container ends."""
    with session_that_waits(pod) as client:
        inner_agent()
        assert client.wait(20) != 0
    newest = json.loads(pod.run("sessions", "ls", "-o", "json").text)[0]
    assert newest["state"] == "ended", newest


@pytest.fixture(scope="module")
def docker_pod(docker):
    """By the real engine, with its own default seccomp profile around the sidecar.  This version
    of it does not know the capability BPF."""
    target = docker.start("shoal", flags=["-e", "SERVICE_NAME=shoal"])
    sidecar = docker.start("pilot", flags=[
        "--pid", f"container:{target.name}", "--ipc", "private", "--cap-add", "SYS_PTRACE",
        "-v", f"{CORAL}:/coral:ro"])

    class Engine:
        @staticmethod
        def exec_argv(container, *argv, tty=False):
            return [*docker.cli(), "exec", "-i", *(["-t"] if tty else []), container.name, *argv]

    return Pod(target, sidecar, Engine)


def test_docker_and_its_seccomp_profile(docker_pod):
    pod = docker_pod
    assert status_of(pod.sidecar.pid)["Seccomp"].strip() == "2"
    done = pod.exec("cat", "/proc/self/status", flags=["--explain"])
    assert done.code == 0, done
    got, want = fields(done.text), status_of(pod.target.pid)
    lost = sum(1 << bit for bit in (10, 13))  # what is for the network, which differs here
    for which in ("CapPrm", "CapEff", "CapBnd"):
        assert int(got[which], 16) == int(want[which], 16) & ~lost, which
    assert re.search(r"(?m)^keyring +denied", done.errtext)
    assert "--seccomp=copy reads" not in done.errtext
    three_parts(pod.exec("true", flags=["--seccomp=copy"]), "CAP_SYS_ADMIN", "on the host")
    assert pod.exec("sh", "-c", "cat /etc/hostname").text == \
        (pod.target.root / "etc/hostname").read_text()
    done = pod.exec("sh", "-c", "setsid sleep 600 & exit 3")
    assert done.code == 3
    wait_for("the escapee's end", pod.only_apps, 5)
    assert pod.run("sessions").text.count("ended") == 3
    assert "shoal" in pod.run("ps").text


def test_a_shell_beside_docker(docker_pod):
    with Pty(docker_pod.argv("shell", "--pid", "1", tty=True), os.environ, 24, 100) as term:
        term.expect(r"[#$] ")
        term.send("tty; stty size\r")
        term.expect(r"[\r\n]/dev/pts/\d+")
        term.expect("24 100")
        term.send("exit 5\r")
        assert term.wait() == 5
