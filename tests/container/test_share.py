# SPDX-License-Identifier: GPL-3.0-or-later
"""Later commands go over the connection of an earlier one, and nobody notices when they cannot."""
import hashlib
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import threading

import pytest

from house.coral import Coral, Key, status_of
from house.util import alive, cmdline, run, wait_for


def masters(home):
    """{pid: its connection's socket} of those that serve in this home's directory."""
    found = []
    for entry in os.listdir("/proc"):
        try:
            if entry.isdigit() and pathlib.Path(f"/proc/{entry}/comm").read_text() == "coral-master\n":
                links = [os.readlink(f"/proc/{entry}/fd/{fd}") for fd in os.listdir(f"/proc/{entry}/fd")]
                if any(link.startswith(str(home / "run" / "mux")) for link in links):
                    found.append(int(entry))
        except OSError:
            continue
    return found


def one_master(home):
    return wait_for("a master", lambda: masters(home), 5)[0]


def quiet(done, out=b""):
    assert (done.code, done.out, done.err) == (0, out, b""), done


def trust(agent):
    """Its host key is known to its own client."""
    known = agent.home / ".local/state/coral"
    known.mkdir(parents=True)
    (known / "known_hosts").write_text(run(["ssh-keyscan", "-p", agent.port, "127.0.0.1"]).stdout)


@pytest.fixture
def flags(net_agent, key):
    """Flags for TCP; the host's key is known, the person's is alice's."""
    trust(net_agent)
    return ["--agent-addr", f"127.0.0.1:{net_agent.port}", "--identity", key.path]


@pytest.fixture(params=["socket", "tcp"])
def way(request, net_agent, flags):
    """An agent, and the flags that lead to it on a socket and over TCP."""
    return net_agent, flags if request.param == "tcp" else []


def test_second_command_makes_no_connection(way, box):
    agent, flags = way
    wait_for("ssh-keyscan's transports to end", lambda: not agent.transports())
    quiet(agent.coral.run("exec", *flags, "--pid", box.pid, "--", "echo", "1"), b"1\n")
    first = agent.transports(), masters(agent.home)
    assert [len(x) for x in first] == [1, 1]
    quiet(agent.coral.run("exec", *flags, "--pid", box.pid, "--", "echo", "2"), b"2\n")
    assert agent.coral.run("ps", *flags).code == 0
    assert (agent.transports(), masters(agent.home)) == first


def test_master_holds_nothing_of_the_command(way, box):
    agent, flags = way
    agent.coral.extra["SECRET_OF_MINE"] = "hunter2"
    quiet(agent.coral.run("exec", *flags, "--pid", box.pid, "--", "true", "in the words"))
    pid = one_master(agent.home)
    assert cmdline(pid).rstrip(b"\0") == b"coral-master"
    assert not pathlib.Path(f"/proc/{pid}/environ").read_bytes().strip(b"\0")
    assert [os.readlink(f"/proc/{pid}/fd/{n}") for n in range(3)] == ["/dev/null"] * 3
    assert os.readlink(f"/proc/{pid}/cwd") == "/"
    wait_for("its guest's socket to go", lambda: len(os.listdir(f"/proc/{pid}/fd")) == 6)
    assert os.getsid(pid) == pid and os.getsid(pid) != os.getsid(0)
    assert status_of(pid)["SigBlk"].strip() == "0" * 16
    limits = pathlib.Path(f"/proc/{pid}/limits").read_text()
    assert limits.partition("Max address space")[2].split()[:2] == [str(1 << 30)] * 2


def test_bytes_and_statuses(way, box):
    agent, flags = way
    blob = os.urandom(50 << 20)
    digest = hashlib.sha256(blob).hexdigest()
    quiet(agent.coral.run("exec", *flags, "--pid", box.pid, "--", "true"))
    for _ in range(2):
        done = agent.coral.run("exec", *flags, "--pid", box.pid, "--", "sh", "-c", "cat; exit 7",
                               input=blob)
        assert (done.code, hashlib.sha256(done.out).hexdigest(), done.err) == (7, digest, b"")
    done = agent.coral.run("exec", *flags, "--pid", box.pid, "--", "sh", "-c",
                           "sha256sum; echo end >&2; kill -9 $$", input=blob)
    assert (done.code, done.text.split()[0], done.err) == (137, digest, b"end\n")
    assert len(masters(agent.home)) == 1


