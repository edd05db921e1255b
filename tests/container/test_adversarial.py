# SPDX-License-Identifier: GPL-3.0-or-later
"""What a hostile container prepares for whoever enters it, where no other file has it; the names
are the numbers of the list that the design was made against."""
import contextlib
import errno
import hashlib
import os
import pathlib
import re
import shutil
import subprocess
import time

import pytest

from house.casts import Cast
from house.coral import status_of
from house.fidelity import userns
from house.term import Pty
from house.util import CORAL, wait_for
from test_endings import LEAVE, alone, left_the_cgroup, no_notes, writable_cgroups
from test_errors import three_parts
from test_hard_targets import BUSYBOX, inside
from test_leaks import clean, helper, watched_box  # noqa: F401  pylint: disable=unused-import
from test_seccomp import box_with, own_runc, probe  # noqa: F401  pylint: disable=unused-import

FAKES = {"fifo": "mkfifo /tmp/fake", "file": "touch /tmp/fake", "null": "mknod /tmp/fake c 1 3",
         "the right device elsewhere": "mknod /tmp/fake c 5 2"}


@pytest.mark.parametrize("kind", sorted(FAKES))
def test_case_10_something_is_bound_over_ptmx(coral, make_box, kind):
    box = make_box("posing", kind="busybox")
    inside(box, f"{FAKES[kind]} && mount -o bind /tmp/fake /dev/pts/ptmx")
    start = time.monotonic()
    done = coral.run("exec", "-tt", "--pid", box.pid, "--", "tty", timeout=20)
    assert done.code == 125 and time.monotonic() - start < 3
    three_parts(done, "not a terminal multiplexer", "without -t")
    assert coral.run("exec", "--pid", box.pid, "--", "echo", "on").out == b"on\n"


@pytest.mark.parametrize("make", ["mkfifo /tmp/fake", "touch /tmp/fake"])
def test_case_11_dev_ptmx_counts_for_nothing(coral, make_box, make):
    """The other name of it, as a link to what blocks or takes everything."""
    box = make_box("linked", kind="busybox")
    inside(box, f"{make} && rm -f /dev/ptmx && ln -s /tmp/fake /dev/ptmx")
    before = (box.root / "tmp/fake").lstat()
    done = coral.run("exec", "-tt", "--pid", box.pid, "--", "tty", timeout=20)
    assert done.code == 0 and re.fullmatch(rb"/dev/pts/\d+\r\n", done.out), done
    assert (box.root / "tmp/fake").lstat() == before


def test_case_18_a_program_that_nobody_else_runs(coral, watched_box, home):  # noqa: F811
    """#!/proc/self/exe by the command that has an agent of its own: once it ended, no process
    runs its file, and the kernel's ETXTBSY protects it no more."""
    program = home / "coral-copy"
    shutil.copy(CORAL, program)
    before = program.read_bytes()
    evil = watched_box.box.root / "tmp/evil"
    evil.write_text("#!/proc/self/exe ps\n")
    evil.chmod(0o755)
    for _ in range(2):
        watched_box.start("-w")
    for _ in range(40):
        try:
            subprocess.run([program, "exec", "--pid", str(watched_box.box.pid), "--", "/tmp/evil"],
                           env=coral.env(), stdin=subprocess.DEVNULL, capture_output=True,
                           timeout=30, check=False)
        except OSError as e:  # a writer was just being refused: coral-privsep(7)
            assert e.errno == errno.ETXTBSY
        if program.read_bytes() != before:
            break
    said = watched_box.output()
    assert program.read_bytes() == before
    counts = clean(said)
    assert counts["taken"] > 0 and counts["refused"] > 0, "it was never held: nothing was tested"


@pytest.mark.parametrize("nnp", [False, True])
def test_case_25_no_new_privs(coral, box_with, nnp):  # noqa: F811
    """A set-user-ID program raises nobody where the target forbade it, and does elsewhere."""
    box = box_with(nnp=nnp)
    os.chown(box.root / "probe", 0, 0)
    os.chmod(box.root / "probe", 0o4755)
    assert status_of(box.pid)["NoNewPrivs"].strip() == str(int(nnp))
    argv = ["exec", "-u", "1000:1000", "--pid", box.pid, "--"]
    assert coral.run(*argv, "/probe", "euid").text == ("1000\n" if nnp else "0\n")
    text = coral.run(*argv, "grep", "NoNewPrivs", "/proc/self/status").text
    assert text.split() == ["NoNewPrivs:", str(int(nnp))]


def test_case_28_ids_are_translated(either, make_box):
    """Its user 1000 is 201000 here: neither that number, nor 0, is what the session has inside."""
    def edit(config, rootfs):
        userns(config, rootfs)
        config["process"]["user"] = {"uid": 1000, "gid": 1001, "additionalGids": [7]}

    box = make_box("mapped", kind="busybox", edit=edit)
    first = int(pathlib.Path(f"/proc/{box.pid}/uid_map").read_text().split()[1])
    assert first > 0 and status_of(box.pid)["Uid"].split() == [str(first + 1000)] * 4
    script = "id -u; id -g; id -G; grep Cap /proc/self/status; grep Cap /proc/1/status; read x"
    with either.popen("exec", "--pid", box.pid, "--", "sh", "-c", script) as proc:
        lines = [proc.stdout.readline().decode().strip() for _ in range(13)]
        assert lines[:3] == ["1000", "1001", "1001 7"], lines
        assert lines[3:8] == lines[8:13], lines
        pid = wait_for("the session", lambda: [p for p in box.processes() if p != box.pid])[0]
        assert status_of(pid)["Uid"].split() == [str(first + 1000)] * 4
        proc.communicate(b"\n", timeout=20)
        assert proc.returncode == 0
    done = either.run("exec", "-u", "0", "--pid", box.pid, "--", "id", "-u")
    assert (done.code, done.out) == (0, b"0\n"), "root inside only when asked for"


