# SPDX-License-Identifier: GPL-3.0-or-later
"""Targets that make entry hard: each takes a static program, and says what it cannot give."""
import contextlib
import ctypes
import os
import pathlib
import shutil
import signal
import subprocess
import time

import pytest

from house.coral import status_of
from house.term import Pty
from house.util import alive, run, wait_for
from test_errors import three_parts

LIBC = ctypes.CDLL(None, use_errno=True)
PTRACE_ATTACH, PTRACE_DETACH, PTRACE_SEIZE, PTRACE_INTERRUPT = 16, 17, 0x4206, 0x4207
WALL = 0x40000000
SUBREAPER = 36
BUSYBOX = "/bin/busybox"


def inside(box, script, *spaces):
    """As the host's root in the container's namespaces: what a hostile root there could do."""
    return run(["nsenter", "-t", box.pid, *(spaces or ["-m", "-p"]), "sh", "-c", script])


def host_inside(box, script):
    """The same with the host's tools: only the pid namespace is the container's."""
    return inside(box, script, "-p")


@contextlib.contextmanager
def bare_process(enter):
    """A child that calls enter(), which executes; ended and waited for whatever happens."""
    pid = os.fork()
    if pid == 0:
        try:
            enter()
        finally:
            os._exit(99)
    try:
        wait_for("the program", lambda: os.readlink(f"/proc/{pid}/exe") != os.readlink(
            "/proc/self/exe"))
        yield pid
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def test_one_static_program_and_nothing_else(either, make_box):
    """No shell, no libc, read-only root, uid 65534, no capabilities, no new privileges."""
    def distroless(config, rootfs):
        for entry in list(rootfs.iterdir()):
            shutil.rmtree(entry) if entry.is_dir() and not entry.is_symlink() else entry.unlink()
        for sub in ("proc", "dev", "sys"):
            (rootfs / sub).mkdir()
        shutil.copy(BUSYBOX, rootfs / "sleep")
        config["process"].update(args=["/sleep", "100000"], user={"uid": 65534, "gid": 65534},
                                 noNewPrivileges=True,
                                 capabilities={k: [] for k in ("bounding", "effective",
                                                               "permitted")})
        config["root"]["readonly"] = True

    box = make_box("less", kind="busybox", edit=distroless)
    assert either.run("exec", "--pid", box.pid, "--", "/sleep", "0").code == 0
    assert either.run("exec", "--pid", box.pid, "--", "/bin/sh").code == 127
    with Pty(either.argv("exec", "-t", "--pid", box.pid, "--", "/sleep", "0.1"),
             either.env()) as term:
        assert term.wait() == 0
    three_parts(either.run("shell", "--pid", box.pid), "no shell")


def test_no_devpts(coral, make_box):
    def without(config, _):
        config["mounts"] = [m for m in config["mounts"] if m["destination"] != "/dev/pts"]

    box = make_box("ptsless", kind="busybox", edit=without)
    inside(box, "rm -rf /dev/ptmx; mkdir -p /dev/pts")
    with Pty(coral.argv("shell", "--pid", box.pid), coral.env(), 30, 90) as term:
        term.expect("no devpts")
        term.expect(r"[#$] ")
        term.send("stty size; tty\r")
        term.expect("30 90")
        term.expect("not a tty")
        term.send("exit 3\r")
        assert term.wait() == 3


def test_no_proc(either, make_box):
    def without(config, _):
        config["mounts"] = [m for m in config["mounts"] if m["destination"] != "/proc"]
        for key in ("maskedPaths", "readonlyPaths"):
            config["linux"].pop(key)

    try:
        box = make_box("procless", kind="busybox", edit=without)
    except RuntimeError:
        box = make_box("procless", kind="busybox")
        inside(box, "umount -R /proc || umount -l /proc")
    done = either.run("exec", "--pid", box.pid, "--", "/bin/busybox", "ls", "/proc")
    assert (done.code, done.out) == (0, b""), done
    with Pty(either.argv("shell", "--pid", box.pid), either.env(), 30, 90) as term:
        term.expect(r"[#$] ")
        term.send("id -u; stty size\r")
        term.expect("30 90")
        term.send("exit\r")
        assert term.wait() == 0