def test_dead_master_is_replaced(way, box):
    agent, flags = way
    for _ in range(2):
        quiet(agent.coral.run("exec", *flags, "--pid", box.pid, "--", "true"))
        pid = one_master(agent.home)
        os.kill(pid, signal.SIGKILL)
        wait_for("its end", lambda p=pid: not alive(p))
        assert list((agent.home / "run" / "mux").iterdir()), "it left no stale socket"


def test_master_killed_under_a_command(way, box):
    agent, flags = way
    proc = agent.coral.popen("exec", *flags, "--pid", box.pid, "--", "sh", "-c", "echo up; sleep 99")
    assert proc.stdout.readline() == b"up\n"
    os.kill(one_master(agent.home), signal.SIGKILL)
    _, err = proc.communicate(timeout=20)
    assert proc.returncode == 255 and b"hung up" in err
    quiet(agent.coral.run("exec", *flags, "--pid", box.pid, "--", "true"))


def test_a_look_over_a_connection_that_is_lost(agent, box):
    """It is taken again over one of its own: nobody sees what happened to another's."""
    assert agent.coral.run("exec", "--pid", box.pid, "--", "true").code == 0
    one_master(agent.home)
    transport = agent.transports()[0]
    os.kill(transport, signal.SIGSTOP)
    proc = agent.coral.popen("sessions", "ls")
    wait_for("the question to be asked", lambda: any(
        os.readlink(f"/proc/{proc.pid}/fd/{fd}").startswith("socket:")
        for fd in os.listdir(f"/proc/{proc.pid}/fd") if int(fd) > 2))
    os.kill(transport, signal.SIGKILL)
    out, err = proc.communicate(timeout=20)
    assert (proc.returncode, err) == (0, b"") and b"exec" in out


def test_restarted_agent(way, box):
    agent, flags = way
    quiet(agent.coral.run("exec", *flags, "--pid", box.pid, "--", "true"))
    proc = agent.coral.popen("exec", *flags, "--pid", box.pid, "--", "sh", "-c", "echo up; read x; echo $x")
    assert proc.stdout.readline() == b"up\n"
    old = one_master(agent.home)
    agent.kill()
    agent.start()
    quiet(agent.coral.run("exec", *flags, "--pid", box.pid, "--", "true"))
    assert old in masters(agent.home), "the session of before goes on"
    out, err = proc.communicate(b"on\n", timeout=20)
    assert (proc.returncode, out, err) == (0, b"on\n", b"")
    wait_for("the end of the old master", lambda: not alive(old))
    assert len(masters(agent.home)) == 1


def test_agent_that_ends_takes_masters_along(way, box):
    agent, flags = way
    quiet(agent.coral.run("exec", *flags, "--pid", box.pid, "--", "true"))
    assert masters(agent.home)
    agent.term()
    wait_for("the master's end", lambda: not masters(agent.home))
    assert not list((agent.home / "run" / "mux").iterdir())


def test_lifetime_and_a_removed_key(net_agent, flags, box):
    net_agent.coral.extra["CORAL_SHARE"] = "700ms"
    quiet(net_agent.coral.run("exec", *flags, "--pid", box.pid, "--", "true"))
    wait_for("the master's end", lambda: not masters(net_agent.home))
    net_agent.coral.extra["CORAL_SHARE"] = "60s"
    quiet(net_agent.coral.run("exec", *flags, "--pid", box.pid, "--", "true"))
    net_agent.keys.write_text("")
    assert masters(net_agent.home)
    done = net_agent.coral.run("exec", *flags, "--pid", box.pid, "--", "true")
    assert done.code == 125 or done.code == 255, done
    assert "accepts none of your keys" in done.errtext
    assert [s["user"] for s in net_agent.coral.sessions()] == ["alice", "alice"]