def snapshot(top):
    """Every file below: kind, mode, owner, times and what is in it."""
    found = {}
    for path in sorted(top.rglob("*")):
        st = path.lstat()
        text = b"" if path.is_dir() else path.read_bytes()
        found[str(path)] = (st.st_mode, st.st_uid, st.st_gid, st.st_mtime_ns, st.st_ctime_ns,
                            hashlib.sha256(text).hexdigest())
    return found


def test_case_41_nothing_changes_in_a_container_of_one_file(either, make_box, runc):
    def edit(config, rootfs):
        shutil.rmtree(rootfs)
        for sub in ("proc", "dev", "sys"):
            (rootfs / sub).mkdir(parents=True)
        shutil.copy(BUSYBOX, rootfs / "busybox")
        config["process"].update(args=["/busybox", "sleep", "100000"], noNewPrivileges=True,
                                 user={"uid": 65534, "gid": 65534})
        config["process"]["capabilities"] = {}
        config["root"]["readonly"] = True

    box = make_box("atom", kind="busybox", edit=edit)
    rootfs = runc.base / box.name / "rootfs"
    before = snapshot(rootfs), box.mounts(), sorted(os.listdir(box.root / "dev/pts"))
    done = either.run("exec", "--pid", box.pid, "--", "/busybox", "id", "-u")
    assert (done.code, done.out) == (0, b"65534\n"), done
    done = either.run("exec", "-tt", "--pid", box.pid, "--", "/busybox", "tty")
    assert done.code == 0 and done.out.startswith(b"/dev/pts/"), done
    done = either.run("exec", "--pid", box.pid, "--", "/busybox", "grep", "Cap",
                      "/proc/self/status")
    assert {line.split()[1] for line in done.text.splitlines()} == {"0" * 16}
    assert either.run("shell", "--pid", box.pid).code == 127
    assert (snapshot(rootfs), box.mounts(), sorted(os.listdir(box.root / "dev/pts"))) == before


@pytest.mark.parametrize("how", ["another login", "another cgroup"])
def test_case_50_another_name_is_no_way_out(agent, make_box, how):
    """A command that takes another audit identity, where it may, or leaves its cgroup.  With both
    rights it is found by neither: the manual says so."""
    rename = how == "another login"

    def edit(config, rootfs):
        if not rename:
            writable_cgroups(config, rootfs)
        for caps in config["process"]["capabilities"].values() if rename else ():
            caps.append("CAP_AUDIT_CONTROL")

    box = make_box("renamed", kind="busybox", edit=edit)
    script = ("{ echo 4242 >/proc/self/loginuid; } 2>/dev/null; cat /proc/self/loginuid; echo; "
              f"setsid sh -c '{'' if rename else LEAVE} sleep 4108 & exit' & sleep 1000")
    proc = agent.coral.popen("exec", "--pid", box.pid, "--", "sh", "-c", script)
    assert proc.stdout.readline() == (b"4242\n" if rename else b"0\n")
    wait_for("the escape", lambda: left_the_cgroup(box, "4108") if not rename else any(
        b"4108" in pathlib.Path(f"/proc/{p}/cmdline").read_bytes() for p in box.processes()))
    proc.kill()
    proc.communicate()
    alone(box)
    no_notes(agent)


@pytest.mark.parametrize("size", [8192, 40960])
def test_case_54_a_limit_on_the_size_of_files(coral, bare, size):
    """As quotas do, it ends the recording: then the session too, and both say why."""
    coral.config.with_name("policy.yaml").write_text("defaults: {record: {on_failure: kill}}\n")
    done = coral.run("exec", "--pid", bare.pid, "--", "sh", "-c",
                     "yes line of a long story | head -c 4000000",
                     prefix=("prlimit", f"--fsize={size}"))
    assert done.code == 125 and len(done.out) <= size, done
    for part in ("recording", "  why: ", "File too large", "  try: ", "ulimit -f"):
        assert part in done.errtext, done
    wait_for("the command to end", lambda: bare.processes() == [bare.pid])


def test_case_55_what_is_typed_without_echo(coral, bare):
    """Not in the file nor anything that tells its length; what is echoed afterwards is."""
    secret = "hunter2-" * 3
    with Pty(coral.argv("shell", "--pid", bare.pid), coral.env()) as term:
        term.expect(r"[#$] ")
        term.send("stty -echo; printf 'Pass%s' word:; read p; stty echo; echo; echo got ${#p}\r")
        term.expect("Password:")
        term.send(secret + "\r")
        term.expect(f"got {len(secret)}")
        term.send("echo seen-aga''in\r")
        term.expect("seen-again")
        term.send("exit\r")
        assert term.wait() == 0
    cast = Cast(coral.newest_cast())
    assert "seen-again" in cast.output() and "Password:" in cast.output()
    for path in coral.state.rglob("*"):
        assert not path.is_file() or secret[:8] not in path.read_text(errors="replace"), path
    assert not [e for e in cast.events if e[1] == "i"]