def test_fake_proc(coral, make_box):
    """A tmpfs over /proc that would take every write, and say that all is well."""
    box = make_box("fake", kind="busybox")
    inside(box, "mount -t tmpfs none /proc && mkdir -p /proc/self/attr/apparmor /proc/1/attr && "
           "cd /proc/self && touch oom_score_adj loginuid attr/exec attr/apparmor/exec")
    with coral.popen("exec", "--pid", box.pid, "--", "sh", "-c", "echo up; read x") as proc:
        assert proc.stdout.readline() == b"up\n"
        ours = [p for p in box.processes() if p != box.pid]
        assert len(ours) == 1
        host = pathlib.Path(f"/proc/{ours[0]}")
        assert host.joinpath("oom_score_adj").read_text().strip() == "500"
        assert host.joinpath("loginuid").read_text() == "0"
        proc.communicate(b"\n", timeout=20)
        assert proc.returncode == 0
    for name in ("oom_score_adj", "loginuid", "attr/exec", "attr/apparmor/exec"):
        assert (box.root / "proc/self" / name).read_text() == ""


def test_zombie_first_process(coral, make_box, runc):
    """With the host's pid namespace a container outlives its first process, whose zombie stays
    until the runtime looks.  It is found by name, and entered by what lives."""
    def host_pids(config, _):
        config["linux"]["namespaces"] = [n for n in config["linux"]["namespaces"]
                                         if n["type"] != "pid"]
        config["process"]["args"] = ["/bin/sh", "-c", "sleep 100000 & echo $! >/tmp/child; "
                                     "while [ ! -e /tmp/go ]; do sleep 0.02; done"]

    child = 0
    LIBC.prctl(SUBREAPER, 1, 0, 0, 0)
    try:
        box = make_box("headless", kind="busybox", edit=host_pids)
        tmp = runc.base / box.name / "rootfs/tmp"
        child = int(wait_for("the child", lambda: (tmp / "child").exists() and
                             (tmp / "child").read_text()))
        (tmp / "go").touch()
        wait_for("the zombie", lambda: alive(box.pid) is False)
        assert "zombie" in status_of(box.pid)["State"]
        done = coral.run("exec", "-o", "json", "--container", box.name, "--", "id", "-u")
        assert done.code == 0, done
        assert done.json()["stdout"] == "0\n" and done.json()["container_pid"] == child
        three_parts(coral.run("exec", "--pid", box.pid, "--", "true"), "zombie")
    finally:
        for pid in (child, box.pid) if child else ():
            with contextlib.suppress(ChildProcessError, ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
        LIBC.prctl(SUBREAPER, 0, 0, 0, 0)


def test_paused_is_refused_at_once(coral, make_box, runc):
    box = make_box("still", kind="busybox")
    runc.pause(box)
    try:
        for flags in (["--pid", box.pid], ["--container", box.name]):
            start = time.monotonic()
            done = coral.run("exec", *flags, "--", "true")
            assert done.code == 125 and time.monotonic() - start < 1
            three_parts(done, "paused")
    finally:
        runc.resume(box)
    assert coral.run("exec", "--pid", box.pid, "--", "true").code == 0


def test_created_and_not_started(coral, make_box, runc):
    """Until its command runs, the runtime's own process waits there: with no new privileges the
    filter is not installed yet, and the container would never be without it."""
    def filtered(config, _):
        config["process"]["noNewPrivileges"] = True
        config["linux"]["seccomp"] = {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [
            {"names": ["syncfs"], "action": "SCMP_ACT_ERRNO"}]}

    box = make_box("nascent", kind="busybox", edit=filtered, created=True)
    assert status_of(box.pid)["Name"].strip().startswith("runc:[")
    for flags in (["--pid", box.pid], ["--container", box.name]):
        done = coral.run("exec", *flags, "--", "grep", "Seccomp", "/proc/self/status")
        assert done.code != 0, done
        three_parts(done, "has not started", "runc:[2:INIT]")
    run(["runc", "--root", runc.state, "start", box.name])
    wait_for("the command", lambda: status_of(box.pid)["Seccomp"].strip() == "2")
    done = coral.run("exec", "--pid", box.pid, "--", "grep", "Seccomp:", "/proc/self/status")
    assert done.code == 0 and done.text.split() == ["Seccomp:", "2"], done


@pytest.mark.parametrize("how", [PTRACE_SEIZE, PTRACE_ATTACH], ids=["running", "stopped"])
def test_traced(coral, make_box, how):
    box = make_box("traced", kind="busybox")
    assert LIBC.ptrace(how, box.pid, 0, 0) == 0
    try:
        if how == PTRACE_ATTACH:
            wait_for("the stop", lambda: "tracing stop" in status_of(box.pid)["State"])
        done = coral.run("exec", "--pid", box.pid, "--", "grep", "TracerPid", "/proc/self/status")
        assert (done.code, done.text.split()) == (0, ["TracerPid:", "0"]), done
    finally:
        if how == PTRACE_SEIZE:
            LIBC.ptrace(PTRACE_INTERRUPT, box.pid, 0, 0)  # only who is stopped is let go
            os.waitpid(box.pid, WALL)
        LIBC.ptrace(PTRACE_DETACH, box.pid, 0, 0)


def test_chrooted_in_the_container(coral, make_box):
    box = make_box("nested", args=["/bin/busybox", "chroot", "/jail", "/bin/sleep", "100000"],
                   kind="busybox", edit=lambda c, root: (
                       (root / "jail/bin").mkdir(parents=True),
                       shutil.copy(BUSYBOX, root / "jail/bin/busybox"),
                       (root / "jail/bin/sleep").symlink_to("busybox"),
                       (root / "jail/mark").write_text("inner\n")))
    wait_for("the chroot", lambda: os.readlink(f"/proc/{box.pid}/root") != "/" and
             (box.root / "mark").exists())
    done = coral.run("exec", "--pid", box.pid, "--", "/bin/busybox", "cat", "/mark", "/../mark")
    assert (done.code, done.text) == (0, "inner\ninner\n"), done
    # Not by a way back up: the root is a root.
    done = coral.run("exec", "--pid", box.pid, "--", "/bin/busybox", "ls", "/..")
    assert done.text.split() == ["bin", "mark"]


def test_noexec_everywhere_but_one_file(coral, make_box):
    box = make_box("noexec", kind="busybox")
    inside(box, "cp /bin/busybox /bin/other && mount -o bind /bin/busybox /bin/busybox && "
           "mount -o remount,bind,noexec /")
    done = coral.run("exec", "--pid", box.pid, "--", "/bin/busybox", "echo", "on")
    assert (done.code, done.out) == (0, b"on\n"), done
    done = coral.run("exec", "--pid", box.pid, "--", "/bin/other", "echo", "on")
    assert done.code == 126
    three_parts(done, "/bin/other", "Permission denied")


@pytest.mark.parametrize("level", [1, 2])
def test_memfd_noexec(either, make_box, level):
    box = make_box("sealed", kind="busybox")
    host_inside(box, f"echo {level} >/proc/sys/vm/memfd_noexec")
    done = either.run("exec", "--pid", box.pid, "--", "/bin/busybox", "echo", "on")
    assert (done.code, done.out) == (0, b"on\n"), done
    assert host_inside(box, "cat /proc/sys/vm/memfd_noexec").stdout.strip() == str(level)


def odd_environment(*entries):
    """argv and envp as execve(2) takes them: what no shell would pass on."""
    argv = (ctypes.c_char_p * 4)(b"busybox", b"sleep", b"100000", None)
    envp = (ctypes.c_char_p * (len(entries) + 1))(*entries, None)
    return lambda: LIBC.execve(b"/bin/busybox", argv, envp)


def test_environment_as_it_is(coral):
    """Whole and in its order, also what steers programs: it is the container's own.  What has no
    name is no variable."""
    big = b"BIG=" + b"x" * 100_000
    entries = [b"LD_PRELOAD=/no/such.so", b"no-equals-sign", b"=nameless", b"BASH_ENV=/no/such",
               b"LINES=a\nb", b"TWICE=1", b"TWICE=2", b"EMPTY=", b"RAW=\xff\xfe", big]
    with bare_process(odd_environment(*entries)) as pid:
        done = coral.run("exec", "--pid", pid, "--", "/bin/busybox", "cat", "/proc/self/environ")
        assert done.code == 0, done
        assert done.out.split(b"\0")[:-1] == [e for e in entries if e[:1] != b"=" and b"=" in e]
        # Nothing of it counts for what coral itself does: no library of the target's was loaded.
        assert b"no/such.so" not in done.err


def test_environment_beyond_bounds(coral):
    with bare_process(odd_environment(*[b"V%d=" % i + b"x" * 100_000 for i in range(15)])) as pid:
        done = coral.run("exec", "--pid", pid, "--", "/bin/busybox", "true")
        assert done.code == 125
        three_parts(done, f"/proc/{pid}/environ")


def test_passwd_is_no_file(coral, make_box, home):
    """FIFO, device, two gigabytes, a link to the host's: bounded, inside the root, no hang."""
    box = make_box("liar", kind="busybox")
    passwd = box.root / "etc/passwd"
    link = home / "passwd"  # the host's: it would do, if the link led there
    link.write_text("root:x:0:0:root:/root:/bin/sh\n")

    def sparse():
        with open(passwd, "wb") as f:
            f.truncate(2 << 30)

    makers = {"fifo": lambda: os.mkfifo(passwd), "sparse": sparse,
              "device": lambda: os.mknod(passwd, 0o20666, os.makedev(1, 5)),
              "host": lambda: passwd.symlink_to(link),
              "up": lambda: passwd.symlink_to(f"../../../../../..{link}"),
              "magic": lambda: passwd.symlink_to(f"/proc/self/root{link}"),
              "loop": lambda: passwd.symlink_to("passwd"), "directory": passwd.mkdir}
    for kind, make in makers.items():
        passwd.rmdir() if passwd.is_dir() else passwd.unlink(missing_ok=True)
        make()
        start = time.monotonic()
        done = coral.run("exec", "--pid", box.pid, "-u", "root", "--", "true", timeout=20)
        assert done.code == 125 and time.monotonic() - start < 3, kind
        three_parts(done, "root", "/etc/passwd")
        # Not by id(1): that reads the file itself, and waits for the FIFO's writer.
        done = coral.run("exec", "--pid", box.pid, "-u", "77", "--", "/bin/busybox", "stat", "-c",
                         "%u", "/proc/self/")
        assert (done.code, done.out) == (0, b"77\n"), (kind, done)
        assert coral.run("exec", "--pid", box.pid, "--", "/bin/busybox", "true").code == 0, kind


def test_working_directory_is_gone(coral, make_box):
    box = make_box("adrift", kind="busybox", edit=lambda c, root: (
        (root / "work").mkdir(), c["process"].update(cwd="/work")))
    done = coral.run("exec", "--pid", box.pid, "--", "pwd")
    assert done.text == "/work\n"
    (box.root / "work").rmdir()
    assert os.readlink(f"/proc/{box.pid}/cwd").endswith("(deleted)")
    done = coral.run("exec", "--pid", box.pid, "--", "pwd")
    assert (done.code, done.text) == (0, "/\n"), done


def test_working_directory_is_outside_the_root(coral, home):
    """A process that changed its root and not its directory."""
    jail = home / "jail"
    (jail / "bin").mkdir(parents=True)
    shutil.copy(BUSYBOX, jail / "bin/busybox")

    def enter():
        os.chdir(home)
        os.chroot(jail)
        os.execve("/bin/busybox", ["busybox", "sleep", "100000"], {})

    with bare_process(enter) as pid:
        done = coral.run("exec", "--pid", pid, "--", "/bin/busybox", "pwd")
        assert (done.code, done.text) == (0, "/\n"), done
        done = coral.run("exec", "--pid", pid, "--", "/bin/busybox", "ls")
        assert done.text == "bin\n"


def test_a_thread_is_not_a_process(coral):
    script = ("import threading,time\n"
              "threading.Thread(target=time.sleep, args=(100000,), daemon=True).start()\n"
              "print(flush=True)\ntime.sleep(100000)")
    with subprocess.Popen(["/usr/bin/python3", "-c", script], stdout=subprocess.PIPE) as proc:
        try:
            proc.stdout.readline()
            tid = [t for t in os.listdir(f"/proc/{proc.pid}/task") if int(t) != proc.pid][0]
            done = coral.run("exec", "--pid", tid, "--", "true")
            assert done.code == 125
            three_parts(done, f"thread of process {proc.pid}", f"--pid {proc.pid}")
        finally:
            proc.kill()


def test_user_namespace_without_setgroups(coral):
    """As an unprivileged user makes one: one uid, and setgroups denied for good."""
    with subprocess.Popen(["setpriv", "--reuid", "1000", "--regid", "1000", "--clear-groups",
                           "unshare", "-U", "-r", BUSYBOX, "sh", "-c", "echo up; exec sleep 100000"],
                          stdout=subprocess.PIPE) as proc:
        try:
            assert proc.stdout.readline() == b"up\n"
            assert pathlib.Path(f"/proc/{proc.pid}/setgroups").read_text() == "deny\n"
            done = coral.run("exec", "--pid", proc.pid, "--", BUSYBOX, "sh", "-c",
                             "id -u; id -g; cat /proc/self/status")
            assert done.code == 0, done
            lines = done.text.splitlines()
            assert lines[:2] == ["0", "0"]
            got = dict(line.split(":\t", 1) for line in lines[2:] if ":\t" in line)
            want = status_of(proc.pid)
            for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb", "NoNewPrivs"):
                assert got[name].strip() == want[name].strip(), name
            assert got["Groups"].split() == want["Groups"].split() == []
            told = coral.run("exec", "--pid", proc.pid, "-u", "0", "--explain", "-o", "json", "--",
                             BUSYBOX, "id", "-u")
            assert told.json()["stdout"] == "0\n"
            groups = [i for i in told.json()["context"]["items"] if i["item"] == "groups"][0]
            assert groups["state"] == "denied" and "setgroups" in groups["why"]
            for user in ("5", "0:5"):
                done = coral.run("exec", "--pid", proc.pid, "-u", user, "--", "true")
                assert done.code == 125
                three_parts(done, "5", "map")
        finally:
            proc.kill()