@pytest.mark.parametrize("warm", [False, True])
def test_many_at_once(agent, box, warm):
    """Over TCP the agent lets ten of one address log in at a time; on its socket all come."""
    if warm:
        quiet(agent.coral.run("exec", "--pid", box.pid, "--", "true"))
    procs = [agent.coral.popen("exec", "--pid", box.pid, "--", "sh", "-c", f"cat; exit {n}")
             for n in range(50)]
    results = [None] * 50

    def talk(n):
        results[n] = (procs[n].communicate(b"%d" % n, 60), procs[n].returncode)

    threads = [threading.Thread(target=talk, args=(n,)) for n in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [((b"%d" % n, b""), n) for n in range(50)]
    wait_for("one master", lambda: len(masters(agent.home)) == 1)


def test_seventeen(way, box):
    agent, flags = way
    quiet(agent.coral.run("exec", *flags, "--pid", box.pid, "--", "true"))
    procs = []
    for _ in range(17):
        procs.append(agent.coral.popen("exec", *flags, "--pid", box.pid, "--", "sh", "-c",
                                       "echo up; cat"))
        assert procs[-1].stdout.readline() == b"up\n"
    assert len(agent.transports()) == 2 and len(masters(agent.home)) == 1
    for proc in procs:
        out, err = proc.communicate(b"x", 20)
        assert (proc.returncode, out, err) == (0, b"x", b"")


def test_sessions_that_outlive_their_clients(way, box):
    """The agent counts them on the connection: the next command silently takes another."""
    agent, flags = way
    quiet(agent.coral.run("exec", *flags, "--pid", box.pid, "--", "true"))
    procs = []
    for _ in range(16):
        procs.append(agent.coral.popen("exec", *flags, "--on-disconnect", "hangup", "--pid", box.pid,
                                       "--", "sh", "-c", "trap '' HUP; echo up; sleep 3; :"))
        assert procs[-1].stdout.readline() == b"up\n"
    old = one_master(agent.home)
    for proc in procs:
        proc.kill()
        proc.communicate()
    quiet(agent.coral.run("exec", *flags, "--pid", box.pid, "--", "true"))
    wait_for("the end of the first master", lambda: not alive(old), 20)


@pytest.mark.slow
def test_a_connection_that_has_handed_over_enough(agent, box):
    """Its agent takes nothing more on it: the next command takes another, and nobody notices."""
    proc = agent.coral.popen("exec", "--pid", box.pid, "--", "sh", "-c",
                             "while :; do echo up; sleep 0.02; done")
    assert proc.stdout.readline() == b"up\n"
    old, sid = one_master(agent.home), agent.coral.live()[0]["id"]
    for _ in range(256):
        looker = agent.coral.popen("watch", sid)
        assert looker.stdout.readline() == b"up\n"
        looker.kill()
        looker.communicate()
    quiet(agent.coral.run("exec", "--pid", box.pid, "--", "true"))
    wait_for("a second master", lambda: set(masters(agent.home)) - {old})
    proc.kill()
    proc.communicate()


def test_other_identity_other_connection(make_agent, home, box):
    keys = {name: Key(home, name) for name in ("alice", "bob")}
    agent = make_agent(listen=True, keys="".join(k.line(f'user="{n}"') for n, k in keys.items()))
    trust(agent)
    for name in ("alice", "bob", "alice"):
        quiet(agent.coral.run("exec", "--agent-addr", f"127.0.0.1:{agent.port}", "--identity",
                              keys[name].path, "--pid", box.pid, "--", "true"))
    assert len(masters(agent.home)) == 2
    assert [s["user"] for s in agent.coral.sessions()] == ["alice", "bob", "alice"]


def test_other_agent_at_the_same_path(make_agent, box):
    """A socket's path leads elsewhere in another mount namespace."""
    one, two = make_agent(), make_agent()
    quiet(one.coral.run("exec", "--pid", box.pid, "--", "true"))
    over = ["unshare", "-m", "sh", "-c", f"mount --bind {two.socket} {one.socket}; exec \"$@\"", "sh"]
    quiet(one.coral.run("exec", "--pid", box.pid, "--", "true", prefix=over))
    assert [len(a.coral.sessions()) for a in (one, two)] == [1, 1]


@pytest.mark.parametrize("says", [b"N", b"?", b""])
def test_listener_that_is_no_master_of_ours(agent, box, says):
    """Another version says so, or whatever it likes, or hangs up; its place is taken."""
    quiet(agent.coral.run("exec", "--pid", box.pid, "--", "true"))
    path = next((agent.home / "run" / "mux").iterdir())
    path.unlink()
    with socket.socket(socket.AF_UNIX) as door:
        door.bind(str(path))
        door.listen()
        heard = []

        def serve():
            peer, _ = door.accept()
            heard.append(peer.recv(4096))
            peer.sendall(says)
            peer.close()

        thread = threading.Thread(target=serve)
        thread.start()
        old = path.stat().st_ino
        quiet(agent.coral.run("exec", "--pid", box.pid, "--", "true"))
        thread.join(10)
    assert b"coral " in heard[0] and b"exec" not in heard[0]
    assert path.stat().st_ino != old


def test_master_that_hangs(agent, box):
    quiet(agent.coral.run("exec", "--pid", box.pid, "--", "true"))
    pid = one_master(agent.home)
    os.kill(pid, signal.SIGSTOP)
    try:
        quiet(agent.coral.run("exec", "--pid", box.pid, "--", "true", timeout=10))
        assert len(masters(agent.home)) == 2
    finally:
        os.kill(pid, signal.SIGCONT)
    wait_for("the first one's end", lambda: not alive(pid), 20)
    assert len(agent.coral.sessions()) == 2, "nothing ran twice"


def test_directory_that_goes(agent, box):
    quiet(agent.coral.run("exec", "--pid", box.pid, "--", "true"))
    shutil.rmtree(agent.home / "run" / "mux")
    wait_for("the master's end", lambda: not masters(agent.home), 15)


def test_unsafe_directory(agent, box):
    mux = agent.home / "run" / "mux"
    mux.mkdir(mode=0o700)
    for spoil in (lambda: mux.chmod(0o777), lambda: (mux.chmod(0o700), os.chown(mux, 65534, 0))):
        spoil()
        done = agent.coral.run("exec", "--pid", box.pid, "--", "echo", "done")
        assert (done.code, done.out) == (0, b"done\n")
        assert "connections are not shared" in done.errtext and str(mux) in done.errtext
    os.rmdir(mux)
    mux.symlink_to(agent.home)
    done = agent.coral.run("exec", "--pid", box.pid, "--", "echo", "done")
    assert (done.code, done.out) == (0, b"done\n") and "symbolic link" in done.errtext
    assert not masters(agent.home)


@pytest.mark.parametrize("value", ["0", "no"])
def test_not_shared_when_not_wanted(agent, box, value):
    agent.coral.extra["CORAL_SHARE"] = value
    quiet(agent.coral.run("exec", "--pid", box.pid, "--", "true"))
    assert not masters(agent.home) and not (agent.home / "run" / "mux").exists()
    wait_for("its transport to end", lambda: not agent.transports())


def test_setting_that_is_no_duration(agent):
    agent.coral.config.write_text("share: often\n")
    done = agent.coral.run("ps")
    assert done.code in (1, 2) and "share is not a duration" in done.errtext


def test_embedded_agent_is_ours_alone(home, box):
    coral = Coral(home)
    quiet(coral.run("exec", "--pid", box.pid, "--", "true"))
    assert not masters(home) and not (home / "run" / "mux").exists()


def test_outputs_end_with_the_command(agent, box):
    """The master holds no pipe open that somebody reads to its end."""
    line = " ".join(map(str, agent.coral.argv("exec", "--pid", box.pid, "--", "echo", "x")))
    done = subprocess.run(["sh", "-c", f"y=$({line} 2>&1 3>&1 4>&1); echo got $y"], timeout=20,
                          env=agent.coral.env(), stdin=subprocess.DEVNULL, capture_output=True,
                          check=True)
    assert done.stdout == b"got x\n" and masters(agent.home)
